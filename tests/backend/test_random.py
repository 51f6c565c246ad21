import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dbn.backend.random import bernoulli, make_rng, normal, uniform
from tests.helpers import largest_mean_z, read_only


def first_draws(random_state):
    return make_rng(random_state).random(4)


def test_a_seed_means_one_stream():
    assert_array_equal(first_draws(3), first_draws(3))
    assert not np.array_equal(first_draws(3), first_draws(4))


def test_a_random_state_instance_advances():
    random_state = np.random.RandomState(3)
    first, second = first_draws(random_state), first_draws(random_state)
    assert_array_equal(first, first_draws(3))
    assert not np.array_equal(first, second)


def test_none_gives_a_new_stream_each_time():
    assert not np.array_equal(first_draws(None), first_draws(None))


def test_the_bit_generator_is_sfc64():
    assert isinstance(make_rng(0).bit_generator, np.random.SFC64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("draw", [uniform, normal])
def test_draws_have_the_precision_asked(draw, dtype):
    noise = draw(make_rng(0), (3, 2), np.zeros(1, dtype=dtype))
    assert noise.dtype == dtype
    assert noise.shape == (3, 2)
    # Not rounded from double precision: half the bits are drawn.
    drawn = getattr(make_rng(0), {uniform: "random", normal: "standard_normal"}[draw])
    assert_array_equal(noise, drawn((3, 2), dtype=dtype))


def test_uniform_and_normal_have_their_moments():
    like, n = np.zeros(1), 20_000
    u, g = uniform(make_rng(0), (n, 2), like), normal(make_rng(1), (n, 2), like)
    assert u.min() >= 0.0
    assert u.max() < 1.0
    assert largest_mean_z(u, 0.5) < 4
    assert largest_mean_z((u - 0.5) ** 2, 1 / 12) < 4
    assert largest_mean_z(g, 0.0) < 4
    assert largest_mean_z(g**2, 1.0) < 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bernoulli_draws_each_entry_with_its_own_probability(dtype):
    p = np.array([0.02, 0.3, 0.5, 0.97], dtype=dtype)
    draws = bernoulli(make_rng(0), read_only(np.tile(p, (20_000, 1))))
    assert draws.dtype == dtype
    assert set(np.unique(draws)) == {0.0, 1.0}
    assert largest_mean_z(draws, p) < 4


def test_bernoulli_is_certain_at_zero_and_one():
    p = np.tile([0.0, 1.0], (1000, 1))
    assert_array_equal(bernoulli(make_rng(0), p), p)


def test_bernoulli_draws_rows_and_columns_independently():
    """No noise vector is shared by the rows of a batch."""
    draws = bernoulli(make_rng(0), np.full((20_000, 2), 0.5))
    assert largest_mean_z(draws[:, :1] * draws[:, 1:], 0.25) < 4
    assert largest_mean_z(draws[1:] * draws[:-1], 0.25) < 4
