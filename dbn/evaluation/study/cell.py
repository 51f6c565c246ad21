"""One piece of the work of a comparison."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One piece of work: a DBN to pretrain, a candidate to validate, a final net.

    Parameters
    ----------
    stage : {"pretrain", "tune", "test"}
    hidden_layer_sizes : tuple of int
    seed : int
    n_labels : int or None
        None for a DBN that is pretrained on all training rows.
    name : str
        Of the contender; of a DBN to pretrain, its identity.
    value : float or None
        Of what is tuned.
    n_updates : int or None
        Of the fine-tuning, where there are no labels that a setting could have.

    Examples
    --------
    >>> Cell("pretrain", (5,), 0, None, "dbn").value is None
    True
    """

    stage: str
    hidden_layer_sizes: tuple[int, ...]
    seed: int
    n_labels: int | None
    name: str
    value: float | None = None
    n_updates: int | None = None

    def describe(self) -> dict[str, Any]:
        """The cell as plain data."""
        fields = asdict(self) | {"hidden_layer_sizes": list(self.hidden_layer_sizes)}
        if self.n_updates is None:
            del fields["n_updates"]
        return fields
