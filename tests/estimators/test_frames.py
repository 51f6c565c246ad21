"""Frames with categories, booleans and values not known, as numbers and back."""

import warnings

import numpy as np
import pandas as pd
import pytest

from dbn.estimators.frames import frame_columns


def people(**columns):
    frame = {
        "age": [30.0, np.nan, 50.0],
        "town": ["Rome", "Bern", None],
        "size": pd.Categorical(["S", "L", "S"], categories=["S", "M", "L"]),
        "smokes": [True, False, True],
        "rooms": pd.array([1, None, 3], dtype="Int64"),
        "owns": pd.array([True, None, False], dtype="boolean"),
        "floor": pd.Categorical([3, 1, 3]),
        "country": ["CH"] * 3,
        "pet": np.array([True, None, False], dtype=object),
    }
    return pd.DataFrame({**frame, **columns})


ENCODED = np.array(
    [
        # age, town_Bern, town_Rome, size_L, size_S, smokes, rooms, owns, floor, pet
        [30, 0, 1, 0, 1, 1, 1, 1, 0, 1, 1],
        [np.nan, 1, 0, 1, 0, 0, np.nan, np.nan, 1, 0, np.nan],
        [50, np.nan, np.nan, 0, 1, 1, 3, 0, 0, 1, 0],
    ],
    dtype=float,
)


def test_every_kind_of_column_becomes_numbers():
    """A category that no row has, and a column with one value, have no column."""
    columns = frame_columns(people())
    np.testing.assert_array_equal(columns.encode(people()), ENCODED)
    assert columns.visible_names == [
        "age",
        "town_Bern",
        "town_Rome",
        "size_L",
        "size_S",
        "smokes",
        "rooms",
        "owns",
        "floor_1",
        "floor_3",
        "pet",
    ]
    assert columns.group_sizes == [1, 2, 2, 1, 1, 1, 2, 0, 1]


def test_numbers_become_the_columns_that_came_in():
    frame = people()
    back = frame_columns(frame).decode(np.nan_to_num(ENCODED, nan=0.6))
    assert list(back.columns) == list(frame.columns)
    assert back["town"].tolist() == ["Rome", "Bern", "Bern"]
    assert back["floor"].tolist() == [3, 1, 3]
    assert back["size"].dtype == "category"
    assert back["smokes"].tolist() == [True, False, True]
    assert back["rooms"].tolist() == [1.0, 0.6, 3.0]
    assert back["country"].tolist() == ["CH"] * 3


def test_a_value_that_fit_has_not_seen_is_not_known():
    columns = frame_columns(people())
    rows = columns.encode(people(town=["Oslo", "Bern", "Rome"]))
    np.testing.assert_array_equal(rows[:, 1:3], [[np.nan, np.nan], [1, 0], [0, 1]])


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_other_libraries_give_the_same_numbers(library):
    import narwhals.stable.v2 as nw

    pytest.importorskip(library)
    data = {
        "age": [30.0, None, 50.0],
        "town": ["Rome", "Bern", None],
        "smokes": [True, False, None],
    }
    frame = nw.from_dict(data, backend=library).to_native()
    columns = frame_columns(frame)
    pandas = pd.DataFrame(data).convert_dtypes()
    numbers = frame_columns(pandas).encode(pandas)
    np.testing.assert_array_equal(columns.encode(frame), numbers)
    back = columns.decode(np.nan_to_num(numbers))
    assert type(back) is type(frame)


def test_a_frame_of_numbers_alone_needs_nothing():
    assert frame_columns(people()[["age", "rooms"]]) is None
    assert frame_columns(np.eye(2)) is frame_columns([[1.0]]) is None


def test_single_precision_stays():
    frame = pd.DataFrame({"a": np.float32([1.5, 2.5]), "b": ["x", "y"]})
    assert frame_columns(frame).encode(frame).dtype == np.float32


@pytest.mark.parametrize(
    "column, error, words",
    [
        (pd.date_range("2020", periods=3), TypeError, "'odd' holds Datetime"),
        ([None] * 3, ValueError, "'odd' has no value"),
        ([1, "x", None], TypeError, "'odd' holds objects"),
        (pd.Categorical([(1,), (2,), (1,)]), TypeError, "type tuple"),
    ],
)
def test_what_is_no_column_is_refused_by_name(column, error, words):
    with pytest.raises(error, match=words):
        frame_columns(people(odd=column))


@pytest.mark.parametrize(
    "later, words",
    [
        (np.eye(3), "X is a ndarray. Pass a frame with the columns"),
        (people(town=[1, 2, 3]), "'town' held categories such as 'Bern'"),
        (people(age=["a", "b", "c"]), "'age' held numbers"),
    ],
)
def test_other_kinds_after_fit_are_refused(later, words):
    with pytest.raises(TypeError, match=words):
        frame_columns(people()).encode(later)


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame_columns(people()).encode(people())
