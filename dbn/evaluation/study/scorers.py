"""What scikit-learn's scorers are for, which they do not tell: tried on guesses."""

import math
import warnings
from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.tree import DecisionTreeClassifier

from ...backend.types import Array

# Numbers that are no classes, and that every scorer of numbers takes.
_NUMBERS = np.array([1.5, 2.25, 3.0, 4.75])


def is_of_numbers(scoring: Any) -> bool:
    """Whether this is the name of a scorer of numbers, not of classes.

    Those of numbers take the codes of classes without a word. But none of classes takes
    broken numbers.

    Examples
    --------
    >>> is_of_numbers("r2"), is_of_numbers("accuracy"), is_of_numbers(None)
    (True, False, False)
    """
    if not isinstance(scoring, str) or scoring not in get_scorer_names():
        return False
    return problem_of(scoring, DummyRegressor(), _NUMBERS, _NUMBERS) is None


def is_of_one_class(scoring: str, classes: Array) -> bool:
    """Whether a score of two classes is that of one, and they do not tell of which.

    Contenders are given 0 and 1 in place of the classes. A score that is not the same
    for both, such as F1, is that of the class 1, which must be the user's 1 too.

    Parameters
    ----------
    scoring : str
        Name of a scorer of classes.
    classes : ndarray
        As the user calls them, in order.

    Examples
    --------
    >>> is_of_one_class("f1", np.array([1, 2])), is_of_one_class("f1", np.array([0, 1]))
    (True, False)
    >>> is_of_one_class("f1_macro", np.array(["ill", "well"]))
    False
    """
    if len(classes) != 2:
        return False
    codes = np.arange(2)
    ours, swapped, own = (
        _of_lopsided_guesses(scoring, labels)
        for labels in (codes, codes[::-1], classes)
    )
    return not (math.isclose(ours, own) or math.isclose(ours, swapped))


def _of_lopsided_guesses(scoring: str, labels: Array) -> float:
    """The score of guesses that are better for the first of two labels; or NaN."""
    codes = np.repeat(np.arange(2), 3)
    y = labels[moved(codes, 2)]
    model = DecisionTreeClassifier(random_state=0).fit(codes[:, None], y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return float(get_scorer(scoring)(model, codes[:-1, None], y[:-1]))
        except (ValueError, TypeError):
            return math.nan


def guesser(n_classes: int) -> Any:
    """A classifier that guesses the class whose code a row has, and is not sure.

    Examples
    --------
    >>> guesser(2).predict([[0], [1]])
    array([0, 1])
    """
    codes = np.repeat(np.arange(n_classes), 3)
    tree = DecisionTreeClassifier(random_state=0)
    return tree.fit(codes[:, None], moved(codes, n_classes))


def moved(codes: Array, n_classes: int) -> Array:
    """Codes of classes, every third of them that of the next class.

    Examples
    --------
    >>> moved(np.array([0, 0, 0, 1]), 2)
    array([1, 0, 0, 0])
    """
    return np.where(np.arange(len(codes)) % 3 == 0, (codes + 1) % n_classes, codes)


def problem_of(scoring: str, model: Any, x: Array, y: Array) -> str | None:
    """What a scorer says against guesses, as a sentence; None if it has a value.

    Parameters
    ----------
    scoring : str
        Name of a scorer.
    model : estimator
        Fitted, or a `DummyRegressor`.
    x, y : ndarray of shape (n_rows,)
        What the model guesses from, and labels.

    Examples
    --------
    >>> problem_of("accuracy", guesser(2), np.array([0, 1]), np.array([0, 1]))
    """
    if isinstance(model, DummyRegressor):
        model.fit(x[:, None], y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Scikit-learn warns, and goes on, where a score means nothing.
        warnings.simplefilter("error", UserWarning)
        try:
            score = float(get_scorer(scoring)(model, x[:, None], y))
        except (ValueError, TypeError, AttributeError, UserWarning) as problem:
            return f"{str(problem).strip().rstrip('.')}."
    return None if np.isfinite(score) else f"it is {score}."
