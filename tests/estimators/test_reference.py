"""Against scikit-learn's own RBM and MLP with copied weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor

from dbn import DBNClassifier, DBNRegressor, RBMTransformer
from dbn.boltzmann import CD
from dbn.training import SGD
from tests.libraries import DEVICES

from .toy import REAL, Y3, X, Y, small

each_device = pytest.mark.parametrize("device", [None, *DEVICES])


@pytest.fixture(scope="module", params=[None, *DEVICES])
def pair(request):
    """Ours, well trained so that weights are not tiny, and theirs with its weights."""
    params = {"sampler": CD(k=2), "max_iter": 100, "random_state": 0}
    ours = RBMTransformer(4, device=request.param, **params).fit(X)
    theirs = BernoulliRBM(4, n_iter=1, random_state=0).fit(X)
    for name in ("components_", "intercept_hidden_", "intercept_visible_"):
        copied = getattr(ours, name)
        assert copied.shape == getattr(theirs, name).shape
        setattr(theirs, name, copied)
    assert np.abs(ours.components_).max() > 0.1
    return ours, theirs


def test_transform_is_that_of_bernoulli_rbm(pair):
    ours, theirs = pair
    assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-10)


def test_free_energy_is_that_of_bernoulli_rbm(pair):
    ours, theirs = pair
    assert_allclose(ours.rbm_.free_energy(X), theirs._free_energy(X), rtol=1e-10)


def mlp(cls, ours, data, targets):
    """Their net with our weights and plain gradient descent in one full batch."""
    theirs = cls(
        hidden_layer_sizes=[W.shape[1] for W in ours.coefs_[:-1]],
        activation=ours.activation,
        solver="sgd",
        momentum=0.0,
        alpha=0.0,
        learning_rate_init=0.5,
        random_state=0,
    )
    classes = {"classes": ours.classes_} if cls is MLPClassifier else {}
    theirs.partial_fit(data, targets, **classes)  # makes the attributes
    theirs.coefs_ = [W.copy() for W in ours.coefs_]
    theirs.intercepts_ = [c.copy() for c in ours.intercepts_]
    return theirs


NETS = pytest.mark.parametrize(
    ("sizes", "activation", "init"),
    [
        ((6,), "logistic", "dbn"),
        ((6, 4), "tanh", "dbn"),
        ((6,), "relu", "he_uniform"),
        ((6, 4), "logistic", "xavier_normal"),
    ],
)


@each_device
@NETS
@pytest.mark.parametrize("data", [X, REAL])
def test_classifier_is_mlp_classifier(data, sizes, activation, init, device):
    options = {"hidden_layer_sizes": sizes, "activation": activation, "init": init}
    options["device"] = device
    ours = small(DBNClassifier, **options).fit(data, Y3)
    theirs = mlp(MLPClassifier, ours, data, Y3)
    assert_allclose(ours.predict_proba(data), theirs.predict_proba(data), rtol=1e-10)


@each_device
@NETS
def test_regressor_is_mlp_regressor(sizes, activation, init, device):
    options = {"hidden_layer_sizes": sizes, "activation": activation, "init": init}
    options["device"] = device
    ours = small(DBNRegressor, **options).fit(REAL, 100.0 + Y)
    theirs = mlp(MLPRegressor, ours, REAL, 100.0 + Y)
    assert_allclose(ours.predict(REAL), theirs.predict(REAL), rtol=1e-10)


@each_device
@NETS
def test_one_step_of_fine_tuning_is_that_of_mlp(sizes, activation, init, device):
    def fitted(learning_rate):
        return small(
            DBNClassifier,
            hidden_layer_sizes=sizes,
            activation=activation,
            init=init,
            optimizer=SGD(learning_rate, momentum=0.0),
            batch_size=1000,
            max_iter=1,
            device=device,
        ).fit(X, Y3)

    start, ours = fitted(1e-12), fitted(0.5)  # the same seed, so the same start
    theirs = mlp(MLPClassifier, start, X, Y3).partial_fit(X, Y3)
    assert_allclose(ours.loss_curve_[-1], theirs.loss_curve_[-1], rtol=1e-9)
    for name in ("coefs_", "intercepts_"):
        both = getattr(ours, name), getattr(theirs, name)
        for one, other in zip(*both, strict=True):
            assert_allclose(one, other, atol=1e-9)
        assert np.abs(both[0][-1] - getattr(start, name)[-1]).max() > 1e-4
