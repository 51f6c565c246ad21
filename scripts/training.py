"""What `pretrain.py` and `finetune.py` share: options, the fit, and what is written."""

import time
from contextlib import nullcontext

from data_options import path, write_json
from threadpoolctl import threadpool_limits

from dbn import save_model
from dbn.evaluation import provenance
from dbn.training import Checkpoint, data_parallel
from dbn.training.distributed import Workers


def length(text):
    """A number, or "auto": what the estimators make of the number of rows."""
    return text if text == "auto" else int(text)


TRAINING_OPTIONS = {
    "--rows": {"type": int, "help": "use only the first rows, for a quick look"},
    "--batch-size": {"type": length, "default": "auto", "help": "or auto, by rows"},
    "--epochs": {"type": length, "default": "auto", "help": "or auto; of every stage"},
    "--on-divergence": {"choices": ["raise", "halve"], "default": "raise"},
    "--seed": {"type": int, "default": 0},
    "--device": {"help": "compute with PyTorch, on cpu or cuda; default: NumPy"},
    "--threads": {"type": int, "help": "BLAS threads; default: as the system has it"},
    "--checkpoint": {"type": path, "help": "folder to save the state of training in"},
    "--resume": {"action": "store_true", "help": "go on from the checkpoint, if any"},
    "--distributed": {
        "action": "store_true",
        "help": "torchrun has started this process",
    },
    "--timeout": {
        "type": float,
        "default": 300.0,
        "help": "of --distributed, in seconds",
    },
    "--output": {"type": path, "help": "folder to write to"},
}


def fit(model, args, rows, data, *monitors):
    """Train as the options say; return the processes that did, and seconds.

    The first of these says what the data are, and has the monitors.
    """
    start = time.perf_counter()
    together = data_parallel(args.timeout) if args.distributed else None
    with together or nullcontext(Workers()) as workers:
        callbacks = []
        if workers.rank == 0:
            print(data.summary(), flush=True)
            callbacks += monitors
        if args.checkpoint:
            resume = args.resume or workers.elastic
            callbacks.append(Checkpoint(args.checkpoint, resume=resume))
        with threadpool_limits(args.threads):
            model.set_callbacks(*callbacks).fit(*rows)
    return workers, time.perf_counter() - start


def write(model, args, workers, seconds, data, **found):
    """Write the model, and a record of the training with its data and history."""
    args.output.mkdir(parents=True, exist_ok=True)
    save_model(model, args.output / "model.dbn")
    record = {**found, **provenance(*data), "seed": args.seed}
    record |= {"seconds": round(seconds, 1), "processes": workers.size}
    record |= {"history": model.history_}
    write_json(args.output / "history.json", record)
