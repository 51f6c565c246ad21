"""The result of a comparison of initializers: records, table, verdict, file."""

import json
from dataclasses import asdict, dataclass, field

import numpy as np

from ..backend.packing import parse_json
from .statistics import holm, paired_difference

FORMAT = 1


def contender_name(record):
    """How a pair of initializer and activation is written: 'he_normal + relu'.

    Examples
    --------
    >>> contender_name({"init": "he_normal", "activation": "relu"})
    'he_normal + relu'
    """
    return f"{record['init']} + {record['activation']}"


def cell_name(record):
    """How a setting of network and label budget is written: '2 x 128, 100 labels'.

    Examples
    --------
    >>> cell_name({"hidden_layer_sizes": [128, 128], "n_labels": 100})
    '2 x 128, 100 labels'
    """
    sizes = record["hidden_layer_sizes"]
    net = "-".join(str(n) for n in sizes)
    if len(set(sizes)) == 1:
        net = f"{len(sizes)} x {sizes[0]}"
    return f"{net}, {record['n_labels']} labels"


def chosen(tuning):
    """The tuning record with the lowest validation error of each contender.

    Ties go to the smaller learning rate; contenders stay in their order.
    """
    best = {}
    for record in sorted(tuning, key=lambda r: r["learning_rate"]):
        key = cell_name(record), contender_name(record)
        if key not in best or record["error"] < best[key]["error"]:
            best[key] = record
    return [record for record in tuning if record in best.values()]


@dataclass
class Comparison:
    """Result of `compare_initializers`.

    Parameters
    ----------
    settings : dict
        What was run: data set, sizes, grids, seeds, versions.
    records : list of dict
        One per net: stage ("tune" or "test"), network, label budget, contender,
        learning rate, seed, error (fraction of rows), seconds.

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

    settings: dict
    records: list = field(default_factory=list)

    def errors(self):
        """Test errors by cell and contender.

        Returns
        -------
        dict of str to dict of str to ndarray of shape (n_seeds,)
            ``errors()["2 x 128, 100 labels"]["dbn + logistic"]``, ordered by seed.
        """
        cells = {}
        for record in self._stage("test"):
            cell = cells.setdefault(cell_name(record), {})
            cell.setdefault(contender_name(record), []).append(record["error"])
        return {
            cell: {name: np.array(values) for name, values in contenders.items()}
            for cell, contenders in cells.items()
        }

    def summary(self):
        """One dict per cell: every contender's figures and the paired comparison.

        The DBN is compared with the best other contender, which is chosen by
        validation error, never by test error. ``p_holm`` is adjusted over all cells.
        """
        rows = [self._cell(cell, errors) for cell, errors in self.errors().items()]
        for row, p in zip(rows, holm([r["p_value"] for r in rows]), strict=True):
            row["p_holm"] = float(p)
        return rows

    def _stage(self, stage, cell=None):
        return [
            record
            for record in self.records
            if record["stage"] == stage and cell in (None, cell_name(record))
        ]

    def _cell(self, cell, errors):
        tuned = {contender_name(r): r for r in chosen(self._stage("tune", cell))}
        contenders = {}
        for name, values in errors.items():
            mine = [r for r in self._stage("test", cell) if contender_name(r) == name]
            contenders[name] = {
                "learning_rate": mine[0]["learning_rate"],
                "validation_error": tuned[name]["error"],
                "mean": float(values.mean()),
                "std": float(values.std(ddof=1)),
                "median": float(np.median(values)),
                "pretrain_seconds": _mean(mine, "pretrain_seconds"),
                "finetune_seconds": _mean(mine, "finetune_seconds"),
            }
        dbn = next(name for name in contenders if name.startswith("dbn "))
        others = [name for name in contenders if not name.startswith("dbn ")]
        best = min(others, key=lambda name: contenders[name]["validation_error"])
        ratio = 0.0
        if not self.settings["fixed_test_split"]:
            ratio = self.settings["n_test"] / self.settings["n_train"]
        difference = paired_difference(
            errors[dbn], errors[best], test_train_ratio=ratio
        )
        first = self._stage("test", cell)[0]
        return {
            "cell": cell,
            "hidden_layer_sizes": first["hidden_layer_sizes"],
            "n_labels": first["n_labels"],
            "contenders": contenders,
            "dbn": dbn,
            "best_other": best,
            **asdict(difference),
        }

    def table(self):
        """The summary as text: a table of errors and a table of differences."""
        rows = self.summary()
        width = max(len(name) for row in rows for name in row["contenders"])
        lines = []
        for row in rows:
            lines += [
                f"{row['cell']}",
                f"  {'start + activation':{width}}  test error %     validation %  "
                "learning rate  pretrain s  fine-tune s",
            ]
            lines += [
                f"  {name:{width}}  "
                f"{100 * c['mean']:5.2f} +- {100 * c['std']:4.2f}  "
                f"{100 * c['validation_error']:13.2f}  {c['learning_rate']:13g}  "
                f"{c['pretrain_seconds']:10.2f}  {c['finetune_seconds']:11.2f}"
                for name, c in row["contenders"].items()
            ]
            lines += [
                f"  DBN minus {row['best_other']} (best other on validation rows): "
                f"{100 * row['mean']:+.2f} points, 95 % interval "
                f"[{100 * row['low']:+.2f}, {100 * row['high']:+.2f}], "
                f"Holm p = {row['p_holm']:.3f}",
                "",
            ]
        lines.append(
            "Test error: mean and standard deviation over seeds. Interval: "
            f"{rows[0]['method']}. Seconds: mean per net, one core."
        )
        return "\n".join(lines)

    def verdict(self):
        """One sentence: where pretraining helped, hurt, or made no difference."""
        rows = self.summary()
        found = {"better": [], "worse": [], "undecided": []}
        for row in rows:
            decided = row["p_holm"] < 0.05
            key = ("better" if row["mean"] < 0 else "worse") if decided else "undecided"
            found[key].append(row)
        parts = []
        for key, words in (
            ("better", "lowered the test error in"),
            ("worse", "raised the test error in"),
            ("undecided", "made no difference that these seeds can show in"),
        ):
            if found[key]:
                cells = "; ".join(
                    f"{row['cell']}: {100 * row['mean']:+.1f} points"
                    for row in found[key]
                )
                parts.append(f"{words} {len(found[key])} ({cells})")
        of = f"the {len(rows)} settings" if len(rows) > 1 else "the one setting"
        return (
            f"Verdict on {self.settings['dataset']}: of {of}, DBN pretraining "
            f"{_join(parts)}, always against the best other start."
        )

    def to_json(self, path):
        """Write settings, records and summary to a JSON file.

        Parameters
        ----------
        path : path
        """
        content = {
            "format": FORMAT,
            "settings": self.settings,
            "summary": self.summary(),
            "records": self.records,
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")

    @classmethod
    def from_json(cls, path):
        """Read a file that `to_json` wrote.

        Parameters
        ----------
        path : path

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        with open(path, encoding="utf-8") as file:
            try:
                content = parse_json(file.read())
            except ValueError as error:
                raise ValueError(f"{path} is not a JSON file ({error}).") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(
                f"{path} is not a comparison of format {FORMAT}. Write one with "
                "Comparison.to_json."
            )
        result = cls(content.get("settings"), content.get("records"))
        if problem := result._problem():
            raise ValueError(
                f"{path} is not a whole comparison: {problem}. Write it again with "
                "Comparison.to_json."
            )
        return result

    def _problem(self):
        """Why these settings and records have no summary, in words; None if they do."""
        for record in [self.settings, *_items(self.records)]:
            known = _SETTINGS if record is self.settings else _RECORD
            if not isinstance(record, dict):
                return f"{record!r:.80} is no dict"
            for key, accepts in known.items():
                if not accepts(record.get(key)):
                    return f"{key} is {record.get(key)!r:.80}"
        sizes = [self.settings.get(key) for key in ("n_train", "n_test")]
        if not self.settings["fixed_test_split"] and not all(map(_is_count, sizes)):
            return f"n_train and n_test are {sizes!r:.80}"
        cells = self.errors()
        for cell, errors in cells.items():
            tuned = {contender_name(r) for r in self._stage("tune", cell)}
            n_dbn = sum(name.startswith("dbn ") for name in errors)
            n_seeds = {len(values) for values in errors.values()}
            whole = tuned >= {*errors} and 0 < n_dbn < len(errors)
            if not whole or len(n_seeds) != 1 or n_seeds == {1}:
                return (
                    f"{cell:.80} has not the same seeds of a DBN and of others, tuned"
                )
        return None if cells else "it has no tests"


def _items(value):
    return value if isinstance(value, list) else [value]


def _is_text(value):
    return isinstance(value, str)


def _is_count(value):
    return type(value) is int and 0 < value < 2**53


def _is_amount(value, most=1e300):
    return type(value) in (int, float) and 0 <= value <= most


_SETTINGS = {
    "dataset": _is_text,
    "fixed_test_split": lambda value: isinstance(value, bool),
}
_RECORD = {
    "stage": lambda value: value in ("tune", "test"),
    "hidden_layer_sizes": lambda value: (
        isinstance(value, list) and value and all(map(_is_count, value))
    ),
    "n_labels": _is_count,
    **dict.fromkeys(["init", "activation"], _is_text),
    "error": lambda value: _is_amount(value, most=1),
    **dict.fromkeys(
        ["learning_rate", "pretrain_seconds", "finetune_seconds"], _is_amount
    ),
}


def _mean(records, key):
    return float(np.mean([record[key] for record in records]))


def _join(parts):
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
