"""Networks of timm and torchvision by name, in the scripts: their weights, sizes and hashes."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.torch
import torch
from absl.testing import flagsaver
from error_messages import error_of
from script_loading import loaded
from torch_peer import import_torchvision

torchvision = import_torchvision()
import timm  # noqa: E402, which imports torchvision

import depthjax  # noqa: E402
from depthjax.importing.torch import from_torch  # noqa: E402
from depthjax.importing.torch.libraries import LIBRARIES  # noqa: E402
from depthjax.models.catalogue import find_model  # noqa: E402
from depthjax.models.normalization import as_normalization  # noqa: E402
from depthjax.models.specifications import variables_sha256  # noqa: E402
from depthjax.sweeps import inversions  # noqa: E402
from depthjax.weights import weights_of  # noqa: E402

ROOT = Path(__file__).parents[2]


def equal(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_untrained_weights_are_the_librarys_own_and_leave_its_random_numbers_alone():
    torch.manual_seed(3)
    module = timm.create_model("convnext_atto", num_classes=5)
    _, expected = from_torch(module, torch.zeros(1, 3, 224, 224))
    torch.manual_seed(11)
    found = find_model("timm:convnext_atto", {"num_classes": 5})
    weights = weights_of(found, "untrained", 3, 224)
    drawn = torch.rand(3)
    torch.manual_seed(11)
    assert torch.equal(drawn, torch.rand(3))
    equal(weights.variables, expected)
    assert weights.normalization is None
    assert not weights.has_trained_head
    assert (
        variables_sha256(weights_of(found, "untrained:4", 3, 224).variables)
        != (weights.record["sha256"])
    )


def test_pretrained_weights_are_the_librarys(tmp_path):
    torch.manual_seed(8)
    file = tmp_path / "w.safetensors"
    module = timm.create_model("convnext_atto", num_classes=5)
    safetensors.torch.save_file(module.state_dict(), file)
    _, expected = from_torch(module, torch.zeros(1, 3, 224, 224))

    def create(package, name, pretrained, **fields):
        overlay = {"file": str(file), "num_classes": 5} if pretrained else None
        return package.create_model(
            name, pretrained=pretrained, pretrained_cfg_overlay=overlay, **fields
        )

    library = LIBRARIES["timm"]
    fake = type(library)(**{**vars(library), "create": create})
    found = fake.find("convnext_atto", {"num_classes": 5})
    weights = weights_of(found, "pretrained", 0, 224)
    equal(weights.variables, expected)
    assert weights.normalization == as_normalization("imagenet")
    assert weights.has_trained_head
    of_file = weights_of(found, str(file), 0, 224)
    equal(of_file.variables, expected)
    assert of_file.normalization == as_normalization("imagenet")
    message = error_of(lambda: weights_of(find_model("timm:convnext_atto", {}), str(file), 0, 224))
    assert "head.fc.weight [5, 320] not [1000, 320]" in message
    other = find_model("timm:convnext_atto", {"num_classes": 7})
    without = weights_of(other, str(file), 0, 224, drop_head=True)
    own = weights_of(other, "untrained", 0, 224)
    equal(without.variables["params"]["head.fc"], own.variables["params"]["head.fc"])
    equal(without.variables["params"]["stem.0"], expected["params"]["stem.0"])


def test_weights_that_pytorch_computes_others_of_go_through_its_module(tmp_path):
    """Standardised kernels: a state dict holds what they are made of."""
    torch.manual_seed(8)
    module = timm.create_model("nf_regnet_b0")
    safetensors.torch.save_file(module.state_dict(), tmp_path / "w.safetensors")
    found = find_model("timm:nf_regnet_b0", {})
    images = torch.rand(1, 3, *found.model.content.image_shape[:2])
    weights = weights_of(found, str(tmp_path / "w.safetensors"), 0, 256)
    head = depthjax.layer_names(found.model)[-1]
    ours = depthjax.Layer(found.model, head)(
        weights.variables, jax.numpy.asarray(images.permute(0, 2, 3, 1).numpy())
    )
    with torch.no_grad():
        theirs = module.eval()(images).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_a_checkpoint_of_timms_training_holds_the_network_twice(tmp_path):
    """As `timm.utils.CheckpointSaver` writes it: the weights, and their moving average."""
    torch.manual_seed(8)
    plain, average = (timm.create_model("convnext_atto", num_classes=5) for _ in range(2))
    checkpoint = {"epoch": 3, "state_dict": plain.state_dict()}
    file = tmp_path / "last.pth.tar"
    torch.save(checkpoint | {"state_dict_ema": average.state_dict()}, file)
    found = find_model("timm:convnext_atto", {"num_classes": 5})
    message = error_of(lambda: weights_of(found, str(file), 0, 224))
    assert "holds timm:convnext_atto 2 times" in message, message
    assert "--weights_prefix=state_dict" in message
    for prefix, module in (("state_dict_ema", average), ("state_dict.", plain)):
        weights = weights_of(found, str(file), 0, 224, prefix=prefix)
        equal(weights.variables, from_torch(module, torch.zeros(1, 3, 224, 224))[1])
        assert weights.record["prefix"] == f"{prefix.removesuffix('.')}."
    torch.save({"model": {f"module.{n}": t for n, t in plain.state_dict().items()}}, file)
    weights = weights_of(found, str(file), 0, 224)
    equal(weights.variables, from_torch(plain, torch.zeros(1, 3, 224, 224))[1])
    assert "no_such" in error_of(lambda: weights_of(found, str(file), 0, 224, prefix="no_such"))
    inside = {
        n.replace("stages.0.", "stages.0._orig_mod."): t for n, t in plain.state_dict().items()
    }
    torch.save(inside, file)  # a part of it was compiled
    equal(weights_of(found, str(file), 0, 224).variables, weights.variables)


def test_sizes_and_normalizations():
    vit = find_model("timm:vit_tiny_patch16_224", {"depth": 1})
    assert (vit.model.image_size, vit.normalization) == ((224, 224), as_normalization("half"))
    small = find_model("timm:vit_tiny_patch16_224", {"depth": 1, "image_size": 64})
    assert small.model.image_size == (64, 64)
    free = find_model("torchvision:resnet18", {"image_size": 64})
    assert free.model.image_size is None
    assert free.normalization == as_normalization("imagenet")
    theirs = find_model("torchvision:vit_b_16", {"image_size": 32})
    assert theirs.model.image_size == (32, 32)


@pytest.mark.parametrize(
    ("name", "fields", "parts"),
    [
        ("timm:convnxt_tiny", {}, ["unknown network of timm 'convnxt_tiny'", "convnext_tiny"]),
        ("torchvision:resnet19", {}, ["unknown network of torchvision", "'resnet18'"]),
        ("timm:convnext_atto", {"foo": 3}, ["cannot be made with {'foo': 3}", "unexpected"]),
        ("torchvision:resnet18", {"foo": 3}, ["cannot be made with {'foo': 3}", "unexpected"]),
    ],
)
def test_what_does_not_exist_is_one_line(name, fields, parts):
    message = error_of(lambda: depthjax.build_model(name, **fields))
    assert all(part in message for part in parts), message


def test_a_download_that_fails_is_one_line(monkeypatch):
    def fails(*_, **__):
        raise OSError("no route\nto host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fails)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fails, raising=True)
    found = find_model("torchvision:resnet18", {})
    message = error_of(lambda: weights_of(found, "pretrained", 0, 64))
    assert "the pretrained weights of torchvision:resnet18 cannot be had: no route" in message


@pytest.mark.parametrize(
    ("model", "layers"),
    [("timm:convnext_atto", "stem,stages"), ("torchvision:resnet18", "conv1,layer2")],
)
@pytest.mark.parametrize("name", ["invert", "jacobian"])
def test_scripts_run_on_them(name, model, layers, tmp_path):
    settings = {"model": model, "layers": layers, "images": ["chelsea"], "size": 32}
    few = {"steps": 2, "frames": 0}
    if name == "jacobian":
        few = {"spectra": "none"}  # the accounting alone
    with (
        loaded(name) as script,
        flagsaver.flagsaver(**settings, **few, output=str(tmp_path / "run")),
    ):
        script.main()
    assert (tmp_path / "run" / "results.csv").is_file()


def test_a_sweep_runs_on_them_and_a_worker_has_the_same_weights(tmp_path):
    network = inversions.SweptNetwork("torchvision:resnet18", "untrained")
    photographs = inversions.Photographs(["chelsea"], 32)
    config = depthjax.InversionConfig(steps=2)
    (cell,) = inversions.inversion_cells(network, photographs, "conv1", config, seeds=[3])
    (row,) = inversions.run_cell(cell, tmp_path / "state")
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'tests' / 'golden')]!r};"
        "from torch_peer import import_torchvision; import_torchvision();"
        "import json, pathlib; from depthjax.sweeps import inversions;"
        f"cell = json.loads({json.dumps(cell)!r});"
        f"c = pathlib.Path({str(tmp_path / 'other')!r});"
        "(row,) = inversions.run_cell(cell, c); print('ROW', row['embedding_ratio'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    other = float(done.stdout.rpartition("ROW ")[2])
    np.testing.assert_allclose(other, row["embedding_ratio"], rtol=1e-4)
