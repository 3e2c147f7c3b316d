"""ImageNet's names, and the classes that a network finds most probable."""

import jax.numpy as jnp
import numpy as np

from depthjax.models.labels import TopClasses, describe, imagenet_classes, top_classes


def test_the_classes_are_in_the_order_of_the_logits():
    names = imagenet_classes()
    assert len(names) == len(set(names)) == 1000
    known = {0: "tench", 1: "goldfish", 207: "golden retriever", 281: "tabby", 999: "toilet tissue"}
    assert {index: names[index] for index in known} == known


def test_the_most_probable_come_first():
    logits = np.zeros((2, 1000), np.float32)
    logits[0, [281, 282]] = np.log([1996, 998])  # beside 998 others of weight 1: 1/2 and 1/4
    logits[1, 3] = 50
    top = top_classes(jnp.asarray(logits), 2)
    assert top.classes[0].tolist() == [281, 282] and top.classes[1, 0] == 3
    np.testing.assert_allclose(top.probability[0], [0.5, 0.25], rtol=1e-5)
    assert describe(TopClasses(top.classes[0], top.probability[0])) == "tabby 0.5; tiger cat 0.25"


def test_fewer_classes_than_asked_for():
    top = top_classes(jnp.zeros((2, 3, 4)))
    assert top.classes.shape == (2, 3, 4)
    np.testing.assert_allclose(top.probability.sum(-1), 1, rtol=1e-6)
