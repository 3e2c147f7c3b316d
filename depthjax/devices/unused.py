"""An accelerator that is there while JAX computes on the CPU: JAX itself hardly says so."""

import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import jax

_TPU_SETTINGS = ("COLAB_TPU_ADDR", "TPU_ACCELERATOR_TYPE", "TPU_NAME")


def unused_accelerator(
    devices: Path = Path("/dev"),
    environment: Mapping[str, str] = os.environ,
    *,
    ask_jax: bool = True,
) -> str:
    """One line, if this machine has a GPU or TPU and JAX does not use it.

    JAX falls back to the CPU where the plugin of an accelerator is missing, or is of another
    version than `jaxlib` (jaxlib's `plugin_support.py`). Whoever asked for the CPU
    (`JAX_PLATFORMS=cpu`) is told nothing.

    Args:
        devices: where Linux lists devices.
        environment: variables of the process.
        ask_jax: whether JAX says what it uses, which takes the device: a TPU has room for one
            process. Otherwise it counts as used if a package for it is installed.

    Returns:
        What is there and the command that mends it; empty if there is nothing to say.
    """
    packages: tuple[str, ...]
    if any(devices.glob("nvidia[0-9]*")):
        what, extra, packages = "an NVIDIA GPU", _cuda(), _CUDA
    elif any(devices.glob("accel[0-9]*")) or any(name in environment for name in _TPU_SETTINGS):
        what, extra, packages = "a TPU", "tpu", ("libtpu",)
    else:
        return ""
    if getattr(jax.config, "jax_platforms", "") == "cpu":
        return ""
    if jax.default_backend() != "cpu" if ask_jax else any(map(_is_installed, packages)):
        return ""
    return (
        f"This machine has {what}, but JAX {jax.__version__} computes on the CPU. Run"
        f" pip install 'jax[{extra}]=={jax.__version__}' and restart Python."
    )


_CUDA = ("jax-cuda13-plugin", "jax-cuda12-plugin")


def _cuda() -> str:
    """The extra of jax for the CUDA whose plugin is installed already; cuda12 if none is."""
    return "cuda13" if _is_installed(_CUDA[0]) else "cuda12"


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
