"""Runs a comparison: what is not kept from before, in processes, with an estimate."""

from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any

import joblib

from ...backend.identity import identity
from ..provenance import about_model, provenance
from .cell import Cell
from .comparison import Comparison
from .data_settings import rows_tested
from .journal import Journal
from .protocol import Study
from .read_data import Data
from .run_cell import run_cell
from .starts import find_starts
from .time_left import Progress, TimeLeft, kinds_first


def run_study(
    study: Study,
    data: Data,
    name: str,
    folder: Any,
    dbn_folder: Any,
    n_jobs: Any,
    verbose: int,
    began: float,
) -> Comparison:
    """Run a study; return its records, and where they come from.

    Parameters
    ----------
    study : Study
    data : Data
    name, folder, dbn_folder, n_jobs, verbose
        As in `compare_initializers`.
    began : float
        When the call began, by `time.perf_counter`.
    """
    settings = {"data_sha256": identity(*data[:4]), **study.describe()}
    origin = provenance()
    journals = _journals(study, settings, origin, folder, dbn_folder)
    work = _Work(study, data, *journals, n_jobs, verbose)
    records = work.records()
    settings = {"dataset": name, **settings, **rows_tested(study, data.y), **origin}
    settings["blas_threads"] = 1
    settings["seconds"] = round(perf_counter() - began, 1)
    settings["pretrained"] = work.pretrained(origin["command"])
    return Comparison(settings, records)


def _journals(
    study: Study,
    settings: dict[str, Any],
    origin: dict[str, Any],
    folder: Any,
    dbn_folder: Any,
) -> tuple[Journal | None, Journal | None]:
    """Where finished nets are kept, and where DBNs are."""
    journal = None if folder is None else Journal(folder, settings, origin)
    if dbn_folder is None:
        return journal, journal
    return journal, Journal(
        dbn_folder, study.about_pretraining(settings), origin, of_one_script=False
    )


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
        self.study, self.journal, self.dbns = study, journal, dbns
        self.data = data[:4]  # without what the user calls classes
        self.n_jobs, self.verbose = n_jobs, verbose
        self.starts = find_starts(study)
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
            beyond = study.beyond([self.results[cell] for cell in tuning])
            left.add(beyond)
            self._run(beyond)
            tuned = [self.results[cell] for cell in [*tuning, *beyond]]
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
        # A rate beyond the grid starts from what those inside it do.
        inside = self.study.contender(cell).values
        value = cell.value if cell.value in inside else inside[0]
        found = self.starts[replace(cell, stage="tune", value=value)]
        return found and self.results[found[0]]

    def _run(self, cells: Iterable[Cell]) -> None:
        """Results of cells, those of a journal included."""
        for cell in cells:
            journal = self._journal(cell)
            found = journal.load(cell) if journal else None
            if found and cell not in self.results:
                self.results[cell], seconds = found
                self.progress.left.found(cell, seconds)
        missing = [cell for cell in cells if cell not in self.results]
        for cell, result, seconds in self._computed(missing):
            journal = self._journal(cell)
            if journal:
                journal.save(cell, result, seconds)
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
