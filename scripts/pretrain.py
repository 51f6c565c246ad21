"""Pretrain an RBM or a deep belief network without labels.

Writes the model (`load_model` reads it, `sample.py` and other scripts too), the history
of every epoch, and pictures of filters, samples and the history. To train in several
processes: torchrun --standalone --nproc_per_node=2 scripts/pretrain.py --distributed.
"""

import argparse
import sys

from data_options import add_data_options, load, run, sizes
from training import add_training_options, fit, write

from dbn import DBNTransformer, RBMTransformer
from dbn.boltzmann import CD, FPCD, PCD, Gaussian, ParallelTempering, ReLU, Softmax
from dbn.evaluation import FiltersDisplay, HistoryDisplay, SamplesDisplay
from dbn.evaluation.plots.display import require_matplotlib
from dbn.training import SGD, Adam, RBMMonitor, Schedule, Sparsity


def numbers(text):
    """A number, or a schedule written as 0:1,20:5 (1, and 5 from epoch 20 on)."""
    if ":" not in text:
        return number(text)
    pairs = (part.split(":") for part in text.split(","))
    return tuple((int(epoch), number(value)) for epoch, value in pairs)


def number(text):
    return float(text) if set(text) & set(".e") else int(text)


def units(text):
    """bernoulli, gaussian, relu, auto, learned-variance, noisy-relu or softmax:21."""
    if text.startswith("softmax:"):
        return Softmax(int(text.removeprefix("softmax:")))
    special = {
        "learned-variance": Gaussian(learn_variance=True),
        "noisy-relu": ReLU(noisy=True),
    }
    return special.get(text, text)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog="Numbers marked * may be a schedule: 0:0.1,20:0.01.",
    )
    add = parser.add_argument
    add_data_options(add)
    add_training_options(add, epochs=10, output="pretrained")
    layers = "numbers of hidden units, as 500,500,2000"
    add("--layers", type=sizes, default="256", help=layers)
    add("--visible", type=units, default="auto", help=units.__doc__)
    add("--hidden", type=units, default="bernoulli", help="likewise, in all layers")
    add("--sampler", choices=["cd", "pcd", "fpcd", "pt"], default="cd")
    add("--k", type=numbers, default=1, help="Gibbs steps per update *")
    add("--sample-visible", action="store_true", help="cd: sample, not means")
    add("--chains", type=int, default=100, help="of pcd, fpcd, pt")
    add("--temperatures", type=int, default=10, help="of pt")
    add("--fast-learning-rate", type=float, default=0.05, help="of fpcd")
    add("--optimizer", choices=["sgd", "adam"], default="sgd")
    add("--learning-rate", type=numbers, help="* default: the estimator's")
    add("--final-learning-rate", type=float, help="fall to it, from --hold on")
    add("--schedule", default="linear", help="linear, cosine, exponential or inverse")
    add("--hold", type=int, default=0, help="epochs before the learning rate falls")
    add("--momentum", type=numbers, default=((0, 0.5), (5, 0.9)), help="of sgd *")
    add("--centering", action="store_true")
    add("--weight-decay", type=float, default=2e-4)
    add("--l1", type=float, default=0.0)
    add("--sparsity", type=float, help="target of the mean hidden activity")
    add("--sparsity-cost", type=float, default=0.1)
    add("--image-shape", type=int, nargs=2, help="of the pictures, as 28 28")
    add("--validation", type=float, default=0.1, help="share of rows only watched")
    return parser.parse_args()


def make_sampler(args):
    if args.sampler == "cd":
        return CD(args.k, sample_visible=args.sample_visible)
    if args.sampler == "pcd":
        return PCD(args.k, n_chains=args.chains)
    if args.sampler == "fpcd":
        rate = args.fast_learning_rate
        return FPCD(args.k, n_chains=args.chains, fast_learning_rate=rate)
    return ParallelTempering(args.k, n_chains=args.chains, n_betas=args.temperatures)


def make_optimizer(args):
    rate = args.learning_rate
    if rate is None:
        if args.final_learning_rate is not None:
            raise ValueError("--final-learning-rate needs a --learning-rate to start.")
        return None
    if args.final_learning_rate is not None:
        options = {"epochs": args.epochs, "kind": args.schedule, "hold": args.hold}
        rate = Schedule(rate, args.final_learning_rate, **options)
    return SGD(rate, args.momentum) if args.optimizer == "sgd" else Adam(rate)


def make_model(args):
    layers = args.layers
    sparsity = args.sparsity
    if sparsity is not None:
        sparsity = Sparsity(sparsity, cost=args.sparsity_cost)
    rbm = RBMTransformer(
        layers[0],
        visible=args.visible,
        hidden=args.hidden,
        sampler=make_sampler(args),
        optimizer=make_optimizer(args),
        centering=args.centering,
        weight_decay=args.weight_decay,
        l1=args.l1,
        sparsity=sparsity,
        batch_size=args.batch_size,
        max_iter=args.epochs,
        on_divergence=args.on_divergence,
    )
    common = {"random_state": args.seed, "device": args.device, "verbose": 1}
    if len(layers) == 1:
        return rbm.set_params(**common)
    return DBNTransformer(layers, rbm=rbm, **common)


def split(data, args):
    """Training rows, with and without labels, and, to watch, validation rows."""
    X = data.all_rows()[: args.rows]
    if data.X_valid is not None:
        return X, data.X_valid
    n_valid = int(args.validation * X.shape[0])
    return (X[:-n_valid], X[-n_valid:]) if n_valid else (X, None)


def draw(model, args):
    """Pictures of the history, and, where rows are images, of filters and samples."""
    history = HistoryDisplay.from_estimator(model).plot().figure_
    history.savefig(args.output / "history.png")
    options = {"image_shape": args.image_shape and tuple(args.image_shape)}
    try:
        filters = FiltersDisplay.from_estimator(model, **options)
        samples = SamplesDisplay.from_estimator(
            model, **options, random_state=args.seed
        )
    except ValueError as error:  # rows that are no images
        sys.stderr.write(f"pretrain: no pictures of filters and samples: {error}\n")
    else:
        filters.figure_.savefig(args.output / "filters.png", dpi=150)
        samples.figure_.savefig(args.output / "samples.png", dpi=150)


def main():
    args = parse_args()
    require_matplotlib()
    model = make_model(args)
    data = load(args)
    # Without the rows that finetune.py tests on.
    X, X_val = split(data.with_test(args.seed), args)
    workers, seconds = fit(model, args, [X], data, RBMMonitor(X_val))
    if workers.rank == 0:
        write(model, args, workers, seconds, rows=X.shape[0])
        draw(model, args)
        print(f"{seconds:.0f} s; wrote {args.output}/")


if __name__ == "__main__":
    run(main)
