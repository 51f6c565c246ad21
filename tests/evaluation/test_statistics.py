"""Intervals and corrections against scipy and against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dbn.evaluation import holm, paired_difference, paired_spread


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


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_equal_differences_alone_show_nothing(shift):
    """There is no t statistic, and nothing else to judge them by."""
    found = paired_difference([1.0 + shift, 2.0 + shift], [1.0, 2.0])
    assert (found.mean, found.p_value) == (shift, 1.0)
    assert (found.low, found.high) == (-np.inf, np.inf)


def test_equal_differences_are_judged_by_the_number_of_test_rows():
    """A difference of .02 is one of .02 of the rows or more, drawn with them."""
    for n, p in ((2, 0.13), (10, 2.4e-6)):
        found = paired_difference(np.full(n, 0.10), np.full(n, 0.12), n_test=540)
        t = 0.02 / np.sqrt(0.02 * 0.98 / 540 / n)
        assert found.p_value == pytest.approx(2 * stats.t(n - 1).sf(t))
        assert found.p_value == pytest.approx(p, rel=0.05)
        half = stats.t(n - 1).ppf(0.975) * 0.02 / t
        assert (found.low, found.high) == pytest.approx((-0.02 - half, -0.02 + half))
        assert found.method == "paired t"
    overlapping = paired_difference(
        [0.1, 0.1], [0.12, 0.12], n_test=540, test_train_ratio=0.5
    )
    assert overlapping.p_value > 0.13


def test_equal_errors_differ_by_a_row_for_all_that_is_known():
    found = paired_difference([0.1, 0.2], [0.1, 0.2], n_test=100)
    half = stats.t(1).ppf(0.975) * 0.01 / np.sqrt(2)
    assert (found.mean, found.p_value) == (0.0, 1.0)
    assert (found.low, found.high) == pytest.approx((-half, half))


def test_differences_that_are_equal_but_for_rounding_are_equal():
    """Of errors that are multiples of 1 / 540, say."""
    a, b = np.array([40, 31, 62, 55]) / 540, np.array([37, 28, 59, 52]) / 540
    assert np.ptp(a - b) > 0.0
    assert paired_difference(a, b).p_value == 1.0
    many = paired_difference(np.tile(a, 5), np.tile(b, 5), n_test=540)
    one = paired_difference(np.full(20, 3 / 540), np.zeros(20), n_test=540)
    assert many.method == "paired t"  # no bootstrap of a constant
    assert many.p_value == pytest.approx(one.p_value)


def test_no_more_memory_for_more_seeds_than_a_bootstrap_is_good_for():
    a = np.random.default_rng(0).random(1001)
    assert paired_difference(a[:-1], np.zeros(1000)).method == "BCa bootstrap"
    assert paired_difference(a, np.zeros(1001)).method == "paired t"


@pytest.mark.parametrize("compare", [paired_difference, paired_spread])
@pytest.mark.parametrize("a", [[1.0], [], [1.0, 2.0, 3.0]])
def test_too_few_or_unpaired(a, compare):
    with pytest.raises(ValueError, match="two samples of the same length, at least 2"):
        compare(a, [1.0, 2.0] if len(a) == 3 else a)


def test_pitman_morgan_by_its_formula():
    """Morgan (1939): t from the ratio of variances F and the correlation r."""
    a, b = np.random.default_rng(0).normal(size=(2, 9)) * [[1.0], [2.5]]
    F, r = a.var(ddof=1) / b.var(ddof=1), np.corrcoef(a, b)[0, 1]
    t = (F - 1) * np.sqrt(7) / (2 * np.sqrt(F * (1 - r**2)))
    result = paired_spread(a, b)
    assert result.p_value == pytest.approx(2 * stats.t(7).sf(abs(t)))
    assert result.std_b == pytest.approx(b.std(ddof=1))
    assert paired_spread(b, a).p_value == pytest.approx(result.p_value)


def test_equal_variances_are_rejected_as_often_as_the_level_says():
    """Of samples that hang together, as those of the same seeds do."""
    rng = np.random.default_rng(0)
    common, own = rng.normal(size=(1000, 1, 8)), rng.normal(size=(1000, 2, 8))
    p = np.array([paired_spread(*pair).p_value for pair in common + own])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 1000))


@pytest.mark.parametrize("b", [[0.3, 0.2, 0.1], [0.2, 0.3, 0.4], [0.1, 0.2, 0.3]])
def test_spreads_that_cannot_differ(b):
    assert paired_spread([0.1, 0.2, 0.3], b).p_value == 1.0
    assert paired_spread([0.1, 0.2], b[:2]).p_value == 1.0


def test_holm_by_hand():
    # 0.01 * 4, 0.02 * 3, 0.03 * 2 (raised to the one before), 0.2 * 1
    np.testing.assert_allclose(holm([0.03, 0.01, 0.2, 0.02]), [0.06, 0.04, 0.2, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_laws(p):
    adjusted = holm(p)
    assert (adjusted >= p).all() and (adjusted <= 1.0).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    assert adjusted.min() == pytest.approx(min(1.0, len(p) * min(p)))


def test_of_a_constant_sample_no_spread_is_tested():
    assert paired_spread([0.1] * 3, [0.1, 0.11, 0.1]).p_value == 1.0
    assert paired_spread([0.12, 0.121, 0.12, 0.13], [0.1] * 4).p_value == 1.0


def test_nearly_equal_differences_are_judged_like_equal_ones():
    equal = paired_difference([0.1] * 3, [0.12] * 3, n_test=10_000)
    for last in (0.12 + 1e-6, 0.12 + 1e-9):
        nearly = paired_difference([0.1] * 3, [0.12, 0.12, last], n_test=10_000)
        assert nearly.p_value == pytest.approx(equal.p_value, rel=0.05)
