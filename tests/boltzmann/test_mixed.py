"""Machines over columns of several kinds, against sums over all of their states."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.base import clone

from dbn import RBM
from dbn.backend.random import make_rng
from dbn.boltzmann import (
    PCD,
    Bernoulli,
    Gaussian,
    Mixed,
    ParallelTempering,
    ReLU,
    Softmax,
    Spin,
    ais,
    exact_log_z,
    get_units,
    pseudo_log_likelihood,
    reverse_ais,
)
from tests.boltzmann.types import LEARNED, TABLE
from tests.helpers import (
    largest_mean_z,
    message_of,
    numerical_gradient,
    randomize,
    read_only,
)

# Values of one unit, or group, and the logarithms of their weights. Of Gaussian units
# the trapezoidal rule, exact to rounding for functions like these.
NODES = {
    Bernoulli: (np.array([[0.0], [1.0]]), 0.0),
    Spin: (np.array([[-1.0], [1.0]]), 0.0),
    Gaussian: (np.linspace(-13.0, 13.0, 53)[:, None], math.log(0.5)),
}

LISTED = Mixed(((Bernoulli(), 1), (Softmax((2, 3)), 5), (Spin(), 1)))
NUMBERS = Mixed(((LEARNED, 1), (Bernoulli(), 1), (Softmax((2, 3)), 5)))
NESTED = Mixed(((Mixed(((Spin(), 1), (LEARNED, 1))), 2), (Gaussian(), 1)))
TWICE = Mixed(((LEARNED, 1), (Spin(), 1), (LEARNED, 1)))
PAIRS = [
    (LISTED, Bernoulli(), (7, 3)),
    (LISTED, Bernoulli(), (7, 6)),  # the visible side has fewer states
    (LISTED, Gaussian(), (7, 2)),
    (NUMBERS, Bernoulli(), (7, 3)),
    (NUMBERS, Softmax((2, 3)), (7, 5)),
    (Bernoulli(), LISTED, (3, 7)),
    (NESTED, Spin(), (3, 2)),
    (TWICE, Mixed(((Bernoulli(), 1), (Spin(), 2))), (3, 3)),
]
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=str)


def flat(units, n):
    """Type and name of the log variance of each unit of a layer."""
    if isinstance(units, Mixed):
        for i, (block, size) in enumerate(units.blocks):
            for kind, size_of_unit, name in flat(block, size):
                yield kind, size_of_unit, name and f"{i}_{name}"
    elif isinstance(units, Softmax):
        sizes = (
            units.n_states if isinstance(units.n_states, tuple) else [units.n_states]
        )
        for size in sizes:
            yield Softmax, size, None
    else:
        for _ in range(n):
            yield type(units), 1, "log_variance" if units == LEARNED else None


def layer(units, n, p):
    """All states or nodes of a layer, and their log weights with the base energy."""
    values, weights = [], []
    for kind, size, name in flat(units, n):
        u, weight = (np.eye(size), 0.0) if kind is Softmax else NODES[kind]
        values.append(u)
        s2 = np.exp(p[name]) if name else 1.0
        energy = 0.5 * u[:, 0] ** 2 / s2 if kind is Gaussian else 0.0
        weights.append(np.full(len(u), weight) - energy)
    rows = [np.concatenate(u) for u in itertools.product(*values)]
    return np.array(rows), np.array([sum(w) for w in itertools.product(*weights)])


class Brute:
    def __init__(self, rbm):
        self.v, weight_v = layer(rbm.visible, rbm.n_visible, rbm.p_visible)
        self.h, weight_h = layer(rbm.hidden, rbm.n_hidden, {})
        joint = self.v @ rbm.W @ self.h.T + (self.v @ rbm.b + weight_v)[:, None]
        self.log_v = logsumexp(joint + self.h @ rbm.c + weight_h, axis=1)
        self.log_z = logsumexp(self.log_v)
        self.p_v = np.exp(self.log_v - self.log_z)


def machine(visible, hidden, sizes, scale=0.4, seed=1):
    rbm = RBM(*sizes, visible=visible, hidden=hidden)
    randomize(rbm.params, seed=seed, scale=scale)
    return rbm


@each_pair
def test_log_z_is_that_of_brute_force(pair):
    rbm = machine(*pair)
    assert_allclose(exact_log_z(rbm), Brute(rbm).log_z, rtol=1e-9)
    assert_allclose(exact_log_z(rbm, block_size=3), Brute(rbm).log_z, rtol=1e-9)


@each_pair
def test_gradient_with_exact_expectations_is_that_of_the_exact_likelihood(pair):
    rbm = machine(*pair)
    brute, h = Brute(rbm), rbm.mean_hidden
    X = brute.v[np.random.default_rng(0).choice(len(brute.v), size=5, p=brute.p_v)]
    out = rbm.params.zeros_like()
    rbm.gradient(X, h(X), brute.v, h(brute.v), out, weight_neg=brute.p_v)
    expected = numerical_gradient(
        lambda: rbm.free_energy(X).mean() + exact_log_z(rbm), rbm.params.flat, step=1e-5
    )
    assert_allclose(out.flat, expected, rtol=1e-6, atol=1e-9)


@each_pair
def test_annealing_agrees_with_the_exact_value(pair):
    rbm = machine(*pair, scale=0.7)
    log_z, options = exact_log_z(rbm), {"n_betas": 300, "random_state": 0}
    for estimate in (ais(rbm, **options), reverse_ais(rbm, **options)):
        assert abs(estimate.log_z - log_z) < 4 * estimate.standard_error
        assert estimate.exact_start


@pytest.mark.parametrize("visible", [LISTED, Softmax((2, 3))], ids=repr)
@pytest.mark.parametrize("hidden", [Bernoulli(), ReLU()], ids=repr)
def test_pseudo_likelihood_is_that_of_all_states(visible, hidden):
    n = visible.group_size
    rbm = machine(visible, hidden, (n, 2))
    v, _ = layer(visible, n, {})
    log_v, expected, start = -rbm.free_energy(v), np.zeros(len(v)), 0
    for _, size, _ in flat(visible, n):
        others = np.delete(v, np.arange(start, start + size), axis=1)
        alike = (others[:, None, :] == others[None, :, :]).all(axis=2)
        expected += log_v - logsumexp(np.where(alike, log_v, -np.inf), axis=1)
        start += size
    assert_allclose(pseudo_log_likelihood(rbm, read_only(v)), expected, rtol=1e-9)


def test_what_needs_states_refuses_numbers():
    rbm = machine(TABLE, Gaussian(), (6, 2))
    assert "Bernoulli, Softmax); they are Mixed" in message_of(
        pseudo_log_likelihood, rbm, np.zeros((1, 6))
    )
    assert "exact_log_z needs units whose states" in message_of(exact_log_z, rbm)


def test_machines_of_gaussian_blocks_only_have_a_closed_form():
    blocks = Mixed(((Gaussian(), 2), (LEARNED, 1)))
    rbm = machine(blocks, Gaussian(), (3, 2), scale=0.3)
    plain = RBM(3, 2, visible=LEARNED, hidden=Gaussian())
    for name in "Wbc":
        plain.params[name][...] = rbm.params[name]
    plain.p_visible["log_variance"][2] = rbm.p_visible["1_log_variance"][0]
    assert_allclose(exact_log_z(rbm), exact_log_z(plain), rtol=1e-12)


# What a layer without a range may have as weights.


@pytest.mark.parametrize("swap", [False, True])
def test_only_what_has_no_range_can_be_improper(swap):
    some = Mixed(((Gaussian(), 2), (Bernoulli(), 2)))
    sides = (Gaussian(), some) if swap else (some, Gaussian())
    rbm = RBM(4, 4, visible=sides[0], hidden=sides[1])
    W = rbm.W.T if swap else rbm.W
    W[2:] = 10.0  # between bits and numbers
    W[:2] = 0.99 * np.eye(4)[:2]
    rbm.check_proper()
    W[0, 0] = 1.25
    assert "is below 1; it is 1.25. Lower" in message_of(rbm.check_proper)


def test_learned_variances_of_a_block_scale_its_weights():
    rbm = RBM(3, 3, visible=Mixed(((Bernoulli(), 1), (LEARNED, 2))), hidden="gaussian")
    rbm.W[...] = 0.8 * np.eye(3)
    rbm.check_proper()
    rbm.p_visible["1_log_variance"][0] = np.log(4.0)
    assert "it is 1.6." in message_of(rbm.check_proper)


def test_rectified_blocks_that_grow_are_warned_of():
    rbm = RBM(3, 3, visible=Mixed(((Gaussian(), 2), (ReLU(), 1))), hidden="gaussian")
    rbm.W[...] = 1.25 * np.eye(3)
    with pytest.warns(RuntimeWarning, match=r"it is 1\.25"):
        rbm.check_proper()


# Parts.


def test_equality_repr_and_clones():
    same = Mixed(((LEARNED, 2), (Bernoulli(), 1), (Softmax(3), 3)))
    assert same == TABLE and hash(same) == hash(TABLE) and clone(TABLE) == TABLE
    assert same != Mixed(((LEARNED, 2), (Bernoulli(), 1), (Softmax((3,)), 3)))
    assert same != Mixed(((Gaussian(), 2), (Bernoulli(), 1), (Softmax(3), 3)))
    assert repr(Mixed(((Gaussian(), 5), (Softmax(4), 4)))) == (
        "Mixed(blocks=((Gaussian(), 5), (Softmax(n_states=4), 4)))"
    )
    assert eval(repr(TABLE)) == TABLE


@pytest.mark.parametrize(
    "wrong",
    [Gaussian(), (Gaussian(), 0), (Gaussian(), 2.0), ("gaussian", 2), (Gaussian(),)],
    ids=str,
)
def test_what_is_no_block_is_named(wrong):
    assert message_of(get_units, Mixed(((Bernoulli(), 1), wrong))) == (
        "Mixed needs blocks (units, number of columns), such as (Gaussian(), 5); one "
        f"is {wrong!r}."
    )


@pytest.mark.parametrize("none", [(), [], None, 3])
def test_no_blocks_at_all(none):
    assert message_of(get_units, Mixed(none)) == (
        "Mixed needs at least one block, as in Mixed(((Gaussian(), 5), (Bernoulli(), "
        f"3))); blocks is {none!r}."
    )


def test_blocks_are_validated_and_need_their_columns():
    assert "n_states of at least 2" in message_of(get_units, Mixed(((Softmax(1), 1),)))
    expected = "Mixed needs 6 columns, for blocks of 2 + 1 + 3; there are 7."
    assert message_of(RBM, 7, 2, visible=TABLE) == expected
    assert message_of(TABLE.check, np.zeros((1, 7))) == expected
    odd = Mixed(((Bernoulli(), 1), (Softmax(3), 4)))
    assert message_of(RBM, 5, 2, visible=odd) == (
        "Columns 1 to 4: Softmax(3) needs a multiple of 3 columns; there are 4."
    )
    assert "learns a variance" in message_of(RBM, 2, 6, hidden=TABLE)


def test_values_outside_are_said_with_the_columns_of_their_block():
    X = np.array([[7.0, -7.0, 0.5, 0.0, 1.0, 0.0]])
    assert TABLE.inside(X) is X
    X[0, 2] = 1.5
    assert message_of(TABLE.check, X) == (
        "Column 2: Bernoulli visible units need values in [0, 1]; X has minimum 1.5 "
        "and maximum 1.5. Scale X (MinMaxScaler; clip=True, for rows that it was not "
        "fitted on) or use visible='gaussian'."
    )
    X[0, 2:] = [1.0, 0.0, 1.0, 1.0]
    assert message_of(TABLE.check, X).startswith("Columns 3 to 5: Softmax(3)")
    assert "1 of 1 groups" in message_of(TABLE.check, X)


def test_rounding_is_mended_in_the_block_where_it_is():
    X = read_only(np.array([[7.0, -7.0, 1.0 + 1e-12, 0.0, 1.0, 0.0]]))
    assert_array_equal(TABLE.inside(X), [[7.0, -7.0, 1.0, 0.0, 1.0, 0.0]])


def test_own_laws_are_not_split():
    class Odd(Mixed):
        def cgf(self, x, p=None):
            return 2.0 * super().cgf(x, p)

    odd = Odd(((Bernoulli(), 2),))
    assert odd.count_states(2) == math.inf and LISTED.count_states(7) == 24


@pytest.mark.parametrize(
    "sampler",
    [PCD(n_chains=20_000), ParallelTempering(n_chains=20_000, n_betas=3)],
    ids=repr,
)
def test_chains_come_to_the_law_of_the_machine(sampler):
    rbm, rng = machine(NUMBERS, Bernoulli(), (7, 3)), make_rng(0)
    brute = Brute(rbm)
    X = brute.v[rng.choice(len(brute.v), size=50, p=brute.p_v)]
    state, x = sampler.start(rbm, X, rng), rbm.hidden_input(X)
    for _ in range(30):
        v, _, state = sampler.negative(rbm, X, x, rbm.hidden.mean(x), state, rng)
    assert largest_mean_z(v, brute.p_v @ brute.v) < 4
    assert set(np.unique(v[:, 1:])) == {0.0, 1.0}


SOME = [(Bernoulli(), 1), (Gaussian(), 2), (ReLU(), 1), (Softmax(2), 4), (Spin(), 1)]
SOME += [(Softmax((2, 3)), 5), (Mixed(((Spin(), 1), (Gaussian(), 1))), 2)]


@given(blocks=st.lists(st.sampled_from(SOME), min_size=1, max_size=5), data=st.data())
def test_a_layer_is_its_blocks_side_by_side(blocks, data):
    units, n = Mixed(tuple(blocks)), sum(size for _, size in blocks)
    x = data.draw(arrays(np.float64, (2, n), elements=st.floats(-15.0, 15.0)))
    parts = np.split(x, np.cumsum([size for _, size in blocks])[:-1], axis=1)
    each = [(block, part) for (block, _), part in zip(blocks, parts, strict=True)]
    for name in ("mean", "variance", "input_for_mean"):
        expected = [getattr(block, name)(part) for block, part in each]
        assert_array_equal(getattr(units, name)(x), np.hstack(expected))
    for name in ("cgf", "base_energy"):
        expected = [getattr(block, name)(part) for block, part in each]
        assert_allclose(getattr(units, name)(x), np.sum(expected, axis=0), rtol=1e-12)
    drawn, rng = units.sample(x, make_rng(0)), make_rng(0)
    assert_array_equal(drawn, np.hstack([b.sample(part, rng) for b, part in each]))
    assert units.inside(drawn) is drawn
    counts = [block.count_states(size) for block, size in blocks]
    assert units.count_states(n) == math.prod(counts)
    columns = np.arange(n)
    every = [columns[own] for own, _, _ in units.groups(n)]
    assert_array_equal(np.concatenate(every), columns)
