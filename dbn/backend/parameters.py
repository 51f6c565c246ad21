"""One flat buffer that holds all parameters of a model, seen through named views."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .device import beside, namespace
from .types import Array


class Parameters:
    """A flat array and named views of its parts.

    Optimizer steps, gradient norms, finite-difference checks, copies and files each
    become one vector operation on `flat`, while the mathematics reads ``params["W"]``.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Name and shape of each part, in the order in which they lie in the buffer.
    flat : array of shape (n_parameters,), optional
        The buffer to use, not copied. Default: zeros.
    dtype : dtype, default=float64
        Of the new buffer; ignored when `flat` is given.

    Raises
    ------
    ValueError
        If `flat` does not have the total size of `shapes`.

    Examples
    --------
    >>> params = Parameters({"W": (2, 3), "c": (3,)})
    >>> params["W"][...] = 1.0
    >>> params.flat
    array([1., 1., 1., 1., 1., 1., 0., 0., 0.])
    """

    shapes: dict[str, tuple[int, ...]]
    flat: Array

    def __init__(
        self,
        shapes: Mapping[str, Sequence[int]],
        flat: Array | None = None,
        *,
        dtype: Any = np.float64,
    ) -> None:
        shapes = {name: tuple(shape) for name, shape in shapes.items()}
        size = sum(math.prod(shape) for shape in shapes.values())
        if flat is None:
            flat = np.zeros(size, dtype=dtype)
        elif tuple(flat.shape) != (size,):
            raise ValueError(
                f"The buffer has shape {tuple(flat.shape)}; the parts {shapes} need "
                f"({size},)."
            )
        self.__setstate__({"shapes": shapes, "flat": flat})

    def __getitem__(self, name: str) -> Array:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def copy(self) -> "Parameters":
        """Return the same parameters in a buffer of their own."""
        return Parameters(
            self.shapes, namespace(self.flat).asarray(self.flat, copy=True)
        )

    def fill(self, values: Array) -> None:
        """Take over the numbers of another buffer, of any library."""
        self.flat[...] = beside(values, self.flat)

    def converted(self, converter: Callable[[Array], Array]) -> "Parameters":
        """Return the parts of the buffer ``converter(flat)``."""
        return Parameters(self.shapes, converter(self.flat))

    def zeros_like(self) -> "Parameters":
        """Return parts of the same shapes, all zero: a gradient, for example."""
        return Parameters(self.shapes, namespace(self.flat).zeros_like(self.flat))

    # Views do not survive pickling as views, so only the buffer and shapes travel.
    def __getstate__(self) -> dict[str, Any]:
        return {"shapes": self.shapes, "flat": self.flat}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.shapes, self.flat = state["shapes"], state["flat"]
        xp = namespace(self.flat)
        self._views, start = {}, 0
        for name, shape in self.shapes.items():
            stop = start + math.prod(shape)
            self._views[name] = xp.reshape(self.flat[start:stop], shape)
            start = stop
