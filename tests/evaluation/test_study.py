"""Studies that stop and go on, in many processes and on clusters."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_info

import dbn
from dbn import RBMTransformer
from dbn.backend.threads import one_blas_thread
from dbn.evaluation import Comparison, compare_initializers
from dbn.evaluation.study import run_study
from dbn.evaluation.study.journal import is_finished
from dbn.evaluation.study.run_cell import run_cell
from dbn.training import SGD

# The module; the room has a function of this name.
provenance = sys.modules["dbn.evaluation.provenance"]

TOY = {
    "inits": [("dbn", "logistic"), ("xavier_uniform", "logistic")],
    "hidden_layer_sizes": [(8,)],
    "label_budgets": [40],
    "n_seeds": 2,
    "learning_rates": [0.003, 0.01],
    "n_updates": 10,
    "pretrain_updates": 10,
}
# Two DBNs; on two seeds three nets with two rates, seven controls with 25 values in
# all; finals.
N_CELLS = 2 + 2 * (3 * 2 + 25) + 2 * (3 + 7)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="module")
def whole(digits):
    return untimed(compare_initializers(*digits, **TOY))


def untimed(result):
    """All that a study found, without what it took and where it ran."""
    left_out = ("command", "commit", "dirty", "versions", "cores", "seconds")
    left_out += ("pretrained", "script_sha256")  # with their commands
    settings = {k: v for k, v in result.settings.items() if k not in left_out}
    records = [
        {k: v for k, v in record.items() if "seconds" not in k and v is not None}
        for record in result.records
    ]
    return settings, records


def counted(monkeypatch):
    """The cells that are computed."""
    cells = []

    def counting(cell, *args):
        cells.append(cell)
        return run_cell(cell, *args)

    monkeypatch.setattr(run_study, "run_cell", counting)
    return cells


def test_a_study_with_a_folder_repeats_nothing(digits, whole, tmp_path, monkeypatch):
    cells = counted(monkeypatch)
    first = compare_initializers(*digits, **TOY, folder=tmp_path)
    assert len(cells) == len({*cells}) == N_CELLS
    assert len([*(tmp_path / "cells").glob("*.json")]) == N_CELLS
    assert untimed(first) == whole and is_finished(tmp_path)
    again = compare_initializers(*digits, **TOY, folder=tmp_path)
    assert len(cells) == N_CELLS
    assert again.records == first.records  # seconds included


def test_what_is_missing_or_broken_is_done_again(digits, whole, tmp_path, monkeypatch):
    compare_initializers(*digits, **TOY, folder=tmp_path)
    files = sorted((tmp_path / "cells").glob("t*.json"))
    files[0].unlink()
    files[5].write_bytes(files[5].read_bytes()[:50])  # half written
    files[9].write_bytes(b"")
    files[14].write_text(files[13].read_text())  # of another cell
    content = json.loads(files[17].read_text())
    content["record"]["error"] = "0.1"
    files[17].write_text(json.dumps(content))
    model = next((tmp_path / "cells").glob("*.dbn"))
    model.write_bytes(b"no model")
    cells = counted(monkeypatch)
    again = compare_initializers(*digits, **TOY, folder=tmp_path)
    assert len(cells) == 6 and [cell.stage for cell in cells].count("pretrain") == 1
    assert untimed(again) == whole


def test_more_seeds_go_on_from_fewer(digits, whole, tmp_path, monkeypatch):
    compare_initializers(*digits, **TOY, folder=tmp_path)
    cells = counted(monkeypatch)
    more = compare_initializers(*digits, **TOY | {"n_seeds": 3}, folder=tmp_path)
    assert {cell.seed for cell in cells} == {2}
    first = [record for record in untimed(more)[1] if record["seed"] < 2]
    assert sorted(map(repr, first)) == sorted(map(repr, whole[1]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_updates": 11}, r"n_updates is \[10\] there and \[11\] here"),
        ({"label_budgets": [41]}, r"label_budgets is \[40\] there and \[41\] here"),
        ({"tune": "literature"}, "tune is 'strict' there and 'literature' here"),
        ({"scoring": "f1_macro"}, "scoring is 'accuracy' there"),
        ({"equal": "multiply_adds"}, "equal is 'epochs' there"),
        ({"rbm": RBMTransformer(l1=0.1)}, r"rbm is 'RBMTransformer\(\)' there"),
    ],
)
def test_the_folder_of_another_study_is_refused(digits, tmp_path, change, words):
    begun(digits, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=f"holds another study: {words}"):
        compare_initializers(*digits, **TOY | change, folder=tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def begun(digits, folder, **options):
    """A study that stops after its first cell."""

    made = []

    def stop(*args):
        if made:
            raise KeyboardInterrupt
        made.append(args)
        return run_cell(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_study, "run_cell", stop)
        with pytest.raises(KeyboardInterrupt) as error:
            compare_initializers(*digits, **TOY | options, folder=folder)
    assert "the same folder goes on from it" in error.value.__notes__[0]
    assert is_finished(folder) is False


def test_a_study_of_other_data_or_another_version_is_refused(
    digits, tmp_path, monkeypatch
):
    begun(digits, tmp_path)
    X, y = digits
    other = X.copy()
    other[700, 20] += 0.01
    with pytest.raises(ValueError, match="another study: data_sha256 is"):
        compare_initializers(other, y, **TOY, folder=tmp_path)
    about = tmp_path / "study.json"
    content = json.loads(about.read_text())
    for version in (1, 2, 3, 99):  # the first told parts of other studies alike
        about.write_text(json.dumps(content | {"version": version}))
        with pytest.raises(ValueError, match=f"version is {version} there and 4 here"):
            compare_initializers(X, y, **TOY, folder=tmp_path)
    about.write_text(json.dumps(content))
    monkeypatch.setattr(dbn, "__version__", "77.0")
    with pytest.raises(ValueError, match=r"dbn is '.*' there and '77.0' here"):
        compare_initializers(X, y, **TOY, folder=tmp_path)


def test_a_study_of_other_machines_whose_text_is_the_same_is_refused(digits, tmp_path):
    """`repr` shows 30 elements of a sequence."""
    machines = [
        RBMTransformer(optimizer=SGD(tuple((epoch, 0.1) for epoch in range(n))))
        for n in (40, 41)
    ]
    assert repr(machines[0]) == repr(machines[1])
    begun(digits, tmp_path, rbm=machines[0])
    study = TOY | {"rbm": machines[1]}
    with pytest.raises(ValueError, match="another study: rbm_sha256 is"):
        compare_initializers(*digits, **study, folder=tmp_path)


def test_cells_that_other_code_made_are_refused(digits, tmp_path, monkeypatch):
    compare_initializers(*digits, **TOY, folder=tmp_path)
    monkeypatch.setattr(provenance, "_PACKAGE_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="holds cells that other code made") as caught:
        compare_initializers(*digits, **TOY, folder=tmp_path)
    said = str(caught.value)
    assert "the package dbn was SHA-256" in said and f"{'0' * 12} " in said
    assert "Give another folder" in said
    monkeypatch.undo()
    about = tmp_path / "study.json"
    content = json.loads(about.read_text())
    maker = {"script_sha256": "\x1b[31m" * 9, "commit": ["x"], "dirty": 1}
    content["made_by"] |= maker
    about.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="the script was SHA-256") as caught:
        compare_initializers(*digits, **TOY, folder=tmp_path)
    assert "with changes on top of commit" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    for damaged in (None, [], {}):
        about.write_text(json.dumps(content | {"made_by": damaged}))
        with pytest.raises(ValueError, match="holds cells that other code made"):
            compare_initializers(*digits, **TOY, folder=tmp_path)


def test_scripts_share_dbns_and_records_name_them(digits, tmp_path, monkeypatch):
    first = compare_initializers(*digits, **TOY, dbn_folder=tmp_path / "dbns")
    monkeypatch.setattr(provenance, "_script_files", lambda: [Path(__file__)])
    monkeypatch.setattr(provenance, "_command", lambda: "python another.py")
    cells = counted(monkeypatch)
    second = compare_initializers(*digits, **TOY, dbn_folder=tmp_path / "dbns")
    assert "pretrain" not in {cell.stage for cell in cells}
    assert second.settings["command"] == "python another.py"
    assert second.settings["pretrained"] == first.settings["pretrained"]
    alone = compare_initializers(*digits, **TOY)
    for found, its in zip(
        first.settings["pretrained"], alone.settings["pretrained"], strict=True
    ):
        assert its == found | {"command": "python another.py"}
        assert len(found["sha256"]) == 64 and found["command"].startswith("python")
    calls = [found["call"] for found in first.settings["pretrained"]]
    assert "random_state=0" in calls[0] and "random_state=1" in calls[1]
    monkeypatch.setattr(provenance, "_PACKAGE_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="dbns holds cells that other code made"):
        compare_initializers(*digits, **TOY, dbn_folder=tmp_path / "dbns")


def test_cells_without_their_study_are_refused(digits, tmp_path):
    """A damaged study.json does not make its cells those of any study."""
    compare_initializers(*digits, **TOY, folder=tmp_path)
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(ValueError, match="format is None there and 'dbn study' here"):
        compare_initializers(*digits, **TOY, folder=tmp_path)


def test_a_folder_that_cannot_be_written(digits, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError, match=r"cannot be used for a study \(Not a directory"):
        compare_initializers(*digits, **TOY, folder=file / "study")
    assert is_finished(tmp_path / "nothing") is None


def test_a_disk_that_fills_up_keeps_what_is_finished(digits, tmp_path, monkeypatch):
    cells, save = counted(monkeypatch), run_study.Journal.save

    def full(self, cell, result, seconds):
        if len(cells) == 20:
            raise OSError(28, "No space left on device")
        save(self, cell, result, seconds)

    monkeypatch.setattr(run_study.Journal, "save", full)
    with pytest.raises(OSError, match="No space left") as error:
        compare_initializers(*digits, **TOY, folder=tmp_path)
    assert str(tmp_path) in error.value.__notes__[0]
    monkeypatch.setattr(run_study.Journal, "save", save)
    compare_initializers(*digits, **TOY, folder=tmp_path)
    assert len(cells) == N_CELLS + 1


# Many processes.


def dying(cell, *args):
    """Work in which the process is killed at the first net that starts from a DBN."""
    if cell.stage == "tune" and cell.name == "dbn + logistic":
        os.kill(os.getpid(), signal.SIGKILL)
    return run_cell(cell, *args)


def test_a_worker_that_dies_costs_no_finished_cell(
    digits, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_study, "run_cell", dying)
    with pytest.raises(RuntimeError, match="A worker process died") as error:
        compare_initializers(*digits, **TOY, n_jobs=2, folder=tmp_path)
    assert f"finished is in {tmp_path}" in str(error.value)
    n_kept = len([*(tmp_path / "cells").glob("*.json")])
    assert n_kept >= 2
    monkeypatch.undo()
    cells = counted(monkeypatch)
    result = compare_initializers(*digits, **TOY, folder=tmp_path)
    assert untimed(result) == whole and len(cells) == N_CELLS - n_kept


@pytest.mark.parametrize("backend", ["multiprocessing", "threading"])
def test_backends_of_joblib(digits, whole, tmp_path, backend):
    """The first, as that of ray, gives lists only; the second shares one BLAS."""
    with joblib.parallel_config(backend, n_jobs=2):
        result = compare_initializers(*digits, **TOY, folder=tmp_path)
    assert untimed(result) == whole
    assert len([*(tmp_path / "cells").glob("*.json")]) == N_CELLS


@pytest.mark.filterwarnings("ignore")  # of dask, about itself
def test_a_dask_cluster_runs_the_same_study(digits, whole, tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config("dask"),
    ):
        assert joblib.effective_n_jobs() == 2
        result = compare_initializers(*digits, **TOY, folder=tmp_path)
        workers = client.run(os.getpid)
    assert os.getpid() not in workers.values()
    assert untimed(result) == whole
    assert len([*(tmp_path / "cells").glob("*.json")]) == N_CELLS


def test_threads_of_a_process_share_one_blas_thread():
    """The last who leaves sets it back, not the first."""

    def n_threads():
        pools = threadpool_info()
        return {p["num_threads"] for p in pools if p["user_api"] == "blas"}

    before = n_threads()
    inside, leave, found = threading.Event(), threading.Event(), []

    def other():
        with one_blas_thread():
            inside.set()
            leave.wait()
            found.append(n_threads())

    thread = threading.Thread(target=other)
    with one_blas_thread():
        thread.start()
        inside.wait()
    assert n_threads() == {1}
    leave.set()
    thread.join()
    assert found == [{1}] and n_threads() == before


# SIGKILL.

WORKER = """
import sys
from tests.evaluation.test_study import TOY, compare_initializers, load_digits
X, y = load_digits(n_class=4, return_X_y=True)
result = compare_initializers(X / 16, y, **TOY, folder=sys.argv[1])
result.to_json(sys.argv[1] + "/results.json")
"""


def test_a_killed_study_goes_on(digits, whole, tmp_path):
    """Twice, after some cells more each time; a temporary file may stay behind."""
    cells = tmp_path / "cells"
    command = [sys.executable, "-W", "error", "-c", WORKER, str(tmp_path)]
    for n_cells in (5, 25):
        process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
        while len([*cells.glob("*.json")]) < n_cells and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert n_cells <= len([*cells.glob("*.json")]) < N_CELLS
    before = {path: path.stat().st_mtime_ns for path in cells.glob("*.json")}
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True)
    after = {path: path.stat().st_mtime_ns for path in cells.glob("*.json")}
    assert before.items() <= after.items() and len(after) == N_CELLS
    assert untimed(Comparison.from_json(tmp_path / "results.json")) == whole


def test_large_data_is_not_copied_to_every_cell(monkeypatch):
    """With a fixed split the rows that pretraining gets are those of the caller."""
    rng = np.random.default_rng(0)
    X = rng.random((300, 5), dtype=np.float32)
    y = (X[:, 0] > 0.5).astype(int)
    seen, fit = [], dbn.DBNTransformer.fit

    def spying(self, X, *args, **options):
        seen.append(X)
        return fit(self, X, *args, **options)

    monkeypatch.setattr(dbn.DBNTransformer, "fit", spying)
    compare_initializers(X, y, X_test=X[:50], y_test=y[:50], **TOY)
    assert len(seen) == 2 and all(np.shares_memory(rows, X) for rows in seen)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "study.json")
    assert is_finished(tmp_path) is False
    with pytest.raises(ValueError, match="a folder, pipe or device, and no file"):
        Comparison.from_json(tmp_path / "study.json")
