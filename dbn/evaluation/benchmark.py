"""Does pretraining help? One comparison of initializers, with equal chances for all."""

import math
import time
from dataclasses import dataclass
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from ..backend.array import dense
from ..estimators import DBNClassifier, DBNTransformer, RBMTransformer
from ..training import Adam
from .comparison import Comparison, chosen
from .provenance import provenance

INITS = (
    ("dbn", "logistic"),
    ("xavier_uniform", "logistic"),
    ("he_normal", "logistic"),
    ("he_normal", "relu"),
)
N_FOLDS = 3
CONTENDER = ("hidden_layer_sizes", "n_labels", "init", "activation", "learning_rate")
# Above this many labels one fold holds enough validation rows.
FULL_CROSS_VALIDATION = 1000


def compare_initializers(
    X,
    y,
    *,
    X_test=None,
    y_test=None,
    inits=INITS,
    hidden_layer_sizes=((128, 128), (128, 128, 128, 128)),
    label_budgets=(100, 1000),
    n_seeds=8,
    learning_rates=(0.001, 0.003, 0.01),
    n_updates=1000,
    pretrain_updates=3000,
    batch_size=20,
    test_size=0.3,
    n_jobs=None,
    verbose=0,
    name="data",
):
    """Compare starts of the same net by test error, over seeds and label budgets.

    For every seed, label budget and network, each contender starts the same net on the
    same labelled rows and is fine-tuned with Adam for the same number of epochs. The
    DBN is pretrained on all training rows, without labels and never on test rows; what
    that costs stands beside the errors. Each contender's learning rate is chosen from
    the same grid on the first seed, on validation rows inside the label budget: 3-fold
    cross-validation, above 1000 labels its first fold alone. Then every seed trains on
    the whole budget, and the test rows are used once.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Scaled to [0, 1] by the training rows where values lie outside.
    y : array-like of shape (n_samples,)
        Class labels.
    X_test, y_test : array-like, optional
        Fixed test split. Default: each seed holds out `test_size` of the rows,
        stratified, and intervals are corrected for the overlap.
    inits : sequence of (init, activation)
        Contenders; ``"dbn"`` and at least one other.
    hidden_layer_sizes : sequence of sequences of int
        Networks.
    label_budgets : sequence of int
        Numbers of labelled training rows.
    n_seeds : int, default=8
        Seeds 0, 1, ...; at least 2.
    learning_rates : sequence of float
        The grid, the same for all.
    n_updates, pretrain_updates : int, default=1000 and 3000
        Updates of fine-tuning, and of pretraining per layer, rounded up to whole
        epochs: small label budgets get as much training as large ones.
    batch_size : int, default=20
        Rows per update in both.
    test_size : float, default=0.3
        Share of test rows where there is no fixed split.
    n_jobs : int or None, default=None
        Processes, as in joblib. Every net is trained on one BLAS thread, so results do
        not depend on it.
    verbose : int, default=0
        1 shows a tqdm bar.
    name : str, default="data"
        Name of the data set, for the report.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If a label budget is larger than the training rows or too small to cross-
        validate, or the contenders or seeds cannot be compared.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> len(result.records)  # 4 tuned nets and 4 contenders on 2 seeds
    12
    """
    X, y = _as_arrays(X, y, name)
    protocol = _Protocol(
        inits=[tuple(pair) for pair in inits],
        nets=[tuple(int(n) for n in sizes) for sizes in hidden_layer_sizes],
        budgets=[int(n) for n in label_budgets],
        seeds=list(range(n_seeds)),
        learning_rates=[float(rate) for rate in learning_rates],
        n_updates=n_updates,
        pretrain_updates=pretrain_updates,
        batch_size=batch_size,
    )
    fixed = X_test is not None
    n_test = len(X_test) if fixed else math.ceil(test_size * len(y))
    n_train, n_classes = len(y) - (0 if fixed else n_test), len(np.unique(y))
    protocol.check(n_train, n_classes)
    test = _as_arrays(X_test, y_test, name) if fixed else None
    splits = [_split(X, y, test, n_test, protocol.budgets, s) for s in protocol.seeds]

    bar = tqdm(total=protocol.n_tasks(), desc="comparison", disable=not verbose)
    with bar, joblib.Parallel(n_jobs=n_jobs, return_as="generator") as parallel:

        def run(tasks):
            for result in parallel(joblib.delayed(_limited)(*task) for task in tasks):
                bar.update()
                yield result

        pretrained = dict(run(protocol.pretraining(splits)))
        tuned = list(run(protocol.tuning(splits, pretrained)))
        tested = list(run(protocol.testing(splits, pretrained, chosen(tuned))))
    settings = {
        "dataset": name,
        "n_train": n_train,
        "n_test": n_test,
        "n_features": X.shape[1],
        "n_classes": n_classes,
        "fixed_test_split": fixed,
        **protocol.describe(),
        **provenance(),
        "blas_threads": 1,
    }
    return Comparison(settings, tuned + tested)


def _as_arrays(X, y, name):
    if y is None:
        raise ValueError(
            f"Data set {name!r} has no labels; the comparison needs y. To compare "
            "density models without labels, use RBMTransformer.score."
        )
    return np.asarray(dense(X), dtype=np.float32), np.asarray(y)


def _limited(function, *args):
    """Run one task on a single BLAS thread, wherever it runs."""
    with threadpool_limits(1):
        return function(*args)


class _Split(NamedTuple):
    """Rows of one seed."""

    X: np.ndarray  # all training rows
    labelled: dict  # label budget -> (X, y)
    test: tuple  # (X, y)


def _split(X, y, test, n_test, budgets, seed):
    """Hold out test rows, scale to [0, 1] where needed, draw the labelled rows."""
    if test is None:
        X, X_test, y, y_test = train_test_split(
            X, y, test_size=n_test, stratify=y, random_state=seed
        )
    else:
        X_test, y_test = test
    if min(X.min(), X_test.min()) < 0.0 or max(X.max(), X_test.max()) > 1.0:
        scaler = MinMaxScaler(clip=True).fit(X)
        X, X_test = scaler.transform(X), scaler.transform(X_test)
    labelled = {}
    for budget in budgets:
        rows = np.arange(len(X))
        if budget < len(X):
            rows, _ = train_test_split(
                rows, train_size=budget, stratify=y, random_state=seed
            )
        labelled[budget] = X[rows], y[rows]
    return _Split(X, labelled, (X_test, y_test))


@dataclass(frozen=True)
class _Protocol:
    """What is compared, and the tasks that this makes."""

    inits: list
    nets: list
    budgets: list
    seeds: list
    learning_rates: list
    n_updates: int
    pretrain_updates: int
    batch_size: int

    def check(self, n_rows, n_classes):
        """Raise a ValueError unless `n_rows` training rows allow this comparison."""
        starts = [init for init, _ in self.inits]
        if starts.count("dbn") != 1 or len(starts) < 2:
            raise ValueError(
                f"inits is {self.inits}; it needs 'dbn' once and at least one other "
                "start."
            )
        if len(self.seeds) < 2:
            raise ValueError(
                f"n_seeds is {len(self.seeds)}; an interval needs at least 2, and 5 or "
                "more to be of use."
            )
        for budget in self.budgets:
            if not 2 * n_classes <= budget <= n_rows:
                raise ValueError(
                    f"A label budget of {budget} is not possible: {n_classes} classes "
                    "need 2 labels each to cross-validate, and there are "
                    f"{n_rows} training rows. Choose label budgets from "
                    f"{2 * n_classes} to {n_rows}."
                )

    def n_tasks(self):
        """Number of tasks of all three stages."""
        contenders = len(self.nets) * len(self.budgets) * len(self.inits)
        per_contender = len(self.learning_rates) + len(self.seeds)
        return len(self.nets) * len(self.seeds) + contenders * per_contender

    def describe(self):
        """The protocol for the record."""
        return {
            "inits": [" + ".join(pair) for pair in self.inits],
            "hidden_layer_sizes": [list(sizes) for sizes in self.nets],
            "label_budgets": self.budgets,
            "seeds": self.seeds,
            "learning_rates": self.learning_rates,
            "tuning": f"first seed, {N_FOLDS}-fold inside the label budget; above "
            f"{FULL_CROSS_VALIDATION} labels the first fold alone",
            "pretraining_rows": "all training rows, without labels",
            "n_updates": self.n_updates,
            "pretrain_updates": self.pretrain_updates,
            "batch_size": self.batch_size,
        }

    def pretraining(self, splits):
        """One task per seed and net: a DBN on all training rows."""
        n_rows = len(splits[0].X)
        rbm = RBMTransformer(
            batch_size=self.batch_size,
            max_iter=_epochs(self.pretrain_updates, n_rows, self.batch_size),
        )
        for seed in self.seeds:
            for sizes in self.nets:
                dbn = DBNTransformer(sizes, rbm=rbm, random_state=seed)
                yield _pretrain, (seed, sizes), dbn, splits[seed].X

    def tuning(self, splits, pretrained):
        """One task per contender and learning rate, on the first seed."""
        for sizes in self.nets:
            for budget in self.budgets:
                X, y = splits[0].labelled[budget]
                for init, activation in self.inits:
                    for rate in self.learning_rates:
                        values = list(sizes), budget, init, activation, rate
                        contender = dict(zip(CONTENDER, values, strict=True))
                        record, net = self._net(contender, 0, pretrained)
                        yield _validate, record, net, self.n_updates, X, y, _folds(y)

    def testing(self, splits, pretrained, best):
        """One task per contender and seed, at the contender's learning rate."""
        for tuned in best:
            contender = {key: tuned[key] for key in CONTENDER}
            for seed in self.seeds:
                record, net = self._net(contender, seed, pretrained)
                labelled = splits[seed].labelled[contender["n_labels"]]
                test = splits[seed].test
                yield _test, record, net, self.n_updates, *labelled, *test

    def _net(self, contender, seed, pretrained):
        """The record of a contender on one seed, and its net, not yet fitted."""
        sizes = tuple(contender["hidden_layer_sizes"])
        start, seconds = contender["init"], 0.0
        if start == "dbn":
            transformer, seconds = pretrained[seed, sizes]
            start = FrozenEstimator(transformer)
        net = DBNClassifier(
            sizes,
            init=start,
            activation=contender["activation"],
            optimizer=Adam(contender["learning_rate"]),
            batch_size=self.batch_size,
            random_state=seed,
        )
        return {**contender, "seed": seed, "pretrain_seconds": seconds}, net


def _folds(y):
    """Row indices (training, validation) of the folds to use for these labels."""
    n_splits = max(2, min(N_FOLDS, np.unique(y, return_counts=True)[1].min()))
    splitter = StratifiedKFold(n_splits, shuffle=True, random_state=0)
    folds = list(splitter.split(np.zeros(len(y)), y))
    return folds if len(y) <= FULL_CROSS_VALIDATION else folds[:1]


def _pretrain(key, dbn, X):
    start = time.perf_counter()
    dbn.fit(X)
    return key, (dbn, time.perf_counter() - start)


def _epochs(n_updates, n_rows, batch_size):
    """Whole epochs that make at least `n_updates` updates."""
    return math.ceil(n_updates / math.ceil(n_rows / batch_size))


def _fit(net, n_updates, X, y):
    return net.set_params(max_iter=_epochs(n_updates, len(y), net.batch_size)).fit(X, y)


def _validate(record, net, n_updates, X, y, folds):
    start = time.perf_counter()
    wrong = 0
    for train, held in folds:
        predicted = _fit(net, n_updates, X[train], y[train]).predict(X[held])
        wrong += int((predicted != y[held]).sum())
    seconds = time.perf_counter() - start
    error = wrong / sum(len(held) for _, held in folds)
    return {"stage": "tune", **record, "error": error, "finetune_seconds": seconds}


def _test(record, net, n_updates, X, y, X_test, y_test):
    start = time.perf_counter()
    _fit(net, n_updates, X, y)
    seconds = time.perf_counter() - start
    error = float((net.predict(X_test) != y_test).mean())
    return {"stage": "test", **record, "error": error, "finetune_seconds": seconds}
