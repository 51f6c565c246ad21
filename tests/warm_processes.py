"""Scripts in processes of their own, for which the package is imported once."""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

# Each begins as a copy of one that has imported these, where a system has copies.
_HOW = {"forkserver", "spawn"} & {*multiprocessing.get_all_start_methods()}
_WARM = multiprocessing.get_context(min(_HOW))
_WARM.set_forkserver_preload(["dbn", "dbn.evaluation"])


def run_warm(script, *args, let_pass=()):
    """What a script prints and how it ends, as `subprocess.run` has it.

    Parameters
    ----------
    script : path
    *args : str
    let_pass : sequence of str
        How warnings begin that are none of errors.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder, name) for name in ("stdout", "stderr")]
        process = _WARM.Process(target=_main, args=(str(script), args, said, let_pass))
        process.start()
        process.join()
        return subprocess.CompletedProcess(
            [str(script), *args], process.exitcode, *(p.read_text() for p in said)
        )


def _main(script, args, said, let_pass):
    for stream, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), stream)
    warnings.simplefilter("error")
    for begin in let_pass:
        warnings.filterwarnings("default", begin)
    sys.argv, sys.path[0] = [script, *args], str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")
