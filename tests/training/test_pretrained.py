"""Networks that start from a trained stack compute what the stack computes."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import DBN, RBM, Network
from dbn.backend.random import make_rng
from dbn.feedforward import Logistic, VarianceScaling
from dbn.training import Pretrained
from tests.helpers import randomize

SIZES = [6, 5, 4, 3]
X = make_rng(0).random((7, 6))


def stack(visible="bernoulli", hidden="bernoulli", sizes=SIZES, dtype=np.float64):
    rbms = []
    for layer, (n_visible, n_hidden) in enumerate(pairwise(sizes)):
        below = hidden if layer else visible
        rbms.append(RBM(n_visible, n_hidden, visible=below, hidden=hidden, dtype=dtype))
        randomize(rbms[-1].params, seed=layer, scale=2.0)
        rbms[-1].params.flat.flags.writeable = False  # never changed
    return DBN(rbms)


def started(dbn, activation="logistic", sizes=(*SIZES, 2)):
    dtype = dbn.rbms[0].params.flat.dtype
    net = Network(sizes, activation=activation, dtype=dtype)
    Pretrained(dbn).fill(net, X, make_rng(1))
    return net


def hidden_activities(dbn):
    h, activities = X, []
    for rbm in dbn.rbms:
        h = rbm.mean_hidden(h)
        activities.append(h)
    return activities


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
@pytest.mark.parametrize(
    ("activation", "converted"),
    [("logistic", lambda h: h), ("tanh", lambda h: 2.0 * h - 1.0)],
    ids=["logistic", "tanh"],
)
def test_hidden_activities_are_those_of_the_dbn(visible, activation, converted):
    dbn = stack(visible)
    outputs = started(dbn, activation).activations(X)[2:-1:2]
    for output, h in zip(outputs, hidden_activities(dbn), strict=True):
        assert_allclose(output, converted(h), rtol=0, atol=1e-12)
    if activation == "logistic":
        assert_allclose(outputs[-1], dbn.transform(X), rtol=0, atol=1e-12)


def test_logistic_layers_are_plain_copies():
    dbn = stack()
    for (W, c), rbm in zip(started(dbn).dense[:-1], dbn.rbms, strict=True):
        assert_array_equal(W, rbm.W)
        assert_array_equal(c, rbm.c)
        assert not np.shares_memory(W, rbm.W)


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_the_output_layer_starts_from_xavier(activation):
    xavier = Network([*SIZES, 2])
    VarianceScaling().fill(xavier, X, make_rng(1))
    W, c = started(stack(), activation).dense[-1]
    assert_array_equal(W, xavier.dense[-1][0])
    assert_array_equal(c, [0.0, 0.0])


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_float32_is_kept(activation):
    dbn = stack(dtype=np.float32)
    assert started(dbn, activation).params.flat.dtype == np.float32


class Swish(Logistic):
    """An activation derived from another: not one that is known to match."""

    def forward(self, x, p):
        return x * super().forward(x, p)


@pytest.mark.parametrize("activation", ["relu", Swish()])
def test_other_activations_are_refused(activation):
    with pytest.raises(ValueError, match=r"Bernoulli\(\) hidden units cannot start"):
        started(stack(), activation)


def test_the_refusal_names_both_and_the_way_out():
    with pytest.raises(ValueError) as error:
        started(stack(), "relu")
    assert str(error.value) == (
        "A DBN with Bernoulli() hidden units cannot start layers with the activation "
        "ReLU(). Bernoulli hidden units start 'logistic' and 'tanh' layers; for "
        "another activation use init='he_normal' or another data-free initializer."
    )


def test_other_hidden_units_are_refused():
    with pytest.raises(ValueError, match=r"Gaussian\(\) hidden units cannot start"):
        started(stack(hidden="gaussian"))


@pytest.mark.parametrize("sizes", [[6, 5, 4, 2], [6, 5, 4, 4, 2], [6, 5, 4, 3, 3, 2]])
def test_other_layer_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="Use the same hidden_layer_sizes for both"):
        started(stack(), sizes=sizes)
