"""What is asked of X and its weights before a fit: finite numbers, of which kind."""

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from scipy.sparse import issparse
from sklearn.preprocessing import StandardScaler

from ..backend.array import count_not_finite, extent
from ..backend.device import (
    asarray_like,
    beside,
    converted_beside,
    namespace,
    numpy_dtype,
    to_host,
)
from ..backend.missing import extent_of_known, mean_of_known
from ..backend.rows import LazyRows, row_slices
from ..backend.types import Array
from ..boltzmann import Bernoulli, Units
from ._sklearn import check_sample_weight
from .visible import are_grey


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


def row_weights(sample_weight: Array, n_rows: int) -> Array:
    """A user's weights of rows, or one number for all, checked: float64, on the host.

    Raises
    ------
    ValueError
        If there are not as many, or one is negative, not finite or hidden by a masked
        array, or all are 0.

    Examples
    --------
    >>> row_weights(2.0, 3)
    array([2., 2., 2.])
    """
    if np.ma.is_masked(sample_weight):
        n_hidden = int(np.ma.getmaskarray(sample_weight).sum())
        raise ValueError(
            f"sample_weight is a masked array that hides {n_hidden} of "
            f"{sample_weight.size} weights; each row needs one. Give numbers: "
            "sample_weight.filled(0.0) leaves those rows out."
        )
    weight = check_sample_weight(
        to_host(sample_weight),
        np.broadcast_to(0.0, (n_rows, 1)),  # as many rows, on the host
        dtype=np.float64,
        ensure_non_negative=True,
    )
    if not np.isfinite(weight).all():  # of one number nobody has looked
        raise ValueError(
            f"sample_weight is {sample_weight!r:.80}; it must be finite. Leave it out "
            "where all rows count alike."
        )
    return weight


def standardisation(X: Array, weight: Array, name: str) -> tuple[Array, Array]:
    """Mean and scale of what is known in each column, as arrays like X.

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
        # Of a column without a value so far it remembers the mean NaN, for ever.
        unseen = beside(to_host(scaler.n_samples_seen_) == 0, scaler.mean_)
        xp = namespace(scaler.mean_)
        scaler.mean_ = xp.where(unseen, 0.0, scaler.mean_)
    mean, scale = (asarray_like(v, X) for v in (scaler.mean_, scaler.scale_))
    n_bad = count_not_finite(mean + scale)
    if not n_bad and to_host(scaler.var_).all():
        return mean, scale
    low, high = extent_of_known(X)
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


@contextmanager
def said_of(name: str) -> Iterator[None]:
    """Say of `name` what is wrong with rows that are not the X of a call.

    Units, frames and scikit-learn call all rows that they look at X.

    Examples
    --------
    >>> with said_of("X_val"):
    ...     raise ValueError("X has 3 features.")
    Traceback (most recent call last):
        ...
    ValueError: X_val has 3 features.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):
            raise
        # A column may be called X: 'X', or an entry of a list of scikit-learn's.
        text, n = re.subn(r"(?<!['\w])(?<!- )X(?!['\w])", name, str(error))
        raise type(error)(text if n else f"{name}: {text}") from None


def check_finite(X: Array, missing: bool = True) -> None:
    """Raise a ValueError that counts what is not accepted.

    Parameters
    ----------
    X : array or scipy sparse CSR
    missing : bool, default=True
        Whether NaN is accepted, as a value that is not known.

    Examples
    --------
    >>> import numpy as np
    >>> check_finite(np.array([[0.0, np.nan]]))
    """
    values = X.data if issparse(X) else X
    xp = namespace(values)
    if math.isfinite(float(xp.sum(values))) or not (n_bad := count_not_finite(values)):
        return
    n_nan = int(xp.count_nonzero(xp.isnan(values)))
    if n_bad > n_nan:
        raise ValueError(
            f"Input X contains infinity ({n_bad - n_nan} values). Put numbers in their "
            "place, or NaN for values that are not known."
        )
    if not missing or issparse(X):
        raise ValueError(
            f"Input X contains NaN ({n_nan} values), which sparse rows and rows of a "
            "large file must not. Fill them before (sklearn.impute.SimpleImputer, in a "
            "pipeline, for example), leave those rows out, or pass a dense array in "
            "memory."
        )


def has_missing(X: Array) -> bool:
    """Whether rows have a value that is not known: NaN, which sparse ones have not.

    Examples
    --------
    >>> import numpy as np
    >>> has_missing(np.array([[0.0, np.nan]]))
    True
    """
    if issparse(X) or isinstance(X, LazyRows):
        return False
    xp = namespace(X)
    return math.isnan(float(xp.sum(X))) and bool(xp.any(xp.isnan(X)))


def without_value(X: Array) -> Array:
    """Indices of the columns of which no row has a value.

    Examples
    --------
    >>> import numpy as np
    >>> without_value(np.array([[0.0, np.nan]]))
    array([1])
    """
    if not has_missing(X):
        return np.array([], dtype=int)
    xp = namespace(X)
    return np.flatnonzero(to_host(xp.all(xp.isnan(X), axis=0)))


def fill_values(X: Array, weight: Array, standardised: Array) -> Array:
    """The mean of each column of encoded rows: what a value not known is taken for.

    Parameters
    ----------
    X : array, scipy sparse CSR or LazyRows of shape (n_rows, n_columns)
    weight : array of shape (n_rows,) or None
    standardised : ndarray of bool of shape (n_columns,)
        Which columns have the mean 0; where all have, X is not looked at.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0], [-1.0, np.nan], [0.0, 1.0]])
    >>> fill_values(X, None, np.array([True, False]))
    array([0. , 0.5])
    """
    if standardised.all():
        return asarray_like(np.zeros(X.shape[1]), X)
    mean, _ = mean_of_known(X, converted_beside(weight, X))
    return namespace(mean).where(beside(standardised, mean), 0.0, mean)


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


def warn_of_counts(X: Array, units: Units) -> None:
    """Warn of counts or bytes, which standardised Gaussian units hardly suit.

    Warns
    -----
    UserWarning
        When the columns of Gaussian units hold whole numbers from 0 up, and half of
        them or more a 0: elsewhere a number such as an age is whole, too.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Gaussian
    >>> warn_of_counts(np.array([[0.5, -3.0]]), Gaussian())
    """
    columns = np.flatnonzero(units.per_column("standardised", X.shape[1]))
    if issparse(X) or not len(columns):
        return
    lows, high = np.full(len(columns), math.inf), -math.inf
    for rows in row_slices(X):
        part = X[rows, ...]
        xp = namespace(part)
        if len(columns) < X.shape[1]:
            part = xp.take(part, beside(columns, part), axis=1)
        unknown = part != part
        if not xp.all((part == xp.round(part)) | unknown):
            return
        least = xp.min(xp.where(unknown, math.inf, part), axis=0)
        lows = np.minimum(lows, to_host(least))
        high = max(high, float(xp.max(xp.where(unknown, 1.0, part))))
        if lows.min() < 0.0:
            return
    if np.mean(lows == 0.0) >= 0.5 and 1.0 < high < 2**53:
        warnings.warn(
            f"X holds whole numbers from 0 to {high:g} (bytes? counts?), which "
            "are standardised for Gaussian units. Of bytes, pass X / 255; of counts, "
            "whether they are above zero (Binarizer), or scale them (MinMaxScaler); or "
            "say visible='gaussian', if that is meant.",
            stacklevel=5,
        )


def warn_of_range(X: Array, units: Units, name: str = "X") -> None:
    """Warn of columns far outside the range of the units that a model was fitted with.

    A net gives an answer for any rows. Those that a scaler makes of new rows may be a
    little outside; a column of whole numbers may not: its values are other codes, such
    as 1 and 2 for 0 and 1. Of rows that are read as they are needed nothing is said.

    Warns
    -----
    UserWarning

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Bernoulli
    >>> warn_of_range(np.array([[0.0, 1.5]]), Bernoulli())
    """
    if isinstance(X, LazyRows) or not X.shape[0]:
        return
    lows, highs = (units.per_column(end, X.shape[1]) for end in ("low", "high"))
    bounded = np.isfinite(highs)
    for low in np.unique(lows[bounded]):
        of_units = np.flatnonzero(bounded & (lows == low))
        high = highs[of_units[0]]
        least, most = _ends_of_far(_columns_of(X, of_units), low, high)
        if n := len(least):
            warnings.warn(
                f"{name} has values from {least.min():.7g} to {most.max():.7g} in {n} "
                f"column{'s' * (n > 1)} that lay in [{low:g}, {high:g}] when the model "
                f"was fitted. Scale {name} as those rows were scaled, and write codes "
                "such as 0 and 1 as they were.",
                stacklevel=5,
            )


def _columns_of(X: Array, columns: Array) -> Array:
    if len(columns) == X.shape[1]:
        return X
    if issparse(X):
        return X[:, columns]
    return namespace(X).take(X, beside(columns, X), axis=1)


def _ends_of_far(X: Array, low: float, high: float) -> tuple[Array, Array]:
    """Ends of the columns that are further outside than new rows may be."""
    ends = extent_of_known(X)
    if low <= ends[0] and ends[1] <= high:
        return np.array([]), np.array([])
    least, most = np.full(X.shape[1], math.inf), np.full(X.shape[1], -math.inf)
    whole = np.full(X.shape[1], True)
    if issparse(X):
        least, most = (end(axis=0).toarray().ravel() for end in (X.min, X.max))
        whole[X.indices[X.data != np.round(X.data)]] = False
    for rows in () if issparse(X) else row_slices(X):
        part = X[rows, ...]
        xp, unknown = namespace(part), part != part
        whole &= to_host(xp.all((part == xp.round(part)) | unknown, axis=0))
        lowest = xp.min(xp.where(unknown, math.inf, part), axis=0)
        highest = xp.max(xp.where(unknown, -math.inf, part), axis=0)
        least = np.minimum(least, to_host(lowest))
        most = np.maximum(most, to_host(highest))
    margin = np.where(whole, 0.0, high - low)
    far = (least < low - margin) | (most > high + margin)
    return least[far], most[far]


def warn_of_small(low: float, high: float) -> None:
    """Warn of sparse rows whose largest value would hardly move a unit for [0, 1].

    Warns
    -----
    UserWarning

    Examples
    --------
    >>> warn_of_small(0.0, 1.0)
    """
    if Bernoulli().holds(low, high) and not are_grey(low, high):
        warnings.warn(
            f"The largest value of the sparse X is {high:g}, and units for values in "
            "[0, 1] hardly see it. Scale X (MaxAbsScaler).",
            stacklevel=5,
        )


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
