"""The scikit-learn estimators."""

from .autoencoder import DBNAutoencoder
from .classifier import DBNClassifier
from .dbn import DBNTransformer
from .export import from_sklearn, to_sklearn, to_torch
from .files import load_model, save_model
from .generative_dbn import GenerativeDBNClassifier
from .rbm import RBMTransformer
from .rbm_classifier import RBMClassifier
from .regressor import DBNRegressor

__all__ = [
    "DBNAutoencoder",
    "DBNClassifier",
    "DBNRegressor",
    "DBNTransformer",
    "GenerativeDBNClassifier",
    "RBMClassifier",
    "RBMTransformer",
    "from_sklearn",
    "load_model",
    "save_model",
    "to_sklearn",
    "to_torch",
]
