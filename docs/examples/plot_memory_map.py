"""
A memory map, a stop, and how it goes on
========================================

Rows that stay in their file, bytes that are scaled when they are read, a run that is
interrupted, and the same run resumed: it ends with the same weights, bit for bit.
"""

import shutil
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from dbn import RBMTransformer, ScaledRows
from dbn.training import Checkpoint

folder = Path(tempfile.mkdtemp())

# %%
# A file of bytes: 35,940 images. Real ones have gigabytes; nothing below would change.

images = np.tile(load_digits().data, (20, 1)).astype(np.uint8)
images.tofile(folder / "images.bin")
rows = np.memmap(folder / "images.bin", dtype=np.uint8, mode="r").reshape(-1, 64)
X = ScaledRows(rows, divide_by=16)


def machine():
    return RBMTransformer(64, batch_size=100, max_iter=8, random_state=0)


# %%
# A run that was never stopped, to compare with:

whole = machine().fit(X)

# %%
# The same run with checkpoints, stopped in its fourth epoch. Here a callback presses
# Ctrl-C; any other end of the process would do.


class CtrlC:
    """Interrupts the fit after some epochs."""

    max_estimator_depth = 0

    def setup(self, estimator, context):
        self.left = 4

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt

    def teardown(self, estimator, context):
        pass


stopped = machine().set_callbacks(Checkpoint(folder / "state"), CtrlC())
try:
    stopped.fit(X)
except KeyboardInterrupt:
    print("stopped after", len(stopped.history_), "epochs")
print(sorted(path.name for path in (folder / "state").glob("*.ckpt")))

# %%
# The same again, as a new program would do it. ``resume=True`` may stand there from the
# beginning: where there is nothing to go on from, ``fit`` begins.

resumed = machine().set_callbacks(Checkpoint(folder / "state", resume=True)).fit(X)
print("the same weights:", np.array_equal(resumed.components_, whole.components_))

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, model, style in (
    ("never stopped", whole, {"color": "#E69F00", "lw": 6, "alpha": 0.6}),
    ("stopped", stopped, {"color": "#D55E00", "marker": "X", "ms": 10, "lw": 0}),
    ("resumed", resumed, {"color": "#0072B2", "lw": 2}),
):
    errors = [entry["reconstruction_error"] for entry in model.history_]
    ax.plot(range(1, len(errors) + 1), errors, label=name, **style)
ax.set(xlabel="epoch", ylabel="reconstruction error per pixel")
ax.grid(color="0.9")
ax.legend(frameon=False)
plt.show()

# %%
# The files are no longer needed.

shutil.rmtree(folder)
