"""Element-wise work on long arrays, shared among threads.

Matrix products bring their own threads; between two of them all but one of the cores
would wait while the optimizer moves every parameter.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context

# Entries per thread: to hand work over costs as much as to move about 100,000 of them.
_FEWEST = 2**18

_team = ContextVar("team", default=(1, None))


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
