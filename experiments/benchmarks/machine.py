"""Where numbers were measured, and how many operations a second it could make at most."""

import os
import platform
from pathlib import Path
from typing import Any

import depthjax.folders.environment

_PEAKS: dict[str, dict[str, float]] = {
    # Part of the device's kind -> dense operations per second by precision, from data sheets.
    # What is listed first wins.
    "H200": {"float32": 67e12, "tf32": 494e12, "bfloat16": 989e12},
    "H100 PCIe": {"float32": 51e12, "tf32": 378e12, "bfloat16": 756e12},
    "H100": {"float32": 67e12, "tf32": 494e12, "bfloat16": 989e12},
    "A100": {"float32": 19.5e12, "tf32": 156e12, "bfloat16": 312e12},
    "L40S": {"float32": 91.6e12, "tf32": 183e12, "bfloat16": 362e12},
    "L4": {"float32": 30.3e12, "tf32": 60e12, "bfloat16": 121e12},
    "A10": {"float32": 31.2e12, "tf32": 62.5e12, "bfloat16": 125e12},
    "V100": {"float32": 15.7e12},
    "T4": {"float32": 8.1e12},
}


IDENTITY = (
    *("device", "devices", "processor", "cores", "usable_cores", "huge_pages"),
    *("python", "versions", "git_revision"),
)
"""What of `describe` must be the same for numbers to belong together."""


def data_sheet_peak(device: str, precision: str) -> float | None:
    """Operations per second of an accelerator by its kind, None if it is not in our table.

    Args:
        device: such as `gpu: NVIDIA H200`.
        precision: of `depthjax.devices.precision.PRECISIONS`.
    """
    for kind, peaks in _PEAKS.items():
        if kind in device:
            return peaks.get(precision)
    return None


def describe() -> dict[str, Any]:
    """Versions, device, command and git revision, and what else makes a machine fast or slow."""
    return depthjax.folders.environment.environment() | {
        "processor": _processor(),
        "memory_gb": _memory() / 1e9,
        "huge_pages": _read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "load": os.getloadavg()[0],
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }


def _processor() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"
