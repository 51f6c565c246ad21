"""Records on MNIST: the classic net with all labels, with few, and deep logistic nets.

    mnist.py full      784-500-500-2000-10, all labels
    mnist.py labels    few labels, all images, a stack of 12 machines
    mnist.py deep      many logistic layers, from five starts

Each prints an estimate of its time, writes every finished run to the output file at
once, and goes on with a file that is there. DBNs are kept beside it, so that every part
that needs the DBN of a seed pretrains it once. Settings that are not options were
chosen on the last 10,000 training rows; the test rows are used by final nets only.
"""

import argparse
import sys
import time
from functools import partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from ledger import Ledger
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from dbn import (
    DBNClassifier,
    DBNTransformer,
    RBMTransformer,
    load_model,
    save_model,
)
from dbn.evaluation import load_dataset
from dbn.evaluation.study.protocol import FULL_CROSS_VALIDATION, N_FOLDS
from dbn.training import Adam, Schedule, Sparsity

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import path

BATCH, FEW_BATCH = 100, 50

# "dropout" is that of the lower layers, as in BUDGETS; see `dropout_of`. "multiplier"
# scales the learning rate of all hidden layers, which begin pretrained.
RECIPES = {
    "plain": {"rate": 0.002, "decay": 0.1, "epochs": 20},
    "dropout": {"rate": 0.002, "decay": 0.05, "epochs": 100, "dropout": 0.3},
    "multipliers": {
        "rate": 0.006,
        "decay": 0.05,
        "epochs": 30,
        "dropout": 0.3,
        "multiplier": 0.3,
    },
    "control": {
        "init": "he_normal",
        "activation": "relu",
        "rate": 0.001,
        "decay": 0.2,
        "epochs": 100,
        "dropout": 0.3,
    },
}
# Contenders with few labels, and the values that are tried: learning rates, or C.
FEW = {
    "dbn": (0.001, 0.003, 0.01),
    "he_normal + relu + dropout": (0.001, 0.003, 0.01),
    "dbn-features + logistic regression": (0.1, 1.0, 10.0, 100.0),
}
# Labels: epochs of batches of 50, with a learning rate that falls to 5 % of its start;
# its multipliers in the DBN's lower layers, which keep more of it, and in the last one;
# dropout of the lower layers.
LOW = {"multipliers": (0.03, 0.1), "dropout": 0.0}
BUDGETS = {
    50: {"epochs": 100, **LOW},
    100: {"epochs": 100, **LOW},
    600: {"epochs": 60, **LOW},
    1000: {"epochs": 40, **LOW},
    3000: {"epochs": 50, "multipliers": (0.1, 0.3), "dropout": 0.3},
    10_000: {"epochs": 40, "multipliers": (0.1, 0.3), "dropout": 0.3},
}
SETTINGS = {
    "full": {"recipes": RECIPES},
    "labels": {"contenders": FEW, "budgets": BUDGETS},
    "deep": {},
}
# Options that a record's runs share.
SHARED = (
    *("part", "hidden_layer_sizes", "rows", "pretrain_epochs", "epochs", "validation"),
    *("learning_rates", "n_stacks", "control_layer_sizes"),
)
STARTS = ("xavier_uniform", "xavier_x4_uniform", "orthogonal", "lsuv", "dbn")


# --- DBNs, kept in files --------------------------------------------------------------


def stack_path(args, sizes, seed, n_rows):
    net = "-".join(map(str, sizes))
    name = f"{net}-rows{n_rows}-epochs{args.pretrain_epochs}-seed{seed}.dbn"
    return args.stacks / name


def pretrain(task, args, X):
    """Pretrain the DBN of a seed, where there is none, and keep it."""
    start = time.perf_counter()
    path = stack_path(args, task["net"], task["seed"], len(X))
    dbn = DBNTransformer(
        task["net"],
        rbm=RBMTransformer(sparsity=Sparsity(), max_iter=args.pretrain_epochs),
        random_state=task["seed"],
    )
    save_model(dbn.fit(X), path)
    return {"pretrain_seconds": round(time.perf_counter() - start)}


def classifier(args, sizes, seed, n_rows, *, init="dbn", **options):
    """A net that starts from the DBN of the seed, or from another scheme."""
    if init == "dbn":
        init = FrozenEstimator(load_model(stack_path(args, sizes, seed, n_rows)))
    return DBNClassifier(sizes, init=init, random_state=seed, **options)


def dropout_of(sizes, lower):
    """Dropout of the inputs, of the lower hidden layers, and of the last one."""
    return (0.2, *[lower] * (len(sizes) - 1), 0.5)


def error(net, X, y):
    return round(float(np.mean(net.predict(X) != y)), 6)


# --- all labels -----------------------------------------------------------------------


def full(task, args, X, y, X_test, y_test):
    """Fine-tune with a learning rate that falls to 1 % of its start; the last epoch."""
    recipe = dict(RECIPES[task["recipe"]])
    rate, epochs = recipe.pop("rate"), recipe.pop("epochs")
    decay, sizes = recipe.pop("decay"), args.hidden_layer_sizes
    if "dropout" in recipe:
        recipe["dropout"] = dropout_of(sizes, recipe["dropout"])
    if "multiplier" in recipe:
        hidden = [recipe.pop("multiplier")] * len(sizes)
        recipe["learning_rate_multipliers"] = (*hidden, 1.0)
    if args.epochs:
        epochs = args.epochs
    start = time.perf_counter()
    net = classifier(
        args,
        sizes,
        task["seed"],
        len(X),
        optimizer=Adam(
            Schedule(rate, 0.01 * rate, epochs=epochs), decoupled_decay=decay
        ),
        batch_size=BATCH,
        max_iter=epochs,
        **recipe,
    ).fit(X, y)
    seconds = round(time.perf_counter() - start)
    return {"test_error": error(net, X_test, y_test), "finetune_seconds": seconds}


# --- few labels -----------------------------------------------------------------------


def labelled_rows(y, n_labels, subset):
    """As many rows of every class, the same for all contenders."""
    rng = np.random.default_rng(subset)
    classes = np.unique(y)
    each = n_labels // len(classes)
    return np.concatenate(
        [rng.choice(np.flatnonzero(y == k), each, replace=False) for k in classes]
    )


def n_folds(n_labels):
    """Folds of strict tuning, as in `compare_initializers`."""
    return N_FOLDS if n_labels <= FULL_CROSS_VALIDATION else 1


def labels(task, args, X, y, X_test, y_test):
    """One subset of labels: rate, or C, chosen under both protocols.

    strict: 5-fold cross-validation inside the subset (above 1000 labels its first
    fold). literature: 10,000 other labelled rows. Ties go to the smaller value.
    """
    n_labels, subset = task["n_labels"], task["subset"]
    rows = labelled_rows(y, n_labels, subset)
    rest = np.setdiff1d(np.arange(len(y)), rows)
    held = np.random.default_rng(subset).permutation(rest)[: args.validation]

    def fit(value, rows):
        return contender(task, args, value, len(X)).fit(X[rows], y[rows])

    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=subset)
    folds = list(folds.split(rows, y[rows]))[: n_folds(n_labels)]
    start, nets, strict, literature = time.perf_counter(), {}, {}, {}
    for value in FEW[task["contender"]]:
        strict[value] = np.mean(
            [error(fit(value, rows[a]), X[rows[b]], y[rows[b]]) for a, b in folds]
        )
        nets[value] = fit(value, rows)
        literature[value] = error(nets[value], X[held], y[held])
    result = {"seconds": round(time.perf_counter() - start)}
    for name, errors in (("strict", strict), ("literature", literature)):
        value = min(errors, key=errors.get)
        result[name] = {
            "value": value,
            "validation_error": round(float(errors[value]), 6),
            "test_error": error(nets[value], X_test, y_test),
        }
    return result


def contender(task, args, value, n_rows):
    """One of `FEW`, not yet fitted."""
    name, seed = task["contender"], task["subset"] % args.n_stacks
    sizes, budget = args.hidden_layer_sizes, BUDGETS[task["n_labels"]]
    epochs = budget["epochs"]
    if "features" in name:
        dbn = load_model(stack_path(args, sizes, seed, n_rows))
        readout = LogisticRegression(C=value, max_iter=1000)
        return make_pipeline(FrozenEstimator(dbn), readout)
    if name == "dbn":
        (low, last), n_low = budget["multipliers"], len(sizes) - 1
        options = {
            "learning_rate_multipliers": (*[low] * n_low, last, 1.0),
            "dropout": dropout_of(sizes, budget["dropout"]),
        }
    else:
        sizes = args.control_layer_sizes
        dropout = dropout_of(sizes, 0.5)
        options = {"init": "he_normal", "activation": "relu", "dropout": dropout}
    return classifier(
        args,
        sizes,
        seed,
        n_rows,
        optimizer=Adam(Schedule(value, 0.05 * value, epochs=epochs)),
        batch_size=FEW_BATCH,
        max_iter=epochs,
        **options,
    )


# --- deep logistic nets ---------------------------------------------------------------


def deep(task, args, X, y, X_test, y_test):
    """A deep logistic net; without its last training rows while rates are chosen."""
    final = task["stage"] == "final"
    n_train = len(X) if final else len(X) - args.validation
    rate, sizes = task["learning_rate"], task["net"]
    start = time.perf_counter()
    net = classifier(
        args,
        sizes,
        task["seed"],
        len(X),
        init=task["init"],
        optimizer=Adam(Schedule(rate, 0.01 * rate, epochs=args.epochs)),
        batch_size=BATCH,
        max_iter=args.epochs,
    ).fit(X[:n_train], y[:n_train])
    result = {
        "training_loss": round(net.loss_curve_[-1], 5),
        "finetune_seconds": round(time.perf_counter() - start),
    }
    if final:
        return {"test_error": error(net, X_test, y_test), **result}
    return {"validation_error": error(net, X[n_train:], y[n_train:]), **result}


def chosen_rates(ledger, net):
    """For every start the learning rate with the lowest validation error."""
    rates = {}
    for init in STARTS:
        tuned = ledger.find(stage="tune", net=net, init=init)
        best = min(tuned, key=lambda r: (r["validation_error"], r["learning_rate"]))
        rates[init] = best["learning_rate"]
    return rates


# --- command lines --------------------------------------------------------------------


def tasks_of(args):
    """DBNs to pretrain and nets of a command; for `deep`, `finals_of` come after."""
    net = args.hidden_layer_sizes
    if args.part == "full":
        stacks = [{"net": net, "seed": s} for s in args.seeds]
        if args.recipes == ["control"]:
            stacks = []
        return stacks, [
            {"recipe": recipe, "seed": seed}
            for recipe, seed in product(args.recipes, args.seeds)
        ]
    if args.part == "labels":
        stacks = [{"net": net, "seed": s} for s in range(args.n_stacks)]
        return stacks, [
            {"contender": name, "n_labels": n, "subset": subset}
            for n, subset, name in product(args.labels, range(args.subsets), FEW)
        ]
    nets = deep_nets(args)
    stacks = [{"net": net, "seed": s} for net, s in product(nets, args.seeds)]
    return stacks, [
        {"stage": "tune", "net": net, "init": init, "seed": 0, "learning_rate": rate}
        for net, init, rate in product(nets, STARTS, args.learning_rates)
    ]


def deep_nets(args):
    return [(args.width,) * depth for depth in args.depths]


def finals_of(args):
    """Tasks of `deep` whose learning rates are chosen by those of `tasks_of`."""
    return [
        {"stage": "final", "net": net, "init": init, "seed": seed}
        for net, init, seed in product(deep_nets(args), STARTS, args.seeds)
    ]


def mean_and_spread(values):
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "std": spread, "n": len(values)}


def groups_of(part, runs):
    """Test errors by what is the same but for seeds and subsets."""
    groups = {}
    for run in runs:
        if part == "full" and "recipe" in run:
            groups.setdefault(run["recipe"], []).append(run["test_error"])
        elif part == "labels" and "contender" in run:
            for protocol in ("strict", "literature"):
                name = f"{run['n_labels']} labels, {run['contender']}, {protocol}"
                groups.setdefault(name, []).append(run[protocol]["test_error"])
        elif part == "deep" and run.get("stage") == "final":
            name = f"{len(run['net'])} x {run['net'][0]}, {run['init']}"
            groups.setdefault(name, []).append(run["test_error"])
    return {name: mean_and_spread(errors) for name, errors in groups.items()}


def cost(task, args, n_rows):
    """Multiply-adds of a task, where those of an optimizer's step count as 30."""
    net, batch, n_fits = task.get("net", args.hidden_layer_sizes), BATCH, 1
    if "stage" in task or "recipe" in task or "contender" in task:
        epochs = args.epochs
        if "recipe" in task:
            epochs = epochs or RECIPES[task["recipe"]]["epochs"]
        if "contender" in task:
            n_rows = task["n_labels"]
            epochs, batch = BUDGETS[n_rows]["epochs"], FEW_BATCH
            share = 1 - 1 / N_FOLDS
            n_fits = len(FEW[task["contender"]]) * (1 + share * n_folds(n_rows))
            if "he_normal" in task["contender"]:
                net = args.control_layer_sizes
        per_weight = 3 * batch + 30
    else:
        epochs = args.pretrain_epochs
        per_weight = 5 * batch + 20
    weights = sum(a * b for a, b in pairwise([784, *net]))
    return n_fits * epochs * n_rows / batch * weights * per_weight


def estimate(costs, args, X, y):
    """Seconds of work, from a few updates."""
    probe = {"recipe": "plain", "seed": 0}
    rows = slice(0, 20 * BATCH)
    sizes = args.hidden_layer_sizes
    net = DBNClassifier(sizes, init="he_normal", max_iter=1, batch_size=BATCH)
    with threadpool_limits(args.threads):
        start = time.perf_counter()
        net.fit(X[rows], y[rows])
        seconds = time.perf_counter() - start
    once = argparse.Namespace(**{**vars(args), "epochs": 1})
    return sum(costs) * seconds / cost(probe, once, rows.stop) / args.jobs


def shared_options():
    """Options of every part; new ones for each, since parts change their defaults."""
    parser = argparse.ArgumentParser(add_help=False)
    add = parser.add_argument
    add("--data-home", help="folder of the IDX files; otherwise DBN_DATA, then OpenML")
    add("--output", type=path, help="default: benchmark-output/mnist-PART.json")
    add("--stacks", type=path, default=Path("benchmark-output/mnist-dbns"))
    add("--jobs", type=int, default=1, help="processes")
    add("--threads", type=int, default=1, help="BLAS threads of each")
    add("--pretrain-epochs", type=int, default=20, help="of each RBM")
    add("--hidden-layer-sizes", type=int, nargs="+", default=[500, 500, 2000])
    add("--validation", type=int, default=10_000, help="labelled validation rows")
    add("--rows", type=int, help="only the first training rows, for a quick look")
    return parser


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    part = parts.add_parser("full", parents=[shared_options()])
    part.add_argument(
        "--recipes", nargs="+", choices=RECIPES, default=["plain"], metavar="RECIPE"
    )
    part.add_argument("--seeds", type=int, nargs="+", default=[0])
    part.add_argument("--epochs", type=int, help="instead of the recipe's own")
    part = parts.add_parser("labels", parents=[shared_options()])
    add = part.add_argument
    add(
        "--labels", type=int, nargs="+", choices=BUDGETS, default=[100, 600, 1000, 3000]
    )
    add("--subsets", type=int, default=10)
    add("--n-stacks", type=int, default=5, help="DBNs, used by the subsets in turn")
    add("--control-layer-sizes", type=int, nargs="+", default=[500, 500, 2000])
    part.set_defaults(hidden_layer_sizes=[500] * 12, pretrain_epochs=10)
    part = parts.add_parser("deep", parents=[shared_options()])
    add = part.add_argument
    add("--depths", type=int, nargs="+", default=[5])
    add("--width", type=int, default=500)
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--epochs", type=int, default=15)
    add("--learning-rates", type=float, nargs="+", default=[0.0003, 0.001, 0.003])
    args = parser.parse_args(argv)
    args.output = args.output or Path(f"benchmark-output/mnist-{args.part}.json")
    args.epochs = getattr(args, "epochs", None)
    return args


def main(argv=None):
    args = parse_args(argv)
    settings = {key: getattr(args, key, None) for key in SHARED} | SETTINGS[args.part]
    summarize = partial(groups_of, args.part)
    try:
        data = load_dataset("mnist", data_home=args.data_home)
        args.stacks.mkdir(parents=True, exist_ok=True)
        args.output.parent.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(args.output, settings, summarize, args.threads)
    except (OSError, ValueError) as error:
        sys.exit(f"mnist: {error}")
    X, y = data.X[: args.rows], data.y[: args.rows]
    stacks, nets = tasks_of(args)
    stacks = [
        task
        for task in stacks
        if not stack_path(args, task["net"], task["seed"], len(X)).exists()
    ]
    finals = finals_of(args) if args.part == "deep" else []
    left = [task for task in [*nets, *finals] if not ledger.find(**task)]
    left += stacks
    costs = [cost(task, args, len(X)) for task in left]
    print(f"About {estimate(costs, args, X, y) / 60:.0f} minutes", flush=True)
    ledger.run(pretrain, stacks, args.jobs, args, X)
    rows = (args, X, y, data.X_test, data.y_test)
    function = {"full": full, "labels": labels, "deep": deep}[args.part]
    ledger.run(function, nets, args.jobs, *rows)
    finals = [
        task | {"learning_rate": chosen_rates(ledger, task["net"])[task["init"]]}
        for task in finals
    ]
    ledger.run(deep, finals, args.jobs, *rows)
    for name, found in groups_of(args.part, ledger.runs).items():
        spread = "" if found["std"] is None else f" +- {100 * found['std']:.2f}"
        print(f"{name}: {100 * found['mean']:.2f}{spread} % ({found['n']} runs)")


if __name__ == "__main__":
    main()
