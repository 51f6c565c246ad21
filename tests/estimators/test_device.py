"""Estimators that compute with PyTorch, and rows that are tensors."""

import copy
import pickle
import sys

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils._array_api import get_namespace_and_device, move_estimator_to

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
    ScaledRows,
    load_model,
    save_model,
)
from dbn.backend.array import namespace
from dbn.backend.random import host_noise
from dbn.boltzmann import FPCD, PCD, Gaussian, ParallelTempering, ReLU
from dbn.estimators import to_sklearn
from dbn.training import SGD, Adam, RBMMonitor, loop
from tests.helpers import Callback
from tests.libraries import DEVICES, ON_TORCH, has_cuda, needs_torch

from .toy import ALL, PREDICTORS, REAL, Y3, X, Y, buffers, message, output, small

each_device = pytest.mark.parametrize("device", DEVICES)
each_class = pytest.mark.parametrize("cls", ALL)
WEIGHT = np.linspace(0.0, 2.0, len(X))


def fitted(cls, rows, device, weight=None, **params):
    with host_noise():
        return small(cls, device=device, **params).fit(rows, Y, sample_weight=weight)


def results(estimator, rows):
    """All that a user can read off."""
    names = ("components_", "intercept_hidden_", "intercept_visible_", "mean_")
    found = [getattr(estimator, name, None) for name in names]
    found += [*getattr(estimator, "coefs_", []), *getattr(estimator, "intercepts_", [])]
    for name in ("decision_function", "predict", "predict_log_proba", "score_samples"):
        if hasattr(estimator, name):
            found.append(getattr(estimator, name)(rows))
    features = output(estimator, rows)
    found.append(features)
    if hasattr(estimator, "inverse_transform"):
        found.append(estimator.inverse_transform(features))
    if hasattr(estimator, "sample"):
        found.append(estimator.sample(3, steps=3, random_state=0))
    return [a for a in found if a is not None]


def assert_same(estimator, reference, rows, rtol=1e-6):
    with host_noise():
        both = results(estimator, rows), results(reference, rows)
    for found, expected in zip(*both, strict=True):
        assert type(found) is np.ndarray
        assert found.dtype == expected.dtype
        assert_allclose(found, expected, rtol=rtol, atol=rtol)


# NumPy in, NumPy out.


OPTIONS = {
    RBMTransformer: [
        {},
        {"visible": Gaussian(learn_variance=True)},
        {"hidden": ReLU(), "sampler": PCD(n_chains=5)},
        {"sampler": FPCD(n_chains=5), "centering": True, "l1": 0.01},
        {"sampler": ParallelTempering(n_chains=5, n_betas=3), "sparsity": 0.2},
    ],
    DBNTransformer: [{}, {"memory_budget": 0}],
    DBNClassifier: [
        {},
        {"init": "lsuv", "activation": "relu", "batch_norm": True, "dropout": 0.2},
        {"init": "dbn-resampled", "batch_norm": True, "early_stopping": True},
        {"init": "dbn-shuffled", "activation": "tanh", "optimizer": "lbfgs"},
        {"optimizer": SGD(0.1, clip_norm=0.1), "max_norm": 0.5, "head_epochs": 1},
        {"class_weight": "balanced", "unlabeled": 1, "optimizer": "cg"},
    ],
    DBNRegressor: [{}, {"early_stopping": True, "init": "he_normal"}],
    DBNAutoencoder: [
        {},
        {"noise": 0.3, "activation": "tanh", "code_activation": "logistic"},
        {"init": "sae", "early_stopping": True, "batch_norm": True},
    ],
}
CASES = [(cls, options) for cls in ALL for options in OPTIONS[cls]]


@each_device
@pytest.mark.parametrize(("cls", "options"), CASES, ids=str)
def test_everything_agrees_with_numpy_given_its_noise(cls, options, device):
    data, y = (X, Y + (X[:, 2] > 0.5)) if "unlabeled" in options else (REAL, Y)
    with host_noise():
        both = [
            small(cls, device=name, **options).fit(data, y, sample_weight=WEIGHT)
            for name in (device, None)
        ]
    # Line searches make rounding errors larger.
    assert_same(*both, data, 1e-5 if options.get("optimizer") == "cg" else 1e-6)
    assert both[0].history_[-1].keys() == both[1].history_[-1].keys()
    for params in buffers(both[0]):
        assert type(params.flat) is np.ndarray


@each_device
@each_class
def test_float32_stays_float32_and_input_may_be_read_only(cls, device):
    rows = REAL.astype(np.float32)
    rows.flags.writeable = False
    found = fitted(cls, rows, device, WEIGHT)
    assert_same(found, fitted(cls, rows, None, WEIGHT), rows, rtol=2e-3)
    assert output(found, rows[::-1]).dtype == np.float32


@each_device
@each_class
def test_noise_of_the_device_comes_from_the_seed(cls, device):
    first = small(cls, device=device).fit(X, Y)
    again = small(cls, device=device).fit(X, Y)
    assert_array_equal(output(first, X), output(again, X))
    assert_array_equal(output(first.fit(X, Y), X), output(again, X))
    other = small(cls, device=device, random_state=1).fit(X, Y)
    assert np.abs(output(first, X) - output(other, X)).max() > 1e-4
    if cls in (RBMTransformer, DBNTransformer):
        draws = [first.sample(5, random_state=seed) for seed in (0, 0, 1)]
        assert_array_equal(draws[0], draws[1])
        assert (draws[0] != draws[2]).any()


@each_device
def test_a_seed_means_the_same_start_and_shuffles_everywhere(device):
    still = {"optimizer": SGD(1e-300), "weight_decay": 0.0}
    both = [
        RBMTransformer(4, device=d, random_state=0, **still) for d in (device, None)
    ]
    found, expected = (e.fit(X).components_ for e in both)
    assert_array_equal(found, expected)
    # Nothing draws noise here: the shuffles of all epochs are those of NumPy.
    both = [
        small(DBNClassifier, device=d, init="xavier_uniform", max_iter=5).fit(X, Y)
        for d in (device, None)
    ]
    assert_same(*both, X, rtol=1e-9)


@each_device
def test_the_quality_is_that_of_numpy(device):
    X, y = sklearn.datasets.load_digits(return_X_y=True)
    X = X / 16
    params = {"rbm": RBMTransformer(batch_size=20), "batch_size": 20, "max_iter": 15}
    scores = []
    for name in (device, None):
        clf = DBNClassifier((64,), device=name, random_state=0, **params)
        scores.append(clf.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]))
    assert abs(scores[0] - scores[1]) < 0.03
    assert min(scores) > 0.85


@each_device
@each_class
def test_copies_and_files_keep_the_device_and_the_numbers(cls, device, tmp_path):
    model = small(cls, device=device).fit(REAL, Y)
    save_model(model, tmp_path / "model")
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for twin in [*copies, load_model(tmp_path / "model")]:
        assert twin.device == device
        assert_array_equal(output(twin, REAL), output(model, REAL))
    assert clone(model).device == device
    home = copies[0].set_params(device=None)
    assert_allclose(output(home, REAL), output(model, REAL), rtol=1e-9, atol=1e-12)


@each_device
def test_callbacks_see_what_they_see_with_numpy(device):
    class Look(Callback):
        def setup(self, estimator, context):
            self.seen = []

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            if context.task_name == "epoch":
                self.seen.append(output(fitted_estimator, X))

    look = Look()
    rbm = small(RBMTransformer, device=device)
    rbm.set_callbacks(RBMMonitor(X[:20]), look).fit(X)
    plain = small(RBMTransformer).set_callbacks(RBMMonitor(X[:20])).fit(X)
    assert rbm.history_[-1].keys() == plain.history_[-1].keys()
    assert [type(features) for features in look.seen] == [np.ndarray] * 2
    assert_array_equal(look.seen[-1], output(rbm, X))


# Rows that are not sent as a whole.


@each_device
@each_class
def test_sparse_rows_are_dense_on_the_device(cls, device):
    rows = np.where(X > 0.5, X, 0.0)
    sparse = fitted(cls, csr_array(rows), device, WEIGHT)
    plain = fitted(cls, rows, device, WEIGHT)
    assert_same(sparse, plain, rows, rtol=1e-9)
    assert_allclose(output(sparse, csr_array(rows)), output(plain, rows), rtol=1e-9)


@each_device
@each_class
def test_rows_of_a_file_are_sent_batch_by_batch(cls, device):
    images = (255 * X).astype(np.uint8)
    scaled = ScaledRows(images, divide_by=255, dtype=float)
    streamed = fitted(cls, scaled, device)
    resident = fitted(cls, images / 255, device)
    assert_same(streamed, resident, images / 255, rtol=1e-9)
    assert_allclose(output(streamed, scaled), output(resident, images / 255), rtol=1e-9)


# Errors.


@each_class
def test_without_torch_the_error_says_what_to_install(cls, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    text = message(small(cls, device="cuda").fit, X, Y, error=ImportError)
    assert "pip install torch," in text
    small(cls).fit(X, Y)


@needs_torch
@each_class
def test_there_is_no_fall_back_from_cuda(cls, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    text = message(small(cls, device="cuda").fit, X, Y)
    assert "device='cuda' needs CUDA" in text
    model = small(cls).fit(X, Y).set_params(device="cuda:1")
    assert "device='cuda:1' needs CUDA" in message(output, model, X)


@needs_torch
@pytest.mark.parametrize("device", ["gpu", "meta", "GPU 0", "cpu:x", ""])
def test_unknown_devices_are_refused(device):
    text = message(small(RBMTransformer, device=device).fit, X)
    assert f"device={device!r}" in text
    assert "Use device='cpu', or None" in text


def test_the_device_of_a_prototype_does_not_count():
    # A device that nobody has.
    rbm = RBMTransformer(batch_size=20, max_iter=2, device="cuda:99")
    found, expected = small(DBNTransformer, rbm=rbm), small(DBNTransformer)
    assert_array_equal(output(found.fit(X), X), output(expected.fit(X), X))


# Tensors in, tensors out.


@pytest.fixture(params=ON_TORCH)
def tensor(request):
    with sklearn.config_context(array_api_dispatch=True):
        yield request.param.asarray


def arrays_of(tree):
    """All arrays that an estimator holds."""
    found = []
    for value in tree if isinstance(tree, (list, tuple)) else [tree]:
        if hasattr(value, "__dlpack__"):
            found.append(value)
        elif isinstance(value, dict):
            found += arrays_of(list(value.values()))
        elif isinstance(value, (list, tuple)):
            found += arrays_of(value)
        elif hasattr(value, "flat") and hasattr(value, "shapes"):
            found.append(value.flat)
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            found += arrays_of(list(vars(value).values()))
    return found


@pytest.mark.parametrize("data", [X, REAL], ids=["bernoulli", "gaussian"])
@each_class
def test_everything_follows_x(cls, data, tensor):
    rows = tensor(data)
    with host_noise():
        model = small(cls).fit(rows, tensor(Y), sample_weight=tensor(WEIGHT))
        found = results(model, rows)
    for array in found:
        assert type(array) is type(rows)
        assert array.device == rows.device
    assert {a.device for a in arrays_of(model)} == {rows.device}
    home = move_estimator_to(model, np, "cpu")
    assert {type(a) for a in arrays_of(home)} == {np.ndarray}
    assert_same(home, fitted(cls, data, None, WEIGHT), data)
    xp, _, device = get_namespace_and_device(rows)
    back = move_estimator_to(home, xp, device)
    assert_allclose(output(back, rows).cpu(), output(model, rows).cpu(), rtol=1e-9)


@each_class
def test_prediction_must_be_in_the_library_of_training(cls, tensor):
    model = small(cls).fit(tensor(X), tensor(Y))
    for name in ("transform", "predict", "score_samples", "inverse_transform"):
        if hasattr(model, name):
            rows = np.asarray(output(model, tensor(X)).cpu())
            rows = rows if name == "inverse_transform" else X
            text = message(getattr(model, name), rows)
            assert f"{cls.__name__}.{name}() must use the same namespace" in text


@pytest.mark.parametrize("cls", [RBMTransformer, *PREDICTORS])
def test_training_goes_on_in_its_library_only(cls, tensor):
    model = small(cls, warm_start=True).fit(X, Y)
    assert f"{cls.__name__}.fit() must use" in message(model.fit, tensor(X), Y)
    assert f"{cls.__name__}.fit() must use" in message(model.partial_fit, tensor(X), Y)


@pytest.mark.parametrize("device", [None, *DEVICES])
@each_class
def test_rows_of_a_file_and_sparse_rows_with_dispatch(cls, device, tensor):
    images = (255 * X).astype(np.uint8)
    for rows in (ScaledRows(images, divide_by=255), csr_array(X)):
        model = small(cls, device=device).fit(rows, Y, sample_weight=WEIGHT)
        assert type(output(model, rows)) is np.ndarray


@each_class
def test_a_model_of_tensors_is_saved_as_numpy(cls, tensor, tmp_path):
    model = small(cls).fit(tensor(REAL), tensor(Y))
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert {type(a) for a in arrays_of(loaded)} == {np.ndarray}
    assert_allclose(output(loaded, REAL), output(model, tensor(REAL)).cpu(), rtol=1e-9)
    if cls is DBNClassifier:
        found = to_sklearn(model).predict_proba(REAL)
        assert_allclose(found, output(loaded, REAL), rtol=1e-9)


def test_labels_may_be_strings_and_columns(tensor):
    rows = tensor(X)
    clf = small(DBNClassifier).fit(rows, Y3)
    assert set(clf.predict(rows)) <= set(Y3)
    columns = np.stack([Y, 1 - Y], axis=1)
    multi = small(DBNClassifier).fit(rows, tensor(columns))
    assert type(multi.predict(rows)) is type(rows)
    assert multi.score(rows, tensor(columns)) >= 0.0


def test_a_stack_of_numpy_starts_a_net_of_tensors_and_vice_versa(tensor):
    stack, rows = small(DBNTransformer).fit(X), tensor(X)
    options = {"hidden_layer_sizes": (4, 3), "rbm": None}
    net = small(DBNClassifier, init=FrozenEstimator(stack), **options)
    net.fit(rows, tensor(Y), X_val=rows, y_val=tensor(Y))
    assert type(net.predict(rows)) is type(rows)
    away = small(DBNTransformer).fit(rows)
    net = small(DBNClassifier, init=FrozenEstimator(away), **options)
    assert type(net.fit(X, Y).predict(X)) is np.ndarray


def test_nothing_is_recorded_for_autograd(tensor):
    rows = tensor(X).requires_grad_()
    model = small(DBNClassifier).fit(rows, Y)
    found = [model.predict_proba(rows), *(p.flat for p in buffers(model))]
    assert not any(array.requires_grad for array in found)


def test_a_device_beside_tensors_is_refused(tensor):
    text = message(small(RBMTransformer, device="cpu").fit, tensor(X))
    assert "device='cpu' is for NumPy input, and X is a Tensor" in text


def test_without_dispatch_tensors_are_taken_for_numpy():
    torch = pytest.importorskip("torch")
    found = small(DBNClassifier).fit(torch.from_numpy(X), Y)
    assert namespace(found.predict_proba(X)) is np


# Nothing waits for the device within an epoch.


def waits(fit):
    """How often numbers of a device are read, or its answer decides about a size."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Count(TorchDispatchMode):
        n = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            name = function.name()
            self.n += name.startswith(("aten::_local_scalar_dense", "aten::nonzero"))
            return function(*args, **(kwargs or {}))

    with Count() as mode:
        fit()
    return mode.n


TRAININGS = [
    RBMTransformer(4),
    RBMTransformer(4, sampler="pcd", centering=True, optimizer=Adam(0.01)),
    RBMTransformer(4, sampler="fpcd", sparsity=0.1, l1=0.1),
    RBMTransformer(4, hidden="relu", optimizer=SGD(0.001, clip_norm=1.0)),
    DBNClassifier((4,), init="zeros"),
    DBNClassifier((4,), init="zeros", dropout=0.2, batch_norm=True, max_norm=1.0),
    DBNClassifier((4,), init="zeros", head_epochs=1, weight_decay=0.1),
]


@needs_torch
@pytest.mark.parametrize("model", TRAININGS, ids=str)
def test_no_update_waits_for_the_device(model):
    model.set_params(max_iter=2, device="cpu", random_state=0)

    def fit(batch_size):
        return lambda: clone(model).set_params(batch_size=batch_size).fit(X, Y)

    few, many = waits(fit(60)), waits(fit(3))
    assert few == many > 0


@pytest.mark.gpu
@pytest.mark.skipif(not has_cuda(), reason="there is no CUDA device")
@pytest.mark.parametrize("model", TRAININGS, ids=str)
def test_no_update_synchronises_with_a_gpu(model, monkeypatch):
    import torch

    def run_epoch(step, *args, run=loop.run_epoch, **options):
        def watched(rows, epoch):
            torch.cuda.set_sync_debug_mode("error")
            try:
                return step(rows, epoch)
            finally:
                torch.cuda.set_sync_debug_mode("default")

        return run(watched, *args, **options)

    monkeypatch.setattr(loop, "run_epoch", run_epoch)
    clone(model).set_params(max_iter=2, device="cuda", batch_size=7).fit(X, Y)
