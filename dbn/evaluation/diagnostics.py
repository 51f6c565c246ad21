"""What the layers of a net do: activations, gradients, Jacobians, updates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ..backend.progress import bars_shown, tracked
from ..backend.types import Array
from ..estimators import DBNClassifier, DBNRegressor
from ..estimators.predictor import started
from ..estimators.targets import with_labels
from ..feedforward import Activation, Given, Network

_N_BINS = 50
# Share of the values that is a tail.
_TAIL = 0.01
_Model: TypeAlias = DBNClassifier | DBNRegressor | Network


@dataclass(frozen=True, eq=False)
class LayerStatistics:
    """What `layer_statistics` measures; arrays have one entry per layer.

    Hidden layers are counted from the data upwards; the three norms have one entry
    more, for the output layer. What was not measured is None.

    Attributes
    ----------
    activation_mean, activation_std : ndarray of shape (n_hidden,)
        Mean and standard deviation over all rows and units of a layer.
    activation_p98 : ndarray of shape (n_hidden,)
        98th percentile of the activations.
    saturation : ndarray of shape (n_hidden,)
        Share of rows and units where the slope of the activation is below a tenth of
        its largest: beyond 0.949 of the range of tanh and the logistic function on both
        sides, and at 0 for the rectifier.
    gradient_mean, gradient_std : ndarray of shape (n_hidden,) or None
        Mean and standard deviation over rows and units of the gradient of a row's loss
        with respect to the units' total inputs.
    singular_value : ndarray of shape (n_hidden,) or None
        Mean singular value of the layer's Jacobian, the derivative of its activations
        with respect to those below: of all its singular values and some rows.
    weight_norm : ndarray of shape (n_hidden + 1,)
        Euclidean norm of the weights W.
    weight_gradient_norm : ndarray of shape (n_hidden + 1,) or None
        The same of the gradient of the mean loss with respect to W.
    update_norm : ndarray of shape (n_hidden + 1,) or None
        The same of the change of W since the `previous` net.
    activation_histograms, gradient_histograms : list of (density, edges)
        For each hidden layer, 50 values and the 51 edges around them, as
        `numpy.histogram` returns them with ``density=True``; the second may be None.
        What is exactly 0 is left out (units that a rectifier shuts, see `saturation`),
        unless all is, and so is what is not finite. Bins are of one width, but where
        a hundredth of the values at an end takes more than a third of the range: it
        then has a wide bin of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import Network
    >>> from dbn.evaluation import layer_statistics
    >>> layer_statistics(Network([3, 4, 5, 2]), np.eye(3)).activation_mean
    array([0.5, 0.5])
    """

    activation_mean: np.ndarray
    activation_std: np.ndarray
    activation_p98: np.ndarray
    saturation: np.ndarray
    gradient_mean: np.ndarray | None
    gradient_std: np.ndarray | None
    singular_value: np.ndarray | None
    weight_norm: np.ndarray
    weight_gradient_norm: np.ndarray | None
    update_norm: np.ndarray | None
    activation_histograms: list[tuple[np.ndarray, np.ndarray]]
    gradient_histograms: list[tuple[np.ndarray, np.ndarray]] | None


def layer_statistics(
    model: _Model,
    X: Array,
    y: Array = None,
    *,
    previous: _Model | None = None,
    n_jacobians: int = 5,
    at_start: bool = False,
) -> LayerStatistics:
    """Measure every layer of a net: what Glorot and Bengio (2010) plot.

    Call it before and during training, on the same few hundred rows each time (the
    paper takes 300 of the test set), and give the list to `LayerStatisticsDisplay`.
    The net is measured as it predicts: nothing is dropped, and batch normalization
    counts as part of the weights.

    Parameters
    ----------
    model : DBNClassifier, DBNRegressor or Network
        Estimators must be fitted, or partially. With their `verbose` at 1, what takes
        more than 2 seconds has a tqdm bar.
    X : array-like of shape (n_rows, n_features)
        For a `Network`, rows as its first layer sees them.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs), optional
        Targets, needed for gradients; for a `Network` as its loss sees them (one-hot
        rows, for example). Rows without a label are left out.
    previous : estimator or Network, optional
        The net at an earlier time, needed for `update_norm`.
    n_jacobians : int, default=5
        Number of rows, from the first, whose Jacobians are taken apart: the slow part
        where layers are wide. 0 leaves it out.
    at_start : bool, default=False
        Measure the estimator as its `fit` on X and y begins, with the first weights of
        its `init`: it need not be fitted, and stays as it is. A DBN is pretrained for
        that. Without y the net has two outputs.

    Returns
    -------
    LayerStatistics

    Raises
    ------
    TypeError
        If the model is of another class.
    ValueError
        If there is no hidden layer, `previous` has other layers, X has no rows, or X
        or y does not fit the model.
    sklearn.exceptions.NotFittedError
        If an estimator is not fitted.

    References
    ----------
    Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward
    neural networks": figures 2 and 3 (mean, standard deviation and percentile of the
    activations during training), 6 and 7 (activations and back-propagated gradients at
    the start), 8 and 9 (gradients of the weights), section 4.2.1 (singular values).

    Examples
    --------
    The start of a net, without a fit:

    >>> from dbn import DBNClassifier
    >>> from dbn.evaluation import layer_statistics, load_dataset
    >>> X = load_dataset("digits").X[:300]
    >>> net = DBNClassifier((50, 50, 50), init="standard", activation="tanh")
    >>> net = net.set_params(random_state=0)
    >>> layer_statistics(net, X, at_start=True).activation_std.round(2)
    array([0.27, 0.17, 0.1 ])

    And then three epochs. With all multipliers at 0 nothing moves:

    >>> data = load_dataset("digits")
    >>> X, y, held_out = data.X[:1000], data.y[:1000], (data.X[1000:], data.y[1000:])
    >>> clf = DBNClassifier((50, 50, 50), init="standard", activation="tanh")
    >>> clf = clf.set_params(learning_rate_multipliers=[0, 0, 0, 0], random_state=0)
    >>> followed = [layer_statistics(clf.partial_fit(X, y), *held_out)]
    >>> clf = clf.set_params(learning_rate_multipliers=None)
    >>> for epoch in range(3):
    ...     before = clf.network_
    ...     clf = clf.partial_fit(X, y)
    ...     followed.append(layer_statistics(clf, *held_out, previous=before))
    >>> followed[0].activation_std.round(2)  # shrinks from layer to layer
    array([0.26, 0.16, 0.1 ])
    >>> bool(followed[-1].activation_std[-1] > followed[0].activation_std[-1])
    True
    """
    if at_start:
        model = _started(model, X, y)
    network = _plain(model)
    rows, targets = _as_the_net_sees(model, X, y)
    if not rows.shape[0]:
        raise ValueError("X has no rows to measure on. Give some.")
    outputs = network.activations(rows)
    hidden, z = outputs[2:-1:2], outputs[-1]  # dense, activation, ..., dense
    deltas = [] if targets is None else _back_propagated(network, hidden, z, targets)
    weights = [W for W, _ in network.dense]
    gradients = [
        h.T @ delta / len(delta)
        for h, delta in zip([rows, *hidden], deltas, strict=bool(deltas))
    ]
    with bars_shown(getattr(model, "verbose", 0) > 0):
        singular_values = _singular_values(network, hidden, n_jacobians)
    changes = []
    if previous is not None:
        changes = _changes(weights, [W for W, _ in _plain(previous).dense])
    slopes = [
        activation.slope(h) / _largest_slope(activation)
        for activation, h in zip(network.hidden_activations, hidden, strict=True)
    ]
    return LayerStatistics(
        activation_mean=_each(np.mean, hidden),
        activation_std=_each(np.std, hidden),
        activation_p98=_each(lambda h: np.percentile(h, 98), hidden),
        saturation=_each(lambda slope: np.mean(slope < 0.1), slopes),
        gradient_mean=_each(np.mean, deltas[:-1]) if deltas else None,
        gradient_std=_each(np.std, deltas[:-1]) if deltas else None,
        singular_value=singular_values,
        weight_norm=_each(np.linalg.norm, weights),
        weight_gradient_norm=_each(np.linalg.norm, gradients) if deltas else None,
        update_norm=_each(np.linalg.norm, changes) if changes else None,
        activation_histograms=[_histogram(h) for h in hidden],
        gradient_histograms=[_histogram(g) for g in deltas[:-1]] or None,
    )


def _started(model: _Model, X: Array, y: Array) -> _Model:
    """The model as its `fit` begins."""
    if isinstance(model, Network):
        raise TypeError(
            "at_start is for a DBNClassifier or a DBNRegressor, whose init says how it "
            "begins; a Network has the weights that it has. Leave it at False."
        )
    if not isinstance(model, DBNClassifier | DBNRegressor):
        return model  # refused in a moment
    if y is not None:
        begun: _Model = started(model, X, y)
        return begun
    any_two = np.arange(len(X) if hasattr(X, "__len__") else X.shape[0]) % 2
    copy: Any = clone(model)
    begun = started(copy.set_params(unlabeled=None), X, any_two)
    return begun


def _plain(model: _Model) -> Network:
    """Its net without dropout, and with batch normalization in the weights."""
    if isinstance(model, DBNClassifier | DBNRegressor):
        check_is_fitted(model)
        model = model.network_
    if not isinstance(model, Network):
        raise TypeError(
            "layer_statistics takes a DBNClassifier, a DBNRegressor or a Network; got "
            f"{type(model).__name__}. Pass one of these."
        )
    layers = model.folded()
    if len(layers) < 2:
        raise ValueError(f"{model!r} has no hidden layer to measure. Give it one.")
    plain = Network(
        [layers[0][0].shape[0], *(W.shape[1] for W, _ in layers)],
        activation=model.activation,
        loss=model.loss,
        dtype=model.params.flat.dtype,
    )
    Given(layers).fill(plain, None, None)
    return plain


def _as_the_net_sees(model: _Model, X: Array, y: Array) -> tuple[Array, Array]:
    """Rows and targets (or None) in the net's own terms; only labelled rows, if any."""
    if isinstance(model, Network):
        return X, y
    if y is None:
        return model._filled(model._rows(X)), None
    X, y, _ = with_labels(model, X, y)
    X, y = model._checked(
        X, y, reset=False, multi_output=True, y_numeric=model._numeric_targets
    )
    rows = model._filled(model._encode(X))
    return rows, model._encode_targets(y, rows.dtype)


def _back_propagated(
    network: Network, hidden: Sequence[Array], z: Array, y: Array
) -> list[Array]:
    """Gradients of each row's loss with respect to the inputs of all units, by layer.

    The last is with respect to `z`.
    """
    if np.shape(y) != z.shape:
        raise ValueError(
            f"y has the shape {np.shape(y)} and the net's output {z.shape}. For a "
            "Network, give y as its loss sees it: one-hot rows for cross-entropy."
        )
    delta = network.loss.gradient(z, y) * len(z)  # that of the mean, times the rows
    deltas = [delta]
    activations = network.hidden_activations[::-1]
    upper = zip(network.dense[:0:-1], activations, hidden[::-1], strict=True)
    for (W, _), activation, h in upper:
        delta = (delta @ W.T) * activation.slope(h)
        deltas.insert(0, delta)
    return deltas


def _singular_values(
    network: Network, hidden: Sequence[Array], n_rows: int
) -> np.ndarray | None:
    """Mean singular value of each hidden layer's Jacobian, or None for no rows."""
    if n_rows < 0:
        raise ValueError(f"n_jacobians is {n_rows}; it must not be negative.")
    if n_rows == 0:
        return None
    means: list[Any] = []
    layers = zip(network.dense[:-1], network.hidden_activations, hidden, strict=True)
    for (W, _), activation, h in layers:
        jacobians = (W * slope for slope in activation.slope(h[:n_rows]))
        followed = tracked(jacobians, f"layer {len(means)}", "row", len(h[:n_rows]))
        means.append(np.mean([np.linalg.svd(J, compute_uv=False) for J in followed]))
    return np.array(means)


def _changes(weights: list[Array], previous: list[Array]) -> list[Array]:
    shapes = [[W.shape for W in net] for net in (weights, previous)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"The weights have the shapes {shapes[0]} and those of previous "
            f"{shapes[1]}. Pass the same net at an earlier time."
        )
    return [W - W_before for W, W_before in zip(weights, previous, strict=True)]


def _largest_slope(activation: Activation) -> float:
    h = activation.forward(np.linspace(-10.0, 10.0, 2001), {})
    return float(activation.slope(h).max())


def _each(function: Callable[..., Array], arrays: Sequence[Array]) -> np.ndarray:
    return np.array([float(function(a)) for a in arrays])


def _histogram(values: Array) -> tuple[np.ndarray, np.ndarray]:
    values = np.asarray(values, dtype=float).ravel()
    finite = values[np.isfinite(values)]
    values = finite if finite.size else np.zeros(1)
    values = values[values != 0.0] if values.any() else values
    low, high = values.min(), values.max()
    # Bins of a width that floats can tell apart, also where all values are alike.
    room = max(1e-4 * max(-low, high) - (high - low), 0.0) / 2.0
    ends = low - room, high + room
    inner = np.quantile(values, [_TAIL, 1.0 - _TAIL])
    # A tail that takes much of the range has a bin of its own.
    tails = np.abs(inner - ends) > (ends[1] - ends[0]) / 3.0
    if room or not tails.any() or inner[0] == inner[1]:
        return np.histogram(values, bins=_N_BINS, range=ends, density=True)
    first, last = np.where(tails, inner, ends)
    edges = np.linspace(first, last, _N_BINS + 1 - int(tails.sum()))
    edges = np.unique([low, *edges, high])
    return np.histogram(values, bins=edges, density=True)
