"""Early stopping, rows that are only watched, and what is left to learn."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, log_loss, r2_score

from dbn import DBNClassifier, DBNRegressor
from dbn.estimators.predictor import DBNPredictor
from dbn.training import SGD, Adam

from .toy import PREDICTORS, REAL, Y3, X, Y, message, output, rbm, small

PAIRS = [(5, 4), (4, 3), (3, 1)]  # shapes of a regressor's weights
NOISY = np.where(np.arange(60) % 5 == 0, 1 - Y, Y)  # so that the best is not the last
FAST = {"init": "he_normal", "optimizer": Adam(0.05), "batch_size": 10}


def plain(cls=DBNClassifier, **params):
    return small(cls, **FAST | params)


def theta(fitted):
    return fitted.network_.params.flat


# An epoch of 30 rows has 30 updates: training waits for 17 without progress.
SINGLY, WAITS = {"batch_size": 1, "optimizer": Adam(0.02), "max_iter": 80}, 17


def recorded(fitted, name="validation_score"):
    return [e[name] for e in fitted.history_ if e["phase"] == "finetune"]


def halves(*arrays):
    """Rows to train on and rows to watch."""
    return [a[:30] for a in arrays], [a[30:] for a in arrays]


(TRAIN, VAL), WATCHED = (NOISY[:30], NOISY[30:]), {"X_val": X[30:], "y_val": NOISY[30:]}


# Watching


@pytest.mark.parametrize("cls", PREDICTORS)
def test_rows_that_are_watched_change_nothing(cls):
    plain_fit = plain(cls, max_iter=5).fit(X[:30], TRAIN)
    watching = plain(cls, max_iter=5).fit(X[:30], TRAIN, **WATCHED)
    assert_array_equal(theta(watching), theta(plain_fit))
    assert watching.loss_curve_ == plain_fit.loss_curve_
    assert len(recorded(watching)) == 5
    assert "validation_score" not in plain_fit.history_[-1]


def test_what_is_recorded_is_loss_and_accuracy():
    for epochs in (1, 4):
        clf = plain(max_iter=epochs).fit(X[:30], TRAIN, **WATCHED)
        p = clf.predict_proba(X[30:])
        assert_allclose(clf.history_[-1]["validation_loss"], log_loss(VAL, p))
        assert clf.history_[-1]["validation_score"] == clf.score(X[30:], VAL)
        assert type(clf.history_[-1]["validation_score"]) is float


def test_of_several_labels_accuracy_of_the_whole_row_is_recorded():
    labels = np.c_[NOISY, X[:, 2] > 0.5].astype(int)
    clf = plain(max_iter=4).fit(X[:30], labels[:30], X_val=X[30:], y_val=labels[30:])
    expected = accuracy_score(labels[30:], clf.predict(X[30:]))
    assert clf.history_[-1]["validation_score"] == expected
    p, y = clf.predict_proba(X[30:]), labels[30:]
    cost = -np.log(np.where(y, p, 1.0 - p)).sum(axis=1).mean()
    assert_allclose(clf.history_[-1]["validation_loss"], cost, rtol=1e-10)


def test_of_values_r2_is_recorded():
    values = np.c_[X @ np.arange(5.0), 100.0 * X[:, 1]]
    data = {"X_val": X[30:].tolist(), "y_val": values[30:].tolist()}
    reg = plain(DBNRegressor, max_iter=4).fit(X[:30], values[:30], **data)
    predicted = reg.predict(X[30:])
    expected = r2_score(values[30:], predicted)
    assert_allclose(reg.history_[-1]["validation_score"], expected, rtol=1e-10)
    errors = (predicted - values[30:]) / reg.y_scale_
    cost = 0.5 * (errors**2).sum(axis=1).mean()
    assert_allclose(reg.history_[-1]["validation_loss"], cost, rtol=1e-10)


def test_watched_rows_are_standardised_like_the_others():
    clf = plain(max_iter=1).fit(
        REAL[:30], TRAIN, X_val=REAL[30:].astype(np.float32), y_val=VAL
    )
    assert_allclose(clf.mean_, REAL[:30].mean(axis=0))
    assert clf.history_[-1]["validation_score"] == clf.score(REAL[30:], VAL)


@pytest.mark.parametrize("mark", [-1, np.nan])
def test_watched_rows_without_a_label_are_not_watched(mark):
    some = np.arange(30) % 2 > 0
    expected = plain().fit(X[:30], TRAIN, X_val=X[30:][some], y_val=VAL[some])
    y_val = np.where(some, VAL, mark)
    train = np.r_[TRAIN, mark]
    clf = plain(unlabeled=mark).fit(X[:31], train, X_val=X[30:], y_val=y_val)
    assert clf.history_ == expected.history_
    marked = np.full(60, mark)
    text = message(clf.fit, X[:31], train, X_val=X, y_val=marked)
    assert text.startswith("All 60 rows are marked as unlabelled (y_val is ")


@pytest.mark.parametrize("early_stopping", [False, True])
def test_watched_rows_go_on_being_watched(early_stopping):
    """A second fit may watch other rows: its best epoch is that of these."""
    options = {"warm_start": True, "early_stopping": early_stopping, "tol": 0.0}
    clf = plain(**SINGLY | options)
    clf.fit(X[:30], TRAIN, **WATCHED)
    first = clf.n_iter_
    assert (first < 80) == early_stopping
    clf.fit(X[:30], TRAIN, X_val=X[:30], y_val=TRAIN)
    assert clf.n_iter_ > first + early_stopping
    later = recorded(clf, "validation_loss")[first:]
    kept = log_loss(TRAIN, clf.predict_proba(X[:30]))
    assert_allclose(kept, min(later) if early_stopping else later[-1])


BAD = [
    ({"X_val": X}, "X_val and y_val belong together; give both or neither."),
    ({"y_val": Y}, "X_val and y_val belong together; give both or neither."),
    ({"X_val": X[:, :3], "y_val": Y}, "X_val has 3 features, but DBN"),
    ({"X_val": X, "y_val": Y[:7]}, "inconsistent numbers of samples: [60, 7]"),
    ({"X_val": X, "y_val": np.where(Y, 1.0, np.nan)}, "contains NaN"),
    ({"X_val": np.where(X < 0.1, np.inf, X), "y_val": Y}, "X_val contains infinity"),
    ({"X_val": X[:0], "y_val": Y[:0]}, "0 sample(s)"),
]
CLASSES = [
    ({"X_val": X, "y_val": 2 * Y}, "y_val holds [2], which is not among the classes"),
    ({"X_val": X, "y_val": Y3}, "y_val holds ['high', 'low', 'middle'], which"),
    ({"X_val": X, "y_val": np.c_[Y, Y]}, "y should be a 1d array"),
]
OUTPUTS = [
    ({"X_val": X, "y_val": X}, "y_val has 5 outputs; training began with 1."),
    ({"X_val": X, "y_val": Y3}, "could not convert string to float"),
    ({"X_val": X[:1], "y_val": Y[:1]}, "R^2 needs at least 2 validation rows"),
]


@pytest.mark.parametrize(
    ("cls", "data", "seen"),
    [
        *((cls, *case) for cls in PREDICTORS for case in BAD),
        *((DBNClassifier, *case) for case in CLASSES),
        *((DBNRegressor, *case) for case in OUTPUTS),
    ],
)
def test_rows_that_cannot_be_watched_are_refused_before_any_training(
    cls, data, seen, monkeypatch
):
    def initialize(self, job, task):
        raise AssertionError("training began")

    monkeypatch.setattr(DBNPredictor, "_initialize", initialize)
    assert seen in message(small(cls).fit, X, Y, **data)


def test_watched_rows_of_several_labels_need_all_columns():
    labels = np.c_[Y, Y, 1 - Y]
    text = message(plain().fit, X, labels, X_val=X, y_val=labels[:, :2])
    assert text.startswith("y_val has the shape (60, 2); training began with 3 labels")
    text = message(plain().fit, X, labels, X_val=X, y_val=labels + 1)
    assert text.startswith("y_val has the shape (60, 3) and holds [1 2].")


def test_watched_columns_must_have_the_names_of_the_others():
    frame = pd.DataFrame(X, columns=[*"abcde"])
    other = {"X_val": frame[[*"edcba"]], "y_val": Y}
    assert "feature names" in message(plain().fit, frame, Y, **other)
    assert len(recorded(plain().fit(frame, Y, X_val=frame, y_val=Y))) == 3


# Stopping


@pytest.mark.parametrize("cls", PREDICTORS)
def test_early_stopping_stops_and_returns_to_the_best_epoch(cls):
    options = SINGLY | {"n_iter_no_change": 5, "tol": 0.0}
    stopped = plain(cls, early_stopping=True, **options)
    stopped.fit(X[:30], TRAIN, **WATCHED)
    losses = recorded(stopped, "validation_loss")
    best = losses.index(min(losses))
    assert stopped.n_iter_ == len(losses) == best + 1 + WAITS < 80
    assert best > 0
    short = plain(cls, **options | {"max_iter": best + 1}).fit(X[:30], TRAIN)
    assert_array_equal(theta(stopped), theta(short))
    assert_array_equal(output(stopped, X), output(short, X))
    assert stopped.score(X[30:], VAL) == recorded(stopped)[best]


def test_the_best_epoch_has_its_own_batch_statistics():
    options = SINGLY | {"batch_size": 5, "batch_norm": True, "dropout": 0.2}
    stopped = plain(early_stopping=True, **options)
    stopped.fit(X[:30], TRAIN, **WATCHED)
    losses = recorded(stopped, "validation_loss")
    best = losses.index(min(losses))
    assert 0 < best < len(losses) - 1
    short = plain(**options | {"max_iter": best + 1}).fit(X[:30], TRAIN)
    assert_array_equal(stopped.predict_proba(X), short.predict_proba(X))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_patience_and_tolerance_decide_when(early_stopping):
    """From the first epoch that is off the plateau, where nothing else is progress."""
    name = "validation_loss" if early_stopping else "loss"

    def fitted(**options):
        options = SINGLY | {"early_stopping": early_stopping} | options
        return plain(**options).fit(X[:30], TRAIN, **WATCHED)

    share = np.bincount(TRAIN) / 30
    constant = -(share * np.log(share)).sum()
    losses = recorded(fitted(n_iter_no_change=100), name)
    assert len(losses) == 80
    left = next(i for i, loss in enumerate(losses) if loss < 0.98 * constant)
    assert fitted(n_iter_no_change=1, tol=9.0).n_iter_ == left + 1 + WAITS
    assert fitted(n_iter_no_change=30, tol=9.0).n_iter_ == left + 1 + 30
    assert fitted(n_iter_no_change=30, tol=0.0).n_iter_ > left + 1 + 30


@pytest.mark.parametrize("cls", PREDICTORS)
def test_a_loss_of_training_that_rests_ends_it_and_leaves_the_last_epoch(cls):
    """With a tolerance of 0 nothing does."""
    options = SINGLY | {"n_iter_no_change": 20, "tol": 0.5}
    stopped = plain(cls, **options).fit(X[:30], TRAIN)
    assert 20 < stopped.n_iter_ < 80
    short = plain(cls, **options | {"max_iter": stopped.n_iter_, "tol": 0.0})
    assert_array_equal(theta(stopped), theta(short.fit(X[:30], TRAIN)))
    assert plain(cls, **options | {"tol": 0.0}).fit(X[:30], TRAIN).n_iter_ == 80


# Rows that are held out


def held_out(monkeypatch, estimator, *data):
    """Fit; return the rows that fine-tuning gets, their targets, and those watched."""
    seen = {}

    def finetune(network, rows, targets, *, sample_weight, validate, **options):
        watched = validate.rows, *validate.on_host
        seen.update(trained=(rows, targets, sample_weight), watched=watched)

    monkeypatch.setattr("dbn.estimators.predictor.finetune", finetune)
    estimator.fit(*data)
    return seen["trained"], seen["watched"]


def indices(rows):
    """Which rows of X these are."""
    return [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in rows]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_held_out_rows_are_a_stratified_share_of_the_labelled_rows(
    fraction, monkeypatch
):
    labelled = np.arange(60) % 6 > 0
    y = np.where(labelled, np.arange(60) % 5 // 2, -1)  # classes 2 : 2 : 1
    weight = np.linspace(1.0, 2.0, 60)
    clf = plain(early_stopping=True, unlabeled=-1, validation_fraction=fraction)
    (rows, targets, w), (kept, truth, v) = held_out(monkeypatch, clf, X, y, weight)
    train, watched = indices(rows), indices(kept)
    assert sorted(train + watched) == [*np.flatnonzero(labelled)]
    assert len(watched) == np.ceil(50 * fraction)
    for share in (truth.sum(axis=0), targets.sum(axis=0)):
        assert_allclose(share, share.sum() * np.array([0.4, 0.4, 0.2]), atol=1.0)
    assert_array_equal(truth.argmax(axis=1), y[watched])
    assert_array_equal(targets.argmax(axis=1), y[train])
    assert_array_equal(w, weight[train])
    assert_array_equal(v, weight[watched])


def test_held_out_rows_take_part_in_pretraining():
    stopping = small(DBNClassifier, early_stopping=True, validation_fraction=0.5)
    machines = [clf.fit(X, Y).dbn_.rbms for clf in (stopping, small(DBNClassifier))]
    shapes = [[machine.W.shape for machine in rbms] for rbms in machines]
    assert shapes[0] == shapes[1]
    # All rows were seen: the visible biases start at the mean of all of them.
    still = rbm(optimizer=SGD(1e-12))
    clf = small(DBNClassifier, early_stopping=True, rbm=still).fit(X, Y)
    mean = 1.0 / (1.0 + np.exp(-clf.dbn_.rbms[0].b))
    assert_allclose(mean, X.mean(axis=0), atol=1e-3)


def test_the_seed_decides_which_rows_are_held_out(monkeypatch):
    def watched(seed):
        clf = plain(early_stopping=True, random_state=seed)
        return indices(held_out(monkeypatch, clf, X, Y)[1][0])

    assert watched(0) == watched(0)
    assert sorted(watched(0)) != sorted(watched(1))


def test_weights_count_in_the_score_that_is_watched():
    weight = np.where(np.arange(60) % 3 == 0, 1e-9, 1.0)
    clf = plain(early_stopping=True, validation_fraction=0.3, max_iter=20)
    weighted = recorded(clf.fit(X, NOISY, weight))
    assert weighted != recorded(clf.fit(X, NOISY))


def test_watched_rows_take_the_place_of_held_out_ones(monkeypatch):
    clf = plain(early_stopping=True, max_iter=2)
    clf.fit(X[:30], TRAIN, **WATCHED)
    expected = plain(max_iter=2).fit(X[:30], TRAIN)
    assert clf.loss_curve_ == expected.loss_curve_  # trained on all 30 rows


@pytest.mark.parametrize(
    ("cls", "rows", "y", "seen"),
    [
        (DBNClassifier, X[:3], [*"abc"], "any of 3 labelled rows: each is the"),
        (DBNRegressor, X[:8], Y[:8], "R^2 needs at least 2 validation rows"),
        (DBNRegressor, X[:1], Y[:1], "of 1 labelled rows (n_samples=1). Give rows of"),
    ],
)
def test_too_few_rows_to_hold_some_out(cls, rows, y, seen):
    estimator = small(cls, early_stopping=True).fit(X, Y)
    before = output(estimator, X)
    assert seen in message(estimator.fit, rows, y)
    assert_array_equal(output(estimator, X), before)


@pytest.mark.parametrize("n_classes", [2, 8, 20])
def test_where_strata_are_too_small_every_class_keeps_a_row(n_classes, monkeypatch):
    """Of 20 classes of 3 rows a tenth is 6 rows: not one of each class."""
    y = np.arange(60) % n_classes
    y[0] = n_classes  # a class of one row
    clf = plain(early_stopping=True)
    (_, targets, _), (kept, truth, _) = held_out(monkeypatch, clf, X, y)
    assert (targets.sum(axis=0) > 0).all()
    assert truth.shape == (6, n_classes + 1)
    assert not truth[:, -1].any()
    assert not {*indices(kept)} & {0}


def test_labels_are_counted_without_the_unlabelled_rows():
    y = np.where(np.arange(60) < 2, [[*"ab"][i % 2] for i in range(60)], "?")
    text = message(plain(early_stopping=True, unlabeled="?").fit, X, y)
    assert "of 2 labelled rows" in text


@pytest.mark.parametrize("cls", PREDICTORS)
def test_divergence_is_reported_with_watched_rows_too(cls):
    wild = plain(cls, optimizer=SGD(1e300), activation="relu", max_iter=20)
    text = message(wild.fit, REAL, Y, X_val=REAL, y_val=Y, error=FloatingPointError)
    assert text.startswith("Fine-tuning diverged: ")


@pytest.mark.parametrize("size", [1e200, 1e304])
def test_a_loss_of_watched_rows_that_overflows_is_reported(size):
    """The squared error does at 1e200, the prediction itself at 1e307."""
    start = [(np.full(shape, 300.0), np.zeros(shape[1])) for shape in PAIRS]
    reg = plain(DBNRegressor, init=start, activation="relu", optimizer="adam")
    watched = {"X_val": size * REAL, "y_val": Y}
    text = message(reg.fit, REAL, Y, **watched, error=FloatingPointError)
    assert text.startswith("Fine-tuning diverged: the validation_loss is ")


# What learns, and when


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_a_multiplier_of_zero_freezes_a_layer(cls, frozen):
    factors = [1.0, 1.0, 1.0]
    factors[frozen] = 0.0
    options = {"weight_decay": 0.1, "max_norm": 0.5}
    start = small(cls, learning_rate_multipliers=[0, 0, 0], **options).fit(X, Y)
    moved = small(cls, learning_rate_multipliers=factors, **options).fit(X, Y)
    pairs = zip(start.network_.dense, moved.network_.dense, strict=True)
    for layer, ((W, c), (V, b)) in enumerate(pairs):
        same = np.array_equal(W, V) and np.array_equal(c, b)
        assert same == (layer == frozen)


def test_multipliers_multiply_the_moves():
    options = {"optimizer": SGD(0.1, momentum=0.0), "batch_size": 99, "max_iter": 1}
    start, full, partly = (
        plain(learning_rate_multipliers=factors, **options).fit(X, Y).network_.dense
        for factors in ([0, 0, 0], None, [0.5, 2.0, 1.0])
    )
    for layers, factor in zip(
        zip(start, full, partly, strict=True), [0.5, 2.0, 1.0], strict=True
    ):
        for before, one, other in zip(*layers, strict=True):
            assert_allclose(other - before, factor * (one - before), atol=1e-15)


def test_max_norm_bounds_the_weights_into_each_unit():
    bounded, free = (plain(max_norm=m, max_iter=9).fit(X, Y) for m in (0.7, None))
    for (W, _), (V, _) in zip(bounded.network_.dense, free.network_.dense, strict=True):
        assert np.linalg.norm(W, axis=0).max() <= 0.7 + 1e-12
        assert np.linalg.norm(V, axis=0).max() > 0.8


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("init", ["dbn", "he_normal"])
def test_the_head_learns_first(cls, init):
    def layers(**options):
        options = {"batch_norm": True, "init": init} | options
        return small(cls, **options).fit(X, Y).network_

    start = layers(learning_rate_multipliers=[0, 0, 0])
    head = layers(max_iter=2, head_epochs=2)
    for i in range(2):
        for before, after in zip(start.dense[i], head.dense[i], strict=True):
            assert_array_equal(before, after)
        for name in (f"gamma{i}", f"beta{i}"):
            assert_array_equal(start.params[name], head.params[name])
    assert np.abs(head.dense[-1][0] - start.dense[-1][0]).max() > 1e-4
    both = layers(max_iter=3, head_epochs=2)
    assert all(
        np.abs(W - V).max() > 1e-6
        for (W, _), (V, _) in zip(both.dense, start.dense, strict=True)
    )


def test_head_epochs_are_counted_from_the_beginning_of_training():
    options = {"init": "dbn", "head_epochs": 3, "warm_start": True}
    clf = small(DBNClassifier, max_iter=2, **options).fit(X, Y)
    start = clf.dbn_.rbms[0].W.copy()
    assert_array_equal(clf.network_.dense[0][0], start)
    clf.fit(X, Y)
    assert np.abs(clf.network_.dense[0][0] - start).max() > 1e-6


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize(
    ("params", "seen"),
    [
        ({"learning_rate_multipliers": [1.0]}, "1 learning_rate_multipliers for 3"),
        ({"learning_rate_multipliers": "slow"}, "'learning_rate_multipliers' param"),
        ({"head_epochs": -1}, "'head_epochs' parameter"),
        ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
        ({"validation_fraction": 3}, "'validation_fraction' parameter"),
        ({"n_iter_no_change": 0}, "'n_iter_no_change' parameter"),
        ({"tol": -1.0}, "'tol' parameter"),
        ({"max_norm": 0.0}, "'max_norm' parameter"),
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"dropout": [0.5]}, "one for the inputs and each hidden layer, here 3"),
        ({"optimizer": "cg", "dropout": 0.1}, "dropout and batch normalization"),
        ({"optimizer": "lbfgs", "batch_norm": True}, "dropout and batch normalization"),
    ],
    ids=str,
)
def test_impossible_settings_are_refused(cls, params, seen):
    assert seen in message(small(cls, init="he_normal", **params).fit, X, Y)


def test_training_stops_where_watched_rows_stay_worse_than_a_constant():
    """Classes are not as frequent in them: their loss is never below that of one."""
    rng = np.random.default_rng(1)

    def rows(*counts):
        parts = [rng.normal(i, 1.0, (n, 4)) for i, n in enumerate(counts)]
        return np.concatenate(parts), np.repeat([0, 1], counts)

    options = {"init": "he_normal", "optimizer": "sgd", "batch_size": 10}
    clf = small(DBNClassifier, early_stopping=True, max_iter=300, **options)
    (few, y), (watched, y_val) = rows(190, 10), rows(50, 50)
    clf.fit(few, y, X_val=watched, y_val=y_val)
    losses = recorded(clf, "validation_loss")
    constant = log_loss(y, np.full((200, 2), [0.95, 0.05]))
    assert min(losses) > 0.98 * constant and recorded(clf, "loss")[-1] < constant
    waited = clf.n_iter_ - 1 - np.argmin(losses)
    assert 25 <= waited <= 60 and clf.n_iter_ < 300  # 500 updates, small steps apart
