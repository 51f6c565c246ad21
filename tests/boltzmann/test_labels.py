"""Machines whose visible units hold a class, against sums over all of their states."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from scipy.special import expit, log_softmax, logsumexp

from dbn import RBM
from dbn.backend.random import make_rng
from dbn.boltzmann import (
    CD,
    FPCD,
    PCD,
    Bernoulli,
    Gaussian,
    Labels,
    Mixed,
    ParallelTempering,
    ReLU,
    Softmax,
    Spin,
    Staged,
    ais,
    exact_log_z,
)
from dbn.boltzmann.feature_machine import feature_machine
from dbn.boltzmann.units.labels import with_labels, without_labels
from tests.helpers import binary_states, message_of, numerical_gradient, randomize

N = 40_000  # chains
F, K, H = 3, 3, 2  # features, classes, hidden units


def tiny(hidden="bernoulli", features=None, n=F, seed=2):
    units = Bernoulli() if features is None else features
    rbm = RBM(n + K, H, visible=with_labels(units, n, K), hidden=hidden)
    randomize(rbm.params, seed=seed)
    return rbm


class Everything:
    """All states (f, y, h) of a machine over binary features, and log p of each."""

    def __init__(self, rbm):
        self.f, self.y, self.h = binary_states(F), np.eye(K), binary_states(H)
        self.v = np.array([[*f, *y] for f in self.f for y in self.y])
        minus_energy = (
            (self.v @ rbm.b)[:, None] + self.h @ rbm.c + self.v @ rbm.W @ self.h.T
        )
        self.log_z = logsumexp(minus_energy)
        self.log_v = logsumexp(minus_energy, axis=1) - self.log_z  # of (f, y)
        self.table = self.log_v.reshape(len(self.f), K)

    def draw(self, n, rng):
        return self.v[rng.choice(len(self.v), size=n, p=np.exp(self.log_v))]

    def largest_z(self, rows):
        place = (rows[:, :F] @ [4, 2, 1]).astype(int) * K + rows[:, F:].argmax(axis=1)
        p, n = np.exp(self.log_v), len(rows)
        counts = np.bincount(place, minlength=len(p))
        return np.abs((counts - n * p) / np.sqrt(n * p * (1.0 - p))).max()


@pytest.mark.usefixtures("anywhere")
def test_class_probabilities_are_those_of_the_joint_law():
    rbm = tiny()
    every = Everything(rbm)
    want = log_softmax(every.table, axis=1)
    assert_allclose(rbm.log_p_labels(every.f), want, atol=1e-12)
    assert_allclose(rbm.log_p_labels(every.v[::K]), want, atol=1e-12)


ANYWHERE = ["RBM"]


def test_class_probabilities_of_sparse_rows():
    rbm, f = tiny(), binary_states(F)
    assert_allclose(rbm.log_p_labels(csr_array(f)), rbm.log_p_labels(f))


@pytest.mark.parametrize("hidden", ["gaussian", "relu", "spin", Softmax(2)], ids=str)
@pytest.mark.parametrize(
    "features",
    [Gaussian(learn_variance=True), Mixed(((Spin(), 1), (Softmax(2), 2)))],
    ids=str,
)
def test_class_probabilities_follow_from_free_energies(hidden, features):
    rbm, rng = tiny(hidden, features), make_rng(0)
    f = rbm.sample_visible(rng.random((5, H)), rng)[:, :F]
    joint = [-rbm.free_energy(np.hstack([f, np.tile(y, (5, 1))])) for y in np.eye(K)]
    want = np.transpose(joint)
    assert_allclose(rbm.log_p_labels(f), log_softmax(want, axis=1), atol=1e-12)
    assert_allclose(rbm.log_p_features(f), logsumexp(want, axis=1), atol=1e-12)


def test_the_likelihood_of_features_sums_out_the_labels():
    rbm = tiny()
    every = Everything(rbm)
    found = rbm.log_p_features(every.f) - exact_log_z(rbm)
    assert_allclose(found, logsumexp(every.table, axis=1), atol=1e-12)
    plain = RBM(4, 2)
    randomize(plain.params)
    v = binary_states(4)
    assert_allclose(plain.log_p_features(v), -plain.free_energy(v))


def test_a_machine_without_labels_says_what_it_needs():
    assert "Labels as their last block" in message_of(RBM(3, 2).log_p_labels, np.eye(3))


@pytest.mark.parametrize("mean", [None, np.array([0.5, 0.25, 0.25])])
def test_the_machine_of_the_features_has_no_labels(mean):
    features = Mixed(((Gaussian(learn_variance=True), 2), (Bernoulli(), 1)))
    rbm = tiny(features=features)
    alone = feature_machine(rbm, mean)
    assert alone.visible == features
    f, none = np.ones((1, F)), np.zeros(K) if mean is None else mean
    v = np.hstack([f, none[None, :]])
    assert_allclose(alone.hidden_input(f), rbm.hidden_input(v))
    h = np.ones((1, H))
    assert_allclose(alone.mean_visible(h), rbm.mean_visible(h)[:, :F])
    own, whole = list(alone.p_visible.values()), list(rbm.p_visible.values())
    assert_allclose(own, whole)
    assert feature_machine(alone) is alone


def test_units_with_labels_and_without_are_inverse():
    units = Mixed(((Bernoulli(), 2), (Softmax(3), 3)))
    assert without_labels(with_labels(units, 5, 4)) == units
    assert without_labels(units) == units
    flat = Mixed(((Bernoulli(), 2), (Softmax(3), 3), (Labels(4), 4)))
    assert without_labels(flat) == units
    assert flat.n_labels == 4


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mixed(((Labels(3), 3), (Bernoulli(), 2))).validate(),
        lambda: Mixed(((Labels(3), 3),)).validate(),
        lambda: Mixed(((Bernoulli(), 2), (Labels(3), 3), (Labels(3), 3))).validate(),
        lambda: Labels((3, 4)).validate(),
        lambda: RBM(8, 2, visible=Mixed(((Bernoulli(), 2), (Labels(3), 6)))),
    ],
)
def test_labels_are_the_last_block_and_one_group(make):
    assert "abel" in message_of(make)


# No drift: chains that start at exact draws stay at p(f, y).


def negative(rbm, sampler, v, rng, k):
    state = sampler.start(rbm, v, rng)
    for _ in range(k):
        x = rbm.hidden_input(v)
        rows, _, state = sampler.negative(rbm, v, x, rbm.hidden.mean(x), state, rng)
    return rows


def gibbs(rbm, v, rng):
    return rbm.gibbs(v, rng, steps=2)


def cd(rbm, v, rng):
    return negative(rbm, CD(k=2, sample_visible=True), v, rng, 1)


def pcd(rbm, v, rng):
    return negative(rbm, PCD(n_chains=len(v)), v, rng, 2)


def fpcd(rbm, v, rng):
    return negative(rbm, FPCD(n_chains=len(v), fast_learning_rate=0.0), v, rng, 2)


def tempering(rbm, v, rng):
    sampler = ParallelTempering(n_chains=len(v), n_betas=3, adapt=False)
    state = sampler.start(rbm, v, rng)
    # The hotter chains forget their start at the data on the way.
    for _ in range(30):
        x = rbm.hidden_input(v)
        rows, _, state = sampler.negative(rbm, v, x, rbm.hidden.mean(x), state, rng)
    return rows


@pytest.mark.parametrize("sampler", [gibbs, cd, pcd, fpcd, tempering])
def test_exact_draws_stay_at_the_model_distribution(sampler):
    rbm = tiny()
    every, rng = Everything(rbm), make_rng(0)
    n = 20_000 if sampler is tempering else N
    v = every.draw(n, rng)
    assert every.largest_z(v) < 4
    moved = sampler(rbm, v, rng)
    assert (moved != v).any(axis=1).mean() > 0.2
    assert every.largest_z(moved) < 4


def test_a_step_draws_the_label_from_its_exact_law():
    """Not from hidden units that have seen the right one."""
    rbm, rng = tiny(), make_rng(0)
    rbm.labels.U[...] = 50.0 * np.eye(K)[:, :H]  # hidden units that cannot forget it
    rbm.labels.d[...] = -30.0
    v = np.tile([0.0, 1.0, 0.0, 1.0, 0.0, 0.0], (N, 1))
    want = np.exp(rbm.log_p_labels(v[:1]))[0]
    x = rbm.labels.redrawn(v[:, F:], rbm.hidden_input(v), rng)
    alone = rbm.hidden_input(v[:1] * ([1.0] * F + [0.0] * K))
    for k in range(K):
        share = np.isclose(x, alone + rbm.labels.U[k]).all(axis=1).mean()
        assert abs(share - want[k]) < 4 * np.sqrt(want[k] * (1 - want[k]) / N) + 1e-9


def test_clamped_labels_give_the_conditional_law():
    rbm, rng = tiny(), make_rng(0)
    every = Everything(rbm)
    y = np.repeat(np.arange(K), N // K)
    p = np.exp(log_softmax(every.table, axis=0))
    f = np.concatenate([every.f[rng.choice(8, N // K, p=p[:, k])] for k in range(K)])
    v = np.hstack([f, np.eye(K)[y]])
    v = rbm.gibbs(v, rng, 3, clamped=np.arange(F + K) >= F)
    assert (v[:, F:].argmax(axis=1) == y).all()
    for k in range(K):
        counts = np.bincount((v[y == k, :F] @ [4, 2, 1]).astype(int), minlength=8)
        n = N // K
        z = (counts - n * p[:, k]) / np.sqrt(n * p[:, k] * (1.0 - p[:, k]))
        assert np.abs(z).max() < 4


def test_rows_of_which_some_have_their_label_clamped():
    rbm, rng = tiny(), make_rng(0)
    v = np.tile([0.0, 1.0, 0.0, 1.0, 0.0, 0.0], (1000, 1))
    clamped = np.zeros(v.shape, dtype=bool)
    clamped[:500, F:] = True
    moved = rbm.gibbs(v, rng, 1, clamped)
    assert (moved[:500, F:] == v[:500, F:]).all()
    assert (moved[500:, F:] != v[500:, F:]).any()


def test_annealing_finds_log_z():
    rbm = tiny()
    want = Everything(rbm).log_z
    assert abs(ais(rbm, n_betas=300, n_chains=200, random_state=0).log_z - want) < 0.05


# Gradients.

Y = np.array([[1.0, 0, 0], [0, 0, 1.0], [np.nan] * 3, [0, 1.0, 0]])
X = np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 1]])
WEIGHT = np.array([0.1, 0.2, 0.4, 0.3])


def negative_log_likelihood(rbm):
    """Mean over rows of which one has no label: its classes are summed out."""
    table = Everything(rbm).table
    rows = table[(X @ [4, 2, 1]).astype(int)]
    of_rows = np.where(
        np.isnan(Y[:, 0]),
        logsumexp(rows, axis=1),
        (np.nan_to_num(Y) * rows).sum(axis=1),
    )
    return -WEIGHT @ of_rows


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("offsets", [None, (np.full(F + K, 0.3), np.full(H, 0.4))])
def test_unknown_labels_are_summed_out_exactly(sparse, offsets):
    rbm, out = tiny(), None
    every = Everything(rbm)
    v = np.hstack([X, np.zeros(Y.shape)])
    x = rbm.hidden_input(v) + np.nan_to_num(Y) @ rbm.labels.U
    alone = x - np.nan_to_num(Y) @ rbm.labels.U
    y, h, covariance = rbm.labels.completed(Y, alone, WEIGHT)
    v_pos = np.hstack([X, y])
    out = rbm.params.zeros_like()
    rbm.gradient(
        csr_array(v_pos) if sparse else v_pos,
        h,
        every.v,
        rbm.mean_hidden(every.v),
        out,
        WEIGHT,
        np.exp(every.log_v),
        offsets,
        covariance,
    )
    want = numerical_gradient(lambda: negative_log_likelihood(rbm), rbm.params.flat)
    want = {name: want[s] for name, s in _slices(rbm)}
    if offsets is not None:  # the same by another path: equal where that is linear
        W = want["W"].reshape(F + K, H)
        W = W - want["b"][:, None] * offsets[1] - offsets[0][:, None] * want["c"]
        want = {"W": W, "b": want["b"] - W @ offsets[1]}
        want["c"] = numerical_gradient(lambda: negative_log_likelihood(rbm), rbm.c)
        want["c"] = want["c"] - offsets[0] @ W
    for name, values in want.items():
        assert_allclose(out[name].ravel(), values.ravel(), atol=1e-8)


def _slices(rbm):
    start = 0
    for name, shape in rbm.params.shapes.items():
        stop = start + int(np.prod(shape))
        yield name, slice(start, stop)
        start = stop


def test_the_labels_rate_scales_their_weights_before_the_biases_are_corrected():
    rbm, rng = tiny(), make_rng(0)
    v, w = np.hstack([X, np.eye(K)[[0, 1, 2, 0]]]), rng.random((4, F + K))
    offsets = np.full(F + K, 0.3), np.full(H, 0.4)
    plain, fast = rbm.params.zeros_like(), rbm.params.zeros_like()
    phases = v, rbm.mean_hidden(v), w, rbm.mean_hidden(w)
    rbm.gradient(*phases, plain, offsets=offsets)
    rbm.gradient(*phases, fast, offsets=offsets, label_rate=10.0)
    factor = np.where(np.arange(F + K) < F, 1.0, 10.0)[:, None]
    assert_allclose(fast["W"], factor * plain["W"])
    extra = fast["W"] - plain["W"]
    assert_allclose(fast["b"], plain["b"] - extra @ offsets[1])
    assert_allclose(fast["c"], plain["c"] - offsets[0] @ extra)


@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian", "relu", "spin"])
def test_the_gradient_of_class_probabilities(hidden):
    rbm = tiny(ReLU() if hidden == "relu" else hidden)
    y, w = np.eye(K)[[0, 2, 1, 1]], WEIGHT

    def loss():
        return -w @ (y * rbm.log_p_labels(X)).sum(axis=1)

    x = rbm.hidden_input(np.hstack([X, 0.0 * y]))
    value, of_x, of_U, of_d = rbm.labels.gradient(y, x, w)
    assert_allclose(value, loss())
    want = rbm.params.zeros_like()
    want.flat[...] = numerical_gradient(loss, rbm.params.flat)
    assert_allclose(X.T @ of_x, want["W"][:F], atol=1e-8)
    assert_allclose(of_U, want["W"][F:], atol=1e-8)
    assert_allclose(of_x.sum(axis=0), want["c"], atol=1e-8)
    assert_allclose(of_d, want["b"][F:], atol=1e-8)
    assert_allclose(want["b"][:F], 0.0, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("scale", "largest"),
    [(1, 39), (20, 39), (70, 39), (300, 39), (20, 79), (70, 79), (300, 1000)],
)
def test_large_inputs_and_large_weights_of_labels(dtype, scale, largest):
    rng = np.random.default_rng(0)
    x, shifts = scale * rng.standard_normal((2, 50, 4))
    shifts = np.clip(shifts[:5], -largest, largest)
    found = Bernoulli().at_shifts(x.astype(dtype), shifts.astype(dtype))
    for (cgf, mean), shift in zip(found, shifts, strict=True):
        at = x + shift
        want = (np.logaddexp(0.0, at) - np.logaddexp(0.0, x)).sum(axis=1)
        tolerance = 1e-5 if dtype == np.float32 else 1e-10
        assert_allclose(cgf, want, rtol=tolerance, atol=tolerance * (1.0 + scale))
        assert_allclose(mean(), expit(at), atol=tolerance)


# One sampler after another.


def test_each_sampler_has_its_epochs_and_its_state():
    rbm, rng = tiny(), make_rng(0)
    v = Everything(rbm).draw(20, rng)
    sampler = Staged(((0, CD()), (3, PCD(n_chains=7))))
    assert [sampler.at(epoch).paired for epoch in (0, 2, 3, 9)] == [True] * 2 + [
        False
    ] * 2
    state, x = sampler.start(rbm, v, rng), rbm.hidden_input(v)
    assert sampler.shares(state) == (["1 v"], [])
    for epoch, n in ((0, 20), (3, 7)):
        chains = state["1 v"]
        state = state | {"epoch": epoch}
        rows, _, state = sampler.negative(rbm, v, x, rbm.hidden.mean(x), state, rng)
        assert rows.shape[0] == n
        assert (state["1 v"] is chains) == (epoch == 0)


@pytest.mark.parametrize(
    "stages",
    [(), ((1, CD()),), ((0, CD()), (0, PCD())), ((0, CD(), 1),), ((0, "cdd"),)],
)
def test_stages_that_are_none_are_refused(stages):
    assert message_of(Staged(stages).validate)
