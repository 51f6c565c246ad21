"""The one list of types of units, over which the laws are tested."""

from dbn.boltzmann import Bernoulli, Gaussian, Labels, Mixed, ReLU, Softmax, Spin

LEARNED, NOISY = Gaussian(learn_variance=True), ReLU(noisy=True)
# Of one kind in all columns.
UNIFORM = [Bernoulli(), Gaussian(), LEARNED, ReLU(), Softmax(2), Softmax(3), Spin()]
DISCRETE = [unit for unit in UNIFORM if unit.states is not None]
# Of several kinds, in six columns.
RAGGED = Softmax((2, 4))
TABLE = Mixed(((LEARNED, 2), (Bernoulli(), 1), (Softmax(3), 3)))
SEVERAL = [
    RAGGED,
    TABLE,
    Mixed([(Spin(), 2), (Softmax((2, 2)), 4)]),
    Mixed(((ReLU(), 2), (Mixed(((Gaussian(), 1), (LEARNED, 2))), 3), (Spin(), 1))),
    Mixed(((Bernoulli(), 3), (Labels(3), 3))),
]
LAWFUL = [*UNIFORM, *SEVERAL]
TYPES = [*LAWFUL, NOISY]
