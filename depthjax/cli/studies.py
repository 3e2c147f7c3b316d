"""What the scripts of several studies do alike: fill in, show progress, say where results lie."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from depthjax.report import write_report
from depthjax.studies.descents import Descents, References, pending
from depthjax.studies.networks import Place


def recover_all(
    descents: Sequence[Descents],
    targets: np.ndarray,
    starts: np.ndarray,
    references: References,
) -> None:
    """Makes what a study still lacks, with a progress bar over the steps of all its descents."""
    missing = pending(descents)
    steps = sum(one.config.steps for one, _ in missing)
    with tqdm(total=steps, unit="step", disable=None, dynamic_ncols=True, smoothing=0.1) as bar:
        for one, layer in missing:
            bar.set_postfix_str(f"{layer}, {one.network} {one.seed}, {one.condition}")
            reference = references[one.network, one.seed, layer]
            one.recover(layer, targets, starts, reference)
            bar.update(one.config.steps)


def each_place(places: Sequence[Place]) -> Iterator[Place]:
    """One place after the other, with a progress bar that says where it stands."""
    with tqdm(total=len(places), unit="layer", disable=None, dynamic_ncols=True) as bar:
        for place in places:
            bar.set_postfix_str(f"{place.network} {place.seed}, {place.name}")
            yield place
            bar.update()


def say_where(what: str, output: Path) -> None:
    """Says where results lie, and puts all of them on one page."""
    print(f"{what}: {output}")
    print(f"All of it on one page: {write_report(output)}")
