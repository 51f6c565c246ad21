"""What is asked of X and its weights before a fit: finite numbers, of which kind."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.preprocessing import StandardScaler

from ..backend.array import count_not_finite, extent
from ..backend.device import asarray_like, namespace, numpy_dtype, to_host
from ..backend.rows import row_slices
from ..backend.types import Array
from ..boltzmann import Units


def indexable(X: Array) -> Array:
    """Rows as the user has them; what has no index as CSR or NumPy's.

    Examples
    --------
    >>> from scipy.sparse import coo_array
    >>> indexable(coo_array([[0.0, 1.0]])).format
    'csr'
    """
    if issparse(X) and X.format in ("coo", "bsr", "dia"):
        return X.tocsr()
    has_no_index = hasattr(X, "__array__") and not hasattr(X, "__getitem__")
    return np.asarray(X) if has_no_index else X


def of_moderate_size(weight: Array) -> Array:
    """Weights whose sum is finite, also in single precision; only ratios count.

    Very large or small ones are divided by a power of two, which rounds nothing.

    Examples
    --------
    >>> import numpy as np
    >>> of_moderate_size(np.array([1e38, 3e38])).round(2)
    array([0.29, 0.88])
    """
    _, exponent = np.frexp(weight.max(initial=0.0))
    return weight if abs(exponent) < 64 else np.ldexp(weight, -exponent)


def standardisation(X: Array, weight: Array, name: str) -> tuple[Array, Array]:
    """Mean and scale of each column, as arrays like X.

    Raises
    ------
    ValueError
        If numbers are so large that their squares are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> standardisation(np.array([[1.0], [3.0]]), None, "X")
    (array([2.]), array([1.]))
    """
    scaler = StandardScaler()
    for part in row_slices(X, entries=2**18):
        # It divides 0 by 0, which other libraries over NumPy warn about.
        with np.errstate(invalid="ignore", over="ignore"):
            scaler.partial_fit(
                X[part, ...], None, None if weight is None else weight[part]
            )
    mean, scale = (asarray_like(v, X) for v in (scaler.mean_, scaler.scale_))
    n_bad = count_not_finite(mean + scale)
    if not n_bad and to_host(scaler.var_).all():
        return mean, scale
    low, high = extent(X)
    if 0.0 < max(abs(low), abs(high)) < 1e-150:
        raise ValueError(
            f"{name} has values from {low:g} to {high:g}: their variance is no number "
            "above 0 any more. Multiply them by a constant."
        )
    if n_bad:
        raise ValueError(
            f"{name} has values from {low:g} to {high:g}: means or standard deviations "
            f"of {n_bad} columns are not finite. Divide those columns by a constant."
        )
    return mean, scale


def check_finite(X: Array) -> None:
    """Raise a ValueError that counts what is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> check_finite(np.array([[0.0, 1.0]]))
    """
    values = X.data if issparse(X) else X
    xp = namespace(values)
    if math.isfinite(float(xp.sum(values))) or not (n_bad := count_not_finite(values)):
        return
    n_nan = int(xp.count_nonzero(xp.isnan(values)))
    counts = {"NaN": n_nan, "infinity": n_bad - n_nan}
    found = " and ".join(f"{what} ({n} values)" for what, n in counts.items() if n)
    raise ValueError(
        f"Input X contains {found}. Fill them before (sklearn.impute.SimpleImputer or "
        "KNNImputer, in a pipeline, for example) or leave those rows out."
    )


def check_size(X: Array, units: Units) -> None:
    """Raise a ValueError if squares of X, in units without an upper end, overflow.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import ReLU
    >>> check_size(np.array([[1e10]]), ReLU())
    """
    if math.isfinite(units.high):
        return
    low, high = extent(X)
    most = 1e-3 * math.sqrt(np.finfo(numpy_dtype(X)).max)
    if max(abs(low), abs(high)) > most:
        raise ValueError(
            f"X has values from {low:g} to {high:g}; {units!r} units take numbers up "
            f"to {most:.0g}. Divide X by a constant."
        )


def warn_of_kind(X: Array, ends: tuple[float, float]) -> None:
    """Warn of numbers that standardised Gaussian units hardly suit.

    Warns
    -----
    UserWarning
        When X is counts or bytes, is made of -1 and 1, or has columns of 0 and 1 beside
        others.

    Examples
    --------
    >>> import numpy as np
    >>> warn_of_kind(np.array([[0.5, -3.0]]), (-3.0, 0.5))
    """
    low, high = ends
    if low == 0.0 and high < 2**53 and _all(X, lambda xp, part: part == xp.round(part)):
        advice = (
            f"X holds whole numbers from {low:g} to {high:g} (bytes? counts?), which "
            "are standardised for Gaussian units. Of bytes, pass X / 255; of counts, "
            "whether they are above zero (Binarizer), or scale them (MinMaxScaler)"
        )
    elif (low, high) == (-1.0, 1.0) and _all(X, lambda xp, part: xp.abs(part) == 1.0):
        advice = (
            "X holds only -1 and 1, which are standardised for Gaussian units. Pass "
            "(X + 1) / 2 for Bernoulli units"
        )
    else:
        n_binary = _count_binary(X)
        if not n_binary:
            return
        advice = (
            f"{n_binary} of {X.shape[1]} columns of X hold only 0 and 1; beside the "
            "other numbers they are standardised for Gaussian units. Scale all columns "
            "to [0, 1] (MinMaxScaler) for Bernoulli units"
        )
    warnings.warn(
        f"{advice}; or say visible='gaussian', if that is meant.", stacklevel=5
    )


def _all(X: Array, holds: Callable[[Any, Array], Array]) -> bool:
    """Whether ``holds(xp, part)`` is true everywhere."""
    xp = namespace(X[:1, ...])
    return all(bool(xp.all(holds(xp, X[part, ...]))) for part in row_slices(X))


def _count_binary(X: Array) -> int:
    """Number of columns that hold 0 and 1, both of them, and nothing else."""
    xp, first = namespace(X[:1, ...]), X[:1, ...]
    if not xp.any((first == 0.0) | (first == 1.0)):
        return 0
    binary, zeros, ones = True, False, False
    for rows in row_slices(X):
        part = X[rows, ...]
        zero, one = part == 0.0, part == 1.0
        binary = binary & to_host(xp.all(zero | one, axis=0))
        if not binary.any():
            return 0
        zeros = zeros | to_host(xp.any(zero, axis=0))
        ones = ones | to_host(xp.any(one, axis=0))
    return int(np.count_nonzero(binary & zeros & ones))


def refuse_sparse(X: Array) -> None:
    """Raise a ValueError if X is sparse, which standardisation would make dense.

    Examples
    --------
    >>> import numpy as np
    >>> refuse_sparse(np.zeros((1, 2)))
    """
    if issparse(X):
        raise ValueError(
            "Gaussian visible units standardise X, which would make a sparse X dense. "
            "Use Bernoulli units: scale X to [0, 1] (MaxAbsScaler) or, of counts, take "
            "whether they are above zero (sklearn.preprocessing.Binarizer). Or pass "
            "X.toarray()."
        )
