"""Flags that follow from dataclasses, and whose flags they are."""

import importlib
import json
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from absl import flags

from depthjax import cli
from depthjax.cli import inversion_flags, setting_flags
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.presets import PRESETS
from depthjax.settings import setting


@dataclass(frozen=True)
class Config:
    """For the tests."""

    some_count: int = setting(3, "how many")
    some_share: float = setting(0.5, "how much")
    some_name: str = setting("a", "a or b", among=("a", "b"))
    some_switch: bool = setting(True, "whether at all")
    some_options: Sequence[Any] = setting((), "no flag has pairs")


@pytest.fixture
def registry(monkeypatch):
    """Flags of these tests alone."""
    values = flags.FlagValues()
    for module in (setting_flags, inversion_flags, importlib.import_module("depthjax.cli.values")):
        if hasattr(module, "FLAGS"):
            monkeypatch.setattr(module, "FLAGS", values)
    definers = {
        kind: lambda *args, define=define: define(*args, flag_values=values)
        for kind, define in setting_flags._DEFINERS.items()
    }
    monkeypatch.setattr(setting_flags, "_DEFINERS", definers)
    return values


def test_a_flag_has_the_type_default_and_text_of_its_field(registry):
    setting_flags.define_setting_flags(Config)
    assert set(registry) == {"some_count", "some_share", "some_name", "some_switch"}
    registry(["script", "--some_count=7", "--nosome_switch"])
    made = setting_flags.settings_from_flags(Config, some_options=())
    assert made == Config(some_count=7, some_switch=False, some_options=())
    assert registry["some_name"].help == "a or b"


def test_a_flag_that_is_not_given_leaves_the_default_to_another(registry):
    default = dict.fromkeys(Config.__dataclass_fields__, "4, or 5")
    setting_flags.define_setting_flags(Config, without=("some_name",), default=default)
    registry(["script", "--some_share=0.25", "--some_switch"])
    assert setting_flags.given_settings(Config, without=("some_name",)) == {
        "some_share": 0.25,
        "some_switch": True,
    }
    assert registry["some_count"].help == "how many (default: 4, or 5)"


def test_every_field_of_an_inversion_but_the_options_has_a_flag(registry):
    setting_flags.define_setting_flags(InversionConfig, default=inversion_flags.preset_defaults())
    assert set(registry) == set(InversionConfig.__dataclass_fields__) - {"optimizer_options"}


def test_the_help_gives_the_numbers_of_the_presets():
    told = inversion_flags.preset_defaults()
    assert set(told) == set(InversionConfig.__dataclass_fields__)
    assert told["steps"].startswith("400; fast 200; accurate 600; paper and paper_mlp 500; ")
    assert told["optimizer"].startswith("adam; fast and accurate lbfgs; ")
    assert told["start"] == "gaussian; lucid and maco pink"
    assert told["blur"] == "no; paper yes" and told["patience"] == "50"
    assert "feather2023 its own" in told["stairs"]  # which are long
    for preset in PRESETS:
        config = InversionConfig.preset(preset)
        entry = re.search(rf"(?:^|[ ,;]){preset}\b[^;]*? (\S+)(?:;|$)", told["steps"])
        assert config.steps == int(entry[1] if entry else told["steps"].partition(";")[0])


def test_each_help_is_whole_by_itself():
    """Flags are listed by their names: no text goes on where that of another flag ends."""
    commands = json.loads(Path(cli.__file__).with_name("commands.json").read_text("utf-8"))
    for script, described in commands.items():
        for flag, told in described["flags"].items():
            text = re.sub(r"^(<[^>]*>: |part \w+: |(C\d+(, )?)+: )", "", told["help"])
            leaning = re.match(r"(of|its|their|whose|these|those|elsewhere|…)\b|…", text)
            assert not leaning, f"{script} --{flag}: {text}"


def test_flags_are_the_scripts_that_ask_for_them():
    """`--help` of a script shows its flags: no module of `cli` counts as the one that has them."""
    modules = [module.name for module in pkgutil.iter_modules(cli.__path__)]
    assert modules
    for name in modules:
        module = importlib.import_module(f"depthjax.cli.{name}")
        defines = any(word.startswith("define_") for word in vars(module))
        if defines:
            assert id(module) in flags._helpers.disclaim_module_ids, name
