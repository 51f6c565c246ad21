"""Where a record comes from: code, command, versions, threads, data, models."""

import hashlib
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from .. import __version__
from ..backend.identity import identity
from ..backend.types import Array
from ..storage.packing import printable

_PACKAGE = Path(__file__).parents[1]


def sha256_of_code(*paths: Path) -> str:
    """SHA-256 of Python files: their names in their folders, and their content.

    Parameters
    ----------
    *paths : Path
        Files, or folders with all that is below them.

    Examples
    --------
    >>> from pathlib import Path
    >>> import dbn
    >>> len(sha256_of_code(Path(dbn.__file__).parent))
    64
    """
    files = {
        file.relative_to(path).as_posix() if path.is_dir() else file.name: file
        for path in paths
        for file in ([*path.rglob("*.py")] if path.is_dir() else [path])
    }
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()


# Of what runs, not of what the files have become by the end of it.
_PACKAGE_SHA256 = sha256_of_code(_PACKAGE)
_BEGAN = time.perf_counter()


def provenance(*data: Array, began: float | None = None) -> dict[str, Any]:
    """What someone needs to repeat a run, as a dict for a JSON record.

    Parameters
    ----------
    *data : array
        What it was made from, as X and y.
    began : float, optional
        Of `time.perf_counter`. Default: when this package was imported.

    Returns
    -------
    dict
        ``command``, in which paths are their last names; ``commit`` (None where the
        package is not of a git checkout) and whether it is ``dirty``: Python files have
        changes that are in no commit; ``package_sha256`` and ``script_sha256`` of the
        code itself, the latter with the modules beside the script (None without one);
        ``versions``, ``cores``, the BLAS threads in use, ``seconds``; with data,
        ``data_sha256``.

    Examples
    --------
    >>> from dbn.evaluation import provenance
    >>> found = provenance([[0, 1], [1, 1]], [0, 1])
    >>> sorted(found)  # doctest: +NORMALIZE_WHITESPACE
    ['blas_threads', 'command', 'commit', 'cores', 'data_sha256', 'dirty',
     'package_sha256', 'script_sha256', 'seconds', 'versions']
    """
    blas = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
    names = ["numpy", "scipy", "scikit-learn", *({"torch"} & sys.modules.keys())]
    script = _script_files()
    found: dict[str, Any] = {
        "command": _command(),
        **_commit(),
        "package_sha256": _PACKAGE_SHA256,
        "script_sha256": sha256_of_code(*script) if script else None,
        "versions": {
            "dbn": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in names},
        },
        "cores": os.cpu_count(),
        "blas_threads": max((lib["num_threads"] for lib in blas), default=None),
        "seconds": round(time.perf_counter() - (began or _BEGAN), 1),
    }
    return found | ({"data_sha256": identity(*data)} if data else {})


def about_model(model: Any) -> dict[str, str]:
    """What a record says of a pretrained model that it used: the call, and a hash.

    Parameters
    ----------
    model : estimator
        Fitted.

    Examples
    --------
    >>> from dbn import RBMTransformer
    >>> about_model(RBMTransformer(5))["call"]
    'RBMTransformer(n_components=5)'
    """
    return {"call": " ".join(repr(model).split()), "sha256": identity(model)}


def note_of_changes(record: dict[str, Any]) -> str:
    """A line that says that no commit has the code of a record; empty if one has it.

    Parameters
    ----------
    record : dict
        With what `provenance` says.

    Examples
    --------
    >>> note_of_changes({"dirty": True, "commit": "1a2b3c4"})
    'Made with changes that are in no commit, on top of 1a2b3c4.'
    """
    if not record.get("dirty"):
        return ""
    commit = printable(str(record.get("commit")), 40)
    return f"Made with changes that are in no commit, on top of {commit}."


def _script() -> Path | None:
    """The file that Python was started with, unless it is an installed program."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None:
        return None
    script = Path(file).resolve()
    if not script.is_file():  # read from a pipe
        return None
    places = map(sysconfig.get_path, ("stdlib", "purelib", "platlib", "scripts"))
    installed = any(script.is_relative_to(Path(place).resolve()) for place in places)
    return None if installed else script


def _script_files() -> list[Path]:
    """The script, and the modules that it has imported from its own folder."""
    script = _script()
    if script is None:
        return []
    loaded = (getattr(module, "__file__", None) for module in [*sys.modules.values()])
    files = {Path(file).resolve() for file in loaded if file}
    return [
        script,
        *(f for f in files if f.parent == script.parent and f.suffix == ".py"),
    ]


def _command() -> str:
    root, script = _PACKAGE.parent, _script()
    words = sys.argv[:1] if sys.argv[0] else []
    if script is not None:
        inside = script.is_relative_to(root)
        words = [
            script.relative_to(root).as_posix()
            if inside
            else f"{script.parent.name}/{script.name}"
        ]
    return shlex.join(["python", *map(_without_folder, [*words, *sys.argv[1:]])])


def _without_folder(word: str) -> str:
    """An argument, in which an absolute path is its last name."""
    option, equals, value = word.rpartition("=")
    path = Path(value)
    return option + equals + (path.name if path.is_absolute() else value)


def _commit() -> dict[str, Any]:
    """The commit of the checkout that the package stands in, and whether it is dirty.

    A repository that only has the package somewhere in it, as that of a project whose
    environment it is installed in, says nothing.
    """
    try:
        _git("ls-files", "--error-unmatch", __file__)
        commit = _git("rev-parse", "--short", "HEAD").strip()
        changes = _git("status", "--porcelain", "--", ":/*.py")
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}
    changed_since = sha256_of_code(_PACKAGE) != _PACKAGE_SHA256
    return {"commit": commit, "dirty": bool(changes) or changed_since}


def _git(*args: str) -> str:
    return subprocess.check_output(
        ["git", "-C", str(_PACKAGE), *args], text=True, stderr=subprocess.DEVNULL
    )
