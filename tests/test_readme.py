"""What the README shows is what happens, and the recipes for contributors run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


RECIPES = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language, text=TEXT):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_example_prints_what_the_readme_says():
    """To within a hundredth: BLAS libraries round differently."""
    (code,) = blocks("python")
    shown = TEXT.split(code)[1].split("```")[2].strip().splitlines()
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    printed = done.stdout.strip().splitlines()
    assert [line.split()[0] for line in printed] == [s.split()[0] for s in shown]
    for now, then in zip(printed, shown, strict=True):
        assert float(now.split()[1]) == pytest.approx(float(then.split()[1]), abs=0.02)


def test_the_example_has_at_most_ten_lines():
    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line]) <= 10


def test_ci_runs_exactly_the_second_bash_block():
    """And both blocks begin from nothing but Python."""
    main_job, tests, *_ = blocks("bash")
    assert "scripts/benchmark.py" in main_job and "pytest" in tests
    assert all(
        block.startswith("python3 -m venv .venv && ") for block in (main_job, tests)
    )
    ci = (ROOT / ".ci" / "run").read_text()
    assert "README.md" in ci and "n == 2" in ci and "pytest" not in ci


@pytest.mark.parametrize(
    "recipe",
    blocks("python", RECIPES),
    ids=["unit", "sampler", "initializer", "contender"],
)
def test_recipes_for_contributors_run(recipe):
    command = [sys.executable, "-W", "error", "-c", recipe]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_contributors_find_what_is_named():
    named = re.findall(r"`([\w./]+/[\w./]*)`", RECIPES)
    assert len(named) > 5 and [n for n in named if not (ROOT / n).exists()] == []
