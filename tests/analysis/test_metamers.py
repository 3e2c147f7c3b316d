"""Likeness as SciPy has it, null distributions pair by pair, and who passes as a metamer."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from depthjax import Layer, build_model, init_variables, metamer_test
from depthjax.analysis.metamers import Likeness, likeness, natural_images, natural_null
from depthjax.analysis.metamers import natural as natural_module
from depthjax.analysis.metamers.likeness import between, standard
from depthjax.data.dataset import Dataset, in_memory
from depthjax.images.crops import NaturalCrops, natural_crops
from depthjax.models import invert_activations

SIZE = 8
random = np.random.default_rng(0)


def embeddings(count: int, features: int = 301) -> np.ndarray:
    """Rectified, so that half of the features are ties at zero; with a mean and a scale."""
    shared = random.normal(size=features)
    values = np.maximum(random.normal(size=(count, features)) + shared, 0)
    return np.round(values, 1) * random.uniform(0.1, 50, (count, 1)) + random.normal(
        size=(count, 1)
    )


def in_words(x: np.ndarray, y: np.ndarray) -> list[float]:
    """The three of one pair, as SciPy and the definition have them."""
    decibels = 10 * np.log10(np.sum(y**2) / np.sum((x - y) ** 2))
    return [stats.spearmanr(x, y)[0], stats.pearsonr(x, y)[0], decibels]


def pairs_among(photographs) -> list[tuple[int, int]]:
    """The places of images of different photographs."""
    count = len(photographs)
    return [(i, j) for i in range(count) for j in range(i) if photographs[i] != photographs[j]]


def test_it_is_what_scipy_computes_also_of_ties():
    found, target = embeddings(7), embeddings(7)
    given = np.stack(likeness(found, target), -1)
    expected = [in_words(x, y) for x, y in zip(found, target, strict=True)]
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-10)


def test_all_pairs_as_products_are_those_of_scipy():
    first, second = embeddings(5), embeddings(4)
    given = np.stack(between(standard(first), standard(second)), -1)
    expected = [[in_words(y, x) for y in second] for x in first]
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-10)


def test_what_has_no_likeness_has_none():
    x = embeddings(3)
    same = likeness(x, x)
    np.testing.assert_allclose(same.pearson, 1)
    assert np.isinf(same.snr).all()
    flat = likeness(np.full_like(x, 0.1), x)
    assert np.isnan(flat.spearman).all() and np.isnan(flat.pearson).all()
    zero = likeness(np.zeros_like(x), x)
    np.testing.assert_allclose(zero.snr, 0, atol=1e-12)
    x[1, 3] = np.nan
    broken = np.stack(likeness(x, embeddings(3)))
    assert np.isnan(broken[:, 1]).all() and np.isfinite(broken[:, [0, 2]]).all()
    nothing = between(standard(np.zeros((1, 4))), standard(np.zeros((1, 4))))
    assert [value.item() for value in nothing] == [0, 0, 0]
    with pytest.raises(ValueError, match="1 feature has no correlation"):
        likeness(np.ones((2, 1)), np.ones((2, 1)))


@pytest.fixture(scope="module")
def network():
    """An invertible network, its layers, weights and classifier."""
    model = build_model("irevnet", blocks=(1, 1), width=4, num_classes=10)
    variables = init_variables(model, jax.random.key(0), SIZE)
    layers = {name: Layer(model, name) for name in ("squeeze1", "layer1", "layer2")}
    return model, variables, layers, Layer(model, "fc")


@pytest.fixture(scope="module")
def natural():
    return natural_crops(40, SIZE, SIZE, without=("chelsea", "coffee"))


@pytest.fixture(scope="module")
def null(network, natural):
    _, variables, layers, _ = network
    return natural_null(layers, variables, natural)


def test_a_null_is_every_pair_of_different_photographs(network, natural, null):
    _, variables, layers, _ = network
    embedded = np.asarray(
        layers["layer1"](variables, jnp.asarray(natural.images / np.float32(255)))
    )
    flat = embedded.reshape(40, -1).astype(np.float64)
    names = natural.photographs
    pairs = pairs_among(names)
    assert null.pairs == len(pairs) < 40 * 39 / 2
    assert null.images["photographs"] == len(set(names)) and null.shape == (SIZE, SIZE, 3)
    expected = np.sort([in_words(flat[i], flat[j]) for i, j in pairs], axis=0)
    given = np.stack(null.layers["layer1"], -1)
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-4)
    assert null.quantile("layer1", 1).snr == given[:, 2].max()
    for values, middle in zip(given.T, null.quantile("layer1", 0.5), strict=True):
        assert middle in values and abs((values < middle).mean() - 0.5) < 2 / len(pairs)


def test_blocks_that_fit_into_less_memory_give_the_same(network, natural, null):
    _, variables, layers, _ = network
    bytes_of_seven = 7 * 8 * 6 * SIZE * SIZE * 3
    again = natural_null(layers, variables, natural, memory=bytes_of_seven)
    for name in layers:
        np.testing.assert_allclose(again.layers[name], null.layers[name], rtol=0, atol=1e-5)


def test_what_is_inverted_to_rounding_passes_at_each_layer_and_noise_at_none(network, null):
    model, variables, layers, classifier = network
    targets = natural_crops(4, SIZE, SIZE, 1).images / np.float32(255)
    for name, layer in layers.items():
        back = invert_activations(model, variables, name, layer(variables, jnp.asarray(targets)))
        noise = np.stack([random.uniform(size=targets.shape), random.normal(size=targets.shape)])
        recovered = np.concatenate([np.asarray(back)[None], noise]).astype(np.float32)
        test = metamer_test(layers, variables, classifier, name, recovered, targets, null)
        assert test.passed.shape == (3, 4) and test.passed[0].all(), name
        assert not test.passed[1:].any()
        assert set(test.likeness) == set(layers) and test.likeness["squeeze1"].snr.shape == (3, 4)
        assert (test.likeness["layer2"].snr[0] > 60).all()


def test_all_of_it_must_hold(network, null):
    _, variables, layers, classifier = network
    targets = natural_crops(4, SIZE, SIZE, 1).images / np.float32(255)
    test = metamer_test(layers, variables, classifier, "layer2", targets, targets, null)
    assert test.passed.all() and np.isinf(test.likeness["layer2"].snr).all()
    likenesses = {"layer2": Likeness(*(np.full(4, 0.5) for _ in range(3)))}
    for failing in range(3):
        bounds = Likeness(*(0.5 if at == failing else 0.4 for at in range(3)))  # equal is not above
        changed = type(test)("layer2", test.label, test.target_label, likenesses, bounds)
        assert not changed.passed.any() and changed.same_label.all()
    bounds = Likeness(0.4, 0.4, 0.4)
    other = type(test)("layer2", test.label + 1, test.target_label, likenesses, bounds)
    assert not other.passed.any() and all(one.all() for one in other.exceeds)
    broken = metamer_test(layers, variables, classifier, "layer2", targets * np.nan, targets, null)
    assert not broken.passed.any() and (broken.label == -1).all()


def test_a_smaller_quantile_asks_for_less(network, null):
    _, variables, layers, classifier = network
    targets = natural_crops(4, SIZE, SIZE, 1).images / np.float32(255)
    asked = layers, variables, classifier, "layer1", targets[::-1].copy(), targets, null
    strict, loose = (metamer_test(*asked, quantile=level) for level in (1.0, 0.0))
    assert not strict.exceeds.snr.any() and loose.exceeds.snr.any()
    assert loose.bounds.snr < strict.bounds.snr
    with pytest.raises(ValueError, match=r"level between 0 and 1, got 1\.5"):
        null.quantile("layer1", 1.5)


def test_a_null_of_something_else_is_refused(network, null):
    model, variables, layers, classifier = network
    images = np.zeros((1, SIZE, SIZE, 3), np.float32)
    other = init_variables(model, jax.random.key(1), SIZE)
    with pytest.raises(ValueError, match=r"of another network: its weights is .{12}, and"):
        metamer_test(layers, other, classifier, "layer1", images, images, null)
    large = np.zeros((1, 2 * SIZE, 2 * SIZE, 3), np.float32)
    with pytest.raises(ValueError, match="of images 8×8×3, and these are 16×16×3"):
        metamer_test(layers, variables, classifier, "layer1", large, large, null)
    more = {**layers, "layer1.0.relu": Layer(model, "layer1.0.relu")}
    with pytest.raises(ValueError, match=r"null distribution 'layer1\.0\.relu'"):
        metamer_test(more, variables, classifier, "layer1.0.relu", images, images, null)
    with pytest.raises(ValueError, match="unknown layer 'layer3'; did you mean"):
        metamer_test(layers, variables, classifier, "layer3", images, images, null)
    seen = {name: Layer(model, name, "imagenet") for name in layers}
    with pytest.raises(ValueError, match="its normalization is None"):
        metamer_test(seen, variables, classifier, "layer1", images, images, null)


def test_natural_images_of_a_list_are_a_photograph_each():
    found = natural_images(["chelsea", "coffee", "moon", "brick", "chelsea"], SIZE, 3)
    assert found.images.shape == (3, SIZE, SIZE, 3) and found.images.dtype == np.uint8
    assert len(set(found.photographs)) == 3 == found.record["photographs"]
    with pytest.raises(ValueError, match="which make 6 pairs, and 7 were asked for"):
        natural_images(["chelsea", "coffee", "moon", "brick"], SIZE, 7)
    with pytest.raises(ValueError, match="'noise/8' holds noise"):
        natural_images(["noise/8"], SIZE, 3)


@pytest.mark.parametrize(("spec", "photographs"), [("photo_crops", 3), ("folder:mine", 5)])
def test_crops_of_a_class_are_of_one_photograph_where_the_class_says_it(
    monkeypatch, spec, photographs
):
    images = random.integers(0, 256, (30, SIZE, SIZE, 3)).astype(np.uint8)
    classes = np.arange(30) % 3
    opened = []

    def open_dataset(name, **settings):
        opened.append((name, settings["size"]))
        return Dataset(
            name, "train", tuple("abc"), images.shape[1:], 30, in_memory(images, classes)
        )

    monkeypatch.setattr(natural_module, "open_dataset", open_dataset)
    found = natural_images([spec], SIZE, 10)
    assert opened == [("photo_crops/8", None) if photographs == 3 else (spec, SIZE)]
    assert len(pairs_among(found.photographs)) >= 10 > len(pairs_among(found.photographs[:-1]))
    assert found.record["photographs"] == len(set(found.photographs)) == photographs
    numbers = [int(np.flatnonzero((images == one).all((1, 2, 3)))[0]) for one in found.images]
    assert len(set(numbers)) == len(numbers) and numbers != sorted(numbers)
    said = ["abc"[number % 3] if photographs == 3 else str(number) for number in numbers]
    assert list(found.photographs) == said
    with pytest.raises(ValueError, match="has images of 8×8×3, and 9×9×3 are asked for"):
        natural_images([spec], SIZE + 1, 10)


def test_copies_of_one_image_are_one(tmp_path):
    from depthjax.images import load_image, save_png

    for name, source in (("a", "moon"), ("b", "moon"), ("c", "brick")):
        save_png(tmp_path / f"{name}.png", load_image(source, SIZE))
    assert natural_images([str(tmp_path)], SIZE, 1).record["images"] == 2
    with pytest.raises(ValueError, match="2 different images of 2 photographs"):
        natural_images([str(tmp_path)], SIZE, 2)


def test_images_of_one_photograph_make_no_null(network):
    _, variables, layers, _ = network
    images = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    with pytest.raises(ValueError, match="of one photograph, which makes no pair"):
        natural_null(layers, variables, NaturalCrops(images, ("a", "a"), {}))


def test_the_guide_runs_from_top_to_bottom(capsys):
    page = (Path(__file__).parents[2] / "docs" / "metamers.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        exec(compile(block, "docs/metamers.md", "exec"), {})
    assert "6 pairs of 4 images of 4 photographs" in capsys.readouterr().out
