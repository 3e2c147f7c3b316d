"""The command for claims C4, C5, C7, C8, C19 and C20: from flags to findings, and bad input."""

import json

import numpy as np
import pytest
from script_running import refused, rows_of, runner, script_fixture

from depthjax.claims.stored import load_findings

SETTINGS = {
    "photographs": ["astronaut", "coffee"],
    "size": 4,  # 48 inputs
    "narrow": 32,
    "wide": 60,
    "depth": 3,
    "weight_seeds": 2,
    "descent_steps": 300,
    "cg_steps": 2000,
    "paper_steps": ["20", "300"],
    "relu_widths": ["1", "2", "3.5"],
    "relu_steps": 20,
}

script = script_fixture("widths")
run = runner(SETTINGS)


@pytest.fixture(scope="module")
def done(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "widths"
    run(script, folder)
    return folder


def findings_of(folder, claim):
    return [finding for finding in load_findings(folder) if finding.claim == claim]


def test_narrow_layers_stall_and_wide_ones_do_not(done):
    found = [one for one in findings_of(done, "C4") if "conjugate" in one.where]
    assert len(found) == 5
    assert {one.verdict for one in found} == {"supported"}
    ends = {one.where.split(",")[0]: one.interval.estimate for one in found}
    assert ends["narrow"] == pytest.approx(1, rel=1e-3) and ends["wide"] < 1e-3
    # The paper's descent cannot go below what no descent can.
    for one in findings_of(done, "C4"):
        if one.rule.startswith("within"):
            assert one.interval.estimate > 1 - 1e-4


def test_depth_costs_steps_and_late_width_saves_them(done):
    slope, reached, *rest = findings_of(done, "C5")
    assert slope.interval.estimate > 0 and reached.verdict == "supported"
    ends = [one.interval.estimate for one in rest if one.statistic.startswith("D after")]
    assert ends == sorted(ends) and len(ends) == 3
    faster = findings_of(done, "C8")[0]
    assert faster.interval.estimate < 1 and faster.rule == "< 1"


def test_relus_need_more_than_the_input_s_width(done):
    rows = [row for row in rows_of(done) if row["claim"] == "C7"]
    shares = {
        width: np.mean(
            [
                float(row["value"]) <= 1
                for row in rows
                if (row["network"], row["quantity"]) == (width, "D")
            ]
        )
        for width in ("1 n", "2 n", "3.5 n")
    }
    assert shares["1 n"] == 0 and shares["3.5 n"] == 1
    for row in rows:
        if row["quantity"] == "active units / n":
            width = float(row["network"].split()[0])
            assert 0.2 * width < float(row["value"]) < 0.8 * width
    for finding in findings_of(done, "C7"):
        assert 1 < finding.interval.estimate < 3.5 and finding.rule == "within 1.8 2.2"


def test_the_record_is_complete(done):
    rows = rows_of(done)
    keys = [tuple(v for name, v in row.items() if name != "value") for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["claim"] for row in rows} == {"C4", "C5", "C7", "C8", "C19", "C20"}
    config = json.loads((done / "config.json").read_text())
    assert config["wide"] == 60 and config["paper_steps"] == ["20", "300"]
    for claim in ("C4", "C5", "C7", "C8", "C19", "C20"):
        assert (done / "figures" / f"widths_{claim}.png").stat().st_size > 5000
    conditions = [float(row["value"]) for row in rows if row["quantity"] == "κ"]
    assert min(conditions) > 1
    assert all(finding.interval.seeds == 2 for finding in load_findings(done))


def test_one_claim_alone(script, done, tmp_path, capsys):
    run(script, tmp_path / "one", claims=["C8"])
    wanted = [row for row in rows_of(done) if row["claim"] == "C8"]
    assert rows_of(tmp_path / "one") == wanted
    assert "| C8" in capsys.readouterr().out


BAD = {
    "claim": ({"claims": ["C6"]}, "unknown claim 'C6'"),
    "narrow": ({"narrow": 48}, "narrow=48 must be below that"),
    "wide": ({"wide": 47}, "wide=47 at least that"),
    "widths": ({"relu_widths": ["2", "1"]}, "must be rising numbers"),
    "photograph": ({"photographs": ["astronaus"]}, "did you mean 'astronaut'"),
    "steps": ({"paper_steps": ["500", "few"]}, "--paper_steps=500,few"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_writes_nothing(kind, script, tmp_path):
    others, message = BAD[kind]
    with refused(message, tmp_path / "run") as folder:
        run(script, folder, **others)
