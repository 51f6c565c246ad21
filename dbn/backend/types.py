"""What the signatures of the package name."""

from typing import Any, TypeAlias

# An array of NumPy, of PyTorch or of any other library with the Python array API; where
# a docstring says so also a sparse matrix, a frame or rows in a file. No static type
# covers these, and a narrower one would call right programs wrong: see docs/design.md.
Array: TypeAlias = Any
