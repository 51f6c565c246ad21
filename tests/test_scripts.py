"""Every script runs on a toy configuration, and says clearly what it cannot use."""

import argparse
import gzip
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import defaults
import measures
import mnist
import mnist_nets
import numpy as np
import pytest
import records
from hostile import FORMATS
from sklearn.datasets import load_digits, load_wine
from sklearn.frozen import FrozenEstimator

from dbn import (
    DBNClassifier,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
    load_model,
    save_model,
)
from dbn.backend.identity import identity
from dbn.evaluation import Comparison, html_report, load_dataset
from dbn.evaluation.study.shared_dbn import find_dbn
from dbn.training import Adam, Schedule, Sparsity
from tests.datasets.test_datasets import idx_bytes
from tests.libraries import needs_torch
from tests.training.test_distributed import torchrun
from tests.warm_processes import run_warm

ROOT = Path(__file__).parent.parent


# Toys train for an epoch or two, and a user should be told so. By their first words: at
# the time of -W Python cannot import the class of these warnings.
SHORT = ["Pretraining has hardly moved", "Training has hardly moved"]
SHORT += ["Fine-tuning ended at max_iter", "Training ended at max_iter"]
SHORT += ["All of "]  # rows are taken for one class
STRICT = ["-W", "error", *(part for s in SHORT for part in ("-W", f"default:{s}"))]


def run(script, *args):
    return run_warm(ROOT / "scripts" / script, *args, let_pass=SHORT)


# Of all scripts in one process, which imports the package once.
ASK_ALL = """
import runpy, sys
from pathlib import Path
for path in sys.argv[1:]:
    sys.argv, sys.path[0] = [path, "--help"], str(Path(path).parent)
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        print("ended with", end.code)
"""


def test_every_script_says_how_it_is_used():
    scripts = [
        str(p) for p in (ROOT / "scripts").rglob("*.py") if "__main__" in p.read_text()
    ]
    assert len(scripts) == 22
    command = [sys.executable, *STRICT, "-c", ASK_ALL, *scripts]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = done.stdout.split("ended with 0\n")
    assert told.pop() == ""
    for script, said in zip(scripts, told, strict=True):
        assert said.startswith(f"usage: {Path(script).name}"), said


# The same of what cannot be written.
RUN_ALL = """
import runpy, sys
from pathlib import Path
for line in sys.argv[1:]:
    path, *sys.argv[1:] = line.split()
    sys.argv[0] = path
    sys.path[0] = str(Path(path).parent)
    try:
        runpy.run_path(path, run_name="__main__")
        print("wrote")
    except (SystemExit, OSError) as end:
        print(Path(path).name, end, flush=True)
"""


def test_output_that_cannot_be_written_is_found_before_the_work(tmp_path):
    """Of all scripts that have the option: it took seconds, where some take hours."""
    (tmp_path / "file").touch()
    needed = {"mnist.py": "full", "density.py": "bars", "autoencoder.py": "digits"}
    needed |= {"finetune.py": "he_normal"}
    scripts = [
        p for p in (ROOT / "scripts").rglob("*.py") if "args.output" in p.read_text()
    ]
    scripts = [
        p for p in scripts if "__main__" in p.read_text() and p.name != "sample.py"
    ]
    assert len(scripts) == 21
    output = f"--output {tmp_path}/file/record.json"
    lines = [f"{path} {needed.get(path.name, '')} {output}" for path in scripts]
    command = [sys.executable, "-W", "ignore", "-c", RUN_ALL, *lines]
    # Before data are looked for, too: here are none.
    env = {key: value for key, value in os.environ.items() if key != "DBN_DATA"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if "cannot be written to" in line]
    assert len(said) == len(scripts), done.stdout
    assert all(line.endswith("Give another --output.") for line in said)


def test_sample_finds_before_the_work_that_it_cannot_write(tmp_path):
    X = load_digits().data[:50] / 16
    save_model(RBMTransformer(4, random_state=0).fit(X), tmp_path / "model.dbn")
    (tmp_path / "rows.npz").mkdir()
    options = [str(tmp_path / "model.dbn"), "-n", "2", "--steps", "1", "--output"]
    done = run("sample.py", *options, str(tmp_path / "rows"))
    assert done.returncode == 1 and done.stderr == (
        f"sample: {tmp_path}/rows.npz is a folder. Give a file for --output.\n"
    )
    assert run("sample.py", *options, str(tmp_path / "new" / "T0.5")).returncode == 0
    assert run("sample.py", *options, str(tmp_path / "new" / "T1.npz")).returncode == 0
    made = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert made == ["T0.5.npz", "T0.5.png", "T1.npz", "T1.png"]


def test_records_are_json_whatever_the_figures(tmp_path):
    record = {"a": [1.5, math.nan], "b": {"c": (math.inf, np.float64("nan"))}}
    records.write_record(tmp_path / "record.json", record | {"text": "NaN"})
    expected = {"a": [1.5, None], "b": {"c": [None, None]}, "text": "NaN"}
    for path in (tmp_path / "record.json", tmp_path / "history" / "record.jsonl"):
        assert json.loads(path.read_text(), parse_constant=pytest.fail) == expected


def assert_origin(record, *more):
    """A record says where it comes from."""
    wanted = {"command", "commit", "dirty", "package_sha256", "script_sha256", *more}
    assert wanted | {"versions", "cores", "blas_threads", "seconds"} <= {*record}
    assert len(record["package_sha256"]) == len(record["script_sha256"]) == 64
    assert " /" not in record["command"] and "=/" not in record["command"]


def toy(tmp_path, *args):
    return run(
        "benchmark.py",
        *["--output", str(tmp_path / "out"), "--hidden-layer-sizes", "8"],
        *["--labels", "20", "--seeds", "2", "--learning-rates", "0.01"],
        *["--updates", "5", "--pretrain-updates", "5", "--jobs", "1", *args],
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study: where it is, and what it said."""
    tmp_path = tmp_path_factory.mktemp("study")
    done = toy(tmp_path, "--hidden-layer-sizes", "8", "6,6")
    assert done.returncode == 0, done.stderr
    return tmp_path, done


def test_benchmark(study):
    tmp_path, done = study
    assert "Verdict on digits: of the 2 settings" in done.stdout
    assert "comparison: 100%" in done.stderr
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert_origin(content["settings"], "seeds", "data_sha256", "pretrained")
    assert content["settings"]["command"].startswith("python scripts/benchmark.py")
    for name in ("differences.png", "comparison.png"):
        assert (tmp_path / "out" / name).read_bytes()[:4] == b"\x89PNG"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert content["settings"]["command"] in page and "data:image/png;base64" in page
    assert done.stdout.endswith(
        "Wrote results.json, report.html, differences.png and comparison.png to "
        f"{tmp_path / 'out'}/\n"
    )


def test_benchmark_shows_a_finished_study_again(study, tmp_path):
    folder, first = study
    page = (folder / "out" / "report.html").read_bytes()
    file = tmp_path / "results.json"
    file.write_bytes((folder / "out" / "results.json").read_bytes())
    again = run("benchmark.py", "--from", str(file), "--output", str(tmp_path / "b"))
    assert again.returncode == 0 and again.stderr == ""
    said, _, told = first.stdout.partition("\n")
    assert said == "label: 10 classes; 64 features; 1,797 rows, all labelled"
    assert again.stdout.rpartition("\n\n")[0] == told.rpartition("\n\n")[0]
    assert {path.name for path in (tmp_path / "b").iterdir()} == {
        *("report.html", "differences.png", "comparison.png")
    }
    assert (tmp_path / "b" / "report.html").read_bytes() == page
    idle = run("benchmark.py", "--from", str(file), "--seeds", "9")
    assert idle.returncode == 1 and idle.stderr.startswith(
        "benchmark: --seeds does nothing: --from shows"
    )
    record = str(ROOT / "results" / "digits.json")
    other = run("benchmark.py", "--from", record, "--output", str(file.parent))
    assert other.returncode == 1 and f"{file} is another study" in other.stderr
    file.write_text("{")
    broken = run("benchmark.py", "--from", str(file), "--output", str(tmp_path / "b"))
    assert broken.returncode == 1 and "is not a JSON file" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_benchmark_on_the_users_own_csv(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{b:.3f},{'big' if a > b else 'small'}"
        for a, b in rng.normal(size=(60, 2))
    ]
    path = tmp_path / "mine.csv"
    path.write_text("a,b,size\n" + "\n".join(rows))
    inits = ["--inits", "dbn", "he_normal:relu", "RBMClassifier"]
    done = toy(tmp_path, "--dataset", str(path), *inits)
    assert done.returncode == 0, done.stderr
    assert "Verdict on mine" in done.stdout and "\n  RBMClassifier " in done.stdout
    assert done.stdout.startswith(
        "label: column 'size', 2 classes; 2 features; 60 rows, all labelled\n"
    )
    alone = ["--controls", "none", "--output", str(tmp_path / "alone")]
    done = toy(tmp_path, "--dataset", str(path), *inits[:3], *alone)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "alone" / "results.json").read_text())
    (contenders,) = [its["contenders"] for its in content["summary"]]
    assert sorted(contenders) == ["dbn + logistic", "he_normal + relu"]


def test_benchmark_of_reconstructions(tmp_path, half_labelled):
    """Without labels, and with some, which do not matter."""
    few = ["--hidden-layer-sizes", "4,2", "--seeds", "2", "--learning-rates", "0.01"]
    few += ["--task", "reconstruct", "--pretrain-updates", "5", "--jobs", "1"]
    few += ["--output", str(tmp_path / "out"), "--inits", "dbn", "he_normal:relu"]
    done = run("benchmark.py", *few, "--updates", "3", "6", *half_labelled)
    assert done.returncode == 0, done.stderr
    assert "Verdict on half: of the 2 settings" in done.stdout
    assert "4-2, 6 updates" in done.stdout and "\n  PCA " in done.stdout
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    settings = content["settings"]
    assert (settings["target"], settings["n_train"], settings["n_test"]) == (
        *("rows", 42),
        18,
    )
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Test error against the length of training" in page
    bars = ["--dataset", "bars-and-stripes", "--updates", "3"]
    done = run("benchmark.py", *few, *bars)
    assert done.returncode == 0, done.stderr
    for option in (["--labels", "9"], ["--tune", "literature"]):
        done = run("benchmark.py", *few, *bars, *option)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert done.stderr == (
            f"benchmark: {option[0]} does nothing without --task predict; --task is "
            f"reconstruct. Add that, or leave {option[0]} away.\n"
        )


@pytest.fixture
def half_labelled(tmp_path):
    """A table whose label is in its first column and known in every second row."""
    rng = np.random.default_rng(0)
    rows = [
        f"{['', 'big', '', 'small'][i % 4]},{a:.3f},{b:.3f}"
        for i, (a, b) in enumerate(rng.normal(size=(60, 2)))
    ]
    path = tmp_path / "half.csv"
    path.write_text("size,a,b\n" + "\n".join(rows))
    return ["--dataset", str(path), "--label-column", "size"]


def test_rows_without_labels_are_learned_from_without_labels(tmp_path, half_labelled):
    options = ["--epochs", "1", "--output", str(tmp_path / "out")]
    said = "label: column 'size', 2 classes; 2 features; 30 of 60 rows labelled\n"
    done = run("pretrain.py", *half_labelled, "--layers", "5,4", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said)
    record = json.loads((tmp_path / "out" / "history.json").read_text())
    assert record["rows"] == 51 - 5  # without 9 test rows, and a tenth only watched
    model = str(tmp_path / "out" / "model.dbn")
    done = run("finetune.py", model, *half_labelled, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said) and "with 21 labelled rows" in done.stdout
    done = toy(tmp_path, *half_labelled, "--labels", "10")
    assert done.returncode == 0 and done.stdout.startswith(said), done.stderr
    settings = json.loads((tmp_path / "out" / "results.json").read_text())["settings"]
    assert [settings[f"n_{part}"] for part in ("train", "test", "unlabeled")] == [
        *(21, 9, 30)
    ]


def test_benchmark_on_a_table_as_people_have_it(tmp_path):
    """Categories, values missing, most labels empty; and a mark for no label."""
    pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    lines = ["colour,size,weight,kind"]
    for i in range(300):
        colour, size = rng.choice(["red", "green", "blue"]), rng.normal(50, 10)
        label = "old" if (colour == "red") == (size > 50) else "new"
        label = label if i % 3 == 0 else ("", "?")[i % 2]
        colour, weight = "" if i % 11 == 0 else colour, rng.random()
        weight = "NA" if i % 7 == 0 else f"{weight:.3f}"
        lines.append(f"{colour},{size:.2f},{weight},{label}")
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines))
    done = toy(tmp_path, "--dataset", str(path), "--labels", "30")
    assert done.returncode == 0, done.stderr
    said, _, told = done.stdout.partition("\n")
    n_holes = sum(i % 11 == 0 for i in range(300)) + sum(i % 7 == 0 for i in range(300))
    assert said == (
        "label: column 'kind', 2 classes; 3 features (2 numbers, 1 category); 100 of "
        f"300 rows labelled; '?' taken for no label; {n_holes} values missing"
    )
    assert "gradient boosting" in told and "Verdict on people, 1 x 8, " in told
    path.write_text("\n".join(lines).replace("?", "unknown"))
    marked = toy(
        tmp_path,
        *["--dataset", str(path), "--labels", "30", "--unlabeled", "unknown"],
    )
    assert marked.returncode == 0, marked.stderr
    assert marked.stdout.startswith(said.replace("'?' taken for no label; ", ""))
    wrong = toy(tmp_path, "--dataset", str(path), "--unlabeled", "nobody")
    assert wrong.returncode == 1 and "label of none of the rows" in wrong.stderr


def test_benchmark_on_numbers(tmp_path):
    done = toy(tmp_path, "--dataset", "diabetes", "--search", "2", "--visible", "auto")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "label: numbers from 25 to 346; 10 features; 442 rows"
    )
    assert "ridge on DBN features" in done.stdout
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {"r2", "rmse"} <= {*content["fields"]}
    assert len(content["settings"]["search"]) == 2


def test_benchmark_takes_whole_numbers_for_numbers(tmp_path):
    """31 of them are classes, unless the scorer says otherwise; and so says line 1."""
    rng = np.random.default_rng(0)
    lines = [f"{rng.normal():.3f},{35 + i % 31}" for i in range(310)]
    path = tmp_path / "ages.csv"
    path.write_text("a,age\n" + "\n".join(lines))
    mine = ["--dataset", str(path), "--controls", "none"]
    done = toy(tmp_path, *mine, "--labels", "50")
    assert done.returncode == 1 and "If y is a number to predict, say so" in done.stderr
    assert done.stdout.startswith("label: column 'age', 31 classes; 1 feature; 310 r")
    mine += ["--scoring", "neg_mean_squared_error", "--resume"]
    done = toy(tmp_path, *mine, "--labels", "50")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "label: column 'age', numbers from 35 to 65; 1 feature; 310 rows, all labelled"
    )
    assert "test mean squared error" in done.stdout


def test_benchmark_scores_one_class_if_it_is_told_which(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "health.csv"
    lines = [f"{rng.normal():.3f},{['ill', 'well'][i % 2]}" for i in range(80)]
    path.write_text("a,state\n" + "\n".join(lines))
    done = toy(tmp_path, "--dataset", str(path), "--scoring", "f1")
    assert done.returncode == 1 and "code that one as 1 and the oth" in done.stderr


def test_finetune_fits_numbers(tmp_path):
    numbers = ["--dataset", "diabetes", "--layers", "5", "--labels", "99"]
    options = ["--epochs", "1", "--output", str(tmp_path)]
    done = run("finetune.py", "he_normal", *numbers, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("label: numbers from 25 to 346; 10 features; 442")
    assert "(root mean square; R2 " in done.stdout
    assert "with 99 labelled rows" in done.stdout
    record = json.loads((tmp_path / "history.json").read_text())
    assert 30 < record["test_rmse"] < 300 and record["test_r2"] < 1


@pytest.mark.parametrize(
    ("script", "name", "message"),
    [
        (
            *("benchmarks/layers.py", "diabetes"),
            "labels of 'diabetes' are numbers, and classes are needed",
        ),
        (
            *("benchmarks/layers.py", "bars-and-stripes"),
            "'bars-and-stripes' has no labels. Name their column",
        ),
        ("benchmark.py", "bars-and-stripes", "'bars-and-stripes' has no labels."),
    ],
)
def test_scripts_that_need_labels(tmp_path, script, name, message):
    done = run(script, "--dataset", name, "--output", str(tmp_path / "out"))
    assert done.returncode == 1 and message in done.stderr
    assert "Traceback" not in done.stderr


def test_benchmark_goes_on_where_it_was_stopped(tmp_path):
    """And neither mixes nor loses what is unfinished."""
    assert toy(tmp_path, "--pretraining-rows", "labelled").returncode == 0
    study, cells = tmp_path / "out" / "study", "cells/*.json"
    n_cells = len([*study.glob(cells)])
    assert toy(tmp_path, "--dataset", "nothing.csv").returncode == 1
    assert len([*study.glob(cells)]) == n_cells
    wrong = toy(tmp_path, "--visible", "gausian")
    assert wrong.returncode == 1 and "'gausian'" in wrong.stderr
    assert len([*study.glob(cells)]) == n_cells  # nothing was made in its place
    again = toy(tmp_path, "--tune", "literature")
    assert again.returncode == 0, again.stderr
    (before,) = tmp_path.glob("out/study-*")
    assert len([*before.glob(cells)]) == n_cells and f"in {before}" in again.stdout
    assert " s left" in again.stderr
    about = json.loads((study / "study.json").read_text())
    assert about["settings"]["tune"] == "literature" and about["finished"]
    first = json.loads((tmp_path / "out" / "results.json").read_text())
    (study / "study.json").write_text(json.dumps(about | {"finished": False}))
    next((study / "cells").glob("test-*.json")).unlink()
    stopped = toy(tmp_path, "--tune", "literature")
    assert stopped.returncode == 1 and "Go on with --resume" in stopped.stderr
    other = toy(tmp_path, "--resume", "--equal", "multiply_adds")
    assert other.returncode == 1 and "holds another study" in other.stderr
    done = toy(tmp_path, "--tune", "literature", "--resume")
    assert done.returncode == 0, done.stderr
    second = json.loads((tmp_path / "out" / "results.json").read_text())
    assert not first["settings"]["resumed"] and second["settings"]["resumed"]
    assert "went on after a stop" in (tmp_path / "out" / "report.html").read_text()
    pairs = zip(first["records"], second["records"], strict=True)
    assert sum(a != b for a, b in pairs) == 1  # in its seconds
    assert toy(tmp_path, "--tune", "literature", "--resume").returncode == 0
    third = json.loads((tmp_path / "out" / "results.json").read_text())
    assert third["settings"]["resumed"]  # its seconds are those of reading


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--dataset", "nothing.csv"], "benchmark: There is no file nothing.csv"),
        (["--labels", "100000"], "benchmark: A label budget of 100000"),
        (
            ["--data-home", "nowhere", "--dataset", "mnist"],
            "benchmark: There is no train",
        ),
    ],
)
def test_benchmark_ends_with_one_line(tmp_path, args, message):
    done = toy(tmp_path, *args)
    assert done.returncode == 1
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1


def test_speed(tmp_path):
    record = tmp_path / "speed.json"
    options = ["--cases", "rbm", "net", "apply", "memory", "scaling"]
    options += ["--repeats", "1", "--shrink", "500", "--threads", "1"]
    done = run("benchmarks/speed.py", *options, "--output", str(record))
    assert done.returncode == 0, done.stderr
    found = {
        result["case"]: result for result in json.loads(record.read_text())["results"]
    }
    update = found["CD-1 update 784-500, batch 100, float32"]
    # What a clock says of one repetition on a busy machine may round to nothing.
    assert update["times_dbn"]["products"] >= 0
    assert {"dbn", "BernoulliRBM"} <= set(update["milliseconds"])
    assert math.isfinite(found["scaling in rows"]["exponent"])
    memory = next(f for case, f in found.items() if case.startswith("memory"))
    assert min(memory["megabytes_above_the_data"].values()) > 0
    assert "of dbn's time" in done.stdout


@needs_torch
def test_speed_on_a_device(tmp_path):
    record = tmp_path / "speed.json"
    options = ["--device", "cpu", "--repeats", "1", "--shrink", "500"]
    done = run(
        "benchmarks/speed.py", *options, "--threads", "1", "--output", str(record)
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(record.read_text())
    assert_origin(content, "seed")
    results = content["results"]
    assert len(results) == 6
    for result in results:
        assert {*result["milliseconds"]} == {"products", "dbn"}
        assert result["device"] == "CPU" and result["rows_per_second"] > 0


@pytest.mark.parametrize("part, n_layers", [("full", 3), ("labels", 12)])
def test_parts_of_mnist_have_their_own_defaults(part, n_layers):
    assert len(mnist.parse_args([part]).hidden_layer_sizes) == n_layers


def test_dropout_fits_the_depth():
    assert mnist_nets.dropout_of((500, 500, 2000), 0.3) == (0.2, 0.3, 0.3, 0.5)
    assert mnist_nets.dropout_of((1024,), 0.3) == (0.2, 0.5)


def test_a_rate_falls_to_a_share_of_what_is_tried():
    """The same numbers as a schedule that is written out."""
    net = mnist_nets.net("net", (5,), [0.1, 0.003], 0.05, 60, None, init="he_normal")
    rate = net.candidate(0.003).optimizer.learning_rate
    written = Schedule(0.003, 0.05 * 0.003, epochs=60)
    assert [rate(epoch) for epoch in range(60)] == [*map(written, range(60))]
    assert net.parameter == "learning_rate"


def test_recipes_keep_what_they_say():
    args = mnist.parse_args(["full"])
    net = mnist_nets.recipe("multipliers", args).estimator
    assert net.learning_rate_multipliers == (0.3, 0.3, 0.3, 1.0)
    assert net.dropout == (0.2, 0.3, 0.3, 0.5) and net.max_iter == 30
    assert net.optimizer.decoupled_decay == 0.05 and net.batch_size == 100
    assert net.optimizer.learning_rate.end == 0.01 * 0.006
    assert net.rbm.max_iter == 20 and net.rbm.sparsity == Sparsity()
    control = mnist_nets.recipe("control", args).estimator
    assert (control.init, control.activation, control.rbm) == (
        "he_normal",
        "relu",
        None,
    )
    dbn, he, line = mnist_nets.with_few_labels(100, mnist.parse_args(["labels"]))
    assert dbn.estimator.learning_rate_multipliers == (*[0.03] * 11, 0.1, 1.0)
    assert he.estimator.hidden_layer_sizes == (500, 500, 2000)
    assert line.kind == "control" and he.kind == "start" and dbn.kind == "dbn"
    assert identity(find_dbn(line.estimator)) == identity(find_dbn(dbn.estimator))


def test_subsets_have_as_many_rows_of_each_class():
    y = np.arange(500) % 10
    rows = mnist.labelled_rows(y, 50, 3)
    assert np.bincount(y[rows]).tolist() == [5] * 10 and len({*rows}) == 50


@pytest.fixture
def tiny_mnist(tmp_path):
    """The options of a small net on random images, 80 of them with a label."""
    rng = np.random.default_rng(0)
    for stem, n in (("train", 80), ("t10k", 10)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        (tmp_path / f"{stem}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        labels = np.arange(n, dtype=np.uint8) % 10
        (tmp_path / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    record = tmp_path / "out" / "record.json"
    return record, [
        *["--data-home", str(tmp_path), "--stacks", str(tmp_path / "stacks")],
        *["--pretrain-epochs", "1", "--output", str(record)],
    ]


def contenders_of(record):
    """Those of the one setting of a record, and how many seeds each has."""
    ((cell, found),) = Comparison.from_json(record).errors().items()
    return cell, {name: len(errors) for name, errors in found.items()}


def test_mnist_with_all_labels_goes_on(tiny_mnist):
    """After a kill in the midst of it, and with more seeds."""
    record, options = tiny_mnist
    options += ["--hidden-layer-sizes", "5", "--epochs", "1", "--recipes"]
    options += ["plain", "dropout", "multipliers", "control"]
    script = str(ROOT / "scripts" / "benchmarks" / "mnist.py")
    cells = record.with_suffix("") / "plain-dropout-multipliers-control" / "cells"
    killed = subprocess.Popen(
        [sys.executable, script, "full", *options], stderr=subprocess.DEVNULL
    )
    while len([*cells.glob("*.json")]) < 2 and killed.poll() is None:
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    kept = {path: path.read_bytes() for path in cells.glob("*.json")}
    assert kept and not record.exists()
    done = run("benchmarks/mnist.py", "full", *options)
    assert done.returncode == 0, done.stderr
    assert "Verdict on mnist" in done.stdout
    more = run("benchmarks/mnist.py", "full", *options, "--seeds", "0", "1", "2")
    assert more.returncode == 0, more.stderr
    assert all(path.read_bytes() == kept[path] for path in kept)
    names = ("plain", "dropout", "multipliers", "control")
    assert contenders_of(record) == ("1 x 5, 80 labels", dict.fromkeys(names, 3))
    settings = json.loads(record.read_text())["settings"]
    assert settings["recipes"]["plain"]["decay"] == 0.1
    assert settings["command"].endswith("--seeds 0 1 2")
    other = run("benchmarks/mnist.py", "full", *options, "--epochs", "2")
    assert other.returncode == 1 and "holds another study" in other.stderr


def test_mnist_needs_two_starts_and_seeds_in_order(tiny_mnist):
    options = [*tiny_mnist[1], "--hidden-layer-sizes", "5"]
    alone = run("benchmarks/mnist.py", "full", *options, "--recipes", "plain")
    assert alone.returncode == 1 and "at least one other start" in alone.stderr
    seeds = run("benchmarks/mnist.py", "full", *options, "--seeds", "1", "2")
    assert seeds.returncode == 2 and "they are [1, 2]" in seeds.stderr


def test_mnist_with_few_labels(tiny_mnist):
    """Both protocols, with the same DBNs; a final net is that which is written out."""
    record, options = tiny_mnist
    options += ["--hidden-layer-sizes", "5", "4", "--control-layer-sizes", "5"]
    options += ["--labels", "50", "--subsets", "2"]
    names = ("dbn", "he_normal + relu + dropout", "dbn-features + logistic regression")
    for tune in ("strict", "literature"):
        done = run("benchmarks/mnist.py", "labels", *options, "--tune", tune)
        assert done.returncode == 0, done.stderr
        assert contenders_of(record) == ("5-4, 50 labels", dict.fromkeys(names, 2))
        assert json.loads(record.read_text())["settings"]["tune"] == tune
        assert len([*record.parent.parent.glob("stacks/80-rows/cells/*.dbn")]) == 2
    tests = [r for r in Comparison.from_json(record).records if r["stage"] == "test"]
    its = next(r for r in tests if (r["contender"], r["seed"]) == ("dbn", 1))
    data = load_dataset("mnist", data_home=record.parent.parent)
    rows, rate = mnist.labelled_rows(data.y, 50, 1), its["value"]
    rbm = RBMTransformer(sparsity=Sparsity(), max_iter=1)
    dbn = DBNTransformer((5, 4), rbm=rbm, random_state=1)
    net = DBNClassifier(
        (5, 4),
        init=FrozenEstimator(dbn.fit(data.X)),
        learning_rate_multipliers=(0.03, 0.1, 1.0),
        dropout=(0.2, 0.0, 0.5),
        optimizer=Adam(Schedule(rate, 0.05 * rate, epochs=100)),
        batch_size=50,
        max_iter=100,
        random_state=1,
    )
    net.fit(data.X[rows], data.y[rows])
    assert its["error"] == pytest.approx(1 - net.score(data.X_test, data.y_test))
    assert its["loss_curve"][-1] == [100, pytest.approx(net.loss_curve_[-1], rel=1e-3)]


def test_mnist_held_out(tiny_mnist):
    """Fewer rows than labels asked for are all of them; a net is as written out."""
    record, options = tiny_mnist
    options += ["--hidden-layer-sizes", "5", "--labels", "100", "--subsets", "2"]
    done = run("benchmarks/mnist.py", "held-out", *options)
    assert done.returncode == 0, done.stderr
    names = ("dbn", "xavier_uniform", "he_normal + relu + dropout")
    assert contenders_of(record) == ("1 x 5, 80 labels", dict.fromkeys(names, 2))
    tests = [r for r in Comparison.from_json(record).records if r["stage"] == "test"]
    its = next(r for r in tests if (r["contender"], r["seed"]) == ("xavier_uniform", 1))
    data = load_dataset("mnist", data_home=record.parent.parent)
    net = DBNClassifier(
        (5,),
        init="xavier_uniform",
        optimizer=Adam(0.001),
        weight_decay=2e-5,
        early_stopping=True,
        n_iter_no_change=12,
        batch_size=32,
        max_iter=1000,
        random_state=1,
    )
    net.fit(data.X, data.y)
    assert its["error"] == pytest.approx(1 - net.score(data.X_test, data.y_test))
    (dbn, *_) = mnist_nets.held_out_nets(60_000, mnist.parse_args(["held-out"]))
    assert dbn.estimator.learning_rate_multipliers == (0.1, 1.0)
    assert dbn.estimator.validation_fraction == 5000 / 60_000


def test_studies_with_other_settings_are_one():
    some = [Comparison({"labels": n, "x": 1} | its, []) for n, its in MERGED]
    assert mnist.merged(some).settings == {
        "labels": [1, 2],
        "x": 1,
        "rows": ["a", None],
    }
    assert mnist.merged(some[::-1]).settings["rows"] == [None, "a"]


MERGED = [(1, {"rows": "a"}), (2, {})]


def test_mnist_deep(tiny_mnist):
    record, options = tiny_mnist
    options += ["--depths", "2", "3", "--width", "4", "--epochs", "1"]
    options += ["--seeds", "0", "1", "--learning-rates", "0.01"]
    done = run("benchmarks/mnist.py", "deep", *options)
    assert done.returncode == 0, done.stderr
    found = Comparison.from_json(record)
    assert {cell: {*its} for cell, its in found.errors().items()} == {
        f"{depth} x 4, 80 labels": {*mnist.STARTS} for depth in (2, 3)
    }
    assert found.settings["hidden_layer_sizes"] == [[[4, 4]], [[4, 4, 4]]]
    assert "of the 2 settings" in done.stdout
    assert "3 x 4, 80 labels" in html_report(found)


def test_layers(tmp_path):
    """Xavier's start keeps gradients and Jacobians larger than the standard one."""
    net = ["--dataset", "digits", "--depth", "4", "--width", "50"]
    few = ["--rows", "100", "--epochs", "1", "--output", str(tmp_path)]
    done = run("benchmarks/layers.py", *net, *few)
    assert done.returncode == 0, done.stderr
    assert "tanh, standard: mean singular value 0." in done.stdout
    content = json.loads((tmp_path / "layers.json").read_text())
    assert_origin(content, "seed", "data_sha256")
    nets = content["nets"]
    standard, normalized = (nets[f"tanh, {k}"] for k in ("standard", "normalized"))
    for key in ("mean_singular_value", "gradient_std", "activation_std"):
        assert np.all(
            np.asarray(normalized["start"][key]) > np.asarray(standard["start"][key])
        )
    assert normalized["end"]["activation_std"] != normalized["start"]["activation_std"]
    assert len(list(tmp_path.glob("figure-*.png"))) == 6


def test_fuzz(tmp_path):
    record = tmp_path / "fuzz.json"
    done = run(
        "attacks/fuzz.py", "--cases", "60", "--seed", "1", "--output", str(record)
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "60 cases in" in done.stdout and "0 escapes" in done.stdout
    content = json.loads(record.read_text())
    counted = [n for counts in content["counts"].values() for n in counts.values()]
    assert sum(counted) == content["cases"] == 60 and content["escapes"] == 0
    assert_origin(content["settings"])
    assert len(content["cases_per_format"]) == len(FORMATS)


def test_guided_fuzzing(tmp_path):
    """With atheris where it is installed, and otherwise what to do about it."""
    done = run(
        "attacks/fuzz.py", "--coverage-guided", "--formats", "csv", "--cases", "9"
    )
    if importlib.util.find_spec("atheris") is None:
        assert done.returncode == 1
        assert (
            done.stderr
            == "fuzz: --coverage-guided needs atheris: pip install atheris\n"
        )
    else:
        assert done.returncode == 0 and "Done 9 runs" in done.stderr


def test_pretrain_and_sample(tmp_path):
    done = run(
        "pretrain.py",
        *["--rows", "200", "--layers", "12,6", "--epochs", "2", "--sampler", "pcd"],
        *["--chains", "7", "--k", "0:1,1:2", "--learning-rate", "0.05", "--centering"],
        *["--final-learning-rate", "0", "--momentum", "0", "--sparsity", "0.2"],
        *["--output", str(tmp_path)],
    )
    assert done.returncode == 0, done.stderr
    assert "layer 1: 100%" in done.stderr
    history = json.loads((tmp_path / "history.json").read_text())["history"]
    assert [(e["layer"], e["epoch"]) for e in history] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert {"free_energy_gap", "pseudo_log_likelihood"} <= {*history[0]}
    for name in ("filters", "samples", "history"):
        assert (tmp_path / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    model, rows = tmp_path / "model.dbn", tmp_path / "rows"
    done = run("sample.py", str(model), "-n", "5", "--output", str(rows))
    assert done.returncode == 0, done.stderr
    X = np.load(f"{rows}.npz")["X"]
    assert X.shape == (5, 64)
    assert {*np.unique(X)} <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--dataset", "nothing.csv"], "pretrain: There is no file nothing.csv"),
        (["--k", "0"], "pretrain: CD: k must be an integer"),
        (["--visible", "softmax:5"], "pretrain: Softmax(5) needs a multiple of 5"),
        (["--learning-rate", "1e30", "--visible", "gaussian"], "Layer 0 diverged"),
    ],
)
def test_pretrain_says_what_is_wrong(tmp_path, args, message):
    done = run("pretrain.py", "--output", str(tmp_path), *args)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


COUNT = "give a whole number of at least 1"


@pytest.mark.parametrize(
    ("script", "args", "message"),
    [
        ("pretrain.py", ["--rows", "-6"], COUNT),
        ("pretrain.py", ["--layers", "5,0"], f"--layers: it is '0'; {COUNT}"),
        ("pretrain.py", ["--validation", "1"], "give a number from 0 to below 1"),
        ("pretrain.py", ["--validation", "-0.5"], "it is '-0.5'; give a number from"),
        ("pretrain.py", ["--validation", "nan"], "give a number from 0 to below 1"),
        ("finetune.py", ["a", "--labels", "-6"], f"--labels: it is '-6'; {COUNT}"),
        ("finetune.py", ["a", "--threads", "0"], COUNT),
        ("finetune.py", ["a", "--epochs", "0"], "give auto or a whole number of at"),
        ("finetune.py", ["a", "--seed", "-1"], "give a whole number from 0 to 4294"),
        ("finetune.py", ["a", "--timeout", "-1"], "give seconds, more than 0"),
        ("finetune.py", ["a", "--optimizer", "x"], "invalid choice: 'x' (choose from"),
        ("sample.py", ["a", "--steps", "-1"], "give a whole number of at least 0"),
        ("benchmark.py", ["--tune-updates", "0"], COUNT),
        ("benchmark.py", ["--jobs", "0"], f"{COUNT}, or -1 for all cores"),
    ],
)
def test_counts_and_shares_are_checked_before_anything_else(script, args, message):
    done = run(script, *args)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]


def test_options_that_do_nothing_are_refused():
    """Each with what it goes with."""
    fall, rate = ["--final-learning-rate", "0"], ["--learning-rate", "0.1"]
    adam = [*rate, "--optimizer", "adam"]
    for option, others, needed in (
        (["--hold", "2"], rate, "--final-learning-rate"),
        (["--schedule", "cosine"], rate, "--final-learning-rate"),
        (fall, [], "--learning-rate"),
        (["--optimizer", "adam"], [], "--learning-rate"),
        (["--momentum", "0"], [], "--learning-rate"),
        (["--momentum", "0"], adam, "--optimizer sgd; --optimizer is adam"),
        (["--sparsity-cost", "1"], [], "--sparsity"),
        (["--sample-visible"], ["--sampler", "pt"], "--sampler cd; --sampler is pt"),
        (["--temperatures", "5"], [], "--sampler pt; --sampler is cd"),
        (["--fast-learning-rate", "1"], [], "--sampler fpcd; --sampler is cd"),
        (["--chains", "100"], [], "--sampler pcd or fpcd or pt; --sampler is cd"),
        (["--resume"], [], "--checkpoint"),
        (["--timeout", "9"], [], "--distributed"),
    ):
        done = run("pretrain.py", *others, *option)
        assert done.returncode == 1
        assert done.stderr == (
            f"pretrain: {option[0]} does nothing without {needed}. Add that, or leave "
            f"{option[0]} away.\n"
        )
    done = run("finetune.py", "he_normal", "--resume")
    assert "finetune: --resume does nothing without --checkpoint." in done.stderr


def test_pretrain_refuses_a_share_of_rows_where_others_are_watched(tmp_path):
    X = np.eye(6)
    np.savez(tmp_path / "data.npz", X=X, X_valid=X)
    data = ["--dataset", str(tmp_path / "data.npz"), "--output", str(tmp_path)]
    done = run("pretrain.py", *data, "--validation", "0.5")
    assert done.returncode == 1
    assert done.stderr.startswith("pretrain: --validation does nothing: 'data' has")


def test_sample_draws_classes(tmp_path):
    X, y = load_digits(n_class=3, return_X_y=True)
    model = GenerativeDBNClassifier((8,), random_state=0).fit(X[:90] / 16, y[:90])
    file, rows = str(tmp_path / "model.dbn"), tmp_path / "rows"
    save_model(model, file)
    options = ["--steps", "3", "--output", f"{rows}.png"]
    for more, classes in (
        (["-n", "2"], [0, 0, 1, 1, 2, 2]),
        (["-n", "4", "--label", "1"], [1] * 4),
    ):
        done = run("sample.py", file, *options, *more)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"wrote {rows}.npz and {rows}.png\n"
        found = np.load(f"{rows}.npz")
        assert found["y"].tolist() == classes
        drawn = model.sample(len(classes), label=classes, steps=3, random_state=0)
        np.testing.assert_array_equal(found["X"], drawn)
        assert (tmp_path / "rows.png").read_bytes()[:4] == b"\x89PNG"
    done = run("sample.py", file, *options, "--label", "7")
    assert done.returncode == 1
    assert done.stderr.startswith("sample: label is '7'; the classes of Generative")


def test_sample_draws_tables(tmp_path):
    """Categories are no array that NumPy reads, and no pixels."""
    pd = pytest.importorskip("pandas")
    x = np.random.default_rng(0).normal(size=60)
    X = pd.DataFrame({"y": x, "colour": np.where(x > 0, "red", "blue")})
    y = np.where(x > 0.5, "large", "small")
    file, rows = str(tmp_path / "model.dbn"), tmp_path / "rows"
    options = ["-n", "3", "--steps", "5", "--output", str(rows)]
    for model, names, n_rows in (
        (RBMTransformer(4, random_state=0).fit(X), ["y", "colour"], 3),
        (RBMClassifier(4, random_state=0).fit(X, y), ["y", "colour", "y_"], 6),
    ):
        save_model(model, file)
        done = run("sample.py", file, *options)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"wrote {rows}.csv\n"
        found = pd.read_csv(f"{rows}.csv")
        assert [*found.columns] == names and len(found) == n_rows
        labels = {"label": found["y_"].tolist()} if "y_" in found else {}
        drawn = model.sample(n_rows, **labels, steps=5, random_state=0)
        pd.testing.assert_frame_equal(found[["y", "colour"]], drawn, check_dtype=False)
    assert sorted(found["y_"]) == ["large"] * 3 + ["small"] * 3
    assert not (tmp_path / "rows.png").exists()
    done = run("sample.py", file, *options, "--image-shape", "1", "2")
    assert done.returncode == 1
    assert done.stderr.startswith("sample: --image-shape does nothing: ")


def test_sample_draws_rows_that_are_no_images(tmp_path):
    """They are written, and no picture, unless its shape was asked for."""
    X = load_digits().data[:60, :12] / 16
    file, rows = str(tmp_path / "model.dbn"), tmp_path / "rows"
    save_model(RBMTransformer(4, random_state=0).fit(X), file)
    options = ["-n", "3", "--steps", "5", "--output", str(rows)]
    done = run("sample.py", file, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {rows}.npz\n"
    assert done.stderr.startswith("sample: no rows.png: 12 features do not make a sq")
    assert np.load(f"{rows}.npz")["X"].shape == (3, 12)
    assert not (tmp_path / "rows.png").exists()
    done = run("sample.py", file, *options, "--image-shape", "3", "5")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("sample: --image-shape is 3 5, and a row has 12 feat")
    done = run("sample.py", file, *options, "--image-shape", "3", "4")
    assert done.stdout == f"wrote {rows}.npz and {rows}.png\n"


def test_sample_refuses_what_is_no_model(tmp_path):
    path = tmp_path / "model.dbn"
    path.write_bytes(b"no model")
    done = run("sample.py", str(path))
    assert done.returncode == 1
    assert done.stderr.startswith("sample: ")
    assert "Traceback" not in done.stderr


def test_density_experiments(tmp_path):
    record = tmp_path / "bars.json"
    args = ["bars", "--updates", "200", "--threads", "1", "--output", str(record)]
    done = run("benchmarks/density.py", *args)
    assert done.returncode == 0, done.stderr
    content = json.loads(record.read_text())
    assert_origin(content)
    runs = content["runs"]
    assert len({run["data_sha256"] for run in runs}) == 1
    assert len(runs) == 6
    assert all(-12.0 < entry["log_likelihood"] < -3.40 for entry in runs)


def test_tables(tmp_path):
    record = tmp_path / "tables.json"
    args = ["--tables", "iris", "diabetes", "--splits", "100", "--validate"]
    args += ["--contenders", "dbn", "linear", "--output", str(record)]
    done = run("benchmarks/tables.py", *args)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("iris            dbn ")
    content = json.loads(record.read_text())
    assert_origin(content, "data_sha256")
    runs = content["runs"]
    assert len(runs) == 4 and all(entry["seconds"] >= 0 for entry in runs)
    assert ["log_loss" in entry for entry in runs] == [True, True, False, False]
    assert runs[1]["score"] > 0.9  # logistic regression on iris


def test_choose_defaults(tmp_path):
    record = tmp_path / "choose.json"
    args = ["--small", "--tables", "german", "--output", str(record)]
    done = run("benchmarks/choose_defaults.py", *args)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("iris: 0.9")
    runs = json.loads(record.read_text())["runs"]
    names = ["defaults", "rate 0.01, decay 0.05"]
    assert [entry["candidate"] for entry in runs] == names
    # So few rows for each column: the same rate, and 4 / 89 is a decay below 0.05.
    assert runs[0]["score"] == runs[1]["score"]
    nowhere = ["--tables", "german", "--data-home", str(tmp_path)]
    done = run("benchmarks/choose_defaults.py", *nowhere)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("choose_defaults: ")


LITTLE = ["--hidden-layer-sizes", "5", "2", "--epochs", "1", "--pretrain-epochs", "1"]
LITTLE += ["--seeds", "2"]
SMALL = [*LITTLE, "--learning-rates", "0.01", "--tune-epochs", "1"]


@pytest.mark.parametrize("part", ["digits", "mnist", "curves"])
def test_autoencoders(tiny_mnist, part):
    record = tiny_mnist[0]
    options = [*SMALL, "--data-home", str(record.parent.parent), "--rows", "80"]
    options += ["--output", str(record), "--batch-size", "20"]
    done = run("benchmarks/autoencoder.py", part, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{part}: about 0.0 h on 1 cores")
    assert f"Verdict on {part}" in done.stdout
    cell, found = contenders_of(record)
    assert cell == f"5-2, {3 if part == 'digits' else 4} updates"
    assert {"dbn + logistic", "sae + logistic", "PCA"} <= {*found}
    assert ("Sparse + Nesterov" in found) == (part != "digits")
    assert_origin(json.loads(record.read_text())["settings"], "part", "data_sha256")
    if part == "digits":
        again = run("benchmarks/autoencoder.py", part, *options)
        last = done.stdout.rpartition("\n\n")[2]
        assert again.stdout.rpartition("\n\n")[2] == last


def test_some_starts_of_autoencoders(tiny_mnist):
    record = tiny_mnist[0]
    options = [*SMALL, "--data-home", str(record.parent.parent), "--rows", "80"]
    options += ["--output", str(record), "--starts", "DBN", "Sparse + Nesterov"]
    done = run("benchmarks/autoencoder.py", "mnist", *options)
    assert done.returncode == 0, done.stderr
    # The strongest of the random starts is added to every comparison.
    names = {"dbn + logistic", "he_normal + relu + batch norm", "Sparse + Nesterov"}
    assert {*contenders_of(record)[1]} == names | {"PCA"}


def test_random_starts_get_the_cost_of_pretraining_as_epochs(tiny_mnist):
    record = tiny_mnist[0]
    options = [*SMALL, "--data-home", str(record.parent.parent), "--rows", "80"]
    options += ["--output", str(record), "--starts", "DBN", "He + ReLU + batch norm"]
    done = run("benchmarks/autoencoder.py", "mnist", *options, "--equal=multiply_adds")
    assert done.returncode == 0, done.stderr
    (its,) = json.loads(record.read_text())["summary"]
    found = its["contenders"]
    dbn, other = found["dbn + logistic"], found["he_normal + relu + batch norm"]
    cost = dbn["pretrain_multiply_adds"]
    assert cost > 0 == other["pretrain_multiply_adds"]
    assert other["finetune_multiply_adds"] >= cost + dbn["finetune_multiply_adds"]


def test_decays_of_autoencoders(tiny_mnist):
    record = tiny_mnist[0]
    options = [*SMALL, "--data-home", str(record.parent.parent), "--rows", "80"]
    options += ["--output", str(record), "--starts", "DBN", "He + ReLU + batch norm"]
    names = {"DBN", "He + ReLU + batch norm"}
    rates = ["--learning-rates", "0.1", "0.2"]
    # Several decays are searched at one rate, several rates with one decay.
    for more, parameter, values in (
        (["--decays", "0", "3"], "decoupled_decay", (0, 3)),
        (["--decays", "3", *rates], "learning_rate", (0.1, 0.2)),
    ):
        done = run("benchmarks/autoencoder.py", "mnist", *options, *more)
        assert done.returncode == 0, done.stderr
        assert {*contenders_of(record)[1]} == names | {"PCA"}
        tried = {
            (its["contender"], its["parameter"], its["value"])
            for its in Comparison.from_json(record).records
            if its["stage"] == "tune" and its["kind"] != "control"
        }
        assert tried == {(n, parameter, value) for n in names for value in values}
        shutil.rmtree(record.with_suffix(""))
    both = [*options, "--decays", "0", "3", *rates]
    wrong = run("benchmarks/autoencoder.py", "mnist", *both)
    assert wrong.returncode == 1 and "give one rate or one decay" in wrong.stderr


def test_codes_are_classified_with_few_labels(tiny_mnist):
    record = tiny_mnist[0]
    options = [*LITTLE, "--data-home", str(record.parent.parent), "--labels", "40"]
    options += ["--output", str(record)]
    done = run("benchmarks/autoencoder.py", "codes", *options)
    assert done.returncode == 0, done.stderr
    assert set(contenders_of(record)[1]) == {
        *("DBN", "He + ReLU + batch norm", "DBN before fine-tuning", "PCA-2")
    }
    models = [*record.with_suffix("").glob("*.dbn")]
    assert len(models) == 3
    made = [path.stat().st_mtime_ns for path in models]
    again = run("benchmarks/autoencoder.py", "codes", *options)
    assert again.returncode == 0, again.stderr
    assert [path.stat().st_mtime_ns for path in models] == made
    for option, words in {
        "--starts=DBN": "--starts does nothing without part digits or mnist or curves",
        "--equal=epochs": "--equal does nothing without part digits or mnist or curves",
        "--epochs": "codes are of encoders of one length",
    }.items():
        more = [option, "1", "2"] if option == "--epochs" else [option]
        wrong = run("benchmarks/autoencoder.py", "codes", *options, *more)
        assert wrong.returncode == 1 and words in wrong.stderr


def test_mnist_defaults(tmp_path):
    """On any data with test rows of its own; one short fit of every kind."""
    X, y = load_digits(return_X_y=True)
    X, data, record = X / 16, tmp_path / "digits.npz", tmp_path / "out.json"
    np.savez(data, X=X[::4], y=y[::4], X_test=X[1::4], y_test=y[1::4])
    args = ["--dataset", str(data), "--seeds", "0", "--output", str(record)]
    args += ["--layers", "32"]
    done = run("benchmarks/mnist_defaults.py", *args)
    assert done.returncode == 0, done.stderr
    content = json.loads(record.read_text())
    assert_origin(content, "data_sha256")
    (entry,) = content["runs"]
    assert entry["epochs"] == [50, 100] and entry["test_error_percent"] < 15


def test_labels(tmp_path):
    """A toy of every cell; it goes on, and mixes no settings."""
    X, y = load_digits(return_X_y=True)
    X, data, record = X / 16, tmp_path / "digits.npz", tmp_path / "out.json"
    np.savez(data, X=X[::3], y=y[::3], X_test=X[1::4], y_test=y[1::4])
    args = ["--dataset", str(data), "--small", "--output", str(record), "--judges", "1"]
    args += ["--up-down-epochs", "1", "--seeds", "0"]
    part = run("benchmarks/labels.py", *args, "--cells", "discriminative", "pcd")
    assert part.returncode == 0, part.stderr
    kept = json.loads(record.read_text())["cells"]
    done = run("benchmarks/labels.py", *args)
    assert done.returncode == 0, done.stderr
    assert "DBNClassifier(" in part.stderr and "DBNClassifier(" not in done.stderr
    assert {path.suffix for path in record.with_suffix("").iterdir()} == {".dbn"}
    content = json.loads(record.read_text())
    assert_origin(content, "data_sha256", "judges_test_error_percent")
    assert len(content["cells"]) == 6
    assert {name: content["cells"][name] for name in kept} == kept
    assert len(content["cells"]["up-down 0"]["recognised"]) == 10
    assert 0 < content["cells"]["pcd 0"]["test_error_percent"] < 100
    bounds = [content["cells"][f"{it} 0"]["test_bound"] for it in ("pcd", "up-down")]
    assert all(-70 < its < 0 for its in bounds)  # nats; of even chances -44
    assert "test_bound" not in content["cells"]["hybrid 0"]
    other = run("benchmarks/labels.py", *args, "--judges", "2")
    assert other.returncode == 1 and "other settings" in other.stderr
    all_rows = tmp_path / "all.json"
    args = [*args[:3], "--output", str(all_rows), "--seeds", "0", "--judges", "0"]
    args += ["--cells", "pcd", "--all-rows"]
    assert run("benchmarks/labels.py", *args).returncode == 0
    cell = json.loads(all_rows.read_text())["cells"]["pcd 0"]
    assert "validation_error_percent" not in cell and "recognised" not in cell
    assert cell["test_bound"] != content["cells"]["pcd 0"]["test_bound"]


@pytest.fixture
def letters(tmp_path):
    """The folder of a table with a number and a letter, which says all."""
    (tmp_path / "tables").mkdir()
    rows = [f"{i % 3},{'ab'[i % 2]},{'yes' if i % 2 else 'no'}" for i in range(60)]
    with gzip.open(tmp_path / "tables" / "german.csv.gz", "wt") as file:
        file.write("\n".join(["number,letter,target", *rows]))
    return tmp_path


def test_defaults(letters):
    """On made tables too; it goes on, and mixes no settings."""
    record = letters / "out" / "defaults.json"
    args = ["--data-home", str(letters), "--rows", "60", "--output", str(record)]
    args += ["--splits", "3"]
    first = run("benchmarks/defaults.py", *args, "--only", "seconds")
    assert first.returncode == 0, first.stderr
    kept = json.loads(record.read_text())["figures"]
    assert len(kept) == 4
    done = run("benchmarks/defaults.py", *args, "--only", "frames", "seconds")
    assert done.returncode == 0, done.stderr
    assert "splice is left out (see --data-home): " in done.stdout
    content = json.loads(record.read_text())
    figures = content["figures"]
    assert len(figures) == 2 + 4 and content["commit"]
    assert all(figures[title] == made for title, made in kept.items())
    german = figures["frames: german, accuracy"]
    assert german["mean"] == {"default": 1.0, "by hand": 1.0}
    assert german["values"]["default"] == [1.0] and "asked" not in german
    assert "frames: german, accuracy: default 1.000 +- 0.000, by hand" in done.stdout
    net = figures["seconds: DBNClassifier, 30 rows"]
    assert net["asked"] == "at most 0.3"
    assert net["reached"] == (net["mean"]["seconds"] <= 0.3)
    other = argparse.Namespace(splits=[4], rows=60, threads=1, output=record)
    with pytest.raises(ValueError, match="holds figures of settings and commit"):
        defaults.begun(other)


def test_figures_of_defaults(letters):
    """Every part has its own, and those that take long are right on few rows."""
    args = argparse.Namespace(rows=100, data_home=letters)
    parts = {name: len([*part(args)]) for name, part in defaults.PARTS.items()}
    assert parts == {
        **{"features": 2, "likelihoods": 5, "anomalies": 2, "nets": 6},
        **{"frames": 2, "holes": 8, "samplers": 3, "seconds": 4},
    }
    bars = next(f for f in defaults.of_samplers(args) if "bars" in f.title)
    found = bars.measure(0)
    assert bars.reached(found) and -4.5 < found["pcd"] < math.log(1 / 30)
    assert bars.asked == "pcd and pt above cd"
    column = np.linspace(-1.0, 1.0, 60)
    found = measures.completion(np.column_stack([column] * 4))(0)
    assert [*found] == ["rbm", "KNNImputer", "IterativeImputer"]
    assert max(found.values()) < 0.5  # a mean has 1


def test_independent_columns():
    X = np.array([[0.0, 1.0], [1.0, 1.0]])
    assert measures.independent(X, X) == pytest.approx(math.log(0.5 * 0.999))
    density = -0.5 - 0.5 * math.log(2 * math.pi)
    assert measures.independent(2 * X[:, :1] - 1, 2 * X[:, :1] - 1) == pytest.approx(
        density
    )


def test_permuted_rows_are_anomalies():
    column = np.random.default_rng(0).standard_normal(60)
    found = measures.anomalies(np.column_stack([column] * 5), np.zeros(60), False)(0)
    assert found["rbm"] > 0.9


def test_spins_follow_their_neighbours():
    """As in the exact model of two by two spins."""
    X = 2 * defaults.ising(4000, np.random.default_rng(0), side=2, coupling=0.4) - 1
    states = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T
    pairs = [(0, 1), (2, 3), (0, 2), (1, 3)]
    weights = np.exp(0.4 * sum(states[:, i] * states[:, j] for i, j in pairs))
    exact = (weights * states[:, 0] * states[:, 1]).sum() / weights.sum()
    assert np.mean(X[:, 0] * X[:, 1]) == pytest.approx(exact, abs=0.05)


def test_few_labels(tmp_path):
    """On a table with a line of names and one of scikit-learn's; it goes on."""
    tables, record = tmp_path / "tables", tmp_path / "out" / "few.json"
    X, y = load_wine(return_X_y=True)
    lines = [",".join([*map(str, row), f"c{k}"]) for row, k in zip(X, y, strict=True)]
    names = ",".join([*(f"x{i}" for i in range(X.shape[1])), "target"])
    tables.mkdir()
    with gzip.open(tables / "vehicle.csv.gz", "wt") as file:
        file.write("\n".join([names, *lines]))
    args = ["--data-home", str(tmp_path), "--tables", "wine", "vehicle"]
    args += ["--labels", "5", "12", "--subsets", "2", "--output", str(record)]
    done = run("benchmarks/few_labels.py", *args)
    assert done.returncode == 0, done.stderr
    assert "wine: [12] labels" in done.stderr  # three classes need six
    assert "Verdict on vehicle, 1 x 256, 12 labels: DBN " in done.stdout
    content = json.loads(record.read_text())
    wine, same = (content["tables"][name] for name in ("wine", "vehicle"))
    assert_origin(wine["settings"], "seeds", "data_sha256", "pretrained")
    (errors,) = wine["errors"].values()
    assert [*errors] == [
        *("dbn", "xavier", "he + relu", "RBMClassifier"),
        *("logistic regression", "rbf svm"),
        *("label spreading", "self-training logistic", "self-training he + relu"),
    ]
    assert all(len(its) == 2 and max(its) < 0.6 for its in errors.values())
    assert same["errors"] == wine["errors"]
    kinds = [its["kind"] for its in wine["summary"][0]["contenders"].values()]
    assert kinds == ["dbn", "start", "start", *["control"] * 6]
    assert content["standings"]["rbf svm"]["settings"] == 2
    assert "DBN against rbf svm: error lower in " in done.stdout
    assert "learning_rates" not in wine["settings"] and wine["settings"]["commit"]
    again = run("benchmarks/few_labels.py", *args)
    assert again.returncode == 0 and again.stdout == done.stdout
    repeated = json.loads(record.read_text())
    for found in (content, repeated):
        for its in found["tables"].values():
            del its["settings"]["seconds"]  # those of the last call
    assert repeated == content
    nowhere = run("benchmarks/few_labels.py", *args[2:], "--tables", "segment")
    assert nowhere.returncode == 1 and "Traceback" not in nowhere.stderr
    assert nowhere.stderr.splitlines()[-1].startswith("few_labels: ")


def test_ablations_take_parts_of_pretraining_away(tmp_path):
    record = tmp_path / "ablations.json"
    args = ["--dataset", "digits", "--labels", "60", "--seeds", "2", "--width", "8"]
    args += ["--updates", "10", "--pretrain-updates", "30", "--learning-rates", "0.01"]
    done = run("benchmarks/ablations.py", *args, "--output", str(record))
    assert done.returncode == 0, done.stderr
    assert (
        "Verdict on digits, ablations, 2 x 8, 60 labels: DBN pretraining "
        in done.stdout
    )
    content = json.loads(record.read_text())
    assert_origin(content["settings"], "seeds", "data_sha256", "pretrained")
    (setting,) = content["summary"]
    kinds = {name: its["kind"] for name, its in setting["contenders"].items()}
    assert kinds == {
        **{"dbn + logistic": "dbn", "dbn-shuffled + logistic": "control"},
        **{"dbn-resampled + logistic": "control"},
        **{"xavier_x4_uniform + logistic": "start", "no updates": "start"},
        **{"labelled rows only": "control", "a third of the updates": "control"},
        **{"four times the updates": "control"},
    }
    made = {its["call"] for its in content["settings"]["pretrained"]}
    assert len(made) == 6  # each seed once, a third as long and four times
    none = run("benchmarks/ablations.py", "--dataset", "digits", "--labels", "0")
    assert none.stderr.startswith("ablations: --labels is 0; of 1797 rows give 1 or ")


def test_finetune_takes_what_pretrain_wrote_and_goes_on(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    sizes = ["--rows", "300", "--layers", "12,6"]
    options = ["--epochs", "2", "--output", str(first)]
    assert run("pretrain.py", *sizes, *options).returncode == 0
    checkpoint = ["--checkpoint", str(tmp_path / "state")]
    # A rate that falls to 0 has come to its end with the epochs that were asked for.
    options = ["--rows", "300", "--labels", "50", "--learning-rate", "0.001"]
    options += ["--dropout", "0.2", "--output"]
    arguments = [str(first / "model.dbn"), *options, str(second), *checkpoint]
    for epochs, more in (("2", []), ("4", ["--resume"])):
        done = run("finetune.py", *arguments, "--epochs", epochs, *more)
        assert done.returncode == 0, done.stderr
        assert "with 50 labelled rows" in done.stdout
    content = json.loads((second / "history.json").read_text())
    assert_origin(content, "seed", "data_sha256")
    assert content["pretrained"]["call"].startswith("DBNTransformer(")
    history = content["history"]
    assert [entry["epoch"] for entry in history] == [0, 1, 2, 3]
    assert "finetune: 100%" in done.stderr
    assert "2/4 [" in done.stderr and "0/4 [" not in done.stderr  # two were done before
    done = run("finetune.py", *arguments, "--layers", "5")
    assert done.returncode == 1 and done.stderr.endswith(
        "model.dbn has its own layers, 12,6. Leave it away.\n"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nothing"], "finetune: The 'init' parameter of DBNClassifier must be"),
        (["he_normal", "--dataset", "bars-and-stripes"], "has no labels to fine-tune"),
    ],
)
def test_finetune_says_what_is_wrong(tmp_path, args, message):
    done = run("finetune.py", *args, "--output", str(tmp_path))
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_finetune_trains_as_the_estimator_does(tmp_path):
    """Unless it is told the learning rate."""
    options = ["--rows", "300", "--layers", "12", "--epochs", "3"]
    options += ["--output", str(tmp_path)]
    done = run("finetune.py", "he_normal", *options)
    assert done.returncode == 0, done.stderr
    data = load_dataset("digits").with_test()
    net = DBNClassifier((12,), init="he_normal", max_iter=3, random_state=0)
    net.fit(data.X[:300], data.y[:300])
    found = load_model(tmp_path / "model.dbn")
    assert found.optimizer == "adam"
    np.testing.assert_array_equal(found.predict(data.X), net.predict(data.X))
    assert found.loss_curve_ == net.loss_curve_
    assert run("finetune.py", "he_normal", *options, "--learning-rate", "0.02").stdout
    assert load_model(tmp_path / "model.dbn").optimizer == Adam(0.02)


def test_columns_of_numbers_are_known_by_their_names(tmp_path):
    """A model was fine-tuned on columns in another order, and of other names."""
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{b:.3f},{'no' if a > 0 else 'yes'}"
        for a, b in rng.normal(size=(60, 2))
    ]
    for name in ("age,income", "income,age", "age,height"):
        file = tmp_path / f"{name.replace(',', '-')}.csv"
        file.write_text("\n".join([f"{name},answer", *rows]))
    options = ["--epochs", "1", "--output", str(tmp_path), "--dataset"]
    its = str(tmp_path / "age-income.csv")
    done = run("pretrain.py", *options, its, "--layers", "3,2")
    assert done.returncode == 0, done.stderr
    model = str(tmp_path / "model.dbn")
    for other in ("income-age", "age-height"):
        done = run("finetune.py", model, *options, str(tmp_path / f"{other}.csv"))
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert done.stderr == (
            f"finetune: {other!r} has the columns {other.split('-')!r}; the model was "
            "fitted on ['age', 'income']. Give a table with the same columns in the "
            "same order.\n"
        )
    assert run("finetune.py", model, *options, its).returncode == 0
    pd = pytest.importorskip("pandas")
    net, frame = load_model(model), pd.read_csv(its)
    assert net.predict(frame[["age", "income"]]).shape == (60,)
    with pytest.raises(ValueError, match="feature names should match"):
        net.predict(frame[["income", "age"]])


def test_a_table_without_labels_is_pretrained_on_whole(tmp_path):
    rows = [f"{i % 7 / 8},{i % 5 / 8},{i % 3 / 8}" for i in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c", *rows]))
    data = ["--dataset", str(tmp_path / "rows.csv"), "--label-column", "none"]
    data += ["--epochs", "1", "--output", str(tmp_path)]
    done = run("pretrain.py", *data, "--layers", "3,2", "--validation", "0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no labels; 3 features; 40 rows\n")
    assert json.loads((tmp_path / "history.json").read_text())["rows"] == 40
    done = run("finetune.py", str(tmp_path / "model.dbn"), *data)
    assert done.returncode == 1 and "has no labels to fine-tune on" in done.stderr


def test_finetune_has_no_r2_of_one_row(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.random((40, 3)), rng.normal(size=40)
    np.savez(tmp_path / "a.npz", X=X, y=y, X_test=X[:1], y_test=y[:1])
    options = ["--layers", "3", "--epochs", "1", "--output", str(tmp_path)]
    done = run(
        "finetune.py", "he_normal", "--dataset", str(tmp_path / "a.npz"), *options
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "history.json").read_text()
    record = json.loads(text, parse_constant=pytest.fail)
    assert record["test_rmse"] > 0 and "test_r2" not in record
    assert "(root mean square) with 40 labelled rows" in done.stdout


def test_finetune_refuses_columns_of_another_kind(tmp_path):
    """In one line, though the package raises a TypeError."""
    pytest.importorskip("pandas")
    lines = [f"{i % 7},{'ab'[i % 2]},{i % 5},{['no', 'yes'][i % 2]}" for i in range(30)]
    mixed, numbers = tmp_path / "mixed.csv", tmp_path / "numbers.csv"
    mixed.write_text("\n".join(["x,letter,z,label", *lines]))
    digits = [line.replace("a", "0").replace("b", "1") for line in lines]
    numbers.write_text("\n".join(["x,letter,z,label", *digits]))
    options = ["--epochs", "1", "--output", str(tmp_path), "--dataset"]
    done = run("pretrain.py", *options, str(mixed), "--layers", "3,2")
    assert done.returncode == 0, done.stderr
    done = run("finetune.py", str(tmp_path / "model.dbn"), *options, str(numbers))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("finetune: Column 'letter' held categories such as ")


def test_a_column_without_a_value_is_let_through_where_the_model_knows_it(tmp_path):
    """To leave it out, as was advised, leaves columns that the model has not."""
    pytest.importorskip("pandas")
    rows = [f"{i % 7},{'ab'[i % 2]},{i % 5},{['no', 'yes'][i % 2]}" for i in range(30)]
    cells = [row.split(",") for row in rows]
    tables = {
        "full": rows,
        "x": [",".join(["", *row[1:]]) for row in cells],
        "letter": [",".join([row[0], "", *row[2:]]) for row in cells],
    }
    for name, lines in tables.items():
        table = "\n".join(["x,letter,z,label", *lines])
        (tmp_path / f"{name}.csv").write_text(table)
    options = ["--epochs", "1", "--output", str(tmp_path), "--dataset"]
    done = run("pretrain.py", *options, str(tmp_path / "full.csv"), "--layers", "3,2")
    assert done.returncode == 0, done.stderr
    model = str(tmp_path / "pretrained.dbn")
    (tmp_path / "model.dbn").rename(model)
    for name in ("x", "letter"):
        its = [*options, str(tmp_path / f"{name}.csv")]
        done = run("finetune.py", model, *its)
        assert done.returncode == 0, done.stderr
        done = run("finetune.py", "he_normal", *its)
        assert done.returncode == 1
        assert f"1 features without any value: column '{name}'" in done.stderr


@pytest.fixture
def ages(tmp_path):
    """The options of a table with ages, of which few repeat in so few rows."""
    rng = np.random.default_rng(0)
    lines = [f"{a:.3f},{round(40 + 5 * a)}" for a in rng.normal(size=80)]
    (tmp_path / "ages.csv").write_text("\n".join(["a,age", *lines]))
    return ["--dataset", str(tmp_path / "ages.csv"), "--label-column", "age"]


def test_whole_numbers_are_numbers_where_one_says_so(ages, tmp_path):
    options = [*ages, "--layers", "3,2", "--epochs", "1", "--output", str(tmp_path)]
    done = run("finetune.py", "he_normal", *options)
    assert done.returncode == 1
    assert "If labels are numbers to predict, say so (--target numbers)" in done.stderr
    options += ["--target", "numbers"]
    told = "label: column 'age', numbers from 28 to 50; 1 feature; 80 rows"
    done = run("pretrain.py", *options, "--validation", "0")
    assert done.returncode == 0 and done.stdout.startswith(told), done.stderr
    assert json.loads((tmp_path / "history.json").read_text())["rows"] == 56
    model = str(tmp_path / "pretrained.dbn")
    (tmp_path / "model.dbn").rename(model)
    options[options.index("--layers") : options.index("--epochs")] = []
    done = run("finetune.py", model, *options, "--labels", "9")
    assert done.returncode == 0 and done.stdout.startswith(told), done.stderr
    assert "R2" in done.stdout and "with 9 labelled rows" in done.stdout


@pytest.mark.parametrize(
    ("dataset", "target", "message"),
    [
        ("iris.csv", "numbers", "labels of 'iris' are texts such as 'setosa'. Give"),
        ("a.npz", "classes", "2 labels of 'a' are broken numbers such as 0.5. Write"),
        ("bars-and-stripes", "classes", "--target does nothing: 'bars-and-stripes' h"),
    ],
)
def test_labels_that_are_not_what_one_says_are_refused(
    dataset, target, message, tmp_path
):
    (tmp_path / "iris.csv").write_text("a,b,label\n" + "1,2,setosa\n3,2,other\n" * 5)
    np.savez(tmp_path / "a.npz", X=np.eye(4), y=[0.5, 1.0, 2.0, 2.5])
    file = tmp_path / dataset
    options = ["--dataset", str(file) if file.exists() else dataset]
    done = run("finetune.py", "he_normal", *options, "--target", target)
    assert done.returncode == 1 and message in done.stderr, done.stderr


@pytest.fixture
def rare(tmp_path):
    """The options of a table with 42 training rows of a class and 2 of another."""
    lines = [f"0.{i % 7},0.{i % 5},{'rare' if i < 3 else 'often'}" for i in range(63)]
    (tmp_path / "rare.csv").write_text("\n".join(["a,b,label", *lines]))
    options = ["--dataset", str(tmp_path / "rare.csv"), "--layers", "3"]
    return [*options, "--epochs", "1", "--output", str(tmp_path)]


@pytest.mark.parametrize("labels", ["1", "45"])
def test_finetune_refuses_labels_that_there_are_not(rare, labels):
    done = run("finetune.py", "he_normal", *rare, "--labels", labels)
    assert done.returncode == 1
    assert done.stderr == (
        f"finetune: --labels is {labels}; there are 44 labelled training rows of 2 "
        "classes. Give a number from 2 to 44, or leave it away for all.\n"
    )


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("4", ""),
        ("5", "--labels 5 takes 4 rows, 2 of each class\n"),
        (
            "30",
            "--labels 30 takes 17 rows, 15 of each class or all that it has (1 of 2 "
            "classes have fewer)\n",
        ),
    ],
)
def test_finetune_tells_where_labels_are_not_equally_many(rare, labels, told):
    done = run("finetune.py", "he_normal", *rare, "--labels", labels)
    assert done.returncode == 0, done.stderr
    said = "label: column 'label', 2 classes; 2 features; 63 rows, all labelled\n"
    assert done.stdout.startswith(f"{said}{told}test error")


def test_overhead(tmp_path):
    record = tmp_path / "overhead.json"
    options = ["--rows", "300", "--hidden", "5", "--pairs", "3", "--threads", "1"]
    for n_runs in (1, 2):
        done = run("benchmarks/overhead.py", *options, "--output", str(record))
        assert done.returncode == 0, done.stderr
        assert "(median of 3 pairs)" in done.stdout
        content = json.loads(record.read_text())
        series = (tmp_path / "history" / "overhead.jsonl").read_text().splitlines()
        assert len(series) == n_runs and json.loads(series[-1]) == content
    assert len(content["seconds_without_and_with"]) == 3 and content["bytes"] > 784 * 5
    assert content["command"].startswith("python scripts/benchmarks/overhead.py --rows")
    assert_origin(content, "seed", "data_sha256")
    assert content["commit"] and content["versions"] and content["blas_threads"] == 1


def test_stream(tmp_path):
    record, folder = tmp_path / "stream.json", tmp_path / "rows"
    folder.mkdir()
    done = run(
        "benchmarks/stream.py",
        *["--gigabytes", "0.01", "--folder", str(folder), "--hidden", "10"],
        *["--memory-rows", "1000", "--threads", "1", "--output", str(record)],
    )
    assert done.returncode == 0, done.stderr
    assert "10 MB in the file; anonymous memory at most" in done.stdout
    content = json.loads(record.read_text())
    assert content["file"]["rows"] == 12_755 and content["memory"]["rows"] == 1000
    assert content["file"]["reconstruction_error"] < 0.2
    assert content["peak_anonymous_mb"] >= content["anonymous_before_mb"] > 10
    assert_origin(content, "seed")
    assert list(folder.iterdir()) == []


def test_stream_says_when_there_is_no_room(tmp_path):
    done = run("benchmarks/stream.py", "--gigabytes", "1e9", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert "GB of room for 1000000000.0 GB. Choose a smaller" in done.stderr
    assert done.stderr.startswith("stream: ") and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("job", [[], ["--job", "stack with labels, up-down"]])
def test_kill(job):
    done = run("attacks/kill.py", "--runs", "1", "--longest", "3", *job)
    assert done.returncode == 0, done.stderr
    assert "'different': 0" in done.stdout


def test_two_processes_pretrain_and_finetune(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    options = ["--distributed", "--rows", "300", "--epochs", "2", "--threads", "1"]
    checkpoint = ["--checkpoint", tmp_path / "state"]
    done = torchrun(
        ROOT / "scripts" / "pretrain.py",
        *[*options, *checkpoint, "--layers", "12,6", "--sampler", "pcd"],
        *["--output", first],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("wrote") == 1  # one of them
    assert done.stderr.count("layer 1:   0%") == 1
    record = json.loads((first / "history.json").read_text())
    assert record["processes"] == 2 and len(record["history"]) == 4
    assert "free_energy_gap" in record["history"][0]
    assert [*(tmp_path / "state").glob("DBNTransformer-*.ckpt")]
    done = torchrun(
        ROOT / "scripts" / "finetune.py",
        *[first / "model.dbn", *options, *checkpoint, "--output", second],
    )
    assert done.returncode == 0, done.stderr
    assert "test error" in done.stdout and "with 300 labelled rows" in done.stdout
    assert json.loads((second / "history.json").read_text())["processes"] == 2


@pytest.mark.parametrize("script", ["pretrain.py", "finetune.py"])
def test_distributed_needs_torchrun(tmp_path, script):
    start = ["he_normal"] if script == "finetune.py" else []
    done = run(script, *start, "--distributed", "--output", str(tmp_path))
    assert done.returncode == 1
    assert "RANK is not set: distributed training needs processes that" in done.stderr
    assert "Traceback" not in done.stderr


def test_interval_coverage(tmp_path):
    """A few pools of each kind; it goes on from them."""
    record = tmp_path / "coverage.json"
    args = ["--small", "--output", str(record), "--cells"]
    groups = ["learners", "ties", "dbn", "studies"]
    done = run("benchmarks/interval_coverage.py", *args, *groups)
    assert done.returncode == 0, done.stderr
    content = json.loads(record.read_text())
    assert [*content] == groups and all(its["commit"] for its in content.values())
    assert [len(its["figures"]) for its in content.values()] == [8, 4, 2, 4]
    for figures in content["learners"]["figures"].values():
        assert [*figures] == ["8 seeds", "4 seeds"]
        assert all(its["pools"] == 4 and its["width"] > 0.5 for its in figures.values())
    assert "noise labels, 2 seeds: 1 of 1" in done.stderr
    again = run("benchmarks/interval_coverage.py", *args, "studies")
    assert again.stderr == "" and again.stdout in done.stdout
    assert [*json.loads(record.read_text())] == groups
