"""The feed-forward net: layers, losses, network and initializers."""

from .initializers import (
    Initializer,
    Normal,
    VarianceScaling,
    Zeros,
    get_initializer,
)
from .layers import (
    ELU,
    Activation,
    Dense,
    Identity,
    Layer,
    LeakyReLU,
    Logistic,
    ReLU,
    ScaledTanh,
    Softplus,
    Softsign,
    Tanh,
    get_activation,
)
from .losses import (
    BinaryCrossEntropy,
    Loss,
    SoftmaxCrossEntropy,
    SquaredError,
    get_loss,
)
from .network import Network
from .regularizers import BatchNorm, Dropout, limit_norms

__all__ = [
    "ELU",
    "Activation",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Dense",
    "Dropout",
    "Identity",
    "Initializer",
    "Layer",
    "LeakyReLU",
    "Logistic",
    "Loss",
    "Network",
    "Normal",
    "ReLU",
    "ScaledTanh",
    "SoftmaxCrossEntropy",
    "Softplus",
    "Softsign",
    "SquaredError",
    "Tanh",
    "VarianceScaling",
    "Zeros",
    "get_activation",
    "get_initializer",
    "get_loss",
    "limit_norms",
]
