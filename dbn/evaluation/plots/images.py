"""Weights, samples and reconstructions as images (extra `plots`)."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from math import ceil, isqrt, sqrt
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...backend.array import dense
from ...backend.device import to_host
from ...backend.missing import unmasked
from ...backend.types import Array
from ...estimators._sklearn import safe_indexing
from .display import Display, new_axes, plain
from .drawable import check_count, check_methods, check_pixels, labels_to_draw


@dataclass(eq=False, repr=False)
class FiltersDisplay(Display):
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
    ax_, figure_ : matplotlib Axes and Figure

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

    weights: Array
    _: KW_ONLY
    image_shape: tuple[int, int] | None = None
    n: int = 64

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: tuple[int, int] | None = None,
        n: int = 64,
        ax: Any = None,
    ) -> Self:
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
            If `image_shape` does not fit the features or n is no integer of at least 1.
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

    def _draw(self, ax: Any) -> Any:
        weights = np.asarray(self.weights)
        shape = _check_images(self.image_shape, weights.shape[1], self.n)
        order = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")
        self.units_ = order[: self.n]
        shown = weights[self.units_]
        limit = float(np.quantile(np.abs(shown), 0.999)) or 1.0
        return _draw_images(
            ax,
            shown,
            shape,
            scale=("RdBu_r", -limit, limit),
            label="incoming weight",
            title=f"{len(shown)} of {len(weights)} units, largest norm first",
        )


@dataclass(eq=False, repr=False)
class SamplesDisplay(Display):
    """Rows drawn from a density model, each an image; of a classifier by class.

    Of a model the means of its visible units are shown, given hidden units that were
    drawn: rows themselves, of black and white pixels, are as noisy as the units.

    Parameters
    ----------
    rows : array-like of shape (n_rows, n_features)
    steps : int
        Gibbs steps that each row took.
    means : bool, default=False
        Whether `rows` are means.
    lines : sequence, default=None
        Names of the lines, such as classes, each of which has equally many of the rows.
        None makes about a square.
    image_shape : (height, width), default=None
        None takes a square.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

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

    rows: Array
    _: KW_ONLY
    steps: int
    means: bool = False
    lines: Sequence[Any] | None = None
    image_shape: tuple[int, int] | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        n: int | None = None,
        label: Any = None,
        steps: int = 1000,
        means: bool = True,
        random_state: Any = None,
        image_shape: tuple[int, int] | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw rows from a fitted estimator and show them; return the display.

        Parameters
        ----------
        estimator : RBMTransformer, DBNTransformer, RBMClassifier or \
GenerativeDBNClassifier
            Of a classifier every class has a line.
        n : int, default=None
            Number of rows, each from a chain of its own; of a classifier in each line.
            None is 64, and 10 in a line.
        label : class, default=None
            Of a classifier: the only one to show, and then not in a line.
        steps : int, default=1000
            Gibbs steps of each chain. If pictures with more steps look different, the
            chains have not yet forgotten their start.
        means : bool, default=True
            Show the means of visible units given the hidden units that were drawn.
            False shows the rows.
        random_state : int, RandomState instance or None, default=None
        image_shape : (height, width), default=None
            None takes a square.
        ax : matplotlib Axes, optional

        Raises
        ------
        TypeError
            If the estimator has no method `sample`.
        ValueError
            If `image_shape` does not fit the features, n is no integer of at least 1,
            the label is no class of the estimator, or it was fitted on words.
        ImportError
            If matplotlib is not installed.
        """
        check_methods(estimator, "sample")
        check_pixels(columns := getattr(estimator, "columns_", None))
        labels, lines = labels_to_draw(estimator, n, label)
        # Before the work of sampling.
        shape = _check_images(image_shape, estimator.n_features_in_, len(labels))
        of = {} if labels[0] is None else {"label": labels}
        # Categories have no mean.
        asked: dict[str, Any] = {"steps": steps}
        asked["means"] = means and columns is None
        rows = estimator.sample(len(labels), **of, **asked, random_state=random_state)
        return cls(rows, **asked, lines=lines, image_shape=shape).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        rows = np.asarray(to_host(self.rows))
        shape = _check_images(self.image_shape, rows.shape[1], len(rows))
        of = "means of visible units" if self.means else "samples"
        names = () if self.lines is None else self.lines
        if len(names) and len(rows) % len(names):
            raise ValueError(
                f"{len(rows)} rows do not make {len(names)} lines; give each as many."
            )
        return _draw_images(
            ax,
            rows,
            shape,
            scale=_grey(rows),
            lines=tuple(plain(str(name)) for name in names),
            label="mean" if self.means else "value",
            title=f"{of} after {self.steps:,} Gibbs steps",
        )


@dataclass(eq=False, repr=False)
class ReconstructionsDisplay(Display):
    """Rows of data as images, and below each its reconstruction, or several of them.

    Parameters
    ----------
    rows : array-like of shape (n_rows, n_features)
        What is not known, NaN or masked, is left blank.
    reconstructions : array-like of that shape, or dict of str to array-like
        By the names of what made them, where there are several.
    image_shape : (height, width), default=None
        None takes a square.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure

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

    rows: Array
    reconstructions: Array | dict[str, Array]
    _: KW_ONLY
    image_shape: tuple[int, int] | None = None

    @classmethod
    def from_estimators(
        cls,
        estimators: dict[str, Any],
        X: Array,
        *,
        n: int = 10,
        image_shape: tuple[int, int] | None = None,
        ax: Any = None,
    ) -> Self:
        """Show what several estimators make of n rows, a line each.

        Parameters
        ----------
        estimators : dict of str to estimator
            Fitted, by the names of their lines: such as PCA, and a `DBNAutoencoder` for
            each of several starts.
        X, n, image_shape, ax
            As in `from_estimator`.

        Raises
        ------
        TypeError, ValueError, ImportError
            As in `from_estimator`.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from sklearn.decomposition import PCA
        >>> from dbn import RBMTransformer
        >>> from dbn.evaluation import ReconstructionsDisplay, load_dataset
        >>> X = load_dataset("digits").X
        >>> rbm = RBMTransformer(n_components=20, max_iter=2, random_state=0).fit(X)
        >>> models = {"PCA-5": PCA(5).fit(X), "RBM": rbm}
        >>> display = ReconstructionsDisplay.from_estimators(models, X, n=5)
        >>> [text.get_text() for text in display.ax_.get_yticklabels()]
        ['data', 'PCA-5', 'RBM']
        >>> plt.close()
        """
        if not estimators:
            raise ValueError("estimators is empty; give fitted ones by their names.")
        for estimator in estimators.values():
            check_methods(estimator, "transform", "inverse_transform")
            _check_images(image_shape, estimator.n_features_in_, n)
        made, rows = {}, safe_indexing(X, slice(n))
        for name, estimator in estimators.items():
            made[name] = estimator.inverse_transform(estimator.transform(rows))
        return cls(dense(rows), made, image_shape=image_shape).plot(ax=ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Array,
        *,
        n: int = 10,
        image_shape: tuple[int, int] | None = None,
        ax: Any = None,
    ) -> Self:
        """Show ``inverse_transform(transform(X))`` of n rows; return the display.

        Parameters
        ----------
        estimator : RBMTransformer, DBNTransformer, DBNAutoencoder
            Or a pipeline with one, or any other that has the two methods.
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
            If `image_shape` does not fit the features or n is no integer of at least 1.
        ImportError
            If matplotlib is not installed.
        """
        check_methods(estimator, "transform", "inverse_transform")
        _check_images(image_shape, estimator.n_features_in_, n)
        X = safe_indexing(X, slice(n))
        reconstructions = estimator.inverse_transform(estimator.transform(X))
        return cls(dense(X), reconstructions, image_shape=image_shape).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        rows, made = np.asarray(unmasked(self.rows)), self.reconstructions
        shape = _check_images(self.image_shape, rows.shape[1], len(rows))
        if not isinstance(made, dict):
            made = {"reconstruction": made}
        lines = np.concatenate([rows, *map(np.asarray, made.values())])
        names = ("data", *map(plain, made))
        # All on the scale of the data: what is off it looks off.
        return _draw_images(ax, lines, shape, scale=_grey(rows), lines=names)


def _check_images(
    image_shape: tuple[int, int] | None, n_features: int, n: int
) -> tuple[int, int]:
    """Return (height, width) of n images; None is a square."""
    check_count(n, 1)
    if image_shape is None:
        side = isqrt(n_features)
        if side**2 != n_features:
            raise ValueError(
                f"{n_features} features do not make a square image. Pass "
                f"image_shape=(height, width) with height * width = {n_features}."
            )
        return side, side
    sides = np.ravel(image_shape).tolist()
    if len(sides) != 2 or min(sides) < 1 or sides[0] * sides[1] != n_features:
        raise ValueError(
            f"image_shape is {image_shape}, but a row has {n_features} features; "
            f"it must be (height, width) with height * width = {n_features}."
        )
    return sides[0], sides[1]


def _grey(rows: Array) -> tuple[str, float, float]:
    """Grey scale from 0 to 1, or between the extremes of rows that leave [0, 1]."""
    low, high = _ends(rows)
    return ("gray", low, high) if low < 0.0 or high > 1.0 else ("gray", 0.0, 1.0)


def _ends(rows: Array) -> tuple[float, float]:
    """Minimum and maximum of what is known, which is not NaN; NaN where nothing is."""
    low, high = (find.reduce(rows, axis=None) for find in (np.fmin, np.fmax))
    return float(low), float(high)


def _draw_images(
    ax: Any,
    rows: Array,
    shape: tuple[int, int],
    *,
    scale: tuple[str, float, float],
    lines: tuple[str, ...] = (),
    label: str = "value",
    title: str = "",
) -> Any:
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
        size = max(3.6, margin + inches * right), 0.5 + inches * bottom
        ax = new_axes(*size, layout="compressed")
    cmap, low, top = scale
    for i, row in enumerate(rows):
        y, x = i // columns * high + gap / 2, i % columns * wide + gap / 2
        ax.imshow(
            row.reshape(shape),
            cmap=cmap,
            vmin=low,
            vmax=top,
            extent=(x, x + width, y + height, y),
        )
    ax.set(xlim=(0, right), ylim=(bottom, 0), xticks=[], facecolor="0.8")
    ax.set_yticks([(i + 0.5) * high for i in range(len(lines))], lines)
    ax.set_title(title, fontsize="medium")
    least, most = _ends(rows)
    extend = "both" if least < low or most > top else "neither"
    ax.figure.colorbar(ax.images[-1], ax=ax, label=label, extend=extend)
    return ax
