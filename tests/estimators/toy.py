"""Small data and small estimators for the tests of this room."""

import numpy as np
from sklearn.frozen import FrozenEstimator

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
)
from tests.helpers import Callback

_rng = np.random.default_rng(0)
X = _rng.random((60, 5))  # in [0, 1]: Bernoulli units
REAL = 3.0 * _rng.standard_normal((60, 5)) + 1.0  # Gaussian units
Y = (X[:, 0] + X[:, 1] > 1.0).astype(int)
Y3 = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [0.3, 0.6])]


def rbm(**params):
    """A prototype that trains in milliseconds."""
    defaults = {"n_components": 4, "batch_size": 20, "max_iter": 2}
    return RBMTransformer(**defaults | params)


def small(cls, **params):
    """A small estimator of the class: two hidden layers where it has layers."""
    if cls is RBMTransformer:
        return rbm(**{"random_state": 0} | params)
    if cls is RBMClassifier:
        defaults = {"n_components": 4, "batch_size": 20, "max_iter": 3}
        return cls(**defaults | {"random_state": 0} | params)
    own = isinstance(params.get("init"), DBNTransformer | FrozenEstimator)
    machines = {"rbm": None if own else rbm()}
    if cls is GenerativeDBNClassifier:
        machines = {"rbm": [rbm(), rbm()]}
    params = {"hidden_layer_sizes": (4, 3), "random_state": 0} | machines | params
    if cls not in (DBNTransformer, GenerativeDBNClassifier):
        params = {"max_iter": 3, "batch_size": 20} | params
    return cls(**params)


class StopAfter(Callback):
    """Raises in an epoch, counted over the whole fit."""

    def __init__(self, n):
        self.n = n

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and len(estimator.history_) == self.n:
            raise KeyboardInterrupt


TRANSFORMERS = [RBMTransformer, DBNTransformer]
PREDICTORS = [DBNClassifier, DBNRegressor]
GENERATIVE = [RBMClassifier, GenerativeDBNClassifier]
# Those that take any target; the generative ones take classes.
ALL = [*TRANSFORMERS, *PREDICTORS, DBNAutoencoder]
EVERY = [*ALL, *GENERATIVE]


def output(estimator, X):
    """What the estimator is for: features, probabilities or values."""
    for name in ("transform", "predict_proba", "predict"):
        if hasattr(estimator, name):
            return getattr(estimator, name)(X)


def buffers(estimator):
    """The `Parameters` of every machine and net in a fitted estimator."""
    found = []
    if hasattr(estimator, "rbm_"):
        found.append(estimator.rbm_.params)
    if hasattr(estimator, "dbn_"):
        found += [rbm.params for rbm in estimator.dbn_.rbms]
    if hasattr(estimator, "network_"):
        found.append(estimator.network_.params)
    return found


def message(function, *args, error=ValueError, **kwargs):
    """The text of the error that the call must raise."""
    try:
        function(*args, **kwargs)
    except error as caught:
        return str(caught)
    raise AssertionError(f"no {error.__name__}")
