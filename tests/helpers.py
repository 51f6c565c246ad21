"""Brute force to test against, written without the code under test."""

import itertools
from contextlib import contextmanager

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp

from dbn.boltzmann import Sampler
from dbn.training.task import Task


def read_only(*arrays):
    """Copies that raise when a function writes into its arguments."""
    copies = [np.array(a) for a in arrays]
    for copy in copies:
        copy.flags.writeable = False
    return copies[0] if len(copies) == 1 else copies


def message_of(function, *args, **kwargs):
    """What the ValueError of a call says."""
    with pytest.raises(ValueError) as error:
        function(*args, **kwargs)
    return str(error.value)


def randomize(params, seed=0, scale=1.0):
    """Fill a model's buffer with N(0, scale^2)."""
    rng = np.random.default_rng(seed)
    params.flat[...] = scale * rng.standard_normal(params.flat.shape)


def numerical_gradient(function, theta, step=1e-6):
    """Central differences of `function()`, which reads the float64 array `theta`."""
    gradient = np.empty(theta.shape)
    for i in np.ndindex(theta.shape):
        kept = theta[i]
        theta[i] = kept + step
        high = function()
        theta[i] = kept - step
        low = function()
        theta[i] = kept
        gradient[i] = (high - low) / (2.0 * step)
    return gradient


def binary_states(n):
    """All 2^n rows of n bits."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


class Enumerated:
    """All joint states of a small Bernoulli-Bernoulli RBM and their probabilities.

    Attributes: `v`, `h` (all states of each layer), `log_joint` (states of v, states of
    h), `log_v` (log p of each row of `v`).
    """

    def __init__(self, rbm):
        W, b, c = (np.array(rbm.params[name], dtype=float) for name in "Wbc")
        self.v, self.h = binary_states(len(b)), binary_states(len(c))
        energy = -(self.v @ b)[:, None] - self.h @ c - self.v @ W @ self.h.T
        self.log_joint = -energy - logsumexp(-energy)
        self.log_v = logsumexp(self.log_joint, axis=1)

    def index(self, rows):
        """Position of each of the binary `rows` in `v`."""
        powers = 2 ** np.arange(self.v.shape[1])[::-1]
        return (np.asarray(rows) @ powers).astype(int)

    def log_likelihood(self, rows):
        """Exact log p of each of the binary `rows`, in nats."""
        return self.log_v[self.index(rows)]

    @property
    def hidden_given_visible(self):
        """p(h | v), (states of v, states of h)."""
        return np.exp(self.log_joint - self.log_v[:, None])

    @property
    def visible_given_hidden(self):
        """p(v | h), (states of h, states of v)."""
        return np.exp(self.log_joint - logsumexp(self.log_joint, axis=0)).T

    def draw(self, n, rng):
        """`n` exact, independent draws from p(v)."""
        return self.v[rng.choice(len(self.v), size=n, p=np.exp(self.log_v))]

    def largest_z(self, rows):
        """Largest |observed - expected| count of a state, in standard errors."""
        p = np.exp(self.log_v)
        counts = np.bincount(self.index(rows), minlength=len(p))
        error = np.sqrt(len(rows) * p * (1.0 - p))
        return np.abs((counts - len(rows) * p) / error).max()


def largest_mean_z(draws, mean):
    """Largest |sample mean - mean| over the columns, in standard errors."""
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    return np.abs((draws.mean(axis=0) - mean) / error).max()


class RecordedTask(Task):
    """Writes down the tree of work; asks to stop after the subtasks in `stop_after`.

    A subtask is named by its path, such as "layer 0 / epoch 3".
    """

    def __init__(self, stop_after=(), path=(), log=None):
        self.stop_after, self.path = stop_after, path
        self.log = [] if log is None else log
        self.n_subtasks = 0

    @contextmanager
    def subtask(self, name, n_subtasks=0):
        path = (*self.path, f"{name} {self.n_subtasks}")
        self.n_subtasks += 1
        task = RecordedTask(self.stop_after, path, self.log)
        yield task
        self.log.append(" / ".join(path))
        task.stop = self.log[-1] in self.stop_after


class MeanField(Sampler):
    """A negative phase without noise, so that updates can be worked out by hand."""

    paired = True

    def start(self, rbm, X, rng):
        return {}

    def negative(self, rbm, v_pos, x_pos, h_pos, state, rng):
        v = rbm.mean_visible(h_pos)
        return v, rbm.mean_hidden(v), state


class Callback:
    """Does nothing at any moment of a fit; tests say what happens at theirs."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass


def in_halves(rows):
    """The same sparse rows with every entry in two halves at its place."""
    parts = np.repeat(rows.data / 2, 2), np.repeat(rows.indices, 2), 2 * rows.indptr
    return sparse.csr_array(parts, shape=rows.shape)
