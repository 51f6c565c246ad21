"""Plain data to JSON values and back, and what is refused on either way."""

import json
import math
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest
from hostile.common import same
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dbn.backend.random import make_rng
from dbn.storage import packing
from dbn.storage.packing import (
    ModelFileError,
    Packer,
    json_bytes,
    parse_json,
    printable,
    unpack,
)


def there_and_back(value):
    packer = Packer()
    text = json.dumps(packer.pack(value), allow_nan=False)
    return unpack(json.loads(text), packer.arrays)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)
)
arrays = hnp.arrays(
    st.sampled_from(["?", "i1", "u2", "i4", "i8", "f2", "f4", "f8", "U3"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
numpy_scalars = hnp.arrays(st.sampled_from(["?", "u1", "i8", "f4", "f8"]), 1).map(
    lambda array: array[0]
)
plain = st.recursive(
    st.one_of(scalars, arrays, numpy_scalars),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.dictionaries(st.integers() | st.just("$array"), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(plain)
def test_everything_plain_comes_back_to_the_bit(value):
    assert same(there_and_back(value), value)


def test_the_comparison_above_sees_differences():
    for a, b in [
        (1, 1.0),
        (1, True),
        ((1,), [1]),
        (np.zeros(1), np.zeros(1, np.float32)),
        (np.zeros(2), np.array([0.0, -0.0])),
        (np.float64(1), 1.0),
        ({"a": 1}, {"a": 2}),
        ([1], [1, 2]),
    ]:
        assert not same(a, b)
    assert same([math.nan, np.array([math.nan])], [math.nan, np.array([math.nan])])


def test_arrays_of_objects_hold_plain_data():
    labels = np.array(["low", None, 3, [1, 2]], dtype=object)
    assert same(there_and_back(labels), labels)


def test_a_random_stream_goes_on():
    for rng in (make_rng(0), make_rng(0).spawn(2)[1].spawn(1)[0]):
        rng.random(5, dtype=np.float32)
        rng.spawn(3)
        back = there_and_back({"rng": rng})["rng"]
        assert same(back, rng)
        for a, b in ((back, rng), (*back.spawn(1), *rng.spawn(1))):
            np.testing.assert_array_equal(a.random(9), b.random(9))
            np.testing.assert_array_equal(a.integers(9, size=9), b.integers(9, size=9))


def test_an_array_that_occurs_twice_is_kept_once():
    W = np.zeros(3)
    packer = Packer()
    packed = packer.pack({"a": W, "b": [W, W.copy()]})
    assert list(packer.arrays) == ["a", "b.1"]
    back = unpack(packed, packer.arrays)
    assert back["a"] is back["b"][0]


def test_names_of_arrays_are_harmless_and_differ():
    packer = Packer()
    packer.pack({"../x": np.zeros(1), "__/x": np.ones(1), "k" * 500: np.ones(1)})
    assert list(packer.arrays)[:2] == ["_.._x", "___x"]
    packer.pack({"../x": np.zeros(1)})
    packer.pack(np.zeros(1))
    assert list(packer.arrays)[3:] == ["_.._x_1", "_"]
    assert max(map(len, packer.arrays)) < 200


def test_big_endian_and_fortran_arrays_keep_their_values():
    for array in (np.arange(6, dtype=">i4").reshape(2, 3), np.eye(3)[:, :2].T):
        back = there_and_back(array)
        np.testing.assert_array_equal(back, array)
        assert back.flags.c_contiguous and back.dtype.isnative


@pytest.mark.parametrize(
    "value",
    [
        1j,
        b"bytes",
        {1},
        object(),
        print,
        OrderedDict(),
        np.zeros(2, dtype=complex),
        np.zeros(2, dtype="M8[s]"),
        np.zeros(2, dtype=[("a", int)]),
        np.array([[None]], dtype=object),
        np.array([object()]),
        np.longdouble(1),
        np.random.default_rng(0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_is_refused_with_its_place(value):
    with pytest.raises(ModelFileError, match=r"a\.1.* cannot be put in a file: it is"):
        Packer().pack({"a": [0, value]})


def test_deep_nesting_is_refused():
    value = []
    for _ in range(200):
        value = [value]
    with pytest.raises(ModelFileError, match="nested too deeply"):
        Packer().pack(value)
    with pytest.raises(ModelFileError, match="nested too deeply"):
        unpack(value, {})


def test_dicts_are_as_deep_as_other_things():
    value = 0
    for _ in range(60):
        value = {1: value}
    assert there_and_back(value) == value


# Memory and time.

_VALUES = [
    *("[]", "[0]", "[0.5]", "[1000,0.5]", "{}", '{"a":0}', '""', '"abcdefg"', "1000"),
    *('{"a":0,"b":0}', "[[[0]]]", '"\\u1234"', '"\\ud83d\\ude00aaaaaaaa"', '{"":{}}'),
    *('["ab"]', "[1000,1000,1000,1000,1000]", '"\U0001f600bbbbbbbb"', "12345678901"),
    "{" + ",".join(f'"k{i}":1000' for i in range(11)) + "}",
]


@pytest.mark.parametrize("value", _VALUES)
def test_memory_of_json_is_known_before_it_is_parsed(value, monkeypatch):
    monkeypatch.setattr(packing, "_ROOM", 10**12)
    text = "[" + ",".join([value] * 20_000) + "]"
    tracemalloc.start()
    try:
        values = parse_json(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(values) == 20_000
    assert json_bytes(text) > 0.98 * peak


def test_values_are_in_proportion_to_their_file():
    text = "[" + "[]," * 10**6 + "[]]"
    with pytest.raises(ModelFileError, match=r"\d bytes of memory, where 36000032 are"):
        parse_json(text)
    assert len(parse_json(text, 2 * 10**7)) == 10**6 + 1


def test_an_object_of_many_different_names_is_refused():
    names = [f'"{i}":0' for i in range(2**14 + 1)]
    assert len(parse_json("{" + ",".join(names[1:]) + "}")) == 2**14
    apart = ",".join(f"{{{name}}}" for name in names)
    for text in ("{" + ",".join(names) + "}", f"[{apart}]"):
        with pytest.raises(ModelFileError, match="more than 16384 different names"):
            parse_json(text)
    # Strings are whole, whatever they hold.
    tricky = ",".join(f'":{i}":"\\\\"' for i in range(2**14 + 1))
    with pytest.raises(ModelFileError, match="different names"):
        parse_json("{" + tricky + "}")
    assert len(parse_json("[" + '"a:\\":",' * 20_000 + "0]")) == 20_001


@pytest.mark.parametrize("key", [lambda i: i, lambda i: {"$tuple": [0, i]}])
def test_keys_with_one_hash_are_refused(key):
    pairs = [[key(i * (2**61 - 1)), 0] for i in range(102)]
    with pytest.raises(ModelFileError, match="101 keys with hashes of others"):
        unpack({"$dict": pairs}, {})
    assert len(unpack({"$dict": [[i, 0] for i in range(-500, 500)]}, {})) == 1000


def test_streams_and_their_seeds_are_few():
    packer = Packer()
    stream = packer.pack(make_rng(0))
    copies = [json.loads(json.dumps(stream)) for _ in range(1001)]
    with pytest.raises(ModelFileError, match="more than 1000 random streams"):
        unpack(copies, packer.arrays)
    stream["$rng"]["seed"][1] = {"$tuple": [1] * 101}
    with pytest.raises(ModelFileError, match="a seed of 101 numbers"):
        unpack(stream, packer.arrays)


def test_what_is_printed_is_printable():
    assert printable("na\u00efve \u4e2d\u6587") == "na\u00efve \u4e2d\u6587"
    hidden = "\x1b]0;a\x07 \r\n \u202e \u200b \x9b \ud800"
    assert printable(hidden).isprintable()
    assert printable(hidden).startswith(r"\x1b]0;a\x07 \r\n \u202e \u200b \x9b \ud800")
    assert len(printable("a" * 1000)) == 100


@pytest.mark.parametrize(
    "value",
    [
        {"$evil": 1},
        {"$tuple": 1},
        {"$tuple": [], "b": 1},
        {"$array": ["a"]},
        {"$array": "missing"},
        {"$float": "1"},
        {"$dict": [1]},
        {"$dict": [[[], 1]]},
        {"$scalar": ["<f8", "1"]},
        {"$scalar": ["<f8", True]},
        {"$scalar": ["|i1", 300]},
        {"$scalar": ["|O", 1]},
        {"$scalar": [1, 1]},
        {"$scalar": []},
        {"$rng": []},
        {"$rng": {}},
        {"$rng": {"state": {}, "seed": [1, [], 0]}},
        {"$rng": {"state": {}, "seed": [-1, [], 0]}},
        {"$rng": {"state": {}, "seed": [1, "a", 0]}},
        {"$rng": {"state": {}, "seed": [1, [], 0], "pool_size": 10**9}},
    ],
    ids=str,
)
def test_wrong_tags_are_refused(value):
    with pytest.raises((ValueError, LookupError, TypeError, ArithmeticError)):
        unpack(value, {})
