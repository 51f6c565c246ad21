"""What `defaults.py` measures of a split.

Every function returns another, from the split, which is a seed, to numbers by name.
"""

import time

import numpy as np
from scipy.stats import norm
from sklearn.base import clone
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from tables import parts

from dbn import RBMTransformer

SAMPLERS = ("cd", "pcd", "fpcd", "pt")
MISSING = 0.2  # of the cells, where there are holes
DRAWS = 20  # of a value that is not known


def seeded(model, seed):
    """An unfitted copy with every random_state set."""
    names = [n for n in model.get_params() if n.split("__")[-1] == "random_state"]
    return clone(model).set_params(**dict.fromkeys(names, seed))


def with_holes(X, rng):
    """An array or a frame, some of whose cells are not known."""
    hidden = rng.random(X.shape) < MISSING
    return X.mask(hidden) if hasattr(X, "mask") else np.where(hidden, np.nan, X)


def scores(models, X, y, numeric=False, missing=False):
    """Accuracy, or R2, of every model on the same split."""

    def measure(split):
        rows = with_holes(X, np.random.default_rng(split)) if missing else X
        A, B, a, b = parts(rows, y, numeric, split, validate=False)
        return {k: seeded(m, split).fit(A, a).score(B, b) for k, m in models.items()}

    return measure


def likelihoods(X, y, numeric):
    """Of a machine and of independent columns, in nats."""

    def measure(split):
        A, B, *_ = parts(X, y, numeric, split, validate=False)
        found = RBMTransformer(random_state=split).fit(A).score(B)
        return {"rbm": found, "independent": independent(A, B)}

    return measure


def independent(A, B):
    """Log-likelihood of the rows B of columns with the moments of A."""
    mean = A.mean(axis=0)
    if A.min() < 0 or A.max() > 1:
        return norm.logpdf(B, mean, A.std(axis=0)).sum(axis=1).mean()
    p = np.clip(mean, 0.001, 0.999)  # as visible biases are
    return (B * np.log(p) + (1 - B) * np.log(1 - p)).sum(axis=1).mean()


def anomalies(X, y, numeric):
    """Area under the ROC curve of the scores of held-out rows and permuted ones."""

    def measure(split):
        A, B, *_ = parts(X, y, numeric, split, validate=False)
        permuted = np.random.default_rng(split).permuted(B, axis=0)
        rbm = RBMTransformer(random_state=split).fit(A)
        found = np.concatenate([rbm.anomaly_score(rows) for rows in (B, permuted)])
        return {"rbm": roc_auc_score(np.repeat([0, 1], len(B)), found)}

    return measure


def completion(X):
    """RMSE of hidden entries, all of whose columns have standard deviation 1."""

    def measure(split):
        Z = StandardScaler().fit_transform(X)
        holes = with_holes(Z, np.random.default_rng(split))
        hidden = np.isnan(holes)
        rbm = RBMTransformer(random_state=split).fit(holes)
        given = np.tile(holes, (DRAWS, 1))
        drawn = rbm.sample(given=given, random_state=split)
        found = {"rbm": drawn.reshape(DRAWS, *Z.shape).mean(axis=0)}
        for imputer in (KNNImputer(), IterativeImputer(random_state=split)):
            found[type(imputer).__name__] = imputer.fit_transform(holes)
        return {k: np.sqrt(np.mean((f - Z)[hidden] ** 2)) for k, f in found.items()}

    return measure


def samplers(data):
    """Exact log-likelihood of the held-out rows of `data(split)`, by each sampler."""

    def measure(split):
        A, B = data(split)
        machines = {s: RBMTransformer(16, sampler=s) for s in SAMPLERS}
        return {s: seeded(m, split).fit(A).score(B) for s, m in machines.items()}

    return measure


def seconds(model, X, y):
    """Processor seconds of a fit of 30 rows, after one that warms up."""

    def measure(split):
        rows = np.random.default_rng(split).permutation(len(X))[:30]
        for _ in range(2):
            start = time.process_time()
            seeded(model, split).fit(X[rows], y[rows])
            taken = time.process_time() - start
        return {"seconds": taken}

    return measure
