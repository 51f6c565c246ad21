"""Whether single precision can hold the numbers of columns."""

from typing import Any

import numpy as np

from .rows import row_slices
from .types import Array

# What rounding may take of the range of a column.
_LOST = 1e-3


class Precision:
    """Looks at rows of numbers, and says in which precision to hold them.

    Numbers that are large beside what they differ by, such as the time in milliseconds
    or the numbers of customers, become equal in single precision.

    Examples
    --------
    >>> seen = Precision()
    >>> seen.add(np.array([[0.1, 2024.0], [0.7, 1999.0]]))
    >>> seen.dtype
    dtype('float32')
    >>> seen.add(np.array([[0.2, np.nan], [1e9, 2000.0]]))
    >>> seen.dtype
    dtype('float32')
    >>> seen = Precision()
    >>> seen.add(1.7e12 + np.array([[5.0], [77.0]]))
    >>> seen.dtype
    dtype('float64')
    """

    def __init__(self) -> None:
        self._low: Array = np.inf
        self._high: Array = -np.inf
        self._error: Array = 0.0

    def add(self, X: Array) -> None:
        """Look at more rows: an array of shape (n_rows, n_columns), NaN for no value.

        Parameters
        ----------
        X : array
        """
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(X - X.astype(np.float32))
            error = np.where(np.isfinite(error), error, 0.0)
        self._low = np.fmin(self._low, np.fmin.reduce(X, axis=0))
        self._high = np.fmax(self._high, np.fmax.reduce(X, axis=0))
        self._error = np.maximum(self._error, error.max(axis=0))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Single precision, or double where it would lose what rows differ by."""
        extent = np.maximum(self._high - self._low, 0.0)
        lost = (self._error > _LOST * extent) & (extent > 0.0)
        return np.dtype(np.float64 if np.any(lost) else np.float32)


def precision_of(arrays: list[Array]) -> np.dtype[Any]:
    """The precision for arrays of the same columns.

    Examples
    --------
    >>> precision_of([np.array([[1.0], [2.0]])])
    dtype('float32')
    """
    seen = Precision()
    for X in arrays:
        if not np.can_cast(X.dtype, np.float32):
            for rows in row_slices(X):
                seen.add(X[rows].astype(np.float64, copy=False))
    return seen.dtype
