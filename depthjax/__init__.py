"""depthjax: what does this layer of a vision model still know about its input?

Everything after the model takes one contract, `layer(variables, images) -> embedding`, with images
float `[B, H, W, C]` in [0, 1] and weights always as arguments.

A name is imported when it is first used; `__init__.pyi` says where each is.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
