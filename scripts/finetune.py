"""Fine-tune a net from a pretrained model, or from another start, and score it.

The start is a model that `pretrain.py` wrote, or the name of an initializer. With
--labels only so many rows, the same of every class, keep their labels. Labels that are
numbers (see the line on the data, and --target) are fitted by a DBNRegressor. Rows
without a label take no part: pretrain.py learns from them. The error is that of the
last epoch, or with --early-stopping of the epoch with the least loss on rows held out
of the labelled ones; test rows are used once, at the end. To train in several
processes: torchrun --standalone --nproc_per_node=2 scripts/finetune.py START
--distributed.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from data_options import DATA_OPTIONS, load, parse, path, positive, run, sizes
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits
from training import TRAINING_OPTIONS, fit, write_history, write_model

from dbn import DBNClassifier, DBNRegressor, DBNTransformer, load_model
from dbn.evaluation.provenance import about_model
from dbn.training.optimizers import OPTIMIZERS, get_optimizer

OPTIONS = (
    DATA_OPTIONS
    | TRAINING_OPTIONS
    | {
        "start": {"help": "a model file, or an initializer such as he_normal"},
        "--output": {
            "type": path,
            "default": Path("finetuned"),
            "help": "folder to write to",
        },
        "--layers": {
            "type": sizes,
            "default": "256",
            "help": "a model file has its own",
        },
        "--labels": {
            "type": positive,
            "help": "labelled rows, equally many of each class, or all that it has; "
            "default all",
        },
        "--activation": {"default": "logistic"},
        "--dropout": {"type": float, "nargs": "+", "default": [0.0]},
        "--batch-norm": {"action": "store_true"},
        "--optimizer": {"default": "adam", "choices": [*OPTIMIZERS]},
        "--learning-rate": {
            "type": float,
            "help": "the same in all epochs; default: that of the estimator for the "
            "optimizer, which falls to 0 for adam",
        },
        "--weight-decay": {"type": float, "default": 0.0},
        "--max-norm": {"type": float},
        "--multipliers": {
            "type": float,
            "nargs": "+",
            "help": "of the learning rate, per layer",
        },
        "--head-epochs": {
            "type": int,
            "default": 0,
            "help": "epochs of the top layer alone",
        },
        "--early-stopping": {"action": "store_true"},
    }
)


def load_start(args):
    """The pretrained model that START is a file of; None where it names a start."""
    start = args.start
    if not (start.endswith(".dbn") or "/" in start or path(start).exists()):
        return None
    if not path(start).is_file():
        raise FileNotFoundError(
            f"There is no file {start}. Give a model.dbn that pretrain.py wrote, or "
            "the name of a start such as he_normal."
        )
    model = load_model(path(start))
    if not isinstance(model, DBNTransformer):
        raise ValueError(
            f"{start} holds a {type(model).__name__}; a net starts from a "
            "DBNTransformer. Run pretrain.py with two or more --layers."
        )
    if "--layers" in args.given:
        own = ",".join(str(rbm.n_hidden) for rbm in model.dbn_.rbms)
        raise ValueError(
            f"--layers does nothing: {start} has its own layers, {own}. Leave it away."
        )
    return model


def make_net(args, model, data):
    start, layers = args.start, args.layers
    if model is not None:
        start, layers = FrozenEstimator(model), [r.n_hidden for r in model.dbn_.rbms]
        check_columns(model, data)
    optimizer = args.optimizer  # for whose name an estimator has settings of its own
    if args.learning_rate is not None:
        optimizer = get_optimizer(optimizer).set_params(
            learning_rate=args.learning_rate
        )
    return (DBNClassifier if data.target == "classes" else DBNRegressor)(
        layers,
        init=start,
        activation=args.activation,
        dropout=args.dropout if len(args.dropout) > 1 else args.dropout[0],
        batch_norm=args.batch_norm,
        optimizer=optimizer,
        weight_decay=args.weight_decay,
        max_norm=args.max_norm,
        learning_rate_multipliers=args.multipliers,
        head_epochs=args.head_epochs,
        batch_size=args.batch_size,
        max_iter=args.epochs,
        early_stopping=args.early_stopping,
        on_divergence=args.on_divergence,
        device=args.device,
        random_state=args.seed,
        verbose=1,
    )


def check_columns(model, data):
    """Raise a ValueError unless columns are those of the model, where both have names.

    An array has no names, by which estimators compare the columns of frames.
    """
    its = [*getattr(model, "feature_names_in_", [])]
    mine = [*(data.columns or [])]
    if its and mine and its != mine:
        raise ValueError(
            f"{data.name!r} has the columns {mine!r:.300}; the model was fitted on "
            f"{its!r:.300}. Give a table with the same columns in the same order."
        )


def as_frames(data):
    """The data as a model needs them that was fitted on a table with texts.

    Of such a table all columns of texts may be without a value.
    """
    if data.columns is None or hasattr(data.X, "columns"):
        return data
    import pandas as pd  # as the reader of tables with texts

    parts = {"X": data.X, "X_test": data.X_test}
    frames = {
        name: pd.DataFrame(X, columns=[*data.columns])
        for name, X in parts.items()
        if X is not None
    }
    return replace(data, **frames)


def choose(y, target, args):
    """Numbers of the rows that --labels asks for, and what to tell of them."""
    n, groups = args.labels, [np.arange(len(y))]
    if target == "classes":
        groups = [np.flatnonzero(y == label) for label in np.unique(y)]
    if not len(groups) <= n <= len(y):
        of = f" of {len(groups)} classes" if target == "classes" else ""
        hint = ""
        if of and y.dtype.kind in "iuf" and len(groups) > 2:
            hint = " If labels are numbers to predict, say --target numbers."
        raise ValueError(
            f"--labels is {n}; there are {len(y)} labelled training rows{of}. Give a "
            f"number from {len(groups)} to {len(y)}, or leave it away for all.{hint}"
        )
    rng, n_each = np.random.default_rng(args.seed), n // len(groups)
    rows = np.concatenate([rng.permutation(group)[:n_each] for group in groups])
    if len(rows) == n:
        return rows, ""
    told = f"\n--labels {n} takes {len(rows)} rows, {n_each} of each class"
    if n_few := sum(len(group) < n_each for group in groups):
        told += f" or all that it has ({n_few} of {len(groups)} classes have fewer)"
    return rows, told


def split(data, args):
    """Labelled training rows, the test rows, and what to tell of the data."""
    if data.y is None:
        raise ValueError(f"Data set {data.name!r} has no labels to fine-tune on.")
    target, told = data.target, data.summary()
    data = data.with_test(args.seed)  # as pretrain.py does
    X, y = data.X[: args.rows], data.y[: args.rows]
    if args.labels is not None:
        index, more = choose(y, target, args)
        X, y = X.iloc[index] if hasattr(X, "iloc") else X[index], y[index]
        told += more
    return X, y, data.X_test, data.y_test, told


def test(net, X, y):
    """What test rows show, for the record and in words."""
    predicted = net.predict(X)
    if isinstance(net, DBNClassifier):
        error = float(np.mean(predicted != y))
        return {"test_error": round(error, 6)}, f"test error {error:.2%}"
    rmse = float(np.sqrt(np.mean((predicted - y) ** 2)))
    found, told = {"test_rmse": round(rmse, 6)}, "root mean square"
    if len(y) > 1:  # of a single row there is no R2
        found["test_r2"] = round(float(net.score(X, y)), 6)
        told += f"; R2 {found['test_r2']:.3f}"
    return found, f"test error {rmse:.4g} ({told})"


def main():
    args = parse(__doc__, OPTIONS)
    model = load_start(args)
    data = load(args, getattr(model, "feature_names_in_", ()))
    if getattr(model, "columns_", None) is not None:
        data = as_frames(data)
    net = make_net(args, model, data)
    X, y, X_test, y_test, told = split(data, args)
    workers, seconds = fit(net, args, [X, y], told)
    if workers.rank == 0:
        write_model(net, args, data.columns)
        with threadpool_limits(args.threads):
            found, told = test(net, X_test, y_test)
        if isinstance(net.init, FrozenEstimator):
            found["pretrained"] = about_model(net.init.estimator)
        found["labelled_rows"] = len(y)
        write_history(net, args, workers, seconds, [X, y], **found)
        told += f" with {len(y)} labelled rows"
        print(f"{told}, {seconds:.0f} s; wrote {args.output}/")


if __name__ == "__main__":
    run(main)
