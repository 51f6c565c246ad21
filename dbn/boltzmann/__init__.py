"""Energy-based models: the mathematics of RBMs and DBNs."""

from .rbm import RBM
from .samplers import CD, Sampler, get_sampler
from .stack import DBN
from .units import Bernoulli, Gaussian, ReLU, Softmax, Units, get_units

__all__ = [
    "CD",
    "DBN",
    "RBM",
    "Bernoulli",
    "Gaussian",
    "ReLU",
    "Sampler",
    "Softmax",
    "Units",
    "get_sampler",
    "get_units",
]
