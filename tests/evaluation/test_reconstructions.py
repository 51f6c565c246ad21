"""Starts compared by how autoencoders give back rows, without labels."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

from dbn import DBNAutoencoder, DBNClassifier, DBNTransformer
from dbn.boltzmann import Bernoulli, Gaussian
from dbn.evaluation import (
    Comparison,
    Contender,
    LabelBudgetDisplay,
    TrainingLengthDisplay,
    compare_initializers,
    html_report,
)
from dbn.evaluation.study.linear_autoencoder import LinearAutoencoder
from dbn.evaluation.study.row_losses import row_losses, unpacked
from dbn.evaluation.study.shared_dbn import find_dbn, pretraining_cost, with_dbn
from dbn.training import DenoisingStack, Unrolled
from tests.evaluation.test_comparison import spied
from tests.evaluation.test_study import TOY as LABELLED
from tests.evaluation.test_study import untimed

DBN, HE = ("dbn", "logistic"), ("he_normal", "relu")
TOY = {
    "inits": [DBN, HE],
    "hidden_layer_sizes": [(8, 3)],
    "n_seeds": 2,
    "learning_rates": [0.01],
    "n_updates": [10, 60],
    "pretrain_updates": 10,
}
CELLS = ["8-3, 10 updates", "8-3, 60 updates"]


@pytest.fixture(scope="module")
def X():
    return load_digits(n_class=4).data[:300] / 16


@pytest.fixture(scope="module")
def result(X):
    return compare_initializers(X, **TOY)


def test_settings_are_lengths_of_training(result):
    assert [row["cell"] for row in result.summary()] == CELLS
    for row in result.summary():
        assert row["n_labels"] is None and row["n_updates"] in (10, 60)
        kinds = {name: its["kind"] for name, its in row["contenders"].items()}
        assert kinds == {
            "dbn + logistic": "dbn",
            "he_normal + relu": "start",
            "he_normal + relu + batch norm": "start",
            "PCA": "control",
        }
    assert result.settings["target"] == "rows"
    assert "label_budgets" not in result.settings
    assert "test squared error" in result.table()
    assert "8-3, 60 updates" in result.verdict()
    curve = result.curves()[CELLS[1]]["he_normal + relu"]
    assert curve[0][-1] == 6  # epochs of 11 batches


def test_pca_is_that_of_scikit_learn(X, result):
    rows = np.asarray(X, dtype=np.float32)
    for seed, error in enumerate(result.errors()[CELLS[0]]["PCA"]):
        train, test = train_test_split(np.arange(300), test_size=90, random_state=seed)
        pca = PCA(3).fit(rows[train])
        back = pca.inverse_transform(pca.transform(rows[test]))
        assert_allclose(error, ((rows[test] - back) ** 2).sum(1).mean(), rtol=1e-4)


def test_losses_are_squared_errors_of_the_test_rows(X, result, monkeypatch):
    """Of a net that is trained by hand in the same way."""
    rows = np.asarray(X, dtype=np.float32)
    (record,) = [
        r
        for r in result.records
        if (r["stage"], r["seed"], r["n_updates"]) == ("test", 1, 60)
        and r.get("init") == "he_normal"
        and not r.get("batch_norm")
    ]
    train, test = train_test_split(np.arange(300), test_size=90, random_state=1)
    net = DBNAutoencoder(
        *[(8, 3)],
        init="he_normal",
        activation="relu",
        batch_size=20,
        max_iter=6,
        tol=0.0,
        random_state=1,
    )
    net.fit(rows[train])  # by default Adam(Schedule(0.01, 0.0))
    found, numbers = unpacked(record, result.settings)
    assert_array_equal(numbers, np.sort(test))
    by_hand = ((rows - net.reconstruct(rows)) ** 2).sum(1)[numbers]
    assert_allclose(found, by_hand, rtol=0.01)  # half precision
    assert_allclose(record["error"], by_hand.mean(), rtol=1e-5)
    assert_allclose(-record["error"], net.score(rows[test]), rtol=1e-5)


def test_what_is_not_known_does_not_count():
    X = np.array([[1.0, 0.0, np.nan], [0.5, np.nan, np.nan]])
    net = LinearAutoencoder((3,)).fit(np.eye(3))
    net.inverse_transform = lambda H: np.zeros((2, 3))
    assert_allclose(row_losses(net, X, None, "neg_squared_error"), [1.0, 0.25])


class OtherStart(Contender):
    kind = "start"


def test_starts_that_tie_are_said_to_tie(X):
    """The DBN against a copy of itself: no difference, and no verdict."""
    options = TOY | {"n_updates": [60]}
    net = DBNAutoencoder((8, 3), batch_size=20, max_iter=2, tol=0.0)
    its = Contender("same", net, {"weight_decay": [0.0]})

    other = OtherStart("other", net, {"weight_decay": [0.0]})
    result = compare_initializers(X, **options | {"inits": [its, other]}, controls=None)
    (row,) = result.summary()
    assert row["not_shown"] == ["other"] and row["p_holm"] == 1.0
    assert row["contenders"]["other"]["difference"]["mean"] == 0.0
    assert "made no difference that these seeds can show" in result.verdict()


def test_a_dbn_and_a_stack_are_trained_once_for_a_seed(X, monkeypatch):
    dbns = spied(monkeypatch, DBNTransformer, "fit")
    stacks = spied(monkeypatch, DenoisingStack, "train")
    options = TOY | {"learning_rates": [0.003, 0.01], "inits": [DBN, ("sae",) + HE[1:]]}
    result = compare_initializers(X, **options)
    assert len(dbns) == len(stacks) == 2
    for record in result.records:
        trained = record.get("init") in ("dbn", "sae")
        assert (record["pretrain_multiply_adds"] > 0) == trained
    row = result.summary()[0]["contenders"]
    assert row["sae + relu"]["kind"] == "start"


def test_denoising_autoencoders_are_a_start_of_classifiers_too():
    X, y = load_digits(n_class=4, return_X_y=True)
    inits = [DBN, ("sae", "logistic"), ("xavier_uniform", "logistic")]
    result = compare_initializers(X / 16, y, **LABELLED | {"inits": inits})
    (row,) = result.summary()
    its = row["contenders"]["sae + logistic"]
    assert its["kind"] == "start" and its["pretrain_multiply_adds"] > 0


@pytest.mark.parametrize("cls", [DBNAutoencoder, DBNClassifier])
def test_a_stack_that_is_shared_is_what_the_net_would_train(X, cls):
    stack = DenoisingStack(batch_size=50, max_iter=2)
    net = cls((8, 3), init=stack, batch_size=50, max_iter=1, random_state=0)
    made = find_dbn(net).set_params(random_state=0).fit(X)
    start = with_dbn(net, made)
    assert isinstance(start.init, FrozenEstimator)
    start.set_params(
        learning_rate_multipliers=[0.0] * (4 if cls is DBNAutoencoder else 3)
    )
    y = None if cls is DBNAutoencoder else (X[:, 20] > 0.5).astype(int)
    start.fit(X, y)
    n = 4 if cls is DBNAutoencoder else 2
    for ours, theirs in zip(start.coefs_[:n], made.coefs_, strict=False):
        assert_allclose(ours, theirs, rtol=1e-6)
    layers = 300 * (64 * 8 + 8 * 3)
    assert pretraining_cost(made, 64, 300) == layers * (5 * 2 + 1)


def test_a_shuffled_dbn_starts_both_halves(X):
    net = DBNAutoencoder((8, 3), init="dbn-shuffled")
    stack = find_dbn(net).set_params(random_state=0).fit(X[:50])
    assert [rbm.hidden for rbm in stack.dbn_.rbms] == [Bernoulli(), Gaussian()]
    start = with_dbn(net, stack).init
    assert isinstance(start, Unrolled) and start.structure == "dbn-shuffled"


def test_it_goes_on_and_a_file_keeps_it(X, result, tmp_path, monkeypatch):
    inits = {"inits": [DBN, HE, ("sae", "logistic")]}
    first = compare_initializers(X, **TOY | inits, folder=tmp_path / "a")
    fitted = spied(monkeypatch, DBNAutoencoder, "fit")
    again = compare_initializers(X, **TOY | inits, folder=tmp_path / "a")
    assert not fitted and again.records == first.records
    for file in [*(tmp_path / "a" / "cells").glob("test-*.json")][:2]:
        file.unlink()
    third = compare_initializers(X, **TOY | inits, folder=tmp_path / "a")
    assert untimed(third)[1] == untimed(first)[1]
    with pytest.raises(ValueError, match="another study: n_updates"):
        compare_initializers(X, **TOY | inits | {"n_updates": 5}, folder=tmp_path / "a")
    first.to_json(tmp_path / "r.json")
    loaded = Comparison.from_json(tmp_path / "r.json")
    assert loaded.table() == first.table() and loaded.verdict() == first.verdict()
    page = html_report(loaded)
    assert "squared error" in page and page.count("<img ") == 5
    plt.close("all")


def test_in_other_processes_it_is_the_same(X, result):
    assert untimed(compare_initializers(X, **TOY, n_jobs=2)) == untimed(result)


def test_rates_are_chosen_by_rows_that_nets_have_not_seen(X, monkeypatch):
    fitted = spied(monkeypatch, DBNAutoencoder, "fit")
    compare_initializers(np.tile(X, (5, 1)), **TOY | {"n_updates": 5}, tune_updates=3)
    assert {len(rows) for rows in fitted} == {840, 1050}


def test_frames_holes_and_more_rows(X, tmp_path):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(100, 50, 90),
            "weight": rng.normal(size=90),
            "colour": pd.Categorical(rng.choice(["red", "green"], 90)),
        }
    )
    frame.loc[frame.index % 7 == 0, "size"] = np.nan
    frame.loc[frame.index % 11 == 0, "colour"] = None
    options = TOY | {"hidden_layer_sizes": [(4, 2)], "n_updates": 20}
    one = compare_initializers(frame, **options)
    assert one.settings["n_features"] == 4 and one.settings["scaled"]
    two = compare_initializers(frame[:50], X_unlabeled=frame[50:], **options)
    assert untimed(one)[1] == untimed(two)[1]
    fixed = compare_initializers(frame[:60], X_test=frame[60:], **options)
    assert fixed.settings["fixed_test_split"] and "training set" in fixed.verdict()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"label_budgets": [100]},
            r"label_budgets is \[100\] and y is None.*n_updates",
        ),
        ({"label_budgets": {5: []}}, r"label_budgets is \{5: \[\]\} and y is None"),
        ({"scoring": "accuracy"}, "scoring is 'accuracy' and y is None.*squared error"),
        ({"tune": "literature"}, "tune is 'literature' and y is None"),
        ({"pretraining_rows": "labelled"}, "pretraining_rows is 'labelled' and y is N"),
        ({"unlabeled": -1}, "unlabeled is -1 and y is None.*or give y"),
        ({"y_test": [1]}, r"y_test is \[1\] and y is None"),
        ({"n_updates": [5, 5]}, r"n_updates is \[5, 5\].*each of them once"),
        ({"n_updates": 0}, "n_updates must be a positive integer"),
        ({"tune_updates": -1}, "tune_updates must be a positive integer"),
        (
            {"inits": [DBN, HE, Contender("tree", DecisionTreeClassifier(), {})]},
            "y is None, so starts .* DecisionTree.* with an inverse_transform",
        ),
        (
            {"inits": [DBN, HE, Contender("a", PCA(2), {}, unlabeled=True)]},
            "'a' has unlabeled=True.*leave unlabeled away",
        ),
    ],
)
def test_errors_say_what_there_is_without_labels(X, options, message):
    with pytest.raises(ValueError, match=message):
        compare_initializers(X, **TOY | options)


def test_few_rows_are_refused(X):
    with pytest.raises(ValueError, match="There are 7 training rows; 5 folds"):
        compare_initializers(X[:10], **TOY)


def test_an_own_autoencoder_is_a_contender(X):
    own = Contender("PCA-2", PCA(), {"n_components": [1, 2]})
    result = compare_initializers(X, **TOY | {"inits": [DBN, HE, own], "n_updates": 5})
    its = result.summary()[0]["contenders"]
    assert its["PCA-2"]["values"] == [2, 2]
    assert its["PCA-2"]["mean"] > its["PCA"]["mean"]


def test_a_search_draws_no_dropout(X):
    options = TOY | {"n_updates": 5, "inits": [DBN, HE]}
    result = compare_initializers(X, **options, search=2)
    assert {its["dropout"] for its in result.settings["search"]} == {0.0}


def test_error_against_epochs_with_pretraining_counted(result):
    display = TrainingLengthDisplay.from_results(result)
    x = {line.get_label(): line.get_xdata() for line in display.ax_.lines}
    assert all(list(its) == [1, 6] for its in x.values()) and len(x) == 4
    counted = TrainingLengthDisplay.from_results(result, pretraining_counted=True)
    dbn, *others = [line.get_xdata() for line in counted.ax_.lines]
    assert all(list(its) == [1, 6] for its in others)
    row = result.summary()[0]["contenders"]["dbn + logistic"]
    per_epoch = row["finetune_multiply_adds"]
    assert_allclose(dbn - [1, 6], row["pretrain_multiply_adds"] / per_epoch)
    assert counted.ax_.get_xlabel() == (
        "epochs of fine-tuning, those of pretraining counted"
    )
    with pytest.raises(ValueError, match="TrainingLengthDisplay shows them"):
        LabelBudgetDisplay.from_results(result)
    plt.close("all")


def test_errors_below_one_have_three_decimals(result):
    (line,) = [x for x in result.table().splitlines() if x.startswith("  PCA ")][:1]
    mean = result.errors()[CELLS[0]]["PCA"].mean()
    assert f"{mean:.3f} +- " in line and line.split()[6] == "-"
