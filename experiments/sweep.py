r"""Many inversions: models × weights × layers × groups of images × seeds, on whatever there is.

    python experiments/sweep.py --flagfile=experiments/flags/sweep_small.flags
    python experiments/sweep.py --model=resnet50 --networks=untrained --seeds=0,1 \
        --layers=all-stages --images=photos/ --group_size=16 --output=runs/sweep --workers=2
    python experiments/sweep.py --table=cells.csv --output=runs/sweep --ray_address=auto
    python experiments/sweep.py --output=runs/sweep --status
    python experiments/sweep.py --flagfile=experiments/flags/sweep_small.flags --dry_run
    python experiments/sweep.py --flagfile=experiments/flags/sweep_scaling.flags

The same command again does what is left, whatever died meanwhile; of a finished sweep, nothing.
"""

import csv
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from tqdm import tqdm

from depthjax import cli, figures, images, sweeps, tables
from depthjax.errors import one_of
from depthjax.folders import results
from depthjax.inversion.config import InversionConfig
from depthjax.report import write_report
from depthjax.sweeps import inversions, planning

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_inversion_flags()
cli.define_layers_flag()
cli.define_image_flags(["astronaut", "chelsea"], size=224)
cli.define_reference_flags()
cli.define_script_flags()
flags.DEFINE_string("table", None, "CSV or JSON: a network in each row; its columns are flags")
flags.DEFINE_integer("group_size", 16, "images in a cell", lower_bound=1)
flags.DEFINE_string("output", "runs/sweep", "folder of the sweep")
flags.DEFINE_integer("workers", None, "Ray's workers; by default none: one cell after another")
flags.DEFINE_string("ray_address", None, "a running Ray cluster: auto, HOST:6379, ray://HOST:10001")
flags.DEFINE_float("worker_cpus", 1, "CPUs of a worker")
flags.DEFINE_float("worker_gpus", None, "GPUs of a worker, or a fraction (default: one, if any)")
flags.DEFINE_boolean("dashboard", False, "Ray's dashboard in the browser; needs ray[default]")
flags.DEFINE_integer("attempts", 3, "failures after which a cell is given up", lower_bound=1)
flags.DEFINE_boolean("retry_failed", False, "try again what was given up")
flags.DEFINE_boolean("status", False, "say where the sweep stands, and do nothing")
flags.DEFINE_boolean("dry_run", False, "say what the sweep will take here, and do nothing else")
flags.DEFINE_list("devices", ["8", "256"], "numbers of devices that --dry_run projects to")
flags.DEFINE_float("within_hours", 24, "--dry_run: how many devices end it by then?")
flags.DEFINE_list(
    "scaling",
    [],
    "1,2: run the whole anew with so many workers, and compare; 1,2,1,2 does it twice",
)

COLUMNS = ("model", "model_field", "networks", "seeds", "layers", "images", "size", "group_size")


def main() -> None:
    """Flags or a table -> cells -> results of each."""
    place = sweeps.SweepFolder(FLAGS.output)
    if FLAGS.status:
        print(described(place.status(FLAGS.attempts)))
        return
    cells = cells_from_flags()
    if FLAGS.dry_run:
        print(planned(planning.plan(cells)))
        return
    if FLAGS.scaling:
        print(scaled(cells))
        return
    if FLAGS.retry_failed:
        place.forget_failures()
    with tqdm(total=len(cells), unit="cell", disable=None, dynamic_ncols=True) as bar:
        ran = failed = 0

        def begin(status: sweeps.Status) -> None:
            bar.update(len(status.done))
            for name, problem in status.damaged.items():
                bar.write(f"{name}.parquet is damaged and done again: {problem}", file=sys.stderr)
            for name in status.foreign:
                bar.write(f"cells/{name} is no result of these cells, left alone", file=sys.stderr)

        def count(outcome: sweeps.Outcome) -> None:
            nonlocal ran, failed
            ran += 1
            failed += outcome.kind == "failed"
            bar.update(outcome.kind == "done")
            bar.set_postfix_str(f"{failed} failed" if failed else "", refresh=False)
            if outcome.message:
                bar.write(f"{outcome.name} {outcome.kind}: {outcome.message}", file=sys.stderr)

        status = sweeps.run_sweep(
            cells,
            inversions.run_cell,
            FLAGS.output,
            program=inversions.program,
            attempts=FLAGS.attempts,
            workers=FLAGS.workers,
            ray_address=FLAGS.ray_address,
            worker_cpus=FLAGS.worker_cpus,
            worker_gpus=FLAGS.worker_gpus,
            dashboard=FLAGS.dashboard,
            on_begin=begin,
            on_outcome=count,
        )
    print(described(status))
    if status.done:
        print(f"\n{summary(sweeps.load_sweep(FLAGS.output))}\n")
        print(f"Results: {FLAGS.output}/cells (one Parquet data set)")
        page = Path(FLAGS.output, "report.html")
        if ran or not page.is_file():  # a finished sweep does nothing
            write_report(FLAGS.output)
        print(f"All of it on one page: {page}")


def cells_from_flags() -> list[dict[str, Any]]:
    """The cells of the flags, or of the rows of --table with the flags for what a row leaves out.

    Raises:
        ValueError: for a table that cannot be read or has unknown columns, and for all that
            `inversion_cells` refuses.
    """
    config = cli.config_from_flags()
    rows = [{}] if FLAGS.table is None else read_table(Path(FLAGS.table))
    cells = [cell for row in rows for cell in cells_of(row, config)]
    return sorted(cells, key=inversions.program)


def read_table(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, or of a JSON file that holds a list of objects."""
    if not file.is_file():
        raise ValueError(f"no table {str(file)!r}; --table is a CSV or JSON file")
    text = file.read_text(encoding="utf-8")
    try:
        rows = (
            json.loads(text) if file.suffix == ".json" else list(csv.DictReader(text.splitlines()))
        )
        rows = [{name: str(v) for name, v in row.items() if v not in ("", None)} for row in rows]
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{str(file)!r} is no table: {error}") from error
    for name in {name for row in rows for name in row}:
        one_of(f"column in {file.name}", name, COLUMNS)
    return rows


def cells_of(row: Mapping[str, str], config: InversionConfig) -> list[dict[str, Any]]:
    """The cells of a row; lists in it are separated by semicolons or commas."""

    def listed(name: str) -> list[str]:
        given = row[name].replace(";", ",").split(",") if name in row else FLAGS[name].value
        return [part.strip() for part in given if part.strip()]

    fields = row["model_field"].split(";") if "model_field" in row else FLAGS.model_field
    found = images.find_images(listed("images"))
    cells = []
    for label, source in cli.network_sources(listed("networks")).items():
        cells += inversions.inversion_cells(
            model=row.get("model", FLAGS.model),
            model_fields=cli.settings(fields or (), "model_field"),
            weights=source,
            network=label,
            layers=",".join(listed("layers")) if "layers" in row else FLAGS.layers,
            images=[os.fspath(image) for image in found],
            config=config,
            size=int(row.get("size", FLAGS.size)),
            fit=FLAGS.fit,
            group_size=int(row.get("group_size", FLAGS.group_size)),
            seeds=cli.seed_numbers(listed("seeds")),
            normalization=cli.normalization_setting(),
            reference_seed=FLAGS.reference_seed,
            reference_std=FLAGS.reference_std,
            draws=FLAGS.reference_draws,
        )
    return cells


def described(status: sweeps.Status) -> str:
    """Where a sweep stands, in a line, and the last line of what went wrong with each failure."""
    counts = f"{len(status.done)} done, {len(status.running)} running, {len(status.failed)} failed"
    text = f"{counts}, {len(status.waiting)} waiting"
    if (status.waiting or status.running) and status.seconds_left is not None:
        text += f"; about {duration(status.seconds_left)} left"
    for name, problem in status.damaged.items():
        text += f"\n{name}.parquet is damaged and will be done again: {problem}"
    for name, failure in status.failed.items():
        text += f"\n{name} failed: {failure['kind']}: {failure['message']} (failed/{name}.json)"
    return text


def scaled(cells: list[dict[str, Any]]) -> str:
    """Runs the cells with each number of workers in turn, in folders of their own; then a table."""
    counts = [int(text) if text.strip().isdecimal() else 0 for text in FLAGS.scaling]
    if min(counts) < 1 or len(cells) <= max(counts):
        raise ValueError(
            f"--scaling={','.join(FLAGS.scaling)} must be numbers of workers from 1 and below the"
            f" {len(cells)} cells"
        )
    output = results.checked_folder(FLAGS.output)
    rows = []
    for turn, count in enumerate(counts, 1):
        ended: list[float] = []
        began = time.perf_counter()
        sweeps.run_sweep(
            cells,
            inversions.run_cell,
            output / f"turn-{turn}-workers-{count}",
            program=inversions.program,
            workers=count,
            worker_cpus=FLAGS.worker_cpus,
            worker_gpus=FLAGS.worker_gpus,
            all_cores=False,  # or fewer workers would have more of them each
            on_outcome=lambda outcome, ended=ended: ended.append(time.perf_counter()),
        )
        # Every worker starts and compiles first: that is told apart from how fast it goes then.
        warm = ended[-1] - ended[count - 1]
        row = {"turn": turn, "workers": count, "cells": len(cells), "seconds": ended[-1] - began}
        rows.append(row | {"warm_cells_per_minute": 60 * (len(ended) - count) / warm})
    distinct = sorted(set(counts))
    of = {
        name: [np.array([row[name] for row in rows if row["workers"] == n]) for n in distinct]
        for name in ("seconds", "warm_cells_per_minute")
    }
    speeds = of["warm_cells_per_minute"]
    table = tables.markdown_table(
        [
            "workers",
            "turns",
            "cells",
            "seconds in all",
            "cells a minute once warm",
            "times the first",
        ],
        [
            [
                *(f"{n}", f"{len(speed)}", f"{len(cells)}", tables.median_and_range(seconds)),
                *(tables.median_and_range(speed), f"{np.median(speed) / np.median(speeds[0]):.2f}"),
            ]
            for n, seconds, speed in zip(distinct, of["seconds"], speeds, strict=True)
        ],
    )
    figure = figures.throughput_against_workers(distinct, [float(np.median(s)) for s in speeds])
    results.write_results(
        output,
        {"cells": cells, "workers": counts},
        rows,
        [],
        summary=table,
        figures=[("workers", figure)],
    )
    return f"{table}\n\nTable and figure: {output}"


def planned(plan: planning.Plan) -> str:
    """What a sweep will take, as Markdown: each program, everything, and projections."""
    lines = [
        "| model | network | layer | cells | inversions each | TFLOP each | MiB | compile | each |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {p.model} | {p.network} | {p.layer} | {p.cells} | {p.examples} | {p.flops / 1e12:.3g}"
        f" | {p.memory / 2**20:.0f} | {p.compile_seconds:.0f} s | {duration(p.seconds)} |"
        for p in plan.programs
    ]
    inversions_in_all = sum(p.cells * p.examples for p in plan.programs)
    lines += [
        "",
        f"In all: {plan.cells} cells, {inversions_in_all} inversions, {plan.flops / 1e15:.3g} PFLOP"
        f" (compiler's count), {plan.memory / 2**20:.0f} MiB at once on a device.",
        f"Measured on {plan.device}: {duration(plan.device_seconds)} on one such device.",
    ]
    for text in FLAGS.devices:
        if not text.strip().isdecimal() or int(text) < 1:
            raise ValueError(f"--devices={','.join(FLAGS.devices)} must be whole numbers from 1")
        projected = duration(plan.seconds_on(int(text)))
        lines.append(f"Projected, not measured: {projected} on {int(text)} such devices.")
    needed = plan.devices_for(FLAGS.within_hours * 3600)
    answer = "no number of" if needed is None else f"{needed}"
    lines.append(f"Projected: {answer} such devices end it within {FLAGS.within_hours:g} h.")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def summary(table: Any) -> str:
    """Medians over images, seeds and restarts for each network and layer, as Markdown."""
    rows = table.select(["network", "model", "layer", "depth", "input_ratio", "embedding_ratio"])
    groups: dict[tuple, list[tuple[float, float]]] = {}
    for row in rows.to_pylist():
        key = row["model"], row["network"], row["depth"], row["layer"]
        groups.setdefault(key, []).append((row["input_ratio"], row["embedding_ratio"]))
    lines = ["| model | network | layer | n | D | ρ |", "|---|---|---|---|---|---|"]
    for (model, network, _, layer), values in sorted(groups.items()):
        d, rho = np.median(np.array(values), axis=0)
        lines.append(f"| {model} | {network} | {layer} | {len(values)} | {d:.3g} | {rho:.3g} |")
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(main)
