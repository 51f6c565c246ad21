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
from mnist_nets import (
    BATCH,
    BUDGETS,
    HELD_OUT,
    RECIPES,
    held_out_nets,
    net,
    recipe,
    with_few_labels,
)

from dbn import DBNClassifier
from dbn.evaluation import Comparison, compare_initializers, load_dataset

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import path, prepare_file

STARTS = ("xavier_uniform", "xavier_x4_uniform", "orthogonal", "lsuv", "dbn")


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
    """One comparison of all; a setting in which they differ is a list.

    Those with all labels have some settings less.
    """
    settings = {}
    for key in dict.fromkeys(key for result in results for key in result.settings):
        values = [result.settings.get(key) for result in results]
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


def add_part_with_labels(parts, name, budgets, default):
    """A part with some numbers of labels, and subsets of rows with one."""
    part = parts.add_parser(name, parents=[shared_options()])
    add = part.add_argument
    add("--labels", type=int, nargs="+", choices=budgets, default=default)
    add("--subsets", type=int, default=10, help="of labelled rows, each with its DBN")
    return part


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
    part = add_part_with_labels(parts, "labels", BUDGETS, [100, 600, 1000, 3000])
    add = part.add_argument
    add(
        "--tune",
        choices=["strict", "literature"],
        help="validation rows: inside the labels, or 10,000 others with their labels",
    )
    add("--control-layer-sizes", type=int, nargs="+", default=[500, 500, 2000])
    part.set_defaults(hidden_layer_sizes=[500] * 12, pretrain_epochs=10)
    part = add_part_with_labels(parts, "held-out", HELD_OUT, [*HELD_OUT])
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
        prepare_file(args.output)
        result = run(args)
        result.to_json(args.output)
    except KeyboardInterrupt:
        sys.exit("\nmnist: stopped. The same command goes on.")
    except (OSError, ValueError, RuntimeError, ArithmeticError) as error:
        sys.exit(" ".join([f"mnist: {error}", *getattr(error, "__notes__", [])]))
    print(f"{result.table()}\n\n{result.verdict()}")


if __name__ == "__main__":
    main()
