"""The scikit-learn estimators."""

from .classifier import DBNClassifier
from .dbn import DBNTransformer
from .files import load_model, save_model
from .rbm import RBMTransformer
from .regressor import DBNRegressor

__all__ = [
    "DBNClassifier",
    "DBNRegressor",
    "DBNTransformer",
    "RBMTransformer",
    "load_model",
    "save_model",
]
