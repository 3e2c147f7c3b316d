"""depthjax: what does this layer of a vision model still know about its input?

Everything after the model takes one contract, `layer(variables, images) -> embedding`, with images
float `[B, H, W, C]` in [0, 1] and weights always as arguments.

A name is imported when it is first used, and so is a module (`depthjax.images`); `__init__.pyi`
says where each name is.
"""

from typing import Any

import lazy_loader

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in __all__:
        return _public(name)
    if name.startswith("__"):  # what Python asks for, such as __wrapped__
        raise AttributeError(name)
    from importlib import import_module  # these take longer than the rest of this file
    from importlib.util import find_spec

    if find_spec(f"{__name__}.{name}") is not None:
        return import_module(f"{__name__}.{name}")
    from difflib import get_close_matches

    nearest = get_close_matches(name, __all__, 1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}", name=name)
