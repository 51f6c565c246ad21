"""The comparison: its protocol, its figures, its words, its file and its picture."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_digits

from dbn import DBNClassifier, DBNTransformer
from dbn.evaluation import (
    Comparison,
    ComparisonDisplay,
    compare_initializers,
    paired_difference,
)

TOY = {
    "hidden_layer_sizes": [(12,), (10, 10)],
    "label_budgets": [40, 60],
    "n_seeds": 3,
    "learning_rates": [0.003, 0.01],
    "n_updates": 20,
    "pretrain_updates": 20,
}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="module")
def result(digits):
    return compare_initializers(*digits, **TOY, name="digits")


def untimed(records):
    return [{k: v for k, v in r.items() if "seconds" not in k} for r in records]


def test_one_record_per_net(result):
    tuned = [r for r in result.records if r["stage"] == "tune"]
    tested = [r for r in result.records if r["stage"] == "test"]
    assert len(tuned) == 2 * 2 * 4 * 2  # nets, budgets, contenders, learning rates
    assert len(tested) == 2 * 2 * 4 * 3  # nets, budgets, contenders, seeds
    assert {r["seed"] for r in tuned} == {0}


def test_learning_rate_is_the_best_on_validation_rows(result):
    """And every seed uses it; ties go to the smaller rate."""
    for record in result.records:
        if record["stage"] == "test":
            key = ("hidden_layer_sizes", "n_labels", "init", "activation")
            grid = [
                (r["error"], r["learning_rate"])
                for r in result.records
                if r["stage"] == "tune" and all(r[k] == record[k] for k in key)
            ]
            assert record["learning_rate"] == min(grid)[1]


def test_summary_can_be_recomputed_from_the_file(result, tmp_path):
    path = tmp_path / "results.json"
    result.to_json(path)
    content = json.loads(path.read_text())
    rows = content["summary"]
    assert len(rows) == 4
    for row in rows:
        errors = {}
        for r in content["records"]:
            same = r["hidden_layer_sizes"] == row["hidden_layer_sizes"]
            if r["stage"] == "test" and same and r["n_labels"] == row["n_labels"]:
                name = f"{r['init']} + {r['activation']}"
                errors.setdefault(name, []).append(r["error"])
        for name, figures in row["contenders"].items():
            assert figures["mean"] == pytest.approx(np.mean(errors[name]))
            assert figures["std"] == pytest.approx(np.std(errors[name], ddof=1))
        others = {n: c for n, c in row["contenders"].items() if n[:3] != "dbn"}
        best = min(others, key=lambda n: others[n]["validation_error"])
        assert row["best_other"] == best
        settings = content["settings"]
        difference = paired_difference(
            errors["dbn + logistic"],
            errors[best],
            test_train_ratio=settings["n_test"] / settings["n_train"],
        )
        assert row["mean"] == pytest.approx(difference.mean)
        assert row["low"] == pytest.approx(difference.low)
        assert row["p_holm"] >= row["p_value"]


def test_json_round_trip(result, tmp_path):
    path = tmp_path / "results.json"
    result.to_json(path)
    assert Comparison.from_json(path).table() == result.table()
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a comparison of format 1"):
        Comparison.from_json(path)
    path.write_text("{")
    with pytest.raises(ValueError, match="not a JSON file"):
        Comparison.from_json(path)


def test_results_do_not_depend_on_the_number_of_processes(result, digits):
    again = compare_initializers(*digits, **TOY, n_jobs=2, name="digits")
    assert untimed(again.records) == untimed(result.records)


def test_test_rows_are_never_trained_on(digits, monkeypatch):
    """Rows of the fixed test split are marked; no fit may see the mark."""
    X, y = digits
    X_test = X[:50].copy()
    X_test[:, 0] = 1.0
    X = X.copy()
    X[:, 0] = 0.0
    seen = []

    def spy(estimator):
        fit = estimator.fit

        def spying(self, X, *args, **options):
            seen.append(X[:, 0].max())
            return fit(self, X, *args, **options)

        monkeypatch.setattr(estimator, "fit", spying)

    spy(DBNClassifier)
    spy(DBNTransformer)
    toy = TOY | {"hidden_layer_sizes": [(8,)], "label_budgets": [40], "n_seeds": 2}
    toy["n_updates"] = 100
    result = compare_initializers(X, y, X_test=X_test, y_test=y[:50], **toy)
    assert len(seen) > 10 and max(seen) == 0.0
    assert result.settings["fixed_test_split"]
    assert result.summary()[0]["method"] == "paired t"


def test_data_outside_the_unit_interval_is_scaled_by_the_training_rows(digits):
    X, y = digits
    toy = TOY | {"hidden_layer_sizes": [(8,)], "label_budgets": [40], "n_seeds": 2}
    plain = compare_initializers(X * 37.0 - 5.0, y, **toy)
    assert all(np.isfinite(r["error"]) for r in plain.records)


def records(dbn, other, *, validation=(0.1, 0.2)):
    """A comparison made by hand, with these test errors per seed."""
    made = []
    for init, errors, held in (("dbn", dbn, 0), ("xavier_uniform", other, 1)):
        base = {
            "hidden_layer_sizes": [5],
            "n_labels": 10,
            "init": init,
            "activation": "logistic",
            "learning_rate": 0.1,
            "pretrain_seconds": 0.0,
            "finetune_seconds": 0.0,
        }
        made.append(base | {"stage": "tune", "seed": 0, "error": validation[held]})
        made += [
            base | {"stage": "test", "seed": seed, "error": error}
            for seed, error in enumerate(errors)
        ]
    settings = {"dataset": "toy", "fixed_test_split": True, "seeds": [0, 1, 2]}
    return Comparison(settings, made)


@pytest.mark.parametrize(
    ("dbn", "other", "words"),
    [
        ([0.10, 0.11, 0.12], [0.20, 0.21, 0.23], "lowered the test error in 1"),
        ([0.20, 0.21, 0.23], [0.10, 0.11, 0.12], "raised the test error in 1"),
        ([0.10, 0.21, 0.12], [0.11, 0.20, 0.13], "made no difference"),
    ],
)
def test_verdict_says_what_the_numbers_say(dbn, other, words):
    assert words in records(dbn, other).verdict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_budgets": [5]}, "label budget of 5 is not possible: 4 classes"),
        ({"label_budgets": [5000]}, "label budget of 5000 .* 504 training rows"),
        ({"n_seeds": 1}, "n_seeds is 1; an interval needs at least 2"),
        ({"inits": [("dbn", "logistic")]}, "at least one other start"),
        ({"inits": [("he_normal", "relu"), ("zeros", "tanh")]}, "'dbn' once"),
        ({"inits": [("dbn", "logistic"), ("cauchy", "relu")]}, "cauchy"),
    ],
)
def test_comparisons_that_cannot_be_made(digits, change, message):
    with pytest.raises(ValueError, match=message):
        compare_initializers(*digits, **TOY | change)


def test_display_shows_every_seed(result):
    display = ComparisonDisplay.from_results(result)
    points = [line for line in display.ax_.lines if line.get_linestyle() == "None"]
    assert len(points) == 4 * 4  # cells, contenders
    errors = result.errors()["1 x 12, 40 labels"]["dbn + logistic"]
    np.testing.assert_allclose(points[0].get_ydata(), 100 * errors)
    labels = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert "he_normal + relu" in labels
    plt.close(display.figure_)
    _, ax = plt.subplots()
    assert ComparisonDisplay.from_results(result, ax=ax).ax_ is ax
    plt.close()


def test_missing_matplotlib_names_the_extra(result, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'dbn-pretraining\[plots\]'"):
        ComparisonDisplay.from_results(result)


def test_rows_without_labels_are_refused_and_sparse_rows_accepted():
    with pytest.raises(ValueError, match="Data set 'mine' has no labels"):
        compare_initializers(np.eye(3), None, name="mine")
