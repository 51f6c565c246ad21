"""Steps that are recorded once and replayed give what eager steps give.

Nothing here needs a GPU: the stand-in for a CUDA graph records every operation of a
step on PyTorch's CPU, and a replay does the same operations on the same arrays with the
same numbers of the host, without Python. Like a graph it knows nothing of a number that
Python changes from batch to batch, or of an array that another has replaced.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from dbn import (
    RBM,
    DBNClassifier,
    DBNRegressor,
    Network,
    RBMTransformer,
    ScaledRows,
)
from dbn.backend.capture import exchanges
from dbn.backend.device import asarray_like, converted
from dbn.backend.random import DeviceStream, host_noise
from dbn.boltzmann import CD, FPCD, PCD, Gaussian, ReLU, Softmax
from dbn.training import SGD, Adam, RMSProp, Sparsity, finetune, loop, train_rbm
from dbn.training.distributed import Workers
from tests.libraries import has_cuda, needs_torch

pytestmark = needs_torch

RNG = np.random.default_rng(0)
X = RNG.random((86, 6))
REAL = RNG.standard_normal((86, 6))
ONE_HOT = np.eye(3)[RNG.integers(3, size=(86, 2))].reshape(86, 6)
Y, Y2 = (X[:, 0] > 0.5).astype(int), (X[:, :2] > 0.5).astype(int)
WEIGHT = np.linspace(0.1, 2.0, 86)


def host_graph():
    """A class like the CUDA graph of `dbn.backend.capture`, and all its instances."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    made = []

    class HostGraph:
        def __init__(self, function, **_):
            made.append(self)
            calls, self.n_replays = [], 0
            self.calls = calls

            class Record(TorchDispatchMode):
                def __torch_dispatch__(self, op, types, args=(), kwargs=None):
                    result = op(*args, **(kwargs or {}))
                    # Detached: operations like squeeze_ change shapes in place.
                    outputs = [a.detach() for a in tree_leaves(result)]
                    calls.append((op, args, kwargs or {}, outputs))
                    return result

            with Record():
                function()

        def replay(self):
            self.n_replays += 1
            for op, args, kwargs, outputs in self.calls:
                again = tree_leaves(op(*args, **kwargs))
                for old, new in zip(outputs, again, strict=True):
                    if old.data_ptr() != new.data_ptr():
                        old.copy_(new)

        @property
        def n_launches(self):
            return sum(not op.is_view for op, *_ in self.calls)

    return HostGraph, made


@pytest.fixture
def made(monkeypatch):
    graph, made = host_graph()

    def recorder(rng, like):
        recordable = isinstance(rng, DeviceStream) and like.device.type == "cpu"
        return graph if recordable else None

    monkeypatch.setattr(loop, "recorder", recorder)
    return made


def trained(model, data, y=None, weight=None, device="cpu"):
    model = clone(model).set_params(device=device, random_state=0)
    return model.fit(data, y, sample_weight=weight)


def eager(*args, **kwargs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "recorder", lambda rng, like: None)
        return trained(*args, **kwargs)


def numbers(model):
    """Everything that training changed."""
    if isinstance(model, RBMTransformer):
        found = model.components_, model.intercept_hidden_, model.intercept_visible_
    else:
        found = *model.coefs_, *model.intercepts_
    return [*found, np.array([list(e.values())[2:] for e in model.history_], float)]


def assert_equal(found, expected):
    for a, b in zip(numbers(found), numbers(expected), strict=True):
        assert_array_equal(a, b)


def rbm(**params):
    return RBMTransformer(4, batch_size=7, max_iter=3, **params)


def net(cls=DBNClassifier, **params):
    return cls((5, 4), init="xavier_uniform", batch_size=7, max_iter=3, **params)


SAMPLERS = [
    "cd",
    CD(k=((0, 1), (1, 3)), sample_visible=True),
    PCD(n_chains=5, k=((0, 2), (2, 1))),
    FPCD(n_chains=5),
]
MEANS = [{}, {"centering": True}, {"sparsity": Sparsity(0.2), "centering": True}]
OPTIMIZERS = [
    SGD(((0, 0.1), (1, 0.05)), momentum=((0, 0.5), (2, 0.9)), nesterov=True),
    RMSProp(clip_value=0.1),
    Adam(((0, 0.01), (1, 0.02)), clip_norm=0.5),
    "adamw",
]
NETS = [
    {"max_norm": 0.8, "weight_decay": 0.1},
    {"head_epochs": 1, "learning_rate_multipliers": (0.0, 1.0, 0.5)},
    {"batch_norm": True, "activation": "relu", "early_stopping": True},
    {"dropout": 0.3, "batch_norm": True, "optimizer": Adam(beta_1=0.0)},
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS[:3], ids=str)
@pytest.mark.parametrize("means", MEANS, ids=str)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_replays_train_an_rbm_like_eager_steps(sampler, means, optimizer, made):
    model = rbm(sampler=sampler, optimizer=optimizer, **means)
    assert_equal(trained(model, X), eager(model, X))
    # Two of the twelve whole batches come before, and the short one comes after.
    assert [graph.n_replays for graph in made] == [9] * 3


@pytest.mark.parametrize(
    ("data", "params"),
    [
        (X, {"l1": 0.1}),
        (REAL, {"visible": Gaussian(learn_variance=True), "sampler": "pcd"}),
        (REAL, {"visible": Gaussian(), "hidden": ReLU()}),
        (REAL, {"visible": Gaussian(), "hidden": ReLU(noisy=True)}),
        (ONE_HOT, {"visible": Softmax(3), "sampler": CD(sample_visible=True)}),
    ],
    ids=str,
)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
def test_replays_of_other_units_and_weights(data, params, weight, made):
    model = rbm(**params, optimizer=SGD(0.001))
    assert_equal(trained(model, data, None, weight), eager(model, data, None, weight))
    assert len(made) == 3


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("loss", ["classes", "labels", "values"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
def test_replays_train_a_net_like_eager_steps(optimizer, dropout, loss, weight, made):
    cls, y = {
        "classes": (DBNClassifier, Y),
        "labels": (DBNClassifier, Y2),
        "values": (DBNRegressor, X[:, 0]),
    }[loss]
    model = net(cls, optimizer=optimizer, dropout=dropout)
    assert_equal(trained(model, X, y, weight), eager(model, X, y, weight))
    assert [graph.n_replays for graph in made] == [9] * 3


@pytest.mark.parametrize("params", NETS, ids=str)
def test_replays_of_what_else_a_net_trains_with(params, made):
    model = net(**params)
    model.set_params(batch_size=6)
    assert_equal(trained(model, X, Y), eager(model, X, Y))
    assert len(made) == 3


def test_replays_in_single_precision_and_without_a_short_batch(made):
    model, data = net(), X[:84].astype(np.float32)
    assert_equal(trained(model, data, Y[:84]), eager(model, data, Y[:84]))
    assert [graph.n_replays for graph in made] == [9] * 3


def test_training_goes_on_after_partial_fit_and_halving(made):
    model = rbm(optimizer=Adam(0.01), sampler="pcd")
    found, expected = (f(model, X).partial_fit(X) for f in (trained, eager))
    assert_equal(found, expected)
    model = net(optimizer=SGD(1e200), on_divergence="halve", max_norm=None)
    with np.errstate(all="ignore"):
        assert_equal(trained(model, X, Y), eager(model, X, Y))


# What cannot be recorded.


class Twice(SGD):
    """A rate that falls with every step, by a number that Python counts."""

    def init(self, theta):
        return {**super().init(theta), "n": 0}

    def step(self, theta, grad, state):
        state["n"] += 1
        grad *= 1.0 / state["n"]
        return super().step(theta, grad, state)


@pytest.mark.parametrize(
    "model",
    [
        rbm(sampler="pt"),
        rbm(optimizer=Twice()),
        net(optimizer="lbfgs"),
        net(optimizer="cg"),
        net(batch_norm=True),
        net().set_params(batch_size=9),
    ],
    ids=str,
)
def test_what_reads_or_counts_on_the_host_stays_eager(model, made):
    weight = WEIGHT if model.get_params().get("batch_norm") else None
    assert_equal(trained(model, X, Y, weight), eager(model, X, Y, weight))
    assert not made


def test_streamed_rows_noise_of_the_host_and_several_processes_stay_eager(
    made, monkeypatch
):
    def run_epoch(*args, run=loop.run_epoch):
        assert args[-1] is None  # nothing to record with
        return run(*args)

    monkeypatch.setattr(loop, "run_epoch", run_epoch)
    trained(rbm(), ScaledRows((255 * X).astype(np.uint8), divide_by=255))
    with host_noise():
        trained(rbm(), X)
    trained(rbm(), X, device=None)

    class Two(Workers):
        size = 2

    monkeypatch.setattr(loop, "current_workers", Two)
    trained(rbm(), X)


class Hidden(Twice):
    """The same, with the number where nobody looks for it."""

    counted = None

    def init(self, theta):
        type(self).counted = {"n": 0}
        return SGD.init(self, theta)

    def step(self, theta, grad, state):
        self.counted["n"] += 1
        grad *= 1.0 / self.counted["n"]
        return SGD.step(self, theta, grad, state)


class Moved(PCD):
    """Chains that step aside: outside the state, an array that is replaced."""

    def start(self, rbm, X, rng):
        type(self).chains = super().start(rbm, X, rng)
        return {"epoch": 0}

    def negative(self, rbm, v_pos, x_pos, h_pos, state, rng):
        chains = {**self.chains, "epoch": state["epoch"]}
        v, h, chains = super().negative(rbm, v_pos, x_pos, h_pos, chains, rng)
        type(self).chains = chains
        return v, h, state


@pytest.mark.parametrize("params", [{"optimizer": Hidden()}, {"sampler": Moved()}])
def test_the_stand_in_shows_a_step_that_must_not_be_replayed(params, made):
    model = rbm(**params)
    found, expected = numbers(trained(model, X)), numbers(eager(model, X))
    assert len(made) == 3
    assert np.abs(found[0] - expected[0]).max() > 1e-6


# Nothing goes between host and device in a step: `meta`, without numbers, is a device.


class Noise(DeviceStream):
    """Of `meta`, which has no generators."""

    generator = None

    def __init__(self):
        self.host = np.random.default_rng(0)

    def renew(self, epoch=0):
        pass


@pytest.fixture
def traffic(monkeypatch):
    """Whether host and device exchange numbers in the second step of a training."""

    class Seen(Exception):
        pass

    def run_epoch(step, epoch, params, state, batch_size, groups, record):
        step(groups[0][:7], epoch)
        raise Seen(exchanges(lambda: step(groups[0][7:14], epoch), groups[0]))

    def found(train, model, *data, **params):
        model = converted(model, meta)
        with pytest.raises(Seen) as seen:
            train(model, *map(meta, data), rng=Noise(), batch_size=7, **params)
        return seen.value.args[0]

    def meta(values):
        import torch

        return torch.asarray(values, device="meta")

    monkeypatch.setattr(loop, "run_epoch", run_epoch)
    return found


@pytest.mark.parametrize("units", [{}, {"visible": Softmax(3)}, {"hidden": ReLU()}])
@pytest.mark.parametrize("means", MEANS, ids=str)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_step_of_an_rbm_stays_on_its_device(sampler, means, units, traffic):
    for optimizer in OPTIMIZERS:
        params = {"sampler": sampler, "optimizer": optimizer, **means}
        assert not traffic(train_rbm, RBM(6, 4, **units), X, l1=0.1, **params)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_a_step_of_a_net_stays_on_its_device(dropout, batch_norm, loss, traffic):
    for optimizer in OPTIMIZERS:
        net = Network([6, 5, 6], dropout=dropout, batch_norm=batch_norm, loss=loss)
        params = {"optimizer": optimizer, "weight_decay": 0.1, "max_norm": 1.0}
        assert not traffic(finetune, net, X, ONE_HOT, **params)


def test_an_array_of_the_host_in_a_step_is_seen(traffic):
    class Scaled(SGD):
        def step(self, theta, grad, state):
            grad *= asarray_like(np.ones(grad.shape), grad)
            return super().step(theta, grad, state)

    assert traffic(train_rbm, RBM(6, 4), X, optimizer=Scaled())


# How much is launched.


@pytest.mark.parametrize(
    ("model", "most"),
    [
        (rbm(), 40),
        (rbm(sampler="pcd", centering=True), 70),
        (net(optimizer="adam", dropout=0.2), 85),
    ],
    ids=str,
)
def test_operations_of_a_step_that_become_one_launch(model, most, made):
    trained(model, X, Y)
    assert 20 < made[0].n_launches <= most


@pytest.mark.gpu
@pytest.mark.skipif(not has_cuda(), reason="there is no CUDA device")
@pytest.mark.parametrize(
    ("model", "weight"),
    [(rbm(sampler=s, **m), WEIGHT) for s in SAMPLERS for m in MEANS]
    + [(net(optimizer=o, dropout=0.3), WEIGHT) for o in OPTIMIZERS]
    + [(net(**params), None) for params in NETS],
    ids=str,
)
def test_cuda_graphs_train_like_eager_steps(model, weight, monkeypatch):
    record, made = loop.recorder, []

    def recorder(rng, like):
        graph = record(rng, like)
        return lambda function: made.append(graph(function)) or made[-1]

    monkeypatch.setattr(loop, "recorder", recorder)
    model = clone(model).set_params(batch_size=6)
    found = trained(model, X, Y, weight, device="cuda")
    assert len(made) == 3
    expected = eager(model, X, Y, weight, device="cuda")
    for a, b in zip(numbers(found), numbers(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
