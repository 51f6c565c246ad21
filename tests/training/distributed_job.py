"""What the processes of `test_distributed` do: torchrun starts them with this file.

The first argument names a job, the second a folder for what each process found.
"""

import os
import pickle
import signal
import sys
import time
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import load_digits

from dbn import (
    RBM,
    DBNClassifier,
    GenerativeDBNClassifier,
    Network,
    RBMClassifier,
    RBMTransformer,
)
from dbn.backend.random import make_rng
from dbn.boltzmann import CD, FPCD, PCD, ParallelTempering, exact_log_z
from dbn.training import (
    SGD,
    Adam,
    Checkpoint,
    Sparsity,
    UpDown,
    data_parallel,
    finetune,
    train_rbm,
)
from tests.estimators.toy import buffers, rbm
from tests.helpers import MeanField
from tests.training.test_checkpoint import Break

rng = np.random.default_rng(0)
N_ROWS, BATCH = 57, 8  # the last batch has one row: nothing is left for one of two
X = rng.random((N_ROWS, 6))
Y = np.eye(3)[rng.integers(3, size=N_ROWS)]
WEIGHT = rng.integers(1, 5, size=N_ROWS).astype(float)


def machine(optimizer, X=X, **options):
    """Parameters and history of a machine that is trained without noise."""
    model, history = RBM(6, 5, visible=options.pop("visible", "bernoulli")), []
    options = {"batch_size": BATCH, "max_iter": 8, "history": history} | options
    options |= {"sampler": MeanField(), "optimizer": optimizer}
    train_rbm(model, X, rng=make_rng(0), **options)
    return model.params.flat, history


def net(optimizer, **options):
    """The same of a net."""
    model, history = Network([6, 5, 4, 3], activation="tanh"), []
    model.params.flat[...] = make_rng(1).standard_normal(model.params.flat.shape)
    options = {"batch_size": BATCH, "max_iter": 8, "history": history} | options
    finetune(model, X, Y, rng=make_rng(0), optimizer=optimizer, **options)
    return model.params.flat, history


def classifier(**options):
    """The same of an estimator."""
    options = {"init": "xavier_uniform", "optimizer": Adam(0.01)} | options
    model = DBNClassifier((5,), batch_size=BATCH, random_state=0, **options)
    model.fit(X, Y.argmax(axis=1), WEIGHT)
    return model.network_.params.flat, model.history_


def discriminative(**options):
    """The same of a machine that learns the class alone."""
    model = RBMClassifier(5, objective="discriminative", batch_size=BATCH)
    model.set_params(optimizer=Adam(0.01), random_state=0, **options)
    model.fit(X, Y.argmax(axis=1), WEIGHT)
    return model.rbm_.params.flat, model.history_


# Without noise: the same in one process and in two.
EXACT = {
    "machine, momentum": lambda: machine(SGD(0.1, momentum=0.9)),
    "machine, Adam": lambda: machine(Adam(0.01)),
    "machine, uneven last batch": lambda: machine(SGD(0.5), batch_size=10),
    "machine, weights": lambda: machine(SGD(), sample_weight=WEIGHT),
    "machine, centered": lambda: machine(SGD(), centering=True, sample_weight=WEIGHT),
    "machine, sparsity": lambda: machine(SGD(), sparsity=Sparsity(0.1), l1=1e-3),
    "machine, sparse rows": lambda: machine(SGD(), X=csr_array(X), centering=True),
    "net, momentum": lambda: net(SGD(0.1)),
    "net, Adam": lambda: net("adam", batch_size=10),
    "net, weights, clipping": lambda: net(
        SGD(0.1, clip_norm=0.1), sample_weight=WEIGHT, weight_decay=1e-2, max_norm=1.0
    ),
    "net, line searches": lambda: net("lbfgs", batch_size=50, max_iter=3),
    "machine, divergence": lambda: machine(
        SGD(20.0), visible="gaussian", on_divergence="halve", max_iter=20
    ),
    "classifier, early stopping": lambda: classifier(
        early_stopping=True, n_iter_no_change=3, class_weight="balanced", max_iter=30
    ),
    "classifier, tensors": lambda: classifier(device="cpu", max_iter=8),
    "labels, early stopping": lambda: discriminative(
        early_stopping=True, n_iter_no_change=3, class_weight="balanced", max_iter=30
    ),
    "labels, tensors": lambda: discriminative(device="cpu", max_iter=8),
}


def noisy(sampler, **options):
    """Parameters and chains of a machine that is trained with noise."""
    model = rbm(sampler=sampler, batch_size=BATCH, random_state=0, **options).fit(X)
    return model.rbm_.params.flat, model._state["chains"]


def incomplete(sampler):
    """The same of rows with values that are not known."""
    holes = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    model, state = RBM(6, 4), {}
    options = {"batch_size": BATCH, "max_iter": 3, "state": state, "centering": True}
    train_rbm(model, holes, rng=make_rng(0), sampler=sampler, **options)
    return model.params.flat, state["chains"]


def some_labels(model, weight=None):
    """Parameters of a model of rows and classes, a third of which are not known."""
    y = np.where(np.arange(N_ROWS) % 3, Y.argmax(axis=1), -1)
    model.set_params(unlabeled=-1, random_state=0).fit(X, y, weight)
    return numbers(model)[0], getattr(model, "_state", {}).get("chains", {})


# With noise: in two processes the same as each other.
NOISY = {
    "CD": lambda: noisy(CD(), max_iter=3),
    "PCD, 7 chains": lambda: noisy(PCD(n_chains=7), centering=True),
    "FPCD": lambda: noisy(FPCD(n_chains=10)),
    "tempering": lambda: noisy(ParallelTempering(n_chains=5, n_betas=3)),
    "PCD, tensors": lambda: noisy(PCD(n_chains=7), centering=True, device="cpu"),
    "unknown values": lambda: incomplete(PCD(n_chains=7)),
    "dropout": lambda: (classifier(dropout=0.3, max_iter=3)[0], {}),
    "labels": lambda: some_labels(
        RBMClassifier(5, sampler=PCD(n_chains=7), batch_size=BATCH, max_iter=3), WEIGHT
    ),
    "stack with labels": lambda: some_labels(
        GenerativeDBNClassifier((5, 4), rbm=[rbm(), None], up_down=UpDown(2))
    ),
}

REFUSED = {
    "is less than the 2 processes": lambda: net("adam", batch_size=1),
    "1 persistent chains cannot be shared": lambda: noisy(PCD(n_chains=1)),
    "Batch normalization needs": lambda: classifier(batch_norm=True, init="dbn"),
}


def labels(rank):
    return np.roll(Y.argmax(axis=1), 3 * rank)


def simple(**options):
    return DBNClassifier((5,), init="zeros", batch_size=BATCH, max_iter=1, **options)


def saved(rank, folder):
    """Process 1 is given the same, but the folder holds another fit."""
    for seed in (0, 1):
        checkpoint = Checkpoint(folder / "other", resume=True)
        rbm(batch_size=BATCH, random_state=seed).set_callbacks(checkpoint).fit(X)


# What each process is given, by its number: as many rows in both.
DISAGREEMENTS = {
    "seed": lambda rank: rbm(random_state=rank).fit(X),
    "rows": lambda rank: rbm(random_state=0).fit(X[::-1] if rank else X),
    "learning rate": lambda rank: rbm(optimizer=SGD(0.1 + rank), random_state=0).fit(X),
    "learning rate of a function": lambda rank: machine(SGD(0.1 + rank)),
    "epochs": lambda rank: rbm(max_iter=2 + rank, random_state=0).fit(X),
    "weights": lambda rank: rbm(random_state=0).fit(X, None, WEIGHT + rank),
    "labels": lambda rank: simple(random_state=0).fit(X, labels(rank)),
    "validation rows": lambda rank: simple(random_state=0).fit(
        X, labels(0), X_val=X / (1 + rank), y_val=labels(0)
    ),
    "rows of partial_fit": lambda rank: rbm(random_state=0).partial_fit(X / (1 + rank)),
    "labels of partial_fit": lambda rank: simple(random_state=0).partial_fit(
        X, labels(rank)
    ),
}


def disagreements(workers, folder):
    """The messages of processes that were given other things; None without one."""
    found = {}
    cases = DISAGREEMENTS | {"checkpoint": lambda rank: saved(rank, folder)}
    for name, fit in cases.items():
        try:
            found[name] = fit(workers.rank)
        except ValueError as error:
            found[name] = str(error)
    # What is shown may differ; and all go on to train together.
    model = rbm(verbose=workers.rank, random_state=0, batch_size=BATCH).fit(X)
    return found, model.rbm_.params.flat


def likelihood(seed):
    """Mean log-likelihood of digits, in nats, of a machine that is trained with CD."""
    X = load_digits().data / 16
    model = RBMTransformer(10, batch_size=20, max_iter=5, random_state=seed).fit(X)
    return -float(model.rbm_.free_energy(X).mean() + exact_log_z(model.rbm_))


SEEDS = range(4)


def streams(workers):
    """Draws of noise and shuffles in two epochs, and what follows."""
    rng, found = make_rng(0), []
    for epoch in range(2):
        with workers.epoch(rng, {"epoch": epoch}, [], 10) as shuffles:
            found.append((rng.random(3).tolist(), shuffles.random(3).tolist()))
    return found, rng.random(3).tolist()


def rounded(workers):
    """What is trained, where each process has computed something else."""
    array = np.full(3, float(workers.rank))
    with workers.epoch(make_rng(0), {"epoch": 0}, [array], 10):
        begun = array.copy()
        array += 0.5 + workers.rank
    return begun, array


def reductions(workers):
    """Sizes of what is reduced in an epoch of a machine and in one of a net."""
    found, distributed = [], workers.torch.distributed
    reduce = distributed.all_reduce

    def counted(tensor):
        found.append(tensor.numel())
        reduce(tensor)

    distributed.all_reduce = counted
    machine(SGD(), max_iter=1)
    net(SGD(), max_iter=1)
    distributed.all_reduce = reduce
    return found


def refusals():
    """The messages of what is refused."""
    found = []
    for fit in REFUSED.values():
        try:
            fit()
        except ValueError as error:
            found.append(str(error))
    return found


def compare(folder):
    """Everything that needs no other start of the processes."""
    found = {}
    try:
        with data_parallel(timeout=60) as workers:
            for jobs in (EXACT, NOISY):
                found |= {name: job() for name, job in jobs.items()}
            found["likelihoods"] = [likelihood(seed) for seed in SEEDS]
            found["streams"], found["refused"] = streams(workers), refusals()
            found["reductions"] = reductions(workers)
            found["rounded"] = rounded(workers)
            found["elastic"] = workers.elastic
            found["uninterrupted"] = numbers(long_job().fit(X, Y.argmax(axis=1)))
            found["disagreements"] = disagreements(workers, folder)
            machine(SGD(), X[: N_ROWS - workers.rank])
    except (OSError, ValueError) as error:
        found["other rows"] = str(error)
    write(folder, workers, found)


def long_job():
    """A classifier with chains, noise and two phases; 4 + 4 + 6 epochs."""
    return DBNClassifier(
        (5, 4),
        rbm=rbm(sampler=PCD(n_chains=7), batch_size=BATCH, max_iter=4),
        dropout=0.2,
        batch_size=BATCH,
        max_iter=6,
        random_state=0,
    )


def fail(folder, how, after):
    """Process 1 is killed or hangs after some epochs of the long job.

    The job saves its state, and goes on from what it finds.
    """

    restarted = os.environ["TORCHELASTIC_RESTART_COUNT"] != "0"
    if restarted and os.environ["RANK"] == "1":
        time.sleep(2)  # process 0 must not look for it where it was before

    def end():
        if workers.rank == 1 and not restarted:
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()

    with data_parallel(timeout=60 if how == "killed" else 6) as workers:
        checkpoint = Checkpoint(folder / "state", resume=True)
        model = long_job().set_callbacks(Break(int(after), end), checkpoint)
        model.fit(X, Y.argmax(axis=1))
    write(folder, workers, {"resumed": numbers(model), "elastic": workers.elastic})


def numbers(model):
    """Parameters and history of a fitted estimator."""
    return np.concatenate([p.flat for p in buffers(model)]), model.history_


def write(folder, workers, found):
    """Keep what a process found."""
    (folder / f"found-{workers.rank}.pickle").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    job, folder, *rest = sys.argv[1:]
    try:
        {"compare": compare, "fail": fail}[job](Path(folder), *rest)
    except (OSError, ValueError) as error:
        sys.exit(f"job: {error}")
