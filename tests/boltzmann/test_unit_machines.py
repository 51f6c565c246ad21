"""Machines of all types of units: proper ones, and no drift from exact draws."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import RBM
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, Gaussian, ReLU, Softmax, Spin
from dbn.boltzmann.likelihood import sample_exact
from tests.boltzmann.types import LEARNED, RAGGED, SEVERAL, TABLE
from tests.helpers import message_of, randomize


def test_learned_variance_of_hidden_units_is_refused():
    assert message_of(RBM, 3, 2, hidden=LEARNED) == (
        "hidden=Gaussian(learn_variance=True) learns a variance, which for hidden "
        "units is the same as a scale of the weights. Use Gaussian()."
    )


def wide(visible, hidden, norm):
    """A machine whose weights have the given spectral norm."""
    rbm = RBM(4, 3, visible=visible, hidden=hidden)
    W = make_rng(0).standard_normal((4, 3))
    rbm.W[...] = norm * W / np.linalg.norm(W, 2)
    return rbm


def test_improper_gaussian_machines_raise():
    wide("gaussian", "gaussian", 0.99).check_proper()
    assert message_of(wide("gaussian", "gaussian", 1.25).check_proper) == (
        "The energy of a Gaussian()-Gaussian() machine is bounded only while the "
        "spectral norm of its (scaled) weights is below 1; it is 1.25. Lower the "
        "learning rate, raise weight_decay, or use Bernoulli units on one side."
    )


def test_learned_variances_scale_the_weights():
    rbm = wide(LEARNED, "gaussian", 0.8)
    rbm.check_proper()
    rbm.p_visible["log_variance"][...] = np.log(4.0)
    assert "it is 1.6." in message_of(rbm.check_proper)
    rbm.p_visible["log_variance"][...] = np.log(0.25)
    rbm.W[...] *= 2.0
    rbm.check_proper()


@pytest.mark.parametrize(
    "pair",
    [("gaussian", "relu"), ("relu", "gaussian"), ("relu", "relu"), (LEARNED, "relu")],
    ids=str,
)
def test_growing_rectified_machines_warn(pair):
    wide(*pair, 0.99).check_proper()
    with pytest.warns(RuntimeWarning, match=r"below 1; it is 1\.25"):
        wide(*pair, 1.25).check_proper()


@pytest.mark.parametrize("bounded", [Bernoulli(), Softmax(3), Spin()], ids=repr)
@pytest.mark.parametrize("other", [Gaussian(), ReLU()], ids=repr)
def test_bounded_units_on_one_side_are_always_proper(bounded, other):
    for units in ((bounded, other), (other, bounded)):
        rbm = RBM(6, 6, visible=units[0], hidden=units[1])
        rbm.W[...] = 10.0
        rbm.check_proper()


def test_initialize_gives_learned_variance_units_the_mean_and_variance_one():
    rbm, mean = RBM(4, 2, visible=LEARNED), np.array([-1.0, 0.0, 2.0, 5.0])
    randomize(rbm.params)
    rbm.initialize(make_rng(0), mean)
    assert_array_equal(rbm.p_visible["log_variance"], np.zeros(4))
    assert_allclose(rbm.mean_visible(np.zeros((1, 2)))[0], mean)


# No drift: Gibbs steps from exact draws keep the moments; a wrong sampler does not.

DRIFT = [
    (Softmax(3), Bernoulli()),
    (Softmax(3), ReLU()),
    (Bernoulli(), ReLU()),
    (Bernoulli(), Softmax(3)),
    (ReLU(), Bernoulli()),
    (ReLU(), Softmax(3)),
    (LEARNED, Bernoulli()),
    (LEARNED, Gaussian()),
    (LEARNED, Softmax(3)),
    (Spin(), Bernoulli()),
    (Gaussian(), Spin()),
    (Gaussian(), Gaussian()),
    (RAGGED, Bernoulli()),
    (Bernoulli(), RAGGED),
    (TABLE, Bernoulli()),
    (TABLE, SEVERAL[2]),
    (SEVERAL[2], ReLU()),
    (SEVERAL[3], Spin()),
]
N_CHAINS = 40_000


class Blurred(ReLU):
    """A wrong sampler: its units are too large."""

    def sample(self, x, rng, p=None):
        return 1.5 * super().sample(x, rng, p)


def features(v):
    """First and second moments, without those that are always zero."""
    products = (v[:, :, None] * v[:, None, :]).reshape(len(v), -1)
    every = np.hstack([v, products])
    return every[:, every.std(axis=0) > 0.0]


def drift(rbm, steps=3):
    """Largest change of a moment in `steps`, in standard errors."""
    rng = make_rng(0)
    before = features(sample_exact(rbm, N_CHAINS, rng))
    after = features(rbm.gibbs(sample_exact(rbm, N_CHAINS, rng), rng, steps=steps))
    variance = before.var(axis=0) + after.var(axis=0)
    change = np.abs(after.mean(axis=0) - before.mean(axis=0))
    return (change / np.sqrt(variance / N_CHAINS)).max()


def small(visible, hidden):
    sizes = [6 if u.group_size > 1 else 3 for u in (visible, hidden)]
    rbm = RBM(*sizes, visible=visible, hidden=hidden)
    randomize(rbm.params, seed=2, scale=0.35)
    if isinstance(visible, Gaussian) and isinstance(hidden, Gaussian):
        rbm.W[...] *= 0.5  # a law exists only for small weights
    return rbm


@pytest.mark.parametrize("pair", DRIFT, ids=str)
def test_gibbs_steps_keep_the_model_distribution(pair):
    assert drift(small(*pair)) < 4


@pytest.mark.parametrize("pair", [(Bernoulli(), Blurred()), (Softmax(3), Blurred())])
def test_a_wrong_sampler_would_be_seen_to_drift(pair):
    rbm = small(*pair)
    rbm.W[...] += 0.3
    rbm.W[:3] -= 1.0
    assert drift(rbm) > 6
