"""Where a net begins: the layers that `init` asks for, and their first weights."""

from dataclasses import dataclass

import numpy as np
from sklearn.frozen import FrozenEstimator

from ..backend.array import take_rows
from ..backend.device import to_host
from ..boltzmann import Units, get_units
from ..feedforward import Given, get_activation, get_initializer
from ..training import Pretrained
from ..training.pretraining import STRUCTURES, check_startable, matching_units
from .base import check_layer_sizes
from .dbn import DBNTransformer, check_adoptable, layer_prototypes
from .rbm import RBMTransformer

DEFAULT_SIZES = (256,)


@dataclass(frozen=True)
class Plan:
    """What `init` and the parameters beside it ask for."""

    sizes: list  # of the hidden layers
    visible: str | Units = "auto"  # what X is, where no stack is brought
    prototypes: list | None = None  # of the machines to pretrain, if there are such
    stack: DBNTransformer | None = None  # fitted before, whose weights are copied


def brings_stack(init):
    """Whether `init` is a DBN with layers of its own, fitted or not."""
    return isinstance(init, DBNTransformer | FrozenEstimator)


def plan(init, hidden_layer_sizes, rbm, activation):
    """Resolve the parameters of these names into a `Plan`.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    asked = check_layer_sizes(hidden_layer_sizes)
    if brings_stack(init) and rbm is not None:
        raise ValueError(
            f"rbm is {rbm!r}, but the DBN in init has machines of its own. "
            "Leave rbm at None, or set the rbm of that DBNTransformer."
        )
    if isinstance(init, FrozenEstimator):
        stack = check_adoptable(init.estimator)
        sizes = [machine.n_hidden for machine in stack.dbn_.rbms]
        _check_sizes(asked, sizes)
        return Plan(sizes, stack=stack)
    if isinstance(init, DBNTransformer):
        sizes, rbm = check_layer_sizes(init.hidden_layer_sizes), init.rbm
        _check_sizes(asked, sizes)
        asked = sizes
    activation = get_activation(activation)
    default = RBMTransformer(hidden=matching_units(activation))
    prototypes = layer_prototypes(default if rbm is None else rbm, len(asked))
    visible = prototypes[0].visible
    if not pretrains(init):
        return Plan(asked, visible)
    for prototype in prototypes:
        check_startable(get_units(prototype.hidden), activation)
    return Plan(asked, visible, prototypes)


def pretrains(init):
    """Whether `init` asks for a DBN that is pretrained in the fit."""
    named = isinstance(init, str) and init in STRUCTURES
    return named or isinstance(init, DBNTransformer)


def _check_sizes(asked, sizes):
    if asked not in (sizes, list(DEFAULT_SIZES)):
        raise ValueError(
            f"hidden_layer_sizes is {asked}, but the DBN in init has {sizes}. "
            "Leave hidden_layer_sizes at its default, or give the same sizes."
        )


def first_weights(init, dbn, network, rows, weight, rng):
    """Fill a new network as `init` says.

    Parameters
    ----------
    init : str, Initializer, list, DBNTransformer or FrozenEstimator
    dbn : DBN or None
        Where there is one, the net starts from it.
    network : Network
    rows, weight : array of shape (n_rows, n_features), and (n_rows,) or None
        As the net sees them.
    rng : numpy.random.Generator
    """
    if dbn is not None:
        start = Pretrained(dbn, init if isinstance(init, str) else "dbn")
    else:
        start = get_initializer(init)
    start.fill(network, rows if weight is None else _repeated(rows, weight), rng)
    if network.statistics.shapes and isinstance(start, Pretrained | Given):
        network.calibrate(rows, weight)


def _repeated(rows, weight):
    """Rows as often as their weights say, up to 1000 of them in all.

    Initializers that look at data know of no weights: they see what a row of weight 2
    stands for, the same row twice.
    """
    weight = np.asarray(to_host(weight), dtype=np.float64)
    ends = np.cumsum(weight / weight[weight > 0].min())
    total = ends[-1]
    whole = round(total) if np.allclose(ends, np.round(ends)) else 1000
    n_rows = min(max(whole, 1), 1000)
    places = np.arange(n_rows) if whole <= 1000 else np.linspace(0, whole - 1, n_rows)
    places = (np.floor(places) + 0.5) * (total / whole)
    return take_rows(rows, np.searchsorted(ends, places))
