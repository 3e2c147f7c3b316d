"""Writes `timm.npz`: activations and input gradients of timm's networks, made tiny, in float64.

Run it from anywhere: `python tests/golden/make_timm.py`. See README.md for the layout.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from formula import formula_cotangent, formula_image, formula_state_dict, sample
from torch_peer import import_torchvision

SIZES = {  # network -> (height, width) of its images
    "efficientnet_lite0": (65, 70),
    "tf_efficientnet_lite0": (65, 70),
    "convnext_tiny": (67, 70),
    "vit_tiny_patch16_224": (32, 32),
}
GRADIENTS = {  # the layers of which an input gradient is recorded
    "efficientnet_lite0": ("blocks.1.0",),
    "tf_efficientnet_lite0": ("blocks.2.0",),
    "convnext_tiny": ("stages.1.blocks.0",),
    "vit_tiny_patch16_224": ("blocks.0.attn", "head"),
}
# Of what lies inside blocks only this is recorded.
INSIDES = re.compile(r"blocks\.[01]\.0\.|stages\.1\.|blocks\.0\.(norm|attn|mlp)")
DOES_NOTHING = ("Identity", "Dropout", "Flatten")
WITHIN = ("AdaptiveAvgPool2d",)  # of another module with the same value


def tiny_networks() -> dict[str, torch.nn.Module]:
    """Networks of timm's own code and names, with few weights and 10 classes."""
    from timm.models.convnext import ConvNeXt
    from timm.models.efficientnet import _gen_efficientnet_lite
    from timm.models.vision_transformer import VisionTransformer

    factors: dict[str, Any] = {"channel_multiplier": 0.25, "depth_multiplier": 0.5}
    origins: dict[str, dict[str, Any]] = {
        "efficientnet_lite0": {},
        "tf_efficientnet_lite0": {"bn_eps": 1e-3, "pad_type": "same"},
    }
    return {
        **{
            name: _gen_efficientnet_lite(name, **factors, **origin, num_classes=10)
            for name, origin in origins.items()
        },
        "convnext_tiny": ConvNeXt(depths=(1, 2, 1, 1), dims=(8, 16, 16, 24), num_classes=10),
        "vit_tiny_patch16_224": VisionTransformer(
            img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=10
        ),
    }


def watch(model: torch.nn.Module, seen: Callable[[str, torch.Tensor], None]) -> None:
    """Has `seen` called with the name of each module of timm's that computes, and its output.

    Outputs have the channels last. A BatchNorm of timm's applies the activation, too: its name is
    that of what it has after that, and `bn1.norm` of what it has before.
    """
    for name, module in model.named_modules():
        kind = type(module).__name__
        activation = getattr(model.get_submodule(name.removesuffix(".drop")), "act", None)
        before_activation = name.endswith(".drop") and isinstance(activation, torch.nn.ReLU6)
        containers = ("Sequential", "ConvNeXtStage", type(model).__name__)
        skipped = kind in (*DOES_NOTHING, *WITHIN, *containers)
        if before_activation or not skipped:
            known = name.replace(".drop", ".norm") if before_activation else name
            module.register_forward_hook(
                lambda m, i, output, known=known: seen(known, channels_last(known, output))
            )


def channels_last(name: str, output: torch.Tensor) -> torch.Tensor:
    """`[B, C, H, W]` -> `[B, H, W, C]`; within its blocks, ConvNeXt has them last already."""
    inside = re.search(r"stages.*\.(norm|mlp)", name)
    return output.movedim(1, -1) if output.ndim == 4 and not inside else output


def record(name: str, model: torch.nn.Module, image: np.ndarray) -> dict[str, np.ndarray]:
    """One network on one image: `activations/LAYER` and `gradients/LAYER`, [norm, entries...]."""
    activations: dict[str, np.ndarray] = {}
    products: dict[str, torch.Tensor] = {}

    def seen(layer: str, output: torch.Tensor) -> None:
        if not re.search(r"blocks\.[\d.]+[a-z]", layer) or INSIDES.match(layer):
            activations[f"activations/{layer}"] = np.hstack(sample(output.detach().numpy(), 16))
        if layer in GRADIENTS[name]:
            cotangent = torch.from_numpy(formula_cotangent((output.numel(),)))
            products[layer] = (output.reshape(-1) * cotangent).sum()

    watch(model, seen)
    images = torch.from_numpy(image).requires_grad_()
    model(images)
    gradients = {}
    for layer in GRADIENTS[name]:
        (gradient,) = torch.autograd.grad(products[layer], images, retain_graph=True)
        entries = sample(gradient.movedim(1, -1).numpy(), 64)
        gradients[f"gradients/{layer}"] = np.hstack(entries)
    return activations | gradients


def main() -> None:
    """Runs every network and writes the file next to this one."""
    import_torchvision()
    import timm

    versions = [f"torch {torch.__version__}", f"timm {timm.__version__}"]
    arrays: dict[str, np.ndarray] = {"versions": np.array(versions)}
    for name, model in tiny_networks().items():
        shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
        model = model.double().eval().requires_grad_(False)
        weights = formula_state_dict(shapes)
        model.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
        records = record(name, model, formula_image(*SIZES[name]))
        arrays |= {f"{name}/{key}": v for key, v in records.items()}
        norms = [float(v[0]) for v in records.values()]
        print(f"{name:22} {len(records)} arrays, norms {min(norms):.3g} to {max(norms):.3g}")
    path = Path(__file__).with_name("timm.npz")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
