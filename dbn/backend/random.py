"""One random stream: every function that draws takes it as `rng`.

Noise is drawn on the host by NumPy and then handed to the array library in use, so a
seed means the same numbers everywhere. Single precision is drawn as such, not rounded
from double.
"""

import numpy as np
from sklearn.utils import check_random_state

from .array import namespace


def make_rng(random_state=None):
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


def _draw(draw, shape, like):
    if isinstance(like, np.ndarray):
        return draw(shape, dtype=like.dtype)
    dtype = np.float32 if "float32" in str(like.dtype) else np.float64
    return namespace(like).asarray(draw(shape, dtype=dtype))


def uniform(rng, shape, like):
    """Uniform draws on [0, 1) with the precision and library of the array `like`.

    Examples
    --------
    >>> import numpy as np
    >>> uniform(make_rng(0), (2, 3), np.zeros(1, dtype=np.float32)).dtype
    dtype('float32')
    """
    return _draw(rng.random, shape, like)


def normal(rng, shape, like):
    """Standard normal draws with the precision and library of the array `like`.

    Examples
    --------
    >>> import numpy as np
    >>> normal(make_rng(0), (2, 3), np.zeros(1)).shape
    (2, 3)
    """
    return _draw(rng.standard_normal, shape, like)


def bernoulli(rng, p):
    """0/1 draws, each 1 with its own probability in `p`; same shape and dtype as `p`.

    Examples
    --------
    >>> import numpy as np
    >>> bernoulli(make_rng(0), np.array([0.0, 1.0]))
    array([0., 1.])
    """
    return namespace(p).asarray(uniform(rng, p.shape, p) < p, dtype=p.dtype)
