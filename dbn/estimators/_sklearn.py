"""Private names of scikit-learn: what its next release may break."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from sklearn.base import _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._array_api import check_same_namespace, get_namespace
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _check_y as check_y
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "Interval",
    "StrOptions",
    "check_same_namespace",
    "check_sample_weight",
    "check_y",
    "fit_context",
    "get_namespace",
    "is_pandas_na",
    "is_scalar_nan",
    "num_samples",
    "safe_indexing",
]

F = TypeVar("F", bound=Callable[..., Any])


def fit_context(fit: F) -> F:
    """A `fit` that first checks the parameters, and takes callbacks down at its end."""
    # Twice: what Ctrl-C leaves of the first taking down is the second's.
    return cast(
        F, with_callbacks(_fit_context(prefer_skip_nested_validation=True)(fit))
    )
