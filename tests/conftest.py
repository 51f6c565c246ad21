"""Fixtures with which tests run over array libraries."""

from functools import partial

import pytest

import dbn.evaluation
from dbn import DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer
from dbn.training import budget
from tests.libraries import DEVICES, LIBRARIES, ON_TORCH, Elsewhere, call, streams


@pytest.fixture(params=LIBRARIES)
def library(request):
    return request.param


@pytest.fixture(params=[pytest.param(None, id="numpy"), *ON_TORCH])
def anywhere(request, monkeypatch):
    """Machines, nets and samplers of the test's module compute in other libraries.

    The test goes on with NumPy's arrays: see `Elsewhere`. The module's names for what
    makes them, and for functions of them, are in its list ANYWHERE.
    """
    if request.param is None:
        return
    streams.clear()
    for name in request.module.ANYWHERE:
        monkeypatch.setattr(
            request.module, name, _abroad(getattr(request.module, name), request.param)
        )


@pytest.fixture(params=[None, *DEVICES])
def on_each_device(request, monkeypatch):
    """All estimators of a test compute on a device, for which it need not ask."""
    for cls in (DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer):
        monkeypatch.setitem(cls.__init__.__kwdefaults__, "device", request.param)


@pytest.fixture
def short(monkeypatch):
    """What "auto" means and what a comparison does by default, made short."""
    monkeypatch.setattr(budget, "MACHINE", budget.Budget(updates=60, epochs=2))
    chains = budget.Budget(updates=120, epochs=2)
    monkeypatch.setattr(budget, "PERSISTENT_MACHINE", chains)
    monkeypatch.setattr(budget, "NET", budget.Budget(updates=120, epochs=2))
    defaults = {"n_seeds": 2, "learning_rates": [0.01], "controls": None}
    defaults |= {"n_updates": 20, "pretrain_updates": 20, "label_budgets": [50]}
    compare = partial(dbn.evaluation.compare_initializers, **defaults)
    monkeypatch.setattr(dbn.evaluation, "compare_initializers", compare)


def _abroad(made, library):
    if isinstance(made, type):
        return lambda *args, **kwargs: Elsewhere(made(*args, **kwargs), library)
    return lambda *args, **kwargs: call(library, made, *args, **kwargs)
