"""The result of a comparison of initializers: records, table, verdict, file."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from ...storage.archive import replacing
from ...storage.packing import parse_json, printable
from ...storage.regular_file import open_file
from ..provenance import note_of_changes
from .records import (
    OWN,
    RECORD,
    SETTINGS,
    cell_name,
    check_fields,
    check_record,
    chosen,
    contender_name,
    key_of,
    kind_of,
)
from .row_losses import unpacked
from .summary import of_stage, summarize, tests
from .table_and_verdict import table, verdict

# 2: a value tuned for each seed, controls, costs and curves. 3: records as the lines of
# a table.
FORMAT = 3
_FEWEST_FIELDS = sum(not accepts(None) for accepts in (RECORD | OWN).values())
# Of all settings together: each takes a millisecond, and more of many seeds.
_MAX_CONTENDERS = 1000
# What is kept of a net beside its figures.
_DETAILS = ("loss_curve", "losses", "test_rows")


@dataclass
class Comparison:
    """Result of `compare_initializers`.

    Parameters
    ----------
    settings : dict
        What was run: data set, sizes, protocol, grids, seeds, versions.
    records : list of dict
        One per candidate of the tuning (stage "tune") and per final net (stage "test"):
        network, label budget, contender (init, activation and dropout; of one of the
        user's name and kind), seed, what was tuned ("learning_rate", "C", ...) and its
        value, error (on validation or test rows: the fraction that is wrong, or what
        `scoring` says; smaller is better), seconds, multiply-adds, and the training
        loss at some of the epochs. A final net has its loss on every test row, packed.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from dbn.evaluation import compare_initializers
    >>> X, y = load_digits(return_X_y=True)
    >>> result = compare_initializers(
    ...     X / 16, y, hidden_layer_sizes=[(16,)], label_budgets=[50], n_seeds=2,
    ...     learning_rates=[0.01], n_updates=10, pretrain_updates=10)
    >>> [row["n_labels"] for row in result.summary()]
    [50]
    """

    settings: dict[str, Any]
    records: list[dict[str, Any]] = field(default_factory=list)

    def errors(self) -> dict[str, dict[str, np.ndarray]]:
        """Test errors by setting and contender.

        Returns
        -------
        dict of str to dict of str to ndarray of shape (n_seeds,)
            ``errors()["2 x 128, 100 labels"]["dbn + logistic"]``, ordered by seed.
        """
        return {
            cell: {
                name: np.array([record["error"] for record in records])
                for name, records in contenders.items()
            }
            for cell, contenders in tests(self.records).items()
        }

    def curves(self) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
        """Training losses by setting and net.

        Returns
        -------
        dict of str to dict of str to tuple of ndarray
            The epochs, counted from 1, (n_points,), and the losses there in nats,
            (n_seeds, n_points), to the last epoch that all seeds reached.
        """
        cells: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
        for cell, contenders in tests(self.records).items():
            for name, records in contenders.items():
                curves = [record.get("loss_curve") or [] for record in records]
                if all(curves):
                    cells.setdefault(cell, {})[name] = _on_the_same_epochs(curves)
        return cells

    def to_frame(self) -> Any:
        """The records as a tidy table, with names of setting and contender.

        Returns
        -------
        pandas.DataFrame
            One row per record, without curves (see `curves`) and losses of rows.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas, which is not installed: pip install pandas. "
                "The same rows are in `records`, a list of dicts."
            ) from error
        return pd.DataFrame(
            {
                "cell": cell_name(record),
                "contender": contender_name(record),
                **{k: v for k, v in record.items() if k not in _DETAILS},
            }
            for record in self.records
        )

    def summary(self) -> list[dict[str, Any]]:
        """One dict per setting: every contender's figures and the paired comparisons.

        A contender has the DBN's `difference` from it, with its own interval and
        p-value; those of controls also `p_holm`, over all controls and settings. `low`
        and `high` of a contender are the 95 % interval of its mean, made with the same
        method. `p_value` of a setting is the largest of the other starts where the DBN
        is below all or above all, and `p_holm` is corrected over all settings; `below`,
        `above` and `not_shown` name the starts by their own p-values.

        Raises
        ------
        ValueError
            If the records are not those of whole settings, each contender with the same
            seeds, once each.
        """
        if problem := self._problem():
            raise ValueError(f"The records are not a whole comparison: {problem}.")
        return summarize(self.records, self.settings)

    def table(self) -> str:
        """The summary as text: a table of errors and differences for each setting."""
        note = note_of_changes(self.settings)
        return table(self.summary(), self.settings) + (note and f"\n{note}")

    def verdict(self) -> str:
        """One sentence: where pretraining helped, hurt, or made no difference.

        It also names controls that beat the DBN. A difference from one start is shown
        where its own p-value is below 0.05; from all of them together, or from a
        control, where the one that is corrected is, see `summary`.
        """
        return verdict(self.summary(), self.settings)

    def to_json(self, path: str | Path) -> None:
        """Write settings, summary and records to a JSON file, a record per line.

        Records are lists there, and `fields` names their entries; what a record has not
        is null, or left out at its end.

        Parameters
        ----------
        path : path
            An existing file is replaced once the new one is complete.
        """
        fields = [*dict.fromkeys(key for record in self.records for key in record)]
        entries = {
            "format": json.dumps(FORMAT),
            "settings": _block("{", map(_entry, self.settings.items()), "}"),
            "summary": _block("[", map(json.dumps, self.summary()), "]"),
            "fields": json.dumps(fields),
            "records": _block("[", (_line(r, fields) for r in self.records), "]"),
        }
        lines = [f' "{name}": {text}' for name, text in entries.items()]
        with replacing(path) as file:
            file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())

    @classmethod
    def from_json(cls, path: str | Path) -> Self:
        """Read a file that `to_json` wrote, also one of format 2.

        Parameters
        ----------
        path : path

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        try:
            with open_file(path) as file:
                text = file.read()
            content: Any = parse_json(text.decode("utf-8"), len(text))
        except ValueError as error:
            raise ValueError(f"{path} is not a JSON file ({error}).") from error
        found = _format_of(content)
        if found not in (2, FORMAT):
            of = f" but of format {found!r:.20}" if type(found) is int else ""
            raise ValueError(
                f"{path} is not a comparison of format 2 or {FORMAT}{of}. Write one "
                "with Comparison.to_json of this version of dbn."
            )
        records = content.get("records")
        if found == FORMAT:
            records = _as_dicts(content.get("fields"), records)
        result = cls(content.get("settings"), records)
        if problem := result._problem(_MAX_CONTENDERS):
            raise ValueError(
                f"{path} is not a whole comparison: {problem}. Write it again with "
                "Comparison.to_json."
            )
        return result

    def _problem(self, most: float = math.inf) -> str | None:
        """Why these settings and records have no summary, in words; None if they do."""
        try:
            check_fields(self.settings, SETTINGS)
            if not isinstance(self.records, list):
                return f"records is {self.records!r:.80}"
            for record in self.records:
                check_record(record)
        except ValueError as error:
            return str(error)
        cells, tuned = tests(self.records), chosen(of_stage(self.records, "tune"))
        if (n := sum(map(len, cells.values()))) > most:
            return f"it has {n} contenders in {len(cells)} settings, more than {most}"
        for cell, contenders in cells.items():
            if problem := _problem_of_setting(contenders, {*tuned}, self.settings):
                return f"{printable(cell)} has {problem}"
        return None if cells else "it has no tests"


def _problem_of_setting(
    contenders: dict[str, list[dict[str, Any]]], tuned: set[Any], settings: Any
) -> str | None:
    """Why there are no paired differences in a setting, in words; None if there are."""
    seeds = [[r["seed"] for r in records] for records in contenders.values()]
    kinds = [kind_of(records[0]) for records in contenders.values()]
    keys = {key_of(r) for records in contenders.values() for r in records}
    paired = all(its == seeds[0] for its in seeds) and len(seeds[0]) > 1
    if (
        not (paired and len({*seeds[0]}) == len(seeds[0]))
        or kinds.count("dbn") != 1
        or "start" not in kinds
        or not keys <= tuned
    ):
        return "not the same seeds of one DBN and of another start, tuned"
    for records in zip(*contenders.values(), strict=True):  # of one seed
        kept = [r for r in records if r.get("losses") is not None]
        if len({r.get("test_rows") for r in kept}) > 1:
            return "not the same test rows for all contenders of a seed"
        try:
            for record in kept:
                unpacked(record, settings)
        except ValueError as error:
            return str(error)
    return None


def _on_the_same_epochs(
    curves: list[list[list[float]]],
) -> tuple[np.ndarray, np.ndarray]:
    """Epochs of the shortest curve, and all losses there.

    Curves of other epochs (of a net that diverged, or from another version) are
    straight between their points.
    """
    shortest = min(curves, key=lambda curve: (curve[-1][0], len(curve)))
    epochs = np.array([epoch for epoch, _ in shortest])
    losses = [
        np.interp(epochs, [epoch for epoch, _ in curve], [loss for _, loss in curve])
        for curve in curves
    ]
    return epochs, np.array(losses)


def _block(opening: str, lines: Iterable[str], closing: str) -> str:
    return opening + "\n" + ",\n".join(f"  {line}" for line in lines) + f"\n {closing}"


def _entry(item: tuple[str, Any]) -> str:
    return ": ".join(map(json.dumps, item))


def _line(record: dict[str, Any], fields: list[str]) -> str:
    """A record as the text of a list."""
    n = 1 + max(fields.index(key) for key in record)
    values = [record.get(key) for key in fields[:n]]
    return json.dumps(values, separators=(",", ":"))


def _format_of(content: Any) -> Any:
    """The format that a file says it has, or None."""
    return content.get("format") if isinstance(content, dict) else None


def _as_dicts(fields: Any, rows: Any) -> Any:
    """Records of a file of format 3, or None; what is no record is left as it is."""
    for values, kind in ((fields, str), (rows, list)):
        if not isinstance(values, list) or not all(isinstance(v, kind) for v in values):
            return None
    if any(len(row) > len(fields) for row in rows):  # of what would the rest be?
        return None
    for i, row in enumerate(rows):  # in place: never twice in memory
        rows[i] = dict(zip(fields, row, strict=False))
        if len(rows[i]) < _FEWEST_FIELDS:
            break  # no record; as dicts many short lists would be far larger
    return rows
