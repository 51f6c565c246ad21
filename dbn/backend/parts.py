"""What all exchangeable parts share: units, samplers, layers, losses, optimizers.

A part is a specification: its constructor stores hyper-parameters and nothing changes
them. It is a scikit-learn estimator for `get_params`, `set_params`, `clone` and `repr`
only. Users name a part by a string or hand over an object.
"""

from abc import ABC

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
