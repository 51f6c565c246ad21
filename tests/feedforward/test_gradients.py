"""Back-propagation of every combination against finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import Network
from dbn.backend.random import make_rng
from dbn.feedforward import (
    ELU,
    BinaryCrossEntropy,
    BlockLoss,
    LeakyReLU,
    OfKnown,
    SoftmaxCrossEntropy,
    SpinCrossEntropy,
    SquaredError,
    get_activation,
)
from dbn.feedforward.layers import ACTIVATIONS
from dbn.feedforward.losses import LOSSES
from tests.helpers import numerical_gradient, randomize, read_only

STEP = 1e-6
WEIGHT = read_only(np.array([1.0, 0.2, 3.0, 0.0, 2.5, 1.0]))
activations = pytest.mark.parametrize(
    "activation", [*ACTIVATIONS, LeakyReLU(0.25), ELU(0.5)], ids=str
)
losses = pytest.mark.parametrize("loss", LOSSES)
weights = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])


def problem(activation, loss, n_hidden, n_rows=6, **options):
    """A small net with random parameters, and rows and targets for it."""
    sizes = [4, *[5, 3, 4][:n_hidden], 3]
    net = Network(sizes, activation=activation, loss=loss, **options)
    randomize(net.params, seed=n_hidden, scale=0.8)
    rng = np.random.default_rng(10)
    X, y = rng.standard_normal((n_rows, 4)), rng.standard_normal((n_rows, 3))
    if loss == "cross_entropy":
        y = np.eye(3)[rng.integers(3, size=n_rows)]
    if loss == "binary_cross_entropy":
        y = rng.integers(2, size=(n_rows, 3)).astype(float)
    return net, *read_only(X, y)


def gradient(net, X, y, weight=None, rng=None):
    out = net.params.zeros_like()
    net.gradient(X, y, out, weight, rng)
    return out.flat


@weights
@pytest.mark.parametrize("n_hidden", [0, 1, 2, 3])
@losses
@activations
def test_gradient_is_that_of_the_loss(activation, loss, n_hidden, weight):
    net, X, y = problem(activation, loss, n_hidden)
    hidden_inputs = net.activations(X)[1:-1:2]
    # Far enough from the kink of a rectifier for the difference quotient.
    assert all(np.abs(z).min() > 100 * STEP for z in hidden_inputs)

    def loss_value():
        return net.loss.value(net.forward(X), y, weight)

    expected = numerical_gradient(loss_value, net.params.flat, STEP)
    assert_allclose(gradient(net, X, y, weight), expected, rtol=1e-6, atol=1e-9)


# Autoencoders: other activations for the code, holes in the rows.
RECONSTRUCTION = {
    "in [0, 1]": BinaryCrossEntropy(),
    "numbers": SquaredError(),
    "-1 and 1": SpinCrossEntropy(),
    "mixed": BlockLoss(
        [(SquaredError(), 1), (SoftmaxCrossEntropy(), 2), (BinaryCrossEntropy(), 1)]
    ),
}


def rows_to_give_back(kind, rng):
    rows = rng.standard_normal((6, 4))
    if kind == "in [0, 1]":
        rows = rng.random((6, 4))
    if kind == "-1 and 1":
        rows = np.sign(rows)
    if kind == "mixed":
        rows[:, 1:3] = np.eye(2)[rng.integers(2, size=6)]
        rows[:, 3] = rng.random(6)
    target = rows.copy()
    target[1, 0] = target[4, 3] = np.nan
    return read_only(rows, target)


@weights
@pytest.mark.parametrize("kind", RECONSTRUCTION)
@pytest.mark.parametrize("code", ["identity", "logistic", "tanh", "relu"])
@activations
def test_gradient_of_an_autoencoder(activation, code, kind, weight):
    net = Network(
        [4, 5, 2, 5, 4],
        activation=[activation, code, activation],
        loss=OfKnown(RECONSTRUCTION[kind]),
    )
    randomize(net.params, seed=4, scale=0.8)
    X, y = rows_to_give_back(kind, np.random.default_rng(3))
    assert all(np.abs(z).min() > 100 * STEP for z in net.activations(X)[1:-1:2])

    def loss_value():
        return net.loss.value(net.forward(X), y, weight)

    expected = numerical_gradient(loss_value, net.params.flat, STEP)
    assert_allclose(gradient(net, X, y, weight), expected, rtol=1e-6, atol=1e-8)


class Watched(type(get_activation("relu"))):
    """Rectifier that remembers how near to its kink it came."""

    nearest = np.inf

    def forward(self, x, p):
        self.nearest = min(self.nearest, np.abs(x).min())
        return super().forward(x, p)


@weights
@pytest.mark.parametrize(
    "options",
    [
        {"batch_norm": True},
        {"dropout": 0.4},
        {"dropout": [0.3, 0.4, 0.2]},
        {"batch_norm": True, "dropout": [0.2, 0.0, 0.3]},
    ],
    ids=str,
)
@losses
@activations
def test_gradient_in_training_with_the_same_masks(activation, loss, options, weight):
    """The loss that `gradient` returns depends on parameters and masks alone."""
    net, X, y = problem(activation, loss, 2, **options)
    if net.statistics.flat.size:  # what prediction would use must not matter
        net.statistics.flat[...] = 7.0
    unused = net.params.zeros_like()

    def loss_value():
        return net.gradient(X, y, unused, weight, make_rng(3))

    expected = numerical_gradient(loss_value, net.params.flat, STEP)
    found = gradient(net, X, y, weight, make_rng(3))
    assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_the_check_above_stays_clear_of_the_kink():
    for options in ({"batch_norm": True}, {"dropout": [0.3, 0.4, 0.2]}):
        net, X, y = problem(Watched(), "cross_entropy", 2, **options)
        gradient(net, X, y, WEIGHT, make_rng(3))
        assert net.activation.nearest > 100 * STEP


def test_masks_and_moments_reach_the_gradient():
    """Guards the check above against a training pass that is the plain one."""
    net, X, y = problem("tanh", "squared_error", 2)
    plain = gradient(net, X, y)
    for options in ({"batch_norm": True}, {"dropout": 0.4}, {"dropout": [0.3, 0, 0]}):
        other, _, _ = problem("tanh", "squared_error", 2, **options)
        for name in net.params:
            other.params[name][...] = net.params[name]
        out = other.params.zeros_like()
        other.gradient(X, y, out, rng=make_rng(3))
        moved = np.concatenate([out[name].ravel() for name in net.params])
        assert np.abs(moved - plain).max() > 1e-2


def test_biases_below_batch_norm_have_no_gradient():
    net, X, y = problem("tanh", "cross_entropy", 2, batch_norm=True)
    out = net.params.zeros_like()
    net.gradient(X, y, out, WEIGHT)
    assert_allclose(np.concatenate([out["c0"], out["c1"]]), 0.0, atol=1e-15)
    assert np.abs(out["c2"]).max() > 1e-3


@losses
def test_gradient_returns_the_loss(loss):
    net, X, y = problem("logistic", loss, 2)
    weight, out = np.arange(1.0, 7.0), net.params.zeros_like()
    value = net.gradient(X, y, out, weight)
    assert_allclose(value, net.loss.value(net.forward(X), y, weight), rtol=1e-14)


@pytest.mark.parametrize("batch_norm", [False, True])
@losses
def test_integer_weights_count_repeated_rows(loss, batch_norm):
    net, X, y = problem("tanh", loss, 2, batch_norm=batch_norm)
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


def test_without_rates_and_batch_norm_the_random_stream_is_not_used():
    net, X, y = problem("relu", "cross_entropy", 2, dropout=0.0)
    assert_array_equal(gradient(net, X, y, rng=None), gradient(net, X, y))
    rng = make_rng(0)
    net.gradient(X, y, net.params.zeros_like(), rng=rng)
    assert rng.random() == make_rng(0).random()
