"""Broken and malicious files of every format: refused in one way, or loaded."""

import gzip
import pickle
import random
import tracemalloc

import numpy as np
import pytest
from hostile import FORMATS
from hostile.arrays import IDX_GZ, NPZ, relabelled
from hostile.common import Bomb, deflate_bomb, gzip_bomb
from hostile.containers import npy, npy_header, zipped
from hostile.texts import CSV, FASTA
from hypothesis import given, settings
from hypothesis import strategies as st

from dbn import ModelFileError
from dbn.evaluation import Comparison, load_dataset

EACH = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)


@EACH
def test_every_kind_of_damage(format, tmp_path):
    """Each at least once, whatever Hypothesis chooses."""
    for kind in format.allowed:
        format.check(kind, tmp_path, random.Random(0).randint)


@EACH
def test_damaged_files(format, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    seen = set()

    @settings(max_examples=10)
    @given(st.data())
    def check(data):
        def integer(low, high):
            return data.draw(st.integers(low, high))

        kinds = list(format.allowed)
        seen.add(format.check(kinds[integer(0, len(kinds) - 1)], folder, integer))

    check()
    assert "refused" in seen


@EACH
def test_good_files_load(format, tmp_path):
    """Guards the tests above against a loader that refuses everything."""
    for data in format.samples:
        assert format.outcome(data, tmp_path / format.file) == "another"


def test_the_guard_sees_memory_and_foreign_errors(tmp_path, monkeypatch):
    """And against a guard that lets everything pass."""
    monkeypatch.setattr(NPZ, "load", lambda path: np.zeros(2**26, np.uint8).sum())
    with pytest.raises(AssertionError, match="bytes were used"):
        NPZ.outcome(b"", tmp_path / "case.npz")
    monkeypatch.setattr(NPZ, "load", lambda path: {}["key"])
    with pytest.raises(KeyError):
        NPZ.outcome(b"", tmp_path / "case.npz")
    with pytest.raises(SystemExit):
        pickle.loads(pickle.dumps(Bomb()))


def test_a_refusal_is_a_value_error():
    assert issubclass(ModelFileError, ValueError)
    assert all(issubclass(format.refusal, ValueError) for format in FORMATS)


@pytest.mark.parametrize("format", [IDX_GZ, NPZ], ids=lambda format: format.name)
def test_a_gigabyte_of_zeros_is_not_unpacked(format, tmp_path, monkeypatch):
    """From a file of one megabyte."""
    if format is NPZ:
        start = npy_header((1000, 10**6), "|u1")
        packed = zipped({"X.npy": deflate_bomb(1000, start)})
        data = relabelled(packed, len(start) + 10**9)
    else:
        shape = np.array([1000, 1000, 1000], ">u4").tobytes()
        data = gzip_bomb(1000, b"\0\0\x08\3" + shape)
    monkeypatch.setattr(format, "memory", lambda n: 200 * 10**6)
    assert format.outcome(data, tmp_path / format.file) == "refused"
    with pytest.raises(ValueError, match="bytes of memory or more, where"):
        format.load(tmp_path / format.file)


def test_what_is_large_is_read_where_it_is_large_on_the_disk(tmp_path):
    """Zeros that are not packed are no bomb."""
    path = tmp_path / "large.npz"
    path.write_bytes(zipped({"X.npy": npy(np.zeros((5000, 1000), np.float32))}))
    assert load_dataset(path).X.shape == (5000, 1000)
    np.savez_compressed(tmp_path / "packed.npz", X=np.zeros((5000, 1000), np.float32))
    with pytest.raises(ValueError, match=r"write it again without compression"):
        load_dataset(tmp_path / "packed.npz")


def test_an_array_is_set_aside_when_its_bytes_are_there(tmp_path):
    path = tmp_path / "case.npz"
    path.write_bytes(zipped({"X.npy": npy_header((2**20, 2**20))}))
    with pytest.raises(ValueError, match=r"X is cut off: its shape is \(1048576, 10"):
        load_dataset(path)


def test_an_idx_header_sets_nothing_aside(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x08\2" + np.array([2**31, 2**31], ">u4").tobytes())
    with pytest.raises(ValueError, match=f"should hold {2**62} bytes"):
        load_dataset("mnist", data_home=tmp_path)


def test_labels_are_not_widened_to_the_longest(tmp_path):
    """An array of strings has room for the longest in every row."""
    path = tmp_path / "case.csv"
    path.write_bytes(b"1,2," + b"a" * 100_000 + b"\n1,2,b" * 10_000)
    with pytest.raises(ValueError, match=r"would take 40004\d* bytes of memory"):
        load_dataset(path)


GROWN = {
    "sequences": (FASTA, gzip.compress(b">a\nA\n" * 5_000_000, mtime=0)),
    "names": (FASTA, gzip.compress(b">\n" * 4_000_000, mtime=0)),
    "rows": (CSV, b"1,2\n" * 100_000),
    "labels": (CSV, b"".join(b"1,a%d\n" % i for i in range(40_000))),
    "columns": (CSV, (b"12," * 30_000 + b"1\n") * 5),
    "one line": (CSV, b"12," * 300_000 + b"1\n"),
    "one cell": (CSV, b"1,2\n1," + b"a" * 10**6),
    "missing values": (CSV, b"?,1\n" * 100_000),
    "zeros": (NPZ, zipped({"X.npy": npy(np.zeros((1, 10**8), bool))}, 8)),
    "members": (NPZ, zipped({f"{i}": b"" for i in range(30_000)})),
}


@pytest.mark.parametrize("kind", GROWN)
def test_what_is_large_in_one_dimension_takes_memory_in_proportion(kind, tmp_path):
    """20 MB and 10 times the file, or 3 times what is returned."""
    format, data = GROWN[kind]
    path = tmp_path / format.file
    path.write_bytes(data)
    tracemalloc.start()
    try:
        found = loaded(format, path)
        returned = found.X.nbytes + found.y.nbytes if found else 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 10**6 + max(10 * len(data), 3 * returned)
    assert (returned > 0) == (kind in ("rows", "labels", "columns"))


def loaded(format, path):
    try:
        return format.load(path)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 2, "format": 2}', "a name twice"),
        ('{"format": NaN}', "holds NaN, which is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": 1}', "format 2 or 3 but of format 1"),
        ('{"format": 2}', "None is no dict"),
        ('{"format": 2, "settings": {}, "records": []}', "dataset is None"),
        ('{"format": 3, "settings": {}, "records": [{}]}', "dataset is None"),
        (b"\xff\xfe{}", "not a JSON file"),
    ],
)
def test_json_that_is_no_comparison(text, message, tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        Comparison.from_json(path)


def test_gzip_in_gzip_is_not_followed(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.compress(b"\0\0\x08\1\0\0\0\1a")))
    with pytest.raises(ValueError, match="not an IDX file"):
        load_dataset("mnist", data_home=tmp_path)
