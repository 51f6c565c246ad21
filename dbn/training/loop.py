"""The one epoch loop, for RBMs and networks alike."""

import copy
import math
from contextlib import contextmanager, nullcontext
from itertools import takewhile

import numpy as np

from ..backend.array import count_not_finite, namespace
from ..backend.device import beside
from ..backend.random import renew
from ..backend.rows import even_batches
from ..backend.threads import element_threads, n_blas_threads, one_blas_thread
from .distributed import current_workers


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

    def resume(self):
        """What an interrupted run of the same work has saved, or None."""
        return None

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


def penalty(params, weight_decay):
    """``weight_decay / 2 * ||W||^2``, biases excluded."""
    if not weight_decay:
        return 0.0
    parts = [params[name] for name in params if name.startswith("W")]
    return 0.5 * weight_decay * sum(float(namespace(W).sum(W * W)) for W in parts)


def _threads(params, batch_size):
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


def _keep_freed_memory():
    """Keep the memory of temporary arrays in the process, up to 64 MB.

    With glibc an array above 128 kB comes from the operating system in fresh pages and
    goes back to it, until one as large as this was freed. At batch 500 those pages were
    a quarter of the time of training. Other allocators do not care.
    """
    np.empty(2**25 - 2**13, dtype=np.uint8)  # the limit of glibc's rule is 2**25


def make_step(
    gradient,
    params,
    *,
    optimizer,
    weight_decay,
    state,
    weight=None,
    multipliers=None,
    after=None,
):
    """What to do with a batch: gradient, weight decay, a step of the optimizer.

    Parameters
    ----------
    gradient : callable
        ``gradient(rows, grad, epoch)`` fills the Parameters `grad` with the gradient
        of the mean loss over the training rows at the given indices; it returns that
        loss, or None.
    params : Parameters
        What is trained.
    optimizer : Optimizer
    weight_decay : float
    state : dict
        Its entry ``"optimizer"`` is what the optimizer remembers.
    weight : array of shape (n_rows,), optional
        Weights of the training rows in that loss.
    multipliers : callable, optional
        ``multipliers(epoch)`` gives an array like ``params.flat`` by which the
        optimizer's moves are multiplied, and how many of its entries are not 0. What
        has 0 does not move at all. When more begins to move, the optimizer starts anew.
    after : callable, optional
        Called after every step, for constraints.

    Returns
    -------
    callable
        ``step(rows, epoch)``, which returns the loss before the step, or None.

    Raises
    ------
    ValueError
        If processes that train together have other optimizers.
    """
    workers = current_workers()
    workers.agree(optimizer, weight_decay)
    gradient, grad = workers.together(gradient, params, weight)
    theta, xp = params.flat, namespace(params.flat)
    remembered(state, "optimizer", optimizer, lambda: optimizer.init(theta))
    start = None if multipliers is None else xp.empty_like(theta)

    def step(rows, epoch):
        memory = state["optimizer"]
        factors, moving = None, theta.shape[0]
        if multipliers is not None:
            factors, moving = multipliers(epoch)
            start[...] = theta
        if moving > memory.get("n_moving", moving):
            # Adam would leap: moments of zero, but the number of steps of the others.
            memory.update(optimizer.init(theta))
        memory["epoch"], memory["n_moving"] = epoch, moving

        def evaluate():
            loss = gradient(rows, grad, epoch)
            add_weight_decay(params, grad, weight_decay)
            if moving < theta.shape[0]:
                grad.flat[factors == 0.0] = 0.0
            return loss

        if optimizer.searches:
            losses = []

            def penalised():
                losses.append(evaluate())
                return losses[-1] + penalty(params, weight_decay)

            optimizer.minimize(penalised, theta, grad.flat, memory)
            loss = losses[0]
        else:
            loss = evaluate()
            optimizer.step(theta, grad.flat, memory)
        if factors is not None:
            _multiply_move(theta, start, factors)
        if after is not None:
            after()
            if moving < theta.shape[0]:
                theta[...] = xp.where(factors == 0.0, start, theta)
        return loss

    return step


def _multiply_move(theta, start, factors):
    """start + factors * (theta - start), in place: memory of this size costs time."""
    theta -= start
    theta *= factors
    theta += start


def run_epochs(
    step,
    params,
    n_rows,
    *,
    batch_size,
    max_iter,
    rng,
    task,
    history,
    entry,
    measure,
    name,
    advice,
    state,
    order=None,
    statistics=None,
    on_divergence="raise",
    patience=None,
    tol=0.0,
):
    """Run epochs of shuffled minibatches.

    Parameters
    ----------
    step : callable
        See `make_step`.
    params : Parameters
        What is trained.
    n_rows, batch_size, max_iter : int
        The last batch of an epoch may be short.
    rng : numpy.random.Generator
        For the shuffles.
    task : Task
    history : list
        Receives a dict per epoch.
    entry : dict
        What every entry of the history begins with: phase and layer.
    measure : callable
        ``measure(loss)`` makes the metrics of an epoch from its mean loss, or None.
    name, advice : str
        What is trained, and what to do when it diverges.
    state : dict
        What training remembers, here ``"epoch"``, the number of epochs done, and the
        best epoch. Empty at first; with that of an earlier call, training goes on.
    order : callable, optional
        ``order(rng)`` gives the numbers of all rows in a new order, as arrays one after
        the other. Default: one permutation.
    statistics : Parameters, optional
        What else belongs to the model and moves while it is trained.
    on_divergence : {"raise", "halve"}, default="raise"
        "halve" repeats the epoch with half the learning rate, up to 30 times, from the
        third on with the parameters of the beginning, and goes on with that. The
        history tells the factor, as ``"learning_rate_factor"``.
    patience : int, optional
        Stop when ``"validation_score"`` has not grown by more than `tol` for so many
        epochs, and return to the epoch with the best score (among equals, with the
        least ``"validation_loss"``).
    tol : float

    Raises
    ------
    FloatingPointError
        If a parameter or a metric is not finite in an epoch. Parameters and state are
        then those from before it, and likewise after a KeyboardInterrupt.
    ValueError
        If several processes cannot share the work, see `data_parallel`.
    """
    workers = current_workers()
    workers.check_batches(batch_size)
    arrays = [params.flat] if statistics is None else [params.flat, statistics.flat]
    done = state.setdefault("epoch", 0)
    origin = copy.deepcopy((arrays, state)) if on_divergence == "halve" else None
    # Row numbers lie where the rows do: a batch has none to send.
    order = order or (lambda rng: [beside(rng.permutation(n_rows), params.flat)])
    over = False
    _keep_freed_memory()
    # After a `break` the task of the last epoch would not end.
    epochs = takewhile(lambda _: not over, range(done, done + max_iter))
    with _threads(params, batch_size // workers.size):
        for epoch, _ in task.steps(epochs, "epoch"):

            def attempt(epoch=epoch):
                with workers.epoch(rng, state, arrays, n_rows) as shuffles:
                    renew(rng, epoch)
                    batches = even_batches(order(shuffles), batch_size)
                    loss = run_epoch(step, epoch, params, batches)
                if wrong := _not_finite(params, {}):
                    return {}, wrong
                metrics = workers.from_first(lambda: measure(loss))
                return metrics, _not_finite(params, metrics)

            with _whole(arrays, state, history) as before:
                metrics, wrong = _undone_if_wrong(attempt, before, origin)
                if wrong:
                    raise FloatingPointError(
                        f"{name} diverged: {wrong} in epoch {epoch}; the parameters "
                        f"from before it are kept. {advice}"
                    )
                state["epoch"] = epoch + 1
                history.append({**entry, "epoch": epoch, **metrics})
                if patience is not None:
                    over = _is_over(state, metrics, arrays, patience, tol)
    if patience is not None and "best" in state:
        _restore(arrays, state["best"]["arrays"])


_MAX_HALVINGS = 30


@contextmanager
def _whole(arrays, state, history):
    """Context of an epoch, of which nothing is left when it does not come to its end.

    Yields arrays and state, and a copy of both from before.
    """
    before, n_entries = copy.deepcopy((arrays, state)), len(history)
    try:
        yield arrays, state, before
    except BaseException:  # Ctrl-C too
        _go_back(arrays, state, before)
        del history[n_entries:]
        raise


def _undone_if_wrong(attempt, whole, origin):
    """Metrics of an epoch, or what went wrong.

    With `origin`, arrays and state of the beginning, it is tried again with half the
    learning rate, which stays: twice from before the epoch, and then, because that may
    be too late, from the beginning.
    """
    arrays, state, before = whole
    rate = None
    for n_halvings in range(_MAX_HALVINGS + 1):
        if n_halvings > 0:
            _go_back(arrays, state, before if n_halvings < 3 else origin)
            rate = 0.5 * (rate or state["optimizer"].get("rate", 1.0))
            state["optimizer"]["rate"] = rate
        # Overflow shows as a divergence, which is reported once and in words.
        with np.errstate(over="ignore", invalid="ignore"):
            metrics, wrong = attempt()
        if not wrong:
            if "rate" in state.get("optimizer", {}):
                metrics["learning_rate_factor"] = state["optimizer"]["rate"]
            return metrics, None
        if origin is None:
            break
    return metrics, wrong


def _go_back(arrays, state, kept):
    _restore(arrays, kept[0])
    state.clear()
    state.update(copy.deepcopy(kept[1]))


def _restore(arrays, kept):
    for array, values in zip(arrays, kept, strict=True):
        array[...] = values


def _is_over(state, metrics, arrays, patience, tol):
    """Keep the best epoch in `state`; whether the score has not grown for too long."""
    score, loss = metrics["validation_score"], metrics["validation_loss"]
    best = state.setdefault("best", {"rank": None, "score": -math.inf, "waited": 0})
    if best["rank"] is None or [score, -loss] > best["rank"]:
        best["rank"], best["arrays"] = [score, -loss], [1.0 * a for a in arrays]
    best["waited"] += 1
    if score > best["score"] + tol:
        best["score"], best["waited"] = score, 0
    return best["waited"] >= patience


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


def run_epoch(step, epoch, params, batches):
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


def _not_finite(params, metrics):
    """What is not finite, in words; None if all is."""
    n_bad = count_not_finite(params.flat)
    if n_bad:
        return f"{n_bad} of {params.flat.shape[0]} parameters are not finite"
    for key, value in metrics.items():
        if not math.isfinite(value):
            return f"the {key} is {value}"
    return None
