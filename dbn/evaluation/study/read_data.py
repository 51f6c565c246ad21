"""Rows and labels as a comparison has them, whatever the user gives."""

import warnings
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from ...backend.array import dense
from ...backend.precision import precision_of
from ...backend.types import Array
from ...datasets.dataset import target_of
from ...estimators.frames import frame_columns
from ...estimators.marks import labelled_part
from ...estimators.preprocessing import without_value

# What y has for a row without a label.
MARKS = {"classes": -1, "numbers": np.nan, "rows": False}


class Data(NamedTuple):
    """Rows, with and without labels, and what is known of them; test rows, or None.

    X is a frame where columns are no numbers, else an array, which may hold NaN: in
    single precision, or in double where numbers differ by less than that tells apart. y
    holds the numbers of classes, -1 where there is no label, or targets, NaN where
    there is none; or True, where rows are to be given back.
    """

    X: Array
    y: Array
    X_test: Array
    y_test: Array

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
) -> Data:
    """Check rows and labels; return them as `Data`.

    Parameters
    ----------
    X, y, X_test, y_test
        As in `compare_initializers`.
    name : str
        Of the data set, for messages.
    unlabeled, X_unlabeled
        As in `compare_initializers`.

    Raises
    ------
    ValueError
        If there are no labels, values are infinite, sizes do not fit, or test rows have
        labels that no training row has.

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
    X, X_test, labels = _with_unlabeled(rows), rows.get("X_test"), column_or_1d(y)
    check_consistent_length(rows["X"], labels)
    where = np.arange(len(labels))
    if unlabeled is not None:
        where, labels = labelled_part(y if isinstance(y, list) else labels, unlabeled)
    _refuse_missing(labels, "y", name)
    labels = _finite(labels, "y", name)
    codes, classes = _codes(labels)
    mark = MARKS["classes" if len(classes) else "numbers"]
    codes_of_all = np.full(X.shape[0], mark, codes.dtype)
    codes_of_all[where] = codes
    if X_test is None:
        return Data(X, codes_of_all, None, None)
    y_test = column_or_1d(y_test)
    check_consistent_length(X_test, y_test)
    _refuse_missing(y_test, "y_test", name)
    y_test = _finite(y_test, "y_test", name)
    if not len(classes):
        return Data(X, codes_of_all, X_test, _as_targets(y_test, name))
    unknown = [*{*y_test.tolist()}.difference(classes.tolist())]
    if unknown:
        raise ValueError(
            f"y_test holds labels that y does not, {unknown[:3]!r:.80}. Leave these "
            "rows out."
        )
    return Data(X, codes_of_all, X_test, np.searchsorted(classes, y_test))


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
    if (columns := frame_columns(rows["X"])) is not None:
        numbers = {which: columns.encode(frame) for which, frame in rows.items()}
        rows = _in_one_precision(name, numbers)
    y, y_test = (
        None if part is None else np.ones(len(part), dtype=bool)
        for part in (rows["X"], rows.get("X_test"))
    )
    return Data(rows["X"], y, rows.get("X_test"), y_test)


def _read_rows(name: str, X: Array, **more: Array) -> dict[str, Array]:
    """Rows as `Data` has them, of X and of what else is not None, of its columns."""
    given = {"X": X} | {which: rows for which, rows in more.items() if rows is not None}
    rows = {which: _as_numbers(part) for which, part in given.items()}
    for which, part in rows.items():
        _check_columns(part, rows["X"], which)
    if isinstance(rows["X"], np.ndarray):
        return _in_one_precision(name, rows)
    for which, frame in rows.items():
        columns: Any = frame_columns(frame)
        _check_values(columns.encode(frame), which, name)
    return rows


def _as_numbers(X: Array) -> Array:
    """An array of numbers; a frame whose columns are no numbers as it is."""
    if frame_columns(X) is not None:
        return X
    # What single precision holds needs no copy in double.
    dtypes: Any = (np.float64, np.float32, np.float16)
    dtypes += (np.uint16, np.int16, np.uint8, np.int8, bool)
    return check_array(dense(X), dtype=dtypes, ensure_all_finite=False, copy=False)


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


def _finite(labels: Array, which: str, name: str) -> Array:
    """Labels as an array of a kind of their own, none of them infinite."""
    if labels.dtype == object:
        labels = np.asarray(labels.tolist())
    if labels.dtype.kind == "f" and (n_bad := int(np.isinf(labels).sum())):
        raise ValueError(
            f"{which} of data set {name!r} has {n_bad} labels that are infinite. Leave "
            f"these rows out{', or mark them with unlabeled' if which == 'y' else ''}."
        )
    return labels


def _as_targets(y_test: Array, name: str) -> Array:
    """Labels of test rows as numbers, where those of the others are."""
    if y_test.dtype.kind not in "iuf":
        raise ValueError(
            f"y holds numbers to predict, and y_test of data set {name!r} holds "
            f"{y_test[:2].tolist()!r:.80}, of type {y_test.dtype}. Give numbers."
        )
    return y_test.astype(np.float64)


def _codes(labels: Array) -> tuple[Array, Array]:
    """Labels as numbers from 0 and their classes; targets and no classes."""
    if target_of(labels) == "numbers":
        return labels.astype(np.float64), np.empty(0)
    classes, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes)
    if len(classes) < 2 or counts.min() < 2:
        raise ValueError(
            f"y has {len(classes)} classes, the smallest of {counts.min()} rows; the "
            "comparison needs 2 classes or more, of 2 rows or more each."
        )
    _warn_of_marks(classes)
    return codes, classes


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


def _refuse_missing(labels: Array, which: str, name: str) -> None:
    missing = sum(map(_is_missing, labels.tolist()))
    if missing:
        advice = "Leave these rows out."
        if which == "y":
            advice = (
                "Name their mark with unlabeled (unlabeled=numpy.nan is None and "
                "pandas.NA too), and pretraining learns from these rows; or leave them "
                "out."
            )
        raise ValueError(
            f"{which} of data set {name!r} has {missing} missing labels. {advice}"
        )


def _is_missing(label: Any) -> bool:
    missing = label is None or type(label).__name__ == "NAType" or label != label
    return missing or (isinstance(label, str) and not label.strip())


def _warn_of_marks(classes: Array) -> None:
    """Warn of -1 beside 0, 1, 2, ..., as scikit-learn marks rows without a label.

    Not of {-1, 1}, which is an ordinary pair of classes.
    """
    names = [str(label).removesuffix(".0") for label in classes]
    others = [name for name in names if name != "-1"]
    if "-1" in names and len(others) > 1 and all(map(str.isdigit, others)):
        warnings.warn(
            f"y has the class -1 beside {len(others)} others, {', '.join(others[:3])} "
            "and so on, and it is compared as a class like them. If it marks rows "
            "without a label, pass unlabeled=-1.",
            stacklevel=5,
        )


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
