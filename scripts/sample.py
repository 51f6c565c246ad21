"""Draw rows from a model that `pretrain.py`, or `save_model`, wrote.

Writes them to an .npz file (array X) and, where rows are images, their means to a
picture; tables with categories or booleans to a .csv file. An RBMClassifier or a
GenerativeDBNClassifier draws rows of every class, a line of the picture each, or of the
one that --label names; their classes are the array, or the column, y.
"""

from functools import partial
from pathlib import Path

import narwhals.stable.v2 as nw
import numpy as np
from data_options import (
    not_negative,
    parse,
    path,
    positive,
    prepare_file,
    run,
    seed,
)
from pictures import IMAGE_SHAPE, check_image_shape, draw_rows

from dbn import load_model
from dbn.evaluation import SamplesDisplay
from dbn.evaluation.plots.display import require_matplotlib
from dbn.evaluation.plots.images import labels_to_draw

OPTIONS = {
    "model": {"type": path},
    "-n": {
        "type": positive,
        "help": "number of rows, of a classifier of each class; default: 64, or 10",
    },
    "--label": {"help": "of a classifier: the only class to draw"},
    "--steps": {
        "type": not_negative,
        "default": 1000,
        "help": "Gibbs steps of each chain",
    },
    "--seed": {"type": seed, "default": 0},
    "--image-shape": IMAGE_SHAPE,
    "--output": {"type": path, "default": Path("samples"), "help": "without suffix"},
}

ENDS = (".npz", ".png", ".csv")


def class_named(model, text):
    """The class that is written so, or the text itself."""
    classes = getattr(model, "classes_", np.array([])).tolist()
    return next((label for label in classes if str(label) == text), text)


def write_table(rows, labels, path):
    """Rows as a table, their classes in a further column."""
    frame = nw.from_native(rows, eager_only=True)
    if labels is not None:
        name = "y"
        while name in frame.columns:
            name += "_"
        column = nw.new_series(name, labels, backend=frame.implementation)
        frame = frame.with_columns(column)
    frame.write_csv(path)
    print(f"wrote {path}")


def main():
    args = parse(__doc__, OPTIONS)
    model = load_model(args.model)
    is_table = getattr(model, "columns_", None) is not None
    if not is_table:
        require_matplotlib()
    elif args.image_shape:
        raise ValueError(
            f"--image-shape does nothing: {args.model} draws tables. Leave it away."
        )
    if not hasattr(model, "sample"):
        raise ValueError(f"{type(model).__name__} in {args.model} has no samples.")
    check_image_shape(args.image_shape, model.n_features_in_)
    name = args.output  # in which a dot may be part of the name
    name = name.with_suffix("") if name.suffix in ENDS else name
    rows, picture, table = (name.with_name(name.name + end) for end in ENDS)
    for file in [table] if is_table else [rows, picture]:
        prepare_file(file)
    label = class_named(model, args.label)
    labels, _ = labels_to_draw(model, args.n, label)
    chains = {"steps": args.steps, "random_state": args.seed}
    if labels[0] is None:
        found = {"X": model.sample(len(labels), **chains)}
    else:
        found = {"X": model.sample(len(labels), label=labels, **chains), "y": labels}
    if is_table:
        write_table(found["X"], found.get("y"), table)
        return
    np.savez_compressed(rows, **found)
    of_picture = {"n": args.n, "label": label, "image_shape": args.image_shape}
    draw = partial(  # the same chains: their means
        SamplesDisplay.from_estimator, model, **of_picture, **chains
    )
    print("wrote", " and ".join(map(str, [rows, *draw_rows({picture: draw})])))


if __name__ == "__main__":
    run(main)
