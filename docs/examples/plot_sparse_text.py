"""
Sparse text
===========

Documents as sparse rows of 0 and 1: which of 1,500 words each has. The documents are
the docstrings of scikit-learn itself, about 400, and their class the part of it they
belong to. Rows stay sparse in training and in ``transform``.
"""

import importlib
import inspect

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from dbn import RBMTransformer

PARTS = [
    *("cluster", "covariance", "datasets", "decomposition", "ensemble"),
    *("feature_extraction", "feature_selection", "linear_model", "manifold"),
    *("metrics", "model_selection", "neighbors", "preprocessing", "svm", "utils"),
]
texts, y = [], []
for part in PARTS:
    module = importlib.import_module(f"sklearn.{part}")
    for name in module.__all__:
        # What is experimental is not there before it was asked for.
        value = vars(module).get(name)
        if inspect.isclass(value) or inspect.isfunction(value):
            texts.append(inspect.getdoc(value) or "")
            y.append(part)
words = CountVectorizer(
    binary=True, max_features=1500, stop_words="english", token_pattern="[a-z]{4,}"
)
X, y = words.fit_transform(texts).astype(np.float32), np.array(y)
print(X.shape, f"{X.nnz / np.prod(X.shape):.1%} are 1")

rbm = RBMTransformer(50, batch_size=20, random_state=0).fit(X)

# %%
# What hidden units stand for
# ---------------------------
# The words with the largest weights into six units: those with the largest weights of
# all.

vocabulary = words.get_feature_names_out()
strongest = np.argsort(-np.sort(rbm.components_, axis=1)[:, -8:].sum(axis=1))[:6]
figure, axes = plt.subplots(2, 3, figsize=(11, 6), sharex=True, layout="constrained")
for ax, unit in zip(axes.flat, strongest, strict=True):
    weights = rbm.components_[unit]
    top = np.argsort(-weights)[:8][::-1]
    ax.barh(vocabulary[top], weights[top], color="#0072B2")
    ax.set_title(f"hidden unit {unit}")
for ax in axes[-1]:
    ax.set_xlabel("weight")
plt.show()

# %%
# Fifty features instead of 1,500 words
# -------------------------------------
# Logistic regression, on the words and on the hidden means, with few labels; points are
# five draws of labelled documents, lines their means. With 200 labels the words
# themselves are better: fifty features are too few for what tells these parts apart.

features = rbm.transform(X)
BUDGETS = [50, 200]
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for name, rows, color, marker, shift in (
    ("words", X, "#332288", "^", 0.97),
    ("hidden means", features, "#0072B2", "o", 1.03),
):
    errors = np.empty((len(BUDGETS), 5))
    for i, n in enumerate(BUDGETS):
        for seed in range(5):
            some, rest = train_test_split(
                np.arange(len(y)), train_size=n, random_state=seed
            )
            model = LogisticRegression(tol=1e-2).fit(rows[some], y[some])
            errors[i, seed] = 100 * (1 - model.score(rows[rest], y[rest]))
    x = np.array(BUDGETS) * shift
    ax.plot(x, errors, marker, color=color, alpha=0.4, ms=4)
    ax.plot(x, errors.mean(axis=1), f"{marker}-", color=color, lw=2, ms=8, label=name)
ax.set(
    xscale="log", xlabel="labelled documents", ylabel="test error (%)", ylim=(0, None)
)
ax.set_xticks(BUDGETS, BUDGETS)
ax.minorticks_off()
ax.grid(color="0.9")
ax.legend(frameon=False)
plt.show()
