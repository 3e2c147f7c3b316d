"""Which files are images: the formats that are read, and the suffixes they have.

Pillow reads them. A format that Pillow needs a plug-in for (HEIC, say) registers it here.
"""

FORMATS = ("PNG", "JPEG", "WebP", "BMP", "TIFF", "GIF")
"""The formats that are promised; Pillow reads others too."""

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""The suffixes that make a file in a folder an image; a file named by itself may have any other."""


def some_format() -> str:
    """The formats in a sentence: `PNG, JPEG, WebP, BMP, TIFF or GIF`."""
    return f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
