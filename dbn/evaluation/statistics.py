"""Statistics of paired comparisons over seeds."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from ..backend.types import Array


@dataclass(frozen=True)
class PairedDifference:
    """Mean paired difference with its confidence interval.

    Parameters
    ----------
    mean, low, high : float
        Mean difference and the ends of its interval.
    p_value : float
        Two-sided, for the hypothesis that the mean difference is zero: below 1 minus
        the confidence where the interval does not hold zero.
    standard_error : float
        Of the mean.
    detectable : float
        The true difference that so many seeds show in 80 % of all cases, if that
        standard error is right.
    method : str
        How the standard error was made.

    Examples
    --------
    >>> from dbn.evaluation import paired_difference
    >>> paired_difference([2.0, 3.0, 4.5], [1.0, 1.5, 4.0]).mean
    1.0
    """

    mean: float
    low: float
    high: float
    p_value: float
    standard_error: float
    detectable: float
    method: str


# What a difference was judged by.
SEEDS = "seeds alone"
OVERLAP = "seeds, corrected for overlap (Nadeau-Bengio)"
ROWS = "seeds and test rows"


def paired_difference(
    a: Array,
    b: Array,
    *,
    test_train_ratio: float = 0.0,
    confidence: float = 0.95,
    n_test: int | None = None,
) -> PairedDifference:
    """Compare two samples of scores, one pair per seed.

    Where scores are means over test rows, `paired_losses` knows more: this says nothing
    about other test rows than those of the seeds.

    Parameters
    ----------
    a, b : array-like of shape (n_seeds,)
        Scores of two methods on the same splits and seeds.
    test_train_ratio : float, default=0.0
        Number of test rows over number of training rows where every seed draws its own
        split of the same data: the splits overlap, so the variance is corrected as in
        Nadeau and Bengio (2003), "Inference for the generalization error", section 3.
        0 for a fixed test split.
    confidence : float, default=0.95
    n_test : int or None, default=None
        Number of test rows, where scores are means over them. It is used where all
        differences are equal or nearly so (a variance below a thousandth of what it is
        then taken as), and so have no variance to judge them by: this is then taken as
        w / n_test, what drawing the test rows makes of it. Two nets whose
        errors differ by d differ on that share of the rows or more, so w is
        ``|d| (1 - |d|)``, and at least one row's worth, 1 / n_test.

    Returns
    -------
    PairedDifference
        Of ``a - b``, with Student's t of n - 1 degrees of freedom. Where all
        differences are equal and `n_test` is None nothing tells how certain they are:
        the p-value is 1 and the interval has no ends.

    Raises
    ------
    ValueError
        If there are fewer than two pairs, or the samples differ in length.

    Examples
    --------
    >>> from dbn.evaluation import paired_difference
    >>> result = paired_difference([2.0, 3.0, 4.5], [1.0, 1.5, 4.0])
    >>> round(result.low, 2), round(result.high, 2)
    (-0.24, 2.24)
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(
            f"A paired comparison needs two samples of the same length, at least 2; "
            f"got shapes {a.shape} and {b.shape}. Use more seeds."
        )
    d = a - b
    n, mean, variance = len(d), float(d.mean()), float(d.var(ddof=1))
    rounding = 8.0 * np.finfo(float).eps * float(max(np.abs(a).max(), np.abs(b).max()))
    if np.abs(d).max() <= rounding:
        mean = 0.0
    least = 0.0
    if n_test is not None:  # of means over rows, each of which is -1, 0 or 1
        least = max(abs(mean) * (1.0 - abs(mean)), 1.0 / n_test) / n_test
    if np.ptp(d) <= rounding or variance < 0.001 * least:
        variance = least
    error = math.sqrt(variance * (1.0 / n + test_train_ratio))
    method = OVERLAP if test_train_ratio else SEEDS
    return _student(mean, error, n, confidence, method)


def paired_losses(
    a: Iterable[Array],
    b: Iterable[Array],
    *,
    rows: Iterable[Array] | None = None,
    n_rows: int | None = None,
    confidence: float = 0.95,
) -> PairedDifference:
    """Compare the losses of two methods on every test row, over seeds.

    With the difference d of the losses of a row under a seed, D its mean over the test
    rows of a seed and S^2 the variance of D over seeds, the variance of the mean of D
    is S^2 / n_seeds + C. C is what all seeds have in common: that their test rows are
    drawn from the same few. Two seeds agree about a row as far as the difference is the
    row's, so C comes from the covariance of their d over the rows that both test.

    Parameters
    ----------
    a, b : iterable of array of shape (n_test_rows,)
        For each seed the losses of two methods on the same rows; boolean where a loss
        is that a row is wrong. Read once, seed by seed.
    rows : iterable of array of shape (n_test_rows,), optional
        For each seed the numbers of its test rows, from 0, each once. Default: the same
        rows for all.
    n_rows : int or None, default=None
        Where seeds test different rows: of how many these are drawn. Where every seed
        splits the same rows anew that is all of them, for training and test together.
        None where the test rows are fixed.
    confidence : float, default=0.95

    Returns
    -------
    PairedDifference
        Of ``a - b``, with Student's t of n_seeds - 1 degrees of freedom.

    Raises
    ------
    ValueError
        If there are fewer than two seeds, or the two have not the same rows.

    Notes
    -----
    C is s / n_test where test rows are fixed, and s / n_rows where they are drawn anew.
    s is the mean covariance of the d of two seeds over the rows that both test, of
    which each counts once for every pair of seeds; or 0 if that is negative. The
    variance is at least that of n_seeds independent test sets, w / (n_seeds n_test),
    with w the mean variance of d over the rows of a seed: at least one row's worth,
    1 / n_test, for wrong rows. If no two seeds test the same row, C is
    S^2 n_test / (n_rows - n_test), the correction of Nadeau and Bengio (2003).

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.evaluation import paired_losses
    >>> a = np.array([[1, 0, 0, 0], [1, 1, 0, 0]], dtype=bool)
    >>> b = np.array([[1, 1, 0, 1], [1, 1, 0, 1]], dtype=bool)
    >>> paired_losses(a, b).mean
    -0.375
    """
    means, variances, sizes, are_wrong = [], [], [], True
    # For each row how many seeds test it, and sums of d - D and of its square.
    counts, sums, squares = np.zeros(0), np.zeros(0), np.zeros(0)
    every: Iterable[Any] = repeat(None) if rows is None else rows
    for x, y, its in zip(a, b, every, strict=rows is not None):
        own = np.arange(len(x)) if its is None else np.asarray(its)
        if not np.shape(x) == np.shape(y) == own.shape:
            raise ValueError(
                "Paired losses need the same rows of two methods for each seed; got "
                f"shapes {np.shape(x)}, {np.shape(y)} and {own.shape}."
            )
        are_wrong = are_wrong and np.asarray(x).dtype == bool
        d = np.subtract(x, y, dtype=float)
        means.append(d.mean())
        d -= means[-1]
        variances.append((d @ d) / max(len(d) - 1, 1))
        sizes.append(len(d))
        counts = _added(counts, np.bincount(own))
        sums = _added(sums, np.bincount(own, d))
        squares = _added(squares, np.bincount(own, d**2))
    if len(means) < 2:
        raise ValueError(f"Paired losses need 2 seeds or more; got {len(means)}.")
    n, n_test, S2 = len(means), float(np.mean(sizes)), float(np.var(means, ddof=1))
    if n_both := float((counts * (counts - 1.0)).sum()):
        # Of deviations from the mean of n_test rows.
        covariance = float((sums**2 - squares).sum()) / n_both * n_test / (n_test - 1.0)
        common = max(0.0, covariance) / (n_test if n_rows is None else n_rows)
    else:
        common = 0.0 if n_rows is None else S2 * n_test / (n_rows - n_test)
    least = max(float(np.mean(variances)), 1.0 / n_test if are_wrong else 0.0)
    error = math.sqrt(max(S2 / n + common, least / (n * n_test)))
    return _student(float(np.mean(means)), error, n, confidence, ROWS)


def _added(total: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Two sums by row, of which the first is used up; rows that one has not are 0."""
    if len(more) > len(total):
        total, more = more.astype(float), total
    total[: len(more)] += more
    return total


def _student(
    mean: float, error: float, n: int, confidence: float, method: str
) -> PairedDifference:
    """The interval of a mean of n with this standard error."""
    half, more = (
        float(stdtrit(n - 1, q)) * error for q in (0.5 + confidence / 2.0, 0.8)
    )
    p_value = 1.0
    if error:
        p_value = float(2.0 * stdtr(n - 1, -abs(mean) / error))
    elif mean or method != ROWS:  # nothing tells how certain it is
        half = math.inf
    return PairedDifference(
        mean, mean - half, mean + half, p_value, error, half + more, method
    )


def holm(p_values: Array) -> np.ndarray:
    """Adjust p-values for a family of tests: Holm (1979).

    Parameters
    ----------
    p_values : array-like of shape (n_tests,)

    Returns
    -------
    ndarray of shape (n_tests,)
        Adjusted values: reject where they are below the level of the whole family.

    Examples
    --------
    >>> from dbn.evaluation import holm
    >>> holm([0.04, 0.01, 0.03])
    array([0.06, 0.03, 0.06])
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    steps = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
