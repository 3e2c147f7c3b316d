"""Writes the folder of a run of inversions, layer by layer; see `depthjax.folders.inversions`."""

import itertools
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from depthjax.analysis.metamers import MetamerTest
from depthjax.devices import processes
from depthjax.files import check_names, csv_bytes, npz_bytes, read_arrays, write_atomically
from depthjax.folders.begin import RunFolder, begin
from depthjax.folders.config import read_config
from depthjax.folders.inversions import file_name, layer_file
from depthjax.folders.layer_arrays import layer_arrays, metamer_arrays, trajectories_of_layer
from depthjax.folders.result_rows import rows_of_layer
from depthjax.images import save_png
from depthjax.inversion.autoencoding import Autoencoding
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.models.labels import TopClasses

INPUTS = "inputs.npz"
DECODED_ALIKE = 0.05
"""By how much pixels in [0, 1] may differ, as two versions of a decoder or of resizing do."""


class RunWriter:
    """Writes a run of inversions; `start_run` makes one. Use it as a context manager.

    Of several processes that share a run only the first may save.

    Args:
        folder: that was begun.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._trajectories: dict[str, dict[str, np.ndarray]] = {}

    def done(self, layer: str) -> bool:
        """Whether a layer's results are there."""
        return layer_file(self.folder.path, layer).is_file()

    def checkpoints(self, layer: str) -> DescentCheckpoints:
        """Where the state of a layer's descents is kept until the layer is done."""
        return DescentCheckpoints(self.folder.path / "unfinished" / file_name(layer))

    def save_layer(
        self,
        layer: str,
        result: Autoencoding,
        *,
        seconds: float = np.nan,
        learning_rate: float | None = None,
        target_top: TopClasses | None = None,
        recovered_top: TopClasses | None = None,
        perceptual_distance: Float[np.ndarray, "*leading"] | None = None,
        metamer: MetamerTest | None = None,
    ) -> None:
        """Writes the results at a layer, and brings the table and the pictures up to date.

        Args:
            layer: its name.
            result: what `autoencode` returned.
            seconds: how long that took.
            learning_rate: of the first step, where it was chosen for the layer.
            target_top, recovered_top: the most probable classes of the targets `[B, 5]` and of
                the recovered images `[R, B, 5]` or `[B, 5]`.
            perceptual_distance: of the recovered images in another network, `[R, B]` or `[B]`.
            metamer: the test of the recovered images, `[R, B]` or `[B]`.

        Raises:
            ValueError: if a file cannot be written, or the folder is no longer ours.
        """
        arrays = layer_arrays(result) | {"seconds": np.asarray(seconds)}
        if learning_rate is not None:
            arrays["learning_rate"] = np.asarray(learning_rate)
        if target_top is not None and recovered_top is not None:
            arrays |= {f"target_top_{name}": v for name, v in target_top._asdict().items()}
            shape = (-1, *target_top.classes.shape)  # restarts always an axis
            arrays |= {f"top_{n}": v.reshape(shape) for n, v in recovered_top._asdict().items()}
        if perceptual_distance is not None:
            arrays["perceptual_distance"] = perceptual_distance.reshape(arrays["status"].shape)
        if metamer is not None:
            arrays |= {
                name: value.reshape(arrays["status"].shape)
                for name, value in metamer_arrays(metamer).items()
            }
        self.folder.check()
        write_atomically(layer_file(self.folder.path, layer), npz_bytes(arrays))
        self._take_in(layer, arrays, again=True)
        self._save_tables()
        self._discard_state(layer)

    def save_ratio_matrix(self, ratio: Float[np.ndarray, "recovered_from measured_at r b"]) -> None:
        """Writes ρ at every layer (second axis) of what was recovered from every layer (first)."""
        arrays = {"ratio": ratio, "layers": np.array(self._layers)}
        self.folder.write("ratio_matrix.npz", npz_bytes(arrays))

    def derive(self) -> None:
        """Makes again what a killed process has not made of the layers that it had saved."""
        done = [layer for layer in self._layers if self.done(layer)]
        for layer in done:
            file = layer_file(self.folder.path, layer)
            self._take_in(layer, read_arrays(file))
            self._discard_state(layer)
        if done:
            self._save_tables()

    def close(self) -> None:
        """Lets other processes write the folder."""
        self.folder.close()

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(self, *error: Any) -> None:
        self.folder.__exit__(*error)

    @cached_property
    def _config(self) -> dict[str, Any]:
        return read_config(self.folder)

    @property
    def _layers(self) -> list[str]:
        return self._config["layers"]

    def _take_in(
        self, layer: str, arrays: Mapping[str, np.ndarray], *, again: bool = False
    ) -> None:
        """Notes a layer's share of the tables, and makes the pictures that are missing, or all."""
        depth = self._layers.index(layer)
        self._rows[layer] = rows_of_layer(layer, depth, self._config["images"], arrays)
        self._trajectories[layer] = trajectories_of_layer(layer, arrays)
        pictures = self.folder.subfolder("images")
        for name, image in self._pictures(layer, arrays).items():
            if again or not (pictures / name).is_file():
                save_png(pictures / name, np.nan_to_num(image))

    def _save_tables(self) -> None:
        """Writes `results.csv` and `trajectory.npz` with all layers so far, in depth order."""
        done = [layer for layer in self._layers if layer in self._rows]
        rows = [row for layer in done for row in self._rows[layer]]
        self.folder.write("results.csv", csv_bytes(rows))
        every = [self._trajectories[layer] for layer in done]
        arrays = {name: values for each in every for name, values in each.items()}
        self.folder.write("trajectory.npz", npz_bytes(arrays))

    def _pictures(self, layer: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Targets, starts and what was recovered from a layer, by the names of their files."""
        several = len(arrays["images"]) > 1
        pictures = {}
        for index, name in enumerate(self._config["images"]):
            pictures[f"{name}_target.png"] = self._inputs["targets"][index]
            for restart, images in enumerate(arrays["images"]):
                suffix = f"_restart{restart}" if several else ""
                pictures[f"{name}_start{suffix}.png"] = self._inputs["starts"][restart, index]
                pictures[f"{name}_{file_name(layer)}{suffix}.png"] = images[index]
        return pictures

    @cached_property
    def _inputs(self) -> dict[str, np.ndarray]:
        return read_arrays(self.folder.path / INPUTS)

    def _discard_state(self, layer: str) -> None:
        """Removes the kept state of a layer that is done.

        That of all processes: they have closed theirs before any of them had the whole.
        """
        unfinished = self.folder.path / "unfinished"
        shutil.rmtree(unfinished / file_name(layer), ignore_errors=True)
        with suppress(OSError):  # while other layers are unfinished, the folder stays
            unfinished.rmdir()


def start_run(
    folder: str | os.PathLike[str],
    config: Mapping[str, Any],
    targets: ArrayLike,
    starts: ArrayLike,
    *,
    overwrite: bool = False,
    resume: bool = False,
) -> RunWriter:
    """Begins a run folder, or opens the one that is there to go on with it.

    All of several processes get the same writer, and only the first one touches the folder.

    Args:
        folder: the run folder.
        config: all that defines the run, with `layers` and `images` (labels) among it; it must
            survive JSON.
        targets: `[B, H, W, C]`.
        starts: `[B, H, W, C]` or `[R, B, H, W, C]`.
        overwrite: an older run there is removed first.
        resume: an older run there with the same `config` is gone on with.

    Raises:
        ValueError: if the folder holds another run, or something that is no run, or is being
            written by another process; or if the images cannot be written as files.
    """
    if np.ndim(starts) == 4:
        starts = np.asarray(starts)[None]
    check_pictures(folder, config["images"], config["layers"], np.shape(starts))
    first = input_file(targets, starts)
    begun = begin(folder, config, overwrite=overwrite, resume=resume, first=first)
    check_targets(begun, config["images"], targets)
    writer = RunWriter(begun)
    if processes.is_first():
        writer.derive()
    return writer


def input_file(targets: ArrayLike, starts: ArrayLike) -> dict[str, bytes]:
    """The file of the images that descents start from and aim at, for `begin`.

    Args:
        targets, starts: a and a_0.
    """
    return {INPUTS: npz_bytes({"targets": np.asarray(targets), "starts": np.asarray(starts)})}


def check_targets(
    folder: RunFolder, images: Sequence[str], targets: ArrayLike, file: str = INPUTS
) -> None:
    """Returns if a run that is gone on with has the images that it was begun with.

    Their names are part of its definition, and another picture may have the name today. What
    another version of a decoder makes of the same file is no other image.

    Args:
        folder: from `begin`; closed if they differ.
        images: labels.
        targets: `[B, H, W, C]`.
        file: of the folder, which has those that it was begun with.

    Raises:
        ValueError: naming the first image that has changed; if the file is not there, or damaged.
    """
    if not processes.is_first() or file in folder.begun:
        return
    try:
        kept = read_arrays(folder.path / file)["targets"]
        differences = np.abs(np.asarray(targets, float) - kept)
        for name, difference in zip(images, differences, strict=True):
            if difference.max() > DECODED_ALIKE:
                raise ValueError(
                    f"cannot resume {str(folder.path)!r}: the image {name!r} is another one than it"
                    " was begun with; put the old one back, or choose another --output"
                )
    except ValueError:
        folder.close()
        raise


def check_pictures(
    folder: str | os.PathLike[str],
    images: Sequence[str],
    layers: Sequence[str],
    shape: Sequence[int],
) -> None:
    """Returns if the pictures of a run can be written, before any of them is computed.

    Args:
        folder: of the run.
        images: labels.
        layers: names.
        shape: of the starts, `[R, B, H, W, C]`.

    Raises:
        ValueError: for names or channels that PNG files cannot have, and for names that two of
            them would share.
    """
    if shape[-1] not in (1, 3):
        raise ValueError(
            f"images of {shape[-1]} channels cannot be written as PNG files, which a run folder"
            " holds; take 1 or 3 channels, or call depthjax.autoencode without a folder"
        )
    suffix = f"_restart{shape[0] - 1}" if shape[0] > 1 else ""
    parts = {"the target": "target", "the start": f"start{suffix}"}
    parts |= {f"layer {layer!r}": file_name(layer) + suffix for layer in layers}
    written: dict[str, str] = {}
    for image, (what, part) in itertools.product(images, parts.items()):
        name, shown = f"{image}_{part}.png", f"{what} of image {image!r}"
        if name in written:
            raise ValueError(
                f"{written[name]} and {shown} would both be written to {name!r}; rename one of them"
            )
        written[name] = shown
    check_names(folder, written)
