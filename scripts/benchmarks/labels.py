"""Models of images and classes together: errors, and whether samples are recognised.

Rows are split into training, validation (10,000) and test. The cells, for each seed:

    discriminative   RBMClassifier of 500, the class given the image only
    hybrid           RBMClassifier of 500, and a little of the image as well
    hybrid-wide      the same of 1500
    cd               784-500-500-2000 with labels at the top, contrastive divergence
    pcd              the same with persistent chains at the end (the default)
    up-down          the same, then trained as a whole

Of the last three, chains clamped to each class, and free ones, are shown to judges:
nets with dropout, whose mean probabilities decide. Their bound on the log-likelihood is
that of test rows whose grey values were drawn. Cells that a record holds are kept,
if they are of the same settings and code; in a folder of its name are the judges, and
the checkpoints of a cell in work: the same command goes on where it was stopped. The
time that all may take comes first.
"""

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from records import kept, write_record
from threadpoolctl import threadpool_limits

from dbn import DBNClassifier, GenerativeDBNClassifier, RBMClassifier, RBMTransformer
from dbn.backend.identity import identity
from dbn.evaluation import load_dataset, provenance
from dbn.training import SGD, Adam, Checkpoint, Schedule, UpDown

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, run, write_json

# Seconds of one core for each cell on MNIST, about.
SECONDS = {
    **{"discriminative": 30, "hybrid": 70, "hybrid-wide": 300},
    **{"cd": 200, "pcd": 250, "up-down": 250},
}
UP_DOWN_SECONDS = 17  # more of each epoch
JUDGE_SECONDS = 450
OPTIONS = {
    "--dataset": {"default": "mnist", "help": "with test rows of its own"},
    "--data-home": {"help": "folder of the named data sets; otherwise DBN_DATA"},
    "--cells": {"nargs": "+", "choices": [*SECONDS], "default": [*SECONDS]},
    "--seeds": {"type": int, "nargs": "+", "default": [0, 1, 2]},
    "--up-down-epochs": {"type": int, "default": 30},
    "--judges": {"type": int, "default": 5, "help": "nets; 0 looks at no samples"},
    "--all-rows": {
        "action": "store_true",
        "help": "train on validation rows too, as the published net did in the end",
    },
    "--small": {"action": "store_true", "help": "few units, epochs and samples"},
    "--threads": {"type": int, "default": 1, "help": "BLAS threads"},
    "--output": {"type": path, "help": "JSON record to write, and to go on from"},
}


def split(data, all_rows):
    """Rows to train on, to choose by, and to test."""
    n = len(data.y)
    order = np.random.default_rng(0).permutation(n)
    n_chosen = 0 if all_rows else n // 6
    train, chosen = order[n_chosen:], order[:n_chosen]
    X = data.X.astype(np.float32)
    return (X[train], data.y[train]), (X[chosen], data.y[chosen]), _test(data)


def _test(data):
    return data.X_test.astype(np.float32), data.y_test


def model(cell, seed, args):
    """The estimator of a cell."""
    units, most = (16, 1) if args.small else (500, 1000)
    if cell in ("discriminative", "hybrid", "hybrid-wide"):
        wide = cell == "hybrid-wide"
        return RBMClassifier(
            3 * units if wide else units,
            objective=cell.removesuffix("-wide"),
            optimizer=Adam(Schedule(0.01, 0.0)),
            max_iter=min(15, most),
            batch_size=100,
            random_state=seed,
        )
    below = RBMTransformer(max_iter=min(15, most), batch_size=100)
    top = None
    if cell == "cd":
        falling = SGD(Schedule(0.2, 0.0, kind="cosine"), momentum=0.9)
        options = {"optimizer": falling, "centering": True, "weight_decay": 0.0}
        options["batch_size"] = 100
        top = RBMTransformer(max_iter=min(10, most), **options)
    return GenerativeDBNClassifier(
        (units, units, 4 * units),
        rbm=[below, below, top],
        up_down=UpDown(args.up_down_epochs) if cell == "up-down" else None,
        random_state=seed,
    )


def make_judges(train, args):
    """Nets that know the classes as well as nets do."""
    sizes, epochs = ((32,), 20) if args.small else ((1000, 1000), 60)
    judges = [
        DBNClassifier(
            sizes,
            init="he_normal",
            activation="relu",
            dropout=(0.2, *[0.5] * len(sizes)),
            optimizer=Adam(Schedule(0.001, 0.0)),
            max_iter=epochs,
            batch_size=100,
            tol=0.0,
            random_state=seed,
        )
        for seed in range(args.judges)
    ]
    if args.output is None:
        return [judge.fit(*train) for judge in judges]
    return [kept(args.output.with_suffix(""), judge, *train) for judge in judges]


def judged(judges, X):
    """The class that the judges see in each row."""
    return np.mean([judge.predict_proba(X) for judge in judges], axis=0).argmax(axis=1)


def samples(fitted, judges, args):
    """Share of chains that are seen as their class; classes seen in free chains."""
    n, steps = (5, 10) if args.small else (100, 200)
    classes = fitted.classes_
    found = {}
    for place, label in enumerate(classes):
        rows = fitted.sample(n, label=label, steps=steps, random_state=0)
        found[str(label)] = float((judged(judges, rows) == place).mean())
    free = fitted.sample(n * len(classes), steps=5 * steps, random_state=0)
    counts = np.bincount(judged(judges, free), minlength=len(classes))
    return {"recognised": found, "free_chains": counts.tolist()}


def bound(fitted, X, args):
    """Mean lower bound on the log-likelihood of rows, in nats, their values drawn."""
    n_rows, n_draws = (20, 4) if args.small else (1000, 64)
    rows = X[:n_rows]
    rows = (np.random.default_rng(0).random(rows.shape) < rows).astype(rows.dtype)
    return {"test_bound": float(fitted.score_samples(rows, n_draws=n_draws).mean())}


def measure(cell, seed, parts, judges, args, folder):
    """One cell: a fit, its errors, and what becomes of its samples."""
    train, chosen, test = parts
    net, goes_on, begin = model(cell, seed, args), False, time.process_time()
    if folder is not None:
        goes_on = folder.exists()
        net.set_callbacks(Checkpoint(folder, every_n_epochs=5, resume=True))
    fitted = net.fit(*train)
    # Of a fit that was stopped nobody knows.
    seconds = None if goes_on else round(time.process_time() - begin, 1)
    entry = {"seconds": seconds}
    if not args.all_rows:
        entry["validation_error_percent"] = 100.0 * (1.0 - fitted.score(*chosen))
    entry["test_error_percent"] = 100.0 * (1.0 - fitted.score(*test))
    if isinstance(fitted, GenerativeDBNClassifier):
        entry |= bound(fitted, test[0], args)
        if judges:
            entry |= samples(fitted, judges, args)
    return entry


def kept_cells(output, settings):
    """Cells of a record with the same settings."""
    if output is None or not output.exists():
        return {}
    record = json.loads(output.read_text())
    if record.get("identity") != settings["identity"]:
        raise ValueError(
            f"{output} holds cells of other settings or other code. Remove it, or give "
            "another --output."
        )
    return record["cells"]


def main():
    args = parse(__doc__, OPTIONS)
    prepare_file(args.output)
    data = load_dataset(args.dataset, data_home=args.data_home)
    parts, origin = split(data, args.all_rows), provenance(data.X, data.y)
    names = "dataset", "up_down_epochs", "judges", "all_rows", "small", "threads"
    settings = {name: getattr(args, name) for name in names}
    code = [origin["package_sha256"], origin["script_sha256"], origin["data_sha256"]]
    settings["identity"] = identity(settings, code)
    cells = kept_cells(args.output, settings)
    wanted = [(cell, seed) for seed in args.seeds for cell in args.cells]
    left = [(c, s) for c, s in wanted if f"{c} {s}" not in cells]
    looks = args.judges and any(c in ("cd", "pcd", "up-down") for c, _ in left)
    whole = args.up_down_epochs * UP_DOWN_SECONDS
    seconds = sum(SECONDS[c] + whole * (c == "up-down") for c, _ in left)
    seconds += bool(looks) * args.judges * JUDGE_SECONDS
    if not args.small:
        print(
            f"{len(left)} cells, about {seconds / 60:.0f} min of one core", flush=True
        )
    with threadpool_limits(args.threads):
        judges = make_judges(parts[0], args) if looks else []
        record = settings | {"cells": cells}
        if judges:
            wrong = judged(judges, parts[2][0]) != _places(parts[2][1], judges[0])
            record["judges_test_error_percent"] = 100.0 * float(wrong.mean())
        for cell, seed in left:
            name, folder = f"{cell} {seed}", None
            if args.output:
                work = f"{cell}-{seed}-{settings['identity'][:16]}"
                folder = args.output.with_suffix("") / work
            cells[name] = measure(cell, seed, parts, judges, args, folder)
            print(name, cells[name], flush=True)
            if args.output:
                write_json(args.output, record | provenance(data.X, data.y))
                shutil.rmtree(folder)
    if args.output and left:  # complete, for the series
        write_record(args.output, record | provenance(data.X, data.y))


def _places(y, judge):
    return np.searchsorted(judge.classes_, y)


if __name__ == "__main__":
    run(main)
