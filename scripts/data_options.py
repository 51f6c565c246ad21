"""What scripts share: how options are read, those of the data, and how they end."""

import argparse
import json
import sys
from functools import cache
from pathlib import Path

from dbn.evaluation import load_dataset
from dbn.evaluation.provenance import note_of_changes


def path(text):
    """A path, in which ~ is the user's home."""
    return Path(text).expanduser()


def sizes(text):
    """Numbers of units of layers, as 500,500,2000."""
    return tuple(int(n) for n in text.split(","))


class Formatter(
    argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter
):
    """Help with defaults, below the text of a script as it stands there."""


def parse(text, options):
    """What the command line says: for the text of a script, and its options by name."""
    parser = argparse.ArgumentParser(description=text, formatter_class=Formatter)
    for name, about in options.items():
        parser.add_argument(name, **about)
    return parser.parse_args()


DATA_OPTIONS = {
    "--dataset": {
        "default": "digits",
        "help": "digits, mnist or another name that load_dataset takes, or a file: "
        "arrays (.npz, .npy) or a table (.csv, .tsv, .txt, packed with gzip or not)",
    },
    "--data-home": {"help": "folder of the named data sets; otherwise DBN_DATA"},
    "--label-column": {
        "help": "name or number (from 0; -1: the last) of the column of a table with "
        "the labels; default: the one named label, class, target or y, or else the last"
    },
    "--unlabeled": {
        "metavar": "VALUE",
        "help": "label of rows that have none, which only pretraining sees; those with "
        "an empty label, ?, NA or NaN are such rows anyway",
    },
}

# Of scripts that compare nets.
EQUAL = {
    "default": "epochs",
    "choices": ["epochs", "multiply_adds"],
    "help": "what is the same for all: epochs of fine-tuning, or multiply-adds "
    "with those of pretraining",
}
JOBS = {"type": int, "default": 1, "help": "nets at a time, each on one core"}


def load(args):
    """The data that the options ask for."""
    data = load_dataset(
        args.dataset, data_home=args.data_home, label_column=args.label_column
    )
    return data if args.unlabeled is None else data.with_unlabeled(args.unlabeled)


def require_labels(data):
    """Raise a ValueError unless there are labels."""
    if data.target is None:
        raise ValueError(
            f"Data set {data.name!r} has no labels. Name their column with "
            "--label-column, or give an array y beside X."
        )


def require_classes(data):
    """Raise a ValueError unless labels are classes."""
    require_labels(data)
    if hasattr(data.X, "columns"):
        raise ValueError(
            f"{data.name!r} has columns of texts, and numbers are needed. Encode them "
            "as numbers first, a column of 0 and 1 for each value."
        )
    if data.target == "numbers":
        raise ValueError(
            f"The labels of {data.name!r} are numbers, and classes are needed. "
            "finetune.py takes numbers. If they are not the labels, name the column of "
            "these with --label-column; if they are classes, write them as words."
        )


def write_json(path, record):
    path.write_text(json.dumps(record, indent=1) + "\n")
    say_once(note_of_changes(record) or note_of_changes(record.get("settings", {})))


@cache
def say_once(note):
    if note:
        print(note, file=sys.stderr)


def run(main):
    """Run a script; what its user can do something about ends it with one line."""
    try:
        main()
    except (ImportError, OSError, ValueError, RuntimeError, ArithmeticError) as error:
        notes = getattr(error, "__notes__", [])
        sys.exit(" ".join([f"{Path(sys.argv[0]).stem}: {error}", *notes]))
