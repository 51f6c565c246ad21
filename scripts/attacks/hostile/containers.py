"""Zip files, arrays and headers as bytes, made without the package that reads them."""

import hashlib
import io
import json
import zipfile
from functools import wraps

import numpy as np


def written(write, *args, **options):
    """The bytes that a function writes to a file."""
    buffer = io.BytesIO()
    write(buffer, *args, **options)
    return buffer.getvalue()


def npy(array):
    return written(np.lib.format.write_array, array, allow_pickle=True)


def npy_header(shape, descr="<f4"):
    about = {"descr": descr, "fortran_order": False, "shape": shape}
    return written(np.lib.format.write_array_header_1_0, about)


def read_npy(data):
    return np.lib.format.read_array(io.BytesIO(data))


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files, compression=zipfile.ZIP_STORED, comment=None):
    """A zip file of (name, bytes) pairs; a header in it has its checksum."""
    files = list(files.items()) if isinstance(files, dict) else files
    text = dict(files).get("model.json")
    if comment is None:
        comment = "" if text is None else hashlib.sha256(text).hexdigest()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files:
            archive.NameToInfo.pop(name, None)  # no warning about a name used twice
            archive.writestr(zipfile.ZipInfo(name), data, compression)
        archive.comment = comment.encode()
    return buffer.getvalue()


def shortest(tree):
    """JSON without spaces."""
    return json.dumps(tree, separators=(",", ":")).encode()


# Model files and checkpoints.


def opened(data):
    """The JSON header of a file, and its members by their names."""
    files = members(data)
    return json.loads(files["model.json"]), files


def sealed(header, files):
    """A file whose checksums match; its header is a dict, or bytes."""
    text = header if isinstance(header, bytes) else shortest(header)
    return zipped(files | {"model.json": text})


def with_header(data, change):
    """The file with its JSON header changed in place by a function."""
    header, files = opened(data)
    change(header)
    return sealed(header, files)


def with_array(header, files, name, array):
    """Add an array with its entry, in place."""
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    about = {"dtype": array.dtype.str, "shape": array.shape, "sha256": digest}
    header["arrays"][name] = about
    files[f"{name}.npy"] = npy(array)


def inside(change):
    """A kind of damage: header and members, changed in place by a function."""

    @wraps(change)
    def damage(data, integer):
        header, files = opened(data)
        change(header, files, integer)
        return sealed(header, files)

    return damage
