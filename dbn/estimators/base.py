"""What the four estimators share: input, preprocessing, nested parameters."""

import warnings
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import (
    _safe_indexing,
    assert_all_finite,
    check_array,
    check_consistent_length,
)
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    _num_samples,
    check_is_fitted,
    validate_data,
)

from ..backend.array import dense, extent
from ..backend.rows import ScaledRows, as_rows, is_large_file, row_slices
from ..boltzmann import Gaussian, get_units
from ..training.contrastive import monitored_rows

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
        X = self._checked(X, y, order="C", **options)
        if isinstance(X, tuple):
            X, y = X
        if sample_weight is None:
            return X, y, None
        weight = _check_sample_weight(
            sample_weight, X, dtype=X.dtype, ensure_non_negative=True
        )
        used = weight > 0
        if used.all():
            return X, y, weight
        y = y if isinstance(y, str | None) else y[used]
        lazy = isinstance(X, ScaledRows)
        X = X.choose(np.flatnonzero(used)) if lazy else X[used]
        return X, y, weight[used]

    def _checked(self, X, y="no_validation", *, reset=True, order=None, **options):
        """scikit-learn's validation, or for rows of a file the same without a copy.

        `options` are those of y.
        """
        rows = as_rows(X)
        if not isinstance(rows, ScaledRows):
            if order is not None and is_large_file(X):
                warnings.warn(
                    f"All {X.nbytes / 1e9:.1f} GB of X are copied to memory: its file "
                    "holds columns, not rows (Fortran order). Write it in C order to "
                    "train on more than memory holds.",
                    RuntimeWarning,
                    stacklevel=4,
                )
            options |= self._accepted() | {"order": order, "reset": reset}
            return validate_data(self, X, y, **options)
        validate_data(self, rows, y, reset=reset, skip_check_array=True)
        name = type(self).__name__
        for part in row_slices(rows) if rows.may_be_infinite else ():
            assert_all_finite(rows[part], estimator_name=name, input_name="X")
        if isinstance(y, str | None):
            return rows
        check_consistent_length(rows, y)
        return rows, _check_y(y, estimator=self, **options)

    def _accepted(self):
        """Options of scikit-learn's validation of X."""
        return {"dtype": [np.float64, np.float32], "accept_sparse": "csr"}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        visible = self._first_visible()
        gaussian = isinstance(visible, Gaussian) or (
            isinstance(visible, str) and visible == "gaussian"
        )
        tags.input_tags.sparse = not gaussian
        return tags

    def _fit_visible(self, X, weight, visible):
        """Choose the visible units; return X in their range."""
        auto = isinstance(visible, str) and visible == "auto"
        if auto:
            low, high = extent(X)
            visible = "bernoulli" if low >= 0.0 and high <= 1.0 else "gaussian"
        self.visible_ = get_units(visible)
        self.mean_ = self.scale_ = None
        if isinstance(self.visible_, Gaussian):
            _refuse_sparse(X)
            scaler, lazy = StandardScaler(), isinstance(X, ScaledRows)
            for part in row_slices(X) if lazy else [slice(None)]:
                its_weight = None if weight is None else weight[part]
                scaler.partial_fit(X[part], sample_weight=its_weight)
            self.mean_ = scaler.mean_.astype(X.dtype)
            self.scale_ = scaler.scale_.astype(X.dtype)
        if not auto:
            self.visible_.check(X)
        return self._encode(X)

    def _encode(self, X):
        """X as the visible units see it: standardised when they are Gaussian."""
        if self.mean_ is None:
            return X
        _refuse_sparse(X)
        if isinstance(X, ScaledRows):
            dtype = np.result_type(X.dtype, self.mean_.dtype)
            return ScaledRows(X, self.scale_, subtract=self.mean_, dtype=dtype)
        return (X - self.mean_) / self.scale_

    def _decode(self, V):
        """Visible rows in the units of X."""
        return V if self.mean_ is None else V * self.scale_ + self.mean_

    def _fold(self, W, c):
        """The first layer's weights and biases for X as the user has it."""
        if self.mean_ is None:
            return W, c
        W = W / self.scale_[:, None]
        return W, c - self.mean_ @ W

    def _monitored_rows(self, X):
        """Evenly spaced rows of X as the machine in training sees them."""
        X = _safe_indexing(X, monitored_rows(_num_samples(X)))
        X = check_array(X, **self._accepted())
        *below, machine = self._machines
        rows = dense(self._encode(X)).astype(machine.W.dtype, copy=False)
        for rbm in below:
            rows = rbm.mean_hidden(rows)
        return rows

    def _resume(self, task):
        """Take over what a `Checkpoint` saved of this fit; whether there was any."""
        kept = task.resume()
        if kept is not None:
            self._set_progress(kept)
        return kept is not None

    def _rows(self, X):
        """Validate the input of transform or predict; return it encoded."""
        check_is_fitted(self)
        return self._encode(self._checked(X, reset=False))


def _refuse_sparse(X):
    if issparse(X):
        raise ValueError(
            "Gaussian visible units standardise X, which would make a sparse X dense. "
            "Scale it to [0, 1] (MaxAbsScaler) and use visible='bernoulli', or pass "
            "X.toarray()."
        )


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
