"""Columns of a frame as numbers, and back: categories, booleans, values not known."""

from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError

from ..backend.parts import Part
from ..backend.types import Array
from .frame_kinds import (
    OF_VALUES,
    VALUES,
    as_columns,
    as_numbers,
    check_kind,
    find_categories,
    find_kind,
    holds_numbers,
)

# What frames may be made of.
_LIBRARIES = ("pandas", "polars", "pyarrow")


def frame_columns(X: Any) -> "FrameColumns | None":
    """The `FrameColumns` of a frame with columns that are no numbers, else None.

    Parameters
    ----------
    X : object
        A frame of pandas, polars or PyArrow, or anything else.

    Raises
    ------
    TypeError
        If a column holds neither numbers, booleans nor categories.
    ValueError
        If a column has no value, or no column tells rows apart.

    Warns
    -----
    UserWarning
        If a column has so many values that each is in few rows.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [30.0, 40.0], "colour": ["red", "blue"]})
    >>> frame_columns(frame).visible_names
    ['age', 'colour_blue', 'colour_red']
    >>> frame_columns(frame[["age"]]) is None
    True
    """
    frame = _frame(X)
    if frame is None or not len(frame):
        return None
    columns = list(frame.iter_columns())
    kinds = [find_kind(column) for column in columns]
    if all(kind == "number" for kind in kinds):
        return None
    values = [
        find_categories(column) if kind in OF_VALUES else []
        for column, kind in zip(columns, kinds, strict=True)
    ]
    names = [column.name for column in columns]
    library = frame.implementation.name.lower()
    library = library if library in _LIBRARIES else "pandas"
    made = FrameColumns(names, kinds, values, library)
    if not any(made.group_sizes):
        raise ValueError(
            f"Each column of X has one value, {names[0]!r} for example "
            f"{values[0][0]!r:.80}, so none tells rows apart. Give a column of which "
            "values differ."
        )
    return made


def of_numbers(X: Any) -> Any:
    """Rows for a model that was fitted on numbers; of a frame only numbers are left.

    A column without a value may be of any type, and becomes one of NaN.

    Raises
    ------
    TypeError
        If a column holds something else.

    Examples
    --------
    >>> of_numbers([[1.0, 2.0]])
    [[1.0, 2.0]]
    """
    frame = _frame(X)
    if frame is None:
        return X
    made = []
    for column in frame.iter_columns():
        check_kind(column, "number", [])
        if not holds_numbers(column):
            numbers, library = as_numbers(column), frame.implementation
            made.append(nw.new_series(column.name, numbers, backend=library))
    return frame.with_columns(made).to_native() if made else X


def _refuse_times(X: Any) -> None:
    if isinstance(X, np.ndarray) and X.dtype.kind in "mM":
        raise TypeError(
            f"X holds {X.dtype}, times. Turn them into numbers (of a date, days since "
            "a day), with NaN for NaT."
        )


def _frame(X: Any) -> Any:
    """A frame as narwhals has it; None for anything else.

    Raises
    ------
    TypeError
        If it is a query, which has no rows yet, or holds times.
    ValueError
        If two columns have one name.
    """
    _refuse_times(X)
    try:
        frame = nw.from_native(X, pass_through=True)
    except DuplicateError:
        names = [*X.columns]
        several = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        raise ValueError(
            f"X has several columns with one name: {str(several)[1:-1]:.200}. Rename "
            "them, or leave some out: X.loc[:, ~X.columns.duplicated()]."
        ) from None
    if isinstance(frame, nw.LazyFrame):
        raise TypeError(f"X is a {type(X).__name__}, a query. Pass X.collect().")
    return frame if isinstance(frame, nw.DataFrame) else None


class FrameColumns(Part):
    """How the columns of a frame become numbers, and numbers its columns.

    Numbers stay as they are and booleans are 0 and 1. Categories and strings become one
    column per value, of which one is 1, in the order of the columns. What is not known
    (None, NaN, pandas.NA, a category that was not there in fit) is NaN.

    Parameters
    ----------
    names : list
        Of the columns.
    kinds : list of {"number", "boolean", "string", "category", "ordered"}
        What each column holds; ordered are categories with an order of their own.
    categories : list of list
        The values of each column of strings or categories, in order; a column with one
        value says nothing and has no column of numbers.
    library : {"pandas", "polars", "pyarrow"}
        What the frame is made of.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [30.0, None], "colour": ["red", "blue"]})
    >>> columns = frame_columns(frame)
    >>> columns.encode(frame)
    array([[30.,  0.,  1.],
           [nan,  1.,  0.]])
    >>> columns.decode([[35.0, 0.2, 0.8]])
        age colour
    0  35.0    red
    """

    def __init__(
        self,
        names: list[Any],
        kinds: list[str],
        categories: list[list[Any]],
        library: Any,
    ) -> None:
        self.names = names
        self.kinds = kinds
        self.categories = categories
        self.library = library

    def validate(self) -> None:
        lists = (self.names, self.kinds, self.categories)
        alike = all(isinstance(these, list) for these in lists) and (
            len(self.names) == len(self.kinds) == len(self.categories)
        )
        if not (alike and self.library in _LIBRARIES):
            raise ValueError(
                "FrameColumns needs lists of as many names, kinds and categories, and "
                f"a library of {_LIBRARIES}; it is {self!r:.200}."
            )
        for kind, values in zip(self.kinds, self.categories, strict=True):
            several = kind in OF_VALUES
            if not (
                (several or kind in ("number", "boolean"))
                and isinstance(values, list)
                and bool(values) == several
                and all(isinstance(value, VALUES) for value in values)
            ):
                raise ValueError(
                    f"A column of the kind {kind!r:.80} with the values {values!r:.80} "
                    "is none of FrameColumns."
                )

    @property
    def group_sizes(self) -> list[int]:
        """Columns of numbers that each column becomes; of a category, its values."""
        return [
            (len(values) if len(values) > 1 else 0) if values else 1
            for values in self.categories
        ]

    @property
    def visible_names(self) -> list[str]:
        """Names of the columns of numbers."""
        names = []
        for name, values in zip(self.names, self.categories, strict=True):
            several = [f"{name}_{value}" for value in values if len(values) > 1]
            names += several if values else [str(name)]
        return names

    def encode(self, X: Any) -> Array:
        """Rows of numbers for the rows of a frame.

        Returns
        -------
        ndarray of shape (n_rows, n_visible)
            Float32 where all columns of numbers are, else float64.

        Raises
        ------
        TypeError
            If `X` is no frame, or a column holds what it did not hold before.
        ValueError
            If `X` has other columns.

        Warns
        -----
        UserWarning
            If a column has values that it did not have in fit.
        """
        frame = _frame(X)
        if frame is None:
            raise TypeError(
                f"The model was fitted on a frame with categories or booleans; X is a "
                f"{type(X).__name__}. Pass a frame with the columns {self.names}."
            )
        columns = list(frame.iter_columns())
        if (found := [column.name for column in columns]) != self.names:
            raise ValueError(
                f"X has the columns {found}; the model was fitted on {self.names}. "
                "Pass the same in the same order."
            )
        parts = [
            as_columns(column, kind, values)
            for column, kind, values in zip(
                columns, self.kinds, self.categories, strict=True
            )
        ]
        dtypes = [
            p.dtype for p, k in zip(parts, self.kinds, strict=True) if k[0] == "n"
        ]
        dtype = np.result_type(*dtypes) if dtypes else np.float64
        return np.concatenate(parts, axis=1, dtype=dtype, casting="same_kind")

    def decode(self, rows: Array, like: Any = None) -> Any:
        """A frame like that of fit, for rows of numbers.

        A category is that with the largest number, a boolean is true above 0.5.

        Parameters
        ----------
        rows : array-like of shape (n_rows, n_visible)
        like : frame of n_rows rows or object, default=None
            What the rows were made of: where it has an index, so has the result.
        """
        rows, data, place = np.asarray(rows), {}, 0
        columns = zip(
            self.names, self.kinds, self.categories, self.group_sizes, strict=True
        )
        for name, kind, values, size in columns:
            part = rows[:, place : place + size]
            place += size
            if values:
                chosen = part.argmax(axis=1) if size else np.zeros(len(rows), int)
                series = [values[i] for i in chosen]
            else:
                series = part[:, 0] > 0.5 if kind == "boolean" else part[:, 0]
            if kind == "ordered":
                dtype = nw.Enum(values)
                data[name] = nw.new_series(name, series, dtype, backend=self.library)
            elif kind == "category":  # which knows all its values, whichever are here
                column = nw.new_series(name, [*values, *series], backend=self.library)
                column = column.cast(nw.Categorical)[len(values) :]
                data[name] = nw.maybe_reset_index(column)
            else:
                data[name] = nw.new_series(name, series, backend=self.library)
        frame = nw.from_dict(data).to_native()
        source = _frame(like)
        if self.library == "pandas" and source is not None:
            index = nw.maybe_get_index(source)
            frame.index = frame.index if index is None else index.copy()
        return frame
