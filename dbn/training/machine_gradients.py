"""The gradients that a machine is trained by, of a batch of rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..backend.array import dense, mean_weights, take_rows
from ..backend.device import beside, namespace, to_host
from ..backend.labelled_rows import LabelledRows, join
from ..backend.missing import filled
from ..backend.parameters import Parameters
from ..backend.parts import Schedule, scheduled
from ..backend.types import Array
from ..boltzmann import RBM, Sampler
from ..boltzmann.labels import LabelPart
from .distributed import current_workers
from .loop import drawn_by_weight
from .sparsity import Sparsity


@dataclass
class ContrastiveGradient:
    """The gradient of a batch; it moves the chains and the means in `state`."""

    rbm: RBM
    X: Array
    incomplete: bool
    weight: Array
    state: dict[str, Any]
    rng: Any
    sampler: Sampler
    centering: bool
    l1: float
    sparsity: Sparsity | None
    label_rate: float
    label_share: float | Schedule

    def __call__(self, rows: Array, grad: Parameters, epoch: int) -> None:
        rbm = self.rbm
        weight = None if self.weight is None else take_rows(self.weight, rows)
        share = self._share(rows, epoch)
        v, x, h, covariance = self._positive(rows, weight, share)
        means, positive = self.state["means"], (v, x, h)
        v_neg, h_neg = negative_phase(
            self.sampler, rbm, positive, self.state, self.rng, epoch, weight
        )
        if self.centering or self.sparsity:
            self._move_means(v, h, weight)
        offsets = means if self.centering else None
        paired = self.sampler.at(epoch).paired
        weight_neg = weight if paired else None
        if paired and rbm.labels is not None:
            alone = rbm.input_of_features(v_neg)
            seen = rbm.labels, v_neg, alone, weight, share
            v_neg, h_neg, inside = _labels_summed_out(*seen)
            covariance = -inside if covariance is None else covariance - inside
        if share is not None:
            mean = mean_weights(share, weight) @ share
            v = self._held_back(v, share, offsets)
            v_neg = self._held_back(v_neg, share if paired else mean, offsets)
        of_labels = covariance, self.label_rate
        rbm.gradient(v, h, v_neg, h_neg, grad, weight, weight_neg, offsets, *of_labels)
        if self.l1:
            grad["W"][...] += self.l1 * namespace(rbm.W).sign(rbm.W)
        if self.sparsity:
            self.sparsity.add_gradient(grad, *means)

    def _share(self, rows: Array, epoch: int) -> Array:
        """How much the weights of the labels learn from each row; None: all of it."""
        share = scheduled(self.label_share, epoch)
        if self.rbm.labels is None or share == 1.0:
            return None
        y, xp = take_rows(self.X.labels, rows), namespace(self.X.labels)
        unknown, ones = xp.isnan(y[:, 0]), xp.ones_like(y[:, 0])
        return xp.where(unknown, share * ones, ones) if xp.any(unknown) else None

    def _held_back(self, v: Array, share: Array, offsets: Any) -> Array:
        """Rows whose labels are so much nearer to their offsets.

        The gradient of the labels' weights and biases is then that share of itself.
        """
        n = self.rbm.n_features
        y, middle = dense(v[:, n:]), 0.0 if offsets is None else offsets[0][n:]
        share = share if share.ndim == 0 else share[:, None]
        return join(v[:, :n], middle + share * (y - middle))

    def _positive(
        self, rows: Array, weight: Array, share: Array
    ) -> tuple[Array, Array, Array, Array | None]:
        """Visible rows, total inputs and means of their hidden units, and covariance.

        The covariance within rows is that of labels that are summed out.
        """
        rbm, labels, v = self.rbm, self.rbm.labels, take_rows(self.X, rows)
        if labels is None:
            v = self._completed(v) if self.incomplete else v
            x = rbm.hidden_input(v)
            return v, x, rbm.hidden.mean(x), None
        y, n = take_rows(self.X.labels, rows), rbm.n_features
        if self.incomplete:
            v = self._completed(v)
        if not namespace(y).any(y != y):
            x = rbm.hidden_input(v)
            return v, x, rbm.hidden.mean(x), None
        return labels_completed(rbm, v[:, :n], y, _label_weights(y, weight, share))

    def _completed(self, v: Array) -> Array:
        """Rows with their unknown values drawn given those that are known."""
        known = ~namespace(v).isnan(v)
        v = filled(v, self.state["means"][0])
        return self.rbm.gibbs(v, self.rng, clamped=known)

    def _move_means(self, v: Array, h: Array, weight: Array) -> None:
        rate = 1.0 - self.sparsity.decay if self.sparsity else 0.01
        w = mean_weights(v, weight)
        for mean, rows in zip(self.state["means"], (v, h), strict=True):
            mean += rate * (w @ rows - mean)
        current_workers().mean(*self.state["means"])


def negative_phase(
    sampler: Sampler,
    rbm: RBM,
    positive: tuple[Array, Array, Array],
    state: dict[str, Any],
    rng: Any,
    epoch: int,
    weight: Array,
) -> tuple[Array, Array]:
    """Visible rows and means of hidden units; it moves the chains in `state`.

    `positive` are the rows of a batch, inputs and means of their hidden units.

    Examples
    --------
    >>> from dbn.boltzmann import CD
    >>> rbm, v, h = RBM(3, 2), np.ones((5, 3)), np.zeros((5, 2))
    >>> state = {"chains": {}}
    >>> rng = np.random.default_rng(0)
    >>> rows, _ = negative_phase(CD(), rbm, (v, h, h + 0.5), state, rng, 7, None)
    >>> rows.shape, state
    ((5, 3), {'chains': {'epoch': 7}})
    """
    known = {} if weight is None else {"weight": weight}
    chains = state["chains"] | {"epoch": epoch} | known
    v, h, chains = sampler.negative(rbm, *positive, chains, rng)
    chains.pop("weight", None)
    state["chains"] = chains
    return v, h


def labels_completed(
    rbm: RBM, f: Array, y: Array, w: Array
) -> tuple[Array, Array, Array, Array | None]:
    """Visible rows, total inputs and means of their hidden units, and covariance.

    Unknown labels, NaN in `y`, are summed out: the covariance is that of rows within
    themselves, weighted by `w`. See `dbn.boltzmann.labels.LabelPart.completed`.

    Examples
    --------
    >>> from dbn.boltzmann import Bernoulli
    >>> from dbn.boltzmann.units.labels import with_labels
    >>> rbm = RBM(2 + 3, 4, visible=with_labels(Bernoulli(), 2, 3))
    >>> f, y = np.ones((1, 2)), np.full((1, 3), np.nan)
    >>> labels_completed(rbm, f, y, np.ones(1))[0].round(2)
    array([[1.  , 1.  , 0.33, 0.33, 0.33]])
    """
    assert rbm.labels is not None
    alone = rbm.input_of_features(f)
    y, h, covariance = rbm.labels.completed(y, alone, w)
    return join(f, y), alone + y @ rbm.labels.U, h, covariance


def _label_weights(y: Array, weight: Array, share: Array) -> Array:
    """How much each row counts in what the weights of the labels learn."""
    w = mean_weights(y, weight)
    return w if share is None else w * share


def _labels_summed_out(
    labels: LabelPart, v: Array, alone: Array, weight: Array, share: Array
) -> tuple[Array, Array, Array]:
    """Rows with p(label | features), means of hidden units, covariance within.

    What one label, or its mean, says of the negative phase varies more. `alone` is the
    input of the hidden units without it.
    """
    n = v.shape[1] - labels.n_classes
    unknown = namespace(v).full_like(v[:, n:], np.nan)
    w = _label_weights(unknown, weight, share)
    y, h, covariance = labels.completed(unknown, alone, w)
    return join(v[:, :n], y), h, covariance


class HybridGradient:
    """The gradient of -log p(label | features) of a batch, and of what `generative` is.

    Parameters
    ----------
    rbm : RBM
    X : LabelledRows
    weight : array of shape (n_rows,) or None
        Of batches of all rows.
    state : TrainingState
        Its fill stands for unknown features, as in predictions.
    rng : numpy.random.Generator
    generative : callable
    all_weights : array of shape (n_rows,) or None
        By which labelled rows are drawn.
    alpha, beta : float
        Weights of that gradient and of this one.
    """

    def __init__(
        self,
        rbm: RBM,
        X: LabelledRows,
        weight: Array,
        state: dict[str, Any],
        rng: Any,
        generative: Callable[..., None],
        all_weights: Array,
        alpha: float,
        beta: float,
    ) -> None:
        self.rbm, self.X, self.weight, self.rng = rbm, X, weight, rng
        self.fill = state.get("fill", state["means"][0])[: rbm.n_features]
        self.generative = generative
        self.alpha, self.beta = alpha, beta
        known = to_host(X.labels[:, 0] == X.labels[:, 0])
        self.labelled = None if known.all() else np.flatnonzero(known)
        self.drawn_by = None
        if all_weights is not None and self.labelled is not None:
            self.weight, self.drawn_by = None, to_host(all_weights)[self.labelled]

    def __call__(self, rows: Array, grad: Parameters, epoch: int) -> Array:
        if self.alpha:
            self.generative(rows, grad, epoch)
            grad.flat[...] *= self.alpha
        else:
            grad.flat[...] = 0.0
        if self.labelled is not None:
            n = rows.shape[0]
            if self.drawn_by is None:
                drawn = self.rng.integers(len(self.labelled), size=n)
            else:
                drawn = drawn_by_weight(self.drawn_by, n, self.rng)
            rows = beside(self.labelled[to_host(drawn)], self.X.labels)
        rbm, n, labels = self.rbm, self.rbm.n_features, self.rbm.labels
        f, y = take_rows(self.X.features, rows), take_rows(self.X.labels, rows)
        f = f if issparse(f) else filled(f, self.fill)
        weight = None if self.weight is None else take_rows(self.weight, rows)
        w = self.beta * mean_weights(y, weight)
        assert labels is not None
        loss, of_x, of_U, of_d = labels.gradient(y, rbm.input_of_features(f), w)
        grad["W"][:n, :] += f.T @ of_x
        grad["W"][n:, :] += of_U
        grad["b"][n:] += of_d
        grad["c"][...] += namespace(of_x).sum(of_x, axis=0)
        return loss / self.beta
