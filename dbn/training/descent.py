"""Gradient descent: one vector operation on the flat parameter buffer per step."""

import math
from abc import abstractmethod

import numpy as np

from ..backend.array import namespace, write
from ..backend.parts import Part, check_number, scheduled
from ..backend.threads import in_blocks


class Optimizer(Part):
    """Interface: `init` once per training, `step` once per batch.

    The state is a dict that belongs to one training. Its entry ``"epoch"``, from which
    schedules are read, is advanced by the training loop.
    """

    # Whether `minimize` is called for a batch instead of `step`.
    searches = False

    @abstractmethod
    def init(self, theta):
        """Return the state with which to train parameters `theta`."""

    @abstractmethod
    def step(self, theta, grad, state):
        """Move `theta` of shape (n_parameters,) in place; return the state.

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

    def validate(self):
        check_number(self, "learning_rate", 0, math.inf, schedule=True)
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                check_number(self, name, 0, math.inf)

    def step(self, theta, grad, state):
        xp = namespace(grad)
        if self.clip_value is not None:
            grad[...] = xp.clip(grad, -self.clip_value, self.clip_value)
        if self.clip_norm is not None:
            self._shorten(grad)
        # Moments and the like: what has an entry for every parameter.
        moments = {k: a for k, a in state.items() if hasattr(a, "shape")}

        def move(block):
            parts = state | {k: a[block] for k, a in moments.items()}
            self._move(theta[block], grad[block], parts)

        in_blocks(move, theta.shape[0])
        return state

    def _shorten(self, grad):
        """Scale the gradient down to `clip_norm`, in place."""
        xp = namespace(grad)
        if isinstance(grad, np.ndarray):
            norm = float(xp.linalg.vector_norm(grad))
            if math.isinf(norm):  # squares overflow long before the numbers do
                grad /= float(xp.max(xp.abs(grad)))
                grad *= self.clip_norm / float(xp.linalg.vector_norm(grad))
            elif norm > self.clip_norm:
                grad *= self.clip_norm / norm
            return
        # The same without waiting for a number of the device.
        norm = xp.linalg.vector_norm(grad)
        one, huge = xp.ones_like(norm), xp.isinf(norm)
        grad /= xp.where(huge, xp.max(xp.abs(grad)), one)
        factor = self.clip_norm / xp.linalg.vector_norm(grad)
        grad *= xp.where(huge | (factor < 1.0), factor, one)

    def _rate(self, state):
        """The learning rate, times what is left of it after divergences."""
        return scheduled(self.learning_rate, state["epoch"]) * state.get("rate", 1.0)

    @abstractmethod
    def _move(self, theta, grad, state):
        """Move a block of `theta` in place along the clipped gradient.

        `state` holds the same block of the moments, which change in place too.
        """


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
        learning_rate=0.1,
        momentum=0.9,
        nesterov=False,
        clip_norm=None,
        clip_value=None,
    ):
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov
        self.clip_norm = clip_norm
        self.clip_value = clip_value

    def validate(self):
        super().validate()
        check_number(self, "momentum", 0, 1, closed=True, schedule=True)

    def init(self, theta):
        return {"epoch": 0, "velocity": namespace(theta).zeros_like(theta)}

    def _move(self, theta, grad, state):
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
        learning_rate=0.001,
        decay=0.9,
        epsilon=1e-8,
        clip_norm=None,
        clip_value=None,
    ):
        self.learning_rate = learning_rate
        self.decay = decay
        self.epsilon = epsilon
        self.clip_norm = clip_norm
        self.clip_value = clip_value

    def validate(self):
        super().validate()
        check_number(self, "epsilon", 0, math.inf)
        check_number(self, "decay", 0, 1, closed=True)

    def init(self, theta):
        return {"epoch": 0, "v": namespace(theta).zeros_like(theta)}

    def _move(self, theta, grad, state):
        v = state["v"]
        v *= self.decay
        v += (1.0 - self.decay) * grad**2
        update = grad / (namespace(v).sqrt(v) + self.epsilon)
        update *= self._rate(state)
        theta -= update


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
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        decoupled_decay=0.0,
        clip_norm=None,
        clip_value=None,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.decoupled_decay = decoupled_decay
        self.clip_norm = clip_norm
        self.clip_value = clip_value

    def validate(self):
        super().validate()
        check_number(self, "epsilon", 0, math.inf)
        check_number(self, "decoupled_decay", 0, math.inf, closed=True)
        for name in ("beta_1", "beta_2"):
            check_number(self, name, 0, 1, closed=True)

    def init(self, theta):
        zeros = namespace(theta).zeros_like
        return {"epoch": 0, "t": 0, "m": zeros(theta), "v": zeros(theta)}

    def step(self, theta, grad, state):
        state["t"] = int(state["t"]) + 1
        return super().step(theta, grad, state)

    def _move(self, theta, grad, state):
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
            sqrt, left = math.sqrt, lambda beta: 1.0 - beta**t
        else:  # in the precision of the parameters, single precision too
            t = xp.full((), float(t), dtype=v.dtype, device=v.device)
            sqrt, left = xp.sqrt, lambda beta: -xp.expm1(t * _log(beta))
        root = sqrt(left(self.beta_2) / (1.0 - self.beta_2))
        rate = rate * (1.0 - self.beta_1) * root / left(self.beta_1)
        # The gradient's memory serves for the rest: same as theta -= rate * m / (...).
        write(grad, xp.sqrt, v)
        grad += self.epsilon * root
        write(grad, xp.divide, m, grad)
        grad *= rate
        theta -= grad


def _log(decay):
    return math.log(max(decay, 1e-300))  # of 0 nothing is kept, and this does the same
