"""What y may be: labels and their weights, rows without, rows that are watched."""

import math
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_consistent_length, column_or_1d
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.validation import _check_y, _num_samples, validate_data

from ..backend.array import dense, take_rows, with_dtype
from ..backend.device import converted_beside, numpy_dtype, to_host


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

    def keep(self, index):
        """Fine-tune on these of the labelled rows only."""
        self.targets, self.labelled = self.targets[index], self.labelled[index]
        if self.label_weight is not None:
            self.label_weight = self.label_weight[index]

    def labelled_rows(self):
        """Rows, targets and weights to fine-tune on."""
        everything = len(self.labelled) == self.rows.shape[0]
        rows = self.rows if everything else take_rows(self.rows, self.labelled)
        return rows, self.targets, self.label_weight


def labelled_part(y, value):
    """Indices of the rows of y that are not marked with `value`, and their targets.

    Of several targets in a row all must be marked.

    Raises
    ------
    ValueError
        If all rows are.
    """
    # A list, or what pandas calls object, holds a mark beside labels of any type.
    y = np.asarray(dense(to_host(y)), dtype=object if isinstance(y, list) else None)
    marked = _marked(y, value)
    labelled = np.flatnonzero(~(marked if y.ndim == 1 else marked.all(axis=1)))
    if len(labelled) == 0:
        raise ValueError(
            f"All {len(y)} rows are marked as unlabelled (y is {value!r}). Give "
            "labels to some, or use DBNTransformer, which needs none."
        )
    y = y[labelled]
    return labelled, np.asarray(y.tolist()) if y.dtype == object else y


def _marked(y, value):
    """Where y is a value; where the value is missing (NaN, pandas.NA), where y is."""
    missing = _is_missing(value)
    if y.dtype != object:
        return y != y if missing else y == value
    marks = [missing if _is_missing(v) else not missing and v == value for v in y.flat]
    return np.asarray(marks, dtype=bool).reshape(y.shape)


def _is_missing(value):
    return is_scalar_nan(value) or is_pandas_na(value)


def with_labels(estimator, X, y, sample_weight=None):
    """Only the labelled rows of what a user gives."""
    if estimator.unlabeled is None:
        return X, y, sample_weight
    check_consistent_length(X, y, sample_weight)
    labelled, y = labelled_part(y, estimator.unlabeled)
    if sample_weight is not None:
        sample_weight = _safe_indexing(sample_weight, labelled)
    return _safe_indexing(X, labelled), y, sample_weight


def check_supervised(estimator, X, y, sample_weight, reset):
    """Validate rows and targets, and find the labelled rows: a `Job`.

    Raises
    ------
    ValueError
        If X, y or the weights are not accepted, or no row has a label.
    """
    options = {"multi_output": True, "y_numeric": estimator._numeric_targets}
    if estimator.unlabeled is None or y is None:
        checked = estimator._check_rows(X, sample_weight, y, reset=reset, **options)
        rows, y, weight = checked
        return Job(rows, weight, y, np.arange(rows.shape[0]), weight)
    # Which rows remain shows in their indices.
    index = np.arange(_num_samples(y))
    rows, used, weight = estimator._check_rows(X, sample_weight, index, reset=reset)
    labelled, y = labelled_part(_safe_indexing(y, used), estimator.unlabeled)
    label_weight = None if weight is None else weight[labelled]
    return Job(rows, weight, _check_y(y, **options), labelled, label_weight)


def check_watched(estimator, X_val, y_val, dtype):
    """Rows, targets and weights (none) that the user wants watched, or None.

    Raises
    ------
    ValueError
        If they do not go together, or not with the rows to train on.
    """
    if (X_val is None) != (y_val is None):
        raise ValueError("X_val and y_val belong together; give both or neither.")
    if X_val is None:
        return None
    X_val, y_val, _ = with_labels(estimator, X_val, y_val)
    options = {"multi_output": True, "y_numeric": estimator._numeric_targets}
    options |= estimator._accepted(X_val)
    X_val, y_val = validate_data(
        estimator, X_val, to_host(y_val), reset=False, **options
    )
    rows = with_dtype(estimator._encode(estimator._followed(X_val)), dtype)
    targets = estimator._encode_targets(y_val, dtype, "y_val")
    _check_scorable(estimator, targets)
    return rows, targets, None


class Watched:
    """The metrics of a net on rows that it is not trained on, computed when called.

    Rows are sent to where the net is trained once, targets are compared on the host.
    """

    def __init__(self, estimator, rows, targets, weight):
        self.estimator, self.on_host = estimator, (targets, weight)
        self.rows = estimator._placed(rows)
        self.beside = converted_beside((targets, weight), self.rows)

    def __call__(self):
        net = self.estimator.network_
        z = net.forward(self.rows)
        loss = float(net.loss.value(z, *self.beside))
        score = math.nan  # the loop reports a divergence
        if math.isfinite(loss):
            targets, weight = self.on_host
            predicted = to_host(net.loss.predict(z))
            score = float(self.estimator._score(targets, predicted, weight))
        return {"validation_loss": loss, "validation_score": score}


def hold_out(estimator, job, rng):
    """Take rows, targets and weights to watch out of the labelled rows of a job.

    Raises
    ------
    ValueError
        If the labelled rows are too few.
    """
    try:
        train, watched = train_test_split(
            np.arange(len(job.targets)),
            test_size=estimator.validation_fraction,
            stratify=estimator._strata(job.targets),
            random_state=int(rng.integers(2**31)),
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping cannot hold out validation_fraction="
            f"{estimator.validation_fraction} of {len(job.targets)} labelled rows: "
            f"{error}"
        ) from error
    rows, targets, weight = job.labelled_rows()
    job.keep(train)
    _check_scorable(estimator, targets[watched])
    weight = None if weight is None else weight[watched]
    return take_rows(rows, watched), targets[watched], weight


def _check_scorable(estimator, targets):
    if estimator._numeric_targets and len(targets) < 2:
        raise ValueError(
            "R^2 needs at least 2 validation rows; there is 1. Raise "
            "validation_fraction, or pass more as X_val and y_val."
        )


def encode_classes(y, classes, name):
    """One-hot rows for class labels.

    Raises
    ------
    ValueError
        If y holds another class.
    """
    y = column_or_1d(y)
    unseen = np.setdiff1d(y, classes)
    if len(unseen):
        raise ValueError(
            f"{name} holds {unseen.tolist()[:5]}, which is not among the classes "
            f"{classes.tolist()}. All must be known when training begins: from y in "
            "fit, or from classes in the first partial_fit."
        )
    return np.eye(len(classes))[np.searchsorted(classes, y)]


def encode_labels(y, n_labels, name):
    """Rows with a 0 or 1 for each of several labels.

    Raises
    ------
    ValueError
        If y holds anything else, or another number of columns.
    """
    if y.ndim != 2 or y.shape[1] != n_labels:
        raise ValueError(
            f"{name} has the shape {y.shape}; training began with {n_labels} labels "
            "per row. Give a column for each."
        )
    y = dense(y)
    if not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"{name} has the shape {y.shape} and holds {np.unique(y)[:5]}. Give a "
            "column of 0 and 1 for each of several labels; a row is unlabelled when "
            "all its entries are marked."
        )
    return y


def weigh_classes(job, class_weight, classes, multilabel):
    """Multiply the weights of labelled rows by those of their classes.

    Rows of a class of weight zero are left out.

    Raises
    ------
    ValueError
        If the weights are not accepted.
    """
    if isinstance(class_weight, str):
        weight = compute_sample_weight(class_weight, job.y)
    elif multilabel:
        raise ValueError(
            "class_weight as a dict needs one class per row, and y has a column for "
            "each of several labels. Use 'balanced', or sample_weight."
        )
    else:
        # Of all classes: a chunk may not hold each of them.
        weight = compute_class_weight(class_weight, classes=classes, y=classes)
        weight = weight[job.targets.argmax(axis=1)]
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise ValueError(
            "class_weight must give finite weights, none negative and at least one of "
            f"a class in y above zero; it is {class_weight}."
        )
    own, weight = job.label_weight, weight.astype(numpy_dtype(job.rows))
    job.label_weight = weight if own is None else weight * own
    if not weight.all():
        job.keep(np.flatnonzero(weight))
