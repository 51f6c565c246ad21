"""The look of all pictures, and curves of training (extra `plots`)."""

from math import ceil
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..storage.packing import printable

# Okabe and Ito's palette: told apart with any colour vision.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
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
MAX_MARKERS = 12
# Characters of a name that stand in a picture.
_MAX_NAME = 60


def require_matplotlib():
    """Return `matplotlib.pyplot`, or say how to get it.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib, which is not installed: pip install matplotlib."
        ) from error
    return plt


def new_axes(width, height):
    """The Axes of a new figure, of a size in inches."""
    _, ax = require_matplotlib().subplots(figsize=(width, height), layout="constrained")
    return ax


def line_style(i):
    """Colour, marker and line of the i-th of several things: no two of 14 are alike.

    Examples
    --------
    >>> line_style(7)["color"] == line_style(0)["color"], line_style(7)["linestyle"]
    (True, '--')
    """
    color = COLORS[i % len(COLORS)]
    first = i < len(COLORS)
    return {
        "color": color,
        "marker": MARKERS[i % len(MARKERS)],
        "markerfacecolor": color if first else "white",
        "linestyle": "-" if first else "--",
    }


def plain(text):
    """A name from anywhere as a text for matplotlib: short, and no formula.

    Examples
    --------
    >>> plain("cost in $ or $$")
    'cost in \\\\$ or \\\\$\\\\$'
    """
    return printable(text, _MAX_NAME).replace("$", r"\$")


def tidy(ax, *, axis="both"):
    """Lines of a grid below everything, and no frame where there is no axis."""
    ax.grid(axis=axis, color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def logarithmic(ax):
    """A logarithmic y axis with plain numbers, some to a decade where it is short."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high < 1e3 * low:
        wide = high > 10.0 * low
        subs = (1.0, 2.0, 5.0) if wide else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
        ax.yaxis.get_major_locator().set_params(subs=subs)
        ax.set_yticks([], minor=True)
    ax.yaxis.set_major_formatter("{x:g}")


def legend_beside(ax, **options):
    """A legend at the right of the Axes, where it hides nothing."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    return ax.legend(**place, frameon=False, fontsize="small", **options)


class HistoryDisplay:
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
        One for each metric.
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

    def __init__(self, history, *, metrics=None):
        self.history = history
        self.metrics = metrics

    @classmethod
    def from_estimator(cls, estimator, *, metrics=None, ax=None):
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

    def plot(self, ax=None):
        """Draw into `ax`, or a new figure; return self.

        Parameters
        ----------
        ax : matplotlib Axes, or a sequence with one for each metric, optional

        Raises
        ------
        ValueError
            If a metric is not in the history, or there is not one Axes per metric.
        ImportError
            If matplotlib is not installed.
        """
        metrics = self._metrics()
        axes = self._new_axes(len(metrics)) if ax is None else list(np.ravel(ax))
        if len(axes) != len(metrics):
            raise ValueError(
                f"ax holds {len(axes)} Axes for {len(metrics)} metrics {metrics}. Pass "
                "one for each, or choose among the metrics."
            )
        layers, lines = self._layers(), {}
        for panel, metric in zip(axes, metrics, strict=True):
            lines |= _draw_metric(panel, metric, layers)
        self.axes_, self.figure_ = axes, axes[0].figure
        if len(lines) > 1:
            handles = list(lines.values())
            if ax is None:
                place = {"loc": "outside upper center", "ncols": min(len(lines), 5)}
                self.figure_.legend(handles=handles, frameon=False, **place)
            else:
                axes[0].legend(handles=handles, fontsize="small")
        return self

    def _metrics(self):
        """Names of the metrics to show, all of them in the history."""
        keys = [key for entry in self.history for key in entry]
        found = [k for k in dict.fromkeys(keys) if k not in ("phase", "layer", "epoch")]
        asked = found if self.metrics is None else self.metrics
        asked = [asked] if isinstance(asked, str) else list(asked)
        if not asked or not {*asked} <= {*found}:
            raise ValueError(
                f"metrics is {self.metrics!r}; the history has {found}. Choose among "
                "these, or fit with dbn.training.RBMMonitor to record more."
            )
        return asked

    def _new_axes(self, n):
        columns = min(n, 3)
        lines = ceil(n / columns)
        figure = require_matplotlib().figure(
            figsize=(0.8 + 3.2 * columns, 0.4 + 2.6 * lines), layout="constrained"
        )
        return [figure.add_subplot(lines, columns, i + 1) for i in range(n)]

    def _layers(self):
        """Entries of each layer, and of fine-tuning, by the name in the legend."""
        layers = {}
        for entry in self.history:
            name = f"layer {entry['layer']}" if "layer" in entry else "fine-tuning"
            layers.setdefault(name, []).append(entry)
        return layers


def _draw_metric(ax, metric, layers):
    """One panel, with a line for each layer that has the metric; return the lines."""
    lines, values = {}, []
    for i, (name, entries) in enumerate(layers.items()):
        points = [(e["epoch"], e[metric]) for e in entries if metric in e]
        if points:
            values += [value for _, value in points]
            (lines[name],) = ax.plot(
                *zip(*points, strict=True),
                **line_style(i),
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
