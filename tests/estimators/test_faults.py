"""Divergence, interruption and extreme input: nothing lost, nothing silently wrong."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from dbn import DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer
from dbn.training import LBFGS, SGD
from tests.estimators.toy import REAL, X, Y, buffers, message, output, rbm, small
from tests.helpers import Callback

pytestmark = pytest.mark.usefixtures("on_each_device")
WILD = {"visible": "gaussian", "hidden": "gaussian", "random_state": 0}


class Interrupt(Callback):
    """Raises KeyboardInterrupt when the n-th epoch begins, as Ctrl-C might."""

    def __init__(self, at):
        self.at = at

    def setup(self, estimator, context):
        self.n_epochs = 0

    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch":
            self.n_epochs += 1
            if self.n_epochs == self.at:
                raise KeyboardInterrupt


def interrupted(estimator, at, *data):
    with pytest.raises(KeyboardInterrupt):
        estimator.set_callbacks(Interrupt(at)).fit(*data)
    return estimator


def numbers(estimator):
    return np.concatenate([params.flat for params in buffers(estimator)])


# Divergence


def test_halving_finds_a_learning_rate_and_tells_it():
    machine = rbm(optimizer=SGD(1000.0), max_iter=4, **WILD)
    assert "diverged" in message(machine.fit, REAL, error=FloatingPointError)
    machine = clone(machine).set_params(on_divergence="halve").fit(REAL)
    factors = [e.get("learning_rate_factor", 1.0) for e in machine.history_]
    assert factors == sorted(factors, reverse=True)
    assert all(np.log2(factor) == round(np.log2(factor)) for factor in factors)
    assert factors[-1] < 1.0
    assert np.isfinite(numbers(machine)).all()


def test_without_divergence_halving_changes_nothing():
    plain = rbm(random_state=0).fit(X)
    halving = rbm(random_state=0, on_divergence="halve").fit(X)
    assert_array_equal(numbers(plain), numbers(halving))
    assert plain.history_ == halving.history_


def test_halving_gives_up_in_words():
    machine = rbm(optimizer=SGD(1e200), on_divergence="halve", **WILD)
    text = message(machine.fit, REAL, error=FloatingPointError)
    assert "in epoch 0; the parameters from before it are kept" in text


def test_halving_in_a_stack_is_a_matter_of_each_machine():
    wild = {"hidden": "gaussian", "optimizer": SGD(1e4), "on_divergence": "halve"}
    machines = [rbm(hidden="gaussian"), rbm(**wild)]
    stack = DBNTransformer((4, 3), rbm=machines, random_state=0).fit(REAL)
    assert not any("learning_rate_factor" in e for e in stack.history_[:2])
    assert stack.history_[-1]["learning_rate_factor"] < 1.0


@pytest.mark.parametrize("cls", [DBNClassifier, DBNRegressor])
def test_halving_in_fine_tuning(cls):
    options = {"init": "he_normal", "activation": "relu", "batch_norm": True}
    options |= {"optimizer": SGD(1e4), "max_iter": 30, "random_state": 0}
    net = cls((8, 8), **options, on_divergence="halve").fit(REAL, 1e3 * Y)
    assert np.isfinite(numbers(net)).all()
    if "learning_rate_factor" not in net.history_[-1]:  # it may not diverge at all
        net = cls((8, 8), **options).fit(REAL, 1e3 * Y)


def test_a_line_search_has_no_rate_to_halve():
    net = DBNClassifier((4,), init="he_normal", optimizer=LBFGS(), max_iter=2)
    net.set_params(on_divergence="halve").fit(X, Y)
    assert "learning_rate_factor" not in net.history_[-1]


# Interruption


@pytest.mark.parametrize("at", [1, 3])
def test_an_interrupted_machine_is_fitted_with_the_epochs_done(at):
    plain = {"random_state": 0, "optimizer": SGD(0.1)}
    machine = interrupted(rbm(max_iter=5, **plain), at, X)
    assert machine.n_iter_ == at - 1
    assert np.isfinite(machine.transform(X)).all()
    if at > 1:
        done = rbm(max_iter=at - 1, **plain).fit(X)
        assert_array_equal(numbers(machine), numbers(done))


def test_training_goes_on_after_an_interruption():
    machine = interrupted(rbm(random_state=0, max_iter=4, warm_start=True), 3, X)
    machine.set_callbacks().set_params(max_iter=2).fit(X)
    whole = rbm(random_state=0, max_iter=4).fit(X)
    assert_array_equal(numbers(machine), numbers(whole))


def test_an_interruption_within_an_epoch_undoes_the_epoch():
    class Pulled(SGD):
        def step(self, theta, grad, state):
            state["n"] = state.get("n", 0) + 1
            if state["n"] == 8:  # of 3 updates an epoch: in the third
                raise KeyboardInterrupt
            return super().step(theta, grad, state)

    machine = rbm(random_state=0, max_iter=5, optimizer=Pulled(0.1))
    with pytest.raises(KeyboardInterrupt):
        machine.fit(X)
    done = rbm(random_state=0, max_iter=2, optimizer=SGD(0.1)).fit(X)
    assert_array_equal(numbers(machine), numbers(done))


def test_an_interrupted_stack_has_the_layers_that_were_reached():
    stack = DBNTransformer((4, 3, 2), rbm=rbm(), random_state=0)
    interrupted(stack, 4, X)  # the second epoch of the second layer
    assert stack.transform(X).shape == (60, 3)
    assert stack.n_iter_ == [2, 1]


def test_a_net_is_fitted_once_fine_tuning_has_begun():
    net = interrupted(small(DBNClassifier, max_iter=6), 4 + 3, X, Y)
    assert (net.n_iter_, net.predict(X).shape) == (2, (60,))
    net = interrupted(small(DBNClassifier, max_iter=6), 2, X, Y)
    assert not hasattr(net, "network_")


# Extreme input trains, or fails in words.

EXTREMES = {
    "zeros": np.zeros((30, 4)),
    "ones": np.ones((30, 4)),
    "constant": np.full((30, 4), 7.5),
    "one row": np.ones((1, 4)),
    "1e30": 1e30 * np.random.default_rng(0).random((30, 4)),
    "tiny": 1e-310 * np.random.default_rng(0).random((30, 4)),
    "duplicates": np.repeat([[0.0, 1.0, 0.0, 1.0]], 30, axis=0),
    "one feature": np.random.default_rng(0).random((30, 1)),
    "many features": (np.random.default_rng(0).random((20, 50_000)) < 0.01) * 1.0,
}


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer, DBNRegressor])
def test_extreme_rows(cls, dtype, name):
    with np.errstate(over="ignore"):
        rows = EXTREMES[name].astype(dtype)
    estimator = small(cls)
    try:
        estimator.fit(rows, np.arange(len(rows)) % 2)
    except (ValueError, FloatingPointError) as error:
        # Numbers of which no variance is left are named, too.
        assert name == "1e30" or "variance is no number above 0" in str(error)
        assert len(str(error)) > 20
        return
    assert np.isfinite(output(estimator, rows)).all()
