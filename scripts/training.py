"""What `pretrain.py` and `finetune.py` share: options, the fit, and what is written."""

import copy
import math
import time
from contextlib import nullcontext

import numpy as np
from data_options import (
    TARGET,
    number,
    path,
    positive,
    prepare_folder,
    seed,
    write_json,
)
from threadpoolctl import threadpool_limits

from dbn import save_model
from dbn.evaluation import provenance
from dbn.training import Checkpoint, data_parallel
from dbn.training.distributed import Workers

# What the estimators make of the number of rows, or a number.
length = number(
    lambda text: text if text == "auto" else int(text),
    lambda n: n == "auto" or n >= 1,
    "auto or a whole number of at least 1",
)


TRAINING_OPTIONS = {
    "--target": TARGET,
    "--rows": {"type": positive, "help": "use only the first rows, for a quick look"},
    "--batch-size": {"type": length, "default": "auto", "help": "or auto, by rows"},
    "--epochs": {"type": length, "default": "auto", "help": "or auto; of every stage"},
    "--on-divergence": {"choices": ["raise", "halve"], "default": "raise"},
    "--seed": {"type": seed, "default": 0},
    "--device": {"help": "compute with PyTorch, on cpu or cuda; default: NumPy"},
    "--threads": {
        "type": positive,
        "help": "BLAS threads; default: as the system has it",
    },
    "--checkpoint": {"type": path, "help": "folder to save the state of training in"},
    "--resume": {
        "action": "store_true",
        "help": "go on from the checkpoint, if any",
        "needs": {"--checkpoint": ()},
    },
    "--distributed": {
        "action": "store_true",
        "help": "torchrun has started this process",
    },
    "--timeout": {
        "type": number(float, lambda s: 0 < s < math.inf, "seconds, more than 0"),
        "default": 300.0,
        "help": "in seconds",
        "needs": {"--distributed": ()},
    },
    "--output": {"type": path, "help": "folder to write to"},
}


def fit(model, args, rows, told, *monitors):
    """Train as the options say; return the processes that did, and seconds.

    The first of these says what is told of the data, and has the monitors.
    """
    start = time.perf_counter()
    together = data_parallel(args.timeout) if args.distributed else None
    with together or nullcontext(Workers()) as workers:
        callbacks = []
        if workers.rank == 0:
            prepare_folder(args.output)
            print(told, flush=True)
            callbacks += monitors
        if args.checkpoint:
            resume = args.resume or workers.elastic
            callbacks.append(Checkpoint(args.checkpoint, resume=resume))
        with threadpool_limits(args.threads):
            model.set_callbacks(*callbacks).fit(*rows)
    return workers, time.perf_counter() - start


def write_model(model, args, columns):
    """Write a model, which knows the names of the columns, as if fitted on a frame."""
    if columns is not None:
        model = copy.copy(model)
        model.feature_names_in_ = np.array(columns, dtype=object)
    save_model(model, args.output / "model.dbn")


def write_history(model, args, workers, seconds, data, **found):
    """Write a record of the training with its data and history."""
    record = {**found, **provenance(*data), "seed": args.seed}
    record |= {"seconds": round(seconds, 1), "processes": workers.size}
    record |= {"history": model.history_}
    write_json(args.output / "history.json", record)
