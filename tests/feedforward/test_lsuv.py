"""Layer-sequential unit variance: the initializer that looks at data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from dbn import Network
from dbn.backend.random import make_rng
from dbn.feedforward import LSUV, Dense, Orthogonal
from dbn.feedforward.layers import ACTIVATIONS
from tests.helpers import randomize, read_only

SIZES = (6, 9, 5, 7, 3)


def start(X, sizes=SIZES, dtype=np.float64, initializer=None, seed=0, **params):
    net = Network(sizes, dtype=dtype, **params)
    randomize(net.params)
    (initializer or LSUV()).fill(net, X, make_rng(seed))
    return net


def outputs(net, X):
    """What each dense layer puts out."""
    found = zip(net.layers, net.activations(X)[1:], strict=True)
    return [z for layer, z in found if isinstance(layer, Dense)]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(shift=st.floats(-3.0, 3.0), scale=st.floats(0.01, 100.0), seed=st.integers(0, 9))
def test_every_layer_has_variance_1(activation, batch_norm, shift, scale, seed):
    noise = np.random.default_rng(seed).standard_normal((50, 6))
    X = read_only(scale * (noise + shift))
    net = start(X, activation=activation, batch_norm=batch_norm, seed=seed)
    for z in outputs(net, X):
        assert_allclose(z.var(), 1.0, rtol=1e-9)


def test_weights_are_orthonormal_but_for_a_factor_and_biases_are_zero():
    net = start(np.random.default_rng(0).random((50, 6)), dropout=0.5)
    for W, c in net.dense:
        singular = np.linalg.svd(W, compute_uv=False)
        assert_allclose(singular, singular[0])
        assert (c == 0.0).all()


def test_single_precision_stays_and_reaches_it_too():
    X = (100.0 * np.random.default_rng(0).random((50, 6))).astype(np.float32)
    net = start(X, dtype=np.float32)
    assert net.params.flat.dtype == np.float32
    for z in outputs(net, X):
        assert_allclose(z.var(), 1.0, rtol=1e-4)


def test_of_many_rows_some_are_enough_also_when_they_are_in_order():
    X = np.sort(np.random.default_rng(0).exponential(size=(20_000, 6)), axis=0)
    for z in outputs(start(X), X):
        assert_allclose(z.var(), 1.0, rtol=0.1)  # the tolerance of the paper


def test_sparse_rows():
    X = np.random.default_rng(0).random((50, 6)) * (np.arange(6) % 2)
    dense, sparse = (start(rows).params.flat for rows in (X, csr_array(X)))
    assert_allclose(dense, sparse, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_equal_rows_give_the_variance_over_the_units(dtype):
    X = np.full((30, 6), 0.7, dtype=dtype)
    net = start(X, dtype=dtype)
    for z in outputs(net, X):
        assert_allclose(z.var(), 1.0, rtol=1e-4)
        assert np.ptp(z, axis=0).max() < 1e-5


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("value", [0.0, 0.7])
def test_a_layer_that_puts_out_one_number_stays_orthonormal(dtype, value):
    """All zero from zeros; or one output unit, the same for all (equal) rows."""
    X = np.full((30, 3), value, dtype=dtype)
    net = start(X, (3, 4, 1), dtype, activation="tanh", loss="squared_error")
    plain = start(X, (3, 4, 1), dtype, Orthogonal())
    assert_array_equal(net.params["W1"], plain.params["W1"])
    assert np.array_equal(net.params["W0"], plain.params["W0"]) == (value == 0.0)


def test_above_dead_units_weights_stay_orthonormal():
    X = 1.0 + np.random.default_rng(0).random((30, 1))
    alive = set()
    for seed in range(10):
        net = start(X, (1, 1, 3), activation="relu", seed=seed)
        assert np.isfinite(net.params.flat).all()
        dead = net.params["W0"][0, 0] < 0.0
        assert_allclose(net.activations(X)[1].var(), 1.0)
        if dead:
            assert_allclose(np.linalg.norm(net.params["W1"]), 1.0)
        alive.add(not dead)
    assert alive == {True, False}
