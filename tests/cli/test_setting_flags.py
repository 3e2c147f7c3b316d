"""Flags that follow from dataclasses, and whose flags they are."""

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from absl import flags

from depthjax import cli
from depthjax.cli import inversion_flags, setting_flags
from depthjax.inversion.config import InversionConfig
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
    setting_flags.define_setting_flags(Config, without=("some_name",), default="the preset's")
    registry(["script", "--some_share=0.25", "--some_switch"])
    assert setting_flags.given_settings(Config, without=("some_name",)) == {
        "some_share": 0.25,
        "some_switch": True,
    }
    assert registry["some_count"].help == "how many (default: the preset's)"


def test_every_field_of_an_inversion_but_the_options_has_a_flag(registry):
    setting_flags.define_setting_flags(InversionConfig, default="the preset's")
    assert set(registry) == set(InversionConfig.__dataclass_fields__) - {"optimizer_options"}


def test_flags_are_the_scripts_that_ask_for_them():
    """`--help` of a script shows its flags: no module of `cli` counts as the one that has them."""
    modules = [module.name for module in pkgutil.iter_modules(cli.__path__)]
    assert modules
    for name in modules:
        module = importlib.import_module(f"depthjax.cli.{name}")
        defines = any(word.startswith("define_") for word in vars(module))
        if defines:
            assert id(module) in flags._helpers.disclaim_module_ids, name
