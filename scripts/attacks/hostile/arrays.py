"""Data files of arrays that `load_dataset` reads: IDX, and .npz of NumPy and SciPy."""

import gzip
import struct
import zipfile
from functools import wraps

import numpy as np
from scipy.sparse import csr_array, save_npz

from dbn.evaluation import load_dataset

from .common import (
    ANY,
    SEEN,
    Bomb,
    Format,
    allowed,
    deflate_bomb,
    gzip_bomb,
    pick,
    size_up_to,
)
from .containers import members, npy, npy_header, read_npy, written, zipped

X = np.random.default_rng(0).integers(0, 256, (12, 3, 2), dtype=np.uint8)
Y = (np.arange(12) % 3).astype(np.uint8)
ROWS = X.reshape(12, 6)
NAMES = Y.astype(str)


# IDX: four files, of which the first is damaged.


def idx_header(shape):
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()


def idx(array):
    return idx_header(array.shape) + array.tobytes()


_IDX_REST = {
    "train-labels-idx1-ubyte": idx(Y),
    "t10k-images-idx3-ubyte": idx(X),
    "t10k-labels-idx1-ubyte": idx(Y),
}


def _load_idx(path):
    for name, data in _IDX_REST.items():
        (path.parent / name).write_bytes(data)
    return load_dataset("mnist", data_home=path.parent)


def absurd_idx(data, integer):
    """A header that claims far more than the file has, or nothing."""
    sizes = [2**31, 2**32 - 1, 2**16, 10**6, 0]
    shape = [pick(integer, sizes) for _ in range(integer(1, 4))]
    if len(shape) == 1:
        shape *= 2
    return idx_header(shape) + data[16 : 16 + integer(0, 50)]


def other_code(data, integer):
    return data[:2] + bytes([9 + integer(0, 200), *data[3:]])


def reshaped(data, integer):
    shape = [integer(0, 20) for _ in range(integer(1, 4))]
    return idx(np.ones(shape, np.uint8))


def large_idx(data, integer):
    rows, columns = size_up_to(300_000, integer), size_up_to(100_000, integer)
    shape = pick(integer, [(rows, 1, 1), (12, 1, columns)])
    return idx(np.zeros(shape, np.uint8))


def packed(kind):
    """The same damage inside a gzip file that is whole."""

    def damage(data, integer):
        return gzip.compress(kind(gzip.decompress(data), integer), mtime=0)

    damage.__name__ = f"{kind.__name__}_inside"
    return damage


def idx_bomb(data, integer):
    """Zeros without an end, as many as the header says or not."""
    n = integer(32, 512)
    shapes = [[2**31, 2**31, 1], [n, 1000, 1000]]
    return gzip_bomb(n, idx_header(pick(integer, shapes)))


_IDX_ATTACKS = [absurd_idx, other_code]
IDX = Format(
    "idx",
    "train-images-idx3-ubyte",
    [idx(X)],
    _load_idx,
    allowed(ANY, [reshaped], _IDX_ATTACKS, [large_idx]),
)
IDX_GZ = Format(
    "idx.gz",
    "train-images-idx3-ubyte.gz",
    [gzip.compress(idx(X), mtime=0)],
    _load_idx,
    allowed(SEEN, [packed(reshaped)], [*map(packed, _IDX_ATTACKS), idx_bomb]),
)


# .npz: arrays by name, or the parts of one CSR matrix.


def inside(change):
    """A kind of damage: a function says which members are others."""

    @wraps(change)
    def damage(data, integer):
        files = members(data)
        return zipped(files | change(files, integer))

    return damage


@inside
def retyped(files, integer):
    """An array of another dtype or shape."""
    kinds = ["<f8", ">f4", "<i8", "|b1", "<U3", "|u1", "<c8", "<M8[s]", "|V3", "|S2"]
    shape = [integer(0, 13) for _ in range(integer(0, 3))]
    array = np.full(shape, pick(integer, [0, 1, 200]), "|u1")
    array = array.astype(pick(integer, kinds))
    return {pick(integer, [*files]): npy(array)}


def with_number(kind, values):
    """A kind of damage: one of these numbers somewhere in the rows."""

    @inside
    def damage(files, integer):
        name = _needed(files)[0]
        array = read_npy(files[name]).astype(float)
        array.flat[integer(0, array.size - 1)] = pick(integer, values)
        return {name: npy(array)}

    damage.__name__ = kind
    return damage


infinite = with_number("infinite", [np.inf, -np.inf])
wild = with_number("wild", [np.nan, 1e300])  # not known, and not as float32


def _needed(files):
    """Members that are read, whatever else there is."""
    return ["X.npy", "y.npy"] if "X.npy" in files else ["data.npy", "indices.npy"]


@inside
def absurd_npy(files, integer):
    """An array that claims far more than its member has."""
    shapes = [(10**6, 10**6), (2**62,), (2**40, 0, 2**40), (2**31,), (-1, 3), (2**27,)]
    shape = pick(integer, shapes)
    descr = pick(integer, ["<f4", "<U0", "<U999999", "|u1", "<f8"])
    damaged = npy_header(shape, descr) + bytes(integer(0, 100))
    return {pick(integer, _needed(files)): damaged}


@inside
def odd_header(files, integer):
    """The dict of an .npy file that is none, or too deep, or too long."""
    odd = [
        *(b"(" * 9000, b"[" * 200 + b"]" * 200, b"{}", b"", b"\xff" * 9),
        *(b"__import__('os').abort()", b"{'descr': '<f4'}", b"1" * 20_000),
        b"{'descr': [('a', '<f4')] * 9, 'fortran_order': 1, 'shape': (1,)}",
    ]
    text = pick(integer, odd)
    damaged = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(99)
    return {pick(integer, _needed(files)): damaged}


@inside
def pickled(files, integer):
    """Python objects where an array should be, or instead of everything."""
    array = npy(np.array([Bomb()] * 12, dtype=object))
    names = files if integer(0, 1) else [pick(integer, _needed(files))]
    return dict.fromkeys(names, array)


def relabelled(data, size, method=8):
    """A zip file of one stored member that says it is packed, from `size` bytes."""
    data = bytearray(data)
    for signature, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        start = data.index(signature) + at
        data[start : start + 2] = struct.pack("<H", method)
        data[start + 14 : start + 18] = struct.pack("<I", size)
    return bytes(data)


def zip_bomb(data, integer):
    """A member that unpacks to hundreds of megabytes, and says so or not."""
    n, name = integer(32, 512), pick(integer, _needed(members(data)))
    shape = (10**6, n) if integer(0, 1) else (10**6 * n,)
    start = npy_header(shape, "|u1")
    size = len(start) + 10**6 * n if integer(0, 3) else integer(0, 2**31)
    return relabelled(zipped({name: deflate_bomb(n, start)}), size)


def other_packing(data, integer):
    """Packed by what NumPy never uses, whose memory the file decides."""
    return zipped(members(data), pick(integer, [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))


def path_names(data, integer):
    """Members whose names are paths: none of them is an array that is looked for."""
    prefix = pick(integer, ["../", "/etc/", "C:\\", "a/../", "./", "X.npy/"])
    return zipped({prefix + name: content for name, content in members(data).items()})


@inside
def many_members(files, integer):
    return {f"{i}.npy": b"" for i in range(integer(1000, 3000))}


@inside
def wrong_indices(files, integer):
    """A CSR matrix whose indices would read foreign memory."""
    name = pick(integer, ["indices", "indptr", "shape", "format", "data"])
    starts = read_npy(files["indptr.npy"]).copy()
    traps = [2**31 - 1, -2, -(2**31), 2**30, 0, 1]
    for _ in range(integer(1, 3)):
        starts[integer(0, len(starts) - 1)] = pick(integer, traps)
    if integer(0, 2) == 0:
        starts[-1] = 0  # no values: scipy looks at nothing more
    if integer(0, 1) and (np.diff(starts.astype(int)) < 0).any():
        return {"indptr.npy": npy(starts)}
    wrong = [
        *(np.full(36, 2**31 - 1, "<i4"), np.full(36, -1, "<i8"), np.arange(13) * 2**40),
        *(np.array([2**62, 2**62]), np.array([-1, 3]), np.array([12.5, 3])),
        *(np.array([], "<i4"), np.array(b"bsr"), np.array("dia"), np.array(3)),
        np.full((3, 3), 1),
    ]
    return {f"{name}.npy": npy(pick(integer, wrong))}


# Large in one dimension.


def many_npz_rows(data, integer):
    n = size_up_to(300_000, integer)
    return written(np.savez, X=np.ones((n, 1), "|u1"), y=np.arange(n) % 3)


def many_npz_columns(data, integer):
    n = size_up_to(1_000_000, integer)
    return written(np.savez, X=np.ones((3, n), "|u1"), y=np.arange(3))


def many_labels(data, integer):
    n = size_up_to(100_000, integer)
    return written(np.savez, X=np.ones((n, 1), "|u1"), y=np.arange(n).astype("U"))


def wide_labels(data, integer):
    n = size_up_to(1000, integer)
    return written(np.savez, X=np.ones((n, 1), "|u1"), y=np.full(n, "x", f"U{n}"))


_FORGERIES = [retyped, many_members, wild]
_ATTACKS = [
    *(infinite, absurd_npy, odd_header, pickled, zip_bomb, other_packing, path_names),
]
_GROWTH = [many_npz_rows, many_npz_columns, many_labels, wide_labels]
NPZ = Format(
    "npz",
    "case.npz",
    [
        written(np.savez, X=ROWS / 256, y=Y),
        written(np.savez, X=ROWS, y=NAMES, X_test=np.eye(6), y_test=NAMES[:6]),
    ],
    load_dataset,
    allowed(ANY, _FORGERIES, _ATTACKS, _GROWTH),
)
NPZ_CSR = Format(
    "npz of a csr matrix",
    "case.npz",
    [written(save_npz, csr_array(ROWS * (ROWS > 128.0)))],
    load_dataset,
    allowed(ANY, _FORGERIES, [*_ATTACKS, wrong_indices]),
)
