import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from dbn.backend.parts import scheduled
from dbn.training import SGD, Adam, Optimizer, RMSProp, Schedule
from dbn.training.optimizers import OPTIMIZERS, get_optimizer

START = np.array([1.0, -2.0, 0.5])
GRADIENTS = np.random.default_rng(0).standard_normal((12, 3))
EPOCHS = np.arange(12) // 2
STEPS = ((0, 0.2), (3, 0.02))
MOMENTUM = ((0, 0.5), (5, 0.9))
GLIDE = Schedule(0.2, 0.02, epochs=5, hold=1)
COSINE = Schedule(0.5, 0.9, epochs=4, kind="cosine")


def run(optimizer, dtype=np.float64, asarray=np.asarray):
    """Parameters after each of 12 steps, two in each epoch."""
    theta, path = asarray(START.astype(dtype), copy=True), []
    state = optimizer.init(theta)
    for epoch, gradient in zip(EPOCHS.tolist(), GRADIENTS, strict=True):
        state["epoch"] = epoch
        state = optimizer.step(theta, asarray(gradient.astype(dtype), copy=True), state)
        path.append(np.array(theta))
    return np.array(path)


# Formulas, written out. Schedules come as one value for each of the 12 steps.


def constant(value):
    return np.full(12, value)


STEPPED = np.where(EPOCHS < 3, 0.2, 0.02)
MOMENTA = np.where(EPOCHS < 5, 0.5, 0.9)
GLIDING = np.array([0.2, 0.2, 0.155, 0.11, 0.065, 0.02])[EPOCHS]
WAVE = 0.7 - 0.2 * np.cos(np.pi * np.minimum(EPOCHS, 4) / 4)


def velocities_by_hand(rates, momenta):
    """Each velocity as a sum over all gradients so far."""
    return np.array(
        [
            -sum(
                np.prod(momenta[s + 1 : t + 1]) * rates[s] * GRADIENTS[s]
                for s in range(t + 1)
            )
            for t in range(12)
        ]
    )


def sgd_by_hand(rates, momenta):
    return START + np.cumsum(velocities_by_hand(rates, momenta), axis=0)


def nesterov_by_hand(rates, momenta):
    ahead = momenta[:, None] * velocities_by_hand(rates, momenta)
    return START + np.cumsum(ahead - rates[:, None] * GRADIENTS, axis=0)


def moments_by_hand(gradients, decay):
    """Moving averages that start at zero, as sums over all gradients so far."""
    return np.array(
        [
            (1 - decay) * sum(decay ** (t - s) * gradients[s] for s in range(t + 1))
            for t in range(12)
        ]
    )


def rmsprop_by_hand(rates, decay=0.9, epsilon=1e-8):
    root = np.sqrt(moments_by_hand(GRADIENTS**2, decay))
    return START - np.cumsum(rates[:, None] * GRADIENTS / (root + epsilon), axis=0)


def adam_by_hand(rates, beta_1=0.9, beta_2=0.999, epsilon=1e-8, decay=0.0):
    """Algorithm 1 of Kingma and Ba (2015), line by line; with decay, AdamW."""
    theta, m, v, path = START.copy(), 0.0, 0.0, []
    for t, (g, rate) in enumerate(zip(GRADIENTS, rates, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
        theta = theta - rate * (m_hat / (np.sqrt(v_hat) + epsilon) + decay * theta)
        path.append(theta)
    return np.array(path)


BY_HAND = [
    (SGD(0.3, momentum=0.0), START - 0.3 * np.cumsum(GRADIENTS, axis=0)),
    (SGD(), sgd_by_hand(constant(0.1), constant(0.9))),
    (SGD(0.2, momentum=0.8), sgd_by_hand(constant(0.2), constant(0.8))),
    (SGD(STEPS, MOMENTUM), sgd_by_hand(STEPPED, MOMENTA)),
    (SGD(GLIDE, COSINE), sgd_by_hand(GLIDING, WAVE)),
    (SGD(0.2, 0.8, nesterov=True), nesterov_by_hand(constant(0.2), constant(0.8))),
    (SGD(STEPS, MOMENTUM, nesterov=True), nesterov_by_hand(STEPPED, MOMENTA)),
    (SGD(GLIDE, COSINE, nesterov=True), nesterov_by_hand(GLIDING, WAVE)),
    (RMSProp(), rmsprop_by_hand(constant(0.001))),
    (RMSProp(0.1, 0.7, 0.5), rmsprop_by_hand(constant(0.1), 0.7, 0.5)),
    (RMSProp(STEPS), rmsprop_by_hand(STEPPED)),
    (RMSProp(GLIDE), rmsprop_by_hand(GLIDING)),
    (Adam(), adam_by_hand(constant(0.001))),
    (Adam(0.1, 0.7, 0.95), adam_by_hand(constant(0.1), 0.7, 0.95)),
    (Adam(0.1, epsilon=0.5), adam_by_hand(constant(0.1), epsilon=0.5)),
    (Adam(STEPS), adam_by_hand(STEPPED)),
    (Adam(GLIDE), adam_by_hand(GLIDING)),
    (Adam(0.1, decoupled_decay=0.4), adam_by_hand(constant(0.1), decay=0.4)),
    (Adam(GLIDE, decoupled_decay=0.4), adam_by_hand(GLIDING, decay=0.4)),
    (get_optimizer("adamw"), adam_by_hand(constant(0.001), decay=0.01)),
]
each_formula = pytest.mark.parametrize(
    ("optimizer", "path"), BY_HAND, ids=[repr(optimizer) for optimizer, _ in BY_HAND]
)


@each_formula
def test_12_steps_are_the_formula(optimizer, path):
    optimizer.validate()
    assert_allclose(run(optimizer), path, rtol=1e-11)


@each_formula
def test_float32_is_kept_and_accurate(optimizer, path):
    found = run(optimizer, np.float32)
    assert found.dtype == np.float32
    assert_allclose(found, path, rtol=1e-5, atol=1e-6)


@each_formula
def test_only_the_array_standard_is_needed(optimizer, path):
    assert_allclose(run(optimizer, asarray=array_api_strict.asarray), path, rtol=1e-11)


def test_first_step_of_adam_is_the_learning_rate_in_every_direction():
    step = run(Adam(0.01))[0] - START
    assert_allclose(step, -0.01 * np.sign(GRADIENTS[0]), rtol=1e-6)


def test_adam_counts_on_where_a_checkpoint_holds_its_number_in_an_array():
    thetas = START.copy(), START.copy()
    for theta, t in zip(thetas, (2, np.asarray(2.0)), strict=True):
        state = Adam().init(theta) | {"t": t}
        Adam().step(theta, GRADIENTS[0].copy(), state)
        assert type(state["t"]) is int and state["t"] == 3
    assert_array_equal(*thetas)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
def test_nesterov_looks_ahead(momentum):
    """Equations 3 and 4 of Sutskever et al. (2013): the gradient is taken further on.

    Their parameters are `theta`; ours are where their gradient is taken.
    """
    A = np.array([[2.0, 0.3, 0.0], [0.3, 1.0, -0.4], [0.0, -0.4, 0.5]])

    def slope(x):
        return A @ x + np.cos(3.0 * x)

    optimizer, ours = SGD(0.1, momentum, nesterov=True), START.copy()
    state = optimizer.init(ours)
    theta, velocity = START.copy(), np.zeros(3)
    for _ in range(12):
        velocity = momentum * velocity - 0.1 * slope(theta + momentum * velocity)
        theta = theta + velocity
        optimizer.step(ours, slope(ours), state)
        assert_allclose(ours, theta + momentum * velocity, rtol=1e-11)


TORCH = [
    (SGD(0.1, 0.9), "SGD", {"lr": 0.1, "momentum": 0.9}),
    (
        SGD(0.1, 0.9, nesterov=True),
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    (RMSProp(0.1, 0.7, 1e-3), "RMSprop", {"lr": 0.1, "alpha": 0.7, "eps": 1e-3}),
    (
        Adam(0.1, 0.8, 0.99, 1e-3),
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-3},
    ),
    (Adam(0.1, decoupled_decay=0.4), "AdamW", {"lr": 0.1, "weight_decay": 0.4}),
]


@pytest.mark.parametrize(
    ("optimizer", "name", "options"), TORCH, ids=[repr(row[0]) for row in TORCH]
)
def test_torch_makes_the_same_steps(optimizer, name, options):
    torch = pytest.importorskip("torch")
    theta = torch.tensor(START.copy(), requires_grad=True)
    theirs, path = getattr(torch.optim, name)([theta], **options), []
    for gradient in GRADIENTS:
        theta.grad = torch.tensor(gradient.copy())
        theirs.step()
        path.append(theta.detach().numpy().copy())
    assert_allclose(run(optimizer), path, rtol=1e-11)


# Clipping

SIZES = st.floats(1e-3, 1e3)


def followed(gradient, **bounds):
    """The gradient that is followed: minus one step at rate 1 without momentum."""
    theta = np.zeros_like(gradient)
    optimizer = SGD(1.0, momentum=0.0, **bounds)
    optimizer.validate()
    with np.errstate(over="ignore"):  # as in the loop
        optimizer.step(theta, gradient.copy(), optimizer.init(theta))
    return -theta


def gradients(dtype, largest):
    floats = st.floats(-largest, largest, width=np.dtype(dtype).itemsize * 8)
    return arrays(dtype, st.integers(1, 6), elements=floats)


many_gradients = st.one_of(
    gradients(np.float64, 1e3),
    gradients(np.float32, 1e3),
    # Their squares overflow.
    gradients(np.float32, float(np.float32(1e30))),
    gradients(np.float64, 1e200),
)


@given(gradient=many_gradients, bound=SIZES)
def test_clip_norm_shortens_what_is_longer_and_nothing_else(gradient, bound):
    found = followed(gradient, clip_norm=bound)
    assert found.dtype == gradient.dtype
    about = np.finfo(gradient.dtype)
    norm, rtol = math.hypot(*gradient.tolist()), 20.0 * float(about.eps)
    if norm <= bound * (1.0 - rtol):
        assert_array_equal(found, gradient)
    else:
        expected = gradient.astype(np.float64) * min(1.0, bound / norm)
        tiny = 4.0 * about.smallest_normal
        assert_allclose(found.astype(np.float64), expected, rtol=rtol, atol=tiny)


@given(gradient=many_gradients, bound=SIZES)
def test_clip_value_bounds_every_entry(gradient, bound):
    limit = gradient.dtype.type(bound)
    found = followed(gradient, clip_value=bound)
    assert found.dtype == gradient.dtype
    outside = np.abs(gradient) > limit
    assert_array_equal(found[~outside], gradient[~outside])
    assert_array_equal(found[outside], np.copysign(limit, gradient[outside]))


def test_values_are_cut_off_before_the_norm_is_taken():
    found = followed(np.array([30.0, 4.0]), clip_value=3.0, clip_norm=1.0)
    assert_allclose(found, np.array([1.0, 1.0]) / np.sqrt(2.0), rtol=1e-14)


def test_a_gradient_that_is_not_finite_stays_so():
    """Divergence is reported by the loop; clipping must not hide it."""
    for bad in (np.nan, np.inf):
        with np.errstate(invalid="ignore"):
            found = followed(np.array([bad, 1.0]), clip_norm=1.0)
        assert not np.isfinite(found).all()


@pytest.mark.parametrize(
    ("kind", "options"),
    [(SGD, {"nesterov": True}), (RMSProp, {}), (Adam, {"decoupled_decay": 0.1})],
)
def test_every_optimizer_follows_the_clipped_gradient(kind, options, monkeypatch):
    found = run(kind(**options, clip_norm=1.5, clip_value=1.0))
    by_value = np.clip(GRADIENTS, -1.0, 1.0)
    norms = np.linalg.norm(by_value, axis=1, keepdims=True)
    assert (norms > 1.5).any()
    assert (norms < 1.5).any()
    monkeypatch.setitem(globals(), "GRADIENTS", by_value * np.minimum(1, 1.5 / norms))
    assert_allclose(found, run(kind(**options)), rtol=1e-12)


def test_clipping_needs_the_array_standard_only():
    optimizer = SGD(0.2, clip_norm=1.5, clip_value=1.0)
    found = run(optimizer, asarray=array_api_strict.asarray)
    assert_allclose(found, run(optimizer), rtol=1e-12)


# Specifications and their state

each_optimizer = pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.1, momentum=MOMENTUM),
        SGD(GLIDE, nesterov=True, clip_norm=1.0),
        RMSProp(STEPS, clip_value=0.5),
        Adam(((0, 0.01), (3, 0.001)), decoupled_decay=0.1),
    ],
    ids=repr,
)


@each_optimizer
def test_one_specification_serves_many_trainings(optimizer):
    before = optimizer.get_params()
    assert_array_equal(run(optimizer), run(optimizer))
    assert optimizer.get_params() == before


@each_optimizer
def test_state_is_flat_and_starts_at_zero(optimizer):
    theta = START.astype(np.float32)
    state = optimizer.init(theta)
    assert state["epoch"] == 0
    found = [entry for entry in state.values() if isinstance(entry, np.ndarray)]
    assert len(found) == {SGD: 1, RMSProp: 1, Adam: 2}[type(optimizer)]
    for array in found:
        assert array.dtype == np.float32
        assert_array_equal(array, np.zeros(3))
    assert_array_equal(theta, START)


@pytest.mark.parametrize(
    ("epoch", "value"), [(0, 0.5), (4, 0.5), (5, 0.9), (6, 0.9), (1000, 0.9)]
)
def test_a_value_holds_from_its_epoch_on(epoch, value):
    assert scheduled(MOMENTUM, epoch) == value


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_name_makes_a_valid_optimizer(name):
    optimizer = get_optimizer(name)
    assert isinstance(optimizer, Optimizer)
    assert get_optimizer(optimizer) is optimizer


def test_adamw_is_adam_with_decay():
    assert (
        get_optimizer("adamw").get_params() == Adam(decoupled_decay=0.01).get_params()
    )
    assert get_optimizer("adam").decoupled_decay == 0.0


# Values that are refused

FINITE = (0.0, -0.1, math.inf, math.nan, "fast", None)
RATES = (*FINITE, ((0, 0.1), (3, 0.0)), Schedule(0.1, -0.1, epochs=3))
SHARES = (-0.1, 1.0, math.nan, "fast", None)
BOUNDS = tuple(value for value in FINITE if value is not None)


def variants(kind, **wrong):
    return [kind(**{k: value}) for k, values in wrong.items() for value in values]


@pytest.mark.parametrize(
    "optimizer",
    [
        *variants(
            SGD,
            learning_rate=RATES,
            momentum=(
                *SHARES,
                ((0, 0.5), (5, 1.0)),
                Schedule(0.5, 1.0, epochs=3),
                Schedule(-0.5, 0.9, epochs=3),
            ),
            clip_norm=BOUNDS,
            clip_value=BOUNDS,
        ),
        *variants(
            RMSProp,
            learning_rate=RATES,
            decay=(*SHARES, MOMENTUM, COSINE),
            epsilon=(*FINITE, GLIDE),
            clip_norm=BOUNDS,
            clip_value=BOUNDS,
        ),
        *variants(
            Adam,
            learning_rate=RATES,
            beta_1=(*SHARES, MOMENTUM, COSINE),
            beta_2=(*SHARES, MOMENTUM, COSINE),
            epsilon=(*FINITE, GLIDE),
            decoupled_decay=(-0.1, math.inf, math.nan, "fast", None),
            clip_norm=(*BOUNDS, GLIDE),
            clip_value=BOUNDS,
        ),
    ],
    ids=repr,
)
def test_values_out_of_range_are_refused(optimizer):
    with pytest.raises(ValueError, match=r"a number.* in [\[(]0, (1|inf)\); it is"):
        get_optimizer(optimizer)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(momentum=0.0),
        SGD(1e-300, Schedule(0.0, 0.9, epochs=3), clip_norm=1e-9, clip_value=1e9),
        SGD(Schedule(0.1, 0.0, epochs=3)),
        RMSProp(decay=0.0),
        Adam(beta_1=0.0, beta_2=0.0, decoupled_decay=2.0),
        Adam(np.float32(0.1)),
        Adam(1),
    ],
    ids=repr,
)
def test_values_at_the_edge_are_accepted(optimizer):
    assert get_optimizer(optimizer) is optimizer


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
