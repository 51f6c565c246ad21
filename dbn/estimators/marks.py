"""Marks of rows without a label, in y of any kind."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..backend.array import dense
from ..backend.device import to_host
from ..backend.types import Array
from ._sklearn import is_pandas_na, is_scalar_nan


def as_labels(y: Array) -> Array:
    """Labels as an array on the host; those of a list as objects.

    A list, or what pandas calls object, holds a mark beside labels of any type. What a
    masked array hides is None.

    Examples
    --------
    >>> as_labels([-1, "cat"])
    array([-1, 'cat'], dtype=object)
    """
    if isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):
        hidden, y = np.ma.getmaskarray(y), y.data.astype(object)
        y[hidden] = None
    in_list = isinstance(y, list | tuple)
    return np.asarray(dense(to_host(y)), dtype=object if in_list else None)


_IN_FIT = (
    "Give labels to some, in partial_fit of each chunk, or use DBNTransformer, which "
    "needs none."
)


def labelled_part(
    y: Array, value: Any, name: str = "y", advice: str = _IN_FIT
) -> tuple[Array, Array]:
    """Indices of the rows of y that are not marked with `value`, and their targets.

    Of several targets in a row all must be marked.

    Raises
    ------
    ValueError
        If all rows are, with `advice` what to do; or if the mark is none.
    """
    y = as_labels(y)
    _refuse_other_type(y, value)
    without = marked(y, value)
    labelled = np.flatnonzero(~(without if y.ndim == 1 else without.all(axis=1)))
    if len(labelled) == 0:
        raise ValueError(
            f"All {len(y)} rows are marked as unlabelled ({name} is {value!r}). "
            f"{advice}"
        )
    y = y[labelled]
    check_labels(y, name, value)
    return labelled, of_one_type(y, name)


def _refuse_other_type(y: Array, value: Any) -> None:
    """Raise a ValueError where y holds the mark as text and it is a number, or so."""
    if y.dtype.kind not in "USO" and not isinstance(value, str):
        return
    alike = [label for label in {*y.flat} if _is_written_alike(label, value)]
    if alike:
        n_like, held = sum(_is_written_alike(v, value) for v in y.flat), alike[0]
        held = held.item() if isinstance(held, np.generic) else held
        raise ValueError(
            f"unlabeled={value!r} is of type {type(value).__name__}, and y holds "
            f"{held!r}, which is not, {n_like} times. Give unlabeled={held!r} if that "
            "marks rows without a label."
        )


# What becomes of NaN, pandas.NA and NaT in an array of texts.
_MISSING_TEXTS = ("nan", "<NA>", "NaT")


def _is_written_alike(label: Any, mark: Any) -> bool:
    """Whether one of two is a text, and the other is not but is written like it."""
    if isinstance(label, str) == isinstance(mark, str):
        return False
    text, other = (label, mark) if isinstance(label, str) else (mark, label)
    if _is_missing(other):
        return text in _MISSING_TEXTS
    if text == str(other):
        return True
    try:
        return bool(float(text) == other)
    except ValueError:
        return False


def marked(y: Array, value: Any) -> Array:
    """Where y is a value; where the value is missing (NaN, pandas.NA), where y is.

    Raises
    ------
    ValueError
        If the value is several.
    """
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        raise ValueError(
            f"unlabeled is {value!r:.80}; it must be one value, such as -1 or "
            "numpy.nan. Mark all rows without a label in y by the same."
        )
    missing = _is_missing(value)
    if y.dtype != object:
        return y != y if missing else y == value
    marks = [missing if _is_missing(v) else not missing and v == value for v in y.flat]
    return np.asarray(marks, dtype=bool).reshape(y.shape)


def _is_missing(value: Any) -> bool:
    if isinstance(value, np.datetime64) or type(value).__name__ == "NaTType":
        return bool(value != value)
    return value is None or is_scalar_nan(value) or is_pandas_na(value)


def check_labels(y: Array, name: str = "y", mark: Any = None) -> None:
    """Raise a ValueError if y holds None, NaN, NaT or pandas.NA, or several types.

    Where that is the `mark` of rows without a label, these are rows of some targets.

    Examples
    --------
    >>> check_labels(["a", "b"])
    """
    if y is None:  # which scikit-learn refuses
        return
    y = as_labels(y)
    missing = y[marked(y, np.nan)]
    if len(missing):
        what = "NaN" if is_scalar_nan(missing[0]) else str(missing[0])
        advice = "let unlabeled=numpy.nan mark rows without a label."
        if mark is not None and _is_missing(mark):
            advice = (
                "give all their targets: a row counts as unlabelled only if all of "
                "its targets are missing."
            )
        raise ValueError(
            f"Input {name} contains {what}, no target, {len(missing)} times. Leave "
            f"those rows out, or {advice}"
        )
    of_one_type(y, name)


def of_one_type(y: Array, name: str = "y") -> Array:
    """Labels that are objects as an array of their own type; others as they are.

    Raises
    ------
    ValueError
        If some are texts and some are not: as an array all would be texts.

    Examples
    --------
    >>> of_one_type(np.array([1, 2], dtype=object)).dtype.kind
    'i'
    """
    if y.dtype != object:
        return y
    texts = [label for label in y.flat if isinstance(label, str)]
    others = [label for label in y.flat if not isinstance(label, str)]
    if texts and others:
        raise ValueError(
            f"{name} holds texts such as {texts[0]!r:.80} and other labels such as "
            f"{others[0]!r:.80}. Make all of them texts, or all numbers."
        )
    return np.asarray(y.tolist())


def warn_of_encoded(y: Array, mark: Any) -> None:
    """Warn where y, without a mark, is what an encoder of labels makes of one."""
    if _is_missing(mark) or y.ndim > 1 or y.dtype.kind not in "iuf":
        return
    classes = np.unique(y)
    if np.array_equal(classes, np.arange(len(classes))):
        warnings.warn(
            f"No row of y is {mark!r}, the mark of rows without a label: all count as "
            "labelled. If this is fitted inside a meta-estimator that encodes labels "
            "anew (voting, stacking, bagging), the mark has become a class: use "
            "unlabeled=numpy.nan, which it refuses.",
            stacklevel=9,
        )
