"""Curves of a comparison of initializers: over label budgets, over epochs (`plots`)."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from math import ceil
from typing import Any

import numpy as np

from ..study.records import cell_name
from ..study.shared_dbn import finetuning_cost, weights_of_autoencoder
from .display import MAX_MARKERS, line_style, logarithmic, new_axes, plain
from .results_display import ResultsDisplay, choose, lowest, names_of


@dataclass(eq=False, repr=False)
class _MeansDisplay(ResultsDisplay):
    """Mean test errors along an axis, a line per contender, with bands."""

    _: KW_ONLY
    hidden_layer_sizes: Sequence[int] | None = None

    def _rows(self, axis: str) -> list[dict[str, Any]]:
        """The settings of the net, by what stands along the axis."""
        rows, sizes = self.result.summary(), self.hidden_layer_sizes
        nets = (tuple(row["hidden_layer_sizes"]) for row in rows)
        asked = None if sizes is None else tuple(sizes)
        net = choose(nets, asked, "hidden_layer_sizes")
        rows = [row for row in rows if tuple(row["hidden_layer_sizes"]) == net]
        return sorted(rows, key=lambda row: row[axis])

    def _draw_lines(
        self,
        ax: Any,
        rows: list[dict[str, Any]],
        x_of: Callable[[dict[str, Any], str], float],
    ) -> None:
        """A line for each contender, at the places that a setting has for it."""
        contenders = [row["contenders"] for row in rows]
        handles, factor = {}, self._factor
        floor = factor * lowest([c["mean"] for its in contenders for c in its.values()])
        for i, name in enumerate(names_of(contenders)):
            found = [row for row in rows if name in row["contenders"]]
            x = [x_of(row, name) for row in found]
            mean, low, high = (
                factor * np.array([row["contenders"][name][key] for row in found])
                for key in ("mean", "low", "high")
            )
            style, first = line_style(i), found[0]["dbn"] == name
            ax.fill_between(
                x,
                np.maximum(low, floor),
                high,
                facecolor=(style["color"], 0.2 if first else 0.06),
                edgecolor=(style["color"], 0.5),
                linewidth=0.8,
            )
            style |= {"linewidth": 2.5 if first else 1.5, "markersize": 5}
            (handles[name],) = ax.plot(x, mean, **style)
        self._scale_errors(ax, floor)
        of = cell_name(rows[0]).partition(",")[0]
        self._finish(ax, f"{plain(of)}, mean and 95 % interval over seeds", handles)


class LabelBudgetDisplay(_MeansDisplay):
    """Mean test error against the number of labels, a line per contender, with bands.

    A band is the 95 % interval of the mean over seeds at each label budget, made as the
    intervals of differences are. Seeds are paired: whether two contenders differ is
    decided by the interval of their difference in the table, which is narrower than
    overlapping bands suggest. Where errors differ much their axis is logarithmic.

    Parameters
    ----------
    result : Comparison
        With two label budgets or more.
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

    def _draw(self, ax: Any) -> Any:
        if self.result.settings.get("target") == "rows":
            raise ValueError(
                "The comparison has no label budgets: it is of reconstructions. "
                "TrainingLengthDisplay shows them."
            )
        rows = self._rows("n_labels")
        if len(rows) < 2:
            net = tuple(rows[0]["hidden_layer_sizes"])
            raise ValueError(
                f"The comparison has {len(rows)} label budget for the net {net}; a "
                "line needs 2 or more. ComparisonDisplay shows one."
            )
        ax = ax or new_axes(7.6, 4.4)
        self._draw_lines(ax, rows, lambda row, _: row["n_labels"])
        _scale_budgets(ax, [row["n_labels"] for row in rows])
        return ax


@dataclass(eq=False, repr=False)
class TrainingLengthDisplay(_MeansDisplay):
    """Mean test error of autoencoders against epochs, a line per contender, with bands.

    Every point is a net of its own, trained for so long: its learning rate falls to 0
    there. Controls that are not trained in epochs stand at those of the setting.

    Parameters
    ----------
    result : Comparison
        Of reconstructions: made without y.
    hidden_layer_sizes : sequence of int, default=None
        Which encoder; None if there is only one.
    pretraining_counted : bool, default=False
        Whether epochs are those of fine-tuning, or have the multiply-adds of
        pretraining in them, as so many epochs more.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import TrainingLengthDisplay, compare_initializers
    >>> result = compare_initializers(
    ...     load_digits().data / 16, None, hidden_layer_sizes=[(16, 4)], n_seeds=2,
    ...     inits=[("dbn", "logistic"), ("he_normal", "relu")], learning_rates=[0.01],
    ...     n_updates=[10, 100], pretrain_updates=10)
    >>> TrainingLengthDisplay.from_results(result).ax_.get_xlabel()
    'epochs of fine-tuning'
    >>> plt.close()
    """

    _: KW_ONLY
    pretraining_counted: bool = False

    def _draw(self, ax: Any) -> Any:
        settings = self.result.settings
        if settings.get("target") != "rows":
            raise ValueError(
                "The comparison is not of reconstructions, and its settings are label "
                "budgets. LabelBudgetDisplay shows them."
            )
        rows = self._rows("n_updates")
        ax = ax or new_axes(7.6, 4.4)
        self._draw_lines(ax, rows, self._epochs)
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("{x:g}")
        ax.xaxis.get_minor_locator().set_params(subs=(2.0, 5.0))
        ax.tick_params("x", which="both", labelsize="small")
        counted = ", those of pretraining counted" if self.pretraining_counted else ""
        ax.set_xlabel(f"epochs of fine-tuning{counted}")
        return ax

    def _epochs(self, row: dict[str, Any], name: str) -> float:
        """How long a contender is trained, as epochs of fine-tuning of its net."""
        settings, its = self.result.settings, row["contenders"][name]
        n_rows = settings["n_train"]
        if its["finetune_multiply_adds"] is None:
            n_batches = ceil(n_rows / settings["batch_size"])
            return float(ceil(row["n_updates"] / n_batches))
        weights = weights_of_autoencoder(
            settings["n_features"], *row["hidden_layer_sizes"]
        )
        products = its["finetune_multiply_adds"]
        if self.pretraining_counted:
            products += its["pretrain_multiply_adds"] or 0
        return float(products / finetuning_cost(weights, n_rows))


@dataclass(eq=False, repr=False)
class LossCurvesDisplay(ResultsDisplay):
    """Training loss against epochs, a line per net, with bands over seeds.

    Lines are medians over seeds, bands the middle half of the seeds. Each net is
    trained at the learning rate that was chosen for its seed.

    Parameters
    ----------
    result : Comparison
    cell : str, default=None
        Which setting, by its name in ``result.curves()``; None if there is only one.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import LossCurvesDisplay, compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> LossCurvesDisplay.from_results(result).ax_.get_ylabel()
    'training loss (nats)'
    >>> plt.close()
    """

    _: KW_ONLY
    cell: str | None = None

    def _draw(self, ax: Any) -> Any:
        curves = self.result.curves()
        cell = choose(curves, self.cell, "cell")
        ax = ax or new_axes(7.6, 4.0)
        names, handles = names_of(self.result.errors().values()), {}
        for name, (epochs, losses) in curves[cell].items():
            style = line_style(names.index(name))  # as in the other pictures
            low, middle, high = np.quantile(losses, [0.25, 0.5, 0.75], axis=0)
            ax.fill_between(
                epochs, low, high, color=style["color"], alpha=0.15, linewidth=0
            )
            style |= {"markevery": max(len(epochs) // MAX_MARKERS, 1)}
            (handles[name],) = ax.plot(epochs, middle, markersize=4, **style)
        if all((losses > 0.0).all() for _, losses in curves[cell].values()):
            logarithmic(ax)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="epoch of fine-tuning", ylabel="training loss (nats)")
        words = "median and middle half of the seeds"
        self._finish(ax, f"{plain(cell)}, {words}", handles)
        return ax


def _scale_budgets(ax: Any, budgets: list[int]) -> None:
    """A logarithmic axis with a tick at each, aslant where they are close."""
    gaps = np.diff(np.log(budgets))
    names = [f"{n // 1000}k" if n % 1000 == 0 else str(n) for n in budgets]
    ax.set_xscale("log")
    ax.set_xticks(budgets, names)
    ax.set_xticks([], minor=True)
    if gaps.min() < 0.06 * gaps.sum():
        ax.tick_params("x", rotation=45)
    ax.set_xlabel("labelled training rows")
