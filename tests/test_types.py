"""The types that signatures state: two checkers agree with them, and so do programs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def assert_silent(*command):
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_finds_no_error(tmp_path):
    assert_silent("-m", "mypy", "--cache-dir", str(tmp_path))


def test_pyright_finds_no_error():
    assert_silent("-m", "pyright", "--pythonpath", sys.executable)


def test_the_documented_uses_run():
    assert_silent("-W", "error", "tests/typing/uses.py")
