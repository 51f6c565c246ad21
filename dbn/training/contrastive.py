"""Unsupervised training of one RBM."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..backend.array import dense, take_rows
from ..backend.device import namespace, numpy_dtype, to_host
from ..backend.labelled_rows import LabelledRows
from ..backend.missing import filled, mean_of_known
from ..backend.parts import Schedule
from ..backend.random import stream_on
from ..backend.rows import LazyRows, as_rows, some_rows
from ..backend.types import Array
from ..boltzmann import CD, PCD, RBM, Sampler, Staged, get_sampler
from .budget import of_machine
from .checks import check_options, checked_input
from .loop import Training, drawn_by_weight, run_epochs
from .machine_gradients import ContrastiveGradient, HybridGradient
from .optimizers import SGD, Adam, Optimizer, get_optimizer
from .sparsity import Sparsity, get_sparsity
from .state import remembered
from .step import make_step
from .task import Task

# In so many epochs, or a quarter of a longer training, a machine comes to know the
# classes, and the share that labels learn from rows without one rises to 1.
_RISING_EPOCHS = 20


def default_optimizer(rbm: RBM, sampler: Sampler) -> SGD:
    """The optimizer for a machine's types of units and its sampler.

    The learning rate falls to 0 over the training. For contrastive divergence it starts
    at 0.1, with momentum 0.5 for five epochs and then 0.9 (Hinton 2010, section 9);
    where units have no finite range at 0.005, or 0.03 if only the hidden ones are so,
    and Gaussian. There gradients are cut to `longest_gradient`. Persistent chains
    follow a machine that moves without momentum, at three times the rate (Tieleman
    2008).
    """
    rate, clip_norm = 0.1, None
    if not (rbm.visible.bounded and rbm.hidden.bounded):
        rate = 0.03 if rbm.visible.bounded and rbm.hidden.linear else 0.005
        clip_norm = longest_gradient(rbm.n_visible)
    if not sampler.paired:
        return SGD(Schedule(round(3.0 * rate, 3), 0.0), 0.0, clip_norm=clip_norm)
    momentum = ((0, 0.5), (5, 0.9))
    return SGD(Schedule(rate, 0.0), momentum, clip_norm=clip_norm)


def longest_gradient(n_visible: int) -> float:
    """Where gradients of machines are cut whose units have no finite range.

    One row far from all others can make a step that training does not come back from.
    4 times the root of the number of visible units: half of that slows ordinary
    training down.
    """
    return round(4.0 * math.sqrt(n_visible), 1)


def classifying_optimizer() -> Adam:
    """The optimizer for a machine that learns the class given the features."""
    return Adam(Schedule(0.01, 0.0))


def classifying_top(
    batch_size: int, n_epochs: int, bounded: bool, n_visible: int
) -> dict[str, Any]:
    """Options of `train_rbm` for a top machine with labels.

    Three quarters of the epochs are contrastive divergence, at a rate that falls from
    0.2 to 0, slowly at both ends, and the rest persistent chains, from 0.005 to 0.
    These are for 100 rows, and go with the square root of the batch; where units have
    no finite range, both are 0.075 times as large and gradients are cut.

    Parameters
    ----------
    batch_size, n_epochs : int
    bounded : bool
        Whether the units of its features have one.
    n_visible : int
        Number of its visible units.

    Examples
    --------
    >>> classifying_top(100, 4, True, 30)["sampler"]
    Staged(stages=((0, CD()), (3, PCD())))
    """
    first = max(n_epochs * 3 // 4, 1)
    stages: list[tuple[int, Sampler]] = [(0, CD()), (first, PCD())]
    last = n_epochs - first
    scale = math.sqrt(batch_size / 100) if bounded else 0.075
    falling = Schedule(scale * 0.2, 0.0, epochs=first, kind="cosine")
    rates = [falling(epoch) for epoch in range(first)]
    rates += [scale * 0.005 * (1.0 - epoch / last) for epoch in range(last)]
    return {
        "sampler": Staged(tuple(stages)),
        "optimizer": SGD(
            tuple(enumerate(rates)),
            momentum=((0, 0.9), (first, 0.5)),
            clip_norm=None if bounded else longest_gradient(n_visible),
        ),
        "centering": True,
        "weight_decay": 0.0,
        "batch_size": batch_size,
        "max_iter": n_epochs,
    }


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
    label_rate: float = 1.0,
    label_share: float | Schedule | None = None,
    initial_scale: float = 0.01,
    generative_weight: float = 1.0,
    discriminative_weight: float = 0.0,
    sample_weight: Array = None,
    validate: Callable[[], dict[str, float]] | None = None,
    patience: int | None = None,
    tol: float = 1e-4,
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

    A label that is not known, of a machine with `Labels`, is summed out: the positive
    phase has all classes, with their exact probabilities given the features.

    Parameters
    ----------
    rbm : RBM
        Changed in place. It starts from `RBM.initialize`.
    X : array, scipy sparse CSR, ScaledRows or LabelledRows of shape \
(n_rows, n_visible)
        In the range of the visible units, and with the dtype of the machine, which
        integers and booleans are given. A sparse matrix stays sparse, and rows of a
        file are read batch by batch. NaN, which a sparse matrix must not have, is not
        known, nor is what a masked array hides. Labels are the last columns;
        `LabelledRows` put them beside features that are sparse, or in a file.
    rng : numpy.random.Generator
    sampler : {"cd", "pcd", "fpcd", "pt"} or Sampler, default="cd"
        Where the negative phase comes from.
    optimizer : {"sgd", "adam"}, Optimizer or None, default=None
        None is what `default_optimizer` chooses for the units and the sampler.
    centering : bool, default=False
        Whether to follow the centered gradient, see `RBM.gradient`. Offsets are the
        mean activities on the data, moving by 1 % of each batch; with `sparsity` by as
        much as its average forgets (5 %).
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
    label_rate : float, default=1.0
        Factor of the learning rate of the labels' weights, see `RBM.gradient`: 10 is
        good, with `centering`. Not with an optimizer that scales gradients itself.
    label_share : float, Schedule with `epochs` or None, default=None
        How much the labels' weights and biases learn from a row without a label, whose
        classes are summed out, beside one with a label. What they make of such rows
        before they know the classes they would go on to learn, and it need not be the
        classes. All other parameters learn from every row alike. None rises from 0 to 1
        in 20 epochs, or in the first quarter of a training of more than 80.
    initial_scale : float, default=0.01
        Standard deviation of the weights at the start.
    generative_weight, discriminative_weight : float, default=1 and 0
        Of the two objectives of a machine with labels: the likelihood of rows and
        labels, of which contrastive divergence follows the gradient, and the
        log-probability of the labels given the features, of which it is exact
        (Larochelle and Bengio 2008). The second is that of the labelled rows of a
        batch; where there are rows without a label, of as many labelled ones as the
        batch has rows, drawn anew for it.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows: a batch of all rows weighs them, and of smaller ones an
        epoch has each row as often as its weight says.
    validate : callable, optional
        ``validate()`` returns metrics on rows that are not trained on, for the history.
    patience : int, optional
        Stop when their ``"validation_loss"`` has not fallen by more than `tol` for so
        many epochs, and for 500 updates; the best epoch is what remains.
    tol : float, default=1e-4
    task : Task, optional
        Where progress is reported; default: nowhere.
    history : list, optional
        Receives a dict per epoch: ``"reconstruction_error"`` is the squared error per
        visible unit of a mean-field pass up and down, over 50 to 1000 rows, always the
        same. It can fall while the model gets worse (Hinton 2010, section 5). Of rows
        with unknown values the known ones count, and the pass goes up from means.
        ``"loss"`` is the mean of -log p(label | features) of the epoch's batches, with
        a discriminative weight.
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
        If an argument is not accepted: before anything is changed, a number out of
        its range, weights that are not one for each row, finite, not negative and not
        all 0, or `patience` without `validate`. If training begins and a column has no
        known value, or `label_share` is a schedule that ends with the fit.
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
    check_options(locals())
    X, _, sample_weight = checked_input(numpy_dtype(rbm.W), X, weight=sample_weight)
    X, rng = _parts(as_rows(X), rbm, discriminative_weight), stream_on(rng, rbm.W)
    sampler, state = get_sampler(sampler), {} if state is None else state
    optimizer = get_optimizer(optimizer or default_optimizer(rbm, sampler))
    length = of_machine(sampler).resolved(X.shape[0], batch_size, max_iter)
    asked = *length, on_divergence, task, history, state, patience, "validation_loss"
    training = Training(rng, *asked, tol)
    optimizer = training.lasting(descending(optimizer))
    weight = training.weigh(sample_weight, X.shape[0])
    incomplete = _begin(rbm, X, sample_weight, sampler, rng, state, initial_scale)
    # All epochs, with those before an interruption.
    of_labels = label_rate, _share_of(label_share, state.get("epoch", 0) + length[1])
    parts = sampler, centering, l1, get_sparsity(sparsity), *of_labels
    gradient: Callable[..., Any] = ContrastiveGradient(
        rbm, X, incomplete, weight, state, rng, *parts
    )
    if discriminative_weight:
        options = sample_weight, generative_weight, discriminative_weight
        gradient = HybridGradient(rbm, X, weight, state, rng, gradient, *options)
    monitored = dense(take_rows(X, monitored_rows(X.shape[0])))

    def measure(loss: float | None) -> dict[str, float]:
        metrics = {} if loss is None else {"loss": loss}
        if generative_weight:
            metrics["reconstruction_error"] = _error_of_pass(rbm, monitored, state)
        return metrics | (validate() if validate else {})

    step = make_step(
        gradient,
        rbm.params,
        optimizer=optimizer,
        weight_decay=weight_decay,
        state=state,
        weight=weight,
    )
    run_epochs(
        step,
        rbm.params,
        X.features if isinstance(X, LabelledRows) else X,
        training,
        entry={"phase": "pretrain", "layer": layer},
        measure=measure,
        name=f"Layer {layer}",
        advice=f"Lower the RBM's learning_rate (now {_in_words(optimizer)}).",
        shares=sampler.shares,
    )
    return rbm


def _in_words(optimizer: Optimizer) -> str:
    rate = optimizer.learning_rate
    if isinstance(rate, tuple) and len(rate) > 5:
        return f"from {rate[0][1]:.3g} to {rate[-1][1]:.3g} in {len(rate)} steps"
    return str(rate)


def _share_of(share: float | Schedule | None, n_epochs: int) -> float | Schedule:
    if share is None:
        return Schedule(0.0, 1.0, epochs=max(_RISING_EPOCHS, n_epochs // 4))
    if isinstance(share, Schedule) and share.epochs is None:
        raise ValueError(f"label_share is {share}; give the schedule its epochs.")
    return share


def _parts(X: Array, rbm: RBM, discriminative_weight: float) -> Array:
    """`X`, its labels told apart from its features where the machine has labels."""
    if discriminative_weight and rbm.labels is None:
        raise ValueError(
            f"discriminative_weight={discriminative_weight} is for a machine with "
            f"Labels, and {rbm!r:.300} has none. Leave it at 0, or give it visible "
            "units such as Mixed(((Bernoulli(), 784), (Labels(10), 10)))."
        )
    if rbm.labels is None or isinstance(X, LabelledRows):
        return X
    if issparse(X) or isinstance(X, LazyRows):
        raise ValueError(
            f"{type(X).__name__} rows with labels come in parts: pass "
            "dbn.backend.labelled_rows.LabelledRows(features, labels)."
        )
    return LabelledRows(X[:, : rbm.n_features], X[:, rbm.n_features :])


def _begin(
    rbm: RBM,
    X: Array,
    weight: Array,
    sampler: Sampler,
    rng: Any,
    state: dict[str, Any],
    scale: float,
) -> bool:
    """Start machine, means and chains where there are none; are there unknown values?

    Labels that are not known do not count: they are summed out.
    """
    labelled = isinstance(X, LabelledRows)
    v_mean, incomplete = X.means(weight) if labelled else mean_of_known(X, weight)
    if "means" not in state:
        if incomplete or labelled:
            _check_means(v_mean)
        rbm.initialize(rng, v_mean, scale)
        # Moving mean activities: offsets of centering, and for sparsity. And what is
        # put in place of unknown values before they are drawn.
        state["means"] = v_mean, rbm.mean_hidden(v_mean[None, :])[0, ...]
    if incomplete and labelled:
        state.setdefault("fill", 1.0 * state["means"][0])

    def start() -> dict[str, Any]:
        complete, fill = X, state["means"][0]
        if labelled:
            features, n = X.features, rbm.n_features
            if incomplete:
                features = filled(features[:, ...], fill[:n])
            complete = LabelledRows(features, X.labels).filled(fill[n:])
        elif incomplete:
            complete = filled(X[:, ...], fill)
        if weight is not None and not isinstance(sampler, CD):
            complete = take_rows(complete, drawn_by_weight(weight, 1000, rng))
        return sampler.start(rbm, complete, rng)

    remembered(state, "chains", sampler, start)
    return bool(incomplete)


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


def _error_of_pass(rbm: RBM, rows: Array, state: dict[str, Any]) -> float:
    """Squared error of a pass up and down, of known values; means stand for others."""
    xp, known = namespace(rows), rows == rows
    if xp.all(known):
        return float(xp.mean((rbm.mean_visible(rbm.mean_hidden(rows)) - rows) ** 2))
    v = filled(rows, state["means"][0])
    error = (rbm.mean_visible(rbm.mean_hidden(v)) - v) ** 2
    total = float(xp.sum(xp.where(known, error, 0.0)))
    return total / max(1, int(xp.count_nonzero(known)))


def monitored_rows(n_rows: int) -> Array:
    """Indices of rows: enough for a mean, and few beside the work of an epoch."""
    return some_rows(n_rows, min(1000, max(50, n_rows // 40)))
