"""Rectified units."""

import math
from typing import Any

from ...backend.array import log_ndtr, ndtr_slope, ndtri_exp, sigmoid, softplus
from ...backend.device import namespace
from ...backend.random import normal, uniform
from ...backend.types import Array
from .base import Extra, Units


class ReLU(Units):
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

    def __init__(self, noisy: bool = False) -> None:
        self.noisy = noisy

    @property
    def normalised(self) -> bool:
        return not self.noisy

    def mean(self, x: Array, p: Extra = None) -> Array:
        if self.noisy:
            return softplus(x)
        xp = namespace(x)
        near = xp.clip(x + ndtr_slope(x), 0.0, None)
        far, t = _far_below_zero(x)
        series = 1.0 - t * (2.0 - t * (10.0 - 74.0 * t))
        return xp.where(far, xp.sqrt(t) * series, near)

    def variance(self, x: Array, p: Extra = None) -> Array:
        if self.noisy:
            return sigmoid(x)
        xp, ratio = namespace(x), ndtr_slope(x)
        near = xp.clip(1.0 - ratio * (x + ratio), 0.0, 1.0)
        far, t = _far_below_zero(x)
        series = 1.0 - t * (6.0 - t * (50.0 - 518.0 * t))
        return xp.where(far, t * series, near)

    def sample(self, x: Array, rng: Any, p: Extra = None) -> Array:
        xp = namespace(x)
        if self.noisy:
            noise = xp.sqrt(sigmoid(x)) * normal(rng, x.shape, x)
            return xp.clip(x + noise, 0.0, None)
        # P(u > t) = Phi(x - t) / Phi(x), inverted at 1 - uniform, which is never 0.
        log_share = xp.log1p(-uniform(rng, x.shape, x))
        near = xp.clip(x - ndtri_exp(log_share + log_ndtr(x)), 0.0, None)
        # Where x^2 is above 1 / sqrt(eps), rounding does more than u^2 / 2 in the law.
        far = x < -(float(xp.finfo(x.dtype).eps) ** -0.25)
        return xp.where(far, log_share / xp.where(far, x, -1.0), near)

    def cgf(self, x: Array, p: Extra = None) -> Array:
        self._refuse_noisy()
        xp = namespace(x)
        above = 0.5 * x**2 + log_ndtr(x) + 0.5 * math.log(2.0 * math.pi)
        # The same without a difference of large numbers, which above zero underflows.
        below = -xp.log(ndtr_slope(xp.clip(x, None, 0.0)))
        return xp.sum(xp.where(x < 0.0, below, above), axis=1)

    def base_energy(self, u: Array, p: Extra = None) -> Array:
        self._refuse_noisy()
        return namespace(u).sum(0.5 * u**2, axis=1)

    def _refuse_noisy(self) -> None:
        if self.noisy:
            raise ValueError(
                "ReLU(noisy=True) has no normalised law, so energies and likelihoods "
                "do not exist. Use ReLU()."
            )

    def input_for_mean(self, mean: Array, p: Extra = None) -> Array:
        # The inverse of softplus, within 0.35 of the exact mean everywhere.
        xp = namespace(mean)
        mean = xp.clip(mean, 0.001, None)
        return mean + xp.log(-xp.expm1(-mean))

    def complaint(self, X: Array, low: float, high: float) -> str:
        return (
            "ReLU visible units need values of at least 0; X has minimum "
            f"{low:.7g}. Shift X, or use visible='gaussian'."
        )


def _far_below_zero(x: Array) -> tuple[Array, Array]:
    """Where differences are lost to rounding, and 1 / x^2 there.

    Mean and variance there are series in 1 / x^2, derivatives of that of log Phi.
    """
    xp = namespace(x)
    far = x < -1.7 * float(xp.finfo(x.dtype).eps) ** -0.1
    return far, xp.where(far, x, 1.0) ** -2.0
