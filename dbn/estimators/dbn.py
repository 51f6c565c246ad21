"""A deep belief network as a scikit-learn transformer."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self, TypeAlias

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend.device import asarray_like, converted, converted_beside, to_host
from ..backend.random import make_rng, stream_on
from ..backend.types import Array
from ..boltzmann import DBN, Units, get_units
from ..boltzmann.tempering import TemperedPath
from ..training import pretrain
from ..training.callbacks import bars_of, fit_task
from ..training.pretraining import begun
from ..training.task import Task
from ._sklearn import Interval, fit_context
from .base import DBNEstimator
from .constraints import RUNNING, check_layer_sizes
from .convergence import warn_of_machines
from .density import DensityTransformer
from .preprocessing import indexable
from .rbm import RBMTransformer

# What `rbm` may be: one prototype for all layers, or one for each. None is the default.
Prototypes: TypeAlias = RBMTransformer | Sequence[RBMTransformer | None] | None


def layer_prototypes(rbm: Any, n_layers: int) -> list[RBMTransformer]:
    """One validated prototype per layer.

    Parameters
    ----------
    rbm : RBMTransformer, list of RBMTransformer or None
    n_layers : int

    Raises
    ------
    TypeError
        If a prototype is not an RBMTransformer.
    ValueError
        If a list has not one prototype per layer, or a prototype's parameter is
        invalid.
    """
    prototypes = list(rbm) if isinstance(rbm, list | tuple) else [rbm] * n_layers
    if len(prototypes) != n_layers:
        raise ValueError(
            f"rbm is a list of {len(prototypes)} prototypes for {n_layers} hidden "
            "layers; give one per layer, or a single prototype for all."
        )
    prototypes = [RBMTransformer() if p is None else p for p in prototypes]
    for prototype in prototypes:
        if not isinstance(prototype, RBMTransformer):
            raise TypeError(
                f"rbm must be an RBMTransformer or a list of them; got {prototype!r}."
            )
        prototype.validate()
    return prototypes


def first_visible(rbm: Prototypes) -> str | Units:
    """The `visible` of the first prototype in an estimator's `rbm`."""
    prototypes = rbm if isinstance(rbm, list | tuple) else [rbm]
    return getattr(next(iter(prototypes), None), "visible", "auto")


def train_stack(
    estimator: Any,
    rows: Array,
    weight: Array,
    sizes: list[int],
    prototypes: list[RBMTransformer],
    rng: Any,
    task: Task,
    **labelled: Any,
) -> None:
    """Pretrain `estimator.dbn_` on rows in the range of `estimator.visible_`.

    It goes on from `estimator._stack`, the state of `pretrain`. After an interruption
    or divergence the stack has the layers that were reached. The memory budget is that
    of the DBNTransformer, which in a predictor is `init`.
    """
    stack = getattr(estimator, "init", estimator)
    rows = estimator._place.rows(rows)
    try:
        pretrain(
            rows,
            sizes,
            rng=rng,
            visible=estimator.visible_,
            layer_options=[
                {"hidden": get_units(p.hidden), **p.training_options()}
                for p in prototypes
            ],
            sample_weight=converted_beside(weight, rows),
            **converted_beside(labelled, rows),
            memory_budget=getattr(stack, "memory_budget", None),
            task=task,
            history=estimator.history_,
            state=estimator._stack,
        )
    finally:
        if reached := begun(estimator._stack):
            estimator.dbn_ = estimator._place.back(DBN(reached))
        estimator._stack = estimator._place.back(estimator._stack)


def stack_progress(stack: dict[str, Any]) -> dict[str, Any]:
    """The state of `train_layers` as plain data, from which it goes on."""
    models = stack.get("rbms", stack.get("nets", []))
    params = [to_host(model.params.flat) for model in models]
    return {"params": params, "layer": converted(stack.get("layer", {}), to_host)}


def is_autoencoder(estimator: Any) -> bool:
    """Whether an estimator is a net that gives back its rows."""
    return isinstance(estimator, DBNEstimator) and estimator._gives_back_rows


def check_adoptable(transformer: Any) -> Any:
    """Return a fitted estimator that a net can start from.

    Raises
    ------
    ValueError
        If it is none.
    """
    brings = isinstance(transformer, DBNEstimator) and transformer._starts_nets
    if not brings or not transformer.__sklearn_is_fitted__():
        advice = "Fit it first."
        if not brings:
            advice = (
                f"{type(transformer).__name__} is none of these, fitted or not. Fit "
                "one; in the place of a single machine DBNTransformer with one layer."
            )
        raise ValueError(
            "init=FrozenEstimator(...) needs a fitted DBNTransformer or DBNAutoencoder "
            f"inside, or a generative classifier; got {transformer!r:.200}. {advice}"
        )
    return transformer


def adopt_stack(estimator: Any, transformer: Any, rows: Array) -> Array:
    """Give an estimator the stack and preprocessing of a fitted DBNTransformer.

    Of an autoencoder, whose stack has not learned what its net has, the preprocessing.

    Returns the rows in the range of its visible units.

    Raises
    ------
    ValueError
        If it was fitted on other features.
    """
    of_net = is_autoencoder(transformer)
    n_features = len(transformer.visible_names_)
    if rows.shape[1] != n_features:
        raise ValueError(
            f"X has {rows.shape[1]} features, but the DBN in init was fitted on "
            f"{n_features}. Use the same features for both."
        )
    mine, its = (
        list(getattr(e, "feature_names_in_", [])) for e in (estimator, transformer)
    )
    if mine and its and mine != its:
        raise ValueError(
            f"X has the feature names {mine}, but the DBN in init was fitted on {its}. "
            "Use the same features in the same order."
        )
    if not of_net:
        estimator.dbn_ = converted_beside(transformer._feature_stack, rows)
    estimator.visible_ = transformer.visible_
    estimator.mean_, estimator.scale_, estimator.fill_ = converted(
        (transformer.mean_, transformer.scale_, transformer.fill_),
        lambda v: asarray_like(v, rows),
    )
    return estimator._encode(estimator.visible_.inside(rows))


class DBNTransformer(DensityTransformer):
    """Deep belief network: a stack of RBMs trained layer by layer, without labels.

    `transform` gives the mean activities of the top hidden units. See Hinton, Osindero
    and Teh (2006), "A fast learning algorithm for deep belief nets".

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(256,)
        Numbers of hidden units, from the data upwards.
    rbm : RBMTransformer, list of RBMTransformer or None, default=None
        Prototype of every layer, or one per layer. `n_components` comes from
        `hidden_layer_sizes`; a prototype's `random_state`, `device`, `warm_start` and
        `verbose`, and above the first layer its `visible`, are not used. None is
        ``RBMTransformer()``.
    memory_budget : int or None, default=None
        Bytes of memory that the hidden activities of all rows, on which the layers
        above the first are trained, may take during `fit`. What does not fit goes to a
        temporary file without a name, in the folder that ``TMPDIR`` sets; from a file
        of more than 64 MB, rows are shuffled in blocks (see `ScaledRows`), and up to
        there the result is the same. None is no limit. X is the caller's: it stays in
        its file when it is a memory map.
    device : str or None, default=None
        Where to compute, as in `RBMTransformer`. Hidden activities within the budget
        are kept there.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, shuffles and samples.
    verbose : int, default=0
        1 shows a tqdm bar of epochs for each layer, and bars of batches, sampling and
        annealing that take more than 2 seconds.

    Attributes
    ----------
    dbn_ : DBN
        The trained stack, over standardised rows when `visible_` is Gaussian.
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
        Log partition function of the top machine in nats, from the first call of
        `score_samples`.
    history_ : list of dict
        Phase, layer, epoch and ``"reconstruction_error"`` of every epoch.
    n_iter_ : list of int
        Epochs that were run, for each layer.
    n_features_in_ : int
        Columns of X as given, a category being one.
    feature_names_in_ : ndarray of str

    Raises
    ------
    ValueError
        In `fit`, for values outside [0, 1] with Bernoulli units, or sizes and
        prototypes that do not fit.
    FloatingPointError
        In `fit`, when training diverges. After this error, and after a
        KeyboardInterrupt, the stack has the layers that were reached, with the epochs
        done.
    OSError
        In `fit`, when there is no room for a temporary file.

    See Also
    --------
    DBNClassifier : Fine-tunes such a stack on labels.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn import DBNTransformer
    >>> X = load_digits().data / 16
    >>> dbn = DBNTransformer(hidden_layer_sizes=(64, 32), random_state=0).fit(X)
    >>> dbn.transform(X).shape
    (1797, 32)
    """

    _rng: Any
    _starts_nets = True
    _parameter_constraints: dict[str, Any] = {
        "hidden_layer_sizes": ["array-like", Integral],
        "rbm": [RBMTransformer, list, tuple, None],
        "memory_budget": [Interval(Integral, 0, None, closed="left"), None],
        **RUNNING,
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (256,),
        *,
        rbm: Prototypes = None,
        memory_budget: int | None = None,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rbm = rbm
        self.memory_budget = memory_budget
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context
    def fit(self, X: Array, y: Array = None, sample_weight: Array = None) -> Self:
        """Train the stack on the rows of X.

        Parameters
        ----------
        X : array-like, frame, sparse matrix or ScaledRows of shape (n_samples, \
n_features)
            Columns of a frame may be categories, strings or booleans, and NaN is a
            value that is not known. A `numpy.memmap` in C order of more than 64 MB
            stays in its file.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; rows of weight zero are left out.

        Returns
        -------
        self : object
        """
        X = indexable(X)
        draft = self._draft()
        rows, _, weight, _ = draft._check_rows(X, sample_weight)
        sizes = check_layer_sizes(self.hidden_layer_sizes)
        prototypes = layer_prototypes(self.rbm, len(sizes))
        rows = draft._fit_visible(rows, weight, prototypes[0].visible)
        draft._rng = make_rng(self.random_state)
        draft._seed = int(draft._rng.spawn(1)[0].integers(2**31))
        draft.history_, draft._stack = [], {}
        self._become(draft)
        try:
            with fit_task(
                self, len(sizes), X, y, sample_weight, made_of=(rows, weight)
            ) as task:
                self._resume(task)
                train_stack(self, rows, weight, sizes, prototypes, self._rng, task)
        finally:
            self._forget("_rng", "_stack")
        warn_of_machines(self.dbn_.rbms, prototypes, rows.shape[0], self.history_)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "dbn_")

    @property
    def _feature_stack(self) -> DBN:
        return self.dbn_

    _KEPT = DensityTransformer._KEPT | {"_seed": "seed"}

    def _progress(self) -> dict[str, Any]:
        return super()._progress() | {"stack": stack_progress(self._stack)}

    def _attributes_of(self, kept: dict[str, Any]) -> dict[str, Any]:
        return super()._attributes_of(kept) | {"_stack": kept["stack"]}

    @property
    def n_iter_(self) -> list[int]:
        """Epochs that were run, for each layer."""
        layers = [entry["layer"] for entry in self.history_]
        return [layers.count(i) for i in range(len(self.dbn_.rbms))]

    def transform(self, X: Array) -> Array:
        """Mean activities of the top hidden units.

        Values that are not known count as the mean of the training rows.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, hidden_layer_sizes[-1])
        """
        rows = self._filled(self._rows(X, "transform"))
        return self._place.apply(DBN.transform, self.dbn_, rows)

    def score_samples(self, X: Array, *, n_draws: int = 256) -> Array:
        """Lower bound on the log-likelihood of each row, in nats.

        The Monte-Carlo variational bound of `dbn.DBN.log_p_bound`, with the same noise
        for every row, seeded in fit: deterministic, and a row's value does not depend
        on the others. Log Z of the top machine as in `RBMTransformer.score_samples`.

        Of a row with unknown values it bounds the log-likelihood of the known ones: the
        hidden units are drawn upwards from the row with mean-field values of the first
        machine in its holes, and of the visible units the known ones count.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            NaN is a value that is not known, and so is, with a warning, a category that
            fit did not have.
        n_draws : int, default=256
            Hidden states drawn for each row. Too few overstate the bound's spread, not
            its mean.

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
        top = self._place.there(self.dbn_).rbms[-1]
        log_z = self._log_z(top, top.b)
        log_p = self._bounds(self.dbn_, rows, n_draws)
        return self._density(log_p, rows, log_z)

    def inverse_transform(self, H: Array) -> Array:
        """Mean-field pass down from top hidden activities: a reconstruction.

        Parameters
        ----------
        H : array-like of shape (n_samples, hidden_layer_sizes[-1])

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the units of X; a frame where X was one with categories or booleans.
        """
        check_is_fitted(self)
        rows = self._hidden_rows(H, self._n_features_out)
        V = self._place.apply(DBN.inverse_transform, self.dbn_, rows)
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
        """Draw rows from the model: Gibbs sampling in the top machine, then down.

        With `given`, chains go up and down the whole stack, and known values keep
        theirs: hidden units are drawn upwards, the top machine makes a Gibbs step, and
        units are drawn downwards. The way up is approximate where there is more than
        one layer, and so is then the law of the draws; see `dbn.DBN.complete`.

        Parameters
        ----------
        n_samples : int, default=1
            Number of independent chains.
        steps : int, default=1000
            Gibbs steps of the top machine, from its visible biases alone; with `given`,
            ways up and down.
        given : array-like of shape (n_features,) or (n_rows, n_features), default=None
            Known values, in the units of X, and NaN where a value is to be drawn given
            the known ones, as in `RBMTransformer.sample`.
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
        >>> from dbn import DBNTransformer, RBMTransformer
        >>> X = np.repeat([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 500, axis=0)
        >>> rbm = RBMTransformer(batch_size=10, max_iter=20)
        >>> dbn = DBNTransformer((6, 4), rbm=rbm, random_state=0).fit(X)
        >>> rows = dbn.sample(200, given=[1.0, np.nan, np.nan], random_state=0)
        >>> bool(rows[:, 1].mean() > 0.9)  # the second entry follows the first
        True
        """
        check_is_fitted(self)
        self._check_counts(n_samples=n_samples, steps=steps)
        dbn = self._place.there(self.dbn_)
        top = dbn.rbms[-1]
        rng, known = stream_on(make_rng(random_state), top.W), None
        if given is not None:
            v, known = self._given(self.dbn_.rbms[0], given, n_samples)
            with bars_of(self):
                v = dbn.complete(self._place.there(v), rng, steps, means)
        else:
            v_top = TemperedPath(top).sample_base(n_samples, rng)
            with bars_of(self):
                v = dbn.sample(v_top, rng, steps, means=means)
        return self._decode(self._place.back(v), like=given, known=known)

    def _first_visible(self) -> str | Units:
        return first_visible(self.rbm)

    @property
    def _n_features_out(self) -> int:
        return int(self.dbn_.rbms[-1].n_hidden)
