"""Real-valued units."""

import math
from typing import Any

from ...backend.device import namespace
from ...backend.random import normal
from ...backend.types import Array
from .base import Extra, Units


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

    def __init__(self, learn_variance: bool = False) -> None:
        self.learn_variance = learn_variance

    def init(self, n: int) -> dict[str, tuple[int, ...]]:
        return {"log_variance": (n,)} if self.learn_variance else {}

    def _variance(self, x: Array, p: Extra) -> Array:
        xp = namespace(x)
        return xp.exp(p["log_variance"]) if p else xp.ones_like(x[:1, :])

    def mean(self, x: Array, p: Extra = None) -> Array:
        return self._variance(x, p) * x if p else x

    def variance(self, x: Array, p: Extra = None) -> Array:
        return self._variance(x, p) * namespace(x).ones_like(x)

    def sample(self, x: Array, rng: Any, p: Extra = None) -> Array:
        noise = normal(rng, x.shape, x)
        if p:
            noise *= namespace(x).exp(0.5 * p["log_variance"])
        return self.mean(x, p) + noise

    def cgf(self, x: Array, p: Extra = None) -> Array:
        xp = namespace(x)
        s2 = self._variance(x, p)
        terms = 0.5 * s2 * x**2 + 0.5 * xp.log(s2) + 0.5 * math.log(2.0 * math.pi)
        return xp.sum(terms, axis=1)

    def base_energy(self, u: Array, p: Extra = None) -> Array:
        return namespace(u).sum(0.5 * u**2 / self._variance(u, p), axis=1)

    def base_energy_grad(self, u: Array, p: Extra = None) -> dict[str, Array]:
        return {"log_variance": -0.5 * u**2 / self._variance(u, p)} if p else {}

    def input_for_mean(self, mean: Array, p: Extra = None) -> Array:
        return mean / namespace(mean).exp(p["log_variance"]) if p else mean

    def inside(self, X: Array) -> Array:
        """`X`: every finite value is a possible state."""
        return X
