"""The one way to begin a folder of results, to write it, and to go on with it after a kill.

Every such folder has a config.json that says what was asked for and where it ran. It is written
once all that the run cannot do without is there, so a folder with a config.json is a run that was
begun, and a folder without one is not ours and is left alone. While a process writes a folder no
other can (`depthjax.folders.lock`); to read it takes no lock.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from depthjax.devices import processes
from depthjax.files import cannot_write, npz_bytes, read_arrays, write_atomically
from depthjax.folders import lock as locks
from depthjax.folders.config import as_definition, check_same, is_run
from depthjax.folders.emptying import contents, remove_contents, remove_temporary
from depthjax.folders.environment import environment
from depthjax.folders.lock import FolderLock

_UNBEGUN = "unbegun"
"""State of a folder while old contents are removed and first files written."""


@dataclass(frozen=True)
class RunFolder(os.PathLike[str]):
    """A folder that this process writes, from `begin`; use it as a context manager.

    Fields:
        path: where it lies.
        lock: the right to write it; None where a folder above it is locked, or where another
            process writes for this one.
        begun: names of the files that `begin` has just written.
    """

    path: Path
    lock: FolderLock | None = None
    begun: frozenset[str] = frozenset()

    def __fspath__(self) -> str:
        return str(self.path)

    def check(self) -> None:
        """Returns if this process may still write the folder.

        Raises:
            ValueError: if it was removed or begun anew in the meantime.
        """
        if self.lock is not None:
            self.lock.check()

    def write(self, name: str, content: bytes) -> None:
        """Writes one file, whole or not at all.

        Args:
            name: path within the folder.
            content: of the file.

        Raises:
            ValueError: if it cannot be written, or if the folder is no longer ours.
        """
        self.check()
        write_atomically(self.path / name, content)

    def subfolder(self, name: str) -> Path:
        """A folder within this one, made if it is not there.

        Args:
            name: path within the folder.

        Raises:
            ValueError: if it cannot be made, or if the folder is no longer ours.
        """
        self.check()
        path = self.path / name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        return path

    def piece(self, name: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """A part of the results, made only if an earlier, cut-off run has not made it.

        Args:
            name: of the part; slashes in it become underscores.
            make: computes it; what it returns must survive JSON (NaN and infinity do).

        Returns:
            What the part's file holds, so the same whether it was made now or before.
        """
        file = self.path / "pieces" / f"{name.replace('/', '_')}.json"
        if not file.is_file():
            self.check()
            write_atomically(file, json.dumps(dict(make())).encode())
        return json.loads(file.read_text(encoding="utf-8"))

    def rows(self, name: str, make: Callable[[], Iterable[Mapping[str, Any]]]) -> list[Any]:
        """Some rows of the table as a part of the results (`piece`).

        Args:
            name: of the part.
            make: computes the rows, of numbers and strings.
        """
        return self.piece(name, lambda: {"rows": [dict(row) for row in make()]})["rows"]

    def arrays(self, name: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Arrays as a part of the results (`piece`), such as images.

        Args:
            name: of the part.
            make: computes them, by name.
        """
        file = self.path / "arrays" / f"{name.replace('/', '_')}.npz"
        if not file.is_file():
            self.check()
            write_atomically(file, npz_bytes(make()))
        return read_arrays(file)

    def close(self) -> None:
        """Lets other processes write the folder; so does the end of this process."""
        if self.lock is not None:
            self.lock.release()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closes the folder; if an error came before anything was kept, nothing stays of it."""
        with suppress(ValueError, OSError):
            if kind is not None and self.begun and set(contents(self.path)) <= self.begun:
                self.check()
                remove_contents(self.path, first="config.json")
                self.close()
                self.path.rmdir()
        self.close()


def begin(
    folder: str | os.PathLike[str],
    config: Mapping[str, Any],
    *,
    overwrite: bool = False,
    resume: bool = False,
    first: Mapping[str, bytes] | None = None,
    noted: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Begins a folder of results, or opens the one that is there to go on with it.

    A kill at any moment leaves a folder that the same call can be made on again. Of several
    processes that share a run (`depthjax.devices.processes`) the first one alone writes.

    Args:
        folder: where.
        config: all that defines the results; it must survive JSON.
        overwrite: older results there are removed first, unless they are resumed.
        resume: older results there with the same `config` are gone on with.
        first: files that nothing can be done without, by name: they are there before the folder
            counts as begun.
        noted: what else stands in `environment`, such as the plan that the run is begun under. A
            run that is gone on with keeps what it was begun with.

    Returns:
        The folder, locked until it is closed or this process ends.

    Raises:
        FolderBusy: if another process writes the folder.
        ValueError: if the folder holds other results, or something else, or cannot be written.
    """
    path, first = Path(folder), first or {}
    if not processes.is_first():
        return RunFolder(path)
    content = {**as_definition(config), "environment": {**environment(), **(noted or {})}}
    _check_ours(path)  # a folder that is not ours does not even get a lock file
    existed = path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    opened = RunFolder(path, None if locks.held_by_us(path.parent) else locks.acquire(path))
    try:
        begun = _open(opened, content, overwrite=overwrite, resume=resume, first=first)
    except BaseException:
        opened.close()
        if not existed:
            with suppress(OSError):
                path.rmdir()
        raise
    return replace(opened, begun=begun)


def check_beginning(
    folder: str | os.PathLike[str], *, overwrite: bool = False, resume: bool = False
) -> None:
    """Returns if `begin` may begin or go on here, before anything is computed for it.

    Args:
        folder, overwrite, resume: as in `begin`.

    Raises:
        ValueError: if the folder holds other results, or something else.
    """
    path = Path(folder)
    _check_ours(path)
    _check_no_run(path, replaced=overwrite or resume)


def _check_no_run(path: Path, *, replaced: bool) -> None:
    if (path / "config.json").is_file() and not replaced:
        raise ValueError(
            f"{str(path)!r} already holds a run; choose another --output, or --resume it, or"
            " --overwrite it"
        )


def _open(
    folder: RunFolder,
    content: dict[str, Any],
    *,
    overwrite: bool,
    resume: bool,
    first: Mapping[str, bytes],
) -> frozenset[str]:
    """Brings a locked folder to where results can be written: new, emptied, or as they stand.

    Args:
        folder, overwrite, resume, first: as in `begin`.
        content: of its config.

    Returns:
        The files that were written.
    """
    path = folder.path
    _check_ours(path)  # again: until now another process may have written it
    if (path / "config.json").is_file():
        if resume:
            check_same(path, {name: content[name] for name in content if name != "environment"})
            remove_temporary(path)
            _note(folder, "")
            return frozenset()
        _check_no_run(path, replaced=overwrite)
    elif not overwrite and not set(contents(path)) <= set(first):
        raise ValueError(
            f"{str(path)!r} holds what is left of a run that was being removed; remove the rest"
            " with --overwrite"
        )
    text = json.dumps(content, indent=2) + "\n"
    _note(folder, _UNBEGUN)
    try:
        remove_contents(path, first="config.json")
        for name, data in first.items():
            folder.write(name, data)
        folder.write("config.json", text.encode())
    except BaseException:
        if set(contents(path)) <= set(first):
            with suppress(ValueError, OSError):
                remove_contents(path, first="config.json")
                _note(folder, "")
        raise
    _note(folder, "")
    return frozenset({*first, "config.json"})


def _note(folder: RunFolder, state: str) -> None:
    if folder.lock is not None and folder.lock.state != state:
        folder.lock.note(state)


def _check_ours(path: Path) -> None:
    """Returns if the folder is free, or holds results, or what a kill has left of them.

    Raises:
        ValueError: if it is something else; nothing of it is changed.
    """
    try:
        if not path.exists():
            return
        if not path.is_dir():
            raise ValueError(f"{str(path)!r} is a file; choose another --output")
        names = contents(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    if not names:
        return
    if "config.json" in names:
        if not is_run(path):  # other programs name files so, too
            raise ValueError(
                f"the config.json of {str(path)!r} is not that of a run; choose another --output"
            )
    elif not locks.held_by_us(path.parent) and locks.state_of(path) != _UNBEGUN:
        raise ValueError(f"{str(path)!r} exists and is no run; choose another --output")
