"""What a caller hands in: containers, marks, weights and values at the edge of a range.

Callbacks see the caller's own objects. Where one cannot be indexed, which the labelled
rows need, it is the same rows in a container that can.
"""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import expit
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import KFold
from sklearn.preprocessing import MinMaxScaler

from dbn import DBNClassifier, DBNRegressor, RBMTransformer
from dbn.boltzmann import Bernoulli, Gaussian, Softmax
from dbn.estimators.visible import choose_visible
from dbn.training import SGD, Adam, Checkpoint, RBMMonitor
from tests.helpers import Callback

from .toy import ALL, PREDICTORS, REAL, Y3, X, Y, message, output, rbm, small

# Containers

SPARSE = np.where(X > 0.6, X, 0.0)
KINDS = {
    f"{name}_array": getattr(sparse, f"{name}_array")
    for name in ("coo", "bsr", "dia", "csc", "lil")
}
KINDS |= {"coo_matrix": sparse.coo_matrix, "list": lambda rows: rows.tolist()}
KINDS["pandas"] = lambda rows: pd.DataFrame(rows, columns=[*"abcde"])
FRAMES = {"pandas"}
if importlib.util.find_spec("polars"):
    import polars

    KINDS["polars"] = lambda rows: polars.DataFrame(rows, schema=[*"abcde"])
    FRAMES.add("polars")
NOT_INDEXED = {"coo_matrix", "bsr_array", "dia_array"}
each_kind = pytest.mark.parametrize("kind", KINDS)
MARKED = np.where(np.arange(60) % 3 == 0, -1, Y)  # a third without a label
TARGETS = {DBNClassifier: MARKED, DBNRegressor: np.where(MARKED < 0, -1.0, X[:, 0])}


def plain(kind):
    """The same rows in a plain container: training on CSR rounds in its own way."""
    return sparse.csr_array(SPARSE) if hasattr(KINDS[kind], "format") else SPARSE


@each_kind
@pytest.mark.parametrize("cls", PREDICTORS)
def test_unlabelled_rows_in_every_container(cls, kind):
    rows, y = KINDS[kind](SPARSE), TARGETS[cls]
    fitted = small(cls, unlabeled=-1).fit(rows, y)
    told = small(cls, unlabeled=-1).fit(plain(kind), y)
    assert_array_equal(output(fitted, rows), output(told, plain(kind)))
    assert fitted.score(rows, y) == told.score(plain(kind), y)


@each_kind
@pytest.mark.parametrize("unlabeled", [None, -1])
@pytest.mark.parametrize("cls", PREDICTORS)
def test_rows_to_watch_in_every_container(cls, unlabeled, kind):
    y = TARGETS[cls] if unlabeled else np.abs(TARGETS[cls])

    def history(rows):
        estimator = small(cls, unlabeled=unlabeled)
        return estimator.fit(rows, y, X_val=rows, y_val=y).history_

    assert history(KINDS[kind](SPARSE)) == history(plain(kind))


@each_kind
@pytest.mark.parametrize("cls", ALL)
def test_a_monitor_takes_every_container(cls, kind):
    def history(rows):
        estimator = small(cls).set_callbacks(RBMMonitor(rows))
        return estimator.fit(rows, Y).history_

    # Sums over rows round differently where columns lie one after the other.
    pairs = zip(history(KINDS[kind](SPARSE)), history(plain(kind)), strict=True)
    assert all(found == pytest.approx(told) for found, told in pairs)


@each_kind
@pytest.mark.parametrize("cls", ALL)
def test_a_checkpoint_takes_every_container(cls, kind, tmp_path):
    rows = KINDS[kind](SPARSE)
    for resume in (False, True):
        keeping = Checkpoint(tmp_path, resume=resume)
        fitted = small(cls).set_callbacks(keeping).fit(rows, Y)
    assert_array_equal(output(fitted, rows), output(small(cls).fit(rows, Y), rows))


@pytest.mark.parametrize("cls", ALL)
def test_a_checkpoint_takes_one_weight_for_all(cls, tmp_path):
    for resume in (False, True):
        keeping = Checkpoint(tmp_path, resume=resume)
        fitted = small(cls).set_callbacks(keeping).fit(X, Y, sample_weight=2.0)
    told = small(cls).fit(X, Y, sample_weight=2.0)
    assert_array_equal(output(fitted, X), output(told, X))


class Indexing(Callback):
    """Takes rows out of the X and y that callbacks are called with."""

    def __init__(self):
        self.seen = {}

    def on_fit_task_begin(self, estimator, context, *, X, y):
        self.seen[context.task_name] = X, y


@each_kind
@pytest.mark.parametrize("unlabeled", [None, -1])
@pytest.mark.parametrize("cls", ALL)
def test_callbacks_get_the_callers_own_container(cls, unlabeled, kind):
    if unlabeled and cls not in PREDICTORS:
        pytest.skip("it has no labels")
    rows, watching = KINDS[kind](SPARSE), Indexing()
    y = TARGETS[cls] if unlabeled else np.abs(MARKED)
    params = {"unlabeled": -1} if unlabeled else {}
    small(cls, **params).set_callbacks(watching).fit(rows, y)
    for name in ("fit", "epoch"):
        seen, labels = watching.seen[name]
        converted = kind in NOT_INDEXED or kind == "coo_array"  # with old scipy
        if kind in NOT_INDEXED:
            assert seen.format == "csr"
        elif not converted:
            assert type(seen) is type(rows)
        if name == "fit" or unlabeled is None:
            assert seen is rows or converted
            assert labels is y
        wanted = SPARSE[MARKED >= 0] if unlabeled and name == "epoch" else SPARSE
        assert_array_equal(_dense(seen), wanted)
        assert len(labels) == len(wanted)
        if kind in FRAMES:
            assert [*seen.columns] == [*"abcde"]


def _dense(rows):
    return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


@each_kind
@pytest.mark.parametrize("unlabeled", [None, -1])
def test_a_scoring_monitor_takes_every_container(unlabeled, kind):
    rows, y = KINDS[kind](SPARSE), MARKED if unlabeled else Y
    monitor = ScoringMonitor(scoring="accuracy")
    fitted = small(DBNClassifier, unlabeled=unlabeled).set_callbacks(monitor)
    fitted.fit(rows, y)
    assert monitor.get_logs().data[-1]["accuracy"] == fitted.score(rows, y)


# None as a mark

GAPS = [1, 0, None, 1, 0, 1] * 10
FLOATS = [0.5, 0.25, None, 1.0, 0.0, 0.125] * 10
NAMES = ["a", "b", None, "a", "b", "a"] * 10


def says_what_to_do(text):
    return "None" in text and "unlabeled" in text and "learning_rate" not in text


@pytest.mark.parametrize("unlabeled", [None, -1])
@pytest.mark.parametrize("made", [list, lambda y: np.array(y, dtype=object)])
@pytest.mark.parametrize(
    ("cls", "y"),
    [(DBNClassifier, GAPS), (DBNClassifier, NAMES), (DBNRegressor, FLOATS)],
)
@pytest.mark.filterwarnings("ignore:No row of y is -1")
def test_none_among_the_targets_is_named(cls, y, made, unlabeled):
    estimator, filled = (
        small(cls, unlabeled=unlabeled),
        [y[0] if v is None else v for v in y],
    )
    error = (ValueError, TypeError)
    assert says_what_to_do(message(estimator.fit, X, made(y), error=error))
    assert says_what_to_do(message(estimator.partial_fit, X, made(y), error=error))
    beside = {"X_val": X, "y_val": made(y)}
    assert says_what_to_do(message(estimator.fit, X, filled, **beside, error=error))


@pytest.mark.parametrize("mark", [np.nan, pd.NA])
@pytest.mark.parametrize(("cls", "y"), [(DBNClassifier, GAPS), (DBNRegressor, FLOATS)])
def test_none_is_missing_where_missing_marks(cls, y, mark):
    told = small(cls, unlabeled=np.nan).fit(X, np.array(y, dtype=float))
    fitted = small(cls, unlabeled=mark).fit(X, y)
    assert_array_equal(output(fitted, X), output(told, X))


# Weights


@pytest.mark.parametrize("y", [Y3, np.digitize(X[:, 0], [0.3, 0.6])], ids=["names", ""])
def test_a_class_without_weight_stays_a_class(y):
    gone = np.unique(y)[0]
    weight = (y != gone) * 1.0
    fitted = small(DBNClassifier).fit(X, y, sample_weight=weight)
    assert_array_equal(fitted.classes_, np.unique(y))
    assert fitted.predict_proba(X).shape == (60, 3)
    started = small(DBNClassifier).partial_fit(X, y, sample_weight=weight)
    assert_array_equal(started.classes_, np.unique(y))


def test_a_class_without_weight_and_several_labels():
    labels = (X[:, :3] > 0.5).astype(int)
    weight = (labels[:, 0] == 0) * 1.0  # the first label has no row
    fitted = small(DBNClassifier).fit(X, labels, sample_weight=weight)
    assert fitted.predict_proba(X).shape == (60, 3)


def test_voting_goes_with_a_class_without_weight():
    y = np.digitize(X[:, 0], [0.33, 0.66])
    weight = (y != 0) * 1.0
    params = {"init": "xavier_uniform", "activation": "tanh", "optimizer": Adam(0.05)}
    net = small(DBNClassifier, hidden_layer_sizes=(16,), max_iter=50, **params)
    voting = VotingClassifier([("net", net), ("same", net)], voting="soft")
    voting.fit(X, y, sample_weight=weight)
    assert voting.score(X[y != 0], y[y != 0]) > 0.9


def test_one_class_of_some_weight_is_refused_like_one_class():
    net = small(DBNClassifier)
    for y in (Y, np.ones(60)):
        assert "sample_weight leaves rows" in message(net.fit, X, y, sample_weight=Y)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("unlabeled", [None, -1])
def test_a_class_without_weight_goes_with_the_rest(unlabeled, class_weight):
    net = small(DBNClassifier, unlabeled=unlabeled, class_weight=class_weight)
    y = np.digitize(X[:, 0], [0.3, 0.6])
    train = np.r_[y, y[0] if unlabeled is None else unlabeled]
    net.fit(np.r_[X, X[:1]], train, sample_weight=(train > 0) * 1.0, X_val=X, y_val=y)
    assert np.isfinite(net.predict_proba(X)).all()
    assert np.isfinite([e["validation_loss"] for e in net.history_[-3:]]).all()


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        (np.float32, 1e38),
        (np.float32, 1e-38),
        (np.float64, 1e307),
        (np.float64, 1e-300),
    ],
)
@pytest.mark.parametrize("data", [X, REAL], ids=["bernoulli", "gaussian"])
@pytest.mark.parametrize("cls", ALL)
def test_the_size_of_all_weights_does_not_matter(cls, data, dtype, size):
    rows, y = data.astype(dtype), data[:, 0] if cls is DBNRegressor else Y
    weight = np.linspace(0.5, 1.5, 60)
    fitted = small(cls).fit(rows, y, sample_weight=(size * weight).astype(dtype))
    told = small(cls).fit(rows, y, sample_weight=weight.astype(dtype))
    precision = 1e-4 if dtype == np.float32 else 1e-9
    assert_allclose(output(fitted, rows), output(told, rows), rtol=precision)


@pytest.mark.parametrize("visible", ["auto", "gaussian", Gaussian(learn_variance=True)])
@pytest.mark.parametrize("cls", ALL)
def test_rows_too_large_to_be_standardised_are_named(cls, visible):
    machine = {"visible": visible} if cls is RBMTransformer else {}
    estimator = small(cls, **machine or {"rbm": rbm(visible=visible)})
    text = message(estimator.fit, 1e200 * REAL, Y)
    assert "X" in text
    assert "learning_rate" not in text


def test_targets_too_large_to_be_standardised_are_named():
    text = message(small(DBNRegressor).fit, X, 1e200 * X[:, 0])
    assert text.startswith("y ") or " y " in text
    assert "learning_rate" not in text


REPEATS = np.random.default_rng(2).integers(0, 4, 60)
FULL_BATCH = {"batch_size": 10_000, "max_iter": 5, "optimizer": SGD(0.5, momentum=0.0)}


@pytest.mark.parametrize("data", [X, REAL], ids=["bernoulli", "gaussian"])
@pytest.mark.parametrize(
    "params",
    [
        {"init": "xavier_uniform", "class_weight": "balanced"},
        {"init": "lsuv"},
        {"init": "lsuv", "class_weight": "balanced"},
        {"init": "lsuv", "unlabeled": 1},
    ],
    ids=str,
)
def test_integer_weights_are_repeated_rows_for_starts_and_class_weights(params, data):
    y = np.digitize(data[:, 0], np.quantile(data[:, 0], [0.2, 0.5]))
    net = small(DBNClassifier, **FULL_BATCH, **params)
    weighted = net.fit(data, y, sample_weight=REPEATS).predict_proba(data)
    rows, labels = np.repeat(data, REPEATS, axis=0), np.repeat(y, REPEATS)
    repeated = net.fit(rows, labels).predict_proba(data)
    assert_allclose(weighted, repeated, rtol=0, atol=1e-6)


def test_integer_weights_are_repeated_rows_for_balanced_labels():
    labels = (X[:, :2] > [0.3, 0.6]).astype(int)
    net = small(DBNClassifier, **FULL_BATCH, init="zeros", class_weight="balanced")
    weighted = net.fit(X, labels, sample_weight=REPEATS).predict_proba(X)
    rows, repeated = np.repeat(X, REPEATS, axis=0), np.repeat(labels, REPEATS, axis=0)
    assert_allclose(weighted, net.fit(rows, repeated).predict_proba(X), atol=1e-6)


def test_a_start_from_data_with_weights_goes_for_regression_too():
    net = small(DBNRegressor, **FULL_BATCH, init="lsuv")
    weighted = net.fit(REAL, REAL[:, 0], sample_weight=REPEATS).predict(REAL)
    rows = np.repeat(REAL, REPEATS, axis=0)
    assert_allclose(weighted, net.fit(rows, rows[:, 0]).predict(REAL), atol=1e-6)


# Small probabilities


@pytest.mark.parametrize(
    ("dtype", "logits", "precision"),
    [
        (np.float32, [-17.0, -20.0, -60.0, 3.0], 2e-5),
        (np.float64, [-40.0, -200.0, -700.0, 3.0], 1e-12),
    ],
)
def test_probabilities_of_labels_are_right_in_the_tail(dtype, logits, precision):
    labels = (X[:, :4] > 0.5).astype(int)
    fitted = small(DBNClassifier).fit(X.astype(dtype), labels)
    W, c = fitted.network_.dense[-1]
    W[...], c[...] = 0.0, logits
    found = fitted.predict_proba(X.astype(dtype))
    told = np.tile(expit(np.array(logits, dtype=np.float64)), (60, 1))
    assert_allclose(found, told, rtol=precision)
    log_found = fitted.predict_log_proba(X.astype(dtype))
    assert_allclose(log_found, np.log(told), rtol=precision)


# Going on


def test_a_warm_start_wants_the_classes_of_before():
    fitted = small(DBNClassifier, warm_start=True).fit(X, Y3)
    before, some = fitted.predict_proba(X), Y3 != "low"
    text = message(fitted.fit, X[some], Y3[some])
    assert "low" in text
    # Which of them there are is no matter to the one, and of before to the other.
    assert "partial_fit" in text or "warm_start=False" in text
    assert_array_equal(fitted.predict_proba(X), before)
    fitted.fit(X, Y3, sample_weight=some * 1.0)  # they are there
    fitted.partial_fit(X[some], Y3[some])


def test_a_column_of_labels_warns_at_every_fit():
    net = small(DBNClassifier, warm_start=True)
    for fit in (net.fit, net.fit, net.partial_fit, net.partial_fit):
        with pytest.warns(DataConversionWarning, match="column-vector"):
            fit(X, Y[:, None])
    fresh = small(DBNClassifier, unlabeled=-1)
    for _ in range(2):
        with pytest.warns(DataConversionWarning, match="column-vector"):
            fresh.fit(X, MARKED[:, None])


# The edge of a range

ABOVE, BELOW = 1.0 + 2.0**-52, -(2.0**-60)
SCALED = MinMaxScaler().fit_transform(X)
SCALED[:3, 0], SCALED[3, 1] = ABOVE, BELOW  # as sums and quotients round
CLIPPED = np.clip(SCALED, 0.0, 1.0)


def seeing(cls, visible):
    """A small estimator with these visible units."""
    if cls is RBMTransformer:
        return small(cls, visible=visible)
    return small(cls, rbm=rbm(visible=visible))


def test_the_maximum_of_a_scaled_table_may_round_above_one():
    rows = MinMaxScaler().fit_transform(load_breast_cancer().data)
    assert rows.max() > 1.0
    for part, _ in KFold(5).split(rows):
        fitted = rbm(max_iter=1).fit(rows[part])
        assert fitted.visible_ == choose_visible(np.minimum(rows[part], 1.0))


@pytest.mark.parametrize("visible", ["auto", "bernoulli"])
@pytest.mark.parametrize("cls", ALL)
def test_values_that_round_out_of_the_range_are_in_it(cls, visible):
    kept = SCALED.copy()
    fitted = seeing(cls, visible).fit(SCALED, Y)
    assert isinstance(fitted.visible_, Bernoulli)
    told = seeing(cls, visible).fit(CLIPPED, Y)
    assert_array_equal(output(fitted, CLIPPED), output(told, CLIPPED))
    assert_array_equal(SCALED, kept)
    if hasattr(fitted, "score_samples"):
        found = fitted.score_samples(SCALED)
        assert_allclose(found, told.score_samples(CLIPPED), rtol=1e-12)


@pytest.mark.parametrize("visible", ["auto", "bernoulli"])
@pytest.mark.parametrize("cls", ALL)
def test_single_precision_rounds_further_out(cls, visible):
    rows = X.astype(np.float32)
    rows[0, 0] = np.nextafter(np.float32(1.0), np.float32(2.0))
    fitted = seeing(cls, visible).fit(rows, Y)
    assert isinstance(fitted.visible_, Bernoulli)


@pytest.mark.parametrize("cls", PREDICTORS)
def test_rows_to_watch_may_round_out_of_the_range(cls):
    entries = [
        seeing(cls, "bernoulli").fit(X, Y, X_val=rows, y_val=Y).history_[-1]
        for rows in (SCALED, CLIPPED)
    ]
    found, told = ([e["loss"], e["validation_loss"]] for e in entries)
    assert_allclose(found, told, rtol=1e-12)


def test_training_goes_on_with_rows_that_round_out_of_the_range():
    fitted = seeing(RBMTransformer, "bernoulli").fit(X)
    fitted.partial_fit(SCALED).set_params(warm_start=True).fit(SCALED)
    monitor = RBMMonitor(SCALED)
    seeing(RBMTransformer, "bernoulli").set_callbacks(monitor).fit(SCALED)


def test_given_values_may_round_out_of_the_range():
    fitted = seeing(RBMTransformer, "bernoulli").fit(X)
    given, known = np.full(5, np.nan), np.full(5, np.nan)
    given[:2], known[:2] = [ABOVE, BELOW], [1.0, 0.0]
    options = {"steps": 5, "random_state": 0}
    found = fitted.sample(4, given=given, **options)
    assert_array_equal(found, fitted.sample(4, given=known, **options))


@pytest.mark.parametrize("cls", ALL)
def test_groups_may_round_out_of_the_range(cls):
    rows = np.stack([SCALED, 1.0 - SCALED], axis=2).reshape(60, 10)
    assert rows.min() < 0.0
    assert rows.max() > 1.0
    fitted = seeing(cls, Softmax(2)).fit(rows, Y)
    told = seeing(cls, Softmax(2)).fit(np.clip(rows, 0.0, 1.0), Y)
    assert_allclose(output(fitted, rows), output(told, rows), rtol=1e-9)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("value", [1.01, -0.01])
def test_what_is_out_of_the_range_stays_out(cls, value):
    rows = X.copy()
    rows[0, 0] = value
    assert isinstance(seeing(cls, "auto").fit(rows, Y).visible_, Gaussian)
    assert f"{value:g}" in message(seeing(cls, "bernoulli").fit, rows, Y)


# Rows held out


@pytest.mark.parametrize(
    "y",
    [np.repeat(np.arange(20), 5), np.r_[[0], np.repeat([1, 2], 50)[:99]]],
    ids=["20 classes of 5", "a class of 1"],
)
def test_few_rows_of_a_class_are_held_out_or_the_remedy_is_named(y):
    rows = np.random.default_rng(0).random((100, 5))
    net = small(DBNClassifier, early_stopping=True)
    try:
        net.fit(rows, y)
    except ValueError as error:
        assert "X_val" in str(error)
        assert "early_stopping" in str(error)
        net.fit(rows, y, X_val=rows, y_val=y)  # as it says
    assert_array_equal(net.classes_, np.unique(y))
    assert "validation_score" in net.history_[-1]


def test_the_fraction_that_an_error_names_is_enough():
    y = np.repeat(np.arange(20), 5)
    rows = np.random.default_rng(0).random((100, 5))
    small(DBNClassifier, early_stopping=True, validation_fraction=0.2).fit(rows, y)


# Sizes of numbers


@pytest.mark.parametrize("unit", [1e-3, 1e-7, 1e-30, -1e-7])
def test_data_in_small_units_are_no_rounded_zeros(unit):
    fitted = small(DBNClassifier).fit(REAL, Y)
    scaled = small(DBNClassifier).fit(unit * REAL, Y)
    assert scaled.visible_ == Gaussian(learn_variance=True)
    assert_allclose(scaled.mean_, unit * fitted.mean_)


@pytest.mark.parametrize("init", ["dbn", "he_normal", "lsuv"])
@pytest.mark.parametrize(
    "weight",
    [
        0.5 ** np.arange(60),
        np.r_[1e-25, np.ones(59)],
        np.r_[1e-300, np.full(59, 1e300)],
    ],
    ids=["halved", "one small", "far apart"],
)
def test_weights_may_be_of_any_ratio(init, weight):
    for cls in PREDICTORS:
        fitted = small(cls, init=init).fit(X, Y, sample_weight=weight)
        assert np.isfinite(output(fitted, X)).all()


def test_integer_weights_of_many_rows_are_repeated_rows_for_a_start():
    weight = np.random.default_rng(0).integers(1, 60, 60)
    options = {"init": "lsuv", "optimizer": SGD(1e-12), "batch_size": 10_000}
    weighted = small(DBNClassifier, **options).fit(X, Y, sample_weight=weight)
    rows = np.repeat(np.arange(60), weight)
    repeated = small(DBNClassifier, **options).fit(X[rows], Y[rows])
    assert len(rows) > 1000
    assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-6)


def test_numbers_out_of_all_proportion_are_named():
    relu = rbm(visible="relu")
    assert message(relu.fit, 1e200 * X).startswith("X has values from ")
    assert "y has values" in message(small(DBNRegressor).fit, X, 1e200 * X[:, 0])
    assert "y has values" in message(small(DBNRegressor).fit, X, 1e-200 * X[:, 0])


@pytest.mark.parametrize(("mark", "given"), [(-1, str), ("-1", int)])
def test_a_mark_of_another_type_than_the_labels_is_refused(mark, given):
    y = [given(label) for label in MARKED]
    text = message(small(DBNClassifier, unlabeled=mark).fit, X, np.array(y))
    assert f"Give unlabeled={given(-1)!r} if" in text
