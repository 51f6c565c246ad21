"""One column of a frame: what it holds, and its values as numbers."""

import re
import warnings
from numbers import Number
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from ..backend.types import Array

# What categories may be.
VALUES = str | int | float | bool
# Kinds of columns that have values, each of which becomes a column.
OF_VALUES = ("string", "category", "ordered")
# A column with more values than this, each in few rows, holds no categories.
_MANY_VALUES, _ROWS_PER_VALUE = 20, 10
# A text that is a number with a sign, a currency, separators or a percent sign.
_LIKE_A_NUMBER = r"[-+]?\s?[$€£¥]?\s?\d[\d\s,.'\u2019]*[%$€£¥]?"


def find_kind(column: Any) -> str:
    """What a column holds, of the kinds of `FrameColumns`.

    Raises
    ------
    TypeError
        If it is none of them.
    ValueError
        If the column has no value.

    Examples
    --------
    >>> import polars as pl
    >>> find_kind(nw.from_native(pl.Series("town", ["Bern"]), series_only=True))
    'string'
    """
    dtype = column.dtype
    if dtype != nw.Boolean and holds_numbers(column):
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
        as_numbers(column)
        return "number"
    raise TypeError(
        f"Column {column.name!r} holds {dtype}, which is neither numbers, booleans nor "
        "categories. Turn it into numbers (of a date, days since a day), or leave it "
        "out."
    )


def holds_numbers(column: Any) -> bool:
    """Whether a column is one of numbers or booleans by its type.

    Examples
    --------
    >>> import polars as pl
    >>> holds_numbers(nw.from_native(pl.Series("age", [30]), series_only=True))
    True
    """
    dtype = column.dtype
    return dtype.is_numeric() or dtype == nw.Boolean or _is_sparse(column)


def _is_sparse(column: Any) -> bool:
    """Whether pandas holds the numbers of a column as those that are not 0."""
    return hasattr(column.to_native(), "sparse")


def find_categories(column: Any) -> list[Any]:
    """The values of a column, in order.

    Raises
    ------
    TypeError
        If some are no `VALUES`.

    Warns
    -----
    UserWarning
        If there are so many that each is in few rows.

    Examples
    --------
    >>> import polars as pl
    >>> towns = pl.Series("town", ["Rome", "Bern", "Rome"])
    >>> find_categories(nw.from_native(towns, series_only=True))
    ['Bern', 'Rome']
    """
    values = column.drop_nulls().unique().to_list()
    if not all(isinstance(v, VALUES) for v in values):
        kinds = sorted({type(v).__name__ for v in values})
        raise TypeError(
            f"Column {column.name!r} has categories of type {', '.join(kinds)}; "
            "categories are strings, numbers or booleans. Turn them into strings."
        )
    _warn_of_texts_without_end(column, values)
    if column.dtype == nw.Enum:
        return [value for value in column.cat.get_categories() if value in values]
    return sorted(values, key=lambda v: (isinstance(v, str), v))


def _warn_of_texts_without_end(column: Any, values: list[Any]) -> None:
    """Names, numbers of rows and dates are texts too, and say nothing of other rows."""
    known = len(column) - column.null_count()
    few = len(values) <= _MANY_VALUES or known >= _ROWS_PER_VALUE * len(values)
    if few or column.dtype == nw.Enum:  # of which somebody wrote a list
        return
    like = [v for v in values if isinstance(v, str) and re.fullmatch(_LIKE_A_NUMBER, v)]
    hint = ""
    if len(like) > len(values) / 2:
        hint = f" Most are written like numbers, such as {like[0]!r:.80}."
    warnings.warn(
        f"Column {column.name!r} has {len(values)} different values in {known} "
        "rows, and each becomes a column of its own. If it holds names, numbers of "
        "rows or dates, leave it out, or turn it into numbers (of a date, days "
        f"since a day).{hint}",
        stacklevel=7,
    )


def check_kind(column: Any, kind: str, values: list[Any]) -> None:
    """Raise a TypeError where a column holds what it did not hold in fit.

    A text is not equal to a number or a boolean that is written alike, and a time is
    neither. A column without a value may be of any type: it is not known.

    Examples
    --------
    >>> import polars as pl
    >>> ages = nw.from_native(pl.Series("age", [30, None]), series_only=True)
    >>> check_kind(ages, "number", [])
    """
    dtype = column.dtype
    if holds_numbers(column) and kind not in OF_VALUES:
        return
    if column.is_null().all():
        return
    if kind == "number" and dtype == nw.Object:
        as_numbers(column)  # or names what is none
        return
    found = _known_values(column)
    texts = {isinstance(value, str) for value in found if _is_value(value)}
    of_fit = {isinstance(value, str) for value in values or [False]}
    if kind != "number" and texts & of_fit:
        return
    held = f"{kind}s" if not values else f"categories such as {values[0]!r}"
    raise TypeError(
        f"Column {column.name!r} held {held} when the model was fitted, and now holds "
        f"{dtype!s:.80}, such as {found[0]!r:.80}. Pass what it held."
    )


def _is_value(value: Any) -> bool:
    return isinstance(value, str | Number | np.bool_)


def _known_values(column: Any) -> list[Any]:
    """The values of a column, each once; where some are none that may be, one such."""
    known = column.drop_nulls()
    if known.dtype.is_nested() or known.dtype == nw.Object:
        values: list[Any] = known.to_list()
        strange = [value for value in values if not _is_value(value)]
        return strange[:1] or [*dict.fromkeys(values)]
    values = known.unique().to_list()
    return values


def as_numbers(column: Any) -> Array:
    """A column of numbers or booleans as an array, NaN where it has no value.

    Raises
    ------
    TypeError
        If it holds objects that are no numbers.

    Examples
    --------
    >>> import polars as pl
    >>> as_numbers(nw.from_native(pl.Series("age", [30, None]), series_only=True))
    array([30., nan])
    """
    if _is_sparse(column):
        return column.to_native().sparse.to_dense().to_numpy(np.float64)
    if holds_numbers(column):
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


def has_value(column: Any) -> bool:
    """Whether any value of a column is known; in polars NaN is no null.

    Examples
    --------
    >>> import polars as pl
    >>> has_value(nw.from_native(pl.Series("age", [None, np.nan]), series_only=True))
    False
    """
    if holds_numbers(column):
        return not np.isnan(as_numbers(column)).all()
    return not column.is_null().all()


def as_columns(column: Any, kind: str, values: list[Any]) -> Array:
    """The columns of numbers of one column, which held `kind` and `values` in fit.

    Raises
    ------
    TypeError
        If it holds something else.

    Warns
    -----
    UserWarning
        If it has values that were not there in fit.

    Examples
    --------
    >>> import polars as pl
    >>> towns = nw.from_native(pl.Series("town", ["Rome", None]), series_only=True)
    >>> as_columns(towns, "string", ["Bern", "Rome"])
    array([[ 0.,  1.],
           [nan, nan]], dtype=float32)
    """
    check_kind(column, kind, values)
    if not values:
        return as_numbers(column)[:, None]
    missing, listed = column.is_null().to_numpy(), column.to_list()
    place = {value: i for i, value in enumerate(values)}
    # Further states for what is not known, of which none has a column.
    found = [
        len(values) if m else place.get(v, len(values))
        for m, v in zip(missing, listed, strict=True)
    ]
    new = (np.array(found) == len(values)) & ~missing
    _warn_of_new([listed[i] for i in np.flatnonzero(new)], column, missing, values)
    if len(values) == 1:
        return np.empty((len(column), 0), dtype=np.float32)
    rows = np.vstack(
        [
            np.eye(len(values), dtype=np.float32),
            np.full(len(values), np.nan, np.float32),
        ]
    )
    return rows[found]


def _warn_of_new(
    new: list[Any], column: Any, missing: Array, values: list[Any]
) -> None:
    """Warn of values that were not there in fit: of these a model knows nothing."""
    new = [value for value in new if value == value]  # NaN is none
    if not new:
        return
    of_fit = f"{values[0]!r:.80}{', ...' if len(values) > 1 else ''}"
    if len(new) == np.count_nonzero(~missing):
        told = (
            f"has {new[0]!r:.80} and no value at all that the model was fitted on "
            f"({of_fit}): it counts as not known in every row. Write the values as "
            "they were."
        )
    else:
        told = (
            f"has values that the model was not fitted on in {len(new)} of "
            f"{len(missing)} rows, such as {new[0]!r:.80}: they count as not known. If "
            f"one of them is a value of fit ({of_fit}), write it as it was."
        )
    warnings.warn(f"Column {column.name!r} {told}", stacklevel=6)
