"""The comparison: its protocol, its figures, its words, its file and its picture."""

import base64
import functools
import itertools
import json
import math
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import train_test_split

from dbn import DBNClassifier, DBNTransformer, RBMTransformer
from dbn.boltzmann import CD, PCD
from dbn.evaluation import Comparison, compare_initializers, html_report
from dbn.evaluation.study.read_data import read_data
from dbn.evaluation.study.records import LOGISTIC, cell_name, contender_name
from dbn.evaluation.study.row_losses import packed, row_losses, unpacked

TOY = {
    "inits": [("dbn", "logistic"), ("xavier_uniform", "logistic")],
    "hidden_layer_sizes": [(10, 10)],
    "label_budgets": [40, 60],
    "n_seeds": 3,
    "learning_rates": [0.003, 0.01],
    "n_updates": 20,
    "pretrain_updates": 20,
}
SMALL = TOY | {"hidden_layer_sizes": [(8,)], "label_budgets": [40], "n_seeds": 2}
ALONE = SMALL | {"controls": None}
RECORDS = [
    path
    for path in sorted((Path(__file__).parents[2] / "results").glob("*.json"))
    if json.loads(path.read_text()).get("format") == 3
    and "n_updates" not in json.loads(path.read_text())["fields"]  # of no labels
]
KEYS = (
    *("hidden_layer_sizes", "n_labels", "init", "activation", "dropout", "seed"),
    "contender",
)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="module")
def result(digits):
    return compare_initializers(*digits, **TOY, name="digits")


def untimed(records):
    return [{k: v for k, v in r.items() if "seconds" not in k} for r in records]


def stage(result, name, **fields):
    return [
        record
        for record in result.records
        if record["stage"] == name
        and all(record.get(key) == value for key, value in fields.items())
    ]


def test_one_record_per_net(result):
    # Budgets, seeds; three nets with two rates, seven controls with 25 values in all.
    assert len(stage(result, "tune")) == 2 * 3 * (3 * 2 + 25)
    assert len(stage(result, "test")) == 2 * 3 * (3 + 7)
    names = [*result.errors()["2 x 10, 40 labels"]]
    assert names == [
        "dbn + logistic",
        "xavier_uniform + logistic",
        "he_normal + relu + dropout",
        "logistic regression",
        "RBF SVM",
        "dbn-features + logistic regression",
        "pca + logistic regression",
        "label spreading",
        "self-training RBF SVM",
        "self-training He + ReLU",
    ]


def test_each_seed_uses_the_value_that_is_best_on_its_validation_rows(result):
    """Ties go to the smaller."""
    for record in stage(result, "test"):
        same = {key: record.get(key) for key in KEYS}
        grid = [(r["error"], r["value"]) for r in stage(result, "tune", **same)]
        assert record["value"] == min(grid)[1]


def test_results_do_not_depend_on_the_number_of_processes(result, digits):
    again = compare_initializers(*digits, **TOY, n_jobs=2, name="digits")
    assert untimed(again.records) == untimed(result.records)


# The printed table, from the file alone.


def t_tail(t, df):
    """P(T > t) of Student's law, by Simpson's rule on u with T = tan(u) sqrt(df)."""
    u = np.linspace(math.atan(abs(t) / math.sqrt(df)), math.pi / 2, 20_001)
    c = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(math.pi) / 2
    density = math.exp(c) * np.cos(u) ** (df - 1)
    weights = np.ones(20_001)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return float((weights * density).sum() * (u[1] - u[0]) / 3)


@functools.cache
def t_quantile(df, tail=0.025):
    """t with P(T > t) = tail."""
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, df) > tail else (low, middle)
    return low


def losses_of(record, settings):
    """Whether each row is wrong, or its squared error; NaN where it is not tested.

    From texts of a record.
    """
    tested = np.ones(settings["n_test"], bool)
    if record["test_rows"]:
        tested = np.unpackbits(bits(record["test_rows"])).astype(bool)
    losses = np.full(settings["n_train"] + settings["n_test"] + 8, np.nan)
    n, kept = tested.sum(), bits(record["losses"])
    if settings["n_classes"]:
        own = np.unpackbits(kept)[:n]
    else:  # shares of the largest; their mean is the error
        own = kept.view("<f2")[:n].astype(float)
        own *= record["error"] / own.mean()
    losses[np.flatnonzero(tested)] = own
    return losses


def bits(text):
    return np.frombuffer(base64.b64decode(text), np.uint8)


def compare(ours, theirs, settings):
    """Mean difference, ends of its interval, p-value, and what could be shown.

    Of the records of two contenders; of one and nothing.
    """
    errors = [np.array([r["error"] for r in its]) for its in (ours, theirs) if its]
    d = errors[0] - errors[1] if theirs else errors[0]
    n, variance, mean, n_test = len(d), d.var(ddof=1), d.mean(), settings["n_test"]
    ratio = 0 if settings["fixed_test_split"] else n_test
    if ours[0].get("losses"):
        losses = [losses_of(record, settings) for record in ours]
        if theirs:
            others = [losses_of(record, settings) for record in theirs]
            losses = [a - b for a, b in zip(losses, others, strict=True)]
        variance = row_variance(losses, settings)
    else:
        if np.ptp(d) < 1e-12:  # that of a share of the test rows, of one row or more
            variance = max(abs(mean) * (1 - abs(mean)), 1 / n_test) / n_test
        variance *= 1 / n + ratio / settings["n_train"]
    error, t = math.sqrt(variance), t_quantile(n - 1)
    p = 2 * t_tail(mean / error, n - 1)
    shown = (t + t_quantile(n - 1, 0.2)) * error
    return mean, mean - t * error, mean + t * error, p, shown


def row_variance(d, settings):
    """Variance of the mean over seeds, of differences by row, from its formula."""
    n, n_test = len(d), settings["n_test"]
    n_rows = n_test if settings["fixed_test_split"] else n_test + settings["n_train"]
    products, n_both = 0.0, 0
    left = [its - np.nanmean(its) for its in d]
    for a, b in itertools.combinations(left, 2):
        products += np.nansum(a * b)
        n_both += np.isfinite(a * b).sum()
    common = max(0, products / n_both * n_test / (n_test - 1)) / n_rows
    w = np.mean([np.nanvar(its, ddof=1) for its in d])
    S2 = np.var([np.nanmean(its) for its in d], ddof=1)
    # Of wrong rows one at the least; of other losses a row has no least weight.
    least = max(w, 1 / n_test if settings["n_classes"] else 0) / n / n_test
    return max(S2 / n + common, least)


def corrected(p_values):
    """Holm (1979), by its definition."""
    p = np.array(p_values)
    return [
        min(1.0, max(q * (len(p) - (p < q).sum()) for q in p[p <= mine])) for mine in p
    ]


def recomputed(content):
    """All numbers of the table, in their order, from settings and records."""
    settings, groups, tuned = content["settings"], {}, {}
    factor = 100 if settings["n_classes"] else 1
    for row in content["records"]:
        record = dict(zip(content["fields"], row, strict=False))
        sizes = record["hidden_layer_sizes"]
        cell = (tuple(sizes), record["n_labels"])
        name = tuple(record.get(key) for key in ("init", "activation", "dropout"))
        if record.get("contender"):
            name = (record["contender"], record["kind"], record["kind"])
        if record["stage"] == "test":
            groups.setdefault(cell, {}).setdefault(name, []).append(record)
        else:
            grid = tuned.setdefault((cell, name, record["seed"]), [])
            grid.append((record["error"], record["value"]))
    numbers, settings_p, settings_told = [], [], []
    for cell, contenders in groups.items():
        # The net from a DBN, or a contender that counts as one.
        ours = (
            ("dbn", "logistic", 0.0),
            *((its, "dbn", "dbn") for its in ("DBN", "dbn", "plain")),
        )
        (dbn,) = (records for name, records in contenders.items() if name in ours)
        lines, starts = [], []
        for name, records in contenders.items():
            grids = [tuned[cell, name, r["seed"]] for r in records]
            held = np.mean([min(grid)[0] for grid in grids])
            chosen = [min(grid)[1] for grid in grids]
            e = factor * np.array([r["error"] for r in records])
            lines += [e.mean(), e.std(ddof=1), np.median(e), factor * held]
            lines.append(Counter(sorted(chosen)).most_common(1)[0][0])
            if name not in ours:
                mean, low, high, p, shown = compare(dbn, records, settings)
                mean, low, high, shown = (factor * x for x in (mean, low, high, shown))
                lines += [mean, low, high, p, shown]
                if (
                    name[1] not in (LOGISTIC, "ridge", "control")
                    and "dbn-" not in name[0]
                ):
                    starts.append((mean, p))
            for key in ("pretrain_seconds", "finetune_seconds"):
                lines.append(np.mean([r[key] for r in records]))
        means = [mean for mean, _ in starts]
        one_sign = max(means) < 0 or min(means) > 0
        settings_p.append(max(p for _, p in starts) if one_sign else 1.0)
        settings_told.append([*dict.fromkeys([min(means), max(means)])])
        numbers.append(lines)
    p_holm = corrected(settings_p)
    each = zip(numbers, settings_told, p_holm, strict=True)
    return [number for lines, told, p in each for number in (*lines, *told, p)]


_WORDS = r"^\S.*labels|median|^Warning|^  Fits|^Test|^Made|^Protocol|^Controls"


def printed(table):
    """All numbers of a table's lines, without those of names and titles."""
    numbers = []
    for line in table.splitlines():
        if re.search(_WORDS, line) is None:
            line = re.sub(r"^  (.*starts: |\S.*?(?=  ))", "", line)
            line = line.replace("+- ", " ").replace(" to ", " ")
            numbers += re.findall(r"[-+]?\d+(?:\.\d+)?", line)
    return numbers


def check_the_table(path):
    """That it has the figures that come from the file without the library."""
    result = Comparison.from_json(path)
    shown = printed(result.table())
    expected = recomputed(json.loads(path.read_text()))
    assert len(shown) == len(expected) > 10 * sum(map(len, result.errors().values()))
    for text, value in zip(shown, expected, strict=True):
        places = len(text.partition(".")[2])
        assert float(text) == pytest.approx(value, abs=0.501 * 10**-places), text


def test_the_table_is_recomputed_from_the_file_without_the_library(result, tmp_path):
    result.to_json(tmp_path / "results.json")
    check_the_table(tmp_path / "results.json")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_tables_of_the_records_are_recomputed_too(path):
    check_the_table(path)
    stored = json.loads(path.read_text())["summary"]
    for now, then in zip(Comparison.from_json(path).summary(), stored, strict=True):
        assert now["cell"] == then["cell"]
        for name, its in now["contenders"].items():
            old = then["contenders"][name]
            if old["low"] < old["high"]:  # files of before had such of equal errors
                ends = [(x["low"], x["high"]) for x in (its, old)]
                assert ends[0] == pytest.approx(ends[1])
            for key in ("mean", "low", "high", "p_value"):
                if name != now["dbn"]:
                    old_value = old["difference"][key]
                    assert its["difference"][key] == pytest.approx(old_value)
    told = Comparison.from_json(path).table()
    has_losses = "losses" in json.loads(path.read_text())["fields"]
    assert ("(the old rule: this record has no losses of rows)" in told) != has_losses


def test_the_check_above_sees_a_changed_error(result, tmp_path):
    path = tmp_path / "results.json"
    result.to_json(path)
    content = json.loads(path.read_text())
    stage, error = (content["fields"].index(name) for name in ("stage", "error"))
    changed = next(row for row in content["records"] if row[stage] == "test")
    changed[error] += 0.01
    shown = [float(text) for text in printed(result.table())]
    assert np.abs(np.array(shown) - recomputed(content)).max() > 0.1


def test_json_round_trip(result, tmp_path):
    path = tmp_path / "results.json"
    result.to_json(path)
    loaded = Comparison.from_json(path)
    # What a record has not is None there.
    for mine, kept in zip(result.records, loaded.records, strict=True):
        assert mine == {k: v for k, v in kept.items() if k in mine}
        assert all(v is None for k, v in kept.items() if k not in mine)
    assert loaded.table() == result.table()
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a comparison of format 2 or 3"):
        Comparison.from_json(path)
    path.write_text('{"format": 1, "settings": {}, "records": []}')
    with pytest.raises(ValueError, match="format 2 or 3 but of format 1"):
        Comparison.from_json(path)
    path.write_text("{")
    with pytest.raises(ValueError, match="not a JSON file"):
        Comparison.from_json(path)


def test_files_of_format_2_are_read(result, tmp_path):
    """There, records are dicts."""
    path = tmp_path / "results.json"
    content = {"format": 2, "settings": result.settings, "records": result.records}
    path.write_text(json.dumps(content))
    loaded = Comparison.from_json(path)
    assert loaded.records == result.records and loaded.table() == result.table()


@pytest.mark.parametrize(
    "broken",
    [
        {"fields": None},
        {"fields": [1, 2]},
        {"records": {}},
        {"records": [{"stage": "test"}]},
        {"records": [[]]},
        {"fields": ["stage"]},
    ],
)
def test_what_is_no_table_of_records(result, tmp_path, broken):
    path = tmp_path / "results.json"
    result.to_json(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | broken))
    with pytest.raises(ValueError, match="not a whole comparison: "):
        Comparison.from_json(path)


def test_a_record_of_more_values_than_fields_is_refused(result, tmp_path):
    path = tmp_path / "results.json"
    result.to_json(path)
    content = json.loads(path.read_text())
    n_fields = len(content["fields"])
    longest = max(content["records"], key=len)
    longest += [0.1] * (n_fields + 1 - len(longest))
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="not a whole comparison: "):
        Comparison.from_json(path)


def losses_at(*points):
    return {"loss_curve": [[*point] for point in points]}


def test_curves_end_where_a_seed_ended():
    """A net that diverged at the third epoch, and one with fewer points."""
    result = by_hand([0.1, 0.2, 0.3], [0.2, 0.1, 0.3])
    curves = [
        losses_at((1, 4.0), (3, 2.0), (5, 1.0)),
        losses_at((1, 8.0), (2, 9.0), (3, 16.0)),
        losses_at((1, 6.0), (5, 2.0)),
    ]
    for record in result.records:
        if record["stage"] == "test" and record.get("init") == "dbn":
            record |= curves[record["seed"]]
    ((epochs, losses),) = result.curves()["1 x 5, 10 labels"].values()
    assert epochs.tolist() == [1, 2, 3]
    assert losses.tolist() == [[4, 3, 2], [8, 9, 16], [6, 5, 4]]


def is_of(record, cell, contender):
    return (cell_name(record), contender_name(record)) == (cell, contender)


def test_intervals_of_a_mean_are_those_of_a_difference_from_nothing(result):
    for row in result.summary():
        for name in row["contenders"]:
            own = [r for r in stage(result, "test") if is_of(r, row["cell"], name)]
            mean, low, high, *_ = compare(own, None, result.settings)
            found = [row["contenders"][name][key] for key in ("mean", "low", "high")]
            assert found == pytest.approx([mean, low, high], abs=1e-6)


def test_files_are_small_and_no_net_has_a_long_curve(digits, tmp_path):
    long = SMALL | {"n_updates": 300, "learning_rates": [0.01]}
    result = compare_initializers(*digits, **long)
    curves = [r["loss_curve"] for r in stage(result, "test") if "loss_curve" in r]
    assert len(curves) == 3 * 2  # nets and seeds
    for curve in curves:
        epochs = [epoch for epoch, _ in curve]
        assert len(curve) == 25 and epochs == sorted({*epochs})
        assert (epochs[0], epochs[-1]) == (1, 150)
    epochs, losses = result.curves()["1 x 8, 40 labels"]["dbn + logistic"]
    assert epochs.shape == (25,) and losses.shape == (2, 25)
    assert (losses[:, -1] < losses[:, 0]).all()
    result.to_json(tmp_path / "results.json")
    assert (tmp_path / "results.json").stat().st_size < 26_000


def test_every_label_budget_may_have_its_updates(digits):
    budgets = SMALL | {"label_budgets": [40, 60], "n_updates": [10, 45]}
    result = compare_initializers(*digits, **budgets)
    assert result.settings["n_updates"] == [10, 45]
    nets = [r for r in stage(result, "test") if "loss_curve" in r]
    last = {(r["n_labels"], r["loss_curve"][-1][0]) for r in nets}
    assert last == {(40, 5), (60, 15)}  # of 2 and of 3 batches
    same = compare_initializers(*digits, **SMALL | {"n_updates": 10})
    for name, errors in same.errors()["1 x 8, 40 labels"].items():
        assert (errors == result.errors()["1 x 8, 40 labels"][name]).all()


def test_frame(result, monkeypatch):
    frame = result.to_frame()
    assert len(frame) == len(result.records)
    tests = frame[frame["stage"] == "test"]
    means = tests.groupby(["cell", "contender"])["error"].mean()
    errors = result.errors()["2 x 10, 60 labels"]["pca + logistic regression"]
    name = "2 x 10, 60 labels", "pca + logistic regression"
    assert means[name] == pytest.approx(errors.mean())
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        result.to_frame()


# Words.


def by_hand(dbn, *others, validation=(0.1, 0.2), control=None, n_labels=10):
    """A comparison with these test errors per seed."""
    made = []
    contenders = [("dbn", dbn), *zip(OTHERS, others, strict=False)]
    if control is not None:
        contenders.append(("dbn-shuffled", control))
    for init, errors in contenders:
        base = {
            "hidden_layer_sizes": [5],
            "n_labels": n_labels,
            "init": init,
            "activation": "logistic",
            "dropout": 0.0,
            "parameter": "learning_rate",
            "value": 0.1,
            "pretrain_seconds": 0.0,
            "finetune_seconds": 0.0,
        }
        for seed, error in enumerate(errors):
            record = base | {"seed": seed}
            made.append(record | {"stage": "tune", "error": validation[init != "dbn"]})
            made.append(record | {"stage": "test", "error": error})
    settings = {"dataset": "toy", "fixed_test_split": True, "scoring": "accuracy"}
    return Comparison(settings | {"n_train": 99, "n_test": 9}, made)


OTHERS = ["xavier_uniform", "he_normal", "lsuv"]
BETTER, WORSE = [0.10, 0.11, 0.12], [0.20, 0.21, 0.23]
VARYING = [0.05, 0.11, 0.19]


@pytest.mark.parametrize(
    ("dbn", "other", "words"),
    [
        (BETTER, WORSE, "lowered the test error: -10.3"),
        (WORSE, BETTER, "raised the test error: +10.3"),
        ([0.10, 0.21, 0.12], [0.11, 0.20, 0.13], "made no difference"),
        ([0.10, 0.10], [0.12, 0.12], "made no difference that these seeds can show"),
        ([0.10, 0.20], [0.10, 0.20], "made no difference that these seeds can show"),
    ],
)
def test_verdict_says_what_the_numbers_say(dbn, other, words):
    assert words in by_hand(dbn, other).verdict()


@pytest.mark.parametrize(
    ("dbn", "others", "words"),
    [
        (
            BETTER,
            [WORSE, [0.31, 0.33, 0.34]],
            "lowered the test error: -21.67 to -10.33 points against every other "
            "start.",
        ),
        (
            WORSE,
            [BETTER, [0.01, 0.02, 0.03]],
            "raised the test error: +10.33 to +19.33 points against every other start.",
        ),
        (
            BETTER,
            [WORSE, VARYING, [0.01, 0.03, 0.03]],
            "is shown to differ from single starts only: below Xavier, above LSUV, not "
            "shown against He.",
        ),
        (
            BETTER,
            [VARYING, VARYING],
            "made no difference that these seeds can show: not shown against Xavier "
            "and He.",
        ),
    ],
)
def test_verdict_is_about_every_other_start(dbn, others, words):
    """What validation rows prefer is of no account."""
    told = by_hand(dbn, *others).verdict()
    assert told == f"Verdict on toy, 1 x 5, 10 labels: DBN pretraining {words}"


def test_settings_share_the_level_and_single_differences_do_not():
    """Two settings of p = .035 each: shown by themselves, and neither by Holm."""
    dbn, other = [0.10, 0.10, 0.10], [0.19, 0.26, 0.18]
    first, second = (by_hand(dbn, other, n_labels=n) for n in (10, 20))
    assert "lowered the test error: -" in first.verdict()
    first.records += second.records
    told = first.verdict()
    assert "single starts only in 2 (1 x 5, 10 labels: below Xavier" in told
    p = 2 * t_tail(0.11 / (np.std(other, ddof=1) / np.sqrt(3)), 2)
    for row in first.summary():
        its = row["contenders"]["xavier_uniform + logistic"]["difference"]
        assert its["p_value"] == pytest.approx(p) and its["high"] < 0.0
        assert row["p_holm"] == pytest.approx(2 * p) and 0.025 < p < 0.05


def test_of_both_signs_there_is_no_claim():
    (row,) = by_hand(BETTER, WORSE, [0.01, 0.03, 0.03]).summary()
    assert row["p_value"] == 1.0
    assert all(
        its["difference"]["p_value"] < 0.05
        for its in row["contenders"].values()
        if its["difference"]
    )


def test_of_the_same_training_rows_nothing_is_said_about_others():
    words = "10 labels, for this training set: "
    result = by_hand(BETTER, WORSE)
    assert words not in result.verdict()
    result.settings["n_train"] = 10  # all labels, of a fixed split
    assert words in result.verdict()
    assert "; for this training set\n" in result.table()
    for i, record in enumerate(result.records):
        record["train_rows_sha256"] = f"of {i}"
    assert words not in result.verdict()


def test_verdict_names_controls_that_beat_the_dbn():
    """They are no other start, however good."""
    result = by_hand(BETTER, WORSE, control=[0.01, 0.02, 0.04])
    assert "every other start; of the controls, DBN shuffled beat" in result.verdict()
    result = by_hand(BETTER, WORSE, control=[0.30, 0.31, 0.32])
    assert "controls" not in result.verdict()


def test_a_value_at_an_end_of_its_grid_is_marked():
    result = by_hand(BETTER, WORSE)
    assert "*" not in result.table()  # a single value was not chosen
    for value, error in ((0.01, 0.3), (0.3, 0.15)):
        result.records += [
            record | {"value": value, "error": error}
            for record in result.records
            if record["stage"] == "tune" and record["value"] == 0.1
        ]
    # xavier_uniform has .2 at .1, and .15 at .3, the end.
    for record in result.records:
        if record["stage"] == "test" and record["init"] != "dbn":
            record["value"] = 0.3
    lines = result.table().splitlines()
    values = [re.findall(r"0\.1 |0\.3\*", line)[0] for line in lines[2:4]]
    assert values == ["0.1 ", "0.3*"]
    assert lines[-2] == (
        "Warning: * was chosen at an end of its grid, in 3 choices of each: "
        "Xavier 3. A wider grid may change the errors."
    )
    assert lines[-2] in html_report(result)


def test_fits_that_failed_are_counted():
    result = by_hand(BETTER, WORSE)
    for record in result.records:
        record |= {"diverged": 0, "unconverged": int(record["init"] == "dbn")}
    result.records[0]["diverged"] = 4
    told = result.table()
    assert "  Fits that diverged, those of the tuning included: DBN 4" in told
    assert "converge, those of the tuning included: DBN 6\n" in told
    del result.records[0]["diverged"]  # of before they were counted
    assert "Fits that diverged" not in result.table()


# Losses of rows.


def test_losses_of_every_final_net_are_kept_with_their_rows(result, digits):
    X, y = digits
    for record in stage(result, "test"):
        losses, rows = unpacked(record, result.settings)
        _, test = train_test_split(
            np.arange(len(y)), test_size=0.3, stratify=y, random_state=record["seed"]
        )
        assert rows.tolist() == sorted(test)
        assert losses.mean() == pytest.approx(record["error"])
    record = stage(result, "test", init="pca", n_labels=60, seed=1)[0]
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.3, stratify=y, random_state=1
    )
    labelled, _ = train_test_split(
        train, train_size=60, stratify=y[train], random_state=1
    )
    pca = PCA(10, random_state=1).fit(X[train])
    line = LogisticRegression(C=record["value"], max_iter=1000, random_state=1)
    line.fit(pca.transform(X[labelled]), y[labelled])
    losses, rows = unpacked(record, result.settings)
    wrong = line.predict(pca.transform(X[rows])) != y[rows]
    assert (wrong == losses).mean() > 0.99
    assert not any("losses" in record for record in stage(result, "tune"))


@pytest.mark.parametrize("values", [[True, False, True], [0.25e6, 1e9, 0.0]])
@pytest.mark.parametrize("rows", [None, [11, 2, 5]])
def test_losses_come_back(values, rows):
    losses = np.array(values)
    kept = packed(losses, None if rows is None else np.array(rows))
    scoring = "accuracy" if losses.dtype == bool else "neg_mean_squared_error"
    kept = json.loads(json.dumps(kept)) | {"error": losses.mean()}
    back, where = unpacked(kept, {"scoring": scoring, "n_test": 3})
    expected = losses if rows is None else losses[[1, 2, 0]]
    assert where.tolist() == ([0, 1, 2] if rows is None else [2, 5, 11])
    assert back.dtype == losses.dtype
    np.testing.assert_allclose(back.astype(float), expected.astype(float), rtol=1e-3)


def test_scores_that_are_no_mean_over_rows_say_that_test_rows_are_not_counted(digits):
    result = compare_initializers(*digits, **SMALL, scoring="balanced_accuracy")
    assert not any("losses" in record for record in result.records)
    told = result.table()
    assert "(Nadeau-Bengio); test rows are not counted. Could" in told
    counted = compare_initializers(*digits, **SMALL, scoring="neg_log_loss")
    assert "judged by seeds and test rows. Could" in counted.table()
    for record in stage(counted, "test"):
        losses, _ = unpacked(record, counted.settings)
        assert losses.mean() == pytest.approx(record["error"])


@pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_mean_squared_error"])
def test_losses_have_the_mean_of_the_scorer(digits, scoring):
    X, y = digits
    model = LogisticRegression(max_iter=50).fit(X[:100], y[:100])
    losses = row_losses(model, X, y, scoring)
    assert losses.shape == y.shape
    assert losses.mean() == pytest.approx(-get_scorer(scoring)(model, X, y))


@pytest.mark.parametrize("unit", [0.01, 1.0, 1e5])
def test_figures_stand_below_their_headings(unit):
    its = by_hand([0.1 * unit, 0.2 * unit], [0.1 * unit, 0.3 * unit])
    settings = its.settings | {"scoring": "neg_mean_squared_error", "n_classes": 0}
    _, head, _, line, *_ = Comparison(settings, its.records).table().splitlines()
    titles = re.findall(r"\S+(?: \S+)*", head)
    figures = re.findall(r"\S+(?: \S+)*", line)
    assert len(titles) == len(figures) == 9
    for title, figure in zip(titles[1:-1], figures[1:-1], strict=True):
        end = head.index(f"  {title}") + 2 + len(title)
        assert line[:end].endswith(f" {figure}"), (title, head, line)


def test_records_of_no_whole_comparison_have_no_figures(tmp_path):
    """Seeds that count twice make intervals too short."""
    good = by_hand([0.1, 0.2], [0.1, 0.3])
    starts = [r for r in good.records if r["init"] != "dbn"]
    for records in ([], starts, good.records * 2, good.records[1:]):
        cut = Comparison(good.settings, records)
        for call in (cut.summary, cut.table, cut.verdict):
            with pytest.raises(ValueError, match="not a whole comparison: "):
                call()
        with pytest.raises(ValueError, match="not a whole comparison: "):
            cut.to_json(tmp_path / "results.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": "AAAA"}, "losses are not those of 216 rows with the error"),
        ({"losses": "?"}, "'\\?' is no text of base 64"),
        ({"losses": 5}, "losses is 5"),
        ({"test_rows": ""}, "not the same test rows for all contenders of a seed"),
        ({"error": 0.9}, "with the error 0.9"),
    ],
)
def test_losses_of_a_file_are_checked(result, tmp_path, change, message):
    path = tmp_path / "results.json"
    result.to_json(path)
    content = json.loads(path.read_text())
    fields = content["fields"]
    test = next(r for r in content["records"] if r[fields.index("stage")] == "test")
    for name, value in change.items():
        test[fields.index(name)] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        Comparison.from_json(path)


def test_a_contender_without_losses_is_judged_by_its_seeds(result):
    """Of a study that was begun by an earlier version, say."""
    records = [
        {k: v for k, v in record.items() if k != "losses"}
        if record.get("init") == "pca"
        else record
        for record in result.records
    ]
    (row, _) = Comparison(result.settings, records).summary()
    methods = {name: its["difference"] for name, its in row["contenders"].items()}
    assert methods["pca + logistic regression"]["method"].startswith("seeds, corr")
    other = methods["xavier_uniform + logistic"]["method"]
    assert other == "seeds and test rows"


def test_what_is_not_whole_is_told(tmp_path):
    good = by_hand([0.1, 0.2], [0.1, 0.3])
    records, path = good.records, tmp_path / "results.json"
    good.to_json(path)
    assert Comparison.from_json(path).records == records
    for broken, message in [
        (records[:-1], "has not the same seeds"),
        (records[:4], "has not the same seeds"),
        ([r for r in records if r["stage"] == "test"], "has not the same seeds"),
        ([r | {"seed": 0} for r in records], "has not the same seeds"),
        ([r | {"loss_curve": [[1]]} for r in records], "loss_curve is"),
        ([r for r in records if r["stage"] == "tune"], "it has no tests"),
    ]:
        content = json.loads(path.read_text()) | {"format": 2, "records": broken}
        other = tmp_path / "broken.json"
        other.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=message):
            Comparison.from_json(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"init": "x" * 300_000}, "init is 'xxx"),
        ({"init": "\x1b[31mred"}, r"init is '\\x1b\[31mred'"),
        ({"activation": "tanh\u202e"}, r"activation is 'tanh\\u202e'"),
        ({"parameter": "C\n"}, r"parameter is 'C\\n'"),
        ({"hidden_layer_sizes": [1] * 1001}, r"hidden_layer_sizes is \[1, 1"),
        ({"loss_curve": [[i + 1, 0.5] for i in range(101)]}, r"loss_curve is \[\[1, 0"),
    ],
    ids=lambda value: "",
)
def test_what_stands_in_a_table_is_short_and_printable(tmp_path, change, message):
    good = by_hand([0.1, 0.2], [0.1, 0.3])
    records = [r | change if r["init"] != "dbn" else r for r in good.records]
    for settings, its in (
        (good.settings, records),
        (good.settings | {"scoring": "\x1b"}, good.records),
    ):
        path = tmp_path / "results.json"
        good.to_json(path)
        content = json.loads(path.read_text()) | {"format": 2, "records": its}
        content["settings"] = settings
        path.write_text(json.dumps(content))
        expected = message if its is records else r"scoring is '\\x1b'"
        with pytest.raises(ValueError, match=expected):
            Comparison.from_json(path)


def test_the_name_of_the_data_is_escaped_where_it_is_printed(tmp_path):
    """It is the user's own, and may be anything."""
    good = by_hand([0.1, 0.2], [0.1, 0.3])
    good.settings["dataset"] = "a\x1b]0;title\x07" + "b" * 1000
    good.to_json(tmp_path / "results.json")
    found = Comparison.from_json(tmp_path / "results.json")
    assert found.verdict().isprintable() and len(found.verdict()) < 500
    assert r"Verdict on a\x1b]0;title\x07bbb" in found.verdict()
    assert found.table().replace("\n", "").isprintable()


def test_a_table_of_thousands_of_contenders_is_refused(tmp_path):
    good, path = by_hand([0.1, 0.2], [0.1, 0.3]), tmp_path / "results.json"
    good.records += [
        record | {"init": f"start{i}"}
        for record in good.records
        if record.get("init") != "dbn"
        for i in range(1000)
    ]
    good.to_json(path)
    with pytest.raises(ValueError, match="it has 1002 contenders in 1 settings, more"):
        Comparison.from_json(path)


# The protocol.


def spied(monkeypatch, estimator, method):
    """The first argument of every call of a method."""
    calls, original = [], getattr(estimator, method)

    @functools.wraps(original)
    def spying(self, X, *args, **options):
        calls.append(X)
        return original(self, X, *args, **options)

    monkeypatch.setattr(estimator, method, spying)
    return calls


def test_test_rows_are_never_trained_on_and_used_once(digits, monkeypatch):
    """Rows of the fixed test split are marked; no fit may see the mark."""
    X, y = digits
    X_test, X = X[:50].copy(), X.copy()
    X_test[:, 0], X[:, 0] = 1.0, 0.0
    seen = [
        spied(monkeypatch, estimator, "fit")
        for estimator in (DBNClassifier, DBNTransformer)
    ]
    predicted = spied(monkeypatch, DBNClassifier, "predict")
    result = compare_initializers(X, y, X_test=X_test, y_test=y[:50], **ALONE)
    # Two seeds: pretrained once each, two contenders with two rates in five folds.
    assert [len(calls) for calls in seen] == [2 * 2 * (2 * 5 + 1), 2]
    assert max(rows[:, 0].max() for calls in seen for rows in calls) == 0.0
    assert sum(rows[:, 0].max() == 1.0 for rows in predicted) == 2 * 2
    assert result.settings["fixed_test_split"]
    its = result.summary()[0]["contenders"]["xavier_uniform + logistic"]
    assert its["difference"]["method"] == "seeds and test rows"


@pytest.mark.parametrize(("rows", "n"), [("all", 504), ("labelled", 40)])
def test_rows_that_dbns_are_pretrained_on(digits, monkeypatch, rows, n):
    calls = spied(monkeypatch, DBNTransformer, "fit")
    compare_initializers(*digits, **SMALL, pretraining_rows=rows)
    assert [len(X) for X in calls] == [n, n]


def test_validation_rows_of_the_literature_are_not_in_the_label_budget(
    digits, monkeypatch
):
    fitted = spied(monkeypatch, DBNClassifier, "fit")
    predicted = spied(monkeypatch, DBNClassifier, "predict")
    compare_initializers(*digits, **ALONE, tune="literature")
    assert {len(X) for X in fitted} == {40}
    held = [X for X in predicted if len(X) == 504 - 40]
    assert len(held) == 2 * 2 * 2  # seeds, contenders, rates
    for labelled in fitted:
        own = {row.tobytes() for row in labelled}
        assert any(not own & {row.tobytes() for row in X} for X in held)


def test_strict_validation_uses_every_label_once(digits, monkeypatch):
    predicted = spied(monkeypatch, DBNClassifier, "predict")
    compare_initializers(*digits, **ALONE)
    held = [X for X in predicted if len(X) == 8]
    assert len(held) == 2 * 2 * 2 * 5  # seeds, contenders, rates, folds
    for i in range(0, len(held), 5):
        assert len({row.tobytes() for X in held[i : i + 5] for row in X}) == 40


def test_above_1000_labels_one_fold_validates(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.random((1500, 3))
    toy = ALONE | {"label_budgets": [1000, 1020], "learning_rates": [0.01]}
    predicted = spied(monkeypatch, DBNClassifier, "predict")
    compare_initializers(X, (X[:, 0] > 0.5).astype(int), **toy)
    sizes = Counter(map(len, predicted))
    assert (sizes[200], sizes[204]) == (2 * 2 * 5, 2 * 2)


def test_equal_epochs_and_equal_multiply_adds(digits):
    for equal in ("epochs", "multiply_adds"):
        result = compare_initializers(*digits, **SMALL, equal=equal)
        nets = [r for r in stage(result, "test") if r["parameter"] != "C"]
        nets = [r for r in nets if "init" in r]
        dbn = next(r for r in nets if r["init"] == "dbn")
        epoch = 40 * (3 * (64 * 8 + 8 * 4) - 64 * 8)
        assert dbn["finetune_multiply_adds"] == 10 * epoch
        # One epoch of 26 updates: 5 products of CD-1, and the features.
        assert dbn["pretrain_multiply_adds"] == 504 * 64 * 8 * 6
        for record in nets:
            if equal == "multiply_adds" and record["init"] != "dbn":
                whole = sum(dbn[f"{p}_multiply_adds"] for p in ("pretrain", "finetune"))
                more = record["finetune_multiply_adds"] - whole
                assert 0 <= more < epoch and record["pretrain_multiply_adds"] == 0
            else:
                assert record["finetune_multiply_adds"] == 10 * epoch


def test_the_machine_that_dbns_are_made_of(digits, monkeypatch):
    fits = spied(monkeypatch, DBNTransformer, "fit")
    rbm = RBMTransformer(sampler=CD(2), sparsity=0.1, max_iter=77)
    result = compare_initializers(*digits, **SMALL, rbm=rbm)
    dbn = stage(result, "test", init="dbn")[0]
    # One epoch: 7 products of CD-2, and the features.
    assert dbn["pretrain_multiply_adds"] == 504 * 64 * 8 * 8
    assert "CD(k=2)" in result.settings["rbm"] and rbm.max_iter == 77
    assert len(fits) == 2
    default = compare_initializers(*digits, **SMALL)
    assert default.settings["rbm"] == "RBMTransformer()"
    losses = [stage(r, "test", init="dbn")[0]["loss_curve"] for r in (result, default)]
    assert losses[0] != losses[1]


def test_all_kinds_of_starts(digits):
    inits = [("dbn", "relu"), ("orthogonal", "tanh"), ("lsuv", "logistic", "dropout")]
    inits += [("dbn-resampled", "tanh"), ("dbn-shuffled", "logistic")]
    inits += [("xavier_x4_uniform", "logistic")]
    toy = SMALL | {"inits": inits, "learning_rates": [0.01]}
    (row,) = compare_initializers(*digits, **toy).summary()
    kinds = {name: c["kind"] for name, c in row["contenders"].items()}
    assert kinds["dbn + relu"] == "dbn"
    assert kinds["lsuv + logistic + dropout"] == "start"
    assert kinds["dbn-shuffled + logistic"] == "control"
    assert kinds["pca + logistic regression"] == "control"
    assert kinds["he_normal + relu + dropout"] == "start"


@pytest.mark.parametrize(
    ("scoring", "title"),
    [
        ("balanced_accuracy", "test 1 - balanced accuracy (%)"),
        ("neg_log_loss", "test log loss"),
    ],
)
def test_other_scores(digits, scoring, title):
    result = compare_initializers(*digits, **SMALL, scoring=scoring)
    assert title in result.table()
    errors = result.errors()["1 x 8, 40 labels"]["dbn + logistic"]
    assert (errors > (0.7 if scoring == "neg_log_loss" else 0.0)).all()


def test_grey_values_above_1_are_scaled_by_the_training_rows(digits):
    X, y = digits
    plain = compare_initializers(X, y, **SMALL)
    scaled = compare_initializers(X * 37.0, y, **SMALL)
    assert scaled.settings["scaled"] and not plain.settings["scaled"]
    found = [np.mean([r["error"] for r in stage(x, "test")]) for x in (plain, scaled)]
    assert found[0] == pytest.approx(found[1], abs=0.1)


def test_a_rate_at_which_training_diverges_loses_and_stops_nothing(digits):
    rates = [1e30, 0.01]
    result = compare_initializers(*digits, **SMALL | {"learning_rates": rates})
    nets = [r for r in stage(result, "test") if r["parameter"] == "learning_rate"]
    assert {r["value"] for r in nets} == {0.01}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_budgets": [5]}, "label budget of 5 is not possible: 4 classes"),
        ({"label_budgets": [5000]}, "label budget of 5000 .* 504 training rows"),
        ({"label_budgets": [502]}, "leaves 2 of 504 .*, fewer than there are classes"),
        ({"label_budgets": [40, 40]}, "each of them once"),
        ({"label_budgets": [500], "tune": "literature"}, "Choose at most 496"),
        ({"n_seeds": 1}, "n_seeds is 1; an interval needs at least 2"),
        ({"inits": [("dbn", "logistic")]}, None),  # against the control
        ({"inits": [("he_normal", "relu"), ("zeros", "tanh")]}, "needs 'dbn' and at"),
        (
            {"inits": [("dbn", "logistic"), ("dbn", "tanh")], "controls": None},
            "needs 'dbn' and at least",
        ),
        ({"inits": [("dbn", "logistic"), ("cauchy", "relu")]}, "cauchy"),
        ({"inits": [("dbn", "logistic"), ("lsuv", "relu", "drop")]}, "'drop'"),
        ({"inits": [("dbn", "elu"), ("lsuv", "relu")]}, "cannot start layers"),
        ({"inits": ["dbn", "xavier_uniform"]}, r"Give names: \(init, activation\)"),
        ({"hidden_layer_sizes": []}, "hidden_layer_sizes is"),
        ({"hidden_layer_sizes": [(0,)]}, "positive integers"),
        ({"hidden_layer_sizes": 8}, r"is 8; give a list, such as \[\(8, 4\)\]"),
        ({"hidden_layer_sizes": "8"}, "is '8'; give a list"),
        ({"hidden_layer_sizes": [8, (4,)]}, "A net in hidden_layer_sizes is 8; give"),
        ({"hidden_layer_sizes": [8.5]}, "A net in hidden_layer_sizes is 8.5; give"),
        (
            {"hidden_layer_sizes": (8, 4)},
            r"is \(8, 4\).*\[\(8, 4\)\] for one net of 2 layers, or \[\(8,\), \(4,\)\]",
        ),
        ({"label_budgets": 40}, r"label_budgets is 40; give a list"),
        (
            {"label_budgets": [40.5]},
            "label budget must be a positive integer; it is 40",
        ),
        ({"label_budgets": {40.5: []}}, "label budget must be a positive integer"),
        ({"learning_rates": 0.01}, "learning_rates is 0.01; give a list"),
        ({"learning_rates": ["a"]}, r"learning_rates is \['a'\]; give numbers"),
        ({"inits": 5}, r"inits is 5; give a list, such as \[\('dbn', 'logistic'\)"),
        ({"tune_updates": 0}, "tune_updates must be a positive integer; it is 0"),
        ({"test_size": "a"}, "test_size must be between 0 and 1; it is 'a'"),
        ({"test_size": 0.001}, "There is 1 test row"),
        ({"splits": [1, 2, 3]}, "splits has 1 for seed 0; give a pair"),
        ({"name": 5}, "name is 5; give"),
        ({"hidden_layer_sizes": [(9,), (9,)]}, r"is \[\(9,\), \(9,\)\]; give one or"),
        ({"learning_rates": [-1.0]}, "one is -1.0"),
        ({"learning_rates": [0.1, 0.1]}, r"learning_rates is \[0.1, 0.1\]; give one"),
        ({"learning_rates": []}, r"learning_rates is \[\]; give one or more"),
        ({"n_updates": 0}, "n_updates must be a positive integer"),
        ({"n_updates": [5]}, r"n_updates is \[5\] for 2 label budgets"),
        ({"batch_size": 2.5}, "batch_size must be a positive integer"),
        ({"rbm": "cd"}, "rbm is 'cd'; give an RBMTransformer"),
        ({"rbm": RBMTransformer(visible="gausian")}, "'gausian'"),
        ({"rbm": RBMTransformer(sampler=PCD())}, r"trains by PCD\(\); the cost of"),
        ({"rbm": RBMTransformer(sampler=CD(((0, 1), (5, 3))))}, "CD with one k"),
        ({"tune": "test"}, r"tune='test' is not known; use one of \('strict'"),
        ({"equal": "seconds"}, "equal='seconds'"),
        ({"pretraining_rows": "test"}, "pretraining_rows='test'"),
        ({"test_size": 1.5}, "test_size must be between 0 and 1"),
        ({"scoring": "luck"}, "luck"),
        ({"scoring": len}, "give the name of a scikit-learn scorer"),
    ],
)
def test_comparisons_that_cannot_be_made(digits, change, message, monkeypatch):
    work = spied(monkeypatch, DBNTransformer, "fit")
    if message is None:
        toy = SMALL | change | {"learning_rates": [0.01]}
        compare_initializers(*digits, **toy)
        assert work
        return
    with pytest.raises(ValueError, match=message):
        compare_initializers(*digits, **TOY | change)
    assert not work  # said before anything is trained


def damaged(X, y, **change):
    X, y = X.copy(), y.astype(object)
    X[3, 2] = change.get("x", X[3, 2])
    y[5] = change.get("label", y[5])
    return X, y


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (lambda X, y: damaged(X, y, x=np.inf), {}, "1 values that are infinite, in 1"),
        (lambda X, y: damaged(X, y, label=None), {}, "has 1 missing labels"),
        (lambda X, y: damaged(X, y, label=np.nan), {}, "has 1 missing labels"),
        (lambda X, y: damaged(X, y, label=pd.NA), {}, "has 1 missing labels"),
        (lambda X, y: (X, np.where(y == 3, " ", y.astype(str))), {}, "missing labels"),
        (lambda X, y: (X, np.where(y == 3, "", y.astype(str))), {}, "missing labels"),
        (lambda X, y: (X, np.where(y == 1, np.inf, y)), {}, "labels that are infinite"),
        (lambda X, y: (X[:-1], y), {}, "inconsistent numbers of samples"),
        (lambda X, y: (X, np.zeros(len(y))), {}, "y has 1 class, "),
        (lambda X, y: (X, np.append(y[:-1], 9)), {}, "the smallest of 1 row "),
        (
            lambda X, y: (X, [f"1,{i:03}.0" for i in range(len(y))]),
            {"scoring": "r2"},
            "no numbers, which scoring='r2' is for",
        ),
        (lambda X, y: (X, y), {"X_test": np.eye(64)}, "go together"),
        (
            lambda X, y: (X, y),
            {"X_test": np.eye(5), "y_test": np.arange(5) % 4},
            "X_test has 5 features in a ndarray, X has 64",
        ),
        (
            lambda X, y: (X, y),
            {"X_test": np.eye(64), "y_test": np.arange(64)},
            "y_test holds labels that y does not",
        ),
        (
            lambda X, y: (X, y),
            {"X_test": np.full((4, 64), np.inf), "y_test": np.arange(4)},
            "X_test of data set 'data' has 256 values",
        ),
    ],
)
def test_data_that_cannot_be_used(digits, data, options, message):
    with pytest.raises(ValueError, match=message):
        compare_initializers(*data(*digits), **SMALL, **options)


def test_a_rare_class_needs_a_larger_budget(digits):
    X, y = digits
    y = np.where(np.arange(len(y)) < 10, 9, y)
    with pytest.raises(
        ValueError, match=r"of the class 9 for.*rare.*a budget of"
    ) as no:
        compare_initializers(X, y, **SMALL)
    enough = int(re.search(r"a budget of (\d+) or more", str(no.value))[1])
    assert compare_initializers(X, y, **SMALL | {"label_budgets": [enough]})
    own = {40: [np.arange(20, 60)] * SMALL["n_seeds"]}
    fixed = {"X_test": X[:20], "y_test": y[:20], "label_budgets": own}
    with pytest.raises(ValueError, match=r"class 9 for seed 0.*Give 2 of its rows"):
        compare_initializers(X, y, **SMALL | fixed)


@pytest.mark.parametrize(
    ("n", "words"), [(2, "No budget of these.*"), (3, "Choose a budget of 504, or ")]
)
def test_a_class_of_few_rows_is_named(digits, n, words):
    """Of so few that seeds train on one of them, or on two."""
    X, y = digits
    y = np.where(np.arange(len(y)) < n, "rare", y.astype(str))
    words = f"the class 'rare' for seed 0.*{words}leave the class out"
    with pytest.raises(ValueError, match=words):
        compare_initializers(X, y, **SMALL)


def test_more_classes_than_test_rows(digits):
    X, _ = digits
    y = np.arange(len(X)) % 20
    with pytest.raises(ValueError, match="7 test rows, fewer than the 20 classes"):
        compare_initializers(X, y, **SMALL | {"test_size": 7 / len(X)})


def test_labels_may_be_words(digits):
    X, y = digits
    words = np.array(["a", "b", "c", "d"])[y]
    plain, named = (compare_initializers(X, t, **SMALL) for t in (y, words))
    assert untimed(named.records) == untimed(plain.records)


@pytest.mark.parametrize("kind", [int, float, str])
def test_the_mark_of_rows_without_labels_is_told(digits, kind):
    X, y = digits
    y = np.where(y == 3, -1, y).astype(kind)
    toy = SMALL | {"learning_rates": [0.01]}
    with pytest.warns(UserWarning, match="the class -1 beside 3 others, 0") as caught:
        compare_initializers(X, y, **toy)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("classes", [(-1, 1), (-1, 0), (-2, -1, 0, 1), ("-1", "a")])
def test_minus_one_may_be_a_class(classes):
    y = np.array(classes)[np.arange(12) % len(classes)]
    assert len(np.unique(read_data(np.eye(12), y, None, None, "signs").y)) > 1
