"""What a page shows, without a browser; tests/report/test_page.py has one."""

import base64
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from report_folders import (
    ENVIRONMENT,
    EVIL,
    FINDINGS,
    draw_figure,
    write_comparison,
    write_inversion,
    write_results,
)

from depthjax import report
from depthjax.claims.findings import Bound, Finding
from depthjax.claims.judging import NOT_RUN
from depthjax.claims.paper import CLAIMS
from depthjax.folders.environment import command_line
from depthjax.folders.inversions import load_run
from depthjax.report import charts, pictures, tabular, verdicts
from depthjax.report.columns import COLUMNS, column
from depthjax.report.contents import (
    Chart,
    Gallery,
    Recovered,
    Report,
    Section,
    Series,
    View,
    chart_from_record,
)
from depthjax.statistics import Interval


class Page(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [
            found
            for name, found in self.elements
            if name == tag and attributes.items() <= found.items()
        ]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """A run, a comparison and results beside each other."""
    folder = tmp_path_factory.mktemp("runs")
    write_inversion(folder / "inversion")
    draw_figure(folder / "inversion")
    write_comparison(folder / "comparison")
    rows = [
        {"network": network, "seed": seed, "layer": f"layer{depth}", "depth": depth}
        | {"input": "noise", "origin": origin, "neighbour_ratio": 1.0 + depth}
        for network in ("untrained", "photos")
        for seed in (0, 1)
        for depth in range(3)
        for origin in range(4)
    ]
    write_results(folder / "manifold", rows)
    return folder


def data_of(html: str) -> list[dict]:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])


# --- The whole page -------------------------------------------------------------------------------


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
    assert "astronaut, recovered from conv1: D 0.5, ρ 0.01" in alts
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
    panels = 1 + 1 + 3 + 1 + 1  # the run, gallery, charts, table, figures
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


# --- Galleries ------------------------------------------------------------------------------------


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
    assert len(compared.views) == 3 * 4
    found = Page(report.render(report.collect([folders / "comparison"])))
    assert len(found.all("input", type="radio")) == 3 + 4


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


def noise_gallery(side: int, images: int, layers: int, networks: int) -> Gallery:
    """As bad as pictures can be for a page: noise does not compress."""
    random = np.random.default_rng(0)
    picture = random.random((side, side, 3)).astype(np.float32)
    frames = random.integers(0, 256, (12, side, side, 3), dtype=np.uint8)
    steps = np.arange(12)
    line = np.ones(12)
    cell = Recovered(
        picture, 1.0, 1.0, 11, "all steps", steps, line, line, frames, steps, line, line
    )
    names = [f"image {index}" for index in range(images)]
    views = [View((f"network {n}",), [[cell] * layers] * images) for n in range(networks)]
    every = np.broadcast_to(picture, (images, *picture.shape))
    axes = {"network": [f"network {n}" for n in range(networks)]}
    return Gallery(names, [f"layer {n}" for n in range(layers)], every, every, axes, views)


def test_five_images_ten_layers_three_networks_fit() -> None:
    section = Section("large", "noise", "", [], "{}", gallery=noise_gallery(224, 5, 10, 3))
    html = report.render(Report("large", [section]))
    assert 1_000_000 < len(html.encode()) < report.SIZE
    cells = data_of(html)[0]["gallery"]["views"][2]["cells"]
    assert (len(cells), len(cells[0])) == (5, 10) and len(cells[4][9]["frameStep"]) >= 4


@given(count=st.integers(1, 40), most=st.integers(2, 24))
def test_kept_frames_begin_and_end_where_the_descent_does(count: int, most: int) -> None:
    kept = pictures.kept_frames(count, most)
    assert kept[0] == 0 and kept[-1] == count - 1
    assert len(kept) == min(count, most) and sorted(set(kept)) == list(kept)


def test_differences_are_black_where_there_is_none() -> None:
    target = np.zeros((2, 2, 3), np.float32)
    image = target.copy()
    image[0, 0] = 0.25
    image[1, 1] = np.nan
    np.testing.assert_array_equal(pictures.difference(target, image)[..., 0], [[128, 0], [0, 0]])


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


# --- Claims ---------------------------------------------------------------------------------------


def finding(claim: str, verdict: str, part: str = "predicted", aside: str = "") -> Finding:
    interval = {
        "supported": (1.0, 0.5, 1.5),
        "contradicted": (-1.0, -1.5, -0.5),
        "open": (0.0, -1.0, 1.0),
        "not reached": (float("nan"),) * 3,
    }[verdict]
    made = Finding(
        claim=claim,
        part=part,
        quantity="some",
        bound=Bound.above(0),
        interval=Interval(*interval, 3, 5),
        aside=aside,
    )
    assert made.verdict == verdict
    return made


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "open"], "undecided at this scale"),
        (["supported", "not reached"], "undecided at this scale"),
        (["supported", "contradicted"], "not supported"),
        # One of three places is contradicted by chance often enough.
        (["supported", "supported", "contradicted"], "undecided at this scale"),
        (["open"], "undecided at this scale"),
    ],
)
def test_what_is_no_claim_of_the_paper_is_judged_by_the_same_rule(
    given: list[str], expected: str
) -> None:
    others = [finding("C2", "supported"), finding("theory", "contradicted", aside="contrast")]
    others += [finding("theory", "contradicted", aside="control")]
    own = [finding("theory", verdict) for verdict in given]
    made = verdicts.judgements(own + others, whole=True)
    assert [one.claim.id for one in made] == [*CLAIMS, "theory"]
    assert made[-1].verdict == expected
    assert sum(made[-1].counts.values()) == len(given)
    # The paper's claims are judged by their parts: of C2 none was measured.
    assert [made[0].verdict, made[1].verdict] == ["not run", "undecided at this scale"]


def test_claims_come_in_the_papers_order() -> None:
    names = ("mine", "C14", "C2", "C10")
    made = verdicts.judgements([finding(name, "supported") for name in names])
    assert [one.claim.id for one in made] == ["C2", "C10", "C14", "mine"]
    # Nobody knows what would support a claim that nobody has stated.
    assert made[-1].verdict == "undecided at this scale"


def test_strips_of_one_quantity_share_their_scale() -> None:
    """The same of two networks, also where names hold what sentences are made with."""

    def strips(*details: str) -> list[str]:
        numbers = zip(details, ((1.0, 0.5, 1.5), (90.0, 80.0, 99.0)), strict=False)
        return [
            row["strip"]
            for row in verdicts.finding_rows(
                [
                    Finding(
                        claim="C10",
                        quantity="log ρ (of a: b)",
                        detail=detail,
                        bound=Bound.above(0),
                        interval=Interval(*ends, 3, 5),
                    )
                    for detail, ends in numbers
                ]
            )
        ]

    assert strips("x − y", "z − y")[0] != strips("x − y")[0]


# --- Charts and tables ----------------------------------------------------------------------------

CHART = Chart(
    "Distance <b>",
    "layer",
    "input ratio D",
    [
        Series("untrained", [0, 1, 2], [1e-7, 2, 4], [1e-8, 1, 3], [1e-6, 3, 5]),
        Series("photos & more", [0, 1, 2], [1, float("nan"), 3]),
        Series("", [0, 1, 2], [1, 2, 3], thin=True, of="untrained"),
    ],
    ticks=["conv1", "layer1", EVIL],
    log_y=True,
    marks={"noisy copy": 1.0, "start": 7.0},
)


def test_charts_are_svg_that_stands_for_itself() -> None:
    svg = charts.as_svg(CHART, "c")
    root = ElementTree.fromstring(str(svg))  # well-formed, whatever the names
    assert root.tag.endswith("svg") and "viewBox" in root.attrib
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"untrained", "photos & more", "start 7", "noisy copy 1"} <= set(texts)
    assert "nan" not in str(svg) and "inf" not in str(svg)
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        assert "stroke" in path.attrib or "fill" in path.attrib  # coloured without the page
    assert "untrained: 1e-7 at conv1 to 4 at" in charts.in_words(CHART)
    assert charts.beyond_the_axis(CHART)


def test_chart_data_is_what_is_drawn() -> None:
    lines = charts.as_csv(CHART).splitlines()
    assert lines[0] == "series,layer,input ratio D,low,high"
    assert lines[1] == "untrained,conv1,1e-07,1e-08,1e-06"
    assert lines[5] == "photos & more,layer1,,,"
    assert lines[-1] == "start,,7,,"
    assert len(lines) == 1 + 9 + 2


def test_charts_survive_json() -> None:
    record = json.loads(json.dumps(CHART.record(), allow_nan=False))
    assert charts.as_csv(chart_from_record(record)) == charts.as_csv(CHART)
    assert charts.as_svg(chart_from_record(record), "c") == charts.as_svg(CHART, "c")
    with pytest.raises(ValueError, match="no chart"):
        chart_from_record({"title": "nothing"})


def test_scripts_may_bring_charts_of_their_own(tmp_path: Path) -> None:
    spectrum = Chart(
        "Spectrum",
        "rank",
        "singular value",
        [Series("layer4", list(range(1, 40)), [10.0 / n for n in range(1, 40)])],
        log_x=True,
        log_y=True,
    )
    folder = write_results(tmp_path / "spectra", [{"layer": "layer4", "value": 1.0}])
    assert report.write_charts(folder, [spectrum]).name == "charts.json"
    (section,) = report.collect([folder]).sections
    assert section.charts == [spectrum]
    found = Page(report.render(Report("spectra", [section])))
    (link,) = [a for a in found.all("a") if "download" in a]
    assert "layer4,39,0.25641," in unquote(str(link["href"]))


@given(
    values=st.lists(
        st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=6
    ),
    logarithmic=st.booleans(),
)
def test_any_numbers_can_be_drawn(values: list[float], logarithmic: bool) -> None:
    places = list(map(float, range(len(values))))
    lines = [Series("one", places, values, values, values)]
    names = [f"layer{n}" for n in range(len(values))]
    for ticks in (names, ()):
        chart = Chart(
            "any", "x", "y", lines, ticks=ticks, log_y=logarithmic, marks={"m": values[0]}
        )
        ElementTree.fromstring(str(charts.as_svg(chart, "any")))
        assert "nan" not in re.sub(r"<(title|desc).*?</\1>", "", str(charts.as_svg(chart, "any")))


def test_depth_charts_have_a_line_for_each_network(folders: Path) -> None:
    (section,) = report.collect([folders / "manifold"]).sections
    (chart,) = section.charts
    assert [one.name for one in chart.series] == ["untrained", "photos"]
    assert list(chart.ticks) == ["layer0", "layer1", "layer2"]
    np.testing.assert_allclose(chart.series[0].y, [1, 2, 3])
    assert "2 weight seeds × 4 examples" in chart.note


def test_tables_have_units_and_no_more_rows_than_fit() -> None:
    rows = [
        {"network": name, "seed": seed, "image": f"image{n}", "input_ratio": float(n)}
        for name in ("a", "b")
        for seed in range(3)
        for n in range(400)
    ]
    table = tabular.table("All", rows[:400])
    assert len(table.rows) == 400
    assert [one.unit for one in table.columns] == ["", "", "", "ratio"]
    short = tabular.table("All", rows)
    assert [list(row) for row in short.rows] == [["a", 1200, 199.5], ["b", 1200, 199.5]]
    assert "2400 rows" in short.note
    assert column("some_thing").label == "some thing"


def test_the_columns_of_a_run_are_known(folders: Path) -> None:
    unknown = [name for name in load_run(folders / "inversion").table[0] if name not in COLUMNS]
    assert not unknown


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
