"""
Loss curves from several starts
===============================

The same net of five layers of logistic units, from seven starts and at the same
settings of Adam, on 1,000 digits with their labels. Lines are medians of three seeds,
bands reach from the least to the largest.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from dbn import DBNClassifier
from dbn.evaluation import load_dataset
from dbn.feedforward import Normal
from dbn.training import Adam

# Some of these starts learn nothing, which is what is to be seen.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

digits = load_dataset("digits")
X, y = digits.X[:1000], digits.y[:1000]
test = digits.X[1000:], digits.y[1000:]
STARTS = [
    ("zeros", "zeros", "#999999", ":"),
    ("N(0, 1)", Normal(1.0), "#882255", "--"),
    ("N(0, 0.01²)", Normal(0.01), "#999933", "-."),
    ("Xavier", "xavier_uniform", "#E69F00", "-"),
    ("Xavier x 4", "xavier_x4_uniform", "#D55E00", "-"),
    ("orthogonal", "orthogonal", "#56B4E9", "--"),
    ("DBN", "dbn", "#0072B2", "-"),
]

curves, accuracies = {}, {}
for name, init, *_ in STARTS:
    nets = [
        DBNClassifier(
            (100,) * 5,
            init=init,
            optimizer=Adam(0.003),
            batch_size=50,
            max_iter=40,
            tol=0,
            random_state=seed,
        ).fit(X, y)
        for seed in range(3)
    ]
    curves[name] = np.array([net.loss_curve_ for net in nets])
    accuracies[name] = np.mean([net.score(*test) for net in nets])

figure, ax = plt.subplots(figsize=(8.5, 5), layout="constrained")
epochs = np.arange(1, 41)
for name, _, color, style in STARTS:
    losses = curves[name]
    label = f"{name}: {accuracies[name]:.0%} of test rows right"
    ax.fill_between(epochs, losses.min(0), losses.max(0), color=color, alpha=0.2, lw=0)
    ax.plot(epochs, np.median(losses, 0), style, color=color, lw=2, label=label)
ax.set(yscale="log", xlabel="epoch", ylabel="training loss (nats)", xlim=(1, 40))
ax.grid(color="0.9")
ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Zeros, and weights that are far too small, stay for a while or for ever at ln 10 =
# 2.30, the loss of guessing: all units of a layer do the same. N(0, 1) begins above it,
# with saturated units, and is then as fast as the DBN; but what it learns is worth less
# on rows it has not seen. What starts are worth when the learning rate is chosen for
# each of them, :ref:`sphx_glr_auto_examples_plot_does_pretraining_help.py` tells.
