"""What the Displays of a comparison share (extra `plots`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from ...backend.types import Array
from ..study.comparison import Comparison
from ..study.records import Measure, kind_of, measure
from ..study.summary import tests
from ..study.table_and_verdict import called
from .contender_styles import contender_styles
from .display import Display, plain

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

    @cached_property
    def _measure(self) -> Measure:
        """What errors are, and how they are shown, as in the table."""
        cells = self.result.errors().values()
        means = [float(errors.mean()) for its in cells for errors in its.values()]
        return measure(self.result.settings, means)

    @property
    def _factor(self) -> float:
        """By which errors are multiplied to be shown."""
        return self._measure.factor

    @property
    def _error(self) -> str:
        """What an error is, as the title of an axis."""
        return plain(f"test {self._measure.title}")

    @cached_property
    def _kinds(self) -> dict[str, str]:
        """What each contender of the comparison is, in the order of its tables."""
        cells = tests(self.result.records).values()
        first = {name: its[0] for cell in cells for name, its in cell.items()}
        return {name: kind_of(record) for name, record in first.items()}

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        """How each contender of each setting is called, as in the tables."""
        return {
            cell: {
                name: called(name, its[0].get("chosen_on"), its[0].get("n_labels"))
                for name, its in contenders.items()
            }
            for cell, contenders in tests(self.result.records).items()
        }

    @cached_property
    def _styles(self) -> dict[str, dict[str, Any]]:
        return contender_styles(self._kinds)

    def _title(self, ax: Any, words: str, **options: Any) -> None:
        name = plain(self.result.settings["dataset"])
        ax.set_title(f"{name}: {words}", fontsize="medium", loc="left", **options)


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


def rows_of_net(
    rows: list[dict[str, Any]], sizes: Sequence[int] | None, along: str
) -> list[dict[str, Any]]:
    """The settings of one net, ordered by what stands along an axis.

    Parameters
    ----------
    rows : list of dict
        Of a summary.
    sizes : sequence of int or None
        Hidden layers of the net; None if there is only one.
    along : str
        Key of the rows.

    Raises
    ------
    ValueError
        If there is no such net, or there are several to choose from.
    """
    nets = (tuple(row["hidden_layer_sizes"]) for row in rows)
    asked = None if sizes is None else tuple(sizes)
    net = choose(nets, asked, "hidden_layer_sizes")
    found = [row for row in rows if tuple(row["hidden_layer_sizes"]) == net]
    return sorted(found, key=lambda row: row[along])


def lowest(errors: Array, factor: float = 1.0) -> float | None:
    """Lower end of an axis for errors: 0, or above it if that is to be logarithmic.

    None where scores above 1 make errors below 0, which then have no natural end.

    Parameters
    ----------
    errors : sequence of float
    factor : float, default=1.0
        What they are multiplied by.
    """
    least, most = min(errors), max(errors)
    if least < 0.0:
        return None
    return float(0.8 * factor * least) if 0.0 < _WIDE * least <= most else 0.0
