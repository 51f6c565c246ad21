"""Plain data as JSON, its arrays apart: what files are made of.

JSON has no tuples, no NumPy scalars, no infinities. An object with one key that starts
with "$" stands for what it has no form for:

    {"$tuple": [...]}        {"$dict": [[key, value], ...]}   {"$objects": [...]}
    {"$array": name}         {"$scalar": [dtype, value]}      {"$float": "nan"}
    {"$rng": {"state": ..., "seed": [entropy, spawn_key, n_children_spawned]}}
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NoReturn

import numpy as np

from ..backend.types import Array


class ModelFileError(ValueError):
    """A file is damaged, hostile or too new, or a model cannot be put in one.

    The one error for the content of files. What the system has to say about a path (no
    such file, no permission, disk full) stays an `OSError`.

    Examples
    --------
    >>> import tempfile
    >>> from dbn import ModelFileError, load_model
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     try:
    ...         load_model(file.name)
    ...     except ModelFileError as error:
    ...         print("File is not a zip file" in str(error))
    True
    """


# Numbers and strings of fixed width, little-endian: what an array in a file may hold.
DTYPES = re.compile(r"\|b1|\|[iu]1|<[iu][248]|<f[248]|<U[1-9][0-9]{0,5}")
_MAX_DEPTH = 64
# What values of JSON may take: so many bytes of memory, and so many for each byte of
# the file. With the text and what is made of them a file of n bytes takes 20 MB + 10 n.
_ROOM, _ROOM_PER_BYTE = 12 * 10**6, 8
# Different names in all objects together; keys of one dict with the same hash; random
# streams: things of which a real file has few, and that cost much.
_MAX_NAMES = 2**14
_MAX_COLLISIONS = 100
_MAX_STREAMS = 1000
_MAX_SEED_WORDS = 100
_STRINGS = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*+:)?')
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_SCALARS = {"b": bool, "i": int, "u": int, "f": float, "U": str}
_TAGS: dict[str, Any] = {
    **dict.fromkeys(["$tuple", "$dict", "$objects", "$scalar"], list),
    **dict.fromkeys(["$array", "$float"], str),
    "$rng": dict,
}


def printable(text: Any, most: int = 100) -> str:
    """A text from anywhere, safe to print: on one line, and short.

    A terminal obeys control characters; others hide or turn around what stands beside
    them.

    Examples
    --------
    >>> printable("red: \\x1b[31m")
    'red: \\\\x1b[31m'
    >>> printable("x" * 200, most=10)
    'xxxxxxx...'
    """
    text = str(text)
    text = text if len(text) <= most else text[: most - 3] + "..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def parse_json(text: str, size: int | None = None) -> Any:
    """The values of a JSON text, which holds no NaN and no name twice in an object.

    Python's own parser accepts both, and ends in a RecursionError where values are
    nested a thousand deep. What they would take of memory is judged before there are
    any: ``[],[],`` takes twenty times its own size.

    Parameters
    ----------
    text : str
    size : int, optional
        Bytes of the file that it is from; default: as many as characters.

    Raises
    ------
    ValueError
        If it is no such text, or of more values than a file of that size may have.

    Examples
    --------
    >>> parse_json('{"n": [1, 2]}')
    {'n': [1, 2]}
    """

    def refuse(name: str) -> NoReturn:
        raise ModelFileError(f"it holds {name}, which is not JSON.")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ModelFileError("it holds a name twice in one object.")
        return found

    check_values(text, len(text) if size is None else size)
    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except RecursionError as error:
        raise ModelFileError("its values are nested too deeply.") from error


def json_bytes(text: str) -> int:
    """Bytes of memory that the values of a JSON text take, at most.

    Counted from its marks, as CPython's objects are: a place in a container, a number,
    lists and objects with their first places, names and strings.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> json_bytes("[0, 1]") < 200
    True
    """
    lists, objects, names = text.count("["), text.count("{"), text.count(":")
    strings = max(text.count('"') // 2 - names, 0)
    places = text.count(",") + lists + objects
    numbers = max(places - lists - objects - strings, 0)
    wide = 1 if text.isascii() and "\\u" not in text else 4
    marks = 10 * places + 26 * numbers + 72 * lists + 130 * objects + 50 * names
    return marks + (56 if wide == 1 else 80) * strings + wide * len(text)


def check_values(text: str, size: int) -> None:
    """Raise a ModelFileError where parsing would take too much memory.

    Parameters
    ----------
    text : str
        JSON.
    size : int
        Bytes of its file.

    Examples
    --------
    >>> check_values("[0, 1]", 6)
    """
    needed, allowed = json_bytes(text), _ROOM + _ROOM_PER_BYTE * size
    if needed > allowed:
        raise ModelFileError(
            f"its values would take {needed} bytes of memory, where {allowed} are "
            f"allowed for {size} bytes of a file."
        )
    if text.count(":") > _MAX_NAMES:
        names = set()
        for string in _STRINGS.finditer(text):
            if string[2]:
                names.add(string[1])
            if len(names) > _MAX_NAMES:
                raise ModelFileError(f"it has more than {_MAX_NAMES} different names.")


class Packer:
    """Turns plain data into JSON values and collects its arrays, each once.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The arrays by their names, which tell where they were first met.

    Examples
    --------
    >>> import numpy as np
    >>> packer = Packer()
    >>> packer.pack({"size": (2,), "W": np.eye(2)})
    {'size': {'$tuple': [2]}, 'W': {'$array': 'W'}}
    >>> unpack({'size': {'$tuple': [2]}}, packer.arrays)
    {'size': (2,)}
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[int, tuple[str, Array]] = {}

    def pack(self, value: Any, where: tuple[str, ...] = ()) -> Any:
        """Return `value` as JSON values.

        Parameters
        ----------
        value : object
            None, bool, int, float, str, list, tuple, dict, NumPy scalars and arrays of
            numbers or strings, and random streams of `make_rng`; nested.
        where : tuple of str
            Keys that led to it.

        Raises
        ------
        ModelFileError
            If `value` holds anything else.
        """
        kind = type(value)
        if len(where) > _MAX_DEPTH:
            raise ModelFileError(f"{'.'.join(where[:5])}... is nested too deeply.")
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$float": str(value)}
        if kind is list:
            return self._items(value, where)
        if kind is tuple:
            return {"$tuple": self._items(value, where)}
        if kind is dict:
            return self._dict(value, where)
        if isinstance(value, np.ndarray | np.generic):
            if value.dtype == object and value.ndim == 1:
                return {"$objects": self._items(value.tolist(), where)}
            dtype = value.dtype.newbyteorder("<")
            if DTYPES.fullmatch(dtype.str):
                if isinstance(value, np.ndarray):
                    return {"$array": self._name(value, dtype, where)}
                return {"$scalar": [dtype.str, self.pack(value.item(), where)]}
        if isinstance(value, np.random.Generator):
            bits = value.bit_generator
            if isinstance(bits, np.random.SFC64):
                seed: Any = bits.seed_seq
                parts = [seed.entropy, seed.spawn_key, seed.n_children_spawned]
                content = {"state": bits.state, "seed": parts}
                return {"$rng": self._dict(content, where)}
        raise ModelFileError(
            f"{'.'.join(where)} cannot be put in a file: it is {value!r:.80}, a "
            f"{kind.__module__}.{kind.__qualname__}. Accepted are None, numbers, "
            "strings, lists, tuples, dicts, and NumPy arrays of numbers or strings. "
            "Convert it, or keep the model with pickle."
        )

    def _items(self, values: Any, where: tuple[str, ...]) -> list[Any]:
        return [self.pack(v, (*where, str(i))) for i, v in enumerate(values)]

    def _dict(self, value: dict[Any, Any], where: tuple[str, ...]) -> dict[str, Any]:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.pack(v, (*where, key)) for key, v in value.items()}
        keys = self._items(value, where)
        return {
            "$dict": [
                [key, self.pack(v, (*where, str(i)))]
                for i, (key, v) in enumerate(zip(keys, value.values(), strict=True))
            ]
        }

    def _name(self, value: Array, dtype: Any, where: tuple[str, ...]) -> str:
        """Name of an array, which is made where there is none yet."""
        key = id(value)
        if key not in self._names:
            stem = re.sub(r"[^A-Za-z0-9_.]", "_", ".".join(where))[-150:]
            stem = f"_{stem}" if stem[:1] in ("", ".") else stem
            name, n = stem, 1
            while name in self.arrays:
                name, n = f"{stem}_{n}", n + 1
            self.arrays[name] = np.asarray(value, dtype=dtype, order="C")
            # The value is kept as well, so that nothing else gets its id.
            self._names[key] = name, value
        return self._names[key][0]


def unpack(value: Any, arrays: dict[str, Array]) -> Any:
    """Return the plain data that `Packer.pack` made JSON values of.

    Parameters
    ----------
    value : object
        As `json.loads` returns it; it need not come from `pack`. Its lists and dicts
        become part of the result: there is never a second copy of a long one.
    arrays : dict of str to ndarray

    Raises
    ------
    ModelFileError, LookupError, TypeError, ValueError
        If `value` is not what `pack` makes.
    """
    return _unpack(value, 0, arrays, count(1))


def _unpack(
    value: Any, depth: int, arrays: dict[str, Array], streams: Iterator[int]
) -> Any:
    """The same of a value inside another; `streams` counts the random streams."""
    if not isinstance(value, list | dict):
        return value
    if depth > 2 * _MAX_DEPTH:
        raise ModelFileError("its values are nested too deeply.")
    tag: Any = next(iter(value), "")
    if isinstance(value, list) or not tag.startswith("$"):
        places: Any = enumerate(value) if isinstance(value, list) else value.items()
        for place, item in places:
            value[place] = _unpack(item, depth + 1, arrays, streams)
        return value
    content: Any = value[tag]
    if len(value) > 1 or type(content) is not _TAGS.get(tag):
        raise ModelFileError(f"it holds an unknown or wrong {tag!r:.80}.")
    if tag == "$array":
        return arrays[content]
    # Keys and values of a dict are one level deeper than it, as its writer counts.
    deeper = depth - 1 if tag == "$dict" else depth + 1
    content = _unpack(content, deeper, arrays, streams)
    if tag == "$rng" and next(streams) > _MAX_STREAMS:
        raise ModelFileError(f"it has more than {_MAX_STREAMS} random streams.")
    return _MAKERS[tag](content)


def _objects(items: list[Any]) -> Array:
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def _dict(pairs: Any) -> dict[Any, Any]:
    """A dict of pairs, unless their keys would make it slow.

    Integers that differ by a multiple of 2^61 - 1 have the same hash, and a dict
    compares each of them with all others.
    """
    n_collisions = len(pairs) - len({hash(key) for key, _ in pairs})
    if n_collisions > _MAX_COLLISIONS:
        raise ModelFileError(f"it has {n_collisions} keys with hashes of others.")
    return dict(pairs)


def _rng(state: Any, seed: Any) -> Any:
    """A random stream that goes on, and spawns others, where it left off."""
    entropy, spawn_key, n_spawned = seed
    for words in (entropy, spawn_key):
        if isinstance(words, list | tuple) and len(words) > _MAX_SEED_WORDS:
            raise ModelFileError(f"it has a seed of {len(words)} numbers.")
    seed = np.random.SeedSequence(
        entropy, spawn_key=spawn_key, n_children_spawned=n_spawned
    )
    bits = np.random.SFC64(seed)
    bits.state = state
    return np.random.Generator(bits)


def _scalar(dtype: Any, item: Any) -> Any:
    """A NumPy scalar."""
    kind = _SCALARS[dtype[1]] if DTYPES.fullmatch(dtype) else None
    if type(item) is not kind:
        raise ModelFileError(f"it holds {item!r:.80} as a {dtype!r:.80}.")
    with np.errstate(over="ignore"):
        return np.dtype(dtype).type(item)


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "$tuple": tuple,
    "$dict": _dict,
    "$float": _FLOATS.__getitem__,
    "$objects": _objects,
    "$scalar": lambda content: _scalar(*content),
    "$rng": lambda content: _rng(**content),
}
