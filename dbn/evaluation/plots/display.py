"""What all Displays share, and their look (extra `plots`)."""

from ...storage.packing import printable

# Okabe and Ito's palette: told apart with any colour vision.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MAX_MARKERS = 12
# Characters of a name that stand in a picture.
_MAX_NAME = 60


class Display:
    """A picture that is drawn into given Axes or a new figure.

    Each kind has what is to be shown as parameters and a method ``_draw(ax)``, which
    draws into `ax`, or for None into a figure of a size of its own, and returns the
    Axes.
    """

    def plot(self, ax=None):
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
        self.ax_ = self._draw(ax)
        self.figure_ = self.ax_.figure
        return self


def require_matplotlib():
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


def new_axes(width, height):
    """The Axes of a new figure, of a size in inches."""
    _, ax = require_matplotlib().subplots(figsize=(width, height), layout="constrained")
    return ax


def line_style(i):
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


def plain(text):
    """A name from anywhere as a text for matplotlib: short, and no formula.

    Examples
    --------
    >>> plain("cost in $ or $$")
    'cost in \\\\$ or \\\\$\\\\$'
    """
    return printable(text, _MAX_NAME).replace("$", r"\$")


def tidy(ax, *, axis="both"):
    """Lines of a grid below everything, and no frame where there is no axis."""
    ax.grid(axis=axis, color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def logarithmic(ax):
    """A logarithmic y axis with plain numbers, some to a decade where it is short."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high < 1e3 * low:
        wide = high > 10.0 * low
        subs = (1.0, 2.0, 5.0) if wide else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
        ax.yaxis.get_major_locator().set_params(subs=subs)
        ax.set_yticks([], minor=True)
    ax.yaxis.set_major_formatter("{x:g}")


def legend_beside(ax, **options):
    """A legend at the right of the Axes, where it hides nothing."""
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
    return ax.legend(**place, frameon=False, fontsize="small", **options)
