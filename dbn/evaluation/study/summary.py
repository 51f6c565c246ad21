"""The figures of a comparison, from its records."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from ...backend.types import Array
from ..statistics import holm, paired_difference, paired_losses
from .records import (
    CANDIDATE,
    cell_name,
    chosen,
    contender_name,
    is_share,
    key_of,
    kind_of,
)
from .row_losses import unpacked

# A difference is shown where its p-value is below.
LEVEL = 0.05
_COSTS = (
    *("pretrain_seconds", "finetune_seconds"),
    *("pretrain_multiply_adds", "finetune_multiply_adds"),
)
_SETTING = ("hidden_layer_sizes", "n_labels", "n_updates")
_FAILURES = ("diverged", "unconverged")


def of_stage(records: list[dict[str, Any]], stage: str) -> list[dict[str, Any]]:
    """The records of the tuning ("tune"), or of the final nets ("test").

    Examples
    --------
    >>> of_stage([{"stage": "tune"}, {"stage": "test"}], "test")
    [{'stage': 'test'}]
    """
    return [record for record in records if record["stage"] == stage]


def tests(
    records: list[dict[str, Any]],
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Records of final nets by setting and contender, ordered by seed.

    Examples
    --------
    >>> tests([{"stage": "tune"}])
    {}
    """
    cells: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for record in of_stage(records, "test"):
        contenders = cells.setdefault(cell_name(record), {})
        contenders.setdefault(contender_name(record), []).append(record)
    for contenders in cells.values():
        for its in contenders.values():
            its.sort(key=lambda record: record["seed"])
    return cells


def summarize(
    records: list[dict[str, Any]], settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """One dict per setting, see `Comparison.summary`.

    Parameters
    ----------
    records, settings
        Of a comparison.

    Examples
    --------
    >>> summarize([], {})
    []
    """
    tried: dict[Any, list[dict[str, Any]]] = {}
    for record in of_stage(records, "tune"):
        tried.setdefault(key_of(record), []).append(record)
    rows = [_row(cell, its, tried, settings) for cell, its in tests(records).items()]
    for row, p in zip(rows, holm([row["p_value"] for row in rows]), strict=True):
        row["p_holm"] = float(p)
    controls = [
        its["difference"]
        for row in rows
        for its in row["contenders"].values()
        if its["kind"] == "control"
    ]
    adjusted = holm([difference["p_value"] for difference in controls])
    for difference, p in zip(controls, adjusted, strict=True):
        difference["p_holm"] = float(p)
    return rows


def _row(
    cell: str,
    contenders: dict[str, list[dict[str, Any]]],
    tried: dict[Any, list[dict[str, Any]]],
    settings: dict[str, Any],
) -> dict[str, Any]:
    dbn = next(name for name, its in contenders.items() if kind_of(its[0]) == "dbn")
    rows: dict[str, Any] = {}
    for name, its in contenders.items():
        alone = _difference(its, None, settings)
        rows[name] = {
            **_figures(its, tried),
            **{end: alone[end] for end in ("low", "high")},
            "difference": None
            if name == dbn
            else _difference(contenders[dbn], its, settings),
        }
    starts = {n: its["difference"] for n, its in rows.items() if its["kind"] == "start"}
    first = contenders[dbn][0]
    return {
        "cell": cell,
        **{key: first.get(key) for key in _SETTING},
        "contenders": rows,
        "dbn": dbn,
        "same_training_rows": _same_training_rows(contenders[dbn], settings),
        **_against_all(starts),
    }


def _against_all(starts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is shown of the DBN against the other starts, by their differences.

    The claim about all of them is as uncertain as the least certain difference; there
    is none where the DBN is above some and below others.
    """
    lower = {name: its["mean"] < 0.0 for name, its in starts.items()}
    shown = {name: its["p_value"] < LEVEL for name, its in starts.items()}
    one_sign = len({*np.sign([its["mean"] for its in starts.values()])}) == 1
    largest = max(its["p_value"] for its in starts.values())
    return {
        "below": [name for name in starts if shown[name] and lower[name]],
        "above": [name for name in starts if shown[name] and not lower[name]],
        "not_shown": [name for name in starts if not shown[name]],
        "p_value": largest if one_sign else 1.0,
    }


def _figures(
    records: list[dict[str, Any]], tried: dict[Any, list[dict[str, Any]]]
) -> dict[str, Any]:
    """What a contender has by itself."""
    errors = np.array([record["error"] for record in records])
    grids = [tried[key_of(record)] for record in records]
    fits = [*records, *(record for grid in grids for record in grid)]
    best = [next(iter(chosen(grid).values())) for grid in grids]
    return {
        "kind": kind_of(records[0]),
        "chosen_on": records[0].get("chosen_on") or 0,
        "parameter": records[0]["parameter"],
        "values": [record["value"] for record in records],
        "at_end": sum(map(_is_at_end, records, grids)),
        "validation_error": float(np.mean([record["error"] for record in best])),
        "mean": float(errors.mean()),
        "std": float(errors.std(ddof=1)),
        "median": float(np.median(errors)),
        **{cost: _known(np.mean, records, cost) for cost in _COSTS},
        **{failure: _known(sum, fits, failure) for failure in _FAILURES},
    }


def _is_at_end(record: dict[str, Any], grid: list[dict[str, Any]]) -> bool:
    """Whether the smallest or the largest of several values was chosen.

    Of two there is nothing but ends, and candidates of a search have no order.
    """
    if record["parameter"] == CANDIDATE:
        return False
    values = {tried["value"] for tried in grid}
    return len(values) > 2 and record["value"] in (min(values), max(values))


def _known(combine: Any, records: list[dict[str, Any]], key: str) -> Any:
    """A number made of one of every record; None where one is not known."""
    values: list[Any] = [record.get(key) for record in records]
    if None in values:
        return None
    made = combine(values)
    return made if isinstance(made, int) else float(made)


def _difference(
    ours: list[dict[str, Any]],
    theirs: list[dict[str, Any]] | None,
    settings: dict[str, Any],
) -> dict[str, Any]:
    """The paired difference of two contenders, or of one from nothing, as plain data.

    Losses of a file are unpacked seed by seed: all of them would be far larger.
    """
    n_train, n_test = settings["n_train"], settings["n_test"]
    # Of how many rows those of a test are: of own splits perhaps a few.
    n_rows = settings.get("n_tested") or n_train + n_test
    if all(record.get("losses") for record in (*ours, *(theirs or ()))):
        fixed = len({record.get("test_rows") for record in ours}) == 1
        found = paired_losses(
            _losses(ours, settings),
            map(np.zeros_like, _losses(ours, settings))
            if theirs is None
            else _losses(theirs, settings),
            rows=(unpacked(record, settings)[1] for record in ours),
            n_rows=None if fixed else n_rows,
        )
        return asdict(found)
    a = np.array([record["error"] for record in ours])
    b = np.array([record["error"] for record in theirs]) if theirs else np.zeros(len(a))
    ratio = 0.0 if settings["fixed_test_split"] else n_test / n_train
    # What a test row weighs is known of shares: others are shares of the largest.
    errors = np.abs([a, b])
    unit = 1.0 if is_share(settings["scoring"]) else float(errors.max()) or 1.0
    found = paired_difference(a / unit, b / unit, test_train_ratio=ratio, n_test=n_test)
    ends = ("mean", "low", "high", "standard_error", "detectable")
    return asdict(found) | {end: unit * getattr(found, end) for end in ends}


def _losses(records: list[dict[str, Any]], settings: dict[str, Any]) -> Iterator[Array]:
    return (unpacked(record, settings)[0] for record in records)


def _same_training_rows(
    records: list[dict[str, Any]], settings: dict[str, Any]
) -> bool:
    """Whether all seeds trained on the same rows, so that nothing is said of others."""
    found = {record.get("train_rows_sha256") for record in records}
    if None in found:  # a record of an earlier version
        whole = records[0]["n_labels"] == settings["n_train"]
        return bool(settings["fixed_test_split"] and whole)
    return len(found) == 1
