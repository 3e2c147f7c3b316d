"""Your own folder: bytes kept, corrupt files named, and never all of it in memory.

`python tests/data/test_folder.py 50000` builds a folder of that many images and prints peak memory.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthjax.data import card, open_dataset

KILOBYTES = 100  # of each image of the large folder


def encoded(seed: int, side: int = 12, kind: str = "JPEG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 3, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def fill(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), each: int = 3) -> None:
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            kind = ("JPEG", "PNG", "WEBP")[number % 3]
            (folder / name / f"{number}.{kind.lower()}").write_bytes(
                encoded(10 * label + number, kind=kind)
            )


@pytest.fixture
def flat(tmp_path):
    fill(tmp_path / "My pets")
    return tmp_path / "My pets"


def files_of(builder, split):
    import tensorflow_datasets as tfds

    source = builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
    return {
        example["file"].decode(): (example["image"], int(example["label"])) for example in source
    }


def test_bytes_and_labels_are_kept(flat, tmp_path, data_dir):
    from depthjax.data.folder import prepared_builder

    builder = prepared_builder(flat, tmp_path / "data", False)
    found = files_of(builder, "train")
    expected = {
        str(path.relative_to(flat)): (path.read_bytes(), ["cat", "dog"].index(path.parent.name))
        for path in flat.glob("*/*")
    }
    assert found == expected
    assert builder.name.startswith("folder_my_pets_")


def test_pixels_are_those_of_the_files(flat, tmp_path, data_dir):
    from depthjax.images import load_image, to_uint8

    dataset = open_dataset(f"folder:{flat}", size=8, data_dir=tmp_path / "data")
    assert dataset.classes == ("cat", "dog") and dataset.image_shape == (8, 8, 3)
    images, labels = dataset.read(np.arange(6))
    for label, name in enumerate(dataset.classes):
        expected = {to_uint8(load_image(path, 8)).tobytes() for path in (flat / name).iterdir()}
        assert {image.tobytes() for image in images[labels == label]} == expected


def test_training_and_validation_folders(tmp_path, data_dir):
    fill(tmp_path / "set" / "train", each=4)
    fill(tmp_path / "set" / "val", each=2)
    (tmp_path / "set" / "train" / "cat" / "notes.txt").write_text("not an image")
    (tmp_path / "set" / "train" / "cat" / ".hidden.jpg").write_text("not an image")
    found = card(f"folder:{tmp_path / 'set'}", data_dir=tmp_path / "data")
    assert found.counts == {"train": 8, "validation": 4}
    assert found.skipped == ()
    dataset = open_dataset(
        f"folder:{tmp_path / 'set'}", split="validation", size=4, data_dir=tmp_path / "data"
    )
    assert sorted(dataset.read(np.arange(4))[1]) == [0, 0, 1, 1]


def test_a_changed_folder_is_prepared_again(flat, tmp_path, data_dir):
    spec = f"folder:{flat}"
    assert card(spec, data_dir=tmp_path / "data").counts == {"train": 6}
    assert card(spec, data_dir=tmp_path / "data").counts == {"train": 6}
    assert len(list((tmp_path / "data").glob("folder_*"))) == 1
    (flat / "cat" / "new.png").write_bytes(encoded(99, kind="PNG"))
    assert card(spec, data_dir=tmp_path / "data").counts == {"train": 7}


def test_the_version_is_that_of_the_files_and_not_of_their_place(flat, tmp_path, data_dir):
    def version(root):
        return open_dataset(f"folder:{root}", size=4, data_dir=tmp_path / "data").version

    before = version(flat)
    shutil.copytree(flat, tmp_path / "copy", copy_function=shutil.copyfile)
    assert version(tmp_path / "copy") == before
    (flat / "cat" / "0.jpeg").rename(flat / "dog" / "other.jpeg")
    assert version(flat) != before


def test_corrupt_files_are_named_and_refused_or_skipped(flat, tmp_path, data_dir):
    whole = encoded(5, side=60)
    (flat / "cat" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (flat / "dog" / "empty.png").write_bytes(b"")
    (flat / "dog" / "text.gif").write_text("hello")
    with pytest.raises(ValueError, match="3 of 9 images in") as caught:
        card(f"folder:{flat}", data_dir=tmp_path / "data")
    message = str(caught.value)
    assert "\n" not in message and "skip_corrupt" in message
    assert "cat/cut.jpg: is corrupt or truncated" in message
    assert "dog/empty.png: " in message and "dog/text.gif: is not an image" in message
    assert not list((tmp_path / "data").glob("folder_*/1.0.0"))
    with pytest.warns(UserWarning, match="skipped: 3 of 9 images"):
        found = card(f"folder:{flat}", data_dir=tmp_path / "data", skip_corrupt=True)
    assert found.counts == {"train": 6}
    assert sorted(found.skipped) == ["cat/cut.jpg", "dog/empty.png", "dog/text.gif"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what is prepared is not looked through again
        again = card(f"folder:{flat}", data_dir=tmp_path / "data", skip_corrupt=True)
    assert again == found


def test_sizes_differ(flat, tmp_path, data_dir):
    with pytest.raises(ValueError, match="differ in size; give size=224"):
        open_dataset(f"folder:{flat}", data_dir=tmp_path / "data")


def no_folder(root):
    pass


def no_classes(root):
    root.mkdir()


def an_empty_class(root):
    fill(root)
    (root / "bird").mkdir()


def a_class_unseen_in_training(root):
    fill(root / "train")
    fill(root / "val", ("cat", "cow"))


def classes_beside_train(root):
    fill(root / "train")
    fill(root)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_folder, "there is no folder"),
        (no_classes, "has no subfolder; put the images of each class into one"),
        (an_empty_class, "holds no image"),
        (a_class_unseen_in_training, "has the class 'cow', which the training set has not"),
        (classes_beside_train, "holds train/ beside cat, dog, train"),
    ],
)
def test_folders_that_are_no_data_set(make, message, tmp_path, data_dir):
    make(tmp_path / "set")
    with pytest.raises(ValueError, match=message) as caught:
        card(f"folder:{tmp_path / 'set'}", data_dir=tmp_path / "data")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


def build(root: Path, count: int) -> None:
    """A folder of `count` images in 10 classes; what follows the end of a JPEG is never decoded."""
    ballast = np.random.default_rng(0).bytes(KILOBYTES * 1000)
    pictures = [encoded(number, side=32) + ballast for number in range(50)]
    for number in range(count):
        folder = root / f"class{number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:06}.jpg").write_bytes(pictures[number % 50])


def peak_growth(root: Path, data_dir: Path) -> float:
    """Megabytes by which preparing a folder raises the peak memory of a fresh process."""
    code = (
        "import resource, sys\n"
        "from depthjax.data import card, folder\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000\n"
        "card('digits', data_dir=sys.argv[2])\n"  # all that preparing imports
        "before = peak()\n"
        "card('folder:' + sys.argv[1], data_dir=sys.argv[2])\n"
        "print(peak() - before)\n"
    )
    arguments = [sys.executable, "-c", code, str(root), str(data_dir)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def test_a_folder_is_never_all_in_memory(tmp_path, data_dir):
    count = 1000
    build(tmp_path / "large", count)
    assert peak_growth(tmp_path / "large", tmp_path / "data") < count * KILOBYTES / 1000 / 3


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        number = int(sys.argv[1])
        build(Path(place, "large"), number)
        began = time.perf_counter()
        megabytes = peak_growth(Path(place, "large"), Path(place, "data"))
        seconds = time.perf_counter() - began
        size = sum(os.path.getsize(path) for path in Path(place, "large").rglob("*.jpg")) / 1e6
    sys.stdout.write(
        f"{number} images, {size:.0f} MB: peak memory grew by {megabytes:.0f} MB, {seconds:.0f} s\n"
    )
