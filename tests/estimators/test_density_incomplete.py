"""Densities, completions and anomaly scores of rows with unknown values."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from dbn import DBNTransformer, RBMTransformer
from dbn.boltzmann import ReLU, incomplete
from dbn.training import SGD
from tests.estimators.toy import REAL, TRANSFORMERS, X, message, small
from tests.helpers import Enumerated, randomize

BINARY = (X[:, :4] > 0.5) * 1.0
NAN = np.nan
EACH = pytest.mark.parametrize("cls", TRANSFORMERS)


def with_holes(rows, share=0.4, seed=0):
    unknown = np.random.default_rng(seed).random(rows.shape) < share
    unknown[0], unknown[1] = True, False
    return np.where(unknown, np.nan, rows)


@pytest.fixture
def machine():
    """A fitted transformer with strong weights, so that its units depend."""
    transformer = RBMTransformer(3, batch_size=10, max_iter=1, random_state=0)
    randomize(transformer.fit(BINARY).rbm_.params, seed=4)
    return transformer


def marginals(exact, rows):
    """Log p of the known values, from that of all states."""
    alike = ((exact.v[None] == rows[:, None]) | np.isnan(rows[:, None])).all(axis=2)
    return logsumexp(np.where(alike, exact.log_v, -np.inf), axis=1)


def test_scores_are_sums_over_what_is_unknown(machine):
    rows, exact = with_holes(BINARY), Enumerated(machine.rbm_)
    found = machine.score_samples(rows)
    assert_allclose(found, marginals(exact, rows), atol=1e-12)
    assert found[0] == 0.0  # nothing is known
    assert found[1] == machine.score_samples(rows[1:2])[0]


def test_annealed_scores_agree_and_are_row_wise(machine, monkeypatch):
    monkeypatch.setattr(incomplete, "MAX_UNKNOWN", 1)
    monkeypatch.setattr(incomplete, "MAX_HIDDEN", 0)
    rows = with_holes(BINARY)
    found = machine.score_samples(rows)
    exact = marginals(Enumerated(machine.rbm_), rows)
    assert_allclose(found, exact, atol=0.3)
    assert found[0] == 0.0 and not np.allclose(found, exact, atol=1e-6)
    alone = [machine.score_samples(row[None, :])[0] for row in rows]
    assert_allclose(alone, found, rtol=1e-12, atol=1e-12)


@EACH
def test_densities_of_known_values_are_those_of_the_data(cls):
    """Rescaled data: the log p of n known values is lower by n log scales."""
    rows = with_holes(REAL)
    plain, scaled = small(cls).fit(REAL), small(cls).fit(100.0 * REAL)
    n_known = np.count_nonzero(~np.isnan(rows), axis=1)
    expected = plain.score_samples(rows) - n_known * np.log(100.0)
    assert_allclose(scaled.score_samples(100.0 * rows), expected, atol=1e-6)


def test_the_density_of_one_column_integrates_to_one():
    transformer = small(RBMTransformer).fit(REAL)
    line = np.linspace(-60.0, 60.0, 6001)
    rows = np.full((len(line), 5), np.nan)
    rows[:, 2] = line
    mass = np.exp(transformer.score_samples(rows)).sum() * (line[1] - line[0])
    assert mass == pytest.approx(1.0, abs=1e-6)


def test_scores_of_a_stack_are_bounds_row_by_row():
    stack = DBNTransformer((3, 2), rbm=RBMTransformer(max_iter=1, batch_size=10))
    stack.set_params(random_state=0).fit(BINARY)
    for i, rbm in enumerate(stack.dbn_.rbms):
        randomize(rbm.params, seed=i)
    bottom, top = stack.dbn_.rbms
    middle, rows = Enumerated(top), with_holes(BINARY)
    x = bottom.visible_input(middle.v)[None]
    log_on = np.where(rows[:, None] == 1.0, x, 0.0) - np.logaddexp(0.0, x)
    of_known = np.where(np.isnan(rows[:, None]), 0.0, log_on).sum(axis=2)
    exact = logsumexp(of_known + middle.log_v, axis=1)
    bound = stack.score_samples(rows, n_draws=20_000)
    assert (bound < exact + 0.02).all() and (exact - bound).mean() < 1.0
    assert bound[0] == 0.0
    few = stack.score_samples(rows[:9])
    assert_allclose(stack.score_samples(rows[4:5])[0], few[4], rtol=1e-12)


@EACH
def test_machines_that_learned_from_holes_score_them(cls):
    for data in (BINARY, REAL):
        rows = with_holes(data, 0.2)[1:]
        transformer = small(cls).fit(rows)
        assert np.isfinite(transformer.score_samples(rows)).all()
        assert np.isfinite(transformer.history_[-1]["reconstruction_error"])


# Anomalies.


@pytest.mark.parametrize("data", [BINARY, REAL], ids=["binary", "real"])
def test_anomaly_scores_are_log_likelihoods_up_to_log_z(data):
    transformer, rows = small(RBMTransformer).fit(data), with_holes(data)
    found = transformer.anomaly_score(rows)
    assert not hasattr(transformer, "log_z_")
    expected = -transformer.score_samples(rows) - transformer.log_z_
    assert_allclose(found, expected, rtol=1e-9)
    far = transformer.anomaly_score(10.0 * REAL) if data is REAL else None
    assert far is None or far.mean() > transformer.anomaly_score(REAL).mean() + 10.0


def test_anomaly_scores_need_a_law_and_values_in_range():
    assert "[0, 1]" in message(small(RBMTransformer).fit(X).anomaly_score, 2.0 * X)
    noisy = small(RBMTransformer, hidden=ReLU(noisy=True)).fit(X)
    for rows in (X, with_holes(X)):
        assert "no" in message(noisy.anomaly_score, rows) and "law" in message(
            noisy.anomaly_score, rows
        )


# Completions.


def test_each_row_is_completed_by_its_conditional_law(machine):
    exact, n = Enumerated(machine.rbm_), 10_000
    kinds = np.array([[NAN, 1.0, NAN, 0.0], [0.0, NAN, NAN, NAN]])
    rows = machine.sample(steps=50, given=np.repeat(kinds, n, axis=0), random_state=0)
    for kind, drawn in zip(kinds, (rows[:n], rows[n:]), strict=True):
        known = ~np.isnan(kind)
        assert_array_equal(drawn[:, known], np.tile(kind[known], (n, 1)))
        p = np.exp(exact.log_v) * (exact.v[:, known] == kind[known]).all(axis=1)
        found = (drawn[:, None] == exact.v[None]).all(axis=2).mean(axis=0)
        assert_allclose(found, p / p.sum(), atol=0.02)


@EACH
@pytest.mark.parametrize("device", [None, "cpu"])
def test_known_values_stay_in_the_units_of_the_data(cls, device):
    if device:
        pytest.importorskip("torch")
    rows = with_holes(REAL.astype(np.float32))
    transformer = small(cls, device=device).fit(REAL.astype(np.float32))
    found = transformer.sample(given=rows, steps=3, random_state=0)
    assert found.shape == rows.shape and found.dtype == np.float32
    known = ~np.isnan(rows)
    assert_allclose(found[known], rows[known], rtol=1e-4, atol=1e-5)
    assert np.isfinite(found).all()
    vector = transformer.sample(4, given=rows[2], steps=3, random_state=0)
    known = ~np.isnan(rows[2])
    assert_allclose(
        vector[:, known], np.tile(rows[2, known], (4, 1)), rtol=1e-4, atol=1e-5
    )


@EACH
def test_rows_of_a_frame_come_back_as_such(cls):
    n = 120
    town = np.resize(["Bern", "Oslo", "Rome"], n)
    country = pd.Series(town).map({"Bern": "CH", "Oslo": "NO", "Rome": "IT"})
    age = np.random.default_rng(0).normal(40.0, 5.0, n)
    frame = pd.DataFrame({"town": town, "age": age, "country": country})
    machine = {"batch_size": 10, "max_iter": 100, "optimizer": SGD(0.1)}
    if cls is RBMTransformer:
        transformer = small(cls, **machine).fit(frame)
    else:
        transformer = small(cls, rbm=RBMTransformer(**machine)).fit(frame)
    holes = frame.copy()
    holes.loc[::2, "country"] = None
    holes.loc[1::4, "age"] = np.nan
    found = transformer.sample(given=holes, steps=20, random_state=0)
    assert list(found.columns) == [*frame.columns] and not found.isna().any().any()
    assert_array_equal(found["town"], town)
    assert_array_equal(found["country"][1::2], country[1::2])
    assert_allclose(found["age"][::2], age[::2])
    assert (found["country"] == country).mean() > 0.9


@EACH
def test_what_is_given_must_fit(cls):
    transformer = small(cls).fit(X)
    assert message(transformer.sample, 3, given=X[:2]) == (
        "given has 2 rows, each of which is completed once, and n_samples is 3. Leave "
        "it at 1; for several completions repeat the rows."
    )
    assert message(transformer.sample, given=X[0, :4]) == (
        "given has shape (4,); it needs (5,), with NaN where a value is to be drawn, "
        "or rows like those of X."
    )
    assert "4 features" in message(transformer.sample, given=X[:, :4])
    assert "[0, 1]" in message(transformer.sample, given=2.0 + X)
