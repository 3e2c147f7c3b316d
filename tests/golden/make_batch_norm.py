"""Writes `batch_norm.npz`: two training steps of PyTorch's BatchNorm2d, with gradients.

Run it from anywhere: `python tests/golden/make_batch_norm.py`. See README.md for the layout.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden.formula import formula_cotangent, formula_image, formula_state_dict

LEAVES = ("weight", "bias", "running_mean", "running_var")


def torch_steps() -> dict[str, np.ndarray]:
    """`STEP/NAME` -> float64 array: outputs, statistics after the step, gradients."""
    norm = torch.nn.BatchNorm2d(3).double().train()
    state = formula_state_dict({f"n.{leaf}": (3,) for leaf in LEAVES})
    norm.load_state_dict(
        {name.removeprefix("n."): torch.from_numpy(array) for name, array in state.items()},
        strict=False,  # num_batches_tracked
    )
    arrays: dict[str, np.ndarray] = {}
    for step in range(2):
        images = 4 * formula_image(4, 5 + step, batch=2)[..., :5] - 1
        x = torch.from_numpy(np.ascontiguousarray(images)).requires_grad_()
        y = norm(x)
        product = (y * torch.from_numpy(formula_cotangent(images.shape))).sum()
        found = torch.autograd.grad(product, (x, norm.weight, norm.bias))
        names = ("x_gradient", "weight_gradient", "bias_gradient")
        arrays |= {f"{step}/{n}": g.numpy() for n, g in zip(names, found, strict=True)}
        arrays[f"{step}/y"] = y.detach().numpy()
        for name in ("running_mean", "running_var"):
            arrays[f"{step}/{name}"] = getattr(norm, name).detach().numpy().copy()
    return arrays


def main() -> None:
    """Asks PyTorch and writes the file next to this one."""
    arrays = torch_steps()
    arrays["versions"] = np.array([f"torch {torch.__version__}"])
    path = Path(__file__).with_name("batch_norm.npz")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
