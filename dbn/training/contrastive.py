"""Unsupervised training of one RBM."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend.array import dense, mean_weights, take_rows
from ..backend.device import namespace, to_host
from ..backend.missing import filled, mean_of_known
from ..backend.parameters import Parameters
from ..backend.parts import Part, Schedule, check_number
from ..backend.random import stream_on
from ..backend.rows import as_rows
from ..backend.types import Array
from ..boltzmann import RBM, Sampler, get_sampler
from .budget import of_machine
from .distributed import current_workers
from .loop import Training, run_epochs
from .optimizers import SGD, Optimizer, get_optimizer
from .state import remembered
from .step import make_step
from .task import Task


class Sparsity(Part):
    """Draws the mean activity of every hidden unit to a target.

    The penalty is the cross-entropy between the target and a moving average q of the
    activity: its gradient by the total input of a unit is q - target, for its bias and,
    times the mean of the visible units, for its weights (Hinton 2010, section 11).

    Parameters
    ----------
    target : float, default=0.1
        Mean activity in (0, 1).
    cost : float, default=0.1
        Weight of the penalty.
    decay : float, default=0.95
        Of the moving average, per batch, in [0, 1).

    Raises
    ------
    ValueError
        When training starts, if a parameter lies outside its range.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> from dbn.training import Sparsity
    >>> RBMTransformer(sparsity=Sparsity(0.05, cost=0.2)).sparsity
    Sparsity(cost=0.2, target=0.05)
    """

    def __init__(
        self, target: float = 0.1, *, cost: float = 0.1, decay: float = 0.95
    ) -> None:
        self.target = target
        self.cost = cost
        self.decay = decay

    def validate(self) -> None:
        check_number(self, "target", 0, 1)
        check_number(self, "cost", 0, math.inf)
        check_number(self, "decay", 0, 1, closed=True)

    def add_gradient(self, grad: Parameters, v_mean: Array, h_mean: Array) -> None:
        """Add the penalty's gradient at mean visible and hidden activities."""
        slope = self.cost * (h_mean - self.target)
        grad["c"][...] += slope
        grad["W"][...] += v_mean[:, None] * slope[None, :]


def get_sparsity(sparsity: float | Sparsity | None) -> Sparsity | None:
    """Return a `Sparsity` for itself or for a target; None for None.

    Parameters
    ----------
    sparsity : float, Sparsity or None

    Raises
    ------
    ValueError
        If the target or another parameter lies outside its range.
    """
    if sparsity is None:
        return None
    part = sparsity if isinstance(sparsity, Sparsity) else Sparsity(sparsity)
    part.validate()
    return part


def default_optimizer(rbm: RBM, sampler: Sampler) -> SGD:
    """The optimizer for a machine's types of units and its sampler.

    The learning rate falls to 0 over the training. For contrastive divergence it starts
    at 0.1, with momentum 0.5 for five epochs and then 0.9 (Hinton 2010, section 9);
    where units have no finite range at 0.005, or 0.03 if only the hidden ones are so,
    and Gaussian. Persistent chains follow a machine that moves without momentum, at
    three times the rate (Tieleman 2008).
    """
    rate = 0.1
    if not (rbm.visible.bounded and rbm.hidden.bounded):
        rate = 0.03 if rbm.visible.bounded and rbm.hidden.linear else 0.005
    if not sampler.paired:
        return SGD(Schedule(round(3.0 * rate, 3), 0.0), momentum=0.0)
    return SGD(Schedule(rate, 0.0), momentum=((0, 0.5), (5, 0.9)))


def train_rbm(
    rbm: RBM,
    X: Array,
    *,
    rng: Any,
    sampler: str | Sampler = "cd",
    optimizer: str | Optimizer | None = None,
    centering: bool = False,
    weight_decay: float = 2e-4,
    l1: float = 0.0,
    sparsity: float | Sparsity | None = None,
    batch_size: int | str = "auto",
    max_iter: int | str = "auto",
    on_divergence: str = "raise",
    sample_weight: Array = None,
    task: Task | None = None,
    history: list[dict[str, Any]] | None = None,
    layer: int = 0,
    state: dict[str, Any] | None = None,
) -> RBM:
    """Initialize a machine from the data and train it; return the machine.

    A NaN in X is a value that is not known. In every batch such values are drawn given
    those that are known, from the machine as it stands: the column's mean is put in
    their place, and one Gibbs step follows in which the known values keep theirs. The
    completed rows are the data of that update. This is stochastic EM (Celeux and
    Diebolt 1985) with one step in place of an exact draw; Salakhutdinov, Mnih and
    Hinton (2007), "Restricted Boltzmann machines for collaborative filtering", leave
    out the units of unknown values instead.

    Parameters
    ----------
    rbm : RBM
        Changed in place. It starts from `RBM.initialize`.
    X : array, scipy sparse CSR or ScaledRows of shape (n_rows, n_visible)
        In the range of the visible units, and with the dtype of the machine. A sparse
        matrix stays sparse, and rows of a file are read batch by batch. NaN, which a
        sparse matrix must not have, is not known.
    rng : numpy.random.Generator
    sampler : {"cd", "pcd", "fpcd", "pt"} or Sampler, default="cd"
        Where the negative phase comes from.
    optimizer : {"sgd", "adam"}, Optimizer or None, default=None
        None is what `default_optimizer` chooses for the units and the sampler.
    centering : bool, default=False
        Whether to follow the centered gradient, see `RBM.gradient`. Offsets are the
        mean activities on the data, moving by 1 % of each batch.
    weight_decay, l1 : float, default=2e-4 and 0
        lambda of lambda / 2 ||W||^2 and of ``lambda sum |W|``, added to the mean loss;
        biases are free.
    sparsity : float, Sparsity or None, default=None
        Mean activity that hidden units are drawn to, see `Sparsity`.
    batch_size, max_iter : int or "auto", default="auto"
        Rows per update and number of epochs. "auto" is a thirtieth of the rows, but
        10 to 100 of them, and as many epochs as make 1500 updates (3000 with
        persistent chains), but 8 to 100.
    on_divergence : {"raise", "halve"}, default="raise"
        What to do when numbers are not finite any more: raise an error, or repeat the
        epoch with half the learning rate (up to 30 times) and go on with that, which
        `history` tells as ``"learning_rate_factor"``.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows in both phases.
    task : Task, optional
        Where progress is reported; default: nowhere.
    history : list, optional
        Receives a dict per epoch: ``"reconstruction_error"`` is the squared error per
        visible unit of a mean-field pass up and down, over 50 to 1000 evenly spaced
        rows. It can fall while the model gets worse (Hinton 2010, section 5). Of rows
        with unknown values the known ones count, and the pass goes up from means.
    layer : int, default=0
        Position in a stack, for `history` and errors.
    state : dict, optional
        Pass an empty dict to keep what training remembers (chains, moments, moving
        means, number of epochs, see `dbn.training.state.TrainingState`), and the same
        dict again, with the trained machine, to go on from there: the epochs of
        schedules and `history` count on.

    Raises
    ------
    ValueError
        If training begins and a column has no known value.
    FloatingPointError
        If training diverges; the machine keeps its parameters from before the epoch in
        which it happened.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> from dbn.training import train_rbm
    >>> X = np.repeat([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 50, axis=0)
    >>> rng = np.random.default_rng(0)
    >>> rbm = train_rbm(RBM(3, 2), X, rng=rng, batch_size=10, max_iter=50)
    >>> energies = rbm.free_energy(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))
    >>> bool(energies[0] < energies[1])  # the pattern seen is the likelier one
    True
    """
    X, rng = as_rows(X), stream_on(rng, rbm.W)
    sampler, state = get_sampler(sampler), {} if state is None else state
    optimizer = get_optimizer(optimizer or default_optimizer(rbm, sampler))
    length = of_machine(sampler).resolved(X.shape[0], batch_size, max_iter)
    training = Training(rng, *length, on_divergence, task, history, state)
    optimizer = training.lasting(descending(optimizer))
    v_mean, incomplete = mean_of_known(X, sample_weight)
    if "means" not in state:
        if incomplete:
            _check_means(v_mean)
        rbm.initialize(rng, v_mean)
        # Moving mean activities: offsets of centering, and for sparsity. And what is
        # put in place of unknown values before they are drawn.
        state["means"] = v_mean, rbm.mean_hidden(v_mean[None, :])[0, ...]

    def start() -> dict[str, Any]:
        complete = filled(X[:, ...], state["means"][0]) if incomplete else X
        return sampler.start(rbm, complete, rng)

    remembered(state, "chains", sampler, start)
    penalty = get_sparsity(sparsity)
    of_rows = rbm, X, incomplete, sample_weight
    gradient = _Gradient(*of_rows, state, rng, sampler, centering, l1, penalty)
    monitored = dense(take_rows(X, monitored_rows(X.shape[0])))

    def measure(loss: float | None) -> dict[str, float]:
        fill = state["means"][0] if incomplete else None
        return {"reconstruction_error": _reconstruction_error(rbm, monitored, fill)}

    step = make_step(
        gradient,
        rbm.params,
        optimizer=optimizer,
        weight_decay=weight_decay,
        state=state,
        weight=sample_weight,
    )
    run_epochs(
        step,
        rbm.params,
        X,
        training,
        entry={"phase": "pretrain", "layer": layer},
        measure=measure,
        name=f"Layer {layer}",
        advice=f"Lower the RBM's learning_rate (now {optimizer.learning_rate}).",
        shares=sampler.shares,
    )
    return rbm


def descending(optimizer: Optimizer) -> Optimizer:
    """Return an optimizer that needs no loss.

    Raises
    ------
    ValueError
        If it needs one.

    Examples
    --------
    >>> descending(SGD(0.1)).momentum
    0.9
    """
    if optimizer.searches:
        raise ValueError(
            f"{optimizer!r} searches along lines and needs a loss, which contrastive "
            "divergence does not have. Use SGD, RMSProp or Adam for an RBM."
        )
    return optimizer


def _check_means(mean: Array) -> None:
    """Raise a ValueError if a column has no mean, because no value is known."""
    empty = np.flatnonzero(np.isnan(to_host(mean))).tolist()
    if empty:
        raise ValueError(
            f"Of {mean.shape[0]} columns of X, {empty} have no known value in any row "
            "(all are NaN). Leave those columns out."
        )


def _reconstruction_error(rbm: RBM, rows: Array, fill: Array) -> float:
    """Of a pass up and down; with `fill`, of the known values of rows filled so."""
    v = rows if fill is None else filled(rows, fill)
    error, xp = (rbm.mean_visible(rbm.mean_hidden(v)) - v) ** 2, namespace(v)
    if fill is None:
        return float(xp.mean(error))
    known = ~xp.isnan(rows)
    total = float(xp.sum(xp.where(known, error, 0.0)))
    return total / max(1, int(xp.count_nonzero(known)))


@dataclass
class _Gradient:
    """The gradient of a batch; it moves the chains and the means in `state`."""

    rbm: RBM
    X: Array
    incomplete: bool
    weight: Array
    state: dict[str, Any]
    rng: Any
    sampler: Sampler
    centering: bool
    l1: float
    sparsity: Sparsity | None

    def __call__(self, rows: Array, grad: Parameters, epoch: int) -> None:
        rbm, v = self.rbm, take_rows(self.X, rows)
        if self.incomplete:
            v = self._completed(v)
        weight = None if self.weight is None else take_rows(self.weight, rows)
        x = rbm.hidden_input(v)
        h = rbm.hidden.mean(x)
        chains, means = self.state["chains"], self.state["means"]
        chains["epoch"] = epoch
        v_neg, h_neg, self.state["chains"] = self.sampler.negative(
            rbm, v, x, h, chains, self.rng
        )
        if self.centering or self.sparsity:
            self._move_means(v, h, weight)
        offsets = means if self.centering else None
        weight_neg = weight if self.sampler.paired else None
        rbm.gradient(v, h, v_neg, h_neg, grad, weight, weight_neg, offsets)
        if self.l1:
            grad["W"][...] += self.l1 * namespace(rbm.W).sign(rbm.W)
        if self.sparsity:
            self.sparsity.add_gradient(grad, *means)

    def _completed(self, v: Array) -> Array:
        """Rows with their unknown values drawn given those that are known."""
        known = ~namespace(v).isnan(v)
        v = filled(v, self.state["means"][0])
        return self.rbm.gibbs(v, self.rng, clamped=known)

    def _move_means(self, v: Array, h: Array, weight: Array) -> None:
        rate = 1.0 - self.sparsity.decay if self.sparsity else 0.01
        w = mean_weights(v, weight)
        for mean, rows in zip(self.state["means"], (v, h), strict=True):
            mean += rate * (w @ rows - mean)
        current_workers().mean(*self.state["means"])


def monitored_rows(n_rows: int) -> Array:
    """Evenly spaced indices: enough for a mean, and few beside the work of an epoch."""
    n_monitored = min(1000, max(50, n_rows // 40))
    return np.arange(0, n_rows, -(-n_rows // n_monitored))
