"""Networks that start from a trained stack compute what the stack computes."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import DBN, RBM, Network
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli, Gaussian, ReLU
from dbn.feedforward import Logistic, VarianceScaling, get_activation
from dbn.training import Pretrained
from dbn.training.pretraining import check_startable, matching_units
from tests.helpers import largest_mean_z, randomize

SIZES = [6, 5, 4, 3]
X = make_rng(0).random((7, 6))


def stack(visible="bernoulli", hidden="bernoulli", sizes=SIZES, dtype=np.float64):
    rbms = []
    for layer, (n_visible, n_hidden) in enumerate(pairwise(sizes)):
        below = hidden if layer else visible
        rbms.append(RBM(n_visible, n_hidden, visible=below, hidden=hidden, dtype=dtype))
        randomize(rbms[-1].params, seed=layer, scale=2.0)
        rbms[-1].params.flat.flags.writeable = False  # never changed
    return DBN(rbms)


def started(dbn, activation="logistic", sizes=(*SIZES, 2), structure="dbn", seed=1):
    dtype = dbn.rbms[0].params.flat.dtype
    net = Network(sizes, activation=activation, dtype=dtype)
    Pretrained(dbn, structure).fill(net, X, make_rng(seed))
    return net


def hidden_activities(dbn):
    h, activities = X, []
    for rbm in dbn.rbms:
        h = rbm.mean_hidden(h)
        activities.append(h)
    return activities


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
@pytest.mark.parametrize(
    ("activation", "converted"),
    [("logistic", lambda h: h), ("tanh", lambda h: 2.0 * h - 1.0)],
    ids=["logistic", "tanh"],
)
def test_hidden_activities_are_those_of_the_dbn(visible, activation, converted):
    dbn = stack(visible)
    outputs = started(dbn, activation).activations(X)[2:-1:2]
    for output, h in zip(outputs, hidden_activities(dbn), strict=True):
        assert_allclose(output, converted(h), rtol=0, atol=1e-12)
    if activation == "logistic":
        assert_allclose(outputs[-1], dbn.transform(X), rtol=0, atol=1e-12)


def test_logistic_layers_are_plain_copies():
    dbn = stack()
    for (W, c), rbm in zip(started(dbn).dense[:-1], dbn.rbms, strict=True):
        assert_array_equal(W, rbm.W)
        assert_array_equal(c, rbm.c)
        assert not np.shares_memory(W, rbm.W)


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_the_output_layer_starts_from_xavier(activation):
    xavier = Network([*SIZES, 2])
    VarianceScaling().fill(xavier, X, make_rng(1))
    W, c = started(stack(), activation).dense[-1]
    assert_array_equal(W, xavier.dense[-1][0])
    assert_array_equal(c, [0.0, 0.0])


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_float32_is_kept(activation):
    dbn = stack(dtype=np.float32)
    assert started(dbn, activation).params.flat.dtype == np.float32


class Swish(Logistic):
    """An activation derived from another: not one that is known to match."""

    def forward(self, x, p):
        return x * super().forward(x, p)


@pytest.mark.parametrize("activation", ["relu", "elu", "scaled_tanh", Swish()])
def test_other_activations_are_refused(activation):
    with pytest.raises(ValueError, match=r"Bernoulli\(\) hidden units cannot start"):
        started(stack(), activation)


def test_the_refusal_names_both_and_the_way_out():
    with pytest.raises(ValueError) as error:
        started(stack(), "relu")
    assert str(error.value) == (
        "A DBN with Bernoulli() hidden units cannot start layers with the activation "
        "ReLU(). Bernoulli hidden units start 'logistic' and 'tanh' layers, ReLU "
        "hidden units 'relu' layers and Gaussian ones 'identity' layers; for another "
        "activation use init='he_normal' or another data-free initializer."
    )


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
def test_other_hidden_units_are_refused(activation):
    with pytest.raises(ValueError, match=r"Gaussian\(\) hidden units cannot start"):
        started(stack(hidden="gaussian"), activation)
    if activation != "relu":
        with pytest.raises(ValueError, match=r"ReLU\(\) hidden units cannot start"):
            started(stack(hidden="relu"), activation)


def test_one_layer_of_other_units_is_refused():
    mixed = stack()
    mixed.rbms[1] = RBM(5, 4, hidden="gaussian")
    with pytest.raises(ValueError, match=r"Gaussian\(\) hidden units cannot start"):
        started(mixed)


@pytest.mark.parametrize("sizes", [[6, 5, 4, 2], [6, 5, 4, 4, 2], [6, 5, 4, 3, 3, 2]])
def test_other_layer_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="Use the same hidden_layer_sizes for both"):
        started(stack(), sizes=sizes)


# Rectified units


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_rectified_layers_are_plain_copies(visible):
    dbn = stack(visible, "relu")
    net = started(dbn, "relu")
    h = X
    for (W, c), rbm in zip(net.dense[:-1], dbn.rbms, strict=True):
        assert_array_equal(W, rbm.W)
        assert_array_equal(c, rbm.c)
        h = np.maximum(h @ rbm.W + rbm.c, 0.0)
    assert_allclose(net.activations(X)[-2], h, rtol=1e-12)


def test_a_rectifier_is_near_the_mean_of_a_rectified_unit():
    """Equal far from 0; at 0 the unit has sqrt(2 / pi) instead."""
    rbm = RBM(1, 1, hidden="relu")
    rbm.W[...] = 1.0
    x = np.array([[-30.0], [0.0], [5.0], [30.0]])
    difference = rbm.mean_hidden(x) - np.maximum(x, 0.0)
    assert_allclose(difference[2:], 0.0, atol=1e-5)
    assert_allclose(difference[:2, 0], [0.0, np.sqrt(2.0 / np.pi)], atol=0.05)


def test_noisy_rectified_units_start_rectified_layers():
    dbn = stack(hidden=ReLU(noisy=True))
    assert_array_equal(started(dbn, "relu").dense[0][0], dbn.rbms[0].W)


@pytest.mark.parametrize(
    ("activation", "units"),
    [
        ("logistic", Bernoulli),
        ("tanh", Bernoulli),
        ("relu", ReLU),
        ("elu", Bernoulli),
        ("identity", Gaussian),
    ],
)
def test_units_that_match_an_activation(activation, units):
    activation = get_activation(activation)
    assert type(matching_units(activation)) is units
    if activation.__class__.__name__ in ("Logistic", "Tanh", "ReLU", "Identity"):
        check_startable(matching_units(activation), activation)
    else:
        with pytest.raises(ValueError, match="cannot start layers"):
            check_startable(matching_units(activation), activation)


# What is left of the stack: resampled and shuffled weights


def drawn(structure, activation="logistic", seed=1):
    """Pairs of (part of the net, the part of the machine that it comes from)."""
    dbn = stack(hidden="relu" if activation == "relu" else "bernoulli")
    net = started(dbn, activation, structure=structure, seed=seed)
    for (W, c), rbm in zip(net.dense[:-1], dbn.rbms, strict=True):
        yield W, rbm.W
        yield c, rbm.c


@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_shuffled_weights_are_a_permutation_of_each_layers(activation):
    moved = 0
    for part, source in drawn("dbn-shuffled", activation):
        assert_array_equal(np.sort(part.ravel()), np.sort(source.ravel()))
        moved += (part != source).mean()
    assert moved > 3


@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_resampled_weights_are_a_sample_of_each_layers(activation):
    new = 0
    for part, source in drawn("dbn-resampled", activation):
        assert np.isin(part, source).all()
        new += not np.array_equal(np.sort(part.ravel()), np.sort(source.ravel()))
    assert new >= 3  # with replacement


def many(structure, n=4000, shape=(3, 2)):
    """First-layer weights, drawn `n` times from one small machine."""
    rbm = RBM(*shape)
    randomize(rbm.params, seed=3)
    net, rng = Network([*shape, 1]), make_rng(0)
    weights = []
    for _ in range(n):
        Pretrained(DBN([rbm]), structure).fill(net, X[:, : shape[0]], rng)
        weights.append(net.dense[0][0].ravel().copy())
    return np.array(weights), rbm.W.ravel()


@pytest.mark.parametrize("structure", ["dbn-resampled", "dbn-shuffled"])
def test_every_weight_has_the_moments_of_its_layer(structure):
    weights, source = many(structure)
    assert largest_mean_z(weights, source.mean()) < 5
    assert largest_mean_z((weights - source.mean()) ** 2, source.var()) < 5
    # Each value is at each place equally often.
    for value in source:
        assert largest_mean_z((weights == value).astype(float), 1 / len(source)) < 5


def test_resampled_weights_are_independent_and_shuffled_ones_are_not():
    for structure, expected in (("dbn-resampled", 0.0), ("dbn-shuffled", -1 / 5)):
        weights, _ = many(structure)
        correlation = np.corrcoef(weights.T)[np.triu_indices(6, 1)]
        assert_allclose(correlation, expected, atol=5 / np.sqrt(len(weights)))


@pytest.mark.parametrize("structure", ["dbn-resampled", "dbn-shuffled"])
def test_tanh_layers_convert_what_was_drawn(structure):
    """The hidden activities are those of logistic layers with the same draws."""
    dbn = stack()
    logistic = started(dbn, structure=structure).activations(X)[2:-1:2]
    tanh = started(dbn, "tanh", structure=structure).activations(X)[2:-1:2]
    for h, t in zip(logistic, tanh, strict=True):
        assert_allclose(t, 2.0 * h - 1.0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("structure", ["dbn-resampled", "dbn-shuffled"])
def test_the_seed_decides_the_draws_and_the_output_layer_starts_alike(structure):
    dbn = stack()
    nets = [started(dbn, structure=structure, seed=seed) for seed in (1, 1, 2)]
    assert_array_equal(nets[0].params.flat, nets[1].params.flat)
    assert not np.array_equal(nets[0].dense[0][0], nets[2].dense[0][0])
    assert_array_equal(nets[0].dense[-1][0], started(dbn).dense[-1][0])


@pytest.mark.parametrize("structure", ["dbn-resampled", "dbn-shuffled"])
def test_single_precision_is_drawn_as_it_is(structure):
    net = started(stack(dtype=np.float32), structure=structure)
    assert net.params.flat.dtype == np.float32


def test_an_unknown_structure_is_refused():
    with pytest.raises(ValueError) as error:
        started(stack(), structure="dbn-rotated")
    assert str(error.value) == (
        "structure='dbn-rotated' is not known; use one of ('dbn', 'dbn-resampled', "
        "'dbn-shuffled')."
    )


@pytest.mark.parametrize(
    "activations", [["logistic", "tanh"], ["tanh", "logistic"], ["tanh", "identity"]]
)
def test_layers_may_have_activations_of_their_own(activations):
    """Of each, what the DBN gives comes out of the activation's own conversion."""
    dbn = stack()
    dbn = DBN(dbn.rbms[:2])
    if activations[1] == "identity":
        dbn.rbms[1] = RBM(*dbn.rbms[1].W.shape, hidden="gaussian")
        dbn.rbms[1].params.flat[...] = stack().rbms[1].params.flat
    net = started(dbn, activations, (*SIZES[:3], 2))
    lower, upper = net.activations(X)[2], net.activations(X)[4]
    h = dbn.rbms[0].mean_hidden(X)
    expected = [h, dbn.rbms[1].mean_hidden(h)]
    found = [
        0.5 * (values + 1.0) if name == "tanh" else values
        for name, values in zip(activations, (lower, upper), strict=True)
    ]
    assert_allclose(found[0], expected[0], rtol=0, atol=1e-12)
    assert_allclose(found[1], expected[1], rtol=0, atol=1e-12)
