"""The deep belief network: a stack of restricted Boltzmann machines."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from ..backend.array import map_batches
from ..backend.device import converted, namespace
from ..backend.types import Array
from .rbm import RBM
from .units import Units


class DBN:
    """Stack of RBMs, each over the hidden units of the one below.

    As a generative model the top machine is undirected and everything below it a
    directed net; trained greedily, layer by layer, it is the deep belief network of
    Hinton, Osindero and Teh (2006), "A fast learning algorithm for deep belief nets".

    Parameters
    ----------
    rbms : list of RBM
        From the data upwards.

    Raises
    ------
    ValueError
        If the list is empty or two neighbours do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn import DBN, RBM
    >>> DBN([RBM(6, 4), RBM(4, 2)]).transform(np.zeros((3, 6))).shape
    (3, 2)
    """

    def __init__(self, rbms: Iterable[RBM]) -> None:
        self.rbms = list(rbms)
        if not self.rbms:
            raise ValueError("A DBN needs at least one RBM; the list is empty.")
        for i, (below, above) in enumerate(pairwise(self.rbms)):
            n_below, n_above = below.n_hidden, above.n_visible
            if n_below != n_above or below.hidden != above.visible:
                raise ValueError(
                    f"RBM {i} has {n_below} hidden units of type {below.hidden!r}, but "
                    f"RBM {i + 1} has {n_above} visible units of type "
                    f"{above.visible!r}. Give neighbours the same number and type."
                )

    def __repr__(self) -> str:
        return f"DBN({self.rbms!r})"

    def __sklearn_array_api_convert__(
        self, converter: Callable[[Array], Array]
    ) -> "DBN":
        """The same stack with its machines' buffers as `converter` returns them."""
        return DBN(converted(self.rbms, converter))

    def sample(self, v_top: Array, rng: Any, steps: int = 1) -> Array:
        """Draw visible rows: Gibbs steps in the top machine, then one pass down.

        Parameters
        ----------
        v_top : array of shape (n_rows, n_visible of the top machine)
            Where the chains of the top machine start.
        rng : numpy.random.Generator
        steps : int, default=1
            Gibbs steps in the top machine; it must forget its start.

        Returns
        -------
        array of shape (n_rows, n_visible)
        """
        v = self.rbms[-1].gibbs(v_top, rng, steps)
        for rbm in reversed(self.rbms[:-1]):
            v = rbm.sample_visible(v, rng)
        return v

    def log_p_bound(self, v: Array, rng: Any, n_draws: int) -> float:
        """Variational lower bound on log p(v) of one row, without the top's log Z.

        With h drawn from the up-pass q(h | v), the mean of log p(v, h) - log q(h | v):
        Hinton, Osindero and Teh (2006), equation 9; Salakhutdinov and Murray (2008),
        section 4.3. Exact for a single machine.

        Parameters
        ----------
        v : array of shape (n_visible,)
        rng : numpy.random.Generator
        n_draws : int

        Returns
        -------
        float
            In nats; subtract log Z of the top machine.
        """
        xp = namespace(v)
        u = xp.broadcast_to(v[None, :], (n_draws, v.shape[0]))
        total = 0.0
        for rbm in self.rbms[:-1]:
            x = rbm.hidden_input(u)
            h = rbm.hidden.sample(x, rng)
            total += _log_p(rbm.visible, u, rbm.visible_input(h), rbm.p_visible)
            total -= _log_p(rbm.hidden, h, x)
            u = h
        return float(xp.mean(total - self.rbms[-1].free_energy(u)))

    def inverse_transform(self, H: Array) -> Array:
        """Mean-field down-pass from top hidden units, (n_rows, n_visible)."""
        return map_batches(self._down, H)

    def _down(self, h: Array) -> Array:
        for rbm in reversed(self.rbms):
            h = rbm.mean_visible(h)
        return h

    def transform(self, X: Array) -> Array:
        """Mean-field up-pass: means of the top hidden units, (n_rows, n_hidden)."""
        return map_batches(self._up, X)

    def _up(self, v: Array) -> Array:
        for rbm in self.rbms:
            v = rbm.mean_hidden(v)
        return v


def _log_p(
    units: Units, u: Array, x: Array, p: dict[str, Array] | None = None
) -> Array:
    """log p(u | x) of each row, in nats: the law of the units."""
    return namespace(u).sum(u * x, axis=1) - units.base_energy(u, p) - units.cgf(x, p)
