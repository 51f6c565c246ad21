"""Pretrain an RBM or a deep belief network without labels.

Writes the model (`load_model` reads it, `sample.py` and other scripts too), the history
of every epoch, and pictures of filters, samples and the history. To train in several
processes: torchrun --standalone --nproc_per_node=2 scripts/pretrain.py --distributed.
Numbers marked * may be a schedule: 0:0.1,20:0.01.
"""

from functools import partial
from pathlib import Path

from data_options import DATA_OPTIONS, load, parse, path, positive, run, share, sizes
from pictures import IMAGE_SHAPE, check_image_shape, draw_rows
from training import TRAINING_OPTIONS, fit, write_history, write_model

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


OPTIONS = (
    DATA_OPTIONS
    | TRAINING_OPTIONS
    | {
        "--output": {
            "type": path,
            "default": Path("pretrained"),
            "help": "folder to write to",
        },
        "--layers": {"type": sizes, "default": "256", "help": "units, as 500,500,2000"},
        "--visible": {"type": units, "default": "auto", "help": units.__doc__},
        "--hidden": {
            "type": units,
            "default": "bernoulli",
            "help": "likewise, in all layers",
        },
        "--sampler": {"choices": ["cd", "pcd", "fpcd", "pt"], "default": "cd"},
        "--k": {"type": numbers, "default": 1, "help": "Gibbs steps per update *"},
        "--sample-visible": {
            "action": "store_true",
            "help": "sample, not means",
            "needs": {"--sampler": ["cd"]},
        },
        "--chains": {
            "type": positive,
            "default": 100,
            "needs": {"--sampler": ["pcd", "fpcd", "pt"]},
        },
        "--temperatures": {
            "type": int,
            "default": 10,
            "needs": {"--sampler": ["pt"]},
        },
        "--fast-learning-rate": {
            "type": float,
            "default": 0.05,
            "needs": {"--sampler": ["fpcd"]},
        },
        "--optimizer": {
            "choices": ["sgd", "adam"],
            "default": "sgd",
            "needs": {"--learning-rate": ()},
        },
        "--learning-rate": {"type": numbers, "help": "* default: the estimator's"},
        "--final-learning-rate": {
            "type": float,
            "help": "fall to it, from --hold on",
            "needs": {"--learning-rate": ()},
        },
        "--schedule": {
            "default": "linear",
            "help": "linear, cosine, exponential or inverse",
            "needs": {"--final-learning-rate": ()},
        },
        "--hold": {
            "type": int,
            "default": 0,
            "help": "epochs before the learning rate falls",
            "needs": {"--final-learning-rate": ()},
        },
        "--momentum": {
            "type": numbers,
            "default": ((0, 0.5), (5, 0.9)),
            "help": "*",
            "needs": {"--learning-rate": (), "--optimizer": ["sgd"]},
        },
        "--centering": {"action": "store_true"},
        "--weight-decay": {"type": float, "default": 2e-4},
        "--l1": {"type": float, "default": 0.0},
        "--sparsity": {"type": float, "help": "target of the mean hidden activity"},
        "--sparsity-cost": {
            "type": float,
            "default": 0.1,
            "needs": {"--sparsity": ()},
        },
        "--image-shape": IMAGE_SHAPE,
        "--validation": {
            "type": share,
            "default": 0.1,
            "help": "share of rows only watched, where the data have none for it",
        },
    }
)


def make_sampler(args):
    chains = {"n_chains": args.chains}
    return {
        "cd": CD(args.k, sample_visible=args.sample_visible),
        "pcd": PCD(args.k, **chains),
        "fpcd": FPCD(args.k, **chains, fast_learning_rate=args.fast_learning_rate),
        "pt": ParallelTempering(args.k, **chains, n_betas=args.temperatures),
    }[args.sampler]


def make_optimizer(args):
    rate, final = args.learning_rate, args.final_learning_rate
    if rate is None:
        return None
    if final is not None:
        rate = Schedule(rate, final, kind=args.schedule, hold=args.hold)
    return SGD(rate, args.momentum) if args.optimizer == "sgd" else Adam(rate)


def make_model(args):
    target = args.sparsity
    rbm = RBMTransformer(
        args.layers[0],
        visible=args.visible,
        hidden=args.hidden,
        sampler=make_sampler(args),
        optimizer=make_optimizer(args),
        centering=args.centering,
        weight_decay=args.weight_decay,
        l1=args.l1,
        sparsity=None if target is None else Sparsity(target, cost=args.sparsity_cost),
        batch_size=args.batch_size,
        max_iter=args.epochs,
        on_divergence=args.on_divergence,
    )
    common = {"random_state": args.seed, "device": args.device, "verbose": 1}
    if len(args.layers) == 1:
        return rbm.set_params(**common)
    return DBNTransformer(args.layers, rbm=rbm, **common)


def split(data, args):
    """Training rows, with and without labels, and, to watch, validation rows."""
    X = data.all_rows()[: args.rows]
    if data.X_valid is not None:
        if "--validation" in args.given:
            raise ValueError(
                f"--validation does nothing: {data.name!r} has rows to watch, X_valid. "
                "Leave it away."
            )
        return X, data.X_valid
    n_valid = int(args.validation * X.shape[0])
    return (X[:-n_valid], X[-n_valid:]) if n_valid else (X, None)


def draw(model, args):
    """Pictures of the history, and, where rows are images, of filters and samples."""
    history = HistoryDisplay.from_estimator(model).plot()
    history.figure_.savefig(args.output / "history.png")
    options = {"image_shape": args.image_shape}
    draw_filters = partial(FiltersDisplay.from_estimator, model, **options)
    options["random_state"] = args.seed
    draw_samples = partial(SamplesDisplay.from_estimator, model, **options)
    draw_rows(
        {
            args.output / "filters.png": draw_filters,
            args.output / "samples.png": draw_samples,
        }
    )


def main():
    args = parse(__doc__, OPTIONS)
    require_matplotlib()
    model = make_model(args)
    data = load(args)
    # Without the rows that finetune.py tests on.
    X, X_val = split(data.with_test(args.seed), args)
    check_image_shape(args.image_shape, X.shape[1])
    workers, seconds = fit(model, args, [X], data.summary(), RBMMonitor(X_val))
    if workers.rank == 0:
        write_model(model, args, data.columns)
        write_history(model, args, workers, seconds, [X], rows=X.shape[0])
        draw(model, args)
        print(f"{seconds:.0f} s; wrote {args.output}/")


if __name__ == "__main__":
    run(main)
