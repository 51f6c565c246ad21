"""MNIST with nothing set but layers: `DBNClassifier((500, 500, 2000))` on all images.

For each seed the test error at the end, the epochs of machines and net, and the
processor seconds of both. For comparison, what the same machines and net take with 20
epochs each, as in `mnist.py full`: the seconds of an epoch times 20.
"""

import sys
import time
from pathlib import Path

from records import write_record
from threadpoolctl import threadpool_limits

from dbn import DBNClassifier, DBNTransformer
from dbn.evaluation import load_dataset, provenance

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, run, sizes, write_json

OPTIONS = {
    "--dataset": {"default": "mnist", "help": "with test rows of its own"},
    "--data-home": {"help": "folder of the named data sets; otherwise DBN_DATA"},
    "--layers": {"type": sizes, "default": (500, 500, 2000), "help": "hidden ones"},
    "--seeds": {
        "type": int,
        "nargs": "+",
        "default": [0, 1, 2],
        "help": "one fit each",
    },
    "--threads": {"type": int, "default": 1, "help": "BLAS threads"},
    "--output": {"type": path, "help": "JSON record to write"},
}


def measure(data, layers, seed):
    """One fit at defaults: a start of its own, timed, and the net from it."""
    begin = time.process_time()
    DBNTransformer(layers, random_state=seed).fit(data.X)
    pretraining = time.process_time() - begin
    begin = time.process_time()
    net = DBNClassifier(layers, random_state=seed).fit(data.X, data.y)
    both = time.process_time() - begin
    epochs = [e["phase"] for e in net.history_]
    per_machine = epochs.count("pretrain") / len(layers)
    finetuning = both - pretraining
    twenty = 20 * (pretraining / per_machine + finetuning / net.n_iter_)
    return {
        "seed": seed,
        "test_error_percent": 100 * (1 - net.score(data.X_test, data.y_test)),
        "epochs": [per_machine, net.n_iter_],
        "seconds": [round(pretraining, 1), round(finetuning, 1)],
        "share_of_twenty_epochs": round(both / twenty, 3),
    }


def main():
    args = parse(__doc__, OPTIONS)
    prepare_file(args.output)
    data = load_dataset(args.dataset, data_home=args.data_home)
    names = "dataset", "layers", "seeds", "threads"
    record = {"settings": {n: getattr(args, n) for n in names}, "runs": []}
    with threadpool_limits(args.threads):
        for seed in args.seeds:
            record["runs"].append(measure(data, args.layers, seed))
            print(record["runs"][-1], flush=True)
            origin = provenance(data.X, data.y)
            if args.output:
                write_json(args.output, record | origin)
        if args.output:  # complete, for the series
            write_record(args.output, record | origin)


if __name__ == "__main__":
    run(main)
