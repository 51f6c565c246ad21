"""Statistics of paired comparisons over seeds."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ..backend.types import Array


@dataclass(frozen=True)
class PairedDifference:
    """Mean paired difference with its confidence interval.

    Parameters
    ----------
    mean, low, high : float
        Mean difference and the ends of its interval.
    p_value : float
        Two-sided, for the hypothesis that the mean difference is zero.
    method : str
        How the interval was made.

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
    method: str


# The bootstrap of more seeds would be slow, and says no more than Student's t.
_BOOTSTRAPPED = range(20, 1001)


def paired_difference(
    a: Array,
    b: Array,
    *,
    test_train_ratio: float = 0.0,
    confidence: float = 0.95,
    n_test: int | None = None,
) -> PairedDifference:
    """Compare two paired samples, one pair per seed.

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
        Of ``a - b``. The interval is Student's t; from 20 to 1000 seeds on a fixed
        split it is a BCa bootstrap (a bootstrap of 5 pairs would cover far too little).
        Where all differences are equal and `n_test` is None nothing tells how certain
        they are: the p-value is 1 and the interval has no ends.

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
    a, b = _paired(a, b)
    d = a - b
    n, mean, variance = len(d), float(d.mean()), float(d.var(ddof=1))
    bootstrapped = n in _BOOTSTRAPPED and test_train_ratio == 0.0
    constant, least = _is_constant(d, a, b), 0.0
    if _is_constant(np.append(d, 0.0), a, b):
        mean = 0.0
    if n_test is not None:  # of means over rows, each of which is -1, 0 or 1
        least = max(abs(mean) * (1.0 - abs(mean)), 1.0 / n_test) / n_test
    elif constant:
        return PairedDifference(mean, -math.inf, math.inf, 1.0, "constant")
    if constant or variance < 0.001 * least:
        variance, bootstrapped = least, False
    error = math.sqrt(variance * (1.0 / n + test_train_ratio))
    t = stats.t(df=n - 1)
    p_value = float(2.0 * t.sf(abs(mean) / error))
    if bootstrapped:
        # In parts of 256 resamples, for the sake of memory.
        options = {"confidence_level": confidence, "batch": 256, "rng": 0}
        ends = stats.bootstrap((d,), np.mean, **options).confidence_interval
        low, high = float(ends.low), float(ends.high)
        return PairedDifference(mean, low, high, p_value, "BCa bootstrap")
    half = float(t.ppf(0.5 + confidence / 2.0)) * error
    method = "corrected t (Nadeau-Bengio)" if test_train_ratio else "paired t"
    return PairedDifference(mean, mean - half, mean + half, p_value, method)


def _paired(a: Array, b: Array) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) < 2:
        raise ValueError(
            f"A paired comparison needs two samples of the same length, at least 2; "
            f"got shapes {a.shape} and {b.shape}. Use more seeds."
        )
    return a, b


def _is_constant(values: np.ndarray, a: np.ndarray, b: np.ndarray) -> bool:
    """Whether values that were made from a and b differ by no more than rounding."""
    largest = max(np.abs(a).max(), np.abs(b).max())
    return bool(np.ptp(values) <= 8.0 * np.finfo(float).eps * largest)


@dataclass(frozen=True)
class PairedSpread:
    """Standard deviations of two paired samples, compared.

    Parameters
    ----------
    std_a, std_b : float
        With n - 1 in the denominator.
    p_value : float
        Two-sided, for the hypothesis that the variances are equal.
    method : str
        The test.

    Examples
    --------
    >>> from dbn.evaluation import paired_spread
    >>> paired_spread([1.0, 2.0, 3.0], [1.0, 4.0, 7.0]).std_b
    3.0
    """

    std_a: float
    std_b: float
    p_value: float
    method: str


def paired_spread(a: Array, b: Array) -> PairedSpread:
    """Compare the variances of two paired samples: the test of Pitman and Morgan.

    Erhan et al. (2010), section 6, find that pretrained nets vary less from seed to
    seed. Sums and differences of pairs are correlated exactly when the variances of the
    two differ, so the test is that of Pearson's correlation (Pitman 1939, Morgan 1939).
    It assumes normal errors, and pairs that do not depend on each other: where seeds
    draw overlapping splits its p-values are somewhat too small.

    Parameters
    ----------
    a, b : array-like of shape (n_seeds,)
        Scores of two methods on the same splits and seeds.

    Returns
    -------
    PairedSpread

    Raises
    ------
    ValueError
        If there are fewer than two pairs, or the samples differ in length.

    Examples
    --------
    >>> from dbn.evaluation import paired_spread
    >>> a = [0.10, 0.11, 0.09, 0.10, 0.11]
    >>> b = [0.20, 0.30, 0.11, 0.18, 0.26]
    >>> paired_spread(a, b).p_value < 0.01
    True
    """
    a, b = _paired(a, b)
    p_value = 1.0
    # A constant sum or difference has no correlation: the variances are equal. And of
    # a constant sample nothing can be said: sum and difference are the other one.
    told = (a, b, a + b, a - b)
    if len(a) > 2 and not any(_is_constant(x, a, b) for x in told):
        correlated: Any = stats.pearsonr(a + b, a - b)
        p_value = float(correlated.pvalue)
    std_a, std_b = float(a.std(ddof=1)), float(b.std(ddof=1))
    return PairedSpread(std_a, std_b, p_value, "Pitman-Morgan")


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
