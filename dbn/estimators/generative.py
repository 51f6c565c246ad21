"""Classifiers that are a density of features and class together."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ..backend.array import choose_rows, take_rows
from ..backend.device import (
    asarray_like,
    converted_beside,
    namespace,
    numpy_dtype,
    to_host,
)
from ..backend.labelled_rows import join
from ..backend.random import make_rng, stream_on
from ..backend.types import Array
from ..boltzmann import DBN
from ..boltzmann.tempering import TemperedPath
from ..training.callbacks import bars_of
from .classes import check_same_classes, find_classes, given_classes
from .density import DensityEstimator
from .marks import as_labels
from .targets import (
    Job,
    check_supervised,
    encode_classes,
    weigh_classes,
    with_labels,
)


class GenerativeClassifier(ClassifierMixin, DensityEstimator):
    """Base of classifiers whose top machine has labels beside features."""

    classes_: Array
    unlabeled: Any
    unlabeled_weight: float
    class_weight: Any
    _numeric_targets = False

    @property
    def _joint(self) -> DBN:
        """Its machines as a stack, labels at the top."""
        raise NotImplementedError

    @property
    def _base_bias(self) -> Array:
        """Visible biases of the top machine that match the data."""
        raise NotImplementedError

    def _find_job(
        self,
        X: Array,
        y: Array,
        sample_weight: Array,
        reset: bool,
        classes: Array = None,
        chunk: bool = False,
    ) -> Job:
        """Validate the input of a fit; find the classes, or compare them."""
        classes = given_classes(classes, self.unlabeled)
        if getattr(y, "ndim", 1) == 2:
            y = column_or_1d(as_labels(y), warn=True)
        job = check_supervised(self, X, y, sample_weight, reset)
        check_classification_targets(job.known)
        if reset:
            self.classes_ = find_classes(job, classes)
        else:
            found = ("classes", classes) if chunk else ("y", job.known)
            check_same_classes(*found, self.classes_)
        job.targets = self._encode_targets(job.y, numpy_dtype(job.rows))
        return job

    def _weigh(self, job: Job) -> Array:
        """Weigh the labelled rows; indices of the rows without a label."""
        unlabelled = np.setdiff1d(np.arange(job.rows.shape[0]), job.labelled)
        if self.class_weight is not None:
            weigh_classes(job, self.class_weight, to_host(self.classes_), False)
        return unlabelled

    def _labelled_rows(
        self, job: Job, unlabelled: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Rows to train on, and their labels (NaN: none).

        And what they weigh with their labels, and without them, or None.
        """
        n_rows, dtype = job.rows.shape[0], numpy_dtype(job.rows)
        labels = np.full((n_rows, self.classes_.shape[0]), np.nan, dtype=dtype)
        labels[job.labelled] = job.targets
        weight = np.ones(n_rows, dtype=dtype)
        if job.weight is not None:
            weight[unlabelled] = job.weight[unlabelled]
        weight[unlabelled] *= self.unlabeled_weight
        if job.label_weight is not None:
            weight[job.labelled] = job.label_weight
        weights = None if (weight == 1.0).all() else weight
        index = np.sort(np.concatenate([unlabelled, job.labelled]))
        if len(index) == n_rows:
            return job.rows, labels, weights, job.weight
        weights, own_weight = (
            None if w is None else w[index] for w in (weights, job.weight)
        )
        return choose_rows(job.rows, index), labels[index], weights, own_weight

    def _encode_targets(self, y: Array, dtype: Any, name: str = "y") -> Array:
        return encode_classes(y, to_host(self.classes_), name).astype(dtype)

    def _strata(self, targets: Array) -> Array:
        return to_host(self.classes_)[targets.argmax(axis=1)]

    def _watch(
        self, stack: Callable[[], DBN], rows: Array, targets: Array, weight: Array
    ) -> Callable[[], dict[str, float]]:
        """Metrics of a stack in training on rows that it is not trained on."""
        rows, classes = self._place.rows(self._filled(rows)), targets.argmax(axis=1)

        def measure() -> dict[str, float]:
            log_p = to_host(stack().log_p_labels(rows))
            losses, right = -(targets * log_p).sum(axis=1), log_p.argmax(axis=1)
            score = float(np.average(right == classes, weights=weight))
            loss = float(np.average(losses, weights=weight))
            return {"validation_loss": loss, "validation_score": score}

        return measure

    def _monitored_rows(self, X: Array) -> Array:
        """As the machine in training sees them: labels at their mean."""
        rows, machine = super()._monitored_rows(X), self._machines[-1]
        if machine.labels is None:
            return rows
        mean = machine.visible.mean(machine.b[None, :], machine.p_visible)
        mean = mean[0, machine.n_features :]
        xp = namespace(rows)
        return join(rows, xp.broadcast_to(mean, (rows.shape[0], mean.shape[0])))

    def predict_log_proba(self, X: Array) -> Array:
        """Logarithms of `predict_proba`, in nats.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self._log_p(X, "predict_log_proba")

    def _log_p(self, X: Array, method: str) -> Array:
        rows = self._filled(self._rows(X, method))
        return self._place.apply(DBN.log_p_labels, self._joint, rows)

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, in the order of `classes_`, from free energies.

        Those of the machine that has the labels, exact given its features: of a stack
        these are the means of the layer below. Values that are not known count as the
        mean of the training rows.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        log_p = self._log_p(X, "predict_proba")
        return namespace(log_p).exp(log_p)

    def decision_function(self, X: Array) -> Array:
        """Log-probabilities; for two classes their difference, class 1 minus class 0.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
        """
        z = self._log_p(X, "decision_function")
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z

    def predict(self, X: Array) -> Array:
        """The most probable class of each row.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        log_p = self._log_p(X, "predict")
        chosen = to_host(namespace(log_p).argmax(log_p, axis=1))
        return take_rows(self.classes_, chosen)

    def score(self, X: Array, y: Array, sample_weight: Array = None) -> float:
        """Accuracy on the labelled rows.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or float, default=None
            A number is the weight of all rows, which changes nothing.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If a label is missing that `unlabeled` does not mark, or all are marked, or
            the weights are not accepted.
        """
        return float(super().score(*with_labels(self, X, y, sample_weight)))

    def sample(
        self,
        n_samples: int = 1,
        *,
        label: Any = None,
        steps: int = 1000,
        means: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> Array:
        """Draw rows from the model, of any class or of a given one.

        Parameters
        ----------
        n_samples : int, default=1
            Number of independent chains.
        label : class, or array-like of shape (n_samples,), default=None
            The class of all samples, or of each, which the chains keep. None draws the
            class as well.
        steps : int, default=1000
            Gibbs steps of the top machine, from independent units: in an
            `RBMClassifier` with the data's mean, in a `GenerativeDBNClassifier` with
            its visible biases alone. Machines that mix slowly need more: compare
            samples at several values.
        means : bool, default=False
            Whether to return the means of the visible units given the hidden units that
            were drawn, which are less noisy than rows. In a frame a category is then
            the likeliest one, and a boolean whether it is likely.
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the units of X.

        Raises
        ------
        ValueError
            If a label is none of `classes_`, or a number is too small.
        """
        check_is_fitted(self)
        self._check_counts(n_samples=n_samples, steps=steps)
        dbn, bias = self._place.there((self._joint, self._base_bias))
        top = dbn.rbms[-1]
        rng = stream_on(make_rng(random_state), top.W)
        v = TemperedPath(top, bias).sample_base(n_samples, rng)
        clamped = None
        if label is not None:
            single = np.ndim(to_host(label)) == 0
            given = [label] * n_samples if single else to_host(label)
            y = self._encode_targets(np.asarray(given), numpy_dtype(top.W), "label")
            if y.shape[0] != n_samples:
                raise ValueError(
                    f"label has {y.shape[0]} entries for n_samples={n_samples}. Give "
                    "one class for all, or one for each sample."
                )
            v = join(v[:, : top.n_features], asarray_like(y, top.W))
            clamped = np.arange(top.n_visible) >= top.n_features
            clamped = converted_beside(clamped, top.W)
        with bars_of(self):
            v = dbn.sample(v, rng, steps, clamped, means)
        return self._decode(self._place.back(v))
