"""The scikit-learn estimators."""

from .classifier import DBNClassifier
from .dbn import DBNTransformer
from .rbm import RBMTransformer
from .regressor import DBNRegressor

__all__ = ["DBNClassifier", "DBNRegressor", "DBNTransformer", "RBMTransformer"]
