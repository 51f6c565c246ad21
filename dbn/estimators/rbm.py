"""One restricted Boltzmann machine as a scikit-learn transformer."""

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend.array import map_batches, with_dtype
from ..backend.device import (
    converted_beside,
    namespace,
    numpy_dtype,
)
from ..backend.random import make_rng, stream_on
from ..backend.types import Array
from ..boltzmann import DBN, RBM, Sampler, Units, get_sampler, get_units
from ..boltzmann.incomplete import log_p_of_known
from ..boltzmann.tempering import TemperedPath
from ..training import Optimizer, Sparsity, train_rbm
from ..training.budget import of_machine
from ..training.callbacks import agree, bars_of, fit_task
from ..training.contrastive import default_optimizer, descending
from ..training.optimizers import get_optimizer
from ..training.sparsity import get_sparsity
from ..training.state import forget_earlier
from ..training.task import Task
from ._sklearn import fit_context
from .constraints import MACHINE
from .convergence import count_updates, settle, warn_of_machine
from .density import DensityTransformer
from .one_machine import OneMachine
from .preprocessing import indexable

# Parameters that `train_rbm` has as well.
_OF_TRAINING = (
    *("sampler", "optimizer", "centering", "weight_decay", "l1", "sparsity"),
    *("batch_size", "max_iter", "on_divergence"),
)


class RBMTransformer(OneMachine, DensityTransformer):
    """Restricted Boltzmann machine: features from unlabelled rows.

    `transform` gives the mean activities of the hidden units. Defaults are those of
    Hinton (2010), "A practical guide to training restricted Boltzmann machines".

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.
    visible : {"auto", "bernoulli", "gaussian", "relu", "spin"} or Units, default="auto"
        Units of the data, among them `Softmax`, and `Mixed` for columns of several
        kinds. "auto" chooses for each column: Bernoulli for 0 and 1, `Spin` for -1 and
        1, `Softmax` for categories, Gaussian for other numbers; where all numbers lie
        in [0, 1], and not all below 0.25, Bernoulli for those that vary as grey values
        do. The columns of Gaussian units are standardised inside.
    hidden : {"bernoulli", "gaussian", "relu", "spin"} or Units, default="bernoulli"
        Type of the hidden units.
    sampler : {"cd", "pcd", "fpcd", "pt"} or Sampler, default="cd"
        Negative phase: contrastive divergence with one step, or persistent chains
        (`PCD`, `FPCD`, `ParallelTempering`), which density models need. Chains cannot
        follow a machine that learns too fast: an optimizer of your own has no momentum
        and a rate that falls.
    optimizer : {"sgd", "adam"}, Optimizer or None, default=None
        None is SGD with a learning rate that falls to 0 over the fit: from 0.1 (0.005
        with Gaussian or rectified units, where long gradients are cut), momentum 0.5
        for five epochs and then 0.9; with persistent chains from three times that,
        without momentum.
    centering : bool, default=False
        Whether to follow the centered gradient (Melchior, Fischer and Wiskott 2016):
        the same model by another path, which density models need.
    weight_decay, l1 : float, default=2e-4 and 0
        lambda of lambda / 2 ||W||^2 and of ``lambda sum |W|``, added to the mean loss;
        biases are free.
    sparsity : float, Sparsity or None, default=None
        Mean activity that hidden units are drawn to; see `dbn.training.Sparsity`.
    batch_size : int or "auto", default="auto"
        Rows per update; the last batch of an epoch may be shorter. "auto" is a
        thirtieth of the rows, but 10 to 100 of them.
    max_iter : int or "auto", default="auto"
        Number of epochs. "auto" is as many as make 1500 updates (3000 with persistent
        chains), but 8 to 100.
    on_divergence : {"raise", "halve"}, default="raise"
        What to do when training diverges: raise an error (the parameters from before
        that epoch are kept), or repeat the epoch with half the learning rate and go on
        with that, as `history_` tells.
    warm_start : bool, default=False
        Whether `fit` goes on from an earlier `fit` or `partial_fit`: with the machine,
        its chains, the optimizer's memory, the random stream and the preprocessing as
        they are, for another `max_iter` epochs. Schedules count on,
        and those without an end of their own begin anew.
    device : str or None, default=None
        Where to compute: None is NumPy, "cpu" and "cuda" (or "cuda:1") are PyTorch, and
        what comes back is NumPy's all the same. X in memory goes to the device as a
        whole, rows of a file and sparse rows batch by batch (as dense ones). A tensor
        of PyTorch, with scikit-learn's array API dispatch, needs no device: everything
        follows X.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, shuffles and samples.
    verbose : int, default=0
        1 shows a tqdm bar of epochs, and bars of batches, sampling and annealing that
        take more than 2 seconds.

    Attributes
    ----------
    rbm_ : RBM
        The trained machine, over standardised rows when `visible_` is Gaussian.
    components_ : ndarray of shape (n_components, n_visible)
        Weights, transposed, for X as given (standardisation folded in).
    intercept_hidden_ : ndarray of shape (n_components,)
        Hidden biases, likewise.
    intercept_visible_ : ndarray of shape (n_visible,)
        Visible biases; of Gaussian units the means while all hidden units are 0, in the
        units of X.
    visible_ : Units
        The visible units that were used: they decide the preprocessing.
    columns_ : FrameColumns or None
        How the columns of a frame with categories, strings or booleans become numbers;
        None where X was numbers.
    visible_names_ : ndarray of str
        Names of the visible units, of which a category has one for each value.
    mean_, scale_ : ndarray of shape (n_visible,) or None
        Standardisation of the columns of Gaussian units, 0 and 1 for others; None
        where there are no Gaussian units.
    fill_ : ndarray of shape (n_visible,)
        What stands for values that are not known: the means of the training rows, after
        standardisation.
    log_z_ : float
        Log partition function in nats, from the first call of `score_samples`.
    history_ : list of dict
        Phase, layer, epoch and ``"reconstruction_error"`` (squared error per visible
        unit) of every epoch.
    n_iter_ : int
        Epochs that were run, those before a warm start included.
    batch_size_, max_iter_ : int
        What "auto" came to, with the rows of the last fit; with `partial_fit`, with
        those of the first chunk.
    n_features_in_ : int
        Columns of X as given, a category being one.
    feature_names_in_ : ndarray of str

    Raises
    ------
    ValueError
        In `fit`, for values outside [0, 1] with Bernoulli units; where there is no such
        device.
    ImportError
        With a device, if PyTorch is not installed.
    FloatingPointError
        In `fit`, when training diverges. After this error, and after a
        KeyboardInterrupt, the estimator is fitted with the epochs done.

    See Also
    --------
    DBNTransformer : A stack of these machines.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn import RBMTransformer
    >>> X = load_digits().data / 16
    >>> rbm = RBMTransformer(n_components=64, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (1797, 64)
    """

    _parameter_constraints: dict[str, Any] = MACHINE

    def __init__(
        self,
        n_components: int = 256,
        *,
        visible: str | Units = "auto",
        hidden: str | Units = "bernoulli",
        sampler: str | Sampler = "cd",
        optimizer: str | Optimizer | None = None,
        centering: bool = False,
        weight_decay: float = 2e-4,
        l1: float = 0.0,
        sparsity: float | Sparsity | None = None,
        batch_size: int | str = "auto",
        max_iter: int | str = "auto",
        on_divergence: str = "raise",
        warm_start: bool = False,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
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
        self.on_divergence = on_divergence
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def training_options(self) -> dict[str, Any]:
        """Keyword arguments for `dbn.training.train_rbm`.

        Examples
        --------
        >>> from dbn import RBMTransformer
        >>> RBMTransformer(max_iter=3).training_options()["max_iter"]
        3
        """
        return {name: getattr(self, name) for name in _OF_TRAINING}

    def validate(self) -> None:
        """Raise a ValueError if a parameter, or one of a part, is not accepted.

        Examples
        --------
        >>> from dbn import RBMTransformer
        >>> RBMTransformer().validate()
        """
        self._validate_params()
        self._validate_parts()

    @property
    def _optimizer(self) -> Optimizer:
        """The optimizer that `optimizer` names or is, of a machine that there is."""
        if self.optimizer is None:
            return default_optimizer(self.rbm_, get_sampler(self.sampler))
        return get_optimizer(self.optimizer)

    def _validate_parts(self) -> None:
        get_sampler(self.sampler)
        if self.optimizer is not None:
            descending(get_optimizer(self.optimizer))
        get_sparsity(self.sparsity)

    @fit_context
    def fit(self, X: Array, y: Array = None, sample_weight: Array = None) -> Self:
        """Train the machine on the rows of X.

        Parameters
        ----------
        X : array-like, frame, sparse matrix or ScaledRows of shape (n_samples, \
n_features)
            Columns of a frame may be categories, strings or booleans, and NaN is a
            value that is not known. A sparse matrix stays sparse; a large memory map in
            C order stays in its file.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; rows of weight zero are left out.

        Returns
        -------
        self : object
        """
        X = indexable(X)
        rows, weight = self._begin(X, sample_weight, self.warm_start)
        before, made_of = self.n_iter_, (rows, weight, self.rbm_)
        given = (X, y, sample_weight, partial(self._snapshot, "rbm_"))
        with fit_task(self, self.max_iter_, *given, made_of=made_of) as task:
            self._resume(task)
            done = self.n_iter_ - before  # of this fit, before it was interrupted
            self._train(rows, weight, max(self.max_iter_ - done, 0), task)
        if self.n_iter_ - before >= self.max_iter_:  # nothing asked to stop
            asked = rows.shape[0], self.batch_size_, self.max_iter_
            warn_of_machine(self.rbm_, count_updates(*asked))
        return self

    @fit_context
    def partial_fit(
        self, X: Array, y: Array = None, sample_weight: Array = None
    ) -> Self:
        """Train on the rows of X for one epoch, from where training stands.

        The first call, unless `fit` came before, starts the machine and takes the
        preprocessing from its rows. Every call counts as one epoch of schedules.
        Persistent chains, the optimizer's memory and the random stream go on from call
        to call, so passing the same rows `max_iter` times is `fit`, unless a schedule
        ends with the fit, as that of the default optimizer does: here it stays at its
        start. Callbacks are not called.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, beside those of the same chunk; rows of weight zero
            are left out.

        Returns
        -------
        self : object

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from dbn import RBMTransformer
        >>> X = load_digits().data / 16
        >>> rbm = RBMTransformer(n_components=64, random_state=0)
        >>> for chunk in (X[:900], X[900:]):
        ...     rbm = rbm.partial_fit(chunk)
        >>> rbm.n_iter_
        2
        """
        rows, weight = self._begin(X, sample_weight, True, chunk=True)
        agree(self, rows, weight, self.rbm_)
        with bars_of(self):
            forget_earlier(self._state, chunk=True)
            self._train(rows, weight, 1, None)
        return self

    def _begin(
        self, X: Array, sample_weight: Array, go_on: bool, chunk: bool = False
    ) -> tuple[Array, Array]:
        """Validate the rows of a fit; make the machine, or a copy to go on with."""
        self._validate_parts()  # scikit-learn has seen to the parameters
        go_on = go_on and self.__sklearn_is_fitted__()
        draft = self._draft(go_on)
        rows, _, weight, _ = draft._check_rows(X, sample_weight, reset=not go_on)
        if go_on:
            draft._check_unchanged()
            rows = with_dtype(draft._encode(rows), numpy_dtype(draft.rbm_.W))
            rows = draft.visible_.inside(rows)
        else:
            rows, weight = draft._start(rows, weight)
        settle(draft, of_machine(self.sampler), rows.shape[0], chunk)
        self._become(draft)
        return rows, weight

    def _start(self, rows: Array, weight: Array) -> tuple[Array, Array]:
        """Make the machine and all that its training begins with."""
        rows = self._fit_visible(rows, weight, self.visible)
        rbm = self._new_machine(rows.shape[1], numpy_dtype(rows))
        self.rbm_ = converted_beside(rbm, rows)
        weight = converted_beside(weight, rows)
        self._rng = make_rng(self.random_state)
        self._seed = int(self._rng.spawn(1)[0].integers(2**31))
        self.history_, self._state = [], {}
        # Independent units with the data's mean: where chains and AIS start.
        self._base_bias = self.visible_.input_for_mean(self.fill_, self.rbm_.p_visible)
        return rows, weight

    def _new_machine(self, n_features: int, dtype: Any) -> RBM:
        units = {"visible": self.visible_, "hidden": get_units(self.hidden)}
        return RBM(n_features, self.n_components, **units, dtype=dtype)

    def _train(
        self, rows: Array, weight: Array, max_iter: int, task: Task | None
    ) -> None:
        rows = self._place.rows(rows)
        length: dict[str, Any] = {"batch_size": self.batch_size_, "max_iter": max_iter}
        with self._place.holding(self, rows, "rbm_", "_state"):
            train_rbm(
                self.rbm_,
                rows,
                rng=self._rng,
                sample_weight=converted_beside(weight, rows),
                task=task,
                history=self.history_,
                state=self._state,
                **self.training_options() | length,
            )

    def transform(self, X: Array) -> Array:
        """Mean activities of the hidden units.

        Values that are not known count as the mean of the training rows.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components)
        """
        rows = self._filled(self._rows(X, "transform"))
        return self._place.apply(batched(RBM.mean_hidden), self.rbm_, rows)

    def score_samples(self, X: Array) -> Array:
        """Log-likelihood of each row, in nats.

        Minus free energy minus log Z, which is exact for machines of up to 2^16 states
        and otherwise comes from annealed importance sampling in both directions, of
        which the larger value counts; it is computed at the first call and kept as
        `log_z_`. Densities are those of X as given; values of Bernoulli and Gaussian
        machines do not compare. For grey values in [0, 1] it is a lower bound on the
        expected log-likelihood of their binarisation.

        Of a row with unknown values it is the log-likelihood of the known ones, over
        all values that the others can have: exact where the unknown units, or the
        hidden ones, have few states together, and otherwise from annealed importance
        sampling for each row, which takes its time (see
        `dbn.boltzmann.incomplete.log_p_of_known`). Nothing known has log-likelihood 0.

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
        log_z = self._log_z(self._place.there(self.rbm_), self._base_bias)
        return self._density(self._log_p_of_known(rows), rows, log_z)

    def anomaly_score(self, X: Array) -> Array:
        """How strange each row is: minus its log-likelihood in nats, up to log Z.

        That is the free energy, as a density of X as given, which needs no annealing:
        it ranks as `score_samples` does and differs from minus that by `log_z_`. The
        higher, the stranger. What counts as strange is up to a threshold, such as a
        quantile of the scores of training rows.

        Of rows with unknown values it is the same of the known ones, see
        `score_samples`. The fewer are known, the less strange a row can be: a category
        that fit did not have makes it less strange than one that is rare.

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

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> from dbn import RBMTransformer
        >>> X = load_digits().data / 16
        >>> rbm = RBMTransformer(64, sampler="pcd", random_state=0).fit(X[:1500])
        >>> threshold = np.quantile(rbm.anomaly_score(X[:1500]), 0.99)
        >>> float((rbm.anomaly_score(X[1500:]) > threshold).mean().round(2))
        0.01
        >>> lying = X[1500:].reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64)
        >>> float((rbm.anomaly_score(lying) > threshold).mean().round(2))
        1.0
        """
        rows = self._rows(X, "anomaly_score", inside=True)
        return -self._density(self._log_p_of_known(rows), rows)

    def _log_p_of_known(self, rows: Array) -> Array:
        """Log-likelihoods of encoded rows, plus log Z."""
        of_known = partial(log_p_of_known, seed=self._seed)
        with bars_of(self):
            return self._place.apply(batched(of_known), self.rbm_, rows)

    def inverse_transform(self, H: Array) -> Array:
        """Mean of the visible units given hidden activities: a reconstruction.

        Parameters
        ----------
        H : array-like of shape (n_samples, n_components)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the units of X; a frame where X was one with categories or booleans.
        """
        check_is_fitted(self)
        rows = self._hidden_rows(H, self._n_features_out)
        V = self._place.apply(batched(RBM.mean_visible), self.rbm_, rows)
        return self._decode(V, like=H)

    def sample(
        self,
        n_samples: int = 1,
        *,
        steps: int = 1000,
        given: Array = None,
        means: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> Array:
        """Draw rows from the model by Gibbs sampling.

        Parameters
        ----------
        n_samples : int, default=1
            Number of independent chains.
        steps : int, default=1000
            Gibbs steps of each chain from independent units with the data's mean.
            Machines that mix slowly need more: compare samples at several values.
        given : array-like of shape (n_features,) or (n_rows, n_features), default=None
            Known values, in the units of X, which come back as they are, and NaN where
            a value is to be drawn given the known ones: one row for all samples, or
            rows like those of X, each of which is completed once. In place of a
            category that fit did not have, another is drawn.
        means : bool, default=False
            Whether to return the means of the visible units given the hidden units that
            were drawn, which are less noisy than rows. In a frame a category is then
            the likeliest one, and a boolean whether it is likely.
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        ndarray of shape (n_samples, n_features) or (n_rows, n_features)
            In the units of X.

        Raises
        ------
        ValueError
            If `given` does not fit, or has rows and `n_samples` is not 1, or a number
            is too small.

        Examples
        --------
        >>> import numpy as np
        >>> from dbn import RBMTransformer
        >>> X = np.repeat([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 500, axis=0)
        >>> rbm = RBMTransformer(4, batch_size=10, max_iter=20, random_state=0).fit(X)
        >>> rows = rbm.sample(200, given=[1.0, np.nan, np.nan], random_state=0)
        >>> bool(rows[:, 1].mean() > 0.9)  # the second entry follows the first
        True
        >>> rbm.sample(given=[[1.0, np.nan, 0.0], [np.nan, 0.0, 1.0]], random_state=0)
        array([[1., 1., 0.],
               [0., 0., 1.]])
        """
        check_is_fitted(self)
        self._check_counts(n_samples=n_samples, steps=steps)
        values, numbers = self._given(self.rbm_, given, n_samples)
        values = self._place.there(values)
        rbm, bias = self._place.there((self.rbm_, self._base_bias))
        rng = stream_on(make_rng(random_state), rbm.W)
        v = TemperedPath(rbm, bias).sample_base(values.shape[0], rng)
        known = values == values
        v = namespace(v).where(known, values, v)
        with bars_of(self):
            v = DBN([rbm]).sample(v, rng, steps, known, means)
        v = namespace(v).where(known, values, v)
        return self._decode(self._place.back(v), like=given, known=numbers)

    @property
    def components_(self) -> Array:
        """Weights of shape (n_components, n_visible) for X as given."""
        return self._fold(self.rbm_.W, self.rbm_.c)[0].T

    @property
    def intercept_hidden_(self) -> Array:
        """Hidden biases of shape (n_components,) for X as given."""
        return self._fold(self.rbm_.W, self.rbm_.c)[1]

    @property
    def intercept_visible_(self) -> Array:
        """Visible biases of shape (n_visible,), in the units of X."""
        b = _biases_in_units_of_rows(self.rbm_)
        return b if self.mean_ is None else self.mean_ + self.scale_ * b

    @property
    def _n_features_out(self) -> int:
        return int(self.rbm_.n_hidden)


def _biases_in_units_of_rows(rbm: RBM) -> Array:
    """Visible biases; of linear units the means while all hidden units are 0."""
    b, blocks = rbm.b, rbm.visible.split(rbm.n_visible, rbm.p_visible)
    if not any(units.linear for _, units, _ in blocks):
        return b
    parts = [
        units.mean(b[None, columns], p)[0, :] if units.linear else b[columns]
        for columns, units, p in blocks
    ]
    return namespace(b).concat(parts)


def batched(method: Callable[..., Array]) -> Callable[[RBM, Array], Array]:
    """A method of machines that takes the rows batch by batch.

    Examples
    --------
    >>> batched(RBM.mean_hidden)(RBM(2, 1), np.zeros((1, 2)))
    array([[0.5]])
    """
    return lambda rbm, rows: map_batches(partial(method, rbm), rows)
