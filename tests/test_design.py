"""The house rules: who imports whom, what is documented, how long things get."""

import ast
import configparser
import importlib
import importlib.metadata
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dbn

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dbn"
FILES = sorted(PACKAGE.rglob("*.py"))

# Rooms from the bottom up; in each, files from left to right. A file imports rooms
# above its own in this list (never its sibling, see below) and files to its left.
ROOMS = {
    "backend": [
        "parts",
        "rows",
        "device",
        "array",
        "random",
        "capture",
        "threads",
        "parameters",
        "packing",
        "archive",
    ],
    "boltzmann": [
        "units",
        "rbm",
        "tempering",
        "samplers",
        "enumeration",
        "likelihood",
        "stack",
    ],
    "feedforward": [
        "layers",
        "regularizers",
        "losses",
        "network",
        "schemes",
        "initializers",
    ],
    "training": [
        "distributed",
        "descent",
        "optimizers",
        "epoch",
        "loop",
        "finetuning",
        "contrastive",
        "pretraining",
        "checkpoint",
        "callbacks",
        "monitoring",
    ],
    "estimators": [
        "base",
        "density",
        "supervision",
        "rbm",
        "dbn",
        "predictor",
        "classifier",
        "regressor",
        "export",
        "records",
        "files",
    ],
    "evaluation": [
        "readers",
        "datasets",
        "statistics",
        "diagnostics",
        "provenance",
        "contenders",
        "wording",
        "comparison",
        "protocol",
        "checks",
        "fits",
        "journal",
        "benchmark",
        "displays",
        "diagnostics_display",
        "comparison_displays",
        "curve_displays",
        "pictures",
        "report",
    ],
}
STRANGERS = [{"boltzmann", "feedforward"}]
SKLEARN_BELOW_ESTIMATORS = {
    "backend/parts.py": {"sklearn.base.BaseEstimator"},
    "backend/device.py": {"sklearn.externals.array_api_compat"},
    "backend/array.py": {"sklearn.externals.array_api_compat"},
    "backend/capture.py": {"sklearn.externals.array_api_compat"},
    "backend/random.py": {
        "sklearn.externals.array_api_compat",
        "sklearn.utils.check_random_state",
    },
    "training/callbacks.py": {"sklearn.callback"},
}
# What is made here is a net of torch: it cannot be written without naming its layers.
# And torch connects the processes of distributed training, whatever the arrays are.
MAY_KNOW_TORCH = {"estimators/export.py", "training/distributed.py"}
# joblib and threadpoolctl are dependencies of scikit-learn.
CORE = {"numpy", "scipy", "sklearn", "tqdm", "joblib", "threadpoolctl"}
MAX_FILE, MAX_FUNCTION = 400, 45

ESTIMATORS = [
    dbn.RBMTransformer,
    dbn.DBNTransformer,
    dbn.DBNClassifier,
    dbn.DBNRegressor,
]


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path, nodes=None):
    """Absolute dotted names that a file imports: a module, or module.name."""
    package = ["dbn", *path.relative_to(PACKAGE).parent.parts]
    found = set()
    for node in ast.walk(parse(path)) if nodes is None else nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            found |= {".".join([*module, alias.name]) for alias in node.names}
    return found


def inner_imports(path):
    """The imports from our own package, as (room, file or name) pairs."""
    own = [name.split(".")[1:] for name in imports(path) if name.startswith("dbn.")]
    return {(name[0], name[1] if len(name) > 1 else None) for name in own}


def modules():
    """The files that the rules are about: all but `__init__`."""
    return [path for path in FILES if path.name != "__init__.py"]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_every_file_has_a_place(path):
    assert path.parent.parent == PACKAGE, "only rooms hold code"
    assert path.stem in ROOMS[path.parent.name]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_downwards_and_to_the_left(path):
    room, order = path.parent.name, list(ROOMS)
    left = ROOMS[room][: ROOMS[room].index(path.stem)]
    for other, file in inner_imports(path):
        if other == room:
            assert file in left
        elif other in order:
            assert order.index(other) < order.index(room)
            assert {room, other} not in STRANGERS
        else:
            assert other == "__version__", "the root offers nothing else to its rooms"


def test_the_import_rule_sees_imports():
    # Guards the rule above against a parser that finds nothing.
    found = inner_imports(PACKAGE / "estimators" / "predictor.py")
    assert {("backend", "random"), ("estimators", "base")} <= found


@pytest.mark.parametrize(
    "path", [p for p in FILES if "backend" not in p.parts], ids=name_of
)
def test_only_the_backend_and_few_others_may_know_torch(path):
    if name_of(path) in MAY_KNOW_TORCH:
        return
    assert not any(name.split(".")[0] == "torch" for name in imports(path))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_top_level_imports_are_core_dependencies(path):
    top = {name.split(".")[0] for name in imports(path, parse(path).body)}
    assert top <= {"dbn", *CORE, *sys.stdlib_module_names}


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.parent.name in list(ROOMS)[:4]],
    ids=name_of,
)
def test_scikit_learn_stays_in_the_upper_rooms(path):
    allowed = SKLEARN_BELOW_ESTIMATORS.get(name_of(path), set())
    for name in imports(path):
        if name.split(".")[0] == "sklearn":
            assert any(name == a or name.startswith(f"{a}.") for a in allowed), name


def run_python(code):
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout


def test_importing_the_package_loads_nothing_heavy_and_prints_nothing():
    loaded = run_python("import sys, dbn; print(*sys.modules)").split()
    assert "sklearn.callback" in loaded  # the list is the real one
    assert not {"matplotlib", "torch", "IPython", "dbn.evaluation"} & {*loaded}
    # scikit-learn and tqdm import these where they are installed; we need neither.
    hide = "import sys; sys.modules.update(pandas=None, rich=None); import dbn"
    assert run_python(hide) == ""


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_print(path):
    calls = [node for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    assert not [c.lineno for c in calls if getattr(c.func, "id", None) == "print"]


def code_lines(function):
    """Lines of a function's body: without signature and docstring."""
    documented = ast.get_docstring(function) is not None
    body = function.body[1:] if documented else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_fits_in_one_reading_and_a_function_on_a_screen(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE
    functions = [n for n in ast.walk(parse(path)) if isinstance(n, ast.FunctionDef)]
    long = {f.name: code_lines(f) for f in functions if code_lines(f) > MAX_FUNCTION}
    assert not long


def signature(cls):
    return set(inspect.signature(cls).parameters)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_parameter_has_a_constraint_and_vice_versa(cls):
    assert signature(cls) == set(cls._parameter_constraints)


def documented_parameters(cls):
    """Names in the numpydoc section "Parameters"."""
    section = re.search(
        r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+\n)", inspect.getdoc(cls), re.M | re.S
    )
    lines = re.findall(r"^(\w+(?:, \w+)*) : ", section[1], re.M)
    return {name for line in lines for name in line.split(", ")}


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_parameter_is_documented_and_vice_versa(cls):
    assert documented_parameters(cls) == signature(cls)


def public_objects():
    """What the package and its rooms export, without what only describes an interface.

    `__version__` and other plain values have no docstring of their own.
    """
    found = {}
    for module in ["dbn", *(f"dbn.{room}" for room in ROOMS)]:
        exports = importlib.import_module(module)
        for name in getattr(exports, "__all__", []):
            value = getattr(exports, name)
            described = inspect.isclass(value) or inspect.isfunction(value)
            if described and not inspect.isabstract(value):
                found[f"{module}.{name}"] = value
    return found


@pytest.mark.parametrize("name", public_objects())
def test_every_public_name_has_an_example(name):
    _, _, examples = (inspect.getdoc(public_objects()[name]) or "").partition(
        "Examples\n--------\n"
    )
    assert ">>> " in examples


@pytest.mark.parametrize(
    "room", [room for room in ROOMS if (PACKAGE / room / "__init__.py").exists()]
)
def test_what_a_room_exports_exists_once(room):
    module = importlib.import_module(f"dbn.{room}")
    names = getattr(module, "__all__", [])
    assert all(hasattr(module, name) for name in names)
    assert len(set(names)) == len(names)


def test_the_version_is_the_one_in_the_metadata():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["metadata"]["version"] == "attr: dbn.__version__"
    name = config["metadata"]["name"]
    assert importlib.metadata.version(name) == dbn.__version__


def readme_map():
    """Files of each folder in the README's map, in the order given there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Map of the package")[2].split("\n## ")[0]
    parts = re.split(r"^([\w/]+/) ", section, flags=re.M)[1:]
    blocks = zip(parts[::2], parts[1::2], strict=True)
    return {folder: re.findall(r"\b\w+\.py\b", text) for folder, text in blocks}


@pytest.mark.parametrize("room", ROOMS)
def test_the_map_in_the_readme_is_the_house(room):
    exist = [name for name in ROOMS[room] if (PACKAGE / room / f"{name}.py").exists()]
    assert readme_map()[f"dbn/{room}/"] == [f"{name}.py" for name in exist]


def test_all_folders_and_files_in_the_readmes_map_exist():
    for folder, files in readme_map().items():
        assert (ROOT / folder).is_dir()
        assert [name for name in files if not (ROOT / folder / name).exists()] == []
