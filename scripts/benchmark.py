"""Does pretraining a deep belief network help, compared with Xavier and He?

Trains the same nets from several starts on real images, over seeds and label budgets,
and writes a table, a verdict, results.json and comparison.png.
"""

import argparse
import sys
import time
from pathlib import Path

from dbn.evaluation import ComparisonDisplay, compare_initializers, load_dataset
from dbn.evaluation.benchmark import INITS
from dbn.evaluation.displays import require_matplotlib


def sizes(text):
    return tuple(int(n) for n in text.split(","))


def contender(text):
    init, _, activation = text.partition(":")
    return init, activation or "logistic"


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add(
        "--dataset",
        default="digits",
        help="digits, mnist, fashion-mnist, or the path of an .npz file (arrays X, y) "
        "or a .csv file (label in the last column)",
    )
    add("--data-home", help="folder with IDX files; otherwise DBN_DATA, then OpenML")
    add("--output", type=Path, default=Path("benchmark-output"), help="output folder")
    add(
        "--inits",
        nargs="+",
        type=contender,
        default=[f"{init}:{activation}" for init, activation in INITS],
        help="starts, each as init:activation",
    )
    add(
        "--hidden-layer-sizes",
        nargs="+",
        type=sizes,
        default=["128,128", "128,128,128,128"],
        help="networks, each as sizes with commas",
    )
    add("--labels", nargs="+", type=int, default=[100, 1000], help="label budgets")
    add("--seeds", type=int, default=8, help="number of seeds")
    add("--learning-rates", nargs="+", type=float, default=[0.001, 0.003, 0.01])
    add("--updates", type=int, default=1000, help="updates of fine-tuning")
    add("--pretrain-updates", type=int, default=3000, help="updates of each RBM")
    add("--batch-size", type=int, default=20)
    add("--jobs", type=int, default=-1, help="processes; -1 for all cores")
    args = parser.parse_args(argv)
    # argparse leaves defaults that are lists as they are.
    args.inits = [contender(i) if isinstance(i, str) else i for i in args.inits]
    args.hidden_layer_sizes = [
        sizes(s) if isinstance(s, str) else s for s in args.hidden_layer_sizes
    ]
    return args


def main(argv=None):
    args = parse_args(argv)
    start = time.perf_counter()
    try:
        require_matplotlib()
        args.output.mkdir(parents=True, exist_ok=True)
        data = load_dataset(args.dataset, data_home=args.data_home)
        result = compare_initializers(
            data.X,
            data.y,
            X_test=data.X_test,
            y_test=data.y_test,
            inits=args.inits,
            hidden_layer_sizes=args.hidden_layer_sizes,
            label_budgets=args.labels,
            n_seeds=args.seeds,
            learning_rates=args.learning_rates,
            n_updates=args.updates,
            pretrain_updates=args.pretrain_updates,
            batch_size=args.batch_size,
            n_jobs=args.jobs,
            verbose=1,
            name=data.name,
        )
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"benchmark: {error}")
    result.settings["seconds"] = round(time.perf_counter() - start, 1)
    result.to_json(args.output / "results.json")
    ComparisonDisplay.from_results(result).figure_.savefig(
        args.output / "comparison.png", dpi=150
    )
    print(f"\n{result.table()}\n\n{result.verdict()}\n")
    print(
        f"{result.settings['seconds']} s. Wrote results.json and comparison.png to "
        f"{args.output}/"
    )


if __name__ == "__main__":
    main()
