"""Layers whose columns are units of several types."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.sparse import hstack, issparse

from ...backend.device import namespace
from ...backend.rows import ScaledRows
from ...backend.types import Array
from .base import Block, Extra, Units


@contextmanager
def _naming(columns: slice) -> Iterator[None]:
    """Context in which errors name the columns they are about."""
    first, last = columns.start, columns.stop - 1
    try:
        yield
    except ValueError as error:
        which = f"Column {first}" if first == last else f"Columns {first} to {last}"
        raise ValueError(f"{which}: {error}") from None


class Mixed(Units):
    """Blocks of columns, each of a type of its own: a table of numbers and categories.

    A block is asked for what concerns its columns; energies and cumulant generating
    functions add up. Of Gaussian blocks estimators standardise the columns, and of no
    others.

    Parameters
    ----------
    blocks : sequence of (Units, int)
        Type and number of columns of each block, in the order of the columns.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Bernoulli, Gaussian, Mixed, Softmax
    >>> table = Mixed(((Gaussian(), 2), (Bernoulli(), 1), (Softmax(2), 2)))
    >>> table.mean(np.array([[-1.0, 3.0, 0.0, 0.0, 0.0]]))
    array([[-1. ,  3. ,  0.5,  0.5,  0.5]])
    """

    def __init__(self, blocks: Sequence[tuple[Units, int]]) -> None:
        self.blocks = blocks

    def validate(self) -> None:
        blocks = self.blocks if isinstance(self.blocks, list | tuple) else ()
        for block in blocks:
            if not (
                isinstance(block, list | tuple)
                and len(block) == 2
                and isinstance(block[0], Units)
                and isinstance(block[1], int | np.integer)
                and block[1] > 0
            ):
                raise ValueError(
                    "Mixed needs blocks (units, number of columns), such as "
                    f"(Gaussian(), 5); one is {block!r}."
                )
            block[0].validate()
        if not blocks:
            raise ValueError(
                "Mixed needs at least one block, as in Mixed(((Gaussian(), 5), "
                f"(Bernoulli(), 3))); blocks is {self.blocks!r}."
            )
        others = blocks if len(blocks) == 1 else blocks[:-1]
        if any(units.n_labels for units, _ in others):
            raise ValueError(
                "Labels are the last block, beside at least one of features and no "
                f"other Labels; blocks is {self.blocks!r}."
            )

    @property
    def n_labels(self) -> int:
        return int(self.blocks[-1][0].n_labels)

    @property
    def normalised(self) -> bool:
        return all(units.normalised for units, _ in self.blocks)

    @property
    def low(self) -> float:
        return float(min(units.low for units, _ in self.blocks))

    @property
    def high(self) -> float:
        return float(max(units.high for units, _ in self.blocks))

    @property
    def group_size(self) -> int:
        return sum(n for _, n in self.blocks)

    @property
    def linear(self) -> bool:
        return all(units.linear for units, _ in self.blocks)

    @property
    def standardised(self) -> bool:
        return any(units.standardised for units, _ in self.blocks)

    def _parts(self, p: Extra = None) -> Iterator[tuple[str, Block]]:
        """Each block, and what the names of its extra parameters begin with."""
        start = 0
        for i, (units, n) in enumerate(self.blocks):
            prefix = f"{i}_"
            own = {
                name.removeprefix(prefix): values
                for name, values in (p or {}).items()
                if name.startswith(prefix)
            }
            yield prefix, (slice(start, start + n), units, own)
            start += n

    def init(self, n: int) -> dict[str, tuple[int, ...]]:
        if n != self.group_size:
            sizes = " + ".join(str(size) for _, size in self.blocks)
            raise ValueError(
                f"Mixed needs {self.group_size} columns, for blocks of {sizes}; there "
                f"are {n}."
            )
        shapes: dict[str, tuple[int, ...]] = {}
        for prefix, (columns, units, _) in self._parts():
            with _naming(columns):
                own = units.init(columns.stop - columns.start)
            shapes |= {prefix + name: shape for name, shape in own.items()}
        return shapes

    def split(self, n: int, p: Extra = None) -> list[Block]:
        blocks = []
        for _, (columns, units, own) in self._parts(p):
            first = columns.start
            for inner, its, values in units.split(columns.stop - first, own):
                moved = slice(first + inner.start, first + inner.stop)
                blocks.append((moved, its, values))
        return blocks

    def _each(self, method: str, p: Extra, *arrays: Array, **rng: Any) -> list[Array]:
        """What a method of each block returns for its columns."""
        return [
            getattr(units, method)(*(a[..., columns] for a in arrays), p=own, **rng)
            for _, (columns, units, own) in self._parts(p)
        ]

    def _joined(self, method: str, p: Extra, *arrays: Array, **rng: Any) -> Array:
        parts = self._each(method, p, *arrays, **rng)
        return namespace(*arrays).concat(parts, axis=-1)

    def mean(self, x: Array, p: Extra = None) -> Array:
        return self._joined("mean", p, x)

    def variance(self, x: Array, p: Extra = None) -> Array:
        return self._joined("variance", p, x)

    def sample(self, x: Array, rng: Any, p: Extra = None) -> Array:
        return self._joined("sample", p, x, rng=rng)

    def sample_at_mean(self, mean: Array, x: Array, rng: Any, p: Extra = None) -> Array:
        return self._joined("sample_at_mean", p, mean, x, rng=rng)

    def cgf(self, x: Array, p: Extra = None) -> Array:
        return sum(self._each("cgf", p, x))

    def base_energy(self, u: Array, p: Extra = None) -> Array:
        return sum(self._each("base_energy", p, u))

    def base_energy_grad(self, u: Array, p: Extra = None) -> dict[str, Array]:
        return {
            prefix + name: slope
            for prefix, (columns, units, own) in self._parts(p)
            for name, slope in units.base_energy_grad(u[:, columns], own).items()
        }

    def input_for_mean(self, mean: Array, p: Extra = None) -> Array:
        return self._joined("input_for_mean", p, mean)

    def inside(self, X: Array) -> Array:
        self.init(X.shape[1])
        lazy, parts, changed = isinstance(X, ScaledRows), [], False
        for _, (columns, units, _) in self._parts():
            part = X.of_columns(columns) if lazy else X[:, columns]
            with _naming(columns):
                parts.append(units.inside(part))
            changed = changed or parts[-1] is not part
        if not changed:
            return X
        if lazy:
            ends = (self.per_column(name, X.shape[1]) for name in ("low", "high"))
            return X.clipped(*ends)
        if issparse(X):
            return hstack(parts, format="csr")
        return namespace(X).concat(parts, axis=1)
