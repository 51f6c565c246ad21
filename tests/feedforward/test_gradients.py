"""Back-propagation of every combination against finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dbn import Network
from dbn.feedforward.layers import ACTIVATIONS
from dbn.feedforward.losses import LOSSES
from tests.helpers import numerical_gradient, randomize, read_only

STEP = 1e-6


def problem(activation, loss, n_hidden, n_rows=6):
    """A small net with random parameters, and rows and targets for it."""
    net = Network([4, *[5, 3, 4][:n_hidden], 3], activation=activation, loss=loss)
    randomize(net.params, seed=n_hidden, scale=0.8)
    rng = np.random.default_rng(10)
    X, y = rng.standard_normal((n_rows, 4)), rng.standard_normal((n_rows, 3))
    if loss == "cross_entropy":
        y = np.eye(3)[rng.integers(3, size=n_rows)]
    return net, *read_only(X, y)


def gradient(net, X, y, weight=None):
    out = net.params.zeros_like()
    net.gradient(X, y, out, weight)
    return out.flat


@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("n_hidden", [0, 1, 2, 3])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_is_that_of_the_loss(activation, loss, n_hidden, weighted):
    net, X, y = problem(activation, loss, n_hidden)
    weight = np.array([1.0, 0.2, 3.0, 0.0, 2.5, 1.0]) if weighted else None
    hidden_inputs = net.activations(X)[1:-1:2]
    # Far enough from the kink of the rectifier for the difference quotient.
    assert all(np.abs(z).min() > 100 * STEP for z in hidden_inputs)

    def loss_value():
        return net.loss.value(net.forward(X), y, weight)

    expected = numerical_gradient(loss_value, net.params.flat, STEP)
    assert_allclose(gradient(net, X, y, weight), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_returns_the_loss(loss):
    net, X, y = problem("logistic", loss, 2)
    weight, out = np.arange(1.0, 7.0), net.params.zeros_like()
    value = net.gradient(X, y, out, weight)
    assert_allclose(value, net.loss.value(net.forward(X), y, weight), rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_integer_weights_count_repeated_rows(loss):
    net, X, y = problem("tanh", loss, 2)
    counts = [2, 1, 0, 4, 1, 3]
    repeated = gradient(net, *(np.repeat(rows, counts, axis=0) for rows in (X, y)))
    weighted = gradient(net, X, y, np.array(counts, dtype=float))
    assert_allclose(weighted, repeated, rtol=1e-10, atol=1e-12)


def test_gradient_does_not_grow_with_the_batch():
    net, X, y = problem("logistic", "cross_entropy", 1)
    tripled = gradient(net, np.tile(X, (3, 1)), np.tile(y, (3, 1)))
    assert_allclose(tripled, gradient(net, X, y), rtol=1e-12, atol=1e-15)


def test_gradient_overwrites_what_the_buffer_held():
    net, X, y = problem("relu", "squared_error", 2)
    out = net.params.zeros_like()
    out.flat[...] = 99.0
    net.gradient(X, y, out)
    assert_allclose(out.flat, gradient(net, X, y), rtol=1e-14)
