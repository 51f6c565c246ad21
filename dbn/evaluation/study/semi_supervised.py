"""Classifiers that learn from rows without labels: by guesses and by neighbours."""

import math
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading

from ...backend.identity import identity
from ...backend.types import Array
from ...estimators import DBNClassifier
from ...estimators.targets import rows_at

# Graphs of the latest rows of this process: all folds and values of a seed share one.
_MAX_GRAPHS = 8
_graphs: dict[str, Array] = {}


class SelfTraining(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier that is fitted again on its own guesses, in a few rounds.

    Every round takes a larger share of the rows without labels, those of which the
    classifier is surest, with its guesses as labels, until it takes all of them. It is
    fitted anew each time, a net by as many updates as with the labels alone.

    Parameters
    ----------
    estimator : classifier
        With a `decision_function`.
    n_rounds : int, default=3

    Attributes
    ----------
    estimator_ : classifier
        The last one.
    classes_ : ndarray

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> X = np.array([[0.0], [1.0], [2.0], [7.0], [8.0], [9.0]])
    >>> y = np.array([0, -1, -1, -1, -1, 1])
    >>> SelfTraining(SVC()).fit(X, y).predict(X)
    array([0, 0, 0, 1, 1, 1])
    """

    def __init__(self, estimator: Any, n_rounds: int = 3) -> None:
        self.estimator = estimator
        self.n_rounds = n_rounds

    def fit(self, X: Array, y: Array) -> Self:
        """Fit on all rows; y is -1 where there is no label.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
        y : ndarray of int of shape (n_samples,)

        Returns
        -------
        self : object
        """
        labels, rest = np.array(y), np.flatnonzero(y < 0)
        self.classes_ = np.unique(y[y >= 0])
        self._fit_again(X, labels, y)
        for i in range(self.n_rounds if len(rest) else 0):
            scores = self.estimator_.decision_function(rows_at(X, rest))
            if scores.ndim == 1:
                scores = np.column_stack([-scores, scores])
            second, first = np.partition(scores, -2, axis=1)[:, -2:].T
            surest = np.argsort(second - first, kind="stable")
            surest = surest[: math.ceil(len(rest) * (i + 1) / self.n_rounds)]
            labels[rest] = -1
            labels[rest[surest]] = self.classes_[scores[surest].argmax(axis=1)]
            self._fit_again(X, labels, y)
        return self

    def _fit_again(self, X: Array, labels: Array, y: Array) -> None:
        """Fit a copy on the rows that have a label or a guess."""
        model: Any = clone(self.estimator)
        self.estimator_ = model  # also when its training diverges
        if isinstance(self.estimator, DBNClassifier):
            size: Any = model.batch_size
            batches, of_labels = (
                math.ceil(int((its >= 0).sum()) / size) for its in (labels, y)
            )
            model.set_params(max_iter=math.ceil(model.max_iter * of_labels / batches))
            if model.unlabeled is not None and (labels < 0).any():
                model.fit(X, labels)
                return
            model.set_params(unlabeled=None)
        used = np.flatnonzero(labels >= 0)
        model.fit(rows_at(X, used), labels[used])

    def predict(self, X: Array) -> Array:
        """Classes, by the last of its classifiers.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self.estimator_.predict(X)

    def decision_function(self, X: Array) -> Array:
        """What the last of its classifiers says of every class.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) of two classes
        """
        return self.estimator_.decision_function(X)

    def predict_proba(self, X: Array) -> Array:
        """Probabilities of classes, where its classifiers have them.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self.estimator_.predict_proba(X)


class NeighbourGraph:
    """A kernel of `LabelSpreading`: 1 between a row and each of its neighbours.

    The graph of rows among themselves is kept, and made once for all fits on the same
    rows in a process.

    Parameters
    ----------
    n_neighbors : int, default=7

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [5.0], [6.0]])
    >>> NeighbourGraph(1)(X, X).toarray()
    array([[0., 1., 0., 0.],
           [1., 0., 0., 0.],
           [0., 0., 0., 1.],
           [0., 0., 1., 0.]])
    """

    def __init__(self, n_neighbors: int = 7) -> None:
        self.n_neighbors = n_neighbors

    def __call__(self, X: Array, rows: Array) -> Array:
        n = min(self.n_neighbors, len(X) - 1)
        if rows is not X:
            return NearestNeighbors(n_neighbors=n).fit(X).kneighbors_graph(rows).T
        key = identity(X, n)
        if key not in _graphs:
            graph = NearestNeighbors(n_neighbors=n).fit(X).kneighbors_graph()
            while len(_graphs) >= _MAX_GRAPHS:
                del _graphs[next(iter(_graphs))]
            _graphs[key] = graph.maximum(graph.T)
        return _graphs[key]


class Spreading(LabelSpreading):
    """`LabelSpreading` over the graph of neighbours.

    A row that no label reaches is of the first class.

    Examples
    --------
    >>> X = np.arange(20.0)[:, None]
    >>> y = np.array([0, *[-1] * 18, 1])
    >>> Spreading(alpha=0.5).fit(X, y).predict([[3.0], [15.0]])
    array([0, 1])
    """

    def __init__(self, alpha: float = 0.2) -> None:
        graph: Any = NeighbourGraph()
        super().__init__(graph, alpha=alpha, max_iter=500)

    def predict_proba(self, X: Array) -> Array:
        """Probabilities of classes, NaN where no label reaches.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        with np.errstate(invalid="ignore"):
            return super().predict_proba(X)
