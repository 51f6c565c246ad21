"""Moments of data against those of a model's samples (extra `plots`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ...backend.array import dense
from ...backend.device import to_host
from ...backend.missing import unmasked
from ...backend.types import Array
from .display import Display, require_matplotlib, tidy
from .drawable import check_count, check_methods

# Points of a panel: more pairs of features than these are every so manieth.
_MAX_POINTS = 5000
_COLOR = "#0072B2"


@dataclass(eq=False, repr=False)
class MomentsDisplay(Display):
    """Means and pairwise correlations of features: data against samples of a model.

    Points of a good model lie along the diagonal. The number in a panel is the
    correlation of its points. Where values leave [0, 1], means are shares of the range
    that a feature has in the data. A value that is not known takes no part, and neither
    does a pair with a feature that does not vary. Of more than 5000 pairs, as many are
    drawn.

    Parameters
    ----------
    data, samples : array-like of shape (n_rows, n_features)

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        Of means and of correlations; `ax_` is the first.
    figure_ : matplotlib Figure
    r_means_, r_correlations_ : float
        The correlation of the points of each panel, of all of them.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dbn import RBMTransformer
    >>> from dbn.evaluation import MomentsDisplay, load_dataset
    >>> X = load_dataset("digits").X
    >>> rbm = RBMTransformer(n_components=20, max_iter=2, random_state=0).fit(X)
    >>> display = MomentsDisplay.from_estimator(rbm, X, n=100, steps=50, random_state=0)
    >>> [ax.get_title() for ax in display.axes_]
    ['means of features', 'correlations of pairs of features']
    >>> plt.close()
    """

    data: Array
    samples: Array

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Array,
        *,
        n: int = 1000,
        steps: int = 1000,
        random_state: Any = None,
        ax: Any = None,
    ) -> Self:
        """Draw samples from a fitted transformer and compare; return the display.

        Parameters
        ----------
        estimator : RBMTransformer or DBNTransformer
        X : array-like, sparse matrix or frame of shape (n_rows, n_features)
            Best rows that the model has not seen.
        n : int, default=1000
            Number of samples, each from a chain of its own. Their moments have errors
            of chance, which more of them make smaller.
        steps : int, default=1000
            Gibbs steps of each chain.
        random_state : int, RandomState instance or None, default=None
        ax : sequence of two matplotlib Axes, optional

        Raises
        ------
        TypeError
            If the estimator has no method `sample`.
        ValueError
            If n is no integer of at least 2, X does not fit, or `ax` is not two Axes.
        ImportError
            If matplotlib is not installed.
        """
        check_methods(estimator, "sample")
        check_count(n, 2)
        samples = estimator.sample(n, steps=steps, random_state=random_state)
        columns = getattr(estimator, "columns_", None)
        if columns is not None:  # a frame: its categories as columns of 0 and 1
            X, samples = columns.encode(X), columns.encode(samples)
        return cls(dense(X), samples).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        data, samples = (
            np.asarray(to_host(unmasked(rows)), dtype=float)
            for rows in (self.data, self.samples)
        )
        if data.ndim != 2 or samples.shape[1:] != data.shape[1:]:
            raise ValueError(
                f"data has shape {data.shape} and samples {samples.shape}; give rows "
                "of the same features."
            )
        axes = _two_axes(ax)
        low, high = np.nanmin(data, axis=0), np.nanmax(data, axis=0)
        grey = low.min() >= 0.0 and high.max() <= 1.0
        width = 1.0 if grey else np.where(high > low, high - low, 1.0)
        low = 0.0 if grey else low
        means = [(np.nanmean(rows, axis=0) - low) / width for rows in (data, samples)]
        pairs = _correlations(data), _correlations(samples)
        both = np.isfinite(pairs[0]) & np.isfinite(pairs[1])
        of = "" if grey else ", share of its range"
        self.r_means_ = _draw_points(axes[0], *means)
        self.r_correlations_ = _draw_points(axes[1], *(its[both] for its in pairs))
        axes[0].set_title("means of features", fontsize="medium")
        axes[1].set_title("correlations of pairs of features", fontsize="medium")
        for panel, what in zip(axes, (f"mean{of}", "correlation"), strict=True):
            panel.set(xlabel=f"{what}: data", ylabel=f"{what}: samples of the model")
        self.axes_ = axes
        return axes[0]


def _two_axes(ax: Any) -> list[Any]:
    if ax is None:
        return [
            *require_matplotlib().subplots(
                1, 2, figsize=(9.0, 4.6), layout="constrained"
            )[1]
        ]
    axes: Sequence[Any] = [*np.ravel(ax)]
    if len(axes) != 2:
        raise ValueError(
            f"ax holds {len(axes)} Axes; pass two, for means and for correlations."
        )
    return [*axes]


def _correlations(rows: Array) -> Array:
    """Of all pairs of columns, from rows where both are known; NaN without any."""
    known = (~np.isnan(rows)).astype(float)
    z = np.where(known > 0.0, rows - np.nanmean(rows, axis=0), 0.0)
    sizes = (z**2).T @ known  # of the first of a pair, where the second is known
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (z.T @ z) / np.sqrt(sizes * sizes.T)
    r[sizes * sizes.T <= 0.0] = np.nan
    return r[np.triu_indices(len(r), k=1)]


def _draw_points(ax: Any, x: Array, y: Array) -> float:
    """Draw points and the diagonal; return their correlation."""
    shown = slice(None, None, max(-(-len(x) // _MAX_POINTS), 1))
    few = len(x) < 500
    ax.plot(
        *(x[shown], y[shown], "o"),
        color=_COLOR,
        markersize=4 if few else 2.5,
        alpha=0.6 if few else 0.3,
        markeredgewidth=0,
        rasterized=True,
    )
    ends = [min(x.min(), y.min()), max(x.max(), y.max())] if len(x) else [0.0, 1.0]
    ax.plot(ends, ends, color="0.3", linewidth=1, zorder=1)
    ax.set_aspect("equal", adjustable="datalim")
    tidy(ax)
    varies = len(x) > 1 and np.ptp(x) > 0.0 < np.ptp(y)
    r = float(np.corrcoef(x, y)[0, 1]) if varies else float("nan")
    ax.text(0.04, 0.96, f"r = {r:.3f}", transform=ax.transAxes, va="top")
    return r
