"""The tree of work of a fit, reported to scikit-learn's callbacks."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from sklearn.callback import ProgressBar

from ...backend.progress import bars_shown
from ...backend.types import Array
from ...storage.archive import refusals
from ..distributed import current_workers
from ..task import Task
from .bars import TqdmBars
from .checkpoint import Checkpoint, asked


@dataclass(eq=False)
class FitTask(Task):
    """A task that calls the hooks of the callbacks set on an estimator.

    Parameters
    ----------
    estimator : estimator with callback support
    context : sklearn.callback.CallbackContext
    data : dict
        ``X``, ``y`` and ``metadata`` of the user's call, passed to every hook.
    attributes : callable, optional
        Makes the fitted attributes from which a hook can build a `fitted_estimator`;
        called only when a hook asks. Default: hooks get no estimator.
    root : FitTask, optional
        Of the whole fit; default: this one.
    made_of : tuple
        Of a root: what it trains on, for a `Checkpoint`.
    origin : path, optional
        Of a root: the checkpoint that it goes on from.
    """

    estimator: Any
    context: Any
    data: dict[str, Any]
    attributes: Callable[[], dict[str, Any]] | None = None
    root: "FitTask | None" = None
    made_of: tuple[Any, ...] = ()
    origin: Any = None

    def subtask(
        self,
        name: str,
        n_subtasks: int = 0,
        attributes: Callable[[], dict[str, Any]] | None = None,
    ) -> AbstractContextManager["FitTask"]:
        context = self.context.subcontext(task_name=name, max_subtasks=n_subtasks)
        attributes, root = attributes or self.attributes, self.root or self
        return FitTask(self.estimator, context, self.data, attributes, root).running()

    def _followed(self, items: Iterable[Any], name: str, n_items: int) -> Iterable[Any]:
        """The items as they are: callbacks are told of each, and `TqdmBars` is one."""
        return items

    def show(self, X: Array, y: Array, sample_weight: Array = None) -> None:
        """Let the hooks from here on have these rows."""
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self.data = {"X": X, "y": y, "metadata": metadata}

    def resume(self) -> Any:
        """What a `Checkpoint` callback has saved of the same fit, or None."""
        found = current_workers().from_first(
            lambda: [
                callback.begin(self.estimator, self.context, self.made_of)
                for callback in checkpoints(self.estimator)
            ]
        )
        self.origin, kept = next(filter(None, found), (None, None))
        return kept

    @contextmanager
    def blaming_checkpoint(self) -> Iterator[None]:
        """Raise a ModelFileError where training cannot go on from a checkpoint."""
        try:
            yield
        except Exception as error:
            # Where training has diverged, it says so itself.
            if self.origin is None or isinstance(error, FloatingPointError):
                raise
            with refusals(self.origin):
                raise

    @contextmanager
    def _calling(self) -> Iterator[None]:
        """Call callbacks: what they raise is not the fault of a checkpoint."""
        try:
            yield
        except Exception:
            (self.root or self).origin = None
            raise

    @contextmanager
    def running(self) -> Iterator["FitTask"]:
        """Call the begin hooks, then, unless the work raises, the end hooks."""
        with self._calling():
            self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        yield self
        with self._calling():
            stop = self.context.call_on_fit_task_end(
                estimator=self.estimator,
                reconstruction_attributes=self.attributes,
                **self.data,
            )
        self.stop = current_workers().from_first(lambda: stop)


def checkpoints(estimator: Any) -> list[Checkpoint]:
    """The `Checkpoint` callbacks that are set on an estimator.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> checkpoints(RBMTransformer())
    []
    """
    callbacks = estimator.__dict__.get("_skl_callbacks") or ()
    return [callback for callback in callbacks if isinstance(callback, Checkpoint)]


def is_identified(estimator: Any) -> bool:
    """Whether a fit of the estimator asks what its rows are.

    A `Checkpoint` does, and processes that train together.
    """
    return bool(checkpoints(estimator)) or current_workers().size > 1


def agree(estimator: Any, *made_of: object) -> None:
    """Raise a ValueError unless all processes that train together do the same.

    Parameters
    ----------
    estimator : estimator
        Its parameters are compared.
    *made_of : object
        What it trains on, all of it.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> agree(RBMTransformer(), "one process agrees with itself")
    """
    current_workers().agree(asked(estimator), *made_of)


@contextmanager
def fit_task(
    estimator: Any,
    n_subtasks: int,
    X: Array,
    y: Array = None,
    sample_weight: Array = None,
    attributes: Callable[[], dict[str, Any]] | None = None,
    *,
    made_of: tuple[Any, ...] = (),
) -> Iterator[FitTask]:
    """Root task of one `fit`, with tqdm bars where `verbose` asks for them.

    Parameters
    ----------
    estimator : estimator with callback support
        Its `fit` must be decorated with `sklearn.callback.with_callbacks`.
    n_subtasks : int
    X, y, sample_weight : array-like
        As the user gave them.
    attributes : callable, optional
        See `FitTask`; for the subtasks. When this task ends the estimator is complete.
    made_of : tuple
        What the fit makes of the user's data and trains on: rows, targets, weights,
        validation rows. A `Checkpoint`, and processes that train together, compare it.

    Raises
    ------
    ValueError
        If processes that train together do not agree.
    """
    agree(estimator, *made_of)
    callbacks = estimator.__dict__.get("_skl_callbacks")
    ours, others = (
        any(isinstance(c, cls) for c in callbacks or ())
        for cls in (TqdmBars, ProgressBar)
    )
    lend = bool(estimator.verbose) and current_workers().rank == 0
    lend = lend and not (ours or others)
    if lend:
        estimator._skl_callbacks = [*(callbacks or ()), TqdmBars()]
    try:
        context = estimator._init_callback_context(max_subtasks=n_subtasks)
        root = FitTask(estimator, context, {}, attributes, made_of=made_of)
        root.show(X, y, sample_weight)
        with root.running() as task:
            with task.blaming_checkpoint(), bars_shown((lend or ours) and not others):
                yield task
            task.attributes = dict  # the estimator is complete as it stands
    finally:
        if lend and callbacks is None:
            del estimator._skl_callbacks
        elif lend:
            estimator._skl_callbacks = callbacks
