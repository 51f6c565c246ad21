"""Tiny machines against enumeration and numerical integration."""

import numpy as np
import pytest
import scipy.integrate
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.neural_network import BernoulliRBM

from dbn import RBM, ScaledRows
from dbn.backend.array import sigmoid
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, pseudo_log_likelihood
from tests.helpers import (
    Enumerated,
    binary_states,
    largest_mean_z,
    numerical_gradient,
    randomize,
    read_only,
)

TYPES = ["bernoulli", "gaussian"]
ANYWHERE = ["RBM"]
on_every_library = pytest.mark.usefixtures("anywhere")


def tiny(visible="bernoulli", hidden="bernoulli", sizes=(3, 2), scale=0.8):
    rbm = RBM(*sizes, visible=visible, hidden=hidden)
    randomize(rbm.params, seed=1, scale=scale)
    return rbm


@on_every_library
def test_energy_is_the_formula_for_every_pair_of_states():
    rbm = tiny()
    for v in binary_states(3):
        for h in binary_states(2):
            expected = -v @ rbm.b - h @ rbm.c - v @ rbm.W @ h
            assert_allclose(rbm.energy(v[None], h[None]), [expected], rtol=1e-13)


@pytest.mark.parametrize("visible", TYPES)
@pytest.mark.parametrize("hidden", TYPES)
def test_energy_adds_half_the_square_of_gaussian_units(visible, hidden):
    v, h = np.array([[0.5, -1.0, 2.0]]), np.array([[0.3, -0.2]])
    plain, rbm = tiny(), tiny(visible, hidden)
    extra = (visible == "gaussian") * (v**2).sum() / 2
    extra += (hidden == "gaussian") * (h**2).sum() / 2
    assert_allclose(rbm.energy(v, h), plain.energy(v, h) + extra, rtol=1e-13)


@on_every_library
@pytest.mark.parametrize("visible", TYPES)
def test_free_energy_sums_out_bernoulli_hidden_units(visible):
    rbm, h = tiny(visible), binary_states(2)
    v = binary_states(3) if visible == "bernoulli" else np.eye(3) - 0.4
    energies = [rbm.energy(np.tile(row, (4, 1)), h) for row in v]
    assert_allclose(
        rbm.free_energy(v), -logsumexp(-np.array(energies), axis=1), rtol=1e-12
    )


@on_every_library
def test_free_energy_integrates_out_gaussian_hidden_units():
    rbm = tiny(hidden="gaussian", sizes=(3, 1))
    for v in binary_states(3):

        def boltzmann(h, v=v):
            return np.exp(-rbm.energy(v[None], np.array([[h]]))).item()

        total, _ = scipy.integrate.quad(boltzmann, -15.0, 15.0)
        assert_allclose(rbm.free_energy(v[None]), -np.log(total), rtol=1e-8)


@on_every_library
def test_conditionals_are_those_of_the_joint_distribution():
    rbm = tiny()
    exact = Enumerated(rbm)
    hidden = exact.hidden_given_visible @ exact.h
    visible = exact.visible_given_hidden @ exact.v
    assert_allclose(rbm.mean_hidden(exact.v), hidden, rtol=1e-12)
    assert_allclose(rbm.mean_visible(exact.h), visible, rtol=1e-12)


@on_every_library
def test_free_energy_is_minus_log_p_up_to_log_z():
    rbm = tiny()
    exact = Enumerated(rbm)
    log_z = -rbm.free_energy(exact.v) - exact.log_v
    assert_allclose(log_z, log_z[0], rtol=1e-12)


@on_every_library
@pytest.mark.parametrize("h", [0.0, 1.0])
def test_gaussian_visible_conditional_is_the_normalised_joint(h):
    rbm = tiny("gaussian", sizes=(1, 1))

    def moment(power):
        def integrand(v):
            energy = rbm.energy(np.array([[v]]), np.array([[h]]))
            return v**power * np.exp(-energy).item()

        return scipy.integrate.quad(integrand, -15.0, 15.0)[0]

    mean = moment(1) / moment(0)
    assert_allclose(rbm.mean_visible(np.array([[h]])), [[mean]], rtol=1e-7)
    variance = moment(2) / moment(0) - mean**2
    assert_allclose(variance, 1.0, rtol=1e-7)


@on_every_library
@pytest.mark.parametrize("hidden", TYPES)
@pytest.mark.parametrize("visible", TYPES)
def test_samples_have_the_conditional_means(visible, hidden):
    rbm, rng, n = tiny(visible, hidden), make_rng(0), 20_000
    v, h = np.array([[1.0, 0.0, 1.0]]), np.array([[0.0, 1.0]])
    draws = rbm.sample_hidden(np.repeat(v, n, axis=0), rng)
    assert largest_mean_z(draws, rbm.mean_hidden(v)) < 4
    draws = rbm.sample_visible(np.repeat(h, n, axis=0), rng)
    assert largest_mean_z(draws, rbm.mean_visible(h)) < 4


# The gradient, with exact expectations in the negative phase.


def exact_gradient(rbm, X, states, weights, sample_weight=None):
    """`RBM.gradient` with all states of the visible units as the negative phase."""
    out = rbm.params.zeros_like()
    h_pos, h_neg = rbm.mean_hidden(X), rbm.mean_hidden(states)
    rbm.gradient(X, h_pos, states, h_neg, out, sample_weight, weights)
    return out.flat


@on_every_library
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_is_that_of_the_true_likelihood(weighted):
    rbm = tiny(sizes=(4, 3))
    X = binary_states(4)[[1, 6, 6, 11, 14]]
    weight = np.array([1.0, 0.5, 2.0, 3.0, 0.1]) if weighted else None

    def mean_nll():
        return -np.average(Enumerated(rbm).log_likelihood(X), weights=weight)

    exact = Enumerated(rbm)
    gradient = exact_gradient(rbm, X, exact.v, np.exp(exact.log_v), weight)
    expected = numerical_gradient(mean_nll, rbm.params.flat, step=1e-5)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-9)


@on_every_library
def test_gradient_is_that_of_the_true_likelihood_with_gaussian_visible_units():
    rbm = tiny("gaussian", sizes=(1, 2))
    X, h = np.array([[-0.7], [0.2], [1.9]]), binary_states(2)

    def mean_nll():
        # Each hidden state contributes a Gaussian with mean b + W h.
        mean = rbm.b + h @ rbm.W.T
        log_h = h @ rbm.c + 0.5 * (mean**2).sum(axis=1)
        log_z = logsumexp(log_h) + 0.5 * np.log(2.0 * np.pi)
        energy = 0.5 * X**2 - rbm.b * X - h @ rbm.c - X @ rbm.W @ h.T
        return np.mean(-logsumexp(-energy, axis=1) + log_z)

    grid = np.linspace(-12.0, 12.0, 1201)[:, None]
    p = np.exp(-rbm.free_energy(grid))  # the trapezoidal rule, exact to rounding here
    expected = numerical_gradient(mean_nll, rbm.params.flat, step=1e-5)
    assert_allclose(exact_gradient(rbm, X, grid, p), expected, rtol=1e-6, atol=1e-9)


@on_every_library
def test_gradient_is_that_of_the_true_likelihood_with_gaussian_hidden_units():
    rbm = tiny(hidden="gaussian", sizes=(3, 2), scale=0.5)
    v = binary_states(3)
    X = v[[0, 3, 3, 6]]

    def log_p(rows):
        return rows @ rbm.b + 0.5 * ((rbm.c + rows @ rbm.W) ** 2).sum(axis=1)

    def mean_nll():
        return logsumexp(log_p(v)) - np.mean(log_p(X))

    expected = numerical_gradient(mean_nll, rbm.params.flat, step=1e-5)
    gradient = exact_gradient(rbm, X, v, np.exp(log_p(v)))
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-9)


def phases(rng, n_pos=5, n_neg=4):
    """Random rows of both phases for a machine of 3 by 2 units."""
    return [rng.random((n, m)) for n, m in ((n_pos, 3), (n_pos, 2))] + [
        rng.random((n, m)) for n, m in ((n_neg, 3), (n_neg, 2))
    ]


def gradient_of(rows, weight_pos=None, weight_neg=None):
    rbm = tiny()
    out = rbm.params.zeros_like()
    rbm.gradient(*rows, out, weight_pos, weight_neg)
    return out.flat


@on_every_library
def test_integer_weights_count_repeated_rows():
    v_pos, h_pos, v_neg, h_neg = phases(np.random.default_rng(0))
    w_pos, w_neg = [1, 0, 3, 2, 1], [2, 1, 0, 4]
    repeated = [np.repeat(rows, w_pos, axis=0) for rows in (v_pos, h_pos)]
    repeated += [np.repeat(rows, w_neg, axis=0) for rows in (v_neg, h_neg)]
    weights = np.array(w_pos, dtype=float), np.array(w_neg, dtype=float)
    weighted = gradient_of([v_pos, h_pos, v_neg, h_neg], *weights)
    assert_allclose(weighted, gradient_of(repeated), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("factor", [1.0, 0.25, 100.0])
def test_constant_weights_change_nothing(factor):
    rows = phases(np.random.default_rng(0))
    weights = np.full(5, factor), np.full(4, factor)
    assert_allclose(gradient_of(rows, *weights), gradient_of(rows), rtol=1e-12)


@on_every_library
@pytest.mark.parametrize("times", [(3, 1), (1, 3)], ids=["positive", "negative"])
def test_each_phase_is_divided_by_its_own_rows(times):
    """A batch may be short, and there may be more or fewer chains than rows."""
    rows = phases(np.random.default_rng(0))
    repeats = [times[0], times[0], times[1], times[1]]
    more = [np.tile(r, (n, 1)) for r, n in zip(rows, repeats, strict=True)]
    assert_allclose(gradient_of(more), gradient_of(rows), rtol=1e-12)


def test_gradient_overwrites_what_the_buffer_held():
    rbm, rows = tiny(), phases(np.random.default_rng(0))
    out = rbm.params.zeros_like()
    out.flat[...] = 99.0
    rbm.gradient(*rows, out)
    assert_allclose(out.flat, gradient_of(rows), rtol=1e-14)


# Reference: scikit-learn's machine with the same weights.


@on_every_library
def test_agrees_with_sklearn_on_conditionals_and_free_energy():
    rbm, v = tiny(sizes=(5, 3)), binary_states(5)
    reference = BernoulliRBM(3, n_iter=1).fit(v)
    reference.components_ = rbm.W.T
    reference.intercept_hidden_ = rbm.c
    reference.intercept_visible_ = rbm.b
    assert_allclose(rbm.mean_hidden(v), reference.transform(v), rtol=1e-12)
    assert_allclose(rbm.free_energy(v), reference._free_energy(v), rtol=1e-12)


# Starting point, types and shapes.


def test_initialize_starts_visible_biases_at_the_data():
    mean = np.array([0.0, 0.2, 1.0])
    rbm = RBM(3, 2).initialize(make_rng(0), mean)
    assert_array_equal(rbm.b, Bernoulli().input_for_mean(mean))
    assert_array_equal(rbm.c, [0.0, 0.0])


def test_initialize_draws_weights_of_the_given_scale():
    rbm = RBM(100, 90).initialize(make_rng(0), scale=0.3)
    weights = rbm.W.reshape(-1, 1)
    assert largest_mean_z(weights, 0.0) < 4
    assert largest_mean_z(weights**2, 0.09) < 4
    assert_array_equal(rbm.b, np.zeros(100))


def test_initialize_forgets_the_previous_parameters():
    fresh, used = RBM(3, 2).initialize(make_rng(0)), tiny().initialize(make_rng(0))
    assert_array_equal(used.params.flat, fresh.params.flat)


def test_initialize_means_the_same_start_in_both_precisions():
    double, single = (RBM(3, 2, dtype=dtype) for dtype in (np.float64, np.float32))
    double.initialize(make_rng(0))
    single.initialize(make_rng(0))
    assert_array_equal(single.W, double.W.astype(np.float32))


@pytest.mark.parametrize("hidden", TYPES)
@pytest.mark.parametrize("visible", TYPES)
def test_float32_and_read_only_input_are_kept(visible, hidden):
    rbm = RBM(3, 2, visible=visible, hidden=hidden, dtype=np.float32)
    rbm.initialize(make_rng(0))
    rbm.params.flat.flags.writeable = False  # as in a model read from a memory map
    v, h = read_only(np.ones((4, 3), np.float32), np.ones((4, 2), np.float32))
    rng = make_rng(0)
    results = [
        rbm.mean_hidden(v),
        rbm.mean_visible(h),
        rbm.sample_hidden(v, rng),
        rbm.sample_visible(h, rng),
        rbm.gibbs(v, rng, steps=2),
        rbm.energy(v, h),
        rbm.free_energy(v),
    ]
    assert [r.dtype for r in results] == [np.float32] * 7
    out = rbm.params.zeros_like()
    rbm.gradient(v, h, v, h, out)
    assert out.flat.dtype == np.float32


def test_gibbs_alternates_the_two_layers():
    rbm, v = tiny(), binary_states(3)
    rng = make_rng(0)
    expected = v
    for _ in range(2):
        h = (rng.random((8, 2)) < sigmoid(expected @ rbm.W + rbm.c)).astype(float)
        expected = (rng.random((8, 3)) < sigmoid(h @ rbm.W.T + rbm.b)).astype(float)
    assert_array_equal(rbm.gibbs(v, make_rng(0), steps=2), expected)
    assert_array_equal(rbm.gibbs(v, make_rng(0), steps=0), v)


def test_repr_shows_sizes_and_units():
    shown = "RBM(3, 2, visible=Gaussian(), hidden=Bernoulli())"
    assert repr(tiny("gaussian")) == shown


def test_machines_are_compared_by_what_they_are_built_as():
    built = RBM(3, 2, visible="gaussian", hidden="relu").architecture
    assert RBM(**built, dtype="f4").architecture == built
    for other in (RBM(2, 3, visible="gaussian", hidden="relu"), RBM(3, 2)):
        assert other.architecture != built


def test_unknown_units_are_refused():
    with pytest.raises(ValueError, match="units='binary' is not known"):
        RBM(3, 2, visible="binary")


def test_what_a_masked_array_hides_is_not_known():
    rbm = RBM(3, 2).initialize(np.random.default_rng(0), scale=1.0)
    rows = np.ma.masked_array(np.eye(3), mask=np.eye(3)[[1]] * [[1], [0], [0]])
    whole, hidden = rbm.free_energy(np.eye(3)), rbm.free_energy(rows)
    np.testing.assert_array_equal(hidden, [np.nan, *whole[1:]])
    np.testing.assert_array_equal(
        rbm.mean_hidden(rows[1:]), rbm.mean_hidden(np.eye(3)[1:])
    )
    with pytest.raises(ValueError, match="v has NaN"):
        pseudo_log_likelihood(rbm, rows)


def test_rows_that_are_read_when_needed_are_refused_with_a_reason():
    rows = ScaledRows(np.eye(3))
    for function in (RBM(3, 2).free_energy, RBM(3, 2).mean_hidden):
        with pytest.raises(TypeError, match="ScaledRows are read where"):
            function(rows)
