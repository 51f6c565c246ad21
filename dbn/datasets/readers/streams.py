"""The bytes of a file, unpacked where they are gzip, and how many there may be."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PIECE = 2**17


def check_room(path: Path, n_bytes: int, ratio: int = 100) -> None:
    """Raise a ValueError if what a file holds is out of proportion to its size.

    MNIST takes 19 times its file's bytes as float32, the binarized images 58 times;
    what compression can do to zeros is 1000 times, without an end.
    """
    room = 2**24 + ratio * path.stat().st_size
    if n_bytes > room:
        raise ValueError(
            f"{path} would take {n_bytes} bytes of memory or more, where {room} are "
            f"granted (16 MiB, and {ratio} times the size of the file). If you trust "
            "it, write it again without compression."
        )


def is_packed(path: Path) -> bool:
    """Whether a file is gzip, which its first bytes tell; its name may not."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def open_unpacked(path: Path) -> Any:
    """A stream of the bytes of a file, without gzip."""
    return gzip.open(path) if is_packed(path) else open(path, "rb")


@contextmanager
def open_after(path: Path, start: int) -> Iterator[Any]:
    """The same stream, from byte `start` on."""
    with open_unpacked(path) as stream:
        stream.read(start)
        yield stream


def pieces(path: Path, ratio: int = 100) -> Iterator[bytes]:
    """The unpacked bytes of a file, in pieces, as many as `check_room` grants."""
    n_bytes = 0
    try:
        with open_unpacked(path) as stream:
            while piece := stream.read(_PIECE):
                n_bytes += len(piece)
                check_room(path, n_bytes, ratio)
                yield piece
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} is not a complete gzip file ({error}). Copy or download it again."
        ) from error


def size_of(path: Path) -> int:
    """Number of unpacked bytes of a file, which is whole and not out of proportion."""
    if not is_packed(path):
        return path.stat().st_size
    return sum(len(piece) for piece in pieces(path))
