"""Laws of rectified, softmax and learned-variance units, alone and in machines."""

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import truncnorm

from dbn import RBM
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, Gaussian, ReLU, Softmax, get_units
from dbn.boltzmann.likelihood import sample_exact
from tests.helpers import largest_mean_z, numerical_gradient, randomize, read_only

LEARNED, NOISY = Gaussian(learn_variance=True), ReLU(noisy=True)
LAWFUL = [ReLU(), Softmax(3), LEARNED]
ALL = [*LAWFUL, NOISY, Softmax(2)]
each_law = pytest.mark.parametrize("unit", LAWFUL, ids=repr)
each_unit = pytest.mark.parametrize("unit", ALL, ids=repr)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])

N_UNITS = 6
ROWS = st.lists(st.floats(-15.0, 15.0), min_size=N_UNITS, max_size=N_UNITS)


def extra(unit, dtype=np.float64):
    """Parameters of the units: variances from 0.3 to 2.7."""
    log_variance = np.linspace(-1.2, 1.0, N_UNITS, dtype=dtype)
    return {"log_variance": log_variance} if unit.init(N_UNITS) else {}


def row(values):
    return np.array([values], dtype=float)


@each_law
@given(values=ROWS)
def test_mean_is_the_gradient_of_cgf(unit, values):
    x, p = row(values), extra(unit)
    gradient = numerical_gradient(lambda: unit.cgf(x, p).sum(), x, step=1e-5)
    assert_allclose(unit.mean(x, p), gradient, rtol=1e-6, atol=1e-7)


@each_law
@given(values=ROWS)
def test_variance_is_the_derivative_of_mean(unit, values):
    x, p, step = row(values), extra(unit), 1e-5
    variance = unit.variance(x, p)
    assert variance.shape == x.shape
    for i in range(N_UNITS):
        change = step * np.eye(N_UNITS)[[i]]
        slope = (unit.mean(x + change, p) - unit.mean(x - change, p))[0, i] / (2 * step)
        assert_allclose(variance[0, i], slope, rtol=1e-5, atol=1e-7)


@each_law
@given(values=ROWS)
def test_cgf_and_base_energy_are_sums_over_groups(unit, values):
    x, p = np.vstack([values, np.zeros(N_UNITS)]), extra(unit)
    size = getattr(unit, "n_states", 1)
    for function in (unit.cgf, unit.base_energy):
        parts = []
        for i in range(0, N_UNITS, size):
            q = {name: value[i : i + size] for name, value in p.items()}
            parts.append(function(x[:, i : i + size], q))
        assert function(x, p).shape == (2,)
        assert_allclose(function(x, p), np.sum(parts, axis=0), rtol=1e-12, atol=1e-12)


# Normalisation and moments by quadrature or enumeration.


def density(unit, x, p):
    def at(u):
        energy = unit.base_energy(np.array([[u]]), p) + unit.cgf(np.array([[x]]), p)
        return np.exp(u * x - energy).item()

    return at


@given(x=st.floats(-30.0, 30.0))
def test_rectified_law_integrates_to_one_and_has_its_moments(x):
    # Far below zero the law is close to an exponential one of rate -x.
    width = 45.0 / max(-x, 1.0) if x < -1.0 else 12.0
    around = max(0.0, x - 12.0), max(0.0, x) + width
    density_at = density(ReLU(), x, {})
    moments = [
        scipy.integrate.quad(lambda u, k=k: u**k * density_at(u), *around, epsabs=0)[0]
        for k in range(3)
    ]
    mean, variance = (f(np.array([[x]])).item() for f in (ReLU().mean, ReLU().variance))
    assert_allclose(moments[0], 1.0, rtol=1e-9)
    assert_allclose(mean, moments[1], rtol=1e-7)
    assert_allclose(variance, moments[2] - moments[1] ** 2, rtol=1e-5, atol=1e-8)


@given(x=st.floats(-30.0, 30.0), log_variance=st.floats(-3.0, 3.0))
def test_learned_variance_law_integrates_to_one_and_has_its_moments(x, log_variance):
    p, s2 = {"log_variance": np.array([log_variance])}, np.exp(log_variance)
    around = s2 * x - 10.0 * np.sqrt(s2), s2 * x + 10.0 * np.sqrt(s2)
    density_at = density(LEARNED, x, p)
    total, mean, second = (
        scipy.integrate.quad(lambda u, k=k: (u - s2 * x) ** k * density_at(u), *around)[
            0
        ]
        for k in range(3)
    )
    assert_allclose(total, 1.0, rtol=1e-8)
    assert_allclose(LEARNED.mean(np.array([[x]]), p), [[s2 * x + mean]], atol=1e-6)
    assert_allclose(LEARNED.variance(np.array([[x]]), p), [[second]], rtol=1e-6)


@pytest.mark.parametrize("unit", [Softmax(2), Softmax(3)], ids=repr)
@given(values=ROWS)
def test_softmax_law_sums_to_one_and_has_its_mean(unit, values):
    x = row(values)[:, : unit.n_states]
    states = np.eye(unit.n_states)
    p = np.exp(states @ x[0] - unit.base_energy(states) - unit.cgf(x))
    assert_allclose(p.sum(), 1.0, rtol=1e-12)
    assert_allclose(unit.mean(x), [p], rtol=1e-10, atol=1e-15)


@given(values=ROWS, shift=st.floats(-1e4, 1e4))
def test_only_differences_within_a_softmax_group_count(values, shift):
    x, unit = row(values), Softmax(3)
    moved = x + np.repeat([shift, 0.0], 3)
    assert_allclose(unit.mean(moved), unit.mean(x), rtol=1e-7, atol=1e-12)
    assert_allclose(unit.cgf(moved), unit.cgf(x) + shift, rtol=1e-9, atol=1e-9)


def test_two_softmax_states_are_a_bernoulli_unit():
    x = np.linspace(-20.0, 20.0, 9)[:, None]
    pair = np.hstack([0.0 * x, x])
    assert_allclose(Softmax(2).mean(pair)[:, [1]], Bernoulli().mean(x), atol=1e-12)
    assert_allclose(Softmax(2).cgf(pair), Bernoulli().cgf(x), rtol=1e-12, atol=1e-14)


def test_variance_one_is_the_plain_gaussian_unit():
    x, p = make_rng(0).standard_normal((3, 4)), {"log_variance": np.zeros(4)}
    for name in ("mean", "variance", "cgf", "base_energy"):
        learned, plain = getattr(LEARNED, name)(x, p), getattr(Gaussian(), name)(x)
        assert_allclose(learned, plain, rtol=1e-14)
    draws = LEARNED.sample(x, make_rng(0), p)
    assert_array_equal(draws, Gaussian().sample(x, make_rng(0)))


# Samples.


@pytest.mark.parametrize("unit", [*LAWFUL, Softmax(2)], ids=repr)
@each_dtype
def test_samples_have_the_mean_and_variance(unit, dtype):
    levels = np.array([-3.0, -0.5, 0.1, 2.0, 0.7, -1.0], dtype=dtype)
    x, p = np.tile(levels, (40_000, 1)), extra(unit, dtype)
    draws = unit.sample(read_only(x), make_rng(0), p)
    assert draws.dtype == dtype
    draws = draws.astype(float)
    mean = unit.mean(x[:1], p).astype(float)
    assert largest_mean_z(draws, mean) < 4
    assert largest_mean_z((draws - mean) ** 2, unit.variance(x[:1], p)) < 4


@each_dtype
@pytest.mark.parametrize("x", [-30.0, -15.0, -8.0, -4.0, 0.0, 4.0, 15.0, 30.0])
def test_rectified_samples_follow_the_law_far_out(x, dtype):
    inputs = np.full((40_000, 1), x, dtype=dtype)
    draws = ReLU().sample(inputs, make_rng(1)).astype(float)
    assert np.isfinite(draws).all() and (draws >= 0.0).all()
    law = truncnorm(-x, np.inf, loc=x)
    if x < 20:  # truncnorm's own moments lose digits beyond
        assert largest_mean_z(draws, law.mean()) < 4
    assert largest_mean_z(draws, ReLU().mean(inputs[:1].astype(float))) < 4
    # The fraction below each quartile.
    below = draws <= law.ppf([0.25, 0.5, 0.75])
    assert largest_mean_z(below.astype(float), [0.25, 0.5, 0.75]) < 4


@each_dtype
def test_rectified_moments_are_exact_in_both_tails(dtype):
    x = np.array([[-30.0, -20.0, -10.0, -5.0, -1.0, 0.0, 1.0, 5.0, 10.0, 30.0]])
    mean = ReLU().mean(x.astype(dtype))[0]
    variance = ReLU().variance(x.astype(dtype))[0]
    assert mean.dtype == variance.dtype == dtype
    moments = np.array([rectified_moments(value) for value in x[0]]).T
    # The ratio phi / Phi, close to -x, is known to a few units in its last place.
    error = 20 * float(np.finfo(dtype).eps) * (1.0 + np.abs(x[0]))
    assert (np.abs(mean - moments[0]) < error).all()
    assert (np.abs(variance - moments[1]) < error * (1.0 + np.abs(x[0]))).all()
    assert (variance >= 0.0).all() and (variance <= 1.0).all()


def rectified_moments(x):
    """Mean and variance of the rectified law by quadrature."""
    scale = 1.0 / max(-x, 1.0)
    start = max(0.0, x - 12.0)
    stop = x + 12.0 if x > -1.0 else 45.0 * scale

    def moment(k):
        def integrand(u):
            return u**k * np.exp(u * x - 0.5 * u**2 - 0.5 * max(x, 0.0) ** 2)

        return scipy.integrate.quad(integrand, start, stop, epsabs=0, epsrel=1e-12)[0]

    m0, m1, m2 = moment(0), moment(1), moment(2)
    return m1 / m0, m2 / m0 - (m1 / m0) ** 2


@each_dtype
def test_nothing_overflows_at_extreme_inputs(dtype):
    x = np.array([[-1e4, -100.0, 1e4]], dtype=dtype)
    for unit in (ReLU(), NOISY, Softmax(3)):
        results = [unit.mean(x), unit.variance(x), unit.sample(x, make_rng(0))]
        if unit.normalised:
            results.append(unit.cgf(x))
        assert all(np.isfinite(r).all() for r in results)


def test_noisy_rectified_samples_are_those_of_nair_and_hinton():
    x = np.tile([-1.0, 0.0, 2.0, 10.0], (60_000, 1))
    draws = NOISY.sample(read_only(x), make_rng(0))
    s = 1.0 / np.sqrt(1.0 + np.exp(-x[0]))
    noise = np.linspace(-9.0, 9.0, 20_001)[:, None]
    weight = np.exp(-0.5 * noise**2) / np.exp(-0.5 * noise**2).sum()
    expected = (weight * np.maximum(0.0, x[0] + s * noise)).sum(axis=0)
    assert largest_mean_z(draws, expected) < 4
    # Their approximation of the mean.
    assert_allclose(NOISY.mean(x[:1])[0], expected, atol=0.42)
    assert_allclose(NOISY.mean(x[:1])[0], np.log1p(np.exp(x[0])), rtol=1e-12)
    assert_allclose(NOISY.variance(x[:1])[0], s**2, rtol=1e-12)


@each_unit
def test_samples_come_from_the_stream_that_is_passed(unit):
    x, rng, p = np.zeros((5, N_UNITS)), make_rng(0), extra(unit)
    first = unit.sample(x, rng, p)
    assert not np.array_equal(first, unit.sample(x, rng, p))
    assert_array_equal(first, unit.sample(x, make_rng(0), p))


def test_softmax_samples_are_one_hot_with_the_probabilities_of_each_state():
    x = np.tile([0.0, 1.0, -1.0, 50.0, 0.0, -50.0], (40_000, 1))
    draws = Softmax(3).sample(x, make_rng(0))
    assert set(np.unique(draws)) == {0.0, 1.0}
    assert_array_equal(draws.reshape(-1, 3).sum(axis=1), 1.0)
    assert_array_equal(draws[:, 3:], np.tile([1.0, 0.0, 0.0], (40_000, 1)))
    p = np.exp(x[0, :3]) / np.exp(x[0, :3]).sum()
    assert largest_mean_z(draws[:, :3], p) < 4


@pytest.mark.parametrize("unit", ALL, ids=repr)
@each_dtype
def test_dtype_and_shape_are_kept(unit, dtype):
    u = np.tile(np.eye(3, dtype=dtype), (1, 2))
    p = {name: read_only(value) for name, value in extra(unit, dtype).items()}
    u = read_only(u)
    results = [unit.mean(u, p), unit.variance(u, p), unit.sample(u, make_rng(0), p)]
    results.append(unit.input_for_mean(u, p))
    assert [r.shape for r in results] == [u.shape] * 4
    if unit.normalised:
        results += [unit.cgf(u, p), unit.base_energy(u, p)]
        results += unit.base_energy_grad(u, p).values()
    assert {r.dtype for r in results} == {np.dtype(dtype)}


# Extra parameters, inverses, checks.


def test_slope_of_the_base_energy_is_its_derivative():
    u, p = make_rng(0).standard_normal((4, N_UNITS)), extra(LEARNED)
    slope = LEARNED.base_energy_grad(u, p)["log_variance"]
    assert slope.shape == u.shape
    for i, one in enumerate(u):
        expected = numerical_gradient(
            lambda one=one: LEARNED.base_energy(one[None], p).item(), p["log_variance"]
        )
        assert_allclose(slope[i], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("unit", [*ALL[:2], NOISY, Gaussian(), Bernoulli()], ids=repr)
def test_other_units_have_no_parameters_of_their_own(unit):
    assert unit.init(6) == {}
    assert unit.base_energy_grad(np.zeros((1, 6))) == {}


def test_learned_variance_is_one_number_per_unit():
    assert LEARNED.init(5) == {"log_variance": (5,)}
    rbm = RBM(5, 2, visible=LEARNED)
    assert rbm.params["visible_log_variance"].shape == (5,)
    assert rbm.p_visible["log_variance"] is rbm.params["visible_log_variance"]
    assert_array_equal(rbm.p_visible["log_variance"], np.zeros(5))


@pytest.mark.parametrize("unit", [LEARNED, Softmax(3), ReLU()], ids=repr)
def test_input_for_mean_inverts_mean(unit):
    p = extra(unit)
    mean = np.array([0.2, 0.5, 0.3, 0.1, 0.1, 0.8])
    x = unit.input_for_mean(mean, p)[None]
    # For rectified units it inverts softplus, which is close to the mean.
    atol = 0.35 if isinstance(unit, ReLU) else 1e-12
    assert_allclose(unit.mean(x, p)[0], mean, atol=atol)


def test_input_for_mean_of_noisy_units_inverts_softplus():
    mean = np.array([0.01, 0.5, 3.0, 40.0])
    assert_allclose(NOISY.mean(NOISY.input_for_mean(mean)[None])[0], mean, rtol=1e-10)


@pytest.mark.parametrize("unit", [ReLU(), Softmax(3), LEARNED], ids=repr)
def test_units_that_are_always_off_start_at_a_finite_input(unit):
    mean = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    assert np.isfinite(unit.input_for_mean(mean, extra(unit))).all()


def message_of(function, *args, **kwargs):
    with pytest.raises(ValueError) as error:
        function(*args, **kwargs)
    return str(error.value)


def test_rectified_check_names_the_minimum_and_the_way_out():
    assert ReLU().check(np.array([[0.0, 1e9]])) is None
    assert message_of(ReLU().check, np.array([[0.5, -1.3]])) == (
        "ReLU visible units need values of at least 0; X has minimum -1.3. Shift X, or "
        "use visible='gaussian'."
    )
    assert "at least 0" in message_of(ReLU().check, np.array([[np.nan, 1.0]]))


def test_softmax_check_accepts_one_hot_rows_and_probabilities():
    assert Softmax(3).check(np.eye(3)) is None
    assert Softmax(2).check(np.array([[0.3, 0.7, 1.0, 0.0]], dtype=np.float32)) is None


@pytest.mark.parametrize(
    "wrong", [[0, 0, 0], [1, 1, 0], [1.5, -0.5, 0], [np.nan, 0, 1], [np.inf, 0, 0]]
)
def test_softmax_check_counts_the_wrong_groups(wrong):
    X = np.array([[1.0, 0.0, 0.0, *wrong], [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]])
    assert message_of(Softmax(3).check, X) == (
        "Softmax(n_states=3) visible units need groups of 3 columns that are one-hot, "
        "or probabilities; 1 of 4 groups in X do not add up to 1. Encode categories "
        "with OneHotEncoder, all with the same number of states."
    ).replace("Softmax(n_states=3)", "Softmax(3)")


def test_softmax_needs_a_multiple_of_its_columns():
    expected = "Softmax(3) needs a multiple of 3 columns; there are 7."
    assert message_of(Softmax(3).init, 7) == expected
    assert message_of(Softmax(3).check, np.zeros((1, 7))) == expected
    assert message_of(RBM, 7, 2, visible=Softmax(3)) == expected
    assert message_of(RBM, 2, 7, hidden=Softmax(3)) == expected


@pytest.mark.parametrize("n_states", [1, 0, -3, 2.0, "3", None])
def test_softmax_needs_at_least_two_states(n_states):
    assert message_of(get_units, Softmax(n_states)) == (
        f"Softmax needs an integer n_states of at least 2; it is {n_states!r}."
    )


@pytest.mark.parametrize("unit", [*ALL, Softmax(np.int64(4))], ids=repr)
def test_valid_units_are_accepted_as_they_are(unit):
    assert get_units(unit) is unit


def test_names_of_units():
    assert repr(get_units("relu")) == "ReLU()"
    assert message_of(get_units, "softmax") == (
        "units='softmax' is not known. Use one of ['bernoulli', 'gaussian', 'relu'] or "
        "an object of a class derived from Units."
    )


def test_noisy_units_have_no_energy():
    expected = (
        "ReLU(noisy=True) has no normalised law, so energies and likelihoods do not "
        "exist. Use ReLU()."
    )
    assert not NOISY.normalised
    assert all(unit.normalised for unit in (*LAWFUL, Bernoulli(), Gaussian()))
    for function in (NOISY.cgf, NOISY.base_energy):
        assert message_of(function, np.zeros((1, 2))) == expected
    v = np.zeros((1, 3))
    assert message_of(RBM(3, 2, hidden=NOISY).free_energy, v) == expected


# Machines.


def test_learned_variance_of_hidden_units_is_refused():
    assert message_of(RBM, 3, 2, hidden=LEARNED) == (
        "hidden=Gaussian(learn_variance=True) learns a variance, which for hidden "
        "units is the same as a scale of the weights. Use Gaussian()."
    )


def wide(visible, hidden, norm):
    """A machine whose weights have the given spectral norm."""
    rbm = RBM(4, 3, visible=visible, hidden=hidden)
    W = make_rng(0).standard_normal((4, 3))
    rbm.W[...] = norm * W / np.linalg.norm(W, 2)
    return rbm


def test_improper_gaussian_machines_raise():
    wide("gaussian", "gaussian", 0.99).check_proper()
    assert message_of(wide("gaussian", "gaussian", 1.25).check_proper) == (
        "The energy of a Gaussian()-Gaussian() machine is bounded only while the "
        "spectral norm of its (scaled) weights is below 1; it is 1.25. Lower the "
        "learning rate, raise weight_decay, or use Bernoulli units on one side."
    )


def test_learned_variances_scale_the_weights():
    rbm = wide(LEARNED, "gaussian", 0.8)
    rbm.check_proper()
    rbm.p_visible["log_variance"][...] = np.log(4.0)
    assert "it is 1.6." in message_of(rbm.check_proper)
    rbm.p_visible["log_variance"][...] = np.log(0.25)
    rbm.W[...] *= 2.0
    rbm.check_proper()


@pytest.mark.parametrize(
    "pair",
    [("gaussian", "relu"), ("relu", "gaussian"), ("relu", "relu"), (LEARNED, "relu")],
    ids=str,
)
def test_growing_rectified_machines_warn(pair):
    wide(*pair, 0.99).check_proper()
    with pytest.warns(RuntimeWarning, match=r"below 1; it is 1\.25"):
        wide(*pair, 1.25).check_proper()


@pytest.mark.parametrize("bounded", [Bernoulli(), Softmax(3)], ids=repr)
@pytest.mark.parametrize("other", [Gaussian(), ReLU()], ids=repr)
def test_bounded_units_on_one_side_are_always_proper(bounded, other):
    for units in ((bounded, other), (other, bounded)):
        rbm = RBM(6, 6, visible=units[0], hidden=units[1])
        rbm.W[...] = 10.0
        rbm.check_proper()


def test_initialize_gives_learned_variance_units_the_mean_and_variance_one():
    rbm, mean = RBM(4, 2, visible=LEARNED), np.array([-1.0, 0.0, 2.0, 5.0])
    randomize(rbm.params)
    rbm.initialize(make_rng(0), mean)
    assert_array_equal(rbm.p_visible["log_variance"], np.zeros(4))
    assert_allclose(rbm.mean_visible(np.zeros((1, 2)))[0], mean)


# No drift: Gibbs steps from exact draws keep the moments; a wrong sampler does not.

DRIFT = [
    (Softmax(3), Bernoulli()),
    (Softmax(3), ReLU()),
    (Bernoulli(), ReLU()),
    (Bernoulli(), Softmax(3)),
    (ReLU(), Bernoulli()),
    (ReLU(), Softmax(3)),
    (LEARNED, Bernoulli()),
    (LEARNED, Gaussian()),
    (LEARNED, Softmax(3)),
    (Gaussian(), Gaussian()),
]
N_CHAINS = 40_000


class Blurred(ReLU):
    """A wrong sampler: its units are too large."""

    def sample(self, x, rng, p=None):
        return 1.5 * super().sample(x, rng, p)


def features(v):
    """First and second moments, without those that are always zero."""
    products = (v[:, :, None] * v[:, None, :]).reshape(len(v), -1)
    every = np.hstack([v, products])
    return every[:, every.std(axis=0) > 0.0]


def drift(rbm, steps=3):
    """Largest change of a moment in `steps`, in standard errors."""
    rng = make_rng(0)
    before = features(sample_exact(rbm, N_CHAINS, rng))
    after = features(rbm.gibbs(sample_exact(rbm, N_CHAINS, rng), rng, steps=steps))
    variance = before.var(axis=0) + after.var(axis=0)
    change = np.abs(after.mean(axis=0) - before.mean(axis=0))
    return (change / np.sqrt(variance / N_CHAINS)).max()


def small(visible, hidden):
    sizes = [6 if isinstance(u, Softmax) else 3 for u in (visible, hidden)]
    rbm = RBM(*sizes, visible=visible, hidden=hidden)
    randomize(rbm.params, seed=2, scale=0.35)
    if isinstance(visible, Gaussian) and isinstance(hidden, Gaussian):
        rbm.W[...] *= 0.5  # a law exists only for small weights
    return rbm


@pytest.mark.parametrize("pair", DRIFT, ids=str)
def test_gibbs_steps_keep_the_model_distribution(pair):
    assert drift(small(*pair)) < 4


@pytest.mark.parametrize("pair", [(Bernoulli(), Blurred()), (Softmax(3), Blurred())])
def test_a_wrong_sampler_would_be_seen_to_drift(pair):
    rbm = small(*pair)
    rbm.W[...] += 0.3
    rbm.W[:3] -= 1.0
    assert drift(rbm) > 6
