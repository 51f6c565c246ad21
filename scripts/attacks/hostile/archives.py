"""Model files and checkpoints: zip files of JSON and arrays, with checksums."""

import pickle
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from dbn import (
    DBNClassifier,
    DBNTransformer,
    ModelFileError,
    RBMTransformer,
    load_model,
)
from dbn.estimators.records import describe
from dbn.training import Checkpoint

from .common import SEEN, Bomb, Format, allowed, nodes, pick, rewrite
from .containers import (
    inside,
    members,
    npy,
    npy_header,
    opened,
    sealed,
    shortest,
    with_array,
    with_header,
    zipped,
)
from .growth import ANYWHERE, WHOLE

FIXTURES = sorted((Path(__file__).parents[3] / "tests" / "data").glob("model-v*.dbn"))

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


@inside
def rewritten(header, files, integer):
    """Values of the header replaced, removed, renamed or exchanged."""
    rewrite(header, integer, _VALUES, ["transform", "__class__", "$array", "a"])


@inside
def retyped(header, files, integer):
    """An array of another dtype or shape, with its entry and checksum to match."""
    name = pick(integer, [*header["arrays"]])
    dtype = pick(integer, ["<f8", "<f4", "<i8", "|b1", "<U3", "|u1"])
    shape = [integer(0, 4) for _ in range(integer(0, 3))]
    with_array(header, files, name, np.zeros(shape, dtype=dtype))


# Attacks: files that must be refused.


def an_array(header):
    return next(iter(header["arrays"]))


@inside
def absurd_shape(header, files, integer):
    """Header, entry and npy agree on an array far larger than the file."""
    shapes = [(10**6, 10**6), (2**62,), (2**32, 2**32), (2**31,), (3, 2**40, 0, 2**40)]
    shape, name = pick(integer, shapes), an_array(header)
    header["arrays"][name] |= {"shape": list(shape), "dtype": "<f8"}
    files[f"{name}.npy"] = npy_header(shape, "<f8") + bytes(integer(0, 200))


@inside
def absurd_layers(header, files, integer):
    """A net or machine whose constructor would set aside far more than the file has."""
    n = 10 ** integer(4, 30)
    sizes = {"n_visible": n, "n_hidden": n, "layer_sizes": [n, n]}
    for tree, key in nodes(header["content"]):
        if key in sizes:
            tree[key] = sizes[key]


def absurd_member_size(data, integer):
    """The directory claims that a member is huge."""
    data = bytearray(data)
    entry = data.rindex(b"PK\1\2")
    size = integer(2**20, 2**32 - 1).to_bytes(4, "little")
    data[entry + 20 : entry + 28] = size + size
    return bytes(data)


def absurd_directory(data, integer):
    """A directory of thousands of members."""
    extra = {f"{i}.npy": b"" for i in range(integer(1001, 1100))}
    return zipped(members(data) | extra)


def compressed(data, integer):
    """Megabytes of zeros in a kilobyte or two."""
    header, files = opened(data)
    files[f"{an_array(header)}.npy"] = npy(np.zeros(2**16 * integer(1, 4)))
    return zipped(files, zipfile.ZIP_DEFLATED)


def deep(data, integer):
    """JSON nested far deeper than Python's stack."""
    opening = pick(integer, [b"[", b'{"a":', b'{"$tuple":['])
    return zipped({"model.json": opening * integer(200, 100_000)})


@inside
def deep_and_closed(header, files, integer):
    inner = []
    for _ in range(integer(150, 900)):
        inner = [inner]
    header["content"]["params"] = inner


def many_values(data, integer):
    return zipped({"model.json": b"[" + b"[]," * (10**6 + integer(0, 10)) + b"[]]"})


def bad_name(data, integer):
    """One more member, or one renamed, with a path for a name."""
    names = ["../../evil.npy", "/etc/evil.npy", "C:\\evil.npy", "a/../b.npy", "", "."]
    name = pick(integer, names)
    header, files = opened(data)
    if integer(0, 1):
        return zipped([*files.items(), (name, npy(np.zeros(2)))])
    array, stem = an_array(header), name.removesuffix(".npy")
    header["arrays"][stem] = header["arrays"].pop(array)
    files[f"{stem}.npy"] = files.pop(f"{array}.npy")
    mentions = [shortest({"$array": name}) for name in (array, stem)]
    return sealed(shortest(header).replace(*mentions), files)


def twice(data, integer):
    """A name twice in one JSON object."""
    _, files = opened(data)
    return sealed(b'{"version": 1, ' + files["model.json"].removeprefix(b"{"), files)


def duplicate(data, integer):
    files = [*members(data).items()]
    return zipped([*files, pick(integer, files)])


def pickled(data, integer):
    """A pickle where an array, the header or the whole file should be."""
    header, files = opened(data)
    where = integer(0, 3)
    if where == 0:
        return pickle.dumps(Bomb())
    if where == 1:
        return sealed(pickle.dumps(Bomb()), files)
    name = an_array(header)
    files[f"{name}.npy"] = npy(np.array([Bomb()], dtype=object))
    if where == 3:
        header["arrays"][name]["dtype"] = "|O"
    return sealed(header, files)


def from_the_future(data, integer):
    return with_header(data, lambda header: header.update(version=integer(2, 10**6)))


FORGERIES = [rewritten, retyped]
ATTACKS = [
    *(absurd_shape, absurd_member_size, absurd_directory, compressed, deep),
    *(deep_and_closed, many_values, twice, bad_name, duplicate, pickled),
    from_the_future,
]
MODELS = Format(
    "model file",
    "case.dbn",
    [path.read_bytes() for path in FIXTURES],
    lambda path: describe(load_model(path)),
    allowed(SEEN, FORGERIES, [*ATTACKS, absurd_layers], [*WHOLE, *ANYWHERE]),
    refusal=ModelFileError,
)


# Checkpoints: of a machine, of a stack in its second layer, of a net in fine-tuning.

_ROWS = np.random.default_rng(0).random((12, 3))
_LABELS = np.arange(12) % 2
_MACHINE = RBMTransformer(
    2, sampler="pcd", centering=True, batch_size=6, max_iter=3, random_state=0
)
_STACK = DBNTransformer((2, 2), rbm=_MACHINE, random_state=0)
_NET = DBNClassifier(
    (2,),
    rbm=_MACHINE,
    batch_size=6,
    max_iter=3,
    early_stopping=True,
    n_iter_no_change=9,
    validation_fraction=0.5,
    random_state=0,
)


def _trained(model, folder, **options):
    model = clone(model).set_callbacks(Checkpoint(folder, **options))
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        return model.fit(_ROWS, _LABELS)


def _resumed(model):
    """A function that goes on from the checkpoint in a path."""

    def load(path):
        for other in path.parent.iterdir():
            if other != path:
                other.unlink()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                fitted = _trained(model, path.parent, resume=True)
            except (FloatingPointError, ValueError) as error:
                # What fit says of numbers that diverge, and of more epochs than asked.
                diverged = isinstance(error, FloatingPointError)
                if not diverged and not str(error).startswith("max_iter is "):
                    raise
                raise ModelFileError(str(error)) from error
        if any("is passed over" in str(warning.message) for warning in caught):
            raise ModelFileError("It was passed over.")
        return {k: v for k, v in vars(fitted).items() if k != "_skl_callbacks"}

    return load


def _checkpoints(name, model, n_epochs):
    """Of a model whose training was stopped after so many epochs."""
    with tempfile.TemporaryDirectory() as folder:
        _trained(model, folder, keep=99)
        sample = sorted(Path(folder).glob("*.ckpt"))[n_epochs - 1]
        data = sample.read_bytes()
    return Format(
        f"checkpoint of a {name}",
        sample.name,
        [data],
        _resumed(model),
        allowed(SEEN, FORGERIES, ATTACKS, ANYWHERE),
        refusal=ModelFileError,
        memory=lambda n: 2**26 + 10 * n,  # with the fit
    )


ARCHIVES = [
    MODELS,
    _checkpoints("machine", _MACHINE, 2),
    _checkpoints("stack", _STACK, 5),
    _checkpoints("net", _NET, 5),
]
