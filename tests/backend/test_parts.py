import pytest
from sklearn.base import clone

from dbn.backend.parts import get_part
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
