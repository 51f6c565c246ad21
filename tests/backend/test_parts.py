import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from dbn.backend.parts import Schedule, get_part, scheduled
from dbn.boltzmann import CD, Bernoulli, Gaussian, Sampler, get_sampler, get_units
from dbn.feedforward import (
    Logistic,
    ReLU,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    VarianceScaling,
    Zeros,
    get_activation,
    get_initializer,
    get_loss,
)
from dbn.training import SGD, Adam, get_optimizer

NAMED = [
    (get_units, "bernoulli", Bernoulli),
    (get_units, "gaussian", Gaussian),
    (get_sampler, "cd", CD),
    (get_activation, "logistic", Logistic),
    (get_activation, "relu", ReLU),
    (get_activation, "tanh", Tanh),
    (get_loss, "cross_entropy", SoftmaxCrossEntropy),
    (get_loss, "squared_error", SquaredError),
    (get_initializer, "zeros", Zeros),
    (get_initializer, "xavier_uniform", VarianceScaling),
    (get_optimizer, "sgd", SGD),
    (get_optimizer, "adam", Adam),
]


@pytest.mark.parametrize(("get", "name", "kind"), NAMED)
def test_a_string_makes_a_new_part(get, name, kind):
    assert type(get(name)) is kind
    assert get(name) is not get(name)


@pytest.mark.parametrize(("get", "name", "kind"), NAMED)
def test_an_object_is_returned_itself(get, name, kind):
    part = kind()
    assert get(part) is part


@pytest.mark.parametrize("get", dict.fromkeys(get for get, _, _ in NAMED))
@pytest.mark.parametrize("wrong", ["no such part", 3, None, CD, object()])
def test_anything_else_is_refused_by_name(get, wrong):
    with pytest.raises(ValueError, match=r"is not known\. Use one of \[") as error:
        get(wrong)
    assert f"={wrong!r} is" in str(error.value)


def test_error_of_get_part_says_what_to_do():
    message = (
        "sampler='cdd' is not known. Use one of ['cd'] or an object of a class derived "
        "from Sampler."
    )
    with pytest.raises(ValueError) as error:
        get_part("cdd", Sampler, {"cd": CD}, "sampler")
    assert str(error.value) == message


@pytest.mark.parametrize("part", [CD(k=3), SGD(0.2, momentum=((0, 0.5), (5, 0.9)))])
def test_parts_can_be_cloned(part):
    assert clone(part).get_params() == part.get_params()
    assert clone(part) is not part


# Schedules

KINDS = ["linear", "cosine", "exponential", "inverse"]
POSITIVE = st.floats(1e-6, 10.0)


@given(
    start=POSITIVE,
    end=POSITIVE,
    hold=st.integers(0, 20),
    length=st.integers(1, 50),
    kind=st.sampled_from(KINDS),
)
def test_a_schedule_holds_then_moves_one_way_then_holds(start, end, hold, length, kind):
    rate = Schedule(start, end, epochs=hold + length, kind=kind, hold=hold)
    rate.validate()
    values = [scheduled(rate, epoch) for epoch in range(hold + length + 3)]
    assert all(math.isclose(v, start) for v in values[: hold + 1])
    assert all(math.isclose(v, end) for v in values[hold + length :])
    steps = [b - a for a, b in itertools.pairwise(values)]
    direction = math.copysign(1.0, end - start)
    assert all(step * direction >= -1e-12 for step in steps)


@pytest.mark.parametrize(
    ("kind", "halfway"),
    [("linear", 0.5), ("cosine", 0.5), ("exponential", 0.1), ("inverse", 1 / 50.5)],
)
def test_a_schedule_halfway(kind, halfway):
    rate = Schedule(1.0, 0.01, epochs=10, kind=kind)
    shift = 0.005 if kind in ("linear", "cosine") else 0.0
    assert math.isclose(rate(5), halfway + shift)


def test_a_learning_rate_may_end_at_zero_and_a_momentum_below_one():
    get_optimizer(SGD(Schedule(0.1, 0.0, epochs=3), Schedule(0.5, 0.9, epochs=3)))
    cloned = clone(SGD(Schedule(0.1, 0.0, epochs=3))).set_params(learning_rate__hold=1)
    assert scheduled(cloned.learning_rate, 1) == 0.1


@pytest.mark.parametrize(
    ("rate", "seen"),
    [
        (Schedule(0.1, -0.1, epochs=3), "learning_rate must be a number"),
        (Schedule(0.0, 0.1, epochs=3), "learning_rate must be a number"),
        (Schedule(0.1, 0.0, epochs=0), "epochs must be an integer in [1"),
        (Schedule(0.1, 0.0, epochs=3, hold=3), "hold must be an integer in [0, 3)"),
        (Schedule(0.1, 0.0, epochs=3, kind="exponential"), "end must be a number"),
        (Schedule(0.1, 0.0, epochs=3, kind="up"), "kind is 'up'; use 'linear'"),
    ],
)
def test_a_wrong_schedule_is_refused(rate, seen):
    with pytest.raises(ValueError) as error:
        get_optimizer(SGD(rate))
    assert seen in str(error.value)


def test_numbers_of_steps_do_not_glide():
    with pytest.raises(ValueError, match="k must be an integer or a schedule"):
        get_sampler(CD(k=Schedule(1, 25, epochs=3)))


@pytest.mark.parametrize(("get", "name", "_"), NAMED)
def test_parts_made_alike_are_equal(get, name, _):
    one, other = get(name), get(name)
    assert one == other and hash(one) == hash(other) and clone(one) == one
    assert len({one, other}) == 1


def test_parts_are_equal_in_all_they_are():
    assert SGD(0.1) != SGD(0.2) != Adam(0.2)
    assert get_sampler("cd") != get_units("bernoulli") != "bernoulli"
    assert Gaussian() != Gaussian(learn_variance=True)
    # What `repr` leaves out of long sequences.
    steps = [tuple((epoch, 0.1) for epoch in range(n)) for n in (40, 40, 41)]
    one, same, other = (SGD(pairs) for pairs in steps)
    assert one == same != other
    assert Schedule(0.1, 0.0, epochs=3) == Schedule(0.1, 0.0, epochs=3)


def test_a_class_that_adds_nothing_is_another():
    class Own(Bernoulli):
        pass

    assert Own() != Bernoulli() and Bernoulli() != Own()
    assert Own() == Own() and hash(Own()) == hash(Own())


@given(
    first=st.integers(0, 30),
    n_epochs=st.integers(1, 30),
    hold=st.integers(0, 10),
    kind=st.sampled_from(["linear", "cosine", "exponential", "inverse"]),
)
def test_a_schedule_without_end_ends_with_the_training(first, n_epochs, hold, kind):
    """From its start at the first epoch to its end at that after the last."""
    optimizer = SGD(Schedule(0.5, 0.1, kind=kind, hold=hold))
    rate = optimizer.within(first, n_epochs).learning_rate
    if hold >= n_epochs:
        assert rate == 0.5
    else:
        assert rate(first) == rate(first + hold) == 0.5
        assert rate(first + n_epochs) == pytest.approx(0.1)
        same = Schedule(0.5, 0.1, epochs=n_epochs, kind=kind, hold=hold)
        assert rate(first + n_epochs - 1) == pytest.approx(same(n_epochs - 1))
    assert optimizer.learning_rate(first + n_epochs) == 0.5  # nobody knows the end


def test_what_ends_by_itself_does_not_depend_on_the_training():
    for optimizer in (SGD(0.1), SGD(Schedule(0.1, 0.0, epochs=3)), SGD(((0, 0.1),))):
        assert optimizer.within(2, 5) is optimizer
        assert not optimizer.open_schedules
