"""What the monitor writes is what it says, in the history of every kind of training."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV

from dbn import RBM, DBNClassifier, DBNTransformer, RBMTransformer
from dbn.boltzmann import ReLU, Softmax, pseudo_log_likelihood
from dbn.training import RBMMonitor
from tests.estimators.toy import REAL, X, Y, message, rbm, small

ALWAYS = {"dead_units", "always_on_units", "weight_norm", "update_norm"}
TRAIN, VALID = X[:40], X[40:]


def watched(estimator, rows=TRAIN, y=None, X_val=VALID):
    return estimator.set_callbacks(RBMMonitor(X_val)).fit(rows, y)


def test_every_number_is_its_definition():
    estimator = watched(rbm(random_state=0))
    machine, last = estimator.rbm_, estimator.history_[-1]
    gap = machine.free_energy(VALID).mean() - machine.free_energy(TRAIN).mean()
    assert_allclose(last["free_energy_gap"], gap)
    assert_allclose(last["weight_norm"], np.linalg.norm(machine.W))
    before = rbm(random_state=0, max_iter=1).fit(TRAIN).rbm_.W
    assert_allclose(last["update_norm"], np.linalg.norm(machine.W - before))
    assert last["dead_units"] == last["always_on_units"] == 0


def test_the_pseudo_likelihood_estimates_the_exact_one():
    rng = np.random.default_rng(0)
    rows = (rng.random((3000, 6)) < 0.3).astype(float)
    estimator = watched(rbm(random_state=0, max_iter=5), rows, X_val=None)
    exact = pseudo_log_likelihood(estimator.rbm_, rows)[::40]  # the rows it watches
    found = estimator.history_[-1]["pseudo_log_likelihood"]
    error = 6 * 0.45 / np.sqrt(len(exact))  # of log p of one unit, 6 units
    assert abs(found - exact.mean()) < 4 * error
    assert "free_energy_gap" not in estimator.history_[-1]


def test_watching_does_not_change_training():
    plain = rbm(random_state=0, sampler="pcd").fit(TRAIN)
    estimator = watched(rbm(random_state=0, sampler="pcd"))
    assert np.array_equal(plain.rbm_.params.flat, estimator.rbm_.params.flat)


def test_dead_and_always_on_units_are_counted():
    from dbn.boltzmann import CD
    from dbn.training import SGD

    class Fixed(SGD):
        def step(self, theta, grad, state):
            theta[-4:] = [-50.0, 50.0, 0.0, -50.0]  # hidden biases
            return state

    last = watched(rbm(optimizer=Fixed(), sampler=CD())).history_[-1]
    assert (last["dead_units"], last["always_on_units"]) == (2, 1)


@pytest.mark.parametrize(
    ("options", "rows", "missing"),
    [
        ({}, REAL, {"pseudo_log_likelihood"}),
        ({"hidden": "relu"}, X, {"always_on_units"}),
        (
            {"hidden": ReLU(noisy=True)},
            X,
            {"always_on_units", "free_energy_gap", "pseudo_log_likelihood"},
        ),
        ({"visible": Softmax(5)}, np.eye(5)[Y + 1], set()),
    ],
)
def test_units_without_a_law_or_a_state_leave_their_numbers_out(options, rows, missing):
    last = watched(rbm(**options), rows, X_val=rows[:9]).history_[-1]
    expected = ALWAYS | {"free_energy_gap", "pseudo_log_likelihood"}
    assert ALWAYS | {"phase", "layer", "epoch", "reconstruction_error"} | expected == (
        {*last} | missing
    )
    assert not missing & {*last}
    numbers = [v for v in last.values() if isinstance(v, float)]
    assert np.isfinite(numbers).all()


def test_each_layer_of_a_stack_is_watched_over_its_own_rows():
    estimator = watched(DBNTransformer((4, 3), rbm=rbm(), random_state=0))
    lower, upper = estimator.dbn_.rbms
    v, u = (lower.mean_hidden(rows) for rows in (VALID, TRAIN))
    gap = upper.free_energy(v).mean() - upper.free_energy(u).mean()
    assert_allclose(estimator.history_[-1]["free_energy_gap"], gap)
    assert [e["layer"] for e in estimator.history_] == [0, 0, 1, 1]


def test_fine_tuning_has_nothing_to_watch():
    net = DBNClassifier((4,), rbm=rbm(), max_iter=2, random_state=0)
    history = watched(net, TRAIN, Y[:40]).history_
    assert {"weight_norm"} <= {*history[0]}
    assert {*history[-1]} == {"phase", "epoch", "loss"}


def test_sparse_and_standardised_rows():
    dense = watched(rbm(random_state=0)).history_
    rows, valid = sparse.csr_array(TRAIN), sparse.csr_array(VALID)
    found = watched(rbm(random_state=0), rows, X_val=valid).history_
    for a, b in zip(found, dense, strict=True):
        assert_allclose([*a.values()][1:], [*b.values()][1:])
    estimator = watched(rbm(random_state=0), REAL[:40], X_val=REAL[40:])
    rows = (REAL - estimator.mean_) / estimator.scale_
    energy = estimator.rbm_.free_energy(rows)
    gap = energy[40:].mean() - energy[:40].mean()
    assert_allclose(estimator.history_[-1]["free_energy_gap"], gap)


def test_it_works_beside_bars_in_a_search_and_after_pickling():
    monitor = pickle.loads(pickle.dumps(RBMMonitor(VALID)))
    machine = rbm(random_state=0).set_callbacks(monitor)
    search = GridSearchCV(machine, {"batch_size": [10, 20]}, cv=2, n_jobs=2)
    search.set_callbacks(ProgressBar()).fit(X)
    assert {*search.best_estimator_.history_[-1]} >= ALWAYS


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer, DBNClassifier])
@pytest.mark.parametrize(
    ("X_val", "seen"),
    [
        (VALID[:, :3], "RBMMonitor's X_val has 3 features, but {} is expecting 5"),
        (5.0 * VALID, "need values in [0, 1]; RBMMonitor's X_val has minimum"),
        (np.where(VALID < 0.1, np.inf, VALID), "RBMMonitor's X_val contains infinity"),
        (VALID[0], "RBMMonitor's X_val: Expected 2D array"),
        (VALID[:0], "RBMMonitor's X_val: Found array with 0 sample(s)"),
    ],
)
def test_rows_that_are_none_of_the_machines_are_refused_before_training(
    cls, X_val, seen, monkeypatch
):
    monkeypatch.setattr(RBM, "initialize", None)  # with which training begins
    text = message(watched, small(cls), TRAIN, Y[:40], X_val=X_val)
    assert seen.format(cls.__name__) in text


def test_columns_of_a_frame_are_compared_by_their_names():
    frame = pd.DataFrame(X, columns=[*"abcde"])
    text = message(watched, rbm(), frame, X_val=frame[[*"edcba"]])
    assert "feature names should match" in text
    assert "RBMMonitor's X_val" in text
    texts = frame.assign(X=np.where(Y, "yes", "no"))
    odd = texts.assign(X=Y)
    text = message(watched, rbm(), texts, X_val=odd, error=TypeError)
    assert text.startswith("RBMMonitor's X_val: Column 'X' held categories")


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
def test_what_a_masked_array_hides_is_not_known(cls):
    """Its filler was watched as if it were a value."""
    hidden = np.random.default_rng(0).random(REAL.shape) < 0.2
    masked = np.ma.array(np.where(hidden, -999.0, REAL), mask=hidden)
    holes = np.where(hidden, np.nan, REAL)
    found, same = (watched(small(cls), A[:40], X_val=A[40:]) for A in (masked, holes))
    assert found.history_ == same.history_


def test_overfitting_shows_as_a_growing_gap():
    rng = np.random.default_rng(0)
    rows = (rng.random((260, 20)) < 0.5).astype(float)  # nothing to learn but the rows
    machine = RBMTransformer(60, batch_size=10, max_iter=60, random_state=0)
    history = watched(machine, rows[:60], X_val=rows[60:]).history_
    assert history[-1]["free_energy_gap"] > history[0]["free_energy_gap"] + 3.0
