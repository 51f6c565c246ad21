"""Deep belief networks: pretraining, fine-tuning, and whether it was worth it."""

from .boltzmann import DBN, RBM
from .estimators import DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer
from .feedforward import Network

__version__ = "0.1.0"

__all__ = [
    "DBN",
    "RBM",
    "DBNClassifier",
    "DBNRegressor",
    "DBNTransformer",
    "Network",
    "RBMTransformer",
]
