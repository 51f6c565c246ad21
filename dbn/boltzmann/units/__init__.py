"""Types of units, a file for each, and their names."""

from collections.abc import Callable

from ...backend.parts import get_part
from .base import Units
from .bernoulli import Bernoulli
from .gaussian import Gaussian
from .labels import Labels
from .mixed import Mixed
from .relu import ReLU
from .softmax import Softmax
from .spin import Spin

__all__ = [
    "UNITS",
    "Bernoulli",
    "Gaussian",
    "Labels",
    "Mixed",
    "ReLU",
    "Softmax",
    "Spin",
    "Units",
    "get_units",
]

UNITS: dict[str, Callable[[], Units]] = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "relu": ReLU,
    "spin": Spin,
}


def get_units(units: str | Units) -> Units:
    """Return `units` itself, or the unit type that the string names.

    Parameters
    ----------
    units : {"bernoulli", "gaussian", "relu", "spin"} or Units

    Raises
    ------
    ValueError
        If `units` is neither.

    Examples
    --------
    >>> get_units("gaussian")
    Gaussian()
    """
    return get_part(units, Units, UNITS, "units")
