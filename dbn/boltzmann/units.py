"""Types of units: what a single layer of a Boltzmann machine is made of.

Given its total input x, a layer of units has the exponential-family law

    log p(u | x) = u . x - base_energy(u) - cgf(x),

where the cumulant generating function `cgf` carries every normaliser. Its gradient is
the mean of u, the diagonal of its Hessian the variance. Free energies, Gibbs steps and
gradients are written once against these functions (in `rbm.py`), so a new type of unit
is one class here. See Welling, Rosen-Zvi and Hinton (2004), "Exponential family
harmoniums with an application to information retrieval".
"""

import math
from abc import abstractmethod

from ..backend.array import namespace, sigmoid, softplus
from ..backend.parts import Part, get_part
from ..backend.random import bernoulli, normal


class Units(Part):
    """Interface of all unit types; arrays have shape (n_rows, n_units).

    `base_energy` and `cgf` sum over the units and return shape (n_rows,).
    """

    @abstractmethod
    def mean(self, x):
        """Mean of the units at total input `x`."""

    @abstractmethod
    def variance(self, x):
        """Variance of the units at total input `x`."""

    @abstractmethod
    def sample(self, x, rng):
        """Draw the units at total input `x`."""

    @abstractmethod
    def cgf(self, x):
        """Cumulant generating function, in nats, summed over the units."""

    @abstractmethod
    def base_energy(self, u):
        """Energy of the states `u` at total input zero, in nats, summed over units."""

    @abstractmethod
    def input_for_mean(self, mean):
        """Total input at which the units have this `mean`, or are close to it."""

    @abstractmethod
    def check(self, X):
        """Raise a ValueError when `X` holds values that these units cannot take."""


class Bernoulli(Units):
    """Binary units with values 0 and 1; real values in [0, 1] count as probabilities.

    Mean sigmoid(x), cgf(x) = sum log(1 + exp x), base energy 0. See Hinton (2010), "A
    practical guide to training restricted Boltzmann machines", section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Bernoulli
    >>> Bernoulli().mean(np.zeros((1, 2)))
    array([[0.5, 0.5]])
    """

    def mean(self, x):
        return sigmoid(x)

    def variance(self, x):
        p = sigmoid(x)
        return p * (1.0 - p)

    def sample(self, x, rng):
        return bernoulli(rng, sigmoid(x))

    def cgf(self, x):
        return namespace(x).sum(softplus(x), axis=1)

    def base_energy(self, u):
        return 0.0 * namespace(u).sum(u, axis=1)

    def input_for_mean(self, mean):
        # log(p / (1 - p)), Hinton (2010) section 8.1; a pixel that is always off would
        # start at minus infinity.
        xp = namespace(mean)
        p = xp.clip(mean, 0.001, 0.999)
        return xp.log(p) - xp.log1p(-p)

    def check(self, X):
        xp = namespace(X)
        low, high = float(xp.min(X)), float(xp.max(X))
        if not (low >= 0.0 and high <= 1.0):
            raise ValueError(
                "Bernoulli visible units need values in [0, 1]; X has minimum "
                f"{low:g} and maximum {high:g}. Scale X (MinMaxScaler) or use "
                "visible='gaussian'."
            )


class Gaussian(Units):
    """Real-valued units with variance 1: standardise the data.

    Mean x, cgf(x) = sum (x^2 + log 2 pi) / 2, base energy u^2 / 2. See Hinton (2010),
    section 13.2.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Gaussian
    >>> Gaussian().mean(np.array([[-3.0, 2.0]]))
    array([[-3.,  2.]])
    """

    def mean(self, x):
        return x

    def variance(self, x):
        return namespace(x).ones_like(x)

    def sample(self, x, rng):
        return x + normal(rng, x.shape, x)

    def cgf(self, x):
        return namespace(x).sum(0.5 * x**2 + 0.5 * math.log(2.0 * math.pi), axis=1)

    def base_energy(self, u):
        return namespace(u).sum(0.5 * u**2, axis=1)

    def input_for_mean(self, mean):
        return mean

    def check(self, X):
        """Every finite value is a possible state."""


UNITS = {"bernoulli": Bernoulli, "gaussian": Gaussian}


def get_units(units):
    """Return `units` itself, or the unit type that the string names.

    Parameters
    ----------
    units : {"bernoulli", "gaussian"} or Units

    Raises
    ------
    ValueError
        If `units` is neither.

    Examples
    --------
    >>> get_units("gaussian")
    Gaussian()
    """
    return get_part(units, Units, UNITS, "units")
