"""The work of one cell of a comparison: rows, fits, errors."""

import math
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import get_scorer, r2_score
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from ...backend.threads import one_blas_thread
from ...backend.types import Array
from ...estimators import DBNAutoencoder, DBNTransformer
from ...estimators.predictor import DBNPredictor
from .cell import Cell
from .contenders import Contender, Start
from .controls import MAX_UNLABELED, Control, as_categories, as_numbers
from .protocol import Study
from .read_data import MARKS, ignore_told, known
from .records import LARGEST, is_error, is_share
from .row_losses import MAX_ROWS, packed, predicted, row_losses
from .seed_rows import SeedRows
from .semi_supervised import SelfTraining
from .shared_dbn import copy_with, pretraining_cost, set_everywhere, with_dbn

# Points of a learning curve in a record.
MAX_POINTS = 25
_ENCODERS = {"numbers": as_numbers, "categories": as_categories}


def run_cell(
    cell: Cell,
    study: Study,
    start: Any,
    X: Array,
    y: Array,
    X_test: Array,
    y_test: Array,
) -> tuple[Cell, Any, float]:
    """Do the work of a cell, on one BLAS thread wherever it runs.

    Parameters
    ----------
    cell : Cell
    study : Study
    start : DBNTransformer, tuple of (dict, DBNTransformer) or None
        The DBN to pretrain; or what `run_cell` returned for it.
    X, y, X_test, y_test : ndarray or None
        Of `Data`, an argument each: so joblib maps large ones into the memory of all
        workers, and dask sends them once.

    Returns
    -------
    cell : Cell
    result : dict or tuple
        The record; for a DBN to pretrain ``(record, DBNTransformer)``.
    seconds : float
        That all of it took.
    """
    # Trees have threads of OpenMP's, which wait for each other on busy cores.
    trees = threadpool_limits(1, user_api="openmp")
    with one_blas_thread(), trees, warnings.catch_warnings():
        _ignore_lengths()
        ignore_told()
        began = time.perf_counter()
        rows = SeedRows(cell, study, X, y, X_test, y_test)
        if cell.stage == "pretrain":
            result: Any = _pretrain(start, cell, rows.pretraining())
        else:
            with _told_of(cell, study.contender(cell)):
                result = _finetune(cell, study, start, rows)
    return cell, result, time.perf_counter() - began


@contextmanager
def _told_of(cell: Cell, contender: Contender) -> Iterator[None]:
    """Say in every error which contender, value and seed it is of."""
    try:
        yield
    except Exception as error:
        its = f" with {contender.parameter}={cell.value:g}" if contender.grid else ""
        error.add_note(f"The contender {cell.name!r}{its} failed for seed {cell.seed}.")
        raise


def _ignore_lengths() -> None:
    """Ignore what is said of short trainings: their length was chosen beforehand."""
    ours = "Pretraining has hardly|(Fine-tuning|Training) ended"
    warnings.filterwarnings("ignore", ours, ConvergenceWarning)


def _pretrain(estimator: Any, cell: Cell, X: Array) -> tuple[dict[str, Any], Any]:
    """What is made before fine-tuning, fitted, and what a record says about it."""
    made, began = copy_with(estimator, random_state=cell.seed), time.perf_counter()
    made.fit(X)
    seconds, cost = time.perf_counter() - began, None
    if isinstance(made, DBNTransformer | DBNAutoencoder):
        cost = pretraining_cost(made, X.shape[1], X.shape[0])
    return _costs("pretrain", seconds, cost), made


def _costs(phase: str, seconds: float, multiply_adds: int | None) -> dict[str, Any]:
    return {
        f"{phase}_seconds": _short(seconds),
        f"{phase}_multiply_adds": multiply_adds,
    }


def _finetune(cell: Cell, study: Study, start: Any, rows: SeedRows) -> dict[str, Any]:
    """The record of a candidate or of a final net."""
    contender = study.contender(cell)
    cost, made = _begun(cell, contender, start, rows)
    is_named_net = isinstance(contender, Start) and contender.is_net
    loss, n_held, seconds, multiply_adds = 0.0, 0, 0.0, 0
    failures, curve, losses = Counter[str](), None, None
    model: Any = None
    candidate = set_everywhere(study.candidate(cell), random_state=cell.seed)
    for (X, y), (X_held, y_held) in _parts(cell, study, rows):
        n_labels = int(known(y).sum())
        model = _made_for(clone(candidate), cell, study, len(y) - n_labels, n_labels)
        if made is not None:
            model = with_dbn(model, made)
        began = time.perf_counter()
        failures.update(_fit(model, X, y))
        seconds += time.perf_counter() - began
        error, losses = _error(model, X_held, y_held, study.scoring, cell)
        loss += len(y_held) * error
        n_held += len(y_held)
        if is_named_net:
            multiply_adds += study.finetuning_cost(cell, n_labels) * model.n_iter_
        curve = getattr(model, "loss_curve_", None)
    record = {
        **{k: v for k, v in cell.describe().items() if k not in ("name", "value")},
        **study.who(cell),
        "parameter": contender.parameter,
        "value": cell.value,
        "error": _rounded(loss / n_held, study.scoring),
        **cost,
        **_costs("finetune", seconds, multiply_adds if is_named_net else None),
        **{failure: failures[failure] for failure in ("diverged", "unconverged")},
    }
    if cell.stage == "test":
        if study.target == "numbers":
            record |= _of_numbers(model, *rows.test())
        record |= rows.trained()
        if losses is not None and len(losses) <= MAX_ROWS:
            record |= packed(losses, rows.test_rows)
        if curve is not None:
            record["loss_curve"] = _curve(curve)
    return record


def _begun(cell: Cell, contender: Contender, start: Any, rows: SeedRows) -> Any:
    """What pretraining has cost and made; rows are from here on what is asked for."""
    is_pca = isinstance(contender, Start) and contender.init == "pca"
    kind = "numbers" if is_pca else getattr(contender, "rows", "given")
    if kind in _ENCODERS:
        rows.encode(_ENCODERS[kind])
    if is_pca:
        X = rows.pretraining()
        # As many as the net's top layer has units, or as there are.
        pca = PCA(min(cell.hidden_layer_sizes[-1], *X.shape))
        return _pretrain(pca, cell, X)
    return start or (_costs("pretrain", 0.0, 0), None)


def _parts(cell: Cell, study: Study, rows: SeedRows) -> Iterable[Any]:
    """Pairs of rows and labels to train on, and to validate or test on."""
    contender = study.contender(cell)
    given: Any = rows.among_unlabelled if contender.unlabeled else rows.pair
    if isinstance(contender, Start) and contender.is_net:
        given = rows.for_net
    elif isinstance(contender, Control) and contender.unlabeled:
        given = partial(rows.among_unlabelled, at_most=MAX_UNLABELED)
    if cell.stage == "tune":  # a fold at a time in memory
        return ((given(a), rows.pair(b)) for a, b in rows.folds(study.tune))
    return [(given(rows.labelled), rows.test())]


def _made_for(
    model: Any, cell: Cell, study: Study, n_unlabeled: int, n_labels: int
) -> Any:
    """The model with what the study says of it: epochs, and the mark of no label."""
    contender = study.contender(cell)
    if contender.unlabeled and not n_unlabeled:  # where no row has the mark
        set_everywhere(model, unlabeled=None)
    if _is_net_of_study(contender):
        set_everywhere(model, max_iter=study.epochs(cell, n_labels))
        if isinstance(contender, Start) and study.target != "rows":
            mark = MARKS[study.target] if n_unlabeled else None
            model.set_params(unlabeled=mark)
    return model


def _is_net_of_study(contender: Contender) -> bool:
    """Whether the study says how many epochs a contender's net is trained."""
    estimator: Any = contender.estimator
    if isinstance(estimator, SelfTraining):
        estimator = estimator.estimator
    ours = isinstance(contender, Start | Control)
    return ours and isinstance(estimator, DBNPredictor)


def _of_numbers(model: Any, X: Array, y: Array) -> dict[str, float]:
    """What people ask of a regression beside the error that is tested."""
    numbers = predicted(model, X)
    rmse = float(np.sqrt(np.mean((numbers - y) ** 2)))
    return {"r2": float(r2_score(y, numbers)), "rmse": rmse}


def _error(
    model: Any, X: Array, y: Array, scoring: str, cell: Cell
) -> tuple[float, Array | None]:
    """The error of a model, and its loss on every row where it is their mean.

    A candidate that says numbers which ran over has the largest error: it loses.

    Raises
    ------
    ValueError
        If there is none on these rows.
    """
    problem: Any = None
    losses = row_losses(model, X, y, scoring)
    try:
        if losses is not None:
            error = float(losses.mean())
        else:
            error = float(is_share(scoring)) - float(get_scorer(scoring)(model, X, y))
    except ValueError as refused:
        error, problem = math.nan, refused
    if is_error(error):
        return error, losses
    if cell.stage == "tune" and (
        losses is not None or abs(error) > LARGEST or _ran_over(model, X)
    ):
        return LARGEST, losses
    rows = "test" if cell.stage == "test" else "validation"
    parts = "" if y.dtype.kind == "f" else "splits whose parts hold every class, "
    raise ValueError(
        f"scoring={scoring!r} gives {cell.name!r} no error that can be compared on the "
        f"{len(y)} {rows} rows of seed {cell.seed} ({problem or error}). Choose "
        f"{parts}another scoring or, if what a net says is out of range, smaller "
        "learning_rates."
    ) from problem


def _ran_over(model: Any, X: Array) -> bool:
    """Whether a fitted model says numbers of rows that are none."""
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(model, method):
            said = np.asarray(getattr(model, method)(X))
            if said.dtype.kind == "f" and not np.isfinite(said).all():
                return True
    return False


def _rounded(error: float, scoring: str) -> float:
    """An error without rounding errors, so that equal numbers of wrong rows are ties.

    Of 1 minus a score they are as large as those of 1, however small the error is; of
    others in proportion to it.
    """
    if is_share(scoring):
        return round(error, 12) + 0.0  # never -0
    return float(f"{error:.12g}")


def _fit(model: Any, X: Array, y: Array) -> list[str]:
    """Fit, and say what failed; what diverges is scored as it was before."""
    failures = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        _ignore_lengths()
        try:
            model.fit(X, y)
        except FloatingPointError:
            if not _is_fitted(model):
                raise
            failures.append("diverged")
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            failures.append("unconverged")
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if -1 in getattr(model, "classes_", ()):
        raise ValueError(
            f"{model!r:.200} is given rows without labels, and takes their mark, -1, "
            "for a class. Set unlabeled=-1 in a net; use another estimator, or a "
            "Contender without unlabeled."
        )
    return failures


def _is_fitted(model: Any) -> bool:
    """Whether there is a model to be scored, as nets of this package leave one."""
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True


def _curve(losses: list[float]) -> list[list[float]]:
    """Some of the epochs, from 1 to the last, and their losses."""
    epochs = np.linspace(1, len(losses), min(len(losses), MAX_POINTS)).round()
    points = [[int(epoch), _short(losses[int(epoch) - 1])] for epoch in epochs]
    return [point for point in points if math.isfinite(point[1])]


def _short(value: float) -> float:
    """A number of four digits, for small files."""
    return float(f"{value:.4g}")
