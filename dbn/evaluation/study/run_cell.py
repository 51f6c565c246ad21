"""The work of one cell of a comparison: rows, fits, errors."""

import time
from contextlib import contextmanager, suppress

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import MinMaxScaler

from ...backend.threads import one_blas_thread
from .contenders import Start
from .protocol import FULL_CROSS_VALIDATION, MAX_VALIDATION_ROWS, N_FOLDS
from .records import LOGISTIC
from .shared_dbn import pretraining_cost, set_everywhere, with_dbn

# Points of a learning curve in a record.
MAX_POINTS = 25


def run_cell(cell, study, start, X, y, X_test, y_test):
    """Do the work of a cell, on one BLAS thread wherever it runs.

    Parameters
    ----------
    cell : Cell
    study : Study
    start : DBNTransformer, tuple of (dict, DBNTransformer) or None
        The DBN to pretrain; or what `run_cell` returned for it.
    X, y, X_test, y_test : ndarray or None
        `Data`, an argument each: so joblib maps large ones into the memory of all
        workers, and dask sends them once.

    Returns
    -------
    cell : Cell
    result : dict or tuple
        The record; for a DBN to pretrain ``(record, DBNTransformer)``.
    seconds : float
        That all of it took.
    """
    with one_blas_thread():
        began = time.perf_counter()
        rows = _Rows(cell, study, X, y, X_test, y_test)
        if cell.stage == "pretrain":
            result = _pretrain(cell, study, start, rows)
        else:
            result = _finetune(cell, study, start, rows)
    return cell, result, time.perf_counter() - began


class _Rows:
    """The rows of a seed: copies only of those that are asked for."""

    def __init__(self, cell, study, X, y, X_test, y_test):
        self.X, self.y, self.seed = X, y, cell.seed
        self.train, test = study.split(y, cell.seed)
        self.all_train = study.fixed_test_split
        self.scaler = None
        if study.scaled:
            self.scaler = MinMaxScaler(clip=True).fit(self._take(self.train))
        self.labelled = self.train
        if cell.n_labels is not None:
            args = self.train, y, cell.n_labels, cell.seed
            self.labelled = study.labelled(*args)
        self._test = (X_test, y_test) if test is None else test

    def pretraining(self, study):
        """The rows that DBNs and principal components are made from."""
        labelled = study.pretraining_rows == "labelled"
        return self.inputs(self.labelled if labelled else self.train)

    def _take(self, rows):
        """Rows of X as they are; all of them, which may be many, without a copy."""
        whole = self.all_train and rows is self.train
        return self.X if whole else self.X[rows]

    def _scaled(self, X):
        return X if self.scaler is None else self.scaler.transform(X)

    def inputs(self, rows):
        """The given rows of X, in [0, 1]."""
        return self._scaled(self._take(rows))

    def pair(self, rows):
        """The given rows of X, and their labels."""
        return self.inputs(rows), self.y[rows]

    def test(self):
        """The test rows and their labels."""
        if isinstance(self._test, tuple):
            X, y = self._test
            return self._scaled(X), y
        return self.pair(self._test)

    def folds(self, tune):
        """Pairs of indices, to train on and to validate on."""
        rows, y = self.labelled, self.y
        if tune == "literature":
            rest = np.setdiff1d(self.train, rows)
            rest = np.random.default_rng(self.seed).permutation(rest)
            return [(rows, rest[:MAX_VALIDATION_ROWS])]
        n_splits = int(min(N_FOLDS, np.unique(y[rows], return_counts=True)[1].min()))
        splitter = StratifiedKFold(n_splits, shuffle=True, random_state=self.seed)
        folds = [(rows[a], rows[b]) for a, b in splitter.split(rows, y[rows])]
        return folds if len(rows) <= FULL_CROSS_VALIDATION else folds[:1]


def _pretrain(cell, study, dbn, rows):
    X = rows.pretraining(study)
    dbn = clone(dbn).set_params(random_state=cell.seed)
    with _timed() as seconds:
        dbn.fit(X)
    cost = pretraining_cost(dbn, X.shape[1], X.shape[0])
    return _pretraining(seconds, cost), dbn


def _pretraining(seconds, multiply_adds):
    """What stands in a record about what came before fine-tuning."""
    return {
        "pretrain_seconds": _short(seconds[0]),
        "pretrain_multiply_adds": multiply_adds,
    }


def _finetune(cell, study, start, rows):
    """The record of a candidate or of a final net."""
    contender = study.contender(cell)
    named = contender if isinstance(contender, Start) else None
    cost, made = start or (_pretraining([0.0], 0), None)
    if named and named.init == "pca":
        cost, made = _principal_components(cell, rows.pretraining(study))
    if cell.stage == "tune":
        parts = [(rows.pair(a), rows.pair(b)) for a, b in rows.folds(study.tune)]
    else:
        parts = [(rows.pair(rows.labelled), rows.test())]
    scorer, best = get_scorer(study.scoring), not study.scoring.startswith("neg_")
    loss, n_held, multiply_adds = 0.0, 0, None
    if named and named.activation != LOGISTIC:
        multiply_adds = 0
    seconds = [0.0]
    candidate = set_everywhere(study.candidate(cell), random_state=cell.seed)
    for (X, y), (X_held, y_held) in parts:
        model = clone(candidate)
        if multiply_adds is not None:
            model.set_params(max_iter=study.epochs(cell, len(y)))
        if made is not None:
            model = with_dbn(model, made)
        with _timed(seconds), suppress(FloatingPointError):
            model.fit(X, y)  # what diverges is scored as it was before
        loss += len(y_held) * (float(best) - float(scorer(model, X_held, y_held)))
        n_held += len(y_held)
        if multiply_adds is not None:
            multiply_adds += study.finetuning_cost(cell, len(y)) * model.n_iter_
    record = {
        **{k: v for k, v in cell.describe().items() if k not in ("name", "value")},
        **study.who(cell),
        "parameter": contender.parameter,
        "value": cell.value,
        # Without rounding errors, so that equal numbers of wrong rows are ties.
        "error": max(round(loss / n_held, 12), 0.0),
        **cost,
        "finetune_seconds": _short(seconds[0]),
        "finetune_multiply_adds": multiply_adds,
    }
    if cell.stage == "test" and hasattr(model, "loss_curve_"):
        record["loss_curve"] = _curve(model.loss_curve_)
    return record


def _principal_components(cell, X):
    """As many of the pretraining rows as the net's top layer has units, or there are.

    Of the rows and features, whichever are fewer.
    """
    pca = PCA(min(cell.hidden_layer_sizes[-1], *X.shape), random_state=cell.seed)
    with _timed() as seconds:
        pca.fit(X)
    return _pretraining(seconds, None), pca


def _curve(losses):
    """Some of the epochs, from 1 to the last, and their losses."""
    n_points = min(len(losses), MAX_POINTS)
    epochs = np.linspace(1, len(losses), n_points).round().astype(int).tolist()
    return [[epoch, _short(losses[epoch - 1])] for epoch in epochs]


def _short(value):
    """A number of four digits, for small files."""
    return float(f"{value:.4g}")


@contextmanager
def _timed(seconds=None):
    """Adds the seconds inside to the one entry of a list."""
    seconds = [0.0] if seconds is None else seconds
    start = time.perf_counter()
    try:
        yield seconds
    finally:
        seconds[0] += time.perf_counter() - start
