"""Comparisons on data as people have them: labels missing, numbers, frames, holes."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import r2_score

from dbn import DBNClassifier, DBNRegressor, DBNTransformer
from dbn.evaluation import Comparison, Contender, compare_initializers, html_report
from dbn.evaluation.study.read_data import of_images, read_data
from tests.evaluation.test_comparison import spied
from tests.evaluation.test_study import TOY, untimed

FEW = TOY | {"learning_rates": [0.01], "controls": None}
FEATURES = "dbn-features + logistic regression"
CELL = "1 x 8, 40 labels"


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return (X / 16).astype(np.float32), y


def names(result):
    return [*result.errors()[CELL]]


# Rows without labels.


def test_rows_without_labels_are_pretrained_on_in_every_seed(digits, monkeypatch):
    X, y = digits
    pretrained = spied(monkeypatch, DBNTransformer, "fit")
    fits = spied(monkeypatch, DBNClassifier, "fit")
    tests = spied(monkeypatch, DBNClassifier, "predict")
    marked = np.where(np.arange(len(y)) % 3 == 0, -1, y)
    extra = X[:20] / 2
    result = compare_initializers(X, marked, unlabeled=-1, X_unlabeled=extra, **FEW)
    without = {*map(bytes, X[marked == -1])} | {*map(bytes, extra)}
    with_label = {*map(bytes, X[marked != -1])}
    assert len(pretrained) == 2
    for rows in pretrained:
        assert {*map(bytes, rows)} >= without
        assert len(rows) == result.settings["n_train"] + len(without)
    for rows in [*fits, *tests]:
        assert {*map(bytes, rows)} <= with_label
    settings = result.settings
    n_known = int((marked != -1).sum())
    assert settings["n_train"] + settings["n_test"] == n_known
    assert settings["n_unlabeled"] == len(without) and settings["n_classes"] == 4
    assert_array_equal(pretrained[0][settings["n_train"] :], [*X[marked == -1], *extra])


def test_marked_rows_and_rows_beside_are_the_same(digits):
    X, y = digits

    def beside(options):
        found = compare_initializers(X[:400], y[:400], X_unlabeled=X[400:], **options)
        return untimed(found)

    controls_too, nets = (TOY, beside(TOY)), (FEW, beside(FEW))
    of_marks = {-1: controls_too, "": nets, np.nan: nets, None: nets}
    for mark, (options, expected) in of_marks.items():
        marks = y.astype(object)
        if mark == "":
            marks = np.array([f"class {label}" for label in y], dtype=object)
        marks[400:] = mark
        unlabeled = np.nan if mark is None else mark
        found = compare_initializers(X, marks, unlabeled=unlabeled, **options)
        assert untimed(found) == expected


def test_a_fixed_test_split_beside_rows_without_labels(digits, monkeypatch):
    X, y = digits
    pretrained = spied(monkeypatch, DBNTransformer, "fit")
    marked = np.where(np.arange(len(y)) < 500, y, -1)
    result = compare_initializers(
        X, marked, X_test=X[:9], y_test=y[:9], unlabeled=-1, **FEW
    )
    assert all(np.array_equal(rows, X) for rows in pretrained)
    assert (result.settings["n_train"], result.settings["n_unlabeled"]) == (
        500,
        len(y) - 500,
    )


def test_splits_of_the_user_leave_out_what_they_test(digits, monkeypatch):
    """Rows without labels in the test part are neither tested nor trained on."""
    X, y = digits
    marked, order = np.where(np.arange(len(y)) % 2, y, -1), np.arange(len(y))
    splits = [(order[:500], order[500:]), (order[200:], order[:200])]
    pretrained = spied(monkeypatch, DBNTransformer, "fit")
    tests = spied(monkeypatch, DBNClassifier, "predict")
    compare_initializers(X, marked, unlabeled=-1, splits=splits, **FEW)
    for rows, (train, test) in zip(pretrained, splits, strict=True):
        assert {*map(bytes, rows)} == {*map(bytes, X[train])}
        labelled = X[test][marked[test] != -1]
        assert any(np.array_equal(its, labelled) for its in tests)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unlabeled": 7}, "unlabeled is 7, which is the label of none.*as .0, 1, 2"),
        ({"unlabeled": "Unk"}, "'Unk', which is the label of none of the rows of 'da"),
        ({"unlabeled": 7, "X_unlabeled": np.ones((3, 64))}, "label of none of the row"),
        ({"label_budgets": {40: [np.arange(40)] * 2}, "unlabeled": 0}, "without a lab"),
        ({"X_unlabeled": np.ones((3, 5))}, "X_unlabeled has 5 features.* X has 64"),
        ({"X_unlabeled": np.full((3, 64), np.inf)}, "X_unlabeled.*192 values.*infinit"),
        ({"label_budgets": [719], "unlabeled": 0}, "training rows with a label"),
    ],
)
def test_what_cannot_be_compared(digits, change, words):
    X, y = digits
    with pytest.raises(ValueError, match=words):
        compare_initializers(X, y, **FEW | change)


def test_missing_labels_say_how_to_mark_them(digits):
    X, y = digits
    y = y.astype(float)
    y[3] = np.nan
    with pytest.raises(ValueError, match=r"1 missing labels.*unlabeled=numpy\.nan"):
        compare_initializers(X, y, **FEW)
    with pytest.raises(ValueError, match=r"label_budgets is \[40\] and y is None"):
        compare_initializers(X, None, **FEW)


def test_what_masked_arrays_hide_is_not_known(digits):
    X, y = digits
    hidden = np.zeros(X.shape, bool)
    hidden[::5, 20:30] = True
    marks = np.ma.masked_array(y, np.arange(len(y)) % 3 == 0)
    with pytest.raises(ValueError, match=r"has 240 missing labels\. Name their mark"):
        compare_initializers(X, marks, **FEW)
    plain = {"X": np.where(hidden, np.nan, X), "y": np.where(marks.mask, -1, y)}
    plain |= {"X_test": plain["X"][:9], "X_unlabeled": plain["X"][9:20]}
    hiding = {"X": np.ma.masked_array(np.where(hidden, 7, X), hidden), "y": marks}
    hiding |= {"X_test": hiding["X"][:9], "X_unlabeled": hiding["X"][9:20]}
    a, b = (
        compare_initializers(**its, y_test=y[:9], unlabeled=mark, **FEW)
        for its, mark in ((plain, -1), (hiding, np.nan))
    )
    assert untimed(a) == untimed(b)
    assert a.settings["data_sha256"] == b.settings["data_sha256"]
    with pytest.raises(ValueError, match="y_test of data set 'data' has 3 missing"):
        compare_initializers(X, y, X_test=X[:9], y_test=marks[:9], **FEW)


# Numbers.


def test_numbers_are_predicted(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    marked = np.where(np.arange(len(y)) < 50, np.nan, y)
    options = {"inits": [*TOY["inits"], ("dbn", "relu")], "n_updates": 200}
    result = compare_initializers(X, marked, unlabeled=np.nan, **TOY | options)
    assert result.settings["scoring"] == "neg_mean_squared_error"
    assert result.settings["target"] == "numbers"
    assert result.settings["n_unlabeled"] == 50
    assert names(result) == [
        "dbn + logistic",
        "xavier_uniform + logistic",
        "dbn + relu",
        "he_normal + relu + dropout",
        "ridge",
        "gradient boosting",
        "dbn-features + ridge",
        "pca + ridge",
    ]
    for record in result.records:
        if record["stage"] == "test":
            assert record["rmse"] ** 2 == pytest.approx(record["error"])
            assert -1.0 < record["r2"] < 1.0
    result.to_json(tmp_path / "a.json")
    assert Comparison.from_json(tmp_path / "a.json").table() == result.table()
    assert "ridge on DBN features" in html_report(result)


def test_a_regressor_among_classes_is_refused(digits):
    net = Contender("net", DBNRegressor(), {"weight_decay": [0.0]})
    with pytest.raises(ValueError, match=r"y holds classes, and.*Give a classifier"):
        compare_initializers(*digits, **FEW | {"inits": [*FEW["inits"], net]})


def test_the_errors_of_numbers_are_those_of_the_net():
    X, y = load_diabetes(return_X_y=True)
    train, test = np.arange(300), np.arange(300, len(y))
    few = np.arange(40)
    net = DBNRegressor((6,), init="xavier_uniform", max_iter=20)
    dbn = DBNRegressor((6,), max_iter=2)
    contenders = [
        Contender("net", net, {"weight_decay": [0.0]}),
        Contender("dbn", dbn, {"weight_decay": [0.0]}),
    ]
    result = compare_initializers(
        X,
        y,
        inits=contenders,
        controls=None,
        splits=[(train, test)] * 2,
        label_budgets={40: [few] * 2},
        n_seeds=2,
        tune="literature",
        scaling=None,
        hidden_layer_sizes=[(8,)],
    )
    rows = X.astype(np.float32)
    fitted = net.set_params(random_state=1).fit(rows[few], y[few])
    found = fitted.predict(rows[test])
    record = next(
        r
        for r in result.records
        if (r["stage"], r["contender"], r["seed"]) == ("test", "net", 1)
    )
    assert record["error"] == pytest.approx(np.mean((found - y[test]) ** 2))
    assert record["r2"] == pytest.approx(r2_score(y[test], found))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: np.append(y[1:], np.inf), "y_test of data set .* has 1 labels that"),
        (lambda y: y.astype(str), r"y_test .* holds \['151.0', .*Give numbers"),
    ],
)
def test_labels_of_test_rows_are_numbers_too(change, words, monkeypatch):
    work = spied(monkeypatch, DBNTransformer, "fit")
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=words):
        compare_initializers(X, y, X_test=X[:40], y_test=change(y[:40]), **FEW)
    assert not work


# Precision.


def as_given(kind, X, y):
    """Rows of numbers as a comparison may be given them."""
    if kind == "frame":
        return {"X": pd.DataFrame(X), "y": y}
    if kind == "test":
        return {"X": X, "y": y, "X_test": X[:100], "y_test": y[:100]}
    if kind == "beside":
        return {"X": X[:200], "y": y[:200], "X_unlabeled": X[200:]}
    if kind == "categories":
        return {"X": pd.DataFrame(X).assign(kind=["a", "b", "c"] * 80), "y": None}
    return {"X": X, "y": None if kind == "rows" else y}


@pytest.mark.parametrize(
    "kind", ["array", "frame", "test", "beside", "rows", "categories"]
)
def test_numbers_that_single_precision_cannot_tell_apart(kind, monkeypatch):
    """Times in milliseconds: columns collapsed, and all contenders guessed."""
    X = np.random.default_rng(0).normal(size=(240, 4))
    y = (X[:, 0] + X[:, 1] > 0) * 1
    options = FEW | {"n_updates": [200]}
    if kind in ("rows", "categories"):
        options["label_budgets"] = None
    plain = compare_initializers(**as_given(kind, X, y), **options)
    seen = spied(monkeypatch, DBNTransformer, "fit")
    times = compare_initializers(**as_given(kind, 1.6e12 + 1000 * X, y), **options)
    assert {rows.dtype for rows in seen} == {np.dtype("float64")}
    for cell, its in plain.errors().items():
        for name, errors in its.items():
            assert_allclose(times.errors()[cell][name], errors, atol=0.03)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.uint8, np.int64, list])
def test_other_numbers_stay_in_single_precision(kind):
    X = np.arange(24).reshape(12, 2)
    X = X.tolist() if kind is list else X.astype(kind)
    for y, which in ((np.arange(12) % 2, "labels"), (None, "none")):
        data = read_data(X, y, X, y, which)
        assert data.X.dtype == data.X_test.dtype == np.float32
        assert_array_equal(data.X, X)


# Frames.


def table(library, n=240):
    """Numbers, categories and booleans with holes; the label depends on two of them."""
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], n)
    size, other = rng.normal(50, 10, n), rng.normal(size=n)
    y = np.where((colour == "red") ^ (size > 50), "yes", "no").astype(object)
    y[n // 2 :] = ""
    holes = {
        "size": [None if i % 7 == 0 else v for i, v in enumerate(size.tolist())],
        "other": other.tolist(),
        "colour": [None if i % 9 == 0 else v for i, v in enumerate(colour.tolist())],
        "big": [bool(v > 0.5) for v in rng.random(n)],
    }
    return library.DataFrame(holes), y


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_frames_with_categories_and_holes(name, monkeypatch, tmp_path):
    library = pytest.importorskip(name)
    X, y = table(library)
    pretrained = spied(monkeypatch, DBNTransformer, "fit")
    result = compare_initializers(X, y, unlabeled="", **TOY, folder=tmp_path)
    assert "gradient boosting" in names(result) and len(names(result)) == 11
    assert all(type(rows) is type(X) for rows in pretrained)
    assert {rows.shape for rows in pretrained} == {(84 + 120, 4)}
    settings = result.settings
    assert (settings["n_features"], settings["n_classes"]) == (6, 2)
    assert "<td>4 (6 columns of numbers)</td>" in html_report(result)
    again = compare_initializers(X, y, unlabeled="", **TOY, folder=tmp_path)
    assert again.records == result.records
    changed = X.clone() if name == "polars" else X.copy()
    changed = changed[[*X.columns]] if name == "pandas" else changed
    assert compare_initializers(
        changed, y, unlabeled="", **TOY, folder=tmp_path
    ).records == (result.records)


SPARSE = {
    "texts": np.array(["s", None], dtype=object),
    "categories": pd.Categorical(["s", None]),
    "booleans": np.array([True, None], dtype=object),
    "numbers": np.array([1.5, np.nan]),
}


@pytest.mark.parametrize(
    "kind, n_values, rows",
    [
        ("texts", 1, "all"),
        ("categories", 6, "all"),
        ("booleans", 6, "labelled"),
        ("numbers", 6, "all"),
        ("numbers", 1, "labelled"),
    ],
)
def test_a_column_that_hardly_any_row_fills(kind, n_values, rows):
    """Of some seed no labelled row has a value, or no training row at all.

    Trees of scikit-learn cannot learn of a column of holes alone.
    """
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=100), "b": [*"xy"] * 50})
    y = X["a"] if kind == "booleans" else X["a"] > 0
    X["few"] = SPARSE[kind][np.where(np.arange(100) < n_values, 0, 1)]
    few = FEW | {"label_budgets": [12], "pretraining_rows": rows}
    few |= {"controls": "auto"}
    result = compare_initializers(X, y, **few)
    assert "gradient boosting" in [*result.errors()["1 x 8, 12 labels"]]
    if kind == "numbers":
        options = FEW | {"label_budgets": None, "n_updates": [10]}
        compare_initializers(X, None, **options)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_only_x_needs_a_value_in_every_column(library):
    library = pytest.importorskip(library)
    X, y = table(library)
    known = y != ""
    every = library.DataFrame(
        {"size": [None] * 9, "other": [1.0] * 9}
        | dict.fromkeys(("colour", "big"), [None] * 9)
    )
    data = read_data(X, y, every, ["no"] * 9, "t", "", X_unlabeled=every)
    assert data.X.shape == (249, 4) and data.X_test.shape == (9, 4)
    numbers, nothing = X[["size", "other"]], every[["size", "other"]]
    data = read_data(numbers, y, nothing, ["no"] * 9, "t", "", X_unlabeled=nothing)
    assert data.X.shape == (249, 2) and np.isnan(data.X_test[:, 0]).all()
    assert known.sum() == 120
    wrong = library.DataFrame({"size": ["big"] * 9, "other": [1.0] * 9})
    with pytest.raises(ValueError, match="X_test has 2 features in a DataFrame, X has"):
        read_data(numbers, y, wrong, ["no"] * 9, "t", "")
    wrong = library.DataFrame(
        {
            "size": ["big"] * 9,
            "other": [1.0] * 9,
            "colour": ["red"] * 9,
            "big": [True] * 9,
        }
    )
    with pytest.raises(TypeError, match="X_test: Column 'size' held numbers when"):
        read_data(X, y, wrong, ["no"] * 9, "t", "")


def test_a_value_that_only_rows_without_labels_have_is_known(recwarn):
    X, y = pd.DataFrame({"a": [*"xyxy"]}), ["p", "q", "p", "q"]
    more, test = pd.DataFrame({"a": ["z"]}), pd.DataFrame({"a": ["z", "w"]})
    read_data(X, y, test[:1], ["p"], "t", X_unlabeled=more)
    assert not recwarn
    read_data(X, y, test, ["p", "q"], "t", X_unlabeled=more)
    assert "not fitted on in 1 of 2 rows, such as 'w'" in str(recwarn.pop().message)


def test_what_is_wrong_with_a_column_is_said_once(recwarn):
    """Every fit of every cell said it."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"name": [f"P{i}" for i in range(300)], "a": rng.normal(size=300)})
    y = np.where(X["a"] > 0, "x", "y")
    every = TOY | {"learning_rates": [0.01], "n_jobs": 1}
    compare_initializers(X, y, **every)
    assert [str(w.message)[:42] for w in recwarn] == [
        "Column 'name' has 300 different values in "
    ]
    recwarn.clear()
    rows = {"X_test": X[200:].assign(name="other"), "y_test": y[200:]}
    compare_initializers(X[:200].assign(name=[*"ab"] * 100), y[:200], **rows, **every)
    assert [str(w.message)[:45] for w in recwarn] == [
        "Column 'name' has 'other' and no value at all"
    ]
    recwarn.clear()
    options = FEW | {"label_budgets": None, "n_updates": [10]}
    compare_initializers(X, None, X_test=X[:50], **options)
    assert len(recwarn) == 1
    compare_initializers(X, None, **options)  # another comparison says it again
    assert len(recwarn) == 2


def test_trees_and_linear_models_learn_from_categories():
    """Which no column of numbers tells."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.choice([*"xyz"], 300), "b": rng.normal(size=300)})
    y = np.where(X["a"] == "y", "in", "out")
    result = compare_initializers(X, y, **TOY | {"n_updates": 400})
    for name in ("logistic regression", "RBF SVM", "gradient boosting", FEATURES):
        assert result.errors()[CELL][name].max() < 0.02, name
    assert result.errors()[CELL]["xavier_uniform + logistic"].max() < 0.05


def test_arrays_with_holes(digits):
    X, y = digits
    X = X.copy()
    X[::5, 20:30] = np.nan
    result = compare_initializers(X, y, **TOY)
    assert all(np.isfinite(its).all() for its in result.errors()[CELL].values())
    X[:, 3] = np.nan
    with pytest.raises(ValueError, match=r"1 columns without any value: \[3\]\. Leave"):
        compare_initializers(X, y, **TOY)


def test_test_rows_have_the_columns_of_the_others():
    pd = pytest.importorskip("pandas")
    X, y = table(pd)
    known = y != ""
    X, y = X[known], y[known]
    with pytest.raises(ValueError, match=r"X_test has the columns.*'colour'.*same ord"):
        read_data(X, y, X[X.columns[::-1]], y, "mine")
    with pytest.raises(ValueError, match=r"X_unlabeled.*ndarray.*Use the same"):
        read_data(X, y, None, None, "mine", X_unlabeled=np.ones((2, 4)))


def test_images_are_told_by_their_steps(digits):
    X, _ = digits
    rng = np.random.default_rng(0)
    assert of_images(X)
    assert of_images(rng.integers(0, 256, (300, 784)).astype(np.float32) / 255)
    assert not of_images(rng.normal(size=(300, 20)).astype(np.float32))
    assert not of_images(X[:, :9])
    assert not of_images((X > 0.5).astype(np.float32))
    holes = X.copy()
    holes[0, 0] = np.nan
    assert not of_images(holes)
