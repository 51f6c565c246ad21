"""What does a checkpoint after every epoch cost?

One machine is trained with a checkpoint after every other epoch. So each epoch with one
has a neighbour without, under the same load, and the overhead is the median of the
ratios of such pairs, less one. The file is written and synced within the epoch.
"""

import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np
from records import write_record
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from dbn import RBMTransformer
from dbn.evaluation import load_dataset, provenance
from dbn.training import Checkpoint

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, run

ENDS = []


class TimedCheckpoint(Checkpoint):
    """It notes when each epoch has ended, its file included."""

    def on_fit_task_end(self, estimator, context):
        super().on_fit_task_end(estimator, context)
        if context.task_name == "epoch":
            ENDS.append(time.perf_counter())


def measure(X, args):
    """Seconds of pairs of epochs, without a checkpoint and with one; size of a file."""
    rbm = RBMTransformer(
        args.hidden, batch_size=100, max_iter=2 * args.pairs + 2, random_state=0
    )
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        rbm.set_callbacks(TimedCheckpoint(folder, every_n_epochs=2)).fit(X)
        (size, *_) = (path.stat().st_size for path in Path(folder).glob("*.ckpt"))
    seconds = np.diff(ENDS)[1:]  # the first pair is warming up
    return seconds.reshape(-1, 2).tolist(), size


OPTIONS = {
    "--data-home": {
        "help": "folder with MNIST as IDX files; otherwise DBN_DATA, or else"
    },
    "--rows": {
        "type": int,
        "default": 60000,
        "help": "that many; random ones without MNIST",
    },
    "--hidden": {"type": int, "default": 500},
    "--pairs": {"type": int, "default": 10, "help": "pairs of epochs"},
    "--threads": {"type": int, "default": 2, "help": "BLAS threads"},
    "--folder": {"help": "on the disk to write to; default: the temporary folder"},
    "--output": {
        "type": path,
        "help": "write the record to this JSON file, and add it to history/ beside it",
    },
}


def main():
    args = parse(__doc__, OPTIONS)
    prepare_file(args.output)
    # Fits of an epoch or two are what is measured.
    warnings.simplefilter("ignore", ConvergenceWarning)
    home = args.data_home or os.environ.get("DBN_DATA")
    if home:
        X = load_dataset("mnist", data_home=home).X[: args.rows]
    else:
        X = np.random.default_rng(0).random((args.rows, 784), dtype=np.float32)
    with threadpool_limits(args.threads):
        pairs, size = measure(X, args)
        origin = provenance(X)
    overhead = median(with_one / without for without, with_one in pairs) - 1.0
    seconds = median(without for without, _ in pairs)
    print(
        f"{X.shape[0]} x {X.shape[1]}, {args.hidden} hidden units, {args.threads} BLAS "
        f"threads: an epoch takes {seconds:.2f} s; a checkpoint of {size / 1e6:.1f} MB "
        f"adds {100 * overhead:.2f} % (median of {len(pairs)} pairs)"
    )
    if args.output:
        record = {
            "rows": "mnist" if home else "random",
            "n_rows": len(X),
            "n_hidden": args.hidden,
            "seed": 0,
            "bytes": size,
            "overhead": overhead,
            "seconds_without_and_with": pairs,
            **origin,
        }
        write_record(args.output, record)


if __name__ == "__main__":
    run(main)
