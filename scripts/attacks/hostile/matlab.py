"""MATLAB 5 files that `load_dataset` reads: a sparse matrix, and labels."""

import struct

import numpy as np
from scipy.io import savemat
from scipy.sparse import csc_array

from dbn.evaluation import load_dataset

from .arrays import ROWS, Y
from .common import ANY, Format, allowed, deflate_bomb, pick
from .containers import written


def _mat(packed):
    arrays = {"documents": csc_array((ROWS > 128).T), "newsgroups": Y[None, :]}
    return written(savemat, arrays, do_compression=packed)


_HEADER = _mat(False)[:128]


def _element(kind, content):
    return struct.pack("<2I", kind, len(content)) + content + bytes(-len(content) % 8)


def _matrix(kind, *parts):
    flags = _element(6, struct.pack("<2I", kind, 0))
    shape = _element(5, struct.pack("<2i", 3, 3))
    return _element(14, flags + shape + _element(1, b"documents") + b"".join(parts))


def absurd_element(data, integer):
    """Numbers that claim more than there is: scipy sets it aside."""
    claim = struct.pack("<2I", integer(1, 13), integer(2**16, 2**32 - 1))
    return _HEADER + _matrix(pick(integer, [5, 6, 9]), claim + bytes(64))


def nested_cells(data, integer):
    """Cells in cells, deeper than the stack of C."""
    start = _matrix(1)[8:]
    n = integer(10, 20_000)
    sizes = ((len(start) + 8) * i for i in range(n, 0, -1))
    return _HEADER + b"".join(struct.pack("<2I", 14, size) + start for size in sizes)


def wrong_sparse(data, integer):
    """A sparse matrix whose indices lie outside, or go back."""
    rows = pick(integer, [[0, 1, 2**30], [-1, 0, 1], [0, 1, 9]])
    starts = [[0, 1, 2, 3], [0, 9, 9, 9], [3, 2, 1, 0], [0, 1, -2, 3], []]
    starts += [[0, 1, 2, 2**31 - 1], [0, 2**30, 1, 0], [0, 2**31 - 1, -2, 3]]
    indices = (rows, pick(integer, starts))
    parts = [_element(5, np.array(part, "<i4").tobytes()) for part in indices]
    return _HEADER + _matrix(5, *parts, _element(9, np.ones(3).tobytes()))


def mat_bomb(data, integer):
    start = _element(14, b"")[:4] + struct.pack("<I", integer(0, 2**31))
    stream = b"\x78\x9c" + deflate_bomb(integer(32, 512), start)
    return _HEADER + struct.pack("<2I", 15, len(stream)) + stream


MAT = Format(
    "mat",
    "20news_w100.mat",
    [_mat(False), _mat(True)],
    lambda path: load_dataset("20newsgroups", data_home=path.parent),
    allowed(ANY, [], [absurd_element, nested_cells, wrong_sparse, mat_bomb]),
)
