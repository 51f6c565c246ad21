"""One step of training: the gradient of a batch, and what is made of it."""

from collections.abc import Callable
from typing import Any

from ..backend.device import namespace
from ..backend.parameters import Parameters
from ..backend.types import Array
from .distributed import current_workers
from .optimizers import Optimizer
from .state import remembered


def add_weight_decay(params: Parameters, grad: Parameters, weight_decay: float) -> None:
    """Add the gradient of ``weight_decay / 2 * ||W||^2`` to `grad`, biases excluded."""
    if weight_decay:
        for name in params:
            if name.startswith("W"):
                grad[name][...] += weight_decay * params[name]


def penalty(params: Parameters, weight_decay: float) -> float:
    """``weight_decay / 2 * ||W||^2``, biases excluded."""
    if not weight_decay:
        return 0.0
    parts = [params[name] for name in params if name.startswith("W")]
    return 0.5 * weight_decay * sum(float(namespace(W).sum(W * W)) for W in parts)


def make_step(
    gradient: Callable[..., Array],
    params: Parameters,
    *,
    optimizer: Optimizer,
    weight_decay: float,
    state: dict[str, Any],
    weight: Array = None,
    multipliers: Callable[[int], tuple[Array, int]] | None = None,
    after: Callable[[], None] | None = None,
) -> Callable[[Array, int], Array]:
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
    state : TrainingState
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
    start: Array = None if multipliers is None else xp.empty_like(theta)

    def step(rows: Array, epoch: int) -> Array:
        memory = state["optimizer"]
        factors, moving = None, theta.shape[0]
        if multipliers is not None:
            factors, moving = multipliers(epoch)
            start[...] = theta
        if moving > memory.get("n_moving", moving):
            # Adam would leap: moments of zero, but the number of steps of the others.
            memory.update(optimizer.init(theta))
        memory["epoch"], memory["n_moving"] = epoch, moving

        def complete() -> None:
            add_weight_decay(params, grad, weight_decay)
            if moving < theta.shape[0]:
                grad.flat[factors == 0.0] = 0.0

        if optimizer.searches:
            losses = []

            def penalised() -> Array:
                losses.append(gradient(rows, grad, epoch))
                complete()
                return losses[-1] + penalty(params, weight_decay)

            optimizer.minimize(penalised, theta, grad.flat, memory)
            loss = losses[0]
        else:
            loss = gradient(rows, grad, epoch)
            complete()
            optimizer.step(theta, grad.flat, memory)
        if factors is not None:
            _multiply_move(theta, start, factors)
        if after is not None:
            after()
            if moving < theta.shape[0]:
                theta[...] = xp.where(factors == 0.0, start, theta)
        return loss

    return step


def _multiply_move(theta: Array, start: Array, factors: Array) -> None:
    """start + factors * (theta - start), in place: memory of this size costs time."""
    theta -= start
    theta *= factors
    theta += start
