"""
Reconstructions and codes of an autoencoder
===========================================

An autoencoder of 64-128-64-2 units, unrolled from a pretrained DBN, beside principal
components: what two numbers tell of a digit, and what can be made of them again.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from dbn import DBNAutoencoder
from dbn.evaluation import CodesDisplay, load_dataset

digits = load_dataset("digits")
train, test, labels = digits.X[:1400], digits.X[1400:], digits.y[1400:]
models = {
    "autoencoder": DBNAutoencoder((128, 64, 2), random_state=0).fit(train),
    "PCA": PCA(2).fit(train),
}

# %%
# Codes
# -----
# None of the two has seen a label.

figure, axes = plt.subplots(1, 2, figsize=(11, 5.4), layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    CodesDisplay.from_estimator(model, test, labels, title=name, ax=ax)
plt.show()

# %%
# Reconstructions
# ---------------
# Images that were not trained on, and what comes back from two numbers.

rows = {"data": test[:10]}
for name, model in models.items():
    rows[name] = model.inverse_transform(model.transform(test[:10]))
figure, axes = plt.subplots(3, 10, figsize=(10, 3.2), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center", size=11)
plt.show()

# %%
# Mean squared error of a test image, summed over its pixels:

for name, model in models.items():
    back = model.inverse_transform(model.transform(test))
    print(f"{name}: {np.mean(np.sum((test - back) ** 2, axis=1)):.2f}")

# %%
# The fall of the training loss.

figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
ax.plot(models["autoencoder"].loss_curve_, color="#0072B2", lw=2)
ax.set(xlabel="epoch", ylabel="cross-entropy of an image (nats)")
ax.grid(color="0.9")
plt.show()
