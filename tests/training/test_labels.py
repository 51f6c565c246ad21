"""Training of machines with labels: updates worked out by hand, and what is learned."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from dbn import RBM
from dbn.backend.array import dense
from dbn.backend.labelled_rows import LabelledRows
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, Sampler
from dbn.boltzmann.units.labels import with_labels
from dbn.training import SGD, Schedule, train_rbm
from tests.helpers import binary_states, message_of, numerical_gradient, read_only

K, H, RATE = 3, 4, 0.1
F = read_only(binary_states(3))
Y = np.eye(K)[[0, 1, 2, 0, 1, 2, 0, 1]]
HALF = np.where(np.arange(8)[:, None] % 2, Y, np.nan)
WEIGHT = np.linspace(0.5, 2.0, 8)


class Fixed(Sampler):
    """A negative phase without noise."""

    paired = False

    def start(self, rbm, X, rng):
        self.seen = X[:2]
        return {"rows": X[:2]}

    def negative(self, rbm, v_pos, x_pos, h_pos, state, rng):
        v = state["rows"]
        return v, rbm.mean_hidden(v), state


def machine():
    return RBM(F.shape[1] + K, H, visible=with_labels(Bernoulli(), F.shape[1], K))


def trained(rbm, X, state=None, **options):
    options = {"sampler": Fixed(), "weight_decay": 0.0, "batch_size": 8} | options
    options |= {"optimizer": SGD(RATE, momentum=0.0), "max_iter": 1}
    options = {"label_share": 1.0} | options
    return train_rbm(rbm, X, rng=make_rng(0), state=state, **options)


def one_step(X, **options):
    """A machine before and after one update of all rows at once."""
    before = machine()
    rng = make_rng(1)
    state = {}
    trained(before, X, state, **options)
    before.params.flat[...] = rng.standard_normal(before.params.flat.shape)
    after = machine()
    after.params.flat[...] = before.params.flat
    state["epoch"] = 0
    trained(after, X, state, **options)
    return before, after


class Reversed(Fixed):
    """A negative phase that belongs to the rows of the positive one."""

    paired = True

    def negative(self, rbm, v_pos, x_pos, h_pos, state, rng):
        v = np.hstack([1.0 - dense(v_pos)[:, : F.shape[1]], Y])
        return v, rbm.mean_hidden(v), state


def enumerated_gradient(rbm, labels, weight, features=F):
    """Of the positive phase, every unknown label taken as each class in turn."""
    grad, total = rbm.params.zeros_like(), weight.sum()
    for f, y, w in zip(features, labels, weight, strict=True):
        rows = np.hstack([np.tile(f, (K, 1)), np.eye(K)])
        p = np.exp(rbm.log_p_labels(f[None, :]))[0] if np.isnan(y[0]) else y
        for row, share in zip(rows, p, strict=True):
            h = rbm.mean_hidden(row[None, :])[0]
            grad["W"][...] -= w * share / total * row[:, None] * h
            grad["b"][...] -= w * share / total * row
            grad["c"][...] -= w * share / total * h
    return grad


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("labels", [Y, HALF], ids=["labelled", "half"])
@pytest.mark.parametrize("kind", [np.asarray, csr_array], ids=["dense", "sparse"])
def test_the_positive_phase_sums_out_unknown_labels(weight, labels, kind):
    X, sampler = LabelledRows(kind(F), labels), Fixed()
    before, after = one_step(X, sample_weight=weight, sampler=sampler)
    grad = enumerated_gradient(before, labels, np.ones(8) if weight is None else weight)
    rows, v = np.hstack([F, labels]), dense(sampler.seen)
    rows = np.where(np.isnan(rows), X.means(weight)[0], rows)
    if weight is None:  # otherwise rows are drawn
        assert_allclose(v, rows[:2])
    assert all(np.isclose(rows, drawn).all(axis=1).any() for drawn in v)
    h = before.mean_hidden(v)
    grad["W"][...] += v.T @ h / 2
    grad["b"][...] += v.mean(axis=0)
    grad["c"][...] += h.mean(axis=0)
    moved = before.params.flat - RATE * grad.flat
    assert_allclose(after.params.flat, moved, atol=1e-12)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("labels", [Y, HALF], ids=["labelled", "half"])
def test_a_negative_phase_from_the_data_sums_out_its_labels(weight, labels):
    X = LabelledRows(F, labels)
    before, after = one_step(X, sample_weight=weight, sampler=Reversed())
    w = np.ones(8) if weight is None else weight
    grad = enumerated_gradient(before, labels, w)
    unknown = np.full_like(Y, np.nan)
    grad.flat[...] -= enumerated_gradient(before, unknown, w, 1.0 - F).flat
    assert_allclose(
        after.params.flat, before.params.flat - RATE * grad.flat, atol=1e-12
    )


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_labels_need_not_learn_from_rows_without_one(weight):
    """All other parameters do, as ever."""
    X, options = LabelledRows(F, HALF), {"sample_weight": weight, "sampler": Reversed()}
    before, after = one_step(X, label_share=0.0, **options)
    _, whole = one_step(X, **options)
    w = np.ones(8) if weight is None else weight
    known = np.where(np.isnan(HALF[:, 0]), 0.0, w)
    grad = enumerated_gradient(before, HALF, known)
    grad.flat[...] -= enumerated_gradient(
        before, np.full_like(Y, np.nan), known, 1.0 - F
    ).flat
    step, n = RATE * known.sum() / w.sum(), F.shape[1]
    for name in ("W", "b"):
        was, now, all_of_it = (getattr(rbm, name) for rbm in (before, after, whole))
        assert_allclose(now[n:], was[n:] - step * grad[name][n:], atol=1e-12)
        assert_allclose(now[:n], all_of_it[:n], atol=1e-12)
    assert_allclose(after.c, whole.c, atol=1e-12)


@pytest.mark.parametrize("kind", [np.asarray, csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("centering", [False, True])
@pytest.mark.parametrize("sampler", [Fixed(), Reversed()])
def test_labels_learn_a_share_from_rows_without_one(sampler, centering, kind):
    X = LabelledRows(kind(F), HALF)
    shares = (0.0, 0.3, 1.0, Schedule(0.3, 1.0, epochs=5))
    nothing, part, whole, first = (
        one_step(
            X,
            label_share=share,
            sampler=sampler,
            centering=centering,
            sample_weight=WEIGHT,
        )[1].params.flat
        for share in shares
    )
    assert_allclose(part, 0.7 * nothing + 0.3 * whole, atol=1e-12)
    assert_array_equal(first, part)
    assert np.abs(nothing - whole).max() > 1e-3


def learned(*parts):
    """What is learned in so many epochs with such a share, and then in as many more."""
    rbm, state, rng = machine(), {}, make_rng(0)
    for n_epochs, share in parts:
        options = {"label_share": share, "max_iter": n_epochs, "sampler": "pcd"}
        options["optimizer"] = SGD(0.1, momentum=0.0)
        train_rbm(rbm, LabelledRows(F, HALF), rng=rng, state=state, **options)
    return rbm.params.flat


@pytest.mark.parametrize(("n_epochs", "rising"), [(30, 20), (120, 30)])
def test_labels_know_the_classes_after_a_quarter_of_a_long_training(n_epochs, rising):
    """In an eighth of it some did not, and learned other groups; interrupted or not."""
    share, soon = (Schedule(0.0, 1.0, epochs=n) for n in (rising, 10))
    whole = learned((n_epochs, None))
    assert_array_equal(whole, learned((n_epochs, share)))
    assert np.abs(whole - learned((n_epochs, soon))).max() > 1e-3
    assert_array_equal(
        learned((10, None), (n_epochs - 10, None)),
        learned((10, Schedule(0.0, 1.0, epochs=20)), (n_epochs - 10, share)),
    )


def test_a_share_that_has_no_end_is_refused():
    with pytest.raises(ValueError, match=r"label_share is .*epochs"):
        trained(machine(), LabelledRows(F, HALF), label_share=Schedule(0.0, 1.0))


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_the_discriminative_step_follows_the_exact_gradient(weight):
    options = {"generative_weight": 0.0, "discriminative_weight": 1.0}
    X = LabelledRows(F, Y)
    before, after = one_step(X, sample_weight=weight, **options)
    w = np.full(8, 1 / 8) if weight is None else weight / weight.sum()

    def loss():
        return -w @ (Y * before.log_p_labels(F)).sum(axis=1)

    grad = numerical_gradient(loss, before.params.flat)
    assert_allclose(after.params.flat, before.params.flat - RATE * grad, atol=1e-8)


def test_the_hybrid_step_adds_up_both():
    X, both = LabelledRows(F, Y), {"discriminative_weight": 1.0}
    before, hybrid = one_step(X, generative_weight=0.3, **both)
    _, alone = one_step(X, generative_weight=0.0, **both)
    _, generative = one_step(X)
    moves = [m.params.flat - before.params.flat for m in (hybrid, alone, generative)]
    assert_allclose(moves[0], moves[1] + 0.3 * moves[2], atol=1e-12)


def test_rows_with_their_labels_may_come_in_one_array():
    joint, parts = machine(), machine()
    trained(joint, np.hstack([F, HALF]))
    trained(parts, LabelledRows(F, HALF))
    assert_array_equal(joint.params.flat, parts.params.flat)


def test_sparse_rows_must_come_in_parts():
    X = csr_array(np.hstack([F, Y]))
    assert "LabelledRows" in message_of(trained, machine(), X)


@pytest.mark.parametrize("sampler", ["cd", "pcd", "fpcd", "pt"])
def test_every_sampler_learns_labels_of_which_most_are_unknown(sampler):
    rng = make_rng(0)
    classes = rng.integers(K, size=600)
    f = np.repeat(np.eye(K), 4, axis=1)[classes]
    f = np.where(rng.random(f.shape) < 0.1, 1.0 - f, f)
    y = np.eye(K)[classes]
    known = np.where(np.arange(600)[:, None] < 200, y, np.nan)
    rbm = RBM(12 + K, 8, visible=with_labels(Bernoulli(), 12, K))
    options = {"sampler": sampler, "batch_size": 20, "max_iter": 15}
    history = []
    train_rbm(rbm, LabelledRows(f, known), rng=rng, history=history, **options)
    right = rbm.log_p_labels(f).argmax(axis=1) == classes
    assert right.mean() > 0.95
    assert history[-1]["reconstruction_error"] < history[0]["reconstruction_error"]


def test_unknown_features_and_unknown_labels():
    rng = make_rng(0)
    classes = rng.integers(K, size=600)
    f = np.repeat(np.eye(K), 4, axis=1)[classes]
    holes = np.where(rng.random(f.shape) < 0.2, np.nan, f)
    known = np.where(np.arange(600)[:, None] % 2, np.eye(K)[classes], np.nan)
    rbm = RBM(12 + K, 8, visible=with_labels(Bernoulli(), 12, K))
    weights = {"discriminative_weight": 1.0, "generative_weight": 0.1}
    length = {"batch_size": 20, "max_iter": 10}
    train_rbm(rbm, LabelledRows(holes, known), rng=rng, **weights, **length)
    assert (rbm.log_p_labels(f).argmax(axis=1) == classes).mean() > 0.95
