"""Gradient descent by a moving root mean square."""

import math

from ...backend.device import namespace
from ...backend.parts import check_number
from ...backend.types import Array
from .descent import Clipping, Rate, State


class RMSProp(Clipping):
    """Gradient descent with each step divided by a moving root mean square.

    Tieleman and Hinton (2012), "Lecture 6.5: RMSProp", Coursera: v = decay * v +
    (1 - decay) * grad^2; theta -= learning_rate * grad / (sqrt(v) + epsilon).

    Parameters
    ----------
    learning_rate : float, Schedule or tuple, default=0.001
    decay, epsilon : float, default=0.9 and 1e-8
    clip_norm, clip_value : float or None, default=None
        Bounds of the gradient's Euclidean norm and of its entries.

    Raises
    ------
    ValueError
        When training starts, for a learning rate, epsilon or bound that is not positive
        or a decay outside [0, 1).

    Examples
    --------
    >>> from dbn.training import get_optimizer
    >>> get_optimizer("rmsprop")
    RMSProp()
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        decay: float = 0.9,
        epsilon: float = 1e-8,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(learning_rate, clip_norm, clip_value)
        self.decay = decay
        self.epsilon = epsilon

    def validate(self) -> None:
        super().validate()
        check_number(self, "epsilon", 0, math.inf)
        check_number(self, "decay", 0, 1, closed=True)

    def init(self, theta: Array) -> State:
        return {"epoch": 0, "v": namespace(theta).zeros_like(theta)}

    def _move(self, theta: Array, grad: Array, state: State) -> None:
        v = state["v"]
        v *= self.decay
        v += (1.0 - self.decay) * grad**2
        update = grad / (namespace(v).sqrt(v) + self.epsilon)
        update *= self._rate(state)
        theta -= update
