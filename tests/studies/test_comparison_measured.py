"""What a comparison measures of the arrays of a run, on arrays whose numbers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import depthjax
from depthjax.inversion.config import InversionConfig
from depthjax.inversion.metrics import MATCHED_RATIOS
from depthjax.inversion.similarity import structural_similarity
from depthjax.studies.comparison.matched import at_level, crossing, images_at, kept_ratios
from depthjax.studies.comparison.measured import quantities, relative_resolutions
from depthjax.studies.comparison.natural import Matching, natural_distances
from depthjax.studies.comparison.setting import BLURRED, CONDITIONS, PLAIN
from depthjax.studies.descents import CONVERGING, Descents

MATCHING = Matching(ratio=0.1, fraction=0.5, natural=8.0)


def arrays(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Two descents from ρ = 1 to 0.01, of which three iterates were kept."""
    rho = np.geomspace(1, 0.01, 31)[:, None, None] * np.ones((1, 2))
    named = ("embedding_ratio", "input_ratio", "embedding_distance")
    return {
        **{f"{p}{name}": random.random((1, 2)) for name in named for p in ("", "final_")},
        "reference_embedding_distance": np.array([[20.0, 40.0]]),
        "images": random.random((1, 2, 12, 12, 3)).astype(np.float32),
        "final_images": random.random((1, 2, 12, 12, 3)).astype(np.float32),
        "frames": random.integers(0, 256, (3, 1, 2, 12, 12, 3)).astype(np.uint8),
        "frame_step": np.array([0, 10, 30]),
        "stopped_step": np.array([[17, 30]]),
        "trajectory_step": np.arange(31),
        "trajectory_embedding_ratio": rho,
        "trajectory_input_ratio": 3 * rho**0.2,
        "matched_input_ratio": random.random((len(MATCHED_RATIOS), 1, 2)),
        "learning_rate": np.array(0.3),
        "restart": np.zeros(2, int),
    }


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_numbers_of_one_layer(condition: str) -> None:
    random = np.random.default_rng(0)
    given = arrays(random)
    target, start = random.random((2, 2, 12, 12, 3)).astype(np.float32)
    noise = random.normal(0.5, 0.25, (8, 12, 12, 3)).astype(np.float32)
    found = quantities(given, target, start[None], noise, condition, MATCHING)
    assert {value.shape for value in found.values()} == {(2,)}
    prefix = "final_" if condition in (BLURRED, PLAIN) else ""
    for name in ("embedding_ratio", "input_ratio"):
        assert found[name][0] == given[prefix + name][0, 0]
    np.testing.assert_allclose(
        found["natural_ratio"], given[prefix + "embedding_distance"][0] / 8, rtol=1e-12
    )
    np.testing.assert_array_equal(found["best_embedding_ratio"], given["embedding_ratio"][0])
    np.testing.assert_allclose(found["elasticity"], 0.2)
    np.testing.assert_array_equal(found["input_ratio_at_0.1"], given["matched_input_ratio"][2, 0])
    assert found["learning_rate"].tolist() == [0.3, 0.3] and found["diverged"].tolist() == [0, 0]
    assert ("ssim_at_ratio" in found) == (condition == CONVERGING)


def test_a_descent_that_ends_no_nearer_has_diverged() -> None:
    random = np.random.default_rng(0)
    given = arrays(random)
    given["trajectory_embedding_ratio"] = given["trajectory_embedding_ratio"].copy()
    given["trajectory_embedding_ratio"][-1, 0] = [1.0, np.nan]
    images = random.random((2, 12, 12, 3)).astype(np.float32)
    found = quantities(given, images, images[None], images, PLAIN, MATCHING)
    assert found["diverged"].tolist() == [1, 1]


def test_a_level_lies_between_two_iterates_and_so_does_what_is_measured_there() -> None:
    """ρ = 0.1 is half of the way, in its logarithm, from the iterate at ρ = 10^(−2/3) to 0.01."""
    random = np.random.default_rng(1)
    given = arrays(random)
    np.testing.assert_allclose(kept_ratios(given)[:, 0], [1, 10 ** (-2 / 3), 0.01])
    targets = random.random((2, 12, 12, 3)).astype(np.float32)

    def ssim(a: np.ndarray, a_g: np.ndarray) -> dict[str, np.ndarray]:
        return {"ssim": structural_similarity(a, a_g)}

    kept = [ssim(targets, given["frames"][n, 0] / np.float32(255))["ssim"] for n in range(3)]
    weight = np.log(0.1 / 0.01) / np.log(10 ** (-2 / 3) / 0.01)
    found = at_level(given, targets, np.array([0.1, 1.0]), ssim)["ssim"]
    expected = weight * kept[1][0] + (1 - weight) * kept[2][0]
    np.testing.assert_allclose(found, [expected, kept[0][1]], rtol=1e-6)
    far = at_level(given, targets, np.array([0.001, 0.01]), ssim)["ssim"]
    np.testing.assert_allclose(far, [np.nan, kept[2][1]], rtol=1e-6)
    assert np.isnan(at_level(given, targets, np.full(2, 1e-9), ssim)["ssim"]).all()
    shown = images_at(given, np.array([0.1, 0.001]))
    np.testing.assert_array_equal(shown[0], given["frames"][2, 0, 0] / np.float32(255))
    np.testing.assert_array_equal(shown[1], given["images"][0, 1])


def test_the_first_passage_counts() -> None:
    rho = np.array([[2.0], [0.5], [3.0], [0.1]])
    found = crossing(rho, np.array([1.0]))
    assert (found.after[0], found.before[0]) == (1, 0)
    assert found.weight[0] == pytest.approx(0.5)  # of 2 and 0.5, 1 is the middle


def test_levels_of_natural_pairs_are_those_of_the_network() -> None:
    levels = MATCHING.levels(np.array([20.0, 40.0]))
    np.testing.assert_allclose(levels["ratio"], 0.1)
    np.testing.assert_allclose(levels["natural"], [0.2, 0.1])  # m_g = 4 at both


def scaled(variables, images):
    """A layer: the image times a number."""
    return variables * images


def test_natural_pairs_are_of_different_photographs(tmp_path) -> None:
    crops = np.zeros((4, 2, 2, 3), np.float32)
    crops[[1, 3]] = 1.0  # √12 from the others
    crops[2] = 0.5
    half = {"half": scaled}
    one = Descents(*(tmp_path, "photos", 7, "paper", InversionConfig(), half, jnp.float32(0.5), {}))
    found = natural_distances([one], crops, ["a", "b", "a", "b"])
    # a–b pairs: (0, 1), (0, 3) at √12, (1, 2), (2, 3) at √12 / 2; halved by the layer.
    assert found == {("photos", 7, "half"): pytest.approx(0.5 * np.sqrt(12) * 0.75)}


@pytest.mark.parametrize(
    ("name", "fields", "size", "expected"),
    [
        # A first stride is no reduction; a pooling behind it is.
        ("resnet18", {"width": 2, "num_classes": 3}, 64,
         {"conv1": 1.0, "stem": 0.5, "layer1": 0.5, "layer2": 0.25}),
        ("mlp", {"widths": (4, 2)}, 8, {"fc2": 1.0}),
    ],
)  # fmt: skip
def test_resolution_is_over_that_of_the_first_layer(tmp_path, name, fields, size, expected) -> None:
    model = depthjax.build_model(name, **fields)
    variables = depthjax.init_variables(model, jax.random.key(0), size)
    layers = {layer: depthjax.Layer(model, layer) for layer in expected}
    one = Descents(tmp_path, "photos", 0, "paper", InversionConfig(), layers, variables, {})
    assert relative_resolutions(model, one, np.zeros((1, size, size, 3))) == expected
