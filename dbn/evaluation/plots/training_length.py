"""Errors of autoencoders against the length of their training (extra `plots`)."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from math import ceil
from typing import Any

from ..study.records import cell_name
from ..study.shared_dbn import finetuning_cost, weights_of_autoencoder
from .curves import LinesDisplay
from .display import plain
from .results_display import rows_of_net


@dataclass(eq=False, repr=False)
class TrainingLengthDisplay(LinesDisplay):
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
    hidden_layer_sizes: Sequence[int] | None = None
    pretraining_counted: bool = False

    def _draw(self, ax: Any) -> Any:
        settings = self.result.settings
        if settings.get("target") != "rows":
            raise ValueError(
                "The comparison is not of reconstructions, and its settings are label "
                "budgets. LabelBudgetDisplay shows them."
            )
        rows = rows_of_net(self.result.summary(), self.hidden_layer_sizes, "n_updates")
        of = plain(cell_name(rows[0]).partition(",")[0])
        words = f"{of}, mean and 95 % interval"
        return self._draw_lines(ax, rows, self._epochs, words)

    def _name_places(self, ax: Any, rows: list[dict[str, Any]]) -> None:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("{x:g}")
        ax.xaxis.get_minor_locator().set_params(subs=(2.0, 5.0))
        ax.tick_params("x", which="both", labelsize="small")
        counted = ", those of pretraining counted" if self.pretraining_counted else ""
        ax.set_xlabel(f"epochs of fine-tuning{counted}")

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
