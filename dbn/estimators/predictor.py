"""What classifier and regressor share: a net, started by `init`, then fine-tuned."""

import copy
import sys
from numbers import Integral, Real

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from ..backend.array import with_dtype
from ..backend.device import converted, converted_beside, numpy_dtype, to_host
from ..backend.random import make_rng
from ..boltzmann import get_units
from ..feedforward import (
    Activation,
    Given,
    Initializer,
    Network,
    get_activation,
    get_initializer,
)
from ..feedforward.initializers import INITIALIZERS
from ..feedforward.layers import ACTIVATIONS
from ..training import Optimizer, Pretrained, finetune
from ..training.callbacks import agree, fit_task
from ..training.finetuning import check_deterministic
from ..training.loop import Task
from ..training.optimizers import OPTIMIZERS, get_optimizer
from ..training.pretraining import STRUCTURES, check_startable, matching_units
from .base import DBNEstimator, check_layer_sizes
from .dbn import (
    DBNTransformer,
    adopt_stack,
    first_visible,
    layer_prototypes,
    stack_progress,
    train_stack,
)
from .rbm import RBMTransformer
from .supervision import Watched, check_supervised, check_watched, hold_out, with_labels

_DEFAULT_SIZES = (256,)
# Parameters that `finetune` has as well.
_OF_FINETUNE = (
    *("optimizer", "weight_decay", "max_norm", "learning_rate_multipliers"),
    *("head_epochs", "batch_size", "on_divergence", "tol"),
)


class DBNPredictor(DBNEstimator):
    """Base of `DBNClassifier` and `DBNRegressor`."""

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Integral],
        "init": [
            StrOptions({*STRUCTURES, *INITIALIZERS}),
            Initializer,
            DBNTransformer,
            FrozenEstimator,
            list,
            tuple,
        ],
        "rbm": [RBMTransformer, list, tuple, None],
        "activation": [StrOptions({*ACTIVATIONS}), Activation],
        "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
        "batch_norm": ["boolean"],
        "optimizer": [StrOptions({*OPTIMIZERS}), Optimizer],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "learning_rate_multipliers": ["array-like", None],
        "head_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "on_divergence": [StrOptions({"raise", "halve"})],
        "unlabeled": "no_validation",
        "warm_start": ["boolean"],
        "device": [str, None],
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
        dropout=0.0,
        batch_norm=False,
        optimizer="adam",
        weight_decay=0.0,
        max_norm=None,
        learning_rate_multipliers=None,
        head_epochs=0,
        batch_size=100,
        max_iter=100,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        on_divergence="raise",
        unlabeled=None,
        warm_start=False,
        device=None,
        random_state=None,
        verbose=0,
    ):
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

    def _fit(self, X, y, sample_weight, X_val, y_val):
        going_on = self.warm_start and hasattr(self, "network_")
        job = self._begin(X, y, sample_weight, going_on)
        validation = check_watched(self, X_val, y_val, numpy_dtype(job.rows))
        n_subtasks, before = (1 if job.prototypes is None else 2), self.n_iter_
        made_of = (*self._made_of(job, going_on), validation)
        with fit_task(self, n_subtasks, X, y, sample_weight, made_of=made_of) as task:
            self._resume(task)
            if validation is None and self.early_stopping:
                validation = hold_out(self, job, copy.deepcopy(self._streams[2]))
            if not going_on:
                self._initialize(job, task)
            elif self._kept is not None:
                _set_buffers(self.network_, self._kept)
            # Callbacks may score: from here on they see the rows with labels.
            X, y, weight = with_labels(self, X, y, sample_weight)
            metadata = None if weight is None else {"sample_weight": weight}
            task.data = {"X": X, "y": y, "metadata": metadata}
            n_epochs = self._epochs_left(before)
            with task.subtask("finetune", n_epochs, self._snapshot) as finetuning:
                self._finetune(job, n_epochs, finetuning, validation)
        del self._stack, self._kept
        return self

    def _made_of(self, job, going_on):
        """All that training depends on, but for parameters and validation rows."""
        network = self.network_ if going_on else None
        classes = to_host(getattr(self, "classes_", None))
        weights = (job.weight, job.label_weight)
        return job.rows, job.labelled, job.targets, classes, *weights, network

    def _epochs_left(self, before):
        """Epochs that an interrupted fit, if this goes on from one, did not do."""
        waited = self._state.get("best", {"waited": 0})["waited"]
        if self.early_stopping and waited >= self.n_iter_no_change:
            return 0
        return max(self.max_iter - (self.n_iter_ - before), 0)

    def _partial_fit(self, X, y, sample_weight):
        going_on = hasattr(self, "network_")
        job = self._begin(X, y, sample_weight, going_on)
        agree(self, *self._made_of(job, going_on))
        if not going_on:
            self._initialize(job, Task())
        self._finetune(job, 1, None, None)
        del self._stack, self._kept
        return self

    def _begin(self, X, y, sample_weight, going_on):
        """Validate; choose classes, preprocessing and sizes, or keep them."""
        optimizer = get_optimizer(self.optimizer)  # fails now, not after pretraining
        check_deterministic(optimizer, np.any(self.dropout), self.batch_norm)
        job = check_supervised(self, X, y, sample_weight, not going_on)
        dtype = numpy_dtype(self.network_.params.flat if going_on else job.rows)
        if not going_on:
            self._fit_targets(job)
        job.targets = self._encode_targets(job.y, dtype)
        self._weigh_classes(job)
        if going_on:
            self._check_unchanged()
            job.rows = with_dtype(self._encode(job.rows), dtype)
            self.visible_.check(job.rows)
            # What somebody else holds, or loaded read-only, stays as it is.
            for name in ("network_", "_state", "_rng"):
                setattr(self, name, copy.deepcopy(getattr(self, name)))
            self.history_ = list(self.history_)
            self._state.pop("best", None)  # of the rows held out before
            machines = self.dbn_.rbms if hasattr(self, "dbn_") else []
            self._stack = {"rbms": machines, "layer": {"epoch": sys.maxsize}}
            self._kept = None
            return job
        job.rows, job.sizes, job.prototypes = self._prepare(job.rows, job.weight)
        # Streams of their own: every `init` meets the same shuffles.
        self._rng, *self._streams = make_rng(self.random_state).spawn(4)
        self.history_, self._state, self._stack, self._kept = [], {}, {}, None
        return job

    def _prepare(self, rows, weight):
        """Rows in the range of the visible units, layer sizes, prototypes to train.

        The prototypes are None unless a DBN is to be pretrained.
        """
        self.__dict__.pop("dbn_", None)  # of an earlier fit
        brought = isinstance(self.init, DBNTransformer | FrozenEstimator)
        if brought and self.rbm is not None:
            raise ValueError(
                f"rbm is {self.rbm!r}, but the DBN in init has machines of its own. "
                "Leave rbm at None, or set the rbm of that DBNTransformer."
            )
        if isinstance(self.init, FrozenEstimator):
            rows, sizes = adopt_stack(self, self.init.estimator, rows)
            self._check_sizes(check_layer_sizes(self.hidden_layer_sizes), sizes)
            return rows, sizes, None
        asked, rbm = check_layer_sizes(self.hidden_layer_sizes), self.rbm
        if isinstance(self.init, DBNTransformer):
            sizes, rbm = check_layer_sizes(self.init.hidden_layer_sizes), self.init.rbm
            self._check_sizes(asked, sizes)
            asked = sizes
        activation = get_activation(self.activation)
        default = RBMTransformer(hidden=matching_units(activation))
        prototypes = layer_prototypes(default if rbm is None else rbm, len(asked))
        rows = self._fit_visible(rows, weight, prototypes[0].visible)
        if not self._pretrains():
            return rows, asked, None
        for prototype in prototypes:
            check_startable(get_units(prototype.hidden), activation)
        return rows, asked, prototypes

    def _pretrains(self):
        named = isinstance(self.init, str) and self.init in STRUCTURES
        return named or isinstance(self.init, DBNTransformer)

    def _first_visible(self):
        stack = self.init
        if isinstance(stack, FrozenEstimator):
            return getattr(stack.estimator, "visible_", "auto")
        prototypes = stack.rbm if isinstance(stack, DBNTransformer) else self.rbm
        return first_visible(prototypes)

    def _check_sizes(self, asked, sizes):
        if asked not in (sizes, list(_DEFAULT_SIZES)):
            raise ValueError(
                f"hidden_layer_sizes is {asked}, but the DBN in init has {sizes}. "
                "Leave hidden_layer_sizes at its default, or give the same sizes."
            )

    def _check_unchanged(self):
        """Raise a ValueError if parameters ask for another net than the fitted."""
        shapes = [W.shape for W, _ in self.network_.dense]
        asked = check_layer_sizes(self.hidden_layer_sizes)
        brought = isinstance(self.init, DBNTransformer | FrozenEstimator)
        if brought and asked == list(_DEFAULT_SIZES):
            asked = [n_hidden for _, n_hidden in shapes[:-1]]
        sizes = [shapes[0][0], *asked, shapes[-1][1]]
        net = self._new_network(sizes, numpy_dtype(self.network_.params.flat))
        if net.architecture != self.network_.architecture:
            raise ValueError(
                f"Training cannot go on: the net is {self.network_!r}, the parameters "
                f"now ask for {net!r}. Set hidden_layer_sizes, activation, dropout and "
                "batch_norm back, or call fit with warm_start=False."
            )

    def _new_network(self, sizes, dtype):
        return Network(
            sizes,
            activation=self.activation,
            loss=self._loss,
            dropout=self.dropout,
            batch_norm=self.batch_norm,
            dtype=dtype,
        )

    def _initialize(self, job, task):
        """Make the net and fill it as `init` says, after pretraining where it does."""
        starting_rng, pretraining_rng, _ = self._streams
        if job.prototypes is not None:
            seed = getattr(self.init, "random_state", None)
            rng = pretraining_rng if seed is None else make_rng(seed)
            data, layers = (job.rows, job.weight), (job.sizes, job.prototypes)
            with task.subtask("pretrain", len(job.sizes)) as pretraining:
                train_stack(self, *data, *layers, rng, pretraining)
        sizes = [job.rows.shape[1], *job.sizes, job.targets.shape[1]]
        rows = self._placed(job.rows)
        network = converted_beside(self._new_network(sizes, numpy_dtype(rows)), rows)
        if self._kept is not None:  # of an interrupted fit
            _set_buffers(network, self._kept)
        else:
            if hasattr(self, "dbn_"):
                structure = self.init if isinstance(self.init, str) else "dbn"
                start = Pretrained(self.dbn_, structure)
            else:
                start = get_initializer(self.init)
            start.fill(network, rows, starting_rng)
            if self.batch_norm and isinstance(start, Pretrained | Given):
                network.calibrate(rows, converted_beside(job.weight, rows))
        self.network_ = self._returned(network)  # not before it is whole

    def _progress(self):
        """All that training goes on from, as plain data for a file."""
        finetuning = any(e["phase"] == "finetune" for e in self.history_[-1:])
        return {
            "stack": stack_progress(self._stack),
            "network": _buffers(self.network_) if finetuning else None,
            "state": converted(self._state, to_host),
            "rng": self._rng,
            "streams": self._streams,
            "history": self.history_,
        }

    def _set_progress(self, kept):
        # A warm start has its stack.
        self._stack, self._kept = kept["stack"] | self._stack, kept["network"]
        self._state, self._rng = kept["state"], kept["rng"]
        self._streams, self.history_ = kept["streams"], kept["history"]

    @property
    def _machines(self):
        """For callbacks: the machines so far, the last one in training."""
        return self._stack["rbms"]

    def _finetune(self, job, max_iter, task, validation):
        rows, *beside_them = job.labelled_rows()
        rows = self._placed(rows)
        targets, weight = converted_beside(beside_them, rows)
        watched = None if validation is None else Watched(self, *validation)
        stopping = watched is not None and self.early_stopping
        options = {name: getattr(self, name) for name in _OF_FINETUNE}
        with self._moved(rows, "network_", "_state"):
            finetune(
                self.network_,
                rows,
                targets,
                rng=self._rng,
                max_iter=max_iter,
                sample_weight=weight,
                validate=watched,
                patience=self.n_iter_no_change if stopping else None,
                task=task,
                history=self.history_,
                state=self._state,
                **options,
            )

    def _snapshot(self):
        return {
            "network_": self._returned(copy.deepcopy(self.network_)),
            "history_": list(self.history_),
        }

    def _outputs(self, X, method):
        """Output `z` of the net for rows of a method."""
        rows = self._rows(X, method)
        return self._applied(Network.forward, self.network_, rows)

    @property
    def loss_curve_(self):
        """Mean training loss of each fine-tuning epoch."""
        return [e["loss"] for e in self.history_ if e["phase"] == "finetune"]

    @property
    def n_iter_(self):
        """Fine-tuning epochs that were run."""
        return len(self.loss_curve_)

    def _folded(self):
        """The (W, c) of each dense layer, for X as the user has it."""
        first, *rest = self.network_.folded()
        return [self._fold(*first), *rest]

    @property
    def coefs_(self):
        """Weights of each layer, (n_in, n_out), for X and y as given."""
        return [W for W, _ in self._folded()]

    @property
    def intercepts_(self):
        """Biases of each layer, (n_out,), for X and y as given."""
        return [c for _, c in self._folded()]


def _buffers(network):
    return [to_host(network.params.flat), to_host(network.statistics.flat)]


def _set_buffers(network, kept):
    for buffer, values in zip((network.params, network.statistics), kept, strict=True):
        buffer.fill(values)
