"""Bars of tqdm for work that takes long, where somebody asked for them."""

import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from time import perf_counter
from typing import Any, TypeVar

T = TypeVar("T")

# Seconds after which work has a bar.
LONG = 2.0
# Bars that are open; None where nobody asked for any. Every thread has its own.
_open: ContextVar[set[Any] | None] = ContextVar("open bars", default=None)


@cache
def _tqdm() -> Any:
    """The class of bars; its import warns in a notebook without ipywidgets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        from tqdm.auto import tqdm
    return tqdm


def progress_bar(**options: Any) -> Any:
    """A tqdm bar: a notebook's own where it can show one, otherwise of text.

    Parameters
    ----------
    **options
        Of tqdm.

    Examples
    --------
    >>> progress_bar(total=3, disable=True).total
    3
    """
    return _tqdm()(**options)


@contextmanager
def bars_shown(asked: bool) -> Iterator[None]:
    """Context in which `tracked` shows bars if `asked`; if not, nothing changes.

    Bars that an error or Ctrl-C leaves open are closed at its end.

    Parameters
    ----------
    asked : bool

    Examples
    --------
    >>> with bars_shown(True):
    ...     sum(tracked(range(3), "adding", "number"))  # too short for a bar
    3
    """
    if not asked:
        yield
        return
    bars: set[Any] = set()
    token = _open.set(bars)
    try:
        yield
    finally:
        _open.reset(token)
        for bar in bars:
            bar.close()


def tracked(
    items: Iterable[T], name: str, unit: str, total: int | None = None
) -> Iterable[T]:
    """The items, with a bar from 2 seconds on while they are taken.

    Parameters
    ----------
    items : iterable
    name : str
        What is done, shown beside the bar.
    unit : str
        What one item is.
    total : int, optional
        How many there are, where `items` does not know.

    Examples
    --------
    >>> tracked(range(3), "nobody asked", "number")
    range(0, 3)
    """
    bars = _open.get()
    return items if bars is None else _with_bar(bars, items, name, unit, total)


def _with_bar(
    bars: set[Any], items: Iterable[T], name: str, unit: str, total: int | None
) -> Iterator[T]:
    n_items = len(items) if isinstance(items, Collection) else total
    begun, bar = perf_counter(), None
    try:
        for n_done, item in enumerate(items, 1):
            yield item
            if bar is not None:
                bar.update()
            elif perf_counter() - begun > LONG and n_done != n_items:
                bar = progress_bar(
                    total=n_items, initial=n_done, desc=name, unit=unit, leave=False
                )
                bars.add(bar)
    finally:
        if bar is not None:
            bar.close()
            bars.discard(bar)
