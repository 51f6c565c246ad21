"""Where a record comes from: command, versions, commit, threads."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import scipy
import sklearn
from threadpoolctl import threadpool_info

from .. import __version__


def provenance():
    """What someone needs to repeat a run, as a dict for a JSON record.

    Returns
    -------
    dict
        ``command``, ``commit`` (None outside a git checkout), ``versions``, ``cores``
        and the BLAS threads in use.

    Examples
    --------
    >>> from dbn.evaluation import provenance
    >>> sorted(provenance())
    ['blas_threads', 'command', 'commit', 'cores', 'versions']
    """
    blas = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    script, root = Path(sys.argv[0]), Path(__file__).parents[2]
    shown = f"{script.parent.name}/{script.name}"
    if script.resolve().is_relative_to(root):
        shown = script.resolve().relative_to(root).as_posix()
    command = ["python", shown, *sys.argv[1:]]
    return {
        "command": " ".join(command),
        "commit": _commit(),
        "versions": {
            "dbn": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "cores": os.cpu_count(),
        "blas_threads": max((lib["num_threads"] for lib in blas), default=None),
    }


def _commit():
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.run(git, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
