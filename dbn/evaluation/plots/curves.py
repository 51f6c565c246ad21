"""Test error against label budgets and against depth, as lines (extra `plots`)."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from ..study.records import cell_name
from .display import (
    WIDTH,
    LineEnd,
    logarithmic,
    name_line_ends,
    new_axes,
    plain,
    tidy,
)
from .results_display import ResultsDisplay, choose, lowest, rows_of_net

# Inches of a picture of lines, and of each name at an end.
_HEIGHT, _NAME = 4.6, 0.3


class LinesDisplay(ResultsDisplay):
    """A line for each contender, over settings that differ in one number."""

    def _draw_lines(
        self,
        ax: Any,
        rows: list[dict[str, Any]],
        place: Callable[[dict[str, Any], str], float],
        words: str,
    ) -> Any:
        """Draw means and intervals; `place` is that of a row and contender on x."""
        names = [n for n in self._kinds if any(n in r["contenders"] for r in rows)]
        ax = ax or new_axes(WIDTH, max(_HEIGHT, 1.2 + _NAME * len(names)))
        means = [its["mean"] for row in rows for its in row["contenders"].values()]
        floor, ends = lowest(means, self._factor), []
        for name in names:
            found = [row for row in rows if name in row["contenders"]]
            at = [place(row, name) for row in found]
            its = [row["contenders"][name] for row in found]
            mean, low, high = (
                self._factor * np.array([each[key] for each in its])
                for key in ("mean", "low", "high")
            )
            style, first = self._styles[name], its[0]["kind"] == "dbn"
            ax.fill_between(
                at,
                low if floor is None else np.maximum(low, floor),
                high,
                facecolor=(style["color"], 0.22 if first else 0.07),
                linewidth=0.0,
            )
            widths = {"linewidth": 2.8 if first else 1.5, "markersize": 5}
            ax.plot(at, mean, **style | widths, zorder=3 if first else 2)
            # One that more labels have chosen for some of its points says so.
            called = max((self._names[row["cell"]][name] for row in found), key=len)
            ends.append(LineEnd(at[-1], mean[-1], called, style["color"], first))
        self._title(ax, words)
        ax.set_ylabel(self._error)
        if floor is not None:
            if floor > 0.0:
                logarithmic(ax)
            ax.set_ylim(bottom=floor)
        tidy(ax)
        self._name_places(ax, rows)
        name_line_ends(ax, ends)
        return ax

    def _name_places(self, ax: Any, rows: list[dict[str, Any]]) -> None:
        """The axis of what the settings differ in."""
        raise NotImplementedError


@dataclass(eq=False, repr=False)
class LabelBudgetDisplay(LinesDisplay):
    """Mean test error against the number of labels, a line per contender, with bands.

    A band is the 95 % interval of the mean over seeds at each label budget, made as the
    intervals of differences are. Seeds are paired: whether two contenders differ is
    decided by the interval of their difference (`DifferencesDisplay`), which is
    narrower than overlapping bands suggest. Where errors differ much their axis is
    logarithmic.

    Parameters
    ----------
    result : Comparison
        With two label budgets or more; a line says more than dots from three on.
    hidden_layer_sizes : sequence of int, default=None
        Which net; None if there is only one.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import LabelBudgetDisplay, compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50, 90], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> LabelBudgetDisplay.from_results(result).ax_.get_xlabel()
    'labelled training rows'
    >>> plt.close()
    """

    _: KW_ONLY
    hidden_layer_sizes: Sequence[int] | None = None

    def _draw(self, ax: Any) -> Any:
        if self.result.settings.get("target") == "rows":
            raise ValueError(
                "The comparison has no label budgets: it is of reconstructions. "
                "TrainingLengthDisplay shows them."
            )
        rows = rows_of_net(self.result.summary(), self.hidden_layer_sizes, "n_labels")
        if len(rows) < 2:
            net = tuple(rows[0]["hidden_layer_sizes"])
            raise ValueError(
                f"The comparison has {len(rows)} label budget for the net {net}; a "
                "line needs 2 or more. ComparisonDisplay shows one."
            )
        of = plain(cell_name(rows[0]).partition(",")[0])
        words = f"{of}, mean and 95 % interval"
        return self._draw_lines(ax, rows, lambda row, _: row["n_labels"], words)

    def _name_places(self, ax: Any, rows: list[dict[str, Any]]) -> None:
        """A logarithmic axis with a tick at each, aslant where they are close."""
        places = [row["n_labels"] for row in rows]
        gaps = np.diff(np.log(places))
        names = [f"{n // 1000}k" if n % 1000 == 0 else str(n) for n in places]
        ax.set_xscale("log")
        ax.set_xticks(places, names)
        ax.set_xticks([], minor=True)
        if gaps.min() < 0.06 * gaps.sum():
            ax.tick_params("x", rotation=45)
        ax.set_xlabel("labelled training rows")


@dataclass(eq=False, repr=False)
class DepthDisplay(LinesDisplay):
    """Mean test error against the number of hidden layers, a line per contender.

    The question of Erhan et al. (2010), "Why does unsupervised pre-training help deep
    learning?", figure 1. Bands are 95 % intervals of each mean, as in
    `LabelBudgetDisplay`; `ComparisonDisplay` has every seed.

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
        rows = self.result.summary()
        budgets = (row["n_labels"] for row in rows)
        n_labels = choose(budgets, self.n_labels, "n_labels")
        rows = [row for row in rows if row["n_labels"] == n_labels]
        rows.sort(key=_depth)
        depths = [_depth(row) for row in rows]
        if len({*depths}) < max(len(depths), 2):
            raise ValueError(
                f"With {n_labels} labels the comparison has nets of the depths "
                f"{depths}; lines against depth need 2 or more, each once."
            )
        of = f"{n_labels:,} labels" if n_labels else rows[0]["cell"].partition(", ")[2]
        words = f"{plain(of)}, mean and 95 % interval"
        return self._draw_lines(ax, rows, _depth, words)

    def _name_places(self, ax: Any, rows: list[dict[str, Any]]) -> None:
        nets = [plain(row["cell"]).partition(",")[0] for row in rows]
        ax.set_xticks([_depth(row) for row in rows], nets)
        ax.set_xlabel("hidden layers")


def _depth(row: dict[str, Any], _: str = "") -> int:
    return len(row["hidden_layer_sizes"])
