"""What all exchangeable parts share: units, samplers, layers, losses, optimizers.

A part is a specification: its constructor stores hyper-parameters and nothing changes
them. It is a scikit-learn estimator for `get_params`, `set_params`, `clone` and `repr`
only. Users name a part by a string or hand over an object.

A hyper-parameter may follow a schedule: a `Schedule`, or a tuple of ``(epoch, value)``
pairs, each value holding from its epoch on (epochs count from 0).
"""

import math
from abc import ABC
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from numbers import Integral, Real
from typing import Any, Self, TypeVar

from sklearn.base import BaseEstimator

from .identity import identity


class Part(BaseEstimator, ABC):
    """Base of every exchangeable part.

    Parts are equal if they are of one class and their parameters are the same, see
    `dbn.backend.identity`.
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part) or type(self) is not type(other):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash((type(self), self._content()))

    def _content(self) -> str:
        # Without the class, which need not have a name of its own.
        return identity(self.get_params(deep=False))

    def validate(self) -> None:
        """Raise a ValueError if a hyper-parameter is not accepted."""

    @property
    def open_schedules(self) -> dict[str, "Schedule"]:
        """The hyper-parameters that follow a `Schedule` without an end of its own."""
        return {
            name: value
            for name, value in self.get_params(deep=False).items()
            if isinstance(value, Schedule) and value.epochs is None
        }

    def within(self, first: int, n_epochs: int) -> Self:
        """This part for a training of `n_epochs` from epoch `first` on.

        Schedules without an end of their own end where that training does.
        """
        if not self.open_schedules:
            return self
        closed = {k: v.closed(first, n_epochs) for k, v in self.open_schedules.items()}
        return type(self)(**(self.get_params(deep=False) | closed))


_Kind = TypeVar("_Kind", bound=Part)


def get_part(
    part: str | Part | None,
    kind: type[_Kind],
    table: Mapping[str, Callable[[], _Kind]],
    parameter: str,
) -> _Kind:
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


class Schedule(Part):
    """A number that moves from `start` to `end` while training goes on.

    With t growing from 0 at epoch `hold` to 1 at epoch `epochs`, the value is

    - linear: start + (end - start) t
    - cosine: end + (start - end) (1 + cos(pi t)) / 2
      (Loshchilov and Hutter 2017, equation 5, without restarts)
    - exponential: start (end / start)^t
    - inverse: start / (1 + (start / end - 1) t)

    and it is constant before and after. Steps need no class: ``((0, 0.1), (50, 0.01))``
    is 0.1 and, from epoch 50 on, 0.01.

    Parameters
    ----------
    start, end : float
    epochs : int or None, default=None
        Epoch at which `end` is reached. None is the end of the fit, however long that
        is: a warm start begins anew at `start`, and `partial_fit`, which has no end,
        stays there.
    kind : {"linear", "cosine", "exponential", "inverse"}, default="linear"
        Of the last two, `start` and `end` must be positive.
    hold : int, default=0
        Epochs for which the value stays at `start`.

    Raises
    ------
    ValueError
        When training starts, if a parameter is not accepted.

    Examples
    --------
    >>> from dbn.training import SGD, Schedule
    >>> rate = Schedule(0.05, 0.0, epochs=60, hold=30)
    >>> [rate(epoch) for epoch in (0, 30, 45, 60)]
    [0.05, 0.05, 0.025, 0.0]
    >>> falling = SGD(Schedule(0.1, 0.0), momentum=0.0)  # over any number of epochs
    >>> falling.within(0, 20).learning_rate(10)
    0.05
    """

    def __init__(
        self,
        start: float,
        end: float,
        *,
        epochs: int | None = None,
        kind: str = "linear",
        hold: int = 0,
    ) -> None:
        self.start = start
        self.end = end
        self.epochs = epochs
        self.kind = kind
        self.hold = hold

    def validate(self) -> None:
        if self.epochs is not None:
            check_number(self, "epochs", 1, math.inf, closed=True, kind=Integral)
        last = math.inf if self.epochs is None else self.epochs
        check_number(self, "hold", 0, last, closed=True, kind=Integral)
        if self.kind not in ("linear", "cosine", "exponential", "inverse"):
            raise ValueError(
                f"Schedule: kind is {self.kind!r}; use 'linear', 'cosine', "
                "'exponential' or 'inverse'."
            )
        if self.kind in ("exponential", "inverse"):
            check_number(self, "start", 0, math.inf)
            check_number(self, "end", 0, math.inf)

    def closed(self, first: int, n_epochs: int) -> "Schedule | float":
        """The same from epoch `first` on, with its end `n_epochs` later."""
        if self.hold >= n_epochs:
            return self.start
        last, hold = first + n_epochs, first + self.hold
        return Schedule(self.start, self.end, epochs=last, kind=self.kind, hold=hold)

    def __call__(self, epoch: int) -> float:
        """Value at an epoch; `start` where the end is not known."""
        start, end = self.start, self.end
        if self.epochs is None:
            return start
        t = (epoch - self.hold) / (self.epochs - self.hold)
        t = min(max(t, 0.0), 1.0)
        if self.kind == "linear":
            return start + (end - start) * t
        if self.kind == "cosine":
            return end + (start - end) * (1.0 + math.cos(math.pi * t)) / 2.0
        if self.kind == "exponential":
            return float(start * (end / start) ** t)
        return start / (1.0 + (start / end - 1.0) * t)


def scheduled(value: Any, epoch: int) -> Any:
    """Value of a number or schedule at an epoch.

    Parameters
    ----------
    value : float, tuple of (int, float) or Schedule
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
    if isinstance(value, Schedule):
        return value(epoch)
    return [v for start, v in value if start <= epoch][-1]


def check_number(
    part: Part,
    name: str,
    low: float,
    high: float,
    *,
    closed: bool = False,
    schedule: bool = False,
    kind: Any = Real,
) -> None:
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
    values: Iterable[Any] = [value]
    accepted = "an integer" if kind is Integral else "a number"
    if schedule and kind is Real and isinstance(value, Schedule):
        value.validate()
        # What is approached, but only reached when training is over, may be the end.
        values = [value.start, value.end if value.end != low else value.start]
    elif schedule and not isinstance(value, kind):
        accepted += " or a schedule ((0, value), (epoch, value), ...)"
        values = [None]
        with suppress(TypeError, ValueError):
            starts, found = zip(*value, strict=True)
            if starts[0] == 0 and [*starts] == sorted(starts):
                values = found
    if not all(
        isinstance(v, kind) and (low < v < high or (closed and v == low))
        for v in values
    ):
        bracket = "[" if closed else "("
        raise ValueError(
            f"{type(part).__name__}: {name} must be {accepted} in {bracket}{low:g}, "
            f"{high:g}); it is {value!r}."
        )
