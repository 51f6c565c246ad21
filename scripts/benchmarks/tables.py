"""Ordinary tables at default settings, beside what scikit-learn does at its own.

Every table is split anew for each of `--splits`; every contender trains on three
quarters of the rows and is scored on the rest: accuracy (R2 where the target is a
number), log-loss, and the processor seconds of the fit. Categories are one column of 0
and 1 for each value. The tables are those of the folder ``tables`` in the data folder,
and toys of scikit-learn. `--validate` scores on a part of the training rows instead,
which is where settings were chosen.
"""

import argparse
import gzip
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from records import write_record
from sklearn import datasets
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from dbn import DBNClassifier, DBNRegressor
from dbn.backend.identity import identity
from dbn.evaluation import provenance

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import path, prepare_file, run

FILES = (
    *("ionosphere", "german", "vehicle", "segment", "phoneme", "spambase"),
    *("australian", "mammographic", "splice", "autompg", "hprice2"),
)
TOYS = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast-cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
    "friedman1": lambda **_: datasets.make_friedman1(1000, noise=1.0, random_state=0),
    "classification": lambda **_: datasets.make_classification(
        1000, 20, n_informative=10, n_classes=4, random_state=0
    ),
}
# Each for classes and for numbers, from the seed. Those with True want columns of mean
# 0 and variance 1; a DBN sees to that itself, and trees do not care.
CONTENDERS = {
    "dbn": (DBNClassifier, DBNRegressor, {}, False),
    "xavier": (DBNClassifier, DBNRegressor, {"init": "xavier_uniform"}, False),
    "he + relu": (
        DBNClassifier,
        DBNRegressor,
        {"init": "he_normal", "activation": "relu"},
        False,
    ),
    "mlp": (MLPClassifier, MLPRegressor, {}, True),
    "linear": (LogisticRegression, Ridge, {}, True),
    "boosting": (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        {},
        False,
    ),
}


def load_frame(name, folder):
    """The columns of a table in the folder as they are, and its target."""
    import pandas

    with gzip.open(folder / f"{name}.csv.gz") as file:
        frame = pandas.read_csv(file)
    return frame, frame.pop("target").to_numpy()


def load(name, folder):
    """Rows of numbers of a table, its target, and whether the target is a number."""
    if name in TOYS:
        X, y = TOYS[name](return_X_y=True)
    else:
        frame, y = load_frame(name, folder)
        numbers = make_column_selector(dtype_include="number")
        encoder = OneHotEncoder(sparse_output=False)
        encoded = make_column_transformer(("passthrough", numbers), remainder=encoder)
        X = encoded.fit_transform(frame).astype(float)
    return X, y, y.dtype.kind == "f"


def parts(X, y, numeric, split, validate):
    """Rows to train on and rows to score on, and their targets."""
    for share in (0.25, 0.2)[: 1 + validate]:
        strata = None if numeric else y
        found = train_test_split(
            X, y, test_size=share, random_state=split, stratify=strata
        )
        X, _, y, _ = found
    return found


def measure(name, numeric, seed, rows):
    """One contender on one split."""
    *classes, options, standardised = CONTENDERS[name]
    model = classes[numeric](**options, random_state=seed)
    if standardised:
        model = make_pipeline(StandardScaler(), model)
    X, X_test, y, y_test = rows
    start = time.process_time()
    model.fit(X, y)
    seconds = time.process_time() - start
    found = {"score": float(model.score(X_test, y_test)), "seconds": round(seconds, 3)}
    if not numeric:
        p = model.predict_proba(X_test)
        found["log_loss"] = float(log_loss(y_test, p, labels=model.classes_))
    return found


def summary(runs, table):
    """Mean score and seconds of each contender on a table, in a line."""
    line = f"{table:15s}"
    for name in dict.fromkeys(r["contender"] for r in runs):
        its = [r for r in runs if (r["table"], r["contender"]) == (table, name)]
        score, seconds = (np.mean([r[k] for r in its]) for k in ("score", "seconds"))
        line += f" {name} {score:.3f} ({seconds:.2f} s)"
    return line


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    names = [*FILES, *TOYS]
    add("--tables", nargs="+", choices=names, default=names, metavar="TABLE")
    add("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    add("--splits", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    add("--validate", action="store_true", help="score on a part of the training rows")
    add("--data-home", type=path, help="folder with the data sets; default: DBN_DATA")
    add("--threads", type=int, default=1, help="BLAS threads (default: 1)")
    add("--output", type=path, help="JSON record to write")
    return parser.parse_args()


def main():
    args = parse_args()
    prepare_file(args.output)
    folder = Path(args.data_home or os.environ.get("DBN_DATA", ".")) / "tables"
    settings = {"splits": args.splits, "validate": args.validate}
    record = {"settings": settings | {"threads": args.threads}, "runs": []}
    record["data_sha256"] = {}
    # Two hundred epochs are scikit-learn's default, converged or not.
    warnings.simplefilter("ignore", ConvergenceWarning)
    # Some columns are categories or counts, and all contenders are given the same.
    warnings.filterwarnings("ignore", message=".*X hold")
    with threadpool_limits(args.threads):
        for table in args.tables:
            try:
                X, y, numeric = load(table, folder)
            except (ImportError, OSError) as error:
                sys.exit(f"tables: {error}")
            record["data_sha256"][table] = identity(X, y)
            for split in args.splits:
                rows = parts(X, y, numeric, split, args.validate)
                for name in args.contenders:
                    found = measure(name, numeric, split, rows)
                    its = {"table": table, "split": split, "contender": name, **found}
                    record["runs"].append(its)
            print(summary(record["runs"], table), flush=True)
        if args.output:
            write_record(args.output, record | provenance())


if __name__ == "__main__":
    run(main)
