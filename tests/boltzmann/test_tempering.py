"""The path between independent units and a machine, against sums over all states."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from dbn import RBM
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, Gaussian, ais
from dbn.boltzmann.tempering import TemperedPath, exchange, gibbs_chains
from tests.helpers import binary_states, randomize

N = 100_000  # chains
BASE_BIAS = np.array([0.5, -1.0, 0.2])


class Counted(RBM):
    """Counts the rows that are multiplied with the weights."""

    n_rows, n_products = 0, 0

    def hidden_input(self, v):
        self.n_rows += v.shape[0]
        self.n_products += 1
        return super().hidden_input(v)


def tiny(visible="bernoulli", kind=RBM):
    rbm = kind(3, 2, visible=visible)
    randomize(rbm.params, seed=2)
    return rbm


def log_p(rbm, v, beta):
    """Unnormalised log p of rows at one temperature, from a sum over hidden states."""
    h, p = binary_states(2), rbm.p_visible
    bias = (1 - beta) * BASE_BIAS + beta * rbm.b
    joint = (v @ bias)[:, None] + beta * ((v @ rbm.W + rbm.c) @ h.T)
    return logsumexp(joint, axis=1) - rbm.visible.base_energy(v, p)


@pytest.mark.parametrize(
    "visible", [Bernoulli(), Gaussian(), Gaussian(learn_variance=True)], ids=repr
)
@pytest.mark.parametrize(("old", "new"), [(0.0, 0.3), (0.3, 1.0), (1.0, 0.3)])
def test_log_ratio_is_that_of_the_sums_over_hidden_states(visible, old, new):
    rbm, v = tiny(visible), binary_states(3)
    path, x = TemperedPath(rbm, BASE_BIAS), rbm.hidden_input(v)
    expected = log_p(rbm, v, new) - log_p(rbm, v, old)
    assert_allclose(path.log_ratio(v, x, old, new), expected, rtol=1e-12)
    # One temperature per row says the same as one for all.
    old, new = (np.full((8, 1), beta) for beta in (old, new))
    assert_allclose(path.log_ratio(v, x, old, new), expected, rtol=1e-12)


def largest_z(rows, rbm, beta):
    """Largest |observed - expected| count of a state at beta, in standard errors."""
    states = log_p(rbm, binary_states(3), beta)
    p = np.exp(states - logsumexp(states))
    counts = np.bincount((rows @ [4, 2, 1]).astype(int), minlength=8)
    return np.abs((counts - N * p) / np.sqrt(N * p * (1 - p))).max()


def exact_chains(rbm, betas, rng):
    """Exact draws at each temperature, (n_betas, N, 3)."""
    chains = []
    for beta in betas:
        states = log_p(rbm, binary_states(3), beta)
        p = np.exp(states - logsumexp(states))
        chains.append(binary_states(3)[rng.choice(8, size=N, p=p)])
    return np.array(chains)


BETAS = np.array([0.0, 0.4, 1.0])


def test_gibbs_steps_keep_the_law_of_every_temperature():
    rbm, rng = tiny(), make_rng(0)
    path = TemperedPath(rbm, BASE_BIAS)
    start = exact_chains(rbm, BETAS, rng)
    v = gibbs_chains(path, start, BETAS, rng, steps=2)
    assert (v != start).any(axis=2).mean(axis=1).min() > 0.2
    for chains, beta in zip(v, BETAS, strict=True):
        assert largest_z(chains, rbm, beta) < 4
    # At wrong temperatures they drift.
    v = gibbs_chains(path, start, BETAS[::-1], rng, steps=2)
    assert largest_z(v[0], rbm, BETAS[0]) > 8
    assert largest_z(v[2], rbm, BETAS[2]) > 8


@pytest.mark.parametrize("parity", [0, 1])
def test_exchanges_keep_the_law_of_every_temperature(parity):
    rbm, rng = tiny(), make_rng(0)
    start = exact_chains(rbm, BETAS, rng)
    v, accepted = exchange(TemperedPath(rbm, BASE_BIAS), start, BETAS, parity, rng)
    moved = (v != start).any(axis=(1, 2))
    assert_array_equal(moved, [parity == 0, True, parity == 1])
    assert accepted.shape == (1,)
    for chains, beta in zip(v, BETAS, strict=True):
        assert largest_z(chains, rbm, beta) < 4
    # What one chain loses the other gets.
    pair = slice(parity, parity + 2)
    assert_array_equal(np.sort(v[pair], axis=0), np.sort(start[pair], axis=0))


def test_rejected_states_stay():
    rbm, rng = tiny(), make_rng(0)
    rbm.W[...], rbm.b[...], rbm.c[...] = 0.0, 500.0, 0.0
    v = np.array([np.zeros((9, 3)), np.ones((9, 3))])  # the cold ones are all on
    path = TemperedPath(rbm, np.zeros(3))
    same, accepted = exchange(path, v, np.array([0.0, 1.0]), 0, rng)
    assert_array_equal(same, v)
    assert accepted == 0.0
    # The other way round the exchange is certain.
    swapped, accepted = exchange(path, v[::-1], np.array([0.0, 1.0]), 0, rng)
    assert_array_equal(swapped, v)
    assert accepted == 1.0


# The cost: products with the weights.


def test_annealing_costs_one_product_with_the_visible_rows_per_temperature():
    rbm = tiny(kind=Counted)
    ais(rbm, n_betas=20, n_chains=7, random_state=0)
    assert rbm.n_products == 19
    assert rbm.n_rows == 19 * 7


def test_an_exchange_costs_one_product_with_every_chain():
    rbm = tiny(kind=Counted)
    v = np.zeros((3, 5, 3))
    exchange(TemperedPath(rbm), v, BETAS, 0, make_rng(0))
    assert rbm.n_rows == 2 * 5
