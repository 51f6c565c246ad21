"""Which DBN each cell of a comparison starts from, so that equal ones are made once."""

from dataclasses import replace
from typing import TypeAlias

import numpy as np

from ...estimators import DBNAutoencoder, DBNTransformer
from .cell import Cell
from .own_code import identity_with_code
from .protocol import Study
from .shared_dbn import find_dbn

Start: TypeAlias = tuple[Cell, DBNTransformer | DBNAutoencoder]


def find_starts(study: Study) -> dict[Cell, Start | None]:
    """For each cell of the tuning, the DBN that it starts from, or None.

    A DBN is a cell and what `find_dbn` returns, unfitted.

    Parameters
    ----------
    study : Study
    """
    found: dict[Cell, Start | None] = {}
    first = study.seeds[0]
    for cell in sorted(study.tuning(), key=lambda cell: cell.seed != first):
        if cell.seed == first:
            start = _start(study, cell)
        elif start := found[replace(cell, seed=first)]:
            start = replace(start[0], seed=cell.seed), start[1]
        found[cell] = start
    return found


def _start(study: Study, cell: Cell) -> Start | None:
    dbn = find_dbn(study.candidate(cell))
    if dbn is None:
        return None
    sizes = tuple(np.ravel(dbn.hidden_layer_sizes).tolist())
    n_labels = cell.n_labels if study.pretraining_rows == "labelled" else None
    return Cell("pretrain", sizes, cell.seed, n_labels, identity_with_code(dbn)), dbn
