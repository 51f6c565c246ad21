"""Losses: what the top of a network is trained on.

A loss is a (weighted) mean over rows of a function of the network's output `z`, so its
gradient with respect to `z` does not grow with the size of the batch.
"""

from abc import abstractmethod

from ..backend.array import log_softmax, mean_weights, softplus
from ..backend.device import namespace
from ..backend.parts import Part, get_part
from ..backend.types import Array

# Of probabilities, so that their logarithms are finite in float32 too.
_LEAST = 1e-7


class Loss(Part):
    """Interface of all losses; `z` and `y` have shape (n_rows, n_outputs)."""

    @abstractmethod
    def row_values(self, z: Array, y: Array) -> Array:
        """Loss of each row, in nats, shape (n_rows,)."""

    @abstractmethod
    def predict(self, z: Array) -> Array:
        """What the network's output stands for: probabilities, or values."""

    @abstractmethod
    def link(self, mean: Array) -> Array:
        """An output of the network that stands for the prediction `mean`."""

    def constant(self, y: Array, weight: Array = None) -> float:
        """Mean loss of the best prediction that is the same for all rows, in nats.

        Parameters
        ----------
        y : array of shape (n_rows, n_outputs)
        weight : array of shape (n_rows,), optional
            Weights of the rows. Default: all equal.

        Examples
        --------
        >>> import numpy as np
        >>> from dbn.feedforward import SoftmaxCrossEntropy
        >>> round(SoftmaxCrossEntropy().constant(np.eye(2)), 4)  # log 2
        0.6931
        """
        mean = (mean_weights(y, weight) @ y)[None, :]
        return float(self.value(0.0 * y + self.link(mean), y, weight))

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

    def row_values(self, z: Array, y: Array) -> Array:
        return -namespace(z).sum(y * log_softmax(z), axis=1)

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

    def row_values(self, z: Array, y: Array) -> Array:
        xp = namespace(z)
        # softplus(z) - y z, with the large parts cancelled before they swallow the rest
        rest = xp.log1p(xp.exp(-xp.abs(z)))
        return xp.sum(xp.clip(z, 0.0, None) - y * z + rest, axis=1)

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

    def row_values(self, z: Array, y: Array) -> Array:
        return 0.5 * namespace(z).sum((z - y) ** 2, axis=1)

    def predict(self, z: Array) -> Array:
        return z

    def link(self, mean: Array) -> Array:
        return mean


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
