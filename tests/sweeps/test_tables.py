"""What a sweep says of itself."""

import numpy as np
import pyarrow as pa
from sweep_cells import cells

from depthjax.sweeps import SweepFolder, cell_hash
from depthjax.sweeps.planning import Plan, ProgramPlan
from depthjax.sweeps.tables import plan_text, status_text, sweep_table


def test_status_says_what_failed_and_what_is_left(tmp_path):
    listed = cells(3)
    place = SweepFolder(tmp_path)
    place.begin(listed)
    place.write_result(listed[0], [{"a": 1}], 120.0)
    for _ in range(3):
        place.write_failure(listed[1], "MemoryError", "out of memory")
    place.write_failure(listed[2], "OSError", "once")
    text = status_text(place.status())
    assert "1 done, 0 running, 1 failed, 1 waiting; about 2 min left" in text
    assert f"{cell_hash(listed[1])} failed: MemoryError: out of memory" in text


def test_a_plan_states_what_is_a_projection():
    program = ProgramPlan("untrained", "resnet50", "layer1", 100, 16, 3e12, 2**30, 10.0, 60.0)
    text = plan_text(Plan((program,), "gpu: X"), [8], 0.5)
    assert "100 cells, 1600 inversions, 0.3 PFLOP" in text and "1024 MiB" in text
    assert "1.7 h on one such device" in text
    assert "Projected, not measured: 13 min on 8 such devices." in text
    assert "Projected: 4 such devices end it within 0.5 h." in text


def cells_of(table):
    """The words of `sweep_table`, line by line, its heads first."""
    heads, _, *lines = sweep_table(table).splitlines()
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in (heads, *lines)]


def test_older_cells_without_r2_are_in_the_table_too():
    place = {"model": "m", "network": "n", "layer": "l", "depth": 1}
    old = place | {"input_ratio": 4.0, "embedding_ratio": 0.5}
    new = place | {"input_ratio": 6.0, "embedding_ratio": 0.25, "luminance_r2": 0.12345}
    assert cells_of(pa.Table.from_pylist([old]))[-1] == ["m", "n", "l", "1", "4", "0.5"]
    both = pa.concat_tables(
        [pa.Table.from_pylist([row]) for row in (old, new)], promote_options="permissive"
    )
    heads, row = cells_of(both)
    assert heads[4:] == ["D", "r²", "ρ"]
    assert row[3:] == ["2", "5 (4–6)", "0.123 [1 of 2]", "0.375 (0.25–0.5)"]


def test_descents_that_failed_are_told_and_in_no_median():
    place = {"model": "m", "network": "n", "layer": "l", "depth": 1}
    ratios = [1.0, np.nan, 3.0, np.inf, np.nan]
    rows = [place | {"input_ratio": one, "embedding_ratio": np.nan} for one in ratios]
    *_, row = cells_of(pa.Table.from_pylist(rows))
    assert row[3:] == ["5", "2 (1–3) [2 of 5]", "–"]


def test_architectures_and_sizes_of_one_name_stay_apart():
    row = {"network": "n", "layer": "l", "depth": 1, "input_ratio": 1.0, "embedding_ratio": 1.0}
    wide = row | {"model": "m", "model_fields": "width=8", "size": 32}
    rows = [wide, wide | {"model_fields": "", "size": 32}, wide | {"size": 16}]
    other = wide | {"model": "other"}
    _, *lines = cells_of(pa.Table.from_pylist([*rows, other, other]))
    assert [line[0] for line in lines] == ["m width=8, 16²", "m width=8, 32²", "m, 32²", "other"]
    assert [line[3] for line in lines] == ["1", "1", "1", "2"]
