"""Greedy pretraining of a stack of RBMs, and what starts a net from one."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from ..backend.array import take_rows
from ..backend.device import converted_beside, namespace, numpy_dtype
from ..backend.labelled_rows import LabelledRows
from ..backend.missing import filled, mean_of_known
from ..backend.types import Array
from ..boltzmann import DBN, RBM, Bernoulli, Gaussian, Units, get_units, units
from ..boltzmann.units.labels import with_labels
from ..feedforward import (
    Activation,
    Identity,
    Initializer,
    Logistic,
    Network,
    ReLU,
    Tanh,
    VarianceScaling,
)
from .budget import of_machine
from .checks import check_options, checked_input, checked_weight
from .contrastive import train_rbm
from .greedy import GreedyLayer, train_layers
from .task import Task


def pretrain(
    X: Array,
    hidden_layer_sizes: Sequence[int],
    *,
    rng: Any,
    visible: str | Units = "bernoulli",
    layer_options: Sequence[dict[str, Any]] | None = None,
    sample_weight: Array = None,
    labels: Array | None = None,
    label_weight: Array = None,
    label_options: dict[str, Any] | None = None,
    memory_budget: float | None = None,
    task: Task | None = None,
    history: list[dict[str, Any]] | None = None,
    state: dict[str, Any] | None = None,
) -> DBN:
    """Train a deep belief network greedily, layer by layer; return it.

    Each machine learns from the mean hidden activities of the one below, computed once
    (Hinton, Osindero and Teh 2006, section 4; Hinton and Salakhutdinov 2006). Where a
    value of X is NaN, not known, the first machine learns as `train_rbm` says, and the
    activities for the second are those of rows with the column's mean in its place.

    Parameters
    ----------
    X : array, scipy sparse CSR or ScaledRows of shape (n_rows, n_features)
        In the range of the visible units, or NaN. Integers and booleans become float64,
        and what a masked array hides NaN.
    hidden_layer_sizes : sequence of int
        Numbers of hidden units, from the data upwards.
    rng : numpy.random.Generator
    visible : {"bernoulli", "gaussian"} or Units, default="bernoulli"
        Units of the data; each layer above takes the hidden units of the one below.
    layer_options : list of dict, optional
        For each layer, keyword arguments of `train_rbm`, and ``"hidden"``, the type of
        its hidden units. Default: none.
    sample_weight : array of shape (n_rows,), optional
    labels : array of shape (n_rows, n_classes), optional
        One-hot rows, or NaN where a label is not known: the top machine has `Labels`
        beside the hidden units of the one below, and is trained on both.
    label_weight : array of shape (n_rows,), optional
        Weights of the rows for that machine. Default: `sample_weight`.
    label_options : dict, optional
        Further keyword arguments of `train_rbm` for that machine.
    memory_budget : int, optional
        Bytes that hidden activities of all rows may take in memory, those that a layer
        is trained on and those of the next together. What does not fit goes to a
        temporary file (see `dbn.backend.rows.rows_in_file`), from which more than 64 MB
        are shuffled in blocks; up to there, the result does not depend on it. X itself
        does not count. Default: no bound.
    task : Task, optional
        Where progress is reported; default: nowhere.
    history : list, optional
        Receives a dict per epoch of each layer.
    state : dict, optional
        Pass an empty dict to follow the work: ``"rbms"`` are the machines so far, the
        last one in training, and ``"layer"`` is what its training remembers. To go on,
        pass ``"params"``, the flat buffers of those machines, and ``"layer"``.

    Returns
    -------
    DBN
        When a callback stops the work, layers that were not reached stay at their
        initial weights.

    Raises
    ------
    ValueError
        If an argument or an entry of `layer_options` is not accepted, as in
        `train_rbm`; before any work, but for the names of options and parts. If
        `layer_options` does not have one entry per layer, there is not one row of
        labels for each of X, or something is said of labels that there are not.
    FloatingPointError
        If training diverges.
    OSError
        If a temporary file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.training import pretrain
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((100, 6)).round()
    >>> pretrain(X, [4, 2], rng=rng).transform(X).shape
    (100, 2)
    """
    X, labels, sample_weight = checked_input(float, X, labels, sample_weight)
    weigh_labels = label_weight is not None  # alike, too, where rows are not
    label_weight = checked_weight("label_weight", label_weight, X)
    sizes = list(hidden_layer_sizes)
    options = [dict(o) for o in layer_options or [{}] * len(sizes)]
    if len(options) != len(sizes):
        raise ValueError(
            f"layer_options has {len(options)} entries for {len(sizes)} layers; give "
            "one per layer."
        )
    layers = [
        _Machine(n_hidden, option, visible, sample_weight, is_first=not i)
        for i, (n_hidden, option) in enumerate(zip(sizes, options, strict=True))
    ]
    if labels is not None:
        top = layers[-1]
        top.labels, top.options = labels, top.options | (label_options or {})
        top.weight = label_weight if weigh_labels else sample_weight
    elif weigh_labels or label_options is not None:
        raise ValueError(
            "label_weight and label_options are of the machine with labels, and there "
            "are no labels. Pass labels, or leave them out."
        )
    for layer in layers:
        check_options(layer.options | {"hidden_layer_sizes": layer.n_hidden})
    return DBN(
        train_layers(
            X,
            layers,
            name="rbms",
            rng=rng,
            memory_budget=memory_budget,
            task=task,
            history=history,
            state=state,
        )
    )


class _Machine(GreedyLayer):
    """A machine of a stack, on top of the machine below or, the first one, of X."""

    def __init__(
        self,
        n_hidden: int,
        options: dict[str, Any],
        visible: str | Units,
        weight: Array,
        is_first: bool,
    ) -> None:
        self.n_hidden, self.visible, self.weight = n_hidden, visible, weight
        self.hidden_units = options.pop("hidden", "bernoulli")
        self.options, self.is_first, self.labels = options, is_first, None

    def rows(self, encoded: Array) -> Array:
        if self.labels is None:
            return encoded
        return LabelledRows(encoded, self.labels)

    def make(self, rows: Array, below: Any) -> RBM:
        visible = self.visible if below is None else below.hidden
        if self.labels is not None:
            sizes = rows.features.shape[1], rows.labels.shape[1]
            visible = with_labels(get_units(visible), *sizes)
        return RBM(
            rows.shape[1],
            self.n_hidden,
            visible=visible,
            hidden=self.hidden_units,
            dtype=numpy_dtype(rows),
        )

    def length(self, n_rows: int) -> tuple[int, int]:
        asked = (self.options.get(name, "auto") for name in ("batch_size", "max_iter"))
        sampler = self.options.get("sampler", "cd")
        return of_machine(sampler).resolved(n_rows, *asked)

    def begin(self, model: RBM, rows: Array, rng: Any) -> None:
        labelled = self.labels is not None
        means = rows.means if labelled else partial(mean_of_known, rows)
        model.initialize(rng, means(self.weight)[0])

    def train(self, model: RBM, rows: Array, **options: Any) -> None:
        train_rbm(model, rows, **(self.options | options), sample_weight=self.weight)

    def complete(self, encoded: Array) -> Array:
        """Rows with the mean of its column in place of each unknown value."""
        if not self.is_first:
            return encoded
        mean, incomplete = mean_of_known(encoded, self.weight)
        return filled(encoded[:, ...], mean) if incomplete else encoded

    def hidden(self, model: RBM, rows: Array) -> Array:
        return model.mean_hidden(rows)


def begun(state: dict[str, Any]) -> list[RBM]:
    """The machines in the `state` of `pretrain` that have weights to begin with.

    Examples
    --------
    >>> begun({})
    []
    """
    rbms: list[RBM] = state.get("rbms", [])
    return rbms if "epoch" in state.get("layer", {}) else rbms[:-1]


# For activations that a stack can start: the type of hidden units whose mean they give,
# and the number `conversion` gives.
_MATCHES: dict[type[Activation], tuple[type[Units], float]] = {
    Logistic: (Bernoulli, 1.0),
    Tanh: (Bernoulli, 2.0),
    ReLU: (units.ReLU, 1.0),
    Identity: (Gaussian, 1.0),
}


def matching_units(activation: Activation) -> Units:
    """The type of hidden units whose RBMs start layers with an activation.

    Parameters
    ----------
    activation : Activation

    Returns
    -------
    Units
        `Bernoulli` for logistic and tanh, `ReLU` for relu, `Gaussian` for identity, and
        for activations that no RBM starts `Bernoulli`, which then only serves the
        preprocessing.
    """
    return _MATCHES.get(type(activation), (Bernoulli, None))[0]()


def conversion(activation: Activation) -> float:
    """The a with which the activation at z is a * mean(a z) - (a - 1).

    The mean is that of the hidden units of a machine that starts such layers.

    Examples
    --------
    >>> conversion(Tanh())
    2.0
    """
    return _MATCHES[type(activation)][1]


def check_startable(hidden: Units, activation: Activation) -> None:
    """Raise a ValueError unless layers can start from RBMs with these hidden units.

    Parameters
    ----------
    hidden : Units
    activation : Activation
    """
    kind, _ = _MATCHES.get(type(activation), (None, None))
    if kind is None or not isinstance(hidden, kind):
        raise ValueError(
            f"A DBN with {hidden!r} hidden units cannot start layers with the "
            f"activation {activation!r}. Bernoulli hidden units start 'logistic' and "
            "'tanh' layers, ReLU hidden units 'relu' layers and Gaussian ones "
            "'identity' layers; for another activation use init='he_normal' or another "
            "data-free initializer."
        )


# What a start keeps of the stack, by the name that estimators give it.
STRUCTURES = ("dbn", "dbn-resampled", "dbn-shuffled")


class Pretrained(Initializer):
    """Start the hidden layers from a trained DBN, the output layer from Xavier.

    The hidden activities of the net are then those of the DBN: equal for logistic
    layers; for tanh layers, which see 2 h - 1 instead of h, weights and biases are
    converted exactly (tanh(x / 2) = 2 sigmoid(x) - 1). Layers of rectified units take
    weights and biases as they are: max(0, x) is near the mean of a `ReLU` unit, not
    equal to it.

    Two controls keep only the size of the weights: Erhan et al. (2010), "Why does
    unsupervised pre-training help deep learning?", section 6.1, ask in this way whether
    pretraining is more than a good scale.

    Parameters
    ----------
    dbn : DBN
        Copied, never changed.
    structure : {"dbn", "dbn-resampled", "dbn-shuffled"}, default="dbn"
        The machines themselves; weights and biases drawn independently from the
        histogram of each layer's, with replacement; or each layer's weights and biases
        in a random order.

    Raises
    ------
    ValueError
        In `fill`, if the layer sizes or the type of units do not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import DBN, RBM, Network
    >>> from dbn.training import Pretrained
    >>> rng = np.random.default_rng(0)
    >>> dbn = DBN([RBM(4, 3).initialize(rng)])
    >>> net, X = Network([4, 3, 2]), np.ones((1, 4))
    >>> Pretrained(dbn).fill(net, X, rng)
    >>> bool(np.allclose(net.activations(X)[2], dbn.transform(X)))
    True
    """

    def __init__(self, dbn: DBN, structure: str = "dbn") -> None:
        self.dbn = dbn
        self.structure = structure

    def validate(self) -> None:
        if self.structure not in STRUCTURES:
            raise ValueError(
                f"structure={self.structure!r} is not known; use one of {STRUCTURES}."
            )

    def fill(self, network: Network, X: Array, rng: Any) -> None:
        self.validate()
        hidden = network.dense[:-1]
        rbms = converted_beside(self.dbn.rbms, network.params.flat)
        sizes = [tuple(W.shape) for W, _ in hidden]
        found = [(rbm.n_visible, rbm.n_hidden) for rbm in rbms]
        if sizes != found:
            raise ValueError(
                f"The DBN's weights have shapes {found}, the network's hidden layers "
                f"{sizes}. Use the same hidden_layer_sizes for both."
            )
        activations = network.hidden_activations
        for rbm, activation in zip(rbms, activations, strict=True):
            check_startable(rbm.hidden, activation)
        VarianceScaling().fill(network, X, rng)
        sources = [
            tuple(drawn(part, self.structure, rng) for part in (rbm.W, rbm.c))
            for rbm in rbms
        ]
        fill_upwards(hidden, sources, activations)


def fill_upwards(
    layers: Sequence[tuple[Array, Array]],
    sources: Sequence[tuple[Array, ...]],
    activations: Sequence[Activation],
) -> None:
    """Give dense layers the weights and hidden biases of machines, converted.

    Parameters
    ----------
    layers, sources : sequence of (W, c)
        Views of the layers, and what the machines have.
    activations : sequence of Activation
        Of the layers.
    """
    below = 1.0  # the data; a pretrained layer gives a * h - (a - 1) instead of h
    for (W, c), (source_W, source_c), activation in zip(
        layers, sources, activations, strict=True
    ):
        a = conversion(activation)
        shift = (below - 1.0) / below * namespace(W).sum(source_W, axis=0)
        W[...] = source_W / (a * below)
        c[...] = (source_c + shift) / a
        below = a


def drawn(part: Array, structure: str, rng: Any) -> Array:
    """Weights or biases of a machine, or what a control leaves of them."""
    if structure == "dbn":
        return part
    xp, size = namespace(part), math.prod(part.shape)
    shuffled = structure == "dbn-shuffled"
    order = rng.permutation(size) if shuffled else rng.integers(size, size=size)
    return xp.reshape(take_rows(xp.reshape(part, (size,)), order), part.shape)
