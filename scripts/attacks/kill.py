"""Kill training at random moments, resume it, and compare with never having stopped.

Each run trains one of several models in a process of its own, which is killed (SIGKILL)
after a random time and started again with Checkpoint(resume=True), until it is done.
Its parameters must then be, bit for bit, those of an uninterrupted training.

With --study it is a comparison of initializers that is killed, at random moments until
it is done; its results, but for seconds, must be those of one that was never stopped.
"""

import json
import subprocess
import sys
import tempfile
import time
from argparse import SUPPRESS
from pathlib import Path

import numpy as np

from dbn import (
    DBNClassifier,
    DBNTransformer,
    GenerativeDBNClassifier,
    RBMClassifier,
    RBMTransformer,
)
from dbn.boltzmann import FPCD, PCD
from dbn.evaluation import Comparison, compare_initializers, load_dataset, provenance
from dbn.training import Adam, Checkpoint, UpDown

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, write_json

MACHINE = RBMTransformer(batch_size=20, max_iter=5)
JOBS = {
    "machine, pcd": RBMTransformer(
        64, sampler=PCD(), centering=True, batch_size=20, max_iter=12, random_state=0
    ),
    "machine, fpcd, adam": RBMTransformer(
        64, sampler=FPCD(), optimizer=Adam(), batch_size=20, max_iter=8, random_state=0
    ),
    "stack": DBNTransformer((64, 32, 16), rbm=MACHINE, random_state=0),
    "net": DBNClassifier(
        (64, 32), rbm=MACHINE, dropout=0.2, batch_size=20, max_iter=12, random_state=0
    ),
    "net, early stopping": DBNClassifier(
        (64,),
        rbm=MACHINE,
        batch_norm=True,
        early_stopping=True,
        n_iter_no_change=5,
        batch_size=20,
        max_iter=20,
        random_state=0,
    ),
    "machine with labels, early stopping": RBMClassifier(
        64,
        sampler=PCD(),
        unlabeled=0,
        early_stopping=True,
        batch_size=20,
        max_iter=8,
        random_state=0,
    ),
    "stack with labels, up-down": GenerativeDBNClassifier(
        (32, 64), rbm=[MACHINE, None], up_down=UpDown(6), unlabeled=0, random_state=0
    ),
}
STUDY = "study of 84 cells"
FOUND = "found.npy"  # what a worker has trained


def parameters(model):
    """All trained numbers of a fitted estimator."""
    if hasattr(model, "rbm_"):
        return model.rbm_.params.flat
    machines = [*model.dbn_.rbms, *(model.dbn_.generative or [])]
    flats = [rbm.params.flat for rbm in machines]
    if hasattr(model, "network_"):
        flats += [model.network_.params.flat, model.network_.statistics.flat]
    return np.concatenate(flats)


def train(name, folder=None):
    """What is trained, with its state in a folder."""
    data = load_dataset("digits")
    if name == STUDY:
        return study(data, folder)
    model = JOBS[name]
    if folder is not None:
        model.set_callbacks(Checkpoint(folder / "state", resume=True))
    return parameters(model.fit(data.X, data.y))


def study(data, folder):
    """Errors, curves and costs of a comparison, as an array of one text."""
    result = compare_initializers(
        *(data.X, data.y),
        hidden_layer_sizes=[(32, 16)],
        label_budgets=[100],
        n_seeds=3,
        n_updates=100,
        pretrain_updates=300,
        folder=None if folder is None else folder / "state",
    )
    if folder is not None:
        result.to_json(folder / "results.json")
        result = Comparison.from_json(folder / "results.json")
    records = [
        {k: v for k, v in record.items() if "seconds" not in k}
        for record in result.records
    ]
    return np.array(json.dumps(records))


def killed_run(name, rng, longest):
    """A run for the record, and what was trained in the end."""
    n_kills = 0
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--worker", name, folder]
        while True:
            try:
                done = subprocess.run(
                    command,
                    stderr=subprocess.PIPE,
                    text=True,
                    timeout=rng.uniform(0.0, longest),
                )
            except subprocess.TimeoutExpired:  # it was killed
                n_kills += 1
                longest *= 1.1  # so that a busy machine comes to an end, too
                continue
            if done.returncode:
                raise RuntimeError(f"{name}: {done.stderr}")
            n_damaged = done.stderr.count("is passed over")
            run = {"job": name, "kills": n_kills, "damaged": n_damaged}
            return run, np.load(Path(folder) / FOUND)


OPTIONS = {
    "--runs": {"type": int, "default": 50},
    "--longest": {
        "type": float,
        "default": 4.0,
        "help": "seconds before a kill, at most",
    },
    "--job": {"choices": [*JOBS], "help": "train this one; default: all in turn"},
    "--study": {"action": "store_true", "help": "kill a comparison of initializers"},
    "--seed": {"type": int, "default": 0},
    "--output": {"type": path, "help": "JSON record to write"},
    "--worker": {"nargs": 2, "help": SUPPRESS},
}


def main():
    args = parse(__doc__, OPTIONS)
    if args.worker:
        name, folder = args.worker
        np.save(Path(folder) / FOUND, train(name, Path(folder)))
        return
    prepare_file(args.output)
    rng, start = np.random.default_rng(args.seed), time.perf_counter()
    names = [args.job] if args.job else list(JOBS)
    names = [STUDY] if args.study else names
    whole = {name: train(name) for name in names}
    runs = []
    for i in range(args.runs):
        name = names[i % len(names)]
        run, found = killed_run(name, rng, args.longest)
        runs.append(run | {"same": bool(np.array_equal(found, whole[name]))})
        print(f"run {i}: {runs[-1]}", flush=True)
    summary = {
        "runs": len(runs),
        "kills": sum(run["kills"] for run in runs),
        "damaged_files": sum(run["damaged"] for run in runs),
        "different": sum(not run["same"] for run in runs),
        "seconds": round(time.perf_counter() - start),
    }
    print(summary)
    if args.output:
        record = {"seed": args.seed, **summary, "each": runs}
        write_json(args.output, record | provenance())
    sys.exit(summary["different"] > 0)


if __name__ == "__main__":
    main()
