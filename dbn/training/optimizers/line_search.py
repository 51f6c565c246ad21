"""Optimizers of scipy, which search along lines."""

import math
from collections.abc import Callable
from numbers import Integral

import numpy as np
from scipy.optimize import minimize

from ...backend.device import asarray_like, to_host
from ...backend.parts import check_number
from ...backend.types import Array
from .descent import Optimizer, State


class _LineSearch(Optimizer):
    """Base of the optimizers of scipy, which evaluate a batch's loss many times.

    They need a loss without noise: no dropout, no batch normalization, and no RBMs.
    """

    _method: str
    searches = True
    learning_rate = "none: steps are searched"

    def __init__(self, max_iter: int = 3) -> None:
        self.max_iter = max_iter

    def validate(self) -> None:
        check_number(self, "max_iter", 1, math.inf, closed=True, kind=Integral)

    def init(self, theta: Array) -> State:
        return {"epoch": 0}

    def step(self, theta: Array, grad: Array, state: State) -> State:
        raise TypeError(f"{self!r} searches along lines: call minimize.")

    def minimize(
        self,
        evaluate: Callable[[], Array],
        theta: Array,
        grad: Array,
        state: State,
    ) -> None:
        """Lower ``evaluate()``, which reads `theta` and fills `grad`, by moving theta.

        `theta` keeps its precision; scipy computes in float64, and on copies, because
        it compares gradients of several points.
        """

        def function(x: Array) -> tuple[float, Array]:
            theta[...] = asarray_like(x, theta)
            return float(evaluate()), in_double(grad)

        def in_double(x: Array) -> Array:
            return np.array(to_host(x), dtype=np.float64)

        start, options = in_double(theta), {"maxiter": self.max_iter}
        x = minimize(function, start, jac=True, method=self._method, options=options).x
        theta[...] = asarray_like(x, theta)


class LBFGS(_LineSearch):
    """Limited-memory BFGS on each batch, through `scipy.optimize`.

    For large batches: Liu and Nocedal (1989), "On the limited memory BFGS method for
    large scale optimization". The memory starts anew with every batch.

    Parameters
    ----------
    max_iter : int, default=3
        Iterations per batch and epoch; with all rows in one batch take tens.

    Raises
    ------
    ValueError
        With dropout or batch normalization, or if `max_iter` is not a positive integer.

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> from dbn.training import LBFGS
    >>> DBNClassifier(optimizer=LBFGS(max_iter=50), batch_size=100_000, max_iter=1)
    DBNClassifier(batch_size=100000, max_iter=1, optimizer=LBFGS(max_iter=50))
    """

    _method = "L-BFGS-B"


class ConjugateGradient(_LineSearch):
    """Nonlinear conjugate gradient on each batch, through `scipy.optimize`.

    Three line searches per batch of 1000 rows is what Hinton and Salakhutdinov (2006)
    fine-tuned with. scipy uses the formula of Polak and Ribiere.

    Parameters
    ----------
    max_iter : int, default=3
        Line searches per batch.

    Raises
    ------
    ValueError
        With dropout or batch normalization, or if `max_iter` is not a positive integer.

    Examples
    --------
    >>> from dbn import DBNClassifier
    >>> DBNClassifier(optimizer="cg", batch_size=1000).optimizer
    'cg'
    """

    _method = "CG"
