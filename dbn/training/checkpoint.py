"""Checkpoints: training that was stopped goes on as if it had not been."""

import hashlib
import warnings
from pathlib import Path

import numpy as np

from ..backend.archive import read_archive, refusals, write_archive
from ..backend.array import dense, take_rows
from ..backend.device import to_host
from ..backend.packing import ModelFileError
from .distributed import current_workers

_KIND, _VERSION = "dbn checkpoint", 1
# What may change between stop and resume: how long to train, where, and what is shown.
_FREE = ("max_iter", "device", "verbose", "random_state")


class Checkpoint:
    """Callback that saves the state of training, and from which `fit` goes on.

    A file holds all that training is made of: parameters, optimizer moments, chains,
    random streams, position, best epoch so far and history. A fit that is resumed ends
    with the parameters, bit for bit, that it would have had without the stop, in every
    phase. Files hold no code (see ``docs/model-files.md``); each is written beside its
    place, synced and renamed, so that a crash leaves the one before.

    Names of files tell the task and a hash of the estimator's parameters and data:
    below a grid search every fit has its own. The task of a warm start is to go on from
    the epochs that the estimator has: to resume it, bring the estimator there again.

    Of several processes (`data_parallel`) the first alone writes and reads files, which
    do not tell how many there were.

    Parameters
    ----------
    folder : str or path-like
        Made if it does not exist.
    every_n_epochs : int, default=1
        The last epoch of a layer or phase is saved in any case.
    keep : int, default=2
        Files that are kept of each fit, the newest.
    resume : bool, default=False
        Whether `fit` goes on from the newest good file for its task, parameters and
        data, if there is one. `max_iter` may have grown.

    Raises
    ------
    ValueError
        In `fit` with `resume`, if the folder holds checkpoints of the same task, but
        only for other parameters or data, or if training cannot go on from what a
        forged file holds (then a `ModelFileError`).
    OSError
        In `fit`, if the folder cannot be made.

    Warns
    -----
    RuntimeWarning
        When a file cannot be written (the disk is full, say): training goes on; or when
        a damaged file is passed over.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from dbn import RBMTransformer
    >>> from dbn.training import Checkpoint
    >>> X = load_digits().data / 16
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rbm = RBMTransformer(16, max_iter=3, random_state=0)
    ...     rbm = rbm.set_callbacks(Checkpoint(folder)).fit(X)
    ...     longer = RBMTransformer(16, max_iter=5, random_state=0)
    ...     longer = longer.set_callbacks(Checkpoint(folder, resume=True)).fit(X)
    >>> longer.n_iter_
    5
    """

    def __init__(self, folder, every_n_epochs=1, keep=2, resume=False):
        self.folder = folder
        self.every_n_epochs = every_n_epochs
        self.keep = keep
        self.resume = resume
        self._stems = {}

    def setup(self, estimator, context):
        """Check the parameters and make the folder."""
        for name in ("every_n_epochs", "keep"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"Checkpoint: {name} must be an integer of at least 1; it is "
                    f"{value!r}."
                )
        if current_workers().rank == 0:
            Path(self.folder).mkdir(parents=True, exist_ok=True)

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        """Find the names of a fit's files when it begins."""
        if context.parent is None or context.estimator_name != (
            context.parent.estimator_name
        ):
            stem = _stem(estimator, context, X, y, metadata)
            self._stems[id(context)] = stem
            if not self.resume and current_workers().rank == 0:
                for path in self._files(stem):
                    path.unlink(missing_ok=True)

    def on_fit_task_end(self, estimator, context):
        """Save after an epoch."""
        if context.task_name != "epoch":
            self._stems.pop(id(context), None)
            return
        n_done, n_all = context.task_id + 1, context.parent.max_subtasks
        if n_done % self.every_n_epochs and n_done != n_all:
            return
        if current_workers().rank > 0:
            return
        stem = self._stem_of(context)
        progress = estimator._progress()
        path = Path(self.folder) / f"{stem}-{len(progress['history']):06d}.ckpt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)  # it may have been removed
            write_archive(path, progress, kind=_KIND, version=_VERSION)
            for old in self._files(stem)[: -self.keep]:
                old.unlink(missing_ok=True)
        except OSError as error:
            warnings.warn(
                f"The checkpoint {path} could not be kept: {error}. Training goes on; "
                "what was written before is still there.",
                RuntimeWarning,
                stacklevel=2,
            )

    def teardown(self, estimator, context):
        """Forget what an interrupted fit left."""
        self._stems.clear()

    def load(self, estimator, context):
        """Return the newest good file for a fit and what it holds, or None.

        Parameters
        ----------
        estimator : estimator
            As it stands when the fit begins.
        context : sklearn.callback.CallbackContext
            Of the fit that begins.
        """
        if not self.resume:
            return None
        return current_workers().from_first(lambda: self._load(estimator, context))

    def _load(self, estimator, context):
        stem = self._stem_of(context)
        for path in reversed(self._files(stem)):
            try:
                kept = read_archive(path, kind=_KIND, version=_VERSION)
                with refusals(path):
                    return path, _checked(kept, estimator._progress())
            except ModelFileError as error:
                warnings.warn(
                    f"The checkpoint {path} is passed over: {error}",
                    RuntimeWarning,
                    stacklevel=2,
                )
        task = stem.rsplit("-", 1)[0]
        others = {*self._files(f"{task}-*")} - {*self._files(stem)}
        if others:
            raise ValueError(
                f"{self.folder} holds checkpoints of the same task for other "
                f"parameters or other data ({max(others).name}). Use the same, another "
                "folder, or resume=False, which starts anew."
            )
        return None

    def _stem_of(self, context):
        while id(context) not in self._stems:
            context = context.parent
        return self._stems[id(context)]

    def _files(self, stem):
        """Existing files, the newest last."""
        return sorted(Path(self.folder).glob(f"{stem}-[0-9]*.ckpt"))

    def __getstate__(self):
        return {**self.__dict__, "_stems": {}}


def _stem(estimator, context, X, y, metadata):
    """Beginning of the names of a fit's files: class, task, parameters and data."""
    path, node = [], context
    while node is not None:
        path.append(f"{node.estimator_name} {node.task_name} {node.task_id}")
        node = node.parent
    if estimator.history_:  # a warm start
        path.append(f"after {len(estimator.history_)} epochs")
    params = estimator.get_params(deep=False)
    params = {k: repr(v) for k, v in params.items() if k not in _FREE}
    seed = estimator.random_state
    content = hashlib.sha256(repr([params, seed if _is_int(seed) else None]).encode())
    for data in (X, y, (metadata or {}).get("sample_weight")):
        _add_data(content, data)
    task = hashlib.sha256(repr(path).encode()).hexdigest()[:8]
    return f"{type(estimator).__name__}-{task}-{content.hexdigest()[:12]}"


def _checked(kept, begun):
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
    counts = [entry["epoch"] for entry in history]
    for memory in (kept.get("state", {}), kept.get("stack", {}).get("layer", {})):
        counts.append(memory.get("epoch", 0))
    if not same or not all(type(n) is int and n >= 0 for n in counts):
        raise ModelFileError("it does not hold what this estimator saves.")
    return kept


def _is_int(seed):
    return isinstance(seed, int | np.integer)


def _add_data(digest, data):
    """Add the shape and some 1000 evenly spaced rows: enough to tell data apart."""
    if data is None:
        return
    n_rows = data.shape[0] if hasattr(data, "shape") else len(data)
    rows = np.arange(0, n_rows, max(1, n_rows // 1000))
    if hasattr(data, "iloc"):
        data = data.iloc[rows]
    elif hasattr(data, "shape"):
        data = to_host(dense(take_rows(data, rows)))
    else:
        data = [data[i] for i in rows]
    values = np.asarray(data)
    digest.update(repr([n_rows, values.shape, values.dtype.kind]).encode())
    if values.dtype.kind in "OUS":
        digest.update(repr(values.tolist()).encode())
    else:
        digest.update(np.ascontiguousarray(values).tobytes())
