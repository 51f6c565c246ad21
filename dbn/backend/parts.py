"""What all exchangeable parts share: units, samplers, layers, losses, optimizers.

A part is a specification: its constructor stores hyper-parameters and nothing changes
them. It is a scikit-learn estimator for `get_params`, `set_params`, `clone` and `repr`
only. Users name a part by a string or hand over an object.

A hyper-parameter may follow a schedule: a tuple of ``(epoch, value)`` pairs, each value
holding from its epoch on (epochs count from 0).
"""

from abc import ABC
from numbers import Integral, Real

from sklearn.base import BaseEstimator


class Part(BaseEstimator, ABC):
    """Base of every exchangeable part."""

    def validate(self):
        """Raise a ValueError if a hyper-parameter is not accepted."""


def get_part(part, kind, table, parameter):
    """Return `part` itself when it is a `kind`, or a new part that the string names.

    Parameters
    ----------
    part : str or Part
    kind : type
        Base class of the parts that are accepted.
    table : dict of str to callable
        What each accepted string makes.
    parameter : str
        The parameter's name, for the error.

    Raises
    ------
    ValueError
        If `part` is neither, or has a hyper-parameter that is not accepted.
    """
    if isinstance(part, kind):
        part.validate()
        return part
    if isinstance(part, str) and part in table:
        return table[part]()
    raise ValueError(
        f"{parameter}={part!r} is not known. Use one of {sorted(table)} or an object "
        f"of a class derived from {kind.__name__}."
    )


def scheduled(value, epoch):
    """Value of a number or schedule at an epoch.

    Parameters
    ----------
    value : float or tuple of (int, float)
        A constant, or ``((epoch, value), ...)`` in ascending order from epoch 0.
    epoch : int

    Examples
    --------
    >>> momentum = ((0, 0.5), (5, 0.9))
    >>> scheduled(momentum, 4), scheduled(momentum, 5), scheduled(0.9, 0)
    (0.5, 0.9, 0.9)
    """
    if isinstance(value, Real):
        return value
    return [v for start, v in value if start <= epoch][-1]


def check_number(part, name, low, high, *, closed=False, schedule=False, kind=Real):
    """Raise a ValueError unless a hyper-parameter lies in an interval.

    Parameters
    ----------
    part : Part
    name : str
        Of the hyper-parameter.
    low, high : float
        Ends of the interval.
    closed : bool, default=False
        Whether `low` itself is accepted.
    schedule : bool, default=False
        Whether a schedule is accepted.
    kind : type, default=numbers.Real
        Of the numbers.
    """
    value = getattr(part, name)
    values, accepted = [value], "an integer" if kind is Integral else "a number"
    if schedule and not isinstance(value, kind):
        accepted += " or a schedule ((0, value), (epoch, value), ...)"
        try:
            starts = [start for start, _ in value]
            values = [v for _, v in value]
            if starts[0] != 0 or starts != sorted(starts):
                values = [None]
        except (TypeError, ValueError, IndexError):
            values = [None]
    if not all(
        isinstance(v, kind) and (low < v < high or (closed and v == low))
        for v in values
    ):
        bracket = "[" if closed else "("
        raise ValueError(
            f"{type(part).__name__}: {name} must be {accepted} in {bracket}{low:g}, "
            f"{high:g}); it is {value!r}."
        )
