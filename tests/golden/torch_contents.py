"""What is saved in files of PyTorch's to try a reader; needs PyTorch."""

import argparse
import collections
import io
import pathlib
from typing import Any

import numpy as np
import torch


def state_dict() -> collections.OrderedDict[str, torch.Tensor]:
    """Tensors of every kind of number, and of every way to lie in a storage."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    base = draw(24)
    annotated = torch.nn.Parameter(draw(2))
    annotated.note = "a parameter with an attribute"  # type: ignore[attr-defined]
    return collections.OrderedDict(
        {
            "float32": draw(3, 4),
            "float64": draw(2, 2).double(),
            "float16": draw(5).half(),
            "bfloat16": draw(5).bfloat16(),
            "int64": torch.arange(-2, 3),
            "int32": torch.arange(3, dtype=torch.int32),
            "int16": torch.arange(3, dtype=torch.int16),
            "int8": torch.arange(-3, 3, dtype=torch.int8),
            "uint8": torch.arange(3, dtype=torch.uint8),
            "uint16": torch.arange(3, dtype=torch.int32).to(torch.uint16),
            "uint32": torch.arange(3, dtype=torch.int64).to(torch.uint32),
            "uint64": torch.arange(3, dtype=torch.int64).to(torch.uint64),
            "bool": torch.tensor([True, False, True]),
            "complex64": torch.complex(draw(2), draw(2)),
            "complex128": torch.complex(draw(2), draw(2)).to(torch.complex128),
            "scalar": torch.tensor(3),
            "empty": torch.zeros(0, 3),
            "transposed": base.view(4, 6).t(),
            "strided": base[3:19:4],
            "window": base.view(2, 3, 4)[:, 1:, ::2],
            "expanded": draw(1).expand(4),
            "channels_last": draw(2, 3, 4, 5).to(memory_format=torch.channels_last),
            "parameter": torch.nn.Parameter(draw(3)),
            "annotated": annotated,
        }
    )


def checkpoint() -> dict[str, Any]:
    """What training scripts save: beside the state dict lie things of many classes."""
    return {
        "epoch": 3,
        "state_dict": state_dict(),
        "hyper_parameters": argparse.Namespace(lr=0.1, folder=pathlib.PurePosixPath("runs")),
        "best": np.float64(0.5),
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]},
        "sizes": torch.Size([2, 3]),
        "milestones": collections.Counter([30, 60]),
        "history": collections.defaultdict(list, loss=[1.0, 0.5]),
        "classes": {"cat", "dog"},
    }


def saved(content: Any, **options: Any) -> bytes:
    """The file that `torch.save` writes."""
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


LEGACY = {"_use_new_zipfile_serialization": False}
