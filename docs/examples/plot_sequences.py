"""
Sequences with softmax units
============================

Positions of a sequence are categories: each becomes a group of units of which one is
on. The sequences here are made, hairpins of twelve letters: the first four pair with
the last four, as in RNA, and the middle is free. The machine has to find out which
positions go together.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import mutual_info_score

from dbn import RBMTransformer
from dbn.training import SGD, Schedule

LETTERS, LENGTH = np.array(list("ACGU")), 12
rng = np.random.default_rng(0)
codes = rng.integers(0, 4, (3000, LENGTH))
for i in range(4):  # A with U, C with G, and one of ten is wrong
    right = rng.random(len(codes)) < 0.9
    codes[right, LENGTH - 1 - i] = 3 - codes[right, i]
names = [f"{i + 1}" for i in range(LENGTH)]
sequences = pd.DataFrame(LETTERS[codes], columns=names, dtype="category")

rbm = RBMTransformer(
    40,
    sampler="pcd",
    optimizer=SGD(Schedule(0.3, 0.0), momentum=0.0),
    max_iter=100,
    random_state=0,
)
rbm.fit(sequences)
print(rbm.visible_)

# %%
# Which positions know of each other
# ----------------------------------
# Mutual information of each pair of positions, of the data and of samples. Pairs stand
# on the other diagonal; all else should be nearly 0.

samples = rbm.sample(3000, steps=500, random_state=0)  # a frame, as the data


def information(frame):
    values = np.zeros((LENGTH, LENGTH))
    for i in range(LENGTH):
        for j in range(i):
            shared = mutual_info_score(frame.iloc[:, i], frame.iloc[:, j])
            values[i, j] = values[j, i] = shared
    return values


figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for ax, (name, frame) in zip(
    axes, {"data": sequences, "samples": samples}.items(), strict=True
):
    image = ax.imshow(information(frame), cmap="cividis", vmin=0, vmax=np.log(4))
    ax.set_xticks(range(LENGTH), names)
    ax.set_yticks(range(LENGTH), names)
    ax.set(title=name, xlabel="position", ylabel="position")
figure.colorbar(image, ax=axes, label="mutual information (nats)")
plt.show()

# %%
# Completion
# ----------
# What is missing, given the first four letters. The partners of ACGU are UGCA, which
# read from the other end are ACGU again; the middle is free.

begun = pd.DataFrame([["A", "C", "G", "U"] + [None] * 8] * 5, columns=names)
begun = begun.astype(sequences.dtypes.to_dict())
ended = rbm.sample(given=begun, steps=500, random_state=0)
print("\n".join("".join(row) for row in ended.to_numpy()))

# %%
# What is likely
# --------------
# Log-likelihoods of 200 sequences, and of the same with their letters shuffled within
# each position: these have the same letters, and no pairs.

shuffled = sequences.iloc[:200].apply(
    lambda column: rng.permutation(column.astype(str))
)
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for name, frame, color in (
    ("sequences", sequences.iloc[:200], "#0072B2"),
    ("shuffled", shuffled.astype(sequences.dtypes.to_dict()), "#E69F00"),
):
    ax.hist(rbm.score_samples(frame), bins=25, color=color, alpha=0.7, label=name)
ax.set(xlabel="log-likelihood (nats)", ylabel="sequences")
ax.legend(frameon=False)
plt.show()
