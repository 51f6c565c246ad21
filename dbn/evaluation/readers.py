"""Files as they are found: each reader gives a dict of the arrays of a `Dataset`.

Whoever made a file, it costs no more memory than `_check_room` grants, nothing in it is
unpickled or run, and what is wrong with it raises a ValueError. Indices of sparse
matrices are checked: scipy trusts them later.
"""

import csv
import gzip
import math
import re
import struct
import zipfile
import zlib
from itertools import islice
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

NAMES = ("X", "y", "X_valid", "X_test", "y_test")
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY-"
BROKEN_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)
_CHUNK = 2**20


def _room(path, ratio=100):
    """Bytes of memory that what a file holds may take.

    MNIST takes 19 times its file's bytes as float32, the binarized images 58 times;
    what compression can do to zeros is 1000 times, without an end.
    """
    return 2**24 + ratio * path.stat().st_size


def _check_room(path, n_bytes, ratio=100):
    """Raise a ValueError if what a file holds is out of proportion to its size."""
    room = _room(path, ratio)
    if n_bytes > room:
        raise ValueError(
            f"{path} would take {n_bytes} bytes of memory or more, where {room} are "
            f"granted (16 MiB, and {ratio} times the size of the file). If you trust "
            "it, write it again without compression."
        )


def _content(path, ratio=100):
    """All bytes of a file, unpacked where it is named .gz."""
    content = bytearray()
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                content += chunk
                _check_room(path, len(content), ratio)
    except BROKEN_GZIP as error:
        raise ValueError(
            f"{path} is not a complete gzip file ({error}). Download it again."
        ) from error
    return content


def read_idx(path):
    """Read one IDX file of unsigned bytes, gzipped or not.

    Parameters
    ----------
    path : path

    Returns
    -------
    ndarray of uint8
        With the shape that the header states.

    Raises
    ------
    ValueError
        If the file is not gzip although it ends in ``.gz``, unpacks to more than 100
        times its size, has no such header, or is shorter or longer than its header
        says.
    """
    path = Path(path)
    content = _content(path)
    magic = bytes(content[:4])
    if len(magic) < 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 4:
        raise ValueError(
            f"{path} is not an IDX file of unsigned bytes: it begins with {magic!r}. "
            "Download it again."
        )
    start = 4 + 4 * magic[3]
    header = content[4:start]
    shape = [int.from_bytes(header[i : i + 4]) for i in range(0, len(header), 4)]
    size, found = math.prod(shape), max(len(content) - start, 0)
    if len(header) != 4 * magic[3] or found != size or not size:
        raise ValueError(
            f"{path} should hold {size} bytes for shape {tuple(shape)}, at least one, "
            f"but holds {found}. Download it again."
        )
    _check_room(path, 4 * size)  # as float32
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _read_arrays(path, names):
    """Those of the named arrays that an .npz file has, none of Python objects."""
    arrays, n_bytes = {}, 0
    with zipfile.ZipFile(path) as file:
        for name in set(names) & {n.removesuffix(".npy") for n in file.namelist()}:
            info = file.getinfo(f"{name}.npy")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{name} is compressed in a way that NumPy never uses")
            with file.open(info) as member:
                version = np.lib.format.read_magic(member)
                shape, _, dtype = _NPY_HEADERS[version](member)
            size = math.prod(shape)
            if size * dtype.itemsize > info.file_size:
                raise ValueError(f"{name} is cut off: its shape is {shape}")
            n_bytes += size * max(dtype.itemsize, 4)  # as float32
            _check_room(Path(path), n_bytes)
            with file.open(info) as member:
                arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    return arrays


_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_CSR_NAMES = ("data", "indices", "indptr", "shape", "format")


def read_npz(path):
    """Arrays by their names, or the one CSR matrix of `scipy.sparse.save_npz` as X."""
    try:
        arrays = _read_arrays(path, (*NAMES, *_CSR_NAMES))
        if "X" in arrays or "format" not in arrays:
            return {name: arrays[name] for name in NAMES if name in arrays}
        *parts, shape, kind = (arrays[name] for name in _CSR_NAMES)
        if kind.astype(str).item() != "csr":
            raise ValueError(f"the format of its matrix is '{kind.astype(str)!s:.80}'")
        return {"X": _csr(*parts, tuple(shape))}
    except Exception as error:
        # Half a dozen types, from zipfile.BadZipFile to EOFError.
        raise ValueError(
            f"{path} cannot be read as an .npz file of plain arrays or of one CSR "
            f"matrix ({error}). Write it with numpy.savez(path, X=X, y=y) or "
            "scipy.sparse.save_npz(path, X.tocsr())."
        ) from error


def _csr(data, indices, starts, shape):
    """A CSR matrix of parts from a file, which scipy's C++ code will believe.

    `check_format` misses starts that go back where there are no values, or where their
    differences overflow: to sort such a matrix writes over foreign memory.
    """
    ends = starts[1:]
    if starts[0] != 0 or (ends < starts[:-1]).any() or starts[-1] > len(indices):
        raise ValueError("the starts of its rows go back, or beyond its values")
    X = csr_array((data, indices, starts), shape=shape, copy=True)
    X.check_format(full_check=True)
    return X


def read_csv(path):
    """Rows of numbers with the label in the last column, names on top or not."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{path} is not a text file of comma-separated values ({error})."
        ) from error
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]  # names of the columns
    widths = sorted({len(row) for row in rows})
    if len(widths) != 1 or widths[0] < 2:
        raise ValueError(
            f"{path} has rows of {widths[:5] or 'no'} columns; it needs rows of the "
            "same number of columns, at least 2, with the label in the last."
        )
    labels = [row[-1].strip() for row in rows]
    _check_room(Path(path), 4 * len(rows) * max(map(len, labels)))
    try:
        X = np.array([row[:-1] for row in rows], dtype=np.float32)
    except ValueError as error:
        raise ValueError(
            f"{path} has a feature that is not a number ({error!s:.200}). Encode "
            "categories and fill missing values first; the label goes in the last "
            "column."
        ) from error
    return {"X": X, "y": np.array(labels)}


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_binarized_mnist(path):
    """The arrays ``train``, ``valid`` and ``test`` of an .npz file."""
    names = {"X": "train", "X_valid": "valid", "X_test": "test"}
    try:
        arrays = _read_arrays(path, names.values())
        return {key: arrays[name] for key, name in names.items()}
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as an .npz file with the arrays train, valid and "
            f"test ({error}). Download it again."
        ) from error


def read_newsgroups(path):
    """``documents`` (words in rows) and ``newsgroups`` of a MATLAB 5 file."""
    try:
        file = _read_matlab(path, ("documents", "newsgroups"))
        words, groups = file["documents"], file["newsgroups"]
        return {"X": words, "y": groups.ravel().astype(np.int64)}
    except (ValueError, LookupError, TypeError, struct.error, zlib.error) as error:
        raise ValueError(
            f"{path} cannot be read as a MATLAB 5 file with documents and newsgroups "
            f"({type(error).__name__}: {error}). Download it again."
        ) from error


_MATLAB_DTYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4"}
_MATLAB_DTYPES |= {7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
_COMPRESSED, _SPARSE, _NUMBERS = 15, 5, range(6, 16)


def _read_matlab(path, names):
    """The named matrices of a file; those that are sparse transposed, as CSR.

    `scipy.io.loadmat` sets aside what a file claims, and follows nested cells until the
    stack is full, which ends the process. Here every piece is a view of the file.
    """
    path, found = Path(path), {}
    content = memoryview(_content(path))
    if bytes(content[124:128]) != b"\0\1IM":
        raise ValueError("it has no header of a little-endian MATLAB 5 file")
    for kind, piece in _pieces(content[128:]):
        if kind == _COMPRESSED:
            unpacking = zlib.decompressobj()
            unpacked = unpacking.decompress(piece, _room(path))
            if not unpacking.eof:
                raise ValueError("a matrix is cut off, or far larger than the file")
            _, piece = next(_pieces(memoryview(unpacked)))
        flags, dims, name, *parts = islice(_pieces(piece), 6)
        if (name := str(name[1], "latin1")) in names:
            shape, parts = _numbers(dims), [_numbers(part) for part in parts]
            if flags[1][0] == _SPARSE:
                rows, starts, values = parts
                found[name] = _csr(values, rows, starts, tuple(shape[::-1]))
            elif flags[1][0] in _NUMBERS:
                found[name] = parts[0].reshape(shape, order="F")
    return found


def _pieces(content):
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


def _numbers(piece):
    kind, content = piece
    return np.frombuffer(content, _MATLAB_DTYPES[kind])


# The rows of the WW domains, as float32, take 235 times the bytes of their gzip file.
_ONE_HOT_ROOM = 400


def read_alignment(path):
    """One-hot rows of aligned proteins in a FASTA file, gzipped or not.

    Site i of a sequence is the columns 21 i to 21 i + 20, one for each letter of
    `AMINO_ACIDS` in its order, the gap last.
    """
    try:
        text = _content(Path(path), _ONE_HOT_ROOM).decode("ascii")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not a complete FASTA file ({error}). Download it again."
        ) from error
    before, *records = re.split("^>.*$", text, flags=re.M)
    sequences = ["".join(record.split()) for record in records]
    letters, lengths = "".join(sequences), sorted({len(s) for s in sequences})
    if before.strip() or len(lengths) != 1 or not letters:
        raise ValueError(
            f"{path} has {len(sequences)} sequences of lengths {lengths}; it needs "
            "aligned sequences, all of the same length, each after a line '>name'."
        )
    if not set(letters) <= set(AMINO_ACIDS):
        raise ValueError(
            f"{path} has the letters {sorted(set(letters) - set(AMINO_ACIDS))}; an "
            f"alignment has {AMINO_ACIDS}. Remove those sequences or sites first."
        )
    _check_room(Path(path), 4 * len(AMINO_ACIDS) * len(letters), _ONE_HOT_ROOM)
    sites = np.frombuffer(letters.encode(), np.uint8)[:, None]
    one_hot = sites == np.frombuffer(AMINO_ACIDS.encode(), np.uint8)
    return {"X": one_hot.astype(np.float32).reshape(len(sequences), -1)}
