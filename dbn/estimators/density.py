"""Densities of X, and what the transformers are for besides: features."""

import math
import warnings
from collections.abc import Callable
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array

from ..backend.array import dense
from ..backend.device import (
    asarray_like,
    beside,
    namespace,
    to_host,
)
from ..backend.missing import unmasked
from ..backend.progress import tracked
from ..backend.random import make_rng, stream_on
from ..backend.rows import LazyRows
from ..backend.types import Array
from ..boltzmann import DBN, RBM, ais, exact_log_z, reverse_ais
from ..boltzmann.enumeration import is_enumerable
from ..training.callbacks import bars_of
from .base import DBNEstimator
from .preprocessing import check_finite, said_of


class DensityEstimator(DBNEstimator):
    """Base of estimators that are density models of X."""

    log_z_: float
    _seed: int
    score_samples: Callable[..., Array]

    def _density(self, log_p: Array, rows: Array, log_z: float | None = None) -> Array:
        """Log density of what is known of X as given, from that of encoded `rows`.

        Without `log_z` it is that plus log Z. With it, it is 0 where nothing is known.
        """
        log_p = log_p if log_z is None else log_p - log_z
        known = _known_values(rows)
        if self.mean_ is not None:
            xp = namespace(self.scale_)
            log_scale = xp.log(self.scale_)
            if known is None:
                log_p = log_p - xp.sum(log_scale)
            else:
                log_p = log_p - asarray_like(known, log_scale) @ log_scale
        if known is None or log_z is None:
            return log_p
        xp = namespace(log_p)
        return xp.where(xp.any(beside(known, log_p), axis=1), log_p, 0.0)

    def _bounds(self, dbn: DBN, rows: Array, n_draws: int) -> Array:
        """Lower bounds on the log-likelihood of encoded rows, plus the top's log Z."""

        def bounds(dbn: DBN, rows: Array) -> Array:
            W, found = dbn.rbms[0].W, []
            for i in tracked(range(rows.shape[0]), "likelihood", "row"):
                v = dense(rows[i : i + 1, ...])[0, ...]
                rng = stream_on(make_rng(self._seed), W)
                found.append(dbn.log_p_bound(v, rng, n_draws))
            return asarray_like(found, rows)

        with bars_of(self):
            return self._place.apply(bounds, dbn, rows)

    @staticmethod
    def _check_counts(**counts: int) -> None:
        """Raise a ValueError unless all are integers of at least 1, or 0 of `steps`."""
        for name, value in counts.items():
            low = 0 if name == "steps" else 1
            if not isinstance(value, Integral) or value < low:
                raise ValueError(
                    f"{name} is {value!r:.80}; it must be an integer of at least {low}."
                )

    def _given(self, rbm: RBM, given: Array, n_samples: int) -> tuple[Array, Array]:
        """Encoded rows to complete, one for each sample: NaN is to be drawn.

        And what is known, as numbers in the units of X, NaN elsewhere; or None.
        """
        xp, like, n_visible = namespace(rbm.W), rbm.W, rbm.n_visible
        if given is None:
            kind = {"dtype": like.dtype, "device": like.device}
            return xp.full((n_samples, n_visible), math.nan, **kind), None
        shape = given.shape if hasattr(given, "shape") else np.shape(given)
        if len(shape) == 2:
            if n_samples != 1:
                raise ValueError(
                    f"given has {shape[0]} rows, each of which is completed once, and "
                    f"n_samples is {n_samples}. Leave it at 1; for several completions "
                    "repeat the rows."
                )
            with said_of("given"):
                known, _ = self._checked(given, reset=False)
                self._check_library(known, "sample")
                rows = self.visible_.inside(self._encode(known))
            return asarray_like(dense(rows), like), dense(known)
        if tuple(shape) != (n_visible,):
            raise ValueError(
                f"given has shape {tuple(shape)}; it needs ({n_visible},), with NaN "
                "where a value is to be drawn, or rows like those of X."
            )
        with said_of("given"):
            # Not by `_rows`: for a frame one row is that of the visible units.
            row = np.asarray(to_host(unmasked(given)))[None, :]
            numbers = {"dtype": [np.float64, np.float32], "ensure_all_finite": False}
            known = asarray_like(check_array(row, **numbers), like)
            check_finite(known)
            row = self.visible_.inside(self._encode(known))
        return xp.broadcast_to(row, (n_samples, n_visible)), known

    def _log_z(self, rbm: RBM, base_bias: Array) -> float:
        """Log partition function of the machine, kept until training goes on."""
        n_epochs = len(self.history_)
        known = hasattr(self, "log_z_")
        if not known or getattr(self, "_log_z_epochs", n_epochs) != n_epochs:
            with bars_of(self):
                self.log_z_ = estimate_log_z(rbm, base_bias, self._seed)
            self._log_z_epochs = n_epochs
        return self.log_z_


class DensityTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityEstimator
):
    """Base of the transformers."""

    def score(self, X: Array, y: Array = None) -> float:
        """Mean log-likelihood of the rows, in nats: see `score_samples`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : Ignored

        Returns
        -------
        float
        """
        return float(np.mean(to_host(self.score_samples(X))))


def _known_values(rows: Array) -> Array:
    """Which values of rows are known, or None where all are."""
    if issparse(rows) or isinstance(rows, LazyRows):
        return None
    xp = namespace(rows)
    known = ~xp.isnan(rows)
    return None if xp.all(known) else known


def estimate_log_z(rbm: RBM, base_bias: Array, seed: int) -> float:
    """Log partition function: exact where cheap, else the larger of two estimates.

    Parameters
    ----------
    rbm : RBM
    base_bias : array of shape (n_visible,)
        Visible biases that match the data, where annealing starts.
    seed : int

    Warns
    -----
    RuntimeWarning
        When the effective sample size is below 10 %, or the estimates from below and
        from above differ by more than 1 nat.
    """
    if is_enumerable(rbm, 2**16):
        return exact_log_z(rbm)
    options = {"base_bias": base_bias, "random_state": seed}
    below, above = ais(rbm, **options), reverse_ais(rbm, **options)
    gap = above.log_z - below.log_z
    ess = min(below.ess, above.ess) / len(below.log_weights)
    if abs(gap) > 1.0 or ess < 0.1:
        warnings.warn(
            f"Log Z is uncertain: {below.log_z:.2f} from below and {above.log_z:.2f} "
            f"from above, with an effective sample size of {ess:.0%}. The larger is "
            "used. Run dbn.boltzmann.ais and reverse_ais with more betas and chains.",
            RuntimeWarning,
            stacklevel=3,
        )
    return max(below.log_z, above.log_z)
