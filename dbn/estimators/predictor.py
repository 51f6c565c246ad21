"""How an estimator fits a net: a start by `init`, then fine-tuning."""

import copy
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from ..backend.array import with_dtype
from ..backend.device import converted_beside, numpy_dtype
from ..backend.random import make_rng
from ..backend.types import Array
from ..training import Optimizer, finetune
from ..training.budget import ROWS_PER_COLUMN, of_net
from ..training.callbacks import agree, bars_of, fit_task
from ..training.finetuning import check_deterministic, check_moments, rate_multipliers
from ..training.optimizers import get_optimizer
from ..training.state import forget_earlier
from ..training.task import Task
from ..training.unrolling import reconstruction_loss
from .convergence import settle, warn_of_machines, warn_of_net
from .dbn import (
    adopt_stack,
    stack_progress,
    train_stack,
)
from .held_out import check_holdable, hold_out
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
from .targets import Job

# Parameters that `finetune` has as well.
_OF_FINETUNE = (
    *("weight_decay", "max_norm", "learning_rate_multipliers"),
    *("head_epochs", "on_divergence", "tol"),
)


# Of warnings: one more than of other estimators, whose `fit` is their own.
_OF_FIT = 6


class DBNPredictor(NetEstimator):
    """Base of `DBNClassifier`, `DBNRegressor` and `DBNAutoencoder`."""

    _numeric_targets: bool
    _state: dict[str, Any]
    _rng: Any
    _streams: list[Any]
    # What a subclass has: how X and y are validated, what is learned from them, and
    # what of other rows is watched.
    _job: Callable[[Array, Array, Array, bool], Job]
    _set_targets: Callable[[Job, Any, bool, Array], None]
    _validation: Callable[[Array, Array, Any], tuple[Array, Array, None] | None]
    _watched: Callable[[Array, Array, Array], Callable[[], dict[str, float]]]
    _adam: Callable[[int, int], Optimizer]  # for so many rows and columns
    _kept: list[Array] | None = None  # buffers of an interrupted fit

    def _fit(
        self, X: Array, y: Array, sample_weight: Array, X_val: Array, y_val: Array
    ) -> Self:
        X = indexable(X)
        going_on = self.warm_start and hasattr(self, "network_")
        draft, job = self._prepared(X, y, sample_weight, going_on)
        validation = draft._validation(X_val, y_val, numpy_dtype(job.rows))
        if validation is None and self.early_stopping:
            check_holdable(draft, job)
        if not job.pretrains and not going_on:
            draft._initialize(job, Task())
        labelled = job.labelled_of(self, X, y, sample_weight)
        self._become(draft)
        n_subtasks, before = (2 if job.pretrains else 1), self.n_iter_
        made_of = (*job.made_of(self, going_on), validation)
        try:
            with fit_task(
                self, n_subtasks, X, y, sample_weight, made_of=made_of
            ) as task:
                self._resume(task)
                if validation is None and self.early_stopping:
                    validation = hold_out(self, job, copy.deepcopy(self._streams[2]))
                if job.pretrains:
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
            warn_of_machines(*machines, job.rows.shape[0], self.history_, _OF_FIT)
        if self.n_iter_ - before == self.max_iter_:  # nothing asked to stop
            about = self.loss_curve_[before:], job.constant_loss(self.network_.loss)
            warn_of_net(self, *about, len(job.labelled), _OF_FIT)
        return self

    @property
    def _optimizer(self) -> Optimizer:
        """The optimizer that `optimizer` names or is, where nobody counts the rows."""
        return self._optimizer_for(ROWS_PER_COLUMN, 1)

    def _optimizer_for(self, n_rows: int, n_columns: int) -> Optimizer:
        """The optimizer that `optimizer` names or is, for so many rows and columns."""
        if isinstance(self.optimizer, str) and self.optimizer == "adam":
            return self._adam(n_rows, n_columns)
        return get_optimizer(self.optimizer)

    @property
    def _noise(self) -> float:
        """Of the rows that are trained on."""
        return 0.0

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
        with bars_of(self):
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
        dropout, noise = bool(np.any(self.dropout)), self._noise > 0.0
        check_deterministic(optimizer, dropout, self.batch_norm, noise)
        draft = self._draft(going_on)
        job = draft._job(X, y, sample_weight, not going_on)
        dtype = numpy_dtype(draft.network_.params.flat if going_on else job.rows)
        draft._set_targets(job, dtype, going_on, classes)
        settle(draft, of_net(optimizer), len(job.labelled), chunk)
        check_moments(self.batch_norm, draft.batch_size_)
        if going_on:
            draft._check_classes(*(("classes", classes) if chunk else ("y", job.known)))
            asked = draft._network(sizes_to_go_on(draft), dtype)
            check_same_net(draft.network_, asked)
            job.rows = with_dtype(draft._encode(job.rows), dtype)
            job.rows = draft.visible_.inside(job.rows)
            forget_earlier(draft._state, chunk)
            machines = draft.dbn_.rbms if hasattr(draft, "dbn_") else []
            draft._stack = {"rbms": machines, "layer": {"epoch": sys.maxsize}}
            return draft, job
        planned = resolve_init(self)
        job.sizes, job.prototypes = planned.sizes, planned.prototypes
        job.denoises = planned.denoises
        if planned.stack is not None:
            job.rows = adopt_stack(draft, planned.stack, job.rows)
        else:
            job.rows = draft._fit_visible(job.rows, job.weight, planned.visible)
        if draft._noise:  # a net that learns to undo it takes a hole for its work
            draft.fill_ = 0.0 * draft.fill_
        # Streams of their own: every `init` meets the same shuffles.
        draft._rng, *draft._streams = make_rng(self.random_state).spawn(4)
        draft.history_, draft._state, draft._stack = [], {"epoch": 0}, {}
        network = draft._network(job.layer_sizes, dtype)  # what is wrong fails now
        rate_multipliers(network, self.learning_rate_multipliers, self.head_epochs)
        return draft, job

    def _check_classes(self, name: str, classes: Array) -> None:
        """Raise a ValueError if these are not the classes that training began with."""

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
                asked = job.rows, job.weight, job.sizes, job.prototypes
                train_stack(self, *asked, rng, pretraining)
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
                unrolled=self._gives_back_rows,
                loss=reconstruction_loss(self.visible_, rows.shape[1]),
                task=task,
                history=self.history_,
                state=self._stack,
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

    def _training_rows(self, rows: Array) -> tuple[Array, Any]:
        """Encoded rows where they are trained on, and the `inputs` of `finetune`."""
        return self._place.rows(self._filled(rows)), None

    def _finetune(
        self,
        job: Job,
        max_iter: int,
        task: Task | None,
        validation: tuple[Array, Array, Array] | None,
    ) -> None:
        rows, *others = job.labelled_rows()
        rows, inputs = self._training_rows(rows)
        targets, weight = converted_beside(others, rows)
        watched = None if validation is None else self._watched(*validation)
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
                inputs=inputs,
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


def started(estimator: Any, X: Array, y: Array) -> Any:
    """A copy as its `fit` begins: with its first weights, and nothing learned.

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> net = DBNClassifier((3,), init="he_normal", activation="relu")
    >>> started(net, [[0.0], [1.0]], [0, 1]).network_.dense[0][0].shape
    (1, 3)
    """
    copy: Any = clone(estimator)
    draft, job = copy._prepared(indexable(X), y, None, False)
    with bars_of(copy):
        draft._initialize(job, Task())
    return draft
