"""Files that appear whole or not at all."""

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
