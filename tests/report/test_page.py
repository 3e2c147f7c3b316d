"""The page in a browser: Chromium without a window, driven by Playwright."""

import base64
import csv
import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import PHONE, WIDE, chromium
from PIL import Image
from playwright.sync_api import Browser, Locator, Page
from report_folders import EVIL, FINDINGS, draw_figure, write_comparison, write_inversion

from depthjax import report
from depthjax.folders.inversions import load_run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """One page of a run, and of a comparison of networks with names that want to be programs."""
    folder = tmp_path_factory.mktemp("runs")
    write_inversion(folder / "a_run", layers=("conv1", "layer1", "layer2", "layer3"))
    draw_figure(folder / "a_run")
    write_comparison(folder / "comparison")
    return report.write_report(folder).as_uri()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """The page on a wide screen; it must not complain, nor ask for anything."""
    yield from on_screen(browser, address, viewport=WIDE)


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[Page]:
    """The same on a phone in the dark."""
    yield from on_screen(browser, address, viewport=PHONE, color_scheme="dark", has_touch=True)


def on_screen(browser: Browser, address: str, **settings) -> Iterator[Page]:
    context = browser.new_context(**settings)
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: complaints.append(request.url) if foreign(request) else None)
    page.goto(address)
    yield page
    assert complaints == []
    context.close()


def foreign(request) -> bool:
    return not request.url.startswith(("data:", "blob:")) and not request.is_navigation_request()


def run_of(address: str):
    return load_run(Path(address.removeprefix("file://")).parent / "a_run")


def gallery(page: Page, section: int) -> Locator:
    return page.locator(".gallery").nth(section)


def pixels(page: Page) -> np.ndarray:
    """What the canvas shows, `[H, W, 3]`."""
    png = page.evaluate("document.querySelector('dialog canvas').toDataURL()").split(",")[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))


def test_a_picture_opens_its_descent(opened: Page, address: str) -> None:
    run = run_of(address)
    frames = run.layers["layer1"]["frames"]
    gallery(opened, 0).get_by_role("button", name="astronaut, recovered from layer1").click()
    detail = opened.get_by_role("dialog")
    assert "astronaut, recovered from layer1" in detail.inner_text()
    for kind in ("target", "found", "difference"):
        image = detail.locator(f"img.{kind}")
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 16
        assert "astronaut" in image.get_attribute("alt") or "difference" in image.get_attribute(
            "alt"
        )
    slider = detail.get_by_role("slider")
    opened.wait_for_function("document.querySelector('dialog canvas').width === 16")
    for index in (len(frames) - 1, 0, 2):
        slider.fill(str(index))
        step = run.layers["layer1"]["frame_step"][index]
        assert f"step {step}\nD " in detail.locator("output").inner_text()
        assert slider.get_attribute("aria-valuetext").startswith(f"step {step}: D ")
        np.testing.assert_array_equal(pixels(opened), frames[index, 0, 0])
    path = detail.get_by_role("img", name="Descent")
    assert path.locator("path.line").count() == 4  # two lines and their places in the legend
    detail.get_by_role("button", name="Next layer").click()
    assert "recovered from layer2" in detail.locator("h2").inner_text()
    opened.keyboard.press("Escape")
    assert not detail.is_visible()


def test_the_keyboard_is_enough(opened: Page) -> None:
    cells = gallery(opened, 0).locator("button.cell:visible")
    cells.first.focus()
    focused = "document.activeElement.querySelector('img')?.alt ?? document.activeElement.ariaLabel"
    assert "astronaut, recovered from conv1" in opened.evaluate(focused)
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowDown")
    assert f"{EVIL}, recovered from layer1" in opened.evaluate(focused)
    opened.keyboard.press("Enter")
    detail = opened.get_by_role("dialog")
    slider = detail.get_by_role("slider")
    before = slider.input_value()
    slider.focus()
    opened.keyboard.press("ArrowLeft")
    assert int(slider.input_value()) == int(before) - 1
    opened.keyboard.press("Escape")
    assert f"{EVIL}, recovered from layer1" in opened.evaluate(focused)
    # One stop on the way through a gallery, not one for each picture.
    assert [cells.nth(n).get_attribute("tabindex") for n in range(8)].count("0") == 1


def test_networks_can_be_switched(opened: Page) -> None:
    compared = gallery(opened, 1)
    shown = compared.locator("button.cell:visible img")
    assert all("of untrained, converging" in alt for alt in alts(shown))
    compared.get_by_text(EVIL, exact=True).first.click()
    compared.get_by_text("paper's recipe", exact=True).click()
    assert len(alts(shown)) == 2 * 3
    assert all(f"of {EVIL}, paper's recipe" in alt for alt in alts(shown))
    targets = compared.locator(".view:visible img.target")
    assert all(targets.nth(n).evaluate("image => image.src.startsWith('data:')") for n in range(2))
    compared.locator("button.cell:visible").first.click()
    title = opened.get_by_role("dialog").locator("h2").inner_text()
    assert title == f"astronaut, recovered from conv1 · {EVIL} · paper's recipe"


def alts(images: Locator) -> list[str]:
    return images.evaluate_all("images => images.map((image) => image.alt)")


def panel(page: Page, title: str) -> Locator:
    """A folded part of the first section that has one, unfolded."""
    found = page.locator("details.panel").filter(has=page.get_by_text(title, exact=True)).first
    if found.get_attribute("open") is None:
        found.locator("summary").first.click()
    return found


def column(table: Locator, index: int) -> list[str]:
    return table.locator(f"tbody tr:visible td:nth-child({index + 1})").all_inner_texts()


def test_tables_are_sorted_filtered_and_taken_away(opened: Page, address: str) -> None:
    rows = run_of(address).table
    table = panel(opened, "Every image, layer and restart")
    names = table.locator("thead th").evaluate_all("heads => heads.map((h) => h.dataset.name)")
    assert names == list(rows[0])
    at = names.index("input_ratio")
    head = table.locator("thead th").nth(at)
    assert head.inner_text().split() == ["D", "ratio"]
    values = sorted(row["input_ratio"] for row in rows)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(text) for text in column(table, at)] == pytest.approx(values, rel=1e-3)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(text) for text in column(table, at)] == pytest.approx(values[::-1], rel=1e-3)
    table.get_by_label("layer", exact=True).select_option("layer2")
    table.get_by_role("searchbox").fill("astro")
    assert column(table, names.index("layer")) == ["layer2"]
    assert "1 of 8 rows" in table.inner_text()
    with opened.expect_download() as download:
        table.get_by_role("button", name="Download these rows").click()
    saved = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    (expected,) = [row for row in rows if row["layer"] == "layer2" and row["image"] == "astronaut"]
    assert len(saved) == 1 and saved[0]["image"] == "astronaut"
    assert float(saved[0]["input_ratio"]) == pytest.approx(expected["input_ratio"], rel=1e-5)


def test_findings_are_sorted_by_their_numbers(opened: Page) -> None:
    table = panel(opened, "Findings")
    table.locator("thead th").nth(4).get_by_role("button").click()
    known = sorted(f.interval.estimate for f in FINDINGS if np.isfinite(f.interval.estimate))
    shown = [text.split()[0] for text in column(table, 4)]
    assert shown == [*(f"{value:g}" for value in known), "–"]  # nothing comes last
    table.get_by_label("claim").select_option("C10")
    assert len(column(table, 0)) == 2
    assert EVIL in table.inner_text()


def test_charts_can_be_taken_away(opened: Page) -> None:
    figure = opened.locator(".charts figure").nth(1)
    with opened.expect_download() as download:
        figure.get_by_role("link", name="Data (CSV)").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("series,layer,input ratio D")
    with opened.expect_download() as download:
        figure.get_by_role("button", name="Chart (SVG)").click()
    assert download.value.suggested_filename.endswith(".svg")
    assert ElementTree.parse(download.value.path()).getroot().tag.endswith("svg")


def test_dark_follows_the_system_until_one_chooses(phone: Page, opened: Page) -> None:
    def light(page: Page) -> bool:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return np.mean([int(part) for part in colour[4:-1].split(",")]) > 128

    assert light(opened) and not light(phone)
    opened.get_by_role("button", name="Switch between light and dark").click()
    assert not light(opened)
    line = opened.locator(".chart path.s0.line").first
    assert line.evaluate("path => getComputedStyle(path).stroke") != "rgb(0, 114, 178)"
    opened.reload()
    assert not light(opened)
    opened.get_by_role("button", name="Switch between light and dark").click()
    assert light(opened)


def test_a_phone_shows_all_of_it(phone: Page) -> None:
    width = "[document.documentElement.scrollWidth, innerWidth]"
    scrolled, inner = phone.evaluate(width)
    assert scrolled <= inner == 390
    for title in ("Every image, layer and restart", "Findings", "Figures", "Settings"):
        panel(phone, title)
    scrolled, inner = phone.evaluate(width)
    assert scrolled <= inner
    # The gallery scrolls by itself, and its targets stay.
    view = gallery(phone, 0).locator(".view:visible")
    assert view.evaluate("view => view.scrollWidth > view.clientWidth")
    view.evaluate("view => { view.scrollLeft = 200; }")
    assert gallery(phone, 0).locator("img.target").first.bounding_box()["x"] >= 0
    gallery(phone, 0).locator("button.cell:visible").nth(2).tap()
    detail = phone.get_by_role("dialog")
    box = detail.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert detail.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    small = phone.get_by_role("button").evaluate_all(
        "all => all.filter((b) => b.checkVisibility() && b.getBoundingClientRect().height < 24)"
        ".map((b) => b.outerHTML)"
    )
    assert small == []


def test_everything_has_a_name(opened: Page) -> None:
    for control in ("button", "link", "radio", "img", "table", "slider"):
        found = opened.get_by_role(control)
        assert found.count() or control == "slider"  # which is within the closed dialog
    nameless = opened.evaluate(
        "() => [...document.querySelectorAll('button, a, input, select, svg[role=img]')]"
        ".filter((e) => e.checkVisibility() && !(e.ariaLabel || e.innerText || e.labels?.length"
        " || e.getAttribute('aria-labelledby') || e.querySelector('img')?.alt))"
        ".map((e) => e.outerHTML)"
    )
    assert nameless == []
    assert opened.locator("main").count() == opened.locator("h1").count() == 1
    assert opened.locator("html").get_attribute("lang") == "en"


def test_without_scripts_the_claims_and_pictures_are_there(browser: Browser, address: str) -> None:
    for page in on_screen(browser, address, viewport=WIDE, java_script_enabled=False):
        assert page.get_by_text("not supported").first.is_visible()
        assert page.locator("button.cell:visible img").count() == 8 + 6
        assert page.locator(".chart").first.is_visible()
