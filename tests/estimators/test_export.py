"""Out to scikit-learn, ONNX and torch, and back: the outputs are the same."""

import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import check_random_state

from dbn import (
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
    load_model,
    save_model,
)
from dbn.estimators import from_sklearn, to_sklearn, to_torch
from dbn.feedforward import ELU, LeakyReLU
from dbn.feedforward.layers import ACTIVATIONS
from dbn.training import SGD

from .toy import REAL, Y3, X, Y, message, small

LABELS = (REAL[:, :3] > 1.0).astype(int)  # three labels per row
VALUES = 100.0 * REAL[:, :2] @ [[1.0, 2.0], [-1.0, 0.5]] + 1000.0
# What y may be -> the class that learns it, and y.
TARGETS = {
    "two classes": (DBNClassifier, Y),
    "three classes": (DBNClassifier, Y3),
    "several labels": (DBNClassifier, LABELS),
    "a value": (DBNRegressor, VALUES[:, 0]),
    "several values": (DBNRegressor, VALUES),
}
IN_SKLEARN = ["logistic", "tanh", "relu", "identity"]
ROWS = {"bernoulli": X, "gaussian": REAL}


def net(target="three classes", rows=REAL, **params):
    cls, y = TARGETS[target]
    return small(cls, **{"init": "xavier_uniform"} | params).fit(rows, y)


def outputs(model, rows):
    return (getattr(model, "predict_proba", None) or model.predict)(rows)


def assert_same(ours, theirs, rows, y, tolerance=1e-10):
    expected = outputs(ours, rows)
    assert outputs(theirs, rows).shape == expected.shape
    assert_allclose(outputs(theirs, rows), expected, rtol=tolerance, atol=tolerance)
    assert_allclose(ours.score(rows, y), theirs.score(rows, y), rtol=tolerance)
    if hasattr(ours, "classes_"):
        assert_array_equal(theirs.predict(rows), ours.predict(rows))
        assert_array_equal(theirs.classes_, ours.classes_)


def position(stream):
    """Where a RandomState stands: it moves with every draw."""
    _, key, place, *_ = stream.get_state()
    return place, key.tobytes()


# To scikit-learn


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("activation", IN_SKLEARN)
@pytest.mark.parametrize("target", TARGETS)
def test_to_sklearn_predicts_the_same(target, activation, rows, batch_norm):
    rows, y = ROWS[rows], TARGETS[target][1]
    model = net(target, rows, activation=activation, batch_norm=batch_norm)
    mlp = to_sklearn(model)
    assert type(mlp) is (MLPClassifier if "classes_" in vars(model) else MLPRegressor)
    assert mlp.activation == activation
    assert mlp.hidden_layer_sizes == (4, 3)
    assert_same(model, mlp, rows, y)
    assert outputs(model, rows).std() > 1e-3  # there is something to compare


def test_a_pretrained_net_goes_out_too():
    assert_same(model := net(init="dbn", rows=X), to_sklearn(model), X, Y3)


def test_to_sklearn_keeps_names_and_precision():
    frame = pd.DataFrame(REAL.astype(np.float32), columns=list("abcde"))
    model = net(rows=frame)
    mlp = to_sklearn(model)
    assert_array_equal(mlp.feature_names_in_, list("abcde"))
    assert {W.dtype for W in (*mlp.coefs_, *mlp.intercepts_)} == {np.dtype("f4")}
    assert_same(model, mlp, frame, Y3, tolerance=1e-5)


def test_to_sklearn_gives_copies():
    model = net(rows=X)
    before = outputs(model, X)
    mlp = to_sklearn(model)
    for part in (*mlp.coefs_, *mlp.intercepts_):
        part += 1.0
    assert_array_equal(outputs(model, X), before)


def test_to_sklearn_leaves_the_global_random_stream_alone():
    model = net()
    stream = check_random_state(None)
    before = position(stream)
    assert to_sklearn(model).random_state is None
    assert position(stream) == before


@pytest.mark.parametrize("target", TARGETS)
def test_an_exported_net_can_be_trained_by_scikit_learn(target):
    y = TARGETS[target][1]
    model = net(target, optimizer=SGD(0.01))
    mlp = to_sklearn(model)
    assert mlp.n_iter_ == model.n_iter_
    mlp.partial_fit(REAL, y)
    # The first step of Adam is the learning rate in every weight: nothing remembered.
    moved = np.abs(mlp.coefs_[0] - model.coefs_[0])
    assert_allclose(moved, mlp.learning_rate_init, rtol=0.1)
    assert len(mlp.loss_curve_) == 1
    mlp.set_params(warm_start=True, max_iter=2)
    with pytest.warns(ConvergenceWarning):
        mlp.fit(REAL, y)


@pytest.mark.parametrize("activation", sorted({*ACTIVATIONS} - {*IN_SKLEARN}))
def test_other_activations_are_not_in_scikit_learn(activation):
    text = message(to_sklearn, net(activation=activation))
    assert repr(ACTIVATIONS[activation]()) in text
    assert "logistic, tanh, relu, identity" in text


@pytest.mark.parametrize("function", [to_sklearn, to_torch])
def test_what_is_no_fitted_predictor_is_refused(function):
    if function is to_torch:
        pytest.importorskip("torch")
    with pytest.raises(NotFittedError):
        function(DBNClassifier())
    text = message(function, small(DBNTransformer).fit(X), error=TypeError)
    assert "got DBNTransformer" in text
    assert function.__name__ in text


@pytest.mark.parametrize("target", ["two classes", "three classes", "a value"])
def test_the_way_to_onnx_is_open(target):
    skl2onnx = pytest.importorskip("skl2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = net(target, REAL.astype(np.float32))
    rows = REAL.astype(np.float32)
    classifies = isinstance(model, DBNClassifier)
    options = {"options": {"zipmap": False}} if classifies else {}
    onnx = skl2onnx.to_onnx(to_sklearn(model), rows[:1], **options)
    session = onnxruntime.InferenceSession(onnx.SerializeToString())
    *_, found = session.run(None, {"X": rows})
    expected = outputs(model, rows)
    assert_allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


def test_a_whole_pipeline_goes_to_onnx():
    """Of which the last step was put in another form."""
    skl2onnx = pytest.importorskip("skl2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    rows = (REAL * 7.0 + 30.0).astype(np.float32)
    last = small(DBNClassifier, init="xavier_uniform")
    pipeline = make_pipeline(MinMaxScaler(), last).fit(rows, Y3)
    copied = make_pipeline(pipeline[0], to_sklearn(pipeline[-1]))
    onnx = skl2onnx.to_onnx(copied, rows[:1], options={"zipmap": False})
    session = onnxruntime.InferenceSession(onnx.SerializeToString())
    labels, p = session.run(None, {"X": rows})
    assert_array_equal(labels, pipeline.predict(rows))
    assert_allclose(p, pipeline.predict_proba(rows), rtol=1e-4, atol=1e-4)


# From scikit-learn


def mlp(target="three classes", rows=REAL, **params):
    cls, y = TARGETS[target]
    theirs = MLPClassifier if cls is DBNClassifier else MLPRegressor
    options = {"hidden_layer_sizes": (4, 3), "random_state": 0, "max_iter": 5}
    model = theirs(**options | params)
    with pytest.warns(ConvergenceWarning):
        return model.fit(rows, y)


@pytest.mark.parametrize("activation", IN_SKLEARN)
@pytest.mark.parametrize("target", TARGETS)
def test_from_sklearn_predicts_the_same(target, activation):
    theirs = mlp(target, activation=activation)
    ours = from_sklearn(theirs)
    assert type(ours) is TARGETS[target][0]
    assert ours.get_params()["hidden_layer_sizes"] == (4, 3)
    assert_same(ours, theirs, REAL, TARGETS[target][1])
    if target == "two classes":
        z = ours.network_.forward(REAL)
        assert_allclose(z.sum(axis=1), 0.0, atol=1e-12)
        assert_allclose(ours.decision_function(REAL), z[:, 1] - z[:, 0])


@pytest.mark.parametrize("target", TARGETS)
def test_what_came_in_goes_on_from_its_weights(target):
    y, theirs = TARGETS[target][1], mlp(target)
    ours = from_sklearn(theirs).set_params(max_iter=1)
    ours.set_params(optimizer=SGD(1e-12, momentum=0.0)).fit(REAL, y)
    assert ours.n_iter_ == 1
    assert_allclose(outputs(ours, REAL), outputs(theirs, REAL), atol=1e-6)
    ours.set_params(optimizer="adam").partial_fit(REAL, y)
    assert ours.n_iter_ == 2
    assert np.abs(outputs(ours, REAL) - outputs(theirs, REAL)).max() > 1e-5


def test_the_loss_goes_on_where_scikit_learn_stopped():
    theirs = mlp(max_iter=300, learning_rate_init=0.01)
    ours = from_sklearn(theirs).set_params(max_iter=1).fit(REAL, Y3)
    fresh = clone(ours).set_params(warm_start=False).fit(REAL, Y3)
    assert ours.loss_curve_[0] < 1.3 * theirs.loss_curve_[-1] + 0.05
    assert fresh.loss_curve_[0] > 1.5 * ours.loss_curve_[0]


def test_there_and_back():
    model = net()
    back = from_sklearn(to_sklearn(model))
    assert_same(model, back, REAL, Y3)
    assert back.history_ == []


def test_from_sklearn_takes_sparse_rows_as_they_are():
    theirs = mlp(rows=3.0 * X)  # not in [0, 1]: elsewhere these would be standardised
    ours = from_sklearn(theirs)
    rows = csr_array(3.0 * X)
    assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), rtol=1e-10)
    ours.partial_fit(rows, Y3)


def test_from_sklearn_keeps_names_and_precision_and_changes_nothing():
    frame = pd.DataFrame(REAL.astype(np.float32), columns=list("abcde"))
    theirs = mlp(rows=frame, random_state=np.random.RandomState(0))
    kept = [part.copy() for part in (*theirs.coefs_, *theirs.intercepts_)]
    stream = position(theirs.random_state)
    ours = from_sklearn(theirs)
    assert_array_equal(ours.feature_names_in_, list("abcde"))
    assert ours.network_.params.flat.dtype == np.float32
    ours.fit(frame, Y3)
    for part, before in zip((*theirs.coefs_, *theirs.intercepts_), kept, strict=True):
        assert_array_equal(part, before)
    assert position(theirs.random_state) == stream


@pytest.mark.parametrize("target", TARGETS)
def test_what_came_in_can_be_saved(target, tmp_path):
    ours = from_sklearn(mlp(target))
    save_model(ours, tmp_path / "net.dbn")
    loaded = load_model(tmp_path / "net.dbn")
    assert_array_equal(outputs(loaded, REAL), outputs(ours, REAL))
    loaded.fit(REAL, TARGETS[target][1])


def bernoulli_rbm(rows=X, **params):
    params = {"n_components": 4, "n_iter": 20, "random_state": 0} | params
    return BernoulliRBM(**params).fit(rows)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_bernoulli_rbm_comes_in(dtype):
    rows = X.astype(dtype)
    theirs = bernoulli_rbm(rows)
    ours = from_sklearn(theirs)
    assert type(ours) is RBMTransformer
    assert_array_equal(ours.components_, theirs.components_)
    assert_array_equal(ours.intercept_visible_, theirs.intercept_visible_)
    assert_array_equal(ours.intercept_hidden_, theirs.intercept_hidden_)
    assert ours.transform(rows).dtype == dtype
    assert_allclose(ours.transform(rows), theirs.transform(rows), atol=1e-6)
    assert_allclose(ours.rbm_.free_energy(rows), theirs._free_energy(rows), rtol=1e-5)
    assert ours.history_ == []


def test_a_machine_that_came_in_is_a_density_model(tmp_path):
    theirs = bernoulli_rbm((X > 0.5).astype(float))
    ours = from_sklearn(theirs)
    bits = np.array([[i >> k & 1 for k in range(5)] for i in range(32)], dtype=float)
    assert_allclose(np.exp(ours.score_samples(bits)).sum(), 1.0)
    assert ours.sample(3, random_state=0).shape == (3, 5)
    save_model(ours, tmp_path / "rbm.dbn")
    loaded = load_model(tmp_path / "rbm.dbn")
    assert_array_equal(loaded.score_samples(bits), ours.score_samples(bits))


def test_annealing_starts_from_what_the_chains_expect():
    theirs = bernoulli_rbm()
    ours = from_sklearn(theirs)
    x = theirs.h_samples_ @ theirs.components_ + theirs.intercept_visible_
    mean = (1.0 / (1.0 + np.exp(-x))).mean(axis=0)
    assert_allclose(1.0 / (1.0 + np.exp(-ours._base_bias)), mean, rtol=1e-6)


def test_a_machine_that_came_in_goes_on():
    theirs = bernoulli_rbm()
    length = {"batch_size": 60, "max_iter": 3}
    still = from_sklearn(theirs).set_params(optimizer="sgd", weight_decay=0.0)
    still.set_params(**length).fit(X)
    assert still.n_iter_ == 3
    fresh = RBMTransformer(4, **length, random_state=0).fit(X)
    near, far = (
        np.linalg.norm(m.components_ - theirs.components_) for m in (still, fresh)
    )
    assert 0.0 < near < 0.2 * far
    assert from_sklearn(theirs).partial_fit(X).n_iter_ == 1


def test_what_cannot_come_in_is_refused():
    assert "got DBNClassifier" in message(from_sklearn, net(), error=TypeError)
    for theirs in (BernoulliRBM(), MLPClassifier(), MLPRegressor()):
        with pytest.raises(NotFittedError):
            from_sklearn(theirs)
    with pytest.warns(ConvergenceWarning):
        poisson = MLPRegressor("poisson", (3,), max_iter=2).fit(X, Y)
    text = message(from_sklearn, poisson)
    assert "'exp'" in text
    assert "loss='squared_error'" in text
    with pytest.warns(ConvergenceWarning):
        flat = MLPRegressor(hidden_layer_sizes=(), max_iter=2).fit(X, Y)
    text = message(from_sklearn, flat)
    assert "MLPRegressor has no hidden layer (hidden_layer_sizes=())" in text


# To torch


def values(module, rows):
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        return module(torch.tensor(rows)).numpy()


@pytest.mark.parametrize(
    "activation", [*ACTIVATIONS, LeakyReLU(0.3), ELU(0.5)], ids=repr
)
@pytest.mark.parametrize("target", TARGETS)
def test_to_torch_has_the_same_outputs(target, activation):
    torch = pytest.importorskip("torch")
    model = net(target, activation=activation, batch_norm=True, dropout=0.2)
    module = to_torch(model)
    assert isinstance(module, torch.nn.Sequential)
    found = values(module.train(), REAL)  # nothing in it depends on the mode
    if isinstance(model, DBNRegressor):
        expected = model.predict(REAL)
        assert_allclose(found.reshape(expected.shape), expected, rtol=1e-10)
        return
    expected = model.network_.forward(model._rows(REAL))
    assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    if target == "three classes":
        probability = torch.softmax(torch.tensor(found), dim=1).numpy()
        assert_allclose(probability, model.predict_proba(REAL), rtol=1e-10)


def test_softplus_is_not_cut_short():
    """torch takes x itself for log(1 + exp(x)) above 20, unless told otherwise."""
    pytest.importorskip("torch")
    model = net(activation="softplus")
    model.network_.params["c0"][...] = [20.5, 21.0, 25.0, 39.0]
    model.network_.params["W0"][...] *= 1e-3
    expected = model.network_.forward(model._rows(REAL))
    assert_allclose(values(to_torch(model), REAL), expected, rtol=0.0, atol=1e-12)


def test_to_torch_gives_copies_of_the_same_precision_and_draws_nothing():
    torch = pytest.importorskip("torch")
    model = net(rows=X.astype(np.float32))
    before = outputs(model, X)
    stream = torch.get_rng_state()
    module = to_torch(model)
    assert torch.equal(torch.get_rng_state(), stream)
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert all(p.requires_grad for p in module.parameters())
    with torch.no_grad():
        for p in module.parameters():
            p += 1.0
    assert_array_equal(outputs(model, X), before)


def test_to_torch_does_not_guess_an_activation():
    pytest.importorskip("torch")

    class Doubled(ELU):
        pass

    text = message(to_torch, net(activation=Doubled()))
    assert "Doubled" in text
    assert "coefs_" in text


def test_without_torch_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    text = message(to_torch, net(), error=ImportError)
    assert "pip install torch." in text
