"""Categorical units."""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ...backend.array import clipped, dense, log_softmax, map_batches
from ...backend.device import beside, namespace
from ...backend.missing import extent_of_known
from ...backend.random import uniform
from ...backend.types import Array
from .base import ROUNDING, Block, Extra, Units


@cache
def _places(sizes: tuple[int, ...]) -> tuple[Array, Array]:
    """Columns of groups that are filled up to one size, and which of them are real.

    What fills up is the column after the last.
    """
    real = np.arange(max(sizes)) < np.array(sizes)[:, None]
    columns = np.cumsum(real).reshape(real.shape) - 1
    return np.where(real, columns, sum(sizes)).ravel(), np.flatnonzero(real)


class Softmax(Units):
    """Categorical units: groups of columns, of which one is 1.

    Rows of probabilities count as such. Mean softmax(x) in each group, cgf(x) = sum of
    logsumexp over the groups, base energy 0; only differences within a group are
    identified. See Hinton (2010), section 13.1.

    Parameters
    ----------
    n_states : int or sequence of int
        Columns of all groups, or of each group.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Softmax
    >>> Softmax(2).mean(np.zeros((1, 4)))
    array([[0.5, 0.5, 0.5, 0.5]])
    >>> Softmax((2, 4)).mean(np.zeros((1, 6)))
    array([[0.5 , 0.5 , 0.25, 0.25, 0.25, 0.25]])
    """

    low, high = 0.0, 1.0

    def __init__(self, n_states: int | Sequence[int]) -> None:
        self.n_states: Any = n_states

    @property
    def _sizes(self) -> tuple[int, ...] | None:
        """Columns of each group, where they differ."""
        n = self.n_states
        return tuple(n) if isinstance(n, tuple | list) else None

    @property
    def group_size(self) -> int:
        return sum(self._sizes or (self.n_states,))

    @property
    def states(self) -> Array | None:
        """All states of one group as rows; None where groups differ in size."""
        return None if self._sizes else np.eye(self.n_states)

    def validate(self) -> None:
        sizes = self._sizes or (self.n_states,)
        if not all(isinstance(size, int | np.integer) and size >= 2 for size in sizes):
            raise ValueError(
                "Softmax needs an integer n_states of at least 2, or one for each "
                f"group, as in (3, 5, 2); it is {self.n_states!r}."
            )

    def init(self, n: int) -> dict[str, tuple[int, ...]]:
        if n % self.group_size or (self._sizes and n != self.group_size):
            needed = "" if self._sizes else "a multiple of "
            raise ValueError(
                f"Softmax({self.n_states}) needs {needed}{self.group_size} columns; "
                f"there are {n}."
            )
        return {}

    def split(self, n: int, p: Extra = None) -> list[Block]:
        if not self._sizes:
            return super().split(n, p)
        ends = np.cumsum(self._sizes).tolist()
        return [
            (slice(end - size, end), Softmax(size), p)
            for end, size in zip(ends, self._sizes, strict=True)
        ]

    def _groups(self, x: Array, fill: float = -math.inf) -> Array:
        """The same numbers as rows of one group each; short ones filled up."""
        xp = namespace(x)
        if not self._sizes:
            return xp.reshape(x, (-1, self.n_states))
        x = xp.concat([x, xp.full_like(x[:, :1], fill)], axis=1)
        x = xp.take(x, beside(_places(self._sizes)[0], x), axis=1)
        return xp.reshape(x, (-1, max(self._sizes)))

    def _columns(self, groups: Array, x: Array) -> Array:
        """What was made of the groups of `x`, without what filled them up."""
        xp = namespace(x)
        if self._sizes:
            every, own = _places(self._sizes)
            groups = xp.reshape(groups, (x.shape[0], len(every)))
            groups = xp.take(groups, beside(own, x), axis=1)
        return xp.reshape(groups, x.shape)

    def mean(self, x: Array, p: Extra = None) -> Array:
        groups = log_softmax(self._groups(x))
        return self._columns(namespace(x).exp(groups), x)

    def variance(self, x: Array, p: Extra = None) -> Array:
        mean = self.mean(x)
        return mean * (1.0 - mean)

    def sample(self, x: Array, rng: Any, p: Extra = None) -> Array:
        # The state at which the cumulative probability passes a uniform draw.
        xp = namespace(x)
        groups = self._groups(x)
        below = xp.cumulative_sum(xp.exp(log_softmax(groups)), axis=1)[:, :-1]
        draw = uniform(rng, (groups.shape[0], 1), x)
        passed = below <= draw
        if self._sizes:  # no further than to the last state of its own
            passed &= groups[:, 1:] > -math.inf
        state = xp.count_nonzero(passed, axis=1)
        states = xp.arange(groups.shape[1], dtype=state.dtype, device=x.device)
        chosen = states[None, :] == state[:, None]
        return self._columns(xp.asarray(chosen, dtype=x.dtype), x)

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
        """Which groups are neither probabilities nor, in all columns, not known."""
        rows = dense(rows)
        groups = self._groups(rows, fill=0.0)
        xp = namespace(groups)
        sums, low = xp.sum(groups, axis=1), xp.min(groups, axis=1)
        bad = ~((xp.abs(sums - 1.0) <= 1e-3) & (low >= -ROUNDING))
        if xp.any(bad):  # what fills up short groups counts as not known as well
            known = ~xp.isnan(self._groups(rows, fill=math.nan))
            bad &= xp.any(known, axis=1)
        return bad

    def inside(self, X: Array) -> Array:
        self.init(X.shape[1])
        bad = map_batches(self._bad_groups, X)
        n_bad = int(namespace(bad).count_nonzero(bad))
        if n_bad:
            raise ValueError(
                f"Softmax({self.n_states}) visible units need groups of "
                f"{self.n_states} columns that are one-hot, or probabilities; "
                f"{n_bad} of {bad.shape[0]} groups in X do not add up to 1. Encode "
                "categories with OneHotEncoder; where their numbers of states differ, "
                "give all of them, as in Softmax((3, 5, 2)). A category that is not "
                "known is NaN in all of its columns."
            )
        return clipped(X, self.low, self.high, extent_of_known(X))
