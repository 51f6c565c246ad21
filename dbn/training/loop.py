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
    gradient,
    params,
    n_rows,
    *,
    optimizer,
    weight_decay,
    batch_size,
    max_iter,
    rng,
    task,
    history,
    entry,
    measure,
    name,
    owner,
):
    """Run epochs of shuffled minibatches.

    Parameters
    ----------
    gradient : callable
        ``gradient(rows, grad, epoch)`` fills the Parameters `grad` with the gradient
        of the mean loss over the training rows at the given indices; it returns that
        loss, or None.
    params : Parameters
        What is trained.
    n_rows, batch_size, max_iter : int
        The last batch of an epoch may be short.
    optimizer : Optimizer
    weight_decay : float
    rng : numpy.random.Generator
        For the shuffles.
    task : Task
    history : list
        Receives a dict per epoch.
    entry : dict
        What every entry of the history begins with: phase and layer.
    measure : callable
        ``measure(loss)`` makes the metrics of an epoch from its mean loss, or None.
    name, owner : str
        What is trained and whose learning rate it has, for the error: "Layer 0", "RBM".

    Raises
    ------
    FloatingPointError
        If a parameter or a metric is not finite after an epoch.
    """
    advice = f"Lower the {owner}'s learning_rate (now {optimizer.learning_rate})."
    grad, state = params.zeros_like(), optimizer.init(params.flat)

    def step(rows):
        loss = gradient(rows, grad, state["epoch"])
        add_weight_decay(params, grad, weight_decay)
        optimizer.step(params.flat, grad.flat, state)
        return loss

    with _blas_threads(params, batch_size):
        for epoch, _ in task.steps(range(max_iter), "epoch"):
            state["epoch"] = epoch
            # Overflow shows as a divergence, which is reported once and in words.
            with np.errstate(over="ignore", invalid="ignore"):
                metrics = measure(_run_epoch(step, n_rows, batch_size, rng))
            _check_finite(params, metrics, f"{name} diverged", epoch, advice)
            history.append({**entry, "epoch": epoch, **metrics})


def _run_epoch(step, n_rows, batch_size, rng):
    """One pass over the rows in a new order; the mean loss, or None."""
    order = rng.permutation(n_rows)
    total = None
    for start in range(0, n_rows, batch_size):
        rows = order[start : start + batch_size]
        loss = step(rows)
        if loss is not None:
            total = loss * len(rows) + (0.0 if total is None else total)
    return None if total is None else float(total) / n_rows


def _check_finite(params, metrics, happened, epoch, advice):
    n_bad = count_not_finite(params.flat)
    seen = [f"the {key} is {v}" for key, v in metrics.items() if not math.isfinite(v)]
    if n_bad:
        seen = [f"{n_bad} of {params.flat.shape[0]} parameters are not finite"]
    if seen:
        raise FloatingPointError(f"{happened}: {seen[0]} after epoch {epoch}. {advice}")
