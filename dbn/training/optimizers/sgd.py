"""Gradient descent with momentum."""

from ...backend.device import namespace
from ...backend.parts import check_number, scheduled
from ...backend.types import Array
from .descent import Clipping, Rate, State


class SGD(Clipping):
    """Stochastic gradient descent with momentum.

    velocity = momentum * velocity - learning_rate * grad; theta += velocity, as in
    Hinton (2010), section 9. With `nesterov`, theta += momentum * velocity -
    learning_rate * grad with the new velocity: Sutskever, Martens, Dahl and Hinton
    (2013), equations 3 and 4, for parameters that stand where the gradient is taken.

    Parameters
    ----------
    learning_rate : float, Schedule or tuple, default=0.1
    momentum : float, Schedule or tuple, default=0.9
        Hinton's guide starts RBMs at 0.5: ``((0, 0.5), (5, 0.9))``.
    nesterov : bool, default=False
    clip_norm, clip_value : float or None, default=None
        Bounds of the gradient's Euclidean norm and of its entries.

    Raises
    ------
    ValueError
        When training starts, for a learning rate or bound that is not positive or a
        momentum outside [0, 1).

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> from dbn.training import SGD
    >>> RBMTransformer(optimizer=SGD(0.05, momentum=((0, 0.5), (5, 0.9)))).optimizer
    SGD(learning_rate=0.05, momentum=((0, 0.5), (5, 0.9)))
    """

    def __init__(
        self,
        learning_rate: Rate = 0.1,
        momentum: Rate = 0.9,
        nesterov: bool = False,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(learning_rate, clip_norm, clip_value)
        self.momentum = momentum
        self.nesterov = nesterov

    def validate(self) -> None:
        super().validate()
        check_number(self, "momentum", 0, 1, closed=True, schedule=True)

    def init(self, theta: Array) -> State:
        return {"epoch": 0, "velocity": namespace(theta).zeros_like(theta)}

    def _move(self, theta: Array, grad: Array, state: State) -> None:
        velocity = state["velocity"]
        momentum = scheduled(self.momentum, state["epoch"])
        velocity *= momentum
        grad *= self._rate(state)
        velocity -= grad
        if self.nesterov:
            theta += momentum * velocity
            theta -= grad
        else:
            theta += velocity
