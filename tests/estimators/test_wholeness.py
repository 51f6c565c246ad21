"""An estimator is whole: the model before a fit, or what the fit made, or no model.

Whatever a fit dies of, and whenever: net, classes, scales and history of what is left
belong to one fit.
"""

import sys
from collections import defaultdict
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

import dbn
from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
)
from dbn.boltzmann import CD, PCD, Softmax
from dbn.training import SGD, UpDown

from .toy import PREDICTORS, rbm
from .whole import ANEW, BEFORE, SCENES, is_fitted, outputs, tiny

ERRORS = [KeyboardInterrupt, MemoryError]


def state_after(scene, estimator, error, path, within=None):
    """What the estimator is after a fit that raises, or what is wrong with it."""
    with suppress(error), within or nullcontext():
        scene.run(estimator)
    try:
        state = scene.state_of(estimator.set_callbacks(), path)
        scene.check_next_fit(estimator, state)
    except Exception as problem:
        return f"{error.__name__}, then {type(problem).__name__}: {problem}"
    return state


def mixtures(states):
    """Lines with the moments after which there is no old, no new, nor no model."""
    whole = {"old", "new", "not fitted"}
    return as_lines({m: state for m, state in states.items() if state not in whole})


def as_lines(states):
    return "".join(f"\n{moment}: {state}" for moment, state in states.items())


# Callbacks


class Breaking:
    """Raises an error when a hook is called for the n-th time; counts the calls."""

    def __init__(self, at=None, error=None):
        self.at, self.error, self.calls = at, error, []

    def _call(self, name):
        self.calls.append(name)
        if len(self.calls) - 1 == self.at:
            raise self.error

    def setup(self, estimator, context):
        self._call("setup")

    def on_fit_task_begin(self, estimator, context):
        self._call(f"begin of {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self._call(f"end of {context.task_name}")

    def teardown(self, estimator, context):
        self._call("teardown")


WITH_CALLBACKS = [scene for scene in SCENES if scene.call != "partial_fit"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("scene", WITH_CALLBACKS, ids=str)
def test_after_an_error_in_a_callback(scene, error, tmp_path):
    counting = Breaking()
    scene.run(scene.estimator().set_callbacks(counting))
    states = {}
    for at, name in enumerate(counting.calls):
        estimator = scene.estimator().set_callbacks(Breaking(at, error))
        states[at, name] = state_after(scene, estimator, error, tmp_path / "m.dbn")
    assert mixtures(states) == ""
    assert states[len(states) - 1, "teardown"] == "new"


class Watching:
    """Writes down what an estimator that calls itself fitted cannot do."""

    def __init__(self, scene):
        self.scene, self.wrong = scene, []

    def _look(self, estimator, name):
        try:
            if is_fitted(estimator):
                self._use(estimator)
        except Exception as error:
            self.wrong.append(f"{name}: {type(error).__name__}: {error}")

    def _use(self, estimator):
        old = estimator.n_features_in_ == self.scene.rows_before.shape[1]
        data = (BEFORE if old else ANEW)[self.scene.cls]
        first, *rest = outputs(estimator, data[0])
        if self.scene.cls is DBNClassifier:
            assert set(first) <= set(data[1]), set(first)
            rest = [rest[0]]
        for values in rest:
            assert np.isfinite(values).all()

    def setup(self, estimator, context):
        self._look(estimator, "setup")

    def on_fit_task_begin(self, estimator, context):
        self._look(estimator, f"begin of {context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self._look(estimator, f"end of {context.task_name}")

    def teardown(self, estimator, context):
        self._look(estimator, "teardown")


@pytest.mark.parametrize("scene", WITH_CALLBACKS, ids=str)
def test_in_a_callback_what_calls_itself_fitted_is(scene):
    watching = Watching(scene)
    scene.run(scene.estimator().set_callbacks(watching))
    assert watching.wrong == []


# Any line

PACKAGE = str(Path(dbn.__file__).parent)
# A trace can raise where a lock is about to be released, and no signal can: it would be
# held for ever. This file has tests of its own, at the places where signals arrive.
SPARED = str(Path(PACKAGE, "backend", "threads.py"))
N_MOMENTS = 18  # of each scene, half of them in estimators/


class Lines:
    """Context that counts lines of the package; raises an error at the n-th."""

    def __init__(self, at=None, error=None):
        self.at, self.error, self.n, self.seen = at, error, 0, defaultdict(list)

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self._enter_function)

    def __exit__(self, *raised):
        sys.settrace(self.before)

    def _enter_function(self, frame, event, arg):
        file = frame.f_code.co_filename
        return self._step if file.startswith(PACKAGE) and file != SPARED else None

    def _step(self, frame, event, arg):
        if event == "line":
            if self.at is None:
                place = frame.f_code.co_filename[len(PACKAGE) + 1 :], frame.f_lineno
                self.seen[place].append(self.n)
            elif self.n == self.at:
                self.at = -1
                raise self.error
            self.n += 1
        return self._step


def moments(scene):
    """Line -> one of the times when it runs, for random lines of the fit."""
    counting, estimator = Lines(), scene.estimator()
    with counting:
        scene.run(estimator)
    rng = np.random.default_rng(SCENES.index(scene))
    inside = [p for p in counting.seen if p[0].startswith("estimators")]
    chosen = set()
    for places in (inside, [*counting.seen]):
        picked = rng.choice(len(places), N_MOMENTS // 2, replace=False)
        chosen |= {places[i] for i in picked}
    return {place: int(rng.choice(counting.seen[place])) for place in sorted(chosen)}


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_after_an_error_in_any_line(scene, tmp_path):
    found = moments(scene)
    assert len(found) > N_MOMENTS // 2
    states = {}
    for i, (place, at) in enumerate(found.items()):
        error = ERRORS[i % 2]
        within, path = Lines(at, error), tmp_path / "m.dbn"
        states[place] = state_after(scene, scene.estimator(), error, path, within)
    assert mixtures(states) == ""


# What fit refuses


def with_cell(X, value):
    """The rows with another value in one cell."""
    X = X.copy()
    X.iloc[3, 2] = value
    return X


X_NEW, LABELS = ANEW[DBNClassifier]
_, VALUES = ANEW[DBNRegressor]
N = len(X_NEW)
LAYERS = [(np.eye(7)[:, :3], np.zeros(3)), (np.eye(3), np.zeros(3))]


def frozen(X):
    return FrozenEstimator(tiny(DBNTransformer).fit(X))


# What is wrong -> what to change: rows, arguments of fit, or parameters.
BAD_ROWS = {
    "no rows": {"X": X_NEW[:0]},
    "no columns": {"X": X_NEW.iloc[:, :0]},
    "a column of NaN": {"X": X_NEW.assign(**{X_NEW.columns[0]: np.nan})},
    "infinity": {"X": with_cell(X_NEW, np.inf)},
    "words": {"X": X_NEW.astype(object).replace(X_NEW.iloc[0, 0], "a word")},
    "one dimension": {"X": X_NEW.to_numpy()[:, 0]},
    "three dimensions": {"X": X_NEW.to_numpy()[:, :, None]},
    "complex numbers": {"X": X_NEW.to_numpy() * 1j},
    "sparse": {"X": csr_array(X_NEW.to_numpy())},
    "weights missing": {"sample_weight": np.ones(N - 1)},
    "weights negative": {"sample_weight": np.linspace(-1.0, 1.0, N)},
    "weights NaN": {"sample_weight": np.full(N, np.nan)},
    "weights zero": {"sample_weight": np.zeros(N)},
    "no such device": {"device": "nowhere"},
    "wrong type": {"verbose": "loud"},
}
BAD_MACHINE = {
    "range": {"visible": "bernoulli"},
    "negative": {"visible": "relu", "X": X_NEW - 1e6},
    "groups": {"visible": Softmax(2)},
    "no rate": {"optimizer": SGD(-1.0)},
    "search": {"optimizer": "lbfgs"},
    "no sampler": {"sampler": "cdd"},
    "sparsity": {"sparsity": 2.0},
    "machine epochs": {"max_iter": 0},
}
BAD_STACK = {
    "no layers": {"hidden_layer_sizes": ()},
    "no units": {"hidden_layer_sizes": (3, 0)},
    "few machines": {"rbm": [rbm()]},
    "no machine": {"rbm": [rbm(), "rbm"]},
}
BAD_TARGETS = {
    "y missing": {"y": LABELS[:-1]},
    "no y": {"y": None},
    "three columns deep": {"y": VALUES[:, :, None]},
    "y NaN": {"y": np.where(np.arange(N) == 3, np.nan, np.arange(N) % 3)},
    "y infinite": {"y": np.where(np.arange(N) == 3, np.inf, np.arange(N) % 3)},
    "no labels": {"unlabeled": 5, "y": np.full(N, 5)},
    "dropout": {"dropout": [0.1]},
    "dropout of 1": {"dropout": [0.0, 1.0, 0.0]},
    "multipliers": {"learning_rate_multipliers": [1.0]},
    "multiplier": {"learning_rate_multipliers": [1.0, 1.0, -1.0]},
    "noise in a search": {"optimizer": "lbfgs", "dropout": 0.1},
    "moments in a search": {"optimizer": "cg", "batch_norm": True},
    "momentum": {"optimizer": SGD(momentum=2.0)},
    "no such start": {"init": "xavier"},
    "no start of this": {"activation": "elu"},
    "no start of ReLU": {"activation": "relu", "rbm": rbm()},
    "no gain": {"init": LAYERS[:1], "rbm": None},
    "shapes": {"init": [LAYERS[0], LAYERS[0], LAYERS[1]], "rbm": None},
    "infinite start": {
        "init": [LAYERS[0], (np.full((3, 2), np.inf), np.zeros(2)), LAYERS[1]]
    },
    "sizes of the DBN": {"init": DBNTransformer((4, 4)), "rbm": None},
    "machines twice": {"init": DBNTransformer((3, 2))},
    "DBN of other rows": {"init": frozen(BEFORE[DBNTransformer][0]), "rbm": None},
    "DBN not fitted": {"init": FrozenEstimator(DBNTransformer((3, 2))), "rbm": None},
    "X_val alone": {"X_val": X_NEW},
    "y_val alone": {"y_val": LABELS},
    "X_val short": {"X_val": X_NEW[:4], "y_val": LABELS},
    "X_val wide": {"X_val": BEFORE[DBNClassifier][0], "y_val": LABELS[:24]},
    "X_val infinite": {"X_val": with_cell(X_NEW, np.inf), "y_val": LABELS},
    "y_val NaN": {"X_val": X_NEW, "y_val": np.full(N, np.nan)},
}
BAD_LABELS = {
    "one class": {"y": np.full(N, "x")},
    "real labels": {"y": VALUES[:, 0]},
    "labels of two kinds": {"y": np.array(["x", 1, "z"] * 10, dtype=object)},
    "columns of classes": {"y": np.tile([[0, 1, 2]], (N, 1))},
    "class weight": {"class_weight": {"x": -1.0}},
    "class weight NaN": {"class_weight": {"x": np.nan}},
    "class weights zero": {"class_weight": {"x": 0.0, "y": 0.0, "z": 0.0}},
    "class weight of columns": {
        "class_weight": {0: 2.0},
        "y": np.arange(2 * N).reshape(N, 2) % 3 % 2,
    },
    "strange y_val": {"X_val": X_NEW, "y_val": np.full(N, "cat")},
    "dropout, columns": {"dropout": [0.1], "y": np.arange(2 * N).reshape(N, 2) % 3 % 2},
}
BAD_VALUES = {
    "validation fraction": {"early_stopping": True, "validation_fraction": 0.001},
    "few validation rows": {"early_stopping": True, "validation_fraction": 0.99},
    "words in y": {"y": LABELS},
    "y_val of one column": {"X_val": X_NEW, "y_val": VALUES[:, 0]},
    "one row to validate": {"X_val": X_NEW[:1], "y_val": VALUES[:1]},
    "dropout, one column": {"dropout": [0.1], "y": VALUES[:, 0]},
}
_NESTED = {
    f"machine: {name}": {
        ("rbm__" + key if key not in ("X", "y") else key): value
        for key, value in change.items()
    }
    for name, change in BAD_MACHINE.items()
}
# Of a classifier without a net.
OF_NETS = {"init", "dropout", "batch_norm", "activation", "learning_rate_multipliers"}
OF_LABELS = {
    name: change
    for name, change in (BAD_TARGETS | BAD_LABELS).items()
    if not OF_NETS & {*change}
}
OF_MACHINES = {"early_stopping", "optimizer", "batch_size", "max_iter", "tol"}
REFUSED = {
    RBMClassifier: BAD_ROWS | BAD_MACHINE | OF_LABELS | {"units": {"n_components": 0}},
    GenerativeDBNClassifier: BAD_ROWS
    | {"sizes and machines": {"hidden_layer_sizes": (3,)}}
    | {k: v for k, v in OF_LABELS.items() if not OF_MACHINES & {*v}}
    | {"no updates": {"up_down": 0}, "chains": {"up_down": UpDown(sampler=PCD(0))}},
    RBMTransformer: BAD_ROWS | BAD_MACHINE | {"no units": {"n_components": 0}},
    DBNTransformer: BAD_ROWS | _NESTED | BAD_STACK,
    DBNClassifier: BAD_ROWS | _NESTED | BAD_STACK | BAD_TARGETS | BAD_LABELS,
    DBNRegressor: BAD_ROWS | _NESTED | BAD_STACK | BAD_TARGETS | BAD_VALUES,
    DBNAutoencoder: BAD_ROWS
    | _NESTED
    | BAD_STACK
    | {"loss": {"loss": "cross_entropy"}, "code": {"code_activation": "softsign"}}
    | {"rows to watch": {"X_val": X_NEW.iloc[:, :1]}, "noise": {"noise": 1.0}}
    | {"searched": {"noise": 0.1, "optimizer": "lbfgs"}},
}
ARGUMENTS = {"X", "y", "sample_weight", "X_val", "y_val"}


def refused(scene, change, path):
    """What the estimator is after a fit with a change that must not be accepted."""
    arguments = {"X": scene.rows, "y": scene.y}
    arguments |= {k: v for k, v in change.items() if k in ARGUMENTS}
    params = {k: v for k, v in change.items() if k not in ARGUMENTS}
    estimator = scene.estimator(**params)
    fit = estimator.partial_fit if scene.call == "partial_fit" else estimator.fit
    try:
        fit(**arguments)
    except (ValueError, TypeError, FloatingPointError, NotFittedError, RuntimeError):
        pass
    else:
        return "no error"
    valid = scene.estimator().get_params(deep=False)  # a file has valid ones only
    try:
        return scene.state_of(estimator.set_params(**valid), path)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"


@pytest.mark.parametrize("scene", [s for s in SCENES if s.call == "fit"], ids=str)
def test_after_what_fit_refuses(scene, tmp_path):
    wanted = "old" if scene.again else "not fitted"  # no work, and none is lost
    states = {
        name: refused(scene, change, tmp_path / "m.dbn")
        for name, change in REFUSED[scene.cls].items()
    }
    assert as_lines({k: v for k, v in states.items() if v != wanted}) == ""


# Rows and parameters that do not go with the model that training goes on from.
X_OLD = BEFORE[DBNClassifier][0]
OTHER_ROWS = {
    "other features": {"X": X_NEW[: len(X_OLD)]},
    "other names": {"X": X_OLD.rename(columns={"a": "z"})},
    "infinity": {"X": with_cell(X_OLD, np.inf)},
    "no rows": {"X": X_OLD[:0]},
    "weights": {"sample_weight": -np.ones(len(X_OLD))},
}
OTHER_NET = {
    "other sizes": {"hidden_layer_sizes": (3, 3)},
    "other activation": {"activation": "tanh"},
    "batch norm": {"batch_norm": True},
    "dropout": {"dropout": [0.1]},
    "search": {"dropout": 0.1, "optimizer": "lbfgs"},
    "multipliers": {"learning_rate_multipliers": [1.0]},
}
OTHERWISE = {
    RBMClassifier: OTHER_ROWS
    | {"units": {"n_components": 9}, "hidden": {"hidden": "gaussian"}}
    | {"visible": {"visible": "relu"}, "sampler": {"sampler": CD(k=0)}}
    | {"other classes": {"y": np.tile(["x", "y", "z"], 8)}}
    | {"class weight": {"class_weight": {"cat": -1.0}}},
    RBMTransformer: OTHER_ROWS
    | {"units": {"n_components": 9}, "hidden": {"hidden": "gaussian"}}
    | {"visible": {"visible": "relu"}, "sampler": {"sampler": CD(k=0)}},
    DBNClassifier: OTHER_ROWS
    | OTHER_NET
    | {"other classes": {"y": np.tile(["x", "y", "z"], 8)}}
    | {"a class more": {"y": np.tile(["cat", "dog", "fox"], 8)}}
    | {"class weight": {"class_weight": {"cat": -1.0}}},
    DBNRegressor: OTHER_ROWS
    | OTHER_NET
    | {"two outputs": {"y": np.ones((24, 2))}, "y NaN": {"y": np.full(24, np.nan)}},
    DBNAutoencoder: OTHER_ROWS
    | OTHER_NET
    | {"code": {"code_activation": "tanh"}, "loss": {"loss": "cross_entropy"}},
}
WATCHED = {
    "X_val": {"X_val": X_NEW, "y_val": LABELS},
    "y_val": {"X_val": X_OLD, "y_val": np.full(24, "fish")},
}


@pytest.mark.parametrize("scene", [s for s in SCENES if s.goes_on], ids=str)
def test_after_what_training_cannot_go_on_with(scene, tmp_path):
    changes = OTHERWISE[scene.cls]
    if scene.warm and scene.cls in PREDICTORS:
        changes = changes | WATCHED
    states = {
        name: refused(scene, change, tmp_path / "m.dbn")
        for name, change in changes.items()
    }
    assert as_lines({k: v for k, v in states.items() if v != "old"}) == ""


class Bursting(SGD):
    """Leaves the range of numbers at once."""

    def step(self, theta, grad, state):
        theta[...] = np.inf


# In the first machine, the second, or the net.
WILD = Bursting()
DIVERGING = {
    RBMClassifier: [{"optimizer": WILD}],
    RBMTransformer: [{"optimizer": WILD}],
    DBNTransformer: [
        {"rbm": [rbm(batch_size=15, optimizer=WILD), rbm(batch_size=15)]},
        {"rbm": [rbm(batch_size=15), rbm(batch_size=15, optimizer=WILD)]},
    ],
}
DIVERGING[GenerativeDBNClassifier] = [
    *DIVERGING[DBNTransformer],
    {"up_down": UpDown(2, optimizer=WILD)},
]
DIVERGING |= {
    cls: [*DIVERGING[DBNTransformer], {"optimizer": WILD}] for cls in PREDICTORS
}
LINEAR = {"batch_size": 15, "hidden": "gaussian"}
DIVERGING[DBNAutoencoder] = [
    {"rbm": [rbm(batch_size=15, optimizer=WILD), rbm(**LINEAR)]},
    {"rbm": [rbm(batch_size=15), rbm(**LINEAR, optimizer=WILD)]},
    {"optimizer": WILD},
]


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_after_a_divergence(scene, tmp_path):
    changes = DIVERGING[scene.cls][-1 if scene.goes_on else 0 :]
    states = {
        str(change): refused(scene, change, tmp_path / "m.dbn") for change in changes
    }
    assert mixtures(states) == ""
