"""Masking noise, and starts that learn to undo it."""

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from dbn import Network
from dbn.backend.random import make_rng
from dbn.feedforward import BinaryCrossEntropy, SquaredError, VarianceScaling
from dbn.training import DenoisingStack, finetune
from dbn.training.denoising import corrupted
from tests.helpers import read_only

_rng = make_rng(0)
# Six columns that two hidden causes decide.
CAUSES = _rng.integers(2, size=(200, 2)).astype(float)
X = read_only(np.repeat(CAUSES, 3, axis=1))
SHORT = {"batch_size": 20, "max_iter": 80}


def test_noise_sets_entries_to_zero_and_leaves_the_others():
    rows = read_only(1.0 + make_rng(1).random((200, 50)))
    found = corrupted(rows, 0.3, make_rng(2))
    gone = found == 0.0
    assert abs(gone.mean() - 0.3) < 0.02
    assert_array_equal(found[~gone], rows[~gone])
    assert corrupted(rows, 0.0, None) is rows


def test_noise_of_sparse_rows_keeps_them_sparse():
    rows = csr_array(X)
    found = corrupted(rows, 0.5, make_rng(0))
    assert isinstance(found, csr_array)
    assert 0.3 < found.sum() / rows.sum() < 0.7
    assert rows.sum() == X.sum()


def test_noise_on_another_library():
    rows = array_api_strict.asarray(X)
    assert_array_equal(
        np.asarray(corrupted(rows, 0.3, make_rng(0))), corrupted(X, 0.3, make_rng(0))
    )


def reconstructions(encoder, decoder, rows):
    """Of a logistic layer and its own decoder."""
    (W, c), (W_down, c_down) = encoder, decoder
    h = 1.0 / (1.0 + np.exp(-(rows @ W + c)))
    return 1.0 / (1.0 + np.exp(-(h @ W_down + c_down)))


def test_an_autoencoder_begins_with_layers_that_undo_noise():
    net = Network([6, 4, 2, 4, 6], loss="binary_cross_entropy")
    start = DenoisingStack(0.2, **SHORT)
    start.train(net, X, make_rng(4), loss=net.loss, unrolled=True)
    noisy = X.copy()
    noisy[:, 0] = 0.0  # the other two columns of the cause tell
    found = reconstructions(net.dense[0], net.dense[-1], noisy)
    assert np.abs(found - X).mean() < 0.1
    # The second layer learned from what the first gives on clean rows.
    h = 1.0 / (1.0 + np.exp(-(X @ net.dense[0][0] + net.dense[0][1])))
    again = reconstructions(net.dense[1], net.dense[2], h)
    assert np.abs(again - h).mean() < 0.7 * np.abs(h.mean(axis=0) - h).mean()
    assert np.abs(net.predict(X) - X).mean() < 0.3


def test_a_classifier_gets_the_encoders_and_an_output_layer_from_xavier():
    net = Network([6, 4, 3, 2])
    DenoisingStack(0.2, **SHORT).fill(net, X, make_rng(0))
    auto = Network([6, 4, 3, 4, 6], loss="binary_cross_entropy")
    DenoisingStack(0.2, **SHORT).train(auto, X, make_rng(0), unrolled=True)
    assert net.dense[0][0].shape == auto.dense[0][0].shape
    assert np.abs(net.dense[2][0]).max() <= np.sqrt(6.0 / 5.0)
    assert not net.dense[2][1].any()
    assert net.dense[0][1].any()


@pytest.mark.parametrize("rows", [X, 5.0 * X - 1.0, 2.0 * X - 1.0])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity", "elu"])
def test_layers_of_any_activation_begin(activation, rows):
    net = Network([6, 4, 3, 4, 6], activation=activation, loss="squared_error")
    options = {"loss": SquaredError(), "unrolled": True}
    DenoisingStack(0.1, **SHORT).train(net, rows, make_rng(0), **options)
    error = ((net.predict(rows) - rows) ** 2).sum(axis=1).mean()
    assert error < 1.0 * rows.var(axis=0).sum()
    assert net.params.flat.dtype == np.float64


def test_the_seed_decides_and_rows_and_streams_may_be_anything():
    def start(rows, seed=0, dtype=np.float64, **options):
        net = Network([6, 4, 2], dtype=dtype)
        DenoisingStack(0.2, batch_size=20, max_iter=2).train(
            net, rows, make_rng(seed), **options
        )
        return net.params.flat

    assert_array_equal(start(X), start(X))
    assert np.abs(start(X) - start(X, seed=1)).max() > 0.01
    single = start(X.astype(np.float32), dtype=np.float32)
    assert single.dtype == np.float32
    sparse = start(csr_array(X), loss=BinaryCrossEntropy())
    assert sparse.shape == start(X).shape
    weight = np.where(CAUSES[:, 0] > 0.5, 1.0, 9.0)
    assert np.abs(start(X, weight=weight) - start(X)).max() > 0.01


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"noise": 1.0}, "noise must be a number in"),
        ({"noise": -0.1}, "it is -0.1"),
        ({"max_iter": 0}, "max_iter must be an integer"),
        ({"batch_size": 2.5}, "it is 2.5"),
        ({"optimizer": "lbfgs"}, "noise changes it"),
        ({"optimizer": "no"}, "optimizer='no' is not known"),
    ],
)
def test_impossible_parameters_are_refused(params, text):
    with pytest.raises(ValueError, match=text):
        DenoisingStack(**params).fill(Network([6, 4, 2]), X, make_rng(0))


# What finetune has for it


def trained(inputs=None, **options):
    net = Network([6, 3, 6], loss="binary_cross_entropy")
    net.params.flat[...] = 0.1 * make_rng(1).standard_normal(net.params.flat.shape)
    options = {"batch_size": 50, "max_iter": 2, "optimizer": "adam"} | options
    return finetune(
        net, X, options.pop("y", None), rng=make_rng(0), inputs=inputs, **options
    )


def test_without_targets_the_rows_are_the_targets():
    assert_array_equal(trained().params.flat, trained(y=X).params.flat)
    sparse = Network([6, 3, 6], loss="binary_cross_entropy")
    sparse.params.flat[...] = 0.1 * make_rng(1).standard_normal(
        sparse.params.flat.shape
    )
    options = {"batch_size": 50, "max_iter": 2}
    finetune(sparse, csr_array(X), None, rng=make_rng(0), patience=5, **options)
    assert_allclose(sparse.params.flat, trained().params.flat, atol=1e-12)


def test_inputs_make_what_the_net_is_given():
    seen = []

    def zeros(rows, rng):
        seen.append(rows)
        return 0.0 * rows

    net = trained(zeros)
    assert len(seen) == 8
    assert_allclose(np.sort(np.concatenate(seen[:4]), axis=0), np.sort(X, axis=0))
    start = Network([6, 3, 6], loss="binary_cross_entropy")
    start.params.flat[...] = 0.1 * make_rng(1).standard_normal(start.params.flat.shape)
    assert_array_equal(net.dense[0][0], start.dense[0][0])  # no input, no gradient


def test_a_net_without_hidden_layers_has_nothing_to_learn():
    X = np.eye(3)
    nets = Network([3, 2]), Network([3, 2])
    DenoisingStack().fill(nets[0], X, np.random.default_rng(0))
    VarianceScaling().fill(nets[1], X, np.random.default_rng(0))
    assert_array_equal(nets[0].params.flat, nets[1].params.flat)
