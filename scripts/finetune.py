"""Fine-tune a net from a pretrained model, or from another start, and score it.

The start is a model that `pretrain.py` wrote, or the name of an initializer. With
--labels only so many rows, the same of every class, keep their labels. The error is
that of the last epoch, or with --early-stopping of the epoch with the best score on
rows held out of the labelled ones; test rows are used once, at the end. To train in
several processes: torchrun --standalone --nproc_per_node=2 scripts/finetune.py START
--distributed.
"""

import argparse
import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits

from dbn import DBNClassifier, DBNTransformer, load_model, save_model
from dbn.evaluation import load_dataset, provenance
from dbn.training import Checkpoint, data_parallel, get_optimizer
from dbn.training.distributed import Workers


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("start", help="a model file, or an initializer such as he_normal")
    add("--dataset", default="digits", help="name or file, as load_dataset takes it")
    add("--data-home", help="folder with the data sets; otherwise DBN_DATA")
    add("--rows", type=int, help="use only the first rows, for a quick look")
    add("--layers", default="256", help="as 500,500,2000; a model file has its own")
    add("--labels", type=int, help="labelled rows, equally many per class; default all")
    add("--activation", default="logistic")
    add("--dropout", type=float, nargs="+", default=[0.0])
    add("--batch-norm", action="store_true")
    add("--optimizer", default="adam")
    add("--learning-rate", type=float, help="default: the optimizer's")
    add("--weight-decay", type=float, default=0.0)
    add("--max-norm", type=float)
    add("--multipliers", type=float, nargs="+", help="of the learning rate, per layer")
    add("--head-epochs", type=int, default=0, help="epochs of the top layer alone")
    add("--batch-size", type=int, default=100)
    add("--epochs", type=int, default=20)
    add("--early-stopping", action="store_true")
    add("--on-divergence", choices=["raise", "halve"], default="raise")
    add("--seed", type=int, default=0)
    add("--device", help="compute with PyTorch, on cpu or cuda; default: NumPy")
    add("--threads", type=int, help="BLAS threads; default: as the system has it")
    add("--checkpoint", type=Path, help="folder to save the state of training in")
    add("--resume", action="store_true", help="go on from the checkpoint, if any")
    add("--distributed", action="store_true", help="torchrun has started this process")
    add("--timeout", type=float, default=300.0, help="of --distributed, in seconds")
    add("--output", type=Path, default=Path("finetuned"), help="folder to write to")
    return parser.parse_args(argv)


def make_net(args):
    start, sizes = args.start, [int(n) for n in args.layers.split(",")]
    if Path(start).is_file():
        model = load_model(start)
        if not isinstance(model, DBNTransformer):
            raise ValueError(
                f"{start} holds a {type(model).__name__}; a net starts from a "
                "DBNTransformer. Run pretrain.py with two or more --layers."
            )
        start, sizes = FrozenEstimator(model), [r.W.shape[1] for r in model.dbn_.rbms]
    optimizer = get_optimizer(args.optimizer)
    if args.learning_rate is not None:
        optimizer.set_params(learning_rate=args.learning_rate)
    return DBNClassifier(
        sizes,
        init=start,
        activation=args.activation,
        dropout=args.dropout if len(args.dropout) > 1 else args.dropout[0],
        batch_norm=args.batch_norm,
        optimizer=optimizer,
        weight_decay=args.weight_decay,
        max_norm=args.max_norm,
        learning_rate_multipliers=args.multipliers,
        head_epochs=args.head_epochs,
        batch_size=args.batch_size,
        max_iter=args.epochs,
        early_stopping=args.early_stopping,
        on_divergence=args.on_divergence,
        device=args.device,
        random_state=args.seed,
        verbose=1,
    )


def split(data, args):
    """Labelled training rows and the test rows."""
    if data.y is None:
        raise ValueError(f"Data set {data.name!r} has no labels to fine-tune on.")
    data = data.with_test(args.seed)  # as pretrain.py does
    X, y = data.X[: args.rows], data.y[: args.rows]
    if args.labels is not None:
        rng = np.random.default_rng(args.seed)
        n_each = args.labels // len(np.unique(y))
        rows = [
            rng.permutation(np.flatnonzero(y == label))[:n_each]
            for label in np.unique(y)
        ]
        X, y = X[np.concatenate(rows)], y[np.concatenate(rows)]
    return X, y, data.X_test, data.y_test


def main(argv=None):
    args = parse_args(argv)
    try:
        net = make_net(args)
        data = load_dataset(args.dataset, data_home=args.data_home)
        X, y, X_test, y_test = split(data, args)
        start = time.perf_counter()
        together = data_parallel(args.timeout) if args.distributed else None
        with together or nullcontext(Workers()) as workers:
            if args.checkpoint:
                resume = args.resume or workers.elastic
                net.set_callbacks(Checkpoint(args.checkpoint, resume=resume))
            with threadpool_limits(args.threads):
                net.fit(X, y)
        if workers.rank > 0:
            return
        seconds = time.perf_counter() - start
        with threadpool_limits(args.threads):
            error = float(np.mean(net.predict(X_test) != y_test))
    except (OSError, ValueError, ArithmeticError, ImportError) as problem:
        sys.exit(f"finetune: {problem}")
    args.output.mkdir(parents=True, exist_ok=True)
    save_model(net, args.output / "model.dbn")
    record = {"test_error": round(error, 6), "labelled_rows": len(y)}
    record |= {"seconds": round(seconds, 1), "processes": workers.size}
    record |= {**provenance(), "history": net.history_}
    text = json.dumps(record, indent=1)
    (args.output / "history.json").write_text(text + "\n")
    print(
        f"test error {error:.2%} with {len(y)} labelled rows, {seconds:.0f} s; wrote "
        f"{args.output}/"
    )


if __name__ == "__main__":
    main()
