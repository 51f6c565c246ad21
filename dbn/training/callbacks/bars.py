"""Progress bars of tqdm."""

import warnings
from functools import cache


@cache
def _tqdm():
    """The class of bars; its import warns in a notebook without ipywidgets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        from tqdm.auto import tqdm
    return tqdm


def progress_bar(**options):
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

    def __init__(self, max_propagation_depth=1):
        self.max_propagation_depth = max_propagation_depth
        self._bars = {}

    def setup(self, estimator, context):
        """Nothing to prepare: a bar appears with the first epoch."""

    def on_fit_task_begin(self, estimator, context):
        """Open the bar of a run of epochs when its first epoch begins."""
        parent = context.parent
        if context.task_name == "epoch" and id(parent) not in self._bars:
            name = f"{context.estimator_name} {_label(parent)}"
            self._bars[id(parent)] = progress_bar(
                total=parent.max_subtasks, desc=name, unit="epoch"
            )

    def on_fit_task_end(self, estimator, context):
        """Advance the bar after an epoch; close it after the run."""
        if context.task_name == "epoch":
            bar = self._bars[id(context.parent)]
            metrics = estimator.history_[-1].items()
            shown = {k: v for k, v in metrics if isinstance(v, float)}
            bar.set_postfix(shown, refresh=False)
            bar.update()
        elif id(context) in self._bars:
            self._bars.pop(id(context)).close()

    def teardown(self, estimator, context):
        """Close what an interrupted fit left open."""
        for bar in self._bars.values():
            bar.close()
        self._bars.clear()

    def __getstate__(self):
        return {"max_propagation_depth": self.max_propagation_depth, "_bars": {}}


def _label(context):
    """What a run of epochs is called: 'layer 0', 'finetune'."""
    if context.task_name == "layer":
        return f"layer {context.task_id}"
    return context.task_name
