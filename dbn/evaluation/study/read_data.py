"""Rows and labels as a comparison has them, whatever the user gives."""

import warnings
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from ...backend.array import dense
from ...backend.types import Array
from ...datasets.dataset import target_of
from ...estimators.frames import frame_columns
from ...estimators.preprocessing import without_value
from ...estimators.targets import labelled_part

# What y has for a row without a label.
MARKS = {"classes": -1, "numbers": np.nan, "rows": False}


class Data(NamedTuple):
    """Rows, with and without labels, and what is known of them; test rows, or None.

    X is a frame where columns are no numbers, else an array in single precision, which
    may hold NaN. y holds the numbers of classes, -1 where there is no label, or
    targets, NaN where there is none; or True, where rows are to be given back.
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
    if y is None:
        _refuse_labels(y_test=y_test, unlabeled=unlabeled)
        return _to_give_back(X, X_test, X_unlabeled, name)
    if (X_test is None) != (y_test is None):
        raise ValueError("X_test and y_test go together; one of them is None.")
    X, labels = _rows(X, "X", name), column_or_1d(y)
    check_consistent_length(X, labels)
    where = np.arange(len(labels))
    if unlabeled is not None:
        where, labels = labelled_part(y if isinstance(y, list) else labels, unlabeled)
    _refuse_missing(labels, "y", name)
    if labels.dtype == object:
        labels = np.asarray(labels.tolist())
    if labels.dtype.kind == "f" and (n_bad := int(np.isinf(labels).sum())):
        raise ValueError(
            f"y of data set {name!r} has {n_bad} labels that are infinite. Leave these "
            "rows out, or mark them with unlabeled."
        )
    codes, classes = _codes(labels)
    if X_unlabeled is not None:
        X = _below(X, _rows(X_unlabeled, "X_unlabeled", name))
    mark = MARKS["classes" if len(classes) else "numbers"]
    codes_of_all = np.full(X.shape[0], mark, codes.dtype)
    codes_of_all[where] = codes
    if X_test is None:
        return Data(X, codes_of_all, None, None)
    X_test, y_test = _rows(X_test, "X_test", name), column_or_1d(y_test)
    check_consistent_length(X_test, y_test)
    _refuse_missing(y_test, "y_test", name)
    _check_columns(X_test, X, "X_test")
    if not len(classes):
        return Data(X, codes_of_all, X_test, np.asarray(y_test, np.float64))
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
    rows = _rows(X, "X", name)
    if more is not None:
        rows = _below(rows, _rows(more, "X_unlabeled", name))
    columns = frame_columns(rows)
    if X_test is not None:
        X_test = _rows(X_test, "X_test", name)
        _check_columns(X_test, rows, "X_test")
    if columns is not None:
        rows = columns.encode(rows).astype(np.float32)
        if X_test is not None:
            X_test = columns.encode(X_test).astype(np.float32)
    y_test = None if X_test is None else np.ones(len(X_test), dtype=bool)
    return Data(rows, np.ones(len(rows), dtype=bool), X_test, y_test)


def _rows(X: Array, which: str, name: str) -> Array:
    """Rows in single precision; a frame whose columns are no numbers as it is."""
    columns = frame_columns(X)
    numbers = dense(X) if columns is None else columns.encode(X)
    numbers = check_array(
        numbers, dtype="float32", ensure_all_finite=False, order="C", copy=False
    )
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
    return numbers if columns is None else X


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


def _below(X: Array, more: Array) -> Array:
    """Rows, and more rows below them."""
    _check_columns(more, X, "X_unlabeled")
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
