"""Aligned proteins in FASTA files, as one-hot rows."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.types import Array
from .streams import check_room, pieces

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY-"
_STATES = np.frombuffer(AMINO_ACIDS.encode(), np.uint8)
_WHITE = np.frombuffer(b" \t\r\n\v\f", np.uint8)
_NEW_LINE, _NAME = b"\n>"
# The rows of the WW domains, as float32, take 235 times the bytes of their gzip file.
_ONE_HOT_ROOM = 400


def read_alignment(path: Path) -> dict[str, Any]:
    """One-hot rows of aligned proteins in a FASTA file, gzipped or not.

    Site i of a sequence is the columns 21 i to 21 i + 20, one for each letter of
    `AMINO_ACIDS` in its order, the gap last.
    """
    sequences = _Sequences()
    for piece in pieces(path):
        sequences.add(np.frombuffer(piece, np.uint8))
        n_bytes = 4 * len(AMINO_ACIDS) * len(sequences.letters)
        check_room(path, n_bytes, _ONE_HOT_ROOM)
    low, high = sequences.lengths()
    if sequences.stray or low != high or not high:
        raise ValueError(
            f"{path} has {sequences.n} sequences of {low} to {high} letters; it needs "
            "aligned sequences, all of the same length, each after a line '>name'."
        )
    letters = np.frombuffer(sequences.letters, np.uint8)
    strange = np.setdiff1d(letters, _STATES)
    if len(strange):
        raise ValueError(
            f"{path} has the letters {[*map(chr, strange)]}; an alignment has "
            f"{AMINO_ACIDS}. Remove those sequences or sites first."
        )
    X = np.zeros((len(letters), len(AMINO_ACIDS)), np.float32)
    for state, letter in enumerate(_STATES):
        X[letters == letter, state] = 1.0
    return {"X": X.reshape(sequences.n, -1)}


class _Sequences:
    """The letters of all sequences one after the other, and how long each is.

    A file may have millions of sequences of one letter: none becomes an object.
    """

    def __init__(self) -> None:
        self.n, self.letters = 0, bytearray()
        self.stray = False  # letters before the first name
        # Lengths of sequences that have ended.
        self._low, self._high = sys.maxsize, 0
        self._open = 0  # letters so far of the last one
        self._in_name, self._new_line = False, True

    def add(self, text: Array) -> None:
        """Take in the next bytes of the file."""
        starts = np.flatnonzero(text == _NEW_LINE) + 1
        starts = np.append(0, starts[starts < len(text)])
        names = text[starts] == _NAME
        begun = names.copy()
        if not self._new_line:  # the first line goes on
            names[0], begun[0] = self._in_name, False
        widths = np.diff(np.append(starts, len(text)))
        keep = ~np.repeat(names, widths) & ~np.isin(text, _WHITE)
        number = np.repeat(np.cumsum(begun), widths)[keep]
        lengths = np.bincount(number, minlength=begun.sum() + 1)
        self.stray |= self.n == 0 and lengths[0] > 0
        lengths[0] += self._open
        ended = lengths[:-1] if self.n else lengths[1:-1]
        self._low = int(ended.min(initial=self._low))
        self._high = int(ended.max(initial=self._high))
        self.n += int(begun.sum())
        self._open = int(lengths[-1]) if self.n else 0
        self.letters += text[keep].tobytes()
        self._in_name, self._new_line = names[-1], text[-1] == _NEW_LINE

    def lengths(self) -> tuple[int, int]:
        """The shortest and the longest length."""
        return min(self._low, self._open), max(self._high, self._open)
