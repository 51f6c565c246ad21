"""Finished cells of a comparison on the disk, so that a study goes on after a stop."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ...estimators import load_model, save_model
from ...storage.archive import replacing
from ...storage.packing import parse_json, printable
from ...storage.regular_file import open_file
from .cell import Cell
from .records import RECORD, check_fields, check_record

_FORMAT, _VERSION = "dbn study", 4
# What code is told by, and what it is called.
_CODE = {"package_sha256": "the package dbn", "script_sha256": "the script"}
_MAKER = ("command", "commit", "dirty", *_CODE)
_COSTS = {key: RECORD[key] for key in ("pretrain_seconds", "pretrain_multiply_adds")}
_SECONDS = {"seconds": RECORD["pretrain_seconds"]}


class Journal:
    """The finished cells of one study in a folder, a file each.

    Each file is written beside its place and renamed, at once when its cell is
    finished. A file that is damaged or not whole counts as none.

    Parameters
    ----------
    folder : path
        Made if it does not exist.
    settings : dict
        Of the study, plain data. What a folder holds is used only for equal settings;
        numbers of seeds may differ.
    origin : dict
        From `provenance`. What a folder holds is used only if the same code made it.
    of_one_script : bool, default=True
        Whether the script is part of that code; or several share the folder.

    Raises
    ------
    ValueError
        If the folder holds another study, or one that other code made.
    OSError
        If it cannot be made or written.

    Examples
    --------
    >>> import tempfile
    >>> from dbn.evaluation import provenance
    >>> from dbn.evaluation.study.cell import Cell
    >>> cell = Cell("pretrain", (5,), 0, None, "dbn")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Journal(folder, {"batch_size": 20}, provenance())
    ...     journal.load(cell) is None
    True
    """

    def __init__(
        self,
        folder: str | Path,
        settings: dict[str, Any],
        origin: dict[str, Any],
        of_one_script: bool = True,
    ) -> None:
        from ... import __version__

        self.folder = Path(folder)
        own = json.loads(json.dumps(settings))
        own.pop("seeds", None)
        self._header: dict[str, Any] = {
            "format": _FORMAT,
            "version": _VERSION,
            "dbn": __version__,
            "settings": own,
            "made_by": {key: origin[key] for key in _MAKER},
            "finished": False,
        }
        self._code = [*_CODE] if of_one_script else [*_CODE][:1]
        about = self.folder / "study.json"
        try:
            (self.folder / "cells").mkdir(parents=True, exist_ok=True)
            self._refuse_another(_read(about))
            self._write(about, self._header)
        except OSError as error:
            raise type(error)(
                error.errno,
                f"The folder {self.folder} cannot be used for a study "
                f"({error.strerror}). Give one that can be written",
            ) from error

    def _refuse_another(self, found: dict[str, Any] | None) -> None:
        if found is None and not has_cells(self.folder):
            return
        found = found or {}
        theirs = {k: found.get(k) for k in ("format", "version", "dbn")}
        theirs |= _dict(found.get("settings"))
        own = {k: self._header[k] for k in theirs.keys() & self._header.keys()}
        own |= self._header["settings"]
        for key in [*theirs, *own]:
            if theirs.get(key) != own.get(key):
                raise ValueError(
                    f"The folder {self.folder} holds another study: {key} is "
                    f"{theirs.get(key)!r:.80} there and {own.get(key)!r:.80} here. "
                    "Give another folder, or the settings and data of that study."
                )
        self._refuse_other_code(_dict(found.get("made_by")))

    def _refuse_other_code(self, theirs: dict[str, Any]) -> None:
        own = self._header["made_by"]
        for key in self._code:
            if theirs.get(key) != own[key]:
                raise ValueError(
                    f"The folder {self.folder} holds cells that other code made: "
                    f"{_CODE[key]} was {_code(theirs, key)}, and is "
                    f"{_code(own, key)} now. Give another folder to begin anew, or go "
                    "on with the code of that commit."
                )

    def load(self, cell: Cell) -> tuple[Any, float] | None:
        """What `run_cell` returned for a cell, and its seconds; None if not there."""
        path = self._path(cell)
        content = _read(path)
        try:
            if content is None or content["cell"] != cell.describe():
                return None
            record, seconds = content["record"], content["seconds"]
            check_fields(content, _SECONDS)
            if cell.stage != "pretrain":
                check_record(record)
                return record, seconds
            check_fields(record, _COSTS)
            return (record, load_model(path.with_suffix(".dbn"))), seconds
        except (ValueError, KeyError, OSError):
            return None

    def save(self, cell: Cell, result: Any, seconds: float) -> None:
        """Keep what `run_cell` returned for a cell."""
        path, record, made_by = self._path(cell), result, {}
        if cell.stage == "pretrain":
            record, dbn = result
            save_model(dbn, path.with_suffix(".dbn"))
            made_by = {"made_by": self._header["made_by"]}
        content = {"cell": cell.describe(), "seconds": seconds, "record": record}
        self._write(path, content | made_by)

    def command(self, cell: Cell) -> str:
        """The command that pretrained the DBN of a cell that is there."""
        content = _read(self._path(cell)) or {}
        return printable(_dict(content.get("made_by")).get("command"), 1000)

    def finish(self) -> None:
        """Note that the study is complete."""
        self._write(self.folder / "study.json", self._header | {"finished": True})

    def _path(self, cell: Cell) -> Path:
        digest = hashlib.sha256(json.dumps(cell.describe()).encode()).hexdigest()
        return self.folder / "cells" / f"{cell.stage}-{cell.seed}-{digest[:16]}.json"

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        with replacing(path) as file:
            file.write(json.dumps(content).encode("ascii"))


def _read(path: Path) -> dict[str, Any] | None:
    """The dict in a JSON file; None if there is none, or it is damaged."""
    try:
        with open_file(path) as file:
            content = parse_json(file.read().decode("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _code(maker: dict[str, Any], key: str) -> str:
    """Code in words: 'SHA-256 0123456789ab of commit 1a2b3c4'."""
    changed = "with changes on top of" if maker.get("dirty") else "of"
    digest, commit = printable(maker.get(key), 15)[:12], printable(maker.get("commit"))
    return f"SHA-256 {digest} {changed} commit {commit}"


def has_cells(folder: str | Path) -> bool:
    """Whether anything of a study is finished in a folder.

    Parameters
    ----------
    folder : path

    Examples
    --------
    >>> has_cells("no such folder")
    False
    """
    return any((Path(folder) / "cells").glob("*.json"))


def is_finished(folder: str | Path) -> bool | None:
    """Whether a folder holds a study that is complete; None if it holds no study.

    Parameters
    ----------
    folder : path

    Examples
    --------
    >>> is_finished("no such folder") is None
    True
    """
    if not os.path.exists(folder):
        return None
    content = _read(Path(folder) / "study.json")
    return bool(content and content.get("finished") is True)
