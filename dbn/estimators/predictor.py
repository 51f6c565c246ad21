"""How classifier and regressor are fitted: a start by `init`, then fine-tuning."""

import copy
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np

from ..backend.array import with_dtype
from ..backend.device import converted_beside, numpy_dtype
from ..backend.random import make_rng
from ..backend.types import Array
from ..training import Optimizer, finetune
from ..training.budget import ROWS_PER_COLUMN, adam_of_net, of_net
from ..training.callbacks import agree, fit_task
from ..training.finetuning import check_deterministic, rate_multipliers
from ..training.optimizers import get_optimizer
from ..training.task import Task
from ._sklearn import fit_context
from .convergence import count_updates, settle, warn_of_machines, warn_of_net
from .dbn import (
    adopt_stack,
    stack_progress,
    train_stack,
)
from .held_out import Watched, check_holdable, check_watched, hold_out
from .net import NetEstimator
from .preprocessing import indexable
from .start import (
    buffers,
    check_same_net,
    first_weights,
    resolve_init,
    set_buffers,
    sizes_to_go_on,
)
from .targets import Job, check_supervised

# Parameters that `finetune` has as well.
_OF_FINETUNE = (
    *("weight_decay", "max_norm", "learning_rate_multipliers"),
    *("head_epochs", "on_divergence", "tol"),
)


class DBNPredictor(NetEstimator):
    """Base of `DBNClassifier` and `DBNRegressor`."""

    _numeric_targets: bool
    _state: dict[str, Any]
    _rng: Any
    _streams: list[Any]
    # What a subclass has for its kind of targets.
    _fit_targets: Callable[[Job, Array], None]
    _encode_targets: Callable[..., Array]
    _score: Callable[[Array, Array, Array], float]
    _kept: list[Array] | None = None  # buffers of an interrupted fit

    @fit_context
    def fit(
        self,
        X: Array,
        y: Array,
        sample_weight: Array = None,
        *,
        X_val: Array = None,
        y_val: Array = None,
    ) -> Self:
        """Initialize the net and fine-tune it.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Columns of a frame may be categories, strings or booleans, and NaN is a
            value that is not known. A sparse matrix stays sparse.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. Of a classifier class labels, numbers or strings; or a 0/1 column
            for each of several labels that a row may have.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in pretraining and fine-tuning; rows of weight zero are
            left out.
        X_val, y_val : array-like, default=None
            Rows that are not trained on: `history_` gets their loss and score (accuracy
            or R^2) after every epoch, and `early_stopping` watches them.

        Returns
        -------
        self : object
        """
        X = indexable(X)
        going_on = self.warm_start and hasattr(self, "network_")
        draft, job = self._prepared(X, y, sample_weight, going_on)
        validation = check_watched(draft, X_val, y_val, numpy_dtype(job.rows))
        if validation is None and self.early_stopping:
            check_holdable(draft, job)
        if job.prototypes is None and not going_on:
            draft._initialize(job, Task())
        labelled = job.labelled_of(self, X, y, sample_weight)
        self._become(draft)
        n_subtasks, before = (1 if job.prototypes is None else 2), self.n_iter_
        made_of = (*job.made_of(self, going_on), validation)
        try:
            with fit_task(
                self, n_subtasks, X, y, sample_weight, made_of=made_of
            ) as task:
                self._resume(task)
                if validation is None and self.early_stopping:
                    validation = hold_out(self, job, copy.deepcopy(self._streams[2]))
                if job.prototypes is not None:
                    self._initialize(job, task)
                task.show(*labelled)  # callbacks may score
                n_epochs = self._epochs_left(before)
                snapshot = partial(self._snapshot, "network_")
                with task.subtask("finetune", n_epochs, snapshot) as finetuning:
                    self._finetune(job, n_epochs, finetuning, validation)
        finally:
            self._forget("_stack", "_kept")
        if job.prototypes is not None:
            machines = self.dbn_.rbms, job.prototypes
            warn_of_machines(*machines, job.rows.shape[0], self.history_)
        if self.n_iter_ - before == self.max_iter_:  # nothing asked to stop
            losses = self.loss_curve_[before:]
            constant = self.network_.loss.constant(job.targets, job.label_weight)
            asked = len(job.labelled), self.batch_size_, self.max_iter_
            warn_of_net(losses, constant, count_updates(*asked))
        return self

    @property
    def _optimizer(self) -> Optimizer:
        """The optimizer that `optimizer` names or is, where nobody counts the rows."""
        return self._optimizer_for(ROWS_PER_COLUMN, 1)

    def _optimizer_for(self, n_rows: int, n_columns: int) -> Optimizer:
        """The optimizer that `optimizer` names or is, for so many rows and columns."""
        if isinstance(self.optimizer, str) and self.optimizer == "adam":
            return adam_of_net(n_rows, n_columns, self._numeric_targets)
        return get_optimizer(self.optimizer)

    def _epochs_left(self, before: int) -> int:
        """Epochs that an interrupted fit, if this goes on from one, did not do."""
        over = self._state.get("best", {"over": False})["over"]
        return 0 if over else max(self.max_iter_ - (self.n_iter_ - before), 0)

    def _partial_fit(
        self, X: Array, y: Array, sample_weight: Array, classes: Array = None
    ) -> Self:
        given, going_on = (indexable(X), y, sample_weight), hasattr(self, "network_")
        draft, job = self._prepared(*given, going_on, classes, chunk=True)
        agree(draft, *job.made_of(draft, going_on))
        if not going_on:
            draft._initialize(job, Task())
        self._become(draft)
        try:
            self._finetune(job, 1, None, None)
        finally:
            self._forget("_stack", "_kept")
        return self

    def _prepared(
        self,
        X: Array,
        y: Array,
        sample_weight: Array,
        going_on: bool,
        classes: Array = None,
        chunk: bool = False,
    ) -> tuple[Self, Job]:
        """A draft with classes, preprocessing and sizes, chosen or kept; and the job.

        Nothing is trained yet, and this estimator is as it was.
        """
        optimizer = self._optimizer  # fails now, not after pretraining
        check_deterministic(optimizer, bool(np.any(self.dropout)), self.batch_norm)
        draft = self._draft(going_on)
        job = check_supervised(draft, X, y, sample_weight, not going_on)
        if not going_on:
            draft._fit_targets(job, classes)
        dtype = numpy_dtype(draft.network_.params.flat if going_on else job.rows)
        job.targets = draft._encode_targets(job.y, dtype)
        draft._weigh_classes(job)
        settle(draft, of_net(optimizer), len(job.labelled), chunk)
        if going_on:
            draft._check_classes(*(("classes", classes) if chunk else ("y", job.known)))
            sizes = sizes_to_go_on(draft.network_, self.init, self.hidden_layer_sizes)
            check_same_net(draft.network_, draft._network(sizes, dtype))
            job.rows = with_dtype(draft._encode(job.rows), dtype)
            job.rows = draft.visible_.inside(job.rows)
            draft._state.pop("best", None)  # of the rows held out before
            machines = draft.dbn_.rbms if hasattr(draft, "dbn_") else []
            draft._stack = {"rbms": machines, "layer": {"epoch": sys.maxsize}}
            return draft, job
        planned = resolve_init(self)
        job.sizes, job.prototypes = planned.sizes, planned.prototypes
        if planned.stack is not None:
            job.rows = adopt_stack(draft, planned.stack, job.rows)
        else:
            job.rows = draft._fit_visible(job.rows, job.weight, planned.visible)
        # Streams of their own: every `init` meets the same shuffles.
        draft._rng, *draft._streams = make_rng(self.random_state).spawn(4)
        draft.history_, draft._state, draft._stack = [], {"epoch": 0}, {}
        network = draft._network(job.layer_sizes, dtype)  # what is wrong fails now
        rate_multipliers(network, self.learning_rate_multipliers, self.head_epochs)
        return draft, job

    def _check_classes(self, name: str, classes: Array) -> None:
        """Raise a ValueError if these are not the classes that training began with."""

    def _weigh_classes(self, job: Job) -> None:
        """Multiply weights of rows by those of their classes, if there are any."""

    def _strata(self, targets: Array) -> Array:
        """What rows held out are to have in the proportion of all rows, or None."""
        return None

    def _initialize(self, job: Job, task: Task) -> None:
        """Make the net and fill it as `init` says, after pretraining where it does."""
        starting_rng, rng, _ = self._streams
        if job.prototypes is not None:
            if (seed := getattr(self.init, "random_state", None)) is not None:
                rng = make_rng(seed)
            with task.subtask("pretrain", len(job.sizes)) as pretraining:
                train_stack(
                    self,
                    job.rows,
                    job.weight,
                    job.sizes,
                    job.prototypes,
                    rng,
                    pretraining,
                )
        rows = self._place.rows(self._filled(job.rows))
        network = self._network(job.layer_sizes, numpy_dtype(rows))
        network, weight = converted_beside((network, job.weight), rows)
        if self._kept is None:
            first_weights(
                self.init,
                getattr(self, "dbn_", None),
                network,
                rows,
                weight,
                starting_rng,
            )
        else:  # of an interrupted fit
            set_buffers(network, self._kept)
        self.network_ = self._place.back(network)  # not before it is whole

    _KEPT = NetEstimator._KEPT | {"_state": "state", "_streams": "streams"}

    def _progress(self) -> dict[str, Any]:
        finetuning = any(e["phase"] == "finetune" for e in self.history_[-1:])
        return super()._progress() | {
            "stack": stack_progress(self._stack),
            "network": buffers(self.network_) if finetuning else None,
        }

    def _attributes_of(self, kept: dict[str, Any]) -> dict[str, Any]:
        own = super()._attributes_of(kept) | {"_kept": kept["network"]}
        own["_stack"] = kept["stack"] | self._stack  # a warm start has its stack
        if hasattr(self, "network_") and kept["network"] is not None:
            own["network_"] = copy.deepcopy(self.network_)
            set_buffers(own["network_"], kept["network"])
        return own

    def _finetune(
        self,
        job: Job,
        max_iter: int,
        task: Task | None,
        validation: tuple[Array, Array, Array] | None,
    ) -> None:
        rows, *others = job.labelled_rows()
        rows = self._place.rows(self._filled(rows))
        targets, weight = converted_beside(others, rows)
        watched = None if validation is None else Watched(self, *validation)
        # A chunk, without a task, is one epoch, and one of nobody knows how many.
        shape = (ROWS_PER_COLUMN, 1) if task is None else rows.shape
        on_loss = task is not None and not self.early_stopping and self.tol > 0
        stopping = on_loss or (watched is not None and self.early_stopping)
        with self._place.holding(self, rows, "network_", "_state"):
            finetune(
                self.network_,
                rows,
                targets,
                rng=self._rng,
                optimizer=self._optimizer_for(*shape),
                sample_weight=weight,
                batch_size=self.batch_size_,
                max_iter=max_iter,
                validate=watched,
                patience=self.n_iter_no_change if stopping else None,
                watch="loss" if on_loss else "validation_loss",
                task=task,
                history=self.history_,
                state=self._state,
                **{name: getattr(self, name) for name in _OF_FINETUNE},
            )
