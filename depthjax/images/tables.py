"""Tables of photographs, in Markdown."""

from depthjax.images.embedded import EMBEDDED
from depthjax.tables import markdown_table


def photograph_table() -> str:
    """Name, description, licence and package of every embedded photograph."""
    rows = [
        [f"`{name}`", photo.description, photo.licence, photo.package]
        for name, photo in EMBEDDED.items()
    ]
    return markdown_table(["name", "what", "licence", "comes in"], rows)
