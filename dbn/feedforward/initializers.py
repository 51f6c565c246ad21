"""Initializers: where the weights of a network start.

One formula stands behind the named families (LeCun, Xavier, He): the variance of a
weight is ``scale / n``, with n the fan-in, the fan-out or their mean.
"""

import math
from abc import abstractmethod
from numbers import Real

from ..backend.array import namespace
from ..backend.parts import Part, get_part


class Initializer(Part):
    """Interface: `fill` writes weights and biases of a network in place."""

    @abstractmethod
    def fill(self, network, X, rng):
        """Set all parameters of `network`.

        Parameters
        ----------
        network : Network
        X : array of shape (n_rows, n_inputs)
            Training rows, which a data-dependent scheme may look at.
        rng : numpy.random.Generator
        """


class _RandomWeights(Initializer):
    """Biases zero, the weights of each layer drawn independently."""

    @abstractmethod
    def draw(self, shape, rng):
        """Weights of shape (fan_in, fan_out)."""

    def fill(self, network, X, rng):
        for W, c in network.dense:
            W[...] = namespace(W).asarray(self.draw(W.shape, rng), dtype=W.dtype)
            c[...] = 0.0


class VarianceScaling(_RandomWeights):
    """Zero-mean weights of variance ``scale / n``, biases zero.

    ========== ===== ======== =========================================================
    family     scale mode     source
    ========== ===== ======== =========================================================
    LeCun      1     fan_in   LeCun, Bottou, Orr and Mueller (1998), section 4.6
    Xavier     1     fan_avg  Glorot and Bengio (2010), equation 16: variance
                              2 / (fan_in + fan_out), bound
                              sqrt(6) / sqrt(fan_in + fan_out)
    Xavier x 4 16    fan_avg  the same with 4 times the bound, for logistic units
    He         2     fan_in   He, Zhang, Ren and Sun (2015), equation 10: standard
                              deviation sqrt(2 / fan_in)
    ========== ===== ======== =========================================================

    Parameters
    ----------
    scale : float, default=1.0
        Variance of a weight times n.
    mode : {"fan_in", "fan_out", "fan_avg"}, default="fan_avg"
        What n is: inputs of the layer, outputs, or their mean.
    distribution : {"uniform", "normal"}, default="uniform"
        Uniform weights lie within +-sqrt(3 scale / n).

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

    def __init__(self, scale=1.0, *, mode="fan_avg", distribution="uniform"):
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def validate(self):
        if self.mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(
                f"mode={self.mode!r} is not known. Use 'fan_in', 'fan_out' or "
                "'fan_avg'."
            )
        if self.distribution not in ("uniform", "normal"):
            raise ValueError(
                f"distribution={self.distribution!r} is not known. Use 'uniform' or "
                "'normal'."
            )
        if not (isinstance(self.scale, Real) and 0 < self.scale < math.inf):
            raise ValueError(
                f"scale must be positive and finite; it is {self.scale!r}."
            )

    def draw(self, shape, rng):
        fan_in, fan_out = shape
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        std = math.sqrt(self.scale / n[self.mode])
        if self.distribution == "normal":
            return std * rng.standard_normal(shape)
        return math.sqrt(3.0) * std * rng.uniform(-1.0, 1.0, shape)


class Normal(_RandomWeights):
    """Weights N(0, sigma^2) whatever the size of the layer, biases zero.

    Parameters
    ----------
    sigma : float, default=0.01
        Standard deviation. 1.0 saturates logistic units, 0.01 starves deep nets.

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

    def __init__(self, sigma=0.01):
        self.sigma = sigma

    def validate(self):
        if not (isinstance(self.sigma, Real) and 0 <= self.sigma < math.inf):
            raise ValueError(
                f"sigma must be finite and not negative; it is {self.sigma!r}."
            )

    def draw(self, shape, rng):
        return self.sigma * rng.standard_normal(shape)


class Zeros(Initializer):
    """All weights and biases zero: the units of a layer stay identical for ever.

    Examples
    --------
    >>> from dbn.feedforward import get_initializer
    >>> get_initializer("zeros")
    Zeros()
    """

    def fill(self, network, X, rng):
        network.params.flat[...] = 0.0


def _scaling(scale, mode, distribution):
    return lambda: VarianceScaling(scale, mode=mode, distribution=distribution)


INITIALIZERS = {"zeros": Zeros, "normal": Normal}
for _distribution in ("uniform", "normal"):
    for _name in ("xavier", "glorot"):
        _key = f"{_name}_{_distribution}"
        INITIALIZERS[_key] = _scaling(1.0, "fan_avg", _distribution)
    for _name in ("he", "kaiming"):
        _key = f"{_name}_{_distribution}"
        INITIALIZERS[_key] = _scaling(2.0, "fan_in", _distribution)


def get_initializer(init):
    """Return `init` itself, or the initializer that the string names.

    Parameters
    ----------
    init : str or Initializer
        ``"xavier_uniform"``, ``"xavier_normal"``, ``"he_uniform"``, ``"he_normal"``
        (also as ``glorot_*`` and ``kaiming_*``), ``"zeros"`` or ``"normal"``.

    Raises
    ------
    ValueError
        If `init` is neither.

    Examples
    --------
    >>> from dbn.feedforward import get_initializer
    >>> get_initializer("he_normal")
    VarianceScaling(distribution='normal', mode='fan_in', scale=2.0)
    """
    return get_part(init, Initializer, INITIALIZERS, "init")
