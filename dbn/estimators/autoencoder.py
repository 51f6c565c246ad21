"""A deep autoencoder: a net that gives back its rows through a narrow layer."""

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..backend.array import dense, map_batches, mean_weights, with_dtype
from ..backend.device import asarray_like, beside, namespace, to_host
from ..backend.missing import filled
from ..backend.types import Array
from ..feedforward import (
    Activation,
    Loss,
    Network,
    OfKnown,
    get_activation,
    get_activations,
    get_loss,
)
from ..feedforward.layers import ACTIVATIONS, Activations
from ..feedforward.losses import LOSSES
from ..training import Adam, Optimizer, Schedule
from ..training.denoising import corrupted
from ..training.unrolling import check_reconstruction_loss, reconstruction_loss
from ._sklearn import Interval, StrOptions, fit_context
from .dbn import Prototypes
from .net import NetEstimator
from .predictor import DBNPredictor
from .preprocessing import has_missing, said_of
from .start import Init, brings_net, brings_stack, brought_activations, pretrains
from .targets import Job

_CONSTRAINTS = dict(NetEstimator._parameter_constraints)
del _CONSTRAINTS["unlabeled"]


class DBNAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DBNPredictor):
    """Deep autoencoder whose initial weights come from a DBN, or from elsewhere.

    An encoder maps rows to codes of a few numbers, and a decoder maps codes to rows;
    both are trained, as one net, to give back the rows. With ``init="dbn"`` a deep
    belief network is pretrained and unrolled, its transposed weights being the decoder
    (Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural
    networks"); other values of `init` give the same net another start, among them
    "sae", denoising autoencoders trained layer by layer (Vincent, Larochelle, Lajoie,
    Bengio and Manzagol 2010, "Stacked denoising autoencoders").

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(256, 32)
        Numbers of units of the encoder, from the data upwards: the last is that of the
        code. The decoder has the same in reverse order.
    init : str, Initializer, list, DBNTransformer or FrozenEstimator, default="dbn"
        Where the weights start, of encoder and decoder.

        - "dbn" pretrains a deep belief network and unrolls it (`Unrolled`);
          "dbn-resampled" and "dbn-shuffled" keep only the histogram of its weights.
        - "sae" trains denoising autoencoders, layer by layer (`DenoisingStack`).
        - A name such as "xavier_uniform", "he_normal", "orthogonal" or "lsuv"
          (`dbn.feedforward.get_initializer` lists them) or an `Initializer` draws them.
        - A list of (W, c) pairs, one per layer of the whole net, is copied.
        - A `DBNTransformer` is pretrained on X with its own sizes and machines.
        - ``FrozenEstimator(fitted DBNTransformer)`` unrolls a stack that was pretrained
          before; ``FrozenEstimator(fitted DBNAutoencoder)`` copies that net.
    rbm : RBMTransformer, list of RBMTransformer or None, default=None
        Prototype of every layer of the DBN, or one per layer, as in `DBNTransformer`.
        Its `visible` also decides the preprocessing of X for every other `init`, except
        a DBN, which has its own machines. None takes the hidden units that go with the
        activations, and so does a single prototype where the code has another one than
        the layers below.
    activation : str, Activation or list of them, default="logistic"
        Of the hidden layers but the code, or a list with one for each of these layers
        of the encoder, which the decoder has in reverse order; names as in
        `DBNClassifier`.
    code_activation : str or Activation, default="identity"
        Of the code. A linear code, "identity", starts from a machine with Gaussian
        hidden units, a "logistic" one from Bernoulli units.
    loss : {"auto", "binary_cross_entropy", "squared_error", "cross_entropy"} or Loss, \
default="auto"
        "auto" goes with the visible units: cross-entropy for values in [0, 1], for -1
        and 1 and for each column of categories; half the squared error for other
        numbers, standardised. A DBN starts no other. With "squared_error" outputs are
        linear.
    noise : float, default=0.0
        Fraction of the entries of each row that are set to 0 on the way in, anew in
        every epoch, and are to be reconstructed all the same: the masking noise of
        Vincent et al. Of standardised columns 0 is the mean. With it values that are
        not known are 0 on the way in, too.
    dropout : float or sequence of float, default=0.0
        Probability that a unit is dropped in training: one number for the hidden
        layers, or one for the inputs and each hidden layer, decoder included.
    batch_norm : bool, default=False
        Whether hidden layers normalise their input over the batch. A pretrained net
        starts with the reconstructions it would have without.
    optimizer : {"sgd", "rmsprop", "adam", "adamw", "lbfgs", "cg"} or Optimizer, \
default="adam"
        Of the fine-tuning. "adam" is ``Adam(Schedule(0.01, 0.0))``: its learning rate
        falls to 0 over the fit.
    weight_decay : float, default=0.0
        lambda of lambda / 2 ||W||^2, added to the mean loss; biases are free.
    max_norm : float or None, default=None
        Bound of the norm of each unit's incoming weights.
    learning_rate_multipliers : sequence of float or None, default=None
        One per layer of the whole net, from the data upwards; 0 freezes a layer.
    head_epochs : int, default=0
        Fine-tuning epochs at the beginning in which only the output layer learns.
    batch_size : int or "auto", default="auto"
        Rows per update; the last batch of an epoch may be shorter. "auto" is a
        thirtieth of the rows, but 10 to 100 of them.
    max_iter : int or "auto", default="auto"
        Number of fine-tuning epochs. "auto" is as many as make 3000 updates, but 20 to
        100. (With "lbfgs" and "cg", "auto" is 1000 rows and 200 updates.)
    early_stopping : bool, default=False
        Whether to stop when the validation loss has not fallen for a while, see
        `n_iter_no_change`, and to return to the epoch with the least one. Rows for it
        are `X_val` of `fit`, or else held out of X.
    validation_fraction : float, default=0.1
        Share of the rows that early stopping holds out.
    n_iter_no_change : int, default=10
        Epochs without progress, 500 updates at the least, after which training stops:
        of the validation loss with early stopping, of the training loss without.
    tol : float, default=1e-4
        Fall of the loss that counts as progress. 0 goes on to the end of `max_iter`
        where it would be the training loss.
    on_divergence : {"raise", "halve"}, default="raise"
        What to do when training diverges: raise an error (the parameters from before
        that epoch are kept), or repeat the epoch with half the learning rate and go on
        with that, as `history_` tells. Of the fine-tuning; machines have their own.
    warm_start : bool, default=False
        Whether `fit` goes on fine-tuning the net from an earlier fit, for another
        `max_iter` epochs, instead of starting anew.
    device : str or None, default=None
        Where to compute, as in `RBMTransformer`; not that of `rbm` or `init`.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, shuffles, samples and noise.
    verbose : int, default=0
        1 shows tqdm bars of epochs, and of batches where an epoch takes more than 2
        seconds.

    Attributes
    ----------
    network_ : Network
        The trained net, encoder and decoder, over standardised rows when `visible_` is
        Gaussian. What is not known does not count in its loss (`OfKnown`).
    dbn_ : DBN
        The stack behind the start; only with "dbn" or a fitted DBNTransformer.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer, for X as given
        (standardisation folded in).
    visible_ : Units
        The visible units that were used: they decide the preprocessing, and the loss.
    columns_ : FrameColumns or None
        How the columns of a frame with categories, strings or booleans become numbers;
        None where X was numbers.
    visible_names_ : ndarray of str
        Names of the visible units, of which a category has one for each value.
    mean_, scale_ : ndarray of shape (n_visible,) or None
        Standardisation of the columns of Gaussian units, 0 and 1 for others; None
        where there are no Gaussian units.
    fill_ : ndarray of shape (n_visible,)
        What stands for values that are not known on the way in: the means of the
        training rows, after standardisation; with `noise` 0, as it leaves them. Of the
        fit that chose the preprocessing, not of those that go on.
    history_ : list of dict
        Phase, layer, epoch and metrics of every epoch.
    loss_curve_ : list of float
        Mean training loss of each fine-tuning epoch, weight decay not counted.
    n_iter_ : int
        Fine-tuning epochs that were run, those before a warm start included.
    batch_size_, max_iter_ : int
        What "auto" came to, with the rows of the last fit; with `partial_fit`, with
        those of the first chunk.
    n_features_in_ : int
        Columns of X as given, a category being one.
    feature_names_in_ : ndarray of str

    Raises
    ------
    ValueError
        In `fit`, for values outside [0, 1] with Bernoulli units, or parts that do not
        fit together.
    FloatingPointError
        In `fit`, when training diverges. After this error, a KeyboardInterrupt or any
        other in the middle of training, the estimator is fitted with the epochs done
        once fine-tuning has begun, and not fitted before. What `fit` refuses leaves an
        earlier model as it was.

    See Also
    --------
    DBNTransformer : The stack alone, whose codes are those before fine-tuning.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn import DBNAutoencoder
    >>> X = load_digits().data / 16
    >>> net = DBNAutoencoder((64, 8), max_iter=20, random_state=0).fit(X)
    >>> codes = net.transform(X)
    >>> codes.shape, net.inverse_transform(codes).shape
    ((1797, 8), (1797, 64))
    >>> net.score(X) > -1.5  # squared error per image
    True
    """

    _numeric_targets, _starts_nets = False, True
    _default_sizes, _gives_back_rows = (256, 32), True  # type: ignore[assignment]
    _parameter_constraints: dict[str, Any] = {
        **_CONSTRAINTS,
        "code_activation": [StrOptions({*ACTIVATIONS}), Activation],
        "loss": [StrOptions({"auto", *LOSSES}), Loss],
        "noise": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (256, 32),
        *,
        init: Init = "dbn",
        rbm: Prototypes = None,
        activation: Activations = "logistic",
        code_activation: str | Activation = "identity",
        loss: str | Loss = "auto",
        noise: float = 0.0,
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
        warm_start: bool = False,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.init = init
        self.rbm = rbm
        self.activation = activation
        self.code_activation = code_activation
        self.loss = loss
        self.noise = noise
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
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @fit_context
    def fit(
        self,
        X: Array,
        y: Array = None,
        sample_weight: Array = None,
        *,
        X_val: Array = None,
    ) -> Self:
        """Initialize the net and fine-tune it to give back the rows of X.

        Parameters
        ----------
        X : array-like, frame, sparse matrix or ScaledRows of shape (n_samples, \
n_features)
            Columns of a frame may be categories, strings or booleans. NaN is a value
            that is not known: `fill_` takes its place on the way in, and what comes out
            there does not count. A large memory map in C order stays in its
            file.
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in pretraining and fine-tuning; rows of weight zero are
            left out.
        X_val : array-like, default=None
            Rows that are not trained on: `history_` gets their loss and score after
            every epoch, and `early_stopping` watches them.

        Returns
        -------
        self : object
        """
        return self._fit(X, y, sample_weight, X_val, None)

    @fit_context
    def partial_fit(
        self, X: Array, y: Array = None, sample_weight: Array = None
    ) -> Self:
        """Fine-tune on the rows for one epoch, from where training stands.

        The first call, unless `fit` came before, does all that `init` says on its rows:
        pretraining too. Callbacks and `early_stopping` play no part.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        y : Ignored
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Of rows beside those of the same chunk.

        Returns
        -------
        self : object
        """
        return self._partial_fit(X, y, sample_weight)

    def _job(self, X: Array, y: Array, sample_weight: Array, reset: bool) -> Job:
        rows, _, weight, _ = self._check_rows(X, sample_weight, reset=reset)
        return Job(rows, weight, None, np.arange(rows.shape[0]), weight, None, None)

    def _set_targets(
        self, job: Job, dtype: Any, going_on: bool, classes: Array
    ) -> None:
        """Nothing: the rows themselves are the targets."""

    def _validation(
        self, X_val: Array, y_val: Array, dtype: Any
    ) -> tuple[Array, None, None] | None:
        if X_val is None:
            return None
        with said_of("X_val"):
            rows, _ = self._checked(X_val, reset=False)
            rows = self.visible_.inside(with_dtype(self._encode(rows), dtype))
        return rows, None, None

    def _watched(
        self, rows: Array, targets: Array, weight: Array
    ) -> Callable[[], dict[str, float]]:
        rows = self._place.rows(rows)

        def measure() -> dict[str, float]:
            found = to_host(self._measures(self.network_, rows))
            loss, error = mean_weights(found, weight) @ found
            return {"validation_loss": float(loss), "validation_score": -float(error)}

        return measure

    def _stack_activations(self, n: int) -> list[Activation]:
        brings = brings_net(self.init)
        asked = self.activation, self.code_activation
        if brings and asked == ("logistic", "identity"):
            return brought_activations(self.init, None)
        own = [*get_activations(asked[0], n - 1), get_activation(asked[1])]
        return brought_activations(self.init, own) if brings else own

    def _net_activations(self, n: int) -> list[Activation]:
        encoder = self._stack_activations((n + 1) // 2)
        return [*encoder, *encoder[-2::-1]]

    def _net_loss(self, n: int) -> Loss:
        own = reconstruction_loss(self.visible_, n)
        loss = own if self.loss == "auto" else get_loss(self.loss)
        stack = pretrains(self.init) or brings_stack(self.init)
        if stack and not brings_net(self.init) and loss != own:
            raise ValueError(
                f"A DBN with {self.visible_!r:.200} visible units starts a net with "
                f"the loss {own!r:.200}, and loss is {self.loss!r:.200}. Leave it at "
                "'auto', set the visible units of rbm, or use another init."
            )
        known = OfKnown(loss)
        known.check_outputs(n)
        check_reconstruction_loss(loss, self.visible_, n)
        return known

    def _adam(self, n_rows: int, n_columns: int) -> Optimizer:
        return Adam(Schedule(0.01, 0.0))  # decay costs, see docs/design.md

    @property
    def _noise(self) -> float:
        return self.noise

    def _training_rows(self, rows: Array) -> tuple[Array, Any]:
        fill = self.fill_ if has_missing(rows) else None
        rows = self._place.rows(rows)
        if fill is None and not self.noise:
            return rows, None
        return rows, partial(_given, fill=fill, noise=self.noise)

    def _measures(self, network: Network, rows: Array) -> Array:
        """Loss and squared error, in the units of X, of each encoded row."""

        def of_rows(rows: Array) -> Array:
            targets = dense(rows)
            xp = namespace(targets)
            z = network.forward(self._filled(rows))
            error = network.loss.predict(z) - targets
            if xp is np:  # for squares of any unit; not every device has them
                error = error.astype(np.float64)
            if self.scale_ is not None:
                error = error * asarray_like(self.scale_, error)
            error = xp.where(xp.isnan(targets), 0.0, error)
            loss = network.loss.row_values(z, targets)
            loss = xp.astype(loss, error.dtype)
            return xp.stack([loss, xp.sum(error * error, axis=1)], axis=1)

        return map_batches(of_rows, rows)

    def _halves(self) -> tuple[Network, Network]:
        """Encoder and decoder."""
        return self.network_.cut(len(self.network_.dense) // 2)

    def transform(self, X: Array) -> Array:
        """Codes of the rows.

        In the place of values that are not known is `fill_`.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, hidden_layer_sizes[-1])
        """
        rows = self._filled(self._rows(X, "transform"))
        return self._place.apply(Network.forward, self._halves()[0], rows)

    def inverse_transform(self, H: Array) -> Array:
        """Rows that the decoder makes of codes.

        Parameters
        ----------
        H : array-like of shape (n_samples, hidden_layer_sizes[-1])

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the units of X; a frame where X was one with categories or booleans.
        """
        check_is_fitted(self)
        codes = self._hidden_rows(H, self._n_features_out)
        V = self._place.apply(Network.predict, self._halves()[1], codes)
        return self._decode(V, like=H)

    def reconstruct(self, X: Array) -> Array:
        """The rows as they come out: ``inverse_transform(transform(X))``.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Of values that are not known it gives what it expects there.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the units of X; a frame where X was one with categories or booleans.

        Examples
        --------
        >>> import numpy as np
        >>> from dbn import DBNAutoencoder
        >>> X = np.repeat([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 50, axis=0)
        >>> net = DBNAutoencoder((4, 1), random_state=0).fit(X)
        >>> net.reconstruct([[1.0, np.nan, 0.0]]).round()
        array([[1., 1., 0.]])
        """
        rows = self._filled(self._rows(X, "reconstruct"))
        V = self._place.apply(Network.predict, self.network_, rows)
        return self._decode(V, like=X)

    def score_samples(self, X: Array) -> Array:
        """Minus the loss of each row: the lower, the stranger the row.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Of values that are not known nothing counts; such is, with a warning, a
            category that fit did not have.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If X holds values that the visible units cannot take.
        """
        rows = self._rows(X, "score_samples", inside=True)
        found = self._place.apply(self._measures, self.network_, rows)[:, 0]
        return -namespace(found).astype(found, rows.dtype)

    def score(self, X: Array, y: Array = None) -> float:
        """Minus the squared error of a row, summed over its columns, on average.

        In the units of X (of a category, over its columns of 0 and 1), whatever the
        loss: the figure that is published for images. PCA's is ``-((X -
        pca.inverse_transform(pca.transform(X))) ** 2).sum(axis=1).mean()``.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
            Of values that are not known nothing counts.
        y : Ignored

        Returns
        -------
        float
        """
        rows = self._rows(X, "score")
        found = self._place.apply(self._measures, self.network_, rows)
        return -float(np.mean(to_host(found[:, 1])))

    def _folded(self) -> list[tuple[Array, Array]]:
        *rest, (W, c) = super()._folded()
        if self.scale_ is None:
            return [*rest, (W, c)]
        return [*rest, (W * self.scale_, c * self.scale_ + self.mean_)]

    @property
    def _n_features_out(self) -> int:
        return int(self.network_.dense[len(self.network_.dense) // 2][0].shape[0])


def _given(rows: Array, *, rng: Any, fill: Array, noise: float) -> Array:
    """What the net is given of rows to learn: without holes, and with noise."""
    if fill is not None:
        rows = filled(rows, beside(fill, rows))
    return corrupted(rows, noise, rng)
