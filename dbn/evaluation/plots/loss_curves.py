"""Training loss against epochs: of a comparison, or of fitted nets (`plots`)."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from ...backend.types import Array
from ..study.comparison import Comparison
from ..study.records import display_name, kind_of
from ..study.summary import tests
from .contender_styles import contender_styles, estimator_kinds, named_estimators
from .display import (
    MAX_MARKERS,
    WIDTH,
    Display,
    LineEnd,
    logarithmic,
    name_line_ends,
    new_axes,
    plain,
    tidy,
)
from .results_display import choose

_NATS = "training loss (nats)"


@dataclass(eq=False, repr=False)
class LossCurvesDisplay(Display):
    """Training loss against epochs, a line per net.

    Of a comparison lines are medians over seeds, bands the middle half of the seeds,
    and each net is trained at the learning rate that was chosen for its seed.

    Parameters
    ----------
    curves : dict of str to tuple of ndarray
        By name, the epochs (n_points,) and the losses there, (n_seeds, n_points).
    kinds : dict of str to {"dbn", "start", "control"}, default=None
        Of all nets that have a colour, also of those that have no curve; None is those
        of the curves.
    title, label : str
        Of the picture, and of the axis of losses.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dbn import DBNClassifier
    >>> from dbn.evaluation import LossCurvesDisplay, load_dataset
    >>> data = load_dataset("digits")
    >>> nets = [
    ...     DBNClassifier((16,), init=init, max_iter=5, random_state=0).fit(
    ...         data.X[:200], data.y[:200])
    ...     for init in ("dbn", "xavier_uniform")]
    >>> [text.get_text() for text in LossCurvesDisplay.from_estimators(nets).ax_.texts]
    ['DBN', 'Xavier']
    >>> plt.close()
    """

    curves: Mapping[str, tuple[Array, Array]]
    _: KW_ONLY
    kinds: Mapping[str, str] | None = None
    title: str = ""
    label: str = _NATS

    @classmethod
    def from_results(
        cls, result: Comparison, *, cell: str | None = None, ax: Any = None
    ) -> Self:
        """Draw the nets of a setting of a comparison; return the display.

        Parameters
        ----------
        result : Comparison
        cell : str, default=None
            Which setting, by its name in ``result.curves()``; None if there is only
            one.
        ax : matplotlib Axes, optional

        Raises
        ------
        ValueError
            If there is no such setting, or more than one to choose from.
        ImportError
            If matplotlib is not installed.
        """
        curves = result.curves()
        chosen: str = choose(curves, cell, "cell")
        records = {
            name: its[0]
            for contenders in tests(result.records).values()
            for name, its in contenders.items()
        }
        settings = result.settings
        words = "median and middle half of the seeds"
        nats = settings["scoring"] == "accuracy" or settings.get("target") == "classes"
        return cls(
            curves[chosen],
            kinds={name: kind_of(record) for name, record in records.items()},
            title=f"{plain(settings['dataset'])}: {plain(chosen)}, {words}",
            label=_NATS if nats else "training loss",
        ).plot(ax=ax)

    @classmethod
    def from_estimators(
        cls, estimators: Mapping[str, Any] | Sequence[Any], *, ax: Any = None
    ) -> Self:
        """Draw the `loss_curve_` of several fitted nets; return the display.

        Parameters
        ----------
        estimators : sequence of estimator, or dict of str to estimator
            Fitted. Those of a sequence are named by their start and activation.
        ax : matplotlib Axes, optional

        Raises
        ------
        ValueError
            If there is none, or two of a sequence have the same name.
        sklearn.exceptions.NotFittedError
            If one is not fitted.
        ImportError
            If matplotlib is not installed.
        """
        named = named_estimators(estimators)
        for estimator in named.values():
            check_is_fitted(estimator, "loss_curve_")
        losses = {n: np.array(e.loss_curve_, ndmin=2) for n, e in named.items()}
        curves = {
            name: (np.arange(1, its.shape[1] + 1), its) for name, its in losses.items()
        }
        nats = all(map(is_classifier, named.values()))
        return cls(curves, label=_NATS if nats else "training loss").plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        curves = self.curves
        ax = ax or new_axes(WIDTH, max(4.2, 1.2 + 0.3 * len(curves)))
        kinds = estimator_kinds(curves) if self.kinds is None else self.kinds
        styles, ends = contender_styles(kinds), []
        for name, (epochs, losses) in curves.items():
            color, first = styles[name]["color"], kinds[name] == "dbn"
            low, middle, high = np.quantile(losses, [0.25, 0.5, 0.75], axis=0)
            ax.fill_between(epochs, low, high, color=color, alpha=0.15, linewidth=0)
            style = styles[name] | {
                "markevery": max(len(epochs) // MAX_MARKERS, 1),
                "markersize": 4,
                "linewidth": 2.8 if first else 1.5,
            }
            ax.plot(epochs, middle, **style)
            called = display_name(name)
            ends.append(LineEnd(epochs[-1], middle[-1], called, color, first))
        if all((losses > 0.0).all() for _, losses in curves.values()):
            logarithmic(ax)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="epoch of fine-tuning", ylabel=self.label)
        ax.set_title(self.title, fontsize="medium", loc="left")
        tidy(ax)
        name_line_ends(ax, ends)
        return ax
