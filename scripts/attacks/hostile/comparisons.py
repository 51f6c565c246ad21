"""The JSON of a comparison of initializers."""

import json
from functools import wraps
from itertools import product

from dbn.evaluation import Comparison

from .common import ANY, Format, allowed, pick, rewrite, size_up_to
from .containers import shortest
from .growth import ITEMS


def _comparison(format):
    errors = {"dbn": [0.1, 0.12, 0.11], "he_normal": [0.2, 0.15, 0.18]}
    records = [
        {
            "stage": stage,
            **{"hidden_layer_sizes": [5, 5], "n_labels": 10, "init": init},
            **{"activation": "logistic", "dropout": 0.0},
            **{"parameter": "learning_rate", "value": 0.1},
            **{"pretrain_seconds": 0.5, "finetune_seconds": 1},
            **{"pretrain_multiply_adds": 9, "finetune_multiply_adds": 5},
            **{"loss_curve": [[1, 0.5], [9, 0.25]]},
            **{"seed": seed, "error": errors[init][seed]},
        }
        for init, seed, stage in product(errors, range(3), ("tune", "test"))
    ]
    settings = {
        **{"dataset": "toy", "fixed_test_split": False, "n_train": 9, "n_test": 3},
        "scoring": "accuracy",
    }
    content = {"format": format, "settings": settings, "records": records}
    if format == 3:
        content["fields"] = [*records[0]]
        content["records"] = [[*record.values()] for record in records]
    return json.dumps(content).encode()


def _told(path):
    result = Comparison.from_json(path)
    # Not the curves: whatever they take would then be in proportion to the result.
    return [result.table(), result.verdict(), [*result.curves()]]


_VALUES = [
    *(None, True, 0, -1, 10**400, 1e300, -1e300, 0.5, "", "x", [], {}, [[]], [0], [1]),
    *([10**30], {"a": 1}, "dbn", "test", "tune", [5, "a"], [2**60], "\ud800"),
]


def rewritten(data, integer):
    content = json.loads(data)
    rewrite(content, integer, _VALUES, ["seed", "error", "records", "a"])
    return json.dumps(content).encode()


def deep_json(data, integer):
    opening = pick(integer, [b"[", b'{"a":', b'{"settings":['])
    n = integer(1000, 100_000)
    closing = b"]" if opening == b"[" and integer(0, 1) else b""
    return opening * n + closing * n


def not_json(data, integer):
    """NaN, an infinity, two numbers, a name twice, a long number, other encodings."""
    odd = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5000, b"0.1 0.1", b"'a'"]
    others = [data.replace(b"0.12", text) for text in odd]
    others.append(b'{"format": 2, ' + data.removeprefix(b"{"))
    others += [data.decode().encode(name) for name in ("utf-16", "utf-32")]
    return pick(integer, others)


def raw_bytes(data, integer):
    return data.replace(b"toy", bytes([integer(128, 255)]))


# Large in one dimension.


def _of_records(change):
    """A kind of damage: the records, changed as dicts by a function, or others."""

    @wraps(change)
    def damage(data, integer):
        content = json.loads(data)
        records = content["records"]
        if content["format"] == 3:
            fields = content.pop("fields")
            records = [dict(zip(fields, row, strict=False)) for row in records]
        content["records"] = records = change(content, records, integer) or records
        if content["format"] == 3:
            fields = [*dict.fromkeys(key for record in records[:50] for key in record)]
            content["fields"] = fields
            content["records"] = [[r.get(key) for key in fields] for r in records]
        return shortest(content)

    return damage


def _bare(records):
    return [{k: v for k, v in r.items() if k != "loss_curve"} for r in records]


_TEXTS = ["name", "init", "activation", "parameter", "dataset", "scoring", "extra"]


@_of_records
def long_words(content, records, integer):
    letter = pick(integer, ["a", "\u20ac", "\U0001f600", "\x1b[31m", "\u202e", "-"])
    text, key = letter * size_up_to(300_000, integer), pick(integer, _TEXTS)
    content["settings"][key] = text
    others = [r for r in records if r["init"] != "dbn"]
    for record in others[: pick(integer, [1, len(others)])]:
        record[key] = text
    if len(text) < 10_000:  # a table as wide in many lines
        numbers = range(11, 11 + size_up_to(300, integer))
        return records + [r | {"n_labels": n} for n in numbers for r in records]


@_of_records
def many_seeds(content, records, integer):
    records = records if integer(0, 1) else _bare(records)
    seeds = range(size_up_to(5000, integer))
    return [
        record | {"seed": seed, "error": (seed % 97) / 1000 + record["error"]}
        for record in records
        if record["seed"] == 0
        for seed in seeds
    ]


@_of_records
def long_curves(content, records, integer):
    n, step = size_up_to(60_000, integer), integer(1, 3)
    curve = [[1 + step * i, 0.5] for i in range(n)]
    for record in records[: integer(1, 2 if n > 1000 else len(records))]:
        record["loss_curve"] = curve


@_of_records
def a_curve_of_many(content, records, integer):
    """One long curve that ends first, and short ones of many seeds."""
    n_seeds, n_points = size_up_to(4000, integer), size_up_to(20_000, integer)
    long = [[1 + i, 0.5] for i in range(n_points)]
    short = [[1, 0.5], [n_points + 1, 0.5]]
    return [
        record | {"seed": seed, "loss_curve": short if seed else long}
        for record in records
        if record["seed"] == 0
        for seed in range(n_seeds)
    ]


@_of_records
def many_contenders(content, records, integer):
    n = size_up_to(5000, integer)
    few = [r for r in _bare(records) if r["seed"] < 2]
    dbns = [r for r in few if r["init"] == "dbn"]
    others = [r for r in few if r not in dbns]
    return dbns + [r | {"init": f"s{i}"} for r in others for i in range(n)]


@_of_records
def many_settings(content, records, integer):
    few = [r for r in _bare(records) if r["seed"] < 2]
    n = size_up_to(3000, integer)
    return [r | {"n_labels": 10 + i} for r in few for i in range(n)]


@_of_records
def deep_nets(content, records, integer):
    sizes = [1 + integer(0, 1) * (i % 2) for i in range(size_up_to(100_000, integer))]
    for record in records if len(sizes) < 5000 else records[:1]:
        record["hidden_layer_sizes"] = sizes


@_of_records
def many_records(content, records, integer):
    """Of a few values each, which are no records."""
    value = pick(integer, [0, 0.5, None, "", "ab", []])
    one = dict.fromkeys([*records[0]][: integer(0, 16)], value)
    return records + [one] * size_up_to(100_000, integer)


@_of_records
def much_besides(content, records, integer):
    values = [pick(integer, ITEMS)] * size_up_to(300_000, integer)
    if integer(0, 1):
        values = {f"k{i}": value for i, value in enumerate(values[::2])}
    pick(integer, [content, content["settings"], records[0]])["besides"] = values


_GROWTH = [
    *(long_words, many_seeds, long_curves, a_curve_of_many, many_contenders),
    *(many_settings, deep_nets, many_records, much_besides),
]
RESULTS = Format(
    "results.json",
    "results.json",
    [_comparison(2), _comparison(3)],
    _told,
    allowed(ANY, [rewritten], [deep_json, not_json, raw_bytes], _GROWTH),
)
