"""Compiled programs, kept for the next run on a machine like this one."""

import hashlib
import os
import platform
import warnings
from contextlib import suppress
from pathlib import Path

import jax
import jaxlib

from depthjax.files import cache_folder

MAX_BYTES = 2 * 2**30
"""How much is kept; the oldest programs go first."""


def enable_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, unless JAX was given another one.

    Where that folder is not known or cannot be written, programs are compiled again in every run.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    # That nothing can be kept is no fault of the run, and JAX says it once for every program.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    with suppress(ValueError, OSError):
        folder = cache_folder() / "xla" / machine()
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK):
            return
        keep_newest(folder.parent, MAX_BYTES)
        jax.config.update("jax_compilation_cache_dir", str(folder))
        # The default keeps nothing that compiled in under a second, which is most of what we run.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def machine() -> str:
    """A name for machines that can run each other's programs: jaxlib's version and the processor.

    A home folder may be shared by machines of several kinds, and a program for one may crash on
    another.
    """
    features = platform.processor()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        names = ("model name", "flags", "Features")  # of x86 and of ARM
        features = "".join(sorted({line for line in lines if line.startswith(names)}))
    digest = hashlib.sha256(features.encode()).hexdigest()[:12]
    return f"jaxlib-{jaxlib.__version__}-{platform.machine()}-{digest}"


def keep_newest(folder: Path, most: int) -> None:
    """Removes the files that were not used for longest, until no more than `most` bytes are left.

    Args:
        folder: also within its folders.
        most: bytes.
    """
    files = []
    for path in folder.rglob("*"):
        with suppress(OSError):  # another process may remove it, too
            if path.is_file():
                known = path.stat()
                files.append((max(known.st_atime, known.st_mtime), known.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= most:
            return
        with suppress(OSError):
            path.unlink()
            total -= size
