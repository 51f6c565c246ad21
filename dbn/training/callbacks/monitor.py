"""What to watch while a machine learns, off the hot path: once an epoch."""

from typing import Any

import numpy as np

from ...backend.array import log_softmax
from ...backend.device import asarray_like, beside, namespace, to_host
from ...backend.types import Array


class RBMMonitor:
    """Callback that adds what Hinton (2010) advises to watch to the history.

    Each epoch's entry in `history_` gets, over up to 1000 rows, always the same:

    - ``"free_energy_gap"``: mean free energy of the validation rows minus that of the
      training rows, in nats. It grows when the machine overfits (section 6). Only with
      `X_val`.
    - ``"dead_units"`` and ``"always_on_units"``: numbers of hidden units below 0.01 on
      every row, and (bounded units, such as Bernoulli) above 0.99 on every row, of a
      range other than [0, 1] in proportion. They carry nothing.
    - ``"weight_norm"`` and ``"update_norm"``: Euclidean norms of W and of its change
      over the epoch (section 7).
    - ``"pseudo_log_likelihood"``: in nats, an estimate of
      `dbn.boltzmann.pseudo_log_likelihood` from one visible unit (or group) of each
      row, always the same; only with visible units whose states can be listed, such as
      Bernoulli and Softmax. Unlike the reconstruction error it measures the density
      model.

    For free energies and pseudo-likelihoods the units need a normalised law: with
    ``ReLU(noisy=True)`` they are left out.

    Parameters
    ----------
    X_val : array-like or sparse matrix of shape (n_samples, n_features), default=None
        Rows that are not trained on, like X.

    Raises
    ------
    ValueError
        When `fit` begins, if `X_val` has other columns than X, or values that the
        visible units cannot take.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn import RBMTransformer
    >>> from dbn.training import RBMMonitor
    >>> X = load_digits().data / 16
    >>> rbm = RBMTransformer(64, random_state=0).set_callbacks(RBMMonitor(X[1500:]))
    >>> sorted(rbm.fit(X[:1500]).history_[-1])[:4]
    ['always_on_units', 'dead_units', 'epoch', 'free_energy_gap']
    """

    def __init__(self, X_val: Array = None) -> None:
        self.X_val = X_val
        self._runs: dict[int, _Run] = {}

    def setup(self, estimator: Any, context: Any) -> None:
        """Refuse validation rows that are not like those to train on."""
        if self.X_val is not None:
            estimator._check_monitored(self.X_val, "RBMMonitor's X_val")

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Array) -> None:
        """Remember the weights before an epoch of pretraining on rows `X`."""
        if _is_pretraining(context) and estimator._machines:
            key = id(context.parent)
            if key not in self._runs:
                self._runs[key] = _Run(estimator, X, self.X_val)
            self._runs[key].begin()

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Add to the entry of an epoch; forget a run of epochs at its end."""
        if context.task_name == "epoch" and id(context.parent) in self._runs:
            estimator.history_[-1] |= self._runs[id(context.parent)].metrics()
        self._runs.pop(id(context), None)

    def teardown(self, estimator: Any, context: Any) -> None:
        """Forget what an interrupted fit left."""
        self._runs.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {"X_val": self.X_val, "_runs": {}}


def _is_pretraining(context: Any) -> bool:
    return bool(context.task_name == "epoch" and context.parent.task_name != "finetune")


class _Run:
    """One machine in training, with the rows to watch as that machine sees them."""

    def __init__(self, estimator: Any, X: Array, X_val: Array) -> None:
        self.rbm = rbm = estimator._machines[-1]
        self.rows = estimator._monitored_rows(X)
        self.lawful = rbm.visible.normalised and rbm.hidden.normalised
        # All rows whose free energies are needed, in one array: first the validation
        # rows, then the watched rows with one unit in each of its states.
        rows = [] if X_val is None else [estimator._monitored_rows(X_val)]
        self.n_validation = rows[0].shape[0] if rows else 0
        self.groups = list(rbm.visible.groups(rbm.n_visible))
        self.discrete = all(units.states is not None for _, units, _ in self.groups)
        if self.discrete:
            # Of units with many states fewer rows, which then cost the same.
            most = max(len(units.states) for _, units, _ in self.groups)
            watched = self.rows[:: max(1, most // 2), ...]
            states, self.weights, self.absent = _one_unit_varied(self.groups, watched)
            rows += states
        self.varied = namespace(self.rows).concat(rows) if rows else None

    def begin(self) -> None:
        self.before = namespace(self.rbm.W).asarray(self.rbm.W, copy=True)

    def metrics(self) -> dict[str, float]:
        rbm, xp = self.rbm, namespace(self.rows)
        x = rbm.hidden_input(self.rows)
        h = rbm.hidden.mean(x)
        low = rbm.hidden.per_column("low", rbm.n_hidden)
        high = rbm.hidden.per_column("high", rbm.n_hidden)
        bounded = np.isfinite(high - low)
        low, high = np.where(bounded, (low, high), [[0.0], [1.0]])
        margin, peaks = 0.01 * (high - low), to_host(xp.max(h, axis=0))
        found: dict[str, float] = {
            "dead_units": int(np.count_nonzero(peaks < low + margin))
        }
        if bounded.any():
            always_on = bounded & (to_host(xp.min(h, axis=0)) > high - margin)
            found["always_on_units"] = int(np.count_nonzero(always_on))
        found["weight_norm"] = float(xp.linalg.vector_norm(rbm.W))
        found["update_norm"] = float(xp.linalg.vector_norm(rbm.W - self.before))
        if not self.lawful or self.varied is None:
            return found
        energies = rbm.free_energy(self.varied)
        if self.n_validation:
            gap = xp.mean(energies[: self.n_validation])
            gap = gap - xp.mean(rbm.free_energy(self.rows, x))
            found["free_energy_gap"] = float(gap)
        if self.discrete:
            log_p = xp.reshape(-energies[self.n_validation :], self.weights.T.shape).T
            terms = xp.sum(self.weights * log_softmax(log_p - self.absent), axis=1)
            mean = float(xp.mean(terms))
            found["pseudo_log_likelihood"] = len(self.groups) * mean
        return found


def _one_unit_varied(groups: list[Any], v: Array) -> tuple[list[Array], Array, Array]:
    """Rows `v` with one unit set to each of its states, and the states' weights.

    Returns
    -------
    list of array of shape (n_rows, n_visible)
        One array per state, up to the largest number of states of a unit.
    array of shape (n_rows, n_states)
        How much of each state there is in the unit: grey values and probabilities
        weigh both, or all.
    array of shape (n_rows, n_states)
        0, or a large energy where the unit has no such state.
    """
    xp, host = namespace(v), to_host(v)
    n_rows, n_states = v.shape[0], max(len(units.states) for _, units, _ in groups)
    states, owner = np.zeros((n_states, v.shape[1])), np.zeros(v.shape[1])
    for i, (columns, units, _) in enumerate(groups):
        owner[columns] = i
        states[: len(units.states), columns] = units.states
    # The same units in every fit, so that the values compare.
    chosen = np.random.default_rng(0).integers(len(groups), size=n_rows)
    weights, absent = np.zeros((n_rows, n_states)), np.full((n_rows, n_states), 1e9)
    for i, (columns, units, _) in enumerate(groups[unit] for unit in chosen):
        own = slice(len(units.states))
        weights[i, own] = units.state_weights(host[i : i + 1, columns])[0]
        absent[i, own] = 0.0
    changed, states = beside(chosen[:, None] == owner, v), asarray_like(states, v)
    rows = [xp.where(changed, states[k, :], v) for k in range(n_states)]
    return rows, asarray_like(weights, v), asarray_like(absent, v)
