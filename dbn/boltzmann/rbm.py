"""The restricted Boltzmann machine: two layers of units and one weight matrix."""

import copy
import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse

from ..backend.array import dense, matmul_into, mean_weights
from ..backend.device import asarray_like, namespace
from ..backend.missing import unmasked
from ..backend.parameters import Parameters
from ..backend.progress import tracked
from ..backend.types import Array
from .labels import LabelPart
from .units import Units, get_units
from .units.base import Extra
from .units.labels import without_labels


class RBM:
    """Restricted Boltzmann machine over any two types of units.

    The energy, in nats, of visible units v and hidden units h is

        E(v, h) = base_v(v) + base_h(h) - v.b - h.c - v W h.

    `W` has shape (n_visible, n_hidden), so a trained machine becomes a dense layer by
    plain copy. All parameters are views of one flat buffer, ``params.flat``. See
    Smolensky (1986); Hinton (2002), "Training products of experts by minimizing
    contrastive divergence".

    Methods take visible rows `v` of shape (n_rows, n_visible), hidden rows `h` of shape
    (n_rows, n_hidden), and the stream `rng` to draw from.

    Parameters
    ----------
    n_visible, n_hidden : int
        Numbers of units.
    visible, hidden : str or Units, default="bernoulli"
        Types of units: "bernoulli", "gaussian", "relu", "spin", or an object.
    dtype : dtype, default=float64
        Of the parameters, which start at zero: see `initialize`.

    Attributes
    ----------
    n_visible, n_hidden : int
        Numbers of units.
    params : Parameters
        With the parts ``"W"`` (n_visible, n_hidden), ``"b"`` (n_visible,) and ``"c"``
        (n_hidden,), also available as `W`, `b` and `c`; and one for each parameter
        that the visible units add, such as ``"visible_log_variance"``.

    Raises
    ------
    ValueError
        If a unit type is not known, does not fit the number of units, or the hidden
        units have parameters of their own.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import RBM
    >>> rbm = RBM(4, 2)
    >>> rbm.free_energy(np.zeros((1, 4)))  # -2 log 2: two free hidden units
    array([-1.38629436])
    """

    def __init__(
        self,
        n_visible: int,
        n_hidden: int,
        *,
        visible: str | Units = "bernoulli",
        hidden: str | Units = "bernoulli",
        dtype: Any = np.float64,
    ) -> None:
        self.visible = get_units(visible)
        self.hidden = get_units(hidden)
        shapes = {"W": (n_visible, n_hidden), "b": (n_visible,), "c": (n_hidden,)}
        extra = self.visible.init(n_visible)
        if self.hidden.init(n_hidden):
            raise ValueError(
                f"hidden={self.hidden!r} learns a variance, which for hidden units is "
                "the same as a scale of the weights. Use Gaussian()."
            )
        self._extra = {name: f"visible_{name}" for name in extra}
        shapes |= {self._extra[name]: shape for name, shape in extra.items()}
        self.params = Parameters(shapes, dtype=dtype)

    @property
    def n_visible(self) -> int:
        """Number of visible columns."""
        return int(self.params.shapes["b"][0])

    @property
    def n_hidden(self) -> int:
        """Number of hidden columns."""
        return int(self.params.shapes["c"][0])

    @property
    def n_features(self) -> int:
        """Number of visible columns that hold no label."""
        return self.n_visible - int(self.visible.n_labels)

    W = property(lambda self: self.params["W"], doc="Weights (n_visible, n_hidden).")
    b = property(lambda self: self.params["b"], doc="Visible biases (n_visible,).")
    c = property(lambda self: self.params["c"], doc="Hidden biases (n_hidden,).")

    @property
    def p_visible(self) -> dict[str, Array]:
        """The visible units' extra parameters, by their own names."""
        return {name: self.params[key] for name, key in self._extra.items()}

    @property
    def architecture(self) -> dict[str, Any]:
        """What it is built as: the arguments of the constructor, but for `dtype`."""
        return {
            "n_visible": self.n_visible,
            "n_hidden": self.n_hidden,
            "visible": self.visible,
            "hidden": self.hidden,
        }

    def __repr__(self) -> str:
        units = f"visible={self.visible!r}, hidden={self.hidden!r}"
        return f"RBM({self.n_visible}, {self.n_hidden}, {units})"

    def __sklearn_array_api_convert__(
        self, converter: Callable[[Array], Array]
    ) -> Self:
        """The same machine with its buffer as `converter` returns it."""
        moved = copy.copy(self)
        moved.params = self.params.converted(converter)
        return moved

    def initialize(
        self, rng: Any, visible_mean: Array | None = None, scale: float = 0.01
    ) -> Self:
        """Set the starting point of training; return self.

        Weights are N(0, scale^2), hidden biases 0, and the visible biases give the
        visible units the mean of the data (Hinton 2010, section 8).

        Parameters
        ----------
        rng : numpy.random.Generator
        visible_mean : array of shape (n_visible,), optional
            Mean of the training rows. Default: visible biases 0.
        scale : float, default=0.01
            Standard deviation of the weights.
        """
        self.params.flat[...] = 0.0
        W = scale * rng.standard_normal((self.n_visible, self.n_hidden))
        self.W[...] = asarray_like(W, self.W)
        if visible_mean is not None:
            self.b[...] = self.visible.input_for_mean(visible_mean, self.p_visible)
        return self

    @property
    def labels(self) -> LabelPart | None:
        """The `Labels` among the visible units, or None."""
        n = self.n_features
        if n == self.n_visible:
            return None
        return LabelPart(self.hidden, self.W[n:, :], self.b[n:])

    def log_p_labels(self, v: Array) -> Array:
        """log p(y | v) of each class given the features, in nats, exact.

        Parameters
        ----------
        v : array or scipy sparse CSR of shape (n_rows, n_features) or more columns
            Features; what follows them, labels, is not looked at.

        Returns
        -------
        array of shape (n_rows, n_classes)

        Raises
        ------
        ValueError
            If the machine has no `Labels`.
        """
        if self.labels is None:
            raise ValueError(
                f"{self!r} has no label units. Its visible units need Labels as their "
                "last block: Mixed(((Bernoulli(), 784), (Labels(10), 10)))."
            )
        return self.labels.log_p(self.input_of_features(v))

    def input_of_features(self, v: Array) -> Array:
        """Total input of the hidden units while no label is on."""
        x = v[:, : self.n_features] @ self.W[: self.n_features, :]
        x += self.c
        return x

    def log_p_features(self, v: Array) -> Array:
        """Log p of the features of each row, labels summed out, plus log Z, in nats.

        Of a machine without labels it is minus the free energy.
        """
        if self.labels is None:
            return -self.free_energy(v)
        v, x = v[:, : self.n_features], self.input_of_features(v)
        units = without_labels(self.visible)
        named = zip(units.init(v.shape[1]), self.p_visible.values(), strict=True)
        energy = units.base_energy(dense(v), dict(named)) - v @ self.b[: v.shape[1]]
        return self.labels.log_sum(x) - energy

    def hidden_input(self, v: Array) -> Array:
        """Total input of the hidden units, shape (n_rows, n_hidden)."""
        x = unmasked(v) @ self.W
        x += self.c
        return x

    def visible_input(self, h: Array) -> Array:
        """Total input of the visible units, shape (n_rows, n_visible)."""
        x = h @ self.W.T
        x += self.b
        return x

    def mean_hidden(self, v: Array) -> Array:
        """Mean of the hidden units given visible rows `v`."""
        return self.hidden.mean(self.hidden_input(v))

    def mean_visible(self, h: Array) -> Array:
        """Mean of the visible units given hidden rows `h`."""
        return self.visible.mean(self.visible_input(h), self.p_visible)

    def sample_hidden(self, v: Array, rng: Any) -> Array:
        """Draw the hidden units given visible rows `v`."""
        return self.hidden.sample(self.hidden_input(v), rng)

    def sample_visible(self, h: Array, rng: Any) -> Array:
        """Draw the visible units given hidden rows `h`."""
        return self.visible.sample(self.visible_input(h), rng, self.p_visible)

    def gibbs(
        self, v: Array, rng: Any, steps: int = 1, clamped: Array | None = None
    ) -> Array:
        """Run block Gibbs sampling v -> h -> v from rows `v`; return the last rows.

        Labels and hidden units are one block: a step first draws the label given the
        features, hidden units summed out, and then the hidden units given both.

        Parameters
        ----------
        v : array of shape (n_rows, n_visible)
        rng : numpy.random.Generator
        steps : int, default=1
        clamped : bool array that broadcasts to the shape of `v`, optional
            Entries that keep their value, so that the others are drawn given them.
        """
        start, labels, n = v, self.labels, self.n_features
        kept = None
        if labels is not None and clamped is not None:
            kept = namespace(v).broadcast_to(clamped, v.shape)[:, n:]
        for _ in tracked(range(steps), "sampling", "step"):
            x = self.hidden_input(v)
            if labels is not None:
                x = labels.redrawn(v[:, n:], x, rng, kept)
            v = self.sample_visible(self.hidden.sample(x, rng), rng)
            if clamped is not None:
                v = namespace(v).where(clamped, start, v)
        return v

    def energy(self, v: Array, h: Array) -> Array:
        """Energy of each pair of rows, in nats, shape (n_rows,)."""
        return (
            self.visible.base_energy(v, self.p_visible)
            + self.hidden.base_energy(h)
            - v @ self.b
            - namespace(v, h).sum(self.hidden_input(v) * h, axis=1)
        )

    def free_energy(self, v: Array, x: Array | None = None) -> Array:
        """-log sum_h exp(-E(v, h)) of each row, in nats, shape (n_rows,).

        `x` is the total input of the hidden units at `v`, where it is known. NaN where
        a value is not known, and where a masked array hides one.
        """
        v = unmasked(v)
        x = self.hidden_input(v) if x is None else x
        return (
            self.visible.base_energy(dense(v), self.p_visible)
            - v @ self.b
            - self.hidden.cgf(x)
        )

    def check_proper(self) -> None:
        """Raise a ValueError if the energy has no lower bound, so no law exists.

        Units with a range on one side are always proper. Gaussian with Gaussian units
        needs the spectral norm of diag(s_v) W below 1; Gaussian with rectified units,
        which only grow, gets a warning above it.

        Raises
        ------
        ValueError
            If a Gaussian-Gaussian machine is improper.
        """
        _check_proper(self)

    def gradient(
        self,
        v_pos: Array,
        h_pos: Array,
        v_neg: Array,
        h_neg: Array,
        out: Parameters,
        weight_pos: Array | None = None,
        weight_neg: Array | None = None,
        offsets: tuple[Array, Array] | None = None,
        label_covariance: Array | None = None,
        label_rate: float = 1.0,
    ) -> None:
        """Estimate the gradient of the mean negative log-likelihood, in nats.

        With exact expectations in both phases it is that gradient: <v h> under the
        model minus <v h> under the data, and likewise for the biases (Hinton 2002,
        equation 5). Each phase is divided by its own number of rows, or its own sum of
        weights.

        With `offsets` it is the centered gradient of Melchior, Fischer and Wiskott
        (2016), "How to center deep Boltzmann machines", equations 12 to 14: another
        direction of descent for the same model, which does not depend on whether a
        unit is mostly on or mostly off.

        Parameters
        ----------
        v_pos, v_neg : array of shape (n_rows of the phase, n_visible)
            Samples; means will do where the visible units learn no variance. `v_pos`
            may be a sparse matrix, which is not made dense.
        h_pos, h_neg : array of shape (n_rows of the phase, n_hidden)
            Means or samples of the hidden units that belong to the visible rows.
        out : Parameters
            Receives the gradient.
        weight_pos, weight_neg : array of shape (n_rows of the phase,), optional
            Weights of the rows. Default: all equal.
        offsets : tuple of arrays of shape (n_visible,) and (n_hidden,), optional
            Mean activities that are subtracted from the units. Default: none.
        label_covariance : array of shape (n_classes, n_hidden), optional
            Of labels and hidden units in the positive phase, where unknown labels were
            summed out: see `LabelPart.completed`.
        label_rate : float, default=1.0
            Factor of the gradient of the labels' weights (the centered one), with which
            they move faster or slower than others.
        """
        pos = mean_weights(h_pos, weight_pos)
        neg = mean_weights(h_neg, weight_neg)
        if issparse(v_pos):
            phases = (-pos, v_pos, h_pos), (neg, v_neg, h_neg)
            self._sparse_gradient(phases, out, offsets)
            return self._uncenter(out, offsets, label_covariance, label_rate)
        # Both phases in one product; signs and divisors on the (smaller) hidden side.
        xp = namespace(v_pos)
        w = xp.concat([-pos, neg])
        v = xp.concat([v_pos, v_neg])
        out["b"][...] = w @ v
        for name, slope in self.visible.base_energy_grad(v, self.p_visible).items():
            out[self._extra[name]][...] = -(w @ slope)
        # One number instead of equal weights: at batch 500 a quarter of the time.
        scales = (
            -1.0 / pos.shape[0] if weight_pos is None else -pos[:, None],
            1.0 / neg.shape[0] if weight_neg is None else neg[:, None],
        )
        h = xp.concat([s * h for s, h in zip(scales, (h_pos, h_neg), strict=True)])
        out["c"][...] = xp.sum(h, axis=0)
        if offsets is not None:
            v -= offsets[0]
            h -= w[:, None] * offsets[1]
        matmul_into(v.T, h, out["W"])
        self._uncenter(out, offsets, label_covariance, label_rate)

    def _uncenter(
        self, out: Parameters, offsets: Any, covariance: Array | None, rate: float
    ) -> None:
        """Complete the weights' gradient by the labels', the biases' by the offsets."""
        if covariance is not None:
            out["W"][self.n_features :, :] -= covariance
        if rate != 1.0:
            out["W"][self.n_features :, :] *= rate
        if offsets is not None:
            out["b"][...] -= out["W"] @ offsets[1]
            out["c"][...] -= offsets[0] @ out["W"]

    def _sparse_gradient(self, phases: Any, out: Parameters, offsets: Any) -> None:
        """`gradient` from (weights, v, h) of the phases; offsets as rank-one terms."""
        out.flat[...] = 0.0
        for w, v, h in phases:
            out["b"][...] += w @ v
            out["c"][...] += w @ h
            out["W"][...] += v.T @ (h * w[:, None])
            slopes = self.visible.base_energy_grad(dense(v), self.p_visible)
            for name, slope in slopes.items():
                out[self._extra[name]][...] -= w @ slope
        if offsets is not None:
            # The weights of both phases add up to 0, so v and h need no offsets.
            out["W"][...] -= out["b"][:, None] * offsets[1]
            out["W"][...] -= offsets[0][:, None] * out["c"]


def _check_proper(rbm: RBM) -> None:
    if rbm.visible.bounded or rbm.hidden.bounded:
        return
    linear, below = _growth(rbm.visible, rbm.b, rbm.p_visible)
    also, above = _growth(rbm.hidden, rbm.c, None)
    scaled = below[:, None] * rbm.W * above
    norm = float(namespace(scaled).linalg.matrix_norm(scaled, ord=2))
    if norm < 1.0:
        return
    message = (
        f"The energy of a {rbm.visible!r}-{rbm.hidden!r} machine is bounded only "
        "while the spectral norm of its (scaled) weights is below 1; it is "
        f"{norm:.3g}. Lower the learning rate, raise weight_decay, or use "
        "Bernoulli units on one side."
    )
    if linear and also:
        raise ValueError(message)
    warnings.warn(message, RuntimeWarning, stacklevel=3)


def _growth(units: Units, bias: Array, p: Extra) -> tuple[bool, Array]:
    """How units without a finite range grow with their input.

    Returns
    -------
    bool
        Whether all of them are normal.
    array of shape (n_units,)
        Their standard deviations, 1 where they are not normal; 0 of other units.
    """
    xp, blocks = namespace(bias), units.split(bias.shape[0], p)
    scales = []
    for columns, block, own in blocks:
        at = bias[None, columns]
        constant = 0.0 if block.bounded else 1.0
        variance = (
            block.variance(at, own) if block.linear else xp.full_like(at, constant)
        )
        scales.append(xp.sqrt(variance[0, :]))
    linear = all(block.linear or block.bounded for _, block, _ in blocks)
    return linear, xp.concat(scales)
