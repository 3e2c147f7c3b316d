"""Cells of a small sweep of inversions."""

from depthjax import InversionConfig
from depthjax.sweeps import inversions

FIELDS = {"width": 4, "stage_sizes": (1, 1), "num_classes": 3}


CONFIG = InversionConfig(steps=6, record_every=2)


def cells(
    *, model="resnet18", model_fields=FIELDS, weights="untrained", layers="conv1,layer1",
    images=("chelsea", "coffee", "rocket"), group_size=2, config=CONFIG, seeds=(0, 1),
    weights_prefix=None, judge=None,
):  # fmt: skip
    return inversions.inversion_cells(
        inversions.SweptNetwork(
            model, weights, model_fields, weights_prefix=weights_prefix, judge=judge or {}
        ),
        inversions.Photographs(images, 16, group_size=group_size),
        layers,
        config,
        seeds=seeds,
    )
