"""Writes `activations.npz`: activations and input gradients of torchvision's networks, in float64.

Run it from anywhere: `python tests/golden/make_activations.py`. See README.md for the layout.
"""

import time
from pathlib import Path

import numpy as np
import torch
from formula import formula_cotangent, formula_image, formula_state_dict, sample
from torch_peer import import_torchvision

SIZES: dict[str, tuple[tuple[int, int], ...]] = {  # network -> (height, width) of its images
    "resnet18": ((65, 71), (64, 64), (97, 33)),
    "resnet50": ((65, 71),),
    "resnet152": ((65, 71),),
    "wide_resnet50_2": ((65, 71),),
    "resnext50_32x4d": ((65, 71),),
    "vgg11": ((65, 71),),
    "vgg16": ((65, 71),),
    "vgg16_bn": ((65, 71),),
}
VGG_GRADIENTS = {  # the second pooling and a convolution half way down
    "vgg11": ("features.5", "features.11", "avgpool", "classifier.6"),
    "vgg16": ("features.9", "features.21", "avgpool", "classifier.6"),
    "vgg16_bn": ("features.13", "features.30", "avgpool", "classifier.6"),
}


def recorded_layers(name: str, model: torch.nn.Module) -> tuple[list[str], tuple[str, ...]]:
    """The layers whose activation, and those whose input gradient, is recorded."""
    modules = [n for n, module in model.named_modules()]
    if name in VGG_GRADIENTS:
        return [n for n in modules if "." in n or n == "avgpool"], VGG_GRADIENTS[name]
    parts = ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample.0", "downsample.1")
    inside = {f"layer{stage}.0.{part}" for stage in range(1, 5) for part in parts}
    stem_and_head = {"conv1", "bn1", "relu", "maxpool", "avgpool", "fc"}
    blocks = {n for n in modules if n.startswith("layer") and n.count(".") == 1}
    last = [n for n in modules if n in blocks and n.startswith("layer3")][-1]
    wanted = inside | stem_and_head | blocks
    return [n for n in modules if n in wanted], ("layer1.0", "layer2.0.conv2", last, "fc")


def record(name: str, model: torch.nn.Module, image: np.ndarray) -> dict[str, np.ndarray]:
    """One network on one image: `activations/LAYER` and `gradients/LAYER`, [norm, entries...].

    Everything is taken within the hooks, before an in-place operation overwrites the output.
    """
    activations: dict[str, np.ndarray] = {}
    products: dict[str, torch.Tensor] = {}
    layers, with_gradient = recorded_layers(name, model)

    def hook(layer: str, output: torch.Tensor) -> None:
        activations[f"activations/{layer}"] = np.hstack(sample(output.detach().numpy()))
        if layer in with_gradient:
            cotangent = torch.from_numpy(formula_cotangent(tuple(output.shape)))
            products[layer] = (output * cotangent).sum()

    handles = [
        model.get_submodule(layer).register_forward_hook(lambda m, i, out, n=layer: hook(n, out))
        for layer in layers
    ]
    images = torch.from_numpy(image).requires_grad_()
    model(images)
    for handle in handles:
        handle.remove()
    assert len(activations) == len(layers), "a layer did not run"
    gradients = {}
    for layer in with_gradient:
        (gradient,) = torch.autograd.grad(products[layer], images, retain_graph=True)
        gradients[f"gradients/{layer}"] = np.hstack(sample(gradient.numpy(), 256))
    return activations | gradients


def main() -> None:
    """Runs every network and writes the file next to this one."""
    torchvision = import_torchvision()
    versions = [f"torch {torch.__version__}", f"torchvision {torchvision.__version__}"]
    arrays: dict[str, np.ndarray] = {"versions": np.array(versions)}
    for name, sizes in SIZES.items():
        begin = time.perf_counter()
        with torch.device("meta"):  # shapes only: the weights come from the formula
            model = getattr(torchvision.models, name)(num_classes=10).eval()
        shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
        weights = formula_state_dict(shapes)
        state = {key: torch.from_numpy(value) for key, value in weights.items()}
        model.load_state_dict(state, strict=True, assign=True)
        model.requires_grad_(False)
        norms: list[float] = []
        for height, width in sizes:
            records = record(name, model, formula_image(height, width))
            norms += [float(v[0]) for v in records.values()]
            arrays |= {f"{name}/{height}x{width}/{key}": v for key, v in records.items()}
        seconds = time.perf_counter() - begin
        print(f"{name:16} norms {min(norms):.3g} to {max(norms):.3g}, {seconds:.1f} s", flush=True)
    path = Path(__file__).with_name("activations.npz")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
