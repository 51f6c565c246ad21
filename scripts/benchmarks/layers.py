"""What the layers of a deep net do before and while it learns, on real images.

Follows Glorot and Bengio (2010), "Understanding the difficulty of training deep
feedforward neural networks": tanh nets from their "standard" and from their normalized
(Xavier) start, and a logistic net, whose top layer shuts. Draws their figures 2, 3, 6
and 7 from `layer_statistics` and prints what they give as numbers beside the paper's.
"""

import sys
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from dbn import DBNClassifier
from dbn.evaluation import (
    LayerStatisticsDisplay,
    layer_statistics,
    provenance,
)
from dbn.evaluation.plots.display import require_matplotlib
from dbn.training import SGD

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import (
    DATA_OPTIONS,
    load,
    parse,
    path,
    prepare_folder,
    require_classes,
    run,
    write_json,
)

NETS = {
    "tanh, standard": ("tanh", "standard"),
    "tanh, normalized": ("tanh", "xavier_uniform"),
    "logistic, standard": ("logistic", "standard"),
}
FIGURES = {
    "figure-2": ("logistic, standard", "activation_mean"),
    "figure-3": ("tanh, standard", "activation_std"),
    "figure-6-standard": ("tanh, standard", "activation_histograms"),
    "figure-6-normalized": ("tanh, normalized", "activation_histograms"),
    "figure-7-standard": ("tanh, standard", "gradient_histograms"),
    "figure-7-normalized": ("tanh, normalized", "gradient_histograms"),
}
# Section 4.2.1 of the paper, at the start.
PAPER = {"tanh, standard": 0.5, "tanh, normalized": 0.8}


def follow(name, args, data):
    """Statistics of a net at its start and after every epoch."""
    activation, init = NETS[name]
    X, y, held_out = data.X, data.y, (data.X_test, data.y_test)
    if data.X_test is None:
        X, y, held_out = X[300:], y[300:], (X, y)
    X, y, held_out = X[: args.rows], y[: args.rows], [a[:300] for a in held_out]
    net = DBNClassifier(
        (args.width,) * args.depth,
        init=init,
        activation=activation,
        optimizer=SGD(args.learning_rate, momentum=0.0),
        batch_size=10,
        # The first pass moves nothing.
        learning_rate_multipliers=[0] * (args.depth + 1),
        random_state=args.seed,
    )
    net.partial_fit(X[:1000], y[:1000], classes=np.unique(y))
    found = [layer_statistics(net, *held_out, n_jacobians=2)]
    net.set_params(learning_rate_multipliers=None)
    for _ in range(args.epochs):
        before = net.network_
        net.partial_fit(X, y)
        found.append(layer_statistics(net, *held_out, previous=before, n_jacobians=0))
    return found


def figures_of(found):
    """The numbers of a net, layer by layer."""
    start, end = found[0], found[-1]
    return {
        "start": {
            "activation_std": rounded(start.activation_std),
            "gradient_std": rounded(start.gradient_std),
            "top_to_bottom_gradient_std": rounded(
                start.gradient_std[-1] / start.gradient_std[0]
            ),
            "weight_gradient_norm": rounded(start.weight_gradient_norm),
            "singular_value": rounded(start.singular_value),
            "mean_singular_value": rounded(np.mean(start.singular_value[1:])),
        },
        "end": {
            "activation_mean": rounded(end.activation_mean),
            "activation_std": rounded(end.activation_std),
            "saturation": rounded(end.saturation),
        },
    }


def rounded(values):
    """Three digits, as plain numbers."""
    digits = np.vectorize(lambda value: float(f"{value:.3g}"))
    return digits(values).tolist()


def draw(found, folder):
    plt = require_matplotlib()
    for name, (net, quantity) in FIGURES.items():
        display = LayerStatisticsDisplay.from_statistics(
            found[net][:1] if quantity.endswith("histograms") else found[net],
            quantity=quantity,
        )
        display.ax_.set_title(net, fontsize="medium", loc="left")
        display.figure_.savefig(folder / f"{name}.png", dpi=150)
        plt.close(display.figure_)


OPTIONS = (
    DATA_OPTIONS
    | {"--dataset": DATA_OPTIONS["--dataset"] | {"default": "mnist"}}
    | {
        "--depth": {"type": int, "default": 5, "help": "hidden layers"},
        "--width": {"type": int, "default": 1000},
        "--rows": {"type": int, "default": 10_000, "help": "training rows"},
        "--epochs": {"type": int, "default": 5},
        "--learning-rate": {"type": float, "default": 0.01},
        "--seed": {"type": int, "default": 0},
        "--threads": {"type": int, "default": 1, "help": "BLAS threads"},
        "--output": {"type": path, "default": Path("layers"), "help": "folder"},
    }
)


def main():
    args = parse(__doc__, OPTIONS)
    prepare_folder(args.output)
    data = load(args)
    require_classes(data)
    require_matplotlib()
    print(data.summary(), flush=True)
    with threadpool_limits(args.threads):
        found = {name: follow(name, args, data) for name in NETS}
        origin = provenance(data.X, data.y)
    draw(found, args.output)
    nets = {name: figures_of(statistics) for name, statistics in found.items()}
    for name, value in PAPER.items():
        own = nets[name]["start"]
        print(
            f"{name}: mean singular value {own['mean_singular_value']} (paper {value}),"
            f" gradients of the top layer {own['top_to_bottom_gradient_std']} times "
            "those of the lowest"
        )
    record = {
        "dataset": data.name,
        "net": f"{args.depth} x {args.width}",
        "paper": {"mean_singular_value": PAPER},
        "nets": nets,
        "seed": args.seed,
        **origin,
    }
    write_json(args.output / "layers.json", record)


if __name__ == "__main__":
    run(main)
