"""Runs of a long study in one JSON file, from which it goes on after a stop."""

import json

import joblib
from threadpoolctl import threadpool_limits

from dbn.evaluation import provenance
from dbn.storage.archive import replacing


class Ledger:
    """Runs in a JSON file: each is added when it is finished, none is repeated.

    ``calls`` lists the commands that added runs, with commit, versions and threads, and
    each run has the place of its own.

    Parameters
    ----------
    path : pathlib.Path
    settings : dict
        What is the same for all runs; a file with others is refused.
    summarize : callable
        Of the runs, for the file.
    threads : int
        BLAS threads of each run.

    Raises
    ------
    ValueError
        If the file holds runs with other settings.
    """

    def __init__(self, path, settings, summarize, threads):
        self.path, self.summarize, self.threads = path, summarize, threads
        self.runs, self.calls = [], []
        self.settings = json.loads(json.dumps(settings))
        self.call = {**provenance(), "blas_threads": threads}
        if path.exists():
            found = json.loads(path.read_text())
            theirs = {key: found.get(key) for key in self.settings}
            if theirs != self.settings:
                raise ValueError(
                    f"{path} has runs with other settings: {theirs}. Choose another "
                    "--output, or delete it."
                )
            self.runs, self.calls = found["runs"], found["calls"]

    def find(self, **fields):
        """Runs with these fields."""
        wanted = json.loads(json.dumps(fields))
        return [r for r in self.runs if all(r.get(k) == wanted[k] for k in wanted)]

    def run(self, function, tasks, n_jobs, *data):
        """``function(task, *data)`` for every task without a run."""
        tasks = [task for task in tasks if not self.find(**task)]
        call = joblib.delayed(_with_threads)
        for task, result in joblib.Parallel(n_jobs, return_as="generator_unordered")(
            call(self.threads, function, task, *data) for task in tasks
        ):
            run = {**task, **result, "call": self._place_of_call()}
            self.runs.append(json.loads(json.dumps(run)))
            self._write()
            print(json.dumps(self.runs[-1]), flush=True)

    def _place_of_call(self):
        if self.call not in self.calls:
            self.calls.append(self.call)
        return self.calls.index(self.call)

    def _write(self):
        summary = {"test_error": self.summarize(self.runs), "calls": self.calls}
        text = json.dumps({**self.settings, **summary}, indent=1)[:-2]
        lines = ",\n  ".join(json.dumps(run) for run in self.runs)
        with replacing(self.path) as file:
            file.write(f'{text},\n "runs": [\n  {lines}\n ]\n}}\n'.encode())


def _with_threads(threads, function, task, *data):
    with threadpool_limits(threads):
        return task, function(task, *data)
