"""What the Displays of a comparison share (extra `plots`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from ...backend.types import Array
from ..study.comparison import Comparison
from ..study.records import display_name, measure
from .display import Display, legend_beside, logarithmic, plain, tidy

# Where the largest error is so many times the smallest, their axis is logarithmic.
_WIDE = 10.0


@dataclass(eq=False, repr=False)
class ResultsDisplay(Display):
    """A picture of a comparison.

    Parameters
    ----------
    result : Comparison
    """

    result: Comparison

    @classmethod
    def from_results(cls, result: Comparison, *, ax: Any = None, **choice: Any) -> Self:
        """Draw a comparison, or a part of it; return the display.

        Parameters
        ----------
        result : Comparison
        ax : matplotlib Axes, optional
        **choice
            The other parameters of the Display.

        Raises
        ------
        ValueError
            If what was asked for is not in the comparison, or there is more than one to
            choose from.
        ImportError
            If matplotlib is not installed.
        """
        return cls(result, **choice).plot(ax=ax)

    @property
    def _factor(self) -> float:
        """By which errors are multiplied to be shown."""
        return measure(self.result.settings)[1]

    def _scale_errors(self, ax: Any, low: float) -> None:
        """The axis of test errors, from what `lowest` says; logarithmic if above 0."""
        ax.set_ylabel(plain(f"test {measure(self.result.settings)[0]}"))
        if low > 0.0:
            logarithmic(ax)
        ax.set_ylim(bottom=low)

    def _finish(
        self, ax: Any, words: str, handles: dict[str, Any], *, grid: str = "both"
    ) -> None:
        """Title, grid and legend."""
        name = plain(self.result.settings["dataset"])
        ax.set_title(f"{name}: {words}", fontsize="medium", loc="left")
        tidy(ax, axis=grid)
        labels = [plain(display_name(name)) for name in handles]
        legend_beside(ax, handles=[*handles.values()], labels=labels)


def choose(names: Iterable[Any], asked: Any, what: str) -> Any:
    """The one of some names that is asked for, or for None the only one there is.

    Raises
    ------
    ValueError
        If there is none. `what` is the name of the parameter.
    """
    found = [*dict.fromkeys(names)]
    if asked is None and len(found) == 1:
        return found[0]
    if asked not in found:
        raise ValueError(
            f"{what} is {asked!r:.80}; the comparison has {found}. Choose one of these."
        )
    return asked


def names_of(cells: Iterable[Iterable[str]]) -> list[str]:
    """Names of the contenders of all settings, in the order of the first."""
    return [*dict.fromkeys(name for contenders in cells for name in contenders)]


def lowest(errors: Array) -> float:
    """Lower end of an axis for errors: 0, or above it if that is to be logarithmic."""
    if min(errors) <= 0.0 or max(errors) < _WIDE * min(errors):
        return 0.0
    return float(0.8 * min(errors))
