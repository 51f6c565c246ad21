"""Training on rows with values that are not known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn import RBM, ScaledRows
from dbn.backend.missing import extent_of_known, filled, mean_of_known
from dbn.backend.random import make_rng
from dbn.boltzmann import (
    CD,
    FPCD,
    PCD,
    Bernoulli,
    Gaussian,
    Mixed,
    ParallelTempering,
    Softmax,
    exact_log_z,
)
from dbn.training import SGD, Sparsity, pretrain, train_rbm
from dbn.training.contrastive import monitored_rows
from tests.helpers import MeanField, message_of

N_ROWS, N_FACTORS = 400, 3
_rng = make_rng(0)
# Columns in pairs that are equal in 19 of 20 rows.
FACTORS = (_rng.random((N_ROWS, N_FACTORS)) < 0.5) * 1.0
WHOLE = np.repeat(FACTORS, 2, axis=1)
WHOLE = np.where(_rng.random(WHOLE.shape) < 0.05, 1.0 - WHOLE, WHOLE)
UNKNOWN = _rng.random(WHOLE.shape) < 0.2
HOLES = np.where(UNKNOWN, np.nan, WHOLE)
SAMPLERS = [
    CD(k=2, sample_visible=True),
    PCD(n_chains=7),
    FPCD(n_chains=7),
    ParallelTempering(n_chains=7, n_betas=3),
]


def trained(X=HOLES, rbm=None, seed=0, **options):
    rbm = rbm or RBM(X.shape[1], 6, dtype=X.dtype)
    defaults = {"batch_size": 20, "max_iter": 3, "optimizer": SGD(0.05)}
    return train_rbm(rbm, X, rng=make_rng(seed), **defaults | options)


def test_an_update_by_hand():
    """Means in the holes, one Gibbs step that leaves the rest, then the update."""
    options = {"sampler": MeanField(), "batch_size": N_ROWS, "weight_decay": 0.0}
    rbm = trained(max_iter=1, optimizer=SGD(0.1, momentum=0.0), **options)
    rng, expected = make_rng(0), RBM(6, 6)
    mean = np.nanmean(HOLES, axis=0)
    expected.initialize(rng, mean)
    shuffled = HOLES[rng.permutation(N_ROWS)]
    known = np.isfinite(shuffled)
    h = expected.sample_hidden(np.where(known, shuffled, mean), rng)
    v = np.where(known, shuffled, expected.sample_visible(h, rng))
    assert set(np.unique(v)) == {0.0, 1.0}
    grad, h = expected.params.zeros_like(), expected.mean_hidden(v)
    reconstruction = expected.mean_visible(h)
    h_neg = expected.mean_hidden(reconstruction)
    expected.gradient(v, h, reconstruction, h_neg, grad)
    expected.params.flat[...] -= 0.1 * grad.flat
    assert_allclose(rbm.params.flat, expected.params.flat, rtol=1e-10, atol=1e-13)


def test_what_is_known_nowhere_is_learned_everywhere():
    """The likelihood of whole rows is nearly that after training on whole rows."""
    options = {"max_iter": 200, "optimizer": None, "sampler": PCD(5)}
    found = []
    for X in (WHOLE, HOLES, filled(HOLES, np.nanmean(HOLES, axis=0))):
        rbm = trained(X, **options)
        found.append(float(-rbm.free_energy(WHOLE).mean() - exact_log_z(rbm)))
    assert found[1] > found[0] - 0.1
    assert found[2] < found[1] - 0.3  # means in place of values blur the law


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_sampler_and_moving_means(sampler, dtype):
    state, history = {}, []
    moving = {"centering": True, "sparsity": Sparsity(0.2)}
    kept = {"state": state, "history": history}
    rbm = trained(HOLES.astype(dtype), sampler=sampler, **moving, **kept)
    assert rbm.W.dtype == dtype and np.isfinite(rbm.params.flat).all()
    assert all(np.isfinite(mean).all() for mean in state["means"])
    for value in state["chains"].values():
        assert np.isfinite(value).all()
    assert all(np.isfinite(entry["reconstruction_error"]) for entry in history)


TABLE = Mixed(((Gaussian(learn_variance=True), 2), (Softmax(3), 3), (Bernoulli(), 1)))


def test_units_of_several_kinds():
    X = np.hstack([HOLES[:, :2], np.eye(3)[np.arange(N_ROWS) % 3], HOLES[:, 5:]])
    X[::4, 2:5] = np.nan
    assert trained(X, RBM(6, 4, visible=TABLE)).visible.inside(X) is not None
    assert np.isfinite(trained(X, RBM(6, 4, visible=TABLE)).params.flat).all()


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_going_on_is_training_at_once(sampler):
    options = {"sampler": sampler, "centering": True}
    whole = trained(max_iter=4, **options)
    rng, state, rbm = make_rng(0), {}, RBM(6, 6)
    more = {"batch_size": 20, "optimizer": SGD(0.05), "state": state}
    for _ in range(2):
        train_rbm(rbm, HOLES, rng=rng, max_iter=2, **more, **options)
    assert_array_equal(rbm.params.flat, whole.params.flat)


def test_whole_rows_draw_nothing_more():
    rng, first = make_rng(0), make_rng(0)
    train_rbm(RBM(6, 6), WHOLE, rng=rng, sampler=MeanField(), max_iter=2)
    RBM(6, 6).initialize(first)
    for _ in range(2):
        first.permutation(N_ROWS)
    assert rng.random() == first.random()


def test_a_later_part_may_lack_a_column():
    rng, state, rbm = make_rng(0), {}, RBM(6, 6)
    train_rbm(rbm, HOLES, rng=rng, max_iter=1, state=state)
    part = HOLES[:50].copy()
    part[:, 2] = np.nan
    train_rbm(rbm, part, rng=rng, max_iter=1, state=state)
    assert np.isfinite(rbm.params.flat).all()


def test_weights_count_in_the_means():
    weight = make_rng(1).integers(1, 4, N_ROWS).astype(float)
    repeated = np.repeat(HOLES, weight.astype(int), axis=0)
    mean, incomplete = mean_of_known(HOLES, weight)
    assert incomplete
    assert_allclose(mean, np.nanmean(repeated, axis=0), rtol=1e-12)
    options = {"sampler": MeanField(), "max_iter": 2}
    rbm = trained(sample_weight=weight, **options)
    assert np.isfinite(rbm.params.flat).all()


@pytest.mark.parametrize("whole", [True, False])
def test_the_mean_of_whole_rows_is_the_plain_one(whole):
    X = WHOLE if whole else np.where(np.arange(6) == 2, np.nan, WHOLE)
    mean, incomplete = mean_of_known(X)
    assert incomplete is not whole
    assert_allclose(mean[[0, 1, 3, 4, 5]], WHOLE.mean(axis=0)[[0, 1, 3, 4, 5]])
    assert np.isnan(mean[2]) != whole


def test_a_column_without_a_value_is_named():
    X = HOLES.copy()
    X[:, [1, 4]] = np.nan
    assert message_of(trained, X) == (
        "Of 6 columns of X, [1, 4] have no known value in any row (all are NaN). Leave "
        "those columns out."
    )


def test_the_reconstruction_error_is_that_of_known_values():
    history, state = [], {}
    rbm = trained(history=history, state=state, max_iter=1)
    rows = HOLES[monitored_rows(400)]
    v = np.where(np.isnan(rows), np.nanmean(HOLES, axis=0), rows)
    error = (rbm.mean_visible(rbm.mean_hidden(v)) - rows) ** 2
    assert history[0]["reconstruction_error"] == pytest.approx(np.nanmean(error))


@pytest.mark.parametrize("sampler", SAMPLERS[-2:], ids=repr)
def test_rows_that_are_computed_as_they_are_read(sampler):
    raw = HOLES.astype(np.float32)
    rows, in_memory = ScaledRows(raw, divide_by=2.0), raw / np.float32(2.0)
    assert extent_of_known(rows) == extent_of_known(in_memory) == (0.0, 0.5)
    assert Bernoulli().inside(rows) is rows
    found = [
        trained(X, RBM(6, 6, dtype=np.float32), sampler=sampler).params.flat
        for X in (rows, in_memory)
    ]
    assert_allclose(*found, rtol=1e-5, atol=1e-6)


def test_a_layer_above_learns_from_rows_filled_with_means():
    options = {"batch_size": 20, "max_iter": 2}
    rng, first = make_rng(0), RBM(6, 4)
    train_rbm(first, HOLES, rng=rng, **options)
    second = RBM(4, 3)
    means = np.nanmean(HOLES, axis=0)
    encoded = first.mean_hidden(np.where(np.isnan(HOLES), means, HOLES))
    train_rbm(second, encoded, rng=rng, layer=1, **options)
    stack = pretrain(HOLES, [4, 3], rng=make_rng(0), layer_options=[options] * 2)
    assert_array_equal(stack.rbms[0].params.flat, first.params.flat)
    assert_allclose(stack.rbms[1].params.flat, second.params.flat, rtol=1e-10)
