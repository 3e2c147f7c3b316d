"""Sets by their TFDS names: read when prepared, and a quick way out when they cannot be."""

import functools
import http.server
import importlib.util
import io
import shutil
import socket
import struct
import threading
import time

import numpy as np
import pytest
from PIL import Image

from depthjax.data import card, open_dataset


@pytest.fixture(scope="module")
def named(data_dir):
    return pytest.importorskip("depthjax.data.named", reason="needs tensorflow-datasets")


def error_of(spec, **kwargs):
    """The message, which must be one line and come within the five seconds promised."""
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r".") as caught:
        open_dataset(spec, **kwargs)
    assert time.perf_counter() - began < 5
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def tensorflow(monkeypatch):
    """Says whether TensorFlow is installed."""
    find = importlib.util.find_spec

    def pretend(installed):
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *rest: installed if name == "tensorflow" else find(name, *rest),
        )

    return pretend


def test_unknown_names(named, tmp_path):
    message = error_of("tfds:cifar11", data_dir=tmp_path)
    assert "unknown TFDS data set 'cifar11'; did you mean 'cifar10" in message
    message = error_of("tfds:imagenette/161px", data_dir=tmp_path)
    assert "unknown configuration of TFDS's 'imagenette' '161px'" in message
    assert "'160px'" in message
    assert "only: 3.0.1" in error_of("tfds:mnist:1.1.1", data_dir=tmp_path)


def test_not_prepared_and_no_tensorflow(named, tmp_path, tensorflow):
    tensorflow(None)
    message = error_of("tfds:cifar10", data_dir=tmp_path)
    assert "tfds:cifar10 is not prepared" in message
    assert str(tmp_path / "cifar10" / "3.0.2") in message
    assert "pip install 'depthjax[tf]'" in message and "--data_dir" in message
    assert not list(tmp_path.iterdir())


def test_not_prepared_and_offline(named, tmp_path, tensorflow, monkeypatch):
    tensorflow(True)
    asked = []
    monkeypatch.setattr(named, "answers", asked.append)
    message = error_of("tfds:cifar10", data_dir=tmp_path)
    assert "www.cs.toronto.edu does not answer" in message
    assert str(tmp_path / "cifar10" / "3.0.2") in message
    assert f"cifar-10-binary.tar.gz into {tmp_path / 'downloads' / 'manual'}" in message
    assert asked == ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]


def test_files_put_there_by_hand_need_no_network(named, tmp_path, tensorflow, monkeypatch):
    tensorflow(True)
    monkeypatch.setattr(named, "answers", lambda url: pytest.fail("asked the network"))
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    (manual / "cifar-10-binary.tar.gz").write_bytes(b"")
    # It goes on to TFDS, which finds that this is not the file.
    assert "cannot prepare 'tfds:cifar10'" in error_of("tfds:cifar10", data_dir=tmp_path)


def test_sets_that_are_downloaded_by_hand(named, tmp_path):
    message = error_of("tfds:imagenet2012", data_dir=tmp_path)
    assert "must be downloaded by hand into" in message
    assert str(tmp_path / "downloads" / "manual") in message
    assert "ILSVRC2012_img_train.tar" in message


def test_what_answers(named, monkeypatch):
    monkeypatch.setattr(named, "PATIENCE", 0.5)
    monkeypatch.setenv("no_proxy", "*")

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert named.answers(f"http://127.0.0.1:{server.server_port}/x")
        server.shutdown()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.perf_counter()
        assert not named.answers(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert time.perf_counter() - began < 2
        port = silent.getsockname()[1]
    assert not named.answers(f"http://127.0.0.1:{port}/")


@pytest.fixture(scope="module")
def left_by_others(named, tmp_path_factory):
    """A data_dir with a set that another project's builder has prepared."""
    import tensorflow_datasets as tfds

    class TinySet(tfds.core.ShardBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "id": np.int64,
                "picture": tfds.features.Image(shape=(4, 4, 3)),
                "kind": tfds.features.ClassLabel(names=["even", "odd"]),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("picture", "kind"),
            )

        def _shard_iterators_per_split(self, dl_manager):
            def examples(numbers):
                for number in numbers:
                    content = io.BytesIO()
                    Image.new("RGB", (4, 4), (number, 0, 0)).save(content, "PNG")
                    yield (
                        number,
                        {"id": number, "picture": content.getvalue(), "kind": number % 2},
                    )

            shards = {"train": [range(3), range(3, 10)], "test": [range(4)]}
            return {
                split: [functools.partial(examples, numbers) for numbers in parts]
                for split, parts in shards.items()
            }

    place = tmp_path_factory.mktemp("others")
    tfds.disable_progress_bar()
    TinySet(data_dir=place, file_format="array_record").download_and_prepare()
    return place


@pytest.fixture(scope="module")
def left_as_tfrecord(left_by_others, tmp_path_factory):
    """The same as the TFRECORD files that TFDS makes by default, written by their definition."""
    from array_record.python.array_record_module import ArrayRecordReader

    place = tmp_path_factory.mktemp("tfrecord")
    origin, folder = (root / "tiny_set" / "1.0.0" for root in (left_by_others, place))
    shutil.copytree(origin, folder)
    for path in sorted(folder.glob("*.array_record*")):
        reader = ArrayRecordReader(str(path))
        records = reader.read_all()
        reader.close()
        with open(str(path).replace("array_record", "tfrecord"), "wb") as file:
            for record in records:
                file.write(struct.pack("<QI", len(record), 0) + record + struct.pack("<I", 0))
        path.unlink()
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    return place


@pytest.mark.parametrize("kept_as", ["left_by_others", "left_as_tfrecord"])
def test_a_prepared_set_is_read_by_its_name(kept_as, request):
    place = request.getfixturevalue(kept_as)
    dataset = open_dataset("tfds:tiny_set", split="train", data_dir=place)
    assert dataset.classes == ("even", "odd") and dataset.image_shape == (4, 4, 3)
    assert dataset.version == "tiny_set/1.0.0"
    images, labels = dataset.read(np.arange(len(dataset)))
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.arange(10))
    np.testing.assert_array_equal(labels, np.arange(10) % 2)
    part = open_dataset("tfds:tiny_set", split="train[2:5]", data_dir=place, memory_limit=0)
    np.testing.assert_array_equal(part.read(np.array([2, 0]))[0][:, 0, 0, 0], [4, 2])
    assert card("tfds:tiny_set", data_dir=place).counts == {"test": 4, "train": 10}


@pytest.mark.parametrize("kept_as", ["left_by_others", "left_as_tfrecord"])
def test_damaged_files_are_said_to_be(kept_as, request, tmp_path):
    from depthjax.data.records import record_spans

    shutil.copytree(request.getfixturevalue(kept_as), tmp_path / "copy")
    record_spans.cache_clear()
    for path in (tmp_path / "copy" / "tiny_set" / "1.0.0").glob("*test*"):
        path.write_bytes(path.read_bytes()[:50])
    message = error_of("tfds:tiny_set", split="test", data_dir=tmp_path / "copy")
    assert "damaged" in message


def test_a_set_without_labelled_images(named, tmp_path):
    import tensorflow_datasets as tfds

    class OnlyNumbers(tfds.core.ShardBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = tfds.features.FeaturesDict({"number": np.int64})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _shard_iterators_per_split(self, dl_manager):
            return {"train": [lambda: iter([(0, {"number": 1})])]}

    OnlyNumbers(data_dir=tmp_path, file_format="array_record").download_and_prepare()
    message = error_of("tfds:only_numbers", data_dir=tmp_path)
    assert "is not a set of labelled images: each example holds number" in message
