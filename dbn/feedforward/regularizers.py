"""What acts in training only: dropout, batch normalization and the max-norm bound."""

from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..backend.array import mean_weights
from ..backend.device import namespace
from ..backend.parts import check_number
from ..backend.random import uniform
from ..backend.types import Array
from .layers import Layer, Shapes, Views


class Dropout(Layer):
    """Sets random entries to zero in training and divides the others by 1 - rate.

    So every output keeps its mean, and prediction is the identity with the weights as
    they are. Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014),
    section 10, name this form; elsewhere in the paper weights are multiplied by the
    probability of retention at test time instead.

    Parameters
    ----------
    rate : float, default=0.5
        Probability that an entry becomes zero.

    Raises
    ------
    ValueError
        When a network is built, if `rate` is outside [0, 1); in training, without
        `rng`.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import Dropout
    >>> x, rng = np.ones((1, 1000)), np.random.default_rng(0)
    >>> y, _ = Dropout(0.2).forward_training(x, {}, rng=rng)
    >>> np.unique(y)
    array([0.  , 1.25])
    """

    def __init__(self, rate: float = 0.5) -> None:
        self.rate = rate

    def validate(self) -> None:
        check_number(self, "rate", 0, 1, closed=True)

    def forward(self, x: Array, p: Views) -> Array:
        return x

    def forward_training(
        self, x: Array, p: Views, weight: Array = None, rng: Any = None
    ) -> tuple[Array, Any]:
        if rng is None:
            raise ValueError(
                f"Dropout with rate={self.rate} draws a mask in training and needs a "
                "random stream; rng is None. Pass rng=numpy.random.Generator, or use "
                "dropout=0."
            )
        if issparse(x):  # what is zero needs no mask
            y = x.copy()
            y.data *= self._mask(x.data, rng)
            return y, None
        mask = self._mask(x, rng)
        return x * mask, mask

    def _mask(self, x: Array, rng: Any) -> Array:
        kept = uniform(rng, x.shape, x) >= self.rate
        mask = namespace(x).asarray(kept, dtype=x.dtype)
        mask *= 1.0 / (1.0 - self.rate)
        return mask

    def backward(
        self,
        delta: Array,
        x: Array,
        y: Array,
        p: Views,
        g: Views,
        input_gradient: bool = True,
        cache: Any = None,
    ) -> Array:
        return delta * cache


class BatchNorm(Layer):
    """Standardises each column over the batch, then scales and shifts it.

    In training y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with the mean
    and variance of the batch (weighted, where rows have weights); in prediction with
    running averages of them, which each pass in training moves. Ioffe and Szegedy
    (2015), algorithms 1 and 2: the average is of the unbiased variance. A batch without
    a second row to speak of has none and leaves both averages alone.

    Parameters
    ----------
    n : int
        Number of columns.
    momentum : float, default=0.9
        What the running averages keep of their value; 0 keeps the last batch only.
    epsilon : float, default=1e-5

    Raises
    ------
    ValueError
        When a network is built, if `momentum` is outside [0, 1) or `epsilon` is not
        positive.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import BatchNorm
    >>> layer = BatchNorm(1)
    >>> layer.shapes(), layer.statistics()
    ({'gamma': (1,), 'beta': (1,)}, {'mean': (1,), 'variance': (1,)})
    >>> p = {name: np.zeros(1) for name in ("gamma", "beta", "mean", "variance")}
    >>> layer.reset(p)
    >>> y, _ = layer.forward_training(np.array([[1.0], [3.0]]), p)
    >>> y.round(3)
    array([[-1.],
           [ 1.]])
    """

    def __init__(self, n: int, momentum: float = 0.9, epsilon: float = 1e-5) -> None:
        self.n = n
        self.momentum = momentum
        self.epsilon = epsilon

    def validate(self) -> None:
        check_number(self, "momentum", 0, 1, closed=True)
        check_number(self, "epsilon", 0, 1)

    def shapes(self) -> Shapes:
        return {"gamma": (self.n,), "beta": (self.n,)}

    def statistics(self) -> Shapes:
        return {"mean": (self.n,), "variance": (self.n,)}

    def reset(self, p: Views) -> None:
        p["gamma"][...] = p["variance"][...] = 1.0
        p["beta"][...] = p["mean"][...] = 0.0

    def _std(self, variance: Array) -> Array:
        return namespace(variance).sqrt(variance + self.epsilon)

    def forward(self, x: Array, p: Views) -> Array:
        scale = p["gamma"] / self._std(p["variance"])
        y = x * scale
        y += p["beta"] - p["mean"] * scale
        return y

    def forward_training(
        self, x: Array, p: Views, weight: Array = None, rng: Any = None
    ) -> tuple[Array, Any]:
        share, mean, centred, variance, unbiased = _moments(x, weight)
        if unbiased is not None:
            for name, value in (("mean", mean), ("variance", unbiased)):
                p[name] *= self.momentum
                p[name] += (1.0 - self.momentum) * value
        std = self._std(variance)
        centred /= std
        y = centred * p["gamma"]
        y += p["beta"]
        return y, (share, centred, std)

    def backward(
        self,
        delta: Array,
        x: Array,
        y: Array,
        p: Views,
        g: Views,
        input_gradient: bool = True,
        cache: Any = None,
    ) -> Array:
        share, standardised, std = cache
        xp = namespace(delta)
        g["beta"][...] = xp.sum(delta, axis=0)
        g["gamma"][...] = xp.sum(delta * standardised, axis=0)
        # A row moves mean and variance of the batch by its share.
        pull = standardised * g["gamma"]
        pull += g["beta"]
        pull *= share[:, None]
        return (delta - pull) * (p["gamma"] / std)

    def fold(self, W: Array, c: Array, p: Views) -> tuple[Array, Array]:
        """Weights and biases of a dense layer that predicts like `W`, `c` and this."""
        scale = p["gamma"] / self._std(p["variance"])
        return W * scale, (c - p["mean"]) * scale + p["beta"]

    def calibrate(self, x: Array, p: Views, weight: Array = None) -> None:
        """Make the layer the identity in prediction, with the moments of rows `x`.

        Running averages become the mean and (unbiased) variance of each column, gamma
        and beta its standard deviation and mean.

        Parameters
        ----------
        x : array of shape (n_rows, n)
        p : dict of str to array
            Parameters and statistics, changed in place.
        weight : array of shape (n_rows,), optional
        """
        _, mean, _, variance, unbiased = _moments(x, weight)
        p["mean"][...] = p["beta"][...] = mean
        p["variance"][...] = variance if unbiased is None else unbiased
        p["gamma"][...] = self._std(p["variance"])


def _moments(x: Array, weight: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Shares of the rows; mean, `x` less it, variance and unbiased variance of columns.

    The expected variance of independent rows in a sample is 1 - sum(share^2) of their
    own: (n - 1) / n with equal weights. Not changed by the scale of the weights. There
    is no unbiased variance, but None, where one row outweighs all others.
    """
    share = mean_weights(x, weight)
    mean = share @ x
    centred = x - mean
    variance = share @ centred**2
    # Of equal weights the sum is known; a number of a device would have to be awaited.
    known = weight is None and not isinstance(share, np.ndarray)
    freedom = 1.0 - (1.0 / share.shape[0] if known else float(share @ share))
    unbiased = variance / freedom if freedom > 1e-3 else None
    return share, mean, centred, variance, unbiased


def limit_norms(W: Array, max_norm: float) -> None:
    """Shorten the columns of `W`, in place, that are longer than `max_norm`.

    A column holds the weights into one unit. Srivastava et al. (2014), section 5.1:
    called after every update. Their 3 to 4 belongs to nets that keep units with
    probability q and multiply the weights by q for prediction; with weights that
    predict as they are, as here, it is q times that.

    Parameters
    ----------
    W : array of shape (n_in, n_out)
    max_norm : float
        Largest Euclidean norm.

    Raises
    ------
    ValueError
        If `max_norm` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import limit_norms
    >>> W = np.array([[3.0, 0.3], [4.0, 0.4]])
    >>> limit_norms(W, 1.0)
    >>> W
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be positive; it is {max_norm!r}.")
    xp = namespace(W)
    norms = xp.sqrt(xp.sum(W * W, axis=0))
    # On a device the answer would have to be awaited, and to multiply by 1 is cheap.
    if not isinstance(W, np.ndarray) or xp.max(norms) > max_norm:
        W *= max_norm / xp.clip(norms, max_norm, None)
