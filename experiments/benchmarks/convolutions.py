"""Part n: a network's convolutions one by one, where a step spends its time; ours and PyTorch's.

A convolution is timed with its transpose, which is its gradient with respect to the image: weights
are frozen. BatchNorm is folded into it, so that nothing else of a ResNet takes long.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

import depthjax
from depthjax.models.network import INPUT, Network, needed_nodes
from depthjax.tables import markdown_table, median_and_range, number

from .job import Job
from .methods import Keep, Race
from .quantities import absent, ratios

OURS, THEIRS = "convolution", "torch_convolution"


class Kind(NamedTuple):
    """Convolutions that cost the same.

    Fields:
        kernel, stride, padding, groups: of a square one.
        inputs, outputs: channels.
        side: of the image that it reads, in pixels.
    """

    kernel: int
    stride: int
    padding: int
    groups: int
    inputs: int
    outputs: int
    side: int

    @property
    def title(self) -> str:
        """`3×3, 64 → 64, 56²`."""
        stride = f" by {self.stride}" if self.stride > 1 else ""
        groups = f" in {self.groups} groups" if self.groups > 1 else ""
        channels = f"{self.inputs} → {self.outputs}"
        return f"{self.kernel}×{self.kernel}{stride}, {channels}{groups}, {self.side}²"

    def flops(self, batch: int) -> float:
        """Operations of the convolution and of its transpose, as they are defined."""
        places = ((self.side + 2 * self.padding - self.kernel) // self.stride + 1) ** 2
        products = places * self.kernel**2 * self.inputs * self.outputs / self.groups
        return 4.0 * batch * products


def kinds_of(model: Network, node: str, size: int) -> Counter[Kind]:
    """The convolutions up to a node, and how often there is each.

    Args:
        model: the network.
        node: the last operation.
        size: of the images.

    Raises:
        ValueError: for a network with other than square convolutions, padded in numbers.
    """
    variables = depthjax.init_variables(model, jax.random.key(0), size)
    images = jax.ShapeDtypeStruct((1, size, size, 3), np.float32)
    found: Counter[Kind] = Counter()
    for current in needed_nodes(model, node):
        operation = current.operation
        if not isinstance(operation, nn.Conv):
            continue
        (read,) = current.inputs
        shape = images.shape
        if read != INPUT:
            shape = jax.eval_shape(depthjax.Layer(model, read), variables, images).shape
        padding = operation.padding
        sides = set() if isinstance(padding, str) else {*padding[0], *padding[1]}
        how = {*operation.kernel_size}, {*operation.strides}, sides
        if any(len(numbers) != 1 for numbers in how):
            raise ValueError(
                f"part n takes square convolutions, padded alike; {current.name} is not"
            )
        kernel, stride, pads = (number for (number,) in how)
        groups, channels = operation.feature_group_count, (shape[3], operation.features)
        found[Kind(kernel, stride, pads, groups, *channels, shape[1])] += 1
    return found


def measure(
    kinds: Counter[Kind],
    batches: tuple[int, ...],
    race: Race,
    keep: Keep,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """A race of two for every kind and batch.

    Args:
        kinds: as `kinds_of` finds them.
        batches: images at a time.
        race: takes entries and questions, as `racing.race` does.
        keep, say: as in `parts.Bench`.
    """
    results = []
    for batch in batches:
        for kind, count in kinds.items():

            def measured(
                kind: Kind = kind, count: int = count, batch: int = batch
            ) -> dict[str, Any]:
                say(f"{kind.title}, batch {batch}: ours, PyTorch's")
                job = Job("", "", kind._asdict(), "", batch, kind.side)
                entries = {name: (name, job) for name in (OURS, THEIRS)}
                place = {"kind": kind._asdict(), "count": count, "batch": batch}
                return race(entries, {}) | place

            name = "-".join(map(str, (*kind, batch)))
            results.append(keep(f"convolution-{name}", measured))
    return results


def table(races: list[dict[str, Any]]) -> str:
    """The races as Markdown: each kind, and all of them as often as they are there."""
    batches = list(dict.fromkeys(race["batch"] for race in races))
    headers = ["convolution and transpose", "times", "batch", "ms", "GFLOP/s", "PyTorch's"]
    headers += ["theirs ÷ ours", "share"]
    rows = []
    for batch in batches:
        of_batch = [race for race in races if race["batch"] == batch]
        total = {name: _all_of_them(of_batch, name) for name in (OURS, THEIRS)}
        flops = sum(race["count"] * Kind(**race["kind"]).flops(batch) for race in of_batch)
        for race in of_batch:
            kind, count = Kind(**race["kind"]), race["count"]
            seconds = np.asarray(race["entries"][OURS]["seconds"])
            share = count * np.median(seconds) / total[OURS]
            rows.append(
                [
                    *(kind.title, str(count), str(batch), median_and_range(1e3 * seconds)),
                    *(_speed(kind.flops(batch), _median(race, name)) for name in (OURS, THEIRS)),
                    *(
                        [median_and_range(ratio)]
                        if (ratio := ratios(race, THEIRS, OURS)).size
                        else "–"
                    ),
                    f"{share:.0%}",
                ]
            )
        speeds = (_speed(flops, seconds) for seconds in total.values())
        ratio = total[THEIRS] / total[OURS]
        rows.append(
            [
                *("all of them", str(sum(race["count"] for race in of_batch)), str(batch)),
                *(number(1e3 * total[OURS]), *speeds),
                *("–" if np.isnan(ratio) else f"**{ratio:.3g}**", "100%"),
            ]
        )
    missing = "".join(f" PyTorch: {reason}." for reason in absent(races).values())
    note = (
        "With frozen kernels, in float32; PyTorch's in channels last, by oneDNN on a CPU."
        f" Operations are those of the definition, however they are computed.{missing}"
    )
    return f"{markdown_table(headers, rows)}\n\n{note}"


def _median(race: dict[str, Any], name: str) -> float:
    seconds = race["entries"].get(name, {}).get("seconds", [])
    return float(np.median(seconds)) if seconds else float("nan")


def _all_of_them(races: list[dict[str, Any]], name: str) -> float:
    """Seconds of all convolutions of a step; NaN where one was not timed."""
    return sum(race["count"] * _median(race, name) for race in races)


def _speed(flops: float, seconds: float) -> str:
    return number(flops / seconds / 1e9)
