import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

from dbn.feedforward import Dense, Logistic, ReLU, Tanh
from tests.helpers import numerical_gradient, read_only

FUNCTIONS = {
    Logistic(): scipy.special.expit,
    Tanh(): np.tanh,
    ReLU(): lambda x: np.maximum(x, 0.0),
}
each_activation = pytest.mark.parametrize("layer", FUNCTIONS, ids=repr)

# Multiples of 1/8 keep the rectifier away from its kink: shifted by 1/16 below.
eighths = st.integers(-80, 80).map(lambda i: i / 8 + 1 / 16)
inputs = arrays(
    np.float64, array_shapes(min_dims=2, max_dims=2, max_side=4), elements=eighths
)


@each_activation
@given(x=inputs)
def test_activation_is_its_function(layer, x):
    assert_allclose(layer.forward(read_only(x), {}), FUNCTIONS[layer](x), atol=1e-15)


@each_activation
@given(x=inputs)
def test_slope_is_the_derivative(layer, x):
    slope = layer.slope(read_only(layer.forward(x, {})))
    expected = numerical_gradient(lambda: FUNCTIONS[layer](x).sum(), x)
    assert_allclose(slope, expected, atol=1e-7)


@each_activation
def test_backward_multiplies_by_the_slope(layer):
    x, delta = read_only(np.array([[-1.5, 0.5]]), np.array([[2.0, -3.0]]))
    y = layer.forward(x, {})
    assert_array_equal(layer.backward(delta, x, y, {}, {}), delta * layer.slope(y))


def test_relu_has_slope_zero_at_zero():
    assert_array_equal(ReLU().slope(np.zeros((1, 2))), np.zeros((1, 2)))


@each_activation
def test_activations_keep_float32(layer):
    x = np.array([[-1.0, 2.0]], dtype=np.float32)
    y = layer.forward(x, {})
    assert y.dtype == layer.slope(y).dtype == np.float32


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
