"""Names of `efficientnet_pytorch`; those of timm's VGGs are tested with its recorded logits."""

import numpy as np

import depthjax
from depthjax.weights.fitting import fit, torch_shapes
from depthjax.weights.renaming import weight_spellings

_MOMENTS = ("weight", "bias", "running_mean", "running_var")


def their_names() -> list[str]:
    """Of EfficientNet-Lite0: 16 blocks, of which the first does not expand."""
    convolutions, norms = ["_conv_stem", "_conv_head"], ["_bn0", "_bn1"]
    for block in range(16):
        name = f"_blocks.{block}"
        convolutions += [f"{name}._depthwise_conv", f"{name}._project_conv"]
        norms += [f"{name}._bn1", f"{name}._bn2"]
        if block > 0:
            convolutions.append(f"{name}._expand_conv")
            norms.append(f"{name}._bn0")
    weights = [f"{name}.weight" for name in convolutions]
    weights += [f"{name}.{moment}" for name in norms for moment in _MOMENTS]
    return [*weights, "_fc.weight", "_fc.bias"]


def test_every_weight_of_efficientnet_pytorch_finds_its_place() -> None:
    model = depthjax.build_model("tf_efficientnet_lite0")
    shapes, names = torch_shapes(model, 224), their_names()
    theirs = {name: spellings[-1] for name, spellings in weight_spellings(shapes).items()}
    assert sorted(theirs.values()) == sorted(names)
    places = {
        "bn2.bias": "_bn1.bias",
        "blocks.0.0.conv_pw.weight": "_blocks.0._project_conv.weight",
        "blocks.0.0.bn1.weight": "_blocks.0._bn1.weight",
        "blocks.2.1.conv_pw.weight": "_blocks.4._expand_conv.weight",
        "blocks.2.1.bn3.running_var": "_blocks.4._bn2.running_var",
        "blocks.6.0.conv_dw.weight": "_blocks.15._depthwise_conv.weight",
    }
    assert {name: theirs[name] for name in places} == places
    state = {
        f"module.{theirs[name]}": np.full(shape, index, np.float32)
        for index, (name, shape) in enumerate(shapes.items())
    }
    fitting = fit(model, state)
    values = {name: float(array.flat[0]) for name, array in fitting.state.items()}
    assert values == {name: float(index) for index, name in enumerate(shapes)}
