"""Weights of rows count in all of training: epochs have rows as often as they weigh."""

import copy
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from sklearn.datasets import load_digits

from dbn import DBN, RBM, Network, ScaledRows
from dbn.backend.labelled_rows import LabelledRows
from dbn.backend.random import make_rng
from dbn.backend.rows import some_rows
from dbn.boltzmann import CD, FPCD, PCD, Bernoulli, Staged, ais, exact_log_z
from dbn.boltzmann.units.labels import with_labels
from dbn.training import SGD, UpDown, finetune, pretrain, train_rbm, up_down
from dbn.training.loop import _shuffled, drawn_by_weight

TINY = 1e-7  # a learning rate at which all steps begin at one place


@pytest.fixture
def rows():
    """Rows, one-hot classes, and weights of which few are large and none is whole."""
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 4)), np.eye(3)[rng.integers(3, size=60)]
    return X, y, np.where(np.arange(60) < 3, 40.0, 0.7 + rng.random(60))


@pytest.mark.parametrize("lies_in_a_file", [False, True])
def test_an_epoch_has_each_row_as_often_as_it_weighs_to_within_one(lies_in_a_file):
    rng = np.random.default_rng(0)
    weight = rng.exponential(size=500)
    X = np.arange(1000.0).reshape(500, 2)
    X = ScaledRows(X) if lies_in_a_file else X
    expected, seen = 500 * weight / weight.sum(), np.zeros(500)
    for _ in range(200):
        groups = _shuffled(X, np.zeros(1), rng, weight)
        drawn = np.concatenate([*groups])
        counts = np.bincount(drawn, minlength=500)
        assert len(drawn) == 500 and (np.abs(counts - expected) < 1.0 + 1e-9).all()
        assert (np.diff(drawn) < 0).sum() > 100  # in no order
        seen += counts / 200
    assert_allclose(seen, expected, atol=0.2)


def test_epochs_of_fine_tuning_follow_the_gradient_of_the_weighted_loss(rows):
    X, y, weight = rows
    rng = np.random.default_rng(1)
    net = Network([4, 5, 3], dtype=np.float64)
    net.params.flat[...] = rng.normal(size=net.params.flat.shape)
    start, grad = net.params.flat.copy(), net.params.zeros_like()
    loss = net.gradient(X, y, grad, weight, rng)
    history, options = [], {"optimizer": SGD(TINY, momentum=0.0), "batch_size": 5}
    options |= {"max_iter": 400, "history": history, "tol": 0.0}
    finetune(net, X, y, rng=rng, sample_weight=weight, **options)
    moved = (start - net.params.flat) / (400 * 12 * TINY)
    assert_allclose(moved, grad.flat, atol=0.01)
    assert np.mean([e["loss"] for e in history]) == pytest.approx(float(loss), rel=0.01)


@pytest.mark.parametrize("n_unknown", [0, 20])
@pytest.mark.parametrize("batch_size", [5, 60])
def test_epochs_of_discrimination_follow_the_weighted_loss(rows, n_unknown, batch_size):
    """Where rows have no label, labelled ones are drawn by their own weights."""
    X, y, weight = rows
    y, n_epochs = y.copy(), 400 * batch_size // 5
    y[60 - n_unknown :] = np.nan
    rng = np.random.default_rng(1)
    rbm = RBM(4 + 3, 5, visible=with_labels(Bernoulli(), 4, 3), dtype=np.float64)
    rbm.initialize(rng, np.full(7, 0.5), 0.5)
    start, grad = rbm.params.flat.copy(), rbm.params.zeros_like()
    known = slice(60 - n_unknown)
    w = weight[known] / weight[known].sum()
    x = rbm.input_of_features(X[known])
    _, of_x, of_U, of_d = rbm.labels.gradient(y[known], x, w)
    grad["W"][:4], grad["W"][4:] = X[known].T @ of_x, of_U
    grad["b"][4:], grad["c"][...] = of_d, of_x.sum(axis=0)
    state = {"means": (np.full(7, 0.5), np.full(5, 0.5))}
    train_rbm(
        rbm,
        LabelledRows(X, y),
        rng=rng,
        optimizer=SGD(TINY / 10, momentum=0.0),
        weight_decay=0.0,
        generative_weight=0.0,
        discriminative_weight=1.0,
        batch_size=batch_size,
        max_iter=n_epochs,
        sample_weight=weight,
        state=state,
    )
    moved = (start - rbm.params.flat) / (60 // batch_size * n_epochs * TINY / 10)
    assert_allclose(moved, grad.flat, atol=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_weights_of_all_sizes_are_as_rows_drawn_by_them(seed):
    """A few rows have nearly all: steps as many times larger would kill the units."""
    X = load_digits().data[:600] / 16.0
    weight = np.exp(3.0 * np.random.default_rng(seed).normal(size=600))
    rng = np.random.default_rng(0)
    repeated = X[rng.choice(600, 600, p=weight / weight.sum())]
    found = []
    for rows, its in ((X, weight), (repeated, None)):
        rbm, options = RBM(64, 32), {"sample_weight": its, "max_iter": 60}
        train_rbm(rbm, rows, rng=np.random.default_rng(seed), **options)
        energy = np.average(
            rbm.free_energy(X) + ais(rbm, random_state=0).log_z, weights=weight
        )
        found.append(energy)
        assert (rbm.mean_hidden(X).std(axis=0) > 0.01).mean() > 0.8
    assert found[0] < found[1] + 1.0


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
    found = []
    for seed in range(4):
        stack, rng = DBN([copy.deepcopy(rbm)]), np.random.default_rng(seed)
        up_down(stack, X, sample_weight=weight, how=how, rng=rng)
        found.append(mode_and_likelihood(stack.rbms[0], X, weight))
    mode, then = np.mean(found, axis=0)
    assert 0.8 < mode < 0.95 and then > likely - 0.05


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
    options = {"sampler": sampler, "sample_weight": weight, "batch_size": 10}
    shares = []
    for seed in range(5):
        state, rbm = {}, RBM(4, 4)
        options |= {"rng": np.random.default_rng(seed), "state": state}
        train_rbm(rbm, X, max_iter=150, **options)
        log_p = -rbm.free_energy(patterns)
        shares.append(np.exp(log_p[0] - logsumexp(log_p)))
        assert not any("weight" in name for name in state["chains"])
    assert 0.2 < np.mean(shares) < 0.8


def test_equal_weights_of_labels_stand_for_uneven_weights_of_rows(modes):
    """Of the machine with labels, which has weights of its own."""
    X, weight, _ = modes
    labels = np.eye(2)[np.arange(400) % 2]

    def top(label_weight, sample_weight):
        options = {"labels": labels, "label_weight": label_weight}
        options |= {"sample_weight": sample_weight, "layer_options": [{"max_iter": 2}]}
        return pretrain(X, [3], rng=np.random.default_rng(0), **options).rbms[0].W

    equal = top(np.ones(400), weight)
    np.testing.assert_array_equal(equal, top(None, None))
    assert np.abs(equal - top(None, weight)).max() > 0


@pytest.mark.parametrize("n", [20, 200, 1000])
def test_rows_are_drawn_from_classes_that_take_turns(n):
    """Systematic sampling of rows as they lie draws one class or the other."""
    weight = np.where(np.arange(2000) % 2, 3.0, 1.0)
    for seed in range(20):
        drawn = drawn_by_weight(weight, n, np.random.default_rng(seed))
        share = np.mean(drawn % 2 == 0)
        assert abs(share - 0.25) < 4 * np.sqrt(0.1875 / n)
        counts = np.bincount(drawn, minlength=2000)
        assert (np.abs(counts - n * weight / weight.sum()) < 1.0).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_chains_of_a_stack_start_at_all_classes_that_take_turns(weighted):
    X, seen = np.tile([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], (500, 1)), []

    class Spy(PCD):
        def start(self, rbm, X, rng):
            seen.append(X[:, 0].mean())
            return super().start(rbm, X, rng)

    how, weight = UpDown(1, sampler=Spy()), np.ones(1000) if weighted else None
    up_down(DBN([RBM(3, 2)]), X, sample_weight=weight, how=how, rng=make_rng(0))
    assert_allclose(seen, 0.5, atol=0.1)
    assert_allclose(np.bincount(some_rows(1000, 50) % 2) / 50, 0.5, atol=0.2)
