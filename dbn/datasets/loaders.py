"""Data sets: real data by name, bars and stripes, or the user's own file."""

import os
from collections.abc import Collection
from http.client import HTTPException
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import (
    fetch_openml,
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
)

from ..backend.types import Array
from .dataset import Dataset, checked
from .readers.fasta import read_alignment
from .readers.idx import read_idx
from .readers.matlab import read_newsgroups
from .readers.npz import read_binarized_mnist, read_npy, read_npz
from .readers.tables import read_table

_TOYS = {
    "digits": load_digits,
    "diabetes": load_diabetes,
    "wine": load_wine,
    "breast-cancer": load_breast_cancer,
}
_OPENML = {"mnist": "mnist_784", "fashion-mnist": "Fashion-MNIST"}
_IDX_FILES = {
    "X": "train-images-idx3-ubyte",
    "y": "train-labels-idx1-ubyte",
    "X_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_ONE_FILE = {
    "binarized-mnist": ("binarized_mnist.npz", read_binarized_mnist),
    "20newsgroups": ("20news_w100.mat", read_newsgroups),
    "proteins": ("ww_domain_msa.fasta.gz", read_alignment),
}
_TABLES = (".csv", ".tsv", ".txt")
_ARRAYS = {".npz": read_npz, ".npy": read_npy}
_BARS = "bars-and-stripes"
_MAX_SIDE = 16  # 131,070 rows, 134 MB


def load_dataset(
    source: Any = "digits",
    *,
    data_home: Any = None,
    label_column: str | int | None = None,
    known_columns: Collection[str] = (),
) -> Dataset:
    """Load a data set by name, or the user's own from a file.

    Parameters
    ----------
    source : str or path, default="digits"
        - ``"digits"``: 1,797 images of 8 x 8 that come with scikit-learn, as do
          ``"wine"``, ``"breast-cancer"`` (classes) and ``"diabetes"`` (a number to
          predict).
        - ``"mnist"``, ``"fashion-mnist"``: 60,000 + 10,000 images of 28 x 28, read
          from IDX files in `data_home`, or else fetched by
          `sklearn.datasets.fetch_openml`.
        - ``"binarized-mnist"``: the fixed binary images of Salakhutdinov and Murray
          (2008), 50,000 + 10,000 + 10,000, without labels, from
          ``binarized_mnist.npz``.
        - ``"20newsgroups"``: which of 100 words each of 16,242 postings has, as CSR
          matrix, with labels 1 (comp), 2 (rec), 3 (sci), 4 (talk), from
          ``20news_w100.mat``.
        - ``"proteins"``: 17,233 aligned WW domains (Tubiana, Cocco and Monasson 2019)
          of 31 sites, without labels, from ``ww_domain_msa.fasta.gz``. Each site is 21
          one-hot columns, the letters ``ACDEFGHIKLMNPQRSTVWY-`` in this order, for
          ``Softmax(21)`` visible units. Less than half of the rows are distinct: drop
          repeated ones (``numpy.unique(X, axis=0)``) before splitting.
        - ``"bars-and-stripes"``: the 30 patterns of `bars_and_stripes`.
        - the path of an ``.npz`` file with an array ``X`` and, as far as there are
          such, ``y``, ``X_unlabeled``, ``X_valid``, ``X_test`` and ``y_test``; or with
          ``x_train``, ``y_train``, ``x_test`` and ``y_test``, as Keras keeps MNIST; or
          with one CSR matrix, written by `scipy.sparse.save_npz`. An ``.npy`` file has
          X alone.
        - the path of a table, ``.csv``, ``.tsv`` or ``.txt``, packed as ``.csv.gz`` or
          not: one row per sample, separated by commas, semicolons (then a comma in a
          number is the decimal mark) or tabs, with or without a line of names.

    data_home : path, optional
        Folder with the files of the named data set, or with a folder of its name that
        has them. IDX files may be gzipped or not. Default: the environment variable
        ``DBN_DATA``.
    label_column : str or int, optional
        Where a table has its labels: the name of a column, or its number, counted from
        0, or from -1 backwards. Default: the column named "label", "class" or "target"
        (in capitals or not), or "y" where none is named "x"; otherwise the last one.
        "none": the table has no labels, and all columns are features.
    known_columns : collection of str, default=()
        Names of columns of a table in which no row needs a value: those of a model that
        knows them.

    Returns
    -------
    Dataset
        Images (arrays of bytes with more than two dimensions) are scaled to [0, 1] and
        have their lines one after the other; other values are as they are. Rows whose
        label is empty, ``?``, ``NA`` or NaN are its `X_unlabeled`. A column without
        name that numbers rows, as pandas writes, is left out. Labels of a table that
        are all numbers are numbers; `Dataset.summary` says what was understood.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ConnectionError
        If OpenML cannot be reached.
    ValueError
        If the name is not known, or a file is not what its name says.

    Examples
    --------
    >>> from dbn.datasets import load_dataset
    >>> load_dataset("digits").X.shape
    (1797, 64)
    """
    data_home = data_home or os.environ.get("DBN_DATA")
    data_home = Path(data_home).expanduser() if data_home else None
    path = Path(source).expanduser()
    kind = path.with_name(path.name.lower().removesuffix(".gz")).suffix
    if label_column is not None and kind not in _TABLES:
        raise ValueError(
            f"label_column is for tables ({', '.join(_TABLES)}); {str(source)!r} is "
            "none. Leave it out."
        )
    if source in _TOYS:
        X, y = _TOYS[source](return_X_y=True)
        X = X / 16.0 if source == "digits" else X
        return Dataset(source, X.astype(np.float32), y)
    if source == _BARS:
        return Dataset(source, bars_and_stripes())
    if source in _OPENML:
        return _read_idx_folder(source, data_home) if data_home else _fetch(source)
    if source in _ONE_FILE:
        file, read = _ONE_FILE[source]
        found = _find(source, [file, file.removesuffix(".gz")], data_home)
        return checked(source, read(found), found)
    return _read_file(path, kind, label_column, known_columns)


def _read_file(
    path: Path, kind: str, label_column: str | int | None, known: Collection[str]
) -> Dataset:
    """The user's own file."""
    if kind not in (*_TABLES, *_ARRAYS):
        names = ", ".join(map(repr, [*_TOYS, *_OPENML, *_ONE_FILE, _BARS]))
        raise ValueError(
            f"dataset {str(path)!r} is not known. Use {names}, or the path of a file "
            f"whose name ends in {', '.join([*_ARRAYS, *_TABLES])}, or as in .csv.gz."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Check the path.")
    name = path.name[: path.name.lower().rindex(kind)]
    table = kind in _TABLES
    arrays = read_table(path, label_column, known) if table else _ARRAYS[kind](path)
    return checked(name, arrays, path)


def bars_and_stripes(side: int = 4) -> Array:
    """All images of `side` x `side` whose rows, or whose columns, are constant.

    Each pattern once: `2 ** (side + 1) - 2` rows, so the best possible mean
    log-likelihood is minus the log of that number (-3.40 nats for side 4). Drawing the
    direction first and then the lines (MacKay 2003, chapter 43) would give the empty
    and the full image twice the probability of the others.

    Parameters
    ----------
    side : int, default=4
        From 1 to 16.

    Returns
    -------
    ndarray of shape (2 ** (side + 1) - 2, side * side), float32
        Zeros and ones; an image is a row, line by line.

    Raises
    ------
    ValueError
        If `side` is not such a number.

    Examples
    --------
    >>> from dbn.datasets import bars_and_stripes
    >>> bars_and_stripes(2).astype(int).tolist()[:3]
    [[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]]
    >>> len(bars_and_stripes())
    30
    """
    if not isinstance(side, Integral) or not 1 <= side <= _MAX_SIDE:
        raise ValueError(
            f"side is {side!r}; it needs an integer from 1 to {_MAX_SIDE}."
        )
    lines = np.arange(2**side)[:, None] >> np.arange(side) & 1
    rows = np.repeat(lines, side, axis=1)
    columns = np.tile(lines[1:-1], side)  # the empty and the full image are there
    return np.concatenate([rows, columns]).astype(np.float32)


def _find(
    name: str, files: list[str], data_home: Path | None, otherwise: str = ""
) -> Path:
    """The first of `files` that is in `data_home` or in its folder `name`."""
    folder = data_home or Path()
    folder = folder / name if (folder / name).is_dir() else folder
    found = [folder / file for file in files if (folder / file).is_file()]
    if not (data_home and found):
        files = [*dict.fromkeys(files)]
        where = f"in {folder}" if data_home else f"for {name!r}: no folder is given"
        raise FileNotFoundError(
            f"There is no {' or '.join(files)} {where}. Point --data-home, data_home "
            f"or DBN_DATA to the folder that has it{otherwise}."
        )
    return found[0]


def _read_idx_folder(name: str, data_home: Path) -> Dataset:
    download = ", or leave all three unset to download from OpenML"
    arrays = {
        key: read_idx(_find(name, [f"{stem}.gz", stem], data_home, download))
        for key, stem in _IDX_FILES.items()
    }
    return checked(name, arrays, data_home, images=True)


def _fetch(name: str) -> Dataset:
    try:
        data: Any = fetch_openml(
            _OPENML[name], version=1, as_frame=False, parser="auto"
        )
    except (OSError, HTTPException) as error:
        raise ConnectionError(
            f"{name!r} would be downloaded from OpenML, which cannot be reached "
            f"({error}). Point --data-home, data_home or DBN_DATA to a folder that has "
            f"its files {', '.join(_IDX_FILES.values())}, gzipped or not."
        ) from error
    X = (data.data / 255.0).astype(np.float32)
    y = data.target.astype(np.int64)
    return Dataset(name, X[:60000], y[:60000], X_test=X[60000:], y_test=y[60000:])
