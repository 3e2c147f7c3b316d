"""Reads photographs and writes PNG files, with NumPy and Pillow alone.

A photograph is a float32 array `[H, W, 3]` of RGB values in [0, 1], as the file encodes them: gamma
is kept, and ICC profiles are not applied.
"""

from depthjax.images.embedded import EMBEDDED, EmbeddedPhotograph
from depthjax.images.formats import IMAGE_SUFFIXES
from depthjax.images.reading import decode_image, load_image, load_images
from depthjax.images.resizing import MAX_PIXELS
from depthjax.images.sources import find_images, image_labels, left_out
from depthjax.images.writing import save_png, to_uint8

__all__ = [
    "EMBEDDED",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "EmbeddedPhotograph",
    "decode_image",
    "find_images",
    "image_labels",
    "left_out",
    "load_image",
    "load_images",
    "save_png",
    "to_uint8",
]
