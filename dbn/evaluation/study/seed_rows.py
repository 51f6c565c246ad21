"""The rows of a seed: what is trained on, validated on and tested on."""

import warnings
from functools import cached_property
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import MinMaxScaler

from ...backend.identity import identity
from ...backend.types import Array
from ...boltzmann import Bernoulli, get_units
from ...estimators.frame_kinds import has_value
from ...estimators.preprocessing import has_missing
from ...estimators.targets import rows_at
from ...estimators.visible import choose_visible
from .cell import Cell
from .protocol import FULL_CROSS_VALIDATION, MAX_VALIDATION_ROWS, N_FOLDS, Study
from .read_data import MARKS
from .row_losses import has_row_losses


def _empty_columns(X: Array, parts: list[Array]) -> Array:
    """Numbers of the columns of which a part has no value."""
    if isinstance(X, np.ndarray):
        if not has_missing(X):
            return np.array([], int)
        known = [~np.isnan(X[rows]).all(axis=0) for rows in parts]
    else:
        frames: list[Any] = [
            nw.from_native(rows_at(X, rows), eager_only=True) for rows in parts
        ]
        known = [np.array([*map(has_value, f.iter_columns())]) for f in frames]
    return np.flatnonzero(~np.all(known, axis=0))


def _with_zeros(X: Array, columns: Array) -> Array:
    """Rows of which these columns, all of them, are 0."""
    if isinstance(X, np.ndarray):
        X = X.copy()
        X[:, columns] = 0.0
        return X
    frame: Any = nw.from_native(X, eager_only=True)
    zeros = [nw.lit(0.0).alias(frame.columns[i]) for i in columns]
    return frame.with_columns(zeros).to_native()


class SeedRows:
    """The rows of a cell's seed: copies only of those that are asked for.

    Columns of which no row has a value that nets of the seed learn from are 0 in all.

    Parameters
    ----------
    cell : Cell
    study : Study
    X, y, X_test, y_test : ndarray or None
        `Data`, an argument each.

    Examples
    --------
    >>> SeedRows.__name__
    'SeedRows'
    """

    def __init__(
        self, cell: Cell, study: Study, X: Array, y: Array, X_test: Array, y_test: Array
    ) -> None:
        self.X, self.y, self.seed = X, y, cell.seed
        self.target, self.is_grey = study.target, study.is_grey
        self.has_row_losses = has_row_losses(study.scoring)
        self.train, test = study.split(y, cell.seed)
        rest = study.unlabeled(y, cell.seed)
        if study.fixed_test_split:
            self._all: Any = np.arange(len(y))
        else:
            self._all = np.concatenate([self.train, rest]) if len(rest) else self.train
        self.all_train = study.fixed_test_split
        self.scaler = None
        if study.scaled:
            self.scaler = MinMaxScaler(clip=True).fit(self._take(self._all))
        self.labelled = self.train
        if cell.n_labels is not None:
            self.labelled = study.labelled(self.train, y, cell.n_labels, cell.seed)
        self.test_rows = test
        self._test: Any = (X_test, y_test) if test is None else test
        every = study.pretraining_rows == "all"
        self._pretraining = self._all if every else self.labelled
        parts = [self._pretraining]
        if self.target == "rows":  # nets are fitted on parts of these
            parts = [train for train, _ in self.folds(study.tune)]
        self._empty = _empty_columns(X, parts)
        self._encoder: Any = None
        self._visible = study.rbm.visible

    def encode(self, make: Any) -> None:
        """From now on rows are what `as_numbers` or `as_categories` make of them."""
        self._encoder = make(self.inputs(self._pretraining), self.is_grey)

    def pretraining(self) -> Array:
        """The rows that DBNs and principal components are made from."""
        return self.inputs(self._pretraining)

    def among_unlabelled(
        self, rows: Array, at_most: int | None = None
    ) -> tuple[Array, Array]:
        """The rows that DBNs are made from, and the labels of the given ones, or marks.

        Those without a label may be fewer: `at_most`, drawn by the seed.
        """
        every = self._pretraining
        others = np.setdiff1d(every, self.labelled)
        if at_most is not None and len(others) > at_most:
            rng = np.random.default_rng(self.seed)
            every = np.concatenate(
                [self.labelled, rng.choice(others, at_most, replace=False)]
            )
        mark = MARKS[self.target]
        return self.inputs(every), np.where(np.isin(every, rows), self.y[every], mark)

    def for_net(self, rows: Array) -> tuple[Array, Array]:
        """The given rows for a net by name, with marked ones behind them if need be.

        So that all starts see columns alike (what values these have, their scale, what
        to expect where a value is not known): as a DBN does, from all its rows.
        """
        X, y = self.pair(rows)
        if self.target == "rows" or (self._grey(X) and self._dbn_standardises_nothing):
            return X, y
        others = np.setdiff1d(self._pretraining, rows)
        marks = np.full(len(others), MARKS[self.target], y.dtype)
        return self.inputs(np.append(rows, others)), np.append(y, marks)

    @cached_property
    def _dbn_standardises_nothing(self) -> bool:
        return self._grey(self.pretraining())

    def _grey(self, X: Array) -> bool:
        """Whether a model takes all columns for values in [0, 1], as they are."""
        if not isinstance(X, np.ndarray) or has_missing(X):
            return False
        if self._visible == "auto":
            return isinstance(choose_visible(X), Bernoulli)
        return not get_units(self._visible).standardised

    def _take(self, rows: Array) -> Array:
        """Rows of X as they are; all of them, which may be many, without a copy."""
        return self.X if self.all_train and rows is self._all else rows_at(self.X, rows)

    def _scaled(self, X: Array) -> Array:
        X = X if self.scaler is None else self.scaler.transform(X)
        if len(self._empty):
            X = _with_zeros(X, self._empty)
        return X if self._encoder is None else self._encoder.transform(X)

    def inputs(self, rows: Array) -> Array:
        """The given rows of X, in [0, 1]."""
        return self._scaled(self._take(rows))

    def pair(self, rows: Array) -> tuple[Array, Array]:
        """The given rows of X, and their labels."""
        return self.inputs(rows), self.y[rows]

    def test(self) -> tuple[Array, Array]:
        """The test rows and their labels."""
        if isinstance(self._test, tuple):
            X, y = self._test
            return self._scaled(X), y
        return self.pair(self._test)

    def trained(self) -> dict[str, str]:
        """What a record says of the rows that all was trained on, in any order."""
        rows = np.sort(self.labelled), np.sort(self._pretraining)
        return {"train_rows_sha256": identity(*rows)}

    def folds(self, tune: str) -> list[tuple[Array, Array]]:
        """Pairs of indices, to train on and to validate on."""
        rows, y = self.labelled, self.y
        if tune == "literature":
            rest = np.setdiff1d(self.train, rows)
            rest = np.random.default_rng(self.seed).permutation(rest)
            return [(rows, rest[:MAX_VALIDATION_ROWS])]
        about = {"shuffle": True, "random_state": self.seed}
        if self.target != "classes":
            splitter: Any = KFold(N_FOLDS, **about)
        else:
            counts = np.unique(y[rows], return_counts=True)[1]
            # Where each row has a loss, a part without a rare class has an error too.
            most = counts.max() if self.has_row_losses else counts.min()
            splitter = StratifiedKFold(int(min(N_FOLDS, most)), **about)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            folds = [(rows[a], rows[b]) for a, b in splitter.split(rows, y[rows])]
        if len(rows) <= FULL_CROSS_VALIDATION:
            return folds
        train, held = folds[0]
        if self.target == "rows" and len(held) > MAX_VALIDATION_ROWS:
            held = np.random.default_rng(self.seed).permutation(held)
            train = np.concatenate([train, held[MAX_VALIDATION_ROWS:]])
            held = held[:MAX_VALIDATION_ROWS]
        return [(train, held)]
