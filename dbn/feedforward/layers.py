"""Layers of a feed-forward net: each maps rows to rows and carries gradients back.

A layer is a specification without state. Its parameters lie in the network's buffer and
are handed to it as `p`, a dict of views; gradients go to `g`, views of the same shapes.
"""

from abc import abstractmethod

from ..backend.array import matmul_into, namespace, sigmoid
from ..backend.parts import Part, get_part


class Layer(Part):
    """Interface of all layers; `x` is the input and `y` the output of `forward`."""

    def shapes(self):
        """Names and shapes of the layer's parameters; none by default."""
        return {}

    @abstractmethod
    def forward(self, x, p):
        """Output at input rows `x` of shape (n_rows, n_in)."""

    @abstractmethod
    def backward(self, delta, x, y, p, g, input_gradient=True):
        """Fill `g`; return the gradient with respect to `x`.

        Parameters
        ----------
        delta : array of shape (n_rows, n_out)
            Gradient of the loss with respect to `y`.
        input_gradient : bool, default=True
            Whether the returned gradient is needed; a layer may return None otherwise.
        """


class Dense(Layer):
    """Fully connected layer, ``x @ W + c``.

    Parameters
    ----------
    n_in, n_out : int
        Numbers of inputs (fan-in) and outputs (fan-out).

    Examples
    --------
    >>> from dbn.feedforward import Dense
    >>> Dense(3, 2).shapes()
    {'W': (3, 2), 'c': (2,)}
    """

    def __init__(self, n_in, n_out):
        self.n_in = n_in
        self.n_out = n_out

    def shapes(self):
        return {"W": (self.n_in, self.n_out), "c": (self.n_out,)}

    def forward(self, x, p):
        z = x @ p["W"]
        z += p["c"]
        return z

    def backward(self, delta, x, y, p, g, input_gradient=True):
        matmul_into(x.T, delta, g["W"])
        g["c"][...] = namespace(delta).sum(delta, axis=0)
        return delta @ p["W"].T if input_gradient else None


class Activation(Layer):
    """An element-wise function whose slope can be written with its output `y`."""

    @abstractmethod
    def slope(self, y):
        """Derivative of the function where its value is `y`."""

    def backward(self, delta, x, y, p, g, input_gradient=True):
        return delta * self.slope(y)


class Logistic(Activation):
    """Logistic function 1 / (1 + exp(-x)): the mean of a Bernoulli unit.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import Logistic
    >>> Logistic().forward(np.zeros((1, 2)), {})
    array([[0.5, 0.5]])
    """

    def forward(self, x, p):
        return sigmoid(x)

    def slope(self, y):
        return y * (1.0 - y)


class Tanh(Activation):
    """Hyperbolic tangent.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import Tanh
    >>> Tanh().forward(np.zeros((1, 2)), {})
    array([[0., 0.]])
    """

    def forward(self, x, p):
        return namespace(x).tanh(x)

    def slope(self, y):
        return 1.0 - y**2


class ReLU(Activation):
    """Rectifier max(0, x); slope 0 at 0.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import ReLU
    >>> ReLU().forward(np.array([[-1.0, 2.0]]), {})
    array([[0., 2.]])
    """

    def forward(self, x, p):
        return namespace(x).clip(x, 0.0, None)

    def slope(self, y):
        return namespace(y).asarray(y > 0, dtype=y.dtype)


ACTIVATIONS = {"logistic": Logistic, "tanh": Tanh, "relu": ReLU}


def get_activation(activation):
    """Return `activation` itself, or the layer that the string names.

    Parameters
    ----------
    activation : {"logistic", "relu", "tanh"} or Activation

    Raises
    ------
    ValueError
        If `activation` is neither.

    Examples
    --------
    >>> get_activation("relu")
    ReLU()
    """
    return get_part(activation, Activation, ACTIVATIONS, "activation")
