"""Rows of which some values are not known (NaN): their likelihood, and mean-field.

The likelihood of what is known, o, is the sum over all rows that agree with it:

    log p(v_o) = b_o . v_o - base_energy(v_o) + log Z(v_o) - log Z,

where Z(v_o) is the partition function of the machine over the other visible units m,
with hidden biases c + v_o W_o. A machine without the units m has another law: they are
there, in a state that is not known.
"""

import math
import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.special import logsumexp

from ..backend.array import dense, take_rows
from ..backend.device import asarray_like, beside, namespace, to_host
from ..backend.labelled_rows import join
from ..backend.missing import filled
from ..backend.progress import tracked
from ..backend.random import make_rng
from ..backend.rows import row_slices
from ..backend.types import Array
from .enumeration import BLOCK_SIZE, hidden_normal, in_double, list_states
from .rbm import RBM
from .tempering import check_normalised
from .units.base import Block

# Units whose states are listed have at most so many together: the unknown ones of a
# row, or all hidden ones, of which what is computed serves all rows.
MAX_UNKNOWN, MAX_HIDDEN = 2**12, 2**16
# Of the annealing of a row: temperatures, at first and where they are too few; chains;
# and the effective number of chains below which its value is not to be trusted.
N_BETAS, N_CHAINS, LEAST_ESS = (300, 1200), 10, 5.0
_ENTRIES = 2**22  # numbers in a temporary array, about


def mean_field(rbm: RBM, v: Array, steps: int = 20) -> Array:
    """Rows with their unknown values at the mean-field values given the known ones.

    Means of the hidden and of the unknown visible units take turns, from the visible
    units' means without weights: each turn brings the law of independent units closer
    to the conditional law.

    Parameters
    ----------
    rbm : RBM
    v : array of shape (n_rows, n_visible)
        NaN where a value is not known.
    steps : int, default=20

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> mean_field(RBM(3, 2), np.array([[1.0, np.nan, 0.0]]))
    array([[1. , 0.5, 0. ]])
    """
    xp, known = namespace(v), v == v
    v = filled(v, rbm.visible.mean(rbm.b[None, :], rbm.p_visible))
    for _ in range(steps):
        v = xp.where(known, v, rbm.mean_visible(rbm.mean_hidden(v)))
    return v


def known_blocks(rbm: RBM, v: Array) -> list[tuple[Array, Any, dict[str, Array]]]:
    """Blocks of visible units of one type each, those that a row `v` has values of.

    Returns
    -------
    list of (ndarray of int, Units, dict)
        Columns, type and extra parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> known_blocks(RBM(3, 2), np.array([1.0, np.nan, 0.0]))
    [(array([0, 2]), Bernoulli(), {})]
    """
    known, blocks = to_host(v == v), []
    for columns, units, p in rbm.visible.split(rbm.n_visible, rbm.p_visible):
        own = np.flatnonzero(known[columns])
        if len(own):
            its = {name: take_rows(x, own) for name, x in (p or {}).items()}
            blocks.append((columns.start + own, units, its))
    return blocks


def log_p_of_known(rbm: RBM, v: Array, seed: int) -> Array:
    """Log-likelihood of the known values of each row, plus log Z, in nats.

    Of a whole row it is minus the free energy. Otherwise log Z(v_o), see above, is
    exact where the row's unknown units have at most 2^12 states together, or all hidden
    units at most 2^16, or where the unknown and the hidden units are Gaussian.
    Elsewhere it comes from annealed importance sampling (see `dbn.boltzmann.ais`) for
    each row: 10 chains and 300 temperatures, and 1200 where their weights are too
    uneven. Half of the chains come from independent units with the inputs of
    mean-field, which is near where few values are unknown, and half from units with
    their biases alone, which reaches what mean-field does not. The same noise for every
    row, drawn from `seed`: no row's value depends on the others.

    Parameters
    ----------
    rbm : RBM
    v : array or scipy sparse CSR of shape (n_rows, n_visible)
        NaN where a value is not known; of a unit of several columns, in all of them.
    seed : int

    Returns
    -------
    array of shape (n_rows,)

    Raises
    ------
    ValueError
        If the machine has no law: ``ReLU(noisy=True)``.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> v = np.array([[1.0, 0.0, 1.0], [1.0, np.nan, np.nan]])
    >>> log_p_of_known(RBM(3, 2), v, seed=0) / np.log(2.0)  # 2 and 4 free binary units
    array([2., 4.])
    """
    if issparse(v):  # has no NaN
        return -rbm.free_energy(v)
    whole = to_host(namespace(v).all(v == v, axis=1))
    if whole.all():
        return -rbm.free_energy(v)
    check_normalised(rbm)
    log_p = np.empty(v.shape[0])
    if whole.any():
        log_p[whole] = to_host(-rbm.free_energy(take_rows(v, np.flatnonzero(whole))))
    rows = take_rows(v, np.flatnonzero(~whole))
    log_p[~whole] = _Marginals(in_double(rbm), rows, seed).log_p()
    return asarray_like(log_p, v)


def log_p_of_known_features(rbm: RBM, v: Array, seed: int) -> Array:
    """`log_p_of_known` of rows without the columns of labels, which are summed out.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> from dbn.boltzmann import Bernoulli
    >>> from dbn.boltzmann.units.labels import with_labels
    >>> rbm = RBM(4, 2, visible=with_labels(Bernoulli(), 2, 2))
    >>> log_p_of_known_features(rbm, np.zeros((1, 2)), seed=0) / np.log(2.0)
    array([3.])
    """
    if rbm.labels is None:
        return log_p_of_known(rbm, v, seed)
    v = dense(v)
    d = rbm.labels.d
    unknown = namespace(d).broadcast_to(math.nan * d, (v.shape[0], d.shape[0]))
    return log_p_of_known(rbm, join(v, asarray_like(unknown, v)), seed)


class _Marginals:
    """Rows with unknown values, and how log Z of the unknown part is found.

    A method that does so takes the numbers of rows that it suits.
    """

    def __init__(self, rbm: RBM, v: Array, seed: int) -> None:
        self.rbm, self.xp, self.seed = rbm, namespace(v), seed
        self.units = list(rbm.visible.groups(rbm.n_visible, rbm.p_visible))
        self.known = v == v
        self.v = asarray_like(self.xp.where(self.known, v, 0.0), rbm.W)
        self.x = rbm.hidden_input(self.v)  # hidden biases, given what is known
        # Of the host, with a column for each unit.
        first = [columns.start for columns, _, _ in self.units]
        self.unknown = ~to_host(self.known)[:, first]

    def log_p(self) -> Array:
        """Log-likelihood of what is known in each row, plus log Z."""
        total = to_host(self._of_known())
        for rows, log_z in self._choose():
            if len(rows):
                total[rows] += log_z(rows)
        return total

    def _choose(self) -> Iterator[tuple[Array, Any]]:
        """Numbers of rows, and the method for them."""
        hidden = self.rbm.hidden
        n_hidden = hidden.count_states(self.rbm.n_hidden)
        units = [units for _, units, _ in self.units]
        log_n = [
            math.inf if u.states is None else math.log(len(u.states)) for u in units
        ]
        normal = np.array([bool(hidden.linear and u.linear) for u in units])
        log_count = np.where(self.unknown, log_n, 0.0).sum(axis=1)
        few = log_count < math.log(min(MAX_UNKNOWN, n_hidden)) + 1e-9
        all_normal = ~few & ~(self.unknown & ~normal).any(axis=1)
        rest = ~few & ~all_normal
        yield np.flatnonzero(few), self._over_unknown
        yield np.flatnonzero(all_normal), self._normal
        of_rest = self._over_hidden if n_hidden <= MAX_HIDDEN else self._annealed
        yield np.flatnonzero(rest), of_rest

    def _of_known(self) -> Array:
        """b . v - base_energy(v) of what is known."""
        total = self.v @ self.rbm.b
        for i, (columns, units, p) in enumerate(self.units):
            energy = units.base_energy(self.v[:, columns], p)
            unknown = beside(self.unknown[:, i], energy)
            total = total - self.xp.where(unknown, 0.0, energy)
        return total

    def _over_hidden(self, rows: Array) -> Array:
        """By a sum over all states of the hidden units."""
        rbm, xp = self.rbm, self.xp
        singles = [units for _, units, _ in rbm.hidden.groups(rbm.n_hidden)]
        n_states, parts = int(rbm.hidden.count_states(rbm.n_hidden)), []
        for start in range(0, n_states, BLOCK_SIZE):
            index = np.arange(start, min(start + BLOCK_SIZE, n_states))
            h = asarray_like(list_states(singles, index), rbm.W)
            x = rbm.visible_input(h)
            cgfs = xp.stack([u.cgf(x[:, c], p) for c, u, p in self.units])
            base, found = rbm.hidden.base_energy(h), []
            for block in row_slices(rows[:, None], _ENTRIES // len(index)):
                unknown = asarray_like(1.0 * self.unknown[rows[block]], rbm.W)
                log_w = take_rows(self.x, rows[block]) @ h.T + unknown @ cgfs - base
                found.append(logsumexp(to_host(log_w), axis=1))
            parts.append(np.concatenate(found))
        return logsumexp(parts, axis=0)

    def _patterns(self, rows: Array) -> Iterator[tuple[Array, list[Block], Array]]:
        """Of `rows` that lack the same units: where they are, those units, columns."""
        kinds, which = np.unique(self.unknown[rows], axis=0, return_inverse=True)
        for i, kind in enumerate(kinds):
            units = [self.units[k] for k in np.flatnonzero(kind)]
            columns = np.concatenate([np.arange(c.start, c.stop) for c, _, _ in units])
            yield np.flatnonzero(which.ravel() == i), units, columns

    def _over_unknown(self, rows: Array) -> Array:
        """By a sum over all states of the unknown units."""
        rbm, xp, log_z = self.rbm, self.xp, np.empty(len(rows))
        for own, units, columns in self._patterns(rows):
            n_states = math.prod(len(u.states) for _, u, _ in units)
            u = list_states((u for _, u, _ in units), np.arange(n_states))
            u = asarray_like(u, rbm.W)
            log_p, start = u @ take_rows(rbm.b, columns), 0
            for _, unit, p in units:
                end = start + unit.group_size
                log_p = log_p - unit.base_energy(u[:, start:end], p)
                start = end
            shift = u @ take_rows(rbm.W, columns)
            size = max(1, _ENTRIES // (n_states * rbm.n_hidden))
            for block in row_slices(own[:, None], size):
                x = take_rows(self.x, rows[own[block]])[:, None, :] + shift
                cgf = rbm.hidden.cgf(xp.reshape(x, (-1, rbm.n_hidden)))
                log_w = xp.reshape(cgf, (-1, n_states)) + log_p
                log_z[own[block]] = logsumexp(to_host(log_w), axis=1)
        return log_z

    def _normal(self, rows: Array) -> Array:
        """In closed form, where the unknown units and the hidden ones are Gaussian."""
        rbm, log_z = self.rbm, np.empty(len(rows))
        variance = rbm.visible.variance(rbm.b[None, :], rbm.p_visible)[0, :]
        for own, units, columns in self._patterns(rows):
            W, b, s2 = (take_rows(a, columns) for a in (rbm.W, rbm.b, variance))
            of_hidden = hidden_normal(W, b, s2, take_rows(self.x, rows[own]))[2]
            cgf = sum(u.cgf(rbm.b[None, c], p)[0] for c, u, p in units)
            log_z[own] = to_host(of_hidden + cgf)
        return log_z

    def _annealed(self, rows: Array) -> Array:
        """By annealed importance sampling."""
        log_z, poor = np.empty(len(rows)), np.arange(len(rows))
        size = max(1, _ENTRIES // 4 // (N_CHAINS * sum(self.rbm.W.shape)))
        for n_betas in N_BETAS:
            betas, ess = np.linspace(0.0, 1.0, n_betas).tolist(), np.empty(len(poor))
            blocks = [*row_slices(poor[:, None], size)]
            for block in tracked(blocks, "annealing", "block of rows"):
                both = (self._anneal(rows[poor[block]], betas, own) for own in (1, 0))
                log_w = np.hstack([*both])
                total = logsumexp(log_w, axis=1)
                log_z[poor[block]] = total - math.log(N_CHAINS)
                ess[block] = np.exp(2.0 * total - logsumexp(2.0 * log_w, axis=1))
            poor = poor[ess < LEAST_ESS]
        if len(poor):
            warnings.warn(
                f"Of {len(rows)} rows with unknown values the likelihood of "
                f"{len(poor)} cannot be trusted to within 1 nat, and is more likely "
                "too low than too high: too much of them is unknown.",
                RuntimeWarning,
                stacklevel=4,
            )
        return log_z

    def _anneal(self, rows: Array, betas: list[float], own: int) -> Array:
        """Log weights of half of the chains, shape (n_rows, N_CHAINS // 2).

        Along a `TemperedPath` from independent units, whose biases are those of the
        row's `own` mean-field, or of the machine.
        """
        rbm, xp, p = self.rbm, self.xp, self.rbm.p_visible
        known, v = take_rows(self.known, rows), take_rows(self.v, rows)
        base = 0.0 * v + rbm.b
        if own:  # of what is known the base has the machine's biases, which cancel
            means = mean_field(rbm, xp.where(known, v, math.nan))
            of_row = rbm.visible_input(rbm.mean_hidden(means))
            base = xp.where(known, base, of_row)
        log_z = rbm.hidden.cgf(0.0 * rbm.c[None, :])
        for i, (columns, units, extra) in enumerate(self.units):
            cgf = units.cgf(base[:, columns], extra)
            log_z = log_z + xp.where(beside(self.unknown[rows, i], cgf), cgf, 0.0)
        chains = np.repeat(np.arange(len(rows)), N_CHAINS // 2)
        log_w, known, v, base = (take_rows(a, chains) for a in (log_z, known, v, base))
        rng = _SharedNoise(make_rng(self.seed + own), len(rows))
        v = xp.where(known, v, rbm.visible.sample(base, rng, p))
        for old, new in pairwise(betas):
            x = rbm.hidden_input(v)
            change = rbm.hidden.cgf(new * x) - rbm.hidden.cgf(old * x)
            log_w = log_w + change + (new - old) * xp.sum(v * (rbm.b - base), axis=1)
            h = rbm.hidden.sample(new * x, rng)
            x_visible = (1.0 - new) * base + new * rbm.visible_input(h)
            v = xp.where(known, v, rbm.visible.sample(x_visible, rng, p))
        return to_host(xp.reshape(log_w, (-1, N_CHAINS // 2)))


class _SharedNoise:
    """Noise that is the same for each of `n_rows` rows, whatever belongs to a row."""

    def __init__(self, rng: Any, n_rows: int) -> None:
        self.rng, self.n_rows = rng, n_rows

    def _drawn(self, draw: Any, shape: tuple[int, ...], dtype: Any) -> Array:
        own = draw((shape[0] // self.n_rows, *shape[1:]), dtype=dtype)
        return np.tile(own, (self.n_rows, *[1] * (len(shape) - 1)))

    def random(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self._drawn(self.rng.random, shape, dtype)

    def standard_normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self._drawn(self.rng.standard_normal, shape, dtype)
