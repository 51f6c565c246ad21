"""Statistics of paired comparisons over seeds."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats


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


def paired_difference(a, b, *, test_train_ratio=0.0, confidence=0.95):
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

    Returns
    -------
    PairedDifference
        Of ``a - b``. The interval is Student's t; from 20 seeds on a fixed split it is
        a BCa bootstrap (a bootstrap of 5 pairs would cover far too little).

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
    error = math.sqrt(variance * (1.0 / n + test_train_ratio))
    if error == 0.0:
        return PairedDifference(mean, mean, mean, float(mean == 0.0), "constant")
    t = stats.t(df=n - 1)
    p_value = float(2.0 * t.sf(abs(mean) / error))
    half = float(t.ppf(0.5 + confidence / 2.0)) * error
    if n >= 20 and test_train_ratio == 0.0:
        interval = stats.bootstrap(
            (d,), np.mean, confidence_level=confidence, method="BCa", rng=0
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
        return PairedDifference(mean, low, high, p_value, "BCa bootstrap")
    method = "corrected t (Nadeau-Bengio)" if test_train_ratio else "paired t"
    return PairedDifference(mean, mean - half, mean + half, p_value, method)


def holm(p_values):
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
