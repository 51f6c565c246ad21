"""What a whole table holds: which columns are numbers, which texts, what is missing."""

import math
import re
from dataclasses import dataclass, field

import numpy as np

from ...backend.precision import Precision
from ...backend.types import Array
from .layout import Layout, is_missing, to_number

# Different texts of a column that are categories; more are names, or free text.
MAX_CATEGORIES = 1000
_CODE = re.compile(r"-?(0\d+|\d{16,})")
_TRUTH = {"true": 1.0, "false": 0.0}


def to_numbers(
    layout: Layout,
    cells: list[str],
    n_rows: int,
    codes: dict[int, dict[str, float]] | None = None,
) -> Array:
    """What the features of rows are as numbers, NaN where they are none.

    What single precision does not hold is infinite. Of a column with `codes`, which
    stand for its texts, they are these.
    """
    try:
        if "_" in "".join(cells) or codes:
            raise ValueError("Python takes 1_000 for a number")
        numbers = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        values = {cell: _TRUTH.get(cell.strip().lower()) for cell in set(cells)}
        for cell, value in values.items():
            values[cell] = to_number(cell, layout) if value is None else value
        numbers = np.array([values[cell] for cell in cells])
    found: Array = numbers.reshape(n_rows, -1)
    found[np.abs(found) > np.finfo(np.float32).max] = np.inf
    for j, its in (codes or {}).items():
        texts = cells[j :: found.shape[1]]
        found[:, j] = [its.get(text.strip(), np.nan) for text in texts]
    return found


@dataclass
class Survey:
    """What a whole table holds."""

    n_features: int
    n_rows: int = 0
    n_labelled: int = 0
    numbered: bool = True  # the first column counts the rows from 0
    label_is_number: bool = True
    label_is_whole: bool = True
    longest_label: int = 1
    # Values that are no numbers, by feature, each once.
    strange: dict[int, dict[str, None]] = field(default_factory=dict)
    # All values of features of texts, each once.
    texts: dict[int, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.missing = np.zeros(self.n_features, np.int64)  # cells without a value
        self.n_words = np.zeros(self.n_features, np.int64)  # cells with a text
        self.commas = np.zeros(self.n_features, bool)  # in numbers, as are points
        self.points = np.zeros(self.n_features, bool)
        self.precision = Precision()

    def add(self, layout: Layout, cells: list[str]) -> None:
        labels = layout.take_labels(cells)
        self._add_labels(layout, labels)
        numbers = to_numbers(layout, cells, len(labels))
        for i, j in np.argwhere(~np.isfinite(numbers)).tolist():
            if is_missing(cell := cells[i * numbers.shape[1] + j]):
                self.missing[j] += 1
                continue
            self.n_words[j] += not _is_like_number(cell)
            found = self.strange.setdefault(j, {})
            if len(found) <= MAX_CATEGORIES:
                found[cell.strip()] = None
        self.precision.add(numbers)
        counted = np.arange(self.n_rows, self.n_rows + len(labels))
        self.numbered = self.numbered and np.array_equal(numbers[:, 0], counted)
        if layout.separator != ",":
            for j in range(self.n_features):
                its = {*cells[j :: self.n_features]}
                broken = [cell for cell in its if "," in cell or "." in cell]
                of_numbers = [c for c in broken if not math.isnan(to_number(c, layout))]
                self.commas[j] |= "," in "".join(of_numbers)
                self.points[j] |= "." in "".join(of_numbers)
        self.n_rows += len(labels)

    def add_texts(self, layout: Layout, cells: list[str]) -> None:
        """Note the values of features of texts, which `add` has told from others.

        Among texts a number is one too, as it stands: of the sizes S, M and 38.
        """
        layout.take_labels(cells)
        for j in self.features_of_texts():
            found = self.texts.setdefault(j, set())
            if len(found) <= MAX_CATEGORIES:
                its = {*cells[j :: self.n_features]}
                found |= {cell.strip() for cell in its if not is_missing(cell)}

    def _add_labels(self, layout: Layout, labels: list[str]) -> None:
        distinct = {label for label in set(labels) if not is_missing(label)}
        self.n_labelled += sum(label in distinct for label in labels)
        self.longest_label = max(self.longest_label, *map(len, distinct), 1)
        if self.label_is_number:
            numbers = np.array([to_number(label, layout) for label in distinct])
            # Codes such as 007, or of 18 digits, are words: as numbers two become one.
            codes = any(_CODE.fullmatch(label) for label in distinct)
            self.label_is_number = bool(np.isfinite(numbers).all()) and not codes
            self.label_is_whole &= bool((numbers == np.round(numbers)).all())

    def mixed(self) -> list[tuple[int, list[str]]]:
        """Features of numbers in which some values are none, and these values."""
        of_texts = self.features_of_texts()
        return [(j, [*its]) for j, its in self.strange.items() if j not in of_texts]

    def categories(self) -> dict[int, list[str]]:
        """The values of features of texts, in order."""
        return {j: sorted(its) for j, its in self.texts.items()}

    def features_of_texts(self) -> list[int]:
        """Features with more texts than numbers: a few among these are mistakes.

        What Python reads as a number (1e99, inf, 1_000) counts as one.
        """
        return np.flatnonzero(2 * self.n_words > self.n_rows - self.missing).tolist()

    def writes_decimals_twice(self) -> bool:
        """Whether there are numbers with a comma and numbers with a point."""
        of_numbers = np.ones(self.n_features, bool)
        of_numbers[self.features_of_texts()] = False
        return bool(
            (self.commas & of_numbers).any() and (self.points & of_numbers).any()
        )


def _is_like_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
