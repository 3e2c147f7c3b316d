"""The Jacobian of a layer at an image: products with it, and what its singular values are.

A layer is locally the linear map `J = ∂O_l/∂a`. Directions that J does not stretch are directions
that the embedding does not tell (arXiv 2211.06496 argues so in words). J itself is far too large to
write down; all but `dense_singular_values` need products `J v` and `Jᵀ u` alone.

    maps = linearize(layer, variables, images)          # the forward pass is done here, once
    top = top_singular_values(maps, k=10)
    size = moments(maps, jax.random.key(0))
"""

import dataclasses
import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from depthjax.precision import matmul_precision
from depthjax.typing import LayerFn, Variables


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LinearMap:
    """The Jacobians of a layer at B images, as one block-diagonal map. A pytree: `jit` takes it.

    Fields:
        pushforward: the linearised layer, `[B, H, W, C]` -> `[B, …]`, with all that it keeps.
        input_shape: `(H, W, C)`; n is their product.
        output_shape: of one embedding; m is its size.
        images: B.
        dtype: of the products.
    """

    pushforward: Any
    input_shape: tuple[int, ...] = dataclasses.field(metadata={"static": True})
    output_shape: tuple[int, ...] = dataclasses.field(metadata={"static": True})
    images: int = dataclasses.field(metadata={"static": True})
    dtype: str = dataclasses.field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n), of each image's Jacobian."""
        return math.prod(self.output_shape), math.prod(self.input_shape)

    def jvp(self, v: Float[Array, "images n"]) -> Float[Array, "images m"]:
        """`J v`, image by image."""
        with matmul_precision():
            pushed = self.pushforward(v.reshape(self.images, *self.input_shape))
        return pushed.reshape(self.images, -1)

    def vjp(self, u: Float[Array, "images m"]) -> Float[Array, "images n"]:
        """`Jᵀ u`, image by image."""
        like = jax.ShapeDtypeStruct((self.images, *self.input_shape), self.dtype)
        with matmul_precision():
            pull = jax.linear_transpose(self.pushforward, like)
            (pulled,) = pull(u.reshape(self.images, *self.output_shape))
        return pulled.reshape(self.images, -1)


def linearize(layer: LayerFn, variables: Variables, images: ArrayLike) -> LinearMap:
    """The Jacobians of a layer at some images; the forward pass is done once, here.

    Args:
        layer, variables: see `depthjax.typing.LayerFn`; examples of a batch must be independent.
        images: `[B, H, W, C]`, or one `[H, W, C]`; floats, and not necessarily images: whatever
            the layer takes.

    Raises:
        ValueError: for images that are not finite floats of three or four axes.
    """
    x = jnp.asarray(images)
    x = x[None] if x.ndim == 3 else x
    if x.ndim != 4 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"images must be floats [batch, height, width, channels], got {x.dtype} {x.shape};"
            " divide 8-bit pixels by 255"
        )
    if not np.isfinite(np.asarray(x)).all():
        raise ValueError("images hold NaN or infinite pixels; there is no derivative there")
    prepare = getattr(layer, "prepare", None)
    fast, weights = prepare(variables) if prepare else (layer, variables)
    embedding, pushforward = _linearized(fast, weights, x)
    return LinearMap(
        pushforward, x.shape[1:], embedding.shape[1:], x.shape[0], str(embedding.dtype)
    )


@partial(jax.jit, static_argnums=0)
def _linearized(layer: LayerFn, variables: Variables, images: Array) -> tuple[Any, Any]:
    with matmul_precision():
        return jax.linearize(partial(layer, variables), images)


@jax.jit
def _push(maps: LinearMap, v: Float[Array, "block images n"]) -> Float[Array, "block images m"]:
    return jax.vmap(maps.jvp)(v)


@jax.jit
def _pull(maps: LinearMap, u: Float[Array, "block images m"]) -> Float[Array, "block images n"]:
    return jax.vmap(maps.vjp)(u)


def dense_jacobian(maps: LinearMap, *, block: int = 64) -> Float[np.ndarray, "images m n"]:
    """All of J, by products with unit vectors on its smaller side; for small inputs.

    Args:
        maps: from `linearize`.
        block: products at once.
    """
    m, n = maps.shape
    rows = m <= n
    size = m if rows else n
    found = []
    for first in range(0, size, block):
        units = np.zeros((block, maps.images, size), maps.dtype)
        here = np.arange(first, min(first + block, size))
        units[here - first, :, here] = 1
        product = (_pull if rows else _push)(maps, jnp.asarray(units))
        found.append(np.asarray(product)[: len(here)])
    stacked = np.concatenate(found).swapaxes(0, 1)  # [images, smaller, larger]
    return stacked if rows else stacked.swapaxes(1, 2)


def exact_jacobian(
    layer: LayerFn, variables: Variables, images: ArrayLike, *, block: int = 64
) -> Float[np.ndarray, "images m n"]:
    """All of J in float64 throughout; for small inputs.

    Args:
        layer, variables, images: as in `linearize`; made float64 here, whatever they are.
        block: products at once.

    Raises:
        ValueError: as `linearize`.
    """
    with jax.enable_x64(True):
        exact = jax.tree.map(_as_float64, variables)
        maps = linearize(layer, exact, np.asarray(images, np.float64))
        return dense_jacobian(maps, block=block)


def dense_singular_values(
    layer: LayerFn, variables: Variables, images: ArrayLike, *, block: int = 64
) -> Float[np.ndarray, "images r"]:
    """All singular values, in float64 throughout, in falling order; for small inputs.

    Args:
        layer, variables, images, block: as in `exact_jacobian`.

    Returns:
        `[B, min(m, n)]`.

    Raises:
        ValueError: as `linearize`.
    """
    jacobian = exact_jacobian(layer, variables, images, block=block)
    return np.stack([_singular_values(matrix) for matrix in jacobian])


def _as_float64(leaf: Any) -> Any:
    array = jnp.asarray(leaf)
    return array.astype(jnp.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _singular_values(matrix: np.ndarray) -> np.ndarray:
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    if tall.shape[0] > 2 * tall.shape[1]:  # the small factor has the same ones
        tall = np.asarray(np.linalg.qr(tall, mode="r"))
    return np.linalg.svd(tall, compute_uv=False)


class TopSingular(NamedTuple):
    """The largest singular values of each image's Jacobian, with their vectors.

    Fields:
        values: in falling order, `[B, k]`.
        left, right: unit vectors `u` and `v`, `[B, k, m]` and `[B, k, n]`, with `J v = σ u`.
        residual: `‖Jᵀ u − σ v‖`, `[B, k]`: a singular value lies within that of σ. It does not
            tell whether one that is repeated was found as often as it is there.
        converged: whether the residual is within the tolerance, `[B, k]`.
        products: pairs of `J v` and `Jᵀ u` for each image.
    """

    values: Float[np.ndarray, "images k"]
    left: Float[np.ndarray, "images k m"]
    right: Float[np.ndarray, "images k n"]
    residual: Float[np.ndarray, "images k"]
    converged: np.ndarray
    products: int


def top_singular_values(
    maps: LinearMap,
    k: int = 10,
    *,
    block: int = 4,
    most: int = 80,
    tolerance: float | None = None,
    seed: int = 0,
) -> TopSingular:
    """The k largest singular values by block Golub–Kahan with full reorthogonalisation.

    Products are made on the device for all images at once, bases are kept orthonormal in float64 on
    the host, on both sides. A block of b finds singular values that are repeated up to b times.
    Where a Krylov space is exhausted (identity, projection, zero), it goes on from random vectors.
    Golub, Luk & Overton (1981), "A block Lanczos method for computing the singular values and
    corresponding singular vectors of a matrix".

    Args:
        maps: from `linearize`.
        k: how many.
        block: b, vectors at once.
        most: pairs of products after which it ends, converged or not.
        tolerance: of the residual, relative to the largest singular value; by default what the
            dtype of the products can resolve.
        seed: of the directions that it starts from.

    Raises:
        ValueError: for more singular values than there are, or than `most` products can give.
    """
    m, n = maps.shape
    if not 1 <= k <= min(m, n):
        raise ValueError(
            f"a Jacobian of {m}×{n} has {min(m, n)} singular values, {k} were asked for"
        )
    block = min(block, m, n)
    if most < k + block:
        raise ValueError(
            f"{most} products cannot give {k} singular values in blocks of {block}; allow"
            f" {k + block} or more"
        )
    epsilon = float(np.finfo(maps.dtype).eps)
    tolerance = 30 * epsilon if tolerance is None else tolerance
    random = np.random.default_rng(seed)
    starts = random.standard_normal((maps.images, block, n))
    spaces = [_Krylov(start, random, epsilon) for start in starts]
    products = 0
    while True:
        _extend(maps, [spaces])
        products += block
        full = products >= min(m, n)
        if products >= k:
            ended = full or products + block > most
            residuals = np.stack([space.residuals(k) for space in spaces])
            largest = np.array([max(space.values(1)[0], 1e-300) for space in spaces])
            converged = residuals <= tolerance * largest[:, None]
            if ended or converged.all():
                break
    values = np.stack([space.values(k) for space in spaces])
    left, right = (np.stack(side) for side in zip(*(s.vectors(k) for s in spaces), strict=True))
    return TopSingular(values, left, right, residuals, converged, products)


def _extend(maps: LinearMap, groups: list[list["_Krylov"]]) -> None:
    """A block more on either side, for several spaces of each image at once."""
    for side, product, add in (("right", _push, "add_left"), ("left", _pull, "add_right")):
        blocks = [np.stack([getattr(s, side)[-1] for s in group], 1) for group in groups]
        vectors = np.concatenate(blocks)  # [groups · block, images, …]
        made = np.asarray(product(maps, jnp.asarray(vectors, maps.dtype)), np.float64)
        for group, part in zip(groups, np.split(made, len(groups)), strict=True):
            for number, space in enumerate(group):
                getattr(space, add)(part[:, number])


class _Krylov:
    """Orthonormal bases U and V with `J V = U B`, and `Jᵀ U = V Bᵀ` but for the last block."""

    def __init__(self, start: np.ndarray, random: Any, epsilon: float) -> None:
        self._random, self._epsilon = random, epsilon
        self.left: list[np.ndarray] = []  # blocks of rows [block, m]
        self.right = [_orthonormal(start)]
        self._projected: list[np.ndarray] = []  # columns of B, as [block, rows so far]
        self._next = np.zeros((len(start), len(start)))
        self._scale = 0.0

    def add_left(self, products: np.ndarray) -> None:
        """Takes `J v` of the last right block."""
        self._scale = max(self._scale, float(np.linalg.norm(products, axis=1).max()))
        basis, coefficients, rest = self._extended(self.left, products)
        self.left.append(basis)
        self._projected.append(np.concatenate([coefficients, rest], 1))

    def add_right(self, products: np.ndarray) -> None:
        """Takes `Jᵀ u` of the last left block."""
        basis, _, self._next = self._extended(self.right, products)
        self.right.append(basis)

    def _extended(
        self, basis: list[np.ndarray], vectors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """An orthonormal block for what the basis does not hold of some vectors.

        Returns that block, and the vectors' coefficients on the basis and on the block.
        """
        size = vectors.shape[1]
        old = np.concatenate(basis) if basis else np.zeros((0, size))
        coefficients = np.zeros((len(vectors), len(old)))
        for _ in range(2):  # once leaves what rounding makes of large coefficients
            part = vectors @ old.T
            coefficients += part
            vectors = vectors - part @ old
        new = np.zeros((0, size))
        rest = np.zeros((len(vectors), len(vectors)))
        for row, vector in enumerate(vectors):
            for _ in range(2):
                part = vector @ new.T
                rest[row, : len(new)] += part
                vector = vector - part @ new
            length = float(np.linalg.norm(vector))
            every = np.concatenate([old, new])
            vector = _unit_outside(vector, every) if length > self._epsilon * self._scale else None
            if vector is None:
                vector = self._outside(every)
            else:
                rest[row, len(new)] = length
            new = np.concatenate([new, vector[None]])
        return new, coefficients, rest

    def _outside(self, basis: np.ndarray) -> np.ndarray:
        """A random unit vector orthogonal to a basis; zero where nothing is left."""
        size = basis.shape[1]
        if len(basis) >= size:
            return np.zeros(size)
        vector = self._random.standard_normal(size)
        for _ in range(3):
            vector = vector - (vector @ basis.T) @ basis
            vector = vector / np.linalg.norm(vector)
        return vector

    def _svd(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        size = sum(len(block) for block in self.left)
        matrix = np.zeros((size, size))
        column = 0
        for block in self._projected:
            matrix[: block.shape[1], column : column + len(block)] = block.T
            column += len(block)
        return np.linalg.svd(matrix)

    def quadrature(self) -> tuple[np.ndarray, np.ndarray]:
        """Gauss's nodes σ and weights of the spectrum that the start vector sees, of sum 1."""
        _, nodes, right = self._svd()
        return nodes, np.square(right[:, 0])

    def values(self, k: int) -> np.ndarray:
        """The k largest singular values of B."""
        return self._svd()[1][:k]

    def residuals(self, k: int) -> np.ndarray:
        """`‖Jᵀ u − σ v‖` of each."""
        left = self._svd()[0][:, :k]
        last = len(self._next)
        return np.linalg.norm(self._next.T @ left[-last:], axis=0)

    def vectors(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Left and right singular vectors, `[k, m]` and `[k, n]`."""
        left, _, right = self._svd()
        u = left[:, :k].T @ np.concatenate(self.left)
        v = right[:k] @ np.concatenate(self.right[: len(self.left)])
        return u, v


def _unit_outside(vector: np.ndarray, basis: np.ndarray) -> np.ndarray | None:
    """Of length 1, and orthogonal to a basis; None if it was rounding that left it outside."""
    vector = vector / np.linalg.norm(vector)
    vector = vector - (vector @ basis.T) @ basis
    length = np.linalg.norm(vector)
    return vector / length if length > 0.7 else None


def _orthonormal(rows: np.ndarray) -> np.ndarray:
    return np.linalg.qr(rows.T)[0].T


class SpectralQuadrature(NamedTuple):
    """How the singular values lie, as a few random vectors see it.

    Fields:
        nodes: σ in falling order, `[B, probes, steps]`.
        weights: how many of the n singular values each stands for, likewise; n in all.
    """

    nodes: Float[np.ndarray, "images probes steps"]
    weights: Float[np.ndarray, "images probes steps"]


def spectral_quadrature(
    maps: LinearMap, *, probes: int = 8, steps: int = 40, seed: int = 0
) -> SpectralQuadrature:
    """Gauss quadrature of the spectrum of `JᵀJ` by stochastic Lanczos, through Golub–Kahan.

    For random z of ±1, `zᵀ f(JᵀJ) z` is in the mean the sum of f over all n eigenvalues; each probe
    gives nodes and weights that are exact for polynomials of degree `2·steps − 1` (Ubaru, Chen &
    Saad 2017; with full reorthogonalisation, so that no node is there twice).

    Args:
        maps: from `linearize`.
        probes: random vectors; as many products run at once.
        steps: pairs of products for each.
        seed: of the probes.

    Raises:
        ValueError: for no probe or no step, and for more steps than n.
    """
    n = maps.shape[1]
    if probes < 1 or not 1 <= steps <= n:
        raise ValueError(
            f"spectral quadrature takes a probe or more and 1 to {n} steps (the inputs), got"
            f" {probes} and {steps}"
        )
    random = np.random.default_rng(seed)
    epsilon = float(np.finfo(maps.dtype).eps)
    starts = random.choice([-1.0, 1.0], size=(probes, maps.images, 1, n))
    groups = [[_Krylov(start, random, epsilon) for start in each] for each in starts]
    for _ in range(steps):
        _extend(maps, groups)
    found = [[space.quadrature() for space in group] for group in groups]
    nodes, weights = (
        np.array([[pair[side] for pair in group] for group in found]).swapaxes(0, 1)
        for side in (0, 1)
    )
    return SpectralQuadrature(nodes, n * weights)


class Counts(NamedTuple):
    """How many singular values lie above each threshold, `[B, thresholds]` each.

    Fields:
        low, high: a bracket: the means over the probes of what each of them sees lie within.
        error: standard error of that over the probes; NaN for a single one. It says nothing of the
            bracket's width, which more steps make smaller, not more probes.
    """

    low: Float[np.ndarray, "images thresholds"]
    high: Float[np.ndarray, "images thresholds"]
    error: Float[np.ndarray, "images thresholds"]


def count_above(found: SpectralQuadrature, thresholds: ArrayLike) -> Counts:
    """How many singular values lie above thresholds, with what is certain of it.

    For each probe, `zᵀ 1[JᵀJ > ε²] z` lies between two sums of its weights, by the inequalities of
    Chebyshev, Markov and Stieltjes: all but the last node above, and one node more. Only the mean
    over probes is random.

    Args:
        found: from `spectral_quadrature`.
        thresholds: ε, absolute; `σ₁` times powers of ten, say.
    """
    low, high = bracket_above(found, thresholds)
    probes = low.shape[1]
    middle = (low + high) / 2
    error = (
        middle.std(1, ddof=1) / np.sqrt(probes) if probes > 1 else np.full_like(low[:, 0], np.nan)
    )
    return Counts(low.mean(1), high.mean(1), error)


def bracket_above(
    found: SpectralQuadrature, thresholds: ArrayLike
) -> tuple[
    Float[np.ndarray, "images probes thresholds"], Float[np.ndarray, "images probes thresholds"]
]:
    """The bracket of `count_above` for each probe by itself."""
    nodes, weights = found
    above = (nodes[..., None] > np.atleast_1d(np.asarray(thresholds, float))).sum(2)
    sums = np.concatenate([np.zeros((*weights.shape[:2], 1)), weights.cumsum(2)], 2)
    steps = nodes.shape[2]
    low = np.take_along_axis(sums, np.maximum(above - 1, 0), 2)
    high = np.take_along_axis(sums, np.minimum(above + 1, steps), 2)
    return low, high


class Estimate(NamedTuple):
    """A number for each image, and its standard error, `[B]` each."""

    value: Float[np.ndarray, " images"]
    error: Float[np.ndarray, " images"]


class Moments(NamedTuple):
    """Sums over all singular values, by random probes.

    Fields:
        frobenius: `‖J‖_F² = Σσ²`.
        gram: `‖JᵀJ‖_F² = Σσ⁴`.
        participation_ratio: `(Σσ²)² / Σσ⁴`: how many directions the Jacobian is spread over.
    """

    frobenius: Estimate
    gram: Estimate
    participation_ratio: Estimate


def moments(maps: LinearMap, key: Array, *, probes: int = 32, block: int = 4) -> Moments:
    """Norms of each image's Jacobian without its singular values (Hutchinson 1990).

    With z of independent ±1, the mean of `‖J z‖²` is Σσ² and that of `‖Jᵀ J z‖²` is Σσ⁴. The error
    of the first is `√(2 / (probes · participation ratio))` at most, relatively.

    Args:
        maps: from `linearize`.
        key: a `jax.random.key`.
        probes: at least 2.
        block: products at once.

    Raises:
        ValueError: for fewer than 2 probes, which have no error.
    """
    if probes < 2:
        raise ValueError(f"{probes} probe has no standard error; take 2 or more")
    first, second = [], []
    for start in range(0, probes, block):
        size = min(block, probes - start)
        shape = (block, maps.images, maps.shape[1])
        z = jax.random.rademacher(jax.random.fold_in(key, start), shape, maps.dtype)
        pushed = _push(maps, z)
        first.append(np.square(np.asarray(pushed, np.float64)).sum(-1)[:size])
        pulled = np.asarray(_pull(maps, pushed), np.float64)
        second.append(np.square(pulled).sum(-1)[:size])
    a, b = np.concatenate(first), np.concatenate(second)  # [probes, images]
    return Moments(_mean(a), _mean(b), _participation(a, b))


def _mean(samples: Float[np.ndarray, "probes images"]) -> Estimate:
    return Estimate(samples.mean(0), samples.std(0, ddof=1) / np.sqrt(len(samples)))


def _participation(
    a: Float[np.ndarray, "probes images"], b: Float[np.ndarray, "probes images"]
) -> Estimate:
    """Its jackknife: the bias of a ratio of means is taken off."""
    probes = len(a)
    whole = a.mean(0) ** 2 / b.mean(0)
    without = ((a.sum(0) - a) / (probes - 1)) ** 2 / ((b.sum(0) - b) / (probes - 1))
    value = probes * whole - (probes - 1) * without.mean(0)
    error = np.sqrt((probes - 1) / probes * np.square(without - without.mean(0)).sum(0))
    return Estimate(value, error)
