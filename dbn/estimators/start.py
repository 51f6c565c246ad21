"""Where a net begins: the layers that `init` asks for, and their first weights."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from ..backend.array import take_rows
from ..backend.device import to_host
from ..backend.rows import some_rows
from ..backend.types import Array
from ..boltzmann import DBN, Units, get_units
from ..feedforward import (
    Activation,
    Given,
    Initializer,
    Loss,
    Network,
    VarianceScaling,
    get_initializer,
)
from ..training import DenoisingStack, Pretrained, Unrolled
from ..training.loop import drawn_by_weight
from ..training.pretraining import STRUCTURES, check_startable, matching_units
from ..training.task import Task
from .base import DBNEstimator
from .constraints import check_layer_sizes
from .dbn import (
    DBNTransformer,
    Prototypes,
    check_adoptable,
    first_visible,
    is_autoencoder,
    layer_prototypes,
)
from .rbm import RBMTransformer
from .targets import net_sizes

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
    denoises: bool = False  # whether autoencoders are pretrained instead
    stack: DBNEstimator | None = None  # fitted before, whose weights are copied


def brings_stack(init: Init) -> bool:
    """Whether `init` is a DBN with layers of its own, fitted or not."""
    return isinstance(init, DBNTransformer | FrozenEstimator)


def brings_net(init: Init) -> bool:
    """Whether `init` is a fitted autoencoder, whose encoder is copied."""
    return isinstance(init, FrozenEstimator) and is_autoencoder(init.estimator)


def resolve_init(estimator: Any) -> Plan:
    """Resolve `init`, `hidden_layer_sizes`, `rbm` and `activation` into a `Plan`.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    init, rbm = estimator.init, estimator.rbm
    asked = check_layer_sizes(estimator.hidden_layer_sizes)
    default_sizes = list(estimator._default_sizes)
    if brings_stack(init) and rbm is not None:
        raise ValueError(
            f"rbm is {rbm!r}, but the DBN in init has machines of its own. "
            "Leave rbm at None, or set the rbm of that DBNTransformer."
        )
    if isinstance(init, FrozenEstimator):
        stack = check_adoptable(init.estimator)
        if brings_net(init):
            sizes = [W.shape[1] for W, _ in encoder_layers(stack.network_)]
        else:
            sizes = [machine.n_hidden for machine in stack._feature_stack.rbms]
        _check_sizes(asked, sizes, default_sizes)
        estimator._stack_activations(len(sizes))  # fails now
        return Plan(sizes, stack=stack)
    if isinstance(init, DBNTransformer):
        sizes, rbm = check_layer_sizes(init.hidden_layer_sizes), init.rbm
        _check_sizes(asked, sizes, default_sizes)
        asked = sizes
    activations = estimator._stack_activations(len(asked))
    rbm = prototypes_for(rbm, activations, is_autoencoder(estimator))
    prototypes = layer_prototypes(rbm, len(asked))
    visible = prototypes[0].visible
    if not pretrains(init):
        if denoising := denoising_stack(init):
            denoising.validate()
        return Plan(asked, visible, denoises=denoising is not None)
    for prototype, activation in zip(prototypes, activations, strict=True):
        check_startable(get_units(prototype.hidden), activation)
    return Plan(asked, visible, prototypes)


def dbn_of(net: Any) -> DBNTransformer:
    """The DBN that a net with ``init="dbn"`` pretrains in its fit, unfitted.

    Examples
    --------
    >>> from dbn import DBNAutoencoder
    >>> [rbm.hidden for rbm in dbn_of(DBNAutoencoder((5, 2))).rbm]
    [Bernoulli(), Gaussian()]
    """
    activations = stack_activations(net)
    rbm = prototypes_for(net.rbm, activations, is_autoencoder(net))
    return DBNTransformer(net.hidden_layer_sizes, rbm=rbm, device=net.device)


def stack_activations(net: Any) -> list[Activation]:
    """Activations of a net's hidden layers; of an autoencoder those of its encoder.

    Examples
    --------
    >>> from dbn import DBNAutoencoder
    >>> stack_activations(DBNAutoencoder((5, 2)))
    [Logistic(), Identity()]
    """
    n_layers = len(check_layer_sizes(net.hidden_layer_sizes))
    own: list[Activation] = net._stack_activations(n_layers)
    return own


def prototypes_for(
    rbm: Prototypes, activations: list[Activation], to_code: bool = False
) -> Prototypes:
    """What `rbm` stands for where hidden layers need not have the same units.

    One prototype of all layers takes, where activations differ, the hidden units that
    go with each, and so it does where the only layer is a code (`to_code`).

    Examples
    --------
    >>> from dbn.feedforward import get_activations
    >>> found = prototypes_for(None, get_activations(["logistic", "identity"], 2))
    >>> [prototype.hidden for prototype in found]
    [Bernoulli(), Gaussian()]
    """
    units = [matching_units(one) for one in activations]
    prototype = RBMTransformer(hidden=units[0]) if rbm is None else rbm
    alike = all(one == activations[0] for one in activations)
    alike = alike and not (to_code and len(activations) == 1)
    if not isinstance(prototype, RBMTransformer) or alike:
        return prototype
    prototype.validate()
    own = type(get_units(prototype.hidden))
    return [
        prototype if own is type(one) else _with_hidden(prototype, one) for one in units
    ]


def _with_hidden(prototype: RBMTransformer, hidden: Units) -> RBMTransformer:
    copy: Any = clone(prototype)
    own: RBMTransformer = copy.set_params(hidden=hidden)
    return own


def encoder_layers(network: Network) -> list[tuple[Array, Array]]:
    """The (W, c) of the first half of an autoencoder's layers."""
    layers = network.folded()
    return layers[: len(layers) // 2]


def brought_activations(init: Init, own: list[Activation] | None) -> list[Activation]:
    """Activations of the encoder in `init`.

    Parameters
    ----------
    init : FrozenEstimator
        Of a fitted autoencoder.
    own : list of Activation or None
        What parameters ask for, if not the default.

    Raises
    ------
    ValueError
        If they ask for others.
    """
    network = check_adoptable(init.estimator).network_  # type: ignore[union-attr]
    found: list[Activation] = network.hidden_activations
    found = found[: (len(found) + 1) // 2]
    if own not in (None, found):
        raise ValueError(
            f"The hidden layers have the activations {own}, the encoder in init has "
            f"{found}. Leave activation at its default, or give the same."
        )
    return found


def pretrains(init: Init) -> bool:
    """Whether `init` asks for a DBN that is pretrained in the fit."""
    return isinstance(init, DBNTransformer) or (
        isinstance(init, str) and init in STRUCTURES
    )


def denoising_stack(init: Init) -> DenoisingStack | None:
    """The denoising autoencoders that `init` asks for, trained in the fit; or None."""
    if isinstance(init, str) and init == "sae":
        return DenoisingStack()
    return init if isinstance(init, DenoisingStack) else None


def _check_sizes(asked: list[int], sizes: list[int], default: list[int]) -> None:
    if asked not in (sizes, default):
        raise ValueError(
            f"hidden_layer_sizes is {asked}, but the DBN in init has {sizes}. "
            "Leave hidden_layer_sizes at its default, or give the same sizes."
        )


def visible_of(init: Init, rbm: Prototypes) -> str | Units:
    """What an estimator with these parameters says of the units of X."""
    if isinstance(init, FrozenEstimator):
        return getattr(init.estimator, "visible_", "auto")
    return first_visible(init.rbm if isinstance(init, DBNTransformer) else rbm)


def sizes_to_go_on(estimator: Any) -> list[int]:
    """Sizes of the layers that parameters ask for, to go on from a fitted net."""
    layers: list[int] = estimator.network_.architecture["layer_sizes"]
    asked = check_layer_sizes(estimator.hidden_layer_sizes)
    if brings_stack(estimator.init) and asked == list(estimator._default_sizes):
        return layers
    n_outputs = None if is_autoencoder(estimator) else layers[-1]
    return net_sizes(layers[0], asked, n_outputs)


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
    init: Any,
    dbn: DBN | None,
    network: Network,
    rows: Array,
    weight: Array,
    rng: Any,
    *,
    unrolled: bool,
    loss: Loss,
    task: Task,
    history: list[dict[str, Any]],
    state: dict[str, Any],
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
    unrolled : bool
        Whether the network is an autoencoder, whose decoder is started likewise.
    loss : Loss
        Of reconstructions of the rows.
    task, history, state
        Of denoising autoencoders, as of `pretrain`.
    """
    start: Initializer
    if dbn is not None:
        kind = Unrolled if unrolled else Pretrained
        start = kind(dbn, init if isinstance(init, str) else "dbn")
    elif brings_net(init):
        its = init.estimator.network_
        layers = its.folded() if unrolled else encoder_layers(its)
        VarianceScaling().fill(network, rows, rng)
        start = Given([*layers, *network.dense[len(layers) :]])
    else:
        start = denoising_stack(init) or get_initializer(init)
    if isinstance(start, DenoisingStack):
        options = {"weight": weight, "loss": loss, "unrolled": unrolled}
        options |= {"history": history, "state": state}
        n_hidden = len(network.hidden_activations)
        n_layers = (n_hidden + 1) // 2 if unrolled else n_hidden
        with task.subtask("pretrain", n_layers) as pretraining:
            start.train(network, rows, rng, **options, task=pretraining)
        state.clear()  # all that it learned is in the net
    else:
        start.fill(network, rows if weight is None else _repeated(rows, weight), rng)
    learned = Pretrained | Given | DenoisingStack
    if network.statistics.shapes and isinstance(start, learned):
        network.calibrate(rows, weight)


def _repeated(rows: Array, weight: Array) -> Array:
    """Rows as often as their weights say, up to 1000 of them in all.

    Initializers that look at data know of no weights: they see what a row of weight 2
    stands for, the same row twice.
    """
    weight = np.asarray(to_host(weight), dtype=np.float64)
    with np.errstate(over="ignore"):
        ends = np.cumsum(weight / weight.min())
    if ends[-1] < 2**53 and np.allclose(ends, np.round(ends), rtol=1e-12):
        chosen = np.searchsorted(ends, 0.5 + some_rows(round(ends[-1]), 1000))
    else:
        chosen = np.sort(drawn_by_weight(weight, 1000, np.random.default_rng(0)))
    return take_rows(rows, chosen)
