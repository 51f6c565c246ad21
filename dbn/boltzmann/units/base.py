"""Types of units: what a single layer of a Boltzmann machine is made of.

Given its total input x, a layer of units has the exponential-family law

    log p(u | x) = u . x - base_energy(u) - cgf(x),

where the cumulant generating function `cgf` carries every normaliser. Its gradient is
the mean of u, the diagonal of its Hessian the variance. Free energies, Gibbs steps and
gradients are written once against these functions (in `rbm.py`), and who needs to know
more asks (`states`, `bounded` and others), so a new type of unit is one class. See
Welling, Rosen-Zvi and Hinton (2004), "Exponential family harmoniums with an application
to information retrieval".
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ...backend.array import clipped
from ...backend.device import asarray_like, namespace
from ...backend.missing import extent_of_known
from ...backend.parts import Part
from ...backend.types import Array

# A few times the precision of float32, in which data may have been scaled; of the
# largest value, since data in small units are no data in [0, 1] that were rounded.
ROUNDING = 1e-6

# Extra parameters by name, where a type has any.
Extra: TypeAlias = dict[str, Array] | None
# Columns, their type of units, and its extra parameters for them.
Block: TypeAlias = tuple[slice, "Units", Extra]


class Units(Part):
    """Interface of all unit types; arrays have shape (n_rows, n_units).

    Methods take the total input `x` of the units, their states `u` or their `mean`, the
    stream `rng` to draw from, or rows `X` of data, whose values lie between `low` and
    `high`. `p` holds the extra parameters that `init` names, as views in the RBM's
    buffer; most types have none. `base_energy` and `cgf` sum over the units: shape
    (n_rows,).
    """

    # What a type answers, as an attribute or as a property: whether mean and sample
    # belong to a law with a normaliser, which likelihoods need.
    normalised: Any = True
    # Between which values the states lie.
    low: Any = -math.inf
    high: Any = math.inf
    # Columns of one unit: several where a unit is a group, as of `Softmax`. All columns
    # where they are of several kinds, which `groups` tells apart.
    group_size: Any = 1
    # All states of one unit as rows of an array of shape (n_states, group_size), single
    # columns in ascending order; None where they cannot be listed.
    states: Any = None
    # Whether the variance does not depend on the total input. Then the law is normal,
    # and that of two such layers has a closed form.
    linear: Any = False
    # Whether estimators standardise the data of such visible units, or of some of them:
    # see `per_column`.
    standardised: Any = False
    # Columns at the end that hold the class of the row, see `Labels`.
    n_labels: Any = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # With a law of its own a class does not inherit what holds for another law;
        # with a sampler of its own, not the shortcut of another.
        beside = {"states": "cgf", "split": "cgf", "linear": "cgf", "at_shifts": "cgf"}
        beside["sample_at_mean"] = "sample"
        for name, own in beside.items():
            if own in vars(cls) and name not in vars(cls):
                setattr(cls, name, vars(Units)[name])

    @property
    def bounded(self) -> bool:
        """Whether the states lie in a finite range."""
        return bool(self.high - self.low < math.inf)

    def init(self, n: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the extra parameters of `n` columns, by name; all start at zero.

        Each has one entry per column of its block (see `split`) along its first axis.
        A ValueError says that so many columns are not possible.
        """
        return {}

    def split(self, n: int, p: Extra = None) -> list[Block]:
        """Blocks of one type each, of which `n` columns are made.

        Returns
        -------
        list of (slice, Units, dict or None)
            Columns, type and extra parameters: of most types all columns, and itself.
        """
        return [(slice(0, n), self, p)]

    def groups(self, n: int, p: Extra = None) -> Iterator[Block]:
        """Columns, type and extra parameters of each single unit of `n` columns."""
        for columns, units, own in self.split(n, p):
            for start in range(columns.start, columns.stop, units.group_size):
                unit = slice(
                    start - columns.start, start - columns.start + units.group_size
                )
                its = {name: values[unit] for name, values in (own or {}).items()}
                yield slice(start, start + units.group_size), units, its

    def count_states(self, n: int) -> float:
        """Number of states of `n` columns; infinite where they cannot be listed."""
        count = 1
        for columns, units, _ in self.split(n):
            if units.states is None:
                return math.inf
            n_units = (columns.stop - columns.start) // units.group_size
            count *= len(units.states) ** n_units
        return count

    def per_column(self, question: str, n: int) -> Array:
        """What the units of each of `n` columns answer, as an array of NumPy.

        Parameters
        ----------
        question : {"low", "high", "normalised", "linear", "standardised"}
        n : int
        """
        blocks = self.split(n)
        answers = [getattr(units, question) for _, units, _ in blocks]
        return np.repeat(answers, [c.stop - c.start for c, _, _ in blocks])

    @abstractmethod
    def mean(self, x: Array, p: Extra = None) -> Array:
        """Mean of the units at total input `x`."""

    @abstractmethod
    def variance(self, x: Array, p: Extra = None) -> Array:
        """Variance of the units at total input `x`."""

    @abstractmethod
    def sample(self, x: Array, rng: Any, p: Extra = None) -> Array:
        """Draw the units at total input `x`."""

    def sample_at_mean(self, mean: Array, x: Array, rng: Any, p: Extra = None) -> Array:
        """`sample`, where the `mean` at total input `x` is known and saves work."""
        return self.sample(x, rng, p)

    @abstractmethod
    def cgf(self, x: Array, p: Extra = None) -> Array:
        """Cumulant generating function, in nats, summed over the units."""

    def at_shifts(
        self, x: Array, shifts: Array
    ) -> Iterator[tuple[Array, Callable[[], Array]]]:
        """What the units are when their total input `x` is shifted, in several ways.

        Parameters
        ----------
        x : array of shape (n_rows, n_units)
        shifts : array of shape (n_shifts, n_units)

        Yields
        ------
        cgf : array of shape (n_rows,)
            At ``x + shift``, minus that at ``x``.
        mean : callable
            ``mean()`` is the mean there.
        """
        here = self.cgf(x)
        for k in range(shifts.shape[0]):
            at = x + shifts[k, :]
            yield self.cgf(at) - here, partial(self.mean, at)

    def base_energy(self, u: Array, p: Extra = None) -> Array:
        """Energy of the states `u` at total input zero, in nats, summed over units."""
        return 0.0 * namespace(u).sum(u, axis=1)

    def base_energy_grad(self, u: Array, p: Extra = None) -> dict[str, Array]:
        """Derivatives of each unit's base energy by its extra parameters, by name."""
        return {}

    @abstractmethod
    def input_for_mean(self, mean: Array, p: Extra = None) -> Array:
        """Total input at which the units have this `mean`, or are close to it."""

    def state_weights(self, u: Array) -> Array:
        """How much of each of the `states` there is in columns `u` of one unit.

        A value between two states counts as both, so that it is their mean.

        Returns
        -------
        array of shape (n_rows, n_states)
        """
        if self.group_size > 1:
            raise NotImplementedError(f"{self!r} needs a state_weights of its own.")
        xp, states = namespace(u), asarray_like(self.states[:, 0], u)
        passed = xp.clip((u - states[:-1]) / (states[1:] - states[:-1]), 0.0, 1.0)
        ends = xp.concat([0.0 * u + 1.0, passed, 0.0 * u], axis=1)
        return ends[:, :-1] - ends[:, 1:]

    def check(self, X: Array) -> None:
        """Raise a ValueError if `X` holds values that these units cannot take.

        NaN is a value that is not known; of a unit of several columns, in all of them.
        """
        self.inside(X)

    def inside(self, X: Array) -> Array:
        """`X`, with what rounding has put outside moved to the ends.

        A scaler to [0, 1] gives 1.0000000000000002 now and then. NaN stays.

        Raises
        ------
        ValueError
            If `X` holds values that these units cannot take: outside by more than
            rounding.
        """
        low, high = extent_of_known(X)
        if not self.holds(low, high):
            raise ValueError(self.complaint(X, low, high))
        return clipped(X, self.low, self.high, (low, high))

    def holds(self, low: float, high: float) -> bool:
        """Whether values from `low` to `high` are inside, but for rounding."""
        margin = ROUNDING * max(abs(low), abs(high))
        return bool(low >= self.low - margin and high <= self.high + margin)

    def complaint(self, X: Array, low: float, high: float) -> str:
        """What is wrong with a minimum and a maximum, and what to do, in words."""
        return (
            f"{type(self).__name__} visible units need values in [{self.low:g}, "
            f"{self.high:g}]; X has minimum {low:.7g} and maximum {high:.7g}. "
            f"{self.advice(X)}"
        )

    def advice(self, X: Array) -> str:
        """What to do about values outside the range."""
        return (
            "Scale X (MinMaxScaler; clip=True, for rows that it was not fitted on) or "
            "use visible='gaussian'."
        )
