"""Density models with figures to compare: log-likelihoods, samples, memory.

    bars      bars and stripes 4 x 4 with every sampler, exact log-likelihood (the best
              possible is -3.40 nats)
    mnist     binarized MNIST, log-likelihood by annealed importance sampling from both
              sides, with and without centering
    gaussian  real-valued data at default settings; known variances learned back
    sparse    20newsgroups, and the memory that 200,000 x 10,000 sparse rows need
    proteins  a protein alignment: frequencies in the data and in samples

Every record names its settings and grows with each run that is finished.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse
from threadpoolctl import threadpool_limits

from dbn import RBM, RBMTransformer
from dbn.backend.identity import identity
from dbn.backend.random import make_rng
from dbn.boltzmann import (
    CD,
    FPCD,
    PCD,
    Gaussian,
    ParallelTempering,
    Softmax,
    ais,
    reverse_ais,
)
from dbn.boltzmann.enumeration import sample_exact
from dbn.evaluation import load_dataset, provenance
from dbn.training import SGD, Adam, Schedule

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import parse, path, prepare_file, run, write_json


def falling(start, epochs, hold):
    """SGD without momentum, which chains can follow, falling to zero."""
    rate = Schedule(start, 0.0, epochs=epochs, hold=round(hold * epochs))
    return SGD(rate, momentum=0.0)


def bars(args, seed):
    """Exact mean log-likelihood of the 30 patterns, for every sampler."""
    samplers = {
        "cd-1": CD(sample_visible=True),
        "cd-10": CD(10, sample_visible=True),
        "pcd-1, 100 chains": PCD(),
        "pcd-1, 500 chains": PCD(n_chains=500),
        "fpcd-1, 100 chains": FPCD(),
        "pt, 10 x 50 chains": ParallelTempering(n_chains=50),
    }
    patterns = load_dataset("bars-and-stripes").X.astype(float)
    X = np.tile(patterns, (100, 1))  # 100 updates an epoch
    epochs = args.updates // 100
    for name, sampler in samplers.items():
        model = RBMTransformer(
            16,
            sampler=sampler,
            optimizer=falling(0.05, epochs, hold=0.5),
            centering=True,
            weight_decay=0.0,
            batch_size=30,
            max_iter=epochs,
            random_state=seed,
        )
        found = {"data_sha256": identity(X), "seconds": timed(model.fit, X)}
        yield name, found | {"log_likelihood": model.score(patterns)}


def mnist(args, seed):
    """Test log-likelihood of an RBM with 500 hidden units, from both sides.

    Beside each estimate of log Z stands the mean log weight of its chains, which bounds
    log Z from below (annealing) or from above (the other way).

    Every epoch binarizes the grey training images anew, which is what the fixed
    binarization of the test rows was drawn from; the rows for `--validate` are the
    last 10,000 of the training file, binarized once.
    """
    grey = load_dataset("mnist", data_home=args.data_home).X
    rows = load_dataset("binarized-mnist", data_home=args.data_home).X_test
    if args.validate:
        grey, held_out = grey[:50_000], grey[50_000:]
        rows = binarized(held_out, make_rng(0))
    epochs = args.epochs
    for name, centering in (("centered", True), ("not centered", False)):
        if not centering and seed != args.seeds[0]:
            return  # it fails by 80 nats: once is enough
        model = RBMTransformer(
            500,
            sampler=PCD(
                ((0, 1), (round(0.8 * epochs), args.late_k)), n_chains=args.chains
            ),
            optimizer=falling(args.learning_rate, epochs, hold=args.hold),
            centering=centering,
            weight_decay=0.0,
            batch_size=args.batch_size,
            random_state=seed,
        )
        noise, start = make_rng(seed), time.perf_counter()
        for _ in range(epochs):
            model.partial_fit(binarized(grey, noise))
        found = {"data_sha256": identity(grey, rows)}
        found["seconds"] = round(time.perf_counter() - start)
        bias = model.visible_.input_for_mean(grey.mean(axis=0))
        energy = float(np.mean(model.rbm_.free_energy(rows), dtype=float))
        for side, estimate in (("ais", ais), ("reverse", reverse_ais)):
            log_z = estimate(
                model.rbm_,
                n_betas=args.betas,
                n_chains=100,
                base_bias=bias,
                random_state=seed,
            )
            found |= {
                f"log_likelihood_{side}": -energy - log_z.log_z,
                f"log_z_{side}": log_z.log_z,
                f"log_z_bound_{side}": float(log_z.log_weights.mean()),
                f"standard_error_{side}": log_z.standard_error,
                f"ess_{side}": log_z.ess,
            }
        yield name, found


def binarized(grey, rng):
    return (rng.random(grey.shape, dtype=grey.dtype) < grey).astype(grey.dtype)


def gaussian(args, seed):
    """Stability at default settings; variances of a known machine."""
    for name in ("digits", "diabetes", "wine", "breast-cancer"):
        X = load_dataset(name).X
        for hidden in ("bernoulli", "relu"):
            model = RBMTransformer(
                visible="gaussian", hidden=hidden, max_iter=50, random_state=seed
            ).fit(X)
            errors = [entry["reconstruction_error"] for entry in model.history_]
            yield (
                f"{name}, {hidden} hidden units",
                {
                    "data_sha256": identity(X),
                    "reconstruction_error_first": errors[0],
                    "reconstruction_error_last": errors[-1],
                    "largest_weight": float(np.abs(model.rbm_.W).max()),
                },
            )
    rng = make_rng(seed)
    variance = np.array([0.1, 0.2, 0.5, 1, 2, 4])
    truth = RBM(6, 3, visible=Gaussian(learn_variance=True)).initialize(rng, scale=1.5)
    truth.W[...] /= np.sqrt(variance)[:, None]  # shifts of about 1.5 deviations
    truth.params["visible_log_variance"][...] = np.log(variance)
    X = sample_exact(truth, 20_000, rng)
    model = RBMTransformer(
        3,
        visible=Gaussian(learn_variance=True),
        sampler=PCD(n_chains=500),
        optimizer=Adam(Schedule(0.01, 0.0, epochs=150, hold=75)),
        weight_decay=0.0,
        max_iter=150,
        random_state=seed,
    ).fit(X)
    learned = np.exp(model.rbm_.params["visible_log_variance"]) * model.scale_**2
    yield "variances", {"learned_over_true": (learned / variance).round(3).tolist()}


def sparse(args, seed):
    """20newsgroups from CSR; memory of one epoch on a large synthetic CSR."""
    news = load_dataset("20newsgroups", data_home=args.data_home)
    train, test = news.X[:-4000], news.X[-4000:]
    model = RBMTransformer(
        50, sampler="pcd", optimizer=falling(0.05, 20, hold=0.5), max_iter=20,
        random_state=seed,
    )  # fmt: skip
    found = {"data_sha256": identity(news.X), "seconds": timed(model.fit, train)}
    yield "20newsgroups", found | {"log_likelihood": model.score(test)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shape = (200_000, 10_000)
    X = scipy.sparse.random_array(
        shape, density=0.002, dtype=np.float32, format="csr", rng=0
    )
    X.data[:] = 1.0
    seconds = timed(RBMTransformer(64, max_iter=1, random_state=seed).fit, X)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield (
        "200,000 x 10,000 CSR",
        {
            "seconds": seconds,
            "peak_mb": round(peak / 1024),
            "peak_before_mb": round(before / 1024),
            "dense_mb": round(4 * np.prod(shape) / 2**20),
            "csr_mb": round((X.data.nbytes + X.indices.nbytes) / 2**20),
        },
    )


def proteins(args, seed):
    """Frequencies of each amino acid at each site, in samples and in the data."""
    X = load_dataset("proteins", data_home=args.data_home).X
    model = RBMTransformer(
        64,
        visible=Softmax(21),
        sampler=PCD(n_chains=200),
        optimizer=falling(0.05, args.epochs, hold=0.5),
        centering=True,
        max_iter=args.epochs,
        random_state=seed,
    )
    seconds = timed(model.fit, X)
    rows = model.sample(5000, random_state=seed)
    groups = rows.reshape(len(rows), -1, 21)
    above = np.triu_indices(X.shape[1], 21)
    pairs = [np.cov(v, rowvar=False)[above] for v in (X, rows)]
    yield (
        "WW domain",
        {
            "data_sha256": identity(X),
            "valid_rows": bool((groups.sum(axis=2) == 1).all()),
            "site_correlation": correlation(X.mean(axis=0), rows.mean(axis=0)),
            "pair_covariance_correlation": correlation(*pairs),
            "seconds": seconds,
        },
    )


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def timed(function, *args):
    start = time.perf_counter()
    function(*args)
    return round(time.perf_counter() - start, 1)


_MNIST = ["epochs", "batch_size", "learning_rate", "hold", "chains", "late_k", "betas"]
# Each experiment with the options it reads.
EXPERIMENTS = {
    "bars": (bars, ["updates"]),
    "mnist": (mnist, [*_MNIST, "validate"]),
    "gaussian": (gaussian, []),
    "sparse": (sparse, []),
    "proteins": (proteins, ["epochs"]),
}


OPTIONS = {
    "experiment": {"choices": EXPERIMENTS},
    "--data-home": {"help": "folder with the data sets; default: DBN_DATA"},
    "--seeds": {"type": int, "nargs": "+", "default": [0]},
    "--threads": {"type": int, "default": 2, "help": "BLAS threads"},
    "--updates": {"type": int, "default": 50_000, "help": "of bars"},
    "--epochs": {"type": int, "default": 30, "help": "of mnist, proteins"},
    "--batch-size": {"type": int, "default": 100, "help": "of mnist"},
    "--learning-rate": {
        "type": float,
        "default": 0.05,
        "help": "of mnist (default: 0.05)",
    },
    "--hold": {
        "type": float,
        "default": 0.2,
        "help": "share of epochs before it falls",
    },
    "--chains": {"type": int, "default": 100, "help": "of mnist"},
    "--late-k": {"type": int, "default": 1, "help": "k in the last fifth of mnist"},
    "--betas": {"type": int, "default": 10_000, "help": "of mnist's AIS"},
    "--validate": {
        "action": "store_true",
        "help": "mnist: train on 50,000, score 10,000",
    },
    "--output": {"type": path, "help": "JSON record to write"},
}


def main():
    args = parse(__doc__, OPTIONS)
    prepare_file(args.output)
    experiment, options = EXPERIMENTS[args.experiment]
    settings = {name: getattr(args, name) for name in ["seeds", "threads", *options]}
    record = {"experiment": args.experiment, "settings": settings, "runs": []}
    with threadpool_limits(args.threads):
        for seed in args.seeds:
            for name, found in experiment(args, seed):
                print(f"seed {seed}, {name}: {found}", flush=True)
                record["runs"].append({"name": name, "seed": seed, **found})
                if args.output:
                    write_json(args.output, record | provenance())


if __name__ == "__main__":
    run(main)
