"""Run twice by tests/devices/test_processes.py, as two processes that know each other.

Arguments: PORT ID FILE.
"""

import contextlib
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from depthjax import InversionConfig, invert
from depthjax.compat import enable_x64
from depthjax.devices import processes
from depthjax.inversion.checkpoints import DescentCheckpoints
from depthjax.studies import descents

WEIGHTS = np.random.default_rng(0).normal(size=(12, 8))
IMAGES = np.random.default_rng(1).random((5, 2, 2, 3))
STARTS = np.random.default_rng(2).random((5, 2, 2, 3))
NEAR = np.array([4.0, 0.02, 0.02, 1.0, 2.0])  # all of the second process soon are near enough
CONFIG = InversionConfig(steps=40, record_every=3)


def layer(weights, images):
    return jnp.tanh(images.reshape(len(images), -1) @ weights)


def found(**settings):
    """The arrays of the same descents, in float64, by however many processes there are."""
    with enable_x64(True):
        weights, images, starts = map(jnp.asarray, (WEIGHTS, IMAGES, STARTS))
        target = layer(weights, images)
        result = invert(
            layer, weights, target, starts, CONFIG, compare_to=images, frames=6, **settings
        )
        arrays = {name: value for name, value in vars(result).items() if name != "split"}
        trajectory = vars(arrays.pop("trajectory"))
        arrays |= {f"trajectory_{name}": value for name, value in trajectory.items()}
        arrays |= {f"frames_{name}": value for name, value in vars(arrays.pop("frames")).items()}
        return {name: np.asarray(value) for name, value in arrays.items()}


def studied(folder, *, cut_off=False):
    """A study of one network: the folder of its descents."""
    weights, images, starts = (array.astype(np.float32) for array in (WEIGHTS, IMAGES, STARTS))
    one = descents.Descents(
        folder, "net", 0, "only", CONFIG, {"first": layer, "second": squared}, weights, {}
    )
    references = descents.check([one], images, jax.random.key(0))
    one.begin({"images": list("abcde")}, images, starts)
    assert descents.pending([one]) == [(one, name) for name in ("first", "second")]
    for name in ("first",) if cut_off else ("first", "second"):
        one.recover(name, images, starts, references["net", 0, name])
    if not cut_off:
        return one.folder
    one.begin({"images": list("abcde")}, images, starts)
    assert descents.pending([one]) == [(one, "second")]
    one.recover("second", images, starts, references["net", 0, "second"])
    return one.folder


def squared(weights, images):
    return jnp.square(layer(weights, images))


class Cut(Exception):
    """The power fails."""


if __name__ == "__main__":
    port, index, file = sys.argv[1:]
    processes.connect(f"localhost:{port}", 2, int(index))
    assert jax.process_count() == 2 and processes.is_first() == (index == "0")
    assert processes.of_first(7 + int(index)) == 7
    read = processes.my_share(5)
    np.testing.assert_array_equal(processes.gather({"a": IMAGES[read]}, 5)["a"], IMAGES)

    def cut(progress):
        assert np.isfinite(progress.embedding_distance).sum() in (2, 3)
        assert len(progress.embedding_distance) == 5
        if progress.step >= 20:
            raise Cut

    kept = f"{file}.kept"
    with contextlib.suppress(Cut):
        found(checkpoints=DescentCheckpoints(kept, seconds=0.0), on_progress=cut)
    cases = {"plain": {}, "stopped": {"stop_distance": NEAR}}
    cases["resumed"] = {"checkpoints": DescentCheckpoints(kept)}
    everything = {
        f"{case}/{name}": array
        for case, settings in cases.items()
        for name, array in found(**settings).items()
    }
    np.savez(f"{file}-{index}.npz", **everything)
    studied(Path(f"{file}.study"), cut_off=True)
