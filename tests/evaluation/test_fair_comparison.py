"""What a comparison owes all contenders alike, and what it says of itself."""

import pickle
import re
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from dbn import DBNClassifier, RBMTransformer
from dbn.evaluation import (
    Comparison,
    Contender,
    DifferencesDisplay,
    LabelBudgetDisplay,
    compare_initializers,
    html_report,
    paired_losses,
)
from dbn.evaluation.study import own_code, run_cell
from dbn.evaluation.study.contenders import Nets
from dbn.evaluation.study.controls import contenders_and_controls
from dbn.evaluation.study.row_losses import unpacked
from dbn.evaluation.study.seed_rows import SeedRows
from tests.evaluation.test_comparison import BETTER, WORSE, by_hand

FEW = {
    "inits": [("dbn", "logistic"), ("he_normal", "relu")],
    "hidden_layer_sizes": [(6,)],
    "label_budgets": [40],
    "n_seeds": 2,
    "learning_rates": [0.01],
    "n_updates": 4,
    "pretrain_updates": 4,
    "controls": None,
    "n_jobs": 1,
}
CELL = "1 x 6, 40 labels"


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=3, return_X_y=True)
    return X[:300] / 16, y[:300]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = np.exp(rng.normal(size=(300, 4)))
    return X, (X[:, 0] > 1.0).astype(int)


@pytest.fixture
def fitted(monkeypatch):
    """All models that cells fit, in their order."""
    models, fit = [], run_cell._fit

    def spying(model, X, y):
        models.append(model)
        return fit(model, X, y)

    monkeypatch.setattr(run_cell, "_fit", spying)
    return models


def extra(*contenders):
    return FEW | {"inits": [*FEW["inits"], *contenders]}


# Whose rows a net is standardised by.


@pytest.mark.parametrize("rows", ["all", "labelled"])
@pytest.mark.parametrize("hole", [False, True])
def test_all_starts_are_standardised_by_the_rows_of_the_dbn(table, fitted, rows, hole):
    X, y = table
    X = X.copy()
    X[-1, 0] = np.nan if hole else X[-1, 0]
    compare_initializers(X, y, **FEW, pretraining_rows=rows)
    means = {bytes(net.mean_) for net in fitted}
    scales = {bytes(net.scale_) for net in fitted}
    assert len(means) == len(scales) == 2  # seeds
    assert all(net.n_iter_ == 2 for net in fitted[-4:])  # of the labelled rows


def test_numbers_are_standardised_alike_too(fitted):
    compare_initializers(*load_diabetes(return_X_y=True), **FEW)
    assert len({bytes(net.mean_) for net in fitted}) == 2


def test_grey_values_have_nothing_to_be_told(digits, fitted, monkeypatch):
    """Rows that a net is given for its columns alone change nothing else."""
    X, y = digits
    result = compare_initializers(X > 0.5, y, **FEW)
    assert all(net.unlabeled is None and net.mean_ is None for net in fitted)
    monkeypatch.setattr(SeedRows, "_grey", lambda self, X: False)
    assert compare_initializers(X > 0.5, y, **FEW).errors()[CELL].keys()
    assert all(net.unlabeled == -1 and net.mean_ is None for net in fitted[-4:])
    half = len(fitted) // 2
    for net, other in zip(fitted[:half], fitted[half:], strict=True):
        assert_array_equal(net.network_.params.flat, other.network_.params.flat)
    assert result.settings["is_grey"]


def test_units_that_standardise_grey_values_have_all_rows(digits, fitted):
    gaussian = RBMTransformer(visible="gaussian")
    compare_initializers(*digits, **FEW | {"rbm": gaussian})
    assert len({bytes(net.mean_) for net in fitted}) == 2


def test_few_rows_do_not_change_what_columns_are(fitted):
    """Of 40 rows all may be small: a net by itself would standardise them."""
    X = np.random.default_rng(0).random((400, 4)) * 0.2
    X[:4] *= 5.0
    compare_initializers(X, np.arange(400) % 2, **FEW)
    assert len({repr(net.visible_) for net in fitted}) == 1


# DBNs that studies share.


def test_dbns_of_other_scales_are_not_shared(digits, tmp_path):
    X, y = digits
    compare_initializers(X * 4, y, **FEW, scaling=None, dbn_folder=tmp_path)
    with pytest.raises(ValueError, match="scaled is False there and True here"):
        compare_initializers(X * 4, y, **FEW, dbn_folder=tmp_path)


# What a contender says of a row.


class Column(Ridge):
    def predict(self, X):
        return super().predict(X)[:, None]


class ColumnOfClasses(LogisticRegression):
    def predict(self, X):
        return super().predict(X)[:, None]


class Wide(Ridge):
    def predict(self, X):
        return np.column_stack([super().predict(X)] * 2)


class Narrow(FunctionTransformer):
    def inverse_transform(self, X):
        return X[:, :1]


def test_a_column_of_predictions_is_a_list():
    X, y = load_diabetes(return_X_y=True)
    two = [Contender("column", Column(), {}), Contender("list", Ridge(), {})]
    result = compare_initializers(X, y, **extra(*two))
    column, flat = (
        [
            {k: r[k] for k in ("error", "r2", "rmse", "losses")}
            for r in result.records
            if r.get("contender") == name and r["stage"] == "test"
        ]
        for name in ("column", "list")
    )
    assert column == flat


def test_a_column_of_classes_is_a_list(digits):
    two = (ColumnOfClasses(max_iter=50), LogisticRegression(max_iter=50))
    two = [Contender(f"{i}", model, {}) for i, model in enumerate(two)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = compare_initializers(*digits, **extra(*two)).errors()[CELL]
    assert_array_equal(errors["0"], errors["1"])


def test_predictions_of_another_shape_are_refused():
    wide = Contender("wide", Wide(), {"alpha": [0.5]})
    message = r"predict of Wide\(alpha=0.5.*\) returned .*shape \(8, 2\) for 8 rows"
    with pytest.raises(ValueError, match=message) as caught:
        compare_initializers(*load_diabetes(return_X_y=True), **extra(wide))
    note = "The contender 'wide' with alpha=0.5 failed for seed 0."
    assert note in caught.value.__notes__


def test_rows_that_are_given_back_have_their_shape(digits):
    options = extra(Contender("narrow", Narrow(), {})) | {"label_budgets": None}
    with pytest.raises(ValueError, match=r"must have the shape \(\d+, 64\)"):
        compare_initializers(digits[0], None, **options)


# Own splits.


def test_own_splits_are_judged_by_the_rows_that_they_test(table):
    X, y = table
    rng = np.random.default_rng(0)
    splits = [(np.arange(60, 300), rng.permutation(60)[:40]) for _ in range(4)]
    options = FEW | {"splits": splits, "n_seeds": 4}
    result = compare_initializers(X, y, **options)
    settings = result.settings
    assert settings["n_tested"] == len({*np.concatenate([b for _, b in splits])})
    made = [r for r in result.records if r["stage"] == "test"]
    dbn, other = (
        [unpacked(r, settings) for r in made if r["init"] == init]
        for init in ("dbn", "he_normal")
    )
    expected = paired_losses(
        *([losses for losses, _ in its] for its in (dbn, other)),
        rows=[rows for _, rows in dbn],
        n_rows=settings["n_tested"],
    )
    its = result.summary()[0]["contenders"]["he_normal + relu"]["difference"]
    assert (its["low"], its["high"]) == (expected.low, expected.high)


def test_folds_of_a_cross_validation_test_every_row_once(table):
    X, y = table
    folds = np.array_split(np.random.default_rng(0).permutation(300), 3)
    splits = [(np.setdiff1d(np.arange(300), fold), fold) for fold in folds]
    result = compare_initializers(X, y, **FEW | {"splits": splits})
    assert "n_tested" not in result.settings


# Equal multiply-adds.


def test_the_cost_of_a_dbn_with_epochs_of_its_own_is_not_given_back(digits):
    mine = Contender("mine", DBNClassifier((6,), init="dbn", max_iter=1), {})
    options = FEW | {"inits": [mine, ("he_normal", "relu")], "equal": "multiply_adds"}
    message = r"the Contender 'mine', whose epochs are its own.*Name the DBN in inits"
    with pytest.raises(ValueError, match=message):
        compare_initializers(*digits, **options)


# Folds where a class is rare.


@pytest.mark.parametrize(("scoring", "n"), [(None, 5), ("balanced_accuracy", 2)])
def test_a_rare_class_does_not_halve_the_labels(monkeypatch, scoring, n):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [150, 145, 15])
    X = rng.normal(size=(310, 3)) + y[:, None]
    sizes, folds = set(), SeedRows.folds

    def spying(self, tune):
        found = folds(self, tune)
        sizes.add(len(found))
        assert sorted(np.concatenate([b for _, b in found])) == sorted(self.labelled)
        assert all(len({*self.y[a]}) == 3 for a, _ in found)
        return found

    monkeypatch.setattr(SeedRows, "folds", spying)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = compare_initializers(X, y, **FEW, scoring=scoring)
    assert sizes == {n}
    said = "as many folds as it has rows" in result.settings["tuning"]
    assert said == (scoring is not None)


# A search.


def test_a_candidate_of_a_search_is_at_no_end(digits):
    result = compare_initializers(*digits, **FEW | {"search": 3})
    assert {r["value"] for r in result.records if r["stage"] == "test"} & {0, 2}
    told, page = result.table(), html_report(result)
    assert "*" not in told and "Warning" not in told
    assert "  candidate  " in told and "rate or C" not in told
    assert "Candidate: its number in the protocol" in told
    assert '<th scope="col">candidate</th>' in page
    assert "grid of learning rates" not in page
    assert re.search("in place of the rates</th><td>0: learning rate 0", page)


# Words.


def test_both_families_of_holm_and_what_shown_means_are_said():
    result = by_hand(BETTER, WORSE, control=[0.13, 0.165, 0.165])
    other = by_hand(BETTER, WORSE, control=[0.13, 0.165, 0.165], n_labels=20)
    told = result.table()
    assert "Shown: from one start where its own p is below 0.05; from all other" in told
    assert "Holm's p: of all other starts together, over the settings; of a co" in told
    (row,) = result.summary()
    its = row["contenders"]["dbn-shuffled + logistic"]["difference"]
    line = "Controls with a p below 0.05 of which Holm's, here, is not: "
    assert its["p_value"] < 0.05 and line not in told
    result.records += other.records
    for records in (result, Comparison(result.settings, result.records)):
        its = records.summary()[0]["contenders"]["dbn-shuffled + logistic"]
        assert its["difference"]["p_holm"] > 0.05
        name = f"DBN shuffled (1 x 5, 10 labels) {its['difference']['p_holm']:.3f}"
        assert f"\n{line}{name} and DBN" in records.table()
        assert name in html_report(records)


@pytest.mark.parametrize("step", [4e-4, 4e-7])
def test_a_difference_that_is_shown_is_not_0(step):
    a = [0.1 + step, 0.2 + step * 1.1, 0.3 + step]
    result = by_hand(a, [0.1, 0.2, 0.3])
    result.settings["n_test"] = 10**12
    (row,) = result.summary()
    assert row["p_holm"] < 0.05
    (shown,) = re.findall(r"raised the test error: (\S+) points", result.verdict())
    mean = 100 * row["contenders"]["xavier_uniform + logistic"]["difference"]["mean"]
    assert float(shown) == pytest.approx(mean, rel=0.3)
    assert f" {shown} [" in result.table()
    display = DifferencesDisplay.from_results(result)
    assert any(f"{shown} [" in text.get_text() for text in display.ax_.texts)


def test_p_values_tell_on_which_side_of_the_level_they_are():
    from dbn.evaluation.study.table_and_verdict import _p

    shown = [_p(p) for p in (0.0496, 0.0503, 0.05, 0.04999, 0.012, 0.0)]
    assert shown == ["0.0496", "0.0503", "0.050", "0.04999", "0.012", "0.000"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("tune", "literature"),
        ("equal", "multiply_adds"),
        ("pretraining_rows", "labelled"),
    ],
)
def test_another_protocol_is_told_below_the_table(option, value):
    result = by_hand(BETTER, WORSE)
    assert "Protocol" not in result.table()
    result.settings[option] = value
    (line,) = [s for s in result.table().splitlines() if s.startswith("Protocol: ")]
    assert f"({option}='{value}')" in line
    assert line.replace("'", "&#x27;") in html_report(result)


def test_controls_that_were_not_in_all_settings_say_in_how_many():
    result = by_hand(BETTER, WORSE, control=WORSE)
    result.records += by_hand(BETTER, WORSE, n_labels=20).records
    for value, error in ((0.01, 0.05), (0.3, 0.6)):
        result.records += [
            record | {"value": value, "error": error}
            for record in result.records
            if record["stage"] == "tune" and record["value"] == 0.1
        ]
    for record in result.records:
        record["value"] = 0.01 if record["stage"] == "test" else record["value"]
    words = "in 6 choices of each: DBN 6, Xavier 6 and DBN shuffled 3 of 3. A wider"
    assert words in result.table()


def test_labels_that_chose_a_recipe_are_told_in_pictures():
    result = by_hand(BETTER, WORSE)
    for record in result.records:
        record["chosen_on"] = 15
    result.records += by_hand(BETTER, WORSE, n_labels=20).records
    names = DifferencesDisplay.from_results(result).ax_.get_yticklabels()
    called = "Xavier (chosen with 15 labels)"
    assert [text.get_text() for text in names][1::2] == [called, "Xavier"]
    texts = [t.get_text() for t in LabelBudgetDisplay.from_results(result).ax_.texts]
    assert called in texts
    assert f'<th scope="row">{called}</th><td>20.00</td>' in html_report(result)


# Records and errors.


class Negative(LogisticRegression):
    curve = (-1.0, 2.0, np.nan, -1e6)

    def fit(self, X, y):
        self.loss_curve_ = [*self.curve]
        return super().fit(X, y)


def test_losses_of_any_sign_are_read_again(digits, tmp_path):
    mine = Contender("mine", Negative(max_iter=500), {})
    result = compare_initializers(*digits, **extra(mine))
    result.to_json(tmp_path / "r.json")
    read = Comparison.from_json(tmp_path / "r.json")
    assert read.table() == result.table()
    curves = [r.get("loss_curve") for r in read.records if r.get("contender")]
    assert [[1, -1.0], [2, 2.0], [4, -1e6]] in curves
    text = (tmp_path / "r.json").read_text().replace("[1,-1.0]", "[1,1e999]")
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ValueError, match=r"loss_curve is|not a JSON"):
        Comparison.from_json(tmp_path / "r.json")


class RunsOver(Ridge):
    def predict(self, X):
        said = super().predict(X)
        return said * np.inf if self.alpha > 1 else said


@pytest.mark.parametrize("scoring", ["neg_mean_absolute_error", "r2"])
def test_a_candidate_without_an_error_loses(scoring):
    mine = Contender("mine", RunsOver(), {"alpha": [0.1, 10.0]})
    X, y = load_diabetes(return_X_y=True)
    result = compare_initializers(X, y, **extra(mine), scoring=scoring)
    tests = [r for r in result.records if r["stage"] == "test" and r.get("contender")]
    assert {r["value"] for r in tests} == {0.1}


class Raises(LogisticRegression):
    error = ValueError("cannot")

    def fit(self, X, y):
        if self.C > 1:
            raise self.error
        return super().fit(X, y)


@pytest.mark.parametrize("error", [ValueError("cannot"), FloatingPointError("over")])
def test_what_a_contender_raises_is_told_with_its_name(digits, error, monkeypatch):
    monkeypatch.setattr(Raises, "error", error)
    mine = Contender("mine", Raises(max_iter=500), {"C": [0.1, 10.0]})
    with pytest.raises(type(error), match=str(error)) as caught:
        compare_initializers(*digits, **extra(mine))
    from_elsewhere = pickle.loads(pickle.dumps(caught.value))
    note = "The contender 'mine' with C=10 failed for seed 0."
    assert note in from_elsewhere.__notes__


# Names.


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("glorot_uniform", "logistic"), "'xavier_uniform . logistic' and 'glorot"),
        (("kaiming_truncated_normal", "relu"), "both called 'He truncated normal"),
        (Contender("DBN", LogisticRegression(), {}), "both called 'DBN' in tables"),
        (Contender("Xavier", LogisticRegression(), {}), "give your Contender another"),
    ],
)
def test_two_contenders_by_one_name_are_refused(digits, more, words):
    inits = [("xavier_uniform", "logistic"), ("he_truncated_normal", "relu"), more]
    with pytest.raises(ValueError, match=words):
        compare_initializers(*digits, **extra(*inits))


def test_a_control_by_another_name_is_not_added_again():
    inits = [("dbn", "logistic"), ("kaiming_normal", "relu", "dropout")]
    nets = Nets([0.01], RBMTransformer())
    assert len(contenders_and_controls(inits, "auto", nets)[0]) == 2
    assert len(contenders_and_controls(inits[:1], "auto", nets)[0]) == 2


# The training set.


@pytest.mark.parametrize("scoring", ["roc_auc", "accuracy"])
def test_the_same_training_rows_in_any_order_are_told(scoring):
    X, y = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(0).permutation(300)[:40]
    own = {"label_budgets": {40: [rows, rows[::-1]]}, "scoring": scoring}
    fixed = {"X_test": X[300:], "y_test": y[300:]}
    result = compare_initializers(X[:300], y[:300], **fixed, **FEW | own)
    assert "for this training set" in result.verdict()
    for record in result.records:  # as files of before have it
        record["train_rows_sha256"] = None
    assert "for this training set" not in result.verdict()


# The code of a contender.


def of_notebook(text):
    """A function as a cell of a notebook defines it: by the same name, each time."""
    cell = {"__name__": "__main__"}
    exec(text, cell)
    return cell["half"]


def test_a_function_that_was_changed_is_another_study():
    first, same, changed = (
        of_notebook(f"def half(X):\n    return X * {factor}")
        for factor in ("1.0", "1.0", "0.0")
    )
    helped = [
        of_notebook(f"def help(X): return X * {f}\ndef half(X): return help(X)")
        for f in (1, 2)
    ]
    ids = [
        own_code.identity_with_code(
            [Contender("m", make_pipeline(FunctionTransformer(f), Ridge()), {})]
        )
        for f in (first, same, changed, *helped)
    ]
    assert ids[0] == ids[1] and len({*ids}) == 4


@pytest.mark.parametrize(
    "text",
    [
        "K = {}\ndef half(X): return X * K",
        "def half(X, k={}): return X * k",
        "def half(X, *, k={}): return X * k",
        "from functools import wraps\ndef around(f):\n"
        " @wraps(f)\n def g(X): return f(X)\n return g\n"
        "@around\ndef half(X): return X * {}",
    ],
    ids=["global", "default", "keyword", "wrapped"],
)
def test_what_a_function_has_from_outside_is_part_of_it(text):
    ids = [
        own_code.identity_with_code(FunctionTransformer(of_notebook(text.format(k))))
        for k in (1, 1, 2)
    ]
    assert ids[0] == ids[1] != ids[2]


@dataclass(slots=True)
class Slots:
    a: int = 1


def recursive(X):
    return recursive(X[1:]) if len(X) else X


def test_a_function_may_know_itself_and_a_parameter_have_slots():
    for part in (recursive, Slots()):
        transformer = FunctionTransformer(np.abs, kw_args={"out": part})
        assert own_code.identity_with_code(transformer)


def test_a_contender_has_all_columns_where_they_are():
    """One without a value in the rows of a seed is 0 there, and moves no other."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 4)), rng.integers(0, 2, 200)
    X[:, 3] += 4.0 * y
    X[6:, 0] = np.nan
    noise = make_column_transformer((FunctionTransformer(), [2]))
    guess = make_pipeline(noise, LogisticRegression())
    result = compare_initializers(
        X,
        y,
        inits=[*FEW["inits"][:2], Contender("noise", guess, {})],
        controls=None,
        hidden_layer_sizes=[(4,)],
        label_budgets=[40],
        n_seeds=4,
        n_updates=5,
        learning_rates=(0.01,),
        pretraining_rows="labelled",
        pretrain_updates=5,
    )
    (errors,) = result.errors().values()
    assert min(errors["noise"]) > 0.3


def test_a_class_that_was_changed_is_another_study():
    ids = []
    for factor in (1, 1, 2):
        cell = {"__name__": "__main__", "Ridge": Ridge}
        text = f"class half(Ridge):\n    def predict(self, X): return X * {factor}"
        exec(text, cell)
        ids.append(own_code.identity_with_code([Contender("m", cell["half"](), {})]))
    assert ids[0] == ids[1] != ids[2]


def test_the_packages_own_estimators_have_no_code_of_the_user():
    nets = Nets([0.01], RBMTransformer())
    its = [nets.contender(entry).estimator for entry in FEW["inits"]]
    assert not [*own_code._codes(its, set())]
