"""Sparse rows in classifier and regressor: the results of dense ones, no dense copy."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.frozen import FrozenEstimator

from dbn import DBNClassifier, DBNRegressor, DBNTransformer
from dbn.training import Adam
from tests.helpers import in_halves

from .toy import PREDICTORS, Y3, X, Y, message, output, rbm, small

RNG = np.random.default_rng(0)
ROWS = np.where(X > 0.6, X, 0.0)
KINDS = [sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix]
OPTIONS = [
    {},
    {"init": "he_normal", "activation": "relu", "optimizer": Adam(0.05)},
    {"init": "lsuv", "dropout": [0.0, 0.5, 0.5]},
    {"init": "dbn", "batch_norm": True, "dropout": 0.2},
    {"init": "dbn-shuffled", "max_norm": 1.0, "head_epochs": 1},
    {"activation": "relu", "rbm": rbm(hidden="relu")},
    {"init": "xavier_normal", "optimizer": "lbfgs", "batch_size": 60},
]


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_training_and_prediction_are_those_on_dense_rows(cls, options):
    weight = np.linspace(0.1, 2.0, 60)
    dense, found = (
        small(cls, **options).fit(rows, Y, weight)
        for rows in (ROWS, sparse.csr_array(ROWS))
    )
    theta = dense.network_.params.flat
    # Of biases below batch normalization the gradient is rounding, which Adam scales.
    assert_allclose(found.network_.params.flat, theta, atol=1e-9)
    assert_allclose(found.loss_curve_, dense.loss_curve_)
    assert_allclose(output(found, sparse.csr_array(ROWS)), output(dense, ROWS))


@pytest.mark.parametrize("kind", KINDS)
def test_every_sparse_format_is_accepted(kind):
    clf = small(DBNClassifier).fit(kind(ROWS), Y3)
    expected = small(DBNClassifier).fit(ROWS, Y3)
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        dense = getattr(expected, method)(ROWS)
        assert_allclose(getattr(clf, method)(kind(ROWS)), dense, atol=1e-10)
    assert clf.score(kind(ROWS), Y3) == expected.score(ROWS, Y3)


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_input_dropout_runs(cls, batch_norm):
    """Its masks are others: only what is not zero needs one."""
    rows, y = sparse.csr_array(ROWS), (ROWS[:, 0] > 0).astype(int)
    options = {"dropout": [0.2, 0.0, 0.0], "batch_norm": batch_norm, "max_iter": 40}
    fitted = small(cls, optimizer=Adam(0.05), **options).fit(rows, y)
    assert np.isfinite(fitted.loss_curve_).all()
    assert np.mean(fitted.loss_curve_[-5:]) < 0.8 * fitted.loss_curve_[0]
    assert_allclose(rows.toarray(), ROWS)  # dropped in a copy


def test_input_dropout_drops_entries():
    fits = [
        small(DBNClassifier, dropout=[rate, 0, 0]).fit(sparse.csr_array(ROWS), Y)
        for rate in (0.0, 0.2)
    ]
    a, b = (fit.network_.params.flat for fit in fits)
    assert np.abs(a - b).max() > 1e-5


def test_input_dropout_drops_what_lies_at_a_place_as_one():
    rows = sparse.csr_array(ROWS)
    one, other = (
        small(DBNClassifier, init="he_normal", dropout=[0.5, 0.0, 0.0]).fit(its, Y)
        for its in (rows, in_halves(rows))
    )
    assert_allclose(other.loss_curve_, one.loss_curve_)


@pytest.mark.parametrize("unlabeled", [None, -1])
@pytest.mark.parametrize("init", ["dbn", "he_normal"])
def test_labels_weights_and_held_out_rows_select_sparse_rows(init, unlabeled):
    y = Y if unlabeled is None else np.where(np.arange(60) % 4 > 0, Y, -1)
    weight = np.arange(60) % 5 * 1.0
    options = {"init": init, "unlabeled": unlabeled, "early_stopping": True}
    dense, found = (
        small(DBNClassifier, **options).fit(rows, y, weight)
        for rows in (ROWS, sparse.csr_matrix(ROWS))
    )
    assert_allclose(found.network_.params.flat, dense.network_.params.flat, atol=1e-10)
    for one, other in zip(found.history_, dense.history_, strict=True):
        assert_allclose([*one.values()][2:], [*other.values()][2:])
    assert found.score(sparse.csr_array(ROWS), y) == dense.score(ROWS, y)


def test_sparse_rows_can_be_watched():
    kinds = [np.asarray, sparse.csr_array, sparse.csr_matrix]
    scores = [
        small(DBNClassifier)
        .fit(ROWS[:30], Y[:30], X_val=kind(ROWS[30:]), y_val=Y[30:])
        .history_[-1]["validation_loss"]
        for kind in kinds
    ]
    assert_allclose(scores, scores[0])


@pytest.mark.parametrize("cls", PREDICTORS)
def test_partial_fit_and_warm_start_take_sparse_rows(cls):
    found, expected = small(cls, warm_start=True), small(cls, warm_start=True)
    found.partial_fit(sparse.csr_array(ROWS), Y).partial_fit(ROWS, Y)
    found.fit(sparse.csr_array(ROWS), Y)
    expected.partial_fit(ROWS, Y).partial_fit(ROWS, Y).fit(ROWS, Y)
    theta = expected.network_.params.flat
    assert_allclose(found.network_.params.flat, theta, atol=1e-10)


def test_a_frozen_stack_takes_sparse_rows():
    stack = small(DBNTransformer).fit(sparse.csr_array(ROWS))
    options = {"init": FrozenEstimator(stack), "hidden_layer_sizes": (256,)}
    found, expected = (
        small(DBNClassifier, **options).fit(rows, Y).predict_proba(ROWS)
        for rows in (sparse.csr_array(ROWS), ROWS)
    )
    assert_allclose(found, expected, atol=1e-10)


def test_single_precision_stays():
    rows = sparse.csr_array(ROWS.astype(np.float32))
    clf = small(DBNClassifier, dropout=[0.1, 0.1, 0.1], batch_norm=True).fit(rows, Y)
    assert clf.network_.params.flat.dtype == np.float32
    assert clf.predict_proba(rows).dtype == np.float32


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("init", ["dbn", "he_normal"])
@pytest.mark.parametrize("visible", ["auto", "gaussian"])
def test_gaussian_units_refuse_sparse_rows_with_advice(cls, init, visible):
    rows = sparse.csr_array(3 * ROWS if visible == "auto" else ROWS)
    text = message(small(cls, init=init, rbm=rbm(visible=visible)).fit, rows, Y)
    assert "MaxAbsScaler" in text
    assert "X.toarray()" in text


@pytest.mark.parametrize("dropout", [0.0, [0.2, 0.0, 0.0]])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_no_dense_copy_is_made(dropout, batch_norm):
    rows = sparse.random_array((8000, 6000), density=0.0007, dtype=np.float32, rng=RNG)
    rows = sparse.csr_array(rows)
    reg = DBNRegressor(
        (4, 3),
        rbm=rbm(max_iter=1, batch_size=500),
        batch_size=500,
        max_iter=1,
        dropout=dropout,
        batch_norm=batch_norm,
        random_state=0,
    )
    y = np.asarray(rows.sum(axis=1)).ravel()
    tracemalloc.start()
    reg.fit(rows, y).predict(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * 4 * 8000 * 6000
