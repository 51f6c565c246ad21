"""Data sets: real ones by name, made ones, and the user's own files."""

from .curves import make_curves
from .dataset import Dataset
from .loaders import bars_and_stripes, load_dataset

__all__ = ["Dataset", "bars_and_stripes", "load_dataset", "make_curves"]
