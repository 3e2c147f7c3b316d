"""Loading of trained weights into a model, and saving of a model's weights for PyTorch."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from depthjax.files import write_atomically
from depthjax.models import Network, init_variables
from depthjax.models.normalization import as_normalization
from depthjax.typing import Variables
from depthjax.weights.fitting import fit, head_of
from depthjax.weights.sources import NORMALIZATION_KEY, WeightsFile, fetch
from depthjax.weights.state_dict import from_torch_state_dict, to_torch_state_dict
from depthjax.weights.writing import safetensors_bytes
from depthjax.weights.zoo import ZooNetwork


class LoadedWeights(NamedTuple):
    """The variables of a model, and where in the file they were.

    Fields:
        variables: as of `load_weights`.
        prefix: of the network's names in the file, such as `module.`; mostly empty.
    """

    variables: dict[str, Any]
    prefix: str


def load_weights(
    model: Network,
    source: str | os.PathLike[str] | WeightsFile | Mapping[str, Any],
    *,
    drop_head: bool = False,
    image_size: int | tuple[int, int] | None = None,
    prefix: str | None = None,
) -> dict[str, Any]:
    """The variables of a model, loaded from weights of torchvision or timm.

    The network may be one of several things in a file: the prefix of its names (`module.`,
    `state_dict.module.model.`) is found. Half precision is converted to float32.
    The normalisation of the pixels is not part of the variables: `fetch(source).normalization` is
    the one that the network expects, and `Layer(model, name, normalization=…)` applies it.

    Args:
        model: a model of `depthjax.models`.
        source: a file of safetensors or of `torch.save`, another source that `fetch` takes
            (`torchvision:resnet50`, `hf://timm/resnet50.tv_in1k`, `https://…#sha256=…`,
            `pip:efficientnet_lite0`, `zoo:resnet18_small/photos`), a result of `fetch`, or a state
            dict.
        drop_head: leave out the head of the file, if the model has other classes; the head is then
            initialised with seed 0.
        image_size: height and width of the images, by default those that the model is made for,
            else 224; only MLPs depend on it.
        prefix: of the network's names in the file, where it holds several copies of the network;
            names in nested dicts are joined by dots.

    Returns:
        `{"params": …, "batch_stats": …}`, float32.

    Raises:
        WeightsMismatch: if weights are missing, unexpected or of another shape, naming them all.
        ValueError: for a source that cannot be read, for weights that are not finite, and if the
            network is found under several prefixes.
    """
    loaded = find_and_load(model, source, drop_head=drop_head, image_size=image_size, prefix=prefix)
    return loaded.variables


def find_and_load(
    model: Network,
    source: str | os.PathLike[str] | WeightsFile | Mapping[str, Any],
    *,
    drop_head: bool = False,
    image_size: int | tuple[int, int] | None = None,
    prefix: str | None = None,
) -> LoadedWeights:
    """As `load_weights`, which says what the arguments are; also tells where the weights were."""
    if isinstance(source, Mapping):
        what, state = "the state dict", {str(k): np.asarray(v) for k, v in source.items()}
    else:
        file = source if isinstance(source, WeightsFile) else fetch(source)
        if file.network is not None:
            _check_is(file, model, drop_head)
        if file.path is None:
            seed = file.network.seed if isinstance(file.network, ZooNetwork) else 0
            return LoadedWeights(init_variables(model, jax.random.key(seed), image_size), "")
        what, state = file.path.name, file.read()
    fitting = fit(
        model, state, what=what, drop_head=drop_head, image_size=image_size, prefix=prefix
    )
    variables = from_torch_state_dict(fitting.state, model, image_size)
    if drop_head:
        head = head_of(model)
        untrained = init_variables(model, jax.random.key(0), image_size)
        for group, leaves in untrained.items():
            if head in leaves:
                variables.setdefault(group, {})[head] = leaves[head]
    return LoadedWeights(variables, fitting.prefix)


def _check_is(file: WeightsFile, model: Network, drop_head: bool) -> None:
    """Refuses weights whose model is known for another than it, but for the classes of its head."""
    network = file.network
    assert network is not None
    own = network.build()
    if drop_head and hasattr(own, "num_classes") and hasattr(model, "num_classes"):
        own = own.clone(num_classes=model.num_classes)
    if own == model:
        return
    fields = [f"--model_field={name}={value}" for name, value in network.model_fields.items()]
    settings = "".join(f", {name}={value!r}" for name, value in network.model_fields.items())
    raise ValueError(
        f"{file.source} is of another model than this {type(model).__name__}; build_model"
        f"({network.model!r}{settings}) makes its own"
        f" ({' '.join([f'--model={network.model}', *fields])})"
    )


def save_weights(
    path: str | os.PathLike[str],
    variables: Variables,
    *,
    normalization: Any = None,
    model: Network | None = None,
) -> None:
    """Writes a safetensors file that torchvision's model of the same architecture can load.

    Args:
        path: must end in `.safetensors`.
        variables: of a model of `depthjax.models`.
        normalization: as for `Layer`; stored in the file, where `fetch` finds it.
        model: the model, if it has other operations than torchvision's networks: a ViT, a ConvNeXt,
            an EfficientNet-Lite, an imported network, one of your own.

    Raises:
        ValueError: for another suffix, for an unknown normalisation, without the model for weights
            that only it has a name for, and if the file cannot be written.
    """
    if Path(path).suffix != ".safetensors":
        raise ValueError(f"weights are saved as .safetensors, not {Path(path).name!r}")
    known = as_normalization(normalization)
    note = json.dumps(known and known._asdict())
    state = to_torch_state_dict(variables, model)
    write_atomically(path, safetensors_bytes(state, {"format": "pt", NORMALIZATION_KEY: note}))
