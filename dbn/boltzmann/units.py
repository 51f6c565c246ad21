"""Types of units: what a single layer of a Boltzmann machine is made of.

Given its total input x, a layer of units has the exponential-family law

    log p(u | x) = u . x - base_energy(u) - cgf(x),

where the cumulant generating function `cgf` carries every normaliser. Its gradient is
the mean of u, the diagonal of its Hessian the variance. Free energies, Gibbs steps and
gradients are written once against these functions (in `rbm.py`), so a new type of unit
is one class here. See Welling, Rosen-Zvi and Hinton (2004), "Exponential family
harmoniums with an application to information retrieval".
"""

import math
from abc import abstractmethod
from numbers import Integral

from scipy.sparse import issparse

from ..backend.array import (
    clipped,
    dense,
    extent,
    log_ndtr,
    log_softmax,
    map_batches,
    namespace,
    ndtr_slope,
    ndtri_exp,
    sigmoid,
    softplus,
)
from ..backend.parts import Part, get_part
from ..backend.random import bernoulli, normal, uniform

# A few times the precision of float32, in which data may have been scaled; of the
# largest value, since data in small units are no data in [0, 1] that were rounded.
ROUNDING = 1e-6


class Units(Part):
    """Interface of all unit types; arrays have shape (n_rows, n_units).

    `p` holds the extra parameters that `init` names, as views in the RBM's buffer; most
    types have none. `base_energy` and `cgf` sum over the units: shape (n_rows,).
    """

    # Whether mean and sample belong to a law with a normaliser, which likelihoods need.
    normalised = True
    # Between which values the states lie.
    low, high = -math.inf, math.inf

    def init(self, n):
        """Shapes of the extra parameters of `n` units, by name; all start at zero."""
        return {}

    @abstractmethod
    def mean(self, x, p=None):
        """Mean of the units at total input `x`."""

    @abstractmethod
    def variance(self, x, p=None):
        """Variance of the units at total input `x`."""

    @abstractmethod
    def sample(self, x, rng, p=None):
        """Draw the units at total input `x`."""

    def sample_at_mean(self, mean, x, rng, p=None):
        """`sample`, where the `mean` at total input `x` is known and saves work."""
        return self.sample(x, rng, p)

    @abstractmethod
    def cgf(self, x, p=None):
        """Cumulant generating function, in nats, summed over the units."""

    @abstractmethod
    def base_energy(self, u, p=None):
        """Energy of the states `u` at total input zero, in nats, summed over units."""

    def base_energy_grad(self, u, p=None):
        """Derivatives of each unit's base energy by its extra parameters, by name."""
        return {}

    @abstractmethod
    def input_for_mean(self, mean, p=None):
        """Total input at which the units have this `mean`, or are close to it."""

    @abstractmethod
    def check(self, X):
        """Raise a ValueError when `X` holds values that these units cannot take.

        Values outside by no more than rounding are taken: see `inside`.
        """

    def inside(self, X):
        """`X` checked, with what rounding has put outside moved to the ends.

        A scaler to [0, 1] gives 1.0000000000000002 now and then.
        """
        self.check(X)
        return clipped(X, self.low, self.high)

    def holds(self, low, high):
        """Whether values from `low` to `high` are inside, but for rounding."""
        margin = ROUNDING * max(abs(low), abs(high))
        return low >= self.low - margin and high <= self.high + margin


class Ranged(Units):
    """Base of units with values in a range and no other condition."""

    @abstractmethod
    def complaint(self, X, low, high):
        """What is wrong with a minimum and a maximum, and what to do, in words."""

    def check(self, X):
        self._ends(X)

    def inside(self, X):
        return clipped(X, self.low, self.high, self._ends(X))

    def _ends(self, X):
        low, high = extent(X)
        if not self.holds(low, high):
            raise ValueError(self.complaint(X, low, high))
        return low, high


class Bernoulli(Ranged):
    """Binary units with values 0 and 1; real values in [0, 1] count as probabilities.

    Mean sigmoid(x), cgf(x) = sum log(1 + exp x), base energy 0. See Hinton (2010), "A
    practical guide to training restricted Boltzmann machines", section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Bernoulli
    >>> Bernoulli().mean(np.zeros((1, 2)))
    array([[0.5, 0.5]])
    """

    low, high = 0.0, 1.0

    def mean(self, x, p=None):
        return sigmoid(x)

    def variance(self, x, p=None):
        mean = sigmoid(x)
        return mean * (1.0 - mean)

    def sample(self, x, rng, p=None):
        return bernoulli(rng, sigmoid(x))

    def sample_at_mean(self, mean, x, rng, p=None):
        return bernoulli(rng, mean)

    def cgf(self, x, p=None):
        return namespace(x).sum(softplus(x), axis=1)

    def base_energy(self, u, p=None):
        return 0.0 * namespace(u).sum(u, axis=1)

    def input_for_mean(self, mean, p=None):
        # log(p / (1 - p)), Hinton (2010) section 8.1; a pixel that is always off would
        # start at minus infinity.
        xp = namespace(mean)
        mean = xp.clip(mean, 0.001, 0.999)
        return xp.log(mean) - xp.log1p(-mean)

    def complaint(self, X, low, high):
        advice = "Scale X (MinMaxScaler) or use visible='gaussian'."
        if issparse(X):
            advice = (
                "Scale X (MaxAbsScaler), or, where only zero or not matters, as of "
                "counts, use sklearn.preprocessing.Binarizer."
            )
        return (
            "Bernoulli visible units need values in [0, 1]; X has minimum "
            f"{low:.7g} and maximum {high:.7g}. {advice}"
        )


class Gaussian(Units):
    """Real-valued units: mean s^2 x, variance s^2.

    cgf(x) = sum (s^2 x^2 + log 2 pi s^2) / 2, base energy u^2 / (2 s^2). With fixed
    variance s = 1: standardise the data. See Hinton (2010), section 13.2; for the
    variance as a parameter, in logarithms so that it stays positive, Cho, Ilin and
    Raiko (2011), "Improved learning of Gaussian-Bernoulli RBMs".

    Parameters
    ----------
    learn_variance : bool, default=False
        Whether log s^2 of each unit is learned (from 0). For visible units only: the
        variance of hidden units is the same as a scale of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Gaussian
    >>> Gaussian().mean(np.array([[-3.0, 2.0]]))
    array([[-3.,  2.]])
    """

    def __init__(self, learn_variance=False):
        self.learn_variance = learn_variance

    def init(self, n):
        return {"log_variance": (n,)} if self.learn_variance else {}

    def _variance(self, x, p):
        xp = namespace(x)
        return (
            xp.exp(p["log_variance"]) if self.learn_variance else xp.ones_like(x[:1, :])
        )

    def mean(self, x, p=None):
        return self._variance(x, p) * x if self.learn_variance else x

    def variance(self, x, p=None):
        return self._variance(x, p) * namespace(x).ones_like(x)

    def sample(self, x, rng, p=None):
        noise = normal(rng, x.shape, x)
        if self.learn_variance:
            noise *= namespace(x).exp(0.5 * p["log_variance"])
        return self.mean(x, p) + noise

    def cgf(self, x, p=None):
        xp = namespace(x)
        s2 = self._variance(x, p)
        terms = 0.5 * s2 * x**2 + 0.5 * xp.log(s2) + 0.5 * math.log(2.0 * math.pi)
        return xp.sum(terms, axis=1)

    def base_energy(self, u, p=None):
        return namespace(u).sum(0.5 * u**2 / self._variance(u, p), axis=1)

    def base_energy_grad(self, u, p=None):
        if not self.learn_variance:
            return {}
        return {"log_variance": -0.5 * u**2 / self._variance(u, p)}

    def input_for_mean(self, mean, p=None):
        return mean / namespace(mean).exp(p["log_variance"]) if p else mean

    def check(self, X):
        """Every finite value is a possible state."""


class ReLU(Ranged):
    """Rectified units with values u >= 0: a Gaussian of variance 1, cut off at zero.

    Mean x + r(x) with r(x) = phi(x) / Phi(x), cgf(x) = sum (x^2 / 2 + log Phi(x)
    + log(2 pi) / 2), base energy u^2 / 2. With `noisy`, the sampler max(0, x + n
    sqrt(sigmoid x)) of Nair and Hinton (2010), "Rectified linear units improve
    restricted Boltzmann machines", whose mean is close to log(1 + exp x).

    Parameters
    ----------
    noisy : bool, default=False
        Whether to use that sampler. It has no normalised law, so a machine with it has
        no likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import ReLU
    >>> ReLU().mean(np.array([[-2.0, 0.0, 5.0]])).round(3)
    array([[0.373, 0.798, 5.   ]])
    """

    low = 0.0

    def __init__(self, noisy=False):
        self.noisy = noisy

    @property
    def normalised(self):
        return not self.noisy

    def mean(self, x, p=None):
        if self.noisy:
            return softplus(x)
        return namespace(x).clip(x + ndtr_slope(x), 0.0, None)

    def variance(self, x, p=None):
        if self.noisy:
            return sigmoid(x)
        ratio = ndtr_slope(x)
        # Far below zero the difference is lost to rounding; the limit is 1 / x^2.
        return namespace(x).clip(1.0 - ratio * (x + ratio), 0.0, 1.0)

    def sample(self, x, rng, p=None):
        xp = namespace(x)
        if self.noisy:
            noise = xp.sqrt(sigmoid(x)) * normal(rng, x.shape, x)
            return xp.clip(x + noise, 0.0, None)
        # P(u > t) = Phi(x - t) / Phi(x), inverted at 1 - uniform, which is never 0.
        log_tail = xp.log1p(-uniform(rng, x.shape, x)) + log_ndtr(x)
        return xp.clip(x - ndtri_exp(log_tail), 0.0, None)

    def cgf(self, x, p=None):
        self._refuse_noisy()
        terms = 0.5 * x**2 + log_ndtr(x) + 0.5 * math.log(2.0 * math.pi)
        return namespace(x).sum(terms, axis=1)

    def base_energy(self, u, p=None):
        self._refuse_noisy()
        return namespace(u).sum(0.5 * u**2, axis=1)

    def _refuse_noisy(self):
        if self.noisy:
            raise ValueError(
                "ReLU(noisy=True) has no normalised law, so energies and likelihoods "
                "do not exist. Use ReLU()."
            )

    def input_for_mean(self, mean, p=None):
        # The inverse of softplus, within 0.35 of the exact mean everywhere.
        xp = namespace(mean)
        mean = xp.clip(mean, 0.001, None)
        return mean + xp.log(-xp.expm1(-mean))

    def complaint(self, X, low, high):
        return (
            "ReLU visible units need values of at least 0; X has minimum "
            f"{low:.7g}. Shift X, or use visible='gaussian'."
        )


class Softmax(Units):
    """Categorical units: groups of `n_states` columns, of which one is 1.

    Rows of probabilities count as such. Mean softmax(x) in each group, cgf(x) = sum of
    logsumexp over the groups, base energy 0; only differences within a group are
    identified. See Hinton (2010), section 13.1.

    Parameters
    ----------
    n_states : int
        Columns of each group; the number of columns is a multiple of it.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Softmax
    >>> Softmax(2).mean(np.zeros((1, 4)))
    array([[0.5, 0.5, 0.5, 0.5]])
    """

    low, high = 0.0, 1.0

    def __init__(self, n_states):
        self.n_states = n_states

    def validate(self):
        if not isinstance(self.n_states, Integral) or self.n_states < 2:
            raise ValueError(
                f"Softmax needs an integer n_states of at least 2; it is "
                f"{self.n_states!r}."
            )

    def init(self, n):
        if n % self.n_states:
            raise ValueError(
                f"Softmax({self.n_states}) needs a multiple of {self.n_states} "
                f"columns; there are {n}."
            )
        return {}

    def _groups(self, x):
        """The same numbers as rows of one group each."""
        return namespace(x).reshape(x, (-1, self.n_states))

    def mean(self, x, p=None):
        xp = namespace(x)
        return xp.reshape(xp.exp(log_softmax(self._groups(x))), x.shape)

    def variance(self, x, p=None):
        mean = self.mean(x)
        return mean * (1.0 - mean)

    def sample(self, x, rng, p=None):
        # The state at which the cumulative probability passes a uniform draw.
        xp = namespace(x)
        groups = self._groups(x)
        below = xp.cumulative_sum(xp.exp(log_softmax(groups)), axis=1)[:, :-1]
        draw = uniform(rng, (groups.shape[0], 1), x)
        state = xp.count_nonzero(below <= draw, axis=1)
        states = xp.arange(self.n_states, dtype=state.dtype, device=x.device)
        chosen = states[None, :] == state[:, None]
        return xp.reshape(xp.asarray(chosen, dtype=x.dtype), x.shape)

    def cgf(self, x, p=None):
        xp = namespace(x)
        groups = self._groups(x)
        # logsumexp(x) = x_1 - log_softmax(x)_1
        lse = groups[:, 0] - log_softmax(groups)[:, 0]
        return xp.sum(xp.reshape(lse, (x.shape[0], -1)), axis=1)

    def base_energy(self, u, p=None):
        return 0.0 * namespace(u).sum(u, axis=1)

    def input_for_mean(self, mean, p=None):
        xp = namespace(mean)
        return xp.log(xp.clip(mean, 0.001, 0.999))

    def _bad_groups(self, rows):
        """Which groups are no probabilities; NaN included."""
        groups = self._groups(dense(rows))
        xp = namespace(groups)
        sums, low = xp.sum(groups, axis=1), xp.min(groups, axis=1)
        return ~((xp.abs(sums - 1.0) <= 1e-3) & (low >= -ROUNDING))

    def check(self, X):
        self.init(X.shape[1])
        bad = map_batches(self._bad_groups, X)
        n_bad = int(namespace(bad).count_nonzero(bad))
        if n_bad:
            raise ValueError(
                f"Softmax({self.n_states}) visible units need groups of "
                f"{self.n_states} columns that are one-hot, or probabilities; "
                f"{n_bad} of {bad.shape[0]} groups in X do not add up to 1. Encode "
                "categories with OneHotEncoder, all with the same number of states."
            )


UNITS = {"bernoulli": Bernoulli, "gaussian": Gaussian, "relu": ReLU}


def get_units(units):
    """Return `units` itself, or the unit type that the string names.

    Parameters
    ----------
    units : {"bernoulli", "gaussian", "relu"} or Units

    Raises
    ------
    ValueError
        If `units` is neither.

    Examples
    --------
    >>> get_units("gaussian")
    Gaussian()
    """
    return get_part(units, Units, UNITS, "units")
