"""Weights of rows count in all of training, not only beside the rows of a batch."""

import copy
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from dbn import DBN, RBM, Network
from dbn.backend.labelled_rows import LabelledRows
from dbn.boltzmann import CD, FPCD, PCD, Bernoulli, Staged, exact_log_z
from dbn.boltzmann.units.labels import with_labels
from dbn.training import SGD, UpDown, finetune, train_rbm, up_down

TINY = 1e-7  # a learning rate at which all steps of an epoch begin at one place


@pytest.fixture
def rows():
    """Rows, one-hot classes, and weights of which few are large."""
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 4)), np.eye(3)[rng.integers(3, size=60)]
    weight = np.where(np.arange(60) < 3, 40.0, 1.0)
    return X, y, weight / weight.sum()


def test_an_epoch_of_fine_tuning_follows_the_gradient_of_the_weighted_loss(rows):
    X, y, weight = rows
    rng = np.random.default_rng(1)
    net = Network([4, 5, 3], dtype=np.float64)
    net.params.flat[...] = rng.normal(size=net.params.flat.shape)
    start, grad = net.params.flat.copy(), net.params.zeros_like()
    loss = net.gradient(X, y, grad, weight, rng)
    history = []
    options = {"optimizer": SGD(TINY, momentum=0.0), "batch_size": 5, "max_iter": 1}
    finetune(net, X, y, rng=rng, sample_weight=weight, history=history, **options)
    moved = (start - net.params.flat) / (12 * TINY)
    assert_allclose(moved, grad.flat, rtol=1e-4, atol=1e-6)
    assert history[0]["loss"] == pytest.approx(float(loss), rel=1e-4)


@pytest.mark.parametrize("n_unknown", [0, 20])
def test_an_epoch_of_discrimination_follows_the_weighted_loss(rows, n_unknown):
    """Where rows have no label, labelled ones are drawn: then on average."""
    X, y, weight = rows
    y, n_epochs = y.copy(), 1 if n_unknown == 0 else 400
    y[60 - n_unknown :] = np.nan
    rng = np.random.default_rng(1)
    rbm = RBM(4 + 3, 5, visible=with_labels(Bernoulli(), 4, 3), dtype=np.float64)
    rbm.initialize(rng, np.full(7, 0.5), 0.5)
    start, grad = rbm.params.flat.copy(), rbm.params.zeros_like()
    known = slice(60 - n_unknown)
    w = weight[known] / weight[known].sum()
    _, of_x, of_U, of_d = rbm.labels.gradient(
        y[known], rbm.input_of_features(X[known]), w
    )
    grad["W"][:4], grad["W"][4:] = X[known].T @ of_x, of_U
    grad["b"][4:], grad["c"][...] = of_d, of_x.sum(axis=0)
    state = {"means": (np.full(7, 0.5), np.full(5, 0.5))}
    train_rbm(
        rbm,
        LabelledRows(X, y),
        rng=rng,
        optimizer=SGD(TINY, momentum=0.0),
        weight_decay=0.0,
        generative_weight=0.0,
        discriminative_weight=1.0,
        batch_size=5,
        max_iter=n_epochs,
        sample_weight=weight,
        state=state,
    )
    moved = (start - rbm.params.flat) / (12 * n_epochs * TINY)
    tolerance = 1e-6 if n_unknown == 0 else 0.02
    assert_allclose(moved, grad.flat, rtol=1e-4, atol=tolerance)


@pytest.mark.parametrize("batch_size", [10, 100])
def test_a_machine_learns_how_much_patterns_weigh(batch_size):
    """Few heavy rows and many light ones, of half the weight each."""
    patterns = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    X, weight = (np.repeat(a, [20, 980], axis=0) for a in (patterns, [49.0, 1.0]))
    options = {"batch_size": batch_size, "max_iter": 4 * batch_size}
    rng = np.random.default_rng(0)
    rbm = train_rbm(RBM(4, 6), X, rng=rng, sample_weight=weight, **options)
    p_heavy, p_light = np.exp(-rbm.free_energy(patterns))
    assert 0.25 < p_heavy / (p_heavy + p_light) < 0.75


@pytest.mark.parametrize("sampler", ["cd", "pcd", "fpcd", "pt"])
def test_a_batch_of_no_weight_changes_nothing(sampler):
    """Most batches have none; what they hold is never learned."""
    X = np.repeat([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], [20, 380], axis=0)
    weight = np.repeat([1.0, 0.0], [20, 380])
    other = np.where(weight[:, None] > 0, X, 1.0 - X)
    machines = [
        train_rbm(
            RBM(3, 4),
            rows,
            rng=np.random.default_rng(0),
            sampler=sampler,
            optimizer=SGD(0.05),
            batch_size=4,
            max_iter=10,
            sample_weight=weight,
            centering=True,
        )
        for rows in (X, other)
    ]
    energies = machines[0].free_energy(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]))
    assert energies[0] < energies[1]
    for machine in machines:
        assert machine.mean_visible(machine.mean_hidden(X[:1]))[0, 0] > 0.5


def mode_and_likelihood(rbm, X, weight):
    """p(fewer than half of the units are on), and the mean log-likelihood, exactly."""
    states = np.array([*product([0.0, 1.0], repeat=8)])
    log_p = -rbm.free_energy(states)
    log_p -= logsumexp(log_p)
    mode = np.exp(log_p)[states.sum(axis=1) < 4].sum()
    log_z = exact_log_z(rbm)
    return mode, np.average(-rbm.free_energy(X) - log_z, weights=weight)


@pytest.fixture(scope="module")
def modes():
    """Rows of two modes, of which one has a ninth of the weight; a machine of them."""
    rng = np.random.default_rng(0)
    one, other = ((rng.random((200, 8)) < p) * 1.0 for p in (0.05, 0.95))
    X, weight = np.concatenate([one, other]), np.repeat([1.8, 0.2], 200)
    repeated = np.concatenate([*[one] * 9, other])[::5]
    options = {"sampler": "pt", "batch_size": 20, "max_iter": 100}
    rbm = train_rbm(RBM(8, 5), repeated, rng=np.random.default_rng(1), **options)
    return X, weight, rbm


@pytest.mark.parametrize("how", [UpDown(10), UpDown(10, top_rate=1.0)], ids=str)
def test_chains_of_a_good_machine_start_as_often_as_rows_weigh(modes, how):
    """From rows drawn uniformly too many are in the light mode, and push it away."""
    X, weight, rbm = modes
    start, likely = mode_and_likelihood(rbm, X, weight)
    assert start == pytest.approx(0.9, abs=0.03)
    stack = DBN([copy.deepcopy(rbm)])
    up_down(stack, X, sample_weight=weight, how=how, rng=np.random.default_rng(2))
    mode, then = mode_and_likelihood(stack.rbms[0], X, weight)
    assert 0.7 < mode < 0.95 and then > likely - 0.1


def test_persistent_chains_start_as_often_as_rows_weigh(modes):
    X, weight, _ = modes
    seen = []

    class Spy(PCD):
        def start(self, rbm, X, rng):
            state = super().start(rbm, X, rng)
            seen.append((state["v"].mean(axis=1) < 0.5).mean())
            return state

    options = {"sampler": Spy(n_chains=500), "max_iter": 1, "sample_weight": weight}
    train_rbm(RBM(8, 5), X, rng=np.random.default_rng(0), **options)
    rows = LabelledRows(X, np.eye(2)[np.arange(400) % 2])
    rbm = RBM(8 + 2, 5, visible=with_labels(Bernoulli(), 8, 2))
    train_rbm(rbm, rows, rng=np.random.default_rng(0), **options)
    assert_allclose(seen, 0.9, atol=0.05)


@pytest.mark.parametrize(
    "sampler", [FPCD(), Staged(((0, CD()), (5, FPCD())))], ids=["fpcd", "staged"]
)
def test_fast_weights_learn_from_weighted_rows(sampler):
    """Equal weights would make another machine of which the chains are drawn."""
    patterns = np.array([[0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0]])
    X, weight = (np.repeat(a, [180, 20], axis=0) for a in (patterns, [1.0, 9.0]))
    state, rbm = {}, RBM(4, 4)
    options = {"sampler": sampler, "sample_weight": weight, "state": state}
    train_rbm(
        rbm, X, rng=np.random.default_rng(0), batch_size=10, max_iter=150, **options
    )
    log_p = -rbm.free_energy(patterns)
    assert 0.2 < np.exp(log_p[0] - logsumexp(log_p)) < 0.85
    assert not any("weight" in name for name in state["chains"])
