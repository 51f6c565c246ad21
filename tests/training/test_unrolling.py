"""An autoencoder that starts from a stack computes what the stack computes."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import DBN, RBM, Network
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, Gaussian, Mixed, ReLU, Softmax, Spin
from dbn.feedforward import (
    BinaryCrossEntropy,
    BlockLoss,
    SoftmaxCrossEntropy,
    SpinCrossEntropy,
    SquaredError,
)
from dbn.training import Unrolled
from dbn.training.unrolling import reconstruction_loss
from tests.helpers import randomize

SIZES = [6, 5, 4, 3]
# Units of 6 columns -> a loss whose outputs they have.
TABLE = Mixed(((Gaussian(learn_variance=True), 2), (Softmax(3), 3), (Bernoulli(), 1)))
VISIBLE = {
    "Bernoulli": Bernoulli(),
    "Gaussian": Gaussian(),
    "learned variance": Gaussian(learn_variance=True),
    "spins": Spin(),
    "categories": Softmax((2, 4)),
    "mixed": TABLE,
}
# Hidden units that start layers with an activation.
UNITS = {"logistic": "bernoulli", "tanh": "bernoulli", "identity": "gaussian"}


def stack(visible="bernoulli", activation="logistic", code="logistic"):
    rbms = []
    for i, (n_visible, n_hidden) in enumerate(pairwise(SIZES)):
        hidden = UNITS[code if i == 2 else activation]
        rbms.append(RBM(n_visible, n_hidden, visible=visible, hidden=hidden))
        randomize(rbms[-1].params, seed=i, scale=0.7)
        visible = hidden
    return DBN(rbms)


def rows(visible):
    rng = make_rng(0)
    if isinstance(visible, Bernoulli):
        return rng.random((7, 6))
    if isinstance(visible, Spin):
        return np.sign(rng.standard_normal((7, 6)))
    return rng.standard_normal((7, 6))  # a mean-field pass takes any number


def unrolled(dbn, activation="logistic", code="logistic", structure="dbn", **options):
    sizes = [*SIZES, *SIZES[-2::-1]]
    net = Network(
        sizes,
        activation=[activation, activation, code, activation, activation],
        loss=reconstruction_loss(dbn.rbms[0].visible, SIZES[0]),
        **options,
    )
    Unrolled(dbn, structure).fill(net, None, make_rng(1))
    return net


@pytest.mark.parametrize("visible", VISIBLE)
@pytest.mark.parametrize("activation", UNITS)
@pytest.mark.parametrize("code", UNITS)
def test_the_net_gives_what_the_stack_gives_down_after_up(visible, activation, code):
    units = VISIBLE[visible]
    dbn, X = stack(units, activation, code), rows(units)
    net = unrolled(dbn, activation, code)
    expected = dbn.inverse_transform(dbn.transform(X))
    assert_allclose(net.predict(X), expected, rtol=0, atol=1e-10)
    codes = net.cut(3)[0].forward(X)
    converted = dbn.transform(X)
    if code == "tanh":
        converted = 2.0 * converted - 1.0
    assert_allclose(codes, converted, rtol=0, atol=1e-10)


def test_logistic_layers_have_the_transposed_weights_and_the_visible_biases():
    dbn = stack()
    net = unrolled(dbn)
    for i, rbm in enumerate(dbn.rbms):
        (W, c), (W_down, c_down) = net.dense[i], net.dense[-1 - i]
        assert_array_equal(W, rbm.W)
        assert_array_equal(c, rbm.c)
        assert_array_equal(W_down, rbm.W.T)
        assert_array_equal(c_down, rbm.b)


def test_the_halves_are_free_from_then_on():
    dbn = stack()
    net = unrolled(dbn)
    net.dense[0][0][...] = 0.0
    assert_array_equal(net.dense[-1][0], dbn.rbms[0].W.T)
    assert dbn.rbms[0].W.any()


@pytest.mark.parametrize("structure", ["dbn-shuffled", "dbn-resampled"])
def test_the_controls_keep_the_decoder_tied_to_the_encoder(structure):
    dbn = stack()
    net = unrolled(dbn, structure=structure)
    for i, rbm in enumerate(dbn.rbms):
        assert_array_equal(net.dense[-1 - i][0], net.dense[i][0].T)
        assert set(net.dense[i][0].ravel()) <= set(rbm.W.ravel())
        assert set(net.dense[-1 - i][1]) <= set(rbm.b)
        assert np.abs(net.dense[i][0] - rbm.W).max() > 0.1


def test_rectified_units_are_near():
    rbm = RBM(6, 5, hidden=ReLU())
    randomize(rbm.params, scale=5.0)
    net = Network([6, 5, 6], activation="relu", loss="binary_cross_entropy")
    Unrolled(DBN([rbm])).fill(net, None, make_rng(0))
    assert_array_equal(net.dense[1][0], rbm.W.T)


def test_single_precision_is_kept():
    rbm = RBM(6, 5, dtype=np.float32)
    randomize(rbm.params)
    net = Network([6, 5, 6], loss="binary_cross_entropy", dtype=np.float32)
    Unrolled(DBN([rbm])).fill(net, None, make_rng(0))
    assert net.predict(rows(Bernoulli()).astype(np.float32)).dtype == np.float32


def test_what_does_not_fit_is_refused():
    dbn, rng = stack(), make_rng(0)
    with pytest.raises(ValueError, match=r"the layer sizes \[6, 5, 4, 3, 4, 5, 6\]"):
        Unrolled(dbn).fill(Network([6, 5, 4, 5, 6]), None, rng)
    sizes = [*SIZES, *SIZES[-2::-1]]
    lopsided = ["logistic", "logistic", "logistic", "tanh", "logistic"]
    with pytest.raises(ValueError, match="not the same on both sides of the code"):
        Unrolled(dbn).fill(Network(sizes, activation=lopsided), None, rng)
    with pytest.raises(ValueError, match=r"Bernoulli\(\) hidden units cannot start"):
        Unrolled(dbn).fill(Network(sizes, activation="relu"), None, rng)
    with pytest.raises(ValueError, match="structure='dense'"):
        Unrolled(dbn, "dense").fill(Network(sizes), None, rng)


@pytest.mark.parametrize(
    ("units", "loss"),
    [
        (Bernoulli(), BinaryCrossEntropy()),
        (Gaussian(), SquaredError()),
        (ReLU(), SquaredError()),
        (Spin(), SpinCrossEntropy()),
        (Softmax(6), SoftmaxCrossEntropy()),
        (Softmax(2), BlockLoss([(SoftmaxCrossEntropy(), 2)] * 3)),
        (Softmax((2, 4)), BlockLoss([(SoftmaxCrossEntropy(), n) for n in (2, 4)])),
        (
            TABLE,
            BlockLoss(
                [
                    (SquaredError(), 2),
                    (SoftmaxCrossEntropy(), 3),
                    (BinaryCrossEntropy(), 1),
                ]
            ),
        ),
        (
            Mixed(((Gaussian(), 2), (Gaussian(learn_variance=True), 4))),
            SquaredError(),
        ),
    ],
    ids=repr,
)
def test_the_loss_goes_with_the_units(units, loss):
    assert reconstruction_loss(units, 6) == loss
