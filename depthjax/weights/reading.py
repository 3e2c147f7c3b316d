"""Reading of state dicts from files: arrays by name, without running any code from the file."""

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

StateDict = dict[str, np.ndarray]

SUFFIXES = (".safetensors", ".pth", ".pt")
WRAPPERS = ("state_dict", "model", "model_state_dict")
"""The keys under which training scripts store a state dict in a checkpoint."""
_SAFE_TORCH = (2, 6)  # before it, weights_only=True could be made to run code (CVE-2025-32434)


def check_suffix(name: str) -> None:
    """Raises a `ValueError` for a file name with a suffix that is not in `SUFFIXES`."""
    if not name.endswith(SUFFIXES):
        raise ValueError(
            f"weights come from files ending in {', '.join(SUFFIXES)}, not {name!r};"
            " nothing else is ever unpickled"
        )


def read_state_dict(path: str | os.PathLike[str]) -> StateDict:
    """The arrays of a state dict, in PyTorch's layout, with the dtypes of the file.

    `.safetensors` needs only NumPy; `.pth` and `.pt` need PyTorch, whose `weights_only` reader
    refuses everything but tensors. The state dict may be part of a checkpoint (see `WRAPPERS`).

    Raises:
        ValueError: in one line, for another kind of file, a damaged file, or pickled code.
    """
    path = Path(path)
    check_suffix(path.name)
    if not path.is_file():
        raise ValueError(f"{str(path)!r} is no file; give the path of a file of weights")
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if not state:
        raise ValueError(f"{path.name} holds no arrays; save the model's state_dict()")
    return state


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file; empty if there are none."""
    if path.suffix != ".safetensors":
        return {}
    with _open_safetensors(path) as file:
        return file.metadata() or {}


def _read_safetensors(path: Path) -> StateDict:
    with _open_safetensors(path) as file:
        state = {}
        for name in file.keys():  # noqa: SIM118 (the file is not a mapping)
            try:
                state[name] = file.get_tensor(name)
            except Exception as error:  # dtypes that NumPy lacks raise different errors
                kind = file.get_slice(name).get_dtype()
                raise ValueError(
                    f"{path.name} holds {name} as {kind}, which NumPy cannot read; save it as"
                    " float32"
                ) from error
        return state


def _open_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path) -> StateDict:
    torch = _import_torch(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own message recommends weights_only=False; ours must not.
        refused = re.search(r"(?:GLOBAL|class) ['\"]?(\w+\.[\w.]+)", str(error))
        if refused is None:
            raise _damaged(path, "PyTorch's safe reader makes no sense of it") from error
        raise ValueError(
            f"{path.name} holds pickled code ({refused[1]}), not only tensors, and is not loaded;"
            " save the model's state_dict() instead, best as .safetensors"
        ) from error
    except Exception as error:  # zipfile and torch raise many different errors
        raise _damaged(path, error) from error
    state = _unwrap(path, content, torch.Tensor)
    others = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise ValueError(
            f"{path.name} holds no tensors under {_some(others)}; save the model's state_dict()"
        )
    return {name: _array(path, name, tensor, torch) for name, tensor in state.items()}


def _array(path: Path, name: str, tensor: Any, torch: Any) -> np.ndarray:
    try:
        # NumPy has no bfloat16; float32 holds it exactly.
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()
    except (TypeError, RuntimeError) as error:
        raise ValueError(
            f"{path.name} holds {name} as {tensor.dtype} ({tensor.layout}), which NumPy cannot"
            " read; save it dense, as float32"
        ) from error


def _unwrap(path: Path, content: Any, tensor: type) -> Mapping[str, Any]:
    """The state dict in a checkpoint, under nested keys of `WRAPPERS`."""
    while isinstance(content, Mapping):
        if any(isinstance(value, tensor) for value in content.values()):
            return content
        inner = [content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)]
        if not inner:
            break
        content = inner[0]
    kind = _some(content) if isinstance(content, Mapping) else f"a {type(content).__name__}"
    raise ValueError(
        f"{path.name} holds no state dict (names to tensors, also under"
        f" {' or '.join(WRAPPERS)}) but {kind}; save the model's state_dict()"
    )


def _import_torch(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise ValueError(
            f"{path.name} is a file of PyTorch's, which is not installed: pip install torch, or"
            f" convert it where PyTorch is: python -c 'import torch, safetensors.torch as s;"
            f' s.save_file(torch.load("{path.name}", weights_only=True),'
            f' "{path.stem}.safetensors")\''
        ) from error
    version = tuple(int(number) for number in re.findall(r"\d+", torch.__version__)[:2])
    if version < _SAFE_TORCH:
        raise ValueError(
            f"PyTorch {torch.__version__} cannot read {path.name} safely; pip install 'torch>=2.6',"
            " or convert the file to .safetensors"
        )
    return torch


def _damaged(path: Path, error: Exception | str) -> ValueError:
    size = path.stat().st_size if path.is_file() else 0
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return ValueError(
        f"{path.name} ({size} bytes) is damaged or no file of weights: {reason}; get it again"
    )


def _some(names: Any, most: int = 5) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:most]) + (f", … ({len(listed)})" if len(listed) > most else "")
