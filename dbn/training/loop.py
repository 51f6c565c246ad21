"""The one epoch loop, for RBMs and networks alike."""

import math
from contextlib import contextmanager, nullcontext

import numpy as np
from threadpoolctl import threadpool_limits

from ..backend.array import count_not_finite


class Task:
    """A node in the tree of work (fit, layer, epoch); this default tells nobody.

    `dbn.training.callbacks.FitTask` reports the same tree to scikit-learn's callbacks.

    Examples
    --------
    >>> for epoch, task in Task().steps(range(2), "epoch"):
    ...     epoch
    0
    1
    """

    stop = False  # whether a callback asked to end the level that this task belongs to

    @contextmanager
    def subtask(self, name, n_subtasks=0):
        """Context of one piece of work that is part of this one."""
        yield self

    def steps(self, items, name, n_subtasks=0):
        """Yield each item with a task of its own, until a callback asks to stop."""
        for item in items:
            with self.subtask(name, n_subtasks) as task:
                yield item, task
            if task.stop:
                return


def add_weight_decay(params, grad, weight_decay):
    """Add the gradient of ``weight_decay / 2 * ||W||^2`` to `grad`, biases excluded."""
    if weight_decay:
        for name in params:
            if name.startswith("W"):
                grad[name][...] += weight_decay * params[name]


def _blas_threads(params, batch_size):
    """Context of one BLAS thread where the products are too small to share.

    Below about 4 million multiply-adds a second thread gains little, and on a busy
    machine it was seen to cost a factor of 8, waiting for its partner.
    """
    largest = max(math.prod(shape) for shape in params.shapes.values())
    if largest * batch_size < 2**22:
        return threadpool_limits(1, user_api="blas")
    return nullcontext()


def run_epochs(
    step, params, state, n_rows, *, batch_size, max_iter, rng, task, record, diverged
):
    """Run epochs of shuffled minibatches.

    Parameters
    ----------
    step : callable
        ``step(rows)`` makes one update from the training rows at the given indices and
        returns the batch's mean loss, or None.
    params : Parameters
        What is trained; checked for divergence after each epoch.
    state : dict
        Of the optimizer; its ``"epoch"`` is advanced.
    n_rows, batch_size, max_iter : int
        The last batch of an epoch may be short.
    rng : numpy.random.Generator
        For the shuffles.
    task : Task
    record : callable
        ``record(epoch, loss)`` is called after each epoch, with the mean loss over its
        rows, or None.
    diverged : str
        Beginning and advice of the error, with ``{}`` for what was seen.

    Raises
    ------
    FloatingPointError
        If a parameter is not finite after an epoch.
    """
    with _blas_threads(params, batch_size):
        for epoch, _ in task.steps(range(max_iter), "epoch"):
            state["epoch"] = epoch
            loss = _run_epoch(step, n_rows, batch_size, rng)
            n_bad = count_not_finite(params.flat)
            if n_bad:
                seen = (
                    f"{n_bad} of {params.flat.shape[0]} parameters are not finite "
                    f"after epoch {epoch}"
                )
                raise FloatingPointError(diverged.format(seen))
            with np.errstate(over="ignore", invalid="ignore"):
                record(epoch, loss)


def _run_epoch(step, n_rows, batch_size, rng):
    """One pass over the rows in a new order; the mean loss, or None."""
    order = rng.permutation(n_rows)
    total = None
    # Overflow shows as a divergence, which is reported once and in words.
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, n_rows, batch_size):
            rows = order[start : start + batch_size]
            loss = step(rows)
            if loss is not None:
                total = loss * len(rows) + (0.0 if total is None else total)
    return None if total is None else float(total) / n_rows
