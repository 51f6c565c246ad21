"""Where the weights start: `init`, and how it goes together with the rest."""

import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from dbn import DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer
from dbn.boltzmann import units
from dbn.feedforward import Given, Normal, VarianceScaling
from dbn.training import SGD

from .toy import PREDICTORS, REAL, X, Y, buffers, message, output, rbm, small

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
def test_machines_beside_those_of_a_stack_are_refused(stack, cls):
    for init in (FrozenEstimator(stack), DBNTransformer((4, 3), rbm=rbm())):
        net = cls(init=init, rbm=rbm(n_components=9))
        text = message(net.fit, REAL, Y)
        assert "n_components=9" in text and "machines of its own" in text
        assert "Leave rbm at None, or set the rbm of that DBNTransformer" in text


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
        assert text.endswith("Fit it first.") == isinstance(wrong, DBNTransformer)


@pytest.mark.parametrize("fitted", [rbm().fit(X), DBNTransformer], ids=["rbm", "class"])
def test_a_frozen_model_of_the_wrong_kind_is_refused_as_such(fitted):
    text = message(frozen(fitted).fit, X, Y)
    assert f"{type(fitted).__name__} is none of these, fitted or not. Fit one;" in text


def test_a_frozen_stack_refuses_columns_in_another_order():
    frame = pd.DataFrame(REAL, columns=[*"abcde"])
    stack = small(DBNTransformer).fit(frame)
    text = message(frozen(stack).fit, frame[[*"edcba"]], Y)
    assert "feature names" in text


# A stack that has yet to be trained


def brought(cls=DBNClassifier, init=None, **params):
    """An estimator whose sizes and machines come with `init`."""
    init = DBNTransformer((4, 3), rbm=rbm(max_iter=1)) if init is None else init
    return small(cls, init=init, hidden_layer_sizes=(256,), rbm=None, **params)


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("data", [X, REAL], ids=["bernoulli", "gaussian"])
def test_a_stack_brings_its_sizes_machines_and_seed(cls, data):
    init = DBNTransformer((6, 2), rbm=[rbm(max_iter=1), rbm(max_iter=3)])
    init.set_params(random_state=7)
    fitted = brought(cls, init, max_iter=1).fit(data, Y)
    assert not hasattr(init, "dbn_")  # cloned
    alone = clone(init).fit(data)
    for params, expected in zip(buffers(fitted)[:2], buffers(alone), strict=True):
        assert_array_equal(params.flat, expected.flat)
    assert [W.shape[1] for W, _ in fitted.network_.dense[:-1]] == [6, 2]
    pretrained = [e for e in fitted.history_ if e["phase"] == "pretrain"]
    assert pretrained == alone.history_
    assert [e["layer"] for e in pretrained] == [0, 1, 1, 1]


def test_a_stack_without_a_seed_takes_the_estimators():
    stacks = [brought(random_state=seed).fit(X, Y).dbn_.rbms[0].W for seed in (0, 0, 1)]
    assert_array_equal(stacks[0], stacks[1])
    assert np.abs(stacks[0] - stacks[2]).max() > 1e-4


def test_the_seed_of_the_stack_decides_the_stack_only():
    init = DBNTransformer((4, 3), rbm=rbm(), random_state=5)
    fits = [brought(init=init, random_state=seed).fit(X, Y) for seed in (0, 1)]
    for one, other in zip(buffers(fits[0])[:2], buffers(fits[1])[:2], strict=True):
        assert_array_equal(one.flat, other.flat)
    assert np.abs(buffers(fits[0])[2].flat - buffers(fits[1])[2].flat).max() > 1e-4


def test_a_fitted_stack_is_trained_anew_unless_it_is_frozen():
    init = DBNTransformer((4, 3), rbm=rbm(), random_state=5).fit(X[:30])
    before = [params.flat.copy() for params in buffers(init)]
    fitted = brought(init=init).fit(X, Y)
    for params, kept, own in zip(buffers(init), before, buffers(fitted), strict=False):
        assert_array_equal(params.flat, kept)
        assert np.abs(own.flat - kept).max() > 1e-4


@pytest.mark.parametrize("cls", PREDICTORS)
def test_sizes_beside_a_stack_must_be_the_same(cls):
    init = DBNTransformer((6, 2), rbm=rbm())
    same = small(cls, init=init, hidden_layer_sizes=(6, 2)).fit(X, Y)
    assert [W.shape[1] for W in same.coefs_[:-1]] == [6, 2]
    assert message(small(cls, init=init, hidden_layer_sizes=(6,)).fit, X, Y) == (
        "hidden_layer_sizes is [6], but the DBN in init has [6, 2]. Leave "
        "hidden_layer_sizes at its default, or give the same sizes."
    )


@pytest.mark.parametrize(
    ("init", "error", "seen"),
    [
        (DBNTransformer((0,)), ValueError, "one or more positive integers"),
        (DBNTransformer((4,), rbm="cd"), TypeError, "rbm must be an RBMTransformer"),
        (DBNTransformer((4,), rbm=[]), ValueError, "list of 0 prototypes for 1"),
        (DBNTransformer((4,), rbm=rbm(max_iter=0)), ValueError, "'max_iter' parameter"),
        (DBNTransformer((4,), random_state="a"), ValueError, "'a' cannot be used"),
    ],
)
def test_a_bad_stack_is_refused(init, error, seen):
    assert seen in message(brought(init=init).fit, X, Y, error=error)


# Given weights


SIZES = [5, 4, 3, 2]


def pairs(sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    shapes = pairwise(sizes)
    return [(rng.standard_normal(s), rng.standard_normal(s[1])) for s in shapes]


FROZEN = {"learning_rate_multipliers": [0, 0, 0], "max_iter": 1}


@pytest.mark.parametrize("as_init", [list, tuple, Given], ids=lambda f: f.__name__)
@pytest.mark.parametrize("data", [X, REAL], ids=["bernoulli", "gaussian"])
def test_given_weights_are_where_the_net_starts(as_init, data):
    given = pairs()
    kept = [(W.copy(), c.copy()) for W, c in given]
    clf = small(DBNClassifier, init=as_init(given), **FROZEN).fit(data, Y)
    h = data if clf.mean_ is None else (data - clf.mean_) / clf.scale_
    for (W, c), (V, b) in zip(clf.network_.dense, given, strict=True):
        assert_array_equal(W, V)
        assert_array_equal(c, b)
        h, z = expit(h @ V + b), h @ V + b
    assert_allclose(clf.decision_function(data), z[:, 1] - z[:, 0], rtol=1e-10)
    moved = small(DBNClassifier, init=as_init(given)).fit(data, Y)
    assert np.abs(moved.network_.dense[0][0] - given[0][0]).max() > 1e-4
    for old, new in zip(kept, given, strict=True):
        assert_array_equal(old[0], new[0])
        assert_array_equal(old[1], new[1])


def test_the_weights_of_one_net_start_another():
    first = small(DBNClassifier, max_iter=5).fit(X, Y)
    init = [*zip(first.coefs_, first.intercepts_, strict=True)]
    second = small(DBNClassifier, init=init, **FROZEN).fit(X, Y)
    assert_array_equal(second.predict_proba(X), first.predict_proba(X))


@pytest.mark.parametrize(
    ("init", "seen"),
    [
        ([], "have the shapes [], those of the network [(5, 4), (4,)"),
        (pairs()[:2], "[(5, 4), (4,), (4, 3), (3,)], those of the network [(5, 4)"),
        (pairs([5, 4, 3, 7]), "(3, 7), (7,)], those of the network"),
        ([1, 2, 3], "Entry 0 of the given layers is int and not a pair."),
        ([*pairs()[:2], (np.full((3, 2), np.inf), np.zeros(2))], "6 entries that are"),
    ],
)
def test_given_weights_that_do_not_fit_are_refused(init, seen):
    assert seen in message(small(DBNClassifier, init=init).fit, X, Y)


# What is left of a pretrained stack


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("structure", ["dbn-resampled", "dbn-shuffled"])
def test_the_controls_keep_only_the_histogram(cls, structure):
    controlled = small(cls, init=structure, **FROZEN).fit(X, Y)
    plain = small(cls, init="dbn", **FROZEN).fit(X, Y)
    for fitted, expected in zip(buffers(controlled)[:2], buffers(plain), strict=False):
        assert_array_equal(fitted.flat, expected.flat)  # the stack is the same
    hidden = zip(controlled.network_.dense[:-1], plain.dbn_.rbms, strict=True)
    for (W, c), machine in hidden:
        assert not np.array_equal(W, machine.W)
        for drawn, source in ((W, machine.W), (c, machine.c)):
            if structure == "dbn-shuffled":
                assert_array_equal(np.sort(drawn.ravel()), np.sort(source.ravel()))
            else:
                assert np.isin(drawn, source).all()
    (W, _), (V, _) = controlled.network_.dense[-1], plain.network_.dense[-1]
    assert_array_equal(W, V)  # the output layer starts alike


# Rectified layers


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("data", [X, REAL], ids=["bernoulli", "gaussian"])
def test_rectified_layers_start_from_rectified_units(cls, data):
    options = {"activation": "relu", "rbm": None, "hidden_layer_sizes": (4, 3)}
    fitted = small(cls, **options, **FROZEN).fit(data, Y)
    for machine in fitted.dbn_.rbms:
        assert isinstance(machine.hidden, units.ReLU)
    rows = data if fitted.mean_ is None else (data - fitted.mean_) / fitted.scale_
    h = rows
    for (W, c), machine in zip(fitted.network_.dense, fitted.dbn_.rbms, strict=False):
        assert_array_equal(W, machine.W)
        assert_array_equal(c, machine.c)
        h = np.maximum(h @ machine.W + machine.c, 0.0)
    assert_allclose(fitted.network_.activations(rows)[-2], h, rtol=1e-10)


def test_the_prototype_of_rectified_layers_may_have_its_own_settings():
    noisy = rbm(hidden=units.ReLU(noisy=True), max_iter=3)
    clf = small(DBNClassifier, activation="relu", rbm=noisy).fit(X, Y)
    assert repr(clf.dbn_.rbms[1].hidden) == "ReLU(noisy=True)"
    init = DBNTransformer((4, 3), rbm=rbm(hidden="relu"))
    assert brought(init=init, activation="relu").fit(X, Y).n_iter_ == 3


@pytest.mark.parametrize(
    "params",
    [
        {"activation": "relu", "rbm": [rbm(hidden="relu"), rbm()]},
        {"activation": "relu", "init": "dbn-shuffled"},
        {"activation": "relu", "init": DBNTransformer((4, 3), rbm=rbm())},
        {"activation": "tanh", "rbm": rbm(hidden="relu")},
        {"activation": "elu", "rbm": None},
        {"activation": "scaled_tanh"},
    ],
    ids=str,
)
def test_what_cannot_start_is_refused_before_pretraining(params, monkeypatch):
    def pretrain(*args, **kwargs):
        raise AssertionError("training began")

    monkeypatch.setattr("dbn.estimators.dbn.pretrain", pretrain)
    text = message(small(DBNClassifier, **params).fit, X, Y)
    assert re.match(r"A DBN with (Bernoulli|ReLU)\(\) hidden units cannot start", text)
    assert "use init='he_normal'" in text


def test_a_frozen_stack_of_other_units_is_refused(stack):
    text = message(frozen(stack, activation="relu").fit, REAL, Y)
    assert "Bernoulli() hidden units cannot start" in text


def test_any_activation_goes_with_a_random_start():
    for name in ("relu", "elu", "softplus", "identity", "leaky_relu"):
        clf = small(DBNClassifier, init="he_normal", activation=name, rbm=None)
        assert np.isfinite(clf.fit(REAL, Y).predict_proba(REAL)).all()


# Batch normalization and dropout keep a pretrained net as it is


STARTS = {
    "dbn": {"init": "dbn"},
    "resampled": {"init": "dbn-resampled"},
    "tanh": {"init": "dbn", "activation": "tanh"},
    "relu": {"init": "dbn", "activation": "relu", "rbm": rbm(hidden="relu")},
    "given": {"init": pairs()},
    "brought": {"init": DBNTransformer((4, 3), rbm=rbm(), random_state=0)},
}
each_start = pytest.mark.parametrize("params", STARTS.values(), ids=STARTS)


@each_start
@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("data", [X, REAL], ids=["bernoulli", "gaussian"])
def test_batch_norm_starts_with_the_predictions_of_the_plain_net(cls, params, data):
    if cls is DBNRegressor and isinstance(params["init"], list):
        params = {"init": pairs([5, 4, 3, 1])}
    weight = np.linspace(0.1, 2.0, 60)
    estimators = [small(cls, batch_norm=b, **params) for b in (False, True)]
    # Before anything moves: with frozen layers running averages still would.
    plain, normed = (started(e, data, weight) for e in estimators)
    assert_allclose(output(normed, data), output(plain, data), rtol=1e-10, atol=1e-12)
    for name in ("gamma0", "gamma1"):
        assert np.abs(normed.network_.params[name] - 1.0).min() > 1e-3


def started(estimator, data, weight=None, y=Y):
    """Fitted as far as the start: fine-tuning has done nothing yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dbn.estimators.predictor.finetune", lambda *args, **kwargs: None)
        return estimator.fit(data, y, weight)


def test_batch_norm_is_calibrated_on_unlabelled_rows_too():
    y = np.where(np.arange(60) < 10, Y, -1)
    clf = started(small(DBNClassifier, batch_norm=True, unlabeled=-1), X, y=y)
    z = X @ clf.dbn_.rbms[0].W + clf.dbn_.rbms[0].c
    assert_allclose(clf.network_.statistics["mean0"], z.mean(axis=0), rtol=1e-10)
    variance = z.var(axis=0, ddof=1)
    assert_allclose(clf.network_.statistics["variance0"], variance, rtol=1e-10)


def test_weights_count_in_the_calibration():
    weight = np.arange(60) % 3 * 1.0
    clf = started(small(DBNClassifier, batch_norm=True), X, weight)
    z = X @ clf.dbn_.rbms[0].W + clf.dbn_.rbms[0].c
    mean = np.average(z, axis=0, weights=weight)
    assert_allclose(clf.network_.statistics["mean0"], mean, rtol=1e-10)


def test_a_random_start_is_normalised_as_batch_norm_begins():
    clf = started(small(DBNClassifier, init="he_normal", batch_norm=True), X)
    assert_array_equal(clf.network_.params["gamma0"], np.ones(4))
    assert_array_equal(clf.network_.statistics["mean0"], np.zeros(4))


@each_start
@pytest.mark.parametrize("dropout", [0.5, [0.2, 0.5, 0.5]], ids=str)
def test_dropout_leaves_the_start_as_it_is(params, dropout):
    plain = small(DBNClassifier, **params, **FROZEN).fit(X, Y)
    dropped = small(DBNClassifier, dropout=dropout, **params, **FROZEN).fit(X, Y)
    assert_array_equal(dropped.network_.params.flat, plain.network_.params.flat)
    assert_array_equal(dropped.predict_proba(X), plain.predict_proba(X))
    assert dropped.loss_curve_ != plain.loss_curve_  # it did drop


# coefs_ and intercepts_ are the whole net


CHAINS = {
    "plain": {},
    "batch norm": {"batch_norm": True},
    "all": {"batch_norm": True, "dropout": [0.1, 0.2, 0.3], "max_norm": 2.0},
    "relu": {"activation": "relu", "init": "he_normal", "batch_norm": True},
    "tanh": {"activation": "tanh", "batch_norm": True},
}
FUNCTIONS = {"relu": lambda x: np.maximum(x, 0.0), "tanh": np.tanh}


@pytest.mark.parametrize("params", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("data", [X, REAL], ids=["bernoulli", "gaussian"])
def test_coefs_fold_batch_norm_and_standardisation(cls, params, data):
    y = Y if cls is DBNClassifier else 50.0 * REAL[:, :2] + 300.0
    fitted = small(cls, max_iter=8, optimizer=SGD(0.1), **params).fit(data, y)
    h, function = data, FUNCTIONS.get(params.get("activation"), expit)
    *hidden, last = zip(fitted.coefs_, fitted.intercepts_, strict=True)
    for W, c in hidden:
        h = function(h @ W + c)
    z = h @ last[0] + last[1]
    expected = z if cls is DBNRegressor else softmax(z, axis=1)
    assert_allclose(output(fitted, data), expected, rtol=1e-10, atol=1e-10)
    if cls is DBNClassifier:
        assert_allclose(fitted.decision_function(data), z[:, 1] - z[:, 0], atol=1e-10)


def test_folding_leaves_the_net_alone():
    clf = small(DBNClassifier, batch_norm=True).fit(REAL, Y)
    before = [clf.network_.params.flat.copy(), clf.network_.statistics.flat.copy()]
    for name in ("coefs_", "intercepts_"):
        for part in getattr(clf, name)[:-1]:
            part[...] = 0.0
    assert_array_equal(clf.network_.params.flat, before[0])
    assert_array_equal(clf.network_.statistics.flat, before[1])
