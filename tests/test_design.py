"""The house rules: who imports whom, what is documented, how long things get."""

import ast
import configparser
import graphlib
import importlib
import importlib.metadata
import inspect
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import dbn

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dbn"
FILES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))

# From the bottom up: a room imports only rooms above it in this list, and never its
# sibling, see below.
ROOMS = [
    "backend",
    "storage",
    "boltzmann",
    "feedforward",
    "training",
    "estimators",
    "datasets",
    "evaluation",
]
STRANGERS = [{"boltzmann", "feedforward"}]
SKLEARN_BELOW_ESTIMATORS = {
    "backend/parts.py": {"sklearn.base.BaseEstimator"},
    "backend/device.py": {"sklearn.externals.array_api_compat"},
    "backend/array.py": {"sklearn.externals.array_api_compat"},
    "backend/random.py": {
        "sklearn.externals.array_api_compat",
        "sklearn.utils.check_random_state",
    },
    "training/callbacks/fit_tasks.py": {"sklearn.callback"},
}
# What is made here is a net of torch: it cannot be written without naming its layers.
# And torch connects the processes of distributed training, whatever the arrays are.
MAY_KNOW_TORCH = {"estimators/export.py", "training/distributed.py"}
# joblib, threadpoolctl and narwhals are dependencies of scikit-learn.
CORE = {"numpy", "scipy", "sklearn", "tqdm", "joblib", "threadpoolctl", "narwhals"}
# Lines of code, without docstrings, comments and blank lines; of a function, its body.
MAX_FILE, MAX_CLASS, MAX_FUNCTION = 250, 200, 45

ESTIMATORS = [
    dbn.RBMTransformer,
    dbn.DBNTransformer,
    dbn.DBNClassifier,
    dbn.DBNRegressor,
    dbn.DBNAutoencoder,
    dbn.RBMClassifier,
    dbn.GenerativeDBNClassifier,
]


def name_of(path):
    root = ROOT if path in SCRIPTS else PACKAGE
    return path.relative_to(root).as_posix()


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
    """The imports from our own package, as (room, path of a file) pairs.

    What a room itself exports, or the root, counts as (room, None).
    """
    found = set()
    for name in imports(path):
        _, *parts = name.split(".")
        if not name.startswith("dbn.") or not parts:
            continue
        paths = [PACKAGE.joinpath(*parts[:n]) for n in range(len(parts), 1, -1)]
        files = [f for p in paths for f in (p.with_suffix(".py"), p / "__init__.py")]
        found.add((parts[0], next((file for file in files if file.exists()), None)))
    return found


def modules():
    """The files that the rules are about: all but what the root and rooms export."""
    roots = {PACKAGE, *(PACKAGE / room for room in ROOMS)}
    return [p for p in FILES if p.name != "__init__.py" or p.parent not in roots]


def room_of(path):
    return path.relative_to(PACKAGE).parts[0]


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_every_file_has_a_room(path):
    assert room_of(path) in ROOMS


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_point_downwards(path):
    room = room_of(path)
    for other, file in inner_imports(path):
        if other == room:
            assert file is not None, "within a room, files are imported by their names"
        elif other in ROOMS:
            assert ROOMS.index(other) < ROOMS.index(room)
            assert {room, other} not in STRANGERS
        else:
            assert other == "__version__", "the root offers nothing else to its rooms"


@pytest.mark.parametrize("room", ROOMS)
def test_no_circle_among_the_files_of_a_room(room):
    files = [path for path in modules() if room_of(path) == room]
    inside = {
        path: {file for other, file in inner_imports(path) if other == room}
        for path in files
    }
    assert {*graphlib.TopologicalSorter(inside).static_order()} == {*files}


def test_the_import_rule_sees_imports():
    # Guards the rule above against a parser that finds nothing.
    found = inner_imports(PACKAGE / "estimators" / "start.py")
    files = [("backend", "array"), ("estimators", "dbn")]
    assert {(room, PACKAGE / room / f"{file}.py") for room, file in files} <= found
    assert ("feedforward", None) in found


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
    [p for p in modules() if room_of(p) in ROOMS[: ROOMS.index("estimators")]],
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
    assert not {"matplotlib", "torch", "IPython", "dbn.datasets", "dbn.evaluation"} & {
        *loaded
    }
    # scikit-learn and tqdm import these where they are installed; we need neither.
    hide = "import sys; sys.modules.update(pandas=None, rich=None); import dbn"
    assert run_python(hide) == ""


def test_what_is_missing_is_named_and_not_this_package():
    """Whose own name is not on the index: pip would find nothing, or another."""
    for path in (*FILES, *SCRIPTS):
        text = path.read_text()
        assert "dbn-pretraining" not in text, path
        assert "pip install dbn" not in text, path


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_print(path):
    calls = [node for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    assert not [c.lineno for c in calls if getattr(c.func, "id", None) == "print"]


def code_lines(path):
    """Numbers of the lines that hold code: no docstrings, comments or blank lines."""
    with open(path, "rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    silent = {"ENCODING", "COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER"}
    found = set()
    for token in tokens:
        if tokenize.tok_name[token.type] not in silent:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(parse(path)):
        if getattr(node, "body", None) and isinstance(node.body, list):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found -= {*range(first.lineno, first.end_lineno + 1)}
    return found


def within(lines, node):
    return len(lines & {*range(node.lineno, node.end_lineno + 1)})


@pytest.mark.parametrize("path", [*FILES, *SCRIPTS], ids=name_of)
def test_a_file_and_a_class_are_one_idea_and_a_function_fits_a_screen(path):
    lines = code_lines(path)
    assert len(lines) <= MAX_FILE
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ClassDef):
            assert within(lines, node) <= MAX_CLASS, node.name
        elif isinstance(node, ast.FunctionDef):
            signature = {*range(node.lineno, node.body[0].lineno)}
            assert within(lines - signature, node) <= MAX_FUNCTION, node.name


def test_the_count_of_lines_leaves_out_what_is_no_code(tmp_path):
    text = '"""Two\nlines."""\n\n# said\ndef f(\n    a,\n):\n    """Doc."""\n'
    (tmp_path / "a.py").write_text(text + "    return (\n        a\n    )\n")
    assert code_lines(tmp_path / "a.py") == {5, 6, 7, 9, 10, 11}


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


def drawn_map():
    """The folders in the map of the design notes, in the order given there."""
    notes = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    section = notes.partition("## Map of the package")[2].split("\n## ")[0]
    return re.findall(r"^([\w/]+/) ", section, flags=re.M)


def test_the_map_in_the_design_notes_is_the_house():
    assert [f for f in drawn_map() if f.startswith("dbn/")] == [
        f"dbn/{room}/" for room in ROOMS
    ]
    assert all((ROOT / folder).is_dir() for folder in drawn_map())
