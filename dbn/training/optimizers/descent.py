"""What optimizers are: one vector operation on the flat parameter buffer per step."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ...backend.device import namespace
from ...backend.parts import Part, Schedule, check_number, scheduled
from ...backend.threads import in_blocks
from ...backend.types import Array

State: TypeAlias = dict[str, Any]
Rate: TypeAlias = float | Schedule | tuple[tuple[int, float], ...]


class Optimizer(Part):
    """Interface: `init` once per training, `step` once per batch.

    The state is a dict that belongs to one training. Its entry ``"epoch"``, from which
    schedules are read, is advanced by the training loop.
    """

    learning_rate: Any
    # Whether `minimize` is called for a batch instead of `step`.
    searches = False
    minimize: Callable[..., None]

    @abstractmethod
    def init(self, theta: Array) -> State:
        """Return the state with which to train parameters `theta`."""

    @abstractmethod
    def step(self, theta: Array, grad: Array, state: State) -> State:
        """Move `theta` of shape (n_parameters,) in place; return the new `state`.

        `grad` has the same shape. It is the caller's scratch space: a step may
        overwrite it.
        """


class Clipping(Optimizer):
    """Base of the optimizers that follow the gradient of a batch.

    Parameters
    ----------
    clip_norm : float or None
        Where the Euclidean norm of the gradient over all parameters is larger, the
        gradient is scaled down to it: Pascanu, Mikolov and Bengio (2013), algorithm 1.
    clip_value : float or None
        Bound of each entry of the gradient; cut off before the norm is taken.
    """

    def __init__(
        self, learning_rate: Rate, clip_norm: float | None, clip_value: float | None
    ) -> None:
        self.learning_rate = learning_rate
        self.clip_norm = clip_norm
        self.clip_value = clip_value

    def validate(self) -> None:
        check_number(self, "learning_rate", 0, math.inf, schedule=True)
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                check_number(self, name, 0, math.inf)

    def step(self, theta: Array, grad: Array, state: State) -> State:
        xp = namespace(grad)
        if self.clip_value is not None:
            grad[...] = xp.clip(grad, -self.clip_value, self.clip_value)
        if self.clip_norm is not None:
            _shorten(grad, self.clip_norm)
        # Moments and the like: what has an entry for every parameter.
        moments = {k: a for k, a in state.items() if hasattr(a, "shape")}

        def move(block: slice) -> None:
            parts = state | {k: a[block] for k, a in moments.items()}
            self._move(theta[block], grad[block], parts)

        in_blocks(move, theta.shape[0])
        return state

    def _rate(self, state: State) -> Any:
        """The learning rate, times what is left of it after divergences."""
        return scheduled(self.learning_rate, state["epoch"]) * state.get("rate", 1.0)

    @abstractmethod
    def _move(self, theta: Array, grad: Array, state: State) -> None:
        """Move a block of `theta` in place along the clipped gradient.

        `state` holds the same block of the moments, which change in place too.
        """


def _shorten(grad: Array, bound: float) -> None:
    """Scale a gradient of a larger norm down to `bound`, in place."""
    xp = namespace(grad)
    norm = xp.linalg.vector_norm(grad)
    if not isinstance(grad, np.ndarray):  # the same without waiting for the device
        one, huge = xp.ones_like(norm), xp.isinf(norm)
        grad /= xp.where(huge, xp.max(xp.abs(grad)), one)
        factor = bound / xp.linalg.vector_norm(grad)
        grad *= xp.where(huge | (factor < 1.0), factor, one)
    elif math.isinf(norm):  # squares overflow long before the numbers do
        grad /= float(xp.max(xp.abs(grad)))
        grad *= bound / float(xp.linalg.vector_norm(grad))
    elif float(norm) > bound:
        grad *= bound / float(norm)
