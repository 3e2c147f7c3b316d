"""A file over HTTP: goes on after interruptions, and exists only once its SHA-256 is right."""

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from depthjax.files import file_sha256

Report = Callable[[int, int | None], None]
"""Told about the bytes there are, and how many there will be (if the server says so)."""

_CHUNK = 1 << 20
_PASSING = (408, 425, 429)  # as every 5xx: worth another try
_NOTHING_LEFT = 416  # the range begins where the file ends


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
    """The file at an address, downloaded once.

    What has arrived is kept beside the target until it is complete, so an interrupted download
    goes on where it stopped, in the next try as in the next call.

    Args:
        url: `http://` or `https://`; redirections are followed.
        sha256: of the whole file, hexadecimal: the right bytes or none.
        target: the file to be.
        timeout: seconds of silence after which a connection counts as dead.
        tries: connections in a row that may bring nothing new.
        wait: seconds before the second of them; doubles with each.
        on_progress: see `Report`.

    Raises:
        ValueError: in one line, when the file cannot be had or is another one.
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
            if not resumed:  # pieces of two versions may have met: only whole ones convict
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
    """Fills `part` until the server has no more; whether several connections had a share."""
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
    """The connection failed in a way that another one may not."""


def _fetch(url: str, part: Path, timeout: float, on_progress: Report | None) -> None:
    """Appends to `part` what one connection brings; returns once that is all there is."""
    start = _size(part)
    # Compressed in transit, a range would be one of the compressed bytes.
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
