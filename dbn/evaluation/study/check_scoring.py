"""Whether a scorer fits what y holds: tried on guesses before anything is trained."""

import warnings
from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.tree import DecisionTreeClassifier

from ...backend.types import Array
from .protocol import Study
from .read_data import Data, known
from .row_losses import has_row_losses

# Numbers that are no classes, and that every scorer of numbers takes.
_NUMBERS = np.array([1.5, 2.25, 3.0, 4.75])


def check_scoring(study: Study, data: Data) -> None:
    """Raise a ValueError unless the scorer has a value on every seed's test rows.

    Parameters
    ----------
    study : Study
    data : Data
    """
    scoring, n_classes = study.scoring, study.n_classes
    if not isinstance(scoring, str):
        raise ValueError(
            f"scoring is {scoring!r}; give the name of a scikit-learn scorer."
        )
    get_scorer(scoring)  # which names there are is in its error
    numbers = data.y[known(data.y)]
    if data.y_test is not None:
        numbers = np.append(numbers, data.y_test)
    if problem := _misfit(scoring, numbers, n_classes):
        names = [n for n in get_scorer_names() if not _misfit(n, numbers, n_classes)]
        alike = [name for name in names if name.startswith(f"{scoring}_")]
        held = f"{n_classes} classes" if n_classes else "numbers"
        raise ValueError(
            f"y holds {held}, and scoring={scoring!r} {problem} Choose from "
            f"{', '.join(alike or names)}."
        )
    if has_row_losses(scoring):  # each test row has one, whatever the others are
        return
    for seed in study.seeds:
        _, test = study.split(data.y, seed)
        y: Any = data.y_test if test is None else data.y[test]
        if problem := _undefined(scoring, y, n_classes):
            raise ValueError(
                f"scoring={scoring!r} has no value on the {len(y)} test rows of seed "
                f"{seed}, whatever a contender says: {problem} Choose test rows that "
                "hold every class, or another scoring."
            )


def _misfit(scoring: str, numbers: Array, n_classes: int) -> str | None:
    """Why a scorer is none for such labels, as a sentence; None if it is one.

    Scorers do not tell what they are for, and those of numbers take the codes of
    classes without a word. But none of classes takes broken numbers.
    """
    of_numbers = _problem(scoring, DummyRegressor(), _NUMBERS, _NUMBERS) is None
    if of_numbers == bool(n_classes):
        return f"is for {'numbers' if of_numbers else 'classes'}."
    if of_numbers:
        problem = _problem(scoring, DummyRegressor(), numbers, numbers)
    else:
        codes = np.repeat(np.arange(n_classes), 3)
        problem = _problem(
            scoring, _guesser(n_classes), codes, _moved(codes, n_classes)
        )
    return problem and f"does not take them: {problem}"


def _undefined(scoring: str, y: Array, n_classes: int) -> str | None:
    """Why a scorer has no value on rows with these labels, as a sentence, or None.

    Some have none where all is right, and some where a class is guessed that is not
    there, so a guess of each kind is tried.
    """
    if not n_classes:
        return _problem(scoring, DummyRegressor(), y, y)
    guesser = _guesser(n_classes)
    problem = _problem(scoring, guesser, y, y)
    return problem and _problem(scoring, guesser, _moved(y, n_classes), y)


def _guesser(n_classes: int) -> Any:
    """A classifier that guesses the class whose code a row has, and is not sure."""
    codes = np.repeat(np.arange(n_classes), 3)
    moved = _moved(codes, n_classes)
    return DecisionTreeClassifier(random_state=0).fit(codes[:, None], moved)


def _moved(codes: Array, n_classes: int) -> Array:
    """Codes of classes, every third of them that of the next class."""
    return np.where(np.arange(len(codes)) % 3 == 0, (codes + 1) % n_classes, codes)


def _problem(scoring: str, model: Any, x: Array, y: Array) -> str | None:
    """What a scorer says against guesses, as a sentence; None if it has a value."""
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
