"""Where `benchmark.py` keeps studies, and how it reads one that is finished."""

import shutil
from contextlib import contextmanager
from datetime import datetime

from dbn.evaluation import Comparison
from dbn.evaluation.study.journal import has_cells, is_finished


@contextmanager
def study_folder(output, resume):
    """Where finished nets are kept: no study is lost or mixed with this.

    One that is finished gets another name, which it loses if this one makes no net.
    """
    folder, before = output / "study", None
    finished = None if resume else is_finished(folder)
    if finished is False:
        raise ValueError(
            f"{folder} holds a study that was stopped. Go on with --resume, choose "
            "another --output, or delete it."
        )
    if finished:
        time = datetime.fromtimestamp((folder / "study.json").stat().st_mtime)
        before = folder.with_name(f"study-{time:%Y-%m-%d-%H%M%S}")
        folder.rename(before)
    try:
        yield folder
    finally:
        if before and has_cells(folder):
            print(f"The study that was finished here before is in {before}.")
        elif before:
            shutil.rmtree(folder, ignore_errors=True)
            before.rename(folder)


def read_finished(file, output):
    """A comparison in a file, to be shown where no other one is."""
    there = output / "results.json"
    if there.exists() and there.read_bytes() != file.read_bytes():
        raise ValueError(
            f"{there} is another study, whose report and pictures would be replaced. "
            "Give another --output."
        )
    return Comparison.from_json(file)
