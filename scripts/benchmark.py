"""Does pretraining a deep belief network help, compared with Xavier and He?

Trains the same nets from several starts on real images, over seeds and label budgets,
and prints a table and a verdict. With --task reconstruct the nets are autoencoders,
compared by the squared error of the rows that they give back, without labels.
report.html (everything on one page), results.json, differences.png and comparison.png
go to the output folder. Finished nets are kept in the folder study beside them:
--resume goes on after a stop, or with more seeds; without it a finished study is kept
under the name study and its time.
"""

import sys
from pathlib import Path

import numpy as np
from data_options import (
    DATA_OPTIONS,
    EQUAL,
    cores,
    load,
    parse,
    path,
    positive,
    prepare_folder,
    require_labels,
    run,
    sizes,
)
from studies import read_finished, study_folder

from dbn import RBMTransformer
from dbn.evaluation import (
    ComparisonDisplay,
    DifferencesDisplay,
    compare_initializers,
    html_report,
)
from dbn.evaluation.plots.display import require_matplotlib
from dbn.evaluation.study.contenders import GENERATIVE
from dbn.evaluation.study.defaults import DEEP_INITS, INITS
from dbn.evaluation.study.scorers import is_of_numbers


def contender(text):
    if text in GENERATIVE:
        return text
    init, *more = text.split(":")
    return init, *(more or ["logistic"])


def words(inits):
    return " ".join(":".join(entry) for entry in inits)


# Of options that speak of labels.
PREDICT = {"--task": ["predict"]}

OPTIONS = DATA_OPTIONS | {
    "--task": {
        "default": "predict",
        "choices": ["predict", "reconstruct"],
        "help": "what nets learn: labels, or to give back the rows",
    },
    "--inits": {
        "nargs": "+",
        "type": contender,
        "help": "starts, each as init:activation, with :dropout or :batch_norm after "
        f"it or both; default: {words(INITS)}, of autoencoders {words(DEEP_INITS)}. "
        f"Densities of rows and classes are {' and '.join(GENERATIVE)}. "
        "he_normal:relu:dropout (:batch_norm) is compared too, as a control",
    },
    "--controls": {
        "default": "auto",
        "choices": ["auto", "none"],
        "help": "what is compared beside the starts: logistic regression, an SVM and "
        "more, or nothing, where another record has them or labels are so many that "
        "an SVM takes hours",
    },
    "--hidden-layer-sizes": {
        "nargs": "+",
        "type": sizes,
        "help": "networks, each as sizes with commas, of autoencoders those of the "
        "encoder; default: 128,128 or 128,64,32,8",
    },
    "--labels": {
        "nargs": "+",
        "type": positive,
        "help": "label budgets; default: 100 300",
        "needs": PREDICT,
    },
    "--seeds": {"type": positive, "default": 8, "help": "number of seeds"},
    "--learning-rates": {
        "nargs": "+",
        "type": float,
        "default": [0.001, 0.003, 0.01, 0.03],
        "help": "of all nets; two more are tried beyond the ends of three or more",
    },
    "--search": {
        "type": positive,
        "help": "number of candidates that are drawn instead, the same for all nets: "
        "rate, weight decay, dropout, and whether the rate falls",
    },
    "--tune": {
        "default": "strict",
        "choices": ["strict", "literature"],
        "help": "where validation rows come from: cross-validation inside the label "
        "budget, or up to 10,000 other training rows with their labels",
        "needs": PREDICT,
    },
    "--equal": EQUAL,
    "--pretraining-rows": {
        "default": "all",
        "choices": ["all", "labelled"],
        "help": "training rows that DBNs are pretrained on, without labels",
        "needs": PREDICT,
    },
    "--visible": {
        "default": "auto",
        "help": "visible units of DBNs: auto (by columns), bernoulli, gaussian or spin",
    },
    "--sparsity": {"type": float, "help": "target of the DBN's mean hidden activity"},
    "--scoring": {
        "help": "name of a scikit-learn scorer; one of numbers, such as r2, says that "
        "labels are numbers to predict; default: accuracy, of numbers the mean squared "
        "error",
        "needs": PREDICT,
    },
    "--updates": {
        "nargs": "+",
        "type": positive,
        "help": "updates of fine-tuning, for all label budgets or for each (default: "
        "500; more than 300 labels need more); each number is a setting where rows "
        "are reconstructed (default: 1000 4000)",
    },
    "--tune-updates": {
        "type": positive,
        "help": "updates of the nets by which rates are chosen, if fewer",
    },
    "--pretrain-updates": {
        "type": positive,
        "default": 3000,
        "help": "updates of each RBM",
    },
    "--batch-size": {"type": positive, "default": 20},
    "--output": {
        "type": path,
        "default": Path("benchmark-output"),
        "help": "output folder",
    },
    "--jobs": {"type": cores, "default": -1, "help": "processes; -1 for all cores"},
    "--resume": {
        "action": "store_true",
        "help": "go on with the study in the output folder that was stopped",
    },
    "--from": {
        "type": path,
        "dest": "finished",
        "metavar": "RESULTS_JSON",
        "help": "train nothing: show the study in this file again",
    },
}

PICTURES = {"differences": DifferencesDisplay, "comparison": ComparisonDisplay}


def understood(data, scoring):
    """The data in one line; labels are numbers where the scorer says so."""
    line = data.summary()
    as_classes = data.target == "classes" and data.y.dtype.kind in "iuf"
    if not (as_classes and is_of_numbers(scoring)):
        return line
    n_classes = f"{len(np.unique(data.y)):,} classes; "
    return line.replace(
        n_classes, f"numbers from {data.y.min():g} to {data.y.max():g}; ", 1
    )


def study(args):
    """Run the comparison; return it."""
    updates = args.updates
    if updates and len(updates) == 1:
        (updates,) = updates
    data = load(args)
    print(understood(data, args.scoring), flush=True)
    y, y_test = data.y, data.y_test
    if args.task == "reconstruct":
        y = y_test = None
    else:
        require_labels(data)
    with study_folder(args.output, args.resume) as folder:
        resumed = folder.exists()
        result = compare_initializers(
            data.X,
            y,
            X_test=data.X_test,
            y_test=y_test,
            X_unlabeled=data.X_unlabeled,
            inits=args.inits,
            controls=None if args.controls == "none" else args.controls,
            hidden_layer_sizes=args.hidden_layer_sizes,
            label_budgets=args.labels,
            n_seeds=args.seeds,
            learning_rates=args.learning_rates,
            search=args.search,
            tune=args.tune,
            equal=args.equal,
            pretraining_rows=args.pretraining_rows,
            rbm=RBMTransformer(visible=args.visible, sparsity=args.sparsity),
            scoring=args.scoring,
            n_updates=updates,
            tune_updates=args.tune_updates,
            pretrain_updates=args.pretrain_updates,
            batch_size=args.batch_size,
            n_jobs=args.jobs,
            folder=folder,
            verbose=1,
            name=data.name,
        )
    result.settings["resumed"] = resumed
    result.to_json(args.output / "results.json")
    return result


def main():
    args = parse(__doc__, OPTIONS)
    idle = [name for name in args.given if name not in ("--from", "--output")]
    if args.finished and idle:
        raise ValueError(
            f"{idle[0]} does nothing: --from shows a study that is finished, and "
            "trains nothing. Leave it away."
        )
    require_matplotlib()
    result = args.finished and read_finished(args.finished, args.output)
    prepare_folder(args.output)
    try:
        result = result or study(args)
    except KeyboardInterrupt:
        sys.exit("\nbenchmark: stopped. The same command with --resume goes on.")
    print(f"\n{result.table()}\n\n{result.verdict()}\n")
    for name, draw in PICTURES.items():
        picture = draw.from_results(result).figure_
        picture.savefig(args.output / f"{name}.png", dpi=150)
    (args.output / "report.html").write_text(html_report(result), encoding="utf-8")
    wrote = "report.html, differences.png and comparison.png"
    if not args.finished:
        wrote = f"results.json, {wrote}"
        print(f"{result.settings['seconds']} s.", end=" ")
    print(f"Wrote {wrote} to {args.output}/")


if __name__ == "__main__":
    run(main)
