"""What a comparison does where its user says nothing, by what y holds."""

from dataclasses import dataclass
from typing import Any

from .check_input import (
    check_budgets,
    check_nets,
    check_updates,
    listed,
    without_labels,
)
from .records import RECONSTRUCTION

INITS = (
    ("dbn", "logistic"),
    ("xavier_uniform", "logistic"),
    ("xavier_x4_uniform", "logistic"),
    ("he_normal", "relu"),
)
_SOME = repr([*INITS[::3]])  # of a message
# Where plain Xavier learns little: those that have been named as rivals of a DBN.
DEEP_INITS = (
    ("dbn", "logistic"),
    ("sae", "logistic"),
    ("xavier_x4_uniform", "logistic"),
    ("sparse", "logistic"),
    ("he_normal", "relu"),
    ("he_normal", "relu", "batch_norm"),
)
_LABELLED: dict[str, Any] = {
    "inits": INITS,
    "hidden_layer_sizes": ((128, 128),),
    "label_budgets": (100, 300),
    "n_updates": 500,
    "scoring": "accuracy",
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "classes": _LABELLED,
    "numbers": _LABELLED | {"scoring": "neg_mean_squared_error"},
    "rows": {
        "inits": DEEP_INITS,
        "hidden_layer_sizes": ((128, 64, 32, 8),),
        "label_budgets": (),
        "n_updates": (1000, 4000),
        "scoring": RECONSTRUCTION,
    },
}


@dataclass(frozen=True)
class Options:
    """Options of a comparison that have other defaults for other targets.

    Parameters
    ----------
    inits, hidden_layer_sizes, label_budgets, scoring
        As in `compare_initializers`.
    n_updates : tuple of int
        For each label budget; without labels, of each setting.
    """

    inits: Any
    hidden_layer_sizes: tuple[tuple[int, ...], ...]
    label_budgets: Any
    n_updates: tuple[int, ...]
    scoring: str


def with_defaults(
    target: str,
    inits: Any,
    hidden_layer_sizes: Any,
    label_budgets: Any,
    n_updates: Any,
    scoring: Any,
) -> Options:
    """The options of a comparison, with what is meant where one is None.

    Parameters
    ----------
    target : {"classes", "numbers", "rows"}
    inits, hidden_layer_sizes, label_budgets, n_updates, scoring
        As in `compare_initializers`.

    Raises
    ------
    ValueError
        If an option is not accepted, or speaks of labels where there are none.

    Examples
    --------
    >>> with_defaults("numbers", None, [(5,)], [20, 40], 30, None).n_updates
    (30, 30)
    """
    defaults = DEFAULTS[target]
    if target == "rows":
        without_labels("label_budgets", label_budgets)
        without_labels("scoring", scoring)
    budgets = defaults["label_budgets"] if label_budgets is None else label_budgets
    budgets = check_budgets(budgets)
    nets = defaults["hidden_layer_sizes"]
    nets = nets if hidden_layer_sizes is None else hidden_layer_sizes
    return Options(
        inits=defaults["inits"] if inits is None else listed(inits, "inits", _SOME),
        hidden_layer_sizes=check_nets(nets),
        label_budgets=budgets,
        n_updates=check_updates(
            defaults["n_updates"] if n_updates is None else n_updates,
            None if target == "rows" else len(budgets),
        ),
        scoring=defaults["scoring"] if scoring is None else scoring,
    )
