"""Progress bars of tqdm."""

from contextlib import AbstractContextManager
from typing import Any

from ...backend.progress import bars_shown, progress_bar
from ..distributed import current_workers


def bars_of(estimator: Any) -> AbstractContextManager[None]:
    """Context in which work that takes long has a bar, if `verbose` asks for it.

    Of several processes (`data_parallel`) the first alone shows bars.

    Parameters
    ----------
    estimator : estimator

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> with bars_of(RBMTransformer(verbose=1)):
    ...     pass
    """
    return bars_shown(estimator.verbose > 0 and current_workers().rank == 0)


class TqdmBars:
    """Callback that shows one tqdm bar for each run of epochs, with its metrics.

    Estimators use it for ``verbose=1``; it can be set on any of them, or on a
    meta-estimator, with `set_callbacks`.

    Parameters
    ----------
    max_propagation_depth : int or None, default=1
        Levels of nested estimators that show bars; None for all.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> from dbn.training import TqdmBars
    >>> rbm = RBMTransformer().set_callbacks(TqdmBars())
    """

    def __init__(self, max_propagation_depth: int | None = 1) -> None:
        self.max_propagation_depth = max_propagation_depth
        self._bars: dict[int, Any] = {}
        self._n_before = 0

    def setup(self, estimator: Any, context: Any) -> None:
        """Note how many epochs there were before this fit; bars appear with it."""
        self._n_before = len(getattr(estimator, "history_", []))

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Open the bar of a run of epochs when its first epoch begins.

        What a fit that goes on from a checkpoint had done is done in the bar, too.
        """
        parent = context.parent
        if context.task_name != "epoch" or id(parent) in self._bars:
            return
        name, entries = parent.task_name, estimator.history_[self._n_before :]
        if name == "layer":
            layer = len(estimator._layers) - 1
            entries = [entry for entry in entries if entry.get("layer") == layer]
            name = f"layer {layer}"
        elif name != "fit":
            entries = [entry for entry in entries if entry["phase"] == name]
        # Of a layer or phase the task has what is left, of a fit without these all.
        n_before = 0 if name == "fit" else len(entries)
        self._bars[id(parent)] = progress_bar(
            total=parent.max_subtasks + n_before,
            initial=len(entries),
            desc=f"{context.estimator_name} {name}",
            unit="epoch",
        )

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Advance the bar after an epoch; close it after the run."""
        if context.task_name == "epoch":
            bar = self._bars[id(context.parent)]
            metrics = estimator.history_[-1].items()
            shown = {k: v for k, v in metrics if isinstance(v, float)}
            bar.set_postfix(shown, refresh=False)
            bar.update()
        elif id(context) in self._bars:
            self._bars.pop(id(context)).close()

    def teardown(self, estimator: Any, context: Any) -> None:
        """Close what an interrupted fit left open."""
        for bar in self._bars.values():
            bar.close()
        self._bars.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bars": {}}
