"""Import torchvision next to a PyTorch that cannot load its compiled operators."""

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import torch

_SCHEMAS: list[torch.library.Library] = []  # a library that is collected takes its operators along


def import_torchvision() -> ModuleType:
    """Returns the module `torchvision`, declaring the schemas of its operators where it must.

    A torchvision that was built for another PyTorch (say, the CUDA wheel beside a CPU-only PyTorch)
    cannot load its shared library, and skips it in silence. Its file `_meta_registrations.py` then
    attaches Python functions to operators that the library would have declared, and the import ends
    in "operator torchvision::nms does not exist". The networks and the transforms need none of
    these operators, so a declaration without any kernel is enough. A torchvision that imports by
    itself is left as it is.

    Raises:
      ModuleNotFoundError: torchvision is not installed.
      RuntimeError: the import fails for another reason than a missing operator.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # what the failed import left half done
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).with_name("_meta_registrations.py").read_text(encoding="utf-8")
    library = torch.library.Library("torchvision", "DEF")
    for name in sorted(set(re.findall(r'(?:register_meta\("|torchvision::)(\w+)"', text))):
        if name.endswith("nms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        else:
            library.define(f"{name}(Tensor input, Tensor rois) -> Tensor")
    _SCHEMAS.append(library)
    return importlib.import_module("torchvision")
