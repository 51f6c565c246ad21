"""A regressor: a net with squared error that may start from a deep belief network."""

from sklearn.base import RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.preprocessing import StandardScaler

from .predictor import DBNPredictor


class DBNRegressor(RegressorMixin, DBNPredictor):
    """Feed-forward regressor whose initial weights come from a DBN, or from elsewhere.

    The same net as `DBNClassifier` with linear outputs, trained on half the squared
    error. Targets are standardised inside, so their scale does not matter.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(256,)
        Numbers of hidden units, from the data upwards.
    init : str, Initializer or FrozenEstimator, default="dbn"
        Where the weights start. "dbn" pretrains a deep belief network on the rows of X
        and copies its weights. A name ("xavier_uniform", "xavier_normal",
        "he_uniform", "he_normal", also as ``glorot_*`` and ``kaiming_*``; "zeros";
        "normal") or an `Initializer` draws them.
        ``FrozenEstimator(fitted DBNTransformer)`` copies from a stack that was
        pretrained before, on any rows: pretrain once, fine-tune many times.
    rbm : RBMTransformer, list of RBMTransformer or None, default=None
        Prototype of every layer of the DBN, or one per layer, as in `DBNTransformer`.
        Its `visible` also decides the preprocessing of X for every other `init`.
    activation : {"logistic", "tanh", "relu"} or Activation, default="logistic"
        Of the hidden layers. Bernoulli RBMs start logistic and, converted exactly,
        tanh layers; "dbn" with "relu" is refused.
    optimizer : {"sgd", "adam"} or Optimizer, default="adam"
        Of the fine-tuning.
    weight_decay : float, default=0.0
        lambda of lambda / 2 ||W||^2, added to the mean loss; biases are free.
    batch_size : int, default=100
        Rows per update; the last batch of an epoch may be shorter.
    max_iter : int, default=100
        Number of fine-tuning epochs.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, shuffles and samples.
    verbose : int, default=0
        1 shows tqdm bars.

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
        The units of the data: they decide the preprocessing.
    mean_, scale_ : ndarray of shape (n_features,) or None
        Standardisation of X; None for Bernoulli units.
    history_ : list of dict
        Phase, layer, epoch and metrics of every epoch.
    loss_curve_ : list of float
        Mean training loss of each fine-tuning epoch, weight decay not counted, in
        units of the standardised targets.
    n_iter_ : int
        Fine-tuning epochs that were run.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    ValueError
        In `fit`, for values outside [0, 1] with Bernoulli units, or parts that do not
        fit together.
    FloatingPointError
        In `fit`, when training diverges.

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

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Initialize the net and fine-tune it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in pretraining and fine-tuning; rows of weight zero are
            left out.

        Returns
        -------
        self : object
        """
        rows, values, weight = self._check_rows(
            X, sample_weight, y, multi_output=True, y_numeric=True
        )
        self._one_output = values.ndim == 1
        values = values.reshape(len(values), -1)
        scaler = StandardScaler().fit(values, sample_weight=weight)
        self.y_mean_ = scaler.mean_.astype(rows.dtype)
        self.y_scale_ = scaler.scale_.astype(rows.dtype)
        targets = scaler.transform(values).astype(rows.dtype)
        return self._fit(X, y, rows, targets, weight, "squared_error", sample_weight)

    def predict(self, X):
        """Predicted targets, in the units of y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        rows = self._rows(X)
        values = self.network_.predict(rows) * self.y_scale_ + self.y_mean_
        return values[:, 0] if self._one_output else values

    def _folded(self):
        *rest, (W, c) = super()._folded()
        return [*rest, (W * self.y_scale_, c * self.y_scale_ + self.y_mean_)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags
