"""Capacity planning: the compiler's count against one's own, and sums over programs."""

import math

import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inversion_cells import CONFIG, cells

from depthjax.sweeps import planning
from depthjax.sweeps.planning import Plan, ProgramPlan


def program(cells=1, flops=1.0, memory=1, compile_seconds=0.0, seconds=1.0):
    floats = float(compile_seconds), float(seconds)
    return ProgramPlan("n", "m", "l", cells, 2, flops, memory, *floats)


def test_a_pass_is_counted_steps_and_one_times():
    """A linear layer of n inputs and m outputs: a forward product and one back, 2·n·m·B each."""
    short, long = (
        planning.plan(
            cells(
                model="mlp", model_fields={"widths": (400,)}, layers="fc1",
                config=CONFIG.replace(steps=steps), images=["chelsea", "coffee"], seeds=[0],
            ),
            measured=False,
        )
        for steps in (1, 99)
    )  # fmt: skip
    (first,), (second,) = short.programs, long.programs
    assert second.flops == pytest.approx(50 * first.flops)
    products = 2 * (2 * 768 * 400 * 2)
    assert products <= first.flops / 2 <= 1.3 * products
    assert first.memory == second.memory > 768 * 400 * 4
    assert math.isnan(first.seconds) and first.compile_seconds > 0


def test_what_a_sweep_takes_is_the_sum_over_its_cells():
    plan = planning.plan(cells())
    assert plan.cells == 8 and len(plan.programs) == 4
    assert [p.cells for p in plan.programs] == [2, 2, 2, 2]
    assert [p.examples for p in plan.programs] == [2, 1, 2, 1]
    assert all(p.seconds > 0 for p in plan.programs)
    assert plan.flops == sum(2 * p.flops for p in plan.programs)
    assert plan.memory == max(p.memory for p in plan.programs)
    with pytest.raises(ValueError, match="no cells"):
        planning.plan([])


def test_devices_share_cells_and_compile_for_themselves():
    plan = Plan((program(cells=60, seconds=2), program(cells=40, seconds=1, compile_seconds=4)), "")
    assert plan.device_seconds == 164
    assert plan.seconds_on(1) == 164
    assert plan.seconds_on(2) == 80 + 2
    assert plan.seconds_on(10**6) == 5


@given(
    st.lists(st.builds(program, st.integers(1, 50), seconds=st.floats(0.1, 9)), min_size=1),
    st.floats(0.1, 1e4),
)
def test_the_fewest_devices_that_are_fast_enough(programs, seconds):
    plan = Plan(tuple(programs), "")
    devices = plan.devices_for(seconds)
    if devices is None:
        assert plan.seconds_on(plan.cells) > seconds
    else:
        assert plan.seconds_on(devices) <= seconds
        assert devices == 1 or plan.seconds_on(devices - 1) > seconds


def test_flops_of_a_known_product():
    import jax

    lowered = jax.jit(jnp.matmul).lower(jnp.ones((8, 16)), jnp.ones((16, 32)))
    assert planning.flops_of(lowered, lowered.compile()) == 2 * 8 * 16 * 32
