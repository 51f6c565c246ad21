"""Pictures of what a model learned from, where its rows are images."""

import sys
from pathlib import Path

from data_options import positive

IMAGE_SHAPE = {
    "type": positive,
    "nargs": 2,
    "help": "of the pictures, as 28 28; default: a square",
}


def check_image_shape(shape, n_features):
    """Raise a ValueError, before work, if an image of a shape has no such row."""
    if shape is not None and shape[0] * shape[1] != n_features:
        raise ValueError(
            f"--image-shape is {shape[0]} {shape[1]}, and a row has {n_features} "
            f"features. Give a height and a width whose product is {n_features}, or "
            "leave it away."
        )


def draw_rows(pictures):
    """Draw all pictures and save them, or say why rows are no images.

    `pictures` are functions that return displays, by the paths of their files. Returns
    the paths that were written.
    """
    try:
        drawn = {path: draw().figure_ for path, draw in pictures.items()}
    except ValueError as error:  # rows that are no images
        names = " and ".join(path.name for path in pictures)
        sys.stderr.write(f"{Path(sys.argv[0]).stem}: no {names}: {error}\n")
        return []
    for path, figure in drawn.items():
        figure.savefig(path, dpi=150)
    return [*drawn]
