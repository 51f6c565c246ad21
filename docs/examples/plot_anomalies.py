"""
Anomaly scores
==============

A machine that has learned what rows usually look like says how strange a new one is.
Here it sees benign samples of the breast cancer table only, half of them, and scores
the others and the malignant ones. An isolation forest is trained on the same rows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import RocCurveDisplay
from sklearn.model_selection import train_test_split

from dbn import RBMTransformer

X, y = load_breast_cancer(return_X_y=True)
train, benign = train_test_split(X[y == 1], test_size=0.5, random_state=0)
malignant = X[y == 0]

rbm = RBMTransformer(32, random_state=0).fit(train)
forest = IsolationForest(random_state=0).fit(train)

# %%
# `anomaly_score` is minus the log-likelihood up to a constant, which no comparison of
# rows needs. What a threshold means follows from scores of rows that are known to be
# usual: here the dashed line is where one benign row of twenty is above it.

scores = {"benign, not trained on": benign, "malignant": malignant}
scores = {name: rbm.anomaly_score(rows) for name, rows in scores.items()}
limit = np.quantile(scores["benign, not trained on"], 0.95)

figure, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
bins = np.linspace(np.min(scores["benign, not trained on"]), 200, 40)
for (name, values), color in zip(scores.items(), ("#0072B2", "#E69F00"), strict=True):
    ax.hist(
        np.minimum(values, 200),
        bins=bins,
        color=color,
        alpha=0.7,
        label=name,
        density=True,
    )
ax.axvline(limit, color="black", ls="--", lw=1, label="threshold")
ax.set(
    xlabel="anomaly score (nats); the last bar has 200 and all above",
    ylabel="density of rows",
)
ax.legend(frameon=False)
plt.show()

found = np.mean(scores["malignant"] > limit)
print(f"{found:.0%} of the malignant rows are above the line")

# %%
# Without labels there is no threshold to tune, so compare the order of the rows. On
# this table the forest is as good; the machine gives a log-likelihood, and takes holes
# and categories as well.

strange = np.r_[np.zeros(len(benign)), np.ones(len(malignant))]
rows = np.r_[benign, malignant]
figure, ax = plt.subplots(figsize=(5.2, 5), layout="constrained")
for name, values, color in (
    ("machine", rbm.anomaly_score(rows), "#0072B2"),
    ("isolation forest", -forest.score_samples(rows), "#E69F00"),
):
    RocCurveDisplay.from_predictions(
        strange, values, name=name, ax=ax, curve_kwargs={"color": color, "lw": 2}
    )
ax.set(xlabel="benign rows called strange", ylabel="malignant rows called strange")
ax.grid(color="0.9")
plt.show()
