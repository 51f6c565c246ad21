"""Matrices by their names in MATLAB 5 files."""

import struct
import zlib
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.types import Array
from .sparse import csr
from .streams import pieces

_DTYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4"}
_DTYPES |= {7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
_COMPRESSED, _SPARSE, _NUMBERS = 15, 5, range(6, 16)
_Element = tuple[int, memoryview]  # its type and bytes
_HEAD = 1024  # bytes in which the name of a matrix is found
# The postings take twice the bytes of their file; a few copies of them are made.
_RATIO, _ROOM, _MAX_ELEMENTS = 2, 2**22, 10_000


def read_newsgroups(path: Path) -> dict[str, Any]:
    """``documents`` (words in rows) and ``newsgroups`` of a MATLAB 5 file."""
    try:
        file = _read_matlab(path, ("documents", "newsgroups"))
        words, groups = file["documents"], file["newsgroups"].ravel()
        if groups.shape != words.shape[:1]:
            raise ValueError(
                f"documents has {words.shape[0]} rows, but its labels have shape "
                f"{groups.shape}"
            )
        return {"X": words, "y": groups.astype(np.int64)}
    except (ValueError, LookupError, TypeError, struct.error, zlib.error) as error:
        raise ValueError(
            f"{path} cannot be read as a MATLAB 5 file with documents and newsgroups "
            f"({type(error).__name__}: {error}). Download it again."
        ) from error


def _read_matlab(path: Path, names: Collection[str]) -> dict[str, Array]:
    """The named matrices of a file; those that are sparse transposed, as CSR.

    `scipy.io.loadmat` sets aside what a file claims, and follows nested cells until the
    stack is full, which ends the process. Here every piece is a view of the file.
    """
    content, found = b"".join(pieces(path, _RATIO)), {}
    if content[124:128] != b"\0\1IM":
        raise ValueError("it has no header of a little-endian MATLAB 5 file")
    room = _ROOM + _RATIO * path.stat().st_size
    for name, matrix in _matrices(memoryview(content)[128:], names, room):
        flags, dims, _, *others = islice(_elements(matrix), 6)
        shape, parts = _numbers(dims), [_numbers(part) for part in others]
        if flags[1][0] == _SPARSE:
            rows, starts, values = parts
            found[name] = csr(values, rows, starts, tuple(shape[::-1]))
        elif flags[1][0] in _NUMBERS:
            found[name] = parts[0].reshape(shape, order="F")
    return found


def _matrices(
    content: memoryview, names: Collection[str], room: int
) -> Iterator[tuple[str, memoryview]]:
    """(name, bytes) of the matrices that are looked for, unpacked."""
    for kind, matrix in islice(_elements(content), _MAX_ELEMENTS):
        if kind != _COMPRESSED:
            if (name := _name(matrix[:_HEAD])) in names:
                yield name, matrix
            continue
        head = zlib.decompressobj().decompress(matrix, _HEAD)
        if (name := _name(memoryview(head)[8:])) in names:
            unpacking = zlib.decompressobj()
            unpacked = unpacking.decompress(matrix, max(room, 1))
            if not unpacking.eof:
                raise ValueError("a matrix is cut off, or far larger than the file")
            room -= len(unpacked)
            yield name, next(_elements(memoryview(unpacked)))[1]


def _name(head: memoryview) -> str:
    _, _, (_, name) = islice(_elements(head), 3)
    return str(name, "latin1")


def _elements(content: memoryview) -> Iterator[_Element]:
    """(type, bytes) of the elements of a MATLAB 5 file, or of a matrix in it."""
    while len(content):
        kind, size = struct.unpack_from("<2I", content)
        start, room = 8, len(content)
        if kind >> 16:  # a small one, its bytes in the place of its size
            kind, size, start, room = kind & 0xFFFF, kind >> 16, 4, 8
        end = start + size
        if end > room:
            raise ValueError(f"an element of {size} bytes is cut off")
        yield kind, content[start:end]
        content = content[end if kind == _COMPRESSED else end + -end % 8 :]


def _numbers(element: _Element) -> Array:
    kind, content = element
    return np.frombuffer(content, _DTYPES[kind])
