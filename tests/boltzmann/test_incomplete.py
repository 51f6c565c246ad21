"""Likelihoods of rows with unknown values, against sums and integrals over these."""

import itertools
import math
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.sparse import csr_array
from scipy.special import logsumexp

from dbn import DBN, RBM
from dbn.backend.random import make_rng
from dbn.boltzmann import (
    Bernoulli,
    Gaussian,
    Mixed,
    ReLU,
    Softmax,
    Spin,
    exact_log_z,
    incomplete,
)
from dbn.boltzmann.incomplete import log_p_of_known, mean_field
from tests.boltzmann.test_mixed import LISTED, NESTED, NUMBERS, TWICE, Brute, machine
from tests.boltzmann.types import LEARNED
from tests.helpers import Enumerated, message_of, randomize

ANYWHERE = ["machine", "RBM", "log_p_of_known", "mean_field", "exact_log_z"]
on_every_library = pytest.mark.usefixtures("anywhere")

PAIRS = [
    (Bernoulli(), Bernoulli(), (4, 3)),
    (Spin(), Softmax(3), (4, 6)),
    (Softmax(3), Bernoulli(), (6, 2)),
    (LEARNED, Bernoulli(), (2, 3)),
    (Gaussian(), Gaussian(), (2, 2)),
    (LEARNED, Gaussian(), (2, 2)),
    (LISTED, Bernoulli(), (7, 3)),
    (LISTED, Gaussian(), (7, 2)),
    (NUMBERS, Bernoulli(), (7, 3)),
    (NUMBERS, Softmax((2, 3)), (7, 5)),
    (NUMBERS, Gaussian(), (7, 2)),
    (NESTED, Spin(), (3, 2)),
    (TWICE, Mixed(((Bernoulli(), 1), (Spin(), 2))), (3, 3)),
]
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=str)


# As units of several kinds, which brute force takes, with parameters in the same order.
SAME = {Softmax(3): Softmax((3, 3)), LEARNED: Mixed(((LEARNED, 1), (LEARNED, 1)))}


def holes(pair, scale, n_rows=40):
    """Rows of states, or nodes, that lack some units, and log p with all of Z."""
    visible, hidden, sizes = pair
    sides = SAME.get(visible, visible), SAME.get(hidden, hidden)
    brute, rng = Brute(brute_machine(*sides, sizes, scale)), np.random.default_rng(0)
    units = list(sides[0].groups(sizes[0]))
    numbers = np.array([isinstance(u, Gaussian) for _, u, _ in units])
    rows = brute.v[rng.integers(len(brute.v), size=n_rows)].copy()
    unknown = rng.random((n_rows, len(units))) < 0.5
    unknown[0], unknown[1] = True, False
    if hidden == Gaussian() and not visible.linear:
        unknown[:, numbers] = False  # else neither side can be listed
    expected = np.empty(n_rows)
    for i, row in enumerate(rows):
        for (columns, _, _), gone in zip(units, unknown[i], strict=True):
            row[columns] = np.nan if gone else row[columns]
        alike = ((brute.v == row) | np.isnan(row)).all(axis=1)
        # Known numbers are values, not cells of the quadrature.
        n_cells = np.count_nonzero(~unknown[i] & numbers)
        expected[i] = logsumexp(brute.log_v[alike]) - math.log(0.5) * n_cells
    return rows, expected


brute_machine = machine  # which `anywhere` leaves alone


@each_pair
@on_every_library
@pytest.mark.parametrize("side", ["the smaller side", "the hidden side"])
def test_sums_over_all_states_of_what_is_unknown(pair, side, monkeypatch):
    scale = 0.3 if pair[1] == Gaussian() else 0.7
    if side == "the hidden side" and pair[1] != Gaussian():
        monkeypatch.setattr(incomplete, "MAX_UNKNOWN", 1)
    rows, expected = holes(pair, scale)
    found = log_p_of_known(machine(*pair, scale), rows, 0)
    assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


def test_what_is_known_nowhere_has_all_of_z():
    rbm = machine(NUMBERS, Bernoulli(), (7, 3))
    nothing = np.full((1, 7), np.nan)
    assert_allclose(log_p_of_known(rbm, nothing, 0), exact_log_z(rbm), rtol=1e-12)


def test_whole_rows_have_minus_their_free_energy():
    rbm = machine(Bernoulli(), Bernoulli(), (4, 3))
    v = np.eye(4)
    assert_array_equal(log_p_of_known(rbm, v, 0), -rbm.free_energy(v))
    assert_allclose(log_p_of_known(rbm, csr_array(v), 0), -rbm.free_energy(v))
    v = np.concatenate([v, v])
    v[4:, 1] = np.nan
    assert_array_equal(log_p_of_known(rbm, v, 0)[:4], -rbm.free_energy(v[:4]))


def test_a_rectified_unit_by_quadrature():
    rbm = brute_machine(Mixed(((ReLU(), 2), (LEARNED, 1))), Bernoulli(), (3, 3))
    v = np.array([[0.7, np.nan, -1.0]])

    def p(x):
        return math.exp(-rbm.free_energy(np.array([[0.7, x, -1.0]]))[0])

    expected = math.log(quad(p, 0.0, 30.0, epsabs=1e-12)[0])
    assert_allclose(log_p_of_known(rbm, v, 0), expected, rtol=1e-8)


def test_a_rectified_hidden_unit():
    rbm = brute_machine(Bernoulli(), ReLU(), (4, 2))
    states = np.array(list(itertools.product([0.0, 1.0], repeat=4)))
    alike = (states[:, 0] == 1.0) & (states[:, 2] == 0.0)
    expected = logsumexp(-rbm.free_energy(states[alike]))
    v = np.array([[1.0, np.nan, 0.0, np.nan]])
    assert_allclose(log_p_of_known(rbm, v, 0), expected, rtol=1e-12)


ANNEALED = [
    (Bernoulli(), Bernoulli(), (4, 3)),
    (LISTED, Spin(), (7, 3)),
    (NUMBERS, Softmax(3), (7, 6)),
    (NUMBERS, Gaussian(), (7, 2)),
    (Bernoulli(), ReLU(), (4, 2)),
]


@pytest.fixture
def nothing_is_listed(monkeypatch):
    monkeypatch.setattr(incomplete, "MAX_UNKNOWN", 1)
    monkeypatch.setattr(incomplete, "MAX_HIDDEN", 0)


@pytest.mark.parametrize("pair", ANNEALED[:3], ids=str)
@on_every_library
def test_annealing_agrees_with_the_exact_values(pair, nothing_is_listed, monkeypatch):
    """Its Z are unbiased: their mean over 30 seeds lies within its standard error."""
    monkeypatch.setattr(incomplete, "N_BETAS", (30,))
    monkeypatch.setattr(incomplete, "LEAST_ESS", 0.0)
    rows, expected = holes(pair, 0.8, n_rows=12)
    rbm = machine(*pair, scale=0.8)
    ratio = np.exp([log_p_of_known(rbm, rows, seed) - expected for seed in range(30)])
    error = ratio.std(axis=0, ddof=1) / math.sqrt(30)
    assert (np.abs(ratio.mean(axis=0) - 1.0) < 4.0 * error + 1e-9).all()
    assert error[0] > 0.0


def two_patterns(strength):
    """A machine that shows either of two patterns, of which mean-field finds one."""
    rbm = RBM(24, 2)
    pattern = np.repeat([1.0, -1.0], 12)
    rbm.W[...] = strength * np.outer(pattern, [1.0, -1.0])
    rbm.b[...] = -rbm.W.mean(axis=1)
    rbm.c[...] = [0.5, 0.0]
    return rbm


def test_annealing_reaches_what_mean_field_does_not(nothing_is_listed):
    rbm = two_patterns(2.0)
    rows = np.full((2, 24), np.nan)
    rows[:, 0] = 0.0, 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        p = np.exp(log_p_of_known(rbm, rows, 0) - exact_log_z(rbm))
    assert_allclose(p.sum(), 1.0, atol=0.1)


def test_a_likelihood_not_to_be_trusted_says_so(nothing_is_listed, monkeypatch):
    monkeypatch.setattr(incomplete, "N_BETAS", (2, 3))
    rbm = RBM(24, 12)
    rbm.W[...] = 5.0 * make_rng(0).standard_normal((24, 12))
    rows = np.full((3, 24), np.nan)
    rows[:2, 0], rows[2] = 1.0, 1.0
    said = "Of 2 rows with unknown values the likelihood of 2 cannot be trusted"
    with pytest.warns(RuntimeWarning, match=said):
        log_p_of_known(rbm, rows, 0)


@pytest.mark.parametrize("pair", ANNEALED, ids=str)
def test_annealed_values_do_not_depend_on_other_rows(pair, monkeypatch):
    scale = 0.3 if pair[1] == Gaussian() else 0.7
    rbm = brute_machine(*pair, scale=scale)
    rng = np.random.default_rng(0)
    v = rbm.sample_visible(rng.random((9, rbm.n_hidden)).round(), rng)
    for i, (columns, _, _) in enumerate(rbm.visible.groups(rbm.n_visible)):
        v[i % 3 :: 3, columns] = np.nan
    chosen = log_p_of_known(rbm, v, 0)
    monkeypatch.setattr(incomplete, "MAX_UNKNOWN", 1)
    monkeypatch.setattr(incomplete, "MAX_HIDDEN", 0)
    found = log_p_of_known(rbm, v, 0)
    assert_allclose(found, chosen, atol=0.2)
    alone = [log_p_of_known(rbm, v[i : i + 1], 0)[0] for i in range(9)]
    assert_allclose(found, alone, rtol=1e-12)
    monkeypatch.setattr(incomplete, "_ENTRIES", 2**10)
    assert_allclose(log_p_of_known(rbm, v[::-1], 0)[::-1], found, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_dtype_stays(dtype):
    rbm = RBM(4, 3, dtype=dtype)
    v = np.array([[1.0, np.nan, 0.0, 1.0]], dtype=dtype)
    assert log_p_of_known(rbm, v, 0).dtype == mean_field(rbm, v).dtype == dtype


def test_mean_field_is_a_fixed_point_and_keeps_what_is_known():
    rbm = brute_machine(NUMBERS, Bernoulli(), (7, 3))
    v, _ = holes((NUMBERS, Bernoulli(), (7, 3)), 0.4)
    found = mean_field(rbm, v, steps=200)
    again = rbm.mean_visible(rbm.mean_hidden(found))
    assert_allclose(
        np.where(np.isnan(v), found, again), np.where(np.isnan(v), again, again)
    )
    assert_array_equal(found[~np.isnan(v)], v[~np.isnan(v)])


def test_units_without_a_law_have_no_likelihood():
    rbm, v = RBM(3, 2, hidden=ReLU(noisy=True)), np.array([[1.0, np.nan, 0.0]])
    assert "no law" in message_of(log_p_of_known, rbm, v, 0)


# Stacks.


def stack(visible, n_visible, scale=1.0):
    rbms = [RBM(n_visible, 3, visible=visible), RBM(3, 2)]
    for i, rbm in enumerate(rbms):
        randomize(rbm.params, seed=i, scale=scale)
    return DBN(rbms)


def exact_log_p(dbn, v):
    """Log p of the known values of a row: a sum over the middle layer."""
    bottom, top = dbn.rbms
    middle, total = Enumerated(top), 0.0
    x = bottom.visible_input(middle.v)
    for columns, units, p in bottom.visible.groups(bottom.n_visible, bottom.p_visible):
        if not np.isnan(v[columns]).any():
            u = v[None, columns]
            total = total + x[:, columns] @ v[columns]
            total = total - units.base_energy(u, p) - units.cgf(x[:, columns], p)
    return logsumexp(total + middle.log_v)


@pytest.mark.parametrize("visible", [Bernoulli(), LISTED, NUMBERS], ids=repr)
def test_the_bound_of_a_stack_is_below_the_truth_and_not_far(visible):
    dbn = stack(visible, 7)
    rng = np.random.default_rng(0)
    v = dbn.rbms[0].sample_visible(rng.random((30, 3)).round(), rng)
    for i, (columns, _, _) in enumerate(visible.groups(7)):
        v[i % 3 :: 3, columns] = np.nan
    log_z, gaps = exact_log_z(dbn.rbms[-1]), []
    for row in v:
        bound = dbn.log_p_bound(row, make_rng(0), 4000) - log_z
        gaps.append(exact_log_p(dbn, row) - bound)
    assert min(gaps) > -0.05 and np.mean(gaps) < 1.0
    assert min(gaps) < np.mean(gaps)


def test_the_bound_of_one_machine_is_exact():
    rbm = brute_machine(NUMBERS, Bernoulli(), (7, 3))
    rows, expected = holes((NUMBERS, Bernoulli(), (7, 3)), 0.4, n_rows=10)
    found = [DBN([rbm]).log_p_bound(row, make_rng(0), 3) for row in rows]
    assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


def test_completion_by_a_stack_is_near_the_conditional_law():
    """Of one machine the draws have that law; of a stack means within 0.1 of it."""
    one = DBN([brute_machine(Bernoulli(), Bernoulli(), (4, 3))])
    two = stack(Bernoulli(), 4)
    row = np.array([1.0, np.nan, 0.0, np.nan])
    states = np.array(list(itertools.product([0.0, 1.0], repeat=4)))
    alike = states[(states[:, 0] == 1.0) & (states[:, 2] == 0.0)]
    for dbn, tolerance in ((one, 0.015), (two, 0.1)):
        rows = dbn.complete(np.tile(row, (20_000, 1)), make_rng(0), 30)
        assert_array_equal(rows[:, [0, 2]], np.tile(row[[0, 2]], (20_000, 1)))
        if dbn is one:
            log_p = -one.rbms[0].free_energy(alike)
        else:
            log_p = np.array([exact_log_p(two, state) for state in alike])
        p = np.exp(log_p - logsumexp(log_p))
        found = [(rows == state).all(axis=1).mean() for state in alike]
        assert_allclose(found, p, atol=tolerance)
