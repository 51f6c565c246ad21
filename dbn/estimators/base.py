"""What the four estimators share: input, preprocessing, nested parameters."""

import copy
import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data

from ..backend.array import clipped, dense, extent, take_rows
from ..backend.device import (
    asarray_like,
    beside,
    converted,
    find_device,
    numpy_dtype,
    to_host,
    without_gradient,
)
from ..backend.place import Place
from ..backend.rows import ScaledRows, as_rows, is_large_file
from ..backend.types import Array
from ..boltzmann import DBN, RBM, Bernoulli, Gaussian, Units, get_units
from ..boltzmann.units import UNITS
from ..training.callbacks import is_identified
from ..training.contrastive import monitored_rows
from ..training.task import Task
from ._sklearn import (
    check_same_namespace,
    check_sample_weight,
    check_y,
    get_namespace,
    num_samples,
    safe_indexing,
)
from .preprocessing import (
    check_finite,
    check_size,
    indexable,
    of_moderate_size,
    refuse_sparse,
    standardisation,
    warn_of_kind,
)

# What to pass so that nested parameters exist.
_PART_EXAMPLES = {
    "rbm": "rbm=RBMTransformer()",
    "sampler": "sampler=CD()",
    "optimizer": "optimizer=SGD() or optimizer=Adam()",
    "init": "init=VarianceScaling()",
}


class DBNEstimator(CallbackSupportMixin, BaseEstimator):
    """Base of all estimators: rows in, in the range of the visible units."""

    device: str | None
    n_features_in_: int
    feature_names_in_: Array
    dbn_: DBN  # of all but a single machine
    visible_: Units
    mean_: Array
    scale_: Array
    history_: list[dict[str, Any]]
    _stack: dict[str, Any]
    _first_visible: Callable[[], str | Units]

    def set_params(self, **params: Any) -> Self:
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
        super().set_params(**params)
        return self

    # A fit is prepared on a draft. When that fails, the estimator is what it was; when
    # not, it becomes the draft in one step: there is never half of two fits.

    def _draft(self, go_on: bool = False) -> Self:
        """A copy without what an earlier fit has learned; or with it, to go on."""
        draft = object.__new__(type(self))
        own = self.__dict__.items()
        draft.__dict__ = {n: v for n, v in own if go_on or not _is_learned(n)}
        for name in _IN_TRAINING & draft.__dict__.keys():
            # What somebody else holds, or loaded read-only, stays as it is.
            setattr(draft, name, copy.deepcopy(getattr(draft, name)))
        return draft

    def _become(self, draft: Self) -> None:
        self.__dict__ = draft.__dict__

    def _forget(self, *names: str) -> None:
        """Remove attributes that are needed during a fit only."""
        for name in names:
            self.__dict__.pop(name, None)

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
        weight = check_sample_weight(
            to_host(sample_weight),
            np.broadcast_to(0.0, (X.shape[0], 1)),  # as many rows, on the host
            dtype=np.float64,
            ensure_non_negative=True,
        )
        weight = of_moderate_size(weight).astype(numpy_dtype(X))
        used = weight > 0
        if used.all():
            return X, y, weight, None
        lazy, index = isinstance(X, ScaledRows), np.flatnonzero(used)
        X = X.choose(index) if lazy else take_rows(X, index)
        return X, y, weight[used], index

    def _checked(
        self,
        X: Array,
        y: Array = "no_validation",
        *,
        reset: bool = True,
        order: str | None = None,
        **options: Any,
    ) -> Any:
        """scikit-learn's validation, or for rows of a file the same without a copy.

        `options` are those of y. Returns the rows and y.
        """
        X = without_gradient(X)
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
            options |= self._accepted(X) | {"order": order, "reset": reset}
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
            return X, y
        # To pyright the first argument, by its default, is a string.
        validate_data(self, rows, y, reset=reset, skip_check_array=True)  # pyright: ignore[reportArgumentType]
        for part in rows.parts() if rows.may_be_infinite else ():
            check_finite(part)
        if not isinstance(y, str | None):
            check_consistent_length(rows, y)
            y = check_y(y, estimator=self, **options)
        return rows, y

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
        tags.array_api_support = self.device is None
        return tags

    def _fit_visible(self, X: Array, weight: Array, visible: str | Units) -> Array:
        """Choose the visible units; return X in their range."""
        if isinstance(visible, str) and visible == "auto":
            ends = extent(X)
            self.visible_ = Bernoulli() if Bernoulli().holds(*ends) else Gaussian()
            if self.visible_.standardised:
                refuse_sparse(X)
                warn_of_kind(X, ends)
            X = clipped(X, self.visible_.low, self.visible_.high, ends)
        else:
            self.visible_ = get_units(visible)
            X = self.visible_.inside(X)
        self.mean_ = self.scale_ = None
        standardised = self.visible_.per_column("standardised", X.shape[1])
        if standardised.any():
            refuse_sparse(X)
            self.mean_, self.scale_ = standardisation(X, weight, "X")
        if standardised.all():
            return self._encode(X)
        if self.mean_ is not None:
            others = beside(~standardised, self.mean_)
            self.mean_[others], self.scale_[others] = 0.0, 1.0
        X = self._encode(X)
        check_size(X, self.visible_)
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

    def _decode(self, V: Array) -> Array:
        """Visible rows in the units of X."""
        return V if self.mean_ is None else V * self.scale_ + self.mean_

    def _fold(self, W: Array, c: Array) -> tuple[Array, Array]:
        """The first layer's weights and biases for X as the user has it."""
        if self.mean_ is None:
            return W, c
        W = W / self.scale_[:, None]
        return W, c - self.mean_ @ W

    def _monitored_rows(self, X: Array) -> Array:
        """Evenly spaced rows of X as the machine in training sees them."""
        X = safe_indexing(indexable(X), monitored_rows(num_samples(X)))
        X = check_array(X, **self._accepted(X))
        *below, machine = self._machines
        rows = asarray_like(dense(self._encode(X)), machine.W)
        for rbm in below:
            rows = rbm.mean_hidden(rows)
        return rows

    def _snapshot(self, name: str) -> dict[str, Any]:
        """A fitted machine or net as it stands, and the history, for callbacks."""
        model = self._place.back(copy.deepcopy(getattr(self, name)))
        return {name: model, "history_": list(self.history_)}

    # What a `Checkpoint` saves of a fit: attributes, and what a file calls them.
    _KEPT = {"history_": "history", "_rng": "rng"}

    def _progress(self) -> dict[str, Any]:
        """All that training goes on from, as plain data for a file."""
        kept = self._KEPT.items()
        return {its: converted(getattr(self, own), to_host) for own, its in kept}

    def _attributes_of(self, kept: dict[str, Any]) -> dict[str, Any]:
        """The inverse of `_progress`: attributes from what a file has."""
        return {own: kept[its] for own, its in self._KEPT.items()}

    @property
    def _machines(self) -> list[RBM]:
        """For callbacks: the machines so far, the last one in training."""
        return list(self._stack["rbms"])

    def _resume(self, task: Task) -> None:
        """Take over what a `Checkpoint` saved of this fit, if there was any."""
        if (kept := task.resume()) is not None:
            self.__dict__.update(self._attributes_of(kept))  # all at once

    def _rows(self, X: Array, method: str = "predict") -> Array:
        """Validate the input of a method; return it encoded, on the host."""
        check_is_fitted(self)
        X, _ = self._checked(X, reset=False)
        self._check_library(X, method)
        return self._encode(X)

    def _check_library(self, X: Array, method: str) -> None:
        """Raise a ValueError unless X lies where the fitted model does."""
        X = X[:0] if isinstance(X, ScaledRows) else X
        check_same_namespace(X, self, attribute="_parameters", method=method)

    @property
    def _parameters(self) -> Array:
        """The buffer of the fitted model; of a stack, of its first machine."""
        model = getattr(self, "network_", None) or getattr(self, "rbm_", None)
        return (model or self.dbn_.rbms[0]).params.flat

    @property
    def _place(self) -> Place:
        """Where to compute: what is fitted and returned is NumPy's where X is."""
        return Place(self.device)


# What training changes, and of which going on needs a copy.
_IN_TRAINING = {"rbm_", "network_", "history_", "_state", "_rng"}
# Learned, whatever the name.
_BEHIND = {"_state", "_rng", "_streams", "_stack", "_kept", "_seed", "_base_bias"}
_BEHIND |= {"_loss", "_one_output", "_log_z_epochs"}


def _is_learned(name: str) -> bool:
    return name in _BEHIND or (name.endswith("_") and not name.startswith("_"))
