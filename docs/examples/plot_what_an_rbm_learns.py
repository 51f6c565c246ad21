"""
What an RBM learns
==================

Filters, reconstructions and samples of a machine with 36 hidden units, trained without
labels on the 1,797 digits of scikit-learn.
"""

import matplotlib.pyplot as plt
import numpy as np

from dbn import RBMTransformer
from dbn.evaluation import (
    FiltersDisplay,
    HistoryDisplay,
    ReconstructionsDisplay,
    SamplesDisplay,
    load_dataset,
)
from dbn.training import SGD, RBMMonitor, Schedule

X = load_dataset("digits").X
train, test = X[:1500], X[1500:]
rbm = RBMTransformer(
    36,
    sampler="pcd",
    optimizer=SGD(Schedule(0.1, 0.0), momentum=0.0),
    weight_decay=0.0,
    batch_size=10,
    max_iter=100,
    random_state=0,
)
rbm = rbm.set_callbacks(RBMMonitor(test)).fit(train)

# %%
# Filters
# -------
# The weights that come into a hidden unit are an image. Most of these answer to a
# stroke at one place: red where ink makes the unit fire, blue where it keeps it silent.

FiltersDisplay.from_estimator(rbm)
plt.show()

# %%
# Reconstructions
# ---------------
# Images that the machine has not seen, and what it makes of their hidden means.

ReconstructionsDisplay.from_estimator(rbm, test)
plt.show()

# %%
# Samples
# -------
# Each image is the end of a Gibbs chain of its own, which began with independent
# pixels. Visible units are drawn as 0 or 1, so samples look coarser than grey images.

SamplesDisplay.from_estimator(rbm, n=36, steps=2000, random_state=0)
plt.show()

# %%
# How training went
# -----------------
# The reconstruction error falls at once; the gap in free energy between test and
# training rows tells when the machine begins to learn rows by heart.

HistoryDisplay.from_estimator(rbm)
plt.show()

# %%
# The log-likelihood of the test rows, in nats, beside that of independent pixels.

p = np.clip(train.mean(axis=0), 0.001, 0.999)
independent = (test * np.log(p) + (1 - test) * np.log(1 - p)).sum(axis=1).mean()
print(f"machine {rbm.score(test):.1f}, independent pixels {independent:.1f}")
