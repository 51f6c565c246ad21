"""Machines small enough for exact results: log Z and independent draws.

The layer with fewer states is enumerated, in blocks and in float64, and the other is
summed out in closed form.
"""

import copy
import math
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import numpy as np
from scipy.special import logsumexp

from ..backend.device import asarray_like, namespace, to_host
from ..backend.parameters import Parameters
from ..backend.random import normal
from ..backend.types import Array
from .rbm import RBM
from .tempering import check_normalised
from .units import Units

MAX_STATES = 2**20
BLOCK_SIZE = 2**12


def in_double(rbm: RBM) -> RBM:
    """The same machine in float64."""
    xp, double = namespace(rbm.params.flat), copy.copy(rbm)
    flat = xp.asarray(rbm.params.flat, dtype=xp.float64)
    double.params = Parameters(rbm.params.shapes, flat)
    return double


def _is_normal(rbm: RBM) -> bool:
    return bool(rbm.visible.linear and rbm.hidden.linear)


def _smaller_layer(rbm: RBM) -> tuple[str, Any]:
    """Name and number of states of the layer with fewer states."""
    hidden = "hidden", rbm.hidden.count_states(rbm.n_hidden)
    visible = "visible", rbm.visible.count_states(rbm.n_visible)
    return min(hidden, visible, key=lambda layer: layer[1])


def is_enumerable(rbm: RBM, max_states: int = MAX_STATES) -> bool:
    """Whether `exact_log_z` takes a machine, as far as its size and units go."""
    return _is_normal(rbm) or _smaller_layer(rbm)[1] <= max_states


def _refuse(rbm: RBM, max_states: int) -> NoReturn:
    layer, n = _smaller_layer(rbm)
    if n == math.inf:
        raise ValueError(
            "exact_log_z needs units whose states can be listed (Bernoulli, Softmax) "
            f"on one side, or Gaussian units on both; the machine is {rbm!r}. Use ais."
        )
    raise ValueError(
        f"exact_log_z needs a layer of at most max_states={max_states} states; the "
        f"smaller layer, {layer}, has 2^{math.log2(n):.1f}. Use ais, or raise it."
    )


def list_states(units: Iterable[Units], index: Array) -> Array:
    """Rows of the states of single units, or groups, at the integers `index`.

    Of NumPy. All states are those at 0, 1, ... up to the product of their numbers.
    """
    parts, place = [], 1
    for unit in units:
        n_states = len(unit.states)
        parts.append(unit.states[index // place % n_states])
        place *= n_states
    return np.concatenate(parts, axis=1)


def _states(rbm: RBM, layer: str, index: Array) -> Array:
    """Rows of a layer's states at the integers `index`, in the machine's library."""
    units, n = getattr(rbm, layer), getattr(rbm, f"n_{layer}")
    singles = (unit for _, unit, _ in units.groups(n))
    return asarray_like(list_states(singles, index), rbm.W)


def _log_p_blocks(rbm: RBM, block_size: int) -> Iterator[Array]:
    """Yield unnormalised log p of the smaller layer's states, in float64."""
    layer, n_states = _smaller_layer(rbm)
    rbm = in_double(rbm)
    for start in range(0, n_states, block_size):
        u = _states(rbm, layer, np.arange(start, min(start + block_size, n_states)))
        if layer == "visible":
            log_p = -rbm.free_energy(u)
        else:
            cgf = rbm.visible.cgf(rbm.visible_input(u), rbm.p_visible)
            log_p = u @ rbm.c + cgf - rbm.hidden.base_energy(u)
        yield to_host(log_p)


def hidden_normal(
    W: Array, b: Array, variance: Array, x: Array
) -> tuple[Array, Array, Array]:
    """Law of Gaussian hidden units when Gaussian visible units are summed out.

    Parameters
    ----------
    W : array of shape (n_visible, n_hidden)
    b, variance : array of shape (n_visible,)
        Biases and variances of the visible units.
    x : array of shape (n_rows, n_hidden)
        Hidden biases, one row for each law.

    Returns
    -------
    L, y : array
        Cholesky factor of the precision A = I - W' S W, and columns L^-1 A mean.
    log_z : array of shape (n_rows,)
        Log of the integral over the hidden units.
    """
    xp, scaled = namespace(W), variance[:, None] * W
    identity = xp.eye(W.shape[1], dtype=W.dtype, device=W.device)
    L = xp.linalg.cholesky(identity - W.T @ scaled)
    y = xp.linalg.solve(L, (x + b @ scaled).T)
    log_z = 0.5 * W.shape[1] * math.log(2.0 * math.pi) + 0.5 * xp.sum(y**2, axis=0)
    return L, y, log_z - xp.sum(xp.log(xp.linalg.diagonal(L)))


def _hidden_normal(rbm: RBM) -> tuple[Array, Array, Array]:
    """`hidden_normal` of a machine, which must be proper."""
    rbm.check_proper()
    variance = rbm.visible.variance(rbm.b[None, :], rbm.p_visible)[0, :]
    return hidden_normal(rbm.W, rbm.b, variance, rbm.c[None, :])


def exact_log_z(
    rbm: RBM, *, max_states: int = MAX_STATES, block_size: int = BLOCK_SIZE
) -> float:
    """Exact log partition function, in nats.

    The layer with fewer states is enumerated, the other summed out in closed form; with
    Gaussian units on both sides it is the normaliser of a multivariate normal law.
    Computed in float64. See Salakhutdinov and Murray (2008),
    "On the quantitative analysis of deep belief networks".

    Parameters
    ----------
    rbm : RBM
    max_states : int, default=2**20
        Largest number of states to enumerate: 20 binary units.
    block_size : int, default=2**12
        States computed at a time, which bounds the memory.

    Raises
    ------
    ValueError
        If there is neither a layer of at most `max_states` states nor a closed form, or
        the machine has no law: ``ReLU(noisy=True)``, improper Gaussian machines.
    TypeError
        If `rbm` is no machine but, say, an estimator: pass its `rbm_`.

    Examples
    --------
    >>> from dbn import RBM
    >>> from dbn.boltzmann import exact_log_z
    >>> round(exact_log_z(RBM(3, 2)), 4)  # 5 free binary units: 5 log 2
    3.4657
    """
    check_normalised(rbm)
    if not is_enumerable(rbm, max_states):
        _refuse(rbm, max_states)
    if not _is_normal(rbm):
        blocks = [logsumexp(log_p) for log_p in _log_p_blocks(rbm, block_size)]
        return float(logsumexp(blocks))
    rbm = in_double(rbm)
    _, _, log_z = _hidden_normal(rbm)
    return float(rbm.visible.cgf(rbm.b[None, :], rbm.p_visible)[0] + log_z[0])


def sample_exact(rbm: RBM, n_samples: int, rng: Any) -> Array:
    """Independent visible rows of a machine with exact results (of any size)."""
    xp = namespace(rbm.W)
    if _is_normal(rbm):
        L, y, _ = _hidden_normal(in_double(rbm))
        # Mean A^-1 k, covariance A^-1.
        h = xp.linalg.solve(L.T, y + normal(rng, (L.shape[0], n_samples), L)).T
        return rbm.sample_visible(xp.asarray(h, dtype=rbm.W.dtype), rng)
    log_p = np.concatenate(list(_log_p_blocks(rbm, BLOCK_SIZE)))
    below = np.cumsum(np.exp(log_p - np.max(log_p)))
    # Without the last entry, to which the largest draw may be rounded up.
    index = np.searchsorted(below[:-1], below[-1] * rng.random(n_samples), side="right")
    layer = _smaller_layer(rbm)[0]
    u = _states(rbm, layer, index)
    return u if layer == "visible" else rbm.sample_visible(u, rng)
