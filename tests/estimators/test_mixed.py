"""Estimators over columns of several kinds, which the user names."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.utils import get_tags

from dbn import (
    DBNClassifier,
    DBNTransformer,
    RBMTransformer,
    ScaledRows,
    load_model,
    save_model,
)
from dbn.boltzmann import (
    Bernoulli,
    Gaussian,
    Mixed,
    ReLU,
    Softmax,
    Spin,
)
from dbn.training import SGD, RBMMonitor
from dbn.training.contrastive import monitored_rows
from tests.helpers import message_of

LEARNED = Gaussian(learn_variance=True)
TABLE = Mixed(((Gaussian(), 2), (Bernoulli(), 1), (Softmax((2, 3)), 5), (Spin(), 1)))
LISTED = Mixed(((Bernoulli(), 1), (Softmax((2, 3)), 5), (Spin(), 1)))


def table(n=400, seed=0):
    """Numbers far from 0, one of which follows the bit, and the spin the bit."""
    rng = np.random.default_rng(seed)
    bit = rng.integers(2, size=n)
    numbers = [50.0 + 20.0 * bit + 5.0 * rng.standard_normal(n)]
    numbers.append(-3.0 + 0.1 * rng.standard_normal(n))
    two, three = np.eye(2)[bit], np.eye(3)[rng.integers(3, size=n)]
    return np.column_stack([*numbers, bit, two, three, 2 * bit - 1])


X = table()


def machine(visible=TABLE, **params):
    params = {"n_components": 4, "batch_size": 20, "max_iter": 30} | params
    return RBMTransformer(visible=visible, random_state=0, **params)


def test_only_gaussian_columns_are_standardised():
    fitted = machine().fit(X)
    assert_allclose(fitted.mean_[:2], X[:, :2].mean(axis=0))
    assert_allclose(fitted.scale_[:2], X[:, :2].std(axis=0))
    assert_array_equal(fitted.mean_[2:], 0.0)
    assert_array_equal(fitted.scale_[2:], 1.0)
    found = X @ fitted.components_.T + fitted.intercept_hidden_
    assert_allclose(fitted.transform(X), 1.0 / (1.0 + np.exp(-found)), rtol=1e-9)
    without = machine(LISTED).fit(X[:, 2:])
    assert without.mean_ is None and without.scale_ is None


@pytest.mark.parametrize("sampler", ["cd", "pcd", "fpcd", "pt"])
def test_samples_are_rows_of_the_table(sampler):
    drawn = machine(sampler=sampler).fit(X).sample(100, steps=50, random_state=0)
    TABLE.check(drawn)
    assert set(np.unique(drawn[:, 2:])) == {-1.0, 0.0, 1.0}
    assert_array_equal(drawn[:, 3:5].sum(axis=1), 1.0)
    assert_array_equal(drawn[:, 5:8].sum(axis=1), 1.0)
    assert 30.0 < drawn[:, 0].mean() < 90.0 and -3.2 < drawn[:, 1].mean() < -2.8


def test_what_goes_together_is_learned():
    fitted = machine(max_iter=100, optimizer=None).fit(X)
    given = np.full(9, np.nan)
    given[2] = 1.0
    drawn = fitted.sample(300, given=given, steps=50, random_state=0)
    assert (drawn[:, 4] == 1.0).mean() > 0.8 and (drawn[:, 8] == 1.0).mean() > 0.8
    assert drawn[:, 0].mean() > 60.0
    assert_allclose(fitted.inverse_transform(fitted.transform(X)).shape, X.shape)


def test_densities_are_those_of_the_table_as_given():
    fitted = machine().fit(X)
    scaled = X.copy()
    scaled[:, 0] *= 10.0
    other = machine().fit(scaled)
    shift = fitted.score_samples(X) - other.score_samples(scaled)
    assert_allclose(shift, np.log(10.0), rtol=1e-6)


def test_a_learned_variance_of_a_block_is_that_of_its_columns():
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(2, size=(500, 2)), rng.normal(size=500)])
    visible = Mixed(((Bernoulli(), 2), (LEARNED, 1)))
    fitted = machine(visible, max_iter=50).fit(rows)
    assert fitted.rbm_.params["visible_1_log_variance"].shape == (1,)
    assert abs(fitted.rbm_.p_visible["1_log_variance"][0]) < 0.3
    assert np.isfinite(fitted.score(rows))


def test_values_outside_are_refused_with_their_columns():
    wrong = X.copy()
    wrong[3, 2] = -0.5
    text = message_of(machine().fit, wrong)
    assert text.startswith("Column 2: Bernoulli visible units need values in [0, 1]")
    assert text == message_of(machine(max_iter=1).fit(X).score_samples, wrong)
    assert "Mixed needs 9 columns" in message_of(machine().fit, X[:, :8])
    huge = np.column_stack([np.ones((20, 1)), np.full((20, 1), 1e153)])
    both = machine(Mixed(((Gaussian(), 1), (ReLU(), 1))))
    assert "Divide X by a constant" in message_of(both.fit, huge)


def test_files_copies_and_clones(tmp_path):
    fitted = machine(max_iter=2).fit(X)
    save_model(fitted, tmp_path / "table.dbn")
    loaded = load_model(tmp_path / "table.dbn")
    assert loaded.visible_ == loaded.visible == TABLE
    for other in (loaded, pickle.loads(pickle.dumps(fitted))):
        assert_array_equal(other.transform(X), fitted.transform(X))
        assert_array_equal(other.score_samples(X), fitted.score_samples(X))
        drawn = (m.sample(5, steps=5, random_state=1) for m in (other, fitted))
        assert_array_equal(*drawn)
    again = clone(fitted).fit(X)
    assert_array_equal(again.components_, fitted.components_)


def test_going_on():
    steady = {"optimizer": SGD(0.01)}
    fitted = machine(max_iter=4, **steady).fit(X)
    twice = machine(max_iter=2, warm_start=True, **steady).fit(X).fit(X)
    chunks = machine(**steady)
    for _ in range(4):
        chunks.partial_fit(X)
    assert_array_equal(twice.components_, fitted.components_)
    assert_array_equal(chunks.components_, fitted.components_)


def test_rows_of_a_file_and_sparse_rows():
    inside = X[:, 2:]
    dense = machine(LISTED, max_iter=2).fit(inside)
    sparse = machine(LISTED, max_iter=2).fit(csr_array(inside))
    assert_allclose(sparse.components_, dense.components_, rtol=1e-9, atol=1e-12)
    assert (
        get_tags(dense).input_tags.sparse and not get_tags(machine()).input_tags.sparse
    )
    assert "would make a sparse X dense" in message_of(machine().fit, csr_array(X))
    bits = np.random.default_rng(0).integers(256, size=(200, 3)).astype(np.uint8)
    bits[:, 2] = 255 * (bits[:, 2] > 99)
    visible = Mixed(((Gaussian(), 1), (Bernoulli(), 2)))
    lazy = machine(visible, max_iter=2).fit(ScaledRows(bits, 255, dtype=np.float64))
    assert_allclose(
        lazy.components_, machine(visible, max_iter=2).fit(bits / 255).components_
    )


def test_rounding_in_rows_of_every_kind_is_mended():
    rows = LISTED.inside(X[:50, 2:])
    over = rows + 1e-9 * (rows == 1.0)
    assert over.max() > 1.0
    assert_array_equal(LISTED.inside(over), rows)
    assert_array_equal(LISTED.inside(csr_array(over)).toarray(), rows)
    lazy = ScaledRows(over, dtype=np.float64)
    assert_array_equal(LISTED.inside(lazy)[:], rows)
    assert LISTED.inside(ScaledRows(rows, dtype=np.float64)).shape == rows.shape
    wrong = ScaledRows(np.column_stack([rows[:, :6], 3.0 * rows[:, 6]]))
    assert message_of(LISTED.inside, wrong).startswith("Column 6: Spin")


def test_stacks_and_nets_over_a_table():
    y = X[:, 2].astype(int)
    stack = DBNTransformer((4, 3), rbm=machine(max_iter=2), random_state=0).fit(X)
    assert stack.dbn_.rbms[0].visible == TABLE
    TABLE.check(stack.sample(10, steps=5, random_state=0))
    for init in ("dbn", "xavier_uniform"):
        net = DBNClassifier((4,), init=init, rbm=machine(max_iter=2), random_state=0)
        net.set_params(batch_size=20, max_iter=50)
        assert net.fit(X, y).score(X, y) > 0.95
        assert_array_equal(net.mean_[2:], 0.0)


def test_hidden_units_of_several_kinds():
    hidden = Mixed(((Bernoulli(), 2), (Softmax(3), 3), (Spin(), 1)))
    fitted = machine("auto", n_components=6, hidden=hidden, max_iter=3).fit(X[:, 3:5])
    features = fitted.transform(X[:, 3:5])
    assert_allclose(features[:, 2:5].sum(axis=1), 1.0)
    assert features.min() >= -1.0 and np.isfinite(fitted.score(X[:, 3:5]))


@pytest.mark.parametrize("visible", [LISTED, Softmax((2, 3))], ids=repr)
def test_the_monitor_watches_one_unit_of_each_row(visible):
    rows = X[:, 2:] if visible is LISTED else X[:, 3:8]
    fitted = machine(visible, max_iter=2).set_callbacks(RBMMonitor()).fit(rows)
    watched, groups = rows[monitored_rows(len(rows))], list(visible.groups(len(rows.T)))
    chosen = np.random.default_rng(0).integers(len(groups), size=len(watched))
    terms = []
    for row, (columns, units, _) in zip(
        watched, [groups[i] for i in chosen], strict=True
    ):
        changed = np.tile(row, (len(units.states), 1))
        changed[:, columns] = units.states
        log_p = -fitted.rbm_.free_energy(changed)
        terms.append(log_p[(changed == row).all(axis=1)].item() - logsumexp(log_p))
    expected = len(groups) * np.mean(terms)
    assert_allclose(fitted.history_[-1]["pseudo_log_likelihood"], expected, rtol=1e-9)
    numbers = machine(max_iter=1).set_callbacks(RBMMonitor()).fit(X)
    assert "pseudo_log_likelihood" not in numbers.history_[-1]


def test_hidden_units_that_never_move_are_counted_by_their_own_range():
    hidden = Mixed(((Bernoulli(), 2), (Spin(), 2), (ReLU(), 1)))
    fitted = machine(LISTED, n_components=5, hidden=hidden, max_iter=1)
    fitted.set_params(optimizer=SGD(1e-9)).set_callbacks(RBMMonitor())
    assert fitted.fit(X[:, 2:]).history_[0]["dead_units"] == 0
    fitted.set_params(optimizer=Fixed(), max_iter=2).fit(X[:, 2:])
    assert fitted.history_[-1]["dead_units"] == 3
    assert fitted.history_[-1]["always_on_units"] == 2


class Fixed(SGD):
    """Sets the hidden biases: of the bits and of the spins one is on and one off."""

    def step(self, theta, grad, state):
        theta[...] = 0.0
        theta[-5:] = [20.0, -20.0, 20.0, -20.0, -200.0]
        return state
