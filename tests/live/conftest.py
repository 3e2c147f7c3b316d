"""Comparisons with PyTorch itself, which the gate runs in an environment of its own.

`make test` needs no PyTorch, so without it nothing here is collected.
"""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "golden")]

collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["test_*.py"]
