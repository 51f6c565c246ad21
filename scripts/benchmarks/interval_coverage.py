"""Do the intervals of the comparison hold the truth as often as they say?

Pools of rows are drawn from a population without end, and in each a small comparison is
made as `compare_initializers` makes it: seeds, splits, labelled rows, losses on every
test row. Counted are intervals that hold the true difference, and claims where there is
no difference. Blocks of finished pools are kept in a folder beside the record: the same
call goes on after a stop.

The groups of cells: "learners" (fast ones, 1,000 pools), "ties" (studies of equal
starts, and of a DBN that is better, made of losses), "dbn" (small nets, 300 pools) and
"studies" (whole comparisons on labels that are noise, and without pretraining).
"""

import json
import sys
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.exceptions import ConvergenceWarning

from dbn import DBNClassifier, RBMTransformer
from dbn.backend.threads import one_blas_thread
from dbn.evaluation import (
    Comparison,
    Contender,
    compare_initializers,
    paired_losses,
    provenance,
)
from dbn.evaluation.study.row_losses import packed
from dbn.feedforward import Normal, VarianceScaling
from dbn.feedforward.schemes import LayerByLayer
from dbn.training import SGD, Adam

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, run, write_json

N_FEATURES, N_UNITS, N_POOL, N_FIXED = 20, 50, 1500, 500
N_SEEDS = (8, 4)  # the smaller comparison is a part of the larger
BLOCK = 25

# --- fast learners --------------------------------------------------------------------

_WORLD = np.random.default_rng(7)
_LINE = _WORLD.normal(size=N_FEATURES) / np.sqrt(N_FEATURES)
_BENT = _WORLD.normal(size=(N_FEATURES, 12)) / np.sqrt(N_FEATURES)


def draw(n_rows, rng):
    """Rows of the population, and their classes, -1 and 1."""
    X = rng.normal(size=(n_rows, N_FEATURES))
    score = 2.0 * X @ _LINE + np.tanh(2.0 * X @ _BENT).sum(1) * 0.25
    return X, np.where(score + 0.4 * rng.normal(size=n_rows) > 0.0, 1.0, -1.0)


def ridge(X, y, rng):
    """Least squares on the features; it makes no use of its seed."""
    weights = np.linalg.solve(X.T @ X + 3.0 * np.eye(X.shape[1]), X.T @ y)
    return lambda X: X @ weights > 0.0


def random_features(X, y, rng):
    """Least squares on random hidden units."""
    hidden = rng.normal(size=(N_FEATURES, N_UNITS)) / np.sqrt(N_FEATURES)
    predict = ridge(np.tanh(X @ hidden), y, rng)
    return lambda X: predict(np.tanh(X @ hidden))


PAIRS = {
    "ridge against random features": (ridge, random_features),
    "two draws of random features": (random_features, random_features),
}
LEARNERS = {
    f"{labels}, {split}, {pair}": (labels, split, pair)
    for labels, split, pair in product(
        ("100 labels", "all labels"), ("re-split", "fixed test"), PAIRS
    )
}


def learners_pool(number, labels, split, pair):
    """The comparison in a pool: for each number of seeds mean, half width and truth."""
    rng = np.random.default_rng(number)
    X, y = draw(N_POOL, rng)
    n_test = N_FIXED if split == "fixed test" else round(0.3 * N_POOL)
    # For given training rows their own truth is asked for: of many seeds and rows.
    given = labels == "all labels" and split == "fixed test"
    tied = pair.startswith("two")
    more = given and not tied
    X_other, y_other = draw(10_000 if more else 1000, rng)
    rows, losses, truths = [], [], []
    for seed in range(2 * max(N_SEEDS) if more else max(N_SEEDS)):
        order = np.arange(N_POOL) if split == "fixed test" else rng.permutation(N_POOL)
        test, train = order[:n_test], order[n_test:]
        if labels == "100 labels":
            train = rng.choice(train, 100, replace=False)
        fitted = [learner(X[train], y[train], rng) for learner in PAIRS[pair]]
        truths.append(0.0 if tied else error_difference(fitted, X_other, y_other))
        if seed < max(N_SEEDS):
            rows.append(test)
            losses.append([predict(X[test]) != (y[test] > 0.0) for predict in fitted])
    n_rows = None if split == "fixed test" else N_POOL
    return [[*interval(losses[:n], rows[:n], n_rows), np.mean(truths)] for n in N_SEEDS]


def error_difference(fitted, X, y):
    a, b = ((predict(X) != (y > 0.0)).mean() for predict in fitted)
    return a - b


def interval(losses, rows, n_rows):
    a, b = zip(*losses, strict=True)
    found = paired_losses(a, b, rows=rows, n_rows=n_rows)
    return found.mean, found.high - found.mean


def coverage(pools, given):
    """Figures of a cell, for each number of seeds; the truth is a pool's own if given.

    The width is told as a multiple of that of the interval which knows the variance of
    the mean difference.
    """
    figures = {}
    for n_seeds, its in zip(N_SEEDS, np.swapaxes(pools, 0, 1), strict=True):
        means, halves, truths = its.T
        off = means - (truths if given else truths.mean())
        known = stats.norm.ppf(0.975) * np.sqrt(np.mean(off**2))
        figures[f"{n_seeds} seeds"] = {
            "pools": len(pools),
            "difference": float(truths.mean()),
            "coverage": float(np.mean(np.abs(off) <= halves)),
            "width": float(halves.mean() / known),
        }
    return figures


def run_learners(args, keep):
    """Coverage and width for every kind of learners, labels and splits."""
    found = {}
    for name, kind in LEARNERS.items():
        pools = keep(name, args.pools, learners_pool, *kind)
        found[name] = coverage(pools, given=kind[:2] == ("all labels", "fixed test"))
    return found


# --- studies made of losses -----------------------------------------------------------

N_ROWS, N_TEST, ERROR = 1797, 540, 0.10  # the digits


def made_study(number, n_starts, better, n_settings):
    """What a study of 8 seeds says of a DBN that is better by so many points.

    A row is wrong where the sum of what is hard about it, for all and for this net and
    seed, is among the largest. The errors of a net differ between seeds by 0.9 points
    beside that.
    """
    rng, records = np.random.default_rng(number), []
    names = ["dbn", *(f"start{i}" for i in range(n_starts))]
    for n_labels in (100, 300)[:n_settings]:
        hard = np.sqrt(0.5) * rng.normal(size=N_ROWS)
        hard = hard + np.sqrt(0.2) * rng.normal(size=(len(names), N_ROWS))
        for seed in range(8):
            rows = rng.permutation(N_ROWS)[:N_TEST]
            same = np.sqrt(0.1) * rng.normal(size=N_TEST)
            for name, its in zip(names, hard, strict=True):
                own = np.sqrt(0.2) * rng.normal(size=N_TEST) + 0.05 * rng.normal()
                level = ERROR - (better / 100.0 if name == "dbn" else 0.0)
                losses = its[rows] + same + own > stats.norm.isf(level, scale=SCALE)
                base = {
                    **{"hidden_layer_sizes": [128, 128], "n_labels": n_labels},
                    **{"init": name, "activation": "logistic", "dropout": 0.0},
                    **{"parameter": "learning_rate", "value": 0.01, "seed": seed},
                    **{"pretrain_seconds": 0.0, "finetune_seconds": 0.0},
                    "error": float(losses.mean()),
                }
                records.append(base | {"stage": "tune"})
                records.append(base | {"stage": "test"} | packed(losses, rows))
    settings = {"dataset": "ties", "scoring": "accuracy", "fixed_test_split": False}
    sizes = {"n_train": N_ROWS - N_TEST, "n_test": N_TEST}
    return [effect(row) for row in Comparison(settings | sizes, records).summary()]


SCALE = np.sqrt(1.0 + 0.05**2)  # of the sum in `made_study`


def effect(row):
    """-1 where a setting is told as lowered, 1 where as raised, else 0."""
    if row["p_holm"] >= 0.05:
        return 0
    starts = [c for c in row["contenders"].values() if c["kind"] == "start"]
    return 1 if starts[0]["difference"]["mean"] > 0.0 else -1


def run_ties(args, keep):
    """Claims where all starts are equal, and the power where the DBN is better."""
    found = {}
    for kind in ((1, 0.0, 2), (5, 0.0, 2), (5, 2.0, 2), (5, 2.0, 1)):
        n_starts, better, n = kind
        name = f"{n_starts} other starts, DBN {better:g} points below, settings {n}"
        effects = keep(name, args.pools, made_study, *kind)
        found[name] = {
            "studies": len(effects),
            "with a claim": float(np.mean((effects != 0).any(1))),
            "settings lowered": float(np.mean(effects < 0)),
        }
    return found


# --- whole comparisons ----------------------------------------------------------------

TINY = {
    "inits": [("dbn", "logistic"), ("xavier_uniform", "logistic")],
    "controls": None,
    "hidden_layer_sizes": [(10,)],
    "label_budgets": [100],
    "learning_rates": [0.03],
    "tune": "literature",
    "n_updates": 60,
    "pretrain_updates": 100,
    "batch_size": 20,
    "scaling": None,
}


def dbn_pool(number, fixed):
    """The comparison of small nets in a pool."""
    rng = np.random.default_rng(number)
    X, y = draw(N_POOL, rng)
    X, more = (X > 0.0).astype(float), {}
    if fixed:
        more = {"X_test": X[:N_FIXED], "y_test": y[:N_FIXED]}
        X, y = X[N_FIXED:], y[N_FIXED:]
    whole, made = compare_initializers(X, y, n_seeds=max(N_SEEDS), **TINY, **more), []
    for n_seeds in N_SEEDS:
        records = [record for record in whole.records if record["seed"] < n_seeds]
        (row,) = Comparison(whole.settings, records).summary()
        its = row["contenders"]["xavier_uniform + logistic"]["difference"]
        made.append([its["mean"], its["high"] - its["mean"], its["mean"]])
    return made


def run_dbn(args, keep):
    """Coverage for small nets; the truth is the mean of all pools."""
    found = {}
    for split in ("re-split", "fixed test"):
        name = f"100 labels, {split}, DBN against Xavier"
        pools = keep(name, args.dbn_pools, dbn_pool, split == "fixed test")
        found[name] = coverage(pools, given=False)
    return found


class Untrained(LayerByLayer):
    """What a DBN is before it is pretrained, below an output layer from Xavier."""

    def draw(self, shape, rng):
        if shape[1] == 2:  # to the classes
            return VarianceScaling(1.0, mode="fan_avg").draw(shape, rng)
        return Normal(0.01).draw(shape, rng)


def study(number, n_seeds, noise):
    """What a whole small comparison says where there is nothing to say."""
    rng = np.random.default_rng(number)
    X, y = draw(400, rng)
    X, more = (X > 0.0).astype(float), {}
    if noise:
        y = rng.permutation(y)
    else:
        net = DBNClassifier(
            (10,), init=Untrained(), batch_size=20, max_iter=12, tol=0.0
        )
        net.set_params(optimizer=Adam())
        same = Contender("same", net, {"optimizer__learning_rate": [0.03]})
        more = {"inits": [TINY["inits"][0], same]}
        more["rbm"] = RBMTransformer(optimizer=SGD(1e-30))
    result = compare_initializers(X, y, **TINY | {"n_seeds": n_seeds} | more)
    (row,) = result.summary()
    return effect(row)


def run_studies(args, keep):
    """False claims of whole comparisons: labels are noise, or nothing is pretrained."""
    found = {}
    for noise, n_seeds in product((True, False), (4, 2)):
        name = f"{'noise labels' if noise else 'no pretraining'}, {n_seeds} seeds"
        effects = keep(name, args.studies, study, n_seeds, noise)
        found[name] = {"studies": len(effects), "claims": int(np.sum(effects != 0))}
    return found


# --- what is kept ---------------------------------------------------------------------

CELLS = {
    "learners": run_learners,
    "ties": run_ties,
    "dbn": run_dbn,
    "studies": run_studies,
}
OPTIONS = {
    "--cells": {"nargs": "+", "choices": [*CELLS], "default": ["learners", "ties"]},
    "--pools": {"type": int, "default": 1000, "help": "of learners and ties"},
    "--dbn-pools": {"type": int, "default": 300},
    "--studies": {"type": int, "default": 20, "help": "of each kind"},
    "--small": {"action": "store_true", "help": "a few pools of each, to try it"},
    "--output": {
        "type": path,
        "default": Path("results/interval-coverage.json"),
        "help": "the record; finished pools are in a folder of this name",
    },
}


def keeper(folder):
    """A function that computes results by number, and keeps them in blocks."""

    def keep(name, n, compute, *args):
        file = folder / f"{name.replace(' ', '-').replace(',', '')}.json"
        done = json.loads(file.read_text()) if file.exists() else []
        while len(done) < n:
            numbers = range(len(done), min(n, len(done) + BLOCK))
            done += [compute(number, *args) for number in numbers]
            file.write_text(json.dumps(done))
            print(f"{name}: {len(done)} of {n}", file=sys.stderr, flush=True)
        return np.array(done[:n])

    return keep


def main():
    args = parse(__doc__, OPTIONS)
    if args.small:
        args.pools, args.dbn_pools, args.studies = 4, 2, 1
    prepare_file(args.output)
    folder = args.output.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    record = json.loads(args.output.read_text()) if args.output.exists() else {}
    warnings.simplefilter("ignore", ConvergenceWarning)
    for group in args.cells:
        with one_blas_thread():
            found = CELLS[group](args, keeper(folder))
        record[group] = {"figures": found, **provenance()}
        write_json(args.output, record)
        for name, figures in found.items():
            print(f"{name}: {json.dumps(figures)}")


if __name__ == "__main__":
    run(main)
