"""An array in a file, whose shape is known before memory is set aside for it."""

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backend.types import Array

_PIECE = 2**17
BROKEN = (zipfile.BadZipFile, EOFError, zlib.error)


@dataclass(frozen=True)
class Stored:
    """An array of plain numbers or texts in a file, read piece by piece.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    open : callable
        It gives a context with a stream of the array's bytes.
    fortran_order : bool, default=False

    Examples
    --------
    >>> import io
    >>> from dbn.datasets.readers.stored import Stored
    >>> Stored((2,), np.dtype(np.uint8), lambda: io.BytesIO(b"ab")).read().tolist()
    [97, 98]
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    open: Callable[[], Any]
    fortran_order: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def pieces(self) -> Iterator[Array]:
        """Its values one after the other, in arrays of one dimension."""
        each, left = max(_PIECE // max(self.dtype.itemsize, 1), 1), self.size
        try:
            with self.open() as stream:
                while left:
                    n_bytes = min(each, left) * self.dtype.itemsize
                    piece = stream.read(n_bytes)
                    if not piece or len(piece) < n_bytes:
                        raise EOFError(f"{left} of {self.size} values are missing")
                    yield np.frombuffer(piece, self.dtype)
                    left -= min(each, left)
        except BROKEN as error:
            raise ValueError(f"An array is damaged ({error}).") from error

    def read(self, dtype: Any = None) -> Array:
        """The array, converted to `dtype`."""
        flat, start = np.empty(self.size, dtype or self.dtype), 0
        with np.errstate(over="ignore"):
            for piece in self.pieces():
                flat[start : start + len(piece)] = piece
                start += len(piece)
        return flat.reshape(self.shape, order="F" if self.fortran_order else "C")
