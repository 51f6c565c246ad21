"""A classifier: a softmax net that may start from a deep belief network."""

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import check_classification_targets

from .predictor import DBNPredictor


class DBNClassifier(ClassifierMixin, DBNPredictor):
    """Feed-forward classifier whose initial weights come from a DBN, or from elsewhere.

    A deep belief network is pretrained without labels, its weights start a net of the
    same shape with a softmax layer on top, and back-propagation fine-tunes all of it
    (Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural
    networks"). Other values of `init` give the same net another start.

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
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    network_ : Network
        The trained net, over standardised rows when `visible_` is Gaussian.
    dbn_ : DBN
        The stack behind the start; only with "dbn" or a fitted DBNTransformer.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer, for X as given
        (standardisation folded in).
    visible_ : Units
        The units of the data: they decide the preprocessing.
    mean_, scale_ : ndarray of shape (n_features,) or None
        Standardisation of X; None for Bernoulli units.
    history_ : list of dict
        Phase, layer, epoch and metrics of every epoch.
    loss_curve_ : list of float
        Mean training loss of each fine-tuning epoch, weight decay not counted, in
        nats.
    n_iter_ : int
        Fine-tuning epochs that were run.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Raises
    ------
    ValueError
        In `fit`, for values outside [0, 1] with Bernoulli units, a single class, or
        parts that do not fit together.
    FloatingPointError
        In `fit`, when training diverges.

    See Also
    --------
    DBNTransformer : The stack alone, for features.
    DBNRegressor : The same for real-valued targets.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn import DBNClassifier, RBMTransformer
    >>> X, y = load_digits(return_X_y=True)
    >>> rbm = RBMTransformer(batch_size=20, max_iter=20)  # few rows: small batches
    >>> clf = DBNClassifier((64, 64), rbm=rbm, batch_size=20, max_iter=20)
    >>> clf.set_params(random_state=0).fit(X[:1000] / 16, y[:1000])
    DBNClassifier(batch_size=20, hidden_layer_sizes=(64, 64), max_iter=20,
                  random_state=0, rbm=RBMTransformer(batch_size=20, max_iter=20))
    >>> clf.score(X[1000:] / 16, y[1000:]) > 0.9
    True
    """

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Initialize the net and fine-tune it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Class labels: numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in pretraining and fine-tuning; rows of weight zero are
            left out.

        Returns
        -------
        self : object
        """
        rows, labels, weight = self._check_rows(X, sample_weight, y)
        check_classification_targets(labels)
        encoder = LabelEncoder().fit(labels)
        self.classes_ = encoder.classes_
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has 1 class ({self.classes_.tolist()[0]!r}); a classifier needs at "
                "least 2. Check the labels, or that sample_weight leaves rows of both."
            )
        one_hot = np.eye(len(self.classes_), dtype=rows.dtype)
        targets = one_hot[encoder.transform(labels)]
        return self._fit(X, y, rows, targets, weight, "cross_entropy", sample_weight)

    def decision_function(self, X):
        """Logits; for two classes their difference, class 1 minus class 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
        """
        rows = self._rows(X)
        z = self.network_.forward(rows)
        return z[:, 1] - z[:, 0] if len(self.classes_) == 2 else z

    def predict_proba(self, X):
        """Class probabilities, in the order of `classes_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        rows = self._rows(X)
        return self.network_.predict(rows)

    def predict(self, X):
        """The most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        rows = self._rows(X)
        return self.classes_[self.network_.forward(rows).argmax(axis=1)]
