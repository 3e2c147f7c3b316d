"""Networks among other things in a checkpoint: prefixes, copies, normalisers."""

import jax
import numpy as np
import pytest

import depthjax
from depthjax.models.normalization import NORMALIZATIONS
from depthjax.weights import WeightsMismatch, fetch, find_and_load, load_weights
from depthjax.weights import to_torch_state_dict as to_state

MODEL = depthjax.build_model("resnet18", width=4, stage_sizes=(1,), num_classes=3)
MEAN = np.array([0.485, 0.456, 0.406], "f")
STD = np.array([0.229, 0.224, 0.225], "f")


def state_of(seed=0):
    return to_state(depthjax.init_variables(MODEL, jax.random.key(seed)))


def under(prefix, state):
    return {f"{prefix}{name}": array for name, array in state.items()}


ROBUST = {
    **under("module.model.", state_of()),
    **under("module.attacker.model.", state_of(1)),
    "module.normalizer.new_mean": MEAN.reshape(3, 1, 1),
    "module.normalizer.new_std": STD.reshape(3, 1, 1),
}
LIGHTNING = {**under("net.", state_of()), "criterion.weight": np.ones(1000)}
SEQUENTIAL = {**under("1.", state_of()), "0.mean": MEAN, "0.std": STD}
MOCO = {**under("module.encoder_q.", state_of()), "module.queue": np.zeros((8, 8))}
EMA = {**under("state_dict.", state_of()), **under("state_dict_ema.module.", state_of(1))}
SOLE = {
    "": state_of(),
    "net.": LIGHTNING,
    "1.": SEQUENTIAL,
    "module.encoder_q.": MOCO,
    "state_dict.module.backbone.": {
        **under("state_dict.module.backbone.", state_of()),
        "state_dict.module.backbone.bn1.num_batches_tracked": np.zeros((), int),
        "best_acc1": np.ones(()),
    },
}
SEVERAL = {
    "robust": (ROBUST, ["module.model.", "module.attacker.model."]),
    "averaged": (EMA, ["state_dict.", "state_dict_ema.module."]),
    "beside itself": (
        {**state_of(), **under("ema.", state_of(1))},
        ["", "ema."],
    ),
}


def assert_loaded(variables, seed=0):
    expected = depthjax.init_variables(MODEL, jax.random.key(seed))
    jax.tree.map(np.testing.assert_array_equal, variables, expected)


@pytest.mark.parametrize("prefix", SOLE)
def test_the_only_prefix_that_fits_is_taken(prefix):
    loaded = find_and_load(MODEL, SOLE[prefix])
    assert loaded.prefix == prefix
    assert_loaded(loaded.variables)


@pytest.mark.parametrize("kind", SEVERAL)
def test_several_that_fit_are_named_and_one_is_chosen(kind):
    state, prefixes = SEVERAL[kind]
    with pytest.raises(ValueError, match="2 times") as caught:
        load_weights(MODEL, state)
    message = str(caught.value)
    assert all((prefix or '""') in message for prefix in prefixes)
    assert "prefix=" in message and "--weights_prefix=" in message and "\n" not in message
    for seed, prefix in enumerate(prefixes):
        assert_loaded(load_weights(MODEL, state, prefix=prefix), seed)
        assert_loaded(load_weights(MODEL, state, prefix=prefix.removesuffix(".")), seed)


def test_what_a_file_puts_before_a_prefix_may_be_left_out():
    saved = under("model.", ROBUST)
    assert find_and_load(MODEL, saved, prefix="module.model").prefix == "model.module.model."
    with pytest.raises(ValueError, match="unknown prefix of weights"):
        load_weights(MODEL, saved, prefix="attacker")


def test_shapes_tell_copies_from_other_networks_of_the_same_names():
    wider = depthjax.build_model("resnet18", width=8, stage_sizes=(1,), num_classes=3)
    teacher = to_state(depthjax.init_variables(wider, jax.random.key(1)))
    state = {**under("teacher.", teacher), **under("student.", state_of())}
    loaded = find_and_load(MODEL, state)
    assert loaded.prefix == "student."
    assert find_and_load(wider, state).prefix == "teacher."


def test_the_head_may_be_another():
    state = {name: array for name, array in MOCO.items() if not name.endswith("fc.bias")}
    state["module.encoder_q.fc.2.weight"] = np.ones((3, 3))
    with pytest.raises(WeightsMismatch, match=r"fc\.bias.*fc\.2\.weight") as caught:
        load_weights(MODEL, state)
    assert caught.value.missing == ["fc.bias"]
    assert caught.value.unexpected == ["fc.2.weight"]


def test_wrappers_within_a_network_are_no_part_of_its_names():
    def wrapped(name):
        stage, _, rest = name.partition(".")
        return f"{stage}._orig_mod.{rest}" if stage == "layer1" else name

    state = {wrapped(name): array for name, array in state_of().items()}
    assert any("_orig_mod" in name for name in state)
    assert_loaded(load_weights(MODEL, state))
    sharded = {
        f"module.{name.replace('_orig_mod', '_fsdp_wrapped_module')}": array
        for name, array in state.items()
    }
    assert_loaded(load_weights(MODEL, sharded))


@pytest.mark.parametrize("head", ["fc.1.", "fc.0.block."])
def test_a_head_of_several_modules_is_left_out(head):
    state = {name: array for name, array in state_of().items() if not name.startswith("fc.")}
    state |= {f"{head}weight": np.ones((5, 4), "f"), f"{head}bias": np.ones(5, "f")}
    with pytest.raises(WeightsMismatch, match=r"only the head differs, of other modules.*--drop_"):
        load_weights(MODEL, state)
    assert_loaded(load_weights(MODEL, state, drop_head=True))


@pytest.mark.parametrize(
    "names",
    [
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
        ("weight_g", "weight_v"),
        ("weight_orig", "weight_u", "weight_v"),
    ],
)
@pytest.mark.parametrize("module", ["conv1", "fc"])
def test_what_weights_are_computed_from_is_named(module, names):
    state = state_of()
    kernel = state.pop(f"{module}.weight")
    state |= {f"{module}.{name}": kernel for name in names}
    with pytest.raises(WeightsMismatch, match=f"{module}.{names[0]} is of a parametrization"):
        load_weights(MODEL, state)


def test_a_prefix_that_does_not_exist_names_those_that_do():
    with pytest.raises(ValueError, match=r"unknown prefix of weights 'module.modle.'") as caught:
        load_weights(MODEL, ROBUST, prefix="module.modle")
    assert "did you mean 'module.model.'" in str(caught.value)


def test_what_fits_nowhere_is_told_by_the_nearest_prefix():
    state = dict(LIGHTNING)
    del state["net.bn1.bias"]
    with pytest.raises(WeightsMismatch) as caught:
        load_weights(MODEL, state)
    assert caught.value.missing == ["bn1.bias"] and not caught.value.unexpected


def test_another_architecture_in_a_checkpoint_is_named():
    other = depthjax.build_model("resnet34", num_classes=5)
    leaves = jax.eval_shape(other.init, jax.random.key(0), np.zeros((1, 32, 32, 3), "f"))
    zeros = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), leaves)
    state = {**under("state_dict.net.", to_state(zeros)), "state_dict.criterion.weight": np.ones(5)}
    with pytest.raises(WeightsMismatch, match=r"did you mean resnet34\?"):
        load_weights(depthjax.build_model("resnet18"), state)


def write(path, state):
    import safetensors.numpy

    arrays = {name: np.ascontiguousarray(array) for name, array in state.items()}
    path.write_bytes(safetensors.numpy.save(arrays))
    return path


def test_a_normaliser_in_the_file_is_the_one_of_the_pixels(tmp_path):
    half = {**SEQUENTIAL, "0.mean": np.full(3, 0.5, "f"), "0.std": np.full(3, 0.5, "f")}
    assert fetch(write(tmp_path / "a.safetensors", half)).normalization == NORMALIZATIONS["half"]
    file = fetch(write(tmp_path / "b.safetensors", ROBUST))
    assert file.normalization.mean == pytest.approx(MEAN)
    assert file.normalization.std == pytest.approx(STD)
    assert_loaded(load_weights(MODEL, tmp_path / "a.safetensors"))


def test_the_outermost_normaliser_counts(tmp_path):
    state = {
        **ROBUST,
        "module.attacker.normalize.new_mean": np.zeros(3, "f"),
        "module.attacker.normalize.new_std": np.ones(3, "f"),
    }
    file = fetch(write(tmp_path / "a.safetensors", state))
    assert file.normalization.mean == pytest.approx(MEAN)


@pytest.mark.parametrize(
    ("mean", "std"),
    [([123.7, 116.3, 103.5], [58.4, 57.1, 57.4]), ([0.5] * 3, [0.0] * 3), ([0.5] * 8, [0.5] * 8)],
)
def test_what_cannot_be_a_normaliser_is_none(mean, std, tmp_path):
    state = {**SEQUENTIAL, "0.mean": np.array(mean, "f"), "0.std": np.array(std, "f")}
    file = fetch(write(tmp_path / "a.safetensors", state))
    assert file.normalization == NORMALIZATIONS["imagenet"]
