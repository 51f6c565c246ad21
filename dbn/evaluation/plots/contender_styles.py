"""How each contender looks, the same in all pictures (extra `plots`)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from ...estimators import DBNTransformer
from ..study.records import contender_name, display_name

# Okabe and Ito's palette and a brown, and Tol's muted one: in each, colours are told
# apart with any colour vision. Nets have filled markers, controls hollow ones.
NET_COLORS = (
    *("#0072B2", "#E69F00", "#D55E00", "#009E73"),
    *("#CC79A7", "#56B4E9", "#000000", "#6B4400"),
)
CONTROL_COLORS = (
    *("#332288", "#882255", "#44AA99", "#999933", "#AA4499"),
    *("#CC6677", "#117733", "#DDCC77", "#88CCEE"),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h")
# Their colours in the order of the palette, and who has the place of another: no
# comparison has both a ridge and a logistic regression.
_NETS = (
    *("DBN", "Xavier", "Xavier x 4", "He + ReLU"),
    *("He + ReLU + dropout", "orthogonal", "LSUV", "standard"),
)
_CONTROLS = (
    *("logistic regression", "RBF SVM", "logistic regression on DBN features"),
    *("logistic regression on PCA", "label spreading", "self-training RBF SVM"),
    *("self-training He + ReLU", "gradient boosting", "DBN shuffled"),
)
# Densities of rows and class, hollow as controls are, in colours of nets that few have.
_DENSITIES = {
    "RBMClassifier": ("#6B4400", "D"),
    "GenerativeDBNClassifier": ("#000000", "v"),
}
_LIKE = {
    "ridge": "logistic regression",
    "ridge on DBN features": "logistic regression on DBN features",
    "ridge on PCA": "logistic regression on PCA",
    "PCA": "logistic regression on PCA",
    # Starts of autoencoders, which no comparison has beside these.
    "SAE": "LSUV",
    "Sparse": "orthogonal",
    "He + ReLU + batch norm": "He + ReLU + dropout",
}
_DBN = 0  # its place in the palette, which no other start is given


def contender_styles(kinds: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of each contender, as options of `plot`.

    Those that every comparison has look the same wherever they are shown. Others are
    given what is left of the palette of their kind, in their order: pass all that a
    comparison has, not only those in a picture.

    Parameters
    ----------
    kinds : dict of str to {"dbn", "start", "control"}
        By name, as `contender_name` makes it.

    Returns
    -------
    dict of str to dict
        No two are alike.

    Examples
    --------
    >>> styles = contender_styles({"dbn + logistic": "dbn", "my forest": "control"})
    >>> styles["dbn + logistic"]["color"], styles["my forest"]["linestyle"]
    ('#0072B2', '--')
    """
    looks = _known_looks()
    taken: dict[tuple[str, str], str] = {}
    for name in kinds:
        look = looks.get(display_name(name))
        if look is not None:
            taken.setdefault(look, name)
    found = {name: look for look, name in taken.items()}
    for name, kind in kinds.items():
        if name not in found:
            found[name] = next(look for look in _looks(kind) if look not in taken)
            taken[found[name]] = name
    return {
        name: {
            "color": found[name][0],
            "marker": found[name][1],
            "markerfacecolor": "white" if kind == "control" else found[name][0],
            "linestyle": "--" if kind == "control" else "-",
        }
        for name, kind in kinds.items()
    }


def _known_looks() -> dict[str, tuple[str, str]]:
    """Colour and marker of those that every comparison has."""
    looks: dict[str, tuple[str, str]] = {}
    for names, colors in ((_NETS, NET_COLORS), (_CONTROLS, CONTROL_COLORS)):
        looks |= dict(zip(names, zip(colors, _MARKERS, strict=False), strict=True))
    looks |= _DENSITIES
    return looks | {name: looks[other] for name, other in _LIKE.items()}


def _looks(kind: str) -> Iterator[tuple[str, str]]:
    """All that a contender of some kind may look like, the nearest at hand first."""
    colors = CONTROL_COLORS if kind == "control" else NET_COLORS
    its = [i for i in range(len(colors)) if i != _DBN or kind != "start"]
    for shift in count():
        for i in its:
            yield colors[i], _MARKERS[(i + shift) % len(_MARKERS)]


def named_estimators(
    estimators: Mapping[str, Any] | Sequence[Any],
) -> dict[str, Any]:
    """Fitted nets by name: the given one, or that of their start and activation.

    Parameters
    ----------
    estimators : dict of str to estimator, or sequence of estimator

    Raises
    ------
    ValueError
        If there is none, or two of a sequence have the same name.

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> [*named_estimators([DBNClassifier(), DBNClassifier(init="xavier_uniform")])]
    ['dbn + logistic', 'xavier_uniform + logistic']
    """
    if isinstance(estimators, Mapping):
        named = dict(estimators)
    else:
        estimators = [*estimators]
        named = {_name_of(estimator): estimator for estimator in estimators}
    if not named or len(named) < len(estimators):
        raise ValueError(
            f"estimators are {len(estimators)} with the names {[*named]}. Give one or "
            "more of different starts, or a dict with a name for each."
        )
    return named


def estimator_kinds(names: Iterable[str]) -> dict[str, str]:
    """What nets are by their names: all starts, but for that from a DBN.

    Examples
    --------
    >>> estimator_kinds(["dbn + logistic", "mine"])
    {'dbn + logistic': 'dbn', 'mine': 'start'}
    """
    return {
        name: "dbn" if display_name(name).startswith("DBN") else "start"
        for name in names
    }


def _name_of(estimator: Any) -> str:
    """As a comparison names it; without a start it is the name of its class."""
    try:
        init, activation = estimator.init, estimator.activation
    except AttributeError:
        return type(estimator).__name__
    if isinstance(init, DBNTransformer) or hasattr(init, "estimator"):
        init = "dbn"  # an unfitted DBN, or a frozen one
    several = activation if isinstance(activation, list | tuple) else [activation]
    return contender_name(
        {
            "init": init if isinstance(init, str) else type(init).__name__,
            "activation": ", ".join(dict.fromkeys(map(_word, several))),
            "dropout": bool(np.any(estimator.dropout)),
            "batch_norm": bool(estimator.batch_norm),
        }
    )


def _word(activation: Any) -> str:
    return activation if isinstance(activation, str) else type(activation).__name__
