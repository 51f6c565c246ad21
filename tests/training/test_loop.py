import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from dbn.backend.parameters import Parameters
from dbn.training import Optimizer
from dbn.training.loop import Task, add_weight_decay, run_epochs
from tests.helpers import RecordedTask


class Still(Optimizer):
    """Moves nothing; shares its state with the test."""

    learning_rate = 7

    def init(self, theta):
        self.state = {}
        return self.state

    def step(self, theta, grad, state):
        return state


class Run:
    """One run of the loop over 10 rows in batches of 4, with everything it did."""

    def __init__(self, step=lambda run, rows: None, task=None, max_iter=3, seed=0):
        self.params = Parameters({"W": (2,)})
        self.batches, self.losses, self.history = [], [], []
        self.rng, self.optimizer = np.random.default_rng(seed), Still()

        def gradient(rows, grad, epoch):
            self.batches.append((self.epoch, rows))
            return step(self, rows)

        def measure(loss):
            self.losses.append(loss)
            return {}

        self.arguments = (gradient, self.params, 10)
        self.options = {
            "optimizer": self.optimizer,
            "weight_decay": 0.0,
            "batch_size": 4,
            "max_iter": max_iter,
            "rng": self.rng,
            "task": task or Task(),
            "history": self.history,
            "entry": {"phase": "test"},
            "measure": measure,
            "name": "It",
            "owner": "test",
            "state": {},
        }

    @property
    def epoch(self):
        return self.optimizer.state["epoch"]

    @property
    def records(self):
        epochs = [entry["epoch"] for entry in self.history]
        return list(zip(epochs, self.losses, strict=False))

    def start(self):
        run_epochs(*self.arguments, **self.options)
        return self


def test_the_last_short_batch_is_visited():
    assert [len(rows) for _, rows in Run().start().batches] == [4, 4, 2] * 3


def test_every_row_is_visited_once_an_epoch_in_a_new_order():
    run, orders = Run().start(), []
    for epoch in range(3):
        orders.append(np.concatenate([r for e, r in run.batches if e == epoch]))
        assert_array_equal(np.sort(orders[-1]), np.arange(10))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[1], orders[2])


def test_the_order_comes_from_the_stream_that_is_passed():
    first, same, other = (Run(seed=seed).start().batches for seed in (1, 1, 2))
    assert all(map(np.array_equal, [r for _, r in first], [r for _, r in same]))
    assert not np.array_equal(first[0][1], other[0][1])


def test_the_optimizer_is_told_the_epoch():
    assert [epoch for epoch, _ in Run().start().batches] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_the_recorded_loss_is_the_mean_over_rows():
    """A short batch counts as the rows that it has."""
    values = np.random.default_rng(0).random(10)
    run = Run(step=lambda run, rows: values[rows].mean()).start()
    assert [epoch for epoch, _ in run.records] == [0, 1, 2]
    assert_allclose([loss for _, loss in run.records], values.mean(), rtol=1e-14)


def test_a_step_need_not_return_a_loss():
    assert Run().start().records == [(0, None), (1, None), (2, None)]


def test_no_epochs_change_nothing_and_draw_nothing():
    run = Run(max_iter=0).start()
    assert run.batches == run.records == []
    assert run.rng.random() == np.random.default_rng(0).random()


def test_a_task_that_asks_to_stop_ends_the_epochs():
    task = RecordedTask(stop_after=["epoch 1"])
    assert [epoch for epoch, _ in Run(task=task).start().records] == [0, 1]
    assert task.log == ["epoch 0", "epoch 1"]


def test_metrics_are_recorded_before_the_epochs_task_ends():
    task, seen = RecordedTask(), []
    run = Run(task=task)
    run.options["measure"] = lambda loss: seen.append(list(task.log)) or {}
    run.start()
    assert seen == [[], ["epoch 0"], ["epoch 0", "epoch 1"]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_divergence_is_an_error_that_says_where_and_what_to_do(bad):
    def step(run, rows):
        if run.epoch == 1:
            run.params.flat[0] = bad

    run = Run(step)
    with pytest.raises(FloatingPointError) as error:
        run.start()
    assert str(error.value) == (
        "It diverged: 1 of 2 parameters are not finite in epoch 1; the parameters from "
        "before it are kept. Lower the test's learning_rate (now 7)."
    )
    assert [epoch for epoch, _ in run.records] == [0]


def test_a_metric_that_is_not_finite_is_divergence_too():
    run = Run()
    run.options["measure"] = lambda loss: {"loss": float("inf")}
    with pytest.raises(FloatingPointError, match="the loss is inf in epoch 0"):
        run.start()
    assert run.history == []


def test_overflow_on_the_way_to_divergence_is_reported_once():
    """As the error, not as a NumPy warning (which would fail this test)."""

    def step(run, rows):
        run.params.flat[...] = (run.params.flat + 1e200) * 1e200
        run.params.flat[...] -= run.params.flat

    with pytest.raises(FloatingPointError, match="2 of 2 parameters"):
        Run(step).start()


def blas_threads():
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return {pool["num_threads"] for pool in pools}


@pytest.mark.parametrize(("n_weights", "n_threads"), [(2, 1), (2**20, 2)])
def test_only_small_products_are_kept_to_one_blas_thread(n_weights, n_threads):
    seen = []
    run = Run(step=lambda run, rows: seen.append(blas_threads()), max_iter=1)
    params = Parameters({"W": (n_weights,)})
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS does not take two threads")
        run_epochs(run.arguments[0], params, *run.arguments[2:], **run.options)
        assert blas_threads() == {2}
    assert seen == [{n_threads}] * 3


@pytest.mark.parametrize("names", ["Wbc", ("W0", "c0", "W1")])
def test_weight_decay_acts_on_weights_only(names):
    params = Parameters(dict.fromkeys(names, (2,)))
    params.flat[...] = np.arange(6.0) + 1.0
    grad = params.zeros_like()
    grad.flat[...] = 1.0
    add_weight_decay(params, grad, 0.1)
    for name in names:
        expected = 1.0 + 0.1 * params[name] if "W" in name else [1.0, 1.0]
        assert_allclose(grad[name], expected, rtol=1e-14)


def test_no_weight_decay_changes_nothing():
    params = Parameters({"W": (2,)}, np.array([np.inf, 1.0]))
    grad = params.zeros_like()
    add_weight_decay(params, grad, 0.0)
    assert_array_equal(grad.flat, [0.0, 0.0])
