import copy
import math
import sys
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from dbn import RBM, Network
from dbn.backend.parameters import Parameters
from dbn.training import SGD, Adam, finetune, train_rbm
from dbn.training.loop import Training, run_epochs
from dbn.training.step import make_step
from tests.helpers import RecordedTask

X = np.eye(3)
ASKED = {field.name for field in fields(Training)}


def train(step, params, n_rows, **options):
    """`run_epochs` with all that it is asked, and what `Training` is, in one dict."""
    training = Training(**{name: options.pop(name) for name in ASKED & {*options}})
    run_epochs(step, params, np.empty((n_rows, 1)), training, **options)


class Run:
    """One run of the loop over 10 rows in batches of 4, with everything it did."""

    def __init__(self, step=lambda run, rows: None, task=None, max_iter=3, seed=0):
        self.params = Parameters({"W": (2,)})
        self.batches, self.losses, self.history = [], [], []
        self.rng, self.epoch = np.random.default_rng(seed), None

        def take(rows, epoch):
            self.epoch = epoch
            self.batches.append((epoch, rows))
            return step(self, rows)

        def measure(loss):
            self.losses.append(loss)
            return {}

        self.arguments = (take, self.params, 10)
        self.options = {
            "batch_size": 4,
            "max_iter": max_iter,
            "rng": self.rng,
            "task": task,
            "history": self.history,
            "entry": {"phase": "test"},
            "measure": measure,
            "name": "It",
            "advice": "Do something else.",
            "state": {},
        }

    @property
    def records(self):
        epochs = [entry["epoch"] for entry in self.history]
        return list(zip(epochs, self.losses, strict=False))

    def start(self):
        train(*self.arguments, **self.options)
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


def test_the_step_is_told_the_epoch():
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
        "before it are kept. Do something else."
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


def test_metrics_are_not_asked_of_parameters_that_are_not_finite():
    """A metric of scikit-learn would refuse them in other words."""

    def step(run, rows):
        run.params.flat[...] = np.nan

    def refuse(loss):
        raise ValueError("Input contains NaN.")

    run = Run(step)
    run.options["measure"] = refuse
    with pytest.raises(FloatingPointError, match="2 of 2 parameters"):
        run.start()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_epoch_that_diverges_early_ends_early(bad):
    params, seen = Parameters({"W": (2,)}), []

    def step(rows, epoch):
        seen.append(rows)
        if len(seen) == 5:
            params.flat[1] = bad

    options = Run().options | {"batch_size": 1}
    with pytest.raises(FloatingPointError, match="in epoch 0"):
        train(step, params, 1000, **options)
    assert 5 <= len(seen) <= 105


def test_large_but_finite_parameters_are_no_divergence():
    run = Run(max_iter=1)
    run.params.flat[...] = 1e300  # their squares are not finite
    assert len(run.start().history) == 1


class Swings:
    """Two parameters, drawn to a target by SGD with momentum, and a statistic.

    ``bad(epoch, update)`` says where the gradient breaks.
    """

    def __init__(self, optimizer, bad=lambda epoch, update: False):
        self.params = Parameters({"W": (2,)}, np.array([1.0, -1.0]))
        self.statistics = Parameters({"mean": (2,)})
        self.optimizer, self.bad, self.state = optimizer, bad, {}
        self.history, self.update = [], 0

    def gradient(self, rows, grad, epoch):
        grad.flat[...] = self.params.flat - np.array([3.0, 2.0])
        if self.bad(epoch, self.update):
            grad.flat[0] = np.nan
        self.statistics.flat[...] += self.params.flat
        self.update += 1
        return float(grad.flat @ grad.flat)

    def start(self, max_iter, **options):
        self.update = 0
        step = make_step(
            self.gradient,
            self.params,
            optimizer=self.optimizer,
            weight_decay=0.0,
            state=self.state,
        )
        fixed = Run(max_iter=max_iter).options | {
            "state": self.state,
            "history": self.history,
            "statistics": self.statistics,
            "measure": lambda loss: {"loss": loss},
        }
        train(step, self.params, 10, **fixed | options)
        return self

    def everything(self):
        """Copy of all that training moves."""
        return copy.deepcopy(
            [self.params.flat, self.statistics.flat, self.state, self.history]
        )


def assert_same(found, expected):
    """Equal to the last bit, through dicts and lists."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            assert_same(*pair)
    else:
        assert_array_equal(found, expected)


swinging = pytest.mark.parametrize(
    "optimizer", [SGD(0.1), SGD(0.1, nesterov=True), Adam(0.1)], ids=repr
)


@swinging
@pytest.mark.parametrize("update", [0, 1, 2])
def test_divergence_takes_back_all_of_the_epoch(optimizer, update):
    run = Swings(optimizer).start(2)
    before = run.everything()
    run.bad = lambda epoch, seen: epoch == 2 and seen == update
    with pytest.raises(FloatingPointError, match="in epoch 2"):
        run.start(3)
    assert_same(run.everything(), before)


@swinging
def test_after_a_divergence_training_can_go_on(optimizer):
    run = Swings(optimizer, bad=lambda epoch, update: epoch == 2).start(2)
    with pytest.raises(FloatingPointError):
        run.start(3)
    run.bad = lambda epoch, update: False
    straight = Swings(optimizer).start(5)
    assert_same(run.start(3).everything(), straight.everything())


@swinging
def test_training_in_parts_is_training_at_once(optimizer):
    parts, once = Swings(optimizer).start(2).start(3), Swings(optimizer).start(5)
    assert [entry["epoch"] for entry in parts.history] == [0, 1, 2, 3, 4]
    assert parts.state["epoch"] == 5
    assert_same(parts.everything(), once.everything())


# Early stopping


class Scripted:
    """A run whose losses are given.

    After epoch e parameters are all e + 1 and the statistic is -(e + 1). An epoch of
    `n_updates` rows has so many updates.
    """

    def __init__(self, losses, n_updates=500, task=None, **options):
        self.params = Parameters({"W": (2,)})
        self.statistics = Parameters({"mean": (1,)})
        self.state, self.history, self.n_updates = {}, [], n_updates
        self.script = iter(losses)
        self.options = Run(task=task).options | {
            "state": self.state,
            "history": self.history,
            "measure": self.measure,
            "statistics": self.statistics,
            "watch": "validation_loss",
            "patience": 2,
            "batch_size": 1,
        }
        self.options |= options
        self.start(len(losses))

    def measure(self, loss):
        return {self.options["watch"]: next(self.script)}

    def step(self, rows, epoch):
        self.params.flat[...] = epoch + 1.0
        self.statistics.flat[...] = -(epoch + 1.0)

    def start(self, max_iter):
        options = self.options | {"max_iter": max_iter}
        train(self.step, self.params, self.n_updates, **options)

    @property
    def outcome(self):
        """Number of epochs run, and the epoch whose parameters are there."""
        W, statistic = self.params.flat, self.statistics.flat
        assert W[0] == W[1] == -statistic[0]
        return len(self.history), int(W[0]) - 1


@pytest.mark.parametrize(
    ("losses", "patience", "outcome"),
    [
        ([0.4, 0.3, 0.2, 0.1], 1, (4, 3)),  # falls to the end
        ([0.5, 0.6, 0.4, 0.3], 1, (2, 0)),
        ([0.5, 0.6, 0.4, 0.3], 2, (4, 3)),  # one bad epoch is waited for
        ([0.5, 0.6, 0.7, 0.1], 2, (3, 0)),
        ([0.9, 0.5, 0.6, 0.6, 0.6, 0.1], 3, (5, 1)),
        ([0.5, 0.5, 0.5, 0.5], 2, (3, 0)),  # staying equal is not falling
        ([0.3, 0.1, 0.2], 5, (3, 1)),  # the best comes back without a stop too
        ([-2.0, -3.0, -2.5, -2.4], 2, (4, 1)),
    ],
)
def test_it_stops_when_the_loss_has_not_fallen_and_returns_to_the_least(
    losses, patience, outcome
):
    assert Scripted(losses, patience=patience).outcome == outcome
    # That of training shows no epoch that should come back.
    run = Scripted(losses, patience=patience, watch="loss")
    assert run.outcome == (outcome[0], outcome[0] - 1)


@given(
    losses=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    tol=st.integers(0, 2),
    patience=st.integers(1, 4),
    n_updates=st.sampled_from([100, 167, 249, 500]),
    constant=st.sampled_from([math.inf, 4.0]),
)
def test_early_stopping_is_its_definition(losses, tol, patience, n_updates, constant):
    """What is waited for, by whole prefixes of the losses.

    An epoch counts when it lies more than `tol` below the last one that counted, and
    when it is the first below the plateau. The end is when the last of these is below
    the plateau and old enough, in epochs and in updates.
    """
    counting = [0]
    below = [i for i, loss in enumerate(losses) if loss < 0.98 * constant]
    for i, loss in enumerate(losses):
        if loss < losses[counting[-1]] - tol or i in below[:1]:
            counting.append(i)

    def is_end(n):
        last = max(i for i in counting if i < n)
        waited = n - 1 - last
        old = waited >= patience and waited * n_updates >= 500
        return old and losses[last] < 0.98 * constant

    ends = (n for n in range(1, len(losses) + 1) if is_end(n))
    n_epochs = next(ends, len(losses))
    options = {"tol": tol, "patience": patience, "constant": constant}
    run = Scripted(losses, n_updates, **options)
    assert run.outcome == (n_epochs, int(np.argmin(losses[:n_epochs])))
    assert run.state["best"]["over"] == is_end(n_epochs)


@pytest.mark.parametrize(
    ("losses", "outcome"),
    [
        # Neither step is a fall by more than 0.1, but the better epoch is kept.
        ([0.5, 0.45, 0.41, 0.1], (3, 2)),
        # Small steps add up: 0.35 is 0.15 below the 0.5 that was waited on.
        ([0.5, 0.45, 0.35, 0.35, 0.4, 0.1], (5, 2)),
        ([0.5, 0.6, 0.45, 0.1], (3, 2)),
    ],
)
def test_a_fall_below_the_tolerance_is_not_waited_for(losses, outcome):
    assert Scripted(losses, tol=0.1).outcome == outcome


@pytest.mark.parametrize(
    ("losses", "constant", "n_epochs"),
    [
        ([1.0] * 6, 1.0, 6),  # a first plateau is waited on for ever
        ([0.99] * 6, 1.0, 6),
        ([0.97] * 6, 1.0, 3),
        ([1.0, 1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 0.9], 1.0, 7),
    ],
)
@pytest.mark.parametrize("tol", [0.0, 0.5, 2.0])
def test_the_first_plateau_is_no_end(losses, constant, n_epochs, tol):
    assert len(Scripted(losses, constant=constant, tol=tol).history) == n_epochs


@pytest.mark.parametrize(
    ("n_updates", "n_waited"), [(500, 2), (250, 2), (249, 3), (100, 5), (1, 500)]
)
def test_short_epochs_are_waited_for_longer(n_updates, n_waited):
    run = Scripted([0.5] * 600, n_updates)
    assert len(run.history) == 1 + n_waited


def test_without_patience_the_last_epoch_stays():
    run = Scripted([0.9, 0.1, 0.8, 0.9, 0.9, 0.9], patience=None)
    assert run.outcome == (6, 5)
    assert "best" not in run.state


def test_a_best_epoch_of_earlier_is_left_alone_without_patience():
    run = Scripted([0.1, 0.5], patience=9)
    assert run.outcome == (2, 0)
    run.options["patience"], run.script = None, iter([0.4])
    run.start(1)
    assert run.outcome == (3, 2)


def test_waiting_goes_on_with_the_state():
    """Two calls are one: what was waited and the best epoch are remembered."""
    run = Scripted([0.1, 0.5, 0.5], patience=4)
    assert run.outcome == (3, 0)
    assert not run.state["best"]["over"]
    run.script = iter([0.4] * 9)
    run.start(9)
    assert run.outcome == (5, 0)
    assert run.state["best"]["over"]
    assert [entry["epoch"] for entry in run.history] == [0, 1, 2, 3, 4]


def test_the_last_epoch_of_an_early_stop_ends_like_any_other():
    task = RecordedTask()
    Scripted([0.5, 0.6, 0.7, 0.1], task=task)
    assert task.log == ["epoch 0", "epoch 1", "epoch 2"]


def test_a_callback_that_stops_leaves_the_best_epoch_too():
    task = RecordedTask(stop_after=["epoch 2"])
    assert Scripted([0.9, 0.8, 0.1, 0.1], patience=9, task=task).outcome == (3, 2)
    task = RecordedTask(stop_after=["epoch 1"])
    assert Scripted([0.8, 0.9, 0.1, 0.1], patience=9, task=task).outcome == (2, 0)


def test_divergence_keeps_the_best_epoch_for_later():
    run = Scripted([0.1, 0.5], patience=9)
    run.script = iter([math.nan])
    with pytest.raises(FloatingPointError, match="validation_loss is nan in epoch 2"):
        run.start(1)
    run.script = iter([0.4])
    run.start(1)
    assert run.outcome == (3, 0)


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
        train(run.arguments[0], params, *run.arguments[2:], **run.options)
        assert blas_threads() == {2}
    assert seen == [{n_threads}] * 3


@pytest.mark.parametrize(
    ("trainer", "model", "rows"),
    [(train_rbm, RBM(3, 2), [X]), (finetune, Network([3, 3]), [X, X])],
)
def test_few_calls_lead_from_a_trainer_to_a_gradient(trainer, model, rows, monkeypatch):
    calls = []

    def gradient(*args):
        frame = sys._getframe()
        while frame.f_code is not trainer.__code__:
            calls.append(frame.f_code.co_name)
            frame = frame.f_back
        return 0.0

    monkeypatch.setattr(type(model), "gradient", gradient)
    trainer(model, *rows, rng=np.random.default_rng(0), max_iter=1)
    assert len(calls) == 5  # with the trainer itself 6
