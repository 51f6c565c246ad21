"""README and the pages of the site: their code runs, their links and options exist."""

import ast
import contextlib
import importlib
import inspect
import io
import re
import sys
from pathlib import Path

import pytest

from dbn import ModelFileError

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BUILT = {"_build", "auto_examples", "generated", "backreferences"}
PAGES = [README, CONTRIBUTING] + [
    page
    for page in sorted((ROOT / "docs").rglob("*.md"))
    if not BUILT & {*page.relative_to(ROOT).parts}
]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
# Rooms with a page of the reference.
ROOMS = ("dbn", *(f"dbn.{name}" for name in ("boltzmann", "feedforward", "training")))
ROOMS += tuple(f"dbn.{name}" for name in ("estimators", "datasets", "evaluation"))


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def text_of(page):
    return page.read_text(encoding="utf-8")


def blocks(language, page):
    fenced = rf"^```{language}\n(.*?)^```$"
    return re.findall(fenced, text_of(page), re.DOTALL | re.MULTILINE)


# --- code -----------------------------------------------------------------------------

CODED = [page for page in PAGES if blocks("python", page)]
# What it asserts needs training as long as a reader's.
WHOLE = {"docs/guide/extending.md"}


def run(code, name, names):
    """Run a block as a reader would; what it printed."""
    if 'device="cuda"' in code and not has_cuda():
        code = code.replace('device="cuda"', 'device="cpu"')
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec", dont_inherit=True), names)
    return printed.getvalue()


def has_cuda():
    torch = pytest.importorskip("torch")
    return torch.cuda.is_available()


@pytest.fixture
def one_process(monkeypatch):
    """What torchrun tells a process, where there is one."""
    told = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "LOCAL_WORLD_SIZE": 1}
    told |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 0}
    for key, value in told.items():
        monkeypatch.setenv(key, str(value))


@pytest.mark.parametrize("page", CODED, ids=name_of)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    if name_of(page) not in WHOLE:
        request.getfixturevalue("short")
    if page.stem == "several-machines":
        pytest.importorskip("torch")
        request.getfixturevalue("one_process")
    names = {"__name__": "__main__"}
    for i, code in enumerate(blocks("python", page)):
        run(code, f"{name_of(page)}, block {i + 1}", names)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_code_of_a_page_escapes_the_tests(page):
    """All of it is in fenced blocks that are known, and none hides as output."""
    text = text_of(page)
    assert not re.findall(r"^[ \t]+(?:```|~~~)|^~~~|^ *>>> ", text, re.MULTILINE)
    # What is fenced, and prose, in turn; a fence tells its language at once.
    _, *parts = re.split(r"^```", text, flags=re.MULTILINE)
    for language, _, shown in (part.partition("\n") for part in parts[::2]):
        assert language in {"python", "bash", "", "{toctree}"} or "include" in language
        if not language:
            assert not re.findall(r"^(?:from|import) |\w\.fit\(", shown, re.MULTILINE)
    for prose in parts[1::2]:  # indented lines are code to a reader, too
        assert not re.findall(r"\n\n    \S+ ?(?:=|import|\()", prose)


def test_the_first_example_prints_what_the_page_says():
    """To within two hundredths: BLAS libraries round differently."""
    page = ROOT / "docs" / "getting-started.md"
    code, *_ = blocks("python", page)
    shown = text_of(page).split(code)[1].split("```")[2].strip().splitlines()
    printed = run(code, "first example", {}).strip().splitlines()
    assert [line.split()[0] for line in printed] == [s.split()[0] for s in shown]
    for now, then in zip(printed, shown, strict=True):
        assert float(now.split()[1]) == pytest.approx(float(then.split()[1]), abs=0.02)


def test_examples_are_shown_in_the_order_of_the_settings():
    settings = text_of(ROOT / "docs" / "conf.py")
    order = settings.partition("ORDER = [")[2].partition("\n]")[0]
    assert {*re.findall(r"plot_\w+", order)} == {file.stem for file in EXAMPLES}


# --- commands -------------------------------------------------------------------------


def test_ci_runs_exactly_the_second_bash_block():
    """And both blocks begin from nothing but Python."""
    main_job, tests, *_ = blocks("bash", README)
    assert "scripts/benchmark.py" in main_job and "pytest" in tests
    assert all(
        block.startswith("python3 -m venv .venv && ") for block in (main_job, tests)
    )
    ci = text_of(ROOT / ".ci" / "run")
    assert "README.md" in ci and "n == 2" in ci and "pytest" not in ci


COMMANDS = {
    command
    for page in PAGES
    for command in re.findall(r"scripts/[^`\n]*", text_of(page))
    if " --" in command
}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_options_in_pages_exist(command):
    script = ROOT / command.split()[0]
    known = text_of(script)
    for name in ("data_options.py", "training.py"):
        known += text_of(ROOT / "scripts" / name)
    known += "".join(text_of(file) for file in script.parent.glob("*.py"))
    for option in re.findall(r" (--[a-z-]+)", command):
        assert f'"{option}"' in known, option


# --- links ----------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_within_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" in target or target.startswith("#"):
            continue
        path, _, heading = target.partition("#")
        if path.startswith("/auto_examples/"):  # made from the examples
            name = path.removeprefix("/auto_examples/")
            assert name == "index" or ROOT / "docs/examples" / f"{name}.py" in EXAMPLES
            continue
        found = (page.parent / path).resolve()
        assert found.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", text_of(found), re.MULTILINE)
            slugs = [
                re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles
            ]
            assert heading in slugs, target


def test_contributors_find_what_is_named():
    named = re.findall(r"`([\w.]+/[\w./]*)`", text_of(CONTRIBUTING))
    made = {"docs/_build/html/index.html", "docs/_build/html/", "dist/"}
    missing = [n for n in named if n not in made and not (ROOT / n).exists()]
    assert len(named) > 5 and missing == []


def test_readme_is_a_screen_and_a_half():
    """Its tables and its prose fit a page of 890 pixels; so does its Python."""
    assert 3500 < len(text_of(README)) < 6500
    for code in blocks("python", README):
        assert max(map(len, code.splitlines())) <= 88


# --- reference ------------------------------------------------------------------------


def referenced():
    """Names in the reference, with the path they are imported from."""
    names = []
    for page in sorted((ROOT / "docs" / "reference").glob("*.rst")):
        room = None
        for line in text_of(page).splitlines():
            if line.startswith(".. currentmodule::"):
                room = line.split()[-1]
            elif re.fullmatch(r"   \w+", line):
                names.append(f"{room}.{line.strip()}")
    return names


def public_objects():
    """Every object that the package exports, by one of its import paths."""
    found = {}
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__:
            found.setdefault(id(getattr(module, name)), f"{room}.{name}")
    return sorted(found.values())


def test_the_reference_has_every_public_name_once():
    assert sorted(referenced()) == public_objects()


def value_of(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def described(path):
    """A public object, and what its class adds to it that is public."""
    value = value_of(path)
    yield path, value
    if inspect.isclass(value):
        for name, member in vars(value).items():
            if isinstance(member, classmethod | staticmethod):
                member = member.__func__
            if isinstance(member, property):
                member = member.fget
            if inspect.isfunction(member) and not name.startswith("_"):
                yield f"{path}.{name}", member


def documented(text):
    """Names in the numpydoc sections of parameters and, of a result, attributes."""
    heads = "Parameters|Attributes"
    sections = re.findall(
        rf"^(?:{heads})\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", text, re.M | re.S
    )
    lines = re.findall(r"^\**(\w+(?:, \w+)*)(?: ?:|$)", "\n".join(sections), re.M)
    return {name for line in lines for name in line.split(", ")}


@pytest.mark.parametrize("path", public_objects())
def test_every_public_name_is_described_with_its_parameters(path):
    """Of a method that is inherited or overrides one, the base has the description."""
    for name, value in described(path):
        text = inspect.getdoc(value)
        if text is None and name.count(".") > path.count("."):
            owner = value_of(path)
            text = inspect.getdoc(getattr(owner, name.rpartition(".")[2]))
        assert text, f"{name} has no docstring"
        made = not inspect.isabstract(value) and value is not ModelFileError
        if name == path and made:  # not what is raised, or only an interface
            asked = {*inspect.signature(value).parameters}
            assert asked <= documented(text), f"{name}: {asked - documented(text)}"


def told(path, name, value):
    """What the docstrings of a method, of those it overrides and of its class say."""
    texts = [inspect.getdoc(value)]
    if name != path:
        for cls in value_of(path).__mro__:
            if cls.__module__.startswith("dbn."):
                overridden = vars(cls).get(name.rpartition(".")[2])
                texts += [inspect.getdoc(cls), inspect.getdoc(overridden)]
    return [*filter(None, texts)]


def errors_of(function):
    """Names of the errors that the code of a function raises itself."""
    source = inspect.getsource(function)
    inside = "if True:\n" if source.startswith(" ") else ""
    nodes = ast.walk(ast.parse(inside + source))
    raised = [node.exc for node in nodes if isinstance(node, ast.Raise)]
    calls = [exc.func for exc in raised if isinstance(exc, ast.Call)]
    return {f.id for f in calls if isinstance(f, ast.Name)} - {"NotImplementedError"}


# Of callbacks: scikit-learn says what it hands to them.
OF_SKLEARN = {"self", "cls", "estimator", "context"}
TOLD_IN_WORDS = {"dbn.evaluation.Contender.candidate": {"value"}}


@pytest.mark.parametrize("path", public_objects())
def test_what_a_public_method_takes_and_raises_is_told(path):
    for name, value in described(path):
        if not inspect.isfunction(value):
            continue
        texts = told(path, name, value)
        named = {name for text in texts for name in re.findall(r"`(\w+)`", text)}
        named = named.union(*map(documented, texts))
        asked = {*inspect.signature(value).parameters} - OF_SKLEARN
        asked -= TOLD_IN_WORDS.get(name, set())
        assert asked <= named, f"{name}: {asked - named}"
        missing = errors_of(value) - {*re.findall(r"\w+", "\n".join(texts))}
        assert not missing, f"{name} raises {missing}"


def test_the_code_of_what_is_public_can_be_read_from_the_reference():
    settings = text_of(ROOT / "docs" / "conf.py")
    assert "sphinx.ext.viewcode" in settings
    for path in public_objects():
        value = value_of(path)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getsource(value), path
