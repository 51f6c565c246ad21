"""The feed-forward net: layers, losses, network and initializers."""

from .initializers import LSUV, Given, activation_gain, get_initializer
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
from .schemes import (
    Constant,
    Initializer,
    Normal,
    Orthogonal,
    Sparse,
    VarianceScaling,
    Zeros,
)

__all__ = [
    "ELU",
    "LSUV",
    "Activation",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Constant",
    "Dense",
    "Dropout",
    "Given",
    "Identity",
    "Initializer",
    "Layer",
    "LeakyReLU",
    "Logistic",
    "Loss",
    "Network",
    "Normal",
    "Orthogonal",
    "ReLU",
    "ScaledTanh",
    "SoftmaxCrossEntropy",
    "Softplus",
    "Softsign",
    "Sparse",
    "SquaredError",
    "Tanh",
    "VarianceScaling",
    "Zeros",
    "activation_gain",
    "get_activation",
    "get_initializer",
    "get_loss",
    "limit_norms",
]
