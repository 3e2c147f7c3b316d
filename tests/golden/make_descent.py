"""Writes `descent.npz`: the paper's inversion loop in PyTorch, 20 steps, in float64.

The recipe of Badger, arXiv 2211.06496: gradient descent on the input of c · Σ|O(a) - O(a_n)|, plain
steps at a rate that is linear in n/N, each followed by a 3x3 Gaussian blur whose sigma is linear in
n/N. Run it from anywhere: `python tests/golden/make_descent.py`. See README.md for the layout.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from formula import formula_image, formula_start, formula_state_dict
from torch_peer import import_torchvision

SCALES = {"conv1": 0.15, "layer1": 0.15, "layer2": 0.15, "layer4": 0.15}  # layer -> c
STEPS = 20
SIZE = 64
ROBUSTNESS = 1e-8  # the most that a start moved by 1e-13 may move either distance, relative


class Setting(NamedTuple):
    """One schedule: at step n the rate is start + (end - start) · n / total, so is sigma."""

    total: int
    rates: tuple[float, float]
    sigmas: tuple[float, float] | None


SETTINGS = {
    "blur": Setting(500, (0.1, 0.1), (2.4, 0.4)),
    "no_blur": Setting(500, (0.1, 0.1), None),
    "annealed": Setting(20, (0.1, 1e-4), (2.4, 0.4)),
}


def descend(
    layer: Callable[[torch.Tensor], torch.Tensor],
    blur: Callable[..., torch.Tensor],
    setting: Setting,
    scale: float,
    target: torch.Tensor,
    start: torch.Tensor,
) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Runs the loop: embedding and input distances at steps 0..STEPS, and the last image."""
    with torch.no_grad():
        wanted = layer(target)
    image = start
    embedding_distances, input_distances = [], []
    for step in range(STEPS + 1):
        image = image.detach().requires_grad_()
        difference = wanted - layer(image)
        embedding_distances.append(difference.detach().norm().item())
        input_distances.append((target - image).detach().norm().item())
        if step == STEPS:
            break
        (gradient,) = torch.autograd.grad(scale * difference.abs().sum(), image)
        done = step / setting.total
        first, last = setting.rates
        image = image.detach() - (first + (last - first) * done) * gradient
        if setting.sigmas is not None:
            first, last = setting.sigmas
            image = blur(image, kernel_size=3, sigma=first + (last - first) * done)
    return np.array(embedding_distances), np.array(input_distances), image.detach()


def main() -> None:
    """Runs every setting at every layer, checks its robustness and writes the file."""
    torchvision = import_torchvision()
    blur = torchvision.transforms.functional.gaussian_blur
    versions = [f"torch {torch.__version__}", f"torchvision {torchvision.__version__}"]
    arrays: dict[str, np.ndarray] = {"versions": np.array(versions)}
    with torch.device("meta"):  # shapes only: the weights come from the formula
        model = torchvision.models.resnet50(num_classes=10).eval()
    weights = formula_state_dict({k: tuple(v.shape) for k, v in model.state_dict().items()})
    state = {key: torch.from_numpy(value) for key, value in weights.items()}
    model.load_state_dict(state, strict=True, assign=True)
    model.requires_grad_(False)
    children = dict(model.named_children())
    target = torch.from_numpy(formula_image(SIZE, SIZE))
    start = torch.from_numpy(formula_start(SIZE, SIZE))
    noise = np.random.RandomState(0).random_sample(tuple(start.shape)) * 2 - 1
    moved = start * (1 + 1e-13 * torch.from_numpy(noise))
    for name, scale in SCALES.items():
        depth = list(children).index(name) + 1
        layer = torch.nn.Sequential(*list(children.values())[:depth])
        for kind, setting in SETTINGS.items():
            begin = time.perf_counter()
            m_g, m_i, _ = descend(layer, blur, setting, scale, target, start)
            m_g2, m_i2, _ = descend(layer, blur, setting, scale, target, moved)
            drift = float(np.maximum(abs(m_g2 / m_g - 1), abs(m_i2 / m_i - 1)).max())
            print(
                f"{kind:8} {name:6} c {scale:g} m_g {m_g[0]:.6g} -> {m_g[-1]:.6g} "
                f"m_i {m_i[0]:.6g} -> {m_i[-1]:.6g} drift {drift:.1e}, "
                f"{time.perf_counter() - begin:.1f} s",
                flush=True,
            )
            if not drift < ROBUSTNESS:
                raise ArithmeticError(f"{kind} at {name} is not robust: choose a smaller c")
            arrays[f"{kind}/{name}/c"] = np.array(scale)
            arrays[f"{kind}/{name}/m_g"] = m_g
            arrays[f"{kind}/{name}/m_i"] = m_i
    path = Path(__file__).with_name("descent.npz")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
