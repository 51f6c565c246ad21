"""Training of all weights of a stack as a generative model: up-down."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np

from ..backend.array import dense, mean_weights, take_rows
from ..backend.device import namespace, numpy_dtype
from ..backend.labelled_rows import LabelledRows
from ..backend.missing import filled, mean_of_known
from ..backend.parameters import Parameters
from ..backend.parts import Part, Schedule, check_number
from ..backend.random import stream_on
from ..backend.rows import as_rows
from ..backend.types import Array
from ..boltzmann import DBN, RBM, Bernoulli, Sampler, get_sampler
from .checks import check_options, checked_input
from .contrastive import descending, monitored_rows
from .loop import Training, drawn_by_weight, run_epochs
from .machine_gradients import labels_completed, negative_phase
from .optimizers import SGD, Optimizer, get_optimizer
from .state import remembered
from .step import make_step
from .task import Task


class UpDown(Part):
    """How a stack is trained by `up_down`: how long, how fast, by which chains.

    Parameters
    ----------
    max_iter : int, default=10
        Number of epochs. Hinton, Osindero and Teh (2006) had 300.
    optimizer : {"sgd", "adam"}, Optimizer or None, default=None
        None is SGD with momentum 0.5 and a learning rate that falls from 0.05 to 0.
        Larger ones did lasting harm on digits.
    sampler : {"cd", "pcd", "fpcd", "pt"} or Sampler, default="pcd"
        Where the negative phase of the top machine comes from, and the sleep phase
        begins. Of the paper ``CD(((0, 3), (100, 6), (200, 10)), sample_visible=True)``:
        3, 6 and then 10 Gibbs steps that start at the data, a hundred epochs each.
        After such training the machine recognises, but what it dreams of is worse.
    top_rate : float, default=0.05
        Factor of the learning rate of the top machine, which has been trained by itself
        and must let its chains follow. In the paper 1.
    batch_size : int, default=100
        Rows per update.

    Raises
    ------
    ValueError
        When training starts, if a parameter lies outside its range.

    Examples
    --------
    >>> from dbn.training import UpDown
    >>> UpDown(60).max_iter
    60
    """

    def __init__(
        self,
        max_iter: int = 10,
        *,
        optimizer: str | Optimizer | None = None,
        sampler: str | Sampler = "pcd",
        top_rate: float = 0.05,
        batch_size: int = 100,
    ) -> None:
        self.max_iter = max_iter
        self.optimizer = optimizer
        self.sampler = sampler
        self.top_rate = top_rate
        self.batch_size = batch_size

    def validate(self) -> None:
        for name in ("max_iter", "batch_size"):
            check_number(self, name, 1, math.inf, closed=True, kind=Integral)
        check_number(self, "top_rate", 0, math.inf, closed=True)
        get_sampler(self.sampler)
        self.get_optimizer()

    def get_optimizer(self) -> Optimizer:
        """The optimizer that `optimizer` names or is."""
        if self.optimizer is None:
            return SGD(Schedule(0.05, 0.0), momentum=0.5)
        return descending(get_optimizer(self.optimizer))


def up_down(
    dbn: DBN,
    X: Array,
    labels: Array | None = None,
    *,
    rng: Any,
    how: UpDown | None = None,
    max_iter: int | None = None,
    sample_weight: Array = None,
    validate: Callable[[], dict[str, float]] | None = None,
    task: Task | None = None,
    history: list[dict[str, Any]] | None = None,
    state: dict[str, Any] | None = None,
) -> DBN:
    """Train all weights of a stack together, those of the two ways apart; return it.

    For each batch, hidden units are drawn upwards (wake), the top machine makes Gibbs
    steps, and units are drawn downwards from where these end (sleep). The weights of
    the way down learn to predict each layer of the wake phase from the layer above,
    those of the way up each layer of the sleep phase from the layer below, and the top
    machine follows its sampler: Hinton, Osindero and Teh (2006), "A fast learning
    algorithm for deep belief nets", appendix B, where the steps start at the data.
    Where the paper draws the top hidden units for the statistics, here are their means,
    the expectation of the same. In the sleep phase pixels, that is data of Bernoulli
    units alone, have their means, as there, and other data are drawn. Extra parameters
    of units, such as variances, stay, but those of the top machine.

    Parameters
    ----------
    dbn : DBN
        Changed in place: after it the weights are untied.
    X : array, scipy sparse CSR or ScaledRows of shape (n_rows, n_visible)
        In the range of the visible units. NaN counts as the mean of its column.
    labels : array of shape (n_rows, n_classes), optional
        One-hot, for a top machine with `Labels`; NaN is not known, and summed out.
        Default: none is known.
    rng : numpy.random.Generator
    how : UpDown, optional
        Default: ``UpDown()``.
    max_iter : int, optional
        Epochs that are left of it. Default: all.
    sample_weight : array of shape (n_rows,), optional
        As in `train_rbm`.
    validate : callable, optional
        ``validate()`` returns metrics for the history.
    task : Task, optional
    history : list, optional
        Receives a dict per epoch, with the ``"reconstruction_error"`` of a mean-field
        pass up to below the top machine and down.
    state : dict, optional
        As in `train_rbm`.

    Raises
    ------
    ValueError
        If rows, labels or weights do not go together, or an argument is not accepted.
    FloatingPointError
        If training diverges; the stack is then that from before the epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.training import UpDown, pretrain, up_down
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 50, axis=0)
    >>> dbn = pretrain(X, [4, 3], rng=rng)
    >>> up_down(dbn, X, rng=rng, how=UpDown(2)).generative[0].n_hidden
    4
    """
    how = UpDown() if how is None else how
    how.validate()
    n_epochs = how.max_iter if max_iter is None else max_iter
    check_options({"max_iter": n_epochs})
    dtype = numpy_dtype(dbn.rbms[0].W)
    X, labels, sample_weight = checked_input(dtype, X, labels, sample_weight)
    params, X = joined(dbn), as_rows(X)
    state, rng = {} if state is None else state, stream_on(rng, params.flat)
    length = min(how.batch_size, X.shape[0]), n_epochs
    training = Training(rng, *length, "raise", task, history, state)
    optimizer = training.lasting(how.get_optimizer())
    fill, _ = mean_of_known(X, sample_weight)
    watched = filled(dense(take_rows(X, monitored_rows(X.shape[0]))), fill)

    def measure(loss: float | None) -> dict[str, float]:
        error = (dbn.reconstruct_below_top(watched) - watched) ** 2
        found = {"reconstruction_error": float(namespace(error).mean(error))}
        return found | (validate() if validate else {})

    rows = X if labels is None else LabelledRows(X, labels)
    sampler = get_sampler(how.sampler)
    weight = training.weigh(sample_weight, X.shape[0])
    weights = weight, sample_weight
    gradient = _UpDownGradient(dbn, rows, fill, *weights, sampler, state, rng)
    remembered(state, "chains", sampler, gradient.start)
    step = make_step(
        gradient,
        params,
        optimizer=optimizer,
        weight_decay=0.0,
        state=state,
        weight=weight,
        multipliers=_rates(dbn, params.flat, how.top_rate),
    )
    run_epochs(
        step,
        params,
        X,
        training,
        entry={"phase": "up-down"},
        measure=measure,
        name="Up-down",
        advice=f"Lower its learning_rate (now {optimizer.learning_rate}).",
        shares=sampler.shares,
    )
    return dbn


def joined(dbn: DBN) -> Parameters:
    """Untie the weights of a stack, and put all into one buffer that it then views.

    Examples
    --------
    >>> from dbn import RBM
    >>> dbn = DBN([RBM(3, 2), RBM(2, 2)])
    >>> joined(dbn).flat[...] = 1.0
    >>> float(dbn.generative[0].W[0, 0])
    1.0
    """
    dbn.untie()
    machines = _machines(dbn)
    xp = namespace(machines[0].params.flat)
    flat = xp.concat([rbm.params.flat for rbm in machines])
    for rbm, own in zip(machines, _views(machines, flat), strict=True):
        rbm.params = own
    shapes = {
        f"{name}_{i}": shape
        for i, rbm in enumerate(machines)
        for name, shape in rbm.params.shapes.items()
    }
    return Parameters(shapes, flat)


def _machines(dbn: DBN) -> list[RBM]:
    return [*dbn.rbms, *(dbn.generative or [])]


def _views(machines: list[RBM], flat: Array) -> list[Parameters]:
    """Parameters of each machine in one buffer."""
    found, start = [], 0
    for rbm in machines:
        stop = start + rbm.params.flat.shape[0]
        found.append(Parameters(rbm.params.shapes, flat[start:stop]))
        start = stop
    return found


def _rates(
    dbn: DBN, flat: Array, top_rate: float
) -> Callable[[int], tuple[Array, int]] | None:
    """Factors of the moves of all parameters, for `make_step`."""
    if top_rate == 1.0:
        return None
    *below, top = (rbm.params.flat.shape[0] for rbm in dbn.rbms)
    factors = namespace(flat).ones_like(flat)
    factors[sum(below) : sum(below) + top] = top_rate
    n_moving = flat.shape[0] - (0 if top_rate else top)
    return lambda epoch: (factors, n_moving)


@dataclass
class _UpDownGradient:
    """The gradient of a batch, for `make_step`; it moves the chains in `state`."""

    dbn: DBN
    rows: Array
    fill: Array
    weight: Array
    weight_of_starts: Array
    sampler: Sampler
    state: dict[str, Any]
    rng: Any

    def start(self) -> dict[str, Any]:
        """Chains of the top machine, at rows that are drawn upwards."""
        weight = self.weight_of_starts
        weight = np.ones(self.rows.shape[0]) if weight is None else weight
        v, y = self._rows(drawn_by_weight(weight, 1000, self.rng))
        rows, *_ = self._joint(self._wake(v)[-1], y, mean_weights(v))
        return self.sampler.start(self.dbn.rbms[-1], rows, self.rng)

    def _rows(self, rows: Array) -> tuple[Array, Array]:
        """Features and labels of rows; None where there are no labels."""
        labelled = isinstance(self.rows, LabelledRows)
        v = dense(take_rows(self.rows.features if labelled else self.rows, rows))
        y = take_rows(self.rows.labels, rows) if labelled else None
        return filled(v, self.fill), y

    def _wake(self, v: Array) -> list[Array]:
        """Units of all layers below the top one, drawn upwards."""
        found = [v]
        for rbm in self.dbn.rbms[:-1]:
            found.append(rbm.sample_hidden(found[-1], self.rng))
        return found

    def __call__(self, rows: Array, grad: Parameters, epoch: int) -> None:
        grad.flat[...] = 0.0
        weight = None if self.weight is None else take_rows(self.weight, rows)
        v, y = self._rows(rows)
        up = self.dbn.rbms[:-1]
        down = self.dbn.generative or []
        of_up = _views(_machines(self.dbn), grad.flat)
        of_down = of_up[len(up) + 1 :]
        w = mean_weights(v, weight)

        wake = self._wake(v)
        last = self._top(wake[-1], y, w, weight, of_up[len(up)], epoch)
        sleep = [last]
        for i in reversed(range(len(down))):
            # Of pixels the means, as in the paper; of other units they lack all noise.
            if i == 0 and isinstance(down[i].visible, Bernoulli):
                sleep.insert(0, down[i].mean_visible(sleep[0]))
            else:
                sleep.insert(0, down[i].sample_visible(sleep[0], self.rng))
        for (below, above), rbm, own in zip(pairwise(wake), down, of_down, strict=True):
            error = w[:, None] * (rbm.mean_visible(above) - below)
            own["W"][...] = error.T @ above
            own["b"][...] = namespace(error).sum(error, axis=0)
        if not self.sampler.at(epoch).paired:
            w = mean_weights(last)
        learning = zip(pairwise(sleep), up, of_up[: len(up)], strict=True)
        for (below, above), rbm, own in learning:
            error = w[:, None] * (rbm.mean_hidden(below) - above)
            own["W"][...] = below.T @ error
            own["c"][...] = namespace(error).sum(error, axis=0)

    def _top(
        self, f: Array, y: Array, w: Array, weight: Array, out: Parameters, epoch: int
    ) -> Array:
        """Fill the gradient of the top machine; features after its Gibbs steps."""
        top = self.dbn.rbms[-1]
        v, x, h, covariance = self._joint(f, y, w)
        v_neg, h_neg = negative_phase(
            self.sampler, top, (v, x, h), self.state, self.rng, epoch, weight
        )
        weight_neg = weight if self.sampler.at(epoch).paired else None
        top.gradient(
            v, h, v_neg, h_neg, out, weight, weight_neg, label_covariance=covariance
        )
        return v_neg[:, : top.n_features]

    def _joint(
        self, f: Array, y: Array, w: Array
    ) -> tuple[Array, Array, Array, Array | None]:
        """Visible rows of the top machine, total inputs, means, and covariance."""
        top = self.dbn.rbms[-1]
        if top.labels is None:
            x = top.hidden_input(f)
            return f, x, top.hidden.mean(x), None
        y = math.nan * f[:, :1] + 0.0 * top.labels.d if y is None else y
        return labels_completed(top, f, y, w)
