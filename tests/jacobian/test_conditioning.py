"""The small end of the spectrum, stable rank, convolutions by Fourier, and what is refused."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_spectra import maps_of, with_spectrum

from depthjax.compat import enable_x64
from depthjax.devices import memory as device_memory
from depthjax.jacobian import (
    condition_number,
    conv_singular_values,
    conv_values_exceed,
    count_above,
    dense_jacobian,
    dense_singular_values,
    dot_test,
    krylov,
    linearize,
    moments,
    resolution,
    smallest_nonzero,
    spectral_quadrature,
    stable_rank,
    top_singular_values,
)
from depthjax.ops import linear_map


@given(
    rank=st.integers(1, 10),
    extra=st.integers(0, 6),
    block=st.integers(1, 4),
    seed=st.integers(0, 99),
)
@settings(max_examples=15)
def test_the_least_value_is_never_undercut(rank, extra, block, seed):
    with enable_x64(True):
        values = np.geomspace(1, 1e-3, rank) if rank > 1 else np.ones(1)
        matrix = with_spectrum(values, rank + extra, rank + 2 * extra, seed)
        most = int(np.random.default_rng(seed).integers(2, 40))
        found = smallest_nonzero(maps_of(matrix), block=block, most=most, seed=seed)
    assert found.upper[0] >= values[-1] * (1 - 1e-6)
    assert not found.below_floor[0]
    if found.exact[0]:
        np.testing.assert_allclose(found.upper, values[-1], rtol=1e-6)


def test_an_exhausted_space_is_exact(x64):
    matrix = with_spectrum([3.0, 2.0, 0.5], 12, 20)
    maps = maps_of(matrix)
    found = smallest_nonzero(maps, block=2)
    assert found.exact[0]
    np.testing.assert_allclose(found.upper, 0.5)
    kappa = condition_number(maps, found)
    np.testing.assert_allclose(kappa.on_row_space, 6)
    assert kappa.low[0] == kappa.high[0] == np.inf  # 12 outputs cannot tell 20 inputs


def test_of_a_square_map_the_condition_number_is_an_interval(x64):
    values = np.geomspace(1, 1e-3, 60)
    maps = maps_of(with_spectrum(values, 60, 60), count=2)
    few = condition_number(maps, smallest_nonzero(maps, most=16))
    assert (few.low > 1).all() and (few.low <= 1000 * (1 + 1e-9)).all() and np.isinf(few.high).all()
    found = smallest_nonzero(maps, most=70)
    kappa = condition_number(maps, found)
    assert (kappa.low <= 1000 * (1 + 1e-9)).all() and (kappa.low > 999).all()


def test_what_rounding_made_is_below_the_floor():
    values = np.array([1.0, 0.1, 1e-9])
    maps = maps_of(with_spectrum(values, 9, 9), np.float32)
    found = smallest_nonzero(maps, block=3)
    assert found.rank[0] == 2 and found.exact[0]
    np.testing.assert_allclose(found.upper, 0.1, rtol=1e-5)
    kappa = condition_number(maps, found)
    np.testing.assert_allclose(kappa.low, 1 / resolution(maps), rtol=1e-3)
    np.testing.assert_allclose(kappa.on_row_space, 10, rtol=1e-5)
    assert np.isinf(kappa.high).all()
    counts = count_above(spectral_quadrature(maps, steps=5), [[0.5, 1e-2, 1e-8]])
    np.testing.assert_array_equal(counts.below_floor, [[False, False, True]])


ORTHOGONAL = np.linalg.qr(np.random.default_rng(0).normal(size=(48, 48)))[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("matrix", "kappa"),
    [
        (np.eye(48), 1),
        (ORTHOGONAL, 1),
        (np.repeat([2.0, 1.0], 24)[:, None] * ORTHOGONAL, 2),
        (np.concatenate([ORTHOGONAL, ORTHOGONAL]), 1),
    ],
    ids=["identity", "orthogonal", "two values", "tall"],
)
def test_repeated_values_are_no_null_space(x64, matrix, kappa, dtype):
    """A Krylov space of blocks of 4 holds only 4 vectors of each value."""
    maps = maps_of(matrix, dtype, count=2)
    found = smallest_nonzero(maps)
    np.testing.assert_array_equal(found.rank, 48)
    assert found.exact.all()
    interval = condition_number(maps, found)
    for end in (interval.low, interval.high, *interval.on_row_space):
        np.testing.assert_allclose(end, kappa, rtol=1e-5)


def test_repeated_values_of_large_maps_leave_the_condition_number_open():
    """What a few products have not seen may be a null space; nothing says that it is one."""

    def space_to_depth(_, x):
        b, h, w, c = x.shape
        return x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, -1)

    maps = linearize(space_to_depth, {}, np.zeros((1, 16, 16, 3), np.float32))
    found = smallest_nonzero(maps)
    assert found.rank[0] == -1 and found.exact[0]
    kappa = condition_number(maps, found)
    np.testing.assert_allclose([kappa.low, *kappa.on_row_space], 1, rtol=1e-5)
    assert np.isinf(kappa.high[0])


@given(
    values=st.lists(st.sampled_from([1.0, 0.5, 0.1, 1e-2, 1e-3]), min_size=1, max_size=24),
    shape=st.sampled_from([(24, 24), (40, 24), (16, 24)]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_the_interval_holds_the_condition_number_of_repeated_values(values, shape, dtype, seed):
    values = values[: min(shape)]
    with enable_x64(True):
        maps = maps_of(with_spectrum(values, *shape, seed), dtype)
        found = smallest_nonzero(maps, seed=seed)
    assert found.rank[0] in (-1, len(values))
    kappa = condition_number(maps, found)
    of_rows = max(values) / min(values)
    whole = of_rows if len(values) == shape[1] else np.inf
    for (low, high), true in (((kappa.low, kappa.high), whole), (kappa.on_row_space, of_rows)):
        assert low[0] <= true * 1.001 and true <= high[0] * 1.001


@pytest.mark.parametrize(("rank", "products"), [(12, 16), (10, 20)])
def test_of_distinct_values_nothing_random_is_added(x64, monkeypatch, rank, products):
    """Of full rank nothing is searched for; of a lower one, by one block that finds nothing."""
    drawn = []

    def outside(size, basis, random, real=krylov._random_outside):
        drawn.append(size)
        return real(size, basis, random)

    monkeypatch.setattr(krylov, "_random_outside", outside)
    found = smallest_nonzero(maps_of(with_spectrum(np.linspace(1, 0.5, rank), 12, 12)))
    assert found.rank[0] == rank and found.products == products
    assert bool(drawn) == (rank < 12)
    np.testing.assert_allclose(found.upper, 0.5, rtol=1e-9)


def test_a_zero_jacobian_has_no_least_value(x64):
    with pytest.raises(ValueError, match="a Jacobian is 0"):
        smallest_nonzero(maps_of(np.zeros((4, 5))))
    with pytest.raises(ValueError, match="not defined"):
        stable_rank(moments(maps_of(np.zeros((4, 5))), jax.random.key(0)), np.zeros(1))


def test_stable_rank(x64):
    values = np.array([2.0, 1.0, 1.0])
    maps = maps_of(with_spectrum(values, 9, 8))
    size = moments(maps, jax.random.key(0), probes=200)
    found = stable_rank(size, top_singular_values(maps, 1).values[:, 0])
    assert abs(found.value[0] - 1.5) < 4 * found.error[0] + 1e-9


class WrongTranspose:
    """Three times x there, and twice back."""

    def forward(self, a, x):
        return 3 * x

    def transpose(self, a, y):
        return 2 * y


def circular(kernel, size, stride, groups=1):
    height, width = kernel.shape[:2]

    def layer(weights, x):
        padded = jnp.pad(x, ((0, 0), (0, height - 1), (0, width - 1), (0, 0)), mode="wrap")
        return jax.lax.conv_general_dilated(
            padded,
            weights,
            (stride, stride),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )

    return dense_singular_values(layer, kernel, np.zeros((1, *size, kernel.shape[2] * groups)))[0]


@pytest.mark.parametrize(
    ("shape", "size", "stride", "groups"),
    [
        ((3, 3, 2, 3), (6, 4), 1, 1),
        ((3, 3, 2, 3), (6, 4), 2, 1),
        ((2, 3, 3, 2), (6, 9), 3, 1),
        ((1, 1, 2, 2), (4, 4), 2, 1),
        ((3, 3, 1, 4), (4, 4), 1, 2),
    ],
)
def test_fourier_is_dense(shape, size, stride, groups):
    kernel = np.random.default_rng(0).normal(size=shape)
    found = conv_singular_values(kernel, size, stride=stride, groups=groups)
    exact = circular(kernel, size, stride, groups)
    assert found.shape == exact.shape
    assert np.abs(found - exact).max() <= 1e-12 * exact[0]


def test_repeated_values_of_a_convolution_are_all_found(x64):
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 2))

    def layer(weights, x):
        padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="wrap")
        return nn.Conv(2, (3, 3), padding="VALID", use_bias=False).apply(
            {"params": {"kernel": weights}}, padded
        )

    maps = linearize(layer, jnp.asarray(kernel), np.zeros((1, 16, 16, 2)))
    exact = conv_singular_values(kernel, (16, 16))
    assert np.isclose(exact[0:10:2], exact[1:10:2], rtol=1e-12).all()
    top = top_singular_values(maps, 10, block=4, most=240)
    np.testing.assert_allclose(top.values[0], exact[:10], rtol=1e-10)


@pytest.mark.parametrize(
    ("kernel", "settings", "message"),
    [
        (np.ones((3, 3, 2)), {}, r"\[height, width, inputs, outputs\], got \(3, 3, 2\)"),
        (np.full((1, 1, 1, 1), np.nan), {}, "NaN"),
        (np.ones((3, 3, 2, 2)), {"stride": 3}, "a stride of 3 does not divide 8×8"),
        (np.ones((3, 3, 2, 2)), {"groups": 3}, "3 groups do not divide 2"),
    ],
)
def test_kernels_without_a_spectrum(kernel, settings, message):
    with pytest.raises(ValueError, match=message):
        conv_singular_values(kernel, (8, 8), **settings)


@pytest.mark.parametrize(
    ("shape", "size", "strides", "padding"),
    [
        ((3, 3, 2, 9), (7, 6), (1, 1), ((1, 1), (1, 1))),
        ((7, 7, 1, 8), (12, 10), (2, 2), ((3, 3), (3, 3))),
        ((1, 1, 2, 3), (4, 4), (1, 1), ((0, 0), (0, 0))),
        ((2, 3, 2, 15), (9, 7), (2, 1), ((1, 0), (1, 2))),
        ((4, 4, 1, 3), (9, 9), (2, 2), ((-1, 0), (0, 3))),  # pixels that no window covers
        ((3, 3, 2, 1), (6, 6), (1, 1), ((1, 1), (1, 1))),  # fewer outputs than inputs
    ],
)
def test_the_least_singular_value_of_a_convolution_is_bounded_from_below(
    x64, shape, size, strides, padding
):
    kernel = np.random.default_rng(0).normal(size=shape)

    def convolution(x):
        layout = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x[None], jnp.asarray(kernel), strides, padding,
                                         dimension_numbers=layout)  # fmt: skip
        return y.ravel()

    n = size[0] * size[1] * shape[2]
    dense = np.asarray(jax.jacobian(convolution)(jnp.zeros((*size, shape[2])))).reshape(-1, n)
    least = np.linalg.svd(dense, compute_uv=False)[-1] if len(dense) >= n else 0

    def exceeds(bound):
        return conv_values_exceed(kernel, size, bound, strides=strides, padding=padding)

    if least > 1e-12:
        assert exceeds(0.5 * least) and exceeds(0.999 * least)
        assert not exceeds(1.001 * least)
    else:
        assert not exceeds(1e-6)


def test_rounding_proves_nothing(monkeypatch):
    """Of two channels that are the same only the sum is seen: no bound is exceeded."""
    kernel = np.random.default_rng(0).normal(size=(3, 3, 1, 9)).repeat(2, axis=2)
    for bound in (1e-3, 1e-6, 1e-9):
        assert not conv_values_exceed(kernel, (6, 6), bound, padding=((1, 1), (1, 1)))
    monkeypatch.setattr("depthjax.devices.memory.free_memory", lambda: 1000)
    with pytest.raises(ValueError, match="are free: take smaller images"):
        conv_values_exceed(kernel, (6, 6), 1.0)


def test_a_bound_that_is_none_is_refused():
    with pytest.raises(ValueError, match="a bound above 0 are needed"):
        conv_values_exceed(np.ones((1, 1, 1, 1)), (2, 2), 0.0)
    with pytest.raises(ValueError, match=r"got \(3, 3\)"):
        conv_values_exceed(np.ones((3, 3)), (2, 2), 1.0)


def test_the_dot_test_tells_transposes_that_are_none():
    maps = maps_of(np.random.default_rng(0).normal(size=(5, 7)), np.float32, count=3)
    assert (dot_test(maps, jax.random.key(0)) < 1e-5).all()

    def layer(_, x):
        return linear_map.apply(WrongTranspose(), jnp.ones(()), x.reshape(len(x), -1))

    wrong = linearize(layer, {}, np.ones((1, 2, 2, 1), np.float32))
    assert (dot_test(wrong, jax.random.key(0)) > 1e-2).all()


def test_a_layer_that_images_do_not_reach():
    with pytest.raises(ValueError, match=r"layer 'constant' does not depend on the image"):

        def constant(weights, x):
            return weights[None] + 0 * jax.lax.stop_gradient(x[:, 0, 0])

        linearize(constant, jnp.ones(3), np.zeros((1, 2, 2, 3), np.float32))


def test_memory_is_asked_for_first(monkeypatch):
    maps = maps_of(np.ones((50, 60)), np.float32, count=2)
    monkeypatch.setattr(device_memory, "free_memory", lambda: 1000)
    for ask, advice in (
        (lambda: dense_jacobian(maps), "one image at a time.*top_singular_values"),
        (lambda: top_singular_values(maps, 3), "fewer products than most=160"),
        (lambda: spectral_quadrature(maps), "fewer probes than 8"),
        (lambda: smallest_nonzero(maps), "fewer products than most=80"),
        (lambda: maps_of(np.ones((50, 60)), np.float32), "fewer images at once"),
    ):
        with pytest.raises(
            ValueError, match=f"takes .* GiB, but .* are free: .*{advice}"
        ) as caught:
            ask()
        assert "\n" not in str(caught.value)
