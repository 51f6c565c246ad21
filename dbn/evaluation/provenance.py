"""Where a record comes from: command, versions, commit, threads."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from .. import __version__


def provenance() -> dict[str, Any]:
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
    return {
        "command": " ".join(["python", shown, *sys.argv[1:]]),
        "commit": _commit(),
        "versions": {
            "dbn": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "scikit-learn")},
        },
        "cores": os.cpu_count(),
        "blas_threads": max((lib["num_threads"] for lib in blas), default=None),
    }


def _commit() -> str | None:
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.check_output(
            git, text=True, stderr=subprocess.DEVNULL
        ).strip()
    except (OSError, subprocess.CalledProcessError):
        return None
