"""Up-down: its updates against a plain transcription, and what it improves."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from dbn import DBN, RBM
from dbn.backend.array import sigmoid
from dbn.backend.random import make_rng
from dbn.boltzmann import CD, PCD, Bernoulli, exact_log_z
from dbn.boltzmann.units.labels import with_labels
from dbn.training import SGD, Adam, UpDown, pretrain, up_down
from tests.helpers import binary_states, message_of, randomize, read_only

V, H, G, T, K = 5, 4, 3, 6, 2
RATE = 0.1


def stack(labels=True, dtype=np.float64):
    top = with_labels(Bernoulli(), G, K) if labels else Bernoulli()
    rbms = [
        RBM(V, H, dtype=dtype),
        RBM(H, G, dtype=dtype),
        RBM(G + K * labels, T, visible=top, dtype=dtype),
    ]
    for i, rbm in enumerate(rbms):
        randomize(rbm.params, seed=i)
    return DBN(rbms)


X = read_only((np.random.default_rng(0).random((8, V)) < 0.5) * 1.0)
Y = np.eye(K)[[0, 1] * 4]
STEADY = {"optimizer": SGD(RATE, momentum=0.0), "batch_size": 8, "top_rate": 1.0}
ONE = UpDown(1, **STEADY)


class Quantiles:
    """Noise of which every number is the same: a unit is on above probability 1/2."""

    def __init__(self):
        self.bit_generator = np.random.SFC64(0)

    def random(self, shape=(), dtype=float):
        return np.full(shape, 0.5, dtype=dtype)

    def permutation(self, n):
        return np.arange(n)

    def integers(self, high, size):
        return np.arange(size) % high


def on(p):
    return (p > 0.5) * 1.0


def softmax(z):
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


def transcription(dbn, k, labels):
    """One step as Hinton, Osindero and Teh wrote it, on weights that are tied so far.

    With the class drawn given the features in each step of the top machine, and means
    of the top units in the statistics.
    """
    one, two, top = dbn.rbms
    W, U, b, d, c = top.W[:G], top.W[G:], top.b[:G], top.b[G:], top.c

    def p_labels(h2):
        return softmax(d + np.logaddexp(0, (h2 @ W + c)[:, None, :] + U).sum(axis=2))

    # Wake.
    h1 = on(sigmoid(X @ one.W + one.c))
    h2 = on(sigmoid(h1 @ two.W + two.c))
    y = np.where(np.isnan(labels), p_labels(h2), labels)
    t = sum(y[:, [j]] * sigmoid(h2 @ W + U[j] + c) for j in range(K))
    joint = [y[:, j] @ sigmoid(h2 @ W + U[j] + c) for j in range(K)]
    positive = {"W": h2.T @ t, "U": np.array(joint), "b": h2, "d": y, "c": t}
    # The top machine.
    f = h2
    for _ in range(k):
        drawn = np.eye(K)[(np.cumsum(p_labels(f), axis=1)[:, 0] <= 0.5).astype(int)]
        hidden = on(sigmoid(f @ W + drawn @ U + c))
        f = on(sigmoid(hidden @ W.T + b))
        last = softmax(hidden @ U.T + d)
        last = np.eye(K)[(np.cumsum(last, axis=1)[:, 0] <= 0.5).astype(int)]
    t = sigmoid(f @ W + last @ U + c)
    # Sleep.
    h1_down = on(sigmoid(f @ two.W.T + two.b))
    v_down = sigmoid(h1_down @ one.W.T + one.b)
    mean = {"axis": 0}
    return {
        "G1": (X - sigmoid(h1 @ one.W.T + one.b)).T @ h1 / 8,
        "g0": (X - sigmoid(h1 @ one.W.T + one.b)).mean(**mean),
        "G2": (h1 - sigmoid(h2 @ two.W.T + two.b)).T @ h2 / 8,
        "g1": (h1 - sigmoid(h2 @ two.W.T + two.b)).mean(**mean),
        "R1": v_down.T @ (h1_down - sigmoid(v_down @ one.W + one.c)) / 8,
        "r1": (h1_down - sigmoid(v_down @ one.W + one.c)).mean(**mean),
        "R2": h1_down.T @ (f - sigmoid(h1_down @ two.W + two.c)) / 8,
        "r2": (f - sigmoid(h1_down @ two.W + two.c)).mean(**mean),
        "W": (positive["W"] - f.T @ t) / 8,
        "U": (positive["U"] - last.T @ t) / 8,
        "b": (positive["b"] - f).mean(**mean),
        "d": (positive["d"] - last).mean(**mean),
        "c": (positive["c"] - t).mean(**mean),
    }


AT_THE_DATA = {
    k: UpDown(1, **STEADY, sampler=CD(k, sample_visible=True)) for k in (1, 3)
}
# The second update goes on from where the first, which moves nothing, left the chains.
CHAINS = UpDown(2, sampler=PCD(n_chains=8), **STEADY).set_params(
    optimizer=SGD(((0, 1e-14), (1, RATE)), momentum=0.0)
)
SLOW_TOP = UpDown(1, **STEADY).set_params(sampler=PCD(3, n_chains=8), top_rate=0.2)


@pytest.mark.parametrize(
    ("k", "how"),
    [*AT_THE_DATA.items(), (2, CHAINS), (3, SLOW_TOP)],
    ids=["one step", "three steps", "chains", "slow top"],
)
@pytest.mark.parametrize("known", ["all", "half"])
def test_an_update_is_that_of_the_paper(k, how, known, monkeypatch):
    labels = Y.copy()
    if known == "half":
        labels[::2] = np.nan
    before, after = stack(), stack()
    monkeypatch.setattr("dbn.training.wake_sleep.stream_on", lambda rng, like: rng)
    monkeypatch.setattr("dbn.training.loop.renew", lambda rng, epoch: None)
    up_down(after, X, labels, rng=Quantiles(), how=how)
    moves = transcription(before, k, labels)
    (one, two, top), (down_one, down_two) = after.rbms, after.generative
    old_one, old_two, old_top = before.rbms
    found = {
        "G1": down_one.W - old_one.W,
        "g0": down_one.b - old_one.b,
        "G2": down_two.W - old_two.W,
        "g1": down_two.b - old_two.b,
        "R1": one.W - old_one.W,
        "r1": one.c - old_one.c,
        "R2": two.W - old_two.W,
        "r2": two.c - old_two.c,
        "W": (top.W - old_top.W)[:G],
        "U": (top.W - old_top.W)[G:],
        "b": (top.b - old_top.b)[:G],
        "d": (top.b - old_top.b)[G:],
        "c": top.c - old_top.c,
    }
    for name, move in moves.items():
        rate = RATE * (how.top_rate if name in "WUbdc" else 1.0)
        assert_allclose(found[name], rate * move, atol=1e-12, err_msg=name)


def test_weights_of_rows_are_repeated_rows_in_expectation():
    plain, weighted = stack(), stack()
    up_down(plain, X, Y, rng=make_rng(0), how=ONE)
    up_down(weighted, X, Y, rng=make_rng(0), how=ONE, sample_weight=np.full(8, 3.0))
    for one, other in zip(plain.rbms, weighted.rbms, strict=True):
        assert_allclose(one.params.flat, other.params.flat, atol=1e-12)


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sampler", ["cd", "pcd", "fpcd", "pt", PCD(((0, 1), (2, 3)))])
def test_all_kinds_of_stacks(labels, dtype, sampler):
    dbn, history = stack(labels, dtype), []
    how = UpDown(3, optimizer=Adam(0.01), sampler=sampler)
    y = Y.astype(dtype) if labels else None
    up_down(dbn, X.astype(dtype), y, rng=make_rng(0), how=how, history=history)
    assert [entry["epoch"] for entry in history] == [0, 1, 2]
    assert {entry["phase"] for entry in history} == {"up-down"}
    for rbm in (*dbn.rbms, *dbn.generative):
        assert np.isfinite(rbm.params.flat).all()
        assert rbm.params.flat.dtype == dtype


@pytest.mark.parametrize("sampler", ["cd", "pcd"])
def test_training_goes_on_where_it_was_stopped(sampler):
    whole, parts = stack(), stack()
    steady = {"optimizer": SGD(0.05, momentum=0.5), "batch_size": 4}
    steady["sampler"] = sampler
    rng, state = make_rng(0), {}
    up_down(whole, X, Y, rng=make_rng(0), how=UpDown(4, **steady))
    up_down(parts, X, Y, rng=rng, how=UpDown(2, **steady), state=state)
    up_down(parts, X, Y, rng=rng, how=UpDown(2, **steady), state=state)
    first, second = ((*dbn.rbms, *dbn.generative) for dbn in (whole, parts))
    pairs = zip(first, second, strict=True)
    for one, other in pairs:
        assert_array_equal(one.params.flat, other.params.flat)


def true_log_p(dbn, rows):
    """Of a stack of two: a sum over the hidden units in between."""
    low, top = dbn.rbms
    down, h = (dbn.generative or [low])[0], binary_states(low.n_hidden)
    log_h = top.log_p_features(h) - exact_log_z(top)
    x = h @ down.W.T + down.b
    log_v = rows @ x.T - np.logaddexp(0.0, x).sum(axis=1)
    return np.logaddexp.reduce(log_v + log_h, axis=1)


def test_the_likelihood_rises():
    rng = make_rng(0)
    rows = np.repeat(np.eye(4), 2, axis=1)[rng.integers(4, size=400)]
    rows = np.where(rng.random(rows.shape) < 0.05, 1.0 - rows, rows)
    dbn = pretrain(rows, [4, 4], rng=rng)
    before = true_log_p(dbn, rows).mean()
    how = UpDown(60, optimizer=SGD(0.05, momentum=0.5), batch_size=20)
    up_down(dbn, rows, rng=rng, how=how)
    assert true_log_p(dbn, rows).mean() > before + 0.08


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (UpDown(0), "max_iter"),
        (UpDown(sampler="gibbs"), "sampler"),
        (UpDown(top_rate=-0.1), "top_rate"),
        (UpDown(batch_size=0), "batch_size"),
        (UpDown(optimizer="lbfgs"), "searches along lines"),
    ],
)
def test_what_is_not_accepted_is_said_before_training(wrong, name):
    assert name in message_of(up_down, stack(), X, Y, rng=make_rng(0), how=wrong)


def test_without_labels_a_labelled_stack_sums_them_out():
    dbn = stack()
    up_down(dbn, X, rng=make_rng(0), how=UpDown(1))
    assert np.isfinite(dbn.rbms[-1].params.flat).all()


def test_a_top_machine_may_stay_as_it_is():
    before, after = stack(), stack()
    up_down(after, X, Y, rng=make_rng(0), how=UpDown(2, top_rate=0.0))
    assert_array_equal(before.rbms[-1].params.flat, after.rbms[-1].params.flat)
    assert (before.rbms[0].params.flat != after.rbms[0].params.flat).any()


def test_gaussian_units_of_the_data_are_drawn_in_the_sleep_phase():
    """Recognition that learns from means alone is too sure: the bound lost .12 nats."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 6))
    X += rng.integers(0, 2, (1000, 1)) * [1.5, 1.5, -1.5, 1.0, 1.0, -1.0]
    X -= X.mean(axis=0)
    options = {"visible": "gaussian", "layer_options": [{"max_iter": 40}, {}]}
    dbn = pretrain(X, [3, 2], rng=np.random.default_rng(0), **options)
    up_down(dbn, X, rng=np.random.default_rng(2), how=UpDown(40))
    states = np.array(list(product([0.0, 1.0], repeat=3)))
    down, top = dbn.generative[0], dbn.rbms[-1]
    prior = -top.free_energy(states) - exact_log_z(top)
    mean = down.visible_input(states)
    joint = X[:100] @ mean.T - down.visible.base_energy(X[:100])[:, None]
    joint += prior - down.visible.cgf(mean)
    exact = logsumexp(joint, axis=1).mean()
    bounds = [dbn.log_p_bound(x, make_rng(1), 200) for x in X[:100]]
    assert exact - (np.mean(bounds) - exact_log_z(top)) < 0.02
