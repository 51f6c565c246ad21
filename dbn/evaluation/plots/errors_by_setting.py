"""Test errors of the settings of a comparison: points, boxes (extra `plots`)."""

import numpy as np

from .display import line_style, new_axes, plain
from .results_display import ResultsDisplay, choose, lowest, names_of


class ComparisonDisplay(ResultsDisplay):
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

    def _draw(self, ax):
        cells = self.result.errors()
        ax = ax or new_axes(4.2 + min(1.8 * len(cells), 14.0), 4.8)
        factor, handles = self._factor, {}
        for name, style, width, places in _columns(cells):
            for x, errors in places:
                points = style | {"linestyle": "none", "alpha": 0.75, "markersize": 5}
                spread = np.linspace(-0.2, 0.2, len(errors)) * width
                (handles[name],) = ax.plot(x + spread, factor * errors, **points)
                ends = [x - 0.4 * width, x + 0.4 * width]
                mean = [factor * errors.mean()] * 2
                ax.plot(ends, mean, linewidth=2.5, color=style["color"])
        _name_columns(ax, [plain(cell).replace(", ", "\n") for cell in cells])
        ax.set_xlabel("hidden layers, labelled training rows")
        self._scale_errors(ax, factor * _lowest_of(cells))
        words = "every seed (points) and the mean (lines)"
        self._finish(ax, words, handles, grid="y")
        return ax


class DepthDisplay(ResultsDisplay):
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

    def __init__(self, result, *, n_labels=None):
        super().__init__(result)
        self.n_labels = n_labels

    def _draw(self, ax):
        rows, errors = self.result.summary(), self.result.errors()
        found = dict.fromkeys(row["n_labels"] for row in rows)
        n_labels = choose([*found], self.n_labels, "n_labels")
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
        factor, handles = self._factor, {}
        for name, style, width, places in _columns(cells):
            boxes = ax.boxplot(
                [factor * errors for _, errors in places],
                positions=[x for x, _ in places],
                widths=0.8 * width,
                manage_ticks=False,
                **_box_style(style),
            )
            handles[name] = boxes["boxes"][0]
        _name_columns(ax, [plain(cell).partition(",")[0] for cell in cells])
        ax.set_xlabel("hidden layers")
        self._scale_errors(ax, factor * _lowest_of(cells))
        n_seeds = len(next(iter(cells[rows[0]["cell"]].values())))
        words = f"{n_labels:,} labels, {n_seeds} seeds"
        self._finish(ax, words, handles, grid="y")
        return ax


def _lowest_of(cells):
    """The same for the errors of all seeds."""
    arrays = [errors for its in cells.values() for errors in its.values()]
    return lowest(np.concatenate(arrays))


def _columns(cells):
    """Where everything stands when each setting is a column of contenders.

    For each contender its name, style, width, and the middles and errors of its places.
    """
    names = names_of(cells.values())
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        offset = (i - (len(names) - 1) / 2) * width
        places = [
            (j + offset, contenders[name])
            for j, contenders in enumerate(cells.values())
            if name in contenders
        ]
        yield name, line_style(i), width, places


def _name_columns(ax, names):
    ax.set_xticks(range(len(names)), names)
    ax.tick_params("x", length=0, rotation=45 if len(names) > 8 else 0)
    ax.set_xlim(-0.5, len(names) - 0.5)
    for j in range(1, len(names)):
        ax.axvline(j - 0.5, color="0.85", linewidth=1, zorder=0)


def _box_style(style):
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
