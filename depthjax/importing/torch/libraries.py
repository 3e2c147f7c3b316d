"""The networks of timm and torchvision by name, initialised or trained as these libraries do."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from depthjax.errors import unknown
from depthjax.importing.network import ImportedNetwork
from depthjax.importing.torch.importer import from_torch
from depthjax.models.normalization import Normalization, as_normalization
from depthjax.models.specifications import Fields, Specified, hashable_fields
from depthjax.typing import Variables
from depthjax.weights.fitting import head_of
from depthjax.weights.mismatch import WeightsMismatch, differences
from depthjax.weights.prefixes import located
from depthjax.weights.state_dict import IGNORED

SIZE = "image_size"
"""The field that says for which height and width a network is made and traced."""


@dataclass(frozen=True)
class Library:
    """A package of PyTorch networks.

    Fields:
        package: its name.
        names: all of its networks, given the package.
        create: a module, given the package, a name, whether it is pretrained, and fields.
        size_field: the field of its constructors for the height and width of images.
        size: the height and width that a module is made for, given its name and the module.
        normalization: of the pixels, given the package, a name and the module.
    """

    package: str
    names: Callable[[Any], list[str]]
    create: Callable[..., Any]
    size_field: str
    size: Callable[[str, Any], int | tuple[int, int]]
    normalization: Callable[[Any, str, Any], Normalization | None]

    def find(self, name: str, fields: Mapping[str, Any]) -> Specified:
        """A network by name; its weights are made when they are asked for.

        Args:
            name: as the library has it.
            fields: for the library's constructor; and `image_size`, a number or a pair.

        Raises:
            ValueError: without the library, for a name or fields that it does not know, and for a
                network that cannot be imported.
        """
        asked = Asked(self, name, hashable_fields(fields))
        first = _untrained(asked, 0)
        return Specified(
            first.model,
            str(asked),
            normalization=first.normalization,
            origin={"source": str(asked), "graph_sha256": first.model.content.digest},
            initialize=lambda seed: _weights(first, _untrained(asked, seed)),
            download=lambda: _weights(first, _pretrained(asked)),
            fill=partial(_filled, asked, first),
        )


class Asked(NamedTuple):
    """A network of a library, by its name and fields."""

    library: Library
    name: str
    fields: Fields

    def __str__(self) -> str:
        return f"{self.library.package}:{self.name}"


class Imported(NamedTuple):
    """A module as a network of ours, with its weights and what its pixels should be."""

    model: ImportedNetwork
    variables: Variables
    normalization: Normalization | None


# ------------------------------------------------------------------------------------- the weights


@lru_cache(maxsize=4)  # an import takes seconds
def _untrained(asked: Asked, seed: int) -> Imported:
    return _imported(asked, _seeded(asked, seed))


@lru_cache(maxsize=2)
def _pretrained(asked: Asked) -> Imported:
    # Seeded, because a head of other classes than the download's is drawn.
    return _imported(asked, _seeded(asked, 0, pretrained=True))


def _filled(
    asked: Asked,
    first: Imported,
    what: str,
    state: Mapping[str, np.ndarray],
    drop_head: bool,
    prefix: str | None,
) -> tuple[Variables, str]:
    """The weights of a state dict, by the module's own `load_state_dict`, and their prefix."""
    import torch

    module = _seeded(asked, 0)
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    head = f"{head_of(first.model)}." if drop_head else None
    body = {n: shape for n, shape in shapes.items() if not (head and n.startswith(head))}
    counted = {name for name in body if name.rpartition(".")[2] in IGNORED}
    needed = {name: shape for name, shape in body.items() if name not in counted}
    wanted = [(name,) for name in needed]
    chosen, held = located(state, wanted, needed, prefix, f"{what} holds {asked}")
    kept = {n: array for n, array in held.items() if not (head and n.startswith(head))}
    if found := differences(kept, body, counted):
        hint = "check the name, and fields such as num_classes; other classes: leave out the head"
        raise WeightsMismatch(what, str(asked), *found, hint)
    broken = [n for n, a in kept.items() if a.dtype.kind == "f" and not np.isfinite(a).all()]
    if broken:
        raise ValueError(f"{what} holds NaN or infinite values in {', '.join(broken[:5])}")
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in kept.items()}
    module.load_state_dict(tensors, strict=False)
    return _weights(first, _imported(asked, module)), chosen


def _weights(first: Imported, other: Imported) -> Variables:
    if other.model != first.model:
        size = other.model.content.image_shape[:2]
        raise ValueError(
            f"with these weights {first.model.content.source} is another network, for images of"
            f" {size[0]}×{size[1]}; give the fields that they need, such as image_size={size[0]}"
        )
    return other.variables


# ------------------------------------------------------------------------------------- the modules


def _seeded(asked: Asked, seed: int, *, pretrained: bool = False) -> Any:
    """A module; what its library draws is drawn from a seed of PyTorch's."""
    torch = _package("torch", asked)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _module(asked, pretrained)


def _module(asked: Asked, pretrained: bool) -> Any:
    library, name, _ = asked
    package = _package(library.package, asked)
    settings = dict(asked.fields)
    size = settings.pop(SIZE, None)
    if size is not None:
        settings[library.size_field] = size
    try:
        try:
            return library.create(package, name, pretrained, **settings)
        except TypeError as error:
            if size is None or library.size_field not in str(error):
                raise
            del settings[library.size_field]  # it takes images of any size
            return library.create(package, name, pretrained, **settings)
    except Exception as error:
        known = library.names(package)
        reason = " ".join(str(error).split()) or type(error).__name__
        if name.partition(".")[0] not in known:
            raise unknown(f"network of {library.package}", name, known) from error
        if pretrained and not isinstance(error, TypeError):
            raise ValueError(
                f"the pretrained weights of {asked} cannot be had: {reason:.200}; connect once, or"
                " give a file of weights"
            ) from error
        raise ValueError(f"{asked} cannot be made with {settings}: {reason:.300}") from error


def _package(package: str, asked: Asked) -> Any:
    try:
        importlib.import_module("torch")
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{asked} needs {error.name}, which is not installed: pip install 'depthjax[torch]'"
            f" {asked.library.package}; a network saved by `python -m depthjax import` needs"
            " neither"
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{package} cannot be imported: {reason:.200}; it must be made for the installed"
            " PyTorch"
        ) from error


def _imported(asked: Asked, module: Any) -> Imported:
    library, name, fields = asked
    given, torch = dict(fields), _package("torch", asked)
    size = given.get(SIZE) or given.get(library.size_field) or library.size(name, module)
    height, width = (size, size) if isinstance(size, int) else size
    channels = given.get("in_chans", 3)
    example = torch.zeros(1, channels, height, width)
    model, variables = from_torch(module, example, source=str(asked))
    expected = library.normalization(_package(library.package, asked), name, module)
    if expected is not None and len(expected.mean) != channels:
        expected = None
    return Imported(model, variables, expected)


# ----------------------------------------------------------------------------------- the libraries


def _of_timm(timm: Any, name: str, pretrained: bool, **fields: Any) -> Any:
    return timm.create_model(name, pretrained=pretrained, **fields)


def _of_torchvision(torchvision: Any, name: str, pretrained: bool, **fields: Any) -> Any:
    return torchvision.models.get_model(name, weights="DEFAULT" if pretrained else None, **fields)


def _torchvision_normalization(torchvision: Any, name: str, _: Any) -> Normalization | None:
    try:
        transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    except (ValueError, AttributeError):  # it has no trained weights
        return None
    return as_normalization((transforms.mean, transforms.std))


LIBRARIES = {
    "timm": Library(
        "timm",
        lambda timm: timm.list_models(),
        _of_timm,
        "img_size",
        lambda _, module: tuple(module.pretrained_cfg["input_size"][1:]),
        lambda _, name, module: as_normalization(
            {key: module.pretrained_cfg[key] for key in ("mean", "std")}
        ),
    ),
    "torchvision": Library(
        "torchvision",
        lambda torchvision: torchvision.models.list_models(module=torchvision.models),
        _of_torchvision,
        "image_size",
        lambda name, module: getattr(module, "image_size", 299 if name == "inception_v3" else 224),
        _torchvision_normalization,
    ),
}
"""By package."""
