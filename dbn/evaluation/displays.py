"""Curves and points of results and of training (extra `plots`)."""

from math import ceil
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .contenders import measure

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
_MAX_MARKERS = 12


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
            "Plots need matplotlib, which is not installed. Install it with "
            "pip install 'dbn-pretraining[plots]'."
        ) from error
    return plt


class ComparisonDisplay:
    """Test errors of a comparison: every seed a point, every mean a line.

    Parameters
    ----------
    result : Comparison

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import ComparisonDisplay, compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> ComparisonDisplay.from_results(result).ax_.get_ylabel()
    'test error (%)'
    >>> plt.close()
    """

    def __init__(self, result):
        self.result = result

    @classmethod
    def from_results(cls, result, *, ax=None):
        """Draw a comparison; return the display.

        Parameters
        ----------
        result : Comparison
        ax : matplotlib Axes, optional

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return cls(result).plot(ax=ax)

    def plot(self, ax=None):
        """Draw into `ax`, or a new figure; return self.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = require_matplotlib()
        cells = self.result.errors()
        names = list(next(iter(cells.values())))
        title, factor, _ = measure(self.result.settings)
        if ax is None:
            _, ax = plt.subplots(
                figsize=(2.0 + 2.2 * len(cells), 4.8), layout="constrained"
            )
        width = 0.8 / len(names)
        for i, name in enumerate(names):
            style = {"color": COLORS[i % len(COLORS)]}
            for j, contenders in enumerate(cells.values()):
                errors = factor * contenders[name]
                x = j + (i - (len(names) - 1) / 2) * width
                spread = np.linspace(-0.2, 0.2, len(errors)) * width
                ax.plot(
                    x + spread,
                    errors,
                    MARKERS[i % len(MARKERS)],
                    markersize=5,
                    alpha=0.75,
                    label=name if j == 0 else None,
                    **style,
                )
                ends = [x - 0.4 * width, x + 0.4 * width]
                ax.plot(ends, [errors.mean()] * 2, linewidth=2.5, **style)
        ax.set_xticks(range(len(cells)), [c.replace(", ", "\n") for c in cells])
        for j in range(1, len(cells)):
            ax.axvline(j - 0.5, color="0.85", linewidth=1, zorder=0)
        settings = self.result.settings
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel("hidden layers, labelled training rows")
        ax.set_ylabel(f"test {title}")
        ax.set_title(
            f"{settings['dataset']}: start of the net, {len(settings['seeds'])} seeds "
            "(points) and their mean (lines)",
            fontsize="medium",
        )
        ax.grid(axis="y", color="0.9")
        ax.set_axisbelow(True)
        ax.legend(title="start + activation")
        self.ax_, self.figure_ = ax, ax.figure
        return self


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
                self.figure_.legend(handles=handles, **place)
            else:
                axes[0].legend(handles=handles)
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
                color=COLORS[i % len(COLORS)],
                marker=MARKERS[i % len(MARKERS)],
                markevery=ceil(len(points) / _MAX_MARKERS),
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
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    return lines
