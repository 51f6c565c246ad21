"""A stack of machines unrolled into an autoencoder."""

from itertools import groupby
from typing import Any

from ..backend.device import converted_beside, namespace
from ..backend.types import Array
from ..boltzmann import RBM, Units
from ..feedforward import (
    BinaryCrossEntropy,
    BlockLoss,
    Loss,
    Network,
    SoftmaxCrossEntropy,
    SpinCrossEntropy,
    SquaredError,
)
from .pretraining import (
    Pretrained,
    check_startable,
    conversion,
    drawn,
    fill_upwards,
)


class Unrolled(Pretrained):
    """Start an autoencoder from a trained DBN.

    Hinton and Salakhutdinov (2006): the encoder is the stack, as `Pretrained` copies
    it; the decoder has the transposed weights and the visible biases, and is free from
    then on. Before it is trained the net gives what the stack gives in a mean-field
    pass up and down, in which logistic, tanh and linear layers are converted exactly.

    Parameters
    ----------
    dbn : DBN
        Copied, never changed.
    structure : {"dbn", "dbn-resampled", "dbn-shuffled"}, default="dbn"
        As for `Pretrained`; the decoder has the transposes of what the encoder has.

    Raises
    ------
    ValueError
        In `fill`, if the layer sizes, the types of units or the loss do not fit the
        network, or its activations are not the same on both sides of the code.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import DBN, RBM, Network
    >>> from dbn.training import Unrolled
    >>> rng = np.random.default_rng(0)
    >>> dbn = DBN([RBM(4, 3).initialize(rng), RBM(3, 2).initialize(rng)])
    >>> net, X = Network([4, 3, 2, 3, 4], loss="binary_cross_entropy"), np.eye(4)
    >>> Unrolled(dbn).fill(net, X, rng)
    >>> bool(np.allclose(net.predict(X), dbn.inverse_transform(dbn.transform(X))))
    True
    """

    def fill(self, network: Network, X: Array, rng: Any) -> None:
        self.validate()
        machines = converted_beside(self.dbn.rbms, network.params.flat)
        n, layers, activations = (
            len(machines),
            network.dense,
            network.hidden_activations,
        )
        self._check(network, machines)
        parts = [
            tuple(drawn(part, self.structure, rng) for part in (m.W, m.c, m.b))
            for m in machines
        ]
        fill_upwards(layers[:n], [(W, c) for W, c, _ in parts], activations[:n])
        for i, (machine, (W, _, b)) in enumerate(zip(machines, parts, strict=True)):
            # The layer above gives a * h - (a - 1) instead of h.
            a = conversion(activations[i])
            x_W, x_c = W.T / a, b + (a - 1.0) / a * namespace(W).sum(W, axis=1)
            scale = 1.0 / conversion(activations[i - 1]) if i else _slopes(machine)
            own_W, own_c = layers[-1 - i]
            own_W[...], own_c[...] = x_W * scale, x_c * scale

    def _check(self, network: Network, machines: list[RBM]) -> None:
        """Raise a ValueError unless the network is one that the stack can start."""
        sizes = [m.n_visible for m in machines] + [machines[-1].n_hidden]
        needed = [*sizes, *reversed(sizes[:-1])]
        if (found := network.architecture["layer_sizes"]) != needed:
            raise ValueError(
                f"The DBN unrolled has the layer sizes {needed}, the network {found}. "
                "Use the same hidden_layer_sizes for both."
            )
        activations = network.hidden_activations
        if activations != activations[::-1]:
            raise ValueError(
                f"The activations {activations} are not the same on both sides of the "
                "code, in reverse order. Give the decoder those of the encoder."
            )
        for machine, activation in zip(machines, activations, strict=False):
            check_startable(machine.hidden, activation)


def _slopes(machine: RBM) -> Array:
    """What a visible unit's input is multiplied by, to be the output of the net.

    Outputs of normal units are their means, the input times the variance; other losses
    have the mean as a function of the input, as the units do.
    """
    b, xp = machine.b, namespace(machine.b)
    parts = [
        units.variance(b[None, columns], p)[0, :]
        if units.linear
        else xp.ones_like(b[columns])
        for columns, units, p in machine.visible.split(b.shape[0], machine.p_visible)
    ]
    return xp.concat(parts)


def reconstruction_loss(units: Units, n: int) -> Loss:
    """The loss of an autoencoder of `n` columns with these units.

    Cross-entropy where they lie in [0, 1] or [-1, 1], for each group of columns that
    are one unit; squared error of all others.

    Examples
    --------
    >>> from dbn.boltzmann import Bernoulli, Gaussian, Mixed
    >>> reconstruction_loss(Bernoulli(), 5)
    BinaryCrossEntropy()
    >>> reconstruction_loss(Mixed(((Gaussian(), 1), (Bernoulli(), 2))), 3).blocks
    [(SquaredError(), 1), (BinaryCrossEntropy(), 2)]
    """
    found: list[tuple[Loss, int]] = []
    for columns, block, _ in units.split(n):
        n_columns = columns.stop - columns.start
        if block.group_size > 1:
            groups = block.groups(n_columns)
            found += [
                (SoftmaxCrossEntropy(), own.stop - own.start) for own, *_ in groups
            ]
        else:
            found.append(
                (_OF_RANGE.get((block.low, block.high), SquaredError)(), n_columns)
            )
    blocks: list[tuple[Loss, int]] = []
    for loss, run in groupby(found, key=lambda block: block[0]):
        sizes = [size for _, size in run]
        single = not isinstance(loss, SoftmaxCrossEntropy)
        blocks += [(loss, size) for size in ([sum(sizes)] if single else sizes)]
    return blocks[0][0] if len(blocks) == 1 else BlockLoss(blocks)


def check_reconstruction_loss(loss: Loss, units: Units, n: int) -> None:
    """Raise a ValueError unless `n` columns with these units may have the loss.

    Outside the range of its targets it has no minimum, and falls without end.

    Examples
    --------
    >>> from dbn.boltzmann import Bernoulli
    >>> check_reconstruction_loss(SquaredError(), Bernoulli(), 5)
    """
    natural = reconstruction_loss(units, n)
    categories = [own for part, own in natural.split(n) if part.of_category]
    lows, highs = units.per_column("low", n), units.per_column("high", n)
    for part, own in loss.split(n):
        low, high = lows[own].min(), highs[own].max()
        if part.of_category and own not in categories:
            needs = "columns of one category, with one in all"
        elif low < part.low or high > part.high:
            needs = f"values in [{part.low:g}, {part.high:g}]"
        else:
            continue
        raise ValueError(
            f"The loss {part!r} needs {needs}; columns {own.start} to {own.stop - 1} "
            f"have {units!r:.200} visible units, whose values lie in [{low:g}, "
            f"{high:g}]. Leave loss at 'auto', which is {natural!r:.200}, or scale X "
            "and set the visible units of rbm."
        )


_OF_RANGE: dict[tuple[float, float], type[Loss]] = {
    (0.0, 1.0): BinaryCrossEntropy,
    (-1.0, 1.0): SpinCrossEntropy,
}
