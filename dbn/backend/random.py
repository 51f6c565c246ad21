"""One random stream: every function that draws takes it as `rng`.

Initial weights, chains and shuffles come from NumPy, so a seed means the same start
everywhere. NumPy draws the noise too and hands it to the array library in use, except
to PyTorch: there a generator on the device draws it (`stream_on`). Single precision is
drawn as such, not rounded from double.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from sklearn.externals.array_api_compat import is_torch_array
from sklearn.utils import check_random_state

from .device import asarray_like, namespace, numpy_dtype
from .types import Array


def make_rng(random_state: Any = None) -> Any:
    """Make the random stream of one computation from scikit-learn's `random_state`.

    `random_state` is consumed once: an int always gives the same stream, a
    `RandomState` instance advances by four draws.

    Parameters
    ----------
    random_state : int, RandomState instance or None

    Returns
    -------
    numpy.random.Generator
        Over the bit generator SFC64, the fastest in NumPy.

    Examples
    --------
    >>> float(make_rng(0).random()) == float(make_rng(0).random())
    True
    """
    seed = check_random_state(random_state).randint(2**32, size=4, dtype=np.uint64)
    return np.random.Generator(np.random.SFC64(seed))


class DeviceStream:
    """A NumPy stream, and a generator of PyTorch that draws the noise on a device.

    The generator is seeded from where the NumPy stream stands, which does not advance,
    at the first draw and at every `renew`: of a training that renews it with every
    epoch the NumPy stream is all that needs to be kept. A deep copy is that alone.

    Parameters
    ----------
    host : numpy.random.Generator
        Also draws whatever else is asked for: `permutation`, `integers`, ...
    like : torch.Tensor
        On the device.
    """

    def __init__(self, host: Any, like: Array) -> None:
        self.host = host
        self._generator, self._seeded = namespace(like).Generator(like.device), False

    def renew(self, epoch: int = 0) -> None:
        """Go on with noise that depends on `host` and the epoch, and nothing else."""
        coming = copy.deepcopy(self.host).integers(2**32, size=4)
        seed = np.random.SeedSequence([*coming.tolist(), int(epoch)])
        self._generator.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
        self._seeded = True

    @property
    def generator(self) -> Any:
        """The `torch.Generator`."""
        if not self._seeded:
            self.renew()
        return self._generator

    def __getattr__(self, name: str) -> Any:
        if name == "host":  # of an object in the making
            raise AttributeError(name)
        return getattr(self.host, name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.host, memo)


_on_host = ContextVar("noise on the host", default=False)


@contextmanager
def host_noise() -> Iterator[None]:
    """Context in which NumPy draws all noise, for comparisons between libraries.

    Examples
    --------
    >>> with host_noise():
    ...     rng = make_rng(0)
    """
    token = _on_host.set(True)
    try:
        yield
    finally:
        _on_host.reset(token)


def stream_on(rng: Any, like: Array) -> Any:
    """The stream that draws noise where the array `like` lies: see `DeviceStream`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = make_rng(0)
    >>> stream_on(rng, np.zeros(1)) is rng
    True
    """
    drawn = isinstance(rng, DeviceStream) or _on_host.get() or not is_torch_array(like)
    return rng if drawn else DeviceStream(rng, like)


def renew(rng: Any, epoch: int) -> None:
    """`DeviceStream.renew`; NumPy's own streams just go on."""
    if isinstance(rng, DeviceStream):
        rng.renew(epoch)


def _draw(
    method: str, function: str, rng: Any, shape: Sequence[int], like: Array
) -> Array:
    """Draws by a method of NumPy's generators, or on a device by PyTorch's function."""
    if isinstance(rng, DeviceStream):
        options = {"dtype": like.dtype, "device": like.device}
        draw = getattr(namespace(like), function)
        return draw(tuple(shape), generator=rng.generator, **options)
    if isinstance(like, np.ndarray):
        return getattr(rng, method)(shape, dtype=like.dtype)
    return asarray_like(getattr(rng, method)(shape, dtype=numpy_dtype(like)), like)


def uniform(rng: Any, shape: Sequence[int], like: Array) -> Array:
    """Uniform draws on [0, 1) with the precision and library of the array `like`.

    Examples
    --------
    >>> import numpy as np
    >>> uniform(make_rng(0), (2, 3), np.zeros(1, dtype=np.float32)).dtype
    dtype('float32')
    """
    return _draw("random", "rand", rng, shape, like)


def normal(rng: Any, shape: Sequence[int], like: Array) -> Array:
    """Standard normal draws with the precision and library of the array `like`.

    Examples
    --------
    >>> import numpy as np
    >>> normal(make_rng(0), (2, 3), np.zeros(1)).shape
    (2, 3)
    """
    return _draw("standard_normal", "randn", rng, shape, like)


def bernoulli(rng: Any, p: Array) -> Array:
    """0/1 draws, each 1 with its own probability in `p`; same shape and dtype as `p`.

    Examples
    --------
    >>> import numpy as np
    >>> bernoulli(make_rng(0), np.array([0.0, 1.0]))
    array([0., 1.])
    """
    if is_torch_array(p):  # without an array of truth values in between
        return uniform(rng, p.shape, p).lt_(p)
    return namespace(p).asarray(uniform(rng, p.shape, p) < p, dtype=p.dtype)
