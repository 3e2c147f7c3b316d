"""Downloads of a file over HTTP that resume after interruptions.

The file appears under its name only when it is complete and its SHA-256 is right.
"""

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from depthjax.files import file_sha256

Report = Callable[[int, int | None], None]
"""Called with the bytes downloaded so far and the total; None if the server does not tell it."""

_CHUNK = 1 << 20
_PASSING = (408, 425, 429)  # like 5xx: another try may succeed
_NOTHING_LEFT = 416  # the requested range starts at the end of the file


def download(
    url: str,
    sha256: str,
    target: str | os.PathLike[str],
    *,
    timeout: float = 30.0,
    tries: int = 5,
    wait: float = 1.0,
    on_progress: Report | None = None,
) -> Path:
    """Downloads the file at a URL, unless it is already there.

    A partial file is kept beside the target, so an interrupted download continues where it stopped,
    in the next try and in the next call.

    Args:
        url: `http://` or `https://`; redirections are followed.
        sha256: of the whole file, in hexadecimal digits.
        target: the path of the file.
        timeout: seconds without data after which a connection counts as dead.
        tries: how many connections in a row may bring no new data.
        wait: seconds before the second of these tries; doubled before each further one.
        on_progress: see `Report`.

    Returns:
        The target.

    Raises:
        ValueError: in one line, if the download fails or the SHA-256 is another one.
    """
    target = Path(target)
    if target.is_file() and file_sha256(target) == sha256:
        return target
    part = target.with_name(f".{target.name}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        while True:
            resumed = _complete(url, part, timeout, tries, wait, on_progress)
            actual = file_sha256(part)
            if actual == sha256:
                os.replace(part, target)
                return target
            part.unlink()
            if not resumed:  # a resumed file may mix two versions: it is tried once more, whole
                break
            tries = 1
    except OSError as error:
        raise ValueError(
            f"cannot write {str(error.filename or target)!r} ({error.strerror or error}); check the"
            " folder's permissions and the free space"
        ) from error
    raise ValueError(f"{url} has the SHA-256 {actual}, not {sha256}; nothing was kept: check both")


def _complete(
    url: str, part: Path, timeout: float, tries: int, wait: float, on_progress: Report | None
) -> bool:
    """Downloads all of `part`; returns whether it came in several pieces."""
    resumed, failures = False, 0
    while True:
        before = _size(part)
        resumed = resumed or before > 0
        try:
            _fetch(url, part, timeout, on_progress)
            return resumed
        except _Interrupted as interruption:
            failures = failures + 1 if _size(part) <= before else 1
            if failures >= tries:
                raise ValueError(
                    f"cannot download {url}: {interruption}; {_size(part)} bytes are kept, and the"
                    " same command goes on from there: check the connection"
                ) from interruption
        time.sleep(wait * 2 ** (failures - 1))


class _Interrupted(Exception):
    """The connection failed, but another try may succeed."""


def _fetch(url: str, part: Path, timeout: float, on_progress: Report | None) -> None:
    """Appends to `part` what one connection brings; returns when the file is complete."""
    start = _size(part)
    # If the server compressed the file, the range would count compressed bytes.
    headers = {"Accept-Encoding": "identity", "User-Agent": "depthjax"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=timeout
        )
    except urllib.error.HTTPError as error:
        if error.code == _NOTHING_LEFT and start:
            return
        answer = f"the server answers {error.code} {' '.join(str(error.reason).split())}"
        if error.code >= 500 or error.code in _PASSING:
            raise _Interrupted(answer) from error
        raise ValueError(f"{url} cannot be had: {answer}; check the address") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Interrupted(_reason(error, timeout)) from error
    with response:
        resumes = response.status == http.HTTPStatus.PARTIAL_CONTENT
        announced = response.headers.get("Content-Length")
        expected = int(announced) + start * resumes if announced else None
        with open(part, "ab" if resumes else "wb") as file:
            while True:
                try:
                    chunk = response.read1(_CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    raise _Interrupted(_reason(error, timeout)) from error
                if not chunk:
                    break
                file.write(chunk)
                if on_progress is not None:
                    on_progress(file.tell(), expected)
    if expected is not None and _size(part) < expected:
        raise _Interrupted(f"the connection closed after {_size(part)} of {expected} bytes")


def _reason(error: Exception, timeout: float) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError):
        return f"nothing came for {timeout:g} seconds"
    return " ".join(str(inner).split()) or type(inner).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
