"""What classifier and regressor share: a net that is fitted to targets."""

from collections.abc import Callable
from typing import Any, Self

from ..backend.types import Array
from ..training import Optimizer
from ..training.budget import adam_of_net
from ._sklearn import fit_context
from .held_out import Watched, check_watched
from .predictor import DBNPredictor
from .targets import Job, check_supervised


class SupervisedPredictor(DBNPredictor):
    """Base of `DBNClassifier` and `DBNRegressor`."""

    # What a subclass has for its kind of targets.
    _fit_targets: Callable[[Job, Array], None]
    _encode_targets: Callable[..., Array]
    _score: Callable[[Array, Array, Array], float]

    @fit_context
    def fit(
        self,
        X: Array,
        y: Array,
        sample_weight: Array = None,
        *,
        X_val: Array = None,
        y_val: Array = None,
    ) -> Self:
        """Initialize the net and fine-tune it.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Columns of a frame may be categories, strings or booleans, and NaN is a
            value that is not known. A sparse matrix stays sparse.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. Of a classifier class labels, numbers or strings; or a 0/1 column
            for each of several labels that a row may have.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in pretraining and fine-tuning; rows of weight zero are
            left out.
        X_val, y_val : array-like, default=None
            Rows that are not trained on: `history_` gets their loss and score (accuracy
            or R^2) after every epoch, and `early_stopping` watches them.

        Returns
        -------
        self : object
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def _job(self, X: Array, y: Array, sample_weight: Array, reset: bool) -> Job:
        return check_supervised(self, X, y, sample_weight, reset)

    def _adam(self, n_rows: int, n_columns: int) -> Optimizer:
        return adam_of_net(n_rows, n_columns, self._numeric_targets)

    def _set_targets(
        self, job: Job, dtype: Any, going_on: bool, classes: Array
    ) -> None:
        if not going_on:
            self._fit_targets(job, classes)
        job.targets = self._encode_targets(job.y, dtype)
        self._weigh_classes(job)

    def _weigh_classes(self, job: Job) -> None:
        """Multiply weights of rows by those of their classes, if there are any."""

    def _validation(
        self, X_val: Array, y_val: Array, dtype: Any
    ) -> tuple[Array, Array, None] | None:
        return check_watched(self, X_val, y_val, dtype)

    def _watched(self, rows: Array, targets: Array, weight: Array) -> Watched:
        return Watched(self, rows, targets, weight)
