"""Progress, scoring and stopping through scikit-learn's callbacks; `verbose`."""

import re
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from tqdm.auto import tqdm

from dbn import DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer
from dbn.boltzmann import CD
from dbn.training import SGD, Checkpoint, DenoisingStack, TqdmBars

from .toy import ALL, PREDICTORS, REAL, X, Y, output, rbm, small


class Recorder:
    """Writes down what it is called with; stops or raises where it is told to.

    A task is written as its path, for example "fit/pretrain/layer 0/epoch 1".
    """

    def __init__(self, stop=None, fail=None):
        self.stop, self.fail = stop, fail
        self.calls, self.ends, self.sizes = [], {}, {}

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self.calls.append(f"begin {self.path(context)}")
        self.sizes[self.path(context)] = context.max_subtasks

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        path = self.path(context)
        history = getattr(estimator, "history_", [])  # a grid search has none
        self.calls.append(f"end {path}")
        self.ends[path] = {
            "X": X,
            "y": y,
            "metadata": metadata,
            "fitted": fitted_estimator,
            "history": list(history),
            "output": None if fitted_estimator is None else output(fitted_estimator, X),
        }
        if path == self.fail:
            raise RuntimeError("the callback failed")
        return path == self.stop

    def path(self, context):
        name = context.task_name
        if name in ("layer", "epoch"):
            name = f"{name} {context.task_id}"
        parent = context.parent
        return name if parent is None else f"{self.path(parent)}/{name}"


def epochs(path, n):
    """The tasks of a run of epochs and the run's own."""
    tasks = [f"{path}/epoch {i}" for i in range(n)]
    return [f"begin {path}", *(f"{w} {t}" for t in tasks for w in ("begin", "end"))] + [
        f"end {path}"
    ]


def recorded(cls, *, stop=None, fail=None, **params):
    recorder = Recorder(stop, fail)
    fitted = small(cls, **params).set_callbacks(recorder).fit(X, Y)
    return recorder, fitted


# The tree of tasks


def test_tree_of_an_rbm():
    recorder, _ = recorded(RBMTransformer)
    assert recorder.calls == ["setup", *epochs("fit", 2), "teardown"]
    assert recorder.sizes == {"fit": 2, "fit/epoch 0": 0, "fit/epoch 1": 0}


def test_tree_of_a_stack():
    recorder, _ = recorded(DBNTransformer, rbm=[rbm(max_iter=1), rbm(max_iter=3)])
    layers = epochs("fit/layer 0", 1) + epochs("fit/layer 1", 3)
    assert recorder.calls == ["setup", "begin fit", *layers, "end fit", "teardown"]
    assert recorder.sizes["fit"] == 2
    assert recorder.sizes["fit/layer 1"] == 3


@pytest.mark.parametrize("cls", PREDICTORS)
def test_tree_of_a_predictor(cls):
    recorder, _ = recorded(cls)
    layers = [call for i in range(2) for call in epochs(f"fit/pretrain/layer {i}", 2)]
    pretrain = ["begin fit/pretrain", *layers, "end fit/pretrain"]
    tasks = ["begin fit", *pretrain, *epochs("fit/finetune", 3), "end fit"]
    assert recorder.calls == ["setup", *tasks, "teardown"]
    counts = ("fit", "fit/pretrain", "fit/pretrain/layer 1", "fit/finetune")
    assert [recorder.sizes[name] for name in counts] == [2, 2, 2, 3]


@pytest.mark.parametrize("cls", PREDICTORS)
def test_a_random_init_has_no_pretraining_task(cls):
    recorder, _ = recorded(cls, init="zeros")
    tasks = ["begin fit", *epochs("fit/finetune", 3), "end fit"]
    assert recorder.calls == ["setup", *tasks, "teardown"]
    assert recorder.sizes["fit"] == 1


@pytest.mark.parametrize("cls", ALL)
def test_hooks_get_the_users_own_data(cls):
    recorder, weight = Recorder(), [1.0] * len(REAL)
    small(cls).set_callbacks(recorder).fit(REAL, Y, sample_weight=weight)
    for end in recorder.ends.values():
        assert end["X"] is REAL
        assert end["y"] is Y
        assert end["metadata"] == {"sample_weight": weight}


@pytest.mark.parametrize("cls", ALL)
def test_the_history_has_the_epoch_before_its_end_hook_runs(cls):
    recorder, fitted = recorded(cls)
    seen = [end for path, end in recorder.ends.items() if "epoch" in path]
    for i, end in enumerate(seen, start=1):
        assert end["history"] == fitted.history_[:i]
    assert len(seen) == len(fitted.history_)


def test_callbacks_do_not_change_the_result():
    for cls in ALL:
        _, fitted = recorded(cls, stop="nowhere")
        assert_array_equal(output(fitted, X), output(small(cls).fit(X, Y), X))


# The estimator that a hook gets


@pytest.mark.parametrize("cls", PREDICTORS)
def test_hooks_get_a_predictor_from_fine_tuning_on(cls):
    recorder, fitted = recorded(cls)
    for path, end in recorder.ends.items():
        assert (end["fitted"] is None) == ("pretrain" in path)
    assert_array_equal(recorder.ends["fit"]["output"], output(fitted, X))


@pytest.mark.parametrize("cls", [RBMTransformer, *PREDICTORS])
def test_what_a_hook_gets_is_a_snapshot(cls):
    recorder, fitted = recorded(cls)
    run = "fit" if cls is RBMTransformer else "fit/finetune"
    first = recorder.ends[f"{run}/epoch 0"]
    assert_array_equal(output(first["fitted"], X), first["output"])
    assert np.abs(first["output"] - output(fitted, X)).max() > 1e-6
    assert first["fitted"].history_ == first["history"]


def test_a_stack_is_handed_over_when_it_is_complete():
    recorder, fitted = recorded(DBNTransformer)
    complete = [path for path, end in recorder.ends.items() if end["fitted"]]
    assert complete == ["fit"]
    assert_array_equal(recorder.ends["fit"]["output"], fitted.transform(X))


def test_no_copy_is_made_when_no_hook_asks(monkeypatch):
    class Silent(TqdmBars):
        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            pass

    def snapshot(self):
        raise AssertionError("copied for nothing")

    monkeypatch.setattr(DBNClassifier, "_snapshot", snapshot)
    small(DBNClassifier).set_callbacks(Silent()).fit(X, Y)


# Stopping


def test_an_rbm_stops_after_an_epoch():
    plain = {"optimizer": SGD(0.1)}
    recorder, fitted = recorded(RBMTransformer, max_iter=5, stop="fit/epoch 1", **plain)
    assert fitted.n_iter_ == 2
    same = small(RBMTransformer, max_iter=2, **plain).fit(X)
    assert_array_equal(fitted.transform(X), same.transform(X))
    assert recorder.calls[-2:] == ["end fit", "teardown"]


def test_stopping_an_epoch_ends_its_layer_only():
    _, fitted = recorded(DBNTransformer, stop="fit/layer 0/epoch 0")
    assert fitted.n_iter_ == [1, 2]


def is_untrained(machine):
    """Weights N(0, 0.01^2) and hidden biases of zero, as `RBM.initialize` gives."""
    return not machine.c.any() and 0.0 < np.abs(machine.W).max() < 0.05


def test_stopping_a_layer_leaves_those_above_untrained_but_usable():
    params = {"hidden_layer_sizes": (4, 3, 2), "rbm": rbm(max_iter=3)}
    recorder, fitted = recorded(DBNTransformer, stop="fit/layer 0", **params)
    assert fitted.n_iter_ == [3, 0, 0]
    assert [is_untrained(m) for m in fitted.dbn_.rbms] == [False, True, True]
    assert not [call for call in recorder.calls if "layer 1" in call]
    assert fitted.transform(X).shape == (len(X), 2)


@pytest.mark.parametrize("cls", PREDICTORS)
def test_stopping_while_pretraining_goes_on_to_fine_tuning(cls):
    _, fitted = recorded(cls, stop="fit/pretrain/layer 0")
    assert {e.get("layer") for e in fitted.history_} == {0, None}
    assert fitted.n_iter_ == 3
    assert np.isfinite(output(fitted, X)).all()


@pytest.mark.parametrize("cls", PREDICTORS)
def test_stopping_fine_tuning(cls):
    _, fitted = recorded(cls, stop="fit/finetune/epoch 0")
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 1
    assert_array_equal(output(fitted, X), output(small(cls, max_iter=1).fit(X, Y), X))


# When fit fails


@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.parametrize("cls", ALL)
def test_callbacks_are_torn_down_and_kept_when_one_of_them_fails(cls, verbose):
    run = {RBMTransformer: "fit", DBNTransformer: "fit/layer 1"}.get(
        cls, "fit/finetune"
    )
    recorder = Recorder(fail=f"{run}/epoch 1")
    estimator = small(cls, verbose=verbose).set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="the callback failed"):
        estimator.fit(X, Y)
    assert recorder.calls.count("setup") == recorder.calls.count("teardown") == 1
    assert f"end {run}" not in recorder.calls
    assert estimator._skl_callbacks == [recorder]
    assert not hasattr(estimator, "_callback_fit_ctx")
    assert not [*tqdm._instances]
    recorder.fail = None
    estimator.fit(X, Y)  # and nothing is in the way of another fit


def test_callbacks_are_torn_down_when_training_diverges():
    recorder = Recorder()
    rbm = small(RBMTransformer, optimizer=SGD(1e300), verbose=1)
    with pytest.raises(FloatingPointError):
        rbm.set_callbacks(recorder).fit(X.astype(np.float32))
    assert recorder.calls[-1] == "teardown"
    assert rbm._skl_callbacks == [recorder]


@pytest.mark.parametrize("cls", ALL)
def test_bad_input_fails_before_any_callback_is_started(cls):
    recorder = Recorder()
    with pytest.raises(ValueError, match="2 columns without any value"):
        small(cls).set_callbacks(recorder).fit(np.full((60, 2), np.nan), Y)
    assert recorder.calls == []


@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": SGD(-1.0)},
        {"rbm": rbm(optimizer=SGD(momentum=2.0))},
        {"rbm": [rbm(), rbm(sampler=CD(k=0))]},
        {"init": "dbn", "activation": "relu"},
    ],
)
def test_bad_parts_fail_before_anything_is_trained(params):
    recorder = Recorder()
    with pytest.raises(ValueError):
        small(DBNClassifier, **params).set_callbacks(recorder).fit(X, Y)
    assert not [call for call in recorder.calls if "end" in call]


# scikit-learn's own callbacks


@pytest.mark.parametrize("cls", ALL)
def test_progress_bar(cls, capsys):
    small(cls).set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
    shown = capsys.readouterr().out
    assert f"{cls.__name__} - fit" in shown
    for name in {RBMTransformer: ["fit"], DBNTransformer: ["layer #1"]}.get(
        cls, ["pretrain #0", "layer #1", "finetune #1"]
    ):
        assert name in shown


@pytest.mark.parametrize(
    ("cls", "scoring"), [(DBNClassifier, "neg_log_loss"), (DBNRegressor, "r2")]
)
def test_scoring_monitor(cls, scoring):
    monitor = ScoringMonitor(scoring=scoring)
    fitted = small(cls).set_callbacks(monitor).fit(X, Y)
    scores = {}
    for row in monitor.get_logs().data:
        scores.setdefault(row["task_name"], []).append(row[scoring])
    assert {name: len(values) for name, values in scores.items()} == {
        "epoch": 3,
        "finetune": 1,
        "fit": 1,
    }
    assert len({*scores["epoch"]}) == 3  # a score of that epoch's net
    assert scores["epoch"][-1] == scores["fit"][0]
    assert scores["fit"][0] == get_scorer(scoring)(fitted, X, Y)


@pytest.mark.parametrize("cls", [RBMTransformer, DBNTransformer])
def test_scoring_monitor_on_transformers(cls):
    def spread(estimator, X, y):
        return float(estimator.transform(X).std())

    monitor = ScoringMonitor(scoring={"spread": spread})
    fitted = small(cls).set_callbacks(monitor).fit(X, Y)
    scores = [row["spread"] for row in monitor.get_logs().data]
    assert len(scores) == (3 if cls is RBMTransformer else 1)
    assert spread(fitted, X, Y) in scores


def test_callbacks_nest_under_a_grid_search(capsys):
    recorder = Recorder()
    recorder.max_propagation_depth = None
    search = GridSearchCV(small(DBNClassifier), {"init": ["dbn", "zeros"]}, cv=2)
    search.set_callbacks(recorder, ProgressBar(max_propagation_depth=None)).fit(X, Y)
    assert recorder.calls.count("setup") == recorder.calls.count("teardown") == 1
    fine_tuned = [c for c in recorder.calls if c.endswith("/finetune/epoch 2")]
    refit = search.best_params_["init"]
    assert len(fine_tuned) == 2 * (2 * 2 + 1)  # begin and end; candidates, folds, refit
    pretrained = [c for c in recorder.calls if c.endswith("/layer 1/epoch 1")]
    assert len(pretrained) == 2 * (2 + (refit == "dbn"))
    shown = capsys.readouterr().out
    assert "DBNClassifier - fit" in shown
    assert "finetune" in shown


def test_callbacks_nest_in_a_pipeline(capsys):
    bar = ProgressBar(max_propagation_depth=None)
    pipeline = make_pipeline(small(DBNTransformer), LogisticRegression())
    pipeline.set_callbacks(bar).fit(X, Y)
    assert "layer #1" in capsys.readouterr().out
    monitor = ScoringMonitor(scoring="accuracy")
    last = small(DBNClassifier).set_callbacks(monitor)
    make_pipeline(small(RBMTransformer), last).fit(X, Y)
    assert len(monitor.get_logs().data) == 5


# verbose


@pytest.mark.parametrize("cls", ALL)
def test_silent_by_default(cls, capfd):
    small(cls).fit(X, Y)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("cls", "names", "metrics"),
    [
        (RBMTransformer, ["fit"], {"reconstruction_error"}),
        (DBNTransformer, ["layer 0", "layer 1"], {"reconstruction_error"}),
        (
            DBNClassifier,
            ["layer 0", "layer 1", "finetune"],
            {"reconstruction_error", "loss"},
        ),
        (DBNRegressor, ["finetune"], {"reconstruction_error", "loss"}),
    ],
)
def test_verbose_shows_bars_with_metrics_on_stderr(cls, names, metrics, capsys):
    estimator = small(cls, verbose=1)
    fitted = estimator.fit(X, Y)
    out, err = capsys.readouterr()
    assert out == ""
    for name in names:
        assert f"{cls.__name__} {name}: 100%" in err
    for metric in metrics:
        value = next(e[metric] for e in reversed(fitted.history_) if metric in e)
        assert f"{metric}={tqdm.format_num(value)}" in err
    assert not hasattr(estimator, "_skl_callbacks")
    assert not [*tqdm._instances]


@pytest.mark.parametrize(
    ("cls", "params", "stopped_in"),
    [
        (RBMTransformer, {}, "fit"),
        (DBNTransformer, {}, "fit/layer 1"),
        (DBNClassifier, {}, "fit/pretrain/layer 1"),
        (DBNClassifier, {"init": DenoisingStack(max_iter=2)}, "fit/pretrain/layer 1"),
        (DBNClassifier, {}, "fit/finetune"),
    ],
)
def test_bars_of_a_resumed_fit_begin_where_it_goes_on(
    cls, params, stopped_in, tmp_path, capsys
):
    recorder = Recorder(fail=f"{stopped_in}/epoch 0")
    with pytest.raises(RuntimeError):
        small(cls, **params).set_callbacks(Checkpoint(tmp_path), recorder).fit(X, Y)
    n_all, name = recorder.sizes[stopped_in], stopped_in.split("/")[-1]
    again = small(cls, verbose=1, **params)
    again.set_callbacks(Checkpoint(tmp_path, resume=True)).fit(X, Y)
    err = capsys.readouterr().err
    first = err.strip().splitlines()[0]
    assert re.match(rf"{cls.__name__} {name}: +\d+%\|[^|]*\| 1/{n_all} ", first)
    assert re.search(rf" {name}: 100%\|[^|]*\| {n_all}/{n_all} ", err)


def test_bars_of_a_warm_start_count_its_own_epochs(capsys):
    estimator = small(RBMTransformer, warm_start=True, optimizer=SGD(0.1)).fit(X)
    n_epochs = estimator.max_iter_
    estimator.set_params(verbose=1).fit(X)
    err = capsys.readouterr().err
    assert f"| 0/{n_epochs} " in err and f"| {n_epochs}/{n_epochs} " in err


# A notebook as tqdm sees it: a kernel of IPython, with or without ipywidgets.
NOTEBOOK = """
import sys, types
kernel = types.SimpleNamespace(config={"IPKernelApp": {}})
IPython = types.ModuleType("IPython")
IPython.get_ipython = lambda: kernel
IPython.version_info = (8, 0)
shell = types.ModuleType("ipykernel.zmqshell")
sys.modules.update({"IPython": IPython, "IPython.html": None, "ipywidgets": None})
sys.modules["ipykernel.zmqshell"] = shell
import dbn, dbn.evaluation
assert "tqdm.auto" not in sys.modules and "tqdm.notebook" not in sys.modules
from dbn import RBMTransformer
X = [[0.0, 1.0], [1.0, 0.0]]
rbm = RBMTransformer(2, random_state=0).fit(X)
assert "tqdm.auto" not in sys.modules
rbm.set_params(verbose=1).fit(X)
assert "tqdm.notebook" in sys.modules
"""


def test_a_notebook_without_widgets_has_bars_of_text_and_no_warning():
    command = [sys.executable, "-W", "error", "-c", NOTEBOOK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "RBMTransformer fit: 100%" in done.stderr
    assert "IProgress" not in done.stderr + done.stdout


def test_verbose_keeps_the_users_callbacks(capsys):
    recorder, fitted = recorded(RBMTransformer, verbose=1)
    assert "RBMTransformer fit" in capsys.readouterr().err
    assert fitted._skl_callbacks == [recorder]
    assert recorder.calls.count("end fit") == 1


def test_verbose_stays_away_from_the_users_progress_bar(capsys):
    small(RBMTransformer, verbose=1).set_callbacks(ProgressBar()).fit(X)
    out, err = capsys.readouterr()
    assert "RBMTransformer - fit" in out
    assert err == ""


def test_verbose_stays_away_from_the_users_tqdm_bars(capsys):
    fits = []
    for verbose in (0, 1):
        bars = TqdmBars()
        small(RBMTransformer, verbose=verbose).set_callbacks(bars).fit(X)
        fits.append(capsys.readouterr().err.count("100%"))
    assert fits[0] == fits[1] > 0


def test_verbose_under_a_grid_search_and_after_a_stop(capsys):
    estimator = small(DBNClassifier, verbose=1)
    search = GridSearchCV(estimator, {"max_iter": [1, 2]}, cv=2).fit(X, Y)
    assert capsys.readouterr().err.count("DBNClassifier finetune: 100%") >= 5
    assert not hasattr(search.best_estimator_, "_skl_callbacks")
    recorded(DBNClassifier, verbose=1, stop="fit/pretrain/layer 0/epoch 0")
    assert "layer 0:  50%" in capsys.readouterr().err
    assert not [*tqdm._instances]
