"""What can be recorded on a device, seen without one: `meta` stands for another."""

import inspect
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from dbn.backend import capture
from dbn.backend.capture import Memory, count, exchanges, recorder
from dbn.backend.random import stream_on
from tests.libraries import LIBRARIES, needs_torch


@needs_torch
@pytest.mark.parametrize(
    ("exchange", "found"),
    [
        (lambda x, t: x.sum() * 2.0 + x[1:] @ x[1:], False),
        (lambda x, t: x.fill_(t.tensor(1.0)), False),
        (lambda x, t: t.rand(3, device=x.device).lt_(x), False),
        (lambda x, t: x.copy_(t.tensor(1.0)), True),
        (lambda x, t: x + t.ones(3).to(x.device), True),
        (lambda x, t: x.index_put_((t.tensor([0]),), t.tensor(1.0)), True),
        (lambda x, t: t.asarray(np.ones(3), device=x.device), True),
        (lambda x, t: x[x > 0.0], True),
        (lambda x, t: float(x[0]), True),
        (lambda x, t: t.equal(x, x), True),
        (lambda x, t: bool(x.any()), True),
    ],
)
def test_traffic_between_host_and_device_is_seen(exchange, found):
    import torch

    like = torch.ones(3, device="meta")

    def function():
        try:
            exchange(like, torch)
        except (RuntimeError, NotImplementedError):  # there are no numbers on meta
            asked.append(True)

    asked = []
    assert (exchanges(function, like) or bool(asked)) is found
    if asked:  # where there are, the call is seen as well
        like = torch.ones(3)
        assert exchanges(lambda: exchange(like, torch), like)


@needs_torch
def test_memory_stays_where_it_is():
    import torch

    state = {
        "v": torch.zeros(2),
        "means": (torch.zeros(1), torch.ones(1)),
        "inner": {"betas": np.zeros(2), "n": 1, "none": None},
    }
    places, memory = state["v"], Memory([state])
    state["v"], state["inner"] = state["v"] + 1.0, {**state["inner"]}
    state["means"][0][...] = 3.0
    assert memory.fits()
    memory.restore_places()
    assert state["v"] is places
    assert state["v"].tolist() == [1.0, 1.0]
    assert [a.tolist() for a in state["means"]] == [[3.0], [1.0]]
    changes = [
        {"v": torch.zeros(3)},
        {"v": torch.zeros(2, dtype=torch.float64)},
        {"v": np.zeros(2)},
        {"more": 1},
        {"means": state["means"][:1]},
        {"inner": {**state["inner"], "n": 2}},
        {"inner": {**state["inner"], "n": 1.0}},
        {"inner": {**state["inner"], "betas": np.array([0.0, 1.0])}},
    ]
    for change in changes:
        other = dict(state)
        memory = Memory([other])
        other.update(change)
        assert not memory.fits(), change
    memory = Memory([state])
    state["inner"]["betas"][0] = 1.0  # in place, too
    assert not memory.fits()


@pytest.mark.parametrize("library", LIBRARIES)
def test_count_goes_on_from_numbers_and_arrays(library):
    like = library.asarray([0.0])
    for start in (2, np.asarray(2.0)):
        n = count(count(start, like), like)
        assert int(n) == 4
    assert isinstance(n, int) or n.device == like.device


def test_only_cuda_records():
    assert recorder(np.random.default_rng(0), np.zeros(1)) is None


@needs_torch
def test_noise_of_the_host_is_not_recorded():
    import torch

    class Cuda(torch.Tensor):
        device = torch.device("cuda")

    like, rng = torch.zeros(1).as_subclass(Cuda), np.random.default_rng(0)
    assert recorder(rng, like) is None
    assert recorder(stream_on(rng, torch.zeros(1)), torch.zeros(1)) is None
    assert recorder(stream_on(rng, torch.zeros(1)), like) is not None


@needs_torch
def test_what_pytorch_is_asked_for(monkeypatch):
    # Of a CUDA graph this shows no more than the order of the calls.
    import torch

    log = []

    class Cuda:
        class CUDAGraph:
            def register_generator_state(self, generator):
                log.append(("register", generator))

            def replay(self):
                log.append("replay")

        def Stream(self, device):
            return f"stream of {device}"

        @contextmanager
        def stream(self, stream):
            log.append(stream)
            yield
            log.append("stream ends")

        @contextmanager
        def graph(self, graph, stream, capture_error_mode):
            assert stream == "stream of cpu"
            log.append(capture_error_mode)
            yield
            log.append("graph ends")

    monkeypatch.setattr(capture, "namespace", lambda _: SimpleNamespace(cuda=Cuda()))
    like = torch.zeros(1)
    rng = stream_on(np.random.default_rng(0), like)
    graph = capture._Graph(lambda: log.append("step"), rng, like)
    graph.replay()
    assert log == [
        ("register", rng.generator),
        "stream of cpu",
        "thread_local",
        "step",
        "graph ends",
        "stream ends",
        "replay",
        "replay",
    ]
    # The names are those of PyTorch, which has them without a GPU, too.
    parameters = inspect.signature(torch.cuda.graph).parameters
    assert {"stream", "capture_error_mode"} <= {*parameters}
    assert callable(torch.cuda.stream)
    assert callable(torch.cuda.Stream)
