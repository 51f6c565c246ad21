"""Studies on the user's own rows: splits, labelled rows, and DBNs of other studies."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold

from dbn import DBNClassifier, DBNTransformer
from dbn.evaluation import compare_initializers
from tests.evaluation.test_comparison import spied
from tests.evaluation.test_study import TOY, counted, untimed

FEW = TOY | {"learning_rates": [0.01], "controls": None}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return X / 16, y


def subsets(y, n_each, n_seeds):
    """As many rows of each class, another draw for each seed."""
    draws = map(np.random.default_rng, range(n_seeds))
    return [
        np.concatenate(
            [rng.choice(np.flatnonzero(y == k), n_each, False) for k in np.unique(y)]
        )
        for rng in draws
    ]


def test_splits_of_the_user(digits, monkeypatch):
    X, y = digits
    splits = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    pretrained = spied(monkeypatch, DBNTransformer, "fit")
    fits = spied(monkeypatch, DBNClassifier, "fit")
    tests = spied(monkeypatch, DBNClassifier, "predict")
    result = compare_initializers(X, y, **FEW | {"splits": splits, "n_seeds": 3})
    X = X.astype(np.float32)
    for rows, (train, _) in zip(pretrained, splits, strict=True):
        assert_array_equal(rows, X[train])
    for i, (train, test) in enumerate(splits):
        its = fits[-6 + i]  # of the final nets of the first start
        assert {*map(bytes, its)} <= {*map(bytes, X[train])}
        assert_array_equal(tests[-6 + i], X[test])
    settings = result.settings
    assert settings["n_train"] == min(len(train) for train, _ in splits)
    assert settings["n_test"] == min(len(test) for _, test in splits)
    assert len(settings["splits_sha256"]) == 64 and "splits" not in settings


def test_labelled_rows_of_the_user(digits, monkeypatch):
    """In their order, also where they are all rows."""
    X, y = digits
    order = np.random.default_rng(0).permutation(len(y))
    budgets = {20: subsets(y, 5, 2), len(y): [order, order[::-1]]}
    fits, fit = [], DBNClassifier.fit

    def spying(self, X, y):
        fits.append((X, y))
        return fit(self, X, y)

    monkeypatch.setattr(DBNClassifier, "fit", spying)
    result = compare_initializers(
        X, y, **FEW | {"label_budgets": budgets, "X_test": X[:9], "y_test": y[:9]}
    )
    assert result.settings["label_budgets"] == [20, len(y)]
    finals = fits[-8:]
    for i, rows in enumerate([*budgets[20] * 2, *budgets[len(y)] * 2]):
        assert_array_equal(finals[i][0], X[rows].astype(np.float32))
        assert_array_equal(finals[i][1], y[rows])


def test_a_folder_tells_own_rows_apart(digits, tmp_path, monkeypatch):
    X, y = digits
    own = FEW | {"label_budgets": {20: subsets(y, 5, 3)}, "folder": tmp_path}
    own |= {"X_test": X[:9], "y_test": y[:9]}
    first = compare_initializers(X, y, **own)
    cells = counted(monkeypatch)
    assert compare_initializers(X, y, **own).records == first.records and not cells
    # There are rows for a third seed.
    compare_initializers(X, y, **own | {"n_seeds": 3})
    assert {cell.seed for cell in cells} == {2}
    for other in ({20: subsets(y, 5, 4)[1:]}, [20]):
        with pytest.raises(ValueError, match="another study: labelled_rows_sha256 is"):
            compare_initializers(X, y, **own | {"label_budgets": other})
    train, test = np.arange(9, len(y)), np.arange(9)
    split = FEW | {"splits": [(train, test)] * 2, "folder": tmp_path / "splits"}
    compare_initializers(X, y, **split)
    split["splits"] = [(train[::-1], test)] * 2
    with pytest.raises(ValueError, match="another study: splits_sha256 is"):
        compare_initializers(X, y, **split)


def rows(n, n_seeds=2):
    return [np.arange(n)] * n_seeds


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"splits": [([0], [1])]}, "splits has 1 entries for 2 seeds"),
        ({"splits": 3}, "splits is 3; give a list with an entry a seed"),
        ({"splits": [[0], [1]]}, r"splits has \[0\] for seed 0; give a pair"),
        ({"splits": [([0, 1], [1])] * 2}, "test rows of seed 0.*hold 1 of its train"),
        ({"splits": [([0, 0], [1])] * 2}, "training rows of seed 0.*each of them once"),
        ({"splits": [([0, 1], [9999])] * 2}, "test rows of seed 0.*from 0 to 719"),
        ({"splits": [([0, 1], [0.5])] * 2}, "test rows of seed 0.*numbers of rows"),
        ({"splits": [([0, 1], [])] * 2}, "test rows of seed 0"),
        ({"label_budgets": {20: rows(20, 1)}}, "label_budgets.20. has 1 entries for 2"),
        ({"label_budgets": {20: rows(19)}}, r"budgets.20. has \[19\] rows.*Give 20"),
        ({"label_budgets": {20: 5}}, "label_budgets.20. is 5"),
        ({"label_budgets": {20: rows(20)}}, "outside the training rows of seed 0.*spl"),
    ],
)
def test_rows_that_cannot_be_used(digits, change, words):
    with pytest.raises(ValueError, match=words):
        compare_initializers(*digits, **FEW | change)


def test_splits_beside_test_rows_are_refused(digits):
    X, y = digits
    with pytest.raises(ValueError, match="both splits and X_test"):
        compare_initializers(
            X, y, X_test=X, y_test=y, **FEW | {"splits": [([0], [1])] * 2}
        )


def test_without_controls(digits):
    result = compare_initializers(*digits, **FEW)
    assert [*result.errors()["1 x 8, 40 labels"]] == [
        "dbn + logistic",
        "xavier_uniform + logistic",
    ]
    assert "Cs" not in result.settings
    with pytest.raises(ValueError, match="controls is 'none'; it may be 'auto' or No"):
        compare_initializers(*digits, **FEW | {"controls": "none"})


def test_dbns_are_shared_by_studies(digits, tmp_path, monkeypatch):
    """Whatever else is compared in them."""
    X, y = digits
    alone = compare_initializers(X, y, **FEW | {"tune": "literature"})
    shared = FEW | {"dbn_folder": tmp_path / "dbns"}
    compare_initializers(X, y, **shared, folder=tmp_path / "strict")
    cells = counted(monkeypatch)
    found = compare_initializers(
        X, y, **shared | {"tune": "literature"}, folder=tmp_path / "literature"
    )
    assert "pretrain" not in {cell.stage for cell in cells}
    assert untimed(found) == untimed(alone)
    with pytest.raises(ValueError, match="dbns holds another study: data_sha256 is"):
        compare_initializers(X[:-1], y[:-1], **shared)
    with pytest.raises(ValueError, match="another study: pretraining_rows is"):
        compare_initializers(X, y, **shared | {"pretraining_rows": "labelled"})
