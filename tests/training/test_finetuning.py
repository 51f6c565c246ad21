import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import Network
from dbn.backend.random import make_rng
from dbn.feedforward import get_initializer
from dbn.training import SGD, Adam, finetune
from tests.helpers import RecordedTask, read_only

N_ROWS = 90
LABELS = np.arange(N_ROWS) % 3
Y = read_only(np.eye(3)[LABELS])
X = read_only(make_rng(5).standard_normal((N_ROWS, 4)) + 2.0 * np.eye(3, 4)[LABELS])


def start(dtype=np.float64, **options):
    net = Network([4, 6, 3], dtype=dtype, **options)
    get_initializer("xavier_uniform").fill(net, X, make_rng(1))
    return net


def trained(rows=X, y=Y, seed=0, net=None, **options):
    net = start(rows.dtype) if net is None else net
    return finetune(net, rows, y, rng=make_rng(seed), **{"max_iter": 2} | options)


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("optimizer", [SGD(0.1), Adam(0.02)], ids=repr)
def test_training_reduces_the_loss(loss, optimizer):
    net, history = start(loss=loss), []
    before = net.loss.value(net.forward(X), Y)
    trained(net=net, optimizer=optimizer, batch_size=20, max_iter=30, history=history)
    assert net.loss.value(net.forward(X), Y) < 0.6 * before
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]


def test_training_goes_on_from_where_the_network_is():
    net, history = start(), []
    before = net.loss.value(net.forward(X), Y)
    trained(net=net, batch_size=N_ROWS, max_iter=1, history=history)
    # One full batch: its loss is that of the net that was handed in.
    assert_allclose(history[0]["loss"], before, rtol=1e-12)


def test_a_seed_means_one_result_to_the_last_bit():
    first, same, other = (trained(seed=s, batch_size=20).params.flat for s in (1, 1, 2))
    assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_history_has_an_entry_for_every_epoch():
    history = []
    trained(max_iter=3, history=history)
    assert [(e["phase"], e["epoch"]) for e in history] == [
        ("finetune", 0),
        ("finetune", 1),
        ("finetune", 2),
    ]
    assert all(type(e["loss"]) is float for e in history)


def test_a_full_batch_step_is_the_formula_and_decays_weights_only():
    net = trained(
        optimizer=SGD(0.5, momentum=0.0), weight_decay=0.3, batch_size=500, max_iter=1
    )
    before = start()
    gradient = before.params.zeros_like()
    before.gradient(X, Y, gradient)
    for name in before.params:
        decay = 0.3 * before.params[name] if name.startswith("W") else 0.0
        expected = before.params[name] - 0.5 * (gradient[name] + decay)
        assert_allclose(net.params[name], expected, rtol=1e-10, atol=1e-14)


def test_a_short_batch_is_divided_by_its_own_rows():
    """With equal rows a batch of 2 and a batch of 1 must make the same kind of step."""
    rows, y = np.tile(X[:1], (3, 1)), np.tile(Y[:1], (3, 1))
    optimizer = SGD(0.5, momentum=0.0)
    mixed = trained(rows, y, optimizer=optimizer, batch_size=2, max_iter=1)
    single = trained(rows[:1], y[:1], optimizer=optimizer, batch_size=1, max_iter=2)
    assert_allclose(mixed.params.flat, single.params.flat, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("optimizer", [SGD(0.5), Adam(0.1)], ids=repr)
def test_full_batch_step_with_integer_weights_is_that_with_repeated_rows(optimizer):
    counts = np.arange(N_ROWS) % 4
    options = {"optimizer": optimizer, "batch_size": 500, "max_iter": 1}
    weighted = trained(sample_weight=counts.astype(float), **options)
    repeated = trained(*(np.repeat(a, counts, axis=0) for a in (X, Y)), **options)
    assert_allclose(weighted.params.flat, repeated.params.flat, rtol=1e-10, atol=1e-12)


def test_weights_stay_with_their_rows_in_shuffled_batches():
    """A copy of every row with a wrong label and next to no weight does no harm."""
    rows, y = np.concatenate([X, X]), np.concatenate([Y, np.roll(Y, 1, axis=1)])
    weight = np.repeat([1.0, 1e-12], N_ROWS)
    net = trained(
        rows, y, sample_weight=weight, optimizer=Adam(0.02), batch_size=20, max_iter=30
    )
    assert (net.predict(X).argmax(axis=1) == LABELS).mean() > 0.8


def test_momentum_acts():
    still, moving = (
        trained(optimizer=SGD(0.01, momentum=m), batch_size=20) for m in (0.0, 0.9)
    )
    distances = [
        np.linalg.norm(n.params.flat - start().params.flat) for n in (still, moving)
    ]
    assert distances[1] > 2.0 * distances[0]


def test_float32_is_kept():
    weight = np.linspace(0.5, 2.0, N_ROWS, dtype=np.float32)
    rows, y = X.astype(np.float32), Y.astype(np.float32)
    assert trained(rows, y, sample_weight=weight).params.flat.dtype == np.float32


def test_a_task_that_asks_to_stop_ends_training():
    task, history = RecordedTask(["epoch 1"]), []
    trained(max_iter=5, task=task, history=history)
    assert [e["epoch"] for e in history] == [0, 1]


def test_divergence_names_the_epoch_and_the_learning_rate():
    with pytest.raises(FloatingPointError) as error:
        trained(net=start(loss="squared_error"), optimizer=SGD(1e200), batch_size=10)
    text = str(error.value)
    assert text.startswith("Fine-tuning diverged: ")
    assert "of 51 parameters are not finite in epoch 0" in text
    assert text.endswith("Lower the optimizer's learning_rate (now 1e+200).")
