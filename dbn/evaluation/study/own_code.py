"""What the code of a user's estimators does: names do not tell, in a notebook."""

import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from ...backend.identity import identity

_PLAIN = bool | int | float | complex | str | bytes
# Packages whose versions a record has.
_KNOWN = ("builtins", "dbn", "joblib", "numpy", "scipy", "sklearn")


def identity_with_code(*things: Any) -> str:
    """`identity`, of which the code of functions and classes of the user is a part.

    Of functions and classes in what `get_params` gives, and of functions of their
    module that they call, with the numbers and texts that they use from outside. A
    thing without any has the identity that it has otherwise.

    Parameters
    ----------
    *things : object

    Returns
    -------
    str

    Examples
    --------
    >>> from dbn.training import SGD
    >>> identity_with_code(SGD(0.1)) == identity(SGD(0.1))
    True
    """
    return identity(*things, *_codes(things, set()))


def _codes(thing: Any, seen: set[int]) -> Iterator[Any]:
    """The code of all that is the user's in a thing, each once."""
    if id(thing) in seen:
        return
    if isinstance(thing, list | tuple | dict):
        inside: Any = thing.values() if isinstance(thing, dict) else thing
    elif isinstance(thing, types.FunctionType | type):
        seen.add(id(thing))
        inside = []
        if (thing.__module__ or "").partition(".")[0] not in _KNOWN:
            inside = _parts(thing)
            if isinstance(thing, types.FunctionType):
                plain = [v for v in _reached(thing) if isinstance(v, _PLAIN)]
                yield _plain(thing.__code__), plain
    elif isinstance(thing, partial):
        inside = [thing.func, *thing.args, *thing.keywords.values()]
    elif is_dataclass(thing):  # a contender
        inside = [getattr(thing, its.name) for its in fields(thing)]
    elif hasattr(thing, "get_params"):
        seen.add(id(thing))
        inside = [type(thing), *thing.get_params(deep=False).values()]
    else:
        return
    for part in inside:
        yield from _codes(part, seen)


def _parts(thing: Any) -> list[Any]:
    """What the code of a function or class depends on."""
    if isinstance(thing, type):
        its = [getattr(value, "__func__", value) for value in vars(thing).values()]
        its = [getattr(value, "fget", value) for value in its]
        return [
            *thing.__bases__,
            *(v for v in its if isinstance(v, types.FunctionType)),
        ]
    return [
        value
        for value in _reached(thing)
        if getattr(value, "__module__", None) == thing.__module__
    ]


def _reached(function: Any) -> list[Any]:
    """Globals that a function uses, variables around it, and defaults."""
    empty = types.CellType()  # of a variable that has no value yet
    around = [cell for cell in function.__closure__ or () if cell != empty]
    return [
        *(function.__globals__.get(name) for name in function.__code__.co_names),
        *(cell.cell_contents for cell in around),
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
    ]


def _plain(code: Any) -> Any:
    """A code object as bytes, names and constants."""
    if not isinstance(code, types.CodeType):
        return code
    constants = [_plain(constant) for constant in code.co_consts]
    return code.co_code, code.co_names, constants
