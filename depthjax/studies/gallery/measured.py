"""What was recovered from each network, with the class that a trained one sees in it."""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from depthjax.folders.inversions import Run, load_run
from depthjax.models.labels import TopClasses, imagenet_classes
from depthjax.models.network import Network
from depthjax.studies.classifier import Classifier, classifier_of
from depthjax.studies.descents import Descents
from depthjax.studies.inversion.measured import imagenet_head, top_classes
from depthjax.studies.networks import Networks
from depthjax.studies.rows import Row, among
from depthjax.tables import markdown_table, number


def eye_of(model: Network, networks: Networks) -> tuple[str, Classifier | None]:
    """The first of the networks that knows ImageNet's classes, with its label; "" if none does."""
    for label, of_seeds in networks.items():
        if imagenet_head(model, of_seeds[0]) is not None:
            return label, classifier_of(model, of_seeds[0])
    return "", None


class Recovery(NamedTuple):
    """What was recovered from one network with one weight seed: L layers, B images.

    Fields:
        network: its label.
        seed: of the weights.
        condition: what the settings are called.
        run: all of its arrays.
        seen: what is seen in the targets and in the images of each layer, `[1 + L][B]`; empty
            texts if nobody sees.
    """

    network: str
    seed: int
    condition: str
    run: Run
    seen: list[list[str]]

    @property
    def images(self) -> Float[np.ndarray, "l b h w c"]:
        """Of the first restart."""
        return self.run.stack("images")[:, 0]

    def rows(self) -> list[Row]:
        """The rows of the run's table, with the network and what is seen."""
        names = self.run.image_names
        layers = list(self.run.layers)
        return [
            {
                "network": self.network,
                "seed": self.seed,
                "condition": self.condition,
                **row,
                "target_seen": self.seen[0][names.index(row["image"])],
                "seen": self.seen[1 + layers.index(row["layer"])][names.index(row["image"])],
            }
            for row in self.run.table
            if row["restart"] == 0
        ]


def gather(descents: Sequence[Descents], eye: Classifier | None) -> list[Recovery]:
    """Reads what all descents have recovered, and looks at it.

    Args:
        descents: finished.
        eye: who looks; None for nobody.
    """
    recoveries = []
    for descent in descents:
        run = load_run(descent.folder)
        shown = np.concatenate([run.targets[None], run.stack("images")[:, 0]])
        seen = [[""] * shown.shape[1]] * shown.shape[0]
        if eye is not None:
            top = top_classes(*eye, shown)
            seen = [[_first(*each) for each in zip(*row, strict=True)] for row in _pairs(top)]
        recoveries.append(Recovery(descent.network, descent.seed, descent.condition, run, seen))
    return recoveries


def class_table(recoveries: Sequence[Recovery], eye: str) -> str:
    """The numbers of every image and layer, and what is seen in it, in Markdown.

    Args:
        recoveries: of all networks.
        eye: the label of the network that looks; "" for nobody.
    """
    several = len({each.condition for each in recoveries}) > 1
    headers = [
        "image",
        "layer",
        "network",
        *(["settings"] if several else []),
        "D",
        "r²",
        "ρ",
        *([f"{eye} sees"] if eye else []),
    ]
    rows = []
    first = recoveries[0]
    every = sorted((row for each in recoveries for row in each.rows()), key=itemgetter("depth"))
    for index, image in enumerate(first.run.image_names):
        empty = [""] * (len(headers) - 2 - bool(eye))
        target = [image, "(the target)", *empty, first.seen[0][index]]
        rows.append(target[: len(headers)])
        for row in among(every, image=image):
            numbers = [row[name] for name in ("input_ratio", "luminance_r2", "embedding_ratio")]
            settings = [row["condition"]] if several else []
            made = [image, row["layer"], row["network"], *settings]
            words = [*made, *map(number, numbers), row["seen"]]
            rows.append(words[: len(headers)])
    return markdown_table(headers, rows)


def settings_table(recoveries: Sequence[Recovery]) -> str:
    """ρ, D and r² under each setting at each layer, means over images and seeds, in Markdown.

    Args:
        recoveries: of several settings.
    """
    signs = {"ρ": "embedding_ratio", "D": "input_ratio", "r²": "luminance_r2"}
    layers = list(recoveries[0].run.layers)
    networks = dict.fromkeys(each.network for each in recoveries)
    made: dict[tuple[str, str], list[Recovery]] = {}
    for each in recoveries:
        made.setdefault((each.network, each.condition), []).append(each)
    rows = []
    for (network, condition), same in made.items():
        means = [
            number(float(np.mean([each.run.layers[layer][name][0] for each in same])))
            for layer in layers
            for name in signs.values()
        ]
        rows.append([*([network] if len(networks) > 1 else []), condition, *means])
    columns = [f"{layer}: {sign}" for layer in layers for sign in signs]
    return markdown_table([*(["network"] if len(networks) > 1 else []), "settings", *columns], rows)


def _pairs(top: TopClasses) -> zip:
    return zip(top.classes, top.probability, strict=True)


def _first(classes: np.ndarray, probability: np.ndarray) -> str:
    """The likeliest class with its probability: `espresso 0.94`."""
    return f"{imagenet_classes()[classes[0]]} {probability[0]:.2f}"
