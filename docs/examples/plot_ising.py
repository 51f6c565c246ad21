"""
Ising spins: moments and free energy
====================================

A machine with spin units learns a 4 x 4 Ising model on a torus from 2,000 draws. All
65,536 states of the model can be listed, so that what was learned can be compared with
the truth: means, correlations of pairs, and the energy of every state.
"""

import matplotlib.pyplot as plt
import numpy as np

from dbn import RBMTransformer

SIDE, BETA, FIELD = 4, 0.3, 0.1
states = 2.0 * ((np.arange(2**16)[:, None] >> np.arange(16)) & 1) - 1.0
grid = states.reshape(-1, SIDE, SIDE)
field = np.linspace(-FIELD, FIELD, SIDE)[:, None]  # rows of spins differ in their mean
energy = -(
    BETA * (grid * np.roll(grid, 1, axis=1) + grid * np.roll(grid, 1, axis=2))
    + field * grid
).sum(axis=(1, 2))
p = np.exp(-energy)
p /= p.sum()

rng = np.random.default_rng(0)
rows = states[rng.choice(len(states), 2000, p=p)]
rbm = RBMTransformer(16, visible="spin", sampler="pcd", centering=True, random_state=0)
rbm.fit(rows)

# %%
# Moments
# -------
# Of the model, exactly, against 5,000 samples of the machine. The grey band is twice
# the standard error of 2,000 independent draws: the machine cannot know better than its
# data.

samples = rbm.sample(5000, steps=500, random_state=1)
pairs = np.triu_indices(16, 1)
moments = {
    "mean of a spin": (p @ states, samples.mean(axis=0)),
    "mean product of two spins": (
        ((states * p[:, None]).T @ states)[pairs],
        (samples.T @ samples / len(samples))[pairs],
    ),
}
figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
for ax, (name, (true, found)) in zip(axes, moments.items(), strict=True):
    ends = np.array([true.min(), true.max()]) + [-0.05, 0.05]
    error = 2 * np.sqrt((1 - ends**2) / 2000)
    ax.fill_between(
        ends, ends - error, ends + error, color="0.85", label="2 std errors"
    )
    ax.plot(ends, ends, color="0.4", lw=1, label="equal")
    ax.plot(true, found, "o", color="#0072B2", ms=5, alpha=0.7)
    ax.legend(frameon=False)
    ax.set(title=name, xlabel="Ising model", ylabel="samples of the machine")
plt.show()

# %%
# Free energy
# -----------
# The free energy of a state in the machine should be its energy in the model, up to a
# constant. Each point is one of the 2,000 most probable states.

likely = np.argsort(-p)[:2000]
free = rbm.rbm_.free_energy(states[likely])
shift = np.average(energy[likely] - free, weights=p[likely])
figure, ax = plt.subplots(figsize=(5.4, 4.6), layout="constrained")
ax.plot(energy[likely], free + shift, ".", color="#0072B2", ms=4, alpha=0.5)
ax.axline((energy.min(), energy.min()), slope=1, color="0.4", lw=1)
ax.set(
    xlabel="energy in the Ising model (kT)",
    ylabel="free energy in the machine, shifted (kT)",
)
ax.grid(color="0.9")
plt.show()

# %%
# In nats, the mean log-likelihood of the states under the model, and how far the
# machine is from it (its Kullback-Leibler divergence, summed over all states).

log_p = rbm.score_samples(states)
print(f"model {p @ np.log(p):.2f}, divergence {p @ (np.log(p) - log_p):.3f}")
