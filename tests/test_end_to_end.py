"""The claim itself, small: on a deep logistic net pretraining beats Xavier."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from dbn import DBNClassifier, DBNTransformer, RBMTransformer


def test_pretraining_beats_xavier_on_a_deep_logistic_net_with_few_labels():
    X, y = load_digits(return_X_y=True)
    sizes, errors = (96,) * 4, {"dbn": [], "xavier_uniform": []}
    rbm = RBMTransformer(batch_size=20, max_iter=20)
    for seed in range(3):
        X_train, X_test, y_train, y_test = train_test_split(
            X / 16, y, test_size=0.5, stratify=y, random_state=seed
        )
        dbn = DBNTransformer(sizes, rbm=rbm, random_state=seed).fit(X_train)
        starts = {"dbn": FrozenEstimator(dbn), "xavier_uniform": "xavier_uniform"}
        for name, init in starts.items():
            net = DBNClassifier(
                sizes, init=init, batch_size=20, max_iter=100, random_state=seed
            )
            net.fit(X_train[:100], y_train[:100])
            errors[name].append(1 - net.score(X_test, y_test))
    difference = np.array(errors["xavier_uniform"]) - errors["dbn"]
    assert difference.min() > 0.02, errors
