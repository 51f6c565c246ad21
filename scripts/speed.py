"""How fast is an epoch of RBM training, side by side with scikit-learn's BernoulliRBM?

Both train on the same float32 rows with the same batch size and one Gibbs step; epochs
alternate within one process, so that a busy machine slows both. A third column times
the matrix products of such an epoch alone, which no implementation can undercut.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.neural_network import BernoulliRBM
from threadpoolctl import threadpool_limits

from dbn import RBMTransformer
from dbn.evaluation import provenance


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def products(X, n_hidden, batch_size):
    """The five products of one CD-1 update, with fixed buffers, for every batch."""
    W = np.full((X.shape[1], n_hidden), 0.01, dtype=X.dtype)
    gradient = np.empty_like(W)
    h = np.empty((batch_size, n_hidden), dtype=X.dtype)
    v = np.empty((batch_size, X.shape[1]), dtype=X.dtype)
    for start in range(0, len(X) - batch_size + 1, batch_size):
        rows = X[start : start + batch_size]
        np.matmul(rows, W, out=h)
        np.matmul(h, W.T, out=v)
        np.matmul(v, W, out=h)
        np.matmul(rows.T, h, out=gradient)
        np.matmul(v.T, h, out=gradient)


def measure(X, n_hidden, batch_size, epochs, repeats):
    """Seconds per epoch of each contender: lists of `repeats` figures."""
    shape = {"batch_size": batch_size, "n_components": n_hidden, "random_state": 0}
    peer = BernoulliRBM(n_iter=epochs, **shape)
    ours = RBMTransformer(max_iter=epochs, **shape)
    contenders = {
        "dbn": lambda: ours.fit(X),
        "sklearn": lambda: peer.fit(X),
        "products": lambda: [products(X, n_hidden, batch_size) for _ in range(epochs)],
    }
    for run in contenders.values():  # warm up
        run()
    times = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            times[name].append(seconds(run) / epochs)
    return times


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--rows", type=int, default=60000)
    add("--visible", type=int, default=784)
    add("--hidden", type=int, default=500)
    add("--batch-size", type=int, default=100)
    add("--epochs", type=int, default=1, help="epochs per timed fit")
    add("--repeats", type=int, default=5)
    add("--threads", type=int, default=2, help="BLAS threads")
    add("--output", type=Path, help="write the record to this JSON file")
    args = parser.parse_args()

    X = np.random.default_rng(0).random((args.rows, args.visible), dtype=np.float32)
    with threadpool_limits(args.threads):
        times = measure(X, args.hidden, args.batch_size, args.epochs, args.repeats)
        origin = provenance()
    pairs = zip(times["dbn"], times["sklearn"], strict=True)
    to_sklearn = median(a / b for a, b in pairs)
    pairs = zip(times["products"], times["dbn"], strict=True)
    of_bound = median(a / b for a, b in pairs)
    print(
        f"CD-1 epoch, {args.rows} x {args.visible} float32, {args.hidden} hidden "
        f"units, batch {args.batch_size}, {args.threads} BLAS threads; medians of "
        f"{args.repeats}:"
    )
    for name, values in times.items():
        print(f"  {name:9} {median(values):7.2f} s")
    print(f"  dbn / BernoulliRBM: {to_sklearn:.2f} of its time")
    print(f"  products / dbn:     {of_bound:.2f} of the bound")
    if args.output:
        record = {
            "seconds_per_epoch": times,
            "dbn_to_sklearn": to_sklearn,
            "fraction_of_bound": of_bound,
            **origin,
        }
        args.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
