"""Records name the code, the data and the models that they were made with."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dbn
from dbn import DBNTransformer, RBMTransformer, load_model, save_model
from dbn.backend.identity import identity
from dbn.evaluation import Comparison, html_report, provenance
from dbn.evaluation.provenance import about_model, note_of_changes, sha256_of_code

ROOT = Path(dbn.__file__).parents[1]
TELL = """
import json, sys
from dbn.evaluation import Comparison, html_report, provenance
{more}
print(json.dumps(provenance()))
"""


def git(folder, *args):
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *who, *args], check=True, capture_output=True)


def told(script, *args):
    """What a script that tells its provenance prints."""
    command = [sys.executable, script, *args]
    folder = str(Path(script).parent)
    options = {"env": os.environ | {"PYTHONPATH": folder}, "cwd": folder}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, **options
    )
    return json.loads(done.stdout)


@pytest.fixture
def checkout(tmp_path):
    """A repository with a copy of the package and a script beside it."""
    folder = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(ROOT / "dbn", folder / "dbn", ignore=ignored)
    (folder / "study.py").write_text(TELL.format(more="import helper"))
    (folder / "helper.py").write_text("")
    (folder / ".gitignore").write_text("__pycache__\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "all")
    return folder


def test_the_code_is_told_with_and_without_git(checkout, tmp_path):
    first = told(checkout / "study.py")
    assert len(first["commit"]) >= 7 and first["dirty"] is False
    assert first["package_sha256"] == sha256_of_code(checkout / "dbn")
    assert len(first["script_sha256"]) == 64
    assert first["seconds"] >= 0 and first["cores"] and first["versions"]["numpy"]
    installed = tmp_path / "elsewhere"
    shutil.copytree(checkout, installed, ignore=shutil.ignore_patterns(".git"))
    there = told(installed / "study.py")
    assert there["commit"] is None and there["dirty"] is None
    for key in ("package_sha256", "script_sha256"):
        assert there[key] == first[key]
    # A repository that the package is no part of says nothing about it.
    git(installed, "init", "--quiet")
    git(installed, "add", "study.py")
    git(installed, "commit", "--quiet", "-m", "mine")
    assert told(installed / "study.py")["commit"] is None


def test_every_change_of_code_is_seen(checkout):
    first = told(checkout / "study.py")
    with (checkout / "helper.py").open("a") as file:  # imported by the script
        file.write("a = 1\n")
    changed = told(checkout / "study.py")
    assert changed["dirty"] is True and changed["commit"] == first["commit"]
    assert changed["package_sha256"] == first["package_sha256"]
    assert changed["script_sha256"] != first["script_sha256"]
    git(checkout, "checkout", "--quiet", ".")
    assert told(checkout / "study.py")["dirty"] is False
    (checkout / "notes.txt").write_text("no code")
    assert told(checkout / "study.py")["dirty"] is False
    (checkout / "dbn" / "more.py").write_text("a = 1\n")
    changed = told(checkout / "study.py")
    assert changed["dirty"] is True
    assert changed["package_sha256"] != first["package_sha256"]


def test_a_change_after_the_start_is_seen(checkout):
    """The hash is that of the code that ran, and no commit is claimed for it."""
    first = told(checkout / "study.py")
    more = "open('dbn/__init__.py', 'a').write('#')\n"
    (checkout / "later.py").write_text(TELL.format(more=more))
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "-m", "later")
    later = told(checkout / "later.py")
    assert later["package_sha256"] == first["package_sha256"]
    git(checkout, "commit", "--quiet", "-a", "-m", "changed")
    assert told(checkout / "later.py")["dirty"] is True


def test_commands_have_no_machine_paths(checkout):
    args = ["--data", "/some/where/rows.npz", "--to=/some/where/out", "a b", "1/2"]
    assert told(checkout / "study.py", *args)["command"] == (
        "python study.py --data rows.npz --to=out 'a b' 1/2"
    )


def test_a_session_without_a_script_has_none():
    code = "import json; from dbn.evaluation import provenance as p; print(p())"
    command = [sys.executable, "-c", code, "/a/b"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "'command': 'python -c b'" in done.stdout
    assert "'script_sha256': None" in done.stdout
    command = [sys.executable, "-"]
    piped = subprocess.run(
        command, input=code, capture_output=True, text=True, check=True
    )
    assert "'command': 'python -'" in piped.stdout
    assert "'script_sha256': None" in piped.stdout


def test_data_and_models_are_told(tmp_path):
    X, y = np.random.default_rng(0).random((40, 6)), np.arange(40) % 2
    found = provenance(X, y)
    assert found["data_sha256"] == identity(X, y)
    assert "data_sha256" not in provenance()
    dbn = DBNTransformer((4,), rbm=RBMTransformer(batch_size=1, max_iter=5)).fit(X)
    save_model(dbn, tmp_path / "model.dbn")
    about = about_model(load_model(tmp_path / "model.dbn"))
    assert about == about_model(dbn)
    assert about["call"].startswith("DBNTransformer(hidden_layer_sizes=(4,), rbm=RBM")
    dbn.dbn_.rbms[0].params.flat[0] += 1.0
    assert about_model(dbn)["sha256"] != about["sha256"]


def test_changed_code_is_said_in_one_line():
    assert note_of_changes({"dirty": False}) == note_of_changes({}) == ""
    note = note_of_changes({"dirty": True, "commit": "abc1234"})
    assert "changes" in note and "abc1234" in note and "\n" not in note
    assert "\x1b" not in note_of_changes({"dirty": True, "commit": "\x1b[1m" * 99})


def test_table_and_page_say_that_no_commit_has_the_code():
    result = Comparison.from_json(ROOT / "results" / "digits.json")
    note = "Made with changes that are in no commit"
    assert note not in result.table() + html_report(result)
    result.settings |= {"dirty": True, "commit": "<b>"}
    last = result.table().splitlines()[-1]
    assert last == f"{note}, on top of <b>." and result.table().count(note) == 1
    page = html_report(result)
    assert f"{note}, on top of &lt;b&gt;." in page and "<b>" not in page
