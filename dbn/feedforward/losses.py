"""Losses: what the top of a network is trained on.

A loss is a (weighted) mean over rows of a function of the network's output `z`, so its
gradient with respect to `z` does not grow with the size of the batch.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from ..backend.array import dense, log_softmax, mean_weights, softplus
from ..backend.device import namespace
from ..backend.missing import mean_of_known
from ..backend.parts import Part, get_part
from ..backend.rows import row_slices
from ..backend.types import Array

# Of probabilities, so that their logarithms are finite in float32 too.
_LEAST = 1e-7


class Loss(Part):
    """Interface of all losses.

    Methods take the outputs `z` of a network and the targets `y`, both of shape
    (n_rows, n_outputs), and the `weight` of each row, None for equal ones.

    Attributes
    ----------
    low, high : float
        Ends of what targets may be.
    of_category : bool
        Whether all outputs together stand for one thing, of which targets have one
        in all.
    """

    low, high, of_category = -math.inf, math.inf, False

    @abstractmethod
    def entries(self, z: Array, y: Array) -> Array:
        """Terms of the loss in nats, one for each output, shape (n_rows, n_outputs)."""

    def row_values(self, z: Array, y: Array) -> Array:
        """Loss of each row, in nats, shape (n_rows,)."""
        return namespace(z).sum(self.entries(z, y), axis=1)

    @abstractmethod
    def predict(self, z: Array) -> Array:
        """What the network's output stands for: probabilities, or values."""

    @abstractmethod
    def link(self, mean: Array) -> Array:
        """An output of the network that stands for the prediction `mean`."""

    def check_outputs(self, n: int) -> None:
        """Raise a ValueError unless it can be that of `n` outputs; any by default."""

    def split(self, n: int) -> list[tuple["Loss", slice]]:
        """The losses that this one is made of, and which of `n` outputs each has.

        Examples
        --------
        >>> from dbn.feedforward import SquaredError
        >>> SquaredError().split(5)
        [(SquaredError(), slice(0, 5, None))]
        """
        return [(self, slice(0, n))]

    def constant(self, y: Array, weight: Array = None) -> float:
        """Mean loss of the best prediction that is the same for all rows, in nats.

        Parameters
        ----------
        y : array, scipy sparse CSR or LazyRows of shape (n_rows, n_outputs)
        weight : array of shape (n_rows,), optional
            Weights of the rows. Default: all equal.

        Examples
        --------
        >>> import numpy as np
        >>> from dbn.feedforward import SoftmaxCrossEntropy
        >>> round(SoftmaxCrossEntropy().constant(np.eye(2)), 4)  # log 2
        0.6931
        """
        z = self.link(mean_of_known(y, weight)[0][None, :])
        total, share = 0.0, mean_weights(y, weight)
        for rows in row_slices(y):
            part = dense(y[rows, ...])
            all_z = namespace(z).broadcast_to(z, part.shape)
            total += float(share[rows] @ self.row_values(all_z, part))
        return total

    def value(self, z: Array, y: Array, weight: Array = None) -> Array:
        """Mean loss over the rows, in nats.

        Parameters
        ----------
        z, y : array of shape (n_rows, n_outputs)
        weight : array of shape (n_rows,), optional
            Weights of the rows. Default: all equal.
        """
        return mean_weights(z, weight) @ self.row_values(z, y)

    def gradient(self, z: Array, y: Array, weight: Array = None) -> Array:
        """Gradient of `value` with respect to `z`.

        The losses here belong to the canonical link of an exponential family, where
        it is (prediction - target) / n_rows.
        """
        return (self.predict(z) - y) * mean_weights(z, weight)[:, None]

    def value_and_gradient(
        self, z: Array, y: Array, weight: Array = None
    ) -> tuple[Array, Array]:
        """Both, in less time where they have something in common.

        Examples
        --------
        >>> import numpy as np
        >>> from dbn.feedforward import SoftmaxCrossEntropy
        >>> loss, z, y = SoftmaxCrossEntropy(), np.zeros((1, 2)), np.array([[1.0, 0.0]])
        >>> value, gradient = loss.value_and_gradient(z, y)
        >>> round(float(value), 4), gradient
        (0.6931, array([[-0.5,  0.5]]))
        """
        return self.value(z, y, weight), self.gradient(z, y, weight)


class SoftmaxCrossEntropy(Loss):
    """Cross-entropy of softmax probabilities; `y` holds one-hot rows.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import SoftmaxCrossEntropy
    >>> SoftmaxCrossEntropy().predict(np.zeros((1, 4)))
    array([[0.25, 0.25, 0.25, 0.25]])
    """

    low, high, of_category = 0.0, 1.0, True

    def entries(self, z: Array, y: Array) -> Array:
        return -(y * log_softmax(z))

    def predict(self, z: Array) -> Array:
        return namespace(z).exp(log_softmax(z))

    def value_and_gradient(
        self, z: Array, y: Array, weight: Array = None
    ) -> tuple[Array, Array]:
        # Of an update of a small net the logarithm of a softmax is a sixth.
        xp, log_p, weight = namespace(z), log_softmax(z), mean_weights(z, weight)
        value = weight @ -xp.sum(y * log_p, axis=1)
        return value, (xp.exp(log_p) - y) * weight[:, None]

    def link(self, mean: Array) -> Array:
        return namespace(mean).log(namespace(mean).clip(mean, _LEAST, None))


class BinaryCrossEntropy(Loss):
    """Cross-entropy of independent logistic outputs, summed over them.

    For several labels per row: `y` holds 0 or 1 (or a probability) for each.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import BinaryCrossEntropy
    >>> BinaryCrossEntropy().predict(np.zeros((1, 4)))
    array([[0.5, 0.5, 0.5, 0.5]])
    """

    low, high = 0.0, 1.0

    def entries(self, z: Array, y: Array) -> Array:
        xp = namespace(z)
        # softplus(z) - y z, with the large parts cancelled before they swallow the rest
        rest = xp.log1p(xp.exp(-xp.abs(z)))
        return xp.clip(z, 0.0, None) - y * z + rest

    def predict(self, z: Array) -> Array:
        # same as: sigmoid(z), which gives 0 for a float32 logit of -20
        return namespace(z).exp(-softplus(-z))

    def link(self, mean: Array) -> Array:
        xp = namespace(mean)
        mean = xp.clip(mean, _LEAST, 1.0 - _LEAST)
        return xp.log(mean) - xp.log1p(-mean)


class SquaredError(Loss):
    """Half the squared error, summed over the outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import SquaredError
    >>> float(SquaredError().value(np.array([[3.0]]), np.array([[1.0]])))
    2.0
    """

    def entries(self, z: Array, y: Array) -> Array:
        return 0.5 * (z - y) ** 2

    def predict(self, z: Array) -> Array:
        return z

    def link(self, mean: Array) -> Array:
        return mean


class SpinCrossEntropy(Loss):
    """Cross-entropy of independent outputs of -1 and 1, summed over them.

    The output z stands for the mean tanh(z), as that of `dbn.boltzmann.Spin` units.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import SpinCrossEntropy
    >>> SpinCrossEntropy().predict(np.zeros((1, 2)))
    array([[0., 0.]])
    """

    low, high = -1.0, 1.0

    def entries(self, z: Array, y: Array) -> Array:
        xp = namespace(z)
        # log(2 cosh z) - y z
        rest = xp.log1p(xp.exp(-2.0 * xp.abs(z)))
        return xp.abs(z) - y * z + rest

    def predict(self, z: Array) -> Array:
        return namespace(z).tanh(z)

    def link(self, mean: Array) -> Array:
        xp = namespace(mean)
        return xp.atanh(xp.clip(mean, _LEAST - 1.0, 1.0 - _LEAST))


class BlockLoss(Loss):
    """A loss for each block of columns, added up.

    Parameters
    ----------
    blocks : sequence of (Loss, int)
        Loss and number of columns of each block, in the order of the columns.

    Raises
    ------
    ValueError
        When a network is built, if there is no block, or one is no such pair.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import BlockLoss, SoftmaxCrossEntropy, SquaredError
    >>> table = BlockLoss([(SquaredError(), 1), (SoftmaxCrossEntropy(), 2)])
    >>> table.predict(np.array([[7.0, 0.0, 0.0]]))
    array([[7. , 0.5, 0.5]])
    """

    def __init__(self, blocks: Sequence[tuple[Loss, int]]) -> None:
        self.blocks = blocks

    def validate(self) -> None:
        blocks = self.blocks if isinstance(self.blocks, list | tuple) else ()
        for block in blocks:
            if not (
                isinstance(block, list | tuple)
                and len(block) == 2
                and isinstance(block[0], Loss)
                and isinstance(block[1], int | np.integer)
                and block[1] > 0
            ):
                raise ValueError(
                    "BlockLoss needs blocks (loss, number of columns), such as "
                    f"(SquaredError(), 5); one is {block!r:.200}."
                )
            block[0].validate()
        if not blocks:
            raise ValueError(
                "BlockLoss needs at least one block, as in BlockLoss([(SquaredError(), "
                f"5), (BinaryCrossEntropy(), 3)]); blocks is {self.blocks!r:.200}."
            )

    def check_outputs(self, n: int) -> None:
        sizes = [size for _, size in self.blocks]
        if sum(sizes) != n:
            raise ValueError(
                f"The blocks of the loss have {sizes!s:.200} columns, {sum(sizes)} in "
                f"all, and the net {n} outputs. Give a block for each of them."
            )

    def split(self, n: int) -> list[tuple[Loss, slice]]:
        ends = list(accumulate((size for _, size in self.blocks), initial=0))
        losses = (loss for loss, _ in self.blocks)
        return list(zip(losses, map(slice, ends, ends[1:]), strict=False))

    def entries(self, z: Array, y: Array) -> Array:
        parts = [
            loss.entries(z[:, own], y[:, own]) for loss, own in self.split(z.shape[1])
        ]
        return namespace(z).concat(parts, axis=1)

    def predict(self, z: Array) -> Array:
        parts = [loss.predict(z[:, own]) for loss, own in self.split(z.shape[1])]
        return namespace(z).concat(parts, axis=1)

    def link(self, mean: Array) -> Array:
        parts = [loss.link(mean[:, own]) for loss, own in self.split(mean.shape[1])]
        return namespace(mean).concat(parts, axis=1)


class OfKnown(Loss):
    """A loss of what is known: entries of `y` that are NaN count for nothing.

    Parameters
    ----------
    loss : Loss
        Of all entries.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import OfKnown, SquaredError
    >>> z, y = np.array([[3.0, 5.0]]), np.array([[1.0, np.nan]])
    >>> OfKnown(SquaredError()).row_values(z, y)
    array([2.])
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def validate(self) -> None:
        get_part(self.loss, Loss, {}, "loss")

    def check_outputs(self, n: int) -> None:
        self.loss.check_outputs(n)

    def entries(self, z: Array, y: Array) -> Array:
        unknown, y = _filled(y)
        entries = self.loss.entries(z, y)
        return entries if unknown is None else _without(entries, unknown)

    def predict(self, z: Array) -> Array:
        return self.loss.predict(z)

    def link(self, mean: Array) -> Array:
        return self.loss.link(mean)

    def gradient(self, z: Array, y: Array, weight: Array = None) -> Array:
        unknown, y = _filled(y)
        slope = self.loss.gradient(z, y, weight)
        return slope if unknown is None else _without(slope, unknown)


def _filled(y: Array) -> tuple[Array, Array]:
    """Which entries are not known, None for none, and `y` with 0 in their place."""
    unknown = y != y
    # On a device the answer would have to be awaited, and to fill nothing is cheap.
    if isinstance(unknown, np.ndarray) and not unknown.any():
        return None, y
    return unknown, _without(y, unknown)


def _without(values: Array, unknown: Array) -> Array:
    return namespace(values).where(unknown, 0.0, values)


LOSSES: dict[str, type[Loss]] = {
    "cross_entropy": SoftmaxCrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "squared_error": SquaredError,
}


def get_loss(loss: str | Loss) -> Loss:
    """Return `loss` itself, or the loss that the string names.

    Parameters
    ----------
    loss : {"cross_entropy", "binary_cross_entropy", "squared_error"} or Loss

    Raises
    ------
    ValueError
        If `loss` is neither.

    Examples
    --------
    >>> get_loss("squared_error")
    SquaredError()
    """
    return get_part(loss, Loss, LOSSES, "loss")
