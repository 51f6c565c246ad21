"""The array libraries that the suite runs over, and tests of one that run on all.

A library that is missing is skipped with the reason; CUDA has the mark `gpu`.
"""

import importlib.util
import inspect

import array_api_strict
import numpy as np
import pytest
from sklearn.externals.array_api_compat import array_namespace

from dbn.backend.device import converted, to_host
from dbn.backend.parameters import Parameters
from dbn.backend.random import stream_on
from tests.helpers import read_only


class NumPy:
    """Plain arrays."""

    xp, asarray = np, staticmethod(np.array)


class ReadOnly(NumPy):
    """Arguments that raise when they are written to."""

    asarray = staticmethod(read_only)


class Strict:
    """The standard and nothing else."""

    xp, asarray = array_api_strict, staticmethod(array_api_strict.asarray)


class StrictDevice:
    """A device whose arrays mix with no others, and that NumPy cannot read."""

    xp, device = array_api_strict, array_api_strict.Device("device1")

    @classmethod
    def asarray(cls, values):
        return array_api_strict.asarray(np.array(values), device=cls.device)


def torch_on(name):
    """PyTorch on a device."""

    class Torch:
        device = name

        @classmethod
        def asarray(cls, values):
            return cls.xp.asarray(np.array(values), device=name, copy=True)

    if HAS_TORCH:
        import torch

        Torch.xp = array_namespace(torch.empty(0))
    return Torch


HAS_TORCH = importlib.util.find_spec("torch") is not None


def has_cuda():
    if not HAS_TORCH:
        return False
    import torch

    return torch.cuda.is_available()


needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
needs_cuda = (
    pytest.mark.gpu,
    pytest.mark.skipif(not has_cuda(), reason="there is no CUDA device"),
)
# Names that `device` of an estimator takes.
DEVICES = [
    pytest.param("cpu", marks=needs_torch),
    pytest.param("cuda", marks=needs_cuda),
]
ON_TORCH = [
    pytest.param(torch_on("cpu"), marks=needs_torch, id="torch-cpu"),
    pytest.param(torch_on("cuda"), marks=needs_cuda, id="torch-cuda"),
]
LIBRARIES = [
    pytest.param(ReadOnly, id="read-only"),
    pytest.param(Strict, id="strict"),
    pytest.param(StrictDevice, id="strict-device"),
    *ON_TORCH,
]


# Tests that are written with NumPy's arrays.


class Elsewhere:
    """Something of the package that takes and gives NumPy's arrays, but not inside.

    Methods compute with copies in another library and write back what changes:
    `Parameters`, and the buffers of models. Noise is drawn where the numbers are.
    """

    def __init__(self, inner, library):
        self.__dict__.update(inner=inner, library=library)

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if not inspect.ismethod(found):
            return found
        return lambda *args, **kwargs: call(
            self.library, found.__func__, self.inner, *args, **kwargs
        )

    def __repr__(self):
        return repr(self.inner)


# Of `call`: of each random stream of NumPy one of a device.
streams = {}


def call(library, function, *args, **kwargs):
    """``function(*args, **kwargs)`` in another library, with NumPy's arrays."""
    sent = []

    def send(value):
        value = value.inner if isinstance(value, Elsewhere) else value
        if isinstance(value, Parameters):
            sent.append((value, value.converted(library.asarray)))
            return sent[-1][1]
        if isinstance(value, np.random.Generator):
            # One for each, with which noise goes on from call to call.
            known, stream = streams.get(id(value), (None, None))
            if known is not value:
                stream = stream_on(value, library.asarray([0.0]))
                streams[id(value)] = value, stream
            return stream
        moved = converted(value, library.asarray)
        for name in ("params", "statistics"):
            if hasattr(value, name):
                sent.append((getattr(value, name), getattr(moved, name)))
        return moved

    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    args = [send(a) for a in bound.args]
    kwargs = {name: send(a) for name, a in bound.kwargs.items()}
    result = converted(function(*args, **kwargs), to_host)
    for home, away in sent:
        home.fill(away.flat)
    return result
