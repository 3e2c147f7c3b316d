"""What the scripts of all studies do alike: begin a folder, show progress, write and print results.

with begin_output(definition) as folder:
    rows = [row for place in each_place(places) for row in folder.rows(…)]
    finish_study(folder, rows, findings, figures)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from depthjax.claims.findings import Finding
from depthjax.claims.frozen import plan
from depthjax.claims.stored import load_findings
from depthjax.claims.tables import finding_table
from depthjax.cli.bars import say_done
from depthjax.cli.output_flags import output_from_flags
from depthjax.cli.values import flag_values
from depthjax.files import npz_bytes
from depthjax.folders import results
from depthjax.folders.begin import RunFolder, begin
from depthjax.folders.run_writer import check_targets
from depthjax.inversion.bar import bar
from depthjax.report import write_report
from depthjax.studies.descents import Descents, References, pending
from depthjax.studies.networks import Place

Item = TypeVar("Item")


_IMAGES = "images.npz"


def begin_output(
    definition: Mapping[str, Any],
    *parts: str,
    images: tuple[Sequence[str], np.ndarray] | None = None,
) -> RunFolder:
    """The folder of `--output`, begun as `--overwrite` and `--resume` say.

    Args:
        definition: all that defines the results; it must survive JSON.
        parts: of the folder's name, where `--output` was not given.
        images: labels and pixels of those that are studied; a study goes on only with the same.

    Raises:
        ValueError: as `depthjax.folders.begin.begin`, and for other images.
    """
    asked = flag_values("overwrite", "resume")
    first = {} if images is None else {_IMAGES: npz_bytes({"targets": np.asarray(images[1])})}
    where = output_from_flags(*parts)
    folder = begin(where, definition, **asked, first=first, noted={"plan": plan()})
    if images is not None:
        check_targets(folder, *images, file=_IMAGES)
    return folder


def finish_study(
    folder: RunFolder,
    rows: Sequence[Mapping[str, Any]],
    findings: Sequence[Finding],
    figures: Iterable[tuple[str, Any]],
    *,
    summary: str = "",
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> None:
    """Writes the results of a study, prints its tables, and makes its page.

    Args:
        folder: that was begun.
        rows: of the table.
        findings: what the rows say of the paper's claims.
        figures: names and matplotlib Figures.
        summary: a table that the page shows first; it is printed, too.
        before: other texts that are printed before the table of findings.
        after: texts that are printed after it.
    """
    results.write_results(folder, rows, findings, summary, figures=figures)
    stored = load_findings(folder.path)
    table = finding_table(stored) if stored else ""
    print("\n\n".join(filter(None, [summary, *before, table, *after])), end="\n\n")
    say_where("Numbers, findings and figures", folder.path)


def recover_all(
    descents: Sequence[Descents],
    targets: np.ndarray,
    starts: np.ndarray,
    references: References,
) -> None:
    """Makes the descents that a study still lacks, with a progress bar over all their steps.

    Args:
        descents: of the study.
        targets: the images that are recovered, `[B, H, W, C]`.
        starts: where the descents start, `[B, H, W, C]` or `[R, B, H, W, C]`.
        references: distances of the reference, from `depthjax.studies.descents.check`.
    """
    missing = pending(descents)
    steps = sum(group.config.steps for group, _ in missing)
    with bar(total=steps, unit="step", smoothing=0.1) as shown:
        for group, layer in missing:
            place = f"{layer}, {group.network} {group.seed}, {group.condition}"
            shown.set_postfix_str(place)
            reference = references[group.network, group.seed, layer]
            group.recover(layer, targets, starts, reference)
            shown.update(group.config.steps)
            say_done(f"{place}: done")


def each_place(places: Sequence[Place]) -> Iterator[Place]:
    """The places one by one, with a progress bar that names the present one."""
    with bar(total=len(places), unit="layer") as shown:
        for place in places:
            name = f"{place.network} {place.seed}, {place.name}"
            shown.set_postfix_str(name)
            yield place
            shown.update()
            say_done(f"{name}: done")


def with_bar(items: Iterable[Item], unit: str = "layer") -> Iterable[Item]:
    """The items one by one, with a progress bar that counts them in `unit`."""
    return bar(iterable=items, unit=unit)


def say_where(what: str, output: Path) -> None:
    """Prints where results lie, and makes a page of all of them."""
    print(f"{what}: {output}")
    print(f"All of it on one page: {write_report(output)}")
