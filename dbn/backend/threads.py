"""Threads: those of the matrix products, and others for long arrays between them.

Matrix products bring their own threads; between two of them all but one of the cores
would wait while the optimizer moves every parameter.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

# Entries per thread: to hand work over costs as much as to move about 100,000 of them.
_FEWEST = 2**18

_team = ContextVar("team", default=(1, None))


@cache
def _pools():
    """The thread pools of this process; to look for them takes 40 ms."""
    return ThreadpoolController()


def n_blas_threads():
    """Number of threads of a matrix product.

    Examples
    --------
    >>> n_blas_threads() >= 1
    True
    """
    found = [lib["num_threads"] for lib in _pools().info() if lib["user_api"] == "blas"]
    return max(found, default=1)


_lock, _inside = Lock(), {"n": 0, "limit": None}


@contextmanager
def one_blas_thread():
    """Context in which matrix products use one thread, in the whole process.

    Contexts of several threads may overlap: the last one to end sets the number back to
    what it was before the first.

    Examples
    --------
    >>> with one_blas_thread():
    ...     n_blas_threads()
    1
    """
    with _lock:
        if _inside["n"] == 0:
            _inside["limit"] = _pools().limit(limits=1, user_api="blas")
        _inside["n"] += 1
    try:
        yield
    finally:
        with _lock:
            _inside["n"] -= 1
            if _inside["n"] == 0:
                _inside.pop("limit").restore_original_limits()


@contextmanager
def element_threads(n_threads):
    """Context in which `in_blocks` may use `n_threads` threads, the caller included.

    Examples
    --------
    >>> with element_threads(2):
    ...     in_blocks(lambda block: None, 10)
    """
    if n_threads < 2:
        yield
        return
    with ThreadPoolExecutor(n_threads - 1) as pool:
        token = _team.set((n_threads, pool))
        try:
            yield
        finally:
            _team.reset(token)


def in_blocks(function, size):
    """Call ``function(block)`` for slices that together cover ``range(size)``.

    Many threads call it at once, each for another block; without `element_threads`, or
    where a thread would get little, there is one block.

    Examples
    --------
    >>> in_blocks(print, 10)
    slice(0, 10, None)
    """
    n_threads, pool = _team.get()
    n_blocks = max(1, min(n_threads, size // _FEWEST))
    edges = [size * i // n_blocks for i in range(n_blocks + 1)]
    own, *others = map(slice, edges, edges[1:])
    # In a copy of the context, where NumPy keeps what to do about an overflow.
    handed = [pool.submit(copy_context().run, function, block) for block in others]
    function(own)
    for future in handed:
        future.result()
