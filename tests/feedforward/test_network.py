import copy
import pickle

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import DBN, RBM, Network
from dbn.backend.parameters import Parameters
from dbn.backend.random import make_rng
from dbn.feedforward import Dense, Identity, Logistic, Tanh, VarianceScaling
from dbn.feedforward.layers import ACTIVATIONS
from dbn.feedforward.losses import LOSSES
from dbn.training import SGD, Adam, Pretrained, finetune
from tests.helpers import largest_mean_z, randomize, read_only

EVERYTHING = {"dropout": [0.2, 0.5, 0.3], "batch_norm": True}
X = read_only(make_rng(2).standard_normal((60, 4)))
Y = read_only(np.eye(2)[np.arange(60) % 2])
WEIGHT = read_only(make_rng(3).random(60))


def small(**options):
    net = Network([4, 3, 5, 2], **options)
    randomize(net.params)
    return net


def test_parts_lie_in_the_buffer_from_the_data_upwards():
    shapes = {"W0": (4, 3), "c0": (3,), "W1": (3, 5), "c1": (5,), "W2": (5, 2)}
    assert small().params.shapes == shapes | {"c2": (2,)}
    assert list(small().params) == ["W0", "c0", "W1", "c1", "W2", "c2"]


def test_dense_gives_views_of_the_parameters():
    net = small()
    assert [W.shape for W, _ in net.dense] == [(4, 3), (3, 5), (5, 2)]
    for i, (W, c) in enumerate(net.dense):
        W[...], c[...] = i, -i
        assert (net.params[f"W{i}"] == i).all()
        assert (net.params[f"c{i}"] == -i).all()


def test_parts_and_statistics_of_batch_norm_have_buffers_of_their_own():
    net = small(batch_norm=True)
    assert list(net.params) == [
        *("W0", "c0", "gamma0", "beta0"),
        *("W1", "c1", "gamma1", "beta1"),
        *("W2", "c2"),
    ]
    shapes = {"mean0": (3,), "variance0": (3,), "mean1": (5,), "variance1": (5,)}
    assert net.statistics.shapes == shapes
    assert list(small().statistics) == []


def test_a_new_net_with_batch_norm_starts_as_a_standardisation():
    net = Network([4, 3, 5, 2], batch_norm=True, dtype=np.float32)
    ones = [net.params["gamma0"], net.params["gamma1"], net.statistics["variance1"]]
    assert all((part == 1.0).all() for part in ones)
    assert net.params.flat.sum() == 8.0
    assert net.statistics.flat.sum() == 8.0
    assert net.statistics.flat.dtype == np.float32


def names(net):
    return [type(layer).__name__ for layer in net.layers]


def test_the_order_of_the_layers():
    plain = ["Dense", "Logistic", "Dense", "Logistic", "Dense"]
    assert names(small()) == names(small(dropout=[0, 0, 0])) == plain
    block = ["Dropout", "Dense", "BatchNorm", "Logistic"]
    assert names(small(**EVERYTHING)) == [*block, *block, "Dropout", "Dense"]


def test_one_number_is_the_rate_of_the_hidden_layers():
    net = small(dropout=0.5)
    assert net.dropout == [0.0, 0.5, 0.5]
    assert names(net)[:3] == ["Dense", "Logistic", "Dropout"]
    assert Network([4, 2], dropout=0.5).dropout == [0.0]


@pytest.mark.parametrize(
    ("dropout", "message"),
    [
        (1.0, "Dropout: rate must be a number in [0, 1); it is 1.0."),
        ([0.2, 0.5, -0.1], "Dropout: rate must be a number in [0, 1); it is -0.1."),
        ([0.2, 0.5], "one for the inputs and each hidden layer, here 3; it is [0.2, 0"),
        (None, "here 3; it is None."),
    ],
)
def test_impossible_dropout_is_refused(dropout, message):
    with pytest.raises(ValueError) as error:
        small(dropout=dropout)
    assert message in str(error.value)


def test_forward_is_the_composition_of_its_layers():
    net, X = small(activation="tanh"), np.random.default_rng(1).random((6, 4))
    (W0, c0), (W1, c1), (W2, c2) = net.dense
    h0 = np.tanh(X @ W0 + c0)
    h1 = np.tanh(h0 @ W1 + c1)
    outputs = net.activations(read_only(X))
    assert_array_equal(outputs[0], X)
    assert_allclose(outputs[2], h0, rtol=1e-13)
    assert_allclose(outputs[4], h1, rtol=1e-13)
    assert_allclose(outputs[-1], h1 @ W2 + c2, rtol=1e-12)
    assert_array_equal(net.forward(X), outputs[-1])
    assert_array_equal(net.predict(X), net.loss.predict(outputs[-1]))


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["plain", "everything"])
def test_forward_does_not_depend_on_the_other_rows(options):
    net, X = small(**options), np.random.default_rng(0).standard_normal((5000, 4))
    rows = [0, 4095, 4096, 4999]
    assert_allclose(net.forward(X)[rows], net.forward(X[rows]), rtol=1e-12)


def test_without_hidden_layers_it_is_a_linear_model():
    net, X = Network([4, 2], loss="squared_error"), np.ones((3, 4))
    randomize(net.params)
    assert_allclose(net.predict(X), X @ net.params["W0"] + net.params["c0"])


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_float32_is_kept(activation, loss, options):
    net = small(activation=activation, loss=loss, dtype=np.float32, **options)
    rows, y, weight = (a.astype(np.float32) for a in (X, Y, WEIGHT))
    out = net.params.zeros_like()
    value = net.gradient(rows, y, out, weight, make_rng(0))
    net.calibrate(rows, weight)
    net.limit_norms(0.5)
    results = [*net.activations(rows), net.predict(rows), value, out.flat]
    results += [net.params.flat, net.statistics.flat]
    assert {r.dtype for r in results} == {np.dtype(np.float32)}


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("loss", LOSSES)
def test_another_library_agrees(loss, options):
    def compute(library):
        net = small(loss=loss, activation="elu", **options)
        for name in ("params", "statistics"):
            part = getattr(net, name)
            flat = library.asarray(part.flat, copy=True)
            setattr(net, name, Parameters(part.shapes, flat))
        rows, y, weight = (library.asarray(a, copy=True) for a in (X, Y, WEIGHT))
        out = net.params.zeros_like()
        value = library.asarray(net.gradient(rows, y, out, weight, make_rng(0)))
        results = [value, out.flat, net.predict(rows)]
        results.append(library.asarray(net.statistics.flat, copy=True))
        net.calibrate(rows, weight)
        net.limit_norms(1.0)
        return [*results, net.params.flat, net.statistics.flat, net.forward(rows)]

    for result, expected in zip(compute(array_api_strict), compute(np), strict=True):
        assert result.__array_namespace__() is array_api_strict
        assert_allclose(np.asarray(result), expected, rtol=1e-11, atol=1e-12)


def test_prediction_knows_nothing_of_dropout():
    plain, net = small(), small(dropout=[0.5, 0.5, 0.5])
    assert_array_equal(net.predict(X), plain.predict(X))
    before = net.params.flat.copy()
    net.gradient(X, Y, net.params.zeros_like(), rng=make_rng(0))
    assert_array_equal(net.predict(X), plain.predict(X))
    assert_array_equal(net.params.flat, before)


def test_the_mean_over_masks_is_the_plain_output():
    """Exactly so in a linear net, whose output is linear in each mask."""
    net = small(activation="identity", loss="squared_error", dropout=[0.2, 0.5, 0.3])
    rows, out = np.tile(X[:1], (50, 1)), net.params.zeros_like()
    rng, means = make_rng(0), []
    for _ in range(400):
        net.gradient(rows, np.zeros((50, 2)), out, rng=rng)
        means.append(out["c2"].copy())  # of a squared error: the mean output
    assert np.std(means, axis=0).min() > 0.01
    assert largest_mean_z(np.array(means), net.forward(X[:1])[0]) < 5


def test_dropout_needs_a_random_stream_in_training():
    net = small(dropout=0.5)
    with pytest.raises(ValueError, match=r"Dropout with rate=0\.5 draws a mask"):
        net.gradient(X, Y, net.params.zeros_like())


def pre_activations(net, rows):
    """Of the hidden layers, in prediction."""
    outputs = net.activations(rows)
    dense = [i for i, name in enumerate(names(net)) if name == "Dense"]
    return [outputs[i + 1] for i in dense[:-1]]


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
@pytest.mark.parametrize("activation", ["logistic", "relu", "elu"])
def test_a_calibrated_net_is_the_plain_one(activation, weight):
    plain, net = (
        small(activation=activation),
        small(activation=activation, **EVERYTHING),
    )
    for name in plain.params:
        net.params[name][...] = plain.params[name]
    assert np.abs(net.forward(X) - plain.forward(X)).max() > 0.1
    net.calibrate(X, weight)
    assert_allclose(net.forward(X), plain.forward(X), rtol=1e-12)
    assert_allclose(net.forward(3.0 * X), plain.forward(3.0 * X), rtol=1e-12)
    for i, z in enumerate(pre_activations(plain, X)):
        mean = np.average(z, weights=weight, axis=0)
        std = np.sqrt(np.average((z - mean) ** 2, weights=weight, axis=0))
        assert_allclose(net.params[f"beta{i}"], mean, rtol=1e-10)
        assert_allclose(net.statistics[f"mean{i}"], mean, rtol=1e-10)
        assert_allclose(net.params[f"gamma{i}"], std, rtol=0.02)
        assert_allclose(net.statistics[f"variance{i}"], std**2, rtol=0.04)


def test_a_calibrated_pretrained_net_has_the_activities_of_its_dbn():
    rng = make_rng(0)
    dbn = DBN([RBM(4, 3).initialize(rng, scale=1.0), RBM(3, 5).initialize(rng)])
    rows = read_only(make_rng(1).random((30, 4)))
    net = Network([4, 3, 5, 2], **EVERYTHING)
    Pretrained(dbn).fill(net, rows, rng)
    net.calibrate(rows)
    assert_allclose(net.activations(rows)[-3], dbn.transform(rows), rtol=1e-12)


def test_running_averages_converge_to_the_moments_of_a_batch():
    net = small(batch_norm=True)
    for _ in range(400):
        net.gradient(X, Y, net.params.zeros_like())
    z = X @ net.params["W0"] + net.params["c0"]
    assert_allclose(net.statistics["mean0"], z.mean(axis=0), rtol=1e-10)
    assert_allclose(net.statistics["variance0"], z.var(axis=0, ddof=1), rtol=1e-10)


def test_prediction_and_optimizers_leave_the_statistics_alone():
    net = small(batch_norm=True)
    net.calibrate(X)
    before = net.statistics.flat.copy()
    net.predict(X)
    net.activations(X)
    assert_array_equal(net.statistics.flat, before)
    # One step of training moves them as one gradient does, and no further.
    twin = copy.deepcopy(net)
    twin.gradient(X, Y, twin.params.zeros_like())
    optimizer = SGD(10.0, momentum=0.0)
    finetune(net, X, Y, rng=make_rng(0), optimizer=optimizer, batch_size=60, max_iter=1)
    assert np.abs(net.params.flat - twin.params.flat).max() > 0.1
    assert_allclose(net.statistics.flat, twin.statistics.flat, rtol=1e-12)


def test_a_net_with_batch_norm_learns_what_it_predicts():
    """The running averages follow the weights closely enough to predict with."""
    labels = X[:, 0] * X[:, 1] > 0
    y, net = np.eye(2)[labels.astype(int)], Network([4, 8, 8, 2], batch_norm=True)
    VarianceScaling().fill(net, X, make_rng(0))
    rng, optimizer, history = make_rng(0), Adam(0.02), []
    options = {"optimizer": optimizer, "batch_size": 20, "max_iter": 60}
    finetune(net, X, y, rng=rng, history=history, **options)
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]
    assert net.loss.value(net.forward(X), y) < 0.2 * history[0]["loss"]


def test_limit_norms_bounds_the_weights_into_every_unit_and_nothing_else():
    net = small(batch_norm=True)
    before = net.params.copy()
    net.limit_norms(1.5)
    for name in net.params:
        expected = before[name]
        if name.startswith("W"):
            norms = np.linalg.norm(expected, axis=0)
            assert (norms > 1.5).any()
            expected = expected * np.minimum(1.0, 1.5 / norms)
        assert_allclose(net.params[name], expected, rtol=1e-12)


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize(
    "remake", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))]
)
def test_copies_predict_the_same_and_are_trained_apart(remake, options):
    net, X = small(**options), np.ones((2, 4))
    twin, before = remake(net), net.forward(X)
    assert_array_equal(twin.forward(X), before)
    twin.statistics.flat[...] = 3.0
    assert all((twin.statistics[name] == 3.0).all() for name in twin.statistics)
    twin.params.flat[...] = 0.0
    assert_array_equal(twin.forward(X), np.zeros((2, 2)))
    assert_array_equal(net.forward(X), before)


def test_nets_are_compared_by_what_they_are_built_as():
    options = {"activation": "relu", "dropout": 0.5, "batch_norm": True}
    built = Network([4, 3, 2], **options).architecture
    assert Network(**built, dtype="f4").architecture == built
    changes = {"activation": "tanh", "dropout": 0.0, "batch_norm": False}
    for name, value in (changes | {"loss": "squared_error"}).items():
        other = Network([4, 3, 2], **options | {name: value})
        assert other.architecture != built
    assert Network([4, 4, 2], **options).architecture != built


def test_repr_shows_sizes_and_parts():
    shown = "Network([4, 3, 2], activation=ReLU(), loss=SquaredError())"
    assert repr(Network([4, 3, 2], activation="relu", loss="squared_error")) == shown
    shown = "Network([4, 2], activation=Logistic(), loss=SoftmaxCrossEntropy()"
    assert repr(Network([4, 2], dropout=[0.5])) == f"{shown}, dropout=[0.5])"
    assert repr(small(batch_norm=True)).endswith("Entropy(), batch_norm=True)")


@pytest.mark.parametrize("sizes", [[], [4], [4, 0, 2], [4, 2.5]])
def test_too_few_or_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="positive sizes"):
        Network(sizes)


# An activation per layer


def test_every_hidden_layer_may_have_an_activation_of_its_own():
    net, X = small(activation=["tanh", "identity"]), np.ones((3, 4))
    (W0, c0), (W1, c1), (W2, c2) = net.dense
    h = np.tanh(X @ W0 + c0) @ W1 + c1
    assert_allclose(net.forward(X), h @ W2 + c2, rtol=1e-13)
    assert net.activation == net.hidden_activations == [Tanh(), Identity()]
    assert repr(net).startswith("Network([4, 3, 5, 2], activation=[Tanh(), Identity()]")
    again = Network(**net.architecture)
    assert again.architecture == net.architecture
    assert names(again) == ["Dense", "Tanh", "Dense", "Identity", "Dense"]


def test_one_activation_for_all_is_told_as_one():
    for activation in ("tanh", Tanh(), ["tanh", Tanh()]):
        net = small(activation=activation)
        assert net.activation == Tanh()
        assert net.hidden_activations == [Tanh(), Tanh()]
    assert Network([4, 2], activation="tanh").activation == Tanh()
    assert Network([4, 2], activation=[]).activation == Logistic()


def test_as_many_activations_as_hidden_layers():
    with pytest.raises(ValueError, match="has 1 entries for 2 hidden layers") as error:
        small(activation=["tanh"])
    assert "it is ['tanh']" in str(error.value)
    with pytest.raises(ValueError, match="activation='no' is not known"):
        small(activation=["tanh", "no"])


def test_calibration_goes_through_the_activations_of_the_layers():
    net = small(activation=["tanh", "identity"], batch_norm=True)
    plain = small(activation=["tanh", "identity"])
    for name in plain.params:
        net.params[name][...] = plain.params[name]
    net.calibrate(X)
    assert_allclose(net.forward(X), plain.forward(X), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("n", [1, 2])
def test_a_net_is_cut_above_a_hidden_layer(n, options):
    net = small(**options)
    lower, upper = net.cut(n)
    assert lower.forward(X).shape == (60, [3, 5][n - 1])
    assert_allclose(upper.forward(lower.forward(X)), net.forward(X), rtol=1e-12)
    assert_allclose(upper.predict(lower.forward(X)), net.predict(X), rtol=1e-12)
    net.params.flat[...] = 0.0  # it is one buffer
    assert not upper.forward(lower.forward(X)).any()


def test_exchanged_activations_are_what_the_net_is_built_as():
    net = small(activation="tanh")
    assert net.is_as_built
    net.layers[3] = Identity()
    assert net.is_as_built
    assert net.architecture["activation"] == [Tanh(), Identity()]
    net.layers[1] = Dense(3, 3)
    assert not net.is_as_built
