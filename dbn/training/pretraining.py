"""Greedy pretraining of a stack of RBMs, and what starts a net from one."""

from ..backend.array import map_batches, namespace
from ..boltzmann import DBN, RBM, Bernoulli
from ..feedforward import Initializer, Logistic, Tanh, VarianceScaling
from .contrastive import train_rbm
from .loop import Task


def pretrain(
    X,
    hidden_layer_sizes,
    *,
    rng,
    visible="bernoulli",
    layer_options=None,
    sample_weight=None,
    task=None,
    history=None,
):
    """Train a deep belief network greedily, layer by layer; return it.

    Each machine learns from the mean hidden activities of the one below, computed once
    (Hinton, Osindero and Teh 2006, section 4; Hinton and Salakhutdinov 2006).

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
        In the range of the visible units.
    hidden_layer_sizes : sequence of int
        Numbers of hidden units, from the data upwards.
    rng : numpy.random.Generator
    visible : {"bernoulli", "gaussian"} or Units, default="bernoulli"
        Units of the data; each layer above takes the hidden units of the one below.
    layer_options : list of dict, optional
        For each layer, keyword arguments of `train_rbm`, and ``"hidden"``, the type of
        its hidden units. Default: none.
    sample_weight : array of shape (n_rows,), optional
    task : Task, optional
        Where progress is reported; default: nowhere.
    history : list, optional
        Receives a dict per epoch of each layer.

    Returns
    -------
    DBN
        When a callback stops the work, layers that were not reached stay at their
        initial weights.

    Raises
    ------
    ValueError
        If `layer_options` does not have one entry per layer.
    FloatingPointError
        If training diverges.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.training import pretrain
    >>> rng = np.random.default_rng(0)
    >>> X = rng.random((100, 6)).round()
    >>> pretrain(X, [4, 2], rng=rng).transform(X).shape
    (100, 2)
    """
    sizes = list(hidden_layer_sizes)
    options = [dict(o) for o in layer_options or [{}] * len(sizes)]
    if len(options) != len(sizes):
        raise ValueError(
            f"layer_options has {len(options)} entries for {len(sizes)} layers; give "
            "one per layer."
        )
    task = task or Task()
    rbms, encoded, stopped = [], X, False
    epochs = [o.get("max_iter", 10) for o in options]
    for layer, (n_hidden, option) in enumerate(zip(sizes, options, strict=True)):
        hidden = option.pop("hidden", "bernoulli")
        rbm = RBM(
            encoded.shape[1], n_hidden, visible=visible, hidden=hidden, dtype=X.dtype
        )
        option |= {"rng": rng, "sample_weight": sample_weight, "layer": layer}
        if stopped:
            train_rbm(rbm, encoded, **option | {"max_iter": 0})
        else:
            with task.subtask("layer", epochs[layer]) as layer_task:
                train_rbm(rbm, encoded, **option, task=layer_task, history=history)
            stopped = layer_task.stop
        rbms.append(rbm)
        if layer + 1 < len(sizes):
            encoded, visible = map_batches(rbm.mean_hidden, encoded), rbm.hidden
    return DBN(rbms)


def check_startable(hidden, activation):
    """Raise a ValueError unless layers can start from RBMs with these hidden units.

    Parameters
    ----------
    hidden : Units
    activation : Activation
    """
    if not (isinstance(hidden, Bernoulli) and type(activation) in _RESCALE):
        raise ValueError(
            f"A DBN with {hidden!r} hidden units cannot start layers with the "
            f"activation {activation!r}. Bernoulli hidden units start 'logistic' and "
            "'tanh' layers; for another activation use init='he_normal' or another "
            "data-free initializer."
        )


# a such that the activation at z is a * sigmoid(a z) - (a - 1).
_RESCALE = {Logistic: 1.0, Tanh: 2.0}


class Pretrained(Initializer):
    """Start the hidden layers from a trained DBN, the output layer from Xavier.

    The hidden activities of the net are then those of the DBN: equal for logistic
    layers; for tanh layers, which see 2 h - 1 instead of h, weights and biases are
    converted exactly (tanh(x / 2) = 2 sigmoid(x) - 1).

    Parameters
    ----------
    dbn : DBN
        Copied, never changed.

    Raises
    ------
    ValueError
        In `fill`, if the layer sizes or the type of units do not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import DBN, RBM, Network
    >>> from dbn.training import Pretrained
    >>> rng = np.random.default_rng(0)
    >>> dbn = DBN([RBM(4, 3).initialize(rng)])
    >>> net, X = Network([4, 3, 2]), np.ones((1, 4))
    >>> Pretrained(dbn).fill(net, X, rng)
    >>> bool(np.allclose(net.activations(X)[2], dbn.transform(X)))
    True
    """

    def __init__(self, dbn):
        self.dbn = dbn

    def fill(self, network, X, rng):
        hidden = network.dense[:-1]
        sizes = [tuple(W.shape) for W, _ in hidden]
        found = [tuple(rbm.W.shape) for rbm in self.dbn.rbms]
        if sizes != found:
            raise ValueError(
                f"The DBN's weights have shapes {found}, the network's hidden layers "
                f"{sizes}. Use the same hidden_layer_sizes for both."
            )
        for rbm in self.dbn.rbms:
            check_startable(rbm.hidden, network.activation)
        VarianceScaling().fill(network, X, rng)
        a = _RESCALE[type(network.activation)]
        below = 1.0  # the data; a pretrained layer gives a * h - (a - 1) instead of h
        for (W, c), rbm in zip(hidden, self.dbn.rbms, strict=True):
            shift = (below - 1.0) / below * namespace(W).sum(rbm.W, axis=0)
            W[...] = rbm.W / (a * below)
            c[...] = (rbm.c + shift) / a
            below = a
