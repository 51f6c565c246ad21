import builtins
import tempfile
import tracemalloc

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from dbn.backend import rows as module
from dbn.backend.array import extent, map_batches, mean_weights, namespace, take_rows
from dbn.backend.random import make_rng
from dbn.backend.rows import ScaledRows, as_rows, even_batches, row_slices, rows_in_file
from tests.helpers import read_only


def mapped(path, X, **options):
    """X in a file, mapped read-only."""
    X.tofile(path)
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape, **options)


@pytest.fixture
def small_groups(monkeypatch):
    """Shuffle files of more than 160 bytes in blocks of 10 bytes."""
    monkeypatch.setattr(module, "_GROUP", 160)


# What rows are


KEYS = [np.s_[2:5], np.s_[::2], np.s_[4], np.s_[:0], [3, 1, 1], np.array([-1, 0])]
KEYS += [np.arange(9) % 2 == 0, np.s_[1:3, ...], np.s_[[5, 2], :]]


@pytest.mark.parametrize("key", KEYS, ids=repr)
@pytest.mark.parametrize("dtype", ["?", "u1", "<i2", ">f4", "f2", "i8", "f8"])
def test_rows_are_those_of_the_scaled_array(key, dtype):
    X = read_only(make_rng(0).integers(0, 2 if dtype == "?" else 100, (9, 3)))
    X = X.astype(dtype)
    rows = ScaledRows(X, divide_by=[2.0, 3.0, 7.0], subtract=0.5)
    exact = np.float64 if dtype in ("i8", "f8") else np.float32
    whole = (X.astype(exact) - exact(0.5)) / np.array([2, 3, 7], dtype=exact)
    assert rows.shape == (9, 3) and len(rows) == 9 and rows.dtype == exact
    assert rows[key].dtype == exact
    assert_array_equal(rows[key], whole[key])
    assert_array_equal(np.asarray(rows), whole)


def test_bytes_become_what_division_makes_of_them():
    X = np.arange(256, dtype=np.uint8)[:, None]
    rows = ScaledRows(X, divide_by=255)[:]
    assert_array_equal(rows, X.astype(np.float32) / np.float32(255))
    assert (rows.min(), rows.max()) == (0.0, 1.0)


def test_scaled_rows_of_scaled_rows_and_another_dtype():
    X = make_rng(0).random((6, 2))
    rows = ScaledRows(ScaledRows(X, 2.0), [3.0, 4.0], subtract=1.0).astype(np.float32)
    assert_array_equal(rows[1:4], ((X / 2 - 1) / [3, 4]).astype(np.float32)[1:4])
    assert rows.astype(np.float32) is rows
    assert rows[[2]].dtype == rows.dtype == np.float32


def test_without_a_scale_nothing_is_copied():
    X = make_rng(0).random((6, 2))
    assert np.shares_memory(ScaledRows(X)[1:3], X)


def test_chosen_rows():
    X = make_rng(0).random((9, 2))
    some = ScaledRows(X, 2.0).choose(np.array([7, 1, 4]))
    assert some.shape == (3, 2)
    assert_array_equal(some[:], X[[7, 1, 4]] / 2)
    assert_array_equal(some[[2, 0]], X[[4, 7]] / 2)
    assert extent(some) == extent(X[[7, 1, 4]] / 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([[[1.0]]], "need a NumPy array .* got a list of shape none"),
        ([np.zeros(3)], r"got a ndarray of shape \(3,\)"),
        ([np.zeros((0, 3))], "at least one row and column"),
        ([np.array([["a"]])], "need real numbers; X has the dtype <U1"),
        ([np.zeros((2, 3), order="F")], "need an array in C order"),
        ([np.ma.masked_equal(np.eye(3), 0.0)], "have no mask"),
        ([np.zeros((2, 3)), 0.0], "divide_by must not be 0"),
        ([np.zeros((2, 3), np.float32), 1e-60], "divide_by must not be 0"),
        ([np.zeros((2, 3)), np.nan], "divide_by must be a finite number, or 3 of them"),
        ([np.zeros((2, 3)), np.ones(2)], r"column of X; it has the shape \(2,\)"),
    ],
)
def test_what_cannot_be_scaled_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ScaledRows(*arguments)


def test_dtypes_and_columns_that_there_are_not():
    rows = ScaledRows(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="dtype must be float32 or float64; it is int"):
        ScaledRows(np.zeros((2, 3)), dtype=int)
    with pytest.raises(IndexError, match="indexed by rows"):
        rows[:, 1]


def test_no_rows_and_all_rows_at_once():
    rows = ScaledRows(np.ones((2, 3), np.uint8))
    assert rows[[]].shape == rows[np.zeros(2, bool)].shape == (0, 3)
    assert rows.choose(np.array([1]))[[]].shape == (0, 3)
    with pytest.raises(TypeError, match=r"ScaledRows are read where .* rows\[:1000\]"):
        rows @ np.ones((3, 2))


# What is done with all of them


def test_functions_of_the_backend_take_rows():
    X = make_rng(0).integers(0, 256, (70, 5), dtype=np.uint8)
    rows, whole = ScaledRows(X, 255), X / np.float32(255)
    assert namespace(rows, whole) is np
    assert_array_equal(take_rows(rows, np.array([3, 3, 1])), whole[[3, 3, 1]])
    for size in (None, 9, 70):
        assert_array_equal(map_batches(np.square, rows, size), whole**2)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_mean_in_slices(weighted):
    X = make_rng(0).standard_normal((9001, 5)).astype(np.float32)
    weight = make_rng(1).random(9001, dtype=np.float32) if weighted else None
    mean = mean_weights(ScaledRows(X), weight) @ ScaledRows(X)
    assert mean.dtype == np.float32
    assert_allclose(mean, np.average(X, axis=0, weights=weight), atol=3e-6)


def test_the_mean_of_many_rows_is_not_lost_to_rounding():
    """In one float32 product the mean of so many ones is 1.004."""
    rows = ScaledRows(np.ones((5_000_000, 4), dtype=np.uint8))
    assert_allclose(mean_weights(rows) @ rows, np.ones(4), atol=1e-5)


@pytest.mark.parametrize("divide_by", [2.0, -2.0, [1.0, -3.0, 2.0]])
def test_the_extent_in_slices(divide_by, monkeypatch):
    monkeypatch.setattr(module.row_slices, "__kwdefaults__", {"entries": 12})
    X = make_rng(0).standard_normal((50, 3))
    whole = (X - 1.0) / divide_by
    expected = (whole.min(), whole.max())
    assert extent(ScaledRows(X, divide_by, subtract=1.0)) == expected
    X[-1, -1] = np.nan
    assert np.isnan(extent(ScaledRows(X))).all()


# Files


def test_small_files_and_arrays_stay_what_they_are(tmp_path):
    for X in (np.zeros((3, 2)), mapped(tmp_path / "X", np.zeros((3, 2))), [[1.0]]):
        assert as_rows(X) is X


@pytest.mark.parametrize(
    ("dtype", "expected"), [("f4", "f4"), ("f8", "f8"), ("u1", "f8"), (">f4", "f8")]
)
def test_rows_of_large_files_are_read_when_needed(
    tmp_path, small_groups, dtype, expected
):
    X = make_rng(0).integers(0, 100, (90, 3)).astype(dtype)
    for array in (mapped(tmp_path / "X", X), np.asarray(mapped(tmp_path / "X", X))[9:]):
        rows = as_rows(array)
        assert isinstance(rows, ScaledRows) and rows.dtype == expected
        assert_array_equal(rows[5:9], array[5:9])


def lies_in_a_file(X):
    return isinstance(X, np.memmap), module.file_of(X[1:]) is not None


def test_what_joblib_maps_for_workers_counts_as_memory(tmp_path):
    X = np.zeros(500_000)
    parallel = joblib.Parallel(n_jobs=2)
    for rows, in_file in ((X, False), (mapped(tmp_path / "X", X), True)):
        found = parallel(joblib.delayed(lies_in_a_file)(rows) for _ in range(2))
        assert found == [(True, in_file)] * 2


def test_columns_in_a_file_are_not_read_as_rows(tmp_path, small_groups):
    X = mapped(tmp_path / "X", np.zeros((90, 3)), order="F")
    assert as_rows(X) is X
    with pytest.raises(ValueError, match="C order"):
        ScaledRows(X)


def test_in_memory_and_in_small_files_the_order_is_a_permutation(tmp_path):
    X = np.zeros((50, 2), dtype=np.uint8)
    expected = make_rng(3).permutation(50)
    for rows in (X, mapped(tmp_path / "X", X)):
        (order,) = ScaledRows(rows).shuffled(make_rng(3))
        assert_array_equal(order, expected)


def test_large_files_are_shuffled_in_groups_of_blocks(tmp_path, small_groups):
    """Blocks of 5 rows of 2 bytes; the last one is short."""
    X = mapped(tmp_path / "X", np.zeros((203, 2), dtype=np.uint8))
    groups = list(ScaledRows(X).shuffled(make_rng(0)))
    assert [len(g) for g in groups].count(80) >= 1 and len(groups) == 3
    assert_array_equal(np.sort(np.concatenate(groups)), np.arange(203))
    for group in groups:
        blocks, counts = np.unique(group // 5, return_counts=True)
        assert len(blocks) <= 16
        assert set(counts[blocks != 40]) == {5}
        assert np.ptp(blocks) > 20  # from anywhere in the file
        assert not (np.diff(group) == 1).sum() > 10  # and not in order
    again = np.concatenate(list(ScaledRows(X).shuffled(make_rng(0))))
    assert_array_equal(again, np.concatenate(groups))
    other = np.concatenate(list(ScaledRows(X).shuffled(make_rng(1))))
    assert (other != again).mean() > 0.9


def test_the_order_of_scaled_and_chosen_rows_of_a_file(tmp_path, small_groups):
    X = mapped(tmp_path / "X", np.zeros((403, 2), dtype=np.uint8))
    chosen = ScaledRows(ScaledRows(X, 255), 2.0).choose(np.arange(1, 403, 2))
    groups = list(chosen.shuffled(make_rng(0)))
    assert len(groups) == 3
    assert_array_equal(np.sort(np.concatenate(groups)), np.arange(201))


def test_the_order_of_many_rows_takes_little_memory(tmp_path):
    """Of 15 million: a permutation of all has 120 MB."""
    X = np.memmap(tmp_path / "X", np.uint8, "w+", shape=(15_000_000, 784))  # a hole
    tracemalloc.start()
    try:
        groups = ScaledRows(X).shuffled(make_rng(0))
        assert len(next(groups)) > 80_000 and len(next(groups)) > 80_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5e6


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(1, 7))
def test_batches_are_full_across_groups(sizes, size):
    numbers = np.arange(sum(sizes))
    groups = np.split(numbers, np.cumsum(sizes)[:-1]) if sizes else []
    batches = list(even_batches(groups, size))
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(1 <= len(batch) <= size for batch in batches)
    assert_array_equal(np.concatenate([*batches, []]), numbers)


@given(st.integers(1, 50), st.integers(1, 50))
def test_slices_cover_the_rows(n_rows, size):
    X = np.arange(n_rows)
    parts = [X[rows] for rows in row_slices(X, size)]
    assert_array_equal(np.concatenate(parts), X)
    assert {len(part) for part in parts[:-1]} <= {size}


# Rows put into a file


def test_rows_in_a_file_have_no_name_and_cannot_be_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    parts = make_rng(0).random((3, 4, 2))
    rows = rows_in_file(iter(parts), 2, np.float64)
    assert_array_equal(rows, parts.reshape(12, 2))
    assert module.file_of(rows) is not None and not rows.flags.writeable
    assert list(tmp_path.iterdir()) == []


def test_large_rows_in_a_file_are_read_when_needed(small_groups):
    rows = rows_in_file(iter(np.ones((3, 4, 2))), 2, np.float64)
    assert isinstance(rows, ScaledRows) and rows.shape == (12, 2)


def test_a_full_disk_is_told_where_and_what_to_do(monkeypatch):
    def full(prefix):
        return builtins.open("/dev/full", "w+b")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(OSError, match=r"No space left on device.+Set TMPDIR"):
        rows_in_file([np.ones((3, 2))], 2, np.float64)
