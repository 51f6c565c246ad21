"""Fine-tuning that goes on is fine-tuning that never stopped."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from dbn import DBNClassifier, DBNRegressor, DBNTransformer
from dbn.training import SGD, Adam

from .toy import PREDICTORS, REAL, Y3, X, Y, message, output, rbm, small

pytestmark = pytest.mark.usefixtures("on_each_device")
STEADY = Adam(0.01, decoupled_decay=0.05)  # the default falls over the fit
OPTIONS = [
    {"optimizer": SGD(0.1, momentum=0.9)},
    {"optimizer": SGD(((0, 0.1), (3, 0.01)), momentum=((0, 0.5), (2, 0.9)))},
    {"optimizer": Adam(0.01)},
    {"optimizer": "rmsprop", "dropout": [0.2, 0.5, 0.5]},
    {"optimizer": Adam(0.01), "batch_norm": True},
    {"optimizer": "lbfgs"},
    {"optimizer": "adamw", "head_epochs": 3, "max_norm": 1.0, "weight_decay": 0.1},
    {"learning_rate_multipliers": [0.0, 0.5, 1.0], "dropout": 0.3, "batch_norm": True},
    {"init": "dbn"},
    {"init": "dbn", "batch_norm": True, "dropout": 0.5, "activation": "tanh"},
]


def plain(cls=DBNClassifier, **params):
    return small(cls, **{"init": "he_normal"} | params)


def everything(fitted):
    """All numbers that prediction depends on."""
    net = fitted.network_
    return np.concatenate([net.params.flat, net.statistics.flat])


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("rows", [X, REAL], ids=["bernoulli", "gaussian"])
def test_stopping_and_going_on_changes_nothing(cls, options, rows):
    """Moments, averages, schedules and the random stream go on, bit for bit."""
    options = {"optimizer": STEADY} | options
    whole = plain(cls, max_iter=5, **options).fit(rows, Y)
    warm = plain(cls, max_iter=2, warm_start=True, **options).fit(rows, Y)
    warm.set_params(max_iter=3).fit(rows, Y)
    parts = plain(cls, max_iter=99, **options)
    for _ in range(5):
        assert parts.partial_fit(rows, Y) is parts
    for other in (warm, parts):
        assert_array_equal(everything(other), everything(whole))
        assert other.history_ == whole.history_
        assert other.loss_curve_ == whole.loss_curve_
        assert other.n_iter_ == whole.n_iter_ == 5


@pytest.mark.parametrize("cls", PREDICTORS)
def test_going_on_after_pickling_changes_nothing(cls):
    fitted = plain(cls, dropout=0.5).partial_fit(X, Y)
    restored = pickle.loads(pickle.dumps(fitted)).partial_fit(X, Y)
    assert_array_equal(everything(restored), everything(fitted.partial_fit(X, Y)))


@pytest.mark.parametrize("cls", PREDICTORS)
def test_fit_without_warm_start_starts_anew(cls):
    fitted = (
        plain(cls).fit(REAL, X).partial_fit(REAL, X)
        if cls is DBNRegressor
        else (plain(cls).fit(REAL, Y3).partial_fit(REAL, Y3))
    )
    fitted.fit(X, Y)
    assert_array_equal(everything(fitted), everything(plain(cls).fit(X, Y)))
    assert fitted.n_iter_ == 3


def test_partial_fit_goes_on_from_fit():
    fitted = small(DBNClassifier, optimizer=STEADY).fit(X, Y).partial_fit(X, Y)
    expected = small(DBNClassifier, optimizer=STEADY, max_iter=4).fit(X, Y)
    assert_array_equal(everything(fitted), everything(expected))


def test_warm_start_goes_on_from_partial_fit():
    fitted = small(DBNClassifier, warm_start=True, optimizer=STEADY)
    fitted.partial_fit(X, Y).fit(X, Y)
    expected = small(DBNClassifier, optimizer=STEADY, max_iter=4).fit(X, Y)
    assert_array_equal(everything(fitted), everything(expected))


@pytest.mark.parametrize("cls", PREDICTORS)
def test_going_on_does_not_pretrain_again(cls):
    fitted = small(cls, warm_start=True).fit(X, Y)
    stack = fitted.dbn_
    kept = stack.rbms[0].params.flat.copy()
    for again in (fitted.fit, fitted.partial_fit):
        again(X, Y)
        assert fitted.dbn_ is stack
        assert_array_equal(stack.rbms[0].params.flat, kept)
    assert [e["phase"] for e in fitted.history_] == ["pretrain"] * 4 + ["finetune"] * 7
    assert [e["epoch"] for e in fitted.history_[4:]] == [*range(7)]


def test_the_first_partial_fit_does_all_of_init():
    # The default goes by the number of rows, which a chunk does not tell.
    started = small(DBNClassifier, optimizer=STEADY).partial_fit(X, Y)
    fitted = small(DBNClassifier, optimizer=STEADY, max_iter=1).fit(X, Y)
    assert_array_equal(everything(started), everything(fitted))
    assert started.history_ == fitted.history_
    brought = FrozenEstimator(small(DBNTransformer).fit(X))
    sizes = {"hidden_layer_sizes": (256,)}
    started = small(DBNClassifier, init=brought, **sizes).partial_fit(X, Y)
    assert started.n_iter_ == 1
    assert [W.shape[1] for W in started.coefs_] == [4, 3, 2]


def test_weights_and_marks_count_in_partial_fit():
    weight, y = np.arange(60) % 3 * 1.0, np.where(np.arange(60) % 4 > 0, Y, -1)
    marked = plain(unlabeled=-1)
    used = (weight > 0) & (y >= 0)
    expected = plain()
    for _ in range(2):
        marked.partial_fit(X, y, sample_weight=weight)
        expected.partial_fit(X[used], Y[used], sample_weight=weight[used])
    assert_array_equal(everything(marked), everything(expected))


@pytest.mark.parametrize("class_weight", [{"low": 4.0}, "balanced"], ids=str)
def test_class_weights_go_with_chunks_that_lack_a_class(class_weight):
    clf = plain(class_weight=class_weight).partial_fit(X, Y3)
    rest = Y3 != "low"
    before = everything(clf)
    clf.partial_fit(X[rest], Y3[rest])
    assert np.abs(everything(clf) - before).max() > 1e-6


def test_partial_fit_ignores_early_stopping():
    clf = plain(early_stopping=True, n_iter_no_change=1, tol=9.0)
    expected = plain()
    for _ in range(4):
        clf.partial_fit(X, Y)
        expected.partial_fit(X, Y)
    assert_array_equal(everything(clf), everything(expected))
    assert "validation_score" not in clf.history_[-1]


# Classes


def test_classes_of_later_chunks_can_be_announced():
    first = Y3 == "low"
    clf = plain().partial_fit(X[first], Y3[first], classes=["low", "middle", "high"])
    assert_array_equal(clf.classes_, ["high", "low", "middle"])
    clf.partial_fit(X, Y3).partial_fit(X, Y3, classes=["high", "middle", "low"])
    assert clf.predict_proba(X).shape == (60, 3)


def test_a_class_that_was_not_announced_is_refused():
    clf = plain().partial_fit(X[Y3 != "low"], Y3[Y3 != "low"])
    before = everything(clf)
    for call in (clf.partial_fit, clf.set_params(warm_start=True).fit):
        assert message(call, X, Y3) == (
            "y holds ['low'], which is not among the classes ['high', 'middle']. All "
            "must be known when training begins: from y in fit, or from classes in the "
            "first partial_fit."
        )
    assert_array_equal(everything(clf), before)
    text = message(plain().partial_fit, X, Y3, classes=["low", "high"])
    assert text.startswith("y holds ['middle'], which is not among")


def test_other_classes_than_before_are_refused():
    clf = plain().partial_fit(X, Y)
    text = message(clf.partial_fit, X, Y, classes=[0, 1, 2])
    assert text.startswith("classes holds [0, 1, 2], but training began with [0, 1].")
    labels = np.c_[Y, 1 - Y]
    text = message(plain().partial_fit, X, labels, classes=[4, 5])
    assert text.startswith("classes holds [4, 5], but training began with [0, 1].")
    clf = plain().partial_fit(X, labels, classes=[0, 1])
    assert clf.predict(X).shape == (60, 2)


def test_one_announced_class_is_one_class():
    text = message(plain().partial_fit, X, Y3, classes=["low"])
    assert text.startswith("classes holds ['low']; a classifier needs at least 2")


def test_a_fit_forgets_the_classes_of_a_partial_fit():
    clf = plain().partial_fit(X, Y, classes=[0, 1, 2]).fit(X, Y)
    assert_array_equal(clf.classes_, [0, 1])


def test_several_labels_stay_several_labels():
    labels = np.c_[Y, 1 - Y, Y]
    for first, later, seen in [
        (labels, Y, "y has the shape (60,); training began with 3 labels"),
        (labels, labels[:, :2], "y has the shape (60, 2); training began with 3"),
        (Y, labels, "y should be a 1d array"),
    ]:
        assert seen in message(plain().partial_fit(X, first).partial_fit, X, later)


def test_as_many_outputs_as_before():
    reg = plain(DBNRegressor).partial_fit(X, REAL)
    text = message(reg.partial_fit, X, Y)
    assert text == "y has 1 outputs; training began with 5. Give as many."


# The net, the rows and what others hold


CHANGES = [
    ({"hidden_layer_sizes": (5, 3)}, "Network([5, 5, 3, 2]"),
    ({"hidden_layer_sizes": (4,)}, "Network([5, 4, 2]"),
    ({"hidden_layer_sizes": (256,)}, "Network([5, 256, 2]"),
    ({"activation": "tanh"}, "activation=Tanh()"),
    ({"dropout": 0.5}, "dropout=[0.0, 0.5, 0.5]"),
    ({"batch_norm": True}, "batch_norm=True"),
]


@pytest.mark.parametrize(("change", "asked"), CHANGES, ids=str)
def test_another_net_is_refused(change, asked):
    clf = small(DBNClassifier, warm_start=True).fit(X, Y)
    before = everything(clf)
    clf.set_params(**change)
    for train in (clf.fit, clf.partial_fit):
        text = message(train, X, Y)
        assert text.startswith("Training cannot go on: the net is Network([5, 4, 3, 2]")
        assert asked in text.split("ask for")[1]
        assert text.endswith("or call fit with warm_start=False.")
    assert_array_equal(everything(clf), before)
    assert clf.n_iter_ == 3
    clf.set_params(warm_start=False).fit(X, Y)
    assert asked in repr(clf.network_)


@pytest.mark.parametrize("fitted", [False, True])
def test_sizes_that_came_with_init_need_not_be_given(fitted):
    init = DBNTransformer((4, 3), rbm=rbm(), random_state=0)
    init = FrozenEstimator(init.fit(X)) if fitted else init
    clf = DBNClassifier(init=init, warm_start=True, max_iter=1).fit(X, Y).fit(X, Y)
    assert clf.n_iter_ == 2
    assert [W.shape[1] for W in clf.coefs_] == [4, 3, 2]
    clf.set_params(hidden_layer_sizes=(4, 3)).partial_fit(X, Y)
    assert "[5, 7, 2]" in message(clf.set_params(hidden_layer_sizes=7).fit, X, Y)


@pytest.mark.parametrize("how", [copy.copy, FrozenEstimator])
@pytest.mark.parametrize("cls", PREDICTORS)
def test_a_copy_is_not_touched_by_what_goes_on(cls, how):
    options = {"dropout": 0.5, "batch_norm": True, "warm_start": True}
    fitted = small(cls, **options).fit(X, Y)
    holder = how(copy.copy(fitted))
    shallow = getattr(holder, "estimator", holder)
    expected = copy.deepcopy(shallow)
    fitted.network_.params.flat.flags.writeable = False  # as from a memory map
    fitted.partial_fit(X, Y).fit(X, Y)
    assert fitted.n_iter_ == 7
    assert_array_equal(everything(shallow), everything(expected))
    assert shallow.history_ == expected.history_
    # Its random stream too: it goes on as if nothing had happened.
    again = [e.partial_fit(X, Y) for e in (shallow, expected)]
    assert_array_equal(*(everything(e) for e in again))


@pytest.mark.parametrize("cls", PREDICTORS)
def test_precision_and_preprocessing_are_those_of_the_first_rows(cls):
    fitted = plain(cls).partial_fit(REAL.astype(np.float32), Y)
    mean = fitted.mean_.copy()
    fitted.partial_fit(REAL + 1.0, Y)
    assert everything(fitted).dtype == np.float32
    assert_array_equal(fitted.mean_, mean)


def test_targets_are_standardised_as_in_the_first_chunk():
    reg = plain(DBNRegressor).partial_fit(X, REAL)
    mean, scale = reg.y_mean_.copy(), reg.y_scale_.copy()
    reg.partial_fit(X, 10.0 * REAL + 3.0)
    assert_array_equal(reg.y_mean_, mean)
    assert_array_equal(reg.y_scale_, scale)


def test_later_rows_are_checked_like_the_first():
    clf = plain().partial_fit(X, Y)
    assert "values in [0, 1]" in message(clf.partial_fit, REAL, Y)
    assert "X has 4 features" in message(clf.partial_fit, X[:, :4], Y)
    assert "y contains NaN" in message(clf.partial_fit, X, np.where(Y, 1.0, np.nan))


def test_partial_fit_validates_parameters():
    assert "'batch_size' parameter" in message(plain(batch_size=0).partial_fit, X, Y)
    text = message(plain(optimizer=SGD(-1.0)).partial_fit, X, Y)
    assert text.startswith("SGD: learning_rate must")


def test_clone_forgets_training():
    assert not hasattr(clone(plain().partial_fit(X, Y)), "network_")


def test_a_start_that_fails_leaves_no_net_to_go_on_from():
    clf = plain(init=[(np.ones((5, 4)), np.ones(4))])
    assert "have the shapes" in message(clf.partial_fit, X, Y)
    assert not hasattr(clf, "network_")
    clf.set_params(init="he_normal").partial_fit(X, Y)
    assert_array_equal(everything(clf), everything(plain().partial_fit(X, Y)))


@pytest.mark.parametrize("cls", PREDICTORS)
def test_divergence_keeps_the_last_finite_net_and_can_go_on(cls):
    options = {"activation": "relu", "optimizer": SGD(1e-3), "warm_start": True}
    fitted = plain(cls, **options).fit(REAL, Y)
    good = everything(fitted).copy()
    fitted.set_params(optimizer=SGD(1e200))
    text = message(fitted.fit, REAL, Y, error=FloatingPointError)
    assert "in epoch 3; the parameters from before it are kept" in text
    assert_array_equal(everything(fitted), good)
    assert fitted.n_iter_ == 3
    fitted.set_params(optimizer=SGD(1e-3)).fit(REAL, Y)
    assert np.isfinite(everything(fitted)).all()
    assert np.isfinite(output(fitted, REAL)).all()


def test_a_new_learning_rate_keeps_the_momentum_and_a_new_optimizer_starts_anew():
    clf = plain(optimizer=SGD(0.1)).partial_fit(X, Y)
    velocity = clf._state["optimizer"]["velocity"].copy()
    clf.set_params(optimizer__learning_rate=1e-12).partial_fit(X, Y)
    expected = velocity * 0.9**3  # 3 batches
    np.testing.assert_allclose(clf._state["optimizer"]["velocity"], expected, atol=1e-9)
    clf.set_params(optimizer="adam").partial_fit(X, Y)
    assert {"m", "v"} <= {*clf._state["optimizer"]}


def test_streaming_chunks_learn():
    rng = np.random.default_rng(0)
    rows = rng.random((600, 5))
    y = (rows[:, 0] > rows[:, 1]).astype(int)
    clf = plain(batch_size=10, optimizer=Adam(0.02))
    for _ in range(8):
        for part in range(4):
            clf.partial_fit(rows[part:400:4], y[part:400:4])
    assert clf.score(rows[400:], y[400:]) > 0.9
    assert clf.n_iter_ == 32
