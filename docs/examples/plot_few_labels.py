"""
Few labels on a table with holes
================================

The breast cancer table of scikit-learn with a fifth of its values taken away and few
labels. A DBN is pretrained once on all training rows, holes included, and fine-tuned on
the labelled ones; the other contenders see these alone.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dbn import DBNClassifier, DBNTransformer, RBMTransformer

whole, y = load_breast_cancer(return_X_y=True)
rng = np.random.default_rng(0)
hidden = rng.random(whole.shape) < 0.2
X = np.where(hidden, np.nan, whole)

BUDGETS = [12, 30, 100]
CONTENDERS = {
    "DBN": ("#0072B2", "o"),
    "Xavier": ("#E69F00", "s"),
    "logistic regression": ("#332288", "^"),
}
errors = {name: np.empty((len(BUDGETS), 6)) for name in CONTENDERS}
for seed in range(6):
    train, test = train_test_split(np.arange(len(y)), stratify=y, random_state=seed)
    stack = DBNTransformer((64,), random_state=seed).fit(X[train])
    for i, n_labels in enumerate(BUDGETS):
        some, _ = train_test_split(
            train, train_size=n_labels, stratify=y[train], random_state=seed
        )
        models = {
            "DBN": DBNClassifier(init=FrozenEstimator(stack), random_state=seed),
            "Xavier": DBNClassifier((64,), init="xavier_uniform", random_state=seed),
            "logistic regression": make_pipeline(
                SimpleImputer(), StandardScaler(), LogisticRegression()
            ),
        }
        for name, model in models.items():
            errors[name][i, seed] = 100 * (
                1 - model.fit(X[some], y[some]).score(X[test], y[test])
            )

# %%
# Test error
# ----------
# Points are seeds, lines their means. On this table the three are alike: pretraining
# makes no difference that so few seeds can show. The comparison of
# :ref:`sphx_glr_auto_examples_plot_does_pretraining_help.py` tells such ties from wins.

figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for i, (name, (color, marker)) in enumerate(CONTENDERS.items()):
    x = np.array(BUDGETS) * (0.93 + 0.07 * i)
    ax.plot(
        x, errors[name].mean(axis=1), f"{marker}-", color=color, lw=2, ms=8, label=name
    )
    ax.plot(x, errors[name], marker, color=color, alpha=0.5, ms=5)
ax.set(xscale="log", xlabel="labels", ylabel="test error (%)", ylim=(0, None))
ax.set_xticks(BUDGETS, BUDGETS)
ax.minorticks_off()
ax.grid(color="0.9")
ax.legend(frameon=False)
plt.show()

# %%
# The holes, filled
# -----------------
# The machine is a density model too: it draws what is missing in a row given the rest.
# Here is how far the mean of 20 draws is from the values that were taken away, in
# standard deviations of each column, beside the mean of the column.

rbm = RBMTransformer(64, random_state=0).fit(X)
draws = np.mean(
    [rbm.sample(given=X, steps=50, random_state=i) for i in range(20)], axis=0
)
columns = np.broadcast_to(np.nanmean(X, axis=0), X.shape)
scale = np.nanstd(X, axis=0)


def by_column(filled):
    squares = np.where(hidden, ((filled - whole) / scale) ** 2, np.nan)
    return np.sqrt(np.nanmean(squares, axis=0))


figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
order = np.argsort(by_column(draws))
ax.plot(by_column(columns)[order], "s", color="#E69F00", label="mean of the column")
ax.plot(
    by_column(draws)[order], "o", color="#0072B2", label="given the rest of the row"
)
ax.set(
    xlabel="column, sorted", ylabel="error of what is filled in (std)", ylim=(0, None)
)
ax.grid(color="0.9")
ax.legend(frameon=False)
plt.show()
