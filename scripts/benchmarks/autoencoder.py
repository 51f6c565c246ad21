"""Records of deep autoencoders: how well each start gives back rows it has not seen.

    autoencoder.py digits    64-128-64-32-8, the digits of scikit-learn
    autoencoder.py mnist     784-1000-500-250-30
    autoencoder.py curves    784-400-200-100-50-25-6, curves that six numbers tell of
    autoencoder.py codes     digits of MNIST classified by their codes, with few labels

Each is a comparison (`compare_initializers`), prints an estimate of its time first, and
then a table and a verdict. Errors are squared errors of a row, PCA with as many
components as the code has units stands beside them. Learning rates fall to 0; where
they start is chosen on up to 10,000 training rows, after `--tune-epochs`; with several
`--decays` it is the decay that is chosen so, at one rate. Finished nets are kept in a
folder with the name of the output file: the same command goes on where it was stopped.
`codes` trains its encoders at given rates, and keeps them there too.
"""

import sys
import time
import warnings
from math import ceil
from pathlib import Path

from records import kept
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from dbn import DBNAutoencoder, RBMTransformer
from dbn.estimators.start import dbn_of
from dbn.evaluation import Contender, compare_initializers, load_dataset, make_curves
from dbn.evaluation.study.contenders import Nets
from dbn.evaluation.study.controls import CS, Control
from dbn.evaluation.study.defaults import DEEP_INITS
from dbn.evaluation.study.linear_autoencoder import LinearAutoencoder
from dbn.evaluation.study.shared_dbn import copy_with
from dbn.training import SGD, Adam, Schedule

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import EQUAL, JOBS, parse, path, prepare_file, run

# Of each part: the encoder, rows of a batch, and epochs of fine-tuning, of the nets
# that choose a rate and of each machine; seeds.
PARTS = {
    "digits": ((128, 64, 32, 8), 20, 60, 60, 48, 10),
    "mnist": ((1000, 500, 250, 30), 100, 20, 5, 12, 2),
    "curves": ((400, 200, 100, 50, 25, 6), 100, 50, 10, 20, 3),
    "codes": ((1000, 500, 250, 30), 100, 20, 0, 12, 10),
}
NAMES = ("hidden_layer_sizes", "batch_size", "epochs", "tune_epochs")
NAMES += ("pretrain_epochs", "seeds")
# As in Sutskever et al. (2013), in epochs, with the lowest of their limits: with larger
# ones a rate chosen after few epochs fails later. A long step is cut.
NESTEROV = {"momentum": ((0, 0.5), (1, 0.85), (2, 0.9)), "nesterov": True}
NESTEROV |= {"clip_norm": 10.0}
SGD_RATES = (0.03, 0.1, 0.3)
NAMED = ("DBN", "SAE", "Xavier x 4", "Sparse", "He + ReLU", "He + ReLU + batch norm")
STARTS = dict(zip(NAMED, DEEP_INITS, strict=True))
WITH_NESTEROV = "Sparse + Nesterov"
PCA_ALONE = Control("PCA", LinearAutoencoder(), {})
# What `codes` trains without a search: the rates that a search on MNIST chose.
ENCODERS = {
    "DBN": {"optimizer": Adam(Schedule(0.003, 0.0))},
    "He + ReLU + batch norm": {"init": "he_normal", "activation": "relu"}
    | {"batch_norm": True, "optimizer": Adam(Schedule(0.001, 0.0))},
}

OPTIONS = {
    "part": {"choices": PARTS, "help": "which record"},
    "--data-home": {"help": "folder of the IDX files; otherwise DBN_DATA"},
    "--output": {
        "type": path,
        "help": "default: benchmark-output/autoencoder-PART.json",
    },
    "--jobs": JOBS,
    "--starts": {
        "nargs": "+",
        "choices": [*STARTS, WITH_NESTEROV],
        "help": "default: all, sparse weights with Adam on digits alone",
    },
    "--hidden-layer-sizes": {"type": int, "nargs": "+", "help": "of the encoder"},
    "--seeds": {"type": int, "help": "2 or more: 0, 1 and so on"},
    "--epochs": {
        "type": int,
        "nargs": "+",
        "help": "of fine-tuning; several are a setting each",
    },
    "--tune-epochs": {"type": int, "help": "of the nets that choose a rate"},
    "--pretrain-epochs": {"type": int, "help": "of each machine"},
    "--batch-size": {"type": int, "help": "rows of an update"},
    "--learning-rates": {
        "type": float,
        "nargs": "+",
        "default": [0.001, 0.003, 0.01],
        "help": "of Adam; two more are tried beyond the ends of three or more",
    },
    "--decays": {
        "type": float,
        "nargs": "+",
        "help": "of Adam, decoupled; several are searched, at one rate",
    },
    "--equal": EQUAL,
    "--rows": {"type": int, "help": "only the first rows, for a quick look"},
    "--labels": {
        "type": int,
        "nargs": "+",
        "default": [100, 1000],
        "help": "label budgets",
        "needs": {"part": ["codes"]},
    },
}
SEARCHED = {"needs": {"part": [part for part in PARTS if part != "codes"]}}
for name in ("--starts", "--tune-epochs", "--learning-rates", "--decays", "--equal"):
    OPTIONS[name] = OPTIONS[name] | SEARCHED


def parse_args():
    """What the command line says, and the part's own where it does not."""
    args = parse(__doc__, OPTIONS)
    for name, value in zip(NAMES, PARTS[args.part], strict=True):
        if getattr(args, name) is None:
            setattr(args, name, [value] if name == "epochs" else value)
    args.hidden_layer_sizes = tuple(args.hidden_layer_sizes)
    if args.part == "codes" and len(args.epochs) > 1:
        raise ValueError(
            f"codes are of encoders of one length; give one of --epochs {args.epochs}."
        )
    if args.decays and WITH_NESTEROV in (args.starts or ()):
        sys.exit(
            f"autoencoder: decays are of nets with Adam, not of {WITH_NESTEROV!r}."
        )
    if len(args.decays or ()) > 1 < len(args.learning_rates):
        sys.exit(
            "autoencoder: one of the two is searched; give one rate or one decay, not "
            f"the rates {args.learning_rates} and the decays {args.decays}."
        )
    if args.output is None:
        args.output = Path(f"benchmark-output/autoencoder-{args.part}.json")
    return args


def load(args):
    """Rows and classes, test rows and their classes; None where there are none."""
    if args.part == "curves":
        n = args.rows or 20_000
        return make_curves(n, 0), None, make_curves(ceil(n / 2), 1), None
    name = "digits" if args.part == "digits" else "mnist"
    data = load_dataset(name, data_home=args.data_home)
    X_test, y_test = data.X_test, data.y_test
    return data.X[: args.rows], data.y[: args.rows], X_test, y_test


# --- reconstructions ------------------------------------------------------------------


class Rival(Control):
    """A start with a grid of its own; layers, batches and epochs are the study's."""

    is_net = True
    kind = Contender.kind


def contenders(args):
    """The starts that are asked for; sparse weights also with Nesterov's momentum."""
    if args.decays:
        names = args.starts or STARTS
        return [*(with_decays(n, args) for n in names), PCA_ALONE]
    net = DBNAutoencoder(init="sparse", optimizer=SGD(Schedule(0.01, 0.0), **NESTEROV))
    grid = {"optimizer__learning_rate__start": SGD_RATES}
    found = STARTS | {WITH_NESTEROV: Rival(WITH_NESTEROV, net, grid, rows="given")}
    other = WITH_NESTEROV if args.part == "digits" else "Sparse"
    names = args.starts or [name for name in found if name != other]
    return [found[name] for name in names]


def with_decays(name, args):
    """A start with a decay: of this or of the rate several values are searched."""
    start = Nets(args.learning_rates, RBMTransformer(), "rows").contender(STARTS[name])
    decay, grid = "optimizer__decoupled_decay", start.grid
    net = copy_with(start.estimator, **{decay: args.decays[0]})
    if len(args.learning_rates) == 1:
        net, grid = start.candidate(*args.learning_rates), {decay: args.decays}
    return Rival(name, net, grid, rows="given")


def reconstructions(args):
    """The comparison of a part."""
    X, _, X_test, _ = load(args)
    n_train = len(X) if X_test is not None else len(X) - ceil(0.3 * len(X))
    n_batches = ceil(n_train / args.batch_size)
    inits = contenders(args)
    say_time(args, X, n_train, len(inits))
    return compare_initializers(
        X,
        None,
        X_test=X_test,
        inits=inits,
        controls=None if args.decays else "auto",
        hidden_layer_sizes=[args.hidden_layer_sizes],
        n_seeds=args.seeds,
        learning_rates=args.learning_rates,
        equal=args.equal,
        n_updates=[epochs * n_batches for epochs in args.epochs],
        tune_updates=args.tune_epochs * n_batches,
        pretrain_updates=args.pretrain_epochs * n_batches,
        batch_size=args.batch_size,
        n_jobs=args.jobs,
        folder=args.output.with_suffix(""),
        verbose=1,
        name=args.part,
    )


# --- how long it takes ----------------------------------------------------------------


def say_time(args, X, n_train, n_starts):
    """Print an estimate from a few updates: of all that is done, were nothing kept."""
    net = seconds_per_update(X, args, lambda n: autoencoder(args, None, max_iter=n))
    machines = seconds_per_update(X, args, lambda n: dbn_of(autoencoder(args, n)))
    n_batches = ceil(n_train / args.batch_size)
    tuned = sum(min(args.tune_epochs, epochs) for epochs in args.epochs)
    # Some nets choose an end of the grid, and batch normalization takes longer.
    n_fits = 1.3 * (max(len(args.decays or ()), len(args.learning_rates)) + 1)
    epochs = n_starts * (n_fits * tuned + 1.3 * sum(args.epochs))
    # Denoising autoencoders take twice as long as machines.
    n_stacks = 3.0
    if args.equal == "multiply_adds":  # the others get as much, in each of their fits
        n_stacks += n_starts * (n_fits + 1.3)
    seconds = net * epochs + n_stacks * machines * args.pretrain_epochs
    hours = seconds * n_batches * args.seeds / args.jobs / 3600
    print(f"{args.part}: about {hours:.1f} h on {args.jobs} cores", flush=True)


def autoencoder(args, pretrain_epochs, **options):
    """A net that starts from machines of so many epochs, or without any."""
    rbm = RBMTransformer(batch_size=args.batch_size, max_iter=pretrain_epochs or 1)
    options |= {} if pretrain_epochs else {"init": "he_normal"}
    sizes, batch = args.hidden_layer_sizes, args.batch_size
    return DBNAutoencoder(
        sizes, **options, rbm=rbm, batch_size=batch, tol=0.0, random_state=0
    )


def seconds_per_update(X, args, model_of):
    """Of all layers, from one epoch and from three of a few batches, on one core."""
    n_batches = max(1, min(10, len(X) // args.batch_size))
    rows, taken = X[: n_batches * args.batch_size], []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for epochs in (1, 1, 3):  # the first warms up
            start = time.process_time()  # whatever else the machine does
            model_of(epochs).fit(rows)
            taken.append(time.process_time() - start)
    return max(taken[2] - taken[1], 0.0) / (2 * n_batches)


# --- codes ----------------------------------------------------------------------------


class OnCodes(Contender):
    """A linear model on codes, which counts as its encoder's start."""

    @property
    def kind(self):
        if self.name in ENCODERS:
            return "dbn" if self.name == "DBN" else "start"
        return "control"


def codes(args):
    """The comparison of linear models on codes, PCA, and a DBN before fine-tuning."""
    X, y, X_test, y_test = load(args)
    return compare_initializers(
        X,
        y,
        X_test=X_test,
        y_test=y_test,
        inits=[on_codes(name, made) for name, made in encoders(args, X).items()],
        controls=None,
        hidden_layer_sizes=[args.hidden_layer_sizes],
        label_budgets=args.labels,
        n_seeds=args.seeds,
        n_jobs=args.jobs,
        folder=args.output.with_suffix("") / "study",
        verbose=1,
        name="mnist, codes",
    )


def on_codes(name, encoder):
    """Logistic regression on standardised codes."""
    line = LogisticRegression(max_iter=1000)
    steps = make_pipeline(FrozenEstimator(encoder), StandardScaler(), line)
    return OnCodes(name, steps, {"logisticregression__C": CS})


def encoders(args, X):
    """By name: those of `ENCODERS`, PCA and the DBN before fine-tuning, of all rows."""
    folder = args.output.with_suffix("")
    (epochs,), n = args.epochs, args.hidden_layer_sizes[-1]
    stack = dbn_of(autoencoder(args, args.pretrain_epochs))
    dbn = kept(folder, stack.set_params(random_state=0), X)
    made = {}
    for name, options in ENCODERS.items():
        net = autoencoder(args, None, max_iter=epochs).set_params(**options)
        if name == "DBN":
            net.set_params(init=FrozenEstimator(dbn), rbm=None)
        made[name] = kept(folder, net, X)
    made["DBN before fine-tuning"] = dbn
    made[f"PCA-{n}"] = PCA(n, svd_solver="full").fit(X)
    return made


def main():
    args = parse_args()
    prepare_file(args.output)
    try:
        result = codes(args) if args.part == "codes" else reconstructions(args)
    except KeyboardInterrupt:
        sys.exit("\nautoencoder: stopped. The same command goes on.")
    result.settings["part"] = args.part
    result.to_json(args.output)
    print(f"{result.table()}\n\n{result.verdict()}")


if __name__ == "__main__":
    run(main)
