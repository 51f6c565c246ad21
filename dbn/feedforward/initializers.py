"""Initializers: where the weights of a network start.

Here are those that look at data or hold weights, the gains that go with activations,
and the names of all. Those that draw each layer by itself are in `schemes`.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..backend.array import count_not_finite, take_rows
from ..backend.device import asarray_like, namespace, to_host
from ..backend.parts import get_part
from ..backend.rows import some_rows
from ..backend.types import Array
from .layers import (
    Activation,
    Dense,
    Identity,
    LeakyReLU,
    Logistic,
    ReLU,
    ScaledTanh,
    Softsign,
    Tanh,
    get_activation,
)
from .network import Network
from .schemes import (
    Constant,
    Initializer,
    Normal,
    Orthogonal,
    Sparse,
    VarianceScaling,
    Zeros,
)


class LSUV(Initializer):
    """Orthonormal weights, rescaled so that each layer's output has variance 1 on data.

    Layer-sequential unit-variance, Mishkin and Matas (2016), algorithm 1: from the data
    upwards, the weights of a dense layer are divided by the standard deviation of what
    it puts out, ``x @ W`` before the activation, over all units and rows (at most 1000
    of the rows of X). The paper repeats that until the variance is within 0.1 of
    1; biases are zero here, the output is linear in W and one division is exact.

    The weights of a layer whose output is the same everywhere (no input reaches it: all
    zero in X, or only dead units below) stay orthonormal.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import Network
    >>> from dbn.feedforward import LSUV
    >>> rng = np.random.default_rng(0)
    >>> net, X = Network([4, 8, 3]), 100.0 * rng.standard_normal((50, 4))
    >>> LSUV().fill(net, X, rng)
    >>> [float(net.activations(X)[i].var().round(6)) for i in (1, 3)]
    [1.0, 1.0]
    """

    def fill(self, network: Network, X: Array, rng: Any) -> None:
        Orthogonal().fill(network, X, rng)
        rows = take_rows(X, some_rows(X.shape[0], 1000))
        dense = [i for i, x in enumerate(network.layers) if isinstance(x, Dense)]
        for i, (W, _) in zip(dense, network.dense, strict=True):
            z = network.activations(rows)[i + 1]
            xp = namespace(z)
            variance, square = float(xp.var(z)), float(xp.mean(z**2))
            if variance > float(xp.finfo(z.dtype).eps) * square:  # not only rounding
                W /= math.sqrt(variance)


class Given(Initializer):
    """Weights and biases as given.

    `get_initializer` makes it from a list of pairs. They are those of `Network.dense`:
    what comes before the net, such as the standardisation of X for Gaussian units, is
    not folded into them.

    Parameters
    ----------
    layers : sequence of (W, c)
        One pair per dense layer from the data upwards, the output layer included: W of
        shape (n_in, n_out), c of shape (n_out,). Copied, never changed.

    Raises
    ------
    ValueError
        When training starts, if `layers` is not a sequence of pairs, a number is not
        finite, or the shapes are not those of the network.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import Network
    >>> from dbn.feedforward import Given
    >>> net = Network([2, 1], loss="squared_error")
    >>> Given([(np.array([[1.0], [2.0]]), np.array([3.0]))]).fill(net, None, None)
    >>> net.predict(np.array([[10.0, 100.0]]))
    array([[213.]])
    """

    def __init__(self, layers: Sequence[tuple[Array, Array]]) -> None:
        self.layers = layers

    def validate(self) -> None:
        if not isinstance(self.layers, (list, tuple)):
            raise ValueError(
                f"The given layers are {self.layers!r}. Give a list with (W, c), the "
                "weights and biases of each layer."
            )
        for i, pair in enumerate(self.layers):
            if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
                raise ValueError(
                    f"Entry {i} of the given layers is {type(pair).__name__} and not a "
                    "pair. Give (W, c), weights and biases, for each layer."
                )

    def fill(self, network: Network, X: Array, rng: Any) -> None:
        self.validate()
        given = [part for pair in self.layers for part in pair]
        own = [part for pair in network.dense for part in pair]
        found, needed = ([tuple(np.shape(a)) for a in x] for x in (given, own))
        if found != needed:
            raise ValueError(
                f"The given W, c, ... have the shapes {found}, those of the network "
                f"{needed}. Change the layer sizes or the arrays."
            )
        pairs = zip(own, given, strict=True)
        given = [asarray_like(np.asarray(to_host(part)), a) for a, part in pairs]
        if bad := sum(count_not_finite(part) for part in given):
            raise ValueError(
                f"The given (W, c) have {bad} entries that are infinite or NaN. Give "
                "finite numbers."
            )
        for a, part in zip(own, given, strict=True):
            a[...] = part


_GAINS: dict[type[Activation], float] = {
    Identity: 1.0,
    Softsign: 1.0,
    ScaledTanh: 1.0,
    Tanh: 5.0 / 3.0,
    Logistic: 4.0,
    ReLU: math.sqrt(2.0),
}


def activation_gain(activation: str | Activation) -> float:
    """Factor on the weights' standard deviation that goes with an activation.

    =================== ==================== =========================================
    activation          gain                 source
    =================== ==================== =========================================
    identity, softsign  1                    Glorot and Bengio (2010), who give tanh 1
                                             too: slope 1 at 0
    scaled_tanh         1                    LeCun, Bottou, Orr and Mueller (1998)
    tanh                5/3                  a habit, from Torch: no paper derives it
    logistic            4                    slope 1/4 at 0 (Theano's tutorials)
    relu                sqrt(2)              He, Zhang, Ren and Sun (2015), equation 10
    leaky_relu          sqrt(2 / (1 + a^2))  the same, equation 15; a is the slope for
                                             negative numbers
    =================== ==================== =========================================

    Parameters
    ----------
    activation : str or Activation

    Returns
    -------
    float
        The `gain` of `Orthogonal`; its square is the `scale` of `VarianceScaling`.

    Raises
    ------
    ValueError
        If no gain is known for the activation.

    Examples
    --------
    >>> from dbn.feedforward import Orthogonal, VarianceScaling, activation_gain
    >>> VarianceScaling(activation_gain("logistic") ** 2)
    VarianceScaling(scale=16.0)
    >>> Orthogonal(activation_gain("relu"))
    Orthogonal(gain=1.4142135623730951)
    """
    activation = get_activation(activation)
    if isinstance(activation, LeakyReLU):
        return math.sqrt(2.0 / (1.0 + activation.negative_slope**2))
    if type(activation) in _GAINS:
        return _GAINS[type(activation)]
    known = ", ".join(kind.__name__ for kind in _GAINS)
    raise ValueError(
        f"No gain is known for the activation {activation!r}; there is one for "
        f"{known}, LeakyReLU. Give the gain as a number instead."
    )


_FAMILIES = {
    "lecun": (1.0, "fan_in"),
    "xavier": (1.0, "fan_avg"),
    "xavier_x4": (16.0, "fan_avg"),
    "glorot": (1.0, "fan_avg"),
    "he": (2.0, "fan_in"),
    "kaiming": (2.0, "fan_in"),
}
INITIALIZERS: dict[str, Callable[[], Initializer]] = {
    "zeros": Zeros,
    "constant": Constant,
    "normal": Normal,
    "truncated_normal": partial(Normal, truncated=True),
    "standard": partial(VarianceScaling, 1.0 / 3.0, mode="fan_in"),
    "orthogonal": Orthogonal,
    "lsuv": LSUV,
    "sparse": Sparse,
}
INITIALIZERS |= {
    f"{family}_{distribution}": partial(
        VarianceScaling, scale, mode=mode, distribution=distribution
    )
    for family, (scale, mode) in _FAMILIES.items()
    for distribution in ("uniform", "normal", "truncated_normal")
}


def get_initializer(
    init: str | Initializer | list[Any] | tuple[Any, ...],
) -> Initializer:
    """Return `init` itself, or the initializer that the string or list stands for.

    Parameters
    ----------
    init : str, Initializer or list of (W, c)
        One of the families ``"lecun"``, ``"xavier"``, ``"xavier_x4"`` and ``"he"``,
        followed by ``"_uniform"``, ``"_normal"`` or ``"_truncated_normal"`` (Xavier
        also as ``"glorot"``, He as ``"kaiming"``); ``"standard"``, ``"orthogonal"``,
        ``"lsuv"``, ``"sparse"``, ``"normal"``, ``"truncated_normal"``, ``"constant"``
        or ``"zeros"``. A list of weights and biases makes a `Given`.

    Raises
    ------
    ValueError
        If `init` is none of them, or has a parameter that is not accepted.

    Examples
    --------
    >>> from dbn.feedforward import get_initializer
    >>> get_initializer("he_normal")
    VarianceScaling(distribution='normal', mode='fan_in', scale=2.0)
    """
    part = Given(init) if isinstance(init, (list, tuple)) else init
    return get_part(part, Initializer, INITIALIZERS, "init")
