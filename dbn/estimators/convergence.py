"""Warnings of a training that had too little time to learn anything."""

import math
import warnings

from sklearn.exceptions import ConvergenceWarning

from ..boltzmann import RBM
from ..training import convergence


def warn_of_machine(rbm: RBM, layer: int, n_updates: int) -> None:
    """Warn of a machine that training has hardly moved.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
    """
    if complaint := convergence.of_machine(rbm):
        warnings.warn(
            f"Pretraining has hardly moved layer {layer} in {n_updates} updates: "
            f"{complaint}. Raise the max_iter or the learning rate of the RBM, or "
            "lower its batch_size, unless its inputs have nothing in common.",
            ConvergenceWarning,
            stacklevel=4,
        )


def warn_of_net(losses: list[float], constant: float, n_updates: int) -> None:
    """Warn of a net that is not trained to the end.

    Parameters
    ----------
    losses : list of float
        Mean training loss of each epoch.
    constant : float
        That of the best constant prediction.
    n_updates : int
        Of all epochs.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
    """
    if losses and (complaint := convergence.of_net(losses, constant)):
        warnings.warn(
            f"Fine-tuning ended after {len(losses)} epochs ({n_updates} updates), and "
            f"{complaint}. Raise max_iter or the learning rate of the optimizer, or "
            "lower batch_size.",
            ConvergenceWarning,
            stacklevel=4,
        )


def count_updates(n_rows: int, batch_size: int, n_epochs: int) -> int:
    """Updates of so many epochs.

    Examples
    --------
    >>> count_updates(150, 100, 10)
    20
    """
    return n_epochs * math.ceil(n_rows / batch_size)
