"""Rows far from all others do not make the machines of the defaults diverge."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from dbn import GenerativeDBNClassifier, RBMTransformer
from dbn.backend.random import make_rng
from dbn.training import SGD
from dbn.training.contrastive import monitored_rows


def far_row():
    X = make_rng(0).standard_normal((300, 5))
    X[:, 1] += X[:, 0]
    X[7, 2] = 1000.0
    return X


def pixels():
    """Some are 0 in all images but one, and then 42 standard deviations away."""
    return StandardScaler().fit_transform(load_digits().data)


@pytest.mark.parametrize(
    ("rows", "model"),
    [
        (far_row, GenerativeDBNClassifier((64,), random_state=0)),
        (pixels, RBMTransformer(256, batch_size=10, max_iter=8, random_state=0)),
    ],
)
def test_rows_far_from_all_others(rows, model):
    X = rows()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, X[:, 0] > 0)
        errors = [entry["reconstruction_error"] for entry in model.history_]
    start = np.mean(X[monitored_rows(len(X))] ** 2)  # of which one may be far
    assert errors[-1] < 0.95 * errors[0] < 0.95 * max(1.0, start)


def test_an_error_tells_many_rates_in_short():
    top = RBMTransformer(optimizer=SGD(tuple((i, 1e9 - i) for i in range(99))))
    model = GenerativeDBNClassifier((4,), rbm=[top], random_state=0)
    with pytest.raises(FloatingPointError, match=r"now from 1e\+09 to 1e\+09 in 99 st"):
        model.fit(far_row(), np.arange(300) % 2)
