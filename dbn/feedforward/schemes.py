"""Schemes that draw the weights of each layer by themselves, without looking at data.

One formula stands behind the named families (LeCun, Xavier, He): the variance of a
weight is ``scale / n``, with n the fan-in, the fan-out or their mean.
"""

import math
from abc import abstractmethod
from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ..backend.device import asarray_like
from ..backend.parts import Part, check_number
from ..backend.types import Array
from .network import Network

# Standard deviation of N(0, 1) cut off at +-2: the number 0.87962566 in Keras.
_TRUNCATED_STD = math.sqrt(
    1.0 - 4.0 * math.exp(-2.0) / math.sqrt(2.0 * math.pi) / math.erf(math.sqrt(2.0))
)


class Initializer(Part):
    """Interface: `fill` writes weights and biases of a network in place."""

    @abstractmethod
    def fill(self, network: Network, X: Array, rng: Any) -> None:
        """Set the weights and biases of `network`.

        Parameters
        ----------
        network : Network
        X : array of shape (n_rows, n_inputs)
            Training rows, which a data-dependent scheme may look at.
        rng : numpy.random.Generator
        """


class LayerByLayer(Initializer):
    """Interface of schemes that need no more than a layer's shape; biases are zero."""

    @abstractmethod
    def draw(self, shape: tuple[int, ...], rng: Any) -> Array:
        """Weights of the `shape` (fan_in, fan_out), drawn from the stream `rng`."""

    def fill(self, network: Network, X: Array, rng: Any) -> None:
        for W, c in network.dense:
            W[...] = asarray_like(self.draw(tuple(W.shape), rng), W)
            c[...] = 0.0


def _truncated_normal(shape: tuple[int, ...], rng: Any) -> Array:
    """Draws from N(0, 1) given that they lie within +-2."""
    return ndtri(rng.uniform(ndtr(-2.0), ndtr(2.0), shape))


class VarianceScaling(LayerByLayer):
    """Zero-mean weights of variance ``scale / n``, biases zero.

    ========== ===== ======== =========================================================
    family     scale mode     source
    ========== ===== ======== =========================================================
    LeCun      1     fan_in   LeCun, Bottou, Orr and Mueller (1998), section 4.6:
                              standard deviation 1 / sqrt(fan_in)
    "standard" 1/3   fan_in   what Glorot and Bengio (2010), equation 1, argue against:
                              uniform within +-1 / sqrt(fan_in)
    Xavier     1     fan_avg  Glorot and Bengio (2010), equation 16: variance
                              2 / (fan_in + fan_out), bound
                              sqrt(6) / sqrt(fan_in + fan_out)
    Xavier x 4 16    fan_avg  the same with 4 times the bound, for logistic units, whose
                              slope at 0 is 1/4 (Theano's deep learning tutorials)
    He         2     fan_in   He, Zhang, Ren and Sun (2015), equation 10: standard
                              deviation sqrt(2 / fan_in); equation 14 has fan_out
    ========== ===== ======== =========================================================

    Often told otherwise: a 784-256 layer has the Xavier bound 0.07596, not 0.759;
    a standard deviation of 1 / sqrt(fan_in) is LeCun's and not Xavier's; that of He is
    sqrt(2 / n), and 2 / sqrt(n) would double the variance in each layer of rectifiers.
    Xavier is derived for symmetric units with slope 1 at 0, not for logistic ones; its
    paper has the uniform form only. Keras starts dense layers with Xavier uniform,
    PyTorch with "standard".

    Parameters
    ----------
    scale : float, default=1.0
        Variance of a weight times n: the square of a gain, see `activation_gain`.
    mode : {"fan_in", "fan_out", "fan_avg"}, default="fan_avg"
        What n is: inputs of the layer, outputs, or their mean.
    distribution : {"uniform", "normal", "truncated_normal"}, default="uniform"
        Uniform weights lie within +-sqrt(3 scale / n). Truncated ones come from a
        normal law cut off at twice its standard deviation, which is made larger by
        1 / 0.8796 so that the variance is ``scale / n`` after the cut: what Keras means
        by "he_normal" and "glorot_normal". "normal" is not truncated, as in PyTorch.

    Raises
    ------
    ValueError
        When training starts, if a parameter is not accepted.

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> from dbn.feedforward import VarianceScaling
    >>> xavier_x4 = VarianceScaling(16.0, mode="fan_avg", distribution="uniform")
    >>> DBNClassifier(init=xavier_x4).init.scale
    16.0
    """

    def __init__(
        self,
        scale: float = 1.0,
        *,
        mode: str = "fan_avg",
        distribution: str = "uniform",
    ) -> None:
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def validate(self) -> None:
        check_number(self, "scale", 0, math.inf)
        if self.mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(
                f"mode={self.mode!r} is not known. Use 'fan_in', 'fan_out' or "
                "'fan_avg'."
            )
        if self.distribution not in ("uniform", "normal", "truncated_normal"):
            raise ValueError(
                f"distribution={self.distribution!r} is not known. Use 'uniform', "
                "'normal' or 'truncated_normal'."
            )

    def draw(self, shape: tuple[int, ...], rng: Any) -> Array:
        fan_in, fan_out = shape
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        std = math.sqrt(self.scale / n[self.mode])
        if self.distribution == "normal":
            return std * rng.standard_normal(shape)
        if self.distribution == "truncated_normal":
            return std / _TRUNCATED_STD * _truncated_normal(shape, rng)
        return math.sqrt(3.0) * std * rng.uniform(-1.0, 1.0, shape)


class Normal(LayerByLayer):
    """Weights N(0, sigma^2) whatever the size of the layer, biases zero.

    Parameters
    ----------
    sigma : float, default=0.01
        Standard deviation. 1.0 saturates logistic units (at 0 and 1) and tanh units (at
        -1 and 1) and lets rectifiers explode; 0.01 starves deep nets.
    truncated : bool, default=False
        Whether the law is cut off at +-2 sigma, like Keras's `TruncatedNormal`. The
        standard deviation is then 0.8796 sigma: it is not corrected.

    Raises
    ------
    ValueError
        When training starts, if `sigma` is negative or not finite.

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> from dbn.feedforward import Normal
    >>> DBNClassifier(init=Normal(1.0)).init
    Normal(sigma=1.0)
    """

    def __init__(self, sigma: float = 0.01, *, truncated: bool = False) -> None:
        self.sigma = sigma
        self.truncated = truncated

    def validate(self) -> None:
        check_number(self, "sigma", 0, math.inf, closed=True)

    def draw(self, shape: tuple[int, ...], rng: Any) -> Array:
        if self.truncated:
            return self.sigma * _truncated_normal(shape, rng)
        return self.sigma * rng.standard_normal(shape)


class Constant(LayerByLayer):
    """All weights the same, biases zero: a warning, not a recommendation.

    All units of a layer compute the same, get the same gradient and so stay the same
    for ever: the layer is worth one unit, whatever its size. The net is not linear.

    Parameters
    ----------
    value : float, default=0.01

    Raises
    ------
    ValueError
        When training starts, if `value` is not finite.

    Examples
    --------
    >>> from dbn.feedforward import Constant, get_initializer
    >>> get_initializer(Constant(0.5)).draw((2, 3), rng=None)
    array([[0.5, 0.5, 0.5],
           [0.5, 0.5, 0.5]])
    """

    def __init__(self, value: float = 0.01) -> None:
        self.value = value

    def validate(self) -> None:
        check_number(self, "value", -math.inf, math.inf)

    def draw(self, shape: tuple[int, ...], rng: Any) -> Array:
        return np.full(shape, self.value)


class Zeros(LayerByLayer):
    """All weights and biases zero: the units of a layer stay identical for ever.

    With activations that are 0 at 0 (tanh, relu) nothing but the output biases ever
    moves; with logistic units, which are 1/2 there, each layer learns to be worth one
    unit, as with `Constant`.

    Examples
    --------
    >>> from dbn.feedforward import get_initializer
    >>> get_initializer("zeros")
    Zeros()
    """

    def draw(self, shape: tuple[int, ...], rng: Any) -> Array:
        return np.zeros(shape)


class Orthogonal(LayerByLayer):
    """A random matrix with orthonormal rows or columns, times `gain`; biases zero.

    Columns (one per unit) are orthonormal where fan_in >= fan_out, rows otherwise: all
    singular values are `gain`. Saxe, McClelland and Ganguli (2014): the time a deep
    linear net needs to learn does not depend on its depth then. The matrix is the Q of
    a QR decomposition of normal draws, with the signs that make R's diagonal positive,
    without which Q is not uniform over such matrices (Mezzadri 2007).

    Parameters
    ----------
    gain : float, default=1.0
        See `activation_gain`.

    Raises
    ------
    ValueError
        When training starts, if `gain` is not positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import Orthogonal
    >>> W = Orthogonal(2.0).draw((5, 3), np.random.default_rng(0))
    >>> np.linalg.svd(W, compute_uv=False)
    array([2., 2., 2.])
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def validate(self) -> None:
        check_number(self, "gain", 0, math.inf)

    def draw(self, shape: tuple[int, ...], rng: Any) -> Array:
        Q, R = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
        Q *= self.gain * np.sign(np.diag(R))
        return Q if shape[0] >= shape[1] else Q.T


class Sparse(LayerByLayer):
    """Each unit gets `k` incoming weights N(0, sigma^2) and no others; biases zero.

    Martens (2010): the input of a unit then does not grow with the size of the layer
    below, and units differ. Which inputs it listens to is drawn for each unit; all,
    where there are no more than `k`. The paper gives tanh units the bias 0.5; here it
    is 0.

    Parameters
    ----------
    k : int, default=15
        Number of weights that are not zero, per unit.
    sigma : float, default=1.0
        Their standard deviation.

    Raises
    ------
    ValueError
        When training starts, if `k` is not a positive integer or `sigma` is not
        positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import Sparse
    >>> W = Sparse(k=2).draw((100, 3), np.random.default_rng(0))
    >>> np.count_nonzero(W, axis=0)
    array([2, 2, 2])
    """

    def __init__(self, k: int = 15, *, sigma: float = 1.0) -> None:
        self.k = k
        self.sigma = sigma

    def validate(self) -> None:
        check_number(self, "k", 1, math.inf, closed=True, kind=Integral)
        check_number(self, "sigma", 0, math.inf)

    def draw(self, shape: tuple[int, ...], rng: Any) -> Array:
        W = np.zeros(shape)
        top = W[: self.k]
        top[...] = self.sigma * rng.standard_normal(top.shape)
        return rng.permuted(W, axis=0)
