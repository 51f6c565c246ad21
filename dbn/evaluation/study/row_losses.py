"""The loss of a model on every test row: how it is found, and kept in a record."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend.types import Array
from .records import RECONSTRUCTION


def predicted(model: Any, X: Array) -> Array:
    """What a fitted model says of each row; a column is as good as a list.

    Parameters
    ----------
    model : estimator
    X : array or frame of shape (n_rows, n_features)

    Returns
    -------
    ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If its predictions have another shape.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> model = LinearRegression().fit([[0.0], [1.0]], [[0.0], [1.0]])
    >>> predicted(model, [[2.0]]).round()
    array([2.])
    """
    made, n_rows = np.asarray(model.predict(X)), len(X)
    if made.shape != (n_rows, 1):
        _check_shape(made, (n_rows,), "predict", model)
    return made.ravel()


def _check_shape(made: Array, shape: tuple[int, ...], method: str, model: Any) -> None:
    """Raise a ValueError rather than compare each row with all others."""
    if made.shape != shape:
        raise ValueError(
            f"{method} of {model!r:.200} returned an array of shape {made.shape} for "
            f"{shape[0]} rows. It must have the shape {shape}: change the estimator, "
            "or wrap it in one that does."
        )


def _wrong(model: Any, X: Array, y: Array) -> Array:
    return np.asarray(predicted(model, X) != y)


def _squared_error(model: Any, X: Array, y: Array) -> Array:
    return np.asarray((predicted(model, X).astype(float) - y) ** 2)


def _log_loss(model: Any, X: Array, y: Array) -> Array:
    p = np.asarray(model.predict_proba(X), dtype=float)
    _check_shape(p, (len(y), len(model.classes_)), "predict_proba", model)
    least = np.finfo(p.dtype).eps
    of_label = p[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return np.asarray(-np.log(np.clip(of_label, least, 1.0 - least)))


def _given_back(model: Any, X: Array, y: Array) -> Array:
    """Squared error of each row, summed over its columns that are known."""
    if hasattr(model, "reconstruct"):
        made = model.reconstruct(X)
    else:
        made = model.inverse_transform(model.transform(X))
    made = np.asarray(made, dtype=float)
    _check_shape(made, np.shape(X), "inverse_transform", model)
    error = made - X
    return np.asarray(np.where(np.isnan(X), 0.0, error**2).sum(axis=1))


# The scorers that are means over rows.
_LOSSES: dict[str, Callable[[Any, Array, Array], Array]] = {
    "accuracy": _wrong,
    "neg_mean_squared_error": _squared_error,
    "neg_log_loss": _log_loss,
    RECONSTRUCTION: _given_back,
}


# Of more test rows no losses are kept: their texts would have megabytes for each net.
MAX_ROWS = 200_000


def has_row_losses(scoring: str) -> bool:
    """Whether a score is a mean over rows, of losses that are kept.

    Examples
    --------
    >>> has_row_losses("accuracy"), has_row_losses("roc_auc")
    (True, False)
    """
    return scoring in _LOSSES


def row_losses(model: Any, X: Array, y: Array, scoring: str) -> Array | None:
    """The losses of a fitted model on these rows, whose mean is its error.

    Parameters
    ----------
    model : estimator
    X, y : ndarray
        Rows, and their labels or numbers.
    scoring : str
        Name of a scorer.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        Boolean for accuracy: whether a row is wrong. None if the score is no mean over
        rows.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> X, y = [[0], [0], [0]], np.array([5, 5, 6])
    >>> row_losses(DummyClassifier().fit(X, y), X, y, "accuracy")
    array([False, False,  True])
    """
    if not has_row_losses(scoring):
        return None
    return _LOSSES[scoring](model, X, y)


def packed(losses: Array, rows: Array | None) -> dict[str, Any]:
    """What a record has of losses: texts, a bit for each row, or a float16.

    Parameters
    ----------
    losses : ndarray of shape (n_rows,)
    rows : ndarray of shape (n_rows,) or None
        Numbers of the test rows; None where they are fixed.

    Examples
    --------
    >>> packed(np.array([True, False]), np.array([7, 3]))
    {'losses': 'QA==', 'test_rows': 'EQ=='}
    """
    if rows is not None:
        losses = losses[np.argsort(rows)]
    if losses.dtype == bool:
        kept = np.packbits(losses)
    else:  # as shares of the largest, since float16 ends at 65,504
        kept = (losses / max(float(losses.max()), 1e-300)).astype("<f2")
    is_test = None if rows is None else np.bincount(rows).astype(bool)
    return {
        "losses": _text(kept),
        "test_rows": None if is_test is None else _text(np.packbits(is_test)),
    }


def unpacked(record: dict[str, Any], settings: dict[str, Any]) -> tuple[Array, Array]:
    """Losses and numbers of their rows, from a record that has them.

    Parameters
    ----------
    record, settings : dict
        Of a comparison.

    Raises
    ------
    ValueError
        If they are damaged, or their mean is not the record's error.

    Examples
    --------
    >>> record = packed(np.array([True, False]), np.array([7, 3])) | {"error": 0.5}
    >>> unpacked(record, {"scoring": "accuracy", "n_test": 2})
    (array([False,  True]), array([3, 7]))
    """
    if record.get("test_rows") is not None:
        rows = np.flatnonzero(np.unpackbits(_bytes(record["test_rows"])))
    else:
        rows = np.arange(min(settings["n_test"], MAX_ROWS))
    kept, n_rows, error = _bytes(record["losses"]), len(rows), float(record["error"])
    if settings["scoring"] == "accuracy":
        losses = np.unpackbits(kept)[:n_rows].astype(bool)
        whole = len(kept) == -(-n_rows // 8)
    else:
        whole = len(kept) == 2 * n_rows
        losses = np.frombuffer(kept.tobytes()[: 2 * n_rows], "<f2").astype(float)
        whole = whole and bool(np.isfinite(losses).all() and (losses >= 0.0).all())
        if whole and losses.any():
            losses *= error / losses.mean()
    if not (whole and n_rows and abs(losses.mean() - error) <= 1e-6 * (1.0 + error)):
        raise ValueError(
            f"losses are not those of {n_rows} rows with the error {error}"
        )
    return losses, rows


def _text(values: Array) -> str:
    return b64encode(values.tobytes()).decode("ascii")


def _bytes(text: str) -> np.ndarray:
    try:
        return np.frombuffer(b64decode(text, validate=True), np.uint8)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{text!r:.80} is no text of base 64") from error
