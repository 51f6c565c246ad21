"""A classifier: a softmax net that may start from a deep belief network."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from ..backend.array import log_softmax, softplus, take_rows
from ..backend.device import beside, namespace, to_host
from ..backend.types import Array
from ..feedforward.layers import Activations
from ..training import Optimizer
from ._sklearn import StrOptions, fit_context
from .classes import check_same_classes, find_classes, given_classes
from .dbn import Prototypes
from .start import Init
from .supervised import SupervisedPredictor
from .targets import Job, encode_classes, encode_labels, weigh_classes, with_labels


class DBNClassifier(ClassifierMixin, SupervisedPredictor):
    """Feed-forward classifier whose initial weights come from a DBN, or from elsewhere.

    A deep belief network is pretrained without labels, its weights start a net of the
    same shape with a softmax layer on top, and back-propagation fine-tunes all of it
    (Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural
    networks"). Other values of `init` give the same net another start.

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
        times the labelled rows per column, but 0.01 to 0.03, and the decay is the
        number of columns per labelled row, but 0.05 to 0.2. `partial_fit`, which does
        not see all rows, takes 0.01 and 0.05.
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
        Share of the labelled rows that early stopping holds out. Every class keeps a
        row to train on.
    n_iter_no_change : int, default=10
        Epochs without progress, 500 updates at the least, after which training stops:
        of the validation loss with early stopping, of the training loss without.
    tol : float, default=1e-4
        Fall of the loss that counts as progress. 0 goes on to the end of `max_iter`
        where it would be the training loss.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in fine-tuning; "balanced" makes all count alike, as
        `sample_weight` counts them.
    on_divergence : {"raise", "halve"}, default="raise"
        What to do when training diverges: raise an error (the parameters from before
        that epoch are kept), or repeat the epoch with half the learning rate and go on
        with that, as `history_` tells. Of the fine-tuning; machines have their own.
    unlabeled : scalar, default=None
        The value of y that marks a row without a label, such as -1: it takes part in
        pretraining only, and `score` leaves it out (scorers by name do not). NaN and
        `pandas.NA` mark whatever is missing, None included. None: no value is special.
        Meta-estimators that encode labels anew (voting, stacking, bagging) or hold
        predictions against them (`CalibratedClassifierCV`) make a class of a number:
        they refuse NaN, which is the safe mark.
    warm_start : bool, default=False
        Whether `fit` goes on fine-tuning the net from an earlier fit, for another
        `max_iter` epochs and with the same classes, instead of starting anew.
    device : str or None, default=None
        Where to compute, as in `RBMTransformer`; not that of `rbm` or `init`.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, shuffles and samples.
    verbose : int, default=0
        1 shows tqdm bars of epochs, and of batches where an epoch takes more than 2
        seconds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; for multi-label targets the columns of y.
    network_ : Network
        The trained net, over standardised rows when `visible_` is Gaussian.
    dbn_ : DBN
        The stack behind the start; only with "dbn" or a fitted DBNTransformer.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer, for X as given
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
        nats.
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
        In `fit`, for values outside [0, 1] with Bernoulli units, a single class, no
        labelled row, or parts that do not fit together.
    FloatingPointError
        In `fit`, when training diverges. After this error, a KeyboardInterrupt or any
        other in the middle of training, the estimator is fitted with the epochs done
        once fine-tuning has begun, and not fitted before. What `fit` refuses leaves an
        earlier model as it was.

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

    classes_: Array
    _numeric_targets = False
    _parameter_constraints: dict[str, Any] = {
        **SupervisedPredictor._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (256,),
        *,
        init: Init = "dbn",
        rbm: Prototypes = None,
        activation: Activations = "logistic",
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
        class_weight: dict[Any, Any] | str | None = None,
        on_divergence: str = "raise",
        unlabeled: Any = None,
        warm_start: bool = False,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            init=init,
            rbm=rbm,
            activation=activation,
            dropout=dropout,
            batch_norm=batch_norm,
            optimizer=optimizer,
            weight_decay=weight_decay,
            max_norm=max_norm,
            learning_rate_multipliers=learning_rate_multipliers,
            head_epochs=head_epochs,
            batch_size=batch_size,
            max_iter=max_iter,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            on_divergence=on_divergence,
            unlabeled=unlabeled,
            warm_start=warm_start,
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    @fit_context
    def partial_fit(
        self, X: Array, y: Array, classes: Array = None, sample_weight: Array = None
    ) -> Self:
        """Fine-tune on the rows for one epoch, from where training stands.

        The first call, unless `fit` came before, does all that `init` says on its rows:
        pretraining too. Callbacks and `early_stopping` play no part.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
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
        classes = given_classes(classes, self.unlabeled)
        return self._partial_fit(X, y, sample_weight, classes)

    @property
    def _multilabel(self) -> bool:
        return self._loss == "binary_cross_entropy"

    def _fit_targets(self, job: Job, classes: Array) -> None:
        """Find the classes and the loss."""
        check_classification_targets(job.known)
        if job.y.ndim == 2:
            self._loss = "binary_cross_entropy"
            self.classes_ = beside(np.arange(job.y.shape[1]), job.rows)
            self._check_classes("classes", classes)
            return
        self._loss = "cross_entropy"
        self.classes_ = find_classes(job, classes)

    def _check_classes(self, name: str, classes: Array) -> None:
        """Raise a ValueError if these are not the classes that training began with."""
        check_same_classes(name, classes, self.classes_)

    def _encode_targets(self, y: Array, dtype: Any, name: str = "y") -> Array:
        known = to_host(self.classes_)
        if self._multilabel:
            return encode_labels(y, len(known), name).astype(dtype)
        return encode_classes(y, known, name).astype(dtype)

    def _weigh_classes(self, job: Job) -> None:
        if self.class_weight is not None:
            classes = to_host(self.classes_)
            weigh_classes(job, self.class_weight, classes, self._multilabel)

    def _strata(self, targets: Array) -> Array:
        if self._multilabel:
            return None
        return to_host(self.classes_)[targets.argmax(axis=1)]

    def _score(self, targets: Array, predicted: Array, weight: Array) -> float:
        """Accuracy; of several labels a row must have all right."""
        if self._multilabel:
            right = ((predicted > 0.5) == (targets > 0.5)).all(axis=1)
        else:
            right = predicted.argmax(axis=1) == targets.argmax(axis=1)
        return float(np.average(right, weights=weight))

    def score(self, X: Array, y: Array, sample_weight: Array = None) -> float:
        """Accuracy on the labelled rows; with several labels, of all of a row.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
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

    def decision_function(self, X: Array) -> Array:
        """Logits; for two classes their difference, class 1 minus class 0.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
        """
        z = self._outputs(X, "decision_function")
        two_classes = z.shape[1] == 2 and not self._multilabel
        return z[:, 1] - z[:, 0] if two_classes else z

    def predict_proba(self, X: Array) -> Array:
        """Class probabilities, in the order of `classes_`.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            For multi-label targets, the probability of each label.
        """
        z = self._outputs(X, "predict_proba")
        return self.network_.loss.predict(z)

    def predict_log_proba(self, X: Array) -> Array:
        """Logarithms of `predict_proba`, in nats.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        z = self._outputs(X, "predict_log_proba")
        return -softplus(-z) if self._multilabel else log_softmax(z)

    def predict(self, X: Array) -> Array:
        """The most probable class of each row, or all labels above 1/2.

        Parameters
        ----------
        X : array-like or frame of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        z = self._outputs(X, "predict")
        xp = namespace(z)
        if self._multilabel:
            return xp.asarray(z > 0.0, dtype=xp.int64)
        return take_rows(self.classes_, to_host(xp.argmax(z, axis=1)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
