"""CSR matrices of parts from a file, looked through before scipy believes them."""

import numpy as np
from scipy.sparse import csr_array

from ...backend.types import Array
from .stored import Stored


def csr(data: Array, indices: Array, starts: Array, shape: tuple[int, ...]) -> Array:
    """A CSR matrix that owns its parts.

    `check_format` misses starts that go back where there are no values, or where their
    differences overflow: to sort such a matrix writes over foreign memory.
    """
    if not len(starts) or starts[0] != 0:
        raise ValueError("the starts of its rows do not begin with 0")
    _check_starts(starts, len(indices))
    X = csr_array((data, indices, starts), shape=shape, copy=True)
    X.check_format(full_check=True)
    return X


def _check_starts(starts: Array, n_values: int) -> None:
    if (starts[1:] < starts[:-1]).any() or starts[0] < 0 or starts[-1] > n_values:
        raise ValueError("the starts of its rows go back, or beyond its values")


def stored_csr(
    data: Stored, indices: Stored, starts: Stored, shape: Stored, kind: Stored
) -> Array:
    """The matrix, as float32, whose parts are `Stored`."""
    if kind.size != 1 or kind.dtype.kind not in "SU" or kind.dtype.itemsize > 100:
        raise ValueError("the format of its matrix is no word")
    if (word := kind.read().astype(str).item()) != "csr":
        raise ValueError(f"the format of its matrix is {word!r}")
    if shape.shape != (2,) or shape.dtype.kind not in "iu":
        raise ValueError("the shape of its matrix is none")
    n_rows, n_columns = size = tuple(shape.read().tolist())
    if starts.shape != (n_rows + 1,) or data.shape != indices.shape or data.ndim != 1:
        raise ValueError("the parts of its matrix do not fit together")
    kinds = indices.dtype.kind + starts.dtype.kind + data.dtype.kind
    if not set(kinds[:2]) <= set("iu") or kinds[2] not in "biuf":
        raise ValueError("its matrix is none of numbers")
    for piece in indices.pieces():
        if piece.min() < 0 or piece.max() >= n_columns:
            raise ValueError("indices of its columns are outside the matrix")
    last = 0
    for piece in starts.pieces():
        _check_starts(np.append([last], piece), data.size)
        last = int(piece[-1])
    return csr(data.read(np.float32), indices.read(), starts.read(), size)
