"""Which array library is in use, and where its arrays lie: known only here.

What comes from the host (initial weights, row numbers, noise that NumPy draws) is put
where the other numbers are by `beside` and `asarray_like`, and `to_host` brings numbers
back: to nothing else does it matter on which device an array lies. PyTorch is imported
when a device was named.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.externals.array_api_compat import (
    array_namespace,
    is_array_api_obj,
    is_torch_array,
    to_device,
)

from .rows import LazyRows, ScaledRows, rows_of
from .types import Array


def namespace(*arrays: Array) -> Any:
    """Return the array-API namespace that `arrays` share.

    Examples
    --------
    >>> import numpy as np
    >>> namespace(np.zeros(2)) is np
    True
    """
    if len(arrays) == 1 and isinstance(arrays[0], np.ndarray):
        return np  # asked ten times in an update, where a small net has microseconds
    if all(
        isinstance(a, np.ndarray) or issparse(a) or isinstance(a, ScaledRows)
        for a in arrays
    ):
        return np
    return array_namespace(*arrays)


def to_host(x: Any) -> Any:
    """Return `x` as NumPy has it: an array of another library, or on a device, too.

    What is no array of a library (a list, a sparse matrix, a string) stays as it is.
    Memory is shared where that is possible.

    Examples
    --------
    >>> import numpy as np
    >>> to_host(np.zeros(2))
    array([0., 0.])
    """
    if isinstance(x, np.ndarray | np.generic) or issparse(x) or not is_array_api_obj(x):
        return x
    if is_torch_array(x):
        return x.detach().cpu().numpy()
    host = namespace(x).__array_namespace_info__().default_device()
    return np.asarray(to_device(x, host))


def without_gradient(x: Array) -> Array:
    """`x`, of which PyTorch is to record nothing: all gradients here are our own.

    Examples
    --------
    >>> import numpy as np
    >>> without_gradient(np.zeros(1))
    array([0.])
    """
    return x.detach() if is_torch_array(x) else x


def beside(values: Array, like: Array) -> Array:
    """`values`, of any library, in the library and on the device of `like`.

    The dtype stays. Memory is shared where that is possible.

    Examples
    --------
    >>> import numpy as np
    >>> beside(np.arange(2), np.zeros(3))
    array([0, 1])
    """
    if namespace(like) is np:
        return to_host(values)
    if type(values) is type(like) and values.device == like.device:
        return values
    values = np.asarray(to_host(values))
    if values.ndim:  # torch knows no negative strides
        values = np.ascontiguousarray(values)
    if not values.flags.writeable:  # torch would warn
        values = values.copy()
    return namespace(like).asarray(values, device=like.device)


def asarray_like(values: Array, like: Array) -> Array:
    """`values`, of any library, as an array like `like`: library, device and dtype.

    Examples
    --------
    >>> import numpy as np
    >>> asarray_like([1, 2], np.zeros(3))
    array([1., 2.])
    """
    values = np.asarray(values) if isinstance(values, list) else values
    return namespace(like).asarray(beside(values, like), dtype=like.dtype)


def numpy_dtype(x: Array) -> np.dtype[Any]:
    """NumPy's float32 or float64, whichever the array or the rows `x` have.

    Examples
    --------
    >>> import numpy as np
    >>> numpy_dtype(np.zeros(2))
    dtype('float64')
    """
    return np.dtype(np.float32 if "float32" in str(x.dtype) else np.float64)


def converted(tree: Any, converter: Callable[[Array], Array]) -> Any:
    """`tree` with ``converter(array)`` in place of every array in it.

    Parameters
    ----------
    tree : object
        Nested dicts, lists and tuples of arrays, of objects that define
        ``__sklearn_array_api_convert__`` (machines, nets) and of anything else, which
        stays as it is.
    converter : callable

    Examples
    --------
    >>> import numpy as np
    >>> converted({"v": [np.ones(1)], "epoch": 3}, lambda a: 2.0 * a)
    {'v': [array([2.])], 'epoch': 3}
    """
    if type(tree) is dict:
        return {key: converted(value, converter) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(converted(value, converter) for value in tree)
    if hasattr(tree, "__sklearn_array_api_convert__"):
        return tree.__sklearn_array_api_convert__(converter)
    if isinstance(tree, np.generic) or not is_array_api_obj(tree):
        return tree
    return converter(tree)


def converted_beside(tree: Any, like: Array) -> Any:
    """`tree`, of arrays and models, with its arrays `beside` the array `like`.

    Examples
    --------
    >>> import numpy as np
    >>> converted_beside([np.zeros(1), None], np.zeros(3))
    [array([0.]), None]
    """
    return converted(tree, lambda values: beside(values, like))


def find_device(name: str) -> Any:
    """The device of PyTorch that a name means.

    Parameters
    ----------
    name : str
        "cpu", "cuda", "cuda:1", or another kind of device that PyTorch has.

    Returns
    -------
    torch.device

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    ValueError
        If there is no such device. Nothing is computed elsewhere instead.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"device={name!r} computes with PyTorch, which is not installed. Install "
            "it with pip install torch, or leave device at None, which is NumPy."
        ) from error
    advice = "Use device='cpu', or None, which is NumPy."
    if not re.fullmatch(r"[a-z]+(:\d+)?", name):
        raise ValueError(f"device={name!r} is no name of a device. {advice}")
    if name.startswith("cuda") and not torch.cuda.is_available():
        why = "finds no GPU or driver" if torch.version.cuda else "was built without it"
        raise ValueError(
            f"device={name!r} needs CUDA; the installed PyTorch {torch.__version__} "
            f"{why}. {advice} https://pytorch.org says how to install it for CUDA."
        )
    try:
        # Where something is made, it exists; "cuda" becomes "cuda:0".
        torch.Generator(name)
        return _empty(name).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"There is no device={name!r}: {reason} {advice}") from error


def on_device(tree: Any, device: Any) -> Any:
    """`tree`, of arrays and models, on a device of `find_device`; see `converted`."""
    return converted_beside(tree, _empty(device))


def _empty(device: Any) -> Array:
    import torch

    return torch.empty(0, device=device)


def rows_on_device(X: Array, device: Any, resident: bool = True) -> Array:
    """Rows of the host, on a device of `find_device`.

    Parameters
    ----------
    X : ndarray, scipy sparse CSR or ScaledRows
    device : torch.device
    resident : bool, default=True
        Whether an array is sent as a whole. The other kinds of rows never are: they go
        there batch by batch.

    Returns
    -------
    torch.Tensor or DeviceRows
    """
    if isinstance(X, np.ndarray) and resident:
        return on_device(X, device)
    return DeviceRows(X, device)


def rows_beside(X: Array, like: Array) -> Array:
    """Rows of the host that are read where the array `like` lies: see `DeviceRows`.

    Examples
    --------
    >>> import numpy as np
    >>> rows_beside(np.zeros((2, 3)), np.zeros(1)).shape
    (2, 3)
    """
    return DeviceRows(X, like.device) if is_torch_array(like) else beside(X[:], like)


class DeviceRows(LazyRows):
    """Rows that stay on the host and go to a device as they are read.

    Parameters
    ----------
    X : ndarray, scipy sparse CSR or ScaledRows of shape (n_rows, n_features)
        Sparse rows become dense ones, batch by batch.
    device : torch.device

    Attributes
    ----------
    shape, dtype, device : as of a tensor
    """

    def __init__(self, X: Array, device: Any) -> None:
        self._source, self.device = X, device
        self.shape, self.dtype = X.shape, self[:0].dtype

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return namespace(_empty(self.device))

    def __getitem__(self, key: Any) -> Array:
        part = self._source[rows_of(key)]
        part = part.toarray() if issparse(part) else part
        if self.device.type != "cuda":
            return on_device(part, self.device)
        # From page-locked memory: the host need not wait for the copy.
        pinned = namespace(self).asarray(part, copy=True).pin_memory()
        return pinned.to(self.device, non_blocking=True)

    def __rmatmul__(self, weights: Array) -> Array:
        """``weights @ rows``: with weights that sum to 1, the mean."""
        return on_device(to_host(weights) @ self._source, self.device)

    def shuffled(self, rng: Any) -> Iterator[Array]:
        """Yield the numbers of all rows in a random order, as `ScaledRows` do."""
        if isinstance(self._source, ScaledRows):
            return self._source.shuffled(rng)
        return iter([rng.permutation(self.shape[0])])
