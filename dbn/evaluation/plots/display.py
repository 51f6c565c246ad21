"""What all Displays share, and their look (extra `plots`)."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from sklearn.isotonic import isotonic_regression

from ...storage.packing import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of a line, so that it is seen where markers are close.
MAX_MARKERS = 12
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Inches of all pictures that fill a page or a slide.
WIDTH = 9.0
# Characters of a name that stand in a picture.
_MAX_NAME = 60
# The darker part of a sequential palette: its end is too light for lines.
_SEQUENTIAL, _LIGHTEST = "viridis", 0.88
# Heights of a text from one name at the end of a line to the next.
_LINE_SPACING = 1.25


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


def layer_styles(n: int) -> list[dict[str, Any]]:
    """Colour and marker of n layers, from the data upwards: dark to light.

    Examples
    --------
    >>> [style["marker"] for style in layer_styles(3)]
    ['o', 's', '^']
    """
    colors = require_matplotlib().get_cmap(_SEQUENTIAL)(np.linspace(0, _LIGHTEST, n))
    return [
        {"color": tuple(color.tolist()), "marker": MARKERS[i % len(MARKERS)]}
        for i, color in enumerate(colors)
    ]


def plain(text: str) -> str:
    """A name from anywhere as a text for matplotlib: short, and no formula.

    A long one is cut in its middle: what tells names apart is often at their ends.

    Examples
    --------
    >>> plain("cost in $ or $$")
    'cost in \\\\$ or \\\\$\\\\$'
    >>> len(plain("a" * 100))
    60
    """
    text = printable(text, 200)
    if len(text) > _MAX_NAME:
        half = _MAX_NAME // 2
        text = f"{text[: half - 3]}...{text[-half:]}"
    return text.replace("$", r"\$")


def tidy(ax: Any, *, axis: str = "both") -> None:
    """Lines of a grid below everything, and no frame where there is no axis."""
    ax.grid(axis=axis, color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def logarithmic(ax: Any, axis: str = "y") -> None:
    """A logarithmic axis with plain numbers, some to a decade where it is short."""
    ax.set(**{f"{axis}scale": "log"})
    low, high = getattr(ax, f"get_{axis}lim")()
    its = getattr(ax, f"{axis}axis")
    if high < 1e3 * low:
        wide = high > 10.0 * low
        subs = (1.0, 2.0, 5.0) if wide else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
        its.get_major_locator().set_params(subs=subs)
        its.set_ticks([], minor=True)
    its.set_major_formatter("{x:g}")


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


class LineEnd(NamedTuple):
    """Where a line ends, and what it is called."""

    x: float
    y: float
    name: str
    color: Any
    bold: bool = False


def name_line_ends(ax: Any, ends: list[LineEnd]) -> None:
    """Write the names of lines beside their right ends, none over another.

    Call it when the limits of both axes are final. Names that would touch move apart,
    as little as they can, and thin lines lead to them.
    """
    from matplotlib.colors import to_rgb

    ends = sorted(ends, key=lambda end: end.y)
    ax.figure.canvas.figure.draw_without_rendering()  # now the Axes has its size
    size = 0.9 * require_matplotlib().rcParams["font.size"]
    points = ax.get_window_extent().height * 72.0 / ax.figure.dpi
    gap = min(_LINE_SPACING * size / points, 1.0 / max(len(ends) - 1, 1))
    at = ax.transData.transform([(end.x, end.y) for end in ends])
    heights = ax.transAxes.inverted().transform(at)[:, 1]
    steps = gap * np.arange(len(ends))
    top = 1.0 - steps[-1]
    places = isotonic_regression(heights - steps, y_min=0.0, y_max=top) + steps
    for end, place in zip(ends, places, strict=True):
        ax.annotate(
            plain(end.name),
            (end.x, end.y),
            (1.03, place),
            textcoords="axes fraction",
            arrowprops={
                "arrowstyle": "-",
                "color": end.color,
                "linewidth": 1.0,
                "alpha": 0.7,
                "shrinkA": 1.0,
                "shrinkB": 0.0,
                "relpos": (0.0, 0.5),
            },
            annotation_clip=False,
            va="center",
            fontsize=size,
            fontweight="bold" if end.bold else "normal",
            color=tuple(0.65 * np.array(to_rgb(end.color))),  # light ones can be read
        )
