"""PyTorch's functions with their settings, one at a time: values and gradients in float64.

Networks use few of the settings that a function has; here each is set to what is no default, so
that none is passed over in silence.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import depthjax
from depthjax.compat import enable_x64
from depthjax.importing.resizing import resize_matrix
from depthjax.importing.torch import from_torch

Tensor = torch.Tensor
SHAPE = (4, 6, 8)
DRAWN = torch.Generator().manual_seed(0)
CONSTANTS = {
    **{f"k{n}": torch.randn(6, 4, n, n, generator=DRAWN).double() for n in (1, 2, 3)},
    "depthwise": torch.randn(4, 1, 3, 3, generator=DRAWN).double(),
    "grouped": torch.randn(6, 2, 3, 2, generator=DRAWN).double(),
    "back": torch.randn(4, 3, 3, 2, generator=DRAWN).double(),
    "line": torch.randn(5, 4, 3, generator=DRAWN).double(),
    "b4": torch.randn(4, generator=DRAWN).double(),
    "b6": torch.randn(6, generator=DRAWN).double(),
    "b8": torch.randn(8, generator=DRAWN).double(),
    "v4": torch.rand(4, generator=DRAWN).double() + 0.5,
    "square": torch.randn(8, 8, generator=DRAWN).double(),
    "matrix": torch.randn(5, 8, generator=DRAWN).double(),
    "mask": torch.rand(6, 8, generator=DRAWN) > 0.5,
    "keys": torch.randn(1, 4, 5, 8, generator=DRAWN).double(),
    "places": torch.tensor([3, 0, 0, 5]),
}

ELEMENTWISE = """
    x.abs(); x.ceil(); x.floor(); x.round(); torch.round(x, decimals=1);
    torch.round(x * 40, decimals=-1); x.neg(); x.exp(); x.expm1(); torch.exp2(x);
    torch.log1p(x.abs()); torch.log(x.abs() + 1); torch.log2(x.abs() + 1);
    torch.log10(x.abs() + 1); torch.rsqrt(x.abs() + 1); torch.sqrt(x.abs() + 1); x.square();
    x.sin(); x.cos(); torch.tan(x / 4); x.sinh(); x.cosh(); x.tanh(); x.erf(); x.sign();
    x.reciprocal(); x.sigmoid(); F.logsigmoid(x); F.silu(x); F.mish(x); F.selu(x);
    F.hardswish(x * 4); F.hardsigmoid(x * 4); F.relu(x); F.relu6(x * 8); F.hardtanh(x, -0.5, 0.3);
    F.leaky_relu(x, 0.3); F.gelu(x); F.gelu(x, approximate='tanh'); F.elu(x, 0.5); F.celu(x, 0.7);
    F.softshrink(x, 0.3); F.hardshrink(x, 0.3); F.glu(x, 1); F.glu(x); torch.trunc(x * 3) * x;
    F.softplus(x, 2.0); F.softsign(x); F.threshold(x, 0.2, -3.0); F.tanhshrink(x); torch.atan(x);
    x.clamp(-0.5, 0.25); x.clamp(min=0.1); x.clamp(max=0.1); x.clamp_min(0.2); x.clamp_max(0.2);
    x.clamp(0.5, -0.5) + x; (x * 4).int().to(x) / 3; (x * 4).to(places) + x;
    F.prelu(x, b4); F.prelu(x, b4[:1]); x.pow(2); x.abs().pow(0.5); x.pow(-1); x.pow(3);
    (x.abs() + 1).pow(1.7); 2 ** x; torch.where(x > 0, x, 0.1 * x); x.masked_fill(mask, -2.0);
    torch.where(mask, x, x * x); (x > 0).to(x.dtype) * x; x.detach() * x; (x * 3).clone();
    x.float().double(); x.type_as(x); F.dropout(x, 0.5, training=False);
    torch.logical_not(x > 0) * x; x * (x >= 0.1); x * ((x > 0) & (x < 0.5));
    x * ((x > 0.5) | (x < 0)); x * ((x > 0) ^ (x < 0.5));
    torch.nn.functional.relu(x, inplace=True); x.mul(2).add_(1).relu_()
"""
ARITHMETIC = """
    x + 2; 2 - x; x - 2; torch.add(x, x * x, alpha=3); torch.sub(x, x * x, alpha=0.5);
    torch.rsub(x, 2, alpha=3); x * b8; x / (b8.abs() + 1); 3 / (x.abs() + 1);
    torch.div(x, 0.3, rounding_mode='floor') + x; torch.div(x, -0.3, rounding_mode='trunc') + x;
    (x // 0.3).detach() + x; x % 0.3;
    torch.fmod(x, 0.3); torch.maximum(x, b8); torch.minimum(x, b8); torch.max(x, b8);
    torch.min(x, b8); torch.atan2(x, b8); torch.lerp(x, b8.expand_as(x), 0.3);
    torch.addcmul(x, b8, b8, value=2); torch.addcdiv(x, b8, b8.abs() + 1)
"""
LAYERS = """
    F.conv2d(x, k3, b6); F.conv2d(x, k3, None, 2, 1); F.conv2d(x, k3, padding='same');
    F.conv2d(x, k2, padding='same'); F.conv2d(x, k2, b6, (2, 1), (1, 0), (1, 2));
    F.conv2d(x, k3, padding='valid'); F.conv2d(x, depthwise, b4, padding=1, groups=4);
    F.conv2d(x, grouped, b6, 1, (1, 0), 1, 2); F.conv2d(x[:, :, :5, :5], k3, padding=4);
    F.conv_transpose2d(x, back, None, 2, 1, 1, 1); F.conv1d(x.flatten(2), line, padding=1);
    F.conv_transpose2d(x, back[:, :, :, :1], None, (2, 1), (1, 0), (1, 0), 2, (1, 1));
    F.linear(x, matrix); F.linear(x, matrix, b6[:5]); x @ square; x @ x.mT;
    torch.matmul(x, keys.mT);
    torch.bmm(x.flatten(0, 1), x.flatten(0, 1).mT).unflatten(0, (-1, 4));
    torch.einsum('bchw,bdhw->bcd', x, x); torch.einsum('bchw,ow->bcho', x, matrix);
    torch.einsum('...id,...jd->...ij', x, keys); torch.einsum('...w,ow->...o', x, matrix);
    torch.einsum('...w,ow', x, matrix); torch.einsum('bc...->b...c', x);
    torch.addmm(b8, x.mean((1, 2)), square); torch.addmm(b8, x[:, 0, 0], square, beta=1);
    torch.addmm(b8, x[:, 0, 0], square, beta=2); torch.addmm(b8[:1], x[:, 0, 0], square);
    torch.addmm(x[:, 1, 0], x[:, 0, 0], square, alpha=0.5);
    torch.baddbmm(x[:, 0], x[:, 1], x[:, 2].mT @ x[:, 3], beta=2, alpha=0.5);
    F.batch_norm(x, b4, v4, v4, b4, eps=0.1); F.batch_norm(x, b4, v4); F.layer_norm(x, (8,));
    F.layer_norm(x, (6, 8), eps=0.1); F.layer_norm(x, (8,), b8, b8);
    F.group_norm(x, 2);
    F.group_norm(x, 2, b4, v4, eps=0.1); F.group_norm(x, 4, b4); F.instance_norm(x);
    F.instance_norm(x, weight=b4, bias=v4, eps=0.1);
    F.instance_norm(x, b4, v4, use_input_stats=False); F.rms_norm(x, (8,), b8, 0.1);
    F.rms_norm(x, (8,)); F.normalize(x, dim=1); F.local_response_norm(x, 3, 0.5, 0.7, 2.0);
    F.local_response_norm(x, 2, 0.5)
"""
POOLINGS = """
    F.max_pool2d(x, 2); F.max_pool2d(x, 3, 2, 1); F.max_pool2d(x, (3, 2), (1, 2), (1, 0));
    F.max_pool2d(x, 3, 2, ceil_mode=True); F.max_pool2d(x, 2, 1, 0, 2);
    F.max_pool2d(x, 2, return_indices=True)[0]; F.avg_pool2d(x, 3, 2, 1);
    F.avg_pool2d(x, 3, 2, 1, ceil_mode=True); F.avg_pool2d(x, 3, 2, 1, False, False);
    F.avg_pool2d(x, 3, 2, 1, True, False); F.adaptive_avg_pool2d(x, 1);
    F.adaptive_avg_pool2d(x, (3, 4)); F.adaptive_avg_pool2d(x, (4, 5));
    F.adaptive_avg_pool2d(x, (None, 2)); F.adaptive_max_pool2d(x, 1);
    F.adaptive_max_pool2d(x, (3, 5)); F.avg_pool2d(x, 3, 2, 1, divisor_override=5);
    F.avg_pool2d(x, (3, 2), 2, 1, False, False, 4); F.avg_pool3d(x, (1, 3, 2), 2, (0, 1, 1));
    F.adaptive_avg_pool1d(x.flatten(2), 1);
    F.max_pool1d(x.flatten(2), 3, 2, 1);
    F.max_pool1d(x.flatten(2), 2, 1, 0, 3, True); F.avg_pool1d(x.flatten(2), 3, 2, 1);
    F.avg_pool1d(x.flatten(2), 2, ceil_mode=True);
    F.avg_pool1d(x.flatten(2), 3, 1, 1, count_include_pad=False)
"""
RESIZINGS = """
    F.interpolate(x, scale_factor=2); F.interpolate(x, size=(9, 5));
    F.interpolate(x, size=(4, 5), mode='nearest-exact');
    F.interpolate(x, size=(9, 13), mode='nearest-exact');
    F.interpolate(x, scale_factor=1.7, mode='bilinear');
    F.interpolate(x, scale_factor=1.7, mode='bilinear', recompute_scale_factor=True);
    F.interpolate(x, size=(4, 11), mode='bilinear', align_corners=True);
    F.interpolate(x, size=(4, 11), mode='bicubic');
    F.interpolate(x, size=(9, 11), mode='bicubic', align_corners=True);
    F.interpolate(x, scale_factor=(1.1, 1.7), mode='nearest-exact');
    F.interpolate(x, scale_factor=(1.1, 1.7)); F.interpolate(x, scale_factor=(2.1, 1.1));
    F.interpolate(x, scale_factor=(1.1, 1.7), mode='bilinear');
    F.interpolate(x, scale_factor=(1.1, 1.7), mode='bicubic');
    F.interpolate(x, size=(4, 3), mode='bilinear', antialias=True);
    F.interpolate(x, size=(4, 13), mode='bicubic', antialias=True);
    F.interpolate(x, scale_factor=0.6, mode='bicubic', antialias=True);
    F.interpolate(x, size=(4, 13), mode='bilinear', antialias=True, align_corners=True);
    F.interpolate(x, size=(4, 3), mode='area'); F.pixel_shuffle(x, 2); F.pixel_unshuffle(x, 2);
    F.channel_shuffle(x, 2)
"""
SHAPES = """
    x.reshape(x.shape[0], 8, 6, 4); x.view(x.shape[0], -1, 8); x.unflatten(1, (2, 2));
    x.unflatten(3, (-1, 2)); x.flatten(1, 2); x.permute(0, 2, 3, 1); x.transpose(1, 3); x.mT;
    x.narrow(2, -2, 2);
    x.movedim(1, -1); x.movedim((1, 2), (3, 1)); x.unsqueeze(2); x[..., :1, None].squeeze();
    x[:, :1].squeeze(1); x.repeat(1, 2, 1, 3); x.repeat_interleave(2, 1);
    x.repeat_interleave(2, dim=-1, output_size=16); torch.tile(x, (1, 2, 1, 1));
    x[:, :1].expand(-1, 4, -1, -1); torch.cat([x, x * 2], 1); torch.stack([x, x * 2], 2);
    torch.stack([x, x * 2], -1); x[:, 1:3, ::2, -5:-1]; x.narrow(1, 1, 2); x[:, -1];
    x.select(2, 3); torch.unbind(x, 1)[2]; x.split(3, 2)[1]; x.split([1, 2, 3], 2)[2];
    x.chunk(3, 3)[2]; torch.tensor_split(x, 3, 3)[1]; x.index_select(2, places); x[:, :, places];
    x[:, :, places, places]; x[:, :, places[:, None], places[None] % 4]; x.roll(2, 1);
    x.roll((2, -1), (2, 3)); x.flip(1); x.flip((2, 3));
    torch.rot90(x, 1, (2, 3)); torch.rot90(x, -1, (1, 3)); torch.rot90(x, 2, (2, 3));
    torch.fliplr(x); F.pad(x, (1, 2));
    F.pad(x, (1, 2, 0, 3), value=-2.0); F.pad(x, (-1, 2, 1, -2));
    F.pad(x, (1, 2, 2, 1), mode='reflect'); F.pad(x, (1, 2, 2, 1), mode='replicate');
    F.pad(x, (1, 2, 2, 1), mode='circular'); torch.ops.aten.reflection_pad2d(x, [1, 2, 2, 1]);
    torch.ops.aten.replication_pad2d(x, [1, 2, 2, 1]);
    x.swapaxes(1, 2); x.unfold(2, 3, 2); x.unfold(1, 2, 1);
    F.unfold(x, 2);
    F.unfold(x, (3, 2), (1, 2), (1, 0), (2, 3)); x.expand_as(x);
    x.view_as(x * 2)
"""
REDUCTIONS = """
    x.mean((2, 3)); x.mean(1, keepdim=True); x.sum(-1); x.sum((1, 2), keepdim=True);
    x.mean(1, dtype=torch.float64); (x > 0).sum(1, dtype=torch.float64) * x[:, 0]; x.amax((2, 3));
    x.amin(1, keepdim=True); x.max(1)[0]; x.max(2, keepdim=True).values; x.min(1)[0];
    x.logsumexp((2, 3)); x.prod(1); x.var(1); x.var((2, 3), correction=0);
    x.var(1, unbiased=False, keepdim=True); x.std((1, 2)); x.std(1, correction=0, keepdim=True);
    torch.var_mean(x, 1, keepdim=True)[0]; torch.var_mean(x, (2, 3), correction=0)[1];
    torch.std_mean(x, 1)[0]; x.norm(dim=1); torch.linalg.vector_norm(x, 1, (2, 3));
    torch.var(x, 1, correction=None);
    x.norm(p=2, dim=1, keepdim=True); torch.linalg.vector_norm(x, float('inf'), 1); x.softmax(1);
    F.cosine_similarity(x, x * b8, dim=3); F.cosine_similarity(x, b8, dim=-1, eps=0.1);
    F.cosine_similarity(x, x[:, :1] + 1, dim=1); x.cumsum(1); x.cumsum(-1); x.topk(2, 1)[0];
    x.topk(3).values; x.topk(2, 2, largest=False)[0];
    F.softmax(x, -1, dtype=torch.float64); F.log_softmax(x, 2); F.softmin(x, 1)
"""
ATTENTION = """
    F.scaled_dot_product_attention(x, x, x); F.scaled_dot_product_attention(x, keys, keys);
    F.scaled_dot_product_attention(x, x, x, is_causal=True);
    F.scaled_dot_product_attention(x, x, x, scale=0.2);
    F.scaled_dot_product_attention(x, x, x, attn_mask=square[:6, :6]);
    F.scaled_dot_product_attention(x, x, x, attn_mask=(square[:6, :6] > -1))
"""
OF_ONE_IMAGE = """
    x.var(); x.var(False); x.var(True); x.std(False); torch.var_mean(x, False)[0];
    torch.var_mean(x, False)[1]; torch.std_mean(x, True)[0]; torch.std_mean(x, True)[1];
    x.var(None, False); x.norm(); x.norm(1); torch.ops.aten.norm.ScalarOpt_dim(x, None, [1]);
    x.T; x[0].T; x[0, 0].T; x[0, 0].t();
    F.conv2d(x[0], k3, b6); F.conv2d(x[0], k3, padding='same').sum(0); F.conv1d(x[0, :, 0], line);
    F.conv_transpose2d(x[0], back, None, 2, 1, 1, 1); F.max_pool2d(x[0], 3, 2, 1);
    F.avg_pool2d(x[0], 3, 2, 1); F.max_pool1d(x[0, 0], 2); F.adaptive_avg_pool2d(x[0], (3, 4));
    F.adaptive_max_pool2d(x[0], (3, 5)); F.avg_pool3d(x, (1, 3, 2), 2, (0, 1, 1));
    F.instance_norm(x[0]); F.local_response_norm(x[0], 3); F.group_norm(x.mean((2, 3)), 2);
    F.pixel_shuffle(x[0], 2); F.pixel_unshuffle(x[0], 2); F.channel_shuffle(x[0], 2);
    F.unfold(x[0], 2); F.unfold(x[0], (3, 2), (1, 2), (1, 0), (2, 3)); F.pad(x[0], (1, 2))
"""
"""What a batch computes as a whole, or without its axis."""
REFUSED = {
    "torch.diagonal(x, 0, 1, 2)": "diagonal",
    "x.argmax(1)": "argmax",
    "F.conv2d(x, x[:, :, :3, :3])": "kernel depends on the images",
    "x.tril()": "tril",
    "F.interpolate(x, size=(4, 3), mode='nearest')[:, 0].argsort(1)": "argsort",
    "x.var(1, correction=2)": "a variance with correction=2",
    "x.var(1, correction=0.5)": "a variance with correction=0.5",
    "torch.linalg.vector_norm(x, 3, 1)": "norm of order 3",
    "F.avg_pool2d(x, 2, ceil_mode=True, divisor_override=3)": "a divisor and ceil_mode",
    "F.scaled_dot_product_attention(x, x[:, :2], x[:, :2], enable_gqa=True)": "groups of queries",
    "F.scaled_dot_product_attention(x, x, x, dropout_p=0.5)": "dropout",
    "F.dropout(x, 0.5)": "dropout",
    "F.batch_norm(x, b4, v4, training=True)": "one image",
    "F.batch_norm(x, None, None, b4, v4, training=True)": "BatchNorm without running statistics",
    "F.softplus(x, 1, 3.0)": "threshold of 3",
    "x[:, :, :4].repeat_interleave(places, 2)": "repeat_interleave",
    "x[:, :, mask]": "indexing by a mask",
    "x[x > 0][None]": "indexing by what depends on the images",
}
CONVERSIONS = """
    (x.mul(4).int() * 0.5).int() + x; (x.mul(4).int() / 2).int() + x;
    torch.sqrt(x.mul(4).int().abs()).int() + x; (x > 0).sum(1).bool() * x[:, 0];
    ((x > 0) * 2).bool() * x; torch.where(x > 0, x.mul(4).int(), x).int() + x;
    torch.where(x > 0, x.mul(4).int(), 0.5).int() + x; (x.isfinite() + 1).bool() * x
"""
GROUPS = (
    *(CONVERSIONS, ELEMENTWISE, ARITHMETIC, LAYERS, POOLINGS, RESIZINGS, SHAPES, REDUCTIONS),
    ATTENTION,
)
EXPRESSIONS = [e.strip() for group in GROUPS for e in group.split(";")]
ALONE = [e.strip() for e in OF_ONE_IMAGE.split(";")]


class Function(torch.nn.Module):
    """One expression in `x` and the constants, as a network."""

    def __init__(self, expression: str) -> None:
        super().__init__()
        for name, constant in CONSTANTS.items():
            self.register_buffer(f"held_{name}", constant)
        self.code = compile(expression, expression, "eval")

    def forward(self, x: Tensor) -> Tensor:
        names = {
            "x": x,
            "torch": torch,
            "F": F,
            **{n: getattr(self, f"held_{n}") for n in CONSTANTS},
        }
        made = eval(self.code, names).to(x.dtype)
        return made.flatten()[None] if len(x) == 1 else made.flatten(1)


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with enable_x64(True):
        yield


def images(batch: int = 2) -> Tensor:
    """Drawn, without ties."""
    return torch.randn(batch, *SHAPE, generator=torch.Generator().manual_seed(1)).double()


def differences(module: torch.nn.Module, batch: int = 2) -> tuple[float, float]:
    """Of value and gradient, relative to the largest element."""
    x = images(batch).requires_grad_()
    result = module(x * 1)
    cotangent = torch.cos(torch.arange(result.numel()).double()).reshape(result.shape)
    slope = torch.zeros_like(x)
    if result.requires_grad:  # what is made of whole numbers alone has none
        (slope,) = torch.autograd.grad((result * cotangent).sum(), x)
    model, variables = from_torch(module, images()[:1])
    pixels = x.detach().numpy().transpose(0, 2, 3, 1)

    def weighed(images: Any) -> Any:
        output, _ = model.apply(variables, images)
        output = output.reshape(cotangent.shape)
        return (output * cotangent.numpy()).sum(), output

    (_, output), gradient = jax.value_and_grad(weighed, has_aux=True)(jnp.asarray(pixels))
    pairs = (output, result.detach().numpy()), (gradient.transpose(0, 3, 1, 2), slope.numpy())
    return tuple(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)) for a, b in pairs)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value_and_gradient(expression: str) -> None:
    value, gradient = differences(Function(expression))
    assert value < 1e-6  # PyTorch has constants in single precision (hardsigmoid's 1/6)
    assert gradient < 1e-6


@pytest.mark.parametrize("expression", ALONE)
def test_of_one_image(expression: str) -> None:
    value, gradient = differences(Function(expression), batch=1)
    assert value < 1e-6
    assert gradient < 1e-6


class Regions(torch.nn.Module):
    """Parts of its forward pass are without gradients, or in a precision of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.act = torch.nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            scale = self.act(x).mean((2, 3), keepdim=True) + 1
        with torch.autocast("cpu", enabled=False):
            return (x * scale + CONSTANTS["b8"]).exp().flatten(1)


def test_regions_of_the_forward_pass() -> None:
    value, gradient = differences(Regions())
    assert value < 1e-12 and gradient < 1e-12
    model, _ = from_torch(Regions(), images()[:1])
    assert "act" in depthjax.layer_names(model)


@pytest.mark.parametrize(
    ("kind", "mode"), [("nearest", "nearest"), ("nearest centre", "nearest-exact")]
)
def test_nearest_pixels_are_pytorchs(kind: str, mode: str) -> None:
    """At many lengths, of which some meet ties that single precision decides."""
    lengths = [*range(1, 24), 48, 56, 112]
    others = [*range(1, 60, 3), 46, 48, 80, 92, 96, 184, 192, 220]
    asked = [(n, m, None) for n in lengths for m in others if (n, m) != (8, 220)]
    asked += [(n, int(n * f), f) for n in lengths for f in (0.7, 1.1, 1.7, 2.3, 2.6) if int(n * f)]
    for length, outputs, factor in asked:
        column = torch.arange(length).float().reshape(1, 1, -1, 1)
        sizes = {"size": (outputs, 1)} if factor is None else {"scale_factor": (factor, 1.0)}
        theirs = F.interpolate(column, mode=mode, **sizes).numpy().ravel()
        ours = resize_matrix(length, outputs, kind, scale=factor) @ np.arange(length)
        np.testing.assert_array_equal(ours, theirs, f"{length} to {outputs} by {factor}")


@pytest.mark.parametrize("expression", REFUSED)
def test_what_is_refused_says_so(expression: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[expression]):
        from_torch(Function(expression), images()[:1])


def test_matrices_of_a_sum_with_a_product_may_depend_on_the_image() -> None:
    class Product(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.addmm(CONSTANTS["b6"], x[0, 0], x[0, 1].mT, beta=2).flatten()[None]

    x = images(1)
    model, variables = from_torch(Product(), x)
    ours, _ = model.apply(variables, jnp.asarray(x.numpy().transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(ours, Product()(x).numpy(), atol=1e-12)
