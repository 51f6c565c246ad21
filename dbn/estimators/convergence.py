"""How long a fit is, and warnings of one that had too little time to learn."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning

from ..backend.types import Array
from ..boltzmann import RBM
from ..training import budget, convergence

# Of a warning here: below it are `fit`, and what checks parameters and runs callbacks.
_OF_FIT = 5


def settle(estimator: Any, length: budget.Budget, n_rows: int, chunk: bool) -> None:
    """Say what "auto" comes to with so many rows; with later chunks, came to."""
    asked = estimator.batch_size, estimator.max_iter
    if chunk and hasattr(estimator, "batch_size_"):
        auto = estimator.batch_size_, estimator.max_iter_
    else:
        auto = length.resolved(n_rows, *asked)
    pairs = zip(asked, auto, strict=True)
    found = (int(b if isinstance(a, str) else a) for a, b in pairs)
    estimator.batch_size_, estimator.max_iter_ = found


def warn_of_machines(
    rbms: Sequence[RBM],
    prototypes: Sequence[Any],
    n_rows: int,
    history: list[dict[str, Any]],
    stacklevel: int = _OF_FIT,
) -> None:
    """Warn of machines of a stack that a whole training has hardly moved.

    Parameters
    ----------
    rbms : sequence of RBM
    prototypes : sequence of RBMTransformer
        Of each machine, with its `batch_size` and `max_iter`.
    n_rows : int
        That they were trained on.
    history : list of dict
        Of this fit: a machine that something has stopped before the end is left alone.
    stacklevel : int
        Of the warning.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
    """
    layers = [entry.get("layer") for entry in history]
    for layer, (rbm, prototype) in enumerate(zip(rbms, prototypes, strict=True)):
        asked = prototype.batch_size, prototype.max_iter
        length = budget.of_machine(prototype.sampler)
        batch_size, n_epochs = length.resolved(n_rows, *asked)
        if layers.count(layer) >= n_epochs:
            n_updates = count_updates(n_rows, batch_size, n_epochs)
            warn_of_machine(rbm, n_updates, layer=layer, stacklevel=stacklevel + 1)


def warn_of_machine(
    rbm: RBM, n_updates: int, *, layer: int | None = None, stacklevel: int = _OF_FIT
) -> None:
    """Warn of a machine that so many updates have hardly moved.

    Parameters
    ----------
    rbm : RBM
    n_updates : int
    layer : int or None, default=None
        Of a stack; None for a machine that an estimator trains by itself.
    stacklevel : int
        Of the warning.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
    """
    if not (complaint := convergence.of_machine(rbm)):
        return
    what = "Training has hardly moved this machine"
    its = "max_iter or the learning rate, or lower batch_size"
    if layer is not None:
        what = f"Pretraining has hardly moved layer {layer}"
        its = "the max_iter or the learning rate of the RBM, or lower its batch_size"
    warnings.warn(
        f"{what} in {n_updates} updates: {complaint}. Raise {its}, unless its inputs "
        "have nothing in common.",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )


def warn_of_classes(
    rbm: RBM,
    history: list[dict[str, Any]],
    constant: float,
    n_rows: int,
    batch_size: int,
    n_epochs: int,
) -> None:
    """Warn of a machine with labels that is not trained to the end.

    Parameters
    ----------
    rbm : RBM
    history : list of dict
        Of this fit. Without a loss, of the class given the features, the weights tell.
    constant : float
        That of the best constant prediction.
    n_rows, batch_size, n_epochs : int
        How long it was trained, in a `fit` that calls this.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
    """
    losses = [entry["loss"] for entry in history if "loss" in entry]
    n_updates = count_updates(n_rows, batch_size, n_epochs)
    if losses:
        warn_of_losses("Training", losses, constant, n_updates, _OF_FIT + 1)
    else:
        warn_of_machine(rbm, n_updates, stacklevel=_OF_FIT + 1)


def warn_of_one_class(log_p: Array, targets: Array, classes: Array) -> None:
    """Warn of a model that takes all training rows for the same class.

    Parameters
    ----------
    log_p, targets : ndarray of shape (n_rows, n_classes)
        Logarithms of probabilities, and a 1 for the class that is known.
    classes : ndarray of shape (n_classes,)

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
    """
    chosen, known = log_p.argmax(axis=1), targets.argmax(axis=1)
    if (chosen == chosen[0]).all() and (known != known[0]).any():
        warnings.warn(
            f"All of {len(chosen)} training rows that have a label are taken for "
            f"{classes.tolist()[chosen[0]]!r}: nothing was learned of the classes. "
            "Raise max_iter or the learning rate of the RBM, or scale X.",
            ConvergenceWarning,
            stacklevel=_OF_FIT,
        )


def warn_of_net(
    net: Any, losses: list[float], constant: float, n_rows: int, stacklevel: int
) -> None:
    """The same of a fitted net and the rows that it was fine-tuned on."""
    n_updates = count_updates(n_rows, net.batch_size_, net.max_iter_)
    n_labels = n_rows if is_classifier(net) else None
    about = losses, constant, n_updates, stacklevel + 1, n_labels
    warn_of_losses("Fine-tuning", *about)


def warn_of_losses(
    what: str,
    losses: list[float],
    constant: float,
    n_updates: int,
    stacklevel: int,
    n_labels: int | None = None,
) -> None:
    """Warn of a net, or a machine that classifies, that is not trained to the end.

    Parameters
    ----------
    what : str
        What has ended.
    losses : list of float
        Mean training loss of each epoch.
    constant : float
        That of the best constant prediction.
    n_updates : int
        Of all epochs.
    stacklevel : int
        Of the warning.
    n_labels : int, optional
        That a classifier was trained on.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
    """
    if complaint := convergence.of_losses(losses, constant, n_labels):
        warnings.warn(
            f"{what} ended at max_iter={len(losses)} ({n_updates} updates), and "
            f"{complaint}",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )


def count_updates(n_rows: int, batch_size: int, n_epochs: int) -> int:
    """Updates of so many epochs.

    Examples
    --------
    >>> count_updates(150, 100, 10)
    20
    """
    return n_epochs * math.ceil(n_rows / batch_size)
