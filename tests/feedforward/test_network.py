import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import Network
from tests.helpers import randomize, read_only


def small(**options):
    net = Network([4, 3, 5, 2], **options)
    randomize(net.params)
    return net


def test_parts_lie_in_the_buffer_from_the_data_upwards():
    shapes = {"W0": (4, 3), "c0": (3,), "W1": (3, 5), "c1": (5,), "W2": (5, 2)}
    assert small().params.shapes == shapes | {"c2": (2,)}
    assert list(small().params) == ["W0", "c0", "W1", "c1", "W2", "c2"]


def test_dense_gives_views_of_the_parameters():
    net = small()
    assert [W.shape for W, _ in net.dense] == [(4, 3), (3, 5), (5, 2)]
    for i, (W, c) in enumerate(net.dense):
        W[...], c[...] = i, -i
        assert (net.params[f"W{i}"] == i).all()
        assert (net.params[f"c{i}"] == -i).all()


def test_forward_is_the_composition_of_its_layers():
    net, X = small(activation="tanh"), np.random.default_rng(1).random((6, 4))
    (W0, c0), (W1, c1), (W2, c2) = net.dense
    h0 = np.tanh(X @ W0 + c0)
    h1 = np.tanh(h0 @ W1 + c1)
    outputs = net.activations(read_only(X))
    assert_array_equal(outputs[0], X)
    assert_allclose(outputs[2], h0, rtol=1e-13)
    assert_allclose(outputs[4], h1, rtol=1e-13)
    assert_allclose(outputs[-1], h1 @ W2 + c2, rtol=1e-12)
    assert_array_equal(net.forward(X), outputs[-1])
    assert_array_equal(net.predict(X), net.loss.predict(outputs[-1]))


def test_forward_does_not_depend_on_the_other_rows():
    net, X = small(), np.random.default_rng(0).standard_normal((5000, 4))
    rows = [0, 4095, 4096, 4999]
    assert_allclose(net.forward(X)[rows], net.forward(X[rows]), rtol=1e-12)


def test_without_hidden_layers_it_is_a_linear_model():
    net, X = Network([4, 2], loss="squared_error"), np.ones((3, 4))
    randomize(net.params)
    assert_allclose(net.predict(X), X @ net.params["W0"] + net.params["c0"])


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_float32_is_kept(activation, loss):
    net = small(activation=activation, loss=loss, dtype=np.float32)
    X, y = read_only(np.ones((3, 4), np.float32), np.ones((3, 2), np.float32))
    out = net.params.zeros_like()
    results = [*net.activations(X), net.predict(X), net.gradient(X, y, out), out.flat]
    assert {r.dtype for r in results} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "remake", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))]
)
def test_copies_predict_the_same_and_are_trained_apart(remake):
    net, X = small(), np.ones((2, 4))
    twin, before = remake(net), net.forward(X)
    assert_array_equal(twin.forward(X), before)
    twin.params.flat[...] = 0.0
    assert_array_equal(twin.forward(X), np.zeros((2, 2)))
    assert_array_equal(net.forward(X), before)


def test_repr_shows_sizes_and_parts():
    shown = "Network([4, 3, 2], activation=ReLU(), loss=SquaredError())"
    assert repr(Network([4, 3, 2], activation="relu", loss="squared_error")) == shown


@pytest.mark.parametrize("sizes", [[], [4], [4, 0, 2], [4, 2.5]])
def test_too_few_or_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="positive sizes"):
        Network(sizes)
