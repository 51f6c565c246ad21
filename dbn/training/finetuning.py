"""Supervised training of a network by back-propagation."""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..backend.array import dense, take_rows
from ..backend.device import asarray_like, numpy_dtype
from ..backend.parameters import Parameters
from ..backend.random import stream_on
from ..backend.types import Array
from ..feedforward import Network
from .budget import of_net
from .checks import check_options, checked_input
from .distributed import current_workers
from .loop import Training, run_epochs
from .optimizers import Optimizer, get_optimizer
from .step import make_step
from .task import Task


def finetune(
    network: Network,
    X: Array,
    y: Array | None,
    *,
    rng: Any,
    optimizer: str | Optimizer = "adam",
    weight_decay: float = 0.0,
    max_norm: float | None = None,
    learning_rate_multipliers: Sequence[float] | None = None,
    head_epochs: int = 0,
    batch_size: int | str = "auto",
    max_iter: int | str = "auto",
    on_divergence: str = "raise",
    sample_weight: Array = None,
    inputs: Callable[..., Array] | None = None,
    validate: Callable[[], dict[str, Any]] | None = None,
    patience: int | None = None,
    watch: str = "loss",
    tol: float = 1e-4,
    task: Task | None = None,
    history: list[dict[str, Any]] | None = None,
    layer: int | None = None,
    state: dict[str, Any] | None = None,
) -> Network:
    """Train the parameters of a network from where they are; return the network.

    Parameters
    ----------
    network : Network
        Changed in place.
    X : array or scipy sparse CSR of shape (n_rows, n_inputs)
    y : array of shape (n_rows, n_outputs) or None
        One-hot rows, or values; integers and booleans, as those of X, become numbers
        of the network's dtype. None: the rows of X, of an autoencoder.
    rng : numpy.random.Generator
        For the shuffles and dropout.
    optimizer : {"sgd", "rmsprop", "adam", "adamw", "lbfgs", "cg"} or Optimizer, \
default="adam"
    weight_decay : float, default=0.0
        lambda of lambda / 2 ||W||^2, added to the mean loss; biases are free.
    max_norm : float, optional
        Bound of the norm of each unit's incoming weights, see `Network.limit_norms`.
    learning_rate_multipliers : sequence of float, optional
        One per dense layer, from the data upwards; 0 freezes a layer. Default: all 1.
    head_epochs : int, default=0
        Epochs at the beginning in which only the top layer learns.
    batch_size, max_iter : int or "auto", default="auto"
        Rows per update and number of epochs. "auto" is a thirtieth of the rows, but
        10 to 100 of them, and as many epochs as make 3000 updates, but 20 to 100; with
        an optimizer that searches along lines 1000 rows, and 200 updates.
    on_divergence : {"raise", "halve"}, default="raise"
        What to do when numbers are not finite any more: raise an error, or repeat the
        epoch with half the learning rate (up to 30 times) and go on with that, which
        `history` tells as ``"learning_rate_factor"``.
    sample_weight : array of shape (n_rows,), optional
        As in `train_rbm`.
    inputs : callable, optional
        ``inputs(rows, rng=rng)`` makes what the network is given of a batch of rows of
        X, such as a corrupted copy. Default: the batch.
    validate : callable, optional
        ``validate()`` returns metrics of the network on rows that are not trained on,
        for the history: ``"validation_score"`` and ``"validation_loss"``.
    patience : int, optional
        Stop when the loss has not fallen by more than `tol` for so many epochs, and for
        500 updates, but not before the training loss is below that of a constant
        prediction.
    watch : {"loss", "validation_loss"}, default="loss"
        Which loss that is; without `patience`, none is watched. With that of
        `validate` the best epoch is what remains.
    tol : float, default=1e-4
    task : Task, optional
        Where progress is reported; default: nowhere.
    history : list, optional
        Receives a dict per epoch, with the mean ``"loss"`` over the epoch's batches in
        nats, weight decay not counted.
    layer : int, optional
        Of a net that a layer of another is to begin with: its position there, for
        `history` and errors.
    state : dict, optional
        As in `train_rbm`: what training remembers, to go on later.

    Raises
    ------
    ValueError
        If an argument is not accepted: before anything is changed, a number out of
        its range, targets or weights that are not one for each row, or `patience` with
        nothing to watch. If the optimizer needs a loss without noise and the network
        has dropout or batch normalization, there is not one multiplier of at least 0
        per layer, or batch normalization would have batches of one row.
    FloatingPointError
        If training diverges; the network keeps its parameters from before the epoch in
        which it happened.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import Network
    >>> from dbn.training import finetune
    >>> rng = np.random.default_rng(0)
    >>> X, y = np.eye(2), np.eye(2)
    >>> net = finetune(Network([2, 2]), X, y, rng=rng, max_iter=300)
    >>> net.predict(X).argmax(axis=1)
    array([0, 1])
    """
    check_options(locals())
    dtype = numpy_dtype(network.params.flat)
    X, y, sample_weight = checked_input(dtype, X, y, sample_weight)
    optimizer, rng = get_optimizer(optimizer), stream_on(rng, network.params.flat)
    check_deterministic(optimizer, any(network.dropout), len(network.statistics.shapes))
    length = of_net(optimizer).resolved(X.shape[0], batch_size, max_iter)
    check_moments(len(network.statistics.shapes), length[0])
    state, constant = {} if state is None else state, math.inf
    if patience is not None:
        constant = network.loss.constant(X if y is None else y, sample_weight)
    asked = *length, on_divergence, task, history, state, patience, watch, tol, constant
    training = Training(rng, *asked)
    optimizer = training.lasting(optimizer)
    weights = training.weigh(sample_weight, X.shape[0])

    def gradient(rows: Array, grad: Parameters, epoch: int) -> Array:
        weight = None if weights is None else take_rows(weights, rows)
        batch = take_rows(X, rows)
        targets = dense(batch) if y is None else take_rows(y, rows)
        batch = batch if inputs is None else inputs(batch, rng=rng)
        return network.gradient(batch, targets, grad, weight, rng)

    entry: dict[str, Any] = {"phase": "finetune"}
    if layer is not None:
        entry = {"phase": "pretrain", "layer": layer}
    step = make_step(
        gradient,
        network.params,
        optimizer=optimizer,
        weight_decay=weight_decay,
        state=state,
        weight=weights,
        multipliers=rate_multipliers(network, learning_rate_multipliers, head_epochs),
        after=None if max_norm is None else partial(network.limit_norms, max_norm),
    )
    run_epochs(
        step,
        network.params,
        X,
        training,
        entry=entry,
        measure=lambda loss: {"loss": loss, **(validate() if validate else {})},
        name="Fine-tuning" if layer is None else f"Layer {layer}",
        advice=f"Lower the optimizer's learning_rate (now {optimizer.learning_rate}).",
        statistics=network.statistics,
    )
    return network


def check_deterministic(
    optimizer: Optimizer, dropout: bool, batch_norm: bool | int, noise: bool = False
) -> None:
    """Raise a ValueError where a batch's gradient is not what the optimizer needs.

    Line searches want a loss that does not change by itself, and several processes a
    mean over rows.
    """
    if batch_norm and current_workers().size > 1:
        raise ValueError(
            "Batch normalization needs the moments of a whole batch, and several "
            "processes have a share each. Switch it off, or train in one process."
        )
    if optimizer.searches and (dropout or batch_norm or noise):
        what = "noise" if noise else "dropout and batch normalization"
        change, them = ("changes", "it") if noise else ("change", "them")
        raise ValueError(
            f"{optimizer!r} evaluates a batch's loss many times and needs the same one "
            f"each time; {what} {change} it. Switch {them} off, or use Adam or SGD."
        )


def check_moments(batch_norm: bool | int, batch_size: int) -> None:
    """Raise a ValueError where batch normalization would have batches of one row."""
    if batch_norm and batch_size < 2:
        raise ValueError(
            f"Batch normalization takes moments of a batch, and of one row nothing "
            f"would be left: batch_size={batch_size}. Take 2 rows or more, or switch "
            "it off."
        )


def rate_multipliers(
    network: Network, factors: Sequence[float] | None, head_epochs: int
) -> Callable[[int], tuple[Array, int]] | None:
    """The `multipliers` of `make_step`, or None where all are 1.

    Raises
    ------
    ValueError
        If there is not one factor of at least 0 per layer.

    Examples
    --------
    >>> from dbn import Network
    >>> rate_multipliers(Network([3, 2]), None, 0) is None
    True
    """
    top = len(network.dense) - 1
    if factors is None and not head_epochs:
        return None
    given = [1.0] * (top + 1) if factors is None else [float(f) for f in factors]
    if len(given) != top + 1:
        raise ValueError(
            f"There are {len(given)} learning_rate_multipliers for {top + 1} dense "
            "layers, the output layer included; give one per layer."
        )
    if not all(0.0 <= f < math.inf for f in given):
        raise ValueError(
            "learning_rate_multipliers must be finite and not negative; they are "
            f"{given}. 0 freezes a layer."
        )
    sizes = [math.prod(shape) for shape in network.params.shapes.values()]
    layers = [int(re.sub(r"\D", "", name)) for name in network.params]

    def spread(of_layers: list[float]) -> tuple[Array, int]:
        flat = np.repeat([of_layers[layer] for layer in layers], sizes)
        # Counted here: to count on a device is to wait for it.
        return asarray_like(flat, network.params.flat), int(np.count_nonzero(flat))

    full, head = spread(given), spread([0.0] * top + given[top:])
    return lambda epoch: head if epoch < head_epochs else full
