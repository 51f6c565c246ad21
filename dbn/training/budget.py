"""How long, and how fast, to train where nobody says."""

import math
from dataclasses import dataclass

from ..backend.parts import Schedule
from ..boltzmann import Sampler, get_sampler
from .optimizers import Adam, Optimizer


@dataclass(frozen=True)
class Budget:
    """What "auto" means: `updates`, but `epochs` to `most_epochs` epochs.

    A batch has a thirtieth of the rows, but no less than `least` and no more than
    `most` of them.

    Parameters
    ----------
    updates, epochs : int
    least, most : int, default=10 and 100
    most_epochs : int, default=100
        A table of 30 rows needs no 1000 updates, and would take seconds.

    Examples
    --------
    >>> Budget(updates=1000, epochs=8).resolved(600, "auto", "auto")
    (20, 34)
    >>> Budget(updates=1000, epochs=8).resolved(60_000, "auto", "auto")
    (100, 8)
    """

    updates: int
    epochs: int
    least: int = 10
    most: int = 100
    most_epochs: int = 100

    def resolved(
        self, n_rows: int, batch_size: int | str, max_iter: int | str
    ) -> tuple[int, int]:
        """Rows per update and number of epochs, for `n_rows` rows to train on."""
        size = min(max(math.ceil(n_rows / 30), self.least), self.most)
        size = size if isinstance(batch_size, str) else batch_size
        per_epoch = math.ceil(n_rows / size)
        n_epochs = min(math.ceil(self.updates / per_epoch), self.most_epochs)
        n_epochs = max(n_epochs, self.epochs)
        return size, n_epochs if isinstance(max_iter, str) else max_iter


# Of a machine and of a net: see docs/design.md for the tables that decided.
MACHINE = Budget(updates=1500, epochs=8)
# Persistent chains follow a machine that learns slowly.
PERSISTENT_MACHINE = Budget(updates=3000, epochs=8)
NET = Budget(updates=3000, epochs=20)
CLASSIFYING_MACHINE = Budget(updates=3000, epochs=15)
# With labels, on top of a stack: contrastive divergence and chains together.
TOP_MACHINE = Budget(updates=4000, epochs=13)
# From few labels it learns slowly.
TOP_MACHINE_OF_FEW_LABELS = Budget(updates=16_000, epochs=40, most_epochs=160)
# Of a net whose optimizer searches along lines, which wants large batches and few
# (Hinton and Salakhutdinov 2006: 1000 rows and three searches for each).
SEARCHED_NET = Budget(updates=200, epochs=20, least=1000, most=1000, most_epochs=200)


def of_machine(sampler: str | Sampler) -> Budget:
    """The budget of a machine with this sampler.

    Examples
    --------
    >>> of_machine("pcd").updates
    3000
    """
    return MACHINE if get_sampler(sampler).paired else PERSISTENT_MACHINE


def of_net(optimizer: Optimizer) -> Budget:
    """The budget of a net with this optimizer."""
    return SEARCHED_NET if optimizer.searches else NET


# Of a net: from so many on its learning rate rises with the rows for each column.
ROWS_PER_COLUMN = 50


def adam_of_net(n_rows: int, n_columns: int, numeric: bool) -> Adam:
    """Adam for a net with so many rows and columns to learn from.

    The more rows there are for each column, the faster a net may learn, and the less
    must its weights be held small. The learning rate starts at 0.0002 times the rows
    per column, but 0.01 to 0.03, and falls to 0 over the fit. The decoupled decay is
    the number of columns per row, but 0.05 to 0.2. Numeric targets bear less: 0.3 times
    the columns per row, but no more than 0.06.

    Examples
    --------
    >>> adam_of_net(4000, 40, numeric=False)
    Adam(decoupled_decay=0.05, learning_rate=Schedule(end=0.0, start=0.02))
    """
    rows_per_column = n_rows / n_columns
    rate = min(max(0.01 * rows_per_column / ROWS_PER_COLUMN, 0.01), 0.03)
    decay = min(1.0 / rows_per_column, 0.2)
    decay = 0.3 * decay if numeric else max(decay, 0.05)
    return Adam(Schedule(round(rate, 4), 0.0), decoupled_decay=round(decay, 4))
