"""Gradient descent by moving moments."""

import math

import numpy as np

from ...backend.array import write
from ...backend.device import namespace
from ...backend.parts import check_number
from ...backend.types import Array
from .descent import Clipping, Rate, State


class Adam(Clipping):
    """Adaptive moment estimation: Kingma and Ba (2015), algorithm 1.

    With `decoupled_decay` it is AdamW: Loshchilov and Hutter (2019), "Decoupled weight
    decay regularization", algorithm 2.

    Parameters
    ----------
    learning_rate : float, Schedule or tuple, default=0.001
    beta_1, beta_2 : float, default=0.9 and 0.999
        Decay rates of the moment estimates.
    epsilon : float, default=1e-8
        Added to the root of the second moment.
    decoupled_decay : float, default=0.0
        Share by which all parameters shrink in each step, times the learning rate.
        The estimators' `weight_decay` is part of the loss instead, and of weights only.
    clip_norm, clip_value : float or None, default=None
        Bounds of the gradient's Euclidean norm and of its entries.

    Raises
    ------
    ValueError
        When training starts, for a learning rate, epsilon or bound that is not
        positive, a decay rate outside [0, 1) or a negative decay.

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> from dbn.training import Adam
    >>> DBNClassifier(optimizer=Adam(0.003)).optimizer
    Adam(learning_rate=0.003)
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        decoupled_decay: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        super().__init__(learning_rate, clip_norm, clip_value)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.decoupled_decay = decoupled_decay

    def validate(self) -> None:
        super().validate()
        check_number(self, "epsilon", 0, math.inf)
        check_number(self, "decoupled_decay", 0, math.inf, closed=True)
        for name in ("beta_1", "beta_2"):
            check_number(self, name, 0, 1, closed=True)

    def init(self, theta: Array) -> State:
        zeros = namespace(theta).zeros_like
        return {"epoch": 0, "t": 0, "m": zeros(theta), "v": zeros(theta)}

    def step(self, theta: Array, grad: Array, state: State) -> State:
        state["t"] = int(state["t"]) + 1
        return super().step(theta, grad, state)

    def _move(self, theta: Array, grad: Array, state: State) -> None:
        # Moments without the factors 1 - beta, which save two passes over all numbers.
        m, v = state["m"], state["v"]
        m *= self.beta_1
        m += grad
        grad *= grad
        v *= self.beta_2
        v += grad
        rate = self._rate(state)
        if self.decoupled_decay:
            theta *= 1.0 - rate * self.decoupled_decay
        # Those factors and both bias corrections are two numbers, much as in section 2.
        xp, t = namespace(v), state["t"]
        if isinstance(v, np.ndarray):
            left = [1.0 - beta**t for beta in (self.beta_1, self.beta_2)]
            root = math.sqrt(left[1] / (1.0 - self.beta_2))
        else:  # in the precision that the parameters have there
            t = xp.full((), float(t), dtype=v.dtype, device=v.device)
            left = [-xp.expm1(t * _log(beta)) for beta in (self.beta_1, self.beta_2)]
            root = xp.sqrt(left[1] / (1.0 - self.beta_2))
        rate = rate * (1.0 - self.beta_1) * root / left[0]
        # The gradient's memory serves for the rest: same as theta -= rate * m / (...).
        write(grad, xp.sqrt, v)
        grad += self.epsilon * root
        write(grad, xp.divide, m, grad)
        grad *= rate
        theta -= grad


def _log(decay: float) -> float:
    return math.log(max(decay, 1e-300))  # of 0 nothing is kept, and this does the same
