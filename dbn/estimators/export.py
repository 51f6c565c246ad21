"""Out to scikit-learn and PyTorch, and in from scikit-learn."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from ..backend.array import sigmoid
from ..backend.device import to_host
from ..backend.types import Array
from ..boltzmann import Gaussian
from ..feedforward import (
    ELU,
    Activation,
    BinaryCrossEntropy,
    Given,
    Identity,
    LeakyReLU,
    Logistic,
    Loss,
    OfKnown,
    ReLU,
    ScaledTanh,
    SoftmaxCrossEntropy,
    Softplus,
    Softsign,
    SpinCrossEntropy,
    SquaredError,
    Tanh,
)
from .autoencoder import DBNAutoencoder
from .classifier import DBNClassifier
from .net import NetEstimator
from .rbm import RBMTransformer
from .regressor import DBNRegressor

_IN_SKLEARN = {
    Logistic: "logistic",
    Tanh: "tanh",
    ReLU: "relu",
    Identity: "identity",
}
# Above this x, log(1 + exp(x)) is x in double precision; torch switches at 20.
_SOFTPLUS_IS_LINEAR = 40.0
_IN_TORCH: dict[type[Activation], Callable[[Any, Any], Any]] = {
    Logistic: lambda nn, activation: nn.Sigmoid(),
    Tanh: lambda nn, activation: nn.Tanh(),
    ScaledTanh: lambda nn, activation: nn.Tanh(),  # the two factors go to the weights
    ReLU: lambda nn, activation: nn.ReLU(),
    LeakyReLU: lambda nn, activation: nn.LeakyReLU(activation.negative_slope),
    ELU: lambda nn, activation: nn.ELU(activation.alpha),
    Softsign: lambda nn, activation: nn.Softsign(),
    Softplus: lambda nn, activation: nn.Softplus(threshold=_SOFTPLUS_IS_LINEAR),
    Identity: lambda nn, activation: nn.Identity(),
}


def to_sklearn(model: Any) -> Any:
    """A fitted scikit-learn MLP that predicts what the model predicts.

    Standardisation of X and y and batch normalization are folded into its weights, so
    it takes the same rows; its outputs are the same up to rounding. Whatever reads
    scikit-learn's nets, such as a converter to ONNX, can read the model so. Of the
    parameters only the layer sizes and the activation are taken over. The MLP can be
    trained further, by ``partial_fit``, with scikit-learn's defaults for the others.

    It takes numbers: of a model that was fitted on a frame with categories or booleans
    the rows that ``model.columns_.encode(X)`` makes, whose columns are
    ``model.visible_names_``. It takes no NaN; put ``model.fill_ * model.scale_ +
    model.mean_`` in its place (``model.fill_`` where `scale_` is None).

    Parameters
    ----------
    model : DBNClassifier, DBNRegressor or DBNAutoencoder
        Fitted, with hidden layers that are all logistic, all tanh, all relu or all
        identity; an autoencoder with squared error as its loss.

    Returns
    -------
    MLPClassifier or MLPRegressor
        A classifier of two classes has one logistic output there, over the difference
        of the two logits here. Targets of shape (n, 1) come back as (n,). What it
        predicts for an autoencoder are the reconstructions.

    Raises
    ------
    TypeError
        If the model is of another class.
    ValueError
        If scikit-learn does not have the activation, or layers have different ones, or
        the outputs of an autoencoder are not linear.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import DBNClassifier
    >>> from dbn.estimators import to_sklearn
    >>> X = np.random.default_rng(0).random((50, 4))
    >>> y = X[:, 0] > 0.5
    >>> clf = DBNClassifier((8,), max_iter=5, random_state=0).fit(X, y)
    >>> mlp = to_sklearn(clf)
    >>> mlp
    MLPClassifier(activation='logistic', hidden_layer_sizes=(8,))
    >>> bool(np.allclose(mlp.predict_proba(X), clf.predict_proba(X)))
    True
    """
    coefs, intercepts = _weights(model, "to_sklearn")
    activation = model.network_.activation
    if isinstance(activation, list):
        raise ValueError(
            "scikit-learn's MLPs have one activation for all hidden layers; the net "
            f"has {activation!r}. Train the model with one, or use to_torch."
        )
    if type(activation) not in _IN_SKLEARN:
        raise ValueError(
            f"scikit-learn's MLPs have no {activation!r}: only "
            f"{', '.join(_IN_SKLEARN.values())}. Train the model with one of these, or "
            "use to_torch."
        )
    gives_back = isinstance(model, DBNAutoencoder)
    if gives_back and not isinstance(loss := _plain_loss(model), SquaredError):
        raise ValueError(
            "scikit-learn's MLPRegressor has linear outputs, and an autoencoder with "
            f"the loss {loss!r:.200} has not. Use to_torch, or loss='squared_error'."
        )
    shared = {
        "hidden_layer_sizes": tuple(W.shape[1] for W in coefs[:-1]),
        "activation": _IN_SKLEARN[type(activation)],
    }
    if isinstance(model, DBNClassifier):
        classes = to_host(model.classes_)
        y = _stand_in_labels(classes, model._multilabel)
        mlp, options = MLPClassifier(**shared), {"classes": classes}
        if len(classes) == 2 and not model._multilabel:
            coefs[-1] = coefs[-1][:, 1:] - coefs[-1][:, :1]
            intercepts[-1] = intercepts[-1][1:] - intercepts[-1][:1]
    else:
        y = _stand_in_values(coefs[-1].shape[1])
        mlp, options = MLPRegressor(**shared), {}
    # A step on rows of zeros makes all that a fitted MLP has, whatever the version; the
    # seed is for weights that are thrown away.
    rows = np.zeros((len(y), len(coefs[0])), dtype=coefs[0].dtype)
    mlp.set_params(random_state=0).partial_fit(rows, y, **options)
    mlp.set_params(random_state=None)
    mlp.coefs_, mlp.intercepts_ = coefs, intercepts
    mlp.loss_curve_, mlp.best_loss_ = [], np.inf
    mlp.n_iter_, mlp.t_ = model.n_iter_, 0
    for name in ("_optimizer", "loss_"):  # of that step
        vars(mlp).pop(name, None)
    return _with_names(mlp, model)


def from_sklearn(estimator: Any) -> Any:
    """An estimator of this package that starts from a fitted one of scikit-learn.

    It is fitted and gives the same features or predictions, up to rounding. It has
    ``warm_start=True``: `fit` and `partial_fit` go on from these weights. Of the
    parameters only the sizes, the activation and a copy of `random_state` are taken
    over; set others, such as the optimizer, with `set_params` before training goes on.
    Nothing is standardised: rows are taken as they are, and a regressor's targets too.

    Parameters
    ----------
    estimator : BernoulliRBM, MLPClassifier or MLPRegressor
        Fitted; never changed.

    Returns
    -------
    RBMTransformer, DBNClassifier or DBNRegressor
        `score_samples` of the first is the log-likelihood, not scikit-learn's
        pseudo-likelihood. A classifier of two classes gets two logits: plus and minus
        half of the one there.

    Raises
    ------
    TypeError
        If the estimator is of another class.
    ValueError
        If its output is none that this package has (a Poisson loss), or it has no
        hidden layer.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neural_network import BernoulliRBM
    >>> from dbn.estimators import from_sklearn
    >>> X = np.repeat(np.eye(4), 10, axis=0)
    >>> theirs = BernoulliRBM(n_components=3, random_state=0).fit(X)
    >>> rbm = from_sklearn(theirs)
    >>> bool(np.allclose(rbm.transform(X), theirs.transform(X)))
    True
    >>> rbm.set_params(max_iter=5).fit(X).n_iter_  # goes on
    5
    """
    if not isinstance(estimator, BernoulliRBM | MLPClassifier | MLPRegressor):
        raise TypeError(
            f"from_sklearn takes BernoulliRBM, MLPClassifier and MLPRegressor; got "
            f"{type(estimator).__name__}. Pass the fitted estimator itself (of a "
            "pipeline its step, of a search its best_estimator_)."
        )
    check_is_fitted(estimator)
    make = _from_rbm if isinstance(estimator, BernoulliRBM) else _from_mlp
    return _with_names(make(estimator), estimator)


def to_torch(model: Any, part: str = "whole") -> Any:
    """A `torch.nn.Sequential` with the model's outputs: logits, or values.

    Standardisation of X and y and batch normalization are folded into its weights, so
    it takes the same rows, as tensors of the dtype of the weights. Dropout, which
    prediction does not have, is left out. The softmax of the logits is `predict_proba`
    (for multi-label targets their logistic function); for training they go into
    ``CrossEntropyLoss`` (``BCEWithLogitsLoss``) as they are.

    Categories and values that are not known are for the caller to encode and to fill,
    as for `to_sklearn`.

    Parameters
    ----------
    model : DBNClassifier, DBNRegressor or DBNAutoencoder
        Fitted, with any activation of `dbn.feedforward`.
    part : {"whole", "encoder", "decoder"}, default="whole"
        Of an autoencoder: what makes reconstructions (values, not logits), what makes
        codes, or what makes rows of codes.

    Returns
    -------
    torch.nn.Sequential
        On the CPU. From (n_rows, n_features) to (n_rows, n_outputs): two outputs for
        two classes, one for a regressor of a single target.

    Raises
    ------
    ImportError
        If torch is not installed.
    TypeError
        If the model is of another class.
    ValueError
        If torch has no such activation: one of your own; or if the model has no such
        part, or an autoencoder has blocks of columns with different losses, which no
        layer of torch puts out (its encoder has none).
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import DBNRegressor
    >>> from dbn.estimators import to_torch
    >>> X = np.random.default_rng(0).random((50, 4))
    >>> net = DBNRegressor((8,), max_iter=5, random_state=0).fit(X, X[:, 0])
    >>> import torch  # doctest: +SKIP
    >>> values = to_torch(net)(torch.from_numpy(X))  # doctest: +SKIP
    >>> np.allclose(values.detach()[:, 0], net.predict(X))  # doctest: +SKIP
    True
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "to_torch needs PyTorch, which is not installed: pip install torch."
        ) from error
    if part not in ("whole", "encoder", "decoder"):
        raise ValueError(
            f"part={part!r} is not known. Use 'whole', 'encoder' or 'decoder'."
        )
    pairs = list(zip(*_weights(model, "to_torch"), strict=True))
    # What follows each dense layer; the last one a classifier or regressor has none.
    activations: list[Activation | None] = [*model.network_.hidden_activations, None]
    for activation in activations[:-1]:
        if type(activation) not in _IN_TORCH:
            known = ", ".join(cls.__name__ for cls in _IN_TORCH)
            raise ValueError(
                f"to_torch does not know {activation!r}: only {known}. Build the net "
                "from coefs_ and intercepts_."
            )
    if not isinstance(model, DBNAutoencoder):
        if part != "whole":
            raise ValueError(f"A {type(model).__name__} has no {part}: leave part out.")
        return torch.nn.Sequential(*_torch_layers(torch, pairs, activations))
    n = len(pairs) // 2
    own = {"whole": slice(None), "encoder": slice(n), "decoder": slice(n, None)}[part]
    layers = _torch_layers(torch, pairs[own], activations[own])
    if part != "encoder":
        layers += _torch_outputs(torch.nn, _plain_loss(model))
    return torch.nn.Sequential(*layers)


def _torch_layers(
    torch: Any, pairs: list[Any], activations: list[Activation | None]
) -> list[Any]:
    """Dense layers of torch, each with its activation, if it has one, behind it."""
    layers, height = [], 1.0
    for (W, c), activation in zip(pairs, activations, strict=True):
        W, rate = W * height, 1.0
        if isinstance(activation, ScaledTanh):
            rate, height = activation._RATE, activation._HEIGHT
        else:
            height = 1.0
        # Without drawing weights: torch's random stream stays where it is.
        weight, bias = torch.tensor((rate * W).T.copy()), torch.tensor(rate * c)
        layer = torch.nn.utils.skip_init(torch.nn.Linear, *W.shape, dtype=weight.dtype)
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers.append(layer)
        if activation is not None:
            layers.append(_IN_TORCH[type(activation)](torch.nn, activation))
    if height != 1.0:
        raise ValueError(
            "The code of the encoder has the activation ScaledTanh(), of which torch "
            "has no layer: its height goes to the layer above. Use part='whole'."
        )
    return layers


_TORCH_OUTPUTS: dict[type[Loss], Callable[[Any], list[Any]]] = {
    SquaredError: lambda nn: [],
    BinaryCrossEntropy: lambda nn: [nn.Sigmoid()],
    SpinCrossEntropy: lambda nn: [nn.Tanh()],
    SoftmaxCrossEntropy: lambda nn: [nn.Softmax(dim=1)],
}


def _torch_outputs(nn: Any, loss: Loss) -> list[Any]:
    """What turns the output of a net into what it stands for."""
    if type(loss) not in _TORCH_OUTPUTS:
        raise ValueError(
            f"torch has no layer for the outputs of {loss!r:.300}. Use part='encoder', "
            "or build the net from coefs_ and intercepts_."
        )
    return _TORCH_OUTPUTS[type(loss)](nn)


def _plain_loss(model: DBNAutoencoder) -> Loss:
    """The loss of an autoencoder, of rows without holes."""
    loss = model.network_.loss
    return loss.loss if isinstance(loss, OfKnown) else loss


def _weights(model: Any, function: str) -> tuple[list[Array], list[Array]]:
    """Weights and biases, a list of each, for X and y as given."""
    if not isinstance(model, NetEstimator):
        raise TypeError(
            f"{function} takes a DBNClassifier, DBNRegressor or DBNAutoencoder; got "
            f"{type(model).__name__}. Pass the fitted model itself (of a pipeline its "
            "last step, of a search its best_estimator_)."
        )
    check_is_fitted(model)
    # Copies, also where nothing was to be folded.
    layers = [(np.array(to_host(W)), np.array(to_host(c))) for W, c in model._folded()]
    return [W for W, _ in layers], [c for _, c in layers]


def _stand_in_labels(classes: Array, multilabel: bool) -> Array:
    """The fewest labels that show all the classes."""
    return np.repeat([[0], [1]], len(classes), axis=1) if multilabel else classes


def _stand_in_values(n_outputs: int) -> Array:
    """Targets that standardisation leaves as they are: mean 0, scale taken as 1."""
    return np.zeros(2 if n_outputs == 1 else (2, n_outputs))


def _with_names(copied: Any, original: Any) -> Any:
    """Give it the names of the features, where there are any."""
    if getattr(original, "columns_", None) is not None:
        copied.feature_names_in_ = original.visible_names_
    elif hasattr(original, "feature_names_in_"):
        copied.feature_names_in_ = original.feature_names_in_.copy()
    return copied


def _from_rbm(theirs: Any) -> RBMTransformer:
    ours = RBMTransformer(
        len(theirs.components_),
        visible="bernoulli",
        warm_start=True,
        random_state=copy.deepcopy(theirs.random_state),
    )
    # What their chains expect to see: of all that is kept, this is most like the data.
    # Annealing starts from its mean.
    v = sigmoid(theirs.h_samples_ @ theirs.components_ + theirs.intercept_visible_)
    # One epoch makes all that a fitted machine has; then come the weights.
    ours.partial_fit(v)
    rbm, v_mean = ours.rbm_, v.mean(axis=0)
    rbm.W[...] = theirs.components_.T
    rbm.b[...] = theirs.intercept_visible_
    rbm.c[...] = theirs.intercept_hidden_
    means = v_mean, rbm.mean_hidden(v_mean[None, :])[0, :]
    ours.history_, ours._state = [], {"epoch": 0, "means": means}
    return ours


def _from_mlp(theirs: Any) -> Any:
    classifies = hasattr(theirs, "classes_")
    if theirs.out_activation_ not in ("softmax", "logistic", "identity"):
        raise ValueError(
            f"The MLP has the output {theirs.out_activation_!r} (loss={theirs.loss!r});"
            " DBNRegressor has linear outputs only. Fit it with loss='squared_error'."
        )
    if len(theirs.coefs_) < 2:
        raise ValueError(
            f"The {type(theirs).__name__} has no hidden layer (hidden_layer_sizes="
            f"{theirs.hidden_layer_sizes!r}), and nets here have one or more. Fit one "
            "with a hidden layer."
        )
    ours = (DBNClassifier if classifies else DBNRegressor)(
        tuple(W.shape[1] for W in theirs.coefs_[:-1]),
        init="xavier_uniform",  # as theirs, should it be fitted anew
        activation=theirs.activation,
        warm_start=True,
        random_state=copy.deepcopy(theirs.random_state),
    )
    if classifies:
        multilabel = theirs.out_activation_ == "logistic" and theirs.n_outputs_ > 1
        y = _stand_in_labels(theirs.classes_, multilabel)
    else:
        y = _stand_in_values(theirs.n_outputs_)
    rows = np.zeros((len(y), theirs.n_features_in_), dtype=theirs.coefs_[0].dtype)
    ours.partial_fit(rows, y)  # makes all that a fitted net has; then come the weights
    layers = list(zip(theirs.coefs_, theirs.intercepts_, strict=True))
    if classifies and theirs.n_outputs_ == 1:
        W, c = layers[-1]
        layers[-1] = 0.5 * np.hstack([-W, W]), 0.5 * np.hstack([-c, c])
    Given(layers).fill(ours.network_, None, None)
    # Rows as they are, of which the net does not know the means.
    ours.visible_, ours.mean_, ours.scale_, ours.fill_ = Gaussian(), None, None, None
    ours.history_, ours._state = [], {"epoch": 0}
    return ours
