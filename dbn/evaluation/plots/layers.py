"""Curves and histograms of what the layers of a net do (extra `plots`)."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from math import ceil
from typing import Any, Self

import numpy as np

from ...backend.types import Array
from ..diagnostics import LayerStatistics, layer_statistics
from ..study.records import display_name
from .contender_styles import contender_styles, estimator_kinds, named_estimators
from .display import (
    MAX_MARKERS,
    WIDTH,
    Display,
    LineEnd,
    layer_styles,
    legend_beside,
    logarithmic,
    name_line_ends,
    new_axes,
    tidy,
)

_LABELS = {
    "activation_mean": "activation: mean and std (bars)",
    "activation_std": "activation: std (lines), 98th percentile (points)",
    "saturation": "share of saturated units",
    "gradient_mean": "back-propagated gradient: mean and std (bars)",
    "gradient_std": "std of the back-propagated gradient",
    "singular_value": "mean singular value of the Jacobian",
    "weight_norm": "norm of W",
    "weight_gradient_norm": "norm of the gradient of W",
    "update_norm": "norm of the change of W",
    "activation_histograms": "activation",
    "gradient_histograms": "back-propagated gradient",
}
# Means, and the spread that is drawn about them.
_WITH_BARS = {"activation_mean": "activation_std", "gradient_mean": "gradient_std"}
_LOGARITHMIC = ("gradient_std", "weight_norm", "weight_gradient_norm", "update_norm")


@dataclass(eq=False, repr=False)
class LayerStatisticsDisplay(Display):
    """A quantity of every layer: against epochs, against the layer, or its histogram.

    The pictures of Glorot and Bengio (2010): "activation_mean" is their figure 2 and
    "activation_std" figure 3, "activation_histograms" is 4 and 6,
    "gradient_histograms" 7; norms and "gradient_std" have a logarithmic scale. Layers
    are dark to light, from the data upwards; nets have the colours of their starts in
    the pictures of a comparison.

    Parameters
    ----------
    statistics : LayerStatistics, or list or dict of LayerStatistics
        From `layer_statistics`. A list holds one for each epoch, the first from before
        training. Histograms are those of the last. A dict holds one for each net, by
        name: they are drawn against the layer.
    quantity : str, default="activation_histograms"
        The name of an attribute of `LayerStatistics`, `activation_p98` excepted, which
        is in the picture of "activation_std".

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from dbn import Network
    >>> from dbn.evaluation import LayerStatisticsDisplay, layer_statistics
    >>> from dbn.feedforward import get_initializer
    >>> rng = np.random.default_rng(0)
    >>> net, X = Network([20, 30, 30, 5], activation="tanh"), rng.random((50, 20))
    >>> get_initializer("xavier_uniform").fill(net, X, rng)
    >>> statistics = layer_statistics(net, X)
    >>> display = LayerStatisticsDisplay.from_statistics(statistics)
    >>> [tick.get_text() for tick in display.ax_.get_yticklabels()]
    ['layer 0', 'layer 1']
    >>> plt.close()
    """

    statistics: LayerStatistics | list[LayerStatistics] | dict[str, LayerStatistics]
    _: KW_ONLY
    quantity: str = "activation_histograms"

    @classmethod
    def from_statistics(
        cls,
        statistics: LayerStatistics
        | list[LayerStatistics]
        | dict[str, LayerStatistics],
        *,
        quantity: str = "activation_histograms",
        ax: Any = None,
    ) -> Self:
        """Draw a quantity of every layer; return the display.

        Parameters
        ----------
        statistics : LayerStatistics, or list or dict of LayerStatistics
        quantity : str, default="activation_histograms"
        ax : matplotlib Axes, optional

        Raises
        ------
        ValueError
            If the quantity is not known or was not measured, there are no statistics,
            or histograms are asked for of several nets.
        ImportError
            If matplotlib is not installed.
        """
        return cls(statistics, quantity=quantity).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Array,
        y: Array = None,
        *,
        quantity: str = "activation_histograms",
        at_start: bool = False,
        ax: Any = None,
    ) -> Self:
        """Measure a net now and draw a quantity of its layers.

        Parameters
        ----------
        estimator : DBNClassifier, DBNRegressor or Network
        X : array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), optional
            Needed for gradients.
        quantity : str, default="activation_histograms"
        at_start : bool, default=False
            Measure it as its `fit` begins; see `layer_statistics`.
        ax : matplotlib Axes, optional

        Raises
        ------
        TypeError, ValueError, sklearn.exceptions.NotFittedError
            See `layer_statistics` and `from_statistics`.
        ImportError
            If matplotlib is not installed.
        """
        found = layer_statistics(estimator, X, y, at_start=at_start)
        return cls(found, quantity=quantity).plot(ax=ax)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any] | Sequence[Any],
        X: Array,
        y: Array = None,
        *,
        quantity: str = "activation_mean",
        at_start: bool = False,
        ax: Any = None,
    ) -> Self:
        """Measure several nets now and draw a quantity against the layer, a line a net.

        Parameters
        ----------
        estimators : sequence of estimator, or dict of str to estimator
            Those of a sequence are named by their start and activation.
        X : array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), optional
            Needed for gradients.
        quantity : str, default="activation_mean"
            As of `LayerStatisticsDisplay`; no histograms.
        at_start : bool, default=False
            Measure them as their `fit` begins; see `layer_statistics`.
        ax : matplotlib Axes, optional

        Raises
        ------
        TypeError, ValueError, sklearn.exceptions.NotFittedError
            See `layer_statistics` and `from_statistics`; or two of a sequence have the
            same name.
        ImportError
            If matplotlib is not installed.
        """
        found = {
            name: layer_statistics(estimator, X, y, at_start=at_start)
            for name, estimator in named_estimators(estimators).items()
        }
        return cls(found, quantity=quantity).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        measured, quantity = self._measured(), self.quantity
        several = isinstance(self.statistics, dict)
        histograms = quantity.endswith("histograms")
        if several and histograms:
            raise ValueError(
                f"quantity is {quantity!r}, and statistics are of several nets. Draw "
                "histograms of one net at a time."
            )
        if several:
            ax = ax or new_axes(WIDTH, 4.4)
            _draw_nets(ax, measured, quantity)
        elif histograms:
            _draw_histograms(ax := ax or self._axes_of_histograms(), measured, quantity)
        else:
            ax = ax or new_axes(7.2, 4.2)
            _draw_curves(ax, measured, quantity)
        return ax

    def _axes_of_histograms(self) -> Any:
        n_layers = max(len(s.activation_mean) for s in self._measured().values())
        return new_axes(7.2, min(0.9 + 0.75 * n_layers, 12.0))

    def _measured(self) -> dict[Any, LayerStatistics]:
        """The statistics that have the quantity, by epoch or by net."""
        if self.quantity not in _LABELS:
            raise ValueError(
                f"quantity is {self.quantity!r}; it must be one of {[*_LABELS]}."
            )
        given: Any = self.statistics
        if not isinstance(given, dict):
            entries = [given] if isinstance(given, LayerStatistics) else given
            given = dict(enumerate(entries))
        found = {
            key: s for key, s in given.items() if getattr(s, self.quantity) is not None
        }
        if not found:
            raise ValueError(
                f"{self.quantity} was not measured. Gradients need y in "
                "layer_statistics, updates previous, and singular values "
                "n_jacobians above 0."
            )
        return found


def _layer_names(n: int, n_hidden: int) -> list[str]:
    return [f"layer {i}" if i < n_hidden else "output" for i in range(n)]


def _draw_histograms(ax: Any, measured: dict[Any, LayerStatistics], of: str) -> None:
    """A row for each layer, each as high as the others, on one scale of values."""
    last = measured[max(measured)]
    histograms = getattr(last, of)
    kind = of.partition("_")[0]
    moments = getattr(last, f"{kind}_mean"), getattr(last, f"{kind}_std")
    low, high = map(np.array, zip(*map(_bulk, histograms), strict=True))
    room = 0.04 * (high.max() - low.min()) or 1.0
    ends = low.min() - room, high.max() + room
    styles = layer_styles(len(histograms))
    for i, ((density, edges), style) in enumerate(zip(histograms, styles, strict=True)):
        heights = i + 0.86 * density / density.max()
        color = style["color"]
        ax.stairs(heights, edges, baseline=i, fill=True, color=(color, 0.45))
        ax.stairs(heights, edges, baseline=i, color=color, linewidth=1.4)
        ax.axhline(i, color="0.8", linewidth=0.8, zorder=0)
        outside = _share_outside(density, edges, ends)
        words = f"mean {moments[0][i]:.2g}\nstd {moments[1][i]:.2g}"
        ax.annotate(
            words + (f"\n{outside:.1%} farther out" if outside > 5e-4 else ""),
            (1.0, i + 0.08),
            xytext=(8.0, 0.0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize="small",
        )
    ax.set(xlim=ends, ylim=(-0.05, len(histograms)))
    names = _layer_names(len(histograms), len(histograms))
    ax.set_yticks([i + 0.3 for i in range(len(histograms))], names)
    ax.tick_params("y", length=0)
    ax.set(xlabel=f"{_LABELS[of]} (density, each layer on its own scale)")
    tidy(ax, axis="x")
    ax.spines["left"].set_visible(False)


def _bulk(histogram: tuple[Array, Array]) -> tuple[float, float]:
    """Ends of a histogram without the wide bins of its tails."""
    _, edges = histogram
    widths = np.diff(edges)
    wide = widths > 1.5 * np.median(widths)
    return float(edges[int(wide[0])]), float(edges[-1 - int(wide[-1])])


def _share_outside(density: Array, edges: Array, ends: tuple[float, float]) -> float:
    """Share of the values beyond the ends of the axis."""
    inside = np.diff(np.clip(edges, *ends))
    return 1.0 - float(np.sum(density * inside))


def _draw_nets(ax: Any, measured: dict[str, LayerStatistics], quantity: str) -> None:
    """A line over the layers for each net."""
    styles, ends = contender_styles(estimator_kinds(measured)), []
    longest = max(measured.values(), key=lambda s: len(getattr(s, quantity)))
    n, n_hidden = len(getattr(longest, quantity)), len(longest.activation_mean)
    for i, (name, its) in enumerate(measured.items()):
        values, color = np.asarray(getattr(its, quantity)), styles[name]["color"]
        aside = 0.0
        if quantity in _WITH_BARS:
            aside = (i - (len(measured) - 1) / 2.0) * min(0.08, 0.4 / len(measured))
        places = np.arange(len(values)) + aside
        style = styles[name] | {"linewidth": 1.8, "markersize": 5}
        _draw_line(ax, places, values, its, quantity, style)
        ends.append(LineEnd(places[-1], values[-1], display_name(name), color))
    if quantity in _LOGARITHMIC:
        logarithmic(ax)
    ax.set_xticks(range(n), [f"{i}" if i < n_hidden else "output" for i in range(n)])
    ax.set(xlabel="layer, from the data upwards", ylabel=_LABELS[quantity])
    tidy(ax)
    name_line_ends(ax, ends)


def _draw_line(
    ax: Any,
    places: Array,
    values: Array,
    its: LayerStatistics,
    quantity: str,
    style: dict[str, Any],
) -> None:
    """The line of a net, with what belongs to it."""
    if quantity in _WITH_BARS:
        bars = getattr(its, _WITH_BARS[quantity])
        ax.errorbar(places, values, yerr=bars, elinewidth=1.0, capsize=3, **style)
    else:
        ax.plot(places, values, **style)
    if quantity == "activation_std":
        points = style | {"linestyle": "none", "markerfacecolor": "white"}
        ax.plot(places, its.activation_p98, **points)


def _draw_curves(ax: Any, measured: dict[int, LayerStatistics], quantity: str) -> None:
    """A line over the epochs for each layer, with what belongs to it."""

    def of(name: str) -> Array:
        return np.array([getattr(s, name) for s in measured.values()])

    epochs, values = [*measured], of(quantity)
    n_layers, n_hidden = values.shape[1], of("activation_std").shape[1]
    every = ceil(len(epochs) / MAX_MARKERS)
    names, styles = _layer_names(n_layers, n_hidden), layer_styles(n_layers)
    for i, curve in enumerate(values.T):
        first = i * every // n_layers
        style = styles[i] | {"label": names[i]}
        style |= {"markersize": 4, "markevery": slice(first, None, every)}
        if quantity in _WITH_BARS:
            aside = (i - (n_layers - 1) / 2.0) * 0.6 * every / n_layers
            ax.errorbar(
                np.array(epochs) + aside,  # bars side by side
                curve,
                yerr=of(_WITH_BARS[quantity])[:, i],
                errorevery=(first, every),
                elinewidth=0.8,
                capsize=2,
                **style,
            )
        else:
            ax.plot(epochs, curve, **style)
        if quantity == "activation_std":
            style |= {"linestyle": "none", "label": None}
            ax.plot(epochs, of("activation_p98")[:, i], **style)
    if quantity in _LOGARITHMIC:
        logarithmic(ax)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="epoch", ylabel=_LABELS[quantity])
    tidy(ax)
    legend_beside(ax)
