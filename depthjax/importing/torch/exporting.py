"""A module as `torch.export` gives it, and what it takes for that."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np


def checked(module: Any, example: Any) -> tuple[Any, Any]:
    """The network itself, without what runs it, and the example as a tensor.

    Args:
        module: a module, or what holds one: torch.compile, and data parallelism.
        example: images `[B, C, H, W]`, a tensor or an array of NumPy.

    Raises:
        ValueError: in one line, for anything else, and for weights that hold no numbers yet.
    """
    import torch

    network = _unwrapped(module)
    if not isinstance(network, torch.nn.Module) or isinstance(network, torch.jit.ScriptModule):
        raise ValueError(
            f"from_torch takes a torch.nn.Module as Python has it, not {type(network).__name__}"
        )
    weights = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    for name, tensor in weights.items():
        if torch.nn.parameter.is_lazy(tensor):
            raise ValueError(
                f"{type(network).__name__} has not made {name} yet, which is lazy; run it once on"
                " an image"
            )
        if tensor.device.type == "meta":
            raise ValueError(
                f"{type(network).__name__} has no numbers in {name}, which is on the device meta;"
                " make the module on the CPU, or give it its weights"
                " (module.to_empty(device='cpu'), then load_state_dict)"
            )
    if getattr(example, "ndim", 0) != 4:
        raise ValueError(
            "the example is a tensor of images [batch, channels, height, width], got"
            f" {list(getattr(example, 'shape', [])) or type(example).__name__}"
        )
    if 0 in example.shape:
        raise ValueError(
            f"the example is {list(example.shape)}, which is no image; give one, such as"
            f" torch.zeros({', '.join(str(n or 1) for n in example.shape)})"
        )
    if not isinstance(example, torch.Tensor):
        example = torch.from_numpy(np.array(example))
        kinds = [tensor.dtype for tensor in weights.values() if tensor.is_floating_point()]
        if example.is_floating_point() and kinds:  # NumPy's own kind is double, a module's is not
            example = example.to(kinds[0])
    return network, example


def _unwrapped(module: Any) -> Any:
    import torch

    parallel = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    inner = getattr(module, "module" if isinstance(module, parallel) else "_orig_mod", None)
    return module if inner is None else _unwrapped(inner)


def exported(module: Any, example: Any, asked: Sequence[str] = ()) -> Any:
    """What `torch.export` makes of a module, with what the modules return that are asked for."""
    import torch

    training = [part for part in module.modules() if part.training]
    try:
        with torch.enable_grad():  # else regions without gradients would not be told
            return torch.export.export(
                module.eval(), (example[:1],), preserve_module_call_signature=tuple(asked)
            )
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).split("\n")[0]
        raise ValueError(
            f"PyTorch cannot export {type(module).__name__}: {first:.300}"
            f"{_hint(error, module, example)}"
        ) from error
    finally:
        for part in training:
            part.training = True


@contextmanager
def passing(module: Any) -> Iterator[set[str]]:
    """The paths of modules that give an input back as the first of several outputs.

    They are known once the module has run within this context, as it does while it is exported.
    """
    from torch.utils._pytree import tree_leaves

    found: set[str] = set()

    def hook(path: str) -> Any:
        def look(part: Any, args: Any, kwargs: Any, output: Any) -> None:
            outputs = [leaf for leaf in tree_leaves(output) if hasattr(leaf, "detach")]
            if len(outputs) > 1 and any(outputs[0] is x for x in tree_leaves((args, kwargs))):
                found.add(path)

        return look

    hooks = [
        part.register_forward_hook(hook(path), with_kwargs=True)
        for path, part in module.named_modules()
        if path
    ]
    try:
        yield found
    finally:
        for each in hooks:
            each.remove()


def _hint(error: Exception, module: Any, example: Any) -> str:
    """What to do, where that is known."""
    dtypes = {str(weight.dtype) for weight in module.parameters()}
    if dtypes and str(example.dtype) not in dtypes:
        return (
            f"; its weights are {', '.join(dtypes)}, the example {example.dtype}: make them one,"
            " with module.float() and example.float()"
        )
    words = f"{type(error).__name__} {error}".lower()
    if any(word in words for word in ("data-dependent", "datadependent", ".numpy()")):
        return "; its forward pass must not branch on values of tensors"
    return ""
