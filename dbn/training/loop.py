"""The one epoch loop, for RBMs and networks alike."""

import copy
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
    state,
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
    state : dict
        What training remembers: ``"epoch"``, the number of epochs done, and
        ``"optimizer"``. Empty at first; with that of an earlier call, training goes on.

    Raises
    ------
    FloatingPointError
        If a parameter or a metric is not finite in an epoch; parameters and state are
        then those from before it.
    """
    advice = f"Lower the {owner}'s learning_rate (now {optimizer.learning_rate})."
    memory = remembered(
        state, "optimizer", optimizer, lambda: optimizer.init(params.flat)
    )
    grad, done = params.zeros_like(), state.setdefault("epoch", 0)

    def step(rows):
        loss = gradient(rows, grad, memory["epoch"])
        add_weight_decay(params, grad, weight_decay)
        optimizer.step(params.flat, grad.flat, memory)
        return loss

    with _blas_threads(params, batch_size):
        for epoch, _ in task.steps(range(done, done + max_iter), "epoch"):
            memory["epoch"] = epoch
            before = copy.deepcopy((params.flat, state))
            # Overflow shows as a divergence, which is reported once and in words.
            with np.errstate(over="ignore", invalid="ignore"):
                loss = _run_epoch(step, params, n_rows, batch_size, rng)
                metrics = measure(loss)
            if wrong := _not_finite(params, metrics):
                params.flat[...], kept = before
                state.update(kept)
                raise FloatingPointError(
                    f"{name} diverged: {wrong} in epoch {epoch}; the parameters from "
                    f"before it are kept. {advice}"
                )
            state["epoch"] = epoch + 1
            history.append({**entry, "epoch": epoch, **metrics})


def remembered(state, key, part, start):
    """Entry of `state` that belongs to a part, made by `start()` where there is none.

    It also starts anew when it was made by a part of another class or with another
    number of anything (parameters ``n_*``, such as chains); other parameters of the
    part may change while training goes on.
    """
    sizes = {k: v for k, v in part.get_params().items() if k.startswith("n_")}
    maker = [type(part).__name__, sizes]
    makers = state.setdefault("made_by", {})
    if makers.get(key) != maker:
        makers[key], state[key] = maker, start()
    return state[key]


# Updates between two looks for a divergence: less than 1 % of their time.
_UPDATES_PER_CHECK = 100


def _run_epoch(step, params, n_rows, batch_size, rng):
    """One pass over the rows in a new order; the mean loss, or None.

    It ends early when parameters are not finite any more.
    """
    order = rng.permutation(n_rows)
    total = None
    for update, start in enumerate(range(0, n_rows, batch_size)):
        rows = order[start : start + batch_size]
        loss = step(rows)
        if loss is not None:
            total = loss * len(rows) + (0.0 if total is None else total)
        if update % _UPDATES_PER_CHECK == 0:
            # One product, in which anything that is not finite shows, comes first.
            theta = params.flat
            if not math.isfinite(theta @ theta) and count_not_finite(theta):
                break
    return None if total is None else float(total) / n_rows


def _not_finite(params, metrics):
    """What is not finite, in words; None if all is."""
    n_bad = count_not_finite(params.flat)
    if n_bad:
        return f"{n_bad} of {params.flat.shape[0]} parameters are not finite"
    for key, value in metrics.items():
        if not math.isfinite(value):
            return f"the {key} is {value}"
    return None
