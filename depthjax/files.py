"""Files that appear whole or not at all, their checksums, and where copies are kept."""

import hashlib
import os
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_guards: dict[Path, Callable[[], None]] = {}

TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")
"""Names of files that `write_atomically` has not finished; after a kill they are left over."""


class CannotWrite(ValueError):
    """The system does not let us write: the disk is full, or the folder is not ours."""


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file under its name only once it is complete; what was there stays until then.

    Missing folders are made.

    Raises:
        CannotWrite: in one line, if it cannot be written.
        ValueError: if the file lies in a guarded folder that this process may no longer write
            (`guard`).
    """
    target = Path(path)
    check_writable(target)
    # Beside the target, since only within one file system is a rename atomic. Opened by name,
    # because files from tempfile would stay readable by their owner alone.
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        check_writable(target)  # large files take long, and others may act meanwhile
        os.replace(temporary, target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def cannot_write(path: str | os.PathLike[str], error: OSError) -> CannotWrite:
    """The one-line error for a file or folder that the system does not let us write."""
    return CannotWrite(
        f"cannot write {str(path)!r} ({error.strerror or error}); check the folder's"
        " permissions and the free space"
    )


def guard(folder: Path, check: Callable[[], None] | None) -> None:
    """Calls `check` before every file that is written anywhere in a folder.

    Args:
        folder: an absolute path without symbolic links.
        check: raises `ValueError` if nothing may be written there; None removes the guard.
    """
    if check is None:
        _guards.pop(folder, None)
    else:
        _guards[folder] = check


def check_writable(path: str | os.PathLike[str]) -> None:
    """Asks the guards of all folders that a path lies in; for what `write_atomically` cannot write.

    Raises:
        ValueError: if one of them forbids it.
    """
    if not _guards:
        return
    real = Path(os.path.realpath(path))
    for folder in (real, *real.parents):
        if folder in _guards:
            _guards[folder]()


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, in lower-case hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where downloads and compiled programs are kept; `XDG_CACHE_HOME` moves it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "depthjax"
