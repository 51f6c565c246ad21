"""Where an estimator computes: how rows and models get there, and results back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .device import (
    converted,
    converted_beside,
    find_device,
    on_device,
    rows_on_device,
    to_host,
)
from .types import Array


class Place:
    """A device on which NumPy's numbers are computed, or wherever the rows are.

    Parameters
    ----------
    device : str or None
        A name for `find_device`. None leaves everything where it is: in NumPy, or in
        the library of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> Place(None).apply(np.multiply, 2.0, np.ones(2))
    array([2., 2.])
    """

    def __init__(self, device: str | None) -> None:
        self.device = None if device is None else find_device(device)

    def rows(self, X: Array, resident: bool = True) -> Array:
        """Rows as they are computed with; see `rows_on_device`."""
        return X if self.device is None else rows_on_device(X, self.device, resident)

    def there(self, tree: Any) -> Any:
        """Models or arrays as they are computed with."""
        return tree if self.device is None else on_device(tree, self.device)

    def back(self, tree: Any) -> Any:
        """Results, or models, where they belong."""
        return tree if self.device is None else converted(tree, to_host)

    def apply(self, function: Callable[..., Any], model: Any, X: Array) -> Any:
        """``function(model, rows)``, computed there, the result back."""
        return self.back(function(self.there(model), self.rows(X, resident=False)))

    @contextmanager
    def holding(self, owner: Any, rows: Array, *names: str) -> Iterator[None]:
        """Context in which attributes of `owner` lie beside the rows trained on."""
        present = {name: getattr(owner, name) for name in names}
        vars(owner).update(converted_beside(present, rows))

        def bring_back() -> None:
            vars(owner).update({n: self.back(getattr(owner, n)) for n in names})

        try:
            yield
        finally:
            try:
                bring_back()
            except KeyboardInterrupt:  # Ctrl-C leaves no half of it elsewhere
                bring_back()
                raise
