"""Losses: what the top of a network is trained on.

A loss is a (weighted) mean over rows of a function of the network's output `z`, so its
gradient with respect to `z` does not grow with the size of the batch.
"""

from abc import abstractmethod

from ..backend.array import log_softmax, mean_weights, softplus
from ..backend.device import namespace
from ..backend.parts import Part, get_part
from ..backend.types import Array


class Loss(Part):
    """Interface of all losses; `z` and `y` have shape (n_rows, n_outputs)."""

    @abstractmethod
    def row_values(self, z: Array, y: Array) -> Array:
        """Loss of each row, in nats, shape (n_rows,)."""

    @abstractmethod
    def predict(self, z: Array) -> Array:
        """What the network's output stands for: probabilities, or values."""

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


class SoftmaxCrossEntropy(Loss):
    """Cross-entropy of softmax probabilities; `y` holds one-hot rows.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import SoftmaxCrossEntropy
    >>> SoftmaxCrossEntropy().predict(np.zeros((1, 4)))
    array([[0.25, 0.25, 0.25, 0.25]])
    """

    def row_values(self, z: Array, y: Array) -> Array:
        return -namespace(z).sum(y * log_softmax(z), axis=1)

    def predict(self, z: Array) -> Array:
        return namespace(z).exp(log_softmax(z))


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

    def row_values(self, z: Array, y: Array) -> Array:
        xp = namespace(z)
        # softplus(z) - y z, with the large parts cancelled before they swallow the rest
        rest = xp.log1p(xp.exp(-xp.abs(z)))
        return xp.sum(xp.clip(z, 0.0, None) - y * z + rest, axis=1)

    def predict(self, z: Array) -> Array:
        # same as: sigmoid(z), which gives 0 for a float32 logit of -20
        return namespace(z).exp(-softplus(-z))


class SquaredError(Loss):
    """Half the squared error, summed over the outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.feedforward import SquaredError
    >>> float(SquaredError().value(np.array([[3.0]]), np.array([[1.0]])))
    2.0
    """

    def row_values(self, z: Array, y: Array) -> Array:
        return 0.5 * namespace(z).sum((z - y) ** 2, axis=1)

    def predict(self, z: Array) -> Array:
        return z


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
