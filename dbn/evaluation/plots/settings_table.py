"""The settings of a comparison in words, for its page."""

from html import escape
from typing import Any

from ...storage.packing import printable
from ..study.records import display_name

# Characters of a setting: that of the machines has some 300.
_MAX_TEXT = 2000
_NAMES = {
    "resumed": "went on after a stop (its seconds are those of the last call)",
    "inits": "contenders",
    "hidden_layer_sizes": "hidden layers",
    "learning_rates": "grid of learning rates",
    "Cs": "grid of C",
    "controls": "controls, and what is tried of each",
    "search": "candidates of all nets, in place of the rates",
    "tune": "protocol of tuning",
    "tuning": "validation rows",
    "equal": "equal for all",
    "pretraining": "pretrained on",
    "rbm": "machines of the DBNs",
    "rbm_sha256": "SHA-256 of their parameters",
    "n_updates": "updates of fine-tuning, for each label budget or setting",
    "tune_updates": "updates of nets that are validated, if fewer",
    "pretrain_updates": "updates of pretraining, per layer",
    "n_train": "training rows with a label",
    "n_unlabeled": "training rows without a label",
    "target": "what is predicted",
    "is_grey": "values in [0, 1]",
    "n_test": "test rows",
    "n_tested": "different test rows of all seeds",
    "n_features": "features",
    "n_classes": "classes",
    "scaled": "scaled to [0, 1] by the training rows",
    "dropout": "dropout, where a contender has it",
    "data_sha256": "SHA-256 of the data",
    "dirty": "with changes that are in no commit",
    "package_sha256": "SHA-256 of the package",
    "script_sha256": "SHA-256 of the script",
    "blas_threads": "BLAS threads per net",
    "pretrained": "DBNs, each with its call, SHA-256 and command",
}
_NAMES_OF_SEARCH = {
    "learning_rates": "learning rates, from a third of the least to three times the "
    "largest of which those of candidates are drawn",
}
# What None says, where it does not say that something is not known.
_NONE = {"tune_updates": "not fewer"}


def settings_table(settings: dict[str, Any]) -> str:
    """Settings with their names in words, as a table in HTML.

    Parameters
    ----------
    settings : dict
        Of a comparison, or a part of them.

    Returns
    -------
    str

    Examples
    --------
    >>> page = settings_table({"n_test": 100})
    >>> "test rows" in page
    True
    """
    names = _NAMES | (_NAMES_OF_SEARCH if settings.get("search") else {})
    rows = "\n".join(
        f'<tr><th scope="row">'
        f"{escape(names.get(key) or printable(key).replace('_', ' '))}"
        f"</th><td>{escape(printable(_words(_named(key, value)), _MAX_TEXT))}</td></tr>"
        for key, value in _with_columns(settings).items()
    )
    table = f'<table class="settings"><tbody>\n{rows}\n</tbody></table>'
    return f'<div class="wide">{table}</div>'


def _with_columns(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings, with both numbers of features in one where they differ."""
    if "n_columns" not in settings or "n_features" not in settings:
        return settings
    both = f"{settings['n_columns']} ({settings['n_features']} columns of numbers)"
    rest = {key: value for key, value in settings.items() if key != "n_columns"}
    return rest | {"n_features": both}


def _named(key: str, value: Any) -> Any:
    """A setting, with contenders called as everywhere on the page."""
    if value is None:
        return _NONE.get(key)
    if key == "pretrained" and isinstance(value, list):
        return [_of_rows(dbn) if isinstance(dbn, dict) else dbn for dbn in value]
    if key == "search" and isinstance(value, list):
        return {f"{i}:": _words(its).replace("_", " ") for i, its in enumerate(value)}
    if key == "inits" and isinstance(value, list):
        return [display_name(one) if isinstance(one, str) else one for one in value]
    if key == "controls" and isinstance(value, dict):
        return {display_name(k): str(its).replace("_", " ") for k, its in value.items()}
    return value


def _of_rows(dbn: dict[str, Any]) -> dict[str, Any]:
    """What is told of a DBN, and on which rows it was pretrained in words."""
    if "n_labels" not in dbn:
        return dbn
    n, rest = dbn["n_labels"], {k: v for k, v in dbn.items() if k != "n_labels"}
    rows = "all training rows" if n is None else f"{n} labelled rows"
    return {"pretrained on": rows} | rest


def _words(value: Any, depth: int = 0) -> str:
    """Plain data in words: lists of lists are nets, more than that is not shown."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict) and (depth > 1 or not value):
        return "..." if value else "none"
    if isinstance(value, list):
        return (", ", "-")[depth].join(_words(entry, depth + 1) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {_words(v, depth + 1)}" for k, v in value.items())
    return "not known" if value is None else str(value)
