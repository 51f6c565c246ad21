"""When training has not come to an end, and schedules that end with it."""

import math

import numpy as np
import pytest

from dbn import RBM, Network
from dbn.training import SGD, Schedule, finetune, train_rbm
from dbn.training.budget import Budget
from dbn.training.convergence import of_losses, of_machine

X = np.random.default_rng(0).integers(0, 2, (60, 8)).astype(float)


@pytest.mark.parametrize(
    "n_rows, length",
    [
        (1, (10, 100)),
        (100, (10, 100)),
        (150, (10, 67)),
        (300, (10, 34)),
        (301, (11, 36)),
        (1000, (34, 34)),
        (5000, (100, 20)),
        (60_000, (100, 10)),
    ],
)
def test_few_rows_get_updates_and_many_rows_epochs(n_rows, length):
    assert Budget(1000, 10).resolved(n_rows, "auto", "auto") == length


def test_what_somebody_says_is_taken():
    assert Budget(1000, 10).resolved(1000, 50, "auto") == (50, 50)
    assert Budget(1000, 10).resolved(100, 50, "auto") == (50, 100)
    assert Budget(1000, 10).resolved(100, "auto", 3) == (10, 3)


def trained(rate, *calls):
    """A machine after several calls of training, and what it remembers."""
    rbm, state, rng = RBM(8, 4), {}, np.random.default_rng(0)
    options = {"rng": rng, "state": state, "batch_size": 20}
    for n_epochs in calls:
        optimizer = SGD(rate, momentum=0.0)
        train_rbm(rbm, X, optimizer=optimizer, max_iter=n_epochs, **options)
    return rbm.params.flat


def test_a_schedule_without_end_falls_over_the_training():
    open_one, closed = Schedule(0.5, 0.0), Schedule(0.5, 0.0, epochs=6)
    np.testing.assert_array_equal(trained(open_one, 6), trained(closed, 6))


def test_it_begins_anew_with_the_next_training():
    steps = [(e, 0.5 * (1 - (e % 4) / 4)) for e in range(8)]
    np.testing.assert_array_equal(
        trained(Schedule(0.5, 0.0), 4, 4), trained(tuple(steps), 8)
    )


def test_it_goes_on_where_a_training_was_interrupted():
    """Three epochs of six, and then the three that were left."""
    rbm, state, rng = RBM(8, 4), {}, np.random.default_rng(0)
    options = {"rng": rng, "state": state, "batch_size": 20}
    optimizer = SGD(Schedule(0.5, 0.0), momentum=0.0)

    class Stop(Exception):
        pass

    class Task:
        def steps(self, items, name, n_subtasks=0):
            for item in items:
                if item == 3:
                    raise Stop
                yield item, self

    with pytest.raises(Stop):
        train_rbm(rbm, X, optimizer=optimizer, max_iter=6, task=Task(), **options)
    train_rbm(rbm, X, optimizer=optimizer, max_iter=3, **options)
    np.testing.assert_array_equal(rbm.params.flat, trained(Schedule(0.5, 0.0), 6))


def test_single_epochs_have_no_end():
    np.testing.assert_array_equal(
        trained(Schedule(0.5, 0.0), 1, 1, 1), trained(0.5, 1, 1, 1)
    )


@pytest.mark.parametrize(
    "losses, words",
    [
        ([0.69, 0.3, 0.2, 0.199], None),
        ([0.69], "hardly below the 0.69"),
        ([0.5], None),
        ([0.69, 0.69, 0.685], "hardly below the 0.69 of a constant prediction. Raise"),
        ([0.7, 0.71], "0.71, not below the 0.69 of a constant prediction. Raise max"),
        ([900.0, 4e9], "4e+09, above the 0.69 of a constant prediction. Where loss"),
        ([0.6, 0.5, 0.4], "fell from 0.5 to 0.4 in the last 1 of 3 epochs"),
        ([0.6] * 18 + [0.5, 0.45], "from 0.6 to 0.45 in the last 2 of 20 epochs"),
        ([0.001, 0.0008, 0.0005], None),  # small beside that of a constant
    ],
)
def test_losses_tell_whether_a_net_is_done(losses, words):
    found = of_losses(losses, constant=0.69)
    assert found is None if words is None else words in found


def test_a_machine_that_hardly_moved_is_found_out():
    # Two columns that agree are something to learn.
    rows = np.repeat([[1.0, 1.0], [0.0, 0.0]], 50, axis=0)
    for n_epochs, silent in ((1, False), (200, True)):
        rbm = RBM(2, 4)
        train_rbm(rbm, rows, rng=np.random.default_rng(0), max_iter=n_epochs)
        assert (of_machine(rbm) is None) is silent


def fitted(losses, patience=2, rows=X, **options):
    """Epochs that are run when validation rows give these losses."""
    metrics = iter([{"validation_loss": loss} for loss in losses])
    net, history = Network([8, 2]), []
    y = np.eye(2)[np.arange(60) % 2]
    asked = {"patience": patience, "validate": lambda: next(metrics)}
    asked |= {"watch": "validation_loss"}
    asked |= {"batch_size": 1, "max_iter": len(losses), "history": history}
    finetune(net, rows, y, rng=np.random.default_rng(0), **asked, **options)
    return [e["validation_loss"] for e in history]


def test_patience_counts_updates_as_well_as_epochs():
    """60 updates an epoch: two epochs are not enough, nine are."""
    losses = [0.5, 0.4] + [0.4] * 20
    assert len(fitted(losses)) == 2 + math.ceil(500 / 60)
    assert len(fitted(losses, patience=12)) == 2 + 12


def test_nothing_stops_on_the_first_plateau():
    """Of a constant prediction the loss is log 2 here, of these rows it stays so."""
    plateau, rows = [0.69] * 30, np.zeros_like(X)
    assert len(fitted(plateau, rows=rows)) == 30
    losses = plateau[:20] + [0.4] * 20
    assert len(fitted(losses, rows=rows)) == 20 + 1 + math.ceil(500 / 60)


def test_rows_that_are_not_trained_on_may_stay_on_it():
    """Once the training loss has left the plateau nothing is to be waited for."""
    assert len(fitted([0.69] * 60)) < 60


def test_the_epoch_with_the_least_validation_loss_remains():
    net, seen = Network([8, 2]), []
    losses = iter([0.5, 0.3, 0.4, 0.45])

    def validate():
        seen.append(net.params.flat.copy())
        return {"validation_loss": next(losses)}

    y = np.eye(2)[np.arange(60) % 2]
    asked = {"patience": 5, "validate": validate, "max_iter": 4}
    asked |= {"watch": "validation_loss"}
    finetune(net, X, y, rng=np.random.default_rng(0), **asked)
    np.testing.assert_array_equal(net.params.flat, seen[1])


def test_without_validation_rows_the_training_loss_counts():
    """Rows that cannot be told apart: nothing is gained after a while."""
    history, y = [], np.eye(2)[(np.arange(60) < 6).astype(int)]
    asked = {"patience": 2, "batch_size": 60, "max_iter": 5000, "history": history}
    net = finetune(
        Network([8, 2]), X, y, rng=np.random.default_rng(0), tol=1e-3, **asked
    )
    assert 500 <= len(history) < 5000
    assert net.params.flat.any()
