"""The classes that a classifier knows."""

from collections.abc import Set
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d

from ..backend.device import beside, to_host
from ..backend.types import Array
from .marks import as_labels, marked, of_one_type
from .targets import Job


def find_classes(job: Job, classes: Array) -> Array:
    """The classes of a job's labels, or those that the user gives, sorted.

    Raises
    ------
    ValueError
        If there is only one.
    """
    trained_on = np.unique(column_or_1d(job.y if classes is None else classes))
    if len(trained_on) < 2 and classes is not None:
        raise ValueError(
            f"classes holds {trained_on.tolist()}; a classifier needs at least 2. Give "
            "all that any chunk may have."
        )
    if len(trained_on) < 2:
        raise ValueError(
            f"y has 1 class ({trained_on.tolist()[0]!r}); a classifier needs at "
            "least 2. Check the labels, or that sample_weight leaves rows of both."
        )
    # Rows of weight zero are known to have a class: others count on its place.
    classes = np.unique(job.known) if classes is None else trained_on
    if classes.dtype.kind in "biuf":  # other libraries have numbers only
        classes = beside(classes, job.rows)
    return classes


def given_classes(classes: Any, mark: Any) -> Array:
    """Classes that a user gives, without the mark of rows that have none.

    Raises
    ------
    ValueError
        If one is missing (NaN, None), or some are texts and some are not.

    Examples
    --------
    >>> given_classes({-1, 0, 1}, mark=-1)
    array([0, 1])
    """
    if classes is None:
        return None
    classes = as_labels([*classes] if isinstance(classes, Set) else classes)
    if mark is not None:
        classes = classes[~marked(classes, mark)]
    if marked(classes, np.nan).any():
        raise ValueError(
            f"classes holds {classes.tolist()!r:.200}, of which one is missing. Leave "
            "it out: rows without a label are marked by unlabeled."
        )
    return of_one_type(classes, "classes")


def check_same_classes(name: str, classes: Any, known: Array) -> None:
    """Raise a ValueError if these are not the classes that training began with."""
    known = to_host(known)
    if classes is None or getattr(classes, "ndim", 1) == 2:  # several labels
        return
    if not np.array_equal(found := np.unique(classes), known):
        raise ValueError(
            f"{name} holds {found.tolist()}, but training began with "
            f"{known.tolist()}. Give the same; for rows of some classes only, call "
            "partial_fit without classes."
        )
