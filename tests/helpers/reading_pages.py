"""What a browser makes of a page, without a browser."""

import json
import re
from html.parser import HTMLParser


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


def data_of(html: str) -> list[dict]:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])
