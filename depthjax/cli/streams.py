"""What a script prints may be lost; its work may not."""

import io
import sys
from typing import Any


class _Patient(io.FileIO):
    """Output that nobody may be able to read: the pipe is closed, the disk full, the terminal gone.

    What cannot be written is dropped. The results are in files, and a descent of hours must not
    end because its progress bar lost the terminal.
    """

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def make_patient() -> None:
    """From now on no text that is printed to stdout and stderr can raise an error.

    Characters that the encoding does not have become `?`, and what cannot be written is dropped.
    Streams of another kind (a notebook's, those of a test) stay as they are.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is not io.TextIOWrapper:
            continue
        stream.flush()
        if not isinstance(getattr(stream.buffer, "raw", stream.buffer), io.FileIO):
            stream.reconfigure(errors="replace")  # a console of Windows, which is no file
            continue
        raw = _Patient(stream.fileno(), "w", closefd=False)
        patient = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=stream.encoding,
            errors="replace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, patient)
