"""Energy-based models: the mathematics of RBMs and DBNs."""

from .enumeration import exact_log_z
from .likelihood import LogZEstimate, ais, pseudo_log_likelihood, reverse_ais
from .rbm import RBM
from .samplers import CD, FPCD, PCD, ParallelTempering, Sampler, Staged, get_sampler
from .stack import DBN
from .units import (
    Bernoulli,
    Gaussian,
    Labels,
    Mixed,
    ReLU,
    Softmax,
    Spin,
    Units,
    get_units,
)

__all__ = [
    "CD",
    "DBN",
    "FPCD",
    "PCD",
    "RBM",
    "Bernoulli",
    "Gaussian",
    "Labels",
    "LogZEstimate",
    "Mixed",
    "ParallelTempering",
    "ReLU",
    "Sampler",
    "Softmax",
    "Spin",
    "Staged",
    "Units",
    "ais",
    "exact_log_z",
    "get_sampler",
    "get_units",
    "pseudo_log_likelihood",
    "reverse_ais",
]
