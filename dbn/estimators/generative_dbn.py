"""A deep belief network over data and class, as a classifier."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend.array import choose_rows
from ..backend.device import converted, converted_beside, numpy_dtype, to_host
from ..backend.random import make_rng
from ..backend.types import Array
from ..boltzmann import DBN, RBM, Units, get_units
from ..boltzmann.feature_machine import feature_machine
from ..training import UpDown, up_down
from ..training.callbacks import fit_task
from ..training.task import Task
from ._sklearn import Interval, fit_context
from .constraints import LABELS, RUNNING, check_layer_sizes
from .convergence import warn_of_machines, warn_of_one_class
from .dbn import (
    Prototypes,
    first_visible,
    layer_prototypes,
    stack_progress,
    train_stack,
)
from .generative import GenerativeClassifier
from .held_out import check_watched
from .preprocessing import indexable
from .rbm import RBMTransformer
from .targets import Job
from .top_machine import label_options, top_prototype, warn_of_idle

# Labelled rows, about, by which a fit sees whether the classes were learned.
_LOOKED_AT = 1000


class GenerativeDBNClassifier(GenerativeClassifier):
    """Deep belief network whose top machine has the class beside its features.

    It classifies by free energies, draws rows of a given class, and is fine-tuned, if
    asked for, as a generative model: Hinton, Osindero and Teh (2006), "A fast learning
    algorithm for deep belief nets". The machines are trained one after the other, the
    top one with labels: centered, by contrastive divergence whose steps draw the class
    with the hidden units summed out, and then by persistent chains, without which its
    samples would be poor.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(500, 500, 2000)
        Numbers of hidden units, from the data upwards.
    rbm : RBMTransformer, list of RBMTransformer or None, default=None
        Prototype of the machines below the top one, as in `DBNTransformer`. Where the
        top one is all there is, only its `visible` counts. Of a list the last one is
        for the top machine: if it is centered, and trained by SGD, its weights begin
        with a standard deviation of 0.1, and its labels learn ten times as fast as the
        rest. An entry None is the default.
    up_down : UpDown, int or None, default=None
        Training of all weights together afterwards, see `dbn.training.UpDown`; a number
        is that of its epochs. On MNIST 30 lower errors and make samples of a class
        better, and the likelihood a little worse. None leaves the weights as they are.
    unlabeled : scalar, default=None
        The value of y that marks a row without a label, such as -1, as in
        `RBMClassifier`. Such rows take part in all of training, their class summed out;
        what the class is they teach after the first epochs (`dbn.training.train_rbm`).
        Where they are more than half, the default top machine trains longer: 16,000
        updates in place of 4,000, in 40 to 160 epochs.
    unlabeled_weight : float, default=1.0
        Weight of such a row, where labels play a part, beside that of one with a label.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, where labels play a part; "balanced" makes all count
        alike.
    memory_budget : int or None, default=None
        Bytes that hidden activities of all rows may take, as in `DBNTransformer`.
    device : str or None, default=None
        Where to compute, as in `RBMTransformer`.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, shuffles and samples.
    verbose : int, default=0
        1 shows a tqdm bar of epochs for each layer, and bars of batches, sampling and
        annealing that take more than 2 seconds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Their shares in the labelled training rows, weights counted.
    dbn_ : DBN
        The trained stack, untied after up-down. ``DBNClassifier(init=
        FrozenEstimator(...))`` starts from its way up, the top machine without classes.
    visible_ : Units
        The units of the data: they decide the preprocessing.
    columns_, visible_names_, mean_, scale_, fill_ : as in `DBNTransformer`
    log_z_ : float
        Log partition function of the top machine in nats, from the first call of
        `score_samples`.
    history_ : list of dict
        Phase ("pretrain" or "up-down"), layer, epoch and ``"reconstruction_error"`` of
        every epoch; with `X_val` also ``"validation_loss"`` and ``"validation_score"``
        (accuracy) of the top machine and of up-down.
    n_iter_ : list of int
        Epochs that were run, for each layer and, where there is one, for up-down.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    ValueError
        In `fit`, for values outside [0, 1] with Bernoulli units, a single class, no
        labelled row, or sizes and prototypes that do not fit.
    FloatingPointError
        In `fit`, when training diverges. After this error, and after a
        KeyboardInterrupt, the estimator is fitted with the epochs done once the top
        machine was reached, and not fitted before.

    Warns
    -----
    UserWarning
        In `fit`, where `rbm` is one prototype with settings that no machine has.

    See Also
    --------
    RBMClassifier : One layer, trained to classify.
    DBNClassifier : A net that starts from such a stack.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn import GenerativeDBNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = GenerativeDBNClassifier((64, 64, 256), random_state=0)
    >>> clf = clf.fit(X[:1000] / 16, y[:1000])
    >>> clf.score(X[1000:] / 16, y[1000:]) > 0.9
    True
    >>> clf.sample(5, label=3, steps=100, random_state=0).shape
    (5, 64)
    """

    dbn_: DBN
    class_prior_: Array
    _rng: Any
    _up_down_state: dict[str, Any]
    _starts_nets = True
    _parameter_constraints: dict[str, Any] = {
        "hidden_layer_sizes": ["array-like", Integral],
        "rbm": [RBMTransformer, list, tuple, None],
        "up_down": [UpDown, Interval(Integral, 1, None, closed="left"), None],
        "memory_budget": [Interval(Integral, 0, None, closed="left"), None],
        **{
            name: LABELS[name]
            for name in ("unlabeled", "unlabeled_weight", "class_weight")
        },
        **RUNNING,
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (500, 500, 2000),
        *,
        rbm: Prototypes = None,
        up_down: UpDown | int | None = None,
        unlabeled: Any = None,
        unlabeled_weight: float = 1.0,
        class_weight: dict[Any, Any] | str | None = None,
        memory_budget: int | None = None,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rbm = rbm
        self.up_down = up_down
        self.unlabeled = unlabeled
        self.unlabeled_weight = unlabeled_weight
        self.class_weight = class_weight
        self.memory_budget = memory_budget
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

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
        """Train the stack on rows and their classes.

        Parameters
        ----------
        X : array-like, frame, sparse matrix or ScaledRows of shape (n_samples, \
n_features)
            As in `DBNTransformer`.
        y : array-like of shape (n_samples,)
            Class labels, numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; rows of weight zero are left out.
        X_val, y_val : array-like, default=None
            Rows that are not trained on: `history_` gets their loss and score.

        Returns
        -------
        self : object
        """
        X = indexable(X)
        how = self.up_down
        if not isinstance(how, UpDown | None):  # an integer of any kind
            how = UpDown(int(how))
        if how is not None:
            how.validate()
        sizes = check_layer_sizes(self.hidden_layer_sizes)
        draft = self._draft()
        job = draft._find_job(X, y, sample_weight, reset=True)
        unlabelled = draft._weigh(job)
        prototypes = layer_prototypes(self.rbm, len(sizes))
        if len(sizes) == 1 and isinstance(self.rbm, RBMTransformer):
            warn_of_idle(self.rbm)
        job.rows = draft._fit_visible(job.rows, job.weight, first_visible(self.rbm))
        several = self.rbm if isinstance(self.rbm, list | tuple) else [None]
        if several[-1] is None:  # nobody has given one
            n_visible = (job.rows.shape[1], *sizes)[-2] + draft.classes_.shape[0]
            seen = [draft.visible_, *(get_units(p.hidden) for p in prototypes)][-2]
            n_unlabelled = len(unlabelled) if self.unlabeled_weight > 0.0 else 0
            counts = job.rows.shape[0], n_unlabelled, n_visible
            prototypes[-1] = top_prototype(seen, *counts)
        validation = check_watched(draft, X_val, y_val, numpy_dtype(job.rows))
        draft._rng = make_rng(self.random_state)
        draft._seed = int(draft._rng.spawn(1)[0].integers(2**31))
        draft.history_, draft._stack, draft._up_down_state = [], {}, {}
        given = job.labelled_of(self, X, y, sample_weight)
        self._become(draft)
        made_of = (*job.made_of(self, False), validation)
        n_subtasks = len(sizes) + (how is not None)
        try:
            with fit_task(self, n_subtasks, *given, made_of=made_of) as task:
                self._resume(task)
                rows = self._labelled_rows(job, unlabelled)
                self._pretrain(job, rows, sizes, prototypes, task, validation)
                if how is not None and not task.stop:
                    self._fine_tune(rows, how, task, validation)
        finally:
            self._forget("_rng", "_stack", "_up_down_state")
        machines = self.dbn_.rbms, prototypes
        warn_of_machines(*machines, job.rows.shape[0], self.history_)
        some = slice(None, None, -(-len(job.labelled) // _LOOKED_AT))
        looked_at = self._filled(choose_rows(job.rows, job.labelled[some]))
        log_p = to_host(self._place.apply(DBN.log_p_labels, self.dbn_, looked_at))
        warn_of_one_class(log_p, job.targets[some], to_host(self.classes_))
        return self

    def _stack_in_training(self) -> DBN:
        return DBN(self._stack["rbms"])

    def _pretrain(
        self,
        job: Job,
        labelled: tuple[Array, Array, Array, Array],
        sizes: list[int],
        prototypes: list[RBMTransformer],
        task: Task,
        validation: Any,
    ) -> None:
        rows, labels, weight, own_weight = labelled
        options = label_options(prototypes[-1])
        if validation is not None:
            options["validate"] = self._watch(self._stack_in_training, *validation)
        of_labels = {"labels": labels, "label_weight": weight}
        self.class_prior_ = converted_beside(_shares(labels, weight), job.rows)
        train_stack(
            self,
            rows,
            own_weight,
            sizes,
            prototypes,
            self._rng,
            task,
            **of_labels,
            label_options=options,
        )

    def _fine_tune(
        self,
        labelled: tuple[Array, Array, Array, Array],
        how: UpDown,
        task: Task,
        validation: Any,
    ) -> None:
        rows, labels, weight, _ = labelled
        rows = self._place.rows(self._filled(rows))
        labels, weight = converted_beside((labels, weight), rows)
        if "params" in (kept := self._up_down_state):
            self.dbn_.untie()
            _fill(self.dbn_, kept.pop("params"))
        left = max(how.max_iter - kept.get("epoch", 0), 0)
        with (
            task.subtask("up-down", left) as subtask,
            self._place.holding(self, rows, "dbn_", "_up_down_state"),
        ):
            watched = validation and self._watch(lambda: self.dbn_, *validation)
            up_down(
                self.dbn_,
                rows,
                labels,
                rng=self._rng,
                how=how,
                max_iter=left,
                sample_weight=weight,
                validate=watched,
                task=subtask,
                history=self.history_,
                state=self._up_down_state,
            )

    def __sklearn_is_fitted__(self) -> bool:
        dbn = getattr(self, "dbn_", None)
        return dbn is not None and dbn.rbms[-1].labels is not None

    _KEPT = GenerativeClassifier._KEPT | {"_seed": "seed"}

    def _progress(self) -> dict[str, Any]:
        state = self._up_down_state
        own: dict[str, Any] = converted(state, to_host)
        if state.get("epoch"):
            own = own | {"params": _buffers(self.dbn_)}
        stack = stack_progress(self._stack)
        return super()._progress() | {"stack": stack, "up_down": own}

    def _attributes_of(self, kept: dict[str, Any]) -> dict[str, Any]:
        own = {"_stack": kept["stack"], "_up_down_state": kept["up_down"]}
        return super()._attributes_of(kept) | own

    @property
    def _machines(self) -> list[RBM]:
        started = self._up_down_state.get("epoch") is not None
        return self.dbn_.rbms if started else super()._machines

    @property
    def _joint(self) -> DBN:
        return self.dbn_

    @property
    def _base_bias(self) -> Array:
        return self.dbn_.rbms[-1].b

    @property
    def _feature_stack(self) -> DBN:
        *below, top = self.dbn_.rbms
        return DBN([*below, feature_machine(top, self.class_prior_)])

    def _first_visible(self) -> str | Units:
        return first_visible(self.rbm)

    @property
    def n_iter_(self) -> list[int]:
        """Epochs that were run, for each layer and for up-down."""
        layers = [entry.get("layer") for entry in self.history_]
        own = [layers.count(i) for i in range(len(self.dbn_.rbms))]
        return [*own, layers.count(None)] if None in layers else own

    def score_samples(self, X: Array, *, n_draws: int = 256) -> Array:
        """Lower bound on the log-likelihood of each row, in nats: classes summed out.

        See `DBNTransformer.score_samples`. After up-down the way up and the way down
        are both in it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN is a value that is not known, and so is, with a warning, a category that
            fit did not have.
        n_draws : int, default=256
            Hidden states drawn for each row.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If X holds values that the visible units cannot take, or `n_draws` is no
            integer of at least 1.

        Warns
        -----
        RuntimeWarning
            When the estimates of log Z cannot be trusted to within 1 nat.
        """
        rows = self._rows(X, "score_samples", inside=True)
        self._check_counts(n_draws=n_draws)
        log_z = self._log_z(*self._place.there((self.dbn_.rbms[-1], self._base_bias)))
        return self._density(self._bounds(self.dbn_, rows, n_draws), rows, log_z)

    def inverse_transform(self, H: Array) -> Array:
        """Mean-field pass down from top hidden activities, by the generative weights.

        Parameters
        ----------
        H : array-like of shape (n_samples, hidden_layer_sizes[-1])

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the units of X; a frame where X was one with categories or booleans.
        """
        check_is_fitted(self)
        h = self._hidden_rows(H, int(self.dbn_.rbms[-1].n_hidden))
        return self._decode(self._place.apply(DBN.inverse_transform, self.dbn_, h), H)


def _shares(labels: Array, weight: Array) -> Array:
    """Of the classes in the labelled rows."""
    known = labels[:, 0] == labels[:, 0]
    w = None if weight is None else weight[known]
    return np.average(labels[known], axis=0, weights=w).astype(labels.dtype)


def _buffers(dbn: DBN) -> list[Array]:
    machines = [*dbn.rbms, *(dbn.generative or [])]
    return [to_host(rbm.params.flat) for rbm in machines]


def _fill(dbn: DBN, kept: list[Array]) -> None:
    machines = [*dbn.rbms, *(dbn.generative or [])]
    for rbm, values in zip(machines, kept, strict=True):
        rbm.params.fill(values)
