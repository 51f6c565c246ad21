"""Which visible units each column of X asks for."""

from itertools import groupby
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..backend.device import converted_beside, namespace, to_host
from ..backend.missing import extent_of_known
from ..backend.rows import row_slices
from ..backend.types import Array
from ..boltzmann import Bernoulli, Gaussian, Mixed, Softmax, Spin, Units

# Values in [0, 1] are grey values if the largest is this or more. Digits divided by
# 50: 7 % of the test rows wrong with Bernoulli units and 2 standardised; as they are,
# 2 and 2; divided by 4, 3 and 2.
_GREY = 0.25
# The most that values in [0, 1] with the mean p may vary is p (1 - p). Shares of that
# below which the columns of a table, and one column by itself, are no grey values; of
# fewer rows they may be so by chance. See docs/design.md.
_OF_A_TABLE, _OF_A_COLUMN, _ENOUGH_ROWS = 0.2, 0.02, 30


def _numbers() -> Units:
    """The units of columns of numbers that have no other reading.

    Of standardised columns the noise of a fixed variance 1 alone is as large as all
    that varies in the data: no such machine is better than independent columns.
    """
    return Gaussian(learn_variance=True)


def choose_visible(
    X: Array,
    group_sizes: list[int] | None = None,
    ends: tuple[float, float] | None = None,
    booleans: Array = False,
    weight: Array = None,
) -> Units:
    """The units for the columns of X.

    Columns of 0 and 1 are Bernoulli, columns of -1 and 1 Spin, groups of several
    columns Softmax and all others Gaussian; but where all numbers lie in [0, 1], as
    grey values do, columns are Bernoulli, unless they would hardly move such a unit:
    all, if all numbers are below 0.25, or most of the columns that mostly lie between 0
    and 1 vary little, as shares and rates do; else one that hardly varies at all. The
    variance of a Gaussian column is learned, unless it holds one number alone. NaN
    counts for nothing. A sparse X is taken as a whole: Bernoulli in [0, 1], else
    Gaussian.

    Parameters
    ----------
    X : array, scipy sparse CSR or LazyRows of shape (n_rows, n_columns)
    group_sizes : list of int, optional
        Number of columns of each group, in order. Default: all 1.
    ends : tuple of float, optional
        Minimum and maximum of what is known in X, where the caller has them.
    booleans : bool or ndarray of bool of shape (n_groups,)
        Which groups are Bernoulli, whatever they hold: true and false may be missing.
    weight : array of shape (n_rows,), optional
        Of the rows.

    Returns
    -------
    Units
        `Mixed` where there is more than one kind.

    Examples
    --------
    >>> import numpy as np
    >>> choose_visible(np.array([[0.5, 1.0], [0.25, 0.0]]))
    Bernoulli()
    >>> choose_visible(np.array([[5.0, 1.0], [7.5, 0.0]])).blocks
    ((Gaussian(learn_variance=True), 1), (Bernoulli(), 1))
    """
    n_columns = np.asarray(group_sizes or [1] * X.shape[1])
    groups = n_columns[n_columns > 0].tolist()
    if len(groups) == X.shape[1]:
        low, high = ends or extent_of_known(X)
        if issparse(X):
            return Bernoulli() if Bernoulli().holds(low, high) else _numbers()
        if are_grey(low, high) and not _no_greys(X, weight).any():
            return Bernoulli()
    booleans = np.broadcast_to(booleans, len(n_columns))[n_columns > 0]
    kinds = _kinds(X, groups, booleans, weight)
    blocks: list[tuple[Units, int]] = []
    pairs = zip(kinds, groups, strict=True)
    for kind, run in groupby(pairs, key=lambda pair: pair[0]):
        sizes = tuple(size for _, size in run)
        blocks.append((kind(sizes) if kind is Softmax else kind(), sum(sizes)))
    return blocks[0][0] if len(blocks) == 1 else Mixed(tuple(blocks))


def are_grey(low: float, high: float) -> bool:
    """Whether numbers between these lie in [0, 1] and are as large as grey values.

    Examples
    --------
    >>> are_grey(0.0, 1.0), are_grey(0.0, 1 / 255), are_grey(0.0, 255.0)
    (True, False, False)
    """
    return Bernoulli().holds(low, high) and (high == 0.0 or high >= _GREY)


def _kinds(X: Array, groups: list[int], booleans: Array, weight: Array) -> list[Any]:
    """What makes the units of each group of columns."""
    first = np.cumsum([0, *groups[:-1]])
    low, high, zero_one, signs = (found[first] for found in _columns(X))
    single = np.array(groups) == 1
    ends = low[single].min(initial=0.0), high[single].max(initial=0.0)
    if are_grey(*map(float, ends)):
        zero_one |= ~_no_greys(X, weight)[first]
    kinds = np.full(len(groups), _numbers, dtype=object)
    # The density of a number that is always the same has no bound: its variance goes
    # to 0. With that of 1 it adds the same to each row.
    kinds[low == high] = Gaussian
    kinds[signs], kinds[zero_one | booleans] = Spin, Bernoulli
    kinds[~single] = Softmax
    return list(kinds)


def _columns(X: Array) -> tuple[Array, Array, Array, Array]:
    """Of each column the ends, and whether it has both of 0 and 1, or of -1 and 1."""
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    within = [np.full(X.shape[1], True) for _ in range(2)]
    for rows in row_slices(X):
        part = X[rows, ...]
        xp = namespace(part)
        unknown = part != part
        for values, least in zip(within, (0.0, -1.0), strict=True):
            if values.any():
                fits = (part == least) | (part == 1.0) | unknown
                values &= to_host(xp.all(fits, axis=0))
        ends = (part, part)
        if xp.any(unknown):
            ends = tuple(xp.where(unknown, end, part) for end in (np.inf, -np.inf))
        low = np.minimum(low, to_host(xp.min(ends[0], axis=0)))
        high = np.maximum(high, to_host(xp.max(ends[1], axis=0)))
    both = [values & (low < high) for values in within]
    return low, high, both[0], both[1]


def _no_greys(X: Array, weight: Array) -> Array:
    """Which columns of numbers in [0, 1] do not vary as grey values do.

    All, if so do most of those that mostly lie between 0 and 1: pixels are alike.
    """
    low, high, n_known, known, between, of_x, of_rest = np.zeros((7, X.shape[1]))
    low += 1.0
    for rows in row_slices(X):
        part = X[rows, ...]
        xp = namespace(part)
        is_known = part == part
        x = xp.where(is_known, part, 0.0)
        low = np.minimum(low, to_host(xp.min(xp.where(is_known, part, 1.0), axis=0)))
        high = np.maximum(high, to_host(xp.max(x, axis=0)))
        w = 1.0 if weight is None else converted_beside(weight[rows], x)[:, None]
        w = xp.where(is_known, w, xp.zeros_like(x))
        n_known += to_host(xp.count_nonzero(is_known, axis=0))
        known += to_host(xp.sum(w, axis=0))
        between += to_host(xp.sum(xp.where((x > 0.0) & (x < 1.0), w, 0.0), axis=0))
        of_x += to_host(xp.sum(w * x, axis=0))
        of_rest += to_host(xp.sum(w * x * (1.0 - x), axis=0))
    known = np.where(known > 0.0, known, 1.0)
    most = of_x / known * (1.0 - of_x / known)
    variance = most - of_rest / known
    between = (low < high) & (between > known / 2) & (n_known >= _ENOUGH_ROWS)
    if 2 * np.sum(between & (variance < _OF_A_TABLE * most)) > between.sum():
        return np.full(X.shape[1], True)
    return between & (variance < _OF_A_COLUMN * most)
