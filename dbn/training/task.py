"""The tree of work that a training reports to."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..backend.progress import tracked


class Task:
    """A node in the tree of work (fit, layer, epoch); this default tells nobody.

    `FitTask`, among the callbacks, reports the same tree to those of scikit-learn.

    Examples
    --------
    >>> for epoch, task in Task().steps(range(2), "epoch", 2):
    ...     epoch
    0
    1
    """

    stop = False  # whether a callback asked to end the level that this task belongs to

    def resume(self) -> Any:
        """What an interrupted run of the same work has saved, or None."""
        return None

    def subtask(self, name: str, n_subtasks: int = 0) -> AbstractContextManager["Task"]:
        """Context of one piece of work that is part of this one."""
        return nullcontext(self)

    def steps(
        self, items: Iterable[Any], name: str, n_items: int
    ) -> Iterator[tuple[Any, "Task"]]:
        """Yield each item with a task of its own, until a callback asks to stop."""
        for item in self._followed(items, name, n_items):
            with self.subtask(name) as task:
                yield item, task
            if task.stop:
                return

    def _followed(self, items: Iterable[Any], name: str, n_items: int) -> Iterable[Any]:
        """The items, with a bar where they take long."""
        return tracked(items, f"{name}s", name, n_items)
