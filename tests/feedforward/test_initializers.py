import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from dbn import Network
from dbn.backend.random import make_rng
from dbn.feedforward import Normal, VarianceScaling, Zeros, get_initializer
from tests.helpers import largest_mean_z, randomize

# name -> variance of a weight, from the papers in the docstring of VarianceScaling
VARIANCES = {
    "xavier_uniform": lambda fan_in, fan_out: 2.0 / (fan_in + fan_out),
    "xavier_normal": lambda fan_in, fan_out: 2.0 / (fan_in + fan_out),
    "he_uniform": lambda fan_in, fan_out: 2.0 / fan_in,
    "he_normal": lambda fan_in, fan_out: 2.0 / fan_in,
}
fans = st.integers(20, 80)
seeds = st.integers(0, 99)


def assert_moments(weights, variance):
    weights = weights.reshape(-1, 1)
    assert largest_mean_z(weights, 0.0) < 5
    assert largest_mean_z(weights**2, variance) < 5


@pytest.mark.parametrize("name", VARIANCES)
@given(fan_in=fans, fan_out=fans, seed=seeds)
def test_named_schemes_have_the_variance_of_their_paper(name, fan_in, fan_out, seed):
    weights = get_initializer(name).draw((fan_in, fan_out), make_rng(seed))
    assert weights.shape == (fan_in, fan_out)
    assert_moments(weights, VARIANCES[name](fan_in, fan_out))


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@given(fan_in=fans, fan_out=fans, scale=st.floats(0.1, 16.0), seed=seeds)
def test_variance_is_scale_over_n(mode, distribution, fan_in, fan_out, scale, seed):
    scheme = VarianceScaling(scale, mode=mode, distribution=distribution)
    weights = scheme.draw((fan_in, fan_out), make_rng(seed))
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    assert_moments(weights, scale / n[mode])


@pytest.mark.parametrize("name", ["xavier_uniform", "he_uniform"])
@given(fan_in=fans, fan_out=fans, seed=seeds)
def test_uniform_weights_fill_their_interval(name, fan_in, fan_out, seed):
    weights = get_initializer(name).draw((fan_in, fan_out), make_rng(seed))
    bound = np.sqrt(3.0 * VARIANCES[name](fan_in, fan_out))
    # Of n uniform draws the largest falls short of the bound by about 1 / n of it.
    missing = 1.0 - np.array([weights.max(), -weights.min()]) / bound
    assert (missing >= 0.0).all()
    assert (missing < 30.0 / weights.size).all()


def extremes(name, shape=(784, 256)):
    weights = get_initializer(name).draw(shape, make_rng(0))
    return np.abs(weights).max(), weights.std()


def test_published_numbers():
    """Xavier (2010): sqrt(6 / 1040) = 0.07596; He (2015): sqrt(2 / 784) = 0.05051."""
    largest, std = extremes("xavier_uniform")
    assert_allclose(largest, 0.07596, atol=1e-5)
    assert_allclose(std, 0.07596 / np.sqrt(3.0), rtol=5e-3)
    largest, std = extremes("he_uniform")
    assert_allclose(largest, 0.05051 * np.sqrt(3.0), atol=1e-5)
    _, std = extremes("he_normal")
    assert_allclose(std, 0.05051, rtol=5e-3)


def test_normal_schemes_are_not_bounded():
    """A truncated or uniform draw would stay below 3 standard deviations."""
    for name in ("xavier_normal", "he_normal"):
        largest, std = extremes(name)
        assert 4.0 < largest / std < 6.0


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize(("alias", "name"), [("glorot", "xavier"), ("kaiming", "he")])
def test_aliases_make_the_same_scheme(alias, name, distribution):
    aliased = get_initializer(f"{alias}_{distribution}")
    assert repr(aliased) == repr(get_initializer(f"{name}_{distribution}"))


def test_each_name_makes_the_documented_parameters():
    for family, scale, mode in (("xavier", 1.0, "fan_avg"), ("he", 2.0, "fan_in")):
        for distribution in ("uniform", "normal"):
            assert get_initializer(f"{family}_{distribution}").get_params() == {
                "scale": scale,
                "mode": mode,
                "distribution": distribution,
            }


@given(sigma=st.floats(0.001, 3.0), seed=seeds)
def test_normal_ignores_the_size_of_the_layer(sigma, seed):
    for shape in ((100, 10), (10, 100)):
        assert_moments(Normal(sigma).draw(shape, make_rng(seed)), sigma**2)


def filled(initializer, seed=0, sizes=(20, 20, 20, 3), dtype=np.float64):
    net = Network(sizes, dtype=dtype)
    randomize(net.params)
    initializer.fill(net, np.ones((1, sizes[0]), dtype), make_rng(seed))
    return net


@pytest.mark.parametrize("initializer", [VarianceScaling(), Normal()], ids=repr)
def test_fill_draws_all_layers_anew_and_clears_the_biases(initializer):
    net = filled(initializer)
    assert all((c == 0.0).all() for _, c in net.dense)
    (W0, _), (W1, _), (W2, _) = net.dense
    assert abs(np.corrcoef(W0.ravel(), W1.ravel())[0, 1]) < 4 / np.sqrt(W0.size)
    rng = make_rng(0)
    for W in (W0, W1, W2):
        assert_array_equal(W, initializer.draw(W.shape, rng))


def test_zeros_clears_everything():
    assert_array_equal(filled(Zeros()).params.flat, np.zeros(20 * 43 + 43))


def test_a_seed_means_one_start():
    start = filled(VarianceScaling(), seed=1).params.flat
    assert_array_equal(start, filled(VarianceScaling(), seed=1).params.flat)
    assert not np.array_equal(start, filled(VarianceScaling(), seed=2).params.flat)


def test_a_seed_means_the_same_start_in_both_precisions():
    double, single = (filled(VarianceScaling(), dtype=t) for t in ("f8", "f4"))
    assert single.params.flat.dtype == np.float32
    assert_array_equal(single.params.flat, double.params.flat.astype("f4"))


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        (
            VarianceScaling(mode="fan_sum"),
            "mode='fan_sum' is not known. Use 'fan_in', 'fan_out' or 'fan_avg'.",
        ),
        (
            VarianceScaling(distribution="cauchy"),
            "distribution='cauchy' is not known. Use 'uniform' or 'normal'.",
        ),
        (VarianceScaling(0.0), "scale must be positive and finite; it is 0.0."),
        (VarianceScaling(-1.0), "scale must be positive and finite; it is -1.0."),
        (VarianceScaling(np.inf), "scale must be positive and finite; it is inf."),
        (VarianceScaling(np.nan), "scale must be positive and finite; it is nan."),
        (VarianceScaling("2"), "scale must be positive and finite; it is '2'."),
        (Normal(-0.1), "sigma must be finite and not negative; it is -0.1."),
        (Normal(np.inf), "sigma must be finite and not negative; it is inf."),
        (Normal(None), "sigma must be finite and not negative; it is None."),
    ],
)
def test_wrong_parameters_are_refused(initializer, message):
    with pytest.raises(ValueError) as error:
        get_initializer(initializer)
    assert str(error.value) == message
