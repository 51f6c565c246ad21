"""The optimizers, and how a name becomes one."""

from collections.abc import Callable
from functools import partial

from ...backend.parts import get_part
from .adam import Adam
from .descent import Optimizer
from .line_search import LBFGS, ConjugateGradient
from .rmsprop import RMSProp
from .sgd import SGD

__all__ = [
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "ConjugateGradient",
    "Optimizer",
    "RMSProp",
    "get_optimizer",
]

OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "sgd": SGD,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": partial(Adam, decoupled_decay=0.01),
    "lbfgs": LBFGS,
    "cg": ConjugateGradient,
}


def get_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """Return `optimizer` itself, or the optimizer that the string names.

    Parameters
    ----------
    optimizer : {"sgd", "rmsprop", "adam", "adamw", "lbfgs", "cg"} or Optimizer
        "adamw" is Adam with `decoupled_decay` 0.01.

    Raises
    ------
    ValueError
        If `optimizer` is neither.

    Examples
    --------
    >>> get_optimizer("adam")
    Adam()
    """
    return get_part(optimizer, Optimizer, OPTIMIZERS, "optimizer")
