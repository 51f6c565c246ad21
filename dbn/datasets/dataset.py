"""Rows with and without labels, and what is asked of them before they are used."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse, vstack
from sklearn.model_selection import train_test_split

from ..backend.missing import extent_of_known
from ..backend.precision import precision_of
from ..backend.types import Array
from .readers.layout import is_missing
from .readers.stored import Stored

_PARTS = ("X", "X_unlabeled", "X_valid", "X_test")
# Numbers with more values than this, each in few rows, are no classes.
_MANY_CLASSES, _ROWS_PER_CLASS = 20, 5


def target_of(y: Array) -> str:
    """What labels are: "classes", or "numbers", of which few repeat or some are broken.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)

    Examples
    --------
    >>> target_of(np.array([1.5, 2.0, 2.0])), target_of(np.array([0.0, 1.0, 1.0]))
    ('numbers', 'classes')
    """
    if y.dtype.kind not in "iuf":
        return "classes"
    values = np.unique(y)
    few = len(values) <= max(_MANY_CLASSES, len(y) / _ROWS_PER_CLASS)
    return "classes" if few and (values == np.round(values)).all() else "numbers"


@dataclass(frozen=True)
class Dataset:
    """Rows and, where the data set has them, labels and its published split.

    Parameters
    ----------
    name : str
    X : ndarray or csr_array of shape (n_samples, n_features), or frame
        The training rows where there is a split; a pandas frame where columns are
        texts. NaN is a value that is not known. It is float32, or float64 where
        numbers differ by less than that tells apart, as times in milliseconds do.
    y : ndarray of shape (n_samples,) or None
        None where there are no labels.
    X_unlabeled : ndarray, csr_array, frame or None
        More training rows, whose labels are not known.
    X_valid : ndarray, csr_array or None
        Validation rows, without labels.
    X_test, y_test : ndarray, csr_array (X_test only) or None
        None where the data set has no test split of its own.
    label : str or None
        Where the labels were found, such as ``"column 'species'"``.
    notes : tuple of str
        What else was decided in reading.
    columns : tuple of str or None
        Names of the columns of X, where the file has them.
    told_target : {"classes", "numbers"} or None
        What y is, where somebody has said it.

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
    columns: tuple[str, ...] | None = None
    told_target: str | None = None

    @property
    def target(self) -> str | None:
        """What y is: "classes", "numbers" (see `target_of`), or None."""
        return None if self.y is None else self.told_target or target_of(self.y)

    def summary(self) -> str:
        """What was understood, in one line.

        Examples
        --------
        >>> from dbn.datasets import load_dataset
        >>> load_dataset("diabetes").summary()
        'label: numbers from 25 to 346; 10 features; 442 rows, all labelled'
        """
        n_more = 0 if self.X_unlabeled is None else self.X_unlabeled.shape[0]
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
        parts = [label, self._features(), rows]
        for name, X in (("validation", self.X_valid), ("test", self.X_test)):
            parts += [] if X is None else [f"{X.shape[0]:,} {name} rows"]
        return "; ".join([*parts, *self.notes])

    def _features(self) -> str:
        """How many columns X has; of a frame, of each kind."""
        told = _count(self.X.shape[1], "feature", "s")
        if not hasattr(self.X, "columns"):
            return told
        n_numbers = sum(dtype.kind == "f" for dtype in self.X.dtypes)
        n_texts = self.X.shape[1] - n_numbers
        numbers = [_count(n_numbers, "number", "s")] if n_numbers else []
        kinds = [*numbers, _count(n_texts, "categor", "ies", "y")]
        return f"{told} ({', '.join(kinds)})"

    def with_unlabeled(self, value: Any) -> "Dataset":
        """The same data, in which rows with this label have none.

        Parameters
        ----------
        value : scalar
            As a number or as text.

        Raises
        ------
        ValueError
            If no training row has it, or a test row.

        Examples
        --------
        >>> from dbn.datasets import load_dataset
        >>> load_dataset("digits").with_unlabeled("9").summary()
        'label: 9 classes; 64 features; 1,617 of 1,797 rows labelled'
        """
        if self.y is None:
            raise ValueError(
                f"unlabeled is {value!r}, and {self.name!r} has no labels."
            )
        marks = _marks(self.y, value)
        if not marks.any() or marks.all():
            some = np.unique(self.y)[:5].tolist()
            raise ValueError(
                f"unlabeled is {value!r}, which is the label of "
                f"{'all' if marks.all() else 'none'} of the rows of {self.name!r}; it "
                f"has labels such as {some!r:.200}. Give the mark of rows without one; "
                "empty labels need none."
            )
        if self.y_test is not None and _marks(self.y_test, value).any():
            raise ValueError(
                f"Test rows of {self.name!r} have the label {value!r}, which says that "
                "it is not known. Remove those rows."
            )
        more = [
            self.X[marks],
            *([] if self.X_unlabeled is None else [self.X_unlabeled]),
        ]
        return replace(
            self, X=self.X[~marks], y=self.y[~marks], X_unlabeled=_stacked(more)
        )

    def all_rows(self) -> Array:
        """The training rows with and without labels.

        Returns
        -------
        ndarray, csr_array or frame
            `X`, and below it `X_unlabeled`.
        """
        if self.X_unlabeled is None:
            return self.X
        return _stacked([self.X, self.X_unlabeled])

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

        Raises
        ------
        ValueError
            If a class has a single row, or there are more classes than test rows.

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
            _check_classes(classes, test_size)
        X, X_test, y, y_test = train_test_split(
            self.X,
            self.y,
            test_size=test_size,
            stratify=classes,
            random_state=random_state,
        )
        return replace(self, X=X, y=y, X_test=X_test, y_test=y_test)


def _check_classes(y: Array, test_size: float) -> None:
    """Raise a ValueError unless test rows can be drawn of every class alike."""
    values, counts = np.unique(y, return_counts=True)
    n_test = math.ceil(test_size * len(y))
    if counts.min() < 2:
        wrong = (
            f"class {values[counts.argmin()].item()!r:.80} has one row, and test rows "
            "are drawn of every class alike: it needs at least two."
        )
    elif len(values) > min(n_test, len(y) - n_test):
        wrong = f"{n_test} test rows cannot be drawn of {len(values)} classes alike."
    else:
        return
    if y.dtype.kind in "iuf":
        wrong += " If labels are numbers to predict, say so (--target numbers)."
    raise ValueError(
        f"{wrong} Remove rows of rare classes, or give X_test and y_test in an .npz "
        "file."
    )


def _count(n: int, one: str, ending: str, of_one: str = "") -> str:
    return f"{n:,} {one}{ending if n != 1 else of_one}"


def _stacked(parts: list[Array]) -> Array:
    """Rows, the ones below the others."""
    if len(parts) == 1:
        return parts[0]
    if any(map(issparse, parts)):
        return vstack(parts, format="csr")
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    frames: list[Any] = [nw.from_native(part, eager_only=True) for part in parts]
    return nw.concat(frames).to_native()


def _marks(y: Array, value: Any) -> Array:
    """Which labels are a value, which may be the text of a number."""
    if y.dtype.kind not in "iufb":
        return y == str(value)
    try:
        return y == float(value)
    except ValueError:
        return np.zeros(len(y), dtype=bool)


def checked(
    name: str, arrays: dict[str, Any], path: Path, images: bool = False
) -> Dataset:
    """A Dataset of arrays from a file that fit together.

    What is only stored is read when nothing is wrong with its shape. Arrays of bytes
    with more than two dimensions are images, with values from 0 to 255.
    """
    about = {key: arrays.pop(key, None) for key in ("label", "columns")}
    notes = tuple(arrays.pop("notes", ()))
    labels_of_test = "y" in arrays and "X_test" in arrays
    if "X" not in arrays or ("y_test" in arrays) != labels_of_test:
        raise ValueError(
            f"{path} has the arrays {sorted(arrays)}; it needs X, and y_test exactly "
            "where there are y and X_test."
        )
    parts = [part for part in _PARTS if part in arrays]
    if hasattr(arrays["X"], "columns"):  # a frame, which its reader has checked
        return Dataset(name, **arrays, **about, notes=notes)
    images |= arrays["X"].ndim > 2
    for part in parts:
        _check_part(path, part, arrays)
    arrays = {
        key: _read(array) if key in parts else _read_labels(path, key, array)
        for key, array in arrays.items()
    }
    dense = [arrays[part] for part in parts if not issparse(arrays[part])]
    dtype = precision_of(dense)
    for part in parts:
        with np.errstate(over="ignore"):
            arrays[part] = arrays[part].astype(dtype, copy=False)
        X = arrays[part]
        if 0 in X.shape or not np.isfinite(extent_of_known(X)).all():
            raise ValueError(
                f"{path}: {part} is empty or has values that are not finite as "
                "float32. Remove those rows, or write NaN where a value is not known."
            )
    if images and max(arrays[part].max() for part in parts) > 1:
        for part in parts:
            arrays[part] /= 255.0
        notes += ("bytes divided by 255",)
    _set_unlabelled_apart(path, arrays)
    return Dataset(name, **arrays, **about, notes=notes)


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
    if y is not None and _kind(y) != _kind(arrays["y"]):
        raise ValueError(
            f"{path}: y holds {_kind(arrays['y'])} and y_test {_kind(y)}, and no "
            "label of one equals one of the other. Write both as numbers, or both as "
            "strings."
        )


def _kind(y: Any) -> str:
    return "strings" if y.dtype.kind in "US" else "numbers"


def _read_labels(path: Path, name: str, array: Any) -> Array:
    """Labels with one dimension, bytes as texts."""
    y = (array.read() if isinstance(array, Stored) else array).reshape(-1)
    if y.dtype.kind != "S":
        return y
    try:
        return np.strings.decode(y, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: the labels {name} are bytes that are no UTF-8 text ({error}). "
            "Save them as strings: numpy.strings.decode(y, encoding)."
        ) from error


def _read(array: Any) -> Array:
    """Rows with two dimensions."""
    if isinstance(array, Stored):
        # What single precision holds becomes that at once.
        single = np.can_cast(array.dtype, np.float32)
        array = array.read(np.float32 if single else None)
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
    arrays["X"], arrays["X_unlabeled"] = X[known], _stacked(rest)


def _known(y: Array) -> Array:
    if y.dtype.kind != "U":
        return y == y  # NaN is not itself
    values, place = np.unique(y, return_inverse=True)
    return np.array([not is_missing(value) for value in values])[place]
