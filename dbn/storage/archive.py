"""Plain data and arrays in one file, without pickle: model files and checkpoints.

The format is described in `docs/model-files.md`. Nothing in a file is executed, and no
name found in it is imported. Sizes are compared with the size of the file itself before
memory is set aside: a file of n bytes makes arrays of at most n bytes, and JSON values
within what `parse_json` allows for n.
"""

import errno
import hashlib
import io
import json
import math
import os
import re
import secrets
import struct
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from ..backend.types import Array
from .packing import (
    DTYPES,
    ModelFileError,
    Packer,
    check_values,
    parse_json,
    printable,
    unpack,
)
from .regular_file import open_file

_CONTENT = "model.json"
# Limits of what is written and read.
_MAX_ARRAYS = 1000
_MAX_JSON_BYTES = 2**24
_MAX_JSON_VALUES = 10**6
_MAX_DIMENSIONS = 8
_CHUNK = 2**20
_NAMES = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,199}")


def write_archive(
    path: Any, content: Any, *, kind: str, version: int, through_link: bool = True
) -> None:
    """Write plain data with arrays to a file, which replaces an older one when done.

    Parameters
    ----------
    path : str or path-like
    content : dict
        Of None, bool, int, float, str, list, tuple, dict, NumPy scalars and arrays of
        numbers or strings, and random streams; nested as you like.
    kind : str
        What the file is, for `read_archive`.
    version : int
        Of the format of `content`.
    through_link : bool, default=True
        See `replacing`.

    Raises
    ------
    ModelFileError
        If `content` holds anything else, or more than a file may hold.
    OSError
        If the file cannot be written; one that was there before stays as it is.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from dbn.storage.archive import read_archive, write_archive
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "weights")
    ...     write_archive(path, {"W": np.eye(2), "k": (1,)}, kind="test", version=1)
    ...     read_archive(path, kind="test", version=1)
    {'W': array([[1., 0.],
           [0., 1.]]), 'k': (1,)}
    """
    from .. import __version__

    packer = Packer()
    packed, arrays = packer.pack(content), packer.arrays.items()
    header = {
        "format": kind,
        "version": version,
        "dbn": __version__,
        "content": packed,
        "arrays": {
            name: {
                "dtype": array.dtype.str,
                "shape": list(array.shape),
                "sha256": _digest(_bytes(array)),
            }
            for name, array in arrays
        },
    }
    data = json.dumps(header, allow_nan=False).encode("ascii")
    try:
        check_values(str(data, "ascii"), len(data) + sum(a.nbytes for _, a in arrays))
        if len(arrays) > _MAX_ARRAYS or _too_long(data):
            raise ModelFileError(
                f"it has {len(arrays)} arrays and {len(data)} bytes of JSON, where "
                f"{_MAX_ARRAYS} arrays, {_MAX_JSON_BYTES} bytes and "
                f"{_MAX_JSON_VALUES} values are allowed."
            )
    except ModelFileError as error:
        raise ModelFileError(
            f"The content is too much for a file that can be loaded: {error} Shorten "
            "long lists, such as the history."
        ) from error
    whole = replacing(path, through_link=through_link)
    with whole as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_CONTENT), data)
        for name, array in arrays:
            large = array.nbytes > 2**30
            with archive.open(f"{name}.npy", "w", force_zip64=large) as member:
                member.write(_npy_header(array.dtype.str, array.shape))
                member.write(_bytes(array))
        archive.comment = _digest(data).encode("ascii")


def read_archive(path: Any, *, kind: str, version: int) -> Any:
    """Read what `write_archive` wrote.

    Parameters
    ----------
    path : str or path-like
    kind : str
        What the file must be.
    version : int
        Newest version of the content's format that the caller understands.

    Returns
    -------
    dict
        The content. Arrays are writeable and belong to the caller.

    Raises
    ------
    ModelFileError
        If the file is damaged, of another kind or too new, or asks for more memory
        than it has bytes; or if there is a folder, a pipe or a device at that place.
    OSError
        If the file cannot be read.
    """
    path = os.fspath(path)
    with refusals(path), _ShortReads(open_file(path)) as file:
        size = os.fstat(file.fileno()).st_size
        with zipfile.ZipFile(file) as archive:
            return _read(archive, size, kind, version)


# What damaged input makes of zipfile, json, NumPy and our constructors.
_SYMPTOMS = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, struct.error),
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
)


@contextmanager
def refusals(path: Any) -> Iterator[None]:
    """Turn what damaged input causes inside the block into a ModelFileError.

    Parameters
    ----------
    path : str or path-like
        Of the file that is read, for the message.
    """
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{path} cannot be loaded: {error}") from error
    except (*_SYMPTOMS, OSError) as error:
        # A seek to where no file can be is an invalid argument.
        if not isinstance(error, _SYMPTOMS) and error.errno != errno.EINVAL:
            raise
        reason = printable(f"{type(error).__name__}: {error}", most=300)
        raise ModelFileError(
            f"{path} cannot be loaded ({reason}). It is damaged or was never such a "
            "file: get a new copy."
        ) from error


@contextmanager
def replacing(path: Any, *, through_link: bool = True) -> Iterator[Any]:
    """A new binary file that takes the place of `path` when it is complete.

    It is written under another name in the same folder, brought to the disk, and
    renamed, so that at any moment `path` is either the old file or the new one. What a
    writer that was killed has left in the folder is removed.

    Parameters
    ----------
    path : str or path-like
    through_link : bool, default=True
        Whether, where `path` is a symbolic link, it is the file it leads to that is
        replaced, and not the link.

    Raises
    ------
    OSError
        If that fails; `path` is then as it was.
    """
    path = os.path.realpath(path) if through_link else os.path.abspath(path)
    if os.path.isdir(path) and not os.path.islink(path):
        text = "There is a folder of this name; give the name of a file"
        raise IsADirectoryError(errno.EISDIR, text, path)
    folder = os.path.dirname(path)
    _sweep(folder)
    temporary = os.path.join(folder, f".dbn-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            _lock(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    with suppress(OSError):  # the new file is there; not everywhere can folders sync
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


_TEMPORARY = re.compile(r"\.dbn-[0-9a-f]{16}\.tmp")


def _sweep(folder: str) -> None:
    """Remove the temporary files of writers that were killed: nobody locks them."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                # A file is made, and then locked: not before it is a second old.
                if (
                    _TEMPORARY.fullmatch(entry.name)
                    and entry.is_file(follow_symlinks=False)
                    and time.time() - entry.stat().st_mtime > 1.0
                ):
                    with open(entry.path, "rb") as file:
                        if _lock(file):
                            os.unlink(entry.path)


def _lock(file: Any) -> bool:
    """Lock a file while it is open; whether nobody else did."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # not POSIX, a disk without locks, or locked
        return False
    return True


class _ShortReads(io.BufferedReader):
    """Gives at most a chunk per read, whatever a damaged directory asks zipfile for."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(_CHUNK if size is None or size < 0 else min(size, _CHUNK))


def _digest(data: Any) -> str:
    return hashlib.sha256(data).hexdigest()


def _bytes(array: Array) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8))


def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The header of an .npy member, format 1.0, in the one spelling that is used."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("ascii")


def _too_long(text: bytes) -> bool:
    values = sum(text.count(mark) for mark in (b",", b"[", b"{"))
    return len(text) > _MAX_JSON_BYTES or values > _MAX_JSON_VALUES


# Reading: from the file to Python.


def _read(archive: zipfile.ZipFile, size: int, kind: str, version: int) -> Any:
    members = archive.infolist()
    header = _read_header(archive, size)
    _check_kind(header, kind, version)
    entries = header["arrays"]
    names = [info.filename for info in members]
    expected = [_CONTENT, *(f"{name}.npy" for name in entries)]
    if len(names) > _MAX_ARRAYS + 1 or sorted(names) != sorted(expected):
        raise ModelFileError(
            f"its {len(names)} members are not those that {_CONTENT} lists."
        )
    if sum(info.file_size for info in members) > size:
        raise ModelFileError(f"its members claim more than its {size} bytes.")
    arrays = {
        name: _read_array(archive, name, entry, size) for name, entry in entries.items()
    }
    return unpack(header["content"], arrays)


def _check_stored(info: zipfile.ZipInfo, size: int) -> None:
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ModelFileError(
            f"the member {info.filename!r:.80} is compressed or encrypted; files of "
            "this kind are neither."
        )
    if not info.file_size == info.compress_size <= size:
        raise ModelFileError(
            f"the member {info.filename!r:.80} claims {info.file_size} bytes in a file "
            f"of {size}."
        )


def _read_header(archive: zipfile.ZipFile, size: int) -> Any:
    """The values of the JSON text, whose checksum agrees."""
    info = archive.getinfo(_CONTENT)
    _check_stored(info, min(size, _MAX_JSON_BYTES))
    with archive.open(info) as member:
        text = b"".join(iter(lambda: member.read(_CHUNK), b""))
    if _too_long(text):
        raise ModelFileError(f"{_CONTENT} holds more than {_MAX_JSON_VALUES} values.")
    header = parse_json(text.decode("ascii"), size)
    if archive.comment != _digest(text).encode("ascii"):
        raise ModelFileError(f"the checksum of {_CONTENT} does not match.")
    return header


def _check_kind(header: Any, kind: str, version: int) -> None:
    """Refuse a header of another format, or of a later version."""
    from .. import __version__

    if header["format"] != kind:
        raise ModelFileError(
            f"its format is {header['format']!r:.80}, where {kind!r} is expected."
        )
    found = header["version"]
    if type(found) is not int or found < 1:
        raise ModelFileError(f"its format version {found!r:.80} does not exist.")
    if found > version:
        raise ModelFileError(
            f"its format version is {found!r:.20}, of dbn {header.get('dbn')!r:.20}; "
            f"dbn {__version__} reads versions up to {version}. Upgrade dbn."
        )
    if not isinstance(header["arrays"], dict):
        raise ModelFileError("its list of arrays is not one.")


def _read_array(archive: Any, name: str, entry: Any, size: int) -> Array:
    """One array, allocated once all that is claimed about it agrees with its size."""
    info = archive.getinfo(f"{name}.npy")
    _check_stored(info, size)
    dtype, shape = entry["dtype"], tuple(entry["shape"])
    if not (_NAMES.fullmatch(name) and DTYPES.fullmatch(dtype)):
        raise ModelFileError(f"it names an array {name!r:.80} of dtype {dtype!r:.80}.")
    if len(shape) > _MAX_DIMENSIONS or not all(
        type(n) is int and 0 <= n <= size for n in shape
    ):
        raise ModelFileError(f"the array {name} has the shape {shape!r:.80}.")
    dtype = np.dtype(dtype)
    header = _npy_header(dtype.str, shape)
    n_bytes = math.prod(shape) * dtype.itemsize
    if len(header) + n_bytes != info.file_size:
        raise ModelFileError(
            f"the array {name} has {info.file_size} bytes; dtype {dtype} and shape "
            f"{shape} need {len(header) + n_bytes}."
        )
    with archive.open(info) as member:
        # Compared as bytes: a foreign header is never parsed.
        if member.read(len(header)) != header:
            raise ModelFileError(f"the header of {name} is not that of its array.")
        array = np.empty(shape, dtype)
        buffer, start = _bytes(array), 0
        while start < n_bytes:
            read = member.readinto(buffer[start : start + _CHUNK])
            if not read:
                raise ModelFileError(f"the array {name} is cut off.")
            start += read
    if _digest(buffer) != entry["sha256"]:
        raise ModelFileError(f"the checksum of the array {name} does not match.")
    # NumPy checks neither when it reads memory as such values.
    if dtype.kind == "b" and np.any(array.view(np.uint8) > 1):
        raise ModelFileError(f"the array {name} holds what is no truth value.")
    if dtype.kind == "U" and np.any(array.reshape(-1).view(np.uint32) > 0x10FFFF):
        raise ModelFileError(f"the array {name} holds what is no character.")
    return array
