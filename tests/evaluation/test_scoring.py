"""Scorers: which fit what y holds, and errors of any size and sign, kept and shown."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer

from dbn import DBNTransformer
from dbn.evaluation import (
    Comparison,
    ComparisonDisplay,
    Contender,
    DifferencesDisplay,
    LabelBudgetDisplay,
    compare_initializers,
    html_report,
)
from dbn.evaluation.study.records import is_error, measure
from dbn.evaluation.study.run_cell import _rounded
from tests.evaluation.test_comparison import spied
from tests.evaluation.test_study import TOY

FEW = TOY | {"learning_rates": [0.01], "controls": None}
MSE = {"scoring": "neg_mean_squared_error"}


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


def kept(result, tmp_path):
    """What a file gives back, with all its words and pictures."""
    result.to_json(tmp_path / "a.json")
    found = Comparison.from_json(tmp_path / "a.json")
    assert found.records == json.loads(json.dumps(result.records))
    assert found.table() == result.table()
    assert html_report(found)
    return found


# Which scorers.


@pytest.mark.parametrize(
    ("scoring", "words"),
    [
        ("r2", "y holds 3 classes, and scoring='r2' is for numbers.*accuracy, "),
        ("neg_mean_squared_error", "is for numbers.*neg_log_loss"),
        ("roc_auc", r"multi_class must be.*Choose from roc_auc_ovo, roc_auc_ovo_w"),
        (
            "f1",
            r"3 classes, and.*does not take them.*Choose from f1_macro, f1_micro, f",
        ),
        ("precision_samples", "Samplewise metrics"),
        ("positive_likelihood_ratio", "only supports binary"),
    ],
)
def test_scorers_that_do_not_fit_classes(wine, monkeypatch, scoring, words):
    work = spied(monkeypatch, DBNTransformer, "fit")
    X, y = wine
    with pytest.raises(ValueError, match=words):
        compare_initializers(X, np.array(["a", "b", "c"])[y], **FEW, scoring=scoring)
    assert not work


ONE_CLASS = ("f1", "recall", "precision", "jaccard", "average_precision")


@pytest.mark.parametrize("scoring", ONE_CLASS)
@pytest.mark.parametrize("labels", [(1, 2), (0, 5), ("ill", "well"), ("0", "1")])
def test_scorers_of_one_class_need_to_know_which(wine, monkeypatch, scoring, labels):
    """Codes of classes took the place of the labels: F1 was that of the larger one."""
    work = spied(monkeypatch, DBNTransformer, "fit")
    X, y = wine
    y = np.array(labels)[(y == 0) * 1]
    words = (
        rf"classes {labels[0]!r} and {labels[1]!r}, and scoring='{scoring}' is the "
        r"score of one of two.*code that one as 1 and the other as 0.*Choose from "
        rf"({scoring}_macro|accuracy)"
    )
    with pytest.raises(ValueError, match=words):
        compare_initializers(X, y, **FEW, scoring=scoring)
    assert not work


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("scoring", [*ONE_CLASS, "f1_macro", "neg_brier_score"])
@pytest.mark.parametrize("labels", [(0, 1), (-1, 1), (False, True), (0.0, 1.0)])
def test_scores_of_one_class_are_those_of_scikit_learn(wine, scoring, labels):
    X, y = wine
    X, y = X[:, :2], np.array(labels)[(y == 0) * 1]
    test = np.arange(len(y)) % 3 == 0
    rows = {"X_test": X[test], "y_test": y[test]}
    line = Contender("line", LogisticRegression(), {})
    options = FEW | {"label_budgets": [int((~test).sum())], "scoring": scoring}
    options["inits"] = [*TOY["inits"], line]
    result = compare_initializers(X[~test], y[~test], **rows, **options)
    line = LogisticRegression().fit(X[~test], y[~test])
    score = get_scorer(scoring)(line, X[test], y[test])
    (errors,) = result.errors().values()
    expected = -score if scoring.startswith("neg_") else 1 - score
    assert errors["line"] == pytest.approx([expected] * 2, rel=1e-3)


@pytest.mark.parametrize("scoring", ["roc_auc", "f1_macro", "neg_brier_score"])
def test_other_scorers_take_classes_by_any_name(wine, scoring):
    X, y = wine
    words = np.array(["ill", "well"])[(y == 0) * 1]
    a, b = (
        compare_initializers(X, labels, **FEW, scoring=scoring).errors()
        for labels in (words, (y == 0) * 1)
    )
    for name, errors in a.popitem()[1].items():
        assert np.array_equal(errors, b[next(iter(b))][name])


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_squared_error", "neg_max_error"])
def test_a_scorer_of_numbers_says_that_y_holds_numbers(scoring):
    """Whole numbers of which many repeat are classes otherwise."""
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = (50 + 5 * X[:, 0]).round().astype(int)
    result = compare_initializers(X, y, **FEW, scoring=scoring)
    assert (result.settings["target"], result.settings["n_classes"]) == ("numbers", 0)
    assert {"r2", "rmse"} <= {*result.records[-1]}
    fixed = compare_initializers(
        X[:150], y[:150], X_test=X[150:], y_test=y[150:] + 1000, **FEW, scoring=scoring
    )
    assert fixed.settings["target"] == "numbers"
    marked = np.where(np.arange(200) % 4 == 0, -1, y)
    found = compare_initializers(X, marked, unlabeled=-1, **FEW, scoring=scoring)
    assert found.settings["n_unlabeled"] == 50


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y, "31 classes need 2.*If y is a number.*'neg_mean_squared_error'"),
        (lambda y: np.append(y[:-1], 99), r"of 1 row \(99\).*If y is a number to p"),
        (lambda y: y.astype(str), r"31 classes need.*These are texts.*y\.astype\(flo"),
        (lambda y: np.append(y[:-1], 99).astype(str), r"\('99'\).*These are texts"),
    ],
)
def test_many_classes_may_be_numbers(change, words):
    y = np.arange(620) % 31 + 35
    with pytest.raises(ValueError, match=words):
        compare_initializers(np.ones((620, 2)), change(y), **FEW)


def test_texts_of_numbers_are_no_numbers():
    y = np.array(["1.5", "2.5"])[np.arange(80) % 2]
    with pytest.raises(ValueError, match=r"'r2' is for numbers\..*give numbers, y\.as"):
        compare_initializers(np.ones((80, 2)), y, **FEW, scoring="r2")


@pytest.mark.parametrize(
    ("scoring", "words"),
    [
        ("accuracy", "y holds numbers, and scoring='accuracy' is for classes.*r2"),
        ("mutual_info_score", "is for classes"),
        ("neg_mean_squared_log_error", "does not take them: Mean Squared Log"),
        ("neg_mean_gamma_deviance", "does not take them.*Choose from d2_abs"),
    ],
)
def test_scorers_that_do_not_fit_numbers(diabetes, monkeypatch, scoring, words):
    work = spied(monkeypatch, DBNTransformer, "fit")
    X, y = diabetes
    with pytest.raises(ValueError, match=words):
        compare_initializers(X, y - 200, **FEW, scoring=scoring)
    assert not work


def test_what_scores_two_classes_only(wine):
    X, y = wine
    y = (y == 0) * 1
    for scoring in ("f1", "roc_auc"):
        assert compare_initializers(X, y, **FEW, scoring=scoring).verdict()
    with pytest.raises(ValueError, match=r"top_k_accuracy.*perfect score"):
        compare_initializers(X, y, **FEW, scoring="top_k_accuracy")


@pytest.mark.parametrize("fixed", [False, True])
def test_test_rows_on_which_a_scorer_has_no_value(wine, monkeypatch, fixed):
    work = spied(monkeypatch, DBNTransformer, "fit")
    X, y = wine
    y = (y == 0) * 1
    train, test = np.r_[0:50, 80:178], np.r_[60:80]
    data = {"X": X, "y": y, "splits": [(train, test)] * 2}
    if fixed:
        data = {"X": X[train], "y": y[train], "X_test": X[test], "y_test": y[test]}
    with pytest.raises(ValueError, match="'roc_auc' has no value on the 20 test rows"):
        compare_initializers(**data, **FEW, scoring="roc_auc")
    assert not work
    compare_initializers(**data, **FEW, scoring="accuracy")


def test_a_score_that_is_none_ends_the_comparison(wine):
    """Validation rows without a class: known where it is scored."""
    X, y = wine
    y = (y == 0) * 1
    ones, zeros = np.flatnonzero(y), np.flatnonzero(y == 0)
    labelled = np.r_[ones[:20], zeros[:20]]
    train, test = np.r_[labelled, zeros[20:60]], np.r_[ones[20:], zeros[60:]]
    options = {
        "splits": [(train, test)] * 2,
        "label_budgets": {40: [labelled] * 2},
        "tune": "literature",
        "scoring": "roc_auc",
    }
    with (
        pytest.warns(UserWarning, match="Only one class"),
        pytest.raises(
            ValueError, match=r"scoring='roc_auc' gives .*40 validation rows"
        ),
    ):
        compare_initializers(X, y, **FEW | options)


def test_what_runs_over_loses(diabetes):
    """A rate with which a net says infinite numbers of validation rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        result = compare_initializers(
            *diabetes, **FEW | {"learning_rates": [1e30, 0.01]}
        )
    assert all(is_error(record["error"]) for record in result.records)
    assert {r["value"] for r in result.records if r["stage"] == "test"} == {0.01}


# Errors of any size and sign.


def test_errors_are_rounded_as_they_are_made():
    assert _rounded(1 - 0.9, "accuracy") == 0.1 == _rounded(1 / 10, "accuracy")
    assert _rounded(7 / 540, "accuracy") == round(7 / 540, 12)
    assert str(_rounded(1 - 1.0 - 1e-17, "f1")) == "0.0"
    assert _rounded(1 - 15.25, "positive_likelihood_ratio") == -14.25
    small = 1.23456789012345e-15
    assert _rounded(small, MSE["scoring"]) == 1.23456789012e-15
    assert _rounded(3 * 0.1e-15, **MSE) == _rounded(0.3e-15, **MSE)


@pytest.mark.parametrize("factor", [1e-9, 1e-5, 1e6])
def test_the_unit_of_numbers_does_not_matter(diabetes, tmp_path, factor):
    X, y = diabetes
    result, other = (compare_initializers(X, y * c, **FEW) for c in (1.0, factor))
    for records in zip(result.records, other.records, strict=True):
        a, b = (record["error"] for record in records)
        assert b == pytest.approx(a * factor**2, rel=1e-4)
    (line, *_), (found, *_) = (
        [x.split() for x in its.table().splitlines() if x.startswith("  DBN ")]
        for its in (result, kept(other, tmp_path))
    )
    assert found[1][:4] == f"{float(line[1]) / 1000:.3f}"[:4]  # 3.92 of 10^-15
    title = other.table().splitlines()[1].partition("  median")[0]
    power = 3 + round(2 * np.log10(factor))
    assert title.endswith(f"test mean squared error (10^{power})")
    assert f"{other.verdict().count(f'x 10^{power}')}" in "01"
    for display in (ComparisonDisplay, DifferencesDisplay):
        drawn = display.from_results(other)
        assert f"10^{power}" in drawn.ax_.get_xlabel()
        plt.close("all")


def test_intervals_have_the_unit_of_numbers_too(diabetes):
    """Also of scores that are no mean over rows, where test rows have a floor."""
    X, y = diabetes
    options = FEW | {"scoring": "neg_root_mean_squared_error"}
    a, b = (
        next(iter(compare_initializers(X, c * y, **options).summary()))["contenders"]
        for c in (1.0, 1e-9)
    )
    for name, its in a.items():
        for end in ("low", "high"):
            assert b[name][end] == pytest.approx(1e-9 * its[end], rel=1e-4)


def test_squared_errors_of_rows_as_they_are(tmp_path):
    """Above a million: a file was written that could not be read."""
    X = 1e4 * np.random.default_rng(0).normal(size=(60, 3))
    options = FEW | {"label_budgets": None, "n_updates": [10], "scaling": None}
    result = compare_initializers(X, None, **options)
    assert all(errors.min() > 1e6 for errors in result.errors().popitem()[1].values())
    assert "squared error (10^" in kept(result, tmp_path).table()


def test_scores_above_one(tmp_path):
    """Errors below 0: they were all 0, and no value was better than another."""
    X, y = load_digits(n_class=4, return_X_y=True)
    options = FEW | {
        "scoring": "mutual_info_score",
        "n_updates": 200,
        "label_budgets": [40, 60],
        "learning_rates": [0.001, 0.03],
    }
    result = compare_initializers(X, y, **options)
    errors = [e for its in result.errors().values() for e in its.values()]
    assert np.min(errors) < 0.0 and len(np.unique(errors)) > 2
    kept(result, tmp_path)
    drawn = LabelBudgetDisplay.from_results(result)
    low, high = drawn.ax_.get_ylim()
    assert low < 100 * np.min(errors) < high
    low, high = ComparisonDisplay.from_results(result).ax_.get_xlim()
    assert low < 100 * np.min(errors)
    plt.close("all")


def test_ordinary_errors_are_shown_as_they_are():
    for means in ([0.01], [0.5, 12.0], [3922.0, 1e-9, 1e30], [9e5], [0.0], []):
        assert measure(MSE, means)[1:] == ("", 1.0, "", 3)
    for means in ([1e-9], [1e9]):
        assert measure({"scoring": "accuracy"}, means)[1:] == ("%", 100.0, " points", 2)
    assert measure(MSE, [5e-324]).factor == 1e300


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200, "1", None, True])
def test_what_is_no_error(value):
    assert not is_error(value)


@pytest.mark.parametrize("value", [-3.5, 0, 1e12, 1e-300])
def test_what_is_an_error(value):
    assert is_error(value)
