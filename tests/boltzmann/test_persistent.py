"""Persistent chains: no drift from p(v), exchange between temperatures, learning."""

import pickle
from itertools import pairwise

import array_api_strict
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import logsumexp
from sklearn.base import clone

from dbn import RBM
from dbn.backend.array import sigmoid
from dbn.backend.parameters import Parameters
from dbn.backend.random import bernoulli, make_rng
from dbn.boltzmann import (
    CD,
    FPCD,
    PCD,
    Bernoulli,
    Gaussian,
    ParallelTempering,
    ReLU,
    Softmax,
    get_sampler,
)
from dbn.boltzmann.tempering import TemperedPath
from dbn.training import SGD, train_rbm
from tests.boltzmann.types import RAGGED, TABLE
from tests.helpers import Enumerated, binary_states, randomize, read_only

N = 40_000  # chains
# EXACT and TEMPERED below are samplers that exist before a test begins.
ANYWHERE = ["RBM", "calls"]
on_every_library = pytest.mark.usefixtures("anywhere")
X = read_only(binary_states(3)[[1, 1, 4, 6, 7]])
EACH = [PCD, FPCD, ParallelTempering]
each_sampler = pytest.mark.parametrize("kind", EACH, ids=lambda kind: kind.__name__)


def tiny(hidden="bernoulli", visible="bernoulli", sizes=(3, 2), dtype=np.float64):
    rbm = RBM(*sizes, visible=visible, hidden=hidden, dtype=dtype)
    randomize(rbm.params, seed=2)
    return rbm


def small(kind, **options):
    """A sampler with few chains."""
    few = {"n_betas": 3} if kind is ParallelTempering else {}
    return kind(**{"n_chains": 4} | few | options)


def calls(sampler, rbm, n=1, state=None, rng=None, rows=X):
    """Call `negative` n times from a new or given state; the last answer."""
    rng = make_rng(0) if rng is None else rng
    state = sampler.start(rbm, rows, rng) if state is None else state
    for _ in range(n):
        x = rbm.hidden_input(rows)
        h = rbm.hidden.mean(x)
        v, h, state = sampler.negative(rbm, rows, x, h, state, rng)
    return v, h, state


# Laws that the chains must keep, by brute force.


def tempered_log_p(rbm, mean, beta):
    """Log p of each visible state on the path, from a sum over all hidden states."""
    v, h = binary_states(len(rbm.b)), binary_states(len(rbm.c))
    bias = (1 - beta) * np.log(mean / (1 - mean)) + beta * rbm.b
    joint = (v @ bias)[:, None] + beta * ((v @ rbm.W + rbm.c) @ h.T)
    log_p = logsumexp(joint, axis=1)
    return log_p - logsumexp(log_p)


def largest_z(rows, log_p):
    """Largest |observed - expected| count of a state, in standard errors."""
    p = np.exp(log_p)
    powers = 2 ** np.arange(rows.shape[1])[::-1]
    counts = np.bincount((rows @ powers).astype(int), minlength=len(p))
    return np.abs((counts - len(rows) * p) / np.sqrt(len(rows) * p * (1 - p))).max()


def exact_state(sampler, rbm, rng):
    """A state whose chains are exact, independent draws."""
    state = sampler.start(rbm, X, rng)
    states = binary_states(len(rbm.b))
    if not isinstance(sampler, ParallelTempering):
        return state | {"v": Enumerated(rbm).draw(sampler.n_chains, rng)}
    laws = [np.exp(tempered_log_p(rbm, state["mean"], b)) for b in state["betas"]]
    draws = [states[rng.choice(len(states), sampler.n_chains, p=p)] for p in laws]
    return state | {"v": np.array(draws)}


EXACT = [
    PCD(k=2, n_chains=N),
    FPCD(k=2, n_chains=N, fast_learning_rate=0.0),
    FPCD(k=2, n_chains=N, fast_learning_rate=1e-6),
    ParallelTempering(k=3, n_chains=N, n_betas=3, adapt=False),
]


@on_every_library
@pytest.mark.parametrize("sampler", EXACT, ids=repr)
def test_exact_draws_stay_at_the_model_distribution(sampler):
    rbm, rng = tiny(), make_rng(0)
    state = exact_state(sampler, rbm, rng)
    before = state["v"].copy()
    exact = Enumerated(rbm)
    for _ in range(3):
        v, h, state = calls(sampler, rbm, state=state, rng=rng)
        assert exact.largest_z(v) < 4
        assert_allclose(h, rbm.mean_hidden(v), rtol=1e-4)
    assert (before != state["v"]).any(axis=-1).mean() > 0.2


class Hotter(Bernoulli):
    """A wrong sampler: its units are hotter than their law."""

    def sample(self, x, rng, p=None):
        return bernoulli(rng, sigmoid(0.7 * x))


@on_every_library
@pytest.mark.parametrize("sampler", EXACT, ids=repr)
@pytest.mark.parametrize("wrong", ["hidden", "visible"])
def test_a_wrong_sampler_would_be_seen_to_drift(sampler, wrong):
    rbm, rng = tiny(**{wrong: Hotter()}), make_rng(0)
    v, _, _ = calls(sampler, rbm, 3, exact_state(sampler, rbm, rng), rng)
    assert Enumerated(rbm).largest_z(v) > 8


# Fast weights.


def test_fpcd_without_a_fast_learning_rate_is_pcd():
    rbm = tiny()
    options = {"n_chains": 7, "k": 2}
    v, h, state = calls(FPCD(fast_learning_rate=0.0, **options), rbm, 3)
    v_pcd, h_pcd, _ = calls(PCD(**options), rbm, 3)
    assert_array_equal(v, v_pcd)
    assert_array_equal(h, h_pcd)
    assert_array_equal(state["fast"], np.zeros(11))


def test_chains_of_fpcd_follow_the_machine_with_fast_parameters():
    rbm, rng = tiny(), make_rng(0)
    driven = tiny()
    fast = 0.5 * rng.standard_normal(11)
    driven.params.flat[...] += fast
    sampler = FPCD(n_chains=N)
    state = sampler.start(rbm, X, rng) | {"fast": fast}
    state["v"] = Enumerated(driven).draw(N, rng)
    v, h, _ = calls(sampler, rbm, state=state, rng=rng)
    assert Enumerated(driven).largest_z(v) < 4
    assert Enumerated(rbm).largest_z(v) > 8
    assert_allclose(h, driven.mean_hidden(v), rtol=1e-12)


def test_fast_parameters_follow_the_gradient_and_decay():
    rbm, rng = tiny(), make_rng(0)
    sampler, fast = FPCD(n_chains=6, fast_learning_rate=0.3, fast_decay=0.8), 0.0
    state = sampler.start(rbm, X, rng)
    for _ in range(3):
        v, h, state = calls(sampler, rbm, state=state, rng=rng)
        h_pos = rbm.mean_hidden(X)
        grad = [(v.T @ h / 6 - X.T @ h_pos / 5).ravel(), v.mean(0) - X.mean(0)]
        grad = np.concatenate([*grad, h.mean(0) - h_pos.mean(0)])
        fast = 0.8 * fast - 0.3 * grad
        assert_allclose(state["fast"], fast, rtol=1e-10, atol=1e-14)


# Parallel tempering.

TEMPERED = ParallelTempering(n_chains=N, n_betas=5, adapt=False)


def tempered_laws(rbm, state):
    return [tempered_log_p(rbm, state["mean"], b) for b in state["betas"]]


@on_every_library
def test_chains_of_every_temperature_stay_at_their_law():
    rbm, rng = tiny(), make_rng(0)
    state = exact_state(TEMPERED, rbm, rng)
    laws = tempered_laws(rbm, state)
    for _ in range(4):
        v, _, state = calls(TEMPERED, rbm, state=state, rng=rng)
        assert max(map(largest_z, state["v"], laws)) < 4
        assert_array_equal(v, state["v"][-1])
    # The laws differ: the test can tell neighbours apart.
    assert min(map(largest_z, state["v"][1:], laws[:-1])) > 8


@on_every_library
def test_wrong_exchanges_would_be_seen_to_drift(monkeypatch):
    monkeypatch.setattr(TemperedPath, "log_ratio", lambda self, v, *_: 0.0 * v[:, 0])
    rbm, rng = tiny(), make_rng(0)
    start = exact_state(TEMPERED, rbm, rng)
    _, _, state = calls(TEMPERED, rbm, 4, start, rng)
    assert largest_z(state["v"][-1], tempered_laws(rbm, start)[-1]) > 8


def swap_probability(low, high):
    """Mean and variance of the Metropolis probability between two laws."""
    ratio = (low - high)[None, :] + (high - low)[:, None]  # rows: state of the low one
    p = np.minimum(1.0, np.exp(ratio))
    joint = np.exp(low[:, None] + high[None, :])
    mean = (joint * p).sum()
    return mean, (joint * p**2).sum() - mean**2


def expected_rates(laws):
    return np.array([swap_probability(*pair) for pair in pairwise(laws)]).T


@on_every_library
def test_swap_rates_are_the_exact_acceptance():
    rbm, rng = tiny(), make_rng(0)
    state = exact_state(TEMPERED, rbm, rng)
    mean, variance = expected_rates(tempered_laws(rbm, state))
    assert_array_equal(state["swap_rates"], np.zeros(4))
    _, _, state = calls(TEMPERED, rbm, 1, state, rng)
    assert_array_equal(state["swap_rates"] > 0, [True, False, True, False])
    for n in (1, 18):  # the first exchange of each pair; the mean of ten
        _, _, state = calls(TEMPERED, rbm, n, state, rng)
        rates = state["swap_rates"]
        assert rates.min() > 0.0
        assert rates.max() < 1.0
        assert np.abs((rates - mean) / np.sqrt(variance / N)).max() < 4
    assert np.ptp(mean) > 0.003  # larger than the error: pairs are told apart


def two_modes(n=8):
    """A machine whose mass is at all units off and all units on, half each."""
    rbm = RBM(n, 1)
    rbm.W[...], rbm.b[...], rbm.c[...] = 10.0, -5.0, -40.0
    return rbm


BOTH_MODES = np.repeat([[0.0], [1.0]], 8, axis=1)


def share_on(sampler, n_calls, seed=0):
    """Share of on-mode rows in the negative phase when all chains start off."""
    rbm, rng, shares = two_modes(), make_rng(seed), []
    state = sampler.start(rbm, BOTH_MODES, rng)
    state["v"] = 0.0 * state["v"]
    for _ in range(n_calls):
        v, _, state = calls(sampler, rbm, state=state, rng=rng, rows=BOTH_MODES)
        shares.append((v.mean(axis=1) > 0.5).mean())
    return np.array(shares)


@pytest.mark.parametrize("adapt", [False, True])
def test_parallel_tempering_crosses_between_modes_where_pcd_stays(adapt):
    tempered = ParallelTempering(n_chains=50, n_betas=6, adapt=adapt)
    assert 0.45 < share_on(tempered, 600)[200:].mean() < 0.55
    assert share_on(PCD(n_chains=50), 600).max() == 0.0


def test_adapted_betas_even_out_the_swap_rates():
    rbm, sampler = two_modes(), ParallelTempering(n_chains=50, n_betas=6)

    def spread(betas):
        laws = [tempered_log_p(rbm, BOTH_MODES.mean(axis=0), b) for b in betas]
        return np.ptp(expected_rates(laws)[0])

    _, _, state = calls(sampler, rbm, 1500, rows=BOTH_MODES)
    betas = state["betas"]
    assert spread(np.linspace(0, 1, 6)) > 0.25
    assert spread(betas) < 0.1
    assert np.ptp(state["swap_rates"]) < 0.15
    assert betas[0] == 0.0
    assert betas[-1] == 1.0
    assert (np.diff(betas) > 0.0).all()


def test_betas_move_slowly_and_only_when_asked_to():
    rbm, rng = two_modes(), make_rng(0)
    sampler = ParallelTempering(n_chains=5, n_betas=6)
    fixed = clone(sampler).set_params(adapt=False)
    _, _, state = calls(fixed, rbm, 10, rows=BOTH_MODES)
    assert_array_equal(state["betas"], np.linspace(0.0, 1.0, 6))
    state = sampler.start(rbm, BOTH_MODES, rng)
    for _ in range(20):
        before = state["betas"]
        _, _, state = calls(sampler, rbm, state=state, rng=rng, rows=BOTH_MODES)
        assert np.abs(state["betas"] - before).max() < 0.01
    assert np.abs(state["betas"] - np.linspace(0.0, 1.0, 6)).max() > 0.001


def test_betas_stay_where_nothing_is_rejected():
    rbm = RBM(3, 2)  # without weights or biases, and data with mean 1/2: one law
    _, _, state = calls(small(ParallelTempering), rbm, 5, rows=binary_states(3))
    assert_array_equal(state["swap_rates"], np.ones(2))
    assert_allclose(state["betas"], [0.0, 0.5, 1.0], rtol=1e-12)


def test_two_temperatures_exchange_every_other_time():
    rbm = tiny()
    _, _, state = calls(small(ParallelTempering, n_betas=2), rbm, 1)
    rates = state["swap_rates"]
    _, _, state = calls(small(ParallelTempering, n_betas=2), rbm, 1, state)
    assert_array_equal(state["swap_rates"], rates)
    _, _, state = calls(small(ParallelTempering, n_betas=2), rbm, 1, state)
    assert state["swap_rates"] != rates


# What all have in common.


@each_sampler
def test_chains_start_at_training_rows(kind):
    state = small(kind, n_chains=30).start(tiny(), X, make_rng(0))
    starts = np.reshape(state["v"], (-1, 3))
    assert {tuple(row) for row in starts} == {tuple(row) for row in X}


@pytest.mark.parametrize("kind", [PCD, FPCD])
def test_chains_are_not_set_back_to_the_data(kind):
    # Units copy each other, so that nothing ever moves, and the batch is elsewhere.
    rbm = RBM(4, 4)
    rbm.W[...], rbm.b[...], rbm.c[...] = 400.0 * np.eye(4), -200.0, -200.0
    sampler = kind(n_chains=30)
    state = sampler.start(rbm, np.eye(4)[[0, 2]], make_rng(0))
    v, _, _ = calls(sampler, rbm, 5, state, rows=np.ones((3, 4)))
    assert_array_equal(v, state["v"])
    assert len(np.unique(v, axis=0)) == 2


@each_sampler
@pytest.mark.parametrize("n_chains", [1, 3, 50])
def test_the_number_of_chains_is_not_that_of_the_rows(kind, n_chains):
    v, h, _ = calls(small(kind, n_chains=n_chains), tiny(), 3)
    assert v.shape == (n_chains, 3)
    assert h.shape == (n_chains, 2)
    assert set(np.unique(v)) <= {0.0, 1.0}
    assert not kind.paired


@each_sampler
def test_the_chains_go_on_where_they_were(kind):
    """Two calls are one run: the second starts at the state of the first."""
    rbm, sampler, rng = tiny(), small(kind), make_rng(0)
    v_two, _, two = calls(sampler, rbm, 2, rng=rng)
    rng = make_rng(0)
    _, _, one = calls(sampler, rbm, 1, rng=rng)
    v_again, _, again = calls(sampler, rbm, 1, pickle.loads(pickle.dumps(one)), rng)
    assert_array_equal(v_two, v_again)
    for key, value in two.items():
        assert_array_equal(value, again[key])


@each_sampler
def test_a_seed_means_one_result_and_nothing_given_is_changed(kind):
    rbm, sampler = tiny(), small(kind, k=2)
    flat, params = rbm.params.flat.copy(), sampler.get_params()
    state = sampler.start(rbm, X, make_rng(0))
    kept = pickle.dumps(state)
    first, same, other = (
        calls(sampler, rbm, 1, state, make_rng(seed))[2]["v"] for seed in (1, 1, 2)
    )
    assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert_array_equal(rbm.params.flat, flat)
    assert sampler.get_params() == params
    assert pickle.dumps(state) == kept


@each_sampler
def test_a_state_is_made_of_arrays_and_numbers(kind):
    _, _, state = calls(small(kind), tiny())
    assert state["epoch"] == 0
    for value in state.values():
        assert isinstance(value, int) or value.dtype == np.float64


@each_sampler
def test_float32_is_kept(kind):
    rbm, rows = tiny(dtype=np.float32), X.astype(np.float32)
    sampler = small(kind)
    v, h, state = calls(sampler, rbm, 3, rows=rows)
    large = [v, h, *(state[key] for key in {"v", "fast", "mean"} & {*state})]
    assert {a.dtype for a in large} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("sampler", "means"),
    [
        (PCD(), []),
        (FPCD(), ["fast"]),
        (ParallelTempering(), ["mean", "betas", "swap_rates"]),
    ],
    ids=repr,
)
def test_processes_share_the_chains_and_average_what_follows_them(sampler, means):
    state = sampler.start(tiny(), X, make_rng(0))
    assert sampler.shares(state) == (["v"], means)
    assert CD().shares(CD().start(tiny(), X, make_rng(0))) == ([], [])


@each_sampler
def test_k_follows_its_schedule(kind):
    class Counting(Bernoulli):
        n_samples = 0

        def sample(self, x, rng, p=None):
            Counting.n_samples += 1
            return super().sample(x, rng, p)

    rbm = RBM(3, 2, hidden=Counting())
    sampler = get_sampler(small(kind, k=((0, 1), (2, 4))))
    train_rbm(rbm, X, rng=make_rng(0), sampler=sampler, max_iter=3, batch_size=5)
    assert Counting.n_samples == 1 + 1 + 4


@each_sampler
@pytest.mark.parametrize(
    ("visible", "hidden", "sizes"),
    [
        (Gaussian(learn_variance=True), Bernoulli(), (3, 2)),
        (Gaussian(), ReLU(), (3, 2)),
        (Softmax(3), Bernoulli(), (6, 2)),
        (Bernoulli(), Softmax(2), (3, 4)),
        (TABLE, RAGGED, (6, 6)),
    ],
    ids=repr,
)
def test_other_units(kind, visible, hidden, sizes):
    rbm = RBM(*sizes, visible=visible, hidden=hidden)
    randomize(rbm.params, scale=0.3)
    rows = visible.sample(np.zeros((9, sizes[0])), make_rng(0), rbm.p_visible)
    v, h, _ = calls(small(kind), rbm, 4, rows=rows)
    visible.check(v)
    assert np.isfinite(v).all()
    assert np.isfinite(h).all()


@each_sampler
def test_what_holds_in_numpy_holds_in_the_array_api(kind):
    xp, rbm = array_api_strict, tiny()
    strict = tiny()
    flat = xp.asarray(strict.params.flat, copy=True)
    strict.params = Parameters(strict.params.shapes, flat=flat)
    expected = calls(small(kind), rbm, 4)
    results = calls(small(kind), strict, 4, rows=xp.asarray(np.array(X)))
    for result, reference in zip(results[:2], expected[:2], strict=True):
        assert result.__array_namespace__() is xp
        assert_allclose(np.asarray(result), reference, rtol=1e-12)


@each_sampler
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_are_as_good_and_chains_are_dense(kind, dtype):
    rbm, rows = tiny(dtype=dtype), X.astype(dtype)
    expected = small(kind).start(rbm, rows, make_rng(0))
    state = small(kind).start(rbm, csr_array(rows), make_rng(0))
    for key, value in expected.items():
        assert type(state[key]) is type(value)
        assert_allclose(state[key], value, rtol=1e-6)
    v, h, expected = calls(small(kind), rbm, 3, rows=rows)
    v_sparse, h_sparse, state = calls(small(kind), rbm, 3, rows=csr_array(rows))
    assert_array_equal(v_sparse, v)
    assert_allclose(h_sparse, h, rtol=1e-6)
    assert_allclose(state.get("fast", 0.0), expected.get("fast", 0.0), atol=1e-6)


# Errors.

NUMBERS = [
    (PCD, "k", [0, -1, 1.5, "1", None, ((1, 2),)]),
    (PCD, "n_chains", [0, 2.0, None, ((0, 5),)]),
    (FPCD, "k", [0]),
    (FPCD, "n_chains", [0]),
    (FPCD, "fast_learning_rate", [-0.1, np.nan, np.inf, "auto"]),
    (FPCD, "fast_decay", [-0.1, 1.0, None]),
    (ParallelTempering, "k", [0]),
    (ParallelTempering, "n_chains", [-3]),
    (ParallelTempering, "n_betas", [1, 0, -2, 2.5, None]),
]


@pytest.mark.parametrize(
    ("kind", "name", "value"), [(k, n, v) for k, n, vs in NUMBERS for v in vs]
)
def test_parameters_out_of_range_are_refused(kind, name, value):
    with pytest.raises(ValueError) as error:
        get_sampler(kind(**{name: value}))
    assert str(error.value).startswith(f"{kind.__name__}: {name} must be ")
    assert str(error.value).endswith(f"it is {value!r}.")


@each_sampler
def test_chains_of_another_machine_are_refused(kind):
    state = small(kind).start(tiny(), X, make_rng(0))
    with pytest.raises(ValueError) as error:
        calls(small(kind), tiny(sizes=(4, 2)), state=state, rows=np.ones((2, 4)))
    assert "state has 3 visible units; the machine has 4" in str(error.value)
    assert str(error.value).endswith("get a new one from `start`.")


def test_fast_parameters_of_another_machine_are_refused():
    state = small(FPCD).start(tiny(), X, make_rng(0))
    with pytest.raises(ValueError, match="has 11 parameters; the machine has 15"):
        calls(small(FPCD), tiny(sizes=(3, 3)), state=state)


@pytest.mark.parametrize("side", ["visible", "hidden"])
def test_exchange_needs_a_normalised_law(side):
    rbm = RBM(3, 2, **{side: ReLU(noisy=True)})
    with pytest.raises(ValueError, match=r"has no law. Use ReLU\(\)"):
        small(ParallelTempering).start(rbm, X, make_rng(0))


def test_names():
    kinds = {"cd": CD, "pcd": PCD, "fpcd": FPCD, "pt": ParallelTempering}
    assert {name: type(get_sampler(name)) for name in kinds} == kinds
    with pytest.raises(ValueError, match="'cd', 'fpcd', 'pcd', 'pt'"):
        get_sampler("pdc")


# Training.


class Recorded(RBM):
    """Writes down the weights of the gradients it is asked for."""

    def gradient(self, *args, **kwargs):
        weights = [None if w is None else w.shape for w in args[5:7]]
        self.weights = [*getattr(self, "weights", []), weights]
        super().gradient(*args, **kwargs)


@each_sampler
def test_sample_weights_act_on_the_positive_phase_only(kind):
    rbm, weight = Recorded(3, 2), np.array([0.1, 1.0, 2.0, 3.0, 4.0])
    options = {"sampler": small(kind), "max_iter": 1, "batch_size": 5}
    train_rbm(rbm, X, rng=make_rng(0), sample_weight=weight, **options)
    assert rbm.weights[-1] == [(5,), None]
    train_rbm(rbm, X, rng=make_rng(0), sample_weight=weight, max_iter=1, batch_size=5)
    assert rbm.weights[-1] == [(5,), (5,)]  # contrastive divergence


def bars(n=3):
    """The n x n images made of full rows or of full columns, 2^(n + 1) of them."""
    rows = np.repeat(binary_states(n), n, axis=1)
    return np.concatenate([rows, np.tile(binary_states(n), (1, n))])


def test_training_finds_structure_better_than_contrastive_divergence():
    data = bars()
    samplers = [
        CD(sample_visible=True),
        PCD(),
        FPCD(),
        ParallelTempering(n_chains=50, n_betas=4),
    ]
    found = []
    for sampler in samplers:
        rbm = RBM(9, 8)
        train_rbm(
            rbm,
            np.tile(data, (4, 1)),
            rng=make_rng(0),
            sampler=sampler,
            optimizer=SGD(0.1, momentum=0.0),  # faster, and the chains do not follow
            weight_decay=0.0,
            batch_size=16,
            max_iter=800,
        )
        found.append(Enumerated(rbm).log_likelihood(data).mean())
    cd, *persistent = found
    independent = -9 * np.log(2.0)  # every pixel is on in half of the images: -6.24
    best = -np.log(16.0) + np.log(2.0) * 4 / 16  # two images occur twice: -2.60
    assert independent + 2.0 < cd < min(persistent)
    assert max(persistent) < best
