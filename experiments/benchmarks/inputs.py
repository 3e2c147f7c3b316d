"""The same weights, photographs and starts for every contender, as files."""

import dataclasses
import io
import itertools
from pathlib import Path
from typing import Any

import jax
import numpy as np

import depthjax
from depthjax import InversionConfig
from depthjax.files import write_atomically
from depthjax.images import EMBEDDED, load_images
from depthjax.models.catalogue import TIMM_MODELS, find_model
from depthjax.models.network import Network
from depthjax.models.normalization import Normalization
from depthjax.weights import to_torch_state_dict, weights_of

from .job import Job


class Inputs:
    """Makes jobs for one network, and writes the arrays that they name.

    Args:
        folder: for the arrays; the caller removes it.
        name, fields: of the network, as for `depthjax.build_model`.
        model: the network.
        seed: of its weights.
        source, loading: of its weights, as `weights_of` takes them.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        fields: dict[str, Any],
        model: Network,
        seed: int,
        source: str = "untrained",
        **loading: Any,
    ) -> None:
        self.folder, self.name, self.fields = folder, name, fields
        self.model, self.seed, self.source, self.loading = model, seed, source, loading
        self._normalizations: dict[int, Normalization | None] = {}

    def job(self, layer: str, batch: int, size: int, **others: Any) -> Job:
        """A job at a layer, its files written. `others` are further fields of `Job`."""
        node = depthjax.Layer(self.model, layer).node
        peer = peer_of(self.name)
        job = Job(str(self.folder), self.name, self.fields, node, batch, size, peer=peer, **others)
        if size not in self._normalizations:
            found = find_model(self.name, self.fields)
            weights = weights_of(found, self.source, self.seed, size, **self.loading)
            _write(job.weights_file, **to_torch_state_dict(weights.variables, self.model))
            self._normalizations[size] = weights.normalization
        job = dataclasses.replace(job, normalization=self._normalizations[size])
        if not job.images_file.exists():
            images = np.tile(photographs(batch, size), (job.restarts, 1, 1, 1))
            config = InversionConfig.preset("paper")
            start = depthjax.initial_images(jax.random.key(1), images.shape, config)
            _write(job.images_file, images=images, start=np.asarray(start))
        return job


def peer_of(name: str) -> str:
    """What PyTorch's libraries call a model: `torchvision:resnet50`, `timm:convnext_tiny`."""
    if ":" in name:
        return name
    return f"timm:{name}" if name in TIMM_MODELS else f"torchvision:{name}"


def photographs(count: int, size: int) -> np.ndarray:
    """Embedded photographs, `[count, size, size, 3]` float32; they come again if there are fewer.

    The three that the other scripts use come first.
    """
    names = list(dict.fromkeys(("astronaut", "chelsea", "coffee", *EMBEDDED)))[:count]
    _, images = load_images(names, size)
    indices = list(itertools.islice(itertools.cycle(range(len(names))), count))
    return np.asarray(images, np.float32)[indices]


def _write(path: Path, **arrays: np.ndarray) -> None:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_atomically(path, content.getvalue())
