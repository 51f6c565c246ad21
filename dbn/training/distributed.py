"""Data-parallel training: several processes that take every step together.

Each process holds the model and all rows. Of every batch it takes a share, and the
gradients are averaged, each weighted by its rows, before the one step that all make.
Noise differs from process to process; persistent chains are shared out like the rows.
Between epochs all processes hold the same: a checkpoint of process 0 is a checkpoint of
the job, and any number of processes can go on from it.
"""

import copy
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import numpy as np

from ..backend.array import take_rows
from ..backend.device import namespace
from ..backend.identity import identity
from ..backend.parameters import Parameters
from ..backend.types import Array


class Workers:
    """The processes that train a model together; this default is one, alone.

    Attributes
    ----------
    rank : int
        Number of this process. Process 0 alone writes files and shows progress.
    size : int
        Number of processes.
    elastic : bool
        Whether torchrun may start all of them again when one has failed: they should
        then go on from a checkpoint if there is one.

    Examples
    --------
    >>> workers = Workers()
    >>> workers.rank, workers.size, workers.from_first(lambda: "metrics")
    (0, 1, 'metrics')
    """

    rank, size, elastic = 0, 1, False

    def check_batches(self, batch_size: int) -> None:
        """Raise a ValueError if a batch does not have a row for every process."""

    def together(
        self, gradient: Callable[..., Array], params: Parameters, weight: Array = None
    ) -> tuple[Callable[..., Array], Parameters]:
        """Make the gradient of a whole batch out of that of a share.

        Parameters
        ----------
        gradient : callable
            ``gradient(rows, grad, epoch)``, as `dbn.training.step.make_step` takes it.
        params : Parameters
        weight : array of shape (n_rows,), optional
            Weights of all rows that are trained on.

        Returns
        -------
        callable
            Like `gradient`; the loss that it returns is of the whole batch as well.
        Parameters
            To be passed to it as `grad`.
        """
        return gradient, params.zeros_like()

    def mean(self, *arrays: Array) -> None:
        """Make means over this process's share of a batch those over the whole batch.

        In place. For use inside a gradient that `together` was given.
        """

    def agree(self, *things: object) -> None:
        """Raise a ValueError in all processes unless all have the same things.

        See `dbn.backend.identity`.
        """

    def from_first(self, function: Callable[[], Any]) -> Any:
        """``function()``, which process 0 alone calls; all return or raise the same."""
        return function()

    @contextmanager
    def epoch(
        self,
        rng: Any,
        state: dict[str, Any],
        arrays: list[Array],
        n_rows: int,
        shares: Callable[..., Any] | None = None,
    ) -> Iterator[Any]:
        """Context of an epoch, in which `rng` draws the noise of this process only.

        Persistent chains, ``state["chains"]``, are shared out, and joined again at the
        end.

        Parameters
        ----------
        rng : numpy.random.Generator
            At the same place in all processes.
        state : dict
            What training remembers.
        arrays : list of array
            What is trained: all begin and end with the values of process 0.
        n_rows : int
            Of the training data.
        shares : callable, optional
            `dbn.boltzmann.Sampler.shares`, where there are chains.

        Yields
        ------
        numpy.random.Generator
            For the shuffles, the same in all processes.

        Raises
        ------
        ValueError
            If the processes do not agree, or there are fewer chains than processes.
        """
        yield rng


_ALONE = Workers()
_current = ContextVar("workers", default=_ALONE)


def current_workers() -> Workers:
    """The processes that train together at present.

    Returns
    -------
    Workers

    Examples
    --------
    >>> current_workers().size
    1
    """
    return _current.get()


@contextmanager
def data_parallel(timeout: float = 300.0) -> Iterator[Workers]:
    """Context in which all processes that torchrun has started share every fit.

    Each of them runs the same program on the same rows: of two, each computes with half
    of every batch, and the result is, but for noise and rounding, that of one process.
    A step costs one all-reduce of the flat gradient; with centering or sparsity one of
    the mean activities comes before it. Arrays in memory are reduced by gloo, those on
    GPUs (each process takes one) by NCCL. A `Checkpoint` is written by process 0, and
    all go on from it. `random_state` must be an int.

    Batch normalization is refused: moments of a share are not those of the batch.

    Parameters
    ----------
    timeout : float, default=300
        Seconds to wait for the others at every exchange. Between two of them, process 0
        also computes metrics and writes checkpoints.

    Yields
    ------
    Workers

    Raises
    ------
    ValueError
        If this process was not started by torchrun or a launcher that sets the same
        variables. In a fit, in all processes: if they were not given the same
        parameters and data, all rows compared (functions, such as `train_rbm`, compare
        optimizer, number of rows and random stream only); or if a batch has fewer rows
        than there are processes.
    ImportError
        If PyTorch is not installed.
    ConnectionError
        When another process has ended or does not answer.

    Examples
    --------
    In a program that torchrun did not start:

    >>> from dbn.training import data_parallel
    >>> with data_parallel() as workers:  # doctest: +ELLIPSIS
    ...     print(workers.rank, workers.size)
    Traceback (most recent call last):
        ...
    ValueError: RANK is not set: distributed training needs processes that torchrun ...
    """
    workers = _start(timeout)
    token = _current.set(workers if workers.size > 1 else _ALONE)
    try:
        yield workers
        with _blaming_others(timeout):
            workers.torch.distributed.barrier()
    finally:
        _current.reset(token)
        # Without it a process that ends by an error is aborted, and gets the blame.
        workers.torch.distributed.destroy_process_group()


def _start(timeout: float) -> "_Connected":
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        if name not in os.environ:
            raise ValueError(
                f"{name} is not set: distributed training needs processes that "
                "torchrun starts. Put `torchrun --standalone --nproc_per_node=2` in "
                "front of the script, instead of `python`; it comes with PyTorch (pip "
                "install torch)."
            )
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "Distributed training needs PyTorch, which is not installed: pip install "
            "torch."
        ) from error
    if torch.cuda.is_available():
        local = int(os.environ.get("LOCAL_RANK", 0))
        torch.cuda.set_device(local % torch.cuda.device_count())
    with _blaming_others(timeout):
        wait = timedelta(seconds=timeout)
        store, rank, size = _meet(torch.distributed, wait)
        # No backend is named: gloo for arrays in memory, NCCL where there is a GPU.
        torch.distributed.init_process_group(
            store=store, rank=rank, world_size=size, timeout=wait
        )
    return _Connected(torch, timeout)


def _meet(distributed: Any, wait: timedelta) -> tuple[Any, int, int]:
    """What the processes find each other by, rank and number of processes.

    The store of torchrun outlives processes: one that has been started again may read
    where another was before. So process 0 hands a prefix for new keys to who asks for
    it with a token that was not there before.
    """
    store, rank, size = next(distributed.rendezvous("env://", timeout=wait))
    token = uuid.uuid4().hex
    if rank > 0:
        store.set(f"process {rank}", token)
        token = store.get(f"prefix for {token}").decode()
        store.add(token, 1)
    end = time.monotonic() + wait.total_seconds()
    while rank == 0 and store.add(token, 0) < size - 1:
        if time.monotonic() > end:
            raise RuntimeError("Timed out waiting for processes to start")
        for other in range(1, size):
            if store.check([f"process {other}"]):
                asking = store.get(f"process {other}").decode()
                store.set(f"prefix for {asking}", token)
        time.sleep(0.02)
    return distributed.PrefixStore(token, store), rank, size


@contextmanager
def _blaming_others(timeout: float) -> Iterator[None]:
    """Raise a ConnectionError for what torch.distributed raises."""
    try:
        yield
    except RuntimeError as error:
        rank, size = os.environ["RANK"], os.environ["WORLD_SIZE"]
        # The first sentence, without the place in a source file.
        reason = re.split(r"\. |\n", re.sub(r"^\[\S+\] ", "", str(error)))[0]
        raise ConnectionError(
            f"Process {rank} of {size} cannot go on alone: another has ended, or did "
            f"not answer within {timeout:g} s ({reason}). Start the job again; if it "
            "wrote checkpoints, resume from them."
        ) from error


class _Connected(Workers):
    """This process among those that torch.distributed connects."""

    def __init__(self, torch: Any, timeout: float) -> None:
        self.torch, self.timeout = torch, timeout
        self.rank = torch.distributed.get_rank()
        self.size = torch.distributed.get_world_size()
        self.elastic = int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", 0)) > 0
        self.part = 1.0 / self.size  # what this process's share of a batch weighs

    def check_batches(self, batch_size: int) -> None:
        if batch_size < self.size:
            raise ValueError(
                f"batch_size={batch_size} is less than the {self.size} processes that "
                "share every batch. Raise batch_size, or start fewer processes."
            )

    def together(
        self, gradient: Callable[..., Array], params: Parameters, weight: Array = None
    ) -> tuple[Callable[..., Array], Parameters]:
        # The gradient and, behind it, the loss: one array to reduce.
        like = {"dtype": params.flat.dtype, "device": params.flat.device}
        whole = namespace(params.flat).zeros(params.flat.shape[0] + 1, **like)
        grad = Parameters(params.shapes, whole[:-1])

        def shared(rows: Array, grad: Parameters, epoch: int) -> Array:
            loss = gradient(self._share(rows, weight), grad, epoch)
            if loss is None:
                self.mean(grad.flat)
                return None
            whole[-1] = loss
            self.mean(whole)
            return 1.0 * whole[-1]

        return shared, grad

    def _share(self, rows: Array, weight: Array) -> Array:
        """The rows of a batch that belong to this process; sets what they weigh."""
        n_rows = rows.shape[0]
        own = rows[self._slice(n_rows)]
        if weight is None:
            self.part = own.shape[0] / n_rows
        else:
            sums = (float(take_rows(weight, part).sum()) for part in (own, rows))
            self.part = next(sums) / next(sums)
        # A short last batch may leave none: one row, which counts for nothing, will do.
        return own if own.shape[0] else rows[:1]

    def _slice(self, n: int) -> slice:
        """The share of this process in `n` things."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def mean(self, *arrays: Array) -> None:
        for array in arrays:
            if self.part:
                array *= self.part
            else:  # it may not even be finite
                array[...] = 0.0
        self._sum(*arrays)

    def _sum(self, *arrays: Array) -> None:
        """Add up what all processes have, in place, in one all-reduce."""
        parts = [self._tensor(array) for array in arrays]
        several = len(parts) > 1
        total = self.torch.cat([p.reshape(-1) for p in parts]) if several else parts[0]
        with _blaming_others(self.timeout):
            self.torch.distributed.all_reduce(total)
        if several:
            pieces = total.split([part.numel() for part in parts])
            for part, piece in zip(parts, pieces, strict=True):
                part.copy_(piece.reshape(part.shape))

    def _tensor(self, array: Array) -> Array:
        """The memory of an array as a tensor."""
        numpy = isinstance(array, np.ndarray)
        return self.torch.from_numpy(array) if numpy else array

    def agree(self, *things: object) -> None:
        found = [None] * self.size
        with _blaming_others(self.timeout):
            self.torch.distributed.all_gather_object(found, identity(*things))
        others = [rank for rank in range(self.size) if found[rank] != found[0]]
        if others:
            raise ValueError(
                f"Of {self.size} processes, {others} do not train on what process 0 "
                "does: parameters, rows, labels or the random stream are not the same. "
                "Give all of them the same, and an int as random_state."
            )

    def from_first(self, function: Callable[[], Any]) -> Any:
        found: list[Any] = [None, None]
        if self.rank == 0:
            try:
                found[0] = function()
            except Exception as error:
                found[1] = error
        with _blaming_others(self.timeout):
            self.torch.distributed.broadcast_object_list(found, src=0)
        if found[1] is not None:
            raise found[1]
        return found[0]

    @contextmanager
    def epoch(
        self,
        rng: Any,
        state: dict[str, Any],
        arrays: list[Array],
        n_rows: int,
        shares: Callable[..., Any] | None = None,
    ) -> Iterator[Any]:
        self.agree(n_rows, state["epoch"], rng.bit_generator.state)
        self._spread(arrays)
        shuffles = copy.deepcopy(rng)
        seed = [*copy.deepcopy(rng).integers(2**32, size=4), self.rank]
        own = type(rng.bit_generator)(np.random.SeedSequence(seed))
        with self._sharing(state, shares):
            rng.bit_generator.state = own.state
            try:
                yield shuffles
            finally:
                rng.bit_generator.state = shuffles.bit_generator.state
        self._spread(arrays)

    def _spread(self, arrays: list[Array]) -> None:
        """Give all processes the arrays of process 0: computers may round otherwise."""
        for array in arrays:
            if array.shape[0]:
                with _blaming_others(self.timeout):
                    self.torch.distributed.broadcast(self._tensor(array), src=0)

    @contextmanager
    def _sharing(
        self, state: dict[str, Any], shares: Callable[..., Any] | None
    ) -> Iterator[None]:
        """Context in which the state holds this process's share of the chains."""
        if shares is None:
            yield
            return
        whole = state["chains"]
        rows, means = shares(whole)
        own = {name: self._slice(whole[name].shape[-2]) for name in rows}
        for name in rows:
            if whole[name].shape[-2] < self.size:
                raise ValueError(
                    f"{whole[name].shape[-2]} persistent chains cannot be shared by "
                    f"{self.size} processes. Raise the sampler's n_chains, or start "
                    "fewer processes."
                )
        state["chains"] = whole | {n: whole[n][..., own[n], :] for n in rows}
        yield
        chains = state["chains"]
        joined = {name: chains[name] / self.size for name in means}
        for name in rows:
            joined[name] = namespace(whole[name]).zeros_like(whole[name])
            joined[name][..., own[name], :] = chains[name]
        for array in joined.values():
            self._sum(array)
        state["chains"] = chains | joined
