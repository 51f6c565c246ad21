"""Model files that are large in one dimension alone: what a line of text can stand for.

Each is whole, or would be but for its size, with checksums that match. It is loaded or
refused, in memory and time that stay in proportion to the file.
"""

import hashlib

import numpy as np

from .common import ACCIDENTS, pick, size_up_to
from .containers import inside, opened, sealed, with_array

# Another content altogether.


def _replace(header, files, content, n_weights=4):
    """The content, and the arrays w (weights) and e (nothing)."""
    header |= {"content": content, "arrays": {}}
    files.clear()
    with_array(header, files, "w", np.zeros(n_weights, "<f4"))
    with_array(header, files, "e", np.zeros(0, "<f4"))


def _made(name, params, state=None):
    return {"__class__": name, "params": params, "state": state or {}}


def _net(sizes):
    return _made(
        "feedforward.Network",
        {"layer_sizes": sizes},
        {"params": {"$array": "w"}, "statistics": {"$array": "e"}},
    )


def _machine(n_visible=1):
    return _made(
        "boltzmann.RBM",
        {"n_visible": n_visible, "n_hidden": 1},
        {"params": {"$array": "w"}},
    )


@inside
def many_layers(header, files, integer):
    n = size_up_to(400_000, integer)
    _replace(header, files, _net([1] * (n + 1)), 2 * n)


@inside
def many_nets(header, files, integer):
    """All of them over the same weights."""
    n_nets, n_layers = size_up_to(300, integer), size_up_to(3000, integer)
    nets = [_net([1] * (n_layers + 1)) for _ in range(n_nets)]
    _replace(header, files, {"nets": nets}, 2 * n_layers)


@inside
def wide_layers(header, files, integer):
    n = size_up_to(300, integer)
    _replace(header, files, _net([n, n, n]), 2 * n * (n + 1))


@inside
def wide_machine(header, files, integer):
    n = size_up_to(500_000, integer)
    _replace(header, files, _machine(n), 2 * n + 1)


@inside
def many_machines(header, files, integer):
    params = {"rbms": [_machine()] * size_up_to(20_000, integer)}
    _replace(header, files, _made("boltzmann.DBN", params), 3)


@inside
def many_prototypes(header, files, integer):
    names = ["estimators.DBNClassifier", "training.Adam", "boltzmann.Bernoulli"]
    one = _made(pick(integer, names), {})
    _replace(header, files, [one] * size_up_to(50_000, integer))


WHOLE = [
    *(many_layers, many_nets, wide_layers, wide_machine, many_machines),
    many_prototypes,
]


# In any place of any content.

ITEMS = [
    *([], {}, "", "ab", 0, 0.5, None, [0], [[[]]], {"a": 0}, {"$tuple": []}, "\u20ac"),
    *({"$scalar": ["<f4", 0.5]}, {"$objects": [0]}, {"$dict": []}, {"$float": "nan"}),
    *("\U0001f600", [1000, 0.5], {"phase": "finetune", "epoch": 9, "loss": 0.123456}),
    {"__class__": "boltzmann.Bernoulli", "params": {}},
]


def _put(header, files, integer, value, **arrays):
    """A value among the state, the parameters, or what else there is."""
    for name, array in arrays.items():
        with_array(header, files, name, array)
    content = header["content"]
    places = [content, *(v for v in content.values() if isinstance(v, dict) and v)]
    place = pick(integer, places)
    place[pick(integer, [*place, "history_"])] = value


@inside
def long_list(header, files, integer):
    tag = pick(integer, ["", "", "$tuple", "$objects"])
    values = [pick(integer, ITEMS)] * size_up_to(300_000, integer)
    _put(header, files, integer, {tag: values} if tag else values)


@inside
def long_text(header, files, integer):
    letter = pick(integer, ["a", "\u20ac", "\U0001f600", "\x1b", "\\"])
    _put(header, files, integer, letter * size_up_to(1_000_000, integer))


@inside
def long_name(header, files, integer):
    letters = pick(integer, ["a", "\x1b", "$", "__class__"])
    name = letters * size_up_to(500_000, integer)
    _put(header, files, integer, {name: 0} if integer(0, 1) else _made(name, {}))


@inside
def many_names(header, files, integer):
    n = size_up_to(200_000, integer)
    together = {f"k{i}": i for i in range(n)}
    apart = [{name: i} for name, i in together.items()]
    _put(header, files, integer, together if integer(0, 1) else apart)


@inside
def colliding_keys(header, files, integer):
    step = pick(integer, [2**61 - 1, 2**40, 2**62, 1])
    keys = [i * step for i in range(size_up_to(60_000, integer))]
    if integer(0, 1):
        keys = [{"$tuple": [key, 0]} for key in keys]
    _put(header, files, integer, {"$dict": [[key, 0] for key in keys]})


@inside
def many_dicts(header, files, integer):
    n_pairs, step = size_up_to(300, integer), 2**61 - 1
    one = {"$dict": [[i * step, 0] for i in range(n_pairs)]}
    many = [one] * size_up_to(10**6 // n_pairs // 40, integer)
    _put(header, files, integer, many)


_WORDS = np.zeros(4, "<u8")


def _stream(seed):
    """A random stream whose words are an array."""
    state = {"bit_generator": "SFC64", "state": {"state": {"$array": "words"}}}
    state |= {"has_uint32": 0, "uinteger": 0}
    return {"$rng": {"state": state, "seed": seed}}


@inside
def many_streams(header, files, integer):
    streams = [_stream([0, {"$tuple": []}, 0])] * size_up_to(30_000, integer)
    _put(header, files, integer, streams, words=_WORDS)


@inside
def long_seed(header, files, integer):
    n = size_up_to(500_000, integer)
    entropy = pick(integer, [[1] * n, int("9" * min(n, 4000)), 0])
    spawn_key = {"$tuple": [1] * (0 if entropy else n)}
    _put(header, files, integer, _stream([entropy, spawn_key, 2**62]), words=_WORDS)


@inside
def many_arrays(header, files, integer):
    names = [f"extra{i}" for i in range(size_up_to(3000, integer))]
    _put(header, files, integer, 0, **dict.fromkeys(names, np.zeros(1, "|u1")))


@inside
def large_array(header, files, integer):
    dtype = np.dtype(pick(integer, ["<f4", "|b1", "<U1", "<U1000", "|u1"]))
    array = np.zeros(max(1, size_up_to(10**6, integer) // dtype.itemsize), dtype)
    _put(header, files, integer, {"$array": "large"}, large=array)


@inside
def nested(header, files, integer):
    """Around the depth that is allowed."""
    value, n = [], size_up_to(900, integer)
    for _ in range(n):
        around = [[value], {"a": value}, {"$tuple": [value]}]
        around += [{"$dict": [[0, value]]}, {"$objects": [value]}]
        value = around[integer(0, 4) if n < 300 else 0]
    _put(header, files, integer, value)


def resealed(kind):
    """An accident to the text of the header or to an array, checksums to match."""

    def damage(data, integer):
        header, files = opened(data)
        name = pick(integer, [*header["arrays"], None])
        if name is None:
            return sealed(kind(files["model.json"], integer), files)
        member = files[f"{name}.npy"]
        start = 10 + int.from_bytes(member[8:10], "little")
        n = len(member) - start
        content = kind(member[start:], integer)[:n].ljust(n, b"\0") if n else b""
        files[f"{name}.npy"] = member[:start] + content
        header["arrays"][name]["sha256"] = hashlib.sha256(content).hexdigest()
        return sealed(header, files)

    damage.__name__ = f"{kind.__name__}_resealed"
    return damage


ANYWHERE = [
    *(long_list, long_text, long_name, many_names, colliding_keys, many_dicts),
    *(many_streams, long_seed, many_arrays, large_array, nested),
    *map(resealed, ACCIDENTS),
]
