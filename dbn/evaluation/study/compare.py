"""Does pretraining help? One comparison of initializers, with equal chances for all."""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import joblib
import numpy as np

from ...backend.identity import identity
from ...backend.types import Array
from ...estimators import RBMTransformer
from ...estimators.constraints import check_layer_sizes
from ..provenance import about_model, provenance
from .check_input import (
    Data,
    check_labels,
    check_rates,
    check_rbm,
    check_study,
    count,
    read_data,
    read_labelled_rows,
    read_splits,
)
from .comparison import Comparison
from .contenders import Contender, contenders_and_controls
from .journal import Journal
from .protocol import Cell, Study
from .run_cell import run_cell
from .time_left import Progress, TimeLeft, kinds_first

INITS = (
    ("dbn", "logistic"),
    ("xavier_uniform", "logistic"),
    ("xavier_x4_uniform", "logistic"),
    ("he_normal", "relu"),
)


def compare_initializers(
    X: Array,
    y: Array,
    *,
    X_test: Array = None,
    y_test: Array = None,
    splits: Iterable[Sequence[Array]] | None = None,
    inits: Iterable[Sequence[str] | Contender] = INITS,
    controls: str | None = "auto",
    hidden_layer_sizes: Iterable[Sequence[int]] = ((128, 128),),
    label_budgets: Sequence[int] | dict[int, Any] = (100, 300),
    n_seeds: int = 8,
    learning_rates: Iterable[float] = (0.003, 0.01),
    tune: str = "strict",
    equal: str = "epochs",
    pretraining_rows: str = "all",
    rbm: RBMTransformer | None = None,
    scaling: str | None = "auto",
    scoring: str = "accuracy",
    n_updates: int | Sequence[int] = 500,
    pretrain_updates: int = 3000,
    batch_size: int = 20,
    test_size: float = 0.3,
    n_jobs: int | None = None,
    folder: str | Path | None = None,
    dbn_folder: str | Path | None = None,
    verbose: int = 0,
    name: str = "data",
) -> Comparison:
    """Compare starts of the same net by test error, over seeds and label budgets.

    For every seed, label budget and network, each contender starts the same net on the
    same labelled rows and is fine-tuned with Adam for the same number of epochs, at the
    learning rate from the same grid that did best on validation rows. The test rows are
    used once, by the final net. DBNs are pretrained without labels and never on test
    rows; what that costs stands beside the errors.

    Three controls are compared with them: He's start with rectified units and dropout,
    and logistic regressions on the features of the DBN and on as many principal
    components as the net's top layer has units, with C tuned by the same protocol.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows, see `scaling`.
    y : array-like of shape (n_samples,)
        Class labels.
    X_test, y_test : array-like, optional
        Fixed test split. Default: each seed holds out `test_size` of the rows,
        stratified, and intervals are corrected for the overlap.
    splits : sequence of (train, test), optional
        Your own split for each seed, or for more of them: numbers of rows of X, as
        ``list(GroupKFold(5).split(X, y, groups))`` has them. In place of `X_test`.
    inits : sequence of (init, activation), (init, activation, "dropout") or Contender
        Contenders, by the names that `DBNClassifier` knows; ``"dbn"`` once, and at
        least one start that is not made from a DBN. ``"dbn-resampled"`` and
        ``"dbn-shuffled"`` are the controls of Erhan et al. (2010). A `Contender` is any
        other classifier, with its own grid.
    controls : {"auto", None}, default="auto"
        None: none but those that stand in `inits`.
    hidden_layer_sizes : sequence of sequences of int
        Networks.
    label_budgets : sequence of int, or dict of int to sequence of array
        Numbers of labelled training rows, drawn for each seed, stratified. A dict has
        your own labelled rows, as numbers of rows of X: ``{100: [rows, rows, ...]}``,
        for each seed or for more of them.
    n_seeds : int, default=8
        Seeds 0, 1, ...; at least 2.
    learning_rates : sequence of float
        The grid, the same for all.
    tune : {"strict", "literature"}, default="strict"
        Where validation rows come from, for each seed. "strict": 5-fold cross-
        validation inside the label budget; above 1000 labels its first fold alone.
        "literature": up to 10,000 other training rows with their labels, as most
        papers have them. Ties go to the smaller rate.
    equal : {"epochs", "multiply_adds"}, default="epochs"
        What is the same for all. With "multiply_adds", nets that need no pretraining
        get its cost back as more epochs.
    pretraining_rows : {"all", "labelled"}, default="all"
        Whether DBNs (and principal components) are made from all training rows, or from
        the labelled ones only.
    rbm : RBMTransformer or None, default=None
        The machine of which DBNs are made: its optimizer, CD-k, sparsity, visible units
        and the like. Hidden units, batches and epochs are those of the comparison. None
        is ``RBMTransformer()``.
    scaling : {"auto", None}, default="auto"
        "auto": where values lie outside [0, 1], every column is scaled to it by the
        training rows. None: contenders are given X as it is; a net then standardises
        columns that are not grey values, others need a scaler of their own.
    scoring : str, default="accuracy"
        Name of a scikit-learn scorer. An error is 1 minus its value, or minus its value
        where the name begins with "neg_".
    n_updates : int or sequence of int, default=500
        Updates of fine-tuning, rounded up to whole epochs; one number for all label
        budgets, since small ones need as much training as large ones, or one for each.
        Above some 300 labels, and for deeper nets, 500 with batches of 20 are too few
        for starts without pretraining.
    pretrain_updates : int, default=3000
        Updates of pretraining per layer, rounded up to whole epochs.
    batch_size : int, default=20
        Rows per update in both.
    test_size : float, default=0.3
        Share of test rows where there is no fixed split.
    n_jobs : int or None, default=None
        Processes, as in joblib, whose `parallel_config` may choose a cluster (dask,
        ray). Every net is trained on one BLAS thread, so results do not depend on it.
    folder : path or None, default=None
        Where every finished net is kept at once. The same call with the same folder
        goes on where another one stopped, and repeats nothing; `n_seeds` may grow. Nets
        that other code made, of this package or of the script, are refused.
    dbn_folder : path or None, default=None
        Where DBNs are kept instead, for several studies of the same rows: what one has
        pretrained the others take from there.
    verbose : int, default=0
        1 shows a tqdm bar with an estimate of the time that is left or, where there is
        no terminal, a line for each tenth of the work.
    name : str, default="data"
        Name of the data set, for the report.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If data or settings make no comparison, or `folder` holds another study or nets
        that other code made.
    OSError
        If `folder` cannot be written.
    RuntimeError
        If a worker process dies.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> sorted(result.errors()["1 x 16, 50 labels"])  # doctest: +ELLIPSIS
    ['dbn + logistic', 'dbn-features + logistic regression', 'he_normal + relu', ...]
    """
    began = perf_counter()
    data = read_data(X, y, X_test, y_test, name)
    rates = check_rates(learning_rates)
    rbm = check_rbm(RBMTransformer() if rbm is None else rbm)
    contenders, own_controls = contenders_and_controls(inits, controls, rates, rbm)
    seeds = tuple(range(count(n_seeds, "n_seeds")))
    own_splits = read_splits(splits, data, len(seeds))
    study = Study(
        contenders=contenders,
        controls=own_controls,
        hidden_layer_sizes=tuple(
            tuple(check_layer_sizes(n)) for n in hidden_layer_sizes
        ),
        label_budgets=tuple(int(n) for n in label_budgets),
        splits=own_splits,
        labelled_rows=read_labelled_rows(label_budgets, data, len(seeds)),
        seeds=seeds,
        learning_rates=tuple(rates),
        tune=tune,
        equal=equal,
        pretraining_rows=pretraining_rows,
        rbm=rbm,
        scoring=scoring,
        n_updates=_updates(n_updates, len(label_budgets)),
        pretrain_updates=count(pretrain_updates, "pretrain_updates"),
        batch_size=count(batch_size, "batch_size"),
        scaled=_is_scaled(data, scaling),
        **_sizes(data, own_splits, test_size),
    )
    check_study(study)
    check_labels(study, data.y)
    settings = {**study.describe(), "data_sha256": identity(*data)}
    origin = provenance()
    journal = None if folder is None else Journal(folder, settings, origin)
    dbns = journal
    if dbn_folder is not None:
        dbns = Journal(dbn_folder, study.about_pretraining(settings), origin, False)
    work = _Work(study, data, journal, dbns, n_jobs, verbose)
    records = work.records()
    settings = {"dataset": name, **settings, **origin, "blas_threads": 1}
    settings["seconds"] = round(perf_counter() - began, 1)
    settings["pretrained"] = work.pretrained(origin["command"])
    return Comparison(settings, records)


def _updates(n_updates: int | Sequence[int], n_budgets: int) -> tuple[int, ...]:
    """Updates for each label budget."""
    given = [*n_updates] if np.iterable(n_updates) else [n_updates] * n_budgets
    if len(given) != n_budgets:
        raise ValueError(
            f"n_updates is {given} for {n_budgets} label budgets; give one "
            "number for all, or one for each."
        )
    return tuple(count(n, "n_updates") for n in given)


def _sizes(
    data: Data, splits: tuple[tuple[Array, Array], ...] | None, test_size: float
) -> dict[str, Any]:
    """What a study says about its data; of own splits those of the smallest."""
    fixed = data.X_test is not None
    if not fixed and not 0 < test_size < 1:
        raise ValueError(f"test_size must be between 0 and 1; it is {test_size!r}.")
    n_test = len(data.X_test) if fixed else math.ceil(test_size * len(data.y))
    n_train = len(data.y) - (0 if fixed else n_test)
    if splits is not None:
        n_train, n_test = (min(map(len, rows)) for rows in zip(*splits, strict=True))
    return {
        "n_train": n_train,
        "n_test": n_test,
        "n_features": data.X.shape[1],
        "n_classes": int(data.y.max()) + 1,
        "fixed_test_split": fixed,
    }


def _is_scaled(data: Data, scaling: str | None) -> bool:
    """Whether the study scales rows to [0, 1]."""
    if scaling not in ("auto", None):
        raise ValueError(f"scaling is {scaling!r}; it may be 'auto' or None.")
    arrays = [X for X in (data.X, data.X_test) if X is not None]
    outside = any(bool(X.min() < 0.0 or X.max() > 1.0) for X in arrays)
    return outside and scaling == "auto"


class _Work:
    """Runs the cells of a study that its journal does not have."""

    def __init__(
        self,
        study: Study,
        data: Data,
        journal: Journal | None,
        dbns: Journal | None,
        n_jobs: Any,
        verbose: int,
    ) -> None:
        self.study, self.data, self.journal, self.dbns = study, data, journal, dbns
        self.n_jobs, self.verbose = n_jobs, verbose
        self.starts = study.starts()
        self.made = dict(start for start in self.starts.values() if start)
        self.results: dict[Cell, Any] = {}

    def records(self) -> list[dict[str, Any]]:
        """Pretrain, tune and test; return the records."""
        study, tuning = self.study, self.study.tuning()
        cells = [*self.made, *tuning, *study.finals()]
        early = [cell for cell in tuning if self.starts[cell] is None]
        ends, _ = kinds_first(study, [*self.made, *early])
        n_jobs = joblib.effective_n_jobs(self.n_jobs)
        left = TimeLeft(study, cells, n_jobs, ends)
        with (
            Progress(left, shown=bool(self.verbose)) as self.progress,
            self._told_how_to_go_on(),
        ):
            self._run(dict.fromkeys([*ends, *self.made]))
            self._run([cell for part in kinds_first(study, tuning) for cell in part])
            tuned = [self.results[cell] for cell in tuning]
            testing = study.testing(tuned)
            self._run(testing)
        if self.journal:
            self.journal.finish()
        return tuned + [self.results[cell] for cell in testing]

    def pretrained(self, command: str) -> list[dict[str, Any]]:
        """What a record says of each DBN; those of no journal are of this command."""
        return [
            {
                "n_labels": cell.n_labels,
                **about_model(self.results[cell][1]),
                "command": self.dbns.command(cell) if self.dbns else command,
            }
            for cell in self.made
        ]

    def _start(self, cell: Cell) -> Any:
        """What `run_cell` needs for a cell beside the data."""
        if cell.stage == "pretrain":
            return self.made[cell]
        found = self.starts[replace(cell, stage="tune")]
        return found and self.results[found[0]]

    def _run(self, cells: Iterable[Cell]) -> None:
        """Results of cells, those of a journal included."""
        for cell in cells:
            journal = self._journal(cell)
            result = journal.load(cell) if journal else None
            if result is not None and cell not in self.results:
                self.results[cell] = result
                self.progress.left.found(cell)
        missing = [cell for cell in cells if cell not in self.results]
        for cell, result, seconds in self._computed(missing):
            journal = self._journal(cell)
            if journal:
                journal.save(cell, result)
            self.results[cell] = result
            self.progress.update(cell, seconds)

    def _journal(self, cell: Cell) -> Journal | None:
        return self.dbns if cell.stage == "pretrain" else self.journal

    def _computed(self, cells: list[Cell]) -> Iterator[tuple[Cell, Any, float]]:
        """What `run_cell` returns for each, as soon as it is there, in any order."""
        tasks = [
            joblib.delayed(run_cell)(cell, self.study, self._start(cell), *self.data)
            for cell in cells
        ]
        options: dict[str, Any] = {"n_jobs": self.n_jobs, "batch_size": 1}
        try:
            parallel: Any = joblib.Parallel(return_as="generator_unordered", **options)
        except ValueError:  # a backend (ray, multiprocessing) that gives lists only
            parallel = joblib.Parallel(**options)
            n = 4 * joblib.effective_n_jobs(self.n_jobs)
            for i in range(0, len(tasks), n):
                yield from parallel(tasks[i : i + n])
        else:
            with parallel:
                yield from parallel(tasks)

    @contextmanager
    def _told_how_to_go_on(self) -> Iterator[None]:
        """Say in every error what is kept and how to go on from it."""
        try:
            yield
        except BaseException as error:
            advice = "Pass folder=... to keep finished nets and go on from them."
            if self.journal:
                advice = (
                    f"What was finished is in {self.journal.folder}: the same call "
                    "with the same folder goes on from it."
                )
            remote = type(error).__module__.split(".")[0] == "distributed"
            if isinstance(error, BrokenExecutor) or remote:
                raise RuntimeError(
                    "A worker process died: killed, or out of memory. Fewer n_jobs "
                    f"need less. {advice}"
                ) from error
            error.add_note(advice)
            raise
