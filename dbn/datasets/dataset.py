"""Rows with and without labels, and what is asked of them before they are used."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split

from ..backend.array import extent
from ..backend.types import Array
from .readers.stored import Stored

_PARTS = ("X", "X_unlabeled", "X_valid", "X_test")
# Numbers with more values than this, each in few rows, are no classes.
_MANY_CLASSES, _ROWS_PER_CLASS = 20, 5


@dataclass(frozen=True)
class Dataset:
    """Rows and, where the data set has them, labels and its published split.

    Parameters
    ----------
    name : str
    X : ndarray or csr_array of shape (n_samples, n_features), float32
        The training rows where there is a split.
    y : ndarray of shape (n_samples,) or None
        None where there are no labels.
    X_unlabeled : ndarray or None
        More training rows, whose labels are not known.
    X_valid : ndarray, csr_array or None
        Validation rows, without labels.
    X_test, y_test : ndarray, csr_array (X_test only) or None
        None where the data set has no test split of its own.
    label : str or None
        Where the labels were found, such as ``"column 'species'"``.
    notes : tuple of str
        What else was decided in reading.

    Examples
    --------
    >>> from dbn.datasets import load_dataset
    >>> data = load_dataset("digits")
    >>> data.X.max()
    np.float32(1.0)
    >>> data.summary()
    'label: 10 classes; 64 features; 1,797 rows, all labelled'
    """

    name: str
    X: Array
    y: Array = None
    X_unlabeled: Array = None
    X_valid: Array = None
    X_test: Array = None
    y_test: Array = None
    label: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> str | None:
        """What y is: "classes", "numbers" (of which few repeat), or None."""
        if self.y is None:
            return None
        if self.y.dtype.kind not in "iuf":
            return "classes"
        values = np.unique(self.y)
        few = len(values) <= max(_MANY_CLASSES, len(self.y) / _ROWS_PER_CLASS)
        return "classes" if few and (values == np.round(values)).all() else "numbers"

    def summary(self) -> str:
        """What was understood, in one line.

        Examples
        --------
        >>> from dbn.datasets import load_dataset
        >>> load_dataset("diabetes").summary()
        'label: numbers from 25 to 346; 10 features; 442 rows, all labelled'
        """
        n_more = 0 if self.X_unlabeled is None else len(self.X_unlabeled)
        n_labelled, n = self.X.shape[0], self.X.shape[0] + n_more
        where, rows = f"{self.label}, " if self.label else "", f"{n:,} rows"
        if self.target is None:
            label = "no labels"
        elif self.target == "classes":
            label = f"label: {where}{_count(len(np.unique(self.y)), 'class', 'es')}"
        else:
            label = f"label: {where}numbers from {self.y.min():g} to {self.y.max():g}"
        if self.target:
            rows = (
                f"{n_labelled:,} of {rows} labelled"
                if n_more
                else f"{rows}, all labelled"
            )
        parts = [label, _count(self.X.shape[1], "feature", "s"), rows]
        for name, X in (("validation", self.X_valid), ("test", self.X_test)):
            parts += [] if X is None else [f"{X.shape[0]:,} {name} rows"]
        return "; ".join([*parts, *self.notes])

    def all_rows(self) -> Array:
        """The training rows with and without labels.

        Returns
        -------
        ndarray or csr_array
            `X`, and below it `X_unlabeled`.
        """
        if self.X_unlabeled is None:
            return self.X
        return np.concatenate([self.X, self.X_unlabeled])

    def with_test(self, random_state: int = 0, test_size: float = 0.3) -> "Dataset":
        """The same data with test rows: its own, or drawn from labelled `X`.

        Scripts that pretrain and scripts that fine-tune hold out the same rows, so
        pretraining never sees them.

        Parameters
        ----------
        random_state : int, default=0
        test_size : float, default=0.3
            Share of labelled rows that is drawn, of every class alike.

        Returns
        -------
        Dataset
            The data set itself where it has test rows, or no labels.

        Examples
        --------
        >>> from dbn.datasets import load_dataset
        >>> load_dataset("digits").with_test().X_test.shape
        (540, 64)
        """
        if self.y is None or self.X_test is not None:
            return self
        classes = self.y if self.target == "classes" else None
        if classes is not None:
            values, counts = np.unique(classes, return_counts=True)
            if counts.min() < 2:
                raise ValueError(
                    f"class {values[counts.argmin()].item()!r:.80} has one row, and "
                    "test rows are drawn of every class alike: it needs at least two. "
                    "Remove the row, or give X_test and y_test in an .npz file."
                )
        X, X_test, y, y_test = train_test_split(
            self.X,
            self.y,
            test_size=test_size,
            stratify=classes,
            random_state=random_state,
        )
        return replace(self, X=X, y=y, X_test=X_test, y_test=y_test)


def _count(n: int, one: str, ending: str) -> str:
    return f"{n:,} {one}{ending if n != 1 else ''}"


def checked(
    name: str, arrays: dict[str, Any], path: Path, images: bool = False
) -> Dataset:
    """A Dataset of arrays from a file that fit together.

    What is only stored is read when nothing is wrong with its shape. Arrays of bytes
    with more than two dimensions are images, with values from 0 to 255.
    """
    label, notes = arrays.pop("label", None), tuple(arrays.pop("notes", ()))
    labels_of_test = "y" in arrays and "X_test" in arrays
    if "X" not in arrays or ("y_test" in arrays) != labels_of_test:
        raise ValueError(
            f"{path} has the arrays {sorted(arrays)}; it needs X, and y_test exactly "
            "where there are y and X_test."
        )
    parts = [part for part in _PARTS if part in arrays]
    images |= arrays["X"].ndim > 2
    for part in parts:
        _check_part(path, part, arrays)
    arrays = {key: _read(array, key in parts) for key, array in arrays.items()}
    for part in parts:
        X = arrays[part]
        if 0 in X.shape or not np.isfinite(extent(X)).all():
            raise ValueError(
                f"{path}: {part} is empty or has values that are not finite as "
                "float32. Remove or fill those rows first."
            )
    if images and arrays["X"].max() > 1:
        for part in parts:
            arrays[part] /= 255.0
        notes += ("bytes divided by 255",)
    _set_unlabelled_apart(path, arrays)
    return Dataset(name, **arrays, label=label, notes=notes)


def _columns(X: Array) -> str:
    """How many columns an array has, in words: of images, lines and their length."""
    return " x ".join(map(str, X.shape[1:]))


def _check_part(path: Path, part: str, arrays: dict[str, Any]) -> None:
    X, y = arrays[part], arrays.get(part.replace("X", "y"))
    are_images = X.ndim > 2 and X.dtype == np.uint8
    if not (X.ndim == 2 or are_images) or X.dtype.kind not in "biuf":
        raise ValueError(
            f"{path}: {part} has shape {X.shape} and dtype {X.dtype}; it needs shape "
            "(n, n_features) and numbers, or images of dtype uint8."
        )
    if X.shape[1:] != arrays["X"].shape[1:]:
        raise ValueError(
            f"{path}: {part} has {_columns(X)} columns and X has "
            f"{_columns(arrays['X'])}; they need the same columns."
        )
    shapes = [X.shape[:1], (X.shape[0], 1)]
    if y is not None and (y.shape not in shapes or y.dtype.kind not in "biufUS"):
        raise ValueError(
            f"{path}: {part} has {X.shape[0]} rows, but its labels have shape "
            f"{y.shape} and dtype {y.dtype}; they need shape ({X.shape[0]},) and "
            "numbers or strings."
        )


def _read(array: Any, is_rows: bool) -> Array:
    """Rows as float32 with two dimensions; labels as they are, with one."""
    if isinstance(array, Stored):
        array = array.read(np.float32 if is_rows else None)
    if not is_rows:
        return array.reshape(-1)
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    shape = array.shape[0], math.prod(array.shape[1:])
    return array if issparse(array) else array.reshape(shape)


def _set_unlabelled_apart(path: Path, arrays: dict[str, Any]) -> None:
    """Rows whose label is NaN or an empty text go to X_unlabeled."""
    if "y_test" in arrays and (n := int((~_known(arrays["y_test"])).sum())):
        raise ValueError(
            f"{path}: {n} of the labels in y_test are empty or NaN. Remove those rows "
            "from X_test and y_test."
        )
    if "y" not in arrays or (known := _known(arrays["y"])).all():
        return
    if not known.any():
        arrays["y"] = arrays["y_test"] = None
        return
    X, arrays["y"] = arrays["X"], arrays["y"][known]
    rest = [X[~known], *([arrays["X_unlabeled"]] if "X_unlabeled" in arrays else [])]
    arrays["X"], arrays["X_unlabeled"] = X[known], np.concatenate(rest)


def _known(y: Array) -> Array:
    # NaN is not itself.
    return y != y.dtype.type() if y.dtype.kind in "US" else y == y
