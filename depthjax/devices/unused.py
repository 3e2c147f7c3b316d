"""An accelerator that is there while JAX computes on the CPU: JAX itself hardly says so."""

import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import jax

_TPU_SETTINGS = ("COLAB_TPU_ADDR", "TPU_ACCELERATOR_TYPE", "TPU_NAME")


def unused_accelerator(
    devices: Path = Path("/dev"), environment: Mapping[str, str] = os.environ
) -> str:
    """One line, if this machine has a GPU or TPU and JAX does not use it.

    JAX falls back to the CPU where the plugin of an accelerator is missing, or is of another
    version than `jaxlib` (jaxlib's `plugin_support.py`). Whoever asked for the CPU
    (`JAX_PLATFORMS=cpu`) is told nothing.

    Args:
        devices: where Linux lists devices.
        environment: variables of the process.

    Returns:
        What is there and the command that mends it; empty if there is nothing to say.
    """
    if any(devices.glob("nvidia[0-9]*")):
        what, extra = "an NVIDIA GPU", _cuda()
    elif any(devices.glob("accel[0-9]*")) or any(name in environment for name in _TPU_SETTINGS):
        what, extra = "a TPU", "tpu"
    else:
        return ""
    if getattr(jax.config, "jax_platforms", "") == "cpu" or jax.default_backend() != "cpu":
        return ""
    return (
        f"This machine has {what}, but JAX {jax.__version__} computes on the CPU. Run"
        f" pip install 'jax[{extra}]=={jax.__version__}' and restart Python."
    )


def _cuda() -> str:
    """The extra of jax for the CUDA whose plugin is installed already; cuda12 if none is."""
    for extra in ("cuda13", "cuda12"):
        try:
            metadata.version(f"jax-{extra}-plugin")
        except metadata.PackageNotFoundError:
            continue
        return extra
    return "cuda12"
