"""Rows that stay where they are until a batch of them is needed.

Data larger than memory lies in a file that NumPy maps (`numpy.memmap`). What looks at
all of its rows does so in slices (`row_slices`), and what changes them, such as a scale
or a standardisation, is applied to the rows of a batch (`ScaledRows`).
"""

import copy
import hashlib
import math
import mmap
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .types import Array

# The rows of a larger file are shuffled in groups of this many bytes, each of several
# blocks from anywhere in the file; a smaller one is handled like an array in memory.
_GROUP, _BLOCKS = 2**26, 16


def row_slices(
    X: Array, batch_size: int | None = None, *, entries: int = 2**20
) -> Iterator[slice]:
    """Slices that cover the rows of `X`, of `batch_size` rows or about `entries`.

    Examples
    --------
    >>> import numpy as np
    >>> list(row_slices(np.zeros((3, 2)), 2))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    size = batch_size or max(1, entries // max(1, math.prod(X.shape[1:])))
    n_rows = X.shape[0]
    return (slice(i, min(i + size, n_rows)) for i in range(0, n_rows, size))


def some_rows(n_rows: int, most: int) -> Array:
    """Indices of all rows, or of `most` of them: in order, and always the same.

    They are drawn, since of evenly spaced ones all may be of one class.

    Examples
    --------
    >>> some_rows(3, 10).tolist(), some_rows(1000, 5).tolist()
    ([0, 1, 2], [269, 307, 510, 635, 847])
    """
    rng = np.random.default_rng(0)
    return np.sort(rng.choice(n_rows, min(n_rows, most), replace=False))


def even_batches(groups: Iterable[Array], size: int) -> Iterator[Array]:
    """Batches of `size` rows, the last one shorter, out of groups of row numbers.

    Examples
    --------
    >>> import numpy as np
    >>> [len(batch) for batch in even_batches([np.arange(5), np.arange(2)], 3)]
    [3, 3, 1]
    """
    left = None
    for rows in groups:
        rows = rows if left is None else np.concatenate([left, rows])
        whole = rows.shape[0] // size * size
        for start in range(0, whole, size):
            yield rows[start : start + size]
        left = rows[whole:] if whole < rows.shape[0] else None
    if left is not None:
        yield left


def file_of(X: Array) -> mmap.mmap | None:
    """The memory map that the array `X` lies in, or None.

    What joblib maps to hand it to workers counts as memory, from where it came: results
    must not depend on `n_jobs`.

    Examples
    --------
    >>> import numpy as np
    >>> file_of(np.zeros(3)) is None
    True
    """
    while isinstance(X, np.ndarray):
        if "joblib_memmapping_folder" in str(getattr(X, "filename", "")):
            return None
        X = X.base
    return X if isinstance(X, mmap.mmap) else None


def sha256_of(X: Array) -> str:
    """SHA-256 of the bytes of an array in C order, read in slices, in hexadecimal.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(6.0).reshape(2, 3)
    >>> sha256_of(X) == sha256_of(np.asfortranarray(X))
    True
    """
    digest, X = hashlib.sha256(), np.atleast_1d(X)
    for rows in row_slices(X):
        _update(digest, X[rows])
    return digest.hexdigest()


def _update(digest: Any, X: Array) -> None:
    digest.update(np.ascontiguousarray(X).reshape(-1).view(np.uint8))


def is_large_file(X: Array) -> bool:
    """Whether the array `X` is a memory map of more than 64 MB."""
    return file_of(X) is not None and X.nbytes > _GROUP


def as_rows(X: Array) -> Array:
    """`X`, or `ScaledRows` of it where it is a memory map of more than 64 MB.

    The values are the same; float32 and float64 keep their dtype, and other numbers
    become float64, as in scikit-learn. An array in columns (Fortran order) is returned
    as it is, because each of its rows lies scattered over the file.

    Examples
    --------
    >>> import numpy as np
    >>> as_rows(np.zeros((2, 3))).shape
    (2, 3)
    """
    numbers = is_large_file(X) and X.ndim == 2 and X.dtype.kind in "biuf"
    if not (numbers and _in_rows(X)):
        return X
    return ScaledRows(X, dtype=np.float32 if X.dtype == np.float32 else np.float64)


def _in_rows(X: Array) -> bool:
    """Whether the entries of each row lie side by side."""
    return bool(X.shape[1] == 1 or X.strides[1] == X.itemsize)


class LazyRows(ABC):
    """Base of rows that are made when they are read, by slices or row numbers."""

    # A NumPy array on the left of @ leaves the product to the rows.
    __array_ufunc__ = None
    ndim = 2
    shape: tuple[int, ...]
    dtype: Any

    def __len__(self) -> int:
        return self.shape[0]

    def __matmul__(self, other: Any) -> Any:
        raise TypeError(
            f"{type(self).__name__} are read where a batch of them is needed, and not "
            "all at once, as by this function. Pass some of them, such as rows[:1000]."
        )

    @abstractmethod
    def __getitem__(self, key: Any) -> Array:
        """Rows at a slice, an index, indices or a mask, as an array."""


class ScaledRows(LazyRows):
    """The rows ``(X - subtract) / divide_by`` as floats, computed when they are read.

    Estimators take it in place of X: bytes in a file or in memory, for example, become
    values in [0, 1] batch by batch, as ``X / 255`` would have them, and no array of the
    size of X is made. What they give back (features, say) is in memory. A plain memory
    map of more than 64 MB, in C order, is treated likewise, its values as they are.

    An epoch reads the rows of a file of more than 64 MB in blocks: their order is
    shuffled, and then the rows within groups of 16 blocks, 64 MB together. A file in
    which neighbouring rows belong together (sorted by class, say) is better shuffled
    once, as a whole, when it is written.

    Parameters
    ----------
    X : ndarray (`numpy.memmap`, read-only or not) of shape (n_rows, n_features)
        Numbers in C order. Never changed.
    divide_by : float or array of shape (n_features,), default=1
    subtract : float or array of shape (n_features,), default=0
    dtype : float32 or float64, default=None
        Of the rows. None is float32 where it holds what X holds (floats up to 32 bits,
        integers up to 16), otherwise float64.

    Attributes
    ----------
    shape, ndim, dtype : as of an array

    Raises
    ------
    ValueError
        If X is not such an array, or the numbers do not fit it or are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBMTransformer, ScaledRows
    >>> images = np.random.default_rng(0).integers(0, 256, (200, 64), dtype=np.uint8)
    >>> rows = ScaledRows(images, divide_by=255)
    >>> rows[:2].dtype, float(rows[:].max())
    (dtype('float32'), 1.0)
    >>> rbm = RBMTransformer(n_components=16, random_state=0).fit(rows)
    >>> rbm.transform(rows).shape
    (200, 16)
    """

    # The array that is read, the numbers of its rows that are these (None: all), and
    # what is then done, stage by stage: functions with a number or a row, and a dtype.
    _source: Array
    _chosen: Array | None
    _stages: list[tuple[list[tuple[Any, Any]], Any]]
    _sha256: str | None  # of the array; in `remembering`, "" until it was read

    def __init__(
        self,
        X: Array,
        divide_by: Any = 1.0,
        *,
        subtract: Any = 0.0,
        dtype: Any = None,
    ) -> None:
        if isinstance(X, ScaledRows):
            vars(self).update(vars(X))
        else:
            self._source, self._chosen, self._stages = _checked(X), None, []
            self.shape, self._sha256 = X.shape, None
        dtype = np.dtype(
            np.result_type(X.dtype, np.float32) if dtype is None else dtype
        )
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64; it is {dtype}.")
        subtract = _checked_numbers("subtract", subtract, X, dtype)
        divide_by = _checked_numbers("divide_by", divide_by, X, dtype)
        if not divide_by.all():
            raise ValueError(f"divide_by must not be 0; it is {divide_by!s:.80}.")
        all_steps = [(np.subtract, subtract, 0.0), (np.divide, divide_by, 1.0)]
        steps = [
            (f, value) for f, value, nothing in all_steps if (value != nothing).any()
        ]
        self._stages, self.dtype = [*self._stages, (steps, dtype)], dtype

    def __repr__(self) -> str:
        return f"ScaledRows({self.shape[0]} x {self.shape[1]}, {self.dtype})"

    def __getitem__(self, key: Any) -> Array:
        return self._scaled(self._raw(rows_of(key)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)

    def __rmatmul__(self, weights: Array) -> Array:
        """``weights @ rows``: with weights that sum to 1, the mean."""
        # In double precision, some rows at a time: in one product of single precision
        # the mean of 5 million ones comes out as 1.004.
        total = np.zeros(self.shape[1])
        for rows in row_slices(self, max(1, min(2**12, 2**20 // self.shape[1]))):
            total += weights[rows] @ self[rows]
        return total.astype(np.result_type(weights, self.dtype))

    def astype(self, dtype: Any, copy: bool = False) -> "ScaledRows":
        """The same rows, rounded to another `dtype` when they are read.

        `copy` is there for NumPy's sake: there is nothing to copy.
        """
        return self if self.dtype == dtype else ScaledRows(self, dtype=dtype)

    def clipped(self, low: Any, high: Any) -> "ScaledRows":
        """The same rows, values outside [low, high] moved to its ends when read.

        `low` and `high` are numbers, or arrays of one for each column.
        """
        rows, ends = copy.copy(self), [(np.maximum, low), (np.minimum, high)]
        steps = [(f, end) for f, end in ends if np.isfinite(end).any()]
        rows._stages = [*self._stages, (steps, self.dtype)]
        return rows

    def of_columns(self, columns: slice) -> "ScaledRows":
        """The same rows without the columns outside the slice `columns`."""
        rows = copy.copy(self)
        rows._source, rows._sha256 = self._source[:, columns], None
        rows._stages = [
            ([(f, v[columns] if np.ndim(v) else v) for f, v in steps], dtype)
            for steps, dtype in self._stages
        ]
        rows.shape = self.shape[0], rows._source.shape[1]
        return rows

    def choose(self, indices: Array) -> "ScaledRows":
        """Some of the rows, which stay where they are as well.

        Parameters
        ----------
        indices : int array of shape (n_chosen,)
        """
        rows, chosen = copy.copy(self), self._chosen
        rows._chosen = indices if chosen is None else chosen[indices]
        rows.shape = len(indices), self.shape[1]
        return rows

    def remembering(self) -> "ScaledRows":
        """The same rows, which remember the SHA-256 of what a pass over all reads.

        Then `content` needs no pass of its own: for as long as nobody writes to X.
        """
        rows = copy.copy(self)
        rows._sha256 = ""
        return rows

    def parts(self) -> Iterator[Array]:
        """Yield all rows in slices, as arrays."""
        return map(self._scaled, self._raw_parts())

    def _raw_parts(self) -> Iterator[Array]:
        remembers = self._sha256 == "" and self._chosen is None
        digest = hashlib.sha256()
        for rows in row_slices(self):
            part = self._raw(rows)
            if remembers:
                _update(digest, part)
            yield part
        if remembers:
            self._sha256 = digest.hexdigest()

    def content(self) -> tuple[Any, ...]:
        """All that the rows are made of, as plain data and small arrays.

        Returns
        -------
        tuple
            Dtype, shape and SHA-256 of the array, row numbers, and what is done in
            which dtype.
        """
        X = self._source
        stages = [
            ([(function.__name__, value) for function, value in steps], dtype.str)
            for steps, dtype in self._stages
        ]
        digest = self._sha256 or sha256_of(X)
        return X.dtype.str, X.shape, digest, self._chosen, stages

    @property
    def may_be_infinite(self) -> bool:
        """Whether there may be a NaN or infinity: not among scaled integers."""
        return bool(self._source.dtype.kind == "f")

    def extent(self) -> tuple[float, float]:
        """Minimum and maximum, NaN if there is one."""
        found = []
        for part in self._raw_parts():
            # What is done to the ends of a column may turn them round.
            ends = self._scaled(np.stack([part.min(axis=0), part.max(axis=0)]))
            found += [ends.min(), ends.max()]
        return float(np.min(found)), float(np.max(found))

    def shuffled(self, rng: Any) -> Iterator[Array]:
        """Yield the numbers of all rows in an order of `rng`, in one or more arrays.

        Rows of a large file come in groups of blocks, see the class.
        """
        n_rows, X = self.shape[0], self._source
        block = max(1, _GROUP // _BLOCKS // max(1, abs(X.strides[0])))
        if file_of(X) is None or n_rows <= block * _BLOCKS:
            yield rng.permutation(n_rows)
            return
        starts = rng.permutation(np.arange(0, n_rows, block))
        for i in range(0, len(starts), _BLOCKS):
            blocks = [
                np.arange(start, min(start + block, n_rows))
                for start in starts[i : i + _BLOCKS]
            ]
            yield rng.permutation(np.concatenate(blocks))

    def _raw(self, rows: Any) -> Array:
        if self._chosen is not None:
            rows = self._chosen[rows]
        if isinstance(rows, slice):
            return self._source[rows]
        rows = np.asarray(rows)
        if rows.dtype == bool or not rows.size:  # an empty list is of no integers
            rows = np.flatnonzero(rows)
        return self._source.take(rows, axis=0)

    def _scaled(self, rows: Array) -> Array:
        for steps, dtype in self._stages:
            for function, value in steps:
                rows = function(rows, value, dtype=dtype)
            rows = rows.astype(dtype, copy=False)
        return rows


def _checked(X: Array) -> Array:
    """X without its subclass, if it is an array of numbers in rows."""
    if not isinstance(X, np.ndarray) or X.ndim != 2 or 0 in X.shape:
        shape = getattr(X, "shape", "none")
        raise ValueError(
            "ScaledRows need a NumPy array (np.memmap included) of at least one row "
            f"and column; got a {type(X).__name__} of shape {shape}."
        )
    if isinstance(X, np.ma.MaskedArray):
        raise ValueError(
            "ScaledRows have no mask, and what X hides would be data. Give them an "
            "array with NaN there, X.astype(float).filled(np.nan)."
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(f"ScaledRows need real numbers; X has the dtype {X.dtype}.")
    if not _in_rows(X):
        raise ValueError(
            "ScaledRows need an array in C order: in this one, in Fortran order, every "
            "row is scattered over the whole. Write it in C order, some columns at a "
            "time, or use np.ascontiguousarray where it fits into memory."
        )
    return X.view(np.ndarray)


def _checked_numbers(name: str, value: Any, X: Array, dtype: Any) -> Array:
    value = np.asarray(value, dtype=dtype)
    if value.shape not in ((), X.shape[1:]) or not np.isfinite(value).all():
        raise ValueError(
            f"{name} must be a finite number, or {X.shape[1]} of them, one for each "
            f"column of X; it has the shape {value.shape} and is {value!s:.80}."
        )
    return value


def rows_of(key: Any) -> Any:
    """The part of an index of `LazyRows` that chooses rows.

    Raises
    ------
    IndexError
        If it chooses columns as well.

    Examples
    --------
    >>> rows_of((3, slice(None)))
    3
    """
    rows, *columns = key if isinstance(key, tuple) else (key,)
    wholes = (
        c is Ellipsis or (isinstance(c, slice) and c == slice(None)) for c in columns
    )
    if not all(wholes):
        raise IndexError(
            f"Rows that are made when they are read are indexed by rows; got [{key!r}]."
            " For columns, index an array of rows."
        )
    return rows


def rows_in_file(parts: Iterable[Array], n_columns: int, dtype: Any) -> Array:
    """Write arrays of rows to a temporary file; return all rows, mapped read-only.

    The file has no name and is gone when the rows are, however the process ends. It
    lies in the folder of `tempfile.gettempdir()`, which `TMPDIR` sets.

    Parameters
    ----------
    parts : iterable of arrays of shape (n_rows of the part, n_columns)
    n_columns : int
    dtype : dtype

    Raises
    ------
    OSError
        If there is not enough room.

    Examples
    --------
    >>> import numpy as np
    >>> rows = rows_in_file([np.ones((2, 3)), np.zeros((1, 3))], 3, float)
    >>> rows.shape
    (3, 3)
    """
    try:
        # The map keeps the file, which has no name, alive.
        with tempfile.TemporaryFile(prefix="dbn-") as file:
            for part in parts:
                file.write(np.ascontiguousarray(part, dtype=dtype).data)
            file.flush()
            X = np.memmap(file, dtype=dtype, mode="r")
    except OSError as error:
        raise OSError(
            f"Rows of {n_columns} columns could not be kept in the folder for "
            f"temporary files, {tempfile.gettempdir()}: {error}. Set TMPDIR to a "
            "folder with more room, or raise memory_budget."
        ) from error
    return as_rows(X.reshape(-1, n_columns))
