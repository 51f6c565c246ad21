"""Curves and histograms of what the layers of a net do (extra `plots`)."""

from dataclasses import KW_ONLY, dataclass
from math import ceil
from typing import Any, Self

import numpy as np

from ...backend.types import Array
from ..diagnostics import LayerStatistics, layer_statistics
from .display import (
    MAX_MARKERS,
    Display,
    legend_beside,
    line_style,
    logarithmic,
    new_axes,
    tidy,
)

_LABELS = {
    "activation_mean": "activation: mean and std (bars)",
    "activation_std": "activation: std (lines), 98th percentile (points)",
    "saturation": "share of saturated units",
    "gradient_std": "std of the back-propagated gradient",
    "singular_value": "mean singular value of the Jacobian",
    "weight_norm": "norm of W",
    "weight_gradient_norm": "norm of the gradient of W",
    "update_norm": "norm of the change of W",
    "activation_histograms": "activation",
    "gradient_histograms": "back-propagated gradient",
}
_LOGARITHMIC = ("gradient_std", "weight_norm", "weight_gradient_norm", "update_norm")


@dataclass(eq=False, repr=False)
class LayerStatisticsDisplay(Display):
    """A quantity of every layer: against epochs, or its histogram.

    The pictures of Glorot and Bengio (2010): "activation_mean" is their figure 2 and
    "activation_std" figure 3, "activation_histograms" is 4 and 6,
    "gradient_histograms" 7; norms and "gradient_std" have a logarithmic scale.

    Parameters
    ----------
    statistics : LayerStatistics or list of LayerStatistics
        From `layer_statistics`. A list holds one for each epoch, the first from before
        training. Histograms are those of the last.
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
    >>> [line.get_label() for line in display.ax_.lines]
    ['layer 0', 'layer 1']
    >>> plt.close()
    """

    statistics: LayerStatistics | list[LayerStatistics]
    _: KW_ONLY
    quantity: str = "activation_histograms"

    @classmethod
    def from_statistics(
        cls,
        statistics: LayerStatistics | list[LayerStatistics],
        *,
        quantity: str = "activation_histograms",
        ax: Any = None,
    ) -> Self:
        """Draw a quantity of every layer; return the display.

        Parameters
        ----------
        statistics : LayerStatistics or list of LayerStatistics
        quantity : str, default="activation_histograms"
        ax : matplotlib Axes, optional

        Raises
        ------
        ValueError
            If the quantity is not known or was not measured, or the list is empty.
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
        ax: Any = None,
    ) -> Self:
        """Measure a fitted net now and draw a quantity of its layers.

        Parameters
        ----------
        estimator : DBNClassifier, DBNRegressor or Network
        X : array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), optional
            Needed for gradients.
        quantity : str, default="activation_histograms"
        ax : matplotlib Axes, optional

        Raises
        ------
        TypeError, ValueError, sklearn.exceptions.NotFittedError
            See `layer_statistics` and `from_statistics`.
        ImportError
            If matplotlib is not installed.
        """
        return cls(layer_statistics(estimator, X, y), quantity=quantity).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        measured = self._measured()
        ax = ax or new_axes(6.4, 4.0)
        if self.quantity.endswith("histograms"):
            _draw_histograms(ax, getattr(measured[max(measured)], self.quantity))
            ax.set(xlabel=_LABELS[self.quantity], ylabel="density")
        else:
            _draw_curves(ax, measured, self.quantity)
            ax.set(xlabel="epoch", ylabel=_LABELS[self.quantity])
        tidy(ax)
        legend_beside(ax)
        return ax

    def _measured(self) -> dict[int, LayerStatistics]:
        """The statistics that have the quantity, by epoch."""
        if self.quantity not in _LABELS:
            raise ValueError(
                f"quantity is {self.quantity!r}; it must be one of {[*_LABELS]}."
            )
        given = self.statistics
        entries = enumerate([given] if isinstance(given, LayerStatistics) else given)
        found = {i: s for i, s in entries if getattr(s, self.quantity) is not None}
        if not found:
            raise ValueError(
                f"{self.quantity} was not measured. Gradients need y in "
                "layer_statistics, updates previous, and singular values "
                "n_jacobians above 0."
            )
        return found


def _style(layer: int, n_hidden: int) -> dict[str, Any]:
    name = f"layer {layer}" if layer < n_hidden else "output"
    return line_style(layer) | {"label": name}


def _draw_histograms(ax: Any, histograms: list[tuple[Array, Array]]) -> None:
    """A line through the middles of the bins for each layer."""
    for layer, (density, edges) in enumerate(histograms):
        style = _style(layer, len(histograms)) | {"marker": None}
        ax.plot((edges[:-1] + edges[1:]) / 2.0, density, **style)
    ax.set_ylim(bottom=0.0)


def _draw_curves(ax: Any, measured: dict[int, LayerStatistics], quantity: str) -> None:
    """A line over the epochs for each layer, with what belongs to it."""

    def of(name: str) -> Array:
        return np.array([getattr(s, name) for s in measured.values()])

    epochs, values = [*measured], of(quantity)
    bars, ends = of("activation_std"), of("activation_p98")
    every = ceil(len(epochs) / MAX_MARKERS)
    for i, curve in enumerate(values.T):
        first = i * every // values.shape[1]
        style = _style(i, bars.shape[1])
        style |= {"markersize": 4, "markevery": slice(first, None, every)}
        if quantity == "activation_mean":
            aside = (i - (values.shape[1] - 1) / 2.0) * 0.6 * every / values.shape[1]
            ax.errorbar(
                np.array(epochs) + aside,  # bars side by side
                curve,
                yerr=bars[:, i],
                errorevery=(first, every),
                elinewidth=0.8,
                capsize=2,
                **style,
            )
        else:
            ax.plot(epochs, curve, **style)
        if quantity == "activation_std":
            style |= {"linestyle": "none", "label": None}
            ax.plot(epochs, ends[:, i], **style)
    if quantity in _LOGARITHMIC:
        logarithmic(ax)
    ax.xaxis.get_major_locator().set_params(integer=True)
