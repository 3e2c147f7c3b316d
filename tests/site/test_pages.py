"""Every page of the site: links, every public name, every flag, and how it looks in Chromium."""

import importlib
import os
import pkgutil
import re
import zlib
from collections.abc import Iterator
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest
from absl import flags
from chromium import PHONE, WIDE, chromium
from playwright.sync_api import Browser, Page
from script_loading import EXPERIMENTS, loaded

import depthjax

ROOT = Path(__file__).parents[2]
SITE = (ROOT / os.environ["DEPTHJAX_SITE"]).resolve()
PAGES = sorted(SITE.rglob("*.html"))
MADE = SITE / "docs" / "site" / "pages"


class Links(HTMLParser):
    """What a page points to, and the places within it that others may."""

    def __init__(self, page: Path):
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = {""}
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.places.add(named.get("id") or "")
        self.links += [named[name] for name in ("href", "src") if named.get(name)]


@cache
def read(page: Path) -> Links:
    return Links(page)


def test_no_link_is_dead():
    dead = []
    for page in PAGES:
        for link in read(page).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            place = unquote(parts.fragment)
            found = target.is_file() and target.is_relative_to(SITE)
            if not found or (target.suffix == ".html" and place not in read(target).places):
                dead.append(f"{page.relative_to(SITE)}: {link}")
    assert len(PAGES) > 50 and not dead, "\n".join(dead)


def test_nothing_leads_to_an_address_that_is_none_yet():
    assert not [link for page in PAGES for link in read(page).links if "OWNER" in link]


def inventory() -> set[str]:
    """The names that Sphinx documented, with their domain: `py:depthjax.invert`."""
    _, _, _, _, packed = (SITE / "objects.inv").read_bytes().split(b"\n", 4)
    lines = zlib.decompress(packed).decode().splitlines()
    matches = (re.match(r"(.+?) (\w+):\S+ -?\d+ ", line) for line in lines)
    return {f"{match[2]}:{match[1]}" for match in matches if match}


def public_names() -> Iterator[str]:
    """Every public function and class of every module, and what `depthjax` exports."""
    yield from (f"depthjax.{name}" for name in depthjax.__all__)
    for found in pkgutil.walk_packages(depthjax.__path__, "depthjax."):
        if found.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            own = getattr(value, "__module__", "") == found.name
            if own and callable(value) and not name.startswith("_"):
                yield f"{found.name}.{name}"


def test_every_public_name_is_documented():
    names = set(public_names())
    missing = sorted(name for name in names if f"py:{name}" not in inventory())
    assert len(names) > 1000 and not missing


@pytest.mark.parametrize("script", sorted(path.stem for path in EXPERIMENTS.glob("*.py")))
def test_every_flag_of_a_script_is_on_its_page(script, monkeypatch):
    monkeypatch.syspath_prepend(EXPERIMENTS)  # scripts import what lies beside them
    libraries = ("absl.", "jax.", "etils.", "tensorflow")
    with loaded(script):
        by_module = flags.FLAGS.flags_by_module_dict()
        own = [
            flag.name
            for module, found in by_module.items()
            for flag in found
            if not module.startswith(libraries)
        ]
    known = inventory()
    assert own
    assert not [name for name in own if f"std:{script}.--{name}" not in known]


def test_every_flag_file_has_its_place():
    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text)

    places = {plain(place) for place in read(MADE / "flag_files.html").places}
    files = list((EXPERIMENTS / "flags").glob("*.flags"))
    assert files and not [path.name for path in files if plain(path.name) not in places]


# ------------------------------------------------------------------------------------- in a browser


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None: ...


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site as a server gives it: results of a search show parts of pages, which are fetched."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def opened(browser: Browser, address: str, complaints: list[str], **settings) -> Page:
    """The first page; what it complains of, or asks of another server, is noted."""
    page = browser.new_context(**settings).new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda it: complaints.append(it.text) if it.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("response", lambda it: complaints.append(it.url) if it.status >= 400 else None)
    ours = (address, "data:")
    page.on("request", lambda it: None if it.url.startswith(ours) else complaints.append(it.url))
    page.goto(address)
    return page


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """On a wide screen."""
    complaints: list[str] = []
    page = opened(browser, address, complaints, viewport=WIDE)
    yield page
    page.context.close()
    assert complaints == []


def test_the_navigation_leads_from_the_start_to_a_guide_and_back(page):
    assert "depthjax" in page.title()
    page.locator(".sidebar-tree").get_by_role("link", name="Measures").click()
    assert page.locator("h1").inner_text().startswith("Measures")
    page.locator(".sidebar-tree").get_by_role("link", name="API reference").click()
    page.locator("article").get_by_role("link", name="inversion", exact=True).click()
    page.locator(".sidebar-brand").click()
    assert page.get_by_role("heading", name="Start", exact=True).is_visible()


def test_search_finds_a_guide_and_a_function(page, address):
    for words, expected in (("plenoptic", "Coming from plenoptic"), ("step_scale", "step_scale")):
        page.goto(f"{address}search.html?q={words}")
        page.locator("ul.search a", has_text=expected).first.wait_for()
    page.goto(f"{address}search.html?q=nothingofthekind")
    page.get_by_text("did not match any documents").wait_for()


def brightness(page: Page) -> float:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def test_light_and_dark_follow_the_system_and_the_button(browser, address):
    complaints: list[str] = []
    page = opened(browser, address, complaints, viewport=WIDE, color_scheme="dark")
    assert brightness(page) < 64
    page.locator(".theme-toggle:visible").first.click()
    assert brightness(page) > 192
    page.context.close()
    assert complaints == []


def test_no_page_is_wider_than_a_phone_or_has_errors(browser, address):
    complaints: list[str] = []
    page = opened(browser, address, complaints, viewport=PHONE, has_touch=True)
    wide = []
    for path in PAGES:
        page.goto(address + path.relative_to(SITE).as_posix(), wait_until="load")
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide.append(str(path.relative_to(SITE)))
    page.context.close()
    assert wide == [] and complaints == []
