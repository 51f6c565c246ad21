"""Units that point up or down."""

from typing import Any

import numpy as np

from ...backend.array import softplus
from ...backend.device import namespace
from ...backend.random import bernoulli
from ...backend.types import Array
from .base import Extra, Units


class Spin(Units):
    """Binary units with values -1 and 1; values between count as their mean.

    Mean tanh(x), cgf(x) = sum log(2 cosh x), base energy 0: the units of statistical
    physics. With v = 2 u - 1 a machine of them is one of `Bernoulli` units u, but its
    gradient treats both states alike.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Spin
    >>> Spin().mean(np.array([[0.0, 1.0]])).round(3)
    array([[0.   , 0.762]])
    """

    low, high = -1.0, 1.0
    states = np.array([[-1.0], [1.0]])

    def mean(self, x: Array, p: Extra = None) -> Array:
        return namespace(x).tanh(x)

    def variance(self, x: Array, p: Extra = None) -> Array:
        return 1.0 - self.mean(x) ** 2

    def sample(self, x: Array, rng: Any, p: Extra = None) -> Array:
        return 2.0 * bernoulli(rng, 0.5 * self.mean(x) + 0.5) - 1.0

    def sample_at_mean(self, mean: Array, x: Array, rng: Any, p: Extra = None) -> Array:
        return 2.0 * bernoulli(rng, 0.5 * mean + 0.5) - 1.0

    def cgf(self, x: Array, p: Extra = None) -> Array:
        return namespace(x).sum(softplus(2.0 * x) - x, axis=1)

    def input_for_mean(self, mean: Array, p: Extra = None) -> Array:
        xp = namespace(mean)
        # As for `Bernoulli` units, whose input is twice as large.
        return xp.atanh(xp.clip(mean, -0.998, 0.998))
