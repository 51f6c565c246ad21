import array_api_strict
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss, mean_squared_error

from dbn import Network
from dbn.feedforward import (
    BinaryCrossEntropy,
    BlockLoss,
    OfKnown,
    SoftmaxCrossEntropy,
    SpinCrossEntropy,
    SquaredError,
)
from tests.helpers import numerical_gradient, read_only

SHAPE = (4, 3)
LOSSES = [SoftmaxCrossEntropy(), BinaryCrossEntropy(), SquaredError()]
LOSSES += [SpinCrossEntropy(), OfKnown(BinaryCrossEntropy())]
LOSSES += [BlockLoss([(SquaredError(), 1), (BinaryCrossEntropy(), 2)])]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)
one_hot = st.lists(st.integers(0, 2), min_size=4, max_size=4).map(
    lambda i: np.eye(3)[i]
)
outputs = arrays(np.float64, SHAPE, elements=st.floats(-20.0, 20.0))
# log_loss clips probabilities at 2e-16, which is exp(-36).
near_outputs = arrays(np.float64, SHAPE, elements=st.floats(-16.0, 16.0))
weights = st.none() | arrays(np.float64, 4, elements=st.floats(0.1, 5.0))


@given(z=near_outputs, y=one_hot, weight=weights)
def test_cross_entropy_is_sklearns_log_loss(z, y, weight):
    value = SoftmaxCrossEntropy().value(*read_only(z, y), weight)
    p, labels = scipy.special.softmax(z, axis=1), y.argmax(axis=1)
    expected = log_loss(labels, p, sample_weight=weight, labels=[0, 1, 2])
    # The softmax rounds probabilities near 1: the error of their logarithm is absolute.
    assert_allclose(value, expected, rtol=1e-6, atol=1e-12)


@given(
    z=outputs,
    y=arrays(np.float64, SHAPE, elements=st.sampled_from([0.0, 1.0])),
    weight=weights,
)
def test_binary_cross_entropy_is_the_sum_of_sklearns_log_losses(z, y, weight):
    value = BinaryCrossEntropy().value(*read_only(z, y), weight)
    columns = zip(y.T, scipy.special.expit(z).T, strict=True)
    expected = [
        log_loss(labels, p, sample_weight=weight, labels=[0, 1])
        for labels, p in columns
    ]
    # log_loss has p = 1 where 1 - p is below its eps.
    assert_allclose(value, sum(expected), rtol=1e-6, atol=1e-7)


def test_binary_cross_entropy_is_precise_in_both_tails():
    z = np.array([[800.0, -800.0], [40.0, -40.0]])
    rows = BinaryCrossEntropy().row_values(z, np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert_allclose(rows, [1600.0, 2.0 * np.exp(-40.0)], rtol=1e-12)


def test_binary_cross_entropy_takes_probabilities_as_targets():
    """Its minimum is the entropy of the targets, where the prediction equals them."""
    y = np.array([[0.2, 0.9, 0.5]])
    z = scipy.special.logit(y)
    entropy = (scipy.special.entr(y) + scipy.special.entr(1.0 - y)).sum()
    assert_allclose(BinaryCrossEntropy().value(z, y), entropy, rtol=1e-12)
    assert BinaryCrossEntropy().value(z + 0.1, y) > entropy


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_loss
def test_losses_on_another_library(loss, dtype):
    rng = np.random.default_rng(0)
    z, y = 10.0 * rng.standard_normal(SHAPE), np.eye(3)[[0, 2, 1, 0]]
    arguments = [a.astype(dtype) for a in (z, y, rng.random(4))]
    strict = [array_api_strict.asarray(a) for a in arguments]
    for name in ("value", "gradient"):
        result = getattr(loss, name)(*strict)
        assert result.__array_namespace__() is array_api_strict
        expected = getattr(loss, name)(*arguments)
        assert_allclose(np.asarray(result), expected, rtol=1e-6)


@given(z=outputs, y=outputs, weight=weights)
def test_squared_error_is_half_the_sum_of_squares(z, y, weight):
    value = SquaredError().value(*read_only(z, y), weight)
    mean_of_outputs = mean_squared_error(y, z, sample_weight=weight)
    assert_allclose(value, 0.5 * SHAPE[1] * mean_of_outputs, rtol=1e-12, atol=1e-300)


@each_loss
@given(z=outputs, y=one_hot, weight=weights)
def test_gradient_is_that_of_value(loss, z, y, weight):
    gradient = loss.gradient(*read_only(z, y), weight)
    expected = numerical_gradient(lambda: loss.value(z, y, weight), z, step=1e-5)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@each_loss
@given(z=outputs, y=one_hot, weight=weights)
def test_gradient_vanishes_where_the_prediction_is_the_target(loss, z, y, weight):
    assert_allclose(loss.gradient(z, loss.predict(z), weight), 0.0, atol=1e-15)


@each_loss
def test_value_is_the_weighted_mean_of_the_rows(loss):
    rng = np.random.default_rng(0)
    z, y, weight = rng.standard_normal(SHAPE), np.eye(3)[[0, 2, 1, 0]], rng.random(4)
    rows = loss.row_values(z, y)
    assert rows.shape == (4,)
    assert_allclose(loss.value(z, y), rows.mean(), rtol=1e-14)
    assert_allclose(loss.value(z, y, weight), np.average(rows, weights=weight))
    for w in (None, weight):
        value, gradient = loss.value_and_gradient(z, y, w)
        assert value == loss.value(z, y, w)
        assert_array_equal(gradient, loss.gradient(z, y, w))


@given(z=outputs)
def test_softmax_predicts_probabilities(z):
    p = SoftmaxCrossEntropy().predict(read_only(z))
    assert_allclose(p, scipy.special.softmax(z, axis=1), rtol=1e-12)
    assert_allclose(p.sum(axis=1), 1.0, rtol=1e-14)


def test_cross_entropy_is_finite_for_a_confident_mistake():
    z, y = np.array([[1e4, 0.0]]), np.array([[0.0, 1.0]])
    assert SoftmaxCrossEntropy().value(z, y) == 1e4


@each_loss
def test_float32_is_kept(loss):
    z = np.ones(SHAPE, np.float32)
    y, weight = np.zeros(SHAPE, np.float32), np.ones(4, np.float32)
    for w in (None, weight):
        assert loss.value(z, y, w).dtype == np.float32
        assert loss.gradient(z, y, w).dtype == np.float32
    assert loss.predict(z).dtype == np.float32


# Rows that are reconstructed


def test_spins_are_bits_of_another_coding():
    rng = np.random.default_rng(0)
    z, spins = 5.0 * rng.standard_normal(SHAPE), rng.choice([-1.0, 1.0], SHAPE)
    bits = 0.5 * (spins + 1.0)
    found = SpinCrossEntropy().row_values(z, spins)
    assert_allclose(found, BinaryCrossEntropy().row_values(2.0 * z, bits), rtol=1e-12)
    assert_allclose(SpinCrossEntropy().predict(z), np.tanh(z), rtol=1e-14)
    assert np.isfinite(SpinCrossEntropy().row_values(1e4 * z, spins)).all()


MIXED = BlockLoss(
    [(SquaredError(), 2), (SoftmaxCrossEntropy(), 3), (SquaredError(), 1)]
)
_rng = np.random.default_rng(1)
Z = read_only(_rng.standard_normal((5, 6)))
Y = _rng.standard_normal((5, 6))
Y[:, 2:5] = np.eye(3)[[0, 2, 1, 1, 0]]


def test_blocks_add_up():
    numbers = [0, 1, 5]
    expected = SquaredError().row_values(Z[:, numbers], Y[:, numbers])
    expected = expected + SoftmaxCrossEntropy().row_values(Z[:, 2:5], Y[:, 2:5])
    assert_allclose(MIXED.row_values(Z, Y), expected, rtol=1e-13)
    assert_allclose(MIXED.predict(Z)[:, numbers], Z[:, numbers])
    assert_allclose(MIXED.predict(Z)[:, 2:5].sum(axis=1), 1.0, rtol=1e-13)


def with_holes(y):
    y = y.copy()
    y[0, 0] = y[1, 5] = y[4, 0] = np.nan
    y[3, 2:5] = np.nan  # a category is known or not
    return y


def test_what_is_not_known_does_not_count():
    loss, y = OfKnown(MIXED), read_only(with_holes(Y))
    entries = MIXED.entries(Z, Y)
    expected = np.where(np.isnan(y), 0.0, entries).sum(axis=1)
    assert_allclose(loss.row_values(Z, y), expected, rtol=1e-13)
    z, weight = Z.copy(), np.arange(1.0, 6.0)
    numeric = numerical_gradient(lambda: loss.value(z, y, weight), z)
    assert_allclose(loss.gradient(Z, y, weight), numeric, rtol=1e-6, atol=1e-9)
    assert not loss.gradient(Z, y)[np.isnan(y)].any()


def test_the_constant_prediction_is_that_of_what_is_known():
    y, weight = with_holes(Y), np.arange(1.0, 6.0)
    found = OfKnown(SquaredError()).constant(y[:, [0, 1, 5]], weight)
    expected = 0.0
    for column in y[:, [0, 1, 5]].T:
        known, w = ~np.isnan(column), weight
        mean = np.average(column[known], weights=w[known])
        expected += 0.5 * (w[known] @ (column[known] - mean) ** 2) / w.sum()
    assert_allclose(found, expected, rtol=1e-12)


def test_the_constant_prediction_of_many_rows_takes_them_in_slices():
    y = np.random.default_rng(0).random((5000, 300))
    loss = BinaryCrossEntropy()
    z = np.broadcast_to(loss.link(y.mean(axis=0)[None, :]), y.shape)
    assert_allclose(loss.constant(y), loss.value(z, y), rtol=1e-12)


def test_blocks_must_be_those_of_the_outputs():
    for loss in (MIXED, OfKnown(MIXED)):
        Network([3, 6], loss=loss)
        with pytest.raises(ValueError, match="6 in all, and the net 5 outputs"):
            Network([3, 5], loss=loss)


@pytest.mark.parametrize("blocks", [[], None, [(SquaredError(), 0)], [SquaredError()]])
def test_blocks_that_are_none(blocks):
    with pytest.raises(ValueError, match="BlockLoss needs"):
        Network([3, 6], loss=BlockLoss(blocks))
    with pytest.raises(ValueError, match="is not known"):
        Network([3, 6], loss=OfKnown("squared_error"))
