"""A penalty on how active hidden units are."""

import math

from ..backend.parameters import Parameters
from ..backend.parts import Part, check_number
from ..backend.types import Array


class Sparsity(Part):
    """Draws the mean activity of every hidden unit to a target.

    The penalty is the cross-entropy between the target and a moving average q of the
    activity: its gradient by the total input of a unit is q - target, for its bias and,
    times the mean of the visible units, for its weights (Hinton 2010, section 11).

    Parameters
    ----------
    target : float, default=0.1
        Mean activity in (0, 1).
    cost : float, default=0.1
        Weight of the penalty.
    decay : float, default=0.95
        Of the moving average, per batch, in [0, 1).

    Raises
    ------
    ValueError
        When training starts, if a parameter lies outside its range.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> from dbn.training import Sparsity
    >>> RBMTransformer(sparsity=Sparsity(0.05, cost=0.2)).sparsity
    Sparsity(cost=0.2, target=0.05)
    """

    def __init__(
        self, target: float = 0.1, *, cost: float = 0.1, decay: float = 0.95
    ) -> None:
        self.target = target
        self.cost = cost
        self.decay = decay

    def validate(self) -> None:
        check_number(self, "target", 0, 1)
        check_number(self, "cost", 0, math.inf)
        check_number(self, "decay", 0, 1, closed=True)

    def add_gradient(self, grad: Parameters, v_mean: Array, h_mean: Array) -> None:
        """Add the penalty's gradient to `grad`, that of a machine's parameters.

        `v_mean` and `h_mean` are the mean activities of its visible and hidden units.
        """
        slope = self.cost * (h_mean - self.target)
        grad["c"][...] += slope
        grad["W"][...] += v_mean[:, None] * slope[None, :]


def get_sparsity(sparsity: float | Sparsity | None) -> Sparsity | None:
    """Return a `Sparsity` for itself or for a target; None for None.

    Parameters
    ----------
    sparsity : float, Sparsity or None

    Raises
    ------
    ValueError
        If the target or another parameter lies outside its range.
    """
    if sparsity is None:
        return None
    part = sparsity if isinstance(sparsity, Sparsity) else Sparsity(sparsity)
    part.validate()
    return part
