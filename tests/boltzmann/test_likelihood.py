"""Log Z of tiny machines of every pair of units against sums and quadrature."""

import itertools
import math

import array_api_strict
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import logsumexp

from dbn import RBM, DBNTransformer, RBMTransformer
from dbn.backend.parameters import Parameters
from dbn.backend.random import make_rng
from dbn.boltzmann import (
    Bernoulli,
    Gaussian,
    ReLU,
    Softmax,
    Spin,
    ais,
    exact_log_z,
    pseudo_log_likelihood,
    reverse_ais,
)
from dbn.boltzmann.enumeration import sample_exact
from tests.boltzmann.types import DISCRETE, LEARNED, UNIFORM
from tests.helpers import (
    Enumerated,
    binary_states,
    largest_mean_z,
    numerical_gradient,
    randomize,
    read_only,
)

VISIBLE = [unit for unit in UNIFORM if unit != Softmax(2)]
HIDDEN = [unit for unit in VISIBLE if unit != LEARNED]
SIZES = {Bernoulli: 3, Gaussian: 2, ReLU: 2, Softmax: 6, Spin: 3}


ANYWHERE = ["RBM", "exact_log_z", "ais", "reverse_ais", "pseudo_log_likelihood"]
ANYWHERE += ["sample_exact"]
on_every_library = pytest.mark.usefixtures("anywhere")


def machine(visible=None, hidden=None, sizes=None, scale=0.4, seed=1):
    visible, hidden = visible or Bernoulli(), hidden or Bernoulli()
    sizes = sizes or (SIZES[type(visible)], SIZES[type(hidden)])
    rbm = RBM(*sizes, visible=visible, hidden=hidden)
    randomize(rbm.params, seed=seed, scale=scale)
    return rbm


def ids(pair):
    return f"{pair[0]!r}-{pair[1]!r}"


def is_exact(pair):
    """Whether there is an exact result for such machines."""
    discrete = any(isinstance(units, (Bernoulli, Softmax, Spin)) for units in pair)
    return discrete or all(isinstance(units, Gaussian) for units in pair)


PAIRS = list(itertools.product(VISIBLE, HIDDEN))
EXACT = [pair for pair in PAIRS if is_exact(pair)]
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=ids)
each_exact_pair = pytest.mark.parametrize("pair", EXACT, ids=ids)


# Brute force: all states of a discrete layer, a quadrature of a continuous one.


def nodes(units):
    """Values of one unit, or group, as rows, and the logarithms of their weights."""
    if isinstance(units, Bernoulli):
        return np.array([[0.0], [1.0]]), np.zeros(2)
    if isinstance(units, Spin):
        return np.array([[-1.0], [1.0]]), np.zeros(2)
    if isinstance(units, Softmax):
        return np.eye(units.n_states), np.zeros(units.n_states)
    if isinstance(units, ReLU):
        t, weight = np.polynomial.legendre.leggauss(40)
        return 6.0 * (t[:, None] + 1.0), np.log(6.0 * weight)
    # The trapezoidal rule, exact to rounding for functions like these.
    return np.linspace(-13.0, 13.0, 53)[:, None], np.full(53, math.log(0.5))


def layer(units, n, log_variance=0.0):
    """All states or nodes of a layer, and their log weights with the base energy."""
    rows, log_weight = nodes(units)
    n_units = n // rows.shape[1]
    combinations = np.array(list(itertools.product(range(len(rows)), repeat=n_units)))
    u = rows[combinations].reshape(len(combinations), n)
    log_weight = log_weight[combinations].sum(axis=1)
    if isinstance(units, (Gaussian, ReLU)):
        log_weight = log_weight - 0.5 * (u**2 / np.exp(log_variance)).sum(axis=1)
    return u, log_weight


class Brute:
    """`v`, and the joint log weights of all `v` (rows) and `h` (columns)."""

    def __init__(self, rbm):
        extra = np.asarray(rbm.p_visible.get("log_variance", 0.0))
        W, b, c = (np.asarray(rbm.params[name], dtype=float) for name in "Wbc")
        self.v, weight_v = layer(rbm.visible, len(b), extra)
        self.h, weight_h = layer(rbm.hidden, len(c))
        self.log_joint = self.v @ W @ self.h.T
        self.log_joint += (self.v @ b + weight_v)[:, None] + self.h @ c + weight_h
        self.log_v = logsumexp(self.log_joint, axis=1)
        self.log_z = logsumexp(self.log_v)

    @property
    def p_v(self):
        return np.exp(self.log_v - self.log_z)


@on_every_library
@each_exact_pair
def test_exact_log_z_is_that_of_brute_force(pair):
    rbm = machine(*pair)
    assert_allclose(exact_log_z(rbm), Brute(rbm).log_z, rtol=1e-9)


def test_exact_log_z_of_strong_weights():
    rbm = machine(Bernoulli(), Softmax(3), scale=5.0)
    assert_allclose(exact_log_z(rbm), Brute(rbm).log_z, rtol=1e-12)


@pytest.mark.parametrize("sizes", [(3, 5), (5, 3), (4, 4)])
def test_either_layer_can_be_enumerated(sizes):
    rbm = machine(sizes=sizes, scale=1.0)
    exact = Enumerated(rbm)
    log_z = -rbm.free_energy(exact.v) - exact.log_v
    assert_allclose(exact_log_z(rbm), log_z, rtol=1e-12)


@pytest.mark.parametrize("sizes", [(1, 1), (4, 2), (2, 4)])
@pytest.mark.parametrize("learn_variance", [False, True])
def test_gaussian_machines_are_multivariate_normal(sizes, learn_variance):
    rbm = machine(Gaussian(learn_variance), Gaussian(), sizes, scale=0.25)
    n = sum(sizes)
    s2 = np.exp(rbm.p_visible.get("log_variance", np.zeros(sizes[0])))
    precision = np.diag(np.concatenate([1.0 / s2, np.ones(sizes[1])]))
    precision[: sizes[0], sizes[0] :] = -rbm.W
    precision[sizes[0] :, : sizes[0]] = -rbm.W.T
    bias = np.concatenate([rbm.b, rbm.c])
    expected = 0.5 * n * math.log(2.0 * math.pi)
    expected += 0.5 * bias @ np.linalg.solve(precision, bias)
    expected -= 0.5 * np.linalg.slogdet(precision)[1]
    assert_allclose(exact_log_z(rbm), expected, rtol=1e-12)


@pytest.mark.parametrize("block_size", [1, 3, 7, 8, 100])
@pytest.mark.parametrize("pair", [EXACT[0], (Softmax(3), ReLU())], ids=ids)
def test_blocks_change_nothing(pair, block_size):
    rbm = machine(*pair)
    assert_allclose(exact_log_z(rbm, block_size=block_size), exact_log_z(rbm))


def test_exact_log_z_is_computed_in_double_precision():
    double = machine(sizes=(12, 10), scale=1.0)
    single = RBM(12, 10, dtype=np.float32)
    single.params.flat[...] = double.params.flat
    double.params.flat[...] = single.params.flat
    assert isinstance(exact_log_z(single), float)
    assert exact_log_z(single) == exact_log_z(double)
    assert single.W.dtype == np.float32


# Refusals.


def test_continuous_layers_without_a_closed_form_are_refused():
    with pytest.raises(ValueError) as error:
        exact_log_z(RBM(3, 2, visible="gaussian", hidden="relu"))
    assert str(error.value) == (
        "exact_log_z needs units whose states can be listed (Bernoulli, Softmax) on "
        "one side, or Gaussian units on both; the machine is RBM(3, 2, "
        "visible=Gaussian(), hidden=ReLU()). Use ais."
    )


@pytest.mark.parametrize("sizes", [(21, 30), (2000, 21)])
def test_large_machines_are_refused_with_their_size(sizes):
    with pytest.raises(ValueError, match=r"max_states=1048576 .* has 2\^21\.0\. Use"):
        exact_log_z(RBM(*sizes))


def test_the_limit_counts_states_of_the_smaller_layer():
    rbm = RBM(9, 2, visible=Softmax(3), hidden="gaussian")
    assert_allclose(exact_log_z(rbm, max_states=27), math.log(27 * 2 * math.pi))
    with pytest.raises(ValueError, match="smaller layer, visible"):
        exact_log_z(rbm, max_states=26)


def test_both_layers_of_thousands_are_refused_at_once():
    with pytest.raises(ValueError, match=r"has 2\^2000\.0"):
        exact_log_z(RBM(3000, 2000))


def test_noisy_rectified_units_have_no_likelihood():
    noisy = ReLU(noisy=True)
    machines = [RBM(3, 2, hidden=noisy), RBM(3, 2, visible=noisy)]
    for rbm, function in itertools.product(machines, [exact_log_z, ais, reverse_ais]):
        with pytest.raises(ValueError, match=r"no law. Use ReLU\(\)"):
            function(rbm)
    with pytest.raises(ValueError, match=r"no law. Use ReLU\(\)"):
        pseudo_log_likelihood(machines[0], np.zeros((1, 3)))


@pytest.mark.parametrize("function", [exact_log_z, ais, reverse_ais])
def test_improper_machines_are_refused(function):
    rbm = RBM(2, 2, visible="gaussian", hidden="gaussian")
    rbm.W[...] = np.diag([0.5, 1.5])
    with pytest.raises(ValueError, match=r"below 1; it is 1\.5"):
        function(rbm)


# Exact draws.


@on_every_library
@pytest.mark.parametrize("sizes", [(3, 5), (4, 2)], ids=["visible", "hidden"])
def test_exact_draws_have_their_probabilities(sizes):
    rbm = machine(sizes=sizes, scale=1.0)
    assert Enumerated(rbm).largest_z(sample_exact(rbm, 50_000, make_rng(0))) < 4


@on_every_library
@each_exact_pair
def test_exact_draws_have_the_moments_of_the_model(pair):
    rbm = machine(*pair)
    brute, v = Brute(rbm), sample_exact(rbm, 40_000, make_rng(1))
    n = v.shape[1]
    products = (v[:, :, None] * v[:, None, :]).reshape(len(v), -1)
    second = (brute.v.T * brute.p_v) @ brute.v
    # Columns of one group exclude each other, and squares of spins are 1: no error.
    moving = products.std(axis=0) > 0.0
    assert largest_mean_z(v, brute.p_v @ brute.v) < 4
    assert largest_mean_z(products[:, moving], second.ravel()[moving]) < 4
    assert_allclose(second.ravel()[~moving], products[0, ~moving], atol=1e-12)
    assert v.shape == (40_000, n)


def test_exact_draws_of_a_gaussian_machine_of_strong_weights():
    rbm = machine(Gaussian(learn_variance=True), Gaussian(), (3, 3))
    s = np.exp(0.5 * rbm.p_visible["log_variance"])
    rbm.W[...] *= 0.9 / np.linalg.norm(s[:, None] * rbm.W, 2)
    covariance = np.linalg.inv(np.diag(s**-2) - rbm.W @ rbm.W.T)
    mean = covariance @ (rbm.b + rbm.W @ rbm.c)
    v = sample_exact(rbm, 40_000, make_rng(0))
    products = ((v - mean)[:, :, None] * (v - mean)[:, None, :]).reshape(len(v), -1)
    assert largest_mean_z(v, mean) < 4
    assert largest_mean_z(products, covariance.ravel()) < 4


@pytest.mark.parametrize("pair", [EXACT[0], (Gaussian(), Gaussian())], ids=ids)
def test_exact_draws_keep_single_precision(pair):
    sizes = SIZES[type(pair[0])], SIZES[type(pair[1])]
    rbm = RBM(*sizes, visible=pair[0], hidden=pair[1], dtype=np.float32)
    assert sample_exact(rbm, 5, make_rng(0)).dtype == np.float32


# Annealed importance sampling.


def assert_weights_have_mean(log_w, log_z):
    """The mean of exp(log_w - log_z) is 1 within Monte-Carlo error."""
    assert largest_mean_z(np.exp(log_w - log_z)[:, None], 1.0) < 4


@on_every_library
@each_pair
def test_weights_have_mean_z_however_short_the_path(pair):
    rbm = machine(*pair)
    log_z = Brute(rbm).log_z
    estimate = ais(rbm, n_betas=6, n_chains=20_000, random_state=0)
    assert_weights_have_mean(estimate.log_weights, log_z)
    assert abs(estimate.log_z - log_z) < 4 * estimate.standard_error
    assert estimate.exact_start


@on_every_library
@each_pair
def test_reverse_weights_have_reciprocal_mean_z_however_short_the_path(pair):
    rbm = machine(*pair)
    log_z = Brute(rbm).log_z
    # Small machines mix within the burn-in, so inexact starts are as good here.
    settings = {"n_betas": 6, "n_chains": 20_000, "burn_in": 50, "random_state": 0}
    estimate = reverse_ais(rbm, **settings)
    assert_weights_have_mean(-estimate.log_weights, -log_z)
    assert abs(estimate.log_z - log_z) < 4 * estimate.standard_error
    assert estimate.exact_start == is_exact(pair)


@on_every_library
@each_pair
def test_mean_log_weights_bracket_log_z(pair):
    rbm = machine(*pair)
    log_z = Brute(rbm).log_z
    settings = {"n_betas": 100, "n_chains": 200, "burn_in": 50, "random_state": 0}
    lower = ais(rbm, n_betas=100, n_chains=200, random_state=0)
    upper = reverse_ais(rbm, **settings)
    error = [e.log_weights.std() / math.sqrt(200) for e in (lower, upper)]
    assert lower.log_weights.mean() < log_z + 3 * error[0]
    assert upper.log_weights.mean() > log_z - 3 * error[1]
    assert abs(lower.log_z - log_z) < 4 * lower.standard_error
    assert abs(upper.log_z - log_z) < 4 * upper.standard_error


@pytest.mark.parametrize(("function", "sign"), [(ais, -1), (reverse_ais, 1)])
def test_the_bracket_is_strict_on_a_short_path(function, sign):
    rbm = machine(sizes=(6, 5), scale=1.5)
    log_w = function(rbm, n_betas=5, n_chains=2000, random_state=0).log_weights
    assert sign * (log_w.mean() - exact_log_z(rbm)) > 8 * log_w.std() / math.sqrt(2000)


def test_the_bracket_closes_as_the_path_grows():
    rbm = machine(sizes=(6, 5), scale=1.5)
    gaps = []
    for n_betas in (10, 100, 1000):
        low, high = (
            f(rbm, n_betas=n_betas, random_state=0) for f in (ais, reverse_ais)
        )
        gaps.append(high.log_weights.mean() - low.log_weights.mean())
    assert gaps[0] > 3 * gaps[1] > 9 * gaps[2]


@pytest.mark.parametrize("function", [ais, reverse_ais])
def test_the_standard_error_is_the_spread_of_estimates(function):
    rbm = machine(sizes=(5, 4), scale=1.0)
    runs = [function(rbm, n_betas=10, random_state=seed) for seed in range(300)]
    spread = np.std([run.log_z for run in runs], ddof=1)
    claimed = np.sqrt(np.mean([run.standard_error**2 for run in runs]))
    assert_allclose(claimed, spread, rtol=0.15)


@pytest.mark.parametrize(("function", "sign"), [(ais, 1), (reverse_ais, -1)])
def test_the_summary_is_that_of_the_weights(function, sign):
    estimate = function(machine(scale=1.0), n_betas=5, n_chains=50, random_state=0)
    w = np.exp(sign * estimate.log_weights)
    assert estimate.log_weights.shape == (50,)
    assert_allclose(sign * estimate.log_z, math.log(w.mean()), rtol=1e-12)
    assert_allclose(estimate.ess, w.sum() ** 2 / (w**2).sum(), rtol=1e-12)
    error = w.std(ddof=1) / w.mean() / math.sqrt(50)
    assert_allclose(estimate.standard_error, error, rtol=1e-10)
    assert 1.0 <= estimate.ess <= 50.0


@pytest.mark.parametrize("function", [ais, reverse_ais])
def test_a_machine_without_weights_is_estimated_without_error(function):
    rbm = RBM(3, 2)
    rbm.b[...] = [1.0, -2.0, 0.5]
    estimate = function(rbm, n_betas=5, n_chains=10)
    assert_allclose(estimate.log_z, exact_log_z(rbm), rtol=1e-12)
    assert estimate.standard_error < 1e-12
    assert_allclose(estimate.ess, 10.0)


@pytest.mark.parametrize("function", [ais, reverse_ais])
def test_a_seed_gives_one_result(function):
    rbm = machine()

    def log_weights(random_state):
        return function(
            rbm, n_betas=5, n_chains=8, random_state=random_state
        ).log_weights

    assert_array_equal(log_weights(3), log_weights(3))
    assert_array_equal(log_weights(3), log_weights(np.random.RandomState(3)))
    assert not np.array_equal(log_weights(3), log_weights(4))


@pytest.mark.parametrize("function", [ais, reverse_ais])
def test_base_biases_change_the_path_and_not_the_result(function):
    rbm = machine(sizes=(6, 5), scale=1.0)
    log_z, brute = exact_log_z(rbm), Brute(rbm)
    matched = rbm.visible.input_for_mean(brute.p_v @ brute.v)
    spreads = []
    for base_bias in (matched, -4.0 * matched):
        estimate = function(
            rbm, n_betas=30, n_chains=2000, base_bias=base_bias, random_state=0
        )
        assert abs(estimate.log_z - log_z) < 4 * estimate.standard_error
        spreads.append(estimate.log_weights.std())
    assert spreads[0] < 0.5 * spreads[1]


@pytest.mark.parametrize(
    "base_bias", [np.zeros(4), np.zeros((1, 3)), 0.0], ids=np.shape
)
def test_base_biases_of_another_shape_are_refused(base_bias):
    with pytest.raises(ValueError) as error:
        ais(machine(), base_bias=base_bias)
    assert str(error.value) == (
        "base_bias must have shape (3,), one number for each visible unit; its shape "
        f"is {np.shape(base_bias)}."
    )


def test_temperatures_can_be_given():
    rbm = machine()
    number = ais(rbm, n_betas=5, random_state=0)
    for betas in ([0, 0.25, 0.5, 0.75, 1], np.linspace(0.0, 1.0, 5)):
        given = ais(rbm, n_betas=betas, random_state=0)
        assert_array_equal(given.log_weights, number.log_weights)
    assert np.ptp(ais(rbm, n_betas=np.int64(2), n_chains=9).log_weights) > 0.0


@pytest.mark.parametrize("function", [ais, reverse_ais])
@pytest.mark.parametrize(
    "betas",
    [1, 0, -5, 2.5, "many", None, [], [0], [0, 0.6, 0.4, 1], [0, 0.5, 0.5, 1]]
    + [[-0.1, 0.5, 1], [0, 0.5], [0.1, 1], [0, 1, 2], [0, np.nan, 1], [[0, 1]]],
    ids=str,
)
def test_wrong_temperatures_are_refused(function, betas):
    with pytest.raises(ValueError) as error:
        function(machine(), n_betas=betas)
    assert str(error.value) == (
        "n_betas must be an integer of at least 2, or strictly increasing numbers from "
        f"0 to 1, both included, as in np.linspace(0, 1, 1000); it is {betas!r}."
    )


@pytest.mark.parametrize("n_chains", [1, 0, -3, 2.0, None])
@pytest.mark.parametrize("function", [ais, reverse_ais])
def test_a_wrong_number_of_chains_is_refused(function, n_chains):
    with pytest.raises(ValueError) as error:
        function(machine(), n_chains=n_chains)
    assert str(error.value) == (
        f"n_chains must be an integer of at least 2; it is {n_chains}."
    )


@pytest.mark.parametrize("burn_in", [-1, 1.5, None])
def test_a_wrong_burn_in_is_refused(burn_in):
    with pytest.raises(ValueError, match=f"burn_in .* at least 0; it is {burn_in}"):
        reverse_ais(machine(), burn_in=burn_in)


def test_reverse_annealing_without_exact_draws_says_so():
    rbm = machine(sizes=(4, 3), scale=1.0)
    settings = {"n_betas": 50, "n_chains": 500, "random_state": 0}
    estimate = reverse_ais(rbm, burn_in=100, max_states=7, **settings)
    assert not estimate.exact_start
    assert reverse_ais(rbm, max_states=8, **settings).exact_start
    assert abs(estimate.log_z - exact_log_z(rbm)) < 4 * estimate.standard_error


def test_starts_without_burn_in_are_those_of_the_annealing():
    rbm = machine(scale=1.0)
    settings = {"max_states": 0, "n_betas": 5, "random_state": 0}
    runs = [reverse_ais(rbm, burn_in=n, **settings).log_z for n in (0, 1)]
    assert runs[0] != runs[1]


def test_rectified_machines_of_strong_weights_warn():
    rbm = machine(Gaussian(), ReLU(), scale=0.1)
    rbm.W[...] = -1.5  # inhibition: a law exists, but the norm cannot tell
    with pytest.warns(RuntimeWarning, match="below 1"):
        ais(rbm, n_betas=3, n_chains=3)


@pytest.mark.parametrize("function", [ais, reverse_ais])
@pytest.mark.parametrize("pair", PAIRS[::3], ids=ids)
def test_single_precision_agrees_with_double(function, pair):
    double = machine(*pair)
    sizes = double.params.shapes["W"]
    single = RBM(*sizes, visible=pair[0], hidden=pair[1], dtype=np.float32)
    single.params.flat[...] = double.params.flat
    estimate = function(single, n_betas=50, n_chains=1000, random_state=0)
    assert estimate.log_weights.dtype == np.float64
    assert abs(estimate.log_z - Brute(double).log_z) < 4 * estimate.standard_error


def test_single_precision_is_kept_along_the_path():
    seen = set()

    class Watched(Bernoulli):
        def sample(self, x, rng, p=None):
            seen.add(x.dtype)
            return super().sample(x, rng)

    rbm = RBM(3, 2, visible=Watched(), hidden=Watched(), dtype=np.float32)
    ais(rbm, n_betas=np.linspace(0, 1, 4), n_chains=3, base_bias=np.zeros(3))
    reverse_ais(rbm, n_betas=4, n_chains=3)
    assert seen == {np.dtype(np.float32)}


def test_machines_are_read_only_to_their_estimates():
    rbm = machine(Gaussian(learn_variance=True), Bernoulli())
    rbm.params = Parameters(rbm.params.shapes, read_only(rbm.params.flat))
    exact_log_z(rbm)
    ais(rbm, n_betas=3, n_chains=3)
    reverse_ais(rbm, n_betas=3, n_chains=3)


# The gradient of the exact log-likelihood.


@on_every_library
@each_exact_pair
def test_gradient_with_exact_expectations_is_that_of_the_exact_likelihood(pair):
    rbm = machine(*pair)
    brute = Brute(rbm)
    X = brute.v[np.random.default_rng(0).choice(len(brute.v), size=5, p=brute.p_v)]

    def mean_nll():
        return rbm.free_energy(X).mean() + exact_log_z(rbm)

    out, h = rbm.params.zeros_like(), rbm.mean_hidden
    rbm.gradient(X, h(X), brute.v, h(brute.v), out, weight_neg=brute.p_v)
    expected = numerical_gradient(mean_nll, rbm.params.flat, step=1e-5)
    assert_allclose(out.flat, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("hidden", [Bernoulli(), Gaussian(), Softmax(3)], ids=repr)
def test_gradient_with_exact_draws_estimates_that_of_the_exact_likelihood(hidden):
    """Learned variances need draws of the visible units: means would not do."""
    rbm = machine(Gaussian(learn_variance=True), hidden)
    X, rng, h = np.array([[0.3, -1.0], [1.2, 0.4]]), make_rng(0), rbm.mean_hidden
    expected = numerical_gradient(
        lambda: rbm.free_energy(X).mean() + exact_log_z(rbm), rbm.params.flat, 1e-5
    )
    draws = []
    for _ in range(200):
        v, out = sample_exact(rbm, 100, rng), rbm.params.zeros_like()
        rbm.gradient(X, h(X), v, h(v), out)
        draws.append(out.flat)
    assert largest_mean_z(np.array(draws), expected) < 4


# Pseudo-likelihood.


def brute_pseudo_log_likelihood(rbm, v):
    """From the table of log p(v), of which all entries must be states."""
    brute, size = Brute(rbm), rbm.visible.group_size
    total = np.zeros(len(v))
    for i, row in enumerate(v):
        same = (brute.v == row).all(axis=1)
        for j in range(0, v.shape[1], size):
            others = np.delete(np.arange(v.shape[1]), np.arange(j, j + size))
            match = (brute.v[:, others] == row[others]).all(axis=1)
            total[i] += brute.log_v[same].item() - logsumexp(brute.log_v[match])
    return total


@on_every_library
@pytest.mark.parametrize("hidden", HIDDEN, ids=repr)
@pytest.mark.parametrize("visible", DISCRETE, ids=repr)
@pytest.mark.parametrize("scale", [0.4, 1.0])
def test_pseudo_log_likelihood_is_that_of_brute_force(visible, hidden, scale):
    rbm = machine(visible, hidden, scale=scale)
    v = Brute(rbm).v
    expected = brute_pseudo_log_likelihood(rbm, v)
    assert_allclose(pseudo_log_likelihood(rbm, read_only(v)), expected, rtol=1e-8)


def test_pseudo_log_likelihood_of_independent_units_is_the_log_likelihood():
    rbm, v = machine(sizes=(4, 2)), binary_states(4)
    rbm.W[...] = 0.0
    log_p = -rbm.free_energy(v) - exact_log_z(rbm)
    assert_allclose(pseudo_log_likelihood(rbm, v), log_p, rtol=1e-12)


def test_probabilities_weigh_the_states_of_their_own_unit():
    rbm = machine(sizes=(1, 2))
    ends = pseudo_log_likelihood(rbm, np.array([[0.0], [1.0]]))
    between = pseudo_log_likelihood(rbm, np.array([[0.3]]))
    assert_allclose(between, [0.7 * ends[0] + 0.3 * ends[1]], rtol=1e-12)


def test_two_states_of_a_softmax_are_one_bernoulli_unit():
    bits, groups = machine(sizes=(3, 2)), RBM(6, 2, visible=Softmax(2))
    groups.W[1::2], groups.b[1::2], groups.c[...] = bits.W, bits.b, bits.c
    v = binary_states(3)
    one_hot = np.stack([1.0 - v, v], axis=2).reshape(-1, 6)
    assert_allclose(exact_log_z(groups), exact_log_z(bits), rtol=1e-12)
    expected = pseudo_log_likelihood(bits, v)
    assert_allclose(pseudo_log_likelihood(groups, one_hot), expected, rtol=1e-12)


def test_many_rows_are_computed_in_batches():
    rbm, v = machine(sizes=(4, 2)), np.tile(binary_states(4), (300, 1))
    assert_allclose(
        pseudo_log_likelihood(rbm, v),
        np.tile(pseudo_log_likelihood(rbm, v[:16]), 300),
        rtol=1e-12,
    )


def test_pseudo_log_likelihood_keeps_single_precision():
    double = machine(sizes=(30, 20), scale=0.3)
    single = RBM(30, 20, dtype=np.float32)
    single.params.flat[...] = double.params.flat
    v = (make_rng(0).random((10, 30)) < 0.5).astype(np.float32)
    result = pseudo_log_likelihood(single, v)
    assert result.dtype == np.float32
    expected = pseudo_log_likelihood(double, v.astype(float))
    assert_allclose(result, expected, rtol=1e-5)


@pytest.mark.parametrize("visible", [Gaussian(), ReLU()], ids=repr)
def test_pseudo_log_likelihood_of_continuous_units_is_refused(visible):
    with pytest.raises(ValueError) as error:
        pseudo_log_likelihood(RBM(3, 2, visible=visible), np.zeros((1, 3)))
    assert str(error.value) == (
        "pseudo_log_likelihood needs visible units whose states can be listed "
        f"(Bernoulli, Softmax); they are {visible!r}. Use -rbm.free_energy(v) minus "
        "log Z (exact_log_z, ais)."
    )


NOT_ONE_HOT = [[0, 0, 0], [1, 1, 0], [2, -1, 0], [1, 0, np.nan]]


@pytest.mark.parametrize("row", NOT_ONE_HOT, ids=str)
def test_pseudo_log_likelihood_refuses_groups_that_are_not_one_hot(row):
    rbm, rows = RBM(3, 2, visible=Softmax(3)), np.array([[0.0, 1.0, 0.0], row])
    with pytest.raises(ValueError, match="one-hot, or probabilities; 1 of 2 groups"):
        pseudo_log_likelihood(rbm, rows)


@pytest.mark.parametrize("value", [2.0, -0.1])
def test_pseudo_log_likelihood_refuses_bits_that_are_none(value):
    with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
        pseudo_log_likelihood(RBM(3, 2), np.full((1, 3), value))


def test_pseudo_log_likelihood_needs_known_values():
    with pytest.raises(ValueError, match="values are all known; v has NaN"):
        pseudo_log_likelihood(RBM(3, 2), np.array([[1.0, np.nan, 0.0]]))


@pytest.mark.parametrize("shape", [(1, 4), (3,), (2, 3, 1)], ids=str)
def test_pseudo_log_likelihood_refuses_rows_of_another_machine(shape):
    with pytest.raises(ValueError) as error:
        pseudo_log_likelihood(RBM(3, 2), np.zeros(shape))
    assert str(error.value) == (
        "v must have shape (n_rows, 3), a column for each visible unit; its shape is "
        f"{shape}."
    )


@pytest.mark.parametrize("visible", [Bernoulli(), Softmax(3)], ids=repr)
def test_pseudo_log_likelihood_of_sparse_rows(visible):
    rbm = machine(visible)
    v = Brute(rbm).v
    expected = pseudo_log_likelihood(rbm, v)
    assert_array_equal(pseudo_log_likelihood(rbm, csr_array(v)), expected)


def test_pseudo_log_likelihood_of_lists_and_frames():
    rbm = machine(Bernoulli())
    v = Brute(rbm).v
    expected = pseudo_log_likelihood(rbm, v)
    assert_array_equal(pseudo_log_likelihood(rbm, v.tolist()), expected)
    assert_array_equal(pseudo_log_likelihood(rbm, pd.DataFrame(v)), expected)
    with pytest.raises(ValueError, match=r"v must have shape .* its shape is \(3,\)"):
        pseudo_log_likelihood(rbm, [0, 1, 0])


@pytest.mark.parametrize(
    "function", [ais, reverse_ais, exact_log_z, lambda r: pseudo_log_likelihood(r, [])]
)
def test_an_estimator_in_the_place_of_its_machine_is_told(function):
    v = np.eye(3)
    estimators = [RBMTransformer(2, max_iter=1), DBNTransformer((2,))]
    for held in (estimators[0].fit(v), estimators[1].fit(v).dbn_):
        with pytest.raises(TypeError) as error:
            function(held)
        assert str(error.value).startswith(f"An RBM is needed; got {held!r}. Of a ")
        assert "estimator.rbm_; of a stack one of estimator.dbn_.rbms" in str(error)


# Other array libraries.


@pytest.mark.parametrize("pair", PAIRS, ids=ids)
def test_the_array_standard_gives_the_numbers_of_numpy(pair):
    def compute(asarray):
        rbm = machine(*pair)
        rbm.params = Parameters(rbm.params.shapes, asarray(rbm.params.flat))
        settings = {"n_betas": 4, "n_chains": 5, "random_state": 0}
        yield ais(rbm, base_bias=0.5 * rbm.b, **settings).log_weights
        yield reverse_ais(rbm, burn_in=3, **settings).log_weights
        if is_exact(pair):
            yield exact_log_z(rbm)
        if pair[0] in DISCRETE:
            v = asarray(layer(pair[0], SIZES[type(pair[0])])[0])
            yield np.asarray(pseudo_log_likelihood(rbm, v))

    expected = compute(np.asarray)
    for result, reference in zip(
        compute(array_api_strict.asarray), expected, strict=True
    ):
        assert_allclose(result, reference, rtol=1e-10)
