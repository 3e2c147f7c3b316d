"""Figures as files."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from figure_arguments import KINDS, depth_arguments, gallery_arguments, matrix_arguments
from reading_figures import pictures

from depthjax import figures

# What other tests left open may be collected at any time, and is no figure's.
pytestmark = pytest.mark.filterwarnings("error", "ignore::ResourceWarning")


def test_save_figure_writes_png_and_pdf_and_nothing_else(tmp_path):
    figure = figures.gallery(*gallery_arguments())
    png, pdf = figures.save_figure(tmp_path / "features.14", figure)
    assert {png, pdf} == set(tmp_path.iterdir())
    assert (png.name, pdf.name) == ("features.14.png", "features.14.pdf")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")
    width = int.from_bytes(png.read_bytes()[16:20], "big")
    assert width == int(figure.get_figwidth() * 150)


@pytest.mark.parametrize("kind", ["gallery", "trajectories"])
def test_the_same_bytes_whatever_is_set_globally(kind, tmp_path):
    draw, arguments = KINDS[kind]
    given = arguments(1, 2)
    first = [path.read_bytes() for path in figures.save_figure(tmp_path / "a", draw(*given))]
    odd = {"font.size": 30, "axes.grid": True, "savefig.bbox": "tight", "font.family": "serif"}
    with matplotlib.rc_context(odd):
        before = dict(matplotlib.rcParams)
        afresh = figures.save_figure(str(tmp_path / "b"), draw(*given))
        assert dict(matplotlib.rcParams) == before
    assert first == [path.read_bytes() for path in afresh]
    png, pdf = first
    for word in (b"Date", b"Matplotlib", b"tIME", b"tEXt"):
        assert word not in png
        assert word not in pdf
    assert b"/Type3" not in pdf, "fonts are embedded as TrueType, which can be edited"


def test_the_same_figure_makes_the_same_bytes_twice(tmp_path):
    figure = figures.distances_against_depth(*depth_arguments(1, 2))
    first = [path.read_bytes() for path in figures.save_figure(tmp_path / "a", figure)]
    assert first == [path.read_bytes() for path in figures.save_figure(tmp_path / "a", figure)]


def test_another_process_writes_the_same_bytes_without_pyplot(tmp_path):
    script = (
        "import sys, numpy as np; from depthjax import figures\n"
        "ratio = np.array([[0.25, 2.0], [1.0, 0.5]])\n"
        "figure = figures.ratio_matrix(['a', 'b'], ['a', 'b'], ratio)\n"
        f"figures.save_figure({str(tmp_path / 'there')!r}, figure)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    root = Path(figures.__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    ratio = np.array([[0.25, 2.0], [1.0, 0.5]])
    here = figures.save_figure(
        tmp_path / "here", figures.ratio_matrix(["a", "b"], ["a", "b"], ratio)
    )
    for path in here:
        assert path.read_bytes() == (tmp_path / f"there{path.suffix}").read_bytes()


def test_pictures_go_into_the_pdf_as_they_are_and_the_figure_stays_as_it_was(tmp_path):
    figure = figures.gallery(*gallery_arguments(1, 1, size=(10, 11)))
    before = [picture.get_interpolation() for picture in pictures(figure)]
    _, pdf = figures.save_figure(tmp_path / "a", figure)
    content = pdf.read_bytes()
    assert content.count(b"/Width 11") == 3
    assert content.count(b"/Height 10") == 3
    assert [picture.get_interpolation() for picture in pictures(figure)] == before


def test_a_figure_that_cannot_be_drawn_leaves_no_file_and_spoils_none(tmp_path, monkeypatch):
    figure = figures.ratio_matrix(*matrix_arguments())
    (tmp_path / "a.png").write_text("old")

    def savefig(content, *, format, **options):
        content.write(b"half")
        if format == "pdf":
            raise RuntimeError("no ink")

    monkeypatch.setattr(figure, "savefig", savefig)
    with pytest.raises(RuntimeError, match="no ink"):
        figures.save_figure(tmp_path / "a", figure)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_text() == "old"


def test_a_write_that_fails_leaves_no_temporary_file(tmp_path, monkeypatch):
    def replace(source, target):
        assert Path(source).parent == tmp_path, "a rename is atomic within one folder"
        assert Path(source).stat().st_size > 0
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(ValueError, match=r"^cannot write .*a\.png' \(No space left on device\)"):
        figures.save_figure(tmp_path / "a", figures.ratio_matrix(*matrix_arguments()))
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named_in_one_line(tmp_path):
    figure = figures.ratio_matrix(*matrix_arguments())
    with pytest.raises(ValueError, match=r"^cannot write .*no folder .*nowhere; create it first$"):
        figures.save_figure(tmp_path / "nowhere" / "a", figure)
