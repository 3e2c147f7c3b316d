"""Configurations: compared by value, wrong ones refused in one line, the paper's numbers."""

import dataclasses
import inspect
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from depthjax import InversionConfig, invert
from depthjax.devices.precision import PRECISIONS
from depthjax.inversion.config import SCHEDULES, as_config
from depthjax.inversion.objectives import OBJECTIVES
from depthjax.inversion.optimizers import make_optimizer
from depthjax.inversion.priors import PIXEL_HANDLING
from depthjax.inversion.starts import STARTS


def make(**fields: Any) -> InversionConfig:
    """A configuration, past the checks of annotations that tests alone have."""
    config = object.__new__(InversionConfig)
    inspect.unwrap(InversionConfig.__init__)(config, **fields)
    return config


def message(**fields: Any) -> str:
    """The one line that a configuration with these fields is refused with."""
    with pytest.raises(ValueError) as error:  # noqa: PT011
        make(**fields)
    assert "\n" not in str(error.value)
    return str(error.value)


# ----------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("fields", "kind", "nearest"),
    [
        ({"objective": "squared_l3"}, "objective", "squared_l2"),
        ({"optimizer": "adamwx"}, "optimizer", "adamw"),
        ({"schedule": "cosin"}, "schedule", "cosine"),
        ({"step_scale": "layers"}, "step scale", "layer"),
        ({"pixels": "clipped"}, "pixel handling", "clip"),
        ({"precision": "float23"}, "precision", "float32"),
        ({"start": "gausian"}, "start", "gaussian"),
        ({"start": ("flat", "pink+unifrom")}, "start", "uniform"),
    ],
)
def test_unknown_names(fields: dict[str, Any], kind: str, nearest: str) -> None:
    text = message(**fields)
    asked = next(iter(fields.values()))
    asked = asked[-1].split("+")[-1] if isinstance(asked, tuple) else asked
    assert text.startswith(f"unknown {kind} {asked!r}; did you mean {nearest!r}")


def test_settings_that_are_no_config() -> None:
    assert as_config(None) == InversionConfig()
    assert as_config(InversionConfig(steps=3)).steps == 3
    for given, advice in (({}, r"InversionConfig\(\*\*settings\)"), ("fast", "one, or None")):
        with pytest.raises(ValueError, match=f"must be an InversionConfig, got .*{advice}"):
            as_config(given)


def test_unknown_preset() -> None:
    with pytest.raises(ValueError, match=r"unknown paper preset 'resnets'.*'resnet'") as error:
        InversionConfig.paper("resnets")  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_unknown_fields_are_python_errors() -> None:
    with pytest.raises(TypeError, match="learning_rates"):
        InversionConfig.paper(learning_rates=1.0)
    with pytest.raises(TypeError, match="learning_rates"):
        InversionConfig().replace(learning_rates=1.0)


@pytest.mark.parametrize("name", ["steps", "restarts", "record_every", "patience"])
@pytest.mark.parametrize("value", [0, -3, 1.5, "7", math.nan])
def test_counts(name: str, value: Any) -> None:
    assert message(**{name: value}) == f"{name} must be a whole number of at least 1, got {value!r}"


@pytest.mark.parametrize("name", ["objective_scale", "learning_rate", "blur_sigma"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_positive_numbers(name: str, value: float) -> None:
    assert message(**{name: value}) == f"{name} must be positive, got {value!r}"


def test_the_final_blur_is_positive() -> None:
    assert message(final_blur_sigma=0.0).startswith("final_blur_sigma must be positive")


@pytest.mark.parametrize("name", ["final_learning_rate", "penalty_weight", "start_std", "plateau"])
@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf])
def test_numbers_that_may_be_zero(name: str, value: float) -> None:
    assert message(**{name: value}) == f"{name} must be at least 0, got {value!r}"
    assert getattr(InversionConfig(**{name: 0.0}), name) == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_mean_of_the_start(value: float) -> None:
    assert message(start_mean=value) == f"start_mean must be finite, got {value!r}"
    assert InversionConfig(start_mean=-1.0).start_mean == -1


@pytest.mark.parametrize("start", [(), [], ""])
def test_no_start_at_all(start: Any) -> None:
    assert "start" in message(start=start)


# -------------------------------------------------------------------------------------- optimisers


@pytest.mark.parametrize(
    "name",
    [
        "apply_updates",
        "chain",
        "identity",
        "cosine_decay_schedule",
        "GradientTransformation",
        "l2_loss",
    ],
)
def test_what_is_no_optimiser(name: str) -> None:
    text = message(optimizer=name)
    assert text.startswith(f"optax.{name} cannot be used")
    assert "sgd, adam" in text


@pytest.mark.parametrize("name", ["adamwx", "losses", "_src", "", "__class__"])
def test_what_optax_does_not_have(name: str) -> None:
    assert message(optimizer=name).startswith(f"unknown optimizer {name!r}")


@pytest.mark.parametrize(
    "options", [{"b7": 0.1}, {"learning_rate": 0.1}, (("momentum", 0.9), ("b1", 0.5))]
)
def test_options_that_it_does_not_take(options: Any) -> None:
    text = message(optimizer="adam", optimizer_options=options)
    assert text.startswith("optax.adam cannot be used with options")
    assert "b7" in text or "learning_rate" in text or "momentum" in text


def test_an_optimiser_that_needs_more_than_a_gradient() -> None:
    """Found when it is asked for, not in the middle of a trace."""
    text = message(
        optimizer="lbfgs", optimizer_options={"linesearch": optax.scale_by_zoom_linesearch(5)}
    )
    assert text.startswith("optax.lbfgs cannot be used")


def linear(variables: dict[str, Any], images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1) @ variables["w"]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sgd", {"momentum": 0.9, "nesterov": True}),
        ("adam", {"b1": 0.8}),
        ("adamw", {"weight_decay": 1e-3}),
        ("nadam", {}),
        ("rmsprop", {"decay": 0.8}),
        ("adagrad", {}),
        ("lion", {}),
        ("yogi", {}),
        ("radam", {}),
        ("rprop", {}),
        ("lamb", {}),
        ("adafactor", {"min_dim_size_to_factor": 2}),
    ],
)
def test_optimisers_of_optax_run_as_they_do_there(name: str, options: dict[str, Any]) -> None:
    generator = np.random.default_rng(0)
    weights = {"w": jnp.asarray(generator.normal(size=(12, 12)), jnp.float32)}
    image, start = (jnp.asarray(generator.random((1, 2, 2, 3)), jnp.float32) for _ in range(2))
    target = linear(weights, image)
    config = InversionConfig(
        steps=3,
        record_every=1,
        objective="squared_l2",
        optimizer=name,
        optimizer_options=options,
        learning_rate=0.01,
        schedule="constant",
        pixels="none",
    )
    found = invert(linear, weights, target, start, config)
    objective = found.trajectory.objective[:, 0]
    assert objective[-1] < objective[0]  # small steps go down whatever the method

    @jax.jit
    def by_optax(x: jax.Array) -> jax.Array:
        method = getattr(optax, name)(learning_rate=0.01, **options)
        state = method.init(x)
        for _ in range(3):
            gradient = jax.grad(lambda x: ((linear(weights, x[None]) - target) ** 2).sum())(x)
            change, state = method.update(gradient, state, x)
            x = x + change
        return x

    expected = by_optax(start[0])
    assert (expected != start[0]).all()
    np.testing.assert_allclose(found.final_images[0], expected, atol=2e-6)


def test_make_optimizer_takes_options() -> None:
    method = make_optimizer("sgd", (("momentum", 0.5),))
    assert make_optimizer("sgd", (("momentum", 0.5),)) is method  # tried once
    state = method.init(jnp.zeros(2))
    first, state = method.update(jnp.ones(2), state, jnp.zeros(2))
    second, _ = method.update(jnp.ones(2), state, jnp.zeros(2))
    np.testing.assert_allclose(first, -1, rtol=1e-6)
    np.testing.assert_allclose(second, -1.5, rtol=1e-6)


# -------------------------------------------------------------------------------- value semantics


def test_equal_by_value() -> None:
    assert InversionConfig() == InversionConfig()
    assert hash(InversionConfig()) == hash(InversionConfig())
    assert InversionConfig(steps=7) != InversionConfig(steps=8)
    assert InversionConfig.paper() == InversionConfig.paper("resnet")
    assert len({InversionConfig(), InversionConfig(), InversionConfig(steps=3)}) == 2


def test_options_are_a_dict_or_pairs_in_any_order() -> None:
    given = [
        {"b1": 0.8, "b2": 0.9},
        {"b2": 0.9, "b1": 0.8},
        (("b1", 0.8), ("b2", 0.9)),
        [("b2", 0.9), ("b1", 0.8)],
        [["b2", 0.9], ["b1", 0.8]],
    ]
    configs = {make(optimizer_options=options) for options in given}
    assert len(configs) == 1
    assert configs.pop().optimizer_options == (("b1", 0.8), ("b2", 0.9))


def test_start_is_a_name_a_list_or_several_names() -> None:
    one = [make(start=start) for start in ("flat", ["flat"], ("flat",))]
    assert one[0] == one[1] == one[2]
    assert hash(one[0]) == hash(one[1]) == hash(one[2])
    two = [make(start=start) for start in ("flat,pink+image", ["flat", "pink+image"])]
    assert two[0] == two[1]
    assert two[0].start == ("flat", "pink+image")


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        InversionConfig().steps = 3  # type: ignore[misc]


def test_replace() -> None:
    changed = InversionConfig(steps=7).replace(optimizer_options={"b1": 0.5}, start="flat,pink")
    assert changed == InversionConfig(
        steps=7, optimizer_options=(("b1", 0.5),), start=("flat", "pink")
    )
    with pytest.raises(ValueError, match="steps"):
        changed.replace(steps=0)


def test_only_what_changes_the_program_is_structure() -> None:
    config = InversionConfig()
    numbers = {
        "steps": 3, "objective_scale": 2.0, "learning_rate": 1.0, "final_learning_rate": 0.5,
        "blur_sigma": 1.0, "final_blur_sigma": 1.0, "penalty_weight": 2.0, "start": "flat",
        "start_mean": 0.1, "start_std": 1.0, "restarts": 4, "record_every": 3, "plateau": 0.1,
        "patience": 3, "step_scale": "layer", "rematerialize": True, "transform_seed": 1,
        "relu_gradient": "fake", "stairs": "0.5",
    }  # fmt: skip
    structure = {
        "objective": "l1", "optimizer": "sgd", "optimizer_options": {"b1": 0.5},
        "schedule": "linear", "blur": True, "pixels": "penalty", "precision": "tf32",
        "fourier_decay": 0.5, "trust_radius": 0.1, "soft_gates": 0.1, "penalty": "tv",
        "transform": "jitter:1", "parametrisation": "sigmoid",
    }  # fmt: skip
    assert {*numbers, *structure} == {field.name for field in dataclasses.fields(config)}
    for name, value in numbers.items():
        assert config.replace(**{name: value}).structure == config.structure, name
    for name, value in structure.items():
        options = {} if name == "optimizer" else {"optimizer": "adam"}
        changed = config.replace(**options, **{name: value})
        assert changed.structure != config.structure, name
        assert hash(changed.structure) == hash(config.replace(**options, **{name: value}).structure)


@pytest.mark.parametrize("name", ["fourier_decay", "trust_radius", "soft_gates"])
def test_what_is_switched_on_by_a_number_is_then_a_number(name: str) -> None:
    on = InversionConfig(**{name: 0.5})
    assert on.replace(**{name: 0.25}).structure == on.structure


def test_every_choice_is_accepted() -> None:
    choices = {
        "objective": OBJECTIVES, "schedule": SCHEDULES, "pixels": PIXEL_HANDLING,
        "precision": PRECISIONS, "start": STARTS,
    }  # fmt: skip
    for name, values in choices.items():
        for value in values:
            stairs = "1,0.1" if value == "stairs" else ""
            config = InversionConfig(**{name: value}, stairs=stairs)
            assert getattr(config, name) in (value, (value,))


# -------------------------------------------------------------------------------------- the paper


def test_the_papers_recipe_for_resnets() -> None:
    config = InversionConfig.paper()
    assert (config.steps, config.objective, config.objective_scale) == (500, "l1", 0.15)
    assert (config.optimizer, config.optimizer_options) == ("sgd", ())
    rates = (config.learning_rate, config.final_learning_rate, config.schedule)
    assert rates == (0.1, 0.1, "linear")
    assert (config.blur, config.blur_sigma, config.final_blur_sigma) == (True, 2.4, 0.4)
    assert (config.start, config.start_mean, config.start_std) == (("gaussian",), 0.7, 0.05)
    assert (config.pixels, config.step_scale, config.plateau) == ("none", "fixed", 0)
    assert (config.restarts, config.precision) == (1, "float32")


def test_the_papers_recipe_for_mlps() -> None:
    config = InversionConfig.paper("mlp")
    changed = {"objective_scale": 0.35, "final_learning_rate": 1e-4, "blur": False}
    assert config == InversionConfig.paper("resnet").replace(**changed)
    assert (config.learning_rate, config.schedule, config.steps) == (0.1, "linear", 500)


def test_the_papers_recipe_with_changes() -> None:
    assert InversionConfig.paper(blur=False) == InversionConfig.paper().replace(blur=False)
    assert InversionConfig.paper("mlp", blur=True).blur
    config = InversionConfig.paper("mlp", steps=20, objective_scale=1.0, restarts=3)
    assert (config.steps, config.objective_scale, config.restarts) == (20, 1, 3)
    with pytest.raises(ValueError, match="steps"):
        InversionConfig.paper(steps=0)
