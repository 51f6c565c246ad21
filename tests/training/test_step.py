import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn.backend.parameters import Parameters
from dbn.training import LBFGS, SGD, Adam
from dbn.training.step import add_weight_decay, make_step, penalty
from tests.helpers import numerical_gradient

TARGET = np.array([3.0, 2.0, 1.0])


def stepper(optimizer, **options):
    """Parameters, and a step on 0.5 ||theta - TARGET||^2."""
    params = Parameters({"W0": (2,), "c0": (1,)}, np.array([1.0, -1.0, 0.5]))

    def gradient(rows, grad, epoch):
        grad.flat[...] = params.flat - TARGET
        return 0.5 * float(grad.flat @ grad.flat)

    options = {"weight_decay": 0.0, "state": {}} | options
    return params, make_step(gradient, params, optimizer=optimizer, **options)


@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam(0.1), LBFGS(3)], ids=repr)
def test_a_step_returns_the_loss_before_it_without_weight_decay(optimizer):
    params, step = stepper(optimizer, weight_decay=0.5)
    before = 0.5 * np.sum((params.flat - TARGET) ** 2)
    assert_allclose(step(np.arange(3), 0), before, rtol=1e-14)
    assert 0.5 * np.sum((params.flat - TARGET) ** 2) < before


def test_constraints_come_after_every_step():
    seen = []

    def after():
        seen.append(params.flat.copy())
        params.flat[...] = 0.25

    params, step = stepper(SGD(0.1, momentum=0.0), after=after)
    step(np.arange(3), 0)
    assert_allclose(seen[0], [1.2, -0.7, 0.55], rtol=1e-14)
    assert_array_equal(params.flat, np.full(3, 0.25))
    step(np.arange(3), 0)
    assert len(seen) == 2


@pytest.mark.parametrize(
    "optimizer", [SGD(0.1), SGD(0.1, nesterov=True), Adam(0.1), LBFGS(2)], ids=repr
)
def test_what_is_multiplied_by_zero_stays_even_under_constraints(optimizer):
    def halve():
        params.flat[...] *= 0.5

    factors = np.array([0.0, 1.0, 0.0])
    params, step = stepper(
        optimizer, weight_decay=0.1, multipliers=lambda epoch: (factors, 1), after=halve
    )
    for epoch in range(5):
        step(np.arange(3), epoch)
    assert_array_equal(params.flat[[0, 2]], [1.0, 0.5])
    assert params.flat[1] != -1.0


def test_frozen_parts_do_not_count_for_clipping():
    factors = np.array([0.0, 0.0, 1.0])
    optimizer = SGD(1.0, momentum=0.0, clip_norm=1.0)
    params, step = stepper(optimizer, multipliers=lambda epoch: (factors, 1))
    step(np.arange(3), 0)
    assert_allclose(params.flat[2], 1.0, rtol=1e-14)  # by 0.5, which is below 1


@pytest.mark.parametrize("then", ["the same", "none", "one call"])
def test_what_begins_to_move_is_as_new_to_the_optimizer(then):
    """Adam corrects the bias of moments by its number of steps; they must agree.

    Otherwise the first steps are up to 6.5 learning rates long.
    """
    phases = (np.array([0.0, 0.0, 1.0]), 1), (np.ones(3), 3)
    state = {}
    options = {"multipliers": lambda epoch: phases[int(epoch >= 2)], "state": state}
    params, step = stepper(Adam(0.001), **options)
    for epoch in (0, 1):
        for _ in range(500):
            step(np.arange(3), epoch)
    if then != "one call":
        kept = params.flat
        options |= {"multipliers": None} if then == "none" else {}
        params, step = stepper(Adam(0.001), **options)
        params.flat[...] = kept
    before = params.flat.copy()
    for n in range(1, 21):
        step(np.arange(3), 2)
        assert np.abs(params.flat - before).max() < 0.001 * n * 1.001
    assert_allclose(np.abs(params.flat - before)[:2], 0.02, rtol=1e-2)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_the_penalty_is_the_loss_of_weight_decay(weight_decay):
    params = Parameters({"W0": (2, 2), "c0": (2,), "W1": (2, 1)})
    params.flat[...] = np.linspace(-1.0, 2.0, 8)
    grad = params.zeros_like()
    add_weight_decay(params, grad, weight_decay)
    expected = numerical_gradient(lambda: penalty(params, weight_decay), params.flat)
    assert_allclose(grad.flat, expected, atol=1e-8)


@pytest.mark.parametrize("names", ["Wbc", ("W0", "c0", "W1")])
def test_weight_decay_acts_on_weights_only(names):
    params = Parameters(dict.fromkeys(names, (2,)))
    params.flat[...] = np.arange(6.0) + 1.0
    grad = params.zeros_like()
    grad.flat[...] = 1.0
    add_weight_decay(params, grad, 0.1)
    for name in names:
        expected = 1.0 + 0.1 * params[name] if "W" in name else [1.0, 1.0]
        assert_allclose(grad[name], expected, rtol=1e-14)


def test_no_weight_decay_changes_nothing():
    params = Parameters({"W": (2,)}, np.array([np.inf, 1.0]))
    grad = params.zeros_like()
    add_weight_decay(params, grad, 0.0)
    assert_array_equal(grad.flat, [0.0, 0.0])
