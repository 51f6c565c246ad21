"""The path from a model without weights to an RBM, for AIS and parallel tempering.

At inverse temperature beta the total inputs are

    x_h = beta (c + v W),    x_v = (1 - beta) b_A + beta (b + W h),

and base energies are never scaled. At beta = 0 all units are independent, the visible
ones with biases b_A that match the data; at beta = 1 it is the RBM. See Salakhutdinov
and Murray (2008), "On the quantitative analysis of deep belief networks", section 4.1.

The product v W, most of the work, is the same at every beta: what depends on `v` takes
`x`, the hidden units' total input in the RBM, ``rbm.hidden_input(v)``.
"""

from typing import Any

import numpy as np

from ..backend.device import asarray_like, namespace, to_host
from ..backend.random import uniform
from ..backend.types import Array
from .rbm import RBM


def check_machine(rbm: Any) -> None:
    """Raise a TypeError unless `rbm` is a machine: an estimator only holds one."""
    if not hasattr(rbm, "free_energy"):  # which may be wrapped
        raise TypeError(
            f"An RBM is needed; got {rbm!r:.200}. Of a fitted estimator pass its "
            "machine, estimator.rbm_; of a stack one of estimator.dbn_.rbms."
        )


def check_normalised(rbm: RBM) -> None:
    """Raise a ValueError if a machine has units without a law, so no likelihood.

    What is no machine is a TypeError.
    """
    check_machine(rbm)
    for units in (rbm.visible, rbm.hidden):
        if not units.normalised:
            raise ValueError(
                f"{rbm!r} has no likelihood: {units!r} has no law. Use ReLU()."
            )


class TemperedPath:
    """Intermediate models between independent units and an RBM.

    Every `beta` is a float, or an array of shape (n_rows, 1) with one per row.

    Parameters
    ----------
    rbm : RBM
    base_bias : array of shape (n_visible,), optional
        b_A. Default: the visible biases of the RBM.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> path = TemperedPath(RBM(3, 2))
    >>> round(float(path.log_z_base()), 4)  # 5 free binary units: 5 log 2
    3.4657
    """

    def __init__(self, rbm: RBM, base_bias: Array | None = None) -> None:
        self.rbm = rbm
        self.base_bias = rbm.b if base_bias is None else base_bias

    def log_ratio(self, v: Array, x: Array, old: Any, new: Any) -> Array:
        """Unnormalised log p_new(v) - log p_old(v), in nats, shape (n_rows,)."""
        cgf, change = self.rbm.hidden.cgf, new - old
        linear = change * (v @ (self.rbm.b - self.base_bias))[:, None]
        return linear[:, 0] + (cgf(new * x) - cgf(old * x))

    def gibbs(self, v: Array, x: Array, beta: Any, rng: Any) -> Array:
        """Visible rows after one step v -> h -> v of block Gibbs sampling at `beta`.

        As in `RBM.gibbs`, labels and hidden units are one block.
        """
        rbm, labels, n = self.rbm, self.rbm.labels, self.rbm.n_features
        if labels is not None:
            d = (1.0 - beta) * self.base_bias[n:] + beta * labels.d
            x = labels.redrawn(v[:, n:], x, rng, None, beta, d)
        h = rbm.hidden.sample(beta * x, rng)
        x_visible = (1.0 - beta) * self.base_bias + beta * rbm.visible_input(h)
        return rbm.visible.sample(x_visible, rng, rbm.p_visible)

    def sample_base(self, n_rows: int, rng: Any) -> Array:
        """Exact draws of visible rows at beta = 0."""
        bias = self.base_bias
        zeros = namespace(bias).zeros((n_rows, 1), dtype=bias.dtype, device=bias.device)
        x = zeros + bias
        return self.rbm.visible.sample(x, rng, self.rbm.p_visible)

    def log_z_base(self) -> Array:
        """Log partition function at beta = 0, in nats."""
        rbm = self.rbm
        hidden = namespace(rbm.c).zeros_like(rbm.c[None, :])
        log_z_visible = rbm.visible.cgf(self.base_bias[None, :], rbm.p_visible)
        return (log_z_visible + rbm.hidden.cgf(hidden))[0]


# Chains at several temperatures have shape (n_betas, n_chains, n_visible).


def gibbs_chains(
    path: TemperedPath, v: Array, betas: Array, rng: Any, steps: int
) -> Array:
    """Chains after Gibbs steps, each at its temperature, in one product per step."""
    xp, beta = namespace(v), _column(betas, v)
    rows = xp.reshape(v, (-1, v.shape[2]))
    for _ in range(steps):
        rows = path.gibbs(rows, path.rbm.hidden_input(rows), beta, rng)
    return xp.reshape(rows, v.shape)


def exchange(
    path: TemperedPath, v: Array, betas: Array, parity: int, rng: Any
) -> tuple[Array, Array]:
    """Exchange states between the temperatures i and i + 1, i - parity even.

    With the Metropolis probability min(1, p_i(v_j) p_j(v_i) / (p_i(v_i) p_j(v_j))) of
    each two chains, which leaves the laws of both as they are.

    Returns
    -------
    v : array of shape (n_betas, n_chains, n_visible)
    accepted : ndarray of shape (number of pairs of temperatures,)
        Mean of that probability.
    """
    xp = namespace(v)
    low, high = slice(parity, len(betas) - 1, 2), slice(parity + 1, len(betas), 2)
    v_low, v_high = v[low, ...], v[high, ...]
    if v_low.shape[0] == 0:  # of two temperatures, every other time
        return v, np.zeros(0)
    beta_low, beta_high = _column(betas[low], v_low), _column(betas[high], v_low)

    def gain(chains: Array) -> Array:
        rows = xp.reshape(chains, (-1, v.shape[2]))
        return path.log_ratio(rows, path.rbm.hidden_input(rows), beta_low, beta_high)

    p = xp.exp(xp.clip(gain(v_low) - gain(v_high), None, 0.0))
    p = xp.reshape(p, v_low.shape[:2])
    swap = (uniform(rng, p.shape, p) < p)[:, :, None]
    v = xp.asarray(v, copy=True)
    v[low, ...] = xp.where(swap, v_high, v_low)
    v[high, ...] = xp.where(swap, v_low, v_high)
    return v, to_host(xp.mean(p, axis=1)).astype(np.float64)


def even_betas(betas: Array, rates: Array) -> Array:
    """Betas between which the rejections would be equal, by interpolation."""
    # Where nothing is rejected, all stay where they are.
    rejections = np.maximum(1.0 - rates, 1e-3)
    total = np.concatenate([[0.0], np.cumsum(rejections)])
    return np.interp(np.linspace(0.0, total[-1], len(betas)), total, betas)


def _column(betas: Array, v: Array) -> Array:
    """Inverse temperature of each of the rows of the chains `v`."""
    return asarray_like(np.repeat(betas, v.shape[1])[:, None], v)
