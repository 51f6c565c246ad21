"""One epoch on a file of bytes that may be larger than memory: what it takes.

Writes noisy patterns of 784 pixels as bytes, trains an RBM from a memory map of them,
and meanwhile samples the anonymous memory of the process (RssAnon: what cannot go back
to a file). Then the same machine trains on rows in memory, for the speed. The time of a
fit counts all: validation, the mean of the rows, and the epoch. Linux only.
"""

import re
import shutil
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from dbn import RBMTransformer, ScaledRows
from dbn.backend.random import make_rng
from dbn.evaluation import provenance

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, run, write_json

N_PIXELS, CHUNK = 784, 10_000


def patterns(rng, n_rows):
    """Chunks of bytes: one of 50 patterns of strokes in each row, with noise."""
    means = rng.random((50, N_PIXELS), dtype=np.float32) < 0.2
    means = np.where(means, np.float32(0.9), np.float32(0.02))
    for start in range(0, n_rows, CHUNK):
        n = min(CHUNK, n_rows - start)
        on = (
            rng.random((n, N_PIXELS), dtype=np.float32)
            < means[rng.integers(50, size=n)]
        )
        yield np.where(on, np.uint8(255), np.uint8(0))


def write(path, n_rows, seed):
    """A read-only map of the rows, after `path` was written."""
    needed, free = n_rows * N_PIXELS, shutil.disk_usage(path.parent).free
    if needed > 0.95 * free:
        raise OSError(
            f"{path.parent} has {free / 1e9:.1f} GB of room for {needed / 1e9:.1f} GB. "
            "Choose a smaller --gigabytes, or another --folder."
        )
    with path.open("wb") as file:
        for chunk in patterns(make_rng(seed), n_rows):
            chunk.tofile(file)
    return np.memmap(path, dtype=np.uint8, mode="r", shape=(n_rows, N_PIXELS))


def anonymous_bytes():
    """RssAnon of this process."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])


class Peak:
    """Largest RssAnon while the context lasts, looked up 20 times a second."""

    def __enter__(self):
        self.before = self.bytes = anonymous_bytes()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.over.wait(0.05):
            self.bytes = max(self.bytes, anonymous_bytes())

    def __exit__(self, *error):
        self.over.set()
        self.thread.join()


def fit(args, rows):
    """Seconds and rows per second of one epoch, validation included."""
    model = RBMTransformer(
        args.hidden, batch_size=args.batch_size, max_iter=1, random_state=args.seed
    )
    start = time.perf_counter()
    model.fit(rows)
    seconds = time.perf_counter() - start
    return {
        "rows": len(rows),
        "seconds": round(seconds, 1),
        "rows_per_second": round(len(rows) / seconds),
        "reconstruction_error": model.history_[-1]["reconstruction_error"],
    }


def measure(args, folder):
    """The figures of the record."""
    n_rows = max(1, round(args.gigabytes * 1e9 / N_PIXELS))
    start = time.perf_counter()
    X = write(Path(folder) / "rows.uint8", n_rows, args.seed)
    found = {"write_seconds": round(time.perf_counter() - start, 1)}
    with Peak() as peak:
        found["file"] = fit(args, ScaledRows(X, divide_by=255))
    found |= {
        "peak_anonymous_mb": round(peak.bytes / 1e6),
        "anonymous_before_mb": round(peak.before / 1e6),
        "file_mb": round(X.nbytes / 1e6),
    }
    found["memory"] = fit(args, X[: args.memory_rows] / np.float32(255))
    speed, in_memory = (found[k]["rows_per_second"] for k in ("file", "memory"))
    return found | {"speed_over_memory": round(speed / in_memory, 3)}


OPTIONS = {
    "--gigabytes": {"type": float, "default": 12.0, "help": "size of the file"},
    "--folder": {
        "help": "where it is written, and removed (default: that of tempfile)"
    },
    "--hidden": {"type": int, "default": 500, "help": "hidden units"},
    "--batch-size": {"type": int, "default": 100, "help": "rows per update"},
    "--memory-rows": {
        "type": int,
        "default": 60_000,
        "help": "for the speed in memory",
    },
    "--threads": {"type": int, "default": 2, "help": "BLAS threads"},
    "--seed": {"type": int, "default": 0},
    "--output": {"type": path, "help": "JSON record to write"},
}


def main():
    args = parse(__doc__, OPTIONS)
    prepare_file(args.output)
    # Fits of an epoch or two are what is measured.
    warnings.simplefilter("ignore", ConvergenceWarning)
    with (
        threadpool_limits(args.threads),
        tempfile.TemporaryDirectory(prefix="dbn-", dir=args.folder) as folder,
    ):
        found = measure(args, folder)
        record = {"seed": args.seed, **found, **provenance()}
    for name in ("file", "memory"):
        print(f"{name}: {found[name]}")
    print(
        f"{found['file_mb']:,} MB in the file; anonymous memory at most "
        f"{found['peak_anonymous_mb']:,} MB ({found['anonymous_before_mb']:,} MB "
        f"before); {found['speed_over_memory']:.2f} of the speed in memory"
    )
    if args.output:
        write_json(args.output, record)


if __name__ == "__main__":
    run(main)
