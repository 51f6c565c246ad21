"""
Signals without noise, and strange ones
=======================================

An autoencoder with a code of two numbers keeps of a signal what two numbers can tell.
Here each signal is one pulse, anywhere and of any width, in noise: what comes back is
the pulse without the noise, and a signal that is no such pulse comes back as another
one. Because the signals are made, the truth is known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from dbn import DBNAutoencoder

rng = np.random.default_rng(0)
time = np.arange(64)


def pulses(n):
    """Pulses with a dip behind, where each is, and how wide."""
    place, width = rng.uniform(12, 52, (n, 1)), rng.uniform(2, 6, (n, 1))
    rise = np.exp(-0.5 * ((time - place) / width) ** 2)
    dip = np.exp(-0.5 * ((time - place - 2.2 * width) / (1.2 * width)) ** 2)
    return rise - 0.6 * dip, place[:, 0], width[:, 0]


def measured(signals):
    return signals + 0.2 * rng.standard_normal(signals.shape)


X = measured(pulses(2000)[0])
truth, place, width = pulses(1000)
test = measured(truth)
net = DBNAutoencoder((128, 32, 2), random_state=0).fit(X)
sizes = np.array([1, 2, 4, 8, 12, 16, 24, 32])
pcas = {size: PCA(size).fit(X) for size in sizes}

# %%
# Noise
# -----
# Pulses that move are no sum of a few fixed shapes, which is all that principal
# components can give: with two of them most of the pulse is lost, and with many the
# noise comes back. Eight are the best compromise.

BLUE, ORANGE = "#0072B2", "#D55E00"
back = {
    "autoencoder, 2 numbers": (net.reconstruct(test), BLUE, "-"),
    "PCA, 8 numbers": (
        pcas[8].inverse_transform(pcas[8].transform(test)),
        ORANGE,
        "--",
    ),
}
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
for ax, row in zip(axes, range(3), strict=True):
    ax.plot(time, test[row], ".", color="0.55", ms=5, label="measured")
    ax.plot(time, truth[row], color="black", lw=1.2, label="truth")
    for name, (rows, color, style) in back.items():
        ax.plot(time, rows[row], style, color=color, lw=2, label=name)
    ax.set(xlabel="time (samples)")
axes[0].set_ylabel("signal")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
plt.show()

# %%
# How far what comes back is from the truth, on signals that were not trained on:


def distance(rows):
    return np.sqrt(np.mean((rows - truth) ** 2))


figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
errors = [distance(p.inverse_transform(p.transform(test))) for p in pcas.values()]
ax.plot(sizes, errors, "o--", color=ORANGE, lw=2, label="PCA")
ax.plot(2, distance(net.reconstruct(test)), "D", color=BLUE, ms=9, label="autoencoder")
ax.axhline(0.2, color="0.4", lw=1, ls=":")
ax.text(32, 0.203, "the noise", ha="right", va="bottom", color="0.3")
ax.set(xlabel="numbers kept of a signal", ylabel="RMS distance from the truth", ylim=0)
ax.legend(frameon=False)
ax.grid(color="0.9")
plt.show()

# %%
# The two numbers
# ---------------
# Nobody told the net that a pulse has a place and a width. Its code has found both,
# bent as it pleases: neighbours in the picture are pulses that look alike.

codes = net.transform(test)
figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
for ax, (name, values) in zip(
    axes, {"place": place, "width": width}.items(), strict=True
):
    dots = ax.scatter(*codes.T, c=values, cmap="viridis", s=14)
    figure.colorbar(dots, ax=ax, label=f"{name} of the pulse (samples)")
    ax.set(xlabel="code 1", ylabel="code 2")
plt.show()

# %%
# Strange signals
# ---------------
# The same pulses backwards, the dip first, in the same noise. `score_samples` is the
# higher the better a row comes back. Of the components those are shown that tell the
# two kinds apart best, which in earnest nobody could choose.

strange = measured(truth[:, ::-1])


def misfits(rows):
    found = {"autoencoder": -net.score_samples(rows)}
    for size, pca in pcas.items():
        left = rows - pca.inverse_transform(pca.transform(rows))
        found[f"PCA, {size} numbers"] = np.sum(left**2, axis=1) / 2
    return found


def area(name):
    """Under the ROC curve: how often a strange signal has the higher loss of two."""
    return roc_auc_score(np.repeat([0, 1], len(test)), np.r_[usual[name], other[name]])


usual, other = misfits(test), misfits(strange)
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.8), layout="constrained")
best = max([*usual][1:], key=area)
for ax, name in zip(axes, ("autoencoder", best), strict=True):
    both = np.r_[usual[name], other[name]]
    bins = np.linspace(both.min(), np.quantile(both, 0.99), 45)
    for label, values, color in (
        ("pulses", usual[name], BLUE),
        ("backwards", other[name], ORANGE),
    ):
        ax.hist(values, bins, color=color, alpha=0.65, label=label)
    ax.set(xlabel="loss of a signal", title=f"{name}: ROC area {area(name):.3f}")
axes[0].set_ylabel("signals")
axes[0].legend(frameon=False)
plt.show()
