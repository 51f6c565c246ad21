"""
Digits of a given class
=======================

A deep belief net whose top machine holds the class beside the features draws images of
the class that it is told (Hinton, Osindero and Teh 2006). It is trained on 1,400 of the
digits of scikit-learn, of 8 x 8 pixels.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.svm import SVC

from dbn import GenerativeDBNClassifier
from dbn.evaluation import load_dataset

digits = load_dataset("digits")
X, y = digits.X[:1400], digits.y[:1400]
net = GenerativeDBNClassifier((100, 200), random_state=0).fit(X, y)

# %%
# Five images of each class
# -------------------------
# The label stays on while the top machine makes 1,000 Gibbs steps; then one pass goes
# down to the pixels. Draws of pixels are black or white, so their means are shown,
# given the hidden units of the lowest layer.

STEPS = 1000
asked = np.repeat(np.arange(10), 5)
drawn = net.sample(50, label=asked, steps=STEPS, random_state=0)
lowest = (net.dbn_.generative or net.dbn_.rbms)[0]
hidden = lowest.sample_hidden(drawn, np.random.default_rng(0))
means = lowest.mean_visible(hidden)

figure, axes = plt.subplots(5, 10, figsize=(10, 5.4), layout="constrained")
for ax, label, image in zip(axes.T.ravel(), asked, means, strict=True):
    ax.imshow(image.reshape(8, 8), cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    if ax in axes[0]:
        ax.set_title(label)
figure.suptitle("class that was asked for")
plt.show()

# %%
# Read by another classifier
# --------------------------
# A support vector machine that has learned the same digits reads 1,000 draws, and
# digits that neither of the two was trained on.

reader = SVC(C=10, gamma=0.05).fit(X, y)
many = np.repeat(np.arange(10), 100)
draws = net.sample(1000, label=many, steps=STEPS, random_state=1)
rest, its_classes = digits.X[1400:], digits.y[1400:]
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for shift, name, color, rows, classes in (
    (-0.2, "drawn", "#0072B2", draws, many),
    (0.2, "written by hand", "#E69F00", rest, its_classes),
):
    right = 100 * (reader.predict(rows) == classes)
    shares = [right[classes == label].mean() for label in range(10)]
    ax.bar(np.arange(10) + shift, shares, 0.4, color=color, label=name)
    print(f"{name}: {right.mean():.0f} % are read as what they should be")
ax.set(xticks=range(10), xlabel="class", ylabel="read as that class (%)", ylim=(0, 125))
ax.set_yticks(range(0, 101, 20))
ax.legend(frameon=False, ncols=2, loc="upper center")
ax.grid(axis="y", color="0.9")
ax.set_axisbelow(True)
plt.show()

# %%
# As a classifier the net itself has, of the digits that it was not trained on, this
# share right:

print(f"{100 * net.score(rest, its_classes):.1f} %")
