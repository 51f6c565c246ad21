"""The site builds without a warning, and its examples run."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
MADE = ("_build", "auto_examples", "generated", "backreferences")
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))


def test_the_site_builds_without_a_warning(tmp_path):
    """Of a copy: pages of the gallery and the reference are made beside the sources.

    The examples are shown and not run.
    """
    pytest.importorskip("sphinx")
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns(*MADE))
    for name in ("CHANGELOG.md", "setup.cfg"):
        shutil.copy(ROOT / name, tmp_path)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    command += ["-D", "plot_gallery=0", "docs", "site"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = {page.stem for page in (tmp_path / "site").rglob("*.html")}
    assert {file.stem for file in EXAMPLES} | {"dbn.DBNClassifier", "results"} <= pages


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_runs(example, short, tmp_path, monkeypatch):
    """With fewer updates than in the site, where the example does not say how many."""
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = compile(example.read_text(encoding="utf-8"), example.name, "exec")
    exec(code, {"__name__": "__main__"})
    assert plt.get_fignums()
    plt.close("all")
