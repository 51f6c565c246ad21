"""Fixtures with which tests run over array libraries."""

import pytest

from dbn import DBNClassifier, DBNRegressor, DBNTransformer, RBMTransformer
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


def _abroad(made, library):
    if isinstance(made, type):
        return lambda *args, **kwargs: Elsewhere(made(*args, **kwargs), library)
    return lambda *args, **kwargs: call(library, made, *args, **kwargs)
