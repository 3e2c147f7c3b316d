"""Where weights come from: files, addresses, and a Hub of our own that goes away."""

import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jax
import numpy as np
import pytest
from huggingface_hub import constants
from torch_archives import pickled, tensor, zipped

import depthjax
from depthjax.models import TORCHVISION_MODELS
from depthjax.models.normalization import NORMALIZATIONS
from depthjax.weights import TORCHVISION, fetch, load_weights, save_weights, to_torch_state_dict

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = depthjax.build_model("resnet18", width=4, stage_sizes=(1,), num_classes=3)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A file of weights as the Hub would send it: of some other library, without notes."""
    import safetensors.numpy

    variables = depthjax.init_variables(MODEL, jax.random.key(3))
    state = to_torch_state_dict(variables)
    return safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in state.items()})


class Handler(BaseHTTPRequestHandler):
    """`/OWNER/REPOSITORY/resolve/REVISION/FILE` for what the server holds."""

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.server.gets.append(self.path)
        self.wfile.write(self.answer())

    def answer(self):
        parts = self.path.split("?")[0].strip("/").split("/")
        repository, revision, name = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
        if repository in self.server.refusals:
            status, code, message = self.server.refusals[repository]
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", message)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return b""
        problem = (
            "RepoNotFound"
            if repository not in self.server.held
            else "RevisionNotFound"
            if revision not in ("main", COMMIT)
            else None
            if name in self.server.held[repository]
            else "EntryNotFound"
        )
        body = b"" if problem else self.server.held[repository][name]
        self.send_response(404 if problem else 200)
        if problem:
            self.send_header("X-Error-Code", problem)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.held, server.gets, server.refusals = {}, [], {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hub(server, content, tmp_path, monkeypatch):
    """The Hub, as far as huggingface_hub can tell."""
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    config = {"pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "num_classes": 3}}
    server.held["timm/tiny"] = {
        "model.safetensors": content,
        "config.json": json.dumps(config).encode(),
    }
    server.held["me/bare"] = {"deep/er/w.safetensors": content}
    return server


def refused(source, expected):
    with pytest.raises(ValueError, match=expected) as error:
        fetch(source)
    assert "\n" not in str(error.value)


def test_weights_of_the_hub_come_with_revision_hash_and_normalization(hub, content):
    file = fetch("hf://timm/tiny")
    assert file.record() == {
        "source": "hf://timm/tiny",
        "revision": COMMIT,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert file.path.read_bytes() == content
    assert file.normalization == NORMALIZATIONS["half"]
    loaded = load_weights(MODEL, file)
    expected = depthjax.init_variables(MODEL, jax.random.key(3))
    jax.tree.map(np.testing.assert_array_equal, loaded, expected)


@pytest.mark.parametrize("source", ["hf://timm/tiny", f"hf://timm/tiny@{COMMIT}"])
def test_what_was_downloaded_once_needs_no_network(hub, source):
    first = fetch(source)
    downloaded = list(hub.gets)
    assert len(downloaded) == 2
    assert fetch(source) == first
    assert hub.gets == downloaded
    hub.shutdown()
    hub.server_close()
    assert fetch(source) == first


def test_a_file_in_a_folder_of_a_repository_without_config(hub):
    source = "hf://me/bare@main/deep/er/w.safetensors"
    file = fetch(source)
    assert file.revision == COMMIT
    assert file.normalization == NORMALIZATIONS["imagenet"]
    hub.shutdown()
    hub.server_close()
    assert fetch(source) == file  # that there is no config.json is remembered too


HUB_ERRORS = {
    "hf://timm/tiny2": "there is no 'timm/tiny2' on the Hub",
    "hf://timm/tiny@v9": "timm/tiny has no revision 'v9'",
    "hf://me/bare": "me/bare has no file 'model.safetensors'",
    "hf://me/bare/pytorch_model.bin": "me/bare has no file 'pytorch_model.bin'",
    "hf://a b/c d": "a b/c d cannot be had from the Hub",
    "hf://tiny": "not of the form hf://OWNER/REPOSITORY",
}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("timm/tiny", "did you mean 'hf://timm/tiny'"),
        ("https://huggingface.co/timm/tiny", "write hf://timm/tiny,"),
        ("https://huggingface.co/timm/tiny/resolve/main/w.pth", "write hf://timm/tiny,"),
        ("IMAGENET1K_V1", "or any FILE, torchvision:NAME"),
        ("hf-hub:timm/tiny", r"did you mean 'hf://timm/tiny'\?$"),
        ("hf_hub:timm/tiny", r"did you mean 'hf://timm/tiny'\?$"),
        ("ResNet50_Weights.IMAGENET1K_V2", r"did you mean 'torchvision:resnet50:v2'\?$"),
        ("ResNet18_Weights.DEFAULT", r"did you mean 'torchvision:resnet18'\?$"),
    ],
)
def test_names_as_other_libraries_have_them_are_answered_with_ours(typed, meant):
    refused(typed, meant)


@pytest.mark.parametrize("source", HUB_ERRORS)
def test_what_the_hub_does_not_have(hub, source):
    refused(source, HUB_ERRORS[source])


REFUSALS = {
    "gated": (
        403,
        "GatedRepo",
        "Access is restricted",
        r"accept its terms at https.*/o/gated, then",
    ),
    "login": (401, "GatedRepo", "Please log in", "`hf auth login`, or set HF_TOKEN"),
    "token": (401, "", "Invalid credentials in Authorization header", "token is not valid"),
    "limit": (429, "", "We had to rate limit you", r"answers 429 \(We had to rate.*wait"),
    "disabled": (403, "DisabledRepo", "Access to this resource is disabled.", "is disabled"),
    "private": (401, "RepoNotFound", "Repository not found", "or it is private; check the name"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_what_the_hub_refuses_is_said_with_the_way_out(hub, kind):
    *answer, expected = REFUSALS[kind]
    hub.refusals[f"o/{kind}"] = answer
    refused(f"hf://o/{kind}", expected)


def test_what_is_in_the_cache_needs_no_answer(hub):
    first = fetch("hf://timm/tiny")
    hub.refusals["timm/tiny"] = REFUSALS["limit"][:3]
    assert fetch("hf://timm/tiny") == first


@pytest.mark.parametrize("folder", ["", "deep/"])
def test_weights_of_the_hub_in_several_files(hub, content, folder):
    import safetensors.numpy

    state = safetensors.numpy.load(content)
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    places = {name: parts[index % 2] for index, name in enumerate(state)}
    hub.held["o/big"] = {
        f"{folder}{part}": safetensors.numpy.save({k: state[k] for k in state if places[k] == part})
        for part in parts
    }
    index = "model.safetensors.index.json"
    hub.held["o/big"][folder + index] = json.dumps({"weight_map": places}).encode()
    source = f"hf://o/big/{folder}{index}" if folder else "hf://o/big"
    file = fetch(source)
    assert file.path.name == index and file.revision == COMMIT
    expected = depthjax.init_variables(MODEL, jax.random.key(3))
    jax.tree.map(np.testing.assert_array_equal, load_weights(MODEL, file), expected)
    downloaded = list(hub.gets)
    assert fetch(source) == file and hub.gets == downloaded
    hub.shutdown()
    hub.server_close()
    assert fetch(source) == file
    refused(f"hf://o/big/{folder}{parts[0]}", f"part 1 of 2; give the index, {index}")


def test_an_index_of_the_hub_names_only_files_beside_it(hub):
    index = {"weight_map": {"w": "../../../../secret.safetensors"}}
    hub.held["o/bad"] = {"model.safetensors.index.json": json.dumps(index).encode()}
    refused("hf://o/bad", "no plain name of a file beside it")


def test_pytorchs_file_on_the_hub(hub):
    hub.held["o/old"] = {"pytorch_model.bin": zipped(pickled(w=tensor()), {"0": bytes(16)})}
    assert fetch("hf://o/old").path.name == "pytorch_model.bin"


def test_offline_and_not_cached(hub):
    hub.shutdown()
    hub.server_close()
    refused("hf://timm/tiny", "cannot be reached and model.safetensors of timm/tiny is not in its")


def test_without_the_hubs_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    refused("torchvision:resnet50", r"pip install 'depthjax\[hub\]'")


def test_torchvisions_weights_are_those_of_timms_mirrors(hub, content, monkeypatch):
    assert set(TORCHVISION) == {
        *TORCHVISION_MODELS,
        *(
            f"{name}:v2"
            for name in TORCHVISION_MODELS
            if name.startswith(("resn", "wide")) and "18" not in name and "34" not in name
        ),
    }
    assert TORCHVISION["resnet50"] == "hf://timm/resnet50.tv_in1k"
    assert TORCHVISION["resnet50:v2"] == "hf://timm/resnet50.tv2_in1k"
    hub.held["timm/resnet18.tv_in1k"] = {"model.safetensors": content}
    file = fetch("torchvision:resnet18")
    assert file.record()["source"] == "torchvision:resnet18" and file.revision == COMMIT
    assert file.normalization == NORMALIZATIONS["imagenet"]
    refused("torchvision:resnet5", "did you mean 'resnet50'")


# Files and addresses.


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_address_is_downloaded_once_into_the_cache(server, content, cache):
    server.held["a/b"] = {"w.safetensors": content}
    sha256 = hashlib.sha256(content).hexdigest()
    address = f"http://127.0.0.1:{server.server_port}/a/b/resolve/main/w.safetensors"
    file = fetch(f"{address}#sha256={sha256.upper()}")
    assert file.sha256 == sha256 and cache in file.path.parents
    assert file.path.name == "w.safetensors" and file.path.read_bytes() == content
    assert fetch(f"{address}#sha256={sha256}").path == file.path
    assert len(server.gets) == 1
    refused(f"{address}#sha256={'0' * 64}", "has the SHA-256")
    assert [path for path in cache.rglob("*") if path.is_file()] == [file.path]


def test_a_file_address_needs_the_right_hash(content, tmp_path):
    path = tmp_path / "my weights.safetensors"
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    assert fetch(f"{path.as_uri()}#sha256={sha256}").path == path
    refused(f"{path.as_uri()}#sha256={'0' * 64}", f"SHA-256 {sha256}, not 000")
    refused(f"{path.as_uri()}no#sha256={sha256}", "there is no file")
    refused(f"file://{tmp_path}/no.safetensors#sha256={sha256}", "there is no file")


@pytest.mark.parametrize("fragment", ["", "#", "#sha256=", "#sha256=12", "#md5=" + "0" * 64])
@pytest.mark.parametrize("scheme", ["https", "file"])
def test_an_address_without_a_hash_is_refused(scheme, fragment):
    refused(f"{scheme}://host/w.safetensors{fragment}", "needs the SHA-256.*#sha256=HEX")


@pytest.mark.parametrize(
    ("name", "near"),
    [("trianed.safetensors", "did you mean '.*trained.safetensors'"), ("resnet50", "torchvision:")],
)
def test_what_does_not_exist_names_the_nearest(name, near, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trained.safetensors").write_bytes(content)
    refused(name, f"unknown weights '{name}'.*{near}")
    refused("s3://bucket/w.safetensors", "unknown weights")
    for word in ("untrained", "pretrained", "shuffled:pretrained"):
        refused(word, f"'{word}' names no file of weights: .*weights_of")


def test_a_file_says_what_it_expects_of_pixels(content, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    assert fetch(path).normalization == NORMALIZATIONS["imagenet"]
    # A folder copied from the Hub, and a run folder, which says nothing of weights.
    (tmp_path / "config.json").write_text('{"model": "resnet18"}')
    assert fetch(path).normalization == NORMALIZATIONS["imagenet"]
    stated = {"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [1, 1, 1]}}
    (tmp_path / "config.json").write_text(json.dumps(stated))
    assert fetch(path).normalization == ((0.1, 0.2, 0.3), (1.0, 1.0, 1.0))
    (tmp_path / "config.json").write_text("{")
    refused(path, r"config.json says of its pixels cannot be read .*--normalization=")
    assert fetch(path, normalization="half").normalization == NORMALIZATIONS["half"]
    (tmp_path / "config.json").unlink()
    save_weights(path, depthjax.init_variables(MODEL, jax.random.key(0)))
    assert fetch(path).normalization is None


OF_TIMM = {"mean": [0.5] * 3, "std": [0.5] * 3}
NOTHING = [{}, {"model": "resnet18"}, {"pretrained_cfg": {}}, {"image_mean": [0.5] * 3}]
UNREADABLE = [
    *(None, 5, "x", [1, 2], {"mean": [0.5] * 3}, {"mean": None, "std": None}),
    {"mean": [0.5] * 3, "std": [0.0] * 3},
]


@pytest.mark.parametrize("flat", [False, True])
def test_both_forms_of_timms_config(flat, content, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(content)
    config = {"architecture": "resnet18", **OF_TIMM} if flat else {"pretrained_cfg": OF_TIMM}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert fetch(tmp_path / "w.safetensors").normalization == NORMALIZATIONS["half"]


@pytest.mark.parametrize("config", NOTHING)
def test_a_config_that_says_nothing_of_pixels(config, content, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(content)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert fetch(tmp_path / "w.safetensors").normalization == NORMALIZATIONS["imagenet"]


@pytest.mark.parametrize("config", UNREADABLE, ids=str)
def test_a_config_that_cannot_be_read_is_named_and_overruled(config, content, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": config}))
    refused(
        path, r"what .*config\.json says of its pixels cannot be read .*--normalization=imagenet"
    )
    assert fetch(path, normalization="imagenet").normalization == NORMALIZATIONS["imagenet"]
    assert fetch(path, normalization="none").normalization is None


def test_a_folder_without_weights_says_what_it_holds(tmp_path):
    refused(tmp_path, "holds no weights under their usual names .*; give a file$")
    (tmp_path / "epoch_9.pth").write_bytes(b"")
    refused(tmp_path, f"; give one of its files, such as '{tmp_path}/epoch_9.pth'$")
    (tmp_path / "_CHECKPOINT_METADATA").write_text("{}")
    refused(tmp_path, r"; it is a checkpoint of Orbax, .*restore\(.*; pass its tree as")
    (tmp_path / "_CHECKPOINT_METADATA").unlink()
    (tmp_path / "__0_0.distcp").write_bytes(b"")
    refused(tmp_path, f"distributed checkpoint.*dcp_to_torch {tmp_path} weights.pth makes it one")
