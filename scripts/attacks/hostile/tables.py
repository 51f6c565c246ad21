"""The data files that `load_dataset` reads, and the JSON of a comparison."""

import gzip
import io
import json
import struct
import zipfile

import numpy as np
from scipy.io import savemat
from scipy.sparse import csr_array, save_npz

from dbn.evaluation import Comparison, load_dataset

from .archives import nodes
from .common import (
    ANY,
    SEEN,
    Bomb,
    Format,
    allowed,
    deflate_bomb,
    gzip_bomb,
)

_RNG = np.random.default_rng(0)
_X = _RNG.integers(0, 256, (12, 3, 2), dtype=np.uint8)
_Y = (np.arange(12) % 3).astype(np.uint8)


def _memory(n):
    """What refusing a file of n bytes may take; what is returned here is small."""
    return 20 * 10**6 + 10 * n


# IDX: four files, of which the first is damaged.


def idx(array, code=8):
    header = bytes([0, 0, code, array.ndim])
    return header + np.array(array.shape, ">u4").tobytes() + array.tobytes()


_IDX_REST = {
    "train-labels-idx1-ubyte": idx(_Y),
    "t10k-images-idx3-ubyte": idx(_X),
    "t10k-labels-idx1-ubyte": idx(_Y),
}


def _load_idx(path):
    for name, data in _IDX_REST.items():
        (path.parent / name).write_bytes(data)
    return load_dataset("mnist", data_home=path.parent)


def absurd_idx(data, integer):
    """A header that claims far more than the file has, or nothing."""
    sizes = [2**31, 2**32 - 1, 2**16, 10**6, 0]
    shape = [sizes[integer(0, 4)] for _ in range(integer(1, 4))]
    if len(shape) == 1:
        shape *= 2
    header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
    return header + data[16 : 16 + integer(0, 50)]


def other_code(data, integer):
    return data[:2] + bytes([9 + integer(0, 200), *data[3:]])


def reshaped(data, integer):
    shape = [integer(0, 20) for _ in range(integer(1, 4))]
    return idx(np.ones(shape, np.uint8))


def packed(kind):
    """The same damage inside a gzip file that is whole."""

    def damage(data, integer):
        return gzip.compress(kind(gzip.decompress(data), integer), mtime=0)

    damage.__name__ = f"{kind.__name__}_inside"
    return damage


def idx_bomb(data, integer):
    """Zeros without an end, as many as the header says or not."""
    n = integer(32, 512)
    shape = [n, 1000, 1000] if integer(0, 1) else [2**31, 2**31, 1]
    return gzip_bomb(n, bytes([0, 0, 8, 3]) + np.array(shape, ">u4").tobytes())


_IDX_DAMAGE = [absurd_idx, other_code]
IDX = Format(
    "idx",
    "train-images-idx3-ubyte",
    [idx(_X)],
    _load_idx,
    allowed(ANY, [reshaped], _IDX_DAMAGE),
    memory=_memory,
)
IDX_GZ = Format(
    "idx.gz",
    "train-images-idx3-ubyte.gz",
    [gzip.compress(idx(_X), mtime=0)],
    _load_idx,
    allowed(SEEN, [packed(reshaped)], [*map(packed, _IDX_DAMAGE), idx_bomb]),
    memory=_memory,
)


# .npz: arrays by name, or the parts of one CSR matrix.


def _members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(files, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in files.items():
            file.writestr(zipfile.ZipInfo(name), data, compression)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def npy_header(shape, descr="<f4"):
    buffer = io.BytesIO()
    about = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, about)
    return buffer.getvalue()


def _picked(files, integer):
    return list(files)[integer(0, len(files) - 1)]


def retyped(data, integer):
    """An array of another dtype or shape."""
    files = _members(data)
    kinds = ["<f8", ">f4", "<i8", "|b1", "<U3", "|u1", "<c8", "<M8[s]", "|V3", "|S2"]
    shape = [integer(0, 13) for _ in range(integer(0, 3))]
    fill = [0, 1, 200][integer(0, 2)]
    array = np.full(shape, fill, "|u1").astype(kinds[integer(0, len(kinds) - 1)])
    return zipped(files | {_picked(files, integer): npy(array)})


def wild(data, integer):
    """Numbers that are not finite, or are not as float32."""
    files = _members(data)
    value = [np.nan, np.inf, -np.inf, 1e300][integer(0, 3)]
    name = "X.npy" if "X.npy" in files else "data.npy"
    array = np.lib.format.read_array(io.BytesIO(files[name])).astype(float)
    array.flat[integer(0, array.size - 1)] = value
    return zipped(files | {name: npy(array)})


def absurd_npy(data, integer):
    """An array that claims far more than its member has."""
    files = _members(data)
    shapes = [(10**6, 10**6), (2**62,), (2**40, 0, 2**40), (2**31,), (-1, 3), (2**27,)]
    shape = shapes[integer(0, len(shapes) - 1)]
    descr = ["<f4", "<U0", "<U999999", "|u1", "<f8"][integer(0, 4)]
    damaged = npy_header(shape, descr) + bytes(integer(0, 100))
    return zipped(files | {_needed(files, integer): damaged})


def _needed(files, integer):
    """A member that is read, whatever else there is."""
    names = ["X.npy", "y.npy"] if "X.npy" in files else ["data.npy", "indices.npy"]
    return names[integer(0, 1)]


def odd_header(data, integer):
    """The dict of an .npy file that is none, or too deep, or too long."""
    odd = [
        *(b"(" * 9000, b"[" * 200 + b"]" * 200, b"{}", b"", b"\xff" * 9),
        *(b"__import__('os').abort()", b"{'descr': '<f4'}", b"1" * 20_000),
        b"{'descr': [('a', '<f4')] * 9, 'fortran_order': 1, 'shape': (1,)}",
    ]
    text = odd[integer(0, len(odd) - 1)]
    files = _members(data)
    damaged = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(99)
    return zipped(files | {_needed(files, integer): damaged})


def pickled(data, integer):
    """Python objects where an array should be, or instead of everything."""
    files = _members(data)
    array = npy(np.array([Bomb()] * 12, dtype=object))
    if integer(0, 1):
        return zipped(dict.fromkeys(files, array))
    return zipped(files | {_needed(files, integer): array})


def relabelled(data, size, method=8):
    """A zip file of one stored member that says it is packed, from `size` bytes."""
    data = bytearray(data)
    for signature, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        start = data.index(signature)
        data[start + at : start + at + 2] = struct.pack("<H", method)
        sizes = start + at + 14
        data[sizes : sizes + 4] = struct.pack("<I", size)
    return bytes(data)


def zip_bomb(data, integer):
    """A member that unpacks to hundreds of megabytes, and says so or not."""
    n, name = integer(32, 512), _needed(_members(data), integer)
    shape = (10**6, n) if integer(0, 1) else (10**6 * n,)
    start = npy_header(shape, "|u1")
    size = len(start) + 10**6 * n if integer(0, 3) else integer(0, 2**31)
    return relabelled(zipped({name: deflate_bomb(n, start)}), size)


def other_packing(data, integer):
    """Packed by what NumPy never uses, whose memory the file decides."""
    files = _members(data)
    method = [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA][integer(0, 1)]
    return zipped(files, method)


def path_names(data, integer):
    """Members whose names are paths: none of them is an array that is looked for."""
    prefix = ["../", "/etc/", "C:\\", "a/../", "./", "X.npy/"][integer(0, 5)]
    return zipped({prefix + name: content for name, content in _members(data).items()})


def many_members(data, integer):
    extra = {f"{i}.npy": b"" for i in range(integer(1000, 3000))}
    return zipped(_members(data) | extra)


_NPZ_FORGERIES = [retyped, many_members]
_NPZ_ATTACKS = [
    *(wild, absurd_npy, odd_header, pickled, zip_bomb, other_packing, path_names),
]


def _npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _npz_of(X):
    buffer = io.BytesIO()
    save_npz(buffer, X)
    return buffer.getvalue()


def wrong_indices(data, integer):
    """A CSR matrix whose indices would read foreign memory."""
    files = _members(data)
    name = ["indices", "indptr", "shape", "format", "data"][integer(0, 4)]
    starts = np.lib.format.read_array(io.BytesIO(files["indptr.npy"])).copy()
    traps = [2**31 - 1, -2, -(2**31), 2**30, 0, 1]
    for _ in range(integer(1, 3)):
        starts[integer(0, len(starts) - 1)] = traps[integer(0, 5)]
    if integer(0, 2) == 0:
        starts[-1] = 0  # no values: scipy looks at nothing more
    if integer(0, 1) and (np.diff(starts.astype(int)) < 0).any():
        return zipped(files | {"indptr.npy": npy(starts)})
    wrong = [
        *(np.full(36, 2**31 - 1, "<i4"), np.full(36, -1, "<i8"), np.arange(13) * 2**40),
        *(np.array([2**62, 2**62]), np.array([-1, 3]), np.array([12.5, 3])),
        *(np.array([], "<i4"), np.array(b"bsr"), np.array("dia"), np.array(3)),
        np.full((3, 3), 1),
    ]
    return zipped(files | {f"{name}.npy": npy(wrong[integer(0, len(wrong) - 1)])})


_CSR = csr_array(_X.reshape(12, 6) * (_X.reshape(12, 6) > 128.0))
NPZ = Format(
    "npz",
    "case.npz",
    [
        _npz(X=_X.reshape(12, 6) / 256, y=_Y),
        _npz(X=_X.reshape(12, 6), y=_Y.astype(str), X_test=np.eye(6), y_test=_Y[:6]),
    ],
    load_dataset,
    allowed(ANY, _NPZ_FORGERIES, _NPZ_ATTACKS),
    memory=_memory,
)
NPZ_CSR = Format(
    "npz of a csr matrix",
    "case.npz",
    [_npz_of(_CSR)],
    load_dataset,
    allowed(ANY, _NPZ_FORGERIES, [*_NPZ_ATTACKS, wrong_indices]),
    memory=_memory,
)


# .csv


def strange_field(data, integer):
    """A field that is no number, or one in name only."""
    odd = [
        *("nan", "inf", "1e999", "-1e39", "", "x", "0x1p3", "1\0", "\ud83d\ude00", '"'),
        *("1" * 100_000, "=cmd()", "a" * 140_000, "1;2", "1\t2", "None", "\u202e1"),
    ]
    text = odd[integer(0, len(odd) - 1)].encode("utf-8", "surrogatepass")
    rows = [row.split(b",") for row in data.splitlines()]
    rows[integer(0, len(rows) - 1)][integer(0, 2)] = text
    return b"\n".join(b",".join(row) for row in rows)


def long_label(data, integer):
    """One label as long as is allowed, and many rows: an array of all is huge."""
    return b"1,2," + b"a" * integer(100_000, 131_000) + b"\n1,2,b" * integer(2000, 9000)


def encoded(data, integer):
    return data.decode().encode(["utf-16", "utf-32", "utf-7"][integer(0, 1)])


def many_columns(data, integer):
    return b"1," * integer(10, 50_000) + b"a\n" + b"1,2\n"


def many(data, integer):
    """Large in one dimension: rows, columns, cells, lines, labels, or a single cell."""
    n = integer(1000, 100_000)
    rows = [
        *(b"1,2\n" * n, b"12,345\n" * n, (b"12," * n + b"1\n") * 3, b"\n" * n),
        *(b",\n" * n, b"?,a\n" * n, b"ab,cd\n" * n, b'"1","2"\n' * n),
        *(b"a,b\n" + b"1" * n + b",2\n1,2\n", b"1," + b"a" * n + b"\n1,b\n"),
        b"".join(b"1,a%d\n" % i for i in range(n)),
        b"".join(b"%d;0,%d\n" % (i, i) for i in range(n)),
        "1,\U0001f600\n".encode() * n,
    ]
    return rows[integer(0, len(rows) - 1)]


CSV = Format(
    "csv",
    "case.csv",
    [b"a,b,kind\n0.5,1,x\n1,0,y\n0.25,3,x\n" * 1, b"1,2,0\n3,4,1\n"],
    load_dataset,
    allowed(ANY, [strange_field, many], [long_label, encoded, many_columns]),
    memory=_memory,
)


def many_packed(data, integer):
    return gzip.compress(many(data, integer), mtime=0)


CSV_GZ = Format(
    "csv.gz",
    "case.csv.gz",
    [gzip.compress(data, mtime=0) for data in CSV.samples],
    load_dataset,
    allowed(SEEN, [many_packed], [packed(long_label), packed(encoded)]),
    memory=_memory,
)


# MATLAB 5


def _mat(packed):
    buffer = io.BytesIO()
    words = csr_array(_X.reshape(12, 6) > 128).T.tocsc()
    arrays = {"documents": words, "newsgroups": _Y[None, :].astype(np.uint8)}
    savemat(buffer, arrays, do_compression=packed)
    return buffer.getvalue()


_MAT_HEADER = _mat(False)[:128]


def _element(kind, content):
    return struct.pack("<2I", kind, len(content)) + content + bytes(-len(content) % 8)


def _matrix(kind, *parts, name=b"documents"):
    about = _element(6, struct.pack("<2I", kind, 0)) + _element(
        5, struct.pack("<2i", 3, 3)
    )
    return _element(14, about + _element(1, name) + b"".join(parts))


def absurd_element(data, integer):
    """Numbers that claim more than there is: scipy sets it aside."""
    claim = struct.pack("<2I", integer(1, 13), integer(2**16, 2**32 - 1))
    return _MAT_HEADER + _matrix([5, 6, 9][integer(0, 2)], claim + bytes(64))


def nested_cells(data, integer):
    """Cells in cells, deeper than the stack of C."""
    inner = b""
    pieces, size = [], 0
    start = _matrix(1)[8:]
    for _ in range(integer(10, 20_000)):
        size += len(start) + 8
        pieces.append(struct.pack("<2I", 14, size) + start)
    inner = b"".join(reversed(pieces))
    return _MAT_HEADER + inner


def wrong_sparse(data, integer):
    """A sparse matrix whose indices lie outside, or go back."""
    rows = np.array([[0, 1, 2**30], [-1, 0, 1], [0, 1, 9]][integer(0, 2)], "<i4")
    starts = [[0, 1, 2, 3], [0, 9, 9, 9], [3, 2, 1, 0], [0, 1, -2, 3], []]
    starts += [[0, 1, 2, 2**31 - 1], [0, 2**30, 1, 0], [0, 2**31 - 1, -2, 3]]
    starts = np.array(starts[integer(0, 7)], "<i4")
    parts = [_element(5, part.tobytes()) for part in (rows, starts)]
    parts.append(_element(9, np.ones(3).tobytes()))
    return _MAT_HEADER + _matrix(5, *parts)


def mat_bomb(data, integer):
    start = _element(14, b"")[:4] + struct.pack("<I", integer(0, 2**31))
    stream = b"\x78\x9c" + deflate_bomb(integer(32, 512), start)
    return _MAT_HEADER + struct.pack("<2I", 15, len(stream)) + stream


MAT = Format(
    "mat",
    "20news_w100.mat",
    [_mat(False), _mat(True)],
    lambda path: load_dataset("20newsgroups", data_home=path.parent),
    allowed(ANY, [], [absurd_element, nested_cells, wrong_sparse, mat_bomb]),
    memory=_memory,
)


# FASTA


def other_letters(data, integer):
    odd = [b"*", b"x", b"\xff", b"B", b"\0", b"1"][integer(0, 5)]
    return gzip.compress(gzip.decompress(data) + odd, mtime=0)


def text_bomb(data, integer):
    return gzip_bomb(integer(100, 512), [b"", b">a\n", b">a\nAC"][integer(0, 2)])


def letter_bomb(data, integer):
    """Letters that are few as text and many as one-hot rows."""
    return gzip.compress(b">a\n" + b"A" * integer(10**6, 5 * 10**6), mtime=0)


def many_sequences(data, integer):
    """Sequences, letters or names without an end, each of a few bytes."""
    text = [b">a\nA\n", b">\n", b">a\nAC\nDE\n", b">a\n\n"][integer(0, 3)]
    text *= integer(1000, 2 * 10**6)
    return gzip.compress(text, mtime=0) if integer(0, 1) else text[:500_000]


_PROTEINS = gzip.compress(b">a\nACD\nEF\n>b\nGH-IK\n>c\nACDEF\n", mtime=0)
FASTA = Format(
    "fasta.gz",
    "ww_domain_msa.fasta.gz",
    [_PROTEINS],
    lambda path: load_dataset("proteins", data_home=path.parent),
    allowed(SEEN, [many_sequences], [other_letters, text_bomb, letter_bomb]),
    memory=_memory,
)


# The JSON of a comparison.


def _comparison(format):
    records = []
    for init, errors in (("dbn", [0.1, 0.12, 0.11]), ("he_normal", [0.2, 0.15, 0.18])):
        base = {"hidden_layer_sizes": [5, 5], "n_labels": 10, "init": init}
        base |= {"activation": "logistic", "dropout": 0.0}
        base |= {"parameter": "learning_rate", "value": 0.1}
        base |= {"pretrain_seconds": 0.5, "finetune_seconds": 1}
        base |= {"pretrain_multiply_adds": 9, "finetune_multiply_adds": 5}
        base |= {"loss_curve": [[1, 0.5], [9, 0.25]]}
        for seed, error in enumerate(errors):
            record = {**base, "seed": seed, "error": error}
            records += [{"stage": stage, **record} for stage in ("tune", "test")]
    settings = {"dataset": "toy", "fixed_test_split": False, "n_train": 9, "n_test": 3}
    settings["scoring"] = "accuracy"
    content = {"format": format, "settings": settings, "records": records}
    if format == 3:
        content["fields"] = [*records[0]]
        content["records"] = [[*record.values()] for record in records]
    return json.dumps(content).encode()


def _told(path):
    result = Comparison.from_json(path)
    # Not the curves: whatever they take would then be in proportion to the result.
    return [result.table(), result.verdict(), [*result.curves()]]


_JSON_VALUES = [
    *(None, True, 0, -1, 10**400, 1e300, -1e300, 0.5, "", "x", [], {}, [[]], [0], [1]),
    *([10**30], {"a": 1}, "dbn", "test", "tune", [5, "a"], [2**60], "\ud800"),
]


def rewritten(data, integer):
    content = json.loads(data)
    for _ in range(integer(1, 3)):
        found = nodes(content)
        if not found:
            break
        tree, key = found[integer(0, len(found) - 1)]
        action = integer(0, 2)
        if action == 0:
            tree[key] = _JSON_VALUES[integer(0, len(_JSON_VALUES) - 1)]
        elif action == 1:
            del tree[key]
        else:
            other, name = found[integer(0, len(found) - 1)]
            tree[key] = json.loads(json.dumps(other[name]))
    return json.dumps(content).encode()


def deep_json(data, integer):
    opening = [b"[", b'{"a":', b'{"settings":['][integer(0, 2)]
    n = integer(1000, 100_000)
    return opening * n + (b"]" * n if opening == b"[" and integer(0, 1) else b"")


def not_json(data, integer):
    """NaN, an infinity, two numbers, a name twice, a long number, other encodings."""
    odd = [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"9" * 5000,
        b"0.1 0.1",
        b"'a'",
    ]
    i = integer(0, len(odd) + 2)
    if i < len(odd):
        return data.replace(b"0.12", odd[i])
    if i == len(odd):
        return b'{"format": 2, ' + data.removeprefix(b"{")
    return data.decode().encode("utf-16" if i == len(odd) + 1 else "utf-32")


def raw_bytes(data, integer):
    return data.replace(b"toy", bytes([integer(128, 255)]))


RESULTS = Format(
    "results.json",
    "results.json",
    [_comparison(2), _comparison(3)],
    _told,
    allowed(ANY, [rewritten], [deep_json, not_json, raw_bytes]),
)

TABLES = [IDX, IDX_GZ, NPZ, NPZ_CSR, CSV, CSV_GZ, MAT, FASTA, RESULTS]
