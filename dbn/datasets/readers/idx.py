"""IDX files, in which MNIST and its likes are published."""

import math
from functools import partial
from pathlib import Path

import numpy as np

from .stored import Stored
from .streams import check_room, open_after, open_unpacked, size_of


def read_idx(path: Path) -> Stored:
    """Find the array of one IDX file of unsigned bytes, gzipped or not.

    Parameters
    ----------
    path : path

    Returns
    -------
    Stored
        With the shape that the header states; all its bytes are there.

    Raises
    ------
    ValueError
        If the file is gzip and damaged, unpacks to more than 100 times its size, has no
        such header, or is shorter or longer than its header says.
    """
    n_bytes = size_of(path)
    with open_unpacked(path) as file:
        magic = file.read(4)
        if len(magic) < 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 4:
            raise ValueError(
                f"{path} is not an IDX file of unsigned bytes: it begins with "
                f"{magic!r}, not with 0, 0, 8 and the number of dimensions, 1 to 4."
            )
        header = file.read(4 * magic[3])
    shape = tuple(np.frombuffer(header[: len(header) // 4 * 4], ">u4").tolist())
    start = 4 + 4 * magic[3]
    size, found = math.prod(shape), max(n_bytes - start, 0)
    if len(shape) != magic[3] or found != size or not size:
        raise ValueError(
            f"{path} should hold {size} bytes for shape {shape}, at least one, but "
            f"holds {found}. Download it again."
        )
    check_room(path, 4 * size)  # as float32
    return Stored(shape, np.dtype(np.uint8), partial(open_after, path, start))
