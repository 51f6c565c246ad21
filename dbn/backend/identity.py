"""What a thing is, as one short text: equal for equal things, in any process.

Parameters of estimators, machines and nets, rows and labels are told apart by it:
checkpoints, the journals of studies and processes that train together ask whether what
they were made of is what they are given now.
"""

import copyreg
import hashlib
import types
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .device import to_host
from .parameters import Parameters
from .rows import ScaledRows, sha256_of

# Attributes of estimators that change nothing about a result: what is shown, where it
# is computed, who is told, and what is computed when it is asked for.
_BESIDE = {"verbose", "device", "_skl_callbacks", "_metadata_request"}
_BESIDE |= {"log_z_", "_log_z_epochs"}
# Of what has moved: the name that checkpoints know.
_FORMERLY = {"dbn.training.sparsity.Sparsity": "dbn.training.contrastive.Sparsity"}
_Pieces = tuple[str, str | bytes, Iterable[Any]]
_FUNCTIONS = types.FunctionType | types.BuiltinFunctionType | np.ufunc | type


def identity(*things: Any) -> str:
    """SHA-256 of what things are, in hexadecimal.

    Things made separately have the same identity if they have

    - the same type and content, all the way down. An array is its dtype, shape and
      bytes, wherever it lies and in whatever order; a sparse matrix is its CSR form;
      `ScaledRows` are the numbers in their source, read in slices, and what is done to
      them; a data frame is its columns.
    - for numbers, the same kind and value: 1, 1.0 and True differ, 1 and
      ``np.int64(1)`` do not. The order of a dict or set does not count; that of a list
      does, and a list is no tuple.
    - for estimators, parts and models, the same class, parameters and all that was
      learned. Their `verbose`, `device` and callbacks do not count.
    - for functions and classes, the same module and name: not what they do.

    Anything else is what pickle would keep of it, without pickle's bytes, which depend
    on more than the content.

    Parameters
    ----------
    *things : object

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ValueError
        If a thing cannot be told from others: an open file, or a function without a
        name of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from dbn.backend.identity import identity
    >>> from dbn.training import SGD
    >>> identity(SGD(0.1), np.zeros(2)) == identity(SGD(0.1), np.zeros(2))
    True
    >>> identity(SGD(0.1), np.zeros(2)) == identity(SGD(0.1), np.zeros(3))
    False
    """
    digest = hashlib.sha256()
    try:
        _add(digest.update, things)
    except RecursionError as error:
        raise ValueError(
            f"{type(things[0]).__name__} refers to itself, or is nested too deep, and "
            "cannot be told from others. Use plain values, arrays and dbn's own parts."
        ) from error
    return digest.hexdigest()


def _add(write: Callable[[bytes], None], thing: Any) -> None:
    """Write a thing so that no other has the same bytes, and none begins with them."""
    kind, text, inside = _pieces(thing)
    text = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    inside = list(inside)
    write(f"{kind} {len(text)} {len(inside)}\n".encode())
    write(text)
    for piece in inside:
        _add(write, piece)


def _pieces(thing: Any) -> _Pieces:
    """Kind of a thing, what it says of itself, and what is inside it."""
    if thing is None or thing is Ellipsis:
        return type(thing).__name__, b"", ()
    if isinstance(thing, bool | np.bool_):
        return "bool", str(bool(thing)), ()
    if isinstance(thing, int | np.integer):
        return "int", f"{int(thing):x}", ()
    if isinstance(thing, float) or type(thing) in (np.float16, np.float32):
        return "float", float(thing).hex(), ()
    if isinstance(thing, str | bytes):
        return "str" if isinstance(thing, str) else "bytes", thing, ()
    if isinstance(thing, list | tuple):
        return _name(type(thing)), b"", thing
    if isinstance(thing, dict):
        entries = {identity(key): value for key, value in thing.items()}
        return _name(type(thing)), b"", sorted(entries.items(), key=lambda e: e[0])
    if isinstance(thing, set | frozenset):
        return _name(type(thing)), b"", sorted(map(identity, thing))
    return _pieces_of_object(to_host(thing))


def _pieces_of_object(thing: Any) -> _Pieces:
    cls = type(thing)
    if isinstance(thing, np.ma.MaskedArray):
        return "masked array", b"", (thing.data, np.ma.getmaskarray(thing))
    if isinstance(thing, np.ndarray | np.generic):
        X = np.asarray(thing)
        about = f"{X.dtype.descr} {X.shape} "
        if X.dtype.hasobject:
            return "array", about, X.ravel().tolist()
        return "array", about + sha256_of(X), ()
    if issparse(thing):
        X = thing.tocsr()
        return "sparse", b"", (X.shape, X.data, X.indices, X.indptr)
    if isinstance(thing, ScaledRows):
        return _name(cls), b"", thing.content()
    if isinstance(thing, Parameters):
        return _name(cls), b"", (list(thing.shapes.items()), thing.flat)
    if hasattr(cls, "get_params"):
        kept = {k: v for k, v in vars(thing).items() if k not in _BESIDE}
        return "object", _name(cls), (kept,)
    if hasattr(cls, "columns") and hasattr(cls, "__getitem__"):
        names = list(thing.columns)
        index = np.asarray(getattr(thing, "index", ()))
        columns = [np.asarray(thing[name]) for name in names]
        return "frame", _name(cls), (names, index, *columns)
    if hasattr(cls, "__array__"):
        return "like an array", _name(cls), (np.asarray(thing),)
    # A function of C that belongs to an object is more than its name.
    owner = getattr(thing, "__self__", None)
    if isinstance(thing, _FUNCTIONS) and isinstance(owner, types.ModuleType | None):
        return "name", _name(thing), ()
    return _reduced(thing)


def _name(thing: Any) -> str:
    """Module and name of a class or function."""
    name = getattr(thing, "__qualname__", thing.__name__)
    if "<" in name:
        raise ValueError(
            f"{name} has no name of its own, by which it could be told from others. "
            "Define it at the top of a module."
        )
    module = str(getattr(thing, "__module__", None))
    if module.startswith("dbn."):
        # Which file of a folder a class of ours stands in is no part of what it is.
        module = ".".join(module.split(".")[:3])
    return _FORMERLY.get(f"{module}.{name}", f"{module}.{name}")


def _reduced(thing: Any) -> _Pieces:
    """An object as pickle would take it apart."""
    cls = type(thing)
    try:
        reduce = copyreg.dispatch_table.get(cls)
        parts: Any = thing.__reduce_ex__(4) if reduce is None else reduce(thing)
    except Exception as error:
        raise ValueError(
            f"A {_name(cls)} cannot be told from others ({error}). Use plain values, "
            "arrays and dbn's own parts."
        ) from error
    if isinstance(parts, str):
        return "name", f"{_name(cls)} {parts}", ()
    make, args, state, items, entries = (*parts, None, None, None)[:5]
    return (
        "object",
        _name(cls),
        (make, args, state, [*(items or ())], dict(entries or ())),
    )
