"""Weights of other people into a model: their names, their files, and all that can be wrong."""

import json
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import depthjax
from depthjax.compat import enable_x64
from depthjax.models.network import node_names
from depthjax.weights import WeightsMismatch, fetch, load_weights, save_weights, to_torch_state_dict

SMALL = {
    "resnet": ("resnet18", {"width": 4, "stage_sizes": (1, 1), "num_classes": 3}),
    "vgg": ("vgg11_bn", {"width": 2, "hidden": 5, "stage_sizes": (1, 1), "num_classes": 3}),
    "mlp": ("mlp", {"widths": (6, 3)}),
}
SIZE = 8


def build(kind="resnet", **changes):
    name, fields = SMALL[kind]
    return depthjax.build_model(name, **(fields | changes))


def state_of(model, seed=0):
    """A state dict with no two numbers alike."""
    variables = depthjax.init_variables(model, jax.random.key(0), SIZE)
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(0.1, 1.0, array.shape).astype("f")
        for name, array in to_torch_state_dict(variables).items()
    }


def assert_state(variables, state):
    back = to_torch_state_dict(variables)
    assert back.keys() == state.keys()
    for name, array in state.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def write(path, state):
    safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in state.items()}, path)
    return path


def refused(source, expected, kind="resnet"):
    """The message of the one error that a source ends in."""
    with pytest.raises(ValueError, match=expected) as error:
        load_weights(build(kind), source, image_size=SIZE)
    message = str(error.value)
    assert "\n" not in message and len(message) < 1500


@pytest.mark.parametrize("kind", SMALL)
def test_a_file_gives_the_variables_that_were_saved(kind, tmp_path):
    model = build(kind)
    state = state_of(model)
    variables = load_weights(model, write(tmp_path / "a.safetensors", state), image_size=SIZE)
    assert_state(variables, state)
    structure = jax.tree.structure(depthjax.init_variables(model, jax.random.key(0), SIZE))
    assert jax.tree.structure(variables) == structure
    save_weights(tmp_path / "b.safetensors", variables)
    assert_state(load_weights(model, tmp_path / "b.safetensors", image_size=SIZE), state)
    with safetensors.safe_open(tmp_path / "b.safetensors", "numpy") as file:
        for name, array in state.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)


@settings(max_examples=8, deadline=None)
@given(
    width=st.integers(1, 5),
    stages=st.lists(st.integers(1, 2), min_size=1, max_size=2),
    classes=st.integers(1, 4),
    block=st.sampled_from(["basic", "bottleneck"]),
)
def test_files_round_trip_for_any_shape(tmp_path_factory, width, stages, classes, block):
    fields = {"width": width, "stage_sizes": stages, "num_classes": classes, "block": block}
    model = depthjax.build_model("resnet18", **fields)
    state = state_of(model)
    path = tmp_path_factory.mktemp("weights") / "a.safetensors"
    save_weights(path, load_weights(model, state))
    assert_state(load_weights(model, path), state)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
@pytest.mark.parametrize("kind", SMALL)
def test_prefixes_of_wrappers_fall_away(kind, prefix):
    model = build(kind)
    state = state_of(model)
    wrapped = {f"{prefix}{name}": array for name, array in state.items()}
    wrapped[f"{prefix}bn1.num_batches_tracked"] = np.zeros((), np.int64)
    assert_state(load_weights(model, wrapped, image_size=SIZE), state)


def timm_names(state):
    """A VGG as timm writes it: its classifier as convolutions under other names."""
    names = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2"}
    names["classifier.6"] = "head.fc"
    theirs = {}
    for name, array in state.items():
        operation, _, leaf = name.rpartition(".")
        if operation in ("classifier.0", "classifier.3") and leaf == "weight":
            size = 7 if operation == "classifier.0" else 1
            array = array.reshape(len(array), -1, size, size)
        theirs[f"{names.get(operation, operation)}.{leaf}"] = array
    return theirs


@pytest.mark.parametrize("prefix", ["", "module."])
def test_timms_names_of_a_vgg(prefix):
    model = build("vgg")
    state = state_of(model)
    theirs = {f"{prefix}{name}": array for name, array in timm_names(state).items()}
    assert_state(load_weights(model, theirs), state)


def test_both_names_of_one_array_are_one_too_many():
    model = build("vgg")
    state = state_of(model)
    twice = state | {"head.fc.bias": np.zeros(3, "f")}
    refused(twice, r"1 unknown to this VGG \(head.fc.bias\)", "vgg")


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_half_precision_becomes_float32_exactly(dtype, tmp_path):
    model = build()
    kind = np.float16 if dtype == "F16" else jnp.bfloat16
    state = {name: array.astype(kind) for name, array in state_of(model).items()}
    path = tmp_path / "half.safetensors"
    path.write_bytes(by_hand(state, dtype))
    variables = load_weights(model, path)
    assert_state(variables, {name: array.astype("f") for name, array in state.items()})


def by_hand(state, dtype):
    """A safetensors file, also of what the library cannot write from NumPy."""
    header, content = {}, b""
    for name, array in state.items():
        data = array.tobytes()
        offsets = [len(content), len(content) + len(data)]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": offsets}
        content += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def test_bfloat16_variables_are_saved_without_loss(tmp_path):
    model = build()
    variables = depthjax.init_variables(model, jax.random.key(0), SIZE)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), variables)
    save_weights(tmp_path / "a.safetensors", half)
    loaded = load_weights(model, tmp_path / "a.safetensors")
    jax.tree.map(np.testing.assert_array_equal, loaded, half)


def test_float64_is_rounded_unless_x64_is_on(x64):
    model = build()
    state = {name: array.astype(float) + 1e-12 for name, array in state_of(model).items()}
    assert_state(load_weights(model, state), state)
    with enable_x64(False):
        loaded = load_weights(model, state)
    assert_state(loaded, {name: array.astype("f") for name, array in state.items()})


# Everything at once.


def test_every_mismatch_is_named_with_both_sides():
    state = state_of(build())
    for name in ("bn1.bias", "layer2.0.conv1.weight"):
        del state[name]
    state["layer9.bias"] = np.zeros(2, "f")
    state["conv1.weight"] = state["conv1.weight"][:, :, :5]
    with pytest.raises(WeightsMismatch) as caught:
        load_weights(build(), state)
    error = caught.value
    assert error.missing == ["bn1.bias", "layer2.0.conv1.weight"]
    assert error.unexpected == ["layer9.bias"]
    assert error.shapes == {"conv1.weight": ((4, 3, 5, 7), (4, 3, 7, 7))}
    message = str(error)
    for part in (*error.missing, *error.unexpected, "conv1.weight [4, 3, 5, 7] not [4, 3, 7, 7]"):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("resnet18", "resnet34"),
        ("vgg11", "vgg13"),
        ("vgg11", "resnet18"),
        ("resnet50", "resnext50_32x4d"),
    ],
)
def test_weights_of_another_model_name_it(asked, given):
    """Also with another number of classes, timm's names and a wrapper."""
    model = depthjax.build_model(given, num_classes=7)
    leaves = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    zeros = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), leaves)
    state = {f"module.{k}": v for k, v in timm_names(to_torch_state_dict(zeros)).items()}
    with pytest.raises(WeightsMismatch, match=rf"does not fit {asked}: .*did you mean {given}\?"):
        load_weights(depthjax.build_model(asked), state)


def test_other_classes_are_dropped_only_when_asked():
    state = state_of(build())
    model = build(num_classes=10)
    with pytest.raises(WeightsMismatch, match=r"fc.weight \[3, 8\] not \[10, 8\].*3 classes.*drop"):
        load_weights(model, state)
    variables = load_weights(model, state, drop_head=True)
    images = jnp.ones((2, SIZE, SIZE, 3))
    assert depthjax.Layer(model, "fc")(variables, images).shape == (2, 10)
    untrained = depthjax.init_variables(model, jax.random.key(0), SIZE)["params"]["fc"]
    jax.tree.map(np.testing.assert_array_equal, variables["params"]["fc"], untrained)
    kept = {
        name: array for name, array in to_torch_state_dict(variables).items() if "fc" not in name
    }
    assert all(np.array_equal(array, state[name]) for name, array in kept.items())
    headless = {name: array for name, array in state.items() if "fc" not in name}
    refused(headless, "drop_head")
    load_weights(model, headless, drop_head=True)


def test_positions_of_a_vit_say_the_size_of_its_images():
    def vit(size):
        fields = {"patch": 4, "width": 4, "depth": 1, "heads": 1, "num_classes": 2}
        return depthjax.build_model("vit_tiny_patch16_224", image_size=size, **fields)

    state = to_torch_state_dict(depthjax.init_variables(vit(8), jax.random.key(0), 8), vit(8))
    with pytest.raises(WeightsMismatch, match=r"for images of 8×8: .*--model_field=image_size=8"):
        load_weights(vit(12), state, image_size=12)
    state["pos_embed"] = np.ones((1, 7, 4), "f")  # with a token more, such as a register
    with pytest.raises(WeightsMismatch, match="7 positions are not those of square images"):
        load_weights(vit(8), state, image_size=8)
    del state["blocks.0.norm1.bias"]  # no other network takes images of that size, either
    with pytest.raises(WeightsMismatch, match="check the architecture"):
        load_weights(vit(8), state, image_size=8)


# Files that are not what they should be: one clear line each.


def damage_truncated(path, state):
    content = write(path, state).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def damage_header(path, state):
    content = write(path, state).read_bytes()
    path.write_bytes(content[:8] + b"\xff" * 40 + content[48:])


def damage_nan(path, state):
    state["layer1.0.conv1.weight"][0, 0, 0, 0] = np.nan
    write(path, state)


def damage_infinity(path, state):
    write(path, {k: v.astype(np.float64) * 1e300 for k, v in state.items()})


def damage_variance(path, state):
    state["bn1.running_var"] *= -1
    write(path, state)


def damage_transposed(path, state):
    write(path, {k: np.transpose(v, (2, 3, 1, 0)) if v.ndim == 4 else v for k, v in state.items()})


def damage_statistics(path, state):
    write(path, {name: array for name, array in state.items() if "running" not in name})


def damage_integers(path, state):
    write(path, {name: (127 * array).astype(np.int8) for name, array in state.items()})


def damage_float8(path, state):
    eights = {name: (9 * array).astype(np.uint8) for name, array in state.items()}
    path.write_bytes(by_hand(eights, "F8_E4M3"))


DAMAGE = {
    "empty file": (lambda path, state: path.write_bytes(b""), r"\(0 bytes\) is damaged"),
    "truncated": (damage_truncated, "is damaged"),
    "broken header": (damage_header, "is damaged"),
    "no arrays": (lambda path, state: write(path, {}), "holds no arrays"),
    "a folder": (lambda path, state: path.mkdir(), "holds no weights under their usual names"),
    "pickled under a false name": (
        lambda path, state: path.write_bytes(b"\x80\x04cposix\nsystem\n."),
        "is damaged or no file of weights",
    ),
    "NaN": (damage_nan, r"NaN or infinite values in layer1.0.conv1.weight;"),
    "beyond float32": (damage_infinity, "NaN or infinite values in"),
    "negative variance": (damage_variance, "negative variances in bn1.running_var"),
    "transposed": (
        damage_transposed,
        r"conv1.weight \[7, 7, 3, 4\] not \[4, 3, 7, 7\].*transposed",
    ),
    "no statistics": (damage_statistics, r"missing .*bn1.running_mean.*save state_dict\(\)"),
    "quantised": (damage_integers, "no floating numbers in .*float32"),
    "float8": (damage_float8, "as F8_E4M3, which NumPy cannot read"),
    "another architecture": (
        lambda path, state: write(path, state_of(build("vgg"))),
        "missing from .* unknown to this ResNet .*check the architecture",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_malformed_file_gives_one_clear_error(kind, tmp_path):
    damage, message = DAMAGE[kind]
    path = tmp_path / "weights.safetensors"
    damage(path, state_of(build()))
    refused(path, message)


@pytest.mark.parametrize("name", ["weights.pkl", "weights.npz", "weights.bin", "weights"])
def test_nothing_else_is_ever_read(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x80\x04cposix\nsystem\n.")
    refused(tmp_path / name, "nothing else is ever unpickled")


def test_saving_refuses_other_suffixes_and_leaves_nothing(tmp_path):
    variables = depthjax.init_variables(build(), jax.random.key(0), SIZE)
    with pytest.raises(ValueError, match=r"saved as \.safetensors"):
        save_weights(tmp_path / "a.pth", variables)
    with pytest.raises(ValueError, match="unknown normalization"):
        save_weights(tmp_path / "a.safetensors", variables, normalization="imagnet")
    assert not list(tmp_path.iterdir())


def test_weights_decide_the_embedding(tmp_path):
    """What is loaded is what computes: the logits are `fc.weight @ features + fc.bias`."""
    model = build()
    state = state_of(model)
    variables = load_weights(model, write(tmp_path / "a.safetensors", state))
    images = jax.random.uniform(jax.random.key(0), (2, SIZE, SIZE, 3))
    features = np.asarray(depthjax.Layer(model, "avgpool")(variables, images))
    logits = np.asarray(depthjax.Layer(model, node_names(model)[-1])(variables, images))
    np.testing.assert_allclose(
        logits, features @ state["fc.weight"].T + state["fc.bias"], rtol=1e-5
    )


@pytest.mark.parametrize("normalization", [None, "half", ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))])
def test_a_saved_file_remembers_its_normalization(normalization, tmp_path):
    variables = depthjax.init_variables(build(), jax.random.key(0), SIZE)
    save_weights(tmp_path / "a.safetensors", variables, normalization=normalization)
    expected = depthjax.Layer(build(), "conv1", normalization).normalization
    assert fetch(tmp_path / "a.safetensors").normalization == expected


def test_the_same_weights_make_the_same_file(tmp_path):
    variables = depthjax.init_variables(build(), jax.random.key(0), SIZE)
    contents = set()
    for number in range(6):  # notes in random order would differ in one of them
        path = tmp_path / f"{number}.safetensors"
        depthjax.save_weights(path, variables, normalization="imagenet")
        contents.add(path.read_bytes())
    assert len(contents) == 1


SPECIAL = {
    "vit_tiny_patch16_224": {"image_size": 8, "patch": 4, "width": 4, "depth": 1, "heads": 1},
    "convnext_tiny": {"widths": (4, 4, 4, 4), "stage_sizes": (1, 1, 1, 1), "num_classes": 2},
}


@pytest.mark.parametrize("name", SPECIAL)
def test_what_only_the_network_can_name_is_not_written_without_it(name, tmp_path):
    model, path = depthjax.build_model(name, **SPECIAL[name]), tmp_path / "w.safetensors"
    variables = depthjax.init_variables(model, jax.random.key(0), 32 if "vit" not in name else None)
    with pytest.raises(ValueError, match=r"(token|gamma) of \S+ has a name .*: model=…") as error:
        save_weights(path, variables)
    assert "\n" not in str(error.value)
    assert not path.exists()
    save_weights(path, variables, model=model)
    jax.tree.map(np.testing.assert_array_equal, load_weights(model, path), variables)


def test_an_efficientnet_that_was_written_without_the_network_is_read():
    fields = {"widths": (2, 2, 2, 2, 2, 2, 2), "stage_sizes": (1, 1, 1, 1, 1, 1, 1)}
    model = depthjax.build_model("efficientnet_lite0", num_classes=2, **fields)
    variables = depthjax.init_variables(model, jax.random.key(0), 32)
    state = to_torch_state_dict(variables)
    assert state.keys() != to_torch_state_dict(variables, model).keys()
    jax.tree.map(np.testing.assert_array_equal, load_weights(model, state), variables)
