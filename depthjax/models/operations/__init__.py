"""The operations that networks are made of, one file each, with PyTorch's semantics.

Each is a Linen module or a frozen, callable dataclass or a function, so that its settings can be
read off the graph. Its file also says how it is prepared, initialised, named in state dicts and
accounted for (`description.py`); a new operation is one file and one line here. Linen modules are
made with `parent=None`: they are settings until the network that runs them adopts a copy.
"""

from depthjax.models.operations.add import add
from depthjax.models.operations.along_axis import AlongAxis
from depthjax.models.operations.attention import Attention, SelfAttention
from depthjax.models.operations.average_pool import (
    AdaptiveAveragePool,
    AveragePool,
    global_average,
)
from depthjax.models.operations.batch_norm import BatchNorm, batch_norm
from depthjax.models.operations.conv_transpose import (
    ConvTransposeDescription,
    TransposedConv,
)
from depthjax.models.operations.convolution import conv
from depthjax.models.operations.description import Description, describe, describes
from depthjax.models.operations.dropout import dropout
from depthjax.models.operations.elementwise import Arithmetic, Elementwise, Where
from depthjax.models.operations.flatten import flatten
from depthjax.models.operations.gelu import GELU, gelu
from depthjax.models.operations.group_norm import GroupNorm
from depthjax.models.operations.identity import identity
from depthjax.models.operations.layer_norm import layer_norm
from depthjax.models.operations.layer_scale import LayerScale
from depthjax.models.operations.leaky_relu import LeakyReLU
from depthjax.models.operations.linear import Linear, linear
from depthjax.models.operations.matmul import Einsum, MatMul
from depthjax.models.operations.max_pool import MaxPool
from depthjax.models.operations.parameter import Constant, Parameter
from depthjax.models.operations.reduction import Reduce
from depthjax.models.operations.relu import relu, relu6
from depthjax.models.operations.resampling import Resample
from depthjax.models.operations.shaping import (
    Broadcast,
    Concatenate,
    ExpandDims,
    Pad,
    Reshape,
    Roll,
    Slice,
    Squeeze,
    Take,
    Transpose,
)
from depthjax.models.operations.softmax import Softmax
from depthjax.models.operations.tokens import ClassToken, PositionEmbedding, first_token

__all__ = [
    "GELU",
    "AdaptiveAveragePool",
    "AlongAxis",
    "Arithmetic",
    "Attention",
    "AveragePool",
    "BatchNorm",
    "Broadcast",
    "ClassToken",
    "Concatenate",
    "Constant",
    "ConvTransposeDescription",
    "Description",
    "Einsum",
    "Elementwise",
    "ExpandDims",
    "GroupNorm",
    "LayerScale",
    "LeakyReLU",
    "Linear",
    "MatMul",
    "MaxPool",
    "Pad",
    "Parameter",
    "PositionEmbedding",
    "Reduce",
    "Resample",
    "Reshape",
    "Roll",
    "SelfAttention",
    "Slice",
    "Softmax",
    "Squeeze",
    "Take",
    "Transpose",
    "TransposedConv",
    "Where",
    "add",
    "batch_norm",
    "conv",
    "describe",
    "describes",
    "dropout",
    "first_token",
    "flatten",
    "gelu",
    "global_average",
    "identity",
    "layer_norm",
    "linear",
    "relu",
    "relu6",
]
