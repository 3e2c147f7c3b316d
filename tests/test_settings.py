"""Fields of settings: limits that are checked, texts that say what exists."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import depthjax
from depthjax.settings import check_settings, described, setting, settings_of
from depthjax.training.config import TrainingConfig


@described
@dataclass(frozen=True)
class Config:
    """For the tests."""

    steps: int = setting(4, "how many", least=2)
    seed: int = setting(0, "of what is drawn")
    rate: float = setting(0.5, "how fast", above=0)
    decay: float = setting(0.0, "how much less", least=0, below=1)
    mean: float = setting(0.0, "in the middle")
    way: str = setting("left", "left or right", among=("left", "right"), what="direction")
    loud: bool = setting(False, "whether it is heard")
    free: Any = ()

    def __post_init__(self) -> None:
        check_settings(self)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 1}, "steps must be a whole number of at least 2, got 1"),
        ({"steps": 2.0}, "steps must be a whole number of at least 2, got 2.0"),
        ({"steps": True}, "steps must be a whole number of at least 2, got True"),
        ({"seed": "7"}, "seed must be a whole number, got '7'"),
        ({"rate": 0.0}, "rate must be positive, got 0.0"),
        ({"rate": math.nan}, "rate must be positive, got nan"),
        ({"decay": 1.0}, "decay must be from 0 to below 1, got 1.0"),
        ({"decay": -1e-9}, "decay must be from 0 to below 1, got -1e-09"),
        ({"mean": math.inf}, "mean must be finite, got inf"),
        ({"way": "lef"}, "unknown direction 'lef'; did you mean 'left'? Known: left, right"),
        ({"way": None}, "unknown direction 'None'. Known: left, right"),
    ],
)
def test_what_is_outside_the_limits_is_refused_in_one_line(
    fields: dict[str, Any], message: str
) -> None:
    config = object.__new__(Config)  # past the checks of annotations that tests alone have
    for name, value in (dataclasses.asdict(Config()) | fields).items():
        object.__setattr__(config, name, value)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        check_settings(config)
    assert str(error.value) == message


def test_what_is_within_the_limits_stays_as_it_is() -> None:
    config = Config(steps=2, rate=1e-9, decay=0.0, mean=-1.0, way="right")
    assert (config.steps, config.rate, config.decay, config.mean) == (2, 1e-9, 0.0, -1.0)
    assert config == dataclasses.replace(config)
    assert hash(config) == hash(dataclasses.replace(config))


def test_whole_numbers_of_numpy_become_python_numbers() -> None:
    config = object.__new__(Config)
    for name, value in (dataclasses.asdict(Config()) | {"steps": np.int32(7)}).items():
        object.__setattr__(config, name, value)
    check_settings(config)
    assert type(config.steps) is int
    assert config.steps == 7


def test_the_docstring_lists_the_fields() -> None:
    assert Config.__doc__ is not None
    assert Config.__doc__.startswith("For the tests.")
    assert "    steps: how many (at least 2). Default: 4.\n" in Config.__doc__


@pytest.mark.parametrize("kind", [depthjax.InversionConfig, TrainingConfig])
def test_every_field_says_what_it_means_and_which_names_exist(kind: type) -> None:
    known = settings_of(kind)
    assert list(known) == [field.name for field in dataclasses.fields(kind)]
    for name, (_, field) in known.items():
        missing = [choice for choice in field.among if choice not in field.text]
        assert not missing, name
