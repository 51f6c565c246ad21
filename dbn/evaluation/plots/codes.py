"""The map that a code of two units makes of the rows (extra `plots`)."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...backend.array import dense
from ...backend.device import to_host
from ...backend.types import Array
from .contender_styles import NET_COLORS
from .display import MARKERS, Display, legend_beside, new_axes, plain, tidy

# Each colour and mark twice, filled and hollow.
_MAX_CLASSES = len(NET_COLORS) * 2


@dataclass(eq=False, repr=False)
class CodesDisplay(Display):
    """Codes of two units as a map: every row a point, every class its colour and mark.

    Figure 3 of Hinton and Salakhutdinov (2006), "Reducing the dimensionality of data
    with neural networks", which shows PCA beside it: axes of two displays stand side by
    side with `ax`. Where classes lie on top of each other the middle of each, the
    median of both units, has its name.

    Parameters
    ----------
    codes : array-like of shape (n_rows, 2)
    y : array-like of shape (n_rows,), default=None
        Classes, of which 16 are told apart; or None.
    title : str, default=""

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dbn import DBNAutoencoder
    >>> from dbn.evaluation import CodesDisplay, load_dataset
    >>> data = load_dataset("digits")
    >>> net = DBNAutoencoder((20, 2), init="he_normal", activation="relu", max_iter=20)
    >>> display = CodesDisplay.from_estimator(net.fit(data.X), data.X, data.y)
    >>> len(display.ax_.collections), display.codes.shape
    (10, (1797, 2))
    >>> plt.close()
    """

    codes: Array
    y: Array = None
    _: KW_ONLY
    title: str = ""

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Array,
        y: Array = None,
        *,
        title: str = "",
        ax: Any = None,
    ) -> Self:
        """Draw ``estimator.transform(X)``; return the display.

        Parameters
        ----------
        estimator : estimator
            Fitted, with a `transform` to two columns: a `DBNAutoencoder` whose last
            hidden layer has two units, or PCA.
        X : array-like, frame or sparse matrix of shape (n_rows, n_features)
        y : array-like of shape (n_rows,), default=None
        title : str, default=""
        ax : matplotlib Axes, optional

        Raises
        ------
        TypeError
            If the estimator has no method `transform`.
        ValueError
            If codes have not two units, or there are too many classes.
        ImportError
            If matplotlib is not installed.
        """
        if not hasattr(estimator, "transform"):
            raise TypeError(
                f"{type(estimator).__name__} has no method transform. Pass a fitted "
                "DBNAutoencoder, or another transformer."
            )
        check_is_fitted(estimator)
        codes = np.asarray(to_host(dense(estimator.transform(X))))
        return cls(codes, y, title=title).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        codes = np.asarray(self.codes)
        if codes.ndim != 2 or codes.shape[1] != 2:
            raise ValueError(
                f"Codes have the shape {codes.shape}, and a map needs two columns. Fit "
                "an autoencoder whose last hidden layer has two units, as in "
                "DBNAutoencoder((256, 64, 2))."
            )
        groups = self._groups(len(codes))
        ax = ax or new_axes(6.4, 5.0)
        size = float(np.clip(6000.0 / len(codes), 4.0, 30.0))
        for i, (name, rows) in enumerate(groups.items()):
            style = _style(i)
            ax.scatter(*codes[rows].T, s=size, linewidths=0.6, label=name, **style)
        for name, rows in groups.items() if len(groups) > 1 else ():
            ax.annotate(
                name,
                np.median(codes[rows], axis=0),
                ha="center",
                va="center",
                fontweight="bold",
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8},
            )
        ax.set(xlabel="first code unit", ylabel="second code unit")
        ax.set_title(plain(self.title), fontsize="medium", loc="left")
        tidy(ax)
        if len(groups) > 1:
            legend_beside(ax, markerscale=1.5)
        return ax

    def _groups(self, n_rows: int) -> dict[str, Array]:
        """Rows of each class, by its name."""
        if self.y is None:
            return {"rows": np.arange(n_rows)}
        y = np.asarray(self.y)
        if len(y) != n_rows:
            raise ValueError(f"There are {n_rows} codes and {len(y)} labels in y.")
        classes = np.unique(y)
        if len(classes) > _MAX_CLASSES:
            raise ValueError(
                f"y has {len(classes)} classes, and {_MAX_CLASSES} can be told apart. "
                "Leave y away, or show some of the classes."
            )
        return {plain(str(name)): np.flatnonzero(y == name) for name in classes}


def _style(i: int) -> dict[str, Any]:
    """Colour and mark of the i-th class: the second time around marks are hollow."""
    color = NET_COLORS[i % len(NET_COLORS)]
    filled = i < len(NET_COLORS)
    return {
        "marker": MARKERS[i % len(MARKERS)],
        "facecolors": (color, 0.6) if filled else "none",
        "edgecolors": color,
    }
