"""Whether a scorer fits what y holds: tried on guesses before anything is trained."""

from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.metrics import get_scorer, get_scorer_names

from ...backend.types import Array
from .protocol import Study
from .read_data import Data, known
from .read_labels import if_numbers
from .row_losses import has_row_losses
from .scorers import guesser, is_of_numbers, is_of_one_class, moved, problem_of


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
    if problem := _misfit(scoring, numbers, data.classes):
        names = [n for n in get_scorer_names() if not _misfit(n, numbers, data.classes)]
        alike = [name for name in names if name.startswith(f"{scoring}_")]
        raise ValueError(
            f"y holds {_held(data.classes)}, and scoring={scoring!r} {problem} Choose "
            f"from {', '.join(alike or names)}."
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


def _held(classes: Array) -> str:
    """What y holds, in words."""
    if classes is None:
        return "numbers"
    if len(classes) > 2:
        return f"{len(classes)} classes"
    return f"the classes {' and '.join(f'{c!r:.80}' for c in classes.tolist())}"


def _misfit(scoring: str, numbers: Array, classes: Array) -> str | None:
    """Why a scorer is none for such labels, as sentences; None if it is one."""
    of_numbers = is_of_numbers(scoring)
    if classes is None:
        if not of_numbers:
            return "is for classes."
        problem = problem_of(scoring, DummyRegressor(), numbers, numbers)
    else:
        if of_numbers:
            return f"is for numbers.{if_numbers(classes)}"
        n_classes = len(classes)
        codes = np.repeat(np.arange(n_classes), 3)
        problem = problem_of(
            scoring, guesser(n_classes), codes, moved(codes, n_classes)
        )
        if not problem and is_of_one_class(scoring, classes):
            return (
                "is the score of one of two classes: code that one as 1 and the other "
                "as 0, or choose another scorer."
            )
    return problem and f"does not take them: {problem}"


def _undefined(scoring: str, y: Array, n_classes: int) -> str | None:
    """Why a scorer has no value on rows with these labels, as a sentence, or None.

    Some have none where all is right, and some where a class is guessed that is not
    there, so a guess of each kind is tried.
    """
    if not n_classes:
        return problem_of(scoring, DummyRegressor(), y, y)
    model = guesser(n_classes)
    problem = problem_of(scoring, model, y, y)
    return problem and problem_of(scoring, model, moved(y, n_classes), y)
