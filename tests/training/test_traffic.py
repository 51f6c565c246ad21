"""Nothing goes between host and device in a step: row numbers lie where the rows do.

Nothing here needs a GPU: PyTorch's device `meta`, without numbers, stands for one.
"""

import numpy as np
import pytest

from dbn import RBM, Network
from dbn.backend import missing
from dbn.backend.device import asarray_like, converted
from dbn.backend.random import DeviceStream
from dbn.boltzmann import CD, FPCD, PCD, ReLU, Softmax
from dbn.training import SGD, Adam, RMSProp, Sparsity, finetune, loop, train_rbm
from tests.libraries import needs_torch

pytestmark = needs_torch

RNG = np.random.default_rng(0)
X = RNG.random((86, 6))
ONE_HOT = np.eye(3)[RNG.integers(3, size=(86, 2))].reshape(86, 6)

SAMPLERS = [
    "cd",
    CD(k=((0, 1), (1, 3)), sample_visible=True),
    PCD(n_chains=5, k=((0, 2), (2, 1))),
    FPCD(n_chains=5),
]
MEANS = [{}, {"centering": True}, {"sparsity": Sparsity(0.2), "centering": True}]
OPTIMIZERS = [
    SGD(((0, 0.1), (1, 0.05)), momentum=((0, 0.5), (2, 0.9)), nesterov=True),
    RMSProp(clip_value=0.1),
    Adam(((0, 0.01), (1, 0.02)), clip_norm=0.5),
    "adamw",
]


def exchanges(function, like):
    """Call a function; whether the host had to wait for, or to send, anything in it.

    `like` is an array on the device in question.
    """
    from torch import Tag, Tensor
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Watch(TorchDispatchMode):
        found = False

        def __torch_dispatch__(self, op, types, args=(), kwargs=None):
            result = op(*args, **(kwargs or {}))
            # The answer is a number of the host, or decides about a size.
            reads = {Tag.data_dependent_output, Tag.dynamic_output_shape} & {*op.tags}
            values = tree_leaves((args, kwargs, result))
            arrays = [a for a in values if isinstance(a, Tensor)]
            away = [a for a in arrays if a.device != like.device]
            # Of the host, an array without axes counts as a number, unless it travels.
            sent = any(a.ndim or "copy" in op.name() for a in away)
            self.found = self.found or bool(reads) or sent
            return result

    with Watch() as watch:
        function()
    return watch.found


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


class Noise(DeviceStream):
    """Of `meta`, which has no generators."""

    generator = None

    def __init__(self):
        self.host = np.random.default_rng(0)

    def renew(self, epoch=0):
        pass


@pytest.fixture
def traffic(monkeypatch):
    """Whether host and device exchange numbers in the second step of a training."""

    class Seen(Exception):
        pass

    def run_epoch(step, epoch, params, batches):
        step(next(batches), epoch)
        rows = next(batches)
        raise Seen(exchanges(lambda: step(rows, epoch), rows))

    def found(train, model, *data, **params):
        model = converted(model, meta)
        with pytest.raises(Seen) as seen:
            train(model, *map(meta, data), rng=Noise(), batch_size=7, **params)
        return seen.value.args[0]

    def meta(values):
        import torch

        return torch.asarray(values, device="meta")

    monkeypatch.setattr(loop, "run_epoch", run_epoch)
    # Whether all is known is asked once, before the first step.
    monkeypatch.setattr(missing, "count_not_finite", lambda x: 0)
    return found


@pytest.mark.parametrize("units", [{}, {"visible": Softmax(3)}, {"hidden": ReLU()}])
@pytest.mark.parametrize("means", MEANS, ids=str)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_step_of_an_rbm_stays_on_its_device(sampler, means, units, traffic):
    for optimizer in OPTIMIZERS:
        params = {"sampler": sampler, "optimizer": optimizer, **means}
        assert not traffic(train_rbm, RBM(6, 4, **units), X, l1=0.1, **params)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_a_step_of_a_net_stays_on_its_device(dropout, batch_norm, loss, traffic):
    for optimizer in OPTIMIZERS:
        net = Network([6, 5, 6], dropout=dropout, batch_norm=batch_norm, loss=loss)
        params = {"optimizer": optimizer, "weight_decay": 0.1, "max_norm": 1.0}
        assert not traffic(finetune, net, X, ONE_HOT, **params)


def test_an_array_of_the_host_in_a_step_is_seen(traffic):
    class Scaled(SGD):
        def step(self, theta, grad, state):
            grad *= asarray_like(np.ones(grad.shape), grad)
            return super().step(theta, grad, state)

    assert traffic(train_rbm, RBM(6, 4), X, optimizer=Scaled())
