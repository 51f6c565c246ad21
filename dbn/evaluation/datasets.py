"""Data sets: real images by name, or the user's own file."""

import csv
import gzip
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml, load_digits

_OPENML = {"mnist": "mnist_784", "fashion-mnist": "Fashion-MNIST"}
_IDX_FILES = {
    "X": "train-images-idx3-ubyte",
    "y": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Dataset:
    """Rows, labels and, where the data set has one, its fixed test split.

    Parameters
    ----------
    name : str
    X : ndarray of shape (n_samples, n_features), float32
    y : ndarray of shape (n_samples,)
    X_test, y_test : ndarray or None
        None where the data set has no test split of its own.

    Examples
    --------
    >>> from dbn.evaluation import load_dataset
    >>> load_dataset("digits").X.max()
    np.float32(1.0)
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray | None = None
    y_test: np.ndarray | None = None


def load_dataset(source="digits", *, data_home=None):
    """Load a data set by name, or the user's own from a file.

    Parameters
    ----------
    source : str or path, default="digits"
        - ``"digits"``: 1,797 images of 8 x 8 that come with scikit-learn.
        - ``"mnist"``, ``"fashion-mnist"``: 60,000 + 10,000 images of 28 x 28, read
          from IDX files in `data_home`, or else fetched by
          `sklearn.datasets.fetch_openml`.
        - the path of an ``.npz`` file with arrays ``X`` and ``y``, and ``X_test`` and
          ``y_test`` where there is a fixed test split.
        - the path of a ``.csv`` file: one row per sample, the label in the last
          column, with or without a line of names at the top.
    data_home : path, optional
        Folder with the IDX files, or with a folder ``mnist`` or ``fashion-mnist`` that
        has them, gzipped or not. Default: the environment variable ``DBN_DATA``.

    Returns
    -------
    Dataset
        Images are scaled to [0, 1]; values from files are as they are.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If the name is not known, or a file is not what its name says.

    Examples
    --------
    >>> from dbn.evaluation import load_dataset
    >>> load_dataset("digits").X.shape
    (1797, 64)
    """
    if source == "digits":
        X, y = load_digits(return_X_y=True)
        return Dataset("digits", (X / 16.0).astype(np.float32), y)
    if source in _OPENML:
        data_home = data_home or os.environ.get("DBN_DATA")
        return _read_idx_folder(source, data_home) if data_home else _fetch(source)
    path = Path(source)
    readers = {".npz": _read_npz, ".csv": _read_csv}
    if path.suffix not in readers:
        raise ValueError(
            f"dataset {str(source)!r} is not known. Use 'digits', 'mnist', "
            "'fashion-mnist', or the path of an .npz or .csv file."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Check the path.")
    return _checked(path.stem, readers[path.suffix](path), path)


def _read_idx_folder(name, data_home):
    folder = Path(data_home)
    if (folder / name).is_dir():
        folder = folder / name
    arrays = {}
    for key, stem in _IDX_FILES.items():
        found = [p for p in (folder / f"{stem}.gz", folder / stem) if p.is_file()]
        if not found:
            raise FileNotFoundError(
                f"There is no {stem} or {stem}.gz in {folder}. Point --data-home, "
                "data_home or DBN_DATA to the folder with the four IDX files, or leave "
                "all three unset to download from OpenML."
            )
        arrays[key] = read_idx(found[0])
    for key in ("X", "X_test"):
        images = arrays[key]
        arrays[key] = images.reshape(len(images), -1).astype(np.float32) / 255.0
    return _checked(name, arrays, folder)


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
    except (gzip.BadGzipFile, EOFError) as error:
        raise ValueError(
            f"{path} is not a complete gzip file ({error}). Download it again."
        ) from error
    if len(header) != 4 * magic[3] or len(data) != size:
        raise ValueError(
            f"{path} should hold {size} bytes for shape {tuple(shape)}, but holds "
            f"{'more' if len(data) > size else len(data)}. Download it again."
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _fetch(name):
    data = fetch_openml(_OPENML[name], version=1, as_frame=False, parser="auto")
    X = (data.data / 255.0).astype(np.float32)
    y = data.target.astype(np.int64)
    return Dataset(name, X[:60000], y[:60000], X[60000:], y[60000:])


def _read_npz(path):
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in _IDX_FILES if name in file}
    except Exception as error:
        # numpy raises half a dozen types here, from zipfile.BadZipFile to EOFError.
        raise ValueError(
            f"{path} cannot be read as an .npz file of plain arrays ({error}). Write "
            "it with numpy.savez(path, X=X, y=y)."
        ) from error


def _read_csv(path):
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


def _checked(name, arrays, path):
    """A Dataset of arrays that fit together."""
    missing = {"X", "y"} - set(arrays)
    if missing or ("X_test" in arrays) != ("y_test" in arrays):
        raise ValueError(
            f"{path} has the arrays {sorted(arrays)}; it needs X and y, and X_test and "
            "y_test together or not at all."
        )
    for suffix in ("", "_test"):
        if "X" + suffix not in arrays:
            continue
        X, y = arrays["X" + suffix], arrays["y" + suffix]
        if X.ndim != 2 or X.dtype.kind not in "biuf" or y.shape != X.shape[:1]:
            raise ValueError(
                f"{path}: X{suffix} has shape {X.shape} and dtype {X.dtype}, y{suffix} "
                f"has shape {y.shape}; they need shapes (n, n_features) of numbers and "
                "(n,)."
            )
        if not len(X) or not np.isfinite(X).all():
            raise ValueError(
                f"{path}: X{suffix} is empty or has values that are not finite. Remove "
                "or fill those rows first."
            )
        arrays["X" + suffix] = X.astype(np.float32, copy=False)
    return Dataset(name, **arrays)
