"""Model files and checkpoints: zip files of JSON and arrays, with checksums."""

import hashlib
import io
import json
import pickle
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
from sklearn.base import clone

from dbn import (
    DBNClassifier,
    DBNTransformer,
    ModelFileError,
    RBMTransformer,
    load_model,
)
from dbn.estimators.records import describe
from dbn.training import Checkpoint

from .common import SEEN, Bomb, Format, allowed

FIXTURES = sorted((Path(__file__).parents[3] / "tests" / "data").glob("model-v*.dbn"))


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def zipped(files, compression=zipfile.ZIP_STORED, comment=None):
    """A zip file of (name, bytes) pairs, with the right checksum of the header."""
    files = list(files.items()) if isinstance(files, dict) else files
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files:
            archive.NameToInfo.pop(name, None)  # no warning about a name used twice
            archive.writestr(zipfile.ZipInfo(name), data, compression)
        text = dict(files).get("model.json", b"")
        archive.comment = (comment or hashlib.sha256(text).hexdigest()).encode()
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def with_header(data, change):
    """The file with its JSON header changed in place by a function."""
    files = members(data)
    header = json.loads(files["model.json"])
    change(header)
    files["model.json"] = json.dumps(header).encode()
    return zipped(files)


# Forgeries: the checksums match.

_VALUES = [
    *(None, True, 0, -1, 2**63, 10**30, -(10**30), 1.5, 1e308, "", "x", "../x", [], {}),
    *([[]], [-1], [2**40, 2**40], "|O", "<f8", "<U9", "<f4", ">f8", "O", "os.system"),
    *({"$array": "no"}, {"$tuple": [1]}, {"$float": "nan"}, {"$scalar": ["<f4", 1e99]}),
    *({"$dict": [[[], 1]]}, {"$objects": [1, "a"]}, {"$evil": 1}, {"$tuple": 1}),
    *({"__class__": "os.system", "params": {}}, {"__class__": "training.SGD"}),
    *({"__class__": "boltzmann.Softmax", "params": {"n_states": "x"}},),
    *({"__class__": "boltzmann.Bernoulli", "params": {"a": 1}}, {"__class__": []}),
]


def nodes(tree):
    """All (container, key) pairs of a JSON tree."""
    keys = tree if isinstance(tree, dict) else range(len(tree))
    found = [(tree, key) for key in keys]
    for key in keys:
        if isinstance(tree[key], dict | list):
            found += nodes(tree[key])
    return found


def rewritten(data, integer):
    """Values of the header replaced, removed, renamed or exchanged."""

    def change(header):
        for _ in range(integer(1, 2)):
            found = nodes(header)
            tree, key = found[integer(0, len(found) - 1)]
            action = integer(0, 3)
            if action == 0:
                tree[key] = _VALUES[integer(0, len(_VALUES) - 1)]
            elif action == 1:
                del tree[key]
            elif action == 2 and isinstance(tree, dict):
                name = ["transform", "__class__", "$array", "a"][integer(0, 3)]
                tree[name] = tree[key]
            else:
                other, name = found[integer(0, len(found) - 1)]
                tree[key] = json.loads(json.dumps(other[name]))

    return with_header(data, change)


def retyped(data, integer):
    """An array of another dtype or shape, with its entry and checksum to match."""
    files = members(data)
    header = json.loads(files["model.json"])
    names = list(header["arrays"])
    name = names[integer(0, len(names) - 1)]
    dtype = ["<f8", "<f4", "<i8", "|b1", "<U3", "|u1"][integer(0, 5)]
    shape = [integer(0, 4) for _ in range(integer(0, 3))]
    array = np.zeros(shape, dtype=dtype)
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    header["arrays"][name] = {"dtype": dtype, "shape": shape, "sha256": digest}
    files[f"{name}.npy"] = npy(array)
    files["model.json"] = json.dumps(header).encode()
    return zipped(files)


# Attacks: files that must be refused.


def an_array(header):
    return next(iter(header["arrays"]))


def absurd_shape(data, integer):
    """Header, entry and npy agree on an array far larger than the file."""
    shapes = [(10**6, 10**6), (2**62,), (2**32, 2**32), (2**31,), (3, 2**40, 0, 2**40)]
    shape = shapes[integer(0, len(shapes) - 1)]
    files = members(data)
    header = json.loads(files["model.json"])
    name = an_array(header)
    header["arrays"][name] |= {"shape": list(shape), "dtype": "<f8"}
    buffer = io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, about)
    files[f"{name}.npy"] = buffer.getvalue() + bytes(integer(0, 200))
    files["model.json"] = json.dumps(header).encode()
    return zipped(files)


def absurd_layers(data, integer):
    """A net or machine whose constructor would set aside far more than the file has."""
    n = 10 ** integer(4, 30)

    def change(header):
        for tree, key in nodes(header["content"]):
            if key in ("n_visible", "n_hidden"):
                tree[key] = n
            elif key == "layer_sizes":
                tree[key] = [n, n]

    return with_header(data, change)


def absurd_member_size(data, integer):
    """The directory claims that a member is huge."""
    data = bytearray(data)
    entry = data.rindex(b"PK\1\2")
    size = integer(2**20, 2**32 - 1).to_bytes(4, "little")
    data[entry + 20 : entry + 28] = size + size
    return bytes(data)


def absurd_directory(data, integer):
    """A directory of thousands of members."""
    extra = [(f"{i}.npy", b"") for i in range(integer(1001, 1100))]
    return zipped([*members(data).items(), *extra])


def compressed(data, integer):
    """Megabytes of zeros in a kilobyte or two."""
    files = members(data)
    name = f"{an_array(json.loads(files['model.json']))}.npy"
    files[name] = npy(np.zeros(2**16 * integer(1, 4)))
    return zipped(files, zipfile.ZIP_DEFLATED)


def deep(data, integer):
    """JSON nested far deeper than Python's stack."""
    opening = [b"[", b'{"a":', b'{"$tuple":['][integer(0, 2)]
    return zipped({"model.json": opening * integer(200, 100_000)})


def deep_and_closed(data, integer):
    n = integer(150, 900)

    def change(header):
        inner = []
        for _ in range(n):
            inner = [inner]
        header["content"]["params"] = inner

    return with_header(data, change)


def many_values(data, integer):
    text = b"[" + b"[]," * (10**6 + integer(0, 10)) + b"[]]"
    return zipped({"model.json": text})


def bad_name(data, integer):
    """One more member, or one renamed, with a path for a name."""
    names = ["../../evil.npy", "/etc/evil.npy", "C:\\evil.npy", "a/../b.npy", "", "."]
    name = names[integer(0, len(names) - 1)]
    files = members(data)
    if integer(0, 1):
        return zipped([*files.items(), (name, npy(np.zeros(2)))])
    header = json.loads(files["model.json"])
    array = an_array(header)
    files[name] = files.pop(f"{array}.npy")
    stem = name.removesuffix(".npy")
    header["arrays"][stem] = header["arrays"].pop(array)
    files[f"{stem}.npy"] = files.pop(name)
    text = json.dumps(header)
    text = text.replace(json.dumps({"$array": array}), json.dumps({"$array": stem}))
    return zipped(files | {"model.json": text.encode()})


def twice(data, integer):
    """A name twice in one JSON object."""
    files = members(data)
    text = files["model.json"]
    files["model.json"] = b'{"version": 1, ' + text.removeprefix(b"{")
    return zipped(files)


def duplicate(data, integer):
    files = list(members(data).items())
    return zipped([*files, files[integer(0, len(files) - 1)]])


def pickled(data, integer):
    """A pickle where an array, the header or the whole file should be."""
    bomb = Bomb()
    files = members(data)
    header = json.loads(files["model.json"])
    name = an_array(header)
    where = integer(0, 3)
    if where == 0:
        return pickle.dumps(bomb)
    if where == 1:
        return zipped(files | {"model.json": pickle.dumps(bomb)})
    if where == 2:
        return zipped(files | {f"{name}.npy": npy(np.array([bomb], dtype=object))})
    header["arrays"][name]["dtype"] = "|O"
    array = np.array([bomb], dtype=object)
    changed = {"model.json": json.dumps(header).encode(), f"{name}.npy": npy(array)}
    return zipped(files | changed)


def from_the_future(data, integer):
    return with_header(data, lambda header: header.update(version=integer(2, 10**6)))


FORGERIES = [rewritten, retyped]
ATTACKS = [
    *(absurd_shape, absurd_layers, absurd_member_size, absurd_directory, compressed),
    *(deep, deep_and_closed, many_values, twice, bad_name, duplicate, pickled),
    from_the_future,
]
MODELS = Format(
    "model file",
    "case.dbn",
    [path.read_bytes() for path in FIXTURES],
    lambda path: describe(load_model(path)),
    allowed(SEEN, FORGERIES, ATTACKS),
    refusal=ModelFileError,
)


# Checkpoints: of a machine, of a stack in its second layer, of a net in fine-tuning.

_ROWS = np.random.default_rng(0).random((12, 3))
_LABELS = np.arange(12) % 2
_MACHINE = RBMTransformer(
    2, sampler="pcd", centering=True, batch_size=6, max_iter=3, random_state=0
)
_JOBS = {
    "machine": (_MACHINE, 2),
    "stack": (DBNTransformer((2, 2), rbm=_MACHINE, random_state=0), 5),
    "net": (
        DBNClassifier(
            (2,),
            rbm=_MACHINE,
            batch_size=6,
            max_iter=3,
            early_stopping=True,
            n_iter_no_change=9,
            validation_fraction=0.5,
            random_state=0,
        ),
        5,
    ),
}


def _trained(job, folder, **options):
    model = clone(_JOBS[job][0]).set_callbacks(Checkpoint(folder, **options))
    return model.fit(_ROWS, _LABELS)


def _checkpoint(job):
    """The name and the content of a file from the middle of a fit."""
    with tempfile.TemporaryDirectory() as folder:
        _trained(job, folder, keep=99)
        path = sorted(Path(folder).glob("*.ckpt"))[_JOBS[job][1] - 1]
        return path.name, path.read_bytes()


def _resumed(job):
    """A function that goes on from the checkpoint in a path."""

    def load(path):
        for other in path.parent.iterdir():
            if other != path:
                other.unlink()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model = _trained(job, path.parent, resume=True)
            except FloatingPointError as error:  # its numbers diverge, which fit says
                raise ModelFileError(str(error)) from error
            except ValueError as error:  # it claims more epochs, which fit says
                if not str(error).startswith("max_iter is "):
                    raise
                raise ModelFileError(str(error)) from error
        if any("is passed over" in str(warning.message) for warning in caught):
            raise ModelFileError("It was passed over.")
        return {k: v for k, v in vars(model).items() if k != "_skl_callbacks"}

    return load


def _checkpoints(job):
    name, data = _checkpoint(job)
    attacks = [kind for kind in ATTACKS if kind is not absurd_layers]
    return Format(
        f"checkpoint of a {job}",
        name,
        [data],
        _resumed(job),
        allowed(SEEN, FORGERIES, attacks),
        refusal=ModelFileError,
        memory=lambda n: 2**26 + 10 * n,  # with the fit
    )


ARCHIVES = [MODELS, *map(_checkpoints, _JOBS)]
