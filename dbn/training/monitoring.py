"""What to watch while a machine learns, off the hot path: once an epoch."""

import numpy as np

from ..backend.array import log_softmax, namespace
from ..boltzmann import Bernoulli, Softmax


class RBMMonitor:
    """Callback that adds what Hinton (2010) advises to watch to the history.

    Each epoch's entry in `history_` gets, over at most 1000 evenly spaced rows:

    - ``"free_energy_gap"``: mean free energy of the validation rows minus that of the
      training rows, in nats. It grows when the machine overfits (section 6). Only with
      `X_val`.
    - ``"dead_units"`` and ``"always_on_units"``: numbers of hidden units below 0.01 on
      every row, and (Bernoulli and Softmax) above 0.99 on every row. They carry
      nothing.
    - ``"weight_norm"`` and ``"update_norm"``: Euclidean norms of W and of its change
      over the epoch (section 7).
    - ``"pseudo_log_likelihood"``: in nats, an estimate of
      `dbn.boltzmann.pseudo_log_likelihood` from one visible unit (or group) of each
      row, always the same; only with Bernoulli or Softmax units. Unlike the
      reconstruction error it measures the density model.

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

    def __init__(self, X_val=None):
        self.X_val = X_val
        self._runs = {}

    def setup(self, estimator, context):
        """Nothing to prepare: a run of epochs begins with its first."""

    def on_fit_task_begin(self, estimator, context, *, X):
        """Remember the weights before an epoch of pretraining."""
        if _is_pretraining(context):
            key = id(context.parent)
            if key not in self._runs:
                self._runs[key] = _Run(estimator, X, self.X_val)
            self._runs[key].begin()

    def on_fit_task_end(self, estimator, context):
        """Add to the entry of an epoch; forget a run of epochs at its end."""
        if _is_pretraining(context):
            estimator.history_[-1] |= self._runs[id(context.parent)].metrics()
        self._runs.pop(id(context), None)

    def teardown(self, estimator, context):
        """Forget what an interrupted fit left."""
        self._runs.clear()

    def __getstate__(self):
        return {"X_val": self.X_val, "_runs": {}}


def _is_pretraining(context):
    return context.task_name == "epoch" and context.parent.task_name != "finetune"


class _Run:
    """One machine in training, with the rows to watch as that machine sees them."""

    def __init__(self, estimator, X, X_val):
        self.rbm = estimator._machines[-1]
        self.rows = estimator._monitored_rows(X)
        self.validation = None if X_val is None else estimator._monitored_rows(X_val)
        self.lawful = self.rbm.visible.normalised and self.rbm.hidden.normalised

    def begin(self):
        self.before = namespace(self.rbm.W).asarray(self.rbm.W, copy=True)

    def metrics(self):
        rbm, xp = self.rbm, namespace(self.rows)
        x = rbm.hidden_input(self.rows)
        h = rbm.hidden.mean(x)
        found = {"dead_units": int(xp.count_nonzero(xp.max(h, axis=0) < 0.01))}
        if isinstance(rbm.hidden, Bernoulli | Softmax):
            low = xp.min(h, axis=0)
            found["always_on_units"] = int(xp.count_nonzero(low > 0.99))
        found["weight_norm"] = float(xp.linalg.vector_norm(rbm.W))
        found["update_norm"] = float(xp.linalg.vector_norm(rbm.W - self.before))
        if self.validation is not None and self.lawful:
            training = rbm.free_energy(self.rows, x)
            gap = xp.mean(rbm.free_energy(self.validation)) - xp.mean(training)
            found["free_energy_gap"] = float(gap)
        if self.lawful and isinstance(rbm.visible, Bernoulli | Softmax):
            found["pseudo_log_likelihood"] = _pseudo_log_likelihood(rbm, self.rows)
        return found


def _pseudo_log_likelihood(rbm, v):
    """Mean estimate from one unit of each row, by free energies with its states."""
    xp, size = namespace(v), getattr(rbm.visible, "n_states", 1)
    n_rows, n_units = v.shape[0], v.shape[1] // size
    # The same units in every epoch, so that the values compare.
    chosen = np.random.default_rng(0).integers(n_units, size=n_rows)
    chosen = np.repeat(chosen[:, None] == np.arange(n_units), size, axis=1)
    states = np.tile(np.eye(size), n_units) if size > 1 else [[0.0], [1.0]]
    energies, shares = [], []
    for state in np.asarray(states):
        state = xp.asarray(state, dtype=v.dtype)[None, :]
        energies.append(rbm.free_energy(xp.where(xp.asarray(chosen), state, v)))
        # Grey values and probabilities weigh both, or all, states.
        share = v * state if size > 1 else 1.0 - xp.abs(v - state)
        shares.append(xp.sum(xp.where(xp.asarray(chosen), share, 0.0), axis=1))
    log_p = log_softmax(-xp.stack(energies, axis=1))
    terms = xp.sum(xp.stack(shares, axis=1) * log_p, axis=1)
    return n_units * float(xp.mean(terms))
