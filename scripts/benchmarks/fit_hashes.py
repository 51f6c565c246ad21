"""Hash what many small fits learn, to see that a change of structure changes no number.

All estimators, types of units, samplers, optimizers, starts and activations, in memory,
sparse and in a file, with NumPy and on devices, are fitted to small data; of each the
SHA-256 of its parameters, history and output is written. With --compare, the hashes of
another run on the same machine must be the same: products of matrices differ between
processors and numbers of threads, so this is a script and no test.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from sklearn.frozen import FrozenEstimator
from threadpoolctl import threadpool_limits

from dbn import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
    ScaledRows,
    load_model,
    save_model,
)
from dbn.boltzmann import CD, FPCD, PCD, Gaussian, ParallelTempering, ReLU, Softmax
from dbn.evaluation import provenance
from dbn.training import SGD, Adam, RMSProp, Schedule

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import prepare_file, write_json

N = 120
_rng = np.random.default_rng(0)
UNIT = _rng.random((N, 12))  # in [0, 1]
REAL = 3.0 * _rng.standard_normal((N, 12)) + 1.0
COUPLES = np.eye(3)[_rng.integers(3, size=(N, 4))].reshape(N, 12)
CLASSES = np.digitize(UNIT[:, 0] + UNIT[:, 1], [0.8, 1.2])
LABELS = (UNIT[:, :3] > 0.5).astype(int)
VALUES = REAL[:, :2] @ [[1.0, 0.5], [-1.0, 2.0]]
FEW = np.where(np.arange(N) % 4 == 0, CLASSES, -1)
WEIGHT = np.arange(N) % 4 * 1.0
ROWS = {"auto": UNIT, "bernoulli": UNIT, "gaussian": REAL, "relu": np.abs(REAL)}


def machine(**params):
    defaults = {"n_components": 6, "batch_size": 20, "max_iter": 4, "random_state": 0}
    return RBMTransformer(**{**defaults, **params})


def net(cls, **params):
    defaults = {"hidden_layer_sizes": (6, 5), "max_iter": 5, "batch_size": 20}
    defaults |= {"random_state": 0}
    if params.get("init", "dbn") == "dbn":
        units = {"relu": "relu"}.get(params.get("activation"), "bernoulli")
        defaults["rbm"] = machine(hidden=units, optimizer=SGD(0.01))
    return cls(**{**defaults, **params})


def machines():
    """Name, estimator and rows of fits without labels."""
    for visible in ("auto", "bernoulli", "gaussian", "relu"):
        for hidden in ("bernoulli", "gaussian", "relu"):
            slow = SGD(0.001, momentum=0.5)
            estimator = machine(visible=visible, hidden=hidden, optimizer=slow)
            yield f"{visible} {hidden}", estimator, ROWS[visible]
    own = {"visible": Gaussian(learn_variance=True), "hidden": ReLU(noisy=True)}
    yield "learned variance", machine(visible=own["visible"]), REAL
    yield "noisy hidden", machine(hidden=own["hidden"], optimizer=SGD(0.01)), UNIT
    yield "softmax visible", machine(visible=Softmax(3)), COUPLES
    yield "softmax hidden", machine(hidden=Softmax(2)), UNIT
    samplers = {
        "cd": CD(),
        "cd 3": CD(k=3),
        "cd sampled": CD(sample_visible=True),
        "pcd": PCD(n_chains=10),
        "fpcd": FPCD(n_chains=10),
        "pt": ParallelTempering(n_chains=4, n_betas=3),
    }
    for name, sampler in samplers.items():
        for centering in (False, True):
            estimator = machine(sampler=sampler, centering=centering)
            yield f"{name} centering={centering}", estimator, UNIT
    optimizers = {
        "default": None,
        "sgd": SGD(0.05, nesterov=True, clip_norm=0.1),
        "schedule": SGD(Schedule(0.1, 0.0, epochs=4), momentum=0.0),
        "rmsprop": RMSProp(0.01),
        "adam": Adam(0.01),
    }
    for name, optimizer in optimizers.items():
        yield f"machine {name}", machine(optimizer=optimizer), UNIT
        yield f"machine {name} gaussian", machine(optimizer=optimizer), REAL
    yield "sparsity, l1", machine(sparsity=0.1, l1=0.01, weight_decay=0.0), UNIT
    yield "single precision", machine(), UNIT.astype(np.float32)
    yield "csr", machine(), csr_array(np.where(UNIT > 0.5, UNIT, 0.0))
    bytes_ = np.round(255 * UNIT).astype(np.uint8)
    yield "scaled rows", machine(), ScaledRows(bytes_, divide_by=255)
    for budget in (None, 0):
        stack = DBNTransformer(
            (6, 5, 4), rbm=machine(), memory_budget=budget, random_state=0
        )
        yield f"stack, budget {budget}", stack, UNIT
    yield "stack, gaussian", DBNTransformer((6, 4), rbm=machine(), random_state=0), REAL


def nets():
    """Name, estimator, rows and targets of fits with labels."""
    starts = ("dbn", "dbn-resampled", "dbn-shuffled", "xavier_uniform", "he_normal")
    starts += ("lecun_truncated_normal", "orthogonal", "lsuv", "sparse", "standard")
    for init in starts:
        yield f"start {init}", net(DBNClassifier, init=init), UNIT, CLASSES
    for activation in ("tanh", "relu"):
        for init in ("dbn", "xavier_uniform"):
            estimator = net(DBNClassifier, init=init, activation=activation)
            yield f"{activation} {init}", estimator, UNIT, CLASSES
    for activation in ("leaky_relu", "elu", "softsign", "softplus", "scaled_tanh"):
        estimator = net(DBNRegressor, init="he_normal", activation=activation)
        yield activation, estimator, REAL, VALUES
    for optimizer in ("sgd", "rmsprop", "adam", "adamw", "lbfgs", "cg"):
        estimator = net(DBNClassifier, init="xavier_uniform", optimizer=optimizer)
        yield f"classifier {optimizer}", estimator, UNIT, CLASSES
        estimator = net(DBNRegressor, optimizer=optimizer)
        yield f"regressor {optimizer}", estimator, REAL, VALUES[:, 0]
    options = {
        "dropout": {"dropout": 0.3},
        "dropout of inputs": {"dropout": [0.1, 0.2, 0.3]},
        "batch norm": {"batch_norm": True},
        "max norm, decay": {"max_norm": 1.0, "weight_decay": 0.01},
        "multipliers": {"learning_rate_multipliers": [0.0, 0.5, 1.0]},
        "head first": {"head_epochs": 2},
        "early stopping": {"early_stopping": True, "validation_fraction": 0.2},
        "balanced": {"class_weight": "balanced"},
        "halving": {"on_divergence": "halve", "optimizer": SGD(0.1)},
    }
    for name, option in options.items():
        for init in ("dbn", "he_normal"):
            estimator = net(DBNClassifier, init=init, **option)
            yield f"{name} {init}", estimator, UNIT, CLASSES
    yield "few labels", net(DBNClassifier, unlabeled=-1), UNIT, FEW
    yield "several labels", net(DBNClassifier), UNIT, LABELS
    yield "several values", net(DBNRegressor), REAL, VALUES
    yield "single precision net", net(DBNClassifier), UNIT.astype(np.float32), CLASSES
    frozen = FrozenEstimator(DBNTransformer((6, 5), random_state=0).fit(UNIT))
    yield "frozen", net(DBNClassifier, init=frozen), UNIT, CLASSES


def autoencoders():
    """Name, estimator, rows and no targets of nets that give back their rows."""
    starts = ("dbn", "dbn-resampled", "dbn-shuffled", "sae", "he_normal", "sparse")
    for init in starts:
        yield f"autoencoder {init}", net(DBNAutoencoder, init=init), UNIT, None
    yield "autoencoder gaussian", net(DBNAutoencoder), REAL, None
    holes = np.where(UNIT > 0.9, np.nan, UNIT)
    yield "autoencoder holes", net(DBNAutoencoder), holes, None
    options = {
        "batch norm": {"batch_norm": True},
        "noise": {"noise": 0.2},
        "tanh": {"activation": "tanh"},
        "logistic code": {"code_activation": "logistic"},
        "early stopping": {"early_stopping": True, "validation_fraction": 0.2},
    }
    for name, option in options.items():
        yield f"autoencoder {name}", net(DBNAutoencoder, **option), UNIT, None


def of(*things):
    """SHA-256 of arrays, numbers and histories."""
    digest = hashlib.sha256()
    for thing in things:
        if isinstance(thing, list):
            digest.update(json.dumps(thing, sort_keys=True, default=float).encode())
        else:
            array = np.ascontiguousarray(thing)
            digest.update(f"{array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def learned(model, rows):
    """Parameters, history and output of a fitted estimator."""
    if hasattr(model, "network_"):
        parts = [model.network_.params.flat, model.network_.statistics.flat]
    elif hasattr(model, "dbn_"):
        parts = [rbm.params.flat for rbm in model.dbn_.rbms]
    else:
        parts = [model.rbm_.params.flat]
    for name in ("predict_proba", "predict", "transform"):
        if hasattr(model, name):
            parts.append(getattr(model, name)(rows))
    return of(*parts, model.history_)


def hashes(device):
    """Name of a fit -> what came of it."""
    found = {}
    for name, estimator, rows in machines():
        lazy = isinstance(rows, ScaledRows)
        model = estimator.set_params(device=device).fit(rows)
        found[name] = learned(model, rows)
        if device is None and not lazy:
            weighted = estimator.fit(rows, sample_weight=WEIGHT)
            found[f"{name}, weights"] = learned(weighted, rows)
        if device is None and name in ("auto bernoulli", "gaussian bernoulli"):
            found[f"{name}, density"] = of(model.score_samples(rows))
            found[f"{name}, samples"] = of(model.sample(5, steps=20, random_state=0))
            going_on = model.partial_fit(rows)
            found[f"{name}, more"] = learned(going_on, rows)
    for name, estimator, rows, y in [*nets(), *autoencoders()]:
        model = estimator.set_params(device=device).fit(rows, y)
        found[name] = learned(model, rows)
        if device is None:
            with tempfile.TemporaryDirectory() as folder:
                save_model(model, Path(folder) / "model")
                model = load_model(Path(folder) / "model")
            found[f"{name}, more"] = learned(model.partial_fit(rows, y), rows)
    return found


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--devices", nargs="*", default=["cpu"], help="of PyTorch, beside NumPy")
    add("--output", type=Path, help="where to write the hashes, as JSON")
    add("--compare", type=Path, help="hashes of another run, which must be these")
    return parser.parse_args()


def main():
    args = parse_args()
    prepare_file(args.output)
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        found = hashes(None)
        for device in args.devices:
            found |= {f"{k} on {device}": v for k, v in hashes(device).items()}
    print(f"{len(found)} fits")
    if args.output:
        write_json(args.output, {"fits": found, **provenance()})
    if not args.compare:
        return 0
    before = json.loads(args.compare.read_text())
    before = before.get("fits", before)
    other = [name for name in before if found.get(name) != before[name]]
    for name in other:
        print(f"differs: {name}")
    print(f"{len(before) - len(other)} of {len(before)} are the same")
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
