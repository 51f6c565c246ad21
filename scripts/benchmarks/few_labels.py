"""Ordinary tables with few labels: what the rows without labels are worth, and to whom.

Every table is split anew for each of `--subsets`, and a few of the training rows, drawn
anew too, keep their labels. All contenders are given all training rows: those that can
learn from rows without labels do (the DBN by pretraining; RBMClassifier and, on images,
GenerativeDBNClassifier by a density of rows and class; label spreading and
self-training by guessing labels), the others at least have their columns standardised
by them. Everything is at its defaults, but label spreading asks for neighbours, since
the width of its other kernel belongs to the scale of the columns. So nothing is tuned;
other training rows with their labels only say which start is the best without a DBN.

Each table is a comparison (`compare_initializers`) with its table and verdict. At the
end stands where the DBN is above and below each contender, over all tables. Finished
nets are kept in a folder with the name of the output file: the same command goes on
where it was stopped.
"""

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC

from dbn import DBNClassifier, GenerativeDBNClassifier, RBMClassifier
from dbn.evaluation import Contender, compare_initializers, load_dataset
from dbn.evaluation.statistics import holm

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import JOBS, parse, path, prepare_file, run, write_json

TOYS = ("wine", "breast-cancer", "digits")
FILES = (
    *("ionosphere", "vehicle", "australian", "mammographic"),
    *("segment", "phoneme", "spambase"),
)
MNIST_ROWS = 10_000  # of its training rows; its test rows are its own
HE = {"init": "he_normal", "activation": "relu"}
# Settings of a comparison that its contenders here do not use.
UNUSED = (
    *("batch_size", "dropout", "equal", "learning_rates", "n_updates"),
    *("pretrain_updates", "rbm", "rbm_sha256"),
)

OPTIONS = {
    "--data-home": {"help": "folder with those of tables and MNIST; or DBN_DATA"},
    "--tables": {
        "nargs": "+",
        "choices": [*TOYS, *FILES, "mnist"],
        # Without those that take long or, as wine, have too few rows to test on.
        "default": ["breast-cancer", "digits", "ionosphere", "vehicle", "australian"],
        "metavar": "TABLE",
        "help": f"of {', '.join([*TOYS, *FILES])} and mnist, {MNIST_ROWS:,} rows of it",
    },
    "--labels": {
        "nargs": "+",
        "type": int,
        "default": [12, 30, 100],
        "help": "labelled rows; a table takes part with 2 of each class or more",
    },
    "--subsets": {"type": int, "default": 20, "help": "splits and draws of labels"},
    "--jobs": JOBS,
    "--output": {"type": path, "default": Path("benchmark-output/few-labels.json")},
}


# --- contenders -----------------------------------------------------------------------


def contenders(X, table):
    """All of them; nets standardise by themselves what the others have standardised."""
    grey = X.min() >= 0.0 and X.max() <= 1.0
    nets = {
        "dbn": {},
        "xavier": {"init": "xavier_uniform"},
        "he + relu": HE,
    }
    for name, start in nets.items():
        yield contender(name, DBNClassifier(**start, unlabeled=-1), weight_decay=0.0)
    machine = RBMClassifier(unlabeled=-1)
    yield contender("RBMClassifier", machine, generative_weight=0.01)
    if table == "mnist":  # it is made for images
        stack = GenerativeDBNClassifier(unlabeled=-1)
        yield contender("GenerativeDBNClassifier", stack, unlabeled_weight=1.0)
    linear = LogisticRegression(max_iter=1000)
    others = {
        "logistic regression": (labelled_only(linear), {"estimator__C": 1.0}),
        "rbf svm": (labelled_only(SVC()), {"estimator__C": 1.0}),
        "label spreading": (LabelSpreading(kernel="knn"), {"alpha": 0.2}),
        "self-training logistic": (
            SelfTrainingClassifier(linear),
            {"threshold": 0.75},
        ),
    }
    for name, (estimator, setting) in others.items():
        scaler = "passthrough" if grey else StandardScaler()
        line = make_pipeline(scaler, estimator)
        prefix = line.steps[-1][0]
        yield contender(name, line, **{f"{prefix}__{k}": v for k, v in setting.items()})
    again = SelfTrainingClassifier(DBNClassifier(**HE))
    yield contender("self-training he + relu", again, threshold=0.75)


def contender(name, estimator, **setting):
    """One with a single value, its default, of what could be tuned."""
    ((parameter, value),) = setting.items()
    return Contender(name, estimator, {parameter: [value]}, unlabeled=True)


def labelled_only(estimator):
    """No round of self-training: a scaler before it sees all rows, it sees labels."""
    return SelfTrainingClassifier(estimator, max_iter=0)


# --- studies --------------------------------------------------------------------------


def load(table, args):
    """Rows and classes, and test rows where they are the data's own."""
    home = Path(args.data_home or os.environ.get("DBN_DATA", "."))
    if table == "mnist":
        data = load_dataset(table, data_home=home / table)
        return replace(data, X=data.X[:MNIST_ROWS], y=data.y[:MNIST_ROWS])
    file = home / "tables" / f"{table}.csv.gz"
    return load_dataset(table if table in TOYS else file)


def study(table, args):
    """The comparison on a table."""
    data = load(table, args)
    n_classes = len(np.unique(data.y))
    budgets = [n for n in args.labels if n >= 2 * n_classes]
    print(f"{table}: {budgets} labels", file=sys.stderr)
    return compare_initializers(
        data.X,
        data.y,
        X_test=data.X_test,
        y_test=data.y_test,
        inits=contenders(data.X, table),
        controls=None,
        hidden_layer_sizes=[DBNClassifier().hidden_layer_sizes],
        label_budgets=budgets,
        n_seeds=args.subsets,
        tune="literature",
        scaling=None,
        folder=args.output.with_suffix("") / table,
        n_jobs=args.jobs,
        verbose=1,
        name=table,
    )


def of_record(result):
    """What the record has of a comparison."""
    errors = {
        cell: {name: its.tolist() for name, its in found.items()}
        for cell, found in result.errors().items()
    }
    settings = {k: v for k, v in result.settings.items() if k not in UNUSED}
    return {"settings": settings, "summary": result.summary(), "errors": errors}


def standings(tables):
    """In how many settings the DBN's error is below and above that of each contender.

    With Holm's correction over all contenders, label budgets and tables.
    """
    lines = [
        (name, its["difference"])
        for found in tables.values()
        for row in found["summary"]
        for name, its in row["contenders"].items()
        if its["difference"]
    ]
    shown = np.array(holm([its["p_value"] for _, its in lines])) < 0.05
    made = {}
    for name in dict.fromkeys(name for name, _ in lines):
        mine = np.array([other == name for other, _ in lines])
        means = np.array([its["mean"] for _, its in lines])
        made[name] = {
            "settings": int(mine.sum()),
            "below": int((mine & shown & (means < 0)).sum()),
            "above": int((mine & shown & (means > 0)).sum()),
            "mean_difference": float(means[mine].mean()),
        }
    return made


def main():
    args = parse(__doc__, OPTIONS)
    # Columns of counts are the same for all; defaults are defaults, converged or not.
    warnings.filterwarnings("ignore", message=".*X hold")
    warnings.simplefilter("ignore", ConvergenceWarning)
    # A row that is connected to no label is of the first class to label spreading.
    warnings.filterwarnings("ignore", module=r"sklearn\.semi_supervised")
    prepare_file(args.output)
    tables = {}
    for table in args.tables:
        try:
            result = study(table, args)
        except KeyboardInterrupt:
            sys.exit("\nfew_labels: stopped. The same command goes on.")
        tables[table] = of_record(result)
        print(f"{result.table()}\n\n{result.verdict()}\n", flush=True)
    found = standings(tables)
    for name, its in found.items():
        print(
            f"DBN against {name}: error lower in {its['below']} and higher in "
            f"{its['above']} of {its['settings']} settings, "
            f"{100 * its['mean_difference']:+.1f} points on average"
        )
    write_json(args.output, {"standings": found, "tables": tables})


if __name__ == "__main__":
    run(main)
