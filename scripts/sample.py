"""Draw rows from a model that `pretrain.py`, or `save_model`, wrote.

Writes them to an .npz file (array X) and, where rows are images, their means to a
picture.
"""

from pathlib import Path

import numpy as np
from data_options import parse, path, run

from dbn import load_model
from dbn.evaluation import SamplesDisplay
from dbn.evaluation.plots.display import require_matplotlib

OPTIONS = {
    "model": {"type": path},
    "-n": {"type": int, "default": 64, "help": "number of rows"},
    "--steps": {"type": int, "default": 1000, "help": "Gibbs steps of each chain"},
    "--seed": {"type": int, "default": 0},
    "--image-shape": {"type": int, "nargs": 2, "help": "of the picture, as 28 28"},
    "--output": {"type": path, "default": Path("samples"), "help": "without suffix"},
}


def main():
    args = parse(__doc__, OPTIONS)
    require_matplotlib()
    model = load_model(args.model)
    if not hasattr(model, "sample"):
        raise ValueError(f"{type(model).__name__} in {args.model} has no samples.")
    rows = model.sample(args.n, steps=args.steps, random_state=args.seed)
    np.savez_compressed(args.output.with_suffix(".npz"), X=rows)
    drawn = SamplesDisplay.from_estimator(  # the same chains: their means
        model,
        n=args.n,
        steps=args.steps,
        random_state=args.seed,
        image_shape=args.image_shape and tuple(args.image_shape),
    )
    drawn.figure_.savefig(args.output.with_suffix(".png"), dpi=150)
    print(f"wrote {args.output}.npz and {args.output}.png")


if __name__ == "__main__":
    run(main)
