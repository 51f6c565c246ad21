"""What scripts share: how options are read, those of the data, and how they end."""

import argparse
import json
import math
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from dbn.evaluation import load_dataset
from dbn.evaluation.provenance import note_of_changes


def path(text):
    """A path, in which ~ is the user's home."""
    return Path(text).expanduser()


def number(kind, accepts, words):
    """A type of options: numbers of a kind that are accepted, which words describe."""

    def read(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not accepts(value):
            raise argparse.ArgumentTypeError(f"it is {text!r}; give {words}")
        return value

    return read


positive = number(int, lambda n: n >= 1, "a whole number of at least 1")
not_negative = number(int, lambda n: n >= 0, "a whole number of at least 0")
seed = number(int, lambda n: 0 <= n < 2**32, "a whole number from 0 to 4294967295")
share = number(float, lambda x: 0 <= x < 1, "a number from 0 to below 1, as 0.1")
cores = number(
    int, lambda n: n != 0, "a whole number of at least 1, or -1 for all cores"
)


def sizes(text):
    """Numbers of units of layers, as 500,500,2000."""
    return tuple(positive(n) for n in text.split(","))


class Formatter(
    argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter
):
    """Help with defaults, below the text of a script as it stands there."""


def parse(text, options):
    """What the command line says: for the text of a script, and its options by name.

    An option may have `needs`: the others without which it does nothing, each with the
    values that it must have, or with none if any will do. `given` in what is returned
    are the names of options that stand on the command line.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=Formatter)
    destinations = {}
    for name, its in options.items():
        its = dict(its)
        if needs := its.pop("needs", None):
            others = " and ".join(in_words(*other) for other in needs.items())
            its["help"] = f"{its.get('help', '')} (with {others})".lstrip()
        destinations[name] = parser.add_argument(name, **its).dest
    args = parser.parse_args()
    unset = object()  # where it stands, argparse sets no default
    told = argparse.Namespace(**dict.fromkeys(destinations.values(), unset))
    parser.parse_args(namespace=told)
    args.given = [
        name for name, it in destinations.items() if getattr(told, it) is not unset
    ]
    for name in args.given:
        for other, values in options[name].get("needs", {}).items():
            value = getattr(args, destinations[other])
            if not (value in values if values else other in args.given):
                seen = f"; {other} is {value}" if values else ""
                raise ValueError(
                    f"{name} does nothing without {in_words(other, values)}{seen}. Add "
                    f"that, or leave {name} away."
                )
    return args


def in_words(option, values):
    return " ".join([option, " or ".join(values)]).rstrip()


DATA_OPTIONS = {
    "--dataset": {
        "default": "digits",
        "help": "digits, mnist or another name that load_dataset takes, or a file: "
        "arrays (.npz, .npy) or a table (.csv, .tsv, .txt, packed with gzip or not)",
    },
    "--data-home": {"help": "folder of the named data sets; otherwise DBN_DATA"},
    "--label-column": {
        "help": "name or number (from 0; -1: the last) of the column of a table with "
        "the labels, or none where it has none; default: the one named label, class, "
        "target or y, or else the last"
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
JOBS = {"type": cores, "default": 1, "help": "nets at a time, each on one core"}


TARGET = {
    "choices": ["classes", "numbers"],
    "help": "what labels are, for finetune.py; for pretrain.py too, as both keep the "
    "same test rows apart; default: numbers if some are broken, or there are many and "
    "few repeat",
}


def load(args, known_columns=()):
    """The data that the options ask for; known columns of a table may have no value."""
    data = load_dataset(
        args.dataset,
        data_home=args.data_home,
        label_column=args.label_column,
        known_columns=known_columns,
    )
    if args.unlabeled is not None:
        data = data.with_unlabeled(args.unlabeled)
    if getattr(args, "target", None) is None:
        return data
    check_target(data, args.target)
    return replace(data, told_target=args.target)


def check_target(data, target):
    """Raise a ValueError unless labels may be what --target says."""
    if data.y is None:
        raise ValueError(
            f"--target does nothing: {data.name!r} has no labels. Leave it away."
        )
    if target == "numbers" and data.y.dtype.kind not in "iuf":
        raise ValueError(
            f"--target is numbers, and labels of {data.name!r} are texts such as "
            f"{str(data.y[0])!r:.80}. Give labels that are numbers, or leave --target "
            "away."
        )
    if target == "classes" and data.y.dtype.kind == "f":
        broken = data.y[data.y != data.y.round()]
        if len(broken):
            raise ValueError(
                f"--target is classes, and {len(broken)} labels of {data.name!r} are "
                f"broken numbers such as {broken[0]:g}. Write classes as whole "
                "numbers or words, or leave --target away."
            )


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


def prepare_folder(folder):
    """Make a folder to write to. Raise an OSError where that cannot be, before work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            f"The folder {folder} cannot be written to ({error.strerror}). Give "
            "another --output."
        ) from error


def prepare_file(file):
    """The same for a file to write, None for no file: make the folder it is in."""
    if file is None:
        return
    if file.is_dir():
        raise OSError(f"{file} is a folder. Give a file for --output.")
    prepare_folder(file.parent)


def to_json(value, indent=None):
    """The JSON text of a value, with null for NaN and infinities, which it has not."""

    def finite(its):
        if isinstance(its, dict):
            return {key: finite(part) for key, part in its.items()}
        if isinstance(its, list | tuple):
            return [finite(part) for part in its]
        return None if isinstance(its, float) and not math.isfinite(its) else its

    return json.dumps(finite(value), indent=indent, allow_nan=False)


def write_json(path, record):
    path.write_text(to_json(record, indent=1) + "\n")
    say_once(note_of_changes(record) or note_of_changes(record.get("settings", {})))


@cache
def say_once(note):
    if note:
        print(note, file=sys.stderr)


# What the package raises where its user can do something about it.
MENDABLE = ImportError, OSError, TypeError, ValueError, RuntimeError, ArithmeticError


def run(main):
    """Run a script; what its user can mend ends it with one line."""
    try:
        main()
    except MENDABLE as error:
        notes = getattr(error, "__notes__", [])
        sys.exit(" ".join([f"{Path(sys.argv[0]).stem}: {error}", *notes]))
    except KeyboardInterrupt:
        words = "stopped"
        if any(option.startswith("--checkpoint") for option in sys.argv):
            words += ". The same command with --resume goes on"
        sys.exit(f"\n{Path(sys.argv[0]).stem}: {words}.")
