"""Weights, samples and reconstructions as images (extra `plots`)."""

from math import ceil, isqrt, sqrt

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend.array import dense
from ..estimators._sklearn import safe_indexing
from .displays import require_matplotlib


class FiltersDisplay:
    """Incoming weights of hidden units of the first layer, each an image.

    Units stand in order of falling Euclidean norm of their weights, so that those
    which learned something come first. Blue is negative, white zero, red positive. The
    scale is the same for all units and ends at the 99.9th percentile of the absolute
    weights shown, so that single pixels do not bleach the rest. For Gaussian visible
    units the weights are those per standard deviation of a feature: weights per unit of
    a pixel that hardly varies are huge and would hide all others.

    Parameters
    ----------
    weights : array-like of shape (n_units, n_features)
    image_shape : (height, width), default=None
        None takes a square.
    n : int, default=64
        Number of units to show, or fewer if there are not so many.

    Attributes
    ----------
    units_ : ndarray of shape (n_shown,)
        Which units are shown: indices into `weights`.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dbn import RBMTransformer
    >>> from dbn.evaluation import FiltersDisplay, load_dataset
    >>> X = load_dataset("digits").X
    >>> rbm = RBMTransformer(n_components=20, max_iter=2, random_state=0).fit(X)
    >>> len(FiltersDisplay.from_estimator(rbm, n=16).ax_.images)
    16
    >>> plt.close()
    """

    def __init__(self, weights, *, image_shape=None, n=64):
        self.weights = weights
        self.image_shape = image_shape
        self.n = n

    @classmethod
    def from_estimator(cls, estimator, *, image_shape=None, n=64, ax=None):
        """Draw the weights of a fitted estimator; return the display.

        Parameters
        ----------
        estimator : estimator
            With `components_` (as `RBMTransformer`), `coefs_` (as `DBNClassifier`,
            whose first layer it is after fine-tuning) or `dbn_` (`DBNTransformer`).
        image_shape : (height, width), default=None
            None takes a square.
        n : int, default=64
        ax : matplotlib Axes, optional

        Raises
        ------
        TypeError
            If the estimator has no such weights.
        ValueError
            If `image_shape` does not fit the features or n is below 1.
        ImportError
            If matplotlib is not installed.
        """
        check_is_fitted(estimator)
        scale = getattr(estimator, "scale_", None)
        scale = 1.0 if scale is None else scale
        if hasattr(estimator, "components_"):
            weights = estimator.components_ * scale
        elif hasattr(estimator, "coefs_"):
            weights = estimator.coefs_[0].T * scale
        elif hasattr(estimator, "dbn_"):
            weights = estimator.dbn_.rbms[0].W.T  # of standardised rows
        else:
            raise TypeError(
                f"{type(estimator).__name__} has no first-layer weights (components_, "
                "coefs_ or dbn_). Pass an RBMTransformer, DBNTransformer, "
                "DBNClassifier or DBNRegressor."
            )
        return cls(weights, image_shape=image_shape, n=n).plot(ax=ax)

    def plot(self, ax=None):
        """Draw into `ax`, or a new figure; return self. Errors: see `from_estimator`.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        """
        weights = np.asarray(self.weights)
        shape = _check_images(self.image_shape, weights.shape[1], self.n)
        order = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")
        self.units_ = order[: self.n]
        shown = weights[self.units_]
        limit = float(np.quantile(np.abs(shown), 0.999)) or 1.0
        self.ax_ = _draw_images(
            ax,
            shown,
            shape,
            scale=("RdBu_r", -limit, limit),
            label="incoming weight",
            title=f"{len(shown)} of {len(weights)} units, largest norm first",
        )
        self.figure_ = self.ax_.figure
        return self


class SamplesDisplay:
    """Rows drawn from a density model, each an image.

    Parameters
    ----------
    rows : array-like of shape (n_rows, n_features)
    steps : int
        Gibbs steps that each row took.
    image_shape : (height, width), default=None
        None takes a square.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dbn import RBMTransformer
    >>> from dbn.evaluation import SamplesDisplay, load_dataset
    >>> X = load_dataset("digits").X
    >>> rbm = RBMTransformer(n_components=20, max_iter=2, random_state=0).fit(X)
    >>> display = SamplesDisplay.from_estimator(rbm, n=9, steps=50, random_state=0)
    >>> display.rows.shape
    (9, 64)
    >>> plt.close()
    """

    def __init__(self, rows, *, steps, image_shape=None):
        self.rows = rows
        self.steps = steps
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        n=64,
        steps=1000,
        random_state=None,
        image_shape=None,
        ax=None,
    ):
        """Draw rows from a fitted transformer and show them; return the display.

        Parameters
        ----------
        estimator : RBMTransformer or DBNTransformer
        n : int, default=64
            Number of rows, each from a chain of its own.
        steps : int, default=1000
            Gibbs steps of each chain. If pictures with more steps look different, the
            chains have not yet forgotten their start.
        random_state : int, RandomState instance or None, default=None
        image_shape : (height, width), default=None
            None takes a square.
        ax : matplotlib Axes, optional

        Raises
        ------
        TypeError
            If the estimator has no method `sample`.
        ValueError
            If `image_shape` does not fit the features or n is below 1.
        ImportError
            If matplotlib is not installed.
        """
        _check_methods(estimator, "sample")
        # Before the work of sampling.
        shape = _check_images(image_shape, estimator.n_features_in_, n)
        rows = estimator.sample(n, steps=steps, random_state=random_state)
        return cls(rows, steps=steps, image_shape=shape).plot(ax=ax)

    def plot(self, ax=None):
        """Draw into `ax`, or a new figure; return self. Errors: see `from_estimator`.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        """
        rows = np.asarray(self.rows)
        shape = _check_images(self.image_shape, rows.shape[1], len(rows))
        title = f"samples after {self.steps} Gibbs steps"
        self.ax_ = _draw_images(ax, rows, shape, scale=_grey(rows), title=title)
        self.figure_ = self.ax_.figure
        return self


class ReconstructionsDisplay:
    """Rows of data as images, and below each its reconstruction.

    Parameters
    ----------
    rows, reconstructions : array-like of shape (n_rows, n_features)
    image_shape : (height, width), default=None
        None takes a square.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dbn import RBMTransformer
    >>> from dbn.evaluation import ReconstructionsDisplay, load_dataset
    >>> X = load_dataset("digits").X
    >>> rbm = RBMTransformer(n_components=20, max_iter=2, random_state=0).fit(X)
    >>> display = ReconstructionsDisplay.from_estimator(rbm, X, n=5)
    >>> len(display.ax_.images)  # 5 rows and 5 reconstructions
    10
    >>> plt.close()
    """

    def __init__(self, rows, reconstructions, *, image_shape=None):
        self.rows = rows
        self.reconstructions = reconstructions
        self.image_shape = image_shape

    @classmethod
    def from_estimator(cls, estimator, X, *, n=10, image_shape=None, ax=None):
        """Show ``inverse_transform(transform(X))`` of n rows; return the display.

        Parameters
        ----------
        estimator : RBMTransformer, DBNTransformer, or a pipeline with one
        X : array-like or sparse matrix of shape (n_samples, n_features)
        n : int, default=10
            The first n rows of X are shown.
        image_shape : (height, width), default=None
            None takes a square.
        ax : matplotlib Axes, optional

        Raises
        ------
        TypeError
            If the estimator has no methods `transform` and `inverse_transform`.
        ValueError
            If `image_shape` does not fit the features or n is below 1.
        ImportError
            If matplotlib is not installed.
        """
        _check_methods(estimator, "transform", "inverse_transform")
        _check_images(image_shape, estimator.n_features_in_, n)
        X = safe_indexing(X, slice(n))
        reconstructions = estimator.inverse_transform(estimator.transform(X))
        return cls(dense(X), reconstructions, image_shape=image_shape).plot(ax=ax)

    def plot(self, ax=None):
        """Draw into `ax`, or a new figure; return self. Errors: see `from_estimator`.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        """
        rows, reconstructions = np.asarray(self.rows), np.asarray(self.reconstructions)
        shape = _check_images(self.image_shape, rows.shape[1], len(rows))
        both = np.concatenate([rows, reconstructions])
        names = ("data", "reconstruction")
        # Both on the scale of the data: what is off it looks off.
        self.ax_ = _draw_images(ax, both, shape, scale=_grey(rows), lines=names)
        self.figure_ = self.ax_.figure
        return self


def _check_methods(estimator, *methods):
    """Raise a TypeError if a method is missing, and an error if there was no fit."""
    missing = [name for name in methods if not hasattr(estimator, name)]
    if missing:
        raise TypeError(
            f"{type(estimator).__name__} has no method {' and no '.join(missing)}. "
            "Pass an RBMTransformer or a DBNTransformer."
        )
    check_is_fitted(estimator)


def _check_images(image_shape, n_features, n):
    """Return (height, width) of n images; None is a square."""
    if n < 1:
        raise ValueError(f"n is {n}; it must be at least 1.")
    if image_shape is None:
        side = isqrt(n_features)
        if side**2 != n_features:
            raise ValueError(
                f"{n_features} features do not make a square image. Pass "
                f"image_shape=(height, width) with height * width = {n_features}."
            )
        return side, side
    shape = tuple(np.ravel(image_shape))
    if len(shape) != 2 or min(shape) < 1 or shape[0] * shape[1] != n_features:
        raise ValueError(
            f"image_shape is {image_shape}, but a row has {n_features} features; "
            f"it must be (height, width) with height * width = {n_features}."
        )
    return shape


def _grey(rows):
    """Grey scale from 0 to 1, or between the extremes of rows that leave [0, 1]."""
    low, high = float(rows.min()), float(rows.max())
    return ("gray", 0.0, 1.0) if low >= 0.0 and high <= 1.0 else ("gray", low, high)


def _draw_images(ax, rows, shape, *, scale, lines=(), label="value", title=""):
    """Draw rows as images in a grid, with a colour bar.

    `scale` is the colour map and its two ends. `lines` names the lines of the grid,
    which are then as many; otherwise all make about a square. The unit of the axes is
    a pixel of an image. Returns `ax`, or that of a new figure.
    """
    height, width = shape
    gap = 0.08 * sqrt(height * width)
    high, wide = height + gap, width + gap  # of a cell
    n = len(rows)
    columns = n // len(lines) if lines else min(n, ceil(sqrt(n * high / wide)))
    right, bottom = columns * wide, ceil(n / columns) * high
    if ax is None:
        inches = min(1.2 / max(high, wide), 10.0 / right, 5.0 / bottom)
        margin = 2.3 if lines else 1.3  # names, colour bar
        size = (max(3.6, margin + inches * right), 0.5 + inches * bottom)
        _, ax = require_matplotlib().subplots(figsize=size, layout="compressed")
    cmap, low, top = scale
    for i, row in enumerate(rows):
        y, x = i // columns * high + gap / 2, i % columns * wide + gap / 2
        image = ax.imshow(
            row.reshape(shape),
            cmap=cmap,
            vmin=low,
            vmax=top,
            extent=(x, x + width, y + height, y),
        )
    ax.set(xlim=(0, right), ylim=(bottom, 0), xticks=[], facecolor="0.8")
    ax.set_yticks([(i + 0.5) * high for i in range(len(lines))], lines)
    ax.set_title(title, fontsize="medium")
    extend = "both" if rows.min() < low or rows.max() > top else "neither"
    ax.figure.colorbar(image, ax=ax, label=label, extend=extend)
    return ax
