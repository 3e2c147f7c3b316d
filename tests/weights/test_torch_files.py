"""Files of `torch.save` without PyTorch: what it wrote, and what nobody honest would write."""

import builtins
import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from flax.serialization import to_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_archives import legacy, name, number, pickled, storage, tensor, text, zipped

from depthjax.weights.pickles import MOST_INSTRUCTIONS
from depthjax.weights.reading import read_metadata, read_state_dict

GOLDEN = Path(__file__).parents[1] / "golden" / "torch_files.npz"
FOUR = {"0": np.arange(4, dtype="<f4").tobytes()}
FORMATS = ("zip", "legacy")


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return {key: file[key] for key in file.files}


@pytest.fixture
def read(tmp_path):
    def read_bytes(content, suffix=".pth"):
        path = tmp_path / f"file{suffix}"
        path.write_bytes(content)
        return read_state_dict(path)

    return read_bytes


@pytest.fixture
def refused(read):
    def refuse(content, expected):
        with pytest.raises(ValueError, match=expected) as caught:
            read(content)
        message = str(caught.value)
        assert "\n" not in message and message.isprintable() and len(message) < 500

    return refuse


def as_file(form, data, storages=FOUR):
    if form == "zip":
        return zipped(data, storages)
    return legacy(data.replace(b"tQ", b"NtQ"), storages)


# What PyTorch wrote.


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("content", "prefix"),
    [("state_dict", ""), ("protocol4", ""), ("checkpoint", "state_dict.")],
)
def test_what_pytorch_wrote_is_what_pytorch_reads(content, prefix, form, golden, read):
    expected = {
        key.removeprefix("expected/"): array
        for key, array in golden.items()
        if key.startswith("expected/")
    }
    state = read(golden[f"{content}/{form}"].tobytes())
    assert {key.removeprefix(prefix) for key in state} == expected.keys()
    for key, array in expected.items():
        ours = state[prefix + key]
        assert ours.shape == array.shape
        assert key in ("bfloat16",) or ours.dtype == array.dtype
        np.testing.assert_array_equal(ours.astype(array.dtype), array, err_msg=key)
    assert state[f"{prefix}bfloat16"].dtype.name == "bfloat16"


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".ckpt", ".pth.tar", ".PTH", ".safetensors", ""])
def test_a_file_is_what_it_holds_whatever_its_name(suffix, golden, read, tmp_path):
    state = read(golden["small/zip"].tobytes(), suffix)
    np.testing.assert_array_equal(state["b"], [1, 2])
    assert read_metadata(tmp_path / f"file{suffix}") == {}


@pytest.mark.parametrize("form", FORMATS)
def test_tensors_of_one_storage_share_its_memory(form, golden, read):
    state = read(golden[f"state_dict/{form}"].tobytes())
    assert np.shares_memory(state["transposed"], state["strided"])
    assert not np.shares_memory(state["transposed"], state["float32"])


UNUSABLE = {
    "module": r"pickled code \(torch\.nn\.modules\.linear\.Linear\).*save the model's state_dict",
    "sparse": "holds s as no dense tensor .*_rebuild_sparse_tensor.*save it dense",
    "float8": "holds s as no dense tensor .*float8_e4m3fn",
    "quantised": "holds s as no dense tensor .*_rebuild_qtensor",
    "conjugate": "holds s as no dense tensor .a conjugate",
    "negative": "holds s as no dense tensor .a conjugate or negative",
    "optimizer": "holds no state dict .* but optimizer, epoch",
    "tensor": "holds no state dict .* but a Tensor",
    "list": "holds no state dict .* but a list",
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("content", UNUSABLE)
def test_what_is_no_state_dict_of_dense_tensors_is_refused(content, form, golden, refused):
    if f"{content}/{form}" in golden:
        refused(golden[f"{content}/{form}"].tobytes(), UNUSABLE[content])
    else:
        assert (content, form) == ("quantised", "legacy")


@pytest.mark.parametrize("form", FORMATS)
def test_a_cut_file_is_damaged_wherever_it_is_cut(form, golden, refused):
    content = golden[f"small/{form}"].tobytes()
    for length in range(0, len(content), 1 if form == "legacy" else 37):
        refused(content[:length], "is damaged or no file of weights")


# What nobody honest would write.


def attacks(module, function, argument):
    """Every way in which a pickle calls a function."""
    call = text(argument) + b"\x85R"
    named = name(f"{module}.{function}")
    yield named + call
    yield named + text(argument) + b"\x85\x81"  # NEWOBJ
    yield named + text(argument) + b"\x85}\x92"  # NEWOBJ_EX
    yield text(module) + text(function) + b"\x93" + call  # STACK_GLOBAL
    yield b"(" + text(argument) + f"i{module}\n{function}\n".encode()  # INST
    yield b"(" + named + text(argument) + b"o"  # OBJ
    yield named + b")\x81" + text(argument) + b"b"  # BUILD
    yield b"\x82\x01" + call  # EXT1
    yield b"\x83\x01\x00" + call
    yield b"\x84\x01\x00\x00\x00" + call


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "function",
    ["os.system", "posix.system", "builtins.eval", "builtins.exec", "__builtin__.eval",
     "subprocess.Popen", "builtins.__import__", "os.path.os.system", "builtins.getattr.__class__"],
)  # fmt: skip
def test_pickled_code_is_never_run(form, function, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module, _, last = function.rpartition(".")
    shell = last in ("system", "Popen")
    argument = "touch pwned" if shell else "__import__('pathlib').Path('pwned').touch()"
    for attack in attacks(module, last, argument):
        refused(
            as_file(form, pickled(w=tensor(), x=attack)),
            r"holds pickled code \(.*is not loaded|the instruction (INST|OBJ|EXT)",
        )
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "function", ["json.loads", "numpy.load", "argparse.Namespace", "timeit.timeit", "cProfile.run"]
)
def test_other_names_are_neither_imported_nor_called(function, read, monkeypatch):
    monkeypatch.setattr(builtins, "__import__", only_known(builtins.__import__))
    module, _, last = function.rpartition(".")
    for attack in attacks(module, last, "1"):
        content = zipped(pickled(x=attack, w=tensor()), FOUR)
        if attack.startswith((b"(", b"\x82", b"\x83", b"\x84")):  # INST, OBJ, EXT
            with pytest.raises(ValueError, match="the instruction"):
                read(content)
        else:
            np.testing.assert_array_equal(read(content)["w"], np.arange(4))


def only_known(original):
    def import_(name, *arguments, **options):
        assert name.partition(".")[0] not in ("timeit", "cProfile", "argparse"), name
        return original(name, *arguments, **options)

    return import_


def nested(instruction, depth):
    """A container within a container within a container."""
    return b"\x80\x02" + instruction * depth


LIES = {
    "shape beyond the storage": pickled(w=tensor(shape=(5,))),
    "offset beyond the storage": pickled(w=tensor(offset=1)),
    "stride beyond the storage": pickled(w=tensor(shape=(2, 2), strides=(3, 1))),
    "stride beyond all numbers": pickled(w=tensor(shape=(2,), strides=(2**62,))),
    "shape beyond all numbers": pickled(w=tensor(shape=(2**62, 2**62), strides=(0, 0))),
    "negative offset": pickled(w=tensor(offset=-1)),
    "negative stride": pickled(w=tensor(strides=(-1,))),
    "negative size": pickled(w=tensor(shape=(-1,))),
    "fewer strides": pickled(w=tensor(shape=(2, 2))),
    "very many axes": pickled(w=tensor(shape=(1,) * 100, strides=(1,) * 100)),
    "a storage larger than its bytes": pickled(w=tensor(place=storage(count=5))),
    "a storage of a terabyte": pickled(w=tensor(place=storage(count=2**40))),
    "a storage that is not there": pickled(w=tensor(place=storage(key="7"))),
    "a storage elsewhere": pickled(w=tensor(place=storage(key="../data.pkl"))),
    "a storage of two types": pickled(
        v=tensor(), w=tensor((1,), (1,), 0, storage(kind="torch.LongStorage", count=1))
    ),
    "a number for a storage": pickled(w=tensor(place=number(3))),
    "persistent id: text": pickled(w=text("storage") + b"Q"),
    "persistent id: a tensor": pickled(w=tensor() + b"Q"),
    "persistent id: too short": pickled(w=b"(" + text("storage") + b"tQ"),
    "persistent id in ASCII": pickled(w=b"Pstorage\n"),
    "a call of a text": pickled(w=text("os.system") + b")R"),
    "a call of a dtype": pickled(w=name("torch.float32") + b")R"),
    "a call with a list": pickled(w=name("collections.OrderedDict") + b"]R"),
    "a call with too few arguments": pickled(w=name("torch._utils._rebuild_tensor_v2") + b")R"),
    "a state of a number": pickled(w=number(1) + b"}b"),
    "a tensor in a circle": pickled(
        w=name("torch._tensor._rebuild_from_type_v2") + b"("
        + name("torch._tensor._rebuild_from_type_v2") + b"N)NtR"
    ),
    "append to a dict": pickled(w=b"}" + number(1) + b"a"),
    "entries of a list": pickled(w=b"]" + number(1) + number(1) + b"s"),
    "a dict as a key": b"\x80\x02}}Ns.",
    "half an entry": b"\x80\x02}(" + text("a") + b"u.",
    "deep tuples as a key": b"\x80\x02})" + b"\x85" * 30_000 + b"Ns.",
    "deep tuples": nested(b")\x85" + b"\x85" * 30_000, 1) + b".",
    "deep lists": nested(b"]q\x00", 1) + b"]h\x00a" * 20_000 + b".",
    "an empty stack": b"\x80\x02.",
    "no mark": b"\x80\x02t.",
    "a memo that was never put": b"\x80\x02h\x07.",
    "no end": b"\x80\x02}",
    "a text of 4 GB": b"\x80\x02X\xff\xff\xff\xff.",
    "a text of 2^63 bytes": b"\x80\x04\x8d" + struct.pack("<Q", 2**63 - 1) + b".",
    "bytes of 2^60": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b".",
    "an array of bytes of 2^60": b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b".",
    "a number of 2 GB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "a frame of 2^60": b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b".",
    "a memo at 2^32": b"\x80\x02Nr\xff\xff\xff\xff.",
    "letters in a number": b"I1e9\n.",
    "an unknown instruction": b"\x80\x02\xff.",
    "a buffer from elsewhere": b"\x80\x05\x97.",
    "a long name": b"\x80\x02c" + b"a" * 1000 + b"\nb\n.",
    "names doubled": b"\x80\x02N" + b"q\x002\x85" * 10 + b".",
    "itself": b"\x80\x02}q\x00" + text("model") + b"h\x00s.",
    "a deep state dict": b"\x80\x02" + (b"}" + text("a")) * 20 + tensor() + b"s" * 20 + b".",
    "a name that cannot be shown": pickled(**{"a\nb\x1b[2J": tensor()}),
    "a name of a thousand letters": pickled(**{"a" * 1000: tensor()}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_one_clear_error(lie, form, refused):
    refused(as_file(form, LIES[lie]), "is damaged or no file of|holds no (state dict|arrays)")


ARCHIVES = {
    "compressed": zipped(pickled(w=tensor()), FOUR, method=zipfile.ZIP_DEFLATED),
    "a bomb": zipped(pickled(w=tensor()), {"0": bytes(10**6)}, method=zipfile.ZIP_DEFLATED),
    "no pickle": zipped(b"", FOUR).replace(b"data.pkl", b"data.pki"),
    "deeper": zipped(pickled(w=tensor()), FOUR, folder="a/b"),
    "another order of bytes": zipped(pickled(w=tensor()), FOUR, byteorder=b"big"),
    "TorchScript": zipped(pickled(w=tensor()), FOUR, **{"constants.pkl": b""}),
    "entries changed": zipped(pickled(w=tensor()), FOUR).replace(FOUR["0"], bytes(16)),
    "only a zip": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_that_torch_does_not_write_is_refused(kind, refused):
    refused(ARCHIVES[kind], "is (damaged or )?no file of weights")


def test_what_is_whole_but_of_another_kind_is_not_to_be_got_again(refused):
    for save in (np.savez, np.savez_compressed):
        arrays = io.BytesIO()
        save(arrays, **{"embedding/kernel": np.ones(300)})
        refused(arrays.getvalue(), r"^\S+ is no file .*of NumPy.*hf://timm/(?!.*get it again)")
    code = {"constants.pkl": b"", "code/a.py": bytes(1000)}
    for kept in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # TorchScript compresses its code
        content = zipped(pickled(w=tensor()), FOUR, method=kept, **code)
        refused(content, r"^\S+ is no file of weights: .*TorchScript program.*state_dict\(\)$")


def test_entries_that_overlap_are_refused(refused):
    """A bomb that needs no compression: many entries of the same bytes."""
    content = zipped(pickled(w=tensor()), {"0": bytes(1000), "1": b""})
    start = content.rindex(b"PK\x01\x02")
    zeroth = content.rindex(b"PK\x01\x02", 0, start)
    entry, end = bytearray(content[start : content.index(b"PK\x05\x06")]), content[-22:]
    entry[16:28], entry[42:46] = (
        content[zeroth + 16 : zeroth + 28],
        content[zeroth + 42 : zeroth + 46],
    )
    table = content[content.index(b"PK\x01\x02") : start] + bytes(entry) * 50
    counts = struct.pack("<HHI", 52, 52, len(table))
    refused(
        content[: content.index(b"PK\x01\x02")] + table + end[:8] + counts + end[16:],
        "compressed or overlap",
    )


def test_what_a_pickle_makes_is_bounded(refused, monkeypatch):
    monkeypatch.setattr("depthjax.weights.pickles.MOST_INSTRUCTIONS", 10_000)
    refused(zipped(b"\x80\x02" + b"}" * 10_000 + b"."), "more than 10000 instructions")
    assert MOST_INSTRUCTIONS == 2_000_000


BOMBS = {  # a few bytes that would make many, again and again
    "sizes": lambda n: name("torch.Size") + b"q\x00](" + b"K\x00" * n + b"eq\x01"
    + b"h\x00h\x01\x85R" * n,
    "dicts": lambda n: name("collections.OrderedDict") + b"q\x00](" + b"NN\x86" * n + b"eq\x01"
    + b"h\x00h\x01\x85R" * n,
    "names": lambda n: text("a" * n) + b"q\x00" + b"h\x00h\x00\x93" * n,
    "tensors": lambda n: name("torch._utils._rebuild_tensor_v2") + b"q\x00" + storage()
    + b"K\x00(" + b"K\x00" * n + b"tq\x01h\x01\x89}tq\x02" + b"h\x00h\x02R" * n,
    "keys": lambda n: b"(" + b"K\x00" * n + b"tq\x00}" + b"h\x00Ns" * n,
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_few_bytes_make_many_again_and_again(bomb, tmp_path):
    path = tmp_path / "bomb.pth"
    path.write_bytes(zipped(b"\x80\x02" + BOMBS[bomb](3_000) + b".", FOUR))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"damaged|no state dict"):
            read_state_dict(path)
        assert tracemalloc.get_traced_memory()[1] < 150 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_a_module_may_be_called_optimizer(read):
    inner = b"}" + text("w") + tensor() + b"s"
    content = pickled(**{"optimizer.w": tensor(), "optimized": inner, "optimizer_states": inner})
    assert set(read(zipped(content, FOUR))) == {"optimizer.w", "optimized.w"}


def test_a_view_of_one_number_may_be_as_large_as_it_likes(read):
    """It takes no memory until somebody copies it."""
    state = read(zipped(pickled(w=tensor(shape=(10**9, 10**3), strides=(0, 0))), FOUR))
    assert state["w"].shape == (10**9, 10**3)


@pytest.mark.parametrize("content", [b"\x80\x02}.", pickle.dumps({"a": np.ones(2)})])
def test_a_pickle_that_torch_did_not_write_is_not_read(content, refused):
    refused(content, "nothing else is ever unpickled")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS's pointer"),
        (b"\n <!DOCTYPE html><html>404</html>", "a page of the web"),
        (b"", "it is empty"),
        (b"\x1f\x8b\x08\0" + bytes(60), "gunzip it first"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5, as Keras writes it"),
    ],
)
def test_what_often_lies_in_place_of_a_file_is_named(content, reason, refused):
    refused(content, reason)


@pytest.mark.parametrize("leaves", [1, 20])
def test_a_file_of_flax_is_read_by_flax(leaves, refused):
    tree = {f"layer_{n}": {"kernel": np.ones((3, 3), np.float32)} for n in range(leaves)}
    refused(to_bytes(tree), r"^\S+ is no file .*Flax writes it; .*msgpack_restore.* as variables$")


# Any bytes at all.

WORDS = [
    name("os.system"), name("torch.Size"), name("torch.float32"), name("torch.FloatStorage"),
    name("collections.OrderedDict"), name("torch._utils._rebuild_tensor_v2"),
    name("torch._utils._rebuild_tensor_v3"), name("torch._utils._rebuild_parameter"),
    name("torch._tensor._rebuild_from_type_v2"), name("torch.nn.parameter.Parameter"),
    name("argparse.Namespace"), storage(), tensor(), text("state_dict"), number(2),
    *(bytes([code]) for code in b"()]}NtRbuase01Q\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94"),
    b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"K\x04", b"\x95", b"\x8e", b"X", b"."
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(words=st.lists(st.sampled_from(WORDS), max_size=30), form=st.sampled_from(FORMATS))
def test_any_program_ends_in_arrays_or_one_error(words, form, tmp_path_factory):
    ends_well(as_file(form, b"\x80\x02" + b"".join(words) + b"."), tmp_path_factory)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), form=st.sampled_from(FORMATS))
def test_any_damage_ends_in_arrays_or_one_error(data, form, tmp_path_factory):
    with np.load(GOLDEN) as file:
        content = bytearray(file[f"checkpoint/{form}"].tobytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    ends_well(bytes(content), tmp_path_factory)


def ends_well(content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.pth"
    path.write_bytes(content)
    message, state = "", {}
    try:
        state = read_state_dict(path)
    except ValueError as error:
        message = str(error)
    assert message.isprintable()  # so that it is one line
    assert bool(message) != bool(state)
    assert all(isinstance(array, np.ndarray) for array in state.values())
