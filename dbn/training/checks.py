"""What a training is given: rows, targets, weights and options, before it begins."""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..backend.device import asarray_like, namespace
from ..backend.labelled_rows import LabelledRows
from ..backend.missing import unmasked
from ..backend.rows import LazyRows, ScaledRows, is_large_file
from ..backend.types import Array

# Kind and least value of each number, and what it may be instead.
_NUMBERS: dict[str, tuple[Any, int, tuple[Any, ...]]] = {
    "hidden_layer_sizes": (Integral, 1, ()),
    "batch_size": (Integral, 1, ("auto",)),
    "max_iter": (Integral, 0, ("auto",)),
    "head_epochs": (Integral, 0, ()),
    "patience": (Integral, 1, (None,)),
    "tol": (Real, 0, ()),
    "weight_decay": (Real, 0, ()),
    "l1": (Real, 0, ()),
    "initial_scale": (Real, 0, ()),
    "label_rate": (Real, 0, ()),
    "generative_weight": (Real, 0, ()),
    "discriminative_weight": (Real, 0, ()),
}
_WORDS = {"on_divergence": ("raise", "halve"), "watch": ("loss", "validation_loss")}


def check_options(options: Mapping[str, Any]) -> None:
    """Raise a ValueError for an option of a training that is not accepted.

    Parameters
    ----------
    options : mapping
        The arguments of `train_rbm`, `finetune` or `pretrain`, or some of them. Names
        that are not known here are not looked at.

    Raises
    ------
    ValueError
        If a number or a word is not accepted, or `patience` has no validation to watch.

    Examples
    --------
    >>> check_options({"batch_size": "auto", "l1": 0.5})
    >>> check_options({"max_iter": -1})
    Traceback (most recent call last):
        ...
    ValueError: max_iter must be an integer of at least 0 or 'auto'; it is -1.
    """
    for name, (kind, low, others) in _NUMBERS.items():
        value = options.get(name, low)
        fits = isinstance(value, kind) and low <= value < math.inf
        if not fits and not any(type(value) is type(o) and value == o for o in others):
            what = "an integer" if kind is Integral else "a finite number"
            accepted = " or ".join([f"{what} of at least {low}", *map(repr, others)])
            raise ValueError(f"{name} must be {accepted}; it is {value!r:.80}.")
    for name, words in _WORDS.items():
        value = options.get(name, words[0])
        if value not in words:
            accepted = " or ".join(map(repr, words))
            raise ValueError(f"{name} must be {accepted}; it is {value!r:.80}.")
    watches = options.get("watch", "validation_loss") == "validation_loss"
    patience = options.get("patience")
    if watches and patience is not None and options.get("validate") is None:
        raise ValueError(
            f"patience={patience} watches the validation loss, and there is no "
            "validate. Pass a function that returns {'validation_loss': ...}, or leave "
            "patience at None."
        )


def checked_input(
    dtype: Any, X: Array, y: Array = None, weight: Array = None
) -> tuple[Array, Array, Array]:
    """Rows, targets and weights as a training takes them.

    Whole numbers and booleans become floating-point ones, once, and what a masked array
    hides becomes NaN. Other rows are returned as they are, and none of a large memory
    map is read.

    Parameters
    ----------
    dtype : dtype
        What whole numbers become: that of the machine or the net.
    X : array, scipy sparse CSR or LazyRows of shape (n_rows, n_columns)
    y : array of shape (n_rows, n_outputs), optional
        Targets, or one-hot labels.
    weight : array of shape (n_rows,), optional

    Returns
    -------
    tuple
        X, y, and the weights in the library and the dtype of X.

    Raises
    ------
    ValueError
        If X has no row, there is not one target and one weight for each of its rows, or
        the weights are not what `checked_weight` accepts.

    Examples
    --------
    >>> import numpy as np
    >>> rows, *_ = checked_input(np.float32, np.eye(2, dtype=bool))
    >>> rows.dtype
    dtype('float32')
    """
    X = _rows("X", X, dtype)
    if y is not None:
        y = _rows("The targets", y, dtype)
        if y.shape[0] != X.shape[0]:
            raise ValueError(
                f"X has {X.shape[0]} rows, and there are targets or labels for "
                f"{y.shape[0]}. Give one row of them for each row of X."
            )
    return X, y, checked_weight("sample_weight", weight, X)


def _rows(name: str, X: Array, dtype: Any) -> Array:
    """Rows of floating-point numbers, not masked; a ValueError if these are none."""
    if isinstance(X, LabelledRows):
        return LabelledRows(*checked_input(dtype, X.features, X.labels)[:2])
    shape = getattr(X, "shape", None)
    if not hasattr(X, "dtype") or shape is None or len(shape) != 2 or not shape[0]:
        found = f"a {type(X).__name__}" + (f" of shape {shape}" if shape else "")
        raise ValueError(
            f"{name} must be an array of at least one row and of 2 dimensions, (n_rows,"
            f" n_columns); it is {found}. Use np.asarray for lists and frames, one-hot "
            "rows for classes, and values[:, None] for one value a row."
        )
    return _floating(unmasked(X), dtype)


def _floating(X: Array, dtype: Any) -> Array:
    """`X` with whole numbers and booleans as floating-point ones."""
    xp = namespace(X)
    if isinstance(X, LazyRows) or not xp.isdtype(X.dtype, ("bool", "integral")):
        return X
    if is_large_file(X):  # it stays there
        return ScaledRows(X, dtype=dtype)
    if issparse(X):  # where numbers lie is not copied
        return X._with_data(X.data.astype(dtype), copy=False)
    if xp is np:
        return X.astype(dtype)
    return xp.astype(X, getattr(xp, np.dtype(dtype).name))


def checked_weight(name: str, weight: Array, X: Array) -> Array:
    """Weights of rows, in the library and the dtype of these; None where all are equal.

    Parameters
    ----------
    name : str
        Of the parameter.
    weight : array-like of shape (n_rows,) or None
    X : array, scipy sparse CSR or LazyRows of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        If there is not one weight for each row, one is negative or not finite, or all
        are 0.

    Examples
    --------
    >>> import numpy as np
    >>> checked_weight("sample_weight", [1, 3], np.eye(2))
    array([1., 3.])
    """
    if weight is None:
        return None
    weight = unmasked(weight)
    if not hasattr(weight, "dtype") or weight.dtype != X.dtype:
        weight = asarray_like(weight, X)
    if weight.shape != (X.shape[0],):
        raise ValueError(
            f"{name} must have the shape ({X.shape[0]},), one weight for each row of "
            f"X; it has {tuple(weight.shape)}."
        )
    xp = namespace(weight)
    least, total = float(xp.min(weight)), float(xp.sum(weight))
    if not (least >= 0.0 and 0.0 < total < math.inf):
        raise ValueError(
            f"{name} must be finite and not negative, and not all 0; the least is "
            f"{least:g} and the sum {total:g}. Leave out rows that count for nothing."
        )
    return None if least == float(xp.max(weight)) else weight
