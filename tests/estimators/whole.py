"""Which of two models an estimator is after a fit that was cut off: never a mixture.

A `Scene` is a fit of an estimator that may have been fitted before, on other rows,
features and labels. `Scene.state_of` says what the estimator is afterwards.
"""

import copy
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
    load_model,
    save_model,
)
from dbn.training import SGD, UpDown

from .toy import ALL as OF_ANY_TARGET
from .toy import PREDICTORS, buffers, rbm

ALL = [*OF_ANY_TARGET, RBMClassifier, GenerativeDBNClassifier]
_rng = np.random.default_rng(0)
_A = pd.DataFrame(_rng.standard_normal((24, 5)), columns=[*"abcde"])
_B = pd.DataFrame(500.0 + 90.0 * _rng.standard_normal((30, 7)), columns=[*"tuvwxyz"])
# Rows and targets of the model before, and of the fit that is cut off: other classes,
# another number of outputs, of features and of rows, other scales.
BEFORE = {
    DBNClassifier: (_A, np.repeat(["cat", "dog", "eel"], 8)),
    DBNRegressor: (_A, 10.0 * _rng.standard_normal(24)),
    DBNTransformer: (_A, None),
    RBMTransformer: (_A, None),
    DBNAutoencoder: (_A, None),
    RBMClassifier: (_A, np.repeat(["cat", "dog", "eel"], 8)),
    GenerativeDBNClassifier: (_A, np.repeat(["cat", "dog", "eel"], 8)),
}
ANEW = {
    DBNClassifier: (_B, np.tile(["x", "y", "z"], 10)),
    DBNRegressor: (_B, 1e3 + _rng.standard_normal((30, 2))),
    DBNTransformer: (_B, None),
    RBMTransformer: (_B, None),
    DBNAutoencoder: (_B, None),
    RBMClassifier: (_B, np.tile(["x", "y", "z"], 10)),
    GenerativeDBNClassifier: (_B, np.tile(["x", "y", "z"], 10)),
}
NETS = [*PREDICTORS, DBNAutoencoder]
ONLY_FIT = [DBNTransformer, GenerativeDBNClassifier]  # no warm start, no chunks
FACTS = ["classes_", "mean_", "scale_", "y_mean_", "y_scale_", "history_", "n_iter_"]
FACTS += ["n_features_in_", "feature_names_in_", "visible_", "loss_curve_"]


def up_down(max_iter):
    return UpDown(max_iter, optimizer=SGD(0.01), batch_size=15)


def tiny(cls, **params):
    """An estimator that trains in a few milliseconds, two hidden layers deep."""
    if cls in (RBMTransformer, RBMClassifier):
        defaults = {"n_components": 3, "batch_size": 15, "max_iter": 2}
    else:
        defaults = {"hidden_layer_sizes": (3, 2), "rbm": rbm(batch_size=15)}
    if cls is GenerativeDBNClassifier:
        defaults |= {"rbm": [rbm(batch_size=15)] * 2, "up_down": up_down(2)}
    if cls in NETS:
        defaults |= {"batch_size": 15, "max_iter": 2}
    return cls(**{"random_state": 0} | defaults | params)


def outputs(estimator, rows):
    """What every method makes of the rows."""
    names = (
        "transform",
        "reconstruct",
        "predict",
        "predict_proba",
        "decision_function",
    )
    methods = [getattr(estimator, name) for name in names if hasattr(estimator, name)]
    return [np.asarray(method(rows)) for method in methods]


def is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _facts(estimator):
    found = {name: getattr(estimator, name, None) for name in FACTS}
    found["visible_"] = repr(found["visible_"])
    return copy.deepcopy(found)


def _same(one, other):
    """Whether two trees of arrays and plain values are the same, bit for bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


@dataclass
class Scene:
    """A fit, and what was before it.

    `call` names it: "fit", "warm_start" or "partial_fit"; `again` says whether the
    estimator was fitted before. Training goes on with the rows of before, a fit has new
    ones.
    """

    cls: type
    call: str
    again: bool
    _known: dict = field(default_factory=dict)

    def __post_init__(self):
        self.goes_on = self.again and self.call != "fit"
        self.rows_before, self.y_before = BEFORE[self.cls]
        self.rows, self.y = (BEFORE if self.goes_on else ANEW)[self.cls]

    @cached_property
    def start(self):
        """What the fit starts with."""
        found = tiny(self.cls, **({"warm_start": True} if self.warm else {}))
        return found.fit(self.rows_before, self.y_before) if self.again else found

    @cached_property
    def facts(self):
        return _facts(self.start)

    @cached_property
    def outputs(self):
        return outputs(self.start, self.rows_before)

    @property
    def warm(self):
        return self.call == "warm_start"

    def __str__(self):
        state = "fitted" if self.again else "fresh"
        return f"{self.call} of a {state} {self.cls.__name__}"

    def estimator(self, **params):
        """The estimator before the fit."""
        return copy.deepcopy(self.start).set_params(**params)

    def run(self, estimator):
        """Do the fit."""
        name = "partial_fit" if self.call == "partial_fit" else "fit"
        return getattr(estimator, name)(self.rows, self.y)

    def state_of(self, estimator, path=None):
        """What the estimator is after the fit: "old", "new" or "not fitted".

        Raises
        ------
        AssertionError
            If it is none of them, or the file `path` does not hold the same.
        """
        if not is_fitted(estimator):
            _check_not_fitted(estimator, self.rows, path)
            return "not fitted"
        if self.again and self._is_old(estimator):
            state, rows = "old", self.rows_before
        else:
            self._check_new(estimator)
            state, rows = "new", self.rows
        if path is not None:
            save_model(estimator, path)
            loaded = load_model(path)
            found = outputs(loaded, rows), _facts(loaded)
            told = outputs(estimator, rows), _facts(estimator)
            assert _same([*found[1].values()], [*told[1].values()]), (
                "of the file: facts"
            )
            assert _same(found[0], told[0]), "of the file: outputs"
        return state

    def check_next_fit(self, estimator, state):
        """Raise unless the fit, done again, is that of an estimator never cut off.

        Where training goes on, only as long: the noise may be another.
        """
        if state == "new" and self.call != "fit":
            return  # there is more to do than before
        self.run(estimator)
        n_told, n_found = len(self._reference(None).history_), len(estimator.history_)
        assert n_found == n_told, f"the next fit has {n_found} epochs, not {n_told}"
        if not self.goes_on:
            self._check_new(estimator)

    def _is_old(self, estimator):
        facts = _facts(estimator)
        if not all(_same(facts[name], self.facts[name]) for name in FACTS):
            return False
        return _same(outputs(estimator, self.rows_before), self.outputs)

    def _check_new(self, estimator):
        """Raise unless all belongs to one model of the fit, as far as that came."""
        facts, whole = _facts(estimator), self._reference(None)
        told = _facts(whole)
        for name in sorted({*FACTS} - {"history_", "n_iter_", "loss_curve_"}):
            assert _same(facts[name], told[name]), (
                f"{name} is {facts[name]}, in this fit {told[name]}"
            )
        history = estimator.history_
        if self.goes_on:
            old = self.facts["history_"]
            assert history[: len(old)] == old, "history_ of before is gone"
        assert history == whole.history_[: len(history)], f"history_ is {history}"
        found = outputs(estimator, self.rows)
        for values, wanted in zip(found, outputs(whole, self.rows), strict=True):
            assert values.shape[0] == wanted.shape[0], values.shape
            if self.cls in NETS:
                assert values.shape == wanted.shape, values.shape
            if values.dtype.kind == "f":
                assert np.isfinite(values).all(), "outputs are not finite"
        if self.cls is DBNClassifier:
            assert set(found[0]) <= set(self.y), f"it predicts {set(found[0])}"
        self._check_trained(estimator, len(history))

    def _check_trained(self, estimator, n_epochs):
        """Raise unless the weights are those after the epochs that were done."""
        reference = self._reference(n_epochs)
        if reference is None:
            return
        if self.cls is DBNTransformer:  # of layers not reached nothing is known
            n_trained = sum(n > 0 for n in reference.n_iter_)
            pairs = zip(
                estimator.dbn_.rbms[:n_trained], reference.dbn_.rbms, strict=False
            )
            same = [_same(a.params.flat, b.params.flat) for a, b in pairs]
        else:
            pairs = zip(buffers(estimator), buffers(reference), strict=True)
            same = [_same(a.flat, b.flat) for a, b in pairs]
        assert all(same), f"weights are not those after {n_epochs} epochs"

    def _reference(self, n_epochs):
        """The same fit, ended after so many entries of the history; None: the whole.

        Returns None where no fit ends there.
        """
        if n_epochs not in self._known:
            self._known[n_epochs] = self._made(n_epochs)
        return self._known[n_epochs]

    def _n_new(self, whole):
        before = len(self.facts["history_"]) if self.goes_on else 0
        return len(whole.history_) - before

    def _made(self, n_epochs):
        estimator = self.estimator()
        if n_epochs is None:
            return self.run(estimator)
        if self.goes_on:
            n_epochs -= len(self.facts["history_"])
            if n_epochs == 0:
                return estimator
        if self.call == "partial_fit":
            whole = self._reference(None)
            return whole if n_epochs == self._n_new(whole) else None
        if self.cls is RBMTransformer:
            options = {"max_iter": n_epochs}
        elif self.cls is GenerativeDBNClassifier and n_epochs > 4:
            options = {"up_down": up_down(n_epochs - 4)}
        elif self.cls in ONLY_FIT:
            above, last = divmod(n_epochs - 1, 2)  # two epochs each
            machines = [rbm(batch_size=15)] * above
            options = {
                "hidden_layer_sizes": (3, 2)[: above + 1],
                "rbm": [*machines, rbm(batch_size=15, max_iter=last + 1)],
            }
            if self.cls is GenerativeDBNClassifier:
                n_epochs -= 2  # labels are in the second machine
                options["up_down"] = None
        else:
            n_epochs -= 0 if self.goes_on else 4  # of two machines
            options = {"max_iter": n_epochs}
        if n_epochs <= 0:
            return None
        return self.run(estimator.set_params(**options))


def _check_not_fitted(estimator, rows, path):
    methods = [
        getattr(estimator, n)
        for n in ("transform", "predict", "predict_proba")
        if hasattr(estimator, n)
    ]
    for method in methods:
        _must_say(method, rows)
    if path is not None:
        _must_say(save_model, estimator, path)


def _must_say(function, *args):
    try:
        function(*args)
    except NotFittedError:
        return
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    else:
        problem = "no error"
    raise AssertionError(f"{function.__name__} of what is not fitted: {problem}")


SCENES = [Scene(cls, "fit", again) for cls in BEFORE for again in (False, True)]
SCENES += [
    Scene(cls, call, again)
    for cls in BEFORE
    if cls not in ONLY_FIT
    for call, again in [
        ("warm_start", True),
        ("partial_fit", False),
        ("partial_fit", True),
    ]
]
assert {*ALL} == {*BEFORE}
