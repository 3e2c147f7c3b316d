"""Embeddings that descents aim at."""

import jax
import jax.numpy as jnp

from depthjax.models.embeddings import embed


def test_products_are_precise_whatever_the_precision_is_outside():
    seen = []

    def layer(variables, images):
        seen.append(jax.config.jax_default_matmul_precision)
        return images.reshape(len(images), -1) @ variables

    with jax.default_matmul_precision("bfloat16"):
        embed(layer, jnp.ones((12, 2)), jnp.ones((1, 2, 2, 3)))
    assert seen == ["highest"]
