"""The verdict on every recovered image, and whether other networks give it the target's class."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from depthjax.analysis.metamers import MetamerTest, Null, labels, metamer_test, natural_null
from depthjax.folders.inversions import Run, load_run
from depthjax.folders.nulls import load_null, save_null
from depthjax.folders.result_rows import VERDICTS
from depthjax.images.crops import NaturalCrops
from depthjax.models.catalogue import find_model
from depthjax.models.network import Network
from depthjax.studies.classifier import Classifier, classifier_of, head_of
from depthjax.studies.descents import CONVERGING, Descents
from depthjax.studies.networks import Networks, each_network
from depthjax.studies.rows import Row
from depthjax.weights import weights_of


class Judged(NamedTuple):
    """The verdicts on what was recovered from one network with one weight seed.

    Fields:
        network: its label.
        seed: of the weights.
        run: all of its arrays.
        tests: by layer, of images `[R, B]`.
        recognised: by layer and judge, whether it gives the image the target's class, `[R, B]`.
    """

    network: str
    seed: int
    run: Run
    tests: dict[str, MetamerTest]
    recognised: dict[str, dict[str, np.ndarray]]

    def rows(self) -> Iterator[Row]:
        """A row for each layer, restart and image."""
        for depth, (layer, test) in enumerate(self.tests.items()):
            arrays = self.run.layers[layer]
            for restart, index in np.ndindex(test.passed.shape):
                at = restart, index
                yield {
                    "network": self.network,
                    "seed": self.seed,
                    "condition": CONVERGING,
                    "layer": layer,
                    "depth": depth,
                    "image": self.run.image_names[index],
                    "restart": restart,
                    **verdict_columns(test, at),
                    **{
                        name: float(arrays[name][at])
                        for name in ("embedding_ratio", "input_ratio", "luminance_r2")
                    },
                    **{
                        f"recognised_by_{judge}": bool(found[at])
                        for judge, found in self.recognised[layer].items()
                    },
                    **_elsewhere(test, at),
                }


def verdict_columns(test: MetamerTest, at: tuple[int, int]) -> Row:
    """What a row says of one image: the verdict, and each of its parts with its bound."""
    found, bounds = test.likeness[test.layer], test.bounds
    return {
        "metamer": VERDICTS[bool(test.passed[at])],
        "same_label": bool(test.same_label[at]),
        "label": int(test.label[at]),
        "target_label": int(test.target_label[at[1]]),
        **{name: float(value[at]) for name, value in found._asdict().items()},
        **{f"null_{name}": float(bound) for name, bound in bounds._asdict().items()},
    }


def _elsewhere(test: MetamerTest, at: tuple[int, int]) -> Row:
    return {
        f"{name}_at_{layer}": float(value[at])
        for layer, likeness in test.likeness.items()
        for name, value in likeness._asdict().items()
    }


def nulls_of(
    folder: Path, descents: Sequence[Descents], natural: NaturalCrops
) -> Iterator[tuple[Descents, Null]]:
    """The null distribution of each network and seed, made unless the folder has it already.

    Args:
        folder: of the files, `NETWORK_SEED.npz`.
        descents: one for each network and seed.
        natural: the images.
    """
    for one in descents:
        path = folder / f"{one.folder.parent.name}.npz"
        if not path.is_file():
            save_null(path, natural_null(one.layers, one.variables, natural))
        yield one, load_null(path)


def judge(
    descent: Descents,
    null: Null,
    model: Network,
    judges: Mapping[str, Classifier],
    quantile: float,
) -> Judged:
    """Tests all that was recovered from one network, and shows it to others.

    Args:
        descent: finished.
        null: of its network.
        model: its architecture, whose last layer says the class.
        judges: other networks by name; they see pixels clipped to [0, 1].
        quantile: of the null distribution that must be exceeded.

    Raises:
        ValueError: as `metamer_test`.
    """
    run = load_run(descent.folder)
    normalization = getattr(next(iter(descent.layers.values())), "normalization", None)
    classifier = head_of(model, normalization)
    of_targets = {name: labels(*one, run.targets) for name, one in judges.items()}
    tests, recognised = {}, {}
    for layer, arrays in run.layers.items():
        images = arrays["images"]
        tests[layer] = metamer_test(
            *(descent.layers, descent.variables, classifier, layer, images, run.targets, null),
            quantile=quantile,
        )
        seen = np.clip(np.nan_to_num(images), 0, 1).astype(np.float32)
        recognised[layer] = {
            name: labels(*one, seen) == of_targets[name] for name, one in judges.items()
        }
    return Judged(descent.network, descent.seed, run, tests, recognised)


def judges_of(
    model: Network, networks: Networks, seed: int, others: Sequence[str], size: int
) -> dict[str, Classifier]:
    """The networks that look at images, by name.

    Args:
        model: the architecture of the networks compared.
        networks: these; each judges, with its weights of one seed.
        seed: the first of the weights' seeds.
        others: further ones, `MODEL=WEIGHTS`.
        size: height and width of the images.

    Raises:
        ValueError: for one that is not of this form, does not exist, or has a name twice.
    """
    found = {
        label: classifier_of(model, weights)
        for label, _, weights in each_network({k: v[:1] for k, v in networks.items()}, [seed])
    }
    for text in others:
        name, separator, source = (part.strip() for part in text.partition("="))
        if not separator or not name or not source:
            raise ValueError(
                f"{text!r} is no judge of the form MODEL=WEIGHTS; write"
                " tf_efficientnet_lite2=pip:efficientnet_lite2"
            )
        if name in found:
            raise ValueError(f"two networks that judge are called {name!r}; give each its own")
        one = find_model(name, {})
        found[name] = classifier_of(one.model, weights_of(one, source, 0, size))
    return found
