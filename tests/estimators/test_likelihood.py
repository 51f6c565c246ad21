"""Scores of the transformers are log-likelihoods, or bounds on them, in nats."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from sklearn.model_selection import GridSearchCV

from dbn import DBN, RBM, DBNTransformer, GenerativeDBNClassifier, RBMTransformer
from dbn.backend.array import sigmoid
from dbn.backend.random import make_rng
from dbn.boltzmann import CD, ReLU
from dbn.estimators import density
from dbn.training import SGD
from tests.estimators.toy import REAL, X, Y, message, small
from tests.helpers import Enumerated, binary_states, randomize

BINARY = (X[:, :4] > 0.5) * 1.0


def stack(seed=0, sizes=(3, 2)):
    """A fitted stack with strong weights, and the exact log p(v) of all its states."""
    transformer = DBNTransformer(sizes, rbm=RBMTransformer(max_iter=1), random_state=0)
    transformer.fit(BINARY)
    for i, rbm in enumerate(transformer.dbn_.rbms):
        randomize(rbm.params, seed=seed + i)
    return transformer


def exact_log_p(dbn):
    """All visible states of a two-layer stack and log p: sum over the middle layer."""
    bottom, top = dbn.rbms
    middle, visible = Enumerated(top), binary_states(bottom.W.shape[0])
    on = sigmoid(bottom.visible_input(middle.v))
    log_on = np.where(visible[:, None, :] == 1, np.log(on), np.log1p(-on)).sum(axis=2)
    return visible, logsumexp(log_on + middle.log_v, axis=1)


def test_scores_of_a_small_machine_are_exact():
    transformer = RBMTransformer(3, max_iter=2, random_state=0).fit(BINARY)
    randomize(transformer.rbm_.params, seed=1)
    exact = Enumerated(transformer.rbm_)
    assert_allclose(transformer.score_samples(exact.v), exact.log_v, rtol=1e-10)
    assert transformer.score(exact.v) == pytest.approx(exact.log_v.mean())


def test_densities_of_standardised_data_are_those_of_the_data():
    """Rescaled data: the same machine, log p lower by the sum of the log scales."""
    plain = small(RBMTransformer).fit(REAL)
    scaled = small(RBMTransformer).fit(100.0 * REAL)
    shift = REAL.shape[1] * np.log(100.0)
    expected = plain.score_samples(REAL) - shift
    assert_allclose(scaled.score_samples(100.0 * REAL), expected, atol=1e-6)


def test_annealed_scores_agree_with_exact_ones(monkeypatch):
    transformer = RBMTransformer(6, max_iter=5, random_state=0).fit(X)
    exact = transformer.score_samples(X)
    del transformer.log_z_
    monkeypatch.setattr(density, "is_enumerable", lambda rbm, n: False)
    assert_allclose(transformer.score_samples(X), exact, atol=0.05)
    # The larger log Z is the conservative one; with an exact start it is an upper bound
    # up to Monte-Carlo error.
    assert transformer.score_samples(X)[0] <= exact[0] + 0.05


def test_log_z_is_computed_once_and_forgotten_by_fit():
    transformer = small(RBMTransformer).fit(X)
    assert not hasattr(transformer, "log_z_")
    first = transformer.score(X)
    kept = transformer.log_z_
    assert transformer.score(X) == first and transformer.log_z_ is kept
    assert not hasattr(transformer.fit(X), "log_z_")


def test_an_uncertain_log_z_is_a_warning(monkeypatch):
    """Strong weights and coarse annealing: the two directions disagree."""
    transformer = RBMTransformer(8, max_iter=1, random_state=0).fit(X)
    randomize(transformer.rbm_.params, seed=0, scale=6.0)
    monkeypatch.setattr(density, "is_enumerable", lambda rbm, n: False)
    for name in ("ais", "reverse_ais"):
        function = getattr(density, name)

        def coarse(rbm, function=function, **options):
            return function(rbm, n_betas=3, n_chains=20, **options)

        monkeypatch.setattr(density, name, coarse)
    with pytest.warns(RuntimeWarning, match="Log Z is uncertain: .* from below and"):
        transformer.score(X)


def test_grid_search_chooses_by_held_out_likelihood():
    """A machine that has learned beats one that has not."""
    rows = np.repeat([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]], 100, axis=0)
    machine = RBMTransformer(
        3, sampler=CD(1), optimizer=SGD(), batch_size=10, random_state=0
    )
    search = GridSearchCV(machine, {"max_iter": [1, 60]}, cv=3).fit(rows)
    assert search.best_params_ == {"max_iter": 60}
    assert search.best_score_ > -2.0  # independent units have -4 log 2 = -2.77


def test_bound_of_a_stack_is_below_the_truth_and_not_far():
    transformer = stack()
    visible, log_p = exact_log_p(transformer.dbn_)
    bound = transformer.score_samples(visible, n_draws=20_000)
    assert (bound < log_p + 0.02).all()
    assert (log_p - bound).mean() < 1.0


def test_bound_is_tight_where_the_upper_machine_is_the_lower_one_upside_down():
    """Then q(h | v) is the true posterior: every draw gives log p(v) itself."""
    lower = RBM(4, 3)
    randomize(lower.params, seed=5)
    upper = RBM(3, 4)
    upper.W[...], upper.b[...], upper.c[...] = lower.W.T, lower.c, lower.b
    dbn, exact = DBN([lower, upper]), Enumerated(lower)
    log_z = np.log(np.exp(-lower.free_energy(exact.v)).sum())
    for row, log_p in zip(exact.v, exact.log_v, strict=True):
        bound = dbn.log_p_bound(row, make_rng(0), 5) - log_z
        assert bound == pytest.approx(log_p, abs=1e-10)


def test_the_bound_of_one_layer_is_exact():
    transformer = DBNTransformer((3,), rbm=RBMTransformer(max_iter=2), random_state=0)
    exact = Enumerated(transformer.fit(BINARY).dbn_.rbms[0])
    assert_allclose(transformer.score_samples(exact.v), exact.log_v, rtol=1e-10)


def test_scores_of_a_stack_are_deterministic_and_row_wise():
    transformer = small(DBNTransformer).fit(X)
    scores = transformer.score_samples(X[:9])
    assert_allclose(transformer.score_samples(X[:9]), scores, rtol=1e-12)
    assert_allclose(transformer.score_samples(X[4:5])[0], scores[4], rtol=1e-12)
    assert transformer.score(X[:9]) == pytest.approx(scores.mean())


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
def test_scores_need_values_in_range(cls):
    transformer = small(cls).fit(X)
    with pytest.raises(ValueError, match=r"need values in \[0, 1\]"):
        transformer.score_samples(2.0 * X)


@pytest.mark.parametrize("cls", [DBNTransformer, GenerativeDBNClassifier])
@pytest.mark.parametrize("n_draws", [0, -1, 1.5, 2.0, "many", None])
def test_a_bound_needs_one_draw_or_more(cls, n_draws, monkeypatch):
    model = small(cls).fit(X, Y)
    monkeypatch.setattr(density, "estimate_log_z", None)  # refused before all work
    text = message(model.score_samples, X[:2], n_draws=n_draws)
    assert text == f"n_draws is {n_draws!r}; it must be an integer of at least 1."


def test_units_without_a_law_have_no_score():
    transformer = small(RBMTransformer, hidden=ReLU(noisy=True)).fit(X)
    with pytest.raises(ValueError, match="no law"):
        transformer.score(X)
