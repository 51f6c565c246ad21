"""Labels as a comparison has them, whatever the user gives."""

import warnings
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from ...backend.types import Array
from ...datasets.dataset import target_of
from ...estimators.marks import as_labels, labelled_part, of_one_type
from .scorers import is_of_numbers

_ALL_MARKED = (
    "Give labels to some; or leave y and unlabeled away: starts are then compared by "
    "how they give back the rows."
)


def read_labels(
    y: Array, rows: Array, name: str, unlabeled: Any = None, scoring: Any = None
) -> tuple[Array, Array, Array]:
    """The labels of rows that have one.

    Parameters
    ----------
    y, name, unlabeled, scoring
        As in `compare_initializers`. A scorer of numbers says that y holds numbers.
    rows : ndarray or frame
        Whose labels they are.

    Returns
    -------
    where : ndarray
        Numbers of the rows.
    codes : ndarray
        Numbers of their classes, or their targets.
    classes : ndarray or None
        As the user calls them; of targets None.

    Raises
    ------
    ValueError
        If there are not as many as rows, some are missing or infinite, no row has the
        mark, or they are classes of which there are too few, or too few rows of one.

    Examples
    --------
    >>> where, codes, classes = read_labels(["b", "b", "a", "a"], np.eye(4), "letters")
    >>> codes.tolist(), classes.tolist()
    ([1, 1, 0, 0], ['a', 'b'])
    """
    y = _unmasked(y)
    labels = column_or_1d(y)
    check_consistent_length(rows, labels)
    where = np.arange(len(labels))
    if unlabeled is not None:
        where, labels = labelled_part(labels, unlabeled, advice=_ALL_MARKED)
        if len(where) == rows.shape[0]:
            raise ValueError(
                f"unlabeled is {unlabeled!r:.80}, which is the label of none of the "
                f"rows of {name!r}; y has labels such as "
                f"{np.unique(labels)[:5].tolist()!r:.200}. Give the mark of rows "
                "without one, or leave unlabeled away."
            )
    _refuse_missing(labels, "y", name)
    codes, classes = _codes(_finite(labels, "y", name), scoring)
    return where, codes, classes


def read_test_labels(y_test: Array, rows: Array, classes: Array, name: str) -> Array:
    """Labels of test rows: numbers of their classes, or targets where there are none.

    Parameters
    ----------
    y_test, name
        As in `compare_initializers`.
    rows : ndarray or frame
        Whose labels they are.
    classes : ndarray or None
        From `read_labels`.

    Raises
    ------
    ValueError
        If there are not as many as rows, or one is missing, infinite, or none that y
        holds.

    Examples
    --------
    >>> read_test_labels(["b", "a"], np.eye(2), np.array(["a", "b"]), "letters")
    array([1, 0])
    """
    y_test = column_or_1d(_unmasked(y_test))
    check_consistent_length(rows, y_test)
    _refuse_missing(y_test, "y_test", name)
    y_test = _finite(y_test, "y_test", name)
    if classes is None:
        return _as_targets(y_test, name)
    unknown = [*{*y_test.tolist()}.difference(classes.tolist())]
    if unknown:
        raise ValueError(
            f"y_test holds labels that y does not, {unknown[:3]!r:.80}. Leave these "
            "rows out."
        )
    return np.searchsorted(classes, y_test)


def if_numbers(classes: Array) -> str:
    """What to do where classes are numbers to predict, as a sentence; or nothing.

    Parameters
    ----------
    classes : ndarray
        As the user calls them.

    Examples
    --------
    >>> if_numbers(np.array(["ill", "well", "dead"])), if_numbers(np.array([0, 1]))
    ('', '')
    >>> if_numbers(np.array(["1.5", "2.5"]))
    ' These are texts: if y is a number to predict, give numbers, y.astype(float).'
    """
    if classes.dtype.kind in "iuf" and len(classes) > 2:
        return (
            " If y is a number to predict, say so by scoring='neg_mean_squared_error' "
            "(--scoring)."
        )
    if classes.dtype.kind != "U":
        return ""
    try:
        classes.astype(np.float64)
    except ValueError:
        return ""
    return (
        " These are texts: if y is a number to predict, give numbers, y.astype(float)."
    )


def _unmasked(y: Array) -> Array:
    """Labels, with None in place of each that a masked array hides; of a list too."""
    return as_labels(y) if isinstance(y, np.ma.MaskedArray | list | tuple) else y


def _finite(labels: Array, which: str, name: str) -> Array:
    """Labels as an array of a kind of their own, none of them infinite."""
    labels = of_one_type(labels, f"{which} of data set {name!r}")
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


def _codes(labels: Array, scoring: Any) -> tuple[Array, Array]:
    """Labels as numbers from 0 and their classes; targets and None."""
    by_scorer = labels.dtype.kind in "iuf" and is_of_numbers(scoring)
    if by_scorer or target_of(labels) == "numbers":
        return labels.astype(np.float64), None
    classes, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes)
    if len(classes) < 2 or counts.min() < 2:
        rare, n_rare = classes.tolist()[counts.argmin()], counts.min()
        advice = if_numbers(classes)
        if not advice and is_of_numbers(scoring):
            advice = f" They are no numbers, which scoring={scoring!r} is for."
        raise ValueError(
            f"y has {len(classes)} class{'es' if len(classes) != 1 else ''}, the "
            f"smallest of {n_rare} row{'s' if n_rare != 1 else ''} ({rare!r:.80}); the "
            f"comparison needs 2 classes or more, of 2 rows or more each.{advice}"
        )
    _warn_of_marks(classes)
    return codes, classes


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
            stacklevel=6,
        )
