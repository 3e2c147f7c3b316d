"""Every script that writes a folder of results has the same flags for it."""

import re
from pathlib import Path

import pytest
from absl.testing import flagsaver
from script_loading import EXPERIMENTS, loaded

from depthjax import cli

WRITERS = sorted(
    path.stem
    for path in EXPERIMENTS.glob("*.py")
    if re.search(r"cli\.define_(output|descent_study)_flags\(", path.read_text(encoding="utf-8"))
)


def test_all_that_may_run_for_a_minute_are_among_them():
    judged = {"compare", "controls", "depth", "filters", "gradients", "jacobian", "manifold"}
    studies = judged | {"prediction", "recipe", "uniqueness", "widths", "witnesses"}
    others = {"benchmark", "device_check", "invert", "reproduce", "sweep", "train"}
    shown = {"classify", "gallery", "measures", "metamers", "readouts"}
    assert set(WRITERS) == studies | others | shown


@pytest.mark.parametrize("name", WRITERS)
def test_flags_of_the_folder_are_the_same_everywhere(name, monkeypatch):
    monkeypatch.syspath_prepend(EXPERIMENTS)  # benchmark.py has modules beside it
    with loaded(name) as script:
        texts = {flag: script.FLAGS[flag].help for flag in ("overwrite", "resume")}
        values = cli.flag_values("overwrite", "resume")
    assert values == {"overwrite": False, "resume": False}
    assert texts == {
        "overwrite": "replace what is already in the folder",
        "resume": "go on with a run that was cut off, with the same flags",
    }


def test_a_folder_that_is_not_given_is_named_after_the_flags_and_the_time():
    with loaded("compare"):
        with flagsaver.flagsaver():
            named = output("compare", "vgg11")
            assert re.fullmatch(r"runs/compare-vgg11-\d{8}-\d{6}", str(named))
            assert output("compare", "vgg11") == named  # whenever it is asked for again
        with flagsaver.flagsaver(output="there"):
            assert output("compare", "vgg11") == Path("there")


def output(*parts):
    return cli.output_from_flags(*parts)
