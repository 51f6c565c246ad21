"""What the settings of a comparison say of its data: sizes, and how rows are scaled."""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from ...backend.missing import extent_of_known
from ...backend.types import Array
from ...boltzmann import Bernoulli
from ...estimators.visible import are_grey
from .protocol import Study
from .read_data import Data, known, of_images, told_columns


def sizes_of(
    data: Data, splits: tuple[tuple[Array, Array], ...] | None, test_size: float
) -> dict[str, Any]:
    """The sizes in a study's settings; of own splits those of the smallest.

    Parameters
    ----------
    data : Data
    splits, test_size
        As in `Study`, and in `compare_initializers`.

    Raises
    ------
    ValueError
        If test_size is no share, a split has no labelled row in one of its parts, or
        there are fewer than two test rows.

    Examples
    --------
    >>> data = Data(np.eye(4), np.array([0, 1, 0, -1]), None, None)
    >>> sizes_of(data, None, 0.5)["n_unlabeled"]
    1
    """
    fixed, n_known = data.X_test is not None, int(known(data.y).sum())
    if not fixed and not (isinstance(test_size, Real) and 0 < test_size < 1):
        raise ValueError(f"test_size must be between 0 and 1; it is {test_size!r}.")
    n_test = len(data.X_test) if fixed else math.ceil(test_size * n_known)
    n_train = n_known - (0 if fixed else n_test)
    n_unlabeled = len(data.y) - n_known
    if splits is not None:
        parts = [[rows[known(data.y[rows])] for rows in pair] for pair in splits]
        n_train, n_test = (min(map(len, its)) for its in zip(*parts, strict=True))
        if not (n_train and n_test):
            raise ValueError(
                f"splits has a pair with {n_train} training rows and {n_test} test "
                "rows that have a label. Give some of both."
            )
        marked = np.flatnonzero(~known(data.y))
        n_unlabeled = min(len(np.setdiff1d(marked, test)) for _, test in splits)
    if n_test < 2:
        raise ValueError(
            f"There is {n_test} test row; of one row nothing tells how certain a "
            "difference is. Give 2 or more, better hundreds."
        )
    columns = told_columns(data.X)
    classes = data.target == "classes"
    return {
        "n_train": n_train,
        "n_unlabeled": n_unlabeled,
        "n_test": n_test,
        "n_features": sum(columns.group_sizes) if columns else data.X.shape[1],
        "n_classes": int(data.y.max()) + 1 if classes else 0,
        "target": data.target,
        "fixed_test_split": fixed,
    }


def rows_tested(study: Study, y: Array) -> dict[str, int]:
    """How many different rows own splits test, where some do so for several seeds.

    Nothing where they are the folds of a cross-validation: then a row is tested once.

    Parameters
    ----------
    study : Study
    y : ndarray
        Of `Data`.
    """
    if study.splits is None:
        return {}
    tested = np.concatenate([study.split(y, seed)[1] for seed in study.seeds])
    n_tested = len(np.unique(tested))
    return {"n_tested": n_tested} if n_tested < len(tested) else {}


def most_unlabeled(
    sizes: dict[str, Any], label_budgets: Iterable[int], pretraining_rows: str
) -> int:
    """The most rows without labels that contenders of a seed can be given.

    Parameters
    ----------
    sizes : dict
        From `sizes_of`.
    label_budgets, pretraining_rows
        As in `compare_initializers`.

    Examples
    --------
    >>> most_unlabeled({"n_train": 50, "n_unlabeled": 20}, [10, 30], "all")
    60
    """
    n_all = int(sizes["n_train"] + sizes["n_unlabeled"])
    fewest = min(label_budgets, default=n_all)
    return max(n_all - fewest, 0) if pretraining_rows == "all" else 0


def scale_of(data: Data, scaling: str | None) -> dict[str, Any]:
    """Whether a study scales rows to [0, 1], and whether they lie there then.

    Grey values are scaled, and what is reconstructed, since errors of columns are
    summed. Other columns are standardised by each net, as for its users.

    Parameters
    ----------
    data : Data
    scaling
        As in `compare_initializers`.

    Raises
    ------
    ValueError
        If scaling is something else.

    Examples
    --------
    >>> data = Data(3 * np.eye(2), np.array([0, 1]), None, None)
    >>> scale_of(data, "auto")
    {'scaled': False, 'is_grey': False}
    >>> bytes_of_images = np.arange(64).reshape(4, 16)
    >>> scale_of(data._replace(X=bytes_of_images), "auto")
    {'scaled': True, 'is_grey': True}
    """
    if scaling not in ("auto", None):
        raise ValueError(f"scaling is {scaling!r}; it may be 'auto' or None.")
    if not isinstance(data.X, np.ndarray):
        return {"scaled": False, "is_grey": False}
    arrays = [X for X in (data.X, data.X_test) if X is not None]
    ends = [extent_of_known(X) for X in arrays]
    outside = not all(Bernoulli().holds(*its) for its in ends)
    scaled = outside and scaling == "auto"
    scaled = scaled and (data.target == "rows" or of_images(data.X))
    grey = not outside and are_grey(*ends[0])
    return {"scaled": scaled, "is_grey": scaled or grey}
