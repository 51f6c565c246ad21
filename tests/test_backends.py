"""One suite over array libraries: all must agree with NumPy, given its noise.

array-api-strict accepts nothing beyond the Python array API standard, so what runs on
it runs on any library that keeps the standard.
"""

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose

from dbn import DBN, RBM, Network
from dbn.backend.array import map_batches, namespace, take_rows
from dbn.backend.parameters import Parameters
from dbn.backend.random import make_rng
from dbn.boltzmann import CD, Bernoulli, Gaussian
from dbn.feedforward import get_initializer
from dbn.feedforward.initializers import INITIALIZERS
from dbn.training import SGD, Adam, Pretrained, finetune, train_rbm
from tests.helpers import randomize, read_only


class NumPy:
    """Plain arrays."""

    xp, asarray = np, staticmethod(np.array)


class ReadOnly(NumPy):
    """Arguments that raise when they are written to."""

    asarray = staticmethod(read_only)


class Strict:
    """The standard and nothing else."""

    xp, asarray = array_api_strict, staticmethod(array_api_strict.asarray)


LIBRARIES = [ReadOnly, Strict]
TYPES = ["bernoulli", "gaussian"]


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.__name__)
def library(request):
    return request.param


def on(library, model):
    """The model with its parameters in a (writable) buffer of the library."""
    flat = library.xp.asarray(model.params.flat, copy=True)
    model.params = Parameters(model.params.shapes, flat=flat)
    return model


def assert_agree(library, compute, rtol=1e-12):
    """`compute(library)` must stay in the library and agree with NumPy."""
    results, expected = compute(library), compute(NumPy)
    for result, reference in zip(results, expected, strict=True):
        assert namespace(result) is library.xp
        assert str(result.dtype).endswith(str(reference.dtype))
        assert result.shape == reference.shape
        assert_allclose(np.asarray(result), reference, rtol=rtol, atol=rtol)


def rows(n_rows=9, n=4, seed=0, dtype=np.float64):
    return make_rng(seed).random((n_rows, n)).astype(dtype)


def tiny_rbm(library, visible="bernoulli", hidden="bernoulli", dtype=np.float64):
    rbm = RBM(4, 3, visible=visible, hidden=hidden, dtype=dtype)
    randomize(rbm.params)
    return on(library, rbm)


def tiny_net(library, activation="logistic", loss="cross_entropy"):
    net = Network([4, 5, 3, 2], activation=activation, loss=loss)
    randomize(net.params)
    return on(library, net)


def test_namespace_refuses_to_mix_libraries():
    with pytest.raises(TypeError):
        namespace(np.ones(2), array_api_strict.ones(2))


@pytest.mark.parametrize("shape", [(9,), (9, 2)])
def test_batches_and_rows(library, shape):
    def compute(library):
        X = library.asarray(np.arange(float(np.prod(shape))).reshape(shape))
        return [
            map_batches(lambda part: 2.0 * part, X, batch_size=4),
            take_rows(X, np.array([3, 0, 3])),
        ]

    assert_agree(library, compute)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [Bernoulli(), Gaussian()], ids=repr)
def test_units(library, unit, dtype):
    def compute(library):
        x = library.asarray(rows(dtype=dtype))
        return [
            unit.mean(x),
            unit.variance(x),
            unit.sample(x, make_rng(0)),
            unit.cgf(x),
            unit.base_energy(x),
            unit.input_for_mean(x[0, :]),
        ]

    assert_agree(library, compute, rtol=1e-12 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("unit", [Bernoulli(), Gaussian()], ids=repr)
def test_checks_of_units_accept_probabilities(library, unit):
    assert unit.check(library.asarray(rows())) is None


@pytest.mark.parametrize("hidden", TYPES)
@pytest.mark.parametrize("visible", TYPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rbm(library, visible, hidden, dtype):
    def compute(library):
        rbm = tiny_rbm(library, visible, hidden, dtype)
        v = library.asarray(rows(dtype=dtype))
        h = library.asarray(rows(n=3, dtype=dtype))
        return [
            rbm.mean_hidden(v),
            rbm.mean_visible(h),
            rbm.sample_hidden(v, make_rng(0)),
            rbm.gibbs(v, make_rng(0), steps=2),
            rbm.energy(v, h),
            rbm.free_energy(v),
        ]

    # Chains in single precision may part ways at a rounding error.
    assert_agree(library, compute, rtol=1e-12 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_of_an_rbm(library, weighted):
    def compute(library):
        rbm = tiny_rbm(library)
        out = rbm.params.zeros_like()
        phases = [rows(9, 4), rows(9, 3), rows(5, 4, seed=1), rows(5, 3, seed=1)]
        weights = [rows(9, 1)[:, 0], rows(5, 1)[:, 0]] if weighted else []
        arrays = [library.asarray(a) for a in phases + weights]
        rbm.gradient(*arrays[:4], out, *arrays[4:])
        return [out.flat]

    assert_agree(library, compute)


@pytest.mark.parametrize("hidden", TYPES)
@pytest.mark.parametrize("sample_visible", [False, True])
def test_negative_phase_of_cd(library, hidden, sample_visible):
    def compute(library):
        rbm = tiny_rbm(library, hidden=hidden)
        sampler = CD(2, sample_visible=sample_visible)
        v, rng = library.asarray(rows()), make_rng(0)
        state = sampler.start(rbm, v, rng)
        x = library.asarray(np.asarray(rbm.hidden_input(v)))
        return sampler.negative(rbm, v, x, state, rng)[:2]

    assert_agree(library, compute)


def test_start_of_an_rbm(library):
    def compute(library):
        mean = library.asarray(rows().mean(axis=0))
        return [tiny_rbm(library).initialize(make_rng(0), mean, 9).params.flat]

    assert_agree(library, compute)


def test_transform_of_a_stack_in_batches(library):
    def compute(library):
        dbn = DBN([tiny_rbm(library), on(library, RBM(3, 2).initialize(make_rng(0)))])
        return [dbn.transform(library.asarray(rows(5000)))]

    assert_agree(library, compute)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
def test_network(library, activation, loss, weighted):
    def compute(library):
        net = tiny_net(library, activation, loss)
        X, y = library.asarray(rows()), library.asarray(np.eye(2)[np.arange(9) % 2])
        weight = library.asarray(rows(9, 1)[:, 0]) if weighted else None
        out = net.params.zeros_like()
        value = net.gradient(X, y, out, weight)
        return [library.xp.asarray(value), out.flat, net.forward(X), net.predict(X)]

    assert_agree(library, compute)


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.5), Adam(0.01)], ids=repr)
def test_step_of_an_optimizer(library, optimizer):
    def compute(library):
        theta, grad = (library.xp.asarray(rows(1, 7, seed)[0]) for seed in (0, 1))
        state = optimizer.init(theta)
        for _ in range(2):
            optimizer.step(theta, library.xp.asarray(grad, copy=True), state)
        return [theta]

    assert_agree(library, compute)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers(library, name):
    def compute(library):
        net = tiny_net(library)
        get_initializer(name).fill(net, library.asarray(rows()), make_rng(0))
        return [net.params.flat]

    assert_agree(library, compute)


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_start_from_a_trained_stack(library, activation):
    def compute(library):
        rbms = [on(library, RBM(4, 5)), on(library, RBM(5, 3))]
        dbn = DBN([rbm.initialize(make_rng(0), scale=1.0) for rbm in rbms])
        net = tiny_net(library, activation)
        Pretrained(dbn).fill(net, library.asarray(rows()), make_rng(0))
        return [net.params.flat]

    assert_agree(library, compute)


# Trajectories. Beyond 20 updates rounding errors can flip a sampled unit.


@pytest.mark.parametrize("visible", TYPES)
@pytest.mark.parametrize("optimizer", [SGD(0.05), Adam(0.01)], ids=repr)
def test_20_updates_of_an_rbm_written_out(library, visible, optimizer):
    def compute(library):
        rbm, rng, sampler = tiny_rbm(library, visible), make_rng(0), CD(k=2)
        grad, state = rbm.params.zeros_like(), optimizer.init(rbm.params.flat)
        for update in range(20):
            v = library.asarray(rows(10, seed=update))
            x = rbm.hidden_input(v)
            v_neg, h_neg, _ = sampler.negative(rbm, v, x, {"epoch": 0}, rng)
            rbm.gradient(v, rbm.hidden.mean(x), v_neg, h_neg, grad)
            optimizer.step(rbm.params.flat, grad.flat, state)
        return [rbm.params.flat]

    assert_agree(library, compute, rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_20_updates_of_train_rbm(library, weighted):
    def compute(library):
        weight = library.asarray(rows(40, 1)[:, 0] + 0.5) if weighted else None
        rbm = train_rbm(
            tiny_rbm(library),
            library.asarray(rows(40)),
            rng=make_rng(0),
            batch_size=10,
            max_iter=5,
            sample_weight=weight,
        )
        return [rbm.params.flat]

    assert_agree(library, compute, rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_20_updates_of_finetune(library, weighted):
    def compute(library):
        weight = library.asarray(rows(40, 1)[:, 0] + 0.5) if weighted else None
        net = finetune(
            tiny_net(library),
            library.asarray(rows(40)),
            library.asarray(np.eye(2)[np.arange(40) % 2]),
            rng=make_rng(0),
            weight_decay=0.01,
            batch_size=10,
            max_iter=5,
            sample_weight=weight,
        )
        return [net.params.flat]

    assert_agree(library, compute, rtol=1e-6)
