"""A net that an estimator has: its parameters, and what is read from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from ..backend.types import Array
from ..boltzmann import Units
from ..feedforward import Activation, Initializer, Loss, Network, get_activations
from ..feedforward.initializers import INITIALIZERS
from ..feedforward.layers import Activations
from ..training import Optimizer
from ..training.pretraining import STRUCTURES
from ._sklearn import StrOptions
from .base import DBNEstimator
from .constraints import NET
from .dbn import DBNTransformer, Prototypes
from .frames import FrameColumns
from .rbm import RBMTransformer
from .start import (
    DEFAULT_SIZES,
    Init,
    brings_net,
    brought_activations,
    visible_of,
)


class NetEstimator(DBNEstimator):
    """An estimator with a net, whoever trains it."""

    network_: Network
    _loss: str
    _default_sizes = DEFAULT_SIZES
    batch_size_: int
    max_iter_: int
    _parameter_constraints: dict[str, Any] = {
        **NET,
        "init": [StrOptions({*STRUCTURES, "sae", *INITIALIZERS}), Initializer]
        + [DBNTransformer, FrozenEstimator, list, tuple],
        "rbm": [RBMTransformer, list, tuple, None],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = DEFAULT_SIZES,
        *,
        init: Init = "dbn",
        rbm: Prototypes = None,
        activation: Activations = "logistic",
        dropout: float | Sequence[float] = 0.0,
        batch_norm: bool = False,
        optimizer: str | Optimizer = "adam",
        weight_decay: float = 0.0,
        max_norm: float | None = None,
        learning_rate_multipliers: Sequence[float] | None = None,
        head_epochs: int = 0,
        batch_size: int | str = "auto",
        max_iter: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        on_divergence: str = "raise",
        unlabeled: Any = None,
        warm_start: bool = False,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.init = init
        self.rbm = rbm
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.max_norm = max_norm
        self.learning_rate_multipliers = learning_rate_multipliers
        self.head_epochs = head_epochs
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.on_divergence = on_divergence
        self.unlabeled = unlabeled
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _first_visible(self) -> str | Units:
        return visible_of(self.init, self.rbm)

    def _find_columns(self, X: Array) -> FrameColumns | None:
        """As in the stack that is brought, if there is one."""
        if isinstance(self.init, FrozenEstimator):
            return getattr(self.init.estimator, "columns_", None)
        return super()._find_columns(X)

    def _stack_activations(self, n: int) -> list[Activation]:
        """Of the `n` layers that a stack starts: of an autoencoder, its encoder."""
        if not brings_net(self.init):
            return get_activations(self.activation, n)
        default = isinstance(self.activation, str) and self.activation == "logistic"
        own = None if default else get_activations(self.activation, n)
        return brought_activations(self.init, own)

    def _net_activations(self, n: int) -> list[Activation]:
        """Of the `n` hidden layers of the net."""
        return self._stack_activations(n)

    def _net_loss(self, n: int) -> str | Loss:
        """Of a net with `n` outputs."""
        return self._loss

    def _network(self, sizes: list[int], dtype: Any) -> Network:
        """The net that parameters ask for."""
        return Network(
            sizes,
            activation=self._net_activations(len(sizes) - 2),
            loss=self._net_loss(sizes[-1]),
            dropout=self.dropout,
            batch_norm=self.batch_norm,
            dtype=dtype,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def _outputs(self, X: Array, method: str) -> Array:
        """Output `z` of the net for rows of a method."""
        rows = self._filled(self._rows(X, method))
        return self._place.apply(Network.forward, self.network_, rows)

    @property
    def loss_curve_(self) -> list[float]:
        """Mean training loss of each fine-tuning epoch."""
        return [e["loss"] for e in self.history_ if e["phase"] == "finetune"]

    @property
    def n_iter_(self) -> int:
        """Fine-tuning epochs that were run."""
        return len(self.loss_curve_)

    def _folded(self) -> list[tuple[Array, Array]]:
        """The (W, c) of each dense layer, for X as the user has it."""
        first, *rest = self.network_.folded()
        return [self._fold(*first), *rest]

    @property
    def coefs_(self) -> list[Array]:
        """Weights of each layer, (n_in, n_out), for X and y as given."""
        return [W for W, _ in self._folded()]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of each layer, (n_out,), for X and y as given."""
        return [c for _, c in self._folded()]
