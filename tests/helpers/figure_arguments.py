"""Arguments of the figures that `invert.py` draws, made of random numbers."""

import numpy as np

from depthjax import figures

SHAPES = [(1, 1, True), (2, 5, False), (5, 10, True), (3, 24, True)]


LONG = ("layer3.22.downsample.0", "layer1.0.conv1", "features.14", "fc", "a" * 60)


BASELINES = {"start": [7.9, 8.1], "flat": [4.0, 5.0], "blur": [2.0, 3.0]}


def names(count, long=False):
    return [LONG[i % 5] if long else f"features.{i}" for i in range(count)]


def gallery_arguments(images=2, layers=3, long=False, size=(12, 12)):
    rng = np.random.default_rng(0)
    target = rng.random((images, *size, 3)).astype(np.float32)
    recovered = rng.normal(0.5, 0.5, (layers, *target.shape)).astype(np.float32)
    d, rho = 10 ** rng.uniform(-7, 1, (2, layers, images))
    numbers = {"D": d, "r²": rng.random((layers, images)), "ρ": rho}
    image_names = ["a photograph/of_some-length.jpg" if long else f"im{i}" for i in range(images)]
    return [image_names, target, target[:, ::-1], names(layers, long), recovered, numbers]


def depth_arguments(images=2, layers=3, long=False):
    d, rho = 10 ** np.random.default_rng(0).uniform(-4, 1, (2, layers, images))
    return [names(layers, long), d, rho, BASELINES]


def trajectory_arguments(images=2, layers=3, long=False):
    steps = np.arange(8) * 50
    fall = (1 + steps[:, None]) ** -np.linspace(0.5, 1, images)
    return [names(layers, long), steps, [8 * fall] * layers, [5 * fall] * layers]


def matrix_arguments(rows=2, columns=3, long=False):
    ratio = 10 ** np.random.default_rng(0).uniform(-2, 1, (rows, columns))
    return [names(rows, long), names(columns, long), ratio]


KINDS = {
    "gallery": (figures.gallery, gallery_arguments),
    "distances_against_depth": (figures.distances_against_depth, depth_arguments),
    "trajectories": (figures.trajectories, trajectory_arguments),
    "ratio_matrix": (figures.ratio_matrix, matrix_arguments),
}
