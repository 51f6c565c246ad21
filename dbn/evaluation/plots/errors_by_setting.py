"""Settings of a comparison as groups, a row for each contender (extra `plots`)."""

from abc import abstractmethod
from typing import Any

import numpy as np

from ..study.table_and_verdict import interval
from .display import WIDTH, logarithmic, new_axes, plain, tidy
from .results_display import ResultsDisplay, lowest

# Inches of a row, and what more a group and a whole picture take.
_ROW, _AROUND = 0.215, 1.2
_MAX_HEIGHT = 150.0
# Rows from one group to the next, its name included.
_GAP = 1.7
_NAMES = {"start": "start of the same net", "control": "control"}


class _RowsDisplay(ResultsDisplay):
    """Every setting is a group, in which each contender has a row."""

    @abstractmethod
    def _mark(self, ax: Any, y: float, value: Any, style: dict[str, Any]) -> None:
        """Draw what a contender has in its row."""

    def _draw_rows(
        self, ax: Any, cells: dict[str, dict[str, Any]], words: str, pad: float = 6.0
    ) -> Any:
        """Draw all rows, below the names of their settings; return the Axes."""
        n_rows = sum(_GAP + len(its) for its in cells.values())
        ax = ax or new_axes(WIDTH, min(_AROUND + _ROW * n_rows, _MAX_HEIGHT))
        labels: dict[float, str] = {}
        heads, y = [], 0.0
        for cell, its in cells.items():
            heads.append(y)
            labels[y] = plain(cell)
            for name, value in its.items():
                y += 1.0
                labels[y] = plain(self._names[cell][name])
                self._mark(ax, y, value, self._styles[name])
            y += _GAP
        ax.set_yticks([*labels], [*labels.values()])
        for place, tick in zip(labels, ax.get_yticklabels(), strict=True):
            tick.set_fontweight("bold" if place in heads else "normal")
        ax.tick_params("y", length=0)
        ax.set_ylim(y - _GAP + 0.8, -0.8)
        tidy(ax, axis="x")
        ax.spines["left"].set_visible(False)
        for place in labels:
            if place not in heads:
                ax.axhline(place, color="0.94", linewidth=0.8, zorder=0)
        self._title(ax, words, pad=pad)
        self._tell_kinds(ax, {self._kinds[n] for its in cells.values() for n in its})
        return ax

    def _tell_kinds(self, ax: Any, shown: set[str]) -> None:
        """A legend below the axis that tells starts from controls, where both are."""
        if not shown >= {*_NAMES}:
            return
        style = {"color": "0.3", "linestyle": "none", "marker": "o"}
        (start,) = ax.plot([], [], **style)
        (control,) = ax.plot([], [], **style, markerfacecolor="white")
        ax.legend(
            handles=[start, control],
            labels=[*_NAMES.values()],
            loc="upper right",
            bbox_to_anchor=(1.0, 0.0),
            borderaxespad=4.2,  # below the label of the axis
            ncols=2,
            frameon=False,
            fontsize="small",
        )


class DifferencesDisplay(_RowsDisplay):
    """Forest plot of a comparison: the DBN minus each contender, with 95 % intervals.

    Every setting is a group, and every other contender of it a row: the mean of the
    paired differences of test errors and their 95 % interval, those of the table. Left
    of the line at zero the DBN has the lower error. Controls have hollow markers.

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
    >>> from dbn.evaluation import DifferencesDisplay, compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> display = DifferencesDisplay.from_results(result)
    >>> [tick.get_text() for tick in display.ax_.get_yticklabels()][:3]
    ['1 x 16, 50 labels', 'Xavier', 'Xavier x 4']
    >>> plt.close()
    """

    def _draw(self, ax: Any) -> Any:
        cells = {
            row["cell"]: {
                name: {k: self._factor * its["difference"][k] for k in _ENDS}
                | {"text": interval(its["difference"], self._measure)}
                for name, its in row["contenders"].items()
                if its["difference"]
            }
            for row in self.result.summary()
        }
        of, unit = plain(self._measure.words), self._measure.unit
        ax = self._draw_rows(ax, cells, "the DBN minus each contender", 22.0)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.axvline(0.0, color="0.2", linewidth=1.2, zorder=1)
        of = f"test {of} of the DBN minus that of the contender"
        ax.set_xlabel(f"{of}{unit and f' ({unit.strip()})'}, 95 % interval")
        for words, side, x in (
            ("\u2190 DBN better", "right", -5.0),
            ("DBN worse \u2192", "left", 5.0),
        ):
            ax.annotate(
                words,
                (0.0, 1.0),
                xytext=(x, 4.0),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha=side,
                fontsize="small",
                color="0.3",
            )
        return ax

    def _mark(self, ax: Any, y: float, value: Any, style: dict[str, Any]) -> None:
        mean, low, high = (value[key] for key in _ENDS)
        color = style["color"]
        bar = {"linewidth": 2.4, "solid_capstyle": "butt", "zorder": 2}
        ax.plot([low, high], [y, y], color=color, **bar)
        ax.plot(mean, y, **style | {"linestyle": "none", "markersize": 6.5})
        ax.annotate(
            value["text"].replace("-", "\u2212"),
            (1.0, y),
            xytext=(8.0, 0.0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )


_ENDS = ("mean", "low", "high")


class ComparisonDisplay(_RowsDisplay):
    """Test errors of a comparison: every seed a point, every mean a line.

    Every setting is a group, and every contender of it a row. A line through the group
    is at the mean of the DBN. Controls have hollow markers.

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
    >>> ComparisonDisplay.from_results(result).ax_.get_xlabel()
    'test error (%)'
    >>> plt.close()
    """

    def _draw(self, ax: Any) -> Any:
        cells = {
            cell: {name: self._factor * errors for name, errors in its.items()}
            for cell, its in self.result.errors().items()
        }
        ax = self._draw_rows(ax, cells, "every seed (points) and the mean (lines)")
        y = 0.0
        for its in cells.values():
            dbn = next(name for name in its if self._kinds[name] == "dbn")
            ends, mean = [y + 0.5, y + len(its) + 0.5], its[dbn].mean()
            color = self._styles[dbn]["color"]
            ax.plot([mean, mean], ends, color=color, linewidth=0.8, zorder=1)
            y += len(its) + _GAP
        ax.set_xlabel(self._error)
        every = np.concatenate(
            [errors for its in cells.values() for errors in its.values()]
        )
        low = lowest(every)
        if low is not None:
            if low > 0.0:
                logarithmic(ax, "x")
            ax.set_xlim(left=low)
        return ax

    def _mark(self, ax: Any, y: float, value: Any, style: dict[str, Any]) -> None:
        points = style | {"linestyle": "none", "alpha": 0.75, "markersize": 5}
        ax.plot(value, y + np.linspace(-0.2, 0.2, len(value)), **points)
        mean = value.mean()
        ends = [y - 0.38, y + 0.38]
        ax.plot([mean, mean], ends, linewidth=3.0, color=style["color"])
