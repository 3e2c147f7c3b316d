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

import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from depthjax import cli, figures, images, sweeps
from depthjax.folders import results
from depthjax.folders.begin import begin
from depthjax.inversion.config import InversionConfig
from depthjax.models.catalogue import find_model
from depthjax.report import write_report
from depthjax.studies.networks import same_normalization
from depthjax.sweeps import inversions, listing, planning, scaling
from depthjax.sweeps import tables as sweep_tables
from depthjax.weights.asked import expected_normalization
from depthjax.weights.controls import is_unnormalized, is_untrained

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_inversion_flags()
cli.define_layers_flag()
cli.define_image_flags(["astronaut", "chelsea"], size=224)
cli.define_reference_flags()
cli.define_judge_flags()
cli.define_output_flags("runs/sweep", "sweep; one that is there goes on")
cli.define_script_flags()
flags.DEFINE_string("table", None, "CSV or JSON: a network in each row; its columns are flags")
flags.DEFINE_integer("group_size", 16, "images in a cell", lower_bound=1)
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


def main() -> None:
    """Flags or a table -> cells -> results of each."""
    place = sweeps.SweepFolder(FLAGS.output)
    if FLAGS.status:
        print(sweep_tables.status_text(place.status(FLAGS.attempts)))
        return
    cells = cells_from_flags()
    if FLAGS.dry_run:
        counts = cli.whole_numbers("devices")
        print(sweep_tables.plan_text(planning.plan(cells), counts, FLAGS.within_hours))
        return
    if FLAGS.scaling:
        compare_workers(cells)
        return
    workers = workers_from_flags()
    if FLAGS.overwrite and not FLAGS.resume:
        place.clear()
    if FLAGS.retry_failed:
        place.forget_failures()
    status = run(cells, workers)
    print(sweep_tables.status_text(status))
    if status.done:
        print(f"\n{sweep_tables.sweep_table(sweeps.load_sweep(FLAGS.output))}\n")
        print(f"Results: {FLAGS.output}/cells (one Parquet data set)")
        print(f"All of it on one page: {write_report(FLAGS.output)}")


def run(cells: list[dict[str, Any]], workers: sweeps.Workers | None) -> sweeps.Status:
    """Runs the sweep with a progress bar, and says what went wrong on the way."""
    with cli.bar(total=len(cells), unit="cell") as bar:
        failed = 0

        def begin(status: sweeps.Status) -> None:
            bar.update(len(status.done))
            for name, problem in status.damaged.items():
                bar.write(f"{name}.parquet is damaged and done again: {problem}", file=sys.stderr)
            for name in status.foreign:
                bar.write(f"cells/{name} is no result of these cells, left alone", file=sys.stderr)

        def count(outcome: sweeps.Outcome) -> None:
            nonlocal failed
            failed += outcome.kind == "failed"
            bar.update(outcome.kind == "done")
            bar.set_postfix_str(f"{failed} failed" if failed else "", refresh=False)
            if outcome.message:
                bar.write(f"{outcome.name} {outcome.kind}: {outcome.message}", file=sys.stderr)

        return sweeps.run_sweep(
            cells,
            inversions.run_cell,
            FLAGS.output,
            program=inversions.program,
            attempts=FLAGS.attempts,
            workers=workers,
            on_begin=begin,
            on_outcome=count,
        )


def workers_from_flags() -> sweeps.Workers | None:
    """Ray's workers, or None for this process.

    Raises:
        ValueError: for workers without CPUs, and for what is asked of workers where there are none.
    """
    cli.check_needed(("workers", "ray_address"), "worker_cpus", "worker_gpus", "dashboard")
    if FLAGS.workers is None and FLAGS.ray_address is None:
        return None
    return sweeps.Workers(
        FLAGS.workers,
        FLAGS.ray_address,
        FLAGS.worker_cpus,
        FLAGS.worker_gpus,
        dashboard=FLAGS.dashboard,
    )


def cells_from_flags() -> list[dict[str, Any]]:
    """The cells of the flags, or of the rows of --table with the flags for what a row leaves out.

    Raises:
        ValueError: for a table that cannot be read or has unknown columns, for trained networks of
            one architecture that expect their pixels otherwise where others are untrained, and for
            all that `inversion_cells` refuses.
    """
    config = cli.config_from_flags()
    rows = [{}] if FLAGS.table is None else listing.read_table(FLAGS.table)
    asked = [asked_by(row) for row in rows]
    sources = list(dict.fromkeys(image for one in asked for image in one.photographs.sources))
    labels = dict(zip(sources, images.image_labels(sources), strict=True))
    of_model: dict[str, list[Asked]] = {}
    for one in asked:
        of_model.setdefault(json.dumps([one.model, one.fields], sort_keys=True), []).append(one)
    cells = []
    for together in of_model.values():
        untrained = normalization_of_untrained(together)
        cells += [cell for one in together for cell in cells_of(one, untrained, labels, config)]
    return sorted(cells, key=inversions.program)


class Asked(NamedTuple):
    """What a row asks for.

    Fields:
        model, fields: the architecture, as `build_model` takes it.
        sources: of weights, by the label of the network.
        photographs: the images.
        layers: as `select_layers` takes them.
        seeds: of weights and starts.
    """

    model: str
    fields: dict[str, Any]
    sources: dict[str, str]
    photographs: inversions.Photographs
    layers: str
    seeds: list[int]

    @property
    def of_seeds(self) -> list[str]:
        """The sources of all seeds; not of networks that see the pixels as they are."""
        return [
            source.replace("{seed}", str(seed))
            for source in self.sources.values()
            if not is_unnormalized(source)
            for seed in (self.seeds if "{seed}" in source else self.seeds[:1])
        ]


def asked_by(row: Mapping[str, str]) -> Asked:
    """What a row asks for; lists in it are separated by semicolons or commas."""

    def listed(name: str) -> list[str]:
        given = row[name].replace(";", ",").split(",") if name in row else FLAGS[name].value
        return [cli.expand(part.strip()) for part in given if part.strip()]

    texts = row["model_field"].split(";") if "model_field" in row else FLAGS.model_field
    model, fields = row.get("model", FLAGS.model), cli.parse_fields(texts or (), "model_field")
    found = find_model(model, fields)
    said = "networks" in row or not FLAGS["networks"].using_default_value
    networks = ["pretrained"] if found.variables is not None and not said else listed("networks")
    photographs = inversions.Photographs(
        [os.fspath(image) for image in images.find_images(listed("images"))],
        size=int(row.get("size") or cli.size_for(found.model)),
        fit=FLAGS.fit,
        group_size=int(row.get("group_size", FLAGS.group_size)),
    )
    return Asked(
        *(model, fields, cli.network_sources(networks), photographs),
        layers=",".join(listed("layers")) if "layers" in row else FLAGS.layers,
        seeds=cli.seed_numbers(listed("seeds")),
    )


def normalization_of_untrained(together: Sequence[Asked]) -> Any:
    """How untrained networks see pixels: as the trained ones do, if there are both.

    Args:
        together: all that is asked of one architecture.
    """
    given = cli.normalization_setting()
    sources = list(dict.fromkeys(source for one in together for source in one.of_seeds))
    trained = [source for source in sources if not is_untrained(source)]
    if given != "auto" or len(trained) in (0, len(sources)):
        return given
    found = find_model(together[0].model, together[0].fields)
    return same_normalization(expected_normalization(found, source) for source in trained)


def cells_of(
    one: Asked, untrained: Any, labels: Mapping[str, str], config: InversionConfig
) -> list[dict[str, Any]]:
    """The cells of a row.

    Args:
        one: the row.
        untrained: the normalisation of pixels for untrained networks.
        labels: of all images of the sweep.
        config: of the descents.
    """
    given = cli.normalization_setting()
    return [
        cell
        for label, source in one.sources.items()
        for cell in inversions.inversion_cells(
            inversions.SweptNetwork(
                *(one.model, source, one.fields, untrained if is_untrained(source) else given),
                label,
                FLAGS.weights_prefix,
                cli.judge_from_flags(one.model, one.fields),
            ),
            dataclasses.replace(one.photographs, labels=labels),
            one.layers,
            config,
            seeds=one.seeds,
            reference_seed=FLAGS.reference_seed,
            reference_std=FLAGS.reference_std,
            draws=FLAGS.reference_draws,
        )
    ]


def compare_workers(cells: list[dict[str, Any]]) -> None:
    """Runs the cells with each number of workers in turn, and writes a table and a figure."""
    counts = cli.whole_numbers("scaling")
    if len(cells) <= max(counts):
        raise ValueError(
            f"--scaling={','.join(FLAGS.scaling)} must be below the number of cells, {len(cells)}"
        )
    definition = {"cells": cells, "workers": counts}
    anew = FLAGS.overwrite and not FLAGS.resume  # else the same command goes on
    with begin(FLAGS.output, definition, overwrite=anew, resume=not anew) as folder:
        rows = []
        for turn, count in enumerate(counts, 1):
            # Without their own cores, fewer workers would have more of them each.
            workers = sweeps.Workers(
                count, cpus=FLAGS.worker_cpus, gpus=FLAGS.worker_gpus, all_cores=False
            )
            rows.append(
                scaling.measure_turn(
                    folder, turn, cells, inversions.run_cell, workers, inversions.program
                )
            )
        table, speeds = scaling.scaling_table(rows), scaling.median_speeds(rows)
        figure = figures.throughput_against_workers(list(speeds), list(speeds.values()))
        results.write_results(folder, rows, [], summary=table, figures=[("workers", figure)])
    print(f"{table}\n\nTable and figure: {Path(FLAGS.output)}")


if __name__ == "__main__":
    cli.run(main, goes_on_by_itself=True)
