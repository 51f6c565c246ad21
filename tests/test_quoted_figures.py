"""Figures in README and docs are those of the records in results/, rounding included.

Each text below is made from a record and must stand in README.md or in a page of docs/,
wherever that is. Figures are rounded half to even from exact decimals: errors are what
the record has in its shortest form, so a mean of 11.845 is 11.84 or 11.8, and 11.85 is
11.8.
"""

import json
import math
import re
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from functools import cache
from pathlib import Path
from statistics import mean, median, stdev

import numpy as np
import pytest
from scipy.stats import t as student_t

from dbn.evaluation import Comparison
from dbn.evaluation.study.records import display_name

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = {
    "dbn + logistic": "DBN",
    "standard + logistic": 'their start without pretraining ("standard")',
    "xavier_uniform + logistic": "Xavier",
    "xavier_x4_uniform + logistic": "Xavier x 4",
    "he_normal + relu": "He + ReLU",
    "he_normal + relu + dropout": "He + ReLU + dropout",
    "dbn-features + logistic regression": "logistic regression on the DBN's features",
}
DBN, STANDARD, XAVIER, XAVIER_X4, HE, HE_DROPOUT, FEATURES = NAMES


COMPARED = ["german", "splice", "vehicle", "autompg", "20newsgroups", "ionosphere"]
COMPARED += ["australian", "segment", "phoneme", "spambase", "mammographic", "hprice2"]
OF_NUMBERS = {  # factor and unit of their errors
    "autompg": (1, " (squared error)"),
    "hprice2": (1000, " (1000 x squared error)"),
}
READ = set()  # records that were asked for


# --- figures --------------------------------------------------------------------------


def exact(value):
    """A number as the record has it; what was computed, without its rounding errors."""
    return value if isinstance(value, Decimal) else Decimal(f"{value:.12g}")


def figure(value, digits=1, sign="", rounding=ROUND_HALF_EVEN):
    """A number with so many digits behind the point."""
    step = Decimal(1).scaleb(-digits)
    return f"{exact(value).quantize(step, rounding):{sign}}"


def spread(values, digits=1, factor=100):
    """Mean and standard deviation, in percent."""
    values = [factor * exact(value) for value in values]
    return f"{figure(mean(values), digits)} +- {figure(stdev(values), digits)}"


def average(values, digits=1):
    return figure(mean([100 * exact(value) for value in values]), digits)


def interval(difference, factor=100):
    """The DBN minus another, in points, with its interval."""
    its = [figure(factor * difference[key], 1, "+") for key in ("mean", "low", "high")]
    return "{} [{}, {}]".format(*its)


def best_other(setting):
    """The start without a DBN that has the least error on validation rows."""
    its = setting["contenders"]
    starts = [name for name in its if its[name]["kind"] == "start"]
    return min(starts, key=lambda name: its[name]["validation_error"])


def minus_best(setting):
    return setting["contenders"][best_other(setting)]["difference"]


def row(name, *cells):
    return f"| {name} | {' | '.join(cells)} |"


def record(name):
    READ.add(name)
    return _record(name)


@cache
def _record(name):
    return json.loads((ROOT / "results" / f"{name}.json").read_text())


def study(name):
    READ.add(name)
    return _study(name)


@cache
def _study(name):
    return Comparison.from_json(ROOT / "results" / f"{name}.json")


@cache
def summary(name):
    return study(name).summary()


# --- texts, by record -----------------------------------------------------------------


def digits() -> Iterable[str]:
    result = study("digits")
    *settings, _ = result.table().split("\n\n")
    yield from settings
    yield result.verdict()
    yield f"pretrained on all {result.settings['n_train']:,} training rows of a seed"


def compared_with_dbn(name) -> Iterable[str]:
    """For each label budget of a record errors, and the DBN minus each contender."""
    cells, rows = [*study(name).errors().values()], summary(name)
    for contender in cells[0]:
        pairs = []
        for setting, errors in zip(rows, cells, strict=True):
            its = setting["contenders"][contender]
            apart = "" if contender == DBN else interval(its["difference"])
            pairs += [spread(errors[contender]), apart]
        yield row(display_name(contender), *pairs)


def digits_equal() -> Iterable[str]:
    """With as many multiply-adds for all."""
    yield from compared_with_dbn("digits-equal")
    few, many = summary("digits-equal")
    assert len(few["below"]) == 4  # all other starts
    claims = few["p_holm"], many["p_holm"]
    assert claims[0] < 0.05 < claims[1]
    yield "(Holm p = {:.3f}), not with 300 ({:.3f})".format(*claims)


def label_spreading(errors):
    """The name of this control, which has the number of its rows in it."""
    (name,) = (name for name in errors if name.startswith("label spreading"))
    return name


def mnist_few() -> Iterable[str]:
    yield from compared_with_dbn("mnist-few")
    cells, rows = [*study("mnist-few").errors().values()], summary("mnist-few")
    assert all(len(setting["below"]) == 4 for setting in rows)  # all other starts
    spreading = label_spreading(cells[0])
    apart = [setting["contenders"][spreading]["difference"] for setting in rows]
    assert [its["low"] > 0 for its in apart] == [True, True, False]
    better = f"{average(cells[0][spreading])} and {average(cells[1][spreading])} %"
    yield f"label spreading is better than the DBN with 100 and 600 labels ({better})"


def mnist_3000() -> Iterable[str]:
    yield from compared_with_dbn("mnist-3000")
    (its,), (errors,) = summary("mnist-3000"), study("mnist-3000").errors().values()
    assert len(its["below"]) == 4  # all other starts
    n_seeds = len(study("mnist-3000").settings["seeds"])
    holm = f"{n_seeds} seeds, the DBN is below every other start (Holm p = "
    yield f"With 3000 labels, {holm}{its['p_holm']:.4f})"
    apart = interval(its["contenders"]["RBF SVM"]["difference"])
    error = average(errors["RBF SVM"])
    yield f"RBF SVM is as good ({error} %; the DBN minus it {apart})"


def mnist_equal() -> Iterable[str]:
    """With as many multiply-adds for all, 3000 labels."""
    yield from compared_with_dbn("mnist-3000-equal")
    (its,) = summary("mnist-3000-equal")
    assert len(its["below"]) == 3  # all other starts
    yield f"below each of them (Holm p = {its['p_holm']:.3f};"


def fashion() -> Iterable[str]:
    yield from compared_with_dbn("fashion-1000")
    (its,), (errors,) = summary("fashion-1000"), study("fashion-1000").errors().values()
    assert {*its["below"]} == {XAVIER_X4, HE}
    svm = its["contenders"]["RBF SVM"]["difference"]
    assert svm["low"] < 0.0 < svm["high"]
    error = average(errors["RBF SVM"])
    yield f"RBF SVM, which sees the labelled images alone, is as good ({error} %)"


def mnist_few_12000() -> Iterable[str]:
    cells = [*study("mnist-few-12000").errors().values()]
    cells += study("fashion-1000-12000").errors().values()
    rows = summary("mnist-few-12000") + summary("fashion-1000-12000")
    for name in (DBN, HE_DROPOUT, XAVIER, FEATURES):
        yield row(NAMES[name], *(spread(errors[name]) for errors in cells))
    best = [*map(best_other, rows)]
    yield row(
        "best other start",
        *(
            f"{spread(errors[name])} ({NAMES[name]})"
            for errors, name in zip(cells, best, strict=True)
        ),
    )
    minus = map(minus_best, rows)
    yield row(
        "DBN minus it, 95 % interval", *(interval(its).lstrip("+") for its in minus)
    )
    apart = max(
        abs(its["contenders"][name]["mean"] - its["contenders"][XAVIER]["mean"])
        for its in rows
        for name in ("orthogonal + logistic", "lsuv + logistic")
    )
    within = figure(100 * apart, rounding=ROUND_CEILING)
    yield f"LSUV starts end within {within} points of Xavier"
    by = {
        figure(100 * rows[i]["contenders"][FEATURES]["difference"]["mean"])
        for i in (1, 2)
    }
    yield f"better with 600 and 1000 labels (by {' and '.join(sorted(by))} points)"


def of_labels(name, n_labels, contender):
    """Test errors of a record of few labels, tuned inside them."""
    return [
        run["strict"]["test_error"]
        for run in record(name)["runs"]
        if (run.get("n_labels"), run.get("contender")) == (n_labels, contender)
    ]


def mnist_labels() -> Iterable[str]:
    contenders, few = ("dbn", FEATURES, HE_DROPOUT), (100, 600, 1000)
    cells = [*study("mnist-labels").errors().values()]
    now = [[its[name] for its in cells] for name in contenders]
    then = [
        [of_labels("mnist-labels-ten-subsets", n, name) for n in few]
        for name in contenders
    ]
    many = [of_labels("mnist-labels-3000", 3000, name) for name in contenders]
    a, b, c = map(average, now[0])
    yield f"do better than either ({a}, {b}, {c} and {average(many[0])} %)"
    for what, (dbn, *others) in (
        ("(500-500-2000)", now),
        ("which share three DBNs: the same", then),
    ):
        a, b, c = map(spread, dbn)
        told = [f"{a}, {b} and {c} %"]
        for its in others:
            a, b, c = map(average, its)
            told.append(f"{a}, {b} and {c} %")
        yield f"{what} | {'; '.join(told)} |"
    yield (
        "DBN; logistic regression on its features; He + ReLU + dropout | "
        f"{spread(many[0])} %; {average(many[1])} %; {average(many[2])} % |"
    )


def mnist_depth() -> Iterable[str]:
    cells = study("mnist-depth").errors().values()
    for name in (
        DBN,
        STANDARD,
        XAVIER_X4,
        HE_DROPOUT,
    ):
        yield row(NAMES[name], *(spread(errors[name], 2) for errors in cells))
    settings = summary("mnist-depth")
    one, two, _, four, five = (
        figure(100 * abs(minus_best(its)["mean"])) for its in settings
    )
    yield (
        f"worse with one layer (by {one} points), not shown to differ with three, and "
        f"better with two (by {two} points), four ({four}) and five ({five})"
    )
    best = [best_other(its) for its in settings]
    below = [name in its["below"] for name, its in zip(best, settings, strict=True)]
    assert below == [False, True, False, True, True]
    assert best[0] in settings[0]["above"] and best[2] in settings[2]["not_shown"]
    together = [its["p_holm"] < 0.05 for its in settings]
    assert together == [False, True, False, False, True]
    cells = study("mnist-depth-ten-seeds").errors().values()
    *below, five = (average(errors[DBN], 2) for errors in cells)
    three = summary("mnist-depth-ten-seeds")[2]
    assert best_other(three) == HE_DROPOUT not in three["below"] + three["above"]
    yield f"DBN ends at {', '.join(below)} and {five} %"


def mnist_60000() -> Iterable[str]:
    (its,), (errors,) = summary("mnist-60000"), study("mnist-60000").errors().values()
    yield (
        f"10 seeds: DBN {spread(errors[DBN], 2)} %, He + ReLU + dropout "
        f"{spread(errors[HE_DROPOUT], 2)} %: the DBN is below it by a little "
        f"({interval(minus_best(its)).replace(' ', ' points, ', 1)}; after"
    )
    assert its["below"] == [HE_DROPOUT]
    (older,) = study("mnist-60000-three-seeds").errors().values()
    told = ", ".join(
        f"{NAMES[name]} {spread(older[name], 2)} %" for name in (XAVIER_X4, HE)
    )
    dropout, dbn = (average(older[name], 2) for name in (HE_DROPOUT, DBN))
    yield f"{told}, with dropout {dropout} % and the DBN {dbn} %"


def of_recipe(name, recipe):
    return [r["test_error"] for r in record(name)["runs"] if r.get("recipe") == recipe]


def right(errors):
    return [1 - exact(error) for error in errors]


PUBLISHED_RBM = ["81.70", "93.65", "97.27", "98.73"]
PUBLISHED_RANDOM = ["76.02", "88.71", "94.73", "98.20"]


def mnist_held_out() -> Iterable[str]:
    """Beside what was published with as many labels."""
    cells = [
        errors
        for name in ("mnist-held-out", "mnist-held-out-60000")
        for errors in study(name).errors().values()
    ]
    nets = {"dbn": "DBN", "xavier_uniform": "Xavier", HE_DROPOUT: NAMES[HE_DROPOUT]}
    for name, told in nets.items():
        yield row(told, *(spread(right(errors[name]), 2) for errors in cells))
    yield row("published: from an RBM", *PUBLISHED_RBM)
    yield row("published: random start", *PUBLISHED_RANDOM)
    apart = [
        figure(Decimal(other) - 100 * mean(right(errors["dbn"])), 1, "+")
        for errors, other in zip(cells, PUBLISHED_RBM, strict=True)
    ]
    yield "published minus ours {}, {}, {} and {} points".format(*apart)
    bests = [
        its
        for name in ("mnist-held-out", "mnist-held-out-60000")
        for its in summary(name)
    ]
    of_dropout = [its["contenders"][HE_DROPOUT]["difference"] for its in bests]
    told = [interval(difference) for difference in of_dropout]
    yield "the DBN minus He + ReLU + dropout in error {}, {}, {} and {} points".format(
        *told
    )


def mnist_1024_recipes() -> Iterable[str]:
    budgets = (100, 1000, 10_000)
    accuracies = {
        contender: [
            right(of_labels("mnist-1024-labels", n, contender)) for n in budgets
        ]
        for contender in ("dbn", FEATURES, HE_DROPOUT)
    }
    for contender, recipe in (("dbn", "multipliers"), (HE_DROPOUT, "control")):
        accuracies[contender].append(right(of_recipe("mnist-1024-full", recipe)))
    for contender, name in (("dbn", "DBN"), (HE_DROPOUT, NAMES[HE_DROPOUT])):
        yield row(name, *(spread(its, 2) for its in accuracies[contender]))
    cells = [spread(its, 2) for its in accuracies[FEATURES]]
    yield row(NAMES[FEATURES], *cells)[:-1] + "| |"
    a, b, c, d = (
        100 * mean(its) - Decimal(other)
        for its, other in zip(accuracies["dbn"], PUBLISHED_RBM, strict=True)
    )
    error = 1 - mean(accuracies["dbn"][-1])
    yield (
        f"above the published run by {figure(a)}, {figure(b)} and {figure(c)} points "
        f"and, with all labels, {figure(-d, 2)} below it (with 10,000 test images such "
        f"a figure has a standard error of {figure((error * (1 - error)).sqrt(), 2)})"
    )


def mnist_1024() -> Iterable[str]:
    cells = study("mnist-1024").errors().values()
    for name in (DBN, FEATURES, XAVIER, HE_DROPOUT):
        yield row(NAMES[name], *(spread(right(errors[name]), 2) for errors in cells))


def readme() -> Iterable[str]:
    """What README tells of the studies, in words of its own."""
    errors = next(iter(study("digits").errors().values()))
    spreading = average(errors[label_spreading(errors)])
    dbn, dropout, xavier = (average(errors[n]) for n in (DBN, HE_DROPOUT, XAVIER))
    yield (
        f"errs in {spreading} % of the test rows, the DBN in {dbn} %, "
        f"He + ReLU + dropout in {dropout} % and Xavier in {xavier} %"
    )
    few, _, many = study("mnist-few").errors().values()
    spreading = label_spreading(few)
    told = [
        [average(errors[name]) for name in (spreading, DBN, HE)]
        for errors in (few, many)
    ]
    yield (
        "On MNIST with 100 labels, 10 seeds, label spreading errs in {} %, the DBN "
        "in {} % and He + ReLU in {} %".format(*told[0])
    )
    yield "with 1000 labels in {}, {} and {} %".format(*told[1])
    (all_labels,) = summary("mnist-60000")
    assert best_other(all_labels) == HE_DROPOUT
    yield (
        "below He + ReLU + dropout by a little "
        f"({interval(minus_best(all_labels)).replace(' ', ' points, ', 1)})"
    )


NUMBERS = [
    "none",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
]


def tables() -> Iterable[str]:
    scores, seconds = {}, {}
    for run in record("tables")["runs"]:
        key = run["table"], run["contender"]
        scores.setdefault(key, []).append(exact(run["score"]))
        seconds.setdefault(key, []).append(exact(run["seconds"]))
    names = [
        name for name in dict.fromkeys(table for table, _ in scores) if name in FILES
    ]
    contenders = ["dbn", "xavier", "he + relu", "mlp", "linear", "boosting"]
    means = {key: mean(values) for key, values in scores.items()}
    for table in names:
        cells = (means[table, contender] for contender in contenders)
        shown = (figure(v, 3).lstrip("0") if v >= 0 else "below 0" for v in cells)
        yield row(table + (" (R2)" if table in ("autompg", "hprice2") else ""), *shown)
    rivals = ["linear", "mlp", "xavier", "he + relu"]

    def n_worse(rivals):
        best = {table: max(means[table, rival] for rival in rivals) for table in names}
        return sum(best[t] - means[t, "dbn"] > Decimal("0.01") for t in names)

    n = n_worse(rivals)
    yield (
        f"on {NUMBERS[n]} the DBN is more than 0.01 below the best of a linear model, "
        "scikit-learn's MLP and the same net from Xavier or with He + ReLU, on "
        f"{NUMBERS[len(names) - n]} it is not; below boosted trees or these it is on "
        f"{NUMBERS[n_worse([*rivals, 'boosting'])]}"
    )
    ratios = [mean(seconds[t, "dbn"]) / mean(seconds[t, "mlp"]) for t in names]
    yield (
        f"takes {figure(median(ratios), 0)} times as long as that of scikit-learn's "
        f"MLP ({figure(min(ratios))} to {figure(max(ratios))} times)"
    )


def defaults() -> Iterable[str]:
    for name, found in record("defaults")["figures"].items():
        figures = (
            f"{contender} {told(found['mean'][contender], spread_of)}"
            for contender, spread_of in found["standard_deviation"].items()
        )
        asked = f": {found['asked']}" if "asked" in found else ""
        reached = "" if found.get("reached", True) else ", not reached"
        yield row(f"{name}{asked}{reached}", ", ".join(figures))


def told(value, deviation):
    return f"{figure(value, 3)} +- {figure(deviation, 3)}"


def choice_of_defaults() -> Iterable[str]:
    """Scores at defaults, and thousandths by which each other setting differs."""
    scores = {}
    for run in record("choose-defaults")["runs"]:
        its = scores.setdefault(run["table"], {})
        its.setdefault(run["candidate"], []).append(exact(run["score"]))
    for table, its in scores.items():
        base = its.pop("defaults")
        cells = []
        for values in its.values():
            differences = [1000 * (a - b) for a, b in zip(values, base, strict=True)]
            error = stdev(differences) / Decimal(len(base)).sqrt()
            cells.append(f"{figure(mean(differences), 0, '+')} +- {figure(error, 0)}")
        yield row(table, figure(mean(base), 3).lstrip("0"), *cells)


def intervals() -> Iterable[str]:
    content = record("interval-coverage")
    for group in ("learners", "dbn"):
        for cell, found in content[group]["figures"].items():
            cells = (
                f"{figure(100 * exact(its['coverage']))} %, {figure(its['width'], 2)}"
                for its in found.values()
            )
            pools = next(iter(found.values()))["pools"]
            yield row(cell, f"{pools:,}", *cells)
    for cell, its in content["ties"]["figures"].items():
        share = figure(100 * exact(its["with a claim"]))
        yield row(cell, f"{its['studies']:,}", f"{share} %")
    for cell, its in content["studies"]["figures"].items():
        yield row(cell, str(its["studies"]), str(its["claims"]))


FILES = (
    *("phoneme", "ionosphere", "german", "autompg", "mammographic", "vehicle"),
    *("hprice2", "segment", "australian", "spambase", "splice"),
)


def few_labels() -> Iterable[str]:
    content = record("few-labels")
    for table, found in content["tables"].items():
        for cell, errors in found["errors"].items():
            name = f"{table}, {cell.split(', ')[1].removesuffix(' labels')}"
            yield row(name, *(average(its) for its in errors.values()))
    its = content["standings"].values()
    (settings,) = {found["settings"] for found in its}
    yield f"of {settings} settings"
    cells = (f"{found['above']}, {found['below']}" for found in its)
    yield row("settings with a higher error, and with a lower one", "", *cells)


IN_THE_TOP = "`GenerativeDBNClassifier`"
FEW_OF_MNIST = {
    "GenerativeDBNClassifier": IN_THE_TOP,
    "RBMClassifier": "`RBMClassifier`",
    "dbn": "DBN",
    "xavier": "Xavier",
    "he + relu": "He + ReLU",
    "logistic regression": "logistic regression",
    "rbf svm": "RBF SVM",
    "label spreading": "label spreading",
    "self-training logistic": "self-training, logistic",
    "self-training he + relu": "self-training, He + ReLU",
}


def few_labels_of_mnist() -> Iterable[str]:
    """Errors, and the net with the classes at the top minus each other."""
    found = record("few-labels-mnist")["tables"]["mnist"]
    assert {*FEW_OF_MNIST} == {*found["summary"][0]["contenders"]}
    for name, words in FEW_OF_MNIST.items():
        cells = []
        for errors in found["errors"].values():
            ours, its = np.array(errors["GenerativeDBNClassifier"]), errors[name]
            minus = 100 * (ours - its)
            middle, half = minus.mean(), minus.std(ddof=1) / len(its) ** 0.5
            half *= student_t.ppf(0.975, len(its) - 1)
            told = [figure(x, 1, "+") for x in (middle, middle - half, middle + half)]
            told = "" if words == IN_THE_TOP else "{} [{}, {}]".format(*told)
            cells += [spread(its), told]
        yield row(words, *cells)
    its = found["summary"][0]["contenders"]
    ours, other = (
        figure(its[name]["finetune_seconds"], 0)
        for name in ("GenerativeDBNClassifier", "label spreading")
    )
    yield (
        f"a fit takes {ours} seconds of one core with 100 labels, "
        f"label spreading {other}"
    )
    few, many = (
        [
            average(errors[name])
            for name in ("GenerativeDBNClassifier", "label spreading")
        ]
        for errors in found["errors"].values()
    )
    yield "errs in {} %, and label spreading in {} %, at defaults".format(*few)
    yield "with 1000 in {} and {} %".format(*many)


def best_control(setting):
    """The control that has the least error on validation rows."""
    its = setting["contenders"]
    controls = [name for name in its if its[name]["kind"] == "control"]
    return min(controls, key=lambda name: its[name]["validation_error"])


def is_shown(its, kind, above, p="p_value"):
    """Whether the DBN is shown to lie on this side of a contender of this kind."""
    found = its["difference"]
    apart = its["kind"] == kind and (found["mean"] > 0) == above
    return apart and found[p] < 0.05


def compared_tables() -> Iterable[str]:
    found, n_settings, beaten = dict.fromkeys(range(4), 0), 0, []
    for name in COMPARED:
        cells_of = study(f"compare-{name}").errors().values()
        for setting, errors in zip(summary(f"compare-{name}"), cells_of, strict=True):
            factor, unit = OF_NUMBERS.get(name, (100, ""))
            its, n_settings = setting["contenders"], n_settings + 1
            others = [one for one in its.values() if one["difference"]]
            for i, about in enumerate(
                [
                    ("start", False),
                    ("start", True),
                    ("control", True),
                    ("control", True, "p_holm"),
                ]
            ):
                found[i] += any(is_shown(one, *about) for one in others)
            cells = [spread(errors[DBN], 1, factor)]
            for best in (best_other(setting), best_control(setting)):
                cells += [f"{display_name(best)} {spread(errors[best], 1, factor)}"]
                cells += [interval(its[best]["difference"], factor)]
            yield row(f"{name}, {setting['n_labels']}{unit}", *cells)
            beaten += [
                f"{rival} on {name} with {setting['n_labels']} labels"
                for rival in ("gradient boosting", "RBF SVM", "logistic regression")
                if name in COMPARED[:3] and is_shown(its[rival], "control", above=False)
            ]
    yield (
        f"Of {n_settings} settings the DBN is shown, each difference by itself, to be "
        f"below a start in {found[0]}, above one in {found[1]}, and above a control in "
        f"{found[2]}, after Holm's correction in {found[3]}"
    )
    told = " and ".join(beaten).replace("gradient boosting", "boosted trees")
    told = told.replace("RBF", "an RBF")
    yield f"on german, splice and vehicle the DBN is shown to be below {told} only"
    *_, errors = study("compare-vehicle").errors().values()
    yield (
        f"errs in {average(errors[FEATURES])} % on them, and in "
        f"{average(errors['logistic regression'])} % on the columns themselves"
    )
    _, many = summary("compare-phoneme")
    assert {*many["above"]} == {HE, HE_DROPOUT}
    by = many["contenders"][HE]["difference"]["mean"]
    yield (
        "with 300 labels the DBN is shown to be above He + ReLU, by "
        f"{figure(100 * by)} points, and above He + ReLU + dropout"
    )
    _, many = summary("compare-20newsgroups")
    errors, _ = study("compare-20newsgroups").errors().values()
    assert min(errors, key=lambda name: mean(errors[name])) == DBN
    above = interval(many["contenders"][many["above"][0]]["difference"])
    yield (
        "the DBN with 100 labels is the best of all, and with 300 it is shown to be "
        f"above Xavier ({above})"
    )


def ablations() -> Iterable[str]:
    for name in ("ablations", "ablations-3000"):
        (setting,), (errors,) = summary(name), study(name).errors().values()
        for one, its in setting["contenders"].items():
            apart = interval(its["difference"]) if one != DBN else ""
            yield row(display_name(one), spread(errors[one]), apart)
    *others, worst = sorted(errors["no updates"])
    yield (
        f"stayed at chance ({figure(100 * exact(worst))} %); the mean of the others is "
        f"{average(others)} %"
    )


def density() -> Iterable[str]:
    runs = {}
    for run in record("density-bars")["runs"]:
        runs.setdefault(run["name"], []).append(run["log_likelihood"])
    told = {
        k: (figure(mean(map(exact, v)), 2), figure(min(v), 2)) for k, v in runs.items()
    }
    pt, cd10, cd1 = (told[name] for name in ("pt, 10 x 50 chains", "cd-10", "cd-1"))
    yield (
        f"parallel tempering {pt[0]} (worst seed {pt[1]}); "
        f"CD-10 {cd10[0]} ({cd10[1]}), CD-1 {cd1[0]} ({cd1[1]}); "
        "with the same learning rate the chains of PCD are too slow: "
        f"500 chains {told['pcd-1, 500 chains'][0]}, 100 chains "
        f"{told['pcd-1, 100 chains'][0]}; fast PCD {told['fpcd-1, 100 chains'][0]} |"
    )
    *good, bad = sorted(
        record("density-mnist")["runs"], key=lambda run: run["name"] != "centered"
    )
    below, above = (f"log_likelihood_{side}" for side in ("ais", "reverse"))
    estimates = [[exact(run[key]) for run in good] for key in (below, above)]
    apart = [high - low for low, high in zip(*estimates, strict=True)]
    errors = [
        gap
        / exact(math.hypot(run["standard_error_ais"], run["standard_error_reverse"]))
        for gap, run in zip(apart, good, strict=True)
    ]
    # log p = -energy - log Z, and a bound of log Z is the mean log weight.
    bounds = [
        exact(run[below]) + exact(run["log_z_ais"]) - exact(run[f"log_z_bound_{side}"])
        for side in ("ais", "reverse")
        for run in good
    ]
    yield (
        f"{figure(mean(estimates[0]))} ({' '.join(map(figure, estimates[0]))}) and "
        f"{figure(mean(estimates[1]))} ({' '.join(map(figure, estimates[1]))}) nats: "
        f"{figure(min(apart))} to {figure(max(apart))} apart, up to "
        f"{figure(max(errors))} times their standard error, so these are two estimates "
        f"and not a bracket. Bounds of the mean log weights: {figure(min(bounds))} and "
        f"{figure(max(bounds))}. {figure(min(run['seconds'] for run in good) / 60, 0)} "
        "minutes on one core; the same without centering fails "
        f"({figure(bad[below], 0)} and {figure(bad[above], 0)})"
    )
    off = max(
        abs(1 - exact(ratio))
        for run in record("density-gaussian")["runs"]
        for ratio in run.get("learned_over_true", [])
    )
    yield f"learned variances within {figure(100 * off, 0)} % of the true ones"
    sparse = record("density-sparse")["runs"][1]
    yield (
        f"peak memory {sparse['peak_mb']} MB, of which {sparse['peak_before_mb']} MB "
        f"before; the dense matrix has {sparse['dense_mb']:,} MB"
    )
    (proteins,) = record("density-proteins")["runs"]
    yield (
        "in 5,000 samples correlate "
        f"{figure(proteins['site_correlation'], 3)} with the data's, covariances of "
        f"pairs {figure(proteins['pair_covariance_correlation'], 3)} |"
    )


def attacks() -> Iterable[str]:
    kill, cases = record("kill"), 0
    for name in ("fuzz", "fuzz-1"):
        assert record(name)["escapes"] == 0
        cases += record(name)["cases"]
    assert kill["different"] == 0
    yield f"({kill['runs']} runs, killed {kill['kills']} times at random moments: no"
    yield f"{cases:,} damaged and malicious files of all these formats"
    yield f"in two halves, {cases:,} cases, none escaped"


def mnist_full() -> Iterable[str]:
    plain = spread(of_recipe("mnist-full", "plain"), 2)
    first = [run["test_error"] for run in record("mnist")["runs"]]
    yield (
        f"{plain} % (without a sparsity target and weight decay {average(first, 2)} %, "
        f"{len(first)} seeds, `results/mnist.json`)"
    )
    dropout, control = (
        spread(of_recipe("mnist-full", name), 2) for name in ("dropout", "control")
    )
    yield f"| {dropout} %; {control} %: here the DBN is no better |"
    yield (
        f"dropout from the DBN {dropout} %, the control {control} %; without dropout, "
        f"from the DBN, {plain} % (five seeds)"
    )
    (errors,) = study("mnist-full-xavier").errors().values()
    (its,) = summary("mnist-full-xavier")
    told = "; ".join(f"{spread(errors[name], 2)} %" for name in ("plain", "xavier"))
    yield f"| {told}; {interval(minus_best(its)).replace(' ', ' points ', 1)} |"
    error = spread(of_recipe("mnist-1024-full", "multipliers"), 2)
    yield f"(multiplier 0.3, 30 epochs, {error} % of the test rows)"
    job = record("mnist-job")["runs"]
    machines = job[0]["pretrain_seconds"]
    both = machines + job[1]["finetune_seconds"]
    yield f"{figure(both / 60)} minutes, of which {figure(machines / 60)} for the RBMs"


def mnist_defaults() -> Iterable[str]:
    runs = record("mnist-defaults")["runs"]
    errors = [exact(run["test_error_percent"]) / 100 for run in runs]
    share = mean(exact(run["share_of_twenty_epochs"]) for run in runs)
    yield f"| {spread(errors, 2)} %; {figure(share, 2)} |"


def mnist_deep() -> Iterable[str]:
    told, tests = [], []
    for depth in (5, 8):
        errors = {}
        for run in record(f"mnist-deep-{depth}")["runs"]:
            if run.get("stage") == "final":
                errors.setdefault(run["init"], []).append(run["test_error"])
        best = "xavier_x4_uniform"  # on validation rows
        told.append(
            f"{depth} x 500: {spread(errors['dbn'], 2)} %; {spread(errors[best], 2)} %"
        )
        starts = ("xavier_uniform", best, "orthogonal", "lsuv")
        others = ", ".join(average(errors[start], 2) for start in starts)
        tests.append(f"{depth} layers {others} and {average(errors['dbn'], 2)} %")
    yield f"| {'. '.join(told)} |"
    yield "; ".join(tests)


def speed() -> Iterable[str]:
    times = {its["case"]: its.get("times_dbn") for its in record("speed")["results"]}
    updates = {
        (net, batch): times[f"CD-1 update {net}, batch {batch}, float32"]
        for net in ("784-500", "500-2000")
        for batch in (10, 100, 500)
    }
    (product,) = (
        its["milliseconds"]["products"]
        for its in record("speed")["results"]
        if its["case"] == "CD-1 update 784-500, batch 100, float32"
    )
    yield f"in float32 is {figure(product, 2)} ms of matrix products"
    share = {key: figure(its["products"], 2) for key, its in updates.items()}
    wide = ", ".join(share["500-2000", batch] for batch in (10, 100, 500))
    yield (
        f"| {share['784-500', 100]} (batch 10: {share['784-500', 10]}, batch 500: "
        f"{share['784-500', 500]}; 500-2000, batch 10, 100, 500: {wide}) |"
    )
    ours = {name: figure(time) for name, time in updates["784-500", 100].items()}
    (epoch,) = (its for case, its in times.items() if case.startswith("epoch of"))
    yield (
        f"scikit-learn's `BernoulliRBM` {ours['BernoulliRBM']}, in its float64 "
        f"{ours['BernoulliRBM float64']}, with its default batch of 10 "
        f"{figure(epoch['BernoulliRBM'])}; learnergy {ours['learnergy']}; CD-1 written "
        f"by hand in PyTorch {ours['PyTorch']} (its products are faster) |"
    )
    large, small = (
        times[f"fine-tuning update {net}, adam, batch 100, float32"]
        for net in ("784-500-500-2000-10", "784-500-500-10")
    )
    yield (
        f"`MLPClassifier` {figure(large['MLPClassifier'], 2)}, PyTorch "
        f"{figure(large['PyTorch'], 2)}; 784-500-500-10: "
        f"{figure(small['MLPClassifier'], 2)} and {figure(small['PyTorch'], 2)} |"
    )


def layers() -> Iterable[str]:
    starts = [
        record("layers")["nets"][f"tanh, {name}"]["start"]
        for name in ("standard", "normalized")
    ]
    values = " and ".join(figure(its["mean_singular_value"], 2) for its in starts)
    ratios = " and ".join(figure(its["top_to_bottom_gradient_std"]) for its in starts)
    yield f"| {values} (Glorot and Bengio 2010: 0.5 and 0.8); {ratios} |"


def files() -> Iterable[str]:
    found, stream = record("checkpoint"), record("stream")
    yield f"| A checkpoint of {figure(found['bytes'] / 1e6)} MB after every epoch"
    pairs = found["seconds_without_and_with"]
    overhead = median(with_one / without for without, with_one in pairs) - 1
    yield f"784-500 | {figure(100 * overhead)} % of the time |"
    yield (
        f"at most {stream['peak_anonymous_mb']} MB, {stream['anonymous_before_mb']} MB "
        "before |"
    )
    yield f"a {figure(stream['file_mb'] / 1000, 0)} GB memory map of bytes"


def autoencoders() -> Iterable[str]:
    """Squared errors per row, and the DBN minus each other start."""
    for data, says_how_far in AUTOENCODERS.items():
        result = study(f"autoencoder-{data}")
        (setting,) = result.summary()
        its, (errors,) = setting["contenders"], result.errors().values()
        for name, one in its.items():
            values = [exact(error) for error in errors[name].tolist()]
            error = f"{figure(mean(values), 3)} +- {figure(stdev(values), 3)}"
            minus = one["difference"]
            told = minus and [figure(minus[k], 3, "+") for k in ("mean", "low", "high")]
            yield row(
                display_name(name), error, "{} [{}, {}]".format(*told) if told else ""
            )
        if data == "curves":
            assert not setting["below"] and not setting["above"]
        if not says_how_far:
            continue
        ours, others = its[setting["dbn"]]["mean"], {HE: "He + ReLU", BATCH_NORM: "it"}
        for other in its.keys() & others.keys():
            words = others[other]
            yield f"{figure(100 * (1 - ours / its[other]['mean']))} % below {words}"
    (rate,) = {
        its["value"]
        for its in study("autoencoder-mnist").records
        if (its.get("contender"), its["stage"]) == ("Sparse + Nesterov", "test")
    }
    yield f"chose {figure(rate, 2)}, the largest of its rates"
    few, many = (setting["contenders"] for setting in summary("autoencoder-codes"))
    for name, words in CODES.items():
        cells = []
        for its in (few[name], many[name]):
            minus = its["difference"]
            error = " +- ".join(figure(100 * exact(its[k])) for k in ("mean", "std"))
            cells += [error, interval(minus) if minus else ""]
        yield row(words, *cells)


# And whether pages say how far the DBN lies below random starts.
AUTOENCODERS = {
    **{"curves": False, "mnist-50": False, "mnist-50-decay": False},
    **{"digits": True, "digits-equal": True, "mnist": True, "mnist-equal": True},
    **{"mnist-equal-3-seeds": True, "mnist-50-decay-others": False},
}
BATCH_NORM = "he_normal + relu + batch norm"
CODES = {
    "DBN": "autoencoder from a DBN",
    "He + ReLU + batch norm": "autoencoder, He + ReLU + batch norm",
    "DBN before fine-tuning": "the DBN before fine-tuning",
    "PCA-30": "PCA",
}


LABELS = {
    "discriminative": '`RBMClassifier(500, objective="discriminative")`',
    "hybrid": "`RBMClassifier(500)`",
    "hybrid-wide": "`RBMClassifier(1500)`",
    "cd": "greedy, contrastive divergence alone",
    "pcd": "greedy, with persistent chains at the end: the default",
    "up-down": "the default, and 30 epochs of up-down whose steps start at the data",
    "chains": "the default, and `up_down=30`",
}


def labels() -> Iterable[str]:
    content, later = record("labels"), record("labels-up-down")
    for cell, name in LABELS.items():
        cells = later["cells"] if cell == "chains" else content["cells"]
        of = "up-down" if cell == "chains" else cell
        its = [cells[f"{of} {seed}"] for seed in (0, 1, 2)]
        errors = [
            spread([exact(one[f"{rows}_error_percent"]) / 100 for one in its], 2)
            for rows in ("test", "validation")
        ]
        if "recognised" not in its[0]:
            yield row(name, *errors, "", "", "")
            continue
        if cell == "pcd":
            assert all(min(one["free_chains"]) for one in its)
        bounds = [exact(one["test_bound"]) for one in its]
        seen = [100 * mean(map(exact, one["recognised"].values())) for one in its]
        most = [
            100 * exact(max(one["free_chains"])) / sum(one["free_chains"])
            for one in its
        ]
        yield row(
            name,
            *errors,
            figure(mean(bounds), 0),
            ", ".join(figure(value, 0) for value in seen),
            ", ".join(figure(value, 0) for value in most),
        )
    fall = mean(
        exact(content["cells"][f"pcd {seed}"]["test_bound"])
        - exact(later["cells"][f"up-down {seed}"]["test_bound"])
        for seed in (0, 1, 2)
    )
    yield f"The bound falls with `up_down`, by about {figure(fall, 0)} nats"
    yield f"judges err in {figure(content['judges_test_error_percent'], 2)} %"
    ((name, whole),) = record("labels-up-down-359")["cells"].items()
    assert name == "up-down 0"
    error, low = exact(whole["test_error_percent"]), exact(whole["test_bound"])
    yield f"the test error is {figure(error, 2)} % and the bound {figure(low, 0)} nats"
    yield f"{figure(exact(whole['seconds']) / 3600)} hours of one core"


def comparison() -> Iterable[str]:
    seconds = study("digits").settings["seconds"]
    yield f"| The comparison above | {figure(seconds, 0)} s on two cores |"


QUOTING = (
    *(
        readme,
        digits,
        comparison,
        mnist_few,
        mnist_3000,
        mnist_equal,
        fashion,
        mnist_few_12000,
        mnist_labels,
    ),
    *(mnist_depth, mnist_60000, mnist_held_out, mnist_1024_recipes, mnist_1024),
    *(tables, defaults),
    *(choice_of_defaults, intervals, autoencoders, few_labels, compared_tables),
    digits_equal,
    *(labels, few_labels_of_mnist),
    *(ablations, density, attacks),
    *(mnist_full, mnist_defaults, mnist_deep, speed, layers, files),
)


# --- tests ----------------------------------------------------------------------------


def words(text):
    """A text without what a page does to it: line breaks, and marks of quotations."""
    return " ".join(re.sub(r"^> ", "", text, flags=re.MULTILINE).split())


@cache
def pages():
    return {page: words(page.read_text(encoding="utf-8")) for page in PAGES}


def closest(text):
    """The place in a page that begins or ends as the text does."""
    starts = [text[:n] for n in range(len(text), 12, -1)]
    for start in starts:
        for page in pages().values():
            if start in page:
                return page[page.index(start) :][: len(text) + 20]
    return "nothing"


@pytest.mark.parametrize("quotes", QUOTING, ids=lambda quotes: quotes.__name__)
def test_pages_have_the_figures_of_records(quotes):
    for text in map(words, quotes()):
        assert any(text in page for page in pages().values()), (
            f"No page has this, which is in the record:\n{text}\n"
            f"but this, or a record was changed:\n{closest(text)}"
        )


# Figures of others, and of no record.
OTHERS = re.compile(r"\| (published: |The same error by Hinton and Salakhutdinov)")


def test_no_other_figures_stand_in_tables_of_results():
    """What is measured anew gets a line above before it stands in a page."""
    quoted = [words(text) for quotes in QUOTING for text in quotes()]
    left = []
    for page in (ROOT / "README.md", ROOT / "docs" / "results.md"):
        if page not in pages():
            continue
        text = pages()[page]
        for quote in sorted(quoted, key=len, reverse=True):
            text = text.replace(quote, " ")
        left += re.findall(r".{60}\d \+- \d", text)
        # Lines of tables, of which nothing is left where they are quoted as a whole.
        lines = [words(line) for line in page.read_text(encoding="utf-8").splitlines()]
        left += [
            line
            for line in lines
            if line.startswith("|")
            and re.search(r"\d?\.\d", line)
            and not OTHERS.match(line)
            and not any(quote in line or line in quote for quote in quoted)
        ]
    assert not left


def test_every_record_is_quoted():
    """What nothing refers to is no record but a leftover."""
    for quotes in QUOTING:
        list(quotes())
    names = {file.stem for file in (ROOT / "results").glob("*.json")}
    assert names == READ
