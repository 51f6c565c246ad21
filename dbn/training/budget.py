"""How long to train where nobody says: enough updates, however few rows there are."""

import math
from dataclasses import dataclass

from ..boltzmann import Sampler, get_sampler
from .optimizers import Optimizer


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
