"""Sampling, completion and reconstruction, against enumeration and by hand."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import DBN, RBM, DBNTransformer, RBMClassifier, RBMTransformer
from dbn.backend.array import sigmoid
from dbn.boltzmann import Bernoulli
from dbn.boltzmann.units.labels import with_labels
from tests.estimators.toy import REAL, X, Y, small
from tests.helpers import Enumerated, randomize

BINARY = (X[:, :4] > 0.5) * 1.0
N = 20_000
HOLES = [np.nan] * 3


def frequencies(rows, states):
    """Share of the rows that equal each state."""
    code = 2.0 ** np.arange(states.shape[1])
    order = (states @ code)[:, None] == (rows @ code)[None, :]
    return order.mean(axis=1)


def assert_sampled_from(rows, states, p):
    error = np.sqrt(p * (1 - p) / len(rows)) + 1e-12
    assert (np.abs(frequencies(rows, states) - p) < 5 * error).all()


@pytest.fixture
def machine():
    """A fitted transformer with strong weights, so that its units depend."""
    transformer = RBMTransformer(3, max_iter=1, random_state=0).fit(BINARY)
    randomize(transformer.rbm_.params, seed=4)
    return transformer


def test_samples_have_the_law_of_the_machine(machine):
    exact = Enumerated(machine.rbm_)
    rows = machine.sample(N, steps=100, random_state=0)
    assert_sampled_from(rows, exact.v, np.exp(exact.log_v))


def test_zero_steps_show_independent_units_with_the_datas_mean():
    transformer = RBMTransformer(3, max_iter=1, random_state=0).fit(BINARY)
    rows = transformer.sample(N, steps=0, random_state=0)
    assert_allclose(rows.mean(axis=0), BINARY.mean(axis=0), atol=0.02)


def test_completion_has_the_conditional_law(machine):
    exact = Enumerated(machine.rbm_)
    given = np.array([np.nan, 1.0, np.nan, 0.0])
    rows = machine.sample(N, steps=100, given=given, random_state=0)
    assert_array_equal(rows[:, [1, 3]], np.tile([1.0, 0.0], (N, 1)))
    p = np.exp(exact.log_v) * (exact.v[:, 1] == 1) * (exact.v[:, 3] == 0)
    assert_sampled_from(rows, exact.v, p / p.sum())


@pytest.mark.parametrize("labels", [False, True])
def test_means_of_completions_are_those_of_the_conditional_law(machine, labels):
    """Of one machine, also where it is a stack: hidden units see what is known."""
    if labels:
        rbm = RBM(4 + 2, 3, visible=with_labels(Bernoulli(), 4, 2))
        randomize(rbm.params, seed=4)
    else:
        rbm = machine.rbm_
    exact, rng = Enumerated(rbm), np.random.default_rng(0)
    v = np.tile([np.nan, 1.0, np.nan, 0.0], (N, 1))
    means = DBN([rbm]).complete(v, rng, 50, means=True)
    p = np.exp(exact.log_v) * (exact.v[:, 1] == 1) * (exact.v[:, 3] == 0)
    p *= exact.v[:, 4:].sum(axis=1) == labels  # one label, or none
    expected = (p / p.sum()) @ exact.v[:, :4]
    assert_allclose(means.mean(axis=0), expected, atol=0.01)


def test_samples_of_a_stack_come_down_from_the_top_machine():
    stack = DBNTransformer((3, 2), rbm=RBMTransformer(max_iter=1), random_state=0)
    stack.fit(BINARY)
    bottom, top = stack.dbn_.rbms
    for i, rbm in enumerate((bottom, top)):
        randomize(rbm.params, seed=i)
    middle, visible = Enumerated(top), Enumerated(bottom).v
    on = sigmoid(bottom.visible_input(middle.v))
    given_middle = np.where(visible[:, None, :] == 1, on, 1 - on).prod(axis=2)
    p = given_middle @ np.exp(middle.log_v)
    assert_sampled_from(stack.sample(N, steps=100, random_state=0), visible, p)


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
def test_same_seed_same_samples_in_the_units_and_dtype_of_the_data(cls):
    transformer = small(cls).fit(REAL.astype(np.float32))
    rows = transformer.sample(500, steps=5, random_state=1)
    assert rows.dtype == np.float32
    assert_array_equal(rows, transformer.sample(500, steps=5, random_state=1))
    assert_allclose(rows.mean(axis=0), REAL.mean(axis=0), atol=1.0)
    assert_allclose(rows.std(axis=0), REAL.std(axis=0), rtol=0.3)


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
def test_means_are_in_the_units_of_the_data(cls):
    model, asked = small(cls).fit(REAL), {"steps": 5, "random_state": 0}
    rows, means = (model.sample(3000, means=m, **asked) for m in (False, True))
    assert means.var(axis=0).max() < 0.5 * rows.var(axis=0).min()
    assert_allclose(means.mean(axis=0), rows.mean(axis=0), atol=0.3)
    given = np.array([2.0, np.nan, 1.0, np.nan, 0.0])
    found = model.sample(50, given=given, means=True, **asked)
    assert_allclose(found[:, ::2], np.tile(given[::2], (50, 1)))
    assert (np.abs(found[:, 1::2] - REAL.mean(axis=0)[1::2]) < 2.0).all()


def test_given_values_are_in_the_units_of_the_data():
    transformer = small(RBMTransformer).fit(REAL)
    given = np.array([1.5, np.nan, -2.0, np.nan, np.nan])
    rows = transformer.sample(3, steps=2, given=given, random_state=0)
    assert_allclose(rows[:, [0, 2]], np.tile([1.5, -2.0], (3, 1)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
def test_given_numbers_come_back_as_they_were(cls, dtype):
    """Standardised and back they were off in the last digits."""
    A = (1e3 * REAL + 0.1).astype(dtype)
    model = small(cls).fit(A)
    known = np.random.default_rng(0).random(A.shape) < 0.5
    for means in (False, True):
        asked = {"steps": 1, "means": means, "random_state": 0}
        rows = model.sample(given=np.where(known, A, np.nan), **asked)
        assert rows.dtype == dtype and np.isfinite(rows).all()
        assert_array_equal(rows[known], A[known])
        row = np.where(known[0], A[0], np.nan)
        many = model.sample(3, given=row, **asked)
        assert_array_equal(many[:, known[0]], np.tile(A[0, known[0]], (3, 1)))


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
def test_given_values_of_a_frame_come_back_as_they_were(cls):
    frame = pd.DataFrame(
        {
            "size": 1e3 * REAL[:, 0] + 0.1,
            "colour": np.array(["red", "green", "blue"])[np.arange(60) % 3],
            "new": Y == 1,
        },
        index=np.arange(60) + 7,
    )
    model = small(cls).fit(frame)
    holes = frame.astype({"new": object})
    for i, name in enumerate(frame.columns):
        holes.loc[holes.index[i::4], name] = None
    rows = model.sample(given=holes, steps=2, random_state=0)
    assert [*rows.index] == [*frame.index] and not rows.isna().any(axis=None)
    known = holes.notna().to_numpy()
    assert (rows.to_numpy(object) == frame.to_numpy(object))[known].all()
    assert rows["new"].dtype == bool
    numbers = [frame["size"].iloc[0], *(4 * [np.nan])]
    rows = model.sample(2, given=numbers, steps=2, random_state=0)
    assert_array_equal(rows["size"], 2 * numbers[:1])


@pytest.mark.parametrize("data", [X, REAL])
def test_reconstruction_by_hand(data):
    transformer = small(RBMTransformer).fit(data)
    H = transformer.transform(data)
    by_hand = H @ transformer.rbm_.W.T + transformer.rbm_.b
    if data is X:
        by_hand = sigmoid(by_hand)
    else:
        by_hand *= np.exp(transformer.rbm_.params["visible_log_variance"])
        by_hand = by_hand * data.std(axis=0) + data.mean(axis=0)
    assert_allclose(transformer.inverse_transform(H), by_hand, rtol=1e-10)


def test_reconstruction_of_a_stack_by_hand():
    stack = small(DBNTransformer).fit(X)
    H = stack.transform(X)
    by_hand = H
    for rbm in reversed(stack.dbn_.rbms):
        by_hand = sigmoid(by_hand @ rbm.W.T + rbm.b)
    assert_allclose(stack.inverse_transform(H), by_hand, rtol=1e-10)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0, np.nan], r"given has shape \(2,\); it needs \(4,\), with NaN"),
        ([2.0, *HOLES], r"need values in \[0, 1\]; given has .* maximum 2"),
        ([[2.0, *HOLES]], r"need values in \[0, 1\]; given has .* maximum 2"),
        ([[1.0, np.nan]], "given has 2 features, but RBMTransformer is expecting 4"),
        ([np.inf, *HOLES], r"Input given contains infinity \(1 values\)"),
        ([[np.inf, *HOLES]], r"Input given contains infinity \(1 values\)"),
        (["a", *HOLES], "given: could not convert string to float"),
    ],
)
def test_impossible_completions(machine, given, message):
    with pytest.raises(ValueError, match=message):
        machine.sample(given=given)


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
@pytest.mark.parametrize("data", [X, REAL])
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_nothing_given_is_infinite(cls, data, bad):
    given = np.array([bad, np.nan, np.nan, np.nan, 0.0])
    model = small(cls).fit(data)
    for rows in (given, given[None, :], given.tolist()):
        with pytest.raises(ValueError, match="Input given contains infinity"):
            model.sample(given=rows)


def test_an_unknown_value_may_be_none_and_a_known_one_true(machine):
    rows = machine.sample(3, given=[True, None, None, 0], steps=2, random_state=0)
    assert_array_equal(rows[:, [0, 3]], np.tile([1.0, 0.0], (3, 1)))


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
def test_wrong_number_of_hidden_columns(cls):
    transformer = small(cls).fit(X)
    with pytest.raises(ValueError, match=r"H has 9 columns; .* hidden units"):
        transformer.inverse_transform(np.zeros((1, 9)))


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer, RBMClassifier])
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"n_samples": 0}, "n_samples is 0; it must be an integer of at least 1"),
        ({"steps": -1}, "steps is -1; it must be an integer of at least 0"),
        ({"steps": 2.5}, "steps is 2.5; it must be an integer"),
    ],
)
def test_chains_are_one_or_more_and_go_forwards(cls, asked, message):
    model = small(cls).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.sample(**asked)
