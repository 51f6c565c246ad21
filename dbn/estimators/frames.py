"""Columns of a frame as numbers, and back: categories, booleans, values not known."""

import warnings
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from ..backend.parts import Part
from ..backend.types import Array

# What frames may be made of, and what categories may be.
_LIBRARIES = ("pandas", "polars", "pyarrow")
_VALUES = str | int | float | bool
# Kinds of columns that have values, each of which becomes a column.
_OF_VALUES = ("string", "category", "ordered")
# A column with more, and few that come twice, holds no categories.
_MANY_VALUES = 20


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
        If a column has no value.

    Warns
    -----
    UserWarning
        If a column has so many values that few of them come twice.

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
    kinds = [_kind(column) for column in columns]
    if all(kind == "number" for kind in kinds):
        return None
    values = [
        _categories(column) if kind in _OF_VALUES else []
        for column, kind in zip(columns, kinds, strict=True)
    ]
    for column, its in zip(columns, values, strict=True):
        _warn_of_texts_without_end(column, its)
    names = [column.name for column in columns]
    library = frame.implementation.name.lower()
    library = library if library in _LIBRARIES else "pandas"
    return FrameColumns(names, kinds, values, library)


def refuse_texts(X: Any) -> None:
    """Raise a TypeError where a frame has texts, and a model was fitted on numbers.

    Examples
    --------
    >>> refuse_texts([[1.0, 2.0]])
    """
    frame = _frame(X)
    for column in frame.iter_columns() if frame is not None else ():
        _check_kind(column, "number", [])


def _frame(X: Any) -> Any:
    """A frame as narwhals has it; None for anything else.

    Raises
    ------
    TypeError
        If it is a query, which has no rows yet.
    """
    frame = nw.from_native(X, pass_through=True)
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
            several = kind in _OF_VALUES
            if not (
                (several or kind in ("number", "boolean"))
                and isinstance(values, list)
                and bool(values) == several
                and all(isinstance(value, _VALUES) for value in values)
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
            If a column has no value that it had in fit.
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
            _encoded(column, kind, values)
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


def _warn_of_texts_without_end(column: Any, values: list[Any]) -> None:
    """Names, numbers of rows and dates are texts too, and say nothing of other rows."""
    known = len(column) - column.null_count()
    if len(values) > max(_MANY_VALUES, known / 2):
        warnings.warn(
            f"Column {column.name!r} has {len(values)} different values in {known} "
            "rows, and each becomes a column of its own. If it holds names, numbers of "
            "rows or dates, leave it out, or turn it into numbers (of a date, days "
            "since a day).",
            stacklevel=5,
        )


def _kind(column: Any) -> str:
    """What a column holds, of the kinds of `FrameColumns`."""
    dtype = column.dtype
    if dtype.is_numeric() or _is_sparse(column):
        return "number"
    if column.is_null().all():
        raise ValueError(
            f"Column {column.name!r} has no value in any row. Leave it out."
        )
    if dtype == nw.Enum:
        return "ordered"
    if dtype == nw.Categorical:
        return "category"
    if dtype == nw.String:
        return "string"
    if dtype == nw.Boolean:
        return "boolean"
    if dtype == nw.Object:
        values = column.drop_nulls().to_list()
        for kind, name in ((str, "string"), (bool | np.bool_, "boolean")):
            if all(isinstance(value, kind) for value in values):
                return name
        _as_numbers(column)
        return "number"
    raise TypeError(
        f"Column {column.name!r} holds {dtype}, which is neither numbers, booleans nor "
        "categories. Turn it into numbers (of a date, days since a day), or leave it "
        "out."
    )


def _is_sparse(column: Any) -> bool:
    """Whether pandas holds the numbers of a column as those that are not 0."""
    return hasattr(column.to_native(), "sparse")


def _as_numbers(column: Any) -> Array:
    """A column of numbers as an array, NaN where it has no value."""
    if _is_sparse(column):
        return column.to_native().sparse.to_dense().to_numpy(np.float64)
    if column.dtype != nw.Object:
        if column.dtype != nw.Float32:
            column = column.cast(nw.Float64)
        return column.to_numpy()
    numbers, missing = np.full(len(column), np.nan), column.is_null().to_numpy()
    try:
        numbers[~missing] = [float(v) for v in column.drop_nulls().to_list()]
    except (TypeError, ValueError) as problem:
        raise TypeError(
            f"Column {column.name!r} holds objects of which some are no numbers "
            f"({problem}). Make it one kind: numbers, booleans, or strings."
        ) from problem
    return numbers


def _categories(column: Any) -> list[Any]:
    """The values of a column, in order."""
    values = column.drop_nulls().unique().to_list()
    if not all(isinstance(v, _VALUES) for v in values):
        kinds = sorted({type(v).__name__ for v in values})
        raise TypeError(
            f"Column {column.name!r} has categories of type {', '.join(kinds)}; "
            "categories are strings, numbers or booleans. Turn them into strings."
        )
    if column.dtype == nw.Enum:
        return [value for value in column.cat.get_categories() if value in values]
    return sorted(values, key=lambda v: (isinstance(v, str), v))


def _check_kind(column: Any, kind: str, values: list[Any]) -> None:
    """Raise a TypeError, or warn, where a column is not what it was in fit.

    A text is not equal to a number or a boolean that is written alike, and a value that
    was not there in fit is not known: of such a column a model would know nothing.
    """
    found = column.drop_nulls().unique().to_list() if kind != "number" else []
    if kind == "number":
        same = column.dtype not in (nw.String, nw.Categorical, nw.Enum)
    else:
        texts, of_fit = (
            {isinstance(v, str) for v in its} for its in (found, values or [False])
        )
        same = not found or bool(texts & of_fit)
    if not same:
        held = f"{kind}s" if not values else f"categories such as {values[0]!r}"
        shown = f", such as {found[0]!r}" if found else ""
        raise TypeError(
            f"Column {column.name!r} held {held} when the model was fitted, and now "
            f"holds {column.dtype}{shown}. Pass what it held."
        )
    if len(values) > 1 and found and not {*found} & {*values}:
        warnings.warn(
            f"Column {column.name!r} has {found[0]!r:.80} and no value at all that the "
            f"model was fitted on ({values[0]!r:.80}, ...): it counts as not known in "
            "every row. Write the values as they were.",
            stacklevel=6,
        )


def _encoded(column: Any, kind: str, values: list[Any]) -> Array:
    """The columns of numbers of one column."""
    _check_kind(column, kind, values)
    missing = column.is_null().to_numpy()
    if not values:
        if kind == "number":
            numbers = _as_numbers(column)
        else:
            numbers = np.full(len(column), np.nan)
            numbers[~missing] = column.drop_nulls().to_list()
        return numbers[:, None]
    if len(values) == 1:
        return np.empty((len(column), 0), dtype=np.float32)
    place = {value: i for i, value in enumerate(values)}
    # Further states for what is not known, of which none has a column.
    found = [
        len(values) if m else place.get(v, len(values))
        for m, v in zip(missing, column.to_list(), strict=True)
    ]
    rows = np.vstack(
        [
            np.eye(len(values), dtype=np.float32),
            np.full(len(values), np.nan, np.float32),
        ]
    )
    return rows[found]
