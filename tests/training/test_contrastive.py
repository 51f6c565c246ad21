"""Centering, L1 decay and sparsity: what is added to the contrastive gradient."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import RBM
from dbn.backend.array import sigmoid
from dbn.backend.random import make_rng
from dbn.boltzmann import CD
from dbn.training import SGD, Sparsity, train_rbm
from tests.helpers import randomize

DATA = (make_rng(1).random((60, 5)) < [0.1, 0.5, 0.9, 0.3, 0.6]) * 1.0
OFFSETS = np.array([0.2, 0.4, 0.9, 0.3, 0.5]), np.array([0.7, 0.1, 0.5])


def gradient(rbm, v_pos, v_neg, offsets=None):
    out = rbm.params.zeros_like()
    hidden = rbm.mean_hidden(v_pos), rbm.mean_hidden(v_neg)
    rbm.gradient(v_pos, hidden[0], v_neg, hidden[1], out, offsets=offsets)
    return out


@pytest.fixture
def machine():
    rbm = RBM(5, 3)
    randomize(rbm.params, seed=3)
    return rbm


def test_centered_gradient_is_its_formula(machine):
    v, u = DATA[:20], DATA[20:50]
    h, g = machine.mean_hidden(v), machine.mean_hidden(u)
    mu, lam = OFFSETS
    W = (u - mu).T @ (g - lam) / 30 - (v - mu).T @ (h - lam) / 20
    out = gradient(machine, v, u, OFFSETS)
    assert_allclose(out["W"], W, atol=1e-14)
    b = u.mean(axis=0) - v.mean(axis=0) - W @ lam
    assert_allclose(out["b"], b, atol=1e-14)
    c = g.mean(axis=0) - h.mean(axis=0) - mu @ W
    assert_allclose(out["c"], c, atol=1e-14)


def test_offsets_of_zero_are_the_plain_gradient(machine):
    zero = np.zeros(5), np.zeros(3)
    plain = gradient(machine, DATA[:20], DATA[20:])
    assert_allclose(gradient(machine, DATA[:20], DATA[20:], zero).flat, plain.flat)


def test_centered_gradient_descends_like_the_plain_one(machine):
    """A positive inner product: the same model family, by another path."""
    plain = gradient(machine, DATA[:20], DATA[20:]).flat
    assert gradient(machine, DATA[:20], DATA[20:], OFFSETS).flat @ plain > 0


def test_centered_gradient_does_not_care_which_state_is_called_on(machine):
    """Flip all visible units: the machine that means the same takes the same step."""
    flipped = RBM(5, 3)
    flipped.W[...], flipped.b[...] = -machine.W, -machine.b
    flipped.c[...] = machine.c + machine.W.sum(axis=0)
    mu, lam = OFFSETS
    a = gradient(machine, DATA[:20], DATA[20:], OFFSETS)
    b = gradient(flipped, 1 - DATA[:20], 1 - DATA[20:], (1 - mu, lam))
    assert_allclose(b["W"], -a["W"], atol=1e-13)
    assert_allclose(b["b"], -a["b"], atol=1e-13)
    assert_allclose(b["c"], a["c"] + a["W"].sum(axis=0), atol=1e-13)
    plain = gradient(machine, DATA[:20], DATA[20:])
    other = gradient(flipped, 1 - DATA[:20], 1 - DATA[20:])
    assert np.abs(other["W"] + plain["W"]).max() > 0.01


def trained(**options):
    rbm = RBM(5, 3)
    defaults = {"optimizer": SGD(0.1, 0.0), "weight_decay": 0.0, "batch_size": 20}
    return train_rbm(rbm, DATA, rng=make_rng(0), **defaults | {"max_iter": 1} | options)


def test_l1_adds_the_sign_of_the_weights():
    """One full-batch step from the same start with the same noise."""
    one = {"batch_size": 60}
    start = trained(max_iter=0)
    step = trained(**one, l1=0.3).W - trained(**one).W
    assert_allclose(step, -0.1 * 0.3 * np.sign(start.W), atol=1e-14)
    assert_array_equal(trained(**one, l1=0.3).b, trained(**one).b)


def test_l1_makes_weights_small():
    plain, decayed = trained(max_iter=40), trained(max_iter=40, l1=0.05)
    assert np.abs(decayed.W).sum() < 0.3 * np.abs(plain.W).sum()


def test_sparsity_gradient_is_that_of_the_cross_entropy():
    """Of the target against the mean activity, by finite differences in W and c."""
    rbm = RBM(4, 2)
    randomize(rbm.params, seed=1)
    v = np.full((1, 4), 0.3)  # one row, so that mean activities are activities
    target, cost = 0.1, 0.7

    def penalty():
        q = sigmoid(rbm.hidden_input(v))
        return -cost * (target * np.log(q) + (1 - target) * np.log1p(-q)).sum()

    grad = rbm.params.zeros_like()
    sparsity = Sparsity(target, cost=cost)
    sparsity.add_gradient(grad, v[0], rbm.mean_hidden(v)[0])
    for i in range(rbm.params.flat.size):
        values = []
        for shift in (1e-6, -2e-6):
            rbm.params.flat[i] += shift
            values.append(penalty())
        rbm.params.flat[i] += 1e-6
        assert grad.flat[i] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-7)


@pytest.mark.parametrize("target", [0.1, 0.8])
def test_hidden_units_are_drawn_to_the_target(target):
    sparsity = Sparsity(target, cost=3.0, decay=0.5)
    rbm = trained(sparsity=sparsity, max_iter=150)
    assert_allclose(rbm.mean_hidden(DATA).mean(axis=0), target, atol=0.05)


def test_a_number_is_a_target():
    plain, part = trained(sparsity=0.2), trained(sparsity=Sparsity(0.2))
    assert_array_equal(plain.params.flat, part.params.flat)


@pytest.mark.parametrize(
    "sparsity",
    [0.0, 1.0, -0.1, "0.1", Sparsity(cost=0), Sparsity(decay=1.0)],
)
def test_impossible_sparsity_is_refused(sparsity):
    with pytest.raises(ValueError, match=r"Sparsity: \w+ must be a number in"):
        trained(sparsity=sparsity)


def test_centering_trains_on_data_that_is_mostly_on():
    """Inverted data: the centered machine learns as well as on the original."""
    options = {"max_iter": 100, "batch_size": 10, "optimizer": SGD(0.05, 0.5)}
    options["sampler"] = CD(1, sample_visible=True)
    errors = []
    for rows in (DATA, 1 - DATA):
        history = []
        rbm = RBM(5, 3)
        train_rbm(
            rbm, rows, rng=make_rng(0), centering=True, history=history, **options
        )
        errors.append(history[-1]["reconstruction_error"])
    assert errors[0] == pytest.approx(errors[1], rel=0.2)
