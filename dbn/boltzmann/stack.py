"""The deep belief network: a stack of restricted Boltzmann machines."""

import copy
import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from ..backend.array import map_batches
from ..backend.device import beside, converted, namespace
from ..backend.labelled_rows import join
from ..backend.progress import tracked
from ..backend.types import Array
from .feature_machine import feature_machine
from .incomplete import known_blocks, log_p_of_known_features, mean_field
from .rbm import RBM
from .units import Units
from .units.labels import without_labels


class DBN:
    """Stack of RBMs, each over the hidden units of the one below.

    As a generative model the top machine is undirected and everything below it a
    directed net; trained greedily, layer by layer, it is the deep belief network of
    Hinton, Osindero and Teh (2006), "A fast learning algorithm for deep belief nets".
    The visible units of the top machine may hold `Labels` beside the hidden units of
    the machine below: then it is a model of data and class.

    Weights may be untied, as they are after training by `dbn.training.up_down`: the way
    up (`transform`) has those of `rbms`, the way down (`sample`, `inverse_transform`)
    those of `generative`, and the likelihood bound both.

    Parameters
    ----------
    rbms : list of RBM
        From the data upwards.
    generative : list of RBM, optional
        For each machine below the top one another, like it, whose weights and visible
        biases make the way down. Default: the machines themselves.

    Raises
    ------
    ValueError
        If the list is empty or two neighbours, or the two ways, do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import DBN, RBM
    >>> DBN([RBM(6, 4), RBM(4, 2)]).transform(np.zeros((3, 6))).shape
    (3, 2)
    """

    def __init__(
        self, rbms: Iterable[RBM], generative: Iterable[RBM] | None = None
    ) -> None:
        self.rbms = list(rbms)
        self.generative = None if generative is None else list(generative)
        if not self.rbms:
            raise ValueError("A DBN needs at least one RBM; the list is empty.")
        for i, (below, above) in enumerate(pairwise(self.rbms)):
            n_below, n_above = below.n_hidden, above.n_features
            units = without_labels(above.visible)
            if n_below != n_above or below.hidden != units:
                raise ValueError(
                    f"RBM {i} has {n_below} hidden units of type {below.hidden!r}, but "
                    f"RBM {i + 1} has {n_above} visible units of type {units!r}. Give "
                    "neighbours the same number and type."
                )
            if below.labels is not None:
                raise ValueError(
                    f"RBM {i} has labels and machines above it. Only the top machine "
                    "may have some."
                )
        found = [rbm.architecture for rbm in self._down]
        asked = [rbm.architecture for rbm in self.rbms[:-1]]
        if found != asked:
            raise ValueError(
                f"The way down is {self._down!r:.300}, the way up {self.rbms!r:.300}. "
                "Give one machine for each below the top one, built like it."
            )

    @property
    def _down(self) -> list[RBM]:
        """The machines below the top one, as the way down has them."""
        return self.rbms[:-1] if self.generative is None else self.generative

    def __repr__(self) -> str:
        down = "" if self.generative is None else f", generative={self.generative!r}"
        return f"DBN({self.rbms!r}{down})"

    def __sklearn_array_api_convert__(
        self, converter: Callable[[Array], Array]
    ) -> "DBN":
        """The same stack with its machines' buffers as `converter` returns them."""
        return DBN(*converted((self.rbms, self.generative), converter))

    def sample(
        self,
        v_top: Array,
        rng: Any,
        steps: int = 1,
        clamped: Array | None = None,
        means: bool = False,
    ) -> Array:
        """Draw visible rows: Gibbs steps in the top machine, then one pass down.

        Parameters
        ----------
        v_top : array of shape (n_rows, n_visible of the top machine)
            Where the chains of the top machine start.
        rng : numpy.random.Generator
        steps : int, default=1
            Gibbs steps in the top machine; it must forget its start.
        clamped : bool array that broadcasts to the shape of `v_top`, optional
            Entries that keep their value: those of a label, of which rows are to be.
        means : bool, default=False
            Whether to return, in place of rows, the means of the visible units given
            the hidden units that were drawn.

        Returns
        -------
        array of shape (n_rows, n_visible)
        """
        v = self.rbms[-1].gibbs(v_top, rng, steps, clamped)
        return self._drawn_down(v, rng, means)

    def _drawn_down(self, v: Array, rng: Any, means: bool) -> Array:
        """Draw downwards from the visible units of the top machine, with its labels.

        Of the lowest units the means, if these are asked for.
        """
        top, down = self.rbms[-1], self._down
        if means and not down:  # half a Gibbs step more
            v = top.mean_visible(top.sample_hidden(v, rng))
        v = v[:, : top.n_features]
        for i in reversed(range(len(down))):
            mean = means and i == 0
            v = down[i].mean_visible(v) if mean else down[i].sample_visible(v, rng)
        return v

    def complete(
        self, v: Array, rng: Any, steps: int = 1, means: bool = False
    ) -> Array:
        """Draw the unknown values of visible rows given the known ones.

        Chains go up and down the stack. Each step draws the hidden units of the
        machines below the top one, upwards, makes a Gibbs step in the top machine, and
        draws downwards to the visible units, of which the known ones keep their values.
        The way up is the approximate posterior q(h | v) of `log_p_bound`, so the law of
        the draws is close to the conditional law, and equal to it for a single machine.

        Parameters
        ----------
        v : array of shape (n_rows, n_visible)
            NaN where a value is not known. Chains start at mean-field values.
        rng : numpy.random.Generator
        steps : int, default=1
        means : bool, default=False
            As in `sample`.

        Returns
        -------
        array of shape (n_rows, n_visible)

        Examples
        --------
        >>> import numpy as np
        >>> from dbn import DBN, RBM
        >>> v = np.array([[1.0, np.nan, 0.0]])
        >>> DBN([RBM(3, 2)]).complete(v, np.random.default_rng(0))
        array([[1., 1., 0.]])
        """
        known = v == v
        *below, top = self.rbms
        start = u = mean_field(self._first, v)
        y = 0.0 * start[:, :1] + top.b[None, top.n_features :]  # drawn anew at once
        for step in tracked(range(steps), "sampling", "step"):
            for rbm in below:
                u = rbm.sample_hidden(u, rng)
            u = top.gibbs(u if top.labels is None else join(u, y), rng)
            last = means and step == steps - 1
            if last and not below:  # half a step more, from the known values
                f, y = u[:, : top.n_features], u[:, top.n_features :]
                u = join(namespace(v).where(known, start, f), y)
            u = self._drawn_down(u, rng, last)
            u = namespace(v).where(known, start, u)
        return u

    @property
    def _first(self) -> RBM:
        """The machine of the data, on the way down; of labels it has none."""
        return feature_machine(self.rbms[0]) if len(self.rbms) == 1 else self._down[0]

    def log_p_bound(self, v: Array, rng: Any, n_draws: int) -> float:
        """Variational lower bound on log p(v) of one row, without the top's log Z.

        With h drawn from the up-pass q(h | v), the mean of log p(v, h) - log q(h | v):
        Hinton, Osindero and Teh (2006), equation 9; Salakhutdinov and Murray (2008),
        section 4.3. Exact for a single machine.

        Where values of the row are not known, log p(v, h) is that of the known ones,
        and q is the up-pass from the row with mean-field values of the first machine in
        their place (`dbn.boltzmann.incomplete.mean_field`): a bound for any q. Of a
        single machine it is `dbn.boltzmann.incomplete.log_p_of_known_features`.

        Parameters
        ----------
        v : array of shape (n_visible,)
            NaN where a value is not known.
        rng : numpy.random.Generator
        n_draws : int

        Returns
        -------
        float
            In nats; subtract log Z of the top machine.
        """
        xp, first, top = namespace(v), self._first, self.rbms[-1]
        incomplete = bool(xp.any(v != v))
        if incomplete and len(self.rbms) == 1:
            seed = int(rng.integers(2**31))
            return float(log_p_of_known_features(top, v[None, :], seed)[0])
        row = mean_field(first, v[None, :]) if incomplete else v[None, :]
        u, total = xp.broadcast_to(row, (n_draws, v.shape[0])), 0.0
        for rbm, down in zip(self.rbms[:-1], self._down, strict=True):
            x = rbm.hidden_input(u)
            h = rbm.hidden.sample(x, rng)
            at = down.visible_input(h)
            if down is first and incomplete:
                total += _log_p_of_blocks(known_blocks(down, v), u, at)
            else:
                total += _log_p(down.visible, u, at, down.p_visible)
            total -= _log_p(rbm.hidden, h, x)
            u = h
        return float(xp.mean(total + top.log_p_features(u)))

    def inverse_transform(self, H: Array) -> Array:
        """Mean-field down-pass from top hidden rows `H`: shape (n_rows, n_visible)."""
        return map_batches(self._decode, H)

    def _decode(self, h: Array) -> Array:
        top = self.rbms[-1]
        return self._below(top.mean_visible(h)[:, : top.n_features])

    def _below(self, h: Array) -> Array:
        for rbm in reversed(self._down):
            h = rbm.mean_visible(h)
        return h

    def reconstruct_below_top(self, v: Array) -> Array:
        """Mean-field pass of rows `v` up to the visible units of the top, and down."""
        return self._below(self._below_top(v))

    def untie(self) -> None:
        """Give the way down weights of its own, which begin as those of the way up."""
        if self.generative is None:
            self.generative = copy.deepcopy(self.rbms[:-1])

    def transform(self, X: Array) -> Array:
        """Mean-field up-pass of rows `X`: means of the top hidden units.

        Their shape is (n_rows, n_hidden of the top machine).
        Labels of the top machine are summed out.
        """
        return map_batches(self._up, X)

    def _below_top(self, v: Array) -> Array:
        for rbm in self.rbms[:-1]:
            v = rbm.mean_hidden(v)
        return v

    def _up(self, v: Array) -> Array:
        top, v = self.rbms[-1], self._below_top(v)
        if top.labels is None:
            return top.mean_hidden(v)
        x = top.input_of_features(v)
        unknown = 0.0 * x[:, :1] + math.nan * top.labels.d
        return top.labels.completed(unknown, x, x[:, 0])[1]

    def log_p_labels(self, X: Array) -> Array:
        """log p(y) of each class given the mean-field activities below the top machine.

        Exact for those (see `RBM.log_p_labels`).

        Parameters
        ----------
        X : array or scipy sparse CSR of shape (n_rows, n_visible)

        Returns
        -------
        array of shape (n_rows, n_classes)
        """

        def of_batch(v: Array) -> Array:
            return self.rbms[-1].log_p_labels(self._below_top(v))

        return map_batches(of_batch, X)


def _log_p(
    units: Units, u: Array, x: Array, p: dict[str, Array] | None = None
) -> Array:
    """log p(u | x) of each row, in nats: the law of the units."""
    return namespace(u).sum(u * x, axis=1) - units.base_energy(u, p) - units.cgf(x, p)


def _log_p_of_blocks(blocks: Any, u: Array, x: Array) -> Any:
    """`_log_p` of some of the columns, which `known_blocks` says."""
    xp, total = namespace(u, x), 0.0
    for columns, units, p in blocks:
        chosen = beside(columns, u)
        own_u, own_x = xp.take(u, chosen, axis=1), xp.take(x, chosen, axis=1)
        total += _log_p(units, own_u, own_x, p)
    return total
