import array_api_strict
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

from dbn.feedforward import (
    ELU,
    Dense,
    Identity,
    LeakyReLU,
    Logistic,
    ReLU,
    ScaledTanh,
    Softplus,
    Softsign,
    Tanh,
    get_activation,
)
from dbn.feedforward.layers import ACTIVATIONS
from tests.helpers import numerical_gradient, read_only


def elu(x, alpha):
    return np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0.0)) - 1.0))


FUNCTIONS = {
    Logistic(): scipy.special.expit,
    Tanh(): np.tanh,
    ScaledTanh(): lambda x: 1.7159 * np.tanh(2.0 * x / 3.0),
    ReLU(): lambda x: np.maximum(x, 0.0),
    LeakyReLU(): lambda x: np.where(x > 0, x, 0.01 * x),
    LeakyReLU(0.25): lambda x: np.where(x > 0, x, 0.25 * x),
    LeakyReLU(1.5): lambda x: np.where(x > 0, x, 1.5 * x),
    ELU(): lambda x: elu(x, 1.0),
    ELU(0.5): lambda x: elu(x, 0.5),
    Softsign(): lambda x: x / (1.0 + np.abs(x)),
    Softplus(): lambda x: np.logaddexp(0.0, x),
    Identity(): lambda x: x,
}
each_activation = pytest.mark.parametrize("layer", FUNCTIONS, ids=repr)

# Multiples of 1/8 keep the rectifiers away from their kink: shifted by 1/16 below.
near = st.integers(-80, 80).map(lambda i: i / 8 + 1 / 16)
far = st.integers(-8000, 8000).map(lambda i: i / 8 + 1 / 16)
inputs = arrays(
    np.float64, array_shapes(min_dims=2, max_dims=2, max_side=4), elements=near | far
)
extremes = [0.0, -0.0, 1e-30, -1e-30, 88.0, -88.0, 750.0, -750.0, 1e30, -1e30]
single = arrays(
    np.float32,
    (2, 3),
    elements=st.sampled_from(extremes) | st.floats(-1e3, 1e3, width=32),
)


@each_activation
@given(x=inputs)
def test_activation_is_its_function(layer, x):
    y = layer.forward(read_only(x), {})
    assert_allclose(y, FUNCTIONS[layer](x), rtol=1e-12, atol=1e-15)


@each_activation
@given(x=inputs)
def test_slope_is_the_derivative(layer, x):
    slope = layer.slope(read_only(layer.forward(x, {})))
    # One entry at a time: in a sum the large values would swallow the small.
    for i in np.ndindex(x.shape):
        entry = np.array([x[i]])
        expected = numerical_gradient(lambda e=entry: FUNCTIONS[layer](e)[0], entry)
        assert_allclose(slope[i], expected[0], atol=1e-6)


@each_activation
@given(x=single)
def test_activations_are_safe_and_keep_float32(layer, x):
    y = layer.forward(read_only(x), {})
    slope = layer.slope(read_only(y))
    assert y.dtype == slope.dtype == np.float32
    assert y.shape == slope.shape == x.shape
    assert np.isfinite(y).all()
    assert np.isfinite(slope).all()
    assert (slope >= 0).all()
    expected = FUNCTIONS[layer](x.astype(np.float64))
    assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@each_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_on_another_library(layer, dtype):
    x = np.array([[-750.0, -1.5, 0.0], [0.25, 3.0, 750.0]], dtype)
    y = layer.forward(array_api_strict.asarray(x), {})
    slope = layer.slope(y)
    for result, expected in (
        (y, layer.forward(x, {})),
        (slope, layer.slope(layer.forward(x, {}))),
    ):
        assert result.__array_namespace__() is array_api_strict
        assert_allclose(np.asarray(result), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_torch_has_the_same_functions_and_slopes(name):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    theirs = {
        "logistic": torch.sigmoid,
        "scaled_tanh": lambda x: 1.7159 * torch.tanh(2.0 / 3.0 * x),
        "identity": lambda x: x * 1.0,
    }
    x = torch.linspace(-1000.0, 1000.0, 4001, dtype=torch.float64, requires_grad=True)
    expected = theirs.get(name, getattr(functional, name, None))(x)
    expected.sum().backward()
    layer = get_activation(name)
    y = layer.forward(x.detach().numpy(), {})
    assert_allclose(y, expected.detach().numpy(), rtol=1e-7, atol=1e-15)
    # torch takes x itself for log(1 + exp(x)) above 20, an error of 2e-9.
    assert_allclose(layer.slope(y), x.grad.numpy(), rtol=1e-7, atol=1e-8)


def test_published_points():
    """LeCun et al. (1998), section 4.4: f(+-1) = +-1."""
    y = ScaledTanh().forward(np.array([[-1.0, 0.0, 1.0]]), {})
    assert_allclose(y, [[-1.0, 0.0, 1.0]], atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (LeakyReLU(-0.1), "LeakyReLU: negative_slope must be a number in [0, inf); it"),
        (LeakyReLU(np.nan), "it is nan."),
        (ELU(0.0), "ELU: alpha must be a number in (0, inf); it is 0.0."),
        (ELU("1"), "it is '1'."),
        ("prelu", "activation='prelu' is not known. Use one of ['elu', 'identity', "),
    ],
)
def test_wrong_parameters_are_refused(layer, message):
    with pytest.raises(ValueError) as error:
        get_activation(layer)
    assert message in str(error.value)


@each_activation
def test_backward_multiplies_by_the_slope(layer):
    x, delta = read_only(np.array([[-1.5, 0.5]]), np.array([[2.0, -3.0]]))
    y = layer.forward(x, {})
    assert_array_equal(layer.backward(delta, x, y, {}, {}), delta * layer.slope(y))


def test_relu_has_slope_zero_at_zero():
    assert_array_equal(ReLU().slope(np.zeros((1, 2))), np.zeros((1, 2)))


def dense_problem():
    rng = np.random.default_rng(0)
    p = {"W": rng.random((3, 2)), "c": rng.random(2)}
    g = {"W": np.full((3, 2), 99.0), "c": np.full(2, 99.0)}
    return read_only(rng.random((4, 3)), rng.random((4, 2))), p, g


def test_dense_is_an_affine_map():
    (x, _), p, _ = dense_problem()
    expected = [[row @ p["W"][:, j] + p["c"][j] for j in range(2)] for row in x]
    assert_allclose(Dense(3, 2).forward(x, p), expected, rtol=1e-14)


def test_dense_backward_is_the_gradient_of_its_forward():
    (x, delta), p, g = dense_problem()
    layer, x = Dense(3, 2), x.copy()
    dx = layer.backward(delta, x, None, p, g)

    def objective():
        return (layer.forward(x, p) * delta).sum()

    for analytic, array in ((g["W"], p["W"]), (g["c"], p["c"]), (dx, x)):
        assert_allclose(analytic, numerical_gradient(objective, array), rtol=1e-6)


def test_dense_skips_the_input_gradient_that_nobody_needs():
    (x, delta), p, g = dense_problem()
    assert Dense(3, 2).backward(delta, x, None, p, g, input_gradient=False) is None
    assert (g["W"] != 99.0).all()
