"""The laws that every type of unit keeps, and what is particular to each."""

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import truncnorm

from dbn import RBM
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, Gaussian, ReLU, Softmax, Spin, get_units
from tests.boltzmann.types import (
    DISCRETE,
    LAWFUL,
    LEARNED,
    NOISY,
    RAGGED,
    SEVERAL,
    TABLE,
    TYPES,
)
from tests.helpers import (
    largest_mean_z,
    message_of,
    numerical_gradient,
    read_only,
)

each_law = pytest.mark.parametrize("unit", LAWFUL, ids=repr)
each_discrete = pytest.mark.parametrize("unit", DISCRETE, ids=repr)
each_unit = pytest.mark.parametrize("unit", TYPES, ids=repr)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])

N_UNITS = 6
ROWS = st.lists(st.floats(-15.0, 15.0), min_size=N_UNITS, max_size=N_UNITS)
INPUTS = st.integers(1, 4).flatmap(
    lambda n: arrays(np.float64, (n, N_UNITS), elements=st.floats(-15.0, 15.0))
)


def extra(unit, dtype=np.float64):
    """Parameters of the units: variances from 0.3 to 2.7."""
    shapes = unit.init(N_UNITS)
    return {name: np.linspace(-1.2, 1.0, *n, dtype=dtype) for name, n in shapes.items()}


def row(values):
    return np.array([values], dtype=float)


# Laws of all types.


@each_law
@given(x=INPUTS)
def test_mean_is_the_gradient_of_cgf(unit, x):
    p = extra(unit)
    gradient = numerical_gradient(lambda: unit.cgf(x, p).sum(), x, step=1e-5)
    assert_allclose(unit.mean(x, p), gradient, rtol=1e-7, atol=1e-7)


@each_law
@given(values=ROWS)
def test_variance_is_the_second_derivative_of_cgf(unit, values):
    x, step = row(values)[:, : unit.group_size], 1e-3
    p = {name: value[: unit.group_size] for name, value in extra(unit).items()}
    for i, change in enumerate(step * np.eye(unit.group_size)):
        low, middle, high = (unit.cgf(x + k * change, p) for k in (-1, 0, 1))
        second = (low - 2.0 * middle + high) / step**2
        # The error of the difference quotient is step^2 / 12 times a fourth derivative.
        assert_allclose(unit.variance(x, p)[:, i], second, atol=1e-6)


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
@given(x=INPUTS)
def test_cgf_and_base_energy_are_sums_over_groups(unit, x):
    p, size = extra(unit), unit.group_size
    for function in (unit.cgf, unit.base_energy):
        parts = []
        for i in range(0, N_UNITS, size):
            q = {name: value[i : i + size] for name, value in p.items()}
            parts.append(function(x[:, i : i + size], q))
        assert function(x, p).shape == (x.shape[0],)
        assert_allclose(function(x, p), np.sum(parts, axis=0), rtol=1e-13, atol=1e-13)


@each_discrete
@given(values=st.lists(st.floats(-30.0, 30.0), min_size=N_UNITS, max_size=N_UNITS))
def test_a_law_over_states_sums_to_one_and_has_its_moments(unit, values):
    x, states = row(values)[:, : unit.group_size], unit.states
    p = np.exp(states @ x[0] - unit.base_energy(states) - unit.cgf(x))
    assert_allclose(p.sum(), 1.0, rtol=1e-13)
    mean = p @ states
    assert_allclose(unit.mean(x)[0], mean, rtol=1e-10, atol=1e-15)
    assert_allclose(unit.variance(x)[0], p @ (states - mean) ** 2, atol=1e-12)


@each_discrete
@given(data=st.data())
def test_weights_of_states_add_up_to_one_and_keep_the_mean(unit, data):
    states = unit.states
    assert_array_equal(unit.state_weights(states), np.eye(len(states)))
    share = data.draw(arrays(np.float64, (3, len(states)), elements=st.floats(0.1, 1)))
    u = (share / share.sum(axis=1, keepdims=True)) @ states
    weights = unit.state_weights(read_only(u))
    assert (weights >= 0.0).all()
    assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)
    assert_allclose(weights @ states, u, rtol=1e-12, atol=1e-15)


def test_weights_between_three_states_of_one_column():
    class Three(Bernoulli):
        states = np.array([[0.0], [1.0], [4.0]])

    found = Three().state_weights(np.array([[0.25], [1.0], [3.25], [4.0]]))
    expected = [[0.75, 0.25, 0.0], [0.0, 1.0, 0.0], [0.0, 0.25, 0.75], [0.0, 0.0, 1.0]]
    assert_array_equal(found, expected)


def test_weights_of_the_states_of_a_group_are_its_own_matter():
    class Pairs(Bernoulli):
        group_size = 2
        states = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])

    with pytest.raises(NotImplementedError, match=r"Pairs\(\) needs a state_weights"):
        Pairs().state_weights(np.zeros((1, 2)))


@each_law
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


@each_unit
def test_samples_are_states_in_the_range(unit):
    x = np.tile(np.linspace(-1.5, 1.5, N_UNITS), (500, 1))
    draws = unit.sample(x, make_rng(0), extra(unit))
    assert draws.min() >= unit.low and draws.max() <= unit.high
    assert unit.check(draws) is None
    assert unit.inside(draws) is draws
    for columns, units, _ in unit.groups(N_UNITS):
        if units.states is not None:
            found = {tuple(values) for values in draws[:, columns]}
            assert found == {tuple(state) for state in units.states}


@each_unit
def test_samples_come_from_the_stream_that_is_passed(unit):
    x, rng, p = np.zeros((5, N_UNITS)), make_rng(0), extra(unit)
    first = unit.sample(x, rng, p)
    assert not np.array_equal(first, unit.sample(x, rng, p))
    assert_array_equal(first, unit.sample(x, make_rng(0), p))


@each_unit
def test_samples_are_the_same_where_the_mean_is_known(unit):
    x, p = np.random.default_rng(0).standard_normal((50, N_UNITS)), extra(unit)
    drawn = unit.sample_at_mean(unit.mean(x, p), read_only(x), make_rng(0), p)
    assert_array_equal(drawn, unit.sample(x, make_rng(0), p))


@each_unit
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


@each_unit
@each_dtype
def test_nothing_overflows_at_extreme_inputs(unit, dtype):
    x, p = np.array([[-1e4, -100.0, 1e4] * 2], dtype=dtype), extra(unit, dtype)
    results = [unit.mean(x, p), unit.variance(x, p), unit.sample(x, make_rng(0), p)]
    if unit.normalised:
        results.append(unit.cgf(x, p))
    assert all(np.isfinite(r).all() for r in results)


@each_unit
def test_units_that_are_always_off_start_at_a_finite_input(unit):
    mean = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    assert np.isfinite(unit.input_for_mean(mean, extra(unit))).all()


FIXED = [unit for unit in TYPES if "True" not in repr(unit) or unit is NOISY]


@pytest.mark.parametrize("unit", FIXED, ids=repr)
def test_units_have_no_parameters_of_their_own(unit):
    assert unit.init(6) == {}
    assert unit.base_energy_grad(np.zeros((1, 6))) == {}


@pytest.mark.parametrize("unit", [*TYPES, Softmax(np.int64(4))], ids=repr)
def test_valid_units_are_accepted_as_they_are(unit):
    assert get_units(unit) is unit


# What units answer.


def test_what_units_answer():
    found = {
        repr(u): (u.normalised, u.bounded, u.group_size, u.linear, u.standardised)
        for u in TYPES
    }
    assert found == {
        "Bernoulli()": (True, True, 1, False, False),
        "Gaussian()": (True, False, 1, True, True),
        "Gaussian(learn_variance=True)": (True, False, 1, True, True),
        "ReLU()": (True, False, 1, False, False),
        "ReLU(noisy=True)": (False, False, 1, False, False),
        "Softmax(n_states=2)": (True, True, 2, False, False),
        "Softmax(n_states=3)": (True, True, 3, False, False),
        "Spin()": (True, True, 1, False, False),
        "Softmax(n_states=(2, 4))": (True, True, 6, False, False),
        repr(TABLE): (True, False, 6, False, True),
        repr(SEVERAL[2]): (True, True, 6, False, False),
        repr(SEVERAL[3]): (True, False, 6, False, True),
        repr(SEVERAL[4]): (True, True, 6, False, False),
    }
    assert {repr(u): u.count_states(6) for u in LAWFUL if u.count_states(6) < 1e9} == {
        "Bernoulli()": 64,
        "Softmax(n_states=2)": 8,
        "Softmax(n_states=3)": 9,
        "Spin()": 64,
        "Softmax(n_states=(2, 4))": 8,
        repr(SEVERAL[2]): 16,
        repr(SEVERAL[4]): 24,
    }
    masks = {repr(u): u.per_column("standardised", 6).tolist() for u in TYPES}
    assert masks["Gaussian()"] == [True] * 6 and masks["Spin()"] == [False] * 6
    assert masks[repr(TABLE)] == [True, True, False, False, False, False]
    assert masks[repr(SEVERAL[3])] == [False, False, True, True, True, False]


def test_a_law_of_its_own_inherits_nothing_that_holds_for_another():
    class Signs(Bernoulli):
        low = -1.0

        def cgf(self, x, p=None):
            return np.logaddexp(x, -x).sum(axis=1)

    class Heavy(Gaussian):
        def cgf(self, x, p=None):
            return 2.0 * super().cgf(x, p)

    class Renamed(Bernoulli):
        pass

    assert Signs().states is None and not Heavy().linear
    assert_array_equal(Renamed().states, Bernoulli().states)


def test_a_sampler_of_its_own_inherits_no_shortcut_of_another():
    class Off(Bernoulli):
        def sample(self, x, rng, p=None):
            return 0.0 * x

    x = np.full((3, 2), 5.0)
    assert_array_equal(Off().sample_at_mean(Off().mean(x), x, make_rng(0)), 0.0 * x)


# Bernoulli units.


def test_bernoulli_samples_are_binary():
    draws = Bernoulli().sample(np.zeros((50, 4)), make_rng(0))
    assert set(np.unique(draws)) == {0.0, 1.0}


def test_bernoulli_is_stable_at_large_inputs():
    x = np.array([[-1e4], [1e4]])
    assert_array_equal(Bernoulli().mean(x), [[0.0], [1.0]])
    assert_array_equal(Bernoulli().cgf(x), [0.0, 1e4])


@given(st.floats(0.0, 1.0))
def test_bernoulli_input_for_mean_inverts_mean_away_from_the_ends(mean):
    x = Bernoulli().input_for_mean(np.array([mean]))
    expected = min(max(mean, 0.001), 0.999)
    assert_allclose(Bernoulli().mean(x), expected, rtol=1e-10)


def test_bernoulli_check_accepts_the_closed_interval():
    Bernoulli().check(np.array([[0.0, 0.3], [1.0, 0.0]]))


def test_bernoulli_check_names_the_range_and_the_way_out():
    with pytest.raises(ValueError) as error:
        Bernoulli().check(np.array([[0.5, -1.3], [4.2, 0.0]]))
    assert str(error.value) == (
        "Bernoulli visible units need values in [0, 1]; X has minimum -1.3 and maximum "
        "4.2. Scale X (MinMaxScaler; clip=True, for rows that it was not fitted on) "
        "or use visible='gaussian'."
    )


@pytest.mark.parametrize("wrong", [-0.01, 1.01])
def test_bernoulli_check_refuses_one_wrong_value(wrong):
    with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
        Bernoulli().check(np.array([[0.5, wrong]]))


# Gaussian units.


def density(unit, x, p=None):
    """The function p(u | x) of one unit."""

    def at(u):
        energy = unit.base_energy(np.array([[u]]), p) + unit.cgf(np.array([[x]]), p)
        return np.exp(u * x - energy).item()

    return at


@given(x=st.floats(-30.0, 30.0))
def test_gaussian_law_integrates_to_one_and_has_its_mean(x):
    p, around = density(Gaussian(), x), (x - 10.0, x + 10.0)
    total, _ = scipy.integrate.quad(p, *around)
    mean, _ = scipy.integrate.quad(lambda u: u * p(u), *around)
    assert_allclose(total, 1.0, rtol=1e-9)
    assert_allclose(mean, Gaussian().mean(np.array([[x]])).item(), atol=1e-8)


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


def test_gaussian_input_for_mean_inverts_mean():
    mean = np.array([-2.0, 0.0, 3.0])
    assert_array_equal(Gaussian().mean(Gaussian().input_for_mean(mean)), mean)


def test_gaussian_check_accepts_every_value():
    assert Gaussian().check(np.array([[-1e6, 1e6]])) is None


def test_variance_one_is_the_plain_gaussian_unit():
    x, p = make_rng(0).standard_normal((3, 4)), {"log_variance": np.zeros(4)}
    for name in ("mean", "variance", "cgf", "base_energy"):
        learned, plain = getattr(LEARNED, name)(x, p), getattr(Gaussian(), name)(x)
        assert_allclose(learned, plain, rtol=1e-14)
    draws = LEARNED.sample(x, make_rng(0), p)
    assert_array_equal(draws, Gaussian().sample(x, make_rng(0)))


def test_slope_of_the_base_energy_is_its_derivative():
    u, p = make_rng(0).standard_normal((4, N_UNITS)), extra(LEARNED)
    slope = LEARNED.base_energy_grad(u, p)["log_variance"]
    assert slope.shape == u.shape
    for i, one in enumerate(u):
        expected = numerical_gradient(
            lambda one=one: LEARNED.base_energy(one[None], p).item(), p["log_variance"]
        )
        assert_allclose(slope[i], expected, rtol=1e-7, atol=1e-9)


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


# Rectified units.


@given(x=st.floats(-30.0, 30.0))
def test_rectified_law_integrates_to_one_and_has_its_moments(x):
    # Far below zero the law is close to an exponential one of rate -x.
    width = 45.0 / max(-x, 1.0) if x < -1.0 else 12.0
    around = max(0.0, x - 12.0), max(0.0, x) + width
    density_at = density(ReLU(), x)
    moments = [
        scipy.integrate.quad(lambda u, k=k: u**k * density_at(u), *around, epsabs=0)[0]
        for k in range(3)
    ]
    mean, variance = (f(np.array([[x]])).item() for f in (ReLU().mean, ReLU().variance))
    assert_allclose(moments[0], 1.0, rtol=1e-9)
    assert_allclose(mean, moments[1], rtol=1e-7)
    assert_allclose(variance, moments[2] - moments[1] ** 2, rtol=1e-5, atol=1e-8)


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
    x = np.concatenate([[[-1e5, -1e4, -1e3, -65.0, -50.0, -9.0, -8.0]], x], axis=1)
    mean = ReLU().mean(x.astype(dtype))[0]
    variance = ReLU().variance(x.astype(dtype))[0]
    assert mean.dtype == variance.dtype == dtype
    moments = np.array([rectified_moments(value) for value in x[0]]).T
    # The ratio phi / Phi, close to -x, is known to a few units in its last place.
    error = 20 * float(np.finfo(dtype).eps) * (1.0 + np.abs(x[0]))
    assert (np.abs(mean - moments[0]) < error).all()
    assert (np.abs(variance - moments[1]) < error * (1.0 + np.abs(x[0]))).all()
    assert (variance >= 0.0).all() and (variance <= 1.0).all()
    far = x[0] <= 0.0
    assert_allclose(mean[far], moments[0, far], rtol=1e-4)
    assert_allclose(variance[far], moments[1, far], rtol=1e-3)


@each_dtype
@pytest.mark.parametrize("x", [-1e5, -1e4, -1e3, -50.0, -8.0, 0.0, 8.0, 50.0])
def test_rectified_law_far_out(x, dtype):
    """Of large differences little was left: a log of -8.08 for -8.006 at -3000."""
    cgf = ReLU().cgf(np.full((1, 1), x, dtype))[0]
    above, scale = max(0.0, x), 1.0 / max(1.0, -x)

    def density(s):
        u = s * scale
        return np.exp(x * u - 0.5 * u**2 - 0.5 * above**2) * scale

    ends = [max(0.0, (above - 12.0)) / scale, (above + 12.0) / scale]
    if x < 0.0:
        ends[1] = 45.0
    exact = 0.5 * above**2 + np.log(scipy.integrate.quad(density, *ends, epsabs=0)[0])
    assert_allclose(cgf, exact, rtol=1e-6)
    draws = ReLU().sample(np.full((40_000, 1), x, dtype), make_rng(0)).astype(float)
    assert largest_mean_z(draws, [rectified_moments(x)[0]]) < 4


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


def test_input_for_mean_of_noisy_units_inverts_softplus():
    mean = np.array([0.01, 0.5, 3.0, 40.0])
    assert_allclose(NOISY.mean(NOISY.input_for_mean(mean)[None])[0], mean, rtol=1e-10)


def test_rectified_check_names_the_minimum_and_the_way_out():
    assert ReLU().check(np.array([[0.0, 1e9]])) is None
    assert message_of(ReLU().check, np.array([[0.5, -1.3]])) == (
        "ReLU visible units need values of at least 0; X has minimum -1.3. Shift X, or "
        "use visible='gaussian'."
    )
    assert "at least 0" in message_of(ReLU().check, np.array([[np.nan, -1.0]]))


def test_noisy_units_have_no_energy():
    expected = (
        "ReLU(noisy=True) has no normalised law, so energies and likelihoods do not "
        "exist. Use ReLU()."
    )
    assert not NOISY.normalised
    assert all(unit.normalised for unit in LAWFUL)
    for function in (NOISY.cgf, NOISY.base_energy):
        assert message_of(function, np.zeros((1, 2))) == expected
    v = np.zeros((1, 3))
    assert message_of(RBM(3, 2, hidden=NOISY).free_energy, v) == expected


# Softmax units.


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


def test_softmax_samples_are_one_hot_with_the_probabilities_of_each_state():
    x = np.tile([0.0, 1.0, -1.0, 50.0, 0.0, -50.0], (40_000, 1))
    draws = Softmax(3).sample(x, make_rng(0))
    assert set(np.unique(draws)) == {0.0, 1.0}
    assert_array_equal(draws.reshape(-1, 3).sum(axis=1), 1.0)
    assert_array_equal(draws[:, 3:], np.tile([1.0, 0.0, 0.0], (40_000, 1)))
    p = np.exp(x[0, :3]) / np.exp(x[0, :3]).sum()
    assert largest_mean_z(draws[:, :3], p) < 4


def test_softmax_check_accepts_one_hot_rows_and_probabilities():
    assert Softmax(3).check(np.eye(3)) is None
    assert Softmax(2).check(np.array([[0.3, 0.7, 1.0, 0.0]], dtype=np.float32)) is None


@pytest.mark.parametrize(
    "wrong", [[0, 0, 0], [1, 1, 0], [1.5, -0.5, 0], [np.nan, 0, 1], [np.inf, 0, 0]]
)
def test_softmax_check_counts_the_wrong_groups(wrong):
    X = np.array([[1.0, 0.0, 0.0, *wrong], [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]])
    assert message_of(Softmax(3).check, X) == (
        "Softmax(3) visible units need groups of 3 columns that are one-hot, or "
        "probabilities; 1 of 4 groups in X do not add up to 1. Encode categories with "
        "OneHotEncoder; where their numbers of states differ, give all of them, as in "
        "Softmax((3, 5, 2)). A category that is not known is NaN in all of its columns."
    )


def test_softmax_needs_a_multiple_of_its_columns():
    expected = "Softmax(3) needs a multiple of 3 columns; there are 7."
    assert message_of(Softmax(3).init, 7) == expected
    assert message_of(Softmax(3).check, np.zeros((1, 7))) == expected
    assert message_of(RBM, 7, 2, visible=Softmax(3)) == expected
    assert message_of(RBM, 2, 7, hidden=Softmax(3)) == expected


@pytest.mark.parametrize("n_states", [1, 0, -3, 2.0, "3", None, (), (2, 1), ("a",)])
def test_softmax_needs_at_least_two_states(n_states):
    assert message_of(get_units, Softmax(n_states)) == (
        "Softmax needs an integer n_states of at least 2, or one for each group, as in "
        f"(3, 5, 2); it is {n_states!r}."
    )


def test_groups_of_different_sizes_need_their_columns():
    expected = "Softmax((2, 4)) needs 6 columns; there are 12."
    assert message_of(RAGGED.init, 12) == expected
    assert message_of(RAGGED.check, np.zeros((1, 12))) == expected
    wrong = np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 1.0], [0.5, 0.5, 0.0, 0.0, 0.0, 1.0]])
    assert "1 of 4 groups in X do not add up to 1" in message_of(RAGGED.check, wrong)


@given(x=arrays(np.float64, (3, 12), elements=st.floats(-15.0, 15.0)))
def test_groups_of_different_sizes_are_those_of_one_size(x):
    both, equal, sizes = Softmax((2, 4, 2, 4)), Softmax((3, 3, 3, 3)), (2, 4, 2, 4)
    groups = np.split(x, np.cumsum(sizes)[:-1], axis=1)
    means = [Softmax(g.shape[1]).mean(g) for g in groups]
    assert_allclose(both.mean(x), np.hstack(means), rtol=1e-13)
    cgfs = [Softmax(g.shape[1]).cgf(g) for g in groups]
    assert_allclose(both.cgf(x), np.sum(cgfs, axis=0), rtol=1e-13, atol=1e-13)
    assert_array_equal(equal.mean(x), Softmax(3).mean(x))
    drawn = equal.sample(x, make_rng(0)), Softmax(3).sample(x, make_rng(0))
    assert_array_equal(*drawn)


def test_names_of_units():
    assert repr(get_units("relu")) == "ReLU()"
    assert repr(get_units("spin")) == "Spin()"
    assert message_of(get_units, "softmax") == (
        "units='softmax' is not known. Use one of ['bernoulli', 'gaussian', 'relu', "
        "'spin'] or an object of a class derived from Units."
    )


@pytest.mark.parametrize("unit", [Bernoulli(), Gaussian(), ReLU(), Spin(), Softmax(3)])
def test_what_is_not_known_is_inside(unit):
    X = np.eye(3)
    X[1] = np.nan
    assert_array_equal(unit.inside(X), X)
    assert_array_equal(unit.inside(np.full((2, 3), np.nan)), np.full((2, 3), np.nan))
    if np.isfinite(unit.low):
        X[0, 0] = unit.low - 1.0
        with pytest.raises(ValueError, match=r"need"):
            unit.check(X)


@pytest.mark.parametrize("unit", [Softmax(2), RAGGED])
def test_a_category_is_known_in_all_of_its_columns_or_in_none(unit):
    X = np.array([[0.0, 1.0, 0.0, 1.0, 0.0, 0.0]] * 2)
    if unit == Softmax(2):
        X[:, 4] = 1.0
    X[0, 2:] = np.nan
    assert_array_equal(unit.inside(X), X)
    X[1, 3] = np.nan
    assert "NaN in all of its columns" in message_of(unit.check, X)
