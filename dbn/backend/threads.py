"""Threads: those of the matrix products, and others for long arrays between them.

Matrix products bring their own threads; between two of them all but one of the cores
would wait while the optimizer moves every parameter.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache
from threading import RLock
from typing import Any

from threadpoolctl import ThreadpoolController

# Entries per thread: to hand work over costs as much as to move about 100,000 of them.
_FEWEST = 2**18

_team: ContextVar[tuple[int, Any]] = ContextVar("team", default=(1, None))


@cache
def _blas() -> list[Any]:
    """The BLAS libraries of this process; to look for them takes 40 ms."""
    found = ThreadpoolController().lib_controllers
    return [library for library in found if library.user_api == "blas"]


def n_blas_threads() -> int:
    """Number of threads of a matrix product.

    Examples
    --------
    >>> n_blas_threads() >= 1
    True
    """
    return max((library.num_threads for library in _blas()), default=1)


# Who wants one thread, and how many each library had before the first of them. A user
# whom nothing refers to any more leaves wherever it happens to be: in this lock, too.
_lock = RLock()
_users: set["_User"] = set()
_before: list[tuple[Any, int]] = []


class _User:
    """A context that may be left more than once."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        with _lock:
            _users.discard(self)
            if not _users:
                for library, n_threads in _before:
                    library.set_num_threads(n_threads)
                _before.clear()

    def limit(self) -> None:
        """Limit the libraries until this context is left, or this call fails."""
        with _lock:
            _users.add(self)
            if not _before:
                _before[:] = [(library, library.num_threads) for library in _blas()]
            for library, _ in _before:
                library.set_num_threads(1)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context in which matrix products use one thread, in the whole process.

    Contexts of several threads may overlap: the last one to end sets the number back to
    what it was before the first. An interruption (Ctrl-C) at any moment does not keep
    the limit.

    Examples
    --------
    >>> with one_blas_thread():
    ...     n_blas_threads()
    1
    """
    user = _User()
    # Left twice: where one exit is interrupted, the other one does its work.
    with user, user:
        user.limit()
        yield


@contextmanager
def element_threads(n_threads: int) -> Iterator[None]:
    """Context in which `in_blocks` may use `n_threads` threads, the caller included.

    Examples
    --------
    >>> with element_threads(2):
    ...     in_blocks(lambda block: None, 10)
    """
    # Threads start with their first work: one alone costs nothing.
    with ThreadPoolExecutor(max(1, n_threads - 1)) as pool:
        token = _team.set((n_threads, pool))
        try:
            yield
        finally:
            _team.reset(token)


def in_blocks(function: Callable[[slice], object], size: int) -> None:
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
