"""What is done to files of any format, and what loading them may do.

Every choice comes from `integer(low, high)`, both included: a seeded generator draws it
in the long run, Hypothesis in the tests, and atheris from bytes that reach new code.
"""

import copy
import gzip
import sys
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy.sparse import issparse


class Bomb:
    """Ends the process, past every `except Exception`, if anyone unpickles it."""

    def __reduce__(self):
        return sys.exit, ("a pickle was run",)


def pick(integer, options):
    """One of several."""
    return options[integer(0, len(options) - 1)]


def size_up_to(most, integer):
    """One of several sizes: each is about a third of the next."""
    return max(1, int(most / 3 ** (5 - integer(0, 5))))


# Accidents.


def truncated(data, integer):
    return data[: integer(0, len(data) - 1)]


def flipped(data, integer):
    data = bytearray(data)
    for _ in range(integer(1, 3)):
        data[integer(0, len(data) - 1)] ^= 1 << integer(0, 7)
    return bytes(data)


def overwritten(data, integer):
    start = integer(0, len(data) - 1)
    n = integer(1, 64)
    filler = pick(integer, [b"\0", b"\xff", b"PK\1\2", b"\x80", b"[", b"9"])
    return data[:start] + (filler * n)[:n] + data[start + n :]


def shifted(data, integer):
    """A piece is cut out, repeated, or put elsewhere."""
    a, b, c = sorted(integer(0, len(data)) for _ in range(3))
    pieces = [data[:a], data[a:b], data[b:c], data[c:]]
    orders = [(0, 2, 3), (0, 1, 1, 2, 3), (0, 2, 1, 3), (0, 1, 2, 3, 2)]
    return b"".join(pieces[i] for i in pick(integer, orders))


def foreign(data, integer):
    """Something else altogether."""
    return pick(
        integer,
        [b"", b"text\n", b"\x80\x04.", b"\x1f\x8b\x08\0", b"PK\5\6" + bytes(18)],
    )


ACCIDENTS = [truncated, flipped, overwritten, shifted, foreign]


# Trees of JSON.


def nodes(tree):
    """All (container, key) pairs of a JSON tree."""
    keys = tree if isinstance(tree, dict) else range(len(tree))
    found = [(tree, key) for key in keys]
    for key in keys:
        if isinstance(tree[key], dict | list):
            found += nodes(tree[key])
    return found


def rewrite(tree, integer, values, names):
    """Replace, remove, rename or exchange some values, in place."""
    for _ in range(integer(1, 3)):
        if not (found := nodes(tree)):
            break
        place, key = pick(integer, found)
        action = integer(0, 3)
        if action == 0:
            place[key] = pick(integer, values)
        elif action == 1:
            del place[key]
        elif action == 2 and isinstance(place, dict):
            place[pick(integer, names)] = place[key]
        else:
            other, name = pick(integer, found)
            place[key] = copy.deepcopy(other[name])


# Bombs: a kilobyte for every million zeros.

MILLION = 10**6


@cache
def _gzipped_million():
    return gzip.compress(bytes(MILLION), mtime=0)


def _deflated(data):
    """Blocks of deflate, to which others may be joined."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)


@cache
def _deflated_million():
    return _deflated(bytes(MILLION))


def gzip_bomb(n_millions, start=b""):
    """Some bytes and then zeros, as a gzip file of several members."""
    return gzip.compress(start, mtime=0) + n_millions * _gzipped_million()


def deflate_bomb(n_millions, start=b""):
    """The same as a stream of deflate, without a header."""
    return _deflated(start) + n_millions * _deflated_million() + b"\3\0"


# Loading.


def plain(value):
    """A result as lists, arrays and what they hold, to compare it."""
    if isinstance(value, dict):
        return [*value.items()]
    if isinstance(value, np.random.Generator):
        return [value.bit_generator.state, value.bit_generator.seed_seq.state]
    if issparse(value):
        return [value.shape, value.data, value.indices, value.indptr]
    return vars(value) if hasattr(value, "__dict__") else value


def same(a, b):
    """Whether two results are equal to the bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray) and a.dtype != object:
        equal = (a.dtype, a.shape) == (b.dtype, b.shape)
        return equal and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple | np.ndarray):
        return len(a) == len(b) and all(map(same, a, b))
    if plain(a) is a:
        return a == b or a != a
    return same(plain(a), plain(b))


@dataclass
class Format:
    """A kind of file: how it is loaded, and what may come of damaged ones."""

    name: str
    file: str  # the name that a file of this format has
    samples: list  # the bytes of good ones
    load: Callable  # of a path; it returns a result or raises a `refusal`
    allowed: dict = field(repr=False)  # kind of damage -> set of outcomes
    refusal: type = ValueError
    memory: Callable = lambda n: 20 * MILLION + 10 * n  # at most, for n bytes
    originals: dict = field(default_factory=dict, repr=False)  # what the samples hold

    def outcome(self, data, path, original=None):
        """What loading makes of bytes: "refused", "equal" or "another".

        Any exception but the `refusal` passes. More memory is an AssertionError, unless
        it is within three times what the result keeps.
        """
        path.write_bytes(data)
        result, kept, peak = self._traced(path)
        room = max(self.memory(len(data)), 20 * MILLION + 3 * kept)
        assert peak < room, f"{peak} bytes were used, where {room} are allowed"
        if result is None:
            return "refused"
        return "equal" if same(result, original) else "another"

    def _traced(self, path):
        """What a file holds, or None, and memory: what is kept of it, and the peak.

        It is that of Python and NumPy; that of C libraries is not seen.
        """
        tracemalloc.start()
        try:
            with warnings.catch_warnings(action="ignore"):
                result = self.load(path)
        except self.refusal:
            result = None
        finally:
            memory = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return result, *memory

    def check(self, kind, folder, integer):
        """Damage a sample in one way and load it; return what came of it."""
        path = folder / self.file
        i = integer(0, len(self.samples) - 1)
        if i not in self.originals:
            path.write_bytes(self.samples[i])
            self.originals[i] = self.load(path)
        found = self.outcome(kind(self.samples[i], integer), path, self.originals[i])
        assert found in self.allowed[kind], f"{kind.__name__}: {found}"
        return found


# Outcomes, by what was done: what no checksum covers may change unseen.
ANY = {"refused", "equal", "another"}
SEEN = {"refused", "equal"}
REFUSED = {"refused"}


def allowed(accidents, forgeries, attacks, growth=()):
    """The table of a format: outcomes of its accidents, and its own kinds of damage."""
    return {
        **dict.fromkeys(ACCIDENTS, accidents),
        **dict.fromkeys(forgeries, ANY),
        **dict.fromkeys(attacks, REFUSED),
        **dict.fromkeys(growth, ANY),
    }
