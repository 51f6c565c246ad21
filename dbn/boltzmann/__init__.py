"""Energy-based models: the mathematics of RBMs and DBNs."""

from .rbm import RBM
from .samplers import CD, Sampler, get_sampler
from .stack import DBN
from .units import Bernoulli, Gaussian, Units, get_units

__all__ = [
    "CD",
    "DBN",
    "RBM",
    "Bernoulli",
    "Gaussian",
    "Sampler",
    "Units",
    "get_sampler",
    "get_units",
]
