"""Denoising autoencoders: corrupted rows, and a start trained layer by layer."""

import math
from functools import partial
from numbers import Integral
from typing import Any

from scipy.sparse import issparse

from ..backend.array import extent
from ..backend.device import namespace, numpy_dtype
from ..backend.parts import Schedule, check_number
from ..backend.random import uniform
from ..backend.types import Array
from ..boltzmann import Bernoulli
from ..feedforward import (
    Activation,
    BinaryCrossEntropy,
    Initializer,
    Logistic,
    Loss,
    Network,
    SpinCrossEntropy,
    SquaredError,
    Tanh,
    VarianceScaling,
)
from .budget import of_machine
from .finetuning import finetune
from .greedy import GreedyLayer, train_layers
from .optimizers import Adam, Optimizer, get_optimizer
from .task import Task


def corrupted(x: Array, noise: float, rng: Any) -> Array:
    """Rows of which a random fraction of the entries is 0: masking noise.

    Vincent, Larochelle, Lajoie, Bengio and Manzagol (2010), section 3.3. Other entries
    stay as they are, unlike those of `Dropout`.

    Parameters
    ----------
    x : array or scipy sparse CSR of shape (n_rows, n_columns)
    noise : float
        Probability that an entry becomes 0.
    rng : numpy.random.Generator

    Examples
    --------
    >>> import numpy as np
    >>> rows = corrupted(np.ones((1, 1000)), 0.25, np.random.default_rng(0))
    >>> np.unique(rows), bool(abs(rows.mean() - 0.75) < 0.05)
    (array([0., 1.]), True)
    """
    if not noise:
        return x
    if issparse(x):
        x = x.copy()
        x.data *= uniform(rng, x.data.shape, x.data) >= noise
        return x
    return namespace(x).where(uniform(rng, x.shape, x) >= noise, x, 0.0)


class DenoisingStack(Initializer):
    """Hidden layers that learn, one after the other, to undo noise: init="sae".

    Stacked denoising autoencoders, Vincent, Larochelle, Lajoie, Bengio and Manzagol
    (2010): each layer is the encoder of a net with one hidden layer that reconstructs
    its input from a corrupted copy (`corrupted`); the next layer learns from the
    activities that it has on clean rows. What a layer reconstructs it is measured on
    by cross-entropy where values lie in [0, 1] (or are those of tanh units), and by
    squared error otherwise. The output layer of a classifier or regressor starts from
    Xavier; an autoencoder gets the decoders too.

    Parameters
    ----------
    noise : float, default=0.25
        Fraction of the entries that are set to 0; the paper searches 0.1 to 0.5.
    optimizer : str, Optimizer or None, default=None
        None is ``Adam(Schedule(0.01, 0.0))``.
    batch_size, max_iter : int or "auto", default="auto"
        As of an `RBMTransformer`, for each layer.
    memory_budget : int or None, default=None
        As of a `DBNTransformer`.

    Raises
    ------
    ValueError
        When training starts, if a parameter is not accepted.
    FloatingPointError
        If training diverges.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import DBNClassifier
    >>> from dbn.training import DenoisingStack
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat(rng.integers(0, 2, (10, 8)), 10, axis=0)
    >>> clf = DBNClassifier((6,), init=DenoisingStack(0.1), random_state=0)
    >>> clf.fit(X, X[:, 0]).score(X, X[:, 0])
    1.0
    """

    def __init__(
        self,
        noise: float = 0.25,
        *,
        optimizer: str | Optimizer | None = None,
        batch_size: int | str = "auto",
        max_iter: int | str = "auto",
        memory_budget: int | None = None,
    ) -> None:
        self.noise = noise
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.memory_budget = memory_budget

    def validate(self) -> None:
        check_number(self, "noise", 0, 1, closed=True)
        for name in ("batch_size", "max_iter"):
            if getattr(self, name) != "auto":
                check_number(self, name, 1, math.inf, closed=True, kind=Integral)
        if self.memory_budget is not None:
            check_number(self, "memory_budget", 0, math.inf, closed=True, kind=Integral)
        optimizer = get_optimizer(self.optimizer or _ADAM)
        if optimizer.searches and self.noise:
            raise ValueError(
                f"{optimizer!r} evaluates a batch's loss many times and needs "
                "the same one each time; noise changes it. Use Adam or SGD."
            )

    def fill(self, network: Network, X: Array, rng: Any) -> None:
        self.train(network, X, rng)

    def train(
        self,
        network: Network,
        X: Array,
        rng: Any,
        *,
        weight: Array = None,
        loss: Loss | None = None,
        unrolled: bool = False,
        task: Task | None = None,
        history: list[dict[str, Any]] | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        """`fill`, with what an estimator knows beside.

        Parameters
        ----------
        network : Network
        X : array, scipy sparse CSR or LazyRows of shape (n_rows, n_inputs)
        rng : numpy.random.Generator
        weight : array of shape (n_rows,), optional
        loss : Loss, optional
            Of the reconstruction of X. Default: by its range.
        unrolled : bool, default=False
            Whether the network is an autoencoder, whose decoder begins with those of
            the layers.
        task, history : optional
            As of `pretrain`. The ``"loss"`` of an epoch is that of its corrupted rows.
        state : dict, optional
            As of `pretrain`, with ``"nets"``, the autoencoders of the layers, for its
            machines.
        """
        self.validate()
        if loss is None:
            unit = Bernoulli().holds(*extent(X))
            loss = BinaryCrossEntropy() if unit else SquaredError()
        n_layers = len(network.dense) // 2 if unrolled else len(network.dense) - 1
        layers = []
        for (W, _), activation in zip(
            network.dense[:n_layers], network.hidden_activations, strict=False
        ):
            layers.append(_Autoencoder(self, W.shape[1], activation, loss, weight))
            loss = _OF_ACTIVATION.get(type(activation), SquaredError)()
        nets = train_layers(
            X,
            layers,
            name="nets",
            rng=rng,
            memory_budget=self.memory_budget,
            task=task,
            history=history,
            state=state,
        )
        VarianceScaling().fill(network, X, rng)
        learned = [net.dense[0] for net in nets]
        if unrolled:
            learned += [net.dense[1] for net in reversed(nets)]
        for (W, c), (its_W, its_c) in zip(network.dense, learned, strict=False):
            W[...], c[...] = its_W, its_c


class _Autoencoder(GreedyLayer):
    """A hidden layer of a net, with a decoder of its own."""

    def __init__(
        self,
        stack: DenoisingStack,
        n_hidden: int,
        activation: Activation,
        loss: Loss,
        weight: Array,
    ) -> None:
        self.stack, self.n_hidden = stack, n_hidden
        self.activation, self.loss, self.weight = activation, loss, weight

    def make(self, rows: Array, below: Any) -> Network:
        return Network(
            [rows.shape[1], self.n_hidden, rows.shape[1]],
            activation=self.activation,
            loss=self.loss,
            dtype=numpy_dtype(rows),
        )

    def length(self, n_rows: int) -> tuple[int, int]:
        asked = self.stack.batch_size, self.stack.max_iter
        return of_machine("cd").resolved(n_rows, *asked)

    def begin(self, model: Network, rows: Array, rng: Any) -> None:
        logistic = isinstance(self.activation, Logistic)
        VarianceScaling(16.0 if logistic else 1.0).fill(model, rows, rng)

    def train(self, model: Network, rows: Array, **options: Any) -> None:
        if "epoch" not in options["state"]:
            self.begin(model, rows, options["rng"])
        finetune(
            model,
            rows,
            None,
            optimizer=get_optimizer(self.stack.optimizer or _ADAM),
            sample_weight=self.weight,
            inputs=partial(corrupted, noise=self.stack.noise),
            **options,
        )

    def hidden(self, model: Network, rows: Array) -> Array:
        return model.cut(1)[0].forward(rows)


_ADAM = Adam(Schedule(0.01, 0.0))
# Of the reconstruction of what a layer gives.
_OF_ACTIVATION: dict[type[Activation], type[Loss]] = {
    Logistic: BinaryCrossEntropy,
    Tanh: SpinCrossEntropy,
}
