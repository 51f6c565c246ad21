"""Arrays that NumPy and scipy wrote: .npz and .npy files."""

import io
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .sparse import stored_csr
from .stored import Stored
from .streams import check_room, open_after, open_unpacked, size_of

NAMES = ("X", "y", "X_unlabeled", "X_valid", "X_test", "y_test")
# As Keras and others name the same arrays.
_OTHER_NAMES = {"X": "x_train", "y": "y_train", "X_test": "x_test", "y_test": "y_test"}
_CSR_NAMES = ("data", "indices", "indptr", "shape", "format")
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_MAX_CONTENTS = 2**20  # bytes of a zip file's list of members; Python takes 20 times it
_PIECE = 2**17
_SHOWN = 10  # names in a message


class _Source(io.FileIO):
    """A file of which zipfile asks no more at once than is sensible."""

    def read(self, size: int | None = -1) -> Any:
        if size is not None and size > _MAX_CONTENTS:
            raise ValueError(f"its list of members has {size} bytes")
        return super().read(size)


def find_arrays(path: Path, names: Iterable[str]) -> tuple[dict[str, Stored], set[str]]:
    """The named arrays of an .npz file, as `Stored`: their bytes are there.

    Returns
    -------
    found : dict of str to Stored
    members : set of str
        The names of all arrays.
    """
    found, n_bytes, n_packed = {}, 0, 0
    size = path.stat().st_size
    with _Source(path) as source, zipfile.ZipFile(source) as file:
        members = {name.removesuffix(".npy") for name in file.namelist()}
        for name in sorted(members.intersection(names)):  # each once
            info = file.getinfo(f"{name}.npy")
            with file.open(info) as member:
                opened = partial(_open_member, path, info.filename)
                array, start = _npy(name, member, opened)
            expected = start + array.size * array.dtype.itemsize
            n_packed += info.compress_size
            # As float32, and beside it what may need more.
            single = np.can_cast(array.dtype, np.float32)
            n_bytes += array.size * (4 if single else 4 + array.dtype.itemsize)
            stored = info.compress_type == zipfile.ZIP_STORED
            if (stored and expected > info.compress_size) or n_packed > size:
                raise ValueError(f"{name} is cut off: its shape is {array.shape}")
            check_room(path, n_bytes)
            if not stored and expected != _unpacked_size(file, info, expected):
                raise ValueError(f"{name} is cut off: its shape is {array.shape}")
            found[name] = array
    return found, members


def _npy(name: str, stream: Any, open_at: Callable[[int], Any]) -> tuple[Stored, int]:
    """The array that a header describes, and where its bytes start."""
    version = np.lib.format.read_magic(stream)
    shape, fortran_order, dtype = _NPY_HEADERS[version](stream)
    if dtype.hasobject:
        raise ValueError(
            f"{name} holds Python objects, which are not unpickled: save texts with "
            "dtype=str, and numbers as numbers"
        )
    size = math.prod(shape)
    if min(shape, default=0) < 0 or (size and not dtype.itemsize):
        raise ValueError(f"{name} is cut off: its shape is {shape}")
    start = stream.tell()
    return Stored(shape, dtype, partial(open_at, start), fortran_order), start


def _unpacked_size(file: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> int:
    """Bytes that a packed member has, counted: it may say anything. No more than most.

    What is left over is not read later, so that no checksum would be tested then.
    """
    if info.compress_type != zipfile.ZIP_DEFLATED:
        raise ValueError(f"{info.filename} is compressed in a way NumPy never uses")
    n_bytes = 0
    with file.open(info) as member:
        while (piece := member.read(_PIECE)) and n_bytes <= most:
            n_bytes += len(piece)
    return n_bytes


@contextmanager
def _open_member(path: Path, name: str, start: int) -> Iterator[Any]:
    with (
        _Source(path) as source,
        zipfile.ZipFile(source) as file,
        file.open(name) as member,
    ):
        member.read(start)
        yield member


def read_npz(path: Path) -> dict[str, Any]:
    """Arrays by their names, or the one CSR matrix of `scipy.sparse.save_npz` as X."""
    try:
        wanted = (*NAMES, *_OTHER_NAMES.values(), *_CSR_NAMES)
        arrays, members = find_arrays(path, wanted)
        if "X" not in arrays and "format" in arrays:
            return {"X": stored_csr(*(arrays[name] for name in _CSR_NAMES))}
    except Exception as error:
        # Half a dozen types, from zipfile.BadZipFile to EOFError.
        reason = str(error)
        if isinstance(error, KeyError):
            reason = f"it has the format of a CSR matrix, but no {error}"
        elif not zipfile.is_zipfile(path):
            reason = f"{error}: another kind of file under this name, or cut off"
        raise ValueError(
            f"{path} cannot be read as an .npz file of plain arrays or of one CSR "
            f"matrix ({reason}). Write it with numpy.savez(path, X=X, y=y) or "
            "scipy.sparse.save_npz(path, X.tocsr())."
        ) from error
    names = {name: name for name in NAMES}
    if "X" not in arrays and "x_train" in arrays:
        names = _OTHER_NAMES
    found: dict[str, Any] = {
        key: arrays[name] for key, name in names.items() if name in arrays
    }
    others = sorted(members - {*names.values()})
    shown = ", ".join(f"{name!r:.40}" for name in others[:_SHOWN])
    shown += f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    if "X" not in found:
        raise ValueError(
            f"{path} has the arrays [{shown}]; it needs X, and y_test exactly where "
            "there are y and X_test (or x_train, y_train, x_test, y_test)."
        )
    if others:
        found["notes"] = [f"not read: {shown}"]
    return found | ({"label": f"array {names['y']}"} if "y" in found else {})


def read_npy(path: Path) -> dict[str, Any]:
    """The one array of an .npy file as X."""
    try:
        n_bytes = size_of(path)
        with open_unpacked(path) as stream:
            array, start = _npy("it", stream, partial(open_after, path))
        if n_bytes != start + array.size * array.dtype.itemsize:
            raise ValueError(f"it is cut off or too long: its shape is {array.shape}")
        check_room(path, array.size * max(array.dtype.itemsize, 4))
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as an .npy file of a plain array ({error}). Write "
            "it with numpy.save(path, X)."
        ) from error
    return {"X": array}


def read_binarized_mnist(path: Path) -> dict[str, Any]:
    """The arrays ``train``, ``valid`` and ``test`` of an .npz file."""
    names = {"X": "train", "X_valid": "valid", "X_test": "test"}
    try:
        arrays, _ = find_arrays(path, names.values())
        return {key: arrays[name] for key, name in names.items()}
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as an .npz file with the arrays train, valid and "
            f"test ({error}). Download it again."
        ) from error
