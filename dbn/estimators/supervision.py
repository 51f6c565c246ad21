"""Rows with and without labels, validated."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_y

from ..backend.array import take_rows


@dataclass
class Job:
    """One call of fit or partial_fit."""

    rows: object  # all, as the visible units see them
    weight: object  # of all rows, or None where they count alike
    y: np.ndarray  # of the labelled rows, as given
    labelled: np.ndarray  # their indices
    label_weight: object  # of the labelled rows, class weights included, or None
    targets: np.ndarray | None = None  # of the labelled rows, as the loss sees them
    sizes: list | None = None
    prototypes: list | None = None  # of the machines to pretrain, or None

    def labelled_rows(self):
        """Rows, targets and weights to fine-tune on."""
        everything = len(self.labelled) == self.rows.shape[0]
        rows = self.rows if everything else take_rows(self.rows, self.labelled)
        return rows, self.targets, self.label_weight


def is_unlabelled(y, value):
    """Which rows of y are marked with `value`; of several targets, all must be."""
    marked = y != y if value != value else y == value
    return marked if y.ndim == 1 else marked.all(axis=1)


def check_supervised(estimator, X, y, sample_weight, reset):
    """Validate rows and targets, and find the labelled rows: a `Job`.

    Raises
    ------
    ValueError
        If X, y or the weights are not accepted, or no row has a label.
    """
    value = estimator.unlabeled
    options = {"multi_output": True, "y_numeric": estimator._numeric_targets}
    if value is None or y is None:
        checked = estimator._check_rows(X, sample_weight, y, reset=reset, **options)
        rows, y, weight = checked
        return Job(rows, weight, y, np.arange(rows.shape[0]), weight)
    y = np.asarray(y)
    check_consistent_length(X, y)
    # Which rows remain shows in their indices.
    index = np.arange(len(y))
    rows, used, weight = estimator._check_rows(X, sample_weight, index, reset=reset)
    labelled = np.flatnonzero(~is_unlabelled(y[used], value))
    if len(labelled) == 0:
        raise ValueError(
            f"All {len(used)} rows are marked as unlabelled (y is {value!r}). Give "
            "labels to some, or use DBNTransformer, which needs none."
        )
    y = _check_y(y[used][labelled], **options)
    label_weight = None if weight is None else weight[labelled]
    return Job(rows, weight, y, labelled, label_weight)
