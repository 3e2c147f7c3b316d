"""What the scripts share: flags, errors in one line, progress bars, the compilation cache.

A name is imported when it is first used; `__init__.pyi` says where each is.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
