"""Jacobians: products are adjoint, and every number agrees with the dense one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_spectra import maps_of, with_spectrum

import depthjax
from depthjax.compat import enable_x64
from depthjax.jacobian import (
    count_above,
    dense,
    dense_jacobian,
    dense_singular_values,
    linearization,
    linearize,
    moments,
    spectral_quadrature,
    top_singular_values,
)
from depthjax.jacobian.linearization import pull
from depthjax.jacobian.quadrature import bracket_above

MODEL = depthjax.build_model("resnet18_small", width=4, stage_sizes=(1, 1), num_classes=3)
LAYER = depthjax.Layer(MODEL, "layer2")


def network(dtype="float32"):
    variables = depthjax.init_variables(MODEL, jax.random.key(0), 8)
    return jax.tree.map(lambda leaf: leaf.astype(dtype), variables)


def images(count=2, size=8, dtype="float32"):
    return np.random.default_rng(0).uniform(size=(count, size, size, 3)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_adjoint_and_those_of_the_layer(x64, dtype):
    variables, x = network(dtype), images(dtype=dtype)
    maps = linearize(LAYER, variables, x)
    m, n = maps.shape
    random = np.random.default_rng(1)
    v, u = (jnp.asarray(random.normal(size=(2, k)), dtype) for k in (n, m))
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    forward, back = maps.jvp(v), maps.vjp(u)
    np.testing.assert_allclose((u * forward).sum(1), (back * v).sum(1), rtol=tolerance)
    _, expected = jax.jvp(lambda x: LAYER(variables, x), (jnp.asarray(x),), (v.reshape(x.shape),))
    np.testing.assert_allclose(forward, expected.reshape(2, -1), rtol=0, atol=10 * tolerance)
    assert forward.dtype == back.dtype == dtype


@pytest.mark.parametrize("dtypes", [("bfloat16", "float32"), ("float32", "float64")])
def test_an_embedding_of_another_dtype_is_linearised_in_that_of_the_images(x64, dtypes):
    inner, outer = dtypes
    matrix = np.random.default_rng(0).normal(size=(12, 5))

    def layer(variables, x):
        return x.reshape(len(x), -1).astype(inner) @ variables.astype(inner)

    x = jnp.ones((1, 2, 2, 3), outer)
    values = top_singular_values(linearize(layer, jnp.asarray(matrix), x), 2).values
    expected = np.linalg.svd(matrix, compute_uv=False)[:2]
    np.testing.assert_allclose(values[0], expected, rtol=0.02 if inner == "bfloat16" else 1e-6)
    dense = dense_jacobian(linearize(layer, jnp.asarray(matrix), x))
    np.testing.assert_allclose(dense.reshape(5, 12), matrix.T, rtol=0.02, atol=0.01)


def test_each_block_is_decomposed_once(x64, monkeypatch):
    calls = []

    def svd(*given, real=np.linalg.svd, **settings):
        calls.append(given)
        return real(*given, **settings)

    maps = maps_of(with_spectrum(np.geomspace(1, 0.1, 40), 40, 40))
    monkeypatch.setattr(np.linalg, "svd", svd)
    top = top_singular_values(maps, 3)
    assert top.converged.all()
    np.testing.assert_allclose(top.values[0], np.geomspace(1, 0.1, 40)[:3], rtol=1e-9)
    assert len(calls) == 1 + top.products // 4  # one of the start


def test_the_map_is_a_pytree_that_passes_through_jit():
    maps = linearize(LAYER, network(), images())
    v = jnp.ones((2, maps.shape[1]))
    np.testing.assert_array_equal(jax.jit(lambda maps, v: maps.jvp(v))(maps, v), maps.jvp(v))
    assert jax.tree.leaves(maps)


def test_other_images_and_weights_compile_nothing_again():
    linearize(LAYER, network(), images())
    before = linearization._linearized._cache_size()
    other = jax.tree.map(lambda leaf: 2 * leaf, network())
    linearize(LAYER, other, images() / 2)
    assert linearization._linearized._cache_size() == before


def test_dense_is_jacrev(x64, monkeypatch):
    monkeypatch.setattr(dense, "BLOCK", 7)  # the last block is a part of one
    variables, x = network("float64"), images(dtype="float64")
    maps = linearize(LAYER, variables, x)
    for number in range(2):
        one = jnp.asarray(x[number])
        expected = jax.jacrev(lambda x: LAYER(variables, x[None])[0].ravel())(one)
        found = dense_jacobian(maps)[number]
        np.testing.assert_allclose(found, expected.reshape(found.shape), atol=1e-12)


def test_a_small_matrix_takes_no_more_products_than_it_has_rows(monkeypatch):
    given = []
    monkeypatch.setattr(dense, "pull", lambda maps, u: given.append(len(u)) or pull(maps, u))
    matrix = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(dense_jacobian(maps_of(matrix))[0], matrix)
    assert given == [3]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_pixels_of_two_bytes_are_widened_before_anything_is_computed(dtype):
    x = jnp.asarray(images(), dtype)
    wide, narrow = (linearize(LAYER, network(), given) for given in (x.astype("float32"), x))
    assert narrow.dtype == "float32"
    v = jnp.ones((2, wide.shape[1]))
    np.testing.assert_array_equal(narrow.jvp(v), wide.jvp(v))
    values = dense_singular_values(LAYER, network(), x)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, dense_singular_values(LAYER, network(), np.float32(x)))


def test_dense_values_are_float64_whatever_comes_in():
    values = dense_singular_values(LAYER, network(), images())
    assert values.shape == (2, 128) and values.dtype == np.float64
    with enable_x64(True):
        exact = dense_singular_values(LAYER, network("float64"), images(dtype="float64"))
    np.testing.assert_allclose(values, exact, rtol=1e-12)


def test_complex_weights_are_of_128_bits():
    def filtered(w, x):
        return jnp.fft.ifft(jnp.fft.fft(x, axis=1) * w, axis=1).real

    w = np.random.default_rng(0).normal(size=(1, 4, 1, 1)).astype(np.complex64)
    found = depthjax.jacobian.exact_jacobian(filtered, w, np.zeros((1, 4, 2, 1)))[0]
    with enable_x64(True):
        expected = jax.jacrev(lambda x: filtered(np.complex128(w), x))(jnp.zeros((1, 4, 2, 1)))
    np.testing.assert_allclose(found, np.reshape(expected, (8, 8)), rtol=0, atol=1e-15)


@pytest.mark.parametrize(("dtype", "error"), [("float32", 2e-6), ("float64", 1e-10)])
@pytest.mark.parametrize("layer", ["layer1", "layer2"])
def test_top_values_of_a_network(x64, layer, dtype, error):
    here = depthjax.Layer(MODEL, layer)
    exact = dense_singular_values(here, network(), images())
    maps = linearize(here, network(dtype), images(dtype=dtype))
    top = top_singular_values(maps, 10, most=80)
    assert top.products <= 80
    np.testing.assert_allclose(top.values, exact[:, :10], rtol=error)
    # Every residual bounds the distance to a singular value.
    distance = np.abs(top.values[:, :, None] - exact[:, None, :]).min(-1)
    assert (distance <= top.residual + 30 * np.finfo(dtype).eps * exact[:, :1]).all()


@given(m=st.integers(1, 20), n=st.integers(1, 20), block=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=10)
def test_vectors_are_singular_vectors(m, n, block, seed):
    with enable_x64(True):
        random = np.random.default_rng(1000 + seed)  # not the numbers that it starts from
        matrix = random.normal(size=(m, n))
        k = int(random.integers(1, min(m, n) + 1))
        top = top_singular_values(maps_of(matrix), k, block=block, seed=seed)
    u, s, v = top.left[0], top.values[0], top.right[0]
    np.testing.assert_allclose(s, np.linalg.svd(matrix)[1][:k], atol=1e-9)
    np.testing.assert_allclose(matrix @ v.T, u.T * s, atol=1e-9)
    np.testing.assert_allclose(v @ v.T, np.eye(k), atol=1e-9)
    np.testing.assert_allclose(u @ u.T, np.eye(k), atol=1e-9)
    assert top.converged.all()


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (np.eye(12), [1.0] * 6),
        (np.zeros((12, 9)), [0.0] * 6),
        (np.diag([1.0] * 5 + [0.0] * 7), [1.0] * 5 + [0.0]),
        (with_spectrum([3, 3, 3, 3, 2, 2, 1, 0.5], 15, 11), [3, 3, 3, 3, 2, 2]),
    ],
    ids=["identity", "zero", "projection", "repeated"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exact_breakdown_and_repeated_values(x64, matrix, expected, dtype):
    top = top_singular_values(maps_of(matrix, dtype), 6)
    np.testing.assert_allclose(top.values[0], expected, atol=20 * np.finfo(dtype).eps)
    np.testing.assert_allclose(top.right[0] @ top.right[0].T, np.eye(6), atol=1e-6)


def test_images_are_solved_each_for_itself(x64):
    x = images(3, dtype="float64")
    variables = network("float64")
    together = top_singular_values(linearize(LAYER, variables, x), 5, most=100)
    for number in range(3):
        alone = top_singular_values(linearize(LAYER, variables, x[number]), 5, most=100)
        np.testing.assert_allclose(together.values[number], alone.values[0], rtol=1e-9)


@pytest.mark.parametrize("steps", [3, 8, 20])
def test_counts_lie_within_their_brackets(x64, steps):
    values = np.concatenate([np.geomspace(3, 1e-4, 18), [0.0] * 4])
    matrix = with_spectrum(values, 30, 25)
    found = spectral_quadrature(maps_of(matrix, count=2), probes=6, steps=steps, seed=3)
    np.testing.assert_allclose(found.weights.sum(2), 25)
    thresholds = np.geomspace(1e-5, 5, 40)
    low, high = bracket_above(found, thresholds)
    # The probes again, and what they see of the exact spectrum.
    z = np.random.default_rng(3).choice([-1.0, 1.0], size=(6, 2, 1, 25))[:, :, 0]
    _, s, v = np.linalg.svd(matrix)
    seen = np.square(z @ v.T)[..., : len(s)]
    exact = (seen[..., None] * (s[:, None] > thresholds)).sum(2).swapaxes(0, 1)
    assert (low <= exact + 1e-8).all() and (exact <= high + 1e-8).all()
    assert (high - low).max() <= 25 + 1e-9
    counts = count_above(found, thresholds)
    assert (counts.low <= counts.high).all() and (np.diff(counts.high) <= 1e-9).all()


def test_below_the_floor_it_counts_what_can_be_told_from_0():
    values = np.concatenate([np.geomspace(3, 0.1, 10), np.zeros(90)])
    found = spectral_quadrature(
        maps_of(with_spectrum(values, 100, 100), np.float32), probes=4, steps=40
    )
    counts = count_above(found, [1e-9, 1e-3])
    assert counts.below_floor.tolist() == [[True, False]]
    assert counts.low[0, 0] == counts.low[0, 1] <= 10
    assert counts.high[0, 0] == counts.high[0, 1]


def test_all_steps_count_exactly_in_the_mean(x64):
    values = np.geomspace(3, 1e-2, 9)
    maps = maps_of(with_spectrum(values, 12, 9))
    found = spectral_quadrature(maps, probes=40, steps=9)
    counts = count_above(found, [0.1])
    exact = (values > 0.1).sum()
    assert abs((counts.low + counts.high)[0, 0] / 2 - exact) < 4 * counts.error[0, 0] + 1.5


def test_quadrature_of_what_is_exhausted_at_once(x64):
    found = spectral_quadrature(maps_of(np.eye(6)), probes=2, steps=4)
    np.testing.assert_allclose(found.weights.max(2), 6)
    with pytest.raises(ValueError, match="1 to 6 steps"):
        spectral_quadrature(maps_of(np.eye(6)), steps=7)


def test_moments_lie_within_their_errors(x64):
    values = np.geomspace(1, 1e-3, 30)
    maps = maps_of(with_spectrum(values, 40, 50), count=2)
    found = moments(maps, jax.random.key(0), probes=200)
    truth = {
        "frobenius": (values**2).sum(),
        "gram": (values**4).sum(),
        "participation_ratio": (values**2).sum() ** 2 / (values**4).sum(),
    }
    for name, exact in truth.items():
        value, error = getattr(found, name)
        assert (np.abs(value - exact) < 4 * error).all(), name
        assert (error < 0.2 * exact).all(), name


def test_moments_of_the_identity_are_exact(x64):
    found = moments(maps_of(np.eye(7)), jax.random.key(0), probes=5)
    np.testing.assert_allclose([m.value[0] for m in found], 7)
    np.testing.assert_allclose([m.error[0] for m in found], 0, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), "must be floats .* got uint8.*divide 8-bit"),
        (np.zeros((8, 8), np.float32), "must be floats"),
        (np.full((1, 8, 8, 3), np.nan, np.float32), "NaN or infinite"),
    ],
)
def test_images_that_have_no_jacobian(x, message):
    with pytest.raises(ValueError, match=message) as caught:
        linearize(LAYER, network(), x)
    assert "\n" not in str(caught.value)


@jax.custom_vjp
def backwards(images):
    return jnp.round(8 * images) / 8


backwards.defvjp(lambda images: (backwards(images), None), lambda _, cotangent: (cotangent,))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda _, x: 1j * x, "the output is complex64; an embedding is real floats"),
        (lambda _, x: (x, x), "it returns a tuple; return one array"),
        (lambda _, x: x.argmax(-1), "the output is int32"),
        (lambda _, x: backwards(x), "goes back alone .*write it as jax.custom_jvp"),
        (jax.jit(lambda _, x: backwards(x)), "goes back alone"),
    ],
)
def test_layers_that_have_no_jacobian(layer, message):
    with pytest.raises(ValueError, match=message) as caught:
        linearize(layer, {}, np.full((1, 4, 4, 3), 0.3, np.float32))
    assert "\n" not in str(caught.value)


def test_more_than_there_is():
    maps = maps_of(np.ones((3, 5)), np.float32)
    with pytest.raises(ValueError, match="3×5 has 3 singular values, 4 were asked for"):
        top_singular_values(maps, 4)
    with pytest.raises(ValueError, match="allow 5 or more"):
        top_singular_values(maps_of(np.ones((30, 50)), np.float32), 1, most=2)
    with pytest.raises(ValueError, match="1 probe has no standard error"):
        moments(maps, jax.random.key(0), probes=1)
