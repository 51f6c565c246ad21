"""Files to read, and nothing else that stands in a folder."""

import io
import os
import stat
from typing import Any

from .packing import ModelFileError


def open_file(path: Any) -> io.FileIO:
    """Open a regular file for reading: to open a pipe would wait for a writer.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    io.FileIO

    Raises
    ------
    ModelFileError
        If there is a folder, a pipe or a device at that place.
    OSError
        If there is nothing, or it cannot be read.
    """
    if not os.path.isdir(path):
        more = getattr(os, "O_NONBLOCK", 0)
        file = io.FileIO(path, opener=lambda path, flags: os.open(path, flags | more))
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        file.close()
    raise ModelFileError("there is a folder, pipe or device, and no file.")
