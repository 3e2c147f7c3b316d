"""Photographs that come with installed packages, with their licences; no network is needed."""

import importlib.util
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class EmbeddedPhotograph:
    """A photograph that comes with an installed package.

    Fields:
        name: by which it is asked for.
        package: `scikit-image` or `scikit-learn`.
        file: its name in the package's folder of images.
        licence: as the package states it.
        description: what it shows.
    """

    name: str
    package: str
    file: str
    licence: str
    description: str

    @property
    def path(self) -> str:
        """The path of the installed file.

        Raises:
            ValueError: if the package is not installed, or does not have the file.
        """
        module, *folders = _IMAGE_FOLDERS[self.package]
        # Importing scikit-learn would take a second; finding its folder takes none.
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(
                f"the embedded photograph {self.name!r} comes with {self.package}, which is not "
                f"installed; run 'pip install {self.package}' or give the path of an image file"
            )
        path = os.path.join(spec.submodule_search_locations[0], *folders, self.file)
        if not os.path.isfile(path):
            raise ValueError(
                f"the embedded photograph {self.name!r} should be at {path!r}, but the installed "
                f"{self.package} does not ship it; install another version or give a path"
            )
        return path


_IMAGE_FOLDERS = {
    "scikit-image": ("skimage", "data"),
    "scikit-learn": ("sklearn", "datasets", "images"),
}

# Licences as stated by scikit-image 0.26 (docstrings of skimage.data) and scikit-learn 1.9
# (sklearn/datasets/images/README.txt).
_SKIMAGE = (
    (
        "astronaut",
        "astronaut.png",
        "public domain, no known copyright restrictions (NASA)",
        "Eileen Collins in an orange space suit",
    ),
    ("chelsea", "chelsea.png", "CC0 (photograph by Stefan van der Walt)", "a cat's face"),
    ("coffee", "coffee.png", "CC0 (photograph by Rachel Michetti)", "a cup of coffee on wood"),
    ("rocket", "rocket.jpg", "public domain (SpaceX)", "a Falcon 9 lifting off with DSCOVR"),
    (
        "retina",
        "retina.jpg",
        "CC0 1.0 (Mikael Häggström, Wikimedia Commons)",
        "the back of a human eye",
    ),
    (
        "hubble",
        "hubble_deep_field.jpg",
        "public domain (NASA, HubbleSite)",
        "the Hubble eXtreme Deep Field",
    ),
    (
        "immunohistochemistry",
        "ihc.png",
        "no known copyright restrictions (Center for Microscopy And Molecular Imaging)",
        "stained colonic glands under a microscope",
    ),
    (
        "camera",
        "camera.png",
        "CC0 (photograph by Lav Varshney)",
        "a photographer with a camera on a tripod, grey",
    ),
    ("brick", "brick.png", "CC0 (CC0Textures)", "a brick wall, grey"),
    ("grass", "grass.png", "CC0 (linolafett, DeviantArt)", "grass, grey"),
    ("gravel", "gravel.png", "CC0 (CC0Textures)", "gravel, grey"),
    (
        "cell",
        "cell.png",
        "CC0 (Paul Müller et al., 2018)",
        "a cell floating in saline, quantitative phase, grey",
    ),
    (
        "clock",
        "clock_motion.png",
        "public domain (photograph by Stefan van der Walt)",
        "a wall clock blurred by motion, grey",
    ),
    (
        "coins",
        "coins.png",
        "no known copyright restrictions (Brooklyn Museum)",
        "Greek coins from Pompeii, grey",
    ),
    (
        "moon",
        "moon.png",
        "not stated by scikit-image; see its source, skimage.data.moon",
        "the surface of the moon, grey",
    ),
)
_SKLEARN = (
    ("china", "china.jpg", "CC BY 2.0 (danielbuechele, flickr)", "a Chinese pavilion among trees"),
    (
        "flower",
        "flower.jpg",
        "CC BY 2.0 (vultilion, flickr; the attribution line in scikit-learn names danielbuechele)",
        "a dahlia close up",
    ),
)

EMBEDDED: dict[str, EmbeddedPhotograph] = {
    name: EmbeddedPhotograph(name, package, file, licence, description)
    for package, rows in (("scikit-image", _SKIMAGE), ("scikit-learn", _SKLEARN))
    for name, file, licence, description in rows
}
