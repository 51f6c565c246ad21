"""The tree of work of a fit, reported to scikit-learn's callbacks."""

from contextlib import contextmanager

from sklearn.callback import ProgressBar

from ...storage.archive import refusals
from ..distributed import current_workers
from ..task import Task
from .bars import TqdmBars
from .checkpoint import Checkpoint, asked


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
    """

    def __init__(self, estimator, context, data, attributes=None, root=None):
        self.estimator = estimator
        self.context = context
        self.data = data
        self.attributes = attributes
        self.root = root or self
        self.made_of = ()  # of a root: what it trains on, for a `Checkpoint`
        self.origin = None  # of a root: the checkpoint that it goes on from

    @contextmanager
    def subtask(self, name, n_subtasks=0, attributes=None):
        context = self.context.subcontext(task_name=name, max_subtasks=n_subtasks)
        attributes = attributes or self.attributes
        task = FitTask(self.estimator, context, self.data, attributes, self.root)
        with task.running():
            yield task

    def show(self, X, y, sample_weight=None):
        """Let the hooks from here on have other rows than the user's."""
        self.data = _data(X, y, sample_weight)

    def resume(self):
        """What a `Checkpoint` callback has saved of the same fit, or None."""
        found = [
            callback.begin(self.estimator, self.context, self.made_of)
            for callback in checkpoints(self.estimator)
        ]
        self.origin, kept = next(filter(None, found), (None, None))
        return kept

    @contextmanager
    def blaming_checkpoint(self):
        """Raise a ModelFileError where training cannot go on from a checkpoint."""
        try:
            yield
        except FloatingPointError:  # training has diverged, and says so
            raise
        except Exception:
            if self.origin is None:
                raise
            with refusals(self.origin):
                raise

    @contextmanager
    def _calling(self):
        """Call callbacks: what they raise is not the fault of a checkpoint."""
        try:
            yield
        except Exception:
            self.root.origin = None
            raise

    @contextmanager
    def running(self):
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


def checkpoints(estimator):
    """The `Checkpoint` callbacks that are set on an estimator.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> checkpoints(RBMTransformer())
    []
    """
    callbacks = estimator.__dict__.get("_skl_callbacks") or ()
    return [callback for callback in callbacks if isinstance(callback, Checkpoint)]


def is_identified(estimator):
    """Whether a fit of the estimator asks what its rows are.

    A `Checkpoint` does, and processes that train together.
    """
    return bool(checkpoints(estimator)) or current_workers().size > 1


def agree(estimator, *made_of):
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


def _data(X, y, sample_weight):
    """What hooks are called with."""
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return {"X": X, "y": y, "metadata": metadata}


@contextmanager
def fit_task(
    estimator,
    n_subtasks,
    X,
    y=None,
    sample_weight=None,
    attributes=None,
    *,
    made_of=(),
):
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
    bars = (ProgressBar, TqdmBars)
    shown = estimator.verbose and current_workers().rank == 0
    lend = shown and not any(isinstance(c, bars) for c in callbacks or ())
    if lend:
        estimator._skl_callbacks = [*(callbacks or ()), TqdmBars()]
    try:
        data = _data(X, y, sample_weight)
        context = estimator._init_callback_context(max_subtasks=n_subtasks)
        with FitTask(estimator, context, data, attributes).running() as task:
            task.made_of = made_of
            with task.blaming_checkpoint():
                yield task
            task.attributes = dict  # the estimator is complete as it stands
    finally:
        if lend and callbacks is None:
            del estimator._skl_callbacks
        elif lend:
            estimator._skl_callbacks = callbacks
