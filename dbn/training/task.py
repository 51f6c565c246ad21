"""The tree of work that a training reports to."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class Task:
    """A node in the tree of work (fit, layer, epoch); this default tells nobody.

    `FitTask`, among the callbacks, reports the same tree to those of scikit-learn.

    Examples
    --------
    >>> for epoch, task in Task().steps(range(2), "epoch"):
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
        self, items: Iterable[Any], name: str, n_subtasks: int = 0
    ) -> Iterator[tuple[Any, "Task"]]:
        """Yield each item with a task of its own, until a callback asks to stop."""
        for item in items:
            with self.subtask(name, n_subtasks) as task:
                yield item, task
            if task.stop:
                return
