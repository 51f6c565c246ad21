"""Likelihoods of machines of any size: annealing to log Z, and the pseudo-likelihood.

The log-likelihood of visible rows is ``-rbm.free_energy(v) - log_z``. Log weights are
summed in float64 on the host, whatever the machine's dtype.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ..backend.array import dense, extent, log_softmax, map_batches
from ..backend.device import asarray_like, namespace, to_host
from ..backend.missing import unmasked
from ..backend.progress import bars_shown, tracked
from ..backend.random import make_rng, stream_on
from ..backend.types import Array
from .enumeration import MAX_STATES, is_enumerable, sample_exact
from .rbm import RBM
from .tempering import TemperedPath, check_machine, check_normalised


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
    log_weights: Array
    standard_error: float
    ess: float
    exact_start: bool


def _estimate(log_weights: Array, sign: int, exact_start: bool) -> LogZEstimate:
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


def _check_betas(n_betas: Any) -> list[float]:
    """List of inverse temperatures from 0 to 1."""
    betas = n_betas
    if isinstance(n_betas, int | np.integer):
        betas = np.linspace(0.0, 1.0, max(n_betas, 0))
    if np.ndim(betas) == 1 and len(betas) >= 2:
        betas = [float(beta) for beta in betas]
        if betas[0] == 0.0 and betas[-1] == 1.0 and np.all(np.diff(betas) > 0.0):
            return betas
    raise ValueError(
        "n_betas must be an integer of at least 2, or strictly increasing numbers from "
        f"0 to 1, both included, as in np.linspace(0, 1, 1000); it is {n_betas!r}."
    )


def _check_count(name: str, value: Any, low: int) -> None:
    """Raise a ValueError unless an argument is an integer of at least `low`."""
    if not isinstance(value, Integral) or value < low:
        raise ValueError(
            f"{name} must be an integer of at least {low}; it is {value!r}."
        )


def _prepare(
    rbm: RBM, n_betas: Any, n_chains: int, base_bias: Array
) -> tuple[list[float], TemperedPath]:
    """Check the arguments that both directions share."""
    check_normalised(rbm)
    betas = _check_betas(n_betas)
    _check_count("n_chains", n_chains, 2)
    if base_bias is not None:
        base_bias = asarray_like(np.asarray(to_host(base_bias)), rbm.b)
        if base_bias.shape != rbm.b.shape:
            raise ValueError(
                f"base_bias must have shape {rbm.b.shape}, one number for each visible "
                f"unit; its shape is {base_bias.shape}."
            )
    rbm.check_proper()
    return betas, TemperedPath(rbm, base_bias)


def _anneal(
    path: TemperedPath, v: Array, betas: list[float], rng: Any
) -> tuple[Array, Array]:
    """Move chains through `betas`, up or down; log weights and the final rows."""
    xp = namespace(v)
    log_w = xp.zeros(v.shape[0], dtype=xp.float64, device=v.device)
    pairs = pairwise(betas)
    for old, new in tracked(pairs, "annealing", "temperature", len(betas) - 1):
        x = path.rbm.hidden_input(v)  # one product for the weight and the step
        log_w += xp.asarray(path.log_ratio(v, x, old, new), dtype=xp.float64)
        v = path.gibbs(v, x, new, rng)
    return to_host(log_w), v


def ais(
    rbm: RBM,
    *,
    n_betas: int | Array = 1000,
    n_chains: int = 100,
    base_bias: Array | None = None,
    random_state: Any = None,
    verbose: int = 0,
) -> LogZEstimate:
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
    verbose : int, default=0
        1 shows a tqdm bar where it takes more than 2 seconds.

    Raises
    ------
    ValueError
        If an argument is not accepted, or the machine has no law.
    TypeError
        If `rbm` is no machine but, say, an estimator: pass its `rbm_`.

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
    rng = stream_on(make_rng(random_state), rbm.W)
    with bars_shown(verbose > 0):
        log_w, _ = _anneal(path, path.sample_base(n_chains, rng), betas, rng)
    return _estimate(float(path.log_z_base()) + log_w, 1, exact_start=True)


def reverse_ais(
    rbm: RBM,
    *,
    n_betas: int | Array = 1000,
    n_chains: int = 100,
    base_bias: Array | None = None,
    burn_in: int = 1000,
    max_states: int = MAX_STATES,
    random_state: Any = None,
    verbose: int = 0,
) -> LogZEstimate:
    """Estimate log Z, a `LogZEstimate`, by annealing from the machine downwards.

    The reciprocals of the weights have mean 1 / Z, so the mean of log w bounds log Z
    from above: together with `ais` it brackets log Z. See Burda, Grosse and
    Salakhutdinov (2015), "Accurate and conservative estimates of MRF log-likelihood
    using reverse annealing". Errors are those of `ais`.

    Parameters
    ----------
    rbm : RBM
    n_betas : int or sequence of float, default=1000
    n_chains : int, default=100
    base_bias : array of shape (n_visible,), optional
        All as in `ais`.
    burn_in : int, default=1000
        Gibbs steps that follow an annealing from independent units where exact draws
        are not possible. `exact_start` is then False.
    max_states : int, default=2**20
        Largest number of states to enumerate for exact draws; 0 never enumerates.
    random_state : int, RandomState instance or None
    verbose : int, default=0
        As in `ais`.

    Examples
    --------
    >>> from dbn import RBM
    >>> from dbn.boltzmann import reverse_ais
    >>> estimate = reverse_ais(RBM(3, 2), n_betas=10, n_chains=5, random_state=0)
    >>> round(estimate.log_z, 4), estimate.exact_start
    (3.4657, True)
    """
    betas, path = _prepare(rbm, n_betas, n_chains, base_bias)
    _check_count("burn_in", burn_in, 0)
    rng = stream_on(make_rng(random_state), rbm.W)
    with bars_shown(verbose > 0):
        if exact := is_enumerable(rbm, max_states):
            v = sample_exact(rbm, n_chains, rng)
        else:
            _, v = _anneal(path, path.sample_base(n_chains, rng), betas, rng)
            v = rbm.gibbs(v, rng, steps=burn_in)
        log_w, _ = _anneal(path, v, betas[::-1], rng)
    return _estimate(float(path.log_z_base()) - log_w, -1, exact_start=exact)


def pseudo_log_likelihood(rbm: RBM, v: Array) -> Array:
    """Log probability of each visible unit given all others, summed over the units.

    Exact, in nats, without log Z: each unit, or Softmax group, is set to each of its
    states. It is no bound on the log-likelihood. Probabilities in `v` weigh the states
    of their own unit. See Besag (1975), "Statistical analysis of non-lattice data".

    Parameters
    ----------
    rbm : RBM
        With visible units whose states can be listed (else a ValueError).
    v : array-like or scipy sparse CSR of shape (n_rows, n_visible)
        A ValueError says which values the units cannot take.

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
    check_machine(rbm)
    if rbm.visible.count_states(rbm.n_visible) == math.inf:
        raise ValueError(
            "pseudo_log_likelihood needs visible units whose states can be listed "
            f"(Bernoulli, Softmax); they are {rbm.visible!r}. Use -rbm.free_energy(v) "
            "minus log Z (exact_log_z, ais)."
        )
    check_normalised(rbm)
    if not hasattr(v, "dtype"):  # a list or a frame
        v = asarray_like(np.asarray(v), rbm.W)
    if v.shape[1:] != (rbm.n_visible,):
        raise ValueError(
            f"v must have shape (n_rows, {rbm.n_visible}), a column for each visible "
            f"unit; its shape is {v.shape}."
        )
    v = unmasked(v)
    rbm.visible.check(v)
    if math.isnan(extent(v)[0]):
        raise ValueError(
            "pseudo_log_likelihood needs rows whose values are all known; v has NaN. "
            "Leave those rows out, or fill them."
        )
    return map_batches(lambda rows: _pseudo_log_likelihood(rbm, dense(rows)), v)


def _pseudo_log_likelihood(rbm: RBM, v: Array) -> Array:
    xp, x, total = namespace(v), rbm.hidden_input(v), 0.0
    for unit, units, p in rbm.visible.groups(rbm.n_visible, rbm.p_visible):
        states = asarray_like(units.states, rbm.W)
        u, rows = v[:, unit], rbm.W[unit, :]
        others = x - u @ rows  # input without this unit, to which each state adds
        shifts = states @ rows
        bias = states @ rbm.b[unit] - units.base_energy(states, p)
        log_p = [rbm.hidden.cgf(others + shifts[k, :]) for k in range(bias.shape[0])]
        log_p = log_softmax(xp.stack(log_p, axis=1) + bias)
        total = total + xp.sum(units.state_weights(u) * log_p, axis=1)
    return total
