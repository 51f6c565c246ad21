"""Data sets: real data by name, bars and stripes, or the user's own file."""

import os
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.datasets import (
    fetch_openml,
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
)
from sklearn.model_selection import train_test_split

from .readers import (
    read_alignment,
    read_binarized_mnist,
    read_csv,
    read_idx,
    read_newsgroups,
    read_npz,
)

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
_BARS = "bars-and-stripes"
_MAX_SIDE = 16  # 131,070 rows, 134 MB


@dataclass(frozen=True)
class Dataset:
    """Rows and, where the data set has them, labels and its published split.

    Parameters
    ----------
    name : str
    X : ndarray or csr_array of shape (n_samples, n_features), float32
        The training rows where there is a split.
    y : ndarray of shape (n_samples,) or None
        None where there are no labels.
    X_valid : ndarray, csr_array or None
        Validation rows, without labels.
    X_test, y_test : ndarray, csr_array (X_test only) or None
        None where the data set has no test split of its own.

    Examples
    --------
    >>> from dbn.evaluation import load_dataset
    >>> load_dataset("digits").X.max()
    np.float32(1.0)
    """

    name: str
    X: np.ndarray | csr_array
    y: np.ndarray | None = None
    X_valid: np.ndarray | csr_array | None = None
    X_test: np.ndarray | csr_array | None = None
    y_test: np.ndarray | None = None

    def with_test(self, random_state=0, test_size=0.3):
        """The same data with test rows: its own, or drawn from labelled `X`.

        Scripts that pretrain and scripts that fine-tune hold out the same rows, so
        pretraining never sees them.

        Parameters
        ----------
        random_state : int, default=0
        test_size : float, default=0.3
            Share of rows that is drawn, of every class alike.

        Returns
        -------
        Dataset
            The data set itself where it has test rows, or no labels.

        Examples
        --------
        >>> from dbn.evaluation import load_dataset
        >>> load_dataset("digits").with_test().X_test.shape
        (540, 64)
        """
        if self.y is None or self.X_test is not None:
            return self
        X, X_test, y, y_test = train_test_split(
            self.X,
            self.y,
            test_size=test_size,
            stratify=self.y,
            random_state=random_state,
        )
        return replace(self, X=X, y=y, X_test=X_test, y_test=y_test)


def load_dataset(source="digits", *, data_home=None):
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
          such, ``y``, ``X_valid``, ``X_test`` and ``y_test``; or with one CSR matrix,
          written by `scipy.sparse.save_npz`.
        - the path of a ``.csv`` file: one row per sample, the label in the last
          column, with or without a line of names at the top.
    data_home : path, optional
        Folder with the files of the named data set, or with a folder of its name that
        has them. IDX files may be gzipped or not. Default: the environment variable
        ``DBN_DATA``.

    Returns
    -------
    Dataset
        Images are scaled to [0, 1]; other values are as they are.

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
    data_home = data_home or os.environ.get("DBN_DATA")
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
        path = _find(source, [file], data_home)
        return _checked(source, read(path), path)
    path = Path(source)
    readers = {".npz": read_npz, ".csv": read_csv}
    if path.suffix not in readers:
        names = ", ".join(map(repr, [*_TOYS, *_OPENML, *_ONE_FILE, _BARS]))
        raise ValueError(
            f"dataset {str(source)!r} is not known. Use {names}, or the path of an "
            ".npz or .csv file."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Check the path.")
    return _checked(path.stem, readers[path.suffix](path), path)


def bars_and_stripes(side=4):
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
    >>> from dbn.evaluation import bars_and_stripes
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


def _find(name, files, data_home, otherwise=""):
    """The first of `files` that is in `data_home` or in its folder `name`."""
    folder = Path(data_home or ".")
    folder = folder / name if (folder / name).is_dir() else folder
    found = [folder / file for file in files if (folder / file).is_file()]
    if not (data_home and found):
        where = f"in {folder}" if data_home else f"for {name!r}: no folder is given"
        raise FileNotFoundError(
            f"There is no {' or '.join(files)} {where}. Point --data-home, data_home "
            f"or DBN_DATA to the folder that has it{otherwise}."
        )
    return found[0]


def _read_idx_folder(name, data_home):
    arrays = {}
    for key, stem in _IDX_FILES.items():
        download = ", or leave all three unset to download from OpenML"
        path = _find(name, [f"{stem}.gz", stem], data_home, download)
        arrays[key] = read_idx(path)
    for key in ("X", "X_test"):
        images = arrays[key]
        arrays[key] = images.reshape(len(images), -1).astype(np.float32)
        arrays[key] /= 255.0
    return _checked(name, arrays, path.parent)


def _fetch(name):
    data = fetch_openml(_OPENML[name], version=1, as_frame=False, parser="auto")
    X = (data.data / 255.0).astype(np.float32)
    y = data.target.astype(np.int64)
    return Dataset(name, X[:60000], y[:60000], X_test=X[60000:], y_test=y[60000:])


def _checked(name, arrays, path):
    """A Dataset of arrays that fit together."""
    labels_of_test = "y" in arrays and "X_test" in arrays
    if "X" not in arrays or ("y_test" in arrays) != labels_of_test:
        raise ValueError(
            f"{path} has the arrays {sorted(arrays)}; it needs X, and y_test exactly "
            "where there are y and X_test."
        )
    for part in ("X", "X_valid", "X_test"):
        if part not in arrays:
            continue
        X, y = arrays[part], arrays.get(part.replace("X", "y"))
        if X.ndim != 2 or X.dtype.kind not in "biuf":
            raise ValueError(
                f"{path}: {part} has shape {X.shape} and dtype {X.dtype}; it needs "
                "shape (n, n_features) and numbers."
            )
        if X.shape[1] != arrays["X"].shape[1]:
            raise ValueError(
                f"{path}: {part} has {X.shape[1]} columns and X has "
                f"{arrays['X'].shape[1]}; they need the same columns."
            )
        if y is not None and (y.shape != X.shape[:1] or y.dtype.kind not in "biufUS"):
            raise ValueError(
                f"{path}: {part} has {X.shape[0]} rows, but its labels have shape "
                f"{y.shape} and dtype {y.dtype}; they need shape ({X.shape[0]},) and "
                "numbers or strings."
            )
        with np.errstate(over="ignore"):
            X = X.astype(np.float32, copy=False)
        if 0 in X.shape or not np.isfinite(X.data if issparse(X) else X).all():
            raise ValueError(
                f"{path}: {part} is empty or has values that are not finite as "
                "float32. Remove or fill those rows first."
            )
        arrays[part] = X
    return Dataset(name, **arrays)
