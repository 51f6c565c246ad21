"""What all Displays share, and their look (extra `plots`)."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from ...storage.packing import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with any colour vision.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MAX_MARKERS = 12
# Characters of a name that stand in a picture.
_MAX_NAME = 60


class Display(ABC):
    """A picture that is drawn into given Axes or a new figure.

    Each kind has what is to be shown as parameters and a method `_draw`.
    """

    ax_: "Axes"
    figure_: "Figure"

    def plot(self, ax: Any = None) -> Self:
        """Draw into `ax`, or a new figure; return self.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where there are several panels, a sequence with one for each.

        Raises
        ------
        ValueError
            If what was asked for is not there; see the Display.
        ImportError
            If matplotlib is not installed.
        """
        ax = self._draw(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @abstractmethod
    def _draw(self, ax: Any) -> Any:
        """Draw into `ax`, or for None into a figure of a size of its own.

        Returns the Axes.
        """


def require_matplotlib() -> Any:
    """Return `matplotlib.pyplot`, or say how to get it.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib, which is not installed: pip install matplotlib."
        ) from error
    return plt


def new_axes(width: float, height: float, layout: str = "constrained") -> Any:
    """The Axes of a new figure, of a size in inches."""
    return require_matplotlib().subplots(figsize=(width, height), layout=layout)[1]


def line_style(i: int) -> dict[str, Any]:
    """Colour, marker and line of the i-th of several things: no two of 14 are alike.

    Examples
    --------
    >>> line_style(7)["color"] == line_style(0)["color"], line_style(7)["linestyle"]
    (True, '--')
    """
    color = COLORS[i % len(COLORS)]
    first = i < len(COLORS)
    return {
        "color": color,
        "marker": MARKERS[i % len(MARKERS)],
        "markerfacecolor": color if first else "white",
        "linestyle": "-" if first else "--",
    }


def plain(text: str) -> str:
    """A name from anywhere as a text for matplotlib: short, and no formula.

    Examples
    --------
    >>> plain("cost in $ or $$")
    'cost in \\\\$ or \\\\$\\\\$'
    """
    return printable(text, _MAX_NAME).replace("$", r"\$")


def tidy(ax: Any, *, axis: str = "both") -> None:
    """Lines of a grid below everything, and no frame where there is no axis."""
    ax.grid(axis=axis, color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def logarithmic(ax: Any) -> None:
    """A logarithmic y axis with plain numbers, some to a decade where it is short."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high < 1e3 * low:
        wide = high > 10.0 * low
        subs = (1.0, 2.0, 5.0) if wide else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
        ax.yaxis.get_major_locator().set_params(subs=subs)
        ax.set_yticks([], minor=True)
    ax.yaxis.set_major_formatter("{x:g}")


def legend_beside(ax: Any, **options: Any) -> None:
    """A legend at the right of the Axes, where it hides nothing."""
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        frameon=False,
        fontsize="small",
        **options,
    )
