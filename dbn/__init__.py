"""Deep belief networks: pretraining, fine-tuning, and whether it was worth it."""

from .backend.rows import ScaledRows
from .boltzmann import DBN, RBM
from .estimators import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
    load_model,
    save_model,
)
from .feedforward import Network
from .storage.packing import ModelFileError

__version__ = "0.1.0"

__all__ = [
    "DBN",
    "RBM",
    "DBNAutoencoder",
    "DBNClassifier",
    "DBNRegressor",
    "DBNTransformer",
    "GenerativeDBNClassifier",
    "ModelFileError",
    "Network",
    "RBMClassifier",
    "RBMTransformer",
    "ScaledRows",
    "load_model",
    "save_model",
]
