"""How far a comparison is, and how long it still takes, shown while it runs."""

import math
import sys
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, Self

from ...estimators.predictor import DBNPredictor
from ...training.callbacks import progress_bar
from .cell import Cell
from .protocol import FULL_CROSS_VALIDATION, N_FOLDS, Study
from .semi_supervised import SelfTraining

_Amounts = defaultdict[Hashable, float]

# An update of a layer takes as long as its own multiply-adds and so many more: for
# itself, and for the optimizer's pass over each weight.
_PER_LAYER = 1_000_000
_PER_WEIGHT = 80
_BAR = "{desc}: {percentage:3.0f}%|{bar}| [{elapsed}<LEFT]"


def work_of(study: Study, cell: Cell) -> int:
    """How long a cell takes, in multiply-adds, roughly.

    Parameters
    ----------
    study : Study
    cell : Cell
    """
    n_rows = cell.n_labels or study.n_train
    passes = [_PER_LAYER + _PER_WEIGHT * n for n in study.weights(cell)]
    if cell.stage == "pretrain":
        n_machines = len(cell.hidden_layer_sizes)
        updates = study.pretrain_updates * sum(passes[:n_machines])
        return study.pretraining_cost(cell) + updates
    folded = n_rows <= FULL_CROSS_VALIDATION and study.tune == "strict"
    n_fits = N_FOLDS if cell.stage == "tune" and folded else 1
    estimator = study.contender(cell).estimator
    if isinstance(estimator, SelfTraining):
        n_fits *= 1 + estimator.n_rounds
        estimator = estimator.estimator
    if not isinstance(estimator, DBNPredictor):
        width = cell.hidden_layer_sizes[-1]
        return n_fits * (150 * _PER_LAYER + 2000 * n_rows * width)
    n_epochs = study.epochs(cell, n_rows)
    updates = n_epochs * math.ceil(n_rows / study.batch_size)
    cost = study.finetuning_cost(cell, n_rows) * n_epochs
    return n_fits * (cost + updates * sum(passes))


def _kinds(study: Study, cell: Cell) -> list[Hashable]:
    """What cells a cell is like: in all that costs time, in less and less, in none."""
    what, value = cell.stage, cell.value
    if cell.stage != "pretrain":
        contender = study.contender(cell)
        what = type(contender.estimator).__name__
        if isinstance(
            contender.estimator, DBNPredictor
        ):  # as long with any learning rate
            value = None
    network = cell.hidden_layer_sizes, cell.n_labels, cell.n_updates
    return [
        (what, cell.name, *network, value),
        (what, cell.name, *network),
        (what, cell.name),
        (what, *network),
        (what,),
        (),
    ]


def kinds_first(study: Study, cells: Iterable[Cell]) -> tuple[list[Cell], list[Cell]]:
    """The cells in an order in which the time that all take is known early.

    Parameters
    ----------
    study : Study
    cells : iterable of Cell

    Returns
    -------
    ends : list of Cell
        Those with the least and the most work of every contender and DBN.
    others : list of Cell
        One of every other kind, and then the rest.
    """
    kinds: dict[Hashable, Cell] = {}
    cells = [*cells]
    for cell in cells:
        kinds.setdefault(_kinds(study, cell)[0], cell)
    its: dict[Hashable, list[Cell]] = {}
    for cell in sorted(kinds.values(), key=partial(work_of, study)):
        its.setdefault(_kinds(study, cell)[2], []).append(cell)
    least, most = ([own[i] for own in its.values()] for i in (0, -1))
    ends = dict.fromkeys(sorted(least, key=partial(work_of, study)) + most)
    others = dict.fromkeys([*kinds.values(), *cells])
    return [*ends], [cell for cell in others if cell not in ends]


class TimeLeft:
    """An estimate of the time that cells take, from those that are done.

    A cell takes as many seconds for its work (`work_of`, which knows sizes, labels,
    epochs and folds) as those that are most like it have taken.

    Parameters
    ----------
    study : Study
    cells : iterable of Cell
        All of them; of final nets without their values.
    n_jobs : int
        How many are done at a time.
    ends : iterable of Cell
        Those that must be done before the estimate is good for anything.
    """

    def __init__(
        self,
        study: Study,
        cells: Iterable[Cell],
        n_jobs: int,
        ends: Iterable[Cell] = (),
    ) -> None:
        self._n_jobs, self._awaited = n_jobs, {*ends}
        self._study = study
        self._about: dict[Cell, tuple[int, list[Hashable]]] = {}
        self._missing: _Amounts = defaultdict(float)
        self._levels: dict[Hashable, list[Hashable]] = {}
        self._work: _Amounts = defaultdict(float)
        self._seconds: _Amounts = defaultdict(float)
        self._found, self._weight = 0.0, 0.0
        self.share, self.total, self.left = 0.0, 0.0, 0.0
        self.add(cells)

    def add(self, cells: Iterable[Cell]) -> None:
        """Note that these are to be done, too."""
        for cell in cells:
            work, kinds = work_of(self._study, cell), _kinds(self._study, cell)
            self._about[cell] = work, kinds
            self._levels[kinds[0]] = kinds
            self._missing[kinds[0]] += work

    def found(self, cell: Cell, seconds: float) -> None:
        """Note that a cell was done before, in so many seconds."""
        self._found += seconds
        self._measured(cell, seconds)

    def done(self, cell: Cell, seconds: float, elapsed: float) -> None:
        """Note that a cell is done, in so many seconds; and how long all has taken.

        Then `share` is the share of the work that is done, which never falls and is
        below a tenth while `ends` are not done, and `total` the estimated seconds of
        all that was not done before. From the first tenth on it follows what is
        measured within another tenth, so it does not jump, except at the first net of
        a contender and network. `left` is what remains of it, but not much less than
        what is missing takes now: where a machine slows down at the end, `total`
        follows too late.
        """
        is_news = self._measured(cell, seconds)
        past, left = self._seconds[()], self._estimate()
        share = past / (past + left)
        self.share = max(self.share, min(share, 0.09) if self._awaited else share)
        ours, total = past - self._found, elapsed + left / self._n_jobs
        weight = ours / (ours + left)
        if self._awaited or is_news or self._weight < 0.1:
            self.total = total
        else:
            pull = min(1.0, max(0.0, weight - self._weight) / 0.1)
            self.total *= (total / self.total) ** pull
        self._weight = max(weight, self._weight)
        self.left = max(self.total - elapsed, left / self._n_jobs / 1.5)

    def _measured(self, cell: Cell, seconds: float) -> bool:
        """Note what a cell took; whether it is the first of its contender and net."""
        work, kinds = self._of(cell)
        self._missing[kinds[0]] -= work
        self._awaited.discard(cell)
        is_news = not self._work[kinds[1]]
        for kind in kinds:
            self._work[kind] += work
            self._seconds[kind] += seconds
        return is_news

    def _of(self, cell: Cell) -> tuple[int, list[Hashable]]:
        found = self._about.get(cell)
        return found or self._about[replace(cell, value=None)]

    def _estimate(self) -> float:
        """Seconds of all that is missing."""
        works = self._missing.items()
        return sum(work * self._seconds_per_work(kind) for kind, work in works)

    def _seconds_per_work(self, kind: Hashable) -> float:
        like = next(kind for kind in self._levels[kind] if self._work[kind])
        return self._seconds[like] / self._work[like]


class Progress:
    """Shows a `TimeLeft`: a bar on a terminal, elsewhere a line for each tenth.

    Parameters
    ----------
    left : TimeLeft
    shown : bool
    """

    def __init__(self, left: TimeLeft, shown: bool) -> None:
        self.left, self._shown, self._began = left, shown, perf_counter()
        self._tenths = 0
        bar: Any = progress_bar(disable=True)
        notebook = any(c.__module__ == "tqdm.notebook" for c in type(bar).__mro__)
        self._lines = not notebook and not sys.stderr.isatty()
        text = _BAR.replace("LEFT", "?")
        self._bar: Any = progress_bar(
            total=1.0,
            desc="comparison",
            bar_format=text,
            disable=self._lines or not shown,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *more: object) -> None:
        if error is None and self.left.share < 1.0:  # all was done before
            self._show(1.0, "0 s")
        self._bar.close()

    def update(self, cell: Cell, seconds: float) -> None:
        """Note that a cell is done, in so many seconds."""
        elapsed = perf_counter() - self._began
        self.left.done(cell, seconds, elapsed)
        self._show(self.left.share, _duration(self.left.left))

    def _show(self, share: float, left: str) -> None:
        tenths = int(10.0 * share + 1e-9)
        if not self._lines:
            self._bar.bar_format = _BAR.replace("LEFT", left)
            self._bar.update(share - self._bar.n)
        elif self._shown and tenths > self._tenths:
            self._tenths = tenths
            then = f", about {left} left" if tenths < 10 else ""
            past = _duration(perf_counter() - self._began)
            sys.stderr.write(f"comparison: {10 * tenths}% after {past}{then}\n")
            sys.stderr.flush()


def _duration(seconds: float) -> str:
    """A time to wait, in words."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} h"
