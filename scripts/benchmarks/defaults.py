"""What the estimators reach with nothing set, beside what was asked of them.

    features     logistic regression and an SVM on the features of machines
    likelihoods  held-out log-likelihood, against independent columns
    anomalies    rows whose columns were permuted against each other, told from others
    nets         three hidden layers, regression, early stopping
    frames       categories as they are, against one-hot columns and scaling by hand
    holes        values that are not known: drawn, and learned with
    samplers     exact log-likelihood after training with each sampler
    seconds      processor seconds of fits of 30 rows

Everything is at its defaults. A figure is the mean over `--splits`, each of which is
the seed of a split (a quarter of the rows is scored on), of what is drawn, and of the
fit. The record is written after every figure, and the same command goes on where it was
stopped. Tables of the data folder are left out where they are missing.
"""

import functools
import itertools
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tables
from measures import (
    anomalies,
    completion,
    likelihoods,
    samplers,
    scores,
    seconds,
)
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from dbn import DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer
from dbn.evaluation import load_dataset, provenance

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, run, write_json


class Figure(NamedTuple):
    """What is measured, and what was asked of its means."""

    title: str
    measure: Callable  # of a split: numbers by name
    asked: str = ""
    reached: Callable | None = None  # of the means by name


def at_least(asked, name):
    """A figure's last two fields."""
    return f"at least {asked}", lambda means: means[name] >= asked


# --- rows -----------------------------------------------------------------------------


def folder(args):
    return Path(args.data_home or os.environ.get("DBN_DATA", ".")) / "tables"


def few(X, args):
    """At most `--rows` rows, evenly spaced."""
    return X[:: -(-len(X) // args.rows)]


def rows_of(name, args):
    """Rows of a table of numbers, its target, and whether the target is a number."""
    X, y, numeric = tables.load(name, folder(args))
    return few(X / 16 if name == "digits" else X, args), few(y, args), numeric


def factors(args):
    """Twelve columns that are made of three."""
    rng = np.random.default_rng(0)
    common, weights = rng.standard_normal((1000, 3)), rng.standard_normal((3, 12))
    X = common @ weights + 0.5 * rng.standard_normal((1000, 12))
    return few(X, args), np.zeros(len(few(X, args))), False


def made_frame():
    """Strings, booleans and numbers, a tenth of them missing, and two classes."""
    import pandas

    rng, n = np.random.default_rng(0), 1000
    colour, flag = rng.integers(4, size=n), rng.integers(2, size=n)
    width, height = rng.standard_normal((2, n))
    total = np.array([-1.5, -0.5, 0.5, 1.5])[colour] + 2 * flag - 1 + 1.5 * width
    frame = pandas.DataFrame(
        {
            "colour": np.array(["red", "green", "blue", "white"])[colour],
            "flag": flag.astype(bool),
            "width": 20 + 5 * width,
            "height": np.exp(height + 0.5 * width),
        }
    )
    y = np.where(total + 0.5 * rng.standard_normal(n) > 0, "large", "small")
    return frame.mask(rng.random(frame.shape) < 0.1), y


def ising(n_rows, rng, side=6, coupling=0.4):
    """Spins on a square lattice, as 0 and 1, after 200 sweeps of Gibbs sampling."""
    spins = rng.choice([-1.0, 1.0], size=(n_rows, side, side))
    odd = np.add.outer(np.arange(side), np.arange(side)) % 2 == 1
    for _, turn in itertools.product(range(200), (odd, ~odd)):
        around = np.pad(spins, ((0, 0), (1, 1), (1, 1)))
        field = around[:, 2:, 1:-1] + around[:, :-2, 1:-1]
        field += around[:, 1:-1, 2:] + around[:, 1:-1, :-2]
        up = rng.random(spins.shape) < 1 / (1 + np.exp(-2 * coupling * field))
        spins = np.where(turn, np.where(up, 1.0, -1.0), spins)
    return (spins.reshape(n_rows, -1) + 1) / 2


# --- parts ----------------------------------------------------------------------------

NET = {"default": DBNClassifier()}
FRAMES = ("german", "australian", "splice")


def of_features(args):
    def readout(machine):
        last = LogisticRegression(max_iter=1000)
        return make_pipeline(MinMaxScaler(clip=True), machine, last)

    models = {
        "default": readout(RBMTransformer()),
        "BernoulliRBM": readout(BernoulliRBM()),
    }
    asked = at_least(0.95, "default")
    yield Figure("wine, accuracy", scores(models, *rows_of("wine", args)), *asked)
    models = {"default": make_pipeline(DBNTransformer((256, 128)), SVC())}
    asked = at_least(0.97, "default")
    yield Figure("digits, accuracy", scores(models, *rows_of("digits", args)), *asked)


def of_likelihoods(args):
    for name in ("iris", "wine", "diabetes", "breast-cancer", "digits"):
        measure = likelihoods(*rows_of(name, args))
        asked = "above independent columns", lambda m: m["rbm"] > m["independent"]
        yield Figure(f"{name}, nats", measure, *asked)


def of_anomalies(args):
    asked = at_least(0.95, "rbm")
    yield Figure("12 columns of 3 factors, AUC", anomalies(*factors(args)), *asked)
    measure = anomalies(*rows_of("breast-cancer", args))
    yield Figure("breast-cancer, AUC", measure, *asked)


def of_nets(args):
    models = {"default": DBNClassifier((64, 64, 64))}
    measure, asked = scores(models, *rows_of("iris", args)), at_least(0.93, "default")
    yield Figure("iris, 3 hidden layers, accuracy", measure, *asked)
    models = {"default": DBNRegressor()}
    measure = scores(models, *rows_of("friedman1", args))
    yield Figure("friedman1, R2", measure, *at_least(0.9, "default"))
    models = NET | {"early stopping": DBNClassifier(early_stopping=True)}
    for name in ("iris", "wine", "breast-cancer", "digits"):
        measure = scores(models, *rows_of(name, args))
        asked = "within 0.02", lambda m: abs(np.subtract(*m.values())) < 0.0201
        yield Figure(f"{name}, early stopping, accuracy", measure, *asked)


def by_hand():
    """The same net for rows that were made of a frame by hand."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    others = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    selected = make_column_selector(dtype_include="number")
    columns = make_column_transformer((numbers, selected), remainder=others)
    return make_pipeline(columns, DBNClassifier())


def frames(args, *names):
    """Those frames that can be had, as they are: name, columns and target."""
    for name in names:
        try:
            made = name == "made frame"
            X, y = made_frame() if made else tables.load_frame(name, folder(args))
        except (ImportError, OSError) as error:
            print(f"{name} is left out (see --data-home): {error}", flush=True)
        else:
            yield name, few(X, args), few(y, args)


def of_frames(args):
    models = NET | {"by hand": by_hand()}
    for name, X, y in frames(args, *FRAMES, "made frame"):
        yield Figure(f"{name}, accuracy", scores(models, X, y))


def of_holes(args):
    for name in ("iris", "wine", "breast-cancer", "diabetes"):
        X, *_ = rows_of(name, args)
        yield Figure(f"{name}, RMSE of hidden entries", completion(X))
    for name in ("iris", "wine", "breast-cancer"):
        X, y, _ = rows_of(name, args)
        filled = make_pipeline(SimpleImputer(), DBNClassifier())
        measure = scores(NET | {"SimpleImputer": filled}, X, y, missing=True)
        yield Figure(f"{name}, accuracy with holes", measure)
    for name, X, y in frames(args, *FRAMES):
        models = NET | {"SimpleImputer, by hand": by_hand()}
        measure = scores(models, X, y, missing=True)
        yield Figure(f"{name}, accuracy with holes", measure)


def of_samplers(args):
    grey, *_ = rows_of("digits", args)
    bars = load_dataset("bars-and-stripes").X.astype(float)
    n = min(args.rows, 2000)

    def lattices(split):
        rng = np.random.default_rng(split)
        return ising(n, rng), ising(n // 2, rng)

    sets = {
        "binarized digits": functools.partial(split_of, (grey > 0.5).astype(float)),
        "bars and stripes": lambda _: (np.tile(bars, (20, 1)), bars),
        "6 x 6 Ising spins": lattices,
    }
    for name, data in sets.items():
        asked = "pcd and pt above cd", lambda m: min(m["pcd"], m["pt"]) > m["cd"]
        yield Figure(f"{name}, exact nats", samplers(data), *asked)


def split_of(X, split):
    return train_test_split(X, test_size=0.25, random_state=split)


def of_seconds(args):
    X, y, _ = rows_of("diabetes", args)
    for model in (RBMTransformer(), DBNTransformer(), DBNClassifier(), DBNRegressor()):
        target = y > np.median(y) if isinstance(model, DBNClassifier) else y
        asked = "at most 0.3", lambda m: m["seconds"] <= 0.3
        measure = seconds(model, X, target)
        yield Figure(f"{type(model).__name__}, 30 rows", measure, *asked)


PARTS = {
    "features": of_features,
    "likelihoods": of_likelihoods,
    "anomalies": of_anomalies,
    "nets": of_nets,
    "frames": of_frames,
    "holes": of_holes,
    "samplers": of_samplers,
    "seconds": of_seconds,
}
OPTIONS = {
    "--only": {"nargs": "+", "choices": PARTS, "default": list(PARTS)},
    "--splits": {"type": int, "nargs": "+", "default": [0, 1, 2, 3, 4]},
    "--rows": {"type": int, "default": 1_000_000, "help": "of a table at most"},
    "--data-home": {"help": "folder with the folder of tables; otherwise DBN_DATA"},
    "--threads": {"type": int, "default": 1, "help": "BLAS threads"},
    "--output": {
        "type": path,
        "default": Path("results/defaults.json"),
        "help": "JSON record to write, or to go on with",
    },
}


def measured(figure, splits):
    """What the record has of a figure."""
    start = time.process_time()
    found = [figure.measure(split) for split in splits]
    values = {name: [float(its[name]) for its in found] for name in found[0]}
    means = {name: float(np.mean(its)) for name, its in values.items()}
    spread = {
        name: float(np.std(its, ddof=len(its) > 1)) for name, its in values.items()
    }
    made = {"mean": means, "standard_deviation": spread, "values": values}
    made["seconds"] = round(time.process_time() - start, 1)
    if figure.asked:
        made |= {"asked": figure.asked, "reached": bool(figure.reached(means))}
    return made


def line(title, made):
    """A figure in words."""
    told = [
        f"{name} {mean:.3f} +- {made['standard_deviation'][name]:.3f}"
        for name, mean in made["mean"].items()
    ]
    asked = ""
    if "asked" in made:
        asked = f" ({made['asked']}: {'' if made['reached'] else 'not '}reached)"
    return f"{title}: {', '.join(told)}{asked}"


def begun(args):
    """The record as far as it is, of these settings and this commit."""
    settings = {name: getattr(args, name) for name in ("splits", "rows", "threads")}
    origin = provenance()
    if not args.output.exists():
        return {"settings": settings, **origin, "figures": {}}
    record = json.loads(args.output.read_text())
    kept = record["settings"], record["commit"]
    if kept != (settings, origin["commit"]):
        raise ValueError(
            f"{args.output} holds figures of settings and commit {kept}; now they are "
            f"{(settings, origin['commit'])}. Name another --output, or remove it."
        )
    return record | origin


def main():
    args = parse(__doc__, OPTIONS)
    # Counts are columns like others; defaults are defaults, converged or not.
    warnings.filterwarnings("ignore", message=".*X hold")
    warnings.simplefilter("ignore", ConvergenceWarning)
    prepare_file(args.output)
    with threadpool_limits(args.threads):
        record = begun(args)
        figures = record["figures"]
        for part in args.only:
            for figure in PARTS[part](args):
                title = f"{part}: {figure.title}"
                if title not in figures:
                    figures[title] = measured(figure, args.splits)
                    write_json(args.output, record)
                print(line(title, figures[title]), flush=True)


if __name__ == "__main__":
    run(main)
