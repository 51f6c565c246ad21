"""Standing controls, options of starts, and an equal search for all nets."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC

from dbn import DBNClassifier, DBNTransformer, RBMTransformer
from dbn.evaluation import Comparison, compare_initializers, html_report
from dbn.evaluation.study import controls, semi_supervised
from dbn.evaluation.study.contenders import Nets, drawn_candidates
from dbn.evaluation.study.controls import as_numbers, contenders_and_controls
from dbn.evaluation.study.records import display_name
from dbn.evaluation.study.semi_supervised import SelfTraining, Spreading
from tests.evaluation.test_comparison import spied
from tests.evaluation.test_study import TOY

CELL = "1 x 8, 40 labels"
STARTS = [("dbn", "logistic"), ("xavier_uniform", "logistic")]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return (X / 16).astype(np.float32), y


def made(n_unlabeled=100, table=False, **options):
    nets = Nets([0.001, 0.003, 0.01, 0.03], RBMTransformer(), **options)
    return contenders_and_controls(
        STARTS, "auto", nets, n_unlabeled=n_unlabeled, table=table
    )


def test_controls_are_those_that_the_data_ask_for():
    def names(*args, **options):
        return [control.name for control in made(*args, **options)[1]]

    on_features = ["dbn-features + logistic regression", "pca + logistic regression"]
    semi = ["label spreading", "self-training RBF SVM", "self-training He + ReLU"]
    assert names() == ["logistic regression", "RBF SVM", *on_features, *semi]
    assert names(0) == ["logistic regression", "RBF SVM", *on_features]
    assert "gradient boosting" in names(table=True)
    assert names(20_000)[-3:] == [f"{name} (10,000 unlabelled rows)" for name in semi]
    assert {control.kind for control in made()[1]} == {"control"}
    # The middle of the rates of the nets.
    assert [*made()[1][-1].values] == [0.003, 0.01]


def test_without_rows_without_labels_nothing_learns_from_them(digits):
    X, y = digits
    labelled = compare_initializers(X, y, **TOY | {"pretraining_rows": "labelled"})
    assert "label spreading" not in labelled.errors()[CELL]
    whole = TOY | {"label_budgets": [40, len(y)], "learning_rates": [0.01]}
    both = compare_initializers(X, y, X_test=X[:9], y_test=y[:9], **whole).errors()
    assert "label spreading" in both[CELL]
    assert "label spreading" not in both[f"1 x 8, {len(y)} labels"]


def test_they_are_given_the_rows_of_the_dbn_and_no_more(digits, monkeypatch):
    X, y = digits
    pretrained = spied(monkeypatch, DBNTransformer, "fit")
    given = []

    class Seen(Spreading):
        def fit(self, X, y):
            given.append((X, y))
            return super().fit(X, y)

    monkeypatch.setattr(controls, "Spreading", Seen)
    graphs = spied(monkeypatch, NearestNeighbors, "fit")
    compare_initializers(X, y, **TOY | {"learning_rates": [0.01]})
    assert len(given) == 2 * (3 * 5 + 1)
    for i, (rows, marks) in enumerate(given):
        seed = i // 15 if i < 30 else i - 30
        assert_array_equal(rows, pretrained[seed])
        assert (marks >= 0).sum() == (32 if i < 30 else 40)
    # A graph for each seed; others are of rows to predict.
    assert len(semi_supervised._graphs) <= semi_supervised._MAX_GRAPHS
    assert len(graphs) <= len(given) + 2


def test_no_more_than_some_rows_without_labels(digits, monkeypatch):
    X, y = digits
    from dbn.evaluation.study import run_cell

    monkeypatch.setattr(run_cell, "MAX_UNLABELED", 60)
    fits = []
    fit = SelfTraining.fit

    def spying(self, X, y):
        fits.append((X, y))
        return fit(self, X, y)

    monkeypatch.setattr(SelfTraining, "fit", spying)
    compare_initializers(X, y, **TOY | {"learning_rates": [0.01]})
    assert {len(X) for X, _ in fits} == {100}
    of_a_seed = {X.tobytes() for X, _ in fits}
    assert len(of_a_seed) == 2


def test_self_training_takes_the_surest_guesses_first():
    X = np.arange(12.0)[:, None]
    y = np.array([0, *[-1] * 10, 1])
    fits = []

    class Seen(SVC):
        def fit(self, X, y):
            fits.append((X.ravel().tolist(), y.tolist()))
            return super().fit(X, y)

    model = SelfTraining(Seen(kernel="linear"), n_rounds=5).fit(X, y)
    assert [len(labels) for _, labels in fits] == [2, 4, 6, 8, 10, 12]
    assert fits[1] == ([0.0, 1.0, 10.0, 11.0], [0, 0, 1, 1])
    assert fits[2][0] == [0.0, 1.0, 2.0, 9.0, 10.0, 11.0]
    assert model.predict(X).tolist() == [0] * 6 + [1] * 6
    alone = SelfTraining(SVC()).fit(X[[0, 11]], y[[0, 11]])
    assert_allclose(
        alone.decision_function(X),
        SVC().fit(X[[0, 11]], y[[0, 11]]).decision_function(X),
    )


def test_self_training_gives_a_net_as_many_updates_in_every_round(digits, monkeypatch):
    X, y = digits
    marks = np.where(np.arange(len(y)) < 40, y, -1)
    fits, fit = [], DBNClassifier.fit

    def spying(self, X, y):
        fits.append(self.max_iter * -(-len(y) // self.batch_size))
        return fit(self, X, y)

    monkeypatch.setattr(DBNClassifier, "fit", spying)
    net = DBNClassifier((5,), init="he_normal", batch_size=20, max_iter=50, tol=0.0)
    model = SelfTraining(net, n_rounds=2).fit(X, marks)
    assert fits[0] == 100 and all(100 <= n < 140 for n in fits[1:]) and len(fits) == 3
    assert model.predict_proba(X).shape == (len(y), 4)


def test_label_spreading_is_that_of_scikit_learn(digits):
    """But for its graph, in which a neighbour is one both ways."""
    X, y = digits
    marks = np.where(np.arange(300) < 20, y[:300], -1)
    ours = Spreading(alpha=0.5).fit(X[:300], marks)
    theirs = LabelSpreading(kernel="knn", n_neighbors=7, alpha=0.5, max_iter=500)
    theirs.fit(X[:300], marks)
    assert np.mean(ours.transduction_ == theirs.transduction_) > 0.95
    assert ours.score(X[300:], y[300:]) > 0.8
    far = Spreading().fit(np.r_[X[:40], X[:40] + 100], np.r_[y[:40], [-1] * 40])
    assert far.predict(X[:1] + 100).tolist() == [0]  # no label reaches it


def test_numbers_for_controls():
    X = np.array([[1.0, 5.0], [np.nan, 7.0], [3.0, 9.0]])
    found = as_numbers(X, False).transform(X)
    assert_allclose(found.mean(axis=0), 0.0, atol=1e-12)
    assert_allclose(found[1], 0.0)
    assert_array_equal(as_numbers(X, True).transform(X)[1], [2.0, 7.0])


# Options of starts, and names.


def test_options_of_starts(digits, tmp_path):
    inits = [
        ("dbn", "logistic"),
        ("dbn", "relu"),
        ("dbn", "logistic", "dropout"),
        ("he_normal", "relu", "batch_norm"),
        ("he_normal", "relu", "dropout", "batch_norm"),
    ]
    toy = TOY | {"inits": inits, "learning_rates": [0.01]}
    result = compare_initializers(*digits, **toy)
    (row,) = result.summary()
    kinds = {name: its["kind"] for name, its in row["contenders"].items()}
    assert list(kinds.values())[:5] == [
        *("dbn", "control", "control", "start", "start")
    ]
    assert row["dbn"] == "dbn + logistic"
    result.to_json(tmp_path / "a.json")
    assert Comparison.from_json(tmp_path / "a.json").table() == result.table()
    for text in (result.table(), html_report(result)):
        for name in ("DBN", "DBN + ReLU", "DBN + dropout", "He + ReLU + batch norm"):
            assert name in text
        assert "he_normal +" not in text.partition("Protocol")[0]
    with pytest.raises(ValueError, match=r"'fast' in .* is not known; after the activ"):
        compare_initializers(*digits, **toy | {"inits": [("dbn", "relu", "fast")]})
    with pytest.raises(ValueError, match=r"'dropout' in .* each once"):
        twice = ("dbn", "relu", "dropout", "dropout")
        compare_initializers(*digits, **toy | {"inits": [twice]})


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dbn + logistic", "DBN"),
        ("dbn + relu + dropout", "DBN + ReLU + dropout"),
        ("xavier_uniform + logistic", "Xavier"),
        ("xavier_x4_uniform + logistic", "Xavier x 4"),
        ("he_normal + relu + batch norm", "He + ReLU + batch norm"),
        ("orthogonal + tanh", "orthogonal + tanh"),
        ("dbn-features + logistic regression", "logistic regression on DBN features"),
        ("pca + ridge", "ridge on PCA"),
        ("RBF SVM", "RBF SVM"),
        ("dbn", "dbn"),
    ],
)
def test_names_for_people(name, shown):
    assert display_name(name) == shown


# An equal search.


def test_two_more_rates_where_the_best_is_at_an_end(digits):
    """For every net and seed of which it is; no more and no less."""
    rates = [0.001, 0.003, 0.01]
    result = compare_initializers(
        *digits, **TOY | {"learning_rates": rates, "controls": None}
    )
    beyond = {0.001: [0.000333, 0.000111], 0.01: [0.0333, 0.111]}
    names = {(r["init"], r["seed"]) for r in result.records}
    assert len(names) == 4
    for init, seed in names:
        tuned = [
            (r["error"], r["value"])
            for r in result.records
            if (r["stage"], r["init"], r["seed"]) == ("tune", init, seed)
        ]
        assert [value for _, value in tuned[:3]] == rates
        more = beyond.get(min(tuned[:3])[1], [])
        assert [value for _, value in tuned[3:]] == more
        (test,) = [
            r["value"]
            for r in result.records
            if (r["stage"], r["init"], r["seed"]) == ("test", init, seed)
        ]
        assert test == min(tuned)[1]
    assert any(r["value"] not in rates for r in result.records)


def test_a_study_with_rates_beyond_the_grid_goes_on(digits, tmp_path):
    toy = TOY | {"learning_rates": [0.001, 0.003, 0.01], "controls": None}
    first = compare_initializers(*digits, **toy, folder=tmp_path)
    again = compare_initializers(*digits, **toy, folder=tmp_path)
    assert again.records == first.records


def test_a_search_is_the_same_for_all_nets(digits, monkeypatch):
    fits, fit = [], DBNClassifier.fit

    def spying(self, X, y):
        rate = self.optimizer.learning_rate
        falls = not isinstance(rate, float)
        rate = rate.start if falls else rate
        fits.append((self.activation, rate, falls, self.weight_decay, self.dropout))
        return fit(self, X, y)

    monkeypatch.setattr(DBNClassifier, "fit", spying)
    inits = [*TOY["inits"], ("he_normal", "relu", "dropout")]
    toy = TOY | {"search": 5, "controls": None, "tune": "literature", "inits": inits}
    result = compare_initializers(*digits, **toy)
    drawn = drawn_candidates(5, TOY["learning_rates"])
    assert result.settings["search"] == [*drawn]
    expected = [
        (c["learning_rate"], c["falls"], c["weight_decay"], c["dropout"]) for c in drawn
    ]
    assert {its[1:] for its in fits if its[0] == "logistic"} == {*expected}
    assert {its[1:] for its in fits if its[0] == "relu"} == {
        (*its[:3], 0.5) for its in expected
    }
    assert {r["parameter"] for r in result.records} == {"candidate"}
    assert drawn == drawn_candidates(9, TOY["learning_rates"])[:5]
    with pytest.raises(ValueError, match="search must be a positive integer; it is 0"):
        compare_initializers(*digits, **TOY | {"search": 0})


def test_probabilities_are_asked_of_those_that_have_them(digits):
    toy = TOY | {"scoring": "neg_log_loss", "learning_rates": [0.01]}
    found = compare_initializers(*digits, **toy).errors()[CELL]
    assert not [name for name in found if "SVM" in name] and "label spreading" in found
