"""Bars of work that takes long, where `verbose` asks for them, and nowhere else."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.callback import ProgressBar
from tqdm.auto import tqdm

from dbn import DBNClassifier, DBNTransformer, Network, RBMTransformer
from dbn.backend import progress
from dbn.backend.progress import bars_shown, tracked
from dbn.backend.random import make_rng
from dbn.boltzmann import RBM, ais, reverse_ais
from dbn.evaluation import layer_statistics
from dbn.training import SGD, TqdmBars

rng = np.random.default_rng(0)
X = (rng.random((60, 6)) < 0.5).astype(float)
Y = X[:, 0].astype(int)
# Too many states to enumerate: log Z is annealed.
WIDE = (rng.random((60, 20)) < 0.5).astype(float)
SHORT = {"batch_size": 10, "max_iter": 2, "random_state": 0}


@pytest.fixture
def all_long(monkeypatch):
    """Work that takes no time has a bar."""
    monkeypatch.setattr(progress, "LONG", 0.0)


def bars(capsys):
    """Name, total and unit of every bar that was shown, without repetition."""
    out, err = capsys.readouterr()
    assert out == ""
    assert not [*tqdm._instances]
    seen = re.findall(r"([\w ]+): +\d+%\|.*?\| \d+/(\d+) .*?(\w+)(?:/s|[,\]])", err)
    return {(name, int(total)) for name, total, _ in seen}


def rbm(**options):
    return RBMTransformer(4, **SHORT | {"optimizer": SGD(0.1)} | options)


# --- the one place --------------------------------------------------------------------


def test_items_are_those_that_were_given_and_there_is_no_bar_unasked(all_long, capsys):
    items = [1, 2, 3]
    assert tracked(items, "work", "item") is items
    with bars_shown(False):
        assert tracked(items, "work", "item") is items
    assert capsys.readouterr() == ("", "")


def test_a_bar_tells_what_is_done_and_how_many_there_are(all_long, capsys):
    with bars_shown(True):
        assert [*tracked([1, 2, 3], "a list", "item")] == [1, 2, 3]
        assert [*tracked(iter("ab"), "an iterator", "letter", 2)] == ["a", "b"]
        assert [*tracked([1], "one only", "item")] == [1]
    assert bars(capsys) == {("a list", 3), ("an iterator", 2)}


def test_what_is_short_has_no_bar(capsys):
    with bars_shown(True):
        assert [*tracked(range(1000), "short", "item")] == [*range(1000)]
    assert bars(capsys) == set()


def test_a_bar_appears_after_two_seconds(monkeypatch, capsys):
    now = iter(np.arange(10.0))
    monkeypatch.setattr(progress, "perf_counter", lambda: next(now))
    with bars_shown(True):
        shown = [len(tqdm._instances) for _ in tracked(range(6), "slow", "item")]
    assert shown == [0, 0, 0, 1, 1, 1]  # 3 seconds after the third item
    assert "50%" in capsys.readouterr().err  # begins with those that were done


def test_an_error_leaves_no_bar_open(all_long, capsys):
    with pytest.raises(KeyboardInterrupt), bars_shown(True):
        for item in tracked(range(5), "stopped", "item"):
            if item == 3:
                raise KeyboardInterrupt
    assert bars(capsys) == {("stopped", 5)}
    assert tracked([], "later", "item") == []  # nobody asked any more


def test_a_context_that_nobody_asked_for_changes_nothing(all_long, capsys):
    with bars_shown(True), bars_shown(False):
        assert [*tracked([1, 2], "inside", "item")] == [1, 2]
    assert bars(capsys) == {("inside", 2)}


# --- fits -----------------------------------------------------------------------------


def test_long_epochs_have_bars_over_their_batches(all_long, capsys):
    rbm(verbose=1).fit(X)
    assert bars(capsys) == {("RBMTransformer fit", 2), ("epoch 0", 6), ("epoch 1", 6)}


def test_epochs_of_every_phase_have_bars_over_their_batches(all_long, capsys):
    net = DBNClassifier((4,), rbm=rbm(max_iter=1), **SHORT | {"max_iter": 1})
    net.set_params(batch_size=15, verbose=1).fit(X, Y)
    assert {("epoch 0", 6), ("epoch 0", 4)} <= bars(capsys)


def test_a_bar_set_as_a_callback_has_batches_too(all_long, capsys):
    rbm().set_callbacks(TqdmBars()).fit(X)
    assert ("epoch 0", 6) in bars(capsys)


def test_bars_of_batches_stay_away_from_the_users_progress_bar(all_long, capsys):
    rbm(verbose=1).set_callbacks(ProgressBar()).fit(X)
    assert capsys.readouterr().err == ""


def test_a_chunk_has_a_bar_over_its_batches(all_long, capsys):
    rbm(verbose=1).partial_fit(X)
    assert bars(capsys) == {("epoch 0", 6)}
    net = DBNClassifier((4,), init="he_normal", batch_size=15, verbose=1)
    net.partial_fit(X, Y)
    assert bars(capsys) == {("epoch 0", 4)}


@pytest.mark.parametrize("sampler", ["cd", "pcd", "pt"])
def test_bars_change_no_number(all_long, sampler, capsys):
    plain, shown = (rbm(sampler=sampler, verbose=v).fit(X) for v in (0, 1))
    assert_array_equal(shown.rbm_.params.flat, plain.rbm_.params.flat)
    draws = [fitted.sample(3, steps=5, random_state=0) for fitted in (plain, shown)]
    assert_array_equal(*draws)
    assert "epoch 0" in capsys.readouterr().err


# --- after a fit ----------------------------------------------------------------------


@pytest.mark.parametrize("verbose", [0, 1])
def test_samples(all_long, verbose, capsys):
    fitted = rbm().fit(X).set_params(verbose=verbose)
    fitted.sample(2, steps=7, random_state=0)
    assert bars(capsys) == ({("sampling", 7)} if verbose else set())
    stack = DBNTransformer((4, 3), rbm=rbm()).fit(X).set_params(verbose=verbose)
    stack.sample(2, steps=7, random_state=0)
    assert bars(capsys) == ({("sampling", 7)} if verbose else set())
    stack.sample(given=[1, *[np.nan] * 5], steps=8, random_state=0)
    assert bars(capsys) == ({("sampling", 8)} if verbose else set())


@pytest.mark.parametrize("verbose", [0, 1])
def test_likelihoods(all_long, verbose, capsys):
    wide = RBMTransformer(20, optimizer=SGD(0.1), **SHORT).fit(WIDE)
    wide.set_params(verbose=verbose).score_samples(WIDE)
    assert bars(capsys) == ({("annealing", 999)} if verbose else set())
    stack = DBNTransformer((4, 3), rbm=rbm()).fit(X).set_params(verbose=verbose)
    stack.score_samples(X, n_draws=2)
    assert bars(capsys) == ({("likelihood", 60)} if verbose else set())


@pytest.mark.parametrize("estimate", [ais, reverse_ais])
def test_annealing(all_long, estimate, capsys):
    machine = RBM(5, 4).initialize(make_rng(0), scale=1.0)
    options = {"n_betas": 9, "n_chains": 5, "random_state": 0}
    plain = estimate(machine, **options)
    assert bars(capsys) == set()
    assert estimate(machine, verbose=1, **options).log_z == plain.log_z
    assert bars(capsys) == {("annealing", 8)}


def test_layer_statistics(all_long, capsys):
    net = DBNClassifier((4, 3), rbm=rbm(), verbose=1, **SHORT)
    layer_statistics(net, X, Y, at_start=True, n_jacobians=3)
    assert {("epochs", 2), ("layer 0", 3), ("layer 1", 3)} <= bars(capsys)
    layer_statistics(net.set_params(verbose=0), X, Y, at_start=True)
    layer_statistics(Network([6, 3, 2]), X)
    assert bars(capsys) == set()
