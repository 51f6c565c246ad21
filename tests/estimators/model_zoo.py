"""One small fitted model of every kind that a file may hold, and what it is for.

`python -m tests.estimators.model_zoo` writes the fixtures of the current format version
to `tests/data`; those of older versions are never written again.
"""

from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator

from dbn import (
    DBN,
    RBM,
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    GenerativeDBNClassifier,
    Network,
    RBMClassifier,
    RBMTransformer,
    save_model,
)
from dbn.boltzmann import PCD, Gaussian, Softmax
from dbn.estimators.files import _VERSION
from dbn.feedforward import VarianceScaling
from dbn.training import SGD, Adam, Sparsity, UpDown
from tests.estimators.toy import REAL, Y3, X, Y, rbm, small

DATA = Path(__file__).parents[1] / "data"


def frozen(rows):
    return FrozenEstimator(small(DBNTransformer).fit(rows))


def _layers():
    return [(np.eye(5)[:, :4], np.ones(4)), (np.full((4, 1), 0.1), np.zeros(1))]


def _with_everything():
    """Several labels per row, and all that acts in fine-tuning."""
    return small(
        DBNClassifier,
        init=DBNTransformer((4, 3), rbm=rbm()),
        hidden_layer_sizes=(4, 3),
        dropout=[0.1, 0.2, 0.2],
        batch_norm=True,
        early_stopping=True,
        max_norm=3.0,
        learning_rate_multipliers=[0.5, 0.5, 1.0],
    )


def _mathematics():
    rng = np.random.default_rng(0)
    lower = RBM(5, 4, visible=Gaussian(learn_variance=True)).initialize(rng)
    lower.params["visible_log_variance"][...] = 0.1
    net = Network([5, 4, 2], activation="tanh", dropout=0.2, batch_norm=True)
    VarianceScaling().fill(net, X, rng)
    net.calibrate(X)
    return {
        "rbm": lower,
        "rbm-softmax": RBM(6, 2, visible=Softmax(3), dtype=np.float32).initialize(rng),
        "dbn": DBN([lower, RBM(4, 3).initialize(rng)]),
        "network": net,
        "network-float32": Network([5, 2], loss="squared_error", dtype=np.float32),
    }


def make_zoo():
    """Name to fitted model."""
    schedule = SGD(((0, 0.1), (1, 0.05)), momentum=0.5)
    sparse = {"sparsity": Sparsity(0.2), "optimizer": schedule, "centering": True}
    return {
        "RBMTransformer": small(RBMTransformer).fit(X),
        "RBMTransformer-pcd": small(
            RBMTransformer, sampler=PCD(n_chains=7), **sparse
        ).fit(X.astype(np.float32)),
        "RBMTransformer-real": small(RBMTransformer).fit(REAL),
        "DBNTransformer": small(DBNTransformer).fit(X),
        "DBNTransformer-real": small(
            DBNTransformer, rbm=[rbm(), rbm(sampler="pcd")]
        ).fit(REAL),
        "DBNClassifier": small(DBNClassifier, optimizer=Adam(0.01)).fit(X, Y),
        "DBNClassifier-strings": small(DBNClassifier, init=VarianceScaling(2.0)).fit(
            REAL, Y3.astype(object)
        ),
        "DBNClassifier-frozen": DBNClassifier(
            init=frozen(X), max_iter=2, random_state=0
        ).fit(X, Y3),
        "DBNClassifier-labels": _with_everything().fit(X, (X[:, :2] > 0.5).astype(int)),
        "DBNRegressor": small(DBNRegressor).fit(X, X[:, 0]),
        "DBNRegressor-given": DBNRegressor(
            (4,), init=_layers(), max_iter=2, random_state=0
        ).fit(X, X[:, 0]),
        "DBNRegressor-real": small(DBNRegressor, activation="tanh").fit(
            REAL, REAL[:, :2]
        ),
        "DBNAutoencoder": small(DBNAutoencoder, code_activation="logistic").fit(X),
        "DBNAutoencoder-real": small(
            DBNAutoencoder, init="sae", activation="tanh", noise=0.1, batch_norm=True
        ).fit(REAL),
        "DBNRegressor-encoder": DBNRegressor(
            init=FrozenEstimator(small(DBNAutoencoder).fit(X)),
            max_iter=2,
            random_state=0,
        ).fit(X, X[:, 0]),
        "RBMClassifier": small(RBMClassifier).fit(X, Y3),
        "RBMClassifier-real": small(RBMClassifier, objective="generative").fit(REAL, Y),
        "GenerativeDBNClassifier": small(GenerativeDBNClassifier).fit(X, Y),
        "GenerativeDBNClassifier-untied": small(
            GenerativeDBNClassifier, up_down=UpDown(2)
        ).fit(REAL, Y3),
        **_mathematics(),
    }


FIXTURES = ["RBMTransformer-pcd", "RBMTransformer-real", "DBNTransformer"]
FIXTURES += ["DBNClassifier-frozen", "DBNClassifier-strings", "DBNRegressor-real"]
FIXTURES += ["DBNClassifier-labels", "dbn", "network"]


def outputs(model):
    """What the model computes, as name to array."""
    real = getattr(model, "mean_", None) is not None or isinstance(model, DBN)
    rows = (REAL if real else X)[:7]
    if hasattr(model, "rbm_"):
        rows = rows.astype(model.rbm_.W.dtype)
    if isinstance(model, RBM):
        rows = np.zeros((7, model.W.shape[0]), dtype=model.W.dtype)
        return {"free_energy": model.free_energy(rows + 0.5)}
    found = {}
    for name in (
        "transform",
        "reconstruct",
        "predict",
        "predict_proba",
        "score_samples",
    ):
        if hasattr(model, name):
            values = np.asarray(getattr(model, name)(rows))
            found[name] = values.astype(str) if values.dtype == object else values
    return found


def write_fixtures():
    """Write the models of `FIXTURES` and, beside each, what it computes."""
    zoo = make_zoo()
    for name in FIXTURES:
        stem = DATA / f"model-v{_VERSION}-{name}"
        save_model(zoo[name], f"{stem}.dbn")
        np.savez(f"{stem}.npz", **outputs(zoo[name]))


if __name__ == "__main__":
    write_fixtures()
