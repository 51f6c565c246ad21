"""Files as they are found: each reader gives a dict of the arrays of a `Dataset`.

No reader unpickles. Indices of sparse matrices are checked: scipy trusts them later.
"""

import csv
import gzip
import math
import re
import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.sparse import csr_array, load_npz

NAMES = ("X", "y", "X_valid", "X_test", "y_test")
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY-"
BROKEN_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)


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
        If the file is not gzip although it ends in ``.gz``, has no such header, or is
        shorter or longer than its header says.
    """
    path = Path(path)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 4:
                raise ValueError(
                    f"{path} is not an IDX file of unsigned bytes: it begins with "
                    f"{magic!r}. Download it again."
                )
            header = file.read(4 * magic[3])
            shape = [
                int.from_bytes(header[i : i + 4]) for i in range(0, len(header), 4)
            ]
            size = math.prod(shape)
            data = file.read(min(size, 2**31) + 1)
    except BROKEN_GZIP as error:
        raise ValueError(
            f"{path} is not a complete gzip file ({error}). Download it again."
        ) from error
    if len(header) != 4 * magic[3] or len(data) != size:
        raise ValueError(
            f"{path} should hold {size} bytes for shape {tuple(shape)}, but holds "
            f"{'more' if len(data) > size else len(data)}. Download it again."
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def read_npz(path):
    """Arrays by their names, or the one CSR matrix of `scipy.sparse.save_npz` as X."""
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            if "X" in file or "format" not in file:
                return {name: file[name] for name in NAMES if name in file}
        X = load_npz(path)
        if X.format != "csr":
            raise ValueError(f"the format of its matrix is {X.format!r}")
        return {"X": _checked_csr(X)}
    except Exception as error:
        # numpy raises half a dozen types here, from zipfile.BadZipFile to EOFError.
        raise ValueError(
            f"{path} cannot be read as an .npz file of plain arrays or of one CSR "
            f"matrix ({error}). Write it with numpy.savez(path, X=X, y=y) or "
            "scipy.sparse.save_npz(path, X.tocsr())."
        ) from error


def _checked_csr(X):
    X = csr_array(X)
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
            f"{path} has rows of {widths or 'no'} columns; it needs rows of the same "
            "number of columns, at least 2, with the label in the last."
        )
    try:
        X = np.array([row[:-1] for row in rows], dtype=np.float32)
    except ValueError as error:
        raise ValueError(
            f"{path} has a feature that is not a number ({error}). Encode categories "
            "and fill missing values first; the label goes in the last column."
        ) from error
    return {"X": X, "y": np.array([row[-1].strip() for row in rows])}


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
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {key: file[name] for key, name in names.items()}
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as an .npz file with the arrays train, valid and "
            f"test ({error}). Download it again."
        ) from error


def read_newsgroups(path):
    """``documents`` (words in rows) and ``newsgroups`` of a MATLAB 5 file."""
    names = ("documents", "newsgroups")
    try:
        file = loadmat(path, variable_names=names, appendmat=False)
        words, groups = (file[name] for name in names)
        return {"X": _checked_csr(words.T), "y": groups.ravel().astype(np.int64)}
    except Exception as error:
        # scipy raises many types for files that are cut short or of another version.
        raise ValueError(
            f"{path} cannot be read as a MATLAB 5 file with documents and newsgroups "
            f"({type(error).__name__}: {error}). Download it again."
        ) from error


def read_alignment(path):
    """One-hot rows of aligned proteins in a FASTA file, gzipped or not.

    Site i of a sequence is the columns 21 i to 21 i + 20, one for each letter of
    `AMINO_ACIDS` in its order, the gap last.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="ascii") as file:
            before, *records = re.split("^>.*$", file.read(), flags=re.M)
    except (UnicodeDecodeError, *BROKEN_GZIP) as error:
        raise ValueError(
            f"{path} is not a complete FASTA file ({error}). Download it again."
        ) from error
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
    sites = np.frombuffer(letters.encode(), np.uint8)[:, None]
    one_hot = sites == np.frombuffer(AMINO_ACIDS.encode(), np.uint8)
    return {"X": one_hot.astype(np.float32).reshape(len(sequences), -1)}
