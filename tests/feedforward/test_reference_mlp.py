"""scikit-learn's MLP with the same weights, through its public attributes.

One full-batch SGD step with learning rate 1 and no momentum moves its weights by minus
the gradient, and `loss_` is the loss before the step.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.neural_network import MLPClassifier, MLPRegressor

from dbn import Network

ANYWHERE = ["Network"]
N_ROWS = 20
X = np.random.default_rng(0).standard_normal((N_ROWS, 4))
LABELS = np.arange(N_ROWS) % 3
VALUES = np.random.default_rng(1).standard_normal((N_ROWS, 2))

# scikit-learn averages the squared error over the outputs in its loss, but not in its
# gradient; we sum in both.
CASES = {
    "cross_entropy": (MLPClassifier, LABELS, np.eye(3)[LABELS], 1),
    "squared_error": (MLPRegressor, VALUES, VALUES, 2),
}


def parameters(mlp):
    """Weights and biases, in the order of our buffer."""
    pairs = zip(mlp.coefs_, mlp.intercepts_, strict=True)
    return np.concatenate([part.ravel() for pair in pairs for part in pair])


@pytest.mark.usefixtures("anywhere")
@pytest.mark.parametrize("weighted", [False, True], ids=["equal", "weighted"])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
@pytest.mark.parametrize("loss", CASES)
def test_prediction_loss_and_gradient_are_those_of_sklearn(loss, activation, weighted):
    estimator, targets, y, n_averaged = CASES[loss]
    weight = np.linspace(0.1, 3.0, N_ROWS) if weighted else None
    mlp = estimator(
        hidden_layer_sizes=(6, 5),
        activation=activation,
        alpha=0.0,
        batch_size=N_ROWS,
        solver="sgd",
        learning_rate_init=1.0,
        momentum=0.0,
        random_state=0,
    )
    classes = {"classes": [0, 1, 2]} if loss == "cross_entropy" else {}
    mlp.partial_fit(X, targets, **classes)
    net = Network([4, 6, 5, y.shape[1]], activation=activation, loss=loss)
    net.params.flat[...] = before = parameters(mlp)
    predict = mlp.predict_proba if loss == "cross_entropy" else mlp.predict
    assert_allclose(net.predict(X), predict(X), rtol=1e-10)

    mlp.partial_fit(X, targets, sample_weight=weight)
    gradient = net.params.zeros_like()
    value = net.gradient(X, y, gradient, weight)
    assert_allclose(value, n_averaged * mlp.loss_, rtol=1e-10)
    assert_allclose(gradient.flat, before - parameters(mlp), rtol=1e-10, atol=1e-14)
    assert np.abs(gradient["W0"]).max() > 1e-3
