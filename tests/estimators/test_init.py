"""Where the weights start: `init`, and how it goes together with the rest."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.frozen import FrozenEstimator

from dbn import DBNClassifier, DBNTransformer, RBMTransformer
from dbn.feedforward import Normal, VarianceScaling
from dbn.training import SGD

from .toy import PREDICTORS, REAL, X, Y, buffers, message, rbm, small

STILL = SGD(1e-12, momentum=0.0)  # fine-tuning that stays at the start


def start(cls, data=X, **params):
    """An estimator that is fitted but has not moved from its initial weights."""
    return small(cls, max_iter=1, optimizer=STILL, **params).fit(data, Y)


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("data", [X, REAL])
def test_dbn_copies_the_stack_into_the_hidden_layers(cls, data):
    fitted = start(cls, data)
    hidden = fitted.network_.dense[:-1]
    for (W, c), machine in zip(hidden, fitted.dbn_.rbms, strict=True):
        assert_allclose(W, machine.W, atol=1e-9)
        assert_allclose(c, machine.c, atol=1e-9)
        assert not np.shares_memory(W, machine.W)


@pytest.mark.parametrize("data", [X, REAL])
def test_tanh_layers_start_at_twice_the_stack_minus_one(data):
    fitted = start(DBNClassifier, data, activation="tanh")
    h = data if fitted.mean_ is None else (data - fitted.mean_) / fitted.scale_
    activities = fitted.network_.activations(h)[2::2]
    for machine, t in zip(fitted.dbn_.rbms, activities, strict=True):
        h = expit(h @ machine.W + machine.c)
        assert_allclose(t, 2.0 * h - 1.0, atol=1e-8)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("xavier_uniform", "glorot_uniform"),
        ("he_normal", "kaiming_normal"),
        ("xavier_uniform", VarianceScaling()),
        ("normal", Normal(0.01)),
    ],
)
def test_names_of_the_same_initializer_give_the_same_weights(one, other):
    starts = [start(DBNClassifier, init=init).network_ for init in (one, other)]
    assert_array_equal(starts[0].params.flat, starts[1].params.flat)


def test_every_init_sees_the_same_preprocessing():
    fits = [start(DBNClassifier, REAL, init=init) for init in ("dbn", "zeros")]
    assert_array_equal(fits[0].mean_, fits[1].mean_)
    assert_array_equal(fits[0].scale_, fits[1].scale_)
    assert_allclose(fits[0].mean_, REAL.mean(axis=0))
    assert_allclose(fits[0].scale_, REAL.std(axis=0))


def test_the_prototype_decides_the_visible_units_for_every_init():
    for init in ("dbn", "zeros"):
        clf = start(DBNClassifier, X, init=init, rbm=rbm(visible="gaussian"))
        assert repr(clf.visible_) == "Gaussian()"


def test_one_prototype_per_layer():
    rbms = [rbm(max_iter=1), rbm(max_iter=3, n_components=99)]
    stack = small(DBNTransformer, rbm=rbms).fit(X)
    assert stack.n_iter_ == [1, 3]
    assert [machine.W.shape for machine in stack.dbn_.rbms] == [(5, 4), (4, 3)]


def test_above_the_first_layer_the_prototypes_visible_units_are_not_used():
    stack = small(DBNTransformer, rbm=rbm(visible="gaussian", hidden="bernoulli"))
    above = stack.fit(REAL).dbn_.rbms[1]
    assert repr(above.visible) == "Bernoulli()"


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize(
    ("activation", "hidden"), [("relu", "bernoulli"), ("logistic", "gaussian")]
)
def test_units_and_activation_that_do_not_fit_are_both_named(cls, activation, hidden):
    estimator = small(cls, activation=activation, rbm=rbm(hidden=hidden))
    text = message(estimator.fit, X, Y).lower()
    assert hidden in text
    assert activation in text


def test_a_refit_with_another_init_forgets_the_stack():
    clf = small(DBNClassifier).fit(X, Y)
    assert not hasattr(clf.set_params(init="zeros").fit(X, Y), "dbn_")


# A stack that was pretrained before


@pytest.fixture(scope="module")
def stack():
    return small(DBNTransformer).fit(REAL)


def frozen(stack, cls=DBNClassifier, **params):
    sizes = {"hidden_layer_sizes": (256,)}
    return small(cls, init=FrozenEstimator(stack), **sizes | params)


@pytest.mark.parametrize("cls", PREDICTORS)
def test_a_frozen_stack_starts_the_net_and_stays_as_it_is(stack, cls):
    before = [params.flat.copy() for params in buffers(stack)]
    fitted = frozen(stack, cls, optimizer="adam", max_iter=2).fit(REAL, Y)
    for params, kept in zip(buffers(stack), before, strict=True):
        assert_array_equal(params.flat, kept)
    assert np.abs(fitted.network_.dense[0][0] - stack.dbn_.rbms[0].W).max() > 1e-4
    still = frozen(stack, cls, optimizer=STILL, max_iter=1).fit(REAL, Y)
    assert_allclose(still.network_.dense[0][0], stack.dbn_.rbms[0].W, atol=1e-9)


def test_a_frozen_stack_brings_its_preprocessing(stack):
    fitted = frozen(stack).fit(REAL[:20] + 5.0, Y[:20])
    assert_array_equal(fitted.mean_, stack.mean_)
    assert "pretrain" not in {entry["phase"] for entry in fitted.history_}


def test_a_frozen_stack_keeps_float32(stack):
    rows = REAL.astype(np.float32)
    assert frozen(stack).fit(rows, Y).predict_proba(rows).dtype == np.float32


def test_the_same_sizes_may_be_given_with_a_frozen_stack(stack):
    fitted = frozen(stack, hidden_layer_sizes=(4, 3)).fit(REAL, Y)
    assert [W.shape[1] for W in fitted.coefs_] == [4, 3, 2]


def test_a_frozen_stack_that_does_not_fit_is_refused(stack):
    text = message(frozen(stack, hidden_layer_sizes=(4,)).fit, REAL, Y)
    assert "[4]" in text
    assert "[4, 3]" in text
    text = message(frozen(stack).fit, REAL[:, :3], Y)
    assert "3 features" in text
    assert "5" in text
    for wrong in (small(DBNTransformer), RBMTransformer(), small(DBNClassifier)):
        text = message(frozen(wrong).fit, REAL, Y)
        assert "fitted DBNTransformer" in text
        assert type(wrong).__name__ in text


def test_a_frozen_stack_refuses_columns_in_another_order():
    frame = pd.DataFrame(REAL, columns=[*"abcde"])
    stack = small(DBNTransformer).fit(frame)
    text = message(frozen(stack).fit, frame[[*"edcba"]], Y)
    assert "feature names" in text
