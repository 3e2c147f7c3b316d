"""The most memory that a process has held."""

import resource
import sys
from pathlib import Path


def peak_of_process() -> int:
    """Bytes of main memory."""
    try:
        # A child's ru_maxrss begins at what its parent held when it was started; this does not.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
