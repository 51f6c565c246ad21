"""The one list of types of units, over which the laws are tested."""

import numpy as np

from dbn.backend.array import namespace, sigmoid, softplus
from dbn.backend.random import bernoulli
from dbn.boltzmann import Bernoulli, Gaussian, ReLU, Softmax, Units


class Spin(Units):
    """Values -1 and 1. All that it takes to add a type: it is nowhere else."""

    low, high = -1.0, 1.0
    states = np.array([[-1.0], [1.0]])

    def mean(self, x, p=None):
        return namespace(x).tanh(x)

    def variance(self, x, p=None):
        return 1.0 - self.mean(x) ** 2

    def sample(self, x, rng, p=None):
        return 2.0 * bernoulli(rng, sigmoid(2.0 * x)) - 1.0

    def cgf(self, x, p=None):
        return namespace(x).sum(softplus(2.0 * x) - x, axis=1)

    def base_energy(self, u, p=None):
        return 0.0 * namespace(u).sum(u, axis=1)

    def input_for_mean(self, mean, p=None):
        xp = namespace(mean)
        return xp.atanh(xp.clip(mean, -0.999, 0.999))


LEARNED, NOISY = Gaussian(learn_variance=True), ReLU(noisy=True)
LAWFUL = [Bernoulli(), Gaussian(), LEARNED, ReLU(), Softmax(2), Softmax(3), Spin()]
TYPES = [*LAWFUL, NOISY]
DISCRETE = [unit for unit in LAWFUL if unit.states is not None]
