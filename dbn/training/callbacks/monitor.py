"""What to watch while a machine learns, off the hot path: once an epoch."""

from typing import Any

import numpy as np

from ...backend.array import log_softmax
from ...backend.device import asarray_like, beside, namespace
from ...backend.types import Array
from ...boltzmann import Units


class RBMMonitor:
    """Callback that adds what Hinton (2010) advises to watch to the history.

    Each epoch's entry in `history_` gets, over at most 1000 evenly spaced rows:

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
        """Nothing to prepare: a run of epochs begins with its first."""

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Array) -> None:
        """Remember the weights before an epoch of pretraining."""
        if _is_pretraining(context):
            key = id(context.parent)
            if key not in self._runs:
                self._runs[key] = _Run(estimator, X, self.X_val)
            self._runs[key].begin()

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Add to the entry of an epoch; forget a run of epochs at its end."""
        if _is_pretraining(context):
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
        self.discrete = rbm.visible.states is not None
        if self.discrete:
            # Of units with many states fewer rows, which then cost the same.
            step = max(1, len(rbm.visible.states) // 2)
            states, self.weights = _one_unit_varied(rbm.visible, self.rows[::step, ...])
            rows += states
        self.varied = namespace(self.rows).concat(rows) if rows else None

    def begin(self) -> None:
        self.before = namespace(self.rbm.W).asarray(self.rbm.W, copy=True)

    def metrics(self) -> dict[str, float]:
        rbm, xp = self.rbm, namespace(self.rows)
        x = rbm.hidden_input(self.rows)
        h = rbm.hidden.mean(x)
        bounded = rbm.hidden.bounded
        low, high = (rbm.hidden.low, rbm.hidden.high) if bounded else (0.0, 1.0)
        margin, peaks = 0.01 * (high - low), xp.max(h, axis=0)
        found: dict[str, float] = {
            "dead_units": int(xp.count_nonzero(peaks < low + margin)),
            "weight_norm": float(xp.linalg.vector_norm(rbm.W)),
            "update_norm": float(xp.linalg.vector_norm(rbm.W - self.before)),
        }
        if bounded:
            always_on = xp.min(h, axis=0) > high - margin
            found["always_on_units"] = int(xp.count_nonzero(always_on))
        if not self.lawful or self.varied is None:
            return found
        energies = rbm.free_energy(self.varied)
        if self.n_validation:
            gap = xp.mean(energies[: self.n_validation])
            gap = gap - xp.mean(rbm.free_energy(self.rows, x))
            found["free_energy_gap"] = float(gap)
        if self.discrete:
            log_p = xp.reshape(-energies[self.n_validation :], self.weights.T.shape)
            terms = xp.sum(self.weights * log_softmax(log_p.T), axis=1)
            n_units = rbm.n_visible // rbm.visible.group_size
            found["pseudo_log_likelihood"] = n_units * float(xp.mean(terms))
        return found


def _one_unit_varied(units: Units, v: Array) -> tuple[list[Array], Array]:
    """Rows `v` with one unit set to each of its states, and the states' weights.

    Returns
    -------
    list of array of shape (n_rows, n_visible)
        One array per state.
    array of shape (n_rows, n_states)
        How much of each state there is in the unit: grey values and probabilities
        weigh both, or all.
    """
    xp, size = namespace(v), units.group_size
    n_rows, n_units = v.shape[0], v.shape[1] // size
    # The same units in every fit, so that the values compare.
    chosen = np.random.default_rng(0).integers(n_units, size=n_rows)
    chosen = np.repeat(chosen[:, None] == np.arange(n_units), size, axis=1)
    chosen = beside(chosen, v)
    states = asarray_like(np.tile(units.states, n_units), v)
    rows = [xp.where(chosen, states[k, :], v) for k in range(states.shape[0])]
    unit = xp.reshape(xp.where(chosen, v, 0.0), (n_rows, n_units, size))
    return rows, units.state_weights(xp.sum(unit, axis=1))
