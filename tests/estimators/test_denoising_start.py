"""What can be seen of denoising autoencoders while they start a net."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from dbn import DBNAutoencoder, DBNClassifier
from dbn.training import SGD, DenoisingStack, RBMMonitor
from tests.helpers import Callback

from .test_streaming import WHOLE, Watch, files_without_name
from .toy import REAL, X, Y, message, small

SHORT = DenoisingStack(batch_size=20, max_iter=2)


def auto(init=SHORT, **params):
    return DBNAutoencoder(
        (4, 3), init=init, batch_size=20, max_iter=2, random_state=0, **params
    )


class Tasks(Callback):
    """Writes down every task that ends, and acts after one epoch of layer 1."""

    def __init__(self, act=lambda: False):
        self.act, self.seen = act, []

    def on_fit_task_end(self, estimator, context):
        self.seen.append((context.task_name, context.max_subtasks))
        parent = context.parent and (context.parent.task_name, context.parent.task_id)
        return parent == ("layer", 1) and context.task_id == 0 and self.act()


def test_layers_and_epochs_are_tasks():
    callback = Tasks()
    auto().set_callbacks(callback).fit(X)
    layer = [("epoch", 0), ("epoch", 0), ("layer", 2)]
    finetuning = [("epoch", 0), ("epoch", 0), ("finetune", 2)]
    assert callback.seen == [*layer, *layer, ("pretrain", 2), *finetuning, ("fit", 2)]


def test_verbose_shows_a_bar_for_each_layer(capsys):
    auto(verbose=1).fit(X)
    shown = capsys.readouterr().err
    for name in ("layer 0", "layer 1", "finetune"):
        assert f"DBNAutoencoder {name}: 100%" in shown


def test_a_monitor_of_machines_passes_over_it():
    model = auto().set_callbacks(RBMMonitor(X)).fit(X)
    assert {*model.history_[0]} == {"phase", "layer", "epoch", "loss"}
    assert model.history_ == auto().fit(X).history_


def test_a_callback_may_end_a_layer():
    model = auto().set_callbacks(Tasks(lambda: True)).fit(X)
    layers = [entry["layer"] for entry in model.history_ if "layer" in entry]
    assert layers == [0, 0, 1]
    assert model.n_iter_ == 2


def test_before_fine_tuning_an_interrupted_fit_is_none():
    def interrupt():
        raise KeyboardInterrupt

    model = auto().set_callbacks(Tasks(interrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    with pytest.raises(NotFittedError):
        model.transform(X)
    assert not {"_stack", "_kept"} & {*vars(model)}


def test_what_is_refused_leaves_the_model_before():
    model = auto().fit(X)
    codes = model.transform(X)
    assert "noise" in message(model.set_params(init=DenoisingStack(2.0)).fit, X)
    assert_array_equal(model.transform(X), codes)


def test_a_divergence_names_the_layer():
    init = DenoisingStack(optimizer=SGD(1e300), batch_size=20, max_iter=2)
    with pytest.raises(FloatingPointError, match="Layer 0 diverged"):
        auto(init, activation="identity").fit(REAL)


@pytest.mark.parametrize("n_more", [1, 3])
def test_training_that_goes_on_pretrains_once(n_more):
    model = auto(warm_start=True).fit(X)
    for _ in range(n_more):
        model.fit(X)
    assert sum(entry["phase"] == "pretrain" for entry in model.history_) == 4
    assert model.n_iter_ == 2 * (1 + n_more)
    chunks = auto().partial_fit(X).partial_fit(X)
    assert sum(entry["phase"] == "pretrain" for entry in chunks.history_) == 4
    assert chunks.n_iter_ == 2


def test_hidden_rows_keep_to_the_budget():
    watch, before = Watch(), files_without_name()
    init = DenoisingStack(batch_size=20, max_iter=1, memory_budget=0)
    model = auto(init).set_callbacks(watch).fit(WHOLE)
    assert [n - before for n in watch.maps] == [0, 1, 0, 0]
    assert files_without_name() == before
    whole = auto(DenoisingStack(batch_size=20, max_iter=1)).fit(WHOLE)
    assert_array_equal(model.transform(WHOLE), whole.transform(WHOLE))


def test_the_budget_is_checked():
    text = message(auto(DenoisingStack(memory_budget=-1)).fit, X)
    assert "memory_budget must be an integer" in text
    assert "-1" in text


def test_a_classifier_with_weights_and_holes():
    rows = np.where(X < 0.1, np.nan, X)
    net = small(DBNClassifier, init=SHORT, rbm=None, max_iter=2)
    assert np.isfinite(net.fit(rows, Y, 1.0 + Y).predict_proba(rows)).all()
