import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn.training import SGD, Adam
from dbn.training.optimizers import get_optimizer, scheduled

START = np.array([1.0, -2.0, 0.5])
GRADIENTS = np.random.default_rng(0).standard_normal((12, 3))
EPOCHS = np.arange(12) // 2
MOMENTUM = ((0, 0.5), (5, 0.9))


def run(optimizer, dtype=np.float64):
    """Parameters after each of 12 steps, two in each epoch."""
    theta, path = START.astype(dtype), []
    state = optimizer.init(theta)
    for epoch, gradient in zip(EPOCHS, GRADIENTS, strict=True):
        state["epoch"] = epoch
        state = optimizer.step(theta, gradient.astype(dtype), state)
        path.append(theta.copy())
    return np.array(path)


def sgd_by_hand(learning_rate, momentum):
    """Each velocity written out as a sum over all gradients so far."""
    velocities = []
    for t in range(12):
        velocity = np.zeros(3)
        for s in range(t + 1):
            decay = np.prod([momentum(EPOCHS[r]) for r in range(s + 1, t + 1)])
            velocity -= decay * learning_rate(EPOCHS[s]) * GRADIENTS[s]
        velocities.append(velocity)
    return START + np.cumsum(velocities, axis=0)


def adam_by_hand(learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """Algorithm 1 of Kingma and Ba (2015), line by line."""
    theta, m, v, path = START.copy(), 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
        theta = theta - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)
        path.append(theta)
    return np.array(path)


def test_sgd_without_momentum_follows_the_gradient():
    expected = START - 0.3 * np.cumsum(GRADIENTS, axis=0)
    assert_allclose(run(SGD(0.3, momentum=0.0)), expected, rtol=1e-12)


def test_sgd_is_classical_momentum():
    expected = sgd_by_hand(lambda epoch: 0.2, lambda epoch: 0.8)
    assert_allclose(run(SGD(0.2, momentum=0.8)), expected, rtol=1e-12)


def test_sgd_follows_its_schedules():
    expected = sgd_by_hand(
        lambda epoch: 0.2 if epoch < 3 else 0.02,
        lambda epoch: 0.5 if epoch < 5 else 0.9,
    )
    optimizer = SGD(((0, 0.2), (3, 0.02)), momentum=MOMENTUM)
    assert_allclose(run(optimizer), expected, rtol=1e-12)


@pytest.mark.parametrize("epsilon", [1e-8, 0.5])
def test_adam_is_algorithm_1(epsilon):
    path = run(Adam(0.1, beta_1=0.7, beta_2=0.95, epsilon=epsilon))
    assert_allclose(path, adam_by_hand(0.1, 0.7, 0.95, epsilon), rtol=1e-10)


def test_defaults_of_adam_are_those_of_the_paper():
    assert_allclose(run(Adam()), adam_by_hand(0.001), rtol=1e-12)


def test_adam_follows_its_schedule():
    path = run(Adam(((0, 0.1), (1, 0.01))))
    first, later = adam_by_hand(0.1), adam_by_hand(0.01)
    assert_allclose(path[:2], first[:2], rtol=1e-12)
    assert_allclose(np.diff(path[1:], axis=0), np.diff(later[1:], axis=0), rtol=1e-9)


def test_first_step_of_adam_is_the_learning_rate_in_every_direction():
    step = run(Adam(0.01))[0] - START
    assert_allclose(step, -0.01 * np.sign(GRADIENTS[0]), rtol=1e-6)


each_optimizer = pytest.mark.parametrize(
    "optimizer", [SGD(0.1, momentum=MOMENTUM), Adam(((0, 0.01), (3, 0.001)))], ids=repr
)


@each_optimizer
def test_one_specification_serves_many_trainings(optimizer):
    before = optimizer.get_params()
    assert_array_equal(run(optimizer), run(optimizer))
    assert optimizer.get_params() == before


@each_optimizer
def test_float32_is_kept(optimizer):
    path = run(optimizer, np.float32)
    assert path.dtype == np.float32
    assert_allclose(path, run(optimizer), rtol=1e-5)


@each_optimizer
def test_state_is_flat_and_starts_at_zero(optimizer):
    theta = START.astype(np.float32)
    state = optimizer.init(theta)
    arrays = [entry for entry in state.values() if isinstance(entry, np.ndarray)]
    assert len(arrays) == {SGD: 1, Adam: 2}[type(optimizer)]
    for array in arrays:
        assert array.dtype == np.float32
        assert_array_equal(array, np.zeros(3))
    assert_array_equal(theta, START)


@pytest.mark.parametrize(
    ("epoch", "value"), [(0, 0.5), (4, 0.5), (5, 0.9), (6, 0.9), (1000, 0.9)]
)
def test_a_value_holds_from_its_epoch_on(epoch, value):
    assert scheduled(MOMENTUM, epoch) == value


@pytest.mark.parametrize(
    "optimizer",
    [
        *(SGD(rate) for rate in (0.0, -0.1, np.inf, np.nan)),
        SGD(((0, 0.1), (3, 0.0))),
        *(SGD(momentum=m) for m in (-0.1, 1.0, np.nan)),
        SGD(momentum=((0, 0.5), (5, 1.0))),
        *(Adam(rate) for rate in (0.0, np.inf)),
        *(Adam(beta_1=b) for b in (-0.1, 1.0)),
        *(Adam(beta_2=b) for b in (-0.1, 1.0)),
        *(Adam(epsilon=e) for e in (0.0, -1e-8)),
    ],
    ids=repr,
)
def test_values_out_of_range_are_refused(optimizer):
    with pytest.raises(ValueError, match=r"a number.* in [\[(]0, (1|inf)\); it is"):
        optimizer.validate()


@pytest.mark.parametrize(
    "schedule",
    [(), "fast", None, (0.5, 0.9), ((1, 0.5),), ((0, 0.5), (6, 0.9), (5, 0.8))],
    ids=repr,
)
def test_malformed_schedules_are_refused(schedule):
    with pytest.raises(ValueError) as error:
        SGD(momentum=schedule).validate()
    assert str(error.value) == (
        "SGD: momentum must be a number or a schedule ((0, value), (epoch, value), "
        f"...) in [0, 1); it is {schedule!r}."
    )


def test_the_error_names_the_parameter_and_its_value():
    with pytest.raises(ValueError) as error:
        get_optimizer(SGD(momentum=1.5))
    assert str(error.value) == "SGD: momentum must be a number in [0, 1); it is 1.5."
