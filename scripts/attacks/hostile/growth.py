"""Files that are large in one dimension alone: what a line of text can stand for.

Each is whole, or would be but for its size, with checksums that match. It is loaded or
refused, in memory and time that stay in proportion to the file.
"""

import csv
import gzip
import hashlib
import io
import json
import zipfile

import numpy as np

from .common import ACCIDENTS


def _size(integer, most):
    """One of several sizes, up to `most`: each is about a third of the next."""
    return max(1, int(most / 3 ** (5 - integer(0, 5))))


# Model files and checkpoints.


def _opened(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    return json.loads(files["model.json"]), files


def _sealed(header, files):
    """A zip file with the checksum of its header, which is a dict or bytes."""
    text = header
    if not isinstance(header, bytes):
        text = json.dumps(header, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in {**files, "model.json": text}.items():
            archive.writestr(zipfile.ZipInfo(name), data)
        archive.comment = hashlib.sha256(text).hexdigest().encode()
    return buffer.getvalue()


def _with_array(header, files, name, array):
    """Add an array, with its entry."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array)
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    about = {"dtype": array.dtype.str, "shape": [*array.shape], "sha256": digest}
    header["arrays"][name] = about
    files[f"{name}.npy"] = buffer.getvalue()


def _replaced(header, files, content, n_weights=4):
    """The file with other content, and the arrays w (weights) and e (nothing)."""
    header |= {"content": content, "arrays": {}}
    files = {}
    _with_array(header, files, "w", np.zeros(n_weights, "<f4"))
    _with_array(header, files, "e", np.zeros(0, "<f4"))
    return _sealed(header, files)


def _made(name, params, state=None):
    return {"__class__": name, "params": params, "state": state or {}}


def _net(sizes):
    state = {"params": {"$array": "w"}, "statistics": {"$array": "e"}}
    return _made("feedforward.Network", {"layer_sizes": sizes}, state)


def _machine(n_visible=1, n_hidden=1):
    sizes = {"n_visible": n_visible, "n_hidden": n_hidden}
    return _made("boltzmann.RBM", sizes, {"params": {"$array": "w"}})


def many_layers(data, integer):
    n = _size(integer, 400_000)
    content = _net([1] * (n + 1))
    return _replaced(*_opened(data), content, 2 * n)


def many_nets(data, integer):
    """All of them over the same weights."""
    n_nets, n_layers = _size(integer, 300), _size(integer, 3000)
    nets = [_net([1] * (n_layers + 1)) for _ in range(n_nets)]
    return _replaced(*_opened(data), {"nets": nets}, 2 * n_layers)


def wide_layers(data, integer):
    n = _size(integer, 300)
    return _replaced(*_opened(data), _net([n, n, n]), 2 * n * (n + 1))


def wide_machine(data, integer):
    n = _size(integer, 500_000)
    return _replaced(*_opened(data), _machine(n, 1), 2 * n + 1)


def many_machines(data, integer):
    machines = [_machine() for _ in range(_size(integer, 20_000))]
    return _replaced(
        *_opened(data), _made("boltzmann.DBN", {"rbms": machines}), n_weights=3
    )


def many_prototypes(data, integer):
    names = ["estimators.DBNClassifier", "training.Adam", "boltzmann.Bernoulli"]
    one = _made(names[integer(0, 2)], {})
    return _replaced(*_opened(data), [one] * _size(integer, 50_000))


# In any place of any content.


def _put(data, integer, value, **arrays):
    """A value among the state, the parameters, or what else there is."""
    header, files = _opened(data)
    for name, array in arrays.items():
        _with_array(header, files, name, array)
    content = header["content"]
    places = [content, *(v for v in content.values() if isinstance(v, dict) and v)]
    place = places[integer(0, len(places) - 1)]
    names = [*place, "history_"]
    place[names[integer(0, len(names) - 1)]] = value
    return _sealed(header, files)


_ITEMS = [
    *([], {}, "", "ab", 0, 0.5, None, [0], [[[]]], {"a": 0}, {"$tuple": []}, "\u20ac"),
    *({"$scalar": ["<f4", 0.5]}, {"$objects": [0]}, {"$dict": []}, {"$float": "nan"}),
    *("\U0001f600", [1000, 0.5], {"phase": "finetune", "epoch": 9, "loss": 0.123456}),
    {"__class__": "boltzmann.Bernoulli", "params": {}},
]


def long_list(data, integer):
    tag = ["", "", "$tuple", "$objects"][integer(0, 3)]
    values = [_ITEMS[integer(0, len(_ITEMS) - 1)]] * _size(integer, 300_000)
    return _put(data, integer, {tag: values} if tag else values)


def long_text(data, integer):
    letter = ["a", "\u20ac", "\U0001f600", "\x1b", "\\"][integer(0, 4)]
    return _put(data, integer, letter * _size(integer, 1_000_000))


def long_name(data, integer):
    name = ["a", "\x1b", "$", "__class__"][integer(0, 3)] * _size(integer, 500_000)
    value = {name: 0} if integer(0, 1) else _made(name, {})
    return _put(data, integer, value)


def many_names(data, integer):
    n = _size(integer, 200_000)
    together = {f"k{i}": i for i in range(n)}
    apart = [{f"k{i}": i} for i in range(n)]
    return _put(data, integer, together if integer(0, 1) else apart)


def colliding_keys(data, integer):
    step = [2**61 - 1, 2**40, 2**62, 1][integer(0, 3)]
    pairs = [[i * step, 0] for i in range(_size(integer, 60_000))]
    if integer(0, 1):
        pairs = [[{"$tuple": [key, 0]}, 0] for key, _ in pairs]
    return _put(data, integer, {"$dict": pairs})


def many_dicts(data, integer):
    n_pairs, step = _size(integer, 300), 2**61 - 1
    one = {"$dict": [[i * step, 0] for i in range(n_pairs)]}
    return _put(data, integer, [one] * _size(integer, 10**6 // n_pairs // 40))


def many_streams(data, integer):
    name, words = "words", np.zeros(4, "<u8")
    state = {"bit_generator": "SFC64", "state": {"state": {"$array": name}}}
    state |= {"has_uint32": 0, "uinteger": 0}
    one = {"$rng": {"state": state, "seed": [0, {"$tuple": []}, 0]}}
    return _put(data, integer, [one] * _size(integer, 30_000), words=words)


def long_seed(data, integer):
    words, n = np.zeros(4, "<u8"), _size(integer, 500_000)
    state = {"bit_generator": "SFC64", "state": {"state": {"$array": "words"}}}
    state |= {"has_uint32": 0, "uinteger": 0}
    entropy = [[1] * n, int("9" * min(n, 4000)), 0][integer(0, 2)]
    spawn_key = {"$tuple": [1] * (0 if entropy else n)}
    value = {"$rng": {"state": state, "seed": [entropy, spawn_key, 2**62]}}
    return _put(data, integer, value, words=words)


def many_arrays(data, integer):
    arrays = {f"extra{i}": np.zeros(1, "|u1") for i in range(_size(integer, 3000))}
    return _put(data, integer, 0, **arrays)


def large_array(data, integer):
    dtype = ["<f4", "|b1", "<U1", "<U1000", "|u1"][integer(0, 4)]
    array = np.zeros(max(1, _size(integer, 10**6) // np.dtype(dtype).itemsize), dtype)
    return _put(data, integer, {"$array": "large"}, large=array)


def nested(data, integer):
    """Around the depth that is allowed."""
    value, n = [], _size(integer, 900)
    for _ in range(n):
        value = [
            [value],
            {"a": value},
            {"$tuple": [value]},
            {"$dict": [[0, value]]},
            {"$objects": [value]},
        ][integer(0, 4) if n < 300 else 0]
    return _put(data, integer, value)


def resealed(kind):
    """An accident to the text of the header or to an array, checksums to match."""

    def damage(data, integer):
        header, files = _opened(data)
        names = [*header["arrays"]]
        i = integer(0, len(names))
        if i == len(names):
            return _sealed(kind(files["model.json"], integer), files)
        member = files[f"{names[i]}.npy"]
        start = 10 + int.from_bytes(member[8:10], "little")
        content = kind(member[start:], integer) if len(member) > start else b""
        content = content[: len(member) - start].ljust(len(member) - start, b"\0")
        files[f"{names[i]}.npy"] = member[:start] + content
        header["arrays"][names[i]]["sha256"] = hashlib.sha256(content).hexdigest()
        return _sealed(header, files)

    damage.__name__ = f"{kind.__name__}_resealed"
    return damage


ANYWHERE = [
    *(long_list, long_text, long_name, many_names, colliding_keys, many_dicts),
    *(many_streams, long_seed, many_arrays, large_array, nested),
    *map(resealed, ACCIDENTS),
]
MODEL_FILES = [
    *(many_layers, many_nets, wide_layers, wide_machine, many_machines),
    *(many_prototypes, *ANYWHERE),
]


# The JSON of a comparison.


def _result(change):
    """A kind of damage: the records of a comparison, changed as dicts by a function."""

    def damage(data, integer):
        content = json.loads(data)
        records = content["records"]
        if content["format"] == 3:
            fields = content.pop("fields")
            records = [dict(zip(fields, row, strict=False)) for row in records]
        records = change(content, records, integer) or records
        content["records"] = records
        if content["format"] == 3:
            fields = [*dict.fromkeys(key for record in records[:50] for key in record)]
            content["fields"] = fields
            content["records"] = [[r.get(key) for key in fields] for r in records]
        return json.dumps(content, separators=(",", ":")).encode()

    damage.__name__ = change.__name__
    return damage


def _bare(records):
    return [{k: v for k, v in r.items() if k != "loss_curve"} for r in records]


_TEXTS = ["name", "init", "activation", "parameter", "dataset", "scoring", "extra"]


@_result
def long_words(content, records, integer):
    letter = ["a", "\u20ac", "\U0001f600", "\x1b[31m", "\u202e", "-"][integer(0, 5)]
    text, key = letter * _size(integer, 300_000), _TEXTS[integer(0, 6)]
    content["settings"][key] = text
    others = [r for r in records if r["init"] != "dbn"]
    for record in others[: [1, len(others)][integer(0, 1)]]:
        record[key] = text
    if len(text) < 10_000:  # a table as wide in many lines
        more = range(_size(integer, 300))
        return records + [r | {"n_labels": 11 + i} for i in more for r in records]
    return records


@_result
def many_seeds(content, records, integer):
    records = records if integer(0, 1) else _bare(records)
    seeds = range(_size(integer, 5000))
    return [
        record | {"seed": seed, "error": (seed % 97) / 1000 + record["error"]}
        for record in records
        if record["seed"] == 0
        for seed in seeds
    ]


@_result
def long_curves(content, records, integer):
    n = _size(integer, 60_000)
    step = integer(1, 3)
    curve = [[1 + step * i, 0.5] for i in range(n)]
    for record in records[: integer(1, 2 if n > 1000 else len(records))]:
        record["loss_curve"] = curve


@_result
def a_curve_of_many(content, records, integer):
    """One long curve that ends first, and short ones of many seeds."""
    n_seeds, n_points = _size(integer, 4000), _size(integer, 20_000)
    long = [[1 + i, 0.5] for i in range(n_points)]
    short = [[1, 0.5], [n_points + 1, 0.5]]
    return [
        record | {"seed": seed, "loss_curve": short if seed else long}
        for record in records
        if record["seed"] == 0
        for seed in range(n_seeds)
    ]


@_result
def many_contenders(content, records, integer):
    n = _size(integer, 5000)
    others = [r for r in _bare(records) if r["init"] != "dbn" and r["seed"] < 2]
    dbns = [r for r in _bare(records) if r["init"] == "dbn" and r["seed"] < 2]
    return dbns + [r | {"init": f"s{i}"} for r in others for i in range(n)]


@_result
def many_settings(content, records, integer):
    few = [r for r in _bare(records) if r["seed"] < 2]
    n = _size(integer, 3000)
    return [r | {"n_labels": 10 + i} for r in few for i in range(n)]


@_result
def deep_nets(content, records, integer):
    sizes = [1 + integer(0, 1) * (i % 2) for i in range(_size(integer, 100_000))]
    for record in records if len(sizes) < 5000 else records[:1]:
        record["hidden_layer_sizes"] = sizes


@_result
def many_records(content, records, integer):
    """Of a few values each, which are no records."""
    value = [0, 0.5, None, "", "ab", []][integer(0, 5)]
    fields = [*records[0]][: integer(0, 16)]
    return records + [dict.fromkeys(fields, value)] * _size(integer, 100_000)


@_result
def much_besides(content, records, integer):
    value = _ITEMS[integer(0, len(_ITEMS) - 1)]
    values = [value] * _size(integer, 300_000)
    if integer(0, 1):
        values = {f"k{i}": value for i in range(len(values) // 2)}
    place = [content, content["settings"], records[0]][integer(0, 2)]
    place["besides"] = values


RESULTS = [
    *(long_words, many_seeds, long_curves, a_curve_of_many, many_contenders),
    *(many_settings, deep_nets, many_records, much_besides),
]


# Data files.


def many_rows(data, integer):
    return b"a,kind\n" + b"1,x\n" * _size(integer, 300_000)


def many_columns(data, integer):
    n = _size(integer, 300_000)
    header = ",".join(f"c{i}" for i in range(n)).encode()
    return header + b",kind\n" + 2 * (b"1," * n + b"x\n")


def many_classes(data, integer):
    lines = (f"{i % 7},class{i}" for i in range(_size(integer, 200_000)))
    return ("a,kind\n" + "\n".join(lines) + "\n").encode()


def long_field(data, integer):
    buffer = io.StringIO()
    letter = ["a", "\x1b", "\u20ac", '"', "1"][integer(0, 4)]
    row = ["1", "x"]
    row[integer(0, 1)] = letter * _size(integer, min(csv.field_size_limit(), 131_000))
    csv.writer(buffer).writerows([["a", "kind"], ["1", "y"], row])
    return buffer.getvalue().encode()


TEXTS = [many_rows, many_columns, many_classes, long_field]


def many_sequences(data, integer):
    return gzip.compress(b">a\nA\n" * _size(integer, 1_000_000), mtime=0)


def long_sequences(data, integer):
    one = b">a\n" + b"AC" * _size(integer, 300_000) + b"\n"
    return gzip.compress(one * integer(1, 3), mtime=0)


SEQUENCES = [many_sequences, long_sequences]


def _npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def many_npz_rows(data, integer):
    n = _size(integer, 300_000)
    return _npz(X=np.ones((n, 1), "|u1"), y=np.arange(n) % 3)


def many_npz_columns(data, integer):
    n = _size(integer, 1_000_000)
    return _npz(X=np.ones((3, n), "|u1"), y=np.arange(3))


def many_labels(data, integer):
    n = _size(integer, 100_000)
    return _npz(X=np.ones((n, 1), "|u1"), y=np.arange(n).astype("U"))


def wide_labels(data, integer):
    n = _size(integer, 1000)
    return _npz(X=np.ones((n, 1), "|u1"), y=np.full(n, "x", f"U{n}"))


ARRAYS = [many_npz_rows, many_npz_columns, many_labels, wide_labels]


def large_idx(data, integer):
    shapes = [(_size(integer, 300_000), 1, 1), (12, 1, _size(integer, 100_000))]
    shape = shapes[integer(0, 1)]
    header = bytes([0, 0, 8, 3]) + np.array(shape, ">u4").tobytes()
    return header + bytes(int(np.prod(shape)))


# By the names of the formats.
GROWTH = {
    "model file": MODEL_FILES,
    "checkpoint of a machine": ANYWHERE,
    "checkpoint of a stack": ANYWHERE,
    "checkpoint of a net": ANYWHERE,
    "results.json": RESULTS,
    "csv": TEXTS,
    "fasta.gz": SEQUENCES,
    "npz": ARRAYS,
    "idx": [large_idx],
}
