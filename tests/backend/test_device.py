"""Arrays of other libraries and devices, rows that are sent in batches, their noise."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from dbn.backend.array import map_batches, mean_weights, namespace, take_rows
from dbn.backend.device import (
    asarray_like,
    beside,
    converted,
    find_device,
    numpy_dtype,
    rows_on_device,
    to_host,
)
from dbn.backend.random import (
    DeviceStream,
    bernoulli,
    host_noise,
    make_rng,
    normal,
    renew,
    stream_on,
    uniform,
)
from dbn.backend.rows import ScaledRows
from tests.helpers import read_only
from tests.libraries import DEVICES, ON_TORCH, NumPy

each_device = pytest.mark.parametrize("device", DEVICES)
on_torch = pytest.mark.parametrize("torch", ON_TORCH)
X = np.random.default_rng(0).integers(0, 256, (50, 4), dtype=np.uint8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_there_and_back(library, dtype):
    values = read_only(np.array([[1, 0], [3, 1]], dtype=dtype))
    like = library.asarray(np.zeros(1, dtype=np.float32))
    for given in (values, values[::-1, ::-1], values[:, 0], library.asarray(values)):
        found = beside(given, like)
        assert namespace(found) is library.xp
        assert found.device == like.device
        back = to_host(found)
        assert type(back) is np.ndarray
        assert back.dtype == dtype
        assert_array_equal(back, to_host(given))
        assert to_host(asarray_like(given, like)).dtype == np.float32
    assert beside(like, like) is like
    assert numpy_dtype(like) == np.float32
    assert_array_equal(to_host(asarray_like([1, 2], like)), [1.0, 2.0])


def test_what_is_no_array_stays():
    tree = {"a": None, "b": (1, "two", [3.0]), "c": np.float64(4.0), "d": len}
    assert converted(tree, lambda array: 1 / 0) == tree
    assert to_host("x") == "x"


@each_device
@pytest.mark.parametrize("kind", ["array", "sparse", "scaled"])
def test_rows_that_are_sent_in_batches(kind, device):
    scaled = ScaledRows(X, divide_by=255, dtype=float)
    source = {"array": X / 255, "sparse": csr_array(X / 255), "scaled": scaled}[kind]
    rows = rows_on_device(source, find_device(device), resident=False)
    assert (rows.shape, len(rows), rows.ndim) == ((50, 4), 50, 2)
    for index in (np.array([3, 1, 3]), slice(2, 9)):
        for found in (rows[index], rows[index, ...], rows[index, :]):
            assert found.device == rows.device
            assert found.dtype == rows.dtype
            assert_array_equal(to_host(found), (X / 255)[index])
    assert_array_equal(to_host(take_rows(rows, np.array([4]))), (X / 255)[[4]])
    mean = mean_weights(rows) @ rows
    np.testing.assert_allclose(to_host(mean), (X / 255).mean(axis=0), rtol=1e-12)
    doubled = map_batches(lambda part: 2.0 * part, rows, batch_size=7)
    assert_array_equal(to_host(doubled), 2.0 * (X / 255))
    (order,) = rows.shuffled(make_rng(0))
    assert_array_equal(order, make_rng(0).permutation(50))
    with pytest.raises(IndexError, match="indexed by rows"):
        rows[:, 1]
    resident = rows_on_device(source, find_device(device))
    assert hasattr(resident, "storage") == (kind == "array")


# Noise


def draws(rng, like):
    found = uniform(rng, (3, 2), like), normal(rng, (3, 2), like)
    return [to_host(a) for a in (*found, bernoulli(rng, found[0]))]


@on_torch
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_depends_on_the_stream_and_the_epoch(torch, dtype):
    like = torch.asarray(np.zeros(1, dtype=dtype))
    rng = stream_on(make_rng(0), like)
    assert isinstance(rng, DeviceStream)
    assert stream_on(rng, like) is rng
    first, more = draws(rng, like), draws(rng, like)
    assert {a.dtype for a in first} == {np.dtype(dtype)}
    assert (first[0] != more[0]).all()
    # The stream of NumPy has not moved, and is all that the noise depends on.
    assert rng.random() == make_rng(0).random()
    again = stream_on(make_rng(0), like)
    for epoch, same in ((0, True), (1, False)):
        renew(again, epoch)
        assert (draws(again, like)[0] == first[0]).all() == same
    again.permutation(5)
    renew(again, 0)
    assert (draws(again, like)[0] != first[0]).all()
    assert isinstance(copy.deepcopy(again), np.random.Generator)


@on_torch
def test_the_host_can_draw_the_noise(torch):
    like = torch.asarray(np.zeros(1))
    with host_noise():
        assert isinstance(stream_on(make_rng(0), like), np.random.Generator)
    found = draws(make_rng(0), like)
    expected = draws(make_rng(0), NumPy.asarray([0.0]))
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one, other)


@on_torch
def test_units_without_a_probability_are_off(torch):
    p = torch.asarray(np.array([0.0, 1.0, np.nan]))
    found = to_host(bernoulli(stream_on(make_rng(0), p), p))
    assert_array_equal(found, [0.0, 1.0, 0.0])
