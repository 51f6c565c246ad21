"""What classifier and regressor share: a net, started by `init`, then fine-tuned."""

import copy
from numbers import Integral, Real

from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from ..backend.random import make_rng
from ..boltzmann import get_units
from ..feedforward import (
    Activation,
    Initializer,
    Network,
    get_activation,
    get_initializer,
)
from ..feedforward.initializers import INITIALIZERS
from ..feedforward.layers import ACTIVATIONS
from ..training import Optimizer, Pretrained, finetune
from ..training.callbacks import fit_task
from ..training.optimizers import OPTIMIZERS, get_optimizer
from ..training.pretraining import check_startable
from .base import DBNEstimator, check_layer_sizes
from .dbn import DBNTransformer, layer_prototypes, train_stack
from .rbm import RBMTransformer

_DEFAULT_SIZES = (256,)


class DBNPredictor(DBNEstimator):
    """Base of `DBNClassifier` and `DBNRegressor`."""

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Integral],
        "init": [StrOptions({"dbn", *INITIALIZERS}), Initializer, FrozenEstimator],
        "rbm": [RBMTransformer, list, tuple, None],
        "activation": [StrOptions({*ACTIVATIONS}), Activation],
        "optimizer": [StrOptions({*OPTIMIZERS}), Optimizer],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_layer_sizes=_DEFAULT_SIZES,
        *,
        init="dbn",
        rbm=None,
        activation="logistic",
        optimizer="adam",
        weight_decay=0.0,
        batch_size=100,
        max_iter=100,
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.init = init
        self.rbm = rbm
        self.activation = activation
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose

    def _fit(self, X, y, rows, targets, weight, loss, data):
        """Choose the start, build the net and fine-tune it.

        `X`, `y` and `data` (the weights) are the user's own, for the callbacks; `rows`,
        `targets` and `weight` are what is trained on.
        """
        # Streams of their own: every `init` meets the same shuffles.
        rng, starting_rng, pretraining_rng = make_rng(self.random_state).spawn(3)
        rows, sizes, prototypes = self._prepare(rows, weight)
        self.network_ = Network(
            [rows.shape[1], *sizes, targets.shape[1]],
            activation=get_activation(self.activation),
            loss=loss,
            dtype=rows.dtype,
        )
        self.history_ = []
        with fit_task(self, 1 if prototypes is None else 2, X, y, data) as task:
            if prototypes is not None:
                with task.subtask("pretrain", len(sizes)) as pretraining:
                    train_stack(
                        self,
                        rows,
                        weight,
                        sizes,
                        prototypes,
                        pretraining_rng,
                        pretraining,
                    )
            if prototypes is not None or isinstance(self.init, FrozenEstimator):
                start = Pretrained(self.dbn_)
            else:
                start = get_initializer(self.init)
            start.fill(self.network_, rows, starting_rng)
            with task.subtask("finetune", self.max_iter, self._snapshot) as finetuning:
                finetune(
                    self.network_,
                    rows,
                    targets,
                    rng=rng,
                    optimizer=self.optimizer,
                    weight_decay=self.weight_decay,
                    batch_size=self.batch_size,
                    max_iter=self.max_iter,
                    sample_weight=weight,
                    task=finetuning,
                    history=self.history_,
                )
                self.loss_curve_ = [e["loss"] for e in self.history_ if "loss" in e]
                self.n_iter_ = len(self.loss_curve_)
        return self

    def _prepare(self, rows, weight):
        """Rows in the range of the visible units, layer sizes, prototypes to train.

        The prototypes are None unless ``init="dbn"``.
        """
        self.__dict__.pop("dbn_", None)  # of an earlier fit
        get_optimizer(self.optimizer)  # fails now, not after pretraining
        if isinstance(self.init, FrozenEstimator):
            return self._prepare_frozen(rows)
        sizes = check_layer_sizes(self.hidden_layer_sizes)
        prototypes = layer_prototypes(self.rbm, len(sizes))
        rows = self._fit_visible(rows, weight, prototypes[0].visible)
        if self.init != "dbn":
            return rows, sizes, None
        for prototype in prototypes:
            check_startable(
                get_units(prototype.hidden), get_activation(self.activation)
            )
        return rows, sizes, prototypes

    def _prepare_frozen(self, rows):
        """Sizes and preprocessing of the fitted DBNTransformer in `init`."""
        transformer = self.init.estimator
        if not isinstance(transformer, DBNTransformer) or not hasattr(
            transformer, "dbn_"
        ):
            raise ValueError(
                "init=FrozenEstimator(...) needs a fitted DBNTransformer inside; got "
                f"{transformer!r}. Fit one first."
            )
        self.dbn_ = transformer.dbn_
        shapes = [rbm.W.shape for rbm in self.dbn_.rbms]
        sizes = [n_hidden for _, n_hidden in shapes]
        asked = check_layer_sizes(self.hidden_layer_sizes)
        if asked not in (sizes, list(_DEFAULT_SIZES)):
            raise ValueError(
                f"hidden_layer_sizes is {asked}, but the DBN in init has {sizes}. "
                "Leave hidden_layer_sizes at its default, or give the same sizes."
            )
        if rows.shape[1] != shapes[0][0]:
            raise ValueError(
                f"X has {rows.shape[1]} features, but the DBN in init was fitted on "
                f"{shapes[0][0]}. Use the same features for both."
            )
        mine, its = (
            list(getattr(estimator, "feature_names_in_", []))
            for estimator in (self, transformer)
        )
        if mine and its and mine != its:
            raise ValueError(
                f"X has the feature names {mine}, but the DBN in init was fitted on "
                f"{its}. Use the same features in the same order."
            )
        self.visible_ = transformer.visible_
        for name in ("mean_", "scale_"):
            value = getattr(transformer, name)
            value = value if value is None else value.astype(rows.dtype)
            setattr(self, name, value)
        self.visible_.check(rows)
        return self._encode(rows), sizes, None

    def _snapshot(self):
        return {
            "network_": copy.deepcopy(self.network_),
            "history_": list(self.history_),
        }

    def _folded(self):
        """The (W, c) of each dense layer, for X as the user has it."""
        first, *rest = self.network_.dense
        return [self._fold(*first), *rest]

    @property
    def coefs_(self):
        """Weights of each layer, (n_in, n_out), for X and y as given."""
        return [W for W, _ in self._folded()]

    @property
    def intercepts_(self):
        """Biases of each layer, (n_out,), for X and y as given."""
        return [c for _, c in self._folded()]
