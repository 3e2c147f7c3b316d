"""Small ONNX files and what onnxruntime computes of them, for `tests/importing/test_onnx_files.py`.

    python tests/golden/make_onnx.py

It needs PyTorch, onnx, onnxscript and onnxruntime, which no test does.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

FOLDER = Path(__file__).with_name("onnx")
SIZE = 16


class Convnet(nn.Module):
    """BatchNorm, a block with a shortcut, poolings with padding."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.layer1 = nn.Sequential(Block(8), Block(8))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer1(self.maxpool(torch.relu(self.bn1(self.conv1(x)))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Block(nn.Module):
    """Squeeze and excite, hard swish."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.bn = nn.BatchNorm2d(channels)
        self.act = nn.Hardswish()
        self.squeeze = nn.Conv2d(channels, 4, 1)
        self.excite = nn.Conv2d(4, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act(self.bn(self.conv(x)))
        gate = nn.functional.hardsigmoid(
            self.excite(torch.relu(self.squeeze(y.mean((2, 3), keepdim=True))))
        )
        return x + y * gate


class Attention(nn.Module):
    """Two heads."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).reshape(b, n, c))


class Layer(nn.Module):
    """A transformer's block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width), Attention(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 16), nn.GELU(), nn.Linear(16, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """Patches of 4, a class token, two blocks."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 4, 4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, (SIZE // 4) ** 2 + 1, width))
        self.blocks = nn.Sequential(Layer(width), Layer(width))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


def export(name: str, module: nn.Module, **settings: Any) -> None:
    """Writes the file and the output of one image."""
    images = torch.rand(1, 3, SIZE, SIZE)
    path = FOLDER / f"{name}.onnx"
    torch.onnx.export(module.eval(), (images,), path, external_data=False, **settings)
    model = onnx.load(path)
    for node in model.graph.node:  # traces of the source's lines, which name folders
        kept = [entry for entry in node.metadata_props if "name_scopes" in entry.key]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(str(path))
    (output,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    images_last = images.numpy().transpose(0, 2, 3, 1)
    np.savez_compressed(FOLDER / f"{name}.npz", images=images_last, output=output)


def main() -> None:
    """All files."""
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    convnet, transformer = Convnet(), VisionTransformer()
    for part in convnet.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -0.5, 0.5)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
    for name, module in (("convnet", convnet), ("transformer", transformer)):
        export(f"{name}_traced", module, dynamo=False, opset_version=14)
        export(f"{name}_exported", module, dynamo=True)


if __name__ == "__main__":
    main()
