"""Curves of training (extra `plots`)."""

from dataclasses import KW_ONLY, dataclass
from math import ceil
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .display import MAX_MARKERS, Display, layer_styles, require_matplotlib, tidy

_AXIS_LABELS = {
    "reconstruction_error": "squared error per visible unit",
    "loss": "training loss",
    "free_energy_gap": "free-energy gap (nats)",
    "pseudo_log_likelihood": "pseudo-log-likelihood (nats)",
    "dead_units": "dead hidden units",
    "always_on_units": "hidden units always on",
    "weight_norm": "norm of W",
    "update_norm": "norm of the change of W",
}
# Colour of the whole net, beside those of its layers.
_NET = "#D55E00"


@dataclass(eq=False, repr=False)
class HistoryDisplay(Display):
    """Metrics of training against epochs: a panel per metric, a line per layer.

    Units stand at the axes. The training loss is in nats for a classifier and a squared
    error for a regressor.

    Parameters
    ----------
    history : list of dict
        `history_` of an estimator: phase, layer, epoch and metrics of every epoch.
    metrics : str or list of str, default=None
        Which to show; None shows all. `dbn.training.RBMMonitor` adds metrics.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each metric; `ax_` is the first.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dbn import RBMTransformer
    >>> from dbn.evaluation import HistoryDisplay, load_dataset
    >>> X = load_dataset("digits").X
    >>> rbm = RBMTransformer(n_components=20, max_iter=5, random_state=0).fit(X)
    >>> [ax.get_ylabel() for ax in HistoryDisplay.from_estimator(rbm).axes_]
    ['squared error per visible unit']
    >>> plt.close()
    """

    history: list[dict[str, Any]]
    _: KW_ONLY
    metrics: str | list[str] | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        metrics: str | list[str] | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the `history_` of a fitted estimator; return the display.

        Parameters
        ----------
        estimator : estimator with `history_`
        metrics : str or list of str, default=None
        ax : matplotlib Axes, or a sequence with one for each metric, optional

        Raises
        ------
        ValueError
            If a metric is not in the history, or there is not one Axes per metric.
        ImportError
            If matplotlib is not installed.
        """
        check_is_fitted(estimator, "history_")
        return cls(estimator.history_, metrics=metrics).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        metrics = self._metrics()
        axes = self._new_axes(len(metrics)) if ax is None else list(np.ravel(ax))
        if len(axes) != len(metrics):
            raise ValueError(
                f"ax holds {len(axes)} Axes for {len(metrics)} metrics {metrics}. Pass "
                "one for each, or choose among the metrics."
            )
        layers: dict[str, list[dict[str, Any]]] = {}
        for entry in self.history:
            name = f"layer {entry['layer']}" if "layer" in entry else "fine-tuning"
            layers.setdefault(name, []).append(entry)
        styles = dict(zip(layers, layer_styles(len(layers)), strict=True))
        if len(layers) > 1 and "fine-tuning" in layers:  # which is no layer
            machines = [name for name in layers if name != "fine-tuning"]
            styles = dict(zip(machines, layer_styles(len(machines)), strict=True))
            styles["fine-tuning"] = {"color": _NET, "marker": "X", "linestyle": "--"}
        lines: dict[str, Any] = {}
        for panel, metric in zip(axes, metrics, strict=True):
            lines |= _draw_metric(panel, metric, layers, styles)
        if len(lines) > 1:
            handles = list(lines.values())
            if ax is None:
                axes[0].figure.legend(
                    handles=handles,
                    frameon=False,
                    loc="outside upper center",
                    ncols=min(len(lines), 5),
                )
            else:
                axes[0].legend(handles=handles, fontsize="small")
        self.axes_ = axes
        return axes[0]

    def _metrics(self) -> list[str]:
        """Names of the metrics to show, all of them in the history."""
        keys = dict.fromkeys(key for entry in self.history for key in entry)
        found = [key for key in keys if key not in ("phase", "layer", "epoch")]
        asked = found if self.metrics is None else self.metrics
        asked = [asked] if isinstance(asked, str) else list(asked)
        if not asked or not {*asked} <= {*found}:
            raise ValueError(
                f"metrics is {self.metrics!r}; the history has {found}. Choose among "
                "these, or fit with dbn.training.RBMMonitor to record more."
            )
        return asked

    def _new_axes(self, n: int) -> list[Any]:
        columns = min(n, 3)
        lines = ceil(n / columns)
        figure = require_matplotlib().figure(
            figsize=(0.8 + 3.2 * columns, 0.4 + 2.6 * lines), layout="constrained"
        )
        return [figure.add_subplot(lines, columns, i + 1) for i in range(n)]


def _draw_metric(
    ax: Any,
    metric: str,
    layers: dict[str, list[dict[str, Any]]],
    styles: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """One panel, with a line for each layer that has the metric; return the lines."""
    lines, values = {}, []
    for name, entries in layers.items():
        points = [(e["epoch"], e[metric]) for e in entries if metric in e]
        if points:
            values += [value for _, value in points]
            (lines[name],) = ax.plot(
                *zip(*points, strict=True),
                **styles[name],
                markevery=ceil(len(points) / MAX_MARKERS),
                markersize=4,
                label=name,
            )
    ax.xaxis.get_major_locator().set_params(integer=True)
    if all(isinstance(value, Integral) for value in values):  # counts
        top = max(1, *values)
        ax.set_ylim(-0.05 * top, 1.05 * top)
        ax.yaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("epoch")
    ax.set_ylabel(_AXIS_LABELS.get(metric, metric.replace("_", " ")))
    tidy(ax)
    return lines
