"""Fitted attributes: they reproduce the estimator by hand, for X as the user has it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.datasets import load_diabetes

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
)
from dbn.training import Adam

from .toy import ALL, PREDICTORS, REAL, Y3, X, Y, rbm, small

DATA = pytest.mark.parametrize(
    "data", [pytest.param(X, id="bernoulli"), pytest.param(REAL, id="gaussian")]
)
FUNCTIONS = {
    "logistic": expit,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
}


def forward(estimator, data):
    """The net by hand, from `coefs_` and `intercepts_`."""
    *hidden, (W, c) = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    for W_hidden, c_hidden in hidden:
        data = FUNCTIONS[estimator.activation](data @ W_hidden + c_hidden)
    return data @ W + c


@DATA
@pytest.mark.parametrize(
    ("init", "activation"),
    [("dbn", "logistic"), ("dbn", "tanh"), ("he_normal", "relu")],
)
def test_coefs_reproduce_the_classifier(data, init, activation):
    clf = small(DBNClassifier, init=init, activation=activation).fit(data, Y3)
    z = forward(clf, data)
    assert_allclose(clf.decision_function(data), z, rtol=1e-10)
    assert_allclose(clf.predict_proba(data), softmax(z, axis=1), rtol=1e-10)
    assert_array_equal(clf.predict(data), clf.classes_[z.argmax(axis=1)])


@DATA
@pytest.mark.parametrize("targets", [300.0 + 50.0 * X[:, 0], REAL[:, :2] * 100.0])
def test_coefs_reproduce_the_regressor(data, targets):
    reg = small(DBNRegressor).fit(data, targets)
    predicted = reg.predict(data)
    assert predicted.shape == targets.shape
    assert_allclose(predicted.reshape(len(X), -1), forward(reg, data), rtol=1e-10)


@DATA
@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_components_reproduce_transform(data, hidden):
    fitted = small(RBMTransformer, hidden=hidden).fit(data)
    x = data @ fitted.components_.T + fitted.intercept_hidden_
    mean = expit(x) if hidden == "bernoulli" else x
    assert_allclose(fitted.transform(data), mean, rtol=1e-8, atol=1e-12)


def test_visible_biases_are_in_the_units_of_the_data():
    fitted = small(RBMTransformer, visible="gaussian").fit(REAL)
    for standardised in (0.0, 1.0):
        fitted.rbm_.b[...] = standardised
        expected = REAL.mean(axis=0) + standardised * REAL.std(axis=0)
        assert_allclose(fitted.intercept_visible_, expected)
    bernoulli = small(RBMTransformer).fit(X)
    assert_array_equal(bernoulli.intercept_visible_, bernoulli.rbm_.b)


def test_visible_biases_of_learned_variances_are_means_too():
    """The mean of a column of numbers where all hidden units are off."""
    table = np.column_stack([REAL[:, :2], X[:, 0] > 0.5, REAL[:, 2]])
    for rows, numbers in ((REAL, [0, 1, 2, 3, 4]), (table, [0, 1, 3])):
        fitted = small(RBMTransformer).fit(rows)
        flat = fitted.rbm_.params.flat
        flat[...] = np.linspace(-1.0, 1.0, len(flat))
        off = fitted.inverse_transform(np.zeros((1, 4)))[0]
        assert_allclose(fitted.intercept_visible_[numbers], off[numbers])
    assert fitted.intercept_visible_[2] == fitted.rbm_.b[2]


@DATA
def test_stack_transform_is_the_up_pass_by_hand(data):
    stack = small(DBNTransformer).fit(data)
    h = data if stack.mean_ is None else (data - stack.mean_) / stack.scale_
    for machine in stack.dbn_.rbms:
        h = expit(h @ machine.W + machine.c)
    assert_allclose(stack.transform(data), h, rtol=1e-10)


def test_binary_decision_function_is_positive_for_the_second_class():
    clf = small(DBNClassifier, max_iter=30).fit(X, Y)
    z, p = forward(clf, X), clf.predict_proba(X)
    decision = clf.decision_function(X)
    assert_allclose(decision, z[:, 1] - z[:, 0], rtol=1e-10)
    assert_allclose(decision, np.log(p[:, 1] / p[:, 0]), rtol=1e-6)
    assert_array_equal(clf.predict(X), clf.classes_[(decision > 0).astype(int)])


@pytest.mark.parametrize(
    "labels", [Y3, np.array([-1, 5, 40])[np.digitize(X[:, 0], [0.3, 0.6])], Y > 0]
)
def test_labels_of_any_kind_come_back(labels):
    clf = small(DBNClassifier).fit(X, labels)
    assert_array_equal(clf.classes_, np.unique(labels))
    assert clf.predict(X).dtype == labels.dtype


@pytest.mark.parametrize("cls", ALL)
def test_history_has_one_entry_per_epoch(cls):
    fitted = small(cls).fit(X, Y)
    layers = 1 if cls is RBMTransformer else 2
    seen = [(e["phase"], e.get("layer"), e["epoch"]) for e in fitted.history_]
    expected = [("pretrain", i, j) for i in range(layers) for j in range(2)]
    if cls in (*PREDICTORS, DBNAutoencoder):
        expected += [("finetune", None, j) for j in range(3)]
    assert seen == expected
    metric = {"pretrain": "reconstruction_error", "finetune": "loss"}
    assert all(np.isfinite(e[metric[e["phase"]]]) for e in fitted.history_)
    assert all(type(e[metric[e["phase"]]]) is float for e in fitted.history_)


def test_n_iter_and_loss_curve_agree_with_the_history():
    assert small(RBMTransformer).fit(X).n_iter_ == 2
    assert small(DBNTransformer).fit(X).n_iter_ == [2, 2]
    for cls in PREDICTORS:
        fitted = small(cls, max_iter=7).fit(X, Y)
        losses = [e["loss"] for e in fitted.history_ if e["phase"] == "finetune"]
        assert fitted.loss_curve_ == losses
        assert fitted.n_iter_ == len(losses) == 7


def test_the_last_loss_is_the_loss_before_the_last_full_batch_step():
    # In one full batch the loss of epoch j is that of the net after j - 1 epochs.
    options = {"init": "xavier_uniform", "batch_size": 1000, "optimizer": Adam(0.01)}
    before = small(DBNClassifier, max_iter=4, **options).fit(X, Y)
    after = small(DBNClassifier, max_iter=5, **options).fit(X, Y)
    p = before.predict_proba(X)[np.arange(len(Y)), Y]
    assert_allclose(after.loss_curve_[-1], -np.log(p).mean(), rtol=1e-10)


def test_the_regressor_learns_targets_far_from_zero():
    data, targets = load_diabetes(return_X_y=True)  # y is about 150 +- 77
    reg = DBNRegressor((16,), rbm=rbm(max_iter=5), max_iter=60, random_state=0)
    assert reg.fit(data[::2], targets[::2]).score(data[1::2], targets[1::2]) > 0.3


def test_the_scale_of_the_targets_does_not_matter():
    targets = REAL @ np.arange(5.0)
    plain = small(DBNRegressor).fit(X, targets).predict(X)
    scaled = small(DBNRegressor).fit(X, 1e6 * targets - 1e5).predict(X)
    assert_allclose(scaled, 1e6 * plain - 1e5, rtol=1e-6)


def test_a_constant_target_is_predicted():
    reg = small(DBNRegressor, max_iter=60).fit(X, np.full(len(X), 42.0))
    assert_allclose(reg.predict(X), 42.0, atol=0.3)


def test_one_output_column_stays_a_column():
    reg = small(DBNRegressor).fit(X, Y[:, None])
    assert reg.predict(X).shape == (len(X), 1)


def test_attributes_of_a_classifier_on_standardised_input_leave_the_net_alone():
    clf = small(DBNClassifier).fit(REAL, Y)
    first = clf.network_.dense[0][0].copy()
    assert_allclose(clf.coefs_[0], first / clf.scale_[:, None])
    assert_array_equal(clf.network_.dense[0][0], first)
