"""Principal components as an autoencoder: what deep ones are compared with."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer

from ...backend.types import Array


class LinearAutoencoder(TransformerMixin, BaseEstimator):
    """PCA with as many components as the code of a deep autoencoder has units.

    No linear map to so few numbers and back has a smaller squared error. What is not
    known is the mean of its column.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int
        Of the encoder; the last is that of the code.

    Attributes
    ----------
    pca_ : PCA
    imputer_ : SimpleImputer

    Examples
    --------
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    >>> net = LinearAutoencoder((5, 1)).fit(X)
    >>> bool(np.allclose(net.inverse_transform(net.transform(X)), X))
    True
    """

    def __init__(self, hidden_layer_sizes: Sequence[int] = (1,)) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes

    def fit(self, X: Array, y: Any = None) -> Self:
        """Find the components of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored

        Returns
        -------
        self : object
        """
        self.imputer_ = SimpleImputer(keep_empty_features=True).fit(X)
        n_components = min(self.hidden_layer_sizes[-1], *np.shape(X))
        self.pca_ = PCA(n_components, svd_solver="full")
        self.pca_.fit(self.imputer_.transform(X))
        return self

    def transform(self, X: Array) -> Array:
        """Codes: principal components of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components)
        """
        return self.pca_.transform(self.imputer_.transform(X))

    def inverse_transform(self, H: Array) -> Array:
        """Rows that codes stand for.

        Parameters
        ----------
        H : array-like of shape (n_samples, n_components)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        return self.pca_.inverse_transform(H)
