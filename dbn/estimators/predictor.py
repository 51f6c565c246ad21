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
from ..feedforward import Activation, Initializer, Network
from ..feedforward.initializers import INITIALIZERS
from ..feedforward.layers import ACTIVATIONS
from ..training import Optimizer, finetune
from ..training.callbacks import agree, fit_task
from ..training.finetuning import check_deterministic, rate_multipliers
from ..training.optimizers import OPTIMIZERS, get_optimizer
from ..training.pretraining import STRUCTURES
from ..training.task import Task
from .base import DBNEstimator, check_layer_sizes
from .dbn import (
    DBNTransformer,
    adopt_stack,
    first_visible,
    stack_progress,
    train_stack,
)
from .held_out import Watched, check_holdable, check_watched, hold_out
from .preprocessing import indexable
from .rbm import RBMTransformer
from .start import DEFAULT_SIZES, brings_stack, first_weights, plan
from .targets import check_supervised, rows_at

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
        hidden_layer_sizes=DEFAULT_SIZES,
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
        X = indexable(X)
        going_on = self.warm_start and hasattr(self, "network_")
        draft, job = self._prepared(X, y, sample_weight, going_on)
        validation = check_watched(draft, X_val, y_val, numpy_dtype(job.rows))
        if validation is None and self.early_stopping:
            check_holdable(draft, job)
        if job.prototypes is None and not going_on:
            draft._initialize(job, Task())
        shown = X, y, sample_weight
        if job.given is not None:  # callbacks may score: they see the rows with labels
            shown = rows_at(X, job.given), job.known, rows_at(sample_weight, job.given)
        self._become(draft)
        n_subtasks, before = (1 if job.prototypes is None else 2), self.n_iter_
        given = X, y, sample_weight
        made_of = (*self._made_of(job, going_on), validation)
        try:
            with fit_task(self, n_subtasks, *given, made_of=made_of) as task:
                self._resume(task)
                if validation is None and self.early_stopping:
                    validation = hold_out(self, job, copy.deepcopy(self._streams[2]))
                if job.prototypes is not None:
                    self._initialize(job, task)
                X, y, weight = shown
                metadata = None if weight is None else {"sample_weight": weight}
                task.data = {"X": X, "y": y, "metadata": metadata}
                n_epochs = self._epochs_left(before)
                with task.subtask("finetune", n_epochs, self._snapshot) as finetuning:
                    self._finetune(job, n_epochs, finetuning, validation)
        finally:
            self._forget("_stack", "_kept")
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

    def _partial_fit(self, X, y, sample_weight, classes=None):
        going_on = hasattr(self, "network_")
        X = indexable(X)
        draft, job = self._prepared(X, y, sample_weight, going_on, classes, chunk=True)
        agree(draft, *draft._made_of(job, going_on))
        if not going_on:
            draft._initialize(job, Task())
        self._become(draft)
        try:
            self._finetune(job, 1, None, None)
        finally:
            self._forget("_stack", "_kept")
        return self

    def _prepared(self, X, y, sample_weight, going_on, classes=None, chunk=False):
        """A draft with classes, preprocessing and sizes, chosen or kept; and the job.

        Nothing is trained yet, and this estimator is as it was.
        """
        optimizer = get_optimizer(self.optimizer)  # fails now, not after pretraining
        check_deterministic(optimizer, np.any(self.dropout), self.batch_norm)
        draft = self._draft(going_on)
        job = check_supervised(draft, X, y, sample_weight, not going_on)
        if not going_on:
            draft._fit_targets(job, classes)
        dtype = numpy_dtype(draft.network_.params.flat if going_on else job.rows)
        job.targets = draft._encode_targets(job.y, dtype)
        draft._weigh_classes(job)
        if going_on:
            draft._check_classes(*(("classes", classes) if chunk else ("y", job.known)))
            draft._check_unchanged()
            job.rows = with_dtype(draft._encode(job.rows), dtype)
            job.rows = draft.visible_.inside(job.rows)
            draft._state.pop("best", None)  # of the rows held out before
            machines = draft.dbn_.rbms if hasattr(draft, "dbn_") else []
            draft._stack = {"rbms": machines, "layer": {"epoch": sys.maxsize}}
            draft._kept = None
            return draft, job
        planned = plan(self.init, self.hidden_layer_sizes, self.rbm, self.activation)
        job.sizes, job.prototypes = planned.sizes, planned.prototypes
        if planned.stack is not None:
            job.rows = adopt_stack(draft, planned.stack, job.rows)
        else:
            job.rows = draft._fit_visible(job.rows, job.weight, planned.visible)
        # Streams of their own: every `init` meets the same shuffles.
        draft._rng, *draft._streams = make_rng(self.random_state).spawn(4)
        draft.history_, draft._state = [], {"epoch": 0}
        draft._stack, draft._kept = {}, None
        network = draft._new_network(job)  # fails now, not after pretraining
        rate_multipliers(network, self.learning_rate_multipliers, self.head_epochs)
        return draft, job

    def _first_visible(self):
        if isinstance(self.init, FrozenEstimator):
            return getattr(self.init.estimator, "visible_", "auto")
        stacked = isinstance(self.init, DBNTransformer)
        return first_visible(self.init.rbm if stacked else self.rbm)

    def _check_unchanged(self):
        """Raise a ValueError if parameters ask for another net than the fitted."""
        shapes = [W.shape for W, _ in self.network_.dense]
        asked = check_layer_sizes(self.hidden_layer_sizes)
        if brings_stack(self.init) and asked == list(DEFAULT_SIZES):
            asked = [n_hidden for _, n_hidden in shapes[:-1]]
        sizes = [shapes[0][0], *asked, shapes[-1][1]]
        net = self._network(sizes, numpy_dtype(self.network_.params.flat))
        if net.architecture != self.network_.architecture:
            raise ValueError(
                f"Training cannot go on: the net is {self.network_!r}, the parameters "
                f"now ask for {net!r}. Set hidden_layer_sizes, activation, dropout and "
                "batch_norm back, or call fit with warm_start=False."
            )

    def _new_network(self, job):
        sizes = [job.rows.shape[1], *job.sizes, job.targets.shape[1]]
        return self._network(sizes, numpy_dtype(job.rows))

    def _network(self, sizes, dtype):
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
        rows = self._placed(job.rows)
        network = converted_beside(self._new_network(job), rows)
        if self._kept is not None:  # of an interrupted fit
            _set_buffers(network, self._kept)
        else:
            dbn, weight = (
                getattr(self, "dbn_", None),
                converted_beside(job.weight, rows),
            )
            first_weights(self.init, dbn, network, rows, weight, starting_rng)
        self.network_ = self._returned(network)  # not before it is whole

    def __sklearn_is_fitted__(self):
        return hasattr(self, "network_")

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
        stack = kept["stack"] | self._stack
        names = {"_kept": "network", "_state": "state", "_rng": "rng"}
        names |= {"_streams": "streams", "history_": "history"}
        own = {name: kept[its] for name, its in names.items()} | {"_stack": stack}
        if hasattr(self, "network_") and kept["network"] is not None:
            own["network_"] = copy.deepcopy(self.network_)
            _set_buffers(own["network_"], kept["network"])
        vars(self).update(own)

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
