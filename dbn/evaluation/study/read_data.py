"""Rows and labels as a comparison has them, whatever the user gives."""

import warnings
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils import check_array

from ...backend.array import dense
from ...backend.missing import unmasked
from ...backend.precision import precision_of
from ...backend.types import Array
from ...estimators.frames import FrameColumns, frame_columns, of_numbers
from ...estimators.preprocessing import said_of, without_value
from .read_labels import read_labels, read_test_labels

# What y has for a row without a label.
MARKS = {"classes": -1, "numbers": np.nan, "rows": False}
# What is said of the columns of a frame: once, when it is read, and not by each fit.
_TOLD = r"Column .* (has \d+ different values|that the model was (not )?fitted on)"


class Data(NamedTuple):
    """Rows, with and without labels, and what is known of them; test rows, or None.

    X is a frame where columns are no numbers, else an array, which may hold NaN: in
    single precision, or in double where numbers differ by less than that tells apart. y
    holds the numbers of classes, -1 where there is no label, or targets, NaN where
    there is none; or True, where rows are to be given back. Where there are classes,
    these are what the user calls them.
    """

    X: Array
    y: Array
    X_test: Array
    y_test: Array
    classes: Array = None

    @property
    def target(self) -> str:
        """What is to be predicted: "classes", "numbers" or, without y, the "rows"."""
        return {"f": "numbers", "b": "rows"}.get(self.y.dtype.kind, "classes")

    @property
    def incomplete(self) -> bool:
        """Whether there are columns that are no numbers, or values not known."""
        return not isinstance(self.X, np.ndarray) or bool(np.isnan(self.X).any())


def known(y: Array) -> Array:
    """Which rows have a label.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Of `Data`.

    Examples
    --------
    >>> known(np.array([0, -1, 1]))
    array([ True, False,  True])
    """
    if y.dtype.kind == "b":
        return y
    return ~np.isnan(y) if y.dtype.kind == "f" else y >= 0


def read_data(
    X: Array,
    y: Array,
    X_test: Array,
    y_test: Array,
    name: str,
    unlabeled: Any = None,
    X_unlabeled: Array = None,
    scoring: Any = None,
) -> Data:
    """Check rows and labels; return them as `Data`.

    Parameters
    ----------
    X, y, X_test, y_test
        As in `compare_initializers`.
    name : str
        Of the data set, for messages.
    unlabeled, X_unlabeled, scoring
        As in `compare_initializers`.

    Raises
    ------
    ValueError
        If there are no labels, none has the mark, values are infinite, sizes do not
        fit, or test rows have labels that no training row has.

    Warns
    -----
    UserWarning
        If a column of a frame has so many values that each is in few rows, or one of
        test rows has values that no other row has.

    Examples
    --------
    >>> read_data([[0], [1], [2], [3]], ["b", "b", "a", "a"], None, None, "letters").y
    array([1, 1, 0, 0])
    """
    if not isinstance(name, str):
        raise ValueError(f"name is {name!r:.80}; give the data set's name as a str.")
    if y is None:
        _refuse_labels(y_test=y_test, unlabeled=unlabeled)
        return _to_give_back(X, X_test, X_unlabeled, name)
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test go together; one of them is None.")
    rows = _read_rows(name, X=X, X_unlabeled=X_unlabeled, X_test=X_test)
    X, X_test = _with_unlabeled(rows), rows.get("X_test")
    where, codes, classes = read_labels(y, rows["X"], name, unlabeled, scoring)
    mark = MARKS["numbers" if classes is None else "classes"]
    codes_of_all = np.full(X.shape[0], mark, codes.dtype)
    codes_of_all[where] = codes
    if X_test is not None:
        y_test = read_test_labels(y_test, X_test, classes, name)
    return Data(X, codes_of_all, X_test, y_test, classes)


def ignore_told() -> None:
    """Ignore from here on what has been said of a frame's columns, in this context."""
    warnings.filterwarnings("ignore", _TOLD, UserWarning)


def told_columns(X: Array) -> FrameColumns | None:
    """`frame_columns` of rows that have been read: what it warns of has been said.

    Examples
    --------
    >>> told_columns(np.eye(2)) is None
    True
    """
    with warnings.catch_warnings():
        ignore_told()
        return frame_columns(X)


def _refuse_labels(**given: Any) -> None:
    for option, value in given.items():
        if value is not None:
            raise ValueError(
                f"{option} is {value!r:.80} and y is None: without y starts are "
                "compared by how they give back the rows, and there are no labels. "
                f"Leave {option} away, or give y."
            )


def _to_give_back(X: Array, X_test: Array, more: Array, name: str) -> Data:
    """Rows without labels, all as numbers: categories are columns of 0 and 1."""
    rows = _read_rows(name, X=X, X_unlabeled=more, X_test=X_test)
    rows = {"X": _with_unlabeled(rows)} | {k: rows[k] for k in ("X_test",) if k in rows}
    if (columns := told_columns(rows["X"])) is not None:
        with warnings.catch_warnings():
            ignore_told()
            numbers = {which: columns.encode(frame) for which, frame in rows.items()}
        rows = _in_one_precision(name, numbers)
    y, y_test = (
        None if part is None else np.ones(len(part), dtype=bool)
        for part in (rows["X"], rows.get("X_test"))
    )
    return Data(rows["X"], y, rows.get("X_test"), y_test)


def _read_rows(name: str, X: Array, **more: Array) -> dict[str, Array]:
    """Rows as `Data` has them, of X and of what else is not None, of its columns."""
    columns: Any = frame_columns(X)  # which warns
    rows = {"X": _as_numbers(X, columns)}
    for which, part in more.items():
        if part is not None:
            rows[which] = _as_numbers(_typed_as(X, part), columns)
            _check_columns(rows[which], rows["X"], which)
    if columns is None:
        return _in_one_precision(name, rows)
    for which, frame in rows.items():
        if which == "X_test":  # models know the values of all other rows
            columns = told_columns(_with_unlabeled(rows))
        with said_of(which), warnings.catch_warnings():
            if which != "X_test":
                ignore_told()
            numbers = columns.encode(frame)
        _check_values(numbers, which, name)
    return rows


def _as_numbers(X: Array, columns: FrameColumns | None) -> Array:
    """An array of numbers; a frame whose columns are no numbers as it is."""
    is_frame = isinstance(nw.from_native(X, pass_through=True), nw.DataFrame)
    if is_frame and (columns is not None or told_columns(X) is not None):
        return X
    # What single precision holds needs no copy in double.
    dtypes: Any = (np.float64, np.float32, np.float16)
    dtypes += (np.uint16, np.int16, np.uint8, np.int8, bool)
    return check_array(
        dense(unmasked(of_numbers(X))),
        dtype=dtypes,
        ensure_all_finite=False,
        copy=False,
    )


def _typed_as(X: Array, more: Array) -> Array:
    """More rows, whose columns without a value are of the type that those of X are."""
    frames: Any = [nw.from_native(rows, pass_through=True) for rows in (more, X)]
    if not all(isinstance(frame, nw.DataFrame) for frame in frames):
        return more
    frame, types = frames[0], frames[1].schema
    casts = [
        nw.col(column.name).cast(types[column.name])
        for column in frame.iter_columns()
        if types.get(column.name, nw.Object) not in (nw.Object, column.dtype)
        and column.is_null().all()
    ]
    return frame.with_columns(casts).to_native() if casts else more


def _in_one_precision(name: str, rows: dict[str, Array]) -> dict[str, Array]:
    """Arrays in single precision, or in double where it would lose what rows differ by.

    As estimators hold them. Single precision is twice as fast.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # an error is better, below
        dtype = precision_of([*rows.values()])
        rows = {which: np.asarray(X, dtype, order="C") for which, X in rows.items()}
    for which, X in rows.items():
        _check_values(X, which, name)
    return rows


def _check_values(numbers: Array, which: str, name: str) -> None:
    """Raise a ValueError where rows have infinite values, or X a column of none."""
    bad = np.isinf(numbers)
    if bad.any():
        raise ValueError(
            f"{which} of data set {name!r} has {int(bad.sum())} values that are "
            f"infinite, in {int(bad.any(axis=1).sum())} rows. Make them NaN, which is "
            "a value that is not known, or leave those rows out."
        )
    if which == "X" and len(empty := without_value(numbers)):
        raise ValueError(
            f"X of data set {name!r} has {len(empty)} columns without any value: "
            f"{empty.tolist()[:5]}. Leave them out."
        )


def _check_columns(X: Array, like: Array, which: str) -> None:
    """Raise a ValueError unless rows have the columns of others."""
    if X.shape[1] != like.shape[1] or type(X) is not type(like):
        raise ValueError(
            f"{which} has {X.shape[1]} features in a {type(X).__name__}, X has "
            f"{like.shape[1]} in a {type(like).__name__}. Use the same."
        )
    if not isinstance(X, np.ndarray) and [*X.columns] != [*like.columns]:
        raise ValueError(
            f"{which} has the columns {[*X.columns]!r:.200}, X has "
            f"{[*like.columns]!r:.200}. Use the same in the same order."
        )


def _with_unlabeled(rows: dict[str, Array]) -> Array:
    """X, with X_unlabeled below it if there is any."""
    X, more = rows["X"], rows.get("X_unlabeled")
    if more is None:
        return X
    if isinstance(X, np.ndarray):
        return np.concatenate([X, more])
    frames: list[Any] = [nw.from_native(rows, eager_only=True) for rows in (X, more)]
    return nw.concat(frames).to_native()


def of_images(X: Array) -> bool:
    """Whether all columns have one scale of few even steps from 0, as grey values do.

    Then trees, which look at a column at a time, are no rival that one would name.

    Parameters
    ----------
    X : ndarray or frame

    Examples
    --------
    >>> of_images(np.arange(64, dtype=np.float32).reshape(4, 16) / 255)
    True
    >>> of_images(np.eye(16))  # 0 and 1 alone may be anything
    False
    """
    if not isinstance(X, np.ndarray) or X.shape[1] < 16:
        return False
    values = np.unique(X[:1000])
    if not 3 <= len(values) <= 256 or values[0] != 0:  # NaN is the last of values
        return False
    steps = values / np.diff(values).min()
    return bool(np.allclose(steps, np.round(steps), atol=0.01))
