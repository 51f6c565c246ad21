"""What scikit-learn expects of an estimator, beyond its own checks.

Those are in `test_configurations.py`.
"""

import copy
import inspect
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMClassifier,
    RBMTransformer,
)
from dbn.boltzmann import CD, Bernoulli, Gaussian
from dbn.feedforward import Tanh, VarianceScaling
from dbn.training import SGD, Adam, Sparsity
from tests.helpers import read_only

from .toy import (
    EVERY,
    GENERATIVE,
    PREDICTORS,
    REAL,
    Y3,
    X,
    Y,
    buffers,
    message,
    output,
    rbm,
    small,
)

# Parameters and clone


# For every parameter, a value that is not its default.
CHANGED = {
    "n_components": 7,
    "visible": Gaussian(),
    "hidden": Bernoulli(),
    "sampler": CD(k=3),
    "optimizer": SGD(0.05, momentum=((0, 0.5), (5, 0.9))),
    "centering": True,
    "weight_decay": 0.01,
    "l1": 0.02,
    "sparsity": Sparsity(0.3, cost=0.5),
    "batch_size": 11,
    "max_iter": 3,
    "on_divergence": "halve",
    "warm_start": True,
    "random_state": 42,
    "verbose": 1,
    "hidden_layer_sizes": (5, 4),
    "init": VarianceScaling(16.0),
    "rbm": RBMTransformer(sampler=CD(k=2), optimizer=Adam(0.02)),
    "memory_budget": 0,
    "device": "cpu",
    "activation": Tanh(),
    "dropout": 0.3,
    "batch_norm": True,
    "max_norm": 0.2,
    "learning_rate_multipliers": [0.0, 1.0, 0.5],
    "head_epochs": 2,
    "early_stopping": True,
    "validation_fraction": 0.4,
    "n_iter_no_change": 1,
    "tol": 0.5,
    "class_weight": {0: 5.0, 1: 1.0},
    "unlabeled": 1,
    "code_activation": "tanh",
    "loss": "squared_error",
    "noise": 0.4,
    "objective": "discriminative",
    "generative_weight": 0.5,
    "unlabeled_weight": 0.1,
    "up_down": 2,
}
FAST = {"batch_size": 1, "max_iter": 40, "optimizer": Adam(0.02), "init": "he_normal"}
# What a parameter needs to do something.
BESIDE = {
    "validation_fraction": {"early_stopping": True},
    # What watches a loss waits for 500 updates, and for the end of the first plateau.
    "n_iter_no_change": FAST | {"tol": 0.5},
    "tol": FAST,
    "loss": {"init": "he_normal"},
    "unlabeled_weight": {"unlabeled": 2},
}
# What another value means for an autoencoder, which has more layers.
OF_AUTOENCODER = {"max_norm": 0.02, "learning_rate_multipliers": [0.0, 1.0, 0.5, 1.0]}


@pytest.mark.parametrize("cls", EVERY)
def test_clone_keeps_every_parameter_and_copies_the_parts(cls):
    parameters = inspect.signature(cls).parameters
    original = cls(**{name: CHANGED[name] for name in parameters})
    cloned = clone(original)
    for name, parameter in parameters.items():
        assert repr(getattr(cloned, name)) == repr(CHANGED[name])
        assert repr(CHANGED[name]) != repr(parameter.default)
        if hasattr(CHANGED[name], "get_params"):
            assert getattr(cloned, name) is not CHANGED[name]


OWN = [(cls, name) for cls in EVERY for name in inspect.signature(cls).parameters]
# Of these the best epoch is kept, whenever they stop: see `test_generative.py`.
OWN = [p for p in OWN if p[0] not in GENERATIVE or p[1] != "n_iter_no_change"]


# Tested where they do something.
ELSEWHERE = {"verbose", "on_divergence", "memory_budget", "device"}


@pytest.mark.parametrize(("cls", "name"), [p for p in OWN if p[1] not in ELSEWHERE])
def test_every_parameter_does_something(cls, name):
    value = {"hidden": "gaussian", "init": "zeros", "max_iter": 9}
    value = value.get(name, CHANGED[name])
    if cls is DBNAutoencoder:
        value = OF_AUTOENCODER.get(name, value)
    beside = BESIDE.get(name, {})
    if cls in GENERATIVE and beside is not BESIDE.get("unlabeled_weight"):
        beside = {k: v for k, v in beside.items() if k != "init"}
        beside |= {"early_stopping": True} if beside else {}
    estimators = small(cls, **beside), small(cls, **beside | {name: value})
    y = Y + (X[:, 2] > 0.5) if name.startswith("unlabeled") else Y  # three classes
    if name == "warm_start":
        estimators = [estimator.fit(X, Y) for estimator in estimators]
    plain, changed = (output(estimator.fit(X, y), X) for estimator in estimators)
    assert changed.shape != plain.shape or np.abs(changed - plain).max() > 1e-7


def test_nested_parameters_are_read_and_set():
    clf = DBNClassifier(rbm=RBMTransformer(sampler=CD()), optimizer=Adam())
    clf.set_params(rbm__sampler__k=4, optimizer__learning_rate=0.5)
    assert clf.rbm.sampler.k == 4
    assert clf.get_params()["optimizer__learning_rate"] == 0.5


def test_a_part_and_its_parameter_are_set_in_one_call():
    clf = DBNClassifier().set_params(rbm=RBMTransformer(), rbm__max_iter=3)
    assert clf.rbm.max_iter == 3


@pytest.mark.parametrize(
    ("estimator", "name", "advice"),
    [
        (DBNClassifier(), "rbm__max_iter", "rbm=RBMTransformer()"),
        (DBNClassifier(rbm=[rbm(), rbm()]), "rbm__max_iter", "rbm=RBMTransformer()"),
        (DBNClassifier(rbm=rbm()), "rbm__sampler__k", "sampler=CD()"),
        (DBNClassifier(), "optimizer__learning_rate", "optimizer=SGD()"),
        (RBMTransformer(), "optimizer__learning_rate", "optimizer=SGD()"),
        (DBNRegressor(), "init__scale", "init=VarianceScaling()"),
    ],
)
def test_a_nested_parameter_of_a_string_or_none_names_the_object(
    estimator, name, advice
):
    text = message(estimator.set_params, **{name: 1})
    assert advice in text
    assert name.split("__")[-2] in text


def test_an_unknown_parameter_is_scikit_learns_error():
    assert "Valid parameters are" in message(DBNClassifier().set_params, no_such=1)


# Reproducibility and side effects


@pytest.mark.parametrize("cls", EVERY)
def test_the_seed_decides_everything_and_refit_starts_afresh(cls):
    first = small(cls).fit(X, Y)
    kept = output(first, X)
    assert_array_equal(output(small(cls).fit(X, Y), X), kept)
    assert_array_equal(output(first.fit(X, Y), X), kept)
    other = output(small(cls, random_state=1).fit(X, Y), X)
    assert np.abs(other - kept).max() > 1e-4


@pytest.mark.parametrize("cls", EVERY)
def test_a_random_state_instance_advances(cls):
    estimator = small(cls, random_state=np.random.RandomState(0))
    first = output(estimator.fit(X, Y), X)
    assert np.abs(output(estimator.fit(X, Y), X) - first).max() > 1e-4


@pytest.mark.parametrize("cls", EVERY)
def test_seeded_fit_leaves_the_global_random_state_alone(cls):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    small(cls).fit(X, Y)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def frozen_view(part):
    """All that a part holds, nested parts included."""
    held = {}
    for name, value in vars(part).items():
        held[name] = frozen_view(value) if hasattr(value, "get_params") else repr(value)
    return held


@pytest.mark.parametrize("cls", EVERY)
def test_fit_changes_no_parameter(cls):
    params = {"optimizer": SGD(0.01, momentum=((0, 0.5), (1, 0.9)))}
    if cls in (RBMTransformer, RBMClassifier):
        params |= {"sampler": CD(k=2), "visible": Bernoulli(), "hidden": Bernoulli()}
    else:
        params = {"rbm": rbm(sampler=CD(k=2), **params)}
    if cls in PREDICTORS:
        params |= {"init": "dbn", "activation": Tanh(), "optimizer": Adam()}
    estimator = small(cls, **params)
    objects = dict(estimator.get_params())
    before = {
        name: frozen_view(part) for name, part in params.items() if name != "init"
    }
    estimator.fit(X, Y)
    for name, value in estimator.get_params().items():
        assert value is objects[name]
    assert before == {name: frozen_view(params[name]) for name in before}


@pytest.mark.parametrize("cls", EVERY)
@pytest.mark.parametrize("data", [X, REAL])
def test_input_is_read_only(cls, data):
    rows, labels, weight = read_only(data, Y, np.linspace(0.0, 2.0, len(Y)))
    fitted = small(cls).fit(rows, labels, sample_weight=weight)
    output(fitted, rows)
    assert_array_equal(rows, data)


@pytest.mark.parametrize("cls", EVERY)
def test_output_is_row_wise_and_deterministic(cls):
    fitted = small(cls).fit(X, Y)
    together = output(fitted, X)
    assert_allclose(output(fitted, X[7:9]), together[7:9], rtol=1e-12)


@pytest.mark.parametrize("cls", EVERY)
@pytest.mark.parametrize("data", [X, REAL])
def test_float32_stays_float32(cls, data):
    data = data.astype(np.float32)
    fitted = small(cls).fit(data, Y)
    assert output(fitted, data).dtype == np.float32
    for params in buffers(fitted):
        assert params.flat.dtype == np.float32
    names = ("components_", "intercept_hidden_", "intercept_visible_")
    arrays = [getattr(fitted, name) for name in names if hasattr(fitted, name)]
    for name in ("coefs_", "intercepts_"):
        arrays += getattr(fitted, name, [])
    assert {a.dtype for a in arrays} <= {np.dtype(np.float32)}


# Copies


def through_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("copied", [through_pickle, through_joblib, copy.deepcopy])
@pytest.mark.parametrize("cls", EVERY)
def test_a_copy_predicts_the_same_and_its_views_are_views(cls, copied):
    original = small(cls).fit(REAL, Y)
    twin = copied(original)
    assert_array_equal(output(twin, REAL), output(original, REAL))
    for old, new in zip(buffers(original), buffers(twin), strict=True):
        assert not np.shares_memory(old.flat, new.flat)
        for name in new:
            assert np.shares_memory(new[name], new.flat)
    buffers(twin)[-1].flat[...] = 0.0
    assert np.abs(output(twin, REAL) - output(original, REAL)).max() > 1e-3


@pytest.mark.parametrize("cls", EVERY)
def test_a_memory_mapped_model_predicts(cls, tmp_path):
    original = small(cls).fit(X, Y)
    joblib.dump(original, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert not buffers(mapped)[-1].flat.flags.writeable
    assert_array_equal(output(mapped, X), output(original, X))


# In company


def test_grid_search_over_a_nested_parameter_and_over_init():
    grid = {"rbm__max_iter": [1, 3], "init": ["dbn", "zeros", VarianceScaling(2.0)]}
    search = GridSearchCV(small(DBNClassifier), grid, cv=2).fit(X, Y)
    results = search.cv_results_
    assert len(results["params"]) == 6
    assert np.isfinite(results["mean_test_score"]).all()
    assert search.best_estimator_.rbm.max_iter in (1, 3)


def test_pipeline_of_scaler_features_and_linear_model():
    pipeline = make_pipeline(
        MinMaxScaler(), small(DBNTransformer), LogisticRegression()
    )
    pipeline.fit(REAL, Y3)
    assert set(pipeline.predict(REAL)) <= set(Y3)
    features = pipeline[:-1].get_feature_names_out()
    assert [*features] == ["dbntransformer0", "dbntransformer1", "dbntransformer2"]


def test_pandas_in_and_out():
    frame = pd.DataFrame(REAL, columns=[*"abcde"], index=range(100, 160))
    labels = pd.Series(Y3, index=frame.index)
    pipeline = make_pipeline(MinMaxScaler(), small(RBMTransformer))
    features = pipeline.set_output(transform="pandas").fit_transform(frame)
    assert [*features.columns] == [f"rbmtransformer{i}" for i in range(4)]
    assert features.index.equals(frame.index)
    clf = small(DBNClassifier).fit(frame, labels)
    assert [*clf.feature_names_in_] == [*"abcde"]
    from_arrays = small(DBNClassifier).fit(REAL, Y3)
    assert_array_equal(clf.predict(frame), from_arrays.predict(REAL))


def test_sample_weight_is_routed_through_a_pipeline():
    weight = np.where(Y, 1.0, 0.0) + 0.5
    with sklearn.config_context(enable_metadata_routing=True):
        features = small(DBNTransformer).set_fit_request(sample_weight=True)
        clf = small(DBNClassifier).set_fit_request(sample_weight=True)
        routed = make_pipeline(features, clf).fit(X, Y, sample_weight=weight)
    encoded = small(DBNTransformer).fit(X, sample_weight=weight).transform(X)
    by_hand = small(DBNClassifier).fit(encoded, Y, sample_weight=weight)
    assert_array_equal(routed.predict_proba(X), by_hand.predict_proba(encoded))
