"""Whether a module does the same to images of other sizes as to those that it was traced for.

A graph does not tell: what a module computes of the size is a number in it, and what it decides by
the size is not there at all. So the module itself is run at other sizes, on tensors without numbers
(PyTorch's fake ones), and what it calls is compared. That takes less than half of an export, which
only decides where the calls differ.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

from depthjax.importing.torch.naming import operation_name

Size = tuple[int, int]


class Call(NamedTuple):
    """An operation of PyTorch as a module calls it.

    Fields:
        what: its name and settings, and where its tensors come from.
        chances: where an axis is of length 1, and what keeps its shape. There an operation may come
            to nothing (a slice of all), and at another size to something.
    """

    what: Any
    chances: frozenset[Any]


def is_same_elsewhere(module: Any, example: Any, same_graph: Callable[[Size], bool | None]) -> bool:
    """Whether the module computes the same at a larger size, and at a smaller one if it takes any.

    Args:
        module: of PyTorch.
        example: images `[B, C, H, W]`.
        same_graph: whether an export at a size gives the same graph as that at the example's; None
            where the module does not take the size.
    """
    height, width = example.shape[2:]
    here = calls(module, example, (height, width))

    def is_same(size: Size) -> bool | None:
        if here is None:
            return same_graph(size)
        there = calls(module, example, size)
        return None if there is None else _agree(here, there) or bool(same_graph(size))

    answers = [
        next((answer for size in tried if (answer := is_same(size)) is not None), None)
        for tried in other_sizes(height, width)
    ]
    return answers[0] is True and answers[1] is not False


def other_sizes(height: int, width: int) -> tuple[list[Size], list[Size]]:
    """Larger and smaller sizes; of each the first is taken that the module takes.

    The first differ from the example modulo everything that modules pad to or crop to, and are
    taller here and wider there. Some modules take nothing that cannot be halved five times.
    """
    larger = [(height + 65, width + 35), (height + 64, width + 32)]
    smaller = [
        *((height // 3, width // 2), (height // 2, width // 2)),
        (height - height // 3, width - width // 4),
        (height - 32 * round(height / 64), width - 32 * round(width / 64)),
    ]
    return larger, [(h, w) for h, w in smaller if 0 < h < height and 0 < w < width]


def _agree(here: Sequence[Call], there: Sequence[Call]) -> bool:
    """Whether two runs call the same; what comes to nothing here does so there."""
    return len(here) == len(there) and all(
        one.what == other.what and one.chances <= other.chances
        for one, other in zip(here, there, strict=True)
    )


def calls(module: Any, example: Any, size: Size) -> list[Call] | None:
    """What a module in evaluation mode calls for an image of a size; None if it does not take it.

    Args:
        module: of PyTorch.
        example: images `[B, C, H, W]`.
        size: height and width.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    image = example[:1].detach().new_zeros((1, example.shape[1], *size))
    given = dict(chain(module.named_parameters(), module.named_buffers()))
    try:
        with (
            _unchanged(module),
            torch.no_grad(),
            FakeTensorMode(allow_non_fake_inputs=True) as fake,
        ):
            state = {name: fake.from_tensor(tensor.detach()) for name, tensor in given.items()}
            taken = fake.from_tensor(image)
            with _recorder({**state, "": taken}) as recorder:
                result = torch.func.functional_call(module, state, (taken,))
    except Exception:  # whatever it is, the module does not take that size
        return None
    returned = recorder.described(_tensors(result)[:1])
    return [*recorder.found, Call(returned, frozenset())]


_SHAPING = ("view", "_unsafe_view", "reshape", "expand")
"""Operations whose settings are sizes, also where the module gives none (a linear layer's own). Of
those that the module gives, a graph of ours holds each, and does not run at another size."""


def _recorder(given: dict[str, Any]) -> Any:
    """A mode of PyTorch in which calls are kept; `given` are tensors with their names."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Recorder(TorchDispatchMode):
        """`found` are the calls; `sources` says where tensors come from, by their `id`."""

        def __init__(self) -> None:
            super().__init__()
            self.found: list[Call] = []
            self.sources: dict[int, str] = {}
            self.held: list[Any] = []  # so that no other tensor gets an id
            for name, tensor in given.items():
                self.name(tensor, f"given {name}")

        def name(self, tensor: Any, source: str) -> None:
            self.sources[id(tensor)] = source
            self.held.append(tensor)

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            result = func(*args, **kwargs)
            before, after = _tensors((args, kwargs)), _tensors(result)
            settings = before if operation_name(func) in _SHAPING else (args, kwargs)
            what = str(func), self.described(settings), [x.ndim for x in after]
            for number, tensor in enumerate(after):
                if id(tensor) not in self.sources:  # else it was changed in place
                    self.name(tensor, f"{len(self.found)}.{number}")
            self.found.append(Call(what, _chances(before, after)))
            return result

        def described(self, value: Any) -> Any:
            """A tensor as where it comes from, or as its numbers if it comes from nowhere."""
            if isinstance(value, list | tuple):
                return [self.described(part) for part in value]
            if isinstance(value, dict):
                return {name: self.described(part) for name, part in value.items()}
            if not hasattr(value, "detach"):
                return repr(value)
            if id(value) not in self.sources:
                self.name(value, _numbers(value))
            return self.sources[id(value)]

    return Recorder()


def _numbers(tensor: Any) -> str:
    if hasattr(tensor, "fake_mode"):
        return f"new {tuple(tensor.shape)}"
    array = tensor.detach().cpu().contiguous().numpy()
    return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"


def _chances(before: Sequence[Any], after: Sequence[Any]) -> frozenset[Any]:
    kept = {i for i, x in enumerate(after) if before and x.shape == before[0].shape}
    ones = {(i, axis) for i, x in enumerate(after) for axis, n in enumerate(x.shape) if n == 1}
    return frozenset(kept | ones)


def _tensors(value: Any) -> list[Any]:
    from torch.utils._pytree import tree_leaves

    return [leaf for leaf in tree_leaves(value) if hasattr(leaf, "detach")]


@contextmanager
def _unchanged(module: Any) -> Iterator[None]:
    """A module in evaluation mode, without PyTorch's log of what a size does not fit.

    Afterwards all its parts have what they had before.
    """
    held = [
        (part, {k: dict(v) if type(v) is dict else v for k, v in vars(part).items()})
        for part in module.modules()
    ]
    log = logging.getLogger("torch._subclasses.fake_tensor")
    was, log.disabled = log.disabled, True
    try:
        module.eval()
        yield
    finally:
        log.disabled = was
        for part, attributes in held:
            vars(part).clear()
            vars(part).update(attributes)
