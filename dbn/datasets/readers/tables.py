"""Tables in text files: rows of numbers, and a column with the labels.

Read by the `csv` module in pieces: what is made of a file does not depend on what is
installed, and a row costs memory only while it is turned into numbers.
"""

import csv
import io
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.types import Array
from .layout import Layout, find_layout, is_missing, split, to_number
from .streams import check_room, open_unpacked, pieces
from .survey import MAX_CATEGORIES, Survey, to_numbers

_BATCH = 2**16  # characters; as lists of cells up to 30 times as many bytes
# Text may take so many times the bytes of a packed file; binary images take 41.
_TEXT_RATIO = 60
_SAMPLE = 200  # lines
_SHOWN = 5  # columns, or values, in a message


def read_table(
    path: Path, label_column: str | int | None = None, known: Collection[str] = ()
) -> dict[str, Any]:
    """Rows and their labels; rows without a label go to ``X_unlabeled``.

    Columns whose names are `known` may have no value. Rows are numbers, NaN where one
    is missing; with columns of texts they are a frame.
    """
    try:
        _check_lines(path)
        layout = find_layout(path, _sample(path), label_column)
        survey = _look_through(path, layout, known)
        return _arrays(path, layout, survey)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{path} is no table of comma-separated values as UTF-8 text ({error}). "
            "Save it as CSV in UTF-8, each row on a line of its own."
        ) from error


def _check_lines(path: Path) -> None:
    """Refuse lines out of proportion: a row of cells takes 30 times its text."""
    most = 2**17 + path.stat().st_size // 16
    longest = rest = 0
    for piece in pieces(path, _TEXT_RATIO):
        ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == 10)
        first = ends[0] if len(ends) else len(piece)
        longest = max(longest, rest + first, np.diff(ends).max(initial=0))
        rest = len(piece) - ends[-1] if len(ends) else rest + len(piece)
        if longest > most:
            raise ValueError(
                f"{path} has a line of {longest} bytes or more, where {most} are "
                "granted (128 KiB, and a 16th of the file). Write such rows with "
                "numpy.savez(path, X=X, y=y)."
            )


def _lines(path: Path) -> Iterator[list[str]]:
    """The lines of a file in lists of about the size of a batch."""
    with io.TextIOWrapper(open_unpacked(path), encoding="utf-8-sig") as file:
        while lines := file.readlines(_BATCH):
            yield lines


def _sample(path: Path) -> list[str]:
    """The first lines: at least three, for names cannot be told without values."""
    with io.TextIOWrapper(open_unpacked(path), encoding="utf-8-sig") as file:
        lines = [file.readline() for _ in range(3)] + file.readlines(_BATCH)
    return [line for line in lines[:_SAMPLE] if line]


def _batches(path: Path, layout: Layout) -> Iterator[list[str]]:
    """The cells of a table, row after row, in lists; rows without a value are left out.

    They stand in one list and not in a list for each row: Python's collector of garbage
    would look through millions of these, and take ten times as long as reading.
    """
    number, names = 1, layout.names
    for lines in _lines(path):
        cells = _plain_cells(lines, layout)
        if cells is None:
            cells = _any_cells(path, lines, layout, number)
        if names and cells:
            del cells[: layout.n_columns]
            names = None
        if cells:
            yield cells
        number += len(lines)


def _plain_cells(lines: list[str], layout: Layout) -> list[str] | None:
    """The cells of lines without quotes that are of the same number of columns."""
    separator, n = layout.separator, layout.n_columns
    text, empty = "".join(lines).removesuffix("\n"), separator * (n - 1)
    no_values = empty in (lines[-1], lines[-1].strip()) or f"{empty}\n" in lines
    if '"' in text or no_values or {line.count(separator) for line in lines} != {n - 1}:
        return None
    return text.replace("\n", separator).split(separator)


def _any_cells(path: Path, lines: list[str], layout: Layout, number: int) -> list[str]:
    rows = split(lines, layout.separator)
    for i, row in enumerate(rows, number):
        if any(row) and len(row) != layout.n_columns:
            raise ValueError(
                f"{path} has {len(row)} columns in line {i} and {layout.n_columns} in "
                "its first; it needs rows of the same number of columns."
            )
    return [*chain.from_iterable(row for row in rows if any(row))]


def _look_through(path: Path, layout: Layout, known: Collection[str]) -> Survey:
    """Read all of a table, with texts twice; raise a ValueError about what is wrong."""
    survey = Survey(len(layout.feature_names()))
    for cells in _batches(path, layout):
        survey.add(layout, cells)
    if not survey.n_rows:
        raise ValueError(f"{path} has no rows of numbers.")
    if not (survey.n_labelled or layout.label_is_named):
        raise ValueError(
            f"{path} has no labels: its last column is empty. Say where they are with "
            "label_column (--label-column), or remove separators at the ends of lines."
        )
    if survey.features_of_texts():
        for cells in _batches(path, layout):
            survey.add_texts(layout, cells)
    _check_features(path, layout, survey, known)
    return survey


def _check_features(
    path: Path, layout: Layout, survey: Survey, known: Collection[str]
) -> None:
    names, about_label = layout.feature_names(), ""
    if layout.label is not None:
        about_label = (
            f" The label is in {layout.label_name()}; if that is wrong, name another "
            "label_column (--label-column)."
        )
    if mixed := survey.mixed():
        shown = "; ".join(
            f"{names[j]} has {', '.join(f'{text!r:.40}' for text in texts[:_SHOWN])}"
            for j, texts in mixed[:_SHOWN]
        )
        raise ValueError(
            f"{path} has a feature of numbers with a value that is not a number, or "
            f"none that float32 holds: {shown}. Correct these values, or leave them "
            "empty if they are not known. Of a column of categories write the numbers "
            f"as texts too, such as 'no. 1'.{about_label}"
        )
    for j, categories in survey.categories().items():
        if len(categories) > MAX_CATEGORIES:
            raise ValueError(
                f"{path} has a feature with more than {MAX_CATEGORIES} different "
                f"texts, {names[j]}, which are no categories. Leave that column out."
                f"{about_label}"
            )
    plain, without = layout.plain_names(), survey.missing == survey.n_rows
    if empty := [names[j] for j in np.flatnonzero(without) if plain[j] not in known]:
        raise ValueError(
            f"{path} has {len(empty)} features without any value: "
            f"{', '.join(empty[:_SHOWN])}. Leave these columns out."
        )
    if survey.writes_decimals_twice():
        raise ValueError(
            f"{path} has numbers with a comma and numbers with a point. Write all of "
            "them with a decimal point."
        )


def _arrays(path: Path, layout: Layout, survey: Survey) -> dict[str, Any]:
    """Read a table again, which nothing is wrong with."""
    n, width = survey.n_rows, len(layout.feature_names())
    unnamed = survey.numbered and not layout.names and layout.label != 0
    skip = int(unnamed and n > 2 and width > 1)
    number = survey.label_is_number and survey.n_labelled
    kind = np.dtype(np.float64 if number else f"U{survey.longest_label}")
    dtype = survey.precision.dtype
    check_room(path, n * (dtype.itemsize * width + kind.itemsize))
    X, known = np.empty((n, width - skip), dtype), np.empty(n, bool)
    y, start = np.empty(n, kind), 0
    categories = survey.categories()
    codes = {
        j: {text: float(i) for i, text in enumerate(texts)}
        for j, texts in categories.items()
    }
    marks: set[str] = set()
    for cells in _batches(path, layout):
        labels = layout.take_labels(cells)
        these = slice(start, start + len(labels))
        X[these] = to_numbers(layout, cells, len(labels), codes)[:, skip:]
        missing = {label for label in set(labels) if is_missing(label)}
        known[these] = [label not in missing for label in labels]
        marks |= missing
        if number:
            values = {label: to_number(label, layout) for label in set(labels)}
            y[these] = [values[label] for label in labels]
        else:
            y[these] = labels
        start = these.stop
    found = layout.about(skip)
    notes: list[str] = found["notes"]
    if shown := [f"{mark!r:.20}" for mark in sorted(marks - {""})]:
        notes.append(f"{', '.join(shown[:_SHOWN])} taken for no label")
    if n_holes := int(survey.missing.sum()):
        notes.append(f"{n_holes:,} value{'s' * (n_holes > 1)} missing")
    if categories:
        texts = [categories.get(j, []) for j in range(skip, width)]
        X = _as_frame(path, X, layout.plain_names()[skip:], texts)
    if not known.any():
        return found | {"X": X}
    if not known.all():
        found["X_unlabeled"] = X[~known]
        X, y = X[known], y[known]
    whole = number and survey.label_is_whole and np.abs(y).max() < 2**53
    return found | {"X": X, "y": y.astype(np.int64) if whole else y}


def _as_frame(path: Path, X: Array, names: list[str], texts: list[list[str]]) -> Any:
    """A frame of rows in which the numbers of some columns stand for texts."""
    try:
        import pandas as pd
    except ImportError as error:
        which = [name for name, its in zip(names, texts, strict=True) if its]
        raise ImportError(
            f"{path} has columns of texts, {', '.join(which[:_SHOWN])}, and pandas, "
            "which holds these beside numbers, is not installed: pip install pandas. "
            "Or encode them as numbers first, a column of 0 and 1 for each value."
        ) from error
    columns = []
    for values, its in zip(X.T, texts, strict=True):
        if its:
            codes = np.where(np.isnan(values), -1, values).astype(np.int64)
            values = pd.Categorical.from_codes(codes, its)
        columns.append(pd.Series(values))
    frame = pd.concat(columns, axis=1)
    frame.columns = names
    return frame
