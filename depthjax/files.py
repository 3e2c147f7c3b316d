"""Files that appear whole or not at all, their checksums, and where copies are kept."""

import csv
import hashlib
import io
import json
import os
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from depthjax.errors import imported

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


def json_bytes(value: Any) -> bytes:
    """A value as an indented JSON file.

    Raises:
        ValueError: for NaN and infinity, which JSON does not have.
    """
    return f"{json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def csv_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A table as a CSV file with a header.

    Args:
        rows: one at least, all with the same columns.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def npz_bytes(arrays: Mapping[str, Any]) -> bytes:
    """Arrays by name as an NPZ file, which `read_arrays` reads."""
    import numpy as np  # not at the top: names of files are needed before anything is computed

    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def read_arrays(path: Path) -> dict[str, Any]:
    """The arrays of an NPZ file by name.

    Raises:
        ValueError: if it is not there or damaged.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # numpy and zipfile each raise kinds of their own
        raise ValueError(f"{str(path)!r} is damaged: {error}") from error


def parquet_bytes(
    rows: Sequence[Mapping[str, Any]], metadata: Mapping[bytes, str] | None = None
) -> bytes:
    """A table as a Parquet file: compressed, with a checksum for every page.

    Bytes of floating-point numbers are kept apart by their place in the number, without loss:
    measured numbers hardly ever occur twice, and take a fifth less room that way.

    Args:
        rows: one at least. A column that holds numbers and words is one of words.
        metadata: of the table.
    """
    pa = imported("pyarrow", "a Parquet file", "pyarrow")
    pq = imported("pyarrow.parquet", "a Parquet file", "pyarrow")

    columns = {name: [row.get(name) for row in rows] for name in rows[0]}
    for name, values in columns.items():
        words = [isinstance(value, str) for value in values if value is not None]
        if any(words) and not all(words):
            columns[name] = [None if value is None else str(value) for value in values]
    table = pa.table(columns).replace_schema_metadata(metadata)
    measured = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    content = io.BytesIO()
    pq.write_table(
        table,
        content,
        compression="zstd",
        use_dictionary=[name for name in table.column_names if name not in measured],
        use_byte_stream_split=measured,
        write_page_checksum=True,
    )
    return content.getvalue()


def check_names(folder: str | os.PathLike[str], names: Iterable[str]) -> None:
    """Returns if files of these names can be made, before any work is put into them.

    Args:
        folder: where they will lie; it need not exist yet.
        names: without folders.

    Raises:
        ValueError: for the first name that is not text, or longer than the file system takes.
    """
    place = next(path for path in (Path(folder), *Path(folder).absolute().parents) if path.is_dir())
    try:
        most = os.pathconf(place, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows has no pathconf
        most = 255
    for name in names:
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            raise ValueError(
                f"the name {name!a} is not valid UTF-8, so no results can be written under it;"
                " rename the file"
            ) from None
        if size > most:
            raise ValueError(
                f"a file {name[:60]!r}… would have a name of {size} bytes, and the file system"
                f" takes {most}; give the image a shorter name"
            )


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
    """Where downloads and compiled programs are kept; `XDG_CACHE_HOME` moves it.

    Raises:
        ValueError: where there is no home folder, as for users of some containers.
    """
    place = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    if place.startswith("~"):
        raise ValueError("there is no home folder to keep files in; set HOME or XDG_CACHE_HOME")
    return Path(place) / "depthjax"
