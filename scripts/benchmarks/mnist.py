"""Records on MNIST: the classic net with all labels, with few, and deep logistic nets.

    mnist.py full      784-500-500-2000-10, all labels
    mnist.py labels    few labels, all images, a stack of 12 machines
    mnist.py held-out  one layer of 1024, a tenth of the labels held out to stop early
    mnist.py deep      many logistic layers, from five starts

Each is a comparison (`compare_initializers`) of the contenders below, and prints an
estimate of its time, a table and a verdict. Finished nets are kept in a folder with the
name of the output file: the same command goes on where it was stopped. DBNs are kept in
one place, so that every part that needs the DBN of a seed pretrains it once. Settings
that are not options were chosen on the last 10,000 training rows; the test rows are
used by final nets only.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from dbn import DBNClassifier, DBNTransformer, RBMTransformer
from dbn.evaluation import Comparison, Contender, compare_initializers, load_dataset
from dbn.training import Adam, Schedule, Sparsity

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import path

BATCH, FEW_BATCH = 100, 50

# "dropout" is that of the lower layers, as in BUDGETS; see `dropout_of`. "multiplier"
# scales the learning rate of all hidden layers, which begin pretrained.
RECIPES = {
    "plain": {"rate": 0.002, "decay": 0.1, "epochs": 20},
    "dropout": {"rate": 0.002, "decay": 0.05, "epochs": 100, "dropout": 0.3},
    "multipliers": {"rate": 0.006, "decay": 0.05, "epochs": 30, "dropout": 0.3}
    | {"multiplier": 0.3},
    "xavier": {"rate": 0.002, "decay": 0.1, "epochs": 20, "init": "xavier_x4_uniform"},
    "control": {"rate": 0.001, "decay": 0.2, "epochs": 100, "dropout": 0.3}
    | {"init": "he_normal", "activation": "relu"},
}
# With few labels: the values that are tried.
RATES, CS = (0.001, 0.003, 0.01), (0.1, 1.0, 10.0, 100.0)
# Labels: epochs of batches of 50, with a learning rate that falls to 5 % of its start;
# its multipliers in the DBN's lower layers, which keep more of it, and in the last one;
# dropout of the lower layers.
LOW = {"multipliers": (0.03, 0.1), "dropout": 0.0}
CHOSEN_ON = 10_000  # training rows with labels
BUDGETS = {
    50: {"epochs": 100, **LOW},
    100: {"epochs": 100, **LOW},
    600: {"epochs": 60, **LOW},
    1000: {"epochs": 40, **LOW},
    3000: {"epochs": 50, "multipliers": (0.1, 0.3), "dropout": 0.3},
    10_000: {"epochs": 40, "multipliers": (0.1, 0.3), "dropout": 0.3},
}
# Of the held-out part, as in a published run (README of yell/boltzmann-machines, where
# the rate also falls): multiplier of the pretrained layer's rate.
HELD_OUT = {
    100: {"epochs": 1000, "batch_size": 32, "fraction": 1 / 10, "multiplier": 0.01},
    1000: {"epochs": 100, "batch_size": 32, "fraction": 1 / 10, "multiplier": 0.01},
    10_000: {"epochs": 100, "batch_size": 128, "fraction": 1 / 10, "multiplier": 0.01},
    60_000: {"epochs": 100, "batch_size": 128, "fraction": 1 / 12, "multiplier": 0.1},
}
STARTS = ("xavier_uniform", "xavier_x4_uniform", "orthogonal", "lsuv", "dbn")


# --- contenders -----------------------------------------------------------------------


class Falling(Schedule):
    """A learning rate that falls to a share of its start, whatever that is."""

    kind, hold = "linear", 0

    def __init__(self, learning_rate, share, *, epochs):
        self.learning_rate = learning_rate
        self.share = share
        self.epochs = epochs

    @property
    def start(self):
        return self.learning_rate

    @property
    def end(self):
        return self.share * self.learning_rate


def net(
    name,
    sizes,
    rates,
    share,
    epochs,
    args,
    *,
    init="dbn",
    decay=0.0,
    labels=0,
    **options,
):
    """A net as a contender; `args` tell of its DBN, if that is its start.

    `labels` chose its settings.
    """
    model = DBNClassifier(
        sizes,
        init=init,
        rbm=machine(args) if init == "dbn" else None,
        optimizer=Adam(Falling(rates[0], share, epochs=epochs), decoupled_decay=decay),
        max_iter=epochs,
        **options,
    )
    grid = {"optimizer__learning_rate__learning_rate": rates}
    return Contender(name, model, grid, chosen_on=labels)


def machine(args):
    return RBMTransformer(sparsity=Sparsity(), max_iter=args.pretrain_epochs)


def dropout_of(sizes, lower):
    """Dropout of the inputs, of the lower hidden layers, and of the last one."""
    return (0.2, *[lower] * (len(sizes) - 1), 0.5)


def recipe(name, args):
    """One of `RECIPES`: the learning rate falls to 1 % of its start."""
    options, sizes = dict(RECIPES[name]), args.hidden_layer_sizes
    rate, epochs = options.pop("rate"), options.pop("epochs")
    if "dropout" in options:
        options["dropout"] = dropout_of(sizes, options["dropout"])
    if "multiplier" in options:
        hidden = [options.pop("multiplier")] * len(sizes)
        options["learning_rate_multipliers"] = (*hidden, 1.0)
    epochs = args.epochs or epochs
    return net(name, sizes, [rate], 0.01, epochs, args, batch_size=BATCH, **options)


def with_few_labels(n_labels, args):
    """The contenders with so many labels."""
    sizes, budget = args.hidden_layer_sizes, BUDGETS[n_labels]
    (low, last), n_low = budget["multipliers"], len(sizes) - 1
    common = RATES, 0.05, budget["epochs"], args
    dbn = net(
        "dbn",
        sizes,
        *common,
        batch_size=FEW_BATCH,
        labels=CHOSEN_ON,
        learning_rate_multipliers=(*[low] * n_low, last, 1.0),
        dropout=dropout_of(sizes, budget["dropout"]),
    )
    features = make_pipeline(
        DBNTransformer(sizes, rbm=machine(args)), LogisticRegression(max_iter=1000)
    )
    name = "dbn-features + logistic regression"
    grid = {"logisticregression__C": CS}
    line = Contender(name, features, grid, chosen_on=CHOSEN_ON)  # sparsity, that is
    control = net(
        "he_normal + relu + dropout",
        args.control_layer_sizes,
        *common,
        init="he_normal",
        activation="relu",
        batch_size=FEW_BATCH,
        labels=CHOSEN_ON,
        dropout=dropout_of(args.control_layer_sizes, 0.5),
    )
    return [dbn, control, line]


def held_out_nets(n_labels, args):
    """Nets that stop early, with settings that are not searched."""
    options = dict(HELD_OUT[n_labels])
    epochs, multiplier = options.pop("epochs"), options.pop("multiplier")
    sizes = args.hidden_layer_sizes
    options |= {
        "early_stopping": True,
        "validation_fraction": options.pop("fraction"),
        "n_iter_no_change": 12,
        "weight_decay": 2e-5,
    }

    def held_out(name, **others):
        rate_stays = 1.0
        return net(name, sizes, [0.001], rate_stays, epochs, args, **options, **others)

    multipliers = (*[multiplier] * len(sizes), 1.0)
    control = {"activation": "relu", "dropout": dropout_of(sizes, 0.5)}
    return [
        held_out("dbn", learning_rate_multipliers=multipliers, labels=CHOSEN_ON),
        held_out("xavier_uniform", init="xavier_uniform"),
        held_out("he_normal + relu + dropout", init="he_normal", **control),
    ]


# --- studies: name, contenders, labels ------------------------------------------------


def full(args, y):
    """One study of recipes."""
    contenders = [recipe(name, args) for name in args.recipes]
    yield "-".join(args.recipes), contenders, [len(y)]


def labels(args, y):
    """A study for each number of labels."""
    for n in args.labels:
        yield f"{n}-labels-{args.tune}", with_few_labels(n, args), subsets(y, n, args)


def held_out(args, y):
    """A study for each number of labels, all of them included."""
    for n in args.labels:
        rows = [len(y)] if n >= len(y) else subsets(y, n, args)
        yield f"{n}-labels", held_out_nets(n, args), rows


def subsets(y, n_labels, args):
    """Rows of each subset, for more than are used now: --subsets may grow."""
    each = range(max(args.n_seeds, 20))
    return {n_labels: [labelled_rows(y, n_labels, subset) for subset in each]}


def labelled_rows(y, n_labels, subset):
    """As many rows of every class."""
    rng = np.random.default_rng(subset)
    classes = np.unique(y)
    each = n_labels // len(classes)
    return np.concatenate(
        [rng.choice(np.flatnonzero(y == k), each, replace=False) for k in classes]
    )


def deep(args, y):
    """A study for each depth."""
    for depth in args.depths:
        common = (args.width,) * depth, args.learning_rates, 0.01, args.epochs, args
        nets = [net(s, *common, init=s, batch_size=BATCH) for s in STARTS]
        yield f"{depth}-layers", nets, [len(y)]


PARTS = {"full": full, "labels": labels, "held-out": held_out, "deep": deep}
CHOSEN = {
    "full": {"recipes": RECIPES},
    "labels": {"budgets": BUDGETS},
    "held-out": {"budgets": HELD_OUT},
    "deep": {},
}


def run(args):
    """The studies of a part, as one comparison."""
    data = load_dataset("mnist", data_home=args.data_home)
    X, y = data.X[: args.rows], data.y[: args.rows]
    results = []
    for name, contenders, label_budgets in PARTS[args.part](args, y):
        print(name, file=sys.stderr)
        nets = [c for c in contenders if isinstance(c.estimator, DBNClassifier)]
        net, (n_labels,) = nets[0].estimator, label_budgets
        epochs = max(contender.estimator.max_iter for contender in nets)
        rates = {rate for contender in nets for rate in contender.values}
        results.append(
            compare_initializers(
                X,
                y,
                X_test=data.X_test,
                y_test=data.y_test,
                inits=contenders,
                controls=None,
                hidden_layer_sizes=[net.hidden_layer_sizes],
                label_budgets=label_budgets,
                n_seeds=args.n_seeds,
                learning_rates=sorted(rates),
                tune=args.tune,
                n_updates=epochs * math.ceil(n_labels / net.batch_size),
                pretrain_updates=args.pretrain_epochs * math.ceil(len(y) / BATCH),
                batch_size=net.batch_size,
                n_jobs=args.jobs,
                folder=args.output.with_suffix("") / name,
                dbn_folder=args.stacks / f"{len(y)}-rows",
                verbose=1,
                name=data.name,
            )
        )
    result = merged(results)
    result.settings |= {"part": args.part, **CHOSEN[args.part]}
    return result


def merged(results):
    """One comparison of all; a setting in which they differ is a list."""
    settings = {}
    for key in results[0].settings:
        values = [result.settings[key] for result in results]
        same = all(value == values[0] for value in values)
        settings[key] = values[0] if same else values
    return Comparison(settings, [r for result in results for r in result.records])


# --- command lines --------------------------------------------------------------------


def shared_options():
    """Options of every part; new ones for each, since parts change their defaults."""
    parser = argparse.ArgumentParser(add_help=False)
    add = parser.add_argument
    add("--data-home", help="folder of the IDX files; otherwise DBN_DATA, then OpenML")
    add("--output", type=path, help="default: benchmark-output/mnist-PART.json")
    add("--stacks", type=path, default=Path("benchmark-output/mnist-dbns"))
    add("--jobs", type=int, default=1, help="processes")
    add("--pretrain-epochs", type=int, default=20, help="of each RBM")
    add("--hidden-layer-sizes", type=int, nargs="+", default=[500, 500, 2000])
    add("--rows", type=int, help="only the first training rows, for a quick look")
    parser.set_defaults(tune="strict")
    return parser


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    part = parts.add_parser("full", parents=[shared_options()])
    add = part.add_argument
    add(
        "--recipes",
        nargs="+",
        choices=RECIPES,
        default=["plain", "xavier"],
        metavar="RECIPE",
        help="from a DBN: plain, dropout, multipliers; from others: xavier, control",
    )
    add("--seeds", type=int, nargs="+", default=[0, 1], help="0 1 2 and so on")
    add("--epochs", type=int, help="instead of the recipe's own")
    part = parts.add_parser("labels", parents=[shared_options()])
    add = part.add_argument
    add(
        "--labels", type=int, nargs="+", choices=BUDGETS, default=[100, 600, 1000, 3000]
    )
    add("--subsets", type=int, default=10, help="of labelled rows, each with its DBN")
    add(
        "--tune",
        choices=["strict", "literature"],
        help="validation rows: inside the labels, or 10,000 others with their labels",
    )
    add("--control-layer-sizes", type=int, nargs="+", default=[500, 500, 2000])
    part.set_defaults(hidden_layer_sizes=[500] * 12, pretrain_epochs=10)
    part = parts.add_parser("held-out", parents=[shared_options()])
    add = part.add_argument
    add("--labels", type=int, nargs="+", choices=HELD_OUT, default=[*HELD_OUT])
    add("--subsets", type=int, default=10, help="of labelled rows, each with its DBN")
    part.set_defaults(hidden_layer_sizes=[1024])
    part = parts.add_parser("deep", parents=[shared_options()])
    add = part.add_argument
    add("--depths", type=int, nargs="+", default=[5])
    add("--width", type=int, default=500)
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="0 1 2 and so on")
    add("--epochs", type=int, default=15)
    add("--learning-rates", type=float, nargs="+", default=[0.0003, 0.001, 0.003])
    args = parser.parse_args(argv)
    args.seeds = getattr(args, "seeds", [*range(getattr(args, "subsets", 0))])
    args.n_seeds = len(args.seeds)
    if args.seeds != [*range(args.n_seeds)]:
        parser.error(f"--seeds are 0, 1, 2 and so on; they are {args.seeds}")
    args.output = args.output or Path(f"benchmark-output/mnist-{args.part}.json")
    for name in ("hidden_layer_sizes", "control_layer_sizes"):
        setattr(args, name, tuple(getattr(args, name, ())))
    return args


def main(argv=None):
    args = parse_args(argv)
    try:
        result = run(args)
        result.to_json(args.output)
    except KeyboardInterrupt:
        sys.exit("\nmnist: stopped. The same command goes on.")
    except (OSError, ValueError, RuntimeError, ArithmeticError) as error:
        sys.exit(" ".join([f"mnist: {error}", *getattr(error, "__notes__", [])]))
    print(f"{result.table()}\n\n{result.verdict()}")


if __name__ == "__main__":
    main()
