"""What optimizers are: one vector operation on the flat parameter buffer per step."""

import math
from abc import abstractmethod

import numpy as np

from ...backend.array import namespace
from ...backend.parts import Part, check_number, scheduled
from ...backend.threads import in_blocks


class Optimizer(Part):
    """Interface: `init` once per training, `step` once per batch.

    The state is a dict that belongs to one training. Its entry ``"epoch"``, from which
    schedules are read, is advanced by the training loop.
    """

    # Whether `minimize` is called for a batch instead of `step`.
    searches = False

    @abstractmethod
    def init(self, theta):
        """Return the state with which to train parameters `theta`."""

    @abstractmethod
    def step(self, theta, grad, state):
        """Move `theta` of shape (n_parameters,) in place; return the state.

        `grad` has the same shape. It is the caller's scratch space: a step may
        overwrite it.
        """


class Clipping(Optimizer):
    """Base of the optimizers that follow the gradient of a batch.

    Parameters
    ----------
    clip_norm : float or None
        Where the Euclidean norm of the gradient over all parameters is larger, the
        gradient is scaled down to it: Pascanu, Mikolov and Bengio (2013), algorithm 1.
    clip_value : float or None
        Bound of each entry of the gradient; cut off before the norm is taken.
    """

    def validate(self):
        check_number(self, "learning_rate", 0, math.inf, schedule=True)
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                check_number(self, name, 0, math.inf)

    def step(self, theta, grad, state):
        xp = namespace(grad)
        if self.clip_value is not None:
            grad[...] = xp.clip(grad, -self.clip_value, self.clip_value)
        if self.clip_norm is not None:
            self._shorten(grad)
        # Moments and the like: what has an entry for every parameter.
        moments = {k: a for k, a in state.items() if hasattr(a, "shape")}

        def move(block):
            parts = state | {k: a[block] for k, a in moments.items()}
            self._move(theta[block], grad[block], parts)

        in_blocks(move, theta.shape[0])
        return state

    def _shorten(self, grad):
        """Scale the gradient down to `clip_norm`, in place."""
        xp = namespace(grad)
        if isinstance(grad, np.ndarray):
            norm = float(xp.linalg.vector_norm(grad))
            if math.isinf(norm):  # squares overflow long before the numbers do
                grad /= float(xp.max(xp.abs(grad)))
                grad *= self.clip_norm / float(xp.linalg.vector_norm(grad))
            elif norm > self.clip_norm:
                grad *= self.clip_norm / norm
            return
        # The same without waiting for a number of the device.
        norm = xp.linalg.vector_norm(grad)
        one, huge = xp.ones_like(norm), xp.isinf(norm)
        grad /= xp.where(huge, xp.max(xp.abs(grad)), one)
        factor = self.clip_norm / xp.linalg.vector_norm(grad)
        grad *= xp.where(huge | (factor < 1.0), factor, one)

    def _rate(self, state):
        """The learning rate, times what is left of it after divergences."""
        return scheduled(self.learning_rate, state["epoch"]) * state.get("rate", 1.0)

    @abstractmethod
    def _move(self, theta, grad, state):
        """Move a block of `theta` in place along the clipped gradient.

        `state` holds the same block of the moments, which change in place too.
        """
