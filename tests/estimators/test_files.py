"""Model files, and pickle, joblib and skops: what comes back is what went in."""

import copy
import io
import pickle
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
from hostile.archives import FIXTURES, MODELS, members, npy, with_header, zipped
from hostile.common import Bomb, same
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import dbn
from dbn import (
    DBN,
    RBM,
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    ModelFileError,
    RBMClassifier,
    RBMTransformer,
    load_model,
    save_model,
)
from dbn.backend.parameters import Parameters
from dbn.backend.parts import Part
from dbn.boltzmann import PCD, Bernoulli, Gaussian, Labels, Mixed
from dbn.estimators import files, records
from dbn.estimators.base import DBNEstimator
from dbn.feedforward import (
    ELU,
    BatchNorm,
    BinaryCrossEntropy,
    Dense,
    Identity,
    Logistic,
    Network,
    OfKnown,
    ReLU,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    VarianceScaling,
)
from dbn.storage import archive, packing
from dbn.training import SGD, Pretrained, Sparsity, UpDown
from tests.estimators import model_zoo
from tests.estimators.toy import (
    ALL,
    PREDICTORS,
    REAL,
    TRANSFORMERS,
    Y3,
    X,
    Y,
    output,
    rbm,
    small,
)

ZOO = model_zoo.make_zoo()


def there_and_back(model, tmp_path):
    save_model(model, tmp_path / "model.dbn")
    return load_model(tmp_path / "model.dbn")


@pytest.mark.parametrize("name", ZOO)
def test_a_loaded_model_is_the_saved_one_to_the_bit(name, tmp_path):
    model = ZOO[name]
    loaded = there_and_back(model, tmp_path)
    assert type(loaded) is type(model) and repr(loaded) == repr(model)
    assert same(records.describe(loaded), records.describe(model))
    assert same(model_zoo.outputs(loaded), model_zoo.outputs(model))
    if isinstance(model, DBNTransformer | RBMTransformer):
        drawn = [m.sample(3, steps=5, random_state=1) for m in (loaded, model)]
        assert same(*drawn)


@pytest.mark.parametrize("name", [n for n, m in ZOO.items() if hasattr(m, "fit")])
def test_a_loaded_estimator_can_be_cloned_and_fitted_again(name, tmp_path):
    model = ZOO[name]
    loaded = there_and_back(model, tmp_path)
    rows = REAL if model.mean_ is not None else X.astype(model_dtype(model))
    target = Y3 if hasattr(model, "classes_") else None
    target = REAL[:, 0] if isinstance(model, DBNRegressor) else target
    again, anew = (clone(m).fit(rows, target) for m in (loaded, model))
    assert same(output(again, rows), output(anew, rows))


def model_dtype(model):
    return model.rbm_.W.dtype if hasattr(model, "rbm_") else float


def test_log_z_is_kept_and_otherwise_found_from_the_same_seed(tmp_path):
    model = rbm(n_components=20, random_state=0).fit(np.tile(X, 5))  # too large to sum
    before = there_and_back(model, tmp_path)
    scores = model.score_samples(np.tile(X, 5))
    assert same(before.score_samples(np.tile(X, 5)), scores)
    assert same(there_and_back(model, tmp_path).log_z_, model.log_z_)


@pytest.mark.parametrize("cls", ALL)
def test_feature_names_and_output_type_are_kept(cls, tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = small(cls)
    if cls in TRANSFORMERS:
        model.set_output(transform="pandas")
    model.fit(frame, Y)
    loaded = there_and_back(model, tmp_path)
    assert same(loaded.feature_names_in_, model.feature_names_in_)
    assert type(output(loaded, frame)) is type(output(model, frame))
    with pytest.raises(ValueError, match="feature names"):
        output(loaded, frame[list("edcba")])


@pytest.mark.parametrize(
    "labels",
    [Y, Y.astype(bool), Y.astype(np.int8), Y3, Y3.astype(object), Y.astype(float)],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_of_every_type_are_kept(labels, tmp_path):
    model = small(DBNClassifier).fit(X, labels)
    loaded = there_and_back(model, tmp_path)
    assert same(loaded.classes_, model.classes_)
    assert same(loaded.predict(X), model.predict(X))


def test_a_frozen_stack_inside_a_classifier_is_saved_with_it_once(tmp_path):
    model = ZOO["DBNClassifier-frozen"]
    loaded = there_and_back(model, tmp_path)
    inner = loaded.init.estimator
    assert isinstance(loaded.init, FrozenEstimator)
    assert same(inner.transform(X), model.init.estimator.transform(X))
    # Its weights and those of dbn_ are one and the same in memory and in the file.
    assert inner.dbn_.rbms[0].W.base is loaded.dbn_.rbms[0].W.base
    names = members((tmp_path / "model.dbn").read_bytes())
    assert len([name for name in names if "rbms" in name]) == 2


def test_parts_with_models_inside(tmp_path):
    stack = small(DBNTransformer).fit(X).dbn_
    model = DBNClassifier((4, 3), init=Pretrained(stack), max_iter=1).fit(X, Y)
    loaded = there_and_back(model, tmp_path)
    assert same(records.describe(loaded.init.dbn), records.describe(stack))


def test_numpy_scalars_and_schedules_as_parameters(tmp_path):
    schedule = SGD(((0, np.float32(0.1)), (3, 0.05)), momentum=np.float64(0.5))
    model = rbm(optimizer=schedule, n_components=np.int64(3)).fit(X)
    loaded = there_and_back(model, tmp_path)
    assert same(loaded.optimizer.get_params(), schedule.get_params())
    assert same(loaded.transform(X), model.transform(X))


# Training goes on.


OF_ESTIMATORS = [p for p in FIXTURES if "RBM" in p.stem or "DBN" in p.stem]


def theta(model):
    return model.rbm_.params.flat


def targets_of(model):
    """What a model of the zoo can be trained on, for 60 rows."""
    if isinstance(model, DBNRegressor):
        n_outputs = len(model.y_mean_)
        return REAL[:, 0] if model._one_output else REAL[:, :n_outputs]
    if model._loss == "binary_cross_entropy":
        return (X[:, : len(model.classes_)] > 0.5).astype(int)
    return model.classes_[np.arange(60) % len(model.classes_)]


def test_partial_fit_goes_on_with_fresh_chains_and_moments(tmp_path):
    model = rbm(random_state=0, sampler=PCD(n_chains=7), centering=True).fit(X)
    loaded = there_and_back(model, tmp_path)
    assert set(loaded._state) == {"epoch", "means"}
    before = loaded.rbm_.params.flat.copy()
    loaded.partial_fit(X)
    assert loaded.n_iter_ == 3 and loaded.history_[-1]["epoch"] == 2
    step = np.abs(loaded.rbm_.params.flat - before).max()
    assert 0 < step < 0.5  # it went on, and not from new weights
    assert loaded._state["chains"]["v"].shape == (7, 5)


def test_what_auto_came_to_is_kept_for_later_chunks(tmp_path):
    rows = np.tile(X, (20, 1))
    params = {"batch_size": "auto", "max_iter": "auto", "random_state": 0}
    model = rbm(**params, optimizer=SGD(0.1, momentum=0.0)).partial_fit(rows)
    loaded = there_and_back(model, tmp_path)
    assert loaded.batch_size_ == 40
    assert loaded.max_iter_ == 50
    assert same(theta(loaded.partial_fit(X)), theta(model.partial_fit(X)))


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("path", OF_ESTIMATORS, ids=lambda path: path.stem)
def test_models_of_older_versions_are_trained_on(path, warm):
    """Their files do not tell what "auto" came to: it is what later rows say."""
    model = load_model(path)
    assert not hasattr(model, "batch_size_")
    if isinstance(model, DBNTransformer):
        assert model.set_params(rbm=rbm()).fit(X).n_iter_ == [2, 2]
        return
    rows = REAL if model.mean_ is not None else X.astype(model_dtype(model))
    y = [None] if isinstance(model, RBMTransformer) else [targets_of(model)]
    before = model.n_iter_
    model.set_params(batch_size="auto", max_iter=3, warm_start=True)
    (model.fit if warm else model.partial_fit)(rows, *y)
    assert model.n_iter_ == before + (3 if warm else 1)
    assert model.batch_size_ == 10
    assert model.max_iter_ == 3


def test_warm_start_goes_on(tmp_path):
    model = rbm(random_state=0, warm_start=True).fit(X)
    loaded = there_and_back(model, tmp_path).fit(X)
    assert loaded.n_iter_ == 4
    # Where nothing is left out, it goes on as if nothing had happened.
    plain = rbm(random_state=0, optimizer=SGD(0.1, momentum=0.0))
    loaded = there_and_back(plain.fit(X), tmp_path).partial_fit(X)
    assert same(loaded.rbm_.params.flat, plain.partial_fit(X).rbm_.params.flat)


@pytest.mark.skipif(not hasattr(DBNClassifier, "partial_fit"), reason="not yet there")
@pytest.mark.parametrize("cls", PREDICTORS)
def test_a_loaded_predictor_goes_on(cls, tmp_path):
    target = X[:, 0] if cls is DBNRegressor else Y
    plain = small(cls, optimizer=SGD(0.1, momentum=0.0), batch_norm=True)
    loaded = there_and_back(plain.fit(X, target), tmp_path)
    for model in (plain, loaded):
        model.partial_fit(X, target).set_params(warm_start=True).fit(X, target)
        assert model.n_iter_ == 7
    # With nothing left out (no moments), as if nothing had happened.
    assert same(output(loaded, X), output(plain, X))


def test_training_a_loaded_model_leaves_others_alone(tmp_path):
    model = ZOO["RBMTransformer"]
    loaded = there_and_back(model, tmp_path)
    expected = model.transform(X)
    loaded.partial_fit(X)
    assert same(model.transform(X), expected)


# What is refused.


class Mine(Bernoulli):
    """A part of somebody's own."""


class MyClassifier(DBNClassifier):
    """An estimator of somebody's own."""


def problem(model, tmp_path):
    with pytest.raises(ModelFileError) as caught:
        save_model(model, tmp_path / "model.dbn")
    assert not list(tmp_path.iterdir())
    return str(caught.value)


def test_what_a_file_cannot_hold_is_refused_with_advice(tmp_path):
    message = problem(rbm(hidden=Mine()).fit(X), tmp_path)
    assert "cannot hold Mine(), of the class" in message and "pickle" in message
    message = problem(rbm(random_state=np.random.RandomState(0)).fit(X), tmp_path)
    assert "a random_state to an integer" in message
    model = rbm().fit(X)
    model.extra_ = object()
    assert "state.extra_ cannot be put in a file" in problem(model, tmp_path)
    model.extra_ = {"__class__": "os.system"}
    assert "A model file cannot hold" in problem(model, tmp_path)
    pipeline = make_pipeline(MinMaxScaler(), rbm()).fit(X)
    assert "got Pipeline. Pass the fitted model itself" in problem(pipeline, tmp_path)
    own = small(MyClassifier).fit(X, Y)
    assert "got MyClassifier" in problem(own, tmp_path)
    assert "got CD" in problem(dbn.boltzmann.CD(), tmp_path)


@pytest.mark.parametrize("cls", ALL)
def test_unfitted_estimators_are_refused(cls, tmp_path):
    with pytest.raises(NotFittedError):
        save_model(small(cls), tmp_path / "model.dbn")


def test_callbacks_and_metadata_requests_are_left_out(tmp_path):
    model = small(DBNClassifier).fit(X, Y).set_callbacks(ProgressBar())
    with config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True)
    loaded = there_and_back(model, tmp_path)
    left_out = set(vars(model)) - set(vars(loaded))
    assert {"_skl_callbacks", "_metadata_request"} <= left_out <= records._NOT_SAVED


def test_every_public_part_can_be_saved():
    """And classes of other kinds cannot: the tables are what a file may name."""
    for room in (dbn.boltzmann, dbn.feedforward, dbn.training):
        for name in room.__all__:
            cls = getattr(room, name)
            if isinstance(cls, type) and issubclass(cls, Part):
                assert cls in records._NAMES
    allowed = (Part, DBNEstimator, FrozenEstimator, DBN, RBM, Network)
    assert all(issubclass(cls, allowed) for cls in records._NAMES)


# Older versions.


def test_there_are_fixtures_of_every_version():
    found = {path.name.split("-")[1] for path in FIXTURES}
    assert found == {f"v{i}" for i in range(1, files._VERSION + 1)}
    assert len(FIXTURES) == files._VERSION * len(model_zoo.FIXTURES)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_files_of_every_version_give_what_they_gave(path):
    found = model_zoo.outputs(load_model(path))
    with np.load(path.with_suffix(".npz")) as expected:
        assert sorted(expected) == sorted(found)
        for name in expected:
            if expected[name].dtype.kind == "f":
                rtol = 1e-5 if expected[name].dtype == np.float32 else 1e-10
                assert_allclose(found[name], expected[name], rtol=rtol, atol=rtol / 100)
            else:
                assert_array_equal(found[name], expected[name])


def test_a_newer_version_says_to_upgrade(tmp_path):
    path = tmp_path / "new.dbn"
    newer = {"version": 2, "dbn": "9.9", "content": {"unknown": 1}}
    path.write_bytes(with_header(FIXTURES[0].read_bytes(), lambda h: h.update(newer)))
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    for piece in (str(path), "version is 2, of dbn '9.9'", "up to 1", "Upgrade dbn"):
        assert piece in str(caught.value)


# Forged and broken files.


def forged(name, path, change):
    """The file of a model of the zoo with its content changed, checksums intact."""
    save_model(ZOO[name], path)
    data = path.read_bytes()
    path.write_bytes(with_header(data, lambda header: change(header["content"])))
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    return str(caught.value)


def put(*keys, value=None):
    """A change of the content: the value at the end of a path of keys."""

    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


_MACHINE = ("state", "rbm_", "params")


@pytest.mark.parametrize(
    ("name", "keys", "value", "message"),
    [
        ("RBMTransformer", ("__class__",), "os.system", "the class 'os.system'"),
        ("RBMTransformer", ("__class__",), "training.SGD", "the parameters"),
        ("RBMTransformer", ("params", "new"), 1, "['new'], which this version"),
        ("RBMTransformer", ("state", "transform"), 1, "no attribute 'transform'"),
        ("RBMTransformer", ("state", "n_iter_"), 1, "no attribute 'n_iter_'"),
        ("RBMTransformer", ("state", "__dict__"), {}, "no attribute '__dict__'"),
        ("RBMTransformer", ("state", "max_iter"), 1, "no attribute 'max_iter'"),
        ("RBMTransformer", ("state", "rbm_"), None, "rbm_ is missing or no RBM"),
        ("RBMTransformer", ("state", "n_features_in_"), 6, "n_features_in_ is wrong"),
        ("RBMTransformer", ("state", "mean_"), [1], "no mean_"),
        ("RBMTransformer", ("state", "_state", "epoch"), 1.0, "the epoch is no"),
        ("RBMTransformer", ("state", "_state"), {}, "KeyError: 'means'"),
        ("RBMTransformer", ("state", "batch_size_"), 0, "batch_size_ is no positive"),
        ("RBMTransformer", ("state", "batch_size_"), True, "no positive integer but T"),
        ("RBMTransformer", ("state", "max_iter_"), 2.0, "max_iter_ is no positive"),
        ("DBNClassifier", ("state", "max_iter_"), -3, "no positive integer but -3"),
        ("DBNRegressor", ("state", "batch_size_"), None, "no positive integer but N"),
        ("RBMTransformer", (*_MACHINE, "n_hidden"), 10**9, "need 6000000000"),
        ("RBMTransformer", (*_MACHINE, "n_hidden"), 3, "the parts"),
        ("RBMTransformer", (*_MACHINE, "n_hidden"), -4, "have the sizes [5, -4]"),
        ("RBMTransformer", (*_MACHINE, "hidden"), "x", "units='x' is not known"),
        ("DBNTransformer", ("state", "dbn_", "params", "rbms"), [1], "no list of RBMs"),
        ("DBNClassifier", ("state", "classes_"), [0, 1], "missing or no ndarray"),
        ("DBNRegressor", ("state", "_one_output"), 1, "missing or no bool"),
        ("network", ("params", "layer_sizes"), [5, 10**6, 2], "need 8000002"),
        ("network", ("params", "batch_norm"), False, "the parts"),
        ("dbn", ("params",), [], "is no dict"),
        ("dbn", (), None, ""),
    ],
    ids=str,
)
def test_content_that_contradicts_itself_is_refused(
    name, keys, value, message, tmp_path
):
    path = tmp_path / "forged.dbn"
    change = put(*keys, value=value) if keys else dict.clear
    assert message in forged(name, path, change)


def test_attributes_that_do_not_fit_the_machine_are_refused(tmp_path):
    path = tmp_path / "forged.dbn"

    def swap(content):
        state = content["state"]
        state["mean_"] = state["rbm_"]["state"]["params"]

    assert "mean_ has the shape" in forged("RBMTransformer-real", path, swap)

    def labels(content):
        state = content["state"]
        state["mean_"] = {"$objects": ["a"] * 5}

    assert "mean_ has the dtype" in forged("RBMTransformer-real", path, labels)

    def units(content):
        content["state"]["visible_"] = {"__class__": "boltzmann.ReLU", "params": {}}

    assert "visible_ is not that" in forged("DBNTransformer", path, units)

    def states(content):
        params = {"n_states": "two"}
        visible = {"__class__": "boltzmann.Softmax", "params": params}
        content["state"]["visible_"] = visible

    assert "Softmax needs an integer" in forged("DBNClassifier", path, states)

    def blocks(content):
        params = {"blocks": [(3, 5)]}
        content["state"]["visible_"] = {
            "__class__": "boltzmann.Mixed",
            "params": params,
        }

    assert "Mixed needs blocks" in forged("DBNClassifier", path, blocks)

    def freeze(content):
        content["params"]["init"]["params"]["estimator"] = {"a": 1}

    assert "freezes what is no" in forged("DBNClassifier-frozen", path, freeze)

    def part(content):
        content["params"]["init"] = content["params"]["optimizer"]
        content.clear()
        content.update({"__class__": "training.SGD", "params": {}})

    assert "it holds a SGD" in forged("DBNClassifier", path, part)


def test_layers_and_machines_are_few(tmp_path, monkeypatch):
    """Each takes kilobytes, and a byte or two of the file."""
    path = tmp_path / "forged.dbn"
    deep = put("params", "layer_sizes", value=[1] * 1002)
    assert "more than 1000 layers" in forged("network", path, deep)
    save_model(Network([1] * 1001), path)
    assert len(load_model(path).dense) == 1000
    with pytest.raises(ModelFileError, match="has 1001 layers; a model file may hold"):
        save_model(Network([1] * 1002), path)

    def many(content):
        content["params"]["rbms"] *= 2001  # of two machines

    assert "more than 4000 models" in forged("dbn", path, many)


def test_activations_that_were_exchanged_are_saved_as_they_are(tmp_path):
    net = Network([4, 3, 3, 2], activation="tanh")
    VarianceScaling().fill(net, X[:, :4], np.random.default_rng(0))
    net.layers[1] = ELU(0.5)
    loaded = there_and_back(net, tmp_path)
    assert loaded.hidden_activations == [ELU(0.5), Tanh()]
    assert_array_equal(loaded.forward(X[:, :4]), net.forward(X[:, :4]))


@pytest.mark.parametrize(
    "exchange",
    [
        lambda layers: layers.pop(1),
        lambda layers: layers.insert(1, ReLU()),
        lambda layers: layers.append(Tanh()),
        lambda layers: layers.__setitem__(1, BatchNorm(3)),
        lambda layers: layers.reverse(),
    ],
)
def test_layers_that_no_network_has_are_refused(exchange, tmp_path):
    """Such a file held another net: the one that the constructor had made."""
    net = Network([4, 3, 3, 2], activation="tanh")
    exchange(net.layers)
    with pytest.raises(ModelFileError, match="are not those of any Network"):
        save_model(net, tmp_path / "net.dbn")


def test_other_options_of_batch_norm_are_refused(tmp_path):
    net = Network([4, 3, 2], batch_norm=True)
    net.layers[1] = BatchNorm(3, epsilon=0.1)
    with pytest.raises(ModelFileError, match=r"epsilon=0\.1"):
        save_model(net, tmp_path / "net.dbn")


def test_files_of_no_autoencoder_are_refused(tmp_path):
    path = tmp_path / "forged.dbn"

    def lopsided(content):
        net = content["state"]["network_"]["params"]
        net["layer_sizes"] = [5, 3, 3, 5, 5]

    assert "no autoencoder has layers" in forged("DBNAutoencoder", path, lopsided)

    def short(content):
        loss = content["state"]["network_"]["params"]["loss"]["params"]
        block = ({"__class__": "feedforward.SquaredError", "params": {}}, 2)
        blocks = {"__class__": "feedforward.BlockLoss", "params": {"blocks": [block]}}
        loss["loss"] = blocks

    assert "the net 5 outputs" in forged("DBNAutoencoder", path, short)


def test_history_that_is_too_long_is_refused_on_both_sides(tmp_path, monkeypatch):
    path = tmp_path / "model.dbn"
    model = copy.deepcopy(ZOO["RBMTransformer-real"])
    model.history_ = [{"layer": i, "epoch": i, "loss": 0.1} for i in range(10_000)]
    save_model(model, path)
    assert load_model(path).history_ == model.history_
    with monkeypatch.context() as patch:
        patch.setattr(packing, "_ROOM", 10**5)
        with pytest.raises(ModelFileError, match=r"too much .* such as the history"):
            save_model(model, tmp_path / "other.dbn")
        with pytest.raises(ModelFileError, match="its values would take"):
            load_model(path)
    assert not (tmp_path / "other.dbn").exists()


def test_buffers_of_the_wrong_kind_are_refused(tmp_path):
    path = tmp_path / "forged.dbn"
    net = copy.deepcopy(ZOO["network"])
    net.statistics = Parameters(net.statistics.shapes, dtype=np.float32)
    save_model(net, path)
    with pytest.raises(ModelFileError, match="parameters of two dtypes"):
        load_model(path)
    machine = copy.deepcopy(ZOO["rbm"])
    flat = machine.params.flat
    for wrong in (flat[None, :], flat.astype(np.float16), flat.astype(int)):
        machine.params.flat = wrong
        save_model(machine, path)
        with pytest.raises(ModelFileError, match="params is no vector of floats"):
            load_model(path)


def test_names_in_a_file_import_nothing(tmp_path, monkeypatch):
    path = tmp_path / "forged.dbn"
    change = put("params", "sampler", value={"__class__": "antigravity.fly"})
    monkeypatch.setattr("builtins.__import__", guarded_import)
    assert "needs the class 'antigravity.fly'" in forged("RBMTransformer", path, change)


_import = __import__


def guarded_import(name, *args):
    assert "antigravity" not in name
    return _import(name, *args)


def test_a_pickle_is_never_run(tmp_path):
    with pytest.raises(SystemExit):
        pickle.loads(pickle.dumps(Bomb()))  # it would go off
    data = FIXTURES[0].read_bytes()
    array = npy(np.array([Bomb()], dtype=object))
    arrays = {name: array for name in members(data) if name.endswith(".npy")}
    for hostile in (pickle.dumps(Bomb()), zipped(members(data) | arrays), array):
        assert MODELS.outcome(hostile, tmp_path / "bomb.dbn") == "refused"


def test_cut_off_anywhere(tmp_path):
    data = min((path.read_bytes() for path in FIXTURES), key=len)
    path = tmp_path / "cut.dbn"
    for size in range(0, len(data), 7):
        assert MODELS.outcome(data[:size], path) == "refused"


def test_loading_in_threads(tmp_path):
    save_model(ZOO["DBNClassifier"], tmp_path / "model.dbn")
    expected, wrong = output(ZOO["DBNClassifier"], X), []

    def work():
        for _ in range(5):
            save_model(ZOO["DBNClassifier"], tmp_path / "model.dbn")
            if not same(output(load_model(tmp_path / "model.dbn"), X), expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [path.name for path in tmp_path.iterdir()] == ["model.dbn"]


# Other formats.

ESTIMATORS = ["RBMTransformer-pcd", "DBNTransformer-real"]
ESTIMATORS += ["DBNClassifier-frozen", "DBNRegressor-real", "DBNClassifier-strings"]


def by_pickle(model, folder):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


def by_joblib_memory_map(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib", mmap_mode="r")


# What skops must be told to trust, by its full name. NumPy and scikit-learn it knows.
CLASSES = [RBMTransformer, DBNTransformer, DBNClassifier, DBNRegressor, DBN, RBM]
CLASSES += [Network, Parameters, Bernoulli, Gaussian, PCD, SGD, Sparsity, Dense]
CLASSES += [Logistic, Tanh, SoftmaxCrossEntropy, SquaredError, VarianceScaling]
CLASSES += [DBNAutoencoder, OfKnown, BinaryCrossEntropy, Identity]
CLASSES += [RBMClassifier, GenerativeDBNClassifier, UpDown, Mixed, Labels]
TRUSTED = [f"{cls.__module__}.{cls.__qualname__}" for cls in CLASSES]


def by_skops(model, folder):
    sio = pytest.importorskip("skops.io")
    return sio.loads(sio.dumps(model), trusted=TRUSTED)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(
    "travel", [by_pickle, by_joblib, by_joblib_memory_map, copy.deepcopy, by_skops]
)
def test_other_formats(name, travel, tmp_path):
    model = ZOO[name]
    args = () if travel is copy.deepcopy else (tmp_path,)
    back = travel(model, *args)
    assert repr(back) == repr(model)
    assert same(model_zoo.outputs(back), model_zoo.outputs(model))
    if hasattr(model, "sample"):
        drawn = [m.sample(3, steps=5, random_state=1) for m in (back, model)]
        assert same(*drawn)
    # And one of our files, made of what came back, is the same file.
    paths = [tmp_path / "a.dbn", tmp_path / "b.dbn"]
    for path, m in zip(paths, (back, model), strict=True):
        save_model(m, path)
    assert same(*(records.describe(load_model(path)) for path in paths))


def test_partial_fit_after_the_other_formats_changes_nothing(tmp_path):
    for travel in (by_pickle, by_joblib_memory_map):
        model = copy.deepcopy(ZOO["RBMTransformer-pcd"])
        back = travel(model, tmp_path)
        rows = X.astype(np.float32)
        back, model = back.partial_fit(rows), model.partial_fit(rows)
        assert_array_equal(back.rbm_.params.flat, model.rbm_.params.flat)


def test_a_disk_that_fails_leaves_the_old_model(tmp_path, monkeypatch):
    path = tmp_path / "model.dbn"
    save_model(ZOO["rbm"], path)

    def fail(*args):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(archive, "open", fail, raising=False)
    with pytest.raises(OSError, match="Read-only file system"):
        save_model(ZOO["DBNClassifier"], path)
    monkeypatch.undo()
    assert same(load_model(path).params.flat, ZOO["rbm"].params.flat)
    with pytest.raises(FileNotFoundError):
        save_model(ZOO["rbm"], tmp_path / "no" / "folder" / "model.dbn")


def test_paths_are_strings_or_path_objects(tmp_path):
    save_model(ZOO["rbm"], str(tmp_path / "model.dbn"))
    assert load_model(str(tmp_path / "model.dbn")).params.shapes["W"] == (5, 4)
    with pytest.raises(TypeError):
        load_model(io.BytesIO())
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nothing.dbn")


@pytest.mark.parametrize("streams", [[1, 2, 3], {}, [None]])
def test_streams_that_cannot_be_drawn_from_are_refused(streams, tmp_path):
    """Found by fuzz.py: such a file loaded, to fail when training goes on."""
    net = DBNClassifier((3,), init="zeros", max_iter=1).fit(np.eye(4), [0, 1, 0, 1])
    net._streams = streams
    save_model(net, tmp_path / "net.dbn")
    with pytest.raises(ModelFileError, match="_streams are no random streams"):
        load_model(tmp_path / "net.dbn")


def test_the_mark_of_pandas_is_kept_as_nan(tmp_path):
    """They mark the same rows, and files hold no objects of pandas."""
    y = pd.array(np.where(np.arange(60) % 3, Y, 2), dtype="Int64")
    y[::3] = pd.NA
    model = small(DBNClassifier, unlabeled=pd.NA).fit(X, y)
    save_model(model, tmp_path / "model.dbn")
    loaded = load_model(tmp_path / "model.dbn")
    assert np.isnan(loaded.unlabeled)
    assert loaded.score(X, y) == model.score(X, y)
