import io
import sys
from pathlib import Path

import numpy as np
import pytest
import script_loading
from absl.testing.flagsaver import flagsaver
from PIL import Image, ImageSequence
from report_folders import write_inversion

from depthjax.figures.storyboard import storyboard
from depthjax.folders.inversions import load_run
from depthjax.report.films import FORMATS, animate_run, check_formats, encode_film


def pages(count: int = 5, size: int = 16) -> np.ndarray:
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    step, ratio = np.arange(count), np.geomspace(2, 0.1, count)
    return storyboard(frames[0], frames, step, ratio, ratio, title="one <two>")


def test_a_storyboard_shows_target_and_iterates_whole() -> None:
    random = np.random.default_rng(0)
    target, *frames = random.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    ratio = np.array([2.0, np.nan, 0.1])
    shown = storyboard(target, np.stack(frames), np.arange(3), ratio, ratio)
    assert shown.dtype == np.uint8 and shown.shape[0] == 3
    assert shown.shape[1] % 2 == shown.shape[2] % 2 == 0
    factor = 32
    for page, frame in zip(shown, frames, strict=True):
        for picture, left in ((target, 12), (frame, 24 + 8 * factor)):
            part = page[31 : 31 + 8 * factor, left : left + 8 * factor]
            np.testing.assert_array_equal(part[::factor, ::factor], picture)
    # The bar goes with ρ, and there is none where ρ is not known.
    bars = (shown[:, -7] == 0x6E).all(-1).sum(-1)
    assert bars[0] <= 1 and bars[1] <= 1 and bars[2] > 300


def test_grey_images_are_animated_too() -> None:
    frames = np.zeros((2, 8, 8, 1), np.uint8)
    ratio = np.ones(2)
    assert storyboard(frames[0], frames, np.arange(2), ratio, ratio).shape[-1] == 3


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_pictures_move_and_the_last_one_stays(kind: str) -> None:
    pictures = pages()
    with Image.open(io.BytesIO(encode_film(pictures, kind, seconds=2.0))) as image:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]
        assert image.format == kind.upper() and image.info["loop"] == 0
        assert len(frames) == len(pictures)
        for frame, picture in zip(frames, pictures, strict=True):
            assert np.abs(np.asarray(frame, float) - picture).mean() < 12
        durations = []
        for index in range(len(pictures)):
            image.seek(index)
            image.load()
            durations.append(image.info["duration"])
    assert durations[-1] == pytest.approx(4 * durations[0], abs=10)
    assert sum(durations) == pytest.approx(2000, abs=50)


def test_video_holds_every_picture() -> None:
    import imageio.v3 as imageio

    pictures = pages()
    content = encode_film(pictures, "mp4")
    assert content[4:8] == b"ftyp"
    shown = imageio.imread(content, extension=".mp4", plugin="FFMPEG")
    assert shown.shape == (len(pictures) + 3, *pictures.shape[1:])
    assert np.abs(shown[2].astype(float) - pictures[2]).mean() < 25


def test_a_run_is_animated_at_any_layer(tmp_path: Path) -> None:
    folder = write_inversion(tmp_path / "run", images=("one", "two"), frames=4)
    written = animate_run(folder, layers=["layer1"])
    assert written == [folder / "animations" / f"{name}_layer1.webp" for name in ("one", "two")]
    with Image.open(written[0]) as image:
        assert image.n_frames == len(load_run(folder).layers["layer1"]["frame_step"])
    assert len(animate_run(folder, ["gif"], images=["two"])) == 3


def test_what_cannot_be_animated_says_why(tmp_path: Path, monkeypatch) -> None:
    folder = write_inversion(tmp_path / "run", images=("one",), frames=0)
    with pytest.raises(ValueError, match="--frames"):
        animate_run(folder)
    for wrong in ({"layers": ["layer9"]}, {"images": ["three"]}, {"formats": ["avi"]}):
        with pytest.raises(ValueError, match="unknown"):
            animate_run(folder, **wrong)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ValueError, match=r"depthjax\[video\]"):
        check_formats(FORMATS)
    assert not (folder / "animations").exists()


def test_the_scripts_do_it_too(tmp_path: Path, capsys) -> None:
    folder = write_inversion(tmp_path / "run", images=("one",), frames=3)
    with script_loading.loaded("animate") as script, flagsaver(run=str(folder), layers=["conv1"]):
        script.main()
    assert capsys.readouterr().out.strip() == str(folder / "animations" / "one_conv1.webp")
    with script_loading.loaded("report") as script:
        with flagsaver(run=[str(folder)]):
            script.main()
        assert str(folder / "report.html") in capsys.readouterr().out
        with pytest.raises(ValueError, match="--run="):
            script.main()
