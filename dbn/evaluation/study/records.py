"""What a record of a comparison is: its fields, and the names made of them."""

import math
import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

# What a control is that has no net: a linear model on features.
LOGISTIC, RIDGE = "logistic regression", "ridge"
# How rows that are given back are scored: by the squared error of a row.
RECONSTRUCTION = "neg_squared_error"
# Errors are shown as they are from the one to the other, beyond with a power of ten.
_LEAST, _MOST = 0.01, 1e6
_LEAST_POWER = -300
# Of an error: figures are made of the squares of many.
LARGEST = 1e140
# The parameter of a contender of which nothing is tuned.
NOTHING = "nothing"
# And of a net that chose one of those of `search`, by number.
CANDIDATE = "candidate"
# Probability that a hidden unit is dropped in a contender with "dropout": Srivastava et
# al. (2014).
DROPOUT = 0.5


def contender_name(record: dict[str, Any]) -> str:
    """How a contender is written: 'he_normal + relu', with '+ dropout' where it has it.

    Those of the user have a name.

    Examples
    --------
    >>> contender_name({"init": "he_normal", "activation": "relu", "dropout": 0.5})
    'he_normal + relu + dropout'
    """
    if record.get("contender") is not None:
        return str(record["contender"])
    options = ["dropout"] if record["dropout"] else []
    options += ["batch norm"] if record.get("batch_norm") else []
    return " + ".join([record["init"], record["activation"], *options])


# How people call starts and activations; others are called as they are.
_INITS = {
    "dbn": "DBN",
    "dbn-shuffled": "DBN shuffled",
    "dbn-resampled": "DBN resampled",
    "xavier_uniform": "Xavier",
    "xavier_normal": "Xavier normal",
    "xavier_x4_uniform": "Xavier x 4",
    "xavier_x4_normal": "Xavier x 4 normal",
    "glorot_uniform": "Xavier",
    "glorot_normal": "Xavier normal",
    "he_normal": "He",
    "he_uniform": "He uniform",
    "kaiming_normal": "He",
    "kaiming_uniform": "He uniform",
    "lecun_normal": "LeCun",
    "lecun_uniform": "LeCun uniform",
    "xavier_truncated_normal": "Xavier truncated normal",
    "glorot_truncated_normal": "Xavier truncated normal",
    "he_truncated_normal": "He truncated normal",
    "kaiming_truncated_normal": "He truncated normal",
    "standard": "standard",
    "orthogonal": "orthogonal",
    "lsuv": "LSUV",
    "sae": "SAE",
    "sparse": "Sparse",
}
_FEATURES = {"dbn-features": "DBN features", "pca": "PCA"}
_UNITS = {
    "logistic": "",
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "elu": "ELU",
    "scaled_tanh": "scaled tanh",
}


def display_name(name: str) -> str:
    """How a contender is called in tables and pictures.

    Logistic units, which most starts here have, are not said.

    Parameters
    ----------
    name : str
        From `contender_name`.

    Examples
    --------
    >>> display_name("he_normal + relu + dropout")
    'He + ReLU + dropout'
    >>> display_name("xavier_x4_uniform + logistic")
    'Xavier x 4'
    >>> display_name("pca + logistic regression")
    'logistic regression on PCA'
    >>> display_name("my forest")
    'my forest'
    """
    first, *rest = name.split(" + ")
    if first in _FEATURES and rest in ([LOGISTIC], [RIDGE]):
        return f"{rest[0]} on {_FEATURES[first]}"
    if first not in _INITS or not rest:
        return name
    words = [_INITS[first], _UNITS.get(rest[0], rest[0]), *rest[1:]]
    return " + ".join(filter(None, words))


def cell_name(record: dict[str, Any]) -> str:
    """How a setting of network and label budget is written: '2 x 128, 100 labels'.

    Of an autoencoder the layers of the encoder, and how long it is trained.

    Examples
    --------
    >>> cell_name({"hidden_layer_sizes": [128, 128], "n_labels": 100})
    '2 x 128, 100 labels'
    """
    sizes = record["hidden_layer_sizes"]
    alike = len(set(sizes)) == 1
    net = f"{len(sizes)} x {sizes[0]}" if alike else "-".join(map(str, sizes))
    if record.get("n_updates") is not None:
        return f"{net}, {record['n_updates']} updates"
    return f"{net}, {record['n_labels']} labels"


def kind_of(record: dict[str, Any]) -> str:
    """What a contender is: the 'dbn', another 'start' of the net, or a 'control'.

    The DBN is measured against the best other start. Controls are what has no net, or
    keeps no more of a DBN than the size of its weights.

    Examples
    --------
    >>> kind_of({"init": "dbn-shuffled", "activation": "logistic"})
    'control'
    """
    if record.get("kind") is not None:
        return str(record["kind"])
    if record["activation"] in (LOGISTIC, RIDGE) or record["init"].startswith("dbn-"):
        return "control"
    return "dbn" if record["init"] == "dbn" else "start"


def is_share(scoring: str) -> bool:
    """Whether errors are 1 minus a score, and not in a unit of what is predicted.

    Examples
    --------
    >>> is_share("accuracy"), is_share("neg_mean_squared_error")
    (True, False)
    """
    return not scoring.startswith("neg_")


class Measure(NamedTuple):
    """How the errors of a comparison are called and shown.

    Parameters
    ----------
    words : str
        What they are.
    scale : str
        In what they are shown: "%", a power of ten, or nothing.
    factor : float
        What they are multiplied by for that.
    unit : str
        Of a difference, behind it.
    decimals : int
        How many are shown.
    """

    words: str
    scale: str
    factor: float
    unit: str
    decimals: int

    @property
    def title(self) -> str:
        """Of an axis or a column."""
        return f"{self.words} ({self.scale})" if self.scale else self.words


def measure(settings: dict[str, Any], means: Iterable[float]) -> Measure:
    """What the errors of a comparison are, and how they are shown.

    Shares are percentages. Squared errors and the like are shown as they are where the
    median of these means is from 0.01 to a million. Smaller ones would be 0.000
    throughout: they have a power of ten, as larger ones have.

    Parameters
    ----------
    settings : dict
        Of the comparison.
    means : iterable of float
        Mean test errors of its contenders.

    Examples
    --------
    >>> measure({"scoring": "accuracy"}, [0.1]).title
    'error (%)'
    >>> small = measure({"scoring": "neg_mean_squared_error"}, [2e-7, 3e-7])
    >>> small.title, small.unit, round(small.factor)
    ('mean squared error (10^-7)', ' x 10^-7', 10000000)
    """
    scoring: str = settings["scoring"]
    words = scoring.removeprefix("neg_").replace("_", " ")
    if is_share(scoring):
        words = "error" if scoring == "accuracy" else f"1 - {words}"
        return Measure(words, "%", 100.0, " points", 2)
    if scoring == RECONSTRUCTION:
        words = "squared error"
    usual = median([*map(abs, means)] or [1.0])
    if usual == 0.0 or _LEAST <= usual < _MOST:
        return Measure(words, "", 1.0, "", 3)
    power = max(math.floor(math.log10(usual)), _LEAST_POWER)
    return Measure(words, f"10^{power}", 10.0**-power, f" x 10^{power}", 3)


def key_of(record: dict[str, Any]) -> tuple[str, str, int]:
    """Setting, contender and seed: what one learning rate is chosen for.

    Examples
    --------
    >>> key_of({"hidden_layer_sizes": [5], "n_labels": 10, "init": "he_normal",
    ...         "activation": "relu", "dropout": 0.0, "seed": 3})
    ('1 x 5, 10 labels', 'he_normal + relu', 3)
    """
    return cell_name(record), contender_name(record), record["seed"]


def chosen(
    tuning: Iterable[dict[str, Any]],
) -> dict[tuple[str, str, int], dict[str, Any]]:
    """The tuning record with the lowest error, for each setting, contender and seed.

    By `key_of`. Ties go to the smaller learning rate, or the smaller C.

    Examples
    --------
    >>> base = {"hidden_layer_sizes": [5], "n_labels": 10, "init": "he_normal",
    ...         "activation": "relu", "dropout": 0.0, "seed": 0, "error": 0.2}
    >>> found = chosen([base | {"value": 0.01}, base | {"value": 0.003}])
    >>> [record["value"] for record in found.values()]
    [0.003]
    """
    best: dict[tuple[str, str, int], dict[str, Any]] = {}
    for record in tuning:
        other = best.setdefault(key_of(record), record)
        if (record["error"], record["value"]) < (other["error"], other["value"]):
            best[key_of(record)] = record
    return best


# Of a file: what a name may be that stands in every line of a table, how many layers a
# net, and how many points a curve, of which 25 are kept.
_MAX_NAME, _MAX_LAYERS, _MAX_POINTS = 100, 1000, 100
# Losses of so many rows as row_losses.py keeps, two bytes each, as a text.
_MAX_TEXT = 550_000


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= _MAX_NAME


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**53


def _is_amount(value: Any, most: float = 1e300) -> bool:
    return type(value) in (int, float) and 0 <= value <= most


def is_error(value: Any) -> bool:
    """Whether a value may be an error: a number, also a negative one.

    Parameters
    ----------
    value : object

    Examples
    --------
    >>> is_error(-0.2), is_error(float("nan"))
    (True, False)
    """
    return type(value) in (int, float) and abs(value) <= LARGEST


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _is_amount_or_none(value: Any) -> bool:
    return value is None or _is_amount(value)


def _is_text_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= _MAX_TEXT)


def _is_curve(value: Any) -> bool:
    """None, or pairs of an epoch and its loss, in their order."""
    return value is None or (
        isinstance(value, list)
        and len(value) <= _MAX_POINTS
        and all(isinstance(point, list) and len(point) == 2 for point in value)
        and all(_is_count(epoch) and _is_finite(loss) for epoch, loss in value)
        and all(a < b for (a, _), (b, _) in pairwise(value))
    )


SETTINGS: dict[str, Callable[[Any], bool]] = {
    "dataset": lambda value: isinstance(value, str),
    "scoring": _is_name,
    "fixed_test_split": lambda value: isinstance(value, bool),
    **dict.fromkeys(["n_train", "n_test"], _is_count),
    "n_tested": lambda n: n is None or _is_count(n),
}
RECORD: dict[str, Callable[[Any], bool]] = {
    "stage": lambda value: value in ("tune", "test"),
    "hidden_layer_sizes": lambda value: (
        isinstance(value, list)
        and 0 < len(value) <= _MAX_LAYERS
        and all(map(_is_count, value))
    ),
    **dict.fromkeys(["n_labels", "n_updates"], lambda n: n is None or _is_count(n)),
    "parameter": _is_name,
    "seed": lambda value: (value == 0 and type(value) is int) or _is_count(value),
    "value": _is_amount,
    "error": is_error,
    **dict.fromkeys(["pretrain_seconds", "finetune_seconds"], _is_amount),
    **dict.fromkeys(
        ["pretrain_multiply_adds", "finetune_multiply_adds"],
        _is_amount_or_none,
    ),
    "loss_curve": _is_curve,
    **dict.fromkeys(["diverged", "unconverged"], _is_amount_or_none),
    "chosen_on": lambda value: value in (None, 0) or _is_count(value),
    **dict.fromkeys(["losses", "test_rows", "train_rows_sha256"], _is_text_or_none),
}


# What tells the contender: that of the user, or one of the comparison's.
OWN: dict[str, Callable[[Any], bool]] = {
    "contender": _is_name,
    "kind": lambda value: value in ("dbn", "start", "control"),
}
NAMED: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(["init", "activation"], _is_name),
    "dropout": lambda value: _is_amount(value, most=1),
    "batch_norm": lambda value: value in (None, False, True),
    "kind": lambda value: value in (None, "control"),
}


def check_record(record: Any) -> None:
    """Raise a ValueError unless every field of a record holds what it may.

    Parameters
    ----------
    record : object
        From a file.
    """
    own = isinstance(record, dict) and record.get("contender") is not None
    check_fields(record, RECORD | (OWN if own else NAMED))
    if (record.get("n_labels") is None) == (record.get("n_updates") is None):
        raise ValueError("n_labels and n_updates are not one of the two")


def check_fields(values: Any, accepted: dict[str, Callable[[Any], bool]]) -> None:
    """Raise a ValueError unless every field of a dict holds what it may.

    Parameters
    ----------
    values : object
        From a file.
    accepted : dict of str to callable
        Such as `SETTINGS`.

    Examples
    --------
    >>> check_fields({"n_train": 5}, {"n_train": lambda value: value > 0})
    """
    if not isinstance(values, dict):
        raise ValueError(f"{values!r:.80} is no dict")
    for key, accepts in accepted.items():
        if not accepts(values.get(key)):
            raise ValueError(f"{key} is {values.get(key)!r:.80}")
