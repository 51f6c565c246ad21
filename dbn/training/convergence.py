"""Whether training has come to an end, in words for those who can give it more."""

import math

from ..backend.device import namespace
from ..boltzmann import RBM

# Of the loss of a constant prediction: where a net has hardly learned, and what it may
# still lose in the last epochs. A few labels can be learned by heart, while of
# noisy numbers, grey values or many labels little more may be had: with 100 labels and
# defaults nets end below 0.81 on 13 tables, and above 0.91 on circles that they do not
# tell apart.
_HARDLY, _HARDLY_OF_FEW, _STILL_FALLS = 0.98, 0.9, 0.01
# Noise and dropout may lift the loss of a net that has learned nothing so far above it.
_ABOVE = 1.1
_FEW_LABELS = 1000
_LONGER = "Raise max_iter or the learning rate of the optimizer, or lower batch_size."
# `RBM.initialize` draws weights with this standard deviation, and a machine that has
# learned something has larger ones.
_AT_START, _MOVED = 0.01, 1.5


def of_losses(
    losses: list[float], constant: float, n_labels: int | None = None
) -> str | None:
    """What losses say against a training, and what may help; None if nothing.

    Parameters
    ----------
    losses : list of float
        Mean training loss of each epoch.
    constant : float
        That of the best constant prediction.
    n_labels : int, optional
        Of a classifier.

    Examples
    --------
    >>> of_losses([1.0, 0.2, 0.1, 0.1], constant=1.1)
    >>> print(of_losses([1.1, 1.09], constant=1.1))
    the training loss is 1.09, hardly below the 1.1 of a constant prediction. Raise
    max_iter or the learning rate of the optimizer, or lower batch_size.
    >>> print(of_losses([700.0, 900.0], constant=1.1))
    the training loss is 900, above the 1.1 of a constant prediction. Where losses
    fall from epoch to epoch raise max_iter, where they hardly move the learning rate
    of the optimizer; where they jump or rise, lower it.
    """
    if not constant:
        return None
    last, n_epochs = losses[-1], math.ceil(len(losses) / 10)
    few = n_labels is not None and n_labels <= _FEW_LABELS
    if last > _ABOVE * constant:
        return (
            f"the training loss is {last:.3g}, above the {constant:.3g} of a constant "
            "prediction. Where losses fall from epoch to epoch raise max_iter, where "
            "they hardly move the learning rate of the optimizer; where they jump or "
            "rise, lower it."
        )
    if last > (_HARDLY_OF_FEW if few else _HARDLY) * constant:
        words = "hardly below" if last <= constant else "not below"
        return (
            f"the training loss is {last:.3g}, {words} the {constant:.3g} of a "
            f"constant prediction. {_LONGER}"
        )
    before = losses[-1 - n_epochs] if len(losses) > n_epochs else last
    if before - last > _STILL_FALLS * constant:
        return (
            f"the training loss still fell from {before:.3g} to {last:.3g} in the last "
            f"{n_epochs} of {len(losses)} epochs. {_LONGER}"
        )
    return None


def of_machine(rbm: RBM) -> str | None:
    """What the weights of a machine say against its training; None if nothing.

    Examples
    --------
    >>> import numpy as np
    >>> of_machine(RBM(80, 8).initialize(np.random.default_rng(0)))
    'its weights have a standard deviation of 0.01, as they had at the start'
    """
    deviation = math.sqrt(float(namespace(rbm.W).mean(rbm.W * rbm.W)))
    if deviation > _MOVED * _AT_START:
        return None
    return (
        f"its weights have a standard deviation of {deviation:.2g}, as they had at the "
        "start"
    )
