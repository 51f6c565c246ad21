"""The label units of a machine, and what is exact about them.

Beside features f and hidden units h, the class y of a row has

    log p(y | f) = d_y + cgf_h(x + U_y) + constant,

where x = c + f W is the total input of the hidden units without the label, and U and d
are weights and biases of the label units. Summed over all classes it is the features'
own likelihood. See Larochelle, Mandel, Pascanu and Bengio (2012), "Learning algorithms
for the classification restricted Boltzmann machine".
"""

from typing import Any

from ..backend.array import log_softmax
from ..backend.device import namespace
from ..backend.types import Array
from .units import Labels, Units


class LabelPart:
    """Label units of one machine, as views of its parameters.

    Every `x` is the total input of the hidden units without the label, of shape
    (n_rows, n_hidden).

    Parameters
    ----------
    hidden : Units
    U : array of shape (n_classes, n_hidden)
    d : array of shape (n_classes,)

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.boltzmann import Bernoulli
    >>> part = LabelPart(Bernoulli(), np.zeros((2, 3)), np.log([1.0, 3.0]))
    >>> np.exp(part.log_p(np.zeros((1, 3))))
    array([[0.25, 0.75]])
    """

    def __init__(self, hidden: Units, U: Array, d: Array) -> None:
        self.hidden, self.U, self.d = hidden, U, d

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.U.shape[0])

    def logits(self, x: Array, beta: Any = None, d: Array = None) -> Array:
        """log p(y | f) of each class, up to a constant of the row.

        With `beta` and `d`, total inputs of the hidden units are scaled and the labels
        have other biases, see `dbn.boltzmann.tempering`.
        """
        xp, units = namespace(x), self.hidden
        if beta is None:
            of_class = [cgf for cgf, _ in units.at_shifts(x, self.U)]
            return xp.stack(of_class, axis=1) + self.d
        classes = range(self.n_classes)
        of_class = [units.cgf(beta * (x + self.U[k, :])) for k in classes]
        return xp.stack(of_class, axis=1) + d

    def log_p(self, x: Array) -> Array:
        """log p(y | f) of each class, in nats, shape (n_rows, n_classes)."""
        return log_softmax(self.logits(x))

    def log_sum(self, x: Array) -> Array:
        """log sum_y exp(d_y + cgf_h(x + U_y)) of each row."""
        logits = self.logits(x)
        # logsumexp(z) = z_1 - log_softmax(z)_1
        return self.hidden.cgf(x) + logits[:, 0] - log_softmax(logits)[:, 0]

    def redrawn(
        self,
        y: Array,
        x: Array,
        rng: Any,
        clamped: Array = None,
        beta: Any = None,
        d: Array = None,
    ) -> Array:
        """Total input of the hidden units, its own label y drawn anew from p(y | f).

        Hidden units that are drawn at it complete a draw of label and hidden units from
        their joint law given the features.

        Parameters
        ----------
        y : array of shape (n_rows, n_classes)
            Labels, or their probabilities.
        x : array of shape (n_rows, n_hidden)
            Total input of the hidden units with `y`.
        rng : numpy.random.Generator
        clamped : bool array of the shape of `y`, optional
            Labels that stay.
        beta, d : float or array, and array
            As in `logits`.
        """
        xp = namespace(x)
        if clamped is not None and xp.all(clamped):
            return x
        alone = x - y @ self.U
        units = Labels(self.n_classes)
        drawn = units.sample(self.logits(alone, beta, d), rng)
        if clamped is not None:
            drawn = xp.where(clamped, y, drawn)
        return alone + drawn @ self.U

    def completed(self, y: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        """Expectations of the positive phase, unknown labels (NaN) summed out.

        Parameters
        ----------
        y : array of shape (n_rows, n_classes)
        x : array of shape (n_rows, n_hidden)
        w : array of shape (n_rows,)
            Weights of the rows.

        Returns
        -------
        y : array of shape (n_rows, n_classes)
            With p(y | f) of unknown labels.
        h : array of shape (n_rows, n_hidden)
            Means of the hidden units.
        covariance : array of shape (n_classes, n_hidden)
            Of label and hidden units within the rows, weighted: what the products of
            their means lack.
        """
        xp, parts = namespace(x), list(self.hidden.at_shifts(x, self.U))
        log_p = log_softmax(xp.stack([cgf for cgf, _ in parts], axis=1) + self.d)
        y = xp.where(xp.isnan(y), xp.exp(log_p), y)
        h, joint = 0.0 * x, []
        for k, (_, mean) in enumerate(parts):
            own = y[:, k : k + 1] * mean()
            h += own
            joint.append(w @ own)
        return y, h, xp.stack(joint) - (w[:, None] * y).T @ h

    def gradient(
        self, y: Array, x: Array, w: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Of the mean negative log-likelihood of the labels, -sum w log p(y | f).

        Parameters
        ----------
        y : array of shape (n_rows, n_classes)
            One-hot, or probabilities.
        x : array of shape (n_rows, n_hidden)
        w : array of shape (n_rows,)
            Weights of the rows, which add up to 1.

        Returns
        -------
        loss : array of shape ()
            In nats.
        of_x, of_U, of_d : array
            Its derivatives by `x`, U and d.
        """
        xp, parts = namespace(x), list(self.hidden.at_shifts(x, self.U))
        log_p = log_softmax(xp.stack([cgf for cgf, _ in parts], axis=1) + self.d)
        error = w[:, None] * (xp.exp(log_p) - y)
        of_x, of_U = 0.0 * x, []
        for k, (_, mean) in enumerate(parts):
            own = error[:, k : k + 1] * mean()
            of_x += own
            of_U.append(xp.sum(own, axis=0))
        loss = -xp.sum(w * xp.sum(y * log_p, axis=1))
        return loss, of_x, xp.stack(of_U), xp.sum(error, axis=0)
