"""Rows that a net is not trained on, and what is measured on them."""

import math
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length

from ..backend.array import choose_rows, with_dtype
from ..backend.device import converted_beside, to_host
from ..backend.types import Array
from ._sklearn import check_y
from .dbn import is_autoencoder
from .preprocessing import said_of, warn_of_range
from .targets import Job, with_labels


def check_watched(
    estimator: Any, X_val: Array, y_val: Array, dtype: Any
) -> tuple[Array, Array, None] | None:
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
    X_val, y_val, _ = with_labels(estimator, X_val, y_val, name="y_val")
    with said_of("X_val"):
        rows, _ = estimator._checked(X_val, reset=False)
    options = {"multi_output": True, "y_numeric": estimator._numeric_targets}
    y_val = check_y(to_host(y_val), estimator=estimator, **options)
    check_consistent_length(rows, y_val)
    warn_of_range(rows, estimator.visible_, "X_val")
    rows = with_dtype(estimator._encode(rows), dtype)
    targets = estimator._encode_targets(y_val, dtype, "y_val")
    _check_scorable(estimator, targets)
    return rows, targets, None


class Watched:
    """The metrics of a net on rows that it is not trained on, computed when called.

    Rows are sent to where the net is trained once, targets are compared on the host.
    """

    def __init__(
        self, estimator: Any, rows: Array, targets: Array, weight: Array
    ) -> None:
        self.estimator, self.on_host = estimator, (targets, weight)
        self.rows = estimator._place.rows(estimator._filled(rows))
        self.beside = converted_beside((targets, weight), self.rows)

    def __call__(self) -> dict[str, float]:
        net = self.estimator.network_
        z = net.forward(self.rows)
        loss = float(net.loss.value(z, *self.beside))
        score = math.nan  # the loop reports a divergence
        if math.isfinite(loss):
            targets, weight = self.on_host
            predicted = to_host(net.loss.predict(z))
            score = self.estimator._score(targets, predicted, weight)
        return {"validation_loss": loss, "validation_score": score}


def hold_out(estimator: Any, job: Job, rng: Any) -> tuple[Array, Array, Array]:
    """Take rows, targets and weights to watch out of the labelled rows of a job."""
    train, watched = _split(estimator, job, rng)
    rows, *others = job.labelled_rows()
    job.keep(train)
    targets, weight = (None if part is None else part[watched] for part in others)
    return choose_rows(rows, watched), targets, weight


def check_holdable(estimator: Any, job: Job) -> None:
    """Raise a ValueError if there are too few labelled rows to hold some out."""
    _, watched = _split(estimator, job, np.random.default_rng(0))
    _check_scorable(estimator, watched)


def _split(estimator: Any, job: Job, rng: Any) -> tuple[Array, Array]:
    """Indices of the labelled rows to train on, and of those to watch.

    Classes are in both as they are in all; where there are too few rows for that, the
    watched ones are any of those that leave one row of each class.
    """
    n_rows, strata = len(job.labelled), estimator._strata(job.targets)
    fraction, seed = estimator.validation_fraction, int(rng.integers(2**31))
    n_watched = math.ceil(fraction * n_rows)
    if strata is not None:
        counts = np.unique(strata, return_counts=True)[1]
        few = min(n_watched, n_rows - n_watched) < len(counts)
        if few or counts.min() < 2:
            return _with_every_class(strata, n_watched, rng)
    if n_watched >= n_rows:
        rows, remedy = "labelled rows", _REMEDY
        if is_autoencoder(estimator):
            rows, remedy = "rows", "Give rows of their own as X_val, or more to learn."
        raise ValueError(
            f"early_stopping cannot hold out validation_fraction={fraction} of "
            f"{n_rows} {rows} (n_samples={n_rows}). {remedy}"
        )
    train, watched = train_test_split(
        np.arange(n_rows), test_size=fraction, stratify=strata, random_state=seed
    )
    return train, watched


_REMEDY = (
    "Give rows of their own as X_val and y_val, more labels, or early_stopping=False."
)


def _with_every_class(strata: Array, n_watched: int, rng: Any) -> tuple[Array, Array]:
    """The split where one row of each class, whichever, must stay to train on."""
    order = rng.permutation(len(strata))
    first = order[np.unique(strata[order], return_index=True)[1]]
    free = order[~np.isin(order, first)][:n_watched]
    if not len(free):
        raise ValueError(
            f"early_stopping cannot hold out any of {len(strata)} labelled rows: each "
            f"is the only one of its class. {_REMEDY}"
        )
    return np.setdiff1d(np.arange(len(strata)), free), np.sort(free)


def _check_scorable(estimator: Any, watched: Array) -> None:
    if estimator._numeric_targets and len(watched) < 2:
        raise ValueError(
            "R^2 needs at least 2 validation rows; there is 1. Raise "
            "validation_fraction, or pass more as X_val and y_val."
        )
