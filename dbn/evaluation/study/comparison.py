"""The result of a comparison of initializers: records, table, verdict, file."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from ...backend.types import Array
from ...storage.archive import replacing
from ...storage.packing import parse_json, printable
from ...storage.regular_file import open_file
from ..provenance import note_of_changes
from ..statistics import holm, paired_difference, paired_spread
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
from .table_and_verdict import table, verdict

# 2: a value tuned for each seed, controls, costs and curves. 3: records as the lines of
# a table.
FORMAT = 3
_FEWEST_FIELDS = sum(not accepts(None) for accepts in (RECORD | OWN).values())
# Of all settings together: each takes a millisecond, and more of many seeds.
_MAX_CONTENDERS = 1000
_COSTS = (
    *("pretrain_seconds", "finetune_seconds"),
    *("pretrain_multiply_adds", "finetune_multiply_adds"),
)


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
        loss at some of the epochs.

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
            for cell, contenders in self._tests().items()
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
        for cell, contenders in self._tests().items():
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
            One row per record; ``loss_curve`` is left out, see `curves`.

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
                **{k: v for k, v in record.items() if k != "loss_curve"},
            }
            for record in self.records
        )

    def summary(self) -> list[dict[str, Any]]:
        """One dict per setting: every contender's figures and the paired comparisons.

        The DBN is compared with the best other start (`best_other`), which is chosen by
        validation error, never by test error, and with every other contender
        (`difference`). `p_holm` is adjusted over all settings for the former, over all
        settings and contenders for the latter. `low` and `high` of a contender are the
        95 % interval of its mean, made with the same method. `spread` compares the
        standard deviation of the DBN over seeds with that of the best other start.
        """
        tuned = chosen(self._stage("tune"))
        rows = [self._row(cell, its, tuned) for cell, its in self._tests().items()]
        contenders = [its for row in rows for its in row["contenders"].values()]
        for family in (
            rows,
            [row["spread"] for row in rows],
            [its["difference"] for its in contenders if its["difference"]],
        ):
            adjusted = holm([test["p_value"] for test in family])
            for test, p in zip(family, adjusted, strict=True):
                test["p_holm"] = float(p)
        return rows

    def _stage(self, stage: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["stage"] == stage]

    def _tests(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """Test records by setting and contender, ordered by seed."""
        cells: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for record in self._stage("test"):
            contenders = cells.setdefault(cell_name(record), {})
            contenders.setdefault(contender_name(record), []).append(record)
        for contenders in cells.values():
            for records in contenders.values():
                records.sort(key=lambda record: record["seed"])
        return cells

    def _row(
        self,
        cell: str,
        tests: dict[str, list[dict[str, Any]]],
        tuned: dict[tuple[str, str, int], dict[str, Any]],
    ) -> dict[str, Any]:
        errors = {n: np.array([r["error"] for r in rs]) for n, rs in tests.items()}
        kinds = {name: kind_of(records[0]) for name, records in tests.items()}
        dbn = next(name for name in kinds if kinds[name] == "dbn")
        contenders: dict[str, dict[str, Any]] = {}
        for name, records in tests.items():
            values = errors[name]
            alone = self._difference(values, np.zeros(len(values)))
            contenders[name] = {
                "kind": kinds[name],
                "parameter": records[0]["parameter"],
                "values": [r["value"] for r in records],
                "validation_error": float(
                    np.mean([tuned[key_of(r)]["error"] for r in records])
                ),
                "mean": float(values.mean()),
                **{end: alone[end] for end in ("low", "high")},
                "std": float(values.std(ddof=1)),
                "median": float(np.median(values)),
                **{cost: _mean(records, cost) for cost in _COSTS},
                "difference": self._difference(errors[dbn], values)
                if name != dbn
                else None,
            }
        starts = (name for name in kinds if kinds[name] == "start")
        best = min(starts, key=lambda name: contenders[name]["validation_error"])
        return {
            "cell": cell,
            **{key: tests[dbn][0][key] for key in ("hidden_layer_sizes", "n_labels")},
            "contenders": contenders,
            "dbn": dbn,
            "best_other": best,
            **self._difference(errors[dbn], errors[best]),
            "spread": asdict(paired_spread(errors[dbn], errors[best])),
        }

    def _difference(self, dbn: Array, other: Array) -> dict[str, Any]:
        n_test = self.settings["n_test"]
        fixed = self.settings["fixed_test_split"]
        ratio = 0.0 if fixed else n_test / self.settings["n_train"]
        found = paired_difference(dbn, other, test_train_ratio=ratio, n_test=n_test)
        return asdict(found)

    def table(self) -> str:
        """The summary as text: a table of errors and differences for each setting."""
        note = note_of_changes(self.settings)
        return table(self.summary(), self.settings) + (note and f"\n{note}")

    def verdict(self) -> str:
        """One sentence: where pretraining helped, hurt, or made no difference.

        It also names controls that beat the DBN.
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
        if problem := result._problem():
            raise ValueError(
                f"{path} is not a whole comparison: {problem}. Write it again with "
                "Comparison.to_json."
            )
        return result

    def _problem(self) -> str | None:
        """Why these settings and records have no summary, in words; None if they do."""
        try:
            check_fields(self.settings, SETTINGS)
            if not isinstance(self.records, list):
                return f"records is {self.records!r:.80}"
            for record in self.records:
                check_record(record)
        except ValueError as error:
            return str(error)
        cells, tuned = self._tests(), chosen(self._stage("tune"))
        n_contenders = sum(map(len, cells.values()))
        if n_contenders > _MAX_CONTENDERS:
            return (
                f"it has {n_contenders} contenders in {len(cells)} settings, more than "
                f"{_MAX_CONTENDERS}"
            )
        for cell, tests in cells.items():
            seeds = [[r["seed"] for r in records] for records in tests.values()]
            kinds = [kind_of(records[0]) for records in tests.values()]
            keys = {key_of(r) for records in tests.values() for r in records}
            paired = all(its == seeds[0] for its in seeds) and len(seeds[0]) > 1
            if (
                not (paired and len({*seeds[0]}) == len(seeds[0]))
                or kinds.count("dbn") != 1
                or "start" not in kinds
                or not keys <= {*tuned}
            ):
                return (
                    f"{printable(cell)} has not the same seeds of one DBN and of "
                    "another start, tuned"
                )
        return None if cells else "it has no tests"


def _mean(records: list[dict[str, Any]], key: str) -> float | None:
    values: list[Any] = [record.get(key) for record in records]
    return None if None in values else float(np.mean(values))


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
