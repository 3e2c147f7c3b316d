"""Run by tests/devices/test_sharding.py in a process that is told it has eight devices.

Writes what it found into the file it is given: the same descents by one device and by eight.
"""

import dataclasses
import importlib
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

import depthjax
from depthjax import InversionConfig, jacobian
from depthjax.compat import enable_x64
from depthjax.devices.sharding import local_mesh, replicate, split_batch
from depthjax.devices.spreading import spread
from depthjax.inversion import preparing, strays
from depthjax.inversion.loop import descend
from depthjax.inversion.preparing import prepare_for_descent
from depthjax.inversion.problem import Data, numbers_of
from depthjax.inversion.state import initial_state
from depthjax.jacobian import linearization

ONE, EIGHT = local_mesh(1), local_mesh()
inverting = importlib.import_module("depthjax.inversion.invert")  # the name is a function's, too
IMAGES = np.random.default_rng(0).random((11, 8, 8, 3))
COUNTS = (1, 4)
STARTS = np.random.default_rng(1).random((11, 8, 8, 3))


def network(dtype):
    model = depthjax.build_model("resnet18", width=4, stage_sizes=(1,), stem="small", num_classes=3)
    variables = depthjax.init_variables(model, jax.random.key(0), 8)
    cast = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), variables)
    return depthjax.Layer(model, "layer1"), cast


LAYER, _ = network(jnp.float32)


def on_both(dtype, config, starts=STARTS, **settings):
    """The arrays of an inversion by one device and by eight."""
    layer, variables = network(dtype)
    images, starts = jnp.asarray(IMAGES, dtype), jnp.asarray(starts, dtype)
    target = layer(variables, images)
    for mesh in (ONE, EIGHT):
        found = depthjax.invert(
            layer,
            variables,
            target,
            starts,
            config,
            compare_to=images,
            mesh=mesh,
            frames=4,
            **settings,
        )
        yield {
            **{field.name: getattr(found, field.name) for field in dataclasses.fields(found)},
            **{f"trajectory_{name}": value for name, value in vars(found.trajectory).items()},
            **{f"frames_{name}": value for name, value in vars(found.frames).items()},
            "split": np.array(found.split),
        }


def in_parts():
    """Descents with weights that are spread over the devices."""
    with enable_x64(True):
        layer, variables = network(jnp.float64)
        starts = STARTS[:8]
        target = layer(variables, IMAGES[:8])
        config = InversionConfig.paper(steps=6, step_scale="layer")
        model, held = depthjax.as_network(
            lambda *asked: {"layer1": plain(*asked)}, variables, IMAGES[:1]
        )
        asked = {"prepared": (layer, variables, config), "plain": (plain, variables, config)}
        asked["observed"] = layer, variables, config.replace(penalty="batch_norm")
        plain_config = InversionConfig(steps=3)  # the other asks for two programs more
        asked["function"] = depthjax.Layer(model, "layer1"), held, plain_config
        for name, (one, weights, config) in asked.items():
            for who, mesh in (("one", ONE), ("eight", EIGHT)):
                found = depthjax.invert(
                    one, weights, target, starts, config, mesh=mesh, spread_weights=mesh is EIGHT
                )
                yield f"spread_{name}/{who}/images", found.images
                yield f"spread_{name}/{who}/objective", found.objective


def measured_in_parts():
    """Whole measurements of fewer images than there are devices."""
    with enable_x64(True):
        layer, variables = network(jnp.float64)
        config = InversionConfig(steps=4)
        for who, mesh in (("one", ONE), ("eight", EIGHT)):
            run = depthjax.autoencode(
                jax.random.key(0), layer, variables, IMAGES[:3], config, mesh=mesh,
                spread_weights=mesh is EIGHT,
            )  # fmt: skip
            arrays = vars(run.measurement) | {"best": run.images, "start": run.start}
            arrays["split"] = np.array(run.inversion.split)
            yield from ((f"autoencode/{who}/{name}", a) for name, a in arrays.items())


def elsewhere():
    """Where a mesh of one other device has a descent and a linearisation, and what both find."""
    mesh, other = jax.make_mesh((1,), ("any",), devices=jax.devices()[3:4]), []
    layer, variables = network(jnp.float32)
    images = jnp.asarray(IMAGES[:1], jnp.float32)
    run = inverting.run_batch

    def watched(prepared, *arguments):
        other.append(prepared.weights)
        return run(prepared, *arguments)

    inverting.run_batch = watched
    target = layer(variables, images)
    starts = jnp.asarray(STARTS[:1], jnp.float32)
    results = [
        depthjax.invert(layer, variables, target, starts, InversionConfig(steps=3), mesh=one).images
        for one in (ONE, mesh)
    ]
    inverting.run_batch = run
    other.append(jacobian.linearize(layer, variables, images, mesh=mesh))
    for name, tree in zip(("here", "descent", "jacobian"), other, strict=True):
        ids = {device.id for leaf in jax.tree.leaves(tree) for device in leaf.devices()}
        yield f"elsewhere/{name}", np.array(sorted(ids))
    yield "elsewhere/difference", np.abs(results[0] - results[1]).max()


def fits_in_parts():
    """Bytes that a batch takes in parts, what it is allowed, and the error of whole weights."""
    layer, variables, config = perceptron()
    free = 2 * 10**6  # of 3 MB of weights
    fit = depthjax.fitting_batch(layer, variables, (8, 8, 3), 4, config, free=free)
    try:
        depthjax.fitting_batch(
            layer, variables, (8, 8, 3), 4, config, free=free, spread_weights=False
        )
    except ValueError as error:
        return {"fit": np.array([fit.batch, fit.needed, free]), "whole": np.array(str(error))}
    raise AssertionError("weights that do not fit were said to")


def perceptron():
    """A network that has little but weights."""
    model = depthjax.build_model("mlp", widths=(256,) * 12)
    variables = depthjax.init_variables(model, jax.random.key(0), 8)
    return depthjax.Layer(model, "fc12"), variables, InversionConfig(steps=3)


def who_spreads():
    """In how many of three inversions weights were spread: no room, room, and asked for."""
    layer, variables = network(jnp.float32)
    images = jnp.asarray(IMAGES[:8], jnp.float32)
    calls = []

    def counting(weights, mesh):
        calls[-1] += 1
        return spread(weights, mesh)

    preparing.spread = counting
    room = preparing.fits
    for fits, asked in ((lambda *_: False, None), (room, None), (room, True)):
        preparing.fits = fits
        calls.append(0)
        config = InversionConfig(steps=1)
        depthjax.invert(
            layer, variables, layer(variables, images), images, config, spread_weights=asked
        )
    preparing.spread, preparing.fits = spread, room
    return np.array(calls)


def plain(variables, images):
    return LAYER(variables, images)


def memory(spread_weights):
    """Bytes that a device holds for a descent through an MLP."""
    layer, variables, config = perceptron()
    layer, weights = prepare_for_descent(layer, variables, config, spread=spread_weights)
    place = spread if spread_weights else replicate
    analysis = loop(layer, weights, config, place).memory_analysis()
    return analysis.argument_size_in_bytes + analysis.temp_size_in_bytes


def spectrum(mesh, count):
    """What the products at some images tell, in float64."""
    with enable_x64(True):
        layer, variables = network(jnp.float64)
        maps = jacobian.linearize(layer, variables, IMAGES[:count], mesh=mesh)
        top = jacobian.top_singular_values(maps, 3, most=24)
        rule = jacobian.spectral_quadrature(maps, probes=3, steps=6)
        least = jacobian.smallest_nonzero(maps, most=24)
        size = jacobian.moments(maps, jax.random.key(0), probes=6)
        return {
            "top": top.values,
            "directions": abs(top.right),
            "nodes": rule.nodes,
            "weights": rule.weights,
            "floor": rule.floor,
            "least": least.upper,
            "frobenius": size.frobenius.value,
            "participation": size.participation_ratio.value,
            "grid": np.array([] if maps.grid is None else list(maps.grid.shape.values())),
        }


def products(count):
    """The compiled programs of a linearisation and of both products, as text."""
    layer, variables = network(jnp.float32)
    maps = jacobian.linearize(layer, variables, jnp.asarray(IMAGES[:count], jnp.float32))
    place = jax.sharding.NamedSharding(maps.grid, jax.P("probes", "images"))
    for product, size in (
        (linearization._push, maps.shape[1]),
        (linearization._pull, maps.shape[0]),
    ):
        vectors = jax.device_put(jnp.ones((8, count, size), jnp.float32), place)
        yield product.lower(maps, vectors).compile().as_text()


def collectives(config):
    """The compiled loop of eight devices, as text."""
    layer, variables = prepare_for_descent(*network(jnp.float32), config)
    return loop(layer, variables, config).as_text()


def loop(layer, weights, config, place=replicate):
    """Compiled, for eight devices."""
    shared = jax.device_put(jnp.asarray(STARTS[:8], jnp.float32), split_batch(EIGHT))
    target = jax.eval_shape(layer, weights, shared)
    target = jax.device_put(jnp.zeros(target.shape), split_batch(EIGHT))
    ones = jax.device_put(jnp.ones(8), split_batch(EIGHT))
    state = initial_state(config.structure, shared, ones, mesh=EIGHT)
    numbers = numbers_of(config, jnp.float32)
    data = Data(target, shared, ones, numbers)
    arguments = place(weights, EIGHT), data, state, jnp.asarray(3)
    return descend(EIGHT, jnp.float32).lower(layer, config.structure, *arguments).compile()


assert jax.device_count() == 8
found = {}


def keep(case, pair):
    for who, arrays in zip(("one", "eight"), pair, strict=True):
        del arrays["trajectory"], arrays["frames"]
        found.update({f"{case}/{who}/{name}": np.asarray(a) for name, a in arrays.items()})


adam = InversionConfig(steps=25, record_every=4)
with enable_x64(True):
    keep("float64", on_both(jnp.float64, adam))
    keep("scaled", on_both(jnp.float64, InversionConfig.paper(steps=6, step_scale="layer")))
    # Every example stops by itself: some devices are done before the others.
    near = np.geomspace(0.3, 8, 11)
    keep("stopped", on_both(jnp.float64, adam.replace(record_every=1), stop_distance=near))
    # Where all of a device have stopped, its rows are those of the others still.
    keep("plateau", on_both(jnp.float64, adam.replace(steps=60, plateau=0.2, patience=3)))
    restarts = np.stack([STARTS, STARTS[::-1]])
    keep("restarts", on_both(jnp.float64, adam.replace(steps=8), starts=restarts, max_batch=10))
    strays.STRAY = 0.1  # so that all go back to their best image whenever strays are looked for
    soft = InversionConfig.fast(steps=strays.LOOK_EVERY + 2, soft_gates=0.3, record_every=1)
    keep("astray", on_both(jnp.float64, soft))
step = InversionConfig(steps=1, optimizer="sgd", schedule="constant", pixels="none")
keep("float32", on_both(jnp.float32, step))
# Descents of many steps part ways where rounding differs, so it takes many of them to compare.
IMAGES, STARTS = (np.random.default_rng(seed).random((64, 8, 8, 3)) for seed in (2, 3))
keep("long", on_both(jnp.float32, InversionConfig(steps=200, learning_rate=0.05), STARTS))
for count in COUNTS:
    for who, mesh in (("one", ONE), ("eight", EIGHT)):
        arrays = spectrum(mesh, count)
        found.update({f"jacobian{count}/{who}/{name}": a for name, a in arrays.items()})
found.update(elsewhere())
found.update(in_parts())
found.update(measured_in_parts())
found.update(fits_in_parts())
found.update({"spreading": who_spreads(), "memory": np.array([memory(True), memory(False)])})
texts = {"descent": collectives(adam)}
for count in COUNTS:
    texts |= {f"{name}{count}": text for name, text in zip("JT", products(count), strict=True)}
np.savez(sys.argv[1], **found)
lines = {name: text.splitlines() for name, text in texts.items()}
print(json.dumps({name: [line for line in all if " = " in line] for name, all in lines.items()}))
