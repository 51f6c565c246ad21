"""Private names of scikit-learn: what its next release may break."""

from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
from sklearn.utils._array_api import check_same_namespace, get_namespace
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, _check_y, _num_samples

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

check_sample_weight, check_y, num_samples = _check_sample_weight, _check_y, _num_samples
fit_context, safe_indexing = _fit_context, _safe_indexing
