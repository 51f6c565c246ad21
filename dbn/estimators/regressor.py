"""A regressor: a net with squared error that may start from a deep belief network."""

import math
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from ..backend.array import count_not_finite
from ..backend.device import asarray_like, namespace, to_host
from ..backend.precision import precision_of
from ..backend.types import Array
from ._sklearn import fit_context
from .preprocessing import standardisation
from .supervised import SupervisedPredictor
from .targets import Job, with_labels


class DBNRegressor(RegressorMixin, SupervisedPredictor):
    """Feed-forward regressor whose initial weights come from a DBN, or from elsewhere.

    The same net as `DBNClassifier` with linear outputs, trained on half the squared
    error. Targets are standardised inside, so their scale does not matter.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(256,)
        Numbers of hidden units, from the data upwards.
    init : str, Initializer, list, DBNTransformer or FrozenEstimator, default="dbn"
        Where the weights start.

        - "dbn" pretrains a deep belief network on all rows of X and copies its weights;
          "dbn-resampled" and "dbn-shuffled" keep only their histogram (`Pretrained`).
        - A name such as "xavier_uniform", "he_normal", "orthogonal" or "lsuv"
          (`dbn.feedforward.get_initializer` lists them) or an `Initializer` draws them.
        - A list of (W, c) pairs, one per layer, is copied.
        - A `DBNTransformer` is pretrained on X with its own sizes and machines.
        - ``FrozenEstimator(fitted DBNTransformer)`` copies from a stack that was
          pretrained before, on any rows: pretrain once, fine-tune many times.
        - ``FrozenEstimator(fitted DBNAutoencoder)`` copies its encoder, with the
          activations.
        - "sae" trains denoising autoencoders, layer by layer (`DenoisingStack`).
    rbm : RBMTransformer, list of RBMTransformer or None, default=None
        Prototype of every layer of the DBN, or one per layer, as in `DBNTransformer`.
        Its `visible` also decides the preprocessing of X for every other `init`, except
        a DBN, which has its own machines. None takes the hidden units that go with the
        activation, and so does a single prototype where layers have different ones.
    activation : str, Activation or list of them, default="logistic"
        Of the hidden layers, or a list with one for each: "logistic", "tanh",
        "scaled_tanh", "relu", "leaky_relu", "elu", "softsign", "softplus" or
        "identity". A DBN starts logistic, tanh (converted exactly), relu (from
        rectified hidden units) and identity layers (from Gaussian ones).
    dropout : float or sequence of float, default=0.0
        Probability that a unit is dropped in training: one number for the hidden
        layers, or one for the inputs and each hidden layer. Pretrained weights need no
        rescaling.
    batch_norm : bool, default=False
        Whether hidden layers normalise their input over the batch. A pretrained net
        starts with the predictions it would have without.
    optimizer : {"sgd", "rmsprop", "adam", "adamw", "lbfgs", "cg"} or Optimizer, \
default="adam"
        Of the fine-tuning. "adam" is ``Adam(Schedule(rate, 0.0),
        decoupled_decay=decay)``: the learning rate falls to 0 over the fit, from 0.0002
        times the labelled rows per column, but 0.01 to 0.03, and the decay is 0.3 times
        the number of columns per labelled row, but no more than 0.06. `partial_fit`,
        which does not see all rows, takes 0.01 and 0.006.
    weight_decay : float, default=0.0
        lambda of lambda / 2 ||W||^2, added to the mean loss; biases are free.
    max_norm : float or None, default=None
        Bound of the norm of each unit's incoming weights.
    learning_rate_multipliers : sequence of float or None, default=None
        One per layer, from the data upwards, output included; 0 freezes a layer.
    head_epochs : int, default=0
        Fine-tuning epochs at the beginning in which only the output layer learns.
    batch_size : int or "auto", default="auto"
        Rows per update; the last batch of an epoch may be shorter. "auto" is a
        thirtieth of the labelled rows, but 10 to 100 of them.
    max_iter : int or "auto", default="auto"
        Number of fine-tuning epochs. "auto" is as many as make 3000 updates, but 20 to
        100. (With "lbfgs" and "cg", "auto" is 1000 rows and 200 updates.)
    early_stopping : bool, default=False
        Whether to stop when the validation loss has not fallen for a while, see
        `n_iter_no_change`, and to return to the epoch with the least one. Rows for it
        are `X_val` and `y_val` of `fit`, or else held out of X.
    validation_fraction : float, default=0.1
        Share of the labelled rows that early stopping holds out.
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
    unlabeled : scalar, default=None
        The value of y that marks a row without a label, such as NaN: it takes part in
        pretraining only, and `score` leaves it out (scorers by name do not). NaN and
        `pandas.NA` mark whatever is missing, None included. None: no value is special.
    warm_start : bool, default=False
        Whether `fit` goes on fine-tuning the net from an earlier fit, for another
        `max_iter` epochs, instead of starting anew.
    device : str or None, default=None
        Where to compute, as in `RBMTransformer`; not that of `rbm` or `init`.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, shuffles and samples.
    verbose : int, default=0
        1 shows tqdm bars of epochs, and of batches where an epoch takes more than 2
        seconds.

    Attributes
    ----------
    y_mean_, y_scale_ : ndarray of shape (n_outputs,)
        Standardisation of the targets.
    network_ : Network
        The trained net, over standardised rows when `visible_` is Gaussian.
    dbn_ : DBN
        The stack behind the start; only with "dbn" or a fitted DBNTransformer.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer, for X and y as given
        (standardisation folded in).
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
    history_ : list of dict
        Phase, layer, epoch and metrics of every epoch.
    loss_curve_ : list of float
        Mean training loss of each fine-tuning epoch, weight decay not counted, in
        units of the standardised targets.
    n_iter_ : int
        Fine-tuning epochs that were run, those before a warm start included.
    batch_size_, max_iter_ : int
        What "auto" came to, with the labelled rows of the last fit; with `partial_fit`,
        with those of the first chunk.
    n_features_in_ : int
        Columns of X as given, a category being one.
    feature_names_in_ : ndarray of str

    Raises
    ------
    ValueError
        In `fit`, for values outside [0, 1] with Bernoulli units, targets that the
        float32 of another library cannot hold, or parts that do not fit together.
    FloatingPointError
        In `fit`, when training diverges. After this error, a KeyboardInterrupt or any
        other in the middle of training, the estimator is fitted with the epochs done
        once fine-tuning has begun, and not fitted before. What `fit` refuses leaves an
        earlier model as it was.

    See Also
    --------
    DBNClassifier : The same for class labels.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from dbn import DBNRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> DBNRegressor(max_iter=50, random_state=0).fit(X, y).score(X, y) > 0.4
    True
    """

    y_mean_: Array
    y_scale_: Array
    _one_output: bool
    _numeric_targets = True
    _loss = "squared_error"

    @fit_context
    def partial_fit(self, X: Array, y: Array, sample_weight: Array = None) -> Self:
        """Fine-tune on the rows for one epoch, from where training stands.

        The first call, unless `fit` came before, does all that `init` says on its rows:
        pretraining too; targets are standardised as in it. Callbacks and
        `early_stopping` play no part.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
            Of rows beside those of the same chunk.

        Returns
        -------
        self : object
        """
        return self._partial_fit(X, y, sample_weight)

    def _fit_targets(self, job: Job, classes: Array) -> None:
        self._one_output = job.y.ndim == 1
        values = np.asarray(job.y, dtype=np.float64).reshape(len(job.y), -1)
        mean, scale = standardisation(values, job.label_weight, "y")
        if namespace(job.rows) is np:
            dtype = np.promote_types(job.rows.dtype, _precision(values, scale))
            self.y_mean_, self.y_scale_ = mean.astype(dtype), scale.astype(dtype)
            return
        like = job.rows  # not every device of others has float64
        with np.errstate(over="ignore"):  # an error is better, below
            mean, scale = asarray_like(mean, like), asarray_like(scale, like)
        self.y_mean_, self.y_scale_ = mean, scale
        if count_not_finite(mean + scale) or not to_host(scale).all():
            raise ValueError(
                f"y has values from {values.min():g} to {values.max():g}, which "
                f"{like.dtype} cannot hold. Multiply y by a constant, or give X as "
                "float64."
            )

    def _encode_targets(self, y: Array, dtype: Any, name: str = "y") -> Array:
        values = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        mean, scale = to_host(self.y_mean_), to_host(self.y_scale_)
        if values.shape[1] != len(mean):
            raise ValueError(
                f"{name} has {values.shape[1]} outputs; training began with "
                f"{len(mean)}. Give as many."
            )
        return ((values - mean) / scale).astype(dtype)

    def _score(self, targets: Array, predicted: Array, weight: Array) -> float:
        return float(r2_score(targets, predicted, sample_weight=weight))

    def score(self, X: Array, y: Array, sample_weight: Array = None) -> float:
        """Coefficient of determination R^2 on the labelled rows.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,) or float, default=None
            A number is the weight of all rows, which changes nothing.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If a label is missing that `unlabeled` does not mark, or all are marked, or
            the weights are not accepted.
        """
        return float(super().score(*with_labels(self, X, y, sample_weight)))

    def predict(self, X: Array) -> Array:
        """Predicted targets, in the units of y.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Float64 where X is, where numbers like those of y would become equal as
            float32, as times in seconds do, or where their squares would be infinite or
            0, as beyond 1e16.
        """
        z = self._outputs(X, "predict")
        values = self.network_.loss.predict(z) * self.y_scale_ + self.y_mean_
        return values[:, 0] if self._one_output else values

    def _folded(self) -> list[tuple[Array, Array]]:
        *rest, (W, c) = super()._folded()
        folded = W * self.y_scale_, c * self.y_scale_ + self.y_mean_
        layers = [*rest, folded]  # all in the precision of the predictions
        return [
            (asarray_like(W, self.y_scale_), asarray_like(c, self.y_scale_))
            for W, c in layers
        ]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags


def _precision(values: Array, scale: Array) -> Any:
    """The precision for targets: double where single is too coarse, or too short.

    Scores square what targets differ by.
    """
    info = np.finfo(np.float32)
    least, most = math.sqrt(info.tiny) * 1e3, math.sqrt(info.max) * 1e-3
    if scale.min() < least or np.abs(values).max() > most:
        return np.float64
    return precision_of([values])
