"""Images of curves: made data with three points behind each."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from ..backend.rows import row_slices
from ..backend.types import Array

_SIDE, _MARGIN = 28, 2.5
# Of the pen, in pixels: a standard deviation.
_WIDTH = 0.8
# Along a curve of up to 33 pixels; closer ones change nothing any more.
_N_STEPS = 64


def make_curves(
    n_samples: int = 1000, random_state: int | np.random.RandomState | None = None
) -> Array:
    """Images of 28 x 28 pixels, each with one smooth curve.

    A curve is the quadratic Bezier curve of three control points, drawn uniformly from
    the image but for a margin, by a pen with a Gaussian profile: where it passes once,
    ink is 1 in the middle of the line. So six numbers tell all of an image. The data of
    Hinton and Salakhutdinov (2006), "Reducing the dimensionality of data with neural
    networks", are of this kind; these are not the same images.

    Parameters
    ----------
    n_samples : int, default=1000
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    ndarray of float32 of shape (n_samples, 784)
        Ink in [0, 1].

    Raises
    ------
    ValueError
        If `n_samples` is not a positive integer.

    Examples
    --------
    >>> from dbn.datasets import make_curves
    >>> X = make_curves(10, random_state=0)
    >>> X.shape, float(X.min()), float(X.max())
    ((10, 784), 0.0, 1.0)
    """
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive integer; it is {n_samples!r}.")
    low, high = _MARGIN, _SIDE - 1 - _MARGIN
    rng = check_random_state(random_state)
    points = rng.uniform(low, high, (int(n_samples), 3, 2)).astype(np.float32)
    images = np.empty((int(n_samples), _SIDE**2), dtype=np.float32)
    for rows in row_slices(images, 1000):
        images[rows] = _drawn(points[rows]).reshape(-1, _SIDE**2)
    return images


def _drawn(points: Array) -> Array:
    """Images of the curves with these control points, (n, 3, 2)."""
    t = (np.arange(_N_STEPS, dtype=np.float32) + 0.5)[:, None] / _N_STEPS
    first, second, third = (points[:, None, i, :] for i in range(3))
    at = (1 - t) ** 2 * first + 2 * t * (1 - t) * second + t**2 * third
    speed = 2 * (1 - t) * (second - first) + 2 * t * (third - second)
    length = np.sqrt((speed**2).sum(axis=2)) / _N_STEPS
    # What the pen leaves along x and y at each step; of a long straight line 1 in all.
    pixels = np.arange(_SIDE, dtype=np.float32)
    x, y = np.exp(-0.5 * ((at[..., None] - pixels) / _WIDTH) ** 2).transpose(2, 0, 1, 3)
    y *= (length / (np.sqrt(2 * np.pi) * _WIDTH))[..., None]
    return np.minimum(y.transpose(0, 2, 1) @ x, 1.0)
