"""What a release must agree on before it is tagged."""

import re
from pathlib import Path

import depthjax

ROOT = Path(__file__).parents[1]


def test_version_is_the_same_wherever_it_stands():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {depthjax.__version__}\n" in citation


def test_the_changelog_has_a_place_for_what_is_next_and_says_what_was_released():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) and day for version, day in sections[1:])


def test_workflows_call_targets_that_make_has():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = [
        (path.name, name)
        for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
        for name in re.findall(r"run: make ([\w-]+)", path.read_text(encoding="utf-8"))
    ]
    assert len(called) >= 5
    assert not [(path, name) for path, name in called if name not in targets]
