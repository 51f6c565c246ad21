"""Units that hold the class of a row."""

from typing import Any

from .base import Units
from .mixed import Mixed
from .softmax import Softmax


class Labels(Softmax):
    """The class of a row: `Softmax` units that a machine sums out where it can.

    They are the last block of a `Mixed` layer, beside the features that have this
    class. In law they are Softmax units. But a machine with few of them can draw the
    class given the features exactly, with the hidden units summed out, and can tell its
    probability (`dbn.RBM.log_p_labels`): Hinton, Osindero and Teh (2006), "A fast
    learning algorithm for deep belief nets"; Larochelle and Bengio (2008),
    "Classification using discriminative restricted Boltzmann machines".

    Parameters
    ----------
    n_states : int
        Number of classes.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> from dbn.boltzmann import Bernoulli, Labels, Mixed
    >>> rbm = RBM(7, 2, visible=Mixed(((Bernoulli(), 4), (Labels(3), 3))))
    >>> np.exp(rbm.log_p_labels(np.zeros((1, 4)))).round(3)
    array([[0.333, 0.333, 0.333]])
    """

    def validate(self) -> None:
        super().validate()
        if self._sizes:
            raise ValueError(
                "Labels are one group of columns, as in Labels(10); n_states is "
                f"{self.n_states!r}. Use Softmax for further categories."
            )

    @property
    def n_labels(self) -> int:
        return self.group_size

    def init(self, n: int) -> dict[str, tuple[int, ...]]:
        if n != self.n_states:
            raise ValueError(
                f"Labels({self.n_states}) needs {self.n_states} columns; there are {n}."
            )
        return {}


def with_labels(units: Units, n: int, n_classes: int) -> Mixed:
    """A layer of `n` columns of `units` and, beside them, their class.

    Examples
    --------
    >>> from dbn.boltzmann import Bernoulli
    >>> with_labels(Bernoulli(), 4, 3).blocks
    ((Bernoulli(), 4), (Labels(n_states=3), 3))
    """
    return Mixed(((units, n), (Labels(n_classes), n_classes)))


def without_labels(units: Any) -> Units:
    """The units of a layer beside those that hold the class: all, where none do.

    Examples
    --------
    >>> from dbn.boltzmann import Bernoulli
    >>> without_labels(with_labels(Bernoulli(), 4, 3))
    Bernoulli()
    """
    if not units.n_labels:
        own: Units = units
        return own
    *features, _ = units.blocks
    kind: Units = features[0][0]
    return kind if len(features) == 1 else Mixed(tuple(features))
