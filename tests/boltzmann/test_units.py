"""The laws that every type of unit keeps; a new type joins the list UNITS."""

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, Gaussian
from tests.helpers import largest_mean_z, numerical_gradient, read_only

UNITS = [Bernoulli(), Gaussian()]
each_unit = pytest.mark.parametrize("unit", UNITS, ids=repr)

inputs = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=4),
    elements=st.floats(-15.0, 15.0),
)


@each_unit
@given(x=inputs)
def test_mean_is_the_gradient_of_cgf(unit, x):
    gradient = numerical_gradient(lambda: unit.cgf(x).sum(), x)
    assert_allclose(unit.mean(x), gradient, rtol=1e-7, atol=1e-7)


@each_unit
@given(x=st.floats(-15.0, 15.0))
def test_variance_is_the_second_derivative_of_cgf(unit, x):
    step = 1e-3
    low, middle, high = unit.cgf(np.array([[x - step], [x], [x + step]]))
    second = (low - 2.0 * middle + high) / step**2
    # The error of the difference quotient is step^2 / 12 times a fourth derivative.
    assert_allclose(unit.variance(np.array([[x]])).item(), second, atol=1e-6)


@each_unit
@given(x=inputs)
def test_cgf_is_a_sum_over_independent_units(unit, x):
    columns = [unit.cgf(x[:, [j]]) for j in range(x.shape[1])]
    assert unit.cgf(x).shape == (x.shape[0],)
    assert_allclose(unit.cgf(x), np.sum(columns, axis=0), rtol=1e-14, atol=1e-14)


@each_unit
@given(u=inputs)
def test_base_energy_is_a_sum_over_independent_units(unit, u):
    columns = [unit.base_energy(u[:, [j]]) for j in range(u.shape[1])]
    assert unit.base_energy(u).shape == (u.shape[0],)
    assert_allclose(unit.base_energy(u), np.sum(columns, axis=0), rtol=1e-14)


def density(unit, x):
    """The function p(u | x) of one unit."""

    def p(u):
        energy, cgf = unit.base_energy(np.array([[u]])), unit.cgf(np.array([[x]]))
        return np.exp(u * x - energy - cgf).item()

    return p


@given(x=st.floats(-30.0, 30.0))
def test_bernoulli_law_sums_to_one_and_has_its_mean(x):
    p = density(Bernoulli(), x)
    assert_allclose(p(0.0) + p(1.0), 1.0, rtol=1e-13)
    assert_allclose(p(1.0), Bernoulli().mean(np.array([[x]])).item(), atol=1e-15)


@given(x=st.floats(-30.0, 30.0))
def test_gaussian_law_integrates_to_one_and_has_its_mean(x):
    p, around = density(Gaussian(), x), (x - 10.0, x + 10.0)
    total, _ = scipy.integrate.quad(p, *around)
    mean, _ = scipy.integrate.quad(lambda u: u * p(u), *around)
    assert_allclose(total, 1.0, rtol=1e-9)
    assert_allclose(mean, Gaussian().mean(np.array([[x]])).item(), atol=1e-8)


@each_unit
def test_samples_have_the_mean_and_variance(unit):
    x = np.tile([-3.0, -0.5, 0.1, 2.0], (40_000, 1))
    draws = unit.sample(read_only(x), make_rng(0))
    assert largest_mean_z(draws, unit.mean(x[:1])) < 4
    squares = (draws - unit.mean(x)) ** 2
    assert largest_mean_z(squares, unit.variance(x[:1])) < 4


@each_unit
def test_samples_come_from_the_stream_that_is_passed(unit):
    x, rng = np.zeros((5, 4)), make_rng(0)
    first = unit.sample(x, rng)
    assert not np.array_equal(first, unit.sample(x, rng))
    assert_array_equal(first, unit.sample(x, make_rng(0)))


@each_unit
def test_samples_are_the_same_where_the_mean_is_known(unit):
    x = np.random.default_rng(0).standard_normal((50, 6))
    drawn = unit.sample_at_mean(unit.mean(x), read_only(x), make_rng(0))
    assert_array_equal(drawn, unit.sample(x, make_rng(0)))


def test_bernoulli_samples_are_binary():
    draws = Bernoulli().sample(np.zeros((50, 4)), make_rng(0))
    assert set(np.unique(draws)) == {0.0, 1.0}


@each_unit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(unit, dtype):
    x = read_only(np.linspace(0.0, 1.0, 6, dtype=dtype).reshape(2, 3))
    results = [
        unit.mean(x),
        unit.variance(x),
        unit.sample(x, make_rng(0)),
        unit.cgf(x),
        unit.base_energy(x),
        unit.input_for_mean(x),
    ]
    assert [r.dtype for r in results] == [dtype] * 6


def test_bernoulli_is_stable_at_large_inputs():
    x = np.array([[-1e4], [1e4]])
    assert_array_equal(Bernoulli().mean(x), [[0.0], [1.0]])
    assert_array_equal(Bernoulli().cgf(x), [0.0, 1e4])


def test_gaussian_input_for_mean_inverts_mean():
    mean = np.array([-2.0, 0.0, 3.0])
    assert_array_equal(Gaussian().mean(Gaussian().input_for_mean(mean)), mean)


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
        "4.2. Scale X (MinMaxScaler) or use visible='gaussian'."
    )


@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.nan])
def test_bernoulli_check_refuses_one_wrong_value(wrong):
    with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
        Bernoulli().check(np.array([[0.5, wrong]]))


def test_gaussian_check_accepts_every_value():
    assert Gaussian().check(np.array([[-1e6, 1e6]])) is None
