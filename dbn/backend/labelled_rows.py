"""Rows with their labels beside them, joined when they are read."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack, issparse

from .array import take_rows
from .device import beside, namespace
from .missing import mean_of_known
from .rows import LazyRows, rows_of
from .types import Array


def join(features: Array, labels: Array) -> Array:
    """Labels on the right of features; sparse where these are.

    Examples
    --------
    >>> import numpy as np
    >>> join(np.zeros((1, 2)), np.eye(2)[:1])
    array([[0., 0., 1., 0.]])
    """
    if issparse(features):
        return hstack([features, csr_array(labels)], format="csr")
    return namespace(features).concat([features, labels], axis=1)


class LabelledRows(LazyRows):
    """Features, which stay what and where they are, and labels in further columns.

    Parameters
    ----------
    features : array, scipy sparse CSR or LazyRows of shape (n_rows, n_features)
    labels : array of shape (n_rows, n_classes)
        In memory, beside the features. NaN, in the whole row, is not known.

    Examples
    --------
    >>> import numpy as np
    >>> rows = LabelledRows(np.zeros((3, 2)), np.eye(3))
    >>> rows.shape, rows[1:2]
    ((3, 5), array([[0., 0., 0., 1., 0.]]))
    """

    def __init__(self, features: Array, labels: Array) -> None:
        self.features, self.labels = features, labels
        self.shape = features.shape[0], features.shape[1] + labels.shape[1]
        self.dtype = features.dtype

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return namespace(self.labels)

    @property
    def device(self) -> Any:
        """Where the labels lie."""
        return getattr(self.labels, "device", None)

    def __getitem__(self, key: Any) -> Array:
        rows = rows_of(key)
        if isinstance(rows, slice):
            rows = np.arange(self.shape[0])[rows]
        return join(take_rows(self.features, rows), take_rows(self.labels, rows))

    def __rmatmul__(self, weights: Array) -> Array:
        """``weights @ rows``: with weights that sum to 1, the mean."""
        w = beside(weights, self.labels)
        return namespace(w).concat([w @ self.features, w @ self.labels])

    def filled(self, values: Array) -> "LabelledRows":
        """The same rows with these, one for each class, for labels not known."""
        xp, y = namespace(self.labels), self.labels
        return LabelledRows(self.features, xp.where(xp.isnan(y), values, y))

    def means(self, weight: Array = None) -> tuple[Array, bool]:
        """Mean of what is known in each column; whether a feature is not known."""
        of_features, incomplete = mean_of_known(self.features, weight)
        of_labels, _ = mean_of_known(self.labels, weight)
        return namespace(of_labels).concat([of_features, of_labels]), incomplete
