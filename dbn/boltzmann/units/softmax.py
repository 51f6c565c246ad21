"""Categorical units."""

from numbers import Integral
from typing import Any

import numpy as np

from ...backend.array import clipped, dense, log_softmax, map_batches
from ...backend.device import namespace
from ...backend.random import uniform
from ...backend.types import Array
from .base import ROUNDING, Extra, Units


class Softmax(Units):
    """Categorical units: groups of `n_states` columns, of which one is 1.

    Rows of probabilities count as such. Mean softmax(x) in each group, cgf(x) = sum of
    logsumexp over the groups, base energy 0; only differences within a group are
    identified. See Hinton (2010), section 13.1.

    Parameters
    ----------
    n_states : int
        Columns of each group; the number of columns is a multiple of it.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Softmax
    >>> Softmax(2).mean(np.zeros((1, 4)))
    array([[0.5, 0.5, 0.5, 0.5]])
    """

    low, high = 0.0, 1.0

    def __init__(self, n_states: int) -> None:
        self.n_states = n_states

    @property
    def group_size(self) -> int:
        return self.n_states

    @property
    def states(self) -> Array:
        return np.eye(self.n_states)

    def validate(self) -> None:
        if not isinstance(self.n_states, Integral) or self.n_states < 2:
            raise ValueError(
                f"Softmax needs an integer n_states of at least 2; it is "
                f"{self.n_states!r}."
            )

    def init(self, n: int) -> dict[str, tuple[int, ...]]:
        if n % self.n_states:
            raise ValueError(
                f"Softmax({self.n_states}) needs a multiple of {self.n_states} "
                f"columns; there are {n}."
            )
        return {}

    def _groups(self, x: Array) -> Array:
        """The same numbers as rows of one group each."""
        return namespace(x).reshape(x, (-1, self.n_states))

    def mean(self, x: Array, p: Extra = None) -> Array:
        xp = namespace(x)
        return xp.reshape(xp.exp(log_softmax(self._groups(x))), x.shape)

    def variance(self, x: Array, p: Extra = None) -> Array:
        mean = self.mean(x)
        return mean * (1.0 - mean)

    def sample(self, x: Array, rng: Any, p: Extra = None) -> Array:
        # The state at which the cumulative probability passes a uniform draw.
        xp = namespace(x)
        groups = self._groups(x)
        below = xp.cumulative_sum(xp.exp(log_softmax(groups)), axis=1)[:, :-1]
        draw = uniform(rng, (groups.shape[0], 1), x)
        state = xp.count_nonzero(below <= draw, axis=1)
        states = xp.arange(self.n_states, dtype=state.dtype, device=x.device)
        chosen = states[None, :] == state[:, None]
        return xp.reshape(xp.asarray(chosen, dtype=x.dtype), x.shape)

    def cgf(self, x: Array, p: Extra = None) -> Array:
        xp = namespace(x)
        groups = self._groups(x)
        # logsumexp(x) = x_1 - log_softmax(x)_1
        lse = groups[:, 0] - log_softmax(groups)[:, 0]
        return xp.sum(xp.reshape(lse, (x.shape[0], -1)), axis=1)

    def input_for_mean(self, mean: Array, p: Extra = None) -> Array:
        xp = namespace(mean)
        return xp.log(xp.clip(mean, 0.001, 0.999))

    def state_weights(self, u: Array) -> Array:
        return u

    def _bad_groups(self, rows: Array) -> Array:
        """Which groups are no probabilities; NaN included."""
        groups = self._groups(dense(rows))
        xp = namespace(groups)
        sums, low = xp.sum(groups, axis=1), xp.min(groups, axis=1)
        return ~((xp.abs(sums - 1.0) <= 1e-3) & (low >= -ROUNDING))

    def inside(self, X: Array) -> Array:
        self.init(X.shape[1])
        bad = map_batches(self._bad_groups, X)
        n_bad = int(namespace(bad).count_nonzero(bad))
        if n_bad:
            raise ValueError(
                f"Softmax({self.n_states}) visible units need groups of "
                f"{self.n_states} columns that are one-hot, or probabilities; "
                f"{n_bad} of {bad.shape[0]} groups in X do not add up to 1. Encode "
                "categories with OneHotEncoder, all with the same number of states."
            )
        return clipped(X, self.low, self.high)
