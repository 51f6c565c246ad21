"""The part of a machine that has no labels."""

from ..backend.device import namespace
from ..backend.parameters import Parameters
from ..backend.types import Array
from .rbm import RBM
from .units.labels import without_labels


def feature_machine(rbm: RBM, label_mean: Array = None) -> RBM:
    """A machine without its labels: over the features alone, with the same units.

    Parameters
    ----------
    rbm : RBM
    label_mean : array of shape (n_classes,), optional
        Mean of the labels, whose input the hidden biases then have. Default: none is
        on.

    Returns
    -------
    RBM
        With parameters of its own; of a machine without labels itself.

    Examples
    --------
    >>> from dbn import RBM
    >>> from dbn.boltzmann import Bernoulli
    >>> from dbn.boltzmann.units.labels import with_labels
    >>> feature_machine(RBM(6, 2, visible=with_labels(Bernoulli(), 4, 2)))
    RBM(4, 2, visible=Bernoulli(), hidden=Bernoulli())
    """
    if rbm.labels is None:
        return rbm
    n, units = rbm.n_features, without_labels(rbm.visible)
    machine = RBM(n, rbm.n_hidden, visible=units, hidden=rbm.hidden)
    c = rbm.c if label_mean is None else rbm.c + label_mean @ rbm.labels.U
    parts = [rbm.W[:n, :], rbm.b[:n], c, *rbm.p_visible.values()]
    xp = namespace(rbm.W)
    flat = xp.concat([xp.reshape(part, (-1,)) for part in parts])
    machine.params = Parameters(machine.params.shapes, flat)
    return machine
