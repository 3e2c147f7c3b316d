"""Where numbers came from: versions, device, git revision, and the command that made them."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

PACKAGES = ("depthjax", "jax", "jaxlib", "flax", "optax", "numpy", "pillow")
SOURCES = ("torch", "torchvision", "timm", "onnx")
"""Packages that networks are imported from; their versions matter where they were used."""


def command_line(arguments: Sequence[str], *, without: Sequence[str] = ()) -> str:
    """A recorded command as one types it in the checkout, without `--overwrite` and `--resume`.

    Args:
        arguments: `environment()["command"]`, the script first.
        without: names of other flags that are left out, such as those of one machine.
    """
    if not arguments:
        return ""
    script, *rest = arguments
    out = (*_ABOUT_OLDER, *without)
    kept = [
        _FLAG_FILES.sub("", one) for one in rest if one.lstrip("-").partition("=")[0] not in out
    ]
    return shlex.join(["python", f"experiments/{Path(script).name}", *kept])


_FLAG_FILES = re.compile(r"(?<==).*/(?=experiments/flags/)")
_ABOUT_OLDER = ("overwrite", "nooverwrite", "resume", "noresume")


def environment() -> dict[str, Any]:
    """Versions, device, command, git revision, variables of JAX: where numbers came from."""
    device = jax.devices()[0]
    return {
        "command": sys.argv,
        "python": sys.version.split()[0],
        "versions": {
            name: _version(name)
            for name in (*PACKAGES, *(name for name in SOURCES if name in sys.modules))
        },
        "device": f"{device.platform}: {device.device_kind}",
        "devices": jax.device_count(),
        "cores": os.cpu_count(),
        "git_revision": _git_revision(),
        "variables": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(_OF_JAX)
        },
    }


_OF_JAX = ("JAX_", "XLA_", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")
"""Variables of the user's that change numbers or speed; a cache may hold another machine's choice
of algorithms."""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git_revision(checkout: Path = Path(__file__).parents[2]) -> str:
    """The revision of the checkout that this package lies in, marked if it has changes.

    Of a package that was installed into somebody's repository, theirs says nothing.
    """
    if not (checkout / ".git").exists():
        return "unknown"
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() or "unknown"


def where_it_ran(environment: Mapping[str, Any], *, revision: bool = False) -> str:
    """The device and the versions of a run, as the end of a sentence.

    Args:
        environment: of the run, from `environment`.
        revision: whether the git revision is told, too.
    """
    versions = ", ".join(f"{name} {environment['versions'][name]}" for name in ("jax", "flax"))
    tree = f"; revision {environment['git_revision']}" if revision else ""
    return f" on a {environment['device']} ({environment['cores']} cores, {versions}{tree})"
