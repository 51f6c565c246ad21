"""Several processes train what one would, and end together when one of them dies.

Real processes: torchrun starts `distributed_job.py`.
"""

import os
import pickle
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dbn.storage.archive import read_archive
from dbn.training import data_parallel
from dbn.training.distributed import Workers, current_workers
from tests.estimators.toy import message
from tests.training import distributed_job as job

ROOT = Path(__file__).parents[2]


def torchrun(*args, options=()):
    """Run a script in processes of torchrun, which PyTorch brings."""
    pytest.importorskip("torch", reason="the processes are connected by PyTorch")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node=2", *options, *map(str, args)]
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, env=env, timeout=120, cwd=ROOT
    )


def run_job(name, folder, *args, **options):
    return torchrun(job.__file__, name, folder, *args, **options)


def found_by_both(folder):
    paths = [folder / f"found-{rank}.pickle" for rank in range(2)]
    return [pickle.loads(path.read_bytes()) for path in paths]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    done = run_job("compare", folder)
    assert done.returncode == 0, done.stderr
    return found_by_both(folder)


@pytest.mark.parametrize("name", job.EXACT)
def test_two_processes_are_one(found, name):
    one, history = job.EXACT[name]()
    for two, its_history in (process[name] for process in found):
        assert_allclose(two, one, rtol=1e-5, atol=1e-9)
        assert len(its_history) == len(history)
        for entry, expected in zip(its_history, history, strict=True):
            assert entry.keys() == expected.keys()
            numbers = [
                [e[key] for key in e if key != "phase"] for e in (entry, expected)
            ]
            assert_allclose(*numbers, rtol=1e-5)
    assert_array_equal(*(process[name][0] for process in found))


@pytest.mark.parametrize("name", job.NOISY)
def test_with_noise_all_processes_hold_the_same(found, name):
    (params, chains), (others, their_chains) = (process[name] for process in found)
    one, shapes = job.NOISY[name]()
    assert_array_equal(params, others)
    assert np.isfinite(params).all() and not np.allclose(params, one)
    assert chains.keys() == their_chains.keys() == shapes.keys()
    for key, value in chains.items():
        assert_array_equal(value, their_chains[key])
        assert np.shape(value) == np.shape(shapes[key])


def test_chains_differ_between_processes(found):
    v = found[0]["PCD, 7 chains"][1]["v"]
    assert len(np.unique(v, axis=0)) > 3


def test_noise_is_own_and_shuffles_are_common(found):
    (first, after), (second, then) = (process["streams"] for process in found)
    epochs, plain = [*first, *second], job.make_rng(0)
    noise = [tuple(own) for own, _ in epochs]
    assert len({*noise}) == 4
    shuffles = [plain.random(3).tolist() for _ in range(2)]
    assert [drawn for _, drawn in epochs] == shuffles * 2
    assert after == then == plain.random(3).tolist()


def test_an_epoch_begins_and_ends_with_what_process_0_has(found):
    for process in found:
        begun, ended = process["rounded"]
        assert_array_equal(begun, np.zeros(3))
        assert_array_equal(ended, np.full(3, 0.5))


def test_with_noise_the_quality_is_the_same(found):
    one = np.array([job.likelihood(seed) for seed in job.SEEDS])
    two = np.array(found[0]["likelihoods"])
    assert not np.allclose(one, two)
    error = np.sqrt((one.var(ddof=1) + two.var(ddof=1)) / len(one))
    assert abs(two.mean() - one.mean()) < 4.0 * error


def test_a_step_is_one_reduction_of_the_gradient(found):
    machine, net = 6 * 5 + 6 + 5, 6 * 5 + 5 + 5 * 4 + 4 + 4 * 3 + 3
    n_steps = -(-job.N_ROWS // job.BATCH)
    # A net's loss comes behind its gradient.
    assert found[0]["reductions"] == [machine] * n_steps + [net + 1] * n_steps


def test_what_cannot_be_shared_is_refused(found):
    for process in found:
        for text, seen in zip(job.REFUSED, process["refused"], strict=True):
            assert text in seen


def test_a_dead_process_ends_the_job_and_the_others_resume(found, tmp_path):
    done = run_job("fail", tmp_path, "killed", 5)
    assert done.returncode != 0
    # torchrun says which; process 0 says so as well, unless torchrun ends it before.
    report = r"rank +: 1 .*\n.*exitcode +: -9 .*\(SIGKILL\)"
    assert re.search(report, done.stderr), done.stderr
    files = sorted((tmp_path / "state").glob("*.ckpt"))
    kept = read_archive(files[-1], kind="dbn checkpoint", version=1)
    assert 4 <= len(kept["history"]) <= 5
    assert kept["stack"]["layer"]["chains"]["v"].shape[0] == 7

    # It goes on, and in the other phase process 1 hangs; torchrun starts both again.
    done = run_job("fail", tmp_path, "hangs", 6, options=["--max-restarts=1"])
    assert done.returncode == 0, done.stderr
    assert "job: Process 0 of 2 cannot go on alone: " in done.stderr
    assert "did not answer within 6 s (" in done.stderr
    assert "imed out" in done.stderr
    for process, other in zip(found, found_by_both(tmp_path), strict=True):
        (numbers, history), (resumed, its_history) = (
            process["uninterrupted"],
            other["resumed"],
        )
        assert other["elastic"] and not process["elastic"]
        assert_array_equal(resumed, numbers)
        assert its_history == history
    assert len(history) == 14


@pytest.mark.parametrize("name", job.DISAGREEMENTS)
def test_processes_that_disagree_say_so_in_all_of_them(found, name):
    first, second = (process["disagreements"][0][name] for process in found)
    assert first == second
    assert first.startswith("Of 2 processes, [1] do not train on what process 0 does: ")
    assert first.endswith("Give all of them the same, and an int as random_state.")


def test_functions_compare_how_many_rows_there_are(found):
    first, second = (process["other rows"] for process in found)
    assert first == second
    assert first.startswith("Of 2 processes, [1] do not train on what process 0 does: ")


def test_what_process_0_finds_wrong_ends_all(found):
    first, second = (process["disagreements"][0]["checkpoint"] for process in found)
    assert first == second
    assert "holds checkpoints of the same task for other parameters" in first


def test_after_that_they_train_together(found):
    first, second = (process["disagreements"][1] for process in found)
    assert_array_equal(first, second)


def test_one_process_of_torchrun_is_as_without_it(monkeypatch, tmp_path):
    pytest.importorskip("torch", reason="the processes are connected by PyTorch")
    # A port that is free: of its own socket, 0 would be known to nobody else.
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    env = {"RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, value in env.items():
        monkeypatch.setenv(name, str(value))
    with data_parallel() as workers:
        params, _ = job.NOISY["CD"]()
    assert workers.size == 1
    assert_array_equal(params, job.NOISY["CD"]()[0])


def test_without_torchrun(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    text = message(data_parallel().__enter__)
    assert text.startswith("RANK is not set: ") and "--nproc_per_node=2" in text


def test_without_torch(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setitem(sys.modules, "torch", None)
    text = message(data_parallel().__enter__, error=ImportError)
    assert text.endswith("which is not installed: pip install torch.")


def test_alone_nothing_changes():
    rng, a = np.random.default_rng(0), np.ones(3)
    workers = current_workers()
    with workers.epoch(rng, {"epoch": 0}, [a], 10) as shuffles:
        assert shuffles is rng
    workers.mean(a)
    workers.check_batches(1)
    assert_array_equal(a, np.ones(3))
    assert type(workers) is Workers
