"""What a comparison of initializers trains, and under which rules."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from ...backend.types import Array
from ...estimators import DBNTransformer, RBMTransformer
from .cell import Cell
from .contenders import Contender, Generative, Start, rates_beyond, tested_dbn
from .controls import Control
from .own_code import identity_with_code
from .read_data import known
from .records import DROPOUT, chosen, key_of
from .row_losses import has_row_losses
from .shared_dbn import (
    copy_with,
    find_dbn,
    finetuning_cost,
    pretraining_cost,
    set_everywhere,
    weights_of_autoencoder,
)

N_FOLDS = 5
# Above this many labels one fold holds enough validation rows.
FULL_CROSS_VALIDATION = 1000
# What most papers have on MNIST.
MAX_VALIDATION_ROWS = 10_000


@dataclass(frozen=True)
class Study:
    """The settings of a comparison, and the cells that they make.

    The parameters of `compare_initializers`, with `inits` as contenders and updates for
    each label budget, and:

    Parameters
    ----------
    controls : tuple of Contender
        Compared beside them.
    splits : tuple of (train, test) or None
        The user's own rows of each seed.
    labelled_rows : dict of int to tuple of ndarray or None
        The user's own labelled rows, for each label budget and seed.
    n_train, n_unlabeled, n_test, n_features, n_classes : int
        Sizes of the data and of each seed's split: training rows with a label, and
        without one. Features are columns of numbers.
    target : {"classes", "numbers", "rows"}
        What is predicted; without classes n_classes is 0. Where rows are to be given
        back there are no label budgets: each of the numbers of updates is a setting.
    fixed_test_split : bool
    scaled, is_grey : bool
        Whether rows are scaled to [0, 1]; whether they lie there then.
    search : tuple of dict
        Candidates of all nets in place of the learning rates, see `drawn_candidates`.
    tune_updates : int or None
        Updates of nets that are validated, if fewer than those of the final ones.
    n_columns : int or None
        Columns of X as the user has them, where some are categories.

    Examples
    --------
    >>> Study.__dataclass_params__.frozen
    True
    """

    contenders: tuple[Contender, ...]
    controls: tuple[Contender, ...]
    hidden_layer_sizes: tuple[tuple[int, ...], ...]
    label_budgets: tuple[int, ...]
    splits: tuple[tuple[Array, Array], ...] | None
    labelled_rows: dict[int, tuple[Array, ...]] | None
    seeds: tuple[int, ...]
    learning_rates: tuple[float, ...]
    tune: str
    equal: str
    pretraining_rows: str
    rbm: RBMTransformer
    scoring: str
    n_updates: tuple[int, ...]
    pretrain_updates: int
    batch_size: int
    n_train: int
    n_unlabeled: int
    n_test: int
    n_features: int
    n_classes: int
    target: str
    fixed_test_split: bool
    scaled: bool
    is_grey: bool
    search: tuple[dict[str, Any], ...] = ()
    tune_updates: int | None = None
    n_columns: int | None = None

    def describe(self) -> dict[str, Any]:
        """The settings as plain data, in words where the names do not tell."""
        rows = {"all": "all training rows", "labelled": "the labelled rows"}
        fields = {k: v for k, v in vars(self).items() if k != "controls"}
        contenders = fields.pop("contenders")
        own = {name: fields.pop(name) for name in ("splits", "labelled_rows")}
        own["contenders"] = [c for c in contenders if not isinstance(c, Start)]
        about: dict[str, Any] = {
            f"{k}_sha256": identity_with_code(its) for k, its in own.items() if its
        }
        if self.target == "rows":
            del fields["label_budgets"]
        if self.n_columns in (None, self.n_features):
            del fields["n_columns"]
        if self.controls:
            about["controls"] = {
                c.name: f"{c.parameter} {', '.join(f'{v:g}' for v in c.values)}"
                if c.grid
                else "nothing"
                for c in self.controls
            }
        lists = {k: [*v] for k, v in fields.items() if isinstance(v, tuple)}
        lists["hidden_layer_sizes"] = [[*sizes] for sizes in self.hidden_layer_sizes]
        return {"inits": [c.name for c in contenders], **fields, **lists, **about} | {
            "tuning": _tuning(self.target, self.scoring)[self.tune],
            "rbm": " ".join(repr(self.rbm).split()),  # which may be cut
            "rbm_sha256": identity_with_code(self.rbm),
            "pretraining": f"{rows[self.pretraining_rows]}, without labels",
            "dropout": DROPOUT,
        }

    def about_pretraining(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What of the settings, beside its cell, tells how a DBN turns out."""
        told = [
            "pretraining_rows",
            "scaled",
            "data_sha256",
            "fixed_test_split",
            "n_test",
            "splits_sha256",
        ]
        if self.pretraining_rows == "labelled":
            told.append("labelled_rows_sha256")
        return {name: settings[name] for name in told if name in settings}

    def split(self, y: Array, seed: int) -> tuple[Array, Array]:
        """Indices of the training rows and of the test rows of a seed.

        All have a label. With a fixed split, all that have one and None.
        """
        if self.splits is not None:
            train, test = (rows[known(y[rows])] for rows in self.splits[seed])
            return train, test
        rows = np.flatnonzero(known(y))
        if self.fixed_test_split:
            return rows, None
        train, test = train_test_split(
            rows,
            test_size=self.n_test,
            stratify=self._classes(y, rows),
            random_state=seed,
        )
        return train, test

    def unlabeled(self, y: Array, seed: int) -> Array:
        """Indices of a seed's rows without a label, of which a split tests none."""
        rows = np.flatnonzero(~known(y))
        return rows if self.splits is None else np.setdiff1d(rows, self.splits[seed][1])

    def _classes(self, y: Array, rows: Array) -> Array:
        """What rows are stratified by, or None."""
        return y[rows] if self.target == "classes" else None

    def labelled(self, train: Array, y: Array, budget: int, seed: int) -> Array:
        """Indices of a seed's labelled rows, drawn from its training rows."""
        if self.labelled_rows is not None:
            return self.labelled_rows[budget][seed]
        if budget == len(train):
            return train
        return train_test_split(
            train,
            train_size=budget,
            stratify=self._classes(y, train),
            random_state=seed,
        )[0]

    def contender(self, cell: Cell) -> Contender:
        """The contender of a cell."""
        its = (*self.contenders, *self.controls)
        return next(contender for contender in its if contender.name == cell.name)

    def kind(self, contender: Contender) -> str:
        """'dbn', 'start' or 'control': another DBN beside the tested one is that."""
        is_dbn = contender.kind == "dbn"
        beside = is_dbn and contender is not tested_dbn(self.contenders)
        return "control" if beside else contender.kind

    def who(self, cell: Cell) -> dict[str, Any]:
        """What a record says about the contender of a cell."""
        contender = self.contender(cell)
        kind = self.kind(contender)
        if not isinstance(contender, Start):
            return contender.told | {"kind": kind}
        names = ["init", "activation", "dropout"]
        names += ["batch_norm"] if contender.batch_norm else []
        told = {} if kind == contender.kind else {"kind": kind}
        return {name: getattr(contender, name) for name in names} | told

    def candidate(self, cell: Cell) -> Any:
        """The estimator of a cell, with its value; layers and batches are the study's.

        A contender of the user's keeps its own.
        """
        contender = self.contender(cell)
        if isinstance(contender, Generative):
            return contender.sized(cell.hidden_layer_sizes, cell.value)
        estimator = contender.candidate(cell.value)
        if isinstance(contender, Start | Control):
            set_everywhere(
                estimator,
                hidden_layer_sizes=cell.hidden_layer_sizes,
                batch_size=self.batch_size,
                rbm__max_iter=self._pretraining_epochs(cell),
                init__max_iter=self._pretraining_epochs(cell),
            )
        return estimator

    def _n_pretraining(self, cell: Cell) -> int:
        """Number of rows that a cell's DBN is pretrained on."""
        if self.pretraining_rows == "all" or cell.n_labels is None:
            return self.n_train + self.n_unlabeled
        return cell.n_labels

    def tuning(self) -> list[Cell]:
        """Cells of the tuning: every contender with every value, for every seed."""
        n_rows = self.n_train + self.n_unlabeled
        settings: list[Any] = [(budget, None) for budget in self.label_budgets]
        if self.target == "rows":
            settings = [(None, n_updates) for n_updates in self.n_updates]
        return [
            Cell("tune", sizes, seed, budget, contender.name, value, n_updates)
            for sizes in self.hidden_layer_sizes
            for budget, n_updates in settings
            for contender in (*self.contenders, *self.controls)
            if budget != n_rows or not getattr(contender, "needs_unlabeled", False)
            for seed in self.seeds
            for value in contender.values
        ]

    def beyond(self, tuned: list[dict[str, Any]]) -> list[Cell]:
        """Cells of two more rates beyond the end of the grid that was chosen.

        For every net that is tuned by the learning rates, and every seed.
        """
        more = {} if self.search else rates_beyond(self.learning_rates)
        best = chosen(tuned)
        return [
            replace(cell, stage="tune", value=rate)
            for cell in self.finals()
            if getattr(self.contender(cell), "is_net", False)
            for rate in more.get(best[self._key(cell)]["value"], ())
        ]

    def _key(self, cell: Cell) -> tuple[str, str, int]:
        return key_of(cell.describe() | self.who(cell))

    def finals(self) -> list[Cell]:
        """Cells of the final nets, their values not yet chosen."""
        cells = (replace(cell, stage="test", value=None) for cell in self.tuning())
        return list(dict.fromkeys(cells))

    def testing(self, tuned: list[dict[str, Any]]) -> list[Cell]:
        """Cells of the final nets, given the records of the tuning."""
        best = chosen(tuned)
        return [
            replace(cell, value=best[self._key(cell)]["value"])
            for cell in self.finals()
        ]

    def _pretraining_epochs(self, cell: Cell) -> int:
        """Epochs of each machine of a cell's DBN."""
        return self._epochs(self.pretrain_updates, self._n_pretraining(cell))

    def epochs(self, cell: Cell, n_rows: int) -> int:
        """Epochs of fine-tuning a net on so many rows.

        With equal multiply-adds, a net that needs no pretraining gets its cost in more
        epochs, rounded up.
        """
        n_updates = cell.n_updates
        if n_updates is None:
            n_updates = self.n_updates[self.label_budgets.index(cell.n_labels)]
        if cell.stage == "tune" and self.tune_updates is not None:
            n_updates = min(n_updates, self.tune_updates)
        n_epochs = self._epochs(n_updates, n_rows)
        if self.equal == "multiply_adds" and find_dbn(self.candidate(cell)) is None:
            cost = self.pretraining_cost(cell)
            n_epochs += math.ceil(cost / self.finetuning_cost(cell, n_rows))
        return n_epochs

    def _epochs(self, n_updates: int, n_rows: int) -> int:
        """Whole epochs that make at least `n_updates` updates."""
        return math.ceil(n_updates / math.ceil(n_rows / self.batch_size))

    def weights(self, cell: Cell) -> list[int]:
        """Numbers of weights of a net's layers, the output layer last."""
        sizes = [self.n_features, *cell.hidden_layer_sizes]
        if self.target == "rows":
            return weights_of_autoencoder(*sizes)
        return [a * b for a, b in pairwise([*sizes, self.n_classes or 1])]

    def pretraining_cost(self, cell: Cell) -> int:
        """Multiply-adds of pretraining a DBN of the study with a cell's layers."""
        rbm = copy_with(self.rbm, max_iter=self._pretraining_epochs(cell))
        dbn = DBNTransformer(cell.hidden_layer_sizes, rbm=rbm)
        n_rows = self._n_pretraining(cell)
        return pretraining_cost(dbn, self.n_features, n_rows) or 0

    def finetuning_cost(self, cell: Cell, n_rows: int) -> int:
        """Multiply-adds of an epoch of fine-tuning on so many rows."""
        return finetuning_cost(self.weights(cell), n_rows)


def _tuning(target: str, scoring: str) -> dict[str, str]:
    """The protocols of tuning, in words."""
    first = (
        f"inside the label budget; above {FULL_CROSS_VALIDATION} labels the first fold "
        "alone"
    )
    if target == "classes" and not has_row_losses(scoring):
        first += (
            "; where the rarest class has fewer rows, as many folds as it has rows, "
            "since each must hold every class for this score"
        )
    if target == "rows":
        first = (
            f"inside the training rows; above {FULL_CROSS_VALIDATION} of them the "
            f"first fold alone, of up to {MAX_VALIDATION_ROWS} rows"
        )
    return {
        "strict": f"for each seed, {N_FOLDS}-fold {first}",
        "literature": f"for each seed, up to {MAX_VALIDATION_ROWS} labelled rows "
        "from the training rows outside the label budget",
    }
