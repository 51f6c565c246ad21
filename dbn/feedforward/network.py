"""The feed-forward net: layers, one loss, one flat parameter buffer."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, Self

import numpy as np

from ..backend.array import map_batches
from ..backend.parameters import Parameters
from ..backend.types import Array
from .layers import (
    Activation,
    Activations,
    Dense,
    Layer,
    Shapes,
    Views,
    get_activation,
    get_activations,
)
from .losses import Loss, get_loss
from .regularizers import BatchNorm, Dropout, limit_norms


class Network:
    """Dense layers with activations between them and a loss on top.

    Parameters
    ----------
    layer_sizes : sequence of int
        Numbers of inputs, of units in each hidden layer, and of outputs.
    activation : str, Activation or list of them, default="logistic"
        Of all hidden layers, or one for each; `get_activation` lists the names.
    loss : str or Loss, default="cross_entropy"
        `get_loss` lists the names.
    dropout : float or sequence of float, default=0.0
        Probability that a unit is dropped in training: one number for the hidden
        layers, or one for the inputs and each hidden layer.
    batch_norm : bool, default=False
        Whether batch normalization stands between each hidden dense layer and its
        activation.
    dtype : dtype, default=float64
        Of the parameters, which start at zero: an initializer fills weights and biases.
        Batch normalization starts with gamma and variance 1.

    Attributes
    ----------
    params : Parameters
        What is trained: parts ``"W0"``, ``"c0"``, (``"gamma0"``, ``"beta0"``,)
        ``"W1"``, ... from the data upwards.
    statistics : Parameters
        What batch normalization measures: ``"mean0"``, ``"variance0"``, ...; otherwise
        empty.
    activation : Activation or list of Activation
        A list where hidden layers have different ones.
    hidden_activations : list of Activation
        Of each hidden layer.
    dropout : list of float
        Rate at the input of each dense layer.
    layers : list of Layer

    Raises
    ------
    ValueError
        If there are fewer than two sizes, a part is not known, or a rate of dropout is
        outside [0, 1).

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
        layer_sizes: Sequence[int],
        *,
        activation: Activations = "logistic",
        loss: str | Loss = "cross_entropy",
        dropout: float | Sequence[float] = 0.0,
        batch_norm: bool = False,
        dtype: Any = np.float64,
    ) -> None:
        sizes: list[Any] = list(layer_sizes)
        whole = all(isinstance(n, Integral) for n in sizes)
        if len(sizes) < 2 or not whole or min(sizes) < 1:
            raise ValueError(
                "A network needs positive sizes of its inputs, hidden layers and "
                f"outputs, at least two; layer_sizes is {sizes}."
            )
        activations = get_activations(activation, len(sizes) - 2)
        # Where there is no hidden layer, it is only remembered.
        self._named = activations[0] if activations else _single(activation)
        self.loss = get_loss(loss)
        self.loss.check_outputs(sizes[-1])
        self.dropout = _dropout_rates(dropout, len(sizes) - 1)
        self.layers, blocks = _make_layers(sizes, activations, self.dropout, batch_norm)
        self._keys, self.params = _buffer(
            [layer.shapes() for layer in self.layers], blocks, dtype
        )
        self._measured, self.statistics = _buffer(
            [layer.statistics() for layer in self.layers], blocks, dtype
        )
        for layer, p in zip(self.layers, self._views(), strict=True):
            layer.reset(p)

    @property
    def hidden_activations(self) -> list[Activation]:
        """Activation of each hidden layer, from the data upwards."""
        return [layer for layer in self.layers if isinstance(layer, Activation)]

    @property
    def activation(self) -> Activation | list[Activation]:
        """That of all hidden layers, or a list where they have different ones."""
        first, *others = self.hidden_activations or [self._named]
        alike = all(one is first or one == first for one in others)
        return first if alike else [first, *others]

    @property
    def architecture(self) -> dict[str, Any]:
        """What it is built as: the arguments of the constructor, but for `dtype`."""
        dense = [layer for layer in self.layers if isinstance(layer, Dense)]
        return {
            "layer_sizes": [int(dense[0].n_in), *(int(d.n_out) for d in dense)],
            "activation": self.activation,
            "loss": self.loss,
            "dropout": self.dropout,
            "batch_norm": any(isinstance(layer, BatchNorm) for layer in self.layers),
        }

    @property
    def is_as_built(self) -> bool:
        """Whether the layers are those that the constructor makes of `architecture`.

        Other activations may have been put in place of those it was built with; of all
        else nothing may have been exchanged.
        """
        sizes, _, _, dropout, batch_norm = self.architecture.values()
        activations = self.hidden_activations
        return (
            len(activations) == len(sizes) - 2
            and self.layers
            == (_make_layers(sizes, activations, dropout, batch_norm)[0])
        )

    def cut(self, n: int) -> tuple["Network", "Network"]:
        """The hidden layers up to the `n`-th, and what is above it, over one buffer.

        `forward` of the first gives the outputs of that hidden layer, from which the
        second goes on: of an autoencoder, encoder and decoder. They are views, for
        prediction only.

        Examples
        --------
        >>> import numpy as np
        >>> from dbn import Network
        >>> net, X = Network([4, 3, 2, 4], loss="squared_error"), np.ones((1, 4))
        >>> lower, upper = net.cut(2)
        >>> lower.forward(X)
        array([[0.5, 0.5]])
        >>> bool((upper.forward(lower.forward(X)) == net.forward(X)).all())
        True
        """
        places = [i for i, x in enumerate(self.layers) if isinstance(x, Activation)]
        end, parts = places[n - 1] + 1, (copy.copy(self), copy.copy(self))
        for part, own in zip(parts, (slice(end), slice(end, None)), strict=True):
            part.layers = self.layers[own]
            part._keys, part._measured = self._keys[own], self._measured[own]
        return parts

    def __repr__(self) -> str:
        sizes, activation, loss, dropout, batch_norm = self.architecture.values()
        shown = [f"{sizes}, activation={activation!r}, loss={loss!r}"]
        if any(dropout):
            shown.append(f"dropout={dropout}")
        if batch_norm:
            shown.append("batch_norm=True")
        return f"Network({', '.join(shown)})"

    def __sklearn_array_api_convert__(
        self, converter: Callable[[Array], Array]
    ) -> Self:
        """The same net with its buffers as `converter` returns them."""
        moved = copy.copy(self)
        moved.params = self.params.converted(converter)
        moved.statistics = self.statistics.converted(converter)
        return moved

    @property
    def dense(self) -> list[tuple[Array, Array]]:
        """The (W, c) views of each dense layer, from the data upwards."""
        return [
            (p["W"], p["c"])
            for layer, p in zip(self.layers, self._views(), strict=True)
            if isinstance(layer, Dense)
        ]

    def _views(self) -> list[Views]:
        """Each layer's parameters and statistics, by the layer's names for them."""
        trained = _select(self.params, self._keys)
        measured = _select(self.statistics, self._measured)
        return [p | s for p, s in zip(trained, measured, strict=True)]

    def activations(self, X: Array) -> list[Array]:
        """Outputs of every layer for rows `X`, the input first and `z` last.

        As in prediction: nothing is dropped, and batch normalization uses its running
        averages.
        """
        outputs = [X]
        for layer, p in zip(self.layers, self._views(), strict=True):
            outputs.append(layer.forward(outputs[-1], p))
        return outputs

    def forward(self, X: Array) -> Array:
        """Output (logits or values) at rows `X`, shape (n_rows, n_outputs)."""
        return map_batches(lambda rows: self.activations(rows)[-1], X)

    def predict(self, X: Array) -> Array:
        """Class probabilities, or values, at rows `X`, shape (n_rows, n_outputs)."""
        return self.loss.predict(self.forward(X))

    def gradient(
        self,
        X: Array,
        y: Array,
        out: Parameters,
        weight: Array = None,
        rng: Any = None,
    ) -> Array:
        """Back-propagate the mean loss over rows; return that loss in nats.

        This is a pass in training: units are dropped, and batch normalization uses the
        moments of these rows and moves its running averages.

        Parameters
        ----------
        X : array of shape (n_rows, n_inputs)
        y : array of shape (n_rows, n_outputs)
        out : Parameters
            Receives the gradient.
        weight : array of shape (n_rows,), optional
            Weights of the rows. Default: all equal.
        rng : numpy.random.Generator, optional
            For the masks of dropout.

        Raises
        ------
        ValueError
            With dropout and without `rng`.
        """
        p, g = self._views(), _select(out, self._keys)
        outputs: list[Array] = [X]
        caches: list[Any] = []
        for layer, views in zip(self.layers, p, strict=True):
            output, cache = layer.forward_training(outputs[-1], views, weight, rng)
            outputs.append(output)
            caches.append(cache)
        loss, delta = self.loss.value_and_gradient(outputs[-1], y, weight)
        # Below the lowest layer with parameters nobody needs a gradient.
        lowest = next(i for i, views in enumerate(g) if views)
        for i in reversed(range(lowest, len(self.layers))):
            layer, x, z = self.layers[i], outputs[i], outputs[i + 1]
            delta = layer.backward(delta, x, z, p[i], g[i], i > lowest, caches[i])
        return loss

    def calibrate(self, X: Array, weight: Array = None) -> None:
        """Set batch normalization so that, in prediction, it changes nothing.

        Running averages become the mean and variance of the pre-activations on `X`,
        gamma and beta their standard deviation and mean: a net with pretrained weights
        predicts what it would without batch normalization.

        Parameters
        ----------
        X : array of shape (n_rows, n_inputs)
        weight : array of shape (n_rows,), optional
            Weights of the rows. Default: all equal.
        """
        for layer, p in zip(self.layers, self._views(), strict=True):
            if isinstance(layer, BatchNorm):
                layer.calibrate(X, p, weight)
            if not isinstance(layer, Dropout):  # X may still be sparse
                X = map_batches(partial(layer.forward, p=p), X)

    def folded(self) -> list[tuple[Array, Array]]:
        """The (W, c) of each dense layer, batch normalization in prediction included.

        Returns
        -------
        list of (array of shape (n_in, n_out), array of shape (n_out,))
        """
        found: list[tuple[Array, Array]] = []
        for layer, p in zip(self.layers, self._views(), strict=True):
            if isinstance(layer, Dense):
                found.append((p["W"], p["c"]))
            elif isinstance(layer, BatchNorm):
                found[-1] = layer.fold(*found[-1], p)
        return found

    def limit_norms(self, max_norm: float) -> None:
        """Shorten each unit's vector of incoming weights to at most `max_norm`.

        In place, for hidden and output units; see `dbn.feedforward.limit_norms`.
        """
        for W, _ in self.dense:
            limit_norms(W, max_norm)


def _single(activation: Activations) -> Activation:
    """What a net without hidden layers remembers as its activation."""
    named = "logistic" if isinstance(activation, list | tuple) else activation
    return get_activation(named)  # type: ignore[arg-type]


def _make_layers(
    sizes: Sequence[int],
    activations: list[Activation],
    dropout: list[float],
    batch_norm: bool,
) -> tuple[list[Layer], list[int]]:
    """The layers of a net, and for each the number of its dense layer."""
    made: list[Layer] = []
    blocks: list[int] = []
    pairs = zip(pairwise(sizes), dropout, strict=True)
    for block, ((n_in, n_out), rate) in enumerate(pairs):
        layers: list[Layer] = [Dropout(rate)] if rate else []
        layers.append(Dense(n_in, n_out))
        if block < len(sizes) - 2:
            layers += [BatchNorm(n_out)] if batch_norm else []
            layers.append(activations[block])
        made += layers
        blocks += [block] * len(layers)
    return made, blocks


def _dropout_rates(dropout: Any, n_layers: int) -> list[float]:
    """Rate at the input of each dense layer."""
    rates: list[Any] = [0.0] + [dropout] * (n_layers - 1)
    if not isinstance(dropout, Real):
        rates = list(dropout) if np.iterable(dropout) else []
    if len(rates) != n_layers:
        raise ValueError(
            "dropout must be a number, or one for the inputs and each hidden layer, "
            f"here {n_layers}; it is {dropout!r}."
        )
    for rate in rates:
        Dropout(rate).validate()
    return rates


def _buffer(
    shapes: list[Shapes], blocks: list[int], dtype: Any
) -> tuple[list[dict[str, str]], Parameters]:
    """A buffer for all layers, and for each layer the keys of its parts in it.

    `shapes` are by the layer's own names; a key is the name and the layer's block, the
    number of its dense layer.
    """
    keys = [
        {name: f"{name}{block}" for name in own}
        for own, block in zip(shapes, blocks, strict=True)
    ]
    parts = {
        names[name]: shape
        for own, names in zip(shapes, keys, strict=True)
        for name, shape in own.items()
    }
    return keys, Parameters(parts, dtype=dtype)


def _select(params: Parameters, keys: list[dict[str, str]]) -> list[Views]:
    """Each layer's views of a buffer, by the layer's names for them."""
    return [{name: params[key] for name, key in names.items()} for names in keys]
