import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

from dbn.backend.array import (
    count_not_finite,
    log_softmax,
    map_batches,
    matmul_into,
    mean_weights,
    sigmoid,
    softplus,
    take_rows,
)
from tests.helpers import read_only


def matrices(bound):
    """Float32 and float64 matrices with entries up to `bound`."""
    wide = arrays(
        np.float64, array_shapes(min_dims=2, max_dims=2), elements=_floats(bound, 64)
    )
    narrow = arrays(
        np.float32, array_shapes(min_dims=2, max_dims=2), elements=_floats(bound, 32)
    )
    return wide | narrow


def _floats(bound, width):
    usual = st.floats(-50.0, 50.0, width=width)
    return usual | st.floats(-bound, bound, width=width)


EXTREME = 2.0**125


@given(matrices(EXTREME))
def test_sigmoid_is_the_logistic_function(x):
    y = sigmoid(read_only(x))
    assert y.dtype == x.dtype
    eps = np.finfo(x.dtype).eps
    assert_allclose(y, scipy.special.expit(x.astype(float)), rtol=0, atol=2 * eps)


@given(matrices(EXTREME))
def test_softplus_is_stable(x):
    y = softplus(read_only(x))
    assert y.dtype == x.dtype
    eps = np.finfo(x.dtype).eps
    tiny = np.finfo(x.dtype).tiny
    assert_allclose(y, np.logaddexp(0.0, x.astype(float)), rtol=4 * eps, atol=tiny)


@given(matrices(EXTREME))
def test_log_softmax_is_stable(z):
    y = log_softmax(read_only(z))
    assert y.dtype == z.dtype
    eps = np.finfo(z.dtype).eps
    expected = scipy.special.log_softmax(z.astype(float), axis=1)
    # z - max(z) is rounded before the (small) normaliser is added.
    assert_allclose(y, expected, rtol=4 * eps, atol=100 * eps)


def test_take_rows_copies_in_the_order_asked():
    X = np.arange(6.0).reshape(3, 2)
    rows = take_rows(X, np.array([2, 0, 2]))
    assert_array_equal(rows, [[4, 5], [0, 1], [4, 5]])
    rows[...] = -1.0
    assert X.min() == 0.0


@pytest.mark.parametrize("columns", [np.s_[:4], np.s_[::2]], ids=["block", "strided"])
def test_matmul_into_fills_the_given_view(columns):
    rng = np.random.default_rng(0)
    a, b, buffer = rng.random((2, 3)), rng.random((3, 4)), np.zeros((2, 8))
    matmul_into(*read_only(a, b), buffer[:, columns])
    assert_allclose(buffer[:, columns], a @ b, rtol=1e-15)
    assert np.count_nonzero(buffer) == 8


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6).filter(any))
def test_integer_weights_count_repeated_rows(weight):
    rows = np.random.default_rng(0).standard_normal((len(weight), 3))
    mean = mean_weights(*read_only(rows, np.array(weight, dtype=float))) @ rows
    assert_allclose(mean, np.repeat(rows, weight, axis=0).mean(axis=0), atol=1e-14)


def test_without_weights_rows_count_alike():
    rows = np.random.default_rng(0).standard_normal((3, 4))
    assert_allclose(mean_weights(rows) @ rows, rows.mean(axis=0), atol=1e-15)


@pytest.mark.parametrize("weighted", [False, True])
def test_mean_weights_keep_float32(weighted):
    weight = np.ones(3, dtype=np.float32) if weighted else None
    assert mean_weights(np.ones((3, 2), np.float32), weight).dtype == np.float32


def test_count_not_finite():
    assert count_not_finite(np.array([[0.0, np.nan], [-np.inf, np.inf]])) == 3
    assert count_not_finite(np.zeros(3)) == 0


def test_map_batches_of_no_rows_and_of_many_results_per_row():
    assert map_batches(np.square, np.zeros((0, 3))).shape == (0, 3)
    X = np.arange(14.0).reshape(7, 2)
    assert_array_equal(map_batches(np.ravel, X, 3), X.ravel())


@pytest.mark.parametrize("function", [np.square, lambda X: X.sum(axis=1)])
@pytest.mark.parametrize("batch_size", [1, 3, 7, 8])
def test_map_batches_equals_one_call_on_small_batches(function, batch_size):
    X, seen = np.arange(14.0).reshape(7, 2), []

    def spy(rows):
        seen.append(rows.shape[0])
        return function(rows)

    assert_array_equal(map_batches(spy, X, batch_size), function(X))
    assert max(seen) <= batch_size
