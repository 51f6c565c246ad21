"""Contenders of the user's own: what is asked of one is asked of all."""

import re
import sys
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from dbn import (
    DBNClassifier,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
)
from dbn.evaluation import Comparison, Contender, compare_initializers, html_report
from dbn.evaluation.study import run_study
from dbn.evaluation.study.data_settings import scale_of
from dbn.evaluation.study.read_data import Data
from dbn.evaluation.study.run_cell import run_cell
from dbn.training import Adam
from tests.evaluation.test_comparison import spied
from tests.evaluation.test_study import TOY, untimed

DBN = ("dbn", "logistic")
XAVIER = ("xavier_uniform", "logistic")
CELL = "1 x 8, 40 labels"
RATES = {"optimizer__learning_rate": [0.003, 0.01]}
TREE = Contender("tree", DecisionTreeClassifier(), {"max_depth": [2, 5]})


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return X / 16, y


def study(digits, *inits, **options):
    return compare_initializers(*digits, **TOY | {"inits": inits} | options)


def test_all_is_asked_of_a_contender_of_the_user(digits, tmp_path):
    result = study(digits, DBN, XAVIER, TREE, folder=tmp_path)
    own = [r for r in result.records if r.get("contender") == "tree"]
    assert Contender("a", TREE.estimator, {"max_depth": np.array([2, 5])}).values == [
        2,
        5,
    ]
    assert [r["stage"] for r in own] == ["tune"] * 4 + ["test"] * 2
    assert {r["parameter"] for r in own} == {"max_depth"}
    for seed in range(2):
        *tuned, test = [r for r in own if r["seed"] == seed]
        best = min((r["error"], r["value"]) for r in tuned)
        assert test["value"] == best[1]
    (row,) = result.summary()
    assert [*row["contenders"]][2:4] == ["tree", "he_normal + relu + dropout"]
    its = row["contenders"]["tree"]
    assert its["kind"] == "control" and 0.0 <= its["difference"]["p_holm"] <= 1.0
    assert its["pretrain_multiply_adds"] == 0 and its["finetune_multiply_adds"] is None
    assert len(re.findall("^  tree ", result.table(), flags=re.M)) == 1
    assert ">tree<" in html_report(result)
    # Others are not changed by it, and a file and a folder keep it.
    without = study(digits, DBN, XAVIER)
    others = [r for r in untimed(result)[1] if r.get("contender") != "tree"]
    assert others == untimed(without)[1]
    result.to_json(tmp_path / "results.json")
    loaded = Comparison.from_json(tmp_path / "results.json")
    assert loaded.table() == result.table() and loaded.verdict() == result.verdict()
    again = study(digits, DBN, XAVIER, TREE, folder=tmp_path)
    assert again.records == result.records  # seconds included
    other = Contender("tree", DecisionTreeClassifier(), {"max_depth": [2, 6]})
    with pytest.raises(ValueError, match="another study: contenders_sha256 is"):
        study(digits, DBN, XAVIER, other, folder=tmp_path)


class Spy(DecisionTreeClassifier):
    """Keeps what it is given."""

    fits, predictions = [], []

    def fit(self, X, y):
        self.fits.append((X, self.random_state))
        return super().fit(X, y)

    def predict(self, X):
        self.predictions.append(X)
        return super().predict(X)


def test_a_recipe_chosen_on_more_labels_says_so_in_its_row(digits, tmp_path):
    (budget,) = TOY["label_budgets"]
    for labels, told in ((budget + 1, True), (budget, False)):
        forest = Contender("tree", TREE.estimator, TREE.grid, chosen_on=labels)
        result = study(digits, DBN, XAVIER, forest)
        words = f"tree (chosen with {labels} labels)"
        for text in (result.table(), html_report(result)):
            assert (words in text) is told
        result.to_json(tmp_path / "results.json")
        assert Comparison.from_json(tmp_path / "results.json").table() == result.table()
    with pytest.raises(ValueError, match=r"chosen_on of 'tree' is 0.5; give how many"):
        Contender("tree", TREE.estimator, TREE.grid, chosen_on=0.5)


def test_rows_folds_and_seeds_are_those_of_all(digits, monkeypatch):
    module = sys.modules[run_cell.__module__]
    nets, fit = [], module._fit

    def spying(model, X, y):
        if isinstance(model, DBNClassifier):
            nets.append(X[y >= 0])  # others tell what columns are
        return fit(model, X, y)

    monkeypatch.setattr(module, "_fit", spying)
    Spy.fits, Spy.predictions = [], []
    own = Contender("spy", Spy(random_state=99), {"max_depth": [2]})
    study(digits, DBN, XAVIER, own, learning_rates=[0.01], controls=None)
    per_seed = [seed for _, seed in Spy.fits]
    assert per_seed == [0] * 5 + [1] * 5 + [0, 1]
    assert len(nets) == 2 * len(Spy.fits)
    mine = Counter(X.tobytes() for X, _ in Spy.fits)
    theirs = Counter(X.tobytes() for X in nets)
    assert theirs == {rows: 2 * n for rows, n in mine.items()}  # in whatever order
    assert [len(X) for X in Spy.predictions] == [8] * 10 + [len(digits[0]) - 504] * 2


class Labels(DummyClassifier):
    """Keeps the rows and labels that it is given."""

    fits = []

    def fit(self, X, y):
        self.fits.append((X, y))
        return super().fit(X[y != -1], y[y != -1])


@pytest.mark.parametrize("rows", ["all", "labelled"])
def test_a_contender_may_be_given_rows_without_labels(digits, monkeypatch, rows):
    """The rows that the DBN is pretrained on, with the labels that others are given."""
    X, y = digits[0].astype(np.float32), digits[1]
    pretrained = spied(monkeypatch, DBNTransformer, "fit")
    Spy.fits, Labels.fits = [], []
    grid = {"constant": [0]}
    own = Contender("own", Labels(), grid, unlabeled=True)
    labelled = Contender("spy", Spy(), {"max_depth": [2]})
    study(digits, DBN, XAVIER, own, labelled, pretraining_rows=rows)
    assert len(Labels.fits) == len(Spy.fits) == 12
    number = {row.tobytes(): i for i, row in enumerate(X)}
    for i, ((given, marks), (few, _)) in enumerate(
        zip(Labels.fits, Spy.fits, strict=True)
    ):
        seed = i // 5 if i < 10 else i - 10
        assert_array_equal(given, pretrained[seed])
        known = {number[row.tobytes()] for row in few}
        for row, mark in zip(given, marks, strict=True):
            n = number[row.tobytes()]
            assert mark == (y[n] if n in known else -1)


def test_a_net_that_is_given_rows_without_labels_is_that_of_a_user(digits):
    X, y = digits
    train, test = np.arange(0, 500), np.arange(500, len(y))
    few = np.arange(40, 80)
    rbm = RBMTransformer(max_iter=2)
    net = DBNClassifier((6,), rbm=rbm, unlabeled=-1, max_iter=5)
    plain = clone_with(net, init="he_normal", activation="relu")
    contenders = [
        Contender(name, its, {"weight_decay": [0.0]}, unlabeled=True)
        for name, its in (("dbn", net), ("he", plain))
    ]
    result = compare_initializers(
        30 * X,
        y,
        inits=contenders,
        controls=None,
        splits=[(train, test)] * 2,
        label_budgets={40: [few] * 2},
        n_seeds=2,
        tune="literature",
        scaling=None,
    )
    assert result.settings["scaled"] is False
    marks = np.where(np.isin(train, few), y[train], -1)
    rows = (30 * X).astype(np.float32)
    for seed in range(2):
        dbn = DBNTransformer((6,), rbm=rbm, random_state=seed).fit(rows[train])
        whole = clone_with(net, init=FrozenEstimator(dbn), rbm=None)
        for name, its in (("dbn", whole), ("he", plain)):
            its = clone_with(its, random_state=seed).fit(rows[train], marks)
            assert its.mean_ is not None  # columns that are no grey values
            error = 1.0 - its.score(rows[test], y[test])
            found = result.errors()["2 x 128, 40 labels"][name][seed]
            assert found == pytest.approx(error)


def test_the_mark_of_rows_without_labels_is_no_class(digits):
    tree = Contender("a", DecisionTreeClassifier(), {"max_depth": [2]}, unlabeled=True)
    with pytest.raises(ValueError, match=r"DecisionTreeC.*takes their mark, -1, for a"):
        study(digits, DBN, XAVIER, tree)


def test_scaling_is_to_grey_values_or_none(digits):
    with pytest.raises(ValueError, match="scaling is 'no'; it may be 'auto' or None"):
        study(digits, DBN, XAVIER, scaling="no")


@pytest.mark.parametrize(
    ("X", "target", "scaled", "is_grey"),
    [
        (np.arange(64).reshape(4, 16), "classes", True, True),
        (np.arange(64).reshape(4, 16) / 63, "classes", False, True),
        (np.arange(64).reshape(16, 4), "classes", False, False),  # four are no image
        (np.geomspace(1, 500, 64).reshape(4, 16), "numbers", False, False),
        (np.geomspace(1, 500, 64).reshape(4, 16), "rows", True, True),
    ],
    ids=["bytes", "grey", "few columns", "table", "table to give back"],
)
def test_images_and_what_is_given_back_are_scaled(X, target, scaled, is_grey):
    y = {"classes": np.arange(2), "numbers": np.ones(2), "rows": np.ones(2, bool)}
    data = Data(X.astype(np.float32), y[target], None, None)
    assert scale_of(data, "auto") == {"scaled": scaled, "is_grey": is_grey}
    assert scale_of(data, None) == {"scaled": False, "is_grey": X.max() <= 1.0}


def test_columns_of_a_table_are_standardised_as_for_users(monkeypatch):
    X = np.random.default_rng(0).normal(100.0, 20.0, (200, 5))
    nets = spied(monkeypatch, DBNClassifier, "fit")
    study((X, np.arange(200) % 2), DBN, XAVIER)
    assert all(rows.min() > 1.0 for rows in nets)


def test_equal_dbns_are_pretrained_once_for_each_seed(digits, monkeypatch):
    """For all values, folds and contenders: told by what they are."""
    fits = spied(monkeypatch, DBNTransformer, "fit")
    rbm = RBMTransformer(max_iter=2, batch_size=50)
    stack = DBNTransformer((9,), rbm=rbm, random_state=7)
    line = LogisticRegression(max_iter=1000)
    net = DBNClassifier((9,), init="dbn-shuffled", rbm=rbm, optimizer=Adam())
    contenders = [
        Contender("stack", DBNClassifier(init=stack, optimizer=Adam()), RATES),
        Contender("shuffled", clone_with(net, max_iter=3), RATES),
        Contender(
            "features",
            make_pipeline(DBNTransformer([9], rbm=rbm), line),
            {"logisticregression__C": [1, 10]},
        ),
        Contender(
            "other", clone_with(net, init="dbn"), {"rbm__weight_decay": [0.0, 2e-4]}
        ),
    ]
    result = study(digits, DBN, XAVIER, *contenders[:2])
    assert [len(X) for X in fits] == [504] * 4  # the named one and `stack`, twice
    cost = 504 * 64 * 9 * (5 * 2 + 1)
    own = ("stack", "shuffled")
    tests = [
        r for r in result.records if r.get("contender") in own and r["stage"] == "test"
    ]
    assert {r["pretrain_multiply_adds"] for r in tests} == {cost}
    assert len({(r["seed"], r["pretrain_seconds"]) for r in tests}) == 2
    kinds = {n: c["kind"] for n, c in result.summary()[0]["contenders"].items()}
    assert kinds["stack"] == kinds["shuffled"] == "control"
    assert stack.random_state == 7 and not hasattr(stack, "dbn_")
    fits.clear()
    study(digits, DBN, XAVIER, *contenders[2:])
    # The named one; with a list of sizes; with two weight decays.
    assert len(fits) == 2 * (1 + 1 + 2)


def test_a_dbn_behind_other_steps_learns_in_its_own_fit(digits, monkeypatch):
    """It sees other rows than those of the study."""
    fits = spied(monkeypatch, DBNTransformer, "fit")
    stack = DBNTransformer((5,), rbm=RBMTransformer(max_iter=1))
    line = make_pipeline(StandardScaler(), stack, LogisticRegression(max_iter=1000))
    own = Contender("scaled", line, {"logisticregression__C": [1.0]})
    study(digits, DBN, XAVIER, own)
    assert sorted(map(len, fits)) == [32] * 10 + [40] * 2 + [504] * 2


def test_a_study_of_contenders_of_the_user_alone(digits):
    net = DBNClassifier((6,), rbm=RBMTransformer(max_iter=2), optimizer=Adam())
    net.set_params(max_iter=4)
    mine = Contender("mine", net, RATES)
    second = Contender("second", clone_with(net, max_iter=5), RATES)
    plain = Contender("plain", clone_with(net, init="he_normal"), RATES)
    result = study(digits, mine, second, plain)
    (row,) = result.summary()
    kinds = {name: c["kind"] for name, c in row["contenders"].items()}
    assert (kinds["mine"], kinds["second"], kinds["plain"]) == (
        "dbn",
        "control",
        "start",
    )
    assert row["dbn"] == "mine"
    assert kinds["dbn-features + logistic regression"] == "control"
    curves = result.curves()[CELL]
    assert curves["mine"][0][-1] == 4 and curves["second"][0][-1] == 5
    with pytest.raises(ValueError, match=r"\['plain'.*needs 'dbn' and at least one"):
        compare_initializers(*digits, **TOY | {"inits": [plain, XAVIER]})


def clone_with(estimator, **params):
    return type(estimator)(**estimator.get_params(deep=False) | params)


def test_an_equal_net_has_the_errors_of_the_named_one(digits):
    """40 labels: two batches of an epoch; 504 rows: 26 updates of a machine."""
    rbm = RBMTransformer(batch_size=20, max_iter=1)
    net = DBNClassifier((8,), rbm=rbm, optimizer=Adam(), batch_size=20, max_iter=5)
    inits = [DBN, XAVIER, Contender("mine", net, RATES)]
    result = study(digits, *inits, tune="literature")
    mine = [r for r in result.records if r.get("contender") == "mine"]
    named = [r for r in result.records if r.get("init") == "dbn"]
    for a, b in zip(mine, named, strict=True):
        assert (a["error"], a["value"], a["seed"]) == (
            b["error"],
            b["value"],
            b["seed"],
        )


def test_nets_see_the_rows_as_the_dbn_does(digits, monkeypatch):
    """Gaussian rows are standardised for all nets, if they are for the DBN."""
    made, fit = [], DBNClassifier.fit

    def spying(self, X, y):
        made.append(fit(self, X, y))
        return self

    monkeypatch.setattr(DBNClassifier, "fit", spying)
    rbm = RBMTransformer(visible="gaussian")
    study(digits, DBN, ("dbn-shuffled", "logistic"), XAVIER, rbm=rbm)
    assert all(net.mean_ is not None for net in made)
    whole = [net for net in made if isinstance(net.init, FrozenEstimator)]
    assert len(whole) == 22
    assert all((net.mean_ == net.init.estimator.mean_).all() for net in whole)


def test_another_net_with_a_curve(digits):
    net = MLPClassifier((5,), max_iter=3)
    its = Contender("mlp", net, {"alpha": [1e-4]})
    result = study(digits, DBN, XAVIER, its, label_budgets=[40])
    # Its warnings are counted: two seeds, five folds and a final net.
    told = "Fits that did not converge, those of the tuning included: mlp 12"
    assert told in result.table()
    epochs, losses = result.curves()[CELL]["mlp"]
    assert epochs.tolist() == [1, 2, 3] and losses.shape == (2, 3)


def test_contenders_in_other_processes(digits):
    one = study(digits, DBN, XAVIER, TREE)
    assert untimed(study(digits, DBN, XAVIER, TREE, n_jobs=2)) == untimed(one)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("", DummyClassifier(), {"constant": [1]}), "name is ''; give a contender"),
        (("\x1b", DummyClassifier(), {"constant": [1]}), r"name is '\\x1b'"),
        ((3, DummyClassifier(), {"constant": [1]}), "name is 3"),
        (
            ("a", NearestNeighbors(), {"n_neighbors": [1]}),
            r"estimator of 'a' is NearestNeighbors\(\); give a cl",
        ),
        (("a", DummyClassifier, {"constant": [1]}), "estimator of 'a' is <class"),
        (("a", BaseEstimator(), {"constant": [1]}), "give a classifier"),
        (("a", DummyClassifier(), 3), "grid of 'a' is 3; give a dict with one"),
        (("a", DummyClassifier(), {"constant": 1}), "grid of 'a' is {'constant': 1}"),
        (("a", DummyClassifier(), {"constant": [1, 1]}), "each of them once"),
        (("a", DummyClassifier(), {"constant": [[1]]}), "plain numbers"),
        (("a", DummyClassifier(), {"constant": []}), r"grid of 'a' is .*: \[\]"),
        (
            ("a", KNeighborsClassifier(), {"n_neighbors": [1], "p": [1]}),
            "Search others with a GridSearchCV",
        ),
        (
            ("a", KNeighborsClassifier(), {"weights": ["uniform"]}),
            "a list of its values: plain numbers, 0 or more",
        ),
        (("a", KNeighborsClassifier(), {"p": [-1]}), "plain numbers, 0 or more"),
        (("a", KNeighborsClassifier(), {"k": [1]}), "Invalid parameter 'k'"),
    ],
)
def test_what_is_no_contender(args, message):
    with pytest.raises(ValueError, match=message):
        Contender(*args)


def test_what_gives_back_rows_is_no_classifier(digits):
    pca = Contender("pca", PCA(), {"n_components": [1]})
    with pytest.raises(ValueError, match=r"y holds classes.*is PCA\(\).*classifier"):
        study(digits, DBN, XAVIER, pca)


def test_with_an_empty_grid_nothing_is_chosen(digits):
    result = study(digits, DBN, XAVIER, Contender("always 1", DummyClassifier(), {}))
    its = result.summary()[0]["contenders"]["always 1"]
    assert its["parameter"] == "nothing" and its["values"] == [0, 0]
    (line,) = re.findall("^  always 1 .*", result.table(), flags=re.M)
    assert line.split()[7] == "-"


@pytest.mark.parametrize(
    "name", ["tree", "dbn + logistic", "pca + logistic regression"]
)
def test_names_are_told_apart(digits, name):
    other = Contender(name, DecisionTreeClassifier(), {"max_depth": [1]})
    with pytest.raises(ValueError, match=r"inits is .*each of them once"):
        study(digits, DBN, XAVIER, TREE, other)


@pytest.mark.parametrize("change", [{"kind": "best"}, {"contender": "\x1b"}])
def test_records_of_a_file_are_checked(digits, tmp_path, change, monkeypatch):
    def quick(cell, study, start, *data):
        record = {"stage": cell.stage, "hidden_layer_sizes": [8], "n_labels": 40}
        record |= {"seed": cell.seed, "value": cell.value, "error": 0.1}
        record |= {"parameter": "p", "pretrain_seconds": 0.0, "finetune_seconds": 0.0}
        if cell.stage == "pretrain":
            return run_cell(cell, study, start, *data)
        return cell, record | study.who(cell), 1.0

    monkeypatch.setattr(run_study, "run_cell", quick)
    result = study(digits, DBN, XAVIER, TREE)
    for record in result.records:
        if record.get("contender") == "tree":
            record |= change
    with monkeypatch.context() as patch:
        patch.setattr(type(result), "summary", lambda self: [])
        result.to_json(tmp_path / "results.json")
    with pytest.raises(ValueError, match=f"{next(iter(change))} is "):
        Comparison.from_json(tmp_path / "results.json")
    assert np.isfinite(result.errors()[CELL]["dbn + logistic"]).all()


# Densities of rows and class, by name.

DENSITIES = ["RBMClassifier", "GenerativeDBNClassifier"]


@pytest.fixture
def short(monkeypatch):
    """What the two are given, and models that are trained for an instant."""
    fits = []

    def spying(cls, options):
        fit = cls.fit

        def seen(self, X, y):
            fits.append((self.get_params(), X, y))
            params = self.get_params()
            self.set_params(**options(self))
            fit(self, X, y)
            return self.set_params(**params)

        monkeypatch.setattr(cls, "fit", seen)

    def machines(net):
        return {"rbm": [RBMTransformer(max_iter=1) for _ in net.hidden_layer_sizes]}

    spying(RBMClassifier, lambda _: {"max_iter": 1})
    spying(GenerativeDBNClassifier, machines)
    return fits


def test_densities_by_name_learn_from_rows_without_labels(digits, monkeypatch, short):
    X, y = digits[0].astype(np.float32), digits[1]
    pretrained = spied(monkeypatch, DBNTransformer, "fit")
    sizes = {"hidden_layer_sizes": [(8, 6)], "learning_rates": [0.003, 0.01, 0.02]}
    toy = {"inits": [DBN, XAVIER, *DENSITIES], "controls": None, "tune": "literature"}
    result = compare_initializers(X, y, **TOY | sizes | toy)
    assert len(short) == 2 * 2 * (3 + 1)
    for params, rows, marks in short:
        assert_array_equal(rows, pretrained[params["random_state"]])
        assert (marks >= 0).sum() == 40 and params["unlabeled"] == -1
        assert params.get("hidden_layer_sizes", (8, 6)) == (8, 6)
        assert params.get("n_components", 8) == 8
    (row,) = result.summary()
    for name, parameter in zip(
        DENSITIES, ["generative_weight", "unlabeled_weight"], strict=True
    ):
        assert row["contenders"][name]["kind"] == "control"
        own = [r for r in result.records if r.get("contender") == name]
        assert {r["parameter"] for r in own} == {parameter}
        tuned = {r["value"] for r in own if r["stage"] == "tune"}
        assert len(tuned) == 3
        # How long they are trained is no choice of who compares; of a classifier that
        # knows one class, a toy here, it is said.
        few = {0, 1} if name == "GenerativeDBNClassifier" else {0}
        assert {r["unconverged"] for r in own} <= few


def test_densities_by_name_without_rows_without_labels(digits, short):
    n_train = 100
    X_test, y_test = digits[0][-9:], digits[1][-9:]
    data = digits[0][:n_train], digits[1][:n_train]
    toy = {"X_test": X_test, "y_test": y_test, "label_budgets": [n_train]}
    toy |= {"search": 2, "controls": None}
    result = compare_initializers(
        *data, **TOY | toy | {"inits": [DBN, XAVIER, *DENSITIES]}
    )
    assert {*DENSITIES} < {*result.errors()[f"1 x 8, {n_train} labels"]}
    found = [(params["unlabeled"], bool((y < 0).any())) for params, _, y in short]
    # Rows of the fold that is left out have no label, and those of final nets all.
    assert found.count((-1, True)) == 2 * 2 * 2 * 5
    assert found.count((None, False)) == 2 * 2 == len(found) - 40


def test_densities_by_name_predict_classes(digits):
    numbers = digits[1] + 0.5
    for y, text in ((numbers, "y holds numbers"), (None, "y is None")):
        with pytest.raises(ValueError, match=f"{text}, .*'RBMClassifier'"):
            compare_initializers(digits[0], y, inits=[DBN, XAVIER, "RBMClassifier"])
    with pytest.raises(
        ValueError, match=r"^'RBM' in inits is .*'RBMClassifier' or 'Gen"
    ):
        compare_initializers(*digits, inits=[DBN, XAVIER, "RBM"])
