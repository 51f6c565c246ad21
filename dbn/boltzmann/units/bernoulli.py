"""Binary units."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ...backend.array import sigmoid, softplus
from ...backend.device import namespace
from ...backend.random import bernoulli
from ...backend.types import Array
from .base import Extra, Units

# Inputs beyond are certain in single precision whatever such a shift adds to them.
_LARGEST_INPUT, _LARGEST_SHIFT = 80.0, 40.0


def _share(on: Array, factor: Array, total: Array) -> Array:
    """Means of units, of the odds of one state and the sum of both."""
    return on * factor / total


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

    low, high = 0.0, 1.0
    states = np.array([[0.0], [1.0]])

    def mean(self, x: Array, p: Extra = None) -> Array:
        return sigmoid(x)

    def variance(self, x: Array, p: Extra = None) -> Array:
        mean = sigmoid(x)
        return mean * (1.0 - mean)

    def sample(self, x: Array, rng: Any, p: Extra = None) -> Array:
        return bernoulli(rng, sigmoid(x))

    def sample_at_mean(self, mean: Array, x: Array, rng: Any, p: Extra = None) -> Array:
        return bernoulli(rng, mean)

    def cgf(self, x: Array, p: Extra = None) -> Array:
        return namespace(x).sum(softplus(x), axis=1)

    def at_shifts(
        self, x: Array, shifts: Array
    ) -> Iterator[tuple[Array, Callable[[], Array]]]:
        # log(1 + exp(x + s)) - log(1 + exp(x)) = log(off + on exp(s)), with the
        # probabilities of both states: an exponential for each row, none for each
        # shift as well. A third of the time of the plain form.
        xp = namespace(x)
        if float(xp.max(xp.abs(shifts))) > _LARGEST_SHIFT:
            yield from super().at_shifts(x, shifts)
            return
        odds_off = xp.exp(-xp.clip(x, -_LARGEST_INPUT, _LARGEST_INPUT))
        on = 1.0 / (1.0 + odds_off)
        off = odds_off * on
        factors = xp.exp(shifts)
        for k in range(shifts.shape[0]):
            total = on * factors[k, :]
            total += off
            mean = partial(_share, on, factors[k, :], total)
            yield xp.sum(xp.log(total), axis=1), mean

    def input_for_mean(self, mean: Array, p: Extra = None) -> Array:
        # log(p / (1 - p)), Hinton (2010) section 8.1; a pixel that is always off would
        # start at minus infinity.
        xp = namespace(mean)
        mean = xp.clip(mean, 0.001, 0.999)
        return xp.log(mean) - xp.log1p(-mean)

    def advice(self, X: Array) -> str:
        if issparse(X):
            return (
                "Scale X (MaxAbsScaler), or, where only zero or not matters, as of "
                "counts, use sklearn.preprocessing.Binarizer."
            )
        return super().advice(X)
