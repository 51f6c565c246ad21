"""What the transformers are for once they are fitted: features and densities."""

import warnings

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ..backend.array import map_batches
from ..backend.device import asarray_like, namespace, to_host, without_gradient
from ..backend.random import make_rng, stream_on
from ..boltzmann import ais, exact_log_z, reverse_ais
from ..boltzmann.enumeration import is_enumerable
from ..boltzmann.tempering import TemperedPath
from .base import DBNEstimator


class DensityTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DBNEstimator
):
    """Base of the transformers, which are density models of X as well."""

    def score(self, X, y=None):
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

    def _density(self, log_p):
        """Log density of X as given, from that of the rows as the units see them."""
        if self.mean_ is None:
            return log_p
        xp = namespace(self.scale_)
        return log_p - xp.sum(xp.log(self.scale_))

    def _log_z(self, rbm, base_bias):
        """Log partition function of the machine, kept until training goes on."""
        n_epochs = len(self.history_)
        if getattr(self, "_log_z_epochs", n_epochs) != n_epochs:
            self._forget("log_z_")
        if not hasattr(self, "log_z_"):
            self.log_z_ = estimate_log_z(rbm, base_bias, self._seed)
            self._log_z_epochs = n_epochs
        return self.log_z_

    def _hidden_rows(self, H):
        """Validate the input of inverse_transform."""
        check_is_fitted(self)
        H = check_array(without_gradient(H), dtype=self._accepted(H)["dtype"])
        self._check_library(H, "inverse_transform")
        if H.shape[1] != self._n_features_out:
            raise ValueError(
                f"H has {H.shape[1]} columns; there are {self._n_features_out} (top) "
                "hidden units. Pass what transform returns."
            )
        return H


class FittedRBM(DensityTransformer):
    """What a fitted RBMTransformer is used for; training is in `rbm.py`."""

    def transform(self, X):
        """Mean activities of the hidden units.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components)
        """
        rows = self._rows(X, "transform")
        return self._applied(_mean_hidden, self.rbm_, rows)

    def score_samples(self, X):
        """Log-likelihood of each row, in nats.

        Minus free energy minus log Z, which is exact for machines of up to 2^16 states
        and otherwise comes from annealed importance sampling in both directions, of
        which the larger value counts; it is computed at the first call and kept as
        `log_z_`. Densities are those of X as given; values of Bernoulli and Gaussian
        machines do not compare. For grey values in [0, 1] it is a lower bound on the
        expected log-likelihood of their binarisation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If X holds values that the visible units cannot take, or the units have no
            normalised law.

        Warns
        -----
        RuntimeWarning
            When the estimates of log Z cannot be trusted to within 1 nat.
        """
        rows = self.visible_.inside(self._rows(X, "score_samples"))
        log_z = self._log_z(self._at_work(self.rbm_), self._base_bias)
        log_p = -self._applied(_free_energy, self.rbm_, rows) - log_z
        return self._density(log_p)

    def inverse_transform(self, H):
        """Mean of the visible units given hidden activities: a reconstruction.

        Parameters
        ----------
        H : array-like of shape (n_samples, n_components)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the units of X.
        """
        H = self._hidden_rows(H)
        return self._decode(self._applied(_mean_visible, self.rbm_, H))

    def sample(self, n_samples=1, *, steps=1000, given=None, random_state=None):
        """Draw rows from the model by Gibbs sampling.

        Parameters
        ----------
        n_samples : int, default=1
            Number of independent chains.
        steps : int, default=1000
            Gibbs steps of each chain from independent units with the data's mean.
            Machines that mix slowly need more: compare samples at several values.
        given : array-like of shape (n_features,), default=None
            Known values, in the units of X, and NaN where a value is to be drawn given
            the known ones: this completes rows with missing entries.
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the units of X.

        Examples
        --------
        >>> import numpy as np
        >>> from dbn import RBMTransformer
        >>> X = np.repeat([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 500, axis=0)
        >>> rbm = RBMTransformer(4, batch_size=10, max_iter=20, random_state=0).fit(X)
        >>> rows = rbm.sample(200, given=[1.0, np.nan, np.nan], random_state=0)
        >>> bool(rows[:, 1].mean() > 0.9)  # the second entry follows the first
        True
        """
        check_is_fitted(self)
        rbm, bias = self._at_work((self.rbm_, self._base_bias))
        rng, xp = stream_on(make_rng(random_state), rbm.W), namespace(rbm.W)
        v = TemperedPath(rbm, bias).sample_base(n_samples, rng)
        clamped = None
        if given is not None:
            given = asarray_like(np.asarray(to_host(given)), self.rbm_.W)
            if given.shape != (v.shape[1],):
                raise ValueError(
                    f"given has shape {given.shape}; it needs ({v.shape[1]},), with "
                    "NaN where a value is to be drawn."
                )
            known = self._at_work(self._encode(given[None, :]))
            clamped = ~xp.isnan(known)
            v = self.visible_.inside(xp.where(clamped, known, v))
        return self._decode(self._returned(rbm.gibbs(v, rng, steps, clamped)))

    @property
    def components_(self):
        """Weights of shape (n_components, n_features) for X as given."""
        return self._fold(self.rbm_.W, self.rbm_.c)[0].T

    @property
    def intercept_hidden_(self):
        """Hidden biases of shape (n_components,) for X as given."""
        return self._fold(self.rbm_.W, self.rbm_.c)[1]

    @property
    def intercept_visible_(self):
        """Visible biases of shape (n_features,), in the units of X."""
        b = self.rbm_.b
        return b if self.mean_ is None else self.mean_ + self.scale_ * b

    @property
    def _n_features_out(self):
        return self.rbm_.n_hidden


def _mean_hidden(rbm, rows):
    return map_batches(rbm.mean_hidden, rows)


def _mean_visible(rbm, rows):
    return map_batches(rbm.mean_visible, rows)


def _free_energy(rbm, rows):
    return map_batches(rbm.free_energy, rows)


def estimate_log_z(rbm, base_bias, seed):
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
