"""Log partition functions: exact where that is possible, otherwise by annealing.

The log-likelihood of visible rows is ``-rbm.free_energy(v) - log_z``. Log weights are
summed in float64 on the host, whatever the machine's dtype.
"""

import copy
import math
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral

import numpy as np
from scipy.special import logsumexp

from ..backend.array import log_softmax, map_batches, namespace
from ..backend.parameters import Parameters
from ..backend.random import make_rng, normal
from .tempering import TemperedPath
from .units import Bernoulli, Gaussian, Softmax

MAX_STATES = 2**20
BLOCK_SIZE = 2**12


def _check_normalised(rbm):
    for units in (rbm.visible, rbm.hidden):
        if not units.normalised:
            raise ValueError(
                f"{rbm!r} has no likelihood: {units!r} has no law. Use ReLU()."
            )


def _in_double(rbm):
    """The same machine in float64."""
    xp, double = namespace(rbm.params.flat), copy.copy(rbm)
    flat = xp.asarray(rbm.params.flat, dtype=xp.float64)
    double.params = Parameters(rbm.params.shapes, flat)
    return double


def _is_gaussian(rbm):
    return isinstance(rbm.visible, Gaussian) and isinstance(rbm.hidden, Gaussian)


def _n_states(units, n):
    """Number of states of `n` units; infinite where they are not discrete."""
    if isinstance(units, Softmax):
        return units.n_states ** (n // units.n_states)
    return 2**n if isinstance(units, Bernoulli) else math.inf


def _smaller_layer(rbm):
    """Name and number of states of the layer with fewer states."""
    n_visible, n_hidden = rbm.params.shapes["W"]
    layers = ("hidden", rbm.hidden, n_hidden), ("visible", rbm.visible, n_visible)
    counts = [(name, _n_states(units, n)) for name, units, n in layers]
    return min(counts, key=lambda count: count[1])


def is_enumerable(rbm, max_states=MAX_STATES):
    """Whether `exact_log_z` takes a machine, as far as its size and units go."""
    return _is_gaussian(rbm) or _smaller_layer(rbm)[1] <= max_states


def _refuse(rbm, max_states):
    layer, n = _smaller_layer(rbm)
    if n == math.inf:
        raise ValueError(
            "exact_log_z needs Bernoulli or Softmax units on one side, or Gaussian "
            f"units on both; the machine is {rbm!r}. Use ais."
        )
    raise ValueError(
        f"exact_log_z needs a layer of at most max_states={max_states} states; the "
        f"smaller layer, {layer}, has 2^{math.log2(n):.1f}. Use ais, or raise it."
    )


def _states(rbm, layer, index):
    """Rows of a layer's states at the integers `index`, in the machine's library."""
    n = rbm.params.shapes["W"][layer == "hidden"]
    size = getattr(getattr(rbm, layer), "n_states", 1)
    if size == 1:  # Bernoulli
        rows = index[:, None] >> np.arange(n) & 1
    else:
        digits = index[:, None] // size ** np.arange(n // size) % size
        rows = (digits[:, :, None] == np.arange(size)).reshape(-1, n)
    return namespace(rbm.W).asarray(rows.astype(float), dtype=rbm.W.dtype)


def _log_p_blocks(rbm, block_size):
    """Yield unnormalised log p of the smaller layer's states, in float64."""
    layer, n_states = _smaller_layer(rbm)
    rbm = _in_double(rbm)
    for start in range(0, n_states, block_size):
        u = _states(rbm, layer, np.arange(start, min(start + block_size, n_states)))
        if layer == "visible":
            log_p = -rbm.free_energy(u)
        else:
            cgf = rbm.visible.cgf(rbm.visible_input(u), rbm.p_visible)
            log_p = u @ rbm.c + cgf - rbm.hidden.base_energy(u)
        yield np.asarray(log_p)


def _hidden_normal(rbm):
    """Cholesky factor L of the hidden precision A = I - W' S W, and L^-1 A mean."""
    rbm.check_proper()
    xp, W = namespace(rbm.W), rbm.W
    scaled = rbm.visible.variance(rbm.b[None, :], rbm.p_visible)[0, :, None] * W
    L = xp.linalg.cholesky(xp.eye(W.shape[1], dtype=W.dtype) - W.T @ scaled)
    return L, xp.linalg.solve(L, (rbm.c + rbm.b @ scaled)[:, None])


def exact_log_z(rbm, *, max_states=MAX_STATES, block_size=BLOCK_SIZE):
    """Exact log partition function, in nats.

    The Bernoulli or Softmax layer with fewer states is enumerated, the other summed out
    in closed form; with Gaussian units on both sides it is the normaliser of a
    multivariate normal law. Computed in float64. See Salakhutdinov and Murray (2008),
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

    Examples
    --------
    >>> from dbn import RBM
    >>> from dbn.boltzmann import exact_log_z
    >>> round(exact_log_z(RBM(3, 2)), 4)  # 5 free binary units: 5 log 2
    3.4657
    """
    _check_normalised(rbm)
    if not is_enumerable(rbm, max_states):
        _refuse(rbm, max_states)
    if not _is_gaussian(rbm):
        blocks = [logsumexp(log_p) for log_p in _log_p_blocks(rbm, block_size)]
        return float(logsumexp(blocks))
    rbm = _in_double(rbm)
    (L, y), xp = _hidden_normal(rbm), namespace(rbm.W)
    log_z = rbm.visible.cgf(rbm.b[None, :], rbm.p_visible)[0]
    log_z += 0.5 * L.shape[0] * math.log(2.0 * math.pi) + 0.5 * xp.sum(y**2)
    return float(log_z - xp.sum(xp.log(xp.linalg.diagonal(L))))


def sample_exact(rbm, n_samples, rng):
    """Independent visible rows of a machine with exact results (of any size)."""
    xp = namespace(rbm.W)
    if _is_gaussian(rbm):
        L, y = _hidden_normal(_in_double(rbm))
        # Mean A^-1 k, covariance A^-1.
        h = xp.linalg.solve(L.T, y + normal(rng, (L.shape[0], n_samples), L)).T
        return rbm.sample_visible(xp.asarray(h, dtype=rbm.W.dtype), rng)
    log_p = np.concatenate(list(_log_p_blocks(rbm, BLOCK_SIZE)))
    below = np.cumsum(np.exp(log_p - np.max(log_p)))
    # Without the last entry, to which the largest draw may be rounded up.
    index = np.searchsorted(below[:-1], below[-1] * rng.random(n_samples), side="right")
    layer, _ = _smaller_layer(rbm)
    u = _states(rbm, layer, index)
    return u if layer == "visible" else rbm.sample_visible(u, rng)


@dataclass(frozen=True, eq=False)
class LogZEstimate:
    """Estimate of a log partition function by annealed importance sampling.

    Attributes
    ----------
    log_z : float
        In nats: log mean w from `ais`, -log mean(1 / w) from `reverse_ais`.
    log_weights : ndarray of shape (n_chains,)
        log w of each chain, in nats. Up to Monte-Carlo error their mean bounds log Z
        from below if they come from `ais`, from above if from `reverse_ais`.
    standard_error : float
        Of `log_z`, in nats, by the delta method; too small where `ess` is small.
    ess : float
        Effective number of chains, (sum w)^2 / sum w^2; 1 / w from `reverse_ais`.
    exact_start : bool
        If not, the bound of `reverse_ais` holds only if its starting chains have mixed.

    Examples
    --------
    >>> from dbn import RBM
    >>> from dbn.boltzmann import ais
    >>> estimate = ais(RBM(3, 2), n_betas=10, n_chains=5, random_state=0)
    >>> round(estimate.log_z, 4), round(estimate.ess, 4)  # nothing to anneal: exact
    (3.4657, 5.0)
    """

    log_z: float
    log_weights: np.ndarray
    standard_error: float
    ess: float
    exact_start: bool


def _estimate(log_weights, sign, exact_start):
    """Summary of the log weights; `sign` is 1 for the mean of w, -1 for that of 1/w."""
    n = len(log_weights)
    log_sum = logsumexp(sign * log_weights)
    share = np.exp(sign * log_weights - log_sum)
    variance = np.sum((n * share - 1.0) ** 2) / (n - 1)  # of w over its mean
    return LogZEstimate(
        log_z=float(sign * (log_sum - math.log(n))),
        log_weights=log_weights,
        standard_error=math.sqrt(variance / n),
        ess=float(1.0 / np.sum(share**2)),
        exact_start=exact_start,
    )


def _check_betas(n_betas):
    """List of inverse temperatures from 0 to 1."""
    if isinstance(n_betas, Integral) and n_betas >= 2:
        return np.linspace(0.0, 1.0, n_betas).tolist()
    if np.ndim(n_betas) == 1 and len(n_betas) >= 2:
        betas = np.asarray(n_betas, dtype=float)
        if betas[0] == 0.0 and betas[-1] == 1.0 and np.all(np.diff(betas) > 0.0):
            return betas.tolist()
    raise ValueError(
        "n_betas must be an integer of at least 2, or strictly increasing numbers from "
        f"0 to 1, both included, as in np.linspace(0, 1, 1000); it is {n_betas!r}."
    )


def _prepare(rbm, n_betas, n_chains, base_bias):
    """Check the arguments that both directions share."""
    _check_normalised(rbm)
    betas = _check_betas(n_betas)
    if not isinstance(n_chains, Integral) or n_chains < 2:
        raise ValueError(
            f"n_chains must be an integer of at least 2; it is {n_chains!r}."
        )
    if base_bias is not None:
        xp = namespace(rbm.b)
        bias = xp.asarray(base_bias, dtype=rbm.b.dtype)
        base_bias = xp.broadcast_to(bias, rbm.b.shape)
    rbm.check_proper()
    return betas, TemperedPath(rbm, base_bias)


def _anneal(path, v, betas, rng):
    """Move chains through `betas`, up or down; log weights and the final rows."""
    log_w = np.zeros(v.shape[0])
    for old, new in pairwise(betas):
        change = path.log_p(v, new) - path.log_p(v, old)
        log_w += np.asarray(change, dtype=np.float64)
        v = path.gibbs(v, new, rng)
    return log_w, v


def ais(rbm, *, n_betas=1000, n_chains=100, base_bias=None, random_state=None):
    """Estimate log Z by annealed importance sampling: a `LogZEstimate`.

    Chains move from independent units to the machine along `TemperedPath`; see Neal
    (2001), "Annealed importance sampling", and Salakhutdinov and Murray (2008), "On the
    quantitative analysis of deep belief networks", equations 10 to 17. The weights w
    have mean Z, so the mean of log w bounds log Z from below.

    Parameters
    ----------
    rbm : RBM
    n_betas : int or sequence of float, default=1000
        Number of inverse temperatures, evenly spaced from 0 to 1, or the strictly
        increasing temperatures themselves; both ends belong to them.
    n_chains : int, default=100
        Number of independent chains.
    base_bias : array of shape (n_visible,), optional
        Visible biases at beta = 0. The error is smaller if they match the data:
        ``rbm.visible.input_for_mean(X.mean(axis=0), rbm.p_visible)``. Default: the
        visible biases of the machine.
    random_state : int, RandomState instance or None

    Raises
    ------
    ValueError
        If an argument is not accepted, or the machine has no law.

    Examples
    --------
    >>> from dbn import RBM
    >>> from dbn.backend.random import make_rng
    >>> from dbn.boltzmann import ais, exact_log_z
    >>> rbm = RBM(5, 4).initialize(make_rng(0), scale=1.0)
    >>> abs(ais(rbm, random_state=0).log_z - exact_log_z(rbm)) < 0.02
    True
    """
    betas, path = _prepare(rbm, n_betas, n_chains, base_bias)
    rng = make_rng(random_state)
    log_w, _ = _anneal(path, path.sample_base(n_chains, rng), betas, rng)
    return _estimate(float(path.log_z_base()) + log_w, 1, exact_start=True)


def reverse_ais(
    rbm,
    *,
    n_betas=1000,
    n_chains=100,
    base_bias=None,
    burn_in=1000,
    max_states=MAX_STATES,
    random_state=None,
):
    """Estimate log Z, a `LogZEstimate`, by annealing from the machine downwards.

    The reciprocals of the weights have mean 1 / Z, so the mean of log w bounds log Z
    from above: together with `ais` it brackets log Z. See Burda, Grosse and
    Salakhutdinov (2015), "Accurate and conservative estimates of MRF log-likelihood
    using reverse annealing". Parameters that are not listed, and errors, as in `ais`.

    Parameters
    ----------
    burn_in : int, default=1000
        Gibbs steps that follow an annealing from independent units where exact draws
        are not possible. `exact_start` is then False.
    max_states : int, default=2**20
        Largest number of states to enumerate for exact draws; 0 never enumerates.

    Examples
    --------
    >>> from dbn import RBM
    >>> from dbn.boltzmann import reverse_ais
    >>> estimate = reverse_ais(RBM(3, 2), n_betas=10, n_chains=5, random_state=0)
    >>> round(estimate.log_z, 4), estimate.exact_start
    (3.4657, True)
    """
    betas, path = _prepare(rbm, n_betas, n_chains, base_bias)
    rng = make_rng(random_state)
    if exact := is_enumerable(rbm, max_states):
        v = sample_exact(rbm, n_chains, rng)
    else:
        _, v = _anneal(path, path.sample_base(n_chains, rng), betas, rng)
        v = rbm.gibbs(v, rng, steps=burn_in)
    log_w, _ = _anneal(path, v, betas[::-1], rng)
    return _estimate(float(path.log_z_base()) - log_w, -1, exact_start=exact)


def pseudo_log_likelihood(rbm, v):
    """Log probability of each visible unit given all others, summed over the units.

    Exact, in nats, without log Z: each unit, or Softmax group, is set to each of its
    states. It is no bound on the log-likelihood. Probabilities in `v` weigh the states
    of their own unit. See Besag (1975), "Statistical analysis of non-lattice data".

    Parameters
    ----------
    rbm : RBM
        With Bernoulli or Softmax visible units (else a ValueError).
    v : array of shape (n_rows, n_visible)

    Returns
    -------
    array of shape (n_rows,)

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> from dbn.boltzmann import pseudo_log_likelihood
    >>> pseudo_log_likelihood(RBM(3, 2), np.eye(3)).round(4)  # 3 free bits: -3 log 2
    array([-2.0794, -2.0794, -2.0794])
    """
    if not isinstance(rbm.visible, (Bernoulli, Softmax)):
        raise ValueError(
            "pseudo_log_likelihood needs Bernoulli or Softmax visible units; they are "
            f"{rbm.visible!r}. Use -rbm.free_energy(v) minus log Z (exact_log_z, ais)."
        )
    _check_normalised(rbm)
    rbm.visible.check(v)
    return map_batches(lambda rows: _pseudo_log_likelihood(rbm, rows), v)


def _pseudo_log_likelihood(rbm, v):
    xp, W = namespace(rbm.W), rbm.W
    size = getattr(rbm.visible, "n_states", 1)
    states = xp.eye(size, dtype=W.dtype)
    if size == 1:  # Bernoulli
        states = xp.concat([0.0 * states, states])
    x, total = rbm.hidden_input(v), 0.0
    for i in range(0, W.shape[0], size):
        u, rows = v[:, i : i + size], W[i : i + size, :]
        others = x - u @ rows  # input without this unit, to which each state adds
        shifts, bias = states @ rows, states @ rbm.b[i : i + size]
        log_p = [rbm.hidden.cgf(others + shifts[k, :]) for k in range(bias.shape[0])]
        log_p = log_softmax(xp.stack(log_p, axis=1) + bias)
        weight = xp.concat([1.0 - u, u], axis=1) if size == 1 else u
        total = total + xp.sum(weight * log_p, axis=1)
    return total
