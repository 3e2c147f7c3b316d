"""Plans of tiny scripts: killed and started again, failing, missing; and the plans that ship."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from absl import flags
from absl.testing import flagsaver
from script_loading import EXPERIMENTS, loaded

from depthjax.claims import step as step_module
from depthjax.claims.judging import NOT_RUN, NOT_SUPPORTED, SUPPORTED
from depthjax.claims.paper import CLAIMS
from depthjax.claims.reproduction import Reproduction
from depthjax.claims.step import DONE, FAILED, MISSING, SKIPPED, Step
from depthjax.folders.lock import FolderBusy

SCRIPT = """
import json, sys, time
from pathlib import Path
flags = dict(f.lstrip("-").partition("=")[::2] for f in sys.argv[1:])
output = Path(flags["output"])
settings = json.loads(Path(flags["flagfile"]).read_text())
with open(output.parent / "starts.txt", "a") as file:
    file.write(f"{output.name} {'resume' in flags}\\n")
if settings.get("fails"):
    sys.exit("cannot divide by zero")
assert "resume" in flags or not output.exists()
output.mkdir(exist_ok=True)
environment = {"command": sys.argv, "versions": {"jax": "1", "flax": "1"}, "device": "cpu",
               "cores": 1, "git_revision": "a"}
(output / "config.json").write_text(json.dumps({"environment": environment}))
(output / "results.csv").write_text("seed,value\\n0,1.5\\n")
for part in range(settings.get("parts", 1)):
    if not (output / f"{part}.txt").exists():
        time.sleep(settings.get("sleep", 0))
        (output / f"{part}.txt").write_text(str(part * settings["estimate"]))
middle = settings["estimate"]
cells = [[middle + (seed - 1) / 99 + (image - 2) / 99 for image in range(5)] for seed in range(3)]
parts = {"C14": ["recovered_come_nearer"], "C15": ["as_smooth", "as_directed"],
         "C16": ["contract_with_depth"]}
finding = {"claim": settings["claim"],
           "where": "net", "statistic": "low-frequency energy",
           "rule": "< 1.1", "cells": cells, "fixed": "", "logarithmic": False}
(output / "findings.json").write_text(
    json.dumps([finding | {"part": part} for part in parts[settings["claim"]]]))
"""

HELPERS = EXPERIMENTS.parent / "tests" / "helpers"
DRIVER = """
import sys
sys.path[:0] = [{tests!r}, {helpers!r}]
from pathlib import Path
from test_reproduce import plan
from depthjax.claims.reproduction import Reproduction
reproduction = Reproduction(plan(), Path({output!r}), Path({experiments!r}))
reproduction.check(); reproduction.open("quick"); reproduction.run()
"""


def plan() -> list[Step]:
    """Two steps; both go on with what they have."""
    return [
        Step("long", "tool.py", "long", 0.1, ("C15",), "0.txt"),
        Step("short", "tool.py", "short", 0.1, ("C16",), "0.txt"),
    ]


@pytest.fixture
def experiments(tmp_path):
    """A folder like ours with one script."""
    folder = tmp_path / "experiments"
    (folder / "flags").mkdir(parents=True)
    (folder / "tool.py").write_text(SCRIPT)
    for name, settings in {
        "long": {"claim": "C15", "estimate": 2.0, "parts": 6, "sleep": 0.15},
        "short": {"claim": "C16", "estimate": 0.5, "sleep": 0.3},
        "fails": {"claim": "C16", "estimate": 0.5, "fails": True},
    }.items():
        (folder / "flags" / f"{name}.flags").write_text(json.dumps(settings))
    return folder


def reproduced(steps, output, experiments, **settings):
    found = Reproduction(steps, output, experiments)
    found.check()
    found.open("quick", **settings)
    return found, found.run()


def claims(output):
    """The verdicts and all the rest that does not tell of time."""
    content = json.loads((output / "claims.json").read_text())
    return content["claims"], [(one["step"], one["state"]) for one in content["steps"]]


def verdicts(output):
    return {one["claim"]: one["verdict"] for one in claims(output)[0]}


def starts(output):
    return (output / "starts.txt").read_text().split("\n")[:-1]


def test_steps_run_once_and_every_claim_is_judged(experiments, tmp_path):
    output = tmp_path / "whole"
    _, outcomes = reproduced(plan(), output, experiments)
    assert [one.state for one in outcomes] == [DONE, DONE]
    found = verdicts(output)
    assert list(found) == list(CLAIMS)
    # C16 is judged by its own part, whatever the rule of the made-up finding.
    assert found["C15"] == NOT_SUPPORTED and found["C16"] == SUPPORTED and found["C1"] == NOT_RUN
    record = next(one for one in claims(output)[0] if one["claim"] == "C15")
    assert record["figure"] == "long/0.txt" and record["step"] == "long"
    assert record["command"] == (
        "python experiments/tool.py --flagfile=experiments/flags/long.flags"
        f" --output={output / 'long'}"
    )
    _, again = reproduced(plan(), output, experiments)
    assert [one.seconds for one in again] == [one.seconds for one in outcomes]
    assert starts(output) == ["long False", "short False"]


def test_killed_at_any_moment_it_ends_with_the_same_results(experiments, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    reproduced(plan(), whole, experiments)
    code = DRIVER.format(
        tests=str(Path(__file__).parent),
        helpers=str(HELPERS),
        output=str(cut),
        experiments=str(experiments),
    )
    for wanted in ("long/1.txt", "short"):
        process = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
        while not (cut / wanted).exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    _, outcomes = reproduced(plan(), cut, experiments)
    assert [one.state for one in outcomes] == [DONE, DONE]
    assert starts(cut) == ["long False", "long True", "short False", "short True"]
    for path in sorted(whole.glob("*/*.txt")) + sorted(whole.glob("*/findings.json")):
        assert (cut / path.relative_to(whole)).read_bytes() == path.read_bytes()
    told = [json.dumps(claims(folder)).replace(str(folder), "") for folder in (whole, cut)]
    assert told[0] == told[1]


def test_a_second_process_is_refused_and_harms_nothing(experiments, tmp_path):
    output = tmp_path / "out"
    code = DRIVER.format(
        tests=str(Path(__file__).parent),
        helpers=str(HELPERS),
        output=str(output),
        experiments=str(experiments),
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    while not (output / "long" / "0.txt").exists():
        assert process.poll() is None
        time.sleep(0.01)
    for settings in ({}, {"overwrite": True}):
        with pytest.raises(FolderBusy, match=f"being written by process {process.pid} on"):
            Reproduction(plan(), output, experiments).open("quick", **settings)
    assert process.wait() == 0
    assert starts(output) == ["long False", "short False"]


def test_a_failing_step_is_named_and_stops_only_what_needs_it(experiments, tmp_path):
    output = tmp_path / "out"
    steps = [
        Step("bad", "tool.py", "fails", 0.1, ("C14",)),
        Step("later", "tool.py", "short", 0.1, ("C16",), after=("bad",)),
        Step("good", "tool.py", "short", 0.1, ("C16",), "0.txt"),
    ]
    seen = []
    found = Reproduction(steps, output, experiments)
    found.open("quick")
    outcomes = found.run(lambda step, seconds, outcome: seen.append((step.name, outcome)))
    assert [one.state for one in outcomes] == [FAILED, SKIPPED, DONE]
    assert outcomes[0].message == "cannot divide by zero"
    assert outcomes[1].message == "bad has not been done"
    assert [name for name, outcome in seen if outcome is not None] == ["bad", "later", "good"]
    assert "cannot divide by zero" in (output / "logs" / "bad.log").read_text()
    assert verdicts(output)["C16"] == SUPPORTED and verdicts(output)["C14"] == NOT_RUN
    # Given again, the failed step is tried again, the others are not.
    (experiments / "flags" / "fails.flags").write_text('{"claim": "C14", "estimate": 0.5}')
    _, outcomes = reproduced(steps, output, experiments)
    assert [one.state for one in outcomes] == [DONE, DONE, DONE]
    assert starts(output).count("good False") == 1


def test_other_settings_and_lost_results_are_made_anew(experiments, tmp_path):
    output = tmp_path / "out"
    reproduced(plan(), output, experiments)
    flag_file = experiments / "flags" / "long.flags"
    flag_file.write_text(f"# took a second\n{flag_file.read_text()}")
    reproduced(plan(), output, experiments)
    assert len(starts(output)) == 2  # a remark is no setting
    flag_file.write_text('{"claim": "C15", "estimate": 0.9}')
    found, _ = reproduced(plan(), output, experiments)
    assert verdicts(output)["C15"] == SUPPORTED
    assert starts(output)[2:] == ["long False"]  # not gone on with: it was another

    shutil.rmtree(output / "short")
    assert found.outcome(plan()[1]).state == MISSING
    reproduced(plan(), output, experiments)
    assert starts(output)[3:] == ["short False"]


def test_a_folder_is_the_same_however_it_is_spelled_and_wherever_it_lies(
    experiments, tmp_path, monkeypatch
):
    steps = [
        Step("long", "tool.py", "long", 0.1, ("C15",)),
        Step("short", "tool.py", "short", 0.1, ("C16",), more=("--weights={output}/long/0.txt",)),
    ]
    monkeypatch.chdir(tmp_path)
    reproduced(steps, Path("out"), experiments)
    reproduced(steps, tmp_path / "out", experiments)
    Path("out").rename("moved")
    _, outcomes = reproduced(steps, Path("moved"), experiments)
    assert [one.state for one in outcomes] == [DONE, DONE]
    assert starts(tmp_path / "moved") == ["long False", "short False"]


def test_what_was_done_when_keys_knew_the_path_is_done(experiments, tmp_path):
    output, step = tmp_path / "out", plan()[1]
    found, _ = reproduced([step], output, experiments)
    settings = (experiments / "flags" / "short.flags").read_text()
    older = f"{found.shown_command(step)}\n{settings}"
    record = json.loads((output / "steps" / "short.json").read_text())
    key = hashlib.sha256(older.encode()).hexdigest()
    (output / "steps" / "short.json").write_text(json.dumps(record | {"key": key}))
    reproduced([step], output, experiments)
    assert starts(output) == ["short False"]


def test_commands_can_be_typed_whatever_the_folder_is_called(experiments, tmp_path):
    output = tmp_path / "my results"
    found, _ = reproduced(plan()[1:], output, experiments)
    assert shlex.split(found.shown_command(plan()[1]))[-1] == f"--output={output / 'short'}"


def test_a_script_ends_with_its_parent_which_may_be_process_1(monkeypatch):
    """The first process of a container is number 1, which is no orphan's parent there."""
    ends = []
    monkeypatch.setattr(os, "getppid", lambda: 1)
    monkeypatch.setattr(os, "_exit", ends.append)
    library = SimpleNamespace(prctl=lambda *_: None)
    monkeypatch.setattr(step_module.ctypes, "CDLL", lambda _: library)
    step_module._end_with(1)
    assert not ends
    step_module._end_with(7)
    assert ends == [1]


def test_what_is_missing_is_named_before_anything_is_written(experiments, tmp_path):
    output = tmp_path / "out"
    for step, message in (
        (Step("a", "toll.py", "long", 1), r"unknown script 'toll\.py'; did you mean 'tool\.py'"),
        (Step("a", "tool.py", "lang", 1), r"unknown flag file 'lang'; .*Known: fails, long, short"),
        (Step("a", "tool.py", "long", 1, after=("b",)), "unknown earlier step 'b'"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            reproduced([step], output, experiments)
        assert len(str(error.value).splitlines()) == 1
    assert not output.exists()


def test_a_folder_of_something_else_is_left_alone(experiments, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "thesis.tex").write_text("mine")
    for settings in ({}, {"overwrite": True}):
        with pytest.raises(ValueError, match="is no reproduction"):
            reproduced(plan(), output, experiments, **settings)
    assert [path.name for path in output.iterdir()] == ["thesis.tex"]
    reproduced(plan()[1:], tmp_path / "quick", experiments)
    with pytest.raises(ValueError, match="--scale=quick, not cpu"):
        Reproduction(plan(), tmp_path / "quick", experiments).open("cpu")
    Reproduction(plan(), tmp_path / "quick", experiments).open("cpu", overwrite=True)
    assert not (tmp_path / "quick" / "short").exists()


@pytest.fixture(scope="module")
def script():
    """The script as a module."""
    with loaded("reproduce") as module:
        yield module


@pytest.mark.parametrize("scale", ["quick", "cpu", "paper"])
def test_the_plans_judge_every_claim(script, scale):
    steps = script.PLANS[scale]
    judged = [(step.script, claim) for step in steps for claim in step.claims]
    # Large first filters are in a package that quick does not ask for; training squares takes long.
    missing = {"quick": {"C17", "C21"}}.get(scale, set())
    assert {claim for _, claim in judged} | missing == set(CLAIMS)
    assert len(set(judged)) == len(judged)  # parts of a claim may be of other scripts
    assert len({step.name for step in steps}) == len(steps)
    if scale == "quick":
        assert sum(step.minutes for step in steps) <= 15


@pytest.mark.parametrize("scale", ["quick", "cpu", "paper"])
def test_the_plans_name_scripts_and_flag_files_that_exist(script, scale, tmp_path):
    Reproduction(script.PLANS[scale], tmp_path, EXPERIMENTS).check()


def test_what_is_kept_of_it_becomes_the_page_of_results(experiments, tmp_path, monkeypatch):
    output = tmp_path / "my runs" / "out"
    results, page = tmp_path / "results", tmp_path / "RESULTS.md"
    reproduced(plan(), output, experiments)
    monkeypatch.syspath_prepend(EXPERIMENTS)
    asked = {"keep": [str(output)], "results": str(results), "page": str(page), "documents": []}
    with loaded("document") as module, flagsaver.flagsaver(**asked):
        module.main()
        text = page.read_text()
        flags.FLAGS.keep = []
        module.main()
    assert page.read_text() == text
    assert "**Of 21 claims: 19 not run, 1 not supported, 1 supported.**" in text
    assert "low-frequency energy: 2 [1.98, 2.02]; asked within 0.8 1.25, net" in text
    (row,) = re.findall(r"^\| as smooth as untrained filters \|.*$", text, re.MULTILINE)
    assert [cell.strip() for cell in row.split("|")[2:6]] == [
        *("yes", "contradicted", "2 [1.98, 2.02]", "within 0.8 1.25"),
    ]
    assert "**Not run yet.**" in text and "**In part.**" not in text
    assert "`python experiments/tool.py --flagfile=experiments/flags/long.flags" in text
    everything = text + (results / "out" / "reproduce.json").read_text()
    assert str(tmp_path) not in everything and "runs/" not in everything


SAMPLED = ("depth.py", "recipe.py", "jacobian.py", "compare.py")


@pytest.mark.parametrize("scale", ["quick", "cpu", "paper"])
def test_the_plans_say_what_their_claims_rest_on(script, scale):
    """As many seeds and photographs as the flag files ask for, where they say so."""
    for step in script.PLANS[scale]:
        text = (EXPERIMENTS / "flags" / f"{step.flags}.flags").read_text()
        flags = dict(re.findall(r"^--(\w+)=(.*)$", text, re.MULTILINE))
        if min(step.sample) and step.script in SAMPLED:
            assert step.sample == (
                len(flags["seeds"].split(",")),
                len(flags["images"].split(",")),
            ), step.name
    assert all(min(step.sample) for step in script.PLANS["quick"] if step.claims)


def test_power_is_announced_before_the_first_step_and_stays(script, experiments, tmp_path):
    output = tmp_path / "out"
    pilot = {"seeds": 9.0, "images": 9.0, "cells": 9.0, "fixed": "", "logarithmic": False}
    pilots = {"C16": {"contract_with_depth": pilot}}
    (experiments / "pilots.json").write_text(json.dumps(pilots))
    steps = [Step("short", "tool.py", "short", 0.1, ("C16",), "0.txt", sample=(3, 3))]
    found = Reproduction(steps, output, experiments)
    found.open("quick")
    marker = json.loads((output / "reproduce.json").read_text())
    assert marker["power"]["C16"]["contract_with_depth"] < 0.1
    assert marker["plan"] == found.digest()
    assert "not decidable at this scale" in script.announcement(found)
    found.run()
    record = next(one for one in claims(output)[0] if one["claim"] == "C16")
    assert record["verdict"] == SUPPORTED  # what was announced may come out all the same
    # Neither other pilots nor other flags change what was said before the first step.
    (experiments / "pilots.json").unlink()
    flag_file = experiments / "flags" / "short.flags"
    flag_file.write_text(flag_file.read_text().replace("0.5", "0.7"))
    Reproduction(steps, output, experiments).open("quick")
    assert json.loads((output / "reproduce.json").read_text()) == marker
    assert found.digest() != marker["plan"]
    found.write_claims()
    assert json.loads((output / "claims.json").read_text())["same_plan"] is False


def test_steps_bring_along_what_they_need(script, monkeypatch):
    with flagsaver.flagsaver(scale="paper", steps=["compare", "depth"]):
        names = [step.name for step in script.chosen_plan()]
    assert names == ["depth", "noise_resnet50", "compare"]
    with flagsaver.flagsaver(steps=["deep"]), pytest.raises(ValueError, match="unknown step"):
        script.chosen_plan()


def test_from_the_plan_to_the_verdicts(script, experiments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "EXPERIMENTS", experiments)
    broken = Step("bad", "tool.py", "fails", 0.1, ("C14",))
    monkeypatch.setattr(script, "PLANS", {"quick": [*plan(), broken]})
    with flagsaver.flagsaver(output=str(tmp_path / "out"), scale="quick", list=True):
        script.main()
    assert "| long  |    C15 |     0.1 | not run |" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    with (
        flagsaver.flagsaver(output=str(tmp_path / "out"), scale="quick"),
        pytest.raises(SystemExit) as end,
    ):
        script.main()
    assert end.value.code == 1
    printed = capsys.readouterr()
    assert "bad failed: cannot divide by zero" in printed.err
    assert re.search(r"\| C16 +\| +supported, exploratory \|", printed.out)
