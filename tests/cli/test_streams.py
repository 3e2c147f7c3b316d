"""Output that cannot be shown: no error, and no other exit status."""

import io
import subprocess
import sys

import pytest

from depthjax.cli import streams

# The module alone: the package takes seconds to import.
PRINT = f"""
import runpy, sys
runpy.run_path("{streams.__file__}")["make_patient"]()
print("ρ × σ – end")
print("ρ", file=sys.stderr)
for _ in range(20_000):
    print("a line of a table")
print("done", file=sys.stderr)
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_characters_that_an_encoding_does_not_have(encoding, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    ran = subprocess.run([sys.executable, "-c", PRINT], capture_output=True, timeout=60)
    wanted = "ρ × σ – end".encode(encoding, "replace")
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[0] == wanted
    assert ran.stderr.endswith(b"done\n")


def test_a_console_that_is_no_file_stays_what_it_is(monkeypatch):
    """That of Windows takes UTF-16 by a call of its own; the bytes of its handle are another's."""

    class Console(io.RawIOBase):
        shown = b""

        def writable(self):
            return True

        def write(self, data):
            self.shown += bytes(data)
            return len(data)

        def fileno(self):
            return 1

    console = Console()
    stream = io.TextIOWrapper(io.BufferedWriter(console), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    streams.make_patient()
    assert sys.stdout is stream
    print("ρ ends", flush=True)
    assert console.shown == b"? ends\n"


def test_a_reader_that_has_gone_does_not_end_the_work():
    command = f"{sys.executable} -c '{PRINT}' | head -n 1; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and ran.stdout.count("\n") == 1
    assert ran.stderr == "ρ\ndone\n"


def test_a_disk_that_is_full_does_not_end_the_work():
    with open("/dev/full", "wb") as full:
        ran = subprocess.run([sys.executable, "-c", PRINT], stdout=full, stderr=full, timeout=60)
    assert ran.returncode == 0
