"""From what users give to the rows that the visible units see, and back."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from ..backend.array import choose_rows, clipped, in_order
from ..backend.device import (
    asarray_like,
    beside,
    find_device,
    namespace,
    numpy_dtype,
    to_host,
    without_gradient,
)
from ..backend.missing import extent_of_known, filled, unmasked
from ..backend.rows import ScaledRows, as_rows, is_large_file
from ..backend.types import Array
from ..boltzmann import Units, get_units
from ..boltzmann.units import UNITS
from ..training.callbacks import is_identified
from ._sklearn import (
    check_same_namespace,
    check_y,
    get_namespace,
)
from .frames import FrameColumns, frame_columns, of_numbers
from .preprocessing import (
    check_finite,
    check_size,
    fill_values,
    has_missing,
    of_moderate_size,
    refuse_sparse,
    row_weights,
    standardisation,
    warn_of_counts,
    warn_of_range,
    warn_of_small,
    without_value,
)
from .visible import choose_visible


class EncodingEstimator(BaseEstimator):
    """Base of all estimators: rows in, in the range of the visible units, and out."""

    device: str | None
    n_features_in_: int
    feature_names_in_: Array
    columns_: FrameColumns | None
    visible_: Units
    mean_: Array
    scale_: Array
    fill_: Array
    _parameters: Array  # the buffer of the fitted model
    _first_visible: Callable[[], str | Units]

    def _check_rows(
        self, X: Array, sample_weight: Array, y: Array = "no_validation", **options: Any
    ) -> tuple[Array, Array, Array, Array]:
        """Validate the input of fit; drop rows of weight zero.

        Returns the rows, all of y, the weights (None where all rows count alike), and
        the indices of the rows in what came (None where these are all).
        """
        if self.device is not None:
            find_device(self.device)  # fails now, not after minutes
        rows = as_rows(X)
        if isinstance(rows, ScaledRows) and is_identified(self):
            X = rows.remembering()  # what validation reads is not read once more
        # In C order: to copy batches of rows from a column-wise X, as most data frames
        # hold, made training on MNIST 4 times slower.
        X, y = self._checked(X, to_host(y), order="C", **options)
        if not options.get("reset", True):
            self._check_library(X, "fit")
        if sample_weight is None:
            return X, y, None, None
        weight = row_weights(sample_weight, X.shape[0])
        weight = of_moderate_size(weight).astype(numpy_dtype(X))
        used = weight > 0
        if used.all():
            return X, y, weight, None
        index = np.flatnonzero(used)
        return choose_rows(X, index), y, weight[used], index

    def _checked(
        self,
        X: Array,
        y: Array = "no_validation",
        *,
        reset: bool = True,
        order: str | None = None,
        **options: Any,
    ) -> Any:
        """Rows of numbers, and y, out of what a user gives.

        That is scikit-learn's validation; for rows of a file the same without a copy.
        `options` are those of y.
        """
        X = unmasked(without_gradient(X))
        if reset:
            self.columns_ = self._find_columns(X)
        if self.columns_ is None:
            X = of_numbers(X)
        rows, columns = as_rows(X), self.columns_
        if columns is not None:
            rows = self._numbers(X, order=order)
            check_finite(rows)
            # To pyright the first argument, by its default, is a string.
            validate_data(self, X, y, reset=reset, skip_check_array=True)  # pyright: ignore[reportArgumentType]
        elif isinstance(rows, ScaledRows):
            validate_data(self, rows, y, reset=reset, skip_check_array=True)  # pyright: ignore[reportArgumentType]
            for part in rows.parts() if rows.may_be_infinite else ():
                check_finite(part, missing=False)
        else:
            if order is not None and is_large_file(X):
                warnings.warn(
                    f"All {X.nbytes / 1e9:.1f} GB of X are copied to memory: its file "
                    "holds columns, not rows (Fortran order). Write it in C order to "
                    "train on more than memory holds.",
                    RuntimeWarning,
                    stacklevel=4,
                )
            return self._checked_array(X, y, reset=reset, order=order, **options)
        if not isinstance(y, str | None):
            check_consistent_length(rows, y)
            y = check_y(y, estimator=self, **options)
        return rows, y

    def _checked_array(
        self, X: Array, y: Array, *, reset: bool, **options: Any
    ) -> tuple[Array, Array]:
        options |= self._accepted(X) | {"reset": reset}
        options["ensure_all_finite"] = False  # see below
        checked = validate_data(self, X, y, **options)
        X, y = checked if isinstance(checked, tuple) else (checked, y)
        check_finite(X)
        if not (self.device is None or isinstance(X, np.ndarray) or issparse(X)):
            raise ValueError(
                f"device={self.device!r} is for NumPy input, and X is a "
                f"{type(X).__name__}, which says itself where to compute. Leave "
                "device at None."
            )
        return in_order(X), y

    def _numbers(self, X: Array, **options: Any) -> Array:
        """What a user gives as rows of numbers, of which some may be NaN."""
        of_fit = self.columns_
        X = of_numbers(unmasked(X)) if of_fit is None else of_fit.encode(X)
        return check_array(X, ensure_all_finite=False, **self._accepted(X), **options)

    def _find_columns(self, X: Array) -> FrameColumns | None:
        """How the columns of a frame become numbers, where some hold none."""
        return frame_columns(X)

    def _accepted(self, X: Array = None) -> dict[str, Any]:
        """Options of scikit-learn's validation of X."""
        xp, _ = get_namespace(X)
        return {"dtype": [xp.float64, xp.float32], "accept_sparse": "csr"}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        visible = self._first_visible()
        if isinstance(visible, Units) or visible in UNITS:
            units = get_units(visible)
            tags.input_tags.sparse = not units.standardised
            tags.input_tags.positive_only = units.low >= 0.0
        else:
            tags.input_tags.sparse = True
        tags.input_tags.allow_nan = tags.input_tags.categorical = True
        tags.array_api_support = self.device is None
        return tags

    def _fit_visible(self, X: Array, weight: Array, visible: str | Units) -> Array:
        """Choose the visible units; return X in their range."""
        if len(unknown := without_value(X)):
            raise ValueError(
                f"X has {len(unknown)} columns without any value in rows whose weight "
                f"is not zero: {self.visible_names_[unknown].tolist()[:5]}. Leave them "
                "out."
            )
        if isinstance(visible, str) and visible == "auto":
            sizes, ends, booleans = None, extent_of_known(X), False
            if self.columns_ is not None:
                sizes = self.columns_.group_sizes
                booleans = np.array(self.columns_.kinds) == "boolean"
            self.visible_ = choose_visible(X, sizes, ends, booleans, weight)
            if issparse(X):
                warn_of_small(*ends)
            if sizes is None:  # with categories X is a table: of counts, or of ages
                warn_of_counts(X, self.visible_)
            X = clipped(X, self.visible_.low, self.visible_.high, ends)
        else:
            self.visible_ = get_units(visible)
            X = self.visible_.inside(X)
        self.mean_ = self.scale_ = None
        standardised = self.visible_.per_column("standardised", X.shape[1])
        if standardised.any():
            refuse_sparse(X)
            self.mean_, self.scale_ = standardisation(X, weight, "X")
            if not standardised.all():
                others = beside(~standardised, self.mean_)
                self.mean_[others], self.scale_[others] = 0.0, 1.0
        X = self._encode(X)
        self.fill_ = fill_values(X, weight, standardised)
        check_size(self._filled(X), self.visible_)
        return X

    def _encode(self, X: Array) -> Array:
        """X as the visible units see it: standardised when they are Gaussian."""
        if self.mean_ is None:
            return X
        refuse_sparse(X)
        if isinstance(X, ScaledRows):
            dtype = np.result_type(X.dtype, self.mean_.dtype)
            return ScaledRows(X, self.scale_, subtract=self.mean_, dtype=dtype)
        X = X - self.mean_
        X /= self.scale_
        return X

    def _decode(self, V: Array, like: Any = None, known: Array = None) -> Array:
        """Visible rows in the units of X; a frame where X had categories.

        Such a frame has the index of `like`, what the rows were made of. Numbers that
        are `known`, which has NaN elsewhere, come back as they were: to standardise
        them and back rounds.
        """
        if self.mean_ is not None:
            V = V * self.scale_ + self.mean_
            if known is not None:
                V = namespace(V).where(known == known, asarray_like(known, V), V)
        return V if self.columns_ is None else self.columns_.decode(V, like)

    def _filled(self, rows: Array) -> Array:
        """Encoded rows with the mean of its column for each value that is not known."""
        if not has_missing(rows):
            return rows
        if self.fill_ is None:
            raise ValueError(
                "X contains NaN, and this model, which comes from scikit-learn or an "
                "older version of dbn, does not know what values to expect there. Fill "
                "them before (SimpleImputer), or fit a model here."
            )
        return filled(rows, beside(self.fill_, rows))

    def _fold(self, W: Array, c: Array) -> tuple[Array, Array]:
        """The first layer's weights and biases for X as the user has it, in numbers."""
        if self.mean_ is None:
            return W, c
        W = W / self.scale_[:, None]
        return W, c - self.mean_ @ W

    @property
    def visible_names_(self) -> Array:
        """Names of the columns of numbers that X becomes: one per visible unit."""
        n_features = self.n_features_in_
        if self.columns_ is not None:
            names = self.columns_.visible_names
        else:
            names = [f"x{i}" for i in range(n_features)]
            names = list(getattr(self, "feature_names_in_", names))
        return np.array(names, dtype=object)

    def _rows(self, X: Array, method: str = "predict", inside: bool = False) -> Array:
        """Validate the input of a method; return it encoded, on the host.

        Values outside the range of the visible units are refused with `inside`, and
        those far outside are reported without.
        """
        check_is_fitted(self)
        X, _ = self._checked(X, reset=False)
        self._check_library(X, method)
        if inside:
            return self.visible_.inside(self._encode(X))
        warn_of_range(X, self.visible_)
        return self._encode(X)

    def _hidden_rows(self, H: Array, n_hidden: int) -> Array:
        """Validate the input of inverse_transform."""
        H = unmasked(without_gradient(H))
        H = check_array(H, dtype=self._accepted(H)["dtype"])
        self._check_library(H, "inverse_transform")
        if H.shape[1] != n_hidden:
            raise ValueError(
                f"H has {H.shape[1]} columns; there are {n_hidden} (top) "
                "hidden units. Pass what transform returns."
            )
        return H

    def _check_library(self, X: Array, method: str) -> None:
        """Raise a ValueError unless X lies where the fitted model does."""
        X = X[:0] if isinstance(X, ScaledRows) else X
        check_same_namespace(X, self, attribute="_parameters", method=method)
