"""What a sweep says of itself."""

from sweep_cells import cells

from depthjax.sweeps import SweepFolder, cell_hash
from depthjax.sweeps.planning import Plan, ProgramPlan
from depthjax.sweeps.tables import plan_text, status_text


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
