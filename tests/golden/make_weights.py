"""Writes `weights.npz`: the names and shapes of torchvision's and timm's state dicts, and logits.

Run it from anywhere: `python tests/golden/make_weights.py`. See README.md for the layout.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from formula import formula_image, formula_state_dict
from torch_peer import import_torchvision

FAMILIES = ("resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d", "vgg16", "vgg16_bn")


def small_timm_networks() -> dict[str, torch.nn.Module]:
    """Shallow networks of each family: timm's own code and names, few weights."""
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet
    from timm.models.vgg import VGG

    shallow: dict[str, Any] = {"layers": (1, 1, 1, 1), "num_classes": 10}
    vgg: dict[str, Any] = {"cfg": (4, "M", 8, "M"), "num_classes": 10}
    return {
        "resnet18": ResNet(BasicBlock, **shallow),
        "resnet50": ResNet(Bottleneck, **shallow),
        "wide_resnet50_2": ResNet(Bottleneck, base_width=128, **shallow),
        "resnext50_32x4d": ResNet(Bottleneck, cardinality=32, base_width=4, **shallow),
        "vgg16": VGG(**vgg),
        "vgg16_bn": VGG(norm_layer=torch.nn.BatchNorm2d, **vgg),
    }


def shapes_of(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """The names of a state dict with their shapes."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def main() -> None:
    """Asks both libraries and writes the file next to this one."""
    torchvision = import_torchvision()
    import timm

    versions = [f"{module.__name__} {module.__version__}" for module in (torch, torchvision, timm)]
    arrays: dict[str, np.ndarray] = {"versions": np.array(versions)}
    for name in FAMILIES:
        with torch.device("meta"):  # shapes only
            shapes = shapes_of(getattr(torchvision.models, name)())
        arrays[f"torchvision/{name}/shapes"] = np.array(json.dumps(shapes))
    for name, model in small_timm_networks().items():
        shapes = shapes_of(model)
        weights = formula_state_dict(shapes)
        model = model.double().eval().requires_grad_(False)
        model.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
        logits = model(torch.from_numpy(formula_image(29, 31, batch=2))).numpy()
        arrays[f"timm/{name}/shapes"] = np.array(json.dumps(shapes))
        arrays[f"timm/{name}/logits"] = logits
        print(f"{name:16} {len(shapes)} arrays, logits of norm {np.linalg.norm(logits):.3g}")
    path = Path(__file__).with_name("weights.npz")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
