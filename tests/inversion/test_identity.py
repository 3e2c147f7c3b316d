"""Descents are the same if their settings are, functions by what they do."""

import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax import InversionConfig, term
from depthjax.inversion.identity import digest_of

ARRAYS = [np.arange(6.0).reshape(2, 3)]


def weighted(weight, embedding, target):
    return weight * (embedding - target).sum(1)


def closed(weight):
    return lambda embedding, target: (weight * (embedding - target)).sum(1)


OBJECTIVES = {
    "by name": "l2",
    "another weight": 2 * term("l2"),
    "a difference": lambda embedding, target: (embedding - target).sum(1),
    "a sum": lambda embedding, target: (embedding + target).sum(1),
    "another constant": lambda embedding, target: (embedding - 2 * target).sum(1),
    "one of a set": lambda embedding, target: (embedding if 1 in {1, 2} else target).sum(1),
    "partial": partial(weighted, 1.0),
    "partial, another": partial(weighted, 2.0),
    "closed over": closed(1.0),
    "closed over another": closed(2.0),
    "closed over an array": closed(jnp.arange(3.0)),
    "closed over another array": closed(jnp.arange(1.0, 4.0)),
    "compiled": jax.jit(partial(weighted, 3.0)),
}


def test_every_objective_is_another_descent():
    digests = {
        name: digest_of(InversionConfig(objective=o), ARRAYS) for name, o in OBJECTIVES.items()
    }
    assert len(set(digests.values())) == len(OBJECTIVES), digests
    again = {
        name: digest_of(InversionConfig(objective=o), ARRAYS) for name, o in OBJECTIVES.items()
    }
    assert digests == again


def test_arrays_count_with_shape_dtype_and_values():
    (values,) = ARRAYS
    others = [values, values.reshape(3, 2), values.astype("f4"), values + 1]
    assert len({digest_of(InversionConfig(), [array]) for array in others}) == 4
    assert digest_of(InversionConfig(steps=3), ARRAYS) != digest_of(InversionConfig(), ARRAYS)


@pytest.mark.parametrize("field", ["transform", "parametrisation", "objective"])
def test_another_process_finds_the_same(field):
    code = f"""
from depthjax import InversionConfig
from depthjax.inversion.identity import digest_of
functions = {{
    "transform": lambda key, images: images,
    "parametrisation": (lambda z: z, lambda images: images),
    "objective": lambda e, t: (e - t).sum(1) if "a" in {{"a", "b", "c"}} else e.sum(1),
}}
print(digest_of(InversionConfig(pixels="none", **{{{field!r}: functions[{field!r}]}}), []))
"""
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(found) == 1
