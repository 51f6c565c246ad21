"""Data that are not in memory: rows of files, and bytes with a scale."""

import contextlib
import tempfile
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from dbn import (
    RBM,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
    ScaledRows,
    load_model,
    save_model,
)
from dbn.backend import rows as module
from dbn.boltzmann import PCD
from dbn.training import SGD, Checkpoint, RBMMonitor, pretrain, train_rbm
from tests.helpers import Callback

from .toy import ALL, Y, message, output, rbm, small

BYTES = np.random.default_rng(0).integers(0, 256, (60, 5), dtype=np.uint8)
BYTES[0] = 0
WHOLE = BYTES / np.float32(255)
REAL = (3.0 * np.random.default_rng(1).standard_normal((60, 5)) + 1).astype(np.float32)

KINDS = ["bernoulli", "gaussian", "double"]


def mapped(path, X, order="C"):
    """X in a file, mapped read-only."""
    path.write_bytes(X.tobytes(order))
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape, order=order)


@pytest.fixture
def streamed(monkeypatch):
    """Files of more than 100 bytes are streamed, and shuffled like arrays in memory."""
    monkeypatch.setattr(module, "_GROUP", 100)
    monkeypatch.setattr(
        ScaledRows, "shuffled", lambda rows, rng: [rng.permutation(rows.shape[0])]
    )


def close(one, other, X):
    """Whether two fitted estimators are the same up to rounding."""
    assert_allclose(output(one, X), output(other, X), rtol=1e-4, atol=1e-6)
    return True


# The same rows in the same order


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("place", ["memory", "file"])
def test_scaled_bytes_train_like_the_array_of_floats(cls, place, tmp_path):
    X = BYTES if place == "memory" else mapped(tmp_path / "X", BYTES)
    rows = ScaledRows(X, divide_by=255)
    fitted, expected = small(cls).fit(rows, Y), small(cls).fit(WHOLE, Y)
    assert_array_equal(output(fitted, rows), output(expected, WHOLE))
    assert_array_equal(output(fitted, WHOLE), output(expected, WHOLE))
    assert fitted.n_features_in_ == 5
    assert [*fitted.history_] == [*expected.history_]


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("X", [WHOLE, REAL, REAL.astype(float)], ids=KINDS)
def test_files_train_like_arrays(cls, X, tmp_path, streamed):
    rows = mapped(tmp_path / "X", X)
    fitted, expected = small(cls).fit(rows, Y), small(cls).fit(X, Y)
    assert type(fitted.visible_) is type(expected.visible_)
    assert output(fitted, rows).dtype == X.dtype
    assert close(fitted, expected, X)
    assert_array_equal(output(fitted, rows), output(fitted, X))


@pytest.mark.parametrize("cls", ALL)
def test_plain_bytes_mean_what_they_mean_in_memory(cls, tmp_path, streamed):
    with pytest.warns(UserWarning, match="X holds whole numbers from 0 to 255"):
        fitted = small(cls).fit(mapped(tmp_path / "X", BYTES), Y)
    with pytest.warns(UserWarning, match="pass X / 255"):
        expected = small(cls).fit(BYTES, Y)
    assert repr(fitted.visible_) == "Gaussian(learn_variance=True)"
    assert output(fitted, BYTES).dtype == np.float64
    assert close(fitted, expected, BYTES)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("X", [WHOLE, REAL], ids=KINDS[:2])
def test_weights_of_rows_in_a_file(cls, X, tmp_path, streamed):
    weight = np.arange(60) % 3.0
    fitted = small(cls).fit(mapped(tmp_path / "X", X), Y, sample_weight=weight)
    assert close(fitted, small(cls).fit(X, Y, sample_weight=weight), X)


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_going_on_with_rows_in_a_file(visible, tmp_path, streamed):
    X = WHOLE if visible == "bernoulli" else REAL
    rows = mapped(tmp_path / "X", X)
    fitted, expected = (
        rbm(visible=visible, random_state=0).fit(first).partial_fit(second)
        for first, second in ((rows, X.astype(float)), (X, X))
    )
    assert close(fitted, expected, X)
    assert fitted.rbm_.W.dtype == np.float32
    assert close(fitted.partial_fit(ScaledRows(rows)), expected.partial_fit(X), X)
    double = rbm(visible=visible, random_state=0).fit(X.astype(float))
    assert double.partial_fit(rows).rbm_.W.dtype == np.float64


def test_a_model_of_one_precision_sees_rows_of_the_other(tmp_path, streamed):
    double = small(RBMTransformer).fit(REAL.astype(float))
    rows = mapped(tmp_path / "X", REAL)
    assert double.transform(rows).dtype == double.transform(REAL).dtype
    assert_array_equal(double.transform(rows), double.transform(REAL))


def test_what_else_takes_rows(tmp_path):
    rows = ScaledRows(mapped(tmp_path / "X", BYTES), divide_by=255)
    for fitted in (small(RBMTransformer).fit(rows), small(DBNTransformer).fit(rows)):
        assert_array_equal(fitted.score_samples(rows), fitted.score_samples(WHOLE))
    clf = small(DBNClassifier, early_stopping=True, validation_fraction=0.3)
    clf.fit(rows, Y, X_val=rows, y_val=Y)
    assert clf.score(rows, Y) == clf.score(WHOLE, Y)
    semi = small(DBNClassifier, unlabeled=-1)
    some = np.where(np.arange(60) < 30, Y, -1)
    again = small(DBNClassifier, unlabeled=-1).fit(WHOLE, some)
    assert_array_equal(semi.fit(rows, some).predict_proba(WHOLE), output(again, WHOLE))
    monitored = small(RBMTransformer).set_callbacks(RBMMonitor(rows)).fit(rows)
    plain = small(RBMTransformer).set_callbacks(RBMMonitor(WHOLE)).fit(WHOLE)
    assert monitored.history_ == plain.history_
    pipe = make_pipeline(small(RBMTransformer), small(DBNRegressor))
    assert cross_val_score(pipe, rows, WHOLE[:, 0], cv=2).shape == (2,)
    save_model(clf, tmp_path / "model")
    assert_array_equal(output(load_model(tmp_path / "model"), rows), output(clf, WHOLE))


# What is refused


def late(X, value):
    X = X.copy()
    X[-1, -1] = value
    return X


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_found_late_in_a_file(cls, value, tmp_path, streamed):
    rows = mapped(tmp_path / "X", late(WHOLE, value))
    for X in (rows, ScaledRows(rows, 2.0)):
        assert "Input X contains" in message(small(cls).fit, X, Y)
    fitted = small(cls).fit(WHOLE, Y)
    assert "Input X contains" in message(output, fitted, rows)


@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_what_is_out_of_range_is_found_late_in_a_file(value, tmp_path, streamed):
    rows = mapped(tmp_path / "X", late(WHOLE, value))
    estimator = small(RBMTransformer, visible="bernoulli")
    assert f"{value}" in message(estimator.fit, rows)
    assert f"{value}" in message(estimator.fit(WHOLE).partial_fit, rows)
    assert f"{value}" in message(estimator.score_samples, rows)
    assert (
        repr(small(RBMTransformer).fit(rows).visible_)
        == "Gaussian(learn_variance=True)"
    )
    bytes_ = ScaledRows(BYTES, divide_by=100)
    assert "maximum 2.55" in message(estimator.fit, bytes_)


@pytest.mark.parametrize("cls", ALL)
def test_rows_that_do_not_fit(cls):
    fitted = small(cls).fit(WHOLE, Y)
    rows = ScaledRows(BYTES[:, :4], 255)
    assert "is expecting 5 features" in message(output, fitted, rows)
    if cls in (DBNClassifier, DBNRegressor):
        assert "inconsistent numbers" in message(fitted.fit, ScaledRows(BYTES), Y[:-1])
        assert "requires y" in message(fitted.fit, ScaledRows(BYTES), None)
        wrong = np.where(Y, np.nan, 1.0)
        assert "Input y contains NaN" in message(fitted.fit, ScaledRows(BYTES), wrong)


@pytest.mark.parametrize("cls", ALL)
def test_columns_in_a_file_are_copied_and_a_large_one_warns(cls, tmp_path, monkeypatch):
    rows = mapped(tmp_path / "X", WHOLE, order="F")
    kept = output(small(cls).fit(rows, Y), WHOLE)
    assert_array_equal(kept, output(small(cls).fit(WHOLE, Y), WHOLE))
    monkeypatch.setattr(module, "_GROUP", 100)
    with pytest.warns(RuntimeWarning, match="Write it in C order"):
        fitted = small(cls).fit(rows, Y)
    assert_array_equal(output(fitted, rows), kept)


# Memory


@contextlib.contextmanager
def allocating_at_most(n_bytes):
    """NumPy's arrays in memory; pages of files do not count."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < n_bytes
    finally:
        tracemalloc.stop()


SHAPE = 33_000, 784
ONE_EPOCH = {"n_components": 8, "max_iter": 1, "batch_size": 1000, "random_state": 0}


def tiles(dtype):
    """1000 rows in the range of Bernoulli units, and as bytes."""
    grey = np.random.default_rng(0).random((1000, SHAPE[1]), dtype=np.float32)
    return (256 * grey).astype(dtype) if dtype == np.uint8 else grey.astype(dtype)


@pytest.fixture(scope="module", params=[np.float32, np.uint8], ids=["floats", "bytes"])
def large(request, tmp_path_factory):
    """A read-only map of 103 MB as floats, or of 26 MB as bytes."""
    path = tmp_path_factory.mktemp("large") / "X"
    with path.open("wb") as file:
        for _ in range(SHAPE[0] // 1000):
            tiles(request.param).tofile(file)
    yield np.memmap(path, dtype=request.param, mode="r", shape=SHAPE)
    path.unlink()


@pytest.mark.parametrize("visible", ["auto", "gaussian"])
@pytest.mark.parametrize("weighted", [False, True])
def test_fit_and_scoring_copy_no_file(large, visible, weighted):
    weight = np.arange(SHAPE[0]) % 2 if weighted else None
    rows = large if large.dtype == np.float32 else ScaledRows(large, divide_by=255)
    model = RBMTransformer(visible=visible, **ONE_EPOCH)
    with allocating_at_most(60e6):
        model.fit(rows, sample_weight=weight)
        model.partial_fit(rows)
        assert model.transform(rows).shape == (SHAPE[0], 8)
        model.score_samples(rows)
    assert model.history_[-1]["reconstruction_error"] < 1.2


def test_predictors_copy_no_file(large):
    rows = large if large.dtype == np.float32 else ScaledRows(large, divide_by=255)
    y = np.arange(SHAPE[0]) % 2
    net = DBNClassifier(
        (8,), rbm=RBMTransformer(**ONE_EPOCH), max_iter=1, batch_size=1000
    )
    with allocating_at_most(60e6):
        net.fit(rows, y).predict(rows)


@pytest.mark.parametrize("budget", [0, 30_000_000])
def test_hidden_activities_of_a_stack_stay_within_the_budget(large, budget):
    """The lower layer has 53 MB, the one above 16."""
    rows = large if large.dtype == np.float32 else ScaledRows(large, divide_by=255)
    prototype = RBMTransformer(max_iter=1, batch_size=2000)
    stack = DBNTransformer(
        (200, 60, 4), rbm=prototype, memory_budget=budget, random_state=0
    )
    with allocating_at_most(budget + 50e6):
        stack.fit(rows)
    assert np.isfinite([e["reconstruction_error"] for e in stack.history_]).all()


# The budget of a stack


@pytest.mark.parametrize("budget", [0, 60 * 4 * 4, 60 * 8 * 4, None])
def test_a_budget_changes_no_result(budget, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = DBNTransformer((4, 4, 3), rbm=rbm(), random_state=0).fit(WHOLE)
    stack = DBNTransformer((4, 4, 3), rbm=rbm(), random_state=0, memory_budget=budget)
    assert_array_equal(stack.fit(WHOLE).transform(WHOLE), kept.transform(WHOLE))
    start = DBNTransformer((4, 4, 3), rbm=rbm(), random_state=0, memory_budget=budget)
    net = DBNClassifier(init=start, max_iter=1, random_state=0).fit(WHOLE, Y)
    assert_array_equal(net.dbn_.transform(WHOLE), kept.transform(WHOLE))
    assert list(tmp_path.iterdir()) == []


class Seen(Exception):
    """Raised by a callback."""


class Watch(Callback):
    """Callback that writes down in which memory each layer's rows are."""

    def __init__(self, error=None):
        self.error, self.maps = error, []

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.maps.append(files_without_name())
            if self.error and context.parent.task_id == 1:
                raise self.error


def files_without_name():
    """Maps of this process of deleted files, which only they keep."""
    with open("/proc/self/maps") as file:
        return sum("(deleted)" in line and "/#" in line for line in file)


@pytest.mark.parametrize(
    ("budget", "expected"), [(0, [0, 1, 1]), (60 * 16, [0, 0, 1]), (60 * 32, [0] * 3)]
)
def test_what_does_not_fit_goes_to_a_file(budget, expected):
    """Of 4 float32 numbers a row in both lower layers."""
    watch, before = Watch(), files_without_name()
    stack = DBNTransformer((4, 4, 3), rbm=rbm(max_iter=1), memory_budget=budget)
    stack.set_callbacks(watch).fit(WHOLE)
    assert [n - before for n in watch.maps] == expected
    assert files_without_name() == before


def test_a_predictor_keeps_to_the_budget_of_its_init():
    watch, before = Watch(), files_without_name()
    stack = DBNTransformer((4, 3), rbm=rbm(max_iter=1), memory_budget=0)
    DBNClassifier(init=stack, max_iter=1).set_callbacks(watch).fit(WHOLE, Y)
    assert [n - before for n in watch.maps] == [0, 1, 0]


@pytest.mark.parametrize("error", [Seen, KeyboardInterrupt])
def test_no_file_is_left_after_an_error(error, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    watch, before = Watch(error), files_without_name()
    stack = DBNTransformer((4, 3), rbm=rbm(), memory_budget=0).set_callbacks(watch)
    with pytest.raises(error):
        stack.fit(WHOLE)
    assert watch.maps[-1] == before + 1
    assert list(tmp_path.iterdir()) == []


def test_the_budget_is_checked():
    for budget in (-1, 0.5, "1 GB"):
        stack = DBNTransformer((4, 3), memory_budget=budget)
        assert "The 'memory_budget' parameter" in message(stack.fit, WHOLE)


def test_pretrain_takes_a_budget():
    options = {"visible": "bernoulli", "layer_options": [{"max_iter": 2}] * 2}
    stacks = [
        pretrain(WHOLE, [4, 3], rng=np.random.default_rng(0), **options, **budget)
        for budget in ({}, {"memory_budget": 0})
    ]
    assert_array_equal(*(stack.transform(WHOLE) for stack in stacks))


@pytest.mark.parametrize("order", [None, "groups"])
def test_the_mathematics_takes_files_as_they_are(order, tmp_path, monkeypatch):
    """Without an estimator, and with the same shuffles."""
    monkeypatch.setattr(module, "_GROUP", 400 if order else 2**26)
    X = mapped(tmp_path / "X", WHOLE)
    places, found = (X, ScaledRows(X), WHOLE), []
    for rows in places:
        machine, rng = RBM(5, 4, dtype=np.float32), np.random.default_rng(0)
        train_rbm(machine, rows, rng=rng, batch_size=10)
        found.append(machine.params.flat)
    assert_array_equal(found[0], found[1])
    assert (np.abs(found[1] - found[2]).max() > 1e-3) == bool(order)


# Going on


def test_a_checkpoint_of_a_fit_from_a_file_resumes_bit_for_bit(tmp_path, monkeypatch):
    """With rows in groups of blocks, whose order comes from the random stream too."""
    monkeypatch.setattr(module, "_GROUP", 160)
    rows = ScaledRows(mapped(tmp_path / "X", BYTES), divide_by=255)
    parts = {"rbm": rbm(sampler=PCD(n_chains=5)), "memory_budget": 0}
    whole = DBNTransformer((4, 3), random_state=0, **parts).fit(rows)
    assert len(list(rows.shuffled(np.random.default_rng(0)))) == 2
    for stop in (1, 3):
        stopped = DBNTransformer((4, 3), random_state=0, **parts)
        stopped.set_callbacks(Checkpoint(tmp_path / "kept"), StopAfter(stop))
        with pytest.raises(KeyboardInterrupt):
            stopped.fit(rows)
        resumed = DBNTransformer((4, 3), random_state=0, **parts)
        resumed.set_callbacks(Checkpoint(tmp_path / "kept", resume=True)).fit(rows)
        assert_array_equal(resumed.transform(rows), whole.transform(rows))
        assert resumed.history_ == whole.history_


class StopAfter(Watch):
    """Callback that interrupts when so many epochs are done."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_fit_task_end(self, estimator, context):
        if len(estimator.history_) > self.n_epochs:
            raise KeyboardInterrupt


def test_rows_in_blocks_train_as_well_as_in_one_permutation(tmp_path, monkeypatch):
    """Digits as bytes, sorted by class: the worst order for blocks."""
    digits, y = load_digits(return_X_y=True)
    X = digits[np.argsort(y)].astype(np.uint8)
    rows = ScaledRows(mapped(tmp_path / "X", X), divide_by=16)
    model = RBMTransformer(64, batch_size=20, random_state=0)
    plain = reconstruction_error(model.fit(rows), X)
    monkeypatch.setattr(module, "_GROUP", X.nbytes // 4)
    assert len(list(rows.shuffled(np.random.default_rng(0)))) > 3
    blocks = reconstruction_error(model.fit(rows), X)
    assert abs(blocks / plain - 1) < 0.1
    assert blocks != plain


def reconstruction_error(model, X):
    rows = X.astype(np.float32) / 16
    return np.mean((model.inverse_transform(model.transform(rows)) - rows) ** 2)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": SGD(0.1, momentum=((0, 0.5), (5, 0.9)))},
        {"sampler": PCD(), "optimizer": SGD(0.05, momentum=0.0), "centering": True},
    ],
    ids=["features", "density"],
)
def test_partial_fit_over_chunks_is_as_good_as_fit(options):
    digits = load_digits().data.astype(np.float32)
    X = digits[np.random.default_rng(0).permutation(len(digits))] / 16
    train, test = X[:1500], X[1500:]
    whole = RBMTransformer(16, batch_size=20, max_iter=20, random_state=0, **options)
    chunked = RBMTransformer(16, batch_size=20, random_state=0, **options)
    whole.fit(train)
    for _ in range(20):
        for chunk in np.array_split(train, 6):
            chunked.partial_fit(chunk)
    assert chunked.n_iter_ == 120
    errors = [reconstruction_error(model, 16 * test) for model in (chunked, whole)]
    assert abs(errors[0] / errors[1] - 1) < 0.05
    if "sampler" in options:
        assert abs(chunked.score(test) - whole.score(test)) < 0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standardised_rows_are_the_only_copy(dtype, monkeypatch):
    # It sets 32 MB aside, for a moment.
    monkeypatch.setattr("dbn.training.loop._keep_freed_memory", lambda: None)
    X = np.random.default_rng(0).standard_normal((40_000, 200)).astype(dtype)
    tracemalloc.start()
    rbm(max_iter=1).fit(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < X.nbytes + 2**23
