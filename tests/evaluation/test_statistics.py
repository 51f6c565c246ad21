"""Intervals and corrections against scipy and against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dbn.evaluation import holm, paired_difference


def test_paired_t_is_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 7))
    ours, theirs = paired_difference(a, b), stats.ttest_rel(a, b)
    interval = theirs.confidence_interval(0.95)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))
    assert ours.method == "paired t"


def test_correction_for_overlapping_splits():
    """Nadeau and Bengio: the standard error grows by sqrt(1 + n * n_test / n_train)."""
    a, b = np.random.default_rng(0).normal(size=(2, 5))
    plain = paired_difference(a, b)
    corrected = paired_difference(a, b, test_train_ratio=0.4)
    growth = (corrected.high - corrected.low) / (plain.high - plain.low)
    assert growth == pytest.approx(np.sqrt(1 + 5 * 0.4))
    assert corrected.p_value > plain.p_value


def test_bootstrap_from_twenty_seeds():
    a = np.random.default_rng(0).exponential(size=20)
    result = paired_difference(a, np.zeros(20))
    assert result.method == "BCa bootstrap"
    assert result.low < a.mean() < result.high
    # Skewed data: a bootstrap interval is not symmetric, a t interval would be.
    assert result.high - a.mean() > 1.05 * (a.mean() - result.low)


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    results = [paired_difference(d, np.zeros(5)) for d in rng.normal(1.0, 1, (2000, 5))]
    covered = np.mean([r.low <= 1.0 <= r.high for r in results])
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 2000))


def test_equal_differences_have_no_width():
    same = paired_difference([1.0, 2.0], [1.0, 2.0])
    assert (same.low, same.high, same.p_value) == (0.0, 0.0, 1.0)
    shifted = paired_difference([2.0, 3.0], [1.0, 2.0])
    assert (shifted.low, shifted.high, shifted.p_value) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("a", [[1.0], [], [1.0, 2.0, 3.0]])
def test_too_few_or_unpaired(a):
    with pytest.raises(ValueError, match="two samples of the same length, at least 2"):
        paired_difference(a, [1.0, 2.0] if len(a) == 3 else a)


def test_holm_by_hand():
    # 0.01 * 4, 0.02 * 3, 0.03 * 2 (raised to the one before), 0.2 * 1
    np.testing.assert_allclose(holm([0.03, 0.01, 0.2, 0.02]), [0.06, 0.04, 0.2, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_laws(p):
    adjusted = holm(p)
    assert (adjusted >= p).all() and (adjusted <= 1.0).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    assert adjusted.min() == pytest.approx(min(1.0, len(p) * min(p)))
