"""Imported networks beside PyTorch's, layer by layer."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from parity import compare, gradient_difference

import depthjax
from depthjax.compat import enable_x64
from depthjax.importing.torch import from_torch
from depthjax.importing.torch.registry import RULES

NETWORKS = (
    *("torchvision:resnet18", "torchvision:densenet121", "torchvision:shufflenet_v2_x0_5"),
    *("torchvision:mobilenet_v3_small", "torchvision:googlenet", "torchvision:swin_t"),
    *("timm:convnext_atto", "timm:vit_tiny_patch16_224", "timm:xcit_nano_12_p16_224"),
    *("timm:regnetx_002", "timm:ghostnet_050", "timm:levit_128s", "timm:mixer_s32_224"),
)
GRADIENTS = ("torchvision:resnet18", "torchvision:squeezenet1_1", "timm:vit_tiny_patch16_224")


@pytest.mark.parametrize("source", NETWORKS)
def test_all_modules_and_weights(source: str) -> None:
    found = compare(source)
    assert not found.differing
    assert found.modules > 10
    assert found.output < 1e-4


@pytest.mark.parametrize("source", GRADIENTS)
def test_gradients_in_float64(source: str) -> None:
    with enable_x64(True):
        assert gradient_difference(source) < 1e-8


@pytest.mark.parametrize("source", ["torchvision:resnet18", "timm:vit_tiny_patch16_224"])
def test_the_state_dict_comes_back(source: str) -> None:
    found = compare(source)
    assert found.weights == found.state


class Branching(torch.nn.Module):
    """Its control flow depends on values."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


class Sorting(torch.nn.Module):
    """It uses operations that no rule knows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svdvals(torch.sort(x).values)


def test_what_cannot_be_imported() -> None:
    example = torch.zeros(1, 3, 8, 8)
    with pytest.raises(ValueError, match=r"cannot export Branching.*must not branch"):
        from_torch(Branching(), example)
    with pytest.raises(ValueError, match=r"not supported: .*sort"):
        from_torch(Sorting(), example)
    with pytest.raises(ValueError, match=r"takes a torch.nn.Module as Python has it, not dict"):
        from_torch({}, example)
    with pytest.raises(ValueError, match=r"\[batch, channels, height, width\]"):
        from_torch(torch.nn.ReLU(), torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match=r"\[0, 3, 8, 8\], which is no image"):
        from_torch(torch.nn.ReLU(), torch.zeros(0, 3, 8, 8))
    with pytest.raises(ValueError, match=r"Conv2d has no numbers in weight, which is on .* meta"):
        from_torch(torch.nn.Conv2d(3, 4, 3, device="meta"), example)
    with pytest.raises(ValueError, match=r"has not made 0\.weight yet, which is lazy; run it once"):
        from_torch(torch.nn.Sequential(torch.nn.LazyConv2d(4, 3)), example)
    with pytest.raises(ValueError, match=r"to have 4 channels, but got 3 channels instead$"):
        from_torch(torch.nn.Conv2d(4, 4, 3), example)  # nothing of values of tensors


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_an_example_may_be_an_array(dtype: Any) -> None:
    class Pixels(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.float() * 2

    for module in (Pixels(), *([Small()] if dtype != np.uint8 else [])):
        example = np.zeros((1, 3, 8, 8), dtype)
        given = from_torch(module, example)[0]
        kind = torch.uint8 if dtype == np.uint8 else torch.float32
        assert given == from_torch(module, torch.zeros(1, 3, 8, 8, dtype=kind))[0]


class Small(torch.nn.Module):
    """A network of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU()
        )
        self.head = torch.nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))


def test_what_runs_a_module_is_no_part_of_it() -> None:
    example = torch.zeros(1, 3, 8, 8)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(inplace=True))
    for wrapped in (torch.compile(module), torch.nn.DataParallel(module)):
        network, variables = from_torch(wrapped, example)
        assert depthjax.layer_names(network) == ("0", "1")
        assert list(variables["params"]) == ["0"]
    with pytest.raises(ValueError, match=r"as Python has it, not RecursiveScriptModule"):
        from_torch(torch.jit.script(module), example)
    with pytest.raises(ValueError, match=r"its weights are torch\.float16.*module\.float\(\)"):
        from_torch(module.half(), example)


def test_layers_of_an_imported_network_are_layers() -> None:
    module = Small()
    model, variables = from_torch(module, torch.zeros(1, 3, 8, 8))
    assert module.training  # as it was
    assert depthjax.layer_names(model)[-1] == "head"
    assert model == from_torch(module, torch.zeros(1, 3, 8, 8))[0]
    layer = depthjax.Layer(model, "body")
    images = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 8, 8, 3)), jnp.float32)
    prepared, weights = layer.prepare(variables)
    with torch.no_grad():
        expected = module.eval().body(torch.tensor(np.asarray(images).transpose(0, 3, 1, 2)))
    for embedding in (layer(variables, images), jax.jit(prepared)(weights, images)):
        assert embedding.shape == (2, 8, 8, 4)
        np.testing.assert_allclose(
            embedding, expected.numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6
        )
    larger = jnp.zeros((1, 12, 10, 3))
    assert layer(variables, larger).shape == (1, 12, 10, 4)


@pytest.mark.parametrize("name", ["input", "params"])
def test_a_module_may_be_named_as_the_images_are(name: str) -> None:
    """A block of that name, and a module with weights."""
    for inner in (torch.nn.Conv2d(3, 3, 3), torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3))):
        module = torch.nn.Sequential()
        module.add_module(name, inner)
        module.add_module("head", torch.nn.Conv2d(3, 4, 3))
        model, variables = from_torch(module, torch.zeros(1, 3, 8, 8))
        x = torch.rand(2, 3, 8, 8)
        images = jnp.asarray(x.numpy().transpose(0, 2, 3, 1))
        with torch.no_grad():
            expected = {name: inner(x), "head": module(x)}
        for layer, theirs in expected.items():
            ours = depthjax.Layer(model, layer)(variables, images)
            np.testing.assert_allclose(ours, theirs.numpy().transpose(0, 2, 3, 1), atol=1e-5)
        assert depthjax.to_torch_state_dict(variables, model).keys() == module.state_dict().keys()


def test_a_module_that_takes_bytes_gets_pixels_from_0_to_255() -> None:
    class Converting(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x.float() - 128).relu()

    x = torch.arange(192, dtype=torch.uint8).reshape(1, 3, 8, 8)
    model, variables = from_torch(Converting(), x)
    images = jnp.asarray(x.numpy().transpose(0, 2, 3, 1) / 255, jnp.float32)
    ours = depthjax.Layer(model, "relu")(variables, images)
    np.testing.assert_allclose(
        ours, Converting()(x).numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-4
    )
    with pytest.raises(
        ValueError, match=r"Converting: it takes images of int64, and only of uint8"
    ):
        from_torch(Converting(), x.long())


class Sharing(torch.nn.Module):
    """A module of two names, called twice, and a weight of its in another one."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.b = self.a
        self.c = torch.nn.Conv2d(3, 3, 3, padding=1)
        self.c.weight = self.a.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(self.b(self.a(x).relu()))


def test_shared_weights_come_back_under_all_names() -> None:
    module = Sharing()
    model, variables = from_torch(module, torch.zeros(1, 3, 8, 8))
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    assert depthjax.to_torch_state_dict(variables, model).keys() == state.keys()
    loaded = depthjax.load_weights(model, state)
    assert jax.tree.structure(loaded) == jax.tree.structure(variables)
    jax.tree.map(np.testing.assert_array_equal, loaded, variables)


def test_transposed_convolutions_come_back() -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2),
        torch.nn.ConvTranspose2d(6, 5, (3, 2), (2, 1), dilation=2),
    )
    model, variables = from_torch(module, torch.zeros(1, 3, 8, 8))
    assert depthjax.layer_names(model) == ("0", "1", "2")
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    loaded = depthjax.load_weights(model, state)
    jax.tree.map(np.testing.assert_array_equal, loaded, variables)
    again = depthjax.to_torch_state_dict(variables, model)
    assert again.keys() == state.keys()
    jax.tree.map(np.testing.assert_array_equal, again, state)
    module.load_state_dict({name: torch.tensor(array) for name, array in again.items()})
    x = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        expected = module(x).numpy().transpose(0, 2, 3, 1)
    ours = depthjax.Layer(model, "2")(variables, jnp.asarray(x.numpy().transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(ours, expected, atol=1e-5)


class Lines(torch.nn.Module):
    """Convolutions over one axis: of pixels, back to more of them, and of the channels' means."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv1d(3, 4, 3, 2, 1)
        self.back = torch.nn.ConvTranspose1d(4, 6, 3, 2, 1, groups=2)
        self.attention = torch.nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.back(self.conv(x.flatten(2)))
        return y * self.attention(y.mean(2)[:, None]).sigmoid().mT


def test_convolutions_over_one_axis_come_back() -> None:
    module = Lines()
    model, variables = from_torch(module, torch.zeros(1, 3, 4, 5))
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    loaded = depthjax.load_weights(model, state)
    jax.tree.map(np.testing.assert_array_equal, loaded, variables)
    again = depthjax.to_torch_state_dict(variables, model)
    jax.tree.map(np.testing.assert_array_equal, again, state)
    x = torch.rand(2, 3, 4, 5)
    with torch.no_grad():
        expected = module(x).numpy().transpose(0, 2, 1)
    layer = depthjax.Layer(model, depthjax.layer_names(model)[-1])
    prepared, weights = layer.prepare(variables)
    images = jnp.asarray(x.numpy().transpose(0, 2, 3, 1))
    for ours in (layer(variables, images), prepared(weights, images)):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


class Gated(torch.nn.Module):
    """A block that returns features and their gate, in either order, or in a dict."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.gate = torch.nn.Conv2d(8, 1, 1)

    def forward(self, x: torch.Tensor) -> Any:
        y = self.conv(x).relu()
        gate = torch.sigmoid(self.gate(y))
        if self.how == "dict":
            return {"features": y, "gate": gate}
        return (gate, y) if self.how == "gate first" else (y, gate)


class Returning(torch.nn.Module):
    """It uses what the block returns, all or the first of it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.block = how, Gated(how)
        self.head = torch.nn.Conv2d(1 if how == "gate first" else 8, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.block(x).values() if self.how == "dict" else self.block(x)
        if self.how == "only the first":
            return self.head(first)
        z = self.head(first) * second.mean(1, keepdim=True)
        return self.head(next(iter(self.block(z)))) if self.how == "twice" else z


@pytest.mark.parametrize("how", ["gate last", "gate first", "dict", "only the first", "twice"])
def test_a_block_of_several_outputs_is_its_first(how: str) -> None:
    module = Returning(how)
    x = torch.rand(2, 3, 8, 8)
    given: list[Any] = []
    module.block.register_forward_hook(lambda _, __, out: given.append(out))
    with torch.no_grad():
        module(x)
    module.block._forward_hooks.clear()
    model, variables = from_torch(module, x[:1])
    images = jnp.asarray(x.numpy().transpose(0, 2, 3, 1))
    for name, outputs in zip(["block", "block_1"], given, strict=False):
        first = next(iter(outputs.values() if how == "dict" else outputs))
        ours = depthjax.Layer(model, name)(variables, images)
        np.testing.assert_allclose(ours, first.numpy().transpose(0, 2, 3, 1), atol=1e-5)


class Passing(torch.nn.Module):
    """A block that returns its input first."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> Any:
        return x, self.conv(x).relu()


class Twice(torch.nn.Module):
    """It gives such a block what it computes, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.act, self.block = torch.nn.Tanh(), Passing()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.block(self.act(x))
        return sum(self.block(first + second))


def test_a_block_that_returns_its_input_first_is_this_input() -> None:
    module = Twice()
    x = torch.rand(2, 3, 8, 8)
    given: list[Any] = []
    handle = module.block.register_forward_hook(lambda _, __, out: given.append(out[0]))
    with torch.no_grad():
        module(x)
    handle.remove()
    model, variables = from_torch(module, x[:1])
    images = jnp.asarray(x.numpy().transpose(0, 2, 3, 1))
    for name, first in zip(["block", "block_1"], given, strict=True):
        ours = depthjax.Layer(model, name)(variables, images)
        np.testing.assert_allclose(ours, first.numpy().transpose(0, 2, 3, 1), atol=1e-5)
    assert "act" in depthjax.layer_names(model)  # not under the block's name
    assert model.aliases()["block"] == "act"


class Function(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def _shuffled(x: torch.Tensor) -> torch.Tensor:
    b, c, h, w = x.shape
    return x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)


def _attended(x: torch.Tensor) -> torch.Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    return torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)


LAYOUTS: dict[str, Callable[[], torch.nn.Module]] = {
    "channel shuffle": lambda: torch.nn.ChannelShuffle(2),
    "by hand": lambda: Function(_shuffled),
    "pixel shuffle": lambda: torch.nn.PixelShuffle(2),
    "pixel unshuffle": lambda: torch.nn.PixelUnshuffle(2),
    "norm of all": lambda: torch.nn.LayerNorm((8, 6, 10)),
    "norm of rows": lambda: torch.nn.LayerNorm((10,)),
    "linear of rows": lambda: torch.nn.Linear(10, 7),
    "einsum": lambda: Function(lambda x: torch.einsum("bchw,cd->bdhw", x, torch.ones(8, 3))),
    "product": lambda: Function(lambda x: torch.ones(5, 8) @ x.flatten(2)),
    "attention": lambda: Function(_attended),
}


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_images_have_channels_last_and_no_axis_more(kind: str, last: bool) -> None:
    conv, module = torch.nn.Conv2d(3, 8, 3), LAYOUTS[kind]()
    after = () if last else (torch.nn.LazyConv2d(4, 1) if "sh" in kind else torch.nn.ReLU(),)
    network = torch.nn.Sequential(conv, module, *after).eval()
    x = torch.rand(2, 3, 8, 12)
    with torch.no_grad():
        network(x)
        expected = module(conv(x)).numpy()
    model, variables = from_torch(network, x[:1])
    images = jnp.asarray(x.numpy().transpose(0, 2, 3, 1))
    ours = depthjax.Layer(model, "1")(variables, images)
    theirs = expected.transpose(0, 2, 3, 1) if expected.ndim == 4 else expected
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def _a_view(y: torch.Tensor) -> torch.Tensor:
    y[:, 0].mul_(2)
    return y


def _the_whole(y: torch.Tensor) -> torch.Tensor:
    z = y.flatten(1)
    y.relu_()
    return z


def _a_view_of_a_view(y: torch.Tensor) -> torch.Tensor:
    y.flatten(2).transpose(1, 2).relu_()
    return y + 1


def _in_a_region(y: torch.Tensor) -> torch.Tensor:
    z = y.flatten(1)
    with torch.no_grad():
        y.relu_()
    return z


def _itself(y: torch.Tensor) -> torch.Tensor:
    same = y
    y.relu_().add_(1)
    return same.flatten(1).sub_(0.5)


def _a_copy(y: torch.Tensor) -> torch.Tensor:
    z = y.permute(0, 2, 3, 1).contiguous().relu_()
    return z.flatten(1) + y.flatten(1)


def _one_part(y: torch.Tensor) -> torch.Tensor:
    one, other = y[:, :2], y[:, 2:]
    return one.relu_().flatten(1) + other.flatten(1)


def _dropout(y: torch.Tensor) -> torch.Tensor:
    z = y.flatten(1)
    torch.nn.functional.dropout(y, 0.5, training=False, inplace=True)
    return z


class InPlace(torch.nn.Module):
    """It changes what else has a name, in one of several ways."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.change = torch.nn.Conv2d(3, 4, 3), change

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.change(self.conv(x))


@pytest.mark.parametrize("change", [_a_view, _the_whole, _a_view_of_a_view, _in_a_region])
def test_what_is_changed_under_another_name_is_refused(change: Callable) -> None:
    """The exported graph does not say that what has the other name has changed, too."""
    with pytest.raises(ValueError, match=r"InPlace: \w+_ of .* changes in place .* is used later"):
        from_torch(InPlace(change), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("change", [_itself, _a_copy, _one_part, _dropout])
def test_what_changes_nothing_else_is_imported(change: Callable) -> None:
    module, example = InPlace(change).eval(), torch.rand(1, 3, 8, 8)
    model, variables = from_torch(module, example)
    ours = depthjax.Layer(model, depthjax.layer_names(model)[-1])(
        variables, jnp.asarray(example.permute(0, 2, 3, 1).numpy())
    )
    with torch.no_grad():
        theirs = module(example).numpy()
    np.testing.assert_allclose(np.sort(ours, None), np.sort(theirs, None), atol=1e-5)


SIZES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "divided": lambda y: y.sum((2, 3)) / (y.shape[2] * y.shape[3]),
    "float": lambda y: y.sum((2, 3)) / float(y.shape[2] * y.shape[3]),
    "multiplied": lambda y: y.sum((2, 3)) * (1 / (y.shape[2] * y.shape[3])),
    "unbiased": lambda y: (y - 1).square().sum((2, 3)) / (y.shape[2] * y.shape[3] - 1),
    "one after the other": lambda y: y.sum((2, 3)) / y.shape[2] / y.shape[3],
    "one axis": lambda y: y.sum(2) / y.shape[2],
    "logarithm": lambda y: y * math.log(y.shape[2]),
    "shifted": lambda y: torch.roll(y, y.shape[2] // 2, 2),
    "pooled": lambda y: torch.nn.functional.avg_pool2d(y, y.shape[2] // 2),
    "chosen": lambda y: y.relu() if y.shape[2] < 30 else y,
    "chosen by the width": lambda y: y.relu() if y.shape[3] < 6 else y,
    "chosen by the shape": lambda y: y.relu() if y.shape[3] > y.shape[2] else y,
    "cropped": lambda y: y[..., : 2 * (y.shape[3] // 2)],
    "cropped where it is large": lambda y: y[..., :30],
    "counted": lambda y: y * torch.arange(y.shape[3]).sum(),
    "constant": lambda y: y * torch.tensor(float(y.shape[3])),
}
"""Functions that compute something of the size of images: a number, once they are exported."""


class Sized(torch.nn.Module):
    """One of `SIZES` of a convolution, as a block may have one."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.conv, self.how = torch.nn.Conv2d(3, 4, 3, padding=1), how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return SIZES[self.how](2 * self.conv(x) - 49)  # numbers of pixels are no sizes


@pytest.mark.parametrize("how", SIZES)
def test_a_size_may_be_a_number(how: str) -> None:
    model, variables = from_torch(Sized(how), torch.zeros(1, 3, 7, 7))
    with pytest.raises(ValueError, match="was imported for images of 7×7"):
        depthjax.Layer(model, depthjax.layer_names(model)[-1])(variables, jnp.ones((1, 9, 9, 3)))


def test_networks_without_sizes_take_any() -> None:
    module = torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 4, 3, 2, 1), torch.nn.BatchNorm2d(4), torch.nn.SiLU()),
        *(torch.nn.MaxPool2d(3, 2, ceil_mode=True), torch.nn.AvgPool2d(2, 1)),
        *(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(16, 5)),
    ).eval()
    model, variables = from_torch(module, torch.zeros(1, 3, 16, 16))
    x = torch.rand(1, 3, 21, 35)
    ours, _ = model.apply(variables, jnp.asarray(x.numpy().transpose(0, 2, 3, 1)))
    with torch.no_grad():
        np.testing.assert_allclose(ours, module(x).numpy(), atol=1e-5)


@pytest.mark.parametrize("error", [AttributeError, IndexError])
def test_what_a_rule_fails_at_is_named(error: type[Exception], monkeypatch) -> None:
    def failing(context: Any, x: Any) -> Any:
        raise error("thus")

    monkeypatch.setitem(RULES, "relu", failing)
    with pytest.raises(ValueError, match=r"^mine: relu of relu cannot be imported: thus"):
        from_torch(torch.nn.ReLU(), torch.zeros(1, 3, 8, 8), source="mine")


def test_a_fault_at_another_size_is_told_and_the_import_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It does not look as if the module had one size."""

    class Numbered(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.narrow(3, 0, x.shape[3]).relu()  # another number, and the same graph

    rule = RULES["relu"]

    def failing(context: Any, x: Any) -> Any:
        return 1 / 0 if x.shape[2] > 8 else rule(context, x)

    monkeypatch.setitem(RULES, "relu", failing)
    with pytest.warns(UserWarning, match=r"^mine .* not known: at 73×43 .*ZeroDivisionError"):
        model, _ = from_torch(Numbered(), torch.zeros(1, 3, 8, 8), source="mine")
    assert model.image_size == (8, 8)


class Padded(torch.nn.Module):
    """A U-Net of one level: it pads to a multiple and crops again, or takes even sizes only."""

    def __init__(self, multiple: int) -> None:
        super().__init__()
        self.multiple = multiple
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.up = torch.nn.ConvTranspose2d(4, 3, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2:]
        x = torch.nn.functional.pad(x, (0, -width % self.multiple, 0, -height % self.multiple))
        y = self.up(torch.nn.functional.max_pool2d(self.conv(x), 2).relu())
        return torch.cat([x, y], 1)[..., :height, :width]


def test_a_network_that_pads_to_a_multiple_is_held_to_its_size() -> None:
    module, x = Padded(8).eval(), torch.rand(1, 3, 32, 32)
    model, variables = from_torch(module, x)
    ours, _ = model.apply(variables, jnp.asarray(x.numpy().transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(ours, module(x).detach().permute(0, 2, 3, 1), atol=1e-6)
    with pytest.raises(ValueError, match="was imported for images of 32×32"):
        model.apply(variables, jnp.zeros((1, 20, 28, 3)))


def test_sizes_that_a_network_refuses_do_not_hold_it() -> None:
    module = Padded(1).eval()
    x = torch.rand(1, 3, 10, 22)
    model, variables = from_torch(module, torch.zeros(1, 3, 32, 32))
    ours, _ = model.apply(variables, jnp.asarray(x.numpy().transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(ours, module(x).detach().permute(0, 2, 3, 1), atol=1e-6)
    sized, _ = from_torch(module, torch.zeros(1, 3, 6, 6))  # nothing smaller is taken
    assert sized.image_size is None


def test_where_a_size_comes_to_less_the_network_is_the_same() -> None:
    """Maps become 1×1 at the smaller size, and a pooling is none at the example's."""
    module = torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 4, 3, 4, 1), torch.nn.SiLU(), torch.nn.AdaptiveAvgPool2d(3)),
        *(torch.nn.Flatten(), torch.nn.Linear(36, 5)),
    ).eval()
    model, variables = from_torch(module, torch.zeros(1, 3, 12, 12))
    x = torch.rand(1, 3, 21, 35)
    ours, _ = model.apply(variables, jnp.asarray(x.numpy().transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(ours, module(x).detach(), atol=1e-5)


class Remembering(torch.nn.Module):
    """It keeps what it made for a size, and runs in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)
        self.seen: dict[int, int] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen[x.shape[2]] = x.shape[3]
        return self.norm(self.conv(x))


def test_trying_other_sizes_leaves_the_module_as_it_was() -> None:
    module = Remembering()
    model, _ = from_torch(module, torch.zeros(1, 3, 8, 8))
    assert model.image_size is None
    assert module.training and module.norm.training
    assert module.seen.keys() <= {8}
    assert all(
        type(tensor) in (torch.Tensor, torch.nn.Parameter)
        for tensor in module.state_dict(keep_vars=True).values()
    )
    assert not module.norm.num_batches_tracked


def test_numbers_of_pixels_are_no_sizes() -> None:
    class Scaled(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x / 49 * 7 - 49).mean((2, 3))

    model, variables = from_torch(Scaled(), torch.zeros(1, 3, 7, 7))
    layer = depthjax.Layer(model, depthjax.layer_names(model)[-1])
    np.testing.assert_allclose(layer(variables, jnp.ones((1, 9, 9, 3))), 7 / 49 - 49, rtol=1e-6)


def test_another_size_is_refused_where_a_size_is_held() -> None:
    class Positions(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.place = torch.nn.Parameter(torch.randn(3, 8, 8))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x + self.place).flatten(1)

    model, variables = from_torch(Positions(), torch.zeros(1, 3, 8, 8), source="mine")
    with pytest.raises(ValueError, match=r"mine was imported for images of 8×8.*got 9×8×3"):
        model.apply(variables, jnp.zeros((1, 9, 8, 3)))
