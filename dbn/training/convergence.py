"""Whether training has come to an end, in words for those who can give it more."""

import math

from ..backend.device import namespace
from ..boltzmann import RBM

# Of the loss of a constant prediction: what must be lost for something to be learned,
# and what may still be lost in the last epochs. With 100 labels and defaults nets end
# below 0.81 on 13 tables, and above 0.91 on circles that they do not tell apart.
_LEARNED, _STILL_FALLS = 0.9, 0.01
# `RBM.initialize` draws weights with this standard deviation, and a machine that has
# learned something has larger ones.
_AT_START, _MOVED = 0.01, 1.5


def of_losses(losses: list[float], constant: float) -> str | None:
    """What the losses of the epochs say against a training; None if nothing.

    Parameters
    ----------
    losses : list of float
        Mean training loss of each epoch.
    constant : float
        That of the best constant prediction.

    Examples
    --------
    >>> of_losses([1.0, 0.2, 0.1, 0.1], constant=1.1)
    >>> of_losses([1.1, 1.06], constant=1.1)
    'the training loss is 1.06, hardly below the 1.1 of a constant prediction'
    """
    if not constant:
        return None
    last, n_epochs = losses[-1], math.ceil(len(losses) / 10)
    if last > _LEARNED * constant:
        return (
            f"the training loss is {last:.3g}, hardly below the {constant:.3g} of a "
            "constant prediction"
        )
    before = losses[-1 - n_epochs] if len(losses) > n_epochs else last
    if before - last > _STILL_FALLS * constant:
        return (
            f"the training loss still fell from {before:.3g} to {last:.3g} in the last "
            f"{n_epochs} of {len(losses)} epochs"
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
