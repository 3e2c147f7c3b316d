"""Files that appear whole or not at all, what they hold, and where copies are kept."""

import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file under its name only once it is complete; what was there stays until then.

    Missing folders are made.

    Raises:
        ValueError: in one line, when it cannot be written.
    """
    target = Path(path)
    # Beside the target, since only within one file system is a rename atomic. Opened by name,
    # because files from tempfile would stay readable by their owner alone.
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise ValueError(
            f"cannot write {str(target)!r} ({error.strerror or error}); check the folder's"
            " permissions and the free space"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, in lower-case hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where downloads and compiled programs are kept; `XDG_CACHE_HOME` moves it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "depthjax"
