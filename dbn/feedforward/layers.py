"""Layers of a feed-forward net: each maps rows to rows and carries gradients back.

A layer is a specification without state. Its parameters lie in the network's buffer and
are handed to it as `p`, a dict of views; gradients go to `g`, views of the same shapes.
Layers that act differently in training are in `regularizers`.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

from ..backend.array import matmul_into, sigmoid, softplus
from ..backend.device import namespace
from ..backend.parts import Part, check_number, get_part
from ..backend.types import Array

Shapes: TypeAlias = dict[str, tuple[int, ...]]
Views: TypeAlias = dict[str, Array]


class Layer(Part):
    """Interface of all layers; `x` is the input and `y` the output of a forward pass.

    `p` holds the layer's parameters and statistics by name, as views in the buffers of
    the network, and `g` the gradient with respect to the parameters, likewise.
    A forward pass may hand a `cache` to the backward pass: whatever that needs beyond
    `x` and `y`.
    """

    def shapes(self) -> Shapes:
        """Names and shapes of the layer's parameters; none by default."""
        return {}

    def statistics(self) -> Shapes:
        """Names and shapes of what it measures in training; none by default.

        They are handed to it among `p` and have no gradient.
        """
        return {}

    def reset(self, p: Views) -> None:
        """Write where parameters and statistics start, if not at zero."""

    @abstractmethod
    def forward(self, x: Array, p: Views) -> Array:
        """Output at input rows `x` of shape (n_rows, n_in), for prediction."""

    def forward_training(
        self, x: Array, p: Views, weight: Array = None, rng: Any = None
    ) -> tuple[Array, Any]:
        """Return the output in training and the cache; by default `forward`, None.

        Parameters
        ----------
        weight : array of shape (n_rows,), optional
            Weights of the rows. Default: all equal.
        rng : numpy.random.Generator, optional
            For layers that draw.
        """
        return self.forward(x, p), None

    @abstractmethod
    def backward(
        self,
        delta: Array,
        x: Array,
        y: Array,
        p: Views,
        g: Views,
        input_gradient: bool = True,
        cache: Any = None,
    ) -> Array:
        """Fill `g`; return the gradient with respect to `x`.

        Parameters
        ----------
        delta : array of shape (n_rows, n_out)
            Gradient of the loss with respect to `y`.
        input_gradient : bool, default=True
            Whether the returned gradient is needed; a layer may return None otherwise.
        cache : object
            What `forward_training` returned beside `y`.
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

    def __init__(self, n_in: int, n_out: int) -> None:
        self.n_in = n_in
        self.n_out = n_out

    def shapes(self) -> Shapes:
        return {"W": (self.n_in, self.n_out), "c": (self.n_out,)}

    def forward(self, x: Array, p: Views) -> Array:
        z = x @ p["W"]
        z += p["c"]
        return z

    def backward(
        self,
        delta: Array,
        x: Array,
        y: Array,
        p: Views,
        g: Views,
        input_gradient: bool = True,
        cache: Any = None,
    ) -> Array:
        matmul_into(x.T, delta, g["W"])
        g["c"][...] = namespace(delta).sum(delta, axis=0)
        return delta @ p["W"].T if input_gradient else None


class Activation(Layer):
    """An element-wise function whose slope can be written with its output `y`."""

    @abstractmethod
    def slope(self, y: Array) -> Array:
        """Derivative of the function where its value is `y`."""

    def backward(
        self,
        delta: Array,
        x: Array,
        y: Array,
        p: Views,
        g: Views,
        input_gradient: bool = True,
        cache: Any = None,
    ) -> Array:
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

    def forward(self, x: Array, p: Views) -> Array:
        return sigmoid(x)

    def slope(self, y: Array) -> Array:
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

    def forward(self, x: Array, p: Views) -> Array:
        return namespace(x).tanh(x)

    def slope(self, y: Array) -> Array:
        return 1.0 - y**2


class ScaledTanh(Activation):
    """1.7159 tanh(2 x / 3), which maps -1 and 1 to themselves.

    LeCun, Bottou, Orr and Mueller (1998), Efficient BackProp, section 4.4.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import ScaledTanh
    >>> ScaledTanh().forward(np.array([[-1.0, 1.0]]), {}).round(4)
    array([[-1.,  1.]])
    """

    _HEIGHT, _RATE = 1.7159, 2.0 / 3.0

    def forward(self, x: Array, p: Views) -> Array:
        return self._HEIGHT * namespace(x).tanh(self._RATE * x)

    def slope(self, y: Array) -> Array:
        return (self._RATE / self._HEIGHT) * (self._HEIGHT - y) * (self._HEIGHT + y)


class ReLU(Activation):
    """Rectifier max(0, x); slope 0 at 0.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import ReLU
    >>> ReLU().forward(np.array([[-1.0, 2.0]]), {})
    array([[0., 2.]])
    """

    def forward(self, x: Array, p: Views) -> Array:
        return namespace(x).clip(x, 0.0, None)

    def slope(self, y: Array) -> Array:
        return namespace(y).asarray(y > 0, dtype=y.dtype)


class LeakyReLU(Activation):
    """x where it is positive, ``negative_slope * x`` elsewhere.

    Maas, Hannun and Ng (2013) use 0.01. With another number it is the PReLU of He,
    Zhang, Ren and Sun (2015) whose slope is given and not learned.

    Parameters
    ----------
    negative_slope : float, default=0.01

    Raises
    ------
    ValueError
        When it is used, if `negative_slope` is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import LeakyReLU
    >>> LeakyReLU(0.25).forward(np.array([[-1.0, 2.0]]), {})
    array([[-0.25,  2.  ]])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def validate(self) -> None:
        check_number(self, "negative_slope", 0, math.inf, closed=True)

    def forward(self, x: Array, p: Views) -> Array:
        clip = namespace(x).clip
        return clip(x, 0.0, None) + self.negative_slope * clip(x, None, 0.0)

    def slope(self, y: Array) -> Array:
        positive = namespace(y).asarray(y > 0, dtype=y.dtype)
        return positive + self.negative_slope * (1.0 - positive)


class ELU(Activation):
    """x where it is positive, ``alpha * (exp(x) - 1)`` elsewhere.

    Clevert, Unterthiner and Hochreiter (2016), section 3.

    Parameters
    ----------
    alpha : float, default=1.0

    Raises
    ------
    ValueError
        When it is used, if `alpha` is not positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import ELU
    >>> ELU().forward(np.array([[-1.0, 2.0]]), {}).round(2)
    array([[-0.63,  2.  ]])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def validate(self) -> None:
        check_number(self, "alpha", 0, math.inf)

    def forward(self, x: Array, p: Views) -> Array:
        xp = namespace(x)
        return xp.clip(x, 0.0, None) + self.alpha * xp.expm1(xp.clip(x, None, 0.0))

    def slope(self, y: Array) -> Array:
        xp = namespace(y)
        return xp.where(y > 0, xp.ones_like(y), y + self.alpha)


class Softsign(Activation):
    """``x / (1 + |x|)``, which saturates more slowly than tanh.

    Glorot and Bengio (2010), section 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import Softsign
    >>> Softsign().forward(np.array([[-1.0, 3.0]]), {})
    array([[-0.5 ,  0.75]])
    """

    def forward(self, x: Array, p: Views) -> Array:
        return x / (1.0 + namespace(x).abs(x))

    def slope(self, y: Array) -> Array:
        return (1.0 - namespace(y).abs(y)) ** 2


class Softplus(Activation):
    """log(1 + exp(x)), a smooth rectifier.

    Dugas, Bengio, Belisle, Nadeau and Garcia (2001).

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import Softplus
    >>> Softplus().forward(np.array([[-1000.0, 1000.0]]), {})
    array([[   0., 1000.]])
    """

    def forward(self, x: Array, p: Views) -> Array:
        return softplus(x)

    def slope(self, y: Array) -> Array:
        return -namespace(y).expm1(-y)


class Identity(Activation):
    """x itself: a net of linear layers.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import Identity
    >>> Identity().forward(np.array([[-1.0, 2.0]]), {})
    array([[-1.,  2.]])
    """

    def forward(self, x: Array, p: Views) -> Array:
        return x

    def slope(self, y: Array) -> Array:
        return namespace(y).ones_like(y)


ACTIVATIONS: dict[str, type[Activation]] = {
    "logistic": Logistic,
    "tanh": Tanh,
    "scaled_tanh": ScaledTanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "softsign": Softsign,
    "softplus": Softplus,
    "identity": Identity,
}


def get_activation(activation: str | Activation) -> Activation:
    """Return `activation` itself, or the layer that the string names.

    Parameters
    ----------
    activation : str or Activation
        ``"logistic"``, ``"tanh"``, ``"scaled_tanh"``, ``"relu"``, ``"leaky_relu"``,
        ``"elu"``, ``"softsign"``, ``"softplus"`` or ``"identity"``.

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


# Of all hidden layers, or one for each.
Activations: TypeAlias = str | Activation | Sequence[str | Activation]


def get_activations(activation: Activations, n_layers: int) -> list[Activation]:
    """The layers that one activation, or a list with one for each, stands for.

    Parameters
    ----------
    activation : str, Activation or sequence of them
        One for all layers, or `n_layers` of them.
    n_layers : int

    Raises
    ------
    ValueError
        If one is not known, or there is another number of them.

    Examples
    --------
    >>> get_activations(["relu", "identity"], 2)
    [ReLU(), Identity()]
    >>> get_activations("tanh", 2)
    [Tanh(), Tanh()]
    """
    if not isinstance(activation, list | tuple):
        return [get_activation(activation)] * n_layers  # type: ignore[arg-type]
    if len(activation) != n_layers:
        raise ValueError(
            f"activation has {len(activation)} entries for {n_layers} hidden layers; "
            f"it is {list(activation)!r}. Give one per layer, or a single one for all."
        )
    return [get_activation(one) for one in activation]
