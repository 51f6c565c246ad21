"""Rows with values that are not known, which are NaN.

Only dense rows have such values: arrays of any library, and rows of a file.
"""

import math

import numpy as np
from scipy.sparse import issparse

from .array import count_not_finite, extent, mean_weights
from .device import namespace
from .rows import row_slices
from .types import Array


def unmasked(X: Array) -> Array:
    """`X`, with NaN in place of each value that a masked array of NumPy hides.

    Examples
    --------
    >>> import numpy as np
    >>> unmasked(np.ma.masked_less([3, -999], 0))
    array([ 3., nan])
    """
    if not isinstance(X, np.ma.MaskedArray):
        return X
    numbers: Array = X if X.dtype.kind == "f" else X.astype(np.float64)
    return numbers.filled(np.nan)


def filled(X: Array, values: Array) -> Array:
    """`X` with the value of its column in place of each NaN.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
    values : array of shape (n_columns,), or one that broadcasts to that of an array X

    Examples
    --------
    >>> import numpy as np
    >>> filled(np.array([[1.0, np.nan], [np.nan, 4.0]]), np.array([5.0, 6.0]))
    array([[1., 6.],
           [5., 4.]])
    """
    xp = namespace(X)
    return xp.where(xp.isnan(X), values, X)


def mean_of_known(X: Array, weight: Array = None) -> tuple[Array, bool]:
    """Mean of each column over the values that are known, and whether any is not.

    Where all are known it is ``mean_weights(X, weight) @ X``, and costs no more.

    Parameters
    ----------
    X : array, scipy sparse CSR or LazyRows of shape (n_rows, n_columns)
    weight : array of shape (n_rows,), optional

    Returns
    -------
    mean : array of shape (n_columns,)
        NaN where no row has a value, or all that have one weigh nothing.
    incomplete : bool

    Examples
    --------
    >>> import numpy as np
    >>> mean_of_known(np.array([[1.0, 2.0], [3.0, np.nan]]))
    (array([2., 2.]), True)
    """
    w = mean_weights(X, weight)
    mean = w @ X
    if issparse(X) or not count_not_finite(mean):
        return mean, False
    total, known_weight, incomplete = 0.0 * w[0], 0.0 * w[0], False
    for rows in row_slices(X):
        part, xp = X[rows, ...], namespace(X[rows, ...])
        unknown = xp.isnan(part)
        incomplete = incomplete or bool(xp.any(unknown))
        total = total + w[rows] @ xp.where(unknown, 0.0, part)
        known_weight = known_weight + w[rows] @ xp.asarray(~unknown, dtype=part.dtype)
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing is known
        return (total / known_weight, True) if incomplete else (mean, False)


def extent_of_known(X: Array) -> tuple[float, float]:
    """Minimum and maximum of the values that are known; NaN of a sparse X with one.

    Examples
    --------
    >>> import numpy as np
    >>> extent_of_known(np.array([[1.0, np.nan], [3.0, 2.0]]))
    (1.0, 3.0)
    """
    low, high = extent(X)
    if issparse(X) or not (math.isnan(low) or math.isnan(high)):
        return low, high
    low, high = math.inf, -math.inf
    for rows in row_slices(X):
        part = X[rows, ...]
        xp, unknown = namespace(part), part != part
        low = min(low, float(xp.min(xp.where(unknown, math.inf, part))))
        high = max(high, float(xp.max(xp.where(unknown, -math.inf, part))))
    return low, high
