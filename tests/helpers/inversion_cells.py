"""Cells of a small sweep of inversions."""

from depthjax import InversionConfig
from depthjax.sweeps import inversions

FIELDS = {"width": 4, "stage_sizes": (1, 1), "num_classes": 3}


CONFIG = InversionConfig(steps=6, record_every=2)


def cells(**settings):
    return inversions.inversion_cells(
        **{
            **{"model": "resnet18", "model_fields": FIELDS, "weights": "untrained"},
            **{"layers": "conv1,layer1", "images": ["chelsea", "coffee", "rocket"], "size": 16},
            **{"group_size": 2, "seeds": (0, 1), "config": CONFIG, **settings},
        }
    )
