"""How the defaults of nets were chosen: rates, decays and lengths on inner rows.

The training part of every split of a table is split once more for each of `--seeds`, a
fifth of its rows to score on (accuracy, or R2 where the target is a number). A DBN is
pretrained on the rest, and a net with each of the settings starts from it. The splits
are others than those by which `tables.py` scores, but of the same tables: figures there
are not of rows that nobody has seen. Printed is the mean score of the defaults, and by
how many thousandths each other setting differs from it, with the standard error of the
mean of paired differences. `--small` is a toy.
"""

import os
import sys
import time
import warnings
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from records import write_record
from sklearn.datasets import (
    make_classification,
    make_friedman1,
    make_friedman3,
    make_gaussian_quantiles,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from tables import FILES, TOYS, load, parts
from threadpoolctl import threadpool_limits

from dbn import DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer
from dbn.evaluation import provenance
from dbn.training import Adam, Schedule
from dbn.training.budget import MACHINE, NET, adam_of_net

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, run

# Beside the ordinary tables, four with many rows for each column.
MANY_ROWS = {
    "friedman1-4000": lambda: make_friedman1(4000, noise=1.0, random_state=1),
    "friedman3-2000": lambda: make_friedman3(2000, noise=0.1, random_state=1),
    "quantiles-4000": lambda: make_gaussian_quantiles(
        n_samples=4000, n_features=5, n_classes=3, random_state=1
    ),
    "classes-4000": lambda: make_classification(
        *(4000, 10),
        n_informative=6,
        n_redundant=0,
        n_classes=3,
        n_clusters_per_class=3,
        flip_y=0.1,
        random_state=1,
    ),
}
# Splice takes as long as ten others.
TABLES = [*(name for name in FILES if name != "splice"), *TOYS, *MANY_ROWS]


def usual(n_rows, n_columns, numeric):
    """Learning rate and decay of "adam" in the estimators."""
    adam = adam_of_net(n_rows, n_columns, numeric)
    return adam.learning_rate.start, adam.decoupled_decay


def constant(rate=None, decay=None):
    """The same, but with one rate, or one decay of all classifiers, for all tables."""

    def chosen(n_rows, n_columns, numeric):
        usual_rate, usual_decay = usual(n_rows, n_columns, numeric)
        its = usual_decay if decay is None else decay * (not numeric)
        return usual_rate if rate is None else rate, its

    return chosen


def twice_the_decay(*table):
    rate, decay = usual(*table)
    return rate, 2.0 * decay


def proportional(n_rows, n_columns, numeric):
    """The decay is the columns per row however many rows there are."""
    rate, decay = usual(n_rows, n_columns, numeric)
    return rate, decay if numeric else min(n_columns / n_rows, 0.2)


# Of each: rate and decay, updates of the net, and updates of the machine.
DEFAULTS = "defaults"
CANDIDATES = {
    DEFAULTS: (usual, 3000, 1500),
    "rate 0.01, decay 0.05": (constant(0.01, 0.05), 3000, 1500),
    "rate 0.01": (constant(0.01), 3000, 1500),
    "rate 0.03": (constant(0.03), 3000, 1500),
    "decay 0.05": (constant(None, 0.05), 3000, 1500),
    "decay p/n": (proportional, 3000, 1500),
    "decay x 2": (twice_the_decay, 3000, 1500),
    "1000 updates": (usual, 1000, 1500),
    "machine 1000 updates": (usual, 3000, 1000),
}


def inner_rows(name, folder, split, seed):
    """Rows to train on and to score on, of the training part of a split."""
    if name in MANY_ROWS:
        X, y = MANY_ROWS[name]()
        numeric = y.dtype.kind == "f"
    else:
        X, y, numeric = load(name, folder)
    X, _, y, _ = parts(X, y, numeric, split, validate=False)
    strata = None if numeric else y
    its_own = {"test_size": 0.2, "random_state": split + 1000 * seed}
    return train_test_split(X, y, **its_own, stratify=strata), numeric


def pretrained(X, updates, seed):
    """A machine of so many updates, from which several nets can start."""
    size, epochs = replace(MACHINE, updates=updates).resolved(len(X), "auto", "auto")
    rbm = RBMTransformer(batch_size=size, max_iter=epochs)
    return FrozenEstimator(DBNTransformer((256,), rbm=rbm, random_state=seed).fit(X))


def measure(candidate, rows, numeric, seed, stacks):
    """One net; `stacks` has the machines of these rows, by their number of updates."""
    X, X_test, y, y_test = rows
    chosen, updates, of_machine = CANDIDATES[candidate]
    if of_machine not in stacks:
        stacks[of_machine] = pretrained(X, of_machine, seed)
    rate, decay = chosen(*X.shape, numeric)
    size, epochs = replace(NET, updates=updates).resolved(len(X), "auto", "auto")
    model = (DBNRegressor if numeric else DBNClassifier)(
        init=stacks[of_machine],
        optimizer=Adam(Schedule(rate, 0.0), decoupled_decay=decay),
        batch_size=size,
        max_iter=epochs,
        random_state=seed,
    )
    start = time.process_time()
    model.fit(X, y)
    found = {"seconds": round(time.process_time() - start, 3)}
    found["score"] = float(model.score(X_test, y_test))
    if not numeric:
        p = model.predict_proba(X_test)
        found["log_loss"] = float(log_loss(y_test, p, labels=model.classes_))
    return found


def summary(runs, table):
    """Mean score at defaults on a table, and what the others differ, in lines."""
    scores = {
        name: np.array([r["score"] for r in runs if r["candidate"] == name])
        for name in dict.fromkeys(run["candidate"] for run in runs)
    }
    base = scores.pop(DEFAULTS)
    lines = [f"{table}: {base.mean():.3f} ({len(base)} parts)"]
    for name, its in scores.items():
        difference = 1000 * (its - base)
        error = difference.std(ddof=1) / np.sqrt(len(base)) if len(base) > 1 else 0.0
        lines.append(f"  {name:22s} {difference.mean():+5.0f} +- {error:.0f}")
    return "\n".join(lines)


OPTIONS = {
    "--tables": {"nargs": "+", "choices": TABLES, "default": TABLES, "metavar": "T"},
    "--candidates": {
        **{"nargs": "+", "choices": [*CANDIDATES], "default": [*CANDIDATES]},
        **{"metavar": "C", "help": "the defaults are always among them"},
    },
    "--splits": {"type": int, "nargs": "+", "default": [100, 101, 102, 103, 104]},
    "--seeds": {
        "type": int,
        "nargs": "+",
        "default": [0, 1],
        "help": "inner rows, nets",
    },
    "--small": {"action": "store_true", "help": "iris, one split, two candidates"},
    "--data-home": {"type": path, "help": "folder with tables; default: DBN_DATA"},
    "--threads": {"type": int, "default": 1, "help": "BLAS threads"},
    "--output": {"type": path, "help": "JSON record to write"},
}


def main():
    args = parse(__doc__, OPTIONS)
    prepare_file(args.output)
    if args.small:
        args.tables, args.splits, args.seeds = ["iris"], [100], [0]
        args.candidates = [*CANDIDATES][:2]
    candidates = list(dict.fromkeys([DEFAULTS, *args.candidates]))
    folder = Path(args.data_home or os.environ.get("DBN_DATA", ".")) / "tables"
    settings = {"candidates": candidates, "splits": args.splits, "seeds": args.seeds}
    record = {"settings": settings | {"threads": args.threads}, "runs": []}
    # Some settings are too short, and some columns are categories or counts.
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message=".*X hold")
    with threadpool_limits(args.threads):
        for table in args.tables:
            runs = []
            for split, seed in product(args.splits, args.seeds):
                rows, numeric = inner_rows(table, folder, split, seed)
                part, stacks = split + 1000 * seed, {}
                place = {"table": table, "split": split, "seed": seed}
                for name in candidates:
                    found = measure(name, rows, numeric, part, stacks)
                    runs.append(place | {"candidate": name} | found)
            record["runs"] += runs
            print(summary(runs, table), flush=True)
    if args.output:
        write_record(args.output, record | provenance())


if __name__ == "__main__":
    run(main)
