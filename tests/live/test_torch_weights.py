"""Files that a live torchvision and timm wrote, and the way back."""

import os
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from golden.torch_peer import import_torchvision
from safetensors.torch import save_file

import depthjax
from depthjax.devices.precision import matmul_precision
from depthjax.weights import WeightsMismatch, load_weights, to_torch_state_dict

torchvision = import_torchvision()
import timm  # noqa: E402

FAMILIES = ("resnet18", "resnext50_32x4d", "vgg11")  # the others: test_golden_weights
SIZE = 64


def make_peer(maker, name, classes=1000):
    """A network whose BatchNorm is not the identity."""
    torch.manual_seed(0)
    if maker == "timm":
        peer = timm.create_model(name, pretrained=False, num_classes=classes)
    else:
        peer = getattr(torchvision.models, name)(weights=None, num_classes=classes)
    for module in peer.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return peer.eval().requires_grad_(False)


def logits_of(peer, images):
    return peer(torch.from_numpy(np.moveaxis(images, -1, 1).copy())).numpy()


def error(logits, expected):
    return np.linalg.norm(np.asarray(logits, float) - expected) / np.linalg.norm(expected)


@pytest.fixture(
    scope="module",
    params=[(maker, name) for maker in ("torchvision", "timm") for name in FAMILIES],
    ids="-".join,
)
def case(request):
    maker, name = request.param
    peer = make_peer(maker, name)
    images = np.random.default_rng(0).random((2, SIZE, SIZE, 3), np.float32)
    return name, peer, images, logits_of(peer, images)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_gives_the_logits(case, suffix, tmp_path):
    name, peer, images, expected = case
    path = tmp_path / f"weights{suffix}"
    (torch.save if suffix == ".pth" else save_file)(peer.state_dict(), path)
    model = depthjax.build_model(name)
    variables = load_weights(model, path)
    os.remove(path)  # half a gigabyte for a VGG
    head = depthjax.Layer(model, depthjax.layer_names(model)[-1])
    with matmul_precision():
        assert error(head(variables, jnp.asarray(images)), expected) <= 1e-5


@pytest.fixture(scope="module")
def small():
    return make_peer("torchvision", "resnet18", classes=7)


MODEL = depthjax.build_model("resnet18", num_classes=7)


def assert_same(variables, peer):
    theirs = {k: v.numpy() for k, v in peer.state_dict().items() if not k.endswith("_tracked")}
    ours = to_torch_state_dict(variables)
    assert ours.keys() == theirs.keys()
    assert all(ours[name].tobytes() == array.tobytes() for name, array in theirs.items())


def test_the_way_back_is_exact_and_strict(small, tmp_path):
    """torch -> ours -> torch, in memory and through a file, `strict=True`."""
    variables = load_weights(MODEL, {k: v.numpy() for k, v in small.state_dict().items()})
    assert_same(variables, small)
    depthjax.save_weights(tmp_path / "ours.safetensors", variables)
    from safetensors.torch import load_file

    in_memory = {k: torch.from_numpy(v.copy()) for k, v in to_torch_state_dict(variables).items()}
    for state in (load_file(tmp_path / "ours.safetensors"), in_memory):
        again = torchvision.models.resnet18(weights=None, num_classes=7).eval()
        again.load_state_dict(state, strict=True)
        for key, tensor in small.state_dict().items():
            if not key.endswith("_tracked"):
                assert torch.equal(again.state_dict()[key], tensor), key


def test_a_model_from_here_computes_the_same_there():
    variables = depthjax.init_variables(MODEL, jax.random.key(0))
    peer = torchvision.models.resnet18(weights=None, num_classes=7).eval().requires_grad_(False)
    state = to_torch_state_dict(variables)
    peer.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.items()})
    images = np.random.default_rng(0).random((2, SIZE, SIZE, 3), np.float32)
    with matmul_precision():
        logits = depthjax.Layer(MODEL, "fc")(variables, jnp.asarray(images))
    assert error(logits, logits_of(peer, images)) <= 1e-5


def test_normalization_is_torchvisions(small):
    from torchvision.transforms import Normalize

    transform = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    images = np.random.default_rng(0).random((2, SIZE, SIZE, 3), np.float32)
    theirs = small(transform(torch.from_numpy(np.moveaxis(images, -1, 1).copy()))).numpy()
    variables = load_weights(MODEL, {k: v.numpy() for k, v in small.state_dict().items()})
    layer = depthjax.Layer(MODEL, "fc", normalization="imagenet")
    fast, weights = layer.prepare(variables)
    with matmul_precision():
        assert error(layer(variables, jnp.asarray(images)), theirs) <= 1e-5
        assert error(fast(weights, jnp.asarray(images)), theirs) <= 1e-5


def nested(peer):
    return {"epoch": 3, "model": {"state_dict": peer.state_dict()}, "optimizer": {"state": {}}}


CHECKPOINTS = {
    "zip": lambda peer, path: torch.save(peer.state_dict(), path),
    "legacy": lambda peer, path: torch.save(
        peer.state_dict(), path, _use_new_zipfile_serialization=False
    ),
    "nested": lambda peer, path: torch.save(nested(peer), path),
    "DataParallel": lambda peer, path: torch.save(
        {"state_dict": torch.nn.DataParallel(peer).state_dict()}, path
    ),
    "parameters": lambda peer, path: torch.save(
        {k: torch.nn.Parameter(v, False) if v.is_floating_point() else v
         for k, v in peer.state_dict().items()}, path
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_ways_to_save_a_checkpoint(kind, small, tmp_path):
    CHECKPOINTS[kind](small, tmp_path / "a.pt")
    assert_same(load_weights(MODEL, tmp_path / "a.pt"), small)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype, small, tmp_path):
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in small.state_dict().items()}
    torch.save(state, tmp_path / "a.pth")
    ours = to_torch_state_dict(load_weights(MODEL, tmp_path / "a.pth"))
    assert all(np.array_equal(array, state[name].float().numpy()) for name, array in ours.items())


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


def truncated(peer, path, **options):
    torch.save(peer.state_dict(), path, **options)
    path.write_bytes(path.read_bytes()[:100_000])


MALFORMED = {
    "truncated": (truncated, "is damaged"),
    "truncated legacy": (
        lambda peer, path: truncated(peer, path, _use_new_zipfile_serialization=False),
        "is damaged",
    ),
    "empty": (lambda peer, path: path.write_bytes(b""), r"\(0 bytes\) is damaged"),
    "text": (lambda peer, path: path.write_text("<html>404</html>"), "is damaged or no file of"),
    "pickled code": (
        lambda peer, path: torch.save({"state_dict": peer.state_dict(), "x": Evil()}, path),
        r"holds pickled code \((posix|nt)\.system\).*is not loaded.*state_dict",
    ),
    "pickled code alone": (
        lambda peer, path: path.write_bytes(pickle.dumps(Evil(), protocol=2)),
        "nothing else is ever unpickled",
    ),
    "pickled code of another protocol": (
        lambda peer, path: path.write_bytes(pickle.dumps(Evil(), protocol=4)),
        "nothing else is ever unpickled",
    ),
    "a whole model": (
        lambda peer, path: torch.save(peer, path),
        r"holds pickled code \(torchvision\.models\.resnet\.ResNet\)",
    ),
    "a tensor": (lambda peer, path: torch.save(torch.ones(3), path), "no state dict.*a Tensor"),
    "a list": (lambda peer, path: torch.save([1, 2], path), "no state dict.*a list"),
    "an optimiser": (
        lambda peer, path: torch.save({"optimizer": {}, "epoch": 3}, path),
        "no state dict .*optimizer, epoch",
    ),
    "sparse": (
        lambda peer, path: torch.save(
            {**peer.state_dict(), "fc.weight": peer.fc.weight.to_sparse()}, path
        ),
        "holds fc.weight as no dense tensor .*sparse.*dense",
    ),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_checkpoint_gives_one_clear_error(kind, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write, message = MALFORMED[kind]
    write(small, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=message) as caught:
        load_weights(MODEL, tmp_path / "a.pth")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert "weights_only" not in str(caught.value)  # PyTorch recommends to turn it off
    assert not (tmp_path / "pwned").exists()


def test_what_is_no_tensor_is_passed_over(small, tmp_path):
    torch.save({**small.state_dict(), "lr": 0.1, "name": "resnet18"}, tmp_path / "a.pth")
    assert_same(load_weights(MODEL, tmp_path / "a.pth"), small)


def test_another_architecture(small, tmp_path):
    torch.save(small.state_dict(), tmp_path / "a.pth")
    with pytest.raises(WeightsMismatch, match=r"did you mean resnet18\?"):
        load_weights(depthjax.build_model("resnet34"), tmp_path / "a.pth")
