"""What it is about pretraining that helps: the same comparison with parts taken away.

A net of 784-500-500-10 and 600 labels of MNIST. Beside the DBN, pretrained on all
images, stand

    shuffled, resampled     its weights in a random order, or drawn from their values:
                            only their size is kept (Erhan et al. 2010, section 6.1)
    labelled rows only      a DBN that never sees another image, trained for as many
                            updates
    no updates              the weights that its pretraining begins with
    a third of the updates, four times the updates
                            of pretraining
    Xavier x 4              a random start of logistic layers

All choose their learning rate from the same grid inside the labels. Finished nets are
kept in a folder with the name of the output file: the same command goes on where it was
stopped.
"""

import sys
from math import ceil
from pathlib import Path

from sklearn.pipeline import Pipeline

from dbn import DBNClassifier, RBMTransformer
from dbn.evaluation import Contender, compare_initializers, load_dataset
from dbn.feedforward import Normal
from dbn.training import Adam

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import JOBS, parse, path, prepare_file, run

NAMED = ("dbn", "dbn-shuffled", "dbn-resampled", "xavier_x4_uniform")
BATCH = 50
OPTIONS = {
    "--dataset": {"default": "mnist", "help": "by name"},
    "--data-home": {"help": "folder of the named data sets; otherwise DBN_DATA"},
    "--labels": {"type": int, "default": 600},
    "--seeds": {"type": int, "default": 5},
    "--updates": {"type": int, "default": 500, "help": "of fine-tuning"},
    "--pretrain-updates": {"type": int, "default": 3000, "help": "of each machine"},
    "--sparsity": {"type": float, "default": 0.1, "help": "of hidden units"},
    "--width": {"type": int, "default": 500, "help": "of both hidden layers"},
    "--learning-rates": {
        "nargs": "+",
        "type": float,
        "default": [0.001, 0.003, 0.01, 0.03],
    },
    "--jobs": JOBS,
    "--output": {
        "type": path,
        "default": Path("benchmark-output/ablations.json"),
        "help": "JSON record to write",
    },
}


def epochs(updates, n_rows):
    """Whole epochs that make at least so many updates."""
    return ceil(updates / ceil(n_rows / BATCH))


def changed(args, n_train):
    """DBNs that are pretrained in another way, and what pretraining begins with."""
    rate, here = "optimizer__learning_rate", ("rows", "passthrough")
    # A DBN behind another step is trained in the fit, on the rows of the fit.
    labelled = Pipeline([here, ("net", net(args, "dbn", args.labels))])
    grids = {rate: args.learning_rates}, {f"net__{rate}": args.learning_rates}
    return [
        Contender("labelled rows only", labelled, grids[1]),
        Contender("no updates", net(args, Normal(0.01), n_train), grids[0]),
        Contender("a third of the updates", net(args, "dbn", n_train, 1 / 3), grids[0]),
        Contender("four times the updates", net(args, "dbn", n_train, 4), grids[0]),
    ]


def net(args, init, n_rows, times=1.0):
    """The net of the comparison, pretrained on so many rows."""
    rbm = machine(args, max_iter=epochs(times * args.pretrain_updates, n_rows))
    return DBNClassifier(
        (args.width, args.width),
        init=init,
        rbm=rbm,
        optimizer=Adam(),
        batch_size=BATCH,
        max_iter=epochs(args.updates, args.labels),
        tol=0.0,
    )


def machine(args, **options):
    return RBMTransformer(sparsity=args.sparsity, batch_size=BATCH, **options)


def main():
    args = parse(__doc__, OPTIONS)
    prepare_file(args.output)
    data = load_dataset(args.dataset, data_home=args.data_home)
    if not 0 < args.labels <= len(data.y):
        raise ValueError(
            f"--labels is {args.labels}; of {len(data.y)} rows give 1 or more."
        )
    n_test = 0 if data.X_test is not None else ceil(0.3 * len(data.y))
    named = [(init, "logistic") for init in NAMED]
    result = compare_initializers(
        data.X,
        data.y,
        X_test=data.X_test,
        y_test=data.y_test,
        inits=[*named, *changed(args, len(data.y) - n_test)],
        controls=None,
        hidden_layer_sizes=[(args.width, args.width)],
        label_budgets=[args.labels],
        n_seeds=args.seeds,
        learning_rates=args.learning_rates,
        rbm=machine(args),
        n_updates=args.updates,
        pretrain_updates=args.pretrain_updates,
        batch_size=BATCH,
        n_jobs=args.jobs,
        folder=args.output.with_suffix(""),
        verbose=1,
        name=f"{args.dataset}, ablations",
    )
    result.to_json(args.output)
    print(f"{result.table()}\n\n{result.verdict()}")


if __name__ == "__main__":
    run(main)
