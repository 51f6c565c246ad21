"""Whether every seed's labelled rows can be drawn and used: said before training."""

import numpy as np

from ...backend.types import Array
from .protocol import N_FOLDS, Study
from .read_data import Data, known
from .read_labels import if_numbers


def check_labels(study: Study, data: Data) -> None:
    """Raise a ValueError unless every seed's labelled rows can be drawn and used.

    Parameters
    ----------
    study : Study
    data : Data
    """
    y = data.y
    for budget in study.label_budgets:
        _check_sizes(study, data, budget)
        for seed in study.seeds:
            train, _ = study.split(y, seed)
            if study.target == "classes" and study.labelled_rows is None:
                _check_rarest(study, data, budget, seed, train)
            labelled = study.labelled(train, y, budget, seed)
            if not known(y[labelled]).all():
                raise ValueError(
                    f"label_budgets[{budget}] has rows without a label for seed "
                    f"{seed}. Leave them out: pretraining has them anyway."
                )
            if n_outside := len(np.setdiff1d(labelled, train)):
                raise ValueError(
                    f"label_budgets[{budget}] has {n_outside} rows outside the "
                    f"training rows of seed {seed}. Give your splits too, or X_test."
                )
            if study.target == "classes":
                _check_rarest(study, data, budget, seed, labelled)


def _check_sizes(study: Study, data: Data, budget: int) -> None:
    least = 2 * (study.n_classes or N_FOLDS)
    whose = f"{study.n_classes} classes" if study.n_classes else f"{N_FOLDS} folds"
    advice = "" if data.classes is None else if_numbers(data.classes)
    left = study.n_train - budget
    if not least <= budget or left < 0:
        choice = f"Choose label budgets from {least} to {study.n_train}."
        if least > study.n_train:
            choice = "Give more rows that have one."
        raise ValueError(
            f"A label budget of {budget} is not possible: {whose} need 2 labels each "
            f"to cross-validate, and there are {study.n_train} training rows with a "
            f"label. {choice}{advice}"
        )
    if study.tune == "literature" and left < least:
        raise ValueError(
            "tune='literature' takes its validation rows from outside the label "
            f"budget; {budget} labels leave {left} of {study.n_train} training rows. "
            f"Choose at most {study.n_train - least}, or tune='strict'."
        )
    if 0 < left < study.n_classes:
        raise ValueError(
            f"A label budget of {budget} leaves {left} of {study.n_train} training "
            f"rows, fewer than there are classes. Choose {study.n_train}, or at most "
            f"{study.n_train - study.n_classes}."
        )
    drawn = not study.fixed_test_split and study.splits is None
    if drawn and study.n_test < study.n_classes:
        raise ValueError(
            f"There are {study.n_test} test rows, fewer than the {study.n_classes} "
            f"classes that they are drawn of. Choose a larger test_size.{advice}"
        )


def _check_rarest(
    study: Study, data: Data, budget: int, seed: int, rows: Array
) -> None:
    """Raise a ValueError if there is a class of which the rows hold fewer than two."""
    counts = np.bincount(data.y[rows], minlength=study.n_classes)
    if counts.min() >= 2:
        return
    rare, labels = counts.argmin(), study.labelled_rows
    raise ValueError(
        f"A label budget of {budget} holds fewer than 2 rows of the class "
        f"{data.classes.tolist()[rare]!r:.80} for seed {seed}, which is rare; "
        "cross-validation needs 2. "
        + (_advice(study, data) if labels is None else "Give 2 of its rows or more")
        + f", or leave the class out.{if_numbers(data.classes)}"
    )


def _advice(study: Study, data: Data) -> str:
    """What to do so that every class is drawn twice for all seeds."""
    enough, most = 0, study.n_train
    if study.tune == "literature":
        most -= 2 * study.n_classes
    for seed in study.seeds:
        train, _ = study.split(data.y, seed)
        counts = np.bincount(data.y[train], minlength=study.n_classes)
        # In proportion to the training rows.
        enough = max(enough, -(-2 * len(train) // max(counts.min(), 1)))
    if most - study.n_classes < enough < most == study.n_train:
        enough = most  # others need a row of each class too
    if enough > most:
        return "No budget of these training rows is enough: give more rows of it"
    more = " or more" if enough < study.n_train else ""
    return f"Choose a budget of {enough}{more}"
