"""What a step has a CUDA device do, recorded once and replayed: CUDA graphs.

A replay launches all kernels of a step at once and runs no Python: arrays are where
they were, and numbers of the host are what they were. So the step has to count on the
device (`count`), what it remembers has to stay in its place (`Memory`), and a step in
which host and device exchange numbers (`exchanges`) cannot be recorded.
"""

from functools import cache, partial
from threading import Lock

import numpy as np
from sklearn.externals.array_api_compat import is_torch_array

from .device import converted, namespace
from .random import DeviceStream


def recorder(rng, like):
    """What records for the device of the array `like`, with noise of `rng`.

    Returns
    -------
    callable or None
        ``record(function)`` calls it and returns what has a method ``replay``. None
        where nothing can be recorded: not on CUDA, or NumPy draws the noise.

    Examples
    --------
    >>> import numpy as np
    >>> recorder(np.random.default_rng(0), np.zeros(1)) is None
    True
    """
    on_cuda = is_torch_array(like) and like.device.type == "cuda"
    if not (on_cuda and isinstance(rng, DeviceStream)):
        return None
    return partial(_Graph, rng=rng, like=like)


_capturing = Lock()  # one thread of a process at a time


@cache
def _side_stream(cuda, device):
    return cuda.Stream(device)


class _Graph:
    """The launches of a function, which is done once, on a CUDA device."""

    def __init__(self, function, rng, like):
        cuda = namespace(like).cuda
        self._graph, stream = cuda.CUDAGraph(), _side_stream(cuda, like.device)
        # A replay goes on with the noise from where the generator then stands.
        self._graph.register_generator_state(rng.generator)
        capture = cuda.graph(
            self._graph, stream=stream, capture_error_mode="thread_local"
        )
        # The outer context also sets the stream back when the capture fails.
        with _capturing, cuda.stream(stream), capture:
            function()
        self.replay()

    def replay(self):
        self._graph.replay()


def exchanges(function, like):
    """Call a function; whether the host had to wait for, or to send, anything in it.

    Parameters
    ----------
    function : callable
    like : torch.Tensor
        On the device in question.
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


class Memory:
    """Where the arrays in dicts lie, and the numbers of the host in them.

    Parameters
    ----------
    trees : sequence of dict
        Nested dicts, lists and tuples of PyTorch's arrays and of anything else.

    Examples
    --------
    >>> state = {"epoch": 3}
    >>> memory = Memory([state])
    >>> memory.fits()
    True
    >>> state["epoch"] = 4
    >>> memory.fits()
    False
    """

    def __init__(self, trees):
        self._trees = trees
        self._kept = converted(
            list(trees), lambda a: a if is_torch_array(a) else np.array(a)
        )

    def fits(self):
        """Whether all but the numbers in the arrays is as it was."""
        return all(map(_fits, self._trees, self._kept))

    def restore_places(self):
        """Put the numbers of arrays that are new now where the old ones lie."""
        for tree, kept in zip(self._trees, self._kept, strict=True):
            tree.update(_in_place(tree, kept))


def _fits(new, old):
    if type(new) is not type(old):
        return False
    if isinstance(new, dict):
        return new.keys() == old.keys() and all(_fits(new[k], old[k]) for k in new)
    if isinstance(new, (list, tuple)):
        return len(new) == len(old) and all(map(_fits, new, old))
    if is_torch_array(new):
        return (new.shape, new.dtype, new.device) == (old.shape, old.dtype, old.device)
    return bool(np.all(new == old))


def _in_place(new, old):
    if isinstance(new, dict):
        return {key: _in_place(value, old[key]) for key, value in new.items()}
    if isinstance(new, (list, tuple)):
        return type(new)(map(_in_place, new, old))
    if is_torch_array(new) and new is not old:
        old[...] = new
        return old
    return new


def count(n, like):
    """n + 1: beside an array `like` of PyTorch in an array on its device.

    Such an array is changed in place.

    Examples
    --------
    >>> import numpy as np
    >>> count(2, np.zeros(1))
    3
    """
    if isinstance(like, np.ndarray) or not is_torch_array(like):
        return int(n) + 1
    if not is_torch_array(n):
        new = namespace(like).full
        n = new((), float(n), dtype=like.dtype, device=like.device)
    n += 1
    return n
