"""Where figures are kept: the latest run in a file, all runs in a series beside it."""

import sys
from pathlib import Path

from dbn import load_model, save_model
from dbn.backend.identity import identity

sys.path.append(str(Path(__file__).parents[1]))  # of options that all scripts have
from data_options import to_json, write_json


def write_record(path, record):
    """Write a run to a JSON file, and add it to the series of such runs.

    The series of ``results/speed.json`` is ``results/history/speed.jsonl``, one run a
    line: nothing in it is replaced, so that later figures can be laid beside earlier
    ones. Each line has its own commit, versions and threads.

    Parameters
    ----------
    path : pathlib.Path
    record : dict
        Figures, and what `provenance` says.
    """
    write_json(path, record)
    series = path.parent / "history" / f"{path.stem}.jsonl"
    series.parent.mkdir(exist_ok=True)
    with series.open("a") as file:
        file.write(to_json(record) + "\n")


def kept(folder, model, *data):
    """A fitted model from its file, which is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{identity(model, *data)[:16]}.dbn"
    if not file.exists():
        print(f"{' '.join(repr(model).split())} ...", file=sys.stderr, flush=True)
        save_model(model.fit(*data), file)
    return load_model(file)
