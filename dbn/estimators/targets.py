"""What y may be: labels and their weights, rows without."""

from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.class_weight import compute_class_weight

from ..backend.array import choose_rows, dense, take_rows
from ..backend.device import converted_beside, numpy_dtype, to_host
from ..backend.rows import LazyRows
from ..backend.types import Array
from ..feedforward import Loss
from ._sklearn import check_y, num_samples, safe_indexing
from .marks import check_labels, labelled_part, warn_of_encoded
from .preprocessing import indexable, of_moderate_size, row_weights


@dataclass
class Job:
    """One call of fit or partial_fit."""

    rows: Array  # all, as the visible units see them
    weight: Array  # of all rows, or None where they count alike
    y: Array  # of the labelled rows, as given
    labelled: Array  # their indices
    label_weight: Array  # of the labelled rows, class weights included, or None
    known: Array  # y also of labelled rows of weight zero: their classes count
    given: Array  # labelled rows in what the user gave; None for all
    targets: Array = None  # of the labelled rows, as the loss sees them; or themselves
    sizes: list[int] = field(default_factory=list)  # of the hidden layers, or encoder
    prototypes: list[Any] | None = None  # of the machines to pretrain, or None
    denoises: bool = False  # whether autoencoders are pretrained instead

    def keep(self, index: Array) -> None:
        """Fine-tune on these of the labelled rows only."""
        self.labelled = self.labelled[index]
        if self.targets is not None:
            self.targets = self.targets[index]
        if self.label_weight is not None:
            self.label_weight = self.label_weight[index]

    @property
    def pretrains(self) -> bool:
        """Whether layers are trained before the net."""
        return self.prototypes is not None or self.denoises

    def labelled_of(
        self, estimator: Any, X: Array, y: Array, sample_weight: Array
    ) -> tuple[Array, Array, Array]:
        """Rows, targets and weights as the user gave them, of the labelled rows.

        All, which copies nothing, where the estimator has no callbacks to look at them.
        """
        seen = {"_skl_callbacks", "_parent_callback_ctx"} & vars(estimator).keys()
        if self.given is None or not seen:
            return X, y, sample_weight
        return rows_at(X, self.given), self.known, rows_at(sample_weight, self.given)

    @property
    def layer_sizes(self) -> list[int]:
        """Numbers of inputs, units of each layer and outputs of the net."""
        n_outputs = None if self.targets is None else self.targets.shape[1]
        return net_sizes(self.rows.shape[1], self.sizes, n_outputs)

    def made_of(self, estimator: Any, going_on: bool) -> tuple[Any, ...]:
        """All that training depends on, but for parameters and validation rows."""
        return (
            *(self.rows, self.labelled, self.targets),
            to_host(getattr(estimator, "classes_", None)),
            *(self.weight, self.label_weight),
            estimator._trained if going_on else None,
        )

    def labelled_rows(self) -> tuple[Array, Array, Array]:
        """Rows, targets and weights to fine-tune on."""
        everything = len(self.labelled) == self.rows.shape[0]
        rows = self.rows if everything else choose_rows(self.rows, self.labelled)
        return rows, self.targets, self.label_weight

    def constant_loss(self, loss: Loss) -> float:
        """What the best constant prediction of the targets loses."""
        rows, targets, weight = self.labelled_rows()
        if targets is None:
            targets, weight = rows, converted_beside(weight, rows)
        return loss.constant(targets, weight)


def net_sizes(n_inputs: int, sizes: list[int], n_outputs: int | None) -> list[int]:
    """Sizes of all layers of a net.

    Parameters
    ----------
    n_inputs : int
    sizes : list of int
        Of the hidden layers; of an autoencoder, those of its encoder.
    n_outputs : int or None
        None for an autoencoder.

    Examples
    --------
    >>> net_sizes(8, [4, 2], 1), net_sizes(8, [4, 2], None)
    ([8, 4, 2, 1], [8, 4, 2, 4, 8])
    """
    below = [n_inputs, *sizes]
    return [*below, *(reversed(below[:-1]) if n_outputs is None else [n_outputs])]


def with_labels(
    estimator: Any, X: Array, y: Array, sample_weight: Array = None, name: str = "y"
) -> tuple[Array, Array, Array]:
    """Only the labelled rows of what a user gives, with labels to compare with.

    Raises
    ------
    ValueError
        If the weights are not those of `row_weights`, or a label is missing, or all
        are.
    """
    if sample_weight is not None:
        row_weights(sample_weight, num_samples(X))
    if isinstance(sample_weight, Real):  # as in fit: then all rows count alike
        sample_weight = None
    if estimator.unlabeled is None:
        check_labels(y, name)
        return X, y, sample_weight
    check_consistent_length(X, y, sample_weight)
    advice = "Give rows with a label: no others count here."
    labelled, y = labelled_part(y, estimator.unlabeled, name, advice)
    return rows_at(X, labelled), y, rows_at(sample_weight, labelled)


def rows_at(X: Array, index: Array) -> Array:
    """Some rows of what a user gives, in the user's own container; None stays None."""
    if X is None or isinstance(X, Real):  # one weight for all
        return X
    if isinstance(X, LazyRows):
        return take_rows(X, index)
    return safe_indexing(indexable(X), index)


def check_supervised(
    estimator: Any, X: Array, y: Array, sample_weight: Array, reset: bool
) -> Job:
    """Validate rows and targets, and find the labelled rows: a `Job`.

    Raises
    ------
    ValueError
        If X, y or the weights are not accepted, or no row has a label.
    """
    labelled: Array
    options = {"multi_output": True, "y_numeric": estimator._numeric_targets}
    if estimator.unlabeled is None or y is None:
        check_labels(y)
        rows, known, weight, used = estimator._check_rows(
            X, sample_weight, y, reset=reset, **options
        )
        given, labelled = None, np.arange(rows.shape[0])
    else:
        rows, _, weight, used = estimator._check_rows(X, sample_weight, reset=reset)
        check_consistent_length(X, y)
        given, known = labelled_part(y, estimator.unlabeled)
        if reset and len(given) == num_samples(y):
            warn_of_encoded(known, estimator.unlabeled)
        known = check_y(known, **options)
        labelled = given if used is None else np.searchsorted(used, given)
    if not estimator._numeric_targets and known.shape[1:] == (1,):
        known = column_or_1d(known, warn=True)
    y = known
    if used is not None:
        kept = slice(None) if given is None else np.isin(given, used)
        y = known[used] if given is None else known[kept]
        labelled = labelled if given is None else labelled[kept]
    if not y.shape[0]:
        raise ValueError(
            f"None of {known.shape[0]} labelled rows has a sample_weight above zero."
        )
    label_weight = None if weight is None else weight[labelled]
    return Job(rows, weight, y, labelled, label_weight, known, given)


def encode_classes(y: Array, classes: Array, name: str) -> Array:
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


def encode_labels(y: Array, n_labels: int, name: str) -> Array:
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


def weigh_classes(
    job: Job, class_weight: dict[Any, Any] | str, classes: Array, multilabel: bool
) -> None:
    """Multiply the weights of labelled rows by those of their classes.

    Rows of a class of weight zero are left out.

    Raises
    ------
    ValueError
        If the weights are not accepted.
    """
    own = None if job.label_weight is None else job.label_weight.astype(np.float64)
    if isinstance(class_weight, str):
        columns = dense(job.y).T if multilabel else [job.y]
        weight = np.prod([_balanced(np.asarray(c), own) for c in columns], axis=0)
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
    weight = of_moderate_size(weight if own is None else weight * own)
    job.label_weight = weight.astype(numpy_dtype(job.rows))
    if not weight.all():
        job.keep(np.flatnonzero(weight))


def _balanced(y: Array, weight: Array) -> Array:
    """Weights of rows with which all classes in y count alike; `weight` they have."""
    classes, codes = np.unique(y, return_inverse=True)
    return compute_class_weight("balanced", classes=classes, y=y, sample_weight=weight)[
        codes
    ]
