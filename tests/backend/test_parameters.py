import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dbn.backend.parameters import Parameters

SHAPES = {"W": (2, 3), "b": (2,), "c": (3,)}


def numbered(dtype=np.float64):
    return Parameters(SHAPES, np.arange(11, dtype=dtype))


def assert_views_are_tied(params):
    """Writing a part changes `flat` and the other way round."""
    params["b"][...] = [-1.0, -2.0]
    assert_array_equal(params.flat[6:8], [-1.0, -2.0])
    params.flat[...] = 7.0
    assert all((params[name] == 7.0).all() for name in SHAPES)


def test_parts_lie_in_the_buffer_in_the_given_order():
    params = numbered()
    assert list(params) == ["W", "b", "c"]
    assert_array_equal(params["W"], [[0, 1, 2], [3, 4, 5]])
    assert_array_equal(params["b"], [6, 7])
    assert_array_equal(params["c"], [8, 9, 10])


@pytest.mark.parametrize(
    "remake",
    [
        lambda p: p,
        Parameters.copy,
        copy.copy,
        copy.deepcopy,
        lambda p: pickle.loads(pickle.dumps(p)),
    ],
    ids=["itself", "method", "copy", "deepcopy", "pickle"],
)
def test_views_stay_tied_to_the_buffer(remake):
    params = remake(numbered(np.float32))
    assert params.flat.dtype == np.float32
    assert_array_equal(params.flat, np.arange(11))
    assert_views_are_tied(params)


@pytest.mark.parametrize("remake", [Parameters.copy, copy.deepcopy])
def test_copies_do_not_share_memory(remake):
    params = numbered()
    remake(params).flat[...] = 0.0
    assert_array_equal(params.flat, np.arange(11))


def test_copy_of_a_read_only_buffer_can_be_trained():
    params = numbered()
    params.flat.flags.writeable = False
    assert_views_are_tied(params.copy())


def test_given_buffer_is_not_copied():
    flat = np.zeros(11)
    Parameters(SHAPES, flat)["W"][...] = 1.0
    assert flat.sum() == 6.0


def test_zeros_like_is_a_separate_zero_buffer():
    params = numbered(np.float32)
    zeros = params.zeros_like()
    assert zeros.shapes == params.shapes
    assert zeros.flat.dtype == np.float32
    assert_array_equal(zeros.flat, np.zeros(11))
    assert_views_are_tied(zeros)
    assert_array_equal(params.flat, np.arange(11))


@pytest.mark.parametrize("shape", [(10,), (12,), (11, 1)])
def test_buffer_of_wrong_size_is_refused(shape):
    with pytest.raises(ValueError, match=r"has shape .* need \(11,\)"):
        Parameters(SHAPES, np.zeros(shape))
