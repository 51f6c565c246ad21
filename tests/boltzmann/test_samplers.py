"""Contrastive divergence: its expected direction, and no drift from p(v)."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from dbn import RBM
from dbn.backend.array import sigmoid
from dbn.backend.random import bernoulli, make_rng
from dbn.boltzmann import CD, Bernoulli, get_sampler
from tests.helpers import Enumerated, binary_states, largest_mean_z, randomize

N = 100_000  # chains
ANYWHERE = ["RBM", "CD"]
on_every_library = pytest.mark.usefixtures("anywhere")


class Tempered(Bernoulli):
    """A wrong sampler: its units are hotter than their law."""

    def sample(self, x, rng, p=None):
        return bernoulli(rng, sigmoid(0.7 * x))


def tiny(hidden="bernoulli", visible="bernoulli", sizes=(3, 2)):
    rbm = RBM(*sizes, visible=visible, hidden=hidden)
    randomize(rbm.params, seed=2)
    return rbm


def negative(rbm, sampler, v, rng):
    state, x = sampler.start(rbm, v, rng), rbm.hidden_input(v)
    v_neg, h_neg, _ = sampler.negative(rbm, v, x, rbm.hidden.mean(x), state, rng)
    return v_neg, h_neg


# No drift: chains that start at exact draws stay at p(v).


def gibbs(rbm, v, rng):
    return rbm.gibbs(v, rng, steps=3)


def cd(rbm, v, rng):
    return negative(rbm, CD(k=3, sample_visible=True), v, rng)[0]


each_sampler = pytest.mark.parametrize("sampler", [gibbs, cd])


@on_every_library
@each_sampler
def test_exact_draws_stay_at_the_model_distribution(sampler):
    rbm = tiny()
    exact, rng = Enumerated(rbm), make_rng(0)
    v = exact.draw(N, rng)
    assert exact.largest_z(v) < 4
    moved = sampler(rbm, v, rng)
    assert (moved != v).any(axis=1).mean() > 0.2
    assert exact.largest_z(moved) < 4


@on_every_library
@each_sampler
@pytest.mark.parametrize("wrong", ["hidden", "visible"])
def test_a_wrong_sampler_would_be_seen_to_drift(sampler, wrong):
    rbm = tiny(**{wrong: Tempered()})
    exact, rng = Enumerated(rbm), make_rng(0)
    assert exact.largest_z(sampler(rbm, exact.draw(N, rng), rng)) > 8


def gaussian_draws(rbm, n, rng):
    """Exact draws of the visible units of a Gaussian-Bernoulli machine, and moments."""
    h = binary_states(rbm.c.shape[0])
    means = rbm.b + h @ rbm.W.T
    p = np.exp(h @ rbm.c + 0.5 * (means**2).sum(axis=1))
    p /= p.sum()
    v = means[rng.choice(len(h), size=n, p=p)] + rng.standard_normal((n, len(rbm.b)))
    second = np.eye(len(rbm.b)) + (means.T * p) @ means
    return v, p @ means, second


def largest_moment_z(v, mean, second):
    """Largest deviation of the first and second moments, in standard errors."""
    products = (v[:, :, None] * v[:, None, :]).reshape(len(v), -1)
    return max(largest_mean_z(v, mean), largest_mean_z(products, second.ravel()))


@on_every_library
@each_sampler
def test_exact_draws_stay_at_the_model_distribution_with_gaussian_units(sampler):
    rbm, rng = tiny(visible="gaussian", sizes=(2, 2)), make_rng(0)
    v, mean, second = gaussian_draws(rbm, N, rng)
    assert largest_moment_z(v, mean, second) < 4
    assert largest_moment_z(sampler(rbm, v, rng), mean, second) < 4


@each_sampler
def test_a_wrong_sampler_would_be_seen_to_drift_with_gaussian_units(sampler):
    rbm, rng = tiny(Tempered(), "gaussian", sizes=(2, 2)), make_rng(0)
    v, mean, second = gaussian_draws(rbm, N, rng)
    assert largest_moment_z(sampler(rbm, v, rng), mean, second) > 8


# The expected direction of CD-k.


def expected_cd_gradient(rbm, X, k):
    """By brute force: k exact Gibbs steps of the distribution of the rows `X`."""
    exact = Enumerated(rbm)
    hidden_means = exact.hidden_given_visible @ exact.h
    start = np.bincount(exact.index(X), minlength=len(exact.v)) / len(X)
    step = exact.hidden_given_visible @ exact.visible_given_hidden
    end = start @ np.linalg.matrix_power(step, k)
    out = rbm.params.zeros_like()
    change = end - start
    out["W"][...] = (exact.v.T * change) @ hidden_means
    out["b"][...] = change @ exact.v
    out["c"][...] = change @ hidden_means
    return out.flat, end


X_TRAIN = binary_states(3)[[1, 1, 4, 6, 7]]


@on_every_library
@pytest.mark.parametrize("k", [1, 3])
def test_gradient_of_enumerated_cd_is_the_brute_force_direction(k):
    rbm, v = tiny(), binary_states(3)
    expected, end = expected_cd_gradient(rbm, X_TRAIN, k)
    out, h = rbm.params.zeros_like(), rbm.mean_hidden
    rbm.gradient(X_TRAIN, h(X_TRAIN), v, h(v), out, weight_neg=end)
    assert_allclose(out.flat, expected, rtol=1e-10, atol=1e-12)


@on_every_library
@pytest.mark.parametrize("k", [1, 3])
def test_mean_of_cd_gradients_is_the_brute_force_direction(k):
    rbm, rng = tiny(), make_rng(0)
    out, draws = rbm.params.zeros_like(), []
    rows = np.tile(X_TRAIN, (50, 1))
    for _ in range(300):
        v_neg, h_neg = negative(rbm, CD(k=k, sample_visible=True), rows, rng)
        rbm.gradient(rows, rbm.mean_hidden(rows), v_neg, h_neg, out)
        draws.append(out.flat.copy())
    expected, _ = expected_cd_gradient(rbm, X_TRAIN, k)
    assert largest_mean_z(np.array(draws), expected) < 4
    # The test can tell CD-1 from CD-3.
    other, _ = expected_cd_gradient(rbm, X_TRAIN, 4 - k)
    assert largest_mean_z(np.array(draws), other) > 8


# Details of the specification.


def test_reconstructions_are_means_unless_sampling_is_asked_for():
    rbm, rng = tiny(), make_rng(0)
    h = (rng.random((5, 2)) < rbm.mean_hidden(X_TRAIN)).astype(float)
    v_neg, h_neg = negative(rbm, CD(), X_TRAIN, make_rng(0))
    assert_allclose(v_neg, rbm.mean_visible(h), rtol=1e-14)
    assert_allclose(h_neg, rbm.mean_hidden(v_neg), rtol=1e-14)
    v_neg, h_neg = negative(rbm, CD(sample_visible=True), X_TRAIN, make_rng(0))
    assert_array_equal(v_neg, (rng.random((5, 3)) < rbm.mean_visible(h)).astype(float))
    assert_allclose(h_neg, rbm.mean_hidden(v_neg), rtol=1e-14)


@pytest.mark.parametrize("sample_visible", [False, True])
def test_float32_is_kept(sample_visible):
    rbm = RBM(3, 2, dtype=np.float32).initialize(make_rng(0))
    sampler, v = CD(k=2, sample_visible=sample_visible), np.ones((2, 3), np.float32)
    assert {a.dtype for a in negative(rbm, sampler, v, make_rng(0))} == {v.dtype}


@pytest.mark.parametrize("sample_visible", [False, True])
def test_sparse_rows_give_the_negative_phase_of_dense_ones(sample_visible):
    rbm, sampler = tiny(), CD(k=2, sample_visible=sample_visible)
    expected = negative(rbm, sampler, X_TRAIN, make_rng(0))
    result = negative(rbm, sampler, csr_array(X_TRAIN), make_rng(0))
    for sparse, reference in zip(result, expected, strict=True):
        assert isinstance(sparse, np.ndarray)
        assert_allclose(sparse, reference, rtol=1e-12)


@pytest.mark.parametrize("k", [0, -1, 1.5, "1", None])
def test_k_must_be_a_positive_integer(k):
    with pytest.raises(ValueError) as error:
        get_sampler(CD(k=k))
    assert str(error.value).startswith("CD: k must be an integer")
    assert str(error.value).endswith(f"in [1, inf); it is {k!r}.")


@pytest.mark.parametrize("k", [1, np.int64(5)])
def test_start_has_no_state(k):
    assert CD(k=k).start(tiny(), X_TRAIN, make_rng(0)) == {"epoch": 0}
