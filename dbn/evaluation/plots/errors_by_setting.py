"""Test errors of the settings of a comparison: points, boxes (extra `plots`)."""

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from ...backend.types import Array
from .display import line_style, new_axes, plain
from .results_display import ResultsDisplay, choose, lowest, names_of


class _ColumnsDisplay(ResultsDisplay):
    """Every setting is a column, in which each contender has a place."""

    @abstractmethod
    def _mark(
        self, ax: Any, x: float, errors: Array, width: float, style: dict[str, Any]
    ) -> Any:
        """Draw the errors of a contender in its place; return what its legend shows."""

    def _draw_columns(
        self, ax: Any, cells: dict[str, Any], names: list[str], words: str
    ) -> None:
        """Draw all errors, above the names of their settings."""
        contenders, handles = names_of(cells.values()), {}
        width = 0.8 / len(contenders)
        for i, name in enumerate(contenders):
            offset = (i - (len(contenders) - 1) / 2) * width
            for j, its in enumerate(cells.values()):
                if name in its:
                    handles[name] = self._mark(
                        ax, j + offset, self._factor * its[name], width, line_style(i)
                    )
        ax.set_xticks(range(len(names)), names)
        ax.tick_params("x", length=0, rotation=45 if len(names) > 8 else 0)
        ax.set_xlim(-0.5, len(names) - 0.5)
        for j in range(1, len(names)):
            ax.axvline(j - 0.5, color="0.85", linewidth=1, zorder=0)
        arrays = [errors for its in cells.values() for errors in its.values()]
        self._scale_errors(ax, self._factor * lowest(np.concatenate(arrays)))
        self._finish(ax, words, handles, grid="y")


class ComparisonDisplay(_ColumnsDisplay):
    """Test errors of a comparison: every seed a point, every mean a line.

    Parameters
    ----------
    result : Comparison

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

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

    def _draw(self, ax: Any) -> Any:
        cells = self.result.errors()
        ax = ax or new_axes(4.2 + min(1.8 * len(cells), 14.0), 4.8)
        names = [plain(cell).replace(", ", "\n") for cell in cells]
        words = "every seed (points) and the mean (lines)"
        self._draw_columns(ax, cells, names, words)
        gives_back = self.result.settings.get("target") == "rows"
        ax.set_xlabel(
            "layers of the encoder, updates of fine-tuning"
            if gives_back
            else "hidden layers, labelled training rows"
        )
        return ax

    def _mark(
        self, ax: Any, x: float, errors: Array, width: float, style: dict[str, Any]
    ) -> Any:
        points = style | {"linestyle": "none", "alpha": 0.75, "markersize": 5}
        spread = np.linspace(-0.2, 0.2, len(errors)) * width
        (handle,) = ax.plot(x + spread, errors, **points)
        ends, mean = [x - 0.4 * width, x + 0.4 * width], errors.mean()
        ax.plot(ends, [mean, mean], linewidth=2.5, color=style["color"])
        return handle


@dataclass(eq=False, repr=False)
class DepthDisplay(_ColumnsDisplay):
    """Test error against the number of hidden layers, as box plots over seeds.

    Figure 1 of Erhan et al. (2010), "Why does unsupervised pre-training help deep
    learning?": boxes from the first to the third quartile with the median, whiskers to
    the last seed within one and a half times the box, and all other seeds as points.

    Parameters
    ----------
    result : Comparison
        Of two nets or more, all of different depth.
    n_labels : int, default=None
        Which label budget; None if there is only one.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import DepthDisplay, compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,), (16, 16)], label_budgets=[50],
    ...     n_seeds=2, learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> display = DepthDisplay.from_results(result)
    >>> [tick.get_text() for tick in display.ax_.get_xticklabels()]
    ['1 x 16', '2 x 16']
    >>> plt.close()
    """

    _: KW_ONLY
    n_labels: int | None = None

    def _draw(self, ax: Any) -> Any:
        rows, errors = self.result.summary(), self.result.errors()
        budgets = (row["n_labels"] for row in rows)
        n_labels = choose(budgets, self.n_labels, "n_labels")
        rows = [row for row in rows if row["n_labels"] == n_labels]
        rows.sort(key=lambda row: len(row["hidden_layer_sizes"]))
        depths = [len(row["hidden_layer_sizes"]) for row in rows]
        if len({*depths}) < max(len(depths), 2):
            raise ValueError(
                f"With {n_labels} labels the comparison has nets of the depths "
                f"{depths}; boxes against depth need 2 or more, each once."
            )
        cells = {row["cell"]: errors[row["cell"]] for row in rows}
        n_boxes = sum(map(len, cells.values()))
        ax = ax or new_axes(3.6 + min(max(3.0, 0.22 * n_boxes), 14.0), 4.4)
        names = [plain(cell).partition(",")[0] for cell in cells]
        n_seeds = len(next(iter(cells[rows[0]["cell"]].values())))
        length = rows[0]["cell"].partition(", ")[2]
        words = f"{n_labels:,} labels" if n_labels else plain(length)
        words = f"{words}, {n_seeds} seeds"
        self._draw_columns(ax, cells, names, words)
        ax.set_xlabel("hidden layers")
        return ax

    def _mark(
        self, ax: Any, x: float, errors: Array, width: float, style: dict[str, Any]
    ) -> Any:
        drawn = ax.boxplot(
            [errors],
            positions=[x],
            widths=0.8 * width,
            manage_ticks=False,
            **_box_style(style),
        )
        return drawn["boxes"][0]


def _box_style(style: dict[str, Any]) -> dict[str, Any]:
    """How the boxes of a contender look, as options of `boxplot`."""
    color, line = style["color"], {"color": style["color"], "linewidth": 1.2}
    filled = style["linestyle"] == "-"
    return {
        "patch_artist": True,
        "boxprops": {
            "edgecolor": color,
            "facecolor": (color, 0.35) if filled else "white",
            "linestyle": style["linestyle"],
        },
        "medianprops": line | {"linewidth": 2.0},
        "whiskerprops": line,
        "capprops": line,
        "flierprops": {
            "marker": style["marker"],
            "markersize": 4,
            "markerfacecolor": style["markerfacecolor"],
            "markeredgecolor": color,
        },
    }
