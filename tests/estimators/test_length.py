"""How long a fit is where nobody says, and what it says when that was too short."""

import pickle
import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning

from dbn import (
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
)
from dbn.training import SGD, Adam, Schedule
from tests.helpers import Callback

from .toy import PREDICTORS, X, Y, message, rbm, small

ALONE = [RBMTransformer, *PREDICTORS]
AUTO = {"batch_size": "auto", "max_iter": "auto"}
STILL = {"optimizer": SGD(1e-9)}  # what it does is not asked


def rows(n):
    return np.resize(X, (n, 5)), np.resize(Y, n)


def asked(cls, **params):
    """An estimator that is told nothing of its length, and does not stop by itself."""
    quiet = {} if cls is RBMTransformer else {"init": "he_normal", "tol": 0.0}
    return small(cls, **AUTO | quiet | STILL | params)


def length(estimator):
    return estimator.batch_size_, estimator.max_iter_


def auto(n_rows, n_updates, least_epochs):
    """By the words of the documentation."""
    batch_size = min(max(-(-n_rows // 30), 10), 100)
    n_epochs = 1
    while n_epochs * -(-n_rows // batch_size) < n_updates:
        n_epochs += 1
    return batch_size, min(max(n_epochs, least_epochs), 100)


def budget(cls):
    return (1500, 8) if cls is RBMTransformer else (3000, 20)


# What "auto" comes to.


@pytest.mark.parametrize("cls", ALONE)
@pytest.mark.parametrize("n_rows", [1, 60, 1234, 10_000])
def test_auto_is_a_number_of_updates(cls, n_rows):
    if n_rows == 1 and cls is DBNClassifier:
        pytest.skip("one row has one class")
    fitted = asked(cls).fit(*rows(n_rows))
    assert length(fitted) == auto(n_rows, *budget(cls))
    assert fitted.n_iter_ == fitted.max_iter_
    assert all(type(n) is int for n in length(fitted))
    # It is what the numbers themselves ask for.
    batch_size, max_iter = length(fitted)
    told = asked(cls, batch_size=batch_size, max_iter=max_iter).fit(*rows(n_rows))
    assert told.history_ == fitted.history_


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("optimizer", ["lbfgs", "cg"])
def test_a_net_that_searches_has_large_batches(cls, optimizer):
    fitted = asked(cls, optimizer=optimizer, max_iter=1).fit(*rows(1500))
    assert length(fitted) == (1000, 1)
    fitted = asked(cls, optimizer=optimizer).fit(*rows(60))
    assert length(fitted) == (1000, 200)


@pytest.mark.parametrize("sampler", ["pcd", "fpcd", "pt"])
def test_persistent_chains_have_longer(sampler):
    fitted = asked(RBMTransformer, sampler=sampler).fit(*rows(1200))
    assert length(fitted) == auto(1200, 3000, 8) == (40, 100)


# What "adam" comes to.


def by_hand(cls, rows_per_column):
    """By the words of the documentation."""
    rate = min(max(0.0002 * rows_per_column, 0.01), 0.03)
    if cls is DBNRegressor:
        decay = min(0.3 / rows_per_column, 0.06)
    else:
        decay = min(max(1.0 / rows_per_column, 0.05), 0.2)
    return Adam(Schedule(rate, 0.0), decoupled_decay=round(decay, 4))


@pytest.mark.parametrize("cls", PREDICTORS)
@pytest.mark.parametrize("n_rows", [10, 60, 250, 500, 1000])
def test_adam_goes_by_the_rows_for_each_column(cls, n_rows):
    nets = [
        small(cls, optimizer=optimizer, init="he_normal", max_iter=3).fit(*rows(n_rows))
        for optimizer in ("adam", by_hand(cls, n_rows / 5))
    ]
    assert nets[0].history_ == nets[1].history_
    assert_array_equal(nets[0].coefs_[0], nets[1].coefs_[0])


@pytest.mark.parametrize("cls", PREDICTORS)
def test_adam_of_a_chunk_does_not_go_by_its_rows(cls):
    nets = [
        small(cls, optimizer=optimizer, init="he_normal", batch_size=10)
        for optimizer in ("adam", by_hand(cls, 50))
    ]
    for n_rows in (20, 900):
        for net in nets:
            net.partial_fit(*rows(n_rows))
    assert_array_equal(nets[0].coefs_[0], nets[1].coefs_[0])


@pytest.mark.parametrize("cls", ALONE)
def test_what_is_asked_for_stands(cls):
    data = rows(600)
    both = asked(cls, batch_size=np.int64(7), max_iter=np.int32(2)).fit(*data)
    assert length(both) == (7, 2)
    assert all(type(n) is int for n in length(both))
    assert length(asked(cls, max_iter=2).fit(*data)) == (20, 2)
    n_epochs = budget(cls)[0] // 20
    assert length(asked(cls, batch_size=30).fit(*data)) == (30, min(n_epochs, 100))


@pytest.mark.parametrize("cls", ALONE)
def test_parameters_and_clones_know_nothing_of_it(cls):
    fitted = asked(cls, max_iter=2).fit(X, Y)
    assert fitted.get_params()["batch_size"] == "auto"
    cloned = clone(fitted)
    assert cloned.batch_size == "auto"
    assert not hasattr(cloned, "batch_size_")
    assert not hasattr(cloned, "max_iter_")
    restored = pickle.loads(pickle.dumps(fitted))
    assert length(restored) == length(fitted) == (10, 2)


@pytest.mark.parametrize("cls", ALONE)
@pytest.mark.parametrize("word", ["automatic", 0, -1, 2.5, None])
def test_other_words_are_refused(cls, word):
    for name in AUTO:
        assert f"'{name}' parameter" in message(asked(cls, **{name: word}).fit, X, Y)


@pytest.mark.parametrize("cls", ALONE)
def test_a_new_fit_and_a_warm_start_are_as_long_as_their_rows_ask(cls):
    for warm_start in (False, True):
        fitted = asked(cls, warm_start=warm_start).fit(*rows(1200))
        first = length(fitted)
        assert length(fitted.fit(*rows(60))) != first
        assert length(fitted) == length(asked(cls).fit(*rows(60)))
        assert fitted.n_iter_ == fitted.max_iter_ + warm_start * first[1]


@pytest.mark.parametrize("cls", ALONE)
def test_the_first_chunk_decides(cls):
    chunked = asked(cls).partial_fit(*rows(1200))
    first = length(chunked)
    assert first == auto(1200, *budget(cls))
    assert length(chunked.partial_fit(*rows(60))) == first
    assert chunked.n_iter_ == 2
    same = asked(cls, batch_size=40).partial_fit(*rows(1200)).partial_fit(*rows(60))
    assert same.history_ == chunked.history_
    # What is said later stands.
    assert length(chunked.set_params(batch_size=5).partial_fit(*rows(60)))[0] == 5


@pytest.mark.parametrize("cls", ALONE)
def test_chunks_after_a_fit_are_trained_on_as_its_rows(cls):
    fitted = asked(cls, max_iter=2).fit(*rows(1200))
    assert length(fitted.partial_fit(*rows(60))) == (40, 2)


@pytest.mark.parametrize("cls", PREDICTORS)
def test_labelled_rows_count_for_a_net_and_all_for_its_machines(cls):
    data, y = rows(3000)
    y = np.where(np.arange(3000) < 600, y, -1)
    net = small(cls, **AUTO | STILL, unlabeled=-1, tol=0.0)
    net.set_params(rbm=rbm(**AUTO | STILL, n_components=4))
    net.fit(data, y)
    assert length(net) == auto(600, 3000, 20)
    n_pretrained = sum(e["phase"] == "pretrain" for e in net.history_)
    assert n_pretrained == 2 * auto(3000, 1500, 8)[1]


@pytest.mark.parametrize("cls", ALONE)
def test_rows_without_weight_do_not_count(cls):
    weight = (np.arange(1200) < 600).astype(float)
    fitted = asked(cls, max_iter=1).fit(*rows(1200), sample_weight=weight)
    assert length(fitted) == (20, 1)


def test_what_fit_refuses_leaves_the_length_as_it_was():
    fitted = asked(DBNClassifier, max_iter=2).fit(*rows(1200))
    message(fitted.fit, X, Y[:7])
    assert length(fitted) == (40, 2)


# What a fit says that was too short.


def said(estimator, *data, fit="fit"):
    """The texts of all warnings, each of which names the line that calls `fit`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(estimator, fit)(*data)
    assert {w.category for w in caught} <= {ConvergenceWarning}
    assert {w.filename for w in caught} <= {__file__}
    return [str(w.message) for w in caught]


SHORT = {"n_components": 4, "batch_size": 20, "max_iter": 2}


def test_a_machine_that_has_hardly_moved_says_so():
    (text,) = said(rbm(random_state=0, **SHORT), X)
    assert re.fullmatch(
        r"Training has hardly moved this machine in 6 updates: its weights have a "
        r"standard deviation of 0\.01\d?, as they had at the start\. Raise max_iter "
        r"or the learning rate, or lower batch_size, unless its inputs have nothing in "
        r"common\.",
        text,
    )
    learned = rbm(random_state=0, **SHORT | {"max_iter": 500})
    assert said(learned, (X > 0.5).astype(float)) == []


def test_every_layer_of_a_stack_says_so_for_itself():
    machines = [rbm(**SHORT), rbm(**SHORT | {"max_iter": 3, "batch_size": 60})]
    stack = DBNTransformer((4, 3), rbm=machines, random_state=0)
    texts = said(stack, X)
    assert ["layer 0 in 6 updates" in texts[0], "layer 1 in 3 updates" in texts[1]]
    assert len(texts) == 2
    assert all("learning rate of the RBM, or lower its batch_size" in t for t in texts)


@pytest.mark.parametrize("cls", PREDICTORS)
def test_a_net_says_so_after_its_machines(cls):
    options = {"rbm": rbm(**SHORT), "max_iter": 1, "batch_size": 7}
    first, second = said(cls((4,), random_state=0, **options), X, Y)
    assert "hardly moved layer 0 in 6 updates" in first
    assert second.startswith("Fine-tuning ended at max_iter=1 (9 updates), and the ")
    assert "Where losses fall from epoch to epoch raise max_iter" in second


@pytest.mark.parametrize("weight", [None, np.where(Y, 1.0, 0.2)])
def test_a_net_on_its_first_plateau_says_how_far_it_came(weight):
    net = small(DBNClassifier, init="he_normal", **STILL)
    (text,) = said(net, X, Y, weight)
    p = np.average(Y, weights=weight)
    constant = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    expected = (
        "Fine-tuning ended at max_iter=3 (9 updates), and the training loss is "
        f"{net.loss_curve_[-1]:.3g}, above the {constant:.3g} of a constant "
        "prediction. "
    )
    assert text.startswith(expected)


@pytest.mark.parametrize("cls", PREDICTORS)
def test_a_net_that_still_learns_says_how_much(cls):
    options = {"optimizer": Adam(0.02), "batch_size": 10, "max_iter": 20}
    net = small(cls, init="he_normal", **options)
    (text,) = said(net, X, Y)
    before, last = net.loss_curve_[-3], net.loss_curve_[-1]
    assert f"fell from {before:.3g} to {last:.3g} in the last 2 of 20 epochs" in text
    # Of a warm start its own epochs count.
    net.set_params(warm_start=True, max_iter=200, tol=0.0, batch_size=60)
    net.set_params(optimizer__learning_rate=1e-9)
    assert said(net, X, Y) == []


LABELLED = {"n_components": 4, "batch_size": 20}


@pytest.mark.parametrize("objective", ["hybrid", "discriminative"])
def test_a_machine_that_classifies_says_how_far_it_came(objective):
    machine = RBMClassifier(objective=objective, random_state=0, **LABELLED)
    (text,) = said(machine.set_params(max_iter=2, **STILL), X, Y)
    p = Y.mean()
    constant = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    assert text.startswith(
        "Training ended at max_iter=2 (6 updates), and the training loss is "
        f"{machine.loss_curve_[-1]:.3g}, not below the {constant:.3g} of a constant "
        "prediction. Raise max_iter or the learning rate of the optimizer, or lower "
    )
    assert said(machine.set_params(max_iter=500, optimizer=None), X, Y) == []
    # Of a warm start its own epochs count.
    assert said(machine.set_params(warm_start=True, max_iter=2, **STILL), X, Y) == []
    assert machine.n_iter_ == 502


def test_a_machine_of_rows_and_classes_that_has_hardly_moved_says_so():
    machine = RBMClassifier(objective="generative", random_state=0, **LABELLED)
    (text,) = said(machine.set_params(max_iter=2), X, Y)
    assert text.startswith("Training has hardly moved this machine in 6 updates: its ")


def test_a_machine_that_stops_by_itself_says_nothing():
    machine = RBMClassifier(early_stopping=True, random_state=0, **LABELLED)
    assert said(machine.set_params(max_iter=600, tol=0.5), X, Y) == []
    assert machine.n_iter_ < 600


@pytest.mark.parametrize("cls", ALONE)
def test_chunks_say_nothing(cls):
    assert said(small(cls, init="he_normal") if cls in PREDICTORS else small(cls), X, Y)
    for _ in range(2):
        assert said(small(cls), X, Y, fit="partial_fit") == []


class Stop(Callback):
    """A callback that asks to stop after the first epoch of every level."""

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch"


@pytest.mark.parametrize(
    "cls",
    [RBMTransformer, DBNTransformer, DBNClassifier, DBNRegressor, RBMClassifier],
)
def test_who_stops_a_fit_need_not_be_told(cls):
    assert said(small(cls), X, Y)
    assert said(small(cls).set_callbacks(Stop()), X, Y) == []


def test_a_net_that_stops_by_itself_says_nothing():
    options = {"init": "he_normal", "batch_size": 1, "max_iter": 80, "tol": 0.5}
    net = small(DBNClassifier, optimizer=Adam(0.02), **options)
    assert said(net, X, Y) == []
    assert net.n_iter_ < 80


@pytest.mark.parametrize("cls", [*ALONE, RBMClassifier])
def test_a_warning_that_is_an_error_leaves_a_whole_estimator(cls):
    fitted, same = small(cls), small(cls).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            fitted.fit(X, Y)
    assert fitted.history_ == same.history_
    assert_array_equal(fitted._parameters, same._parameters)
    assert vars(fitted).keys() == vars(same).keys()


DATA = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize(
    "estimator",
    [
        RBMTransformer(),
        RBMTransformer(sampler="pcd"),
        DBNTransformer((64, 32)),
        DBNClassifier(),
        DBNClassifier(init="he_normal"),
        RBMClassifier(),
        RBMClassifier(objective="discriminative"),
        RBMClassifier(objective="generative"),
        GenerativeDBNClassifier((64, 128)),
    ],
    ids=str,
)
def test_defaults_are_long_enough_for_well_known_data(estimator, name):
    data, y = DATA[name](return_X_y=True)
    data = data / 16.0 if name == "digits" else data
    assert said(clone(estimator).set_params(random_state=0), data, y) == []
