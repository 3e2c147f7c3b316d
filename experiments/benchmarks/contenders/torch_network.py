"""A job as PyTorch tensors and a network of PyTorch: what the peers share. No JAX here."""

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.fx.experimental.optimization import fuse

from ..job import Job
from .memory import peak_of_process

# Declares torchvision's operators where a PyTorch cannot load them; the golden files need it too.
sys.path.append(str(Path(__file__).parents[3] / "tests" / "golden"))
from torch_peer import import_torchvision

torchvision = import_torchvision()
from torchvision.models import feature_extraction  # noqa: E402

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
LAYOUTS = {True: torch.channels_last, False: torch.contiguous_format}


class TorchProblem:
    """The network cut at the layer, the photographs and the start, NCHW.

    Args:
        job: as for every contender.
        channels_last: layout of kernels and images.
        frozen: weights get no gradients.
        fused: BatchNorm goes into the convolution before it.
    """

    def __init__(self, job: Job, *, channels_last: bool, frozen: bool, fused: bool) -> None:
        # The same arithmetic as ours; PyTorch lets convolutions use TF32 unless told otherwise.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        layout = LAYOUTS[channels_last]
        layer = _cut(job).eval().requires_grad_(not frozen)
        if fused and any(isinstance(part, torch.nn.BatchNorm2d) for part in layer.modules()):
            # In place: a copy of a feature extractor is in training mode again. What cannot be
            # traced once more (timm's padding "SAME") stays as it is.
            with suppress(torch.fx.proxy.TraceError):
                layer = fuse(layer, inplace=True).eval()
        self.layer = layer.to(DEVICE, memory_format=layout)
        images, start = (torch.from_numpy(array).permute(0, 3, 1, 2) for array in job.images())
        self.images = images.to(DEVICE).contiguous(memory_format=layout)
        self.start = start.to(DEVICE).contiguous(memory_format=layout)
        with torch.no_grad():
            self.target = self.layer(self.images)

    def distance(self) -> float:
        """Σ|O(start) − O(a)|."""
        with torch.no_grad():
            return float((self.layer(self.start) - self.target).abs().sum())

    def memory(self) -> int:
        """The peak of the GPU's memory; without one, of the process."""
        cuda = DEVICE.type == "cuda"
        return torch.cuda.max_memory_allocated() if cuda else peak_of_process()

    def about(self) -> dict[str, Any]:
        """Versions, device and threads."""
        name = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "cpu"
        return {
            "device": f"{DEVICE.type}: {name}",
            "threads": torch.get_num_threads(),
            "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__},
        }


def wait() -> None:
    """Until the device has done what it was told."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


class _Embedding(torch.nn.Module):
    """The one output of a feature extractor; several are one behind the other."""

    def __init__(self, extractor: torch.nn.Module) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        outputs = list(self.extractor(images).values())
        return outputs[0] if len(outputs) == 1 else torch.cat([x.flatten(1) for x in outputs], 1)


def _cut(job: Job) -> torch.nn.Module:
    """The peer with the job's weights, up to the job's layer."""
    library, _, name = job.peer.partition(":")
    make, extract = _timm(name) if library == "timm" else _torchvision(name)
    if make is None or job.fields:
        fields = "".join(f" {name}={value}" for name, value in job.fields.items())
        raise ValueError(f"{library} has no {name}{fields}")
    with torch.device("meta"):  # shapes only: the weights come from the job
        model = make()
    state = {key: torch.from_numpy(array) for key, array in job.weights().items()}
    counters = [key for key in model.state_dict() if key.endswith("num_batches_tracked")]
    state |= {key: torch.zeros((), dtype=torch.long) for key in counters}
    model.load_state_dict(state, strict=True, assign=True)
    nodes = {node: node.replace(".", "_") for node in job.node.split("+")}
    return _Embedding(extract(model.eval(), nodes))


Makers = tuple[Callable[[], torch.nn.Module] | None, Callable[..., torch.nn.Module]]
"""What makes a network, if there is one of the name, and what cuts it at a layer."""


def _torchvision(name: str) -> Makers:
    make = getattr(torchvision.models, name, None)
    return make and partial(make, weights=None), feature_extraction.create_feature_extractor


def _timm(name: str) -> Makers:
    import timm  # its networks alone need it

    known = name in timm.list_models()
    make = partial(timm.create_model, name) if known else None
    return make, timm.models.create_feature_extractor
