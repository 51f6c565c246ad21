"""Units of -1 and 1, and types made of them: what a unit is asked, it answers."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp

from dbn import RBM, DBNTransformer, RBMTransformer
from dbn.boltzmann import (
    CD,
    Bernoulli,
    Spin,
    ais,
    exact_log_z,
    pseudo_log_likelihood,
    reverse_ais,
)
from dbn.training import SGD, RBMMonitor, Schedule
from dbn.training.contrastive import default_optimizer, monitored_rows
from tests.helpers import message_of, randomize

SPINS = np.array(list(itertools.product([-1.0, 1.0], repeat=4)))


def machine(visible=None, hidden=None, sizes=(4, 3)):
    rbm = RBM(*sizes, visible=visible or Spin(), hidden=hidden or Spin())
    randomize(rbm.params, seed=3)
    return rbm


def table(rbm):
    """log of the unnormalised p(v) of all rows of four spins, over three of them."""
    h = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))
    log_joint = SPINS @ rbm.W @ h.T + (SPINS @ rbm.b)[:, None] + h @ rbm.c
    return logsumexp(log_joint, axis=1)


class Bits(Spin):
    """Spins as somebody might have them who forgets the states."""

    states = None


class Derived(Bernoulli):
    """Spins that are made of `Bernoulli`, of which they inherit what is left."""

    low = -1.0
    mean, variance, sample, cgf = Spin.mean, Spin.variance, Spin.sample, Spin.cgf


def test_log_z_is_that_of_all_states_of_both_layers():
    rbm = machine()
    log_z = logsumexp(table(rbm))
    assert_allclose(exact_log_z(rbm), log_z, rtol=1e-12)
    assert_allclose(logsumexp(-rbm.free_energy(SPINS)), log_z, rtol=1e-12)
    for estimate in (f(rbm, random_state=0) for f in (ais, reverse_ais)):
        assert abs(estimate.log_z - log_z) < 4 * estimate.standard_error
        assert estimate.exact_start


def test_pseudo_likelihood_is_that_of_all_states():
    rbm, expected = machine(), np.zeros(16)
    log_p = table(rbm)
    for (i, v), j in itertools.product(enumerate(SPINS), range(4)):
        others = np.arange(4) != j
        alike = (SPINS[:, others] == v[others]).all(axis=1)
        expected[i] += log_p[i] - logsumexp(log_p[alike])
    assert_allclose(pseudo_log_likelihood(rbm, SPINS), expected, rtol=1e-10)


def test_values_between_the_states_weigh_both():
    rbm = machine(sizes=(1, 3))
    ends = pseudo_log_likelihood(rbm, np.array([[-1.0], [1.0]]))
    between = pseudo_log_likelihood(rbm, np.array([[0.5]]))
    assert_allclose(between, [0.25 * ends[0] + 0.75 * ends[1]], rtol=1e-12)


@pytest.mark.parametrize("unit", [Bits(), Derived()], ids=repr)
def test_units_without_states_are_refused_and_not_taken_for_bits(unit):
    rbm = machine(unit, unit)
    assert message_of(exact_log_z, rbm) == (
        "exact_log_z needs units whose states can be listed (Bernoulli, Softmax) on "
        f"one side, or Gaussian units on both; the machine is {rbm!r}. Use ais."
    )
    assert message_of(pseudo_log_likelihood, rbm, SPINS) == (
        "pseudo_log_likelihood needs visible units whose states can be listed "
        f"(Bernoulli, Softmax); they are {unit!r}. Use -rbm.free_energy(v) minus log Z "
        "(exact_log_z, ais)."
    )
    assert not reverse_ais(rbm, n_betas=5, n_chains=5, burn_in=1).exact_start


def test_what_the_range_is_is_said_where_rows_are_outside():
    assert message_of(Spin().check, np.array([[-1.5, 1.0]])) == (
        "Spin visible units need values in [-1, 1]; X has minimum -1.5 and maximum 1. "
        "Scale X (MinMaxScaler; clip=True, for rows that it was not fitted on) or use "
        "visible='gaussian'."
    )


# Training.

RNG = np.random.default_rng(0)
X = np.sign(np.where(RNG.random((300, 1)) < 0.5, 1.0, -1.0) * [1, 1, -1, 1, -1, 1])
X *= np.where(RNG.random(X.shape) < 0.1, -1.0, 1.0)


def trained(**params):
    params = {"max_iter": 40, "batch_size": 30, "random_state": 0} | params
    return RBMTransformer(3, visible=Spin(), **params)


def test_the_default_rate_is_that_of_units_with_a_range():
    rates = [
        default_optimizer(machine(visible, hidden), CD()).learning_rate
        for visible, hidden in [(Spin(), Spin()), ("bernoulli", Spin())]
    ]
    assert rates == [Schedule(0.1, 0.0)] * 2
    relu = default_optimizer(RBM(4, 3, visible="relu"), CD())
    assert relu.learning_rate == Schedule(0.005, 0.0)


@pytest.mark.parametrize("hidden", ["bernoulli", Spin()])
def test_machines_learn_at_the_default_rate(hidden):
    fitted = trained(hidden=hidden).fit(X)
    assert fitted.mean_ is None and fitted.scale_ is None
    # The law that the rows come from has -2.64, independent units -4.16.
    assert -3.5 < fitted.score(X) < -2.5
    assert {*np.unique(fitted.sample(20, random_state=0))} == {-1.0, 1.0}


def test_what_is_watched_of_them():
    machine = trained(hidden=Spin(), max_iter=1).set_callbacks(RBMMonitor(X[:50]))
    found = machine.fit(X).history_[-1]
    rows = X[monitored_rows(len(X))]
    changed = rows.copy()
    chosen = np.random.default_rng(0).integers(6, size=len(rows))
    changed[np.arange(len(rows)), chosen] *= -1.0
    energy = machine.rbm_.free_energy
    log_p = -np.logaddexp(0.0, energy(rows) - energy(changed))
    assert_allclose(found["pseudo_log_likelihood"], 6 * log_p.mean(), rtol=1e-9)
    gap = energy(X[:50]).mean() - energy(rows).mean()
    assert_allclose(found["free_energy_gap"], gap, atol=1e-9)
    assert found["dead_units"] == found["always_on_units"] == 0


class Fixed(SGD):
    """Sets the hidden biases: two units are always on, one is dead."""

    def step(self, theta, grad, state):
        theta[-3:] = [20.0, 20.0, -20.0]
        return state


def test_spins_that_never_move_carry_nothing():
    machine = trained(hidden=Spin(), max_iter=1, optimizer=Fixed())
    found = machine.set_callbacks(RBMMonitor()).fit(X).history_[-1]
    assert (found["dead_units"], found["always_on_units"]) == (1, 2)


def test_they_are_a_layer_of_a_stack():
    stack = DBNTransformer((3, 2), rbm=trained(hidden=Spin()), random_state=0).fit(X)
    below, above = stack.dbn_.rbms
    assert above.visible == below.hidden == Spin()
    assert np.abs(stack.transform(X)).max() <= 1.0
    assert np.isfinite(stack.score(X))
