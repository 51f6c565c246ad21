"""Unsupervised training of RBMs and stacks of them, and what starts a net from one."""

from ..backend.array import map_batches, mean_weights, namespace, take_rows
from ..boltzmann import DBN, RBM, Bernoulli, Softmax, get_sampler
from ..feedforward import Initializer, Logistic, Tanh, VarianceScaling
from .loop import Task, run_epochs
from .optimizers import SGD, get_optimizer


def default_optimizer(rbm):
    """The optimizer of Hinton's guide for a machine's types of units.

    Momentum 0.5 for five epochs and then 0.9 (section 9); learning rate 0.1, or 0.001
    where a unit has no upper bound (section 13.2).
    """
    bounded = all(isinstance(u, Bernoulli | Softmax) for u in (rbm.visible, rbm.hidden))
    return SGD(0.1 if bounded else 0.001, momentum=((0, 0.5), (5, 0.9)))


def train_rbm(
    rbm,
    X,
    *,
    rng,
    sampler="cd",
    optimizer=None,
    weight_decay=2e-4,
    batch_size=100,
    max_iter=10,
    sample_weight=None,
    task=None,
    history=None,
    layer=0,
):
    """Initialize a machine from the data and train it; return the machine.

    Parameters
    ----------
    rbm : RBM
        Changed in place. It starts from `RBM.initialize`.
    X : array of shape (n_rows, n_visible)
        In the range of the visible units, and with the dtype of the machine.
    rng : numpy.random.Generator
    sampler : {"cd"} or Sampler, default="cd"
        Where the negative phase comes from.
    optimizer : {"sgd", "adam"}, Optimizer or None, default=None
        None is SGD with learning rate 0.1 (0.001 with Gaussian units), momentum 0.5
        for five epochs and then 0.9.
    weight_decay : float, default=2e-4
        lambda of lambda / 2 ||W||^2, added to the mean loss; biases are free.
    batch_size, max_iter : int, default=100 and 10
        Rows per update and number of epochs.
    sample_weight : array of shape (n_rows,), optional
        Weights of the rows in both phases.
    task : Task, optional
        Where progress is reported; default: nowhere.
    history : list, optional
        Receives a dict per epoch: ``"reconstruction_error"`` is the squared error per
        visible unit of a mean-field pass up and down, over 100 to 1000 evenly spaced
        rows. It can fall while the model gets worse (Hinton 2010, section 5).
    layer : int, default=0
        Position in a stack, for `history` and errors.

    Raises
    ------
    FloatingPointError
        If training diverges.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> from dbn.training import train_rbm
    >>> X = np.repeat([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 50, axis=0)
    >>> rng = np.random.default_rng(0)
    >>> rbm = train_rbm(RBM(3, 2), X, rng=rng, batch_size=10, max_iter=50)
    >>> energies = rbm.free_energy(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))
    >>> bool(energies[0] < energies[1])  # the pattern seen is the likelier one
    True
    """
    optimizer = get_optimizer(optimizer or default_optimizer(rbm))
    sampler = get_sampler(sampler)
    rbm.initialize(rng, mean_weights(X, sample_weight) @ X)
    chains = sampler.start(rbm, X, rng)
    monitored = _monitored_rows(X)

    def gradient(rows, grad, epoch):
        nonlocal chains
        chains["epoch"] = epoch
        v = take_rows(X, rows)
        weight = None if sample_weight is None else take_rows(sample_weight, rows)
        x = rbm.hidden_input(v)
        v_neg, h_neg, chains = sampler.negative(rbm, v, x, chains, rng)
        neg_weight = weight if sampler.paired else None
        rbm.gradient(v, rbm.hidden.mean(x), v_neg, h_neg, grad, weight, neg_weight)

    def measure(loss):
        error = (rbm.mean_visible(rbm.mean_hidden(monitored)) - monitored) ** 2
        return {"reconstruction_error": float(namespace(error).mean(error))}

    run_epochs(
        gradient,
        rbm.params,
        X.shape[0],
        optimizer=optimizer,
        weight_decay=weight_decay,
        batch_size=batch_size,
        max_iter=max_iter,
        rng=rng,
        task=task or Task(),
        history=[] if history is None else history,
        entry={"phase": "pretrain", "layer": layer},
        measure=measure,
        name=f"Layer {layer}",
        owner="RBM",
    )
    return rbm


def _monitored_rows(X):
    """Evenly spaced rows: enough for a mean, and few beside the work of an epoch."""
    n_rows = X.shape[0]
    n_monitored = min(1000, max(100, n_rows // 20))
    return X[:: -(-n_rows // n_monitored), ...]


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
