"""Every activation and input gradient against PyTorch's recorded numbers (tests/golden)."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolution_products import as_products
from golden.formula import (
    formula_cotangent,
    formula_image,
    formula_state_dict,
    relative_error,
)

from depthjax.compat import enable_x64
from depthjax.devices.precision import matmul_precision
from depthjax.models import Network, build_model, layer_names, resolve
from depthjax.weights import from_torch_state_dict, to_torch_state_dict

FILE = Path(__file__).parents[1] / "golden" / "activations.npz"
ACTIVATION_ERROR = 1e-5  # in float32
GRADIENT_ERROR = 1e-10  # in float64

Size = tuple[int, int]
Records = dict[str, np.ndarray]


def _recorded() -> dict[str, dict[Size, dict[str, Records]]]:
    """Network -> size of the image -> "activations" or "gradients" -> layer -> sample."""
    recorded: dict[str, dict[Size, dict[str, Records]]] = {}
    with np.load(FILE) as file:
        for key in file.files:
            if key == "versions":
                continue
            network, size, kind, layer = key.split("/")
            height, width = map(int, size.split("x"))
            kinds = recorded.setdefault(network, {}).setdefault((height, width), {})
            kinds.setdefault(kind, {})[layer] = file[key]
    return recorded


RECORDED = _recorded()


class Case(NamedTuple):
    """A network, its weights from the formula (float64) and what PyTorch made of them."""

    model: Network
    state: dict[str, np.ndarray]
    recorded: dict[Size, dict[str, Records]]

    def variables(self, dtype: Any) -> dict[str, Any]:
        state = {name: array.astype(dtype, copy=False) for name, array in self.state.items()}
        return from_torch_state_dict(state)


@pytest.fixture(scope="module", params=RECORDED)
def case(request: pytest.FixtureRequest) -> Case:
    model = build_model(request.param, num_classes=10)
    images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    leaves = jax.eval_shape(model.init, jax.random.key(0), images)
    empty = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), leaves)
    shapes = {key: array.shape for key, array in to_torch_state_dict(empty).items()}
    return Case(model, formula_state_dict(shapes), RECORDED[request.param])


def channels_first(array: np.ndarray) -> np.ndarray:
    """The array in PyTorch's layout."""
    return np.moveaxis(array, -1, 1)


def channels_last(array: np.ndarray) -> np.ndarray:
    """The array in our layout."""
    return np.moveaxis(array, 1, -1)


def test_the_file_holds_what_the_readme_says() -> None:
    assert set(RECORDED) == {
        *("resnet18", "resnet50", "resnet152", "wide_resnet50_2", "resnext50_32x4d"),
        *("vgg11", "vgg16", "vgg16_bn"),
    }
    assert all((65, 71) in sizes for sizes in RECORDED.values())
    assert set(RECORDED["resnet18"]) == {(65, 71), (64, 64), (97, 33)}
    for sizes in RECORDED.values():
        for kinds in sizes.values():
            assert len(kinds["activations"]) >= 29
            assert len(kinds["gradients"]) == 4


def test_shapes(case: Case) -> None:
    """Odd sizes round as PyTorch's; its `avgpool` [1, C, 1, 1] of a ResNet is our [B, C]."""
    images = jax.ShapeDtypeStruct((1, 65, 71, 3), jnp.float32)
    variables = jax.eval_shape(case.model.init, jax.random.key(0), images)
    _, activations = jax.eval_shape(case.model.apply, variables, images)
    shapes = {name: array.shape for name, array in activations.items()}
    if "fc" in shapes:
        features = shapes["fc"], shapes["avgpool"], shapes[resolve(case.model, "layer4")]
        channels = 512 if case.model == build_model("resnet18", num_classes=10) else 2048
        assert features == ((1, 10), (1, channels), (1, 3, 3, channels))
        assert shapes["conv1"] == (1, 33, 36, 64)
        assert shapes["maxpool"] == (1, 17, 18, 64)
    else:
        assert shapes[resolve(case.model, "features")] == (1, 2, 2, 512)
        assert shapes["avgpool"] == (1, 7, 7, 512)
        assert shapes["flatten"] == (1, 7 * 7 * 512)
        assert shapes["classifier.6"] == (1, 10)


def test_activations_in_float32(case: Case) -> None:
    variables = case.variables(np.float32)
    for size, kinds in case.recorded.items():
        images = jnp.asarray(channels_last(formula_image(*size)), jnp.float32)
        with matmul_precision("float32"):
            _, activations = jax.jit(case.model.apply)(variables, images)
        assert kinds["activations"].keys() <= activations.keys()
        # None of our layers is missing there, and theirs come in the same order.
        ours = [name for name in layer_names(case.model) if name != "flatten"]
        assert [name for name in kinds["activations"] if name in ours] == ours
        for name, golden in kinds["activations"].items():
            array = np.asarray(activations[name])
            assert array.dtype == np.float32
            expected = (golden[0], golden[1:])
            assert relative_error(channels_first(array), expected) <= ACTIVATION_ERROR, (size, name)
            if array.ndim == 4 and array.shape[1] * array.shape[2] > 1:
                # The comparison sees the layout: it could not pass by accident.
                assert relative_error(array, expected) > 0.1, (size, name)


def test_input_gradients_in_float64(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    as_products(monkeypatch)
    with enable_x64(True):
        variables = case.variables(np.float64)
        for size, kinds in case.recorded.items():
            images = jnp.asarray(channels_last(formula_image(*size)), jnp.float64)
            gradients = input_gradients(case.model, variables, images, tuple(kinds["gradients"]))
            for name, golden in kinds["gradients"].items():
                assert gradients[name].dtype == np.float64
                error = relative_error(channels_first(gradients[name]), (golden[0], golden[1:]))
                assert error <= GRADIENT_ERROR, (size, name)


def input_gradients(
    model: Network, variables: Any, images: jax.Array, names: tuple[str, ...]
) -> Records:
    """The gradients of `sum(activation * cotangent)` with respect to the images, by layer.

    One way back for all the layers, which share the most of it.
    """
    shapes = {n: v.shape for n, v in jax.eval_shape(model.apply, variables, images)[1].items()}
    cotangents = {
        name: jnp.asarray(channels_last(formula_cotangent(channels_first_shape(shapes[name]))))
        for name in names
    }

    def products(images: jax.Array, variables: Any) -> jax.Array:
        _, found = model.apply(variables, images)
        return jnp.stack([(found[name] * cotangents[name]).sum() for name in names])

    gradients = jax.jit(jax.jacrev(products))(images, variables)
    return dict(zip(names, map(np.asarray, gradients), strict=True))


def channels_first_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`[B, H, W, C]` -> `[B, C, H, W]`; `[B, D]` stays."""
    return (shape[0], shape[-1], *shape[1:-1])
