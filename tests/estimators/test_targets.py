"""What y may be: classes, several labels, several outputs; weights; rows without."""

from itertools import pairwise

import array_api_strict
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit, log_expit, log_softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neural_network import MLPClassifier
from sklearn.utils.class_weight import compute_sample_weight

from dbn import (
    DBNClassifier,
    DBNRegressor,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
)
from dbn.estimators import to_sklearn
from dbn.training import SGD, Adam
from tests.helpers import Callback, read_only

from .toy import GENERATIVE, PREDICTORS, REAL, Y3, X, Y, message, output, rbm, small

LABELS = np.c_[Y, X[:, 2] > 0.5, X[:, 3] > 0.7].astype(int)
VALUES = np.c_[X @ np.arange(5.0), 100.0 - 50.0 * X[:, 1] ** 2]
ONE_STEP = {
    "optimizer": SGD(1.0, momentum=0.0),
    "batch_size": 1000,
    "max_iter": 1,
}


def plain(cls=DBNClassifier, **params):
    """Without pretraining: what y does to fine-tuning alone."""
    return small(cls, **{"init": "he_normal"} | params)


def theta(fitted):
    return fitted.network_.params.flat


# Several labels per row


def given(sizes, seed=0):
    """Weights and biases of a net, as `init` takes them."""
    rng = np.random.default_rng(seed)
    shapes = pairwise(sizes)
    return [(rng.standard_normal(s), rng.standard_normal(s[1])) for s in shapes]


def multilabel(**params):
    return plain(**{"max_iter": 30, "optimizer": "sgd"} | params).fit(X, LABELS)


def test_predictions_of_several_labels_follow_from_the_logits():
    clf = multilabel()
    z = clf.network_.forward(X)
    assert z.shape == (60, 3)
    assert_array_equal(clf.classes_, [0, 1, 2])
    assert_array_equal(clf.decision_function(X), z)
    assert_allclose(clf.predict_proba(X), expit(z), rtol=1e-12)
    assert_allclose(clf.predict_log_proba(X), log_expit(z), rtol=1e-12)
    assert_array_equal(clf.predict(X), (clf.predict_proba(X) > 0.5).astype(int))
    assert clf.predict(X).dtype == LABELS.dtype


def test_two_labels_are_not_two_classes():
    clf = plain().fit(X, LABELS[:, :2])
    assert clf.decision_function(X).shape == (60, 2)
    assert not np.allclose(clf.predict_proba(X).sum(axis=1), 1.0)


def test_the_score_of_several_labels_asks_for_all_of_a_row():
    clf = multilabel()
    hits = (clf.predict(X) == LABELS).all(axis=1)
    assert 0 < hits.mean() < (clf.predict(X) == LABELS).mean()
    weight = np.linspace(0.1, 2.0, 60)
    assert clf.score(X, LABELS) == hits.mean()
    assert_allclose(clf.score(X, LABELS, weight), np.average(hits, weights=weight))


def test_several_labels_are_learned():
    options = {"init": "he_normal", "batch_size": 10, "max_iter": 60}
    clf = DBNClassifier((32,), optimizer=SGD(0.3), random_state=0, **options)
    assert clf.fit(X, LABELS).score(X, LABELS) > 0.9


@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradient_of_several_labels_are_those_of_sklearn(weighted):
    """One full-batch step of size 1 is the gradient; both keep the loss before it."""
    weight = np.linspace(0.2, 2.0, 60) if weighted else None
    mlp = MLPClassifier(
        (4, 3),
        activation="logistic",
        alpha=0.0,
        batch_size=60,
        solver="sgd",
        learning_rate_init=1.0,
        momentum=0.0,
        random_state=0,
    )
    mlp.partial_fit(X, LABELS, classes=[0, 1, 2])
    pairs = zip(mlp.coefs_, mlp.intercepts_, strict=True)
    start = [(W.copy(), c.copy()) for W, c in pairs]
    mlp.partial_fit(X, LABELS, sample_weight=weight)
    clf = plain(init=start, **ONE_STEP).fit(X, LABELS, sample_weight=weight)
    assert_allclose(clf.loss_curve_[0], mlp.loss_, rtol=1e-10)
    for (W, c), (V, b), coef, intercept in zip(
        clf.network_.dense, start, mlp.coefs_, mlp.intercepts_, strict=True
    ):
        assert_allclose(W - V, coef - V, rtol=1e-8, atol=1e-14)
        assert_allclose(c - b, intercept - b, rtol=1e-8, atol=1e-14)
    assert_allclose(clf.predict_proba(X), mlp.predict_proba(X), rtol=1e-10)


def test_the_top_layer_learns_each_label_as_if_alone():
    """With the layers below frozen the labels have nothing in common."""
    start = given([5, 4, 3, 3])
    options = ONE_STEP | {
        "learning_rate_multipliers": [0.0, 0.0, 1.0],
        "max_iter": 5,
    }
    together = plain(init=start, **options).fit(X, LABELS)
    (*below, (W, c)) = start
    for j in range(3):
        # Softmax over (0, z) is the logistic function, with half of its step: the
        # other logit, which moves by as much in the other direction, has the rest.
        alone = [*below, (np.c_[0 * W[:, j], W[:, j]], np.array([0.0, c[j]]))]
        rate = {"optimizer": SGD(0.5, momentum=0.0)}
        one = plain(init=alone, **options | rate).fit(X, LABELS[:, j])
        z = together.decision_function(X)[:, j]
        assert_allclose(one.decision_function(X), z, rtol=1e-10)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("unlabeled", [None, -1])
def test_labels_may_be_sparse(kind, unlabeled):
    clf = plain(unlabeled=unlabeled).fit(X, kind(LABELS))
    assert_array_equal(theta(clf), theta(plain().fit(X, LABELS)))
    assert clf.score(X, kind(LABELS)) == clf.score(X, LABELS)


@pytest.mark.parametrize(
    ("labels", "seen"),
    [
        (2 * LABELS - 1, "[-1  1]"),
        (LABELS + 1, "[1 2]"),
        (np.where(Y[:, None], LABELS, -1) + [[0, 0, 1]], "[-1  0  1  2]"),
        (np.c_[Y3, Y3], "['high' 'low' 'middle']"),
    ],
)
def test_labels_that_are_not_0_and_1_are_refused(labels, seen):
    text = message(plain().fit, X, labels)
    assert text.startswith(f"y has the shape {labels.shape} and holds {seen}. Give")
    assert text.endswith("a row is unlabelled when all its entries are marked.")


# Probabilities that underflow


@pytest.mark.parametrize(
    ("y", "expected"),
    [(Y3, log_softmax), (LABELS, lambda z, axis: log_expit(z))],
    ids=["classes", "labels"],
)
def test_log_probabilities_where_probabilities_underflow(y, expected):
    start = given([5, 4, 3, 3])
    start[-1] = start[-1][0] * [2000.0, -2000.0, 2000.0], start[-1][1]
    clf = plain(init=start, learning_rate_multipliers=[0, 0, 0]).fit(X, y)
    p, log_p = clf.predict_proba(X), clf.predict_log_proba(X)
    assert (p == 0.0).any()
    assert np.isfinite(log_p).all()
    assert log_p.min() < -800.0
    assert_allclose(log_p, expected(clf.network_.forward(X), axis=1), rtol=1e-12)
    likely = p > 1e-3
    assert_allclose(log_p[likely], np.log(p[likely]), rtol=1e-10, atol=1e-14)


def test_log_probabilities_of_binary_classes():
    clf = plain().fit(X, Y)
    assert_allclose(clf.predict_log_proba(X), np.log(clf.predict_proba(X)), rtol=1e-12)


# Regression with several outputs


def test_several_outputs_are_standardised_each():
    reg = plain(DBNRegressor).fit(X, VALUES)
    assert_allclose(reg.y_mean_, VALUES.mean(axis=0))
    assert_allclose(reg.y_scale_, VALUES.std(axis=0))
    assert reg.predict(X).shape == (60, 2)
    assert_allclose(reg.score(X, VALUES), r2_score(VALUES, reg.predict(X)))


def test_the_scale_of_one_output_does_not_matter_to_the_other():
    reg = plain(DBNRegressor).fit(X, VALUES)
    scaled = plain(DBNRegressor).fit(X, VALUES * [1.0, 1e6])
    assert_allclose(scaled.predict(X)[:, 0], reg.predict(X)[:, 0], rtol=1e-8)


def test_the_top_layer_learns_each_output_as_if_alone():
    start = given([5, 4, 3, 2])
    options = ONE_STEP | {"learning_rate_multipliers": [0.0, 0.0, 1.0], "max_iter": 5}
    options["optimizer"] = SGD(0.1)
    together = plain(DBNRegressor, init=start, **options).fit(X, VALUES)
    (*below, (W, c)) = start
    for j in range(2):
        alone = [*below, (W[:, j : j + 1], c[j : j + 1])]
        one = plain(DBNRegressor, init=alone, **options).fit(X, VALUES[:, j])
        assert_allclose(one.predict(X), together.predict(X)[:, j], rtol=1e-10)


# Weights of classes


BALANCED = compute_sample_weight("balanced", Y3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("class_weight", "weight"),
    [
        ({"low": 3.0, "middle": 0.5, "high": 1.0}, {"low": 3.0, "middle": 0.5}),
        ({"low": 3.0}, {"low": 3.0}),
        ("balanced", None),
    ],
    ids=str,
)
def test_class_weights_are_weights_of_their_rows(class_weight, weight, dtype):
    """Bit for bit: no rounding and no random number differ."""
    rows = X.astype(dtype)
    by_row = BALANCED if weight is None else [weight.get(label, 1.0) for label in Y3]
    weighted = plain(class_weight=class_weight).fit(rows, Y3)
    assert_array_equal(
        theta(weighted), theta(plain().fit(rows, Y3, sample_weight=by_row))
    )
    assert np.abs(theta(weighted) - theta(plain().fit(rows, Y3))).max() > 1e-6


def test_class_weights_multiply_sample_weights():
    own = np.linspace(0.1, 3.0, 60)
    both = plain(class_weight="balanced").fit(X, Y3, sample_weight=own)
    codes = np.unique(Y3, return_inverse=True)[1]
    shares = np.bincount(codes, own) / own.sum()
    by_hand = plain().fit(X, Y3, sample_weight=own / (3.0 * shares[codes]))
    assert_allclose(theta(both), theta(by_hand), rtol=1e-9)


def test_class_weights_do_not_act_on_pretraining():
    fits = [small(DBNClassifier, class_weight=w).fit(X, Y3) for w in (None, "balanced")]
    for one, other in zip(*(fit.dbn_.rbms for fit in fits), strict=True):
        assert_array_equal(one.params.flat, other.params.flat)
    assert np.abs(theta(fits[0]) - theta(fits[1])).max() > 1e-6


def test_balanced_counts_labelled_rows_of_some_weight_only():
    y = np.where(np.arange(60) < 20, "?", Y3)
    weight = (np.arange(60) < 50).astype(float)
    found = plain(class_weight="balanced", unlabeled="?").fit(X, y, weight)
    by_hand = compute_sample_weight("balanced", Y3[20:50])
    assert_array_equal(theta(found), theta(plain().fit(X[20:50], Y3[20:50], by_hand)))


def test_a_class_of_weight_zero_stays_a_class_without_rows():
    none = {"low": 0.0, "middle": 1.0, "high": 1.0}
    options = {"batch_size": 2, "optimizer": Adam(0.01)}
    clf = plain(class_weight=none, **options).fit(X, Y3)
    assert_array_equal(clf.classes_, ["high", "low", "middle"])
    kept = Y3 != "low"
    chunks = plain(**options)
    for _ in range(3):
        chunks.partial_fit(X[kept], Y3[kept], [*np.unique(Y3)], np.ones(kept.sum()))
    assert_array_equal(theta(clf), theta(chunks))


def test_several_labels_can_be_balanced_and_have_no_dict():
    clf = plain(class_weight="balanced").fit(X, LABELS)
    by_row = compute_sample_weight("balanced", LABELS)
    assert_array_equal(theta(clf), theta(plain().fit(X, LABELS, by_row)))
    text = message(plain(class_weight={0: 1.0, 1: 2.0}).fit, X, LABELS)
    assert "class_weight as a dict needs one class per row" in text


@pytest.mark.parametrize(
    "wrong", [{0: -1.0, 1: 1.0}, {0: 0.0, 1: 0.0}, {0: np.nan}, {1: np.inf}], ids=str
)
def test_impossible_class_weights_are_refused(wrong):
    text = message(small(DBNClassifier, class_weight=wrong).fit, X, Y)
    assert text.startswith("class_weight must give finite weights, none negative")
    assert text.endswith(f"it is {wrong}.")


def test_weights_of_classes_that_do_not_exist_are_refused():
    text = message(plain(class_weight={0: 1.0, 7: 2.0}).fit, X, Y)
    assert "The classes, [1], are not in class_weight" in text


# Rows without a label


KNOWN = np.arange(60) % 3 > 0
MARKED = {
    "-1": (DBNClassifier, -1, np.where(KNOWN, Y, -1), Y),
    "nan": (DBNClassifier, np.nan, np.where(KNOWN, Y, np.nan), Y),
    "string": (DBNClassifier, "?", np.where(KNOWN, Y3, "?"), Y3),
    "class": (DBNClassifier, 9, np.where(KNOWN, Y, 9).astype(np.uint8), Y),
    "labels": (DBNClassifier, -1, np.where(KNOWN[:, None], LABELS, -1), LABELS),
    "nan in labels": (
        DBNClassifier,
        np.nan,
        np.where(KNOWN[:, None], LABELS, np.nan),
        LABELS,
    ),
    "value": (DBNRegressor, np.nan, np.where(KNOWN, X[:, 0], np.nan), X[:, 0]),
    "values": (DBNRegressor, -999, np.where(KNOWN[:, None], VALUES, -999.0), VALUES),
}
each_mark = pytest.mark.parametrize(
    ("cls", "mark", "y", "truth"), MARKED.values(), ids=MARKED
)


@each_mark
def test_without_pretraining_unlabelled_rows_change_nothing(cls, mark, y, truth):
    """Bernoulli units, so that they do not take part in a standardisation either."""
    found = plain(cls, unlabeled=mark).fit(X, y)
    expected = plain(cls).fit(X[KNOWN], truth[KNOWN])
    assert_array_equal(theta(found), theta(expected))
    if cls is DBNClassifier:
        assert_array_equal(found.classes_, expected.classes_)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "string", "category"])
@pytest.mark.parametrize("mark", ["NA", "nan"])
def test_what_is_missing_in_pandas_is_unlabelled(dtype, mark):
    mark = pd.NA if mark == "NA" else np.nan
    truth = pd.Series(Y3 if dtype in ("string", "category") else Y).astype(dtype)
    y = truth.where(KNOWN)
    assert y.isna().sum() == (~KNOWN).sum()
    found = plain(unlabeled=mark).fit(X, y)
    expected = plain().fit(X[KNOWN], np.asarray(truth.tolist())[KNOWN])
    assert_array_equal(theta(found), theta(expected))
    assert_array_equal(found.classes_, expected.classes_)
    assert found.score(X, y) == expected.score(X[KNOWN], np.asarray(truth)[KNOWN])
    assert clone(found).unlabeled is mark
    # In objects too, and beside another mark.
    objects = np.array([mark if v is pd.NA else v for v in y.astype(object)], object)
    assert_array_equal(theta(plain(unlabeled=pd.NA).fit(X, objects)), theta(expected))


@each_mark
def test_unlabelled_rows_take_part_in_pretraining(cls, mark, y, truth):
    found = small(cls, unlabeled=mark).fit(X, y).dbn_.rbms[0].params.flat
    everything = small(cls).fit(X, truth).dbn_.rbms[0].params.flat
    assert_array_equal(found, everything)
    labelled = small(cls).fit(X[KNOWN], truth[KNOWN]).dbn_.rbms[0].params.flat
    assert np.abs(found - labelled).max() > 1e-4


@each_mark
def test_the_score_leaves_unlabelled_rows_out(cls, mark, y, truth):
    fitted = plain(cls, unlabeled=mark).fit(X, y)
    weight = np.linspace(0.1, 2.0, 60)
    metric = accuracy_score if cls is DBNClassifier else r2_score
    predicted = fitted.predict(X)
    expected = metric(truth[KNOWN], predicted[KNOWN])
    assert_allclose(fitted.score(X, y), expected, rtol=1e-12)
    assert_allclose(fitted.score(X.tolist(), y.tolist()), expected, rtol=1e-12)
    expected = metric(truth[KNOWN], predicted[KNOWN], sample_weight=weight[KNOWN])
    assert_allclose(fitted.score(X, y, weight), expected, rtol=1e-12)


@each_mark
def test_all_rows_unlabelled_is_one_error(cls, mark, y, truth):
    fitted = plain(cls, unlabeled=mark).fit(X, y)
    nothing = np.broadcast_to(y[:1], y.shape)
    advice = "use DBNTransformer, which needs none", "Give rows with a label"
    calls = plain(cls, unlabeled=mark).fit, fitted.score
    for call, its in zip(calls, advice, strict=True):
        text = message(call, X, nothing)
        assert text.startswith("All 60 rows are marked as unlabelled (y is ")
        assert repr(mark) in text
        assert [what in text for what in advice] == [what == its for what in advice]


def test_unlabelled_rows_take_part_in_the_standardisation():
    y = np.where(KNOWN, Y, -1)
    clf = plain(unlabeled=-1).fit(REAL, y)
    assert_allclose(clf.mean_, REAL.mean(axis=0))
    assert_allclose(clf.scale_, REAL.std(axis=0))


def test_targets_are_standardised_by_labelled_rows_and_their_weights():
    y, weight = np.where(KNOWN, VALUES[:, 0], np.nan), np.linspace(0.1, 2.0, 60)
    reg = plain(DBNRegressor, unlabeled=np.nan).fit(X, y, sample_weight=weight)
    mean = np.average(VALUES[KNOWN, 0], weights=weight[KNOWN])
    assert_allclose(reg.y_mean_, mean, rtol=1e-12)


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("init", ["he_normal", "dbn"])
def test_unlabelled_rows_and_rows_of_weight_zero_go_together(cls, init):
    y, weight = np.where(KNOWN, Y, -1), np.arange(60) % 4 * 1.0
    used = weight > 0
    found = small(cls, init=init, unlabeled=-1).fit(X, y, weight)
    expected = small(cls, init=init, unlabeled=-1).fit(X[used], y[used], weight[used])
    assert_array_equal(theta(found), theta(expected))
    text = message(small(cls, unlabeled=-1).fit, X, y, sample_weight=1.0 - KNOWN)
    assert text.startswith("None of 40 labelled rows has a sample_weight above zero.")


@pytest.mark.parametrize("cls", [VotingClassifier, StackingClassifier])
def test_a_mark_that_an_ensemble_makes_a_class_of_is_told(cls):
    ensemble = cls([("net", plain(unlabeled=-1))])
    with pytest.warns(UserWarning, match="No row of y is -1, the mark of rows without"):
        ensemble.fit(X, np.where(KNOWN, Y, -1))


def test_by_default_no_value_is_special():
    y = np.where(KNOWN, Y, -1)
    assert_array_equal(plain().fit(X, y).classes_, [-1, 0, 1])
    assert_array_equal(plain(unlabeled=5).fit(X, y).classes_, [-1, 0, 1])
    assert "NaN" in message(plain(DBNRegressor).fit, X, np.where(KNOWN, Y, np.nan))


@pytest.mark.parametrize(("mark", "name"), [(-1, "-1"), (np.nan, "nan")])
def test_a_mark_beside_labels_of_another_type(mark, name):
    """NumPy would make the string "-1" or "nan", a class, of it."""
    y = [label if known else mark for label, known in zip(Y3, KNOWN, strict=True)]
    expected = plain().fit(X[KNOWN], Y3[KNOWN])
    for targets in (y, pd.Series(y, dtype=object)):
        clf = plain(unlabeled=mark).fit(X, targets)
        assert_array_equal(clf.classes_, ["high", "low", "middle"])
        assert_array_equal(theta(clf), theta(expected))
        assert clf.score(X, targets) == expected.score(X[KNOWN], Y3[KNOWN])


def test_booleans_of_pandas_with_gaps():
    y = pd.Series(np.where(KNOWN, Y > 0, None)).fillna(np.nan)
    assert y.dtype == object
    clf = plain(unlabeled=np.nan).fit(X, y)
    assert_array_equal(clf.classes_, [False, True])
    assert 0.0 <= clf.score(X, y) <= 1.0


def test_a_row_is_unlabelled_when_all_its_entries_are_marked():
    partly = np.where(KNOWN[:, None], LABELS, -1)
    partly[0, 1] = 1
    text = message(plain(unlabeled=-1).fit, X, partly)
    assert text.startswith("y has the shape (41, 3) and holds [-1  0  1].")
    partly = np.where(KNOWN[:, None], VALUES, np.nan)
    partly[0, 1] = 1.0
    text = message(plain(DBNRegressor, unlabeled=np.nan).fit, X, partly)
    assert "contains NaN" in text
    assert "a row counts as unlabelled only if all of its targets are missing" in text
    text = message(plain(DBNRegressor).fit, X, partly)
    assert "let unlabeled=numpy.nan mark rows without a label" in text


def test_one_labelled_class_is_one_class():
    assert message(plain(unlabeled=0).fit, X, Y).startswith("y has 1 class (1)")


def test_labels_and_rows_must_be_as_many():
    fitted = plain(unlabeled=-1).fit(X, np.where(KNOWN, Y, -1))
    for call in (plain(unlabeled=-1).fit, fitted.score):
        assert "inconsistent numbers of samples" in message(call, X, Y[:7])
        assert "inconsistent numbers of samples" in message(call, X[:7], Y)


@pytest.mark.parametrize("cls", PREDICTORS)
def test_marked_input_is_read_only(cls):
    rows, y, weight = read_only(X, np.where(KNOWN, Y, -1), np.arange(60) % 4 * 1.0)
    fitted = small(cls, unlabeled=-1).fit(rows, y, weight)
    fitted.partial_fit(rows, y, sample_weight=weight).score(rows, y, weight)
    assert np.isfinite(output(fitted, rows)).all()


class Seen(Callback):
    """A callback that keeps what its hooks are given at the end of each task."""

    def __init__(self):
        self.data = {}

    def on_fit_task_end(self, estimator, context, *, X, y, metadata):
        self.data[context.task_name] = X, y, metadata


def test_callbacks_see_the_labelled_rows_once_fine_tuning_begins():
    seen, y, weight = Seen(), np.where(KNOWN, Y, -1), np.linspace(0.1, 2.0, 60)
    small(DBNClassifier, unlabeled=-1).set_callbacks(seen).fit(X, y, weight)
    assert seen.data["pretrain"][0] is X
    assert seen.data["pretrain"][1] is y
    for name in ("finetune", "fit"):
        rows, labels, metadata = seen.data[name]
        assert_array_equal(rows, X[KNOWN])
        assert_array_equal(labels, Y[KNOWN])
        assert_array_equal(metadata["sample_weight"], weight[KNOWN])


def test_a_scoring_monitor_goes_with_unlabelled_rows():
    monitor = ScoringMonitor(scoring="r2")
    y = np.where(KNOWN, VALUES[:, 0], np.nan)
    reg = small(DBNRegressor, unlabeled=np.nan).set_callbacks(monitor).fit(X, y)
    last = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert_allclose(last, reg.score(X, y), rtol=1e-12)


def test_unlabelled_rows_help():
    """The point of it: few labels, many rows, and structure to be found in them."""
    rng = np.random.default_rng(0)
    patterns = rng.random((4, 50)) < 0.5
    truth = np.arange(1200) % 4
    rows = (patterns[truth] ^ (rng.random((1200, 50)) < 0.3)).astype(float)
    y = np.where(np.arange(1200) < 8, truth, -1)
    options = {"optimizer": SGD(0.1), "max_iter": 60, "unlabeled": -1}
    learning = SGD(0.1, momentum=((0, 0.5), (5, 0.9)))
    machine = RBMTransformer(
        optimizer=learning, batch_size=10, max_iter=20, weight_decay=1e-3
    )
    scores = []
    for init in ("dbn", "xavier_uniform"):
        clf = DBNClassifier((20,), rbm=machine, init=init, random_state=0, **options)
        scores.append(clf.fit(rows[:800], y[:800]).score(rows[800:], truth[800:]))
    assert scores[0] > scores[1] + 0.05


def test_the_prototype_is_not_asked_about_labels():
    assert rbm(random_state=0).fit(X, np.full(60, np.nan)).n_iter_ == 2


def test_targets_keep_the_precision_that_rows_have_not():
    """Times in seconds, of which single precision makes a few numbers."""
    t = 1.7e9 + 50 * X[:, 0].astype(float)
    rows = X.astype(np.float32)
    net = small(DBNRegressor, max_iter=200, init="he_normal").fit(rows, t)
    predicted = net.predict(rows)
    assert predicted.dtype == net.y_mean_.dtype == np.float64
    assert len(np.unique(predicted)) > len(X) / 2
    assert net.score(rows, t) > 0.5
    assert small(DBNRegressor).fit(rows, X[:, 0]).predict(rows).dtype == np.float32


@pytest.mark.parametrize("size", [1e-100, 1e-30, 1e18, 1e30, 1e39, 1e60])
def test_the_scale_of_targets_does_not_matter_in_single_precision(size):
    """Beyond its range they were infinite, and from 1e19 on their squares."""
    rows, y = X.astype(np.float32), X[:, 0] - 0.2
    options = {"init": "he_normal", "max_iter": 50}
    like = small(DBNRegressor, **options).fit(rows, y)
    net = small(DBNRegressor, **options).fit(rows, size * y)
    assert_allclose(net.predict(rows) / size, like.predict(rows), rtol=1e-3, atol=1e-4)
    assert_allclose(net.score(rows, size * y), like.score(rows, y), atol=1e-3)
    if 1e-38 < size < 1e38:
        single = (size * y).astype(np.float32)
        assert_allclose(net.score(rows, single), like.score(rows, y), atol=1e-3)
    assert_allclose(to_sklearn(net).predict(rows), net.predict(rows), rtol=1e-4)


@pytest.mark.parametrize("size", [1e-60, 1e39])
def test_targets_that_another_library_cannot_hold_are_refused(size):
    rows = array_api_strict.asarray(X.astype(np.float32))
    with config_context(array_api_dispatch=True):
        said = message(small(DBNRegressor).fit, rows, size * X[:, 0])
    assert "y has values from" in said and "float32 cannot hold" in said


@pytest.mark.parametrize("cls", [DBNClassifier, RBMClassifier])
@pytest.mark.parametrize("mark, words", [(-1, False), ("?", True), (None, True)])
def test_the_mark_is_no_class(cls, mark, words):
    """What scikit-learn's users give as classes: all values of y."""
    y = np.where(Y == 0, "no", "yes").astype(object) if words else Y.astype(object)
    y[::3] = mark
    model = small(cls, unlabeled=np.nan if mark is None else mark)
    classes = [*dict.fromkeys(y)]
    chunk = y if words else y.astype(int)
    assert_array_equal(
        model.partial_fit(X, chunk, classes=classes).classes_,
        ["no", "yes"] if words else [0, 1],
    )
    model.partial_fit(X, chunk, classes=classes)


@pytest.mark.parametrize("cls", [DBNClassifier, RBMClassifier])
@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ([0, 1, np.nan], "classes holds [0, 1, nan], of which one is missing"),
        ([0, 1, None], "classes holds [0, 1, None], of which one is missing"),
        (["0", "1", 2], "classes holds texts such as '0' and other labels such as 2"),
        ({1}, "classes holds [1]; a classifier needs at least 2"),
    ],
)
def test_classes_that_a_user_gives_are_checked_as_labels_are(cls, classes, words):
    """A class that is missing was one more column of probabilities."""
    y = Y.astype(str) if "0" in classes else Y
    assert words in message(small(cls).partial_fit, X, y, classes=classes)


@pytest.mark.parametrize("cls", [DBNClassifier, RBMClassifier])
def test_classes_may_be_a_set(cls):
    model = small(cls).partial_fit(X, Y, classes={0, 1, 2})
    assert_array_equal(model.partial_fit(X, Y, classes={2, 1, 0}).classes_, [0, 1, 2])


@pytest.mark.parametrize("cls", [*PREDICTORS, RBMClassifier])
@pytest.mark.parametrize("mark", [[1], [0, 1], (0,), {1}, np.array([1, 2]), []])
def test_a_mark_is_one_value(cls, mark):
    model = small(cls).fit(X, Y).set_params(unlabeled=mark)
    for call in (model.fit, model.score, model.partial_fit):
        text = message(call, X, Y)
        assert text.startswith(f"unlabeled is {mark!r}; it must be one value, such as")


@pytest.mark.parametrize("cls", [*PREDICTORS, *GENERATIVE])
@pytest.mark.parametrize("mark", [None, -1])
def test_one_weight_for_all_rows(cls, mark):
    y = np.where(KNOWN, Y, -1)
    model = small(cls, unlabeled=mark).fit(X, y, 2.0)
    for weight in (2.0, np.float32(0.5), 3):
        assert model.score(X, y, weight) == model.score(X, y)
    for bad in (-1.0, 0.0, np.nan, np.inf):
        text = message(model.fit, X, y, bad)
        assert "weight" in text
        assert message(model.score, X, y, bad) == text


@pytest.mark.parametrize("cls", [DBNClassifier, *GENERATIVE])
@pytest.mark.parametrize(
    ("labels", "mark", "held"),
    [
        (pd.Series(["a", "b", "-1"] * 20), -1, "'-1'"),
        (pd.Series(["a", "b", "-1"] * 20, dtype="category"), -1, "'-1'"),
        (["a", "b", "-1.0"] * 20, -1, "'-1.0'"),
        (np.array(["a", "b", -1] * 20, dtype=object), "-1", "-1"),
        (np.array([0, 1, -1] * 20), "-1", "-1"),
        (np.array(["a", "b", np.nan] * 20), np.nan, "'nan'"),
        (np.array(["a", "b", np.nan] * 20), pd.NA, "'nan'"),
    ],
)
def test_a_mark_of_another_type_is_told_whatever_holds_the_labels(
    cls, labels, mark, held
):
    """It would be one more class."""
    said = message(small(cls, unlabeled=mark).fit, X, labels)
    assert f"and y holds {held}, which is not, 20 times" in said
    assert f"Give unlabeled={held} if" in said


@pytest.mark.parametrize("mark", [pd.NaT, np.datetime64("NaT"), np.nan])
def test_a_time_that_is_none_is_a_mark(mark):
    times = np.array(["2020-01-01", "2021-01-01", "NaT"] * 20, dtype="M8[s]")
    for y in (times, pd.Series(times)):
        clf = plain(unlabeled=mark, max_iter=1).fit(X, y)
        assert len(clf.classes_) == 2


@pytest.mark.parametrize("kind", ["M8[s]", "M8[ns]", "m8[s]", "m8[ns]"])
@pytest.mark.parametrize("cls", [*PREDICTORS, *GENERATIVE])
def test_a_time_that_is_none_is_no_target(cls, kind):
    """As a number it is -9.2e18, which a regressor took for one."""
    times = Y.astype(kind)
    fitted, holes = small(cls).fit(X, times), times.copy()
    holes[::5] = "NaT"
    words = "Input y contains NaT, no target, 12 times. Leave those rows out, or"
    for y in (holes, pd.Series(holes)):
        assert words in message(small(cls).fit, X, y)
        assert words in message(fitted.score, X, y)
    marked = small(cls, unlabeled=np.nan).fit(X, holes)
    same = small(cls, unlabeled=-1).fit(X, np.where(np.isnat(holes), -1, Y))
    assert_array_equal(output(marked, X), output(same, X))


@pytest.mark.parametrize("mark", [None, np.nan, -1])
@pytest.mark.parametrize("cls", [*PREDICTORS, *GENERATIVE])
def test_labels_of_several_types_are_refused(cls, mark):
    """As an array all were texts, and 1 came back as '1'."""
    labels = [1, "a", 2 if mark is None else mark] * 20
    for y in (labels, np.array(labels, dtype=object)):
        said = message(small(cls, unlabeled=mark).fit, X, y)
        assert "y holds texts such as 'a' and other labels such as 1. Make" in said


@pytest.mark.parametrize("cls", [DBNClassifier, *GENERATIVE])
def test_what_a_masked_array_hides_is_no_label(cls):
    y = np.ma.array(Y, mask=np.arange(60) % 3 == 0)
    said = message(small(cls).fit, X, y)
    assert "y contains None, no target, 20 times" in said
    hidden = small(cls, unlabeled=np.nan).fit(X, y)
    marked = small(cls, unlabeled=np.nan).fit(X, y.astype(float).filled(np.nan))
    assert_array_equal(output(hidden, X), output(marked, X))
    column = small(cls, unlabeled=np.nan)
    with pytest.warns(DataConversionWarning):
        column.fit(X, y[:, None])
    assert_array_equal(output(column, X), output(marked, X))


@pytest.mark.parametrize("cls", [*PREDICTORS, *GENERATIVE])
def test_a_score_counts_no_label_that_a_masked_array_hides(cls):
    fitted = small(cls).fit(X, Y)
    y = np.ma.array(Y, mask=np.arange(60) % 3 == 0)
    for holes in (y, y[:, None], np.where(y.mask, None, Y)):
        said = message(fitted.score, X, holes)
        assert "Input y contains None, no target, 20 times" in said
    assert "Input y contains NaN" in message(
        fitted.score, X, y.astype(float).filled(np.nan)
    )
    assert fitted.score(X, np.ma.array(Y)) == fitted.score(X, Y)
    marked = small(cls, unlabeled=np.nan).fit(X, Y)
    assert marked.score(X, y) == marked.score(X[~y.mask], Y[~y.mask])


def rare():
    """Rows that say nothing of the class, of which one is rare."""
    return np.tile([[0.0], [1.0]], (150, 1)), (np.arange(300) < 15).astype(int)


@pytest.mark.parametrize(
    "clf",
    [
        DBNClassifier((16,), random_state=0),
        DBNClassifier((16,), init="xavier_uniform", batch_size=10, random_state=0),
        RBMClassifier(16, random_state=0),
        RBMClassifier(16, objective="generative", random_state=0),
        GenerativeDBNClassifier((16,), random_state=0),
    ],
)
def test_balanced_classes_count_alike_in_batches_without_the_rare_one(clf):
    """Batches that hold light rows alone once counted as much as any other."""
    A, y = rare()
    clf.set_params(class_weight="balanced").fit(A, y)
    assert_allclose(clf.predict_proba(A)[:, 1], 0.5, atol=0.08)
