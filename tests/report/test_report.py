"""What a page shows, without a browser; tests/report/test_page.py has one."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reading_pages import Page, data_of
from report_folders import (
    ENVIRONMENT,
    EVIL,
    FINDINGS,
    write_inversion,
)

from depthjax import report
from depthjax.claims.judging import NOT_RUN
from depthjax.claims.paper import CLAIMS
from depthjax.folders.environment import command_line
from depthjax.folders.inversions import load_run
from depthjax.report.contents import (
    Report,
)


def test_the_page_needs_nothing_else(folders: Path) -> None:
    page = report.write_report(folders / "inversion")
    assert page == folders / "inversion" / "report.html"
    html = page.read_text(encoding="utf-8")
    found = Page(html)
    assert not found.all("link", rel="stylesheet") and all(
        "src" not in s for s in found.all("script")
    )
    addresses = [a[name] for _, a in found.elements for name in ("src", "href") if a.get(name)]
    assert addresses and all(address.startswith(("data:", "#")) for address in addresses)
    policy = next(m["content"] for m in found.all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'") and "http" not in policy
    assert report.render(report.collect([folders / "inversion"])) == html


def test_names_are_text(folders: Path) -> None:
    for name in ("inversion", "comparison"):
        html = report.render(report.collect([folders / name], title=EVIL))
        found = Page(html)
        assert len(found.all("script")) == 2  # the data and the program
        assert "<script>alert" not in html.replace('<script>"use strict"', "")
        assert EVIL in "".join(found.text)
        assert any(EVIL in str(image.get("alt")) for image in found.all("img"))
        json.dumps(data_of(html))


def test_every_picture_is_described_by_its_numbers(folders: Path) -> None:
    html = report.render(report.collect([folders / "inversion"]))
    found = Page(html)
    assert all(image.get("alt") is not None for image in found.all("img"))
    run = load_run(folders / "inversion")
    alts = [image["alt"] for image in found.all("img")]
    assert sum("recovered from" in str(alt) for alt in alts) == 2 * 3
    assert "astronaut, recovered from conv1: D 0.5, r² 1, ρ 0.01" in alts
    assert all(f"{name}, the target" in alts for name in run.image_names)
    assert all("aria-labelledby" in svg for svg in found.all("svg", role="img"))
    identifiers = [a["id"] for _, a in found.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    for _, attributes in found.elements:
        for name in (attributes.get("aria-labelledby") or "").split():
            assert name in identifiers


def test_the_command_is_exact_and_beside_every_panel(folders: Path) -> None:
    html = report.render(report.collect([folders / "inversion"]))
    command = (
        "python experiments/invert.py --model=resnet18 '--trained_on=noise=noise/32@train[:2000]'"
    )
    assert command_line(ENVIRONMENT["command"]) == command
    text = "".join(Page(html).text)
    panels = 1 + 1 + 4 + 1 + 1  # the run, gallery, charts, table, figures
    assert text.count(command) == panels
    assert "/somewhere" not in text.split("python experiments")[0]


def test_every_finding_is_shown_and_counted(folders: Path) -> None:
    html = report.render(report.collect([folders / "manifold"]))
    found = Page(html)
    text = "".join(found.text)
    for finding in FINDINGS:
        assert finding.where in text and finding.statistic in text
    rows = re.findall(r"<tr[^>]*>(?=<td>C1)", html)
    assert len(rows) == len(FINDINGS) and rows.count('<tr class="aside">') == 1
    # A single folder lists its own claims; a whole reproduction all of them.
    assert "C16" not in text
    whole = "".join(Page(report.render(report.collect([folders]))).text)
    assert all(claim.sentence in whole for claim in CLAIMS.values())
    assert NOT_RUN in whole


def test_a_run_without_findings_judges_no_claim(folders: Path) -> None:
    html = report.render(report.collect([folders / "inversion"]))
    assert "The paper’s claims" not in html


def test_folders_of_folders_make_one_page(folders: Path, tmp_path: Path) -> None:
    found = report.collect([folders])
    assert [section.title for section in found.sections] == ["comparison", "inversion", "manifold"]
    assert found.whole and not report.collect([folders / "manifold"]).whole
    both = [folders / "manifold", folders / "inversion"]
    page = report.write_report(both, tmp_path / "both.html")
    assert [section["name"] for section in data_of(page.read_text())] == ["manifold", "inversion"]
    with pytest.raises(ValueError, match="say where it goes"):
        report.write_report(both)


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_nothing_to_report_on(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no run in|no folder"):
        report.write_report(tmp_path / folder)
    assert not (tmp_path / folder / "report.html").exists()


def test_damaged_runs_say_so_in_one_line(tmp_path: Path) -> None:
    folder = write_inversion(tmp_path / "run")
    (folder / "layers" / "conv1.npz").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="damaged") as error:
        report.write_report(folder)
    assert "\n" not in str(error.value)


def test_unfinished_runs_have_gaps(tmp_path: Path) -> None:
    html = report.render(report.collect([write_inversion(tmp_path / "some", missing=1)]))
    assert html.count('class="absent"') == 2
    assert data_of(html)[0]["gallery"]["views"][0]["cells"][0][2] is None
    html = report.render(report.collect([write_inversion(tmp_path / "none", missing=3)]))
    assert "0 of 3 finished" in html


def test_galleries_show_the_run(folders: Path) -> None:
    run = load_run(folders / "inversion")
    (section,) = report.collect([folders / "inversion"]).sections
    gallery = section.gallery
    assert gallery is not None and not gallery.axes
    cell = gallery.views[0].cells[1][2]
    arrays = run.layers["layer2"]
    np.testing.assert_array_equal(cell.image, arrays["images"][0, 1])
    np.testing.assert_array_equal(cell.frames, arrays["frames"][:, 0, 1])
    np.testing.assert_array_equal(cell.frame_step, arrays["frame_step"])
    at = np.searchsorted(arrays["trajectory_step"], arrays["frame_step"])
    np.testing.assert_allclose(cell.frame_d, arrays["trajectory_input_ratio"][at, 0, 1])
    html = report.render(Report("run", [section]))
    record = data_of(html)[0]["gallery"]["views"][0]["cells"][1][2]
    assert record["frameStep"] == arrays["frame_step"].tolist()
    strip = Image.open(io.BytesIO(base64.b64decode(record["frames"].split(",")[1])))
    assert strip.size == (16, 16 * len(arrays["frame_step"]))
    # 16 pixels are kept without loss.
    np.testing.assert_array_equal(
        np.asarray(strip.convert("RGB")).reshape(-1, 16, 16, 3), cell.frames
    )


def test_restarts_and_networks_can_be_chosen(folders: Path, tmp_path: Path) -> None:
    several = report.collect([write_inversion(tmp_path / "run", restarts=2, frames=0)])
    gallery = several.sections[0].gallery
    assert gallery is not None and gallery.axes == {"start": ["start 1", "start 2"]}
    # Without frames the slider has the start and the end.
    cell = gallery.views[1].cells[0][0]
    assert cell.frame_step.tolist() == [0, 100] and len(cell.frames) == 2
    compared = report.collect([folders / "comparison"]).sections[0].gallery
    assert compared is not None and compared.axes["network"] == ["untrained", "photos", EVIL]
    assert len(compared.views) == 3 * 3
    found = Page(report.render(report.collect([folders / "comparison"])))
    assert len(found.all("input", type="radio")) == 3 + 3


def test_a_stopped_descent_has_no_frames_after_its_end(tmp_path: Path) -> None:
    folder = write_inversion(tmp_path / "run")
    path = folder / "layers" / "conv1.npz"
    arrays = dict(np.load(path))
    arrays["stopped_step"][0, 0] = 30
    np.savez(path, **arrays)
    (section,) = report.collect([folder]).sections
    cell = section.gallery.views[0].cells[0][0]
    assert cell.frame_step.tolist() == [0, 20, 30]
    assert section.gallery.views[0].cells[1][0].frame_step[-1] == 100


def test_trainings_show_their_curve(tmp_path: Path) -> None:
    config = {"model": "mlp", "dataset": "digits", "training": {"epochs": 2, "optimizer": "adamw"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "learning_curve.csv").write_text(
        "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy\n"
        "1,2.5,0.25,,\n2,1.5,0.5,2.0,0.375\n"
    )
    (section,) = report.collect([tmp_path]).sections
    loss, accuracy = section.charts
    assert [one.y for one in loss.series] == [[2.5, 1.5], [2.0]]
    assert [one.x for one in accuracy.series] == [[1.0, 2.0], [2.0]]
    assert "2 epochs of adamw" in report.render(Report("training", [section]))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out_from_their_ground(theme: str) -> None:
    """WCAG's 4.5 for text, 3 for lines."""
    style = (Path(report.__file__).parent / "templates" / "page.css").read_text()
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", style)
    colours = dict(
        re.findall(r"--([\w-]+): (#[0-9a-f]{6})", "".join(blocks[: 1 + (theme == "dark")]))
    )

    def contrast(one: str, other: str) -> float:
        lighter, darker = sorted(map(luminance, (colours[one], colours[other])), reverse=True)
        return (lighter + 0.05) / (darker + 0.05)

    for words in ("ink", "soft", "accent"):
        for ground in ("ground", "card"):
            assert contrast(words, ground) >= 4.5
    for kind in ("yes", "no", "open"):
        assert contrast(kind, f"{kind}-soft") >= 4.5
    assert contrast("accent", "accent-soft") >= 4.5 and contrast("none", "card") >= 4.5
    assert all(contrast(f"s{index}", "card") >= 3 for index in range(6))


def luminance(colour: str) -> float:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_page_says_what_a_run_still_lacks(tmp_path: Path) -> None:
    def said(folder: Path) -> str:
        return "".join(Page(report.render(report.collect([folder]))).text)

    run = write_inversion(tmp_path / "run", missing=2)
    assert "not finished: layer1, layer2 missing" in said(run)
    assert "not finished" not in said(write_inversion(tmp_path / "whole"))
    study = tmp_path / "study"
    study.mkdir()
    config = {"model": "resnet18", "environment": {**ENVIRONMENT, "plan": {"C1": "0"}}}
    (study / "config.json").write_text(json.dumps(config))
    assert "not finished: findings.json missing" in said(study)
    (study / "results.csv").write_text("layer,value\nconv1,1\n")
    (study / "findings.json").write_text("[]")
    assert "not finished" not in said(study)
