"""Sample weights: what replaces scikit-learn's equivalence check where we sample."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import DBNClassifier, DBNRegressor, RBMTransformer
from dbn.training import SGD
from tests.helpers import MeanField

from .toy import ALL, EVERY, REAL, X, Y, buffers, message, output, rbm, small

pytestmark = pytest.mark.usefixtures("on_each_device")
WEIGHT = np.random.default_rng(1).integers(0, 4, size=len(X))


def one_step(cls, **params):
    """The estimator with one full-batch, noise-free update of its only RBM."""
    options = {
        "sampler": MeanField(),
        "optimizer": SGD(0.5, momentum=0.0),
        "batch_size": 10_000,
        "max_iter": 1,
    }
    if cls is RBMTransformer:
        return small(cls, **options | params)
    return small(cls, hidden_layer_sizes=(4,), rbm=rbm(**options | params))


# One machine only: above it the random stream has advanced by one shuffle of the rows,
# whose number differs. Random inits pass scikit-learn's own check.
@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize(
    ("data", "params"),
    [
        pytest.param(X, {}, id="bernoulli"),
        pytest.param(REAL, {}, id="gaussian"),
        pytest.param(X, {"visible": "gaussian"}, id="gaussian in [0, 1]"),
    ],
)
def test_integer_weights_are_repeated_rows(cls, data, params):
    weighted = one_step(cls, **params).fit(data, Y, sample_weight=WEIGHT)
    rows, labels = np.repeat(data, WEIGHT, axis=0), np.repeat(Y, WEIGHT)
    repeated = one_step(cls, **params).fit(rows, labels)
    machines = [buffers(fitted)[0].flat for fitted in (weighted, repeated)]
    assert_allclose(*machines, rtol=0, atol=1e-10)


@pytest.mark.parametrize("cls", ALL)
def test_rows_of_weight_zero_are_left_out(cls):
    # Exactly, noise and shuffles included: the same random numbers are drawn.
    kept = np.arange(len(X)) % 3 > 0
    rows = np.where(kept[:, None], X, 7.0)
    weighted = small(cls).fit(rows, Y, sample_weight=kept.astype(float))
    dropped = small(cls).fit(X[kept], Y[kept], sample_weight=np.ones(kept.sum()))
    assert_array_equal(output(weighted, X), output(dropped, X))


@pytest.mark.parametrize("cls", ALL)
def test_equal_weights_do_not_matter_and_others_do(cls):
    def fitted(**weight):
        return buffers(small(cls).fit(X, Y, **weight))[0].flat

    assert_allclose(fitted(sample_weight=np.ones(len(X))), fitted(), atol=1e-10)
    assert np.abs(fitted(sample_weight=1.0 + 9.0 * Y) - fitted()).max() > 1e-3


@pytest.mark.parametrize("cls", [DBNClassifier, DBNRegressor])
def test_a_scalar_weight_counts_for_all_rows(cls):
    fitted = small(cls).fit(X, Y, sample_weight=1.0)
    assert_allclose(output(fitted, X), output(small(cls).fit(X, Y), X), rtol=1e-8)


@pytest.mark.parametrize("cls", EVERY)
def test_weights_that_a_masked_array_hides_are_refused(cls):
    hidden = np.ma.array(np.ones(60), mask=np.arange(60) < 3)
    fitted = small(cls).fit(X, Y)
    calls = [small(cls).fit]
    calls += [fitted.score] if hasattr(cls, "predict") else []
    for call in calls:
        said = message(call, X, Y, sample_weight=hidden)
        assert "sample_weight is a masked array that hides 3 of 60 weights" in said
        call(X, Y, sample_weight=np.ma.array(np.ones(60)))
