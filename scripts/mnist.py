"""The classic net on MNIST: 784-500-500-2000-10, pretrained as a DBN, fine-tuned.

Hinton and Salakhutdinov (2006) report 1.2 % test error for this net. The RBMs train
with the defaults of `RBMTransformer`; fine-tuning is Adam, whose learning rate falls
from 0.001 to 0.0001 after 60 % of the epochs (chosen on the last 10,000 training rows:
1.31 % validation error, against 2.01 % without the fall). The error is that of the last
epoch; the test rows are used once per seed.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from dbn import DBNClassifier, RBMTransformer
from dbn.evaluation import load_dataset, provenance
from dbn.training import Adam


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add(
        "--data-home", help="folder with the IDX files; otherwise DBN_DATA, then OpenML"
    )
    add("--hidden-layer-sizes", type=int, nargs="+", default=[500, 500, 2000])
    add("--pretrain-epochs", type=int, default=20)
    add("--epochs", type=int, default=20)
    add("--init", default="dbn", help="dbn, or a data-free start for comparison")
    add("--seeds", type=int, nargs="+", default=[0])
    add("--threads", type=int, default=2, help="BLAS threads")
    add("--rows", type=int, help="use only the first rows, for a quick look")
    add("--output", type=Path, help="write the record to this JSON file")
    args = parser.parse_args()

    try:
        data = load_dataset("mnist", data_home=args.data_home)
    except (OSError, ValueError) as error:
        sys.exit(f"mnist: {error}")
    X, y = data.X[: args.rows], data.y[: args.rows]
    runs = []
    with threadpool_limits(args.threads):
        for seed in args.seeds:
            net = DBNClassifier(
                args.hidden_layer_sizes,
                init=args.init,
                rbm=RBMTransformer(max_iter=args.pretrain_epochs),
                optimizer=Adam(((0, 0.001), (round(0.6 * args.epochs), 0.0001))),
                max_iter=args.epochs,
                random_state=seed,
                verbose=1,
            )
            start = time.perf_counter()
            net.fit(X, y)
            seconds = time.perf_counter() - start
            error = float(np.mean(net.predict(data.X_test) != data.y_test))
            runs.append(
                {"seed": seed, "test_error": round(error, 6), "seconds": round(seconds)}
            )
            print(f"seed {seed}: test error {error:.2%}, {seconds:.0f} s")
        origin = provenance()
    errors = [run["test_error"] for run in runs]
    print(f"mean test error {np.mean(errors):.2%} over {len(errors)} seeds")
    if args.output:
        record = {
            "net": [X.shape[1], *args.hidden_layer_sizes, 10],
            "init": args.init,
            "pretrain_epochs": args.pretrain_epochs,
            "epochs": args.epochs,
            "rows": len(X),
            "runs": runs,
            "mean_test_error": float(np.mean(errors)),
            "std_test_error": float(np.std(errors, ddof=1))
            if len(errors) > 1
            else None,
            **origin,
        }
        args.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
