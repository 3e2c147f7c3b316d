"""Writes `torch_files.npz`: files that `torch.save` wrote, and what `torch.load` reads in them.

Run it from anywhere: `python tests/golden/make_torch_files.py`. See README.md for the layout.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_contents import LEGACY, checkpoint, saved, state_dict


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """The tensor's numbers; float32 for bfloat16, which NumPy's files cannot hold."""
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).contiguous().numpy()


def main() -> None:
    """Saves each content in both formats and writes the file next to this one."""
    small = {"a": torch.arange(4.0), "b": torch.arange(4.0)[1:3]}
    qint = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    contents: dict[str, tuple[Any, dict[str, Any]]] = {
        "state_dict": (state_dict(), {}),
        "checkpoint": (checkpoint(), {}),
        "protocol4": (state_dict(), {"pickle_protocol": 4}),
        "small": (small, {}),
        "module": (torch.nn.Linear(2, 2), {}),
        "sparse": ({**small, "s": torch.eye(2).to_sparse()}, {}),
        "float8": ({**small, "s": torch.ones(2).to(torch.float8_e4m3fn)}, {}),
        "quantised": ({**small, "s": qint}, {}),
        "conjugate": ({**small, "s": torch.ones(2, dtype=torch.complex64).conj()}, {}),
        "negative": ({**small, "s": torch.ones(2, dtype=torch.complex64).conj().imag}, {}),
        "optimizer": ({"optimizer": {"state": {0: torch.ones(2)}}, "epoch": 3}, {}),
        "tensor": (torch.ones(3), {}),
        "list": ([1, 2], {}),
    }
    arrays: dict[str, np.ndarray] = {"versions": np.array([f"torch {torch.__version__}"])}
    for name, (content, options) in contents.items():
        for form, more in (("zip", {}), ("legacy", LEGACY)):
            if form == "legacy" and name == "quantised":
                continue  # NumPy lacks the type of its storage, behind which nothing is found
            data = saved(content, **options, **more)
            arrays[f"{name}/{form}"] = np.frombuffer(data, np.uint8)
    again = torch.load(io.BytesIO(saved(state_dict())), weights_only=True)
    arrays |= {f"expected/{name}": as_array(tensor) for name, tensor in again.items()}
    path = Path(__file__).with_name("torch_files.npz")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
