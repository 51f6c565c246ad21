"""What the four estimators share: input, preprocessing, nested parameters."""

import warnings
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from ..backend.array import extent
from ..boltzmann import Gaussian, ais, exact_log_z, get_units, reverse_ais
from ..boltzmann.likelihood import is_enumerable

# What to pass so that nested parameters exist.
_PART_EXAMPLES = {
    "rbm": "rbm=RBMTransformer()",
    "sampler": "sampler=CD()",
    "optimizer": "optimizer=SGD() or optimizer=Adam()",
    "init": "init=VarianceScaling()",
}


class DBNEstimator(CallbackSupportMixin, BaseEstimator):
    """Base of all estimators: rows in, in the range of the visible units."""

    def set_params(self, **params):
        """Set parameters of this estimator and, as ``part__name``, of its parts.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a name is not known, or a nested name addresses a part that was given as
            a string or None and so has no parameters of its own.
        """
        own = self.get_params(deep=False)
        for key in params:
            name, _, nested = key.partition("__")
            part = params.get(name, own.get(name))
            if nested and name in own and not hasattr(part, "set_params"):
                example = _PART_EXAMPLES.get(name, "an object")
                raise ValueError(
                    f"{key!r} needs an object as {name}; {name} is {part!r}. Pass "
                    f"{example} first, then set {key}."
                )
        return super().set_params(**params)

    def _check_rows(self, X, sample_weight, y="no_validation", **options):
        """Validate the input of fit; drop rows of weight zero.

        Returns X, y and the weights, or None where all rows count alike.
        """
        # In C order: to copy batches of rows from a column-wise X, as most data frames
        # hold, made training on MNIST 4 times slower.
        options |= self._accepted() | {"order": "C"}
        X = validate_data(self, X, y, **options)
        if isinstance(X, tuple):
            X, y = X
        if sample_weight is None:
            return X, y, None
        weight = _check_sample_weight(
            sample_weight, X, dtype=X.dtype, ensure_non_negative=True
        )
        used = weight > 0
        y = y if isinstance(y, str | None) else y[used]
        return X[used], y, weight[used]

    _accept_sparse = False

    def _accepted(self):
        """Options of scikit-learn's validation of X."""
        dtypes = [np.float64, np.float32]
        return {"dtype": dtypes, "accept_sparse": self._accept_sparse}

    def _fit_visible(self, X, weight, visible):
        """Choose the visible units; return X in their range."""
        if isinstance(visible, str) and visible == "auto":
            low, high = extent(X)
            visible = "bernoulli" if low >= 0.0 and high <= 1.0 else "gaussian"
        self.visible_ = get_units(visible)
        self.mean_ = self.scale_ = None
        if isinstance(self.visible_, Gaussian):
            if issparse(X):
                raise ValueError(
                    "Gaussian visible units standardise X, which would make a sparse X "
                    "dense. Scale it to [0, 1] (MaxAbsScaler) and use "
                    "visible='bernoulli', or pass X.toarray()."
                )
            scaler = StandardScaler().fit(X, sample_weight=weight)
            self.mean_ = scaler.mean_.astype(X.dtype)
            self.scale_ = scaler.scale_.astype(X.dtype)
        self.visible_.check(X)
        return self._encode(X)

    def _encode(self, X):
        """X as the visible units see it: standardised when they are Gaussian."""
        return X if self.mean_ is None else (X - self.mean_) / self.scale_

    def _decode(self, V):
        """Visible rows in the units of X."""
        return V if self.mean_ is None else V * self.scale_ + self.mean_

    def _fold(self, W, c):
        """The first layer's weights and biases for X as the user has it."""
        if self.mean_ is None:
            return W, c
        W = W / self.scale_[:, None]
        return W, c - self.mean_ @ W

    def _rows(self, X):
        """Validate the input of transform or predict; return it encoded."""
        check_is_fitted(self)
        X = validate_data(self, X, **self._accepted(), reset=False)
        return self._encode(X)


class DensityTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DBNEstimator
):
    """Base of the transformers, which are density models of X as well."""

    _accept_sparse = "csr"

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
        return float(np.mean(self.score_samples(X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        visible = self._first_visible()
        tags.input_tags.sparse = visible != "gaussian" and not isinstance(
            visible, Gaussian
        )
        return tags

    def _density(self, log_p):
        """Log density of X as given, from that of the rows as the units see them."""
        return log_p if self.mean_ is None else log_p - np.log(self.scale_).sum()

    def _hidden_rows(self, H):
        """Validate the input of inverse_transform."""
        check_is_fitted(self)
        H = check_array(H, dtype=[np.float64, np.float32])
        if H.shape[1] != self._n_features_out:
            raise ValueError(
                f"H has {H.shape[1]} columns; there are {self._n_features_out} (top) "
                "hidden units. Pass what transform returns."
            )
        return H


def check_layer_sizes(sizes):
    """Return `hidden_layer_sizes` as a list of positive ints.

    Raises
    ------
    ValueError
        If there is no layer, or a size is not a positive integer.
    """
    found = [sizes] if isinstance(sizes, Integral) else list(sizes)
    if not found or not all(isinstance(n, Integral) and n > 0 for n in found):
        raise ValueError(
            f"hidden_layer_sizes must be one or more positive integers; it is {sizes}."
        )
    return [int(n) for n in found]


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
