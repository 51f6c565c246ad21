"""What can be drawn of an estimator, and whether that was asked for."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...backend.device import to_host
from ...estimators.frames import FrameColumns


def check_methods(estimator: Any, *methods: str) -> None:
    """Raise a TypeError if a method is missing, and an error if there was no fit.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> check_methods(RBMTransformer(2, max_iter=1).fit([[0.0, 1.0]]), "sample")
    """
    missing = [name for name in methods if not hasattr(estimator, name)]
    if missing:
        draws = "sample" in methods
        other = "GenerativeDBNClassifier" if draws else "DBNAutoencoder"
        raise TypeError(
            f"{type(estimator).__name__} has no method {' and no '.join(missing)}. "
            f"Pass an RBMTransformer, a DBNTransformer or a {other}."
        )
    check_is_fitted(estimator)


def labels_to_draw(
    estimator: Any, n: int | None = None, label: Any = None
) -> tuple[list[Any], list[Any] | None]:
    """The class of each row to draw, and classes that have n rows each, if not one.

    Parameters
    ----------
    estimator : estimator
        Without classes those of rows are None.
    n, label
        As in `SamplesDisplay.from_estimator`.

    Raises
    ------
    ValueError
        If the label is no class of the estimator, or n is not at least 1.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> labels_to_draw(RBMTransformer(), 2)
    ([None, None], None)
    """
    found = to_host(getattr(estimator, "classes_", np.array([]))).tolist()
    if n is not None:
        check_count(n, 1)
    if label is None and found:
        return [y for y in found for _ in range(n or 10)], found
    name = type(estimator).__name__
    if label is not None and not found:
        raise ValueError(
            f"label is {label!r:.80}; {name} has no classes. Leave it out."
        )
    if label is not None and (np.ndim(label) or label not in found):
        raise ValueError(
            f"label is {label!r:.80}; the classes of {name} are {found!r:.200}. Give "
            "one of them, or None."
        )
    return [label] * (n or 64), None


def check_pixels(columns: FrameColumns | None) -> None:
    """Raise a ValueError if columns of a frame are no pixels."""
    pairs = zip(columns.names, columns.categories, strict=True) if columns else ()
    if words := [name for name, values in pairs if values]:
        raise ValueError(
            f"The columns {words!r:.200} hold words, which are no pixels. Fit on "
            "numbers or booleans, or look at the frame of `sample`."
        )


def check_count(n: Any, least: int) -> None:
    """Raise a ValueError unless `n` is an integer, and at least `least`.

    Examples
    --------
    >>> check_count(3, 1)
    """
    if not isinstance(n, Integral) or n < least:
        raise ValueError(f"n is {n!r:.80}; it must be an integer of at least {least}.")
