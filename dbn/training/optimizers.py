"""Optimizers: one vector operation on the flat parameter buffer per step."""

import math
from abc import abstractmethod

from ..backend.array import namespace
from ..backend.parts import Part, check_number, get_part, scheduled


class Optimizer(Part):
    """Interface: `init` once per training, `step` once per batch.

    The state is a dict that belongs to one training. Its entry ``"epoch"``, from which
    schedules are read, is advanced by the training loop.
    """

    @abstractmethod
    def init(self, theta):
        """Return the state with which to train parameters `theta`."""

    @abstractmethod
    def step(self, theta, grad, state):
        """Move `theta` of shape (n_parameters,) in place; return the state.

        `grad` has the same shape. It is the caller's scratch space: a step may
        overwrite it.
        """


class SGD(Optimizer):
    """Stochastic gradient descent with classical momentum.

    velocity = momentum * velocity - learning_rate * grad; theta += velocity, as in
    Hinton (2010), section 9.

    Parameters
    ----------
    learning_rate : float or schedule, default=0.1
    momentum : float or schedule, default=0.9
        Hinton's guide starts RBMs at 0.5: ``((0, 0.5), (5, 0.9))``.

    Raises
    ------
    ValueError
        When training starts, for a learning rate that is not positive or a momentum
        outside [0, 1).

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> from dbn.training import SGD
    >>> RBMTransformer(optimizer=SGD(0.05, momentum=((0, 0.5), (5, 0.9)))).optimizer
    SGD(learning_rate=0.05, momentum=((0, 0.5), (5, 0.9)))
    """

    def __init__(self, learning_rate=0.1, momentum=0.9):
        self.learning_rate = learning_rate
        self.momentum = momentum

    def validate(self):
        check_number(self, "learning_rate", 0, math.inf, schedule=True)
        check_number(self, "momentum", 0, 1, closed=True, schedule=True)

    def init(self, theta):
        return {"epoch": 0, "velocity": namespace(theta).zeros_like(theta)}

    def step(self, theta, grad, state):
        velocity = state["velocity"]
        velocity *= scheduled(self.momentum, state["epoch"])
        grad *= scheduled(self.learning_rate, state["epoch"])
        velocity -= grad
        theta += velocity
        return state


class Adam(Optimizer):
    """Adaptive moment estimation: Kingma and Ba (2015), algorithm 1.

    Parameters
    ----------
    learning_rate : float or schedule, default=0.001
    beta_1, beta_2 : float, default=0.9 and 0.999
        Decay rates of the moment estimates.
    epsilon : float, default=1e-8
        Added to the root of the second moment.

    Raises
    ------
    ValueError
        When training starts, for a learning rate or epsilon that is not positive or a
        decay rate outside [0, 1).

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> from dbn.training import Adam
    >>> DBNClassifier(optimizer=Adam(0.003)).optimizer
    Adam(learning_rate=0.003)
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def validate(self):
        check_number(self, "learning_rate", 0, math.inf, schedule=True)
        check_number(self, "epsilon", 0, math.inf)
        for name in ("beta_1", "beta_2"):
            check_number(self, name, 0, 1, closed=True)

    def init(self, theta):
        zeros = namespace(theta).zeros_like
        return {"epoch": 0, "t": 0, "m": zeros(theta), "v": zeros(theta)}

    def step(self, theta, grad, state):
        state["t"] += 1
        m, v = state["m"], state["v"]
        m *= self.beta_1
        m += (1.0 - self.beta_1) * grad
        grad *= grad
        grad *= 1.0 - self.beta_2
        v *= self.beta_2
        v += grad
        # Both bias corrections folded into two scalars, as in section 2 of the paper.
        root = math.sqrt(1.0 - self.beta_2 ** state["t"])
        rate = scheduled(self.learning_rate, state["epoch"])
        rate *= root / (1.0 - self.beta_1 ** state["t"])
        denominator = namespace(v).sqrt(v)
        denominator += self.epsilon * root
        update = m / denominator
        update *= rate
        theta -= update
        return state


OPTIMIZERS = {"sgd": SGD, "adam": Adam}


def get_optimizer(optimizer):
    """Return `optimizer` itself, or the optimizer that the string names.

    Parameters
    ----------
    optimizer : {"sgd", "adam"} or Optimizer

    Raises
    ------
    ValueError
        If `optimizer` is neither.

    Examples
    --------
    >>> get_optimizer("adam")
    Adam()
    """
    return get_part(optimizer, Optimizer, OPTIMIZERS, "optimizer")
