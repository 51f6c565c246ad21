"""partial_fit and warm_start: training that goes on is training that never stopped."""

import copy
import pickle
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from dbn import DBNClassifier, RBMClassifier, RBMTransformer
from dbn.boltzmann import CD, FPCD, PCD, Bernoulli, ParallelTempering
from dbn.training import SGD, Adam, Schedule
from tests.estimators.toy import REAL, StopAfter, X, Y, message, rbm, small

pytestmark = pytest.mark.usefixtures("on_each_device")
STEADY = SGD(0.1, momentum=0.0)
MOVING = SGD(0.1, momentum=((0, 0.5), (3, 0.9)))
OPTIONS = [
    {},
    {"sampler": CD(k=((0, 1), (2, 3)))},
    {"sampler": PCD(n_chains=7), "centering": True, "optimizer": STEADY},
    {"sampler": FPCD(n_chains=7), "optimizer": STEADY},
    {"sampler": ParallelTempering(n_chains=5, n_betas=3), "optimizer": STEADY},
    {"optimizer": Adam()},
    {"optimizer": SGD(((0, 0.1), (2, 0.01)), momentum=((0, 0.5), (3, 0.9)))},
    {"sparsity": 0.2, "l1": 0.01},
    {"hidden": "gaussian"},
]


def theta(estimator):
    return estimator.rbm_.params.flat


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("rows", [X, REAL], ids=["bernoulli", "gaussian"])
def test_stopping_and_going_on_changes_nothing(options, rows):
    """Chains, moments, means, schedules and the random stream go on, bit for bit."""
    options = {"random_state": 0, "optimizer": MOVING, **options}
    whole = rbm(max_iter=5, **options).fit(rows)
    warm = rbm(max_iter=2, warm_start=True, **options).fit(rows)
    warm.set_params(max_iter=3).fit(rows)
    parts = rbm(**options)
    for _ in range(5):
        assert parts.partial_fit(rows) is parts
    for other in (warm, parts):
        assert_array_equal(theta(other), theta(whole))
        assert other.history_ == whole.history_
        assert other.n_iter_ == whole.n_iter_ == 5


@pytest.mark.parametrize(
    ("options", "at", "momentum"),
    [
        ({}, 0.1, ((0, 0.5), (5, 0.9))),
        ({"optimizer": SGD(Schedule(0.1, 0.0))}, 0.1, 0.9),
        ({"sampler": PCD(n_chains=7)}, 0.3, 0.0),
    ],
    ids=["default", "asked for", "of chains"],
)
def test_a_schedule_that_ends_with_the_fit_begins_anew(options, at, momentum):
    """By a warm start. In chunks, whose number nobody knows, it stays at its start."""
    options = {"random_state": 0, **options}

    def following(*rates):
        steps = tuple(enumerate(rates))
        return rbm(**options | {"optimizer": SGD(steps, momentum=momentum)})

    warm = rbm(max_iter=2, warm_start=True, **options).fit(X)
    warm.set_params(max_iter=4).fit(X)
    falling = [at, 0.5 * at, at, 0.75 * at, 0.5 * at, 0.25 * at]
    expected = following(*falling).set_params(max_iter=6).fit(X)
    np.testing.assert_allclose(theta(warm), theta(expected), rtol=1e-12)
    parts = rbm(**options)
    for _ in range(3):
        parts.partial_fit(X)
    expected = following(at).set_params(max_iter=3).fit(X)
    assert_array_equal(theta(parts), theta(expected))


def test_going_on_after_pickling_changes_nothing():
    estimator = rbm(random_state=0, sampler="pcd").partial_fit(X)
    restored = pickle.loads(pickle.dumps(estimator)).partial_fit(X)
    assert_array_equal(theta(restored), theta(estimator.partial_fit(X)))


def test_fit_without_warm_start_starts_anew():
    estimator = rbm(random_state=0).partial_fit(REAL).fit(X)
    assert_array_equal(theta(estimator), theta(rbm(random_state=0).fit(X)))
    assert estimator.n_iter_ == 2


def test_partial_fit_goes_on_from_fit():
    options = {"random_state": 0, "optimizer": STEADY}
    estimator = rbm(**options).fit(X).partial_fit(X)
    assert_array_equal(theta(estimator), theta(rbm(**options, max_iter=3).fit(X)))


def test_chains_of_another_number_start_anew_and_others_survive():
    estimator = rbm(random_state=0, sampler=PCD(n_chains=7)).partial_fit(X)
    before = copy.deepcopy(estimator._state["chains"]["v"])
    estimator.set_params(sampler__k=3).partial_fit(X)
    assert estimator._state["chains"]["v"].shape == (7, 5)
    estimator.set_params(sampler__n_chains=9).partial_fit(X)
    assert estimator._state["chains"]["v"].shape == (9, 5)
    estimator.set_params(sampler=FPCD(n_chains=9), optimizer="adam").partial_fit(X)
    assert {"m", "v"} <= {*estimator._state["optimizer"]}
    assert before.shape == (7, 5)


def test_a_new_learning_rate_keeps_the_momentum():
    estimator = rbm(random_state=0, optimizer=SGD(0.1)).partial_fit(X)
    velocity = estimator._state["optimizer"]["velocity"].copy()
    estimator.set_params(optimizer__learning_rate=1e-12).partial_fit(X)
    expected = velocity * 0.9**3  # 3 batches
    np.testing.assert_allclose(
        estimator._state["optimizer"]["velocity"], expected, atol=1e-9
    )


def test_a_copy_is_not_touched_by_what_goes_on():
    estimator = rbm(random_state=0).fit(X)
    shallow = copy.copy(estimator)
    before = theta(shallow).copy()
    estimator.rbm_.params.flat.flags.writeable = False  # as loaded from a memory map
    estimator.partial_fit(X)
    assert shallow.n_iter_ == 2
    assert_array_equal(theta(shallow), before)
    assert np.abs(theta(estimator) - before).max() > 0


@pytest.mark.parametrize("cls", [RBMTransformer, RBMClassifier, DBNClassifier])
def test_a_chunk_after_an_interrupted_fit_begins_at_the_start_of_the_schedule(cls):
    """It took the chunk for the last epoch of the fit, of which one was left."""
    falling = SGD(Schedule(0.1, 0.0), momentum=0.0)
    options = {"optimizer": falling, "init": "zeros"} if cls is DBNClassifier else {}
    net = small(cls, **{"optimizer": falling, "max_iter": 4} | options)
    y = () if cls is RBMTransformer else (Y,)
    with pytest.raises(KeyboardInterrupt):
        net.set_callbacks(StopAfter(3)).fit(X, *y)
    net.set_callbacks()
    expected = copy.deepcopy(net).set_params(optimizer=STEADY).partial_fit(X, *y)
    net.partial_fit(X, *y)
    for name in ("rbm_", "network_"):
        if hasattr(net, name):
            found = getattr(net, name).params.flat, getattr(expected, name).params.flat
            assert_array_equal(*found)


@pytest.mark.parametrize("options", [{"centering": True}, {"sparsity": 0.2}], ids=str)
def test_what_stands_for_unknown_values_stays_when_training_goes_on(options):
    """In the gradient of labels: the means of the start, as in predictions."""
    holes = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    options = {"optimizer": STEADY, **options}
    whole = small(RBMClassifier, max_iter=4, **options).fit(holes, Y)
    parts = small(RBMClassifier, **options)
    for _ in range(4):
        parts.partial_fit(holes, Y, classes=[0, 1])
    assert_array_equal(theta(parts), theta(whole))


def test_log_z_is_that_of_the_best_epoch_after_early_stopping():
    """A callback had asked for it in an epoch that was given up."""
    rows = np.array(list(product([0.0, 1.0], repeat=6)))
    y = (rows.sum(axis=1) > 2.0).astype(int)

    class Watch(StopAfter):
        def on_fit_task_end(self, estimator, context):
            if context.task_name == "epoch":
                estimator.score_samples(rows)

    options = {"early_stopping": True, "n_iter_no_change": 5, "generative_weight": 1.0}
    net = RBMClassifier(6, **options, random_state=0).set_callbacks(Watch(0))
    net.fit(rows, y)
    assert np.exp(net.score_samples(rows)).sum() == pytest.approx(1.0)


def test_log_z_is_of_the_machine_as_it_is():
    estimator = rbm(random_state=0).fit(X)
    before = estimator.score(X)
    assert estimator.partial_fit(X).score(X) != before


def test_precision_and_preprocessing_are_those_of_the_first_rows():
    estimator = rbm(random_state=0).partial_fit(REAL.astype(np.float32))
    mean = estimator.mean_.copy()
    estimator.partial_fit(REAL + 1.0)
    assert theta(estimator).dtype == np.float32
    assert_array_equal(estimator.mean_, mean)


def test_weights_count_in_partial_fit():
    weight = np.arange(len(X)) % 3
    weighted = rbm(random_state=0).partial_fit(X, sample_weight=weight)
    used = rbm(random_state=0).partial_fit(X[weight > 0], None, weight[weight > 0])
    assert_array_equal(theta(weighted), theta(used))
    assert np.abs(theta(weighted) - theta(rbm(random_state=0).partial_fit(X))).max() > 0


@pytest.mark.parametrize(
    "change", [{"n_components": 3}, {"hidden": "gaussian"}, {"visible": "gaussian"}]
)
def test_another_machine_is_refused(change):
    estimator = rbm(warm_start=True).fit(X).set_params(**change)
    for train in (estimator.fit, estimator.partial_fit):
        text = message(train, X)
        assert text.startswith("Training cannot go on from RBM(5, 4, visible=Bern")
        assert text.endswith("or call fit with warm_start=False.")


def test_later_rows_are_checked_like_the_first():
    estimator = rbm().partial_fit(X)
    assert "values in [0, 1]" in message(estimator.partial_fit, REAL)
    assert "X has 4 features" in message(estimator.partial_fit, X[:, :4])


def test_clone_forgets_training():
    assert not hasattr(clone(rbm().partial_fit(X)), "rbm_")


def test_partial_fit_validates_parameters():
    assert "'batch_size' parameter" in message(rbm(batch_size=0).partial_fit, X)


def test_divergence_keeps_the_last_finite_machine_and_can_go_on():
    options = {"hidden": "gaussian", "random_state": 0, "sampler": "pcd"}
    estimator = rbm(optimizer=SGD(1e-3), warm_start=True, **options).fit(REAL)
    good = theta(estimator).copy()
    estimator.set_params(optimizer=SGD(1e200))
    text = message(estimator.fit, REAL, error=FloatingPointError)
    assert "in epoch 2; the parameters from before it are kept" in text
    assert_array_equal(theta(estimator), good)
    assert estimator.n_iter_ == 2
    assert np.isfinite(estimator.transform(REAL)).all()
    # Nothing of the epoch that failed is left: the moments and chains are finite too.
    estimator.set_params(optimizer=SGD(1e-3)).fit(REAL)
    assert np.isfinite(theta(estimator)).all()


def test_streaming_chunks_is_as_good_as_having_all_rows():
    rng = np.random.default_rng(0)
    rows = rng.random((4000, 8)) < np.where(rng.random((4000, 1)) < 0.5, 0.1, 0.9)
    train, test = rows[:3000].astype(float), rows[3000:].astype(float)
    options = {"n_components": 8, "sampler": PCD(), "batch_size": 10}
    options |= {"optimizer": SGD(0.05, momentum=0.0), "random_state": 0}
    whole = RBMTransformer(max_iter=6, **options).fit(train)
    parts = RBMTransformer(**options)
    for _ in range(6):
        for chunk in np.array_split(train, 6):
            parts.partial_fit(chunk)
    assert abs(whole.score(test) - parts.score(test)) < 0.1
    independent = np.log(np.where(test, train.mean(axis=0), 1 - train.mean(axis=0)))
    assert parts.score(test) > independent.sum(axis=1).mean() + 0.5


def test_supervised_labels_are_ignored():
    assert_array_equal(
        theta(rbm(random_state=0).partial_fit(X, Y)),
        theta(rbm(random_state=0).partial_fit(X)),
    )


def test_parts_are_compared_and_not_their_texts():
    class Own(Bernoulli):
        def __init__(self, numbers=None):
            self.numbers = numbers

        def __repr__(self):
            return "Own()"

    numbers = np.arange(2000.0)
    estimator = rbm(warm_start=True, hidden=Own(numbers)).fit(X)
    assert estimator.set_params(hidden=Own(numbers.copy())).fit(X).n_iter_ == 4
    estimator.set_params(hidden=Own(numbers[::-1]))
    assert message(estimator.fit, X).startswith("Training cannot go on from RBM(5, 4")
