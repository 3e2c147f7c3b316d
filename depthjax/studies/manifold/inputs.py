"""The inputs that are embedded: training examples, held-out examples, and arbitrary inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32

from depthjax.data import Augmentation, Dataset, augment, open_dataset
from depthjax.data import noise as noise_set
from depthjax.data.randomness import permutation
from depthjax.errors import unknown
from depthjax.inversion.starts import draw_start
from depthjax.settings import check_settings, described, setting

GAUSSIAN, HELD_OUT = "Gaussian noise", "held-out examples"
ARBITRARY_NOISE = 1_000_003
"""The seed of arbitrary noise; no training set of noise has it."""


@described
@dataclass(frozen=True)
class Choice:
    """How many examples of training sets and how many other inputs are embedded.

    Height and width of images that have no size of their own (`folder:`, `tfds:`) are `size`;
    `data_dir` and `skip_corrupt` are those of `depthjax.data.open_dataset`.
    """

    examples: int = setting(1_000, "training examples that are embedded", least=2)
    held_out: int = setting(500, "held-out examples", least=1)
    held_out_split: str = setting(
        "test", "split that held-out examples are from; of noise, another seed's are"
    )
    inputs: int = setting(100, "arbitrary inputs of each kind", least=1)
    recovered: int = setting(10, "so many of each kind are recovered, from the last layer", least=0)
    recovery_steps: int = setting(200, "steps of each descent", least=1)
    inputs_seed: int = setting(0, "seed of the choice of examples and of drawn inputs")
    size: int | None = None
    data_dir: str | None = None
    skip_corrupt: bool = False

    def __post_init__(self) -> None:
        check_settings(self)

    def open_split(self, spec: str, split: str) -> Dataset:
        """Opens a data set; `size` is used where the spec contains none."""
        size = self.size if ":" in spec else None
        return open_dataset(
            spec, split=split, size=size, data_dir=self.data_dir, skip_corrupt=self.skip_corrupt
        )

    def read(self, spec: str, split: str, count: int) -> tuple[np.ndarray, Dataset]:
        """Random examples of a split, `[count, H, W, C]`, and the data set."""
        dataset = self.open_split(spec, split)
        order = permutation(self.inputs_seed, "manifold", spec, split, count=len(dataset))
        return dataset.read(np.sort(order[:count]))[0], dataset


def training_sets(
    labels: Sequence[str], dataset: str, size: int, entries: Sequence[str] | None = None
) -> dict[str, str]:
    """The training set of each trained network.

    Args:
        labels: of the trained networks.
        dataset: the training set of networks without an entry.
        size: of its images. Without entries, a network labelled `noise` has a training set of
            noise of that size.
        entries: `label=DATASET`.

    Raises:
        ValueError: for an entry of another form, or for an unknown network.
    """
    sets = dict.fromkeys(labels, dataset)
    if entries is None:
        return sets | ({"noise": f"noise/{size}"} if "noise" in sets else {})
    for entry in entries:
        label, separator, spec = entry.partition("=")
        if not separator or not spec:
            raise ValueError(f"trained_on has {entry!r}, which is not of the form label=DATASET")
        if label not in sets:
            raise unknown("trained network", label, sets)
        sets[label] = spec
    return sets


def is_noise(spec: str) -> bool:
    """Whether a training set consists of Gaussian noise."""
    return spec.startswith("noise/")


def training_and_held_out(choice: Choice, spec: str) -> tuple[np.ndarray, np.ndarray, Dataset]:
    """Training examples, held-out examples, and the training set.

    Args:
        choice: how many examples.
        spec: the training set; with `@SPLIT` if the network was trained on a part of it.
    """
    spec, _, split = spec.partition("@")
    training, dataset = choice.read(spec, split or "train", choice.examples)
    if is_noise(spec):
        _, size, *seed = spec.split("/")
        other = f"noise/{size}/{int(*seed) + 1}"
        held_out, _ = choice.read(other, "train", choice.held_out)
    else:
        held_out, _ = choice.read(spec, choice.held_out_split, choice.held_out)
    return training, held_out, dataset


class Arbitrary(NamedTuple):
    """Arbitrary inputs of one kind.

    Patches of one photograph are not independent of each other: statistically they count as one.

    Fields:
        images: `[M, H, W, 3]`.
        origin: the photograph of each patch, or a name of its own for each image.
    """

    images: np.ndarray
    origin: list[str]


def arbitrary_inputs(choice: Choice, size: int) -> dict[str, Arbitrary]:
    """Inputs that no network was trained on, by kind: patches of photographs, three kinds of noise.

    Args:
        choice: how many of each kind, and their seed.
        size: height and width.
    """
    from depthjax.data import photo_crops

    count = choice.inputs
    shape = (count, size, size, 3)
    pink, uniform = jax.random.split(jax.random.key(choice.inputs_seed))
    noises = {
        GAUSSIAN: choice.read(f"noise/{size}/{ARBITRARY_NOISE}", "train", count)[0],
        "1/f noise": draw_start(pink, "pink", shape, mean=noise_set.MEAN, std=noise_set.STD),
        "uniform noise": draw_start(uniform, "uniform", shape),
    }
    numbers = [str(number) for number in range(count)]
    return {
        "photographs": Arbitrary(*photo_crops.held_out_patches(size, count)),
        **{kind: Arbitrary(np.asarray(images), numbers) for kind, images in noises.items()},
    }


def prepare_images(
    images: np.ndarray, augmentation: Augmentation
) -> Float32[np.ndarray, "n h w c"]:
    """The images as they are in evaluation: not changed randomly, but grey if training was."""
    return np.asarray(augment(None, jnp.asarray(images), augmentation))


class Beside(NamedTuple):
    """What is seen beside a training set, prepared as evaluation does.

    Fields:
        training: examples, `[N, H, W, 3]`.
        inputs: by kind, `[M, H, W, 3]`: held-out examples, and arbitrary inputs.
        augmentation, version: of the training set (`depthjax.data.Dataset`).
    """

    training: np.ndarray
    inputs: dict[str, np.ndarray]
    augmentation: Augmentation
    version: str = ""

    def as_seen(self, images: np.ndarray) -> np.ndarray:
        """Recovered images as they are shown, and as the training set was seen."""
        return prepare_images(np.clip(images, 0.0, 1.0), self.augmentation)


def images_beside(choice: Choice, training_set: str, arbitrary: Mapping[str, Arbitrary]) -> Beside:
    """Examples of a training set, held-out ones, and each kind of input, as evaluation takes them.

    Args:
        choice: how many examples.
        training_set: its name.
        arbitrary: inputs by kind.
    """
    training, held_out, dataset = training_and_held_out(choice, training_set)
    augmentation = dataset.augmentation
    others = {HELD_OUT: held_out, **{kind: one.images for kind, one in arbitrary.items()}}
    inputs = {kind: prepare_images(each, augmentation) for kind, each in others.items()}
    seen = prepare_images(training, augmentation)
    return Beside(seen, inputs, augmentation, dataset.version)
