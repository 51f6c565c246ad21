"""Real-valued units."""

import math

from ...backend.array import namespace
from ...backend.random import normal
from .base import Units


class Gaussian(Units):
    """Real-valued units: mean s^2 x, variance s^2.

    cgf(x) = sum (s^2 x^2 + log 2 pi s^2) / 2, base energy u^2 / (2 s^2). With fixed
    variance s = 1: standardise the data. See Hinton (2010), section 13.2; for the
    variance as a parameter, in logarithms so that it stays positive, Cho, Ilin and
    Raiko (2011), "Improved learning of Gaussian-Bernoulli RBMs".

    Parameters
    ----------
    learn_variance : bool, default=False
        Whether log s^2 of each unit is learned (from 0). For visible units only: the
        variance of hidden units is the same as a scale of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Gaussian
    >>> Gaussian().mean(np.array([[-3.0, 2.0]]))
    array([[-3.,  2.]])
    """

    linear = standardised = True

    def __init__(self, learn_variance=False):
        self.learn_variance = learn_variance

    def init(self, n):
        return {"log_variance": (n,)} if self.learn_variance else {}

    def _variance(self, x, p):
        xp = namespace(x)
        return (
            xp.exp(p["log_variance"]) if self.learn_variance else xp.ones_like(x[:1, :])
        )

    def mean(self, x, p=None):
        return self._variance(x, p) * x if self.learn_variance else x

    def variance(self, x, p=None):
        return self._variance(x, p) * namespace(x).ones_like(x)

    def sample(self, x, rng, p=None):
        noise = normal(rng, x.shape, x)
        if self.learn_variance:
            noise *= namespace(x).exp(0.5 * p["log_variance"])
        return self.mean(x, p) + noise

    def cgf(self, x, p=None):
        xp = namespace(x)
        s2 = self._variance(x, p)
        terms = 0.5 * s2 * x**2 + 0.5 * xp.log(s2) + 0.5 * math.log(2.0 * math.pi)
        return xp.sum(terms, axis=1)

    def base_energy(self, u, p=None):
        return namespace(u).sum(0.5 * u**2 / self._variance(u, p), axis=1)

    def base_energy_grad(self, u, p=None):
        if not self.learn_variance:
            return {}
        return {"log_variance": -0.5 * u**2 / self._variance(u, p)}

    def input_for_mean(self, mean, p=None):
        return mean / namespace(mean).exp(p["log_variance"]) if p else mean

    def inside(self, X):
        """`X`: every finite value is a possible state."""
        return X
