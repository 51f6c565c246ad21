"""Where a net begins: the layers that `init` asks for, and their first weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from sklearn.frozen import FrozenEstimator

from ..backend.array import take_rows
from ..backend.device import to_host
from ..backend.types import Array
from ..boltzmann import DBN, Units, get_units
from ..feedforward import Given, Initializer, Network, get_activation, get_initializer
from ..training import Pretrained
from ..training.pretraining import STRUCTURES, check_startable, matching_units
from .constraints import check_layer_sizes
from .dbn import (
    DBNTransformer,
    Prototypes,
    check_adoptable,
    first_visible,
    layer_prototypes,
)
from .rbm import RBMTransformer

DEFAULT_SIZES = (256,)
# What `init` may be; of a list each entry is a pair (W, c).
Init: TypeAlias = (
    str | Initializer | list[Any] | tuple[Any, ...] | DBNTransformer | FrozenEstimator
)


@dataclass(frozen=True)
class Plan:
    """What `init` and the parameters beside it ask for."""

    sizes: list[int]  # of the hidden layers
    visible: str | Units = "auto"  # what X is, where no stack is brought
    prototypes: list[RBMTransformer] | None = (
        None  # of the machines to pretrain, if there are such
    )
    stack: DBNTransformer | None = None  # fitted before, whose weights are copied


def brings_stack(init: Init) -> bool:
    """Whether `init` is a DBN with layers of its own, fitted or not."""
    return isinstance(init, DBNTransformer | FrozenEstimator)


def resolve_init(estimator: Any) -> Plan:
    """Resolve `init`, `hidden_layer_sizes`, `rbm` and `activation` into a `Plan`.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    init, rbm = estimator.init, estimator.rbm
    asked = check_layer_sizes(estimator.hidden_layer_sizes)
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
    activation = get_activation(estimator.activation)
    default = RBMTransformer(hidden=matching_units(activation))
    prototypes = layer_prototypes(default if rbm is None else rbm, len(asked))
    visible = prototypes[0].visible
    if not pretrains(init):
        return Plan(asked, visible)
    for prototype in prototypes:
        check_startable(get_units(prototype.hidden), activation)
    return Plan(asked, visible, prototypes)


def pretrains(init: Init) -> bool:
    """Whether `init` asks for a DBN that is pretrained in the fit."""
    return isinstance(init, DBNTransformer) or (
        isinstance(init, str) and init in STRUCTURES
    )


def _check_sizes(asked: list[int], sizes: list[int]) -> None:
    if asked not in (sizes, list(DEFAULT_SIZES)):
        raise ValueError(
            f"hidden_layer_sizes is {asked}, but the DBN in init has {sizes}. "
            "Leave hidden_layer_sizes at its default, or give the same sizes."
        )


def visible_of(init: Init, rbm: Prototypes) -> str | Units:
    """What an estimator with these parameters says of the units of X."""
    if isinstance(init, FrozenEstimator):
        return getattr(init.estimator, "visible_", "auto")
    return first_visible(init.rbm if isinstance(init, DBNTransformer) else rbm)


def sizes_to_go_on(
    network: Network, init: Init, hidden_layer_sizes: int | Sequence[int]
) -> list[int]:
    """Sizes of the layers that parameters ask for, to go on from a net."""
    layers: list[int] = network.architecture["layer_sizes"]
    asked = check_layer_sizes(hidden_layer_sizes)
    if brings_stack(init) and asked == list(DEFAULT_SIZES):
        return layers
    return [layers[0], *asked, layers[-1]]


def check_same_net(network: Network, asked: Network) -> None:
    """Raise a ValueError if parameters ask for another net than there is."""
    if asked.architecture != network.architecture:
        raise ValueError(
            f"Training cannot go on: the net is {network!r}, the parameters now ask "
            f"for {asked!r}. Set hidden_layer_sizes, activation, dropout and "
            "batch_norm back, or call fit with warm_start=False."
        )


def buffers(network: Network) -> list[Array]:
    """The numbers of a net, for a file."""
    return [to_host(network.params.flat), to_host(network.statistics.flat)]


def set_buffers(network: Network, kept: list[Array]) -> None:
    """Fill a net with what `buffers` gave."""
    for buffer, values in zip((network.params, network.statistics), kept, strict=True):
        buffer.fill(values)


def first_weights(
    init: Any, dbn: DBN | None, network: Network, rows: Array, weight: Array, rng: Any
) -> None:
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


def _repeated(rows: Array, weight: Array) -> Array:
    """Rows as often as their weights say, up to 1000 of them in all.

    Initializers that look at data know of no weights: they see what a row of weight 2
    stands for, the same row twice. 1000 of them stand evenly spaced among all.
    """
    weight = np.asarray(to_host(weight), dtype=np.float64)
    with np.errstate(over="ignore"):
        ends = np.cumsum(weight / weight.min())
    if ends[-1] < 2**53 and np.allclose(ends, np.round(ends), rtol=1e-12):
        whole = round(ends[-1])
        places = 0.5 + np.floor(np.linspace(0, whole - 1, min(whole, 1000)))
    else:
        ends = np.cumsum(weight / weight.sum())
        places = (np.arange(1000) + 0.5) / 1000 * ends[-1]
    return take_rows(rows, np.searchsorted(ends, places))
