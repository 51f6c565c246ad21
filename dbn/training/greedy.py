"""Layers trained one after the other, each on what the one below gives."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

from ..backend.array import map_batches
from ..backend.device import converted_beside, numpy_dtype, rows_beside, to_host
from ..backend.progress import tracked
from ..backend.rows import as_rows, row_slices, rows_in_file
from ..backend.types import Array
from .task import Task


class GreedyLayer(ABC):
    """A layer of a stack: how its model is made, begun and trained, and what it gives.

    A model is whatever has its numbers in ``params``: a machine, or a net.
    """

    n_hidden: int

    @abstractmethod
    def make(self, rows: Array, below: Any) -> Any:
        """The model, empty, for these rows, on top of the model below or None."""

    @abstractmethod
    def length(self, n_rows: int) -> tuple[int, int]:
        """Rows per update and number of epochs."""

    @abstractmethod
    def begin(self, model: Any, rows: Array, rng: Any) -> None:
        """Give the model the weights that it has before it is trained."""

    @abstractmethod
    def train(self, model: Any, rows: Array, **options: Any) -> None:
        """Begin the model, unless ``state`` says that it was, and train it.

        The options are those of `finetune` and `train_rbm` that concern the progress,
        and ``layer``.
        """

    @abstractmethod
    def hidden(self, model: Any, rows: Array) -> Array:
        """What the model gives of rows, for the next layer."""

    def rows(self, encoded: Array) -> Array:
        """What the model learns, of what the layer below gives."""
        return encoded

    def complete(self, encoded: Array) -> Array:
        """What `hidden` takes, of what the layer below gives."""
        return encoded


def train_layers(
    X: Array,
    layers: Sequence[GreedyLayer],
    *,
    name: str,
    rng: Any,
    memory_budget: float | None,
    task: Task | None,
    history: list[dict[str, Any]] | None,
    state: dict[str, Any] | None,
) -> list[Any]:
    """Train layers greedily; return their models.

    Parameters
    ----------
    X : array, scipy sparse CSR or LazyRows of shape (n_rows, n_features)
    layers : sequence of GreedyLayer
        From the data upwards.
    name : str
        What `state` calls the models.
    rng, memory_budget, task, history, state
        As of `pretrain`.

    Returns
    -------
    list
        When a callback stops the work, layers that were not reached stay at their
        initial weights.
    """
    task, state = task or Task(), {} if state is None else state
    kept, state[name] = state.pop("params", []), []
    budget = math.inf if memory_budget is None else memory_budget
    encoded, held, stopped = as_rows(X), 0, False
    for i, layer in enumerate(layers):
        rows, below = layer.rows(encoded), state[name][-1] if i else None
        model = converted_beside(layer.make(rows, below), encoded)
        if i < len(kept):
            model.params.fill(kept[i])
        models = [*state[name], model]
        if i + 1 >= len(kept) and not stopped:
            kept_layer = state["layer"] if i < len(kept) else {}
            of_layer = converted_beside(kept_layer, encoded)
            state |= {name: models, "layer": of_layer}
            batch_size, n_epochs = layer.length(encoded.shape[0])
            n_left = max(n_epochs - of_layer.get("epoch", 0), 0)
            options = {"rng": rng, "batch_size": batch_size, "max_iter": n_left}
            options |= {"layer": i, "state": of_layer, "history": history}
            with task.subtask("layer", n_left) as layer_task:
                layer.train(model, rows, **options, task=layer_task)
            stopped = layer_task.stop
        elif stopped:
            layer.begin(model, rows, rng)
        state[name] = models
        if i + 1 < len(layers):
            room = budget - held
            encoded, held = _encoded(layer, model, layer.complete(encoded), room)
    return list(state[name])


def _encoded(
    layer: GreedyLayer, model: Any, rows: Array, room: float
) -> tuple[Array, int]:
    """What a layer gives of all rows, in a file if it needs more than `room` bytes.

    Returns it and the bytes that it takes in memory.
    """
    like, hidden = model.params.flat, partial(layer.hidden, model)
    dtype = numpy_dtype(like)
    n_bytes = rows.shape[0] * layer.n_hidden * dtype.itemsize
    if n_bytes <= room:
        return map_batches(hidden, rows), n_bytes
    # Slices as those of map_batches, so that a file holds the same numbers.
    slices = tracked([*row_slices(rows, entries=2**22)], "rows", "batch")
    parts = (to_host(hidden(rows[part, ...])) for part in slices)
    return rows_beside(rows_in_file(parts, layer.n_hidden, dtype), like), 0
