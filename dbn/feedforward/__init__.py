"""The feed-forward net: layers, losses, network and initializers."""

from .initializers import (
    Initializer,
    Normal,
    VarianceScaling,
    Zeros,
    get_initializer,
)
from .layers import Activation, Dense, Layer, Logistic, ReLU, Tanh, get_activation
from .losses import Loss, SoftmaxCrossEntropy, SquaredError, get_loss
from .network import Network

__all__ = [
    "Activation",
    "Dense",
    "Initializer",
    "Layer",
    "Logistic",
    "Loss",
    "Network",
    "Normal",
    "ReLU",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "Tanh",
    "VarianceScaling",
    "Zeros",
    "get_activation",
    "get_initializer",
    "get_loss",
]
