"""Stacks with a way down of their own, and with labels at the top."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from dbn import DBN, RBM
from dbn.backend.array import sigmoid
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, exact_log_z
from dbn.boltzmann.units.labels import with_labels
from tests.helpers import binary_states, message_of, randomize, read_only

V, H, T, K = 4, 3, 2, 2


def machines(labels):
    top = with_labels(Bernoulli(), H, K) if labels else Bernoulli()
    rbms = [RBM(V, H), RBM(H + K * labels, T, visible=top), RBM(V, H)]
    for i, rbm in enumerate(rbms):
        randomize(rbm.params, seed=i)
    return rbms


def untied(labels=False):
    low, top, down = machines(labels)
    return DBN([low, top], [down])


def true_log_p(dbn):
    """log p(v) of all rows: a sum over the hidden units below the top machine."""
    v, h = binary_states(V), binary_states(H)
    top, down = dbn.rbms[-1], (dbn.generative or dbn.rbms)[0]
    log_h = top.log_p_features(h) - exact_log_z(top)
    x = h @ down.W.T + down.b
    log_v = v @ x.T - np.logaddexp(0.0, x).sum(axis=1)
    return v, logsumexp(log_v + log_h, axis=1)


def test_the_two_ways_have_weights_of_their_own():
    dbn, X = untied(), read_only(binary_states(V))
    low, top = dbn.rbms
    h = sigmoid(sigmoid(X @ low.W + low.c) @ top.W + top.c)
    assert_allclose(dbn.transform(X), h)
    down = dbn.generative[0]
    v = sigmoid(sigmoid(h @ top.W.T + top.b) @ down.W.T + down.b)
    assert_allclose(dbn.inverse_transform(h), v)


def test_samples_follow_the_way_down():
    dbn, rng, n = untied(), make_rng(0), 40_000
    _, log_p = true_log_p(dbn)
    start = (rng.random((n, H)) < 0.5) * 1.0
    rows = dbn.sample(start, rng, steps=40)
    counts = np.bincount((rows @ [8, 4, 2, 1]).astype(int), minlength=16)
    p = np.exp(log_p)
    assert np.abs((counts - n * p) / np.sqrt(n * p * (1.0 - p))).max() < 4


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_means_are_those_of_hidden_units_that_follow_the_model(labels, n_layers):
    """A single draw of the lowest hidden units lies behind each."""
    dbn, n = untied(labels), 20_000
    if n_layers == 1:
        dbn = DBN(dbn.rbms[1:])
    top, rng = dbn.rbms[-1], make_rng(0)
    start = np.zeros((n, top.n_visible))
    start[:, top.n_features :] = np.eye(K)[0, : K * labels]
    clamped = np.arange(top.n_visible) >= top.n_features
    rows = dbn.sample(start, rng, 40, clamped, means=True)
    drawn = dbn.sample(start, rng, 40, clamped)
    machine = dbn.generative[0] if n_layers == 2 else top
    hidden = binary_states(machine.n_hidden)
    means = machine.mean_visible(hidden)[:, : machine.n_features]
    distances = np.abs(rows[:, None, :] - means).max(axis=2)
    assert distances.min(axis=1).max() < 1e-12
    error = np.sqrt(0.25 / n)
    assert np.abs(rows.mean(axis=0) - drawn.mean(axis=0)).max() < 6 * error


@pytest.mark.parametrize("labels", [False, True], ids=["plain", "labelled"])
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_the_bound_is_below_the_truth_and_what_the_way_up_makes_it(labels, tied):
    dbn = untied(labels)
    dbn = DBN(dbn.rbms) if tied else dbn
    v, truth = true_log_p(dbn)
    low, top = dbn.rbms
    down, h = (dbn.generative or dbn.rbms)[0], binary_states(H)
    x = h @ down.W.T + down.b
    log_v = v @ x.T - np.logaddexp(0.0, x).sum(axis=1)
    up = v @ low.W + low.c
    log_q = up @ h.T - np.logaddexp(0.0, up).sum(axis=1)[:, None]
    terms = log_v + top.log_p_features(h) - exact_log_z(top) - log_q
    bound = (np.exp(log_q) * terms).sum(axis=1)
    assert (bound < truth).all()
    rng = make_rng(0)
    for row, want in zip(v[::5], bound[::5], strict=True):
        found = dbn.log_p_bound(row, rng, 20_000) - exact_log_z(top)
        assert abs(found - want) < 0.05


def test_the_bound_of_a_row_with_unknown_values():
    dbn = untied(labels=True)
    v, truth = true_log_p(dbn)
    row = np.array([1.0, np.nan, 0.0, np.nan])
    own = [v[i, 0] == 1.0 and v[i, 2] == 0.0 for i in range(len(v))]
    found = dbn.log_p_bound(row, make_rng(0), 20_000) - exact_log_z(dbn.rbms[-1])
    assert logsumexp(truth[own]) - 2.0 < found < logsumexp(truth[own]) + 0.02


def test_one_machine_with_labels_is_exact():
    rbm = RBM(V + K, H, visible=with_labels(Bernoulli(), V, K))
    randomize(rbm.params)
    dbn, v = DBN([rbm]), binary_states(V)
    joint = np.array([[*row, *y] for row in v for y in np.eye(K)])
    truth = logsumexp(-rbm.free_energy(joint).reshape(16, K), axis=1)
    rng = make_rng(0)
    found = [dbn.log_p_bound(row, rng, 1) for row in v]
    assert_allclose(found, truth, atol=1e-9)
    found = dbn.log_p_bound(np.array([np.nan, 1.0, 1.0, np.nan]), rng, 1)
    own = (v[:, 1] == 1.0) & (v[:, 2] == 1.0)
    assert_allclose(found, logsumexp(truth[own]), atol=1e-9)


def test_features_of_the_top_machine_sum_out_the_labels():
    low, top, _ = machines(True)
    dbn, X = DBN([low, top]), binary_states(V)
    f = sigmoid(X @ low.W + low.c)
    p = np.exp(top.log_p_labels(f))
    of_class = [sigmoid(f @ top.W[:H] + top.W[H + k] + top.c) for k in range(K)]
    assert_allclose(dbn.transform(X), sum(p[:, [k]] * of_class[k] for k in range(K)))
    assert_allclose(dbn.log_p_labels(X), top.log_p_labels(f))


@pytest.mark.parametrize("label", range(K))
def test_samples_of_a_class(label):
    low, top, _ = machines(True)
    dbn, rng, n = DBN([low, top]), make_rng(0), 20_000
    y = np.tile(np.eye(K)[label], (n, 1))
    start = np.hstack([(rng.random((n, H)) < 0.5) * 1.0, y])
    rows = dbn.sample(start, rng, 40, clamped=np.arange(H + K) >= H)
    h, v = binary_states(H), binary_states(V)
    joint = np.hstack([h, np.tile(np.eye(K)[label], (len(h), 1))])
    log_h = -top.free_energy(joint)
    log_h -= logsumexp(log_h)
    x = h @ low.W.T + low.b
    p = np.exp(logsumexp(v @ x.T - np.logaddexp(0.0, x).sum(axis=1) + log_h, axis=1))
    counts = np.bincount((rows @ [8, 4, 2, 1]).astype(int), minlength=16)
    assert np.abs((counts - n * p) / np.sqrt(n * p * (1.0 - p))).max() < 4


@pytest.mark.parametrize("labels", [False, True])
def test_known_values_stay_when_rows_are_completed(labels):
    row = np.array([[1.0, np.nan, 0.0, np.nan]] * 200)
    found = untied(labels).complete(row, make_rng(0), steps=3)
    assert (found[:, 0] == 1.0).all() and (found[:, 2] == 0.0).all()
    assert {*found[:, 1]} == {*found[:, 3]} == {0.0, 1.0}


def test_means_of_completions_keep_known_values():
    v = np.array([[1.0, np.nan, 0.0, np.nan]])
    for dbn in (untied(), DBN([RBM(V, H)])):
        row = dbn.complete(v, make_rng(0), steps=3, means=True)[0]
        assert row[0] == 1.0 and row[2] == 0.0
        assert 0.0 < row[1] < 1.0 and 0.0 < row[3] < 1.0


def test_the_ways_must_have_the_same_shapes():
    low, top, _ = machines(False)
    assert "one machine for each" in message_of(DBN, [low, top], [RBM(V, H + 1)])
    assert "one machine for each" in message_of(DBN, [low, top], [])


def test_labels_below_the_top_are_refused():
    low = RBM(V, H, visible=with_labels(Bernoulli(), V - K, K))
    assert "Only the top machine" in message_of(DBN, [low, RBM(H, T)])


def test_the_text_of_a_stack_says_that_it_is_untied():
    assert "generative=[RBM(4, 3" in repr(untied())
    assert "generative" not in repr(DBN(machines(False)[:2]))


def test_every_kind_of_label_is_seen_in_free_chains():
    _, top, _ = machines(True)
    rng = make_rng(0)
    chains = top.gibbs(np.zeros((500, H + K)), rng, 20)
    assert_array_equal(np.unique(chains[:, H:].argmax(axis=1)), range(K))
    assert len({*itertools.chain(*chains[:, H:].tolist())}) == 2
