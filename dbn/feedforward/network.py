"""The feed-forward net: layers, one loss, one flat parameter buffer."""

from itertools import pairwise
from numbers import Integral

import numpy as np

from ..backend.array import map_batches
from ..backend.parameters import Parameters
from .layers import Dense, get_activation
from .losses import get_loss


class Network:
    """Dense layers with one activation between them and a loss on top.

    Parameters
    ----------
    layer_sizes : sequence of int
        Numbers of inputs, of units in each hidden layer, and of outputs.
    activation : {"logistic", "tanh", "relu"} or Activation, default="logistic"
        Of all hidden layers.
    loss : {"cross_entropy", "squared_error"} or Loss, default="cross_entropy"
    dtype : dtype, default=float64
        Of the parameters, which start at zero: an initializer fills them.

    Attributes
    ----------
    params : Parameters
        Parts ``"W0"``, ``"c0"``, ``"W1"``, ... from the data upwards.
    activation : Activation
    layers : list of Layer

    Raises
    ------
    ValueError
        If there are fewer than two sizes, or a part is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import Network
    >>> net = Network([4, 3, 2], activation="tanh")
    >>> net.predict(np.ones((1, 4)))
    array([[0.5, 0.5]])
    """

    def __init__(
        self,
        layer_sizes,
        *,
        activation="logistic",
        loss="cross_entropy",
        dtype=np.float64,
    ):
        sizes = list(layer_sizes)
        if len(sizes) < 2 or not all(isinstance(n, Integral) and n > 0 for n in sizes):
            raise ValueError(
                "A network needs positive sizes of its inputs, hidden layers and "
                f"outputs, at least two; layer_sizes is {sizes}."
            )
        self.activation = get_activation(activation)
        self.loss = get_loss(loss)
        self.layers = [Dense(sizes[0], sizes[1])]
        for n_in, n_out in pairwise(sizes[1:]):
            self.layers += [self.activation, Dense(n_in, n_out)]
        # For each layer, its own names of its parameters and theirs in the buffer.
        self._names = [
            {name: f"{name}{i // 2}" for name in layer.shapes()}
            for i, layer in enumerate(self.layers)
        ]
        self.params = Parameters(
            {
                names[name]: shape
                for layer, names in zip(self.layers, self._names, strict=True)
                for name, shape in layer.shapes().items()
            },
            dtype=dtype,
        )

    def __repr__(self):
        sizes = [self.layers[0].n_in] + [layer.n_out for layer in self.layers[::2]]
        return f"Network({sizes}, activation={self.activation!r}, loss={self.loss!r})"

    @property
    def dense(self):
        """The (W, c) views of each dense layer, from the data upwards."""
        n_dense = (len(self.layers) + 1) // 2
        return [(self.params[f"W{i}"], self.params[f"c{i}"]) for i in range(n_dense)]

    def _views(self, params):
        """Each layer's own parameters, by the layer's names for them."""
        return [
            {name: params[key] for name, key in names.items()} for names in self._names
        ]

    def activations(self, X):
        """Outputs of every layer for rows `X`, the input first and `z` last."""
        outputs = [X]
        for layer, p in zip(self.layers, self._views(self.params), strict=True):
            outputs.append(layer.forward(outputs[-1], p))
        return outputs

    def forward(self, X):
        """Output `z` (logits or values), shape (n_rows, n_outputs)."""
        return map_batches(lambda rows: self.activations(rows)[-1], X)

    def predict(self, X):
        """Class probabilities, or values, shape (n_rows, n_outputs)."""
        return self.loss.predict(self.forward(X))

    def gradient(self, X, y, out, weight=None):
        """Back-propagate the mean loss over rows; return that loss in nats.

        Parameters
        ----------
        X : array of shape (n_rows, n_inputs)
        y : array of shape (n_rows, n_outputs)
        out : Parameters
            Receives the gradient.
        weight : array of shape (n_rows,), optional
            Weights of the rows. Default: all equal.
        """
        outputs = self.activations(X)
        delta = self.loss.gradient(outputs[-1], y, weight)
        p, g = self._views(self.params), self._views(out)
        for i in reversed(range(len(self.layers))):
            x, z = outputs[i], outputs[i + 1]
            delta = self.layers[i].backward(delta, x, z, p[i], g[i], i > 0)
        return self.loss.value(outputs[-1], y, weight)
