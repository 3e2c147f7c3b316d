"""Our reader of PyTorch's files beside `torch.load(weights_only=True)`."""

import collections
import contextlib
import io

import numpy as np
import pytest
import torch
from golden.torch_contents import LEGACY, checkpoint, saved, state_dict

from depthjax.weights.reading import read_state_dict

FORMATS = {"zip": {}, "legacy": LEGACY, "protocol 4": {"pickle_protocol": 4}}


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        tensor = tensor.detach()
        half = tensor.dtype == torch.bfloat16
        expected = (tensor.float() if half else tensor).numpy()
        assert ours[name].shape == expected.shape, name
        assert half or ours[name].dtype == expected.dtype, name
        np.testing.assert_array_equal(ours[name].astype(expected.dtype), expected, err_msg=name)


def read(content, folder):
    (folder / "a.ckpt").write_bytes(content)
    return read_state_dict(folder / "a.ckpt")


@pytest.mark.parametrize("form", FORMATS)
def test_every_kind_of_tensor(form, tmp_path):
    # Its safe reader takes protocol 2, and numbers without a sign in its zip format only.
    theirs = torch.load(io.BytesIO(saved(state_dict())), weights_only=True)
    assert_same(read(saved(state_dict(), **FORMATS[form]), tmp_path), theirs)


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_checkpoint_that_pytorch_reads_only_unsafely(form, tmp_path):
    content = saved(checkpoint(), **FORMATS[form])
    ours = read(content, tmp_path)
    assert_same({k.removeprefix("state_dict."): v for k, v in ours.items()}, state_dict())


@pytest.mark.parametrize("seed", range(20))
def test_drawn_state_dicts(seed, tmp_path):
    """Views of shared storages: random shapes, strides, offsets and types."""
    rng = np.random.default_rng(seed)
    dtypes = [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.uint16]
    drawn = collections.OrderedDict()
    for number in range(12):
        dtype = dtypes[rng.integers(len(dtypes))]
        base = torch.from_numpy(rng.integers(0, 2, 60)).to(dtype)
        for view in range(rng.integers(1, 4)):
            shape = tuple(rng.integers(0, 4, rng.integers(0, 4)).tolist())
            strides = tuple(rng.integers(0, 5, len(shape)).tolist())
            offset = int(rng.integers(0, 12))
            drawn[f"{number}.{view}"] = torch.as_strided(base, shape, strides, offset)
    theirs = torch.load(io.BytesIO(saved(drawn)), weights_only=True)
    for options in FORMATS.values():
        assert_same(read(saved(drawn, **options), tmp_path), theirs)


def test_of_damaged_files_both_read_the_same_if_both_read_them(tmp_path):
    whole = saved({"a": torch.randn(3, 2), "b": torch.arange(5)}, **LEGACY)
    rng = np.random.default_rng(0)
    both = 0
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(len(content))] = rng.integers(256)
        ours = theirs = None
        with contextlib.suppress(ValueError):
            ours = read(bytes(content), tmp_path)
        with contextlib.suppress(Exception):  # PyTorch's are of many kinds
            theirs = torch.load(io.BytesIO(bytes(content)), weights_only=True)
        if ours is not None and theirs is not None:
            assert_same(ours, theirs)
            both += 1
    assert both > 30
