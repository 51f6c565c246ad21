"""Supervised training of a network by back-propagation."""

from ..backend.array import take_rows
from .loop import Task, run_epochs
from .optimizers import get_optimizer


def finetune(
    network,
    X,
    y,
    *,
    rng,
    optimizer="adam",
    weight_decay=0.0,
    batch_size=100,
    max_iter=100,
    sample_weight=None,
    task=None,
    history=None,
):
    """Train all parameters of a network from where they are; return the network.

    Parameters
    ----------
    network : Network
        Changed in place.
    X : array of shape (n_rows, n_inputs)
    y : array of shape (n_rows, n_outputs)
        One-hot rows, or values.
    rng : numpy.random.Generator
    optimizer : {"sgd", "adam"} or Optimizer, default="adam"
    weight_decay : float, default=0.0
        lambda of lambda / 2 ||W||^2, added to the mean loss; biases are free.
    batch_size, max_iter : int, default=100
        Rows per update and number of epochs.
    sample_weight : array of shape (n_rows,), optional
    task : Task, optional
        Where progress is reported; default: nowhere.
    history : list, optional
        Receives a dict per epoch, with the mean ``"loss"`` over the epoch's batches in
        nats, weight decay not counted.

    Raises
    ------
    FloatingPointError
        If training diverges.

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

    def gradient(rows, grad, epoch):
        weight = None if sample_weight is None else take_rows(sample_weight, rows)
        return network.gradient(take_rows(X, rows), take_rows(y, rows), grad, weight)

    run_epochs(
        gradient,
        network.params,
        X.shape[0],
        optimizer=get_optimizer(optimizer),
        weight_decay=weight_decay,
        batch_size=batch_size,
        max_iter=max_iter,
        rng=rng,
        task=task or Task(),
        history=[] if history is None else history,
        entry={"phase": "finetune"},
        measure=lambda loss: {"loss": loss},
        name="Fine-tuning",
        owner="optimizer",
        state={},
    )
    return network
