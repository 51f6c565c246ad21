"""Checkpoints: training that was stopped goes on as if it had not been."""

import hashlib
import math
import os
import secrets
import warnings
from contextlib import suppress
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.identity import identity
from ...storage.archive import (
    read_archive,
    refusals,
    replacing,
    write_archive,
)
from ...storage.packing import ModelFileError
from ...storage.regular_file import open_file
from ..distributed import current_workers

_KIND, _VERSION = "dbn checkpoint", 1


class Checkpoint:
    """Callback that saves the state of training, and from which `fit` goes on.

    A file holds all that training is made of: parameters, optimizer moments, chains,
    random streams, position, best epoch so far and history. A fit that is resumed ends
    with the parameters, bit for bit, that it would have had without the stop, in every
    phase. Files hold no code (see ``docs/model-files.md``); each is written beside its
    place, synced and renamed, so that a crash leaves the one before.

    Names of files tell the task and what the fit is made of: all parameters, fitted
    models in them included, and all rows that are trained on or watched, with labels
    and weights. What is shown and where it is computed (`verbose`, `device`) and a
    `random_state` that is no int do not count. Below a grid search or cross-validation
    every fit has its own: set this callback on the estimator inside. The task of a warm
    start is to go on from the epochs that the estimator has: to resume it, bring the
    estimator there again.

    Of several processes (`data_parallel`) the first alone writes and reads files, which
    do not tell how many there were.

    Parameters
    ----------
    folder : str or path-like
        Made if it does not exist.
    every_n_epochs : int, default=1
        Counted in each layer and phase. Its last epoch is saved in any case, unless
        another callback ends it.
    keep : int, default=2
        Files that are kept of each fit, the newest.
    resume : bool, default=False
        Whether `fit` goes on from the newest good file for its task, parameters and
        data, if there is one. `max_iter` may have grown, unless a schedule ends with
        the fit, as that of the default learning rates does (see `Schedule`): another
        `max_iter` is then another fit.

    Raises
    ------
    TypeError
        In `fit`, if this callback is set on anything but an estimator of this package.
    ValueError
        In `fit` with `resume`, if the folder holds checkpoints of the same task, but
        only for other parameters or data, unless a fit with this object, or a copy of
        it, has begun or resumed one of them (the folds of a cross-validation are one
        run); if the checkpoint has more epochs than `max_iter`; or if training cannot
        go on from what a forged file holds (then a `ModelFileError`).
    OSError
        In `fit`, if the folder cannot be made.

    Warns
    -----
    RuntimeWarning
        When a file cannot be written (the disk is full, say): training goes on; or when
        a damaged file, or what is no file, is passed over.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from dbn import RBMTransformer
    >>> from dbn.training import SGD, Checkpoint
    >>> X = load_digits().data / 16
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     steady = {"optimizer": SGD(0.1), "random_state": 0}
    ...     rbm = RBMTransformer(16, max_iter=3, **steady)
    ...     rbm = rbm.set_callbacks(Checkpoint(folder)).fit(X)
    ...     longer = RBMTransformer(16, max_iter=5, **steady)
    ...     longer = longer.set_callbacks(Checkpoint(folder, resume=True)).fit(X)
    >>> longer.n_iter_
    5
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        every_n_epochs: int = 1,
        keep: int = 2,
        resume: bool = False,
    ) -> None:
        self.folder = folder
        self.every_n_epochs = every_n_epochs
        self.keep = keep
        self.resume = resume
        # Of each fit that runs: the beginning of its files' names, epochs before it.
        self._fits: dict[int, tuple[str, int]] = {}
        # Copies, in other processes too, have the same.
        self._run = secrets.token_hex(8)

    def setup(self, estimator: Any, context: Any) -> None:
        """Check the parameters and make the folder."""
        if not hasattr(estimator, "_progress"):
            raise TypeError(
                f"Checkpoint is set on a {type(estimator).__name__}, which has no "
                "epochs of its own. Set it on the estimator of dbn inside, before that "
                "is handed over: DBNClassifier().set_callbacks(Checkpoint(folder))."
            )
        for name in ("every_n_epochs", "keep"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(
                    f"Checkpoint: {name} must be an integer of at least 1; it is "
                    f"{value!r}."
                )
        if current_workers().rank == 0:
            Path(self.folder).mkdir(parents=True, exist_ok=True)

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Nothing: a fit calls `begin` when it knows what it is made of."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Save after an epoch."""
        if context.task_name != "epoch":
            self._fits.pop(id(context), None)
            return
        if current_workers().rank > 0:
            return
        stem, n_before = self._fit_of(context)
        progress = estimator._progress()
        n_done = _count_epochs(progress["history"][n_before:])
        n_all = context.parent.max_subtasks
        if id(context.parent) not in self._fits:  # a layer's: those after a resume
            n_all += n_done - (context.task_id + 1)
        over = progress.get("state", {}).get("best", {}).get("over", False)
        if n_done % self.every_n_epochs and n_done != n_all and not over:
            return
        path = Path(self.folder) / f"{stem}-{len(progress['history']):06d}.ckpt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)  # it may have been removed
            write_archive(
                path, progress, kind=_KIND, version=_VERSION, through_link=False
            )
            _remove(self._files(stem)[: -self.keep])
        except OSError as error:
            warnings.warn(
                f"The checkpoint {path} could not be kept: {error}. Training goes on; "
                "what was written before is still there.",
                RuntimeWarning,
                stacklevel=2,
            )

    def teardown(self, estimator: Any, context: Any) -> None:
        """Forget what an interrupted fit left."""
        self._fits.pop(id(context), None)

    def begin(
        self, estimator: Any, context: Any, made_of: tuple[Any, ...]
    ) -> tuple[Path, dict[str, Any]] | None:
        """Find the names of a fit's files, and what it goes on from.

        Of several processes the first alone calls it.

        Parameters
        ----------
        estimator : estimator
            As it stands when the fit begins.
        context : sklearn.callback.CallbackContext
            Of the fit that begins.
        made_of : tuple
            What is trained on, see `dbn.training.callbacks.fit_task`.

        Returns
        -------
        tuple or None
            The newest good file for this fit and what it holds, if there is one and it
            is wanted.
        """
        stem = _stem(estimator, context, made_of)
        self._fits[id(context)] = stem, len(estimator._progress()["history"])
        mark = Path(self.folder) / f"{stem}.run"
        found = self._newest(stem, estimator) if self.resume else None
        if not self.resume:
            _remove(self._files(stem))
        elif found is None and _read_mark(mark) is None:
            self._refuse_others(stem)
        if _read_mark(mark) != self._run:
            # If that fails for want of room, so will the first checkpoint, and say so.
            with suppress(OSError), replacing(mark, through_link=False) as file:
                file.write(self._run.encode())
        return found

    def _newest(self, stem: str, estimator: Any) -> tuple[Path, dict[str, Any]] | None:
        begun = estimator._progress()
        for path in reversed(self._files(stem)):
            try:
                kept = read_archive(path, kind=_KIND, version=_VERSION)
                with refusals(path):
                    kept = _checked(kept, begun)
            except (ModelFileError, OSError) as error:  # or a link that leads nowhere
                warnings.warn(
                    f"The checkpoint {path} is passed over: {error}",
                    RuntimeWarning,
                    stacklevel=2,
                )
            else:
                _check_length(path, kept, begun, estimator)
                return path, kept
        return None

    def _refuse_others(self, stem: str) -> None:
        """Raise a ValueError if only other runs have trained on this task here."""
        task = stem.rsplit("-", 1)[0]
        files = self._files(f"{task}-*")
        others = [path for path in files if not path.name.startswith(f"{stem}-")]
        marks = Path(self.folder).glob(f"{task}-*.run")
        # One that was resumed is enough: in other processes more may be about to be.
        if others and not any(_read_mark(mark) == self._run for mark in marks):
            raise ValueError(
                f"{self.folder} holds checkpoints of the same task for other "
                "parameters or other data, or of an older version of dbn "
                f"({max(others).name}). Use the same (where a schedule ends with the "
                "fit, as that of the default optimizer does, max_iter too), another "
                "folder, or resume=False, which starts anew."
            )

    def _fit_of(self, context: Any) -> tuple[str, int]:
        while id(context) not in self._fits:
            context = context.parent
        return self._fits[id(context)]

    def _files(self, stem: str) -> list[Path]:
        """Existing files, the newest last."""
        return sorted(Path(self.folder).glob(f"{stem}-[0-9]*.ckpt"))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fits": {}}


def _count_epochs(history: list[dict[str, Any]]) -> int:
    """Epochs of the layer or phase that the last one belongs to.

    Examples
    --------
    >>> first, second = ({"phase": "pretrain", "layer": i} for i in (0, 1))
    >>> _count_epochs([first, first, second])
    1
    """
    of = [(entry["phase"], entry.get("layer")) for entry in history]
    return of.count(of[-1])


def _read_mark(path: Path) -> str | None:
    """The run that has begun or resumed a fit last; None if nothing tells."""
    with suppress(OSError, ModelFileError), open_file(path) as file:
        return file.read(64).decode("ascii", "replace")
    return None


def _remove(paths: list[Path]) -> None:
    """Remove files; a folder of such a name stays."""
    for path in paths:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)


def asked(estimator: Any) -> dict[str, Any]:
    """The parameters of an estimator that change what a fit does.

    Examples
    --------
    >>> from dbn import DBNTransformer
    >>> sorted(asked(DBNTransformer((8,), random_state=0, verbose=1)))
    ['hidden_layer_sizes', 'memory_budget', 'random_state', 'rbm']
    """
    params = estimator.get_params(deep=False)
    if not isinstance(params["random_state"], int | np.integer):
        del params["random_state"]  # it has gone on since
    return {k: v for k, v in params.items() if k not in ("device", "verbose")}


def _stem(estimator: Any, context: Any, made_of: tuple[Any, ...]) -> str:
    """Beginning of the names of a fit's files: class, task, parameters and data."""
    path, node = [], context
    while node is not None:
        path.append(f"{node.estimator_name} {node.task_name} {node.task_id}")
        node = node.parent
    if estimator.history_:  # a warm start
        path.append(f"after {len(estimator.history_)} epochs")
    # Earlier versions named the task likewise: their files are seen, and refused.
    task = hashlib.sha256(repr(path).encode()).hexdigest()[:8]
    params = asked(estimator)
    params.pop("max_iter", None)
    if _ends_with_fit(estimator):
        params["max_iter"] = estimator.max_iter_
    return f"{type(estimator).__name__}-{task}-{identity(params, made_of)[:16]}"


def _ends_with_fit(estimator: Any) -> bool:
    """Whether what the optimizer does depends on how long the fit is to be.

    Of a stack the prototypes tell, which are parameters, their `max_iter` included.
    """
    if not hasattr(estimator, "optimizer"):
        return False
    return bool(estimator._optimizer.open_schedules)


def _check_length(
    path: Path, kept: dict[str, Any], begun: dict[str, Any], estimator: Any
) -> None:
    """Raise a ValueError if a file has more epochs than the fit is to have."""
    phase = "finetune" if "network" in kept else "pretrain"
    n_kept, n_before = (
        sum(entry["phase"] == phase for entry in progress["history"])
        for progress in (kept, begun)
    )
    max_iter = getattr(estimator, "max_iter_", math.inf)
    if n_kept - n_before > max_iter:
        raise ValueError(
            f"max_iter is {max_iter}, but the checkpoint {path} has "
            f"{n_kept - n_before} epochs. Set max_iter to at least that, or use "
            "another folder, or resume=False, which starts anew."
        )


def _checked(kept: dict[str, Any], begun: dict[str, Any]) -> dict[str, Any]:
    """What a file holds, if it is of the kind that this estimator saves.

    Whether its arrays fit shows when training goes on; numbers of epochs below zero
    would only make that long.
    """
    same = {*kept} == {*begun} and all(
        isinstance(kept[name], type(value))
        for name, value in begun.items()
        if value is not None
    )
    history = kept["history"]
    finetuned = any(entry["phase"] == "finetune" for entry in history)
    same &= "network" not in kept or finetuned == (kept["network"] is not None)
    memories = kept.get("state", {}), kept.get("stack", {}).get("layer", {})
    counts = [entry["epoch"] for entry in history]
    counts += [memory.get("epoch", 0) for memory in memories]
    if not same or not all(type(n) is int and n >= 0 for n in counts):
        raise ModelFileError("it does not hold what this estimator saves.")
    return kept
