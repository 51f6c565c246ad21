"""How a table is written: its separator, its names, and where the labels are."""

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

_MISSING = {"", "?", "na", "n/a", "#n/a", "nan", "-nan", "<na>", "null", "none"}
# What the column of the labels is called; "y" too, unless it is a place beside "x".
_LABEL_NAMES = ("label", "class", "target")
_SEPARATORS = "\t;,"
NO_LABELS = "none"  # in the place of their column; no name, for it is in _MISSING
_SHOWN = 20
# By chance, one row in 120 has five numbers that rise.
_RISING, _COUNTED = 5, 3


def split(lines: list[str], separator: str) -> list[list[str]]:
    """The cells of each line."""
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    rows = [*reader]
    if len(rows) != len(lines):
        raise csv.Error("a quoted cell goes on over several lines")
    return rows


def is_missing(cell: str) -> bool:
    """Whether a cell says that its value is not known."""
    return cell.strip().lower() in _MISSING


@dataclass
class Layout:
    """How a table is written, and which of its columns are what."""

    separator: str
    n_columns: int
    names: list[str] | None  # None: the table has no line of names
    label: int | None = -1  # None: the table has no labels
    n_index: int = 0  # columns at the left that name the rows
    label_is_named: bool = False  # by its name, or by the user

    def take_labels(self, cells: list[str]) -> list[str]:
        """Take labels and names of rows out of cells, so that features are left."""
        labels, n_left = [""] * (len(cells) // self.n_columns), self.n_columns
        if self.label is not None:
            labels = [label.strip() for label in cells[self.label :: n_left]]
            del cells[self.label :: n_left]
            n_left -= 1
        for n in range(n_left, n_left - self.n_index, -1):
            del cells[::n]
        return labels

    def _name(self, j: int) -> str:
        return f"column {self.names[j].strip()!r:.80}" if self.names else f"column {j}"

    def feature_names(self) -> list[str]:
        """What to call the columns of X in messages."""
        columns = [j for j in range(self.n_columns) if j != self.label]
        return [self._name(j) for j in columns[self.n_index :]]

    def plain_names(self) -> list[str]:
        """Names of the columns of X in a frame, each once."""
        columns = [j for j in range(self.n_columns) if j != self.label]
        names = [self.names[j].strip() if self.names else str(j) for j in columns]
        names = names[self.n_index :]
        twice = len({*names}) < len(names)
        return [f"{name} {j}" for j, name in enumerate(names)] if twice else names

    def label_name(self) -> str:
        """What to call the column of the labels, where there is one."""
        if self.label is None:
            return ""
        last = "" if self.names or self.label_is_named else " (the last)"
        return f"{self._name(self.label)}{last}"

    def about(self, skipped: int) -> dict[str, Any]:
        """What a `Dataset` says of its reading; the first columns of X are skipped."""
        notes = [] if self.names else ["no line of names"]
        if n := self.n_index + skipped:
            columns = "first column" if n == 1 else f"first {n} columns"
            notes.append(f"{columns} left out as names of the rows")
        names = tuple(self.plain_names()[skipped:]) if self.names else None
        return {"label": self.label_name() or None, "columns": names, "notes": notes}


def to_number(cell: str, layout: Layout) -> float:
    """The number in a cell, NaN where there is none."""
    if layout.separator != "," and cell.count(",") == 1 and "." not in cell:
        cell = cell.replace(",", ".")
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


def find_layout(
    path: Path, sample: list[str], label_column: str | int | None
) -> Layout:
    """Tell how a table is written from its first lines."""
    separator = max(_SEPARATORS, key=lambda separator: _fits(sample, separator))
    rows = [row for row in split(sample, separator) if any(row)]
    n_columns = len(rows[0]) if rows else 0
    if n_columns < (1 if label_column == NO_LABELS else 2):
        raise ValueError(
            f"{path} has rows of {n_columns or 'no'} columns; it needs at least 2, "
            "features and the label, separated by commas, semicolons or tabs. If it "
            f"has no labels, say {NO_LABELS!r} for label_column (--label-column)."
        )
    body = [row for row in rows[1:] if len(row) == n_columns]
    layout = Layout(separator, n_columns, None)
    if _has_names(path, rows[0], body, layout):
        layout.names = rows[0]
    _find_label(path, layout, label_column)
    n_before = n_columns - 1
    if layout.label is not None:
        n_before = min(n_columns - 2, layout.label)
    for name in (layout.names or [])[:n_before]:
        if not _is_unnamed(name):
            break
        layout.n_index += 1
    return layout


def _fits(sample: list[str], separator: str) -> tuple[bool, float, int]:
    """How well a separator fits: same number of columns, numbers, many columns."""
    try:
        rows = [row for row in split(sample, separator) if any(row)]
    except csv.Error:
        rows = []
    if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        return False, 0.0, sample[0].count(separator) if sample else 0
    layout = Layout(separator, len(rows[-1]), None)
    n_numbers = sum(_is_number(cell, layout) for cell in rows[-1])
    return True, n_numbers / layout.n_columns, layout.n_columns


def _is_number(cell: str, layout: Layout) -> bool:
    return not math.isnan(to_number(cell, layout))


def _is_unnamed(name: str) -> bool:
    """pandas writes the index without a name, and reads such a column as this."""
    return not name.strip() or name.startswith("Unnamed: 0")


def _has_names(
    path: Path, first: list[str], body: list[list[str]], layout: Layout
) -> bool:
    """Whether the first row is the names of the columns.

    A text above numbers is a name, and so is a word for labels. A number above numbers
    is a value, and so is a text that stands in its column again. Numbers that count
    the columns, as pandas writes them, are neither, and nor is no name of an index.
    """
    if first in body:
        return False
    names, values = [], []
    numbers = [cell for cell in first if _is_number(cell, layout)]
    count = body and numbers == [str(j) for j in range(len(numbers))]
    for j, cell in enumerate(first):
        column = [row[j] for row in body if not is_missing(row[j])]
        above_numbers = all(_is_number(other, layout) for other in column)
        if _is_number(cell, layout):
            if above_numbers and not count:
                values.append(cell)
        elif is_missing(cell):
            is_index = j == 0 and cell == "" and len(column) == len(body) > 0
            if not (is_index and len(set(column)) == len(column)):
                values.append(cell)
        elif cell in column:
            values.append(cell)
        elif (above_numbers and column) or cell.strip().lower() in (*_LABEL_NAMES, "y"):
            names.append(cell)
    if names and values and not (set(values) <= {*numbers} and _rise(numbers)):
        raise ValueError(
            f"{path} has a first line that is neither names nor a row: "
            f"{names[0]!r:.80} is a name or an error, {values[0]!r:.80} a value. Write "
            "a name above each column, or correct the line."
        )
    return bool(names) or not values


def _rise(numbers: list[str]) -> bool:
    """Whether numbers are names beside other names: counted from 1, or wavelengths."""
    values = [float(number.replace(",", ".")) for number in numbers]
    count = values == [*range(1, len(values) + 1)]
    enough = len(values) >= (_COUNTED if count else _RISING)
    return enough and all(a < b for a, b in pairwise(values))


def _find_label(path: Path, layout: Layout, wanted: str | int | None) -> None:
    names = [name.strip() for name in layout.names or ()]
    n = layout.n_columns
    if wanted == NO_LABELS:
        layout.label, layout.label_is_named = None, True
        return
    if wanted is None:
        lower = [name.lower() for name in names]
        y = () if "x" in lower else ("y",)
        found = _places(lower, _LABEL_NAMES) or _places(lower, y)
        if len(found) > 1:
            raise ValueError(
                f"{path} has the columns {[names[j] for j in found]}, of which each "
                "could be the label. Say which with label_column (--label-column)."
            )
        layout.label, layout.label_is_named = [*found, n - 1][0], bool(found)
        return
    found = _places(names, (wanted,))
    is_integer = re.fullmatch(r"-?\d+", str(wanted))
    if not found and is_integer and -n <= int(wanted) < n:
        found = [int(wanted) % n]
    if len(found) != 1:
        shown = f"{names[:_SHOWN]}{' ...' * (n > _SHOWN)}" if names else "no names"
        raise ValueError(
            f"label_column is {wanted!r}, and {path} has {len(found) or 'no'} such "
            f"columns. It needs a name, a number from 0 to {n - 1} (-1 for the last), "
            f"or {NO_LABELS!r} for a table without labels; there are {shown}."
        )
    layout.label, layout.label_is_named = found[0], True


def _places(names: list[str], wanted: Sequence[object]) -> list[int]:
    return [j for j, name in enumerate(names) if name in wanted]
