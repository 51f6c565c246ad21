"""Classifiers that are a density of features and class: what is their own."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from dbn import (
    DBNClassifier,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
    ScaledRows,
    load_model,
    save_model,
)
from dbn.boltzmann import Bernoulli, Gaussian, exact_log_z
from dbn.estimators import to_sklearn, to_torch
from dbn.training import SGD, Checkpoint, UpDown
from dbn.training.budget import TOP_MACHINE, TOP_MACHINE_OF_FEW_LABELS
from dbn.training.contrastive import classifying_top
from tests.helpers import MeanField
from tests.libraries import needs_torch

from .toy import GENERATIVE, REAL, Y3, StopAfter, X, Y, message, rbm, small

BINARY = (X > 0.5) * 1.0


def machine(**params):
    return small(RBMClassifier, **params)


def test_probabilities_are_those_of_free_energies():
    model = machine(max_iter=30).fit(X, Y3)
    joint = [
        -model.rbm_.free_energy(np.hstack([X, np.tile(y, (len(X), 1))]))
        for y in np.eye(3)
    ]
    log_p = np.transpose(joint) - logsumexp(joint, axis=0)[:, None]
    assert_allclose(model.predict_log_proba(X), log_p, atol=1e-10)
    assert_allclose(model.predict_proba(X), np.exp(log_p), atol=1e-10)
    assert_array_equal(model.predict(X), model.classes_[log_p.argmax(axis=1)])
    assert_allclose(model.decision_function(X), log_p, atol=1e-10)
    two = machine().fit(X, Y)
    z = two.predict_log_proba(X)
    assert_allclose(two.decision_function(X), z[:, 1] - z[:, 0])


@pytest.mark.parametrize("objective", ["hybrid", "discriminative", "generative"])
def test_every_objective_learns(objective):
    model = RBMClassifier(16, objective=objective, random_state=0)
    model.set_params(batch_size=5, max_iter=80).fit(BINARY, BINARY[:, 0].astype(int))
    assert model.score(BINARY, BINARY[:, 0].astype(int)) > 0.95
    assert bool(model.loss_curve_) == (objective != "generative")


@pytest.mark.parametrize("n_unlabelled", [0, len(BINARY) * 3 // 4])
def test_the_top_machine_of_the_defaults_can_be_given(n_unlabelled):
    budget = TOP_MACHINE_OF_FEW_LABELS if n_unlabelled else TOP_MACHINE
    length = budget.resolved(len(BINARY), "auto", "auto")
    top = RBMTransformer(**classifying_top(*length, True, 7))
    options = {"unlabeled": "?", "random_state": 0}
    y = np.concatenate([Y3[: len(Y3) - n_unlabelled], ["?"] * n_unlabelled])
    models = [
        GenerativeDBNClassifier((4, 3), rbm=its, **options).fit(BINARY, y)
        for its in ([rbm(), None], [rbm(), top])
    ]
    weights = [model.dbn_.rbms[-1].params.flat for model in models]
    assert_array_equal(*weights)


def test_the_likelihood_sums_out_the_class():
    model = machine(max_iter=20, objective="generative").fit(BINARY, Y3)
    joint = [
        -model.rbm_.free_energy(np.hstack([BINARY, np.tile(y, (len(X), 1))]))
        for y in np.eye(3)
    ]
    want = logsumexp(joint, axis=0) - exact_log_z(model.rbm_)
    assert_allclose(model.score_samples(BINARY), want)
    states = np.array(np.meshgrid(*[[0.0, 1.0]] * 5)).reshape(5, -1).T
    assert_allclose(np.exp(model.score_samples(states)).sum(), 1.0)
    half = np.full((1, 5), np.nan)
    half[0, 0] = 1.0
    own = logsumexp(model.score_samples(states[states[:, 0] == 1.0]))
    assert_allclose(model.score_samples(half), [own])
    assert_allclose(model.score_samples(csr_array(BINARY)), want)


def test_densities_are_those_of_x_as_given():
    wide = machine(visible=Gaussian()).fit(10.0 * REAL, Y)
    narrow = machine(visible=Gaussian()).fit(REAL, Y)
    shift = 5 * np.log(10.0)
    assert_allclose(wide.score_samples(10.0 * REAL), narrow.score_samples(REAL) - shift)


def two_kinds(n=300):
    rng = np.random.default_rng(0)
    y = np.array(["ant", "bee"])[rng.integers(2, size=n)]
    rows = np.where((y == "bee")[:, None], 0.9, 0.1) > rng.random((n, 6))
    return rows * 1.0, y


def test_samples_of_a_class_are_of_that_class():
    rows, y = two_kinds()
    model = RBMClassifier(8, objective="generative", max_iter=30, random_state=0)
    model.fit(rows, y)
    bees = model.sample(200, label="bee", steps=50, random_state=0)
    assert bees.mean() > 0.75
    mixed = np.repeat(["ant", "bee"], 100)
    both = model.sample(200, label=mixed, steps=50, random_state=0)
    assert both[:100].mean() < 0.25 and both[100:].mean() > 0.75
    free = model.sample(200, steps=50, random_state=0)
    assert {*model.predict(free)} == {"ant", "bee"}
    again = model.sample(200, steps=50, random_state=0)
    assert_array_equal(free, again)
    text = message(model.sample, 3, label="cat")
    assert "label holds ['cat']" in text
    assert "one class for all" in message(model.sample, 3, label=["ant", "bee"])


def test_samples_are_in_the_units_of_x():
    model = machine(visible="gaussian", max_iter=20).fit(REAL, Y)
    assert abs(model.sample(500, steps=20, random_state=0).mean() - REAL.mean()) < 1.0


def test_rows_without_a_label_help():
    rows, y = two_kinds()
    few = np.where(np.arange(300) < 4, y, "?").astype(object)
    few[:4] = ["ant", "bee", "ant", "bee"]
    rows[:4] = rows[
        [*np.flatnonzero(y == "ant")[:1], *np.flatnonzero(y == "bee")[:1]] * 2
    ]
    model = RBMClassifier(8, unlabeled="?", generative_weight=1.0, random_state=0)
    model.set_params(max_iter=40, batch_size=20).fit(rows, few)
    assert (model.predict(rows[4:]) == y[4:]).mean() > 0.95
    assert list(model.classes_) == ["ant", "bee"]
    assert model.score(rows, few) == (model.predict(rows[:4]) == few[:4]).mean()


def test_frames_with_categories_and_holes():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(5.0, 2.0, 120),
            "kind": pd.Categorical(rng.choice(["a", "b", "c"], 120)),
            "flag": rng.random(120) < 0.5,
        }
    )
    y = (frame["size"] > 5.0).astype(int).to_numpy()
    frame.loc[::7, "size"] = np.nan
    model = RBMClassifier(16, batch_size=10, max_iter=60, random_state=0).fit(frame, y)
    assert model.score(frame, y) > 0.85
    drawn = model.sample(20, label=1, steps=20, random_state=0)
    assert list(drawn.columns) == ["size", "kind", "flag"]
    assert np.isfinite(model.score_samples(frame)).all()


def test_sparse_rows_are_like_dense_ones():
    dense, sparse = machine().fit(BINARY, Y), machine().fit(csr_array(BINARY), Y)
    assert_allclose(
        sparse.predict_proba(csr_array(BINARY)), dense.predict_proba(BINARY), atol=1e-10
    )


def test_rows_that_are_read_when_they_are_needed():
    rows = ScaledRows(BINARY.astype(np.uint8))
    lazy = machine().fit(rows, Y)
    memory = machine().fit(BINARY.astype(np.float32), Y)
    assert_allclose(lazy.predict_proba(rows), memory.predict_proba(rows), rtol=1e-6)


def test_weights_of_classes_move_the_probabilities():
    plain = machine(max_iter=20).fit(X, Y).predict_proba(X)[:, 1].mean()
    heavy = machine(max_iter=20, class_weight={0: 1.0, 1: 9.0}).fit(X, Y)
    assert heavy.predict_proba(X)[:, 1].mean() > plain + 0.1
    weighted = machine(max_iter=20).fit(X, Y, sample_weight=np.where(Y, 9.0, 1.0))
    assert_allclose(weighted.predict_proba(X), heavy.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("objective", ["hybrid", "discriminative", "generative"])
@pytest.mark.parametrize("data", [X, REAL], ids=["bernoulli", "gaussian"])
def test_integer_weights_are_repeated_rows(objective, data):
    count = np.random.default_rng(1).integers(0, 4, size=len(X))
    one_step = {"sampler": MeanField(), "optimizer": SGD(0.5, momentum=0.0)}
    one_step |= {"batch_size": 10_000, "max_iter": 1, "objective": objective}
    weighted = machine(**one_step).fit(data, Y3, sample_weight=count)
    rows, labels = np.repeat(data, count, axis=0), np.repeat(Y3, count)
    repeated = machine(**one_step).fit(rows, labels)
    both = weighted.rbm_.params.flat, repeated.rbm_.params.flat
    assert_allclose(*both, atol=1e-10)


@pytest.mark.parametrize("cls", GENERATIVE)
def test_rows_of_weight_zero_are_left_out(cls):
    kept = np.arange(len(X)) % 3 > 0
    rows = np.where(kept[:, None], X, 7.0)
    weighted = small(cls).fit(rows, Y, sample_weight=kept.astype(float))
    dropped = small(cls).fit(X[kept], Y[kept], sample_weight=np.ones(kept.sum()))
    assert_array_equal(weighted.predict_proba(X), dropped.predict_proba(X))


@pytest.mark.parametrize("cls", GENERATIVE)
@needs_torch
def test_on_a_device_it_learns_the_same_and_returns_numpy(cls):
    rows, y = two_kinds()
    options = {"random_state": 0, "device": "cpu"}
    if cls is GenerativeDBNClassifier:
        options |= {"hidden_layer_sizes": (8, 8), "up_down": 2}
    else:
        options |= {"n_components": 8, "max_iter": 20}
    model = cls(**options).fit(rows, y, X_val=rows[:9], y_val=y[:9])
    assert model.score(rows, y) > 0.95
    assert type(model.predict_proba(rows)) is np.ndarray
    assert type(model.sample(3, label="bee", steps=3)) is np.ndarray
    assert np.isfinite(model.score_samples(rows[:3])).all()


@pytest.mark.parametrize("export", [to_sklearn, to_torch])
@pytest.mark.parametrize("cls", GENERATIVE)
def test_exports_refuse_what_is_no_net(cls, export):
    text = message(export, small(cls).fit(X, Y), error=TypeError)
    assert f"got {cls.__name__}" in text


def test_early_stopping_watches_rows_that_are_not_trained_on():
    options = {"optimizer": SGD(0.5), "batch_size": 1, "max_iter": 60, "tol": 0.5}
    short = machine(early_stopping=True, n_iter_no_change=1, **options).fit(X, Y3)
    long = machine(early_stopping=True, n_iter_no_change=30, **options).fit(X, Y3)
    assert short.n_iter_ < long.n_iter_ < 60
    losses = [entry["validation_loss"] for entry in short.history_]
    given = machine(max_iter=4).fit(X[:50], Y3[:50], X_val=X[50:], y_val=Y3[50:])
    last = given.history_[-1]
    log_p = given.predict_log_proba(X[50:])
    own = np.searchsorted(given.classes_, Y3[50:])
    assert_allclose(last["validation_loss"], -log_p[np.arange(10), own].mean())
    assert last["validation_score"] == given.score(X[50:], Y3[50:])
    assert min(losses) < losses[0]


@pytest.mark.parametrize("objective", ["hybrid", "discriminative", "generative"])
@pytest.mark.parametrize("sampler", ["cd", "pcd"])
def test_a_resumed_fit_is_the_fit_bit_for_bit(tmp_path, objective, sampler):
    options = {"objective": objective, "sampler": sampler, "optimizer": SGD(0.1)}
    options |= {"unlabeled": "low", "early_stopping": True}
    whole = machine(max_iter=6, **options).fit(X, Y3)
    first = machine(max_iter=3, **options)
    first.set_callbacks(Checkpoint(tmp_path)).fit(X, Y3)
    second = machine(max_iter=6, **options)
    second.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X, Y3)
    assert_array_equal(second.rbm_.params.flat, whole.rbm_.params.flat)
    assert second.history_ == whole.history_


def test_chunk_by_chunk():
    model = machine(optimizer=SGD(0.1))
    model.partial_fit(X[:30], np.zeros(30, int), classes=[0, 1])
    model.partial_fit(X[30:], Y[30:])
    assert model.n_iter_ == 2
    assert list(model.classes_) == [0, 1]
    assert "training began with [0, 1]" in message(
        model.partial_fit, X, Y, classes=[0, 1, 2]
    )


def test_a_warm_start_goes_on():
    steady = {"optimizer": SGD(0.1), "batch_size": 20}
    whole = machine(max_iter=6, **steady).fit(X, Y)
    parts = machine(max_iter=3, warm_start=True, **steady).fit(X, Y).fit(X, Y)
    assert_array_equal(parts.rbm_.params.flat, whole.rbm_.params.flat)
    parts.set_params(n_components=9)
    assert "n_components=9" in message(parts.fit, X, Y)


def test_a_net_starts_from_its_features():
    model = machine(max_iter=20).fit(X, Y3)
    net = DBNClassifier(init=FrozenEstimator(model), max_iter=1, random_state=0)
    net.set_params(optimizer=SGD(1e-12)).fit(X, Y3)
    mean = model._state["means"][0][5:]
    W, U = model.rbm_.W[:5], model.rbm_.labels.U
    assert_allclose(net.coefs_[0], W, atol=1e-9)
    assert_allclose(net.intercepts_[0], model.rbm_.c + mean @ U, atol=1e-9)


def test_a_file_holds_all_of_it(tmp_path):
    for i, (rows, y) in enumerate([(BINARY, Y3), (REAL, Y)]):
        model = machine().fit(rows, y)
        save_model(model, tmp_path / f"{i}.dbn")
        loaded = load_model(tmp_path / f"{i}.dbn")
        assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
        assert_array_equal(loaded.score_samples(rows), model.score_samples(rows))
        assert_array_equal(
            loaded.sample(5, label=y[0], steps=5, random_state=0),
            model.sample(5, label=y[0], steps=5, random_state=0),
        )
    frozen = DBNClassifier(init=FrozenEstimator(model), max_iter=1, random_state=0)
    save_model(frozen.fit(REAL, Y), tmp_path / "net.dbn")
    assert_array_equal(
        load_model(tmp_path / "net.dbn").predict_proba(REAL), frozen.predict_proba(REAL)
    )


def test_what_is_refused_says_what_to_do():
    assert "1 class" in message(machine().fit, X, np.zeros(len(X)))
    lbfgs = machine(optimizer="lbfgs")
    assert "searches along lines" in message(lbfgs.fit, X, Y)
    both = np.eye(2, dtype=int)[Y]
    assert message(machine().fit, X, both)
    assert "objective" in message(machine(objective="both").fit, X, Y)


def test_digits_by_default():
    rows, y = load_digits(return_X_y=True)
    model = RBMClassifier(64, visible=Bernoulli(), random_state=0)
    model.fit(rows[:1000] / 16, y[:1000])
    assert model.score(rows[1000:] / 16, y[1000:]) > 0.91


# The stack.


def deep(**params):
    return small(GenerativeDBNClassifier, **params)


def test_the_stacks_probabilities_are_those_of_the_top_machine():
    model = deep().fit(X, Y3)
    low, top = model.dbn_.rbms
    f = low.mean_hidden(X)
    joint = [
        -top.free_energy(np.hstack([f, np.tile(y, (len(X), 1))])) for y in np.eye(3)
    ]
    log_p = np.transpose(joint) - logsumexp(joint, axis=0)[:, None]
    assert_allclose(model.predict_log_proba(X), log_p, atol=1e-10)


@pytest.mark.parametrize("sizes", [(4,), (4, 3), (4, 4, 3)])
@pytest.mark.parametrize("how", [None, 2, UpDown(2, optimizer=SGD(0.01))])
def test_any_number_of_layers(sizes, how):
    prototype = rbm() if len(sizes) > 1 else None
    model = GenerativeDBNClassifier(sizes, rbm=prototype, up_down=how, random_state=0)
    model.fit(BINARY, Y3)
    assert model.predict_proba(BINARY).shape == (60, 3)
    assert len(model.n_iter_) == len(sizes) + (how is not None)
    rows = model.sample(4, label="low", steps=5, random_state=0)
    assert {*rows.ravel()} <= {0.0, 1.0}
    assert model.inverse_transform(np.zeros((2, sizes[-1]))).shape == (2, 5)
    states = np.array(np.meshgrid(*[[0.0, 1.0]] * 5)).reshape(5, -1).T
    assert np.exp(model.score_samples(states)).sum() < 1.02  # a bound


def test_any_integer_is_a_number_of_epochs(tmp_path):
    expected = deep(up_down=2).fit(X, Y3)
    for kind in (np.int64, np.uint8):
        model = deep(up_down=kind(2)).fit(X, Y3)
        assert model.n_iter_ == expected.n_iter_
        assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        save_model(model, tmp_path / "model.dbn")
        assert load_model(tmp_path / "model.dbn").up_down == 2


def test_a_prototype_of_no_machine_is_told():
    """Of one layer, which is the top one, nothing is trained as it says."""
    idle = rbm(max_iter=1, sampler="pcd", hidden="spin")
    alone = GenerativeDBNClassifier((4,), rbm=idle, random_state=0)
    told = "a single layer has none: nothing comes of its hidden, sampler, batch_size, "
    with pytest.warns(UserWarning, match=told + "max_iter. For the top machine give"):
        alone.fit(X, Y)
    assert clone(alone).rbm.get_params() == idle.get_params()
    assert alone.rbm is idle
    plain = GenerativeDBNClassifier((4,), random_state=0).fit(X, Y)
    assert_array_equal(alone.predict_proba(X), plain.predict_proba(X))
    # What counts, or is not used anywhere, is no matter; nor is a list, or a machine
    # below.
    its = RBMTransformer(7, visible="bernoulli", random_state=3, warm_start=True)
    for model in (clone(plain).set_params(rbm=its), deep(rbm=[rbm(), None])):
        model.fit(X, Y)
    assert plain.set_params(rbm=[rbm(max_iter=1)]).fit(X, Y).n_iter_ == [1]


def test_up_down_starts_where_greedy_training_ends():
    greedy, still = deep().fit(X, Y3), deep(up_down=UpDown(1, optimizer=SGD(1e-12)))
    still.fit(X, Y3)
    assert_allclose(still.predict_proba(X), greedy.predict_proba(X), atol=1e-9)
    assert still.dbn_.generative is not None and greedy.dbn_.generative is None
    assert_allclose(still.score_samples(X), greedy.score_samples(X), atol=1e-6)


def test_the_stack_knows_classes_and_draws_them():
    rows, y = two_kinds()
    model = GenerativeDBNClassifier((8, 8), random_state=0, up_down=2)
    model.set_params(rbm=[rbm(max_iter=30), None]).fit(rows, y)
    assert model.score(rows, y) > 0.95
    assert model.sample(200, label="bee", steps=50, random_state=0).mean() > 0.7
    assert model.sample(200, label="ant", steps=50, random_state=0).mean() < 0.3
    free = model.sample(200, steps=50, random_state=0)
    assert {*model.predict(free)} == {"ant", "bee"}


def test_the_stack_learns_from_rows_without_a_label():
    rows, y = two_kinds()
    few = np.where(np.arange(300) < 30, y, "?").astype(object)
    model = GenerativeDBNClassifier((8, 8), unlabeled="?", random_state=0, up_down=2)
    model.fit(rows, few)
    assert (model.predict(rows[30:]) == y[30:]).mean() > 0.95


@pytest.mark.parametrize("seed", [1, 3])
def test_rows_without_a_label_do_not_decide_what_the_classes_are(seed):
    """Odd and even digits, which are no groups of the images."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(X))
    train, test = order[:1257], order[1257:]
    some = np.where(np.arange(1257) < 40, y[train] % 2, -1)
    net = GenerativeDBNClassifier((64,), unlabeled=-1, random_state=seed)
    net.fit(X[train] / 16, some)
    assert net.score(X[test] / 16, y[test] % 2) > 0.85


@pytest.mark.parametrize("cls", [RBMClassifier, GenerativeDBNClassifier])
def test_rows_without_a_label_may_count_for_nothing(cls):
    """A batch has no other rows, most of the time."""
    X, y = load_digits(return_X_y=True)
    some = np.where(np.arange(300) % 30, -1, y[:300])
    sizes = 16 if cls is RBMClassifier else (16,)
    model = cls(sizes, unlabeled=-1, unlabeled_weight=0.0, random_state=0)
    assert np.isfinite(model.fit(X[:300] / 16, some).predict_proba(X[:9] / 16)).all()


def test_the_stacks_history_has_rows_that_are_not_trained_on():
    model = deep(up_down=2).fit(X[:50], Y3[:50], X_val=X[50:], y_val=Y3[50:])
    phases = [
        (e["phase"], e.get("layer"), "validation_loss" in e) for e in model.history_
    ]
    assert phases == [
        *[("pretrain", 0, False)] * 2,
        *[("pretrain", 1, True)] * 2,
        *[("up-down", None, True)] * 2,
    ]
    last = model.history_[-1]
    assert last["validation_score"] == model.score(X[50:], Y3[50:])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7])
def test_a_resumed_stack_is_the_whole_one_bit_for_bit(tmp_path, n):
    options = {"up_down": UpDown(4, batch_size=20), "unlabeled": "low"}
    whole = deep(**options).fit(X, Y3)
    first = deep(**options).set_callbacks(Checkpoint(tmp_path), StopAfter(n))
    with pytest.raises(KeyboardInterrupt):
        first.fit(X, Y3)
    second = deep(**options).set_callbacks(Checkpoint(tmp_path, resume=True))
    second.fit(X, Y3)
    machines = [(*m.dbn_.rbms, *m.dbn_.generative) for m in (whole, second)]
    for one, other in zip(*machines, strict=True):
        assert_array_equal(one.params.flat, other.params.flat)
    assert second.history_ == whole.history_


def test_a_resumed_default_stack_is_the_whole_one(tmp_path):
    options = {"hidden_layer_sizes": (4, 3), "random_state": 0}
    options |= {"rbm": [rbm(), None]}
    whole = GenerativeDBNClassifier(**options).fit(X, Y3)
    first = GenerativeDBNClassifier(**options)
    first.set_callbacks(Checkpoint(tmp_path), StopAfter(90))
    with pytest.raises(KeyboardInterrupt):
        first.fit(X, Y3)
    second = GenerativeDBNClassifier(**options)
    second.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X, Y3)
    assert_array_equal(
        second.dbn_.rbms[-1].params.flat, whole.dbn_.rbms[-1].params.flat
    )


def test_files_hold_untied_stacks(tmp_path):
    for how in (None, 1):
        model = deep(up_down=how).fit(REAL, Y3)
        save_model(model, tmp_path / "deep.dbn")
        loaded = load_model(tmp_path / "deep.dbn")
        assert_array_equal(loaded.predict_proba(REAL), model.predict_proba(REAL))
        assert_array_equal(
            loaded.sample(5, label="low", steps=5, random_state=0),
            model.sample(5, label="low", steps=5, random_state=0),
        )
        save_model(model.dbn_, tmp_path / "bare.dbn")
        bare = load_model(tmp_path / "bare.dbn")
        assert (bare.generative is None) == (how is None)
    start = FrozenEstimator(model)
    net = DBNClassifier(init=start, max_iter=1, optimizer=SGD(1e-12)).fit(REAL, Y3)
    assert_allclose(net.coefs_[1], model.dbn_.rbms[1].W[:4], atol=1e-9)


def test_digits_by_the_stack():
    rows, y = load_digits(return_X_y=True)
    model = GenerativeDBNClassifier((64, 256), random_state=0)
    model.fit(rows[:1000] / 16, y[:1000])
    assert model.score(rows[1000:] / 16, y[1000:]) > 0.9


def test_a_model_that_knows_no_classes_says_so():
    far = {"rbm": RBMTransformer(3, visible="bernoulli", max_iter=1)}
    model = GenerativeDBNClassifier((3, 3), **far, random_state=0)
    with pytest.warns(ConvergenceWarning, match="All of 60 training rows .* taken for"):
        model.fit(X / 1e4, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        GenerativeDBNClassifier((16, 32), random_state=0).fit(X, Y)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_of_classes_do_not_act_on_machines_without_labels(early_stopping):
    """Where a class weighs nothing, or rows are held out, too."""
    y = np.where(np.arange(60) < 45, np.arange(60) % 3, -1)

    def lowest(weights, unlabeled_weight=1.0):
        stack = small(GenerativeDBNClassifier, unlabeled=-1, class_weight=weights)
        stack.set_params(unlabeled_weight=unlabeled_weight)
        rows = {"X_val": X[:9], "y_val": np.arange(9) % 3} if early_stopping else {}
        return stack.fit(X, y, **rows).dbn_.rbms[0].W

    others = [lowest({0: 0.0, 1: 5.0, 2: 1.0}), lowest({0: 0.0, 1: 1.0, 2: 1.0}, 0.0)]
    for W in others:
        assert_array_equal(W, lowest({0: 0.0, 1: 1.0, 2: 1.0}))


@pytest.mark.parametrize("sampler", ["cd", "pcd", "fpcd", "pt"])
def test_rows_without_label_and_weight_are_as_if_they_were_not_there(sampler):
    """Most batches hold nothing else: such a batch once drove the machine away."""
    rng = np.random.default_rng(0)
    y = np.where(np.arange(400) < 20, np.arange(400) % 2, -1)
    p = np.where(y[:, None] == 1, [0.9] * 4 + [0.1] * 4, [0.1] * 4 + [0.9] * 4)
    rows = (rng.random((400, 8)) < np.where(y[:, None] < 0, 0.5, p)) * 1.0
    clf = RBMClassifier(8, objective="generative", sampler=sampler, random_state=0)
    clf.set_params(unlabeled=-1, unlabeled_weight=0.0, batch_size=5, max_iter=20)
    clf.fit(rows, y)
    assert clf.score_samples(rows[:20]).mean() > -8 * np.log(2.0)
    assert clf.score(rows[:20], y[:20]) == 1.0
