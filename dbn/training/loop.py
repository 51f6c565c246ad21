"""The one epoch loop, for RBMs and networks alike."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, TypeVar

import numpy as np

from ..backend.array import count_not_finite
from ..backend.device import beside, to_host
from ..backend.parameters import Parameters
from ..backend.parts import Part
from ..backend.progress import tracked
from ..backend.random import renew
from ..backend.rows import even_batches
from ..backend.threads import element_threads, n_blas_threads, one_blas_thread
from ..backend.types import Array
from .distributed import current_workers
from .task import Task

AnyPart = TypeVar("AnyPart", bound=Part)


@dataclass
class Training:
    """What machines and nets are asked alike: how long, who is told, what is kept.

    Parameters
    ----------
    rng : numpy.random.Generator
        For the shuffles.
    batch_size, max_iter : int
        Rows per update, of which the last batch of an epoch may have less, and number
        of epochs.
    on_divergence : {"raise", "halve"}, default="raise"
        "halve" repeats the epoch with half the learning rate, up to 30 times, from the
        third on with the parameters of the beginning, and goes on with that. The
        history tells the factor, as ``"learning_rate_factor"``.
    task : Task, optional
        Where progress is reported; default: nowhere.
    history : list, optional
        Receives a dict per epoch.
    state : TrainingState, optional
        What training remembers. Empty at first; with that of an earlier call, training
        goes on.
    patience : int, optional
        Stop when the loss has not fallen by more than `tol` for so many epochs, and for
        500 updates. Not before it is below that of a constant prediction: a deep net
        may rest there for long.
    watch : {"loss", "validation_loss"}, default="loss"
        Which one. With that of validation the epoch with the least one remains.
    tol : float, default=0.0
    constant : float, default=inf
        Loss of the best constant prediction.
    drawn_by : array of shape (n_rows,), optional
        Weights by which an epoch draws its rows; see `weigh`.

    Examples
    --------
    >>> Training(np.random.default_rng(0), batch_size=100, max_iter=3).state
    {}
    """

    rng: Any
    batch_size: int
    max_iter: int
    on_divergence: str = "raise"
    task: Task | None = None
    history: list[dict[str, Any]] | None = None
    state: dict[str, Any] = field(default_factory=dict)
    patience: int | None = None
    watch: str = "loss"
    tol: float = 0.0
    constant: float = math.inf
    drawn_by: Array = None

    def weigh(self, weight: Array, n_rows: int) -> Array:
        """The weights that count in the gradient of a batch, which is one of all rows.

        Of smaller batches, weighed each by itself, light rows would count in full
        wherever no heavy one is beside them: an epoch has every row as often as its
        weight says, `drawn_by`, and all of them count alike.
        """
        if weight is None or self.batch_size >= n_rows:
            return weight
        self.drawn_by = weight
        return None

    def lasting(self, part: AnyPart) -> AnyPart:
        """`part`, its schedules without an end of their own ending with this fit.

        A training that ends where the last one was to end goes on with it, after an
        interruption; any other begins such schedules anew.
        """
        if not part.open_schedules:
            return part
        done = self.state.get("epoch", 0)
        first, last = self.state.get("span", (0, -1))
        if last != done + self.max_iter:
            first, last = self.state["span"] = done, done + self.max_iter
        return part.within(first, last - first)


def _threads(params: Parameters, batch_size: int) -> AbstractContextManager[Any]:
    """Context with one BLAS thread where the products are too small to share.

    Below about 2 million multiply-adds a second thread gains little, and on a busy
    machine it was seen to cost a factor of 8, waiting for its partner. Otherwise long
    vectors are shared among as many threads as the products.
    """
    if not isinstance(params.flat, np.ndarray):
        return nullcontext()
    largest = max(math.prod(shape) for shape in params.shapes.values())
    if largest * batch_size < 2**21:
        return one_blas_thread()
    return element_threads(n_blas_threads())


def _keep_freed_memory() -> None:
    """Keep the memory of temporary arrays in the process, up to 64 MB.

    With glibc an array above 128 kB comes from the operating system in fresh pages and
    goes back to it, until one as large as this was freed. At batch 500 those pages were
    a quarter of the time of training. Other allocators do not care.
    """
    np.empty(2**25 - 2**13, dtype=np.uint8)  # the limit of glibc's rule is 2**25


def run_epochs(
    step: Callable[[Array, int], Array],
    params: Parameters,
    X: Array,
    training: Training,
    *,
    entry: dict[str, Any],
    measure: Callable[[float | None], dict[str, Any]],
    name: str,
    advice: str,
    statistics: Parameters | None = None,
    shares: Callable[..., Any] | None = None,
) -> None:
    """Run epochs of shuffled minibatches.

    Parameters
    ----------
    step : callable
        See `dbn.training.step.make_step`.
    params : Parameters
        What is trained.
    X : array, scipy sparse CSR or LazyRows of shape (n_rows, n_features)
        What `step` takes rows of.
    training : Training
    entry : dict
        What every entry of the history begins with: phase and layer.
    measure : callable
        ``measure(loss)`` makes the metrics of an epoch from its mean loss, or None.
    name, advice : str
        What is trained, and what to do when it diverges.
    shares : callable, optional
        What processes do with the chains in the state, see `dbn.boltzmann.Sampler`.
    statistics : Parameters, optional
        What else belongs to the model and moves while it is trained.

    Raises
    ------
    FloatingPointError
        If a parameter or a metric is not finite in an epoch. Parameters and state are
        then those from before it, and likewise after a KeyboardInterrupt.
    ValueError
        If several processes cannot share the work, see `data_parallel`; or if patience
        watches what is not measured.
    """
    workers, rng, state = current_workers(), training.rng, training.state
    workers.check_batches(training.batch_size)
    arrays = [params.flat] if statistics is None else [params.flat, statistics.flat]
    history = [] if training.history is None else training.history
    shared = rng, state, arrays, X.shape[0], shares
    done, over, wrong = state.setdefault("epoch", 0), False, None
    halves = training.on_divergence == "halve"
    origin = copy.deepcopy((arrays, state)) if halves else None
    _keep_freed_memory()
    # After a `break` the task of the last epoch would not end.
    n_epochs = training.max_iter
    n_updates = math.ceil(X.shape[0] / training.batch_size)  # of an epoch
    epochs = takewhile(lambda _: not over, range(done, done + n_epochs))
    with _threads(params, training.batch_size // workers.size):
        for epoch, _ in (training.task or Task()).steps(epochs, "epoch", n_epochs):
            with _whole(arrays, state, history, origin) as tries:
                for _ in tries:
                    # Overflow shows as a divergence, reported once and in words.
                    with np.errstate(all="ignore"):
                        with workers.epoch(*shared) as shuffles:
                            renew(rng, epoch)
                            groups = _shuffled(
                                X, params.flat, shuffles, training.drawn_by
                            )
                            batches = even_batches(groups, training.batch_size)
                            about = f"epoch {epoch}", "batch", n_updates
                            followed = tracked(batches, *about)
                            loss = run_epoch(step, epoch, params, followed)
                        metrics, wrong = _judged(params, measure, loss)
                    if not wrong:
                        break
                else:
                    raise FloatingPointError(
                        f"{name} diverged: {wrong} in epoch {epoch}; the parameters "
                        f"from before it are kept. {advice}"
                    )
                if "rate" in state.get("optimizer", {}):
                    metrics["learning_rate_factor"] = state["optimizer"]["rate"]
                state["epoch"] = epoch + 1
                history.append({**entry, "epoch": epoch, **metrics})
                if training.patience is not None:
                    over = _is_over(training, metrics, arrays, n_updates)
    keeps = training.patience is not None and training.watch == "validation_loss"
    if keeps and "best" in state:
        _restore(arrays, state["best"]["arrays"])


def drawn_by_weight(weight: Array, n: int, rng: Any) -> Array:
    """Numbers of `n` rows, each as often as its weight says, to within one.

    Systematic sampling: on average it is as often as that. It goes through the rows in
    a random order, since as they lie classes may take turns: of every third row it
    would then draw one class alone.

    Examples
    --------
    >>> rows = drawn_by_weight(np.array([1.0, 0.0, 3.0]), 8, np.random.default_rng(0))
    >>> np.bincount(rows).tolist()
    [2, 0, 6]
    """
    weight = to_host(weight)
    order = to_host(rng.permutation(len(weight)))
    steps = np.cumsum(weight[order], dtype=np.float64)
    places = (np.arange(n) + rng.random()) * (steps[-1] / n)
    return order[np.minimum(np.searchsorted(steps, places, "right"), len(steps) - 1)]


def _shuffled(X: Array, theta: Array, rng: Any, weight: Array) -> Any:
    """Numbers of all rows in a new order, as arrays one after the other."""
    n_rows = X.shape[0]
    rows = None if weight is None else drawn_by_weight(weight, n_rows, rng)
    in_file = hasattr(X, "shuffled")  # which knows rows that lie together
    groups = X.shuffled(rng) if in_file else [rng.permutation(n_rows)]
    if rows is not None:
        counts = np.bincount(rows, minlength=n_rows)
        groups = (rng.permutation(np.repeat(g, counts[g])) for g in groups)
    # They lie where the rows do: a batch has none to send.
    return groups if in_file else [beside(group, theta) for group in groups]


# Updates between two looks for a divergence: less than 1 % of their time.
_UPDATES_PER_CHECK = 100


def run_epoch(
    step: Callable[[Array, int], Array],
    epoch: int,
    params: Parameters,
    batches: Iterable[Array],
) -> float | None:
    """One pass over batches of rows; the mean loss, or None.

    It ends early when parameters are not finite any more.
    """
    total, n_rows, theta = None, 0, params.flat
    for i, rows in enumerate(batches):
        loss = step(rows, epoch)
        if loss is not None:
            total = loss * rows.shape[0] + (0.0 if total is None else total)
            n_rows += rows.shape[0]
        looks = i % _UPDATES_PER_CHECK == 0 and isinstance(theta, np.ndarray)
        # One product, in which anything that is not finite shows, comes first; of a
        # device its result would have to be awaited.
        if looks and not math.isfinite(theta @ theta) and count_not_finite(theta):
            break
    return None if total is None else float(total) / n_rows


def _judged(
    params: Parameters,
    measure: Callable[[float | None], dict[str, Any]],
    loss: float | None,
) -> tuple[dict[str, Any], str | None]:
    """Metrics of an epoch, and what is not finite, in words; None if all is."""
    if n_bad := count_not_finite(params.flat):
        return {}, f"{n_bad} of {params.flat.shape[0]} parameters are not finite"
    metrics = current_workers().from_first(lambda: measure(loss))
    bad = (f"the {k} is {v}" for k, v in metrics.items() if not math.isfinite(v))
    return metrics, next(bad, None)


@contextmanager
def _whole(
    arrays: list[Array], state: dict[str, Any], history: list[Any], origin: Any
) -> Iterator[Iterator[None]]:
    """Context of an epoch, of which nothing is left when it does not come to its end.

    Yields what to loop over to try it, see `_tries`.
    """
    before, n_entries = copy.deepcopy((arrays, state)), len(history)
    try:
        yield _tries(arrays, state, before, origin)
    except BaseException:  # Ctrl-C too
        _go_back(arrays, state, before)
        del history[n_entries:]
        raise


_MAX_HALVINGS = 30


def _tries(
    arrays: list[Array], state: dict[str, Any], before: Any, origin: Any
) -> Iterator[None]:
    """Yield for every try of an epoch, of which there is one without `origin`.

    With it, arrays and state of the beginning, each further one has half the learning
    rate, which stays: twice from before the epoch, and then, because that may be too
    late, from the beginning.
    """
    yield
    for n_halvings in range(1, _MAX_HALVINGS + 1 if origin else 1):
        _go_back(arrays, state, before if n_halvings < 3 else origin)
        rate = before[1]["optimizer"].get("rate", 1.0)
        state["optimizer"]["rate"] = rate * 0.5**n_halvings
        yield


def _go_back(arrays: list[Array], state: dict[str, Any], kept: Any) -> None:
    _restore(arrays, kept[0])
    state.clear()
    state.update(copy.deepcopy(kept[1]))


def _restore(arrays: list[Array], kept: list[Array]) -> None:
    for array, values in zip(arrays, kept, strict=True):
        array[...] = values


# A loss that has fallen less than this below that of a constant prediction rests on
# its first plateau.
_LEFT_PLATEAU = 0.98
# Epochs of a small table are short: so many updates without progress at the least.
_PATIENT_UPDATES = 500


def _is_over(
    training: Training,
    metrics: dict[str, Any],
    arrays: list[Array],
    n_updates: int,
) -> bool:
    """Keep the best epoch; whether the loss has not fallen for too long."""
    best = training.state.setdefault(
        "best", {"least": math.inf, "bar": math.inf, "waited": 0, "over": False}
    )
    if training.watch not in metrics:
        raise ValueError(
            f"patience watches {training.watch!r}, and the metrics of an epoch are "
            f"{[*metrics]}. Let validate() return a dict with {training.watch!r}."
        )
    loss = metrics[training.watch]
    if training.watch == "validation_loss" and loss < best["least"]:
        best["least"], best["arrays"] = loss, [1.0 * a for a in arrays]
    best["waited"] += 1
    plateau = _LEFT_PLATEAU * training.constant
    # To leave the plateau is progress, however large `tol` is beside the loss.
    if loss < best["bar"] - training.tol or loss < plateau <= best["bar"]:
        best["bar"], best["waited"] = loss, 0
    # Of rows that are not trained on it may never fall so low.
    left = min(best["bar"], metrics.get("loss", math.inf)) < plateau
    best["over"] = bool(
        best["waited"] >= training.patience
        and best["waited"] * n_updates >= _PATIENT_UPDATES
        and left
    )
    return bool(best["over"])
