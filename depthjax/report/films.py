"""Descents of a run as WebP, GIF or MP4, made of the frames that the run has kept."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from depthjax.errors import one_of
from depthjax.files import write_atomically
from depthjax.folders.inversions import Run, load_run
from depthjax.inversion.frames import on_screen

FORMATS = ("webp", "gif", "mp4")
_LAST = 4  # the last picture stays this many times as long as any other


def check_formats(formats: Sequence[str]) -> None:
    """Refuses a format that cannot be written here.

    Raises:
        ValueError: for an unknown format, and for mp4 without imageio-ffmpeg.
    """
    for name in formats:
        one_of("animation format", name, FORMATS)
    if "mp4" in formats:
        try:
            import imageio_ffmpeg  # noqa: F401
        except ImportError as error:
            raise ValueError(
                "mp4 needs imageio-ffmpeg; pip install 'depthjax[video]', or choose webp or gif"
            ) from error


def animate_run(
    folder: str | os.PathLike[str],
    formats: Sequence[str] = ("webp",),
    *,
    layers: Sequence[str] = (),
    images: Sequence[str] = (),
    seconds: float = 4.0,
) -> list[Path]:
    """Writes the descents of a run to `animations/IMAGE_LAYER.FORMAT` in its folder.

    Args:
        folder: of a run that has kept frames (`experiments/invert.py --frames=48`).
        formats: some of `FORMATS`.
        layers, images: which descents; all by default. Of several restarts, the first is shown.
        seconds: length of each film.

    Returns:
        The files, in the order of layers and images.

    Raises:
        ValueError: for layers or images that the run does not have, for a run without frames, and
            for a format that cannot be written.
    """
    check_formats(formats)
    run = load_run(folder)
    chosen = [one_of("layer", name, run.layers) for name in layers] or list(run.layers)
    names = [one_of("image", name, run.image_names) for name in images] or run.image_names
    written = []
    for layer in chosen:
        if "frames" not in run.layers[layer]:
            raise ValueError(
                f"the run in {str(folder)!r} has kept no frames of {layer}; make it again with"
                " --frames=48"
            )
        for name in names:
            pictures = _pictures(run, layer, name)
            for kind in formats:
                stem = f"{name}_{layer}".replace("/", "_")
                path = Path(folder) / "animations" / f"{stem}.{kind}"
                write_atomically(path, encode_film(pictures, kind, seconds))
                written.append(path)
    return written


def _pictures(run: Run, layer: str, name: str) -> UInt8[np.ndarray, "f h w 3"]:
    """The storyboard of one descent, at its first start."""
    from depthjax.figures.storyboard import storyboard

    arrays, index = run.layers[layer], run.image_names.index(name)
    recorded, step = arrays["trajectory_step"], arrays["frame_step"]
    at = np.clip(np.searchsorted(recorded, step), 0, len(recorded) - 1)
    return storyboard(
        on_screen(run.targets[index]),
        arrays["frames"][:, 0, index],
        step,
        arrays["trajectory_input_ratio"][at, 0, index],
        arrays["trajectory_embedding_ratio"][at, 0, index],
        title=f"{name}, recovered from {layer}",
    )


def encode_film(pictures: UInt8[np.ndarray, "f h w 3"], kind: str, seconds: float = 4.0) -> bytes:
    """A film as the content of a file.

    Args:
        pictures: `[F, H, W, 3]`; for mp4, H and W must be even.
        kind: one of `FORMATS`.
        seconds: length of the film; the last picture stays longer than the others.

    Raises:
        ValueError: for a format that cannot be written here.
    """
    check_formats([kind])
    each = 1000 * seconds / (len(pictures) - 1 + _LAST)
    if kind == "mp4":
        return _video(pictures, each)
    content = io.BytesIO()
    first, *rest = [Image.fromarray(picture) for picture in pictures]
    if kind == "gif":  # a GIF has 256 colours; noise needs its own 256 in every picture
        first, *rest = [picture.quantize(256) for picture in (first, *rest)]
    duration = [round(each)] * (len(pictures) - 1) + [round(_LAST * each)]
    settings = {"quality": 85, "method": 4} if kind == "webp" else {"disposal": 1}
    first.save(
        content,
        kind.upper(),
        save_all=True,
        append_images=rest,
        duration=duration,
        loop=0,
        **settings,
    )
    return content.getvalue()


def _video(pictures: np.ndarray, each: float) -> bytes:
    import imageio.v3 as imageio

    still = np.concatenate([pictures, np.repeat(pictures[-1:], _LAST - 1, axis=0)])
    return imageio.imwrite(
        "<bytes>",
        still,
        extension=".mp4",
        plugin="FFMPEG",
        fps=1000 / each,
        macro_block_size=2,
        quality=8,
    )
