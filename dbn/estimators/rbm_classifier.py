"""A restricted Boltzmann machine over features and class, as a classifier."""

from functools import partial
from numbers import Real
from typing import Any, Self

import numpy as np

from ..backend.array import with_dtype
from ..backend.device import converted_beside, numpy_dtype
from ..backend.labelled_rows import LabelledRows
from ..backend.random import make_rng
from ..backend.types import Array
from ..boltzmann import DBN, RBM, Sampler, Units, get_sampler, get_units
from ..boltzmann.feature_machine import feature_machine
from ..boltzmann.incomplete import log_p_of_known_features
from ..boltzmann.units import labels
from ..feedforward.losses import SoftmaxCrossEntropy
from ..training import Optimizer, Sparsity, train_rbm
from ..training.budget import CLASSIFYING_MACHINE
from ..training.callbacks import agree, bars_of, fit_task
from ..training.contrastive import classifying_optimizer, default_optimizer, descending
from ..training.optimizers import get_optimizer
from ..training.sparsity import get_sparsity
from ..training.state import forget_earlier
from ..training.task import Task
from ._sklearn import Interval, StrOptions, fit_context
from .constraints import LABELS, MACHINE
from .convergence import settle, warn_of_classes
from .generative import GenerativeClassifier
from .held_out import check_holdable, check_watched, hold_out
from .one_machine import OneMachine
from .preprocessing import indexable
from .rbm import batched
from .targets import Job

# What the density counts with objectives for which `generative_weight` is nothing.
_GENERATIVE = {"generative": 1.0, "discriminative": 0.0}
# Parameters that `train_rbm` has as well.
_OF_TRAINING = (
    *("sampler", "centering", "weight_decay", "l1", "sparsity"),
    *("on_divergence", "tol"),
)


class RBMClassifier(GenerativeClassifier, OneMachine):
    """Restricted Boltzmann machine over features and class, which classifies rows.

    One layer of hidden units explains the features and, beside them, the class.
    Probabilities of the classes are exact, and so is the gradient of their logarithm:
    Larochelle and Bengio (2008), "Classification using discriminative restricted
    Boltzmann machines"; Larochelle, Mandel, Pascanu and Bengio (2012), "Learning
    algorithms for the classification restricted Boltzmann machine".

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.
    objective : {"hybrid", "discriminative", "generative"}, default="hybrid"
        What is learned: the probability of the class given the features
        (discriminative), that of features and class together (generative, by the
        `sampler`), or the first and, with a weight, the second.
    generative_weight : float, default=0.01
        That weight. The more of it, the more the machine is a model of X as well, and
        the more it learns from rows without a label.
    unlabeled : scalar, default=None
        The value of y that marks a row without a label, such as -1. Its class is summed
        out: it takes part in what is generative. `score` leaves it out (scorers by name
        do not). NaN and `pandas.NA` mark whatever is missing, None included. None: no
        value is special.
    unlabeled_weight : float, default=1.0
        Weight of such a row beside that of one with a label.
    visible : {"auto", "bernoulli", "gaussian", "relu", "spin"} or Units, default="auto"
        Units of the features, as in `RBMTransformer`.
    hidden : {"bernoulli", "gaussian", "relu", "spin"} or Units, default="bernoulli"
        Type of the hidden units.
    sampler : {"cd", "pcd", "fpcd", "pt"} or Sampler, default="cd"
        Negative phase of what is generative. Its steps draw the class given the
        features, with the hidden units summed out.
    optimizer : {"sgd", "rmsprop", "adam", "adamw"}, Optimizer or None, default=None
        None is Adam with a learning rate that falls to 0 over the fit; with a
        generative objective SGD, as in `RBMTransformer`.
    centering : bool, default=False
        Whether what is generative follows the centered gradient.
    weight_decay, l1 : float, default=1e-5 and 0
        lambda of lambda / 2 ||W||^2, added to the mean loss, and of ``lambda sum |W|``,
        added to what is generative; biases are free.
    sparsity : float, Sparsity or None, default=None
        Mean activity that hidden units are drawn to, in what is generative.
    batch_size, max_iter : int or "auto", default="auto"
        Rows per update and number of epochs. "auto" is a thirtieth of the rows, but 10
        to 100 of them, and as many epochs as make 3000 updates, but 15 to 100.
    early_stopping : bool, default=False
        Whether to stop when the loss on rows that are held out has not fallen for
        `n_iter_no_change` epochs and 500 updates, and to keep the best epoch.
    validation_fraction : float, default=0.1
        Of the labelled rows that are held out, unless `fit` is given others.
    n_iter_no_change : int, default=10
    tol : float, default=1e-4
        What counts as a fall of that loss.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied with `sample_weight`; "balanced" makes all
        count alike.
    on_divergence : {"raise", "halve"}, default="raise"
        What to do when training diverges, as in `RBMTransformer`.
    warm_start : bool, default=False
        Whether `fit` goes on from an earlier one, for another `max_iter` epochs and
        with the same classes.
    device : str or None, default=None
        Where to compute, as in `RBMTransformer`.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, shuffles and samples.
    verbose : int, default=0
        1 shows a tqdm bar of epochs, and bars of batches, sampling and annealing that
        take more than 2 seconds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    rbm_ : RBM
        The machine, whose visible units are features (standardised where they are
        Gaussian) and then classes.
        ``DBNClassifier(init=FrozenEstimator(...))`` starts from its part without
        classes, whose hidden biases have the mean input of the labels.
    visible_ : Units
        The units of the features: they decide the preprocessing.
    columns_, visible_names_, mean_, scale_, fill_ : as in `RBMTransformer`
    log_z_ : float
        Log partition function in nats, from the first call of `score_samples`.
    history_ : list of dict
        Phase, layer, epoch and metrics of every epoch: ``"loss"``, the mean of
        -log p(class | features), ``"reconstruction_error"`` of what is generative, and
        of rows held out ``"validation_loss"`` and ``"validation_score"`` (accuracy).
    loss_curve_ : list of float
        That loss; empty with a generative objective.
    n_iter_ : int
        Epochs that were run, those before a warm start included.
    batch_size_, max_iter_ : int
        What "auto" came to.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    ValueError
        In `fit`, for values outside [0, 1] with Bernoulli units, a single class, or no
        labelled row.
    FloatingPointError
        In `fit`, when training diverges. After this error, and after a
        KeyboardInterrupt, the estimator is fitted with the epochs done.

    See Also
    --------
    GenerativeDBNClassifier : The same over the features of further layers.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn import RBMClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = RBMClassifier(64, random_state=0).fit(X[:1000] / 16, y[:1000])
    >>> clf.score(X[1000:] / 16, y[1000:]) > 0.9
    True
    """

    _starts_nets = True
    _parameter_constraints: dict[str, Any] = {
        **MACHINE,
        **LABELS,
        "objective": [StrOptions({"hybrid", "discriminative", "generative"})],
        "generative_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 256,
        *,
        objective: str = "hybrid",
        generative_weight: float = 0.01,
        unlabeled: Any = None,
        unlabeled_weight: float = 1.0,
        visible: str | Units = "auto",
        hidden: str | Units = "bernoulli",
        sampler: str | Sampler = "cd",
        optimizer: str | Optimizer | None = None,
        centering: bool = False,
        weight_decay: float = 1e-5,
        l1: float = 0.0,
        sparsity: float | Sparsity | None = None,
        batch_size: int | str = "auto",
        max_iter: int | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        class_weight: dict[Any, Any] | str | None = None,
        on_divergence: str = "raise",
        warm_start: bool = False,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.objective = objective
        self.generative_weight = generative_weight
        self.unlabeled = unlabeled
        self.unlabeled_weight = unlabeled_weight
        self.visible = visible
        self.hidden = hidden
        self.sampler = sampler
        self.optimizer = optimizer
        self.centering = centering
        self.weight_decay = weight_decay
        self.l1 = l1
        self.sparsity = sparsity
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.on_divergence = on_divergence
        self.warm_start = warm_start
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
        """Train the machine on rows and their classes.

        Parameters
        ----------
        X : array-like, frame, sparse matrix or ScaledRows of shape (n_samples, \
n_features)
            Columns of a frame may be categories, strings or booleans, and NaN is a
            value that is not known. A sparse matrix stays sparse.
        y : array-like of shape (n_samples,)
            Class labels, numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; rows of weight zero are left out.
        X_val, y_val : array-like, default=None
            Rows that are not trained on: `history_` gets their loss and score, and with
            `early_stopping` they take the place of rows held out.

        Returns
        -------
        self : object
        """
        X = indexable(X)
        going_on = self.warm_start and self.__sklearn_is_fitted__()
        draft, job, unlabelled = self._prepared(X, y, sample_weight, going_on)
        validation = check_watched(draft, X_val, y_val, numpy_dtype(draft.rbm_.W))
        if validation is None and self.early_stopping:
            check_holdable(draft, job)
        labelled = job.labelled_of(self, X, y, sample_weight)
        self._become(draft)
        before = self.n_iter_  # of earlier fits
        made_of = (*job.made_of(self, True), validation)
        given = *labelled, partial(self._snapshot, "rbm_")
        with fit_task(self, self.max_iter_, *given, made_of=made_of) as task:
            self._resume(task)
            if validation is None and self.early_stopping:
                validation = hold_out(self, job, np.random.default_rng(self._seed))
            over = self._state.get("best", {"over": False})["over"]
            left = 0 if over else max(self.max_iter_ + before - self.n_iter_, 0)
            self._train(job, unlabelled, left, task, validation)
        if self.n_iter_ - before == self.max_iter_:  # nothing asked to stop
            constant = SoftmaxCrossEntropy().constant(job.targets, job.label_weight)
            length = job.rows.shape[0], self.batch_size_, self.max_iter_
            warn_of_classes(self.rbm_, self.history_[before:], constant, *length)
        return self

    @fit_context
    def partial_fit(
        self, X: Array, y: Array, classes: Array = None, sample_weight: Array = None
    ) -> Self:
        """Train on the rows for one epoch, from where training stands.

        The first call, unless `fit` came before, starts the machine and takes the
        preprocessing from its rows. Callbacks and `early_stopping` play no part, and a
        schedule that ends with the fit stays at its start.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), default=None
            All classes of all calls, in the first call; later the same, or None. The
            mark of rows without a label may be among them, and is none.
            Default: those of the first y.
        sample_weight : array-like of shape (n_samples,), default=None
            Of rows beside those of the same chunk.

        Returns
        -------
        self : object
        """
        given = indexable(X), y, sample_weight, self.__sklearn_is_fitted__()
        draft, job, unlabelled = self._prepared(*given, classes, chunk=True)
        agree(draft, *job.made_of(draft, True))
        self._become(draft)
        self._train(job, unlabelled, 1, None, None)
        return self

    @property
    def _optimizer(self) -> Optimizer:
        """The optimizer that `optimizer` names or is, of a machine that there is."""
        if self.optimizer is not None:
            return get_optimizer(self.optimizer)
        if self.objective == "generative":
            return default_optimizer(self.rbm_, get_sampler(self.sampler))
        return classifying_optimizer()

    def _prepared(
        self,
        X: Array,
        y: Array,
        sample_weight: Array,
        going_on: bool,
        classes: Array = None,
        chunk: bool = False,
    ) -> tuple[Self, Job, Array]:
        """A draft with classes, preprocessing and machine; the job; unlabelled rows."""
        get_sampler(self.sampler)
        get_sparsity(self.sparsity)
        if self.optimizer is not None:
            descending(get_optimizer(self.optimizer))
        draft = self._draft(going_on)
        job = draft._find_job(X, y, sample_weight, not going_on, classes, chunk)
        unlabelled = draft._weigh(job)
        if going_on:
            draft._check_unchanged()
            rows = with_dtype(draft._encode(job.rows), numpy_dtype(draft.rbm_.W))
            job.rows = draft.visible_.inside(rows)
            forget_earlier(draft._state, chunk)
        else:
            job.rows = draft._fit_visible(job.rows, job.weight, self.visible)
            rbm = draft._new_machine(job.rows.shape[1], numpy_dtype(job.rows))
            draft.rbm_ = converted_beside(rbm, job.rows)
            draft._rng = make_rng(self.random_state)
            draft._seed = int(draft._rng.spawn(1)[0].integers(2**31))
            draft.history_, draft._state = [], {}
        settle(draft, CLASSIFYING_MACHINE, job.rows.shape[0], chunk)
        return draft, job, unlabelled

    def _new_machine(self, n_features: int, dtype: Any) -> RBM:
        n_classes = self.classes_.shape[0]
        units = labels.with_labels(self.visible_, n_features, n_classes)
        sizes = n_features + n_classes, self.n_components
        return RBM(*sizes, visible=units, hidden=get_units(self.hidden), dtype=dtype)

    def _train(
        self,
        job: Job,
        unlabelled: Array,
        max_iter: int,
        task: Task | None,
        validation: Any,
    ) -> None:
        rows, targets, weight, _ = self._labelled_rows(job, unlabelled)
        rows = self._place.rows(rows)
        targets, weight = converted_beside((targets, weight), rows)
        alpha = _GENERATIVE.get(self.objective, self.generative_weight)
        with bars_of(self), self._place.holding(self, rows, "rbm_", "_state"):
            watched = validation and self._watch(lambda: self._joint, *validation)
            stopping = watched is not None and self.early_stopping
            train_rbm(
                self.rbm_,
                LabelledRows(rows, targets),
                rng=self._rng,
                optimizer=self._optimizer,
                generative_weight=alpha,
                discriminative_weight=float(self.objective != "generative"),
                sample_weight=weight,
                batch_size=self.batch_size_,
                max_iter=max_iter,
                validate=watched,
                patience=self.n_iter_no_change if stopping else None,
                task=task,
                history=self.history_,
                state=self._state,
                **{name: getattr(self, name) for name in _OF_TRAINING},
            )
        self._forget("log_z_")  # early stopping may have gone back to other weights

    @property
    def _joint(self) -> DBN:
        return DBN([self.rbm_])

    @property
    def _base_bias(self) -> Array:
        """Visible biases of independent units with the mean of the data."""
        mean = self._state["means"][0]
        return self.rbm_.visible.input_for_mean(mean, self.rbm_.p_visible)

    @property
    def _feature_stack(self) -> DBN:
        of_labels = self._state["means"][0][self.rbm_.n_features :]
        return DBN([feature_machine(self.rbm_, of_labels)])

    @property
    def loss_curve_(self) -> list[float]:
        """Mean of -log p(class | features) in each epoch."""
        return [entry["loss"] for entry in self.history_ if "loss" in entry]

    def score_samples(self, X: Array) -> Array:
        """Log-likelihood of the features of each row, in nats: classes are summed out.

        See `RBMTransformer.score_samples`. A machine that is trained to classify is no
        good density: raise `generative_weight`, or use a generative objective with
        persistent chains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN is a value that is not known, and so is, with a warning, a category that
            fit did not have.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If X holds values that the visible units cannot take, or the units have no
            normalised law.

        Warns
        -----
        RuntimeWarning
            When the estimates of log Z, or those of rows of which little is known,
            cannot be trusted to within 1 nat.
        """
        rows = self._rows(X, "score_samples", inside=True)
        log_z = self._log_z(*self._place.there((self.rbm_, self._base_bias)))
        of_known = batched(partial(log_p_of_known_features, seed=self._seed))
        log_p = self._place.apply(of_known, self.rbm_, rows)
        return self._density(log_p, rows, log_z)
