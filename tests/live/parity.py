"""An imported network beside PyTorch's: all modules' outputs, the state dict, gradients."""

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch_peer import import_torchvision

torchvision = import_torchvision()
import timm  # noqa: E402, which imports torchvision

from depthjax.importing.torch import from_torch  # noqa: E402
from depthjax.importing.values import Value  # noqa: E402
from depthjax.models.network import INPUT  # noqa: E402
from depthjax.weights import to_torch_state_dict  # noqa: E402

LARGEST_SIDE = 512


class Parity(NamedTuple):
    """How far an imported network is from PyTorch's.

    Fields:
        operations: nodes of the graph.
        seconds: of the import.
        modules: outputs of modules that were compared.
        differing: modules whose output is another by more than 1e-4, relative to its largest.
        largest: relative difference of any module's output.
        output: relative difference of the network's output.
        weights: entries of the state dict that our variables give back bit by bit.
        state: entries that the state dict has.
    """

    operations: int
    seconds: float
    modules: int
    differing: tuple[str, ...]
    largest: float
    output: float
    weights: int
    state: int


def build(source: str) -> tuple[torch.nn.Module, tuple[int, int, int]]:
    """A network of `torchvision:NAME` or `timm:NAME` and the shape of its images.

    Its weights are those of seed 0, and its running statistics are no identity.
    """
    library, _, name = source.partition(":")
    torch.manual_seed(0)
    if library == "timm":
        module = timm.create_model(name)
        shape = tuple(module.pretrained_cfg["input_size"])
        if shape[1] > LARGEST_SIDE and not module.pretrained_cfg.get("fixed_input_size"):
            shape = (3, 256, 256)  # all activations together would not fit into memory
    else:
        fields = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        module = torchvision.models.get_model(name, weights=None, **fields)
        side = 299 if name == "inception_v3" else 224
        shape = (3, side, side)
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if getattr(part, "running_mean", None) is not None:
            size = part.running_mean.shape
            part.running_mean.copy_(torch.randn(size, generator=generator) * 0.2)
            part.running_var.copy_(torch.rand(size, generator=generator) + 0.5)
    return module.eval(), shape


def pixels(shape: tuple[int, int, int]) -> torch.Tensor:
    """Two images `[2, C, H, W]` between −1 and 1."""
    return torch.rand(2, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def outputs_of_modules(module: torch.nn.Module, x: torch.Tensor) -> tuple[dict[str, Any], Any]:
    """What each module gave, by path and, from the second call on, its number; and the result."""
    outputs: dict[str, Any] = {}
    calls: dict[str, int] = {}

    def keep(path: str) -> Any:
        def hook(_: Any, __: Any, output: Any) -> None:
            call = calls[path] = calls.get(path, -1) + 1
            if isinstance(output, torch.Tensor):
                # A copy: an activation in place would change it afterwards.
                outputs[f"{path}_{call}" if call else path] = output.detach().clone().numpy()

        return hook

    hooks = [part.register_forward_hook(keep(path)) for path, part in module.named_modules()]
    with torch.no_grad():
        result = module(x)
    for hook in hooks:
        hook.remove()
    outputs.pop("", None)
    return outputs, (result[0] if isinstance(result, tuple | list) else result).numpy()


def comparable(outputs: Iterable[str], values: Mapping[str, Value]) -> set[str]:
    """The outputs of modules that are in both, as `outputs_of_modules` calls them.

    An exported graph leaves out calls that come to nothing and counts the others anew, so of a
    module that has such calls none is compared.
    """
    called = {name: re.sub(r"_\d+$", "", name) for name in outputs}
    uncounted = {path for name, path in called.items() if name not in values and name != path}
    return {name for name, path in called.items() if name in values and path not in uncounted}


def in_source(value: Value, activation: np.ndarray) -> np.ndarray:
    """An activation with its axes as in the source, after the batch: `[B, *value.shape]`."""
    missing = [axis for axis in range(value.rank) if axis not in value.order]
    full = activation.reshape(len(activation), *value.stored, *(1,) * len(missing))
    stored = [*value.order, *missing]
    return full.transpose(0, *(1 + stored.index(axis) for axis in range(value.rank)))


def compare(source: str, dtype: torch.dtype = torch.float32) -> Parity:
    """Imports a network and compares everything that can be compared.

    Args:
        source: as `build` takes it.
        dtype: of weights and images; x64 must be on for float64.
    """
    module, shape = build(source)
    module, x = module.to(dtype), pixels(shape).to(dtype)
    begin = time.perf_counter()
    model, variables = from_torch(module, x[:1], source=source)
    seconds = time.perf_counter() - begin
    expected, result = outputs_of_modules(module, x)
    images = jnp.asarray(x.numpy().transpose(0, 2, 3, 1))
    output, activations = jax.jit(lambda v, i: model.apply(v, i))(variables, images)
    found = {INPUT: images, **activations}
    aliases, values = model.aliases(), dict(model.content.values)
    differences = {}
    for name in comparable(expected, values):
        ours = in_source(values[name], np.asarray(found[aliases.get(name, name)]))
        # Of weights alone, which some modules repeat for the batch.
        if not values[name].batched and ours.size != expected[name].size:
            ours = np.broadcast_to(ours, (len(expected[name]), *ours.shape[1:]))
        differences[name] = _difference(ours, expected[name])
    state = {
        name: tensor.numpy()
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point()
    }
    given = to_torch_state_dict(variables, model)
    return Parity(
        operations=len(model.graph()),
        seconds=seconds,
        modules=len(differences),
        differing=tuple(sorted(name for name, d in differences.items() if not d <= 1e-4)),
        largest=max(differences.values()),
        output=_difference(np.asarray(output), result),
        weights=sum(name in given and np.array_equal(given[name], a) for name, a in state.items()),
        state=len(state),
    )


def gradient_difference(source: str) -> float:
    """Of the input's gradient in float64, relative to its largest element; x64 must be on.

    Of two images: PyTorch 2.13's BatchNorm, when it is evaluated on a CPU and its output's gradient
    is a transposed one of a single image, gives a wrong gradient of its input.
    """
    module, shape = build(source)
    module = module.double()
    x = pixels(shape).double().requires_grad_()
    model, variables = from_torch(module, x[:1].detach(), source=source)
    result = module(x)
    result = result[0] if isinstance(result, tuple | list) else result
    cotangent = torch.cos(torch.arange(result.numel(), dtype=result.dtype)).reshape(result.shape)
    (expected,) = torch.autograd.grad((result * cotangent).sum(), x)
    images = jnp.asarray(x.detach().numpy().transpose(0, 2, 3, 1))

    @jax.jit
    def gradient(variables: Any, images: Any) -> Any:
        def loss(images: Any) -> Any:
            output, _ = model.apply(variables, images)
            return (output.reshape(cotangent.shape) * cotangent.numpy()).sum()

        return jax.grad(loss)(images)

    ours = np.asarray(gradient(variables, images)).transpose(0, 3, 1, 2)
    return _difference(ours, expected.numpy())


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference over the largest element; infinite for another number of elements."""
    if ours.size != theirs.size:
        return float("inf")
    ours = ours.reshape(theirs.shape)
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30))
