"""Intervals and corrections by hand, against scipy and against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dbn.evaluation import holm, paired_difference, paired_losses


def test_paired_t_is_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 7))
    ours, theirs = paired_difference(a, b), stats.ttest_rel(a, b)
    interval = theirs.confidence_interval(0.95)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))
    assert ours.method == "seeds alone"


@pytest.mark.parametrize("n", [2, 7, 20, 300])
def test_an_interval_agrees_with_its_p_value_at_every_number_of_seeds(n):
    """It ends at zero where p is .05: BCa had another opinion in 3 to 11 % of cases."""
    d = np.random.default_rng(n).exponential(size=n)
    half = stats.t(n - 1).ppf(0.975) * stats.sem(d)
    shifted = d - d.mean() + half
    found = paired_difference(shifted, np.zeros(n))
    assert found.low == pytest.approx(0.0, abs=1e-12)
    assert found.p_value == pytest.approx(0.05)
    assert found.high == pytest.approx(2 * half)


def test_what_so_many_seeds_show_in_80_percent_of_cases():
    rng = np.random.default_rng(0)
    d = rng.normal(size=(4000, 6))
    shift = paired_difference(d[0] * 0 + [-1, 1, -1, 1, -1, 1], np.zeros(6)).detectable
    error = np.sqrt(6 / 5 / 6)
    t = stats.t(5)
    assert shift == pytest.approx((t.ppf(0.975) + t.ppf(0.8)) * error)
    shown = [
        paired_difference(x + shift / error / np.sqrt(6), np.zeros(6)).low > 0
        for x in d
    ]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.04)


def test_correction_for_overlapping_splits():
    """Nadeau and Bengio: the standard error grows by sqrt(1 + n * n_test / n_train)."""
    a, b = np.random.default_rng(0).normal(size=(2, 5))
    plain = paired_difference(a, b)
    corrected = paired_difference(a, b, test_train_ratio=0.4)
    growth = (corrected.high - corrected.low) / (plain.high - plain.low)
    assert growth == pytest.approx(np.sqrt(1 + 5 * 0.4))
    assert corrected.p_value > plain.p_value


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
    assert many.p_value == pytest.approx(one.p_value)


@pytest.mark.parametrize("a", [[1.0], [], [1.0, 2.0, 3.0]])
def test_too_few_or_unpaired(a):
    with pytest.raises(ValueError, match="two samples of the same length, at least 2"):
        paired_difference(a, [1.0, 2.0] if len(a) == 3 else a)


# Losses of rows.


def wrong(*rows):
    return np.array(rows, dtype=bool)


def test_losses_on_fixed_rows_by_hand():
    """Two seeds, four rows; the other method is wrong nowhere."""
    a = wrong([1, 1, 0, 0], [1, 0, 0, 0])
    found = paired_losses(a, np.zeros_like(a))
    # D is 1/2 and 1/4. The rows agree by (1/2 1/4 ... ): products of what is left of
    # the means, (1/2)(3/4) + (1/2)(-1/4) + (-1/2)(-1/4) + (-1/2)(-1/4) = 1/2, over 3.
    variance = 0.03125 / 2 + (1 / 2) / 3 / 4
    assert found.mean == 0.375
    assert found.standard_error == pytest.approx(np.sqrt(variance))
    half = stats.t(1).ppf(0.975) * np.sqrt(variance)
    assert (found.low, found.high) == pytest.approx((0.375 - half, 0.375 + half))
    assert found.p_value == pytest.approx(2 * stats.t(1).sf(0.375 / np.sqrt(variance)))
    assert found.method == "seeds and test rows"


@pytest.mark.parametrize(
    ("second", "third", "common"),
    [
        # Seeds have three, two and two rows in common. Less its mean the first is -1.5,
        # -.5, .5 at rows 1, 2, 3; the second -.5, .5, 1.5; the third -.5, 3.5 at 2, 3.
        ([3.0, 2.0, 1.0, 0.0], [1.0, 5.0, 0.0, 0.0], (1.25 + 2 + 5) / 7 * 4 / 3),
        # The second 1.5, .5, -.5; the third 3.5, -.5.
        ([1.0, 2.0, 3.0, 0.0], [5.0, 1.0, 0.0, 0.0], (-2.75 - 2 + 2) / 7 * 4 / 3),
    ],
)
def test_losses_on_rows_that_are_drawn_anew_by_hand(second, third, common):
    """Pairs of seeds count by the rows they have in common."""
    rows = [[0, 1, 2, 3], [3, 2, 1, 9], [2, 3, 7, 8]]
    first = [14.0, 11.0, 12.0, 13.0]
    found = paired_losses(
        [first, second, third], np.zeros((3, 4)), rows=rows, n_rows=20
    )
    S2 = np.var([12.5, 1.5, 1.5], ddof=1)
    assert found.standard_error**2 == pytest.approx(S2 / 3 + max(common, 0) / 20)
    assert found.mean == pytest.approx(15.5 / 3)


def test_rows_of_each_seed_may_stand_in_any_order():
    rng = np.random.default_rng(0)
    rows = [rng.permutation(50)[:20] for _ in range(4)]
    a, b = rng.random((2, 4, 20)) < 0.3
    found = paired_losses(a, b, rows=rows, n_rows=50)
    order = [rng.permutation(20) for _ in range(4)]
    shuffled = [[its[seed][order[seed]] for seed in range(4)] for its in (a, b, rows)]
    again = paired_losses(*shuffled[:2], rows=shuffled[2], n_rows=50)
    assert again.standard_error == pytest.approx(found.standard_error)


def test_seeds_that_all_say_the_same_are_as_uncertain_as_their_test_rows():
    """A constant difference: only the rows could have been others."""
    a = np.tile(wrong([1, 1, 0, 0, 0, 0, 0, 0, 0, 0]), (5, 1))
    found = paired_losses(a, np.zeros_like(a))
    assert found.standard_error == pytest.approx(np.sqrt(0.2 * 0.8 / 9))
    assert found.p_value > 0.05


def test_nets_that_never_differ_are_uncertain_by_a_row():
    """w is one row's worth, 1 / 100."""
    a = np.zeros((2, 100), dtype=bool)
    found = paired_losses(a, a)
    half = stats.t(1).ppf(0.975) * np.sqrt(0.01 / (2 * 100))
    assert (found.mean, found.p_value) == (0.0, 1.0)
    assert (found.low, found.high) == pytest.approx((-half, half))
    numbers = paired_losses(a + 0.5, a + 0.5)  # of which nobody knows what one is worth
    assert (numbers.low, numbers.high, numbers.p_value) == (0.0, 0.0, 1.0)


def test_folds_without_a_common_row_have_the_correction_of_nadeau_and_bengio():
    rng = np.random.default_rng(0)
    a, b = (rng.random((2, 3, 40)) < 0.3).astype(float)
    rows = np.arange(120).reshape(3, 40)
    found = paired_losses(a, b, rows=rows, n_rows=120)
    old = paired_difference(a.mean(1), b.mean(1), test_train_ratio=0.5)
    assert found.standard_error == pytest.approx(old.standard_error)


@pytest.mark.parametrize(
    ("a", "b", "rows"),
    [
        ([[1, 0], [1, 0]], [[1, 0], [1]], None),
        ([[1, 0], [1, 0]], [[1, 0], [1, 0]], [[1, 2], [1]]),
    ],
)
def test_losses_of_other_rows(a, b, rows):
    with pytest.raises(ValueError, match="the same rows of two methods for each seed"):
        paired_losses(a, b, rows=rows)


def test_losses_of_one_seed():
    with pytest.raises(ValueError, match="2 seeds or more; got 1"):
        paired_losses([[1, 0]], [[1, 0]])


@pytest.mark.parametrize("fixed", [True, False])
def test_losses_cover_the_truth_where_seeds_alone_do_not(fixed):
    """Rows are hard for one net or the other in all seeds, which share these rows."""
    rng = np.random.default_rng(0)
    covered = np.zeros(2)
    for _ in range(400):
        hard = rng.normal(size=(2, 200))
        rows = [
            np.arange(200) if fixed else rng.permutation(200)[:80] for _ in range(6)
        ]
        a, b = (
            [its[r] + 0.5 * rng.normal(size=len(r)) > 1.0 for r in rows] for its in hard
        )
        found = paired_losses(a, b, rows=rows, n_rows=None if fixed else 200)
        alone = paired_difference([x.mean() for x in a], [x.mean() for x in b])
        covered += [its.low <= 0.0 <= its.high for its in (found, alone)]
    assert covered[0] / 400 >= 0.93 > covered[1] / 400


# Many tests.


def test_holm_by_hand():
    # 0.01 * 4, 0.02 * 3, 0.03 * 2 (raised to the one before), 0.2 * 1
    np.testing.assert_allclose(holm([0.03, 0.01, 0.2, 0.02]), [0.06, 0.04, 0.2, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_laws(p):
    adjusted = holm(p)
    assert (adjusted >= p).all() and (adjusted <= 1.0).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    assert adjusted.min() == pytest.approx(min(1.0, len(p) * min(p)))


def test_nearly_equal_differences_are_judged_like_equal_ones():
    equal = paired_difference([0.1] * 3, [0.12] * 3, n_test=10_000)
    for last in (0.12 + 1e-6, 0.12 + 1e-9):
        nearly = paired_difference([0.1] * 3, [0.12, 0.12, last], n_test=10_000)
        assert nearly.p_value == pytest.approx(equal.p_value, rel=0.05)
