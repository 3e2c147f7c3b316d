"""Every operation against a live PyTorch, where there is one, with torchvision's own weights."""

import importlib.util
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from depthjax.compat import enable_x64
from depthjax.devices.precision import matmul_precision
from depthjax.models import TORCHVISION_MODELS, Network, build_model, layer_names, resolve
from depthjax.weights import from_torch_state_dict, to_torch_state_dict

for package in ("torch", "torchvision"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(
            f"{package} is not installed; test_golden_parity compares with its recorded numbers",
            allow_module_level=True,
        )

import torch  # noqa: E402
from golden.make_batch_norm import torch_steps  # noqa: E402
from golden.torch_peer import import_torchvision  # noqa: E402
from training_steps import compare_training_steps  # noqa: E402

torchvision = import_torchvision()

NETWORKS = ("resnet18", "resnet50", "vgg11_bn", "resnext50_32x4d")
SIZE = (75, 53)


class Case(NamedTuple):
    """A network of torchvision in float64, ours with its weights, and what the first computed."""

    model: Network
    state: dict[str, np.ndarray]
    images: np.ndarray
    activations: dict[str, np.ndarray]  # by our names, in PyTorch's layout
    cotangent: np.ndarray  # of the logits
    gradient: np.ndarray  # of ⟨cotangent, logits⟩ with respect to the images


def run_torch(peer: Any, model: Network, images: np.ndarray) -> tuple[dict[str, np.ndarray], Any]:
    """The output of every leaf of a torchvision network by our names, and its images."""
    activations: dict[str, np.ndarray] = {}
    calls: dict[str, int] = {}

    def record(name: str, output: Any) -> None:
        # A ReLU that a block calls again: layer1.0.relu, layer1.0.relu_1, layer1.0.relu_2.
        count = calls.get(name, 0)
        calls[name] = count + 1
        node = resolve(model, f"{name}_{count}" if count else name)
        assert node not in activations
        activations[node] = output.detach().numpy().copy()  # before it is changed in place

    for name, module in peer.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda m, i, output, name=name: record(name, output))
    leaf = torch.from_numpy(images).requires_grad_()
    return activations, (leaf, peer(leaf))


@pytest.fixture(scope="module", params=NETWORKS)
def case(request: pytest.FixtureRequest) -> Case:
    torch.manual_seed(0)
    peer = getattr(torchvision.models, request.param)(weights=None).eval()
    generator = np.random.default_rng(0)
    for module in peer.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # untrained, it would be the identity
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    peer = peer.double().requires_grad_(False)
    model = build_model(request.param)
    images = generator.random((2, 3, *SIZE))
    activations, (leaf, logits) = run_torch(peer, model, images)
    cotangent = generator.normal(size=tuple(logits.shape))
    (gradient,) = torch.autograd.grad((logits * torch.from_numpy(cotangent)).sum(), leaf)
    state = {name: array.numpy() for name, array in peer.state_dict().items()}
    return Case(model, state, images, activations, cotangent, gradient.numpy())


def variables_of(case: Case, dtype: Any) -> dict[str, Any]:
    return from_torch_state_dict({k: v.astype(dtype, copy=False) for k, v in case.state.items()})


def difference(ours: jax.Array, theirs: np.ndarray) -> float:
    """The relative distance of an array of ours from PyTorch's."""
    array = np.moveaxis(np.asarray(ours, np.float64), -1, 1)
    if array.ndim == 2:  # a ResNet's average pooling keeps two axes of length one there
        theirs = theirs.reshape(theirs.shape[:2])
    assert array.shape == theirs.shape
    return float(np.linalg.norm(array - theirs) / np.linalg.norm(theirs))


def test_activations_in_float32(case: Case) -> None:
    images = jnp.asarray(np.moveaxis(case.images, 1, -1), jnp.float32)
    with matmul_precision("float32"):
        logits, ours = jax.jit(case.model.apply)(variables_of(case, np.float32), images)
    uncompared = set(layer_names(case.model, sublayers=True)) - set(case.activations)
    assert {name.rpartition(".")[2] for name in uncompared} <= {"add", "flatten"}
    differences = {n: difference(ours[n], theirs) for n, theirs in case.activations.items()}
    assert max(differences.values()) <= 1e-5, max(differences, key=differences.__getitem__)
    assert difference(logits, list(case.activations.values())[-1]) <= 1e-5


def test_logits_and_input_gradient_in_float64(case: Case) -> None:
    with enable_x64(True):
        variables = variables_of(case, np.float64)
        images = jnp.asarray(np.moveaxis(case.images, 1, -1))

        @jax.jit
        def logits_and_gradient(variables: Any, images: jax.Array) -> Any:
            logits, pullback = jax.vjp(
                lambda images: case.model.apply(variables, images)[0], images
            )
            return logits, pullback(jnp.asarray(case.cotangent))[0]

        logits, gradient = logits_and_gradient(variables, images)
        assert logits.dtype == gradient.dtype == np.float64
        assert difference(logits, list(case.activations.values())[-1]) <= 1e-10
        assert difference(gradient, case.gradient) <= 1e-10


@pytest.mark.parametrize("name", TORCHVISION_MODELS)
def test_names_and_shapes_are_torchvisions(name: str) -> None:
    with torch.device("meta"):  # shapes alone
        peer = getattr(torchvision.models, name)()
    theirs = {key: tuple(value.shape) for key, value in peer.state_dict().items()}
    images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    leaves = jax.eval_shape(build_model(name).init, jax.random.key(0), images)
    empty = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), leaves)
    ours = {key: array.shape for key, array in to_torch_state_dict(empty).items()}
    assert ours == {k: shape for k, shape in theirs.items() if not k.endswith("_tracked")}


def test_torchvisions_state_dict_comes_back_as_it_was(case: Case) -> None:
    state = {name: array for name, array in case.state.items() if not name.endswith("_tracked")}
    with enable_x64(True):
        back = to_torch_state_dict(from_torch_state_dict(case.state))
    assert back.keys() == state.keys()
    assert all(np.array_equal(back[name], array) for name, array in state.items())


def test_batch_norm_in_training() -> None:
    with enable_x64(True):
        compare_training_steps(torch_steps(), np.float64, 1e-12)
