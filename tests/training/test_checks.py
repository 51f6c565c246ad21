"""What the functions of training make of their arguments, before they begin."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from dbn import RBM, Network, ScaledRows
from dbn.backend.labelled_rows import LabelledRows
from dbn.backend.random import make_rng
from dbn.boltzmann import Bernoulli
from dbn.boltzmann.units.labels import with_labels
from dbn.feedforward import (
    BinaryCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
    get_initializer,
)
from dbn.training import Adam, finetune, pretrain, train_rbm
from dbn.training.checks import checked_input
from tests.helpers import read_only

X = read_only((make_rng(1).random((100, 6)) < 0.3) * 1.0)
Y = read_only(np.eye(2)[X[:, 0].astype(int)])
WHOLE = [int, bool, np.uint8]
NAN_WEIGHT = np.where(np.arange(100) == 3, np.nan, 1.0)


def machine(rows=X, dtype=np.float64, **options):
    rbm = RBM(6, 4, dtype=dtype)
    return train_rbm(rbm, rows, rng=make_rng(0), **{"max_iter": 3} | options)


def net(rows=X, y=Y, dtype=np.float64, **options):
    start = Network([6, 4, 2], dtype=dtype)
    get_initializer("xavier_uniform").fill(start, X.astype(dtype), make_rng(1))
    return finetune(start, rows, y, rng=make_rng(0), **{"max_iter": 3} | options)


def stack(rows=X, sizes=(4, 3), **options):
    its = [{"max_iter": 2}] * len(sizes)
    options = {"layer_options": its, "rng": make_rng(0)} | options
    return pretrain(rows, sizes, **options)


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options", [{}, {"centering": True}, {"sparsity": 0.1}], ids=str
)
def test_a_machine_learns_the_same_from_whole_numbers(kind, dtype, options):
    expected = machine(X.astype(dtype), dtype, **options)
    found = machine(X.astype(kind), dtype, **options)
    assert_array_equal(found.params.flat, expected.params.flat)


@pytest.mark.parametrize("kind", WHOLE)
def test_sparse_whole_numbers_are_those_of_a_dense_array(kind):
    rows = csr_array(X.astype(kind))
    found = machine(rows)
    assert_allclose(found.params.flat, machine(csr_array(X)).params.flat, rtol=1e-12)
    assert rows.dtype == kind


@pytest.mark.parametrize("kind", WHOLE)
def test_labels_of_whole_numbers(kind):
    def trained(rows):
        rbm = RBM(8, 3, visible=with_labels(Bernoulli(), 6, 2))
        return train_rbm(rbm, rows, rng=make_rng(0), max_iter=2).params.flat

    expected = trained(LabelledRows(X, Y))
    found = trained(LabelledRows(X.astype(kind), Y.astype(kind)))
    assert_allclose(found, expected, rtol=1e-9)
    assert_allclose(trained(np.hstack([X, Y]).astype(kind)), expected, rtol=1e-9)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_stack_learns_the_same_from_whole_numbers(kind):
    expected, found = stack(labels=Y), stack(X.astype(kind), labels=Y.astype(kind))
    for one, other in zip(found.rbms, expected.rbms, strict=True):
        assert_array_equal(one.params.flat, other.params.flat)


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_net_learns_the_same_from_whole_numbers(kind, dtype):
    rows, y, history, expected = X.astype(dtype), Y.astype(dtype), [], []
    options = {"max_iter": 200, "patience": 3, "tol": 0.01, "optimizer": Adam(0.05)}
    one = net(rows, y, dtype, history=expected, **options)
    other = net(X.astype(kind), Y.astype(kind), dtype, history=history, **options)
    assert_array_equal(other.params.flat, one.params.flat)
    assert len(history) == len(expected) < 200


@pytest.mark.parametrize(
    ("loss", "y", "expected"),
    [
        (SoftmaxCrossEntropy(), np.eye(2, dtype=int), np.log(2.0)),
        (BinaryCrossEntropy(), np.eye(2, dtype=bool), 2.0 * np.log(2.0)),
        (SquaredError(), np.array([[0], [4]]), 2.0),
    ],
)
def test_a_constant_prediction_of_whole_numbers(loss, y, expected):
    assert loss.constant(y) == pytest.approx(expected, rel=1e-6)


def test_floating_point_rows_are_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for rows in (X, csr_array(X), ScaledRows(X), mapped):
        assert checked_input(np.float32, rows)[0] is rows


def test_a_large_file_of_whole_numbers_stays_there(tmp_path):
    shape = 2**20 + 1, 64
    file = tmp_path / "x.dat"
    with file.open("wb") as opened:
        opened.truncate(shape[0] * shape[1])
    mapped = np.memmap(file, dtype=np.uint8, mode="r", shape=shape)
    rows, *_ = checked_input(np.float32, mapped)
    assert isinstance(rows, ScaledRows)
    assert rows.dtype == np.float32


@pytest.mark.parametrize("train", [machine, net])
@pytest.mark.parametrize("weight", [[2] * 100, np.full(100, 2), np.ones(100, bool)])
def test_weights_may_be_whole_numbers_or_a_list(train, weight):
    found = train(sample_weight=weight).params.flat
    assert_array_equal(found, train(sample_weight=np.ones(100)).params.flat)


def test_what_a_masked_array_hides_is_not_known():
    rows = np.ma.masked_array(X, mask=make_rng(2).random(X.shape) < 0.1)
    expected = machine(rows.filled(np.nan)).params.flat
    assert_array_equal(machine(rows).params.flat, expected)
    expected = stack(rows.filled(np.nan)).rbms[1].params.flat
    assert_array_equal(stack(rows).rbms[1].params.flat, expected)
    whole = np.ma.masked_array(X.astype(int), mask=rows.mask)
    assert_array_equal(stack(whole).rbms[1].params.flat, expected)


NUMBERS = [
    ("batch_size", 0),
    ("batch_size", -1),
    ("batch_size", 2.5),
    ("batch_size", "all"),
    ("max_iter", -1),
    ("max_iter", 1.5),
    ("weight_decay", -1.0),
    ("weight_decay", np.nan),
    ("tol", -1.0),
    ("on_divergence", "halv"),
]
OF_MACHINE = [("l1", -1.0), ("initial_scale", -1.0), ("label_rate", np.inf)]
OF_MACHINE += [("generative_weight", -1.0), ("discriminative_weight", -1.0)]
OF_NET = [("head_epochs", -1), ("watch", "score")]


@pytest.mark.parametrize(
    ("train", "name", "value"),
    [(machine, *pair) for pair in NUMBERS + OF_MACHINE]
    + [(net, *pair) for pair in NUMBERS + OF_NET],
)
def test_a_number_or_word_that_is_not_accepted(train, name, value):
    with pytest.raises(ValueError, match=f"{name} must be .*; it is {value!r}"):
        train(**{name: value})


@pytest.mark.parametrize("train", [machine, net])
def test_no_epoch_and_patience_of_one_are_accepted(train):
    train(max_iter=0)
    train(patience=1, max_iter=1, validate=lambda: {"validation_loss": 1.0})


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        (np.zeros(100), "not all 0; the least is 0 and the sum 0"),
        (NAN_WEIGHT, "the least is (nan|inf)"),
        (-np.ones(100), "not negative"),
        (np.full(100, np.inf), "the least is (nan|inf)"),
        (np.ones(50), r"shape \(100,\), .* it has \(50,\)"),
        (np.ones((100, 1)), r"it has \(100, 1\)"),
    ],
)
def test_weights_that_are_not_accepted(weight, reason):
    for train in (machine, net, stack):
        with pytest.raises(ValueError, match=f"sample_weight must .*{reason}"):
            train(sample_weight=weight)
    with pytest.raises(ValueError, match=f"label_weight must .*{reason}"):
        stack(labels=Y, label_weight=weight)


@pytest.mark.parametrize("train", [machine, net, stack])
@pytest.mark.parametrize(
    "rows", [X[:0], X[0], X.tolist()], ids=["empty", "1-D", "list"]
)
def test_what_is_no_table_of_rows(train, rows):
    with pytest.raises(ValueError, match="X must be an array of at least one row"):
        train(rows)


def test_there_is_one_target_for_each_row():
    with pytest.raises(ValueError, match=r"X has 100 rows, .* labels for 50"):
        net(y=Y[:50])
    with pytest.raises(ValueError, match=r"X has 100 rows, .* labels for 50"):
        stack(labels=Y[:50])
    with pytest.raises(ValueError, match=r"targets must be .* of shape \(100,\)"):
        net(y=Y[:, 0])


def test_patience_needs_what_it_watches():
    with pytest.raises(ValueError, match=r"patience=2 .* no validate"):
        machine(patience=2)
    with pytest.raises(ValueError, match=r"patience=2 .* no validate"):
        net(patience=2, watch="validation_loss")
    with pytest.raises(ValueError, match=r"watches 'validation_loss', .*'score'"):
        machine(patience=2, validate=lambda: {"score": 1.0})


def test_the_discriminative_objective_needs_labels():
    with pytest.raises(ValueError, match=r"discriminative_weight=1\.0 .* Labels"):
        machine(discriminative_weight=1.0)


@pytest.mark.parametrize("sizes", [[0], [4, -1], [2.5]])
def test_hidden_layers_that_are_none(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes must be an integer"):
        stack(sizes=sizes)


def test_the_options_of_all_layers_are_checked_before_the_first_is_trained():
    history = []
    with pytest.raises(ValueError, match="batch_size must be"):
        stack(layer_options=[{}, {"batch_size": 0}], history=history)
    with pytest.raises(ValueError, match="l1 must be"):
        stack(labels=Y, label_options={"l1": -1.0}, history=history)
    assert not history


@pytest.mark.parametrize("name", ["label_weight", "label_options"])
def test_what_is_said_of_labels_needs_some(name):
    value = np.ones(100) if name == "label_weight" else {"l1": 0.0}
    with pytest.raises(ValueError, match="there are no labels"):
        stack(**{name: value})


def test_an_argument_that_is_not_accepted_changes_nothing():
    rbm = RBM(6, 4).initialize(make_rng(3))
    before = rbm.params.flat.copy()
    with pytest.raises(ValueError, match="not all 0"):
        train_rbm(rbm, X, rng=make_rng(0), sample_weight=np.zeros(100))
    assert_array_equal(rbm.params.flat, before)
