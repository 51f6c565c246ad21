"""One suite over array libraries: all must agree with NumPy, given its noise.

array-api-strict accepts nothing beyond the Python array API standard, so what runs on
it runs on any library that keeps the standard.
"""

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special

from dbn import DBN, RBM, Network
from dbn.backend import array
from dbn.backend.array import map_batches, namespace, take_rows
from dbn.backend.device import converted, to_host
from dbn.backend.random import host_noise, make_rng
from dbn.boltzmann import (
    CD,
    FPCD,
    PCD,
    Bernoulli,
    Gaussian,
    Mixed,
    ParallelTempering,
    ReLU,
    Softmax,
    Spin,
    ais,
    exact_log_z,
    incomplete,
    pseudo_log_likelihood,
    reverse_ais,
)
from dbn.boltzmann.enumeration import sample_exact
from dbn.boltzmann.incomplete import log_p_of_known, mean_field
from dbn.feedforward import get_initializer
from dbn.feedforward.initializers import INITIALIZERS
from dbn.feedforward.layers import ACTIVATIONS
from dbn.training import (
    LBFGS,
    SGD,
    Adam,
    ConjugateGradient,
    Pretrained,
    RMSProp,
    Sparsity,
    finetune,
    pretrain,
    train_rbm,
)
from tests.boltzmann.types import RAGGED
from tests.helpers import randomize
from tests.libraries import NumPy

TYPES = ["bernoulli", "gaussian"]


def on(library, model):
    """The model with its parameters in a (writable) buffer of the library."""
    asarray = np.array if library.xp is np else library.asarray
    return converted(model, asarray)


def assert_agree(library, compute, rtol=1e-12):
    """`compute(library)` must stay in the library and agree with NumPy."""
    with host_noise():
        results, expected = compute(library), compute(NumPy)
    for result, reference in zip(results, expected, strict=True):
        assert namespace(result) is library.xp
        assert result.device == library.asarray([0.0]).device
        assert str(result.dtype).endswith(str(reference.dtype))
        assert tuple(result.shape) == reference.shape
        assert_allclose(to_host(result), reference, rtol=rtol, atol=rtol)


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


UNITS = [Bernoulli(), Gaussian(), ReLU(), ReLU(noisy=True), Softmax(2), Spin(), RAGGED]
UNITS += [Mixed(((Gaussian(), 1), (ReLU(), 1), (Spin(), 1), (Softmax(3), 3)))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_units(library, unit, dtype):
    def compute(library):
        x = library.asarray(rows(n=6, dtype=dtype))
        return [
            unit.mean(x),
            unit.variance(x),
            unit.sample(x, make_rng(0)),
            unit.input_for_mean(x[0, :]),
            *([unit.cgf(x), unit.base_energy(x)] if unit.normalised else []),
        ]

    assert_agree(library, compute, rtol=1e-12 if dtype == np.float64 else 1e-5)


def test_functions_of_the_normal_law(library):
    x = np.concatenate([np.linspace(-40, 40, 200), [-1e4, -1e10]])

    def compute(library):
        y = library.asarray(
            np.concatenate([special.log_ndtr(x), -(0.1 ** np.arange(9))])
        )
        z = library.asarray(x)
        return [array.log_ndtr(z), array.ndtr_slope(z), array.ndtri_exp(y)]

    assert_agree(library, compute, rtol=1e-10)


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
        x = library.asarray(to_host(rbm.hidden_input(v)))
        h = rbm.hidden.mean(x)
        return sampler.negative(rbm, v, x, h, state, rng)[:2]

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


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_network_in_training(library, activation, weighted):
    def compute(library):
        options = {"dropout": 0.3, "batch_norm": True, "loss": "binary_cross_entropy"}
        net = Network([4, 5, 3, 2], activation=activation, **options)
        randomize(net.params)
        net = on(library, net)
        X, y = library.asarray(rows()), library.asarray(np.eye(2)[np.arange(9) % 2])
        weight = library.asarray(rows(9, 1)[:, 0]) if weighted else None
        out = net.params.zeros_like()
        net.gradient(X, y, out, weight, make_rng(0))
        net.limit_norms(1.0)
        found = [out.flat, net.statistics.flat, net.params.flat, net.predict(X)]
        net.calibrate(X, weight)
        return [*found, net.statistics.flat, *net.folded()[0]]

    assert_agree(library, compute)


OPTIMIZERS = [
    SGD(0.1, momentum=0.5),
    SGD(0.1, nesterov=True, clip_norm=0.5),
    RMSProp(0.01, clip_value=0.4),
    Adam(0.01),
    Adam(0.01, clip_norm=100.0, decoupled_decay=0.1),
]


@pytest.mark.parametrize("size", [1.0, 1e200])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_step_of_an_optimizer(library, optimizer, size):
    def compute(library):
        theta = on(library, rows(1, 7)[0])
        state = optimizer.init(theta)
        for _ in range(2):
            grad = on(library, size * rows(1, 7, seed=1)[0])
            with np.errstate(over="ignore"):
                optimizer.step(theta, grad, state)
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


# Densities.


MACHINES = [("bernoulli", "bernoulli"), ("gaussian", "gaussian"), ("bernoulli", "relu")]


@pytest.mark.parametrize("pair", MACHINES, ids=str)
def test_log_z(library, pair):
    def compute(library):
        rbm = RBM(4, 3, visible=pair[0], hidden=pair[1])
        rbm = on(library, rbm.initialize(make_rng(0), scale=0.3))
        options = {"n_betas": 20, "n_chains": 10, "random_state": 0}
        found = (
            ais(rbm, **options),
            reverse_ais(rbm, **options, max_states=0, burn_in=5),
        )
        values = [exact_log_z(rbm), *(estimate.log_z for estimate in found)]
        return [library.asarray(values), sample_exact(rbm, 5, make_rng(0))]

    assert_agree(library, compute, rtol=1e-9)


PAIR_AND_BITS = Mixed(((Softmax(2), 2), (Bernoulli(), 2)))


@pytest.mark.parametrize("visible", [Bernoulli(), Softmax(2), PAIR_AND_BITS], ids=repr)
def test_pseudo_log_likelihood(library, visible):
    def compute(library):
        v = library.asarray(np.eye(2)[[[0, 1], [1, 1]]].reshape(2, 4))
        return [pseudo_log_likelihood(tiny_rbm(library, visible), v)]

    assert_agree(library, compute)


def test_draws_of_a_stack_and_its_bound(library):
    def compute(library):
        dbn = DBN([tiny_rbm(library), on(library, RBM(3, 2).initialize(make_rng(0)))])
        v = library.asarray(np.array([1.0, 0.0, 1.0, 1.0]))
        bound = dbn.log_p_bound(v, make_rng(0), 5)
        top = library.asarray(np.ones((3, 3)))
        return [library.asarray([bound]), dbn.sample(top, make_rng(0), 3)]

    assert_agree(library, compute)


@pytest.mark.parametrize("limits", [(2**12, 2**16), (1, 2**16), (1, 0)], ids=str)
@pytest.mark.parametrize("hidden", TYPES)
@pytest.mark.parametrize("visible", [*TYPES, Softmax(2)], ids=str)
def test_unknown_values(library, visible, hidden, limits, monkeypatch):
    monkeypatch.setattr(incomplete, "MAX_UNKNOWN", limits[0])
    monkeypatch.setattr(incomplete, "MAX_HIDDEN", limits[1])

    def compute(library):
        v = np.eye(2)[[[0, 1], [1, 1], [0, 1]]].reshape(3, 4)
        v[0, :2] = v[1] = np.nan
        rbm = tiny_rbm(library, visible, hidden)
        rbm.params.flat[...] *= 0.2
        v = library.asarray(v)
        found = [log_p_of_known(rbm, v, 0), mean_field(rbm, v)]
        if hidden == "bernoulli":
            dbn = DBN([rbm, on(library, RBM(3, 2).initialize(make_rng(0)))])
            bound = dbn.log_p_bound(v[0, :], make_rng(0), 5)
            found += [library.asarray([bound]), dbn.complete(v, make_rng(0), 3)]
        return found

    assert_agree(library, compute, rtol=1e-9)


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
            h = rbm.hidden.mean(x)
            v_neg, h_neg, _ = sampler.negative(rbm, v, x, h, {"epoch": 0}, rng)
            rbm.gradient(v, h, v_neg, h_neg, grad)
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


SAMPLERS = [
    CD(k=2, sample_visible=True),
    PCD(n_chains=7),
    FPCD(n_chains=7),
    ParallelTempering(n_chains=7, n_betas=3),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@pytest.mark.parametrize(
    "visible", [Bernoulli(), Gaussian(learn_variance=True)], ids=repr
)
def test_20_updates_with_every_sampler_centering_and_sparsity(
    library, visible, sampler
):
    def compute(library):
        state = {}
        rbm = train_rbm(
            tiny_rbm(library, visible),
            library.asarray(rows(40)),
            rng=make_rng(0),
            sampler=sampler,
            optimizer=SGD(0.01),
            centering=True,
            sparsity=Sparsity(0.2),
            l1=0.01,
            batch_size=10,
            max_iter=5,
            state=state,
        )
        return [rbm.params.flat, *state["means"]]

    assert_agree(library, compute, rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("visible", TYPES)
def test_20_updates_with_unknown_values(library, visible, weighted):
    def compute(library):
        state, history, holes = {}, [], rows(40)
        holes[::3, :2], holes[1::4, 2:] = np.nan, np.nan  # whole groups of columns
        weight = library.asarray(rows(40, 1)[:, 0] + 0.5) if weighted else None
        rbm = train_rbm(
            tiny_rbm(library, visible),
            library.asarray(holes),
            rng=make_rng(0),
            sampler=PCD(n_chains=7),
            optimizer=SGD(0.01),
            centering=True,
            batch_size=10,
            max_iter=5,
            sample_weight=weight,
            state=state,
            history=history,
        )
        errors = [entry["reconstruction_error"] for entry in history]
        return [rbm.params.flat, *state["means"], library.asarray(errors)]

    assert_agree(library, compute, rtol=1e-6)


@pytest.mark.parametrize("optimizer", [LBFGS(2), ConjugateGradient(2)], ids=repr)
def test_line_searches(library, optimizer):
    def compute(library):
        net = finetune(
            tiny_net(library, "tanh"),
            library.asarray(rows(40)),
            library.asarray(np.eye(2)[np.arange(40) % 2]),
            rng=make_rng(0),
            optimizer=optimizer,
            weight_decay=0.01,
            learning_rate_multipliers=[0.0, 1.0, 1.0],
            batch_size=20,
            max_iter=3,
        )
        return [net.params.flat]

    assert_agree(library, compute, rtol=1e-6)


@pytest.mark.parametrize("budget", [None, 0])
def test_20_updates_of_each_layer_of_a_stack(library, budget):
    def compute(library):
        options = [{"batch_size": 10, "max_iter": 5}] * 2
        dbn = pretrain(
            library.asarray(rows(40)),
            [5, 3],
            rng=make_rng(0),
            layer_options=options,
            memory_budget=budget,
        )
        return [rbm.params.flat for rbm in dbn.rbms]

    assert_agree(library, compute, rtol=1e-6)
