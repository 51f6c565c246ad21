"""
Starts of deep nets, seen
=========================

What a net of six hidden layers does before it has learned anything, for nine starts and
four activations. Signals that shrink or saturate on the way up leave no gradient on the
way down. Glorot and Bengio (2010) and He et al. (2015) drew such pictures for their
starts; here are more of them, with a pretrained one, on the digits of scikit-learn.
"""

import matplotlib.pyplot as plt
import numpy as np

from dbn import DBNClassifier
from dbn.evaluation import layer_statistics, load_dataset
from dbn.feedforward import Normal
from dbn.training import SGD

digits = load_dataset("digits")
X, y = digits.X[:1000], digits.y[:1000]
DEPTH = 6
# Name, start, colour and marker; the same in all pictures of this page.
STARTS = [
    ("zeros", "zeros", "#999999", "x"),
    ("N(0, 1)", Normal(1.0), "#882255", "v"),
    ("N(0, 0.01²)", Normal(0.01), "#999933", "<"),
    ("LeCun", "lecun_normal", "#44AA99", "P"),
    ("Xavier", "xavier_normal", "#E69F00", "s"),
    ("He", "he_normal", "#009E73", "D"),
    ("orthogonal", "orthogonal", "#56B4E9", "^"),
    ("LSUV", "lsuv", "#000000", "X"),
    ("DBN", "dbn", "#0072B2", "o"),
]
ACTIVATIONS = ["logistic", "tanh", "relu", "leaky_relu"]


def start_of(init, activation, **options):
    """A net that is where its training would begin: all layers are frozen."""
    net = DBNClassifier(
        (100,) * DEPTH,
        init=init,
        activation=activation,
        learning_rate_multipliers=[0.0] * (DEPTH + 1),
        random_state=0,
        **options,
    )
    for _ in range(6 if options else 1):  # the moving means of batch normalization
        net.partial_fit(X, y)
    return net


# Hidden units of a DBN are logistic, tanh or rectified, not leaky.
nets = {
    (name, activation): start_of(init, activation)
    for name, init, *_ in STARTS
    for activation in ACTIVATIONS
    if (name, activation) != ("DBN", "leaky_relu")
}

# %%
# Activations, layer by layer
# ---------------------------
# One row a layer, the data below; one column a start. All bars of a panel are relative
# to its highest, so that a spike can be seen, and the numbers are mean and standard
# deviation over rows and units. Panels of logistic and tanh units show all values these
# can take; those of rectified units begin above 0, tell which share of the activations
# is there, and end at the largest value of the layer.


def draw_histograms(activation):
    shown = [start for start in STARTS if (start[0], activation) in nets]
    figure, axes = plt.subplots(
        DEPTH, len(shown), figsize=(13, 6.4), sharey=True, layout="constrained"
    )
    for column, (name, _, color, _) in zip(axes.T, shown, strict=True):
        hidden = nets[name, activation].network_.activations(X)[2:-1:2]
        for ax, h in zip(column, hidden[::-1], strict=True):
            low, high = {"logistic": (0, 1), "tanh": (-1, 1)}.get(
                activation, (0, float(h.max()))
            )
            ends = (low, high) if high > low else (-1.0, 1.0)
            text = f"{h.mean():.2g} ± {h.std():.2g}"
            if "relu" in activation:
                text = f"{h.mean():.1g} ± {h.std():.1g}\n"
                text += f"{np.mean(h > 0):.0%} > 0, to {high:.1g}"
                h = h[h > 0] if h.any() else h
            counts, edges = np.histogram(h, bins=30, range=ends)
            ax.stairs(counts / counts.max(), edges, color=color, fill=True)
            ax.set(xticks=[], yticks=[], xlim=ends, ylim=(0, 2.0))
            ax.text(
                0.5, 0.97, text, size=8, ha="center", va="top", transform=ax.transAxes
            )
        column[0].set_title(name, color=color, weight="bold")
        if "relu" not in activation:
            column[-1].set_xticks([low, high])
    for ax, layer in zip(axes[:, 0], range(DEPTH, 0, -1), strict=True):
        ax.set_ylabel(f"layer {layer}", rotation=0, ha="right", va="center")
    figure.suptitle(f"activations at the start, {activation} units", size=14)
    plt.show()


draw_histograms("logistic")

# %%
draw_histograms("tanh")

# %%
# With rectified units N(0, 1) multiplies the signal by seven in every layer, and
# N(0, 0.01²) divides it by fourteen.

draw_histograms("relu")

# %%
draw_histograms("leaky_relu")

# %%
# Mean, spread and gradients against the layer
# --------------------------------------------
# One line a start. A good start is a level line: neither activations nor gradients
# should change by orders of magnitude between the layers. What is 0 has no place on a
# logarithmic scale: all of zeros, but for its constant activation of 1/2.

statistics = {
    key: layer_statistics(net, X, y, n_jacobians=0) for key, net in nets.items()
}
LINES = [
    ("activation_mean", "mean activation", "symlog"),
    ("activation_std", "std of activations", "log"),
    ("gradient_std", "std of gradients", "log"),
]


def draw_lines(ax, quantity, activation, scale):
    for name, _, color, marker in STARTS:
        if (name, activation) in statistics:
            values = getattr(statistics[name, activation], quantity)
            if scale == "log":
                values = np.where(values > 1e-12, values, np.nan)
            layers = range(1, DEPTH + 1)
            ax.plot(layers, values, color=color, marker=marker, label=name, ms=5)
    ax.set_yscale(scale, **({"linthresh": 1.0} if scale == "symlog" else {}))
    ax.grid(color="0.9")
    ax.set_xticks(range(1, DEPTH + 1))


figure, axes = plt.subplots(
    3, 4, figsize=(13, 9), sharex=True, sharey="row", layout="constrained"
)
for row, (quantity, label, scale) in zip(axes, LINES, strict=True):
    for ax, activation in zip(row, ACTIVATIONS, strict=True):
        draw_lines(ax, quantity, activation, scale)
    row[0].set_ylabel(label)
for ax, activation in zip(axes[0], ACTIVATIONS, strict=True):
    ax.set_title(activation)
for ax in axes[-1]:
    ax.set_xlabel("hidden layer")
handles, labels = axes[0, 0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside upper center", ncols=9, frameon=False)
plt.show()

# %%
# Batch normalization and gradient clipping
# -----------------------------------------
# Left and middle: the same measures for tanh units, plain and with batch normalization
# (dashed), which makes bad starts usable. Right: ten epochs of SGD from N(0, 1) with
# rectified units: plain, with the norm of the gradient clipped at 1, and with batch
# normalization.

shown = [STARTS[i] for i in (1, 2, 4, 5)]
normalized = {
    name: layer_statistics(start_of(init, "tanh", batch_norm=True), X, y, n_jacobians=0)
    for name, init, *_ in shown
}
figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), layout="constrained")
for ax, (quantity, label, _) in zip(axes, LINES[1:], strict=False):
    for name, _, color, marker in shown:
        for which, style in ((statistics[name, "tanh"], "-"), (normalized[name], "--")):
            values = getattr(which, quantity)
            title = name if style == "-" else f"{name}, batch norm"
            ax.semilogy(
                range(1, DEPTH + 1),
                values,
                style,
                color=color,
                marker=marker,
                label=title,
            )
    ax.set(xlabel="hidden layer", ylabel=label, title=f"tanh: {label}")
    ax.grid(color="0.9")
handles, labels = axes[0].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower left", ncols=4, frameon=False)

runs = [
    ("plain", "-", SGD(0.01), False),
    ("clipped", ":", SGD(0.01, clip_norm=1.0), False),
    ("batch norm", "--", SGD(0.01), True),
]
for name, style, optimizer, batch_norm in runs:
    net = DBNClassifier(
        (100,) * DEPTH,
        init=Normal(1.0),
        activation="relu",
        optimizer=optimizer,
        batch_norm=batch_norm,
        random_state=0,
    )
    losses = []
    try:
        for _ in range(10):
            net.partial_fit(X, y)
            losses.append(net.loss_curve_[-1])
    except FloatingPointError:  # training diverged
        name = f"{name}: diverges in epoch {len(losses) + 1}"
    epochs = range(1, len(losses) + 1)
    axes[2].semilogy(epochs, losses, style, color="#882255", lw=2, label=name)
axes[2].set(
    xlabel="epoch", ylabel="training loss (nats)", title="ReLU from N(0, 1), SGD"
)
axes[2].grid(color="0.9")
axes[2].legend(frameon=False)
plt.show()
